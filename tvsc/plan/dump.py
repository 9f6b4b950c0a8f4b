"""The node plan as JSON: for people, for tests and for tools that do not read Python.

`format_version` changes whenever a reader of the old form would go wrong.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from pydantic import BaseModel

from tvsc.plan.types import FORMAT_VERSION, NodePlan

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_HEX_64 = {"sync_contract", "record_schema"}


def _plain(value: object) -> Json:
    match value:
        case Enum():
            return str(value.value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return value.hex()
        case IPv4Address() | IPv4Network() | IPv4Interface():
            return str(value)
        case tuple():
            return [_plain(item) for item in value]
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if is_dataclass(value):
        return {
            f.name: f"{getattr(value, f.name):#018x}"
            if f.name in _HEX_64
            else _plain(getattr(value, f.name))
            for f in fields(value)
        }
    raise TypeError(type(value).__name__)


def plan_object(plan: NodePlan) -> dict[str, Json]:
    """The plan as plain values; 64-bit numbers are hex texts, because JSON's would lose bits."""
    plain = _plain(plan)
    assert isinstance(plain, dict)
    return {"format_version": FORMAT_VERSION, **plain}


def _render(value: Json, indent: str) -> str:
    """Rows of tables stay on one line each, so that a difference of plans reads well."""
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    flat = json.dumps(value, ensure_ascii=False)
    if indent and len(indent) + len(flat) <= 140 and "{" not in flat[1:]:
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        rows = [f"{deeper}{json.dumps(k)}: {_render(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if all(isinstance(item, int) for item in value):
        texts = [str(item) for item in value]
        rows = [deeper + ", ".join(texts[at : at + 32]) for at in range(0, len(texts), 32)]
    else:
        rows = [f"{deeper}{_render(item, deeper)}" for item in value]
    return "[\n" + ",\n".join(rows) + f"\n{indent}]"


def plan_json(plan: NodePlan) -> str:
    """The text of `plan.json`."""
    return _render(plan_object(plan), "") + "\n"
