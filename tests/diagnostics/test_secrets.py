"""A secret that somebody pasted where its place is wanted is an error, and in no output of it."""

import json
from pathlib import Path

import pytest

from tvsc.diag import Diagnostic, render_github, render_json, render_sarif, render_text
from tvsc.diag.secrets import concealed
from tvsc.lower import load_site
from tvsc.lsp.analysis import check_site
from tvsc.lsp.diagnostics import Translator, Wishes
from tvsc.lsp.overlay import file_key
from tvsc.source import SourceMap

HEX = "0123456789abcdef0123456789abcdef"
LETTERS = "abcdef0123456789abcdef0123456789"
SECRETS = ("hunter2x", HEX, LETTERS, "9" * 32)

TEXTS = [
    'fabric 192.0.2.2 { asn 64500  password "hunter2x"  hold 9s }',
    'fabric 192.0.2.2 { asn 64500  password "hunter2x"  hold 1x }',
    'fabric 192.0.2.2 { password "hunter2x"  password "hunter2x" }',
    "fabric 192.0.2.2 { password hunter2x }",
    "fabric 192.0.2.2 { password hunt hunter2x }",
    "fabric 192.0.2.2 { password 5hunter2x }",
    "fabric 192.0.2.2 { password $1$hunter2x/zz }",
    "fabric 192.0.2.2 { password 'hunter2x' }",
    'fabric 192.0.2.2 { password "hunter2x',
    'fabric 192.0.2.2 { password = "hunter2x" }',
    'fabric 192.0.2.2 { password -> "hunter2x" }',
    'fabric 192.0.2.2 { password ("hunter2x") }',
    'fabric 192.0.2.2 { password "a", "hunter2x" }',
    'fabric 192.0.2.2 { password host("hunter2x", 1) }',
    'fabric 192.0.2.2 { password "hunter2x{3}" }',
    'fabric 192.0.2.2 { password "\\q hunter2x" }',
    'fabric 192.0.2.2 { password "hunter2x" + 5 }',
    'fabric 192.0.2.2 { password env "hunter2x!" }',
    "fabric 192.0.2.2 { password env hunter2x }",
    'fabric 192.0.2.2 { asn 1 }\n    let p = "hunter2x!"\n    fabric 192.0.2.3 { password env p }',
    'fabric 192.0.2.2 { password file "x" "hunter2x" }',
    'fabric 192.0.2.2 { passwrd "hunter2x" }',
    'fabric 192.0.2.2 { tcp-md5 "hunter2x" }',
    'fabric 192.0.2.2 { authentication "hunter2x" }',
    'sync { port 7000  keys "hunter2x" }',
    'fabric 192.0.2.2 { password\n        "hunter2x"\n    }',
    'sync { port 7000x  key "hunter2x" }',
    "sync { key fd00:hunter2x  port 7000 }",
    f"sync {{ port 7000  key {HEX} }}",
    f"sync {{ port 7000  key {LETTERS} }}",
    f'sync {{ port 7000  key "{HEX}" }}',
    f"sync {{ key {'9' * 32}  port 7000 }}",
]

PYTHON = [
    'Fabric(address="192.0.2.2", asn=1, password="hunter2x")',
    "Fabric(address='192.0.2.2', asn=1, password='hunter2x')",
    'Fabric(address="192.0.2.2", asn=1, password=b"hunter2x")',
    'Fabric(address="192.0.2.2", asn=1, password=f"hunter2x")',
    'Fabric(address="192.0.2.2", asn=1, password="""hunter2x""")',
    'Fabric(address="192.0.2.2", asn=1, password=(\n    "hunter2x"\n))',
    'Fabric(address="192.0.2.2", asn=1, password=[\n    "hunter2x"\n])',
    'Fabric(address="192.0.2.2", asn=1, **{"password": "hunter2x"})',
    'Fabric(address="192.0.2.2", asn=1, hold=5, password=Secret("hunter2x"))',
    'Fabric(address="192.0.2.2", asn=1, password=Secret(env="hunter2x!"))',
    'Fabric(address="192.0.2.2", asn=1, password=Secret(value="hunter2x"))',
    'Fabric(address="192.0.2.2", asn=1, password=Secret(file="f", env="hunter2x!"))',
    'Fabric(address="192.0.2.2", asn=1, passwrd="hunter2x")',
    f'Sync(port=7000, key="{HEX}")',
    f'Sync(port="7x", key="{HEX}")',
]

