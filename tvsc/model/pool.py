"""Pools of real servers and how their health is checked."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from tvsc.model.base import Address, Model, Noun, assembled


class Schedule(StrEnum):
    """How a new session chooses its server."""

    RR = "rr"
    WRR = "wrr"
    WLC = "wlc"
    MAGLEV = "maglev"
    SOURCE_HASH = "source-hash"
    LEAST_LOADED = "least-loaded"


class OnDown(StrEnum):
    """What happens to the sessions of a server that failed: left to their own timeouts, or
    answered with a reset.
    """

    KEEP = "keep"
    RESET = "reset"


class StatusRange(Model):
    """HTTP status codes `first` to `last`, both included."""

    first: int
    last: int


class TcpCheck(Noun):
    """Healthy when a TCP connection opens within `timeout_ms`. One try every `every_ms`; up after
    `rise` good ones, down after `fall` bad ones. `port` is None to use the server's own.
    """

    kind: Literal["tcp"] = "tcp"
    every_ms: int
    timeout_ms: int
    rise: int
    fall: int
    port: int | None = None


class HttpCheck(Noun):
    """As `TcpCheck`, and a GET of `path` must answer with a status in `expect` within
    `timeout_ms`. `host` is the Host header, None for the server's address.
    """

    kind: Literal["http"] = "http"
    every_ms: int
    timeout_ms: int
    rise: int
    fall: int
    port: int | None = None
    path: str
    expect: tuple[StatusRange, ...]
    host: str | None


HealthCheck = TcpCheck | HttpCheck


def server_key(address: Address, port: int) -> str:
    """The key of a server."""
    return f"[{address!s}]:{port}" if address.version == 6 else f"{address!s}:{port}"


class Server(Noun):
    """A real server; `weight` 0 takes no new sessions. `drain` is written by the operator, never
    by a check.
    """

    address: Address
    port: int
    weight: int
    drain: bool = False

    @property
    def key(self) -> str:
        """`10.20.1.1:8080`: unique in its pool."""
        return server_key(self.address, self.port)


_SERVER_FIELDS = {"at", "address", "port", "weight", "drain"}
assert set(Server.model_fields) == _SERVER_FIELDS


def known_server(at: str, address: Address, port: int, weight: int, drain: bool) -> Server:
    """A server of values that are known to be good: nothing is validated."""
    fields = {"at": at, "address": address, "port": port, "weight": weight, "drain": drain}
    return assembled(Server, fields, _SERVER_FIELDS)


class Pool(Noun):
    """Real servers that do the same. `check` is None when the site says `check none`: always
    healthy.
    """

    name: str
    schedule: Schedule
    check: HealthCheck | None
    on_down: OnDown
    servers: tuple[Server, ...]
