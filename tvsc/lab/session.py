"""`lab up`, `run` and `down`: what the command line does, without the command line."""

import math
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvsc.lab import counters, launch, spread
from tvsc.lab.client import Fetch, fetch_all, sources, spread_wishes
from tvsc.lab.compiled import Compiled, compile_site, load
from tvsc.lab.drill import DrillGround
from tvsc.lab.health import require_daemons
from tvsc.lab.remote import Spec, ask
from tvsc.lab.render import Narrator
from tvsc.lab.report import Drill, Report, Requests, Sample, Setting
from tvsc.lab.requirement import Capabilities, probe, require
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import Topology, build_topology, lab_name

CLIENT_ADDRESSES = 250
SAMPLES = 12
SETTLE_S = 0.1
WARM_UP = 64


@dataclass(frozen=True, slots=True)
class Ready:
    """A lab that is up. `own` says that it was brought up for this run and ends with it."""

    spec: Spec
    run: RunDirectory
    own: bool
    started_ms: float | None


def up(site_file: Path, out: Path, steering: str, narrator: Narrator) -> Ready:
    """Brings the site's lab up and leaves it running."""
    require()
    ready = _bring_up(site_file, out, steering, narrator)
    launch.detach(ready.run)
    narrator.setting(_setting(ready))
    return ready


def down(site_file: Path) -> bool:
    """Ends the site's lab and removes what is left of it; False when there was nothing."""
    require()
    return launch.take_down(RunDirectory(lab_name(site_file)), str(site_file))


def run(
    site_file: Path,
    out: Path,
    steering: str,
    requests: int,
    drills: Sequence[str] | None,
    narrator: Narrator,
) -> Report:
    """Sends traffic through the site's lab and breaks it; a lab that is not up ends afterwards.
    `drills` None: all that the site has something for.
    """
    require()
    directory = RunDirectory(lab_name(site_file))
    spec = launch.running(directory)
    if spec is not None:
        narrator.say("note: a lab of this site is up already; it is used, and stays up")
        if site_file.stat().st_mtime > directory.spec.stat().st_mtime:
            narrator.say(
                "note: the site was changed after this lab came up; "
                f"to see the change, run `tvsc lab down {site_file}` first"
            )
        ready = Ready(spec, directory, own=False, started_ms=None)
    else:
        ready = _bring_up(site_file, out, steering, narrator)
    try:
        return _run(ready, requests, drills, narrator)
    finally:
        narrator.stop()
        if ready.own:
            launch.take_down(directory, str(site_file))


def _bring_up(site_file: Path, out: Path, steering: str, narrator: Narrator) -> Ready:
    topology = build_topology(load(site_file), site_file)  # or a refusal, before the long work
    abilities = probe()
    wanted = _steering(steering, abilities, narrator)
    compiled = compile_site(site_file, out, wanted, quiet=narrator.quiet)
    spec = _spec(topology, compiled, site_file, abilities)
    began = time.monotonic()
    launch.bring_up(spec, narrator.progress)
    narrator.stop()
    started_ms = round((time.monotonic() - began) * 1e3, 1)
    return Ready(spec, RunDirectory(topology.lab), own=True, started_ms=started_ms)


def _steering(wanted: str, abilities: Capabilities, narrator: Narrator) -> str | None:
    """The steering to compile with, None for the site's own."""
    if wanted != "auto":
        return wanted
    if abilities.steering_program:
        return None
    narrator.say(
        "note: this kernel lets no eBPF program steer a TAP (bpf() or TUNSETSTEERINGEBPF is not "
        "permitted here): compiling with `steering software` instead of the site's"
    )
    return "software"


def _spec(topology: Topology, compiled: Compiled, site_file: Path, abilities: Capabilities) -> Spec:
    return Spec(
        topology=topology,
        site=str(site_file),
        out=str(compiled.out),
        tvsd=str(compiled.tvsd),
        steering=compiled.steering,
        resilient=abilities.resilient_groups,
    )


def _setting(ready: Ready) -> Setting:
    topology = ready.spec.topology
    clusters: dict[str, list[str]] = {}
    for node in topology.nodes:
        clusters.setdefault(node.cluster, []).append(node.name)
    return Setting(
        lab=topology.lab,
        site=ready.spec.site,
        clusters=clusters,
        serving=[node.name for node in topology.serving],
        real_servers=len(topology.servers),
        steering=ready.spec.steering,
        resilient_groups=ready.spec.resilient,
        started_ms=ready.started_ms,
    )


