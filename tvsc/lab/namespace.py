"""Network namespaces: making, entering, configuring, removing them."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from tvsc.lab.errors import LabError
from tvsc.lab.interrupt import one_step

T = TypeVar("T")

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def exists(name: str) -> bool:
    return (NAMESPACES / name).exists()


def create(name: str) -> None:
    """A new namespace with its loopback up."""
    with one_step():  # or it comes to be after the lab has been taken down
        run_ip(["netns", "add", name])
    run_ip(["-n", name, "link", "set", "lo", "up"])


def delete(name: str) -> None:
    """Removes a namespace and all links in it; harmless when there is none."""
    if exists(name):
        run_ip(["netns", "delete", name])


def run_ip(arguments: list[str]) -> str:
    """`ip ARGUMENTS`, its output; LabError with its words when it fails."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"`ip {' '.join(arguments)}` failed", detail=done.stderr.strip())
    return done.stdout


def batch(name: str, commands: Iterable[str], *, force: bool = False) -> None:
    """Runs `ip` commands inside a namespace, one a line, in one process.

    The first that fails ends it with a LabError; with `force` all are tried and none complains.
    """
    text = "\n".join(commands) + "\n"
    options = ["-force"] if force else []
    done = subprocess.run(
        ["ip", "-n", name, *options, "-batch", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and not force:
        detail = f"{done.stderr.strip()}\n{text.strip()}"
        raise LabError(f"cannot configure namespace {name}", detail=detail)


def inside(name: str, function: Callable[[], T]) -> T:
    """Calls `function` in a thread of its own that has entered the namespace.

    Sockets keep the namespace they were opened in, so one made there may be used anywhere.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            enter(name)
            results.append(function())
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=body, name=f"in {name}", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def enter(name: str) -> None:
    """Moves the calling thread into the namespace for good."""
    path = NAMESPACES / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(f"there is no network namespace {name}") from None
    try:
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def enter_new() -> None:
    """Moves the calling thread into a nameless namespace that ends with the thread."""
    if _libc.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_sysctls(name: str, values: dict[str, str]) -> None:
    """Writes settings below /proc/sys/net, for example `ipv4/ip_forward`, in the namespace.

    Those of IPv6 are left out where the kernel has none.
    """

    def write() -> None:
        for key, value in values.items():
            path = Path("/proc/sys/net", key)
            if path.exists() or not key.startswith("ipv6/"):
                path.write_text(value, encoding="ascii")

    inside(name, write)
