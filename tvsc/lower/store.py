"""The store of blocks that were read before: `$XDG_CACHE_HOME/tvsc/blocks`, one file an entry.

Reads and writes bytes by key; knows nothing of their meaning. An entry carries a hash of itself and
appears in one step, so that the store may be deleted, shared, cut short or overwritten at any time:
what cannot be trusted is as good as absent. Whoever may write to the directory can lie to its
readers about what a site says; it cannot make them run anything.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 512 * 1024 * 1024
"""The store is trimmed to half of this when it has grown beyond."""

_DAY_S = 24 * 3600
_HASH_BYTES = 16


class Store:
    """Entries below one directory; without one nothing is kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = None if directory is None else str(directory)

    def get(self, key: str) -> bytes | None:
        """The entry, or None when there is none that is whole."""
        if self._directory is None:
            return None
        path = f"{self._directory}/{key[:2]}/{key}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb", buffering=0) as file:  # noqa: PTH123 - hundreds of them a run
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
                    return None
                data = file.read()
        except OSError:
            return None
        body = data[_HASH_BYTES:]
        if data[:_HASH_BYTES] != _hash(key, body):
            return None
        if status.st_mtime < time.time() - _DAY_S:
            with suppress(OSError):
                os.utime(path)  # what is used is not trimmed
        return body

    def put(self, key: str, body: bytes) -> None:
        """Keep an entry, if the directory can be written."""
        if self._directory is None:
            return
        directory = f"{self._directory}/{key[:2]}"
        new = f"{directory}/.{key}.{os.getpid()}"
        try:
            _write(directory, new, _hash(key, body) + body)
            os.rename(new, f"{directory}/{key}")  # noqa: PTH104 - hundreds of them a run
        except OSError:
            with suppress(OSError):
                os.unlink(new)  # noqa: PTH108 - as above

    def trim(self) -> None:
        """After writing: removes the entries that were used longest ago when there are too many."""
        if self._directory is None:
            return
        entries: list[tuple[float, int, Path]] = []
        for path in Path(self._directory).glob("*/*"):
            with suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        if total <= MOST_BYTES:
            return
        for _, size, path in sorted(entries):
            with suppress(OSError):
                path.unlink()
                total -= size
            if total <= MOST_BYTES // 2:
                return


def _write(directory: str, path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o666)
    except FileNotFoundError:
        Path(directory).mkdir(parents=True, exist_ok=True)
        fd = os.open(path, flags, 0o666)
    with open(fd, "wb", buffering=0) as file:  # noqa: PTH123 - as above
        file.write(data)


def _hash(key: str, body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_HASH_BYTES, key=key.encode()[:64]).digest()
