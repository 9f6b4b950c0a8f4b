"""A tvsd in a namespace of its own, its NIC's other end in another, and what generation.c says."""

import ctypes
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.naive.runtime import ROOT, run, tool
from tests.naive.site import Rule, ip
from tests.naive.wire import TCP
from tvsc.lab.vlan import put_on

BUILD = ROOT / "build" / "runtime-host"
CLONE_NEWNET = 0x40000000

HERE = Path(__file__).resolve().parent

N_WORKERS = 4
VIP = ip("203.0.113.10")
LIP_BASE = ip("172.16.0.0")
NODE_ADDRESS = ip("192.0.2.11")
NODE_MAC = bytes.fromhex("02000000aa01")
FLOW_KEY = bytes.fromhex("7766554433221100ffeeddccbbaa9988")
RSS_KEY = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
)
RETA = tuple(i % 4 if i < 64 else 3 - i % 4 for i in range(128))
RULES = (
    *(Rule(LIP_BASE + i, 0xFFFFFFFF, i // 2) for i in range(8)),
    Rule(LIP_BASE + 16, 0xFFFFFFFC, 2),
    Rule(LIP_BASE + 32, 0xFFFFFFFF, 3, TCP),
)


@cache
def tvsd() -> Path:
    """The daemon of this tree; the build directory is kept, the next run compiles what changed."""
    if not (BUILD / "build.ninja").exists():
        shutil.rmtree(BUILD, ignore_errors=True)
        run(tool("meson"), "setup", str(BUILD), "runtime", "--werror")
    run(tool("ninja"), "-C", str(BUILD), "host/tvsd")
    return BUILD / "host" / "tvsd"


def generation(directory: Path, **variant: str) -> Path:
    """generation.c compiled with these macros, in `directory`."""
    macros = {
        "DEVICE": '"net_tap0,iface=nic,mac=02:00:00:00:aa:01"',
        "IS_VDEV": "true",
        "FAMILY": "TVS_NIC_TAP",
        "MODE": "TVS_STEER_FDIR",
        "IDLE": "TVS_IDLE_INTERRUPT",
        "SCHEDULER": "TVS_SCHED_WRR",
        "TABLE_SIZE": "0",
        "ID": '"first"',
        "ABI": "TVS_ABI_VERSION",
        "WATCHDOG_MS": "1000",
        "SHARED": "true",
        "HUGEPAGE_MB": "0",
        "N_PEERS": "0",
        "CLIENT_ADDRESS": "TVS_CLIENT_NONE",
        "KEY": '"sync.key"',
        "LIMIT": "0",
        "KEY_IS_ENV": "false",
        "VLAN": "0",
        "CHECK": "TVS_CHECK_NONE",
        "MIN_UP": "0",
        "HAS_SORRY": "false",
        "IS_LAST_RESORT": "false",
        **variant,
    }
    path = directory / f"{secrets.token_hex(4)}.so"
    defines = [f"-D{name}={value}" for name, value in macros.items()]
    includes = [f"-I{ROOT / 'runtime' / 'include'}", f"-I{ROOT / 'runtime'}"]
    flags = ["-std=gnu11", "-O2", "-march=x86-64-v2", "-shared", "-fPIC", "-fvisibility=hidden"]
    run("cc", *flags, *includes, *defines, str(HERE / "generation.c"), "-o", str(path))
    return path


@dataclass
class Node:
    """A running daemon. `wire` sends and receives frames at the far end of its NIC."""

    process: "subprocess.Popen[str]"
    namespace: str
    far: str
    control: Path
    log: Path
    wire: socket.socket

    def ask(self, request: str) -> Any:  # noqa: ANN401 - JSON, and a test says what it expects
        with socket.socket(socket.AF_UNIX) as connection:
            # a timeout of Python's does not wait for room in the queue of who wants to connect
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 5, 0))
            connection.connect(str(self.control))
            connection.settimeout(5)
            connection.sendall(request.encode() + b"\n")
            with connection.makefile() as answer:
                return json.loads(answer.readline())

    def received(self) -> list[int]:
        """Frames that came out of each worker's queue."""
        return [sum(w["host"]["rx_packets"]) for w in self.ask("counters")["workers"]]

    def summed(self, name: str) -> int:
        """A counter of the path, over all workers."""
        return sum(worker["counters"][name] for worker in self.ask("counters")["workers"])

    def routes(self) -> str:
        command = ["ip", "-n", self.namespace, "route", "show", "table", "100"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait(self, seconds: float = 5) -> int:
        return self.process.wait(seconds)


def until(what: str, condition: Callable[[], object], seconds: float = 5) -> None:
    """Asks until it is so; a failure says what never was."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def ip_command(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets that are made meanwhile are of another namespace, and stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(here, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(here)
        os.close(there)


def wire_in(namespace: str, interface: str) -> socket.socket:
    """A packet socket of another namespace."""
    with inside(namespace):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.bind((interface, 0))
    wire.settimeout(5)
    return wire


def socket_in(namespace: str, address: tuple[str, int]) -> socket.socket:
    """A UDP socket of another namespace, bound to an address there."""
    with inside(namespace):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(address)
    return made


@contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """Two, without IPv6: the kernel's own chatter would be counted too."""
    names = [f"tvs-host-{secrets.token_hex(3)}-{end}" for end in ("node", "far")]
    try:
        for name in names:
            ip_command("netns", "add", name)
            for scope in ("all", "default"):
                path = f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"
                ip_command("netns", "exec", name, "sh", "-c", f"[ ! -e {path} ] || echo 1 >{path}")
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def start(
    namespace: str, shared_object: Path, directory: Path, **environment: str
) -> "subprocess.Popen[str]":
    arguments = ["--generation", str(shared_object), "--run-dir", str(directory / "run")]
    arguments += ["--secrets-dir", str(directory / "secrets")]
    with (directory / "log").open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            ["ip", "netns", "exec", namespace, str(tvsd()), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )


def join_far(far: str, vlan: int) -> None:
    """The far end's VLAN and address."""
    if vlan:
        with inside(far):
            put_on("nic", vlan)
    ip_command("-n", far, "addr", "add", "192.0.2.1/24", "dev", "nic")
    ip_command("-n", far, "link", "set", "nic", "up")


@contextmanager
def node(
    shared_object: Path, directory: Path, *, veth: bool = False, vlan: int = 0
) -> Iterator[Node]:
    """Up, its NIC's other end moved away, announcing; killed if the test leaves it running.

    `veth`: the NIC is one that is there before, `nic0`, not a TAP of the daemon's. `vlan`: the far
    end is in that VLAN.
    """
    with namespaces() as (name, far):
        if veth:
            words = ["name", "nic0", "type", "veth", "peer", "name", "nic", "netns", far]
            ip_command("-n", name, "link", "add", *words)
            ip_command("-n", name, "link", "set", "nic0", "up", "address", "02:00:00:00:aa:01")
        process = start(name, shared_object, directory)
        log = directory / "log"
        try:

            def announces() -> bool:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                return "announces" in log.read_text(encoding="utf-8")

            until("the node announces", announces)
            if not veth:
                ip_command("-n", name, "link", "set", "nic", "netns", far)
            join_far(far, vlan)
            control = directory / "run" / "tvsd.sock"
            with wire_in(far, "nic") as wire:
                yield Node(process, name, far, control, log, wire)
        finally:
            process.kill()
            process.wait()
