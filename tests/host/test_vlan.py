"""A port with a VLAN: the real daemon on tagged frames, by the workers and by a device."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.host.node import (
    N_WORKERS,
    NODE_ADDRESS,
    VIP,
    Node,
    generation,
    inside,
    ip_command,
    node,
    until,
    wire_in,
)
from tests.host.test_lifecycle import echo
from tests.host.test_steering import SITE, frames, send
from tests.naive.nic import steer
from tests.naive.vlan import with_tag
from tests.naive.wire import ETH, ICMP, checksum

pytestmark = pytest.mark.lab

VLAN = 100
SOL_PACKET, PACKET_AUXDATA, PACKET_QDISC_BYPASS = 263, 8, 20
TAG_VALID = 1 << 4
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
MTU = 1500
AF_PACKET_DEVICE = {
    "DEVICE": '"net_af_packet0,iface=nic0"',
    "FAMILY": "TVS_NIC_NONE",
    "MODE": "TVS_STEER_SOFTWARE",
}
DEVICES = pytest.mark.parametrize("veth", [False, True], ids=["by the workers", "by the device"])


@contextmanager
def tagged(directory: Path, veth: bool) -> Iterator[Node]:
    """A node in the VLAN: on a TAP, or on a device whose driver strips and inserts."""
    device = AF_PACKET_DEVICE if veth else {}
    made = generation(directory, VLAN=f"{VLAN}", WATCHDOG_MS="10000", **device)
    with node(made, directory, veth=veth, vlan=VLAN) as machine:
        # it sends frames as they are, and the far end's own go through its VLAN
        machine.wire.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        machine.wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        machine.wire.settimeout(0.1)
        yield machine


def received(wire: socket.socket) -> tuple[bytes, int | None]:
    """A frame and its tag, which the kernel takes out and tells beside it."""
    frame, beside, _, _ = wire.recvmsg(2000, 100)
    status, _, _, _, _, tag, _ = struct.unpack("IIIHHHH", beside[0][2])
    return frame, tag if status & TAG_VALID else None


def answers(machine: Node, request: bytes) -> list[tuple[bytes, int | None]]:
    """Echo replies to a request that is sent once, and their tags."""
    while True:
        try:
            received(machine.wire)
        except TimeoutError:
            break
    machine.wire.send(request)
    found: list[tuple[bytes, int | None]] = []
    while True:
        try:
            frame, tag = received(machine.wire)
        except TimeoutError:
            return found
        far_mac = machine.wire.getsockname()[4]
        if frame[:6] == far_mac and frame[12:14] == b"\x08\x00" and frame[23] == ICMP:
            found.append((frame, tag))


def other_vlan(machine: Node) -> int:
    return sum(w["drops"]["other_vlan"] for w in machine.ask("counters")["workers"])


def reach(machine: Node, destination: str, payload: int = 56) -> None:
    """An echo by the far end's kernel, which looks for the node with ARP; no fragments."""
    with inside(machine.far):
        icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with icmp:
        icmp.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        icmp.settimeout(0.2)
        head = struct.pack(">BBHHH", 8, 0, 0, 7, 1)
        sum_ = checksum(head + bytes(payload))
        request = head[:2] + sum_.to_bytes(2, "big") + head[4:] + bytes(payload)

        def answered() -> bool:
            icmp.sendto(request, (destination, 0))
            try:
                packet = icmp.recv(2000)
            except TimeoutError:
                return False
            return packet[20] == 0 and len(packet) == 28 + payload

        until(f"{destination} answers", answered)


@DEVICES
@pytest.mark.parametrize("destination", [VIP, NODE_ADDRESS], ids=["vip", "kernel"])
def test_a_tagged_request_is_answered_with_the_tag(
    tmp_path: Path, veth: bool, destination: int
) -> None:
    """By the packet path, and by the kernel behind the exception path; ARP goes before."""
    with tagged(tmp_path, veth) as machine:
        # only when the node has asked for it does it know the far MAC, through the tag
        reach(machine, "192.0.2.11")
        request = echo(destination, machine.wire.getsockname()[4])
        [(answer, tag)] = answers(machine, with_tag(request, VLAN))
        assert tag == VLAN
        assert answer[ETH + 20] == 0
        assert answer.endswith(b"are you there")
        assert other_vlan(machine) == 0
        [port] = machine.ask("status")["ports"]
        assert (port["vlan"], port["vlan_by_device"]) == (VLAN, veth)
        assert f"VLAN {VLAN}, tags by the {'device' if veth else 'workers'}" in machine.said()


@DEVICES
def test_other_frames_are_dropped_and_counted(tmp_path: Path, veth: bool) -> None:
    with tagged(tmp_path, veth) as machine:
        reach(machine, "192.0.2.11")
        request = echo(VIP, machine.wire.getsockname()[4])
        priority_only = with_tag(request, 0x1000)
        others = [request, with_tag(request, VLAN + 1), priority_only]
        taken = machine.summed("frames")
        for count, other in enumerate(others, 1):
            assert answers(machine, other) == []
            assert other_vlan(machine) == count
        assert machine.summed("frames") == taken
        # any priority is taken, the answer has none
        [(_, tag)] = answers(machine, with_tag(request, VLAN, priority=5))
        assert tag == VLAN


@DEVICES
def test_a_whole_mtu_fits_beside_the_tag(tmp_path: Path, veth: bool) -> None:
    with tagged(tmp_path, veth) as machine:
        ip_command("-n", machine.far, "route", "add", "203.0.113.10", "via", "192.0.2.11")
        for destination in ("192.0.2.11", "203.0.113.10"):
            reach(machine, destination, MTU - 28)


@pytest.mark.parametrize("beside", [False, True], ids=["tag in the packet", "tag beside it"])
def test_tagged_packets_come_out_of_the_same_queues(tmp_path: Path, beside: bool) -> None:
    """A packet socket has the tag in the packet, what goes through the kernel beside it."""
    with tagged(tmp_path, veth=False) as machine:
        batch = frames(3)
        if beside:
            machine.wire.close()
            machine.wire = wire_in(machine.far, "nic")
        for worker in range(N_WORKERS):
            part = [f for f in batch if steer(SITE, f) == worker]
            on_wire = part if beside else [with_tag(f, VLAN) for f in part]
            want = [len(part) if w == worker else 0 for w in range(N_WORKERS)]
            assert send(machine, on_wire) == want
        assert machine.summed("handover") == 0
        assert other_vlan(machine) == 0
