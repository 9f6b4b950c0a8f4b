#!/usr/bin/env bash
# The demonstration: compile a site, bring it up in namespaces on this machine, fetch through its VIPs, clean up.
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

cleanup() {
    .venv/bin/tvsc lab down "$site" >/dev/null || echo "demo: run \`tvsc lab down $site\` again" >&2
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

.venv/bin/tvsc compile "$site" -o "$out"
.venv/bin/tvsc lab run "$site" --out "$out"
