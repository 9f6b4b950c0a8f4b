"""URIs of the client to keys of files, and back.

A document that is no file (`untitled:Untitled-1`) gets a key that looks like a path, so that it is
checked like one; it includes nothing.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from pygls.uris import from_fs_path, to_fs_path

from tvsc.lsp.overlay import file_key


def path_of(uri: str) -> Path | None:
    """The path of a file's URI as the client spells it; None for what is no file."""
    try:
        path = to_fs_path(uri)
    except ValueError:
        return None
    return Path(path) if path and "\0" not in path else None


def key_of(uri: str) -> str:
    """The key of a document."""
    path = path_of(uri)
    return f"/{quote(uri, safe='')}" if path is None else file_key(path)


def uri_of_key(key: str) -> str:
    """The URI of a file that no client has open."""
    uri = from_fs_path(key)
    assert uri is not None
    return str(uri)
