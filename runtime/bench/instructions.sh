#!/usr/bin/env bash
# Counts the instructions of the packet path per packet under callgrind: the same on every run and every
# machine, so that a change for the worse is seen where cycles are too noisy.
#
#   runtime/bench/instructions.sh           compare with instructions.txt; fails beyond the tolerance
#   runtime/bench/instructions.sh --record  write instructions.txt
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/bench
recorded=runtime/bench/instructions.txt
tolerance_percent=3
packets=1024

command -v valgrind >/dev/null || {
    echo "bench-check: valgrind is missing" >&2
    exit 1
}
[ -e "$build/build.ninja" ] || meson setup "$build" runtime -Dbench=true -Ddpdk=none >/dev/null
ninja -C "$build" --quiet bench/tvs-bench bench/bench-site.so >/dev/null

collected() { # class direction repeats
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=bench_burst \
        "$build/bench/tvs-bench" --sessions 8192 --packets "$packets" --class "$1" \
        --direction "$2" --repeats "$3" "$build/bench/bench-site.so" 2>&1 |
        sed -n 's/.*Collected : //p'
}

# The difference of two runs: what opens the sessions and loads the libraries is in both.
per_packet() { # class direction
    local few=2 many=10 per_repeat=$packets
    [ "$2" != new ] || per_repeat=4096
    echo $((($(collected "$1" "$2" $many) - $(collected "$1" "$2" $few)) * 10 / ((many - few) * per_repeat))) |
        sed 's/.$/.&/'
}

measured=$(for class in tcp udp; do
    for direction in request reply new; do
        echo "$class $direction $(per_packet $class $direction)"
    done
done)

if [ "${1:-}" = --record ]; then
    {
        echo "# Instructions per packet (callgrind, $(gcc --version | head -n 1)): class, direction, count."
        echo "$measured"
    } >"$recorded"
    cat "$recorded"
    exit
fi

join <(awk '!/^#/ {print $1 "-" $2, $3}' "$recorded" | sort) \
    <(awk '{print $1 "-" $2, $3}' <<<"$measured" | sort) |
    awk -v tolerance="$tolerance_percent" '
        { change = 100 * ($3 - $2) / $2
          printf "%-12s recorded %6.1f  now %6.1f  %+5.1f %%\n", $1, $2, $3, change
          if (change > tolerance) worse++ }
        END { if (NR == 0) { print "bench-check: nothing was compared"; exit 1 }
              if (worse) { printf "bench-check: %d paths are more than %d %% longer\n", worse, tolerance; exit 1 } }'
