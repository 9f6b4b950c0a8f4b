"""What a kernel client gets through `tvsd`, against a plain DPDK forwarder on the same device and
against no load balancer at all: new connections, requests, bytes and UDP packets a second.

The three take turns, round by round, forth and back; ratios are of a round. Needs root.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal

from tvsc.bench import machine
from tvsc.bench.errors import BenchError
from tvsc.bench.lab_ground import Ground, ground, require, smallest
from tvsc.bench.lab_load import UNITS, Count, Measure, count, cpu_s, machine_cpu_s
from tvsc.bench.result import Result, Row, Spread
from tvsc.build.host import bench_programs
from tvsc.build.progress import Progress
from tvsc.lab.requirement import Capabilities, probe
from tvsc.lab.tvsd import tally
from tvsc.model import Steering
from tvsc.pipeline import Options, SiteError, compile_site

Subject = Literal["direct", "forward", "tvsd"]
SUBJECTS: Final[tuple[Subject, ...]] = ("direct", "forward", "tvsd")
"""direct: through the switch's kernel alone; forward: the plain forwarder."""


class Figure(Row):
    """One subject under one measure, over rounds. `cpu_us_per_unit`: CPU time of a process for each
    connection, request, MB or round trip; `machine_cpus`: how many of the machine's were busy.
    """

    subject: Subject
    per_s: Spread
    made: int
    failed: int
    p50_us: float
    p99_us: float
    cpu_us_per_unit: dict[str, float]
    machine_cpus: float


class Comparison(Row):
    """One measure. Ratios are of two subjects in the same round; `cpu_tvsd_to_forward` is of what
    each of the two spends itself on a connection, request, MB or round trip.
    """

    measure: Measure
    unit: str
    figures: tuple[Figure, ...]
    tvsd_to_forward: Spread
    tvsd_to_direct: Spread
    forward_to_direct: Spread
    cpu_tvsd_to_forward: Spread


class Reloads(Row):
    """`tvs reload` of the daemon, `times` over, while a client asks over connections that stay and
    new ones in turn. `slowest_ms` is of the control thread; what workers feel is in `failed`.
    """

    times: int
    made: int
    failed: int
    slowest_ms: float


class Lab(Result):
    """A result file of this kind. `drops` are packets that the node's workers dropped while it was
    measured, by reason; `problems` is empty when every request was answered.
    """

    kind: Literal["lab"] = "lab"
    site: str
    node: str
    workers: int
    steering: str
    idle: str
    rounds: int
    seconds: int
    comparisons: tuple[Comparison, ...]
    reloads: Reloads | None
    drops: dict[str, int]
    problems: tuple[str, ...]


class Wish(Row):
    """What to measure: `rounds` of `seconds` for each measure and subject."""

    site: Path
    out: Path
    node: str | None = None
    measures: tuple[Measure, ...] = tuple(Measure)
    rounds: int = 5
    seconds: int = 2
    reloads: int = 20
    command: str = ""


class _Sample(Row):
    per_s: float
    made: int
    failed: int
    p50_us: float
    p99_us: float
    cpu_us_per_unit: dict[str, float]
    machine_cpus: float


def measure(wish: Wish, progress: Progress) -> Lab:
    """Brings the ground up, measures, takes it down. BenchError, LabError, SiteError, BuildError
    say why not.
    """
    from tvsc.lower import load_site

    require()
    load_before, pages_before = machine.load_1min(), machine.huge_pages()
    site, diagnostics, sources = load_site(wish.site)
    if site is None:
        raise SiteError(diagnostics, sources)
    topology = smallest(site, wish.site, wish.node)
    node = topology.nodes[0]
    cluster = next(each for each in site.clusters if each.name == node.cluster)
    found = probe()
    steering = _steering(found, progress)
    options = Options(site=wish.site, out=wish.out, nodes=(node.name,), steering=steering)
    compiled = compile_site(options, progress)
    programs = bench_programs(compiled.compiler, options.jobs, progress)
    with (
        progress.step("bring up a lab of one node and a forwarder"),
        ground(topology, site, wish.site, wish.out, programs["tvs-forward"], found) as place,
    ):
        before = tally(place.run, node.name)
        samples = _rounds(place, wish, progress)
        reloads = _reloads(place, wish, progress)
        drops = tally(place.run, node.name).since(before).drops
    dropped = {reason: number for reason, number in drops.items() if number}
    comparisons = tuple(_compare(each, samples) for each in _measures(place, wish))
    return Lab(
        command=wish.command,
        machine=machine.describe(None, load_before, pages_before),
        site=str(wish.site),
        node=node.name,
        workers=len(node.lips),
        steering=(steering or cluster.steering).value,
        idle=cluster.idle.value,
        rounds=wish.rounds,
        seconds=wish.seconds,
        comparisons=comparisons,
        reloads=reloads,
        drops=dropped,
        problems=tuple(_problems(comparisons, reloads, dropped)),
    )


def _steering(found: Capabilities, progress: Progress) -> Steering | None:
    """The steering to compile with, None for the site's own."""
    if found.steering_program:
        return None
    progress.say("note: this kernel lets no program steer a TAP: `steering software` is measured")
    return Steering.SOFTWARE


def _measures(place: Ground, wish: Wish) -> list[Measure]:
    """Those that the site has a service for; BenchError when none is left."""
    has_udp = place.targets["tvsd"].udp is not None
    left = [each for each in wish.measures if has_udp or each is not Measure.PACKETS]
    if not left:
        raise BenchError("the site has no UDP service: there is nothing to measure")
    return left


