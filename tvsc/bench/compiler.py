"""The compiler's own speed: runs `tvsc check` and `tvsc compile` as a user would, one process each.

Every step is a fresh process; its time, processor time and memory are those that the kernel
counted for it and all it started (meson, ninja, the C compiler, BIRD). The host binary is built
once, before all else, into a cache of this run alone. Files that a step reads are in the page
cache.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tvsc.bench import machine
from tvsc.bench.edits import EDITS, SHARED_EDITS, apply_edit
from tvsc.bench.errors import BenchError
from tvsc.bench.result import Result, Row
from tvsc.bench.sites import write_site
from tvsc.build.progress import Progress
from tvsc.build.toolchain import base_hash, find_compiler, program_hash
from tvsc.lower import load_site
from tvsc.pipeline import SiteError

DEFAULT_SIZES = (100, 1_000, 10_000)

_SAID_BYTES = 2000
_MIN_RATIO = 2


class Step(Row):
    """One process. `compiled` and `linked` count the objects that it made anew; `peak_bytes` is the
    resident memory of the largest process.
    """

    action: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    compiled: int
    linked: int


class Output(Row):
    """What a site is, and what is made of it. A text that several nodes share is counted once in
    `c_bytes` and `text_bytes`, and as often as it is compiled in `objects`.
    """

    lines: int
    source_bytes: int
    nodes: int
    services: int
    servers: int
    objects: int
    c_bytes: int
    text_bytes: int
    object_bytes: int
    bundle_bytes: int


class SiteRun(Row):
    """All steps of one site. `size` is the number of services of a generated one, else None."""

    name: str
    size: int | None
    output: Output
    steps: tuple[Step, ...]

    def step(self, action: str) -> Step | None:
        """The step of this name."""
        return next((step for step in self.steps if step.action == action), None)


class Growth(Row):
    """Exponents between two sizes: 1 is linear, 2 is quadratic."""

    action: str
    services_from: int
    services_to: int
    wall: float
    cpu: float
    peak: float


class CompilerResult(Result):
    """`tvsc bench compiler`. `repeats` is how often each site was measured; steps are medians.
    `host_build` is None when neither host nor bundles were made.
    """

    kind: str = "compiler"
    repeats: int
    host_build: Step | None
    runs: tuple[SiteRun, ...]
    growth: tuple[Growth, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to measure: a site of the user's, generated sites of `sizes` services, or both."""

    site: Path | None
    sizes: tuple[int, ...]
    servers: int
    repeats: int
    bundle: bool
    command: str


@dataclass(frozen=True, slots=True)
class Place:
    """A site as it lies in the work directory. `files` is every file of it, the main one first.
    `shared` is the same as a site in which variables decide.
    """

    name: str
    size: int | None
    site: Path
    files: tuple[Path, ...]
    out: Path
    cache: Path
    shared: Place | None = None


def _run(argv: Sequence[str], cache: Path, log: Path) -> tuple[float, float, int]:
    """(wall s, processor s, peak bytes) of `tvsc ARGV` in a process of its own."""
    command = [sys.executable, "-m", "tvsc.cli.main", *argv]
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "NO_COLOR": "1"}
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    started = time.monotonic()
    pid = os.posix_spawn(command[0], command, env, file_actions=actions, setsid=True)
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:
        os.killpg(pid, signal.SIGTERM)  # tvsc ends what it started
        os.waitpid(pid, 0)
        raise
    wall_s = time.monotonic() - started
    if status != 0:
        said = log.read_text(encoding="utf-8", errors="replace")[-_SAID_BYTES:]
        raise BenchError(f"`tvsc {' '.join(argv)}` failed:\n{said.rstrip()}")
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def _made_since(build: Path, started_ns: int) -> tuple[int, int]:
    """How many objects and generations ninja made since then."""
    made = [0, 0]
    for column, pattern in enumerate(("*/build/*.p/*.o", "*/build/*.so")):
        for path in build.glob(pattern):
            made[column] += path.stat().st_mtime_ns >= started_ns
    return made[0], made[1]


