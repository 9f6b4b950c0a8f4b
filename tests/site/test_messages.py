"""Messages about a Python site point into the Python file, at the value; its exceptions are
messages, too.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tvsc.diag import render_text
from tvsc.lower import load_site

HEAD = "from tvsc import *\n"


def messages(directory: Path, **files: str) -> str:
    for name, text in files.items():
        (directory / f"{name}.py").write_text(text)
    site, diagnostics, sources = load_site(directory / "site.py")
    assert site is None
    return render_text(diagnostics, sources).replace(f"{directory}/", "")


# What is written in the file, the code, and what the carets are under.
VALUES = [
    ('Pool(name="web", shedule="rr")', "TVS0101", "shedule"),
    ('Pool(name="web", schedule="rrr")', "TVS0109", '"rrr"'),
    ('Pool(name="no name")', "TVS0119", '"no name"'),
    ('Pool(name=7, servers=["10.0.0.1:80"])', "TVS0106", "7"),
    ('Pool(name="web", servers=["10.0.0.1:80", "10.0.0.2"])', "TVS0107", '"10.0.0.2"'),
    ('Pool(name="web", servers=["10.0.0.1:80", 4.5])', "TVS0106", "4.5"),
    ('Pool(name="web", servers=[Server(address="10.0.0.1:80", wait=1)])', "TVS0101", "wait"),
    ('Pool(name="web", check=Check(type="tcp", every=5))', "TVS0107", "5"),
    ('Pool(name="web", check=Check(type="tcp", every=2.5))', "TVS0106", "2.5"),
    ('Pool(name="web", check=Check(type="tcp", every="5 4"))', "TVS0014", '"5 4"'),
    ('Pool(name="web", check=Check(type="tcp", every="5x"))', "TVS0014", '"5x"'),
    ('Pool(name="web", check=Check(type="tcp", every="} {"))', "TVS0013", '"} {"'),
    ('Pool(name="web", check="tcp")', "TVS0106", '"tcp"'),
    ('Service(name="web", listen="tcp 80 -> web mode tunnel")', "TVS0110", '"tcp 80 -> web mode'),
    ('Service(name="web", limits=Limits(allow=[]))', "TVS0221", "[]"),
    ('Service(name="web", limits=Limits(allow=(), allow_from=[]))', "TVS0221", "()"),
    ('Service(name="é", vip="10.0.0.0/8")', "TVS0106", '"10.0.0.0/8"'),
]


@pytest.mark.parametrize(("code", "found", "marked"), VALUES, ids=[v[0] for v in VALUES])
def test_value(code: str, found: str, marked: str, tmp_path: Path) -> None:
    kind = "pools" if code.startswith("Pool") else "services"
    text = f'{HEAD}part = {code}\nsite = Site(name="s", asn=1, seed="s", {kind}=[part])\n'
    shown = messages(tmp_path, site=text).splitlines()
    at = next(i for i, line in enumerate(shown) if found in line)
    column = len("part = ") + code.index(marked) + 1
    assert shown[at + 1] == f" --> site.py:2:{column}"
    assert shown[at + 4].count("^") >= len(marked)


def test_module_beside_the_site(tmp_path: Path) -> None:
    """A helper's parts are shown in the helper; it is read afresh in each run."""
    site = f'{HEAD}from parts import pool\nsite = Site(name="s", asn=1, seed="s", pools=[pool()])\n'
    bad = f'{HEAD}def pool():\n    return Pool(name="web", schedule="rrr")\n'
    assert "--> parts.py:3:38" in messages(tmp_path, site=site, parts=bad)
    assert "--> parts.py:4:38" in messages(tmp_path, site=site, parts=f"\n{bad}")
    assert "parts" not in sys.modules


def test_arguments_from_elsewhere(tmp_path: Path) -> None:
    """What the call does not show is shown at the call."""
    text = f'{HEAD}more = {{"schedule": "rrr"}}\npool = Pool(name="web", **more)\n'
    text += 'site = Site(name="s", asn=1, seed="s", pools=[pool])\n'
    assert "--> site.py:3:8" in messages(tmp_path, site=text)


def test_exception(tmp_path: Path) -> None:
    text = "def count(name):\n    return {}[name]\n\nn = count('web')\n"
    assert messages(tmp_path, site=text) == (
        "error[TVS0017]: KeyError: 'web'\n"
        " --> site.py:2:12\n"
        "  |\n"
        "2 |     return {}[name]\n"
        "  |            ^^^^^^^^\n"
        "note: called in the file --> site.py:4:5\n"
    )


