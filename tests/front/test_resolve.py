"""What a description means: the model that comes out."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from tvsc.lower import load_site
from tvsc.model import HttpCheck, PciDevice, Preference, Site, TcpCheck, VdevDevice
from tvsc.source import SourceMap

CASES = Path(__file__).parents[1] / "diagnostics" / "cases" / "base"
EXAMPLES = Path(__file__).parents[2] / "examples"


def load(tmp_path: Path, text: str, with_cluster: bool = True) -> tuple[Site, SourceMap]:
    """A site with a sound cluster and `text`."""
    base = f'language 1\ninclude "{CASES}/site.tvs"\n'
    if with_cluster:
        base += f'include "{CASES}/cluster.tvs"\n'
    path = tmp_path / "site.tvs"
    path.write_text(base + text)
    site, diagnostics, sources = load_site(path)
    assert site is not None, [d.message for d in diagnostics]
    return site, sources


def weights(site: Site, pool: str) -> dict[str, int]:
    return {s.key: s.weight for s in site.pool_by_name[pool].servers}


def test_loops_and_functions(tmp_path: Path) -> None:
    site, _ = load(
        tmp_path,
        """
let net = 10.20.0.0/16
let first = 256
for p in 1..2 {
    let port = 8000 + p
    pool "p{p}" {
        for i in 1..3 { server host(net, first * p + i):port weight i * 10 }
        for i in 1..2 { server host(subnet(net, 24, 9), i):80 }
    }
    service "s{p:03}" { vip 203.0.113.0 + p  listen tcp 80 -> "p{p}" }
}
""",
    )
    assert weights(site, "p2") == {
        "10.20.2.1:8002": 10,
        "10.20.2.2:8002": 20,
        "10.20.2.3:8002": 30,
        "10.20.9.1:80": 1,
        "10.20.9.2:80": 1,
    }
    assert [s.name for s in site.services] == ["s001", "s002"]
    assert str(site.services[1].vips[0].address) == "203.0.113.2"


def test_arithmetic(tmp_path: Path) -> None:
    site, _ = load(
        tmp_path,
        """
let a = 2 + 3 * 4 - (1 + 1) / 2
let b = max(a, min(7, 100)) * 2
let c = 1.5 * 4
pool p {
    server 10.0.0.1:b weight a
    server (10.0.0.0 + c):80
    check tcp { every 2s * 3 / 2  timeout 1s + 500ms }
}
service s { vip 203.0.113.1  listen tcp 80 -> p }
""",
    )
    assert weights(site, "p") == {"10.0.0.1:26": 13, "10.0.0.6:80": 1}
    check = site.pools[0].check
    assert isinstance(check, TcpCheck)
    assert (check.every_ms, check.timeout_ms) == (3000, 1500)


def test_like_overrides_at_depth(tmp_path: Path) -> None:
    site, _ = load(
        tmp_path,
        """
pool b like a {
    on-down keep
    check http { path "/b" }
    server 10.0.0.1:80 weight 9
    server 10.0.0.3:80
}
pool a {
    schedule rr
    check http { path "/a"  every 5s }
    server 10.0.0.1:80 weight 1
    server 10.0.0.2:80 weight 1
}
pool c like b { check tcp { port 22 }  schedule wrr }
service s { vip 203.0.113.1  listen tcp 1 -> a  listen tcp 2 -> c }
service t like s { vip 203.0.113.2  listen tcp 2 -> c  listen tcp 3 -> c }
""".replace("pool b like a {", "pool b like a {\n    schedule wrr"),
    )
    b, c = site.pool_by_name["b"], site.pool_by_name["c"]
    assert isinstance(b.check, HttpCheck)
    assert (b.check.path, b.check.every_ms) == ("/b", 5000)
    assert weights(site, "b") == {"10.0.0.1:80": 9, "10.0.0.2:80": 1, "10.0.0.3:80": 1}
    assert isinstance(c.check, TcpCheck)
    assert (c.check.port, c.check.every_ms, c.on_down.value) == (22, 2000, "keep")
    t = site.service_by_name["t"]
    assert [(x.port, x.pool) for x in t.listeners] == [(1, "a"), (2, "c"), (3, "c")]
    assert [str(v.address) for v in t.vips] == ["203.0.113.2"]


def test_defaults_lie_below_like(tmp_path: Path) -> None:
    site, _ = load(
        tmp_path,
        """
