"""A whole session with the real server: what an editor sends and gets, from start to exit."""

import shutil
from pathlib import Path

import pytest
from lsprotocol import types

from tests.lsp.client import Editor, editor, talk
from tvsc.diag import codes, explain_page

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LAPTOP = (ROOT / "examples" / "laptop" / "site.tvs").read_text(encoding="utf-8")


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A copy of the example that has several files."""
    folder = tmp_path / "two clusters"
    shutil.copytree(ROOT / "examples" / "two-clusters", folder)
    return folder


def document(uri: str) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri)


async def hover(client: Editor, uri: str, marker: str, inside: int = 0) -> str:
    """The text of a hover; empty for none."""
    params = types.HoverParams(document(uri), client.at(uri, marker, inside))
    found = await client.text_document_hover_async(params)
    if found is None:
        return ""
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


def test_everything_an_editor_does(two: Path) -> None:
    """Open, look around, break, repair, complete, rename, format, close."""

    async def session() -> None:
        async with editor(two) as client:
            assert client.result is not None
            can = client.result.capabilities
            assert can.hover_provider and can.definition_provider and can.references_provider
            assert can.document_formatting_provider and can.document_symbol_provider
            assert isinstance(can.rename_provider, types.RenameOptions)
            assert can.rename_provider.prepare_provider
            assert can.position_encoding == types.PositionEncodingKind.Utf16

            site = client.open(two / "site.tvs")
            await client.until_codes(site)
            assert client.versions[site] == 1
            text = client.texts[site]

            client.change(site, text.replace("-> web-tls", "-> web-tsl"))
            (found,) = await client.until_codes(site, "TVS0104")
            assert client.versions[site] == 2
            start = client.at(site, "web-tsl")
            end = types.Position(start.line, start.character + 7)
            assert found.range == types.Range(start, end)
            client.change(site, text)
            await client.until_codes(site)

            assert "3,072 sessions" not in await hover(client, site, "cluster A", 8)
            assert "1,000,000 sessions a worker" in await hover(client, site, "cluster A", 8)

            params = types.DefinitionParams(document(site), client.at(site, "80  -> web", 8))
            places = await client.text_document_definition_async(params)
            assert isinstance(places, list | tuple)
            (place,) = places
            assert isinstance(place, types.Location)
            assert place.uri.endswith("/two%20clusters/pools/web.tvs")

            rename = types.RenameParams(document(site), client.at(site, "80  -> web", 8), "front")
            edit = await client.text_document_rename_async(rename)
            assert edit is not None and edit.document_changes is not None
            client.apply(edit)
            await client.until_codes(site)
            assert "-> front" in client.texts[site]
            assert "pool front {" in (two / "pools" / "web.tvs").read_text(encoding="utf-8")

            options = types.FormattingOptions(tab_size=4, insert_spaces=True)
            client.change(site, client.texts[site].replace("    role     primary", " role primary"))
            formatting = types.DocumentFormattingParams(document(site), options)
            edits = await client.text_document_formatting_async(formatting)
            assert edits is not None
            client.apply_edits(site, edits)
            assert client.texts[site] == text.replace("-> web\n", "-> front\n")
            assert not await client.text_document_formatting_async(formatting)

            client.close(site)
            assert client.shown == []

    talk(session())


# --- diagnostics ----------------------------------------------------------------------------------


def test_a_diagnostic_has_everything(tmp_path: Path) -> None:
    """Severity, code, page and help."""
    text = LAPTOP.replace("workers  2\n", "worker  2\n")

    async def session() -> None:
        site = tmp_path / "site.tvs"
        async with editor(tmp_path) as client:
            uri = client.open(site, text)
            (found,) = await client.until_codes(uri, "TVS0101")
            assert found.severity is types.DiagnosticSeverity.Error
            assert found.source == "tvsc"
            assert found.message == (
                "`cluster` has no setting `worker`\nhelp: did you mean `workers`?"
            )
            assert found.code_description is not None
            page = Path(found.code_description.href.removeprefix("file://"))
            assert page.read_text(encoding="utf-8") == explain_page(codes.UNKNOWN_SETTING)
            assert found.related_information is None

    talk(session())


def test_warnings_are_warnings(tmp_path: Path) -> None:
    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "a.tvs", LAPTOP + "pool x { server 10.0.0.1:80 }\n")
            (found,) = await client.until_codes(uri, "TVS0201")
            assert found.severity is types.DiagnosticSeverity.Warning

    talk(session())


def test_related_places_are_in_their_files(tmp_path: Path) -> None:
    (tmp_path / "more.tvs").write_text("pool web { server 10.0.0.1:80 }\n", encoding="utf-8")

    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "site.tvs", LAPTOP + 'include "more.tvs"\n')
            more = (tmp_path / "more.tvs").as_uri()
            (found,) = await client.until_codes(more, "TVS0105")
            assert client.versions[more] is None
            (related,) = found.related_information or ()
            assert related.location.uri == uri
            assert related.location.range.start == client.at(uri, "pool web {")
            assert related.message == "first given here"
            # Repaired in the buffer of the one, the message about the other goes.
            client.change(uri, LAPTOP.replace("pool web {", "pool web1 {") + 'include "more.tvs"\n')
            await client.until_codes(uri, "TVS0201")
            await client.until_codes(more)

    talk(session())


def test_lists_have_their_own_messages(two: Path) -> None:
    """A wrong line of a CSV file is marked there; an unsaved list counts as it is."""
    (two / "pools" / "shop.csv").write_text("10.20.9.9,notaport\n", encoding="utf-8")

    async def session() -> None:
        async with editor(two) as client:
            client.open(two / "site.tvs")
            csv = (two / "pools" / "shop.csv").as_uri()
            (found,) = await client.until_codes(csv, "TVS0118")
            assert found.range == types.Range(types.Position(0, 0), types.Position(0, 18))
            client.open(two / "pools" / "shop.csv", "10.20.9.9,8080\n", language="csv")
            await client.until_codes(csv)
            client.close(csv)
            await client.until_codes(csv, "TVS0118")

    talk(session())


def test_an_included_file_belongs_to_its_site(two: Path) -> None:
    """Opened alone, its site is found, and the messages are those of the site."""

    async def session() -> None:
        async with editor(two) as client:
            web = client.open(two / "pools" / "web.tvs")
            await client.until_codes(web)
            text = client.texts[web]
            client.change(web, text.replace("servers", "server"))
            await client.until(web, lambda found: {d.code for d in found} >= {"TVS0104"})
            client.change(web, "")
            site = (two / "site.tvs").as_uri()
            await client.until_codes(site, "TVS0104", "TVS0104")
            client.close(web)
            await client.until_codes(site)

    talk(session())


def test_found_without_a_workspace(two: Path) -> None:
    async def session() -> None:
        async with editor(None) as client:
            web = client.open(two / "pools" / "web.tvs")
            await client.until_codes(web)
            assert "8 servers" in await hover(client, web, "pool web {", 5)
            client.change(web, client.texts[web].replace("servers", "nothing"))
            await client.until(web, lambda found: {d.code for d in found} >= {"TVS0104"})

    talk(session())


def test_a_file_of_no_site_is_parsed_alone(tmp_path: Path) -> None:
    """Names that only a site could give are no errors; a wrong syntax is one."""

    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "part.tvs", "pool p { server host(net, 1):80 }\n")
            await client.until_codes(uri)
            client.change(uri, "pool p { server host(net, 1:80 }\n")
            await client.until_codes(uri, "TVS0013")
            # Then a site takes it up, unsaved as it is.
            client.change(uri, "pool p { server host(net, 1):80 }\n")
            await client.until_codes(uri)
            (tmp_path / "part.tvs").write_text("", encoding="utf-8")
            site = client.open(tmp_path / "site.tvs", LAPTOP + 'include "part.tvs"\n')
            (found,) = await client.until_codes(uri, "TVS0104")
            assert found.message.startswith("there is no variable `net`")
            client.change(site, LAPTOP)
            await client.until_codes(uri)

    talk(session())


def test_two_sites_with_one_file(tmp_path: Path) -> None:
    """What either of them says is shown, each once."""
    part = 'include "part.tvs"\n'

    async def session() -> None:
        async with editor(tmp_path) as client:
            one = client.open(tmp_path / "one.tvs", LAPTOP + part)
            two = client.open(tmp_path / "two.tvs", LAPTOP + "let extra = 1\n" + part)
            uri = client.open(tmp_path / "part.tvs", "pool p { server 10.0.0.1:80 }\n")
            (tmp_path / "part.tvs").write_text("", encoding="utf-8")
            await client.until_codes(uri, "TVS0201")
            client.change(uri, "pool p { server 10.0.0.1:80 weight extra }\n")
            await client.until(uri, lambda found: {d.code for d in found} >= {"TVS0104", "TVS0201"})
            client.close(one)
            await client.until_codes(uri, "TVS0201")
            client.close(two)
            client.close(uri)

    talk(session())


def test_files_change_outside_of_the_editor(two: Path) -> None:
    async def session() -> None:
        async with editor(two) as client:
            site = client.open(two / "site.tvs")
            await client.until_codes(site)
            assert [r.registrations[0].method for r in client.watched] == [
                "workspace/didChangeWatchedFiles"
            ]
            web = two / "pools" / "web.tvs"
            text = web.read_text(encoding="utf-8")
            web.write_text(text.replace("pool web {", "pool webs {"), encoding="utf-8")
            client.files_changed(web, types.FileChangeType.Changed)
            await client.until_codes(site, "TVS0104")
            web.unlink()
            client.files_changed(web, types.FileChangeType.Deleted)
            await client.until_codes(site, "TVS0104", "TVS0104")
            web.write_text(text, encoding="utf-8")
            client.files_changed(web, types.FileChangeType.Created)
            await client.until_codes(site)

    talk(session())


def test_untitled(tmp_path: Path) -> None:
    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open_uri("untitled:Untitled-1", LAPTOP.replace("let fabric", "let fabrik"))
            await client.until_codes(uri, "TVS0104")

    talk(session())


def test_the_newest_text_wins(tmp_path: Path) -> None:
    """Of many changes in a row the last one is what counts, whatever came before it."""

    async def session() -> None:
        async with editor(tmp_path) as client:
            uri = client.open(tmp_path / "site.tvs", LAPTOP)
            await client.until_codes(uri)
            for n in range(30):
                client.change(uri, LAPTOP.replace("workers  2\n", f"workers  {200 + n}\n"))
            client.change(uri, LAPTOP.replace("workers  2\n", "workers  999\n"))
            (found,) = await client.until_codes(uri, "TVS0108")
            while "999" not in found.message:
                await client.next_publication()
                (found,) = client.diagnostics[uri]
            assert client.versions[uri] == 32
            client.change(uri, LAPTOP)
            await client.until_codes(uri)

    talk(session())
