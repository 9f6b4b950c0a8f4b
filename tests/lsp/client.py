"""A language client that starts the real `tvsc lsp` and talks to it as an editor does."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from lsprotocol import types
from pygls.lsp.client import LanguageClient

T = TypeVar("T")

TIMEOUT_S = 20


class Editor(LanguageClient):
    """Open documents with their versions, and what the server said about them."""

    def __init__(self) -> None:
        super().__init__("test-editor", "1")
        self.diagnostics: dict[str, list[types.Diagnostic]] = {}
        self.versions: dict[str, int | None] = {}
        self.published = asyncio.Condition()
        self.shown: list[str] = []
        self.watched: list[types.RegistrationParams] = []
        self.texts: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.result: types.InitializeResult | None = None
        self.exit_code: int | None = None
        self.stderr = b""
        self._listen()

    def _listen(self) -> None:
        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]
        async def publish(params: types.PublishDiagnosticsParams) -> None:
            async with self.published:
                self.diagnostics[params.uri] = list(params.diagnostics)
                self.versions[params.uri] = params.version
                self.published.notify_all()

        @self.feature(types.WINDOW_SHOW_MESSAGE)  # type: ignore[untyped-decorator]
        def show(params: types.ShowMessageParams) -> None:
            self.shown.append(params.message)

        @self.feature(types.CLIENT_REGISTER_CAPABILITY)  # type: ignore[untyped-decorator]
        def watch(params: types.RegistrationParams) -> None:
            self.watched.append(params)

    # --- documents -------------------------------------------------------------------------------

    def open(self, path: Path, text: str | None = None, language: str = "tvs") -> str:
        """Open a file, with the text that it has or another; its URI."""
        if text is None:
            text = path.read_text(encoding="utf-8")
        return self.open_uri(path.as_uri(), text, language)

    def open_uri(self, uri: str, text: str, language: str = "tvs") -> str:
        """Open a document that is no file."""
        self.texts[uri] = text
        self.numbers[uri] = 1
        item = types.TextDocumentItem(uri, language, 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def change(self, uri: str, text: str) -> None:
        """Replace the whole text."""
        self.texts[uri] = text
        self._changed(uri, types.TextDocumentContentChangeWholeDocument(text))

    def edit(self, uri: str, range_: types.Range, text: str) -> None:
        """Replace a range; the server is believed to know what the document is then."""
        self._changed(uri, types.TextDocumentContentChangePartial(range_, text))

    def _changed(self, uri: str, change: types.TextDocumentContentChangeEvent) -> None:
        self.numbers[uri] += 1
        document = types.VersionedTextDocumentIdentifier(version=self.numbers[uri], uri=uri)
        self.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def close(self, uri: str) -> None:
        """Close a document."""
        self.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
        )

    def files_changed(self, path: Path, kind: types.FileChangeType) -> None:
        """Say that a file changed on disk."""
        change = types.FileEvent(path.as_uri(), kind)
        self.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))

    def apply_edits(self, uri: str, edits: Sequence[types.TextEdit]) -> None:
        """Edit an open document, or a file that is not open, as an editor does."""
        path = Path(unquote(uri.removeprefix("file://")))
        text = self.texts[uri] if uri in self.texts else path.read_text(encoding="utf-8")
        lines = text.split("\n")

        def offset(position: types.Position) -> int:
            before = sum(len(line) + 1 for line in lines[: position.line])
            if position.line == len(lines):
                return len(text) + 1 if text and not text.endswith("\n") else len(text)
            data = lines[position.line].encode("utf-16-le")[: 2 * position.character]
            return before + len(data.decode("utf-16-le"))

        for edit in sorted(edits, key=lambda e: offset(e.range.start), reverse=True):
            start, end = offset(edit.range.start), offset(edit.range.end)
            text = text[:start] + edit.new_text + text[end:]
        if uri in self.texts:
            self.change(uri, text)
        else:
            path.write_text(text, encoding="utf-8")
            self.files_changed(path, types.FileChangeType.Changed)

    def apply(self, edit: types.WorkspaceEdit) -> None:
        """Apply the edits of a rename."""
        for change in edit.document_changes or ():
            assert isinstance(change, types.TextDocumentEdit)
            uri = change.text_document.uri
            assert change.text_document.version == self.numbers.get(uri)
            edits = [one for one in change.edits if isinstance(one, types.TextEdit)]
            assert len(edits) == len(change.edits)
            self.apply_edits(uri, edits)

    def at(self, uri: str, marker: str, inside: int = 0) -> types.Position:
        """The position `inside` characters after the start of a text that stands there once."""
        text = self.texts[uri]
        assert text.count(marker) == 1, (marker, text.count(marker))
        before = text[: text.index(marker) + inside]
        line = before.count("\n")
        column = before.rpartition("\n")[2]
        return types.Position(line, len(column.encode("utf-16-le")) // 2)

    # --- waiting ---------------------------------------------------------------------------------

    async def until(self, uri: str, holds: Callable[[list[types.Diagnostic]], bool]) -> None:
        """Until the diagnostics of a file are as they should be."""
        async with self.published:
            done = self.published.wait_for(
                lambda: uri in self.diagnostics and holds(self.diagnostics[uri])
            )
            try:
                await asyncio.wait_for(done, TIMEOUT_S)
            except TimeoutError:
                found = {u: [(d.code, d.message) for d in ds] for u, ds in self.diagnostics.items()}
                raise AssertionError(f"{uri} has other diagnostics: {found}") from None

    async def next_publication(self) -> None:
        """Until the server says something again."""
        async with self.published:
            await asyncio.wait_for(self.published.wait(), TIMEOUT_S)

    async def until_codes(self, uri: str, *codes: str) -> list[types.Diagnostic]:
        """Until a file has exactly these codes, in their order; its diagnostics. Of the warnings
        only `TVS0201` counts: new ones must not break tests about something else.
        """
        await self.until(uri, lambda found: [d.code for d in _counted(found)] == list(codes))
        return _counted(self.diagnostics[uri])


def _counted(found: list[types.Diagnostic]) -> list[types.Diagnostic]:
    error = types.DiagnosticSeverity.Error
    return [d for d in found if d.severity is error or d.code == "TVS0201"]


def capabilities(
    encodings: list[types.PositionEncodingKind | str] | None = None,
) -> types.ClientCapabilities:
    """What an editor like VS Code can do."""
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=encodings),
        workspace=types.WorkspaceClientCapabilities(
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
            did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(
                dynamic_registration=True
            ),
        ),
        text_document=types.TextDocumentClientCapabilities(
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(
                related_information=True, code_description_support=True, version_support=True
            ),
            completion=types.CompletionClientCapabilities(
                completion_item=types.ClientCompletionItemOptions(snippet_support=True)
            ),
            rename=types.RenameClientCapabilities(prepare_support=True),
            document_symbol=types.DocumentSymbolClientCapabilities(
                hierarchical_document_symbol_support=True
            ),
        ),
    )


@asynccontextmanager
async def editor(
    folder: Path | None = None,
    encodings: list[types.PositionEncodingKind | str] | None = None,
) -> AsyncGenerator[Editor, None]:
    """An editor with a server, which at the end is told to go and must do so with status 0."""
    client = Editor()
    command = [sys.executable, "-m", "tvsc.cli.main", "lsp"]
    await client.start_io(*command, env={**os.environ, "PYTHONWARNINGS": "error"})
    server = client._server
    assert server is not None and server.stderr is not None
    errors = asyncio.create_task(server.stderr.read())
    try:
        uri = None if folder is None else folder.as_uri()
        folders = None if uri is None else [types.WorkspaceFolder(uri, "site")]
        client.result = await client.initialize_async(
            types.InitializeParams(
                capabilities(encodings), root_uri=uri, workspace_folders=folders, process_id=None
            )
        )
        client.initialized(types.InitializedParams())
        yield client
        await asyncio.wait_for(client.shutdown_async(None), TIMEOUT_S)
        client.exit(None)
        client.exit_code = await asyncio.wait_for(server.wait(), TIMEOUT_S)
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
        client.stderr = await errors
        await client.stop()  # type: ignore[no-untyped-call]
    assert client.stderr == b"", client.stderr.decode()
    assert client.exit_code == 0


def talk(session: Coroutine[None, None, T]) -> T:
    """Run a session to its end."""
    return asyncio.run(session)
