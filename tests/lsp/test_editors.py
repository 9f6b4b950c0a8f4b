"""What lies in `editors/` fits together, and its documents are true."""

import json
import re
from pathlib import Path

import pytest
from lsprotocol import types

from tvsc.cli.main import COMMANDS
from tvsc.lsp import features
from tvsc.lsp.reader import WORTH_CHARACTERS
from tvsc.lsp.server import WATCHED, make_server
from tvsc.lsp.session import DEBOUNCE_S
from tvsc.lsp.sites import MAX_CANDIDATES, MAX_LEVELS

ROOT = Path(__file__).parents[2]
VSCODE = ROOT / "editors" / "vscode"
DOCUMENT = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")


def test_extension_names_files_that_are_there() -> None:
    package = json.loads((VSCODE / "package.json").read_text(encoding="utf-8"))
    (language,) = package["contributes"]["languages"]
    (grammar,) = package["contributes"]["grammars"]
    for name in (package["main"], language["configuration"], grammar["path"]):
        assert (VSCODE / name).is_file(), name
    scope = json.loads((VSCODE / grammar["path"]).read_text(encoding="utf-8"))["scopeName"]
    assert grammar["scopeName"] == scope
    assert grammar["language"] == language["id"] == "tvs"
    assert language["extensions"] == [".tvs"]
    (setting,) = package["contributes"]["configuration"]["properties"].items()
    script = (VSCODE / package["main"]).read_text(encoding="utf-8")
    section, _, key = setting[0].partition(".")
    assert f'getConfiguration("{section}").get("{key}")' in script
    assert setting[1]["default"] == ["tvsc", "lsp"]
    assert "lsp" in {command.name for command in COMMANDS}
    assert set(package["dependencies"]) == {"vscode-languageclient"}


def test_words_are_those_of_the_language() -> None:
    """A double click takes a whole name; the pattern is that of the lexer."""
    text = (VSCODE / "language-configuration.json").read_text(encoding="utf-8")
    configuration = json.loads(text)
    assert re.findall(configuration["wordPattern"], "let web-tls_2 = 10 - n") == [
        *("let", "web-tls_2", "n"),
    ]
    assert configuration["comments"] == {"lineComment": "#"}


@pytest.mark.parametrize(
    "figure",
    [
        f"{MAX_CANDIDATES:,} files",
        f"{round(DEBOUNCE_S * 1000)} ms",
        f"less than {features.WAIT_S:g} seconds",
        f"more than {WORTH_CHARACTERS // 1024} KiB changed",
        {4: "four"}[MAX_LEVELS],
        WATCHED,
    ],
)
def test_figures_of_the_document(figure: str) -> None:
    assert figure in " ".join(DOCUMENT.split())


def test_every_request_is_answered() -> None:
    """What the document promises has a handler."""
    server = make_server()
    features.register(server)
    assert {
        types.TEXT_DOCUMENT_HOVER,
        types.TEXT_DOCUMENT_COMPLETION,
        types.TEXT_DOCUMENT_DEFINITION,
        types.TEXT_DOCUMENT_REFERENCES,
        types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT,
        types.TEXT_DOCUMENT_DOCUMENT_SYMBOL,
        types.TEXT_DOCUMENT_RENAME,
        types.TEXT_DOCUMENT_PREPARE_RENAME,
        types.TEXT_DOCUMENT_FORMATTING,
    } <= set(server.protocol.fm.features)


def test_every_editor_starts_the_server() -> None:
    text = (ROOT / "editors" / "README.md").read_text(encoding="utf-8")
    for editor in ("VS Code", "Neovim", "Helix", "Emacs"):
        section = text.partition(f"## {editor}")[2].partition("\n## ")[0]
        assert "tvsc" in section and "lsp" in section, editor
