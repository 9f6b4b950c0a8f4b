"""The laptop example with a pool for each schedule that picks otherwise than by turns."""

from pathlib import Path

from tests.naive import runtime

LAPTOP = runtime.ROOT / "examples" / "laptop" / "site.tvs"
SCHEDULES = {"web": "maglev", "api": "least-loaded", "echo": "source-hash"}


def scheduled_site() -> Path:
    """The site file, written anew: the same text each time."""
    text = LAPTOP.read_text(encoding="utf-8")
    for pool, schedule in SCHEDULES.items():
        head, start, rest = text.partition(f"pool {pool} {{\n    schedule ")
        assert start, pool
        text = head + start + schedule + rest.removeprefix("wrr").removeprefix("rr")
    path = runtime.ROOT / "build" / "tests-schedules" / "site.tvs"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path
