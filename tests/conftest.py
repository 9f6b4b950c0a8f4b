"""Rules for every test: without root the lab fails; in the full run nothing is skipped."""

import os
import signal
from collections.abc import Generator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a skipped test is a failure (the full run must not pass by not looking)",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files anew; read the difference before committing it",
    )


def pytest_configure(config: pytest.Config) -> None:
    # What earlier runs of other checkouts left in the user's cache must not decide a test.
    os.environ["XDG_CACHE_HOME"] = str(config.rootpath / "build/cache")
    # What a shell starts in the background ignores SIGINT, and so would all that tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("lab") and os.geteuid() != 0:
        pytest.fail("this test makes network namespaces and needs root", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("no_skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be: {call.excinfo and call.excinfo.value}"
    return report
