"""Real receive queues: a TAP with key, RETA and flow rules against the naive model of a NIC."""

import random
from pathlib import Path

import pytest

from tests.host.node import (
    LIP_BASE,
    N_WORKERS,
    NODE_MAC,
    RETA,
    RSS_KEY,
    RULES,
    VIP,
    Node,
    generation,
    node,
    until,
)
from tests.naive.craft import Frame
from tests.naive.nic import steer
from tests.naive.site import Site
from tests.naive.wire import ICMP, TCP, UDP

pytestmark = pytest.mark.lab

SITE = Site(
    n_workers=N_WORKERS,
    steering="fdir",
    rss_key=RSS_KEY,
    reta=RETA,
    rules=RULES,
    ports=(),
    lip_base=LIP_BASE,
    lip_count=64,
    lips={},
    services=(),
    pools=(),
    sessions_per_worker=0,
    port_first=0,
    port_last=0,
)
L2 = NODE_MAC + bytes.fromhex("020000000001")


def frames(seed: int) -> list[bytes]:
    """To the VIP, to local IPs, to neither; TCP, UDP, others; fragments, options; not IPv4."""
    dice = random.Random(seed)
    destinations = [VIP, *(LIP_BASE + i for i in range(40))]
    made = []
    for _ in range(400):
        frame = Frame(
            source=dice.randrange(1 << 24, 224 << 24),
            destination=dice.choice([VIP, dice.choice(destinations)]),
            proto=dice.choice([TCP, TCP, UDP, ICMP]),
            source_port=dice.randrange(1 << 16),
            destination_port=dice.choice([80, 53, dice.randrange(1 << 16)]),
            flags=dice.choice([2, 16]),
            fragment=dice.choice([0x4000, 0x4000, 0x4000, 0x2000, 0x0010]),
            ip_options=dice.choice([b"", b"", b"", b"\x01\x01\x01\x00"]),
            icmp_type=0,
            l2=L2,
        )
        made.append(bytes(frame))
    return made + [L2 + b"\x88\xb5" + bytes(50)] * 10


def send(machine: Node, batch: list[bytes]) -> list[int]:
    """How many of the batch each worker's queue gave; a TAP's queue is longer than a batch."""
    before = machine.received()

    sent = 0

    def all_received() -> bool:
        return sum(machine.received()) - sum(before) >= sent

    for at in range(0, len(batch), 50):
        for frame in batch[at : at + 50]:
            machine.wire.send(frame)
            sent += 1
        until("every frame is received", all_received)
    return [now - was for now, was in zip(machine.received(), before, strict=True)]


def test_every_packet_comes_out_of_the_queue_that_the_model_names(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        batch = frames(1)
        by_worker = [[f for f in batch if steer(SITE, f) == w] for w in range(N_WORKERS)]
        assert min(len(part) for part in by_worker) > 20
        for worker, part in enumerate(by_worker):
            want = [len(part) if w == worker else 0 for w in range(N_WORKERS)]
            assert send(machine, part) == want
        assert machine.summed("handover") == 0


def test_without_steering_each_packet_still_reaches_its_owner(tmp_path: Path) -> None:
    with node(generation(tmp_path, MODE="TVS_STEER_SOFTWARE"), tmp_path) as machine:
        batch = frames(2)
        assert sum(send(machine, batch)) == len(batch)
        handed = machine.summed("handover")
        assert handed > 0
        until(
            "all that was handed over is taken", lambda: machine.summed("frames_handed") == handed
        )
        host = [worker["host"] for worker in machine.ask("counters")["workers"]]
        assert sum(h["handover_out"] for h in host) == sum(h["handover_in"] for h in host) == handed
