"""`tvsc compile`: everything from a site file to one bundle per node."""

from __future__ import annotations

import json
import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tvsc.cli.deny import DenyOption, denied
from tvsc.cli.failures import INTERRUPTED


class OutputFormat(StrEnum):
    """How the result is shown."""

    TEXT = "text"
    JSON = "json"


class SteeringOverride(StrEnum):
    """Steering that works anywhere, in place of the clusters' own."""

    SOFTWARE = "software"


def compile_command(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="The site file.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Where to write.")],
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="NODE", help="Only this node (may be given again)."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Compilers at a time; default: one per core."),
    ] = None,
    steering: Annotated[
        SteeringOverride | None,
        typer.Option(help="Steer in software whatever the site says (labs without eBPF)."),
    ] = None,
    bundle: Annotated[
        bool,
        typer.Option(
            "--bundle/--no-bundle", help="Without: no host binary and no bundles, needs no DPDK."
        ),
    ] = True,
    deny: DenyOption = None,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="How the result is shown.")
    ] = OutputFormat.TEXT,
) -> None:
    """Compile a site into one bundle per node.

    Example: tvsc compile examples/two-clusters/site.tvs -o out/two-clusters
    """
    from tvsc.build.failure import BuildError
    from tvsc.build.progress import Progress
    from tvsc.cli.compile_report import json_report, text_report
    from tvsc.diag import render_json, render_text
    from tvsc.model import Steering
    from tvsc.pipeline import Options, SiteError, compile_site
    from tvsc.source import SourceMap

    machine = output_format is OutputFormat.JSON
    started = time.monotonic()
    if not str(out).isprintable():
        message = "a control character or a byte that is no UTF-8 is in the name: choose another"
        raise typer.BadParameter(message, param_hint="--out")
    options = Options(
        site=site,
        out=out,
        nodes=tuple(dict.fromkeys(node or ())),
        steering=Steering(steering.value) if steering else None,
        bundle=bundle,
        jobs=jobs or len(os.sched_getaffinity(0)),
        deny=denied(deny),
        recall=True,
    )
    try:
        run = compile_site(options, Progress(quiet=machine))
    except SiteError as refused:
        diagnostics, sources, output = refused.diagnostics, refused.sources, ""
    except BuildError as failure:
        diagnostics, sources, output = [failure.diagnostic], SourceMap(), failure.output
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    else:
        took_s = time.monotonic() - started
        if machine:
            print(json.dumps(json_report(run, took_s), indent=2, ensure_ascii=False))
            return
        if run.diagnostics:
            colour = sys.stderr.isatty()
            typer.echo(render_text(run.diagnostics, run.sources, colour=colour), err=True)
        typer.echo(text_report(run, took_s))
        return
    if machine:
        print(render_json(diagnostics, sources))
    else:
        if output:
            typer.echo(output.rstrip("\n"), err=True)
        typer.echo(
            render_text(diagnostics, sources, colour=sys.stderr.isatty()), nl=False, err=True
        )
    raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("compile")(compile_command)
