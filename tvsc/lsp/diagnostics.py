"""Diagnostics of the compiler to those of the protocol, file by file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from lsprotocol import types

from tvsc.diag import Code, Diagnostic, Severity
from tvsc.diag.secrets import concealed
from tvsc.lsp.analysis import Checked
from tvsc.lsp.text import LineIndex
from tvsc.source import Span

_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
}

ByFile = dict[str, list[types.Diagnostic]]
"""The diagnostics of each file, by its key. A file without any has an empty list."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the client can show."""

    encoding: str = types.PositionEncodingKind.Utf16.value
    related: bool = False
    code_links: bool = False


class Translator:
    """The diagnostics of one site; `uri_of` gives the URI of a file by its key."""

    def __init__(self, checked: Checked, uri_of: Callable[[str], str], wishes: Wishes) -> None:
        self.keys = checked.sources.keys()
        self.sources = checked.sources
        self.diagnostics = concealed(checked.diagnostics, checked.sources)
        self.root = checked.root
        self.uri_of = uri_of
        self.wishes = wishes
        self._lines: dict[int, LineIndex] = {}

    def by_file(self, root_key: str) -> ByFile:
        """The diagnostics by file. What has no place is shown at the start of the site file."""
        found: ByFile = {key: [] for key in (root_key, *self.keys)}
        for diagnostic in self.diagnostics:
            span = diagnostic.span
            key = root_key if span is None else self.keys[span.file]
            found[key].append(self.one(diagnostic))
        return found

    def one(self, diagnostic: Diagnostic) -> types.Diagnostic:
        """One diagnostic: notes with a place are related information, the rest is text."""
        start = types.Range(types.Position(0, 0), types.Position(0, 0))
        related = []
        text = [diagnostic.message]
        for note in diagnostic.notes:
            if note.span is not None and self.wishes.related:
                related.append(
                    types.DiagnosticRelatedInformation(self.location(note.span), note.message)
                )
            else:
                where = f" --> {self.sources.label(note.span)}" if note.span is not None else ""
                text.append(f"note: {note.message}{where}")
        if diagnostic.help is not None:
            text.append(f"help: {diagnostic.help}")
        return types.Diagnostic(
            range=start if diagnostic.span is None else self.location(diagnostic.span).range,
            message="\n".join(text),
            severity=_SEVERITIES[diagnostic.severity],
            code=diagnostic.code.id,
            code_description=self.description(diagnostic.code),
            source="tvsc",
            related_information=related or None,
        )

    def location(self, span: Span) -> types.Location:
        """Where a span is, in the text that was checked."""
        lines = self._lines.get(span.file)
        if lines is None:
            text = self.sources.files[span.file].text
            lines = self._lines[span.file] = LineIndex(text, self.wishes.encoding)
        return types.Location(self.uri_of(self.keys[span.file]), lines.span(span))

    def description(self, code: Code) -> types.CodeDescription | None:
        """The page that `tvsc explain` prints, where it lies as a file."""
        if not self.wishes.code_links:
            return None
        with as_file(files("tvsc.diag") / "explain" / f"{code.id}.md") as page:
            return types.CodeDescription(Path(page).resolve().as_uri())
