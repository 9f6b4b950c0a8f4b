"""802.1Q tags: four bytes behind the two addresses."""

from tests.naive.wire import word

MACS = 12
TPID = b"\x81\x00"


def with_tag(frame: bytes, vlan: int, priority: int = 0, tpid: bytes = TPID) -> bytes:
    """The frame as it is on a link of the VLAN; 0 for one without a tag."""
    if vlan == 0:
        return frame
    return frame[:MACS] + tpid + (priority << 13 | vlan).to_bytes(2, "big") + frame[MACS:]


def without_tag(frame: bytes, vlan: int) -> bytes | None:
    """What a port in that VLAN makes of a frame; None: it is not for this port."""
    if vlan == 0:
        return frame
    if len(frame) < MACS + 6 or frame[MACS : MACS + 2] != TPID:
        return None
    if word(frame, MACS + 2) & 0x0FFF != vlan:
        return None
    return frame[:MACS] + frame[MACS + 4 :]
