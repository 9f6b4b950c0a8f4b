"""The compiler from end to end: read this first.

`STAGES` is the whole of `tvsc compile`, in order. A stage reads what earlier ones left in `Run` and
leaves its own result there. Up to `plan` only the site and the machine's tools are looked at; the
first stage that touches OUT is `claim`, and the only one that changes what a user sees there is
`publish`, in one step at the end. A plan names its generation by everything that goes into it, so
`claim` knows before anything is rendered whether there is work to do. `recall` knows it before
anything is parsed, if exactly this was compiled last time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tvsc.build.failure import BuildError, writing_to
from tvsc.build.output import Inputs, NodeState, Output, State
from tvsc.build.progress import Progress
from tvsc.build.toolchain import Compiler, base_hash, find_compiler
from tvsc.diag import Diagnostic, codes, deny, has_errors
from tvsc.lower import no_garbage
from tvsc.model import Site, Steering
from tvsc.plan import NodePlan, PlanOptions, PlanWriter, SitePlan, plan_site
from tvsc.source import SourceMap


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides. `nodes` is empty for all; `bundle` False leaves out the host
    binary and the bundles; `deny` has the codes of the warnings that are errors. With `recall` a
    run whose input is that of the last one ends without a site and a plan.
    """

    site: Path
    out: Path
    nodes: tuple[str, ...] = ()
    steering: Steering | None = None
    bundle: bool = True
    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    deny: frozenset[str] = frozenset()
    recall: bool = False


class SiteError(Exception):
    """The site has errors: `diagnostics` say which, `sources` where."""

    def __init__(self, diagnostics: list[Diagnostic], sources: SourceMap) -> None:
        super().__init__("the site has errors")
        self.diagnostics = diagnostics
        self.sources = sources


@dataclass(slots=True)
class Run:
    """One compilation: the options, and what the stages so far have found out."""

    options: Options
    progress: Progress
    output: Output
    site: Site | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    sources: SourceMap = field(default_factory=SourceMap)
    compiler: Compiler = field(default_factory=lambda: Compiler((), ""))
    base: str = ""
    plan: SitePlan = field(default_factory=lambda: SitePlan("", (), PlanWriter()))
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    host: str = ""
    old: State = field(default_factory=State)
    new: State = field(default_factory=State)
    recalled: bool = False
    unchanged: bool = False
    objects: dict[str, Path] = field(default_factory=dict)
    programs: dict[str, Path] = field(default_factory=dict)

    def loaded(self) -> Site:
        """The site, after `load`."""
        assert self.site is not None
        return self.site

    def result(self) -> State:
        """What OUT holds now, after `publish`."""
        return self.old if self.unchanged else self.new


def recall(run: Run) -> None:
    """The last state of OUT -> whether it was made from what would be read now."""
    if not run.options.recall:
        return
    from tvsc.build.recall import still_same

    run.old = run.output.state()
    inputs = run.old.inputs
    run.recalled = inputs is not None and still_same(_head(run), run.options.site, inputs)


def _head(run: Run) -> str:
    """Everything but the site's files that decides what a compilation does."""
    from tvsc.build.toolchain import program_hash

    tools(run)
    options = run.options
    steering = options.steering.value if options.steering else ""
    deny = " ".join(sorted(options.deny))
    parts = (program_hash(), run.base, run.host, steering, str(options.bundle), deny)
    return "\n".join((*parts, *options.nodes))


def load(run: Run) -> None:
    """Site file -> Site: parse, resolve, check."""
    if run.recalled:
        return
    from tvsc.lower import load_site

    run.site, found, run.sources = load_site(run.options.site)
    run.diagnostics = deny(found, run.options.deny)
    if run.site is None or has_errors(run.diagnostics):
        raise SiteError(run.diagnostics, run.sources)
    known = [node.name for node in run.site.nodes()]
    unknown = [name for name in run.options.nodes if name not in known]
    if unknown:
        message = f"the site has no node `{unknown[0]}`"
        names = ", ".join(f"`{name}`" for name in known)
        raise SiteError(
            [Diagnostic(codes.UNKNOWN_NAME, message, help=f"it has {names}")], run.sources
        )


def tools(run: Run) -> None:
    """The machine's compiler; with the runtime and tvsc itself it is the base of every build. The
    host's name covers its libraries, too.
    """
    if run.base:
        return
    run.compiler = find_compiler()
    run.base = base_hash(run.compiler)
    if run.options.bundle:
        from tvsc.build.host import host_hash

        run.host = host_hash(run.compiler)


