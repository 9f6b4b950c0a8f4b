"""Bounds on what a piece of work may cost: CPU time (not the clock on the wall) and memory."""

from __future__ import annotations

import gc
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

CPU_S_PER_KB = 1
CPU_S_LEAST = 3
"""What the smallest input may take: three times what a loop of all services, or of all servers,
takes, Python's start included.
"""
MEMORY_BYTES = 2 << 30


class TooMuchWorkError(Exception):
    """The bound on CPU time was reached."""


def cpu_s(input_bytes: int) -> int:
    """The bound for an input of a size."""
    return max(CPU_S_LEAST, CPU_S_PER_KB * input_bytes // 1024)


@contextmanager
def bounded(input_bytes: int) -> Iterator[None]:
    """More CPU time than the input may take is TooMuchWorkError, more memory MemoryError. Garbage
    is not looked for meanwhile: that of the tests before would count.
    """

    fired = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal fired
        fired = True
        raise TooMuchWorkError

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, stop)
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    signal.setitimer(signal.ITIMER_PROF, cpu_s(input_bytes))
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        if fired:  # and was swallowed, in a callback for instance
            raise TooMuchWorkError
    finally:
        if collecting:
            gc.enable()
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGPROF, handler)


def limit_child(input_bytes: int) -> None:
    """For `preexec_fn`: the same for a program, which the kernel then kills."""
    seconds = cpu_s(input_bytes)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
