"""All workers of a node, and the NIC in front of them.

Packets come in by port 0. A tag is the port's affair: workers see and make frames without.
"""

from dataclasses import dataclass, replace

from tests.naive import nic, vlan
from tests.naive.model import Verdict, Worker
from tests.naive.parts import Backend, Shared
from tests.naive.site import Site


@dataclass(frozen=True)
class Result:
    """What became of a packet, and who saw it."""

    verdict: Verdict
    rx_worker: int
    worker: int


class Node:
    def __init__(self, site: Site) -> None:
        self.site = site
        backends = [
            [
                Backend(s.address, s.port, s.weight, "drain" if s.drain else "up")
                for s in pool.servers
            ]
            for pool in site.pools
        ]
        self.shared = Shared(site, backends, [True] * len(site.ports))
        self.workers = [Worker(index, self.shared) for index in range(site.n_workers)]

    def set_tick(self, tick: int) -> None:
        self.shared.now = tick

    def set_backend(self, pool: int, index: int, state: str, weight: int) -> None:
        self.shared.backends[pool][index].state = state
        self.shared.backends[pool][index].weight = weight

    def set_nexthop(self, port: int, found: bool) -> None:
        self.shared.neighbour_found[port] = found

    def sweep(self, worker: int) -> int:
        return self.workers[worker].sweep()

    def run(self, frames: list[tuple[bytes, int | None]]) -> list[Result]:
        """Each worker takes the frames of its queue, then those that others handed to it. A frame
        without the tag of its port is nobody's.
        """
        results: dict[int, Result] = {}
        steered: list[tuple[bytes, int]] = []
        for number, (whole, queue) in enumerate(frames):
            frame = vlan.without_tag(whole, self.site.ports[0].vlan)
            if frame is None:
                results[number] = Result(Verdict("none", 0, whole), queue or 0, queue or 0)
                steered.append((b"", -1))
            else:
                steered.append((frame, self.rx_worker(frame) if queue is None else queue))
        pending: list[tuple[int, int]] = []
        for worker in self.workers:
            for number, (frame, rx_worker) in enumerate(steered):
                if rx_worker != worker.index:
                    continue
                verdict = worker.take(frame, handed=False)
                if verdict.what == "handover":
                    assert isinstance(verdict.arg, int)
                    pending.append((verdict.arg, number))
                else:
                    results[number] = Result(self.tagged(verdict), rx_worker, worker.index)
        for owner, number in sorted(pending, key=lambda p: p[0]):
            frame, rx_worker = steered[number]
            verdict = self.workers[owner].take(frame, handed=True)
            results[number] = Result(self.tagged(verdict), rx_worker, owner)
        return [results[number] for number in range(len(frames))]

    def tagged(self, verdict: Verdict) -> Verdict:
        """What is sent, as it is on the wire."""
        if verdict.what != "tx":
            return verdict
        assert isinstance(verdict.arg, int)
        port = self.site.ports[verdict.arg]
        return replace(verdict, frame=vlan.with_tag(verdict.frame, port.vlan))

    def rx_worker(self, frame: bytes) -> int:
        return 0 if self.site.steering == "software" else nic.steer(self.site, frame)
