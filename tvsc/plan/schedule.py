"""The tables from which workers pick servers: how many entries each pool's has, and why."""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

from tvsc.model import Pool, Schedule
from tvsc.plan.maglev import HASHED, flow_key, table_size
from tvsc.plan.types import SchedulePlan

_ENTRY_BYTES = 4
_TABLES_AT_A_TIME = 2

_REASONS = {
    Schedule.RR: "one turn for each server",
    Schedule.WRR: "one period of turns, as many for each server as its weight says",
    Schedule.LEAST_LOADED: (
        "one period of turns by weight: a session goes to the server whose turn it is or to that of"
        " another entry, whichever has fewer sessions for its weight"
    ),
    Schedule.MAGLEV: "a prime of at least 100 entries for each server; the flow's hash picks one",
    Schedule.SOURCE_HASH: (
        "a prime of at least 100 entries for each server; the hash of the client's address picks"
        " one"
    ),
}


def table_entries(pool: Pool) -> int:
    """Entries of a pool's table while all of its servers are healthy and none is drained."""
    weights = [server.weight for server in pool.servers]
    if pool.schedule in HASHED:
        return table_size(weights)
    if pool.schedule is Schedule.RR:
        return sum(1 for weight in weights if weight)
    return sum(weights) // (gcd(*weights) or 1)


def table_reason(pool: Pool) -> str:
    """Why the table has so many."""
    return _REASONS[pool.schedule]


def tables_bytes(entries: Iterable[int]) -> int:
    """Of tables with so many entries: each twice, while a new one takes the old one's place."""
    return sum(entries) * _ENTRY_BYTES * _TABLES_AT_A_TIME


def plan_schedule(seed: str, entries: tuple[int, ...]) -> SchedulePlan:
    """What the pools of a site, with so many entries each, have in common."""
    return SchedulePlan(
        flow_key=flow_key(seed),
        flow_key_reason=(
            "the hashes of `maglev` and `source-hash`, from the site's seed: every node and worker"
            " picks the same server for a flow"
        ),
        tables_bytes=tables_bytes(entries),
        tables_reason=(
            f"{sum(entries)} entries of {len(entries)} pools, {_ENTRY_BYTES} bytes each, twice"
            " while a new table takes the old one's place"
        ),
    )
