"""What goes wrong in a lab, in one shape."""


class LabError(Exception):
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
