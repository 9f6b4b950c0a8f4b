"""Which server a pool gives a flow, as far as the flow alone decides (runtime/core/schedule.h)."""

from __future__ import annotations

from tvsc.explain.flow_text import Flow
from tvsc.model import Schedule
from tvsc.plan import BackendPlan, PoolPlan
from tvsc.plan.maglev import HASHED, entry, flow_hash, maglev_table, source_hash

_REASONS = {
    Schedule.RR: "the worker's own turn decides, each server once in a round",
    Schedule.WRR: "the worker's own turn decides, each server by its weight",
    Schedule.LEAST_LOADED: (
        "of the server whose turn it is and one of another entry of the period, the one with fewer"
        " of the worker's sessions for its weight"
    ),
    Schedule.MAGLEV: "the flow's hash decides, the same on every node",
    Schedule.SOURCE_HASH: "the hash of the client's address decides, the same on every node",
}


class Picks:
    """Remembers the tables of the pools it was asked for: a large one takes seconds."""

    def __init__(self, flow_key: bytes) -> None:
        self.flow_key = flow_key
        self._tables: dict[int, list[int]] = {}

    def pick(self, pool: PoolPlan, flow: Flow) -> tuple[BackendPlan | None, str]:
        """(server while all are healthy and no operator has said otherwise, what decides)."""
        reason = _REASONS[pool.scheduler]
        if pool.scheduler not in HASHED:
            return None, reason
        table = self._table(pool)
        if not table:
            return None, "no server takes new sessions"
        return pool.backends[table[entry(self._hash(pool, flow), len(table))]], reason

    def _table(self, pool: PoolPlan) -> list[int]:
        if pool.id not in self._tables:
            self._tables[pool.id] = maglev_table(
                pool.table_entries,
                self.flow_key,
                [(b.address, b.port, 0 if b.drain else b.weight) for b in pool.backends],
            )
        return self._tables[pool.id]

    def _hash(self, pool: PoolPlan, flow: Flow) -> int:
        if pool.scheduler is Schedule.SOURCE_HASH:
            return source_hash(flow.source, self.flow_key)
        return flow_hash(
            flow.source,
            flow.source_port,
            flow.destination,
            flow.destination_port,
            flow.packet.protocol,
            self.flow_key,
        )
