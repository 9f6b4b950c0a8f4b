"""500 services in 20 lines of Python. Try `tvsc check examples/generated/site.py`."""

from tvsc import Cluster, Fabric, LocalIps, Node, Pool, Port, Secret, Service, Site, Sync, host

LINK, VIPS, SERVERS = "192.0.2.0/24", "203.0.113.0/24", "10.20.0.0/16"


def node(n: int) -> Node:
    port = Port(name="fwd", nic="tap", vdev=f"net_tap0,iface=lb{n}", gateway=host(LINK, 1))
    port.address = f"{host(LINK, 10 + n)}/24"
    return Node(name=f"lb{n}", router_id=host("10.255.0.0/24", n), workers="shared", ports=[port])


def pool(i: int) -> Pool:
    return Pool(name=f"app{i}", servers=[f"{host(SERVERS, 4 * i + k)}:8080" for k in (1, 2, 3)])


def service(i: int) -> Service:
    return Service(name=f"app{i}", vip=host(VIPS, 1 + i % 250), listen=f"tcp {80 + i} -> app{i}")


cluster = Cluster(name="A", workers=2, steering="software", sessions="100k", idle="interrupt")
cluster.local_ips = LocalIps(short="172.16.0.0/22", long="/24", workers=4)
cluster.sync = Sync(port=7000, key=Secret(file="sync.key"))
cluster.fabric = Fabric(address=host(LINK, 1), asn=64500, bfd="300ms x 3")
cluster.nodes = [node(n) for n in range(1, 5)]
site = Site(name="generated", asn=64512, seed="generated", clusters=[cluster])
site.pools = [pool(i) for i in range(500)]
site.services = [service(i) for i in range(500)]
