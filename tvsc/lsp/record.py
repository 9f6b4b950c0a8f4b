"""One line of a block, setting by setting: which of its items are names, words, and expressions.

The settings' own readers are run, as in the formatter, on a reader that evaluates nothing and
writes down what each of them takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from tvsc.dsl.ast import Expr, Line, Name, Text
from tvsc.dsl.format_settings import VOCABULARY, Shape
from tvsc.lower.evaluate import Env, StatementError
from tvsc.lower.schema import Kind, Setting
from tvsc.model import Secret
from tvsc.source import Span

T = TypeVar("T")

assert VOCABULARY  # importing it registers the kinds of blocks


class What(StrEnum):
    """What a name is the name of."""

    SITE = "site"
    NIC = "nic"
    CLUSTER = "cluster"
    NODE = "node"
    PORT = "port"
    POOL = "pool"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Place:
    """A name that a setting takes: what it names, and whether the thing is defined here."""

    what: What
    defines: bool


# What the names are that a setting takes, in their order.
NAMES: dict[tuple[str, str], tuple[Place, ...]] = {
    ("file", "site"): (Place(What.SITE, True),),
    ("file", "nic"): (Place(What.NIC, True), Place(What.NIC, False)),
    ("file", "cluster"): (Place(What.CLUSTER, True), Place(What.CLUSTER, False)),
    ("file", "pool"): (Place(What.POOL, True), Place(What.POOL, False)),
    ("file", "service"): (Place(What.SERVICE, True), Place(What.SERVICE, False)),
    ("cluster", "node"): (Place(What.NODE, True), Place(What.NODE, False)),
    ("node", "port"): (Place(What.PORT, True),),
    ("port", "nic"): (Place(What.NIC, False),),
    ("service", "listen"): (Place(What.POOL, False),),
    ("service", "sorry"): (Place(What.POOL, False),),
}


@dataclass(slots=True)
class Taken:
    """One setting of a line: its items are numbers `first` up to (not including) `end`."""

    setting: Setting
    first: int
    end: int = 0
    names: list[tuple[Place, Name | Text]] = field(default_factory=list)
    expressions: list[Expr] = field(default_factory=list)
    words: list[Span] = field(default_factory=list)
    files: list[Text] = field(default_factory=list)
    secrets: list[tuple[str, str]] = field(default_factory=list)


def settings_of(kind: Kind | None, items: Sequence[Expr]) -> list[Taken]:
    """The settings of a line, up to the first item that means nothing."""
    if kind is None:
        return []
    reader = Recorder(items, kind.name)
    found: list[Taken] = []
    while not reader.done():
        setting = kind.settings.get(reader.peek_word() or "")
        if setting is None:
            break
        found.append(reader.open(setting))
        try:
            setting.read(reader)
        except StatementError:
            found[-1].end = reader.at
            if reader.lost or not (reader.done() or reader.peek_word() in kind.settings):
                break
        found[-1].end = reader.at
    return found


def block_setting(line: Line, found: Sequence[Taken]) -> Setting | None:
    """The setting that the line's block belongs to; None when its header is wrong."""
    if line.block is None or not found or found[-1].end != len(line.items):
        return None
    return found[-1].setting


class Recorder(Shape):
    """Takes what the real reader takes, and notes what it was."""

    def __init__(self, items: Sequence[Expr], kind: str) -> None:
        super().__init__(items, Env())
        self.kind = kind
        self.taken: Taken | None = None
        self._quiet = False

    def open(self, setting: Setting) -> Taken:
        """The next item is a setting's keyword."""
        self.taken = Taken(setting, self.at)
        self.at += 1
        self.begin(setting.keyword, setting.usage)
        return self.taken

    def take(self, what: str) -> Expr:
        item = super().take(what)
        if self.taken is not None and not self._quiet:
            self.taken.expressions.append(item)
        return item

    def optional(self, word: str) -> bool:
        if not super().optional(word):
            return False
        self._word()
        return True

    def word(self, choices: Sequence[str]) -> str:
        word = self._quietly(lambda: super(Recorder, self).word(choices))
        self._word()
        return word

    def literal(self, word: str) -> None:
        # What is right is noted by `optional`.
        self._quietly(lambda: super(Recorder, self).literal(word))

    def arrow(self) -> None:
        self._quietly(super().arrow)

    def name(self, what: str) -> str:
        name = self._quietly(lambda: super(Recorder, self).name(what))
        item = self.items[self.at - 1]
        if self.taken is not None and isinstance(item, Name | Text):
            places = NAMES.get((self.kind, self.setting), ())
            at = len(self.taken.names)
            self.taken.names += [(place, item) for place in places[at : at + 1]]
        return name

    def text(self, what: str = "a quoted text") -> str:
        text = super().text(what)
        item = self.items[self.at - 1]
        if self.taken is not None and isinstance(item, Text) and what.endswith(" file"):
            self.taken.files.append(item)
        return text

    def secret(self) -> Secret:
        secret = super().secret()
        if self.taken is not None:
            self.taken.secrets.append((secret.source.value, secret.name))
        return secret

    def _word(self) -> None:
        if self.taken is not None:
            self.taken.words.append(self.last)

    def _quietly(self, read: Callable[[], T]) -> T:
        self._quiet = True
        try:
            return read()
        finally:
            self._quiet = False
