"""The memory adapter from Python: the machine code of a generation, packet by packet.

It answers in the same types as the naive model, so that a test compares the two as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cffi

from tests.naive import runtime
from tests.naive.model import Verdict
from tests.naive.node import Result

VERDICTS = ("none", "tx", "kernel", "handover", "drop")
BACKEND_STATES = {"down": 0, "up": 1, "drain": 2}
STEER = 0xFFFF


@cache
def library() -> tuple[Any, Any]:
    """cffi's parser and the library, from the header that the C code includes too."""
    header = runtime.ROOT / "runtime" / "adapters" / "memory.h"
    text = re.sub(r"^#.*$", "", header.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ffi = cffi.FFI()
    ffi.cdef(text)
    return ffi, ffi.dlopen(str(runtime.memory_library()))


@dataclass(frozen=True)
class LiveSession:
    client: tuple[int, int]
    vip: tuple[int, int]
    local: tuple[int, int]
    server: tuple[int, int]
    proto: int
    service: int
    pool: int
    backend: int
    state: str
    opened: int
    expires: int


class Memory:
    def __init__(self, generation: Path, seed: int = 1) -> None:
        self.ffi, self.lib = library()
        error = self.ffi.new("char[512]")
        self.node = self.lib.tvs_memory_open(str(generation).encode(), seed, error, len(error))
        if self.node == self.ffi.NULL:
            raise OSError(self.ffi.string(error).decode())
        self.n_workers = int(self.lib.tvs_memory_workers(self.node))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.lib.tvs_memory_close(self.node)
        self.node = self.ffi.NULL

    def name(self, text: object) -> str:
        return str(self.ffi.string(text).decode())

    # -- packets

    def run(self, frames: Sequence[tuple[bytes, int | None]]) -> list[Result]:
        """Frames and the worker that receives each (None: as the NIC steers), in one burst."""
        packets = self.ffi.new("struct tvs_memory_packet[]", len(frames))
        buffers = [self.ffi.from_buffer("uint8_t[]", frame) for frame, _ in frames]
        for packet, buffer, (frame, worker) in zip(packets, buffers, frames, strict=True):
            packet.data = buffer
            packet.len = len(frame)
            packet.rx_worker = STEER if worker is None else worker
        code = self.lib.tvs_memory_run(self.node, packets, len(frames))
        assert code == 0, f"tvs_memory_run: {code}"
        return [self.result(packet) for packet in packets]

    def result(self, packet: Any) -> Result:  # noqa: ANN401
        what = VERDICTS[packet.verdict]
        arg: int | str = 0
        data = bytes(self.ffi.buffer(packet.result, packet.result_len))
        if what == "drop":
            arg, data = self.name(self.lib.tvs_memory_drop_name(packet.arg)), b""
        elif what == "tx":
            arg = int(packet.arg)
        else:
            assert packet.unchanged, "the kernel gets a frame as it came"
        return Result(Verdict(what, arg, data), int(packet.rx_worker), int(packet.worker))

    # -- the world around the node

    def set_tick(self, tick: int) -> None:
        self.lib.tvs_memory_tick(self.node, tick)

    def sweep(self, worker: int, budget: int = 0) -> int:
        return int(self.lib.tvs_memory_sweep(self.node, worker, budget))

    def set_backend(self, pool: int, index: int, state: str, weight: int) -> None:
        number = BACKEND_STATES[state]
        assert self.lib.tvs_memory_set_backend(self.node, pool, index, number, weight) == 0

    def set_nexthop(self, port: int, found: bool) -> None:
        assert self.lib.tvs_memory_set_nexthop(self.node, port, found) == 0

    def renew_routes(self) -> None:
        self.lib.tvs_memory_renew_routes(self.node)

    def remove_service(self, service: int) -> None:
        assert self.lib.tvs_memory_remove_service(self.node, service) == 0

    # -- what is inside

    def sessions(self, worker: int) -> list[LiveSession]:
        count = self.lib.tvs_memory_sessions(self.node, worker, self.ffi.NULL, 0)
        rows = self.ffi.new("struct tvs_memory_session[]", count)
        self.lib.tvs_memory_sessions(self.node, worker, rows, count)
        return [
            LiveSession(
                client=(row.client, row.client_port),
                vip=(row.vip, row.vip_port),
                local=(row.local, row.local_port),
                server=(row.server, row.server_port),
                proto=row.proto,
                service=row.service,
                pool=row.pool,
                backend=row.backend,
                state=self.name(self.lib.tvs_memory_state_name(row.state)),
                opened=row.opened_tick,
                expires=row.expires_tick,
            )
            for row in rows
        ]

    def counters(self, worker: int) -> dict[str, int]:
        found: dict[str, int] = {}
        while (name := self.lib.tvs_memory_counter_name(len(found))) != self.ffi.NULL:
            found[self.name(name)] = self.lib.tvs_memory_counter(self.node, worker, len(found))
        return found

    def free_ports(self, worker: int) -> int:
        return int(self.lib.tvs_memory_free_ports(self.node, worker))

    def table_entries(self, worker: int) -> int:
        return int(self.lib.tvs_memory_table_entries(self.node, worker))
