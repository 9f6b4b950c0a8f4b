"""`tvsc explain`: the page of a diagnostic code, or the way of a flow."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tvsc.diag import CODES, Diagnostic, explain_page, render_text
from tvsc.lower.evaluate import did_you_mean
from tvsc.source import SourceMap


class Format(StrEnum):
    """Output formats of `tvsc explain flow`."""

    TEXT = "text"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE|flow]",
            help="A code such as TVS0203, or `flow`; without one, the list of codes.",
        ),
    ] = None,
    site: Annotated[
        Path | None, typer.Argument(metavar="[SITE]", help="With `flow`: the site file.")
    ] = None,
    flow: Annotated[
        str | None,
        typer.Argument(
            metavar="[FLOW]", help='With `flow`: "ADDRESS:PORT -> ADDRESS:PORT/tcp", or udp, icmp.'
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="With `flow`: text for people, JSON for programs.")
    ] = Format.TEXT,
) -> None:
    """Explain a diagnostic code, or where a flow goes.

    Example: tvsc explain TVS0203

    Example: tvsc explain flow examples/laptop/site.tvs "198.51.100.7:5555 -> 203.0.113.10:80/tcp"
    """
    if code == "flow":
        if site is None or flow is None:
            message = "`tvsc explain flow` wants a site file and a flow in quotes"
            raise typer.BadParameter(message, param_hint="SITE FLOW")
        _explain_flow(site, flow, format_)
        return
    if site is not None:
        message = "only `tvsc explain flow` takes a site file"
        raise typer.BadParameter(message, param_hint="SITE")
    _explain_code(code)


def _explain_code(code: str | None) -> None:
    if code is None:
        for known in CODES.values():
            typer.echo(f"{known.id}  {known.severity:<7}  {known.title}")
        return
    name = code.strip("[]").upper()
    name = f"TVS{int(name):04}" if name.isdigit() and name.isascii() and len(name) < 6 else name
    if name not in CODES:
        hint = did_you_mean(name, list(CODES)) or "`tvsc explain` lists all codes"
        typer.echo(f"error: there is no code `{code}`\nhelp: {hint}", err=True)
        raise typer.Exit(1)
    typer.echo(explain_page(CODES[name]), nl=False)


def _explain_flow(site: Path, flow: str, format_: Format) -> None:
    from tvsc.explain import Explainer, parse_flow
    from tvsc.explain.flow_print import as_json, text
    from tvsc.lower import load_site

    parsed, mistakes, text_sources = parse_flow(flow)
    if parsed is None:
        _fail(mistakes, text_sources)
    model, diagnostics, sources = load_site(site)
    if model is None:
        _fail(diagnostics, sources)
    explanation = Explainer(model, sources).explain(parsed)
    write = as_json if format_ is Format.JSON else text
    typer.echo(write(explanation), nl=False)


def _fail(diagnostics: list[Diagnostic], sources: SourceMap) -> NoReturn:
    from tvsc.cli.check import wants_colour

    colour = wants_colour(sys.stderr)
    typer.echo(render_text(diagnostics, sources, colour), err=True, nl=False, color=colour)
    raise typer.Exit(1)