def _step(action: str, argv: Sequence[str], place: Place, cache: Path) -> Step:
    started_ns = time.time_ns()
    wall_s, cpu_s, peak = _run(argv, cache, place.cache / "log")
    compiled, linked = _made_since(place.out / ".tvsc" / "build", started_ns)
    return Step(
        action=action,
        wall_s=wall_s,
        cpu_s=cpu_s,
        peak_bytes=peak,
        compiled=compiled,
        linked=linked,
    )


def steps(
    place: Place, host_cache: Path, bundle: bool, say: Callable[[str], None]
) -> Iterator[Step]:
    """All steps of a site, in an order in which each finds what it needs."""
    compiles = ("-o", str(place.out), "--bundle" if bundle else "--no-bundle")

    def run(action: str, verb: str, cache: Path) -> Step:
        say(f"{place.name}: {action}")
        options = compiles if verb == "compile" else ()
        return _step(action, (verb, str(place.site), *options), place, cache)

    yield run("check, first", "check", place.cache)
    yield run("check, again", "check", place.cache)
    yield run("compile, first", "compile", host_cache)
    yield run("compile, unchanged", "compile", host_cache)
    for edit in EDITS:
        if not apply_edit(edit, place.files):
            continue
        yield run(f"check, {edit.name}", "check", place.cache)
        yield run(f"compile, {edit.name}", "compile", host_cache)
    if place.shared is not None:
        yield from _shared_steps(place.shared, say)


def _shared_steps(place: Place, say: Callable[[str], None]) -> Iterator[Step]:
    """Edits of what every block uses, each found by a check."""

    def run(action: str) -> Step:
        say(f"{place.name}: {action}")
        return _step(f"check, variables, {action}", ("check", str(place.site)), place, place.cache)

    yield run("first")
    for edit in SHARED_EDITS:
        if apply_edit(edit, place.files[:1]):
            yield run(edit.name)


def _sizes_of(directory: Path, pattern: str) -> dict[int, int]:
    """Bytes by inode: a file with several names counts once."""
    return {path.stat().st_ino: path.stat().st_size for path in directory.glob(pattern)}


def _output(place: Place) -> Output:
    site, _, sources = load_site(place.site)
    assert site is not None
    nodes = place.out / "nodes"
    c_files = {**_sizes_of(nodes, "*/*.c"), **_sizes_of(nodes, "*/*.h")}
    generations = _sizes_of(nodes, "*/*.so")
    everything = _sizes_of(nodes, "*/*")
    return Output(
        lines=sum(source.text.count("\n") for source in sources.files),
        source_bytes=sum(len(source.text.encode()) for source in sources.files),
        nodes=len(list(site.nodes())),
        services=len(site.services),
        servers=sum(len(pool.servers) for pool in site.pools),
        objects=len(list((place.out / ".tvsc" / "build").glob("*/build/*.p/*.o"))),
        c_bytes=sum(c_files.values()),
        text_bytes=sum(everything.values()) - sum(generations.values()),
        object_bytes=sum(generations.values()),
        bundle_bytes=sum(_sizes_of(place.out, "bundles/*").values()),
    )


def _copied(site: Path, work: Path) -> Place:
    """The user's site with all that it includes, where it may be edited."""
    found, diagnostics, sources = load_site(site)
    if found is None:
        raise SiteError(diagnostics, sources)
    files = []
    for source in sources.files:
        target = work / "site" / source.name
        if not target.resolve().is_relative_to((work / "site").resolve()):
            raise BenchError(f"`{source.name}` lies outside of the site's directory")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(site.parent / source.name, target)
        files.append(target)
    name = site.resolve().parent.name if site.stem == "site" else site.stem
    return Place(name, None, files[0], tuple(files), work / "out", work / "cache")


