"""`tvsc check`: parse, resolve and check a site, print what was found."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tvsc.cli.deny import DenyOption, denied
from tvsc.diag import (
    Diagnostic,
    deny,
    has_errors,
    render_github,
    render_json,
    render_sarif,
    render_text,
    summary,
)
from tvsc.lower import load_site
from tvsc.model import Site
from tvsc.source import SourceMap


class Format(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def wants_colour(stream: object) -> bool:
    """Colour is for terminals, unless NO_COLOR says otherwise."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    context: typer.Context,
    site: Annotated[Path, typer.Argument(help="The site file (.tvs or .py).")],
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="Text for people, JSON for programs, SARIF 2.1.0 for code scanners, annotations"
            " for GitHub Actions.",
        ),
    ] = Format.TEXT,
    deny_: DenyOption = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Also what is left of every resource, and what was proved."),
    ] = False,
) -> None:
    """Check a site and print its diagnostics.

    Exit status: 0 without errors, 1 with. Warnings are none unless they are denied.

    Example: tvsc check examples/laptop/site.tvs

    Example: tvsc check --report examples/two-clusters/site.tvs
    """
    if report and format_ not in (Format.TEXT, Format.JSON):
        raise typer.BadParameter("goes with text and json", param_hint="--report")
    codes = denied(deny_)
    model, diagnostics, sources = load_site(site)
    if isinstance(context.obj, list):
        context.obj += (model, diagnostics, sources)
    diagnostics = deny(diagnostics, codes)
    if has_errors(diagnostics):
        model = None
    if format_ is Format.JSON:
        typer.echo(_json(model, diagnostics, sources, report), nl=False)
    elif format_ is Format.SARIF:
        typer.echo(render_sarif(diagnostics, sources), nl=False)
    elif format_ is Format.GITHUB:
        typer.echo(render_github(diagnostics, sources), nl=False)
    else:
        colour = wants_colour(sys.stderr)
        typer.echo(render_text(diagnostics, sources, colour), err=True, nl=False, color=colour)
        found = summary(diagnostics)
        shown = ascii(str(site))[1:-1] if not str(site).isprintable() else str(site)
        if model is not None:
            typer.echo(f"{shown}: good" + (f", {found}" if found else ""))
        elif found:
            typer.echo(f"\n{shown}: {found}", err=True)
        if report and model is not None:
            from tvsc.cli.check_report import print_report

            print_report(model, wants_colour(sys.stdout))
    if has_errors(diagnostics):
        raise typer.Exit(1)


def _json(
    model: Site | None, diagnostics: list[Diagnostic], sources: SourceMap, report: bool
) -> str:
    """The diagnostics, and with `--report` the member `report`: null when there are errors."""
    text = render_json(diagnostics, sources)
    if not report:
        return text
    from tvsc.cli.check_report import json_report

    found = None if model is None else json_report(model)
    return json.dumps({**json.loads(text), "report": found}, indent=2) + "\n"
