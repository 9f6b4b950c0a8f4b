"""The vocabulary of `pool` and `service`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from tvsc.diag import codes
from tvsc.dsl.values import Endpoint
from tvsc.lower.evaluate import fail
from tvsc.lower.reader import MAX_MS, Reader
from tvsc.lower.schema import Setting, duration, kind, nothing, number, word
from tvsc.model import ClientAddress, Mode, OnDown, Protocol, Schedule, StatusRange
from tvsc.source import Span

MAX_PORT = 65535
MAX_WEIGHT = 1000
MAX_CONNECTIONS = 10**9
MAX_EXPECT = 8
"""Ranges of statuses that the host's health checks have room for."""

_HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?", re.ASCII)
TICK_MS = 100
"""The dataplane's clock: session timeouts are whole ticks."""


@dataclass(frozen=True, slots=True)
class ServerLine:
    """`server ADDRESS:PORT [weight N] [drain]`."""

    endpoint: Endpoint
    weight: int
    drain: bool


@dataclass(frozen=True, slots=True)
class ListenLine:
    """`listen PROTOCOL PORT -> POOL`."""

    protocol: Protocol
    port: int
    pool: str


@dataclass(frozen=True, slots=True)
class FromFile:
    """A list that lies in a file beside the one that names it."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class AccessLine:
    """`allow ...` or `deny ...`."""

    allow: bool
    sources: tuple[IPv4Network | IPv6Network, ...] | FromFile


def _server(reader: Reader) -> object:
    endpoint = reader.endpoint()
    reader.mark("address", reader.last)
    weight, drain = 1, False
    if reader.optional("weight"):
        start = reader.last
        weight = reader.number(0, MAX_WEIGHT, "`weight`")
        reader.mark("weight", start.to(reader.last))
    if reader.optional("drain"):
        drain = True
    return ServerLine(endpoint, weight, drain)


def _server_key(value: object) -> str:
    assert isinstance(value, ServerLine)
    return f"{value.endpoint.address}:{value.endpoint.port}"


def _servers(reader: Reader) -> object:
    reader.literal("from")
    return FromFile(reader.text("the name of a CSV file"), reader.last)


def _file_key(value: object) -> str:
    assert isinstance(value, FromFile)
    return value.name


def _check(reader: Reader) -> object:
    return reader.word(("http", "tcp", "none"))


def _expect(reader: Reader) -> object:
    ranges = reader.ranges(100, 599)
    if len(ranges) > MAX_EXPECT:
        fail(
            codes.OUT_OF_RANGE,
            f"`expect` takes at most {MAX_EXPECT} statuses and ranges, not {len(ranges)}",
            reader.last,
        )
    return tuple(StatusRange(first=r.first, last=r.last) for r in ranges)


def _path(reader: Reader) -> object:
    path = reader.text('a path like "/healthz"')
    if not path.startswith("/") or not path.isascii() or any(c.isspace() for c in path):
        fail(
            codes.WRONG_TYPE,
            "`path` starts with `/` and has neither blanks nor letters outside ASCII",
            reader.last,
        )
    return path


def _host(reader: Reader) -> object:
    host = reader.text("a host name")
    if not _HOST.fullmatch(host):
        fail(
            codes.WRONG_TYPE,
            "`host` is a host name or an address, and perhaps a port: letters, digits, `.`, `-`,"
            " `_`, `:` and brackets",
            reader.last,
        )
    return host


def _vips(reader: Reader) -> object:
    addresses = reader.several("an address", reader.as_address)
    return tuple(zip(addresses, reader.spans_of_last(), strict=True))


def _listen(reader: Reader) -> object:
    protocol = Protocol(reader.word([p.value for p in Protocol]))
    port = reader.number(1, 65535, "a port")
    reader.mark("port", reader.last)
    reader.arrow()
    pool = reader.name("the name of a pool")
    reader.mark("pool", reader.last)
    return ListenLine(protocol, port, pool)


def _listen_key(value: object) -> str:
    assert isinstance(value, ListenLine)
    return f"{value.protocol}/{value.port}"


def _access_key(value: object) -> str:
    assert isinstance(value, AccessLine)
    sources = value.sources
    return repr(sources) if isinstance(sources, FromFile) else ", ".join(map(str, sources))


def _allow(reader: Reader) -> object:
    if reader.optional("from"):
        return AccessLine(True, FromFile(reader.text("the name of a list file"), reader.last))
    return AccessLine(True, reader.several("a prefix", reader.as_prefix))


def _deny(reader: Reader) -> object:
    if reader.optional("from"):
        return AccessLine(False, FromFile(reader.text("the name of a list file"), reader.last))
    return AccessLine(False, reader.several("a prefix", reader.as_prefix))


kind(
    "pool",
    Setting(
        "schedule",
        "schedule rr | wrr | wlc | maglev | source-hash | least-loaded",
        "How a new session chooses its server.",
        word(*Schedule),
        default="wrr",
    ),
    Setting(
        "check",
        "check http { ... } | check tcp { ... } | check none",
        "How the servers' health is checked.",
        _check,
        default="tcp",
        block="check",
    ),
    Setting(
        "on-down",
        "on-down keep | reset",
        "What happens to the sessions of a server that failed: left to their timeouts, or reset.",
        word(*OnDown),
        default="reset",
    ),
    Setting(
        "server",
        "server ADDRESS:PORT [weight N] [drain]",
        "A real server. Weight 0 and `drain` take no new sessions; without `weight` it is 1.",
        _server,
        key=_server_key,
        duplicate=codes.DUPLICATE_SERVER,
    ),
    Setting(
        "servers",
        'servers from "FILE"',
        "Servers from a CSV file: address, port, weight.",
        _servers,
        key=_file_key,
    ),
)

kind(
    "check",
    Setting("path", 'path "PATH"', "`http` only: what is asked for.", _path, default='"/"'),
    Setting(
        "expect",
        "expect STATUS, ...",
        "`http` only: statuses that are healthy, up to 8 numbers and ranges.",
        _expect,
        default="200..299",
    ),
    Setting(
        "host",
        'host "NAME"',
        "`http` only: the Host header.",
        _host,
        default="the server's address",
    ),
    Setting(
        "port",
        "port NUMBER",
        "The port to check.",
        number(1, 65535),
        default="the server's own",
    ),
    Setting(
        "every",
        "every DURATION",
        "Time between two checks.",
        duration(100, 3_600_000),
        default="2s",
    ),
    Setting(
        "timeout",
        "timeout DURATION",
        "How long an answer may take.",
        duration(10, 600_000),
        default="1s",
    ),
    Setting(
        "rise",
        "rise NUMBER",
        "Good checks in a row that bring a server up.",
        number(1, 100),
        default="2",
    ),
    Setting(
        "fall", "fall NUMBER", "Bad checks in a row that take it down.", number(1, 100), default="3"
    ),
)

kind(
    "service",
    Setting(
        "vip", "vip ADDRESS, ...", "The addresses that clients connect to.", _vips, required=True
    ),
    Setting(
        "listen",
        "listen tcp|udp PORT -> POOL",
        "What the VIPs listen on, and which pool serves it.",
        _listen,
        key=_listen_key,
        duplicate=codes.DUPLICATE_LISTENER,
    ),
    Setting(
        "mode",
        "mode fullnat | tunnel",
        "How packets reach the server.",
        word(*Mode),
        default="fullnat",
    ),
    Setting(
        "client-address",
        "client-address none | toa | proxy-v2",
        "How the server learns the client's address.",
        word(*ClientAddress),
        default="none",
    ),
    Setting(
        "timeouts",
        "timeouts { ... }",
        "How long a session may be idle.",
        nothing,
        block="timeouts",
        needs_block=True,
    ),
    Setting("limits", "limits { ... }", "Protections.", nothing, block="limits", needs_block=True),
    Setting(
        "load",
        "load { ... }",
        "What the service must be able to carry; held against the capacity.",
        nothing,
        default="not checked",
        block="load",
        needs_block=True,
    ),
    Setting(
        "min-up",
        "min-up NUMBER",
        "Healthy servers that each pool needs, or the VIPs are withdrawn here.",
        number(0, 1_000_000),
        default="0: never withdrawn",
    ),
    Setting(
        "sorry",
        "sorry POOL",
        "The pool that serves when a listener's own has no healthy server.",
        lambda reader: reader.name("the name of a pool"),
        default="none",
    ),
)

kind(
    "timeouts",
    Setting(
        "syn",
        "syn DURATION",
        "TCP, until the handshake is done.",
        duration(100, MAX_MS, TICK_MS),
        default="10s",
    ),
    Setting(
        "established",
        "established DURATION",
        "TCP, while open.",
        duration(1000, MAX_MS, TICK_MS),
        default="15m",
    ),
    Setting(
        "fin",
        "fin DURATION",
        "TCP, after the first FIN.",
        duration(100, MAX_MS, TICK_MS),
        default="30s",
    ),
    Setting(
        "close",
        "close DURATION",
        "TCP, after a reset or the last ACK.",
        duration(100, MAX_MS, TICK_MS),
        default="5s",
    ),
    Setting("udp", "udp DURATION", "UDP.", duration(100, MAX_MS, TICK_MS), default="30s"),
)

kind(
    "limits",
    Setting(
        "connections",
        "connections NUMBER",
        "Sessions at a time, on a node.",
        number(1, MAX_CONNECTIONS),
    ),
    Setting(
        "new-per-source",
        "new-per-source RATE",
        "New sessions a second of one source, on a node.",
        lambda reader: reader.rate(MAX_CONNECTIONS),
    ),
    Setting(
        "allow",
        'allow PREFIX, ... | allow from "FILE"',
        "Sources to let in, and no others; without it, all.",
        _allow,
        key=_access_key,
    ),
    Setting(
        "deny",
        'deny PREFIX, ... | deny from "FILE"',
        "Sources to keep out, even of those that are let in.",
        _deny,
        key=_access_key,
    ),
)

kind(
    "load",
    Setting(
        "sessions",
        "sessions NUMBER",
        "Sessions open at a time, over all nodes of a cluster.",
        number(1, MAX_CONNECTIONS),
        required=True,
    ),
    Setting(
        "new",
        "new RATE",
        "New sessions a second; each stays for a while after its end.",
        lambda reader: reader.rate(MAX_CONNECTIONS),
        default="0/s",
    ),
)
