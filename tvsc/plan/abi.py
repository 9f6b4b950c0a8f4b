"""Numbers that the compiler shares with the runtime's headers (runtime/include/tvs).

They are written down a second time because planning must not need a C compiler. Generated sources
assert each of them against the header, and so does a test.
"""

from __future__ import annotations

from typing import Final

ABI_VERSION: Final = 4
RECORD_SCHEMA: Final = 0x7476732D72656302

TICK_MS: Final = 100
BUCKET_SLOTS: Final = 8
CACHE_LINE: Final = 64
PORTS_PER_SLOT: Final = 1 << 16

MAX_WORKERS: Final = 64
MAX_SLOTS: Final = 1024
MAX_PEERS: Final = 63
MAX_SERVICES: Final = 32768
MAX_BURST: Final = 32

SOURCE_WAYS: Final = 4
SOURCE_SETS: Final = 1 << 14
"""A worker's table of sources with `new-per-source`: a line for each set."""

MAX_POOLS: Final = 16384
MAX_BACKENDS: Final = 1 << 17
"""The host makes room for so many in every worker."""

LIP_NOBODY: Final = 0xFF
LIP_NO_SLOT: Final = 0xFFFF
VIP_EMPTY: Final = 0xFFFF
VIP_ADDRESS: Final = 0xFFFE

RSS_INPUT_BYTES: Final = 12
"""What Toeplitz runs over: both addresses and both ports of an IPv4 packet."""

STATES: Final = (
    "FREE",
    "SYN",
    "SYN_ACK",
    "ESTABLISHED",
    "FIN_CLIENT",
    "FIN_SERVER",
    "CLOSED",
    "RESET",
    "UDP",
)
"""`enum tvs_state`, in its order."""
