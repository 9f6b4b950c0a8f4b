"""Counts the instructions and the cache lines of a packet, from a trace of whole bursts.

Counting needs no quiet machine: the same program does the same on every run. A burst lies between
two writes to a mark; within it every instruction counts, and every 64-byte line once that is read
or written, by the region that it lies in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from tvsc.bench.errors import BenchError
from tvsc.build.trace import traced

_LINE_BITS = 6
OTHER = "stack, constants"

PACKETS = 512
BURST = 32
SESSIONS = 2048


class Regions(BaseModel):
    """What tvs-bench says before it begins: direction -> address of its mark, region -> range."""

    kind: str
    marks: dict[str, int]
    regions: dict[str, tuple[int, int]]


@dataclass(slots=True)
class Count:
    """All bursts of a direction. `lines` are distinct in their burst, summed over bursts."""

    bursts: int = 0
    instructions: int = 0
    lines: dict[str, int] = field(default_factory=dict)


def count_bursts(trace: Iterator[bytes], where: Regions) -> dict[str, Count]:
    """Direction -> what its bursts did. Lines of the trace are `I  ADDRESS,BYTES` for an
    instruction, ` L`, ` S` and ` M` for what it loads, stores and modifies.
    """
    by_mark = {b"%08x" % address: name for name, address in where.marks.items()}
    counts = {name: Count() for name in where.marks}
    inside: Count | None = None
    touched: set[int] = set()
    for line in trace:
        if line[:2] == b" S" and (mark := line[3:].partition(b",")[0]) in by_mark:
            if inside is None:
                inside = counts[by_mark[mark]]
                touched = set()
            else:
                inside.bursts += 1
                _add(inside, touched, where)
                inside = None
        elif inside is None:
            continue
        elif line[:1] == b"I":
            inside.instructions += 1
        elif line[:1] == b" ":
            address, _, size = line[3:].partition(b",")
            first = int(address, 16)
            last = first + int(size) - 1
            touched.update(range(first >> _LINE_BITS, (last >> _LINE_BITS) + 1))
    return {name: count for name, count in counts.items() if count.bursts}


def _add(count: Count, touched: set[int], where: Regions) -> None:
    for line in touched:
        address = line << _LINE_BITS
        name = next((n for n, (a, b) in where.regions.items() if a <= address < b), OTHER)
        count.lines[name] = count.lines.get(name, 0) + 1


def count(
    valgrind: Path, program: Path, generation: Path, class_id: str, directions: Sequence[str]
) -> dict[str, Count]:
    """Runs tvs-bench under valgrind; direction -> count. BenchError when it does not run there."""
    said: list[Regions] = []
    counts: dict[str, Count] = {}

    def announces(line: str) -> bool:
        if '"regions"' not in line:
            return False
        said.append(Regions.model_validate(json.loads(line)))
        return True

    def read(trace: Iterator[bytes]) -> None:
        counts.update(count_bursts(trace, said[0]))

    arguments = f"--trace --json --small-pages --repeats 1 --packets {PACKETS} --burst {BURST}"
    argv: list[str | Path] = [program, *arguments.split()]
    argv += ["--sessions", str(SESSIONS), "--class", class_id]
    argv += ["--direction", ",".join(directions), generation]
    status = traced(valgrind, argv, announces, read)
    if status != 0 or not counts:
        raise BenchError(f"tvs-bench does not run under valgrind (exit status {status})")
    return counts
