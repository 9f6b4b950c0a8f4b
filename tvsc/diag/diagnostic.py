"""The one type of message about a site.

Lower case, no full stop, names in backticks; `message` states the fact, `help` alone advises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from tvsc.diag.codes import Code, Severity
from tvsc.source import Span

MOST_OF_A_CODE = 200
"""Messages of one code that are shown: a loop can make a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Note:
    """A related place or fact."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """`span` is the smallest text that is at fault; None when no text is (a missing file).

    `denied` makes a warning an error. `secret`: the text at `span` is one, and is not shown.
    """

    code: Code
    message: str
    span: Span | None = None
    notes: tuple[Note, ...] = ()
    help: str | None = None
    denied: bool = False
    secret: bool = False

    @property
    def severity(self) -> Severity:
        """Error or warning: a property of the code, unless the user denies the warning."""
        return Severity.ERROR if self.denied else self.code.severity


def at_most(limit: int, report: Callable[[Diagnostic], None]) -> Callable[[Diagnostic], None]:
    """Passes on the first `limit` messages; the last of them says that there are no more."""
    count = 0

    def bounded(diagnostic: Diagnostic) -> None:
        nonlocal count
        count += 1
        if count < limit:
            report(diagnostic)
        elif count == limit:
            report(last(diagnostic, limit))

    return bounded


def last(diagnostic: Diagnostic, limit: int) -> Diagnostic:
    """The message, which says that it is the last one of a stage."""
    note = Note(f"no more than {limit} errors are looked for: there may be others")
    return replace(diagnostic, notes=(*diagnostic.notes, note))


def in_source_order(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place, each once; what has no place comes first. Of one code the first
    `MOST_OF_A_CODE`: the last of them says how many more there are.
    """
    seen: set[Diagnostic] = set()
    unique = [d for d in diagnostics if not (d in seen or seen.add(d))]  # type: ignore[func-returns-value]
    unique.sort(key=lambda d: (d.span is not None, d.span or (0, 0, 0)))
    if len(unique) <= MOST_OF_A_CODE:
        return unique
    return _without_floods(unique)


def _without_floods(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    counts = Counter(d.code for d in diagnostics)
    shown: Counter[Code] = Counter()
    kept = []
    for diagnostic in diagnostics:
        code = diagnostic.code
        shown[code] += 1
        more = counts[code] - MOST_OF_A_CODE
        if shown[code] == MOST_OF_A_CODE and more > 0:
            note = Note(f"and {more:,} more of {code.id}, which are not shown")
            kept.append(replace(diagnostic, notes=(*diagnostic.notes, note)))
        elif shown[code] <= MOST_OF_A_CODE:
            kept.append(diagnostic)
    return kept


def has_errors(diagnostics: list[Diagnostic]) -> bool:
    """Whether anything forbids going on."""
    return any(d.severity is Severity.ERROR for d in diagnostics)
