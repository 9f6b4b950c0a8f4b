"""What stops a compilation after the site was found good: the machine, the tools, OUT."""

from __future__ import annotations

from tvsc.diag import Code, Diagnostic


class BuildError(Exception):
    """Carries the diagnostic for the user; `output` is what a tool said, to be shown below it."""

    def __init__(self, diagnostic: Diagnostic, output: str = "") -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.output = output


def failed(code: Code, message: str, help: str | None = None, output: str = "") -> BuildError:
    """A failure without a place in the site."""
    return BuildError(Diagnostic(code, message, help=help), output)
