"""Makes the records of a large site's blocks in a process of its own.

The compiler reads such blocks in processes that it forks. The server cannot: it has threads, whose
locks a forked process could never get. So it starts a fresh interpreter, which has none, and which
forks; the texts go to it through a pipe, records come back as they are made. Nothing depends on
it: what it owes, whatever became of it, is made here.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from tvsc.lower import Reading, no_garbage
from tvsc.lower.block_record import Job
from tvsc.lower.blocks import version
from tvsc.lower.defaults import Defaults
from tvsc.lower.processes import end_with
from tvsc.lower.records import Keep, Made, make_records, new_record
from tvsc.lower.schema import KINDS, Kind, Setting

WORTH_CHARACTERS = 512 * 1024
"""So much text is read faster than another process starts."""

_JOBS_A_TURN = 32
"""Records that are made before they are sent: about a third of a second."""

_TICK_S = 0.05

log = logging.getLogger(__name__)

Request = tuple[bytes, Sequence[Job], Path, Defaults, int]


def usual_reading(tick: Callable[[], None]) -> Reading:
    """That of the command, but for where records are made. `tick` may raise to give up."""
    return replace(Reading.usual(), make=partial(records, tick))


def records(
    tick: Callable[[], None],
    jobs: Sequence[Job],
    root: Path,
    known: Defaults,
    processes: int,
    keep: Keep,
) -> Made:
    """The records of jobs; what was made before `tick` raises is kept."""
    if sum(len(job.text) for job in jobs) < WORTH_CHARACTERS:
        yield from make_records(jobs, root, known, processes, keep)
        return
    done = 0
    try:
        request = _pack((version(), jobs, root, known, processes))
        for data in _from_child(request, tick):
            if data is not None:
                keep(done, data)
            done += 1
            yield data
    except (OSError, EOFError, pickle.PickleError) as error:
        log.warning("the reading process failed, its work is done here: %r", error)
    for number in range(done, len(jobs)):
        tick()
        data = new_record(jobs[number], root, known)
        if data is not None:
            keep(number, data)
        yield data


def _from_child(request: bytes, tick: Callable[[], None]) -> Made:
    with _child() as (to, end):
        to.send_bytes(request)
        left = True
        while left:
            while not end.poll(_TICK_S):
                tick()
            made, left = pickle.loads(end.recv_bytes())
            yield from made


@contextmanager
def _child() -> Iterator[tuple[Connection, Connection]]:
    """A process that reads one request; it is gone afterwards."""
    # -P: the folder in which the editor started the server is no place to import from.
    command = [sys.executable, "-P", "-m", "tvsc.lsp.reader", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            with (
                Connection(os.dup(child.stdin.fileno()), readable=False) as to,
                Connection(os.dup(child.stdout.fileno()), writable=False) as end,
            ):
                yield to, end
        finally:
            child.kill()


# --- requests: rows of the vocabulary go by name, they hold functions -----------------------------


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._settings = {
            id(setting): (kind.name, setting.keyword)
            for kind in KINDS.values()
            for setting in kind.settings.values()
        }

    def persistent_id(self, value: object) -> tuple[str, ...] | None:
        if isinstance(value, Kind):
            return (value.name,)
        return self._settings.get(id(value)) if isinstance(value, Setting) else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: tuple[str, ...]) -> Kind | Setting:
        kind = KINDS[name[0]]
        return kind if len(name) == 1 else kind.settings[name[1]]


def _pack(request: Request) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(request)
    return file.getvalue()


def _unpack(data: bytes) -> Request:
    request: Request = _Unpickler(io.BytesIO(data)).load()
    return request


# --- the process ----------------------------------------------------------------------------------


def main() -> None:
    """Read one request from stdin, write its records to stdout."""
    end_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    out = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # whatever prints, prints to the log
    made_by, jobs, root, known, processes = _unpack(Connection(0, writable=False).recv_bytes())
    if made_by != version():
        sys.exit("tvsc was changed while its server ran: start it anew")
    # One is made here: what is forked then has the parser's tables, and need not make them.
    starts = [0, *range(1, len(jobs), _JOBS_A_TURN)]
    for start, end in zip(starts, [*starts[1:], len(jobs)], strict=True):
        with no_garbage():
            made = list(make_records(jobs[start:end], root, known, processes, _sent))
        out.send_bytes(pickle.dumps((made, end < len(jobs))))


def _sent(_number: int, _data: bytes) -> None:
    """It is kept by who asked for it."""


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(f"reading process: {error!r}")
