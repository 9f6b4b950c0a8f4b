"""Defaults and variables change under a text that stays: its records are rebuilt, not read again,
and are, byte for byte, what reading gives.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.front.test_apart import apart, outcome, small_parts
from tvsc.bench.sites import write_site
from tvsc.lower import Reading, records, template
from tvsc.lower.block_record import Job, record
from tvsc.lower.defaults import Defaults
from tvsc.lower.store import Store

__all__ = ["small_parts"]

LETS = """\
let net = 10.240.0.0/16
let net6 = 2001:db8::/64
let base = 10.241.0.0
let vips = 198.19.0.0/16
let port = 8080
let heavy = 7
let step = 16
let pace = 3s
let office = 10.9.0.0/16
let region = "eu"
let web = 81
let count = 6
let many = 1k
let rate = 20/s

"""

# Every way in which a variable decides something in a block.
BLOCKS = """\
for i in 1..20 {
    pool "a{i}" {
        server host(net, i):port weight heavy
        server host(net, i * step + 100):80
        server host(subnet(net, 24, i), 9):port weight heavy * 2
        server (base + i):8081 weight heavy  drain
        server base + i + 200:82
        server host(net6, i):port
        server 10.242.0.1:port
        server 10.242.0.2:80 weight heavy  server 10.242.0.3:90
    }
    service "a{i}" {
        vip host(vips, i), 198.18.255.1 + i
        listen tcp web -> "a{i}"
        listen udp 53 -> "a{i}"
        timeouts { established pace  fin 2 * pace }
        limits {
            connections many
            new-per-source rate
            allow office, 10.8.0.0/16, host(net, 3)
            deny from "deny.txt"
        }
    }
}
pool b {
    schedule maglev
    check http {
        path "/{region}/{port}"  every pace  expect 200..299, 300 + heavy  port port
    }
    servers from "more.csv"
    for n in 1..9 {
        let own = n * 2
        server host(net, 1000 + own):port
    }
}
service b { vip host(vips, 500)  listen tcp web -> b  sorry b }
"""
FIXED = """\
for i in 1..count {
    let here = subnet(net, 24, i)
    pool "c{i}" { server host(here, 1):port }
    service "c{i}" { vip host(vips, 600 + i)  listen tcp web -> "c{i}" }
}
pool "{region}" { server 10.242.1.1:80 }
service s3 { vip host(vips, 700)  listen tcp 80 -> "{region}" }
"""
# Blocks that say the same but for names, VIPs and pools, among what could be taken for a stand-in.
ALIKE = """\
for i in 1..12 {
    pool "d{i}" {
        check http { path "/100%s/%(name)s/240.0.0.1/40265"  rise 1 + port - port }
        server 10.243.0.0 + i:80
    }
    pool "g{i}" { check http { path "/240.0.0.0/4026531840" }  server 10.243.2.0 + i:80 }
    pool "e{i}" { check http { path "/%d%%" }  server 10.243.1.0 + i:80 }
    service "d{i}" {
        vip host(vips, 800 + i), 240.0.0.0 + i, 198.18.251.1 + i
        listen tcp 80 -> "d{i}"
        listen tcp 90 -> "e{i}"
        limits { connections many }
    }
    service "e{i}" { vip 240.0.1.0 + i  listen udp 53 -> "e{i}"  limits { connections 402653184 } }
    service "f{i}" { vip host(vips, 900 + i), 198.18.252.1 + i  listen tcp 80 -> "d{i}" }
    service "g{i}" { vip host(net6, i), host(vips, 950 + i)  listen tcp 80 -> "d{i}" }
    service "h{i}" { vip 198.18.253.1 + i, host(net, 40000 + i)  listen tcp 80 -> "e{i}" }
}
"""


@pytest.fixture
def no_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model counts here, also where this version supports less."""
    for stage in ("check", "prove"):
        monkeypatch.setattr(f"tvsc.lower.{stage}", lambda _: [])


