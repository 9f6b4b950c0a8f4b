"""What the nodes of a site have in common is planned, rendered and compiled once; what grows with a
site grows by as much for each service; an edit of one line rebuilds what it must and no more.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from tests.compile.probe import run_c
from tvsc.bench.edits import EDITS, INTERVAL, NEW_VIP, WEIGHT, Edit, apply_edit
from tvsc.bench.sites import write_site
from tvsc.build.generation import project_name
from tvsc.build.progress import Progress
from tvsc.build.toolchain import base_hash, find_compiler
from tvsc.codegen import SHARED_SOURCES, render_site
from tvsc.codegen.c_site import POOLS_PER_SOURCE
from tvsc.lower import load_site
from tvsc.pipeline import Options, Run, compile_site
from tvsc.plan import PlanOptions, SitePlan, plan_site


@pytest.fixture(scope="module", autouse=True)
def steady_program() -> Iterator[None]:
    """An edit of the tree during the tests is no change of the program."""
    base = base_hash(find_compiler())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tvsc.pipeline.base_hash", lambda _: base)
        patch.setattr("tvsc.build.toolchain.program_hash", lambda: "steady")
        yield


NODES = tuple(f"lb-{cluster}{n}" for cluster in "ab" for n in (1, 2, 3, 4))
SERVICES = 40
SERVERS = 3


def planned(directory: Path, services: int) -> SitePlan:
    site, diagnostics, sources = load_site(write_site(directory, services, SERVERS))
    assert site is not None and diagnostics == []
    return plan_site(site, sources, PlanOptions(base="test"))


# Growth, counted


def rows_of(text: str) -> int:
    return sum(line.startswith(("    {", "    [")) for line in text.splitlines())


def test_rows_are_as_many_as_the_site_has(tmp_path: Path) -> None:
    for services in (20, 40, 80):
        texts = render_site(planned(tmp_path, services))["lb-b2"]
        assert rows_of(texts["pools.c"]) == services
        assert rows_of(texts["servers-000.c"]) == services * SERVERS
        vips = texts["services.c"].count("TVS_VIP_ADDRESS, 0}")
        assert vips == services
        assert texts["services.c"].count("TVS_ROUTE_VIP") == services


def calls_of(work: Callable[[], object]) -> int:
    """Function calls, of Python and of C: the same number on every run and every machine."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_work_and_output_grow_linearly(tmp_path: Path) -> None:
    """A further service costs as much in a large site as in a small one."""
    calls, sizes = [], []
    for services in (400, 800, 1600):
        site, _, sources = load_site(write_site(tmp_path, services, SERVERS))
        assert site is not None
        plan = plan_site(site, sources)
        texts = render_site(plan)["lb-a1"]  # all that is kept for later is made
        calls.append(calls_of(partial(render_site, plan_site(site, sources))))
        calls[-1] += calls_of(partial(plan_site, site, sources))
        sizes.append(sum(len(text) for text in texts.values()))
    for counts in (calls, sizes):
        first, second = counts[1] - counts[0], counts[2] - counts[1]
        assert 1.8 * first < second < 2.2 * first


def test_a_further_node_costs_no_second_rendering(tmp_path: Path) -> None:
    """Seven nodes more are less work than the tables of the first."""
    plan = planned(tmp_path, 400)
    one = calls_of(lambda: render_site(replace(plan, nodes=plan.nodes[:1])))
    all_nodes = calls_of(lambda: render_site(plan))
    assert all_nodes < 2 * one


def test_nodes_have_the_same_text_objects(tmp_path: Path) -> None:
    plan = planned(tmp_path, SERVICES)
    texts = render_site(plan)
    assert tuple(texts) == NODES
    for name in ("parts.h", "pools.c", "servers-000.c", "services.c"):
        assert len({id(texts[node][name]) for node in NODES}) == 1
    assert len({texts[node]["path.c"] for node in NODES}) == 2
    assert len({texts[node]["generation.c"] for node in NODES}) == len(NODES)
    first, last = plan.nodes[0], plan.nodes[-1]
    assert first.pools is last.pools and first.services is last.services


# Builds


@dataclass(frozen=True)
class Built:
    site: Path
    out: Path

    def files(self) -> tuple[Path, ...]:
        return (self.site, *sorted(self.site.parent.glob("services/*.tvs")))

    def compile(self, *nodes: str) -> Run:
        options = Options(self.site, self.out, nodes=nodes, bundle=False, recall=True)
        return compile_site(options, Progress(quiet=True))

    def objects(self) -> dict[str, int]:
        """When each object was made, by the name of its source's directory."""
        found = (self.out / ".tvsc/build").glob("*/build/*.p/*.o")
        return {path.stem.rpartition("_")[0]: path.stat().st_mtime_ns for path in found}

    def generations(self) -> dict[str, bytes]:
        return {p.parent.name: p.read_bytes() for p in self.out.glob("nodes/*/generation.so")}

    def copy(self, directory: Path) -> Built:
        shutil.copytree(self.site.parent, directory / "site")
        shutil.copytree(self.out, directory / "out", copy_function=shutil.copy2)
        return Built(directory / "site" / self.site.name, directory / "out")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Built:
    directory = tmp_path_factory.mktemp("shared")
    built = Built(write_site(directory / "site", SERVICES, SERVERS), directory / "out")
    built.compile()
    return built


