"""Time through the packet path: compiles a node of a site, runs `tvs-latency` over its generation
and reads what it says. The program says how time is taken: runtime/bench/node/latency_device.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tvsc.bench import machine
from tvsc.bench.errors import BenchError
from tvsc.bench.harness import run_sync_steps
from tvsc.bench.path_measure import default_cpus
from tvsc.bench.path_subject import of_directory
from tvsc.bench.result import Result, Row
from tvsc.build.host import bench_programs, path_bench
from tvsc.build.process import run
from tvsc.build.progress import Progress
from tvsc.model import Cluster, Node, Site
from tvsc.pipeline import Options, compile_site
from tvsc.plan.abi import PORTS_PER_SLOT
from tvsc.plan.memory import PORT_FIRST, PORT_LAST, bucket_count, worker_bytes

PORTS_PER_LIP = PORT_LAST - PORT_FIRST + 1
DEFAULT_SESSIONS = (10_000, 1_000_000)
FEWEST_SESSIONS = 64

_PAGE_BYTES = 2 << 20
_OTHER_BYTES = 128 << 20  # packet buffers, EAL's own
_SYNC_OTHER_BYTES = 16 << 20


class Percentiles(Row):
    """Of `count` values; all 0 when there is none."""

    count: int
    p50_ns: float
    p99_ns: float
    p999_ns: float
    max_ns: float


class Rounds(Row):
    """Rounds of one kind together. `latency` is from a packet's arrival until it is handed to the
    driver; `own` leaves out the packets that a turn longer than `long_turn_us` kept waiting, and
    those behind them. Such turns are counted in `long_turns`.
    """

    rounds: int
    seconds: float
    packets: int
    longest_turn_ns: float
    long_turns: int
    latency: Percentiles
    own: Percentiles

    @property
    def long_turns_per_s(self) -> float:
        return self.long_turns / self.seconds if self.seconds else 0.0


class Load(Row):
    """At `load_percent` of `capacity_pps`, measured just before. Rounds in which the kernel took
    the core away are `disturbed`. `floor`: the same schedule of arrivals with no packet path, some
    rounds of each in turn.
    """

    load_percent: int
    capacity_pps: float
    quiet: Rounds
    disturbed: Rounds
    floor_quiet: Rounds
    floor_disturbed: Rounds


class BurstLimit(Row):
    """With at most `burst` packets a turn. `service` is the time of a turn with that many.
    `capacity_pps` is what was measured last; `capacity_quiet_rounds` 0: the machine was never
    quiet, and the capacity is of all rounds.
    """

    burst: int
    capacity_pps: float
    capacity_quiet_rounds: int
    service: Percentiles
    loads: tuple[Load, ...]


class Events(Row):
    """Something that the control thread does `events` times while the worker turns. `turns` are
    the two turns at each change of the generation; `turns_quiet` those of quiet rounds.
    """

    events: int
    flips_seen: int
    quiet: Rounds
    disturbed: Rounds
    turns_quiet: Percentiles
    turns: Percentiles

    @property
    def lost(self) -> int:
        """Packets; the program refuses a run in which one was lost."""
        return 0


class Floor(Row):
    """The machine alone, for as long as the flips under load took."""

    quiet: Rounds
    disturbed: Rounds


class Step(Row):
    """A step of housekeeping alone, bounded by the constant `bound`: `records` of them a step."""

    name: str
    bound: str
    records: int
    freed: int
    disturbed: int
    spent: Percentiles


class Run(Row):
    """What the program says about one number of sessions. `received` and `sent` count all packets
    of all measurements, and are equal; `starved` is 0.
    """

    format_version: Literal[1]
    generation: str
    tsc_hz: float
    sessions: int
    protocol: str
    frame_bytes: int
    pages: str
    round_us: int
    long_turn_us: int
    received: int
    sent: int
    starved: int
    results: tuple[BurstLimit, ...]
    flip_idle: Events
    flip_loaded: Events
    backend_changes: Events
    events_floor: Floor
    steps: tuple[Step, ...]


class Latency(Result):
    """A result file of this kind."""

    kind: Literal["latency"] = "latency"
    site: str
    node: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()


class Wish(Row):
    """What to measure. `rounds` of two milliseconds each, per load; no `node`: the first; no
    `sessions`: those of DEFAULT_SESSIONS that the node has local ports for.
    """

    site: Path
    out: Path
    node: str | None = None
    sessions: tuple[int, ...] = ()
    rounds: int = 500
    round_us: int = 2000
    flips: int = 100
    changes: int = 200
    stream: int = 1 << 19
    protocol: Literal["tcp", "udp"] = "tcp"
    small_pages: bool = False
    command: str = ""


def measure(wish: Wish, progress: Progress) -> Latency:
    """Measures; BenchError, SiteError and BuildError say why not."""
    load_before, pages_before = machine.load_1min(), machine.huge_pages()
    from tvsc.lower import load_site
    from tvsc.pipeline import SiteError

    site, diagnostics, sources = load_site(wish.site)
    if site is None:
        raise SiteError(diagnostics, sources)
    _, node = pick(site, wish.node)
    sessions = _sessions(wish.sessions, node)
    if not wish.small_pages:
        _require_pages(max(sessions))
    options = Options(site=wish.site, out=wish.out, nodes=(node.name,), bundle=False)
    compiled = compile_site(options, progress)
    programs = bench_programs(compiled.compiler, options.jobs, progress)
    directory = wish.out / "nodes" / node.name
    subject = of_directory(directory, str(wish.site), progress, with_generic=False)
    kit = path_bench(subject.march)
    tvs_bench = bench_programs(compiled.compiler, options.jobs, progress, kit)["tvs-bench"]
    synced, note = subject.synced(progress)
    most = len(node.lips[0]) * PORTS_PER_LIP
    runs = []
    for number in sessions:
        with progress.step(f"measure latency with {number} sessions"):
            run = _run(programs["tvs-latency"], subject.generation, number, wish)
            steps = _sync_steps(tvs_bench, synced, min(number, most * 4 // 5), wish)
            runs.append(run.model_copy(update={"steps": (*run.steps, *steps)}))
    return Latency(
        command=wish.command,
        machine=machine.describe(runs[0].tsc_hz / 1e6, load_before, pages_before),
        site=str(wish.site),
        node=node.name,
        runs=tuple(runs),
        notes=(note,) if note else (),
    )


def _sync_steps(program: Path, synced: Path, sessions: int, wish: Wish) -> list[Step]:
    """Of a worker with as many sessions, and copies of as many of peers."""
    if wish.protocol != "tcp":
        return []
    found = run_sync_steps(program, synced, sessions, default_cpus()[0], wish.small_pages)
    return [Step.model_validate(step.model_dump(exclude={"kind", "sessions"})) for step in found]


def pick(site: Site, name: str | None) -> tuple[Cluster, Node]:
    """The node called `name`, or the first; BenchError when there is none."""
    members = [(cluster, node) for cluster in site.clusters for node in cluster.nodes]
    for cluster, node in members:
        if name in (None, node.name):
            return cluster, node
    names = ", ".join(node.name for _, node in members)
    raise BenchError(f"the site has no node `{name}`", help=f"its nodes are {names}")


def _sessions(wanted: Sequence[int], node: Node) -> list[int]:
    """The numbers of sessions to measure; BenchError when the first worker has no room for one."""
    most = len(node.lips[0]) * PORTS_PER_LIP
    if not wanted:
        return [number for number in DEFAULT_SESSIONS if number <= most] or [most]
    for number in wanted:
        if not FEWEST_SESSIONS <= number <= most:
            raise BenchError(
                f"{number} sessions cannot be measured on node `{node.name}`",
                help=f"its first worker has local ports for {most}, and {FEWEST_SESSIONS} are the "
                "fewest",
            )
    return list(wanted)


def _slots(sessions: int) -> int:
    return -(-sessions // PORTS_PER_LIP)


def _require_pages(sessions: int) -> None:
    assert PORTS_PER_SLOT >= PORTS_PER_LIP
    slots = _slots(sessions)
    worker = worker_bytes(slots, slots, bucket_count(sessions), peers=0)
    own = _slots(sessions * 5 // 4)
    # for the steps of session sync, afterwards: copies of as many, and what has ended
    with_copies = worker_bytes(own, 2 * own, 2 * bucket_count(sessions * 5 // 4), peers=3)
    needed = max(worker * 5 // 4 + _OTHER_BYTES, with_copies + _SYNC_OTHER_BYTES)
    pages = -(-needed // _PAGE_BYTES)
    there = machine.huge_pages()
    if there.free < pages:
        raise BenchError(
            f"{sessions} sessions need {pages} free 2 MB pages, and there are {there.free}",
            help=f"sysctl vm.nr_hugepages={there.total + pages - there.free}, fewer `--sessions`, "
            "or `--small-pages`",
        )


def _run(program: Path, generation: Path, sessions: int, wish: Wish) -> Run:
    arguments = {
        "sessions": sessions,
        "class": wish.protocol,
        "rounds": wish.rounds,
        "round-us": wish.round_us,
        "flips": wish.flips,
        "changes": wish.changes,
        "stream": wish.stream,
    }
    argv: list[str | Path] = [program]
    for key, value in arguments.items():
        argv += [f"--{key}", f"{value}"]
    if wish.small_pages:
        argv.append("--no-huge")
    done = run([*argv, generation])
    start = done.output.find("{")
    if done.status != 0 or start < 0:
        raise BenchError(f"tvs-latency: {_last_line(done.output)}")
    try:
        return Run.model_validate_json(done.output[start : done.output.rindex("}") + 1])
    except (ValidationError, ValueError) as error:
        raise BenchError(f"tvs-latency says what this tvsc does not read: {error}") from None


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("tvs-latency:", "EAL:", "<"))]
    return lines[-1].removeprefix("tvs-latency: ") if lines else "it said nothing"
