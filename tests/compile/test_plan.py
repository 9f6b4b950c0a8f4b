"""What a plan decides, and that it holds together."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compile.sites import (
    TIMEOUTS,
    i40e,
    make_cluster,
    make_pool,
    make_site,
    make_sources,
    with_origins,
)
from tvsc.codegen import render_bird, render_node
from tvsc.model import Lowering, OnDown, Preference, Protocol, Role, Schedule, StatusRange, Steering
from tvsc.plan import NodePlan, PlanOptions, ServicePlan, plan_json, plan_object, plan_site
from tvsc.plan.classes import timeout_ticks
from tvsc.plan.memory import bucket_count
from tvsc.plan.rss import KEY_BYTES, reta, rss_key, spreads_well, toeplitz
from tvsc.plan.vips import place_vips, vip_hash


def first(site: object = None, **options: object) -> NodePlan:
    made = make_site() if site is None else site
    return plan_site(made, make_sources(), PlanOptions(**options)).nodes[0]  # type: ignore[arg-type]


# Classes and services


def test_listeners_that_agree_share_a_class() -> None:
    plan = first()
    assert [c.services for c in plan.classes] == [("web tcp/80", "web tcp/443"), ("dns udp/53",)]
    assert [(s.label, s.class_id, s.pool) for s in plan.services] == [
        ("web tcp 203.0.113.10:80", 0, 0),
        ("web tcp 203.0.113.11:80", 0, 0),
        ("web tcp 203.0.113.10:443", 0, 0),
        ("web tcp 203.0.113.11:443", 0, 0),
        ("dns udp 203.0.113.53:53", 1, 1),
    ]
    assert [s.id for s in plan.services] == list(range(5))


@pytest.mark.parametrize("change", [{"schedule": Schedule.RR}, {"on_down": OnDown.KEEP}])
def test_a_difference_that_the_path_sees_makes_a_class(change: dict[str, object]) -> None:
    site = make_site()
    other = make_pool("other", **change)
    web = site.services[0]
    second = web.listeners[1].model_copy(update={"pool": "other"})
    services = (
        web.model_copy(update={"listeners": (web.listeners[0], second)}),
        site.services[1],
    )
    site = site.model_copy(update={"services": services, "pools": (*site.pools, other)})
    assert len(first(site).classes) == 3


def test_a_sorry_pool_is_planned_and_makes_a_class() -> None:
    site = make_site()
    web = site.services[0].model_copy(update={"sorry": "unused", "min_up": 1})
    plan = first(site.model_copy(update={"services": (web, site.services[1])}))
    assert [pool.name for pool in plan.pools] == ["web", "unused", "dns"]
    assert [(s.pool, s.sorry, s.min_up) for s in plan.services] == [(0, 1, 1)] * 4 + [(2, None, 0)]
    assert [c.sorry for c in plan.classes] == [Schedule.WRR, None]
    reasons = [route.reason for route in plan.routes if route.kind == "vip"]
    assert reasons == ["every node that sees enough servers announces it: min-up 1 of web"] * 2 + [
        "every node announces every VIP"
    ]


def test_the_least_preferred_cluster_is_the_last_resort() -> None:
    def standby(prepend: int) -> Role:
        lowering = Lowering.PREPEND
        return Role(preference=Preference.STANDBY, lowering=lowering, prepend=prepend)

    site = make_site(
        clusters=(
            make_cluster("C", nodes=("c",), role=standby(5)),
            make_cluster("A", nodes=("a",)),
            make_cluster("B", nodes=("b",), role=standby(3)),
        )
    )
    plans = plan_site(site, make_sources()).nodes
    assert {p.cluster: p.announce.is_last_resort for p in plans} == {
        "A": False,
        "B": False,
        "C": True,
    }


def test_unused_pools_are_left_out() -> None:
    assert [pool.name for pool in first().pools] == ["web", "dns"]


def test_timeouts_are_rounded_up_to_ticks() -> None:
    tcp = timeout_ticks(TIMEOUTS, Protocol.TCP)
    assert tcp == (0, 30, 30, 9000, 71, 71, 71, 10, 0)
    assert timeout_ticks(TIMEOUTS, Protocol.UDP) == (0,) * 8 + (300,)


# The VIP table


Key = tuple[int, int, int]


def find(table_slots: dict[int, Key], size: int, probes: int, key: Key) -> bool:
    home = vip_hash(*key)
    for probe in range(probes):
        at = (home + probe) & (size - 1)
        if at not in table_slots:
            return False
        if table_slots[at] == key:
            return True
    return False


keys = st.lists(
    st.tuples(
        st.integers(0x01000000, 0xDFFFFFFF),
        st.integers(1, 65535),
        st.sampled_from([Protocol.TCP, Protocol.UDP]),
    ),
    unique=True,
    max_size=300,
)


@given(keys)
def test_every_listener_is_found_within_the_probes(
    listeners: list[tuple[int, int, Protocol]],
) -> None:
    services = tuple(
        ServicePlan(n, "s", IPv4Address(vip), port, protocol, 0, 0, None, 0, "")
        for n, (vip, port, protocol) in enumerate(listeners)
    )
    table = place_vips(services)
    rows = {
        slot.row: (int(slot.vip), slot.port, slot.protocol.number if slot.protocol else 0)
        for slot in table.slots
    }
    assert len(rows) == len(table.slots) == len(services) + len({v for v, _, _ in listeners})
    assert table.size & (table.size - 1) == 0
    assert len(rows) * 2 <= table.size
    for vip, port, protocol in listeners:
        assert find(rows, table.size, table.probes, (vip, port, protocol.number))
        assert find(rows, table.size, table.probes, (vip, 0, 0))


# Steering


@given(st.text(max_size=30), st.text(max_size=10))
def test_the_key_is_a_function_of_seed_and_cluster_and_spreads(seed: str, cluster: str) -> None:
    key, _ = rss_key(seed, cluster)
    assert (len(key), spreads_well(key)) == (KEY_BYTES, True)
    assert rss_key(seed, cluster) == (key, rss_key(seed, cluster)[1])
    assert rss_key(seed + "x", cluster)[0] != key
    assert toeplitz(key[:40], b"twelve bytes") == toeplitz(key, b"twelve bytes")


def test_seed_and_cluster_do_not_run_into_each_other() -> None:
    assert rss_key("ab", "c")[0] != rss_key("a", "bc")[0]


@pytest.mark.parametrize("field", ["address", "port"])
def test_clients_reach_every_worker_evenly(field: str) -> None:
    """Within 20 % of the mean when only the low half of an address, or only the port, varies."""
    key, _ = rss_key("a seed", "A")
    table = reta(128, 8)
    counts = [0] * 8
    for n in range(4096):
        source = bytes([198, 51, n >> 8, n & 255]) if field == "address" else bytes([198, 51, 1, 9])
        port = 40000 if field == "address" else 32768 + n
        data = source + bytes([203, 0, 113, 10]) + port.to_bytes(2, "big") + b"\0\x50"
        counts[table[toeplitz(key, data) & 127]] += 1
    assert min(counts) > 0.8 * 512 and max(counts) < 1.2 * 512


def test_a_key_of_zeros_is_refused() -> None:
    assert not spreads_well(bytes(KEY_BYTES))
    assert not spreads_well(bytes([0x55] * KEY_BYTES))


def test_reta_is_as_even_as_it_can_be() -> None:
    table = reta(128, 6)
    counts = [table.count(worker) for worker in range(6)]
    assert max(counts) - min(counts) <= 1


def owner_by_rules(plan: NodePlan, address: IPv4Address) -> set[int]:
    return {rule.worker for rule in plan.steering.rules if address in rule.network}


@pytest.mark.parametrize("nic", ["ixgbe", "i40e"])
def test_rules_send_every_local_ip_of_the_cluster_to_its_worker(nic: str) -> None:
    site = make_site() if nic == "ixgbe" else make_site(nics=(i40e("x520"),))
    for plan in plan_site(site, make_sources()).nodes:
        assert {lip.node for lip in plan.lips.entries} == {0, 1}
        for lip in plan.lips.entries:
            assert owner_by_rules(plan, lip.address) == {lip.worker}


def test_masks_where_the_nic_takes_them() -> None:
    plan = first()
    assert {rule.network.prefixlen for rule in plan.steering.rules} == {30}
    assert len(plan.steering.rules) == 8
    assert not any(rule.avoid_ntuple for rule in plan.steering.rules)


def test_full_masks_stay_out_of_the_five_tuple_filters() -> None:
    plan = first(make_site(clusters=(make_cluster(per_worker=1),)))
    assert {rule.network.prefixlen for rule in plan.steering.rules} == {32}
    assert all(rule.avoid_ntuple for rule in plan.steering.rules)


def test_full_masks_where_the_nic_takes_no_others() -> None:
    plan = first(make_site(nics=(i40e("x520"),)))
    assert {rule.network.prefixlen for rule in plan.steering.rules} == {32}
    assert not any(rule.avoid_ntuple for rule in plan.steering.rules)
    assert (len(plan.steering.key), len(plan.steering.reta)) == (52, 512)


def test_software_steering_overrides() -> None:
    plan = first(steering=Steering.SOFTWARE)
    assert plan.steering.mode is Steering.SOFTWARE
    assert plan.steering.rules == ()
    assert (len(plan.steering.key), len(plan.steering.reta)) == (40, 128)


# The sync contract


def test_contract_is_one_per_cluster() -> None:
    plans = plan_site(make_site(), make_sources()).nodes
    assert len({plan.sync_contract for plan in plans}) == 1
    assert len({plan.generation for plan in plans}) == 2


@pytest.mark.parametrize(
    "site",
    [
        make_site(seed="another"),
        make_site(clusters=(make_cluster(workers=2),)),
        make_site(clusters=(make_cluster(per_worker=4),)),
        make_site(clusters=(make_cluster(nodes=("a", "b", "c")),)),
        make_site(clusters=(make_cluster(name="Z"),)),
        make_site(nics=(i40e("x520"),)),
    ],
    ids=["seed", "workers", "local ips", "nodes", "cluster", "reta"],
)
def test_contract_changes_with_what_it_covers(site: object) -> None:
    assert first(site).sync_contract != first().sync_contract


@pytest.mark.parametrize(
    "site",
    [make_site(services=make_site().services[:1]), make_site(name="other")],
    ids=["services", "name"],
)
def test_contract_does_not_change_with_anything_else(site: object) -> None:
    assert first(site).sync_contract == first().sync_contract
    assert first(site).generation != first().generation


# Memory, routes, JSON


@given(st.integers(1, 1 << 26))
def test_buckets_are_about_half_full(sessions: int) -> None:
    buckets = bucket_count(sessions)
    assert buckets & (buckets - 1) == 0
    assert sessions <= buckets * 8 * 0.63
    assert buckets == 1 or sessions + 4 > buckets * 8 * 0.3  # half a bucket: it is rounded up


def test_routes_are_exactly_those_of_the_site() -> None:
    plan = plan_site(make_site(), make_sources()).nodes[1]
    assert [(route.network, route.kind) for route in plan.routes] == [
        (IPv4Network("203.0.113.10/32"), "vip"),
        (IPv4Network("203.0.113.11/32"), "vip"),
        (IPv4Network("203.0.113.53/32"), "vip"),
        (IPv4Network("172.16.1.0/24"), "lip-long"),
        (IPv4Network("172.16.0.0/22"), "lip-short"),
    ]


def test_json_says_everything() -> None:
    plan = first(with_origins(make_site()))
    text = plan_json(plan)
    plain = json.loads(text)
    assert plain == plan_object(plan)
    assert plain["format_version"] == 1
    assert plain["sync_contract"] == f"{plan.sync_contract:#018x}"
    assert plain["steering"]["reta"] == list(plan.steering.reta)
    assert plain["lips"]["entries"][0] == {
        "address": "172.16.0.4",
        "node": 0,
        "worker": 0,
        "slot": 0,
    }
    assert plain["vips"]["slots"][0]["origin"] == "site.tvs:1"


def test_the_same_site_gives_the_same_plan() -> None:
    assert plan_site(make_site(), make_sources()) == plan_site(make_site(), make_sources())


# Health checks


@pytest.mark.parametrize(
    ("written", "planned"),
    [
        ([(200, 299)], [(200, 299)]),
        ([(200, 299), (301, 301), (304, 304)], [(200, 299), (301, 301), (304, 304)]),
        ([(304, 304), (200, 299), (301, 301)], [(200, 299), (301, 301), (304, 304)]),
        ([(200, 204), (205, 299)], [(200, 299)]),
        ([(200, 399), (201, 202), (300, 499)], [(200, 499)]),
        ([(200, 200)] * 8, [(200, 200)]),
    ],
)
def test_statuses_are_ordered_and_joined(
    written: list[tuple[int, int]], planned: list[tuple[int, int]]
) -> None:
    ranges = tuple(StatusRange(first=first, last=last) for first, last in written)
    check = make_pool().check
    assert check is not None
    check = check.model_copy(update={"expect": ranges})
    site = make_site()
    site = site.model_copy(update={"pools": (make_pool(check=check), *site.pools[1:])})
    plan = first(site)
    assert [(r.first, r.last) for r in plan.pools[0].check.expect] == planned
    rows = [f".expect.range[{i}] = {{{a}, {b}}}," for i, (a, b) in enumerate(planned)]
    text = render_node(plan)["pools.c"]
    assert [line.strip() for line in text.splitlines() if ".expect" in line] == [
        f".expect.n = {len(planned)},",
        *rows,
    ]


# What a cluster says of its VIPs


LOWERED = [
    (Role(preference=Preference.PRIMARY), [], "primary: keeps the default preference"),
    (
        Role(preference=Preference.STANDBY, lowering=Lowering.PREPEND, prepend=2),
        ["bgp_path.prepend(64512);", "bgp_path.prepend(64512);"],
        "standby: lengthens the path of its VIPs by 2",
    ),
    (
        Role(preference=Preference.STANDBY, lowering=Lowering.MED, med=100),
        ["bgp_med = 100;"],
        "standby: its VIPs have MED 100, those of the primary 0",
    ),
    (
        Role(preference=Preference.STANDBY, lowering=Lowering.LOCAL_PREF, local_pref=0),
        ["bgp_local_pref = 0;"],
        "standby: its VIPs have local preference 0, others the usual 100",
    ),
    (
        Role(preference=Preference.STANDBY, lowering=Lowering.COMMUNITY, community=(64512, 80)),
        ["bgp_community.add((64512, 80));"],
        "standby: its VIPs have community 64512:80, which the switch heeds",
    ),
    (
        Role(preference=Preference.STANDBY, lowering=Lowering.COMMUNITY, community=(1, 2, 3)),
        ["bgp_large_community.add((1, 2, 3));"],
        "standby: its VIPs have community 1:2:3, which the switch heeds",
    ),
]


@pytest.mark.parametrize(("role", "statements", "reason"), LOWERED)
def test_what_lowers_the_vips_is_said_in_bird(
    role: Role, statements: list[str], reason: str
) -> None:
    plan = first(make_site(clusters=(make_cluster(role=role),)))
    assert plan.bgp.reason == reason
    assert statements_of_the_vips(plan) == statements


def test_beside_a_standby_with_a_med_the_primary_has_one() -> None:
    standby = Role(preference=Preference.STANDBY, lowering=Lowering.MED, med=100)
    clusters = (make_cluster(), make_cluster("B", ("tvs-b1", "tvs-b2"), role=standby))
    plan = first(make_site(clusters=clusters))
    assert statements_of_the_vips(plan) == ["bgp_med = 0;"]
    assert plan.bgp.reason == "primary: its VIPs have MED 0, those of B a larger one"


def statements_of_the_vips(plan: NodePlan) -> list[str]:
    """What BIRD's filter does with a VIP before it accepts it."""
    body = render_bird(plan).partition("if net ~ TVS_VIPS then {")[2].partition("accept;")[0]
    return [line.strip() for line in body.splitlines() if line.strip()]
