"""The node plan as JSON: for people, for tests and for tools that do not read Python.

`format_version` changes whenever a reader of the old form would go wrong. 64-bit numbers are hex
texts, because JSON's numbers would lose bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from operator import attrgetter

from pydantic import BaseModel

from tvsc.plan.types import FORMAT_VERSION, NodePlan

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_HEX_64 = {"sync_contract", "record_schema"}
_NUMBERS_PER_LINE = 32
_ROW_COLUMNS = 160

_quote = json.encoder.encode_basestring


@cache
def _keys(kind: type) -> tuple[tuple[str, str], ...] | None:
    """(field, `"field": `) of a dataclass or model; None for anything else."""
    names: Iterable[str]
    if is_dataclass(kind):
        names = [field.name for field in fields(kind)]
    elif issubclass(kind, BaseModel):
        names = kind.model_fields
    else:
        return None
    return tuple((name, f"{_quote(name)}: ") for name in names)


def _address(value: IPv4Address) -> str:
    a, b, c, d = value.packed
    return f'"{a}.{b}.{c}.{d}"'


def _enum(value: Enum) -> str:
    return _quote(str(value.value))


def _hex(value: int) -> str:
    return f'"{value:#018x}"'


_SCALARS: dict[type, Callable[..., str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: str,
    float: repr,
    str: _quote,
    bytes: lambda value: f'"{value.hex()}"',
    IPv4Address: _address,
    IPv4Network: lambda value: f'"{value}"',
    IPv4Interface: lambda value: f'"{value}"',
}


@cache
def _writer(kind: type) -> Callable[..., str] | None:
    """What writes values of a type that has no parts; None for any other type."""
    return _SCALARS.get(kind) or (_enum if issubclass(kind, Enum) else None)


def _is_scalar(value: object) -> bool:
    kind: type = type(value)
    return _writer(kind) is not None


@cache
def _flat(kind: type) -> tuple[Callable[[object], tuple[object, ...]], tuple[str, ...]] | None:
    """How to take the fields of a class and what stands before each; None where a row of them may
    not do: fewer than two, or a 64-bit number among them.
    """
    keys = _keys(kind)
    if keys is None or len(keys) < 2 or any(name in _HEX_64 for name, _ in keys):
        return None
    return attrgetter(*(name for name, _ in keys)), tuple(key for _, key in keys)


def _row(value: object) -> str | None:
    """An object on one line; None when it has parts or the line would be too long.

    Large sites have hundreds of thousands of these: this is the compiler's innermost loop.
    """
    kind: type = type(value)
    flat = _flat(kind)
    if flat is None:
        return None
    take, keys = flat
    parts = []
    for key, item in zip(keys, take(value), strict=True):
        part: type = type(item)
        write = _writer(part)
        if write is None:
            return None
        parts.append(key + write(item))
    row = "{" + ", ".join(parts) + "}"
    return row if len(row) <= _ROW_COLUMNS else None


def _text(value: object, indent: str, name: str = "") -> str:
    """JSON; a row of values without parts is one line, so that differences read well."""
    if name in _HEX_64:
        assert isinstance(value, int)
        return _hex(value)
    kind: type = type(value)
    write = _writer(kind)
    if write is not None:
        return write(value)
    if isinstance(value, tuple):
        return _list(value, indent)
    row = _row(value)
    if row is not None:
        return row
    keys = _keys(kind)
    if keys is None:
        raise TypeError(kind.__name__)
    deeper = indent + "  "
    scalar = all(_is_scalar(getattr(value, name)) for name, _ in keys)
    rows = [key + _text(getattr(value, name), deeper, name) for name, key in keys]
    if scalar and sum(map(len, rows)) + 2 * len(rows) <= _ROW_COLUMNS:
        return "{" + ", ".join(rows) + "}"
    return _block("{", rows, "}", indent)


def _list(value: tuple[object, ...], indent: str) -> str:
    deeper = indent + "  "
    parts = [_text(item, deeper) for item in value]
    if len(parts) > _NUMBERS_PER_LINE and all(type(item) is int for item in value):
        lines = [
            ", ".join(parts[at : at + _NUMBERS_PER_LINE])
            for at in range(0, len(parts), _NUMBERS_PER_LINE)
        ]
        return _block("[", lines, "]", indent)
    if all(_is_scalar(item) for item in value):
        return f"[{', '.join(parts)}]"
    return _block("[", parts, "]", indent)


def _block(opening: str, rows: list[str], closing: str, indent: str) -> str:
    inner = f",\n{indent}  ".join(rows)
    return f"{opening}\n{indent}  {inner}\n{indent}{closing}"


_SHARED = {"classes", "pools", "services", "access", "vips"}
"""Fields of a node's plan that are the same object in the plans of all nodes."""


class PlanWriter:
    """Writes plans, and remembers the text of what they share."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[object, str]] = {}

    def shared(self, value: object, indent: str = "  ") -> str:
        """The JSON of a part, the same for the same object."""
        known = self._known.get((id(value), indent))
        if known is None:
            known = value, _text(value, indent)  # keeps the object, and so its identity, alive
            self._known[id(value), indent] = known
        return known[1]

    def text(self, plan: NodePlan) -> str:
        """The text of `plan.json`."""
        rows = [f'"format_version": {FORMAT_VERSION}']
        for field in fields(plan):
            name, value = field.name, getattr(plan, field.name)
            if name in _SHARED:
                text = self.shared(value)
            elif name == "routes" and value:
                text = _block("[", [self.shared(route, "    ") for route in value], "]", "  ")
            else:
                text = _text(value, "  ", name)
            rows.append(f"{_quote(name)}: {text}")
        return _block("{", rows, "}", "") + "\n"


def plan_json(plan: NodePlan) -> str:
    """The text of `plan.json`."""
    return PlanWriter().text(plan)


def plan_object(plan: NodePlan) -> dict[str, Json]:
    """The plan as plain values."""
    plain: dict[str, Json] = json.loads(plan_json(plan))
    return plain
