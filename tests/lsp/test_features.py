"""Questions about places, asked of the real server."""

import shutil
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.lsp.client import Editor, editor, talk

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LAPTOP = (ROOT / "examples" / "laptop" / "site.tvs").read_text(encoding="utf-8")
U16, U8 = types.PositionEncodingKind.Utf16, types.PositionEncodingKind.Utf8


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A copy of the example that has several files."""
    folder = tmp_path / "two"
    shutil.copytree(ROOT / "examples" / "two-clusters", folder)
    return folder


def document(uri: str) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri)


async def hover(client: Editor, uri: str, marker: str, inside: int = 0) -> types.Hover | None:
    params = types.HoverParams(document(uri), client.at(uri, marker, inside))
    return await client.text_document_hover_async(params)


async def hover_text(client: Editor, uri: str, marker: str, inside: int = 0) -> str:
    found = await hover(client, uri, marker, inside)
    assert found is not None, marker
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


# --- hover ----------------------------------------------------------------------------------------

HOVERS = [
    ("steering fdir", 3, ["steering fdir | rss-port | software", "Required.", "flow rule"]),
    ("steering fdir", 10, ["steering fdir | rss-port | software"]),
    ("idle     busy", 2, ["Default: busy."]),
    ("let lips ", 5, ["let lips = 172.16.0.0/16", "an IPv4 prefix", "what the real servers see"]),
    ("subnet(lips, 21, 0)", 8, ["let lips = 172.16.0.0/16"]),
    ("subnet(lips, 21, 1)", 2, ["subnet(prefix, length, i)", "172.16.8.0/21", "`short PREFIX`"]),
    ("host(link, 10 + n)", 14, ["11, 12, 13, 14", "a number, in 4 rounds of `n`"]),
    ("host(link, 10 + n)", 1, ["192.0.2.11, 192.0.2.12, 192.0.2.13, 192.0.2.14"]),
    ("host(link, 20 + n)/24 }", 18, ["192.0.2.21/24, 192.0.2.22/24"]),
    ('node "tvs-a{n}"', 12, ["for n in 1..4", "1, 2, 3, 4"]),
    ('"tvs-b{n}" like', 2, ["node `tvs-b1`", "cores 2, 3, 4, 5, 6, 7, 8, 9", "and 1 more"]),
    ("1M per worker", 0, ["1000000", "sessions NUMBER per worker"]),
    ("300ms x 3", 1, ["300ms", "a duration"]),
    ("nic     x520", 9, ["nic `x520`", "driver `ixgbe`: 16 queues"]),
    ("driver        ixgbe", 15, ["driver NAME"]),
    ("cluster B", 8, ["standby; 4 nodes", "local IPs: `172.16.8.0/21`"]),
    ("80  -> web", 8, ["pool `web`", "8 servers", "serves `web: tcp 80`"]),
    ("service dns", 9, ["VIP `203.0.113.53`", "udp 53 to pool `dns`"]),
    ("site shanghai", 6, ["2 clusters, 8 nodes"]),
    ("port fwd { address host(link, 10", 6, ["8 nodes have it"]),
]


def test_hover(two: Path) -> None:
    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "site.tvs")
            for marker, inside, expected in HOVERS:
                text = await hover_text(client, uri, marker, inside)
                for part in expected:
                    assert part in text, (marker, part, text)
            assert await hover(client, uri, "# Two clusters", 3) is None
            assert await hover(client, uri, "}\n\ncluster B", 2) is None

    talk(session())


def test_hover_while_the_text_is_broken(two: Path) -> None:
    """What was known before is still known, at its new place."""

    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "site.tvs")
            await client.until_codes(uri)
            client.change(uri, "# one\n# two\ncluster {\n" + client.texts[uri])
            await client.until(uri, bool)
            found = await hover(client, uri, "let lips ", 5)
            assert found is not None and found.range is not None
            assert found.range.start == client.at(uri, "lips    = 172")

    talk(session())


# --- completion -----------------------------------------------------------------------------------


async def complete(
    client: Editor, uri: str, text: str, trigger: str | None = None
) -> dict[str, types.CompletionItem]:
    """The items at the `|` of a text, which becomes the document's."""
    assert text.count("|") == 1
    at = text.index("|")
    client.change(uri, text.replace("|", ""))
    line = text.count("\n", 0, at)
    position = types.Position(line, at - text.rfind("\n", 0, at) - 1)
    kind = types.CompletionTriggerKind.Invoked
    if trigger is not None:
        kind = types.CompletionTriggerKind.TriggerCharacter
    params = types.CompletionParams(
        document(uri), position, context=types.CompletionContext(kind, trigger)
    )
    found = await client.text_document_completion_async(params)
    assert isinstance(found, types.CompletionList)
    return {item.label: item for item in found.items}


