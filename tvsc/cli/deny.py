"""The option `--deny` of the commands that check a site."""

from __future__ import annotations

from typing import Annotated

import typer

DenyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--deny",
        metavar="CODE|warnings",
        help="Make this warning, or all, an error (may be given again).",
    ),
]


def denied(names: list[str] | None) -> frozenset[str]:
    """The ids of the codes; an unknown one is wrong usage."""
    from tvsc.diag import CODES, denied_ids
    from tvsc.lower.evaluate import did_you_mean

    try:
        return denied_ids(names or ())
    except KeyError as error:
        hint = did_you_mean(error.args[0], ["warnings", *CODES]) or "`tvsc explain` lists the codes"
        message = f"there is no code `{error.args[0]}`: {hint}"
        raise typer.BadParameter(message, param_hint="--deny") from None
