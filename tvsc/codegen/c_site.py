"""NodePlan -> what pools.c and services.c say: tables that are the same on all nodes of a site.

Reads the pools, services, VIP table and VIP routes of any node's plan, writes strings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvsc.codegen.c_text import (
    ON_DOWN,
    SCHEDULER,
    Noun,
    Row,
    banner,
    c_bool,
    c_field,
    index_range,
    ipv4,
    route_row,
)
from tvsc.codegen.escape import COLUMNS, c_string
from tvsc.plan import NodePlan, PoolPlan, ServicePlan, VipTable

_CHECK = {"none": "TVS_CHECK_NONE", "tcp": "TVS_CHECK_TCP", "http": "TVS_CHECK_HTTP"}


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of pool number `id`."""

    id: int
    comment: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class SiteContext:
    """Everything that templates/c/pools.c and services.c place."""

    banner: str
    vip_size: int
    vip_reason: str
    vips: tuple[Row, ...]
    routes: tuple[Row, ...]
    servers: tuple[Servers, ...]
    pools: tuple[Noun, ...]
    services: tuple[Row, ...]


def _vip_rows(table: VipTable, services: tuple[ServicePlan, ...]) -> Iterator[Row]:
    at = 0
    for slot in table.slots:
        if at < slot.row:
            yield Row("", f"{index_range(at, slot.row - 1)} = {{.service = TVS_VIP_EMPTY}},")
        at = slot.row + 1
        if slot.service is None or slot.protocol is None:
            text = f"{{{ipv4(slot.vip)}, 0, 0, 0, TVS_VIP_ADDRESS, 0}},"
            yield Row(f"{slot.origin}: {slot.vip}", f"[{slot.row}] = {text}")
            continue
        proto = f"TVS_{slot.protocol.name}"
        text = (
            f"{{{ipv4(slot.vip)}, {slot.port}, {proto}, {slot.class_id}, {slot.service}, "
            f"{slot.pool}}},"
        )
        label = services[slot.service].label
        yield Row(f"{slot.origin}: {label}", f"[{slot.row}] = {text}")
    if at < table.size:
        yield Row("", f"{index_range(at, table.size - 1)} = {{.service = TVS_VIP_EMPTY}},")


def _pool_comment(plan: PoolPlan) -> str:
    return f"{plan.origin}: pool {plan.name}"


def _servers(plan: PoolPlan) -> Servers:
    return Servers(
        plan.id,
        _pool_comment(plan),
        tuple(
            Row(
                b.origin,
                f"{{{ipv4(b.address)}, {b.port}, {c_bool(b.drain)}, {b.weight}}},",
            )
            for b in plan.backends
        ),
    )


def _pool(plan: PoolPlan) -> Noun:
    check = plan.check
    http = check.kind == "http"
    return Noun(
        comment=_pool_comment(plan),
        fields=(
            c_field("name", plan.name, 8),
            f".scheduler = {SCHEDULER[plan.scheduler]},",
            f".on_down = {ON_DOWN[plan.on_down]},",
            f".n_backends = {len(plan.backends)},",
            f".backends = {f'pool_{plan.id}' if plan.backends else 'NULL'},",
        ),
        check=(
            f".kind = {_CHECK[check.kind]},",
            *((f".expect_low = {check.expect_first},",) if http else ()),
            *((f".expect_high = {check.expect_last},",) if http else ()),
            *((f".port = {check.port},",) if check.port else ()),
            *((f".every_ms = {check.every_ms},",) if check.every_ms else ()),
            *((f".timeout_ms = {check.timeout_ms},",) if check.timeout_ms else ()),
            *((f".rise = {check.rise},",) if check.rise else ()),
            *((f".fall = {check.fall},",) if check.fall else ()),
            *((c_field("path", check.path, 16),) if http else ()),
            *((c_field("host", check.host, 16),) if http and check.host else ()),
        ),
    )


def _service_row(plan: ServicePlan) -> Row:
    name = c_string(plan.name, before=5, indent=5)
    rest_fields = (
        ipv4(plan.vip),
        str(plan.port),
        f"TVS_{plan.protocol.name}",
        str(plan.class_id),
        str(plan.pool),
    )
    rest = ", ".join(rest_fields)
    comment = f"{plan.origin}: {plan.label}"
    row = f"{{{name}, {rest}}},"
    if "\n" not in row and len(row) + 4 <= COLUMNS:
        return Row(comment, row)
    lines = [c_string(plan.name, before=8, indent=8).lstrip(), *rest_fields]
    return Row(comment, "{\n" + "".join(f"        {line},\n" for line in lines) + "    },")


def site_context(plan: NodePlan) -> SiteContext:
    """Resolves what the plans of all nodes have in common."""
    return SiteContext(
        banner=banner(plan.compiler, plan.sources, f"The same on every node of site {plan.site}."),
        vip_size=plan.vips.size,
        vip_reason=plan.vips.reason,
        vips=tuple(_vip_rows(plan.vips, plan.services)),
        routes=tuple(route_row(route) for route in plan.routes if route.kind == "vip"),
        servers=tuple(_servers(pool) for pool in plan.pools if pool.backends),
        pools=tuple(_pool(pool) for pool in plan.pools),
        services=tuple(_service_row(service) for service in plan.services),
    )