@pytest.fixture
def made(good: Built, tmp_path: Path) -> Built:
    """A copy with an output of its own, so that the build's paths are right."""
    site = shutil.copytree(good.site.parent, tmp_path / "site") / good.site.name
    built = Built(site, tmp_path / "out")
    built.compile()
    return built


@pytest.mark.slow
def test_shared_objects_are_compiled_once(good: Built) -> None:
    """Eight nodes, two clusters: three tables, two paths, and one small source per node."""
    once = {"pools-lb-a1", "servers-000-lb-a1", "services-lb-a1", "path-lb-a1", "path-lb-b1"}
    assert set(good.objects()) == once | {f"node-{node}" for node in NODES}
    (ninja,) = good.out.glob(".tvsc/build/*/build/build.ninja")
    text = ninja.read_text(encoding="utf-8")
    assert len(re.findall(r"^build .*: c_COMPILER ", text, re.MULTILINE)) == len(good.objects())
    links = re.findall(r"^build \S+\.so: c_LINKER (.*)$", text, re.MULTILINE)
    assert len(links) == len(NODES)
    for name in SHARED_SOURCES:
        assert all(link.count(f"_{name}.o") == 1 for link in links)


@pytest.mark.slow
def test_shared_texts_are_one_file(good: Built) -> None:
    for name in ("pools.c", "servers-000.c", "services.c", "parts.h"):
        assert len({path.stat().st_ino for path in good.out.glob(f"nodes/*/{name}")}) == 1
    assert len({path.stat().st_ino for path in good.out.glob("nodes/*/path.c")}) == 2


@pytest.mark.slow
def test_the_path_reaches_tables_directly(good: Built) -> None:
    """Tables in other objects cost no look-up in the global offset table."""
    (path,) = good.out.glob(".tvsc/build/*/build/*path-lb-a1*.p/*.o")
    said = subprocess.run(
        ["readelf", "--relocs", "--wide", path], capture_output=True, text=True, check=True
    ).stdout
    code = "".join(s for s in said.split("Relocation section ") if s.startswith("'.rela.text"))
    tables = re.findall(r"\b(R_X86_64_\w+)\s.*\b(site_vips|node_lips)\b", code)
    assert {name for _, name in tables} == {"site_vips", "node_lips"}
    assert {kind for kind, _ in tables} == {"R_X86_64_PC32"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "shared"),
    [(WEIGHT, {"servers-000"}), (INTERVAL, {"pools"}), (NEW_VIP, {"services"})],
    ids=[edit.name for edit in EDITS],
)
def test_one_line_rebuilds_what_it_must(made: Built, edit: Edit, shared: set[str]) -> None:
    """A table, and every node's own source, because the generation has a new name."""
    before = made.objects()
    assert apply_edit(edit, made.files())
    assert not made.compile().unchanged
    after = made.objects()
    anew = {name for name in after if after[name] != before.get(name)}
    assert anew == {f"{name}-lb-a1" for name in shared} | {f"node-{node}" for node in NODES}


@pytest.mark.slow
def test_a_node_alone_has_the_same_bytes(good: Built, tmp_path: Path) -> None:
    """Whose name a shared object bears, and from where it is compiled, is not in the bytes."""
    other = Built(shutil.copytree(good.site.parent, tmp_path / "else") / "site.tvs", tmp_path / "o")
    other.compile("lb-b3")
    parts = ("pools", "servers-000", "services", "path", "node")
    assert set(other.objects()) == {f"{part}-lb-b3" for part in parts}
    assert other.generations() == {"lb-b3": good.generations()["lb-b3"]}


# What an earlier compilation left


def _gone(text: str) -> str:
    """As another Python's meson wrote it, one whose environment was removed since."""
    return text.replace(sys.executable, "/gone/bin/python")


