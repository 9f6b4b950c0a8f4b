"""Removes what a lab made, from its state file; harmless when some or all of it is gone."""

from tvsc.lab import namespace
from tvsc.lab.errors import LabError
from tvsc.lab.process import end
from tvsc.lab.state import RunDirectory, State


def remove_all(run: RunDirectory, state: State | None) -> None:
    """Ends the recorded processes, removes the namespaces (links, addresses and routes go with
    them), then the run directory. The supervisor must be the caller, or gone.

    What cannot be removed does not keep the rest: then the state stays, so that it can be tried
    again, and a LabError says what.
    """
    if state is not None:
        end(state.processes)
        failed = []
        for name in state.namespaces:
            try:
                namespace.delete(name)
            except LabError as error:
                failed.append(error.text())
        if failed:
            raise LabError(
                f"{len(failed)} namespaces of lab {run.lab} could not be removed",
                detail="\n".join(failed),
            )
    run.remove()
