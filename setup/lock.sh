#!/usr/bin/env bash
# Writes requirements.lock and requirements-dev.lock from pyproject.toml: exact versions with the hashes of PyPI.
# Run it (`make lock`) after a change of the dependencies; commit the result.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet uv

compile() {
    # --no-config and the explicit index: the lock must not depend on the machine that made it.
    "$scratch/venv/bin/uv" pip compile --quiet --no-config --no-header --universal --python-version 3.11 \
        --index-url https://pypi.org/simple --generate-hashes "$@"
}

compile pyproject.toml -o requirements.lock
compile pyproject.toml --group dev --constraint requirements.lock -o requirements-dev.lock
