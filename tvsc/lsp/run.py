"""Starts the server on its transport, with its log on stderr, and ends the process."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

from tvsc.lower.blocks import version
from tvsc.lsp import features
from tvsc.lsp.protocol import RefusedError
from tvsc.lsp.server import make_server

LOOPBACK = "127.0.0.1"


class _Short(logging.Formatter):
    """One line a message: tracebacks are for TVSC_DEBUG."""

    def formatException(self, ei: object) -> str:  # noqa: ARG002, N802 - logging's name
        return ""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None
        return super().format(record).partition("\n")[0]


class _NoRefusals(logging.Filter):
    """A refused request has its answer; it is nothing for the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, RefusedError)


def serve(tcp_port: int | None, verbose: bool) -> NoReturn:
    """Serve one client, then end the process: 0 after an orderly shutdown, else 1."""
    _log(verbose)
    version()  # of the program that runs, not of one that is installed meanwhile
    server = make_server()
    features.register(server)
    try:
        if tcp_port is None:
            server.start_io()
        else:
            server.start_tcp(LOOPBACK, tcp_port)
    finally:
        # The thread that reads stdin waits for a client that may never close it, and one that
        # analyses a large site has seconds to go: nothing of them is wanted any more.
        logging.shutdown()
        sys.stderr.flush()
        if sys.exc_info()[0] is None:
            os._exit(0 if server.orderly else 1)
    raise AssertionError


def _log(verbose: bool) -> None:
    debug = os.environ.get("TVSC_DEBUG", "") not in ("", "0")
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_NoRefusals())
    pattern = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(pattern) if debug else _Short(pattern))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, handlers=[handler])
