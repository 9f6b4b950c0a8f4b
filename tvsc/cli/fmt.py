"""`tvsc fmt`: site files in the canonical layout."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tvsc.dsl.format_file import Formatted

FROM_STDIN = Path("-")


def fmt(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files (.tvs); `-`: stdin to stdout.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; status 1 if a file would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; print what would change.")
    ] = False,
) -> None:
    """Lay out site files canonically.

    Comments stay, and so does the meaning: the result is parsed again and compared, and of a whole
    site the model. A file with syntax errors is reported and left alone.

    Exit status: 0 good, 1 for files with errors, or that would change under --check.

    Example: tvsc fmt --check --diff examples/laptop/site.tvs
    """
    from tvsc.cli.check import wants_colour
    from tvsc.diag import render_text
    from tvsc.dsl.format_file import format_file, format_stdin, replace_file

    if FROM_STDIN in files and len(files) > 1:
        raise typer.BadParameter("`-` stands alone", param_hint="FILE...")
    if any(path.suffix == ".py" for path in files):
        raise typer.BadParameter("Python files have formatters of their own", param_hint="FILE...")
    changed = wrong = 0
    for path in files:
        if path == FROM_STDIN:
            formatted, problems, sources = format_stdin(sys.stdin.buffer)
        else:
            formatted, problems, sources = format_file(path)
        if formatted is None:
            colour = wants_colour(sys.stderr)
            typer.echo(render_text(problems, sources, colour), err=True, nl=False, color=colour)
            wrong += 1
            continue
        changed += formatted.changed
        if diff:
            _write("".join(_diff(formatted)))
        elif path == FROM_STDIN and not check:
            _write(formatted.text)
        if formatted.changed and path != FROM_STDIN:
            if not (check or diff):
                replace_file(formatted)
            typer.echo(f"{path}: {'would change' if check or diff else 'formatted'}", err=True)
    if wrong or (check and changed):
        raise typer.Exit(1)


def _write(text: str) -> None:
    """As it is, whatever the terminal's encoding: the text of a file is UTF-8."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _diff(formatted: Formatted) -> Iterator[str]:
    old, new = formatted.data.decode(), formatted.text
    name = str(formatted.path)
    lines = difflib.unified_diff(_lines(old), _lines(new), name, name)
    return (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(text: str) -> list[str]:
    """The lines with their ends; only a newline ends one."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("fmt")(fmt)
