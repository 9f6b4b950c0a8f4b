"""The protocol's frame: pygls, with documents of our own and errors that people can read.

pygls splits texts into lines at characters that the protocol takes for part of a line (form feed,
U+2028), and sends a Python traceback with an error. Both are put right here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

Step = tuple[Callable[..., object], tuple[object, ...], None]


class RefusedError(JsonRpcException):
    """A request that cannot be answered, and why, in the operator's words."""

    CODE = types.LSPErrorCodes.RequestFailed.value

    def __init__(self, message: str) -> None:
        super().__init__(message=message)


class Protocol(LanguageServerProtocol):
    """Open, change and close go to the server's own handlers and nowhere else."""

    @property
    def orderly(self) -> bool:
        """Whether the client asked for the shutdown: then the exit status is 0."""
        return self._shutdown

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
