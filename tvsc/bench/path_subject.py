"""What `tvsc bench path` measures: a site's node, compiled, with its generic floor beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from tvsc.bench.errors import BenchError
from tvsc.bench.generic import build_generic, build_synced, read_sources
from tvsc.build.generation import GENERATION_SO
from tvsc.build.progress import Progress
from tvsc.build.toolchain import base_hash, find_compiler
from tvsc.pipeline import Options, compile_site

REFERENCE_SITE = Path(__file__).with_name("reference.tvs")


class _Class(BaseModel):
    id: int
    mode: str
    protocol: str
    client_address: str = "none"
    scheduler: str = "wrr"

    @property
    def label(self) -> str:
        """`fullnat/tcp`, with the client address's way if it has one, and the scheduler if it is
        none that goes in turns.
        """
        way = "" if self.client_address == "none" else f"+{self.client_address}"
        scheduler = "" if self.scheduler in ("rr", "wrr") else f"+{self.scheduler}"
        return f"{self.mode}{way}{scheduler}/{self.protocol}"


class _Memory(BaseModel):
    port_first: int
    port_last: int


class _Lip(BaseModel):
    worker: int


class _Lips(BaseModel):
    own: list[_Lip]


class _Cores(BaseModel):
    n_workers: int


class _Plan(BaseModel):
    """What of plan.json is of interest here."""

    site: str
    node: str
    march: str
    memory: _Memory
    lips: _Lips
    cores: _Cores
    classes: list[_Class]


@dataclass(frozen=True, slots=True)
class Subject:
    """`classes` by number, one of each kind; empty when only the generation is known. `generic` is
    None without sources: `why_no_generic` then says so. `room` is how many sessions a worker has
    local ports for; None: not known. `sources`: of the generation, if they are known.
    """

    site: str
    node: str
    generation: Path
    march: str
    classes: dict[int, str]
    generic: Path | None
    room: int | None = None
    workers: int | None = None
    why_no_generic: str = ""
    sources: dict[str, str] | None = None

    def synced(self, progress: Progress) -> tuple[Path, str]:
        """A generation whose classes are synced, and a note when the site's are not."""
        if self.sources is None or ".is_synced = true" in self.sources["path.c"]:
            return self.generation, ""
        compiler = find_compiler()
        base = base_hash(compiler)
        built = build_synced(self.sources, self.march, base, compiler, progress)
        return built, "the site has no session sync: `sync` is of its sources built with it"


def of_site(site: Path, out: Path, node: str | None, progress: Progress) -> Subject:
    """Compiles one node of a site; SiteError, BuildError, BenchError."""
    from tvsc.lower import load_site
    from tvsc.pipeline import SiteError

    loaded, diagnostics, sources = load_site(site)
    if loaded is None:
        raise SiteError(diagnostics, sources)
    names = [each.name for each in loaded.nodes()]
    if node is not None and node not in names:
        raise BenchError(f"the site has no node `{node}`", help=f"its nodes are {', '.join(names)}")
    wanted = node or names[0]
    compile_site(Options(site=site, out=out, nodes=(wanted,), bundle=False), progress)
    return of_directory(out / "nodes" / wanted, str(site), progress)


def of_generation(path: Path, progress: Progress) -> Subject:
    """A generation that has been compiled; its sources and plan.json are beside it, or not."""
    if not path.is_file():
        raise BenchError(f"there is no generation at `{path}`")
    if path.name == GENERATION_SO and (path.parent / "plan.json").is_file():
        return of_directory(path.parent, str(path), progress)
    why = f"without plan.json and sources beside `{path.name}` it is not built generic"
    return Subject(str(path), "", path, "x86-64-v2", {}, None, why_no_generic=why)


def of_directory(
    directory: Path, site: str, progress: Progress, *, with_generic: bool = True
) -> Subject:
    """OUT/nodes/NODE."""
    plan_file = directory / "plan.json"
    try:
        plan = _Plan.model_validate(json.loads(plan_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise BenchError(f"`{plan_file}` cannot be read: {error}") from None
    sources = read_sources(directory)
    generic = None
    if sources is not None and with_generic:
        compiler = find_compiler()
        generic = build_generic(sources, plan.march, base_hash(compiler), compiler, progress)
    return Subject(
        site=site,
        node=plan.node,
        generation=directory / GENERATION_SO,
        march=plan.march,
        classes=_one_of_each(plan.classes),
        generic=generic,
        room=sum(lip.worker == 0 for lip in plan.lips.own)
        * (plan.memory.port_last - plan.memory.port_first + 1),
        workers=plan.cores.n_workers,
        why_no_generic="" if generic else f"`{directory}` has no sources to build generic",
        sources=sources,
    )


def _one_of_each(classes: list[_Class]) -> dict[int, str]:
    """Classes that differ only in timeouts, or as rr and wrr do, cost the same: the first."""
    found: dict[str, int] = {}
    for each in classes:
        found.setdefault(each.label, each.id)
    return {number: label for label, number in found.items()}
