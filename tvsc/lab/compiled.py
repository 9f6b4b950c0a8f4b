"""The compiled site that a lab runs: the compiler's output directory, brought up to date."""

from dataclasses import dataclass
from pathlib import Path

from tvsc.build.progress import Progress
from tvsc.lab.errors import LabError
from tvsc.lower import load_site
from tvsc.model import Site, Steering
from tvsc.pipeline import Options, SiteError
from tvsc.pipeline import compile_site as compile_pipeline


@dataclass(frozen=True, slots=True)
class Compiled:
    """`steering` is what the nodes were compiled with, in words."""

    site: Site
    out: Path
    tvsd: Path
    steering: str


def load(site_file: Path) -> Site:
    """The site alone; SiteError as the compiler raises it."""
    site, diagnostics, sources = load_site(site_file)
    if site is None:
        raise SiteError(diagnostics, sources)
    return site


def compile_site(site_file: Path, out: Path, steering: str | None, *, quiet: bool) -> Compiled:
    """Compiles `site_file` to `out`; SiteError and BuildError are the compiler's own.

    `steering` replaces the site's own when it is not None.
    """
    override = None if steering is None else Steering(steering)
    options = Options(site=site_file, out=out, steering=override)
    site = compile_pipeline(options, Progress(quiet=quiet)).loaded()
    tvsd = out.resolve() / "bin" / "tvsd"
    if not tvsd.is_file():
        raise LabError(f"the compiler left no {tvsd}")
    modes = dict.fromkeys(cluster.steering.value for cluster in site.clusters)
    return Compiled(
        site=site,
        out=out.resolve(),
        tvsd=tvsd,
        steering=override.value if override else " and ".join(modes),
    )
