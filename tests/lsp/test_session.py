"""A whole session with the real server: what an editor sends and gets, from start to exit."""

from pathlib import Path

from tests.lsp.client import editor, talk

ROOT = Path(__file__).parents[2]


def test_open_change_close(tmp_path: Path) -> None:
    async def session() -> None:
        site = tmp_path / "site.tvs"
        text = (ROOT / "examples" / "laptop" / "site.tvs").read_text(encoding="utf-8")
        site.write_text(text)
        async with editor(tmp_path) as client:
            uri = client.open(site)
            await client.until_codes(uri)
            client.change(uri, text.replace("workers  2\n", "workers  200\n"))
            await client.until_codes(uri, "TVS0108")
            client.change(uri, text)
            await client.until_codes(uri)
            client.close(uri)

    talk(session())
