#!/usr/bin/env bash
# The demonstration: compile a site, bring it up in namespaces on this machine, fetch through its VIPs, clean up.
# A lab of the site that somebody has up already is used instead, and stays up.
#
#   setup/demo.sh SITE
set -euo pipefail
cd "$(dirname "$0")/.."
site=$1
out=out/$(basename "$(dirname "$site")")

if [ "$(id -u)" -ne 0 ]; then
    echo "demo: the lab makes network namespaces and TAP devices: run \`sudo make demo\`" >&2
    exit 1
fi

# It compiles, and it takes down what it brought up, however it ends. It gets the signals itself: nothing to trap here.
exec .venv/bin/tvsc lab run "$site" --out "$out"
