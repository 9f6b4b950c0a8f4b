"""The steering proof: request worker = reply worker = sync worker, whatever happens to a node.

Reads the planned steering of every node and runs it through the model of its NIC (tvsc.nic). What
is proved, for each cluster:

1. every NIC takes every rule, the key and the table;
2. a request to any VIP is spread by RSS over all rows and workers, and every node spreads alike:
   the node that takes a flow over has it on the same worker;
3. a reply (TCP or UDP) and an ICMP echo to a local IP reach the worker that owns it, on every node
   that the switch can bring them to: the owner while it lives, since its long prefix is the longest
   match, and after its loss any survivor, by the short one;
4. what worker w of a node tells a peer about its sessions reaches the peer's worker w, by every
   path between two of their ports: no rule takes it, and RSS finds w from the source port.

A session is opened by the worker of its request, with a local IP of that worker. So by 3 replies
reach it; by 2 and 3 both directions reach the same worker index on a survivor, which is where by 4
worker w's sync messages have brought the session.

Packets are taken by classes of destination, protocol and VLAN, which is that of the port they come
in by: planned rules see no more of them. Nodes
with equal rules and NICs are looked at once, so the cost is linear in local IPs and VIPs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import repeat

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Cluster, NicProfile, Node, Site, Steering
from tvsc.nic import ICMP, TCP, UDP, FlowClass, LoadedNic, Packet, Refusal, load_nic
from tvsc.plan.lips import cluster_lips, lip_map
from tvsc.plan.steering import plan_steering
from tvsc.plan.sync import plan_sync
from tvsc.plan.types import (
    LipPlan,
    PeerPlan,
    SitePlan,
    SteeringPlan,
    SyncPathPlan,
    SyncPlan,
)

REPLY_CLASSES = (("a TCP reply", TCP), ("a UDP reply", UDP), ("an echo", ICMP))
_SOMEONE = Packet(int(IPv4Address("198.51.100.1")), 0, TCP, 49152, 80)
_REPORT = "tvsc made this plan: please report it, with the site; `steering software` needs no rules"


@dataclass(frozen=True, slots=True)
class NodeSteering:
    """What is proved of a node: its plan, and the NIC of each of its ports."""

    node: Node
    steering: SteeringPlan
    nics: tuple[NicProfile, ...]
    sync: SyncPlan | None = None

    @property
    def devices(self) -> tuple[_Device, ...]:
        """What each port is made of."""
        return tuple(
            (nic.name, port.vlan) for nic, port in zip(self.nics, self.node.ports, strict=True)
        )


_Device = tuple[str, int | None]
"""A NIC profile and a VLAN, by which a port's device differs from another's."""


@dataclass(frozen=True, slots=True)
class ClusterProof:
    """The result for one cluster. `kinds` are the nodes with equal steering, `decided` counts
    classes of packets that went through a NIC, `sync_flows` the flows between two workers of two
    nodes; proved when there are no diagnostics.
    """

    cluster: Cluster
    mode: Steering
    kinds: tuple[tuple[str, ...], ...]
    rules: int
    local_ips: int
    vips: int
    decided: int
    sync_flows: int
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Nodes with equal rules on equal NICs. One device for each kind of port, named in `kinds`."""

    nodes: tuple[Node, ...]
    indices: frozenset[int]
    kinds: tuple[_Device, ...]
    devices: tuple[LoadedNic, ...]


def steering_is_proved(site: Site) -> Iterator[Diagnostic]:
    """The counterexamples of a site that has passed its other checks."""
    for proof in prove_site(site):
        yield from proof.diagnostics


def prove_site(site: Site) -> list[ClusterProof]:
    """Plans the steering of every node and proves it."""
    return [prove_cluster(site, c, planned_steering(site, c)) for c in site.clusters]


