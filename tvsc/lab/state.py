"""What a lab has made and where: the run directory, its lock, and the state file in it.

The state names everything before it is made, so that `down` finds it whenever the lab died. The
lock is on the directory itself and is held by the supervisor for as long as it lives.
"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tvsc.lab.errors import LabError
from tvsc.lab.process import Identity, Recorded

RUN = Path("/run/tvsc-lab")
FORMAT_VERSION = 1


class State(BaseModel):
    """The state file. `out` is the compiled site; `namespaces` are all that may exist."""

    model_config = ConfigDict(extra="forbid")

    format_version: int = FORMAT_VERSION
    lab: str
    site: str
    out: str
    steering: str
    supervisor: Identity
    namespaces: list[str]
    processes: list[Recorded] = []
    ready: bool = False


class RunDirectory:
    """`/run/tvsc-lab/NAME`: logs, sockets, generated configuration, state."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self.path = RUN / lab

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def spec(self) -> Path:
        """What the supervisor was told."""
        return self.path / "spec.json"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    def folder(self, *parts: str) -> Path:
        """A directory inside, made when it is not there."""
        path = self.path.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def lock(self) -> int | None:
        """Takes the lock and returns its descriptor; None when another process holds it."""
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            if self._is(descriptor):
                return descriptor
            os.close(descriptor)  # it was removed by who held the lock: try again with the new one

    def _is(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def save(self, state: State) -> None:
        """Replaces the state file in one step."""
        new = self.path / "state.json.new"
        new.write_text(state.model_dump_json(indent=1) + "\n", encoding="utf-8")
        new.replace(self.path / "state.json")

    def load(self) -> State | None:
        """The state; None when the lab has not got as far as writing one."""
        try:
            text = (self.path / "state.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return State.model_validate_json(text)
        except ValidationError as error:
            raise LabError(
                f"{self.path}/state.json is not what this version of tvsc writes",
                help=f"remove the namespaces of `ip netns` that begin with tvsc-{self.lab}, "
                f"and {self.path}",
                detail=str(error.errors()[0]["msg"]),
            ) from None

    def remove(self) -> None:
        """Removes the directory, and the one above when it was the last."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            RUN.rmdir()