def plan(run: Run) -> None:
    """Site -> NodePlan of every node. A generation's name covers the site's texts, too: a bundle's
    manifest has their hashes, and one name is always the same bytes.
    """
    if run.recalled:
        return
    digest = hashlib.sha256(run.base.encode())
    for source in sorted(run.sources.files, key=lambda file: file.name):
        digest.update(f"{source.name}\0{len(source.text)}\0{source.text}".encode())
    options = PlanOptions(steering=run.options.steering, base=digest.hexdigest())
    run.plan = plan_site(run.loaded(), run.sources, options, run.options.nodes or None)


def prove(run: Run) -> None:
    """The plans run through models of their NICs: both directions of every flow meet one worker."""
    if run.recalled:
        return
    from tvsc.checks.steering_proof import prove_plan

    found = [d for proof in prove_plan(run.loaded(), run.plan) for d in proof.diagnostics]
    if found:
        raise SiteError(found, run.sources)


def claim(run: Run) -> None:
    """Finds out whether there is anything to do; from here on OUT is ours alone."""
    before, run.old = run.old, run.output.state()
    if run.recalled:
        run.unchanged = run.old == before and run.output.as_left(run.old)
        if run.unchanged:
            return
        run.recalled = False  # OUT was damaged, or another compilation was faster
        for stage in (load, plan, prove):
            stage(run)
    run.fingerprints = {node.node: f"{node.generation} {run.host}" for node in run.plan.nodes}
    run.unchanged = _nothing_to_do(run)


def _nothing_to_do(run: Run) -> bool:
    old = run.old
    wanted = {node.node for node in run.plan.nodes}
    if run.options.nodes:
        wanted = set(old.nodes) | wanted
    same = all(
        run.fingerprints.get(name, node.fingerprint) == node.fingerprint
        for name, node in old.nodes.items()
    )
    return same and set(old.nodes) == wanted and old.host == run.host and run.output.as_left(old)


def _inputs(run: Run) -> Inputs | None:
    """What the next compilation may recall. Not a site with warnings: they are to be said again."""
    from tvsc.build.recall import inputs_of

    if run.diagnostics or not run.options.recall:
        return None
    return inputs_of(_head(run), run.options.site, run.sources)


def render(run: Run) -> None:
    """NodePlan -> path: text."""
    if run.unchanged:
        return
    from tvsc.codegen import render_site

    run.texts = render_site(run.plan)


def validate(run: Run) -> None:
    """Every bird.conf is read by BIRD itself."""
    if run.unchanged:
        return
    from tvsc.build.bird import check_bird
    from tvsc.build.toolchain import find_bird

    bird = find_bird()
    for node in run.plan.nodes:
        check_bird(bird, node, run.output.stage / "bird" / node.node)


def build(run: Run) -> None:
    """C -> generation.so of every node, each common part once; once per machine the host binary."""
    if run.unchanged:
        return
    from tvsc.build.generation import Unit, build_generations
    from tvsc.build.host import host_programs

    units = [Unit(node.node, node.march, run.texts[node.node]) for node in run.plan.nodes]
    run.objects = build_generations(
        units,
        run.output.private / "build",
        run.base,
        run.compiler,
        run.options.jobs,
        run.progress,
        run.output.lock_fd,
    )
    if run.options.bundle:
        run.programs = host_programs(run.host, run.compiler, run.options.jobs, run.progress)


def pack(run: Run) -> None:
    """Everything -> OUT/.tvsc/stage, bundles included."""
    if run.unchanged:
        return
    from tvsc.build.stage import stage_all

    run.new = replace(stage_all(run), inputs=_inputs(run))


def publish(run: Run) -> None:
    """The staged state takes the place of the old one."""
    if not run.unchanged:
        run.output.publish(run.new)
    elif not run.recalled and (inputs := _inputs(run)) != run.old.inputs:
        run.output.remember(replace(run.old, inputs=inputs))


Stage = Callable[[Run], None]

STAGES: tuple[Stage, ...] = (
    recall,
    load,
    tools,
    plan,
    prove,
    claim,
    render,
    validate,
    build,
    pack,
    publish,
)

_BEFORE_OUT = STAGES[: STAGES.index(claim)]
_WITH_OUT = STAGES[STAGES.index(claim) :]


def compile_site(options: Options, progress: Progress | None = None) -> Run:
    """Runs the stages. SiteError and BuildError carry what the user must know; OUT then is as it
    was.
    """
    run = Run(options, progress or Progress(quiet=True), Output(options.out))
    with no_garbage():
        for stage in _BEFORE_OUT:
            stage(run)
        with writing_to(options.out), run.output:
            for stage in _WITH_OUT:
                stage(run)
    return run


__all__ = [
    "STAGES",
    "BuildError",
    "NodePlan",
    "NodeState",
    "Options",
    "Run",
    "SiteError",
    "compile_site",
]
