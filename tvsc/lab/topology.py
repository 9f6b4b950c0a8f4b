"""What is to exist: reads a resolved site, gives namespaces, links and addresses. Pure.

The shape is the production one: every node hangs on the switch with a link of its own, speaks BGP
through it, and so do clients and real servers send all their packets through the switch.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path, PurePosixPath

from tvsc.checks.meaning import FIRST_FINAL
from tvsc.lab.errors import LabError
from tvsc.model import (
    Cluster,
    Fabric,
    HttpCheck,
    Node,
    Pool,
    Port,
    Preference,
    Protocol,
    Schedule,
    SecretSource,
    Site,
    VdevDevice,
)

CLIENT_NETWORKS = ("198.18.0.0/22", "198.19.0.0/22", "100.64.0.0/22", "192.168.128.0/22")
"""Where clients may live: the first that the site does not use. Nothing is routed outside."""

LINK_GATEWAY = IPv4Address("169.254.1.1")
"""The switch as clients and servers see it: the same on every link."""

MAX_LINK_NAME = 15


@dataclass(frozen=True, slots=True)
class NodeLink:
    """A port of a node: `device` is its name where the daemon makes it, `link` on the switch.
    `vlan` is the tag of its packets on the wire, None for none.
    """

    device: str
    link: str
    address: IPv4Address
    gateway: IPv4Address
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class BgpSession:
    """A session as the switch configures it. `name` is a BIRD symbol; `hold_s` in seconds."""

    name: str
    node: str
    local: IPv4Address
    local_asn: int
    neighbour: IPv4Address
    neighbour_asn: int
    hold_s: int
    bfd_interval_ms: int
    bfd_multiplier: int


@dataclass(frozen=True, slots=True)
class SyncKey:
    """Where a node looks for the key of session sync: an environment variable, or a file below the
    directory of secrets.
    """

    is_env: bool
    name: str


@dataclass(frozen=True, slots=True)
class LabNode:
    """A load balancer. `lips[w]` are worker w's local IPs. No `sync_key`: no session sync."""

    name: str
    cluster: str
    primary: bool
    namespace: str
    links: tuple[NodeLink, ...]
    lips: tuple[tuple[IPv4Address, ...], ...]
    sync_key: SyncKey | None


@dataclass(frozen=True, slots=True)
class HttpListener:
    """A TCP port of a real server; `health_path` answers with `health_status`."""

    port: int
    health_path: str | None
    health_status: int


