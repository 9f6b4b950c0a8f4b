"""Classes, services and pools: which listeners share one instantiation of the packet path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from operator import attrgetter
from typing import TypeAlias

from tvsc.model import (
    ClientAddress,
    HttpCheck,
    Listener,
    Mode,
    Noun,
    OnDown,
    Pool,
    Protocol,
    Schedule,
    Service,
    Site,
    StatusRange,
    Timeouts,
)
from tvsc.plan.abi import STATES, TICK_MS
from tvsc.plan.schedule import table_entries, table_reason
from tvsc.plan.types import BackendPlan, CheckPlan, ClassPlan, PoolPlan, ServicePlan

Label = Callable[[Noun, str], str]
"""(noun, field) -> `site.tvs:31`."""

ClassKey: TypeAlias = tuple[
    Mode, Protocol, Schedule, ClientAddress, OnDown, Schedule | None, tuple[int, ...], bool
]
"""All that a class is one of, in the order of `ClassPlan`."""

_TCP_STATE_MS: dict[str, str] = {
    "SYN": "tcp_syn_ms",
    "SYN_ACK": "tcp_syn_ms",
    "ESTABLISHED": "tcp_established_ms",
    "FIN_CLIENT": "tcp_fin_ms",
    "FIN_SERVER": "tcp_fin_ms",
    "CLOSED": "tcp_fin_ms",
    "RESET": "tcp_close_ms",
}


def ipv4(address: object) -> IPv4Address:
    """Narrows an address of the model; the checks have refused IPv6 before."""
    assert isinstance(address, IPv4Address), address
    return address


def timeout_ticks(timeouts: Timeouts, protocol: Protocol) -> tuple[int, ...]:
    """Ticks per state, 0 for the states that the protocol does not have; rounded up."""
    fields = {"UDP": "udp_ms"} if protocol is Protocol.UDP else _TCP_STATE_MS
    return tuple(
        -(-int(getattr(timeouts, fields[state])) // TICK_MS) if state in fields else 0
        for state in STATES
    )


def _check(pool: Pool) -> CheckPlan:
    check = pool.check
    if check is None:
        return CheckPlan("none")
    plan = CheckPlan(
        check.kind, check.every_ms, check.timeout_ms, check.rise, check.fall, check.port or 0
    )
    if not isinstance(check, HttpCheck):
        return plan
    return replace(plan, path=check.path, host=check.host, expect=_statuses(check.expect))


def _statuses(ranges: tuple[StatusRange, ...]) -> tuple[StatusRange, ...]:
    """The same statuses, ascending; ranges that overlap or touch become one."""
    joined: list[StatusRange] = []
    for each in sorted(ranges, key=attrgetter("first")):
        if joined and each.first <= joined[-1].last + 1:
            last = max(joined[-1].last, each.last)
            joined[-1] = StatusRange(first=joined[-1].first, last=last)
        else:
            joined.append(each)
    return tuple(joined)


def plan_pools(site: Site, label: Label) -> tuple[PoolPlan, ...]:
    """The pools that some service uses, in source order: the others have no work."""
    used = {name for service in site.services for name in service.pools}
    return tuple(
        PoolPlan(
            id=index,
            name=pool.name,
            scheduler=pool.schedule,
            table_entries=table_entries(pool),
            table_reason=table_reason(pool),
            on_down=pool.on_down,
            check=_check(pool),
            backends=tuple(
                BackendPlan(
                    ipv4(server.address),
                    server.port,
                    server.weight,
                    server.drain,
                    label(server, ""),
                )
                for server in pool.servers
            ),
            origin=label(pool, ""),
        )
        for index, pool in enumerate(pool for pool in site.pools if pool.name in used)
    )


def class_key(service: Service, listener: Listener, pool: Pool, sorry: Pool | None) -> ClassKey:
    """Listeners whose keys are equal share a class."""
    return (
        service.mode,
        listener.protocol,
        pool.schedule,
        service.client_address,
        pool.on_down,
        None if sorry is None else sorry.schedule,
        timeout_ticks(service.timeouts, listener.protocol),
        service.is_limited,
    )


def plan_services(
    site: Site, pools: tuple[PoolPlan, ...], label: Label
) -> tuple[tuple[ClassPlan, ...], tuple[ServicePlan, ...]]:
    """One service per (VIP, listener), numbered in source order, and the classes they fall into."""
    pool_by_name = {pool.name: pool for pool in pools}
    classes: dict[ClassKey, ClassPlan] = {}
    users: dict[int, list[str]] = {}
    services: list[ServicePlan] = []

    def class_of(service: Service, listener: Listener, sorry: Pool | None) -> ClassPlan:
        protocol = listener.protocol
        key = class_key(service, listener, site.pool_by_name[listener.pool], sorry)
        known = classes.get(key)
        if known is None:
            origin = label(listener, "")
            known = ClassPlan(len(classes), *key, (), origin, "")
            classes[key] = known
        users.setdefault(known.id, []).append(f"{service.name} {protocol.value}/{listener.port}")
        return known

    for service in site.services:
        sorry = site.pool_by_name[service.sorry] if service.sorry is not None else None
        for listener in service.listeners:
            class_id = class_of(service, listener, sorry).id
            services += [
                ServicePlan(
                    id=len(services) + offset,
                    name=service.name,
                    vip=ipv4(vip.address),
                    port=listener.port,
                    protocol=listener.protocol,
                    class_id=class_id,
                    pool=pool_by_name[listener.pool].id,
                    sorry=None if sorry is None else pool_by_name[sorry.name].id,
                    min_up=service.min_up,
                    origin=label(listener, ""),
                )
                for offset, vip in enumerate(service.vips)
            ]
    return tuple(_described(c, users[c.id]) for c in classes.values()), tuple(services)


def _described(plan: ClassPlan, services: list[str]) -> ClassPlan:
    count = len(services)
    shared = "one listener has" if count == 1 else f"{count} listeners share"
    return replace(
        plan,
        services=tuple(services),
        reason=(
            f"{shared} mode {plan.mode.value}, {plan.protocol.value}, {plan.scheduler.value}, "
            f"client-address {plan.client_address.value}, on-down {plan.on_down.value}"
            f"{f', sorry pool {plan.sorry.value}' if plan.sorry else ''} and these timeouts"
            f"{', with limits' if plan.limited else ''}"
        ),
    )
