"""Session sync of the real daemon, with a peer that is written in Python."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.host.node import (
    LIP_BASE,
    N_WORKERS,
    NODE_MAC,
    RETA,
    RSS_KEY,
    VIP,
    Node,
    generation,
    ip_command,
    namespaces,
    socket_in,
    start,
    tvsd,
    until,
    wire_in,
)
from tests.naive.craft import Frame
from tests.naive.nic import toeplitz
from tests.naive.site import ip
from tests.naive.sync import ESTABLISHED, Peer, Told
from tests.naive.wire import ETH, TCP

pytestmark = pytest.mark.lab

KEY = bytes(range(16))
KEY_TEXT = "0706050403020100" + "0f0e0d0c0b0a0908"  # two words, the highest digit first
CONTRACT = 7
PORT = 7000
NODE = "192.0.2.11"
PEER = "192.0.2.12"
SERVER = ip("10.20.0.1")
PEER_LIP = LIP_BASE + 16
WORKER = 2  # owns it
SYN, ACK, FIN = 2, 16, 1


def client_of(worker: int, number: int) -> tuple[int, int]:
    """An address and port whose requests RSS brings to the worker."""
    for port in range(20000 + 100 * number, 30000):
        data = (
            b"".join((ip("198.18.0.1").to_bytes(4, "big"), VIP.to_bytes(4, "big")))
            + port.to_bytes(2, "big")
            + (80).to_bytes(2, "big")
        )
        if RETA[toeplitz(RSS_KEY, data) % len(RETA)] == worker:
            return ip("198.18.0.1"), port
    raise AssertionError


def told(number: int, state: int = ESTABLISHED, local: int = PEER_LIP) -> Told:
    address, port = client_of(WORKER, number)
    return Told((address, VIP, port, 80), (local, SERVER, 40000 + number, 8080), TCP, state)


@dataclass
class Other:
    """The peer: a socket at its address, an end for each worker, a thread that answers."""

    wire: socket.socket
    ends: list[Peer]
    answers: bool = True
    strays: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.wire.settimeout(0.05)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        self.wire.close()

    def send(self, data: bytes) -> None:
        self.wire.sendto(data, (NODE, PORT))

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                data, _ = self.wire.recvfrom(2000)
            except TimeoutError:
                continue
            try:
                answers = self.ends[data[15]].hear(data) if self.answers else []
            except AssertionError as wrong:
                self.strays.append(str(wrong))
                continue
            for answer in answers:
                self.send(answer)


@contextmanager
def cluster(
    directory: Path, *, answers: bool = True, sessions: list[Told] | None = None, **variant: str
) -> Iterator[tuple[Node, Other]]:
    """A node and its peer on one link; the node may announce at any time from now on."""
    secrets = directory / "secrets"
    secrets.mkdir()
    (secrets / "sync.key").write_text(KEY_TEXT + "\n", encoding="ascii")
    shared_object = generation(directory, N_PEERS="1", **variant)
    with namespaces() as (name, far):
        process = start(name, shared_object, directory)
        control = directory / "run" / "tvsd.sock"
        log = directory / "log"
        try:
            until("the daemon answers", control.exists)
            ip_command("-n", name, "link", "set", "nic", "netns", far)
            for address in ("192.0.2.1/24", f"{PEER}/24"):
                ip_command("-n", far, "addr", "add", address, "dev", "nic")
            ip_command("-n", far, "link", "set", "nic", "up")
            ends = [Peer(KEY, 1, 0, w, CONTRACT, 1000 + w) for w in range(N_WORKERS)]
            ends[WORKER].sessions = sessions or []
            with (
                wire_in(far, "nic") as wire,
                Other(socket_in(far, (PEER, PORT)), ends, answers) as other,
            ):
                yield Node(process, name, far, control, log, wire), other
                assert other.strays == []
        finally:
            process.kill()
            process.wait()


def sync_counter(machine: Node, name: str) -> int:
    return sum(worker["sync"][name] for worker in machine.ask("counters")["workers"])


def dropped(machine: Node, reason: str) -> int:
    return sum(worker["drops"][reason] for worker in machine.ask("counters")["workers"])


def announced(machine: Node) -> bool:
    return bool(machine.ask("status")["announced"])


def forwarded(machine: Node, session: Told, flags: int) -> bytes:
    """The request of the session's client, as it came out of the node; asked until it does."""
    far_mac = machine.wire.getsockname()[4]
    source, destination, source_port, destination_port = session.request
    frame = bytes(
        Frame(source, destination, TCP, source_port, destination_port, flags, l2=NODE_MAC + far_mac)
    )
    machine.wire.settimeout(0.1)
    for _ in range(50):
        machine.wire.send(frame)
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            try:
                out = machine.wire.recv(2000)
            except TimeoutError:
                break
            if out[6:12] == NODE_MAC and out[12:14] == b"\x08\x00" and out[ETH + 9] == TCP:
                return out
    raise AssertionError("the node forwards nothing")


