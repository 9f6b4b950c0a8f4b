"""The syntax tree: what was written, with spans, before any meaning.

The tree is generic: a body is a list of statements, a statement is a line of items with an optional
block. Which settings exist is known to `tvsc/lower` alone. Nodes never change; the frequent ones
are named tuples, the cheapest to make by the hundred thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tvsc.dsl.values import Scalar
from tvsc.source import Span


class Value(NamedTuple):
    """A literal, already a typed value."""

    data: Scalar
    span: Span


@dataclass(frozen=True, slots=True)
class Interpolation:
    """`{name}` or `{name:03}` in a text; `width` pads numbers with zeros."""

    name: str
    width: int
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text; escapes are resolved."""

    parts: tuple[str | Interpolation, ...]
    span: Span


class Name(NamedTuple):
    """A bare word: a keyword, a name or a variable, as the setting decides."""

    text: str
    span: Span


class Arrow(NamedTuple):
    """`->`."""

    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    function: str
    arguments: tuple[Expr, ...]
    span: Span


class Binary(NamedTuple):
    """`left operator right`; operators are `+ - * / .. :`."""

    operator: str
    left: Expr
    right: Expr
    span: Span


class Several(NamedTuple):
    """`a, b, c`."""

    members: tuple[Expr, ...]
    span: Span


Expr = Value | Text | Name | Arrow | Call | Binary | Several


@dataclass(frozen=True, slots=True)
class Block:
    """Statements between braces; the span holds both braces."""

    body: tuple[Statement, ...]
    span: Span


class Line(NamedTuple):
    """Items up to the end of the line, or up to the block that ends it: one or more settings."""

    items: tuple[Expr, ...]
    block: Block | None

    @property
    def span(self) -> Span:
        """The first item."""
        return self.items[0].span


@dataclass(frozen=True, slots=True)
class Let:
    """`let name = value`."""

    name: Name
    value: Expr

    @property
    def span(self) -> Span:
        """The name."""
        return self.name.span


@dataclass(frozen=True, slots=True)
class For:
    """`for name in range { ... }`."""

    name: Name
    values: Expr
    block: Block

    @property
    def span(self) -> Span:
        """The values that it runs over."""
        return self.values.span


@dataclass(frozen=True, slots=True)
class Include:
    """`include "pattern"`."""

    pattern: Text

    @property
    def span(self) -> Span:
        """The pattern."""
        return self.pattern.span


class Blocks(NamedTuple):
    """A run of `pool`, `service` and `for` blocks that is not parsed yet (`tvsc.dsl.split`)."""

    text: str
    span: Span


Statement = Line | Let | For | Include | Blocks


@dataclass(frozen=True, slots=True)
class File:
    """One parsed file."""

    number: int
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """The site file and all that it includes.

    `included` maps the span of an include's pattern to the files that it brings in, in order of
    their names.
    """

    root: File
    included: dict[Span, tuple[File, ...]]
