"""What an expression of the language can be: the typed values.

A plain number is `int` (or `Fraction`, when it was written with a point); text is `str`;
addresses are those of `ipaddress`. `10.0.0.0/8` is an `Interface` until a setting asks for a
prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import TypeGuard


@dataclass(frozen=True, slots=True)
class Duration:
    """A time in milliseconds."""

    ms: Fraction


@dataclass(frozen=True, slots=True)
class Bytes:
    """An amount of memory."""

    count: int


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second."""

    per_second: int


@dataclass(frozen=True, slots=True)
class PrefixLength:
    """`/24` alone."""

    bits: int


@dataclass(frozen=True, slots=True)
class IntRange:
    """`first..last` or `first-last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return max(0, self.last - self.first + 1)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address:port`."""

    address: IPv4Address | IPv6Address
    port: int


@dataclass(frozen=True, slots=True)
class Mac:
    """A MAC address, lower case with colons."""

    text: str


@dataclass(frozen=True, slots=True)
class Pci:
    """A PCI address with its domain, lower case."""

    text: str


Scalar = (
    int
    | Fraction
    | str
    | Duration
    | Bytes
    | Rate
    | PrefixLength
    | IntRange
    | Endpoint
    | Mac
    | Pci
    | IPv4Address
    | IPv6Address
    | IPv4Interface
    | IPv6Interface
    | IPv4Network
    | IPv6Network
)

_NAMES: tuple[tuple[type, str], ...] = (
    (Duration, "a duration"),
    (Bytes, "an amount of memory"),
    (Rate, "a rate"),
    (PrefixLength, "a prefix length"),
    (IntRange, "a range"),
    (Endpoint, "an address with a port"),
    (Mac, "a MAC address"),
    (Pci, "a PCI address"),
    (IPv4Interface, "an IPv4 prefix"),
    (IPv6Interface, "an IPv6 prefix"),
    (IPv4Network, "an IPv4 prefix"),
    (IPv6Network, "an IPv6 prefix"),
    (IPv4Address, "an IPv4 address"),
    (IPv6Address, "an IPv6 address"),
    (str, "text"),
    (int, "a number"),
    (Fraction, "a number with a fraction"),
)


def is_ipv4(value: object) -> TypeGuard[IPv4Address]:
    """An address alone: the interfaces of `ipaddress` are addresses too, with a prefix length."""
    return isinstance(value, IPv4Address) and not isinstance(value, IPv4Interface)


def is_ipv6(value: object) -> TypeGuard[IPv6Address]:
    """As `is_ipv4`."""
    return isinstance(value, IPv6Address) and not isinstance(value, IPv6Interface)


def is_address(value: object) -> TypeGuard[IPv4Address | IPv6Address]:
    """An address of either family, without a prefix length."""
    return is_ipv4(value) or is_ipv6(value)


def type_name(value: object) -> str:
    """`a duration`, `an address`: the value's type in the operator's words."""
    return next((name for cls, name in _NAMES if isinstance(value, cls)), "a value")
