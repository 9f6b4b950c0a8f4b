"""What Python and the runtime's headers both say is the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.compile.probe import run_c
from tests.compile.sites import make_site, make_sources
from tvsc.checks import capacity, capacity_sync
from tvsc.lower import settings_service
from tvsc.plan import NodePlan, abi, plan_site
from tvsc.plan.memory import buffer_bytes
from tvsc.plan.rss import toeplitz
from tvsc.plan.vips import vip_hash
from tvsc.resources import runtime_dir

CONSTANTS = {
    "TVS_ABI_VERSION": abi.ABI_VERSION,
    "TVS_RECORD_SCHEMA": abi.RECORD_SCHEMA,
    "TVS_TICK_MS": abi.TICK_MS,
    "TVS_BUCKET_SLOTS": abi.BUCKET_SLOTS,
    "TVS_CACHE_LINE": abi.CACHE_LINE,
    "TVS_MAX_WORKERS": abi.MAX_WORKERS,
    "TVS_MAX_SLOTS": abi.MAX_SLOTS,
    "TVS_MAX_PEERS": abi.MAX_PEERS,
    "TVS_MAX_SERVICES": abi.MAX_SERVICES,
    "TVS_MAX_BURST": abi.MAX_BURST,
    "TVS_LIP_NOBODY": abi.LIP_NOBODY,
    "TVS_LIP_NO_SLOT": abi.LIP_NO_SLOT,
    "TVS_MAX_EXPECT": settings_service.MAX_EXPECT,
    "TVS_VIP_EMPTY": abi.VIP_EMPTY,
    "TVS_VIP_ADDRESS": abi.VIP_ADDRESS,
    "TVS_N_STATES": len(abi.STATES),
    **{f"TVS_S_{name}": number for number, name in enumerate(abi.STATES)},
    "sizeof(struct tvs_tuple)": abi.RSS_INPUT_BYTES,
    "TVS_RING_MAX": capacity.MAX_RING,
    "TVS_SYNC_SESSIONS": capacity_sync.SESSIONS_PER_MESSAGE,
    "sizeof(struct tvs_sync_session)": capacity_sync.SESSION_BYTES,
    "sizeof(struct tvs_sync_header)": capacity_sync.HEADER_BYTES,
}


def test_constants(tmp_path: Path) -> None:
    prints = "\n".join(
        f'    printf("%llu\\n", (unsigned long long)({name}));' for name in CONSTANTS
    )
    source = f"""#include <stdio.h>
#include "tvs/core.h"
#include "tvs/generation.h"
#include "tvs/site.h"
#include "tvs/sync.h"
int main(void)
{{
{prints}
}}
"""
    values = [int(line) for line in run_c(source, tmp_path).split()]
    assert dict(zip(CONSTANTS, values, strict=True)) == CONSTANTS


KEYS = [
    (0, 0, 0),
    (0xFFFFFFFF, 0xFFFF, 0xFF),
    (0xCB00710A, 80, 6),
    (0xCB00710A, 53, 17),
    *((0x0A000000 + 7919 * n, (443 * n) & 0xFFFF, (6, 17)[n % 2]) for n in range(500)),
]


def test_vip_hash(tmp_path: Path) -> None:
    source = """#include <stdio.h>
#include "tvs/site.h"
int main(void)
{
    unsigned vip, port, proto;

    while (scanf("%u %u %u", &vip, &port, &proto) == 3)
        printf("%u\\n", tvs_vip_hash(vip, (uint16_t)port, (uint8_t)proto));
}
"""
    lines = "\n".join(" ".join(map(str, key)) for key in KEYS)
    hashes = [int(line) for line in run_c(source, tmp_path, stdin=lines).split()]
    assert hashes == [vip_hash(*key) for key in KEYS]


def test_toeplitz(tmp_path: Path) -> None:
    """The runtime's, Python's, and the example in Microsoft's specification of RSS."""
    key = bytes.fromhex(
        "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
    )
    packet = bytes([66, 9, 149, 187, 161, 142, 100, 80]) + (2794).to_bytes(2, "big")
    packet += (1766).to_bytes(2, "big")
    assert toeplitz(key, packet) == 0x51CCC178
    numbers = ", ".join(map(str, key))
    source = f"""#include <stdio.h>
#include "tvs/core.h"
int main(void)
{{
    static const uint8_t key[] = {{{numbers}}};
    static const uint8_t packet[] = {{{", ".join(map(str, packet))}}};

    printf("%u\\n", tvs_toeplitz(key, packet, sizeof(packet)));
}}
"""
    assert int(run_c(source, tmp_path, "core/toeplitz.c")) == 0x51CCC178


