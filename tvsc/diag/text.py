"""Diagnostics for people: reads Diagnostic and SourceMap, writes text with carets."""

from __future__ import annotations

from collections.abc import Sequence

from tvsc.diag.codes import Severity
from tvsc.diag.diagnostic import Diagnostic
from tvsc.diag.secrets import Secrets, concealed, secrets_of
from tvsc.source import SourceMap, Span

# A longer line is shown around the span only.
_WINDOW = 160

_RED, _YELLOW, _BLUE, _CYAN, _BOLD, _RESET = (
    "\x1b[1;31m",
    "\x1b[1;33m",
    "\x1b[1;34m",
    "\x1b[1;36m",
    "\x1b[1m",
    "\x1b[0m",
)


class _Paint:
    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self.colour else text


def printable(text: str) -> str:
    """The text with everything that a terminal could obey replaced; one character stays one."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def render_text(diagnostics: Sequence[Diagnostic], sources: SourceMap, colour: bool = False) -> str:
    """All diagnostics, a blank line between them; empty for none, else ends with a newline."""
    secrets = secrets_of(diagnostics, sources)
    return "\n".join(_one(d, secrets, _Paint(colour)) for d in concealed(diagnostics, sources))


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`; empty for none."""
    parts = []
    for severity in Severity:
        count = sum(d.severity is severity for d in diagnostics)
        if count:
            parts.append(f"{count} {severity}{'s' if count > 1 else ''}")
    return ", ".join(parts)


def _one(diagnostic: Diagnostic, secrets: Secrets, paint: _Paint) -> str:
    sources = secrets.sources
    head = paint(
        _RED if diagnostic.severity is Severity.ERROR else _YELLOW,
        f"{diagnostic.severity}[{diagnostic.code.id}]",
    )
    lines = [f"{head}{paint(_BOLD, ': ' + printable(diagnostic.message))}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span, secrets, paint, diagnostic.severity)
    for note in diagnostic.notes:
        where = f" {paint(_BLUE, '-->')} {_place(note.span, sources)}" if note.span else ""
        lines.append(f"{paint(_BOLD, 'note')}: {printable(note.message)}{where}")
    if diagnostic.help:
        lines.append(f"{paint(_CYAN, 'help')}: {printable(diagnostic.help)}")
    return "\n".join(lines) + "\n"


def _place(span: Span, sources: SourceMap) -> str:
    at = sources.locate(span)
    return f"{printable(at.path)}:{at.line}:{at.column}"


def _excerpt(span: Span, secrets: Secrets, paint: _Paint, severity: Severity) -> list[str]:
    sources = secrets.sources
    at = sources.locate(span)
    line = secrets.masked(span)
    first = min(at.column - 1, len(line))
    last = len(line) if at.end_line > at.line else min(at.end_column - 1, len(line))
    if len(line) > _WINDOW:
        left = max(0, min(first - _WINDOW // 4, len(line) - _WINDOW))
        line = line[left : left + _WINDOW]
        first, last = first - left, min(last - left, _WINDOW)
    number = str(at.line)
    gutter = " " * len(number)
    bar = paint(_BLUE, "|")
    carets = paint(_RED if severity is Severity.ERROR else _YELLOW, "^" * max(1, last - first))
    return [
        f"{gutter[1:] or ' '}{paint(_BLUE, '-->')} {_place(span, sources)}",
        f"{gutter} {bar}",
        f"{paint(_BLUE, number)} {bar} {printable(line)}",
        f"{gutter} {bar} {' ' * first}{carets}",
    ]
