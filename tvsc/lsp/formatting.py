"""Formatting: a buffer to the edits that give it the layout of `tvsc fmt`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path

from lsprotocol import types

from tvsc.diag import Diagnostic
from tvsc.dsl.format import FormatError, format_text
from tvsc.lsp.proof import model_of
from tvsc.lsp.protocol import RefusedError
from tvsc.lsp.sites import is_site_text
from tvsc.lsp.text import Buffer

MAX_COMPARED_LINES = 3000
"""A larger difference is sent as one edit: finding small ones in it takes too long."""


def format_buffer(buffer: Buffer, root: Path, texts: Mapping[str, str]) -> list[types.TextEdit]:
    """The edits; none when the layout is right. Raises RefusedError for a text with errors.

    As `tvsc fmt` does, the result is proved: the same words, comments and tree, and of a whole site
    the same model. `texts` are the open buffers by key.
    """
    found: list[Diagnostic] = []
    formatted = format_text(buffer.text, found.append)
    if formatted is None:
        first = found[0]
        at = 1
        if first.span is not None:
            at = buffer.lines.position(first.span.start).line + 1
        raise RefusedError(
            f"{Path(buffer.key).name} has syntax errors and is left alone;"
            f" the first in line {at}: {first.message}"
        )
    if formatted == buffer.text:
        return []
    if is_site_text(buffer.text):
        before, _ = model_of(root, texts)
        if before is not None and before != model_of(root, {**texts, buffer.key: formatted})[0]:
            raise FormatError("the formatted site has another model")
    return list(_edits(buffer, formatted))


def _edits(buffer: Buffer, formatted: str) -> Iterator[types.TextEdit]:
    old, new = buffer.text.splitlines(keepends=True), formatted.splitlines(keepends=True)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    one, other = old[head : len(old) - tail], new[head : len(new) - tail]
    start = sum(map(len, old[:head]))
    if max(len(one), len(other)) > MAX_COMPARED_LINES:
        end = start + sum(map(len, one))
        yield types.TextEdit(buffer.lines.range(start, end), "".join(other))
        return
    offsets = [start]
    for line in one:
        offsets.append(offsets[-1] + len(line))
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag != "equal":
            range_ = buffer.lines.range(offsets[a], offsets[b])
            yield types.TextEdit(range_, "".join(other[c:d]))
