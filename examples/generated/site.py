# 500 services in 20 lines: a site from Python. `tvsc check examples/generated/site.py`
from tvsc import Check, Cluster, Fabric, LocalIps, Node, Pool, Port, Server, Service, Site, host

LINK, VIPS, SERVERS = "192.0.2.0/24", "203.0.113.0/24", "10.20.0.0/16"
check = Check(type="http", path="/healthz", every="2s", timeout="500ms")

def node(n: int) -> Node:
    port = Port(name="fwd", vdev=f"net_tap0,iface=lb{n}", nic="tap", address=f"{host(LINK, 10 + n)}/24", gateway="192.0.2.1")
    return Node(name=f"lb{n}", router_id=host("10.255.0.0/24", n), workers="shared", ports=[port])

def pool(i: int) -> Pool:
    return Pool(name=f"app{i:03}", check=check, servers=[Server(address=host(SERVERS, 4 * i + k), port=8080) for k in range(1, 4)])

pools = [pool(i) for i in range(500)]
services = [Service(name=p.name, vip=host(VIPS, 1 + i % 250), listen=f"tcp {80 + i // 250} -> {p.name}") for i, p in enumerate(pools)]
cluster = Cluster(name="A", workers=2, steering="software", sessions="100k", idle="interrupt",
                  local_ips=LocalIps(short="172.16.0.0/22", long="/24", workers=4),
                  fabric=Fabric(address="192.0.2.1", asn=64500, bfd="300ms x 3"), nodes=[node(n) for n in range(1, 3)])
site = Site(name="generated", asn=64512, seed="generated", clusters=[cluster], pools=pools, services=services)
