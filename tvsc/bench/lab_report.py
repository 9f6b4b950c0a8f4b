"""The end-to-end section of the page of results."""

from __future__ import annotations

from collections.abc import Sequence

from tvsc.bench.lab import Comparison, Lab
from tvsc.bench.latency_report import time_text
from tvsc.bench.report import Figure, Section, Table
from tvsc.bench.result import Spread

MODEL = Lab

_HOW = """A kernel client and a kernel server on one machine, and between them: the switch's kernel
alone (direct), a plain DPDK forwarder that rewrites each packet from constants (forward), tvsd. The
forwarder has tvsd's port, queues, buffers, steering and way to sleep, so what it gets less than
direct is the device's cost, and what tvsd gets less than it is ours. Client, server and switch run
on the same CPUs: figures are of this machine, ratios say more. They take turns, and a ratio is of
two turns of one round."""
TEXT = (" ".join(_HOW.split()),)

SUBJECT_TEXT = {"direct": "direct", "forward": "plain forwarder", "tvsd": "tvsd"}
FIGURE_COLUMNS = (
    "",
    "=median",
    "=p10",
    "=p90",
    "=half within",
    "=99 % within",
    "=its CPU",
    "=CPUs busy",
    "=failed",
)
RATIO_COLUMNS = ("ratio", "=median", "=p10", "=p90")


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def figure_table(comparison: Comparison) -> Table:
    """What each subject got."""
    rows = []
    for figure in comparison.figures:
        own_us = figure.cpu_us_per_unit.get(figure.subject)
        rows.append(
            (
                SUBJECT_TEXT[figure.subject],
                *(_amount(each) for each in _three(figure.per_s)),
                time_text(figure.p50_us * 1e3),
                time_text(figure.p99_us * 1e3),
                "" if own_us is None else time_text(own_us * 1e3),
                f"{figure.machine_cpus:.1f}",
                f"{figure.failed} of {figure.made:,}",
            )
        )
    return Table(comparison.unit, FIGURE_COLUMNS, tuple(rows))


def ratio_table(result: Lab) -> Table:
    """All measures: tvsd against the forwarder, and both against no load balancer."""
    rows = []
    for comparison in result.comparisons:
        for what, spread in (
            ("tvsd / plain forwarder", comparison.tvsd_to_forward),
            ("plain forwarder / direct", comparison.forward_to_direct),
            ("tvsd / direct", comparison.tvsd_to_direct),
            ("own CPU, tvsd / plain forwarder", comparison.cpu_tvsd_to_forward),
        ):
            name = f"{comparison.unit}: {what}"
            rows.append((name, *(f"{each:.2f}" for each in _three(spread))))
    return Table(f"ratios over {result.rounds} rounds", RATIO_COLUMNS, tuple(rows))


def _three(spread: Spread) -> tuple[float, float, float]:
    return (spread.median, spread.p10, spread.p90)


def tables(result: Lab) -> list[Table]:
    """All of a result."""
    return [*(figure_table(each) for each in result.comparisons), ratio_table(result)]


def reload_line(result: Lab) -> str:
    """What the reloads have shown."""
    reloads = result.reloads
    if reloads is None:
        return "no reloads were asked for"
    return (
        f"{reloads.times} reloads of tvsd under load: {reloads.failed} of {reloads.made:,} "
        f"requests failed; the slowest reload took {time_text(reloads.slowest_ms * 1e6)}"
    )


def head(result: Lab) -> str:
    """What was measured, in a line."""
    return (
        f"node {result.node}, {result.workers} workers, steering {result.steering}, "
        f"idle {result.idle}; {result.rounds} rounds of {result.seconds} s each"
    )


def section(results: Sequence[Lab]) -> Section:
    """All results of this kind."""
    parts: list[Table | Figure] = []
    for result in results:
        parts += tables(result)
    problems = tuple(f"Problem: {text}." for result in results for text in result.problems)
    return Section(
        title="End to end",
        text=TEXT
        + tuple(f"{each.site}: {head(each)}. {reload_line(each)}." for each in results)
        + problems,
        parts=tuple(parts),
        machines=tuple((f"{each.taken}: {each.command}", each.machine) for each in results),
    )
