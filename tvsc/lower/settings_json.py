"""The settings of a block to JSON and back: what a pool or a service says itself, and where.

    entry   [keyword, key, value, [part, ...], inner]
            [keyword, again, vips] of a setting that variables decide
    inner   null; of a setting with a block [entry, ...]
    again   [[name, value, ...], item, ...], to read it anew

In which two blocks differ that say the same stands beside it, in rows (`Rows`): blocks of one JSON
differ in nothing else. All places are in the text that the block stands in. TypeError for a value
that has no JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
from tvsc.dsl.values import (
    Bytes,
    Duration,
    Endpoint,
    IntRange,
    PrefixLength,
    Rate,
    Scalar,
    is_ipv4,
)
from tvsc.lower.evaluate import Env
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.nouns import Json
from tvsc.lower.reader import Reader
from tvsc.lower.schema import KINDS, Kind, Setting
from tvsc.lower.settings_service import AccessLine, FromFile, ListenLine
from tvsc.model import Protocol, StatusRange
from tvsc.source import Span

Values = Mapping[str, tuple[Scalar, Span]]

MOST_VIPS = 200
"""More IPv4 VIPs of a service are no rows."""


# --- rows ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Rows:
    """All places, one start and one end after the other; IPv4 VIPs as numbers, no two the same;
    names of pools. Each in the order in which reading the JSON asks for them.
    """

    places: list[int] = field(default_factory=list)
    vips: list[int] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)

    def place(self, span: Span) -> None:
        """One more place."""
        self.places += (span.start, span.end)


class Given:
    """Rows, asked for one by one."""

    __slots__ = ("_place", "pool", "vip")

    def __init__(self, places: Iterable[int], vips: Iterable[int], pools: Iterable[str]) -> None:
        self._place = iter(places).__next__
        self.vip = iter(vips).__next__
        self.pool = iter(pools).__next__

    def span(self) -> Span:
        """The next place."""
        return Span(0, self._place(), self._place())


@dataclass(frozen=True, slots=True)
class Again:
    """How to read a setting again, and the places in it. `vips`: as soon as they can be rows, they
    are to be.
    """

    says: Json
    places: list[int]
    vips: bool = False


# --- settings ----------------------------------------------------------------------------------


def from_fields(fields: Fields, rows: Rows, without: frozenset[str] = frozenset()) -> Json:
    """The JSON of a block's settings, less some keywords; fills the rows."""
    rows.place(fields.span)
    entries = fields.entries.values()
    return [_entry(e, rows) for e in entries if e.setting.keyword not in without]


def _entry(entry: Entry, rows: Rows) -> Json:
    if isinstance(entry.again, Again):
        rows.places += entry.again.places
        return [entry.setting.keyword, entry.again.says, entry.again.vips]
    rows.place(entry.span)
    for span in entry.parts.values():
        rows.place(span)
    value = _value(entry.value, rows)
    inner = None if entry.fields is None else from_fields(entry.fields, rows)
    return [entry.setting.keyword, entry.key, value, list(entry.parts), inner]


def _value(value: object, rows: Rows) -> Json:
    if isinstance(value, ListenLine):
        rows.pools.append(value.pool)
        return ["listen", value.protocol.value, value.port]
    if isinstance(value, AccessLine):
        if isinstance(value.sources, FromFile):
            rows.place(value.sources.span)
            return ["file", value.allow, value.sources.name]
        return ["access", value.allow, *map(str, value.sources)]
    if isinstance(value, tuple):
        return _tuple(value, rows)
    if type(value) in (bool, int, str):
        return value  # type: ignore[return-value]
    raise TypeError(type(value).__name__)


def _tuple(value: tuple[object, ...], rows: Rows) -> Json:
    if all(isinstance(member, StatusRange) for member in value):
        ranges: list[Json] = [[r.first, r.last] for r in value if isinstance(r, StatusRange)]
        return ["ranges", *ranges]
    addresses: list[object] = []
    for member in value:
        if not isinstance(member, tuple) or len(member) != 2:
            raise TypeError(type(member).__name__)
        address, span = member
        addresses.append(address)
        rows.place(span)
    if are_rows(addresses):
        rows.vips += map(int, cast("list[IPv4Address]", addresses))
        return ["vips", len(addresses)]
    return ["addresses", *map(_address, addresses)]


def are_rows(vips: Sequence[object]) -> bool:
    """Whether the VIPs of a service are kept in a row."""
    return len(vips) == len(set(vips)) <= MOST_VIPS and all(map(is_ipv4, vips))


def vips_of(entry: Entry) -> list[object]:
    """The addresses of a `vip`."""
    assert isinstance(entry.value, tuple)
    return [address for address, _ in entry.value]


