"""Where a part of a Python site was built: reads the frames of the running program.

A `Place` is a region of a Python file as the interpreter knows it (lines from 1, columns in bytes
of UTF-8). `Positions` turns places into spans, and finds in the source the arguments of a call, so
that a message can point at the very value.
"""

from __future__ import annotations

import ast
import os
import sys
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType
from typing import ClassVar, NamedTuple

import pydantic

import tvsc
from tvsc.source import SourceMap, Span

_OURS = tuple(
    os.path.dirname(os.path.abspath(file)) + os.sep  # noqa: PTH100, PTH120 - as the interpreter
    for file in (tvsc.__file__, pydantic.__file__)
)
_Positions = tuple[int | None, int | None, int | None, int | None]


class Place(NamedTuple):
    """A region of a Python file; `path` is that of the code object."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int


def is_users(path: str, root: str) -> bool:
    """Whether a code object's file is one of the user's, beside or below the site file."""
    return (
        path.startswith(root)
        and not path.startswith(_OURS)
        and f"{os.sep}site-packages{os.sep}" not in path
    )


class _Root:
    """The site that is being loaded: its directory, with a separator at its end, and its code."""

    path = ""
    positions: ClassVar[dict[int, tuple[CodeType, list[_Positions]]]] = {}


def set_root(path: str) -> str:
    """Parts built from now on belong to the site in this directory; returns the one before."""
    before, _Root.path = _Root.path, path
    _Root.positions.clear()
    return before


def here() -> Place | None:
    """The call in the user's file that led here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_users(frame.f_code.co_filename, _Root.path):
        frame = frame.f_back
    return None if frame is None else instruction(frame.f_code, frame.f_lasti)


def instruction(code: CodeType, offset: int) -> Place:
    """The source region of one instruction."""
    # By identity: code objects of equal code in different files are equal.
    known = _Root.positions.get(id(code))
    if known is None:
        known = _Root.positions[id(code)] = (code, list(code.co_positions()))
    first = code.co_firstlineno
    at = offset // 2
    line, end_line, column, end_column = (
        known[1][at] if 0 <= at < len(known[1]) else (first, first, 0, 0)
    )
    line = line or first
    return Place(code.co_filename, line, column or 0, end_line or line, end_column or 0)


class Argument(NamedTuple):
    """`name=value` of a call: where the name, the value and, of a list, its members are."""

    name: Span
    value: Span
    members: tuple[Span, ...]


class _Module:
    """One Python file of the site."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.lines = text.split("\n")
        self.text = text
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        if not 1 <= line <= len(self.lines):
            return len(self.text)
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode(errors="ignore"))
        return self.starts[line - 1] + min(column, len(text))

    def span(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        start = self.offset(line, column)
        return Span(self.number, start, max(start, self.offset(end_line, end_column)))

    def node(self, node: ast.expr) -> Span:
        last = node.lineno if node.end_lineno is None else node.end_lineno
        return self.span(node.lineno, node.col_offset, last, node.end_col_offset or 0)

    @cached_property
    def calls(self) -> dict[tuple[int, int, int, int], ast.Call]:
        return {
            (n.lineno, n.col_offset, n.end_lineno or 0, n.end_col_offset or 0): n
            for n in ast.walk(ast.parse(self.text))
            if isinstance(n, ast.Call)
        }


class Positions:
    """Places to spans of a source map, which it fills with the Python files of the site."""

    def __init__(self, site: Path, sources: SourceMap) -> None:
        self.root = os.path.abspath(site.parent)  # noqa: PTH100 - keeps symbolic links
        self.shown = "" if site.parent == Path() else str(site.parent)
        self.sources = sources
        self._modules: dict[str, _Module | None] = {}

    def add(self, path: str, text: str) -> int:
        """Put a Python file into the source map."""
        name = os.path.relpath(path, self.root)
        number = self.sources.add(name, os.path.join(self.shown, name), text)  # noqa: PTH118
        self._modules[path] = _Module(number, text)
        return number

    def module(self, path: str) -> _Module | None:
        """The file of a code object; None when there is none to read."""
        if path not in self._modules:
            try:
                self.add(path, Path(path).read_text(encoding="utf-8-sig"))
            except (OSError, ValueError):
                self._modules[path] = None
        return self._modules[path]

    def span(self, place: Place | None) -> Span:
        """The span of a place; the start of the site file when it is unknown."""
        module = None if place is None else self.module(place.path)
        if place is None or module is None:
            return Span(0, 0, 0)
        return module.span(place.line, place.column, place.end_line, place.end_column)

    def call(self, place: Place | None) -> tuple[Span, dict[str, Argument]]:
        """What is called at a place, and the arguments that have a name there."""
        module = None if place is None else self.module(place.path)
        found = None if place is None or module is None else module.calls.get(place[1:])
        if found is None or module is None:
            return self.span(place), {}
        arguments = {}
        for keyword in found.keywords:
            if keyword.arg is not None:
                name = module.span(
                    keyword.lineno,
                    keyword.col_offset,
                    keyword.lineno,
                    keyword.col_offset + len(keyword.arg.encode()),
                )
                value = keyword.value
                members = value.elts if isinstance(value, ast.List | ast.Tuple) else []
                if any(isinstance(m, ast.Starred) for m in members):
                    members = []
                spans = tuple(module.node(m) for m in members)
                arguments[keyword.arg] = Argument(name, module.node(value), spans)
        return module.node(found.func), arguments
