"""Which settings each kind of block knows: the vocabulary of the language.

One table per kind. A `Setting` reads its own values from the line; `docs/language.md` documents
every row (a test compares them), and suggestions for misspelt words come from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvsc.diag import codes
from tvsc.diag.codes import Code
from tvsc.lower.reader import Reader


@dataclass(frozen=True, slots=True)
class Named:
    """The header of a block that has a name, and perhaps another to be like."""

    name: str
    like: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A keyword of a block.

    `usage` is how to write it, `read` takes its values, `block` is the kind of block that follows
    (None: none may); `needs_block` says whether it must. `key` tells several of the same keyword
    apart; without it the keyword may come once.
    """

    keyword: str
    usage: str
    doc: str
    read: Callable[[Reader], object]
    default: str | None = None
    required: bool = False
    block: str | None = None
    needs_block: bool = False
    key: Callable[[object], str] | None = None
    duplicate: Code = codes.DUPLICATE_SETTING


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of block."""

    name: str
    settings: dict[str, Setting]


KINDS: dict[str, Kind] = {}


def kind(name: str, *settings: Setting) -> Kind:
    """Register a kind of block."""
    assert name not in KINDS, name
    made = Kind(name, {s.keyword: s for s in settings})
    assert len(made.settings) == len(settings), name
    KINDS[name] = made
    return made


def named(what: str) -> Callable[[Reader], object]:
    """Reads `NAME [like NAME]`."""

    def read(reader: Reader) -> object:
        name = reader.name(f"the name of the {what}")
        reader.mark("name", reader.last)
        like = None
        if reader.optional("like"):
            like = reader.name(f"the name of another {what}")
            reader.mark("like", reader.last)
        return Named(name, like)

    return read


def nothing(_reader: Reader) -> object:
    """Reads nothing: the block has no header."""
    return True


def name_key(value: object) -> str:
    """The name of a named block."""
    assert isinstance(value, Named)
    return value.name


def number(low: int, high: int) -> Callable[[Reader], object]:
    """Reads a whole number within limits."""
    return lambda reader: reader.number(low, high)


def duration(low_ms: int, high_ms: int, step_ms: int = 1) -> Callable[[Reader], object]:
    """Reads a duration within limits, in whole steps."""
    return lambda reader: reader.duration(low_ms, high_ms, step_ms)


def word(*choices: str) -> Callable[[Reader], object]:
    """Reads one of some words."""
    return lambda reader: reader.word(choices)


def yes_or_no(reader: Reader) -> object:
    """Reads `yes` or `no`."""
    return reader.word(("yes", "no")) == "yes"


def text(reader: Reader) -> object:
    """Reads a quoted text."""
    return reader.text()
