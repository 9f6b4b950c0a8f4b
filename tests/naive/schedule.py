"""Who gets a new session, straight from the definitions: turns, Maglev's table, the less loaded.

The hashes are what the runtime's headers say of them; nothing here is the compiler's.
"""

import struct
from fractions import Fraction
from functools import cache
from itertools import count, islice
from math import gcd

from tests.naive.site import Server

WORD = (1 << 64) - 1
HASHED = ("maglev", "source-hash")


def splitmix(seed: int, number: int) -> int:
    """The number-th word of a seed: what the memory adapter gives workers as secrets."""
    z = (seed + (number + 1) * 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & WORD
    return z ^ z >> 31


def hash32(data: bytes, key: bytes) -> int:
    """Two rounds of multiplication over 16 bytes, each factor masked by half of the key."""
    (low, high), (one, two) = struct.unpack("<QQ", data), struct.unpack("<QQ", key)
    product: int = (low ^ one) * (high ^ two)
    product = ((product & WORD) ^ two) * ((product >> 64) ^ one)
    return (product ^ (product >> 64)) & 0xFFFFFFFF


def flow_bytes(client: tuple[int, int], vip: tuple[int, int], proto: int) -> bytes:
    """The five-tuple as it lies in a packet, and zeros."""
    return struct.pack(">IIHHB3x", client[0], vip[0], client[1], vip[1], proto)


def source_bytes(client: tuple[int, int]) -> bytes:
    return struct.pack(">I12x", client[0])


def place(hashed: int, length: int) -> int:
    """The hash as a fraction of its range, times the length."""
    return int(Fraction(hashed, 1 << 32) * length)


@cache
def period(weights: tuple[int, ...]) -> list[int]:
    """Server i's k-th turn is at (k + 1/2) / weight; ties in order of the list."""
    shared = gcd(*weights)
    places = [
        (Fraction(2 * k + 1, 2 * (weight // shared)), number)
        for number, weight in enumerate(weights)
        for k in range(weight // shared if shared else 0)
    ]
    return [number for _, number in sorted(places)]


@cache
def maglev(
    servers: tuple[Server, ...], weights: tuple[int, ...], size: int, key: bytes
) -> list[int]:
    """Eisenbud et al., figure 4, over permutations that are written out; turns by weight."""
    if not any(weights):
        return []
    order = sorted(range(len(servers)), key=lambda n: (servers[n].address, servers[n].port))
    turns = [order[n] for n in period(tuple(weights[n] for n in order))]
    wishes = {n: iter(permutation(servers[n], size, key)) for n in set(turns)}
    table: dict[int, int] = {}
    for turn in islice(count(), size):
        server = turns[turn % len(turns)]
        table[next(wish for wish in wishes[server] if wish not in table)] = server
    return [table[n] for n in range(size)]


def permutation(server: Server, size: int, key: bytes) -> list[int]:
    name = server.address << 16 | server.port
    offset = hash32(struct.pack("<QQ", name, 1), key) % size
    skip = hash32(struct.pack("<QQ", name, 2), key) % (size - 1) + 1
    return [(offset + n * skip) % size for n in range(size)]
