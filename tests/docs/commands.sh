#!/bin/bash
# commands.sh: what prose says in passing is there. Blocks of commands are run (tests/integration/docs.sh);
# this holds each `setpay-x words` of the pages, each .Ic of the manual pages, and each .It Cm of a program's own,
# against the --help of the program: command and options. Prints TAP.
set -uo pipefail
shopt -s lastpipe # result counts in this shell
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/setpay-commands.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

number=0 failures=0
result() { # NAME, and on standard input what is wrong
    local wrong
    number=$((number + 1))
    wrong=$(cat)
    if [ -z "$wrong" ]; then
        echo "ok $number - $1"
    else
        failures=$((failures + 1))
        echo "not ok $number - $1"
        sed 's/^/# /' <<<"$wrong"
    fi
}

for program in "$BUILD"/bin/setpay-*; do
    case $program in *-demo) continue ;; esac
    "$program" --help | sed "s/^/${program##*/}\t/"
done >"$tmp/help"

# Spans of a page outside of its blocks, also those that a line's end breaks: "PAGE:LINE<TAB>words".
spans_of_page() {
    awk -v page="$1" '
        function told(text, line) {
            gsub(/[ \n]+/, " ", text)
            if (text ~ /^([A-Z][A-Z_]*=[^ ]* )*(build\/bin\/)?setpay-[a-z]+ /) print page ":" line "\t" text
        }
        /^```/ { code = !code; next }
        code { next }
        # A paragraph ends all spans.
        !/./ || /^\|/ || /^#/ { open = 0; text = "" }
        {
            count = split($0, pieces, "`")
            for (i = 1; i <= count; i++) {
                if (open) text = text (i == 1 ? " " : "") pieces[i]
                if (i == count) break
                if (open) told(text, began)
                open = !open
                text = ""
                began = FNR
            }
        }' "$1"
}

# And of a manual page: macros as the words that they print.
spans_of_manual() {
    awk -v page="$1" -v own="$2" '
        /^\.Bd/ { block = 1 } /^\.Ed/ { block = 0 }
        block { next }
        /^\.Bl/ { depth++ } /^\.El/ { depth-- }
        /^\.S[hs] / { keys = /Keys|Scripts|FILES|EXAMPLES/ }
        !/^\.((It|Pq|Po|Op|Bq) )*(Ic|Cm) / { next }
        {
            # What a list within a list has are words for a command.
            is_own = /^\.It Cm / && own != "" && !keys && depth == 1
            if (!is_own && !/Ic setpay-[a-z]+ /) next
            count = split($0, words, " ")
            text = is_own ? own : ""
            for (i = 1; i <= count; i++) {
                if (words[i] == "Fl" && i < count) text = text " -" words[++i]
                else if (words[i] !~ /^(\.?(It|Pq|Po|Op|Bq|Ic|Cm)|Ar|Ns|Oo|Oc|Pc|[][.,;:()|])$/) text = text " " words[i]
            }
            sub(/^ /, "", text)
            print page ":" FNR "\t" text
        }' "$1"
}

mapfile -t pages < <(git ls-files -co --exclude-standard README.md 'docs/*.md' 2>/dev/null | grep . ||
    find README.md docs -name '*.md')
for page in "${pages[@]}"; do spans_of_page "$page"; done >"$tmp/spans"
for page in docs/man/*.[1-8]; do
    own=${page##*/}
    case $own in *.5) own='' ;; *) own=${own%.*} ;; esac
    spans_of_manual "$page" "$own"
done >"$tmp/manual"

# Were nothing found in a slip, silence would mean nothing.
printf 'slip\t%s\n' 'setpay-merchan order list' 'setpay-merchant order lst' 'setpay-merchant lst' \
    'setpay-wallet pay LINK --export F' 'setpay-wallet lock now' 'setpay-sandbox up --port 1' >"$tmp/slips"
awk -f tests/docs/commands.awk "$tmp/help" "$tmp/slips" | wc -l | grep -vx 6 | result 'a slip is found'
[ "$(wc -l <"$tmp/spans")" -ge 50 ] || echo "only these were found:
$(cat "$tmp/spans")" | result 'pages name commands'
awk -f tests/docs/commands.awk "$tmp/help" "$tmp/spans" |
    result "every command that a page names in passing is there ($(wc -l <"$tmp/spans"))"
awk -f tests/docs/commands.awk "$tmp/help" "$tmp/manual" |
    result "and every one of the manual pages ($(wc -l <"$tmp/manual"))"

echo "1..$number"
exit $((failures > 0))
