"""What the tidy tests look at: the files that git tracks or would track."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, tracked or not ignored, as paths relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = sorted(name for name in listing.split("\0") if name)
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def under(directory: str, *suffixes: str) -> list[Path]:
    """The files below `directory` with one of `suffixes` (all files when none is given)."""
    top = Path(directory)
    return [
        path
        for path in files()
        if path.is_relative_to(top) and (not suffixes or path.suffix in suffixes)
    ]


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def lines(path: Path) -> list[str]:
    return text(path).splitlines()
