"""What goes wrong in a measurement."""

from tvsc.failure import Failure


class BenchError(Failure):
    """Nothing can be measured, or what was measured means nothing."""
