"""Reads `1.2.3.4:5555 -> 203.0.113.10:80/tcp`; every mistake is a message with a caret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from tvsc.diag import Diagnostic, codes, in_source_order
from tvsc.nic import ICMP, TCP, UDP, Packet
from tvsc.source import SourceMap, Span

PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}
_MAX_CHARACTERS = 200
_HELP = 'a flow looks like "1.2.3.4:5555 -> 203.0.113.10:80/tcp", or "1.2.3.4 -> 203.0.113.10/icmp"'


@dataclass(frozen=True, slots=True)
class Flow:
    """Two ends and a protocol (`tcp`, `udp`, `icmp`); ports are 0 for ICMP."""

    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    protocol: str

    @property
    def packet(self) -> Packet:
        """Its packets, as a NIC sees them."""
        return Packet(
            int(self.source),
            int(self.destination),
            PROTOCOLS[self.protocol],
            self.source_port,
            self.destination_port,
        )

    def __str__(self) -> str:
        return str(self.packet)


def parse_flow(text: str) -> tuple[Flow | None, list[Diagnostic], SourceMap]:
    """The flow, or None and what is wrong with the text."""
    sources = SourceMap()
    shown = text if len(text) <= _MAX_CHARACTERS else text[:_MAX_CHARACTERS] + "..."
    reader = _Reader(sources.add("flow", "flow", shown.replace("\n", " ")))
    flow = reader.read(shown.replace("\n", " ")) if len(text) <= _MAX_CHARACTERS else None
    if len(text) > _MAX_CHARACTERS:
        reader.fail("a flow is not so long", _MAX_CHARACTERS, len(shown))
    return (None if reader.found else flow), in_source_order(reader.found), sources


class _Reader:
    def __init__(self, file: int) -> None:
        self.file = file
        self.found: list[Diagnostic] = []

    def fail(self, message: str, start: int, end: int) -> None:
        span = Span(self.file, start, max(end, start + 1))
        self.found.append(Diagnostic(codes.FLOW_TEXT, message, span, help=_HELP))

    def read(self, text: str) -> Flow | None:
        arrow = text.find("->")
        if arrow < 0:
            end = len(text.rstrip())
            self.fail("expected `->` between the two ends of the flow", end, end + 1)
            return None
        slash = text.find("/", arrow)
        if slash < 0:
            end = len(text.rstrip())
            self.fail("expected `/` and a protocol: `/tcp`, `/udp` or `/icmp`", end, end + 1)
            return None
        protocol = self._protocol(text, slash + 1)
        ports = None if protocol is None else protocol != "icmp"
        source = self._end(text, 0, arrow, "source", ports)
        destination = self._end(text, arrow + 2, slash, "destination", ports)
        if source is None or destination is None or protocol is None:
            return None
        return Flow(*source, *destination, protocol)

    def _protocol(self, text: str, start: int) -> str | None:
        start, end = _trim(text, start, len(text))
        word = text[start:end]
        if word.lower() in PROTOCOLS:
            return word.lower()
        what = f"there is no protocol `{word}` here" if word else "the protocol is missing"
        self.fail(f"{what}: write `tcp`, `udp` or `icmp`", start, end)
        return None

    def _end(
        self, text: str, start: int, end: int, what: str, ports: bool | None
    ) -> tuple[IPv4Address, int] | None:
        """Address and port of one end; `ports` is None when it is not known whether it has one."""
        start, end = _trim(text, start, end)
        part = text[start:end]
        if not part:
            self.fail(f"the {what} is missing", start, start + 1)
            return None
        if _is_ipv6(part):
            self.fail("IPv6 is not supported in this version", start, end)
            return None
        colon = part.find(":")
        address = self._address(part if colon < 0 else part[:colon], start, what)
        if colon < 0:
            if ports:
                self.fail(f"the {what} has no port", end, end + 1)
            return None if address is None or ports is not False else (address, 0)
        if ports is False:
            self.fail("ICMP has no ports", start + colon, end)
            return None
        port = self._port(part[colon + 1 :], start + colon + 1)
        return None if address is None or port is None else (address, port)

    def _address(self, text: str, start: int, what: str) -> IPv4Address | None:
        try:
            return IPv4Address(text.strip())
        except AddressValueError:
            length = len(text.rstrip())
            self.fail(f"`{text.strip()}` is no IPv4 address for the {what}", start, start + length)
            return None

    def _port(self, text: str, start: int) -> int | None:
        lead, end = _trim(text, 0, len(text))
        word = text[lead:end]
        if re.fullmatch(r"[0-9]{1,5}", word) and 1 <= int(word) <= 65535:
            return int(word)
        said = f"`{word}` is no port" if word else "the port is missing"
        self.fail(f"{said}: write a number from 1 to 65535", start + lead, start + end)
        return None


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _is_ipv6(text: str) -> bool:
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    try:
        IPv6Address(bare)
    except AddressValueError:
        return False
    return True
