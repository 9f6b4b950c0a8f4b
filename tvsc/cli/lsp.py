"""`tvsc lsp`: the language server that editors start."""

from __future__ import annotations

from typing import Annotated

import typer

MAX_PORT = 65535


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lsp")(lsp)


def lsp(
    tcp: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=MAX_PORT,
            help="Serve one client on this port of the loopback, instead of stdin and stdout.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log every message to stderr.")
    ] = False,
) -> None:
    """Serve an editor: diagnostics, hover, completion, rename, format.

    An editor starts it and speaks the Language Server Protocol with it; docs/editors.md has the
    settings of VS Code, Neovim, Helix and Emacs. It writes its log to stderr.

    Exit status: 0 when the editor ends the session as the protocol wants it, 1 otherwise.

    Example: tvsc lsp

    Example: tvsc lsp --tcp 7777
    """
    from tvsc.lsp.run import serve

    serve(tcp, verbose)
