"""A real editor, set up as the document says, with the real server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lsp.neovim import ROOT, Neovim, neovim, snippet

pytestmark = pytest.mark.slow

PROGRAM = os.environ.get("TVSC_NVIM", "nvim")
"""Debian's, or another version by hand."""
HEADINGS = {(0, 7): "Neovim (0.7 to 0.10)", (0, 11): "Neovim (0.11 and later)"}

MESSAGES = "vim.tbl_map(function(d) return d.code .. ' ' .. d.lnum end, vim.diagnostic.get(0))"
# The whole text would be cut: what Neovim 0.7 says from outside has 2 KB.
LINES = "vim.fn.filter(vim.fn.getline(1, '$'), [[v:val =~ 'role \\|-> ']])"
FLOATS = (
    "vim.tbl_map(function(w) return vim.api.nvim_win_get_config(w).relative ~= '' and table.concat("
    "vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(w), 0, -1, true), '\\n') or '' end, "
    "vim.api.nvim_list_wins())"
)
HOVER = (
    "vim.lsp.buf_request_sync(0, 'textDocument/hover', "
    "vim.lsp.util.make_position_params(0, 'utf-16'), 5000)"
)
WORDS = "vim.tbl_map(function(i) return i.abbr or i.word end, vim.fn.complete_info().items)"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A copy of the example, with a mistake."""
    folder = tmp_path / "two clusters"
    shutil.copytree(ROOT / "examples" / "two-clusters", folder)
    site = folder / "site.tvs"
    text = site.read_text(encoding="utf-8")
    site.write_text(text.replace("-> web-tls", "-> web-tsl"), encoding="utf-8")
    return folder


def version() -> tuple[int, int]:
    said = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"NVIM v(\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


def test_a_session(two: Path, tmp_path: Path) -> None:
    """Messages, hover, definition, rename in two files, completion, format."""
    has = version()
    settings = snippet(HEADINGS[max(first for first in HEADINGS if first <= has)])
    with neovim(PROGRAM, settings, tmp_path / "home", two) as editor:
        editor.keys(":edit site.tvs<CR>")
        assert editor.lua("vim.bo.filetype") == "tvs"
        assert editor.lua("vim.bo.commentstring") == "# %s"
        line = (two / "site.tvs").read_text(encoding="utf-8").split("web-tsl")[0].count("\n")
        editor.until(MESSAGES, lambda found: found == [f"TVS0104 {line}"])
        editor.cursor("web-tsl")
        editor.keys("cWweb-tls<Esc>")
        editor.until(MESSAGES, lambda found: found == [])
        _look_around(editor, two)
        _change(editor, has)
        editor.keys(":wa<CR>")
        editor.until("vim.bo.modified", lambda found: found is False)
    assert "-> front\n" in (two / "site.tvs").read_text(encoding="utf-8")
    assert "pool front {" in (two / "pools" / "web.tvs").read_text(encoding="utf-8")


def _look_around(editor: Neovim, two: Path) -> None:
    editor.cursor("cluster A")
    editor.keys("w:lua vim.lsp.buf.hover()<CR>")
    editor.until(FLOATS, lambda found: "1,000,000 sessions a worker" in str(found))
    editor.cursor("-> web")
    editor.keys("w:lua vim.lsp.buf.definition()<CR>")
    web = str(two / "pools" / "web.tvs")
    editor.until("vim.fn.expand('%:p')", lambda found: found == web)
    at = "vim.fn.getline('.'):sub(vim.fn.col('.'))"
    editor.until(at, lambda found: found == "web {")
    # The other file has the same server.
    editor.keys(":lua vim.lsp.buf.hover()<CR>")
    editor.until(FLOATS, lambda found: "8 servers" in str(found))
    editor.keys("<Esc>:edit site.tvs<CR>")


def _change(editor: Neovim, has: tuple[int, int]) -> None:
    editor.cursor("-> web")
    editor.keys("w:lua vim.lsp.buf.rename('front')<CR>")
    editor.until(LINES, lambda found: "-> front'" in str(found))
    before = editor.lua(LINES)
    editor.cursor("-> front")
    editor.keys("w")
    # The editor sends changes of the file that is not shown some time later.
    editor.until(HOVER, lambda found: "8 servers" in str(found))
    editor.keys("C<C-x><C-o>")
    editor.until(WORDS, lambda found: isinstance(found, list) and {"front", "web-tls"} <= {*found})
    editor.keys("<C-e>front<Esc>")
    editor.until(LINES, lambda found: found == before)
    editor.cursor("role     primary")
    editor.keys("W2X")
    editor.until(LINES, lambda found: found != before)
    call = "format()" if has >= (0, 8) else "formatting_sync()"
    editor.keys(f":lua vim.lsp.buf.{call}<CR>")
    editor.until(LINES, lambda found: found == before)
