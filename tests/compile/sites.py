"""Sites made in Python, for tests that need names and values the language would not let through."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from tvsc.model import (
    Bfd,
    ClientAddress,
    Cluster,
    Driver,
    Fabric,
    FlowRules,
    HttpCheck,
    IdlePolicy,
    Listener,
    LocalIps,
    Mode,
    NicProfile,
    Node,
    OnDown,
    PciDevice,
    Pool,
    Port,
    Preference,
    Protocol,
    Role,
    RuleMasks,
    Schedule,
    Secret,
    SecretSource,
    Server,
    Service,
    Site,
    StatusRange,
    Steering,
    Sync,
    TcpCheck,
    Timeouts,
    Vip,
)
from tvsc.source import SourceMap, Span

TIMEOUTS = Timeouts(
    tcp_syn_ms=3000,
    tcp_established_ms=900_000,
    tcp_fin_ms=7050,
    tcp_close_ms=1000,
    udp_ms=30_000,
)


def ixgbe(name: str = "x520") -> NicProfile:
    return NicProfile(
        name=name,
        driver=Driver.IXGBE,
        queues=16,
        rss_key_bytes=40,
        reta_size=128,
        flow_rules=FlowRules(max_rules=2048, masks=RuleMasks.ONE_SHAPE, ipv6=False, exact_trap=128),
    )


def i40e(name: str = "x710") -> NicProfile:
    return NicProfile(
        name=name,
        driver=Driver.I40E,
        queues=64,
        rss_key_bytes=52,
        reta_size=512,
        flow_rules=FlowRules(max_rules=8192, masks=RuleMasks.FULL, ipv6=False),
    )


def lips(long: IPv4Network, workers: int, per_worker: int) -> tuple[tuple[IPv4Address, ...], ...]:
    """As the language's local-ips block hands them out."""
    block = 1 << (per_worker - 1).bit_length()
    first = block if block * (workers + 1) <= long.num_addresses else 0
    start = int(long.network_address) + first
    return tuple(
        tuple(IPv4Address(start + worker * block + slot) for slot in range(per_worker))
        for worker in range(workers)
    )


def make_node(cluster: str, index: int, workers: int, per_worker: int, name: str) -> Node:
    long = IPv4Network((int(IPv4Address("172.16.0.0")) + 256 * index, 24))
    return Node(
        name=name,
        cluster=cluster,
        index=index,
        router_id=IPv4Address(f"10.255.0.{index + 1}"),
        workers=workers,
        worker_cores=tuple(range(2, 2 + workers)),
        socket=0,
        control_core=1,
        ports=(
            Port(
                name="fwd",
                device=PciDevice(address="0000:3b:00.0"),
                nic="x520",
                socket=0,
                address=IPv4Interface(f"192.0.2.{11 + index}/24"),
                gateway=IPv4Address("192.0.2.1"),
                gateway_mac="02:00:00:00:00:01" if index else None,
                address6=None,
                gateway6=None,
                mtu=1500,
                promiscuous=False,
                vlan=None,
            ),
        ),
        long=long,
        lips=lips(long, workers, per_worker),
    )


SYNC = Sync(port=7000, key=Secret(source=SecretSource.FILE, name="sync.key"))


def make_cluster(
    name: str = "A",
    nodes: tuple[str, ...] = ("tvs-a1", "tvs-a2"),
    workers: int = 4,
    per_worker: int = 3,
    steering: Steering = Steering.FDIR,
    role: Role | None = None,
    sync: Sync | None = None,
) -> Cluster:
    return Cluster(
        name=name,
        role=role or Role(preference=Preference.PRIMARY),
        workers=workers,
        steering=steering,
        sessions_per_worker=150_000,
        idle=IdlePolicy.BUSY,
        cpu="x86-64-v2",
        local_ips=LocalIps(
            short=IPv4Network("172.16.0.0/22"), long_length=24, per_worker=per_worker
        ),
        sync=sync,
        fabric=(
            Fabric(
                address=IPv4Address("192.0.2.1"),
                asn=64500,
                hold_ms=9000,
                bfd=Bfd(interval_ms=300, multiplier=3),
                password=Secret(source=SecretSource.ENV, name="BGP_PASSWORD"),
            ),
            Fabric(
                address=IPv4Address("192.0.2.2"), asn=64500, hold_ms=9000, bfd=None, password=None
            ),
        ),
        nodes=tuple(
            make_node(name, index, workers, per_worker, node) for index, node in enumerate(nodes)
        ),
    )


def make_pool(name: str = "web", **changes: object) -> Pool:
    return Pool(
        name=name,
        schedule=Schedule.WRR,
        check=HttpCheck(
            every_ms=2000,
            timeout_ms=1000,
            rise=2,
            fall=3,
            path="/healthz",
            expect=(StatusRange(first=200, last=399),),
            host=None,
        ),
        on_down=OnDown.RESET,
        servers=(
            Server(address=IPv4Address("10.20.1.1"), port=8080, weight=100),
            Server(address=IPv4Address("10.20.1.2"), port=8080, weight=50, drain=True),
        ),
    ).model_copy(update=changes)


def make_site(**changes: object) -> Site:
    """Two nodes, a TCP service on two VIPs, a UDP service, one class of each."""
    dns = make_pool(
        "dns",
        check=TcpCheck(every_ms=2000, timeout_ms=1000, rise=1, fall=1, port=53),
        on_down=OnDown.KEEP,
    )
    return Site(
        name="test",
        asn=64512,
        seed="a seed",
        clusters=(make_cluster(),),
        nics=(ixgbe(),),
        pools=(make_pool(), make_pool("unused"), dns),
        services=(
            Service(
                name="web",
                vips=(
                    Vip(address=IPv4Address("203.0.113.10")),
                    Vip(address=IPv4Address("203.0.113.11")),
                ),
                listeners=(
                    Listener(protocol=Protocol.TCP, port=80, pool="web"),
                    Listener(protocol=Protocol.TCP, port=443, pool="web"),
                ),
                mode=Mode.FULLNAT,
                client_address=ClientAddress.NONE,
                timeouts=TIMEOUTS,
                limits=None,
                min_up=0,
                sorry=None,
            ),
            Service(
                name="dns",
                vips=(Vip(address=IPv4Address("203.0.113.53")),),
                listeners=(Listener(protocol=Protocol.UDP, port=53, pool="dns"),),
                mode=Mode.FULLNAT,
                client_address=ClientAddress.NONE,
                timeouts=TIMEOUTS,
                limits=None,
                min_up=0,
                sorry=None,
            ),
        ),
    ).model_copy(update=changes)


def make_sources(name: str = "site.tvs") -> SourceMap:
    """A source map with one file, in which everything was written on line 1."""
    sources = SourceMap()
    sources.add(name, name, "site test\n")
    return sources


def with_origins(site: Site) -> Site:
    """The same site, all of it written on the first line."""
    site.origins.put("", Span(0, 0, 4))
    return site
