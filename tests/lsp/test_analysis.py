"""The analysis of a site: the messages of `tvsc check`, from buffers and files, and all names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tvsc.diag import Diagnostic, render_text
from tvsc.dsl.ast import Line, Statement
from tvsc.dsl.parser import parse_file
from tvsc.lower import Reading, load_site
from tvsc.lower.schema import KINDS, Kind, Setting
from tvsc.lower.store import Store
from tvsc.lsp.analysis import AbandonedError, Analysis, analyse, check_site
from tvsc.lsp.index import Thing
from tvsc.lsp.overlay import file_key
from tvsc.lsp.record import NAMES, What, settings_of
from tvsc.lsp.variables import Variable

ROOT = Path(__file__).parents[2]
SITES = [
    *sorted((ROOT / "tests" / "diagnostics" / "cases").glob("*.tvs")),
    *sorted((ROOT / "examples").glob("*/site.tvs")),
]


def analysis(root: Path, texts: dict[Path, str] | None = None) -> Analysis:
    buffers = {file_key(path): text for path, text in (texts or {}).items()}
    return analyse(check_site(root, buffers), "utf-16")


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.stem)
def test_messages_are_those_of_check(site: Path) -> None:
    _, expected, sources = load_site(site)
    checked = check_site(site, {})
    assert render_text(checked.diagnostics, checked.sources) == render_text(expected, sources)
    assert analyse(checked, "utf-16").index.complete


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.stem)
def test_blocks_apart_change_nothing(site: Path, tmp_path: Path) -> None:
    """However a site is read, the messages and the names are the same."""
    whole = check_site(site, {}, reading=Reading.nothing_apart())
    for _ in range(2):  # the second time from the store
        apart = check_site(site, {}, reading=Reading(1, 0, Store(tmp_path)))
        assert render_text(apart.diagnostics, apart.sources) == (
            render_text(whole.diagnostics, whole.sources)
        )
        assert apart.parsed == whole.parsed
        one, other = analyse(whole, "utf-16").index, analyse(apart, "utf-16").index
        assert [o.span for o in one.occurrences] == [o.span for o in other.occurrences]


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.stem)
def test_messages_from_buffers(site: Path, tmp_path: Path) -> None:
    """The same texts, open in an editor, where the files on disk say something else."""
    _, expected, sources = load_site(site)
    texts = {
        file_key(tmp_path / file.name): file.text
        for file in sources.files
        if not file.name.startswith(("..", "/"))
    }
    if len(texts) != len(sources.files) or not texts:
        return  # it has files elsewhere, or cannot be read
    for path in texts:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("nonsense {", encoding="utf-8")
    for folder in site.parent.glob("*/"):
        for path_ in folder.glob("**/*"):
            copy = tmp_path / path_.relative_to(site.parent)
            if path_.is_file() and not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path_.read_bytes())
    checked = check_site(tmp_path / site.name, texts)
    found = render_text(checked.diagnostics, checked.sources)
    assert found.replace(f"{tmp_path}/", f"{site.parent}/") == render_text(expected, sources)


def test_new_file_that_is_not_saved(tmp_path: Path) -> None:
    site = tmp_path / "site.tvs"
    text = (ROOT / "examples" / "laptop" / "site.tvs").read_text(encoding="utf-8")
    texts = {site: text + 'include "more.tvs"\n', tmp_path / "more.tvs": "pool more { }\n"}
    found = analysis(site, texts)
    assert {d.code.id for d in found.checked.diagnostics} == {"TVS0201", "TVS0202"}
    assert found.keys == [file_key(site), file_key(tmp_path / "more.tvs")]


def test_other_files_cannot_be_shown(tmp_path: Path) -> None:
    """A buffer is not read where a file would not be: its name is not that of a site's file."""
    site = tmp_path / "site.tvs"
    texts = {site: 'language 1\ninclude "passwd"\n', tmp_path / "passwd": "root {\n"}
    (tmp_path / "passwd").write_text("root {\n")
    found = analysis(site, texts)
    assert [d.code.id for d in found.checked.diagnostics] == ["TVS0007"]


def test_given_up_between_stages(tmp_path: Path) -> None:
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks > 3:
            raise AbandonedError

    with pytest.raises(AbandonedError):
        check_site(ROOT / "examples" / "laptop" / "site.tvs", {}, tick)
    assert ticks == 4


# --- names ----------------------------------------------------------------------------------------


