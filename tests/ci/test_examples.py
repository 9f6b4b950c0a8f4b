"""The CI examples and the pre-commit hooks do what they say: their own commands are run."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest
import yaml
from pre_commit.clientlib import load_config, load_manifest

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
HOOKS = {hook["id"]: hook for hook in load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))}
SCHEMA = ROOT / "tests" / "diagnostics" / "sarif" / "sarif-schema-2.1.0.json"

GOOD = (ROOT / "examples" / "laptop" / "site.tvs").read_text()
SITES = {
    "good": GOOD,
    "ugly": GOOD.replace("    asn  64512", "  asn 64512"),
    "warning": GOOD + "\npool idle { server 10.20.0.99:80 }\n",
    "wrong": GOOD.replace("    asn  64512", "    asn  0"),
}


class Step(NamedTuple):
    """A command, and the shell that it is written for."""

    name: str
    shell: list[str]
    command: str


def github() -> tuple[dict[str, str], list[Step]]:
    workflow = yaml.safe_load((CI / "github" / "tvsc.yml").read_text())
    assert set(workflow[True]) == {"pull_request", "push"}  # `on` is a boolean in YAML 1.1
    (job,) = workflow["jobs"].values()
    shell = ["bash", "-e", "-c"]
    steps = [Step(s["name"], shell, s["run"]) for s in job["steps"] if "run" in s]
    others = [s["uses"].partition("@")[0] for s in job["steps"] if "run" not in s]
    assert others == [
        "actions/checkout",
        "actions/setup-python",
        "github/codeql-action/upload-sarif",
    ]
    assert job["steps"][-1]["with"] == {"sarif_file": "tvsc.sarif"}
    return workflow["env"], steps


def gitlab() -> tuple[dict[str, str], list[Step]]:
    pipeline = yaml.safe_load((CI / "gitlab" / ".gitlab-ci.yml").read_text())
    shell = ["bash", "-eo", "pipefail", "-c"]
    lines = [("install", line) for line in pipeline["default"]["before_script"]]
    for name in ("layout", "check"):
        lines += [(name, line) for line in pipeline[name]["script"]]
    assert pipeline["check"]["artifacts"] == {"when": "always", "paths": ["tvsc.sarif"]}
    named = [Step("alerts" if ".sarif" in line else name, shell, line) for name, line in lines]
    return pipeline["variables"], named


def hooks() -> tuple[dict[str, str], list[Step]]:
    """The hooks as pre-commit runs them; the site is the only file of the commit."""
    (repo,) = load_config(str(CI / "pre-commit-config.yaml"))["repos"]
    steps = []
    for chosen in repo["hooks"]:
        hook = {**HOOKS[chosen["id"]], **chosen}
        words = [*shlex.split(hook["entry"]), *hook["args"]]
        words += ["site.tvs"] if hook["pass_filenames"] else []
        name = {"tvsc-fmt": "layout", "tvsc-check": "check"}[chosen["id"]]
        steps.append(Step(name, ["bash", "-c"], shlex.join(words)))
    return {}, steps


EXAMPLES = {"github": github, "gitlab": gitlab, "hooks": hooks}


def repository(path: Path, site: str) -> Path:
    """A repository whose only file is a site, and a `pip` that only remembers what it is told."""
    path.mkdir()
    (path / "site.tvs").write_text(site)
    for words in (["init", "-q"], ["add", "site.tvs"]):
        subprocess.run(["git", *words], cwd=path, check=True)
    bin_directory = path / ".bin"
    bin_directory.mkdir()
    pip = bin_directory / "pip"
    pip.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(path / ".pip"))}\n')
    pip.chmod(0o755)
    tvsc = bin_directory / "tvsc"
    tvsc.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tvsc.cli.main "$@"\n')
    tvsc.chmod(0o755)
    return path


def run(step: Step, variables: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **variables, "PATH": f"{cwd / '.bin'}:{os.environ['PATH']}"}
    env["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [*step.shell, step.command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", SITES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_commands(example: str, kind: str, tmp_path: Path) -> None:
    """The layout fails for the ugly site, the check for the others, and a good one passes all."""
    variables, steps = EXAMPLES[example]()
    cwd = repository(tmp_path / "sites", SITES[kind])
    results = {step.name: run(step, variables, cwd) for step in steps}
    fails = {"good": "", "ugly": "" if example == "hooks" else "layout"}.get(kind, "check")
    failed = {name for name, result in results.items() if result.returncode != 0}
    assert failed == {fails} - {""}, {name: result.stderr for name, result in results.items()}
    if example == "hooks":
        # pre-commit itself sees that a hook changed a file
        assert ((cwd / "site.tvs").read_text() != SITES[kind]) == (kind == "ugly")
        return
    assert (cwd / ".pip").read_text() == f"install {variables['TVSC']}\n"
    assert (cwd / "site.tvs").read_text() == SITES[kind]
    log = json.loads((cwd / "tvsc.sarif").read_text())
    jsonschema.validate(log, json.loads(SCHEMA.read_bytes()))
    found = log["runs"][0]["results"]
    assert bool(found) == (kind in ("warning", "wrong"))
    if found and example == "github":
        assert results["check"].stdout.startswith("::error file=site.tvs,line=")


def test_hooks() -> None:
    """The manifest's commands exist, and the hooks look at the files that they are for."""
    assert set(HOOKS) == {"tvsc-fmt", "tvsc-check"}
    for hook in HOOKS.values():
        assert hook["language"] == "python"
        assert re.search(hook["files"], "sites/edge/pools/web.tvs")
        assert not re.search(hook["files"], "README.md")
    assert re.search(HOOKS["tvsc-check"]["files"], "pools/web-extra.csv")
    assert not re.search(HOOKS["tvsc-fmt"]["files"], "pools/web-extra.csv")


def test_document_shows_the_example() -> None:
    example = (CI / "pre-commit-config.yaml").read_text().partition("\n")[2]
    assert f"```yaml\n{example}```" in (ROOT / "docs" / "ci.md").read_text()


@pytest.mark.parametrize("page", ["docs/ci.md", "examples/ci/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target
