"""Loops are counted before they run: what is too much costs nothing, and what is counted is what
runs.
"""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tvsc.diag import Diagnostic
from tvsc.dsl import limits
from tvsc.dsl.ast import File, Program, Statement
from tvsc.dsl.parser import parse_part
from tvsc.lower import Reading, load_site
from tvsc.lower.decode import _Decoder
from tvsc.lower.evaluate import Env
from tvsc.lower.fields import Fields
from tvsc.lower.schema import KINDS
from tvsc.lower.tally import STATEMENTS
from tvsc.lower.watch import Watch
from tvsc.source import Span

HEAD = 'language 1\nsite s { asn 1  seed "x" }\n'

# What is refused, and the words that say of what it is too much.
REFUSED: dict[str, tuple[str, str]] = {
    "rounds": ("for i in 1..250001 { }", "250,000 statements"),
    "product": ("for i in 1..501 { for j in 1..500 { } }", "250,000 statements"),
    "last of three": (
        "for i in 1..90 { for j in 1..90 { for k in 1..90 { } } }",
        "250,000 statements",
    ),
    "variable": ("let n = 600\nfor i in 1..n { for j in n..2 * n { } }", "250,000 statements"),
    "in a block": ("pool p { for i in 1..251000 { } }", "250,000 statements"),
    "pools": ('for i in 1..16385 { pool "p{i}" { } }', "16,384 `pool`"),
    "services": ('for i in 1..32769 { service "s{i}" { vip 10.0.0.1 } }', "32,768 `service`"),
    "servers": ("pool p { for i in 1..131073 { server 10.0.0.0 + i:80 } }", "131,072 `server`"),
    "nodes": ('cluster a { for i in 1..4097 { node "n{i}" { } } }', "4,096 `node`"),
    "others": ("for i in 1..65537 { language 1 }", "65,536 `language`"),
    "words": (f"for i in 1..30000 {{ let a = {'+'.join('1' * 60)} }}", "1,500,000 words"),
    "lists": (
        f"for i in 1..20000 {{ allow {', '.join(['10.0.0.0'] * 20)} }}",
        "1,500,000 words",
    ),
    "text": (f'for i in 1..30000 {{ let a = "{"x" * 4000}{{i}}" }}', "1,500,000 words"),
}


