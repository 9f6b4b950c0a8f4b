"""Memory and cores: sizes that are fixed when the host starts."""

from __future__ import annotations

from tvsc.model import Cluster, Node, PciDevice
from tvsc.plan.abi import (
    BUCKET_SLOTS,
    CACHE_LINE,
    MAX_BACKENDS,
    MAX_BURST,
    MAX_POOLS,
    MAX_SERVICES,
    PORTS_PER_SLOT,
    RSS_INPUT_BYTES,
    SOURCE_SETS,
)
from tvsc.plan.types import CorePlan, MemoryPlan

PORT_FIRST, PORT_LAST = 1024, 65535

_MBUF_DATA = 2048
_MBUF_ROUND = 1024
_MBUF_EXTRA = 128 + 128 + 64  # headroom, struct rte_mbuf, the pool's own
_FRAME_EXTRA = 14 + 4 + 4  # Ethernet, CRC, VLAN
_MBUF_CACHE = 512
_HANDOVER_RING = 512
_EXCEPTION_RING = 512
_EAL_MB = 64  # EAL's own, drivers' queues, rounding per NUMA socket
_PAGE_MB = 2

# Of a worker with session sync: what waits to be told, what may be asked for again, buffers of its
# own, and the rest.
_SYNC_QUEUE_BYTES = 65536 * 4
_SYNC_LOG_BYTES = 1024 * 40 * 4
_SYNC_BUFFERS_BYTES = 128 * 2560
_SYNC_BYTES = 64 << 10
_SYNC_PEER_BYTES = 1 << 10

_HARDWARE_RING = 1024
_VIRTUAL_RING = 256

_WATCHDOG_PINNED_MS = 1000
_WATCHDOG_SHARED_MS = 5000


def _power_of_two(least: int) -> int:
    return 1 << max(0, least - 1).bit_length()


def bucket_count(sessions: int) -> int:
    """A power of two of buckets of eight that `sessions` fill to about a half (31 to 62 %)."""
    wanted = -(-sessions * 2 // BUCKET_SLOTS)
    count = _power_of_two(wanted)
    # a quarter more load is still far from full, and half the memory
    return count // 2 if count // 2 * 5 >= wanted * 4 else count


def sync_bytes(peers: int) -> int:
    """What session sync with so many other nodes takes of a worker; nothing without them."""
    if not peers:
        return 0
    own = _SYNC_QUEUE_BYTES + _SYNC_LOG_BYTES + _SYNC_BUFFERS_BYTES + _SYNC_BYTES
    return own + peers * _SYNC_PEER_BYTES


def worker_bytes(own_slots: int, slots: int, buckets: int, peers: int) -> int:
    """Bytes of one worker's tables, as tvs_worker_bytes() lays them out (within a page). It hands
    out ports of its `own_slots` local IPs, and has records of all `slots`.
    """
    free_ring = _power_of_two(own_slots * (PORT_LAST - PORT_FIRST + 1)) * 4
    return (
        slots * PORTS_PER_SLOT * CACHE_LINE
        + buckets * CACHE_LINE
        + free_ring
        + MAX_POOLS * 4
        + MAX_BACKENDS * 12
        + RSS_INPUT_BYTES * 256 * 4
        + slots * 4
        + MAX_SERVICES * 8
        + SOURCE_SETS * CACHE_LINE
        + 4096
        + sync_bytes(peers)
    )


def _mbufs(node: Node, ring: int) -> int:
    """Every place that can hold a buffer, all at once."""
    ports, workers = len(node.ports), node.workers
    queues = ports * workers * 2 * ring
    rings = workers * (workers - 1) * _HANDOVER_RING + (workers + 1) * _EXCEPTION_RING
    flight = (workers + 1) * (2 * MAX_BURST + _MBUF_CACHE)
    return _power_of_two(queues + rings + flight + 1) - 1


def buffer_bytes(node: Node) -> int:
    """Bytes of one packet buffer: a whole frame of the largest MTU fits (runtime/host/port.c)."""
    frame = max(_MBUF_DATA, *(port.mtu + _FRAME_EXTRA for port in node.ports))
    return -(-frame // _MBUF_ROUND) * _MBUF_ROUND + _MBUF_EXTRA


def plan_memory(cluster: Cluster, node: Node, origin: str) -> MemoryPlan:
    """Sizes from the declared sessions: with session sync a worker has those of the same worker of
    every node. Virtual devices do without hugepages: nothing does DMA.
    """
    hugepages = any(isinstance(port.device, PciDevice) for port in node.ports)
    ring = _HARDWARE_RING if hugepages else _VIRTUAL_RING
    holders = len(cluster.nodes) if cluster.sync is not None else 1
    own_slots = cluster.local_ips.per_worker
    slots = own_slots * holders
    sessions = cluster.sessions_per_worker
    held = sessions * holders
    buckets = bucket_count(held)
    each = worker_bytes(own_slots, slots, buckets, holders - 1)
    mbufs = _mbufs(node, ring)
    total = each * node.workers + mbufs * buffer_bytes(node)
    hugepage_mb = -(-total // (_PAGE_MB << 20)) * _PAGE_MB + _EAL_MB
    capacity = min(sessions, own_slots * (PORT_LAST - PORT_FIRST + 1))
    load = 100 * held / (buckets * BUCKET_SLOTS)
    whose = f" of {holders} nodes" if holders > 1 else ""
    return MemoryPlan(
        sessions_per_worker=sessions,
        buckets_per_worker=buckets,
        slots_per_worker=slots,
        port_first=PORT_FIRST,
        port_last=PORT_LAST,
        worker_bytes=each,
        bytes_per_session=round(each / (capacity * holders), 1),
        mbufs=mbufs,
        rx_ring=ring,
        tx_ring=ring,
        hugepages=hugepages,
        hugepage_mb=hugepage_mb if hugepages else 0,
        origin=origin,
        buckets_reason=(
            f"{held} sessions{whose} fill {load:.0f} % of {buckets} buckets of {BUCKET_SLOTS}: "
            "both choices of a session are almost never full"
        ),
        mbufs_reason=(
            f"{len(node.ports)} x {node.workers} queues of {ring} descriptors each way, rings "
            "between threads, bursts and caches can all be full at once"
        ),
        hugepages_reason=(
            f"{node.workers} workers of {each >> 20} MiB, packet buffers, EAL"
            if hugepages
            else "no port does DMA: ordinary pages will do"
        ),
    )


def plan_cores(cluster: Cluster, node: Node, origin: str) -> CorePlan:
    """Who runs where, and how long a worker may stand still before the host gives up."""
    shared = not node.pinned
    watchdog_ms = _WATCHDOG_SHARED_MS if shared else _WATCHDOG_PINNED_MS
    return CorePlan(
        shared=shared,
        control=node.control_core,
        workers=node.worker_cores,
        n_workers=node.workers,
        idle=cluster.idle,
        watchdog_ms=watchdog_ms,
        origin=origin,
        reason=(
            "threads share the machine's cores, so a worker may wait long for one"
            if shared
            else "a worker owns its core: one that stands still is broken"
        ),
    )
