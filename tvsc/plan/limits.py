"""What a worker enforces of a service's limits: its share of what the site says of a node.

RSS spreads sessions over the workers, and a worker knows its own alone. So a number of sessions is
divided evenly. A rate cannot be: of a source with few sessions one worker may see most. A worker's
share of it is larger than that of the packets, by as much as a source that keeps to the rate needs.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction

from tvsc.model import Service, Site
from tvsc.plan.abi import TICK_MS
from tvsc.plan.access import AccessTables
from tvsc.plan.classes import Label
from tvsc.plan.types import LimitPlan, ServicePlan

BURST_SLACK = 32
"""Sessions beyond a second's share that a source may be ahead of its rate on one worker."""

_LEAST_SLACK = 1.25
_REFUSED_WRONGLY = 1e-6
_TICKS_PER_S = 1000 // TICK_MS
_ONE_TICK = 1 << 32


def source_rate(rate: int, share: Fraction) -> tuple[int, int]:
    """(sessions per 1000 s, burst in sessions) that a worker allows a source whose limit is `rate`
    sessions a second on the node; the worker gets `share` of all packets.

    A worker that gets all is exact. Otherwise sessions come to it at random: with a burst of b
    sessions and a rate that is x times what comes on average, a bucket overflows with a probability
    of e^-tb, where (e^t - 1) / t = x. The rate is what makes that one in a million, at least a
    quarter more than the average, and never more than the whole: then nobody is refused wrongly.
    """
    mean = float(rate * share)
    if share == 1:
        burst, allowed = rate, float(rate)
    else:
        burst = min(rate, math.ceil(mean) + BURST_SLACK)
        t = -math.log(_REFUSED_WRONGLY) / burst
        allowed = min(float(rate), mean * max(_LEAST_SLACK, math.expm1(t) / t))
    # Time is known to a tick only: what was refilled during one is noticed at its end.
    burst += math.ceil(allowed / _TICKS_PER_S)
    return math.ceil(allowed * 1000 - 1e-3), burst


def interval_of(per_1000s: int) -> int:
    """Time between two sessions at a rate, in 2^-32 ticks."""
    return max(1, _TICKS_PER_S * 1000 * _ONE_TICK // per_1000s)


def plan_limits(
    site: Site,
    services: tuple[ServicePlan, ...],
    access: AccessTables,
    reta: tuple[int, ...],
    label: Label,
) -> tuple[LimitPlan, ...]:
    """One for each service that has limits, in source order; `reta` is the node's."""
    listeners: defaultdict[str, list[int]] = defaultdict(list)
    for listener in services:
        listeners[listener.name].append(listener.id)
    workers = len(set(reta))
    share = Fraction(max(Counter(reta).values()), len(reta))
    return tuple(
        _limit(service, listeners[service.name], access, workers, share, label)
        for service in site.services
        if service.is_limited and listeners[service.name]
    )


def _limit(
    service: Service,
    listeners: list[int],
    access: AccessTables,
    workers: int,
    share: Fraction,
    label: Label,
) -> LimitPlan:
    limits = service.limits
    assert limits is not None
    connections, rate = limits.connections or 0, limits.new_per_source or 0
    per_1000s, burst = source_rate(rate, share) if rate else (0, 0)
    reasons = []
    if connections:
        reasons.append(f"{connections} sessions over {workers} workers, rounded up")
    if rate:
        reasons.append(
            f"{rate} new sessions a second of one source, of which a worker sees"
            f" {float(100 * share):.1f} % on average, and by chance more"
        )
    table = access.of(service.name)
    if table is not None:
        reasons.append(f"access table {table} keeps sources out")
    return LimitPlan(
        service=service.name,
        first=listeners[0],
        last=listeners[-1],
        connections=connections,
        worker_connections=-(-connections // workers),
        new_per_source=rate,
        worker_per_1000s=per_1000s,
        worker_burst=burst,
        access=table,
        origin=label(limits, ""),
        reason="; ".join(reasons) or "everybody is let in",
    )