def _generated(services: int, servers: int, work: Path, with_shared: bool = False) -> Place:
    site = write_site(work / "site", services, servers)
    parts = sorted(path for path in site.parent.rglob("*") if path.is_file() and path != site)
    name = f"{services:,} services"
    shared = None
    if with_shared:
        other = write_site(work / "variables", services, servers, "variables")
        cache = work / "variables-cache"
        cache.mkdir()
        shared = Place(name, None, other, (other,), work / "out", cache)
    return Place(name, services, site, (site, *parts), work / "out", work / "cache", shared)


def _median(runs: Sequence[Sequence[Step]]) -> tuple[Step, ...]:
    def middle(same: Sequence[Step]) -> Step:
        return same[0].model_copy(
            update={
                "wall_s": statistics.median(step.wall_s for step in same),
                "cpu_s": statistics.median(step.cpu_s for step in same),
                "peak_bytes": int(statistics.median(step.peak_bytes for step in same)),
            }
        )

    return tuple(middle(same) for same in zip(*runs, strict=True))


def growth_of(runs: Sequence[SiteRun]) -> Iterator[Growth]:
    """Between neighbouring sizes of the generated sites."""
    sized = sorted((run for run in runs if run.size is not None), key=lambda run: run.size or 0)
    for small, large in pairwise(sized):
        low, high = small.output.services, large.output.services
        if high < _MIN_RATIO * low:
            continue
        for before in small.steps:
            after = large.step(before.action)
            if after is not None:
                ratio = math.log(high / low)
                yield Growth(
                    action=before.action,
                    services_from=low,
                    services_to=high,
                    wall=math.log(after.wall_s / before.wall_s) / ratio,
                    cpu=math.log(after.cpu_s / before.cpu_s) / ratio,
                    peak=math.log(after.peak_bytes / before.peak_bytes) / ratio,
                )


@contextmanager
def _work() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tvsc-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _host_build(work: Path, cache: Path) -> Step:
    """Compiles the smallest site with an empty cache: the host binary is what takes the time."""
    (work / "cache").mkdir(parents=True)
    place = _generated(1, 1, work)
    return _step(
        "host binary, once", ("compile", str(place.site), "-o", str(place.out)), place, cache
    )


def _program() -> tuple[str, str]:
    """Names this program, its templates and its runtime."""
    return program_hash(), base_hash(find_compiler())


def measure(wish: Wish, progress: Progress) -> CompilerResult:
    """Runs everything in a directory of its own, which is removed. BenchError when a run fails."""
    if wish.site is None and not wish.sizes:
        raise BenchError("nothing to measure", help="give a site, or sizes")
    load_before, pages = machine.load_1min(), machine.huge_pages()
    program = _program()
    with _work() as work:
        host_cache = work / "host-cache"
        host_build = None
        if wish.bundle:
            progress.say("host binary")
            host_build = _host_build(work / "host", host_cache)

        def made(where: Path, size: int | None) -> Place:
            (where / "cache").mkdir(parents=True)
            if size is not None:
                return _generated(size, wish.servers, where, with_shared=True)
            assert wish.site is not None
            return _copied(wish.site, where)

        runs = []
        for size in (*((None,) if wish.site else ()), *wish.sizes):
            taken = []
            for _ in range(wish.repeats):
                shutil.rmtree(work / "run", ignore_errors=True)
                place = made(work / "run", size)
                taken.append(list(steps(place, host_cache, wish.bundle, progress.say)))
            runs.append(
                SiteRun(name=place.name, size=size, output=_output(place), steps=_median(taken))
            )
    if _program() != program:
        raise BenchError(
            "tvsc itself was edited while it was measured",
            help="measure again; what is installed from a wheel nobody edits",
        )
    return CompilerResult(
        command=wish.command,
        machine=machine.describe(None, load_before, pages),
        repeats=wish.repeats,
        host_build=host_build,
        runs=tuple(runs),
        growth=tuple(growth_of(runs)),
    )
