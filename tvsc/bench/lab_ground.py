"""The ground that `tvsc bench lab` measures on: a lab of one node of a site, with a plain forwarder
hung on the same switch, and servers that are fast enough.

Everything is tied to this process: the lab's supervisor and the programs that are started here end
when it does, whatever it died of.
"""

from __future__ import annotations

import dataclasses
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import BaseModel

from tvsc.bench.lab_load import TOOLS, Endpoint, Target
from tvsc.lab import launch, namespace, node, tvsd
from tvsc.lab.errors import LabError
from tvsc.lab.process import Child, end, spawn
from tvsc.lab.remote import Progress as LabProgress
from tvsc.lab.remote import Spec
from tvsc.lab.requirement import Capabilities
from tvsc.lab.requirement import require as require_lab
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import Target as Listener
from tvsc.lab.topology import Topology, build_topology, free_networks, lab_name
from tvsc.model import Protocol, Site

FORWARD_LINK = "fwd0"
FORWARD_MAC = "02:74:76:73:66:64"
READY_PATIENCE_S = 30.0
BULK_BYTES = 4 << 20
SESSIONS_PATIENCE_S = 20.0
WORST = 100_000
"""Metric of routes that are used when there are no others."""

SESSIONS_LEFT = 0.05
"""Share of the node's sessions that may be in use when new connections are measured."""


@dataclass(frozen=True, slots=True)
class Ground:
    """`targets` by subject; `processes` by name: whose CPU time is looked at."""

    topology: Topology
    run: RunDirectory
    targets: dict[str, Target]
    processes: dict[str, int]
    children: dict[str, Child]
    generation: Path

    def wait_for_sessions(self) -> None:
        """Until the node has freed the sessions of earlier connections, or most of them: they stay
        for a while after their end, and a full table would refuse the next ones.
        """
        deadline = time.monotonic() + SESSIONS_PATIENCE_S
        while time.monotonic() < deadline:
            said = _Counters.model_validate_json(_ask(self.topology, self.run, "counters"))
            most = sum(worker.sessions_max for worker in said.workers)
            if sum(worker.sessions for worker in said.workers) <= most * SESSIONS_LEFT:
                return
            time.sleep(0.2)

    def reload(self) -> float:
        """Has the daemon load its generation again and flip to it; returns how long that took, in
        milliseconds. LabError when it refuses.
        """
        began = time.monotonic()
        answer = _Answer.model_validate_json(
            _ask(self.topology, self.run, f"reload {self.generation}")
        )
        if answer.error:
            raise LabError(f"tvsd refuses its own generation: {answer.error}")
        return (time.monotonic() - began) * 1e3

    def fail_if_exited(self) -> None:
        """LabError when a program that was started here has ended."""
        for name, child in self.children.items():
            if not child.running():
                raise LabError(f"{name} ended by itself", detail=child.log_tail())


def require() -> None:
    """LabError when this user or this machine cannot run the measurement."""
    require_lab()
    missing = [(tool, package) for tool, package in TOOLS if shutil.which(tool) is None]
    if missing:
        tools = ", ".join(f"`{tool}`" for tool, _ in missing)
        packages = " ".join(package for _, package in missing)
        raise LabError(f"`tvsc bench lab` needs {tools}", help=f"apt install {packages}")


def smallest(site: Site, site_file: Path, wanted: str | None) -> Topology:
    """The site's lab cut to one node, one server for TCP and one for UDP."""
    whole = build_topology(site, site_file, lab=f"bench-{lab_name(site_file)}"[-32:])
    names = [each.name for each in whole.nodes]
    if wanted is not None and wanted not in names:
        raise LabError(f"the site has no node `{wanted}`", help=f"its nodes are {', '.join(names)}")
    one = whole.serving[0] if wanted is None else whole.node(wanted)
    tcp, udp = listeners(whole)
    used = [_first_server(whole, each) for each in (tcp, udp) if each is not None]
    servers = tuple(
        dataclasses.replace(server, udp_ports=())  # sockperf answers instead
        for server in whole.servers
        if server.address in {each.address for each in used}
    )
    return dataclasses.replace(
        whole,
        nodes=(dataclasses.replace(one, primary=True),),
        servers=servers,
        sessions=tuple(each for each in whole.sessions if each.node == one.name),
    )


