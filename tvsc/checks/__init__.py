"""Rules over the resolved model, one file per family."""

from __future__ import annotations

from tvsc.diag.diagnostic import Diagnostic
from tvsc.model import Site


def check(site: Site) -> list[Diagnostic]:
    """All messages of all rules."""
    return []
