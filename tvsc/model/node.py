"""A machine of a cluster and its ports."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from typing import Literal

from tvsc.model.base import Model, Noun


class PciDevice(Model):
    """A NIC by its PCI address, always with the domain: `0000:3b:00.0`."""

    kind: Literal["pci"] = "pci"
    address: str


class VdevDevice(Model):
    """Any DPDK virtual device as EAL's `--vdev` takes it: `net_tap0,iface=tvs-a1`."""

    kind: Literal["vdev"] = "vdev"
    args: str

    @property
    def name(self) -> str:
        """The device's name: the driver's with a number, `net_tap0`."""
        return self.args.partition(",")[0]


def kernel_interface(args: str) -> str | None:
    """The kernel's interface that a virtual device makes or takes; None where none is named."""
    return next((a[6:] for a in args.split(",")[1:] if a.startswith("iface=")), None)


Device = PciDevice | VdevDevice


class Port(Noun):
    """A dataplane port. `nic` names a `NicProfile` of the site; `mtu` is in bytes, without the
    Ethernet header.

    `gateway_mac` (lower case, colons) is set when the next hop is static and must not be
    resolved. `socket` is the NUMA socket of the device, None when it does not matter. `vlan` is
    the 802.1Q id, None when untagged.
    """

    name: str
    device: Device
    nic: str
    socket: int | None
    address: IPv4Interface
    gateway: IPv4Address
    gateway_mac: str | None
    address6: IPv6Interface | None
    gateway6: IPv6Address | None
    mtu: int
    promiscuous: bool
    vlan: int | None


class Node(Noun):
    """A machine.

    `index` counts from 0 inside the cluster in source order: with `Cluster.local_ips` it decides
    `long` and `lips`. `worker_cores` has one core per worker, in worker order; it is empty when
    the workers share whatever cores there are (not pinned), and then `control_core` may be None
    as well. `lips[w]` are the local IPs of worker `w`, in slot order; `long` is the prefix of
    them all that this node alone announces.
    """

    name: str
    cluster: str
    index: int
    router_id: IPv4Address
    workers: int
    worker_cores: tuple[int, ...]
    socket: int | None
    control_core: int | None
    ports: tuple[Port, ...]
    long: IPv4Network
    lips: tuple[tuple[IPv4Address, ...], ...]

    @property
    def pinned(self) -> bool:
        """Whether the workers have cores of their own."""
        return bool(self.worker_cores)
