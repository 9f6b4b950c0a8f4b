"""Which combinations `tvsc bench path` measures: the quick choice, the full one, or the user's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tvsc.bench.harness import Batch

DIRECTIONS = ("request", "reply", "close", "new", "refused", "sweep", "sync")
PATTERNS = ("uniform", "zipf", "one")
BURSTS = (1, 4, 8, 16, 32)
SIZES = (60, 128, 256, 512, 1024, 1514)

_PACKETS = ("request", "reply", "close", "new")
_COUNTED = (*_PACKETS, "refused")
_FLOORED = (*_COUNTED, "sweep")
_SYNC = ("sync",)
_QUICK_SESSIONS = (1_000, 10_000, 100_000, 1_000_000)
_FULL_SESSIONS = (*_QUICK_SESSIONS, 4_000_000)
_LARGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line asks for; None: what the preset has. `workers` 2 adds nothing but the
    comparison of two workers with one.
    """

    full: bool = False
    sessions: tuple[int, ...] | None = None
    directions: tuple[str, ...] | None = None
    patterns: tuple[str, ...] | None = None
    bursts: tuple[int, ...] | None = None
    sizes: tuple[int, ...] | None = None
    repeats: int | None = None
    packets: int | None = None
    workers: int | None = None

    @property
    def is_own(self) -> bool:
        """The user names dimensions: then exactly these are measured."""
        named = (self.sessions, self.directions, self.patterns, self.bursts, self.sizes)
        return any(value is not None for value in named)


def batches(choice: Choice, classes: tuple[str, ...], room: int | None) -> list[Batch]:
    """Of all classes, as tvs-bench names them. `room` is what the local IPs allow, if known."""
    found = [
        replace(batch, repeats=choice.repeats or batch.repeats, packets=choice.packets)
        for at, name in enumerate(classes)
        for batch in _of_class(choice, name, at == 0, room)
    ]
    if choice.workers == 1:
        return [batch for batch in found if not batch.two_workers]
    if choice.workers == 2:
        return [batch for batch in found if batch.two_workers]
    return found


def counted(choice: Choice, label: str) -> tuple[str, ...]:
    """The directions whose instructions and cache lines are counted for a class, `fullnat/udp`:
    those that have packets, of these the user's.
    """
    return tuple(
        direction
        for direction in _COUNTED
        if direction in (choice.directions or _COUNTED)
        and (direction != "close" or label.endswith("tcp"))
    )


def _of_class(choice: Choice, name: str, is_first: bool, room: int | None) -> list[Batch]:
    if choice.is_own:
        directions = choice.directions or _PACKETS
        one = Batch(
            name,
            choice.sessions or _QUICK_SESSIONS,
            tuple(each for each in directions if each != "sync"),
            choice.patterns or ("uniform",),
            choice.bursts or (32,),
            choice.sizes or (60,),
            repeats=15,
        )
        found = [one, replace(one, two_workers=True)] if one.directions else []
        if "sync" in directions:
            found.append(replace(one, directions=_SYNC, patterns=("uniform",)))
        return found
    if choice.full:
        return _full(name, is_first, room)
    return _quick(name, is_first)


def _quick(name: str, is_first: bool) -> list[Batch]:
    if not is_first:
        return [Batch(name, (1_000, _LARGE), _PACKETS, repeats=7)]
    return [
        Batch(name, _QUICK_SESSIONS, _PACKETS, repeats=7),
        Batch(name, (10_000,), ("request", "reply", "new"), repeats=7, two_workers=True),
        Batch(name, (10_000, _LARGE), _SYNC, repeats=7),
    ]


def _full(name: str, is_first: bool, room: int | None) -> list[Batch]:
    largest = _LARGE if room is None else min(_LARGE, room // 1_000 * 1_000)
    found = [
        Batch(name, _FULL_SESSIONS, _FLOORED),
        Batch(name, (10_000, largest), ("request", "reply"), ("zipf", "one")),
    ]
    if is_first:
        found += [
            Batch(name, (10_000, largest), ("request", "reply", "new"), bursts=BURSTS[:-1]),
            Batch(name, (largest,), ("request", "reply", "new"), sizes=SIZES[1:]),
            Batch(name, (10_000, largest), _PACKETS, two_workers=True),
            Batch(name, _QUICK_SESSIONS, _SYNC),
        ]
    return found
