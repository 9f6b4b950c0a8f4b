"""The site of runtime/test/fixture_generation.c, said again."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import IPv4Network

from tests.naive.site import Limits, Lip, Pool, Port, Rule, Server, Service, Site, ip
from tests.naive.wire import TCP, UDP

RSS_KEY = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
)
TCP_TIMEOUTS = {
    "syn": 50,
    "syn-ack": 60,
    "established": 3000,
    "fin-client": 300,
    "fin-server": 310,
    "closed": 20,
    "reset": 10,
}
UDP_TIMEOUTS = {"udp": 100}

VIP_A = ip("203.0.113.10")
VIP_B = ip("203.0.113.11")
WEB, DNS, KEPT = 0, 1, 2  # pools

LIPS = {
    ip("172.16.0.1"): Lip(worker=0, slot=0),
    ip("172.16.0.2"): Lip(worker=1, slot=0),
    ip("172.16.0.3"): Lip(worker=0, slot=1),
    ip("172.16.0.4"): Lip(worker=1, slot=1),
    ip("172.16.0.9"): Lip(worker=0, slot=None),
    ip("172.16.0.10"): Lip(worker=1, slot=None),
}

FIXTURE = Site(
    n_workers=2,
    steering="fdir",
    rss_key=RSS_KEY,
    reta=(0,) * 64 + (1,) * 64,
    rules=tuple(Rule(address, 0xFFFFFFFF, lip.worker) for address, lip in LIPS.items()),
    ports=(
        Port(ip("192.0.2.11"), 24),
        Port(ip("10.20.0.11"), 16, bytes.fromhex("020000000b01")),
    ),
    lip_base=ip("172.16.0.0"),
    lip_count=16,
    lips=LIPS,
    services=(
        Service(VIP_A, 80, TCP, WEB, TCP_TIMEOUTS),
        Service(VIP_A, 53, UDP, DNS, UDP_TIMEOUTS),
        Service(VIP_B, 443, TCP, KEPT, TCP_TIMEOUTS, sorry=WEB),
        Service(VIP_B, 514, UDP, KEPT, UDP_TIMEOUTS, sorry=DNS),
    ),
    pools=(
        Pool(
            "web",
            (
                Server(ip("10.20.1.1"), 8080, 3),
                Server(ip("10.20.1.2"), 8080, 2),
                Server(ip("10.20.1.3"), 8080, 1),
            ),
            "wrr",
            "reset",
        ),
        Pool(
            "dns",
            (Server(ip("10.20.2.1"), 53, 1), Server(ip("10.20.2.2"), 5353, 1)),
            "wrr",
            "reset",
        ),
        Pool(
            "kept",
            (Server(ip("198.51.100.1"), 443, 5), Server(ip("198.51.100.2"), 443, 1)),
            "rr",
            "keep",
        ),
    ),
    sessions_per_worker=1000,
    port_first=10000,
    port_last=10999,
    flow_key=bytes.fromhex("7766554433221100ffeeddccbbaa9988"),
)


def scheduled(scheduler: str) -> Site:
    """The fixture with all of its pools scheduled in one way."""
    pools = tuple(replace(p, scheduler=scheduler, table_size=251) for p in FIXTURE.pools)
    return replace(FIXTURE, pools=pools)


KEPT_LIMITS = Limits(2, connections=5, ticks_per_session=Fraction(5, 2), burst=2)
LIMITS = (
    Limits(
        0,
        connections=6,
        allow=(IPv4Network("198.18.0.0/30"),),
        deny=(IPv4Network("198.18.0.1/32"),),
    ),
    Limits(
        1,
        ticks_per_session=Fraction(2),
        burst=3,
        deny=(IPv4Network("0.0.0.0/1"), IPv4Network("255.255.255.254/31")),
    ),
    KEPT_LIMITS,
    KEPT_LIMITS,
)

VARIANTS = {
    "fixture": FIXTURE,
    "fixture-software": replace(FIXTURE, steering="software", rules=()),
    "fixture-few-sessions": replace(FIXTURE, sessions_per_worker=8),
    "fixture-few-ports": replace(FIXTURE, port_last=10003),
    "fixture-few-buckets": FIXTURE,
    "fixture-vlan": replace(FIXTURE, ports=(replace(FIXTURE.ports[0], vlan=100), FIXTURE.ports[1])),
    "fixture-maglev": scheduled("maglev"),
    "fixture-source-hash": scheduled("source-hash"),
    "fixture-least-loaded": scheduled("least-loaded"),
    "fixture-toa": replace(
        FIXTURE,
        services=tuple(
            replace(service, client_address="toa") if service.proto == TCP else service
            for service in FIXTURE.services
        ),
    ),
    "fixture-limits": replace(
        FIXTURE,
        services=tuple(
            replace(service, limits=limits)
            for service, limits in zip(FIXTURE.services, LIMITS, strict=True)
        ),
    ),
}
