"""Finds the files that travel with the compiler: C templates and the runtime's sources.

An installed wheel has them as package data under `tvsc/_data/`; a source checkout has them beside
the package. Everything that reads a template or compiles a runtime source asks here.
"""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


class ResourceError(Exception):
    """The installation lacks files that belong to it; the message is for the user."""


@cache
def _base_dir() -> Path:
    installed = _PACKAGE / "_data"
    return installed if installed.is_dir() else _PACKAGE.parent


def _resource_dir(name: str) -> Path:
    path = _base_dir() / name
    if not path.is_dir():
        raise ResourceError(
            f"this installation of tvsc has no `{name}` at {path}; install it again"
        )
    return path


def templates_dir() -> Path:
    """The jinja2 templates, in `c/` and `etc/`. Raises ResourceError when they are missing."""
    return _resource_dir("templates")


def runtime_dir() -> Path:
    """The runtime's C sources and meson.build. Raises ResourceError when they are missing."""
    return _resource_dir("runtime")
