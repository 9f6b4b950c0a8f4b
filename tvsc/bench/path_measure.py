"""`tvsc bench path` from end to end."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tvsc.bench import harness, machine
from tvsc.bench.errors import BenchError
from tvsc.bench.path import PathResult, Reader, Touches, Workload
from tvsc.bench.path_plan import Choice, batches, counted
from tvsc.bench.path_subject import Subject, of_generation, of_site
from tvsc.bench.touches import BURST, SESSIONS, count
from tvsc.build.host import bench_programs, path_bench
from tvsc.build.progress import Progress
from tvsc.build.toolchain import find_compiler
from tvsc.build.trace import find_valgrind

_STAT = Path("/proc/stat")
_STEAL_FIELD = 8
_QUICK = Choice()
_LEAST_OVERLAP = 0.8
_CORES = 1.9
"""Two processors that are less in additions are not two cores."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to measure, where. `classes` are labels such as `fullnat/tcp`, or `tcp` and `udp`; none
    for one of each kind. `count` False leaves out what valgrind counts.
    """

    site: Path
    out: Path
    node: str | None = None
    classes: tuple[str, ...] = ()
    choice: Choice = _QUICK
    cpus: tuple[int, ...] = ()
    small_pages: bool = False
    count: bool = True
    command: str = ""


def measure(wish: Wish, progress: Progress) -> PathResult:
    """Measures; BenchError, SiteError and BuildError say why not."""
    load_before, pages_before, steal_before = machine.load_1min(), machine.huge_pages(), _steal_s()
    if wish.site.suffix == ".so":
        if wish.node is not None:
            raise BenchError("a generation is of one node", help="leave out `--node`")
        subject = of_generation(wish.site, progress)
    else:
        subject = of_site(wish.site, wish.out, wish.node, progress)
    kit = path_bench(subject.march)
    compiler = find_compiler()
    jobs = len(os.sched_getaffinity(0))
    program = bench_programs(compiler, jobs, progress, kit)["tvs-bench"]
    reader = Reader(subject.classes)
    cpus = wish.cpus or default_cpus()
    names = _classes(wish, subject)
    _check_directions(wish.choice, names, subject)
    for batch in batches(wish.choice, names, subject.room):
        if batch.two_workers and wish.choice.workers != 2 and _cannot_pair(subject, cpus, reader):
            continue
        if batch.is_sync and not _is_tcp(subject, batch.service_class):
            continue
        _run(program, subject, batch, cpus, wish, reader, progress)
    if wish.count:
        _count(program, subject, wish.choice, names, reader, progress)
    if not reader.rows and not reader.pairs:
        raise BenchError("nothing was measured", help="\n      ".join(reader.notes))
    _notes(reader, subject, _steal_s() - steal_before)
    return reader.result(
        site=subject.site,
        node=subject.node,
        command=wish.command,
        cpus=cpus if reader.pairs else cpus[:1],
        load_before=load_before,
        pages_before=pages_before,
    )


def _is_tcp(subject: Subject, name: str) -> bool:
    label = subject.classes.get(int(name), name) if subject.classes else name
    return label.endswith("tcp")


def _check_directions(choice: Choice, names: tuple[str, ...], subject: Subject) -> None:
    """Refuses what no class has packets for, before the harness asks for memory."""
    labels = [subject.classes.get(int(name), name) if subject.classes else name for name in names]
    if choice.directions is None:
        return
    wanted = set(choice.directions)
    if wanted <= {"close", "sync"} and not any(label.endswith("tcp") for label in labels):
        raise BenchError(
            f"nothing can be measured: `{'` and `'.join(sorted(wanted))}` is of TCP only",
            help=f"the classes are {', '.join(f'`{label}`' for label in labels)}",
        )
    if choice.workers == 2 and wanted <= {"sweep", "sync"}:
        only = "` and `".join(sorted(wanted))
        raise BenchError(f"nothing can be measured: `{only}` is of one worker")


def _cannot_pair(subject: Subject, cpus: tuple[int, ...], reader: Reader) -> bool:
    if len(cpus) < 2:
        reader.note("two workers were left out: they need two processors")
    elif subject.workers == 1:
        reader.note("two workers were left out: the node has one")
    else:
        return False
    return True


def default_cpus() -> tuple[int, ...]:
    """The last two that we may use: interrupts gather on the first."""
    return tuple(sorted(os.sched_getaffinity(0), reverse=True)[:2])


def _classes(wish: Wish, subject: Subject) -> tuple[str, ...]:
    """Class numbers, or protocols, as tvs-bench takes them."""
    if not subject.classes:
        return _protocols(wish.classes)
    if not wish.classes:
        return tuple(str(number) for number in subject.classes)
    found = []
    for name in wish.classes:
        fitting = [
            n for n, label in subject.classes.items() if name in (label, label.split("/")[1])
        ]
        if not fitting:
            known = ", ".join(f"`{label}`" for label in subject.classes.values())
            raise BenchError(f"the node has no class `{name}`", help=f"it has {known}")
        found += fitting
    return tuple(dict.fromkeys(str(number) for number in found))


def _protocols(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Of a generation whose classes nobody knows the names of."""
    found = tuple(dict.fromkeys(name.removeprefix("fullnat/") for name in wanted)) or ("tcp",)
    for name in found:
        if name not in ("tcp", "udp"):
            raise BenchError(
                f"there is no class `{name}`",
                help="without plan.json beside the generation it is `tcp` or `udp`",
            )
    return found


