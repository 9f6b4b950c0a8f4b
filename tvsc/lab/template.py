"""Renders the lab's own configuration files: BIRD of the switch, nginx of a real server."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)


def render(name: str, target: Path, **context: object) -> None:
    """Writes template `name` to `target`."""
    target.write_text(_ENVIRONMENT.get_template(name).render(**context), encoding="utf-8")