def onward(session: Told) -> bytes:
    source, destination, source_port, destination_port = session.onward
    addresses = source.to_bytes(4, "big") + destination.to_bytes(4, "big")
    return addresses + source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")


def test_a_node_learns_its_peers_sessions_before_it_announces(tmp_path: Path) -> None:
    """Also one of its own local IPs, that it lost with its last life: the port is not free."""
    theirs, ours = told(1), told(2, local=LIP_BASE + 4)
    with cluster(tmp_path, sessions=[theirs, ours]) as (machine, other):
        until("it announces", lambda: announced(machine), 10)
        assert all(end.is_believed for end in other.ends)
        assert other.ends[WORKER].pulled == 1
        listed = machine.ask("sessions 10")["sessions"]
        assert {(s["local"], s["copy"], s["state"]) for s in listed} == {
            ("172.16.0.16:40001", True, "established"),
            ("172.16.0.4:40002", False, "established"),
        }
        assert forwarded(machine, theirs, ACK)[ETH + 12 : ETH + 24] == onward(theirs)
        assert forwarded(machine, ours, ACK)[ETH + 12 : ETH + 24] == onward(ours)
        status = machine.ask("status")["sync"]
        assert status == {
            "ready": True,
            "port": PORT,
            "peers": [{"node": "other", "state": "here"}],
        }


def test_alone_it_announces_after_a_moment(tmp_path: Path) -> None:
    with cluster(tmp_path, answers=False) as (machine, _):
        assert not announced(machine)
        until("it announces", lambda: announced(machine), 10)
        assert machine.ask("status")["sync"]["peers"] == [{"node": "other", "state": "absent"}]


@pytest.mark.parametrize("idle", ["TVS_IDLE_BUSY", "TVS_IDLE_INTERRUPT"])
def test_updates_are_told_and_taken(tmp_path: Path, idle: str) -> None:
    with cluster(tmp_path, IDLE=idle, WATCHDOG_MS="10000") as (machine, other):
        until("it announces", lambda: announced(machine), 10)
        copy = told(3)
        other.send(other.ends[WORKER].update([copy]))
        until("the session is there", lambda: sync_counter(machine, "learned") == 1)
        assert forwarded(machine, copy, ACK)[ETH + 12 : ETH + 24] == onward(copy)
        forwarded(machine, copy, FIN | ACK)

        def is_told() -> bool:
            return any(
                heard.request == copy.request and heard.state > ESTABLISHED
                for heard in other.ends[WORKER].learned
            )

        until("the peer is told of the FIN", is_told)


