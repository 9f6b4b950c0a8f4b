#!/usr/bin/env bash
# Installs the packages of setup/apt.txt that are missing. Root only when something is. Twice is the same as once.
#
#   setup/apt.sh                  all groups
#   setup/apt.sh build test       these groups
#   setup/apt.sh --missing [...]  only print what is missing; exit 1 when anything is
#
# It starts no daemon: nginx and BIRD run inside tvsc's own namespaces, never as services of this machine.
set -euo pipefail
cd "$(dirname "$0")"

only_print=no
if [ "${1:-}" = --missing ]; then
    only_print=yes
    shift
fi
groups=${*:-build test lab}

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is no Debian system; install what setup/apt.txt names by other means" >&2
    exit 1
fi

missing=()
while read -r package group _; do
    case " $groups " in *" $group "*) ;; *) continue ;; esac
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done < <(grep -Ev '^ *(#|$)' apt.txt)

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if [ $only_print = yes ]; then
    printf '%s\n' "${missing[@]}"
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "setup: these Debian packages are missing, and installing them needs root. Run:" >&2
    echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

# Package scripts ask policy-rc.d before they start a service. Ours says no, for as long as the installation lasts.
policy=/usr/sbin/policy-rc.d
own_policy=no
cleanup() {
    if [ $own_policy = yes ]; then rm -f "$policy"; fi
}
trap cleanup EXIT
if [ ! -e "$policy" ]; then
    own_policy=yes
    printf '#!/bin/sh\n# tvsc set-up is installing packages: start nothing\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)

echo "setup: installing ${missing[*]}"
install_missing() {
    "${apt[@]}" install --no-install-recommends --yes "${missing[@]}" >"$1" 2>&1
}
log=$(mktemp)
if ! install_missing "$log"; then
    echo "setup: the package lists are missing or old; apt-get update"
    "${apt[@]}" update
    if ! install_missing "$log"; then
        cat "$log" >&2
        echo "setup: apt-get could not install: ${missing[*]}" >&2
        exit 1
    fi
fi
rm -f "$log"

# A package enables its service for the next boot. Undo that for what this run brought in, and only for that.
for package in "${missing[@]}"; do
    case $package in
    nginx-light) unit=nginx ;;
    bird2) unit=bird ;;
    *) continue ;;
    esac
    if command -v systemctl >/dev/null; then
        systemctl --quiet disable "$unit" 2>/dev/null || true
    fi
    if command -v update-rc.d >/dev/null; then
        update-rc.d "$unit" disable >/dev/null 2>&1 || true
    fi
done
