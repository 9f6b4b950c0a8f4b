"""Where the settings of a line begin: reads a `Line` and the kind of its block.

Which values a setting takes is known to the vocabulary alone (`tvsc/lower`). So the settings' own
readers are run, on a reader that takes items as the real one does and evaluates none of them: the
variables of a fragment are not known here. What a reader refuses is left as it was written, in one
piece with all that follows on its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from typing import TypeVar

from tvsc.diag import codes
from tvsc.dsl.ast import Arrow, Expr, For, Line, Name, Several, Statement, Text
from tvsc.dsl.values import Endpoint, IntRange, Scalar
from tvsc.lower import settings_cluster, settings_service, settings_site
from tvsc.lower.evaluate import Env, StatementError, fail
from tvsc.lower.reader import MAX_MS, Reader
from tvsc.lower.schema import KINDS, Kind
from tvsc.source import Span

T = TypeVar("T")

# Importing these registers the kinds of blocks.
VOCABULARY = (settings_site, settings_cluster, settings_service)

_ADDRESS = IPv4Address("192.0.2.1")
_ANY = "x"


def first_items(kind: Kind | None, line: Line) -> list[int]:
    """The indices of the items that begin a setting; always the first, at least."""
    if kind is None:
        return [0]
    reader = Shape(line.items, Env())
    starts: list[int] = []
    while not reader.done():
        at = reader.at
        setting = kind.settings.get(reader.peek_word() or "")
        if setting is None:
            break
        reader.at += 1
        reader.begin(setting.keyword, setting.usage)
        starts.append(at)
        try:
            setting.read(reader)
        except StatementError:
            # A wrong value is a value; a wrong word may be anything.
            if reader.lost or not (reader.done() or reader.peek_word() in kind.settings):
                break
    return starts or [0]


def kind_of_block(kind: Kind | None, line: Line) -> Kind | None:
    """The kind of the block that ends the line; None when the line means nothing."""
    if kind is None or line.block is None:
        return None
    head = line.items[first_items(kind, line)[-1]]
    setting = kind.settings.get(head.text) if isinstance(head, Name) else None
    return KINDS.get(setting.block) if setting is not None and setting.block else None


def kind_of_file(body: Sequence[Statement]) -> Kind | None:
    """What a file's statements belong to: a site's top level, or the block that includes it.

    None when no kind of block has them all. Settings one by one give the answer of the lines.
    """
    lines = list(_lines(body))
    if lines and isinstance(lines[0].items[0], Name) and lines[0].items[0].text == "language":
        return KINDS["file"]
    return next((k for k in KINDS.values() if all(_fits(k, line) for line in lines)), None)


def _lines(body: Sequence[Statement]) -> Iterator[Line]:
    for statement in body:
        if isinstance(statement, Line):
            yield statement
        elif isinstance(statement, For):
            yield from _lines(statement.block.body)


def _fits(kind: Kind, line: Line) -> bool:
    if line.block is not None and kind_of_block(kind, line) is None:
        return False
    head = line.items[0]
    return isinstance(head, Name) and head.text in kind.settings


class Shape(Reader):
    """Takes the items that the real reader takes; what it returns means nothing."""

    lost = False

    def take(self, what: str) -> Expr:
        self.lost |= self.done()
        return super().take(what)

    def literal(self, word: str) -> None:
        self.lost |= self.peek_word() != word
        super().literal(word)

    def word(self, choices: Sequence[str]) -> str:
        self.lost |= self.peek_word() not in choices
        return super().word(choices)

    def arrow(self) -> None:
        self.lost |= self.done() or not isinstance(self.items[self.at], Arrow)
        super().arrow()

    def _skip(self, value: T) -> T:
        self.take("a value")
        return value

    def name(self, what: str) -> str:
        item = self.take(what)
        if not isinstance(item, Name | Text):
            self.lost = True
            fail(codes.WRONG_TYPE, "no name", item.span)
        return item.text if isinstance(item, Name) else _ANY

    def number(self, low: int, high: int, what: str = "") -> int:  # noqa: ARG002
        return self._skip(low)

    def duration(self, low_ms: int = 1, high_ms: int = MAX_MS, step_ms: int = 1) -> int:  # noqa: ARG002
        return self._skip(low_ms)

    def memory(self, low: int, high: int, unit: str = "MiB") -> int:  # noqa: ARG002
        return self._skip(low)

    def rate(self, high: int) -> int:
        return self._skip(high)

    def text(self, what: str = "a quoted text") -> str:
        item = self.take(what)
        if not isinstance(item, Text):
            return _ANY
        return "".join(p if isinstance(p, str) else "0" for p in item.parts)

    def address(self) -> IPv4Address | IPv6Address:
        return self._skip(_ADDRESS)

    def ipv4(self) -> IPv4Address:
        return self._skip(_ADDRESS)

    def ipv6(self) -> IPv6Address:
        return self._skip(IPv6Address(1))

    def interface4(self) -> IPv4Interface:
        return self._skip(IPv4Interface("192.0.2.1/24"))

    def interface6(self) -> IPv6Interface:
        return self._skip(IPv6Interface("2001:db8::1/64"))

    def prefix(self) -> IPv4Network:
        return self._skip(IPv4Network("192.0.2.0/24"))

    def prefix_length(self, low: int, high: int) -> int:  # noqa: ARG002
        return self._skip(low)

    def endpoint(self) -> Endpoint:
        return self._skip(Endpoint(_ADDRESS, 1))

    def mac(self) -> str:
        return self._skip("02:00:00:00:00:01")

    def pci(self) -> str:
        return self._skip("0000:00:00.0")

    def ranges(self, low: int, high: int) -> tuple[IntRange, ...]:  # noqa: ARG002
        return self._skip((IntRange(low, low),))

    def several(self, what: str, one: Callable[[Scalar, Span], T]) -> tuple[T, ...]:
        item: Expr = self.take(what)
        members = item.members if isinstance(item, Several) else (item,)
        try:
            return tuple(one(_ADDRESS, m.span) for m in members)
        except StatementError:
            return ()