def by_name(found: Analysis) -> dict[str, list[str]]:
    """`what name` -> where it is, defined places first."""
    places: dict[str, list[str]] = {}
    for target, occurrences in found.index.by_target.items():
        what = "variable" if isinstance(target, Variable) else target.what.value
        label = found.checked.sources.label
        ordered = sorted(occurrences, key=lambda o: (not o.defines, o.span))
        places.setdefault(f"{what} {target.name}", []).extend(label(o.span) for o in ordered)
    return places


def test_names_of_an_example() -> None:
    found = analysis(ROOT / "examples" / "two-clusters" / "site.tvs")
    names = by_name(found)
    assert names["pool web"] == ["pools/web.tvs:3", "site.tvs:91"]
    assert names["pool dns"] == ["pools/dns.tvs:3", "site.tvs:105", "pools/dns.tvs:9"]
    assert names["nic x520"] == ["site.tvs:22", "site.tvs:34"]
    assert names["cluster A"] == ["site.tvs:41", "site.tvs:77"]
    assert names["port fwd"] == ["site.tvs:32", "site.tvs:72", "site.tvs:84"]
    assert names["node tvs-a3"] == ["site.tvs:70", "site.tvs:82"]
    assert names["variable servers"][0] == "site.tvs:12"
    assert set(names["variable servers"][1:]) == {
        "pools/apology.tvs:6",
        "pools/apology.tvs:7",
        "pools/dns.tvs:6",
        "pools/web.tvs:14",
        "pools/web.tvs:15",
        "pools/web.tvs:22",
        "pools/web.tvs:23",
    }


@pytest.mark.parametrize("site", SITES[-2:], ids=lambda p: p.parent.name)
def test_every_name_of_the_model_is_found(site: Path) -> None:
    """What the compiler made of the site has no name that the index lacks."""
    found = analysis(site)
    model = found.checked.site
    assert model is not None
    expected = {
        *(Thing(What.POOL, pool.name) for pool in model.pools),
        *(Thing(What.SERVICE, service.name) for service in model.services),
        *(Thing(What.CLUSTER, cluster.name) for cluster in model.clusters),
        *(Thing(What.NODE, node.name) for node in model.nodes()),
        *(Thing(What.NIC, nic.name) for nic in model.nics),
        *(Thing(What.PORT, port.name) for node in model.nodes() for port in node.ports),
        Thing(What.SITE, model.name),
    }
    things = {target for target in found.index.by_target if isinstance(target, Thing)}
    assert expected == things


def test_shadowed_variables(tmp_path: Path) -> None:
    """A name means the innermost variable before it, also in what is evaluated later."""
    site = tmp_path / "site.tvs"
    text = """language 1
let a = 1
let b = a + 1
pool p {
    let a = b + a
    for a in 1..a { server host(10.0.0.0/24, a):b }
    server host(10.0.1.0/24, a):b
}
"""
    places = {}
    for target, occurrences in analysis(site, {site: text}).index.by_target.items():
        if isinstance(target, Variable):
            line = text.count("\n", 0, target.span.start) + 1
            places[line] = sorted(text.count("\n", 0, o.span.start) + 1 for o in occurrences)
    assert places == {2: [2, 3, 5], 3: [3, 5, 6, 7], 5: [5, 6, 7], 6: [6, 6]}


def settings() -> Iterator[tuple[Kind, Setting]]:
    for kind in KINDS.values():
        for setting in kind.settings.values():
            yield kind, setting


@pytest.mark.parametrize(
    ("kind", "setting"), list(settings()), ids=lambda x: getattr(x, "keyword", "")
)
def test_every_name_that_a_setting_takes_is_known(kind: Kind, setting: Setting) -> None:
    """The table of names says what each name is that the vocabulary's usages have."""
    usage = setting.usage.split(" | ")[0].replace("{ ... }", "").replace("tcp|udp", "tcp")
    usage = usage.replace("[", "").replace("]", "")
    for word, value in (("PORT", "80"), ("N", "1"), ("ADDRESS", "192.0.2.1"), ("POOL", "NAME")):
        usage = " ".join(value if part == word else part for part in usage.split())
    found: list[Diagnostic] = []
    body: tuple[Statement, ...] = parse_file(0, usage + "\n", found.append).body
    expected = 0 if setting.keyword == "driver" else usage.split().count("NAME")
    line = body[0] if body else None
    taken = settings_of(kind, line.items) if isinstance(line, Line) else []
    names = len(taken[0].names) if taken else 0
    assert names == len(NAMES.get((kind.name, setting.keyword), ()))
    assert names == (expected if not setting.usage.split(" | ")[0].endswith('"NAME"') else 0)
