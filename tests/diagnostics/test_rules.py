"""Every rule of the checker speaks up about some failing site, and about no sound one."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tvsc.checks import RULES, Rule, capacity
from tvsc.diag import CODES, Code, Diagnostic, Severity, codes, explain_page
from tvsc.dsl import Loader, parse
from tvsc.dsl.parser import parse_file
from tvsc.lower import load_site, resolve
from tvsc.model import Site
from tvsc.source import SourceMap

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.tvs"))
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*/site.*"))


def resolved(path: Path) -> Site | None:
    """The model of a site, whatever the rules say of it; None when there is none."""
    found: list[Diagnostic] = []
    program = parse(path, sources := SourceMap(), found.append)
    if program is None or found:
        return None
    return resolve(program, Loader(path, sources, found.append), found)


@cache
def spoken() -> Counter[Rule]:
    """How often each rule spoke about the failing sites."""
    sites = [site for site in map(resolved, CASES) if site is not None]
    assert len(sites) > 40
    return Counter(rule for site in sites for rule in RULES if any(rule(site)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_fails_somewhere(rule: Rule) -> None:
    assert rule.__doc__
    assert spoken()[rule] > 0


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_passes_sound_sites(rule: Rule, example: Path) -> None:
    site = sound(example)
    assert list(rule(site)) == []


@cache
def sound(example: Path) -> Site:
    site, diagnostics, _ = load_site(example)
    assert site is not None
    assert diagnostics == []
    return site


# Pages whose example is text that is no site: what is wrong with it is just that.
NOT_WELL_FORMED = re.compile(r"TVS0(00[1-7]|01\d|8\d\d)")

# Pages about other texts: flows, lists, generated rules.
OTHER_TEXTS = {"TVS0016", "TVS0118", "TVS0405", "TVS0406", "TVS0407"}


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.id)
def test_page(code: Code) -> None:
    """What a page shows is well formed, but for `...`, and its warnings say that they are some."""
    page = explain_page(code)
    assert ("This is a warning." in page) == (code.severity is Severity.WARNING)
    fix = page.partition("## Fix")[2]
    blocks = re.findall(
        r"```\n(.*?)```", fix if NOT_WELL_FORMED.match(code.id) else page, re.DOTALL
    )
    for block in () if code.id in OTHER_TEXTS else blocks:
        found: list[Diagnostic] = []
        parse_file(0, re.sub(r" *\.\.\.", "", block), found.append)
        assert [d.message for d in found] == [], block


def test_page_of_limits() -> None:
    """What the page says of a node's tables is what the rule holds against them."""
    numbers = {
        int(n.replace(",", ""))
        for n in re.findall(r"\d[\d,]*\d|\d", explain_page(codes.SITE_TOO_BIG))
    }
    limits = {value for name, value in vars(capacity).items() if name.startswith("MAX_")}
    assert limits - {capacity.MAX_SLOTS} <= numbers