def _rounds(
    place: Ground, wish: Wish, progress: Progress
) -> dict[tuple[Measure, str], list[_Sample]]:
    samples: dict[tuple[Measure, str], list[_Sample]] = {}
    for number in range(wish.rounds):
        # forth and back, so that none always follows the same other
        order = SUBJECTS if number % 2 == 0 else tuple(reversed(SUBJECTS))
        for each in _measures(place, wish):
            with progress.step(f"round {number + 1} of {wish.rounds}: {UNITS[each]}"):
                for subject in order:
                    sample = _sample(place, each, subject, wish.seconds)
                    samples.setdefault((each, subject), []).append(sample)
            place.fail_if_exited()
    return samples


def _sample(place: Ground, what: Measure, subject: str, seconds: int) -> _Sample:
    if (what, subject) == (Measure.CONNECTIONS, "tvsd"):
        place.wait_for_sessions()
    before = {name: cpu_s(pid) for name, pid in place.processes.items()}
    machine_before, began = machine_cpu_s(), time.monotonic()
    found: Count = count(what, place.topology.client, place.targets[subject], seconds)
    took_s = time.monotonic() - began
    units = found.per_s * seconds
    return _Sample(
        per_s=found.per_s,
        made=found.made,
        failed=found.failed,
        p50_us=found.p50_us,
        p99_us=found.p99_us,
        cpu_us_per_unit={
            name: (cpu_s(pid) - before[name]) * 1e6 / units for name, pid in place.processes.items()
        },
        machine_cpus=(machine_cpu_s() - machine_before) / took_s,
    )


def _reloads(place: Ground, wish: Wish, progress: Progress) -> Reloads | None:
    """Reloads while wrk runs in a thread of its own; None when none are wished."""
    if wish.reloads == 0:
        return None
    took_ms: list[float] = []
    counts: list[Count] = []
    target, client = place.targets["tvsd"], place.topology.client
    with (
        progress.step(f"{wish.reloads} reloads of tvsd under load"),
        ThreadPoolExecutor(max_workers=1) as pool,
    ):
        # half of them beside each kind of connection
        for what, times in (
            (Measure.REQUESTS, (wish.reloads + 1) // 2),
            (Measure.CONNECTIONS, wish.reloads // 2),
        ):
            if what is Measure.CONNECTIONS:
                place.wait_for_sessions()
            running = pool.submit(count, what, client, target, wish.seconds)
            for _ in range(times):
                time.sleep(wish.seconds * 0.8 / times)
                took_ms.append(place.reload())
            counts.append(running.result())
    return Reloads(
        times=len(took_ms),
        made=sum(each.made for each in counts),
        failed=sum(each.failed for each in counts),
        slowest_ms=max(took_ms),
    )


def _spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values)
    edge = len(ordered) // 10
    return Spread(
        median=statistics.median(ordered), p10=ordered[edge], p90=ordered[len(ordered) - 1 - edge]
    )


def _compare(what: Measure, samples: dict[tuple[Measure, str], list[_Sample]]) -> Comparison:
    def ratio(subject: str, to: str) -> Spread:
        pairs = zip(samples[what, subject], samples[what, to], strict=True)
        return _spread([a.per_s / b.per_s for a, b in pairs])

    return Comparison(
        measure=what,
        unit=UNITS[what],
        figures=tuple(_figure(subject, samples[what, subject]) for subject in SUBJECTS),
        tvsd_to_forward=ratio("tvsd", "forward"),
        tvsd_to_direct=ratio("tvsd", "direct"),
        forward_to_direct=ratio("forward", "direct"),
        cpu_tvsd_to_forward=_spread(
            [
                a.cpu_us_per_unit["tvsd"] / b.cpu_us_per_unit["forward"]
                for a, b in zip(samples[what, "tvsd"], samples[what, "forward"], strict=True)
                if b.cpu_us_per_unit["forward"] > 0
            ]
            or [0.0]
        ),
    )


def _figure(subject: Subject, samples: Sequence[_Sample]) -> Figure:
    names = samples[0].cpu_us_per_unit
    return Figure(
        subject=subject,
        per_s=_spread([each.per_s for each in samples]),
        made=sum(each.made for each in samples),
        failed=sum(each.failed for each in samples),
        p50_us=statistics.median(each.p50_us for each in samples),
        p99_us=statistics.median(each.p99_us for each in samples),
        cpu_us_per_unit={
            name: statistics.median(each.cpu_us_per_unit[name] for each in samples)
            for name in names
        },
        machine_cpus=statistics.median(each.machine_cpus for each in samples),
    )


def _problems(
    comparisons: Sequence[Comparison], reloads: Reloads | None, drops: dict[str, int]
) -> list[str]:
    failed: Counter[str] = Counter()
    if reloads is not None:
        failed["tvsd, under reloads"] = reloads.failed
    for comparison in comparisons:
        for figure in comparison.figures:
            failed[f"{figure.subject}, {comparison.unit}"] += figure.failed
    problems = [f"{number} requests failed: {what}" for what, number in failed.items() if number]
    for reason, number in drops.items():
        hint = "; ask for fewer `--seconds`" if reason == "session_limit" else ""
        problems.append(f"tvsd dropped {number} packets: {reason}{hint}")
    return problems