@dataclass(frozen=True, slots=True)
class LabServer:
    """A real server: everything that listens on one address."""

    address: IPv4Address
    namespace: str
    link: str
    http: tuple[HttpListener, ...]
    udp_ports: tuple[int, ...]

    @property
    def name(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class LabPool:
    """A pool's servers (`address:port`, weight) and how long its check takes to notice, at most:
    `fall_ms` that one has failed, `rise_ms` that it is back; 0 when it is not checked.
    """

    name: str
    schedule: Schedule
    weights: tuple[tuple[str, int], ...]
    fall_ms: int
    rise_ms: int


@dataclass(frozen=True, slots=True)
class Target:
    """A listener on a VIP. `sorry` is the pool that serves while `pool` has no server."""

    service: str
    vip: IPv4Address
    protocol: Protocol
    port: int
    pool: str
    sorry: str | None = None

    @property
    def name(self) -> str:
        return f"{self.vip}:{self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Topology:
    """The lab of one site. `expected_hops` are the addresses that every VIP must lead to."""

    lab: str
    switch: str
    client: str
    client_network: IPv4Network
    switch_addresses: tuple[IPv4Address, ...]
    nodes: tuple[LabNode, ...]
    servers: tuple[LabServer, ...]
    sessions: tuple[BgpSession, ...]
    pools: tuple[LabPool, ...]
    targets: tuple[Target, ...]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All of them, in the order of their making."""
        nodes = (node.namespace for node in self.nodes)
        servers = (server.namespace for server in self.servers)
        return (self.switch, self.client, *servers, *nodes)

    @property
    def vips(self) -> tuple[IPv4Address, ...]:
        return tuple(dict.fromkeys(target.vip for target in self.targets))

    @property
    def expected_hops(self) -> frozenset[IPv4Address]:
        return frozenset(node.links[0].address for node in self.serving)

    @property
    def serving(self) -> tuple[LabNode, ...]:
        """The nodes that all traffic goes to while all is well."""
        return tuple(node for node in self.nodes if node.primary) or self.nodes

    def pool(self, name: str) -> LabPool:
        return next(pool for pool in self.pools if pool.name == name)

    def node(self, name: str) -> LabNode:
        return next(node for node in self.nodes if node.name == name)

    def owners(self) -> dict[IPv4Address, tuple[LabNode, int]]:
        """Local IP -> node and worker that own it."""
        return {
            lip: (node, worker)
            for node in self.nodes
            for worker, lips in enumerate(node.lips)
            for lip in lips
        }


def lab_name(site_file: Path) -> str:
    """`laptop-1f3c`: the name does not need the site to parse, so that `down` always works."""
    path = site_file.resolve()
    stem = path.parent.name if path.stem == "site" else path.stem
    readable = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:24] or "site"
    return f"{readable}-{hashlib.sha256(str(path).encode()).hexdigest()[:4]}"


def build_topology(site: Site, site_file: Path, lab: str | None = None) -> Topology:
    """The lab of `site`; LabError when a lab cannot be made of it. `lab` is its name if it is not
    the site's.
    """
    lab = lab or lab_name(site_file)
    prefix = f"tvsc-{lab}"
    nodes = tuple(
        _node(cluster, node, index, prefix) for index, (cluster, node) in enumerate(_members(site))
    )
    fabrics = [fabric for cluster in site.clusters for fabric in cluster.fabric]
    gateways = {link.gateway for node in nodes for link in node.links}
    return Topology(
        lab=lab,
        switch=f"{prefix}-switch",
        client=f"{prefix}-client",
        client_network=_client_network(site),
        switch_addresses=tuple(sorted({_v4(fabric.address) for fabric in fabrics} - gateways)),
        nodes=nodes,
        servers=_servers(site, prefix),
        sessions=tuple(_sessions(site)),
        pools=tuple(_pool(pool) for pool in site.pools),
        targets=tuple(_targets(site)),
    )


def _members(site: Site) -> Iterable[tuple[Cluster, Node]]:
    return ((cluster, node) for cluster in site.clusters for node in cluster.nodes)


def _v4(address: object) -> IPv4Address:
    if not isinstance(address, IPv4Address):
        raise LabError(f"the lab does IPv4 only, and the site has {address}")
    return address


def _node(cluster: Cluster, node: Node, index: int, prefix: str) -> LabNode:
    links = tuple(
        NodeLink(
            device=_tap_name(node, port),
            link=_link_name(node, index, number),
            address=port.address.ip,
            gateway=port.gateway,
            vlan=port.vlan,
        )
        for number, port in enumerate(node.ports)
    )
    return LabNode(
        name=node.name,
        cluster=cluster.name,
        primary=cluster.role.preference is Preference.PRIMARY,
        namespace=f"{prefix}-node-{node.name}",
        links=links,
        lips=node.lips,
        sync_key=_sync_key(cluster),
    )


def _sync_key(cluster: Cluster) -> SyncKey | None:
    if cluster.sync is None:
        return None
    key = cluster.sync.key
    path = PurePosixPath(key.name)
    if key.source is SecretSource.FILE and (path.is_absolute() or ".." in path.parts):
        raise LabError(
            f"the sync key of cluster `{cluster.name}` is in {key.name}",
            help="the lab makes keys of its own and leaves this machine's files alone: "
            "a relative path without `..` is one below the directory of secrets",
        )
    return SyncKey(is_env=key.source is SecretSource.ENV, name=key.name)


def _tap_name(node: Node, port: Port) -> str:
    """The kernel's name of a TAP that DPDK makes: the device string gives it."""
    if isinstance(port.device, VdevDevice) and port.device.args.startswith("net_tap"):
        for argument in port.device.args.split(",")[1:]:
            key, _, value = argument.partition("=")
            if key == "iface" and value:
                return value
        problem = f"port `{port.name}` of node `{node.name}` does not name its TAP"
        raise LabError(problem, help='write `vdev "net_tap0,iface=NAME"`')
    raise LabError(
        f"port `{port.name}` of node `{node.name}` is no TAP device",
        help='the lab runs sites whose ports are `vdev "net_tap0,iface=NAME"`',
    )


def _link_name(node: Node, index: int, number: int) -> str:
    """The name on the switch: the node's where it fits."""
    readable = node.name if number == 0 else f"{node.name}.{number}"
    return readable if len(readable) <= MAX_LINK_NAME else f"n{index}.{number}"


def _servers(site: Site, prefix: str) -> tuple[LabServer, ...]:
    http: dict[IPv4Address, dict[int, HttpListener]] = {}
    udp: dict[IPv4Address, set[int]] = {}
    protocols: dict[str, set[Protocol]] = {}
    for service in site.services:
        for listener in service.listeners:
            for name in filter(None, (listener.pool, service.sorry)):
                protocols.setdefault(name, set()).add(listener.protocol)
    for pool in site.pools:
        used = protocols.get(pool.name, set())
        check = pool.check
        for server in pool.servers:
            address = _v4(server.address)
            ports = http.setdefault(address, {})
            if Protocol.UDP in used:
                udp.setdefault(address, set()).add(server.port)
            if check is not None:
                port = check.port or server.port
                path = check.path if isinstance(check, HttpCheck) else None
                status = _good_status(check) if isinstance(check, HttpCheck) else 200
                ports[port] = HttpListener(port, path, status)
            if Protocol.TCP in used:
                ports.setdefault(server.port, HttpListener(server.port, None, 200))
    return tuple(
        LabServer(
            address=address,
            namespace=f"{prefix}-server-{address}",
            link=f"s{address}" if len(f"s{address}") <= MAX_LINK_NAME else f"s{index}",
            http=tuple(http[address].values()),
            udp_ports=tuple(sorted(udp.get(address, ()))),
        )
        for index, address in enumerate(http)
    )


def _good_status(check: HttpCheck) -> int:
    """One that the check takes, and that ends an answer."""
    return next(max(each.first, FIRST_FINAL) for each in check.expect if each.last >= FIRST_FINAL)


def _sessions(site: Site) -> Iterable[BgpSession]:
    for cluster, node in _members(site):
        for number, fabric in enumerate(cluster.fabric):
            if fabric.password is not None:
                raise LabError(
                    f"fabric {fabric.address} of cluster `{cluster.name}` has a password",
                    help="the lab does not speak TCP MD5 yet: leave the password out of a lab site",
                )
            symbol = re.sub(r"[^a-zA-Z0-9_]", "_", node.name)
            yield BgpSession(
                name=f"node_{symbol}_{number}",
                node=node.name,
                local=_v4(fabric.address),
                local_asn=fabric.asn,
                neighbour=_facing(node, fabric),
                neighbour_asn=site.asn,
                hold_s=max(3, fabric.hold_ms // 1000),
                bfd_interval_ms=fabric.bfd.interval_ms if fabric.bfd else 0,
                bfd_multiplier=fabric.bfd.multiplier if fabric.bfd else 0,
            )


def _facing(node: Node, fabric: Fabric) -> IPv4Address:
    """The node's address on the network that it shares with `fabric`."""
    for port in node.ports:
        if fabric.address in port.address.network:
            return port.address.ip
    return node.ports[0].address.ip


def _pool(pool: Pool) -> LabPool:
    """A check that has just been made finds out last: hence one round more, and its timeout."""
    check = pool.check
    return LabPool(
        name=pool.name,
        schedule=pool.schedule,
        weights=tuple((s.key, 0 if s.drain else s.weight) for s in pool.servers),
        fall_ms=check.fall * check.every_ms + check.timeout_ms if check else 0,
        rise_ms=check.rise * check.every_ms + check.timeout_ms if check else 0,
    )


def _targets(site: Site) -> Iterable[Target]:
    for service in site.services:
        for listener in service.listeners:
            for vip in service.vips:
                yield Target(
                    service=service.name,
                    vip=_v4(vip.address),
                    protocol=listener.protocol,
                    port=listener.port,
                    pool=listener.pool,
                    sorry=service.sorry,
                )


def _client_network(site: Site) -> IPv4Network:
    free = free_networks(site)
    if not free:
        problem = f"the site uses all networks that clients could have: {CLIENT_NETWORKS}"
        raise LabError(problem)
    return free[0]


def free_networks(site: Site) -> list[IPv4Network]:
    """Those of CLIENT_NETWORKS that the site does not use; the first is the clients'."""
    used = [cluster.local_ips.short for cluster in site.clusters]
    used += [port.address.network for node in site.nodes() for port in node.ports]
    used += [IPv4Network(_v4(s.address)) for pool in site.pools for s in pool.servers]
    used += [IPv4Network(_v4(v.address)) for service in site.services for v in service.vips]
    networks = [IPv4Network(text) for text in CLIENT_NETWORKS]
    return [each for each in networks if not any(each.overlaps(other) for other in used)]
