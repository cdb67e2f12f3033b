#!/bin/bash
# fuzz.sh: makes the fuzz targets with clang and gives each a fixed number of inputs, derived from its
# corpus with a fixed seed. Prints TAP; an input that breaks something is kept in
# BUILD/fuzz/found/TARGET.
#
#   fuzz.sh                      all targets, as make test does
#   fuzz.sh --open [TARGET]...   without an end (make fuzz): TARGET, else all of them in turn for
#                                FUZZ_SECONDS each (default 60), until something is found or ^C;
#                                what is new in an input goes to BUILD/fuzz/corpus/TARGET
# FUZZ_SCALE: multiplies the numbers of runs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}" "${FUZZ_SCALE:=1}"
# The outer make's flags and variables are for the outer build.
unset MAKEFLAGS MFLAGS MAKELEVEL
fuzz=$BUILD/fuzz
found=$fuzz/found
jobs=$(nproc)

# TARGET RUNS DICTIONARY. Fast ones get many runs: all in all about a minute on two cores.
targets() {
    cat <<'TABLE'
batches 30000 batches
certificate 15000 der
chain 4000 der
clearing 60000 clearing
config 30000 config
contents 120000 -
crl 40000 der
csr 15000 der
disputes 60000 clearing
envelope 6000 der
est 60000 -
export 3000 -
form 100000 -
frame 100000 -
http 2500 http
http_answer 100000 http_answer
iso8583 200000 iso8583
issuer 100000 iso8583
keyfile 4000 pem
message 100000 -
multipart 10000 -
order 60000 order
receipt 12000 -
rpc 6000 rpc
settlements 60000 settlements
template 100000 template
text 150000 text
TABLE
}

# What targets write goes to memory, and is gone also where one crashes.
TMPDIR=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/setpay-fuzz.XXXXXX") || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# Leaks are searched for by looking into the process, as in tests/run.sh.
: "${ASAN_OPTIONS:=detect_leaks=$((0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status) >> 19 & 1))}"
: "${UBSAN_OPTIONS:=print_stacktrace=1}"
export ASAN_OPTIONS UBSAN_OPTIONS

make_targets() {
    local clang=clang
    [ -z "${CCACHE:-}" ] || clang="$CCACHE clang"
    # The casts are inside OpenSSL's macros.
    make -k -j"$jobs" CC="$clang" SAN=fuzzer-no-link,address,undefined OPT='-O1 -gline-tables-only' \
        CFLAGS=-Wno-cast-qual BUILD="$fuzz" fuzz-targets
}

# one TARGET DICTIONARY ARGUMENT...: runs it; what is new goes to a corpus of its own.
one() {
    local target=$1 dictionary=$2
    shift 2
    local own=$fuzz/corpus/$target
    mkdir -p "$found/$target" "$own"
    set -- "$@" -artifact_prefix="$found/$target/" -timeout=60 -rss_limit_mb=1024 -print_final_stats=1
    [ "$dictionary" = - ] || set -- "$@" -dict="tests/fuzz/dict/$dictionary.dict"
    "$fuzz/targets/$target" "$@" "$own" "tests/fuzz/corpus/$target"
}

if [ "${1:-}" = --open ]; then
    shift
    make_targets || exit 1
    while :; do
        while read -r target _ dictionary; do
            [ $# -eq 0 ] || [[ " $* " == *" $target "* ]] || continue
            echo "--- $target"
            limit=${FUZZ_SECONDS:-$([ $# -eq 1 ] && echo 0 || echo 60)}
            one "$target" "$dictionary" -max_total_time="$limit" </dev/null || {
                echo "the input is in $found/$target; run $fuzz/targets/$target INPUT to see it again"
                exit 1
            }
        done < <(targets)
        [ -z "${FUZZ_SECONDS:-}" ] || exit 0
    done
fi

# Always the same start: the committed corpus alone.
rm -rf "$fuzz/corpus" "$fuzz/logs"
mkdir -p "$fuzz/logs"

echo "1..$(($(targets | wc -l) + 1))"
if make_targets; then
    echo 'ok 1 - every fuzz target builds with clang'
else
    echo 'not ok 1 - every fuzz target builds with clang'
fi

# As many at once as there are cores.
while read -r target runs dictionary; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
        wait -n
    done
    {
        one "$target" "$dictionary" -runs=$((runs * FUZZ_SCALE)) -seed=1 >"$fuzz/logs/$target" 2>&1
        echo $? >"$fuzz/logs/$target.status"
    } </dev/null &
done < <(targets)
wait

number=1 total=0
while read -r target runs _; do
    number=$((number + 1))
    ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$fuzz/logs/$target")
    if [ "$(cat "$fuzz/logs/$target.status")" = 0 ] && [ "${ran:-0}" -ge $((runs * FUZZ_SCALE)) ]; then
        echo "ok $number - $target: $ran inputs"
        total=$((total + ran))
    else
        echo "not ok $number - $target: see $found/$target"
        grep -v '^INFO:' "$fuzz/logs/$target" | tail -n 40 | sed 's/^/# /'
    fi
done < <(targets)
echo "# tally: fuzz runs = $total"
