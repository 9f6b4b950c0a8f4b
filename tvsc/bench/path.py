"""Cycles of the packet path: compiles a site's node, builds tvs-bench and the generic floor once,
runs them and reads what they say. docs/performance.md says how the figures are taken.
"""

from __future__ import annotations

from typing import Final, Literal

from tvsc.bench import harness, machine
from tvsc.bench.result import HugePages, Measured, Result, Row, Spread

FLOORS: Final = ("touch", "rte_hash", "generic")
FLOOR_TEXT: Final = {
    "touch": "each packet read and rewritten, nothing looked up",
    "rte_hash": "DPDK's rte_hash with the same keys in place of the table, and a rewrite",
    "generic": "the same sources with every decision taken at run time",
}
CACHE_LINE: Final = 64


class Workload(Row):
    """What the packets of a figure were. `unit` is `record` for the sweep, which sees no packet."""

    service_class: str
    direction: str
    pattern: str
    sessions: int
    burst: int
    frame_bytes: int
    workers: int
    repeats: int
    unit: Literal["packet", "record"] = "packet"


class Floor(Row):
    """TSC cycles per packet, and how many times ours that is, by medians of the same run."""

    cycles: Measured
    ratio: float


class SyncCost(Row):
    """The direction `sync`: the same traffic telling `peers`, and hearing as much from them. What
    both cost more than the row's cycles is in percent of these. The rest as tvs-bench says it.
    """

    tells: Measured
    tells_percent: float
    learns: Measured
    learns_percent: float
    counts: harness.Sync


class PathRow(Row):
    """One worker. `events` are the processor's own counters per packet, where it has any;
    `preempted` counts how often another process took the core meanwhile.
    """

    workload: Workload
    cycles: Measured
    mpps: float
    bytes_per_session: float
    floors: dict[str, Floor]
    events: dict[str, float]
    preempted: int
    sync: SyncCost | None = None


class PairRow(Row):
    """Two workers on two cores, each alone and both at the same time. `scaling` is what both do in
    workers that are alone; only the `overlap` of the time in which both were at it counts.
    """

    workload: Workload
    alone: tuple[Spread, Spread]
    together: tuple[Spread, Spread]
    mpps: float
    scaling: float
    overlap: float
    cores: float
    preempted: int


class Touches(Row):
    """Of one packet, the memory device included: instructions, and distinct cache lines of its
    burst by the region that they lie in. Counted by a program, not by the processor.
    """

    workload: Workload
    instructions: float
    lines: dict[str, float]
    tool: str

    @property
    def lines_sum(self) -> float:
        """All regions."""
        return sum(self.lines.values())


class PathResult(Result):
    """`packets` of the pool touch `pool_line_bytes` of cache; `cpus` empty: not pinned."""

    kind: Literal["path"] = "path"
    site: str
    node: str
    generation: str
    pages: str
    packets: int
    pool_line_bytes: int
    cpus: tuple[int, ...]
    rows: tuple[PathRow, ...]
    pairs: tuple[PairRow, ...]
    touches: tuple[Touches, ...]
    notes: tuple[str, ...]


def _sync_cost(row: harness.Row) -> SyncCost | None:
    if row.tells is None or row.learns is None or row.sync is None:
        return None

    def percent(spread: Spread) -> float:
        return round(100 * (spread.median / row.site.median - 1), 1)

    return SyncCost(
        tells=row.tells,
        tells_percent=percent(row.tells),
        learns=row.learns,
        learns_percent=percent(row.learns),
        counts=row.sync,
    )


class Reader:
    """Collects what batches said into the parts of a result."""

    def __init__(self, labels: dict[int, str]) -> None:
        self.labels = labels
        self.rows: list[PathRow] = []
        self.pairs: list[PairRow] = []
        self.touches: list[Touches] = []
        self.notes: list[str] = []
        self.head: harness.Head | None = None
        self.pages = ""

    def label(self, head: harness.Head) -> str:
        """A class for people: `fullnat/tcp`."""
        return self.labels.get(head.class_id, f"fullnat/{head.proto}")

    def note(self, text: str) -> None:
        """Once."""
        if text not in self.notes:
            self.notes.append(text)

    def take(self, said: harness.Said) -> None:
        """The rows of one batch."""
        head = said.head
        assert head is not None
        self.head = head
        for opened in said.opened.values():
            self.pages = opened.pages
        for skipped in said.skipped:
            self.note(
                f"{skipped.sessions} sessions were left out: "
                f"a worker of this node has local ports for {skipped.room}"
            )
        for row in said.rows:
            self.rows.append(self._row(row, head, said.opened[row.sessions].bytes_per_session))
        for pair in said.pairs:
            self.pairs.append(self._pair(pair, head))

    def _row(self, row: harness.Row, head: harness.Head, bytes_per_session: float) -> PathRow:
        floors = {
            name: Floor(cycles=spread, ratio=round(spread.median / row.site.median, 3))
            for name, spread in (
                ("touch", row.touch),
                ("rte_hash", row.rte_hash),
                ("generic", row.generic),
            )
            if spread is not None
        }
        return PathRow(
            workload=self._workload(row, head, 1),
            cycles=row.site,
            mpps=round(head.tsc_hz / row.site.median / 1e6, 2),
            bytes_per_session=bytes_per_session,
            floors=floors,
            events=row.events,
            preempted=row.preempted,
            sync=_sync_cost(row),
        )

    def _pair(self, pair: harness.Pair, head: harness.Head) -> PairRow:
        together = (pair.together_0, pair.together_1)
        return PairRow(
            workload=self._workload(pair, head, 2),
            alone=(pair.alone_0, pair.alone_1),
            together=together,
            mpps=round(sum(head.tsc_hz / t.median / 1e6 for t in together if t.median > 0), 2),
            scaling=pair.scaling,
            overlap=pair.overlap,
            cores=pair.cores,
            preempted=pair.preempted,
        )

    def _workload(
        self, line: harness.Row | harness.Pair, head: harness.Head, workers: int
    ) -> Workload:
        return Workload(
            service_class=self.label(head),
            direction=line.direction,
            pattern=line.pattern,
            sessions=line.sessions,
            burst=line.burst,
            frame_bytes=line.frame_bytes,
            workers=workers,
            repeats=line.repeats,
            unit="record" if line.direction == "sweep" else "packet",
        )

    def result(
        self,
        *,
        site: str,
        node: str,
        command: str,
        cpus: tuple[int, ...],
        load_before: float,
        pages_before: HugePages,
    ) -> PathResult:
        """All of it; at least one batch has been taken."""
        head = self.head
        assert head is not None
        return PathResult(
            command=command,
            machine=machine.describe(round(head.tsc_hz / 1e6, 1), load_before, pages_before),
            site=site,
            node=node,
            generation=head.generation,
            pages=self.pages,
            packets=head.packets,
            pool_line_bytes=head.packets * CACHE_LINE,
            cpus=cpus,
            rows=tuple(self.rows),
            pairs=tuple(self.pairs),
            touches=tuple(self.touches),
            notes=tuple(self.notes),
        )
