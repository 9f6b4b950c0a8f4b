"""Node plan -> text: typed contexts, C literals, escaping, rendering."""

from tvsc.codegen.render import (
    BIRD_CONF,
    C_FILES,
    C_HEADER,
    ETC_FILES,
    OWN_SOURCE,
    PLAN_JSON,
    SHARED_SOURCES,
    BuildObject,
    BuildTarget,
    Renderer,
    render_bird,
    render_build,
    render_c,
    render_etc,
    render_node,
    render_site,
)

__all__ = [
    "BIRD_CONF",
    "C_FILES",
    "C_HEADER",
    "ETC_FILES",
    "OWN_SOURCE",
    "PLAN_JSON",
    "SHARED_SOURCES",
    "BuildObject",
    "BuildTarget",
    "Renderer",
    "render_bird",
    "render_build",
    "render_c",
    "render_etc",
    "render_node",
    "render_site",
]
