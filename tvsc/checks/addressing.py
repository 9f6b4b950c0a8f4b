"""Addresses: every one has one owner, prefixes nest, and what must be reachable is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from itertools import chain, pairwise

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Address, Node, Noun, Server, Site
from tvsc.model.servers import Range
from tvsc.source import Span


def long_prefixes_nest(site: Site) -> Iterator[Diagnostic]:
    """A long prefix is longer than the short one, and the short one has one for every node."""
    for cluster in site.clusters:
        ips = cluster.local_ips
        span = site.span(ips, "long")
        note = (Note(f"`short` is {ips.short}", site.span(ips, "short")),)
        bits = ips.long_length - ips.short.prefixlen
        if bits < 0 or (bits == 0 and len(cluster.nodes) > 1):
            yield Diagnostic(
                codes.PREFIX_NOT_NESTED,
                f"`long /{ips.long_length}` does not lie inside `short {ips.short}`",
                span,
                note,
                "a long prefix has more bits than the short one",
            )
        elif len(cluster.nodes) > (room := 1 << bits):
            yield Diagnostic(
                codes.PREFIX_NOT_NESTED,
                f"`short {ips.short}` has {room} prefixes of /{ips.long_length}, and cluster"
                f" `{cluster.name}` has {len(cluster.nodes)} nodes",
                site.span(ips, "short"),
                help=f"write a `short` of /{_bits_for(ips.long_length, len(cluster.nodes))} or"
                " less, or a longer `long`",
            )


def _bits_for(long_length: int, nodes: int) -> int:
    return max(0, long_length - (nodes - 1).bit_length())


def local_ips_inside_prefix(site: Site) -> Iterator[Diagnostic]:
    """Every local IP lies inside its node's long prefix."""
    for cluster in site.clusters:
        ips = cluster.local_ips
        room = 1 << (32 - ips.long_length)
        outside = next(
            (
                lip
                for node in cluster.nodes[:1]
                for w in node.lips
                for lip in w
                if lip not in node.long
            ),
            None,
        )
        if outside is None:
            continue
        block = 1 << (ips.per_worker - 1).bit_length()
        yield Diagnostic(
            codes.LIP_OUTSIDE,
            f"{cluster.workers} workers with {ips.per_worker} local IPs each need"
            f" {cluster.workers * block} addresses, and a /{ips.long_length} has {room}",
            site.span(ips, "workers"),
            (Note(f"{outside} would be outside {cluster.nodes[0].long}", site.span(ips, "long")),),
            f"at most {_largest_block(room, cluster.workers)} each fit, or write a shorter `long`",
        )


def _largest_block(room: int, workers: int) -> int:
    share = room // workers
    return 1 << (share.bit_length() - 1) if share else 0


def short_prefixes_apart(site: Site) -> Iterator[Diagnostic]:
    """The local IPs of two clusters do not overlap: a reply would reach the wrong one."""
    ranges = sorted(
        (int(c.local_ips.short.network_address), int(c.local_ips.short.broadcast_address), i)
        for i, c in enumerate(site.clusters)
    )
    for (_, end, i), (start, _, j) in pairwise(ranges):
        if start > end:
            continue
        first, second = site.clusters[min(i, j)], site.clusters[max(i, j)]
        yield Diagnostic(
            codes.LIP_OVERLAP,
            f"the local IPs of clusters `{first.name}` and `{second.name}` overlap:"
            f" {first.local_ips.short} and {second.local_ips.short}",
            site.span(second.local_ips, "short"),
            (Note(f"those of `{first.name}`", site.span(first.local_ips, "short")),),
        )


Place = Callable[[], Span | None]
"""Where an address was written, to be asked for when there is a message about it."""


class _Owners:
    """Who has which address; an address that gets a second owner is a message."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.known: dict[Address, tuple[str, Place]] = {}

    def add(
        self, address: Address, what: str, place: Place, node: Node | None = None
    ) -> Iterator[Diagnostic]:
        earlier = self.known.setdefault(address, (what, place))
        if earlier[0] == what:
            return
        span, first = place(), earlier[1]()
        notes = (Note(f"{earlier[0]} is here", first),)
        if node is not None and span == first:
            notes = (_from_here(self.site, node),)
        yield Diagnostic(
            codes.ADDRESS_COLLISION, f"{address} is {what} and also {earlier[0]}", span, notes
        )


def _from_here(site: Site, node: Node) -> Note:
    """Two nodes have one line's value: this is the second, which says nothing of its own."""
    return Note(f"node `{node.name}` has it by a loop or by `like`", site.span(node))