ITEMS = [
    ("service x {\n    |\n", {"vip", "listen", "load", "let", "for"}, {"server", "web"}),
    ("service x { vip 192.0.2.9  |", {"listen", "mode"}, {"server", "web"}),
    ("service x {\n    li|\n}\n", {"listen", "limits"}, {"vip"}),
    ("service x {\n    listen |\n", {"tcp", "udp"}, {"vip", "web"}),
    ("service x {\n    listen tcp 80 |\n", {"->"}, {"vip"}),
    ("service x {\n    listen tcp 80 -> w|\n", {"web", "web-tls"}, {"dns", "w"}),
    ("service x {\n    sorry |\n", {"web", "dns", "dns-tcp"}, {"A"}),
    ("pool x like |", {"web", "dns"}, {"A", "x"}),
    ("cluster C like |", {"A", "B"}, {"web"}),
    ("cluster C {\n    role |\n}\n", {"primary", "standby"}, {"workers"}),
    ("cluster C {\n    role standby |\n}\n", {"prepend", "med", "local-pref"}, {"primary"}),
    ("pool x {\n    schedule |\n}\n", {"maglev", "source-hash", "least-loaded"}, {"server"}),
    ("service x {\n    client-address |\n}\n", {"toa", "none"}, {"vip"}),
    ("service x { limits { |", {"connections", "new-per-source", "allow", "deny"}, {"vip"}),
    ("service x { limits { deny |", {"from", "link"}, {"vip"}),
    ("service x {\n    min-|\n}\n", {"min-up"}, {"vip"}),
    ("cluster C { node a { port fwd { vl|", {"vlan"}, {"nic"}),
    ("cluster C {\n    sessions 1M |\n}\n", {"per"}, {"workers"}),
    ("cluster C {\n    sessions 1M per |\n}\n", {"worker"}, {"workers"}),
    ("cluster C {\n    workers |\n}\n", {"link", "host", "min"}, {"steering", "n"}),
    ("cluster C { local-ips { short subnet(|", {"lips", "link", "host"}, {"long"}),
    ("cluster C { fabric host(link, 1) { password |", {"file", "env"}, {"asn"}),
    ("cluster C { fabric host(link, 1) { password env |", {'"BGP_PASSWORD"'}, {"asn"}),
    ("cluster C { for k in 1..2 { node a { |", {"router-id", "port"}, {"steering"}),
    ("cluster C { for k in 1..2 { node a { router-id host(loop, |", {"k", "loop"}, {"port"}),
    ('cluster C { for k in 1..2 { node "a{|', {"k", "loop"}, {"port", "host"}),
    ("cluster C { node a { port |", {"fwd"}, {"x520"}),
    ("cluster C { node a { port fwd { nic |", {"x520", "ixgbe", "tap"}, {"fwd"}),
    ("nic x { driver |", {"ixgbe", "mlx5"}, {"x520"}),
    ("pool x {\n    server 192.0.2.1:80 |\n", {"weight", "drain", "check"}, {"web"}),
    ("pool x {\n    server 192.0.2.1:80 weight 2 |\n", {"drain"}, {"weight"}),
    ('pool x { servers from "pools/|', {"pools/shop.csv", "pools/web.tvs"}, {"link"}),
    ('include "|', {"pools/", "site.tvs"}, {"link"}),
    ("for k |", {"in"}, {"link"}),
    ("for k in |", {"link", "min"}, {"pool", "k"}),
    ("let x = |", {"link", "host"}, {"pool", "x"}),
    ("let |", set(), {"link"}),
    ("# let x = |", set(), {"link"}),
    ('site "|', set(), {"link"}),
    ("defaults { pool { check http { |", {"path", "expect"}, {"server"}),
    ("|", {"pool", "cluster", "include"}, {"vip"}),
]


def test_completion(two: Path) -> None:
    """At the end of a text that is not whole: names and variables are those of the site."""

    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "site.tvs")
            await client.until_codes(uri)
            good = client.texts[uri]
            for text, expected, others in ITEMS:
                found = await complete(client, uri, f"{good}{text}")
                assert expected <= set(found), (text, sorted(found))
                assert not others & set(found), (text, sorted(found))

    talk(session())


