"""The whole language in one site: all of it is read, laid out and resolved, and what the packet
path cannot do yet is one error each (TVS0901), at the line that asks for it.

`language/` has the site; a comment `not yet` marks those lines.
"""

import re
import shutil
from pathlib import Path

import pytest

from tvsc.diag import Diagnostic, codes, render_text
from tvsc.dsl import Loader, parse
from tvsc.dsl.format import format_text
from tvsc.lower import load_site, resolve
from tvsc.lower.schema import KINDS
from tvsc.model import Site
from tvsc.source import SourceMap

DOCUMENT = Path(__file__).parents[2] / "docs" / "language.md"
SITE = Path(__file__).parent / "language" / "site.tvs"
FILES = sorted(p for p in SITE.parent.rglob("*") if p.suffix in (".tvs", ".txt"))


def model(path: Path) -> Site:
    found: list[Diagnostic] = []
    sources = SourceMap()
    program = parse(path, sources, found.append)
    assert program is not None
    site = resolve(program, Loader(path, sources, found.append), found)
    assert site is not None, render_text(found, sources)
    return site


def test_what_is_not_yet() -> None:
    _, diagnostics, sources = load_site(SITE)
    assert {d.code for d in diagnostics} == {codes.UNSUPPORTED}
    places = [sources.label(d.span) for d in diagnostics]
    marked = [
        f"{file.relative_to(SITE.parent)}:{number}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if "# not yet" in line
    ]
    assert sorted(places) == sorted(marked)


def test_the_document_lists_it() -> None:
    """docs/language.md names every setting that this version cannot do."""
    section = DOCUMENT.read_text().partition("## What this version cannot do yet")[2]
    _, diagnostics, sources = load_site(SITE)
    listed = re.findall(r"`([^`]*)`", section)
    words = {word for item in listed for word in item.split()}
    for diagnostic in diagnostics:
        assert diagnostic.span is not None
        text = sources.files[diagnostic.span.file].text[diagnostic.span.start : diagnostic.span.end]
        keyword = text.split()[0]
        said = keyword in words or "IPv6" in diagnostic.message or "schedule" in diagnostic.message
        assert said or "standby" in diagnostic.message, text


def test_all_of_it_is_resolved() -> None:
    site = model(SITE)
    nodes = {node.name: node for node in site.nodes()}
    assert len(nodes) == 8
    assert [port.name for port in nodes["tvs-b3"].ports] == ["fwd", "back"]
    fwd = nodes["tvs-b3"].ports[0]
    assert (str(fwd.address), fwd.vlan, fwd.nic) == ("192.0.2.23/24", 20, "x520")
    assert site.cluster_by_name["B"].sync == site.cluster_by_name["A"].sync.model_copy(  # type: ignore[union-attr]
        update={"at": "cluster/B/sync"}
    )
    web = site.service_by_name["web"]
    assert [str(vip.address) for vip in web.vips] == ["203.0.113.10", "2001:db8::10"]
    assert web.timeouts.tcp_established_ms == 2 * 3_600_000
    assert web.limits is not None
    assert [rule.allow for rule in web.limits.access] == [True, False]
    assert len(site.pool_by_name["web"].servers) == 10
    assert [s.key for s in site.pool_by_name["games-6"].servers][-1] == "[2001:db8:1::1]:9000"


def test_every_block_is_in_it() -> None:
    """But `load`, which docs/capacity.md has."""
    words = {word for file in FILES for word in file.read_text().split()}
    assert set(KINDS) - words <= {"file", "load"}


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.name)
def test_layout_keeps_it(file: Path, tmp_path: Path) -> None:
    directory = tmp_path / "language"
    shutil.copytree(SITE.parent, directory)
    found: list[Diagnostic] = []
    text = file.read_text()
    formatted = format_text(text, found.append)
    assert formatted is not None
    assert formatted != text
    assert format_text(formatted, found.append) == formatted
    assert [line.partition("#")[2] for line in formatted.splitlines() if "#" in line] == [
        line.partition("#")[2] for line in text.splitlines() if "#" in line
    ]
    (directory / file.relative_to(SITE.parent)).write_text(formatted)
    assert found == []
    assert model(directory / "site.tvs") == model(SITE)
