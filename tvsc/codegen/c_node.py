"""NodePlan -> what generation.c says: identity, machine and tables of one node.

Reads a plan, writes strings. Everything that other nodes have, too, is in pools.c, services.c and
path.c (`c_site.py`, `c_path.py`); what session sync adds is made in `c_sync.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from tvsc.codegen.c_sync import SyncContext, sync_context
from tvsc.codegen.c_text import (
    STEERING,
    Noun,
    Row,
    banner,
    c_bool,
    c_field,
    index_range,
    ipv4,
    numbers,
    route_row,
)
from tvsc.model import Driver, IdlePolicy
from tvsc.plan import LipMap, LipPlan, NodePlan, PortPlan, RulePlan

_IDLE = {IdlePolicy.BUSY: "TVS_IDLE_BUSY", IdlePolicy.INTERRUPT: "TVS_IDLE_INTERRUPT"}
_FAMILY = {
    Driver.IXGBE: "TVS_NIC_IXGBE",
    Driver.I40E: "TVS_NIC_I40E",
    Driver.ICE: "TVS_NIC_ICE",
    Driver.MLX5: "TVS_NIC_MLX5",
    Driver.TAP: "TVS_NIC_TAP",
}

_KEY_PER_LINE = 8


@dataclass(frozen=True, slots=True)
class NodeContext:
    """Everything that templates/c/generation.c places."""

    plan: NodePlan
    banner: str
    strings: dict[str, str]
    enums: dict[str, str]
    key: tuple[str, ...]
    lips_by_address: tuple[Row, ...]
    lip_count: int
    ports: tuple[Noun, ...]
    own_lips: tuple[Row, ...]
    rules: tuple[Row, ...]
    sync: SyncContext | None
    vip_routes: int
    routes: tuple[Row, ...]
    cores: str
    control_core: int
    contract: str
    schema: str


def _lip_rows(lips: LipMap, node: int) -> Iterator[Row]:
    """The whole local-IP range: addresses with a slot one by one, the rest in runs."""
    base, end = int(lips.short.network_address), lips.short.num_addresses
    nobody = "{TVS_LIP_NOBODY, 0, TVS_LIP_NO_SLOT},"
    slots = {lip.address: lip.slot for lip in (*lips.own, *lips.copies)}
    at = 0

    def key(lip: LipPlan) -> tuple[int, int]:
        return lip.node, lip.worker

    for (owner, worker), grouped in groupby(lips.entries, key):
        group = list(grouped)
        for run in _runs(group):
            first, last = (int(lip.address) - base for lip in (run[0], run[-1]))
            if at < first:
                yield Row("nobody", f"{index_range(at, first - 1)} = {nobody}")
            at = last + 1
            comment = f"node {owner}, worker {worker}: {run[0].address} to {run[-1].address}"
            if owner != node and run[0].address not in slots:
                yield Row(
                    comment,
                    f"{index_range(first, last)} = {{{worker}, {owner}, TVS_LIP_NO_SLOT}},",
                )
                continue
            for lip in run:
                row = f"[{int(lip.address) - base}] = {{{worker}, {owner}, {slots[lip.address]}}},"
                yield Row(comment if lip is run[0] else "", row)
    if at < end:
        yield Row("nobody", f"{index_range(at, end - 1)} = {nobody}")


def _runs(lips: list[LipPlan]) -> Iterator[list[LipPlan]]:
    run: list[LipPlan] = []
    for lip in lips:
        if run and int(lip.address) != int(run[-1].address) + 1:
            yield run
            run = []
        run.append(lip)
    yield run


def _port(plan: PortPlan) -> Noun:
    mac = plan.gateway_mac
    octets = ", ".join(f"0x{octet}" for octet in mac.split(":")) if mac else ""
    return Noun(
        comment=f"{plan.origin}: port {plan.name}",
        fields=(
            c_field("name", plan.name, 8),
            c_field("device", plan.device, 8),
            f".is_vdev = {c_bool(plan.is_vdev)},",
            f".family = {_FAMILY.get(plan.driver, 'TVS_NIC_NONE')},",
            f".socket = {-1 if plan.socket is None else plan.socket},",
            f".mtu = {plan.mtu},",
            *((f".vlan = {plan.vlan},",) if plan.vlan is not None else ()),
            f".address = {ipv4(plan.address.ip)},",
            f".prefix_len = {plan.address.network.prefixlen},",
            *((".has_gateway_mac = true,",) if mac else ()),
            *((f".gateway_mac = {{{octets}}},",) if mac else ()),
            f".gateway = {ipv4(plan.gateway)},",
        ),
    )


def _rule_rows(rules: tuple[RulePlan, ...]) -> Iterator[Row]:
    previous = -1
    for rule in rules:
        comment = f"local IPs of node {rule.node}" if rule.node != previous else ""
        previous = rule.node
        yield Row(
            comment,
            f"{{{ipv4(rule.network.network_address)}, 0x{int(rule.network.netmask):08x}, "
            f"{rule.worker}, 0, {c_bool(rule.avoid_ntuple)}}},",
        )


def _own_lip_rows(lips: LipMap) -> Iterator[Row]:
    for lip in lips.own:
        comment = f"worker {lip.worker}" if lip.slot == 0 else ""
        yield Row(comment, f"{{{ipv4(lip.address)}, {lip.worker}, {lip.slot}}},")


def node_context(plan: NodePlan) -> NodeContext:
    """Resolves what is this node's own."""
    steering, lips = plan.steering, plan.lips
    own_routes = [route for route in plan.routes if route.kind != "vip"]
    return NodeContext(
        plan=plan,
        banner=banner(
            plan.compiler,
            plan.sources,
            f"Node {plan.node} of cluster {plan.cluster}, site {plan.site}.",
        ),
        strings={
            name: c_field(name, value, 4)
            for name, value in (
                ("id", plan.generation),
                ("compiler", plan.compiler),
                ("site", plan.site),
                ("cluster", plan.cluster),
                ("node", plan.node),
            )
        },
        enums={"steering": STEERING[steering.mode], "idle": _IDLE[plan.cores.idle]},
        key=tuple(numbers([f"0x{byte:02x}" for byte in steering.key], _KEY_PER_LINE)),
        lips_by_address=tuple(_lip_rows(lips, plan.node_index)),
        lip_count=lips.short.num_addresses,
        ports=tuple(_port(port) for port in plan.ports),
        own_lips=tuple(_own_lip_rows(lips)),
        rules=tuple(_rule_rows(steering.rules)),
        sync=sync_context(plan.sync) if plan.sync else None,
        vip_routes=len(plan.routes) - len(own_routes),
        routes=tuple(route_row(route) for route in own_routes),
        cores=", ".join(str(core) for core in plan.cores.workers),
        control_core=-1 if plan.cores.control is None else plan.cores.control,
        contract=f"UINT64_C({plan.sync_contract:#018x})",
        schema=f"UINT64_C({plan.record_schema:#018x})",
    )