def test_completion_in_an_included_file(two: Path) -> None:
    """Its top level and its variables are those of the place that includes it."""
    (two / "pools" / "web.tvs").unlink()
    (two / "servers.tvs").write_text("", encoding="utf-8")
    site = two / "site.tvs"
    text = site.read_text(encoding="utf-8")
    site.write_text(text + 'pool w {\n    let here = 1\n    include "servers.tvs"\n}\n')

    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "servers.tvs")
            await client.until_codes(uri)
            assert {"server", "check"} <= set(await complete(client, uri, "|"))
            found = await complete(client, uri, "server host(servers, |")
            assert {"here", "servers"} <= set(found)

    talk(session())


def test_what_an_item_is(two: Path) -> None:
    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "site.tvs")
            await client.until_codes(uri)
            good = client.texts[uri]
            found = await complete(client, uri, good + "po|")
            pool = found["pool"]
            assert pool.insert_text_format is types.InsertTextFormat.Snippet
            assert isinstance(pool.text_edit, types.TextEdit)
            assert pool.text_edit.new_text == "pool ${1:NAME} {\n    $0\n}"
            end = good.count("\n")
            assert pool.text_edit.range == types.Range(
                types.Position(end, 0), types.Position(end, 2)
            )
            assert pool.detail == "pool NAME [like NAME] { ... }"
            assert isinstance(pool.documentation, types.MarkupContent)
            assert "Real servers that do the same." in pool.documentation.value
            found = await complete(client, uri, good + "service x { listen tcp 80 -> we|")
            assert found["web-tls"].detail == "pool"
            assert isinstance(found["web"].documentation, types.MarkupContent)
            assert "8 servers" in found["web"].documentation.value
            found = await complete(client, uri, good + "let x = li|")
            assert found["link"].detail == "let link: 192.0.2.0/24"

    talk(session())


def test_keys_ask_only_for_what_belongs_behind_them(two: Path) -> None:
    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "site.tvs")
            await client.until_codes(uri)
            good = client.texts[uri]
            assert await complete(client, uri, good + "pool x {\n    |", " ") == {}
            assert await complete(client, uri, good + "cluster C { workers |", " ") == {}
            assert set(await complete(client, uri, good + "cluster C { idle |", " ")) == {
                "busy",
                "interrupt",
            }
            found = await complete(client, uri, good + "service x { listen tcp 80 ->|", ">")
            assert "web" in found and "vip" not in found
            assert await complete(client, uri, good + "pool x {|", "{") == {}
            assert "pools/" in await complete(client, uri, good + 'include "|', '"')

    talk(session())


# --- places ---------------------------------------------------------------------------------------


async def definitions(client: Editor, uri: str, marker: str, inside: int) -> list[str]:
    params = types.DefinitionParams(document(uri), client.at(uri, marker, inside))
    found = await client.text_document_definition_async(params)
    return _places(found)


def _places(found: object) -> list[str]:
    assert found is None or isinstance(found, list | tuple)
    places = []
    for place in found or ():
        assert isinstance(place, types.Location)
        places.append(f"{Path(place.uri).name}:{place.range.start.line + 1}")
    return sorted(places)


