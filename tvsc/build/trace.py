"""Runs a program under valgrind's lackey and hands its trace over: every instruction and every
access to memory, a line each.

The program says on stdout what is to be looked for in the trace, and then waits for a line: only
from there on somebody looks. What it says after that is of no interest.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from tvsc.build.process import tied

_CHUNK_BYTES = 1 << 20
_LOOK_S = 0.01


def find_valgrind() -> Path | None:
    """Valgrind's program, if it is installed."""
    found = shutil.which("valgrind")
    return Path(found) if found else None


def traced(
    valgrind: Path,
    argv: Sequence[str | Path],
    announces: Callable[[str], bool],
    read: Callable[[Iterator[bytes]], None],
) -> int:
    """Runs `argv`. `announces` sees its lines and returns True for the one that it waits after;
    from there on `read` gets the trace's lines. Returns the exit status.
    """
    trace_in, trace_out = os.pipe()
    process = subprocess.Popen(
        tied([valgrind, "--tool=lackey", "--trace-mem=yes", f"--log-fd={trace_out}", *argv]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(trace_out,),
        text=True,
    )
    os.close(trace_out)
    announced = threading.Event()
    assert process.stdout is not None
    assert process.stdin is not None
    listener = threading.Thread(target=_listen, args=(process.stdout, announces, announced))
    listener.start()
    try:
        with os.fdopen(trace_in, "rb", buffering=_CHUNK_BYTES) as trace:
            if _drain(trace_in, announced):
                process.stdin.write("\n")
                process.stdin.close()
                read(trace)
        status = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        listener.join()
        process.stdout.close()
    return status


def _drain(fd: int, announced: threading.Event) -> bool:
    """Throws away what is traced until the program waits: far more than what comes then. False
    when it ended instead.
    """
    while not announced.is_set():
        ready, _, _ = select.select([fd], [], [], _LOOK_S)
        if ready and not os.read(fd, _CHUNK_BYTES):
            return announced.is_set()
    return True


def _listen(said: IO[str], announces: Callable[[str], bool], announced: threading.Event) -> None:
    for line in said:
        if not announced.is_set() and announces(line):
            announced.set()
