"""What docs/session-sync.md lists is what is counted."""

import re

from tests.naive.runtime import ROOT


def test_every_counter_is_listed_in_order() -> None:
    source = (ROOT / "runtime" / "core" / "sync_counters.def").read_text(encoding="utf-8")
    counters = re.findall(r'^TVS_SYNC_COUNTER\((\w+), "(.*)"\)$', source, re.MULTILINE)
    page = (ROOT / "docs" / "session-sync.md").read_text(encoding="utf-8")
    table = page.partition("<!-- table: sync counters -->")[2].partition("\n\n")[0]
    assert counters
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE) == counters