def _torn(text: str) -> str:
    return text[: len(text) // 2]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [_gone, _torn])
def test_a_build_that_cannot_go_on_starts_anew(made: Built, damage: Callable[[str], str]) -> None:
    (ninja,) = made.out.glob(".tvsc/build/*/build/build.ninja")
    text = ninja.read_text(encoding="utf-8")
    assert damage(text) != text
    ninja.write_text(damage(text), encoding="utf-8")
    project = ninja.parents[1] / "source/meson.build"
    project.write_text(project.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    before = made.generations()
    assert apply_edit(WEIGHT, made.files())
    assert not made.compile().unchanged
    assert made.generations() != before


@pytest.mark.parametrize(
    "change",
    [
        ("tvsc.build.generation.find_meson", lambda: ["/other/python", "-m", "mesonbuild"]),
        ("tvsc.build.generation.version", lambda _: "0.1"),
        ("tvsc.build.generation.runtime_dir", lambda: Path("/other/runtime")),
    ],
    ids=["meson's path", "meson's version", "the runtime's path"],
)
def test_another_meson_builds_elsewhere(
    change: tuple[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two checkouts share the cache of the bench, and neither may run the other's meson."""
    compiler = find_compiler()
    before = project_name("base", compiler)
    assert before == project_name("base", compiler)
    monkeypatch.setattr(*change)
    assert project_name("base", compiler) != before


# Recall


def recalled(built: Built, **options: object) -> bool:
    """Whether the next compilation would know its input again."""
    from tvsc.build.output import Output
    from tvsc.pipeline import recall

    plain: dict[str, object] = {"bundle": False, "recall": True, **options}
    run = Run(Options(built.site, built.out, **plain), Progress(quiet=True), Output(built.out))  # type: ignore[arg-type]
    recall(run)
    return run.recalled


@pytest.mark.slow
def test_unchanged_input_is_not_parsed(good: Built) -> None:
    run = good.compile()
    assert run.recalled and run.unchanged
    assert run.site is None and run.plan.nodes == ()
    assert tuple(run.result().nodes) == NODES


@pytest.mark.slow
def test_what_is_recalled_is_exactly_the_same(good: Built, tmp_path: Path) -> None:
    site = shutil.copytree(good.site.parent, tmp_path / "site") / "site.tvs"
    same = Built(site, good.out)
    assert recalled(same)
    assert not recalled(same, nodes=("lb-a1",))
    assert not recalled(same, deny=frozenset({"TVS0601"}))
    assert not recalled(same, recall=False)

    part = site.parent / "services" / "000.tvs"
    text = part.read_text(encoding="utf-8")
    part.write_text(text + "# a remark\n", encoding="utf-8")
    assert not recalled(same)
    part.write_text(text, encoding="utf-8")
    assert recalled(same)

    more = site.parent / "services" / "zzz.tvs"
    more.write_text("# a file that the pattern of an include finds\n", encoding="utf-8")
    assert not recalled(same)
    more.unlink()
    part.rename(more)
    assert not recalled(same)


@pytest.mark.slow
def test_damage_is_seen_though_the_input_is_known(made: Built) -> None:
    (made.out / "nodes/lb-a3/pools.c").unlink()
    before = made.generations()
    run = made.compile()
    assert not run.unchanged and not run.recalled
    assert (made.out / "nodes/lb-a3/pools.c").is_file()
    assert made.generations() == before
    assert made.compile().recalled


@pytest.mark.slow
def test_a_site_with_warnings_is_read_again(made: Built) -> None:
    """A warning is said every time."""
    part = made.site.parent / "services" / "000.tvs"
    unused = "pool nobody {\n    server 10.9.9.9:80\n}\n"
    part.write_text(part.read_text(encoding="utf-8") + unused, encoding="utf-8")
    assert made.compile().diagnostics
    again = made.compile()
    assert again.unchanged and not again.recalled and again.diagnostics


# Large sites

LIST_SERVERS = """\
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "tvs/generation.h"

int main(void)
{
    char path[4096] = "";
    void *handle = fgets(path, sizeof(path), stdin) ? dlopen(path, RTLD_NOW) : NULL;
    const struct tvs_generation *generation =
        handle ? dlsym(handle, TVS_GENERATION_SYMBOL) : NULL;

    if (generation == NULL)
        return 1;
    for (uint32_t i = 0; i < generation->n_pools; i++)
        for (uint32_t k = 0; k < generation->pools[i].n_backends; k++)
            printf("%s %u %u\\n", generation->pools[i].name,
                   generation->pools[i].backends[k].address,
                   generation->pools[i].backends[k].weight);
}
"""


@pytest.mark.slow
def test_servers_of_large_sites_are_in_several_sources(tmp_path: Path) -> None:
    """Every pool still has its own servers, and an edit compiles the source that it is in."""
    services = POOLS_PER_SOURCE + 20
    built = Built(write_site(tmp_path / "site", services, 2), tmp_path / "out")
    built.compile("lb-a1")
    before = built.objects()
    assert {"servers-000-lb-a1", "servers-001-lb-a1"} <= set(before)
    site, _, _ = load_site(built.site)
    assert site is not None
    wanted = [
        f"{pool.name} {int(server.address)} {server.weight}"
        for pool in site.pools
        for server in pool.servers
    ]
    generation = built.out / "nodes/lb-a1/generation.so"
    assert run_c(LIST_SERVERS, tmp_path, stdin=str(generation)).splitlines() == wanted

    assert apply_edit(WEIGHT, [max(tmp_path.glob("site/services/*.tvs"))])
    built.compile("lb-a1")
    anew = {name for name, when in built.objects().items() if when != before[name]}
    assert anew == {"servers-001-lb-a1", "node-lb-a1"}
