"""The sums of `tvsc check --report`, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compile.sites import SYNC, make_cluster, make_pool, make_site
from tvsc.checks.capacity_load import Room, demand_of, load_fits, room_of
from tvsc.checks.capacity_report import Usage, capacity
from tvsc.checks.capacity_sync import bits_per_s, messages_per_s, told_per_s
from tvsc.cli.main import main
from tvsc.model import Load, Schedule, Site, Steering
from tvsc.plan.memory import plan_memory
from tvsc.plan.rss import reta

CASES = Path(__file__).parents[1] / "diagnostics" / "cases"
KEY = "session table", "worker"
EXAMPLES = Path(__file__).parents[2] / "examples"


def loaded(
    sessions: int, new: int = 0, workers: int = 3, steering: Steering = Steering.FDIR
) -> Site:
    """Three nodes of 150,000 sessions a worker, and a load."""
    site = make_site(
        clusters=(make_cluster(nodes=("a1", "a2", "a3"), workers=workers, steering=steering),)
    )
    web = site.services[0].model_copy(update={"load": Load(sessions=sessions, new_per_s=new)})
    return site.model_copy(update={"services": (web, *site.services[1:])})


def rows(site: Site) -> dict[tuple[str, str], Usage]:
    return {(row.resource, row.per): row for row in capacity(site)[0].rows}


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().out


def test_a_sorry_pool_takes_nothing() -> None:
    """Its sessions are the service's: each has a local port, whichever its server."""
    site = loaded(300_000, new=1000)
    web = site.services[0].model_copy(update={"sorry": "dns"})
    assert rows(site.model_copy(update={"services": (web, *site.services[1:])})) == rows(site)


