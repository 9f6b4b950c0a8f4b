"""One text to parts that can be read apart: long runs of `pool`, `service` and `for` blocks.

Large sites consist of such blocks, and none needs the others to be understood. `split` finds them
by their braces alone, many times faster than a parser, and groups them into parts of some 16 KiB.
Where a part ends depends on the text near by, not on its distance from the start of the file: an
edit changes the part that it is in, rarely its neighbour, and all others stay what they were.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from zlib import crc32

LEAST_CHARACTERS = 6 * 1024
MOST_CHARACTERS = 64 * 1024
_ONE_IN = 16
"""Of the blocks that could end a part, so many do."""

_PIECE = re.compile(r'["#{}](?:(?<=")(?:[^"\\\n]|\\[^\n])*"|(?<=#)[^\n]*|)')
"""A text, a comment, a brace, or a `"` without its other end. Begins with a set of characters,
which Python looks for twice as fast as for alternatives.
"""
_NO_CODE = r"(?:[ \t\r\f\n]|#[^\n]*\n)*"
_HEAD = re.compile(
    _NO_CODE
    + r'(?:(?:pool|service)[ \t]+(?:[\w-]+|"[^"\\\n]*")|for[ \t]+\w+[ \t]+in\b[^"#\n]*)[ \t]*',
    re.ASCII,
)
_NOT_APART = re.compile(r"\b(?:include|like)\b")
"""What leads out of a block: it is then read with the rest of the file."""


def _leads_out(text: str, start: int, end: int) -> bool:
    if text.find("like", start, end) < 0 and text.find("include", start, end) < 0:
        return False  # nearly always, and ten times faster than the pattern
    return _NOT_APART.search(text, start, end) is not None


class Part(NamedTuple):
    """Characters `start` up to (not including) `end`; `blocks` when they are such a run."""

    start: int
    end: int
    blocks: bool


def split(text: str) -> list[Part]:
    """The parts of a text, in order and without gaps. One part when its braces do not match: what
    is wrong with them is for the parser to say.
    """
    whole = [Part(0, len(text), False)]
    statements = _statements(text)
    if statements is None:
        return whole
    parts: list[Part] = []
    start = 0  # of the part being collected
    end = 0
    blocks = False
    for statement in statements:
        if statement.blocks != blocks and end > start:
            parts.append(Part(start, end, blocks))
            start = end
        blocks, end = statement.blocks, statement.end
        if blocks and _ends_part(text, start, statement):
            parts.append(Part(start, end, True))
            start = end
    if end > start:
        parts.append(Part(start, end, blocks))
    return parts or whole


def _ends_part(text: str, start: int, last: Part) -> bool:
    length = last.end - start
    if length < LEAST_CHARACTERS:
        return False
    if length >= MOST_CHARACTERS:
        return True
    return crc32(text[last.start : last.end].encode("utf-8", "replace")) % _ONE_IN == 0


def _statements(text: str) -> list[Part] | None:
    """Everything up to and with the `}` of each outermost block; None when braces do not match."""
    found: list[Part] = []
    depth = 0
    start = head_end = 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece == "{":
            if depth == 0:
                head_end = match.start()
            depth += 1
        elif piece == "}":
            depth -= 1
            if depth < 0:
                return None
            if depth == 0:
                end = match.end()
                end += text.startswith("\n", end)
                apart = _HEAD.fullmatch(text, start, head_end) is not None
                found.append(Part(start, end, apart and not _leads_out(text, start, end)))
                start = end
        elif piece == '"':
            return None
    if depth:
        return None
    if start < len(text):
        found.append(Part(start, len(text), False))
    return found
