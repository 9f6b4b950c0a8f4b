"""Documents as editors have them: strange names, strange lines, changing under a question."""

import asyncio
import shutil
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.lsp.client import Editor, editor, talk
from tests.lsp.test_session import LAPTOP, ROOT, document
from tvsc.lsp.features import _first
from tvsc.lsp.hover import hover as hover_at
from tvsc.lsp.overlay import file_key
from tvsc.lsp.protocol import ModifiedError, RefusedError
from tvsc.lsp.renaming import Place
from tvsc.lsp.session import Session
from tvsc.lsp.text import Buffer, LineIndex
from tvsc.lsp.uris import key_of, path_of

pytestmark = pytest.mark.slow

BROKEN = LAPTOP.replace("let fabric", "let fabrik")
MODIFIED = types.LSPErrorCodes.ContentModified.value
FORMAT = types.FormattingOptions(tab_size=4, insert_spaces=True)


# --- names ----------------------------------------------------------------------------------------

STRANGE = [
    "untitled:Untitled-1",
    "git:/a/b.tvs?%7B%7D",
    "file:///",
    "file://host/share/x.tvs",
    "file:///nowhere/%00.tvs",
    f"file:///{'a' * 5000}.tvs",
    "http://[bad",
    "::::",
    "",
]


@pytest.mark.parametrize("uri", STRANGE, ids=lambda uri: uri[:20])
def test_strange_uris_are_keys(uri: str) -> None:
    path = path_of(uri)
    assert path is None or "\0" not in str(path)
    assert key_of(uri).startswith("/")


def test_strange_uris(tmp_path: Path) -> None:
    """What is no file is checked like one, and leaves nothing behind when it is closed."""

    async def session() -> None:
        async with editor(tmp_path) as client:
            for uri in STRANGE:
                client.open_uri(uri, BROKEN)
                await client.until_codes(uri, "TVS0104")
                client.close(uri)
                await client.until_codes(uri)
            assert {uri for uri, found in client.diagnostics.items() if found} == set()

    talk(session())


def test_files_with_strange_names(tmp_path: Path) -> None:
    """Blanks, a percent sign, letters of other scripts; encoded as this editor or that does it."""
    folder = tmp_path / "a b%20 \u00fc\u4e2d #?[x]"
    shutil.copytree(ROOT / "examples" / "two-clusters", folder)

    async def session() -> None:
        async with editor(folder) as client:
            site = client.open(folder / "site.tvs")
            await client.until_codes(site)
            params = types.DefinitionParams(document(site), client.at(site, "80  -> web", 8))
            places = await client.text_document_definition_async(params)
            assert isinstance(places, list | tuple)
            (place,) = places
            assert isinstance(place, types.Location)
            assert place.uri == (folder / "pools" / "web.tvs").as_uri()
            web = place.uri.replace("%C3%BC", "\u00fc").replace("%5B", "[")
            assert web != place.uri
            text = (folder / "pools" / "web.tvs").read_text(encoding="utf-8")
            client.open_uri(web, text.replace("pool web {", "pool wob {"))
            await client.until_codes(site, "TVS0104")
            client.close(web)
            await client.until_codes(site)

    talk(session())


