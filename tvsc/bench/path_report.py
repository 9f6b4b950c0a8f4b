"""The packet path's section of the page of results, and its tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tvsc.bench.path import (
    FLOOR_TEXT,
    FLOORS,
    Floor,
    PairRow,
    PathResult,
    PathRow,
    SyncCost,
    Touches,
    Workload,
)
from tvsc.bench.path_figures import figures, peer_table
from tvsc.bench.report import Figure, Section, Table
from tvsc.bench.result import Spread

MODEL = PathResult

_HOW = """Time stamp counter (TSC) cycles per packet of one worker, receive and transmit of a
memory device included: the median over repeats of the median over stretches of 1,024 packets; p10
and p90 are over repeats. Floors take turns with the path, repeat by repeat: compare ratios, which a
busy machine changes less than figures. A ratio above 1 says that the floor is slower."""
TEXT = (
    " ".join(_HOW.split()),
    "Floors: " + "; ".join(f"{name}: {text}" for name, text in FLOOR_TEXT.items()) + ".",
)


def _count(number: int) -> str:
    if number >= 1_000_000 and number % 100_000 == 0:
        return f"{number / 1_000_000:g}M"
    return f"{number // 1_000}k" if number >= 1_000 and number % 1_000 == 0 else f"{number}"


def _cycles(value: float) -> str:
    return f"{value:.1f}" if value else ""


def _floor(floor: Floor | None) -> tuple[str, str]:
    return (_cycles(floor.cycles.median), f"{floor.ratio:.2f}x") if floor else ("", "")


def _workload(work: Workload) -> tuple[str, ...]:
    return (
        work.service_class,
        work.direction,
        work.pattern,
        _count(work.sessions),
        str(work.burst),
        str(work.frame_bytes),
    )


_WORKLOAD = ("class", "direction", "pattern", "=sessions", "=burst", "=bytes")
_SPREAD = ("=median", "=p10", "=p90")


def _spread(spread: Spread) -> tuple[str, ...]:
    return tuple(_cycles(value) for value in (spread.median, spread.p10, spread.p90))


def row_table(rows: Sequence[PathRow]) -> Table:
    """One worker: cycles, rate, memory, and each floor with its ratio."""
    columns = [*_WORKLOAD, *_SPREAD, "=Mpps", "=B/session"]
    for name in FLOORS:
        columns += [f"={name}", "=ratio"]
    body = []
    for row in rows:
        cells = [*_workload(row.workload), *_spread(row.cycles), f"{row.mpps:.1f}"]
        cells.append(f"{row.bytes_per_session:.0f}")
        for name in FLOORS:
            cells += _floor(row.floors.get(name))
        body.append(tuple(cells))
    return Table("one worker, cycles per packet (sweep: per record)", tuple(columns), tuple(body))


def _sync_cells(cost: SyncCost) -> tuple[str, ...]:
    counts = cost.counts
    return (
        str(counts.peers),
        _cycles(cost.tells.median),
        f"{cost.tells_percent:+.1f} %",
        _cycles(cost.learns.median),
        f"{cost.learns_percent:+.1f} %",
        f"{counts.told_per_session:.2f}",
        f"{counts.sessions_per_message:.1f}",
        f"{counts.bytes_per_session:.0f}",
        f"{counts.cycles_per_told:.0f}",
        f"{counts.cycles_per_learned:.0f}",
    )


def sync_table(rows: Sequence[PathRow]) -> Table:
    """Session sync: each tenth packet opens a session."""
    columns = (
        *_WORKLOAD,
        "=without",
        "=peers",
        "=telling",
        "=more",
        "=and hearing as much",
        "=more",
        "=told/session",
        "=/message",
        "=bytes/session",
        "=cycles/told",
        "=/heard",
    )
    body = [
        (*_workload(row.workload), _cycles(row.cycles.median), *_sync_cells(row.sync))
        for row in rows
        if row.sync is not None
    ]
    caption = (
        "session sync, cycles per packet: sessions of ten packets, all under way, without it and "
        "with it in turn"
    )
    return Table(caption, columns, tuple(body))


def pair_table(rows: Sequence[PairRow]) -> Table:
    """Two workers, and what their processors were meanwhile."""
    columns = (*_WORKLOAD, "=alone", "=alone", "=together", "=together", "=Mpps", "=two are")
    body = [
        (
            *_workload(row.workload),
            *(_cycles(spread.median) for spread in (*row.alone, *row.together)),
            f"{row.mpps:.1f}",
            f"{row.scaling:.2f}x" if row.scaling else "",
            f"{100 * row.overlap:.0f} %",
            f"{row.cores:.2f}x" if row.cores else "",
        )
        for row in rows
    ]
    return Table(
        "two workers at the same time against each alone, cycles per packet",
        (*columns, "=both at it", "=processors are"),
        tuple(body),
    )


def event_table(rows: Sequence[PathRow]) -> Table:
    """What the processor counted."""
    names = list(dict.fromkeys(name for row in rows for name in row.events))
    body = [
        (*_workload(row.workload), *(f"{row.events.get(name, 0.0):.2f}" for name in names))
        for row in rows
        if row.events
    ]
    columns = (*_WORKLOAD, *(f"={name.replace('_', ' ')}" for name in names))
    return Table("the processor's own counters, per packet", columns, tuple(body))


def touch_table(rows: Sequence[Touches]) -> Table:
    """What a packet touches, by region."""
    regions = list(dict.fromkeys(name for row in rows for name in row.lines))
    body = [
        (
            row.workload.service_class,
            row.workload.direction,
            f"{row.instructions:.0f}",
            f"{row.lines_sum:.2f}",
            *(f"{row.lines.get(name, 0.0):.2f}" for name in regions),
        )
        for row in rows
    ]
    columns = ("class", "direction", "=instructions", "=lines", *(f"={n}" for n in regions))
    caption = (
        "per packet, counted by valgrind's lackey: instructions, and distinct 64-byte lines that "
        "a burst of 32 reads or writes"
    )
    return Table(caption, columns, tuple(body))


def tables(result: PathResult) -> list[Table]:
    """Those that have rows."""
    found = []
    if result.rows:
        found.append(row_table(result.rows))
    if any(row.sync is not None for row in result.rows):
        found.append(sync_table(result.rows))
    if result.pairs:
        found.append(pair_table(result.pairs))
    if result.touches:
        found.append(touch_table(result.touches))
    if any(row.events for row in result.rows):
        found.append(event_table(result.rows))
    return found


def machine_line(result: PathResult) -> str:
    """The machine in a line."""
    where = result.machine
    mhz = f"{where.tsc_mhz:.0f} MHz" if where.tsc_mhz else "unknown"
    cpus = ",".join(map(str, result.cpus)) or "any"
    return (
        f"{where.cpu}; TSC {mhz}; {where.cpus} processors, measured on {cpus}; hypervisor "
        f"{where.hypervisor}; kernel {where.kernel}; {result.pages} pages; load "
        f"{where.load_before:.2f} before, {where.load_after:.2f} after; pool of {result.packets} "
        f"packets"
    )


def section(results: Sequence[PathResult]) -> Section:
    """The part of the page: plots of each result, then its tables."""
    parts: list[Table | Figure] = []
    text = list(TEXT)
    for result in results:
        parts += figures(result)
        parts += tables(result)
        text += [machine_line(result), *result.notes]
    parts.append(peer_table())
    machines = tuple((f"{result.taken}: {result.command}", result.machine) for result in results)
    return Section("Packet path", tuple(text), tuple(parts), machines)
