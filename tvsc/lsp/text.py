"""A text as the protocol sees it: reads positions and edits of a client, writes offsets, and back.

The protocol counts lines from 0 and columns in code units of an encoding that both sides agreed
on (UTF-16 unless the client wants another). Lines end with CR LF, LF or CR. Offsets here are
characters of a Python text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lsprotocol import types

from tvsc.source import Span

_LINE_END = re.compile(r"\r\n|\r|\n")

_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

# Name of a Python codec without a byte-order mark, and bytes of a code unit.
_CODECS = {
    types.PositionEncodingKind.Utf8.value: ("utf-8", 1),
    types.PositionEncodingKind.Utf16.value: ("utf-16-le", 2),
    types.PositionEncodingKind.Utf32.value: ("utf-32-le", 4),
}


def units(text: str, encoding: str) -> int:
    """How many code units a text has."""
    if text.isascii():
        return len(text)
    codec, size = _CODECS[encoding]
    return len(text.encode(codec)) // size


def characters(text: str, count: int, encoding: str) -> int:
    """How many characters of a text are whole in its first `count` code units."""
    if text.isascii():
        return min(count, len(text))
    codec, size = _CODECS[encoding]
    data = text.encode(codec)[: count * size]
    return len(data.decode(codec, "ignore"))


def clean(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can carry and UTF-8 cannot."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class LineIndex:
    """The lines of one text. `encoding` is the one that the client's columns count in."""

    def __init__(self, text: str, encoding: str) -> None:
        self.text = text
        self.encoding = encoding

    @cached_property
    def _starts(self) -> list[int]:
        """Offset of every line."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def _line(self, number: int) -> str:
        start = self._starts[number]
        last = number + 1 == len(self._starts)
        end = len(self.text) if last else self._starts[number + 1]
        return self.text[start:end].rstrip("\r\n")

    def offset(self, position: types.Position) -> int:
        """The offset of a position; one after the end of a line or of the text is that end."""
        if position.line >= len(self._starts):
            return len(self.text)
        line = self._line(position.line)
        column = characters(line, position.character, self.encoding)
        return self._starts[position.line] + column

    def position(self, offset: int) -> types.Position:
        """The position of an offset."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset) - 1
        before = self.text[self._starts[line] : offset].rstrip("\r\n")
        return types.Position(line, units(before, self.encoding))

    def range(self, start: int, end: int) -> types.Range:
        """The range between two offsets."""
        return types.Range(self.position(start), self.position(end))

    def span(self, span: Span) -> types.Range:
        """The range of a span of this text."""
        return self.range(span.start, span.end)


@dataclass(frozen=True, slots=True)
class Buffer:
    """An open document: `key` is the file's real path, `path` the one that the client calls it by
    (None for what is no file).
    """

    uri: str
    key: str
    path: Path | None
    language: str
    version: int | None
    lines: LineIndex

    @property
    def is_site_file(self) -> bool:
        """Whether it is written in the language, and no list of servers or prefixes."""
        return self.language == "tvs" or self.key.endswith(".tvs")

    @property
    def text(self) -> str:
        """What is in the editor now. A byte-order mark, which is not part of a file's text either,
        is a space, so that offsets stay what they are.
        """
        text = self.lines.text
        return f" {text[1:]}" if text.startswith(_MARK) else text


def changed(lines: LineIndex, change: types.TextDocumentContentChangeEvent) -> LineIndex:
    """The text after one change of the client."""
    if isinstance(change, types.TextDocumentContentChangePartial):
        start, end = lines.offset(change.range.start), lines.offset(change.range.end)
        text = lines.text[:start] + clean(change.text) + lines.text[max(start, end) :]
        return LineIndex(text, lines.encoding)
    return LineIndex(clean(change.text), lines.encoding)


class Shift:
    """Maps offsets between an older text and a newer one that differs from it in one place."""

    def __init__(self, old: str, new: str) -> None:
        self.same = old == new
        self.head = _common(old, new)
        self.tail = _common_end(old, new, min(len(old), len(new)) - self.head)
        self.old_end = len(old) - self.tail
        self.new_end = len(new) - self.tail

    def to_old(self, offset: int) -> int | None:
        """Where a place of the new text was; None inside what changed."""
        return _moved(offset, self.head, self.new_end, self.old_end)

    def to_new(self, offset: int) -> int | None:
        """Where a place of the old text is now; None inside what changed."""
        return _moved(offset, self.head, self.old_end, self.new_end)

    def span_to_new(self, span: Span) -> Span | None:
        """A span of the old text in the new one; None when the change touches it."""
        if span.end <= self.head:
            return span
        if span.start < self.old_end:
            return None
        by = self.new_end - self.old_end
        return Span(span.file, span.start + by, span.end + by)


def _moved(offset: int, head: int, end: int, other_end: int) -> int | None:
    if offset <= head:
        return offset
    return offset - end + other_end if offset >= end else None


def _common(one: str, other: str) -> int:
    """Length of the common start: by halving, as comparing slices is far quicker than a loop."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: str, other: str, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        same = (
            one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]
        )
        if same:
            low = middle
        else:
            high = middle - 1
    return low
