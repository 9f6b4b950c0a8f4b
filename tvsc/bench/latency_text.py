"""A latency result for a terminal: the tables of the page."""

from __future__ import annotations

from tvsc.bench.latency import Latency
from tvsc.bench.latency_report import event_table, housekeeping_table, load_table
from tvsc.bench.report import Table


def print_table(table: Table) -> None:
    """One table, its caption above."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console(highlight=False)
    shown = RichTable(
        title=table.caption,
        title_justify="left",
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        header_style="dim",
    )
    for column in table.columns:
        shown.add_column(
            column.lstrip("="), justify="right" if column.startswith("=") else "left", no_wrap=True
        )
    for row in table.rows:
        shown.add_row(*row)
    if not console.is_terminal:
        wide = Console(highlight=False, width=1000)
        console = Console(highlight=False, width=wide.measure(shown).maximum)
    console.print(shown)
    console.print()


def print_latency(result: Latency) -> None:
    """All of it."""
    for run in result.runs:
        for limit in run.results:
            print_table(load_table(run, limit))
        print_table(housekeeping_table(run))
        print_table(event_table(run))
    for text in result.notes:
        print(f"note: {text}")
