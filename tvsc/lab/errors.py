"""What goes wrong in a lab."""

from tvsc.failure import Failure


class LabError(Failure):
    """The lab cannot be, or a program in it did not do what it should."""
