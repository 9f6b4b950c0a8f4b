"""Whatever is opened, edited, closed and saved in whatever order: in the end the messages are those
of a compiler that is asked once.
"""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from tvsc.lsp.analysis import check_site
from tvsc.lsp.diagnostics import Translator, Wishes
from tvsc.lsp.overlay import file_key
from tvsc.lsp.session import Session
from tvsc.lsp.sites import is_site_text
from tvsc.lsp.text import Buffer, LineIndex
from tvsc.lsp.uris import uri_of_key

pytestmark = pytest.mark.slow

SITE = """language 1
site s { asn 64512  seed "s" }
cluster c {
    workers 2
    steering software
    sessions 100k per worker
    local-ips { short 172.16.0.0/22  long /24 per node  workers 4 each }
    fabric 192.0.2.1 { asn 64500 }
    node n {
        router-id 10.255.0.1
        workers shared
        port fwd { vdev "net_tap0"  nic tap  address 192.0.2.2/24  gateway 192.0.2.1 }
    }
}
"""
WITH = f'{SITE}let a = 1\ninclude "part.tvs"\n'
TEXTS = {
    "one.tvs": [WITH, SITE, f"{WITH}nonsense\n", f"{WITH}pool {{\n", "pool p { }\n"],
    "two.tvs": [SITE, WITH.replace("let a", "let b"), f'{SITE}include "*.part.tvs"\n'],
    "part.tvs": [
        "pool p { server 10.0.0.1:80 weight a }\n",
        'pool p { servers from "list.csv" }\n',
        "pool p { servers }\n",
        "pool p {\n",
        "",
    ],
    "list.csv": ["10.0.0.1,80\n", "10.0.0.1\n"],
}
EVENTS = ["open", "edit", "edit", "close", "save", "delete", "pause"]

events = st.lists(
    st.tuples(
        st.sampled_from(EVENTS), st.sampled_from(sorted(TEXTS)), st.integers(0, 4), st.booleans()
    ),
    max_size=14,
)

Shown = dict[str, list[types.Diagnostic]]


class Desk:
    """A folder, a session, and what the client has been told last about each file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown: Shown = {}
        self.session = Session(self.publish)
        self.session.folders = [folder]

    def publish(self, uri: str, _version: int | None, found: list[types.Diagnostic]) -> None:
        self.shown[uri] = found

    async def act(self, event: str, name: str, choice: int, quick: bool) -> None:
        path = self.folder / name
        key = file_key(path)
        text = TEXTS[name][choice % len(TEXTS[name])]
        opened = self.session.buffers.get(key)
        if event == "save":
            new = not path.exists()
            path.write_text(text, encoding="utf-8")
            if new:
                self.session.files_changed()
            else:
                self.session.saved_elsewhere([key])
        elif event == "delete":
            path.unlink(missing_ok=True)
            self.session.files_changed()
        elif event == "close" and opened is not None:
            self.session.closed(key)
        elif event in ("open", "edit"):
            language = "csv" if name.endswith(".csv") else "tvs"
            version = 1 if opened is None or opened.version is None else opened.version + 1
            lines = LineIndex(text, "utf-16")
            buffer = Buffer(path.as_uri(), key, path, language, version, lines)
            (self.session.opened if opened is None else self.session.edited)(buffer)
        await asyncio.sleep(0 if quick else 0.01)

    async def quiet(self) -> None:
        """Until nothing is going on any more."""
        for _ in range(2000):
            if not self.session.busy:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the session never comes to rest")

    def expected(self) -> Shown:
        """What one look at everything finds."""
        texts = self.session.texts()
        seen: Shown = {}
        alone = {key for key in texts if key.endswith(".tvs")}
        for name in ("one.tvs", "two.tvs"):
            root = self.folder / name
            key = file_key(root)
            text = texts.get(key)
            if text is None and root.exists():
                text = root.read_text(encoding="utf-8")
            if text is not None and is_site_text(text):
                files = self._check(root, texts, whole=True)
                if any(one in texts for one in files):
                    self._add(seen, files)
                    alone -= set(files)
        for key in sorted(alone):
            self._add(seen, self._check(Path(key), texts, whole=False))
        return seen

    def _check(self, root: Path, texts: dict[str, str], whole: bool) -> Shown:
        checked = check_site(root, texts, whole=whole)
        return Translator(checked, uri_of_key, Wishes()).by_file(file_key(root))

    def _add(self, seen: Shown, files: Shown) -> None:
        for key, found in files.items():
            known = seen.setdefault(uri_of_key(key), [])
            known += [one for one in found if one not in known]


def order(shown: Shown) -> dict[str, list[str]]:
    return {uri: sorted(map(repr, found)) for uri, found in shown.items() if found}


@given(story=events)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_in_the_end_it_is_what_the_compiler_says(story: list[tuple[str, str, int, bool]]) -> None:
    async def play(folder: Path) -> None:
        for name, texts in TEXTS.items():
            (folder / name).write_text(texts[0], encoding="utf-8")
        desk = Desk(folder)
        for event in story:
            if event[0] == "pause":
                await desk.quiet()
            else:
                await desk.act(*event)
        await desk.quiet()
        assert order(desk.shown) == order(desk.expected())
        for key in list(desk.session.buffers):
            desk.session.closed(key)
        await desk.quiet()
        assert order(desk.shown) == {}
        assert desk.session.sites == {}

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder).resolve()))
