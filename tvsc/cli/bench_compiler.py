"""`tvsc bench compiler`: how long checking and compiling take, and how that grows."""

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


def compiler(
    site: Annotated[
        Path | None, typer.Argument(metavar="SITE", help="A site to measure beside the others.")
    ] = None,
    sizes: Annotated[
        str, typer.Option(metavar="N,...", help="Services of the generated sites; or `none`.")
    ] = "100,1000,10000",
    servers: Annotated[
        int, typer.Option(min=1, max=60, help="Servers of each service's pool.")
    ] = 10,
    repeats: Annotated[
        int, typer.Option(min=1, max=100, help="Of everything; the median counts.")
    ] = 1,
    bundle: Annotated[
        bool,
        typer.Option(
            "--bundle/--no-bundle", help="Without: no host binary and no bundles, needs no DPDK."
        ),
    ] = True,
    output_format: Annotated[
        Format, typer.Option("--format", help="How the result is shown.")
    ] = Format.TEXT,
) -> None:
    """Measure `tvsc check` and `tvsc compile`: first, unchanged, after edits of one line.

    Generated sites have eight nodes in two clusters. Takes a few minutes, needs no root.
    Example: tvsc bench compiler examples/two-clusters/site.tvs
    """
    from tvsc.bench.compiler import Wish, measure
    from tvsc.bench.compiler_report import host_text, tables
    from tvsc.bench.latency_text import print_table
    from tvsc.build.progress import Progress
    from tvsc.cli.failures import failures_said

    wish = Wish(
        site=site,
        sizes=_sizes(sizes),
        servers=servers,
        repeats=repeats,
        bundle=bundle,
        command=shlex.join(["tvsc", *sys.argv[1:]]),
    )
    with failures_said():
        result = measure(wish, Progress())
        if output_format is Format.JSON:
            typer.echo(result.model_dump_json(indent=2))
            return
        for table in tables(result):
            print_table(table)
        typer.echo(host_text(result))


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(compiler)


def _sizes(text: str) -> tuple[int, ...]:
    from tvsc.bench.sites import MAX_SERVICES

    words = [word for word in text.replace(" ", "").split(",") if word]
    if words == ["none"]:
        return ()
    if not all(word.isdecimal() and 1 <= int(word) <= MAX_SERVICES for word in words):
        message = f"write numbers from 1 to {MAX_SERVICES}, for example 100,1000; or `none`"
        raise typer.BadParameter(message, param_hint="--sizes")
    return tuple(sorted({int(word) for word in words}))