@pytest.fixture
def site(tmp_path: Path, small_parts: None, no_checks: None) -> Path:
    path = write_site(tmp_path / "site", 40, 3, "variables")
    services = path.parent / "services"
    (services / "more.csv").write_text("10.250.0.1,80,3\n10.250.0.2,80\n")
    (services / "deny.txt").write_text("10.8.1.0/24\n")
    (services / "y.tvs").write_text(BLOCKS)
    (services / "x.tvs").write_text(ALIKE)
    (services / "z.tvs").write_text(FIXED)
    change(path, "site bench", LETS + "site bench")
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# What is changed, and whether no text is parsed for it.
EDITS: dict[str, tuple[str, str, bool]] = {
    "network": ("net = 10.240.0.0/16", "net = 10.230.0.0/16", False),
    "network of all": ("servers = 10.0.0.0/8", "servers = 11.0.0.0/8", True),
    "network with other bits": ("servers = 10.0.0.0/8", "servers = 11.0.0.7/8", False),
    "network of another family": ("net6 = 2001:db8::/64", "net6 = 10.77.0.0/16", False),
    "network 6": ("net6 = 2001:db8::/64", "net6 = 2001:db8:1::/64", True),
    "larger network": ("servers = 10.0.0.0/8", "servers = 64.0.0.0/7", True),
    "too small a network": ("servers = 10.0.0.0/8", "servers = 10.0.0.0/30", False),
    "longer than its subnets": ("net = 10.240.0.0/16", "net = 10.240.0.0/25", False),
    "servers of others": ("base = 10.241.0.0", "base = 10.240.0.0", False),
    "one server twice": ("base = 10.241.0.0", "base = 10.242.0.0", False),
    "base": ("base = 10.241.0.0", "base = 10.243.0.0", False),
    "base without room": ("base = 10.241.0.0", "base = 255.255.255.250", False),
    "vips": ("vips = 198.19.0.0/16", "vips = 198.20.0.0/16", False),
    "two vips come to be one": ("vips = 198.19.0.0/16", "vips = 198.18.0.0/16", False),
    "vips that stand in": ("vips = 198.19.0.0/16", "vips = 240.0.0.0/16", False),
    "vips of all that stand in": ("shown   = 198.18.0.0/16", "shown   = 240.0.0.0/16", True),
    "no vips": ("vips = 198.19.0.0/16", "vips = 198.19.0.0", False),
    "few vips": ("vips = 198.19.0.0/16", "vips = 198.19.0.0/24", False),
    "a path that stands in": ('path "/healthz"', 'path "/240.0.0.1/%s"', True),
    "vips of all": ("shown   = 198.18.0.0/16", "shown   = 198.22.0.0/16", True),
    "port": ("port = 8080", "port = 8082", False),
    "port of all": ("backend = 8080", "backend = 8082", True),
    "no port": ("backend = 8080", "backend = 80800", False),
    "the port of another": ("port = 8080", "port = 80", False),
    "a duration for a port": ("backend = 8080", "backend = 8s", False),
    "weight": ("heavy = 7", "heavy = 9", False),
    "no weight": ("heavy = 7", "heavy = 1001", False),
    "step": ("step = 16", "step = 17", False),
    "duration": ("pace = 3s", "pace = 4s", True),
    "too long a duration": ("pace = 3s", "pace = 9999h", False),
    "prefix": ("office = 10.9.0.0/16", "office = 10.11.0.0/16", True),
    "prefix twice": ("office = 10.9.0.0/16", "office = 10.8.0.0/16", True),
    "text": ('region = "eu"', 'region = "us"', False),
    "listened port": ("web = 81", "web = 82", False),
    "a port listened on twice": ("let web = 81", "let web = 53", False),
    "rounds": ("count = 6", "count = 5", False),
    "number": ("many = 1k", "many = 2k", True),
    "rate": ("rate = 20/s", "rate = 21/s", True),
    "variable gone": ("let pace = 3s\n", "", False),
    "variable moved": ("let pace = 3s\nlet office", "let pace= 3s\n\nlet office", True),
    "defaults": ("every 2s", "every 3s", True),
    "a default more": ("rise 2", "rise 2  port 99", True),
    "a default less": ("rise 2", "", True),
    "another check": ("check http { path", "check tcp { every 9s }\n        # { path", True),
    "a check that takes no path": ("check http {", "check tcp {", False),
    "schedule": ("schedule wrr", "schedule maglev", True),
    "defaults of services": ("fin 20s", "fin 21s", True),
    "a block more": ("fin 20s }", "fin 20s }\n        limits { connections 9k }", True),
    "no defaults of services": (
        "    service {\n        timeouts { established 15m  fin 20s }\n    }\n",
        "",
        True,
    ),
    "servers in defaults": ("schedule wrr", "schedule wrr\n        server 10.244.1.1:80", False),
    "a list in defaults": (
        "timeouts { established",
        'limits { deny from "services/deny.txt" }\n        timeouts { established',
        False,
    ),
    "defaults with a mistake": ("every 2s", "every 2", False),
}


