"""NodePlan -> {path: text}: runs the templates and nothing else.

`path` is relative to OUT/nodes/NODE. A pure function: the same plan gives the same text anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tvsc.codegen import escape
from tvsc.codegen.c_context import c_context
from tvsc.codegen.etc_context import SECRETS_DIR, etc_context
from tvsc.plan import NodePlan, abi, plan_json
from tvsc.resources import templates_dir

C_FILES = ("node.h", "path.c", "generation.c")
"""Written in this order; the .c files are compiled."""

BIRD_CONF = "bird.conf"

ETC_FILES = (
    BIRD_CONF,
    "bird-secrets.sh",
    "tvsd.service",
    "tvs-bird.service",
    "sysctl.conf",
    "cmdline",
)


def _c_bool(value: bool) -> str:
    return "true" if value else "false"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C and BIRD: the filters below escape
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters.update(
        c_block=escape.c_block,
        c_comment=escape.c_comment,
        hash_comment=escape.hash_comment,
        bird_string=escape.bird_string,
        systemd_value=escape.systemd_value,
        shell_word=escape.shell_word,
        meson_string=escape.meson_string,
        c_bool=_c_bool,
    )
    environment.globals["abi"] = abi
    return environment


def _template(path: str) -> Template:
    return _environment().get_template(f"{path}.j2")


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """A node as the build sees it; `files` are relative to the build's sources."""

    name: str
    march: str
    files: tuple[str, ...]


def render_build(targets: list[BuildTarget], runtime: str) -> str:
    """meson.build for these nodes; `runtime` is the directory of the runtime's sources."""
    return _template("build/meson.build").render(targets=targets, runtime=runtime)


def _variables(context: object) -> dict[str, object]:
    return {f.name: getattr(context, f.name) for f in fields(context)}  # type: ignore[arg-type]


def render_c(plan: NodePlan) -> dict[str, str]:
    """The generated sources of a node."""
    variables = _variables(c_context(plan))
    return {name: _template(f"c/{name}").render(variables) for name in C_FILES}


def render_bird(plan: NodePlan, secrets_dir: str = SECRETS_DIR) -> str:
    """bird.conf; `secrets_dir` is where it includes the neighbours' passwords from."""
    return _template(f"etc/{BIRD_CONF}").render(_variables(etc_context(plan, secrets_dir)))


def render_etc(plan: NodePlan) -> dict[str, str]:
    """Every config file of a node."""
    variables = _variables(etc_context(plan))
    return {name: _template(f"etc/{name}").render(variables) for name in ETC_FILES}


def render_node(plan: NodePlan) -> dict[str, str]:
    """Every text of a node, in order."""
    return {**render_c(plan), **render_etc(plan), "plan.json": plan_json(plan)}
