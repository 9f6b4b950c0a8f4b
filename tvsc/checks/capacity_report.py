"""What is left of what: one row for each resource of a cluster, healthy and with one node lost.

Reads a site that has passed its checks, writes rows; `tvsc check --report` prints them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvsc.checks.capacity import PORTS_PER_LIP
from tvsc.checks.capacity_load import Demand, Room, demand_of, room_of
from tvsc.checks.capacity_sync import bits_per_s, messages_per_s, site_told_per_s
from tvsc.checks.steering import rules_needed
from tvsc.model import Cluster, NicProfile, Site, Steering
from tvsc.plan.abi import SOURCE_SETS, SOURCE_WAYS
from tvsc.plan.access import access_bytes, kept_out
from tvsc.plan.memory import plan_memory
from tvsc.plan.schedule import table_entries, tables_bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """`have` is the limit and `need` what is wanted of it; None where nothing is known or
    declared. `have_lost` and `need_lost`: with one node lost (None: the same, or no other node).
    """

    resource: str
    per: str
    unit: str
    have: int | None
    need: int | None
    have_lost: int | None
    need_lost: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ClusterCapacity:
    """The rows of one cluster."""

    cluster: str
    nodes: int
    workers: int
    rows: tuple[Usage, ...]


def capacity(site: Site) -> tuple[ClusterCapacity, ...]:
    """One table for each cluster."""
    demand = demand_of(site)
    return tuple(
        ClusterCapacity(
            cluster.name,
            len(cluster.nodes),
            cluster.workers,
            (
                *_sessions(room_of(site, cluster), demand),
                *_rules(site, cluster),
                *_hugepages(cluster),
                _tables(site, len(cluster.nodes)),
                *_limits(site),
                _sync(site, cluster),
            ),
        )
        for cluster in site.clusters
    )


def _sessions(room: Room, demand: Demand | None) -> Iterator[Usage]:
    cluster, nodes = room.cluster, len(room.cluster.nodes)
    left = nodes - 1 or None
    total = demand.sessions if demand else None

    def busiest(amount: int | None, alive: int | None) -> int | None:
        return None if amount is None or alive is None else room.busiest(amount, alive)

    need, need_lost = busiest(total, nodes), busiest(total, left)
    yield Usage(
        "sessions",
        "cluster",
        "sessions",
        room.sessions(nodes),
        total,
        room.sessions(left) if left else None,
        total if left else None,
        _load_note(demand),
    )
    share = 100 * room.busiest_rows / room.rows
    yield Usage(
        "session table",
        "worker",
        "sessions",
        cluster.sessions_per_worker,
        need,
        cluster.sessions_per_worker if left else None,
        need_lost,
        f"the busiest worker has {room.busiest_rows} of {room.rows} rows, {share:.1f} % of its"
        f" node's requests{_copies_note(cluster)}",
    )
    each = cluster.local_ips.per_worker
    yield Usage(
        "local ports",
        "worker",
        "ports",
        room.ports,
        need,
        room.ports if left else None,
        need_lost,
        f"{each} local IPs; one port for each session, whichever the server",
    )
    yield Usage(
        "local ports",
        "local IP of a worker",
        "ports",
        PORTS_PER_LIP,
        None if need is None else -(-need // each),
        PORTS_PER_LIP if left else None,
        None if need_lost is None else -(-need_lost // each),
        _rest_note(room, demand, nodes),
    )


def _copies_note(cluster: Cluster) -> str:
    """Copies have room of their own: tables are planned for the sessions of all nodes."""
    if cluster.sync is None:
        return ""
    copies = cluster.sessions_per_worker * (len(cluster.nodes) - 1)
    return f"; besides, there is room for copies of {copies:,} sessions of its peers"


def _load_note(demand: Demand | None) -> str:
    if demand is None:
        return "no service declares a `load`"
    lingering = f", {demand.lingering:,} of them ended and timing out" if demand.lingering else ""
    services = "one service" if demand.services == 1 else f"{demand.services} services"
    return f"the `load` of {services}{lingering}"


def _rest_note(room: Room, demand: Demand | None, nodes: int) -> str:
    """Ports are handed out oldest first: how long one rests after its session has gone."""
    if demand is None or not demand.new_per_s:
        return "the port longest unused is taken next"
    rate = room.busiest(demand.new_per_s, nodes)
    free = room.ports - room.busiest(demand.sessions, nodes)
    return f"a port rests for {max(0, free) // max(1, rate):,} s before it is taken again"


def _rules(site: Site, cluster: Cluster) -> Iterator[Usage]:
    if cluster.steering is not Steering.FDIR:
        note = f"`steering {cluster.steering}` needs none"
        yield Usage("flow rules", "NIC", "rules", None, 0, None, None, note)
        return
    nics: dict[str, NicProfile] = {}
    for node in cluster.nodes:
        for port in node.ports:
            nics.setdefault(port.nic, site.nic_of(port))
    for nic in nics.values():
        limit = nic.flow_rules.max_rules if nic.flow_rules else None
        needed = rules_needed(cluster, nic)
        lost = len(cluster.nodes) > 1
        yield Usage(
            "flow rules",
            f"NIC {nic.name}",
            "rules",
            limit,
            needed,
            limit if lost else None,
            needed if lost else None,
            "for the local IPs of all nodes" + ("" if limit else "; no limit is known"),
        )


def _hugepages(cluster: Cluster) -> Iterator[Usage]:
    """The most that a node wants on each socket. Fixed at start: a lost node changes nothing."""
    most: dict[int | None, int] = {}
    for node in cluster.nodes:
        memory = plan_memory(cluster, node, "")
        socket = node.socket if node.pinned else None
        most[socket] = max(most.get(socket, 0), memory.hugepage_mb)
    for socket, need in sorted(most.items(), key=lambda item: (item[0] is not None, item[0] or 0)):
        where = "any socket" if socket is None else f"socket {socket}"
        yield Usage(
            "hugepages",
            f"node, {where}",
            "MiB",
            None,
            need,
            None,
            need if len(cluster.nodes) > 1 else None,
            "to be reserved on the machine" if need else "no port does DMA: ordinary pages do",
        )


def _tables(site: Site, nodes: int) -> Usage:
    """Every node has those of every pool that is used."""
    used = {pool for service in site.services for pool in service.pools}
    entries = [table_entries(pool) for pool in site.pools if pool.name in used]
    need = -(-tables_bytes(entries) >> 10)
    return Usage(
        "pool tables",
        "node",
        "KiB",
        None,
        need,
        None,
        need if nodes > 1 else None,
        f"{sum(entries):,} entries for the schedules of {len(entries)}"
        f" {'pool' if len(entries) == 1 else 'pools'}; ordinary memory",
    )


def _limits(site: Site) -> Iterator[Usage]:
    """What limits of services take: tables of a fixed size, the same with a node lost."""
    tables = {tuple(out) for s in site.services if s.limits and (out := kept_out(s.limits))}
    if tables:
        need = sum(access_bytes(out) for out in tables)
        ranges = sum(len(out) for out in tables)
        note = f"{ranges:,} ranges of sources that are kept out; ordinary memory"
        yield Usage("access tables", "node", "bytes", None, need, None, need, note)
    if any(s.limits and s.limits.new_per_source for s in site.services):
        sources = SOURCE_SETS * SOURCE_WAYS
        note = "sources ahead of their rate; one more, and the one ahead the least is let off"
        yield Usage("sources", "worker", "addresses", sources, None, sources, None, note)


def _sync(site: Site, cluster: Cluster) -> Usage:
    """What a node sends to the others. No site says how fast a link is: there is no limit."""

    def row(need: int | None, lost: int | None, note: str) -> Usage:
        return Usage("sync bandwidth", "node", "bit/s", None, need, None, lost, note)

    nodes = len(cluster.nodes)
    if cluster.sync is None:
        return row(0, None, "the cluster has no `sync`")
    told = site_told_per_s(site)
    if told is None or nodes < 2:
        return row(None, None, _load_note(None))
    note = (
        f"{messages_per_s(told, nodes, cluster.workers):,} messages/s at most to each of"
        f" {nodes - 1} others, as many from each; no limit is known"
    )
    healthy, lost = (bits_per_s(told, alive, cluster.workers) for alive in (nodes, nodes - 1))
    return row(healthy, lost, note)
