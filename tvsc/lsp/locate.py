"""What stands at an offset: reads a syntax tree, writes the statement, the setting, the expression.

The tree is searched from the top, by halving; nothing is walked but the way down.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from tvsc.dsl.ast import (
    Binary,
    Call,
    Expr,
    File,
    For,
    Include,
    Let,
    Line,
    Several,
    Statement,
)
from tvsc.lower.schema import KINDS, Kind
from tvsc.lsp.record import Taken, block_setting, settings_of


@dataclass(frozen=True, slots=True)
class Found:
    """The innermost statement, the kind of block that it is in, and in it what the offset is in."""

    statement: Statement
    kind: Kind | None
    taken: Taken | None = None
    item: Expr | None = None


def locate(file: File, kind: Kind | None, offset: int) -> Found | None:
    """What the file has at an offset; `kind` is what its top level belongs to."""
    body = file.body
    while True:
        at = bisect_right(body, offset, key=_start) - 1
        if at < 0:
            return None
        statement = body[at]
        block = statement.block if isinstance(statement, For | Line) else None
        if block is None or not block.span.start < offset < block.span.end:
            return _inside(statement, kind, offset)
        if isinstance(statement, Line):
            setting = block_setting(statement, settings_of(kind, statement.items))
            kind = None if setting is None or setting.block is None else KINDS[setting.block]
        body = block.body


def _start(statement: Statement) -> int:
    if isinstance(statement, Let | For):
        return statement.name.span.start
    return statement.span.start


def _inside(statement: Statement, kind: Kind | None, offset: int) -> Found | None:
    if isinstance(statement, Let):
        return Found(statement, kind, None, _item((statement.value,), offset))
    if isinstance(statement, For):
        return Found(statement, kind, None, _item((statement.values,), offset))
    if isinstance(statement, Include):
        return Found(statement, kind, None, _item((statement.pattern,), offset))
    item = _item(statement.items, offset) if isinstance(statement, Line) else None
    if item is None or not isinstance(statement, Line):
        return None
    at = statement.items.index(item)
    for taken in settings_of(kind, statement.items):
        if taken.first <= at < taken.end:
            return Found(statement, kind, taken, item)
    return Found(statement, kind, None, item)


def _item(items: tuple[Expr, ...], offset: int) -> Expr | None:
    return next((i for i in items if i.span.start <= offset <= i.span.end), None)


def innermost(expr: Expr, offset: int) -> Expr:
    """The smallest part of an expression that has the offset."""
    if isinstance(expr, Binary):
        parts: tuple[Expr, ...] = (expr.left, expr.right)
    elif isinstance(expr, Call):
        parts = expr.arguments
    elif isinstance(expr, Several):
        parts = expr.members
    else:
        return expr
    inner = next((part for part in parts if part.span.start <= offset < part.span.end), None)
    if inner is None and offset == expr.span.end:
        inner = _item(parts, offset)
    return expr if inner is None else innermost(inner, offset)


def is_value(expr: Expr, taken: Taken | None) -> bool:
    """Whether an item is evaluated: it is neither a keyword, nor a word, nor a name."""
    return taken is None or any(expr is one for one in taken.expressions)
