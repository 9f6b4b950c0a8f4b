"""Real connections through the laptop example, and what breaks when things are killed.

One run is made; each test looks at a part of its report.
"""

import pytest

from tests.lab.conftest import Laptop
from tvsc.lab.drill import HELD
from tvsc.lab.report import BackendDrill, FailoverDrill, PoolDrill, Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

REQUESTS = 2000
# What an outage would last if neither the link nor BFD, but BGP's hold time, ended it. How much
# faster it was is in the report, not in a test: a busy machine is slow and not wrong.
HOLD_MS = 9000
KEEPALIVE_MS = 3000


@pytest.fixture(scope="module")
def report(lab: Laptop) -> Report:
    lab.assert_nothing_left()
    done = lab.tvsc("run", "--format", "json", "--requests", str(REQUESTS))
    assert done.stdout, done.stderr
    lab.assert_nothing_left()
    return Report.model_validate_json(done.stdout)


def _failover(report: Report, name: str) -> FailoverDrill:
    drill = next(drill for drill in report.drills if drill.name == name)
    assert isinstance(drill, FailoverDrill)
    return drill


def test_no_request_failed(report: Report) -> None:
    assert report.format_version == 1
    assert report.requests.made == REQUESTS
    assert report.requests.failed == 0, report.requests.failures


def test_every_node_worker_and_server_took_its_share(report: Report) -> None:
    assert [spread for spread in report.spreads if not spread.good] == []
    assert {spread.of for spread in report.spreads} == {
        "nodes",
        "workers",
        "servers of web",
        "servers of api",
        "servers of echo",
    }
    workers = next(spread for spread in report.spreads if spread.of == "workers")
    assert len(workers.shares) == 8
    assert all(share.count for share in workers.shares)


def test_only_the_primary_cluster_served(report: Report) -> None:
    standby = [row for row in report.counters.nodes if row.node.startswith("tvs-b")]
    assert len(standby) == 4
    assert sum(row.sessions for row in standby) == 0


def test_every_packet_is_accounted_for(report: Report) -> None:
    assert [check for check in report.counters.checks if not check.good] == []
    assert len(report.counters.checks) == 6
    assert sum(row.frames for row in report.counters.nodes) > 2 * REQUESTS


def test_a_node_dies(report: Report) -> None:
    drill = _failover(report, "node-loss")
    assert drill.recovered
    assert drill.outage.lasted_ms < HOLD_MS
    assert drill.flows_of_survivors > 0
    assert drill.moved_flows_of_survivors == 0 or not report.setting.resilient_groups
    assert drill.served_by == ["tvs-a2", "tvs-a3", "tvs-a4"]
    assert drill.rejoin_ms is not None


@pytest.mark.parametrize("name", ["node-loss", "node-freeze"])
def test_no_open_connection_ends_with_a_node_or_by_its_return(report: Report, name: str) -> None:
    drill = _failover(report, name)
    assert drill.keeps_sessions
    assert drill.held == HELD
    assert drill.held_by_victims > 0
    assert drill.lost_with_victims == 0
    assert drill.lost_elsewhere == 0
    assert drill.lost_by_rejoin == 0


def test_a_node_freezes(report: Report) -> None:
    """The link stays up, so only BFD can tell: 3 packets at 300 ms."""
    drill = _failover(report, "node-freeze")
    assert drill.recovered
    assert drill.link_down_ms is None
    assert drill.rerouted_ms is not None
    assert 300 < drill.rerouted_ms < HOLD_MS - KEEPALIVE_MS  # the hold time cannot end before
    assert drill.outage.failed > 0
    assert drill.outage.lasted_ms < HOLD_MS
    assert drill.moved_flows_of_survivors == 0 or not report.setting.resilient_groups
    assert drill.served_by == ["tvs-a2", "tvs-a3", "tvs-a4"]


def test_a_cluster_dies(report: Report) -> None:
    drill = _failover(report, "cluster-loss")
    assert drill.recovered
    assert drill.outage.lasted_ms < HOLD_MS
    assert drill.served_by == ["tvs-b1", "tvs-b2", "tvs-b3", "tvs-b4"]
    assert not drill.keeps_sessions
    assert drill.rejoin_ms is not None


def test_a_real_server_dies_and_returns(report: Report) -> None:
    drill = next(drill for drill in report.drills if drill.name == "backend-down")
    assert isinstance(drill, BackendDrill)
    assert 0 < drill.outage.failed < drill.outage.requests
    assert drill.outage.lasted_ms <= drill.gone_within_ms + 500
    assert drill.returned_ms is not None
    assert drill.returned_ms <= drill.returned_within_ms + 500
    assert drill.failed_after_return == 0


def test_all_servers_of_a_pool_die_and_return(report: Report) -> None:
    drill = next(drill for drill in report.drills if drill.name == "pool-down")
    assert isinstance(drill, PoolDrill)
    assert (drill.pool, drill.sorry) == ("api", "apology")
    assert 0 < drill.outage.failed < drill.outage.requests
    assert drill.outage.lasted_ms <= drill.gone_within_ms + 500
    assert drill.by_sorry > 0
    assert drill.returned_ms is not None
    assert drill.returned_ms <= drill.returned_within_ms + 500
    assert drill.failed_after_return == 0


def test_the_run_says_that_all_is_well(report: Report) -> None:
    assert report.problems == []
    assert report.good
