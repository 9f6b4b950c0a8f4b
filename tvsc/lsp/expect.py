"""What may come next in a statement: reads the items so far, writes what the next one can be.

The settings' own readers are run up to the cursor; what they ask for there is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tvsc.dsl.ast import Expr
from tvsc.dsl.format_settings import Shape
from tvsc.lower.evaluate import Env, StatementError
from tvsc.lower.schema import Kind, Setting
from tvsc.lsp.record import NAMES, Place

_OPTION = re.compile(r"\[([^\]]*)\]")


@dataclass(slots=True)
class Expected:
    """`words` of the setting, a name, a value, a text; `settings`: the setting is whole and
    another may begin. `setting` is the one that the cursor is in.
    """

    setting: Setting | None = None
    words: list[str] = field(default_factory=list)
    place: Place | None = None
    value: bool = False
    secret: str | None = None
    settings: bool = False


class _Reached(Exception):  # noqa: N818 - no error: the reader has come to the cursor
    pass


def expected_after(kind: Kind, items: Sequence[Expr]) -> Expected:
    """What may follow these items."""
    expected = Expected()
    reader = _Probe(items, kind.name, expected)
    while not reader.done():
        setting = kind.settings.get(reader.peek_word() or "")
        if setting is None:
            return Expected(settings=True)
        expected.setting = setting
        expected.words.clear()
        reader.names = 0
        first = reader.at
        reader.at += 1
        reader.begin(setting.keyword, setting.usage)
        try:
            setting.read(reader)
        except _Reached:
            return expected
        except StatementError:
            if not (reader.done() or reader.peek_word() in kind.settings):
                return Expected(settings=True)
        if reader.done() and reader.peeked:
            expected.words += _options(setting, items[first:])
    expected.settings = True
    return expected


def _options(setting: Setting, items: Sequence[Expr]) -> list[str]:
    """The words that a setting may go on with, by its usage: where the reader only looked ahead."""
    typed = [getattr(item, "text", "") for item in items]
    found: list[str] = []
    for usage in _alternatives(setting.usage):
        head = usage.partition("[")[0].split()
        option = _OPTION.search(usage)
        if option is not None and head == typed[: len(head)]:
            found += [part.split()[0] for part in option[1].split("|")]
    return [word for word in found if word.islower() and word not in typed]


def _alternatives(usage: str) -> list[str]:
    """`a | b [c | d]` to `a` and `b [c | d]`."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(usage):
        depth += (character == "[") - (character == "]")
        if character == "|" and depth == 0:
            parts.append(usage[start:at].strip())
            start = at + 1
    return [*parts, usage[start:].strip()]


class _Probe(Shape):
    """Notes what is asked for behind the last item."""

    def __init__(self, items: Sequence[Expr], kind: str, expected: Expected) -> None:
        super().__init__(items, Env())
        self.kind = kind
        self.expected = expected
        self.names = 0
        self.peeked = False

    def take(self, what: str) -> Expr:
        if self.done():
            self.expected.value = True
            raise _Reached
        return super().take(what)

    def peek_word(self) -> str | None:
        self.peeked |= self.done()
        return super().peek_word()

    def optional(self, word: str) -> bool:
        if self.done():
            self.expected.words.append(word)
            return False
        return super().optional(word)

    def word(self, choices: Sequence[str]) -> str:
        if self.done():
            self.expected.words += choices
            raise _Reached
        return super().word(choices)

    def literal(self, word: str) -> None:
        if self.done():
            self.expected.words.append(word)
            raise _Reached
        super().literal(word)

    def arrow(self) -> None:
        if self.done():
            self.expected.words.append("->")
            raise _Reached
        super().arrow()

    def name(self, what: str) -> str:
        places = NAMES.get((self.kind, self.setting), ())
        if self.done():
            self.expected.place = places[self.names] if self.names < len(places) else None
            raise _Reached
        self.names += 1
        return super().name(what)

    def text(self, what: str = "a quoted text") -> str:
        if self.done():
            word = getattr(self.items[self.at - 1], "text", "")
            self.expected.secret = word if word in ("file", "env") else None
            raise _Reached
        return super().text(what)
