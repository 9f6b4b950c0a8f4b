"""The layout of a source text: reads a `Body`, writes lines.

One setting a line, four blanks a level. The values of neighbouring settings begin in one column, so
do the values of neighbouring `let`s, the arrows of neighbouring settings of one keyword, and the
comments of neighbouring lines. A blank line or a block ends a neighbourhood. A block that was
written on one line stays there while the line has room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl.format_tree import Body, Braces, Comment, Entry, Piece, Shape
from tvsc.dsl.lexer import Scanner

WIDTH = 100
INDENT = 4

# Comments stand in the first of these columns that all lines of their neighbourhood leave free.
_COLUMNS = range(35, 60, 4)

_SPACED = frozenset("+-*")


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line and the comment that ends it; a blank line has neither."""

    text: str
    comment: str | None = None


def lay_out(body: Body) -> str:
    """The whole text; empty, or ends with a newline."""
    lines = _body(body, 0)
    return "".join(f"{line}\n" for line in _with_comments(lines))


def _body(body: Body, indent: int) -> list[OutputLine]:
    lines: list[OutputLine] = []
    padded = _aligned(body)
    for n, part in enumerate(body):
        if part.blank_before and n > 0:
            lines.append(OutputLine(""))
        if isinstance(part, Comment):
            lines.append(OutputLine(" " * indent + part.text))
        else:
            lines += _entry(part, padded.get(n, {}), indent)
    return lines


def _entry(entry: Entry, padding: dict[int, int], indent: int) -> list[OutputLine]:
    lines = _fill(_chunks(entry.pieces, padding), indent)
    comment = entry.comment.text if entry.comment else None
    braces = entry.braces
    if braces is None:
        return [*lines[:-1], OutputLine(lines[-1].text, comment)]
    head = lines.pop().text
    flat = _flat(braces) if not lines else None
    if flat is not None and len(head) + 1 + len(flat) <= WIDTH:
        return [OutputLine(f"{head} {flat}", comment)]
    opening = braces.comment.text if braces.comment else None
    inner = _body(braces.body, indent + INDENT)
    return [
        *lines,
        OutputLine(f"{head} {{", opening),
        *inner,
        OutputLine(" " * indent + "}", comment),
    ]


def _flat(braces: Braces) -> str | None:
    """The block on one line; None when it was not written so. Nothing in braces is always so."""
    if not braces.body and braces.comment is None:
        return "{ }"
    if not braces.flat:
        return None
    parts: list[str] = []
    for entry in braces.body:
        assert isinstance(entry, Entry)
        head = " ".join(text for text, _ in _chunks(entry.pieces, {}))
        if entry.braces is not None:
            inner = _flat(entry.braces)
            assert inner is not None
            head = f"{head} {inner}"
        parts.append(head)
    return f"{{ {'  '.join(parts)} }}"


# --- one statement ------------------------------------------------------------------------------

Chunk = tuple[str, tuple[Comment, ...]]


def _chunks(pieces: Sequence[Piece], padding: dict[int, int]) -> list[Chunk]:
    """The statement in parts between which a line may end, with the comments that end it there.

    `padding` has, by number of a piece, how wide the statement is before it.
    """
    apart = not _reads_back(pieces)
    chunks: list[Chunk] = []
    line = 0
    text = ""
    for n, piece in enumerate(pieces):
        if n > 0:
            before = pieces[n - 1]
            gap = _gap(before, piece, apart)
            if before.comments:
                chunks.append((text, before.comments))
                text = ""
            elif gap and before.type in ("COMMA", "OPERATOR"):
                chunks.append((text, ()))
                line += len(text) + 1
                text = ""
            else:
                text += gap
            text += " " * (padding.get(n, 0) - line - len(text))
        text += piece.text
    chunks.append((text, ()))
    return chunks


def _gap(before: Piece, piece: Piece, apart: bool) -> str:
    if before.type in ("FUNCTION", "LPAREN") or piece.type in ("RPAREN", "COMMA"):
        return ""
    for one in (before, piece):
        if one.type == "OPERATOR":
            return " " if apart or one.text in _SPACED else ""
    return " "


def _reads_back(pieces: Sequence[Piece]) -> bool:
    """Whether operators without blanks around them stay what they are: `8 / s` is no rate."""
    if all(p.type != "OPERATOR" or p.text in _SPACED for p in pieces):
        return True
    text = ""
    for n, piece in enumerate(pieces):
        text += (_gap(pieces[n - 1], piece, apart=False) if n else "") + piece.text
    problems: list[Diagnostic] = []
    scanner = Scanner(0, text, problems.append)
    scanner.scan()
    found = [(t.type, str(t)) for t in scanner.tokens if t.type != "END"]
    return not problems and found == [(p.type, p.text) for p in pieces]


