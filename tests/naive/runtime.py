"""The compiled runtime for tests in Python: tvs-replay, the memory adapter, the fixtures."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "runtime-python"
VARIANTS = [
    "fixture",
    "fixture-software",
    "fixture-few-sessions",
    "fixture-few-ports",
    "fixture-few-buckets",
    "fixture-vlan",
    "fixture-maglev",
    "fixture-source-hash",
    "fixture-least-loaded",
    "fixture-toa",
    "fixture-limits",
]
OPTIONS = ["-Dtests=true", "-Ddpdk=none", "-Dbuildtype=debugoptimized"]


def tool(name: str) -> str:
    """A program of the virtual environment the tests run in, else of the system."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is missing: make setup"
    return found


def run(*command: str) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@cache
def build() -> Path:
    """The build directory, up to date. It is kept: the next run compiles what changed."""
    mark = BUILD / ".options"
    want = f"{ROOT} {OPTIONS}"
    if not mark.exists() or mark.read_text(encoding="utf-8") != want:
        shutil.rmtree(BUILD, ignore_errors=True)
        run(tool("meson"), "setup", str(BUILD), "runtime", "--werror", *OPTIONS)
        mark.write_text(want, encoding="utf-8")
    targets = ["tools/tvs-replay", "adapters/tvs-memory.so", *(f"test/{v}.so" for v in VARIANTS)]
    run(tool("ninja"), "-C", str(BUILD), *targets)
    return BUILD


def replay_program() -> Path:
    return build() / "tools" / "tvs-replay"


def memory_library() -> Path:
    return build() / "adapters" / "tvs-memory.so"


def fixture(variant: str = "fixture") -> Path:
    """A generation of runtime/test/fixture_generation.c."""
    return build() / "test" / f"{variant}.so"
