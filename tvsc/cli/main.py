"""The entry point `tvsc`: global options, the table of commands, and what a failure looks like.

Only the module of the command that was asked for is imported. So `tvsc --help` is fast, and a
command whose optional dependency is missing does not take the others down. A command module has
one public function, `register(app)`, which adds the command (or group) to the typer application.

Exit status: 0 good, 1 the input or the machine is at fault, 2 wrong usage, 3 a bug in tvsc.
"""

import atexit
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.main import get_command

from tvsc import __version__
from tvsc.resources import ResourceError

EXIT_FAILED = 1
EXIT_BUG = 3

_PACKAGE = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True, slots=True)
class Command:
    """A row of `tvsc --help`; a test compares `summary` with the command's own help."""

    name: str
    summary: str

    @property
    def module(self) -> str:
        return f"tvsc.cli.{self.name}"


COMMANDS = (
    Command("check", "Check a site and print its diagnostics."),
    Command("compile", "Compile a site into one bundle per node."),
    Command("fmt", "Lay out site files canonically."),
    Command("explain", "Explain a diagnostic code, or where a flow goes."),
    Command("lsp", "Serve an editor: diagnostics, hover, completion, rename, format."),
    Command("lab", "Run a whole site on this machine, with real packets."),
    Command("bench", "Measure what a site costs on this machine."),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tvsc {__version__}")
        raise typer.Exit


def _global_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks (also: TVSC_DEBUG=1)."),
    ] = False,
) -> None:
    """Compile the description of a load-balancer site to C, config files and bundles.

    Example: tvsc check examples/laptop/site.tvs
    """


def _not_loaded() -> NoReturn:
    raise AssertionError("a command was invoked whose module was not loaded")


def build_app(wanted: str | None) -> typer.Typer:
    """The application with the command `wanted` loaded; of the others only the row of the help."""
    app = typer.Typer(
        name="tvsc",
        callback=_global_options,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in COMMANDS:
        if command.name == wanted:
            importlib.import_module(command.module).register(app)
        else:
            app.command(command.name, help=command.summary)(_not_loaded)
    return app


def _wanted_command(args: Sequence[str]) -> str | None:
    """The first word that is no option (global options take no value), also while completing."""
    if "_TVSC_COMPLETE" in os.environ:
        args = os.environ.get("COMP_WORDS", os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()[1:]
    return next((word for word in args if not word.startswith("-")), None)


def _wants_traceback(args: Sequence[str]) -> bool:
    return "--debug" in args or os.environ.get("TVSC_DEBUG", "") not in ("", "0")


def _report_bug(error: Exception, args: Sequence[str]) -> None:
    if _wants_traceback(args):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((f for f in reversed(frames) if f.filename.startswith(_PACKAGE)), frames[-1])
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    lines = f"{error}".splitlines() or [""]
    typer.echo(
        f"error: this is a bug in tvsc: {type(error).__name__}: {lines[0]} ({where})", err=True
    )
    if not _wants_traceback(args):
        again = " ".join(["tvsc --debug", *args])
        typer.echo(
            f"help: for the traceback run `{again}`, and send it with the site file", err=True
        )


def _missing_module(error: ModuleNotFoundError) -> str | None:
    """The message about a dependency that is not installed; None when the module is ours."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "tvsc"):
        return None
    return f"error: the Python package `{name}` is not installed\nhelp: pip install {name}"


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit. `args` lacks the program's name; default: the process's."""
    if args is not None:
        _run(args, None)
    kept: list[object] = []
    try:
        _run(sys.argv[1:], kept)
    except SystemExit as end:
        if kept and (end.code is None or isinstance(end.code, int)):
            _leave(end.code or 0)
        raise


def _leave(status: int) -> None:
    """Ends the process without taking apart what it has kept. Returns when that cannot be."""
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # Python says so as it always does
    os._exit(status)


def _run(args: Sequence[str], kept: list[object] | None) -> NoReturn:
    """The same; a command may add to `kept` what need not be taken apart before the process ends:
    of a large site that takes a sixth of the time.
    """
    try:
        command = get_command(build_app(_wanted_command(args)))
        command.main(args=list(args), prog_name="tvsc", obj=kept)
    except ResourceError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    except MemoryError:
        typer.echo("error: this machine has not enough memory for that", err=True)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        if _wants_traceback(args):
            traceback.print_exception(error)
        from tvsc.diag.text import printable

        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        typer.echo(printable(f"error: {where}{error.strerror or error}"), err=True)
        sys.exit(EXIT_FAILED)
    except Exception as error:
        text = _missing_module(error) if isinstance(error, ModuleNotFoundError) else None
        if text is None:
            _report_bug(error, args)
            sys.exit(EXIT_BUG)
        typer.echo(text, err=True)
        sys.exit(EXIT_FAILED)
    sys.exit(0)


if __name__ == "__main__":
    main()
