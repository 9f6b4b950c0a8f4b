"""A place that a client asks about, seen in the last analysis: offsets there, and the way back.

The buffer may have changed since. Offsets are mapped past the change; a place inside it has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lsprotocol import types

from tvsc.lsp.analysis import Analysis
from tvsc.lsp.index import Occurrence
from tvsc.lsp.session import Session, SiteState
from tvsc.lsp.text import Buffer, Shift
from tvsc.source import Span


@dataclass(frozen=True, slots=True)
class View:
    """File `number` of an analysis, and the buffer that shows it now."""

    session: Session
    site: SiteState
    analysis: Analysis
    number: int
    buffer: Buffer
    shift: Shift

    def offset(self, position: types.Position) -> int | None:
        """The offset in the analysed text; None inside what changed since."""
        return self.shift.to_old(self.buffer.lines.offset(position))

    def range(self, span: Span) -> types.Range | None:
        """Where a span of this file is now; None when it changed."""
        now = self.shift.span_to_new(span)
        return None if now is None else self.buffer.lines.span(now)

    def location(self, span: Span) -> types.Location | None:
        """Where a span of any file of the site is now."""
        key = self.analysis.keys[span.file]
        uri = self.session.uri(key)
        lines = self.analysis.lines(span.file)
        buffer = self.session.buffers.get(key)
        if buffer is None:
            return types.Location(uri, lines.span(span))
        shift = self.shift if span.file == self.number else Shift(lines.text, buffer.text)
        now = shift.span_to_new(span)
        return None if now is None else types.Location(uri, buffer.lines.span(now))

    def occurrences(self, offset: int) -> list[Occurrence]:
        """The names at a place."""
        return self.analysis.index.at(self.number, offset)


def views(session: Session, key: str) -> Iterator[View]:
    """What is known about a file: by the last analysis of each of its sites, and where that had a
    syntax error, by the last one that had none.
    """
    buffer = session.buffers.get(key)
    if buffer is None:
        return
    for site in session.sites_with(key):
        seen = None
        for analysis in (site.latest, site.good):
            number = None if analysis is None else analysis.numbers.get(key)
            if analysis is None or number is None or analysis is seen:
                continue
            seen = analysis
            shift = Shift(analysis.text(number), buffer.text)
            yield View(session, site, analysis, number, buffer, shift)