@pytest.mark.parametrize("name", EDITS)
def test_rebuilt_as_read(
    name: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    before = outcome(site, apart(Store(one)))
    assert before == outcome(site, Reading.nothing_apart())
    assert before[0] is not None, before[1]
    original = site.read_text()
    old, new, without_parsing = EDITS[name]
    change(site, old, new)
    read = []

    def counted(job: Job, root: Path, defaults: Defaults) -> bytes | None:
        read.append(job.text)
        return record(job, root, defaults)

    monkeypatch.setattr(records, "record", counted)
    plain = outcome(site, Reading.nothing_apart())
    assert outcome(site, apart(Store(one))) == plain
    if without_parsing:
        assert not read
        assert plain[0] is not None or "error" in plain[1]
    assert outcome(site, apart(Store(one))) == plain
    assert outcome(site, apart(Store(other))) == plain
    for path in sorted(other.glob("*/*")):
        assert (one / path.relative_to(other)).read_bytes() == path.read_bytes()
    site.write_text(original)
    assert outcome(site, apart(Store(one))) == before


VALUES = {
    "net = 10.240.0.0/16": ["10.239.0.0/16", "10.240.0.0/17", "10.0.0.0/8", "10.240.0.0", "5"],
    "base = 10.241.0.0": ["10.240.0.1", "10.242.0.0", "10.239.255.200", "0.0.0.1"],
    "vips = 198.19.0.0/16": ["198.20.0.0/16", "198.19.0.0/24", "198.18.0.0/15"],
    "port = 8080": ["80", "8081", "8082", "90", "0"],
    "heavy = 7": ["0", "8", "500", "501"],
    "pace = 3s": ["1s", "4s", "350ms", "3"],
    "web = 81": ["53", "82", "80"],
    "every 2s": ["every 5s", "every 700ms"],
    "schedule wrr": ["schedule rr", ""],
}


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_edits_in_a_row(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever the store has seen before."""
    directory = tmp_path_factory.mktemp("edits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tvsc.dsl.split.LEAST_CHARACTERS", 200)
        for stage in ("check", "prove"):
            patch.setattr(f"tvsc.lower.{stage}", lambda _: [])
        path = write_site(directory / "site", 6, 2, "variables")
        services = path.parent / "services"
        (services / "more.csv").write_text("10.250.0.1,80,3\n")
        (services / "deny.txt").write_text("10.8.1.0/24\n")
        (services / "x.tvs").write_text(ALIKE)
        (services / "y.tvs").write_text(BLOCKS)
        (services / "z.tvs").write_text(FIXED)
        change(path, "site bench", LETS + "site bench")
        original, store = path.read_text(), Store(directory / "store")
        for _ in range(3):
            text = original
            for old in data.draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=2)):
                new = data.draw(st.sampled_from(VALUES[old]))
                name, equals, _ = old.partition(" = ")
                text = text.replace(
                    f"{old}\n" if equals else old, f"{name} = {new}\n" if equals else new, 1
                )
            path.write_text(text)
            assert outcome(path, apart(store)) == outcome(path, Reading.nothing_apart())
    shutil.rmtree(directory)


def test_those_that_say_the_same_are_built_once(
    tmp_path: Path, no_checks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_site(tmp_path / "site", 400, 3, "variables")
    store = Store(tmp_path / "store")
    outcome(path, apart(store))
    built = []
    build = template._built

    def counted(*given: Any) -> Any:  # noqa: ANN401 - handed on
        built.append(given)
        return build(*given)

    monkeypatch.setattr(template, "_built", counted)
    change(path, "every 2s", "every 3s")
    outcome(path, apart(store))
    own_checks = 400 // 8
    assert 0 < len(built) <= own_checks + 2 * 4  # pools of two and services of two kinds
    change(path, "servers = 10.0.0.0/8", "servers = 11.0.0.0/8")
    change(path, "shown   = 198.18.0.0/16", "shown   = 198.22.0.0/16")
    built.clear()
    outcome(path, apart(store))
    assert 0 < len(built) <= own_checks + 2 * 4


def test_in_processes_as_here(site: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    outcome(site, apart(store))
    change(site, "every 2s", "every 3s")
    two = replace(apart(store), jobs=2)
    assert outcome(site, two) == outcome(site, Reading.nothing_apart())
