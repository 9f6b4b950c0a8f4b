"""User text in generated files: whatever it is, it stays where it was put."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compile.probe import run_c
from tests.compile.sites import make_cluster, make_pool, make_site, make_sources, with_origins
from tvsc.build.bird import check_bird
from tvsc.build.toolchain import find_bird
from tvsc.codegen import C_FILES, escape, render_etc, render_node
from tvsc.model import HttpCheck, Site, StatusRange
from tvsc.plan import NodePlan, plan_site
from tvsc.resources import runtime_dir

ROOT = Path(__file__).parents[2]

HOSTILE = [
    '"; system("true"); //',
    "*/ int x; /*",
    "a\nb\r\nc\td",
    "??/??=??'??(",
    "\\",
    'ends in \\"\\',
    "%n %s $HOME `id` $(id)",
    "\u202e right to left \u2066",
    "zero\x01\x7f\x1b[31m",
    "ünïcode 名前 🎈",
    "'; rm -rf /; '",
    "x" * 300,
    "/*/*/**/*/",
    "{{ 1 }} {% raw %} {# c #}",
    "]; } protocol static { route 0.0.0.0/0 blackhole; }",
    "\x85line\u2028separator",
    "",
]


def hostile_site(text: str) -> Site:
    """Every name and text of a site is `text`."""
    site = make_site()
    check = HttpCheck(
        every_ms=2000,
        timeout_ms=1000,
        rise=2,
        fall=3,
        path=f"/{text}",
        expect=(StatusRange(first=200, last=299),),
        host=text,
    )
    cluster = make_cluster(name=text, nodes=(text, f"{text}2"))
    nodes = tuple(
        node.model_copy(update={"ports": (node.ports[0].model_copy(update={"name": text}),)})
        for node in cluster.nodes
    )
    service = site.services[0].model_copy(update={"name": text})
    return site.model_copy(
        update={
            "name": text,
            "clusters": (cluster.model_copy(update={"nodes": nodes}),),
            "pools": (make_pool(check=check), *site.pools[1:]),
            "services": (service, site.services[1]),
        }
    )


def hostile_plan(text: str) -> NodePlan:
    return plan_site(with_origins(hostile_site(text)), make_sources(f"{text}.tvs")).nodes[0]


def c_value(literal: str) -> bytes:
    """What a C compiler makes of (adjacent) string literals."""
    out = bytearray()
    for body in re.findall(r'"((?:[^"\\]|\\.)*)"', literal):
        for octal, simple, plain in re.findall(r"\\([0-7]{3})|\\(.)|([^\\])", body):
            if octal:
                out.append(int(octal, 8))
            elif simple:
                out += {"n": b"\n", "t": b"\t", "r": b"\r"}.get(simple, simple.encode())
            else:
                out += plain.encode()
    return bytes(out)


@given(st.text(max_size=250), st.integers(0, 60), st.sampled_from([4, 8, 16]))
def test_c_string_keeps_the_text(text: str, before: int, indent: int) -> None:
    literal = escape.c_string(text, before, indent)
    assert c_value(literal) == text.encode()
    lines = literal.split("\n")
    assert before + len(lines[0]) < 100 or lines[0] == ""
    assert all(len(line) < 100 for line in lines)
    assert literal.isascii()


def test_c_string_means_the_same_to_a_compiler(tmp_path: Path) -> None:
    texts = [text for text in HOSTILE if "\0" not in text]
    rows = "\n".join(f"    {escape.c_string(text, 4, 4)}," for text in texts)
    source = f"""#include <stdio.h>
static const char *const texts[] = {{
{rows}
}};
int main(void)
{{
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {{
        for (const char *c = texts[i]; *c; c++)
            printf("%02x", (unsigned char)*c);
        printf("\\n");
    }}
}}
"""
    lines = run_c(source, tmp_path).splitlines()
    assert [bytes.fromhex(line) for line in lines] == [text.encode() for text in texts]


@given(st.text(max_size=400))
def test_c_comment_cannot_end_early(text: str) -> None:
    comment = escape.c_comment(text)
    assert "*/" not in comment and "/*" not in comment and "\n" not in comment
    assert "??" not in comment and not comment.endswith("\\") and comment.isascii()
    block = escape.c_block(text, 4)
    assert block.count("*/") == 1 and block.endswith("*/") and block.count("/*") == 1


@given(st.text(max_size=80))
def test_one_line_stays_one_line(text: str) -> None:
    for function in (escape.hash_comment, escape.bird_string, escape.systemd_value):
        out = function(text)
        assert out.isprintable() and out.isascii()
    assert escape.bird_string(text).count('"') == 2
    assert re.fullmatch(r"tvs_[A-Za-z0-9_]*", escape.bird_symbol(text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
def test_shell_word_is_one_word(text: str) -> None:
    command = f"printf %s {escape.shell_word(text)}"
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True)
    assert result.stdout == text.encode()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_generated_c_is_what_clang_format_would_write(text: str, tmp_path: Path) -> None:
    rendered = render_node(hostile_plan(text))
    for name in C_FILES:
        (tmp_path / name).write_text(rendered[name], encoding="utf-8")
        assert rendered[name].isascii()
    command = ["clang-format", f"--style=file:{ROOT}/.clang-format", "--dry-run", "--Werror"]
    result = subprocess.run(
        [*command, *C_FILES], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_generated_c_compiles(text: str, compiler: str, tmp_path: Path) -> None:
    rendered = render_node(hostile_plan(text))
    for name in C_FILES:
        (tmp_path / name).write_text(rendered[name], encoding="utf-8")
    runtime = runtime_dir()
    command = [compiler, "-std=c11", "-trigraphs", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    command += ["-D_GNU_SOURCE", "-march=x86-64-v2", f"-I{runtime / 'include'}", f"-I{runtime}"]
    result = subprocess.run(
        [*command, *(n for n in C_FILES if n.endswith(".c"))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_bird_reads_hostile_names(text: str, tmp_path: Path) -> None:
    check_bird(find_bird(), hostile_plan(text), tmp_path)


def settings_of(unit: str) -> list[str]:
    """The keys of a unit file; a line that is neither comment nor setting fails."""
    found = []
    for line in unit.splitlines():
        if line and line[0] not in "#[":
            match = re.match(r"[A-Za-z]+=", line)
            assert match, line
            found.append(match[0])
    return found


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_units_have_the_settings_of_a_harmless_site(text: str) -> None:
    harmless, hostile = (render_etc(hostile_plan(t)) for t in ("harmless", text))
    for name in ("tvsd.service", "tvs-bird.service"):
        assert settings_of(hostile[name]) == settings_of(harmless[name])


@pytest.mark.parametrize("name", ["tvsd.service", "tvs-bird.service"])
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    """As far as systemd can judge here: the programs are not installed."""
    unit = tmp_path / name
    unit.write_text(render_etc(hostile_plan("plain"))[name], encoding="utf-8")
    result = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    complaints = [
        line
        for line in (result.stdout + result.stderr).splitlines()
        if name in line and "not executable" not in line
    ]
    assert complaints == []
