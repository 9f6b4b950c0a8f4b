"""The kernel clients of `tvsc bench lab`: wrk for TCP, sockperf for UDP, inside a namespace.

Reads what they print, and the CPU time of processes from /proc.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tvsc.bench.errors import BenchError
from tvsc.build.process import run

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 16
BULK_CONNECTIONS = 4
UDP_WINDOW = 16
UDP_BYTES = 64
TOOLS = (("wrk", "wrk"), ("sockperf", "sockperf"))

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_RUN_TIME = re.compile(
    r"\[Total Run\] RunTime=([\d.]+) sec;.* SentMessages=(\d+); ReceivedMessages=(\d+)"
)
_DROPPED = re.compile(r"# dropped messages = (\d+)")
_PERCENTILE = re.compile(r"percentile (\d+\.\d+) = +([\d.]+)")


class Measure(StrEnum):
    """What a client counts."""

    CONNECTIONS = "connections"
    REQUESTS = "requests"
    BULK = "bulk"
    PACKETS = "packets"


UNITS = {
    Measure.CONNECTIONS: "new connections/s",
    Measure.REQUESTS: "requests/s, keep-alive",
    Measure.BULK: "MB/s",
    Measure.PACKETS: "UDP round trips/s",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port."""

    address: IPv4Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a client's requests go; `udp` is None where the site has no such service."""

    tcp: Endpoint
    udp: Endpoint | None


@dataclass(frozen=True, slots=True)
class Count:
    """`per_s` in the measure's unit; `failed` of `made` were not answered as they should."""

    per_s: float
    made: int
    failed: int
    p50_us: float
    p99_us: float


class _Wrk(BaseModel):
    model_config = ConfigDict(extra="forbid")

    requests: int
    bytes: int
    duration_us: int
    connect: int
    read: int
    write: int
    status: int
    timeout: int
    p50_us: float
    p99_us: float
    p999_us: float


def count(measure: Measure, namespace: str, target: Target, seconds: int) -> Count:
    """One run of a client; BenchError when it does not run at all."""
    inside = ["ip", "netns", "exec", namespace]
    if measure is not Measure.PACKETS:
        return _tcp(inside, measure, target.tcp, seconds)
    assert target.udp is not None
    return _udp(inside, target.udp, seconds)


def _tcp(inside: list[str], measure: Measure, target: Endpoint, seconds: int) -> Count:
    path = "/bulk" if measure is Measure.BULK else "/"
    connections = BULK_CONNECTIONS if measure is Measure.BULK else CONNECTIONS
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s"]
    if measure is Measure.CONNECTIONS:
        command += ["-H", "Connection: close"]
    url = f"http://{target}{path}"
    done = run([*inside, *command, "-s", WRK_SCRIPT, url])
    lines = [line for line in done.output.splitlines() if line.startswith("{")]
    if done.status != 0 or not lines:
        raise BenchError(f"wrk did not reach {url}: {_end(done.output)}")
    try:
        said = _Wrk.model_validate_json(lines[-1])
    except ValidationError:
        raise BenchError(f"wrk says what this tvsc does not read: {lines[-1]}") from None
    took_s = said.duration_us / 1e6
    amount = said.bytes / 1e6 if measure is Measure.BULK else said.requests
    return Count(
        per_s=amount / took_s,
        made=said.requests,
        failed=said.connect + said.read + said.write + said.status + said.timeout,
        p50_us=said.p50_us,
        p99_us=said.p99_us,
    )


def _udp(inside: list[str], target: Endpoint, seconds: int) -> Count:
    command = ["sockperf", "ping-pong", "-i", f"{target.address}", "-p", f"{target.port}"]
    command += ["-t", f"{seconds}", "-m", f"{UDP_BYTES}", "-b", f"{UDP_WINDOW}", "--full-rtt"]
    done = run([*inside, *command])
    found = _RUN_TIME.search(done.output)
    if done.status != 0 or found is None:
        raise BenchError(f"sockperf did not reach {target}: {_end(done.output)}")
    took_s, sent, received = float(found[1]), int(found[2]), int(found[3])
    dropped = _DROPPED.search(done.output)
    percentiles = {float(at): float(value) for at, value in _PERCENTILE.findall(done.output)}
    return Count(
        per_s=received / took_s,
        made=sent,
        # what was on its way at the end is not lost: sockperf says so itself
        failed=int(dropped[1]) if dropped else 0,
        p50_us=percentiles.get(50.0, 0.0),
        p99_us=percentiles.get(99.0, 0.0),
    )


def _end(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def cpu_s(pid: int) -> float:
    """CPU time of a process and its threads so far, in seconds; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def machine_cpu_s() -> float:
    """CPU time that the whole machine has spent on anything, in seconds."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[1:8])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S
