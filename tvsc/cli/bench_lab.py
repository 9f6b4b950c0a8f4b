"""`tvsc bench lab`: what a kernel client gets through tvsd, against a plain forwarder."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How the result is shown."""

    TEXT = "text"
    JSON = "json"


class MeasureChoice(StrEnum):
    """What a client counts."""

    CONNECTIONS = "connections"
    REQUESTS = "requests"
    BULK = "bulk"
    PACKETS = "packets"


def lab(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="The site file.")],
    node: Annotated[str | None, typer.Option(help="The node; default: the first.")] = None,
    measure: Annotated[
        list[MeasureChoice] | None,
        typer.Option(help="Only this (may be given again); default: all."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="All take turns in each.")] = 5,
    seconds: Annotated[
        int, typer.Option(min=1, max=60, help="For each measure and subject in a round.")
    ] = 2,
    reloads: Annotated[
        int, typer.Option(min=0, max=1000, help="Of tvsd's generation, under load.")
    ] = 20,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Compiled to; default: out/bench/SITE."),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="How the result is shown.")
    ] = Format.TEXT,
) -> None:
    """Compare tvsd with a plain DPDK forwarder, end to end, in network namespaces (root).

    Takes about `rounds` x `seconds` x 12. Nothing stays behind. Example:
    tvsc bench lab examples/laptop/site.tvs --rounds 3
    """
    from tvsc.bench.lab import Wish
    from tvsc.bench.lab import measure as measure_lab
    from tvsc.bench.lab_load import Measure
    from tvsc.bench.lab_report import head, reload_line, tables
    from tvsc.bench.latency_text import print_table
    from tvsc.build.progress import Progress
    from tvsc.cli.failures import failures_said, sigterm_is_ctrl_c
    from tvsc.lab.errors import LabError

    sigterm_is_ctrl_c()
    wish = Wish(
        site=site,
        out=out or Path("out") / "bench" / _name(site),
        node=node,
        measures=tuple(Measure(each.value) for each in measure or list(MeasureChoice)),
        rounds=rounds,
        seconds=seconds,
        reloads=reloads,
        command=shlex.join(["tvsc", *sys.argv[1:]]),
    )
    with failures_said():
        try:
            result = measure_lab(wish, Progress(quiet=output_format is Format.JSON))
        except LabError as error:
            typer.echo(error.text(), err=True)
            raise typer.Exit(1) from None
    if output_format is Format.JSON:
        typer.echo(result.model_dump_json(indent=2))
    else:
        typer.echo(head(result) + "\n")
        for table in tables(result):
            print_table(table)
        typer.echo(reload_line(result))
    for problem in result.problems:
        typer.echo(f"problem: {problem}", err=True)
    if result.problems:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(lab)


def _name(site: Path) -> str:
    path = site.resolve()
    return path.parent.name if path.stem == "site" else path.stem
