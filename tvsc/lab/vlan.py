"""A VLAN on an interface of the switch: its packets have the tag on the wire, and not here.

Two classifiers do it, one for each direction. A VLAN device above the interface would do it as
well, but not every kernel has them, and everything about the link (counters, its going down, its
routes) would be spread over two interfaces.
"""

import os
import struct

from tvsc.lab import bpf
from tvsc.lab.errors import LabError

_VLAN_PRESENT, _VLAN_TCI = 20, 24  # in struct __sk_buff
_PUSH, _POP = 18, 19  # helpers
_ID = 0x0FFF
_TPID_BE = 0x0081
_OK, _DROP = 0, 2  # verdicts
_R0, _R1, _R2, _R3, _R6 = 0, 1, 2, 3, 6


def _insn(op: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", op, src << 4 | dst, offset, value)


def _move(dst: int, value: int) -> bytes:
    return _insn(0xB7, dst, value=value)


def _call(helper: int) -> bytes:
    return _insn(0x85, value=helper)


_EXIT = _insn(0x95)
_END = (  # drops the packet if R0 is not 0, which ends a helper that failed
    _insn(0x15, _R0, offset=2, value=0) + _move(_R0, _DROP) + _EXIT + _move(_R0, _OK) + _EXIT
)


def _tagging(vlan: int) -> bytes:
    """Out: the tag is put beside the packet, as a VLAN device does."""
    return _move(_R2, _TPID_BE) + _move(_R3, vlan) + _call(_PUSH) + _END


def _untagging(vlan: int) -> bytes:
    """In: without the VLAN's tag, which the kernel has put beside the packet, it is dropped."""
    drop = _move(_R0, _DROP) + _EXIT
    return (
        _insn(0xBF, _R6, _R1)  # the context, kept
        + _insn(0x61, _R0, _R1, _VLAN_PRESENT)
        + _insn(0x55, _R0, offset=2, value=0)
        + drop
        + _insn(0x61, _R0, _R1, _VLAN_TCI)
        + _insn(0x57, _R0, value=_ID)
        + _insn(0x15, _R0, offset=2, value=vlan)
        + drop
        + _insn(0xBF, _R1, _R6)
        + _call(_POP)
        + _END
    )


def put_on(interface: str, vlan: int) -> None:
    """Puts an interface of the calling thread's namespace into the VLAN."""
    programs: dict[bpf.Hook, int] = {}
    try:
        programs[bpf.Hook.EGRESS] = bpf.load(bpf.Kind.CLASSIFIER, _tagging(vlan))
        programs[bpf.Hook.INGRESS] = bpf.load(bpf.Kind.CLASSIFIER, _untagging(vlan))
        bpf.attach(interface, programs)
    except OSError as error:
        raise LabError(
            f"this kernel does not put {interface} into VLAN {vlan}: {error.strerror}",
            help="a site with `vlan` needs the kernel's clsact and BPF classifiers",
        ) from None
    finally:
        for program in programs.values():
            os.close(program)
