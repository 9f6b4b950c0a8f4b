"""Rename over every name of the examples: the same model but for the name, and back again."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tvsc.lower import load_site
from tvsc.lsp.analysis import Analysis, analyse, check_site
from tvsc.lsp.index import Target, Thing
from tvsc.lsp.overlay import file_key
from tvsc.lsp.proof import model_of
from tvsc.lsp.protocol import RefusedError
from tvsc.lsp.record import What
from tvsc.lsp.rename import Edit, all_edits, apply_edits, check_name, edits_in, prove, target_at
from tvsc.lsp.variables import Variable
from tvsc.model import Site

EXAMPLES = Path(__file__).parents[2] / "examples"
SITES = sorted(EXAMPLES.glob("*/site.tvs"))

SMALL = """language 1
let net = 10.20.0.0/24
let n = 3
let m = 2
site s { asn 64512  seed "s" }
nic card { driver tap }
cluster c {
    workers 2
    steering software
    sessions 100k per worker
    local-ips { short 172.16.0.0/22  long /24 per node  workers 4 each }
    fabric 192.0.2.1 { asn 64500 }
    for n in 1..2 { node "lb{n}" {
        router-id host(10.255.0.0/24, n)
        workers shared
        port fwd { vdev "net_tap0,iface=lb{n}"  nic card  address host(192.0.2.0/24, 10 + n)/24
            gateway 192.0.2.1 }
    } }
}
pool web { for i in 1..n { server host(net, i):80 } }
pool "web-2" like web { server host(net, 9):80 }
service web { vip 203.0.113.10  listen tcp 80 -> web  listen tcp 81 -> "web-{m}"
}
"""


def load(root: Path) -> Analysis:
    return analyse(check_site(root, {}), "utf-16")


def texts_of(analysis: Analysis) -> dict[str, str]:
    return {key: analysis.text(number) for key, number in analysis.numbers.items()}


def renameable(analysis: Analysis) -> Iterator[tuple[Target, int, int]]:
    """Every target with the place of its definition, less those that must be refused."""
    for target, occurrences in analysis.index.by_target.items():
        if any(one.made for one in occurrences) or not any(one.defines for one in occurrences):
            continue
        place = next(one for one in occurrences if one.defines).span
        yield target, place.file, place.start


def differences(one: object, other: object) -> Iterator[tuple[object, object]]:
    """The leaves in which two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key, value in one.items():
            yield from differences(value, other[key])
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for a, b in zip(one, other, strict=True):
            yield from differences(a, b)
    elif one != other:
        yield one, other


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.parent.name)
def test_every_name_of_an_example(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(site.parent, folder)
    root = folder / "site.tvs"
    analysis = load(root)
    texts = texts_of(analysis)
    model, problems, _ = load_site(root)
    assert model is not None
    before = json.loads(model.model_dump_json())
    count = 0
    for target, number, offset in renameable(analysis):
        found, _ = target_at(analysis, number, offset)
        assert found == target
        new = "renamed-to"
        check_name(target, new)
        edits = all_edits([analysis], analysis, target, new)
        after = apply_edits(texts, edits)
        prove(analysis, {}, after, target, new)
        for key, text in after.items():
            Path(key).write_text(text, encoding="utf-8")
        renamed, found_problems, _ = load_site(root)
        assert renamed is not None
        assert [d.code for d in found_problems] == [d.code for d in problems]
        leaves = set(differences(before, json.loads(renamed.model_dump_json())))
        expected = set() if isinstance(target, Variable) else {(target.name, new)}
        assert leaves <= expected
        if isinstance(target, Thing):
            assert leaves == expected
        # And back: the very text there was.
        again = load(root)
        back = next(t for t in again.index.by_target if type(t) is type(target) and t.name == new)
        undone = apply_edits(texts_of(again), edits_in(again, back, target.name))
        for key, text in undone.items():
            assert text == texts[key]
            Path(key).write_text(texts[key], encoding="utf-8")
        count += 1
    assert count >= 12


def small(tmp_path: Path, text: str = SMALL) -> Analysis:
    root = tmp_path / "site.tvs"
    root.write_text(text, encoding="utf-8")
    analysis = load(root)
    assert analysis.checked.site is not None, analysis.checked.diagnostics
    return analysis


def rename(analysis: Analysis, marker: str, inside: int, new: str) -> str:
    """The text of the site file after a rename, proved."""
    text = analysis.text(0)
    assert text.count(marker) == 1
    target, _ = target_at(analysis, 0, text.index(marker) + inside)
    check_name(target, new)
    edits = all_edits([analysis], analysis, target, new)
    after = apply_edits(texts_of(analysis), edits)
    prove(analysis, {}, after, target, new)
    return after[analysis.keys[0]]


def test_interpolations_and_shadows(tmp_path: Path) -> None:
    """The `n` of the loop is another than that of the site."""
    analysis = small(tmp_path)
    text = rename(analysis, 'node "lb{n}"', 9, "number")
    expected = SMALL.replace("for n in", "for number in").replace("lb{n}", "lb{number}")
    expected = expected.replace("24, n)", "24, number)").replace("10 + n", "10 + number")
    assert text == expected
    text = rename(analysis, "1..n", 3, "count")
    assert text == SMALL.replace("let n = 3", "let count = 3").replace("1..n", "1..count")
    text = rename(analysis, "web-{m}", 5, "suffix")
    assert text == SMALL.replace("let m", "let suffix").replace("{m}", "{suffix}")


def test_a_service_and_a_pool_of_one_name(tmp_path: Path) -> None:
    analysis = small(tmp_path)
    text = rename(analysis, "service web", 8, "shop")
    assert text == SMALL.replace("service web", "service shop")
    text = rename(analysis, "pool web {", 5, "shop")
    assert text == (
        SMALL.replace("pool web {", "pool shop {")
        .replace("like web", "like shop")
        .replace("80 -> web", "80 -> shop")
    )


def test_quotes_where_a_name_needs_them(tmp_path: Path) -> None:
    analysis = small(tmp_path)
    text = rename(analysis, "nic card {", 4, "card.1")
    assert text == SMALL.replace("nic card", 'nic "card.1"')
    text = rename(analysis, "pool web {", 5, "for")
    assert 'pool "for" {' in text and 'like "for" {' in text and '-> "for"' in text


REFUSED = [
    ("let net", 4, "n", "there is a variable `n` already (site.tvs:3)"),
    ("let net", 4, "i", "there is a variable `i` already (site.tvs:20)"),
    ("let net", 4, "in", "`in` is a keyword of the language"),
    ("let net", 4, "host", "`host` is a function of the language"),
    ("let net", 4, "a b", "`a b` is no name of a variable"),
    ("let net", 4, "", "`` is no name of a variable"),
    ("let net", 0, "x", "there is no name here"),
    ("pool web {", 5, "web-2", "there is a pool `web-2` already (site.tvs:21)"),
    ("pool web {", 5, "-x", "`-x` is no name"),
    ("pool web {", 5, 'a"b', '`a"b` is no name'),
    ("pool web {", 5, "x" * 65, "is no name: it has 1 to 64"),
    ('"web-2" like', 2, "x", "`web-2` is also named by a text with variables (site.tvs:22)"),
    ('node "lb{n}"', 6, "x", "this name is made of variables"),
    ("nic card {", 4, "ixgbe", "`ixgbe` is the NIC profile of a driver"),
    ("driver tap", 8, "x", "there is no name here"),
]


@pytest.mark.parametrize(("marker", "inside", "new", "message"), REFUSED)
def test_refused(tmp_path: Path, marker: str, inside: int, new: str, message: str) -> None:
    analysis = small(tmp_path)
    with pytest.raises(RefusedError) as refused:
        rename(analysis, marker, inside, new)
    assert message in refused.value.message


def test_a_profile_that_comes_with_tvsc(tmp_path: Path) -> None:
    analysis = small(tmp_path, SMALL.replace("nic card  address", "nic tap  address"))
    with pytest.raises(RefusedError, match="comes with tvsc"):
        rename(analysis, "nic tap", 4, "x")


def test_every_sort_of_thing_is_renamed_in_the_model(tmp_path: Path) -> None:
    """The proof knows where each sort of name is in the model: an unknown place would refuse."""
    analysis = small(tmp_path)
    seen = set()
    for target, _, _ in renameable(analysis):
        if isinstance(target, Thing) and target.name != "web-2":
            edits = all_edits([analysis], analysis, target, "other")
            after = apply_edits(texts_of(analysis), edits)
            prove(analysis, {}, after, target, "other")
            seen.add(target.what)
    assert seen == set(What) - {What.NODE}  # the names of its nodes are made of variables


# --- the proof can fail ---------------------------------------------------------------------------


def test_an_edit_that_is_left_out_is_noticed(tmp_path: Path) -> None:
    analysis = small(tmp_path)
    refusals = 0
    for target, _, _ in renameable(analysis):
        if isinstance(target, Thing) and target.name == "web-2":
            continue
        edits = all_edits([analysis], analysis, target, "other")
        for left_out in edits if len(edits) > 1 else ():
            after = apply_edits(texts_of(analysis), [e for e in edits if e != left_out])
            if left_out.start == edits[0].start and isinstance(target, Thing):
                after = apply_edits(texts_of(analysis), edits[1:])
            with pytest.raises(RefusedError, match="would"):
                prove(analysis, {}, after, target, "other")
            refusals += 1
    assert refusals > 15


def test_another_value_is_noticed(tmp_path: Path) -> None:
    analysis = small(tmp_path)
    key = file_key(analysis.checked.root)
    text = SMALL.replace("pool web {", "pool shop {").replace("like web", "like shop")
    text = text.replace("80 -> web", "80 -> shop").replace("let n = 3", "let n = 2")
    target = Thing(What.POOL, "web")
    with pytest.raises(RefusedError, match="would change what site"):
        prove(analysis, {}, {key: text}, target, "shop")


def test_every_field_of_a_site_is_compared() -> None:
    """One more field of the model needs its place in the proof."""
    assert set(Site.model_fields) == {
        *("at", "name", "asn", "seed", "nics", "pools", "services", "clusters", "origins"),
    }


def test_broken_site_is_not_renamed(tmp_path: Path) -> None:
    analysis = small(tmp_path)
    (tmp_path / "site.tvs").write_text(SMALL + "pool { }\n", encoding="utf-8")
    broken = load(tmp_path / "site.tvs")
    with pytest.raises(RefusedError, match="has errors"):
        prove(broken, {}, {}, Thing(What.POOL, "web"), "shop")
    with pytest.raises(RefusedError, match="would break"):
        prove(analysis, {}, {}, Thing(What.POOL, "web"), "shop")


def test_two_sites_that_share_a_file(tmp_path: Path) -> None:
    """A pool in a shared file is renamed in both sites, with what names it in each."""
    (tmp_path / "shared.tvs").write_text("pool common { server 10.0.0.1:80 }\n", encoding="utf-8")
    users = 'include "shared.tvs"\nservice c { vip 203.0.113.77  listen tcp 80 -> common }\n'
    analyses = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.tvs"
        path.write_text(SMALL + users, encoding="utf-8")
        analyses.append(load(path))
    target = Thing(What.POOL, "common")
    edits = all_edits(analyses, analyses[0], target, "every")
    assert len(edits) == 3
    assert {Path(edit.key).name for edit in edits} == {"one.tvs", "two.tvs", "shared.tvs"}
    texts = texts_of(analyses[0]) | texts_of(analyses[1])
    after = apply_edits(texts, edits)
    for analysis in analyses:
        prove(analysis, {}, after, target, "every")
        assert model_of(analysis.checked.root, after)[0] is not None


def test_edits_of_one_file_are_applied_from_its_end() -> None:
    edits = [Edit("a", 0, 1, "xyz"), Edit("a", 2, 3, "")]
    assert apply_edits({"a": "123", "b": "untouched"}, edits) == {"a": "xyz2"}
