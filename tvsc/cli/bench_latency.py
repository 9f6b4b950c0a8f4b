"""`tvsc bench latency`: time through the packet path, and what can hold it up."""

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


class Protocol(StrEnum):
    """Of the first service of this protocol."""

    TCP = "tcp"
    UDP = "udp"


def latency(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="The site file.")],
    node: Annotated[str | None, typer.Option(help="The node; default: the first.")] = None,
    sessions: Annotated[
        str | None,
        typer.Option(metavar="N,...", help="Established; default: 10k,1M, if they fit."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, max=100_000, help="Of 2 ms, per load and burst limit.")
    ] = 500,
    flips: Annotated[int, typer.Option(min=0, max=10_000, help="Of the generation.")] = 100,
    changes: Annotated[
        int, typer.Option(min=0, max=10_000, help="Of a server's weight and drain mark.")
    ] = 200,
    protocol: Annotated[Protocol, typer.Option(help="Of the service.")] = Protocol.TCP,
    small_pages: Annotated[
        bool, typer.Option("--small-pages", help="Do without 2 MB pages: slower, and by how much.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Compiled to; default: out/bench/SITE."),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="How the result is shown.")
    ] = Format.TEXT,
) -> None:
    """Measure the time through a node's packet path at 10, 50 and 90 % load.

    Takes two cores, no NIC, and sends nothing. Example:
    tvsc bench latency examples/two-clusters/site.tvs --sessions 1M
    """
    from tvsc.bench.latency import Wish, measure
    from tvsc.bench.latency_text import print_latency
    from tvsc.build.progress import Progress
    from tvsc.cli.failures import failures_said

    wish = Wish(
        site=site,
        out=out or Path("out") / "bench" / _name(site),
        node=node,
        sessions=_numbers(sessions) if sessions else (),
        rounds=rounds,
        flips=flips,
        changes=changes,
        protocol=protocol.value,
        small_pages=small_pages,
        command=shlex.join(["tvsc", *sys.argv[1:]]),
    )
    with failures_said():
        result = measure(wish, Progress(quiet=output_format is Format.JSON))
        if output_format is Format.JSON:
            typer.echo(result.model_dump_json(indent=2))
        else:
            print_latency(result)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(latency)


def _name(site: Path) -> str:
    path = site.resolve()
    return path.parent.name if path.stem == "site" else path.stem


def _numbers(text: str) -> tuple[int, ...]:
    units = {"k": 1_000, "M": 1_000_000}
    try:
        return tuple(
            int(word[:-1]) * units[word[-1]] if word[-1:] in units else int(word)
            for word in text.split(",")
        )
    except ValueError:
        raise typer.BadParameter("write numbers, for example 10k,1M") from None
