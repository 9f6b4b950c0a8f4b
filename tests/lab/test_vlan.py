"""The laptop example with all its links in a VLAN: everything works, and only through the tag."""

import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import LAPTOP, ROOT, Laptop, until
from tvsc.lab import namespace, tvsd
from tvsc.lab.report import Report
from tvsc.lab.state import RunDirectory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

VLAN = 100
REQUESTS = 500
SOL_PACKET, PACKET_AUXDATA, PACKET_QDISC_BYPASS, TAG_VALID = 263, 8, 20, 1 << 4


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """The example in VLAN 100, compiled."""
    folder = tmp_path_factory.mktemp("vlan") / "laptop"
    shutil.copytree(LAPTOP.parent, folder)
    lab = Laptop(folder / "site.tvs", folder / "out")
    text, count = re.subn(r"( +)nic +tap0\n", rf"\g<0>\g<1>vlan {VLAN}\n", lab.site.read_text())
    assert count == 1
    lab.site.write_text(text)
    command = [sys.executable, "-m", "tvsc.cli.main", "compile", str(lab.site), "-o", str(lab.out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield lab
    lab.tvsc("down")


def test_a_run_with_all_drills(tagged: Laptop) -> None:
    """BGP and BFD come up, requests and session sync pass, and nothing is of another VLAN."""
    done = tagged.tvsc("run", "--format", "json", "--requests", str(REQUESTS))
    assert done.stdout, done.stderr
    report = Report.model_validate_json(done.stdout)
    assert report.problems == []
    assert report.good
    assert report.requests.failed == 0, report.requests.failures
    assert {drill.name for drill in report.drills} == {
        "node-loss",
        "node-freeze",
        "cluster-loss",
        "backend-down",
        "pool-down",
    }
    assert sum(row.handover for row in report.counters.nodes) == 0
    assert all("other_vlan" not in row.drops for row in report.counters.nodes)
    tagged.assert_nothing_left()


def test_the_tag_is_on_the_wire(tagged: Laptop) -> None:
    """What a node sends has it; what is sent to it without is dropped and counted."""
    assert tagged.tvsc("up").returncode == 0
    try:
        run, switch = RunDirectory(tagged.name), f"tvsc-{tagged.name}-switch"
        wire = namespace.inside(switch, lambda: _packet_socket("tvs-a1"))
        with wire:
            for outgoing in (True, False) * 3:
                assert _tag_of_next(wire, outgoing) == VLAN
            untagged = bytes(12) + b"\x08\x00" + bytes(46)
            for _ in range(3):
                wire.send(untagged)
        assert until(lambda: tvsd.tally(run, "tvs-a1").drops["other_vlan"] == 3, 10)
        status = subprocess.run(
            [tagged.out / "bin" / "tvs", "--socket", _socket_of(run), "status"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert re.search(rf"^fwd +\S+ +1500 +{VLAN} ", status, re.MULTILINE), status
    finally:
        assert tagged.tvsc("down").returncode == 0
    tagged.assert_nothing_left()


def _socket_of(run: RunDirectory) -> Path:
    return run.path / "nodes" / "tvs-a1" / tvsd.SOCKET


def _packet_socket(interface: str) -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 0))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)  # past what tags the switch's packets
    wire.settimeout(10)
    return wire


def _tag_of_next(wire: socket.socket, outgoing: bool) -> int | None:
    """Of the next packet to the node, or from it; BFD speaks all the time."""
    while True:
        _, beside, _, sender = wire.recvmsg(2000, 100)
        if (sender[2] == socket.PACKET_OUTGOING) != outgoing:
            continue
        status, _, _, _, _, tag, _ = struct.unpack("IIIHHHH", beside[0][2])
        return tag if status & TAG_VALID else None
