"""How packets reach the worker that owns their session: RSS, flow rules, and the sync contract."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address, IPv4Network

from tvsc.model import Cluster, NicProfile, RuleMasks, Steering
from tvsc.plan.abi import RECORD_SCHEMA
from tvsc.plan.memory import PORT_FIRST, PORT_LAST
from tvsc.plan.rss import KEY_BYTES, reta, rss_key
from tvsc.plan.types import LipMap, LipPlan, RulePlan, SteeringPlan

SOFTWARE_RETA_SIZE = 128
SOFTWARE_KEY_BYTES = 40


def _covering(lips: list[LipPlan]) -> int:
    """The length of the shortest prefix that holds all of these addresses."""
    first, last = (int(f(lip.address for lip in lips)) for f in (min, max))
    return 32 - (first ^ last).bit_length()


def _blocks(lips: LipMap) -> tuple[RulePlan, ...] | None:
    """One rule per worker of each node, all of one mask; None when prefixes cannot say it."""
    owners: dict[tuple[int, int], list[LipPlan]] = {}
    for lip in lips.entries:
        owners.setdefault((lip.node, lip.worker), []).append(lip)
    length = min(_covering(group) for group in owners.values())
    rules: dict[IPv4Network, RulePlan] = {}
    for (node, worker), group in sorted(owners.items()):
        networks = {IPv4Network((int(lip.address), length), strict=False) for lip in group}
        if len(networks) != 1 or networks & rules.keys() or length == 32:
            return None
        network = networks.pop()
        rules[network] = RulePlan(network, worker, node, avoid_ntuple=False)
    return tuple(rules.values())


def _exact(lips: LipMap, avoid_ntuple: bool) -> tuple[RulePlan, ...]:
    entries = sorted(lips.entries, key=lambda lip: (lip.node, lip.worker, lip.slot))
    return tuple(
        RulePlan(IPv4Network(lip.address), lip.worker, lip.node, avoid_ntuple) for lip in entries
    )


def _rules(mode: Steering, nic: NicProfile, lips: LipMap) -> tuple[tuple[RulePlan, ...], str]:
    """The rules for the local IPs of all nodes, and why they have this shape."""
    flow = nic.flow_rules
    if mode is not Steering.FDIR or flow is None:
        return (), f"steering {mode.value} needs no flow rules"
    everyone = "a dead node's local IPs reach its peers, so every node steers those of all"
    blocks = _blocks(lips) if flow.masks is not RuleMasks.FULL else None
    if blocks is not None:
        trap = (
            f"; a mask that is not full also stays out of the {flow.exact_trap} five-tuple filters"
            if flow.exact_trap is not None
            else ""
        )
        return blocks, (
            f"{nic.driver.value} takes masks, and one prefix names a worker's local IPs: "
            f"{len(blocks)} rules instead of {len(lips.entries)}{trap}; {everyone}"
        )
    exact = _exact(lips, avoid_ntuple=flow.exact_trap is not None)
    trap = (
        f", and kept out of the {flow.exact_trap} five-tuple filters by a mark"
        if flow.exact_trap is not None
        else ""
    )
    return exact, f"one rule per local IP, as {nic.driver.value} takes full masks{trap}; {everyone}"


def plan_steering(
    seed: str, cluster: Cluster, mode: Steering, nic: NicProfile, lips: LipMap, origin: str
) -> SteeringPlan:
    """Key, RETA and rules of a node whose ports are all of the kind `nic`."""
    key, passed_over = rss_key(seed, cluster.name)
    key_bytes = nic.rss_key_bytes if mode is Steering.FDIR else 0
    reta_size = nic.reta_size if mode is Steering.FDIR else 0
    rules, rules_reason = _rules(mode, nic, lips)
    skipped = f", after {passed_over} that spread badly" if passed_over else ""
    return SteeringPlan(
        mode=mode,
        key=key[: key_bytes or SOFTWARE_KEY_BYTES],
        reta=reta(reta_size or SOFTWARE_RETA_SIZE, cluster.workers),
        rules=rules,
        origin=origin,
        key_reason=(
            f"SHAKE-256 of the site's seed and `{cluster.name}`{skipped}: equal on every node, so "
            "that a flow taken over reaches the same worker"
        ),
        reta_reason=f"rows go round robin over {cluster.workers} workers",
        rules_reason=rules_reason,
    )


def sync_contract(key: bytes, steering: SteeringPlan, cluster: Cluster, lips: LipMap) -> int:
    """64 bits that are equal on two nodes if and only if they may share sessions.

    Covers the RSS key, the RETA, the number of workers, the nodes in their order, who owns each
    local IP, which ports of it are handed out, the layout of a record, and the UDP port on which
    nodes talk. The RSS key is taken in full length: NICs that want less of it hash IPv4 alike.
    """
    assert len(key) == KEY_BYTES
    digest = hashlib.sha256()

    def add(name: str, value: bytes) -> None:
        digest.update(f"{name} {len(value)}\n".encode() + value)

    add("key", key)
    add("reta", bytes(steering.reta))
    add("workers", cluster.workers.to_bytes(2, "big"))
    add("nodes", "\0".join(node.name for node in cluster.nodes).encode())
    add("lips", b"".join(_lip_bytes(lip) for lip in lips.entries))
    add("ports", PORT_FIRST.to_bytes(2, "big") + PORT_LAST.to_bytes(2, "big"))
    add("schema", RECORD_SCHEMA.to_bytes(8, "big"))
    add("sync", (cluster.sync.port if cluster.sync else 0).to_bytes(2, "big"))
    return int.from_bytes(digest.digest()[:8], "big")


def _lip_bytes(lip: LipPlan) -> bytes:
    assert isinstance(lip.address, IPv4Address)
    return lip.address.packed + bytes((lip.node, lip.worker)) + lip.slot.to_bytes(2, "big")
