"""NodePlan -> what the C templates place: rows as text, in the order of the output.

Reads a plan, writes strings. All layout that needs counting (columns, runs, table sizes) is done
here, so that a template has no arithmetic and its output is what clang-format would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import groupby

from tvsc.codegen.escape import COLUMNS, c_comment, c_string
from tvsc.model import ClientAddress, Driver, IdlePolicy, Mode, OnDown, Schedule, Steering
from tvsc.plan import (
    ClassPlan,
    LipMap,
    LipPlan,
    NodePlan,
    PoolPlan,
    PortPlan,
    RulePlan,
    ServicePlan,
    VipTable,
)
from tvsc.plan.abi import STATES

_MODE = {Mode.FULLNAT: "TVS_MODE_FULLNAT", Mode.TUNNEL: "TVS_MODE_TUNNEL"}
_SCHEDULER = {Schedule.WRR: "TVS_SCHED_WRR", Schedule.RR: "TVS_SCHED_RR"}
_CLIENT_ADDRESS = {
    ClientAddress.NONE: "TVS_CLIENT_NONE",
    ClientAddress.TOA: "TVS_CLIENT_TOA",
    ClientAddress.PROXY_V2: "TVS_CLIENT_PROXY_V2",
}
_ON_DOWN = {OnDown.KEEP: "TVS_ON_DOWN_KEEP", OnDown.RESET: "TVS_ON_DOWN_RESET"}
_STEERING = {
    Steering.FDIR: "TVS_STEER_FDIR",
    Steering.SOFTWARE: "TVS_STEER_SOFTWARE",
    Steering.RSS_PORT: "TVS_STEER_RSS_PORT",
}
_IDLE = {IdlePolicy.BUSY: "TVS_IDLE_BUSY", IdlePolicy.INTERRUPT: "TVS_IDLE_INTERRUPT"}
_FAMILY = {
    Driver.IXGBE: "TVS_NIC_IXGBE",
    Driver.I40E: "TVS_NIC_I40E",
    Driver.ICE: "TVS_NIC_ICE",
    Driver.MLX5: "TVS_NIC_MLX5",
    Driver.TAP: "TVS_NIC_TAP",
}
_CHECK = {"none": "TVS_CHECK_NONE", "tcp": "TVS_CHECK_TCP", "http": "TVS_CHECK_HTTP"}
_ROUTE = {
    "vip": "TVS_ROUTE_VIP",
    "lip-long": "TVS_ROUTE_LIP_LONG",
    "lip-short": "TVS_ROUTE_LIP_SHORT",
}

_PER_LINE = {"reta": 16, "key": 8}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a constant table, under a comment; without one it belongs to the row above."""

    comment: str
    text: str


@dataclass(frozen=True, slots=True)
class ClassContext:
    """One instantiation."""

    id: int
    comment: str
    fields: tuple[str, ...]
    timeouts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PoolContext:
    """A pool's backends and its row."""

    id: int
    comment: str
    backends: tuple[Row, ...]
    fields: tuple[str, ...]
    check: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CContext:
    """Everything that the templates in templates/c place."""

    plan: NodePlan
    banner: str
    strings: dict[str, str]
    enums: dict[str, str]
    reta: tuple[str, ...]
    key: tuple[str, ...]
    lips_by_address: tuple[Row, ...]
    lip_count: int
    lip_base: str
    vips: tuple[Row, ...]
    classes: tuple[ClassContext, ...]
    ports: tuple[PoolContext, ...]
    own_lips: tuple[Row, ...]
    rules: tuple[Row, ...]
    routes: tuple[Row, ...]
    pools: tuple[PoolContext, ...]
    services: tuple[Row, ...]
    cores: str
    control_core: int
    contract: str
    schema: str


def ipv4(address: IPv4Address) -> str:
    """`IPV4(203, 0, 113, 10)`."""
    return f"IPV4({', '.join(str(byte) for byte in address.packed)})"


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _field(name: str, text: str | None, indent: int) -> str:
    """`.name = "text",` at `indent` columns."""
    if text is None:
        return f".{name} = NULL,"
    literal = c_string(text, before=indent + len(name) + 4, indent=indent + 4)
    return f".{name} ={'' if literal.startswith(chr(10)) else ' '}{literal},"


