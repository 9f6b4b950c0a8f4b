"""The server: registers one handler for each request of the protocol and answers with the modules
beside it.

A handler that fails says so in the log and answers with nothing: an editor goes on working.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.io_ import run_async
from pygls.lsp.server import LanguageServer

from tvsc import __version__
from tvsc.lsp.diagnostics import Wishes
from tvsc.lsp.protocol import Protocol, RefusedError
from tvsc.lsp.session import Session
from tvsc.lsp.shape import strict_converter
from tvsc.lsp.text import Buffer, LineIndex, changed, clean
from tvsc.lsp.uris import key_of, path_of

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

WATCHED = "**/*.{tvs,csv,txt}"


class Server(LanguageServer):
    """One client, and its session."""

    def __init__(self) -> None:
        super().__init__(
            "tvsc", __version__, protocol_cls=Protocol, converter_factory=strict_converter
        )
        self.session = Session(self.publish)

    def start_tcp(self, host: str, port: int) -> None:
        """Serve the first client that connects, and end with it; nobody else gets in."""
        # Of the library, a second client would get the answers of the first, and a connection that
        # breaks would leave the process behind.
        with suppress(KeyboardInterrupt, SystemExit):
            asyncio.run(self._serve_first(host, port))

    async def _serve_first(self, host: str, port: int) -> None:
        first: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        first = asyncio.get_running_loop().create_future()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if first.done():
                writer.close()
            else:
                first.set_result((reader, writer))

        listener = await asyncio.start_server(connected, host, port)
        reader, writer = await first
        listener.close()
        self.protocol.set_writer(writer)
        try:
            await run_async(
                threading.Event(), reader, self.protocol, error_handler=self.report_server_error
            )
        except (OSError, EOFError, ValueError) as error:
            log.warning("the connection broke: %s", error)

    @property
    def orderly(self) -> bool:
        """Whether the client ended the session as the protocol wants it."""
        assert isinstance(self.protocol, Protocol)
        return self.protocol.orderly

    def publish(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        """Send the diagnostics of one file."""
        params = types.PublishDiagnosticsParams(uri=uri, diagnostics=found, version=version)
        self.text_document_publish_diagnostics(params)

    def say(self, message: str) -> None:
        """A message that the user sees."""
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    def report_server_error(self, error: Exception, source: object) -> None:
        """What goes wrong outside of a request goes to the log; a refusal is no mistake."""
        if source is JsonRpcException:  # from the loop that reads: it was no JSON
            assert isinstance(self.protocol, Protocol)
            self.protocol.refuse_unreadable(error)
        elif not isinstance(error, RefusedError):
            log.error("%s: %s", type(error).__name__, error)


def guarded(
    handler: Callable[P, Awaitable[R]],
) -> Callable[P, Awaitable[R | None]]:
    """The handler; when it fails, the answer is nothing. A refusal goes to the client."""

    @functools.wraps(handler)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return await handler(*args, **kwargs)
        except RefusedError:
            raise
        except Exception as error:
            log.exception("%s failed: %s: %s", handler.__name__, type(error).__name__, error)
            return None

    return run


def make_server() -> Server:
    """A server with all of its handlers."""
    server = Server()
    _session(server)
    _documents(server)
    return server


def _session(server: Server) -> None:
    session = server.session

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        told = params.capabilities.text_document
        diagnostics = told.publish_diagnostics if told is not None else None
        encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
        session.wishes = Wishes(
            getattr(encoding, "value", encoding),
            related=bool(diagnostics and diagnostics.related_information),
            code_links=bool(diagnostics and diagnostics.code_description_support),
        )
        uris = [folder.uri for folder in params.workspace_folders or ()]
        if not uris and params.root_uri:
            uris = [params.root_uri]
        session.folders = [path for path in map(path_of, uris) if path is not None]

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        workspace = server.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace is not None else None
        if watching is None or not watching.dynamic_registration:
            return
        options = types.DidChangeWatchedFilesRegistrationOptions(
            watchers=[types.FileSystemWatcher(glob_pattern=WATCHED)]
        )
        registration = types.Registration(
            "watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options
        )
        try:
            await server.client_register_capability_async(types.RegistrationParams([registration]))
        except Exception as error:
            log.warning("the client does not watch files: %s", error)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders_changed(params: types.DidChangeWorkspaceFoldersParams) -> None:
        gone = {path_of(folder.uri) for folder in params.event.removed}
        new = [path_of(folder.uri) for folder in params.event.added]
        kept = [folder for folder in session.folders if folder not in gone]
        session.folders = kept + [path for path in new if isinstance(path, Path)]
        session.files_changed()


def _documents(server: Server) -> None:
    session = server.session

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        document = params.text_document
        lines = LineIndex(clean(document.text), session.wishes.encoding)
        uri = document.uri
        session.opened(
            Buffer(uri, key_of(uri), path_of(uri), document.language_id, document.version, lines)
        )

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        document = params.text_document
        buffer = session.buffers.get(key_of(document.uri))
        if buffer is None:
            log.warning("%s was changed and is not open", document.uri)
            return
        lines = buffer.lines
        for change in params.content_changes:
            lines = changed(lines, change)
        session.edited(
            Buffer(buffer.uri, buffer.key, buffer.path, buffer.language, document.version, lines)
        )

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        session.closed(key_of(params.text_document.uri))

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def watched(params: types.DidChangeWatchedFilesParams) -> None:
        kinds = {change.type for change in params.changes}
        keys = [key_of(change.uri) for change in params.changes]
        if kinds == {types.FileChangeType.Changed}:
            session.saved_elsewhere(keys)
        else:
            session.files_changed()
