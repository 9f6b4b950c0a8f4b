"""Effects: programs that are run, directories that are written. Earlier stages have none."""

from tvsc.build.failure import BuildError
from tvsc.build.output import Output
from tvsc.build.progress import Progress

__all__ = ["BuildError", "Output", "Progress"]