def listeners(topology: Topology) -> tuple[Listener, Listener | None]:
    """The site's first listeners for TCP and UDP."""
    by_protocol = {each.protocol: each for each in reversed(topology.targets)}
    if Protocol.TCP not in by_protocol:
        raise LabError("the site has no TCP service: there is nothing to compare")
    return by_protocol[Protocol.TCP], by_protocol.get(Protocol.UDP)


def _first_server(topology: Topology, listener: Listener) -> Endpoint:
    """The first server of the listener's pool that takes sessions."""
    for key, weight in topology.pool(listener.pool).weights:
        if weight > 0:
            return _endpoint(key)
    raise LabError(f"no server of pool `{listener.pool}` takes sessions")


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.rpartition(":")
    return Endpoint(IPv4Address(address), int(port))


@contextmanager
def ground(
    topology: Topology, site: Site, site_file: Path, out: Path, forwarder: Path, found: Capabilities
) -> Iterator[Ground]:
    """Brings everything up, and takes it down again whatever happens."""
    directory = RunDirectory(topology.lab)
    spec = Spec(
        topology=topology,
        site=str(site_file),
        out=str(out.resolve()),
        tvsd=str(out.resolve() / "bin" / "tvsd"),
        steering="",
        resilient=found.resilient_groups,
    )
    launch.bring_up(spec, _quiet)
    children: dict[str, Child] = {}
    try:
        yield _furnish(topology, site, directory, out, forwarder, children)
    finally:
        end(child.recorded for child in children.values())
        launch.take_down(directory, str(site_file))


def _quiet(_progress: LabProgress) -> None:
    pass


def _furnish(
    topology: Topology,
    site: Site,
    directory: RunDirectory,
    out: Path,
    forwarder: Path,
    children: dict[str, Child],
) -> Ground:
    """What the lab does not have by itself: the forwarder, sockperf, a large file."""
    tcp, udp = listeners(topology)
    servers = {each: _first_server(topology, each) for each in (tcp, udp) if each is not None}
    for listener, server in servers.items():
        _let_serve(topology, directory, listener, server)
    _keep_routes(topology)
    folder = directory.folder("servers", f"{servers[tcp].address}")
    with (folder / "bulk").open("wb") as file:
        file.truncate(BULK_BYTES)
    if udp is not None:
        children["sockperf"] = _start_sockperf(topology, directory, servers[udp])

    free = free_networks(site)
    if len(free) < 2:
        raise LabError("the site leaves no network for the forwarder's addresses")
    vip, own = free[1][1], free[1][2]
    generation = out / "nodes" / topology.nodes[0].name / "generation.so"
    maps = [f"{one.protocol}:{one.port}:{server}" for one, server in servers.items()]
    command = [f"{forwarder}", "--generation", f"{generation.resolve()}"]
    command += ["--client", f"{topology.client_network[1]}", "--vip", f"{vip}", "--own", f"{own}"]
    for text in maps:
        command += ["--map", text]
    children["forward"] = _start_forwarder(topology, directory, command, (vip, own))

    targets = {
        "direct": Target(servers[tcp], None if udp is None else servers[udp]),
        "forward": Target(
            Endpoint(vip, tcp.port), None if udp is None else Endpoint(vip, udp.port)
        ),
        "tvsd": Target(
            Endpoint(tcp.vip, tcp.port), None if udp is None else Endpoint(udp.vip, udp.port)
        ),
    }
    state = directory.load()
    recorded = [] if state is None else state.processes
    processes = {each.role: each.pid for each in recorded if each.role == "tvsd"}
    for each in recorded:
        if (each.role, each.owner) == ("nginx", f"{servers[tcp].address}"):
            processes[each.role] = each.pid
    processes.update({name: child.recorded.pid for name, child in children.items()})
    return Ground(topology, directory, targets, processes, children, generation.resolve())


