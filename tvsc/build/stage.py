"""Fills OUT/.tvsc/stage with what OUT is to become."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tvsc import __version__
from tvsc.build.generation import GENERATION_SO
from tvsc.build.host import PROGRAMS
from tvsc.build.output import NodeState, State, Value, look_of
from tvsc.build.toolchain import library_versions
from tvsc.bundle import bundle_name, manifest_text, write_bundle
from tvsc.bundle.manifest import sha256
from tvsc.codegen import ETC_FILES, PLAN_JSON
from tvsc.plan import NodePlan

if TYPE_CHECKING:
    from tvsc.pipeline import Run

_IN_BUNDLE = ("tvsd", "tvs")
_EXECUTABLE = {"bird-secrets.sh"}


def _mode(name: str) -> int:
    return 0o755 if name in _EXECUTABLE or name in PROGRAMS else 0o644


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(_mode(path.name))


def _stage_nodes(run: Run) -> None:
    """Every node's directory is complete; a text that nodes share is one file there."""
    first: dict[tuple[str, str], Path] = {}
    for node in run.plan.nodes:
        directory = run.output.stage / "nodes" / node.node
        directory.mkdir(parents=True)
        for name, text in run.texts[node.node].items():
            shared = first.setdefault((name, text), directory / name)
            if shared.parent == directory:
                _put(shared, text.encode())
            else:
                (directory / name).hardlink_to(shared)
        _put(directory / PLAN_JSON, run.plan.writer.text(node).encode())
        shutil.copyfile(run.objects[node.node], directory / GENERATION_SO)


def _versions(run: Run) -> dict[str, str]:
    return {
        "tvsc": __version__,
        "compiler": run.compiler.version,
        "libraries": library_versions(),
    }


def _stage_bundle(
    run: Run, node: NodePlan, inputs: dict[str, str], versions: dict[str, str]
) -> None:
    directory = run.output.stage / "nodes" / node.node
    names = [*ETC_FILES, PLAN_JSON, GENERATION_SO]
    files = {name: ((directory / name).read_bytes(), _mode(name)) for name in names}
    for program in _IN_BUNDLE:
        if program in run.programs:
            files[program] = (run.programs[program].read_bytes(), _mode(program))
    name = bundle_name(node)
    manifest = manifest_text(node, inputs, versions, files)
    top = name.removesuffix(".tar.zst")
    write_bundle(run.output.stage / "bundles" / name, top, manifest, files)


def _keep(run: Run, name: str, old: NodeState) -> None:
    """A node that this run was not asked for stays as it is."""
    output = run.output
    shutil.copytree(
        output.path / "nodes" / name, output.stage / "nodes" / name, copy_function=os.link
    )
    if old.bundle and run.options.bundle:
        os.link(output.path / "bundles" / old.bundle, output.stage / "bundles" / old.bundle)


def stage_all(run: Run) -> State:
    """Stages every node, the programs and the bundles; returns the state to remember."""
    stage, options = run.output.stage, run.options
    (stage / "nodes").mkdir(parents=True, exist_ok=True)
    kept: dict[str, NodeState] = {}
    if options.bundle:
        (stage / "bundles").mkdir()
        (stage / "bin").mkdir()
        for name, path in run.programs.items():
            _put(stage / "bin" / name, path.read_bytes())
    if options.nodes:
        site_nodes = {node.name for node in run.loaded().nodes()}
        kept = {
            name: node
            for name, node in run.old.nodes.items()
            if name in site_nodes and name not in options.nodes and run.output.intact(node.files)
        }
    for name, node_state in kept.items():
        _keep(run, name, node_state)
    _stage_nodes(run)
    if options.bundle:
        inputs = {source.name: sha256(source.text.encode()) for source in run.sources.files}
        versions = _versions(run)
        with run.progress.step("pack bundles"), ThreadPoolExecutor(options.jobs) as pool:
            jobs = [
                pool.submit(_stage_bundle, run, node, inputs, versions) for node in run.plan.nodes
            ]
            for job in jobs:
                job.result()
    return _state(run, kept)


def _state(run: Run, kept: dict[str, NodeState]) -> State:
    stage, bundle = run.output.stage, run.options.bundle
    bundles = look_of(stage, "bundles") if bundle else {}
    nodes = {
        name: replace(old, bundle=old.bundle if bundle else None) for name, old in kept.items()
    }
    for node in run.plan.nodes:
        files = look_of(stage, f"nodes/{node.node}")
        name = bundle_name(node)
        if bundle:
            files[f"bundles/{name}"] = bundles[f"bundles/{name}"]
        nodes[node.node] = NodeState(
            run.fingerprints[node.node],
            node.generation,
            name if bundle else None,
            files,
            _facts(node),
        )
    return State(run.plan.site, run.host, look_of(stage, "bin") if bundle else {}, nodes)


def _facts(plan: NodePlan) -> dict[str, Value]:
    """What is reported of a node."""
    return {
        "cluster": plan.cluster,
        "sync_contract": f"{plan.sync_contract:#018x}",
        "workers": plan.cores.n_workers,
        "services": len(plan.services),
        "classes": len(plan.classes),
        "pools": len(plan.pools),
        "local_ips": len(plan.lips.own),
        "steering": plan.steering.mode.value,
        "rules": len(plan.steering.rules),
        "bytes_per_session": plan.memory.bytes_per_session,
    }
