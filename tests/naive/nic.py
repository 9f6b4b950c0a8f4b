"""The NIC as its data sheet describes it: flow rules, then Toeplitz and the redirection table."""

from tests.naive.site import Site
from tests.naive.wire import ETH, TCP, UDP, word


def toeplitz(key: bytes, data: bytes) -> int:
    """For every set bit of the input, the 32 bits of the key that begin at its position."""
    bits = int.from_bytes(key, "big")
    result = 0
    for at in range(len(data) * 8):
        if data[at // 8] >> (7 - at % 8) & 1:
            result ^= bits >> (len(key) * 8 - 32 - at) & 0xFFFFFFFF
    return result


def rss_worker(site: Site, data: bytes) -> int:
    return site.reta[toeplitz(site.rss_key, data) % len(site.reta)]


def steer(site: Site, frame: bytes) -> int:
    """The worker whose queue the frame comes out of, as flow rules and RSS have it."""
    ip = frame[ETH:]
    if len(ip) < 20 or word(frame, 12) != 0x0800 or ip[0] >> 4 != 4 or (ip[0] & 15) < 5:
        return 0
    proto = ip[9]
    destination = int.from_bytes(ip[16:20], "big")
    for rule in site.rules:
        if destination & rule.mask == rule.address and rule.proto in (0, proto):
            return rule.worker
    data = ip[12:20]
    payload = ip[(ip[0] & 15) * 4 :]
    if proto in (TCP, UDP) and word(ip, 6) & 0x3FFF == 0 and len(payload) >= 4:
        data += payload[:4]
    return rss_worker(site, data)
