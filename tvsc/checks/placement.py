"""Placement: cores, sockets and devices of one machine."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Driver, IdlePolicy, Node, PciDevice, Port, Site, kernel_interface
from tvsc.source import Span


def cores_match_workers(site: Site) -> Iterator[Diagnostic]:
    """A node with pinned workers gives each a core."""
    for cluster in site.clusters:
        for node in cluster.nodes:
            if node.pinned and len(node.worker_cores) != cluster.workers:
                yield Diagnostic(
                    codes.CORES_COUNT,
                    f"cluster `{cluster.name}` has {cluster.workers} workers, and node"
                    f" `{node.name}` gives them {len(node.worker_cores)} cores",
                    site.span(node, "workers"),
                    (Note("workers are counted here", site.span(cluster, "workers")),),
                )


def cores_used_once(site: Site) -> Iterator[Diagnostic]:
    """No core runs two workers, or a worker and the control thread."""
    for node in site.nodes():
        seen: set[int] = set()
        twice = next((c for c in node.worker_cores if c in seen or seen.add(c)), None)  # type: ignore[func-returns-value]
        if twice is not None:
            yield Diagnostic(
                codes.CORE_TWICE,
                f"core {twice} is given to two workers of node `{node.name}`",
                site.span(node, "workers"),
            )
        if node.control_core in seen:
            yield Diagnostic(
                codes.CORE_TWICE,
                f"core {node.control_core} runs the control thread and a worker of node"
                f" `{node.name}`",
                site.span(node, "control"),
                (Note("the workers' cores", site.span(node, "workers")),),
            )


def control_beside_workers(site: Site) -> Iterator[Diagnostic]:
    """The control thread has a core of its own if and only if the workers have."""
    for node in site.nodes():
        if node.pinned and node.control_core is None:
            yield Diagnostic(
                codes.CONTROL_PLACE,
                f"node `{node.name}` gives its workers cores of their own, and its control thread"
                " none",
                site.span(node, "control"),
                (Note("the workers' cores", site.span(node, "workers")),),
                "write `control core N`, with a core that no worker has",
            )
        if not node.pinned and node.control_core is not None:
            yield Diagnostic(
                codes.CONTROL_PLACE,
                f"node `{node.name}` gives its control thread core {node.control_core}, and its"
                " workers share all cores",
                site.span(node, "control"),
                (Note("the workers", site.span(node, "workers")),),
                "write `control shared`, or give the workers cores of their own",
            )


def one_socket(site: Site) -> Iterator[Diagnostic]:
    """Workers and NICs sit on one socket: crossing costs 15 to 20 %."""
    for node in site.nodes():
        wanted, whose = node.socket, f"the workers of node `{node.name}` are"
        place = site.span(node, "workers")
        for port in node.ports:
            if wanted is not None and port.socket is not None and port.socket != wanted:
                yield Diagnostic(
                    codes.SOCKET_MISMATCH,
                    f"port `{port.name}` is on socket {port.socket}, and {whose} on socket"
                    f" {wanted}",
                    site.span(port, "socket"),
                    (Note("that socket is named here", place),),
                )
            if wanted is None and port.socket is not None:
                wanted, whose = port.socket, f"port `{port.name}` of the same node is"
                place = site.span(port, "socket")


def devices_used_once(site: Site) -> Iterator[Diagnostic]:
    """No two ports of a node are one device."""
    for node in site.nodes():
        known: dict[str, tuple[str, Span | None]] = {}
        for port in node.ports:
            span = site.span(port, port.device.kind)
            for key in _devices(port):
                earlier = known.setdefault(key, (port.name, span))
                if earlier[0] == port.name:
                    continue
                yield Diagnostic(
                    codes.DEVICE_TWICE,
                    f"ports `{earlier[0]}` and `{port.name}` of node `{node.name}` are both"
                    f" `{key}`",
                    span,
                    (Note(f"port `{earlier[0]}`", earlier[1]),),
                )
                break


def _devices(port: Port) -> Iterator[str]:
    """What a port takes for itself: the device, and the kernel's interface where it has one."""
    if isinstance(port.device, PciDevice):
        yield port.device.address
        return
    yield port.device.name
    interface = kernel_interface(port.device.args)
    if interface is not None:
        yield f"iface={interface}"


_HARDWARE = {Driver.IXGBE, Driver.I40E, Driver.ICE, Driver.MLX5, Driver.VMXNET3}
_VIRTUAL = {
    "net_tap": Driver.TAP,
    "net_af_packet": Driver.AF_PACKET,
    "net_pcap": Driver.PCAP,
    "net_ring": Driver.RING,
    "net_null": Driver.NULL,
    "net_memif": Driver.MEMIF,
    "net_virtio_user": Driver.VIRTIO,
}
"""The virtual devices that have a profile of their own."""


def devices_fit_profiles(site: Site) -> Iterator[Diagnostic]:
    """A PCI device has no virtual device's profile, nor the other way round; a virtual device has
    its own.
    """
    for port in (p for n in site.nodes() for p in n.ports):
        driver = site.nic_of(port).driver
        device = port.device
        if isinstance(device, PciDevice):
            virtual = driver is not Driver.VIRTIO and driver in _VIRTUAL.values()
            wrong = "a PCI device" if virtual else None
        else:
            own = _VIRTUAL.get(device.name.rstrip("0123456789"))
            fits = driver is own or not (own or driver in _HARDWARE or driver is Driver.TAP)
            wrong = None if fits else f"`{device.name}`"
        if wrong is not None:
            yield Diagnostic(
                codes.DEVICE_MISMATCH,
                f"port `{port.name}` is {wrong}, and its NIC profile is for `{driver}`",
                site.span(port, "nic"),
                (Note("the device", site.span(port, device.kind)),),
            )


def busy_needs_cores(site: Site) -> Iterator[Diagnostic]:
    """Workers that poll without end need cores of their own."""
    for cluster in site.clusters:
        shared = [n for n in cluster.nodes if not n.pinned]
        if cluster.idle is IdlePolicy.BUSY and shared:
            yield _busy(site, shared[0])


def _busy(site: Site, node: Node) -> Diagnostic:
    cluster = site.cluster_of(node)
    return Diagnostic(
        codes.BUSY_SHARED,
        f"the workers of node `{node.name}` poll without end and share their cores",
        site.span(node, "workers"),
        (Note("the idle policy", site.span(cluster, "idle")),),
        "write `idle interrupt` for the cluster, or give the workers cores",
    )


RULES = (
    cores_match_workers,
    cores_used_once,
    control_beside_workers,
    one_socket,
    devices_used_once,
    devices_fit_profiles,
    busy_needs_cores,
)
