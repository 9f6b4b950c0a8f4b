"""Diagnostics for GitHub Actions: reads Diagnostic and SourceMap, writes workflow commands.

A line `::error file=...,line=...::message` in a job's log becomes an annotation of that line in the
pull request. Values are escaped as the runner unescapes them: `%`, CR and LF everywhere, and `:`
and `,` in properties, too.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.diag.secrets import concealed
from tvsc.diag.text import printable
from tvsc.source import SourceMap, Span

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def render_github(diagnostics: Sequence[Diagnostic], sources: SourceMap) -> str:
    """One command a line; empty for none, else ends with a newline."""
    return "".join(f"{_command(d, sources)}\n" for d in concealed(diagnostics, sources))


def _command(diagnostic: Diagnostic, sources: SourceMap) -> str:
    properties = _place(diagnostic.span, sources) if diagnostic.span else {}
    properties["title"] = diagnostic.code.id
    lines = [printable(diagnostic.message)]
    lines += [_note(note, sources) for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"help: {printable(diagnostic.help)}")
    written = ",".join(f"{name}={_escape(value, _PROPERTY)}" for name, value in properties.items())
    message = _escape("\n".join(lines), _DATA)
    return f"::{diagnostic.severity} {written}::{message}"


def _place(span: Span, sources: SourceMap) -> dict[str, str]:
    """The lines; columns, too, when there is but one line: GitHub takes them only then."""
    at = sources.locate(span)
    place = {
        "file": printable(posixpath.normpath(at.path)),
        "line": str(at.line),
        "endLine": str(at.end_line),
    }
    if at.line == at.end_line:
        place["col"] = str(at.column)
        place["endColumn"] = str(max(at.column, at.end_column - 1))
    return place


def _note(note: Note, sources: SourceMap) -> str:
    text = f"note: {printable(note.message)}"
    if note.span is None:
        return text
    at = sources.locate(note.span)
    return f"{text} --> {printable(at.path)}:{at.line}:{at.column}"


def _escape(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)
