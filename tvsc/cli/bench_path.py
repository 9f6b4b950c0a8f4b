"""`tvsc bench path`: cycles per packet of a site's packet path, beside floors of the same run."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_UNITS = {"k": 1_000, "M": 1_000_000}


class Format(StrEnum):
    """How the result is shown."""

    TEXT = "text"
    JSON = "json"


SiteArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="SITE|GENERATION.so",
        help="A site, or a compiled generation; default: a site made for measuring.",
    ),
]
NodeOption = Annotated[str | None, typer.Option(help="The node; default: the first.")]
FullOption = Annotated[
    bool, typer.Option("--full", help="Everything, with 31 repeats; without: a minute.")
]
ServiceClassOption = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="CLASS", help="`tcp`, `fullnat/tcp` (may be repeated)."),
]
SessionsOption = Annotated[
    str | None, typer.Option(metavar="N,...", help="Established sessions: 1k,10k,1M.")
]
DirectionOption = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="request, reply, close, new, refused, sweep, sync."),
]
PatternOption = Annotated[str | None, typer.Option(metavar="NAME,...", help="uniform, zipf, one.")]
BurstOption = Annotated[
    str | None, typer.Option(metavar="N,...", help="Packets per burst: 1 to 32.")
]
SizeOption = Annotated[
    str | None, typer.Option(metavar="BYTES,...", help="Of a frame without FCS: 60 to 1514.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, max=2, help="Only one worker, or only two against one."),
]
RepeatsOption = Annotated[int | None, typer.Option(min=1, max=1001, help="Of each measurement.")]
PacketsOption = Annotated[
    int | None,
    typer.Option(min=64, max=1 << 20, help="In the pool; default: twice the second cache."),
]
CpusOption = Annotated[
    str | None, typer.Option(metavar="N[,N]", help="Cores to use; default: the last two.")
]
CountOption = Annotated[
    bool, typer.Option("--count/--no-count", help="Count cache lines under valgrind.")
]
SmallPagesOption = Annotated[
    bool, typer.Option("--small-pages", help="Do without 2 MB pages: slower, and by how much.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="OUT", help="Compiled to; default: out/bench/SITE."),
]
SaveOption = Annotated[
    Path | None, typer.Option(metavar="RESULT.json", help="Also write the result there.")
]
OutputFormatOption = Annotated[Format, typer.Option("--format", help="How the result is shown.")]


def path(
    site: SiteArgument = None,
    node: NodeOption = None,
    full: FullOption = False,
    service_class: ServiceClassOption = None,
    sessions: SessionsOption = None,
    direction: DirectionOption = None,
    pattern: PatternOption = None,
    burst: BurstOption = None,
    size: SizeOption = None,
    workers: WorkersOption = None,
    repeats: RepeatsOption = None,
    packets: PacketsOption = None,
    cpus: CpusOption = None,
    count: CountOption = True,
    small_pages: SmallPagesOption = False,
    out: OutOption = None,
    save: SaveOption = None,
    output_format: OutputFormatOption = Format.TEXT,
) -> None:
    """Measure cycles per packet of a site's own packet path, on one core and on two.

    Packets come from memory: no NIC, no root beyond 2 MB pages. Floors run in the same minute.
    Example: tvsc bench path examples/two-clusters/site.tvs --save path.json
    """
    from tvsc.bench.output import check_writable, write
    from tvsc.bench.path_measure import Wish, measure
    from tvsc.bench.path_plan import DIRECTIONS, PATTERNS, Choice
    from tvsc.bench.path_subject import REFERENCE_SITE
    from tvsc.bench.path_text import print_path
    from tvsc.build.progress import Progress
    from tvsc.cli.failures import failures_said

    choice = Choice(
        full=full,
        sessions=_numbers("--sessions", sessions, 64, (1 << 32) - 1),
        directions=_names("--direction", direction, DIRECTIONS),
        patterns=_names("--pattern", pattern, PATTERNS),
        bursts=_numbers("--burst", burst, 1, 32),
        sizes=_numbers("--size", size, 60, 1514),
        repeats=repeats,
        packets=packets,
        workers=workers,
    )
    wish = Wish(
        site=site or REFERENCE_SITE,
        out=out or Path("out") / "bench" / _name(site or REFERENCE_SITE),
        node=node,
        classes=tuple(service_class or ()),
        choice=choice,
        cpus=_cpus(cpus),
        small_pages=small_pages,
        count=count,
        command=shlex.join(["tvsc", *sys.argv[1:]]),
    )
    with failures_said():
        if save is not None:
            check_writable(save)
        result = measure(wish, Progress(quiet=output_format is Format.JSON))
        if save is not None:
            write(save, result.model_dump_json(indent=2) + "\n")
        if output_format is Format.JSON:
            typer.echo(result.model_dump_json(indent=2))
        else:
            print_path(result)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(path)


def _name(site: Path) -> str:
    resolved = site.resolve()
    return resolved.parent.name if resolved.stem == "site" else resolved.stem


def _numbers(option: str, text: str | None, least: int, most: int) -> tuple[int, ...] | None:
    if text is None:
        return None
    numbers = []
    for word in text.split(","):
        digits, unit = (word[:-1], _UNITS[word[-1]]) if word[-1:] in _UNITS else (word, 1)
        if not digits.isascii() or not digits.isdigit():
            raise typer.BadParameter(f"`{word}` is no number", param_hint=option)
        number = int(digits) * unit
        if not least <= number <= most:
            raise typer.BadParameter(f"`{word}` is not in {least}..{most}", param_hint=option)
        numbers.append(number)
    if len(numbers) > 16:
        raise typer.BadParameter("at most 16 at a time", param_hint=option)
    return tuple(dict.fromkeys(numbers))


def _cpus(text: str | None) -> tuple[int, ...]:
    numbers = _numbers("--cpus", text, 0, 4095)
    if numbers is None:
        return ()
    if len(numbers) > 2 or len(numbers) <= (text or "").count(","):
        raise typer.BadParameter("name one core, or two that differ", param_hint="--cpus")
    return numbers


def _names(option: str, text: str | None, known: tuple[str, ...]) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in known:
            message = f"`{name}` is none of {', '.join(known)}"
            raise typer.BadParameter(message, param_hint=option)
    return names
