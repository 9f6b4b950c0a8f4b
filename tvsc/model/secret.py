"""Secrets by reference: the site names where a node finds them, and no output ever holds them."""

from __future__ import annotations

from enum import StrEnum

from tvsc.model.base import Model


class SecretSource(StrEnum):
    """Where a node looks."""

    FILE = "file"
    ENV = "env"


class Secret(Model):
    """`source` and `name`: a path on the node, or the name of an environment variable there."""

    source: SecretSource
    name: str