def addresses_have_one_owner(site: Site) -> Iterator[Diagnostic]:
    """Node, gateway, neighbour, VIP, server and local-IP addresses do not collide."""
    owners = _Owners(site)
    place: Place
    for node, port in ((n, p) for n in site.nodes() for p in n.ports):
        place = partial(site.span, port, "address")
        what = f"the address of node `{node.name}`"
        if port is not node.ports[0]:
            what = f"the address of port `{port.name}` of node `{node.name}`"
        yield from owners.add(port.address.ip, what, place, node)
    links: dict[Address, Place] = {
        p.gateway: partial(site.span, p, "gateway") for n in site.nodes() for p in n.ports
    }
    for cluster in site.clusters:
        links |= {f.address: partial(site.span, f) for f in cluster.fabric}
    for address, place in links.items():
        yield from owners.add(address, "the address of a switch", place)
    for service in site.services:
        for vip in service.vips:
            yield from owners.add(vip.address, "a VIP", partial(site.span, vip))
    local_ips = _LocalIps(site)
    taken = [int(a) for a in owners.known if isinstance(a, IPv4Address)]
    suspects = site.servers.within([*((n, n) for n in taken), *local_ips.ranges])
    for server in (*suspects, *site.servers.ipv6):
        place = partial(site.span, server)
        yield from owners.add(server.address, "the address of a server", place)
    for address, (what, place) in owners.known.items():
        short = local_ips.of(int(address)) if isinstance(address, IPv4Address) else None
        if short is not None:
            yield Diagnostic(
                codes.ADDRESS_COLLISION,
                f"{address} is {what} and lies inside the local IPs {short}",
                place(),
            )


class _LocalIps:
    """The local IPs of all clusters."""

    def __init__(self, site: Site) -> None:
        shorts = (c.local_ips.short for c in site.clusters)
        self._shorts = sorted(shorts, key=lambda n: n.network_address)
        self.ranges = [ends(s) for s in self._shorts]
        self._starts = [first for first, _ in self.ranges]

    def of(self, number: int) -> IPv4Network | None:
        """The prefix that an address is inside of."""
        at = bisect_right(self._starts, number) - 1
        return self._shorts[at] if at >= 0 and number <= self.ranges[at][1] else None


def ends(network: IPv4Network) -> Range:
    """The first and the last address of a network."""
    return int(network.network_address), int(network.broadcast_address)


Host = tuple[Noun, str, Address, str]
"""What must be a host: the noun and its setting, the address, what it is the address of."""


def hosts(site: Site, servers: Iterable[Server]) -> Iterator[Host]:
    """All of them but the router ids, which are but numbers; of the servers those given."""
    for service in site.services:
        yield from ((v, "", v.address, "VIP") for v in service.vips)
    yield from ((s, "", s.address, "server") for s in servers)
    for cluster in site.clusters:
        yield from ((f, "", f.address, "neighbour") for f in cluster.fabric)
        for port in (p for n in cluster.nodes for p in n.ports):
            yield port, "address", port.address.ip, "port address"
            yield port, "gateway", port.gateway, "gateway"


_SPECIAL = {
    IPv4Network("0.0.0.0/8"): "addresses of no host",
    IPv4Network("127.0.0.0/8"): "loopback addresses",
    IPv4Network("224.0.0.0/4"): "multicast addresses",
    IPv4Network("240.0.0.0/4"): "reserved addresses",
}
"""What `_unusable` says, of whole prefixes."""


def addresses_usable(site: Site) -> Iterator[Diagnostic]:
    """No VIP, server, node or neighbour is a multicast, loopback or other special address."""
    nouns: list[Host] = [(n, "router-id", n.router_id, "router id") for n in site.nodes()]
    servers = (*site.servers.within(map(ends, _SPECIAL)), *site.servers.ipv6)
    for noun, field, address, what in chain(nouns, hosts(site, servers)):
        why = _unusable(address)
        if why is not None:
            yield Diagnostic(
                codes.ADDRESS_UNUSABLE, f"{address} is {why}: no {what}", site.span(noun, field)
            )


def _is_plain(first_byte: int) -> bool:
    """Whether all such addresses are those of hosts: nearly all are."""
    return 0 < first_byte < 224 and first_byte != 127


def _unusable(address: Address) -> str | None:
    if isinstance(address, IPv4Address) and _is_plain(int(address) >> 24):
        return None
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified:
        return "no address of a host"
    if address.is_loopback:
        return "a loopback address"
    if isinstance(address, IPv4Address) and int(address) >> 28 == 0xF:
        return "a reserved address"
    if isinstance(address, IPv4Address) and int(address) >> 24 == 0:
        return "no address of a host"
    return None


def local_ips_usable(site: Site) -> Iterator[Diagnostic]:
    """The local IPs are none of the special addresses: servers would not answer them."""
    for cluster in site.clusters:
        short = cluster.local_ips.short
        special = next((s for s in _SPECIAL if s.overlaps(short)), None)
        if special is not None:
            yield Diagnostic(
                codes.ADDRESS_UNUSABLE,
                f"{short} has {_SPECIAL[special]}: no local IPs",
                site.span(cluster.local_ips, "short"),
            )


def router_ids_unique(site: Site) -> Iterator[Diagnostic]:
    """No two nodes have one router id."""
    known: dict[IPv4Address, Node] = {}
    for node in site.nodes():
        earlier = known.setdefault(node.router_id, node)
        if earlier is not node:
            first, span = site.span(earlier, "router-id"), site.span(node, "router-id")
            notes = (Note(f"that of `{earlier.name}`", first),)
            yield Diagnostic(
                codes.DUPLICATE_ROUTER_ID,
                f"nodes `{earlier.name}` and `{node.name}` have the router id {node.router_id}",
                span,
                notes if span != first else (_from_here(site, node),),
            )


RULES = (
    long_prefixes_nest,
    local_ips_inside_prefix,
    short_prefixes_apart,
    addresses_have_one_owner,
    addresses_usable,
    local_ips_usable,
    router_ids_unique,
)
