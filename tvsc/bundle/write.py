"""Writes NODE-GENERATION.tar.zst."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import zstandard

from tvsc.bundle.manifest import MANIFEST
from tvsc.plan import NodePlan

# Of zstd; part of what makes the bytes the same. Level 6 takes three times as long for a fifteenth
# less: with eight nodes of 10,000 services that is more than a second.
_LEVEL = 3


def bundle_name(plan: NodePlan) -> str:
    """`NODE-GENERATION.tar.zst`."""
    return f"{plan.node}-{plan.generation}.tar.zst"


def write_bundle(
    path: Path, top: str, manifest: str, files: Mapping[str, tuple[bytes, int]]
) -> int:
    """Packs `files` (content, mode) below the directory `top`, manifest first; returns the bytes.

    Names are sorted, times are zero, everything belongs to root, and one thread compresses.
    """
    members = {MANIFEST: (manifest.encode(), 0o644), **dict(sorted(files.items()))}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (data, mode) in members.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mode, info.mtime = len(data), mode, 0
            info.uid = info.gid = 0
            info.uname = info.gname = "root"
            archive.addfile(info, io.BytesIO(data))
    packed = zstandard.ZstdCompressor(level=_LEVEL, threads=0, write_checksum=True).compress(
        buffer.getbuffer()
    )
    path.write_bytes(packed)
    return len(packed)
