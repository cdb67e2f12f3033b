#!/bin/sh
# run.sh TEST...: runs each test (a program or script that prints TAP), shows what failed, and ends
# with "N passed, N failed". A test that dies, prints no plan or runs out of time is a failure; so is
# one in which a sanitiser found something in any program that it started.
# Several run at a time, since most of them wait for events most of the time; those that took longest
# the last time begin. Each test's own lines stand in LOGS/NAME.log.
# A line "# tally: WHAT = N" says how much of something a test has gone through; a line "# failures
# count as: WHAT" that each of its failures is one of those. The sums of all tests are printed as a
# table before the end, and behind it, in a line each, what failed.
# What the store's API answered on the way is kept in LOGS/api-answers (tests/support/test_answered.h).
# LAST: a test that is run when all others have ended.
# BUILD: the build folder.  TIMEOUT: seconds for one test (default 300).
# TEST_JOBS: tests at a time (default: twice the cores).
set -u
: "${BUILD:=build}" "${TIMEOUT:=300}" "${TEST_JOBS:=$((2 * $(nproc)))}"
export BUILD TIMEOUT CMOCKA_MESSAGE_OUTPUT=TAP
logs=$BUILD/test-logs

# One test, for which this script calls itself: what is to be said of it goes to standard output at
# once, its numbers ("ok failed seconds status") to NAME.result.
run_one() {
    test=$1 name=$(basename "$1")
    log=$logs/$name.log
    reports=$(cd "$logs" && pwd)
    # Leaks are searched for by looking into the process, which setpay's programs allow root alone:
    # whoever has CAP_SYS_PTRACE.
    leaks=$((0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status) >> 19 & 1))
    common=print_stacktrace=1:log_path=$reports/$name.sanitizer
    rm -f "$reports/$name.sanitizer".* "$logs/$name.result"
    ASAN_OPTIONS=detect_leaks=$leaks:$common${ASAN_OPTIONS:+:$ASAN_OPTIONS}
    UBSAN_OPTIONS=$common
    TSAN_OPTIONS=log_path=$reports/$name.sanitizer${TSAN_OPTIONS:+:$TSAN_OPTIONS}
    export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
    started=$(date +%s)
    timeout "$TIMEOUT" "$test" >"$log" 2>&1 </dev/null &
    # timeout has a process group of its own, so that nobody else tells it of an interruption.
    trap 'kill "$!"; exit 255' INT TERM HUP
    wait "$!"
    status=$?
    trap - INT TERM HUP
    seconds=$(($(date +%s) - started))
    # Of this shell's children, the test and all that it waited for: "0m1.230s 0m0.120s".
    times >"$logs/$name.said"
    cpu=$(awk 'END { for (i = 1; i <= NF; i++) { split($i, part, /[ms]/); sum += part[1] * 60 + part[2] } printf "%.0f", sum }' \
        "$logs/$name.said")
    for report in "$reports/$name.sanitizer".*; do
        [ -f "$report" ] || continue
        echo "not ok - a sanitiser has nothing to say: $report" >>"$log"
        head -n 30 "$report" | sed 's/^/# /' >>"$log"
    done
    # cmocka says "not ok N # SKIP" where TAP says "ok".
    sed -i 's/^not ok \([0-9]* # SKIP\)/ok \1/' "$log"
    ok=$(grep -c '^ok ' "$log")
    bad=$(grep -c '^not ok ' "$log")
    planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$planned" -eq 0 ] || [ "$ok" -ne "$planned" ]; }; then
        bad=1
    fi
    skipped=$(grep -ci '^ok .*# skip' "$log")
    {
        printf '%-44s %4d ok %3d failed  %3ds, %ds of CPU%s\n' "$name" "$ok" "$bad" "$seconds" "$cpu" \
            "$([ "$skipped" -eq 0 ] || echo "  ($skipped skipped: see $log)")"
        if [ "$bad" -ne 0 ]; then
            case $status in 124) why="no end within $TIMEOUT s" ;; *) why="exit status $status" ;; esac
            printf -- '--- %s (%s), the end of %s:\n' "$name" "$why" "$log"
            grep -n '^not ok ' "$log" | head -n 20
            tail -n 40 "$log" | sed 's/^/    /'
        fi
    } >"$logs/$name.said"
    # Nobody else's lines come between.
    flock "$logs/lock" cat "$logs/$name.said"
    rm -f "$logs/$name.said"
    echo "$ok $bad $seconds $status" >"$logs/$name.result"
}

if [ "${1:-}" = --one ]; then
    run_one "$2"
    exit 0
fi

mkdir -p "$logs"
rm -rf "$logs/api-answers"
mkdir "$logs/api-answers"
SETPAY_API_ANSWERS=$(cd "$logs/api-answers" && pwd)
export SETPAY_API_ANSWERS
twice=$(for test in "$@"; do basename "$test"; done | sort | uniq -d)
[ -z "$twice" ] || { echo "run.sh: two tests are called $twice: their logs would be one" >&2; exit 2; }

# Longest first; what has not been run yet before all.
for test in "$@"; do
    seconds=99999
    [ ! -f "$logs/$(basename "$test").result" ] || read -r _ _ seconds _ <"$logs/$(basename "$test").result"
    rm -f "$logs/$(basename "$test").result" "$logs/$(basename "$test").log"
    printf '%s\t%s\0' "${seconds:-99999}" "$test"
done | sort -z -s -n -r -k 1,1 | sed -z 's/^[^\t]*\t//' | xargs -0 -r -n 1 -P "$TEST_JOBS" "$0" --one
if [ -n "${LAST:-}" ]; then
    "$0" --one "$LAST"
    set -- "$@" "$LAST"
fi

passed=0 failed=0
: >"$logs/tally"
for test in "$@"; do
    name=$(basename "$test")
    ok=0 bad=1 # a test of which nothing is known was not run
    [ ! -f "$logs/$name.result" ] || read -r ok bad _ <"$logs/$name.result"
    passed=$((passed + ok))
    failed=$((failed + bad))
    [ -f "$logs/$name.log" ] || continue
    grep '^# tally: ' "$logs/$name.log"
    sed -n "s/^# failures count as: \(.*\)/# tally: \1 = $bad/p" "$logs/$name.log"
done >>"$logs/tally"
# What was gone through, in the order in which it first came up.
awk -F ' = ' '
    sub(/^# tally: /, "") {
        if (!($1 in sum)) { names[++count] = $1; if (length($1) > width) width = length($1) }
        sum[$1] += $2
    }
    END { for (i = 1; i <= count; i++) printf "%-*s %9d\n", width, names[i], sum[names[i]] }' \
    "$logs/tally"
# What failed, and what it said, stands once more where whoever reads only the end sees it.
for test in "$@"; do
    name=$(basename "$test")
    ok=0 bad=1 status=
    [ ! -f "$logs/$name.result" ] || read -r ok bad _ status <"$logs/$name.result"
    [ "$bad" -ne 0 ] || continue
    if grep -q '^not ok ' "$logs/$name.log" 2>/dev/null; then
        awk -v name="$name" '/^not ok / { sub(/^not ok /, "failed: " name ": "); print; said = 6; next }
            /^#/ && said-- > 0 { print "  " $0; next }
            { said = 0 }' "$logs/$name.log" | cut -c 1-200 | head -n 24
    else
        echo "failed: $name: exit status ${status:-unknown}"
    fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
