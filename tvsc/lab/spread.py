"""Who took how much, against what he should have: counts, expected shares, a verdict. Pure.

Two kinds of chance. The switch and the NIC hash flows, so a share is a draw: four standard
deviations of the binomial distribution are tolerated, which a sound spread exceeds once in 16,000
times. Turns are no chance: of any run of sessions of a worker each server gets its weight's share
to within one session, so the tolerance is one session per worker that scheduled. A pool that is
scheduled by hash draws again, a flow or a client at a time.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from tvsc.lab.client import Fetch
from tvsc.lab.topology import LabPool, Topology
from tvsc.model import Schedule

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
    total_weight = max(1, sum(weight for _, weight in pool.weights))
    law, tolerance = _server_law(pool, taken)
    shares = [
        Share(
            name=name,
            count=counts[name],
            expected=len(taken) * weight / total_weight,
            tolerance=tolerance(weight / total_weight) if weight else 0.0,
        )
        for name, weight in pool.weights
    ]
    known = {name for name, _ in pool.weights}
    shares += [
        Share(name=name, count=counts[name], expected=0, tolerance=0)
        for name in sorted(set(counts) - known)
    ]
    if pool.schedule is Schedule.SOURCE_HASH:
        met = {(fetch.source, fetch.server) for fetch in taken}
        torn = len(met) - len({source for source, _ in met})
        shares.append(Share(name="clients with two servers", count=torn, expected=0, tolerance=0))
    return _spread(f"servers of {pool.name}", "sessions", law, shares)


def _server_law(
    pool: LabPool, taken: Mapping[Fetch, tuple[str, int]]
) -> tuple[str, Callable[[float], float]]:
    """(what is said of the tolerance, the tolerance of a share between 0 and 1)."""
    if pool.schedule is Schedule.SOURCE_HASH:
        each = list(Counter(fetch.source for fetch in taken).values())
        law = "hash of the client's address: within four standard deviations"
        return law, lambda share: _tolerance(each, share)
    if pool.schedule in (Schedule.MAGLEV, Schedule.LEAST_LOADED):
        name = "hash of the flow" if pool.schedule is Schedule.MAGLEV else "the less loaded of two"
        return f"{name}: within four standard deviations", lambda share: _tolerance(
            [1] * len(taken), share
        )
    workers = float(len(set(taken.values())))
    return "weighted round robin, one session per worker", lambda _: workers


def _tolerance(each: Sequence[int], share: float) -> float:
    """Of draws that bring so many sessions each."""
    variance = sum(count * count for count in each) * share * (1 - share)
    return round(SIGMAS * math.sqrt(variance), 1)


def _drawn(name: str, count: int, total: int, share: float) -> Share:
    tolerance = _tolerance([1] * total, share)
    return Share(name=name, count=count, expected=total * share, tolerance=tolerance)


def _spread(of: str, unit: str, law: str, shares: list[Share]) -> Spread:
    return Spread(of=of, unit=unit, law=law, shares=shares, good=all(s.good for s in shares))