class Work:
    """What loops ran, and what the decoder had counted before."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ran = 0
        self.counted = 0
        plain = _Decoder.body

        def body(decoder: _Decoder, out: Fields, body: tuple[Statement, ...], env: Env) -> None:
            if decoder.loops:
                self.ran += max(1, len(body))
            plain(decoder, out, body, env)
            self.counted = decoder.counts.looped[STATEMENTS]

        patch.setattr(_Decoder, "body", body)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def said(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "site.tvs"
    path.write_text(HEAD + text + "\n")
    _, found, _ = load_site(path, Reading.nothing_apart())
    return [f"{d.code.id}: {d.message}" for d in found]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_it_runs(name: str, tmp_path: Path, work: Work) -> None:
    text, words = REFUSED[name]
    (message,) = said(tmp_path, text)
    assert message.startswith("TVS0115: the loops of this site come to more than ")
    assert words in message
    assert work.ran == 0


def test_refused_as_soon_as_it_is_known(tmp_path: Path, work: Work) -> None:
    """The inner range depends on the outer loop: each is counted when it is reached."""
    text = 'for i in 1..60000 { for j in 1..i { pool "p{i}-{j}" { } } }'
    (message,) = said(tmp_path, text)
    assert "16,384 `pool`" in message
    assert work.ran < 3 * 16_384


def test_loops_are_counted_together(tmp_path: Path, work: Work) -> None:
    """And what is refused does not count: the third has room."""
    loop = 'for i in {} {{ pool "p{{i}}" {{ }} }}\n'
    text = "".join(map(loop.format, ("1..10000", "10001..20000", "20001..26000")))
    messages = [m for m in said(tmp_path, text) if "TVS0115" in m]
    assert len(messages) == 1
    assert work.ran == 2 * 16_000


def test_what_loops_include_counts(tmp_path: Path, work: Work) -> None:
    (tmp_path / "more.tvs").write_text("for j in 1..1000 { for k in 1..100 { } }\n")
    messages = said(tmp_path, 'for i in 1..1000 { include "more.tvs" }')
    assert "250,000 statements" in messages[0]
    assert work.ran < 250_000


def test_a_large_site_in_one_loop_has_room(tmp_path: Path) -> None:
    """Ten thousand services with ten servers each, in four lines."""
    text = (
        "for i in 1..10000 {\n"
        '    pool "p{i}" { for n in 1..10 { server host(10.0.0.0/8, i * 64 + n):8080 weight 5 } }\n'
        '    service "s{i}" { vip host(11.0.0.0/16, i)  listen tcp 80 -> "p{i}" }\n'
        "}"
    )
    assert said(tmp_path, text) == ["TVS0103: site `s` has no `cluster`"]


RANGES = st.sampled_from(["1..3", "2..2", "1..n", "n..2 * n", "1..i", "i..i + 1", "1..j", "k..9"])


def _loops(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["let k = 4", "let a = i", "schedule rr", 'include "more.tvs"', ""])
    if depth == 0:
        return leaf
    inner = st.lists(_loops(depth - 1), max_size=3).map("\n".join)
    loop = st.tuples(st.sampled_from("ijk"), RANGES, inner)
    return st.one_of(leaf, loop.map(lambda t: f"for {t[0]} in {t[1]} {{\n{t[2]}\n}}"))


@given(body=st.lists(_loops(3), min_size=1, max_size=3).map("\n".join))
@settings(max_examples=150, deadline=None)
def test_counted_is_what_runs(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    """The count before equals that of the run, for loops without a mistake."""
    directory = tmp_path_factory.mktemp("loops")
    (directory / "more.tvs").write_text("for m in 1..2 { let z = m }\n")
    with pytest.MonkeyPatch.context() as patch:
        work = Work(patch)
        messages = said(directory, f"let n = 2\nlet k = 7\nfor i in 1..2 {{\n{body}\n}}")
    if any(not m.startswith("TVS0103: site") for m in messages):
        return
    assert work.counted == work.ran


ADDRESSES = st.sampled_from(
    [
        *("10.0.0.0 + i", "10.0.0.0 + j * 7 - i", "host(net, i)", "host(net, i * 50 + j)", "here"),
        *("host(odd, i)", "host(subnet(net, 28, i), j)", "host(six, i)", "2001:db8::1 + i"),
        *("10.0.0.9 - i", "0.0.0.2 - i", "255.255.255.253 + i", "net", "i", "host(net, k)"),
        *("10.1.0.1", "10.0.0.0 + nobody", "host(net, 3 / i)", "base + i * j"),
    ]
)
PORTS = st.sampled_from(["80", "80 + i", "65534 + i", "i - 1", "web", "80 / i", "5s", "j * 3"])
WEIGHTS = st.sampled_from(
    ["", " weight 5", " weight i", " weight 998 + i", " weight i * j - 4  drain", " drain"]
)
MORE = st.sampled_from(["", "", "  server 10.9.0.0 + i:80", "\nlet k = i", "  bogus", "\n# more"])
LETS = (
    "let net = 10.2.0.0/24\nlet odd = 10.3.0.1/24\nlet six = 2001:db8:1::/64\n"
    "let base = 10.4.0.0\nlet here = 10.5.0.1\nlet web = 81\n"
)


@st.composite
def _servers(draw: st.DrawFn) -> str:
    lines = [
        f"server {draw(ADDRESSES)}:{draw(PORTS)}{draw(WEIGHTS)}{draw(MORE)}"
        for _ in range(draw(st.integers(1, 2)))
    ]
    body = "\n".join(lines)
    inner = f"for j in {draw(st.sampled_from(['1..4', 'i..i + 2', 'i..4']))} {{\n{body}\n}}"
    return f"for i in 1..4 {{\n{draw(st.sampled_from([inner, body.replace('j', 'i')]))}\n}}"


def mostly(good: list[str], other: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One in twelve is of the others: a mistake in the first round ends the loop."""
    return st.integers(0, 11).flatmap(lambda n: other if n == 7 else st.sampled_from(good))


# `k` is 1, 0, -1 in the rounds: what has it at its beginning is no name in the last.
NAMES = mostly(
    ['"s{i}-{j}"', '"s{i:03}-{j}"', '"{i}-{j}"', '"s{i}-{k}-{j}"', '"{here}-{i}{j}"'],
    st.sampled_from(['"s{i}"', "s", '"s{nobody}"', '"-{i}"', '"{k}-{i}{j}"', '"s{i}" like "s1"']),
)
POOLS = mostly(
    ["web", '"p{i}"', '"p{i:02}"', '"p{j}-{i}"', '"{word}"', "i"],
    st.sampled_from(['"{net}"', '"{k}"', '"{nobody}"']),
)
VIPS = mostly(
    ["10.0.0.0 + i", "10.0.0.0 + j * 7 - i", "host(net, i * 50 + j)", "here", "base + i * j"],
    ADDRESSES,
)
LISTENS = mostly(["80", "8080 + i", "web", "j * 3"], PORTS)
SETTINGS = mostly(
    [
        *("mode fullnat", "mode tunnel", "client-address toa", "sorry web", 'sorry "p{i}"'),
        *("min-up 1", "min-up i", "timeouts { syn 5s }", "timeouts { udp 1s * i }"),
        *("limits { connections 5 }", "limits { allow 10.0.0.0 + i }", "load { sessions i }"),
    ],
    st.sampled_from(
        ["min-up k", "timeouts { syn 1s * k }", "limits { connections k }", "load { }"]
    ),
)


