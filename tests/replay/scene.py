"""The fixture's cast, for packets built with scapy."""

from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

CLIENT_MAC = "02:00:00:00:00:c1"
NODE_MAC = ("02:74:76:73:00:00", "02:74:76:73:00:01")
GATEWAY_MAC = ("02:00:00:00:00:01", "02:00:00:00:0b:01")

CLIENT = "198.18.0.1"
VIP, KEPT_VIP = "203.0.113.10", "203.0.113.11"
WEB = ("10.20.1.1", "10.20.1.2", "10.20.1.3")  # weights 3, 2, 1: ring 1 2 1 3 2 1
DNS = (("10.20.2.1", 53), ("10.20.2.2", 5353))
KEPT = ("198.51.100.1", "198.51.100.2")
LIPS = (("172.16.0.1", "172.16.0.3"), ("172.16.0.2", "172.16.0.4"))  # by worker, by slot

# where RSS puts CLIENT's flows to VIP:80, by the naive model of the NIC
# (test_steering checks it): the tests below want flows of worker 0
PORTS_OF_WORKER: tuple[tuple[int, ...], ...] = ((1001, 1002, 1004), (1000, 1003, 1005))


def to_node(packet: Any, port: int = 0) -> bytes:  # noqa: ANN401
    return bytes(Ether(src=CLIENT_MAC, dst=NODE_MAC[port]) / packet)


def from_node(packet: Any, port: int) -> bytes:  # noqa: ANN401
    return bytes(Ether(src=NODE_MAC[port], dst=GATEWAY_MAC[port]) / packet)


__all__ = [
    "CLIENT",
    "DNS",
    "ICMP",
    "IP",
    "KEPT",
    "KEPT_VIP",
    "LIPS",
    "PORTS_OF_WORKER",
    "TCP",
    "UDP",
    "VIP",
    "WEB",
    "Ether",
    "Raw",
    "from_node",
    "to_node",
]
