"""The node plan as JSON: for people, for tests and for tools that do not read Python.

`format_version` changes whenever a reader of the old form would go wrong. 64-bit numbers are hex
texts, because JSON's numbers would lose bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

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


@lru_cache(maxsize=1 << 16)
def _address(value: IPv4Address | IPv4Network | IPv4Interface) -> str:
    return f'"{value}"'


_SCALARS: dict[type, Callable[..., str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: str,
    float: repr,
    str: _quote,
    bytes: lambda value: f'"{value.hex()}"',
    IPv4Address: _address,
    IPv4Network: _address,
    IPv4Interface: _address,
}


def _scalar(value: object, name: str = "") -> str | None:
    """The text of a value without parts, else None."""
    if name in _HEX_64:
        return f'"{value:#018x}"'
    write = _SCALARS.get(type(value))
    if write is not None:
        return write(value)
    return _quote(str(value.value)) if isinstance(value, Enum) else None


def _text(value: object, indent: str, name: str = "") -> str:
    """JSON; a row of values without parts is one line, so that differences read well."""
    scalar = _scalar(value, name)
    if scalar is not None:
        return scalar
    deeper = indent + "  "
    if isinstance(value, tuple):
        parts = [_text(item, deeper) for item in value]
        if all(type(item) is int for item in value) and len(parts) > _NUMBERS_PER_LINE:
            lines = [
                ", ".join(parts[at : at + _NUMBERS_PER_LINE])
                for at in range(0, len(parts), _NUMBERS_PER_LINE)
            ]
            return _block("[", lines, "]", indent)
        flat = all(_scalar(item) is not None for item in value)
        return f"[{', '.join(parts)}]" if flat else _block("[", parts, "]", indent)
    kind: type = type(value)
    keys = _keys(kind)
    if keys is None:
        raise TypeError(kind.__name__)
    scalars = [(key, _scalar(getattr(value, name), name)) for name, key in keys]
    if all(text is not None for _, text in scalars):
        row = "{" + ", ".join(f"{key}{text}" for key, text in scalars) + "}"
        if len(row) <= _ROW_COLUMNS:
            return row
    rows = [
        key + (_text(getattr(value, name), deeper) if text is None else text)
        for (name, key), (_, text) in zip(keys, scalars, strict=True)
    ]
    return _block("{", rows, "}", indent)


def _block(opening: str, rows: list[str], closing: str, indent: str) -> str:
    inner = f",\n{indent}  ".join(rows)
    return f"{opening}\n{indent}  {inner}\n{indent}{closing}"


def json_text(value: object) -> str:
    """The JSON of any part of a plan."""
    return _text(value, "")


def plan_json(plan: NodePlan) -> str:
    """The text of `plan.json`."""
    body = _text(plan, "")
    return f'{{\n  "format_version": {FORMAT_VERSION},\n  {body[1:].lstrip()}\n'


def plan_object(plan: NodePlan) -> dict[str, Json]:
    """The plan as plain values."""
    plain: dict[str, Json] = json.loads(plan_json(plan))
    return plain
