"""Nothing that a site says is ignored: every setting, given another value, changes what some node
gets, or is a message.
"""

import re
from pathlib import Path

import pytest

from tvsc.codegen import render_node
from tvsc.lower import load_site
from tvsc.lower.schema import KINDS, Kind
from tvsc.plan import PlanOptions, plan_site

SITE = """language 1
site s { asn 64512  seed "one" }
nic mine { driver ice  queues 64  reta 512  rules 4000 }
cluster A {
    role     primary
    workers  2
    steering fdir
    sessions 100k per worker
    idle     busy
    cpu      x86-64-v2
    failover 10s
    local-ips { short 172.16.0.0/22  long /24 per node  workers 2 each }
    fabric 192.0.2.1 { asn 64500  hold 9s  bfd 300ms x 3  password env "ONE" }
    for n in 1..2 {
        node "a{n}" {
            router-id host(10.255.0.0/24, n)
            workers   cores 2-3 socket 0
            control   core 1
            port fwd {
                pci         0000:3b:00.0
                nic         mine
                socket      0
                address     host(192.0.2.0/24, 10 + n)/24
                gateway     192.0.2.1
                gateway-mac 02:00:00:00:00:01
                mtu         1500
            }
        }
    }
}
cluster B like A {
    role standby prepend 3
    local-ips { short 172.16.4.0/22 }
    for n in 1..2 {
        node "b{n}" like "a{n}" {
            router-id host(10.255.1.0/24, n)
            port fwd { address host(192.0.2.0/24, 20 + n)/24 }
        }
    }
}
pool web {
    schedule wrr
    check http {
        path    "/one"
        expect  200..299
        host    "one.example"
        port    81
        every   2s
        timeout 1s
        rise    2
        fall    3
    }
    on-down reset
    server 10.20.1.1:8080 weight 2
    server 10.20.1.2:8080
    servers from "one.csv"
}
pool dns {
    check tcp { port 53 }
    server 10.20.1.3:53
    server 10.20.1.4:53
}
service web {
    vip    203.0.113.10
    listen tcp 80 -> web
    mode   fullnat
    client-address none
    timeouts { syn 10s  established 15m  fin 30s  close 5s }
    load     { sessions 1k  new 10/s }
    min-up   0
}
service dns {
    vip    203.0.113.11
    listen udp 53 -> dns
    timeouts { udp 30s }
}
"""

