"""NodePlan -> what the templates of the config files place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import PurePosixPath

from tvsc.codegen.escape import bird_string, bird_symbol, hash_comment, shell_word
from tvsc.model import Secret, SecretSource
from tvsc.plan import BgpPlan, NeighborPlan, NodePlan, PortPlan

INSTALL_DIR = "/opt/tvs/current"
"""Where a node unpacks the bundle that it runs (a symbolic link to the newest)."""

SITE_SECRETS_DIR = "/etc/tvs"
"""Relative paths of secrets start here, on the node; variables are in its `environment`."""

SECRETS_DIR = "/run/tvs-bird"
"""Where tvs-bird.service puts the neighbours' passwords in BIRD's syntax, readable by root."""

KERNEL_TABLE = 100
"""The host puts what is to be announced into this table of the kernel; BIRD learns it there."""

_PAGE_MB = 2


@dataclass(frozen=True, slots=True)
class NeighborContext:
    """A BGP neighbour. `password_file` is what bird.conf includes, None without a password.
    `internal` is a neighbour in the own AS.
    """

    plan: NeighborPlan
    symbol: str
    internal: bool
    bfd: bool
    password_file: str | None
    secret: str
    reader: str


@dataclass(frozen=True, slots=True)
class EtcContext:
    """Everything that the templates in templates/etc place."""

    plan: NodePlan
    tagged: tuple[PortPlan, ...]
    sources: str
    title: str
    install_dir: str
    secrets_dir: str
    site_secrets_dir: str
    secrets_option: str
    sync_key_env: bool
    sync_origin: str
    kernel_table: int
    neighbors: tuple[NeighborContext, ...]
    has_secrets: bool
    has_bfd: bool
    vips: tuple[str, ...]
    lips: tuple[str, ...]
    lower: tuple[str, ...]
    cores: str
    pci: bool
    hugepages: int
    cmdline: str


def _reader(secret: Secret) -> str:
    """Shell that prints the secret; nothing when there is none."""
    if secret.source is SecretSource.FILE:
        path = PurePosixPath(SITE_SECRETS_DIR) / secret.name
        return f"cat -- {shell_word(str(path))}"
    return f"printenv -- {shell_word(secret.name)}"


def _neighbor(plan: NeighborPlan, asn: int, secrets_dir: str) -> NeighborContext:
    secret = plan.password
    return NeighborContext(
        plan=plan,
        symbol=bird_symbol(plan.name),
        internal=plan.asn == asn,
        bfd=plan.bfd_interval_ms > 0,
        password_file=bird_string(f"{secrets_dir}/{plan.name}.conf") if secret else None,
        secret=hash_comment(f"{secret.source.value} {secret.name}") if secret else "",
        reader=_reader(secret) if secret else "",
    )


def _prefix(network: IPv4Network) -> str:
    a, b, c, d = network.network_address.packed
    return f"{a}.{b}.{c}.{d}/{network.prefixlen}"


def _exact(plan: NodePlan, *kinds: str) -> tuple[str, ...]:
    """Prefixes of BIRD's set, with the commas between them."""
    networks = [_prefix(route.network) for route in plan.routes if route.kind in kinds]
    return tuple(f"{text}{',' if text is not networks[-1] else ''}" for text in networks)


def _lower(bgp: BgpPlan) -> Iterator[str]:
    """Statements of BIRD's filter language that give a VIP's route its preference."""
    yield from (f"bgp_path.prepend({bgp.asn});",) * bgp.prepend
    if bgp.med is not None:
        yield f"bgp_med = {bgp.med};"
    if bgp.local_pref is not None:
        yield f"bgp_local_pref = {bgp.local_pref};"
    if bgp.community:
        attribute = "bgp_large_community" if len(bgp.community) == 3 else "bgp_community"
        yield f"{attribute}.add(({', '.join(map(str, bgp.community))}));"


def _hugepages_argument(plan: NodePlan, pages: int) -> str:
    sockets = {port.socket for port in plan.ports}
    if len(sockets) == 1 and None not in sockets:
        return f"hugepages={sockets.pop()}:{pages}"
    return f"hugepages={pages}"


def _cmdline(plan: NodePlan, cores: str, pages: int, pci: bool) -> Iterator[str]:
    """Arguments of the kernel; none for a node without cores and NICs of its own."""
    if cores:
        yield f"isolcpus=managed_irq,domain,{cores}"
        yield f"nohz_full={cores}"
        yield f"rcu_nocbs={cores}"
    if pages:
        yield f"default_hugepagesz={_PAGE_MB}M hugepagesz={_PAGE_MB}M"
        yield _hugepages_argument(plan, pages)
    if pci:
        yield "intel_iommu=on iommu=pt"


def etc_context(plan: NodePlan, secrets_dir: str = SECRETS_DIR) -> EtcContext:
    """Resolves a plan for the templates of config files."""
    neighbors = tuple(_neighbor(n, plan.bgp.asn, secrets_dir) for n in plan.bgp.neighbors)
    key = plan.sync.key.source if plan.sync else None
    pages = plan.memory.hugepage_mb // _PAGE_MB
    cores = ",".join(str(core) for core in plan.cores.workers)
    pci = any(not port.is_vdev for port in plan.ports)
    return EtcContext(
        plan=plan,
        tagged=tuple(port for port in plan.ports if port.vlan is not None),
        sources=hash_comment(", ".join(plan.sources)),
        title=hash_comment(f"node {plan.node} of cluster {plan.cluster}, site {plan.site}"),
        install_dir=INSTALL_DIR,
        secrets_dir=secrets_dir,
        site_secrets_dir=SITE_SECRETS_DIR,
        secrets_option=f" --secrets-dir {SITE_SECRETS_DIR}" if key is SecretSource.FILE else "",
        sync_key_env=key is SecretSource.ENV,
        sync_origin=hash_comment(plan.sync.origin) if plan.sync else "",
        kernel_table=KERNEL_TABLE,
        neighbors=neighbors,
        has_secrets=any(n.password_file for n in neighbors),
        has_bfd=any(n.bfd for n in neighbors),
        vips=_exact(plan, "vip"),
        lips=_exact(plan, "lip-long", "lip-short"),
        lower=tuple(_lower(plan.bgp)),
        cores=cores,
        pci=pci,
        hugepages=pages,
        cmdline=" ".join(_cmdline(plan, cores, pages, pci)),
    )
