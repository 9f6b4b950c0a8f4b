"""The lab's tests use a copy of the laptop example: a lab of one's own beside them is no bother."""

from pathlib import Path

import pytest

from tvsc.lower import load_site
from tvsc.model import Site

ROOT = Path(__file__).resolve().parents[2]
LAPTOP = ROOT / "examples" / "laptop" / "site.tvs"


@pytest.fixture(scope="session")
def laptop() -> Site:
    site, diagnostics, _ = load_site(LAPTOP)
    assert site is not None, diagnostics
    return site
