"""The requests about a place in a document: waits for the analysis where it must, asks the modules
beside it, and answers for the first of the file's sites that knows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from lsprotocol import types

from tvsc.lsp import completion, navigate
from tvsc.lsp.formatting import format_buffer
from tvsc.lsp.hover import hover
from tvsc.lsp.protocol import ModifiedError, RefusedError
from tvsc.lsp.renaming import Place, renamed_files, workspace_edit
from tvsc.lsp.server import Server, guarded
from tvsc.lsp.session import Session
from tvsc.lsp.uris import key_of
from tvsc.lsp.view import View, views

R = TypeVar("R")

WAIT_S = 2.0
"""A question waits so long for the current text to be analysed. Where that takes longer, it is
answered from the last analysis at once."""


def register(server: Server) -> None:
    """Add the handlers."""
    _questions(server)
    _outline(server)
    _completion(server)
    _formatting(server)
    _rename(server)


async def _first(session: Session, uri: str, ask: Callable[[View], R | None]) -> R | None:
    """The first answer that is one, of the sites that have the document."""
    key = key_of(uri)
    asked = session.buffers.get(key)
    await session.settle_if_quick(key, WAIT_S)
    if session.buffers.get(key) is not asked:
        raise ModifiedError
    return next((answer for view in views(session, key) if (answer := ask(view))), None)


def _questions(server: Server) -> None:
    session = server.session

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    @guarded
    async def on_hover(params: types.HoverParams) -> types.Hover | None:
        return await _first(
            session, params.text_document.uri, lambda view: hover(view, params.position)
        )

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    @guarded
    async def on_definition(params: types.DefinitionParams) -> list[types.Location] | None:
        return await _first(
            session,
            params.text_document.uri,
            lambda view: navigate.definition(view, params.position),
        )

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    @guarded
    async def on_references(params: types.ReferenceParams) -> list[types.Location] | None:
        definitions = params.context.include_declaration
        return await _first(
            session,
            params.text_document.uri,
            lambda view: navigate.references(view, params.position, definitions),
        )

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    @guarded
    async def on_highlight(
        params: types.DocumentHighlightParams,
    ) -> list[types.DocumentHighlight] | None:
        return await _first(
            session,
            params.text_document.uri,
            lambda view: navigate.highlights(view, params.position),
        )


def _outline(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    @guarded
    async def on_symbols(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
        return await _first(server.session, params.text_document.uri, navigate.symbols)


def _completion(server: Server) -> None:
    session = server.session
    options = types.CompletionOptions(trigger_characters=list(completion.TRIGGERS))

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, options)
    @guarded
    async def on_completion(params: types.CompletionParams) -> types.CompletionList | None:
        key = key_of(params.text_document.uri)
        buffer = session.buffers.get(key)
        if buffer is None or not buffer.is_site_file:
            return None
        told = server.client_capabilities.text_document
        item = told.completion.completion_item if told and told.completion else None
        wanted = completion.Wanted(
            buffer,
            tuple(views(session, key)),
            params.context.trigger_character if params.context else None,
            bool(item and item.snippet_support),
        )
        return completion.complete(wanted, params.position)


def _formatting(server: Server) -> None:
    session = server.session

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    @guarded
    async def on_format(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        buffer = session.buffers.get(key_of(params.text_document.uri))
        if buffer is None or not buffer.is_site_file:
            return None
        work = partial(format_buffer, buffer, session.root_path(buffer.key), session.texts())
        try:
            edits = await session.errand(work)
        except RefusedError as error:
            # No answer but a message: an editor that formats what it saves goes on saving.
            server.say(error.message)
            return None
        if session.buffers.get(buffer.key) is not buffer:
            raise ModifiedError
        return edits


def _rename(server: Server) -> None:
    session = server.session

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    @guarded
    async def on_rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        workspace = server.client_capabilities.workspace
        told = workspace.workspace_edit if workspace is not None else None
        place = await Place.find(session, params.text_document.uri, params.position)
        files = await renamed_files(session, place, params.new_name)
        return workspace_edit(files, versions=bool(told and told.document_changes))

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    @guarded
    async def on_prepare(
        params: types.PrepareRenameParams,
    ) -> types.PrepareRenamePlaceholder | None:
        place = await Place.find(session, params.text_document.uri, params.position)
        range_ = place.view.range(place.occurrence.span)
        if range_ is None:
            return None
        return types.PrepareRenamePlaceholder(range_, place.target.name)
