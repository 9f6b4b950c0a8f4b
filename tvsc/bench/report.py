"""Result files -> one self-contained HTML page: no script, no address outside, light and dark.

Each kind of result has a module `tvsc.bench.KIND_report` with

    MODEL: type[Result]                                  what such a file holds
    def section(results: Sequence[MODEL]) -> Section     its part of the page

and is drawn if a file of the kind is given. A kind's module knows nothing of the page; the page
knows nothing of a kind but the rows, the plots and the sentences of its section.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final, cast

from pydantic import ValidationError

from tvsc import __version__
from tvsc.bench.errors import BenchError
from tvsc.bench.result import FORMAT_VERSION, Machine, Result

KINDS: Final = ("path", "latency", "lab", "compiler")
"""In the order of the page."""


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` and every row have the same length. Cells are text: numbers are laid out by who
    knows their unit. A column that begins with `=` is set flush right, without the sign.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot: `svg` is the whole element, from tvsc.bench.plot."""

    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Section:
    """A kind's part of the page, from top to bottom."""

    title: str
    text: tuple[str, ...] = ()
    parts: tuple[Table | Figure, ...] = ()
    machines: tuple[tuple[str, Machine], ...] = field(default=())
    """(when and how it was taken, where)."""


def _module(kind: str) -> tuple[type[Result], Callable[[Sequence[Result]], Section]]:
    name = f"tvsc.bench.{kind}_report"
    if importlib.util.find_spec(name) is None:
        raise BenchError(f"this version of tvsc draws no results of kind `{kind}`")
    module = importlib.import_module(name)
    return (
        cast("type[Result]", module.MODEL),
        cast("Callable[[Sequence[Result]], Section]", module.section),
    )


def read_result(path: Path) -> Result:
    """One result file; BenchError when it is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise BenchError(f"`{path}` is no JSON: {error}") from None
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if kind not in KINDS:
        message = f"`{path}` is no result of `tvsc bench`"
        raise BenchError(message, help="give files that `tvsc bench ... --format json` wrote")
    if raw.get("format_version") != FORMAT_VERSION:
        version = raw.get("format_version")
        message = f"`{path}` has format version {version}; this tvsc reads {FORMAT_VERSION}"
        raise BenchError(message, help="take the measurement again")
    model, _ = _module(kind)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BenchError(f"`{path}` is not whole: {where}: {first['msg']}") from None


def sections(results: Sequence[Result]) -> dict[str, Section]:
    """One per kind that there is a result of."""
    found = {}
    for kind in KINDS:
        of_kind = [result for result in results if result.kind == kind]
        if of_kind:
            found[kind] = _module(kind)[1](of_kind)
    return found


def plots(results: Sequence[Result]) -> dict[str, str]:
    """Every plot as an SVG file that needs nothing else: name -> text."""
    css = files("tvsc.bench").joinpath("templates", "report.css").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for kind, section in sections(results).items():
        drawn = [part for part in section.parts if isinstance(part, Figure)]
        for number, figure in enumerate(drawn, start=1):
            head, _, rest = figure.svg.partition(">")
            if "xmlns=" not in head:
                head = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
            back = '<rect width="100%" height="100%" fill="var(--back)"/>'
            found[f"{kind}-{number}.svg"] = f"{head}><style>{css}</style>{back}{rest}\n"
    return found


def render_page(results: Sequence[Result]) -> str:
    """The page's HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tvsc.bench", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    return template.render(sections=list(sections(results).values()), version=__version__)
