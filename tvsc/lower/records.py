"""Makes the records of blocks: jobs to bytes, in processes forked from this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tvsc.lower.block_record import Job, record
from tvsc.lower.defaults import Defaults
from tvsc.lower.processes import in_processes
from tvsc.lower.rebuild import rebuild
from tvsc.lower.template import Templates

Made = Iterator[bytes | None]
"""The records of jobs, in their order; None where there is none."""

Keep = Callable[[int, bytes], None]
"""Keeps the record of the job of that number; called in whatever process has it first."""

Make = Callable[[Sequence[Job], Path, Defaults, int, Keep], Made]
"""Makes records; takes the site file, its defaults and the number of processes, too."""


def new_record(
    job: Job, root: Path, known: Defaults, templates: Templates | None = None
) -> bytes | None:
    """From the job's old record if that can be, else from its text. `templates` are of these
    defaults, and may be used for many jobs.
    """
    data = rebuild(job, root, known, templates or Templates(known))
    return record(job, root, known) if data is None else data


def make_records(
    jobs: Sequence[Job], root: Path, known: Defaults, processes: int, keep: Keep
) -> Made:
    """Forks, when this process has no threads."""
    templates = Templates(known)

    def make(number: int) -> bytes | None:
        data = new_record(jobs[number], root, known, templates)
        if data is not None:
            keep(number, data)
        return data

    return in_processes(make, len(jobs), processes)
