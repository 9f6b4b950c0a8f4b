"""Files that a measurement writes."""

from __future__ import annotations

from pathlib import Path

from tvsc.bench.errors import BenchError


def check_writable(path: Path) -> None:
    """BenchError when `path` cannot be written: better before minutes of measuring than after."""
    if path.is_dir():
        raise BenchError(f"`{path}` is a directory", help="name a file")
    if not path.parent.is_dir():
        raise BenchError(f"there is no directory `{path.parent}`", help="make it first")
    is_new = not path.exists()
    try:
        with path.open("a"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BenchError(f"`{path}` cannot be written: {reason}") from None


def make_directory(path: Path) -> None:
    """Makes a directory and those above it; BenchError when that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BenchError(f"`{path}` cannot be made a directory: {reason}") from None


def write(path: Path, text: str) -> None:
    """Writes `text`; BenchError when that fails."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BenchError(f"`{path}` cannot be written: {reason}") from None
