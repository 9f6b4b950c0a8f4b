"""A Neovim without a screen, configured as `editors/README.md` says, driven by keys."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 30


def snippet(heading: str) -> str:
    """The settings below a heading of the document."""
    text = (ROOT / "editors" / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return section.partition("```lua\n")[2].partition("```")[0]


class Neovim:
    """One editor; keys go in, Lua expressions come out."""

    def __init__(self, program: str, socket: Path) -> None:
        self._remote = [program, "--server", str(socket)]

    def keys(self, keys: str, last: bool = False) -> None:
        """Type. The `last` keys end the editor, perhaps before it can say that it has them."""
        command = [*self._remote, "--remote-send", keys]
        subprocess.run(command, check=not last, capture_output=True)

    def lua(self, expression: str) -> object:
        """The value of an expression; None while the editor cannot say."""
        quoted = f"json_encode({expression})".replace("'", "''")
        command = [*self._remote, "--remote-expr", f"luaeval('vim.fn.{quoted}')"]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        # It goes to the one or the other, by version.
        text = result.stdout or result.stderr
        return json.loads(text) if result.returncode == 0 else None

    def until(self, expression: str, holds: Callable[[object], bool]) -> object:
        """The value, once it is as it should be."""
        end = time.monotonic() + TIMEOUT_S
        while not holds(found := self.lua(expression)):
            assert time.monotonic() < end, (expression, found, self.lua("vim.fn.execute('mess')"))
            time.sleep(0.05)
        return found

    def cursor(self, text: str) -> None:
        """Go to the first place of a text in the buffer."""
        self.keys(f"<Esc>gg0/\\V{text}<CR>")


@contextmanager
def neovim(program: str, settings: str, scratch: Path, folder: Path) -> Iterator[Neovim]:
    """An editor in a folder; it ends with the block."""
    config = scratch / "config" / "nvim"
    config.mkdir(parents=True)
    (config / "init.lua").write_text(settings, encoding="utf-8")
    kinds = ("CONFIG", "DATA", "STATE", "CACHE", "RUNTIME")
    homes = {
        f"XDG_{kind}_{'DIR' if kind == 'RUNTIME' else 'HOME'}": str(scratch / kind.lower())
        for kind in kinds
    }
    (scratch / "runtime").mkdir(mode=0o700)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    socket = scratch / "socket"
    found = shutil.which(program)
    assert found is not None, f"{program} is not installed"
    with subprocess.Popen(
        [found, "--headless", "-n", "-i", "NONE", "--listen", str(socket)],
        cwd=folder,
        env={**os.environ, **homes, "HOME": str(scratch), "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            editor = Neovim(found, socket)
            end = time.monotonic() + TIMEOUT_S
            while not socket.exists() and time.monotonic() < end:
                time.sleep(0.02)
            yield editor
            editor.keys("<Esc>:qa!<CR>", last=True)
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()
