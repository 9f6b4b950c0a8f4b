"""Small C programs against the runtime's headers, to compare its arithmetic with the compiler's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tvsc.resources import runtime_dir


def run_c(source: str, directory: Path, *runtime_sources: str, stdin: str = "") -> str:
    """Compiles `source` with some files of the runtime, runs it, and returns what it prints."""
    runtime = runtime_dir()
    program = directory / "probe"
    path = directory / "probe.c"
    path.write_text(source, encoding="utf-8")
    command = ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]
    command += ["-march=x86-64-v2", f"-I{runtime / 'include'}", f"-I{runtime}"]
    command += [str(path), *(str(runtime / name) for name in runtime_sources), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    ran = subprocess.run(
        [str(program)], input=stdin, capture_output=True, text=True, check=True, timeout=60
    )
    return ran.stdout
