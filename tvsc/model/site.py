"""The root of the resolved model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from pydantic import ConfigDict, Field

from tvsc.model.base import Noun
from tvsc.model.cluster import Cluster
from tvsc.model.nic import NicProfile
from tvsc.model.node import Node, Port
from tvsc.model.origin import Origins
from tvsc.model.pool import Pool
from tvsc.model.servers import Servers
from tvsc.model.service import Service
from tvsc.source import Span


class Site(Noun):
    """Everything that was written, with every default made explicit, every loop unrolled and
    every name checked.

    `asn` is the AS that the nodes speak with; `seed` is the text from which RSS keys and other
    constants derive. `nics` are the profiles that some port uses, by name. Sequences are in
    source order.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str
    asn: int
    seed: str
    clusters: tuple[Cluster, ...]
    nics: tuple[NicProfile, ...]
    pools: tuple[Pool, ...]
    services: tuple[Service, ...]
    origins: Origins = Field(default_factory=Origins, exclude=True, repr=False)

    @cached_property
    def cluster_by_name(self) -> dict[str, Cluster]:
        """Clusters by name."""
        return {cluster.name: cluster for cluster in self.clusters}

    @cached_property
    def node_by_name(self) -> dict[str, Node]:
        """Nodes of all clusters by name: a node's name is unique in the site."""
        return {node.name: node for node in self.nodes()}

    @cached_property
    def pool_by_name(self) -> dict[str, Pool]:
        """Pools by name."""
        return {pool.name: pool for pool in self.pools}

    @cached_property
    def servers(self) -> Servers:
        """The servers of all pools by address."""
        return Servers(self.pools)

    @cached_property
    def nic_by_name(self) -> dict[str, NicProfile]:
        """NIC profiles by name."""
        return {nic.name: nic for nic in self.nics}

    @cached_property
    def service_by_name(self) -> dict[str, Service]:
        """Services by name."""
        return {service.name: service for service in self.services}

    def nodes(self) -> Iterator[Node]:
        """All machines, cluster by cluster."""
        for cluster in self.clusters:
            yield from cluster.nodes

    def cluster_of(self, node: Node) -> Cluster:
        """The cluster that a node belongs to."""
        return self.cluster_by_name[node.cluster]

    def nic_of(self, port: Port) -> NicProfile:
        """The profile that a port names."""
        return self.nic_by_name[port.nic]

    def span(self, noun: Noun, field: str = "") -> Span | None:
        """Where `noun`, or one of its fields in the language's spelling (`weight`, `on-down`),
        was written.
        """
        return self.origins.span(f"{noun.at}/{field}" if field else noun.at)
