"""The protocol's frame: pygls, with documents of our own, an answer to every request, and errors
that people can read.

pygls splits texts into lines at characters that the protocol takes for part of a line (form feed,
U+2028), sends a Python traceback with an error, and says nothing at all to a request that it cannot
make sense of. All of that is put right here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Mapping
from typing import cast

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.json_rpc import RPCMessage
from pygls.protocol.language_server import lsp_method

from tvsc.lsp.shape import mistakes

Step = tuple[Callable[..., object], tuple[object, ...], None]

log = logging.getLogger(__name__)


class RefusedError(JsonRpcException):
    """A request that cannot be answered, and why, in the operator's words."""

    CODE = types.LSPErrorCodes.RequestFailed.value

    def __init__(self, message: str) -> None:
        super().__init__(message=message)


class ModifiedError(RefusedError):
    """A request about a text that changed before it could be answered."""

    CODE = types.LSPErrorCodes.ContentModified.value

    def __init__(self) -> None:
        super().__init__("the text changed meanwhile")


class Protocol(LanguageServerProtocol):
    """Open, change and close go to the server's own handlers and nowhere else. What a message must
    be is held against all of it, before anything of it is done.
    """

    @property
    def orderly(self) -> bool:
        """Whether the client asked for the shutdown: then the exit status is 0."""
        return self._shutdown

    def structure_message(self, data: Mapping[str, object]) -> Mapping[str, object]:
        """Called for every object of a message, inner ones first: too early to judge any."""
        return data

    def handle_message(self, message: object) -> None:
        """Do what a message says; say what is wrong with it when that cannot be done."""
        try:
            typed = self._typed(message)
        except JsonRpcException as error:
            self._refuse(message, error)
        else:
            super().handle_message(cast("RPCMessage", typed))

    def refuse_unreadable(self, error: Exception) -> None:
        """Answer a frame that holds no JSON. Whether it was a request, nobody knows."""
        self._answer(None, JsonRpcParseError(f"the message is no JSON: {error}"))

    def _typed(self, message: object) -> object:
        if isinstance(message, list):
            raise JsonRpcInvalidRequest("send the messages of a batch one by one")
        if not isinstance(message, dict):
            raise JsonRpcInvalidRequest("a message is an object")
        if message.get("jsonrpc") != self.VERSION:
            raise JsonRpcInvalidRequest('a message has "jsonrpc": "2.0"')
        if "id" in message and not _is_id(message["id"]):
            raise JsonRpcInvalidRequest("the id of a message is a number or a text")
        method = message.get("method")
        if isinstance(method, str):
            self._admit(method, is_request="id" in message)
        elif method is not None or not _is_answer(message):
            raise JsonRpcInvalidRequest("a request has a method, an answer has a result or error")
        try:
            return super().structure_message(message)
        except JsonRpcException as error:
            raise JsonRpcInvalidParams(mistakes(error.__cause__)) from None

    def _admit(self, method: str, is_request: bool) -> None:
        """Whether a method may be called now."""
        if self._shutdown and method != types.EXIT:
            raise JsonRpcInvalidRequest("the server was shut down and waits for `exit`")
        if self._workspace is None and method not in (types.INITIALIZE, types.EXIT):
            raise JsonRpcServerNotInitialized("the first request is `initialize`")
        if self._workspace is not None and method == types.INITIALIZE:
            raise JsonRpcInvalidRequest("the server is initialized already")
        known = method in self.fm.builtin_features or method in self.fm.features
        if is_request and not known:
            raise JsonRpcMethodNotFound(f"this server has no `{method}`")

    def _refuse(self, message: object, error: JsonRpcException) -> None:
        """Answer what may be a request; nothing else can be answered."""
        if isinstance(message, dict):
            if "method" in message and "id" not in message:
                log.warning("%s is ignored: %s", message["method"], error.message)
                return
            if "method" not in message and _is_answer(message):
                log.warning("an answer is ignored: %s", error.message)
                return
        number = message.get("id") if isinstance(message, dict) else None
        self._answer(number if _is_id(number) else None, error)

    def _answer(self, number: object, error: JsonRpcException) -> None:
        # The class of the library leaves a null id out, and JSON-RPC wants to see it.
        told = {"code": error.code, "message": error.message}
        self._send_data({"jsonrpc": self.VERSION, "id": number, "error": told})

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(
        self, params: types.DidOpenTextDocumentParams
    ) -> Generator[Step, None, None]:
        """A document is open."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(
        self, params: types.DidChangeTextDocumentParams
    ) -> Generator[Step, None, None]:
        """A document has another text."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(
        self, params: types.DidCloseTextDocumentParams
    ) -> Generator[Step, None, None]:
        """A document is closed: its file counts again."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE], (params,), None

    def _send_data(self, data: object) -> None:
        """Send; a client that takes nothing any more is gone, and so is the server."""
        try:
            super()._send_data(data)
        except BrokenPipeError:
            sys.exit(1)

    def _send_response(
        self,
        msg_id: str | int,
        result: object = None,
        error: types.ResponseError | None = None,
    ) -> None:
        """An error goes out with its message alone."""
        if error is not None:
            error = types.ResponseError(error.code, error.message)
        super()._send_response(msg_id, result, error)


def _is_id(number: object) -> bool:
    return isinstance(number, int | str) and not isinstance(number, bool)


def _is_answer(message: Mapping[str, object]) -> bool:
    return "id" in message and ("result" in message or "error" in message)
