"""Consistent hashing on the switch: mirrors BIRD's routes into resilient next-hop groups.

BIRD cannot install such groups, so it exports to a table that nothing is routed by, and this agent
keeps the main table like it. Each prefix has a group of its own, replaced in place when its set of
next hops changes: the kernel then moves only the buckets of the hops that went. The agent keeps no
state of its own but reads the kernel's each time, because the kernel also acts by itself: when a
link goes, its next hops leave all groups at once.
"""

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, TypeAdapter

from tvsc.lab import namespace
from tvsc.lab.switch import BGP_TABLE, MAIN_TABLE

BUCKETS = 256
PROTOCOL = 201  # of the mirrored routes, to tell them from others
GROUPS_FROM = 1000  # ids below are next hops, from here on groups
GRACE_S = 0.05
"""How long a prefix may be missing before it is removed: when a link goes, the kernel takes out
whole multipath routes, and BIRD puts back what is left of them a moment later."""

_RTMGRP_LINK = 0x1
_RTMGRP_IPV4_ROUTE = 0x40
_RTM_DELLINK = 17
_RTM_LINKS = (16, _RTM_DELLINK)
_RTM_ROUTES = (24, 25)
_IFLA_IFNAME = 3
_IFF_RUNNING = 0x40

Hop = tuple[str, str]  # gateway, device
Routes = dict[str, frozenset[Hop]]


class _Hop(BaseModel):
    gateway: str = ""
    dev: str = ""


class _Route(_Hop):
    dst: str
    nhid: int = 0
    nexthops: list[_Hop] = []


class _Member(BaseModel):
    id: int


class _NextHop(_Hop):
    id: int
    group: list[_Member] = []


