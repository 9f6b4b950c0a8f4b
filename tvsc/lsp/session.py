"""The open files and the sites that they belong to; when a site is analysed, and what is published.

All of this lives on the event loop. The analyses run in a thread, one at a time; one whose texts
changed meanwhile is given up and its results are dropped, so that the newest text wins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from lsprotocol import types

from tvsc.lsp.analysis import AbandonedError, Analysis, analyse, check_site
from tvsc.lsp.diagnostics import ByFile, Translator, Wishes
from tvsc.lsp.sites import Finder, is_site_text, might_be_site
from tvsc.lsp.text import Buffer
from tvsc.lsp.uris import uri_of_key

T = TypeVar("T")

DEBOUNCE_S = 0.15
"""Typing pauses that long before a site is analysed."""

_SEEKING_S = 0.01

log = logging.getLogger(__name__)

Publish = Callable[[str, int | None, list[types.Diagnostic]], None]


@dataclass(slots=True, eq=False)
class SiteState:
    """One site (or one fragment of none). `wanted` counts the changes, `done` is the one analysed.

    `good` is the last analysis without a syntax error: its names stay known while one is typed.
    """

    root: Path
    key: str
    whole: bool
    wanted: int = 1
    done: int = 0
    latest: Analysis | None = None
    good: Analysis | None = None
    found: ByFile = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    took_s: float = 0.0

    def has(self, key: str) -> bool:
        """Whether the file belongs to it, by the last analysis."""
        return key == self.key or (self.latest is not None and key in self.latest.numbers)


class Session:
    """One client's documents."""

    def __init__(self, publish: Publish) -> None:
        self.publish = publish
        self.wishes = Wishes()
        self.folders: list[Path] = []
        self.buffers: dict[str, Buffer] = {}
        self.sites: dict[str, SiteState] = {}
        self._published: dict[str, tuple[str, list[types.Diagnostic]]] = {}
        self._seeking: dict[str, bool] = {}
        self._missed: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._analyses = ThreadPoolExecutor(1, "analysis")
        self._errands = ThreadPoolExecutor(1, "errand")

    # --- what happens to documents ---------------------------------------------------------------

    def opened(self, buffer: Buffer) -> None:
        """A document is open."""
        self.buffers[buffer.key] = buffer
        self.changed_on_disk([buffer.key])
        self._seek(buffer.key)

    def edited(self, buffer: Buffer) -> None:
        """A document has another text."""
        self.buffers[buffer.key] = buffer
        self.changed_on_disk([buffer.key])
        own = self.sites.get(buffer.key)
        begins = own is None and is_site_text(buffer.text)
        turns = own is not None and own.whole != might_be_site(buffer.text)
        if begins or turns or buffer.key in self._seeking or not self.sites_with(buffer.key):
            self._seek(buffer.key)

    def closed(self, key: str) -> None:
        """A document is closed: its file counts again, and sites without an open one go."""
        self.buffers.pop(key, None)
        self._drop_unused()
        self.changed_on_disk([key])
        # On disk it may include what it did not in the buffer.
        for other in self.buffers:
            self._seek(other)

    def changed_on_disk(self, keys: Iterable[str]) -> None:
        """Files have other texts: the sites that have them are analysed again."""
        changed = list(keys)
        self._missed.clear()
        for site in self.sites.values():
            if site.latest is None or any(site.has(key) for key in changed):
                self._want(site)

    def saved_elsewhere(self, keys: Iterable[str]) -> None:
        """Files changed on disk. A saved buffer is nothing new; another may include other files."""
        changed = [key for key in keys if key not in self.buffers]
        self.changed_on_disk(changed)
        if any(key.endswith(".tvs") for key in changed):
            for key in self.buffers:
                self._seek(key)

    def files_changed(self) -> None:
        """Files came or went: patterns may match others, and a file may have another site."""
        for site in self.sites.values():
            self._want(site)
        self._missed.clear()
        for key in self.buffers:
            self._seek(key)

    def texts(self) -> dict[str, str]:
        """The text of every open document, by key."""
        return {key: buffer.text for key, buffer in self.buffers.items()}

    # --- which sites there are -------------------------------------------------------------------

    def sites_with(self, key: str) -> list[SiteState]:
        """The sites that have a file, whole ones first."""
        found = [site for site in self.sites.values() if site.has(key)]
        return sorted(found, key=lambda site: not site.whole)

    def _seek(self, key: str) -> None:
        """Find the sites of a file; once more when that is going on, as it began earlier."""
        if key in self._seeking:
            self._seeking[key] = True
        else:
            self._seeking[key] = False
            self._start(self._find_sites(key))

    async def _find_sites(self, key: str) -> None:
        """Find the sites of a file, and have them analysed; a file of none stands alone."""
        try:
            while True:
                self._seeking[key] = False
                finder = Finder(self.texts(), self.folders)
                roots = await self.errand(partial(finder.sites_of, key))
                if not self._seeking[key]:
                    break
        finally:
            del self._seeking[key]
        buffer = self.buffers.get(key)
        if buffer is None:
            return
        others = [site for site in self.sites_with(key) if site.key != key and site.whole]
        # What a quick look takes for its site may not have it after all.
        roots = [root for root in roots if (root, key) not in self._missed]
        if not roots and not others and buffer.is_site_file:
            self._add(key, might_be_site(buffer.text))
        for root in roots:
            self._add(root, whole=True)
            self._look_again(self.sites[root], key)
        own = self.sites.get(key)
        if own is not None and key not in roots and (roots or others):
            self._drop(own)

    def _add(self, key: str, whole: bool) -> None:
        site = self.sites.get(key)
        if site is not None and site.whole == whole:
            return
        if site is not None:
            self._drop(site)
        site = self.sites[key] = SiteState(self.root_path(key), key, whole)
        self._want(site)

    def _look_again(self, site: SiteState, key: str) -> None:
        """A site that seems to have a file, and has it not yet, is analysed again, once."""
        if not site.has(key):
            self._missed.add((site.key, key))
            self._want(site)

    def root_path(self, key: str) -> Path:
        """The path of a file, as the client spells it where it has it open."""
        buffer = self.buffers.get(key)
        path = None if buffer is None else buffer.path
        return Path(key) if path is None else path

    def _drop(self, site: SiteState) -> None:
        site.closed = True
        site.settled.set()
        site.hurry.set()
        self.sites.pop(site.key, None)
        self._publish(site.found)

    def _drop_unused(self) -> None:
        """Sites of which no file is open are not looked at any more."""
        for site in list(self.sites.values()):
            settled = site.done == site.wanted
            if settled and not any(site.has(key) for key in self.buffers):
                self._drop(site)

    def _drop_alone(self, key: str) -> None:
        site = self.sites.get(key)
        if site is not None and not site.whole:
            self._drop(site)

    def _reconcile(self, site: SiteState) -> None:
        """After an analysis: what stood alone may belong to it now, what belonged may not."""
        assert site.latest is not None
        for key, buffer in self.buffers.items():
            if key != site.key and site.whole and key in site.latest.numbers:
                self._drop_alone(key)
            if buffer.is_site_file and not self.sites_with(key):
                self._seek(key)

    # --- analyses --------------------------------------------------------------------------------

    def _want(self, site: SiteState) -> None:
        site.wanted += 1
        site.settled.clear()
        if site.task is None or site.task.done():
            site.task = self._start(self._analyse(site))

    async def _analyse(self, site: SiteState) -> None:
        """Analyse a site until nothing newer is wanted."""
        while site.done != site.wanted and not site.closed:
            wanted = site.wanted
            await self._pause(site)
            if site.wanted != wanted and not site.hurry.is_set():
                continue
            wanted = site.wanted
            try:
                await self._once(site, wanted)
            except AbandonedError:
                continue
            except Exception as error:
                log.exception("analysis of %s failed: %s", site.root, error)
            site.done = wanted
        site.hurry.clear()
        site.settled.set()
        self._drop_unused()

    async def _pause(self, site: SiteState) -> None:
        """Until typing pauses, or somebody waits for the result."""
        if site.done == 0:
            return
        try:
            await asyncio.wait_for(site.hurry.wait(), DEBOUNCE_S)
        except TimeoutError:
            return

    async def _once(self, site: SiteState, wanted: int) -> None:
        def tick() -> None:
            if site.wanted != wanted or site.closed:
                raise AbandonedError

        loop = asyncio.get_running_loop()
        began_s = loop.time()
        texts = self.texts()
        work = partial(check_site, site.root, texts, tick, site.whole)
        checked = await loop.run_in_executor(self._analyses, work)
        tick()
        translator = Translator(checked, self.uri, self.wishes)
        before, site.found = site.found, await self.errand(partial(translator.by_file, site.key))
        tick()
        self._publish({**before, **site.found})
        indexed = partial(analyse, checked, self.wishes.encoding)
        site.latest = await loop.run_in_executor(self._analyses, indexed)
        site.took_s = loop.time() - began_s
        if checked.parsed:
            site.good = site.latest
        now = self.texts()
        if any(texts.get(key) != now.get(key) for key in site.latest.numbers):
            # A file that it was not known to have changed meanwhile.
            self._want(site)
        self._reconcile(site)

    def _publish(self, files: Iterable[str]) -> None:
        """Send what all sites say about some files, where it is not what was sent last."""
        for key in files:
            found: list[types.Diagnostic] = []
            for site in self.sites.values():
                found += [d for d in site.found.get(key, ()) if d not in found]
            buffer = self.buffers.get(key)
            uri = self.uri(key)
            known, before = self._published.pop(key, (uri, None))
            if known != uri and before:
                # Opened or closed meanwhile, and the client spells it in a way of its own.
                self.publish(known, None, [])
            if known != uri or before is None:
                before = None if buffer else []
            if found != before:
                self.publish(uri, None if buffer is None else buffer.version, found)
            if found or buffer:
                self._published[key] = (uri, found)

    @property
    def busy(self) -> bool:
        """Whether something is still being found or analysed."""
        return bool(self._tasks)

    # --- for those who ask -----------------------------------------------------------------------

    def uri(self, key: str) -> str:
        """The URI of a file: the client's own for an open one."""
        buffer = self.buffers.get(key)
        return uri_of_key(key) if buffer is None else buffer.uri

    async def settle(self, key: str, timeout_s: float) -> bool:
        """Wait until the sites of a file are analysed as they are now; whether they are."""
        end = asyncio.get_running_loop().time() + timeout_s
        while True:
            left_s = end - asyncio.get_running_loop().time()
            # What a site has that was never analysed is not known: it may have this file.
            concerned = [s for s in self.sites.values() if s.latest is None or s.has(key)]
            waiting = [site for site in concerned if site.done != site.wanted]
            if not waiting and key not in self._seeking:
                return True
            if left_s <= 0:
                return False
            for site in waiting:
                site.hurry.set()
            events = {asyncio.create_task(_settled(site)) for site in waiting}
            events = events or {asyncio.create_task(asyncio.sleep(_SEEKING_S))}
            _, pending = await asyncio.wait(
                events, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
            for event in pending:
                event.cancel()

    async def settle_if_quick(self, key: str, timeout_s: float) -> None:
        """Wait for the analysis of the current texts, unless the last one took longer than that:
        then the last one will do.
        """
        if all(site.took_s < timeout_s for site in self.sites_with(key)):
            await self.settle(key, timeout_s)

    async def errand(self, work: Callable[[], T]) -> T:
        """Run something short off the event loop, not behind a long analysis."""
        return await asyncio.get_running_loop().run_in_executor(self._errands, work)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("background work failed", exc_info=task.exception())


async def _settled(site: SiteState) -> None:
    await site.settled.wait()
