"""The settings of a block to JSON and back: what a pool or a service says itself, and where.

    entry   [keyword, key, value, start, end, parts, inner, again]
    parts   [name, start, end, name, ...]
    inner   null; of a setting with a block [start, end, [entry, ...]]
    again   null; of a setting that variables decide [[name, value, ...], item, ...], to read anew

All places are in the text that the block stands in. TypeError for a value that has no JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, cast

from tvsc.dsl.ast import (
    Arrow,
    Binary,
    Call,
    Expr,
    Interpolation,
    Name,
    Several,
    Text,
    Value,
)
from tvsc.dsl.values import Bytes, Duration, Endpoint, IntRange, PrefixLength, Rate, Scalar
from tvsc.lower.evaluate import Env
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.nouns import Json
from tvsc.lower.reader import Reader
from tvsc.lower.schema import KINDS, Kind, Setting
from tvsc.lower.settings_service import AccessLine, FromFile, ListenLine
from tvsc.model import Protocol, StatusRange
from tvsc.source import Span

Values = Mapping[str, tuple[Scalar, Span]]


# --- settings ----------------------------------------------------------------------------------


def from_fields(fields: Fields, without: frozenset[str] = frozenset()) -> Json:
    """The JSON of a block's settings, less some keywords."""
    kept = [_entry(e) for e in fields.entries.values() if e.setting.keyword not in without]
    return [fields.span.start, fields.span.end, kept]


def _entry(entry: Entry) -> Json:
    parts: list[Json] = []
    for name, span in entry.parts.items():
        parts += (name, span.start, span.end)
    inner = None if entry.fields is None else from_fields(entry.fields)
    again = cast("Json", entry.again)
    key, value = (entry.key, _value(entry.value)) if again is None else ("", None)
    start, end = entry.span.start, entry.span.end
    return [entry.setting.keyword, key, value, start, end, parts, inner, again]


def _value(value: object) -> Json:
    if isinstance(value, ListenLine):
        return ["listen", value.protocol.value, value.port, value.pool]
    if isinstance(value, AccessLine):
        if isinstance(value.sources, FromFile):
            span = value.sources.span
            return ["file", value.allow, value.sources.name, span.start, span.end]
        return ["access", value.allow, *map(str, value.sources)]
    if isinstance(value, tuple):
        return _tuple(value)
    if type(value) in (bool, int, str):
        return value  # type: ignore[return-value]
    raise TypeError(type(value).__name__)


def _tuple(value: tuple[object, ...]) -> Json:
    if all(isinstance(member, StatusRange) for member in value):
        ranges: list[Json] = [[r.first, r.last] for r in value if isinstance(r, StatusRange)]
        return ["ranges", *ranges]
    made: list[Json] = ["vips"]
    for member in value:
        if not isinstance(member, tuple) or len(member) != 2:
            raise TypeError(type(member).__name__)
        address, span = member
        made += (_address(address), span.start, span.end)
    return made


def _address(value: object) -> Json:
    if isinstance(value, IPv4Interface | IPv6Interface):
        raise TypeError(type(value).__name__)
    if isinstance(value, IPv4Address):
        return int(value)
    if isinstance(value, IPv6Address):
        return str(value)
    raise TypeError(type(value).__name__)


def to_fields(data: Any, kind: Kind, values: Values) -> Fields | None:  # noqa: ANN401 - JSON
    """The settings again; those that variables decide are read with these values. None when two
    are one then. StatementError when one means nothing any more.
    """
    fields = Fields(kind, Span(0, data[0], data[1]))
    for one in data[2]:
        setting = kind.settings[one[0]]
        entry = _constant(one, setting) if one[7] is None else _again(one[7], setting, values)
        if one[6] is not None:
            assert setting.block is not None
            entry.fields = to_fields(one[6], KINDS[setting.block], values)
            if entry.fields is None:
                return None
        if fields.entries.setdefault((setting.keyword, entry.key), entry) is not entry:
            return None
    return fields


def _constant(one: Any, setting: Setting) -> Entry:  # noqa: ANN401 - JSON
    places = one[5]
    parts = {places[n]: Span(0, places[n + 1], places[n + 2]) for n in range(0, len(places), 3)}
    return Entry(setting, one[1], _value_of(one[2]), Span(0, one[3], one[4]), parts, None)


def _value_of(data: Any) -> object:  # noqa: ANN401 - JSON
    if not isinstance(data, list):
        return data
    tag = data[0]
    if tag == "listen":
        return ListenLine(Protocol(data[1]), data[2], data[3])
    if tag == "file":
        return AccessLine(data[1], FromFile(data[2], Span(0, data[3], data[4])))
    if tag == "access":
        return AccessLine(data[1], tuple(map(ip_network, data[2:])))
    if tag == "ranges":
        return tuple(StatusRange(first=first, last=last) for first, last in data[1:])
    return tuple(
        (ip_address(data[n]), Span(0, data[n + 1], data[n + 2])) for n in range(1, len(data), 3)
    )


