"""High availability: the clusters agree on who comes first, nodes of a cluster are alike."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import (
    USUAL_LOCAL_PREF,
    Cluster,
    Lowering,
    NicProfile,
    Pool,
    Preference,
    Role,
    Server,
    Service,
    Site,
)


def standby_lowers(site: Site) -> Iterator[Diagnostic]:
    """A standby's routes are strictly less preferred than a primary's."""
    for cluster in site.clusters:
        role = cluster.role
        if role.preference is not Preference.STANDBY:
            continue
        if not _lowers(role):
            yield Diagnostic(
                codes.STANDBY_NOT_LOWER,
                f"cluster `{cluster.name}` is standby and does not lower its preference",
                site.span(cluster, "role"),
                help=f"write `role standby {_advice(site, cluster)}`",
            )


def _lowers(role: Role) -> bool:
    if role.lowering is Lowering.LOCAL_PREF:
        return role.local_pref < USUAL_LOCAL_PREF
    return bool(role.prepend or role.med or role.community)


def _advice(site: Site, cluster: Cluster) -> str:
    """A way of lowering that reaches all neighbours of the cluster."""
    internal = [fabric.asn == site.asn for fabric in cluster.fabric]
    if not any(internal):
        return "prepend 3"
    return "local-pref 50" if all(internal) else "med 100"


def lowering_reaches_the_switch(site: Site) -> Iterator[Diagnostic]:
    """Every neighbour of a standby gets what lowers its preference, with the routes."""
    for cluster in site.clusters:
        lowering = cluster.role.lowering
        for fabric in cluster.fabric:
            internal = fabric.asn == site.asn
            if lowering is Lowering.LOCAL_PREF and not internal:
                why = (
                    f"`local-pref` is not sent to a neighbour of another AS: {fabric.address} would"
                    f" prefer cluster `{cluster.name}` no less"
                )
            elif lowering is Lowering.PREPEND and internal:
                why = (
                    "by `prepend` a neighbour in the site's own AS would have a path with this AS"
                    f" in it, and refuse it: {fabric.address} would never use cluster"
                    f" `{cluster.name}`"
                )
            else:
                continue
            yield Diagnostic(
                codes.LOWERING_UNSEEN,
                why,
                site.span(cluster, "role"),
                (Note("the neighbour's AS", site.span(fabric, "asn")),),
                f"write `role standby {_advice(site, cluster)}`",
            )
            break


def standby_is_compared(site: Site) -> Iterator[Diagnostic]:
    """MED and local preference go no further than the neighbour's AS: it knows the primary, too."""
    primary = next((c for c in site.clusters if c.role.preference is Preference.PRIMARY), None)
    if primary is None:
        return
    heard = {fabric.asn for fabric in primary.fabric}
    for cluster in site.clusters:
        if cluster.role.lowering not in (Lowering.MED, Lowering.LOCAL_PREF):
            continue
        alone = next((fabric for fabric in cluster.fabric if fabric.asn not in heard), None)
        if alone is not None:
            yield Diagnostic(
                codes.LOWERING_UNSEEN,
                f"`{cluster.role.lowering}` goes no further than AS {alone.asn}, which has no"
                f" session with cluster `{primary.name}` to compare with",
                site.span(cluster, "role"),
                (
                    Note(f"a neighbour in AS {alone.asn}", site.span(alone, "asn")),
                    Note(f"the neighbours of `{primary.name}`", site.span(primary.fabric[0])),
                ),
                "write `prepend 3`, or give both clusters neighbours of one AS",
            )


def standbys_differ(site: Site) -> Iterator[Diagnostic]:
    """Two standbys are not equally preferred: VIPs would be served by both."""
    seen: dict[tuple[object, ...], str] = {}
    for cluster in site.clusters:
        role = cluster.role
        if role.preference is not Preference.STANDBY:
            continue
        rank = (role.prepend, role.med, role.local_pref, role.community)
        earlier = seen.setdefault(rank, cluster.name)
        if earlier != cluster.name:
            yield Diagnostic(
                codes.STANDBY_NOT_LOWER,
                f"clusters `{earlier}` and `{cluster.name}` are standby with the same preference",
                site.span(cluster, "role"),
                (Note(f"that of `{earlier}`", site.span(site.cluster_by_name[earlier], "role")),),
            )


