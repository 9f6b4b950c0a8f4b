"""A path result for a terminal: the tables of the page, and what is to be known beside them."""

from __future__ import annotations

from tvsc.bench.latency_text import print_table
from tvsc.bench.path import PathResult
from tvsc.bench.path_report import machine_line, tables


def print_path(result: PathResult) -> None:
    """All of it."""
    for table in tables(result):
        print_table(table)
    print(machine_line(result))
    for text in result.notes:
        print(f"note: {text}")
