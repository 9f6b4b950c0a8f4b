"""Reads a bundle back."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import zstandard


def unpack(path: Path) -> tarfile.TarFile:
    """The tar inside of a .tar.zst."""
    with path.open("rb") as packed:
        data = zstandard.ZstdDecompressor().stream_reader(packed).read()
    return tarfile.open(fileobj=io.BytesIO(data))
