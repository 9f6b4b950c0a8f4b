"""Generated sources -> generation.so, one shared module per node in one meson project.

A source that is no node's own is compiled once for all nodes that have its very text and the same
instruction set, and named after the first of them.

The project lives in OUT/.tvsc/build/HASH, where HASH covers the runtime, the templates, the
compiler and the meson that wrote build.ninja: with another of them the build starts anew. Sources
are rewritten only when their text changes, so ninja compiles what changed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from tvsc.build.failure import failed
from tvsc.build.process import run
from tvsc.build.progress import NINJA_ENV, Progress
from tvsc.build.toolchain import BUILD_ENV, Compiler, find_meson, find_ninja
from tvsc.codegen import (
    C_HEADER,
    OWN_SOURCE,
    BuildObject,
    BuildTarget,
    render_build,
)
from tvsc.diag import codes
from tvsc.resources import runtime_dir

GENERATION_SO = "generation.so"


@dataclass(frozen=True, slots=True)
class Unit:
    """A node to build. `sources` are the generated C files by name."""

    node: str
    march: str
    sources: dict[str, str]


def _write(path: Path, text: str) -> None:
    """Keeps the file's mtime when the text is the same."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, UnicodeDecodeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _write_sources(units: list[Unit], source: Path) -> None:
    """Writes meson.build and every source that it names, each with the header beside it."""
    objects: dict[tuple[str, ...], BuildObject] = {}
    targets = []

    def write(directory: str, name: str, unit: Unit) -> str:
        for file in (C_HEADER, name):
            _write(source / directory / file, unit.sources[file])
        return f"{directory}/{name}"

    for unit in units:
        march = f"-march={unit.march}"
        shares = []
        for name in unit.sources:
            if not name.endswith(".c") or name == OWN_SOURCE:
                continue
            key = (name, march, unit.sources[C_HEADER], unit.sources[name])
            if key not in objects:
                directory = f"{Path(name).stem}-{unit.node}"
                objects[key] = BuildObject(directory, march, write(directory, name, unit))
            shares.append(objects[key].name)
        own = write(f"node-{unit.node}", OWN_SOURCE, unit)
        targets.append(BuildTarget(unit.node, march, own, tuple(shares)))
    text = render_build(list(objects.values()), targets, str(runtime_dir()))
    _write(source / "meson.build", text)


def project_name(base: str, compiler: Compiler) -> str:
    """HASH of the project. build.ninja names meson by its path, and only that version reads it."""
    text = "\n".join((base, compiler.cc, *find_meson(), version("meson"), str(runtime_dir())))
    return sha256(text.encode()).hexdigest()[:16]


def _set_up(
    build: Path, source: Path, env: dict[str, str], keep_fd: int | None, werror: bool
) -> None:
    """A new build directory. BuildError when meson does not make it."""
    shutil.rmtree(build, ignore_errors=True)
    options = ["--werror"] if werror else []
    result = run([*find_meson(), "setup", build, source, *options], env=env, keep_fd=keep_fd)
    if result.status != 0:
        shutil.rmtree(build, ignore_errors=True)
        raise failed(codes.BUILD_FAILED, "meson could not set up the build", None, result.output)


def build_generations(
    units: list[Unit],
    build_root: Path,
    base: str,
    compiler: Compiler,
    jobs: int,
    progress: Progress,
    keep_fd: int | None = None,
    werror: bool = False,
) -> dict[str, Path]:
    """Builds every unit; node -> generation.so in the build directory. BuildError otherwise."""
    root = build_root / project_name(base, compiler)
    for other in build_root.glob("*"):
        if other != root:
            shutil.rmtree(other, ignore_errors=True)
    source, build = root / "source", root / "build"
    _write_sources(units, source)

    env = {**BUILD_ENV, **NINJA_ENV, "CC": compiler.cc, "NINJA": find_ninja()}
    is_used = (build / "build.ninja").is_file()
    if not is_used:
        _set_up(build, source, env, keep_fd, werror)
    with progress.step(f"compile {len(units)} node{'s' if len(units) != 1 else ''}") as on_line:
        argv: list[str | Path] = [find_ninja(), "-C", build, "-j", str(jobs)]
        result = run(argv, env=env, keep_fd=keep_fd, on_line=on_line)
        if result.status != 0 and is_used:
            # What an earlier compilation left may be damaged, or be of a machine that has changed.
            _set_up(build, source, env, keep_fd, werror)
            result = run(argv, env=env, keep_fd=keep_fd, on_line=on_line)
    if result.status != 0:
        raise failed(
            codes.BUILD_FAILED,
            "the generated sources do not compile",
            help="this is a fault of tvsc or of the compiler: please report it with the site file",
            output=result.complaint,
        )
    return {unit.node: build / f"{unit.node}.so" for unit in units}
