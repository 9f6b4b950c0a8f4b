"""The same site as examples/laptop/site.tvs, in the same order."""

from datetime import timedelta

from tvsc import (
    Check,
    Cluster,
    Defaults,
    Fabric,
    Listen,
    LocalIps,
    Nic,
    Node,
    Pool,
    Port,
    Secret,
    Server,
    Service,
    Site,
    Sync,
    Timeouts,
    host,
    subnet,
)

LINK = "192.0.2.0/24"
LOOP = "10.255.0.0/24"
LIPS = "172.16.0.0/16"
SERVERS = "10.20.0.0/24"


def node(name: str, n: int, router: int) -> Node:
    port = Port(name="fwd", vdev=f"net_tap0,iface={name}", address=f"{host(LINK, n)}/24")
    return Node(name=name, router_id=host(LOOP, router), ports=[port])


def server(n: int, port: int = 8080, weight: int | None = None) -> Server:
    return Server(address=host(SERVERS, n), port=port, weight=weight)


half = timedelta(milliseconds=500)
defaults = Defaults(
    node=Node(
        workers="shared",
        control="shared",
        ports=[Port(name="fwd", nic="tap0", gateway=host(LINK, 1))],
    ),
    pool=Pool(
        check=Check(type="http", path="/healthz", every="1s", timeout=half, rise=2, fall=3),
    ),
)

a = Cluster(
    name="A",
    role="primary",
    workers=2,
    steering="fdir",
    sessions="16k",
    idle="interrupt",
    local_ips=LocalIps(short=subnet(LIPS, 22, 0), long=24, workers=4),
    sync=Sync(port=7000, key=Secret(file="sync.key")),
    fabric=Fabric(address=host(LINK, 1), asn=64500, hold="9s", bfd="300ms x 3"),
    nodes=[node(f"tvs-a{n}", 10 + n, n) for n in range(1, 5)],
)
b = Cluster(
    name="B",
    like="A",
    role="standby prepend 3",
    local_ips=LocalIps(short=subnet(LIPS, 22, 1)),
    nodes=[node(f"tvs-b{n}", 20 + n, 100 + n) for n in range(1, 5)],
)

web = Pool(
    name="web",
    schedule="wrr",
    on_down="reset",
    servers=[*(server(10 + i, weight=1) for i in range(1, 4)), server(14, weight=2)],
)
api = Pool(name="api", schedule="rr", on_down="keep", servers=[server(20 + i) for i in range(1, 3)])
apology = Pool(name="apology", on_down="keep", servers=[server(29)])
echo = Pool(
    name="echo",
    schedule="rr",
    check=Check(type="tcp", port=8080, every="1s", timeout="500ms", rise=2, fall=3),
    servers=[f"{host(SERVERS, 20 + i)}:7" for i in range(1, 3)],
)

site = Site(
    name="laptop",
    asn=64512,
    seed="laptop",
    nics=[Nic(name="tap0", driver="tap")],
    defaults=defaults,
    clusters=[a, b],
    pools=[web, api, apology, echo],
    services=[
        Service(
            name="web",
            vip="203.0.113.10",
            listen=Listen(protocol="tcp", port=80, pool=web),
            min_up=1,
        ),
        Service(
            name="api",
            vip="203.0.113.20",
            listen="tcp 80 -> api",
            timeouts=Timeouts(established="5m"),
            sorry=apology,
        ),
        Service(
            name="echo",
            vip=["203.0.113.20"],
            listen=[Listen(protocol="udp", port=7, pool="echo")],
            timeouts=Timeouts(udp="10s"),
        ),
    ],
)
