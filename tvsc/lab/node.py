"""A load balancer of the lab: a namespace with `tvsd` and BIRD, and its links to the switch.

The daemon makes its TAP in the node's namespace. Once it has started, the kernel's end of the TAP
moves to the switch: from then on a frame that the switch sends is a frame on the node's NIC, and
when the daemon dies the switch loses the link at once, as when a cable is pulled.
"""

import contextlib
import fcntl
import secrets
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path

from tvsc.lab import namespace, switch, tvsd
from tvsc.lab.process import Child, spawn
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import LabNode, Topology

EXCEPTION_TAP = "tvs0"
START_PATIENCE_S = 30.0

_SIOCGIFFLAGS = 0x8913
_IFF_UP = 0x1

SYSCTLS = {"ipv6/conf/default/disable_ipv6": "1"}


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """What the compiler made for a node, and the host program."""

    tvsd: Path
    generation: Path
    bird_config: Path
    sysctls: Path


@dataclass(slots=True)
class Attachment:
    """A node whose daemon starts: `pending` links are still where the daemon made them."""

    node: LabNode
    daemon: Child
    deadline: float
    probe: socket.socket
    pending: set[str] = field(default_factory=set)


def control_socket(run: RunDirectory, node: str) -> Path:
    """Where the node's daemon answers."""
    return run.path / "nodes" / node / tvsd.SOCKET


def make(node: LabNode, files: NodeFiles) -> None:
    """The namespace, with the compiled settings that a namespace has of its own."""
    namespace.create(node.namespace)
    namespace.set_sysctls(node.namespace, {**SYSCTLS, **_compiled_sysctls(files.sysctls)})


def _compiled_sysctls(path: Path) -> dict[str, str]:
    """The `net.` settings of a sysctl.d file."""
    settings = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, separator, value = line.partition("=")
        if separator and key.startswith("net."):
            settings[key.strip().removeprefix("net.").replace(".", "/")] = value.strip()
    return settings


def start_bird(node: LabNode, files: NodeFiles, run: RunDirectory) -> Child:
    """BIRD with the compiled configuration as it is."""
    folder = run.folder("nodes", node.name)
    command = ["bird", "-f", "-c", str(files.bird_config), "-s", str(folder / "bird.ctl")]
    return spawn(
        [*command, "-P", str(folder / "bird.pid")],
        namespace=node.namespace,
        log=run.logs / f"{node.name}.bird.log",
        role="bird",
        owner=node.name,
    )


def secrets_dir(run: RunDirectory, cluster: str) -> Path:
    """Where the nodes of a cluster find their secrets."""
    return run.path / "secrets" / cluster


def make_keys(topology: Topology, run: RunDirectory) -> dict[str, str]:
    """A new sync key for each cluster that has one, by cluster, and in the file that the cluster's
    nodes read if it is one. It is of this lab alone, and ends with the run directory.
    """
    keys: dict[str, str] = {}
    for node in topology.nodes:
        if node.sync_key is None or node.cluster in keys:
            continue
        keys[node.cluster] = secrets.token_hex(16)
        if not node.sync_key.is_env:
            path = secrets_dir(run, node.cluster) / node.sync_key.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(keys[node.cluster] + "\n", encoding="ascii")
    return keys


def start_daemon(node: LabNode, files: NodeFiles, run: RunDirectory, key: str | None) -> Child:
    """`tvsd`, with the node's generation as its only configuration. `key`: its cluster's, for
    session sync.
    """
    folder = run.folder("nodes", node.name)
    path = control_socket(run, node.name)
    path.unlink(missing_ok=True)
    command = [str(files.tvsd), "--generation", str(files.generation)]
    command += ["--secrets-dir", str(secrets_dir(run, node.cluster))]
    environment = {}
    if key is not None and node.sync_key is not None and node.sync_key.is_env:
        environment[node.sync_key.name] = key
    return spawn(
        [*command, "--run-dir", str(folder), "--control-socket", str(path)],
        environment=environment,
        namespace=node.namespace,
        log=run.logs / f"{node.name}.tvsd.log",
        role="tvsd",
        owner=node.name,
    )


def attachment(node: LabNode, daemon: Child, deadline: float) -> Attachment:
    """Begins to wait for the node's links; see `advance`."""
    probe = namespace.inside(
        node.namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    )
    pending = {link.device for link in node.links}
    return Attachment(node, daemon, deadline, probe, pending)


def advance(topology: Topology, waiting: Attachment) -> bool:
    """Moves the links that are ready to the switch; True when the last one has moved.

    The exception TAP is made after the ports have started, so when it is up the daemon has done
    with the ports all that it does to them by name.
    """
    if not _is_up(waiting.probe, EXCEPTION_TAP):
        return False
    for link in waiting.node.links:
        if link.device in waiting.pending and _is_up(waiting.probe, link.device):
            move = ["-n", waiting.node.namespace, "link", "set", "dev", link.device]
            namespace.run_ip([*move, "netns", topology.switch, "name", link.link])
            switch.attach(topology, link)
            waiting.pending.discard(link.device)
    if waiting.pending:
        return False
    waiting.probe.close()
    return True


def _is_up(probe: socket.socket, device: str) -> bool:
    request = struct.pack("16sH14x", device.encode(), 0)
    with contextlib.suppress(OSError):
        reply = fcntl.ioctl(probe, _SIOCGIFFLAGS, request)
        flags: int = struct.unpack_from("16xH", reply)[0]
        return bool(flags & _IFF_UP)
    return False
