"""What every kind of result has in common, and the machine that it was taken on.

A result file is JSON: one `Result` of a kind (`path`, `latency`, `lab`, `compiler`). Kinds derive
from it in modules of their own. The machine stands in every file, because a figure without it is
worth nothing.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tvsc import __version__

FORMAT_VERSION = 1


class Row(BaseModel):
    """A part of a result: never changes, and knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HugePages(Row):
    """2 MB pages when the run began."""

    total: int
    free: int


class Machine(Row):
    """Where a result was taken. `load_before` and `load_after` are the load of the last minute."""

    cpu: str
    cpus: int
    isolated_cpus: str
    governor: str
    hypervisor: str
    kernel: str
    tsc_mhz: float | None
    l1d_bytes: int | None
    l2_bytes: int | None
    l3_bytes: int | None
    memory_bytes: int
    huge_pages: HugePages
    load_before: float
    load_after: float


class Spread(Row):
    """Over repeats; all 0 when nothing could be measured."""

    median: float
    p10: float
    p90: float


def _above_0(spread: Spread) -> Spread:
    if min(spread.median, spread.p10, spread.p90) <= 0:
        raise ValueError("is not above 0")
    return spread


Measured = Annotated[Spread, AfterValidator(_above_0)]
"""Something was measured."""


def now() -> str:
    """The time as results carry it: UTC, ISO 8601, whole seconds."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat()


class Result(Row):
    """The head of every result file. `command` repeats the run."""

    format_version: int = FORMAT_VERSION
    kind: str
    tvsc: str = __version__
    taken: str = Field(default_factory=now)
    command: str
    machine: Machine
