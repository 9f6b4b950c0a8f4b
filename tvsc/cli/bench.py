"""`tvsc bench`: what a site costs on this machine. Further groups of measurements have a module
each, with `register(bench_app)`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 130
PARTS = ("bench_path", "bench_latency", "bench_lab", "bench_compiler")
"""Modules of tvsc.cli that add a command to the group."""


def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT.json...", help="What the others wrote.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="PAGE", help="The page to write.")
    ] = Path("bench.html"),
) -> None:
    """Draw results as one HTML page that needs nothing else.

    Example: tvsc bench report path.json -o bench.html
    """
    from tvsc.bench.report import read_result, render_page

    with failures_said():
        page = render_page([read_result(path) for path in results])
        out.write_text(page, encoding="utf-8")
    typer.echo(f"written: {out}")


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(
        help="Measure what a site costs on this machine.\n\n"
        "Example: tvsc bench path examples/two-clusters/site.tvs",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for part in PARTS:
        if importlib.util.find_spec(f"tvsc.cli.{part}") is not None:
            importlib.import_module(f"tvsc.cli.{part}").register(group)
    group.command()(report)
    app.add_typer(group, name="bench")


@contextmanager
def failures_said() -> Iterator[None]:
    """Failures become messages and exit status 1."""
    from tvsc.bench.errors import BenchError
    from tvsc.build.failure import BuildError
    from tvsc.diag import render_text
    from tvsc.pipeline import SiteError
    from tvsc.source import SourceMap

    colour = sys.stderr.isatty()
    try:
        yield
    except SiteError as refused:
        text = render_text(refused.diagnostics, refused.sources, colour=colour)
        typer.echo(text, nl=False, err=True)
    except BuildError as failure:
        if failure.output:
            typer.echo(failure.output.rstrip("\n"), err=True)
        text = render_text([failure.diagnostic], SourceMap(), colour=colour)
        typer.echo(text, nl=False, err=True)
    except BenchError as error:
        typer.echo(error.text(), err=True)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    else:
        return
    raise typer.Exit(1)
