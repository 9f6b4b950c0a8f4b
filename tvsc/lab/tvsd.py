"""A daemon's counters, over its control socket."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError

from tvsc.lab.errors import LabError
from tvsc.lab.state import RunDirectory

SOCKET = "tvsd.sock"
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over a node's workers. `nic_rx` and `nic_tx` are packets of all its ports."""

    frames: int = 0
    tx_request: int = 0
    tx_reply: int = 0
    tx_local: int = 0
    kernel: int = 0
    handover: int = 0
    sync: int = 0
    sessions: int = 0
    nic_rx: int = 0
    nic_tx: int = 0
    drops: dict[str, int] = field(default_factory=dict)

    def since(self, earlier: Tally) -> Tally:
        """What was counted after `earlier`."""
        return self._with(earlier, -1)

    @staticmethod
    def sum(tallies: Iterable[Tally]) -> Tally:
        total = Tally()
        for tally in tallies:
            total = total._with(tally, 1)
        return total

    def _with(self, other: Tally, sign: int) -> Tally:
        drops = Counter(self.drops)
        for reason, count in other.drops.items():
            drops[reason] += sign * count
        return Tally(
            frames=self.frames + sign * other.frames,
            tx_request=self.tx_request + sign * other.tx_request,
            tx_reply=self.tx_reply + sign * other.tx_reply,
            tx_local=self.tx_local + sign * other.tx_local,
            kernel=self.kernel + sign * other.kernel,
            handover=self.handover + sign * other.handover,
            sync=self.sync + sign * other.sync,
            sessions=self.sessions + sign * other.sessions,
            nic_rx=self.nic_rx + sign * other.nic_rx,
            nic_tx=self.nic_tx + sign * other.nic_tx,
            drops=dict(drops),
        )


class _Path(BaseModel):
    frames: int
    tx_request: int
    tx_reply: int
    tx_local: int
    kernel: int
    handover: int
    sync: int
    sessions_opened: int


class _Host(BaseModel):
    rx_packets: list[int]
    tx_packets: list[int]


class _Worker(BaseModel):
    counters: _Path
    host: _Host
    drops: dict[str, int]


class _Counters(BaseModel):
    workers: list[_Worker]


def tally(run: RunDirectory, node: str) -> Tally:
    """The node's counters now; LabError when its daemon does not answer."""
    path = run.path / "nodes" / node / SOCKET
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(b"counters\n")
            with connection.makefile("rb") as stream:
                answer = _Counters.model_validate_json(stream.readline())
    except (OSError, ValidationError) as error:
        raise LabError(f"tvsd of {node} does not tell its counters", detail=str(error)) from None
    return Tally.sum(_of_worker(worker) for worker in answer.workers)


def _of_worker(worker: _Worker) -> Tally:
    path = worker.counters
    return Tally(
        frames=path.frames,
        tx_request=path.tx_request,
        tx_reply=path.tx_reply,
        tx_local=path.tx_local,
        kernel=path.kernel,
        handover=path.handover,
        sync=path.sync,
        sessions=path.sessions_opened,
        nic_rx=sum(worker.host.rx_packets),
        nic_tx=sum(worker.host.tx_packets),
        drops=worker.drops,
    )
