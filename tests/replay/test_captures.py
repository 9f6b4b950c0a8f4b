"""Capture files of every kind: read whole, or refused with a reason; never a crash."""

import random
import subprocess
from pathlib import Path

import pytest

from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.fixture import VIP_A
from tests.naive.wire import ACK, SYN, TCP
from tests.replay.captures import MICRO, NANO, Stamped, pcap, pcapng, read_pcap
from tests.replay.run import command, replay

SYN_FRAME = bytes(Frame(0xC6120001, VIP_A, TCP, 1001, 80, SYN))
ACK_FRAME = bytes(Frame(0xC6120001, VIP_A, TCP, 1001, 80, ACK))
START = 1_700_000_000 * 10**9
PACKETS = [
    Stamped(SYN_FRAME, START + 123_456_000),
    Stamped(ACK_FRAME, START + 123_457_000),
]


@pytest.mark.parametrize(
    "data",
    [pcap(PACKETS, MICRO), pcap(PACKETS, NANO), pcapng(PACKETS)],
    ids=["microseconds", "nanoseconds", "pcapng"],
)
def test_timestamps_are_kept(data: bytes) -> None:
    assert [p.time_ns for p in replay(data).sent] == [p.time_ns for p in PACKETS]


def test_nanoseconds_are_kept() -> None:
    packet = Stamped(SYN_FRAME, START + 987_654_321)
    for data in (pcap([packet]), pcapng([packet])):
        assert [p.time_ns for p in replay(data).sent] == [packet.time_ns]


def test_an_empty_capture() -> None:
    outcome = replay([])
    assert outcome.stats["capture"] == {
        "packets": 0,
        "cut": 0,
        "handed_over": 0,
        "other_vlan": 0,
        "seconds": 0.0,
    }


def test_a_packet_cut_by_the_snap_length_is_counted() -> None:
    whole = bytes(Frame(0xC6120001, VIP_A, TCP, 1001, 80, SYN, payload=bytes(500)))
    outcome = replay([Stamped(whole[:96], 0, len(whole))])
    assert outcome.stats["capture"]["cut"] == 1
    assert outcome.drops == {"truncated": 1}


def run_on(tmp_path: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    (tmp_path / "in.pcap").write_bytes(data)
    generation = str(runtime.fixture())
    files = [str(tmp_path / "in.pcap"), str(tmp_path / "out.pcap")]
    return command("--generation", generation, "--stats", str(tmp_path / "stats"), *files)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "truncated"),
        (b"no capture at all, just text", "unknown file format"),
        (pcap(PACKETS, link=113), "only Ethernet can be replayed"),
        (pcap(PACKETS, link=101), "only Ethernet can be replayed"),
        (pcapng(PACKETS, link=101), "only Ethernet can be replayed"),
        (pcap(PACKETS)[:30], "truncated"),
    ],
    ids=["empty", "text", "cooked", "raw", "pcapng raw", "cut"],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    done = run_on(tmp_path, data)
    assert done.returncode == 1
    assert why in done.stderr.decode()
    assert done.stderr.decode().startswith(f"tvs-replay: {tmp_path / 'in.pcap'}: ")
    assert done.stderr.count(b"\n") == 1


def test_a_capture_damaged_half_way_gives_what_came_before(tmp_path: Path) -> None:
    done = run_on(tmp_path, pcap(PACKETS)[:-5])
    assert done.returncode == 1 and b"truncated" in done.stderr
    assert len(read_pcap((tmp_path / "out.pcap").read_bytes())) == 1


def test_stdin_and_stdout() -> None:
    generation = str(runtime.fixture())
    done = command("--generation", generation, "-", "-", stdin=pcap(PACKETS))
    assert done.returncode == 0
    assert [p.time_ns for p in read_pcap(done.stdout)] == [p.time_ns for p in PACKETS]


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in.pcap").write_bytes(pcap(PACKETS))
    generation = str(runtime.fixture())
    done = command("--generation", generation, str(tmp_path / "in.pcap"), "/dev/full")
    assert done.returncode == 1
    assert b"cannot be written" in done.stderr


@pytest.mark.parametrize("seed", range(40))
def test_hostile_captures(tmp_path: Path, seed: int) -> None:
    """Any bytes: the answer is a result or one line of complaint."""
    chance = random.Random(seed)
    data = bytearray(pcapng(PACKETS) if seed % 2 else pcap(PACKETS * 3))
    for _ in range(chance.randint(1, 12)):
        data[chance.randrange(len(data))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
    done = run_on(tmp_path, bytes(data))
    assert done.returncode in (0, 1), done
    assert done.stderr.count(b"\n") == done.returncode


@pytest.mark.parametrize("time_ns", [0, (2**32 - 1) * 10**9, 2**31 * 10**9])
def test_far_times(time_ns: int) -> None:
    packets = [Stamped(SYN_FRAME, 5), Stamped(ACK_FRAME, time_ns), Stamped(SYN_FRAME, 7)]
    outcome = replay(pcap(packets))
    assert outcome.total["frames"] == 3


def test_times_of_pcapng_that_no_clock_has() -> None:
    packets = [Stamped(SYN_FRAME, 0), Stamped(SYN_FRAME, 2**64 - 1), Stamped(SYN_FRAME, 2**63)]
    assert replay(pcapng(packets)).total["frames"] == 3
