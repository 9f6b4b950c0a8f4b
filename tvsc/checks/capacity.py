"""Capacity: sessions, ports and table sizes agree."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Cluster, Site
from tvsc.plan.classes import ClassKey, class_key
from tvsc.plan.maglev import HASHED
from tvsc.plan.maglev import MAX_SERVERS as MAX_HASHED_SERVERS

PORTS_PER_LIP = 65535 - 1024 + 1
"""Local ports of one local IP that a worker hands out."""

MAX_SLOTS = 1024
MAX_SERVICES = 32768
MAX_POOLS = 16384
MAX_BACKENDS = 1 << 17
MAX_RING = 1 << 20
MAX_PORTS = 8
MAX_NODES = 255
MAX_PEERS = 63
MAX_CLASSES = 255
"""Limits of the runtime (tvs/base.h, tvs/core.h); a test compares them."""


def sessions_have_ports(site: Site) -> Iterator[Diagnostic]:
    """A worker cannot hold more sessions than its local IPs have ports."""
    for cluster in site.clusters:
        have = cluster.local_ips.per_worker * PORTS_PER_LIP
        if cluster.sessions_per_worker > have:
            needed = -(-cluster.sessions_per_worker // PORTS_PER_LIP)
            most = most_local_ips(cluster)
            fewer, more = f"at most {have} sessions", f"write `workers {needed} each`, or "
            if needed > most:
                fewer = f"at most {most * PORTS_PER_LIP} sessions, with `workers {most} each`"
                more = f"{len(cluster.nodes)} nodes have slots for no more: write "
            yield Diagnostic(
                codes.SESSIONS_EXCEED_PORTS,
                f"{cluster.sessions_per_worker} sessions per worker need {needed} local IPs, and a"
                f" worker has {cluster.local_ips.per_worker}",
                site.span(cluster, "sessions"),
                (Note("local IPs are given here", site.span(cluster.local_ips, "workers")),),
                f"{more}{fewer}",
            )


def most_local_ips(cluster: Cluster) -> int:
    """As many as each worker of each node can have."""
    return MAX_SLOTS // max(1, len(cluster.nodes))


def local_ips_fit_slots(site: Site) -> Iterator[Diagnostic]:
    """A worker has a slot for its own local IPs and for those of every peer's worker, of whose
    sessions it has copies.
    """
    for cluster in site.clusters:
        per_worker, nodes = cluster.local_ips.per_worker, len(cluster.nodes)
        if per_worker * nodes > MAX_SLOTS:
            yield Diagnostic(
                codes.LIP_SLOTS,
                f"{per_worker} local IPs each on {nodes} nodes are {per_worker * nodes}, and a"
                f" worker has slots for {MAX_SLOTS}",
                site.span(cluster.local_ips, "workers"),
                _copies_count(site, cluster),
                help=f"at most {most_local_ips(cluster)} each fit",
            )


def _copies_count(site: Site, cluster: Cluster) -> tuple[Note, ...]:
    if cluster.sync is None:
        return ()
    return (Note("copies of the peers' sessions count as well", site.span(cluster.sync)),)


def tables_hold_site(site: Site) -> Iterator[Diagnostic]:
    """The fixed tables of a node hold the site's listeners, servers and ports."""
    listeners = sum(len(s.vips) * len(s.listeners) for s in site.services)
    if listeners > MAX_SERVICES:
        yield Diagnostic(
            codes.SITE_TOO_BIG,
            f"the site has {listeners} pairs of VIP and listener, and a node holds {MAX_SERVICES}",
            site.span(site.services[-1]),
        )
    servers = sum(len(p.servers) for p in site.pools)
    if servers > MAX_BACKENDS:
        yield Diagnostic(
            codes.SITE_TOO_BIG,
            f"the site has {servers} servers, and a node holds {MAX_BACKENDS}",
            site.span(site.pools[-1]),
        )
    if len(site.pools) > MAX_POOLS:
        yield Diagnostic(
            codes.SITE_TOO_BIG,
            f"the site has {len(site.pools)} pools, and a node holds {MAX_POOLS}",
            site.span(site.pools[MAX_POOLS]),
        )
    for pool in site.pools:
        ring = sum(s.weight for s in pool.servers)
        if ring > MAX_RING:
            yield Diagnostic(
                codes.SITE_TOO_BIG,
                f"the weights of pool `{pool.name}` add up to {ring}, and the limit is {MAX_RING}",
                site.span(pool),
                help="divide them all by the same number",
            )
        if pool.schedule in HASHED and len(pool.servers) > MAX_HASHED_SERVERS:
            yield Diagnostic(
                codes.SITE_TOO_BIG,
                f"pool `{pool.name}` has {len(pool.servers)} servers, and a table of `schedule"
                f" {pool.schedule}` has room for {MAX_HASHED_SERVERS}",
                site.span(pool.servers[MAX_HASHED_SERVERS]),
                (Note("the schedule", site.span(pool, "schedule")),),
                "write `schedule wrr` or `least-loaded`, or make several pools",
            )
    for cluster in site.clusters:
        if len(cluster.nodes) > MAX_NODES:
            yield Diagnostic(
                codes.SITE_TOO_BIG,
                f"cluster `{cluster.name}` has {len(cluster.nodes)} nodes, and the limit is"
                f" {MAX_NODES}",
                site.span(cluster.nodes[MAX_NODES]),
            )
        peers = len(cluster.nodes) - 1
        if cluster.sync is not None and peers > MAX_PEERS:
            yield Diagnostic(
                codes.SITE_TOO_BIG,
                f"each of the {peers + 1} nodes of cluster `{cluster.name}` tells its sessions to"
                f" {peers} others, and the limit is {MAX_PEERS}",
                site.span(cluster.sync),
                (Note("one too many", site.span(cluster.nodes[MAX_PEERS + 1])),),
                f"at most {MAX_PEERS + 1} nodes a cluster with `sync`",
            )
    for node in site.nodes():
        if len(node.ports) > MAX_PORTS:
            yield Diagnostic(
                codes.SITE_TOO_BIG,
                f"node `{node.name}` has {len(node.ports)} ports, and the limit is {MAX_PORTS}",
                site.span(node.ports[MAX_PORTS]),
            )


def classes_fit(site: Site) -> Iterator[Diagnostic]:
    """The packet path is compiled once for each combination of properties that services have."""
    classes: set[ClassKey] = set()
    for service in site.services:
        sorry = None if service.sorry is None else site.pool_by_name[service.sorry]
        for listener in service.listeners:
            classes.add(class_key(service, listener, site.pool_by_name[listener.pool], sorry))
            if len(classes) > MAX_CLASSES:
                yield Diagnostic(
                    codes.SITE_TOO_BIG,
                    f"the services differ in more than {MAX_CLASSES} ways",
                    site.span(service),
                    help="give services the same timeouts, schedule and `on-down` where you can",
                )
                return


RULES = (sessions_have_ports, local_ips_fit_slots, tables_hold_site, classes_fit)
