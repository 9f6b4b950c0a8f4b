"""Whatever the input, the front answers with a site or with diagnostics, and renders them: in CPU
time and memory that are bounded by the input's size.
"""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.front.bounds import TooMuchWorkError, bounded
from tvsc.diag import has_errors, render_github, render_json, render_sarif, render_text
from tvsc.dsl.format import format_text
from tvsc.lower import load_site
from tvsc.lower.schema import KINDS

ROOT = Path(__file__).parents[2]
LAPTOP = (ROOT / "examples" / "laptop" / "site.tvs").read_text()
LANGUAGE = (ROOT / "tests" / "diagnostics" / "language" / "site.tvs").read_text()
SMALL = """language 1
site s { asn 64512  seed "s" }
cluster A {
    workers 2  steering software  sessions 16k per worker  idle interrupt
    local-ips { short 172.16.0.0/23  long /24 per node  workers 4 each }
    fabric 192.0.2.1 { asn 64500 }
    node a1 {
        router-id 10.255.0.1  workers shared
        port fwd { vdev "net_tap0"  nic tap  address 192.0.2.11/24  gateway 192.0.2.1 }
    }
}
pool web { servers from "list.csv" }
service web {
    vip 203.0.113.10  listen tcp 80 -> web
    limits { deny from "list.txt" }
}
"""

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
    "\r",
    "\r\n",
    "\u202e",
    "\u2028",
    "\ufeff",
    "1e999999",
    "9" * 22,
    '"{n:999999999}"',
    "a" * 300,
    "for n in 1..999999999 {",
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
    with bounded(sum(file.stat().st_size for file in path.parent.iterdir())):
        site, diagnostics, sources = load_site(path)
        text = render_text(diagnostics, sources, colour=True)
        logs = render_json(diagnostics, sources), render_sarif(diagnostics, sources)
        lines = render_github(diagnostics, sources).splitlines()
    assert (site is None) == has_errors(diagnostics)
    assert text.count("[TVS") >= len(diagnostics)
    assert len(json.loads(logs[0])["diagnostics"]) == len(diagnostics)
    assert len(json.loads(logs[1])["runs"][0]["results"]) == len(diagnostics) == len(lines)
    assert all(c.isprintable() or c in "\n\x1b" for c in text)
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


@pytest.mark.parametrize("example", [LAPTOP, LANGUAGE], ids=["laptop", "language"])
@given(data=st.data())
@relaxed
def test_mutated_example(tmp_path: Path, example: str, data: st.DataObject) -> None:
    """A sound site with pieces cut out, put in or replaced."""
    text = example
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        piece = data.draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=4), st.just("")))
        text = text[:start] + piece + text[end:]
    path = tmp_path / "site.tvs"
    path.write_text(text, encoding="utf-8", errors="replace")
    answers(path)


rows = st.lists(
    st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "80", "1", "", "::1", "a", "é", " "]))
)


@given(
    servers=st.one_of(st.binary(max_size=200), rows),
    sources=st.one_of(st.binary(max_size=200), rows),
    head=st.sampled_from([b"", b"\xef\xbb\xbf", b"address,port\n", b"# \n"]),
)
@relaxed
def test_lists(
    tmp_path: Path, servers: bytes | list[list[str]], sources: bytes | list[list[str]], head: bytes
) -> None:
    """Whatever the bytes of a list are."""
    for name, data in (("list.csv", servers), ("list.txt", sources)):
        lines = data if isinstance(data, bytes) else "\n".join(map(",".join, data)).encode()
        (tmp_path / name).write_bytes(head + lines)
    path = tmp_path / "site.tvs"
    path.write_text(SMALL)
    answers(path)


@given(data=st.binary(max_size=300), pattern=st.sampled_from(["*.tvs", "a.tvs", "**/*", "[a-"]))
@relaxed
def test_included_bytes(tmp_path: Path, data: bytes, pattern: str) -> None:
    """A file that includes itself, others and whatever they are."""
    (tmp_path / "a.tvs").write_bytes(data)
    path = tmp_path / "site.tvs"
    path.write_text(f'language 1\ninclude "{pattern}"\npool p {{ include "{pattern}" }}\n')
    answers(path)


@given(text=st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join)))
@relaxed
def test_formatter(text: str) -> None:
    """A text is formatted, or its errors are found."""
    found: list[object] = []
    with bounded(len(text)):
        formatted = format_text(text, found.append)
    assert (formatted is None) == bool(found)


def test_the_bounds_hold() -> None:
    with pytest.raises(TooMuchWorkError), bounded(0):
        while True:
            pass
    with pytest.raises(MemoryError), bounded(0):
        bytearray(3 << 30)


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
