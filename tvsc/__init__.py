"""tvsc: compiles the description of a load-balancer site to specialised C and every config file.

Read `tvsc/pipeline.py` first: it lists the stages in the order in which data flows.

The names below are what a Python site file imports (docs/python.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvsc.site.parts import (
        Check,
        Cluster,
        Defaults,
        Fabric,
        Limits,
        Listen,
        Load,
        LocalIps,
        Nic,
        Node,
        Pool,
        Port,
        Secret,
        Server,
        Service,
        Site,
        Sync,
        Timeouts,
        host,
        subnet,
    )

__version__ = "0.1.0"

__all__ = [
    "Check",
    "Cluster",
    "Defaults",
    "Fabric",
    "Limits",
    "Listen",
    "Load",
    "LocalIps",
    "Nic",
    "Node",
    "Pool",
    "Port",
    "Secret",
    "Server",
    "Service",
    "Site",
    "Sync",
    "Timeouts",
    "host",
    "subnet",
]


def __getattr__(name: str) -> object:
    """The classes are imported when they are asked for: most runs of tvsc never do."""
    if name in __all__:
        return getattr(import_module("tvsc.site.parts"), name)
    raise AttributeError(f"module `tvsc` has no attribute `{name}`")