# Kind, what is written, and what is written in its place (it shall make another node or a message).
CHANGES = """
file     | language 1                        | language 2
file     | site s {                          | site t {
file     | nic mine {                        | nic mine like other {
file     | cluster A {                       | cluster C {
file     | pool web {                        | pool shop {
file     | service web {                     | service shop {
file     | pool web {                        | defaults { pool { on-down keep } }~pool web {
defaults | cluster A {                       | defaults { cluster { sync { port 1 } } }~cluster A {
defaults | pool web {                        | defaults { node { port out { nic ice } } }~pool web {
defaults | service dns {                     | defaults { service { mode tunnel } }~service dns {
defaults | pool dns {                        | defaults { pool { schedule rr } }~pool dns {
site     | asn 64512                         | asn 64513
site     | seed "one"                        | seed "two"
nic      | driver ice                        | driver i40e
nic      | queues 64                         | queues 1
nic      | reta 512                          | reta 128
nic      | rules 4000                        | rules 1
nic      | driver ice  queues                | driver ice  packet-buffer 64KiB  queues
cluster  | role     primary                  | role     standby
cluster  | standby prepend 3                 | standby prepend 4
cluster  | workers  2                        | workers  1
cluster  | steering fdir                     | steering software
cluster  | sessions 100k                     | sessions 90k
cluster  | idle     busy                     | idle     interrupt
cluster  | cpu      x86-64-v2                | cpu      x86-64-v3
cluster  | failover 10s                      | failover 100ms
cluster  | local-ips { short 172.16.0.0/22   | local-ips { short 172.17.0.0/22
cluster  | fabric 192.0.2.1                  | fabric 192.0.2.2
cluster  | failover 10s                      | sync { port 7000  key env "K" }
cluster  | node "a{n}" {                     | node "c{n}" {
local-ips | short 172.16.4.0/22              | short 172.16.8.0/22
local-ips | long /24                         | long /25
local-ips | workers 2 each                   | workers 3 each
sync     | failover 10s                      | sync { port 7001  key env "K" }
sync     | failover 10s                      | sync { port 7000  key env "L" }
fabric   | asn 64500                         | asn 64501
fabric   | hold 9s                           | hold 12s
fabric   | bfd 300ms x 3                     | bfd 300ms x 4
fabric   | bfd 300ms x 3                     | bfd 200ms x 3
fabric   | password env "ONE"                | password env "TWO"
fabric   | env "ONE"                         | file "ONE"
node     | router-id host(10.255.0.0/24, n)  | router-id host(10.254.0.0/24, n)
node     | workers   cores 2-3               | workers   cores 4,5
node     | socket 0~            control      | socket 1~            control
node     | control   core 1                  | control   core 0
node     | control   core 1                  | control   shared
node     | cores 2-3 socket 0                | shared
node     | port fwd {~                       | port out {~
port     | 0000:3b:00.0                      | 0000:3b:00.1
port     | pci         0000:3b:00.0          | vdev "net_tap0"
port     | nic         mine                  | nic         i40e
port     | socket      0                     | socket      1
port     | address     host(192.0.2.0/24, 10 + n) | address     host(192.0.2.0/24, 30 + n)
port     | gateway     192.0.2.1             | gateway     192.0.2.2
port     | gateway-mac 02:00:00:00:00:01     | gateway-mac 02:00:00:00:00:02
port     | mtu         1500                  | mtu         9000
port     | mtu                               | address6 2001:db8::1/64~mtu
port     | mtu                               | gateway6 2001:db8::1~mtu
port     | mtu                               | promiscuous yes~mtu
port     | mtu                               | vlan 7~mtu
pool     | schedule wrr                      | schedule rr
pool     | schedule wrr                      | schedule maglev
pool     | check tcp { port 53 }             | check none
pool     | on-down reset                     | on-down keep
pool     | server 10.20.1.2:8080             | server 10.20.1.2:8081
pool     | weight 2                          | weight 4
pool     | weight 2                          | weight 2 drain
pool     | servers from "one.csv"            | servers from "two.csv"
check    | path    "/one"                    | path    "/two"
check    | expect  200..299                  | expect  200..399
check    | host    "one.example"             | host    "two.example"
check    | port    81                        | port    82
check    | every   2s                        | every   3s
check    | timeout 1s                        | timeout 900ms
check    | rise    2                         | rise    3
check    | fall    3                         | fall    4
service  | vip    203.0.113.10               | vip    203.0.113.12
service  | listen tcp 80                     | listen tcp 81
service  | listen udp 53                     | listen tcp 53
service  | mode   fullnat                    | mode   tunnel
service  | client-address none               | client-address toa
service  | timeouts { udp 30s }              | timeouts { udp 31s }
service  | min-up   0                        | min-up   1
service  | min-up   0                        | sorry dns
service  | min-up   0                        | limits { connections 1M }
service  | load     { sessions 1k            | load     { sessions 100M
timeouts | syn 10s                           | syn 11s
timeouts | established 15m                   | established 16m
timeouts | fin 30s                           | fin 31s
timeouts | close 5s                          | close 6s
timeouts | udp 30s                           | udp 31s
limits   | min-up   0                        | limits { connections 1M }
limits   | min-up   0                        | limits { new-per-source 100/s }
limits   | min-up   0                        | limits { allow 10.0.0.0/8 }
limits   | min-up   0                        | limits { deny 10.0.0.0/8 }
load     | sessions 1k                       | sessions 100M
load     | new 10/s                          | new 100M/s
"""
ROWS = [[cell.strip() for cell in row.split("|")] for row in CHANGES.strip().splitlines()]


def outcome(directory: Path, text: str) -> str:
    """What the nodes get, but for the origins; or the messages."""
    (directory / "one.csv").write_text("10.20.1.8,80\n")
    (directory / "two.csv").write_text("10.20.1.9,80\n")
    (directory / "site.tvs").write_text(text)
    site, diagnostics, sources = load_site(directory / "site.tvs")
    if site is None or diagnostics:
        return "\n".join(d.message for d in diagnostics)
    plan = plan_site(site, sources, PlanOptions(base="same"), None)
    found = ""
    for node in plan.nodes:
        for name, content in sorted(render_node(node).items()):
            found += name + content.replace(node.generation, "")
    return re.sub(r"\s*(\* )?\bsite\.tvs(:\d+)?|\s+", "", found)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = outcome(tmp_path_factory.mktemp("usual"), SITE)
    assert len(found) > 10_000
    return found


def test_the_rest_is_the_same(tmp_path: Path, usual: str) -> None:
    """Comments and places change nothing: what the test below sees is the setting."""
    assert outcome(tmp_path, SITE.replace("\n", "\n# a comment\n\n", 3)) == usual


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[2]}")
def test_every_value_is_heard(tmp_path: Path, usual: str, row: list[str]) -> None:
    old, new = (cell.replace("~", "\n") for cell in row[1:])
    assert SITE.count(old) >= 1
    assert outcome(tmp_path, SITE.replace(old, new)) != usual


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_setting_is_tried(kind: Kind) -> None:
    """A new setting needs a row above."""
    words = {w for row in ROWS if row[0] == kind.name for w in re.findall(r"[\w-]+", " ".join(row))}
    assert set(kind.settings) <= words
