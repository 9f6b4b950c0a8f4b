"""Diagnostics for programs: reads Diagnostic and SourceMap, writes JSON with a `format_version`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypedDict

from tvsc.diag.codes import Severity
from tvsc.diag.diagnostic import Diagnostic
from tvsc.diag.secrets import concealed
from tvsc.source import SourceMap, Span

FORMAT_VERSION = 1


class JsonLocation(TypedDict):
    """Lines and columns count from 1; `end_column` is the first one after the span."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


class JsonNote(TypedDict):
    """A related place or fact."""

    message: str
    location: JsonLocation | None


class JsonDiagnostic(TypedDict):
    """One message."""

    code: str
    severity: str
    message: str
    location: JsonLocation | None
    notes: list[JsonNote]
    help: str | None


class JsonReport(TypedDict):
    """The whole output of `tvsc check --format json`."""

    format_version: int
    errors: int
    warnings: int
    diagnostics: list[JsonDiagnostic]


def report(diagnostics: Sequence[Diagnostic], sources: SourceMap) -> JsonReport:
    """The diagnostics as plain data, in the order given."""
    return {
        "format_version": FORMAT_VERSION,
        "errors": sum(d.severity is Severity.ERROR for d in diagnostics),
        "warnings": sum(d.severity is Severity.WARNING for d in diagnostics),
        "diagnostics": [
            {
                "code": d.code.id,
                "severity": d.severity.value,
                "message": d.message,
                "location": _location(d.span, sources),
                "notes": [
                    {"message": n.message, "location": _location(n.span, sources)} for n in d.notes
                ],
                "help": d.help,
            }
            for d in concealed(diagnostics, sources)
        ],
    }


def render_json(diagnostics: Sequence[Diagnostic], sources: SourceMap) -> str:
    """The report as indented JSON, ending with a newline."""
    return json.dumps(report(diagnostics, sources), indent=2) + "\n"


def _location(span: Span | None, sources: SourceMap) -> JsonLocation | None:
    if span is None:
        return None
    at = sources.locate(span)
    return {
        "file": at.path,
        "line": at.line,
        "column": at.column,
        "end_line": at.end_line,
        "end_column": at.end_column,
    }