def _address(value: object) -> Json:
    if isinstance(value, IPv4Interface | IPv6Interface):
        raise TypeError(type(value).__name__)
    if isinstance(value, IPv4Address):
        return int(value)
    if isinstance(value, IPv6Address):
        return str(value)
    raise TypeError(type(value).__name__)


def to_fields(data: Any, kind: Kind, values: Values, given: Given) -> Fields | None:  # noqa: ANN401 - JSON
    """The settings again; those that variables decide are read with these values. None when two
    are one then, or VIPs can be rows that could not. StatementError when one means nothing now.
    """
    fields = Fields(kind, given.span())
    for one in data:
        setting = kind.settings[one[0]]
        if len(one) == 3:
            entry = _again(one[1], setting, values, given)
            if one[2] and are_rows(vips_of(entry)):
                return None
        else:
            entry = _constant(one, setting, given)
            if one[4] is not None:
                assert setting.block is not None
                entry.fields = to_fields(one[4], KINDS[setting.block], values, given)
                if entry.fields is None:
                    return None
        if fields.entries.setdefault((setting.keyword, entry.key), entry) is not entry:
            return None
    return fields


def _constant(one: Any, setting: Setting, given: Given) -> Entry:  # noqa: ANN401 - JSON
    span = given.span()
    parts = {part: given.span() for part in one[3]}
    return Entry(setting, one[1], _value_of(one[2], given), span, parts, None)


def _value_of(data: Any, given: Given) -> object:  # noqa: ANN401 - JSON
    if not isinstance(data, list):
        return data
    tag = data[0]
    if tag == "listen":
        return ListenLine(Protocol(data[1]), data[2], given.pool())
    if tag == "file":
        return AccessLine(data[1], FromFile(data[2], given.span()))
    if tag == "access":
        return AccessLine(data[1], tuple(map(ip_network, data[2:])))
    if tag == "ranges":
        return tuple(StatusRange(first=first, last=last) for first, last in data[1:])
    if tag == "vips":
        return tuple((IPv4Address(given.vip()), given.span()) for _ in range(data[1]))
    return tuple((ip_address(address), given.span()) for address in data[1:])


# --- settings that variables decide -------------------------------------------------------------


def reading_again(items: Sequence[Expr], local: Values) -> Again:
    """How to read a setting again; `local` are the variables that stay what they are."""
    known: list[Json] = []
    for name, (value, _) in local.items():
        known += (name, scalar_to_json(value))
    rows = Rows()
    return Again([known, *(_expr(item, rows) for item in items)], rows.places)


def _again(data: Any, setting: Setting, values: Values, given: Given) -> Entry:  # noqa: ANN401 - JSON
    here = Span(0, 0, 0)
    known = data[0]
    local = {known[n]: (_scalar_of(known[n + 1]), here) for n in range(0, len(known), 2)}
    items = tuple(_expr_of(item, given) for item in data[1:])
    reader = Reader(items, Env(Env(None, dict(values)), local))
    reader.take("a setting")
    reader.begin(setting.keyword, setting.usage)
    value = setting.read(reader)
    assert reader.done()
    key = "" if setting.key is None else setting.key(value)
    return Entry(setting, key, value, reader.span, reader.parts, None)


def _expr(expr: Expr, rows: Rows) -> Json:
    if isinstance(expr, Binary):
        return ["binary", expr.operator, _expr(expr.left, rows), _expr(expr.right, rows)]
    if isinstance(expr, Several):
        return ["several", *(_expr(member, rows) for member in expr.members)]
    rows.place(expr.span)
    if isinstance(expr, Name):
        return ["name", expr.text]
    if isinstance(expr, Value):
        return ["value", scalar_to_json(expr.data)]
    if isinstance(expr, Call):
        return ["call", expr.function, *(_expr(argument, rows) for argument in expr.arguments)]
    if isinstance(expr, Arrow):
        return ["arrow"]
    parts: list[Json] = []
    for part in expr.parts:
        if isinstance(part, str):
            parts.append(part)
        else:
            rows.place(part.span)
            parts.append([part.name, part.width])
    return ["text", *parts]


def _expr_of(data: Any, given: Given) -> Expr:  # noqa: ANN401 - JSON
    tag = data[0]
    if tag == "binary":
        left, right = _expr_of(data[2], given), _expr_of(data[3], given)
        return Binary(data[1], left, right, left.span.to(right.span))
    if tag == "several":
        members = tuple(_expr_of(member, given) for member in data[1:])
        return Several(members, members[0].span.to(members[-1].span))
    span = given.span()
    if tag == "name":
        return Name(data[1], span)
    if tag == "value":
        return Value(_scalar_of(data[1]), span)
    if tag == "call":
        return Call(data[1], tuple(_expr_of(argument, given) for argument in data[2:]), span)
    if tag == "arrow":
        return Arrow(span)
    parts = (
        part if isinstance(part, str) else Interpolation(part[0], part[1], given.span())
        for part in data[1:]
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
