"""The language's surface: characters to a syntax tree with spans. Meaning is given in
`tvsc/lower`.
"""

from tvsc.dsl.ast import File, Program
from tvsc.dsl.load import Loader, parse

__all__ = ["File", "Loader", "Program", "parse"]
