"""Literals: the text of one token to its typed value, or an error in the operator's words."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from difflib import get_close_matches
from fractions import Fraction

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl import limits
from tvsc.dsl.ast import Interpolation, Text
from tvsc.dsl.values import (
    Bytes,
    Duration,
    Endpoint,
    IntRange,
    Mac,
    Pci,
    PrefixLength,
    Rate,
    Scalar,
)
from tvsc.source import Span

MAX_PCI_DEVICE = 0x1F

MS = {
    "us": Fraction(1, 1000),
    "ms": Fraction(1),
    "s": Fraction(1000),
    "m": Fraction(60_000),
    "h": Fraction(3_600_000),
    "d": Fraction(86_400_000),
}
COUNT = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]*)", re.ASCII)


class LiteralError(Exception):
    """What is wrong with a literal, and perhaps what to write instead."""

    def __init__(self, message: str, help_: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help_


def _integer(text: str) -> int:
    if len(text) > limits.NUMBER_CHARACTERS:
        raise LiteralError(f"a number has at most {limits.NUMBER_CHARACTERS} digits")
    return int(text)


def number(text: str) -> Scalar:
    """`8`, `1.5`, `1M`, `300ms`, `2GiB`."""
    match = _NUMBER.fullmatch(text)
    assert match is not None
    digits, unit = match.groups()
    if len(digits) > limits.NUMBER_CHARACTERS:
        raise LiteralError(f"a number has at most {limits.NUMBER_CHARACTERS} digits")
    if not unit and "." not in digits:
        return int(digits)
    amount = Fraction(digits)
    if unit in COUNT:
        count = amount * COUNT[unit]
        return count.numerator if count.denominator == 1 else count
    if unit in MS:
        return Duration(amount * MS[unit])
    if unit in BYTES:
        return Bytes(int(amount * BYTES[unit]))
    units = [*MS, *COUNT, *BYTES]
    same = [known for known in units if known.lower() == unit.lower()]
    close = same or get_close_matches(unit, units, n=1, cutoff=0.5)
    known = (
        "durations have us, ms, s, m, h, d; counts k, M, G; memory KiB, MiB, GiB; a name that"
        " begins with a digit is written in quotes"
    )
    raise LiteralError(
        f"`{unit}` is no unit", f"did you mean `{digits}{close[0]}`?" if close else known
    )


def _bad_number(text: str) -> Scalar:
    raise LiteralError(f"`{text}` is no number, address, duration or other value")


def _rate(text: str) -> Scalar:
    value = number(text[:-2])
    assert isinstance(value, int)
    return Rate(value)


def _cores(text: str) -> Scalar:
    first, _, last = text.partition("-")
    return IntRange(_integer(first), _integer(last))


def _length(text: str) -> Scalar:
    bits = _integer(text[1:])
    if bits > 128:
        raise LiteralError(f"`{text}` is longer than any address")
    return PrefixLength(bits)


def port_number(text: str) -> int:
    """A port from its digits."""
    port = int(text) if len(text) <= 5 else 0
    if not 1 <= port <= 65535:
        raise LiteralError(f"`{text}` is no port: ports are 1 to 65535")
    return port


def _ipv4(text: str) -> Scalar:
    try:
        if "/" in text:
            return ipaddress.IPv4Interface(text)
        address, colon, port = text.partition(":")
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        what = "IPv4 prefix" if "/" in text else "IPv4 address"
        raise LiteralError(f"`{text.partition(':')[0]}` is no {what}") from None
    return Endpoint(parsed, port_number(port)) if colon else parsed


def _ipv6(text: str) -> Scalar:
    try:
        return ipaddress.IPv6Interface(text) if "/" in text else ipaddress.IPv6Address(text)
    except ValueError:
        what = "prefix" if "/" in text else "address"
        raise LiteralError(f"`{text}` is no IPv6 {what}, MAC or PCI address") from None


def _endpoint6(text: str) -> Scalar:
    address, _, port = text.rpartition(":")
    try:
        parsed = ipaddress.IPv6Address(address[1:-1])
    except ValueError:
        raise LiteralError(f"`{address[1:-1]}` is no IPv6 address") from None
    return Endpoint(parsed, port_number(port))


def _pci(text: str) -> Scalar:
    text = text.lower()
    device = text[-4:-2]
    if int(device, 16) > MAX_PCI_DEVICE:
        raise LiteralError(f"`{text}` is no PCI address: a bus has devices 00 to 1f, not {device}")
    return Pci(text if text.count(":") == 2 else f"0000:{text}")


def _mac(text: str) -> Scalar:
    return Mac(text.lower())


LITERALS: dict[str, Callable[[str], Scalar]] = {
    "number": number,
    "badnumber": _bad_number,
    "rate": _rate,
    "cores": _cores,
    "length": _length,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "endpoint6": _endpoint6,
    "pci": _pci,
    "mac": _mac,
}

_PIECE = re.compile(
    r"(?P<plain>[^\\{}]+)|(?P<escape>\\.)|(?P<brace>\{\{|\}\})"
    r"|\{(?P<name>[A-Za-z_]\w*(?:-\w+)*)(?::0?(?P<width>\d))?\}|(?P<hole>\{[^{}\\]*\})|(?P<bad>[{}])",
    re.ASCII,
)
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


def parse_text(text: str, span: Span) -> tuple[Text, list[Diagnostic]]:
    """A quoted text to its parts. `{name}` inserts a variable, `{{` is a brace."""
    parts: list[str | Interpolation] = []
    problems: list[Diagnostic] = []
    if len(text) > limits.TEXT_CHARACTERS:
        message = f"a text has at most {limits.TEXT_CHARACTERS} characters"
        return Text(("",), span), [Diagnostic(codes.BAD_LITERAL, message, span)]
    for match in _PIECE.finditer(text, 1, len(text) - 1):
        kind, piece = match.lastgroup, match.group()
        here = Span(span.file, span.start + match.start(), span.start + match.end())
        if kind in ("name", "width"):
            parts.append(Interpolation(match["name"], int(match["width"] or 0), here))
        elif kind == "plain":
            parts.append(piece)
        elif kind == "brace":
            parts.append(piece[0])
        elif kind == "escape" and piece[1] in _ESCAPES:
            parts.append(_ESCAPES[piece[1]])
        elif kind == "escape":
            problems.append(
                Diagnostic(
                    codes.BAD_LITERAL, f"`{piece}` is no escape", here, help="write `\\\\` for `\\`"
                )
            )
        elif kind == "hole":
            problems.append(
                Diagnostic(
                    codes.BAD_LITERAL,
                    "braces in a text hold the name of a variable",
                    here,
                    help="write `{name}`, `{name:03}` for up to 9 digits, or `{{` for a brace",
                )
            )
        else:
            problems.append(
                Diagnostic(
                    codes.BAD_LITERAL,
                    f"`{piece}` in a text must enclose a variable's name",
                    here,
                    help=f"write `{piece}{piece}` for the character itself",
                )
            )
    return Text(tuple(parts), span), problems
