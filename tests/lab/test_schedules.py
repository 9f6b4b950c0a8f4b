"""Real connections through pools that are scheduled by hash and by load."""

from pathlib import Path

import pytest

from tests.lab.conftest import Laptop
from tests.naive.scheduled import scheduled_site
from tvsc.lab.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

REQUESTS = 1500


def test_shares_and_clients(tmp_path: Path) -> None:
    """Servers get their shares, and a client of the echo pool has one server on all nodes."""
    site = tmp_path / "scheduled" / "site.tvs"
    site.parent.mkdir()
    site.write_text(scheduled_site().read_text(encoding="utf-8"), encoding="utf-8")
    lab = Laptop(site, tmp_path / "out")
    done = lab.tvsc("run", "--format", "json", "--requests", f"{REQUESTS}", "--no-drills")
    assert done.stdout, done.stderr
    lab.assert_nothing_left()
    report = Report.model_validate_json(done.stdout)
    assert (report.requests.made, report.requests.failed) == (REQUESTS, 0)
    assert [spread for spread in report.spreads if not spread.good] == []
    laws = {spread.of: spread.law.partition(":")[0] for spread in report.spreads}
    assert laws["servers of web"] == "hash of the flow"
    assert laws["servers of api"] == "the less loaded of two"
    assert laws["servers of echo"] == "hash of the client's address"
    echo = next(spread for spread in report.spreads if spread.of == "servers of echo")
    assert {share.name: share.count for share in echo.shares}["clients with two servers"] == 0
