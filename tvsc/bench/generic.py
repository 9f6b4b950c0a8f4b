"""A site's generation built otherwise: the same sources, compiled with the same flags.

Generic, which shows what specialising is worth: in path.c the site and its classes are reached
through pointers of which the compiler knows nothing (runtime/bench/generic.h). Synced, for what
session sync costs a site without it: every class tells the peers of its sessions.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from hashlib import sha256
from pathlib import Path

from tvsc.build.failure import writing_to
from tvsc.build.generation import Unit, build_generations
from tvsc.build.host import cache_dir, locked
from tvsc.build.progress import Progress
from tvsc.build.toolchain import Compiler
from tvsc.codegen import C_FILES

_CLASS = re.compile(r"^static const struct tvs_class (class_\d+) = \{$", re.MULTILINE)
_SYNCED = re.compile(r"^    \.is_synced = \w+,\n", re.MULTILINE)
_BURST = "tvs_node_burst"
_KEEP_S = 30 * 24 * 3600


def generic_path(path_c: str) -> str:
    """path.c with a second, generic burst function in place of its own."""
    classes = ", ".join(f"&{name}" for name in _CLASS.findall(path_c))
    return (
        f"#define {_BURST} {_BURST}_specialised\n{path_c}\n#undef {_BURST}\n"
        f'#define GENERIC_CLASSES {classes}\n#include "bench/generic.h"\n'
    )


def synced_path(path_c: str) -> str:
    """path.c with classes whose sessions the peers are told of."""
    return _CLASS.sub(r"\g<0>\n    .is_synced = true,", _SYNCED.sub("", path_c))


def read_sources(directory: Path) -> dict[str, str] | None:
    """The generated sources beside a generation; None when they are not there."""
    try:
        found = {
            path.name: path.read_text(encoding="utf-8")
            for path in sorted(directory.iterdir())
            if path.suffix in (".c", ".h")
        }
    except OSError:
        return None
    return found if found.keys() >= set(C_FILES) else None


def build_generic(
    sources: dict[str, str], march: str, base: str, compiler: Compiler, progress: Progress
) -> Path:
    """The generic generation, built in the cache. BuildError when it does not compile."""
    changed = {**sources, "path.c": generic_path(sources["path.c"])}
    return _build("generic", changed, march, base, compiler, progress)


def build_synced(
    sources: dict[str, str], march: str, base: str, compiler: Compiler, progress: Progress
) -> Path:
    """The synced generation, likewise."""
    changed = {**sources, "path.c": synced_path(sources["path.c"])}
    return _build("synced", changed, march, base, compiler, progress)


def _build(
    name: str,
    sources: dict[str, str],
    march: str,
    base: str,
    compiler: Compiler,
    progress: Progress,
) -> Path:
    text = "\0".join((march, compiler.version, *(sources[name] for name in sorted(sources))))
    cache = cache_dir() / f"bench-{name}"
    root = cache / sha256(text.encode()).hexdigest()[:16]
    unit = Unit(name, march, sources)
    with writing_to(cache):
        root.mkdir(parents=True, exist_ok=True)
        with locked(cache / "lock") as fd:
            os.utime(root)
            _prune(cache)
            return build_generations([unit], root, base, compiler, 2, progress, fd)[name]


def _prune(cache: Path) -> None:
    """Removes what no measurement has used for a month."""
    oldest = time.time() - _KEEP_S
    for directory in cache.iterdir():
        if directory.is_dir() and directory.stat().st_mtime < oldest:
            shutil.rmtree(directory, ignore_errors=True)