def test_what_is_not_a_peers_is_refused_and_counted(tmp_path: Path) -> None:
    with cluster(tmp_path) as (machine, other):
        until("it announces", lambda: announced(machine), 10)
        end = other.ends[WORKER]
        genuine = end.update([told(4)])
        other.send(genuine[:-1] + bytes([genuine[-1] ^ 1]))
        until("a forged one is counted", lambda: sync_counter(machine, "forged") == 1)
        other.send(genuine)
        until("the genuine one is taken", lambda: sync_counter(machine, "learned") == 1)
        other.send(genuine)
        until("a replayed one is counted", lambda: sync_counter(machine, "replayed") == 1)
        other.send(genuine[:20])
        until("a short one is counted", lambda: sync_counter(machine, "malformed") == 1)
        stranger = Peer(KEY, 5, 0, WORKER, CONTRACT, 1)
        other.send(stranger.hello())
        until("a stranger is counted", lambda: sync_counter(machine, "stranger") == 1)
        end.contract = CONTRACT + 1
        other.send(end.hello())
        until("another contract is counted", lambda: sync_counter(machine, "contract") == 1)
        until("it says so", lambda: "compiled with another sync contract" in machine.said())
        assert "wrong MAC" in machine.said()
        assert machine.summed("sync") == sync_counter(machine, "received")
        with socket_in(machine.far, ("192.0.2.1", 0)) as elsewhere:
            elsewhere.sendto(genuine, (NODE, PORT))
            until("another address is dropped", lambda: dropped(machine, "sync_no_peer") == 1)
        end.worker = 63
        other.send(end.hello())

        until("no such worker", lambda: dropped(machine, "sync_no_worker") == 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "the key cannot be read from {}: No such file or directory"),
        ("/", "the key cannot be read from {}: Is a directory"),
        ("", "the key in {} is not 32 hexadecimal digits, {}: it is empty"),
        ("beef", "the key in {} is not 32 hexadecimal digits, {}: it is shorter"),
        ("g" * 32, "the key in {} is not 32 hexadecimal digits, {}: it has another character"),
        (KEY_TEXT + "0", "the key in {} is not 32 hexadecimal digits, {}: it is longer"),
    ],
    ids=["missing", "directory", "empty", "short", "digits", "long"],
)
def test_without_a_key_it_does_not_start(tmp_path: Path, text: str | None, reason: str) -> None:
    """It says which file it is and what is wrong with it, not what is in it; so does --check."""
    path = tmp_path / "secrets" / "sync.key"
    (path if text == "/" else path.parent).mkdir(parents=True)
    if text is not None and text != "/":
        path.write_text(text, encoding="ascii")
    shared_object = generation(tmp_path, N_PEERS="1")
    expected = reason.format(path, "such as `openssl rand -hex 16` prints")
    checked = checking(shared_object, path.parent)
    assert checked.returncode == 1
    assert expected in checked.stderr
    with namespaces() as (name, _):
        process = start(name, shared_object, tmp_path)
        assert process.wait(10) == 1
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert expected in said
    assert len(text or "") < 2 or str(text) not in said + checked.stderr


def checking(shared_object: Path, secrets: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(tvsd()), "--generation", str(shared_object), "--secrets-dir", str(secrets)]
    return subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", ["{}", "{}\n", "  {}\r\n"], ids=["bare", "line", "crlf"])
def test_a_check_finds_the_key(tmp_path: Path, text: str) -> None:
    (tmp_path / "sync.key").write_text(text.format(KEY_TEXT.upper()), encoding="ascii", newline="")
    checked = checking(generation(tmp_path, N_PEERS="1"), tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "session sync with 1 nodes on UDP port 7000, the key is there" in checked.stdout


def test_a_path_may_be_too_long(tmp_path: Path) -> None:
    checked = checking(generation(tmp_path, N_PEERS="1", KEY='"' + "k/" * 2047 + 'k"'), tmp_path)
    assert checked.returncode == 1
    assert "the path of the key is too long" in checked.stderr


def test_a_key_may_be_in_the_environment(tmp_path: Path) -> None:
    shared_object = generation(tmp_path, N_PEERS="1", KEY='"TVS_TEST_KEY"', KEY_IS_ENV="true")
    with namespaces() as (name, _):
        process = start(name, shared_object, tmp_path)
        assert process.wait(10) == 1
        assert "the environment has no TVS_TEST_KEY" in (tmp_path / "log").read_text("utf-8")
        process = start(name, shared_object, tmp_path, TVS_TEST_KEY=KEY_TEXT)
        try:
            until("the daemon answers", (tmp_path / "run" / "tvsd.sock").exists)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ({"N_PEERS": "0"}, "session memory changes|session sync changes"),
        ({"KEY": '"other.key"'}, "session sync changes"),
    ],
    ids=["gone", "key"],
)
def test_a_reload_that_changes_sync_needs_a_restart(
    tmp_path: Path, variant: dict[str, str], reason: str
) -> None:
    other = generation(tmp_path, **{"N_PEERS": "1", **variant})
    with cluster(tmp_path) as (machine, _):
        answer = str(machine.ask(f"reload {other}"))
        assert any(each in answer for each in reason.split("|")), answer