def one_primary(site: Site) -> Iterator[Diagnostic]:
    """Exactly one cluster is primary."""
    primaries = [c for c in site.clusters if c.role.preference is Preference.PRIMARY]
    if not primaries and site.clusters:
        yield Diagnostic(
            codes.NO_PRIMARY,
            "every cluster is standby",
            site.span(site.clusters[0], "role"),
            help="write `role primary` for one of them",
        )
    for second in primaries[1:]:
        first = primaries[0]
        yield Diagnostic(
            codes.NO_PRIMARY,
            f"clusters `{first.name}` and `{second.name}` are both primary: the switch would"
            " spread connections over two clusters that share no sessions",
            site.span(second, "role"),
            (Note(f"cluster `{first.name}`", site.span(first, "role")),),
            "write `role standby` for one of them",
        )


def bfd_before_hold(site: Site) -> Iterator[Diagnostic]:
    """BFD finds a dead neighbour before the hold time does, or it is of no use."""
    for cluster in site.clusters:
        for fabric in cluster.fabric:
            if fabric.bfd is None:
                continue
            detect = fabric.bfd.interval_ms * fabric.bfd.multiplier
            if detect >= fabric.hold_ms:
                yield Diagnostic(
                    codes.HOLD_BELOW_BFD,
                    f"BFD finds a dead neighbour after {detect}ms, and BGP gives up after"
                    f" {fabric.hold_ms}ms",
                    site.span(fabric, "bfd"),
                    (Note("the hold time", site.span(fabric, "hold")),),
                )


def failover_as_promised(site: Site) -> Iterator[Diagnostic]:
    """The switch notices a dead node within `failover`: by BFD, else by the hold time."""
    for cluster in site.clusters:
        for fabric in cluster.fabric:
            after, by = fabric.hold_ms, "hold"
            if fabric.bfd is not None:
                after, by = fabric.bfd.interval_ms * fabric.bfd.multiplier, "bfd"
            promised = cluster.failover_ms
            if promised is None or after <= promised:
                continue
            times = fabric.bfd.multiplier if fabric.bfd is not None else 3
            yield Diagnostic(
                codes.FAILOVER_SLOW,
                f"neighbour {fabric.address} notices a dead node of cluster `{cluster.name}` after"
                f" {after}ms, and {promised}ms are promised",
                site.span(fabric, by),
                (Note("the promise", site.span(cluster, "failover")),),
                f"write `bfd {promised // times}ms x {times}`" if promised >= 10 * times else None,
            )


def fallbacks_lead_somewhere(site: Site) -> Iterator[Diagnostic]:
    """`sorry` is another pool than the listeners' own; `min-up` leaves the VIPs to another
    cluster.
    """
    for service in site.services:
        own = next((li for li in service.listeners if li.pool == service.sorry), None)
        if own is not None:
            yield Diagnostic(
                codes.NOWHERE_TO_GO,
                f"`sorry {service.sorry}` is the pool that serves {own.protocol} {own.port}"
                " already",
                site.span(service, "sorry"),
                (Note("the listener", site.span(own)),),
            )
        elif service.sorry is not None:
            yield from _sorry_serves(site, service, site.pool_by_name[service.sorry])
        if service.min_up and len(site.clusters) == 1:
            yield Diagnostic(
                codes.NOWHERE_TO_GO,
                f"`min-up` withdraws the VIPs of service `{service.name}`, and there is no other"
                " cluster to take them",
                site.span(service, "min-up"),
                (Note("the only cluster", site.span(site.clusters[0])),),
            )


def _sorry_serves(site: Site, service: Service, sorry: Pool) -> Iterator[Diagnostic]:
    if any(s.weight for s in sorry.servers) and all(s.drain or not s.weight for s in sorry.servers):
        yield Diagnostic(
            codes.NOWHERE_TO_GO,
            f"no server of `sorry {sorry.name}` takes new sessions",
            site.span(service, "sorry"),
            (Note("the pool", site.span(sorry)),),
        )


