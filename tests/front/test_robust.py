"""Whatever the input, the front answers with a site or with diagnostics, and renders them."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tvsc.diag import has_errors, render_json, render_text
from tvsc.lower import load_site
from tvsc.lower.schema import KINDS

ROOT = Path(__file__).parents[2]
LAPTOP = (ROOT / "examples" / "laptop" / "site.tvs").read_text()

WORDS = sorted({word for kind in KINDS.values() for word in kind.settings})
KEYWORDS = "let for in include like per worker each node x from file env n weight drain tcp udp"
NUMBERS = "1 0 4 65535 1M 16k 300ms 2s 2GiB 200/s /24 1..4 2-9 host( subnet( min( max("
ADDRESSES = "10.0.0.1 10.0.0.0/8 10.0.0.1:80 2001:db8::1 [::1]:80 3b:00.0 02:00:00:00:00:01"
PUNCTUATION = "{ } ( ) , = -> .. + - * / :"
PIECES = [
    *WORDS,
    *KEYWORDS.split(),
    *NUMBERS.split(),
    *ADDRESSES.split(),
    *PUNCTUATION.split(),
    "\n",
    '"text"',
    '"a{n}"',
    '"{"',
    '"*.tvs"',
    "a",
    "b",
    "fdir",
    "tap",
    "wrr",
    "http",
    "é",
    ";",
    "\x00",
    "#",
]

relaxed = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def answers(path: Path) -> None:
    """Load the file; a site if and only if there is no error, every message with a real place."""
    site, diagnostics, sources = load_site(path)
    assert (site is None) == has_errors(diagnostics)
    text = render_text(diagnostics, sources, colour=True)
    assert text.count("[TVS") >= len(diagnostics)
    assert len(json.loads(render_json(diagnostics, sources))["diagnostics"]) == len(diagnostics)
    for diagnostic in diagnostics:
        for span in (diagnostic.span, *(note.span for note in diagnostic.notes)):
            if span is not None:
                assert 0 <= span.start <= span.end <= len(sources.files[span.file].text)


@given(data=st.binary(max_size=400))
@relaxed
def test_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "site.tvs"
    path.write_bytes(data)
    answers(path)


@given(words=st.lists(st.sampled_from(PIECES), max_size=60), glue=st.sampled_from([" ", ""]))
@relaxed
def test_token_soup(tmp_path: Path, words: list[str], glue: str) -> None:
    path = tmp_path / "site.tvs"
    path.write_text("language 1\n" + glue.join(words))
    answers(path)


@given(
    words=st.lists(st.sampled_from(PIECES), min_size=1, max_size=8),
    kind=st.sampled_from(sorted(KINDS)),
)
@relaxed
def test_soup_in_a_block(tmp_path: Path, words: list[str], kind: str) -> None:
    path = tmp_path / "site.tvs"
    header = {"file": "pool p", "defaults": "defaults", "site": "site s"}.get(kind, f"{kind} p")
    path.write_text(f"language 1\n{header} {{\n{' '.join(words)}\n}}\n")
    answers(path)


@given(data=st.data())
@relaxed
def test_mutated_example(tmp_path: Path, data: st.DataObject) -> None:
    """A sound site with a piece cut out, put in or replaced."""
    start = data.draw(st.integers(0, len(LAPTOP)))
    end = min(len(LAPTOP), start + data.draw(st.integers(0, 12)))
    piece = data.draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=4), st.just("")))
    path = tmp_path / "site.tvs"
    path.write_text(LAPTOP[:start] + piece + LAPTOP[end:], encoding="utf-8", errors="replace")
    answers(path)


@given(data=st.data())
@relaxed
def test_lines_in_another_order(tmp_path: Path, data: st.DataObject) -> None:
    """Whole lines of a sound site lost or doubled."""
    lines = LAPTOP.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at : at + 1] = [lines[at]] * data.draw(st.sampled_from([0, 2]))
    path = tmp_path / "site.tvs"
    path.write_text("\n".join(lines))
    answers(path)


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*/*.tvs")), ids=str)
def test_every_prefix_of_an_example(tmp_path: Path, example: Path) -> None:
    """A file cut anywhere (every 37th character)."""
    text = example.read_text()
    path = tmp_path / "site.tvs"
    for end in range(0, len(text), 37):
        path.write_text(text[:end])
        answers(path)
