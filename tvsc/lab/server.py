"""A real server: nginx for its TCP ports, a small echo process for its UDP ports."""

import sys
from pathlib import Path

from tvsc.lab.process import Child, spawn
from tvsc.lab.state import RunDirectory
from tvsc.lab.template import render
from tvsc.lab.topology import LabServer

UDP_SERVER = Path(__file__).with_name("udp_server.py")


def start(server: LabServer, run: RunDirectory) -> list[Child]:
    """Starts everything that listens on the server's address."""
    children = []
    if server.http:
        folder = run.folder("servers", server.name)
        config = folder / "nginx.conf"
        log = run.logs / f"{server.name}.nginx.log"
        render(
            "nginx.conf.j2",
            config,
            folder=folder,
            log=log,
            address=server.address,
            listeners=server.http,
        )
        command = ["nginx", "-e", str(log), "-p", str(folder), "-c", str(config)]
        children.append(_spawn(command, server, run, "nginx"))
    if server.udp_ports:
        ports = [str(port) for port in server.udp_ports]
        folder = run.folder("servers", server.name)
        command = [sys.executable, "-I", "-S", str(UDP_SERVER), str(folder), server.name, *ports]
        children.append(_spawn(command, server, run, "udp"))
    return children


def _spawn(command: list[str], server: LabServer, run: RunDirectory, role: str) -> Child:
    log = run.logs / f"{server.name}.{role}.out"
    return spawn(command, namespace=server.namespace, log=log, role=role, owner=server.name)
