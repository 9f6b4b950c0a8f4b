"""What the machine must offer for a lab, and what it may lack."""

import fcntl
import os
import shutil
import struct
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from tvsc.lab import bpf, namespace
from tvsc.lab.errors import LabError

TOOLS = (
    ("ip", "iproute2"),
    ("bird", "bird2"),
    ("birdc", "bird2"),
    ("nginx", "nginx-light"),
    ("ethtool", "ethtool"),
    ("setpriv", "util-linux"),
)
TUN = Path("/dev/net/tun")

_QUEUE_0 = bytes.fromhex("b700000000000000 9500000000000000")
"""A program that chooses queue 0."""

_TUNSETIFF = 0x400454CA
_TUNSETSTEERINGEBPF = 0x800454E0
_TAP_MULTI_QUEUE = 0x0002 | 0x1000 | 0x0100  # IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this kernel lets us do.

    `resilient_groups`: next-hop groups that keep the flows of survivors where they are.
    `steering_program`: an eBPF program may choose the queue of a TAP.
    """

    resilient_groups: bool
    steering_program: bool


def require() -> None:
    """LabError when this user or this machine cannot run a lab at all."""
    if os.geteuid() != 0:
        raise LabError(
            "the lab needs root",
            help="it makes network namespaces, TAP devices and routes, all inside namespaces of "
            "its own; `compile` and `check` need no root",
        )
    missing = [(tool, package) for tool, package in TOOLS if shutil.which(tool) is None]
    if missing:
        tools = ", ".join(f"`{tool}`" for tool, _ in missing)
        packages = " ".join(dict.fromkeys(package for _, package in missing))
        raise LabError(f"the lab needs {tools}", help=f"apt install {packages}")
    if not TUN.exists():
        raise LabError(
            f"there is no {TUN}: the kernel has no TAP devices, or they are hidden from here",
            help="modprobe tun; in a container, pass the device through",
        )


def probe() -> Capabilities:
    """Tries things out in a nameless namespace that is gone afterwards."""
    found: list[Capabilities] = []

    def body() -> None:
        try:
            namespace.enter_new()
        except OSError:
            return
        found.append(Capabilities(_has_resilient_groups(), _may_steer()))

    thread = threading.Thread(target=body, name="probe")
    thread.start()
    thread.join()
    if not found:
        raise LabError(
            "this machine does not let root make a network namespace",
            help="in a container, give it the capability SYS_ADMIN",
        )
    return found[0]


def _has_resilient_groups() -> bool:
    commands = """
        link add probe0 type veth peer name probe1
        link set probe0 up
        link set probe1 up
        nexthop add id 1 dev probe0
        nexthop add id 2 group 1 type resilient buckets 8 idle_timer 0
    """
    tried = subprocess.run(
        ["ip", "-batch", "-"], input=commands, text=True, capture_output=True, check=False
    )
    return tried.returncode == 0


def _may_steer() -> bool:
    try:
        program = bpf.load(bpf.Kind.SOCKET_FILTER, _QUEUE_0)
    except OSError:
        return False
    try:
        with TUN.open("r+b", buffering=0) as tap:
            fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH14x", b"probe-tap", _TAP_MULTI_QUEUE))
            fcntl.ioctl(tap, _TUNSETSTEERINGEBPF, struct.pack("i", program))
    except OSError:
        return False
    finally:
        os.close(program)
    return True