defaults {
    pool { schedule rr  check tcp { port 1  every 7s } }
    service { timeouts { udp 77s } }
}
pool a { server 10.0.0.1:80  check tcp { port 2 } }
pool b like a { schedule wrr }
service s { vip 203.0.113.1  listen tcp 1 -> a  listen tcp 2 -> b  timeouts { syn 5s } }
""",
    )
    for pool, schedule in (("a", "rr"), ("b", "wrr")):
        found = site.pool_by_name[pool]
        assert found.schedule == schedule
        assert isinstance(found.check, TcpCheck)
        assert (found.check.port, found.check.every_ms) == (2, 7000)
    timeouts = site.services[0].timeouts
    assert (timeouts.udp_ms, timeouts.tcp_syn_ms) == (77_000, 5_000)


def test_local_ips_are_owned_once(tmp_path: Path) -> None:
    site, _ = load(tmp_path, "pool p { server 10.0.0.1:80 }\n")
    a1, a2 = site.clusters[0].nodes
    assert a1.long == IPv4Network("172.16.0.0/24")
    assert [[str(a) for a in w] for w in a1.lips] == [
        ["172.16.0.2", "172.16.0.3"],
        ["172.16.0.4", "172.16.0.5"],
    ]
    assert a2.lips[1][1] == IPv4Address("172.16.1.5")


@pytest.mark.parametrize("name", ["two-clusters", "laptop"])
def test_examples(name: str) -> None:
    site, diagnostics, _ = load_site(EXAMPLES / name / "site.tvs")
    assert diagnostics == []
    assert site is not None
    assert [(c.name, c.role.preference, len(c.nodes)) for c in site.clusters] == [
        ("A", Preference.PRIMARY, 4),
        ("B", Preference.STANDBY, 4),
    ]
    owned = [lip for node in site.nodes() for worker in node.lips for lip in worker]
    assert len(set(owned)) == len(owned)
    for node in site.nodes():
        short = site.cluster_of(node).local_ips.short
        assert node.long.subnet_of(short)
        assert all(lip in node.long for worker in node.lips for lip in worker)
        assert len(node.lips) == node.workers


def test_example_hardware() -> None:
    site, _, _ = load_site(EXAMPLES / "two-clusters" / "site.tvs")
    assert site is not None
    node = site.node_by_name["tvs-b3"]
    assert node.worker_cores == tuple(range(2, 10))
    assert (node.control_core, node.socket, node.index) == (1, 0, 2)
    port = node.ports[0]
    assert port.device == PciDevice(address="0000:3b:00.0")
    assert site.nic_of(port).driver.value == "ixgbe"
    assert site.clusters[1].role.prepend == 3


def test_example_laptop() -> None:
    site, _, _ = load_site(EXAMPLES / "laptop" / "site.tvs")
    assert site is not None
    node = site.node_by_name["tvs-a2"]
    assert not node.pinned
    assert node.ports[0].device == VdevDevice(args="net_tap0,iface=tvs-a2")
    assert str(node.ports[0].address) == "192.0.2.12/24"


def test_every_origin_points_to_what_it_names() -> None:
    site, _, sources = load_site(EXAMPLES / "two-clusters" / "site.tvs")
    assert site is not None

    def text(span: object) -> str:
        assert isinstance(span, tuple)
        file, start, end = span
        return sources.files[file].text[start:end]

    shop = site.pool_by_name["shop"]
    assert text(site.span(shop)) == "pool shop"
    assert text(site.span(shop, "on-down")) == "on-down  keep"
    assert sources.label(site.span(shop.servers[3])) == "pools/shop.csv:5"
    assert text(site.span(site.clusters[1], "role")) == "role standby prepend 3"
    assert text(site.span(site.clusters[1], "steering")).startswith("steering fdir")
    web = site.service_by_name["web"]
    assert text(site.span(web.vips[0])) == "203.0.113.10"
    assert text(site.span(web.listeners[1])) == "listen tcp 443 -> web-tls"
    # a default has the place of what holds it
    assert text(site.span(web, "mode")) == "service web"


def test_place_does_not_depend_on_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same names, and the same model, from another directory."""
    first, _, one = load_site(EXAMPLES / "two-clusters" / "site.tvs")
    monkeypatch.chdir(EXAMPLES / "two-clusters")
    second, _, two = load_site(Path("site.tvs"))
    assert [f.name for f in one.files] == [f.name for f in two.files]
    assert first == second
    assert one.files[0].path != two.files[0].path


def test_names_need_no_quotes_and_variables_are_no_names(tmp_path: Path) -> None:
    """A bare word in the place of a name is that name, even when a variable is called so."""
    site, _ = load(
        tmp_path,
        'let web = 5\npool web { server 10.0.0.1:web }\nservice "s" { vip 203.0.113.1  '
        "listen tcp 80 -> web }\n",
    )
    assert site.pools[0].servers[0].port == 5


def test_language_of_the_design(tmp_path: Path) -> None:
    """Everything that the language has reaches the model, supported or not."""
    from tvsc.diag import Diagnostic
    from tvsc.dsl import Loader, parse
    from tvsc.lower import resolve

    (tmp_path / "blocked.txt").write_text("198.18.0.0/15\n# comment\n192.0.2.9\n")
    path = tmp_path / "site.tvs"
    path.write_text(
        f"""language 1
include "{CASES}/site.tvs"
include "{CASES}/web.tvs"
include "{CASES}/cluster.tvs"
cluster B like A {{
    role standby local-pref 50
    sync {{ port 7000  key file "secrets/sync.key" }}
    fabric 192.0.2.1 {{ bfd 300ms x 3  password env "BGP" }}
}}
service all {{
    vip     203.0.113.10, 2001:db8::10
    listen  tcp 80 -> web
    mode    tunnel
    client-address toa
    limits  {{ connections 2M  new-per-source 200/s  allow 0.0.0.0/0  deny from "blocked.txt" }}
    min-up  1
    sorry   web
}}
""".replace("cluster B like A {", "cluster B like A {\n    node b1 like a1 { }")
    )
    sources, found = SourceMap(), list[Diagnostic]()
    program = parse(path, sources, found.append)
    assert program is not None
    site = resolve(program, Loader(path, sources, found.append), found)
    assert found == []
    assert site is not None
    service = site.service_by_name["all"]
    assert service.limits is not None
    assert (service.limits.connections, service.limits.new_per_source) == (2_000_000, 200)
    assert [(r.allow, [str(s) for s in r.sources]) for r in service.limits.access] == [
        (True, ["0.0.0.0/0"]),
        (False, ["198.18.0.0/15", "192.0.2.9/32"]),
    ]
    cluster = site.cluster_by_name["B"]
    assert cluster.sync is not None
    assert cluster.sync.key.name == "secrets/sync.key"
    assert cluster.fabric[0].password is not None
    assert cluster.fabric[0].asn == 64500
