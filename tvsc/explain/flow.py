"""A flow through the compiled site: switch, NIC, worker, service, and back.

Reads the plans of all nodes (tvsc.plan) and asks the model of their NICs (tvsc.nic), so that what
it says is what the proof has shown and what the nodes are compiled to do. Which node a flow reaches
is the switch's own hash: it is not known here, so every node is shown.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise

from tvsc.explain.flow_text import Flow
from tvsc.explain.limits import LimitsExplainer
from tvsc.explain.pick import Picks
from tvsc.explain.types import (
    Arrival,
    Candidate,
    ClusterPart,
    FlowExplanation,
    Kind,
    LossPart,
    NodePart,
    PoolPart,
    ReplyPart,
    ServicePart,
)
from tvsc.model import Cluster, Lowering, Site, Steering
from tvsc.nic import ICMP, LoadedNic, Packet, load_nic
from tvsc.plan import LipPlan, NodePlan, PlanOptions, PoolPlan, ServicePlan, plan_site
from tvsc.plan.rss import toeplitz
from tvsc.source import SourceMap

_MARTIAN = (
    "a source that no client has (0.0.0.0/8, 127.0.0.0/8, 224.0.0.0 and above, the VIP itself)"
)


class Explainer:
    """Holds the plans and the loaded NICs of a site that has passed its checks."""

    def __init__(self, site: Site, sources: SourceMap, steering: Steering | None = None) -> None:
        self.site = site
        self.plan = plan_site(site, sources, PlanOptions(steering=steering))
        self.by_name = {node.node: node for node in self.plan.nodes}
        self.limits = LimitsExplainer(site, sources, self.plan)
        self.devices: dict[str, LoadedNic] = {}
        for plan in self.plan.nodes:
            port = site.node_by_name[plan.node].ports[0]
            nic = site.nic_of(port)
            self.devices[plan.node] = load_nic(nic, plan.steering, port.vlan)[0]
        self.picks = Picks(self.plan.nodes[0].schedule.flow_key)
        self.clusters = sorted(site.clusters, key=lambda cluster: cluster.role.rank)

    def explain(self, flow: Flow) -> FlowExplanation:
        """Where the flow goes."""
        lip = self._lip(flow.destination)
        if lip is not None or self._in_lip_range(flow.destination):
            return self._to_local_ip(flow, lip)
        services = [s for s in self.plan.nodes[0].services if s.vip == flow.destination]
        if services:
            return self._to_vip(flow, services)
        return self._elsewhere(flow)

    # -- kinds of destination

    def _to_vip(self, flow: Flow, services: list[ServicePlan]) -> FlowExplanation:
        service = next(
            (
                s
                for s in services
                if (s.protocol.value, s.port) == (flow.protocol, flow.destination_port)
            ),
            None,
        )
        vip = flow.destination
        if _is_martian(flow) and (service is not None or flow.protocol == "icmp"):
            service, kind = None, Kind.MARTIAN
            what = "an echo request" if flow.protocol == "icmp" else "the packet"
            summary = (
                f"to VIP {vip} from {_MARTIAN}: {what} is dropped and counted as `martian_source`"
            )
        elif service is not None and (denied := self.limits.denied(service, flow.source)):
            kind = Kind.DENIED
            summary = (
                f"service {service.name} keeps {flow.source} out: {denied}; a packet that"
                " belongs to no session is dropped without an answer and counted as `source_denied`"
            )
            service = None
        elif service is not None:
            kind, summary = Kind.REQUEST, f"a request to service {service.name}"
        elif flow.protocol == "icmp":
            kind = Kind.ECHO
            summary = (
                f"to VIP {vip}: the worker that gets an echo request answers it; an error about a"
                " session is handed to the session's worker"
            )
        else:
            kind = Kind.NO_LISTENER
            ports = ", ".join(dict.fromkeys(f"{s.protocol.value} {s.port}" for s in services))
            summary = (
                f"{vip} is a VIP that listens on {ports} only: the packet is dropped and counted"
                " as `vip_no_listener`"
            )
        return FlowExplanation(
            str(flow),
            kind,
            summary,
            None if service is None else self._service(service, flow),
            tuple(self._cluster(c, flow.packet, service) for c in self.clusters),
        )

    def _to_local_ip(self, flow: Flow, found: tuple[Cluster, LipPlan] | None) -> FlowExplanation:
        if found is None:
            summary = (
                f"{flow.destination} lies in the range of the local IPs and nobody owns it: dropped"
                " and counted as `lip_unknown`"
            )
            return FlowExplanation(str(flow), Kind.LOCAL_IP, summary, None, ())
        cluster, lip = found
        owner = cluster.nodes[lip.node]
        echo = "dropped and counted as `martian_source`" if _is_martian(flow) else "answered"
        what = (
            f"an echo request is {echo}, an error about a session goes on to its client"
            if flow.protocol == "icmp"
            else "a packet from the session's server goes on to its client, any other is dropped"
            " and counted"
        )
        summary = f"{flow.destination} is a local IP of {owner.name}, worker {lip.worker}: {what}"
        reply = self._reply(flow.packet, cluster, lip, owner.name, None)
        node = NodePart(
            owner.name,
            *self._ports(owner.name),
            reply.arrivals[0],
            (str(lip.address),),
            *self._port_range(owner.name),
            (reply,),
            self._loss(cluster, owner.name, flow.packet, (lip,), as_reply=True),
        )
        part = ClusterPart(cluster.name, _role(cluster), self._mode(cluster), reply.nodes, (node,))
        return FlowExplanation(str(flow), Kind.LOCAL_IP, summary, None, (part,))

    def _elsewhere(self, flow: Flow) -> FlowExplanation:
        owner = next(
            (
                node.name
                for node in self.site.nodes()
                if any(port.address.ip == flow.destination for port in node.ports)
            ),
            None,
        )
        told = self._told(flow, owner)
        if told:
            kind, summary = Kind.SYNC, told
        elif owner is not None:
            kind = Kind.OWN_ADDRESS
            summary = (
                f"{flow.destination} is an address of {owner} itself: the packet goes to its"
                " kernel, by the exception path"
            )
        else:
            kind = Kind.FOREIGN
            summary = (
                f"{flow.destination} is no VIP and no local IP of this site, so no node announces"
                " it: the switch routes it elsewhere; a node that gets it all the same leaves it"
                " to its kernel"
            )
        return FlowExplanation(str(flow), kind, summary, None, ())

    def _told(self, flow: Flow, owner: str | None) -> str:
        """What becomes of a message of session sync to a node; nothing when it is none."""
        sync = self.by_name[owner].sync if owner is not None else None
        if owner is None or sync is None:
            return ""
        if (flow.protocol, flow.destination_port) != ("udp", sync.port):
            return ""
        if all(flow.destination != path.local for p in sync.peers for path in p.paths):
            return ""  # a port without a partner
        what = f"{flow.destination} udp {sync.port} is session sync of {owner}"
        sender = next(
            (p.name for p in sync.peers if flow.source in {path.remote for path in p.paths}), None
        )
        if sender is None:
            return (
                f"{what}: the packet is from no peer's address, so it is dropped (`sync_no_peer`)"
            )
        worker = self._arrival(owner, flow.packet).worker
        return f"{what}: worker {worker} takes what {sender} tells; its kernel never sees it"

    # -- parts

    def _service(self, service: ServicePlan, flow: Flow) -> ServicePart:
        node = self.plan.nodes[0]
        pool, class_ = node.pools[service.pool], node.classes[service.class_id]
        server, reason = self.picks.pick(pool, flow)
        return ServicePart(
            name=service.name,
            vip=str(service.vip),
            port=service.port,
            protocol=service.protocol.value,
            origin=service.origin,
            class_id=service.class_id,
            class_reason=class_.reason,
            client_address=class_.client_address.value,
            pool=pool.name,
            pool_origin=pool.origin,
            schedule=pool.scheduler.value,
            server=None if server is None else f"{server.address}:{server.port}",
            server_reason=reason,
            candidates=_candidates(pool),
            sorry=None if service.sorry is None else _pool(node.pools[service.sorry]),
            min_up=service.min_up,
            keeps=self._keeps() if service.min_up and service.sorry is not None else (),
            limits=tuple(self.limits.applying(service, flow.source)),
        )

    def _keeps(self) -> tuple[str, ...]:
        """The clusters that keep a VIP that a sorry pool can serve."""
        last = (n.cluster for n in self.plan.nodes if n.announce.is_last_resort)
        return tuple(dict.fromkeys(last))

    def _cluster(
        self, cluster: Cluster, packet: Packet, service: ServicePlan | None
    ) -> ClusterPart:
        names = tuple(node.name for node in cluster.nodes)
        nodes = []
        for name in names:
            arrival = self._arrival(name, packet)
            own = tuple(lip for lip in self.by_name[name].lips.own if lip.worker == arrival.worker)
            lips = own if service is not None else ()
            reply = None if service is None else self._reply_packet(service)
            nodes.append(
                NodePart(
                    name,
                    *self._ports(name),
                    arrival,
                    tuple(str(lip.address) for lip in lips),
                    *self._port_range(name),
                    tuple(self._reply(reply, cluster, lip, name, None) for lip in lips if reply),
                    self._loss(cluster, name, packet, lips, reply=reply),
                )
            )
        return ClusterPart(cluster.name, _role(cluster), self._mode(cluster), names, tuple(nodes))

    def _loss(
        self,
        cluster: Cluster,
        lost: str,
        packet: Packet,
        lips: tuple[LipPlan, ...],
        reply: Packet | None = None,
        as_reply: bool = False,
    ) -> LossPart:
        survivors = tuple(node.name for node in cluster.nodes if node.name != lost)
        back = packet if as_reply else reply
        return LossPart(
            survivors,
            tuple(self._arrival(name, packet) for name in survivors),
            tuple(
                self._reply(back, cluster, lip, lost, lost)
                for lip in lips
                if back is not None and survivors
            ),
            None if survivors or as_reply else self._standby(cluster),
            bool(survivors) and cluster.sync is not None,
        )

    def _reply(
        self, packet: Packet, cluster: Cluster, lip: LipPlan, owner: str, lost: str | None
    ) -> ReplyPart:
        """A packet to a local IP. The longest prefix wins: the owner's own while it lives."""
        lips = self.by_name[owner].lips
        names = (
            tuple(node.name for node in cluster.nodes if node.name != lost) if lost else (owner,)
        )
        to_lip = Packet(
            packet.source,
            int(lip.address),
            packet.protocol,
            packet.source_port,
            packet.destination_port,
        )
        return ReplyPart(
            str(lip.address),
            str(lips.short if lost else lips.long),
            "lip-short" if lost else "lip-long",
            names,
            tuple(self._arrival(name, to_lip, lip) for name in names),
        )

    def _arrival(self, name: str, packet: Packet, lip: LipPlan | None = None) -> Arrival:
        plan, device = self.by_name[name], self.devices[name]
        rows = len(plan.steering.reta)
        software = plan.steering.mode is Steering.SOFTWARE
        decision = device.decide(replace(packet, vlan=device.vlan).flow_class)
        if decision.rule is not None and decision.queue is not None:
            worker = decision.queue
            return Arrival(
                decision.table,
                None,
                None,
                rows,
                str(decision.rule.network),
                worker,
                worker,
                _core(plan, worker),
            )
        if software and lip is not None:
            worker = lip.worker
            return Arrival("software", None, None, rows, None, None, worker, _core(plan, worker))
        if software and packet.protocol == ICMP:  # answered by whoever gets it
            return Arrival("software", None, None, rows, None, None, None, None)
        worker = device.spread.worker(packet)
        return Arrival(
            "software" if software else "rss",
            toeplitz(device.spread.key, packet.rss_input),
            device.spread.row(packet),
            rows,
            None,
            None if software else worker,
            worker,
            _core(plan, worker),
        )

    def _reply_packet(self, service: ServicePlan) -> Packet:
        """A server's answer; its destination is filled in later, its port is any of the range."""
        node = self.plan.nodes[0]
        backend = node.pools[service.pool].backends[0]
        return Packet(
            int(backend.address),
            0,
            service.protocol.number,
            backend.port,
            node.memory.port_first,
        )

    def _lip(self, address: IPv4Address) -> tuple[Cluster, LipPlan] | None:
        for cluster in self.site.clusters:
            if cluster.nodes and address in cluster.local_ips.short:
                for lip in self.by_name[cluster.nodes[0].name].lips.entries:
                    if lip.address == address:
                        return cluster, lip
        return None

    def _in_lip_range(self, address: IPv4Address) -> bool:
        return any(address in cluster.local_ips.short for cluster in self.site.clusters)

    def _ports(self, name: str) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
        """Names and VLANs."""
        ports = self.by_name[name].ports
        return tuple(port.name for port in ports), tuple(port.vlan for port in ports)

    def _port_range(self, name: str) -> tuple[int, int]:
        memory = self.by_name[name].memory
        return memory.port_first, memory.port_last

    def _mode(self, cluster: Cluster) -> str:
        return self.by_name[cluster.nodes[0].name].steering.mode.value

    def _standby(self, cluster: Cluster) -> str | None:
        """The cluster that the switch prefers next."""
        for one, following in pairwise(self.clusters):
            if one is cluster:
                return following.name
        return None


def _core(plan: NodePlan, worker: int) -> int | None:
    return None if plan.cores.shared else plan.cores.workers[worker]


def _is_martian(flow: Flow) -> bool:
    """As `tvs_source_is_martian` of the runtime."""
    first = flow.source.packed[0]
    return first in (0, 127) or first >= 224 or flow.source == flow.destination


def _candidates(pool: PoolPlan) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(str(b.address), b.port, b.weight, b.weight > 0 and not b.drain, b.origin)
        for b in pool.backends
    )


def _pool(pool: PoolPlan) -> PoolPart:
    return PoolPart(pool.name, pool.origin, pool.scheduler.value, _candidates(pool))


_ROLES = {
    Lowering.PREPEND: "standby, prepends {role.prepend}",
    Lowering.MED: "standby, MED {role.med}",
    Lowering.LOCAL_PREF: "standby, local preference {role.local_pref}",
    Lowering.COMMUNITY: "standby, community {role.community_text}",
}


def _role(cluster: Cluster) -> str:
    role = cluster.role
    return _ROLES[role.lowering].format(role=role) if role.lowering else role.preference.value
