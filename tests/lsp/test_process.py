"""The process `tvsc lsp`: its transports, its exit status, and what it does with nonsense."""

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable
from pathlib import Path

import pytest
from lsprotocol import types

from tests.lsp.client import TIMEOUT_S, Editor, capabilities, editor, talk
from tests.lsp.wire import COMMAND, EXIT, INITIALIZE, SHUTDOWN, answers, message, run
from tvsc.lsp.protocol import RefusedError
from tvsc.lsp.server import guarded

pytestmark = pytest.mark.slow

LAPTOP = (Path(__file__).parents[2] / "examples" / "laptop" / "site.tvs").read_text(
    encoding="utf-8"
)


def test_orderly_end() -> None:
    result = run(INITIALIZE + message("initialized", params={}) + SHUTDOWN + EXIT)
    assert (result.returncode, result.stderr) == (0, b"")
    first, last = answers(result.stdout)
    assert first["id"] == 1 and last == {"jsonrpc": "2.0", "id": 9, "result": None}


@pytest.mark.parametrize("data", [b"", INITIALIZE, INITIALIZE + EXIT], ids=["eof", "eof2", "exit"])
def test_without_shutdown_the_status_is_1(data: bytes) -> None:
    result = run(data)
    assert (result.returncode, result.stderr) == (1, b"")


def test_exit_does_not_wait_for_the_client_to_close() -> None:
    """Neither the thread that reads nor an analysis keeps the process."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(INITIALIZE + SHUTDOWN + EXIT)
            process.stdin.flush()
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()


def test_nonsense_is_answered_without_a_traceback() -> None:
    """Unknown requests, wrong parameters, documents that are not open: the server goes on."""
    uri = "file:///nowhere/site.tvs"
    place = {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 2}}
    change = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "x"}]}
    result = run(
        INITIALIZE
        + message("textDocument/nonsense", 2, place)
        + message("textDocument/hover", 3, place)
        + message("textDocument/hover", 4, {"textDocument": 7})
        + message("textDocument/rename", 5, {**place, "newName": "x"})
        + message("textDocument/didChange", params=change)
        + message("textDocument/didClose", params={"textDocument": {"uri": uri}})
        + message("textDocument/completion", 6, place)
        + message("textDocument/formatting", 7, {**place, "options": {"tabSize": 4}})
        + message("textDocument/hover", 8, place)
        + SHUTDOWN
        + EXIT
    )
    assert result.returncode == 0
    found = {answer.get("id"): answer for answer in answers(result.stdout)}
    assert all("error" in found[number] for number in (2, 4, 5))
    assert found[3]["result"] is None and found[8]["result"] is None
    assert found[9]["result"] is None
    text = result.stdout.decode() + result.stderr.decode()
    assert "Traceback" not in text and 'File "' not in text
    assert "not open" in json.dumps(found[5])


def test_a_signal_ends_it() -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(INITIALIZE)
            process.stdin.flush()
            assert process.stdout.readline().startswith(b"Content-Length")
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == -signal.SIGTERM
        finally:
            process.kill()


def test_tcp(tmp_path: Path) -> None:
    """One client on the loopback; its orderly end is that of the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def session() -> int:
        server = await asyncio.create_subprocess_exec(*COMMAND, "--tcp", str(port))
        try:
            client = Editor()
            for _ in range(TIMEOUT_S * 10):
                try:
                    await client.start_tcp("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.1)
            await client.initialize_async(types.InitializeParams(capabilities()))
            uri = client.open(tmp_path / "site.tvs", LAPTOP + "pool {\n")
            await client.until_codes(uri, "TVS0013")
            await client.shutdown_async(None)
            client.exit(None)
            return await asyncio.wait_for(server.wait(), TIMEOUT_S)
        finally:
            if server.returncode is None:
                server.kill()
                await server.wait()

    assert talk(session()) == 0


def test_a_pipe_in_the_place_of_a_file(tmp_path: Path) -> None:
    """Nothing waits for a writer that never comes."""
    fifo = tmp_path / "part.tvs"
    os.mkfifo(fifo)

    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "site.tvs", LAPTOP + 'include "part.tvs"\n')
            await client.until_codes(uri, "TVS0001")

    talk(session())


def test_a_handler_that_fails_answers_with_nothing(caplog: pytest.LogCaptureFixture) -> None:
    @guarded
    async def broken(_: object) -> int:
        raise KeyError("a bug")

    @guarded
    async def refusing(_: object) -> int:
        raise RefusedError("not this one")

    assert asyncio.run(_awaited(broken(1))) is None
    assert "KeyError: 'a bug'" in caplog.text
    with pytest.raises(RefusedError, match="not this one"):
        asyncio.run(_awaited(refusing(1)))


async def _awaited(answer: Awaitable[int | None]) -> int | None:
    return await answer
