"""Session sync: whom a node tells about its sessions, and from which port.

A node that has not announced its local IPs yet cannot be reached by them, because the short prefix
leads to a peer. So messages go to the address of the peer's own port, where no flow rule takes
them: RSS alone brings them to a worker. Key and table are one in the cluster, so the source port
can be chosen for the worker that it is to be (docs/adr/0012).
"""

from __future__ import annotations

from functools import cache
from typing import Final

from tvsc.model import Cluster, Node, Port, Sync
from tvsc.plan.classes import Label
from tvsc.plan.rss import toeplitz
from tvsc.plan.types import PeerPlan, SteeringPlan, SyncPathPlan, SyncPlan

FIRST_SOURCE_PORT: Final = 49152
"""Where ports that nobody has been assigned begin (RFC 6335)."""

_CANDIDATES = (*range(FIRST_SOURCE_PORT, 65536), *range(FIRST_SOURCE_PORT - 1, 0, -1))
_SOURCE_PORT_AT = 8  # bytes before it in what is hashed


@cache
def _rows_of_ports(key: bytes, rows: int) -> tuple[int, ...]:
    """What each candidate adds to the row: Toeplitz is linear."""
    bits = [
        toeplitz(key, bytes(_SOURCE_PORT_AT) + (1 << bit).to_bytes(2, "big")) & (rows - 1)
        for bit in range(16)
    ]
    sums = [0]
    for bit in bits:
        sums += [value ^ bit for value in sums]
    return tuple(sums[port] for port in _CANDIDATES)


def source_ports(
    steering: SteeringPlan, source: int, destination: int, port: int, workers: int
) -> tuple[int, ...]:
    """For each worker the first source port whose UDP to `destination`:`port` RSS brings to it.

    There is one: every worker is in the table, and source ports alone reach all of its rows
    (`spreads_well`).
    """
    rows = len(steering.reta)
    data = source.to_bytes(4, "big") + destination.to_bytes(4, "big") + bytes(2)
    base = toeplitz(steering.key, data + port.to_bytes(2, "big")) & (rows - 1)
    found: dict[int, int] = {}
    for candidate, row in zip(_CANDIDATES, _rows_of_ports(steering.key, rows), strict=True):
        found.setdefault(steering.reta[base ^ row], candidate)
        if len(found) == workers:
            break
    return tuple(found[worker] for worker in range(workers))


def _path(sync: Sync, workers: int, own: Port, other: Port, steering: SteeringPlan) -> SyncPathPlan:
    local, remote = own.address.ip, other.address.ip
    ports = source_ports(steering, int(local), int(remote), sync.port, workers)
    return SyncPathPlan(own.name, local, remote, ports)


def plan_sync(
    cluster: Cluster, node: Node, steering: SteeringPlan, label: Label
) -> SyncPlan | None:
    """The peers of `node`, in the order of the cluster; None for a cluster without sync."""
    sync = cluster.sync
    if sync is None:
        return None
    return SyncPlan(
        port=sync.port,
        key=sync.key,
        peers=tuple(
            PeerPlan(
                name=peer.name,
                node=peer.index,
                paths=tuple(
                    _path(sync, node.workers, own, other, steering)
                    for own, other in zip(node.ports, peer.ports, strict=False)
                ),
                origin=label(peer, ""),
            )
            for peer in cluster.nodes
            if peer.index != node.index
        ),
        origin=label(sync, ""),
        reason=(
            "RSS, which is the same on every node, brings what worker w sends from its source port"
            " to the peer's worker w"
        ),
    )
