"""The local-IP map: every local IP of a cluster with its node, worker and slot.

Every node carries the map of all nodes, so that a packet for a peer's local IP is steered to the
same worker index that the peer would have used.
"""

from __future__ import annotations

from dataclasses import replace

from tvsc.model import Cluster, Node
from tvsc.plan.types import LipMap, LipPlan


def cluster_lips(cluster: Cluster) -> tuple[LipPlan, ...]:
    """All local IPs of the cluster, by node, worker and slot."""
    return tuple(
        LipPlan(address, node.index, worker, slot)
        for node in cluster.nodes
        for worker, addresses in enumerate(node.lips)
        for slot, address in enumerate(addresses)
    )


def _copies(entries: tuple[LipPlan, ...], cluster: Cluster, node: Node) -> tuple[LipPlan, ...]:
    """The peers' local IPs, by node and address, with slots behind the worker's own."""
    if cluster.sync is None:
        return ()
    taken = [len(own) for own in node.lips]
    copies = []
    for lip in sorted(entries, key=lambda lip: (lip.node, int(lip.address))):
        if lip.node != node.index:
            copies.append(replace(lip, slot=taken[lip.worker]))
            taken[lip.worker] += 1
    return tuple(copies)


def lip_map(entries: tuple[LipPlan, ...], cluster: Cluster, node: Node, origin: str) -> LipMap:
    """The cluster's map as `node` carries it. `entries` is `cluster_lips(cluster)`."""
    own = tuple(lip for lip in entries if lip.node == node.index)
    per_worker = cluster.local_ips.per_worker
    return LipMap(
        short=cluster.local_ips.short,
        long=node.long,
        entries=tuple(sorted(entries, key=lambda lip: int(lip.address))),
        own=own,
        copies=_copies(entries, cluster, node),
        origin=origin,
        reason=(
            f"worker w has the first {per_worker} addresses of its own aligned block inside "
            f"{node.long}, so that one prefix names a worker's local IPs"
        ),
    )
