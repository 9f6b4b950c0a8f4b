"""Messages as they are on the wire, for what no client library sends."""

import json
import subprocess
import sys
from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "tvsc.cli.main", "lsp"]


def message(method: str | None, number: int | None = None, params: object = None) -> bytes:
    body: dict[str, object] = {"jsonrpc": "2.0"}
    if method is not None:
        body["method"] = method
    if number is not None:
        body["id"] = number
    if params is not None:
        body["params"] = params
    return frame(json.dumps(body).encode())


def frame(data: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(data) + data


def answers(data: bytes) -> Iterator[dict[str, object]]:
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        yield json.loads(data[:length])
        data = data[length:]


INITIALIZE = message("initialize", 1, {"processId": None, "rootUri": None, "capabilities": {}})
SHUTDOWN = message("shutdown", 9)
EXIT = message("exit")


def run(data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(COMMAND, input=data, capture_output=True, timeout=60, check=False)
