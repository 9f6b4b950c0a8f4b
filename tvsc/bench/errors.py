"""What goes wrong in a measurement, in one shape."""


class BenchError(Exception):
    """A failure that the user can do something about.

    `problem` is lower case without a full stop; `help` says what to do, and may be empty.
    """

    def __init__(self, problem: str, *, help: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.help = help

    def text(self) -> str:
        """As the command line shows it."""
        return f"error: {self.problem}" + (f"\nhelp: {self.help}" if self.help else "")