def test_a_file_by_another_path(tmp_path: Path) -> None:
    """Messages go to the name that the editor uses, and go away under it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    site = tmp_path / "real" / "site.tvs"
    site.write_text(LAPTOP + 'include "part.tvs"\n', encoding="utf-8")
    part = tmp_path / "real" / "part.tvs"
    part.write_text("pool x { server 10.0.0.1:80 }\n", encoding="utf-8")

    async def session() -> None:
        async with editor(tmp_path) as client:
            one = client.open(site)
            await client.until_codes(part.as_uri(), "TVS0201")
            other = client.open(tmp_path / "link" / "part.tvs")
            await client.until_codes(other, "TVS0201")
            await client.until_codes(part.as_uri())
            client.close(other)
            await client.until_codes(other)
            await client.until_codes(part.as_uri(), "TVS0201")
            client.close(one)
            await client.until_codes(part.as_uri())

    talk(session())


# --- texts ----------------------------------------------------------------------------------------


def test_a_byte_order_mark(tmp_path: Path) -> None:
    """It is no part of the text, as in a file; columns count it, the formatter takes it away."""
    marked = "\ufeff" + LAPTOP[LAPTOP.index("language") :]

    async def session() -> None:
        for encoding in (types.PositionEncodingKind.Utf16, types.PositionEncodingKind.Utf8):
            async with editor(tmp_path, [encoding]) as client:
                uri = client.open(tmp_path / "site.tvs", marked)
                await client.until_codes(uri)
                width = 1 if encoding is types.PositionEncodingKind.Utf16 else 3
                start, end = (types.Position(0, width + n) for n in (9, 10))
                client.edit(uri, types.Range(start, end), "7")
                (found,) = await client.until_codes(uri, "TVS0015")
                assert found.range.start.line == 0
                client.edit(uri, types.Range(start, end), "1")
                await client.until_codes(uri)
                params = types.DocumentFormattingParams(document(uri), FORMAT)
                (edit,) = await client.text_document_formatting_async(params) or ()
                assert edit.range.start == types.Position(0, 0)
                assert edit.new_text == "language 1\n"

    talk(session())


def test_lines_that_end_with_cr_lf(tmp_path: Path) -> None:
    text = BROKEN.replace("\n", "\r\n")

    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "site.tvs", text)
            (found,) = await client.until_codes(uri, "TVS0104")
            assert found.range.end.character - found.range.start.character == len("fabric")
            client.change(uri, LAPTOP.replace("\n", "\r\n"))
            await client.until_codes(uri)
            place = client.at(uri, "pool web", 6)
            rename = types.RenameParams(document(uri), place, "front")
            edit = await client.text_document_rename_async(rename)
            assert edit is not None
            client.apply(edit)
            assert client.texts[uri].count("\r\n") == text.count("\r\n")
            await client.until_codes(uri)

    talk(session())


def test_lists_and_python_have_no_answers(tmp_path: Path) -> None:
    """Nothing is said about a site in Python, and nothing is renamed in a list."""
    shutil.copytree(ROOT / "examples" / "generated", tmp_path / "site")

    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "site" / "site.py", language="python")
            at = types.Position(0, 1)
            assert await client.text_document_hover_async(types.HoverParams(document(uri), at)) is (
                None
            )
            params = types.DocumentFormattingParams(document(uri), FORMAT)
            assert await client.text_document_formatting_async(params) is None
            with pytest.raises(JsonRpcException, match="names are renamed in"):
                await client.text_document_rename_async(types.RenameParams(document(uri), at, "x"))
            assert client.diagnostics == {}

    talk(session())


# --- changes under a question ---------------------------------------------------------------------


def ask(client: Editor, method: str, params: object) -> object:
    """Send at once; the answer comes later."""
    return client.protocol.send_request_async(method, params)


@pytest.mark.parametrize("closes", [False, True])
def test_a_text_that_changes_under_a_question(tmp_path: Path, closes: bool) -> None:
    """A position in an older text is not answered from a newer one."""
    path = tmp_path / "site.tvs"
    uri, key = path.as_uri(), file_key(path)

    def buffer(version: int, text: str) -> Buffer:
        return Buffer(uri, key, path, "tvs", version, LineIndex(text, "utf-16"))

    async def play() -> None:
        session = Session(lambda *_: None)
        session.opened(buffer(1, LAPTOP))
        place = buffer(1, LAPTOP).lines.position(LAPTOP.index("pool web") + 6)
        hovering = asyncio.create_task(_first(session, uri, lambda view: hover_at(view, place)))
        renaming = asyncio.create_task(Place.find(session, uri, place))
        await asyncio.sleep(0)
        if closes:
            session.closed(key)
        else:
            session.edited(buffer(2, f"# one\n{LAPTOP}"))
        with pytest.raises(ModifiedError):
            await hovering
        with pytest.raises(RefusedError, match="try again"):
            await renaming
        while session.busy:
            await asyncio.sleep(0.01)

    asyncio.run(play())


def test_a_storm(tmp_path: Path) -> None:
    """Changes without a pause, a question after each: an answer is for the text that was asked
    about, or there is none; in the end all is as if nothing had been.
    """

    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "site.tvs", LAPTOP)
            await client.until_codes(uri)
            asked = []
            for n in range(200):
                client.change(uri, "#\n" * (n % 7) + LAPTOP)
                place = client.at(uri, "pool web", 6)
                params = types.HoverParams(document(uri), place)
                asked.append((place, ask(client, types.TEXT_DOCUMENT_HOVER, params)))
            answers = 0
            for place, one in asked:
                try:
                    found = await one  # type: ignore[misc]
                except JsonRpcException as error:
                    assert error.code == MODIFIED
                    continue
                answers += 1
                assert "pool `web`" in found.contents.value
                assert found.range.start.line == place.line
            assert answers >= 1
            client.change(uri, BROKEN)
            await client.until_codes(uri, "TVS0104")

    talk(session())