def _run(
    program: Path,
    subject: Subject,
    batch: harness.Batch,
    cpus: tuple[int, ...],
    wish: Wish,
    reader: Reader,
    progress: Progress,
) -> None:
    label = subject.classes.get(int(batch.service_class), "") if subject.classes else ""
    workers = ", two workers" if batch.two_workers else ""
    text = f"measure {label or batch.service_class}: {', '.join(batch.directions)}{workers}"
    done = 0
    total = len(batch.sessions) * len(batch.directions) * len(batch.patterns)
    total *= len(batch.bursts) * len(batch.sizes)
    generation, generic = subject.generation, subject.generic
    if batch.is_sync:
        (generation, note), generic = subject.synced(progress), None
        if note:
            reader.note(note)
    with progress.step(text) as on_line:

        def show(line: str) -> None:
            nonlocal done
            done += json.loads(line).get("kind") in ("row", "pair")
            on_line(f"[{min(done, total)}/{total}] ")

        said = harness.run_batch(program, generation, generic, batch, cpus, wish.small_pages, show)
    reader.take(said)
    if any(row.sync is not None and row.sync.peers_are_made for row in said.rows):
        reader.note("the generation has no peers: the bench gives it some for `sync`")


def _count(
    program: Path,
    subject: Subject,
    choice: Choice,
    names: tuple[str, ...],
    reader: Reader,
    progress: Progress,
) -> None:
    valgrind = find_valgrind()
    if valgrind is None:
        reader.note(
            "cache lines per packet are not countable here: valgrind is not installed "
            "(apt install valgrind)"
        )
        return
    for name in names:
        label = subject.classes.get(int(name), name) if subject.classes else f"fullnat/{name}"
        directions = counted(choice, label)
        if not directions:
            continue
        with progress.step(f"count instructions and cache lines of {label} under valgrind"):
            counts = count(valgrind, program, subject.generation, name, directions)
        for direction, found in counts.items():
            packets = found.bursts * BURST
            workload = Workload(
                service_class=label,
                direction=direction,
                pattern="uniform",
                sessions=SESSIONS,
                burst=BURST,
                frame_bytes=60,
                workers=1,
                repeats=1,
            )
            touched = Touches(
                workload=workload,
                instructions=round(found.instructions / packets, 1),
                lines={name: round(n / packets, 3) for name, n in sorted(found.lines.items())},
                tool="valgrind lackey",
            )
            reader.touches.append(touched)


def _steal_s() -> float:
    """Seconds that the hypervisor has given to others, all processors together, since boot."""
    try:
        fields = _STAT.read_text(encoding="ascii").splitlines()[0].split()
        return int(fields[_STEAL_FIELD]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def _notes(reader: Reader, subject: Subject, stolen_s: float) -> None:
    if subject.why_no_generic:
        reader.note(f"the floor `generic` was left out: {subject.why_no_generic}")
    if reader.head is not None and not reader.head.countable:
        instead = "instructions are those that valgrind counts"
        if not reader.touches:
            instead = "instructions are not counted"
        reader.note(f"the processor's counters cannot be opened here; {instead}")
    machine_cpus = os.cpu_count() or 1
    if reader.pairs and machine_cpus <= 2:
        reader.note(
            "two workers took all processors of this machine: the kernel, the hypervisor's "
            "devices and every other process ran on the same two meanwhile"
        )
    if any(pair.cores < _CORES for pair in reader.pairs):
        reader.note(
            "where two processors are less than twice one in additions, which share no memory, "
            "they were threads of one core at that time: two workers are to be read on that scale"
        )
    if any(pair.overlap < _LEAST_OVERLAP for pair in reader.pairs):
        reader.note(
            "others kept a worker waiting while two were measured, so that little of the time "
            "counts: what two are is worth little here, take it again on a quiet machine"
        )
    if stolen_s >= 0.01:
        reader.note(f"the hypervisor took the processors away for {stolen_s:.2f} s during the run")
    if reader.pages and reader.pages != "2 MB":
        reader.note("measured without 2 MB pages: every miss also misses the TLB")