@st.composite
def _services(draw: st.DrawFn) -> str:
    """A loop of services; two rounds may say the same, or something wrong."""

    def service() -> str:
        vips = ", ".join(draw(st.lists(VIPS, min_size=1, max_size=3)))
        lines = [f"vip {vips}"]
        protocols = draw(st.sampled_from([[], ["tcp"], ["udp"], ["tcp", "udp"], ["i"]]))
        lines += [f"listen {each} {draw(LISTENS)} -> {draw(POOLS)}" for each in protocols]
        lines += draw(st.lists(SETTINGS, max_size=1))
        return f"service {draw(NAMES)} {{ {draw(st.sampled_from(['  ', chr(10)])).join(lines)} }}"

    body = "\n".join(["let k = 2 - i", *(service() for _ in range(draw(st.integers(1, 2))))])
    inner = f"for j in {draw(st.sampled_from(['1..3', 'i..i + 1', 'i..3']))} {{\n{body}\n}}"
    return f"for i in 1..3 {{\n{draw(st.sampled_from([inner, body.replace('j', 'i')]))}\n}}"


def _read_anew(patch: pytest.MonkeyPatch) -> None:
    """Every round reads its lines as the first does."""
    decode = vars(sys.modules[_Decoder.__module__])
    patch.setitem(decode, "server_lines", lambda *_: None)
    patch.setitem(decode, "again_of", lambda *_: None)


@given(bodies=st.lists(_services(), min_size=1, max_size=2))
@settings(max_examples=300, deadline=None)
def test_a_service_read_again_says_what_it_says(bodies: list[str]) -> None:
    """Settings, their places and messages, as if each round were the first."""
    text = LETS + 'let word = "w"\n' + "\n".join(bodies)

    def read() -> object:
        said: list[Diagnostic] = []
        body = parse_part(0, text, said.append, 0, len(text))
        decoder = _Decoder(Program(File(0, ()), {}), said.append)
        found = top()
        decoder.body(found, body, Env())
        return found, said, decoder.counts

    usual = read()
    with pytest.MonkeyPatch.context() as patch:
        _read_anew(patch)
        assert read() == usual


@given(bodies=st.lists(_servers(), min_size=1, max_size=2), watched=st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_line_read_again_says_what_it_says(bodies: list[str], watched: bool) -> None:
    """Servers, their places, messages and what a record keeps, as if each round were the first."""
    text = "\n".join(f"pool p{n} {{\n{body}\n}}" for n, body in enumerate(bodies))
    if not watched:
        text = LETS + text

    def read() -> object:
        said: list[Diagnostic] = []
        body = parse_part(0, text, said.append, 0, len(text))
        lets: list[Diagnostic] = []
        known = Env()
        decoder = _Decoder(Program(File(0, ()), {}), said.append)
        if watched:
            lines = parse_part(0, LETS, lets.append, 0, len(LETS))
            _Decoder(Program(File(0, ()), {}), said.append).body(top(), lines, known)
            decoder.watch = Watch(known.values)
            known = decoder.watch.env
        found = top()
        decoder.body(found, body, known)
        watch = decoder.watch
        kept = None if watch is None or said else (list(watch.fixed), list(watch.free))
        return found, said, kept, decoder.counts

    usual = read()
    with pytest.MonkeyPatch.context() as patch:
        _read_anew(patch)
        assert read() == usual


def top() -> Fields:
    """Of a file, still empty."""
    return Fields(KINDS["file"], Span(0, 0, 0))


def test_limits_have_room_for_the_dataplane() -> None:
    """Nobody meets the limit of loops before that of a node."""
    from tvsc.checks import capacity

    assert limits.LOOP_SERVERS == capacity.MAX_BACKENDS
    assert limits.LOOP_SERVICES == capacity.MAX_SERVICES
    assert limits.LOOP_POOLS == capacity.MAX_POOLS
