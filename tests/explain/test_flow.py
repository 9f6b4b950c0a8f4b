"""`tvsc explain flow`: what it says, and what it says about a flow written wrongly."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.naive.scheduled import scheduled_site
from tvsc.cli.main import main
from tvsc.diag import render_text
from tvsc.explain import Explainer, FlowExplanation, Kind, flow_print, parse_flow
from tvsc.explain.types import ServicePart
from tvsc.lower import load_site
from tvsc.model import Steering

EXAMPLES = Path(__file__).parents[2] / "examples"
REQUEST = "198.51.100.7:5555 -> 203.0.113.10:80/tcp"


@cache
def explainer(name: str = "laptop", steering: Steering | None = None) -> Explainer:
    site, diagnostics, sources = load_site(EXAMPLES / name / "site.tvs")
    assert site is not None, diagnostics
    return Explainer(site, sources, steering)


def explain(text: str, name: str = "laptop", steering: Steering | None = None) -> FlowExplanation:
    flow, mistakes, _ = parse_flow(text)
    assert flow is not None, mistakes
    return explainer(name, steering).explain(flow)


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(args)
    output = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, output.out, output.err


@pytest.mark.parametrize("steering", [None, Steering.SOFTWARE])
def test_request_has_one_worker_everywhere(steering: Steering | None) -> None:
    """On every node, for the replies to every local IP it may use, and after every node's loss."""
    for port in range(1024, 1056):
        flow = explain(f"198.51.100.7:{port} -> 203.0.113.10:80/tcp", steering=steering)
        assert flow.kind is Kind.REQUEST
        for cluster in flow.clusters:
            assert len(cluster.nodes) == 4
            workers = {node.arrival.worker for node in cluster.nodes}
            for node in cluster.nodes:
                assert len(node.local_ips) == len(node.replies) == 4
                for reply in node.replies:
                    assert (reply.route_kind, reply.nodes) == ("lip-long", (node.node,))
                    workers |= {arrival.worker for arrival in reply.arrivals}
                assert node.node not in node.loss.survivors
                assert len(node.loss.survivors) == 3
                workers |= {arrival.worker for arrival in node.loss.arrivals}
                for reply in node.loss.replies:
                    assert (reply.route_kind, reply.nodes) == ("lip-short", node.loss.survivors)
                    workers |= {arrival.worker for arrival in reply.arrivals}
            assert len(workers) == 1


def test_service_class_and_pool() -> None:
    service = explain(REQUEST).service
    assert service is not None
    assert (service.name, service.pool, service.schedule) == ("web", "web", "wrr")
    assert [c.weight for c in service.candidates] == [1, 1, 1, 2]
    assert all(c.takes_new for c in service.candidates)
    assert service.origin.startswith("site.tvs:")


def test_sorry_pool_and_min_up(capsys: pytest.CaptureFixture[str]) -> None:
    shop = explain("198.51.100.7:5555 -> 203.0.113.11:80/tcp", "two-clusters").service
    assert shop is not None
    assert shop.sorry is not None
    assert (shop.sorry.name, len(shop.sorry.candidates), shop.min_up) == ("apology", 2, 0)
    dns = explain("198.51.100.7:5555 -> 203.0.113.53:53/udp", "two-clusters").service
    assert dns is not None
    assert (dns.sorry, dns.min_up, dns.keeps) == (None, 2, ())
    site = str(EXAMPLES / "two-clusters" / "site.tvs")
    _, said, _ = run(["explain", "flow", site, "198.51.100.7:1 -> 203.0.113.53:53/udp"], capsys)
    assert "min-up 2: a node that sees fewer servers of dns withdraws the VIP\n" in said
    _, said, _ = run(["explain", "flow", site, "198.51.100.7:1 -> 203.0.113.11:80/tcp"], capsys)
    assert "sorry pool apology" in said
    assert "10.20.9.2:8080 weight 1" in said


def test_the_last_cluster_keeps_what_a_sorry_pool_serves(tmp_path: Path) -> None:
    text = (EXAMPLES / "laptop" / "site.tvs").read_text(encoding="utf-8")
    path = tmp_path / "site.tvs"
    path.write_text(text.replace("sorry apology", "sorry apology  min-up 2"), encoding="utf-8")
    site, diagnostics, sources = load_site(path)
    assert site is not None, diagnostics
    flow, _, _ = parse_flow("198.51.100.7:5555 -> 203.0.113.20:80/tcp")
    assert flow is not None
    explained = Explainer(site, sources).explain(flow)
    assert explained.service is not None
    assert explained.service.keeps == ("B",)
    assert "withdraws the VIP, but in cluster B, the last" in flow_print.text(explained)