def _fill(chunks: list[Chunk], indent: int) -> list[OutputLine]:
    """Lines as full as they may be; those after the first are indented further."""
    lines: list[OutputLine] = []
    margin = " " * indent
    text = ""
    for chunk, comments in chunks:
        if text and len(margin) + len(text) + 1 + len(chunk) > WIDTH:
            lines.append(OutputLine(margin + text))
            text, margin = "", " " * (indent + INDENT)
        text = f"{text} {chunk}" if text else chunk
        if not comments:
            continue
        first = 0 if comments[0].alone else 1
        lines.append(OutputLine(margin + text, comments[0].text if first else None))
        text, margin = "", " " * (indent + INDENT)
        lines += [OutputLine(margin + c.text) for c in comments[first:]]
    lines.append(OutputLine(margin + text))
    return lines


# --- alignment ----------------------------------------------------------------------------------


def _aligned(body: Body) -> dict[int, dict[int, int]]:
    """For each entry that is padded: how wide it is before which of its pieces."""
    padding: dict[int, dict[int, int]] = {}
    group: list[tuple[int, Entry]] = []

    def end_group() -> None:
        if len(group) > 1:
            padding.update(_align(group))
        group.clear()

    for n, part in enumerate(body):
        if part.blank_before:
            end_group()
        if isinstance(part, Comment):
            continue
        if group and group[-1][1].shape is not part.shape:
            end_group()
        if _plain(part):
            group.append((n, part))
        else:
            end_group()
    end_group()
    return padding


def _plain(entry: Entry) -> bool:
    return (
        entry.braces is None
        and entry.shape is not Shape.OTHER
        and not any(p.comments for p in entry.pieces)
        and (entry.shape is Shape.LET or _has_value(entry.pieces))
    )


def _has_value(pieces: Sequence[Piece]) -> bool:
    """A word and something after it; what else may stand on a line means nothing."""
    return (
        len(pieces) > 1 and pieces[0].type == "NAME" and pieces[1].type not in ("COMMA", "OPERATOR")
    )


def _align(group: list[tuple[int, Entry]]) -> dict[int, dict[int, int]]:
    """The values of a group of settings, or the `=` of a group of `let`s, in one column."""
    # `let NAME = ...`: the third piece is padded; a setting: the second.
    at = 2 if group[0][1].shape is Shape.LET else 1
    width = max(len(_head(entry, at)) for _, entry in group) + 1
    padding = {n: {at: width} for n, _ in group}
    run: list[tuple[int, Entry]] = []
    for n, entry in group:
        if run and run[-1][1].pieces[0].text != entry.pieces[0].text:
            _align_arrows(run, padding)
            run = []
        run.append((n, entry))
    _align_arrows(run, padding)
    return padding


def _head(entry: Entry, at: int) -> str:
    return " ".join(p.text for p in entry.pieces[:at])


def _align_arrows(run: list[tuple[int, Entry]], padding: dict[int, dict[int, int]]) -> None:
    """The `->` of settings of one keyword in one column, where each has one and it fits."""
    arrows: dict[int, tuple[int, int]] = {}
    for n, entry in run:
        at = next((i for i, p in enumerate(entry.pieces) if p.type == "ARROW"), 0)
        if at < 2:
            return
        text = " ".join(chunk for chunk, _ in _chunks(entry.pieces[:at], padding[n]))
        arrows[n] = (at, len(text) + 1)
    width = max(w for _, w in arrows.values())
    for n, (at, _) in arrows.items():
        padding[n][at] = width


def _with_comments(lines: list[OutputLine]) -> list[str]:
    """The lines with their comments, those of neighbouring lines in one column."""
    texts: list[str] = []
    at = 0
    while at < len(lines):
        run = at
        while run < len(lines) and lines[run].comment is not None:
            run += 1
        column = _column(lines[at:run])
        for line in lines[at:run]:
            start = column if len(line.text) < column else len(line.text) + 2
            texts.append(f"{line.text:<{start}}{line.comment}")
        if run < len(lines):
            texts.append(lines[run].text)
            run += 1
        at = run
    return texts


def _column(lines: list[OutputLine]) -> int:
    """The first column that these lines leave free; a long line's comment just follows it."""
    ends = [len(line.text) for line in lines if len(line.text) < _COLUMNS[-1]]
    return next(c for c in _COLUMNS if c > max(ends, default=0))
