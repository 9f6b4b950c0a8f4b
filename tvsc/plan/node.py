"""Site -> plans: puts the parts of this package together, node by node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from tvsc import __version__
from tvsc.model import Cluster, Node, Noun, PciDevice, Port, Site, Steering
from tvsc.plan.abi import RECORD_SCHEMA
from tvsc.plan.access import AccessTables
from tvsc.plan.classes import plan_pools, plan_services
from tvsc.plan.dump import PlanWriter
from tvsc.plan.limits import plan_limits
from tvsc.plan.lips import cluster_lips, lip_map
from tvsc.plan.memory import plan_cores, plan_memory
from tvsc.plan.ports import vlan_reason
from tvsc.plan.routing import plan_announce, plan_bgp, plan_own_routes, plan_vip_routes
from tvsc.plan.rss import rss_key
from tvsc.plan.schedule import plan_schedule
from tvsc.plan.steering import plan_steering, sync_contract
from tvsc.plan.sync import plan_sync
from tvsc.plan.types import (
    AccessPlan,
    ClassPlan,
    LipPlan,
    NodePlan,
    PoolPlan,
    PortPlan,
    RoutePlan,
    ServicePlan,
    SitePlan,
    VipTable,
)
from tvsc.plan.vips import place_vips
from tvsc.source import SourceMap


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What is decided outside of the site.

    `steering` overrides the clusters' own. `base` names everything else that goes into a
    generation: runtime sources, templates, compiler; two generations with one id are the same.
    """

    steering: Steering | None = None
    base: str = ""


@dataclass(frozen=True, slots=True)
class _Shared:
    """The parts that do not depend on the node. Every plan has these very objects, so that later
    stages can do once what concerns them alone.
    """

    classes: tuple[ClassPlan, ...]
    services: tuple[ServicePlan, ...]
    pools: tuple[PoolPlan, ...]
    access: tuple[AccessPlan, ...]
    vips: VipTable
    routes: tuple[RoutePlan, ...]


class _Planner:
    def __init__(self, site: Site, sources: SourceMap, options: PlanOptions) -> None:
        self.site = site
        self.sources = sources
        self.options = options
        pools = plan_pools(site, self.label)
        classes, services = plan_services(site, pools, self.label)
        vips, routes = place_vips(services), plan_vip_routes(services)
        self.access = AccessTables(site, self.label)
        self.shared = _Shared(classes, services, pools, self.access.plans, vips, routes)
        self.schedule = plan_schedule(site.seed, tuple(pool.table_entries for pool in pools))
        self.writer = PlanWriter()
        self.base = self._base()
        self._lips: dict[str, tuple[LipPlan, ...]] = {}

    def _base(self) -> str:
        """A hash of everything that goes into every node; the routes follow from the services."""
        digest = sha256(f"{self.options.base}\n".encode())
        shared = self.shared
        for part in (shared.classes, shared.services, shared.pools, shared.access):
            digest.update(self.writer.shared(part).encode())
        return digest.hexdigest()

    def label(self, noun: Noun, field: str) -> str:
        return self.sources.label(self.site.span(noun, field))

    def port(self, port: Port) -> PortPlan:
        device = port.device
        is_pci = isinstance(device, PciDevice)
        return PortPlan(
            name=port.name,
            device=device.address if isinstance(device, PciDevice) else device.args,
            is_vdev=not is_pci,
            driver=self.site.nic_of(port).driver,
            socket=port.socket,
            mtu=port.mtu,
            vlan=port.vlan,
            vlan_reason=vlan_reason(port.vlan),
            promiscuous=port.promiscuous,
            address=port.address,
            gateway=port.gateway,
            gateway_mac=port.gateway_mac,
            origin=self.label(port, ""),
        )

    def lips_of(self, cluster: Cluster) -> tuple[LipPlan, ...]:
        if cluster.name not in self._lips:
            self._lips[cluster.name] = cluster_lips(cluster)
        return self._lips[cluster.name]

    def node(self, cluster: Cluster, node: Node) -> NodePlan:
        site, shared = self.site, self.shared
        lips = lip_map(self.lips_of(cluster), cluster, node, self.label(cluster.local_ips, ""))
        steering = plan_steering(
            site.seed,
            cluster,
            self.options.steering or cluster.steering,
            site.nic_of(node.ports[0]),
            lips,
            self.label(cluster, "steering"),
        )
        key, _ = rss_key(site.seed, cluster.name)
        own = NodePlan(
            compiler=f"tvsc {__version__}",
            site=site.name,
            cluster=cluster.name,
            node=node.name,
            node_index=node.index,
            sources=tuple(source.name for source in self.sources.files),
            march=cluster.cpu,
            generation="",
            sync_contract=sync_contract(key, steering, cluster, lips),
            record_schema=RECORD_SCHEMA,
            origin=self.label(node, ""),
            cores=plan_cores(cluster, node, self.label(node, "workers")),
            memory=plan_memory(cluster, node, self.label(cluster, "sessions")),
            steering=steering,
            schedule=self.schedule,
            ports=tuple(self.port(port) for port in node.ports),
            lips=lips,
            sync=plan_sync(cluster, node, steering, self.label),
            routes=plan_own_routes(lips),
            bgp=plan_bgp(site, cluster, node, self.label),
            announce=plan_announce(site, cluster),
            classes=(),
            pools=(),
            services=(),
            access=(),
            limits=plan_limits(site, shared.services, self.access, steering.reta, self.label),
            vips=VipTable(0, 0, (), ""),
        )
        return replace(
            own,
            generation=sha256(f"{self.base}\n{self.writer.text(own)}".encode()).hexdigest()[:16],
            routes=(*shared.routes, *own.routes),
            classes=shared.classes,
            pools=shared.pools,
            services=shared.services,
            access=shared.access,
            vips=shared.vips,
        )


def plan_site(
    site: Site,
    sources: SourceMap,
    options: PlanOptions | None = None,
    only: Iterable[str] | None = None,
) -> SitePlan:
    """Plans of all nodes, or of those named in `only`. The site must have passed its checks."""
    planner = _Planner(site, sources, options or PlanOptions())
    wanted = None if only is None else set(only)
    nodes = tuple(
        planner.node(cluster, node)
        for cluster in site.clusters
        for node in cluster.nodes
        if wanted is None or node.name in wanted
    )
    return SitePlan(site.name, nodes, planner.writer)
