#!/bin/bash
# coverage.sh: how many of the lines of each folder the tests have run, and whether that is what is
# asked of it; exit status 1 when it is not. `make coverage` builds, runs the suite and then this.
# A process that is killed by SIGKILL does not say what it has run: what shows is the least.
# BUILD: the build folder, made with COVERAGE=1.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BUILD:=build/coverage}" "${JOBS:=$(nproc)}"

# FOLDER PERCENT: what is asked of each. Of what every party stands on, and of the protocol, most.
asked='
common/base 85
common/crypto 85
common/net 85
common/pki 85
common/store 85
common/wire 85
gateway/payment 85
merchant/payment 85
ca 80
cardholder 80
cardholder/cli 80
gateway 80
gateway/clearing 85
gateway/issuer 80
gateway/network 80
merchant 75
merchant/store 80
merchant/store/admin 80
merchant/store/api 80
merchant/store/webhook 80
merchant/store/www 80'

[ -n "$(find "$BUILD/obj" -name '*.gcda' -print -quit 2>/dev/null)" ] || {
    echo "coverage.sh: nothing was counted in $BUILD: run 'make coverage', which builds and tests there" >&2
    exit 2
}
gcovr --root . --object-directory "$BUILD/obj" -j "$JOBS" \
    --filter 'common/' --filter 'ca/' --filter 'cardholder/' --filter 'gateway/' --filter 'merchant/' \
    --json-summary "$BUILD/coverage.json" --txt "$BUILD/coverage.txt" \
    --html-details "$BUILD/coverage.html" >"$BUILD/coverage.log" 2>&1 "$BUILD/obj" || {
    cat "$BUILD/coverage.log" >&2
    exit 2
}

printf '%-24s %9s %9s %8s %8s\n' folder lines run percent asked
jq -r '.files[] | select(.filename | endswith(".c")) |
    [(.filename | sub("/[^/]*$"; "")), .line_total, .line_covered] | @tsv' "$BUILD/coverage.json" |
    awk -F '\t' -v asked="$asked" '
    BEGIN { n = split(asked, words, /[ \n]+/); for (i = 1; i < n; i++) if (words[i] ~ /[a-z]/) least[words[i]] = words[i + 1] }
    { lines[$1] += $2; run[$1] += $3; all_lines += $2; all_run += $3 }
    function show(name, lines, run, least, percent) {
        percent = lines > 0 ? 100 * run / lines : 0
        printf "%-24s %9d %9d %7.1f%% %7s%s\n", name, lines, run, percent,
            least == "" ? "" : least "%", percent < least + 0 ? "  too few" : ""
        return percent < least + 0
    }
    END {
        order = "sort"
        for (name in lines) if (!(name in least)) { print name ": nothing is asked of this folder: give it a line in tests/coverage.sh"; wrong = 1 }
        for (i = 1; i < n; i++) if (words[i] ~ /[a-z]/ && show(words[i], lines[words[i]], run[words[i]], least[words[i]])) wrong = 1
        show("all", all_lines, all_run, "")
        exit wrong
    }' && status=0 || status=1
echo "Line by line: $BUILD/coverage.html, or what was not run: $BUILD/coverage.txt"
exit "$status"
