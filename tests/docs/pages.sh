#!/bin/bash
# pages.sh: the pages that are made from the code are what the code now makes; every rule of the
# protocol has code and a test; links between pages lead somewhere; lines of prose are short enough.
# Prints TAP.
set -uo pipefail
shopt -s lastpipe # result counts in this shell
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}"
export BUILD

number=0
result() { # NAME, and on standard input what is wrong
    local wrong
    number=$((number + 1))
    wrong=$(cat)
    if [ -z "$wrong" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        sed 's/^/# /' <<<"$wrong"
    fi
}

made=$BUILD/reference
rm -rf "$made"
mkdir -p "$made"
tests/docs/make.sh "$made" >"$made/log" 2>&1 || echo "tests/docs/make.sh failed" >>"$made/log"
result 'every generated page can be made' <"$made/log"

pages=$(cd "$made" && find . -name '*.md' | sort)
for page in $pages; do
    diff -u "docs/$page" "$made/$page" 2>&1 | head -n 20
done | sed '1s/^/run "make reference" and commit what it changes:\n/' |
    result 'committed pages are what the code makes (make reference)'

grep -F '**none**' "$made/conformance.md" | sed -E 's/^\| \*\*([^*]*)\*\*.*/rule \1 has no code or no test that names it/' |
    result 'every rule has code and a test that name it'

mapfile -t documents < <(git ls-files -co --exclude-standard '*.md' 2>/dev/null | grep . || find . -name '*.md' -not -path './build*')

# The heading's anchor, as code hosting sites make it.
anchors() {
    awk '/^```/ { code = !code } /^#+ / && !code' "$1" |
        sed -E 's/^#+ +//; s/`//g' | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}
for document in "${documents[@]}"; do
    awk '/^```/ { code = !code } !code' "$document" | grep -oE '\]\([^)#][^)]*\)|\]\(#[^)]*\)' |
        sed -E 's/^\]\(//; s/\)$//' | while read -r link; do
        case $link in http://* | https://* | mailto:*) continue ;; esac
        path=${link%%#*}
        target=$document
        [ -z "$path" ] || target=$(dirname "$document")/$path
        if [ ! -e "$target" ]; then
            echo "$document: there is no $link"
        elif [ "$link" != "$path" ] && ! anchors "$target" | grep -qxF -- "${link#*#}"; then
            echo "$document: there is no heading for $link"
        fi
    done
done | result "every link between pages leads somewhere (${#documents[@]} pages)"

# Files that prose names in backticks; "*" and "NAME" stand for many.
for document in "${documents[@]}"; do
    awk '/^```/ { code = !code } !code' "$document" |
        grep -oE '`(common|ca|cardholder|merchant|gateway|proto|tests|docs)/[A-Za-z0-9_./*-]+`' | tr -d '`' | sort -u |
        while read -r path; do
            compgen -G "$path" >/dev/null || echo "$document: there is no $path"
        done
done | result 'every file that a page names is there'

# Tables and code keep their own width.
for document in "${documents[@]}"; do
    awk '/^```/ { code = !code } !code && !/^\|/ { print FNR ": " $0 }' "$document" |
        LC_ALL=C.UTF-8 grep -oE '^[0-9]+: .{121,}' | sed "s|^|$document:|"
done | result 'no line of prose is above 120 characters'

echo "1..$number"
