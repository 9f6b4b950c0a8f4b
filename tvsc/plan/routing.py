"""What the node announces, to whom, and how much it wants the traffic."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from tvsc.model import Cluster, Fabric, Node, Preference, Site
from tvsc.plan.classes import Label, ipv4
from tvsc.plan.types import BgpPlan, LipMap, NeighborPlan, RoutePlan, ServicePlan


def plan_routes(services: tuple[ServicePlan, ...], lips: LipMap) -> tuple[RoutePlan, ...]:
    """VIPs, this node's own local IPs by the long prefix, everybody's by the short one."""
    vips: dict[IPv4Address, str] = {}
    for service in services:
        vips.setdefault(service.vip, service.origin)
    routes = [
        RoutePlan(IPv4Network(vip), "vip", origin, "every node announces every VIP")
        for vip, origin in sorted(vips.items())
    ]
    routes.append(
        RoutePlan(lips.long, "lip-long", lips.origin, "while this node lives its replies come here")
    )
    if lips.short != lips.long:
        routes.append(
            RoutePlan(
                lips.short, "lip-short", lips.origin, "replies to a dead node reach a survivor"
            )
        )
    return tuple(routes)


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


def plan_bgp(site: Site, cluster: Cluster, node: Node, label: Label) -> BgpPlan:
    """The node's BGP sessions. A standby makes its VIPs less preferred, its local IPs never: they
    are its own.
    """
    role = cluster.role
    standby = role.preference is Preference.STANDBY
    return BgpPlan(
        asn=site.asn,
        router_id=node.router_id,
        neighbors=tuple(
            _neighbor(index, fabric, node, label) for index, fabric in enumerate(cluster.fabric)
        ),
        prepend=role.prepend,
        reason=(
            f"standby: lengthens the path of its VIPs by {role.prepend}"
            if standby
            else "primary: keeps the default preference"
        ),
    )