def _run(ready: Ready, requests: int, drills: Sequence[str] | None, narrator: Narrator) -> Report:
    topology, directory = ready.spec.topology, ready.run
    setting = _setting(ready)
    narrator.setting(setting)
    require_daemons(topology, directory)

    narrator.busy(f"{requests} requests")
    addresses = sources(topology, CLIENT_ADDRESSES)
    fetch_all(topology, spread_wishes(topology.targets, addresses, WARM_UP))
    time.sleep(SETTLE_S)
    before = counters.snapshot(topology, directory)
    began = time.monotonic()
    fetches = fetch_all(topology, spread_wishes(topology.targets, addresses, requests))
    took_s = time.monotonic() - began
    time.sleep(SETTLE_S)
    after = counters.snapshot(topology, directory)

    summary = _requests(fetches, took_s)
    placed = spread.place(topology, fetches)
    samples = _samples(placed, len(topology.targets))
    narrator.samples(samples, summary)
    used = dict.fromkeys(target.pool for target in topology.targets)
    spreads = [
        spread.over_nodes(topology, placed),
        spread.over_workers(topology, placed),
        *(spread.over_servers(topology.pool(pool), placed) for pool in used),
    ]
    narrator.spreads(spreads)
    tally = counters.judge(topology, before, after, connections=len(fetches))
    narrator.counters(tally)
    results = _drills(ready, drills, narrator)
    problems = _problems(ready, summary, len(placed) == len(fetches))
    problems += [f"the spread over {each.of} is off" for each in spreads if not each.good]
    problems += [
        f"counters: {check.what} does not hold" for check in tally.checks if not check.good
    ]
    problems += [f"drill {drill.name} failed" for drill in results if not drill.good]
    report = Report(
        setting=setting,
        samples=samples,
        requests=summary,
        spreads=spreads,
        counters=tally,
        drills=results,
        problems=problems,
        good=not problems,
    )
    narrator.verdict(report)
    return report


def _drills(ready: Ready, names: Sequence[str] | None, narrator: Narrator) -> list[Drill]:
    results: list[Drill] = []
    if names is not None and not names:
        return results
    ground = DrillGround(
        ready.spec.topology, ready.run, resilient=ready.spec.resilient, say=narrator.busy
    )
    for name in ground.usual if names is None else names:
        narrator.drill_begins(name)
        result = ground.drills[name]()
        narrator.drill(result)
        results.append(result)
    return results


def _problems(ready: Ready, summary: Requests, all_placed: bool) -> list[str]:
    problems = [f"{name} ended by itself" for name in ask(ready.run, "status").exited]
    if summary.failed:
        problems.append(f"{summary.failed} of {summary.made} requests failed")
    elif not all_placed:
        problems.append("a real server saw an address that is no local IP of the site")
    return problems


def _requests(fetches: Sequence[Fetch], took_s: float) -> Requests:
    times = sorted(fetch.took_ms for fetch in fetches if fetch.ok) or [0.0]
    failures = Counter(fetch.error for fetch in fetches if not fetch.ok)
    return Requests(
        made=len(fetches),
        failed=failures.total(),
        failures=dict(failures),
        per_second=round(len(fetches) / took_s, 1),
        median_ms=round(statistics.median(times), 2),
        p99_ms=round(times[min(len(times) - 1, int(len(times) * 0.99))], 2),
    )


def _samples(placed: dict[Fetch, tuple[str, int]], targets: int) -> list[Sample]:
    """A few, evenly spaced over all, of every target."""
    step = max(1, len(placed) // SAMPLES)
    while step > 1 and math.gcd(step, targets) > 1:
        step -= 1
    return [
        Sample(
            source=f"{fetch.source}:{fetch.source_port}",
            target=fetch.target.name,
            node=node,
            worker=worker,
            local=f"{fetch.local_ip}:{fetch.local_port}",
            server=fetch.server,
            took_ms=round(fetch.took_ms, 2),
        )
        for fetch, (node, worker) in list(placed.items())[::step][:SAMPLES]
    ]
