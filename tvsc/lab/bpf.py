"""Small eBPF programs, straight through bpf(2): loading them, putting them on an interface.

A program is given as instructions, 8 bytes each, as the kernel takes them.
"""

import ctypes
import os
import platform
import socket
import struct
from enum import IntEnum

_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
_BPF_PROG_LOAD = 5

_RTM_NEWQDISC, _RTM_NEWTFILTER = 36, 44
_CREATE = 0x1 | 0x4 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_BPF_FD, _TCA_BPF_NAME, _TCA_BPF_FLAGS = 6, 7, 8
_DIRECT_ACTION = 1
_CLSACT, _CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
_EVERY_PROTOCOL = 0x0003


class Kind(IntEnum):
    """What a program is for."""

    SOCKET_FILTER = 1
    CLASSIFIER = 3


class Hook(IntEnum):
    """Where a classifier sees an interface's packets; the number is the filter's parent."""

    INGRESS = 0xFFFFFFF2
    EGRESS = 0xFFFFFFF3


def load(kind: Kind, instructions: bytes) -> int:
    """A descriptor of the program; OSError when the kernel does not take it."""
    number = _BPF_SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(f"no bpf() known for {platform.machine()}")
    code = ctypes.create_string_buffer(instructions, len(instructions))
    license_text = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "<IIQQIIQII",
        kind,
        len(instructions) // 8,
        ctypes.addressof(code),
        ctypes.addressof(license_text),
        0,
        0,
        0,
        0,
        0,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    program = int(libc.syscall(number, _BPF_PROG_LOAD, buffer, len(attributes)))
    if program < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return program


def attach(interface: str, programs: dict[Hook, int]) -> None:
    """Puts classifiers on an interface of the calling thread's namespace, where they stay until the
    interface goes. A program's verdict is a packet's fate. OSError when the kernel refuses.
    """
    index = socket.if_nametoindex(interface)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        clsact = _attribute(_TCA_KIND, b"clsact\0")
        _ask(netlink, _RTM_NEWQDISC, _tcmsg(index, _CLSACT_HANDLE, _CLSACT, 0) + clsact)
        for hook, program in programs.items():
            info = 1 << 16 | socket.htons(_EVERY_PROTOCOL)  # of priority 1
            options = (
                _attribute(_TCA_BPF_FD, struct.pack("I", program))
                + _attribute(_TCA_BPF_NAME, b"tvsc-lab\0")
                + _attribute(_TCA_BPF_FLAGS, struct.pack("I", _DIRECT_ACTION))
            )
            body = _attribute(_TCA_KIND, b"bpf\0") + _attribute(_TCA_OPTIONS, options)
            _ask(netlink, _RTM_NEWTFILTER, _tcmsg(index, 0, hook, info) + body)


def _tcmsg(index: int, handle: int, parent: int, info: int) -> bytes:
    return struct.pack("BxxxiIII", socket.AF_UNSPEC, index, handle, parent, info)


def _attribute(kind: int, value: bytes) -> bytes:
    padding = -len(value) % 4
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(padding)


def _ask(netlink: socket.socket, kind: int, body: bytes) -> None:
    netlink.send(struct.pack("IHHII", 16 + len(body), kind, _CREATE, 1, 0) + body)
    answer = netlink.recv(4096)
    error: int = struct.unpack_from("i", answer, 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))
