"""A signal that ends the lab: between two steps, never in the middle of one.

`subprocess` leaves a child alone that it has just started when a handler raises. `ip netns add`
would then make its namespace after everything has been removed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Stopped(BaseException):
    """A signal asked for the end."""


@dataclass(slots=True)
class _Steps:
    """Of the main thread, where Python runs its handlers."""

    depth: int = 0
    asked: bool = False

    def leave(self) -> None:
        self.depth -= 1
        if self.asked and not self.depth:
            self.asked = False
            raise Stopped


_steps = _Steps()


def stop(_number: int, _frame: FrameType | None) -> None:
    """The handler: raises Stopped, now or where the step ends."""
    if not _steps.depth:
        raise Stopped
    _steps.asked = True


@contextmanager
def one_step() -> Iterator[None]:
    """What is within is done whole; a signal waits for its end. For the main thread."""
    _steps.depth += 1
    try:
        yield
    finally:
        _steps.leave()