def _numbers(values: list[str], per_line: int) -> Iterator[str]:
    """Lines of a number table; each ends in the index of its first, which also fixes the layout."""
    lines = [", ".join(values[at : at + per_line]) + "," for at in range(0, len(values), per_line)]
    width = max(len(line) for line in lines)
    for index, line in enumerate(lines):
        yield f"{line:{width}} /* {index * per_line} */"


def _range(first: int, last: int) -> str:
    return f"[{first}]" if first == last else f"[{first} ... {last}]"


def _lip_rows(lips: LipMap, node: int) -> Iterator[Row]:
    """The whole local-IP range: own addresses one by one, the rest in runs."""
    base, end = int(lips.short.network_address), lips.short.num_addresses
    nobody = "{TVS_LIP_NOBODY, 0, TVS_LIP_NO_SLOT},"
    at = 0

    def key(lip: LipPlan) -> tuple[int, int]:
        return lip.node, lip.worker

    for (owner, worker), grouped in groupby(lips.entries, key):
        group = list(grouped)
        for run in _runs(group):
            first, last = (int(lip.address) - base for lip in (run[0], run[-1]))
            if at < first:
                yield Row("nobody", f"{_range(at, first - 1)} = {nobody}")
            at = last + 1
            comment = f"node {owner}, worker {worker}: {run[0].address} to {run[-1].address}"
            if owner != node:
                yield Row(
                    comment,
                    f"{_range(first, last)} = {{{worker}, {owner}, TVS_LIP_NO_SLOT}},",
                )
                continue
            for lip in run:
                row = f"[{int(lip.address) - base}] = {{{worker}, {owner}, {lip.slot}}},"
                yield Row(comment if lip is run[0] else "", row)
    if at < end:
        yield Row("nobody", f"{_range(at, end - 1)} = {nobody}")


def _runs(lips: list[LipPlan]) -> Iterator[list[LipPlan]]:
    run: list[LipPlan] = []
    for lip in lips:
        if run and int(lip.address) != int(run[-1].address) + 1:
            yield run
            run = []
        run.append(lip)
    yield run


def _vip_rows(table: VipTable, services: tuple[ServicePlan, ...]) -> Iterator[Row]:
    at = 0
    for slot in table.slots:
        if at < slot.row:
            yield Row("", f"{_range(at, slot.row - 1)} = {{.service = TVS_VIP_EMPTY}},")
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
        yield Row(f"{slot.origin}: {c_comment(label)}", f"[{slot.row}] = {text}")
    if at < table.size:
        yield Row("", f"{_range(at, table.size - 1)} = {{.service = TVS_VIP_EMPTY}},")


def _class(plan: ClassPlan) -> ClassContext:
    return ClassContext(
        id=plan.id,
        comment=c_comment(f"Class {plan.id} ({plan.origin}): {plan.reason}."),
        fields=(
            f".mode = {_MODE[plan.mode]},",
            f".proto = TVS_{plan.protocol.name},",
            f".scheduler = {_SCHEDULER[plan.scheduler]},",
            f".client_address = {_CLIENT_ADDRESS[plan.client_address]},",
            f".on_down = {_ON_DOWN[plan.on_down]},",
        ),
        timeouts=tuple(
            f"[TVS_S_{state}] = {ticks},"
            for state, ticks in zip(STATES, plan.timeout_ticks, strict=True)
            if ticks
        ),
    )


def _pool(plan: PoolPlan) -> PoolContext:
    check = plan.check
    http = check.kind == "http"
    return PoolContext(
        id=plan.id,
        comment=c_comment(f"{plan.origin}: pool {plan.name}"),
        backends=tuple(
            Row(
                c_comment(b.origin),
                f"{{{ipv4(b.address)}, {b.port}, {_bool(b.drain)}, {b.weight}}},",
            )
            for b in plan.backends
        ),
        fields=(
            _field("name", plan.name, 8),
            f".scheduler = {_SCHEDULER[plan.scheduler]},",
            f".on_down = {_ON_DOWN[plan.on_down]},",
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
            *((_field("path", check.path, 16),) if http else ()),
            *((_field("host", check.host, 16),) if http and check.host else ()),
        ),
    )


