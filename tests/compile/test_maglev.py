"""Maglev tables in Python: what sizes they have, and that the runtime builds the very same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compile.probe import run_c
from tests.compile.sites import make_pool, make_site, make_sources
from tvsc.model import Schedule
from tvsc.plan import plan_site
from tvsc.plan.maglev import (
    ENTRIES_OF_LIGHTEST,
    ENTRIES_PER_SERVER,
    MAX_SERVERS,
    SIZES,
    Server,
    flow_hash,
    flow_key,
    key_words,
    maglev_table,
    source_hash,
    table_size,
)

KEY = flow_key("a seed")
FIRST = IPv4Address("10.20.0.1")


def servers(weights: Sequence[int], seed: int = 1) -> list[Server]:
    chance = random.Random(seed)
    made = [(FIRST + n // 2, 8000 + n % 2, weight) for n, weight in enumerate(weights)]
    chance.shuffle(made)
    return made


PROBE = """#include <stdio.h>
#include <stdlib.h>
#include "tvs/core.h"
#include "core/schedule.h"
int main(void)
{
    uint64_t key[2];
    uint32_t size, n, weight, address;
    uint16_t port;
    struct tvs_maglev_server *server;
    struct tvs_ring *table;

    if (scanf("%lu %lu %u %u", &key[0], &key[1], &size, &n) != 4)
        return 1;
    server = calloc(n, sizeof(*server));
    table = malloc(sizeof(*table) + size * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++) {
        if (scanf("%u %hu %u", &address, &port, &weight) != 3)
            return 1;
        server[i] = (struct tvs_maglev_server){
            .id = i, .addr_be = htobe32(address), .port_be = htobe16(port), .weight = weight};
    }
    if (tvs_maglev_build(table, size, key, server, n) != 0)
        return 1;
    for (uint32_t i = 0; i < table->len; i++)
        printf("%u\\n", table->backend[i]);
    return 0;
}
"""


@pytest.mark.parametrize(
    "weights", [[1], [1, 1, 1], [3, 0, 5, 1], [*range(41)], [100] * 8 + [200] * 8 + [1000]]
)
def test_the_runtime_builds_the_same(weights: list[int], tmp_path: Path) -> None:
    listed = servers(weights)
    size = table_size(weights)
    rows = "\n".join(f"{int(address)} {port} {weight}" for address, port, weight in listed)
    stdin = f"{key_words(KEY)[0]} {key_words(KEY)[1]} {size} {len(listed)}\n{rows}\n"
    out = run_c(PROBE, tmp_path, "core/maglev.c", "core/ring.c", stdin=stdin)
    assert [int(line) for line in out.split()] == maglev_table(size, KEY, listed)


def test_no_weight_no_table() -> None:
    assert maglev_table(1021, KEY, servers([0, 0])) == []


def test_hashes_are_the_packet_paths(tmp_path: Path) -> None:
    first, second = key_words(KEY)
    source = f"""#include <stdio.h>
#include "core/schedule.h"
int main(void)
{{
    const struct tvs_site site = {{.flow_key = {{{first}ul, {second}ul}}}};
    const struct tvs_key key = {{
        .tuple = {{htobe32(0xc6336407), htobe32(0xcb00710a), htobe16(5555), htobe16(80)}},
        .proto = 6,
    }};
    uint32_t flow = tvs_key_hash(&key, site.flow_key);
    uint32_t client = tvs_words_hash(key.tuple.saddr_be, 0, site.flow_key);

    printf("%u %u\\n", flow, client);
}}
"""
    client, vip = IPv4Address("198.51.100.7"), IPv4Address("203.0.113.10")
    found = [int(word) for word in run_c(source, tmp_path).split()]
    assert found == [flow_hash(client, 5555, vip, 80, 6, KEY), source_hash(client, KEY)]


def is_prime(number: int) -> bool:
    return number > 1 and all(number % n for n in range(2, int(number**0.5) + 1))


def test_sizes() -> None:
    assert all(is_prime(size) for size in SIZES)
    assert [table_size([1] * n) for n in (1, 10, 11, 40, 41, 163, 164)] == [
        *(1021, 1021, 4093, 4093, 16381, 16381, 65521)
    ]
    assert table_size([1] * MAX_SERVERS) == SIZES[-1]
    assert table_size([1000] * 9 + [1]) == 262139  # the lightest has 29 of them
    assert table_size([0, 0]) == 1021


@given(weights=st.lists(st.integers(0, 1000), min_size=1, max_size=60).filter(any))
def test_every_server_has_entries(weights: list[int]) -> None:
    size = table_size(weights)
    lightest = min(weight for weight in weights if weight)
    assert size >= ENTRIES_PER_SERVER * len(weights)
    assert size * lightest >= ENTRIES_OF_LIGHTEST * sum(weights) or size == SIZES[-1]


def test_the_plan_says_so() -> None:
    pool = make_pool(schedule=Schedule.MAGLEV)
    site = make_site(pools=(pool, *make_site().pools[1:]))
    plans = plan_site(site, make_sources()).nodes
    web, dns = plans[0].pools
    assert (web.table_entries, dns.table_entries) == (1021, 3)
    assert "the flow's hash picks one" in web.table_reason
    assert {plan.schedule.flow_key for plan in plans} == {KEY}
    assert plans[0].schedule.tables_bytes == 8 * (1021 + 3)


def test_the_key_follows_from_the_seed_alone() -> None:
    assert flow_key("a seed") == KEY != flow_key("another")
    assert len(KEY) == 16
