"""The output directory: whose it is, who may write, and how a new state takes the old one's place.

    OUT/nodes/NODE/...      what people read
    OUT/bundles/*.tar.zst   what is shipped
    OUT/bin/                the host binary and the tools
    OUT/.tvsc/              the lock, the state of the last compilation, build and staging places

Everything is made in OUT/.tvsc/stage and then exchanged with what was there, directory by
directory, each in one step of the file system. A compilation that is interrupted at any point
leaves either the old directories or the new ones, never a part of one.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tvsc.build.failure import failed, is_full
from tvsc.diag import codes

STATE_VERSION = 2
PARTS = ("bin", "nodes", "bundles")

_OURS = ".tvsc"
_LOCK_WAIT_S = 5.0
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


Value = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node's outputs were made from, how its files looked (path -> bytes, mtime), and what a
    report says of it.
    """

    fingerprint: str
    generation: str
    bundle: str | None
    files: dict[str, tuple[int, int]]
    facts: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a compilation read, so that the next one can see that it would read the same: names of
    files and (number of a file, pattern of an include in it); `digest` is over their contents, the
    files that match, the options and the programs.
    """

    files: tuple[str, ...]
    patterns: tuple[tuple[int, str], ...]
    digest: str


@dataclass(frozen=True, slots=True)
class State:
    """The last compilation; empty when there was none, or it was another version's."""

    site: str = ""
    host: str = ""
    bin: dict[str, tuple[int, int]] = field(default_factory=dict)
    nodes: dict[str, NodeState] = field(default_factory=dict)
    inputs: Inputs | None = None


def _inputs(files: list[str], patterns: list[tuple[int, str]], digest: str) -> Inputs:
    return Inputs(tuple(files), tuple((number, text) for number, text in patterns), digest)


def look_of(root: Path, directory: str) -> dict[str, tuple[int, int]]:
    """Bytes and mtime of every file in a directory, by path relative to `root`."""
    return {
        f"{directory}/{entry.name}": (entry.stat().st_size, entry.stat().st_mtime_ns)
        for entry in sorted(os.scandir(root / directory), key=lambda e: e.name)
        if entry.is_file()
    }


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals that end the program wait for the few system calls within."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _exchange(new: Path, old: Path) -> None:
    """`new` takes the place of `old` in one step; afterwards `new` is the old one, or gone."""
    if not old.exists():
        new.rename(old)
        return
    status = _libc.renameat2(
        _AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), _RENAME_EXCHANGE
    )
    if status == 0:
        return
    error = ctypes.get_errno()
    if error not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(error, os.strerror(error), str(old))
    aside = new.with_name(f"{new.name}.old")  # a file system that cannot exchange
    old.rename(aside)
    new.rename(old)


class Output:
    """An output directory that this process alone writes to. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.private = path / _OURS
        self.stage = self.private / "stage"
        self.lock_fd = -1
        self._made: list[Path] = []  # the directories that were missing, the innermost first

    def __enter__(self) -> Output:
        try:
            self._claim()
            self._lock()
            shutil.rmtree(self.stage, ignore_errors=True)
        except BaseException as error:
            self._leave(error)
            raise
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        """Lets go of OUT. Where there is no room, what this run made does not stay half-made."""
        published = any(self.names(part) for part in PARTS)
        if self._made and not published and error is not None and is_full(error):
            shutil.rmtree(self.private, ignore_errors=True)
            with suppress(OSError):
                for directory in self._made[1:]:
                    directory.rmdir()
        if self.lock_fd >= 0:
            os.close(self.lock_fd)

    def _claim(self) -> None:
        """Makes OUT, or makes sure that it is ours."""
        refuse = f"`{self.path}` exists and was not made by tvsc"
        hint = "choose another directory with -o, or remove this one yourself"
        if self.path.exists() and not self.path.is_dir():
            raise failed(codes.OUTPUT_FOREIGN, refuse, help=hint)
        if not self.private.is_dir():
            if self.path.is_dir() and any(self.path.iterdir()):
                inside = f"choose one of its own with -o, `{self.path / 'NAME'}` for example"
                raise failed(codes.OUTPUT_FOREIGN, refuse, help=inside)
            wanted = (self.private, *self.private.parents)
            self._made = [directory for directory in wanted if not directory.exists()]
            self.private.mkdir(parents=True, exist_ok=True)
        self.lock_fd = os.open(self.private / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _lock(self) -> None:
        """A killed compilation's last tool may hold the lock for a moment: wait a little."""
        until = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(self.lock_fd).st_nlink:  # else its owner has just removed OUT
                    break
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.1)
                    continue
            owner = os.pread(self.lock_fd, 20, 0).decode(errors="replace").strip()
            raise failed(
                codes.OUTPUT_BUSY,
                f"another `tvsc compile` (process {owner or '?'}) is writing to `{self.path}`",
                help="wait for it to end, or choose another directory with -o",
            )
        os.ftruncate(self.lock_fd, 0)
        os.pwrite(self.lock_fd, f"{os.getpid()}\n".encode(), 0)

    def state(self) -> State:
        """What the last complete compilation left."""
        try:
            raw = json.loads((self.private / "state.json").read_text(encoding="utf-8"))
            if raw["version"] != STATE_VERSION:
                return State()
            return State(
                site=raw["site"],
                host=raw["host"],
                bin={path: (size, mtime) for path, (size, mtime) in raw["bin"].items()},
                nodes={
                    name: NodeState(
                        node["fingerprint"],
                        node["generation"],
                        node["bundle"],
                        {path: (size, mtime) for path, (size, mtime) in node["files"].items()},
                        node["facts"],
                    )
                    for name, node in raw["nodes"].items()
                },
                inputs=_inputs(**raw["inputs"]) if raw["inputs"] else None,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return State()

    def intact(self, files: dict[str, tuple[int, int]]) -> bool:
        """Whether files still look as they did."""
        try:
            for name, (size, mtime) in files.items():
                status = (self.path / name).stat()
                if (status.st_size, status.st_mtime_ns) != (size, mtime):
                    return False
        except OSError:
            return False
        return True

    def names(self, part: str) -> set[str]:
        """Entries of a part of the output."""
        try:
            return {entry.name for entry in (self.path / part).iterdir()}
        except OSError:
            return set()

    def as_left(self, state: State) -> bool:
        """Whether OUT holds exactly what the compilation that left `state` made."""
        bundles = {node.bundle for node in state.nodes.values() if node.bundle}
        return (
            self.names("nodes") == set(state.nodes)
            and self.names("bundles") == bundles
            and self.intact(state.bin)
            and all(self.intact(node.files) for node in state.nodes.values())
        )

    def _draft(self, state: State) -> Path:
        draft = self.stage / "state.json"
        text = json.dumps({"version": STATE_VERSION, **asdict(state)}, indent=1)
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text + "\n", encoding="utf-8")
        return draft

    def remember(self, state: State) -> None:
        """Replaces the state; everything else stays."""
        self._draft(state).replace(self.private / "state.json")

    def publish(self, state: State) -> None:
        """Exchanges the staged parts with the old ones and remembers the state."""
        record, draft = self.private / "state.json", self._draft(state)
        with _uninterrupted():
            record.unlink(missing_ok=True)
            for part in PARTS:
                staged, shown = self.stage / part, self.path / part
                if staged.is_dir():
                    _exchange(staged, shown)
                elif shown.is_dir():
                    shown.rename(staged)
            draft.rename(record)
