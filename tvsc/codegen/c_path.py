"""NodePlan -> what path.c says: the constants that the packet path is specialised with.

Nothing in it is one node's alone, so that nodes of a cluster whose NICs are alike share its machine
code.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvsc.codegen.c_limits import limit_rows
from tvsc.codegen.c_text import ON_DOWN, SCHEDULER, STEERING, Row, banner, ipv4, numbers
from tvsc.model import ClientAddress, Mode
from tvsc.plan import ClassPlan, NodePlan
from tvsc.plan.abi import STATES
from tvsc.plan.maglev import key_words

_MODE = {Mode.FULLNAT: "TVS_MODE_FULLNAT", Mode.TUNNEL: "TVS_MODE_TUNNEL"}
_CLIENT_ADDRESS = {
    ClientAddress.NONE: "TVS_CLIENT_NONE",
    ClientAddress.TOA: "TVS_CLIENT_TOA",
    ClientAddress.PROXY_V2: "TVS_CLIENT_PROXY_V2",
}

_RETA_PER_LINE = 16


@dataclass(frozen=True, slots=True)
class ClassContext:
    """One instantiation."""

    id: int
    comment: str
    fields: tuple[str, ...]
    timeouts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PathContext:
    """Everything that templates/c/path.c places."""

    banner: str
    steering: str
    workers: int
    reta_comment: str
    reta_size: int
    reta: tuple[str, ...]
    lip_base: str
    lip_count: int
    lip_range: str
    flow_key: str
    flow_key_reason: str
    vip_size: int
    vip_probes: int
    has_sorry: bool
    services: int
    limits: tuple[Row, ...]
    classes: tuple[ClassContext, ...]


def _class(plan: ClassPlan, is_synced: bool) -> ClassContext:
    return ClassContext(
        id=plan.id,
        comment=(
            f"Class {plan.id}, first used in {plan.origin}: mode {plan.mode.value}, "
            f"{plan.protocol.value}, {plan.scheduler.value}, client-address "
            f"{plan.client_address.value}, on-down {plan.on_down.value},"
            f"{f' sorry pool {plan.sorry.value},' if plan.sorry else ''} and these timeouts"
            f"{', with limits' if plan.limited else ''}."
        ),
        fields=(
            f".mode = {_MODE[plan.mode]},",
            f".proto = TVS_{plan.protocol.name},",
            f".scheduler = {SCHEDULER[plan.scheduler]},",
            f".client_address = {_CLIENT_ADDRESS[plan.client_address]},",
            f".on_down = {ON_DOWN[plan.on_down]},",
            *((".is_synced = true,",) if is_synced else ()),
            *_sorry(plan),
            *((".has_limits = true,",) if plan.limited else ()),
        ),
        timeouts=tuple(
            f"[TVS_S_{state}] = {ticks},"
            for state, ticks in zip(STATES, plan.timeout_ticks, strict=True)
            if ticks
        ),
    )


def _sorry(plan: ClassPlan) -> tuple[str, ...]:
    if plan.sorry is None:
        return ()
    return ".has_sorry = true,", f".sorry_schedule = {SCHEDULER[plan.sorry]},"


def path_context(plan: NodePlan) -> PathContext:
    """Resolves the constants of a node's packet path."""
    steering, short = plan.steering, plan.lips.short
    wide = plan.cores.n_workers > 10
    reta = [f"0x{w:02x}" if wide else str(w) for w in steering.reta]
    return PathContext(
        banner=banner(plan.compiler, plan.sources, f"Cluster {plan.cluster}, site {plan.site}."),
        steering=STEERING[steering.mode],
        workers=plan.cores.n_workers,
        reta_comment=(
            f"{steering.origin}: RETA, from a hash's last bits to a worker: {steering.reta_reason}."
        ),
        reta_size=len(steering.reta),
        reta=tuple(numbers(reta, _RETA_PER_LINE)),
        lip_base=ipv4(short.network_address),
        lip_count=short.num_addresses,
        lip_range=str(short),
        flow_key=", ".join(f"UINT64_C({word:#018x})" for word in key_words(plan.schedule.flow_key)),
        flow_key_reason=plan.schedule.flow_key_reason,
        vip_size=plan.vips.size,
        vip_probes=plan.vips.probes,
        has_sorry=any(c.sorry for c in plan.classes),
        services=len(plan.services),
        limits=tuple(limit_rows(plan.limits)),
        classes=tuple(_class(c, plan.sync is not None) for c in plan.classes),
    )
