"""The items of a line, taken one by one by the settings that understand them.

Every method either returns a typed value or fails with a message that names the setting, what it
wants and what it found. `parts` collects the spans of named values, for the origin table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from fractions import Fraction
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import NoReturn, TypeVar

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl import limits
from tvsc.dsl.ast import Arrow, Binary, Expr, Name, Several, Text, Value
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
    is_address,
    is_ipv4,
    is_ipv6,
    type_name,
)
from tvsc.lower.evaluate import (
    Env,
    StatementError,
    did_you_mean,
    evaluate,
    fail,
    text_of,
)
from tvsc.model import Secret, SecretSource
from tvsc.source import Span

T = TypeVar("T")

MAX_MS = 7 * 86_400_000
_NAME_MAX, _PATH_MAX = 255, 4095 - len("/etc/tvs/")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?", re.ASCII)


def _no_file(path: str) -> str:
    """Why no file can have this path on a node (Linux; it begins at /etc/tvs), or nothing."""
    if path.rpartition("/")[2] in ("", ".", ".."):
        return f"{_shown(path)} is not the path of a file"
    raw = path.encode()
    if max(map(len, raw.split(b"/"))) > _NAME_MAX:
        return f"a name in a path has at most {_NAME_MAX} bytes"
    if len(raw) > _PATH_MAX:
        return f"a path has at most {_PATH_MAX} bytes"
    return ""


def _no_variable(name: str) -> str:
    """Why no variable of the environment can have this name, or nothing; what is none may be the
    secret itself, and may come from a variable, so it is not said.
    """
    return "" if _VARIABLE.fullmatch(name) else "this is not the name of an environment variable"


def _shown(text: str) -> str:
    return f"`{text}`" if text else "an empty text"


def subtracted(item: Expr) -> str:
    """The word before a minus: who writes `vlan -1` means a value, and it reads as a difference."""
    if isinstance(item, Binary) and item.operator == "-" and isinstance(item.left, Name):
        return item.left.text
    return ""


class Reader:
    """A cursor over the items of one line."""

    def __init__(self, items: Sequence[Expr], env: Env) -> None:
        self.items = items
        self.env = env
        self.at = 0
        self.setting = ""
        self.usage = ""
        self.start = Span(0, 0, 0)
        self.parts: dict[str, Span] = {}

    # --- moving ---------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether the line is used up."""
        return self.at >= len(self.items)

    def begin(self, setting: str, usage: str) -> None:
        """The keyword just taken starts a setting."""
        self.setting = setting
        self.usage = usage
        self.start = self.last
        self.parts = {}

    def skip_to(self, words: Container[str]) -> bool:
        """After a mistake: go on with the next item that is one of these words, if there is one."""
        while not self.done():
            word = self.peek_word()
            if word is not None and word in words:
                return True
            self.at += 1
        return False

    @property
    def last(self) -> Span:
        """The item taken last."""
        return self.items[self.at - 1].span

    @property
    def span(self) -> Span:
        """The setting so far, keyword included."""
        return self.start.to(self.last)

    def take(self, what: str) -> Expr:
        """The next item; `what` is said when there is none."""
        if self.done():
            fail(
                codes.MISSING_VALUE,
                f"`{self.setting}` needs {what}",
                self.span,
                f"write `{self.usage}`",
            )
        self.at += 1
        return self.items[self.at - 1]

    def peek_word(self) -> str | None:
        """The next item when it is a bare word."""
        item = None if self.done() else self.items[self.at]
        return item.text if isinstance(item, Name) else None

    def optional(self, word: str) -> bool:
        """Take the next item when it is this word."""
        if self.peek_word() != word:
            return False
        self.at += 1
        return True

    def mark(self, part: str, span: Span) -> None:
        """Remember where a part of the setting was written."""
        self.parts[part] = span

    # --- words and names --------------------------------------------------------------------

    def literal(self, word: str) -> None:
        """This very word must come next."""
        if self.optional(word):
            return
        item = self.take(f"`{word}`")
        fail(
            codes.UNKNOWN_WORD,
            f"`{self.setting}` wants `{word}` here",
            item.span,
            f"write `{self.usage}`",
        )

    def word(self, choices: Sequence[str]) -> str:
        """One of some words."""
        item = self.take(_one_of(choices))
        text = item.text if isinstance(item, Name) else None
        if text is None or text not in choices:
            fail(
                codes.UNKNOWN_WORD,
                f"`{self.setting}` is {_one_of(choices)}, not {f'`{text}`' if text else 'this'}",
                item.span,
                did_you_mean(text, list(choices)) if text else None,
            )
        return text

    def name(self, what: str) -> str:
        """A name: bare, or quoted with variables in it."""
        item = self.take(what)
        if isinstance(item, Name):
            name = item.text
            if len(name) <= limits.NAME_CHARACTERS:
                return name
        elif isinstance(item, Text):
            name = text_of(item, self.env)
        else:
            digit = isinstance(item, Value)
            help_ = "a name that begins with a digit is written in quotes" if digit else None
            fail(codes.WRONG_TYPE, f"`{self.setting}` needs {what} here", item.span, help_)
        if not NAME.fullmatch(name):
            fail(
                codes.BAD_NAME,
                f"`{name}` is no name",
                item.span,
                "a name has 1 to 64 letters, digits, `_`, `-` and `.`, and neither `-` nor `.`"
                " at its ends",
            )
        return name

    def arrow(self) -> None:
        """`->` must come next."""
        item = self.take("`->`")
        if not isinstance(item, Arrow):
            fail(
                codes.UNKNOWN_WORD,
                f"`{self.setting}` wants `->` here",
                item.span,
                f"write `{self.usage}`",
            )

    # --- values -----------------------------------------------------------------------------

    def _value(self, what: str) -> tuple[Scalar, Span]:
        item = self.take(what)
        return evaluate(item, self.env), item.span

    def _no_unit(self, what: str, value: int, unit: str, span: Span) -> NoReturn:
        fail(
            codes.MISSING_UNIT,
            f"`{self.setting}` needs {what} with its unit, not the number {value}",
            span,
            f"write `{value}{unit}`, if that is meant",
        )

    def _wrong(self, what: str, value: Scalar, span: Span) -> NoReturn:
        fail(codes.WRONG_TYPE, f"`{self.setting}` needs {what}, not {type_name(value)}", span)

    def number(self, low: int, high: int, what: str = "") -> int:
        """A whole number within limits, both included; `what` names it when it has a name."""
        value, span = self._value("a number")
        return self._bounded(value, span, low, high, what)

    def _bounded(self, value: Scalar, span: Span, low: int, high: int, what: str = "") -> int:
        if not isinstance(value, int):
            if what:
                fail(codes.WRONG_TYPE, f"{what} is a number, not {type_name(value)}", span)
            self._wrong("a number", value, span)
        if not low <= value <= high:
            fail(
                codes.OUT_OF_RANGE,
                f"{what or f'`{self.setting}`'} is {low} to {high}, not {value}",
                span,
            )
        return value

    def duration(self, low_ms: int = 1, high_ms: int = MAX_MS, step_ms: int = 1) -> int:
        """A duration in whole steps, within limits."""
        value, span = self._value("a duration")
        if not isinstance(value, Duration):
            if isinstance(value, int):
                self._no_unit("a duration", value, "s", span)
            self._wrong("a duration", value, span)
        if value.ms % step_ms or not low_ms <= value.ms <= high_ms:
            fail(
                codes.OUT_OF_RANGE,
                f"`{self.setting}` is {show_ms(low_ms)} to {show_ms(high_ms)} in steps of"
                f" {show_ms(step_ms)}, not {show_ms(value.ms)}",
                span,
            )
        return value.ms.numerator

    def memory(self, low: int, high: int, unit: str = "MiB") -> int:
        """An amount of memory in bytes, within limits; `unit` is the likely one."""
        value, span = self._value("an amount of memory")
        if not isinstance(value, Bytes):
            if isinstance(value, int):
                self._no_unit("an amount of memory", value, unit, span)
            self._wrong("an amount of memory", value, span)
        return self._bounded(value.count, span, low, high)

    def rate(self, high: int) -> int:
        """So many a second."""
        value, span = self._value("a rate")
        if not isinstance(value, Rate):
            if isinstance(value, int):
                self._no_unit("a rate", value, "/s", span)
            self._wrong("a rate", value, span)
        return self._bounded(value.per_second, span, 1, high)

    def text(self, what: str = "a quoted text") -> str:
        """A text."""
        value, span = self._value(what)
        if not isinstance(value, str):
            self._wrong(what, value, span)
        if not value.isprintable():
            fail(codes.BAD_LITERAL, f"`{self.setting}` cannot hold control characters", span)
        return value

    def address(self) -> IPv4Address | IPv6Address:
        """An address of either family."""
        value, span = self._value("an address")
        return self.as_address(value, span)

    def as_address(self, value: Scalar, span: Span) -> IPv4Address | IPv6Address:
        """A value that must be an address."""
        if not is_address(value):
            self._wrong("an address", value, span)
        return value

    def ipv4(self) -> IPv4Address:
        """An IPv4 address."""
        value, span = self._value("an IPv4 address")
        if not is_ipv4(value):
            self._wrong("an IPv4 address", value, span)
        return value

    def ipv6(self) -> IPv6Address:
        """An IPv6 address."""
        value, span = self._value("an IPv6 address")
        if not is_ipv6(value):
            self._wrong("an IPv6 address", value, span)
        return value

    def interface4(self) -> IPv4Interface:
        """An IPv4 address with its prefix length."""
        value, span = self._value("an IPv4 address with its prefix length")
        if not isinstance(value, IPv4Interface):
            self._no_length(value, span, "IPv4")
        return value

    def interface6(self) -> IPv6Interface:
        """An IPv6 address with its prefix length."""
        value, span = self._value("an IPv6 address with its prefix length")
        if not isinstance(value, IPv6Interface):
            self._no_length(value, span, "IPv6")
        return value

    def _no_length(self, value: Scalar, span: Span, family: str) -> NoReturn:
        if is_ipv4(value) if family == "IPv4" else is_ipv6(value):
            length = 24 if family == "IPv4" else 64
            fail(
                codes.MISSING_UNIT,
                f"`{self.setting}` needs the address with its prefix length",
                span,
                f"write `{value}/{length}`, if that is the network's",
            )
        self._wrong(f"an {family} address with its prefix length", value, span)

    def prefix(self) -> IPv4Network | IPv6Network:
        """A prefix without host bits."""
        value, span = self._value("a prefix")
        return self.as_prefix(value, span)

    def as_prefix(self, value: Scalar, span: Span) -> IPv4Network | IPv6Network:
        """A value that must be a prefix; a single address is one of full length."""
        if is_ipv4(value):
            return IPv4Network((int(value), 32))  # much faster than of the address itself
        if is_ipv6(value):
            return IPv6Network((int(value), 128))
        if not isinstance(value, IPv4Interface | IPv6Interface):
            self._wrong("a prefix", value, span)
        if value.ip != value.network.network_address:
            fail(
                codes.BAD_PREFIX,
                f"`{value}` has bits set after its length",
                span,
                f"write `{value.network}`",
            )
        return value.network

    def prefix_length(self, low: int, high: int) -> int:
        """`/24`."""
        value, span = self._value("a prefix length")
        if not isinstance(value, PrefixLength):
            self._wrong("a prefix length like `/24`", value, span)
        return self._bounded(value.bits, span, low, high)

    def endpoint(self) -> Endpoint:
        """`address:port`."""
        value, span = self._value("an address with its port")
        if not isinstance(value, Endpoint):
            if is_address(value):
                fail(
                    codes.MISSING_UNIT,
                    f"`{self.setting}` needs the address with its port",
                    span,
                    f"write `{value}:80`" if value.version == 4 else f"write `[{value}]:80`",
                )
            self._wrong("an address with its port", value, span)
        return value

    def mac(self) -> str:
        """A MAC address of one station."""
        value, span = self._value("a MAC address")
        if not isinstance(value, Mac):
            self._wrong("a MAC address", value, span)
        if int(value.text[:2], 16) & 1 or value.text == "00:00:00:00:00:00":
            fail(codes.OUT_OF_RANGE, f"`{value.text}` is not the address of one station", span)
        return value.text

    def pci(self) -> str:
        """A PCI address with its domain."""
        value, span = self._value("a PCI address")
        if not isinstance(value, Pci):
            self._wrong("a PCI address like `0000:3b:00.0`", value, span)
        return value.text

    def secret(self) -> Secret:
        """`file "PATH"` or `env "NAME"`."""
        words = [source.value for source in SecretSource]
        if not self.done() and self.peek_word() not in words:
            self._no_reference(self.items[self.at])
        source = SecretSource(self.word(words))
        name = self.text()
        wrong = _no_file(name) if source is SecretSource.FILE else _no_variable(name)
        if wrong:
            fail(codes.BAD_NAME, wrong, self.last)
        return Secret(source=source, name=name)

    def _no_reference(self, item: Expr) -> NoReturn:
        """What stands in the place of a reference may be the secret itself: nobody repeats it."""
        raise StatementError(
            Diagnostic(
                codes.UNKNOWN_WORD,
                f"`{self.setting}` names the place of a secret, and a site never holds one",
                item.span,
                help=f'write `{self.setting} file "PATH"` or `{self.setting} env "NAME"`; if this'
                " was the secret itself, it is known now: change it",
                secret=True,
            )
        )

    def ranges(self, low: int, high: int) -> tuple[IntRange, ...]:
        """Numbers and ranges, comma-separated, each within limits."""

        def one(value: Scalar, span: Span) -> IntRange:
            if isinstance(value, int):
                value = IntRange(value, value)
            if not isinstance(value, IntRange):
                self._wrong("numbers and ranges", value, span)
            if value.last < value.first:
                fail(
                    codes.RANGE_BACKWARDS,
                    f"the range {value.first}-{value.last} ends before it starts",
                    span,
                )
            self._bounded(value.first, span, low, high)
            self._bounded(value.last, span, low, high)
            return value

        return self.several("numbers and ranges", one)

    def several(self, what: str, one: Callable[[Scalar, Span], T]) -> tuple[T, ...]:
        """One value or a comma-separated list of them."""
        item = self.take(what)
        members = item.members if isinstance(item, Several) else (item,)
        return tuple(one(evaluate(m, self.env), m.span) for m in members)

    def spans_of_last(self) -> tuple[Span, ...]:
        """The spans of the members of the list taken last."""
        item = self.items[self.at - 1]
        return tuple(m.span for m in item.members) if isinstance(item, Several) else (item.span,)


def _one_of(choices: Sequence[str]) -> str:
    quoted = [f"`{c}`" for c in choices]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def show_ms(ms: int | Fraction) -> str:
    """A duration as an operator writes it."""
    value = Fraction(ms)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return f"{value}ms" if value.denominator == 1 else f"{float(value):g}ms"