def _port(index: int, plan: PortPlan) -> PoolContext:
    mac = plan.gateway_mac
    octets = ", ".join(f"0x{octet}" for octet in mac.split(":")) if mac else ""
    return PoolContext(
        id=index,
        comment=c_comment(f"{plan.origin}: port {plan.name}"),
        backends=(),
        fields=(
            _field("name", plan.name, 8),
            _field("device", plan.device, 8),
            f".is_vdev = {_bool(plan.is_vdev)},",
            f".family = {_FAMILY.get(plan.driver, 'TVS_NIC_NONE')},",
            f".socket = {-1 if plan.socket is None else plan.socket},",
            f".mtu = {plan.mtu},",
            f".address = {ipv4(plan.address.ip)},",
            f".prefix_len = {plan.address.network.prefixlen},",
            *((".has_gateway_mac = true,",) if mac else ()),
            *((f".gateway_mac = {{{octets}}},",) if mac else ()),
            f".gateway = {ipv4(plan.gateway)},",
        ),
        check=(),
    )


def _rule_rows(rules: tuple[RulePlan, ...]) -> Iterator[Row]:
    previous = -1
    for rule in rules:
        comment = f"local IPs of node {rule.node}" if rule.node != previous else ""
        previous = rule.node
        yield Row(
            comment,
            f"{{{ipv4(rule.network.network_address)}, 0x{int(rule.network.netmask):08x}, "
            f"{rule.worker}, 0, {_bool(rule.avoid_ntuple)}}},",
        )


def _own_lip_rows(lips: LipMap) -> Iterator[Row]:
    for lip in lips.own:
        comment = f"worker {lip.worker}" if lip.slot == 0 else ""
        yield Row(comment, f"{{{ipv4(lip.address)}, {lip.worker}, {lip.slot}}},")


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
    comment = c_comment(f"{plan.origin}: {plan.label}")
    row = f"{{{name}, {rest}}},"
    if "\n" not in row and len(row) + 4 <= COLUMNS:
        return Row(comment, row)
    lines = [c_string(plan.name, before=8, indent=8).lstrip(), *rest_fields]
    return Row(comment, "{\n" + "".join(f"        {line},\n" for line in lines) + "    },")


def c_context(plan: NodePlan) -> CContext:
    """Resolves a plan for the C templates."""
    steering, lips = plan.steering, plan.lips
    wide = plan.cores.n_workers > 10
    reta = [f"0x{w:02x}" if wide else str(w) for w in steering.reta]
    ports = tuple(_port(index, port) for index, port in enumerate(plan.ports))
    return CContext(
        plan=plan,
        banner=(
            f"Generated by {plan.compiler} from {', '.join(plan.sources)}: do not edit. "
            f"Node {plan.node} of cluster {plan.cluster}, site {plan.site}."
        ),
        strings={
            name: _field(name, value, 4)
            for name, value in (
                ("id", plan.generation),
                ("compiler", plan.compiler),
                ("site", plan.site),
                ("cluster", plan.cluster),
                ("node", plan.node),
            )
        },
        enums={"steering": _STEERING[steering.mode], "idle": _IDLE[plan.cores.idle]},
        reta=tuple(_numbers(reta, _PER_LINE["reta"])),
        key=tuple(_numbers([f"0x{byte:02x}" for byte in steering.key], _PER_LINE["key"])),
        lips_by_address=tuple(_lip_rows(lips, plan.node_index)),
        lip_count=lips.short.num_addresses,
        lip_base=ipv4(lips.short.network_address),
        vips=tuple(_vip_rows(plan.vips, plan.services)),
        classes=tuple(_class(c) for c in plan.classes),
        ports=ports,
        own_lips=tuple(_own_lip_rows(lips)),
        rules=tuple(_rule_rows(steering.rules)),
        routes=tuple(
            Row(
                c_comment(f"{route.origin}: {route.reason}"),
                f"{{{ipv4(route.network.network_address)}, {route.network.prefixlen}, "
                f"{_ROUTE[route.kind]}}},",
            )
            for route in plan.routes
        ),
        pools=tuple(_pool(pool) for pool in plan.pools),
        services=tuple(_service_row(service) for service in plan.services),
        cores=", ".join(str(core) for core in plan.cores.workers),
        control_core=-1 if plan.cores.control is None else plan.cores.control,
        contract=f"UINT64_C({plan.sync_contract:#018x})",
        schema=f"UINT64_C({plan.record_schema:#018x})",
    )
