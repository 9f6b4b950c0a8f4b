"""What every noun of the model shares: frozen, strict, no unknown fields."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from pydantic import BaseModel, ConfigDict, Field

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Interface = IPv4Interface | IPv6Interface


class Model(BaseModel):
    """A resolved fact of the site. Values are never coerced and never change after construction."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Noun(Model):
    """A part of the site that has a place in the source.

    `at` is its path in the origin table, for example `cluster/A/node/tvs-a1/port/fwd`. It says
    where the thing was written, not what it is: it is left out of dumps.
    """

    at: str = Field(default="", exclude=True, repr=False)
