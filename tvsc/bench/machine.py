"""Reads what a result must say about the machine: /proc, /sys and nothing else."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from tvsc.bench.result import HugePages, Machine

_CPU = Path("/sys/devices/system/cpu")
_HUGE = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
_CLOCKS = {"kvm-clock": "KVM", "hyperv": "Hyper-V", "xen": "Xen"}
"""Clocks that a hypervisor offers its guests."""

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _read(path: Path) -> str:
    """The text of a file of the kernel; empty when there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _read(path)
    return int(text) if text.isdigit() else 0


def load_1min() -> float:
    """Runnable tasks, averaged over the last minute."""
    return os.getloadavg()[0]


def huge_pages() -> HugePages:
    """2 MB pages of the whole machine."""
    return HugePages(total=_number(_HUGE / "nr_hugepages"), free=_number(_HUGE / "free_hugepages"))


def _cache_bytes(level: int) -> int | None:
    for index in sorted((_CPU / "cpu0/cache").glob("index*")):
        if _read(index / "level") == str(level) and _read(index / "type") != "Instruction":
            match = re.fullmatch(r"(\d+)([KMG]?)", _read(index / "size"))
            return int(match[1]) * _UNITS[match[2]] if match else None
    return None


def _cpu_name(info: str) -> str:
    """A virtual machine's name says nothing: family and model then tell the microarchitecture."""
    fields = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in info.splitlines())
        if value
    }
    name = fields.get("model name", platform.machine())
    numbers = [fields.get(key, "?") for key in ("cpu family", "model", "stepping")]
    return f"{name}, family {numbers[0]} model {numbers[1]} stepping {numbers[2]}"


def _hypervisor(info: str) -> str:
    if not re.search(r"^flags\s*:.*\bhypervisor\b", info, re.MULTILINE):
        return "none"
    names = (Path("/sys/hypervisor/type"), Path("/sys/class/dmi/id/sys_vendor"))
    clocks = _read(Path("/sys/devices/system/clocksource/clocksource0/available_clocksource"))
    clock = next((kind for word, kind in _CLOCKS.items() if word in clocks), "")
    return next((text for text in (clock, *map(_read, names)) if text), "of an unknown kind")


def describe(tsc_mhz: float | None, load_before: float, before: HugePages) -> Machine:
    """The machine at the end of a run, with what was noted at its beginning."""
    info = _read(Path("/proc/cpuinfo"))
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read(Path("/proc/meminfo")), re.MULTILINE)
    return Machine(
        cpu=_cpu_name(info.split("\n\n")[0]),
        cpus=os.cpu_count() or 1,
        isolated_cpus=_read(_CPU / "isolated") or "none",
        governor=_read(_CPU / "cpu0/cpufreq/scaling_governor") or "not visible",
        hypervisor=_hypervisor(info),
        kernel=platform.release(),
        tsc_mhz=tsc_mhz,
        l1d_bytes=_cache_bytes(1),
        l2_bytes=_cache_bytes(2),
        l3_bytes=_cache_bytes(3),
        memory_bytes=int(memory[1]) * 1024 if memory else 0,
        huge_pages=before,
        load_before=load_before,
        load_after=load_1min(),
    )