def prove_plan(site: Site, plan: SitePlan) -> list[ClusterProof]:
    """Proves plans as they were made. Of a cluster of which only some nodes were planned only
    these are proved.
    """
    planned = {node.node: node for node in plan.nodes}
    return [
        prove_cluster(
            site,
            cluster,
            [
                NodeSteering(
                    node,
                    planned[node.name].steering,
                    _nics(site, node),
                    planned[node.name].sync,
                )
                for node in cluster.nodes
                if node.name in planned
            ],
        )
        for cluster in site.clusters
    ]


def planned_steering(site: Site, cluster: Cluster) -> list[NodeSteering]:
    """What the plan will say of the cluster's nodes. Rules, key and table depend on nothing but the
    first NIC.
    """
    if not cluster.nodes:
        return []
    lips = lip_map(cluster_lips(cluster), cluster, cluster.nodes[0], "")
    plans: dict[str, SteeringPlan] = {}
    found = []
    for node in cluster.nodes:
        nic = site.nic_of(node.ports[0])
        if nic.name not in plans:
            plans[nic.name] = plan_steering(site.seed, cluster, cluster.steering, nic, lips, "")
        steering = plans[nic.name]
        sync = plan_sync(cluster, node, steering, lambda _noun, _field: "")
        found.append(NodeSteering(node, steering, _nics(site, node), sync))
    return found


def _nics(site: Site, node: Node) -> tuple[NicProfile, ...]:
    return tuple(site.nic_of(port) for port in node.ports)


def prove_cluster(site: Site, cluster: Cluster, nodes: list[NodeSteering]) -> ClusterProof:
    """The proof for one cluster; at most one counterexample of each sort."""
    prover = _Prover(site, cluster, nodes)
    diagnostics = tuple(prover.run()) if nodes else ()
    return ClusterProof(
        cluster=cluster,
        mode=nodes[0].steering.mode if nodes else cluster.steering,
        kinds=tuple(tuple(n.name for n in kind.nodes) for kind in prover.kinds),
        rules=len(nodes[0].steering.rules) if nodes else 0,
        local_ips=len(prover.lips),
        vips=len(prover.vips),
        decided=prover.decided,
        sync_flows=prover.sync_flows,
        diagnostics=diagnostics,
    )


