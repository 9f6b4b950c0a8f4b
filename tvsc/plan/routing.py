"""What the node announces, to whom, and how much it wants the traffic."""

from __future__ import annotations

from ipaddress import IPv4Network

from tvsc.model import Cluster, Fabric, Lowering, Node, Preference, Role, Site
from tvsc.plan.classes import Label, ipv4
from tvsc.plan.types import AnnouncePlan, BgpPlan, LipMap, NeighborPlan, RoutePlan, ServicePlan


def plan_vip_routes(services: tuple[ServicePlan, ...]) -> tuple[RoutePlan, ...]:
    """All VIPs, by address."""
    vips: dict[int, ServicePlan] = {}
    min_up: dict[int, ServicePlan] = {}
    for service in services:
        vips.setdefault(int(service.vip), service)
        if service.min_up:
            min_up.setdefault(int(service.vip), service)
    return tuple(
        RoutePlan(IPv4Network(vip), "vip", first.origin, _vip_reason(min_up.get(vip)))
        for vip, first in sorted(vips.items())
    )


def _vip_reason(needs: ServicePlan | None) -> str:
    if needs is None:
        return "every node announces every VIP"
    return (
        f"every node that sees enough servers announces it: min-up {needs.min_up} of {needs.name}"
    )


def plan_own_routes(lips: LipMap) -> tuple[RoutePlan, ...]:
    """This node's own local IPs by the long prefix, everybody's by the short one."""
    reason = "while this node lives its replies come here"
    long = RoutePlan(lips.long, "lip-long", lips.origin, reason)
    if lips.short == lips.long:
        return (long,)
    reason = "replies to a dead node reach a survivor"
    return long, RoutePlan(lips.short, "lip-short", lips.origin, reason)


def _neighbor(index: int, fabric: Fabric, node: Node, label: Label) -> NeighborPlan:
    address = ipv4(fabric.address)
    local = next(p.address.ip for p in node.ports if address in p.address.network)
    return NeighborPlan(
        name=f"fabric{index + 1}",
        address=address,
        asn=fabric.asn,
        local=local,
        hold_s=fabric.hold_ms // 1000,
        bfd_interval_ms=fabric.bfd.interval_ms if fabric.bfd else 0,
        bfd_multiplier=fabric.bfd.multiplier if fabric.bfd else 0,
        password=fabric.password,
        origin=label(fabric, ""),
    )


_STANDBY_REASONS = {
    Lowering.PREPEND: "lengthens the path of its VIPs by {role.prepend}",
    Lowering.MED: "its VIPs have MED {role.med}, those of the primary 0",
    Lowering.LOCAL_PREF: "its VIPs have local preference {role.local_pref}, others the usual 100",
    Lowering.COMMUNITY: "its VIPs have community {role.community_text}, which the switch heeds",
}


def plan_bgp(site: Site, cluster: Cluster, node: Node, label: Label) -> BgpPlan:
    """The node's BGP sessions. A standby makes its VIPs less preferred, its local IPs never: they
    are its own.
    """
    role = cluster.role
    med, why = _med(site, role)
    if role.lowering is not None:
        why = f"standby: {_STANDBY_REASONS[role.lowering].format(role=role)}"
    return BgpPlan(
        asn=site.asn,
        router_id=node.router_id,
        neighbors=tuple(
            _neighbor(index, fabric, node, label) for index, fabric in enumerate(cluster.fabric)
        ),
        prepend=role.prepend,
        med=med,
        local_pref=role.local_pref if role.lowering is Lowering.LOCAL_PREF else None,
        community=role.community,
        reason=why,
    )


def _med(site: Site, role: Role) -> tuple[int | None, str]:
    """The MED of the VIPs, and why a primary has one. Where a standby has one a primary says its
    own, too: some routers take a route without a MED for the worst of all.
    """
    if role.lowering is Lowering.MED:
        return role.med, ""
    by_med = [c.name for c in site.clusters if c.role.lowering is Lowering.MED]
    if role.preference is Preference.PRIMARY and by_med:
        return 0, f"primary: its VIPs have MED 0, those of {', '.join(by_med)} a larger one"
    return None, "primary: keeps the default preference"


def plan_announce(site: Site, cluster: Cluster) -> AnnouncePlan:
    """Whether somebody may take the VIPs when `min-up` withdraws them here."""
    last = max(reversed(site.clusters), key=lambda cluster: cluster.role.rank)
    if cluster is last:
        return AnnouncePlan(
            True, "no cluster is preferred less: VIPs that a sorry pool can serve stay here"
        )
    return AnnouncePlan(False, f"`min-up` leaves VIPs to others, last of all to {last.name}")
