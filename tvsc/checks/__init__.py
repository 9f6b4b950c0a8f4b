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
    capacity_load,
    limits,
    links,
    meaning,
    placement,
    steering,
    steering_proof,
    supported,
    sync,
)
from tvsc.diag.codes import Code
from tvsc.diag.diagnostic import Diagnostic
from tvsc.model import Site
from tvsc.source import Span

Rule = Callable[[Site], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    *addressing.RULES,
    *links.RULES,
    *steering.RULES,
    *capacity.RULES,
    *capacity_load.RULES,
    *placement.RULES,
    *availability.RULES,
    *meaning.RULES,
    *limits.RULES,
    *sync.RULES,
    *supported.RULES,
)


def check(site: Site) -> list[Diagnostic]:
    """The messages of all rules; of those with one code about one place (a loop) only the first."""
    found: dict[tuple[Code, Span | None], Diagnostic] = {}
    for rule in RULES:
        for diagnostic in rule(site):
            key = (diagnostic.code, diagnostic.span)
            found.setdefault(key, diagnostic)
    return list(found.values())


def prove(site: Site) -> list[Diagnostic]:
    """What only the planned steering can show, of a site that passed `check`: a counterexample
    here is a fault of the plan, unless the site has one that no rule knows.
    """
    return list(steering_proof.steering_is_proved(site))
