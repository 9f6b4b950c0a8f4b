"""Pieces of work in parallel processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import cast

Work = Callable[[int], bytes | None]

_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGINT, signal.SIGTERM)


def in_processes(work: Work, count: int, jobs: int) -> list[bytes | None]:
    """`work(0)` to `work(count - 1)`, in up to `jobs` processes that see what this one sees.

    Here, one after the other, when there is one job, or other threads, whose locks a forked
    process could never get. What a process that died owes is done here as well.
    """
    results: dict[int, bytes | None] = {}
    if jobs > 1 and count > 1 and threading.active_count() == 1:
        results = _forked(work, count, min(jobs, count))
    return [results[n] if n in results else work(n) for n in range(count)]


def _forked(work: Work, count: int, jobs: int) -> dict[int, bytes | None]:
    context = multiprocessing.get_context("fork")
    results: dict[int, bytes | None] = {}
    open_ends: list[Connection] = []
    processes = []
    try:
        for first in range(jobs):
            ours, theirs = context.Pipe(duplex=False)
            numbers = range(first, count, jobs)
            process = context.Process(
                target=_child, args=(work, numbers, theirs, os.getpid()), daemon=True
            )
            with _undisturbed():
                process.start()
            theirs.close()
            processes.append(process)
            open_ends.append(ours)
        while open_ends:
            for end in cast("list[Connection]", wait(open_ends)):
                try:
                    number, data = end.recv()
                    results[number] = data
                except EOFError:
                    open_ends.remove(end)
                    end.close()
    except OSError:
        pass  # no more processes or pipes to be had
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for end in open_ends:
            end.close()
    return results


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals wait: an exception that comes up while Python forks is lost."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def end_with(parent: int) -> None:
    """A parent that is killed cannot end its children; the kernel does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _child(work: Work, numbers: range, out: Connection, parent: int) -> None:
    end_with(parent)
    for ending in _ENDING:
        signal.signal(ending, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        for number in numbers:
            out.send((number, work(number)))
    except (Exception, KeyboardInterrupt):  # said by the parent, which does the same work again
        pass
    finally:
        out.close()
