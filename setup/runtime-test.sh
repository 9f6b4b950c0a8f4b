#!/usr/bin/env bash
# Builds the runtime with one compiler under ASan and UBSan, warnings being errors, and runs its unit tests.
# The build directory is kept: the next run compiles what changed.
#
#   setup/runtime-test.sh gcc|clang
set -euo pipefail
cd "$(dirname "$0")/.."
export CC=$1
build=build/runtime-$CC
# gcc builds the quick loop: not optimised, which takes an eighth of the time and hides nothing from the sanitizers.
case $1 in gcc) optimization=0 ;; *) optimization=2 ;; esac
options=(--werror -Dtests=true -Ddpdk=shared -Ddebug=true -Doptimization=$optimization
    -Db_sanitize=address,undefined -Db_lundef=false)

missing=$(setup/apt.sh --missing build test) || {
    echo "check: Debian packages are missing (make setup):" $missing >&2
    exit 1
}

# Other options or another place: start anew.
want="$PWD ${options[*]}"
if [ "$(cat "$build/.options" 2>/dev/null)" != "$want" ]; then
    rm -rf "$build"
    mkdir -p build
    meson setup "$build" runtime "${options[@]}" >"$build.log" 2>&1 || {
        cat "$build.log" >&2
        exit 1
    }
    echo "$want" >"$build/.options"
fi

ninja -C "$build" --quiet
if [ -z "$(meson test -C "$build" --no-rebuild --list 2>/dev/null)" ]; then
    echo "check: the runtime has no unit test: nothing was checked" >&2
    exit 1
fi
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
meson test -C "$build" --no-rebuild --print-errorlogs --quiet
