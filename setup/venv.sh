#!/usr/bin/env bash
# Makes .venv from the lock files: exact versions, hashes checked, tvsc itself as an editable install.
# Does nothing when .venv is already what the lock says. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
stamp=.venv/.tvsc-stamp

if ! command -v "$python" >/dev/null; then
    echo "setup: $python is not installed; tvsc needs Python 3.11 or newer" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: $python is $("$python" -V 2>&1); tvsc needs Python 3.11 or newer (set PYTHON=...)" >&2
    exit 1
fi

# The path is part of it: the scripts in .venv/bin name their interpreter by its absolute path.
interpreter=$(pwd; "$python" -V)
want=$({ echo "$interpreter"; cat requirements-dev.lock setup/venv.sh; } | sha256sum | cut -d' ' -f1)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
    exit 0
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "setup: $python has no venv module; install python3-venv (or run \`make setup\` as root)" >&2
    exit 1
fi

echo "setup: making .venv with the locked versions ($("$python" -V))"
rm -f "$stamp"
# Another interpreter or another place: start anew. Otherwise bring the versions up to the lock under running commands.
if [ "$(cat .venv/.tvsc-interpreter 2>/dev/null)" != "$interpreter" ]; then
    "$python" -m venv --clear .venv
    echo "$interpreter" >.venv/.tvsc-interpreter
fi
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install --require-hashes --only-binary :all: -r requirements-dev.lock
"${pip[@]}" install --no-deps --no-build-isolation --editable .
printf '%s\n' "$want" >"$stamp"
