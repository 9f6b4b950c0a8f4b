"""Source files and places in them.

A `Span` is a place in one file of a `SourceMap`; it is small, hashable, ordered by (file,
offset), and means something only together with its map. Files are numbered in the order in which
they were first read: the site file is file 0.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple


class Span(NamedTuple):
    """Characters `start` up to (not including) `end` of file number `file`."""

    file: int
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of `other`, when both are in one file."""
        if other.file != self.file:
            return self
        return Span(self.file, self.start, max(self.end, other.end))


class Location(NamedTuple):
    """A span as people read it. Lines and columns count from 1; `end_column` is the first one
    after the span.
    """

    name: str
    path: str
    line: int
    column: int
    end_line: int
    end_column: int


class SourceFile:
    """One text: `name` is its path seen from the site file's directory (so it is the same
    wherever the site lies), `path` is how the user would open it from where he stands.
    """

    def __init__(self, name: str, path: str, text: str) -> None:
        self.name = name
        self.path = path
        self.text = text

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of every line."""
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return starts

    def line_column(self, offset: int) -> tuple[int, int]:
        """(line, column), both from 1, of a character offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """The text of a line (from 1) without its line end."""
        starts = self.line_starts
        if not 1 <= line <= len(starts):
            return ""
        end = starts[line] if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end].rstrip("\r\n")


class SourceMap:
    """The texts of one site, numbered. Grows while `include` is followed; never forgets a file."""

    def __init__(self) -> None:
        self.files: list[SourceFile] = []
        self._by_name: dict[str, int] = {}

    def add(self, name: str, path: str, text: str) -> int:
        """Register a text and return its number; the same name twice returns the first number."""
        known = self._by_name.get(name)
        if known is not None:
            return known
        number = len(self.files)
        self.files.append(SourceFile(name, path, text))
        self._by_name[name] = number
        return number

    def number(self, name: str) -> int | None:
        """The number of a file by its name, or None."""
        return self._by_name.get(name)

    def locate(self, span: Span) -> Location:
        """Lines and columns of a span."""
        source = self.files[span.file]
        line, column = source.line_column(span.start)
        end_line, end_column = source.line_column(max(span.start, span.end))
        return Location(source.name, source.path, line, column, end_line, end_column)

    def label(self, span: Span | None) -> str:
        """`site.tvs:14`, for generated files: independent of where the site lies. Empty without a
        span.
        """
        if span is None:
            return ""
        source = self.files[span.file]
        return f"{source.name}:{source.line_column(span.start)[0]}"
