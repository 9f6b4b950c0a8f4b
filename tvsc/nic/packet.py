"""What a NIC reads of an IPv4 packet, and sets of packets that it cannot tell apart by rules."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

ICMP, TCP, UDP = 1, 6, 17
_NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}


@dataclass(frozen=True, slots=True)
class Packet:
    """Addresses are 32-bit numbers. `fragment` is true of every fragment, the first included.
    `vlan` is the identifier of its tag on the wire, None without one.
    """

    source: int
    destination: int
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    fragment: bool = False
    vlan: int | None = None

    @property
    def flow_class(self) -> FlowClass:
        """The class that it belongs to."""
        return FlowClass(self.destination, self.protocol, self.fragment, self.vlan)

    @property
    def rss_input(self) -> bytes:
        """What is hashed: addresses, and the ports of a whole TCP or UDP packet. A tag in front of
        IPv4 changes nothing: every NIC with a profile parses past it before it hashes.
        """
        data = self.source.to_bytes(4, "big") + self.destination.to_bytes(4, "big")
        if self.protocol in (TCP, UDP) and not self.fragment:
            data += self.source_port.to_bytes(2, "big") + self.destination_port.to_bytes(2, "big")
        return data

    def __str__(self) -> str:
        source, destination = IPv4Address(self.source), IPv4Address(self.destination)
        name = _NAMES.get(self.protocol, str(self.protocol))
        if self.protocol not in (TCP, UDP):
            return f"{source} -> {destination}/{name}"
        return f"{source}:{self.source_port} -> {destination}:{self.destination_port}/{name}"


@dataclass(frozen=True, slots=True)
class FlowClass:
    """All packets of one destination, protocol and VLAN, whoever sent them, whatever their ports.

    Planned rules look at nothing else: either one of them takes the whole class or none of it.
    """

    destination: int
    protocol: int
    fragment: bool = False
    vlan: int | None = None

    def __str__(self) -> str:
        name = _NAMES.get(self.protocol, str(self.protocol))
        return f"{IPv4Address(self.destination)}/{name}"
