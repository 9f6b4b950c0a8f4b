"""`tvsc explain`: print the page of a diagnostic code."""

from __future__ import annotations

from typing import Annotated

import typer

from tvsc.diag import CODES, explain_page
from tvsc.lower.evaluate import did_you_mean


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    code: Annotated[
        str | None, typer.Argument(help="A code such as TVS0203; without one, the list of codes.")
    ] = None,
) -> None:
    """Explain a diagnostic code.

    Example: tvsc explain TVS0203
    """
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
