"""What the command line and the supervisor say to each other.

Over the supervisor's stdout, while a lab comes up: one `Progress` a line. Over the socket
`control.sock`, later: one `Request` a line, one `Reply` a line.
"""

import socket
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tvsc.lab.ecmp import Event
from tvsc.lab.errors import LabError
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import Topology

PATIENCE_S = 10.0

Op = Literal[
    "status",
    "detach",
    "kill-nodes",
    "freeze-nodes",
    "start-nodes",
    "stop-servers",
    "start-servers",
]


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spec(Message):
    """Everything that the supervisor is to know; a file in the run directory."""

    topology: Topology
    site: str
    out: str
    tvsd: str
    steering: str
    resilient: bool


class Progress(Message):
    """A step of the start. `error` ends it, and so does `ready`."""

    stage: str
    done: int = 0
    total: int = 0
    ready: bool = False
    error: str = ""
    help: str = ""
    detail: str = ""


class Request(Message):
    """`subjects` are names of nodes or servers; events from `since_ns` on are in the reply."""

    op: Op
    subjects: list[str] = []
    since_ns: int = 0


class Reply(Message):
    """`at_ns` is when the request took effect; `routes` are the switch's, prefix -> gateways;
    `exited` are processes that ended though nobody asked them to.
    """

    error: str = ""
    at_ns: int = 0
    routes: dict[str, list[str]] = {}
    starting: list[str] = []
    exited: list[str] = []
    events: list[Event] = []


def ask(run: RunDirectory, op: Op, subjects: Iterable[str] = (), *, since_ns: int = 0) -> Reply:
    """Sends a request to the lab's supervisor; LabError when it refuses or does not answer."""
    request = Request(op=op, subjects=list(subjects), since_ns=since_ns)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(run.control_socket))
            connection.sendall(request.model_dump_json().encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
    except OSError as error:
        raise LabError(f"lab {run.lab} does not answer: {error.strerror or error}") from None
    reply = Reply.model_validate_json(line)
    if reply.error:
        raise LabError(reply.error)
    return reply
