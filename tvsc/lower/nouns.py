"""Pools and services to JSON arrays and back, fast: what is kept of blocks that were read before.

A noun is `[number of its class, field, field ...]`, in the order of the class's fields; everything
else is what JSON has, or text. What is read back is not validated again: the store vouches for it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from tvsc.model import (
    AccessRule,
    HttpCheck,
    Limits,
    Listener,
    Load,
    Pool,
    Server,
    Service,
    StatusRange,
    TcpCheck,
    Timeouts,
    Vip,
    known_server,
)
from tvsc.model.base import Model, assembled

Json = None | bool | int | str | list["Json"]

CLASSES: tuple[type[Model], ...] = (
    Pool,
    Server,
    TcpCheck,
    HttpCheck,
    StatusRange,
    Service,
    Vip,
    Listener,
    Timeouts,
    Limits,
    AccessRule,
    Load,
)
_NUMBER = {cls: number for number, cls in enumerate(CLASSES)}
POOL = _NUMBER[Pool]
"""The number of pools."""


_FIELDS = {cls: tuple(cls.model_fields) for cls in CLASSES}
_PLAIN = frozenset({type(None), bool, int, str})


def to_json(value: object) -> Json:
    """The JSON of a noun or of one of its fields. TypeError for what no noun holds."""
    kind = type(value)
    if kind in _PLAIN:
        return cast("Json", value)
    if kind in _FIELDS:
        return fields_to_json(cast("Model", value), len(_FIELDS[kind]))
    if isinstance(value, tuple):
        return [to_json(member) for member in value]
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, IPv4Address):
        return int(value)
    if isinstance(value, IPv6Address | IPv4Network | IPv6Network):
        return str(value)
    raise TypeError(f"{kind.__name__} is in no pool and no service")


def fields_to_json(value: Model, count: int) -> list[Json]:
    """As `to_json`, of the first `count` fields alone."""
    made: list[Json] = [_NUMBER[type(value)]]
    held = value.__dict__
    for name in _FIELDS[type(value)][:count]:
        field = held[name]
        made.append(field if type(field) in _PLAIN else to_json(field))
    return made


# The values of decoders are as varied as the fields are.
_Decode = Callable[[Any], Any]


def noun(data: list[Json]) -> Model:
    """The noun that `to_json` wrote."""
    return cast("Model", _decoder(cast("int", data[0]))(data))


@cache
def _decoder(number: int) -> _Decode:
    """Builds the reader of one class once: a hundred thousand servers go through it."""
    cls = CLASSES[number]
    names = tuple(cls.model_fields)
    hints = get_type_hints(cls)
    special = tuple((name, decode) for name in names if (decode := _field(hints[name])) is not None)
    given = set(names)

    def decode_noun(data: list[Json]) -> Model:
        fields: dict[str, Any] = dict(zip(names, data[1:], strict=True))
        for name, decode in special:
            fields[name] = decode(fields[name])
        return assembled(cls, fields, given)

    return decode_noun


def servers(rows: list[list[Any]]) -> tuple[Server, ...]:
    """The servers of a pool: as `noun`, and twice as fast."""
    return tuple(
        [
            known_server(
                at,
                IPv4Address(address) if type(address) is int else IPv6Address(address),
                port,
                weight,
                drain,
            )
            for _, at, address, port, weight, drain in rows
        ]
    )


def _any_noun(data: list[Json] | None) -> Model | None:
    return None if data is None else noun(data)


def _address(data: int | str) -> IPv4Address | IPv6Address:
    return IPv4Address(data) if isinstance(data, int) else IPv6Address(data)


def _field(hint: Any) -> _Decode | None:  # noqa: ANN401 - a type, of whatever kind
    """How a field of this type is read back; None when JSON has the value itself."""
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint)[0])
    options = [o for o in get_args(hint) if o is not type(None)] if _is_union(hint) else [hint]
    classes = [o for o in options if isinstance(o, type)]
    if any(issubclass(c, Model) for c in classes):
        return _any_noun
    if IPv4Address in classes:
        return _address
    if IPv4Network in classes:
        return ip_network
    enum = next((c for c in classes if issubclass(c, Enum)), None)
    return None if enum is None else {member.value: member for member in enum}.__getitem__


def _status_range(data: list[int]) -> StatusRange:
    return _status_range_of(*data[1:])


@cache
def _status_range_of(first: int, last: int) -> StatusRange:
    return StatusRange(first=first, last=last)


def _is_union(hint: object) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _tuple(member: Any) -> _Decode:  # noqa: ANN401 - as `_field`
    decode = _field(member)
    if decode is None:
        return tuple
    if member is Server:
        return servers
    if member is StatusRange:  # the same in most pools
        decode = _status_range
    elif isinstance(member, type) and issubclass(member, Model):
        decode = _decoder(_NUMBER[member])
    inner = decode
    return lambda data: tuple(map(inner, data))
