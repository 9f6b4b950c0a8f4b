"""Session sync as a peer speaks it, written from the description of the messages alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cache

MASK = (1 << 64) - 1
MAGIC = 0x01535654
HELLO, UPDATE, AGAIN, PULL, BULK = range(5)
TO_ALL = 0xFF
END = 0xFFFFFFFF
ESTABLISHED = 3

_HEADER = "<IBBBBQQQIHH"  # behind the MAC
_TUPLE = ">IIHH"
HEADER_BYTES = 8 + struct.calcsize(_HEADER)


def siphash(key: bytes, data: bytes) -> int:
    """SipHash-2-4, 64 bits."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]

    def rotate(x: int, by: int) -> int:
        return (x << by | x >> (64 - by)) & MASK

    def rounds(n: int) -> None:
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    mixed: int = v[0] ^ v[1] ^ v[2] ^ v[3]
    return mixed


@cache
def _nh_word(key: bytes, number: int) -> int:
    return siphash(key, struct.pack("<Q", number))


def mac_of(key: bytes, data: bytes) -> int:
    """NH of 64-bit words, its key SipHash of 0, 1, ...; then SipHash of it, the length and the
    first four words.
    """
    padded = data + bytes(-len(data) % 16)
    total = 0
    for i, (a, b) in enumerate(struct.iter_unpack("<QQ", padded)):
        first, second = (a + _nh_word(key, 2 * i)) & MASK, (b + _nh_word(key, 2 * i + 1)) & MASK
        total += first * second
    start = data[:32] + bytes(32 - len(data[:32]))
    return siphash(key, struct.pack("<QQQ", total & MASK, total >> 64 & MASK, len(data)) + start)


@dataclass(frozen=True)
class Told:
    """A session as a message has it; tuples are (from, to, from port, to port)."""

    request: tuple[int, int, int, int]
    onward: tuple[int, int, int, int]
    proto: int
    state: int
    age_ticks: int = 0
    left_ticks: int = 600

    def __bytes__(self) -> bytes:
        request = struct.pack(_TUPLE, *self.request)
        request += struct.pack("<BBH", self.proto, self.state, self.age_ticks)
        return request + struct.pack(_TUPLE, *self.onward) + struct.pack("<I", self.left_ticks)

    @staticmethod
    def read(data: bytes) -> Told:
        return Told(
            struct.unpack(_TUPLE, data[:12]),
            struct.unpack(_TUPLE, data[16:28]),
            *struct.unpack("<BBH", data[12:16]),
            *struct.unpack("<I", data[28:]),
        )


@dataclass(frozen=True)
class Message:
    kind: int
    sender: int
    to: int
    worker: int
    contract: int
    epoch: int
    number: int
    cursor: int = 0
    n: int = 0
    question: int = 0
    body: bytes = b""

    def sealed(self, key: bytes) -> bytes:
        rest = struct.pack(
            _HEADER,
            MAGIC,
            self.kind,
            self.sender,
            self.to,
            self.worker,
            self.contract,
            self.epoch,
            self.number,
            self.cursor,
            self.n,
            self.question,
        )
        return struct.pack("<Q", mac_of(key, rest + self.body)) + rest + self.body

    @staticmethod
    def read(data: bytes, key: bytes) -> Message:
        """AssertionError when it is none, or its MAC is wrong."""
        (mac,) = struct.unpack("<Q", data[:8])
        assert mac_of(key, data[8:]) == mac
        magic, kind, sender, to, worker, contract, epoch, number, cursor, n, question = (
            struct.unpack(_HEADER, data[8:HEADER_BYTES])
        )
        assert magic == MAGIC
        body = data[HEADER_BYTES:]
        return Message(kind, sender, to, worker, contract, epoch, number, cursor, n, question, body)

    @property
    def sessions(self) -> list[Told]:
        assert len(self.body) == 32 * self.n
        return [Told.read(self.body[at : at + 32]) for at in range(0, len(self.body), 32)]


@dataclass
class Peer:
    """One worker's end at the other node: answers what it is asked, and remembers what it is told.

    `sessions` is what it has to tell when it is pulled.
    """

    key: bytes
    node: int
    other: int
    worker: int
    contract: int
    epoch: int
    sessions: list[Told] = field(default_factory=list)
    challenge: int = 12345
    answer: int = 0
    sent: int = 0
    updates: int = 0
    learned: list[Told] = field(default_factory=list)
    is_believed: bool = False
    pulled: int = 0

    def message(
        self, kind: int, body: bytes = b"", *, cursor: int = 0, n: int = 0, question: int = 0
    ) -> bytes:
        to = self.other
        if kind == UPDATE:
            self.updates += 1
            number, to = self.updates, TO_ALL
        else:
            self.sent += 1
            number = self.sent
        made = Message(
            kind,
            self.node,
            to,
            self.worker,
            self.contract,
            self.epoch,
            number,
            cursor,
            n,
            question,
            body,
        )
        return made.sealed(self.key)

    def hello(self) -> bytes:
        return self.message(HELLO, struct.pack("<QQQ", self.challenge, self.answer, self.updates))

    def update(self, sessions: list[Told]) -> bytes:
        return self.message(UPDATE, b"".join(map(bytes, sessions)), n=len(sessions))

    def hear(self, data: bytes) -> list[bytes]:
        """What it answers."""
        message = Message.read(data, self.key)
        assert (message.sender, message.worker) == (self.other, self.worker)
        assert message.contract == self.contract
        if message.kind == HELLO:
            challenge, answer, _ = struct.unpack("<QQQ", message.body)
            is_new = challenge != self.answer
            self.answer = challenge
            self.is_believed |= answer == self.challenge
            return [self.hello()] if is_new else []
        if message.kind == PULL:
            self.pulled += 1
            body = b"".join(map(bytes, self.sessions))
            n, question = len(self.sessions), message.question
            return [self.message(BULK, body, cursor=END, n=n, question=question)]
        self.learned += message.sessions
        return []
