"""The RSS key and the RETA: derived from the site, the same on every machine of a cluster.

The key is a pure function of the site's seed and the cluster's name. A candidate that would spread
badly is passed over and the next one tried; how it must spread is `spreads_well`.
"""

from __future__ import annotations

import hashlib
from functools import cache

from tvsc.plan.abi import RSS_INPUT_BYTES

KEY_BYTES = 52
"""The longest key that a NIC asks for. Shorter ones are its start: IPv4 uses only 16 bytes."""

_CANDIDATES = 1000
_INDEX_BITS = 9  # the low bits of the hash that the largest RETA uses (512 rows)

# Bits of the Toeplitz input: source address 0-31, destination address 32-63, ports 64-79, 80-95.
# Clients differ in the low half of their address and in their port: each alone must do.
_SOURCE_LOW = range(16, 32)
_SOURCE_PORT = range(64, 80)


def toeplitz(key: bytes, data: bytes) -> int:
    """The RSS hash of `data` (at most len(key) - 4 bytes)."""
    bits = int.from_bytes(key, "big")
    length = len(key) * 8
    result = 0
    for index in range(len(data) * 8):
        if data[index >> 3] & (0x80 >> (index & 7)):
            result ^= bits >> (length - 32 - index) & 0xFFFFFFFF
    return result


def rank(rows: list[int]) -> int:
    """The rank of these rows of bits over GF(2)."""
    basis: dict[int, int] = {}  # leading bit -> row
    for row in rows:
        while row and row.bit_length() in basis:
            row ^= basis[row.bit_length()]  # noqa: PLW2901
        if row:
            basis[row.bit_length()] = row
    return len(basis)


def spreads_well(key: bytes) -> bool:
    """Whether clients of one /16 reach every RETA row, with a fixed port and with a fixed address.

    Toeplitz is linear: the rows that can be reached are the span of the key's windows at the input
    bits that vary, so the rank of those windows, cut to the bits that index the RETA, decides.
    """
    bits = int.from_bytes(key, "big")
    length = len(key) * 8
    mask = (1 << _INDEX_BITS) - 1

    def window(index: int) -> int:
        return bits >> (length - 32 - index) & mask

    return all(
        rank([window(index) for index in field]) == _INDEX_BITS
        for field in (_SOURCE_LOW, _SOURCE_PORT)
    ) and all(window(index) for index in range(RSS_INPUT_BYTES * 8))


@cache
def rss_key(seed: str, cluster: str) -> tuple[bytes, int]:
    """(key of KEY_BYTES bytes, how many candidates were passed over)."""
    for number in range(_CANDIDATES):
        text = f"tvsc rss key\0{seed}\0{cluster}\0{number}"
        key = hashlib.shake_256(text.encode()).digest(KEY_BYTES)
        if spreads_well(key):
            return key, number
    raise AssertionError("no candidate spreads well: the test of candidates is wrong")


def reta(size: int, workers: int) -> tuple[int, ...]:
    """Worker of each row, round robin."""
    return tuple(row % workers for row in range(size))
