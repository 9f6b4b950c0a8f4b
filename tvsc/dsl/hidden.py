"""Characters that make a text look other than it is read: reads a text, reports them.

Control characters are obeyed by terminals; a lone carriage return and the line separators of
Unicode start a new line in editors and none here; the controls of bidirectional text show words in
another order than they stand. A reviewer would approve what he does not see, so none may stand
anywhere, not even in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, at_most
from tvsc.dsl import limits
from tvsc.source import Span

_SUSPECT = re.compile(
    "[\\x00-\\x08\\x0b\\r\\x0e-\\x1f\\x7f-\\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def is_hidden(character: str) -> bool:
    """Whether the character may stand nowhere in a file of a site."""
    return bool(_SUSPECT.match(character))


def report_hidden(
    number: int,
    text: str,
    report: Callable[[Diagnostic], None],
    first: int = 0,
    last: int | None = None,
) -> None:
    """A message for each run of such characters in text number `number`, from character `first` up
    to `last`, up to a limit.
    """
    report = at_most(limits.SYNTAX_ERRORS, report)
    runs = _runs(text, first, len(text) if last is None else last)
    for start, end in islice(runs, limits.SYNTAX_ERRORS):
        message = f"the character {_shown(text[start])} {_why(text[start])}"
        report(
            Diagnostic(codes.HIDDEN_CHARACTER, message, Span(number, start, end), help="remove it")
        )


def _runs(text: str, at: int, last: int) -> Iterator[tuple[int, int]]:
    """Where one such character, or the same one several times, stands."""
    while (match := _SUSPECT.search(text, at, last)) is not None:
        run = re.compile(re.escape(match.group()) + "+").match(text, match.start(), last)
        assert run is not None
        start, at = run.span()
        end = at - (text[start] == "\r" and text[at : at + 1] == "\n")
        if end > start:
            yield start, end


def _shown(character: str) -> str:
    return f"U+{ord(character):04X}"


def _why(character: str) -> str:
    if character == "\r":
        return "(carriage return) begins a line in editors, and none here"
    if character in "\u2028\u2029\x85":
        return "begins a line in editors, and none here"
    if character >= "\u202a":
        return "makes the text around it be shown in another order than it is read"
    return "is not shown, and terminals may obey it"
