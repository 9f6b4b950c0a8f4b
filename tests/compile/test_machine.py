"""What the machine lacks or refuses is said with a code and the Debian package that helps."""

from __future__ import annotations

import ctypes
import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compile.sites import make_site, make_sources
from tvsc.build import bird, toolchain
from tvsc.build.failure import BuildError, failed, writing_to
from tvsc.build.generation import Unit, build_generations
from tvsc.build.output import Output, State
from tvsc.build.process import Result, run
from tvsc.build.progress import Progress
from tvsc.codegen import render_c
from tvsc.diag import codes
from tvsc.plan import NodePlan, plan_site


@pytest.fixture
def plan() -> NodePlan:
    return plan_site(make_site(), make_sources()).nodes[0]


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError) as caught:
        toolchain.find_compiler()
    diagnostic = caught.value.diagnostic
    assert (diagnostic.code.id, diagnostic.message) == ("TVS0801", "no C compiler was found")
    assert diagnostic.help and "apt install gcc" in diagnostic.help


def test_cc_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(BuildError, match="CC is `no-such-compiler -m64`"):
        toolchain.find_compiler()


def test_cc_may_have_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "gcc -m64")
    assert toolchain.find_compiler().argv == ("gcc", "-m64")


def test_no_dpdk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PKG_CONFIG_LIBDIR", str(tmp_path))
    with pytest.raises(BuildError) as caught:
        toolchain.library_versions()
    diagnostic = caught.value.diagnostic
    assert diagnostic.code.id == "TVS0802"
    assert "DPDK" in diagnostic.message
    assert diagnostic.help and "libdpdk-dev" in diagnostic.help


def test_no_pkg_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError) as caught:
        toolchain.library_versions()
    assert caught.value.diagnostic.code.id == "TVS0802"


def test_no_bird(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str, path: str = "") -> None:
        return None

    monkeypatch.setattr(shutil, "which", nothing)
    with pytest.raises(BuildError) as caught:
        toolchain.find_bird()
    diagnostic = caught.value.diagnostic
    assert diagnostic.code.id == "TVS0803"
    assert diagnostic.help and "apt install bird2" in diagnostic.help


def test_bird_refuses(monkeypatch: pytest.MonkeyPatch, plan: NodePlan, tmp_path: Path) -> None:
    def broken(_plan: NodePlan, _secrets: str) -> str:
        return "protocol nonsense {\n"

    monkeypatch.setattr(bird, "render_bird", broken)
    with pytest.raises(BuildError) as caught:
        bird.check_bird(toolchain.find_bird(), plan, tmp_path)
    assert caught.value.diagnostic.code.id == "TVS0805"
    assert "syntax error" in caught.value.output


