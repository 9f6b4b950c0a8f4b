"""The latency section of the page of results."""

from __future__ import annotations

from collections.abc import Sequence

from tvsc.bench.latency import BurstLimit, Latency, Load, Percentiles, Run
from tvsc.bench.plot import Axis, Line, line_plot
from tvsc.bench.report import Figure, Section, Table

MODEL = Latency

_HOW = """Packets arrive by a schedule made beforehand (Poisson), at a fraction of the capacity
that was measured just before. Time counts from a packet's arrival until the worker hands it to the
driver, so that a stall is paid for by everything that came meanwhile."""
_MACHINE = """Machine alone: the same schedule on the same core with no packet path, 25 rounds of
each in turn. What it shows is interrupts and the hypervisor. Without stalls: packets left out that
a turn of more than 10 µs kept waiting; where as many such turns come each second with the packet
path as without it, they are the machine's."""
TEXT = tuple(" ".join(text.split()) for text in (_HOW, _MACHINE))

_SHARES = ("p50_ns", "p99_ns", "p999_ns", "max_ns")


def time_text(value_ns: float) -> str:
    """Three digits and a unit."""
    for unit, factor in (("ns", 1.0), ("µs", 1e3), ("ms", 1e6)):
        if value_ns < 999.5 * factor:
            scaled = value_ns / factor
            digits = 0 if scaled >= 99.5 or unit == "ns" else 1 if scaled >= 9.95 else 2
            return f"{scaled:.{digits}f} {unit}"
    return f"{value_ns / 1e9:.2f} s"


def _cells(percentiles: Percentiles) -> tuple[str, ...]:
    if percentiles.count == 0:
        return ("",) * len(_SHARES)
    return tuple(time_text(getattr(percentiles, name)) for name in _SHARES)


def _kept(load: Load) -> tuple[str, ...]:
    """The rounds that count, and how many of them there are."""
    all_rounds = load.quiet.rounds + load.disturbed.rounds
    return (f"{load.quiet.rounds} of {all_rounds}",)


def load_rows(limit: BurstLimit) -> list[tuple[str, ...]]:
    """A full burst from receive to transmit; then per load: with the packet path, without long
    turns, and the machine alone, all of quiet rounds.
    """
    burst = f"a turn of {limit.burst}"
    rows: list[tuple[str, ...]] = [("full", burst, *_cells(limit.service), "", "")]
    for load in limit.loads:
        of = f"{load.load_percent} %"
        quiet, floor = load.quiet, load.floor_quiet
        turns = f"{quiet.long_turns_per_s:.0f}"
        floor_turns = f"{floor.long_turns_per_s:.0f}"
        rows.append((of, "all packets", *_cells(quiet.latency), turns, *_kept(load)))
        rows.append((of, "without stalls", *_cells(quiet.own), "", ""))
        rows.append((of, "machine alone", *_cells(floor.latency), floor_turns, ""))
    return rows


def load_figure(run: Run, limit: BurstLimit) -> Figure | None:
    """Percentiles of one burst limit as lines; None when no round was quiet."""
    lines = []
    for load in limit.loads:
        of = f"{load.load_percent} %"
        lines += _line(f"{of}, all packets", load.quiet.latency)
        lines += _line(f"{of}, without stalls", load.quiet.own)
        if load.load_percent == 50:
            lines += _line(f"{of}, machine alone", load.floor_quiet.latency, dashed=True)
    if not lines:
        return None
    caption = f"{run.sessions:,} sessions, at most {limit.burst} packets a turn"
    axes = (Axis("one packet in so many waits longer"), Axis("ns"))
    return Figure(caption, line_plot(caption, lines, *axes))


def _line(name: str, percentiles: Percentiles, *, dashed: bool = False) -> list[Line]:
    if percentiles.count == 0:
        return []
    values = (percentiles.p50_ns, percentiles.p99_ns, percentiles.p999_ns)
    # what took no whole TSC cycle is drawn at one
    points = tuple((x, max(y, 0.5)) for x, y in zip((2.0, 100.0, 1000.0), values, strict=True))
    return [Line(name, points, dashed)]


LOAD_COLUMNS = ("load", "", "=p50", "=p99", "=p99.9", "=longest", "=stalls/s", "=quiet rounds")


def load_table(run: Run, limit: BurstLimit) -> Table:
    """One burst limit of one run."""
    mpps = limit.capacity_pps / 1e6
    caption = (
        f"{run.sessions:,} sessions, at most {limit.burst} packets a turn; "
        f"capacity {mpps:.2f} million packets/s"
    )
    return Table(caption, LOAD_COLUMNS, tuple(load_rows(limit)))


HOUSEKEEPING_COLUMNS = ("step", "bounded by", "=p50", "=p99", "=p99.9", "=longest", "=times")


def housekeeping_rows(run: Run) -> list[tuple[str, ...]]:
    """Each step alone, and the turns at a flip."""
    rows = [
        (step.name, f"{step.bound} = {step.records}", *_cells(step.spent), f"{step.spent.count}")
        for step in run.steps
    ]
    constant = "one pointer a turn"
    for name, events in (("flip, idle", run.flip_idle), ("flip, 50 % load", run.flip_loaded)):
        rows.append(
            (f"turns at a {name}", constant, *_cells(events.turns_quiet), f"{events.events}")
        )
    return rows


def housekeeping_table(run: Run) -> Table:
    """Of one run."""
    caption = f"{run.sessions:,} sessions: steps between bursts, each alone"
    return Table(caption, HOUSEKEEPING_COLUMNS, tuple(housekeeping_rows(run)))


EVENT_COLUMNS = (
    "at 50 % load",
    "=times",
    "=packets",
    "=lost",
    "=longest turn, quiet rounds",
    "=machine alone",
    "=longest turn, all rounds",
    "=machine alone",
)


def event_rows(run: Run) -> list[tuple[str, ...]]:
    """What the control thread did under load, and the machine alone for as long."""
    floor = run.events_floor.quiet
    return [
        (
            name,
            f"{events.events}",
            f"{events.quiet.packets + events.disturbed.packets:,}",
            f"{run.received - run.sent + run.starved}",
            time_text(events.quiet.longest_turn_ns) if events.quiet.rounds else "",
            time_text(floor.longest_turn_ns) if floor.rounds else "",
            time_text(max(events.quiet.longest_turn_ns, events.disturbed.longest_turn_ns)),
            time_text(max(floor.longest_turn_ns, run.events_floor.disturbed.longest_turn_ns)),
        )
        for name, events in (
            ("generation flip", run.flip_loaded),
            ("weight or drain mark of a server", run.backend_changes),
        )
    ]


def event_table(run: Run) -> Table:
    """Of one run."""
    return Table(
        f"{run.sessions:,} sessions: changes under load", EVENT_COLUMNS, tuple(event_rows(run))
    )


def section(results: Sequence[Latency]) -> Section:
    """All results of this kind."""
    parts: list[Table | Figure] = []
    for result in results:
        for run in result.runs:
            for limit in run.results:
                figure = load_figure(run, limit)
                parts += [load_table(run, limit), *([figure] if figure else [])]
            parts += [housekeeping_table(run), event_table(run)]
    notes = tuple(dict.fromkeys(text for result in results for text in result.notes))
    return Section(
        title="Latency",
        text=TEXT + notes,
        parts=tuple(parts),
        machines=tuple((f"{each.taken}: {each.command}", each.machine) for each in results),
    )
