"""A capture of a port with a VLAN: the tag comes off, goes on, and what has another is nobody's."""

import pytest

from tests.naive.craft import Frame
from tests.naive.fixture import VIP_A
from tests.naive.site import ip
from tests.naive.vlan import with_tag
from tests.naive.wire import ACK, SYN, TCP
from tests.replay.run import replay

VLAN = 100  # of the fixture's first port; the servers are behind the second, which has none
SYN_FRAME = bytes(Frame(ip("198.18.0.1"), VIP_A, TCP, 1001, 80, SYN))
REPLY = bytes(Frame(ip("10.20.1.1"), ip("172.16.0.1"), TCP, 8080, 10000, SYN | ACK))
FRAMES = [SYN_FRAME, REPLY]


@pytest.mark.parametrize("priority", [0, 5])
def test_the_tag_comes_off_and_goes_on(priority: int) -> None:
    """Of the client's port only; the priority is the sender's own and is not kept."""
    plain = replay(FRAMES)
    tagged = replay([with_tag(f, VLAN, priority) for f in FRAMES], variant="fixture-vlan")
    to_server, to_client = plain.frames
    assert tagged.frames == [to_server, with_tag(to_client, VLAN)]
    assert tagged.total == plain.total
    workers = [[line["rx_worker"] for line in outcome.trace] for outcome in (plain, tagged)]
    assert workers[0] == workers[1]


def test_other_frames_reach_no_worker() -> None:
    others = [
        SYN_FRAME,
        with_tag(SYN_FRAME, VLAN + 1),
        with_tag(SYN_FRAME, 0x1000),  # identifier 0: priority only
        with_tag(SYN_FRAME, VLAN, tpid=b"\x88\xa8"),
        with_tag(SYN_FRAME, VLAN)[:17],
        with_tag(with_tag(SYN_FRAME, VLAN), VLAN + 1),
    ]
    outcome = replay(others, variant="fixture-vlan")
    assert outcome.frames == []
    assert outcome.kernel == []
    assert outcome.total["frames"] == 0
    assert outcome.stats["capture"]["other_vlan"] == len(others)
    assert {(line["verdict"], line["reason"]) for line in outcome.trace} == {("drop", "other_vlan")}


def test_the_kernel_gets_frames_without_the_tag() -> None:
    arp = bytes(Frame(1, 2, ethertype=0x0806))
    outcome = replay([with_tag(arp, VLAN)], variant="fixture-vlan")
    assert [packet.frame for packet in outcome.kernel] == [arp]


def test_a_second_tag_is_the_kernels_affair() -> None:
    inner = with_tag(SYN_FRAME, VLAN + 1)
    outcome = replay([with_tag(inner, VLAN)], variant="fixture-vlan")
    assert [packet.frame for packet in outcome.kernel] == [inner]


def test_without_a_vlan_a_tag_is_the_kernels_affair() -> None:
    outcome = replay([with_tag(SYN_FRAME, VLAN)])
    assert [packet.frame for packet in outcome.kernel] == [with_tag(SYN_FRAME, VLAN)]
    assert outcome.stats["capture"]["other_vlan"] == 0