def sorry_servers_are_others(site: Site) -> Iterator[Diagnostic]:
    """A sorry pool has no server of a pool that it stands in for: it would be down as well, and
    peers could not tell whose session they hear of.
    """
    pairs: dict[tuple[str, str], Service] = {}
    for service in site.services:
        for listener in service.listeners:
            if service.sorry is not None and service.sorry != listener.pool:
                pairs.setdefault((service.sorry, listener.pool), service)
    servers: dict[str, dict[str, Server]] = {}
    for (sorry, own), service in pairs.items():
        if sorry not in servers:
            servers[sorry] = {s.key: s for s in site.pool_by_name[sorry].servers}
        for server in site.pool_by_name[own].servers:
            twin = servers[sorry].get(server.key)
            if twin is not None:
                yield Diagnostic(
                    codes.NOWHERE_TO_GO,
                    f"server {server.key} of `sorry {sorry}` is one of pool `{own}`, too",
                    site.span(twin),
                    (
                        Note(f"that of pool `{own}`", site.span(server)),
                        Note("the service", site.span(service, "sorry")),
                    ),
                    "a server that answers in its place has another address or port",
                )
                break


def sorry_pools_treat_alike(site: Site) -> Iterator[Diagnostic]:
    """A sorry pool says nothing of `on-down` that its services do not heed."""
    said: set[str] = set()
    for service in site.services:
        if service.sorry is None or service.sorry in said:
            continue
        sorry = site.pool_by_name[service.sorry]
        if site.origins.exact(f"{sorry.at}/on-down") is None:
            continue
        for listener in service.listeners:
            own = site.pool_by_name[listener.pool]
            if own.on_down is not sorry.on_down:
                said.add(sorry.name)
                yield Diagnostic(
                    codes.SORRY_ON_DOWN,
                    f"sessions of service `{service.name}` on servers of `sorry {sorry.name}` are"
                    f" treated as pool `{own.name}` says, `on-down {own.on_down}`",
                    site.span(sorry, "on-down"),
                    (Note("the service", site.span(service, "sorry")),),
                    f"write `on-down {own.on_down}` here, too",
                )
                break


def pools_survive_a_failure(site: Site) -> Iterator[Diagnostic]:
    """A pool that one failure empties has somewhere to go."""
    for service in site.services:
        if service.sorry is not None or service.min_up:
            continue
        for listener in service.listeners:
            pool = site.pool_by_name[listener.pool]
            taking = [s for s in pool.servers if s.weight and not s.drain]
            if len(taking) > 1 or not any(s.weight for s in pool.servers):
                continue  # none at all is said elsewhere
            if taking and pool.check is None:
                continue  # never taken out
            what = "one server takes" if taking else "no server takes"
            yield Diagnostic(
                codes.POOL_CAN_EMPTY,
                f"{what} new sessions in pool `{pool.name}`"
                + (
                    ": while it is down, clients are refused" if taking else ": clients are refused"
                ),
                site.span(taking[0]) if taking else site.span(pool),
                (Note("clients come from here", site.span(listener)),),
                "add a server" if taking else "add a server that is not drained",
            )


def _spread(nic: NicProfile) -> tuple[int, int]:
    return nic.rss_key_bytes, nic.reta_size


def nics_alike(site: Site) -> Iterator[Diagnostic]:
    """RSS key and table are equal on all nodes of a cluster: a flow taken over reaches the same
    worker."""
    for cluster in site.clusters:
        ports = [port for node in cluster.nodes for port in node.ports]
        for port in ports[1:]:
            first, other = site.nic_of(ports[0]), site.nic_of(port)
            if _spread(first) == _spread(other) and first.driver == other.driver:
                continue
            yield Diagnostic(
                codes.NIC_MISMATCH,
                f"`{first.name}` ({first.driver}, table of {first.reta_size}) and `{other.name}`"
                f" ({other.driver}, table of {other.reta_size}) spread packets differently",
                site.span(port, "nic"),
                (Note(f"`{first.name}` is used here", site.span(ports[0], "nic")),),
                "all ports of a cluster need NICs of one kind",
            )
            break


RULES = (
    standby_lowers,
    lowering_reaches_the_switch,
    standby_is_compared,
    standbys_differ,
    one_primary,
    bfd_before_hold,
    failover_as_promised,
    fallbacks_lead_somewhere,
    sorry_servers_are_others,
    sorry_pools_treat_alike,
    pools_survive_a_failure,
    nics_alike,
)
