"""Lets BIRD itself read the rendered configuration: `bird -p` parses it and ends."""

from __future__ import annotations

from pathlib import Path

from tvsc.build.failure import failed
from tvsc.build.process import run
from tvsc.codegen import BIRD_CONF, render_bird
from tvsc.diag import codes
from tvsc.plan import NodePlan

_SECRETS = "secrets"


def check_bird(bird: Path, plan: NodePlan, directory: Path) -> None:
    """BuildError when BIRD refuses a node's configuration.

    BIRD reads a copy in `directory`, in which each neighbour's password is a dummy: the real ones
    are on the node alone. Nothing outside of `directory` is read or written, and no root is needed.
    BIRD starts there, so that no name on the way to it matters to BIRD's syntax.
    """
    secrets = directory / _SECRETS
    secrets.mkdir(parents=True, exist_ok=True)
    for neighbor in plan.bgp.neighbors:
        if neighbor.password is not None:
            path = secrets / f"{neighbor.name}.conf"
            path.write_text('password "dummy";\n', encoding="utf-8")
    (directory / BIRD_CONF).write_text(render_bird(plan, _SECRETS), encoding="utf-8")
    result = run([bird.absolute(), "-p", "-c", BIRD_CONF], cwd=directory)
    if result.status != 0:
        raise failed(
            codes.BIRD_REFUSED,
            f"BIRD refuses the configuration of node `{plan.node}`",
            help="this is a fault of tvsc's templates: please report it with the site file",
            output=result.output,
        )
