"""Maglev tables: how large they are, and what is in them.

The host builds the tables (runtime/core/maglev.c); here is the same, so that `tvsc explain flow`
can name a server. A test compares the two. Hashes are `tvs_words_hash` of runtime/core/hash.h.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace
from ipaddress import IPv4Address
from itertools import islice
from math import lcm

from tvsc.model import Schedule

HASHED = (Schedule.MAGLEV, Schedule.SOURCE_HASH)
"""The schedules that look a server up in such a table."""

SIZES = (1021, 4093, 16381, 65521, 262139, 1048573)
"""The largest primes below powers of four: a pool may grow to four times its size before its table
gets another one, and all flows another place.
"""

ENTRIES_PER_SERVER = 100
ENTRIES_OF_LIGHTEST = 10

MAX_SERVERS = SIZES[-1] // ENTRIES_PER_SERVER

KEY_BYTES = 16
_WORD = (1 << 64) - 1

Server = tuple[IPv4Address, int, int]
"""(address, port, weight)."""


def table_size(weights: Sequence[int]) -> int:
    """Entries of the table of a pool whose servers have these weights in the site.

    The least size with 100 for each server on the average and 10 for the lightest that has weight;
    of a pool whose weights are too far apart for that, the largest.
    """
    wanted = ENTRIES_PER_SERVER * len(weights)
    positive = [weight for weight in weights if weight]
    if positive:
        wanted = max(wanted, -(-ENTRIES_OF_LIGHTEST * sum(positive) // min(positive)))
    return next((size for size in SIZES if size >= wanted), SIZES[-1])


def flow_key(seed: str) -> bytes:
    """The key of all hashes by which servers are picked: the same on every node of the site."""
    return hashlib.shake_256(f"tvsc flow key\0{seed}".encode()).digest(KEY_BYTES)


def key_words(key: bytes) -> tuple[int, int]:
    """The two 64-bit words that the runtime has of a key."""
    return int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")


def words_hash(low: int, high: int, key: bytes) -> int:
    """32 bits of two 64-bit words."""
    first, second = key_words(key)
    mixed = (low ^ first) * (high ^ second)
    mixed = ((mixed & _WORD) ^ second) * (mixed >> 64 ^ first)
    return (mixed ^ mixed >> 64) & 0xFFFFFFFF


def flow_hash(
    source: IPv4Address,
    source_port: int,
    destination: IPv4Address,
    destination_port: int,
    protocol: int,
    key: bytes,
) -> int:
    """The hash of `maglev`: of the five-tuple as it lies in a packet."""
    ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")
    low = int.from_bytes(source.packed + destination.packed, "little")
    return words_hash(low, int.from_bytes(ports, "little") | protocol << 32, key)


def source_hash(source: IPv4Address, key: bytes) -> int:
    """The hash of `source-hash`: of the client's address alone."""
    return words_hash(int.from_bytes(source.packed, "little"), 0, key)


def entry(hash_: int, size: int) -> int:
    """The entry of a table that a hash falls on."""
    return hash_ * size >> 32


def maglev_table(size: int, key: bytes, servers: Sequence[Server]) -> list[int]:
    """Of each entry the index in `servers`; empty when none has weight."""
    taking = sorted(
        (index for index, server in enumerate(servers) if server[2]),
        key=lambda index: servers[index][:2],
    )
    if not taking:
        return []
    names = [int(servers[index][0]) << 16 | servers[index][1] for index in taking]
    at = [words_hash(name, 1, key) % size for name in names]
    skip = [words_hash(name, 2, key) % (size - 1) + 1 for name in names]
    table = [-1] * size
    for turn in islice(_turns([servers[index][2] for index in taking]), size):
        while table[at[turn]] >= 0:
            at[turn] = (at[turn] + skip[turn]) % size
        table[at[turn]] = taking[turn]
    return table


def _turns(weights: Sequence[int]) -> Iterator[int]:
    """Weighted round robin: the k-th turn of a weight w is at (k + 1/2) / w."""
    common = lcm(*weights)
    waiting = [(common // weight, number) for number, weight in enumerate(weights)]
    heapify(waiting)
    while True:
        place, number = waiting[0]
        yield number
        heapreplace(waiting, (place + 2 * (common // weights[number]), number))
