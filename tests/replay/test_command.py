"""The command line of tvs-replay: what it refuses, and how it says so."""

from pathlib import Path

import pytest

from tests.naive import runtime
from tests.replay.captures import pcap
from tests.replay.run import command, replay_generation


def generation() -> tuple[str, str]:
    return "--generation", str(runtime.fixture())


def test_help_has_an_example() -> None:
    done = command("--help")
    assert done.returncode == 0 and b"example: tvs-replay" in done.stdout
    assert done.stderr == b""


def test_version() -> None:
    assert command("--version").stdout.startswith(b"tvs-replay ")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["a", "b"], "--generation is missing"),
        ([*generation()], "one input and one output capture are needed"),
        ([*generation(), "a", "b", "c"], "one input and one output capture are needed"),
        ([*generation(), "--worker", "x", "a", "b"], "bad value for --worker: x"),
        ([*generation(), "--worker", "2", "a", "b"], "a worker that this node does not have"),
        ([*generation(), "--clock", "0", "a", "b"], "bad value for --clock: 0"),
        ([*generation(), "--clock", "nan", "a", "b"], "bad value for --clock: nan"),
        ([*generation(), "--clock", "-1", "a", "b"], "bad value for --clock: -1"),
        ([*generation(), "--burst", "33", "a", "b"], "bad value for --burst: 33"),
        ([*generation(), "--down", "10.20.1.1", "a", "b"], "bad value for --down: 10.20.1.1"),
        ([*generation(), "--down", "1.1.1.1:1", "a", "b"], "a server that no pool has"),
        ([*generation(), "--stats", "-", "a", "-"], "only one output can be `-`"),
        ([*generation(), "--nonsense", "a", "b"], "--nonsense"),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, list) else "",
)
def test_usage(arguments: list[str], why: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert why in done.stderr.decode()
    assert done.stderr.decode().endswith("try: tvs-replay --help\n")
    assert done.stdout == b""


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = command(*generation(), str(tmp_path / "none"), str(tmp_path / "out"))
    assert done.returncode == 1 and b"No such file" in done.stderr
    assert not (tmp_path / "out").exists()
    done = command("--generation", str(tmp_path / "none.so"), "a", "b")
    assert done.returncode == 1 and b"none.so: No such file" in done.stderr


def test_what_is_not_a_generation(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("text")
    done = command("--generation", str(tmp_path / "text.so"), "a", "b")
    assert done.returncode == 1 and b"text.so" in done.stderr
    whole = runtime.fixture().read_bytes()
    for part in (0, 40, 4096, len(whole) - 4096, len(whole) - 1):
        (tmp_path / "part.so").write_bytes(whole[:part])
        done = command("--generation", str(tmp_path / "part.so"), "a", "b")
        assert done.returncode == 1 and b"part.so: " in done.stderr, done
    done = command("--generation", str(runtime.memory_library()), "a", "b")
    assert done.returncode == 1 and b"not a generation" in done.stderr


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap([]))
    done = command(*generation(), str(path), str(path))
    assert done.returncode == 2 and b"would overwrite an input" in done.stderr
    assert path.read_bytes() == pcap([])


def test_stats_name_the_node() -> None:
    stats = replay_generation(runtime.fixture(), []).stats
    named = {key: stats[key] for key in ("format_version", "site", "cluster", "node")}
    assert named == {"format_version": 1, "site": "fixture", "cluster": "F", "node": "tvs-f1"}
    assert len(stats["workers"]) == 2
