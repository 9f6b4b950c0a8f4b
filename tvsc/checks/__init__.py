"""Rules over the resolved model: what the description says must be able to work.

One file per family; each rule is a small function `(Site) -> Iterator[Diagnostic]` whose name says
what it demands, and costs no more than linear time in the site. All rules run; the order of `RULES`
does not matter, because messages are sorted by place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tvsc.checks import (
    addressing,
    availability,
    capacity,
    meaning,
    placement,
    steering,
    supported,
)
from tvsc.diag.diagnostic import Diagnostic
from tvsc.model import Site

Rule = Callable[[Site], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    *addressing.RULES,
    *steering.RULES,
    *capacity.RULES,
    *placement.RULES,
    *availability.RULES,
    *meaning.RULES,
    *supported.RULES,
)


def check(site: Site) -> list[Diagnostic]:
    """All messages of all rules."""
    return [diagnostic for rule in RULES for diagnostic in rule(site)]