@cache
def of_scheduled() -> Explainer:
    site, diagnostics, sources = load_site(scheduled_site())
    assert site is not None, diagnostics
    return Explainer(site, sources)


def scheduled(text: str) -> ServicePart:
    flow, mistakes, _ = parse_flow(text)
    assert flow is not None, mistakes
    service = of_scheduled().explain(flow).service
    assert service is not None
    return service


def test_server_by_hash() -> None:
    """By the flow with maglev, by the client alone with source-hash."""
    ends = [f"198.51.100.7:{port}" for port in range(1024, 1064)]
    by_flow = {scheduled(f"{end} -> 203.0.113.10:80/tcp").server for end in ends}
    by_client = {scheduled(f"{end} -> 203.0.113.20:7/udp").server for end in ends}
    assert by_flow == {f"10.20.0.{11 + n}:8080" for n in range(4)}
    assert len(by_client) == 1
    assert by_client < {"10.20.0.21:7", "10.20.0.22:7"}


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("rr", "the worker's own turn decides, each server once"),
        ("wrr", "the worker's own turn decides, each server by its weight"),
        ("least-loaded", "fewer of the worker's sessions for its weight"),
        ("maglev", ":8080 while all are healthy; the flow's hash decides, the same on every node"),
        ("source-hash", ":8080 while all are healthy; the hash of the client's address decides"),
    ],
)
def test_text_of_schedules(
    schedule: str, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = (EXAMPLES / "laptop" / "site.tvs").read_text()
    site = tmp_path / "site.tvs"
    site.write_text(text.replace("schedule wrr", f"schedule {schedule}").replace(" weight 2", ""))
    code, out, _ = run(["explain", "flow", str(site), REQUEST], capsys)
    assert code == 0
    (pool,) = [line for line in out.splitlines() if line.startswith("  pool web")]
    assert f", {schedule}: " in pool
    assert words in pool


def test_servers_that_take_nothing_new_are_not_named(tmp_path: Path) -> None:
    text = (EXAMPLES / "laptop" / "site.tvs").read_text().replace("schedule wrr", "schedule maglev")
    site_file = tmp_path / "site.tvs"
    site_file.write_text(
        re.sub(r"for i in 1..3 (.*) weight 1 }", r"for i in 1..3 \1 drain }", text)
    )
    site, diagnostics, sources = load_site(site_file)
    assert site is not None, diagnostics
    known = Explainer(site, sources)
    for port in range(1024, 1064):
        flow, _, _ = parse_flow(f"198.51.100.7:{port} -> 203.0.113.10:80/tcp")
        assert flow is not None
        service = known.explain(flow).service
        assert service is not None
        assert service.server == "10.20.0.14:8080"


def test_how_the_server_learns_the_client(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (EXAMPLES / "laptop" / "site.tvs").read_text(encoding="utf-8")
    site = tmp_path / "site.tvs"
    site.write_text(text.replace("service web {\n", "service web {\n    client-address toa\n"))
    _, said, _ = run(["explain", "flow", str(site), REQUEST], capsys)
    assert "client's address and port in TCP option 254 (TOA)" in said
    _, said, _ = run(["explain", "flow", str(site), REQUEST.replace(".10:", ".20:")], capsys)
    assert "TOA" not in said
    _, said, _ = run(["explain", "flow", str(site), REQUEST, "--format", "json"], capsys)
    assert json.loads(said)["service"]["client_address"] == "toa"


def test_cores_and_blocks() -> None:
    """With pinned workers the core is told, with masks one rule stands for a worker's local IPs."""
    flow = explain(REQUEST, "two-clusters")
    node = flow.clusters[0].nodes[0]
    assert node.arrival.worker is not None
    assert node.arrival.core == 2 + node.arrival.worker
    assert len(node.replies) == 16
    assert {a.rule for r in node.replies for a in r.arrivals} == {
        f"172.16.0.{16 * (node.arrival.worker + 1)}/28"
    }


def test_clusters_in_the_order_of_preference() -> None:
    flow = explain(REQUEST)
    assert [(c.cluster, c.role) for c in flow.clusters] == [
        ("A", "primary"),
        ("B", "standby, prepends 3"),
    ]


LOWERED = """language 1
site s {{ asn 64512  seed "s" }}
cluster C {{
    {first}
    workers 1  steering software  sessions 16k per worker  idle interrupt
    local-ips {{ short 172.16.0.0/24  long /24 per node  workers 1 each }}
    fabric 192.0.2.1 {{ asn {asn} }}
    node c {{
        router-id 10.255.0.1  workers shared
        port fwd {{ vdev "net_tap0"  nic tap  address 192.0.2.11/24  gateway 192.0.2.1 }}
    }}
}}
cluster B like C {{
    {second}
    local-ips {{ short 172.16.1.0/24 }}
    node b like c {{ router-id 10.255.0.2  port fwd {{ address 192.0.2.12/24 }} }}
}}
cluster A like C {{
    role primary
    local-ips {{ short 172.16.2.0/24 }}
    node a like c {{ router-id 10.255.0.3  port fwd {{ address 192.0.2.13/24 }} }}
}}
pool web {{ server 10.20.1.1:80  server 10.20.1.2:80 }}
service web {{ vip 203.0.113.10  listen tcp 80 -> web }}
"""


@pytest.mark.parametrize(
    ("asn", "last", "earlier"),
    [
        (64500, "MED 200", "MED 100"),
        (64500, "prepends 1", "MED 100"),
        (64500, "community 64512:80", "prepends 1"),
        (64500, "community 65535:0", "MED 100"),
        (64512, "local preference 50", "local preference 60"),
        (64512, "local preference 50", "MED 100"),
        (64512, "community 64512:80:1", "local preference 50"),
    ],
)
def test_ways_of_lowering_in_the_order_of_the_switch(
    asn: int, last: str, earlier: str, tmp_path: Path
) -> None:
    def role(said: str) -> str:
        way, _, value = said.rpartition(" ")
        word = {"prepends": "prepend", "MED": "med", "local preference": "local-pref"}.get(way, way)
        return f"role standby {word} " + (f'"{value}"' if word == "community" else value)

    path = tmp_path / "site.tvs"
    path.write_text(LOWERED.format(asn=asn, first=role(last), second=role(earlier)))
    site, diagnostics, sources = load_site(path)
    assert site is not None, render_text(diagnostics, sources)
    flow, _, _ = parse_flow(REQUEST)
    assert flow is not None
    assert [(c.cluster, c.role) for c in Explainer(site, sources).explain(flow).clusters] == [
        ("A", "primary"),
        ("B", f"standby, {earlier}"),
        ("C", f"standby, {last}"),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("1.2.3.4:1 -> 203.0.113.20:81/tcp", Kind.NO_LISTENER, "listens on tcp 80, udp 7 only"),
        ("1.2.3.4:1 -> 203.0.113.10:80/udp", Kind.NO_LISTENER, "vip_no_listener"),
        (
            "1.2.3.4 -> 203.0.113.10/icmp",
            Kind.ECHO,
            "answers it; an error about a session is handed",
        ),
        ("127.0.0.1:1 -> 203.0.113.10:80/tcp", Kind.MARTIAN, "the packet is dropped"),
        ("203.0.113.20:1 -> 203.0.113.20:7/udp", Kind.MARTIAN, "counted as `martian_source`"),
        ("224.0.0.1 -> 203.0.113.10/icmp", Kind.MARTIAN, "an echo request is dropped"),
        ("127.0.0.1:1 -> 203.0.113.10:81/tcp", Kind.NO_LISTENER, "vip_no_listener"),
        ("0.0.0.1 -> 172.16.1.5/icmp", Kind.LOCAL_IP, "dropped and counted as `martian_source`"),
        ("10.0.0.1:80 -> 172.16.1.5:2000/tcp", Kind.LOCAL_IP, "of tvs-a2, worker 0"),
        ("10.0.0.1 -> 172.16.1.5/icmp", Kind.LOCAL_IP, "is answered"),
        ("10.0.0.1:80 -> 172.16.1.1:2000/tcp", Kind.LOCAL_IP, "lip_unknown"),
        ("1.2.3.4:1 -> 192.0.2.23:179/tcp", Kind.OWN_ADDRESS, "of tvs-b3 itself"),
        ("192.0.2.12:1 -> 192.0.2.11:7000/tcp", Kind.OWN_ADDRESS, "goes to its kernel"),
        ("192.0.2.12:1 -> 192.0.2.11:7001/udp", Kind.OWN_ADDRESS, "goes to its kernel"),
        ("192.0.2.12:49152 -> 192.0.2.11:7000/udp", Kind.SYNC, "worker 1 takes what tvs-a2 tells"),
        ("192.0.2.12:49156 -> 192.0.2.11:7000/udp", Kind.SYNC, "worker 0 takes what tvs-a2 tells"),
        ("192.0.2.21:1 -> 192.0.2.11:7000/udp", Kind.SYNC, "dropped (`sync_no_peer`)"),
        ("1.2.3.4:1 -> 9.9.9.9:80/tcp", Kind.FOREIGN, "no node announces it"),
    ],
)
def test_other_destinations(text: str, kind: Kind, words: str) -> None:
    flow = explain(text)
    assert (flow.kind, flow.service) == (kind, None)
    assert words in flow.summary


def test_reply_after_the_loss_of_its_node() -> None:
    flow = explain("10.20.0.11:8080 -> 172.16.1.9:2000/tcp")
    (cluster,) = flow.clusters
    (node,) = cluster.nodes
    assert (cluster.receives, node.arrival.worker) == (("tvs-a2",), 1)
    assert node.replies[0].route == "172.16.1.0/24"
    (after,) = node.loss.replies
    assert (after.route, after.nodes) == ("172.16.0.0/22", ("tvs-a1", "tvs-a3", "tvs-a4"))
    assert {a.worker for a in after.arrivals} == {1}


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    site = str(EXAMPLES / "laptop" / "site.tvs")
    code, out, err = run(["explain", "flow", site, REQUEST], capsys)
    assert (code, err) == (0, "")
    for words in (
        f"{REQUEST}: a request to service web",
        "pool web (site.tvs:",
        "10.20.0.14:8080 weight 2",
        "cluster A (primary), steering fdir: one of tvs-a1, tvs-a2, tvs-a3, tvs-a4; the switch's",
        "replies come back by 172.16.2.0/24, which it alone announces; flow rules 172.16.2.",
        "after its loss: one of tvs-a1, tvs-a2, tvs-a4: the same queue",
        "only when no node of cluster A announces the VIP",
        "open sessions go on with the dead node's local IP on the survivor (session sync)",
    ):
        assert words in out


@pytest.mark.parametrize("synced", [True, False])
def test_open_sessions(synced: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What becomes of them after a node's loss is said in both forms, of requests and replies."""
    text = (EXAMPLES / "laptop" / "site.tvs").read_text()
    text = re.sub(r" *sync *\{[^}]*\}\n", "", text)
    if synced:
        text = text.replace("cluster A {", 'cluster A {\n    sync { port 7000  key env "K" }', 1)
    site = tmp_path / "site.tvs"
    site.write_text(text)
    reply = "10.20.0.11:8080 -> 172.16.1.9:2000/tcp"
    said = {
        REQUEST: "open sessions go on with the dead node's local IP on the survivor (session sync)"
        if synced
        else "open sessions end (the cluster has no `sync`), new ones are served",
        reply: "the session goes on there (session sync)"
        if synced
        else "`lip_of_peer`: the session was not handed over (the cluster has no `sync`)",
    }
    for flow, words in said.items():
        code, out, _ = run(["explain", "flow", str(site), flow], capsys)
        assert code == 0
        assert words in out
        _, out, _ = run(["explain", "flow", str(site), flow, "--format", "json"], capsys)
        for node in json.loads(out)["clusters"][0]["nodes"]:
            assert node["loss"]["sessions_go_on"] is synced


def test_text_of_two_nodes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The one that is left is named once, also where its cores are others."""
    site = tmp_path / "site.tvs"
    text = (EXAMPLES / "laptop" / "site.tvs").read_text().replace("1..4", "1..2")
    text = text.replace("workers shared", "workers cores 2-3\n control core 1", 1)
    text = text.replace("        control shared\n", "", 1)
    site.write_text(
        text.replace(
            "cluster A {",
            'cluster A {\n node z like "tvs-a1" { workers cores 4-5\n'
            ' router-id 10.255.0.9  port fwd { vdev "net_tap0,iface=z"\n address 192.0.2.99/24 } }',
        ).replace('for n in 1..2 {\n        node "tvs-a', 'for n in 1..1 {\n        node "tvs-a')
    )
    code, out, err = run(["explain", "flow", str(site), REQUEST], capsys)
    assert (code, err) == (0, "")
    lost = [line.strip() for line in out.splitlines() if "after its loss" in line]
    assert "after its loss: z: queue 1, worker 1, core 5" in lost
    assert "after its loss: tvs-b2: the same queue 0, worker 0, core 2" in lost


def test_the_port_of_a_vlan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is named with its VLAN, and the tag changes nothing of where the flow goes."""
    text = (EXAMPLES / "laptop" / "site.tvs").read_text()
    site = tmp_path / "site.tvs"
    site.write_text(re.sub(r"( +)nic +tap0\n", r"\g<0>\1vlan 100\n", text))
    code, out, _ = run(["explain", "flow", str(site), REQUEST], capsys)
    plain = run(["explain", "flow", str(EXAMPLES / "laptop" / "site.tvs"), REQUEST], capsys)[1]
    assert code == 0
    assert out.count(" (by fwd in VLAN 100): ") == 8
    unmarked = out.replace(" (by fwd in VLAN 100)", "")
    assert re.sub(r"site\.tvs:\d+", "", unmarked) == re.sub(r"site\.tvs:\d+", "", plain)
    _, out, _ = run(["explain", "flow", str(site), REQUEST, "--format", "json"], capsys)
    assert {tuple(n["vlans"]) for c in json.loads(out)["clusters"] for n in c["nodes"]} == {(100,)}


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    site = str(EXAMPLES / "laptop" / "site.tvs")
    code, out, _ = run(["explain", "flow", site, REQUEST, "--format", "json"], capsys)
    found = json.loads(out)
    assert code == 0
    assert (found["format_version"], found["kind"], found["flow"]) == (1, "request", REQUEST)
    node = found["clusters"][0]["nodes"][0]
    assert set(node["arrival"]) == {
        *("by", "hash", "row", "rows", "rule", "queue", "worker", "core"),
    }
    assert node["loss"]["survivors"] == ["tvs-a2", "tvs-a3", "tvs-a4"]


def test_codes_are_still_explained(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["explain", "TVS0501"], capsys)
    assert code == 0
    assert out.startswith("# TVS0501: ")


@pytest.mark.parametrize(
    "args", [["flow"], ["flow", "site.tvs"], ["TVS0501", "site.tvs"]], ids=" ".join
)
def test_wrong_usage(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", *args], capsys)[0] == 2


def test_site_with_errors(capsys: pytest.CaptureFixture[str]) -> None:
    bad = Path(__file__).parents[1] / "diagnostics" / "cases" / "TVS0202-empty.tvs"
    code, out, err = run(["explain", "flow", str(bad), REQUEST], capsys)
    assert (code, out) == (1, "")
    assert "error[TVS0202]" in err


MISTAKES = {
    "1.2.3.4:1 203.0.113.10:80/tcp": "expected `->` between the two ends of the flow",
    "1.2.3.4:1 -> 203.0.113.10:80": "expected `/` and a protocol",
    "1.2.3.4:1 -> 203.0.113.10:80/tpc": "there is no protocol `tpc` here",
    "1.2.3.4:1 -> 203.0.113.10:80/": "the protocol is missing",
    "1.2.3.400:1 -> 203.0.113.10:80/tcp": "`1.2.3.400` is no IPv4 address for the source",
    "1.2.3.4:1 -> example.org:80/tcp": "`example.org` is no IPv4 address for the destination",
    "1.2.3.4:0 -> 203.0.113.10:80/tcp": "`0` is no port",
    "1.2.3.4:1 -> 203.0.113.10:65536/tcp": "`65536` is no port",
    "1.2.3.4: -> 203.0.113.10:80/tcp": "the port is missing",
    "1.2.3.4 -> 203.0.113.10:80/udp": "the source has no port",
    "1.2.3.4:1 -> /udp": "the destination is missing",
    "1.2.3.4:1 -> 203.0.113.10/icmp": "ICMP has no ports",
    "2001:db8::1 -> 203.0.113.10:80/tcp": "IPv6 is not supported in this version",
    "[2001:db8::1]:80 -> 203.0.113.10:80/tcp": "IPv6 is not supported in this version",
    "x" * 300: "a flow is not so long",
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda t: t[:40])
def test_mistakes_are_tvs0016(text: str) -> None:
    flow, found, sources = parse_flow(text)
    assert flow is None
    assert {d.code.id for d in found} == {"TVS0016"}
    assert MISTAKES[text] in found[0].message
    shown = render_text(found, sources)
    assert "^" in shown and "a flow looks like" in shown


def test_caret_is_under_the_mistake() -> None:
    _, found, sources = parse_flow("1.2.3.4:1 -> 203.0.113.10:80/tpc")
    assert render_text(found, sources).splitlines()[3:5] == [
        "1 | 1.2.3.4:1 -> 203.0.113.10:80/tpc",
        "  |                              ^^^",
    ]


def test_all_mistakes_at_once_in_order() -> None:
    _, found, _ = parse_flow("1.2.3:99999 -> 9.9.9.9:x/tpc")
    assert [d.span.start for d in found if d.span] == [0, 6, 23, 25]


@given(st.text(max_size=60) | st.text("0123456789.:->/tcpudi[] \n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    flow, found, sources = parse_flow(text)
    assert (flow is None) == bool(found)
    render_text(found, sources)
    if flow is not None:
        assert parse_flow(str(flow))[0] == flow
