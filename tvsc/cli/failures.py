"""Failures as messages and exit statuses, for the commands that do things."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130


@contextmanager
def failures_said() -> Iterator[None]:
    """Failures become messages and exit status 1, ctrl-C exit status 130."""
    from tvsc.build.failure import BuildError
    from tvsc.diag import render_text
    from tvsc.failure import Failure
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
    except Failure as failure:
        typer.echo(failure.text(), err=True)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    else:
        return
    raise typer.Exit(1)


def sigterm_is_ctrl_c() -> None:
    """From now on; for commands that take down what they made outside of this process."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