_ROUTES = TypeAdapter(list[_Route])
_NEXT_HOPS = TypeAdapter(list[_NextHop])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on the switch; `at_ns` is the machine's monotonic clock.

    `link-down`: link `subject` went down or vanished. `route`: prefix `subject` leads to `hops`.
    """

    at_ns: int
    kind: str
    subject: str
    hops: tuple[str, ...] = ()


class EcmpMirror:
    """The agent. With `resilient` false it only watches the routes that BIRD put in `main`."""

    def __init__(self, switch: str, *, resilient: bool) -> None:
        self.switch = switch
        self.resilient = resilient
        self.table = BGP_TABLE if resilient else MAIN_TABLE
        self.routes: Routes = {}
        self.events: list[Event] = []
        self.socket = namespace.inside(switch, _open_monitor)
        self._missing_since: dict[str, float] = {}

    def close(self) -> None:
        self.socket.close()

    def gateways(self, prefix: str) -> frozenset[str]:
        """Addresses of the nodes that `prefix` leads to now."""
        return frozenset(gateway for gateway, _ in self.routes.get(prefix, ()))

    @property
    def impatient(self) -> bool:
        """Whether sync() wants to be called again soon without a new event."""
        return bool(self._missing_since)

    def receive(self) -> bool:
        """Reads what the kernel tells; True when the routes may have changed."""
        changed = False
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                return changed
            except OSError:  # the kernel had more to tell than the socket holds
                changed = True
                continue
            now_ns = time.monotonic_ns()
            for kind, payload in _messages(data):
                if kind in _RTM_LINKS:
                    down = kind == _RTM_DELLINK or not _link_flags(payload) & _IFF_RUNNING
                    if down:
                        self.events.append(Event(now_ns, "link-down", _link_name(payload)))
                        changed = True
                elif kind in _RTM_ROUTES and payload[4] == self.table:
                    changed = True

    def sync(self) -> None:
        """Makes the main table like BIRD's."""
        wanted = self._graced(self._read_table())
        if self.resilient:
            commands = list(self._difference(wanted))
            if commands:
                namespace.batch(self.switch, commands, force=True)
        now_ns = time.monotonic_ns()
        for prefix in sorted(wanted.keys() | self.routes.keys()):
            new = wanted.get(prefix, frozenset())
            if new != self.routes.get(prefix, frozenset()):
                hops = tuple(sorted(gateway for gateway, _ in new))
                self.events.append(Event(now_ns, "route", prefix, hops))
        self.routes = wanted

    def _read_table(self) -> Routes:
        protocol = ["proto", "bird"]
        text = namespace.run_ip(
            ["-n", self.switch, "-j", "route", "show", "table", str(self.table), *protocol]
        )
        return {
            route.dst: frozenset((hop.gateway, hop.dev) for hop in route.nexthops or [route])
            for route in _ROUTES.validate_json(text or "[]")
        }

    def _graced(self, wanted: Routes) -> Routes:
        """`wanted` and what it lacks only since a moment ago."""
        now = time.monotonic()
        missing = {prefix: hops for prefix, hops in self.routes.items() if prefix not in wanted}
        self._missing_since = {
            prefix: since
            for prefix in missing
            if now - (since := self._missing_since.get(prefix, now)) < GRACE_S
        }
        return wanted | {prefix: missing[prefix] for prefix in self._missing_since}

    def _difference(self, wanted: Routes) -> Iterator[str]:
        """`ip` commands that make the kernel's main table like `wanted`."""
        listed = namespace.run_ip(["-n", self.switch, "-j", "nexthop", "show"])
        objects = _NEXT_HOPS.validate_json(listed or "[]")
        mirrored = _ROUTES.validate_json(
            namespace.run_ip(["-n", self.switch, "-j", "route", "show", "proto", str(PROTOCOL)])
            or "[]"
        )
        hop_id = {(o.gateway, o.dev): o.id for o in objects if not o.group}
        members = {o.id: {member.id for member in o.group} for o in objects if o.group}
        group_of = {route.dst: route.nhid for route in mirrored}
        next_hop = max([0, *hop_id.values()])
        next_group = max([GROUPS_FROM, *members])
        used: set[int] = set()
        for prefix, hops in sorted(wanted.items()):
            for gateway, device in sorted(hops):
                if (gateway, device) not in hop_id:
                    next_hop += 1
                    hop_id[gateway, device] = next_hop
                    yield f"nexthop add id {next_hop} via {gateway} dev {device}"
            ids = {hop_id[hop] for hop in hops}
            used |= ids
            group = group_of.get(prefix)
            if group is None:
                next_group += 1
                group = next_group
            if members.get(group) != ids:
                listing = "/".join(str(number) for number in sorted(ids))
                yield (
                    f"nexthop replace id {group} group {listing} type resilient "
                    f"buckets {BUCKETS} idle_timer 0 unbalanced_timer 0"
                )
            if prefix not in group_of:
                yield f"route replace {prefix} nhid {group} proto {PROTOCOL}"
        for prefix, group in group_of.items():
            if prefix not in wanted:
                yield f"route del {prefix} proto {PROTOCOL}"
                yield f"nexthop del id {group}"
        for number in sorted(set(hop_id.values()) - used):
            yield f"nexthop del id {number}"


def _open_monitor() -> socket.socket:
    monitor = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    monitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    monitor.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_ROUTE))
    monitor.setblocking(False)
    return monitor


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, payload) of each netlink message."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if length < 16:
            return
        yield kind, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def _link_flags(payload: bytes) -> int:
    flags: int = struct.unpack_from("=8xI", payload)[0]
    return flags


def _link_name(payload: bytes) -> str:
    """IFLA_IFNAME of a link message."""
    offset = 16
    while offset + 4 <= len(payload):
        length, kind = struct.unpack_from("=HH", payload, offset)
        if length < 4:
            break
        if kind == _IFLA_IFNAME:
            return payload[offset + 4 : offset + length].rstrip(b"\0").decode(errors="replace")
        offset += (length + 3) & ~3
    return ""