@pytest.mark.slow
def test_sources_that_do_not_compile(plan: NodePlan, tmp_path: Path) -> None:
    sources = render_c(plan)
    broken = {**sources, "path.c": sources["path.c"] + "\n#error broken on purpose\n"}
    unit = Unit("n", "x86-64-v2", broken)
    compiler = toolchain.find_compiler()
    with pytest.raises(BuildError) as caught:
        build_generations([unit], tmp_path, "base", compiler, 2, Progress(quiet=True))
    assert caught.value.diagnostic.code.id == "TVS0804"
    assert "broken on purpose" in caught.value.output
    assert "[1/" not in caught.value.output


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_both_compilers_build_it(
    monkeypatch: pytest.MonkeyPatch, plan: NodePlan, tmp_path: Path, compiler: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    made = build_generations(
        [Unit("n", "x86-64-v2", render_c(plan))],
        tmp_path,
        "base",
        toolchain.find_compiler(),
        2,
        Progress(quiet=True),
        werror=True,
    )
    assert made["n"].read_bytes()[:4] == b"\x7fELF"


def test_run_kills_what_it_started_when_interrupted(tmp_path: Path) -> None:
    """An exception in the reader of its output ends the whole group."""
    late = tmp_path / "late"

    def stop(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", f"(sleep 1; touch {late}) & echo started; wait"], on_line=stop)
    run(["sleep", "1.3"])
    assert not late.exists()


def test_no_python_runs_where_an_interrupt_would_be_lost() -> None:
    """Python drops what is raised in hooks of a fork, KeyboardInterrupt too: none may run."""
    program = """if True:
        import os
        from tvsc.build.process import run
        os.register_at_fork(before=lambda: print("fork"), after_in_parent=lambda: print("forked"))
        print(run(["true"]).status)
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"


def test_run_says_what_it_cannot_start() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        run(["no-such-program", "--help"])
    assert caught.value.filename == "no-such-program"


def test_complaint_leaves_out_what_went_well() -> None:
    lines = ["[1/3] cc a.c", "FAILED: b.o", "b.c:1: error: no", "[2/3] cc c.c"]
    assert Result(1, "\n".join(lines)).complaint == "FAILED: b.o\nb.c:1: error: no"
    assert Result(1, "x\n" * 100).complaint.endswith("(40 more lines)")


def staged(output: Output, **parts: str) -> State:
    for part, text in parts.items():
        (output.stage / part).mkdir(parents=True)
        (output.stage / part / "file").write_text(text, encoding="utf-8")
    return State(host=next(iter(parts.values())))


def test_publish_exchanges_whole_directories(tmp_path: Path) -> None:
    with Output(tmp_path / "out") as output:
        output.publish(staged(output, nodes="one", bundles="one", bin="one"))
    with Output(tmp_path / "out") as output:
        assert output.state().host == "one"
        output.publish(staged(output, nodes="two"))
        assert output.state().host == "two"
    assert (tmp_path / "out/nodes/file").read_text(encoding="utf-8") == "two"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".tvsc", "nodes"]
    assert not (tmp_path / "out/.tvsc/stage").exists()


def test_publish_where_the_file_system_cannot_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OldSystem:
        """renameat2 fails as on a file system without it."""

        def renameat2(self, *_: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr("tvsc.build.output._libc", OldSystem())
    with Output(tmp_path / "out") as output:
        output.publish(staged(output, nodes="one"))
    with Output(tmp_path / "out") as output:
        output.publish(staged(output, nodes="two"))
    assert (tmp_path / "out/nodes/file").read_text(encoding="utf-8") == "two"


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    failed(codes.BUILD_FAILED, "no", output="ld: final link failed: No space left on device\n"),
]


@pytest.mark.parametrize("error", FULL, ids=["ours", "a tool's"])
@pytest.mark.parametrize("before", ["nothing", "empty", "good"])
def test_no_space(tmp_path: Path, error: Exception, before: str) -> None:
    """The message has the path; nothing half-made stays, and what was there does."""
    out = tmp_path / "a" / "out"
    if before == "empty":
        out.mkdir(parents=True)
    elif before == "good":
        with Output(out) as output:
            output.publish(staged(output, nodes="one"))
    old = sorted(tmp_path.rglob("*"))
    with pytest.raises(BuildError) as caught, writing_to(out), Output(out) as output:
        staged(output, nodes="two")
        raise error
    diagnostic = caught.value.diagnostic
    assert diagnostic.code.id == "TVS0808"
    assert diagnostic.message == f"there is no space left to write to `{out}`"
    assert diagnostic.help and "make room" in diagnostic.help
    assert sorted(tmp_path.rglob("*")) == old


def test_no_space_in_the_cache_names_the_cache() -> None:
    out, cache = writing_to(Path("out")), writing_to(Path("cache"))
    with pytest.raises(BuildError, match="`cache`"), out, cache:
        raise FULL[0]


def test_other_failures_stay_as_they_are() -> None:
    with pytest.raises(PermissionError), writing_to(Path("out")):
        raise PermissionError(errno.EACCES, "Permission denied", "x")


@pytest.mark.slow
def test_flags_of_the_user_do_not_change_the_bytes(
    monkeypatch: pytest.MonkeyPatch, plan: NodePlan, tmp_path: Path
) -> None:
    def build(name: str) -> bytes:
        unit = Unit("n", "x86-64-v2", render_c(plan))
        compiler = toolchain.find_compiler()
        made = build_generations([unit], tmp_path / name, "b", compiler, 2, Progress(quiet=True))
        return made["n"].read_bytes()

    plain = build("plain")
    monkeypatch.setenv("CFLAGS", "-O0 -g -DTVS_TICK_MS=1")
    monkeypatch.setenv("LDFLAGS", "-Wl,-rpath,/nowhere")
    assert build("flags") == plain
