"""The naive model's site from a node plan as `tvsc compile` writes it: OUT/nodes/NODE/plan.json."""

import json
from dataclasses import replace
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, summarize_address_range
from pathlib import Path
from typing import Any

from tests.naive.site import Limits, Lip, Pool, Port, Rule, Server, Service, Site, ip
from tests.naive.wire import TCP, UDP

PROTOCOLS = {"tcp": TCP, "udp": UDP}
# as record.h numbers them: a class lists its timeouts by state
STATES = (
    *("free", "syn", "syn-ack", "established"),
    *("fin-client", "fin-server", "closed", "reset", "udp"),
)


def read_site(path: Path) -> Site:
    plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert plan["format_version"] == 1
    lips = IPv4Network(plan["lips"]["short"])
    copies = {row["address"]: row["slot"] for row in plan["lips"]["copies"]}
    memory, steering = plan["memory"], plan["steering"]
    return Site(
        n_workers=plan["cores"]["n_workers"],
        steering=steering["mode"],
        rss_key=bytes.fromhex(steering["key"]),
        reta=tuple(steering["reta"]),
        rules=tuple(rule(row) for row in steering["rules"]),
        ports=tuple(port(row) for row in plan["ports"]),
        lip_base=int(lips.network_address),
        lip_count=lips.num_addresses,
        lips={ip(row["address"]): lip(row, plan, copies) for row in plan["lips"]["entries"]},
        services=tuple(service(row, plan) for row in plan["services"]),
        pools=tuple(pool(row) for row in plan["pools"]),
        sessions_per_worker=memory["sessions_per_worker"],
        port_first=memory["port_first"],
        port_last=memory["port_last"],
        flow_key=bytes.fromhex(plan["schedule"]["flow_key"]),
    )


def rule(row: dict[str, Any]) -> Rule:
    network = IPv4Network(row["network"])
    return Rule(int(network.network_address), int(network.netmask), row["worker"])


def port(row: dict[str, Any]) -> Port:
    own = IPv4Interface(row["address"])
    plain = Port(int(own.ip), own.network.prefixlen, vlan=row["vlan"] or 0, mtu=row["mtu"])
    if row["gateway_mac"] is None:
        return plain
    return replace(plain, gateway_mac=bytes.fromhex(row["gateway_mac"].replace(":", "")))


def lip(row: dict[str, Any], plan: dict[str, Any], copies: dict[str, int]) -> Lip:
    """Without session sync the sessions of a peer's local IP are not here."""
    if row["node"] == plan["node_index"]:
        return Lip(row["worker"], row["slot"])
    return Lip(row["worker"], copies.get(row["address"]), own=False)


def service(row: dict[str, Any], plan: dict[str, Any]) -> Service:
    kind = plan["classes"][row["class_id"]]
    timeouts = dict(zip(STATES, kind["timeout_ticks"], strict=True))
    proto = PROTOCOLS[row["protocol"]]
    how = kind["client_address"]
    found = [one for one in plan["limits"] if one["first"] <= row["id"] <= one["last"]]
    limited = limits(found[0], plan) if found else None
    return Service(
        ip(row["vip"]), row["port"], proto, row["pool"], timeouts, row["sorry"], how, limited
    )


def limits(row: dict[str, Any], plan: dict[str, Any]) -> Limits:
    """A worker's share, to the unit of time that the path reckons with: 2^-32 ticks of 100 ms."""
    out = plan["access"][row["access"]]["ranges"] if row["access"] is not None else []
    deny = [summarize_address_range(IPv4Address(r["first"]), IPv4Address(r["last"])) for r in out]
    rate = row["worker_per_1000s"]
    return Limits(
        group=row["first"],
        connections=row["worker_connections"] or None,
        ticks_per_session=Fraction((10_000 << 32) // rate, 1 << 32) if rate else None,
        burst=row["worker_burst"],
        deny=tuple(network for networks in deny for network in networks),
    )


def pool(row: dict[str, Any]) -> Pool:
    servers = tuple(
        Server(ip(one["address"]), one["port"], one["weight"], one["drain"])
        for one in row["backends"]
    )
    return Pool(row["name"], servers, row["scheduler"], row["on_down"], row["table_entries"])
