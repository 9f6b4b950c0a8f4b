"""The manifest: what a bundle was made from and what it holds.

It is the first member of the archive, so that it can be read without the rest. A signature over its
exact bytes has its place right behind it, as `manifest.json.sig`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tvsc.plan import NodePlan

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def manifest_text(
    plan: NodePlan,
    inputs: Mapping[str, str],
    versions: Mapping[str, str],
    files: Mapping[str, tuple[bytes, int]],
) -> str:
    """JSON. `inputs` maps the site's files to hashes; `files` is (content, mode) by name."""
    return (
        json.dumps(
            {
                "format_version": MANIFEST_VERSION,
                "site": plan.site,
                "cluster": plan.cluster,
                "node": plan.node,
                "generation": plan.generation,
                "sync_contract": f"{plan.sync_contract:#018x}",
                "record_schema": f"{plan.record_schema:#018x}",
                "inputs": dict(sorted(inputs.items())),
                "versions": dict(sorted(versions.items())),
                "files": {
                    name: {"sha256": sha256(data), "bytes": len(data), "mode": f"{mode:04o}"}
                    for name, (data, mode) in sorted(files.items())
                },
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )
