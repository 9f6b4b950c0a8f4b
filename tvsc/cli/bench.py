"""`tvsc bench`: what a site costs on this machine. Further groups of measurements have a module
each, with `register(bench_app)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tvsc.cli import bench_compiler, bench_lab, bench_latency, bench_path
from tvsc.cli.failures import failures_said


def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT.json...", help="What the others wrote.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="PAGE", help="The page to write.")
    ] = Path("bench.html"),
    plots: Annotated[
        Path | None,
        typer.Option("--plots", metavar="DIR", help="Also every plot, as an SVG file of its own."),
    ] = None,
) -> None:
    """Draw results as one HTML page that needs nothing else.

    Example: tvsc bench report path.json -o bench.html
    """
    from tvsc.bench import report as drawn
    from tvsc.bench.output import make_directory, write

    with failures_said():
        read = [drawn.read_result(path) for path in results]
        write(out, drawn.render_page(read))
        if plots is not None:
            make_directory(plots)
            for name, text in drawn.plots(read).items():
                write(plots / name, text)
    typer.echo(f"written: {out}" + (f", {plots}" if plots is not None else ""))


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(
        help="Measure what a site costs on this machine.\n\n"
        "Example: tvsc bench path examples/two-clusters/site.tvs",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for part in (bench_path, bench_latency, bench_lab, bench_compiler):
        part.register(group)
    group.command()(report)
    app.add_typer(group, name="bench")
