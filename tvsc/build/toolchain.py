"""Finds the programs that a compilation needs, and says which Debian package has a missing one."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tvsc import __version__
from tvsc.build.failure import failed
from tvsc.build.process import run
from tvsc.diag import codes
from tvsc.resources import runtime_dir, templates_dir

_LIBRARIES = {
    "libdpdk": ("DPDK", "libdpdk-dev"),
    "libcurl": ("libcurl", "libcurl4-openssl-dev"),
    "libmnl": ("libmnl", "libmnl-dev"),
    "libpcap": ("libpcap", "libpcap-dev"),
    "jansson": ("jansson", "libjansson-dev"),
}

_WRITERS = ("build", "bundle", "codegen", "plan")
"""The parts of tvsc that decide what is written."""

# What of the runtime does not go into any product.
_NOT_BUILT = {"test", "fuzz", "bench"}


@dataclass(frozen=True, slots=True)
class Compiler:
    """`argv` starts it (CC may hold a launcher and options); `version` is the line it says."""

    argv: tuple[str, ...]
    version: str

    @property
    def cc(self) -> str:
        """As meson reads CC from the environment."""
        return shlex.join(self.argv)


# A user's own flags would make other bytes of the same site.
BUILD_ENV = {"CFLAGS": "", "CPPFLAGS": "", "LDFLAGS": ""}


def find_compiler() -> Compiler:
    """CC if it is set, else gcc, else clang. BuildError when there is none that runs."""
    wanted = os.environ.get("CC")
    candidates = [tuple(shlex.split(wanted))] if wanted else [("gcc",), ("clang",), ("cc",)]
    for argv in candidates:
        if not argv or shutil.which(argv[0]) is None:
            continue
        result = run([*argv, "--version"])
        if result.status == 0:
            return Compiler(argv, result.output.splitlines()[0].strip())
    named = f" (CC is `{wanted}`)" if wanted else ""
    raise failed(
        codes.COMPILER_MISSING,
        f"no C compiler was found{named}",
        help="install one: apt install gcc libc6-dev, or name one in CC",
    )


def find_bird() -> Path:
    """BIRD's program; also where Debian has it outside of a user's PATH."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which("bird", path=path)
    if found is None:
        raise failed(
            codes.BIRD_MISSING,
            "`bird`, which checks the rendered BGP configuration, was not found",
            help="install it: apt install bird2",
        )
    return Path(found)


def find_meson() -> list[str]:
    """Meson runs as a module of this Python, so that it is the version of our dependencies."""
    return [sys.executable, "-m", "mesonbuild.mesonmain"]


@cache
def find_ninja() -> str:
    """The ninja of our dependencies, else the system's."""
    beside = Path(sys.executable).with_name("ninja")
    found = str(beside) if beside.is_file() else shutil.which("ninja")
    if found is None:
        raise failed(
            codes.COMPILER_MISSING,
            "`ninja` was not found",
            help="install tvsc again, or: apt install ninja-build",
        )
    return found


def library_versions() -> str:
    """Versions of what the host is linked with, one line. BuildError names the missing ones."""
    if shutil.which("pkg-config") is None:
        raise failed(
            codes.LIBRARY_MISSING,
            "`pkg-config`, which finds DPDK, was not found",
            help="install it: apt install pkg-config",
        )
    result = run(["pkg-config", "--modversion", *_LIBRARIES])
    if result.status == 0:
        versions = result.output.split()
        return ", ".join(f"{n} {v}" for n, v in zip(_LIBRARIES, versions, strict=False))
    missing = [name for name in _LIBRARIES if run(["pkg-config", "--exists", name]).status]
    names = " and ".join(_LIBRARIES[name][0] for name in missing)
    packages = " ".join(_LIBRARIES[name][1] for name in missing)
    raise failed(
        codes.LIBRARY_MISSING,
        f"{names}, which the host binary needs, was not found",
        help=f"install it: apt install {packages}; or leave the host out with --no-bundle",
    )


def _tree_hash(root: Path, skip: frozenset[str] = frozenset()) -> str:
    """Names and contents of all files below `root`; directories in `skip` are left out."""
    digest = hashlib.sha256()
    for directory, directories, files in os.walk(root):
        directories[:] = sorted(d for d in directories if d not in skip and d[0] not in "._")
        for name in sorted(files):
            if name.startswith(".") or name.endswith((".orig", "~")):
                continue
            path = Path(directory, name)
            data = path.read_bytes()
            digest.update(f"{path.relative_to(root)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def runtime_hash() -> str:
    """Of the runtime's sources, tests left out."""
    return _tree_hash(runtime_dir(), frozenset(_NOT_BUILT))


def runtime_hash_with_bench() -> str:
    """Of the runtime's sources, the bench included."""
    return _tree_hash(runtime_dir(), frozenset(_NOT_BUILT - {"bench"}))


def base_hash(compiler: Compiler) -> str:
    """Names everything but the site that goes into a generation, this program's text included."""
    package = Path(__file__).parents[1]
    parts = [_tree_hash(package / name) for name in _WRITERS]
    parts += [__version__, compiler.version, runtime_hash(), _tree_hash(templates_dir())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def program_hash() -> str:
    """Of this program, all of it."""
    return _tree_hash(Path(__file__).parents[1])
