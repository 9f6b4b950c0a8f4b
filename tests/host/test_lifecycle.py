"""How the daemon starts, refuses, flips, stops and dies."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.host.node import (
    NODE_ADDRESS,
    NODE_MAC,
    VIP,
    generation,
    namespaces,
    node,
    start,
    tvsd,
    until,
)
from tests.naive.craft import Frame
from tests.naive.site import ip
from tests.naive.wire import ETH, ICMP

pytestmark = pytest.mark.lab

FAR = ip("192.0.2.1")


def echo(destination: int, far_mac: bytes) -> bytes:
    return bytes(
        Frame(
            source=FAR,
            destination=destination,
            proto=ICMP,
            source_port=7,
            destination_port=1,
            payload=b"are you there",
            l2=NODE_MAC + far_mac,
        )
    )


@pytest.mark.parametrize("idle", ["TVS_IDLE_BUSY", "TVS_IDLE_INTERRUPT"])
@pytest.mark.parametrize("destination", [VIP, NODE_ADDRESS], ids=["vip", "kernel"])
def test_echo_is_answered(tmp_path: Path, idle: str, destination: int) -> None:
    with node(generation(tmp_path, IDLE=idle, WATCHDOG_MS="10000"), tmp_path) as machine:
        far_mac = machine.wire.getsockname()[4]
        machine.wire.settimeout(0.1)
        answers: list[bytes] = []

        def answered() -> bool:
            # again and again: until the node knows the far MAC it can answer nobody
            machine.wire.send(echo(destination, far_mac))
            while not answers:
                try:
                    frame = machine.wire.recv(2000)
                except TimeoutError:
                    return False
                if frame[:6] == far_mac and frame[12:14] == b"\x08\x00" and frame[23] == ICMP:
                    answers.append(frame)
            return True

        until("an echo is answered", answered)
        answer = answers[0]
        assert answer[ETH + 12 : ETH + 20] == destination.to_bytes(4, "big") + FAR.to_bytes(
            4, "big"
        )
        assert answer[ETH + 20] == 0
        assert answer.endswith(b"are you there")


def test_sigterm_withdraws_and_ends_with_0(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        assert len(machine.routes().splitlines()) == 3
        machine.process.send_signal(signal.SIGTERM)
        assert machine.wait() == 0
        assert machine.routes() == ""
        assert not machine.control.exists()
        assert list((tmp_path / "run").iterdir()) == []


def test_a_kill_takes_the_routes_along(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        assert machine.routes() != ""
        machine.process.kill()
        machine.wait()
        until("no route is left", lambda: machine.routes() == "", 1)


def test_a_worker_that_stands_still_ends_the_process(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        machine.wire.send(NODE_MAC + bytes(6) + b"\xde\xad" + bytes(50))
        assert machine.wait(10) == -signal.SIGABRT
        assert "has not turned for 1000 ms: routes withdrawn" in machine.said()
        assert machine.routes() == ""


def test_a_stopped_process_goes_on_where_it_was(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        machine.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        machine.process.send_signal(signal.SIGCONT)
        time.sleep(1)
        assert machine.process.poll() is None


def test_a_reload_flips_every_worker(tmp_path: Path) -> None:
    first, second = generation(tmp_path), generation(tmp_path, ID='"second"')
    with node(first, tmp_path) as machine:
        assert machine.ask("status")["generation"]["id"] == "first"
        machine.ask(f"reload {second}")
        assert machine.ask("status")["generation"]["id"] == "second"
        assert len(machine.routes().splitlines()) == 3
        frame = echo(VIP, machine.wire.getsockname()[4])
        until(
            "the new path answers", lambda: machine.wire.send(frame) and machine.summed("tx_local")
        )


def test_a_path_is_loaded_anew(tmp_path: Path) -> None:
    """What is under the loaded path now counts: another file, one written over, half a file."""
    path = generation(tmp_path, ID='"first"')
    second = generation(tmp_path, ID='"second"').read_bytes()
    with node(path, tmp_path) as machine:
        (tmp_path / "new.so").write_bytes(second)
        (tmp_path / "new.so").rename(path)
        machine.ask(f"reload {path}")
        assert machine.ask("status")["generation"]["id"] == "second"
        path.write_bytes(second[: len(second) // 2])
        assert "cut short" in str(machine.ask(f"reload {path}"))
        assert machine.ask("status")["generation"]["id"] == "second"
        path.write_bytes(second.replace(b"second", b"third!"))
        machine.ask(f"reload {path}")
        assert machine.ask("status")["generation"]["id"] == "third!"


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ({"ABI": "7"}, "ABI version 7, this host speaks"),
        ({"MODE": "TVS_STEER_SOFTWARE"}, "steering changes, which needs a restart"),
        ({"IDLE": "TVS_IDLE_BUSY"}, "the idle policy changes, which needs a restart"),
        ({"VLAN": "100"}, "a port changes, which needs a restart"),
    ],
    ids=["abi", "steering", "idle", "vlan"],
)
def test_a_refused_generation_leaves_the_old_one_serving(
    tmp_path: Path, variant: dict[str, str], reason: str
) -> None:
    other = generation(tmp_path, ID='"second"', **variant)
    with node(generation(tmp_path), tmp_path) as machine:
        assert reason in str(machine.ask(f"reload {other}"))
        assert machine.ask("status")["generation"]["id"] == "first"


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ({"ABI": "7"}, "refused: ABI version 7"),
        ({"DEVICE": '"net_nothing0"', "FAMILY": "TVS_NIC_NONE"}, "DPDK does not start"),
        (
            {"DEVICE": '"net_null0"', "FAMILY": "TVS_NIC_IXGBE"},
            "port fwd: driver net_null does not accept flow rule 1 of 10 (172.16.0.0",
        ),
        (
            {"FAMILY": "TVS_NIC_IXGBE"},
            "port fwd: driver net_tap has a RETA of 0, the generation one of 128",
        ),
        ({"SHARED": "false"}, "core 1003 for worker 3 is not there"),
        ({"HUGEPAGE_MB": "4000000"}, "MB of huge pages are free, the node needs 4000000 MB"),
        (
            {"IS_VDEV": "false", "DEVICE": '"ffff:ff:1f.7"', "FAMILY": "TVS_NIC_IXGBE"},
            "port fwd: there is no PCI device ffff:ff:1f.7",
        ),
    ],
    ids=["abi", "driver", "flow-rules", "reta", "cores", "huge-pages", "pci"],
)
def test_what_the_machine_cannot_do_keeps_the_node_from_starting(
    tmp_path: Path, variant: dict[str, str], reason: str
) -> None:
    with namespaces() as (name, _):
        process = start(name, generation(tmp_path, **variant), tmp_path)
        assert process.wait(10) == 1
    assert reason in (tmp_path / "log").read_text(encoding="utf-8")


def test_without_the_right_to_bpf_it_says_which(tmp_path: Path) -> None:
    with namespaces() as (name, _):
        without = "--bounding-set=-bpf,-sys_admin"
        command = ["ip", "netns", "exec", name, "setpriv", without, str(tvsd())]
        command += ["--generation", str(generation(tmp_path)), "--run-dir", str(tmp_path / "run")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    assert "CAP_BPF" in done.stderr
    assert "`steering software`" in done.stderr
