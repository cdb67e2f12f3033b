#!/bin/bash
# conformance.sh: docs/conformance.md on standard output: for each rule of docs/protocol.md the code
# that says it enforces it, and the tests that say they break it. A place says so by a comment or a
# name with the rule's number: "rule G4", "rules A2, A4 and A5", "rules G1 to G8".
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."

mapfile -t rules < <(grep -oE '^- \*\*[ACGMW][0-9]+\*\*' docs/protocol.md | tr -d '* -')

# What a rule's full form needs and this version does not have. RULE|what|why
not_yet() {
    cat <<'TABLE'
G4|agreements that outlast the gateway's signing certificate|receipts are believed under the one that the cardholder named
TABLE
}

# FILE... -> "RULE FILE PLACE": PLACE is the function or table in which the rule is named, or -.
places() {
    [ $# -eq 0 ] || awk '
        function add(rule, place) { print rule, FILENAME, place }
        function leave(    k) {
            for (k = 1; k <= waiting; k++)
                add(pending[k], "-")
            waiting = 0
        }
        function named(rule) {
            if (place != "")
                add(rule, place)
            else if (is_c && /^[ \t]*(\/\*|\*)/)
                pending[++waiting] = rule # belongs to what follows the comment
            else
                add(rule, "-")
        }
        # The rules that a line names.
        function look(line,    rest, letter, number, last, first) {
            while (match(line, /[Rr]ules? [ACGMW][0-9]+/)) {
                rest = substr(line, RSTART, RLENGTH)
                line = substr(line, RSTART + RLENGTH)
                sub(/^[Rr]ules? /, "", rest)
                letter = substr(rest, 1, 1)
                number = substr(rest, 2) + 0
                named(letter number)
                while (match(line, /^( to|,? and| or|,|\/|;)? ?[ACGMW][0-9]+/)) {
                    rest = substr(line, RSTART, RLENGTH)
                    line = substr(line, RSTART + RLENGTH)
                    first = number
                    last = rest
                    sub(/^.*[ACGMW]/, "", last)
                    if (rest ~ /^ to / && rest ~ letter)
                        for (number = first + 1; number < last + 0; number++)
                            named(letter number)
                    letter = substr(rest, match(rest, /[ACGMW][0-9]+$/), 1)
                    number = last + 0
                    named(letter number)
                }
            }
        }
        FNR == 1 { leave(); place = candidate = ""; is_c = FILENAME ~ /\.c$/ }
        is_c && /^#/ { leave() }
        is_c && /^([a-z_].*[ *])?[a-z_0-9]+\(/ {
            candidate = $0
            sub(/\(.*/, "", candidate)
            sub(/.*[ *]/, "", candidate)
        }
        is_c && /^[a-z_].*= \{?$/ {
            place = $0
            sub(/[[ ]*(\[.*)?= \{?$/, "", place)
            sub(/\[.*/, "", place)
            sub(/.*[ *]/, "", place)
        }
        is_c && /^\{/ { place = candidate }
        is_c && place != "" && waiting {
            for (k = 1; k <= waiting; k++)
                add(pending[k], place)
            waiting = 0
        }
        { look($0) }
        is_c && /^[a-z_].*;$/ { leave() }
        is_c && /^\}/ { place = ""; leave() }
        END { leave() }' "$@" | LC_ALL=C sort -u
}

# RULE and places on standard input -> a cell: file (functions), file (functions)
cell() {
    awk -v rule="$1" '
        $1 == rule {
            if (!($2 in seen)) { seen[$2] = 1; files[++count] = $2 }
            if ($3 != "-")
                names[$2] = names[$2] (names[$2] == "" ? "" : ", ") "`" $3 "`"
        }
        END {
            for (i = 1; i <= count; i++)
                printf("%s`%s`%s", (i > 1 ? "<br>" : ""), files[i],
                       (names[files[i]] == "" ? "" : " (" names[files[i]] ")"))
            if (count == 0)
                printf "**none**"
        }'
}

# shellcheck disable=SC2046 # names without blanks
code=$(places $(find common ca gateway merchant cardholder -name '*.c' | LC_ALL=C sort))
# Not tests of a rule: what helps tests, and those to which a rule's number is only a text.
# shellcheck disable=SC2046
tests=$(places $(find tests -name '*.c' -o -name '*.sh' |
    grep -vE '^tests/(docs|support|vectors|sandbox)/|^tests/unit/test_(error|log)\.c$' | LC_ALL=C sort))

cat <<'TEXT'
# Conformance

Made from the code by `make reference`.

Each rule of [the protocol](protocol.md#the-rules), the code that enforces it, and the tests that break it and look for
exactly its refusal. A file is listed here because it names the rule; `make check` fails where a rule has no code or no
test.

| rule | code | tests |
| --- | --- | --- |
TEXT
for rule in "${rules[@]}"; do
    in_code=$(cell "$rule" <<<"$code")
    in_tests=$(cell "$rule" <<<"$tests")
    printf '| **%s** | %s | %s |\n' "$rule" "$in_code" "$in_tests"
done
cat <<'TEXT'

## What does not apply yet

| rule | part | why |
| --- | --- | --- |
TEXT
not_yet | while IFS='|' read -r rule what why; do
    printf '| **%s** | %s | %s |\n' "$rule" "$what" "$why"
done
