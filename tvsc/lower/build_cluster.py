"""Settings to clusters, nodes and ports; the owner of every local IP is decided here."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface

from tvsc.checks.capacity import MAX_SLOTS
from tvsc.diag import codes
from tvsc.lower.fields import Entry
from tvsc.lower.schema import Named
from tvsc.lower.scope import Context, Scope
from tvsc.model import (
    Bfd,
    Cluster,
    Device,
    Fabric,
    IdlePolicy,
    LocalIps,
    Node,
    PciDevice,
    Port,
    Preference,
    Role,
    Secret,
    SecretSource,
    Steering,
    Sync,
    VdevDevice,
)

_NO_PREFIX = IPv4Network("0.0.0.0/32")
_NO_ADDRESS = IPv4Address(0)
_NO_SECRET = Secret(source=SecretSource.ENV, name="")


def build_cluster(context: Context, entry: Entry, nics: list[str]) -> Cluster:
    """One cluster with its nodes; `nics` are the profiles that a port may name."""
    assert isinstance(entry.value, Named)
    name = entry.value.name
    scope = Scope(context, entry, f"cluster/{name}", f"cluster `{name}`")
    workers = scope.need("workers", int, 1)
    steering = scope.need("steering", str, "software")
    sessions = scope.need("sessions", int, 1024)
    local_ips = _local_ips(scope)
    entries = list(scope.entries("node"))
    nodes = tuple(
        _node(scope, node, index, workers, local_ips, nics) for index, node in enumerate(entries)
    )
    if local_ips.per_worker * len(nodes) <= MAX_SLOTS:
        # More cannot work, and a check says so; then nobody needs them.
        nodes = tuple(
            node.model_copy(update={"lips": worker_lips(local_ips, node.index, workers)})
            for node in nodes
        )
    if not nodes:
        scope.missing("node")
    fabric = tuple(_fabric(scope, e) for e in scope.entries("fabric"))
    if not fabric:
        scope.missing("fabric")
    return Cluster(
        at=scope.at,
        name=name,
        role=scope.get("role", Role, Role(preference=Preference.PRIMARY)),
        workers=workers,
        steering=Steering(steering),
        sessions_per_worker=sessions,
        idle=IdlePolicy(scope.get("idle", str, "busy")),
        cpu=scope.get("cpu", str, "x86-64-v2"),
        failover_ms=scope.get("failover", int, None),
        local_ips=local_ips,
        sync=_sync(scope),
        fabric=fabric,
        nodes=nodes,
    )


def _local_ips(scope: Scope) -> LocalIps:
    at = f"{scope.at}/local-ips"
    entry = scope.entry("local-ips")
    if entry is None:
        scope.missing("local-ips")
        return LocalIps(at=at, short=_NO_PREFIX, long_length=32, per_worker=1)
    inner = Scope(scope.context, entry, at, f"`local-ips` of {scope.title}")
    return LocalIps(
        at=at,
        short=inner.need("short", IPv4Network, _NO_PREFIX),
        long_length=inner.need("long", int, 32),
        per_worker=inner.need("workers", int, 1),
    )


def _sync(scope: Scope) -> Sync | None:
    entry = scope.entry("sync")
    if entry is None:
        return None
    inner = Scope(scope.context, entry, f"{scope.at}/sync", f"`sync` of {scope.title}")
    return Sync(
        at=inner.at, port=inner.need("port", int, 1), key=inner.need("key", Secret, _NO_SECRET)
    )


def _fabric(scope: Scope, entry: Entry) -> Fabric:
    address = entry.value
    assert isinstance(address, IPv4Address | IPv6Address)
    inner = Scope(
        scope.context, entry, f"{scope.at}/fabric/{address}", f"fabric `{address}` of {scope.title}"
    )
    return Fabric(
        at=inner.at,
        address=address,
        asn=inner.need("asn", int, 1),
        hold_ms=inner.get("hold", int, 9000),
        bfd=inner.get("bfd", Bfd, None),
        password=inner.get("password", Secret, None),
    )


def _node(
    cluster: Scope, entry: Entry, index: int, workers: int, local_ips: LocalIps, nics: list[str]
) -> Node:
    assert isinstance(entry.value, Named)
    name = entry.value.name
    scope = Scope(cluster.context, entry, f"{cluster.at}/node/{name}", f"node `{name}`")
    written: tuple[tuple[int, ...], int | None] = scope.need("workers", tuple, ((), None))
    cores, socket = written
    ports = tuple(_port(scope, port, nics, socket) for port in scope.entries("port"))
    if not ports:
        scope.missing("port")
    return Node(
        at=scope.at,
        name=name,
        cluster=cluster.at.partition("/")[2],
        index=index,
        router_id=scope.need("router-id", IPv4Address, _NO_ADDRESS),
        workers=workers,
        worker_cores=cores,
        socket=socket,
        control_core=scope.get("control", int | None, None),  # type: ignore[arg-type]
        ports=ports,
        long=long_prefix(local_ips, index),
        lips=(),
    )


def _port(node: Scope, entry: Entry, nics: list[str], socket: int | None) -> Port:
    name = entry.value
    assert isinstance(name, str)
    scope = Scope(node.context, entry, f"{node.at}/port/{name}", f"port `{name}` of {node.title}")
    nic = scope.need("nic", str, "")
    nic_entry = scope.entry("nic")
    if nic_entry is not None and nic not in nics:
        scope.context.report(
            codes.UNKNOWN_NAME,
            f"there is no NIC profile `{nic}`",
            nic_entry.span,
            scope.context.did_you_mean(nic, nics),
        )
    return Port(
        at=scope.at,
        name=name,
        device=_device(scope),
        nic=nic,
        socket=scope.get("socket", int, socket),
        address=scope.need("address", IPv4Interface, IPv4Interface("0.0.0.0/32")),
        gateway=scope.need("gateway", IPv4Address, _NO_ADDRESS),
        gateway_mac=scope.get("gateway-mac", str, None),
        address6=scope.get("address6", IPv6Interface, None),
        gateway6=scope.get("gateway6", IPv6Address, None),
        mtu=scope.get("mtu", int, 1500),
        promiscuous=scope.get("promiscuous", bool, False),
        vlan=scope.get("vlan", int, None),
    )


def _device(scope: Scope) -> Device:
    pci, vdev = scope.entry("pci"), scope.entry("vdev")
    if pci is not None and vdev is not None:
        scope.context.report(
            codes.DUPLICATE_SETTING, f"{scope.title} has both `pci` and `vdev`", vdev.span
        )
    if vdev is not None:
        return VdevDevice(args=scope.get("vdev", str, ""))
    if pci is None:
        scope.context.report(
            codes.MISSING_SETTING,
            f"{scope.title} has no device",
            scope.span,
            'write `pci ADDRESS` or `vdev "net_..."`',
        )
        return VdevDevice(args="")
    return PciDevice(address=scope.get("pci", str, ""))


# --- who owns which local IP ---------------------------------------------------------------------

_ADDRESSES = 1 << 32


def long_prefix(local_ips: LocalIps, index: int) -> IPv4Network:
    """The prefix of node `index`; outside `short` when there are too many nodes (a check says
    so).
    """
    size = 1 << (32 - local_ips.long_length)
    base = (int(local_ips.short.network_address) + index * size) % _ADDRESSES
    return IPv4Network((base & ~(size - 1), local_ips.long_length))


def worker_lips(
    local_ips: LocalIps, index: int, workers: int
) -> tuple[tuple[IPv4Address, ...], ...]:
    """The local IPs of every worker of node `index`, as `LocalIps` describes."""
    prefix = long_prefix(local_ips, index)
    block = 1 << (local_ips.per_worker - 1).bit_length()
    skip = 1 if (workers + 1) * block <= prefix.num_addresses else 0
    first = int(prefix.network_address) + skip * block
    return tuple(
        tuple(
            IPv4Address((first + worker * block + i) % _ADDRESSES)
            for i in range(local_ips.per_worker)
        )
        for worker in range(workers)
    )
