"""Where a cursor stands in a text that is being written: reads characters, writes a Context.

No syntax tree is needed: the text has errors most of the time. Braces, quotes and comments up to
the cursor say which blocks are open; the statement at the cursor is read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tvsc.dsl.ast import Expr, Line
from tvsc.dsl.lexer import Scanner
from tvsc.dsl.parser import parse_file
from tvsc.lower.schema import KINDS, Kind
from tvsc.lsp.record import settings_of

MAX_LINES = 50
"""A statement is sought so many lines above the cursor."""

_STRUCTURE = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"?|#[^\n]*|[{}]')
_WORD = re.compile(r"[A-Za-z_][\w-]*\Z|\Z", re.ASCII)
_GOES_ON = re.compile(r"(?:,|\.\.|[-+*/:(])[ \t\r]*(?:#[^\n]*)?\Z")
_FOR = re.compile(r"\s*for\s+([A-Za-z_][\w-]*)\s+in\b", re.ASCII)
_INSERTION = re.compile(r"(?:\A|[^{])(?:\{\{)*\{([A-Za-z_][\w-]*)?\Z", re.ASCII)


class Where(Enum):
    """In which sort of place a cursor is."""

    STATEMENT = auto()
    ITEM = auto()
    VALUE = auto()
    FOR_IN = auto()
    FILE = auto()
    INSERTION = auto()
    NOWHERE = auto()


@dataclass(frozen=True, slots=True)
class Context:
    """`word` is what is typed of a word, from offset `start` on; `items` are those before it in the
    same statement. `kind` is the kind of block, `loops` are the variables of the loops around.
    """

    where: Where
    start: int
    word: str
    kind: Kind | None
    loops: tuple[str, ...] = ()
    items: tuple[Expr, ...] = ()


def context_at(text: str, offset: int, kind: Kind | None) -> Context:
    """The context of a cursor; `kind` is what the file's top level belongs to."""
    opened, quote, comment, floor = _structure(text, offset)
    loops: list[str] = []
    for start, brace in opened:
        head = text[_statement_start(text, brace, start) : brace]
        loop = _FOR.match(head)
        if loop is not None:
            loops.append(loop[1])
        else:
            kind = _block_kind(kind, head)
    found = tuple(loops)
    if comment:
        return Context(Where.NOWHERE, offset, "", kind, found)
    if quote is not None:
        return _in_text(text, quote, offset, kind, found)
    match = _WORD.search(text, max(floor, offset - 128), offset)
    start = offset if match is None else match.start()
    before = text[_statement_start(text, start, floor) : start]
    where, items = _statement(before)
    return Context(where, start, text[start:offset], kind, found, items)


def _structure(text: str, offset: int) -> tuple[list[tuple[int, int]], int | None, bool, int]:
    """The open braces (each with where its statement begins at the earliest), where the text at the
    cursor begins, whether there is a comment, and the end of the last brace.
    """
    opened: list[tuple[int, int]] = []
    quote, comment, floor = None, False, 0
    for match in _STRUCTURE.finditer(text, 0, offset):
        piece = match.group()
        if piece == "{":
            opened.append((floor, match.start()))
            floor = match.end()
        elif piece == "}":
            if opened:
                opened.pop()
            floor = match.end()
        elif match.end() == offset:
            comment = piece[0] == "#"
            closed = len(piece) > 1 and piece[-1] == '"' and _is_closed(piece)
            quote = match.start() if piece[0] == '"' and not closed else None
    return opened, quote, comment, floor


def _is_closed(piece: str) -> bool:
    """Whether the quote at the end is one, and not escaped."""
    body = piece[1:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 0


def _statement_start(text: str, end: int, floor: int) -> int:
    start = max(floor, text.rfind("\n", floor, end) + 1)
    for _ in range(MAX_LINES):
        if start <= floor or not _goes_on(text, floor, start - 1):
            break
        start = max(floor, text.rfind("\n", floor, start - 1) + 1)
    return start


def _goes_on(text: str, floor: int, end: int) -> bool:
    """Whether the line that ends at `end` is continued."""
    line = text[max(floor, text.rfind("\n", floor, end) + 1) : end]
    return _GOES_ON.search(line) is not None


def _block_kind(kind: Kind | None, head: str) -> Kind | None:
    if kind is None:
        return None
    items = _items(head)
    found = settings_of(kind, items)
    if not found:
        return None
    block = found[-1].setting.block
    return None if block is None else KINDS[block]


def _items(statement: str) -> tuple[Expr, ...]:
    body = parse_file(0, statement + "\n", lambda _: None).body
    line = body[-1] if body else None
    return line.items if isinstance(line, Line) else ()


def _statement(before: str) -> tuple[Where, tuple[Expr, ...]]:
    scanner = Scanner(0, before, lambda _: None)
    scanner.scan()
    kinds = [token.type for token in scanner.tokens if token.type != "END"]
    if not kinds:
        return Where.STATEMENT, ()
    if any(bracket == "(" for bracket, _ in scanner.open):
        return Where.VALUE, ()
    last = kinds[-1]
    if kinds[0] == "LET":
        return (Where.VALUE if last in ("EQUALS", "OPERATOR") else Where.NOWHERE), ()
    if kinds[0] == "FOR":
        if last == "NAME" and len(kinds) == 2:
            return Where.FOR_IN, ()
        return (Where.VALUE if last in ("IN", "OPERATOR") else Where.NOWHERE), ()
    if kinds[0] == "INCLUDE":
        return Where.NOWHERE, ()
    if last in ("OPERATOR", "COMMA"):
        return Where.VALUE, ()
    items = _items(before)
    return (Where.ITEM if items else Where.NOWHERE), items


def _in_text(
    text: str, quote: int, offset: int, kind: Kind | None, loops: Sequence[str]
) -> Context:
    inside = text[quote + 1 : offset]
    insertion = _INSERTION.search(inside)
    if insertion is not None:
        word = insertion[1] or ""
        return Context(Where.INSERTION, offset - len(word), word, kind, tuple(loops))
    before = text[text.rfind("\n", 0, quote) + 1 : quote]
    where = Where.FILE if re.search(r"\b(?:include|from)[ \t]+\Z", before) else Where.NOWHERE
    return Context(where, quote + 1, inside, kind, tuple(loops))