def _line(file: Path, start: str, after: str = "") -> str:
    """`site.tvs:N` of the first line that begins with `start`, behind that with `after`."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    first = next(n for n, line in enumerate(lines) if line.startswith(after))
    number = next(n for n, line in enumerate(lines) if n >= first and line.startswith(start))
    return f"{file.name}:{number + 1}"


def test_definitions_and_references(two: Path) -> None:
    file = two / "site.tvs"

    async def session() -> None:
        async with editor(two) as client:
            site = client.open(two / "site.tvs")
            shop = client.open(two / "pools" / "shop.tvs")
            for marker, inside, expected in [
                ("asn      fabric", 10, [_line(file, "let fabric")]),
                ("80  -> web", 8, ["web.tvs:3"]),
                ("cluster B like A", 15, [_line(file, "cluster A")]),
                ('like "tvs-a{n}"', 8, [_line(file, 'node "tvs-a{n}"')]),
                ('like "tvs-a{n}"', 12, [_line(file, "for n", "cluster B")]),
                ("nic     x520", 9, [_line(file, "nic x520")]),
                ('"pools/*.tvs"', 3, [f"{n}.tvs:1" for n in ("apology", "dns", "shop", "web")]),
                ("steering fdir", 3, []),
            ]:
                assert await definitions(client, site, marker, inside) == expected, marker
            assert await definitions(client, shop, "shop.csv", 2) == ["shop.csv:1"]
            where = types.ReferenceContext(include_declaration=True)
            params = types.ReferenceParams(where, document(site), client.at(site, "let lips ", 5))
            found = await client.text_document_references_async(params)
            assert _places(found) == [
                _line(file, "let lips"),
                _line(file, "short", "cluster A"),
                _line(file, "local-ips { short", "cluster B"),
            ]
            light = types.DocumentHighlightParams(document(site), client.at(site, "let lips ", 5))
            assert len(await client.text_document_document_highlight_async(light) or ()) == 3

    talk(session())


def test_outline(two: Path) -> None:
    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "site.tvs")
            params = types.DocumentSymbolParams(document(uri))
            found = await client.text_document_document_symbol_async(params)
            tree = {}
            for symbol in found or ():
                assert isinstance(symbol, types.DocumentSymbol)
                tree[f"{symbol.detail} {symbol.name}"] = [c.name for c in symbol.children or ()]
            assert tree["let servers"] == []
            assert tree["cluster A"] == ["tvs-a{n}"]
            assert {"site shanghai", "nic x520", "service dns"} <= set(tree)

    talk(session())


# --- refusals -------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused_in_words(two: Path) -> None:
    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "site.tvs")

            async def refused(marker: str, inside: int, name: str) -> str:
                place = client.at(uri, marker, inside)
                with pytest.raises(JsonRpcException) as error:
                    await client.text_document_rename_async(
                        types.RenameParams(document(uri), place, name)
                    )
                assert error.value.code == types.LSPErrorCodes.RequestFailed.value
                assert error.value.data is None
                return error.value.message

            assert "there is a pool `web-tls` already" in await refused("80  -> web", 8, "web-tls")
            assert "is a keyword" in await refused("let lips ", 5, "in")
            assert "made of variables" in await refused('node "tvs-a{n}" {', 7, "x")
            text = client.texts[uri]
            client.change(uri, text + "pool {\n")
            assert "the site has errors" in await refused("let lips ", 5, "x")
            formatting = types.DocumentFormattingParams(
                document(uri), types.FormattingOptions(tab_size=4, insert_spaces=True)
            )
            assert not await client.text_document_formatting_async(formatting)
            (shown,) = client.shown
            assert shown == (
                "site.tvs has syntax errors and is left alone;"
                f" the first in line {text.count(chr(10)) + 1}: `{{` is never closed"
            )

    talk(session())


def test_a_rename_waits_for_the_site(two: Path) -> None:
    """Asked before anything is known about the file: the site is found and read first."""

    async def session() -> None:
        async with editor(two) as client:
            uri = client.open(two / "pools" / "web.tvs")
            place = client.at(uri, "pool web {", 6)
            edit = await client.text_document_rename_async(
                types.RenameParams(document(uri), place, "front")
            )
            assert edit is not None and edit.document_changes is not None
            assert len(edit.document_changes) == 2

    talk(session())


# --- characters beyond the first plane ------------------------------------------------------------


@pytest.mark.parametrize("encoding", [U16, U8])
def test_positions_behind_wide_characters(
    tmp_path: Path, encoding: types.PositionEncodingKind
) -> None:
    """Columns count what both sides agreed on; edits made behind such characters land right."""
    text = LAPTOP.replace('seed "laptop"', 'seed "😀é𐍈"  asn 64512').replace("    asn  64512\n", "")
    text = text.replace('seed "😀é𐍈"  asn 64512', 'seed "😀é𐍈"  asn 1 + fabric')
    text = "# 😀\n" + text

    def column(line: str, index: int) -> int:
        before = line[:index]
        return len(before.encode()) if encoding is U8 else len(before.encode("utf-16-le")) // 2

    async def session() -> None:
        async with editor(tmp_path, [encoding]) as client:
            assert client.result is not None
            assert client.result.capabilities.position_encoding == encoding
            uri = client.open(tmp_path / "site.tvs", text)
            await client.until_codes(uri)
            row = text.split("\n").index('    seed "😀é𐍈"  asn 1 + fabric')
            line = text.split("\n")[row]
            start = column(line, line.index("fabric"))
            params = types.HoverParams(document(uri), types.Position(row, start + 2))
            found = await client.text_document_hover_async(params)
            assert found is not None and found.range is not None
            assert found.range.start == types.Position(row, start)
            assert found.range.end == types.Position(row, start + 6)
            place = types.Range(found.range.start, found.range.end)
            client.edit(uri, place, "fabrik")
            (wrong,) = await client.until_codes(uri, "TVS0104")
            assert wrong.range == place
            client.edit(uri, types.Range(place.start, place.start), "1 + ")
            (wrong,) = await client.until_codes(uri, "TVS0104")
            while wrong.range == place:
                await client.next_publication()
                (wrong,) = client.diagnostics[uri]
            assert wrong.range.start == types.Position(row, start + 4)
            client.edit(uri, types.Range(place.start, types.Position(row, start + 10)), "fabric")
            await client.until_codes(uri)

    talk(session())
