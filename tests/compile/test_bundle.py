"""The archive that is shipped: reproducible, and its manifest says what is in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.compile.archive import unpack
from tests.compile.sites import make_site, make_sources
from tvsc.bundle import bundle_name, manifest_text, write_bundle
from tvsc.plan import NodePlan, plan_site

FILES = {
    "tvsd": (b"\x7fELF daemon", 0o755),
    "generation.so": (b"\x7fELF code", 0o644),
    "bird.conf": (b"router id 1.2.3.4;\n", 0o644),
}


@pytest.fixture
def plan() -> NodePlan:
    return plan_site(make_site(), make_sources()).nodes[0]


def manifest(plan: NodePlan) -> str:
    return manifest_text(plan, {"site.tvs": "ab" * 32}, {"tvsc": "1"}, FILES)


def test_archive(plan: NodePlan, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    size = write_bundle(path, "top", manifest(plan), FILES)
    assert size == path.stat().st_size
    with unpack(path) as archive:
        members = archive.getmembers()
        assert [m.name for m in members] == [
            f"top/{name}" for name in ("manifest.json", "bird.conf", "generation.so", "tvsd")
        ]
        for member in members:
            assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
            assert (member.uname, member.gname) == ("root", "root")
        assert [oct(m.mode) for m in members] == ["0o644", "0o644", "0o644", "0o755"]
        for name, (data, _) in FILES.items():
            file = archive.extractfile(f"top/{name}")
            assert file and file.read() == data


def test_the_same_bytes_whatever_the_order(plan: NodePlan, tmp_path: Path) -> None:
    write_bundle(tmp_path / "a", "top", manifest(plan), FILES)
    write_bundle(tmp_path / "b", "top", manifest(plan), dict(reversed(FILES.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_manifest(plan: NodePlan) -> None:
    plain = json.loads(manifest(plan))
    assert plain["format_version"] == 1
    assert plain["node"] == plan.node and plain["generation"] == plan.generation
    assert plain["sync_contract"] == f"{plan.sync_contract:#018x}"
    assert plain["inputs"] == {"site.tvs": "ab" * 32}
    assert plain["files"]["tvsd"] == {
        "sha256": hashlib.sha256(FILES["tvsd"][0]).hexdigest(),
        "bytes": len(FILES["tvsd"][0]),
        "mode": "0755",
    }


def test_name(plan: NodePlan) -> None:
    assert bundle_name(plan) == f"tvs-a1-{plan.generation}.tar.zst"
