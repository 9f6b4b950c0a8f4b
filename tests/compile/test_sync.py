"""What the plan and the generated texts say of session sync."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compile.sites import SYNC, i40e, make_cluster, make_site, make_sources
from tests.naive.nic import toeplitz
from tvsc.codegen import render_c, render_etc
from tvsc.model import Cluster, Node, Secret, SecretSource, Site, Steering, Sync
from tvsc.plan import NodePlan, PlanOptions, SteeringPlan, plan_json, plan_site
from tvsc.plan.memory import bucket_count, sync_bytes, worker_bytes
from tvsc.plan.rss import reta, rss_key
from tvsc.plan.sync import FIRST_SOURCE_PORT, source_ports

NAMES = ("a1", "a2", "a3")


def synced(cluster: Cluster | None = None, sync: Sync = SYNC) -> Site:
    made = cluster or make_cluster(nodes=NAMES)
    return make_site(clusters=(made.model_copy(update={"sync": sync}),))


def plans(site: Site, steering: Steering | None = None) -> tuple[NodePlan, ...]:
    return plan_site(site, make_sources(), PlanOptions(steering=steering)).nodes


def two_ports(node: Node) -> Node:
    port = node.ports[0]
    address = IPv4Interface(f"198.51.100.{11 + node.index}/24")
    return node.model_copy(
        update={"ports": (port, port.model_copy(update={"name": "back", "address": address}))}
    )


def receiver(steering: SteeringPlan, source: int, destination: int, ports: tuple[int, int]) -> int:
    """By the oracle's own Toeplitz."""
    data = source.to_bytes(4, "big") + destination.to_bytes(4, "big")
    data += ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big")
    return steering.reta[toeplitz(steering.key, data) % len(steering.reta)]


@given(
    st.text(max_size=8),
    st.integers(1, 64),
    st.sampled_from([64, 128, 512]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(1, 65535),
)
def test_the_first_port_that_rss_brings_to_the_worker(
    seed: str, workers: int, rows: int, source: int, destination: int, port: int
) -> None:
    base = plans(synced())[0].steering
    steering = replace(base, key=rss_key(seed, "A")[0], reta=reta(rows, workers))
    found = source_ports(steering, source, destination, port, workers)
    assert len(found) == workers
    for worker, chosen in enumerate(found):
        assert receiver(steering, source, destination, (chosen, port)) == worker
    # lower ones are for others
    first = min(found)
    if first == FIRST_SOURCE_PORT:
        for lower in range(FIRST_SOURCE_PORT, min(found[0], FIRST_SOURCE_PORT + 20)):
            assert receiver(steering, source, destination, (lower, port)) != 0


def test_every_node_knows_its_peers() -> None:
    for index, plan in enumerate(plans(synced())):
        sync = plan.sync
        assert sync is not None
        assert (sync.port, sync.key.name) == (7000, "sync.key")
        assert [peer.name for peer in sync.peers] == [n for n in NAMES if n != plan.node]
        for peer in sync.peers:
            (path,) = peer.paths
            assert path.port == "fwd"
            assert path.local == IPv4Address(f"192.0.2.{11 + index}")
            assert path.remote == IPv4Address(f"192.0.2.{11 + peer.node}")
            assert len(path.source_ports) == 4


def test_ports_of_one_number_talk() -> None:
    """Of two ports here and one there the first ones."""
    cluster = make_cluster(nodes=NAMES)
    nodes = (two_ports(cluster.nodes[0]), cluster.nodes[1], two_ports(cluster.nodes[2]))
    first = plans(synced(cluster.model_copy(update={"nodes": nodes})))[0]
    assert first.sync is not None
    found = [[(p.port, str(p.remote)) for p in peer.paths] for peer in first.sync.peers]
    assert found == [
        [("fwd", "192.0.2.12")],
        [("fwd", "192.0.2.13"), ("back", "198.51.100.13")],
    ]


def test_own_local_ips_have_the_first_slots_and_copies_follow() -> None:
    for plan in plans(synced()):
        lips = plan.lips
        assert [lip.slot for lip in lips.own if lip.worker == 2] == [0, 1, 2]
        for worker in range(4):
            copies = [lip for lip in lips.copies if lip.worker == worker]
            assert [lip.slot for lip in copies] == list(range(3, 9))
            assert [(c.node, int(c.address)) for c in copies] == sorted(
                (lip.node, int(lip.address))
                for lip in lips.entries
                if lip.worker == worker and lip.node != plan.node_index
            )
        assert plan.memory.slots_per_worker == 9


def test_without_sync_there_are_no_copies() -> None:
    (first, _) = plans(make_site())
    assert (first.sync, first.lips.copies, first.memory.slots_per_worker) == (None, (), 3)
    text = render_c(first)["generation.c"]
    assert "sync_peers" not in text and ".sync =" not in text


def test_tables_hold_the_sessions_of_all_nodes() -> None:
    alone = plans(make_site(clusters=(make_cluster(nodes=NAMES),)))[0].memory
    memory = plans(synced())[0].memory
    assert memory.sessions_per_worker == alone.sessions_per_worker == 150_000
    assert memory.buckets_per_worker == bucket_count(450_000)
    assert memory.worker_bytes == worker_bytes(3, 9, bucket_count(450_000), 2)
    assert sync_bytes(0) == 0
    assert sync_bytes(2) == 65536 * 4 + 1024 * 40 * 4 + 128 * 2560 + (64 << 10) + 2 * 1024
    assert memory.hugepage_mb > alone.hugepage_mb


def test_contract_covers_what_both_ends_need() -> None:
    made = plans(synced())
    assert len({plan.sync_contract for plan in made}) == 1
    contract = made[0].sync_contract
    other_port = SYNC.model_copy(update={"port": 7001})
    assert plans(synced(sync=other_port))[0].sync_contract != contract
    other_key = SYNC.model_copy(update={"key": Secret(source=SecretSource.ENV, name="K")})
    assert plans(synced(sync=other_key))[0].sync_contract == contract
    renamed = make_cluster(nodes=("a2", "a1", "a3"))
    assert plans(synced(renamed))[0].sync_contract != contract
    assert plans(make_site(clusters=(make_cluster(nodes=NAMES),)))[0].sync_contract != contract


@pytest.mark.parametrize("steering", [Steering.FDIR, Steering.SOFTWARE])
def test_generated_tables_say_it(steering: Steering) -> None:
    plan = plans(synced(), steering)[1]
    assert plan.sync is not None
    text = render_c(plan)["generation.c"]
    for peer in plan.sync.peers:
        table = re.search(rf"sync_ports_{peer.node}_0\[4\] = \{{\n(.*?)\n\}};", text, re.DOTALL)
        assert table
        numbers = [int(n) for n in re.findall(r"(\d+),", table.group(1))]
        assert tuple(numbers) == peer.paths[0].source_ports
    assert ".key_is_env = false," in text and '.key = "sync.key",' in text
    assert ".n_peers = 2," in text
    copy = plan.lips.copies[0]
    at = int(copy.address) - int(plan.lips.short.network_address)
    assert f"[{at}] = {{{copy.worker}, {copy.node}, {copy.slot}}}," in text
    assert f".n_lips = {len(plan.lips.own)}," in text


def test_plan_json_says_it() -> None:
    plan = plans(synced())[0]
    sync = json.loads(plan_json(plan))["sync"]
    assert sync["key"] == {"source": "file", "name": "sync.key"}
    assert sync["peers"][1]["paths"][0]["remote"] == "192.0.2.13"


def test_unit_says_where_the_key_is() -> None:
    env = SYNC.model_copy(update={"key": Secret(source=SecretSource.ENV, name="SYNC_KEY")})
    by_file = render_etc(plans(synced())[0])["tvsd.service"]
    by_env = render_etc(plans(synced(sync=env))[0])["tvsd.service"]
    without = render_etc(plans(make_site())[0])["tvsd.service"]
    option, variables = " --secrets-dir /etc/tvs\n", "EnvironmentFile=-/etc/tvs/environment\n"
    assert option in by_file and variables not in by_file
    assert variables in by_env and option not in by_env
    assert option not in without and variables not in without


def test_another_nic_has_another_table() -> None:
    cluster = make_cluster(nodes=NAMES, sync=SYNC)
    plan = plans(make_site(clusters=(cluster,), nics=(i40e("x520"),)))[0]
    assert plan.sync is not None
    for peer in plan.sync.peers:
        for worker, port in enumerate(peer.paths[0].source_ports):
            path = peer.paths[0]
            at = receiver(plan.steering, int(path.local), int(path.remote), (port, 7000))
            assert at == worker