TEXT_SITE = """language 1
cluster A {{
    {}
}}
"""
PYTHON_SITE = """from tvsc import *
x = {}
site = Site(name="s", asn=1, seed="x", clusters=[Cluster(name="A", {}=x)])
"""


def found(path: Path, text: str) -> tuple[list[Diagnostic], SourceMap]:
    path.write_text(text)
    site, diagnostics, sources = load_site(path)
    assert site is None
    return diagnostics, sources


def outputs(diagnostics: list[Diagnostic], sources: SourceMap) -> dict[str, str]:
    """What every format gets."""
    return {
        "text": render_text(diagnostics, sources),
        "colour": render_text(diagnostics, sources, colour=True),
        "json": render_json(diagnostics, sources),
        "sarif": render_sarif(diagnostics, sources),
        "github": render_github(diagnostics, sources),
    }


def assert_hidden(diagnostics: list[Diagnostic], sources: SourceMap) -> None:
    for name, text in outputs(diagnostics, sources).items():
        for secret in SECRETS:
            assert secret not in text, name


@pytest.mark.parametrize("line", TEXTS)
def test_in_text(line: str, tmp_path: Path) -> None:
    site = tmp_path / "site.tvs"
    diagnostics, sources = found(site, TEXT_SITE.format(line))
    assert_hidden(diagnostics, sources)
    editor = Translator(check_site(site, {}), str, Wishes()).by_file(file_key(site))
    assert editor[file_key(site)]
    assert not any(secret in str(editor) for secret in SECRETS)


@pytest.mark.parametrize("call", PYTHON)
def test_in_python(call: str, tmp_path: Path) -> None:
    field = "sync" if call.startswith("Sync") else "fabric"
    diagnostics, sources = found(tmp_path / "site.py", PYTHON_SITE.format(call, field))
    assert_hidden(diagnostics, sources)


def test_carets_still_fit(tmp_path: Path) -> None:
    """As wide as before, quotes in place; what stands beside it is shown."""
    line = 'fabric 192.0.2.2 { asn 64500  password "hunter2x"  hold 9s }'
    diagnostics, sources = found(tmp_path / "site.tvs", TEXT_SITE.format(line))
    shown = render_text([d for d in diagnostics if d.code.id == "TVS0109"], sources).splitlines()
    assert shown[3:5] == [
        '3 |     fabric 192.0.2.2 { asn 64500  password "********"  hold 9s }',
        "  |                                            ^^^^^^^^^^",
    ]


@pytest.mark.parametrize(
    "line",
    [
        'fabric 192.0.2.2 { asn 1x  password file "bgp.key"  hold 9s }',
        'fabric 192.0.2.2 { asn 1x  password env "BGP_PASSWORD" }',
        'sync { port 1x  key file "sync.key" }  # the key lies on the node',
        'sync { port 1x  key env "KEY"  }',
        "for key in 1..x { }",
        "let key = 1x",
        "node key { router-id 1x }",
        'node "a key" { router-id 1x }',
    ],
)
def test_what_is_no_secret_is_shown(line: str, tmp_path: Path) -> None:
    diagnostics, sources = found(tmp_path / "site.tvs", TEXT_SITE.format(line))
    assert f"| {' ' * 4}{line}\n" in render_text(diagnostics, sources)
    assert concealed(diagnostics, sources) == diagnostics


def test_messages_that_quote_only_a_part(tmp_path: Path) -> None:
    """What a message quotes of a secret is hidden, however short; what it says otherwise is not."""
    line = "fabric 192.0.2.2 { password 5hunter2x }"
    diagnostics, sources = found(tmp_path / "site.tvs", TEXT_SITE.format(line))
    listed = json.loads(render_json(diagnostics, sources))["diagnostics"]
    assert [each["message"] for each in listed if each["code"] == "TVS0014"] == [
        "`***` is no number, address, duration or other value"
    ]


def test_a_long_line_is_searched_near_the_place(tmp_path: Path) -> None:
    many = "  ".join(f'password "hunter2x{n}"' for n in range(20_000))
    diagnostics, sources = found(
        tmp_path / "site.tvs", TEXT_SITE.format(f"fabric 192.0.2.2 {{ {many} }}")
    )
    assert_hidden(diagnostics, sources)
