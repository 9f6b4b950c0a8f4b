"""What the checker lets through can be planned, rendered, reported and explained: a site is refused
by its messages, never by an exception of a later stage.
"""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.front.test_heard import SITE
from tvsc.checks.capacity_report import capacity
from tvsc.codegen import render_node
from tvsc.lower import load_site
from tvsc.plan import PlanOptions, plan_site

ROOT = Path(__file__).parents[2]
LAPTOP = (ROOT / "examples" / "laptop" / "site.tvs").read_text()
NUMBER = re.compile(r"(?<![\w.:/-])\d+(?![\w.:/])")
WORDS = {
    "drivers": ["ixgbe", "i40e", "ice", "mlx5", "virtio", "vmxnet3", "tap", "af_packet", "null"],
    "steering": ["fdir", "software"],
    "lengths": ["/16", "/20", "/22", "/23", "/24", "/28", "/30", "/31", "/32"],
    "places": ["cores 2-3 socket 0", "cores 4,9", "shared", "core 1", "core 0"],
    "checks": ["check none", "check tcp { }", "check http { }"],
    "schedules": ["rr", "wrr", "maglev", "source-hash", "least-loaded"],
    "idles": ["busy", "interrupt"],
}


@st.composite
def changed(draw: st.DrawFn, text: str) -> str:
    """A site with some numbers, words of one kind or lines changed."""
    for _ in range(draw(st.integers(1, 4))):
        what = draw(st.integers(0, 3))
        if what <= 1:
            at = draw(st.sampled_from(list(NUMBER.finditer(text))))
            number = draw(
                st.sampled_from([0, 1, 2, 3, 4, 7, 8, 16, 31, 64, 255, 1500, 9000, 65535])
            )
            text = f"{text[: at.start()]}{number}{text[at.end() :]}"
        elif what == 2:
            kind = draw(st.sampled_from(sorted(WORDS)))
            found = [w for w in WORDS[kind] if w in text]
            if found:
                old, new = draw(st.sampled_from(found)), draw(st.sampled_from(WORDS[kind]))
                text = text.replace(old, new, draw(st.sampled_from([1, -1])))
        else:
            lines = text.split("\n")
            at_line = draw(st.integers(1, len(lines) - 1))
            if "{" not in lines[at_line] and "}" not in lines[at_line]:
                del lines[at_line]
            text = "\n".join(lines)
    return text


@pytest.mark.parametrize("site", [SITE, LAPTOP], ids=["heard", "laptop"])
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_good_can_be_built(tmp_path: Path, site: str, data: st.DataObject) -> None:
    (tmp_path / "one.csv").write_text("10.20.1.8,80\n")
    path = tmp_path / "site.tvs"
    path.write_text(data.draw(changed(site)))
    model, _, sources = load_site(path)
    if model is None:
        return
    plan = plan_site(model, sources, PlanOptions(base="same"), None)
    for node in (plan.nodes[0], plan.nodes[-1]):
        assert render_node(node)["generation.c"]
    assert capacity(model)
