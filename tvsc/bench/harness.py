"""Runs tvs-bench and reads what it says: one JSON object a line (runtime/bench/print.c)."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tvsc.bench.errors import BenchError
from tvsc.bench.result import Spread
from tvsc.build.process import run


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str


class Head(_Line):
    """What is measured, and on what. `countable`: the processor lets us count events."""

    format_version: Literal[2]
    tsc_hz: float
    packets: int
    packet_stride_bytes: int
    class_id: int
    proto: str
    countable: bool
    rte_hash: bool
    generation: str
    site: str
    node: str
    service: str


class Open(_Line):
    """So many sessions are established; what follows is measured with them."""

    sessions: int
    pages: str
    bytes_per_session: float


class Skipped(_Line):
    """The worker has local ports for `room` sessions only."""

    sessions: int
    room: int


class _Measured(_Line):
    direction: str
    pattern: str
    sessions: int
    burst: int
    frame_bytes: int
    repeats: int
    preempted: int


class Sync(BaseModel):
    """What session sync did in the direction `sync` (runtime/bench/sync.h). `told`: sessions in
    messages, each once for all peers. `peers_are_made`: the generation has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    peers: int
    peers_are_made: bool
    packets_per_session: float
    told_per_session: float
    established: float
    finishing: float
    closed: float
    sessions_per_message: float
    bytes_per_session: float
    learned_per_session: float
    renewed_per_session: float
    cycles_per_told: float
    cycles_per_learned: float


class Row(_Measured):
    """TSC cycles per packet of the generation and of the floors; `events` per packet. `tells` and
    `learns`: with session sync.
    """

    site: Spread
    generic: Spread | None = None
    touch: Spread | None = None
    rte_hash: Spread | None = None
    tells: Spread | None = None
    learns: Spread | None = None
    sync: Sync | None = None
    events: dict[str, float] = {}


class StepTime(BaseModel):
    """Of `count` steps; all 0 when there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    p50_ns: float
    p99_ns: float
    p999_ns: float
    max_ns: float


class Step(_Line):
    """A step of session sync between two bursts, bounded by the constant `bound`."""

    sessions: int
    name: str
    bound: str
    records: int
    freed: int
    disturbed: int
    spent: StepTime


class Pair(_Measured):
    """Two workers: each alone, both at the same time."""

    alone_0: Spread
    alone_1: Spread
    together_0: Spread
    together_1: Spread
    scaling: float
    overlap: float
    cores: float


STEP_PACKETS = 2048
"""They only bring sessions on their way."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of tvs-bench: every direction with every pattern, burst and size, if it has any."""

    service_class: str
    sessions: tuple[int, ...]
    directions: tuple[str, ...]
    patterns: tuple[str, ...] = ("uniform",)
    bursts: tuple[int, ...] = (32,)
    sizes: tuple[int, ...] = (60,)
    repeats: int = 31
    two_workers: bool = False
    packets: int | None = None

    def arguments(self) -> list[str]:
        """As tvs-bench takes them; `service_class` is a class's number, or `tcp` or `udp`."""
        found = [
            *("--class", self.service_class),
            *("--sessions", _list(self.sessions)),
            *("--direction", ",".join(self.directions)),
            *("--pattern", ",".join(self.patterns)),
            *("--burst", _list(self.bursts)),
            *("--size", _list(self.sizes)),
            *("--repeats", str(self.repeats)),
        ]
        if self.packets is not None:
            found += ["--packets", str(self.packets)]
        if self.two_workers:
            return [*found, "--two-workers"]
        return found if self.is_sync else [*found, "--floors"]

    @property
    def is_sync(self) -> bool:
        """Its table has room for peers' sessions, too, so it is measured apart."""
        return "sync" in self.directions


def _list(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


@dataclass(slots=True)
class Said:
    """Everything that one run said; `opened` is by number of sessions."""

    head: Head | None = None
    opened: dict[int, Open] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def read(self, line: str) -> None:
        """One line of JSON; BenchError when it is another version's."""
        try:
            raw = json.loads(line)
            match raw.get("kind"):
                case "head":
                    self.head = Head.model_validate(raw)
                case "open":
                    opened = Open.model_validate(raw)
                    self.opened[opened.sessions] = opened
                case "skipped":
                    self.skipped.append(Skipped.model_validate(raw))
                case "row":
                    self.rows.append(Row.model_validate(raw))
                case "step":
                    self.steps.append(Step.model_validate(raw))
                case "pair":
                    self.pairs.append(Pair.model_validate(raw))
        except (ValueError, ValidationError) as error:
            raise BenchError(f"tvs-bench says what this tvsc does not read: {error}") from None


def run_batch(
    program: Path,
    generation: Path,
    generic: Path | None,
    batch: Batch,
    cpus: tuple[int, ...],
    small_pages: bool,
    on_line: Callable[[str], None],
) -> Said:
    """Runs tvs-bench to its end. BenchError says what it complained about."""
    argv: list[str | Path] = list(batch.arguments())
    if cpus:
        argv += ["--cpus", _list(cpus[:2] if batch.two_workers else cpus[:1])]
    if small_pages:
        argv.append("--small-pages")
    if generic is not None and not batch.two_workers:
        argv += ["--generic", generic]
    return _listened(program, [*argv, generation], on_line)


def run_sync_steps(
    program: Path, generation: Path, sessions: int, cpu: int, small_pages: bool
) -> list[Step]:
    """The steps of session sync with so many sessions of a synced generation."""
    argv: list[str | Path] = ["--sync-steps", "--sessions", str(sessions), "--cpus", str(cpu)]
    argv += ["--packets", str(STEP_PACKETS)]
    if small_pages:
        argv.append("--small-pages")
    return _listened(program, [*argv, generation], lambda _: None).steps


def _listened(program: Path, arguments: list[str | Path], on_line: Callable[[str], None]) -> Said:
    said = Said()

    def listen(line: str) -> None:
        if line.startswith("{"):
            said.read(line)
            on_line(line)

    done = run([program, "--json", *arguments], on_line=listen)
    if done.status != 0:
        raise _complaint(done.output, done.status)
    return said


def _complaint(output: str, status: int) -> BenchError:
    if status == -signal.SIGILL:
        return BenchError(
            "this processor cannot run what was compiled for the node's",
            help="set `cpu` of the cluster to what this machine has, `x86-64-v2` for example",
        )
    told = [line for line in output.splitlines() if line.startswith(("tvs-bench:", "EAL:"))]
    if not told:
        return BenchError(f"tvs-bench ended with status {status} and said nothing")
    problem = told[-1].removeprefix("tvs-bench: ")
    problem, separator, command = problem.partition(": sysctl ")
    if separator:
        return BenchError(
            problem, help=f"as root: sysctl {command}; or `--small-pages`, which measures worse"
        )
    return BenchError(f"tvs-bench: {problem}")
