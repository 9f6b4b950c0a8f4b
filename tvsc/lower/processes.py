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


def in_processes(work: Work, count: int, jobs: int) -> Iterator[bytes | None]:
    """`work(0)` to `work(count - 1)`, in this order and each as soon as it is there, in up to
    `jobs` processes that see what this one sees.

    Here, one after the other, when there is one job, or other threads, whose locks a forked
    process could never get. What a process that died owes is done here as well.
    """
    given = 0
    if jobs > 1 and count > 1 and threading.active_count() == 1:
        results: dict[int, bytes | None] = {}
        for number, data in _forked(work, count, min(jobs, count)):
            results[number] = data
            while given in results:
                yield results.pop(given)
                given += 1
        for number in range(given, count):
            yield results[number] if number in results else work(number)
        return
    for number in range(count):
        yield work(number)


def _forked(work: Work, count: int, jobs: int) -> Iterator[tuple[int, bytes | None]]:
    """What processes say, as it comes; all of them end with this, whatever happens."""
    context = multiprocessing.get_context("fork")
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
                    yield end.recv()
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
