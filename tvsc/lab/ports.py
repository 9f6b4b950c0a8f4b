"""Source ports of the clients: no client address has the same port twice.

A session outlives its client: a UDP packet from an address and port that were in use a moment ago
continues the old session and opens none. A kernel that chooses ports at random repeats one now and
then, and "connections = sessions opened" would not hold. So the ports are handed out here, all of
them in turn, by a count that lasts as long as the lab. Before a port comes again an address has
made 64512 connections, minus what commands reserved and left unused; at what one machine can ask
for, that takes hours and no session's timeout is that long.
"""

import errno
import fcntl
import os
import socket
from collections import Counter
from ipaddress import IPv4Address

from tvsc.lab.state import RunDirectory

FIRST = 1024
COUNT = 65536 - FIRST
BLOCK = 4
"""Ports of every address that are reserved at once, so that few of them are left unused."""

FILE = "client-ports"
TRIES = 16

_STEP = 39871  # coprime to COUNT; neighbours in time are far apart, as a hash of ports likes it
_MIX = 2654435761


class Ports:
    """Hands out ports to one thread. Others, and other processes, get other ones."""

    def __init__(self, run: RunDirectory) -> None:
        self._path = run.path / FILE
        self._blocks: list[int] = []
        self._used: Counter[IPv4Address] = Counter()

    def take(self, source: IPv4Address) -> int:
        """The next port of `source`."""
        block, within = divmod(self._used[source], BLOCK)
        self._used[source] += 1
        while len(self._blocks) <= block:
            self._blocks.append(self._reserve())
        turn = self._blocks[block] * BLOCK + within
        return FIRST + (turn * _STEP + int(source) * _MIX) % COUNT

    def bind(self, connection: socket.socket, source: IPv4Address) -> None:
        """Binds to `source` and its next port, passing over those that somebody else has."""
        for left in reversed(range(TRIES)):
            try:
                connection.bind((str(source), self.take(source)))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not left:
                    raise
            else:
                return

    def _reserve(self) -> int:
        """The number of a block that nobody has had. A longer number replaces a shorter one in one
        write: whoever is killed here, the count never starts again.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            number = int(os.pread(descriptor, 20, 0) or 0)
            os.pwrite(descriptor, f"{number + 1}".encode(), 0)
        finally:
            os.close(descriptor)
        return number