def test_limits_of_the_host() -> None:
    header = (runtime_dir() / "include/tvs/base.h").read_text(encoding="utf-8")
    found = dict(re.findall(r"TVS_(MAX_\w+) = ([\d <]+),", header))
    assert found["MAX_POOLS"] == f"{abi.MAX_POOLS}"
    assert found["MAX_BACKENDS"] == f"1 << {abi.MAX_BACKENDS.bit_length() - 1}"


@pytest.fixture(scope="module")
def plan() -> NodePlan:
    return plan_site(make_site(), make_sources()).nodes[0]


def test_worker_bytes(plan: NodePlan, tmp_path: Path) -> None:
    """The plan's estimate, from which hugepages are counted, covers what the worker takes."""
    memory = plan.memory
    source = f"""#include <stdio.h>
#include "tvs/core.h"
int main(void)
{{
    struct tvs_worker_config config = {{
        .n_slots = {memory.slots_per_worker},
        .n_buckets = {memory.buckets_per_worker},
        .max_sessions = {memory.sessions_per_worker},
        .port_first = {memory.port_first},
        .port_last = {memory.port_last},
        .max_pools = {abi.MAX_POOLS},
        .max_backends = {abi.MAX_BACKENDS},
        .n_workers = 1,
    }};

    printf("%zu\\n", tvs_worker_bytes(&config));
}}
"""
    sources = ("core/worker.c", "core/toeplitz.c")
    taken = int(run_c(source, tmp_path, *sources))
    assert taken <= memory.worker_bytes <= taken + 8192


DPDK_SIZES = """#define RTE_ETHER_HDR_LEN 14
#define RTE_ETHER_CRC_LEN 4
#define RTE_MBUF_DEFAULT_DATAROOM 2048
#define RTE_PKTMBUF_HEADROOM 128
#define RTE_ALIGN_CEIL(v, align) (((v) + (align) - 1) / (align) * (align))
"""
MBUF_AND_POOL = 128 + 64


@pytest.mark.parametrize("mtus", [(576,), (1500,), (2026,), (2027,), (9000, 1500), (1500, 9216)])
def test_packet_buffers(tmp_path: Path, mtus: tuple[int, ...]) -> None:
    """Hugepages are planned for buffers as large as the host makes them for these MTUs."""
    host = (runtime_dir() / "host" / "port.c").read_text(encoding="utf-8")
    found = (
        re.search(r"    FRAME_EXTRA = .*\n", host),
        re.search(r"static uint16_t buffer_bytes\(.*?\n}\n", host, re.DOTALL),
    )
    assert all(found)
    extra, function = (match.group() for match in found if match)
    ports = ", ".join(f"{{.mtu = {mtu}}}" for mtu in mtus)
    source = f"""#include <stdio.h>
#include "tvs/generation.h"
{DPDK_SIZES}
enum {{
{extra}}};
{function}
static const struct tvs_gen_port ports[] = {{ {ports} }};
int main(void)
{{
    struct tvs_generation generation = {{.n_ports = {len(mtus)}, .ports = ports}};
    printf("%u\\n", buffer_bytes(&generation));
}}
"""
    node = make_site().clusters[0].nodes[0]
    port = node.ports[0]
    node = node.model_copy(
        update={"ports": tuple(port.model_copy(update={"mtu": mtu}) for mtu in mtus)}
    )
    assert int(run_c(source, tmp_path)) + MBUF_AND_POOL == buffer_bytes(node)
