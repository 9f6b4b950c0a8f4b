"""The page of each code: `explain/TVSnnnn.md` beside this file."""

from __future__ import annotations

from importlib.resources import files

from tvsc.diag.codes import Code


def explain_page(code: Code) -> str:
    """The markdown page that `tvsc explain` prints."""
    return (files("tvsc.diag") / "explain" / f"{code.id}.md").read_text(encoding="utf-8")
