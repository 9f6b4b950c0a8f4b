"""What a name stands for, in a few lines of markdown: reads the model."""

from __future__ import annotations

from tvsc.lower.nics import FACTS, profile
from tvsc.lower.reader import show_ms
from tvsc.lsp.index import Thing
from tvsc.lsp.record import What
from tvsc.model import (
    Cluster,
    Driver,
    HttpCheck,
    NicProfile,
    Node,
    PciDevice,
    Pool,
    Port,
    RuleMasks,
    Service,
    Site,
)

SHOWN = 5
"""So many of a list are named."""

_MASKS = {
    RuleMasks.FULL: "full masks only",
    RuleMasks.ONE_SHAPE: "any mask, one for all rules",
    RuleMasks.ANY: "any mask",
}


def summary(thing: Thing, site: Site | None) -> str:
    """What the site has under a name; its sort alone where there is no model."""
    lines = [f"{thing.what} `{thing.name}`"]
    if thing.what is What.NIC:
        lines += _nic(_profile(thing.name, site))
    elif site is not None:
        lines += _of_model(thing, site)
    return "\n\n".join([f"**{lines[0]}**", *lines[1:]])


def _of_model(thing: Thing, site: Site) -> list[str]:
    name = thing.name
    if thing.what is What.POOL:
        pool = site.pool_by_name.get(name)
        return [] if pool is None else _pool(pool, site)
    if thing.what is What.SERVICE:
        service = site.service_by_name.get(name)
        return [] if service is None else _service(service)
    if thing.what is What.CLUSTER:
        cluster = site.cluster_by_name.get(name)
        return [] if cluster is None else _cluster(cluster)
    if thing.what is What.NODE:
        node = site.node_by_name.get(name)
        return [] if node is None else _node(node)
    if thing.what is What.PORT:
        ports = [p for node in site.nodes() for p in node.ports if p.name == name]
        return [f"{len(ports)} nodes have it, the first: {_port(ports[0])}"] if ports else []
    nodes = sum(len(cluster.nodes) for cluster in site.clusters)
    return [
        (
            f"AS {site.asn}; {_count(len(site.clusters), 'cluster')}, {_count(nodes, 'node')},"
            f" {_count(len(site.pools), 'pool')}, {_count(len(site.services), 'service')}"
        )
    ]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:SHOWN])
    return f"{shown}, ..." if len(names) > SHOWN else shown


def _pool(pool: Pool, site: Site) -> list[str]:
    weight = sum(server.weight for server in pool.servers if not server.drain)
    draining = sum(server.drain for server in pool.servers)
    lines = [
        f"{_count(len(pool.servers), 'server')}, weight {weight} in all"
        + (f", {draining} draining" if draining else "")
        + (f": {_some([server.key for server in pool.servers])}" if pool.servers else ""),
        f"schedule `{pool.schedule}`, on-down `{pool.on_down}`, {_check(pool)}",
    ]
    users = [
        f"{service.name}: {listener.protocol} {listener.port}"
        for service in site.services
        for listener in service.listeners
        if listener.pool == pool.name
    ]
    users += [f"{service.name}: sorry" for service in site.services if service.sorry == pool.name]
    return [*lines, f"serves {_some(users)}" if users else "no service uses it"]


def _check(pool: Pool) -> str:
    check = pool.check
    if check is None:
        return "no health check"
    path = f" `{check.path}`" if isinstance(check, HttpCheck) else ""
    return (
        f"check {check.kind}{path} every {show_ms(check.every_ms)},"
        f" timeout {show_ms(check.timeout_ms)}, rise {check.rise}, fall {check.fall}"
    )


def _service(service: Service) -> list[str]:
    vips = [str(vip.address) for vip in service.vips]
    lines = [f"VIP {_some(vips)}"]
    lines += [
        f"{one.protocol} {one.port} to pool `{one.pool}`" for one in service.listeners[:SHOWN]
    ]
    if service.sorry is not None:
        lines.append(f"sorry pool `{service.sorry}`")
    if service.min_up:
        lines.append(f"withdrawn below {_count(service.min_up, 'server')}")
    times = service.timeouts
    lines.append(
        f"timeouts: syn {show_ms(times.tcp_syn_ms)},"
        f" established {show_ms(times.tcp_established_ms)}, fin {show_ms(times.tcp_fin_ms)},"
        f" close {show_ms(times.tcp_close_ms)}, udp {show_ms(times.udp_ms)}"
    )
    return lines


def _cluster(cluster: Cluster) -> list[str]:
    lips = cluster.local_ips
    return [
        (
            f"{cluster.role.preference}; {_count(len(cluster.nodes), 'node')}:"
            f" {_some([node.name for node in cluster.nodes])}"
        ),
        (
            f"{_count(cluster.workers, 'worker')} a node,"
            f" {cluster.sessions_per_worker:,} sessions a worker, steering `{cluster.steering}`"
        ),
        f"local IPs: `{lips.short}`, `/{lips.long_length}` a node, {lips.per_worker} a worker",
    ]


def _node(node: Node) -> list[str]:
    cores = ", ".join(map(str, node.worker_cores)) if node.pinned else "shared"
    lines = [
        f"cluster `{node.cluster}`, number {node.index}; router id `{node.router_id}`",
        f"{_count(node.workers, 'worker')}, cores {cores}",
    ]
    own = [lip for worker in node.lips for lip in worker]
    if own:
        lines.append(f"local IPs `{own[0]}` to `{own[-1]}` of `{node.long}`")
    return [*lines, *(f"port `{port.name}`: {_port(port)}" for port in node.ports)]


def _port(port: Port) -> str:
    device = port.device
    what = device.address if isinstance(device, PciDevice) else device.args
    return (
        f"`{what}`, NIC profile `{port.nic}`, address `{port.address}`, gateway `{port.gateway}`,"
        f" MTU {port.mtu}"
    )


def _profile(name: str, site: Site | None) -> NicProfile | None:
    known = None if site is None else site.nic_by_name.get(name)
    if known is None and name in {driver.value for driver in FACTS}:
        return profile(name, Driver(name), "")
    return known


def _nic(nic: NicProfile | None) -> list[str]:
    if nic is None:
        return []
    rules = nic.flow_rules
    if rules is None:
        flow = "no flow rules"
    else:
        room = "flow rules without a known limit" if rules.max_rules is None else ""
        flow = f"{room or _count(rules.max_rules or 0, 'flow rule')}, {_MASKS[rules.masks]}"
    key = f"RSS key of {nic.rss_key_bytes} bytes" if nic.rss_key_bytes else "fixed RSS key"
    return [f"driver `{nic.driver}`: {nic.queues} queues, {key}, {flow}"]
