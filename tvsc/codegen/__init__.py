"""Node plan -> text: typed contexts, C literals, escaping, rendering."""

from tvsc.codegen.render import (
    BIRD_CONF,
    C_FILES,
    ETC_FILES,
    BuildTarget,
    render_bird,
    render_build,
    render_c,
    render_etc,
    render_node,
)

__all__ = [
    "BIRD_CONF",
    "C_FILES",
    "ETC_FILES",
    "BuildTarget",
    "render_bird",
    "render_build",
    "render_c",
    "render_etc",
    "render_node",
]
