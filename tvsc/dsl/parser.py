"""Tokens to a syntax tree: reads one source text, writes a `File`.

Lark's LALR parser does the work; a mistake is reported in the operator's words, its line is
dropped and the file is parsed again, so that one run shows the mistakes of all lines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import cast

from lark import Lark, Token, Transformer, UnexpectedToken

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, at_most
from tvsc.dsl import limits
from tvsc.dsl.ast import (
    Binary,
    Block,
    Call,
    Expr,
    File,
    For,
    Include,
    Let,
    Line,
    Name,
    Several,
    Statement,
    Text,
)
from tvsc.dsl.lexer import LeafToken, Scanner, TokenList
from tvsc.source import Span

Report = Callable[[Diagnostic], None]

# What can stand where, in the operator's words; the first rows that fit are said.
_EXPECTED: tuple[tuple[set[str], str], ...] = (
    ({"VALUE", "NAME", "TEXT"}, "a value"),
    ({"NAME"}, "a name"),
    ({"TEXT"}, "a quoted text"),
    ({"EQUALS"}, "`=`"),
    ({"IN"}, "`in`"),
    ({"LBRACE"}, "`{`"),
    ({"RPAREN"}, "`)`"),
    ({"COMMA"}, "`,`"),
    ({"OPERATOR"}, "an operator"),
    ({"END"}, "the end of the line"),
)

_PRECEDENCE = {":": 0, "..": 1, "+": 2, "-": 2, "*": 3, "/": 3}


class _Build(Transformer[Token, object]):
    """Makes the tree while lark parses. Children are tokens, with their leaf, and nodes already
    made.
    """

    def start(self, statements: list[Statement | None]) -> tuple[Statement, ...]:
        return tuple(s for s in statements if s is not None)

    def line(self, items: list[Expr]) -> Line:
        return Line(tuple(items[:-1]), None)

    def line_block(self, parts: list[Expr | Block]) -> Line:
        return Line(cast("tuple[Expr, ...]", tuple(parts[:-1])), cast("Block", parts[-1]))

    def let(self, parts: list[object]) -> Let:
        return Let(cast("Name", _leaf(parts[1])), cast("Expr", parts[3]))

    def for_(self, parts: list[object]) -> For:
        name, values, block = _leaf(parts[1]), parts[3], parts[4]
        return For(cast("Name", name), cast("Expr", values), cast("Block", block))

    def include(self, parts: list[object]) -> Include:
        return Include(cast("Text", _leaf(parts[1])))

    def nothing(self, _parts: list[object]) -> None:
        return None

    def block(self, parts: list[object]) -> Block:
        body = cast("list[Statement | None]", parts[1:-1])
        opened, closed = cast("Span", _leaf(parts[0])), cast("Span", _leaf(parts[-1]))
        return Block(tuple(s for s in body if s is not None), opened.to(closed))

    def item(self, parts: list[object]) -> object:
        return _leaf(parts[0])

    def single(self, parts: list[object]) -> object:
        return parts[0]

    def several(self, parts: list[object]) -> Several:
        members = cast("tuple[Expr, ...]", tuple(parts[::2]))
        return Several(members, members[0].span.to(members[-1].span))

    def expr(self, parts: list[object]) -> object:
        return parts[0]

    def chain(self, parts: list[object]) -> Expr:
        return _climb(cast("list[Expr]", parts[::2]), [str(p) for p in parts[1::2]])

    def atom(self, parts: list[object]) -> object:
        return _leaf(parts[0])

    def call(self, parts: list[object]) -> Call:
        function, closed = cast("Name", _leaf(parts[0])), cast("Span", _leaf(parts[2]))
        arguments = cast("tuple[Expr, ...]", parts[1])
        return Call(function.text, arguments, function.span.to(closed))

    def group(self, parts: list[object]) -> object:
        return parts[1]

    def arguments(self, parts: list[object]) -> tuple[Expr, ...]:
        return cast("tuple[Expr, ...]", tuple(parts[::2]))


def _climb(values: list[Expr], operators: list[str]) -> Expr:
    """Operands and the operators between them to a tree by precedence, left-associative."""
    operands = [values[0]]
    waiting: list[str] = []

    def reduce() -> None:
        right, left = operands.pop(), operands.pop()
        operands.append(Binary(waiting.pop(), left, right, left.span.to(right.span)))

    for operator, operand in zip(operators, values[1:], strict=True):
        while waiting and _PRECEDENCE[waiting[-1]] >= _PRECEDENCE[operator]:
            reduce()
        waiting.append(operator)
        operands.append(operand)
    while waiting:
        reduce()
    return operands[0]


def _leaf(part: object) -> object:
    return part.leaf if isinstance(part, LeafToken) else part


@cache
def _lark() -> Lark:
    grammar = (files("tvsc.dsl") / "tvsc.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer=cast("type", TokenList),
        transformer=_Build(),
        maybe_placeholders=False,
    )


def parse_file(number: int, text: str, report: Report) -> File:
    """Parse one text. Reports every mistake found; the tree lacks the lines with mistakes."""
    return File(number, parse_part(number, text, report, 0, len(text)))


def parse_part(
    number: int, text: str, report: Report, start: int, end: int
) -> tuple[Statement, ...]:
    """Parse whole statements of a text, from character `start` up to `end`."""
    scanner = Scanner(number, text, report, start, end)
    if not scanner.scan():
        return ()
    tokens, spans = scanner.tokens, scanner.spans
    report = at_most(limits.SYNTAX_ERRORS, report)
    for _ in range(limits.SYNTAX_ERRORS):
        for index, token in enumerate(tokens):
            token.start_pos = index
        try:
            return cast("tuple[Statement, ...]", _lark().parse(cast("str", tokens)))
        except UnexpectedToken as error:
            at = error.token.start_pos if error.token.type != "$END" else None
            at = len(tokens) - 1 if at is None else at
            report(_unexpected(error, tokens[at], spans[at]))
            tokens, spans = _without_line(tokens, spans, at)
    return ()


def _unexpected(error: UnexpectedToken, token: LeafToken, span: Span) -> Diagnostic:
    accepts = set(error.accepts or error.expected)
    words: list[str] = []
    for terminals, word in _EXPECTED:
        if terminals <= accepts:
            words.append(word)
            accepts -= terminals
    if "a value" in words:
        # After a complete value nearly everything may follow; naming it all helps nobody.
        words = [w for w in words if w not in ("`,`", "an operator")]
    found = "the end of the line" if token.type == "END" else f"`{token}`"
    help_ = None
    if token.type in ("LET", "FOR", "IN", "INCLUDE"):
        help_ = f'a thing of this name is `"{token}"`'
        found = f"the keyword {found}"
    elif token.type == "EQUALS" and "a value" in words:
        help_ = "a setting has no `=` before its value; `let NAME = VALUE` names a value"
    expected = " or ".join(words[-3:]) if words else "a statement"
    return Diagnostic(codes.SYNTAX, f"expected {expected}, found {found}", span, help=help_)


def _without_line(
    tokens: list[LeafToken], spans: list[Span], at: int
) -> tuple[list[LeafToken], list[Span]]:
    """The tokens with the faulty statement cut out: from its line's start to its end, or to its
    block.
    """
    first = at
    while first > 0 and tokens[first - 1].type not in ("END", "LBRACE", "RBRACE"):
        first -= 1
    last = at
    depth = 0
    while last < len(tokens):
        kind = tokens[last].type
        depth += (kind == "LBRACE") - (kind == "RBRACE")
        if depth < 0:
            break
        last += 1
        if depth == 0 and kind in ("END", "RBRACE"):
            break
    last = max(last, first + 1) if depth >= 0 else last
    if last <= first:
        return [], []
    return tokens[:first] + tokens[last:], spans[:first] + spans[last:]
