"""`tvsc check`: parse, resolve and check a site, print what was found."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tvsc.diag import has_errors, render_json, render_text, summary
from tvsc.lower import load_site


class Format(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"


def wants_colour(stream: object) -> bool:
    """Colour is for terminals, unless NO_COLOR says otherwise."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    site: Annotated[Path, typer.Argument(help="The site file (.tvs).")],
    format_: Annotated[
        Format, typer.Option("--format", help="Text for people, JSON for programs.")
    ] = Format.TEXT,
) -> None:
    """Check a site and print its diagnostics.

    Exit status: 0 without errors, 1 with.

    Example: tvsc check examples/laptop/site.tvs
    """
    model, diagnostics, sources = load_site(site)
    if format_ is Format.JSON:
        typer.echo(render_json(diagnostics, sources), nl=False)
    else:
        colour = wants_colour(sys.stderr)
        typer.echo(render_text(diagnostics, sources, colour), err=True, nl=False, color=colour)
        found = summary(diagnostics)
        if model is not None:
            typer.echo(f"{site}: good" + (f", {found}" if found else ""))
        elif found:
            typer.echo(f"\n{site}: {found}", err=True)
    if has_errors(diagnostics):
        raise typer.Exit(1)
