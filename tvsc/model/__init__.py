"""The resolved site: frozen, strict pydantic models, one file per noun.

Everything is explicit here: defaults filled in, `like` and loops expanded, functions evaluated,
names checked. References are by name, with helpers on `Site`. Units are in the field names
(`_ms`, `_bytes`).

How to get one (pure functions by stage; each stage reports all of its errors):

    from tvsc.lower import load_site
    site, diagnostics, sources = load_site(Path("site.tvs"))  # parse, resolve, check

    from tvsc.dsl import parse      # parse(path, sources, report) -> Program | None
    from tvsc.lower import resolve  # resolve(program, loader, diagnostics) -> Site | None
    from tvsc.checks import check   # check(site) -> list[Diagnostic]

`site` is None when there was an error. Where a thing was written:

    span = site.span(server)        # or site.span(server, "weight"), in the language's spelling
    sources.label(span)             # "site.tvs:42", the same from any directory
    sources.locate(span)            # lines and columns

    from tvsc.diag import render_text, render_json
"""

from tvsc.model.base import Address, Interface, Model, Network, Noun
from tvsc.model.cluster import (
    USUAL_LOCAL_PREF,
    Bfd,
    Cluster,
    Fabric,
    IdlePolicy,
    LocalIps,
    Lowering,
    Preference,
    Role,
    Steering,
    Sync,
)
from tvsc.model.nic import Driver, FlowRules, NicProfile, RuleMasks
from tvsc.model.node import Device, Node, PciDevice, Port, VdevDevice, kernel_interface
from tvsc.model.origin import Origins
from tvsc.model.pool import (
    HealthCheck,
    HttpCheck,
    OnDown,
    Pool,
    Schedule,
    Server,
    StatusRange,
    TcpCheck,
    known_server,
    server_key,
)
from tvsc.model.secret import Secret, SecretSource
from tvsc.model.service import (
    AccessRule,
    ClientAddress,
    Limits,
    Listener,
    Load,
    Mode,
    Protocol,
    Service,
    Timeouts,
    Vip,
    known_listener,
    known_service,
    known_timeouts,
    known_vip,
)
from tvsc.model.site import Site

__all__ = [
    "USUAL_LOCAL_PREF",
    "AccessRule",
    "Address",
    "Bfd",
    "ClientAddress",
    "Cluster",
    "Device",
    "Driver",
    "Fabric",
    "FlowRules",
    "HealthCheck",
    "HttpCheck",
    "IdlePolicy",
    "Interface",
    "Limits",
    "Listener",
    "Load",
    "LocalIps",
    "Lowering",
    "Mode",
    "Model",
    "Network",
    "NicProfile",
    "Node",
    "Noun",
    "OnDown",
    "Origins",
    "PciDevice",
    "Pool",
    "Port",
    "Preference",
    "Protocol",
    "Role",
    "RuleMasks",
    "Schedule",
    "Secret",
    "SecretSource",
    "Server",
    "Service",
    "Site",
    "StatusRange",
    "Steering",
    "Sync",
    "TcpCheck",
    "Timeouts",
    "VdevDevice",
    "Vip",
    "kernel_interface",
    "known_listener",
    "known_server",
    "known_service",
    "known_timeouts",
    "known_vip",
    "server_key",
]
