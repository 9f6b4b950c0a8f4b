"""Runs tvs-replay over packets and reads everything it writes."""

import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.naive import runtime
from tests.naive.vlan import TPID
from tests.replay.captures import Stamped, pcap, read_file


@dataclass
class Outcome:
    sent: list[Stamped]
    kernel: list[Stamped]
    stats: dict[str, Any]
    trace: list[dict[str, Any]]
    total: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.total = self.stats["total"]

    @property
    def frames(self) -> list[bytes]:
        return [packet.frame for packet in self.sent]

    @property
    def drops(self) -> dict[str, int]:
        return {name: count for name, count in self.total["drops"].items() if count}


def command(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = str(runtime.replay_program())
    return subprocess.run([program, *arguments], input=stdin, capture_output=True, check=False)


def replay(
    packets: list[Stamped] | list[bytes] | bytes, *options: str, variant: str = "fixture"
) -> Outcome:
    """Packets (or a whole capture file) through a fixture generation; it must succeed."""
    return replay_generation(runtime.fixture(variant), packets, *options)


def replay_generation(
    generation: Path, packets: list[Stamped] | list[bytes] | bytes, *options: str
) -> Outcome:
    if isinstance(packets, list):
        stamped = [p if isinstance(p, Stamped) else Stamped(p) for p in packets]
        packets = pcap(stamped)
    with tempfile.TemporaryDirectory(prefix="tvs-replay-") as directory:
        top = Path(directory)
        (top / "in.pcap").write_bytes(packets)
        done = command(
            *("--generation", str(generation), "--stats", "-"),
            *("--trace", str(top / "trace"), "--kernel", str(top / "kernel.pcap")),
            *options,
            *(str(top / "in.pcap"), str(top / "out.pcap")),
        )
        assert done.returncode == 0, done.stderr.decode()
        assert done.stderr == b""
        outcome = Outcome(
            sent=read_file(top / "out.pcap"),
            kernel=read_file(top / "kernel.pcap"),
            stats=json.loads(done.stdout),
            trace=[json.loads(line) for line in (top / "trace").read_text().splitlines()],
        )
    check_sums(outcome)
    return outcome


def check_sums(outcome: Outcome) -> None:
    """Every frame is in exactly one row, and the files hold what the counters say."""
    for counters in [outcome.total, *outcome.stats["workers"]]:
        rows = ("tx_request", "tx_reply", "tx_local", "kernel", "handover")
        counted = sum(counters[row] for row in rows) + sum(counters["drops"].values())
        assert counters["frames"] == counted
    total = outcome.total
    assert len(outcome.sent) == total["tx_request"] + total["tx_reply"] + total["tx_local"]
    tags = sum(4 for frame in outcome.frames if frame[12:14] == TPID)
    assert sum(len(frame) for frame in outcome.frames) == total["tx_bytes"] + tags
    assert len(outcome.kernel) == total["kernel"]
    assert len(outcome.trace) == outcome.stats["capture"]["packets"]
    # what is of another VLAN is in no worker's row
    taken = len(outcome.trace) - outcome.stats["capture"]["other_vlan"]
    assert total["frames"] == taken + total["handover"]
    assert outcome.stats["capture"]["handed_over"] == total["handover"]
