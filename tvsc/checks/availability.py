"""High availability: the clusters agree on who comes first, nodes of a cluster are alike."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import NicProfile, Preference, Site


def standby_lowers(site: Site) -> Iterator[Diagnostic]:
    """A standby's routes are strictly less preferred than a primary's."""
    for cluster in site.clusters:
        role = cluster.role
        if role.preference is not Preference.STANDBY:
            continue
        if not (role.prepend or role.med or role.community or role.lowering == "local-pref"):
            yield Diagnostic(
                codes.STANDBY_NOT_LOWER,
                f"cluster `{cluster.name}` is standby and does not lower its preference",
                site.span(cluster, "role"),
                help="write `role standby prepend 3`",
            )


def standbys_differ(site: Site) -> Iterator[Diagnostic]:
    """Two standbys are not equally preferred: VIPs would be served by both."""
    seen: dict[tuple[int, int, int, str], str] = {}
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


RULES = (standby_lowers, standbys_differ, one_primary, bfd_before_hold, nics_alike)
