"""The steering proof's oracle: packets one by one through a NIC that is nothing but a loop."""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import IPv4Address

from tests.compile.sites import make_cluster, make_site
from tests.naive.nic import toeplitz
from tvsc.checks.steering_proof import NodeSteering, planned_steering
from tvsc.lower.nics import profile
from tvsc.model import Cluster, Driver, NicProfile, Protocol, Site, Steering, Sync
from tvsc.nic import ICMP, TCP, UDP, Packet
from tvsc.plan import SteeringPlan
from tvsc.plan.lips import cluster_lips

VIP = int(IPv4Address("203.0.113.10"))


def site_of(
    driver: Driver,
    nodes: int = 2,
    workers: int = 4,
    per_worker: int = 3,
    steering: Steering = Steering.FDIR,
    sync: Sync | None = None,
) -> Site:
    """One cluster of one kind of NIC."""
    names = tuple(f"a{n + 1}" for n in range(nodes))
    nic: NicProfile = profile("x520", driver, "nic/x520")
    cluster = make_cluster(
        nodes=names, workers=workers, per_worker=per_worker, steering=steering, sync=sync
    )
    return make_site(clusters=(cluster,), nics=(nic,))


def plans(site: Site) -> list[NodeSteering]:
    """The planned steering of its first cluster."""
    return planned_steering(site, site.clusters[0])


def queue(steering: SteeringPlan, packet: Packet) -> int:
    """First rule that fits, longest first; else the hash."""
    for rule in sorted(steering.rules, key=lambda r: -r.network.prefixlen):
        if IPv4Address(packet.destination) in rule.network:
            return rule.worker
    return steering.reta[toeplitz(steering.key, packet.rss_input) % len(steering.reta)]


def listener_ports(site: Site) -> list[tuple[int, int, Protocol]]:
    return [
        (int(v.address), listener.port, listener.protocol)
        for s in site.services
        for v in s.vips
        if isinstance(v.address, IPv4Address)
        for listener in s.listeners
    ]


def counterexample(
    site: Site, cluster: Cluster, nodes: list[NodeSteering], seed: int, tries: int = 8
) -> Packet | None:
    """A random packet that shows the steering to be wrong, if one turns up: in the healthy cluster
    and after the loss of every node.
    """
    chance = random.Random(seed)
    lips = cluster_lips(cluster)
    for alive in [list(nodes)] + [[n for n in nodes if n is not dead] for dead in nodes]:
        for lip in lips:
            owners = [n for n in alive if n.node.index == lip.node]
            for receiver in owners or alive:
                for protocol in (TCP, UDP, ICMP):
                    packet = Packet(
                        chance.getrandbits(32),
                        int(lip.address),
                        protocol,
                        chance.getrandbits(16),
                        chance.getrandbits(16),
                    )
                    if queue(receiver.steering, packet) != lip.worker:
                        return packet
    for vip, port, listened in listener_ports(site):
        for _ in range(tries):
            packet = Packet(
                chance.getrandbits(32), vip, listened.number, chance.getrandbits(16), port
            )
            if len({queue(n.steering, packet) for n in nodes}) != 1:
                return packet
    return None


def messages_astray(nodes: list[NodeSteering]) -> Iterator[Packet]:
    """The messages of session sync that another worker gets than they are for."""
    receivers = {n.node.index: n.steering for n in nodes}
    for sender in nodes:
        for peer in sender.sync.peers if sender.sync else ():
            for path in peer.paths:
                for worker, source_port in enumerate(path.source_ports):
                    port = sender.sync.port if sender.sync else 0
                    packet = Packet(int(path.local), int(path.remote), UDP, source_port, port)
                    if queue(receivers[peer.node], packet) != worker:
                        yield packet