class _Prover:
    def __init__(self, site: Site, cluster: Cluster, nodes: list[NodeSteering]) -> None:
        self.site = site
        self.cluster = cluster
        self.mode = nodes[0].steering.mode if nodes else cluster.steering
        self.span = site.span(cluster, "steering")
        self.lips = cluster_lips(cluster)
        self.vips = _vips(site)
        self.decided = 0
        self.sync_flows = 0
        self.nodes = nodes
        self.refusals: list[tuple[Node, NicProfile, Refusal]] = []
        self.kinds = self._kinds(nodes)

    def _kinds(self, nodes: list[NodeSteering]) -> tuple[_Kind, ...]:
        first: dict[int, SteeringPlan] = {}  # large plans are often shared: hash each once
        by_value: dict[SteeringPlan, SteeringPlan] = {}
        groups: dict[tuple[int, tuple[_Device, ...]], list[Node]] = {}
        plans: dict[int, SteeringPlan] = {}
        for n in nodes:
            if id(n.steering) not in first:
                first[id(n.steering)] = by_value.setdefault(n.steering, n.steering)
            steering = first[id(n.steering)]
            plans[id(steering)] = steering
            ports = tuple(dict.fromkeys(n.devices))
            groups.setdefault((id(steering), ports), []).append(n.node)
        kinds = []
        for (plan, ports), members in groups.items():
            steering = plans[plan]
            devices = []
            for name, vlan in ports:
                profile = self.site.nic_by_name[name]
                device, refusals = load_nic(profile, steering, vlan)
                devices.append(device)
                self.refusals += [(members[0], profile, r) for r in refusals[:1]]
            indices = frozenset(node.index for node in members)
            kinds.append(_Kind(tuple(members), indices, ports, tuple(devices)))
        return tuple(kinds)

    def run(self) -> Iterator[Diagnostic]:
        """One counterexample of each sort at most."""
        for found in (
            self.refused(),
            self.requests(),
            self.taken_over(),
            self.replies(),
            self.messages(),
        ):
            first = next(found, None)
            if first is not None:
                yield first

    def refused(self) -> Iterator[Diagnostic]:
        """Rules, key or table that a NIC does not take."""
        for node, profile, refusal in self.refusals:
            yield Diagnostic(
                codes.RULE_REFUSED,
                f"`{profile.name}` ({profile.driver}) does not take {refusal.message}:"
                f" {refusal.limit}",
                self.span,
                (Note(f"on node `{node.name}`", self.site.span(node)),),
                _REPORT,
            )

    def requests(self) -> Iterator[Diagnostic]:
        """A rule that takes all requests to a VIP, or rows and workers that get none."""
        for kind, device in self._devices():
            idle = sorted(set(range(self.cluster.workers)) - set(device.spread.reta))
            if idle:
                yield self._counterexample(
                    codes.REQUESTS_NOT_SPREAD,
                    f"worker {idle[0]} of `{kind.nodes[0].name}` gets no request: it is in no row"
                    " of the redirection table",
                )
            if not device.spread.reaches_every_row():
                yield self._counterexample(
                    codes.REQUESTS_NOT_SPREAD,
                    f"no client's request falls on some rows of the table of"
                    f" `{kind.nodes[0].name}`: the RSS key spreads badly",
                )
            if not any(device.has_rule(self.vips, protocol) for protocol in (TCP, UDP)):
                self.decided += 2 * len(self.vips)
                continue
            for vip in self.vips:
                for protocol in (TCP, UDP):
                    self.decided += 1
                    decision = device.decide(FlowClass(vip, protocol, vlan=device.vlan))
                    if decision.rule is not None:
                        yield self._counterexample(
                            codes.REQUESTS_NOT_SPREAD,
                            f"every request to {IPv4Address(vip)} reaches worker {decision.queue}"
                            f" of `{kind.nodes[0].name}`",
                            f"{decision.table}: {decision.rule}",
                        )

    def taken_over(self) -> Iterator[Diagnostic]:
        """A request that two nodes bring to different workers."""
        devices = list(self._devices())
        for kind, device in devices[1:]:
            first, reference = devices[0]
            if device.spread.like(reference.spread):
                continue
            vip = self.vips[0] if self.vips else 0
            like = Packet(_SOMEONE.source, vip, TCP, 0, 80)
            packet = reference.spread.differ_on(device.spread, like)
            one, other = first.nodes[0].name, kind.nodes[0].name
            message = f"`{one}` and `{other}` spread requests differently"
            if packet is None:
                yield self._counterexample(codes.STEERING_SPLIT, message)
                continue
            yield self._counterexample(
                codes.STEERING_SPLIT,
                f"{message}: a session taken over is not on the worker that gets its packets",
                f"flow {packet}: worker {reference.queue(packet)} of `{one}`, worker"
                f" {device.queue(packet)} of `{other}`",
            )

    def replies(self) -> Iterator[Diagnostic]:
        """A packet to a local IP that does not reach its owner's worker."""
        yield from self._owned_twice()
        if self.mode is not Steering.FDIR:
            return  # the packet path looks the owner up and hands over
        longs = {int(n.long.network_address): n for n in self.cluster.nodes}
        mask = int(self.cluster.nodes[0].long.netmask)
        for lip in self.lips:
            owner = self.cluster.nodes[lip.node]
            nearest = longs.get(int(lip.address) & mask)
            if nearest is not owner:
                where = f"`{nearest.name}`" if nearest else "any node"
                yield self._counterexample(
                    codes.STEERING_SPLIT,
                    f"a reply to {lip.address}, a local IP of `{owner.name}`, reaches {where}",
                )
            yield from self._reply(lip, owner)

    def _owned_twice(self) -> Iterator[Diagnostic]:
        owners: dict[IPv4Address, LipPlan] = {}
        for lip in self.lips:
            other = owners.setdefault(lip.address, lip)
            if other is not lip:
                yield self._counterexample(
                    codes.STEERING_SPLIT,
                    f"{lip.address} is a local IP of two workers: {other.worker} and {lip.worker}",
                )

    def _reply(self, lip: LipPlan, owner: Node) -> Iterator[Diagnostic]:
        """The owner has the packet while it lives; any other node after that."""
        for kind, device in self._devices():
            receives = owner if owner.index in kind.indices else kind.nodes[0]
            for what, protocol in REPLY_CLASSES:
                self.decided += 1
                decision = device.decide(FlowClass(int(lip.address), protocol, vlan=device.vlan))
                if decision.queue == lip.worker:
                    continue
                packet = replace(self._packet_to(lip, protocol), vlan=device.vlan)
                if decision.queue is None:
                    astray = device.spread.reaching(lip.worker, packet, other=True)
                    if astray is None:  # one worker only: there is no other to reach
                        continue
                    packet = astray
                queue = device.queue(packet)
                why = f"{decision.table} {decision.rule}" if decision.rule else "no rule, so by RSS"
                when = "" if receives is owner else f", after the loss of `{owner.name}`"
                yield self._counterexample(
                    codes.STEERING_SPLIT,
                    f"{what} to {lip.address} reaches worker {queue} of `{receives.name}`{when},"
                    f" and its session is on worker {lip.worker}",
                    f"flow {packet}: {why}",
                    f"the session was opened by worker {lip.worker} of `{owner.name}`",
                )

    def messages(self) -> Iterator[Diagnostic]:
        """What a worker tells another than that of its own number. (With `steering software` any
        queue has it first, and the worker that the hash names gets it from there.)
        """
        ports = {n.node.index: n.devices for n in self.nodes}
        devices = {
            (index, made_of): device
            for kind in self.kinds
            for index in kind.indices
            for made_of, device in zip(kind.kinds, kind.devices, strict=True)
        }
        for sender in self.nodes:
            for peer in sender.sync.peers if sender.sync else ():
                for number, path in enumerate(peer.paths if peer.node in ports else ()):
                    device = devices[peer.node, ports[peer.node][number]]
                    yield from self._told(sender, peer, path, device)

    def _told(
        self, sender: NodeSteering, peer: PeerPlan, path: SyncPathPlan, device: LoadedNic
    ) -> Iterator[Diagnostic]:
        port = sender.sync.port if sender.sync else 0
        packet = Packet(int(path.local), int(path.remote), UDP, 0, port, vlan=device.vlan)
        decision = device.decide(packet.flow_class)
        self.decided += 1
        self.sync_flows += len(path.source_ports)
        queues = (
            device.spread.workers(packet, path.source_ports)
            if decision.queue is None
            else repeat(decision.queue, len(path.source_ports))
        )
        for worker, queue in enumerate(queues):
            if queue == worker:
                continue
            flow = replace(packet, source_port=path.source_ports[worker])
            why = f"{decision.table} {decision.rule}" if decision.rule else "no rule, so by RSS"
            yield self._counterexample(
                codes.STEERING_SPLIT,
                f"what worker {worker} of `{sender.node.name}` tells `{peer.name}` of its sessions"
                f" reaches worker {queue} there",
                f"flow {flow}: {why}",
            )

    def _packet_to(self, lip: LipPlan, protocol: int) -> Packet:
        server = next((s for pool in self.site.pools for s in pool.servers), None)
        if server is None or not isinstance(server.address, IPv4Address):
            return Packet(_SOMEONE.source, int(lip.address), protocol, 80, 1024)
        return Packet(int(server.address), int(lip.address), protocol, server.port, 1024)

    def _devices(self) -> Iterator[tuple[_Kind, LoadedNic]]:
        for kind in self.kinds:
            for device in kind.devices:
                yield kind, device

    def _counterexample(self, code: codes.Code, message: str, *notes: str) -> Diagnostic:
        return Diagnostic(code, message, self.span, tuple(Note(n) for n in notes), _REPORT)


def _vips(site: Site) -> tuple[int, ...]:
    addresses: Iterable[object] = (v.address for s in site.services for v in s.vips)
    return tuple(dict.fromkeys(int(a) for a in addresses if isinstance(a, IPv4Address)))
