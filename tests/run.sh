#!/bin/sh
# run.sh TEST...: runs each test (a program or script that prints TAP), shows what failed, and ends
# with "N passed, N failed". A test that dies, prints no plan or runs out of time is a failure; so is
# one in which a sanitiser found something in any program that it started.
# A line "# tally: WHAT = N" says how much of something a test has gone through; a line "# failures
# count as: WHAT" that each of its failures is one of those. The sums of all tests are printed as a
# table before the end.
# BUILD: the build folder.  TIMEOUT: seconds for one test (default 300).
set -u
: "${BUILD:=build}" "${TIMEOUT:=300}"
export BUILD CMOCKA_MESSAGE_OUTPUT=TAP
logs=$BUILD/test-logs
mkdir -p "$logs"
reports=$(cd "$logs" && pwd)
# Leaks are searched for by looking into the process, which setpay's programs allow root alone:
# whoever has CAP_SYS_PTRACE.
leaks=$((0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status) >> 19 & 1))
passed=0 failed=0
: >"$logs/tally"
for test in "$@"; do
    name=$(basename "$test")
    log=$logs/$name.log
    started=$(date +%s)
    rm -f "$reports/$name.sanitizer".*
    options=detect_leaks=$leaks:print_stacktrace=1:log_path=$reports/$name.sanitizer
    ASAN_OPTIONS=$options${ASAN_OPTIONS:+:$ASAN_OPTIONS} UBSAN_OPTIONS=$options \
        timeout "$TIMEOUT" "$test" >"$log" 2>&1 </dev/null
    status=$?
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
    passed=$((passed + ok))
    failed=$((failed + bad))
    {
        grep '^# tally: ' "$log"
        sed -n "s/^# failures count as: \(.*\)/# tally: \1 = $bad/p" "$log"
    } >>"$logs/tally"
    printf '%-44s %4d ok %3d failed  %3ds%s\n' "$name" "$ok" "$bad" "$(($(date +%s) - started))" \
        "$([ "$skipped" -eq 0 ] || echo "  ($skipped skipped: see $log)")"
    if [ "$bad" -ne 0 ]; then
        printf -- '--- %s (exit status %d), the end of %s:\n' "$name" "$status" "$log"
        grep -n '^not ok ' "$log" | head -n 20
        tail -n 40 "$log" | sed 's/^/    /'
    fi
done
# What was gone through, in the order in which it first came up.
awk -F ' = ' '
    sub(/^# tally: /, "") {
        if (!($1 in sum)) { names[++count] = $1; if (length($1) > width) width = length($1) }
        sum[$1] += $2
    }
    END { for (i = 1; i <= count; i++) printf "%-*s %9d\n", width, names[i], sum[names[i]] }' \
    "$logs/tally"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