# --- settings that variables decide -------------------------------------------------------------


def reading_again(items: Sequence[Expr], local: Values) -> Json:
    """How to read a setting again; `local` are the variables that stay what they are."""
    known: list[Json] = []
    for name, (value, _) in local.items():
        known += (name, scalar_to_json(value))
    return [known, *map(_expr, items)]


def _again(data: Any, setting: Setting, values: Values) -> Entry:  # noqa: ANN401 - JSON
    here = Span(0, 0, 0)
    known = data[0]
    local = {known[n]: (_scalar_of(known[n + 1]), here) for n in range(0, len(known), 2)}
    items = tuple(map(_expr_of, data[1:]))
    reader = Reader(items, Env(Env(None, dict(values)), local))
    reader.take("a setting")
    reader.begin(setting.keyword, setting.usage)
    value = setting.read(reader)
    assert reader.done()
    key = "" if setting.key is None else setting.key(value)
    return Entry(setting, key, value, reader.span, reader.parts, None)


def _expr(expr: Expr) -> Json:
    if isinstance(expr, Binary):
        return ["binary", expr.operator, _expr(expr.left), _expr(expr.right)]
    if isinstance(expr, Several):
        return ["several", *map(_expr, expr.members)]
    start, end = expr.span.start, expr.span.end
    if isinstance(expr, Name):
        return ["name", start, end, expr.text]
    if isinstance(expr, Value):
        return ["value", start, end, scalar_to_json(expr.data)]
    if isinstance(expr, Call):
        return ["call", start, end, expr.function, *map(_expr, expr.arguments)]
    if isinstance(expr, Arrow):
        return ["arrow", start, end]
    parts: list[Json] = [
        part if isinstance(part, str) else [part.name, part.width, part.span.start, part.span.end]
        for part in expr.parts
    ]
    return ["text", start, end, *parts]


def _expr_of(data: Any) -> Expr:  # noqa: ANN401 - JSON
    tag = data[0]
    if tag == "binary":
        left, right = _expr_of(data[2]), _expr_of(data[3])
        return Binary(data[1], left, right, left.span.to(right.span))
    if tag == "several":
        members = tuple(map(_expr_of, data[1:]))
        return Several(members, members[0].span.to(members[-1].span))
    span = Span(0, data[1], data[2])
    if tag == "name":
        return Name(data[3], span)
    if tag == "value":
        return Value(_scalar_of(data[3]), span)
    if tag == "call":
        return Call(data[3], tuple(map(_expr_of, data[4:])), span)
    if tag == "arrow":
        return Arrow(span)
    parts = (
        part if isinstance(part, str) else Interpolation(part[0], part[1], Span(0, *part[2:]))
        for part in data[3:]
    )
    return Text(tuple(parts), span)


_COUNTS: dict[str, type[Bytes | Rate | PrefixLength]] = {
    "bytes": Bytes,
    "rate": Rate,
    "length": PrefixLength,
}


def scalar_to_json(value: Scalar) -> Json:
    """A value of the language."""
    if type(value) in (int, str):
        return value  # type: ignore[return-value]
    if isinstance(value, Endpoint):
        return ["endpoint", _address(value.address), value.port]
    if isinstance(value, Duration):
        return ["duration", value.ms.numerator, value.ms.denominator]
    if isinstance(value, IntRange):
        return ["range", value.first, value.last]
    if isinstance(value, IPv4Interface | IPv6Interface):
        return ["interface", str(value)]
    if isinstance(value, IPv4Address | IPv6Address):
        return ["address", _address(value)]
    if isinstance(value, Bytes):
        return ["bytes", value.count]
    if isinstance(value, Rate):
        return ["rate", value.per_second]
    if isinstance(value, PrefixLength):
        return ["length", value.bits]
    raise TypeError(type(value).__name__)


def _scalar_of(data: Any) -> Scalar:  # noqa: ANN401 - JSON
    if not isinstance(data, list):
        return data  # type: ignore[no-any-return]
    tag, first = data[0], data[1]
    if tag == "endpoint":
        return Endpoint(ip_address(first), data[2])
    if tag == "duration":
        return Duration(Fraction(first, data[2]))
    if tag == "range":
        return IntRange(first, data[2])
    if tag == "interface":
        return ip_interface(first)
    return ip_address(first) if tag == "address" else _COUNTS[tag](first)
