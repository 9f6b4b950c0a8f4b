"""Warnings made errors: what `--deny` asks for, applied to diagnostics."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from tvsc.diag.codes import CODES, Severity
from tvsc.diag.diagnostic import Diagnostic, Note

WARNINGS = "warnings"
"""The name of all warnings together."""


def denied_ids(names: Sequence[str]) -> frozenset[str]:
    """Ids of codes from what the user wrote: codes in any case, and `warnings`.

    Raises KeyError with the first name that is neither.
    """
    found: set[str] = set()
    for name in names:
        if name.lower() == WARNINGS:
            found |= {code.id for code in CODES.values() if code.severity is Severity.WARNING}
        else:
            found.add(CODES[name.upper()].id)
    return frozenset(found)


def deny(diagnostics: Sequence[Diagnostic], ids: Collection[str]) -> list[Diagnostic]:
    """The diagnostics, where the warnings with these codes are errors and say why."""
    return [
        replace(d, denied=True, notes=(*d.notes, Note(f"an error by `--deny {d.code.id}`")))
        if d.code.id in ids and d.severity is Severity.WARNING
        else d
        for d in diagnostics
    ]
