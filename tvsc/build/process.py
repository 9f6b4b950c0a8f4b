"""Starts tools, so that none of them outlives the compiler.

A child leads a process group of its own, which is killed when this process is interrupted. When
this process is killed outright the kernel kills the child, and what the child had started keeps
the lock of OUT (an inherited descriptor) until it ends: nobody else writes there before.

The kernel is asked by `setpriv`, not by a `preexec_fn`. With one, Python runs what modules have
registered for a fork (the locks of `logging`, for one), drops any exception that comes up there,
and so loses the ctrl-C that arrives meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_STEP_DONE = re.compile(r"^\[\d+/\d+\] ")
_MOST_LINES = 60
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """`output` is stdout and stderr in the order of writing."""

    status: int
    output: str

    @property
    def complaint(self) -> str:
        """The output without the steps that went well, at most a screen of it."""
        lines = [line for line in self.output.splitlines() if not _STEP_DONE.match(line)]
        left_out = len(lines) - _MOST_LINES
        if left_out > 0:
            lines = [*lines[:_MOST_LINES], f"({left_out} more lines)"]
        return "\n".join(lines)


def tied(argv: Sequence[str | Path]) -> list[str]:
    """The command that starts `argv` as a process which ends when this thread does."""
    program, *arguments = [os.fspath(word) for word in argv]
    setpriv = [_found("setpriv"), "--pdeathsig", "KILL", "--"]
    return [*setpriv, _found(program), *arguments]


def _found(program: str) -> str:
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/bin:/bin"
    found = shutil.which(program, path=path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    return found


def run(
    argv: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    keep_fd: int | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Result:
    """Runs a tool to its end and returns what it said. OSError when it cannot be started.

    `env` is added to the environment, whose language is C; `on_line` sees every line as it comes.
    """
    process = subprocess.Popen(
        tied(argv),
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=() if keep_fd is None else (keep_fd,),
        text=True,
        errors="replace",
    )
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))
        status = process.wait()
    except BaseException:
        _kill_group(process)
        raise
    return Result(status, "".join(lines))


def _kill_group(process: subprocess.Popen[str]) -> None:
    """Ninja, asked to end, ends the compilers first: they have process groups of their own."""
    try:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGINT)
            process.wait(_PATIENCE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
