"""A source text as the formatter sees it: reads tokens and the syntax tree, writes a `Body`.

The syntax tree says which tokens make a statement and where its settings begin; the tokens give the
text, and the gaps between them the comments and blank lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from tvsc.dsl.ast import Block, For, Include, Let, Line, Statement
from tvsc.dsl.format_settings import first_items, kind_of_block, kind_of_file
from tvsc.dsl.lexer import LeafToken, Scanner
from tvsc.lower.schema import Kind
from tvsc.source import Span

_GAP = re.compile(r"\n|\#[^\n]*")
_BLANKS = " \t\r\f"


@dataclass(frozen=True, slots=True)
class Comment:
    """`text` begins with `#`. It is alone on its line, or ends one; perhaps after a blank line."""

    text: str
    alone: bool
    blank_before: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A token, and the comments between it and the next one of its statement."""

    type: str
    text: str
    comments: tuple[Comment, ...] = ()


class Shape(Enum):
    """What is aligned with what."""

    SETTING = "setting"
    LET = "let"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting or other statement; `comment` ends its last line."""

    shape: Shape
    pieces: tuple[Piece, ...]
    braces: Braces | None
    blank_before: bool
    comment: Comment | None


@dataclass(frozen=True, slots=True)
class Braces:
    """A block. `flat`: it was written on one line. `comment` follows the opening brace."""

    body: Body
    flat: bool
    comment: Comment | None


Body = tuple[Entry | Comment, ...]


def build_tree(scanner: Scanner, statements: tuple[Statement, ...]) -> Body:
    """The tree of a text without syntax errors: its scanner after `scan`, and its statements."""
    return _Builder(scanner).file(statements)


def comments_of(scanner: Scanner) -> list[str]:
    """Every comment, in order."""
    return [c.text for gap in _Builder(scanner).gaps for c in gap.comments]


@dataclass(slots=True)
class _Gap:
    """What is between two tokens; `lines` counts the line ends before the second one."""

    comments: list[Comment] = field(default_factory=list)
    lines: int = 0


_NOTHING = _Gap()


def _gap(text: str, start: int, end: int) -> _Gap:
    if text[start:end] in ("", " "):
        return _NOTHING
    gap = _Gap()
    for match in _GAP.finditer(text, start, end):
        if match.group() == "\n":
            gap.lines += 1
            continue
        comment = match.group().rstrip(_BLANKS)
        gap.comments.append(Comment(comment, gap.lines > 0, gap.lines > 1))
        gap.lines = 0
    return gap


class _Builder:
    """Walks tokens and statements side by side. Gap `n` is the one before token `n`."""

    def __init__(self, scanner: Scanner) -> None:
        self.text = scanner.text
        self.tokens: list[LeafToken] = []
        self.spans: list[Span] = []
        self.ends: list[bool] = []
        for token, span in zip(scanner.tokens, scanner.spans, strict=True):
            if token.type == "END":
                self.ends[-1] = True
                continue
            self.tokens.append(token)
            self.spans.append(span)
            self.ends.append(False)
        edges = [0, *(s.end for s in self.spans)], [*(s.start for s in self.spans), len(self.text)]
        self.gaps = [_gap(self.text, a, b) for a, b in zip(*edges, strict=True)]
        self.at = 0

    def file(self, statements: tuple[Statement, ...]) -> Body:
        head = [Comment(c.text, True, c.blank_before) for c in self.gaps[0].comments]
        return (*head, *self._statements(statements, kind_of_file(statements)))

    def _statements(
        self, statements: tuple[Statement, ...], kind: Kind | None
    ) -> Iterator[Entry | Comment]:
        for statement in statements:
            yield from self._statement(statement, kind)

    def _after(self) -> tuple[Comment | None, list[Comment]]:
        """The comment that ends the line of the token taken last, and those below it."""
        comments = self.gaps[self.at].comments
        if comments and not comments[0].alone:
            return comments[0], comments[1:]
        return None, comments

    def _statement(self, statement: Statement, kind: Kind | None) -> Iterator[Entry | Comment]:
        blank_before = self.gaps[self.at].lines > 1
        first = self.at
        while not self.ends[self.at] and self.tokens[self.at].type != "LBRACE":
            self.at += 1
        braces = None
        if self.tokens[self.at].type == "LBRACE":
            last = self.at
            assert isinstance(statement, Line | For)
            assert statement.block is not None
            inner = kind if isinstance(statement, For) else kind_of_block(kind, statement)
            braces = self._braces(statement.block, inner)
        else:
            self.at += 1
            last = self.at
        comment, below = self._after()
        cuts = [*self._cuts(statement, kind, first, last), last]
        for start, end in pairwise(cuts):
            whole = end == last
            yield Entry(
                _shape(statement),
                self._pieces(start, end),
                braces if whole else None,
                blank_before and start == first,
                comment if whole else None,
            )
        yield from below

    def _pieces(self, start: int, end: int) -> tuple[Piece, ...]:
        return tuple(
            Piece(
                self.tokens[n].type,
                str(self.tokens[n]),
                tuple(self.gaps[n + 1].comments) if n + 1 < end else (),
            )
            for n in range(start, end)
        )

    def _cuts(self, statement: Statement, kind: Kind | None, first: int, last: int) -> list[int]:
        """The numbers of the tokens that begin a setting."""
        if not isinstance(statement, Line):
            return [first]
        starts = {statement.items[n].span.start for n in first_items(kind, statement)}
        cuts, depth = [first], 0
        for n in range(first, last):
            if n > first and self.spans[n].start in starts:
                if depth:
                    return [first]
                cuts.append(n)
            kind_of_token = self.tokens[n].type
            depth += kind_of_token in ("LPAREN", "FUNCTION")
            depth -= kind_of_token == "RPAREN"
        return cuts

    def _braces(self, block: Block, kind: Kind | None) -> Braces:
        """The block whose `{` is the next token."""
        self.at += 1
        comment, below = self._after()
        body = (*below, *self._statements(block.body, kind))
        self.at += 1
        flat = self.text.find("\n", block.span.start, block.span.end) < 0
        return Braces(body, flat, comment)


def _shape(statement: Statement) -> Shape:
    if isinstance(statement, Let):
        return Shape.LET
    if isinstance(statement, For | Include):
        return Shape.OTHER
    return Shape.SETTING
