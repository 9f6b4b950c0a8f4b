"""Which worker took a packet: the NIC's choice, modelled; what reaches another is handed over."""

import random

from tests.naive import nic
from tests.naive.craft import Frame
from tests.naive.fixture import FIXTURE, LIPS, RSS_KEY, VIP_A
from tests.naive.site import ip
from tests.naive.wire import ICMP, SYN, TCP, UDP
from tests.replay.run import replay
from tests.replay.scene import CLIENT, PORTS_OF_WORKER

# published by Microsoft with this key: destination, source, hash with ports, hash without
VECTORS = [
    ("161.142.100.80", 1766, "66.9.149.187", 2794, 0x51CCC178, 0x323E8FC2),
    ("65.69.140.83", 4739, "199.92.111.2", 14230, 0xC626B0EA, 0xD718262A),
    ("12.22.207.184", 38024, "24.19.198.95", 12898, 0x5C2B394A, 0xD2D0A5DE),
    ("209.142.163.6", 2217, "38.27.205.30", 48228, 0xAFC7327F, 0x82989176),
    ("202.188.127.2", 1303, "153.39.163.191", 44251, 0x10E828A2, 0x5D1809C5),
]


def test_the_naive_toeplitz_agrees_with_the_published_vectors() -> None:
    for destination, destination_port, source, source_port, with_ports, without in VECTORS:
        addresses = ip(source).to_bytes(4, "big") + ip(destination).to_bytes(4, "big")
        ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")
        assert nic.toeplitz(RSS_KEY, addresses + ports) == with_ports
        assert nic.toeplitz(RSS_KEY, addresses) == without


def random_frames(count: int) -> list[bytes]:
    chance = random.Random(7)
    destinations = [VIP_A, *LIPS, ip("192.0.2.11")]
    return [
        bytes(
            Frame(
                source=chance.getrandbits(32),
                destination=chance.choice(destinations),
                proto=chance.choice([TCP, UDP, ICMP]),
                source_port=chance.getrandbits(16),
                destination_port=chance.choice([80, 53, 10000]),
                flags=SYN,
                fragment=chance.choice([0, 0, 0x4000, 0x2000, 1]),
                ip_options=b"\1" * 4 * chance.choice([0, 0, 3]),
                ethertype=chance.choice([0x0800, 0x0800, 0x0800, 0x0806]),
            )
        )
        for _ in range(count)
    ]


def test_queues_are_those_that_the_nic_would_choose() -> None:
    frames = random_frames(500)
    trace = replay(frames).trace
    assert [line["rx_worker"] for line in trace] == [nic.steer(FIXTURE, f) for f in frames]
    assert {line["rx_worker"] for line in trace} == {0, 1}


def test_nothing_is_handed_over_when_the_nic_steers() -> None:
    outcome = replay(random_frames(500))
    assert outcome.total["handover"] == 0
    assert all(line["worker"] == line["rx_worker"] for line in outcome.trace)


def test_the_scene_names_the_worker_of_each_port() -> None:
    for worker, ports in enumerate(PORTS_OF_WORKER):
        for port in ports:
            frame = bytes(Frame(ip(CLIENT), VIP_A, TCP, port, 80, SYN))
            assert nic.steer(FIXTURE, frame) == worker


def replies_to(worker: int) -> list[bytes]:
    """One server's answer to the first session of that worker."""
    lip = next(address for address, lip in LIPS.items() if lip.worker == worker)
    return [bytes(Frame(ip("10.20.1.1"), lip, TCP, 8080, 10000, 0x12))]


def test_a_misdelivered_reply_is_handed_to_the_owner_and_counted() -> None:
    syn = bytes(Frame(ip(CLIENT), VIP_A, TCP, PORTS_OF_WORKER[0][0], 80, SYN))
    right = replay([syn, *replies_to(0)])
    opened = replay([syn, *replies_to(0)], "--worker", "0")
    assert right.frames == opened.frames
    assert right.total["handover"] == opened.total["handover"] == 0

    wrong = replay([*replies_to(0)], "--worker", "1")
    assert wrong.total["handover"] == wrong.total["frames_handed"] == 1
    assert wrong.trace[0]["rx_worker"] == 1 and wrong.trace[0]["worker"] == 0
    assert wrong.drops == {"reply_no_session": 1}
    assert wrong.stats["workers"][1]["drops"]["reply_no_session"] == 0
    assert wrong.stats["workers"][0]["drops"]["reply_no_session"] == 1


def test_software_steering_does_what_the_nic_would_have_done() -> None:
    """One queue at worker 0, and every request ends where RSS would have brought it."""
    frames = [bytes(Frame(ip(CLIENT), VIP_A, TCP, 1000 + n, 80, SYN)) for n in range(64)]
    hardware = replay(frames)
    software = replay(frames, variant="fixture-software")
    assert software.frames == hardware.frames
    workers = [line["worker"] for line in hardware.trace]
    assert [line["worker"] for line in software.trace] == workers
    assert {line["rx_worker"] for line in software.trace} == {0}
    assert software.total["handover"] == sum(workers)
