"""`tvsc lab`: the whole site on this machine, with real packets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tvsc.cli.failures import failures_said, sigterm_is_ctrl_c


class Format(StrEnum):
    """How the result is shown."""

    TEXT = "text"
    JSON = "json"


class SteeringChoice(StrEnum):
    """`auto` is the site's own where this kernel can do it, and software where not."""

    AUTO = "auto"
    SOFTWARE = "software"


class Drill(StrEnum):
    """What can be broken."""

    NODE_LOSS = "node-loss"
    NODE_FREEZE = "node-freeze"
    CLUSTER_LOSS = "cluster-loss"
    BACKEND_DOWN = "backend-down"
    POOL_DOWN = "pool-down"


SiteArgument = Annotated[Path, typer.Argument(metavar="SITE", help="The site file.")]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="OUT", help="The compiler's output directory; default: out/SITE."
    ),
]
SteeringOption = Annotated[
    SteeringChoice, typer.Option(help="How packets find their worker: auto, or in software.")
]


def up(
    site: SiteArgument, out: OutOption = None, steering: SteeringOption = SteeringChoice.AUTO
) -> None:
    """Bring a site up in network namespaces and leave it running (root).

    Example: tvsc lab up examples/laptop/site.tvs
    """
    from tvsc.lab import session
    from tvsc.lab.render import Narrator

    with _failures_said():
        narrator = Narrator()
        try:
            ready = session.up(site, out or _default_out(site), steering.value, narrator)
        finally:
            narrator.stop()
        client = ready.spec.topology.client
        vip = ready.spec.topology.targets[0]
        typer.echo(
            f"\nlook around:  ip netns exec {client} curl -s http://{vip.vip}:{vip.port}/\n"
            f"traffic:      tvsc lab run {site}\n"
            f"end it:       tvsc lab down {site}"
        )


def run(
    site: SiteArgument,
    out: OutOption = None,
    steering: SteeringOption = SteeringChoice.AUTO,
    requests: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="New connections through the VIPs.")
    ] = 3000,
    drill: Annotated[
        list[Drill] | None,
        typer.Option(help="Only this drill (may be given again); default: all that the site fits."),
    ] = None,
    drills: Annotated[
        bool, typer.Option("--drills/--no-drills", help="Break things, and measure.")
    ] = True,
    output_format: Annotated[
        Format, typer.Option("--format", help="How the result is shown.")
    ] = Format.TEXT,
) -> None:
    """Send traffic through a site's lab and break things in it (root).

    A lab that is up is used and left as it was; otherwise one is brought up and taken down again.

    Example: tvsc lab run examples/laptop/site.tvs --requests 1000 --drill node-loss
    """
    from tvsc.lab import session
    from tvsc.lab.render import Narrator

    names = None if drills and not drill else [each.value for each in drill or () if drills]
    with _failures_said():
        narrator = Narrator(quiet=output_format is Format.JSON)
        report = session.run(
            site, out or _default_out(site), steering.value, requests, names, narrator
        )
        if output_format is Format.JSON:
            typer.echo(report.model_dump_json(indent=2))
    if not report.good:
        raise typer.Exit(1)


def down(site: SiteArgument) -> None:
    """End a site's lab and remove all that it, or one that crashed, left (root).

    Example: tvsc lab down examples/laptop/site.tvs
    """
    from tvsc.lab import session

    with _failures_said():
        removed = session.down(site)
    typer.echo("the lab is down" if removed else "there was no lab of this site")


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(
        help="Run a whole site on this machine, with real packets.\n\n"
        "Example: tvsc lab run examples/laptop/site.tvs",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for command in (up, run, down):
        group.command()(command)
    app.add_typer(group, name="lab")


def _default_out(site: Path) -> Path:
    """`out/NAME`: NAME is the site's directory for a `site.tvs`, and the file's name otherwise."""
    path = site.resolve()
    return Path("out") / (path.parent.name if path.stem == "site" else path.stem)


@contextmanager
def _failures_said() -> Iterator[None]:
    """As for all commands; SIGTERM ends a lab as ctrl-C does."""
    sigterm_is_ctrl_c()
    with failures_said():
        yield