def test_sums() -> None:
    """3 workers share 128 rows: one of them has 43. 7.05 s of closing sessions at 1000/s."""
    found = rows(loaded(300_000, new=1000))
    whole = found["sessions", "cluster"]
    assert (whole.need, whole.have) == (307_050, 150_000 * 3 * 128 // 43)
    assert (whole.need_lost, whole.have_lost) == (307_050, 150_000 * 2 * 128 // 43)
    table = found["session table", "worker"]
    assert (table.need, table.have) == (-(-307_050 * 43 // (3 * 128)), 150_000)
    assert table.need_lost == -(-307_050 * 43 // (2 * 128))
    ports = found["local ports", "worker"]
    assert (ports.have, ports.need) == (3 * 64_512, table.need)
    each = found["local ports", "local IP of a worker"]
    assert table.need is not None
    assert (each.have, each.need) == (64_512, -(-table.need // 3))
    assert each.note == "a port rests for 1,421 s before it is taken again"
    assert found["flow rules", "NIC x520"].need == 3 * 3
    assert found["hugepages", "node, socket 0"].need
    assert found["sync bandwidth", "node"].need == 0
    assert found["sync bandwidth", "node"].note == "the cluster has no `sync`"


def test_sync_bandwidth() -> None:
    """1000 new a second, three times each, and 300,000 sessions, twice in their 900 s."""
    site = loaded(300_000, new=1000)
    cluster = site.clusters[0].model_copy(update={"sync": SYNC})
    site = site.model_copy(update={"clusters": (cluster,)})
    row = rows(site)["sync bandwidth", "node"]
    told = 3 * 1000 + -(-300_000 // 450)
    header = 48 + 8 + 20 + 14 + 24

    def sent(nodes: int) -> int:
        """Full messages, and one that is not each 5 ms of each of 3 workers."""
        own = -(-told // nodes)
        return (nodes - 1) * 8 * (32 * own + header * (own // 40 + 3 * 200))

    assert (row.need, row.need_lost) == (sent(3), sent(2))
    assert (row.have, row.have_lost) == (None, None)
    assert row.note.startswith("630 messages/s at most to each of 2 others")
    table = rows(site)["session table", "worker"]
    assert "copies of 300,000 sessions" in table.note
    assert (table.have, table.need) == (150_000, rows(loaded(300_000, 1000))[KEY].need)
    hugepages = rows(site)["hugepages", "node, socket 0"].need
    assert hugepages == plan_memory(cluster, cluster.nodes[0], "").hugepage_mb


def test_nobody_is_told_by_the_last_node() -> None:
    cluster = make_cluster(nodes=("a1", "a2"), sync=SYNC)
    site = loaded(300_000, new=1000).model_copy(update={"clusters": (cluster,)})
    assert rows(site)["sync bandwidth", "node"].need_lost == 0


def test_a_message_has_a_session() -> None:
    """However little is told, no more messages are sent than sessions."""
    assert messages_per_s(told=30, nodes=3, workers=8) == 10
    assert bits_per_s(told=30, nodes=3, workers=8) == 2 * 8 * 10 * (32 + 114)


def test_sync_bandwidth_wants_a_load() -> None:
    site = make_site(clusters=(make_cluster(sync=SYNC),))
    row = rows(site)["sync bandwidth", "node"]
    assert (row.need, row.need_lost, row.note) == (None, None, "no service declares a `load`")


def test_udp_is_told_once_and_the_dearer_protocol_counts() -> None:
    site = loaded(10)
    load = Load(sessions=60_000, new_per_s=500)
    dns = site.services[1].model_copy(update={"load": load})
    assert {listener.protocol.value for listener in dns.listeners} == {"udp"}
    assert told_per_s(dns) == 500 + 60_000 * 2 // 30  # idle for 30 s at most
    both = dns.model_copy(
        update={"listeners": (*dns.listeners, *site.services[0].listeners), "load": load}
    )
    assert told_per_s(both) == max(500 + 4000, 1500 + -(-60_000 // 450))


def test_without_a_load_nothing_is_compared() -> None:
    site = make_site()
    assert demand_of(site) is None
    assert rows(site)["sessions", "cluster"].need is None
    assert list(load_fits(site)) == []


def test_single_node_has_nothing_to_lose() -> None:
    site = loaded(10)
    cluster = make_cluster(nodes=("a1",))
    site = site.model_copy(update={"clusters": (cluster,)})
    table = rows(site)["session table", "worker"]
    assert (table.have_lost, table.need_lost) == (None, None)
    assert list(load_fits(site)) == []


def test_software_steering_has_rows_of_its_own() -> None:
    site = loaded(10, steering=Steering.SOFTWARE)
    assert room_of(site, site.clusters[0]).rows == 128
    assert rows(site)["flow rules", "NIC"].need == 0


@given(sessions=st.integers(1, 2_000_000), workers=st.integers(1, 8), new=st.integers(0, 20_000))
def test_error_says_when_and_only_when_a_worker_overflows(
    sessions: int, workers: int, new: int
) -> None:
    """Row by row instead of by formula; the advice really is enough."""
    site = loaded(sessions, new, workers)
    room = room_of(site, site.clusters[0])
    demand = demand_of(site)
    assert demand is not None
    table = reta(room.rows, workers)
    worst = max(table.count(w) for w in range(workers)) / room.rows * demand.sessions / 2
    found = list(load_fits(site))
    if abs(worst - room.worker) > 1:
        assert bool(found) == (worst > room.worker)
    if found:
        assert found[0].help is not None
        number = found[0].help.split("`sessions ")[1].split(" per")[0]
        wanted = int(number.replace("M", "000000").replace("k", "000"))
        assert wanted >= worst
        assert wanted <= 1.11 * worst + 2


@given(st.integers(1, 10**7), st.integers(1, 64), st.integers(1, 8), st.sampled_from([128, 512]))
def test_room_is_what_the_busiest_worker_just_holds(
    per_worker: int, workers: int, nodes: int, rows: int
) -> None:
    cluster = make_cluster(workers=workers).model_copy(update={"sessions_per_worker": per_worker})
    room = Room(cluster, rows)
    most = room.sessions(nodes)
    assert room.busiest(most, nodes) <= room.worker
    assert room.busiest(most + nodes * rows, nodes) > room.worker


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(["check", "--report", str(EXAMPLES / "two-clusters" / "site.tvs")], capsys)
    assert code == 0
    assert "cluster A: 4 nodes x 8 workers" in out
    assert "the `load` of one service, 1,500,000 of them" in " ".join(out.split())
    assert "flow rules" in out and "2,048" in out
    assert "proved: request, reply and sync worker are one for 512 local IPs" in out
    assert "\x1b" not in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    site = EXAMPLES / "laptop" / "site.tvs"
    code, out = run(["check", "--report", "--format", "json", str(site)], capsys)
    report = json.loads(out)["report"]
    assert code == 0
    assert report["format_version"] == 1
    first = report["clusters"][0]
    assert (first["cluster"], first["nodes"], first["workers"]) == ("A", 4, 2)
    assert first["steering"]["proved"] is True
    assert first["steering"]["local_ips"] == 32
    assert {row["resource"] for row in first["capacity"]} == {
        "sessions",
        "session table",
        "local ports",
        "flow rules",
        "hugepages",
        "pool tables",
        "sync bandwidth",
    }


def test_pool_tables() -> None:
    """Twice four bytes for each entry of each pool that is used: 3 of one, 16381 of another."""
    many = make_pool("web", schedule=Schedule.MAGLEV, servers=make_pool().servers * 41)
    site = make_site(pools=(many, make_pool("unused"), *make_site().pools[2:]))
    row = rows(site)["pool tables", "node"]
    assert (row.unit, row.have) == ("KiB", None)
    assert row.need == row.need_lost == -(-8 * (16381 + 3) // 1024)
    assert row.note == "16,384 entries for the schedules of 2 pools; ordinary memory"


def test_no_report_of_a_site_with_errors(capsys: pytest.CaptureFixture[str]) -> None:
    bad = str(CASES / "TVS0504-node-lost.tvs")
    code, out = run(["check", "--report", "--format", "json", bad], capsys)
    assert code == 1
    assert json.loads(out)["report"] is None
    code, out = run(["check", "--report", bad], capsys)
    assert (code, out) == (1, "")
