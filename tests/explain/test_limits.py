"""`tvsc explain flow` of services with `limits`, and the ranges that prefixes are merged to."""

from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tvsc.explain import Explainer, FlowExplanation, Kind, parse_flow
from tvsc.lower import load_site
from tvsc.model import AccessRule, Limits
from tvsc.plan.access import edges_of, index_of, index_shift, kept_out
from tvsc.plan.limits import source_rate

LAPTOP = Path(__file__).parents[2] / "examples" / "laptop" / "site.tvs"
WEB = 'limits { connections 1k  new-per-source 50/s  allow 198.18.0.0/15  deny from "out.txt" }'


def explain(source: str, directory: Path) -> FlowExplanation:
    text = LAPTOP.read_text(encoding="utf-8").replace("service web {", f"service web {{ {WEB}", 1)
    (directory / "site.tvs").write_text(text.replace(f"{{ {WEB}", f"{{\n    {WEB}"))
    (directory / "out.txt").write_text("# scanners\n198.18.1.0/24\n")
    site, diagnostics, sources = load_site(directory / "site.tvs")
    assert site is not None, diagnostics
    flow, mistakes, _ = parse_flow(f"{source}:5555 -> 203.0.113.10:80/tcp")
    assert flow is not None, mistakes
    return Explainer(site, sources).explain(flow)


def test_a_source_that_is_kept_out(tmp_path: Path) -> None:
    denied = explain("198.18.1.9", tmp_path)
    assert (denied.kind, denied.service) == (Kind.DENIED, None)
    assert "`deny` names 198.18.1.0/24 (out.txt:2)" in denied.summary
    stranger = explain("192.0.2.1", tmp_path)
    assert stranger.kind is Kind.DENIED
    assert "no `allow` names it (site.tvs:" in stranger.summary


def test_a_source_that_gets_in(tmp_path: Path) -> None:
    found = explain("198.18.0.9", tmp_path)
    assert found.kind is Kind.REQUEST and found.service is not None
    allowed, connections, rate, *other_cluster = found.service.limits
    assert allowed.startswith("`allow` names 198.18.0.0/15 (site.tvs:")
    assert connections.startswith("1000 sessions of the service on a node, 500 on each worker of")
    assert rate.startswith("50 new sessions a second of one source on a node, 31.25/s and 54 at")
    assert len(other_cluster) == 2


NETWORKS = st.builds(
    lambda address, length: IPv4Network((address >> 32 - length << 32 - length, length)),
    st.integers(0, 15).map(lambda n: n << 28) | st.integers(0, 0xFFFFFFFF) | st.just(0xFFFFFFFF),
    st.integers(1, 32),
)
LISTS = st.lists(NETWORKS, min_size=1, max_size=12).map(tuple)
RULES = st.lists(st.builds(AccessRule, allow=st.booleans(), sources=LISTS), max_size=4).map(tuple)


@given(rules=RULES, more=st.lists(st.integers(0, 0xFFFFFFFF), max_size=20))
def test_ranges_are_what_the_rules_say(rules: tuple[AccessRule, ...], more: list[int]) -> None:
    """Every edge of every prefix and some other addresses, by rule and by search."""
    ranges = kept_out(Limits(access=rules))
    assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))
    edges = edges_of(ranges)
    shift = index_shift(len(edges))
    index = index_of(edges, shift)
    assert index[0] == 0 and index[-1] == len(edges)
    allows = [n for rule in rules if rule.allow for n in rule.sources]
    denies = [n for rule in rules if not rule.allow for n in rule.sources]
    ends = [int(e) for n in (*allows, *denies) for e in (n.network_address, n.broadcast_address)]
    near = {a for end in ends for a in (end - 1, end, end + 1) if 0 <= a <= 0xFFFFFFFF}
    for address in (*near, *more, 0, 0xFFFFFFFF):
        ip = IPv4Address(address)
        gets_in = not any(ip in n for n in denies) and (not allows or any(ip in n for n in allows))
        part = address >> shift
        below = index[part] + sum(e <= address for e in edges[index[part] : index[part + 1]])
        assert bool(below & 1) != gets_in


def test_a_rate_is_shared() -> None:
    """One worker is exact; several allow a quarter more in all, none ever more than the whole."""
    assert source_rate(200, Fraction(1)) == (200_000, 220)
    assert source_rate(1000, Fraction(1, 8)) == (156_250, 125 + 32 + 16)
    for rate in range(1, 100):
        per_1000s, burst = source_rate(rate, Fraction(1, 8))
        assert rate * 1250 // 8 <= per_1000s <= rate * 1000
        assert min(rate, 32) <= burst
