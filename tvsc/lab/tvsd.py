"""A daemon's counters, over its control socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tvsc.lab.state import RunDirectory


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over a node's workers. `nic_rx` and `nic_tx` are packets of all its ports."""

    frames: int = 0
    tx_request: int = 0
    tx_reply: int = 0
    tx_local: int = 0
    kernel: int = 0
    handover: int = 0
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
            sessions=self.sessions + sign * other.sessions,
            nic_rx=self.nic_rx + sign * other.nic_rx,
            nic_tx=self.nic_tx + sign * other.nic_tx,
            drops=dict(drops),
        )


def tally(run: RunDirectory, node: str) -> Tally:
    """The node's counters now."""
    raise NotImplementedError(f"{run.lab} {node}")
