"""What goes wrong while a command does something, in one shape. (What is wrong with a site is a
`Diagnostic`; what is wrong with a build, a `BuildError`.)
"""


class Failure(Exception):  # noqa: N818 - the base of errors with better names
    """A failure that the operator can do something about.

    `problem` is lower case without a full stop; `help` says what to do, and may be empty;
    `detail` holds further lines, for example the end of a log.
    """

    def __init__(self, problem: str, *, help: str = "", detail: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.help = help
        self.detail = detail

    def text(self) -> str:
        """As the command line shows it."""
        lines = [f"error: {self.problem}"]
        lines += [f"   | {line}" for line in self.detail.splitlines()]
        if self.help:
            lines.append(f"help: {self.help}")
        return "\n".join(lines)
