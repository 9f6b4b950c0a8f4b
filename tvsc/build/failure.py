"""What stops a compilation after the site was found good: the machine, the tools, OUT."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvsc.diag import Code, Diagnostic, codes

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAID = tuple(os.strerror(number) for number in _FULL)


class BuildError(Exception):
    """Carries the diagnostic for the user; `output` is what a tool said, to be shown below it."""

    def __init__(self, diagnostic: Diagnostic, output: str = "") -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.output = output


def failed(code: Code, message: str, help: str | None = None, output: str = "") -> BuildError:
    """A failure without a place in the site."""
    return BuildError(Diagnostic(code, message, help=help), output)


def is_full(error: BaseException) -> bool:
    """Whether this process, or a tool that it ran, had no room to write."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    if isinstance(error, BuildError):
        said = error.diagnostic.code is codes.OUTPUT_FULL
        return said or any(words in error.output for words in _SAID)
    return False


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """What finds no room within becomes a BuildError about `path`, unless it is one already."""
    try:
        yield
    except (OSError, BuildError) as error:
        known = isinstance(error, BuildError) and error.diagnostic.code is codes.OUTPUT_FULL
        if known or not is_full(error):
            raise
        raise failed(
            codes.OUTPUT_FULL,
            f"there is no space left to write to `{path}`",
            help="make room on its file system, or choose another directory",
            output=error.output if isinstance(error, BuildError) else "",
        ) from error