def _keep_routes(topology: Topology) -> None:
    """Routes to the node that stay when BGP's go: the clients take all of the CPU on purpose, and
    BFD may well not get its share in time.
    """
    node_link = topology.nodes[0].links[0]
    addresses = [*topology.vips, *(lip for lips in topology.nodes[0].lips for lip in lips)]
    namespace.batch(
        topology.switch,
        [
            f"route add {address}/32 via {node_link.address} dev {node_link.link} metric {WORST}"
            for address in addresses
        ],
    )


def _start_sockperf(topology: Topology, directory: RunDirectory, server: Endpoint) -> Child:
    there = next(each for each in topology.servers if each.address == server.address)
    return spawn(
        ["sockperf", "server", "-i", f"{server.address}", "-p", f"{server.port}"],
        namespace=there.namespace,
        log=directory.logs / "sockperf.log",
        role="sockperf",
        owner=there.name,
    )


# ---- the forwarder ------------------------------------------------------------------------------


def _start_forwarder(
    topology: Topology,
    directory: RunDirectory,
    command: list[str],
    addresses: tuple[IPv4Address, ...],
) -> Child:
    """Its TAP is made on the switch at once: no node's kernel stands behind it."""
    log = directory.logs / "forward.log"
    device = f"net_tap0,iface={FORWARD_LINK},mac={FORWARD_MAC}"
    child = spawn(
        [*command, "--device", device, "--run-dir", f"{directory.folder('forward')}"],
        namespace=topology.switch,
        log=log,
        role="forward",
        owner="switch",
    )
    try:
        _wait(lambda: "ready" in log.read_text(errors="replace").split(), child, "the forwarder")
        commands = [f"link set {FORWARD_LINK} up"]
        for address in addresses:
            commands.append(f"neigh replace {address} lladdr {FORWARD_MAC} dev {FORWARD_LINK}")
            commands.append(f"route add {address}/32 dev {FORWARD_LINK}")
        namespace.batch(topology.switch, commands)
    except BaseException:
        end([child.recorded])
        raise
    return child


def _wait(ready: Callable[[], bool], child: Child | None, what: str) -> None:
    deadline = time.monotonic() + READY_PATIENCE_S
    while not ready():
        if child is not None and not child.running():
            raise LabError(f"{what} ended by itself", detail=child.log_tail())
        if time.monotonic() > deadline:
            detail = "" if child is None else child.log_tail()
            raise LabError(f"{what} is not ready after {READY_PATIENCE_S:.0f} s", detail=detail)
        time.sleep(0.05)


# ---- the node's pools ---------------------------------------------------------------------------


class _Answer(BaseModel):
    error: str = ""


class _Worker(BaseModel):
    sessions: int
    sessions_max: int


class _Counters(BaseModel):
    workers: list[_Worker]


class _Server(BaseModel):
    pool: str
    address: str
    state: str


class _Servers(BaseModel):
    backends: list[_Server]


def _ask(topology: Topology, directory: RunDirectory, line: str) -> str:
    """One request to the node's daemon, its answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(tvsd.PATIENCE_S)
        connection.connect(str(node.control_socket(directory, topology.nodes[0].name)))
        connection.sendall(f"{line}\n".encode())
        with connection.makefile("r", encoding="utf-8") as stream:
            return stream.readline()


def _let_serve(
    topology: Topology, directory: RunDirectory, listener: Listener, server: Endpoint
) -> None:
    """Drains the other servers of the pool, and waits until this one is up."""
    for key, _ in topology.pool(listener.pool).weights:
        if _endpoint(key) != server:
            _ask(topology, directory, f"drain {listener.pool} {key}")

    def is_up() -> bool:
        said = _Servers.model_validate_json(_ask(topology, directory, "backends"))
        wanted = (listener.pool, f"{server}", "up")
        return wanted in {(each.pool, each.address, each.state) for each in said.backends}

    _wait(is_up, None, f"server {server} of pool `{listener.pool}`")
