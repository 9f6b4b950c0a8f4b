"""NodePlan -> what path.c says of limits, and access.c of the sources that services keep out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvsc.codegen.c_text import Row, index_range, numbers
from tvsc.plan import AccessPlan, LimitPlan
from tvsc.plan.access import edges_of, index_of
from tvsc.plan.limits import interval_of

_EDGES_PER_LINE = 6  # three ranges
_INDEX_PER_LINE = 12


@dataclass(frozen=True, slots=True)
class AccessContext:
    """A table of templates/c/access.c."""

    id: int
    comment: str
    shift: int
    edges: tuple[str, ...]
    index: tuple[str, ...]


def access_context(plan: AccessPlan) -> AccessContext:
    """Lays out the table of some services."""
    edges = edges_of((int(r.first), int(r.last)) for r in plan.ranges)
    index = [str(below) for below in index_of(edges, plan.shift)]
    return AccessContext(
        id=plan.id,
        comment=f"{plan.origin}: {plan.reason}.",
        shift=plan.shift,
        edges=tuple(numbers([f"{edge:#010x}" for edge in edges], _EDGES_PER_LINE)),
        index=tuple(numbers(index, _INDEX_PER_LINE)),
    )


def limit_rows(limits: tuple[LimitPlan, ...]) -> Iterator[Row]:
    """Rows of `struct tvs_limit`, by service; services without limits have none."""
    for plan in limits:
        interval = interval_of(plan.worker_per_1000s) if plan.new_per_source else 0
        debt = (plan.worker_burst - 1) * interval if interval else 0
        access = "NULL" if plan.access is None else f"&site_access[{plan.access}]"
        fields = (
            f".group = {plan.first}",
            f".connections = {plan.worker_connections}",
            f".interval = {interval}",
            f".most_debt = {debt}",
            f".access = {access}",
        )
        text = "".join(f"\n            {field}," for field in fields)
        yield Row(
            f"{plan.origin}: service {plan.service}: {plan.reason}",
            f"{index_range(plan.first, plan.last)} =\n        {{{text}\n        }},",
        )
