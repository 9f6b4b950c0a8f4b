#!/usr/bin/env bash
# Counts the instructions of the packet path per packet under callgrind: the same on every run and every
# machine, so that a change for the worse is seen where cycles are too noisy.
#
#   runtime/bench/instructions.sh           compare with instructions.txt; fails beyond the tolerance
#   runtime/bench/instructions.sh --record  write instructions.txt
#
# It fails in both directions: a path that got shorter has to be recorded, or the next one may get longer unseen.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/bench
recorded=runtime/bench/instructions.txt
tolerance_percent=2
capacity=8192
# How much more a new session may cost in a table that is 95 % full than in one that is empty.
full_percent=3

command -v valgrind >/dev/null || {
    echo "bench-check: valgrind is missing" >&2
    exit 1
}
[ -e "$build/build.ninja" ] || meson setup "$build" runtime -Dbench=true -Ddpdk=none >/dev/null
ninja -C "$build" --quiet bench/tvs-bench bench/bench-{site,maglev,source-hash,least-loaded}.so >/dev/null

# class, path, direction, open sessions of $capacity, packets per repeat (new: 4096, in batches of the pool),
# site if it is another than bench-site
paths='tcp request request 8192 1024
tcp reply reply 8192 1024
tcp close close 8192 1024
tcp new-empty new 512 64
tcp new-95 new 7782 256
tcp refused refused 8192 1024
tcp new-maglev new 512 64 bench-maglev
tcp new-source-hash new 512 64 bench-source-hash
tcp new-least-loaded new 512 64 bench-least-loaded
udp request request 8192 1024
udp reply reply 8192 1024
udp new-empty new 512 64
udp new-95 new 7782 256
udp refused refused 8192 1024'

collected() { # class direction sessions packets repeats site
    local count
    count=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=bench_counted_burst \
        "$build/bench/tvs-bench" --small-pages --class "$1" --direction "$2" --sessions "$3" --capacity $capacity \
        --packets "$4" --repeats "$5" "$build/bench/$6.so" 2>&1 | sed -n 's/.*Collected : //p')
    [ "${count:-0}" -gt 0 ] || {
        echo "bench-check: nothing was counted for $1 $2" >&2
        exit 1
    }
    echo "$count"
}

# The difference of two runs: what opens the sessions and loads the libraries is in both.
per_packet() { # class path direction sessions packets [site]
    local few=2 many=6 per_repeat=$5 site=${6:-bench-site} low high
    [ "$3" != new ] || per_repeat=4096
    low=$(collected "$1" "$3" "$4" "$5" $few "$site")
    high=$(collected "$1" "$3" "$4" "$5" $many "$site")
    echo "$1 $2 $(awk -v n=$((high - low)) -v m=$(((many - few) * per_repeat)) 'BEGIN { printf "%.1f", n / m }')"
}

if [ "${1:-}" = --one ]; then
    shift
    per_packet "$@"
    exit
fi
measured=$(xargs -P "$(nproc)" -L 1 runtime/bench/instructions.sh --one <<<"$paths" | sort)
compiler=$(gcc --version | head -n 1)

if [ "${1:-}" = --record ]; then
    {
        echo "# Instructions per packet (callgrind, $compiler): class, path, count."
        echo "$measured"
    } >"$recorded"
    cat "$recorded"
    exit
fi

grep -qF "$compiler" "$recorded" ||
    echo "bench-check: recorded with another compiler than $compiler" >&2
join -a 1 -a 2 -e 0 -o 0,1.2,2.2 <(awk '!/^#/ {print $1 "-" $2, $3}' "$recorded" | sort) \
    <(awk '{print $1 "-" $2, $3}' <<<"$measured" | sort) |
    awk -v tolerance="$tolerance_percent" -v full="$full_percent" '
        function fail(why) { failures = failures "bench-check: " why "\n" }
        { now[$1] = $3
          change = $2 > 0 ? 100 * ($3 - $2) / $2 : 0
          printf "%-20s recorded %6.1f  now %6.1f  %+5.1f %%\n", $1, $2, $3, change
          if ($2 <= 0 || $3 <= 0) fail($1 " is in one list only")
          else if (change > tolerance) fail($1 " is more than " tolerance " % longer")
          else if (-change > tolerance) fail($1 " is more than " tolerance \
              " % shorter: runtime/bench/instructions.sh --record") }
        END { if (NR == 0) fail("nothing was compared")
              split("tcp udp", class)
              for (i = 1; i <= 2; i++) {
                  empty = now[class[i] "-new-empty"]
                  if (now[class[i] "-new-95"] > empty * (1 + full / 100))
                      fail(class[i] ": a new session costs more than " full " % more at 95 % than in an empty table")
                  if (now[class[i] "-refused"] >= empty)
                      fail(class[i] ": refusing a session costs as much as opening one") }
              printf "%s", failures > "/dev/stderr"
              exit failures != "" }'
