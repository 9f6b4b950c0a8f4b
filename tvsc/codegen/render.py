"""NodePlan -> {path: text}: runs the templates and nothing else.

`path` is relative to OUT/nodes/NODE. A pure function: the same plan gives the same text anywhere.
What the plans of several nodes share (their pools and services are the same objects) is rendered
once, and the nodes have the same text object.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tvsc.codegen import escape
from tvsc.codegen.c_node import node_context
from tvsc.codegen.c_path import path_context
from tvsc.codegen.c_site import site_context
from tvsc.codegen.c_text import table
from tvsc.codegen.etc_context import SECRETS_DIR, etc_context
from tvsc.plan import NodePlan, SitePlan, abi, plan_json
from tvsc.resources import templates_dir

C_HEADER = "parts.h"
SHARED_SOURCES = ("pools.c", "servers-000.c", "services.c", "path.c")
"""No node's own: a text that several nodes have is compiled once. Large sites have `servers-001.c`
and so on, too, and sites that keep sources out `access.c`.
"""

OWN_SOURCE = "generation.c"
C_FILES = (C_HEADER, *SHARED_SOURCES, OWN_SOURCE)
"""Of a site that is not large. The .c files are compiled."""

BIRD_CONF = "bird.conf"
PLAN_JSON = "plan.json"

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
        c_table=table,
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
class BuildObject:
    """A source that is compiled once for all targets that name it; `file` is relative to the
    build's sources.
    """

    name: str
    march: str
    file: str


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """A node as the build sees it: its own source and the names of the objects it shares."""

    name: str
    march: str
    file: str
    objects: tuple[str, ...]


def render_build(objects: list[BuildObject], targets: list[BuildTarget], runtime: str) -> str:
    """meson.build for these nodes; `runtime` is the directory of the runtime's sources."""
    return _template("build/meson.build").render(objects=objects, targets=targets, runtime=runtime)


def _variables(context: object) -> dict[str, object]:
    return {f.name: getattr(context, f.name) for f in fields(context)}  # type: ignore[arg-type]


def _render_site(plan: NodePlan) -> dict[str, str]:
    context = site_context(plan)
    variables = {**_variables(context), "compiler": plan.compiler}
    servers = _template("c/servers.c")
    return {
        C_HEADER: _template(f"c/{C_HEADER}").render(variables),
        "pools.c": _template("c/pools.c").render(variables),
        **{c.file: servers.render(banner=context.banner, chunk=c) for c in context.servers},
        "services.c": _template("c/services.c").render(variables),
        **({"access.c": _template("c/access.c").render(variables)} if context.access else {}),
    }


def _same_site(one: NodePlan, other: NodePlan) -> bool:
    """Whether the plans share their tables; the large ones are compared by identity."""
    return (
        one.pools is other.pools
        and one.services is other.services
        and one.access is other.access
        and one.vips is other.vips
        and (one.compiler, one.site, one.sources) == (other.compiler, other.site, other.sources)
    )


class Renderer:
    """Renders plans, and remembers what plans after the first share with it."""

    def __init__(self) -> None:
        self._site: tuple[NodePlan, dict[str, str]] | None = None

    def c(self, plan: NodePlan) -> dict[str, str]:
        """The generated sources of a node."""
        if self._site is None or not _same_site(self._site[0], plan):
            self._site = plan, _render_site(plan)
        return {
            **self._site[1],
            "path.c": _template("c/path.c").render(_variables(path_context(plan))),
            OWN_SOURCE: _template(f"c/{OWN_SOURCE}").render(_variables(node_context(plan))),
        }

    def node(self, plan: NodePlan) -> dict[str, str]:
        """Every text of a node but its plan, in order."""
        return {**self.c(plan), **render_etc(plan)}


def render_c(plan: NodePlan) -> dict[str, str]:
    """The generated sources of a node."""
    return Renderer().c(plan)


def render_bird(plan: NodePlan, secrets_dir: str = SECRETS_DIR) -> str:
    """bird.conf; `secrets_dir` is where it includes the neighbours' passwords from."""
    return _template(f"etc/{BIRD_CONF}").render(_variables(etc_context(plan, secrets_dir)))


def render_etc(plan: NodePlan) -> dict[str, str]:
    """Every config file of a node."""
    variables = _variables(etc_context(plan))
    return {name: _template(f"etc/{name}").render(variables) for name in ETC_FILES}


def render_node(plan: NodePlan) -> dict[str, str]:
    """Every text of a node, in order."""
    return {**Renderer().node(plan), PLAN_JSON: plan_json(plan)}


def render_site(plan: SitePlan) -> dict[str, dict[str, str]]:
    """Every text of every node by the node's name, but for the plans: those of large sites are many
    times as long as all else, and are not kept together.
    """
    renderer = Renderer()
    return {node.node: renderer.node(node) for node in plan.nodes}
