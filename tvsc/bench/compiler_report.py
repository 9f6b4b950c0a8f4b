"""The compiler's section of the page of results, and its tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvsc.bench.compiler import CompilerResult, Growth, SiteRun, Step
from tvsc.bench.plot import Axis, Line, line_plot
from tvsc.bench.report import Figure, Section, Table

MODEL = CompilerResult

_HOW = """Every figure is of one fresh process and all that it started: wall time, processor time,
resident memory of the largest process. Each step finds what the one before left; the edits are of
one line. The exponent is that between the two largest sizes: 1 is linear."""
TEXT = (" ".join(_HOW.split()),)

_MIB = 1 << 20
_FEWEST_POINTS = 2
_CURVES: tuple[tuple[str, Callable[[Step], float]], ...] = (
    ("wall time", lambda step: step.wall_s),
    ("processor time", lambda step: step.cpu_s),
)
_DRAWN = (
    "check, first",
    "check, again",
    "check, a weight changed",
    "compile, first",
    "compile, unchanged",
    "compile, a weight changed",
    "compile, a VIP added",
)


def _seconds(value_s: float) -> str:
    return f"{value_s:.2f}" if value_s < 9.95 else f"{value_s:.1f}"


def _mib(value_bytes: int) -> str:
    mib = value_bytes / _MIB
    return f"{mib:.2f}" if mib < 9.95 else f"{mib:.0f}"


MEASURES: tuple[tuple[str, Callable[[Step], str], Callable[[Growth], float]], ...] = (
    ("wall time, s", lambda step: _seconds(step.wall_s), lambda growth: growth.wall),
    ("processor time, s", lambda step: _seconds(step.cpu_s), lambda growth: growth.cpu),
    ("memory, MiB", lambda step: _mib(step.peak_bytes), lambda growth: growth.peak),
)


def _actions(result: CompilerResult) -> list[str]:
    return list(dict.fromkeys(step.action for run in result.runs for step in run.steps))


def _largest_growth(result: CompilerResult, action: str) -> Growth | None:
    same = [growth for growth in result.growth if growth.action == action]
    return max(same, key=lambda growth: growth.services_to, default=None)


def step_table(
    result: CompilerResult,
    name: str,
    cell: Callable[[Step], str],
    exponent: Callable[[Growth], float] | None,
) -> Table:
    """A row per step, a column per site."""
    columns = ["step", *(f"={run.name}" for run in result.runs)]
    if exponent is not None:
        columns.append("=exponent")
    rows = []
    for action in _actions(result):
        found = [run.step(action) for run in result.runs]
        row = [action, *(cell(step) if step else "" for step in found)]
        if exponent is not None:
            growth = _largest_growth(result, action)
            row.append(f"{exponent(growth):.2f}" if growth else "")
        rows.append(tuple(row))
    return Table(name, tuple(columns), tuple(rows))


def output_table(result: CompilerResult) -> Table:
    """What the sites are and what is made of them."""
    columns = ("", *(f"={run.name}" for run in result.runs))
    outputs = [run.output for run in result.runs]

    def row(name: str, cells: Sequence[str]) -> tuple[str, ...]:
        return (name, *cells)

    rows = (
        row("nodes", [f"{o.nodes}" for o in outputs]),
        row("services", [f"{o.services:,}" for o in outputs]),
        row("servers", [f"{o.servers:,}" for o in outputs]),
        row("lines of the site", [f"{o.lines:,}" for o in outputs]),
        row("the site, MiB", [_mib(o.source_bytes) for o in outputs]),
        row("C, MiB", [_mib(o.c_bytes) for o in outputs]),
        row("all texts, MiB", [_mib(o.text_bytes) for o in outputs]),
        row("objects compiled for all nodes", [f"{o.objects}" for o in outputs]),
        row("generations, MiB", [_mib(o.object_bytes) for o in outputs]),
        row("bundles, MiB", [_mib(o.bundle_bytes) for o in outputs]),
    )
    return Table("what is compiled", columns, rows)


def tables(result: CompilerResult) -> list[Table]:
    """All of a result."""
    measured = [step_table(result, name, cell, growth) for name, cell, growth in MEASURES]
    made = step_table(
        result,
        "objects compiled + generations linked",
        lambda step: f"{step.compiled} + {step.linked}",
        None,
    )
    return [*measured, made, output_table(result)]


def figures(result: CompilerResult) -> list[Figure]:
    """Time against size, where there is more than one generated size."""
    sized = [run for run in result.runs if run.size is not None]
    if len(sized) < _FEWEST_POINTS:
        return []
    drawn = []
    for name, take in _CURVES:
        lines = [
            Line(action, tuple((float(run.output.services), take(step)) for run, step in found))
            for action in _DRAWN
            if len(found := _steps(sized, action)) == len(sized)
        ]
        svg = line_plot(name, lines, Axis("services"), Axis("seconds"))
        drawn.append(Figure(f"{name} of a step, by the size of the site", svg))
    return drawn


def _steps(runs: Sequence[SiteRun], action: str) -> list[tuple[SiteRun, Step]]:
    return [(run, step) for run in runs if (step := run.step(action)) is not None]


def host_text(result: CompilerResult) -> str:
    """What comes on top once per machine."""
    step = result.host_build
    if step is None:
        return "Without host binary and bundles."
    return (
        f"The host binary is built once per machine: {_seconds(step.wall_s)} s, "
        f"{_seconds(step.cpu_s)} s of processor time, {_mib(step.peak_bytes)} MiB."
    )


def section(results: Sequence[CompilerResult]) -> Section:
    """All results of this kind."""
    parts: list[Table | Figure] = []
    for result in results:
        parts += [*figures(result), *tables(result)]
    return Section(
        title="The compiler",
        text=(*TEXT, *(host_text(result) for result in results)),
        parts=tuple(parts),
        machines=tuple((f"{each.taken}: {each.command}", each.machine) for each in results),
    )
