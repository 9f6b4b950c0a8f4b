#!/usr/bin/env bash
# Runs a command with at least 256 MB of free 2 MB huge pages where this is possible, and gives back what it reserved.
# Without root, or without memory for them, the command runs as it is: what needs the pages says so itself.
#
#   setup/with-hugepages.sh COMMAND [ARG...]
set -uo pipefail

wanted_pages=128
dir=/sys/kernel/mm/hugepages/hugepages-2048kB
reserved=0

if [ "$(id -u)" -eq 0 ] && [ -w "$dir/nr_hugepages" ] && [ "$(cat "$dir/free_hugepages")" -lt $wanted_pages ]; then
    before=$(cat "$dir/nr_hugepages")
    echo $((before + wanted_pages - $(cat "$dir/free_hugepages"))) >"$dir/nr_hugepages" 2>/dev/null
    reserved=$(($(cat "$dir/nr_hugepages") - before))
fi

release() {
    if [ "$reserved" -gt 0 ]; then
        echo $(($(cat "$dir/nr_hugepages") - reserved)) >"$dir/nr_hugepages"
        reserved=0
    fi
}
trap release EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$@"
