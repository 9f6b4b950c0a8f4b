"""Who took how much, against what he should have: counts, expected shares, a verdict. Pure.

Two kinds of chance. The switch and the NIC hash flows, so a share is a draw: four standard
deviations of the binomial distribution are tolerated, which a sound spread exceeds once in 16,000
times. The schedule of a worker is no chance: of any run of sessions each server gets its weight's
share to within one session, so the tolerance is one session per worker that scheduled.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from tvsc.lab.client import Fetch
from tvsc.lab.topology import LabPool, Topology

SIGMAS = 4.0


class Share(BaseModel):
    """`count` of the total, where `expected` were due, give or take `tolerance`."""

    model_config = ConfigDict(frozen=True)

    name: str
    count: int
    expected: float
    tolerance: float

    @property
    def good(self) -> bool:
        return abs(self.count - self.expected) <= self.tolerance + 1e-9


class Spread(BaseModel):
    """Shares of `unit`s over one kind of thing. `law` says where the tolerance comes from."""

    model_config = ConfigDict(frozen=True)

    of: str
    unit: str
    law: str
    shares: list[Share]
    good: bool


def place(topology: Topology, fetches: Iterable[Fetch]) -> dict[Fetch, tuple[str, int]]:
    """Node and worker that took each fetch: the owner of the local IP that the server saw."""
    owners = topology.owners()
    return {
        fetch: (owners[fetch.local_ip][0].name, owners[fetch.local_ip][1])
        for fetch in fetches
        if fetch.ok and fetch.local_ip in owners
    }


def over_nodes(topology: Topology, placed: Mapping[Fetch, tuple[str, int]]) -> Spread:
    """Flows, as the switch hashes them, over the nodes that announce the VIPs. A flow that came
    to two nodes counts for both.
    """
    flows = {(fetch.flow, node) for fetch, (node, _) in placed.items()}
    counts = Counter(node for _, node in flows)
    serving = [node.name for node in topology.serving]
    others = sorted(set(counts) - set(serving))
    shares = [_drawn(name, counts[name], len(flows), 1 / len(serving)) for name in serving]
    shares += [Share(name=name, count=counts[name], expected=0, tolerance=0) for name in others]
    return _spread(
        "nodes",
        "flows",
        "ECMP hash of source and destination address: within four standard deviations",
        shares,
    )


def over_workers(topology: Topology, placed: Mapping[Fetch, tuple[str, int]]) -> Spread:
    """Sessions over the workers of each node that took any."""
    counts = Counter(placed.values())
    shares = []
    for node in topology.nodes:
        workers = range(len(node.lips))
        total = sum(counts[node.name, worker] for worker in workers)
        if total:
            shares += [
                _drawn(f"{node.name}/{worker}", counts[node.name, worker], total, 1 / len(workers))
                for worker in workers
            ]
    return _spread(
        "workers",
        "sessions",
        "RSS hash of addresses and ports: within four standard deviations",
        shares,
    )


def over_servers(pool: LabPool, placed: Mapping[Fetch, tuple[str, int]]) -> Spread:
    """Sessions of one pool over its servers, against the weights."""
    taken = {fetch: where for fetch, where in placed.items() if fetch.target.pool == pool.name}
    counts = Counter(fetch.server for fetch in taken)
    total_weight = sum(weight for _, weight in pool.weights)
    tolerance = float(len(set(taken.values())))
    shares = [
        Share(
            name=name,
            count=counts[name],
            expected=len(taken) * weight / total_weight if total_weight else 0.0,
            tolerance=tolerance if weight else 0.0,
        )
        for name, weight in pool.weights
    ]
    known = {name for name, _ in pool.weights}
    shares += [
        Share(name=name, count=counts[name], expected=0, tolerance=0)
        for name in sorted(set(counts) - known)
    ]
    return _spread(
        f"servers of {pool.name}",
        "sessions",
        "weighted round robin, one session per worker",
        shares,
    )


def _drawn(name: str, count: int, total: int, share: float) -> Share:
    sigma = math.sqrt(total * share * (1 - share))
    return Share(name=name, count=count, expected=total * share, tolerance=round(SIGMAS * sigma, 1))


def _spread(of: str, unit: str, law: str, shares: list[Share]) -> Spread:
    return Spread(of=of, unit=unit, law=law, shares=shares, good=all(s.good for s in shares))
