"""Progress of long steps: a live line on a terminal, one plain line per step anywhere else."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NINJA_STATUS = re.compile(r"^\[(\d+)/(\d+)\] (.*)")
NINJA_ENV = {"NINJA_STATUS": "[%f/%t] "}

OnLine = Callable[[str], None]


class Progress:
    """Writes to stderr; silent when `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._live = not quiet and sys.stderr.isatty()

    def say(self, text: str) -> None:
        """One line."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[OnLine]:
        """A step of the work; gives a function that reads ninja's output for the live line."""
        if self.quiet:
            yield lambda _: None
            return
        if not self._live:
            self.say(text)
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Bar(*columns, console=Console(stderr=True), transient=False) as bar:
            task = bar.add_task(text, total=None)

            def on_line(line: str) -> None:
                match = _NINJA_STATUS.match(line)
                if match:
                    bar.update(task, completed=int(match[1]), total=int(match[2]))

            yield on_line
