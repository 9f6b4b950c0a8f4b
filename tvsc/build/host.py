"""The host binary, the node's tools and the programs of `tvsc bench` that are made of the host's
parts: each kit built once per runtime and toolchain, then cached.

The cache is `$XDG_CACHE_HOME/tvsc/KIT-HASH`; HASH covers the runtime's sources, the compiler and
the libraries. It appears in one step and is safe to delete at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tvsc.build.failure import failed, writing_to
from tvsc.build.process import run
from tvsc.build.progress import NINJA_ENV, Progress
from tvsc.build.toolchain import (
    BUILD_ENV,
    Compiler,
    find_meson,
    find_ninja,
    library_versions,
    runtime_hash,
    runtime_hash_with_bench,
)
from tvsc.diag import codes
from tvsc.resources import runtime_dir

_OPTIONS = ("-Dbuildtype=release", "-Dwerror=false", "-Ddpdk=static")


@dataclass(frozen=True, slots=True)
class Kit:
    """Programs that are built together. `called` is for people; without `needed` it is useless;
    `targets` are ninja's, none for all.
    """

    name: str
    called: str
    programs: tuple[str, ...]
    needed: str
    options: tuple[str, ...] = _OPTIONS
    targets: tuple[str, ...] = ()
    help: str = "the packages it needs are listed in setup/apt.txt"


HOST = Kit(
    "host",
    "the host binary",
    ("tvsd", "tvs", "tvs-replay"),
    "tvsd",
    help="--no-bundle leaves it out; the packages it needs are listed in setup/apt.txt",
)
"""tvsd is the host; tvs the node's tool; tvs-replay runs a node's packet path over captures."""

PROGRAMS = HOST.programs

NODE_BENCH = Kit(
    "node-bench",
    "the bench of a node",
    ("tvs-latency", "tvs-forward"),
    "tvs-latency",
    (*_OPTIONS, "-Dbench=true"),
    ("bench/node/tvs-latency", "bench/node/tvs-forward"),
)
"""tvs-latency measures time through the daemon's worker; tvs-forward is a plain forwarder."""

PATH_BENCH = Kit(
    "path-bench",
    "the bench of the packet path",
    ("tvs-bench",),
    "tvs-bench",
    ("-Dbuildtype=release", "-Dwerror=false", "-Ddpdk=none", "-Dbench=true"),
    ("bench/tvs-bench",),
)
"""tvs-bench measures a generation's packet path over packets in memory."""


def path_bench(march: str) -> Kit:
    """PATH_BENCH for the processor that a node is compiled for."""
    return replace(PATH_BENCH, options=(*PATH_BENCH.options, f"-Dbench_march={march}"))


_KEEP_S = 30 * 24 * 3600


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/tvsc`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tvsc"


def host_hash(compiler: Compiler) -> str:
    """Names a host build. BuildError when a library is missing."""
    text = "\n".join((runtime_hash(), compiler.version, library_versions(), *_OPTIONS))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def bench_programs(
    compiler: Compiler, jobs: int, progress: Progress, kit: Kit = NODE_BENCH
) -> dict[str, Path]:
    """The programs of a kit by name, built now if the cache has none of these sources."""
    text = "\n".join(
        (runtime_hash_with_bench(), compiler.version, library_versions(), *kit.options)
    )
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    cache = cache_dir()
    with writing_to(cache):
        return _programs(kit, cache, name, compiler, jobs, progress)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Waits until no other process holds the file's lock; gives its descriptor."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _complete(directory: Path) -> bool:
    return (directory / "complete").is_file()


def _prune(cache: Path) -> None:
    """Removes what no compilation has used for a month."""
    oldest = time.time() - _KEEP_S
    for lock in cache.glob("*-*.lock"):
        with suppress(OSError):
            if lock.stat().st_mtime < oldest:
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                shutil.rmtree(lock.with_suffix(".building"), ignore_errors=True)
                lock.unlink()


def host_programs(name: str, compiler: Compiler, jobs: int, progress: Progress) -> dict[str, Path]:
    """The programs by name, built now if the cache has none of `name` (see host_hash)."""
    cache = cache_dir()
    with writing_to(cache):
        return _programs(HOST, cache, name, compiler, jobs, progress)


def _programs(
    kit: Kit, cache: Path, name: str, compiler: Compiler, jobs: int, progress: Progress
) -> dict[str, Path]:
    final = cache / f"{kit.name}-{name}"
    cache.mkdir(parents=True, exist_ok=True)
    lock = cache / f"{kit.name}-{name}.lock"
    with locked(lock) as fd:
        os.utime(lock)
        if not _complete(final):
            _prune(cache)
            work = cache / f"{kit.name}-{name}.building"
            try:
                _build(kit, work, final, compiler, jobs, progress, fd)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return {p: final / p for p in kit.programs if (final / p).is_file()}


def _build(
    kit: Kit, work: Path, final: Path, compiler: Compiler, jobs: int, progress: Progress, fd: int
) -> None:
    shutil.rmtree(work, ignore_errors=True)
    build, made = work / "build", work / "made"
    made.mkdir(parents=True)
    env = {
        **BUILD_ENV,
        **NINJA_ENV,
        "CC": compiler.cc,
        "NINJA": find_ninja(),
        "CFLAGS": f"-ffile-prefix-map={build}=. -ffile-prefix-map={runtime_dir()}=runtime",
    }
    result = run([*find_meson(), "setup", build, runtime_dir(), *kit.options], env=env, keep_fd=fd)
    if result.status == 0:
        with progress.step(f"compile {kit.called} (once)") as on_line:
            argv: list[str | Path] = [find_ninja(), "-C", build, "-j", str(jobs), *kit.targets]
            result = run(argv, env=env, keep_fd=fd, on_line=on_line)
    if result.status != 0:
        raise failed(
            codes.BUILD_FAILED,
            f"{kit.called} does not compile",
            help=kit.help,
            output=result.complaint,
        )
    for program in kit.programs:
        found = next((p for p in build.rglob(program) if p.is_file()), None)
        if found is not None:
            shutil.copyfile(found, made / program)
            (made / program).chmod(0o755)
    if not (made / kit.needed).is_file():
        raise failed(codes.BUILD_FAILED, f"the runtime has no `{kit.needed}`", "install tvsc again")
    (made / "complete").write_text(f"{compiler.version}\n", encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    made.rename(final)
