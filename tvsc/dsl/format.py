"""The formatter: reads a source text, writes the same text in the canonical layout, or fails.

A formatted text is not believed but proved: it has the same tokens and the same comments in the
same order, and parses to the same tree, where lines of several settings count as one line each.
Formatting it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from itertools import pairwise

from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl.ast import For, Line, Statement
from tvsc.dsl.format_layout import lay_out
from tvsc.dsl.format_settings import first_items, kind_of_block, kind_of_file
from tvsc.dsl.format_tree import build_tree, comments_of
from tvsc.dsl.lexer import Scanner
from tvsc.dsl.parser import parse_file
from tvsc.lower.schema import Kind
from tvsc.source import Span

Report = Callable[[Diagnostic], None]


class FormatError(Exception):
    """The formatter would have changed what a text means: a bug in it."""


def format_text(text: str, report: Report, number: int = 0) -> str | None:
    """The text in the canonical layout; None when it has syntax errors, which are reported.

    `number` is the text's number in the source map that the reports point into.
    """
    found: list[Diagnostic] = []
    file = parse_file(number, text, found.append)
    if found:
        for diagnostic in found:
            report(diagnostic)
        return None
    scanner = _scan(text)
    formatted = lay_out(build_tree(scanner, file.body))
    if formatted != text:
        _prove(scanner, file.body, formatted)
    return formatted


def same_tree(one: tuple[Statement, ...], other: tuple[Statement, ...]) -> bool:
    """Whether two files say the same, setting for setting, wherever they say it."""
    return _settings(one, kind_of_file(one)) == _settings(other, kind_of_file(other))


def _scan(text: str) -> Scanner:
    scanner = Scanner(0, text, lambda _: None)
    scanner.scan()
    return scanner


def _prove(before: Scanner, tree: tuple[Statement, ...], formatted: str) -> None:
    problems: list[Diagnostic] = []
    again = parse_file(0, formatted, problems.append).body
    after = _scan(formatted)
    if problems:
        raise FormatError(f"the formatted text has an error: {problems[0].message}")
    if _words(before) != _words(after):
        raise FormatError("the formatted text has other words")
    if comments_of(before) != comments_of(after):
        raise FormatError("the formatted text has other comments")
    if not same_tree(tree, again):
        raise FormatError("the formatted text has another meaning")
    if lay_out(build_tree(after, again)) != formatted:
        raise FormatError("the formatted text would be formatted otherwise")


def _words(scanner: Scanner) -> list[tuple[str, str]]:
    return [(t.type, str(t)) for t in scanner.tokens if t.type != "END"]


def _settings(body: tuple[Statement, ...], kind: Kind | None) -> list[object]:
    """The statements without their places; every setting by itself."""
    found: list[object] = []
    for statement in body:
        if isinstance(statement, For):
            head = _placeless((statement.name, statement.values))
            found.append(("for", head, _settings(statement.block.body, kind)))
        elif isinstance(statement, Line):
            starts = [*first_items(kind, statement), len(statement.items)]
            settings = [(_placeless(statement.items[a:b])) for a, b in pairwise(starts)]
            block: object = None
            if statement.block is not None:
                block = _settings(statement.block.body, kind_of_block(kind, statement))
            found += [("line", setting, None) for setting in settings[:-1]]
            found.append(("line", settings[-1], block))
        else:
            found.append(_placeless(statement))
    return found


def _placeless(node: object) -> object:
    """A syntax tree as plain values, without spans; the types stay apart by their names."""
    if isinstance(node, Span):
        return None
    if isinstance(node, tuple):
        return (type(node).__name__, *(_placeless(part) for part in node))
    if is_dataclass(node) and not isinstance(node, type):
        parts = (_placeless(getattr(node, f.name)) for f in fields(node))
        return (type(node).__name__, *parts)
    return (type(node).__name__, node)