def test_exception_inside_a_library(tmp_path: Path) -> None:
    """Frames of other people's code, tvsc's too, are not shown."""
    shown = messages(tmp_path, site=f'{HEAD}a = host("10.0.0.0/33", 1)\n')
    assert shown.startswith("error[TVS0017]: ValueError: '10.0.0.0/33'")
    assert "--> site.py:2:5" in shown
    assert "parts.py" not in shown


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("x = (\n", "SyntaxError: '(' was never closed", "site.py:1:5"),
        ("import sys\nsys.exit(4)\n", "SystemExit: 4", "site.py:2:1"),
        ("def f():\n    f()\nf()\n", "RecursionError", "site.py:2:5"),
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'", "site.py:1:1"),
        ("import parts\n", "SyntaxError", "parts.py:1:"),
        ("x = 1\0\n", "source code", "site.py:1:1"),
        (f"{HEAD}host('10.0.0.0/24', 'x')\n", "TypeError: expected a whole number", "site.py:2:1"),
        (f"{HEAD}subnet('10.0.0.0/24', 2.5, 1)\n", "TypeError: expected a whole", "site.py:2:1"),
    ],
)
def test_failure(text: str, what: str, place: str, tmp_path: Path) -> None:
    shown = messages(tmp_path, site=text, parts="if\n")
    assert shown.startswith("error[TVS0017]: ")
    assert what in shown
    assert f"--> {place}" in shown


@pytest.mark.parametrize("text", ["", "site = 5\n", f"{HEAD}shop = Site(name='s')\n"])
def test_no_site(text: str, tmp_path: Path) -> None:
    assert messages(tmp_path, site=text).startswith("error[TVS0018]: ")


def test_command(tmp_path: Path) -> None:
    """Exit status 1 and no traceback; what the file prints is not in the output."""
    path = tmp_path / "site.py"
    path.write_text(
        "import os\nos.system('echo more')\nprint('noise')\n"
        "raise ValueError('no \\x1b[31m data' + 'x' * 9999)\n"
    )
    command = [sys.executable, "-m", "tvsc.cli.main", "check", "--format", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("{")
    assert len(done.stdout) < 4000
    assert "TVS0017" in done.stdout
    assert done.stderr == "more\nnoise\n"


# What a file does that nothing but the writer of the program can see.
LATER = [
    ("site.pools = None", "TVS0106", "`pools` of `Site` cannot hold"),
    ("site.clusters = 'abc'", "TVS0106", "`clusters` of `Site` cannot hold"),
    ("site.pools.append(None)", "TVS0106", "cannot hold a Python value of type `NoneType`"),
    ("site.pools = [Pool(name='x')]\nsite.pools[0].check = 5", "TVS0106", "`check` of `Pool`"),
    ("site.pools = [p := Pool(name='x')]\np.servers.append(p)", "TVS0106", "type `Pool`"),
    ("site.asn = 10**5000", "TVS0014", "18 digits"),
    ("site.seed = 's' * 10**7", "TVS0014", "4096 characters"),
    ("site.pools = [Pool(name='x', schedule='r' * 10**7)]", "TVS0014", "255 characters"),
    ("v = []\nv.append(v)\nsite.services = [Service(name='w', vip=v)]", "TVS0006", "32 deep"),
    ("site = [site] * 3", "TVS0018", "not a `Site`"),
    ("site.seed = b'x'", "TVS0106", "type `bytes` means nothing here"),
    (
        "class L(list):\n    def __iter__(self): raise OSError('mine')\nsite.pools = L()",
        "TVS0017",
        "OSError: mine",
    ),
]


@pytest.mark.parametrize(("text", "code", "words"), LATER, ids=[row[0] for row in LATER])
def test_set_later(text: str, code: str, words: str, tmp_path: Path) -> None:
    before = f'{HEAD}site = Site(name="s", asn=1, seed="s")\n'
    shown = messages(tmp_path, site=f"{before}{text}\n")
    assert f"error[{code}]" in shown
    assert words in shown
    assert len(shown) < 4000


def test_surroundings_are_restored(tmp_path: Path) -> None:
    before = (Path.cwd(), sys.path.copy(), sys.dont_write_bytecode)
    messages(tmp_path, site="import os, parts\nos.chdir('/')\n", parts="")
    assert (Path.cwd(), sys.path, sys.dont_write_bytecode) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.py", "site.py"]


def test_formatter_refuses(tmp_path: Path) -> None:
    path = tmp_path / "site.py"
    path.write_text("x = 1\n")
    command = [sys.executable, "-m", "tvsc.cli.main", "fmt", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Python files have formatters" in done.stderr
