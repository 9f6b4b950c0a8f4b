"""NodePlan -> what pools.c, servers-*.c, services.c and access.c say: the same on all nodes.

Reads the pools, services, VIP table and VIP routes of any node's plan, writes strings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tvsc.codegen.c_limits import AccessContext, access_context
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
from tvsc.plan.maglev import HASHED

POOLS_PER_SOURCE: Final = 1000

_CHECK = {"none": "TVS_CHECK_NONE", "tcp": "TVS_CHECK_TCP", "http": "TVS_CHECK_HTTP"}


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of some pools, a source of their own: so that large sites are compiled in
    parallel, and an edit costs one of these.
    """

    number: int
    pools: str
    rows: tuple[Row, ...]

    @property
    def file(self) -> str:
        """`servers-000.c`."""
        return f"servers-{self.number:03}.c"


@dataclass(frozen=True, slots=True)
class SiteContext:
    """Everything that templates/c/pools.c, servers.c, services.c and access.c place."""

    banner: str
    vip_size: int
    vip_reason: str
    vips: tuple[Row, ...]
    routes: tuple[Row, ...]
    servers: tuple[Servers, ...]
    pools: tuple[Noun, ...]
    services: tuple[Row, ...]
    sorry: tuple[Row, ...]
    access: tuple[AccessContext, ...]


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


def _server_rows(plan: PoolPlan) -> Iterator[Row]:
    for number, server in enumerate(plan.backends):
        yield Row(
            server.origin if number else f"{server.origin}: pool {plan.name}",
            f"{{{ipv4(server.address)}, {server.port}, {c_bool(server.drain)}, {server.weight}}},",
        )


def _servers(pools: tuple[PoolPlan, ...]) -> Iterator[Servers]:
    """At least one, whatever the site has."""
    for first in range(0, max(1, len(pools)), POOLS_PER_SOURCE):
        some = pools[first : first + POOLS_PER_SOURCE]
        yield Servers(
            number=first // POOLS_PER_SOURCE,
            pools=f"pools {first} to {first + len(some) - 1}" if some else "no pool",
            rows=tuple(row for pool in some for row in _server_rows(pool)),
        )


def _pools(pools: tuple[PoolPlan, ...]) -> Iterator[Noun]:
    at = 0
    for number, pool in enumerate(pools):
        if number % POOLS_PER_SOURCE == 0:
            at = 0
        yield _pool(pool, f"&servers_{number // POOLS_PER_SOURCE}[{at}]")
        at += len(pool.backends)


def _pool(plan: PoolPlan, backends: str) -> Noun:
    check = plan.check
    http = check.kind == "http"
    return Noun(
        comment=f"{plan.origin}: pool {plan.name}",
        fields=(
            c_field("name", plan.name, 8),
            f".scheduler = {SCHEDULER[plan.scheduler]},",
            f".on_down = {ON_DOWN[plan.on_down]},",
            *((f".table_size = {plan.table_entries},",) if plan.scheduler in HASHED else ()),
            f".n_backends = {len(plan.backends)},",
            f".backends = {backends if plan.backends else 'NULL'},",
        ),
        check=(
            f".kind = {_CHECK[check.kind]},",
            *((f".port = {check.port},",) if check.port else ()),
            *((f".every_ms = {check.every_ms},",) if check.every_ms else ()),
            *((f".timeout_ms = {check.timeout_ms},",) if check.timeout_ms else ()),
            *((f".rise = {check.rise},",) if check.rise else ()),
            *((f".fall = {check.fall},",) if check.fall else ()),
            *((f".expect.n = {len(check.expect)},",) if http else ()),
            *(
                f".expect.range[{index}] = {{{statuses.first}, {statuses.last}}},"
                for index, statuses in enumerate(check.expect)
            ),
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
        str(plan.min_up),
    )
    rest = ", ".join(rest_fields)
    comment = f"{plan.origin}: {plan.label}"
    row = f"{{{name}, {rest}}},"
    if "\n" not in row and len(row) + 4 <= COLUMNS:
        return Row(comment, row)
    lines = [c_string(plan.name, before=8, indent=8).lstrip(), *rest_fields]
    return Row(comment, "{\n" + "".join(f"        {line},\n" for line in lines) + "    },")


def _sorry_rows(plan: NodePlan) -> Iterator[Row]:
    """None at all when no service has a sorry pool."""
    if all(service.sorry is None for service in plan.services):
        return
    for service in plan.services:
        pool = "TVS_NO_POOL" if service.sorry is None else str(service.sorry)
        yield Row(f"{service.origin}: {service.label}", f"{pool},")


def site_context(plan: NodePlan) -> SiteContext:
    """Resolves what the plans of all nodes have in common."""
    return SiteContext(
        banner=banner(plan.compiler, plan.sources, f"The same on every node of site {plan.site}."),
        vip_size=plan.vips.size,
        vip_reason=plan.vips.reason,
        vips=tuple(_vip_rows(plan.vips, plan.services)),
        routes=tuple(route_row(route) for route in plan.routes if route.kind == "vip"),
        servers=tuple(_servers(plan.pools)),
        pools=tuple(_pools(plan.pools)),
        services=tuple(_service_row(service) for service in plan.services),
        sorry=tuple(_sorry_rows(plan)),
        access=tuple(access_context(table) for table in plan.access),
    )
