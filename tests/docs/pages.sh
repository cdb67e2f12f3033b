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

# One awk reads all pages: a process for each of a thousand links took a quarter of a minute.
# Headings' anchors, as code hosting sites make them: PAGE#ANCHOR.
declare -A headings=()
awk 'FNR == 1 { code = 0 } /^```/ { code = !code }
    !code && sub(/^#+ +/, "") { $0 = tolower($0); gsub(/[^a-z0-9 _-]/, ""); gsub(/ /, "-"); print FILENAME "#" $0 }' \
    "${documents[@]}" | while read -r heading; do headings[${heading#./}]=yes; done
# Links: PAGE, the link as it is written, what it leads to (a path from here), and the anchor there.
awk -v OFS='\t' '
    function path_of(path,    parts, kept, count, n, i) { # without . and ..
        n = split(path, parts, "/")
        for (i = 1; i <= n; i++)
            if (parts[i] == "..") count--
            else if (parts[i] != "." && parts[i] != "") kept[++count] = parts[i]
        path = kept[1]
        for (i = 2; i <= count; i++) path = path "/" kept[i]
        return path
    }
    FNR == 1 { code = 0; folder = FILENAME; if (!sub(/[^\/]*$/, "", folder)) folder = "" }
    /^```/ { code = !code }
    !code {
        for (line = $0; match(line, /\]\([^)]+\)/); line = substr(line, RSTART + RLENGTH)) {
            link = substr(line, RSTART + 2, RLENGTH - 3)
            if (link ~ /^(https?:\/\/|mailto:)/) continue
            path = anchor = link
            sub(/#.*/, "", path)
            if (!sub(/^[^#]*#/, "", anchor)) anchor = ""
            print FILENAME, link, path_of(path == "" ? FILENAME : folder path), anchor
        }
    }' "${documents[@]}" | while IFS=$'\t' read -r document link target anchor; do
    if [ ! -e "$target" ]; then
        echo "$document: there is no $link"
    elif [ -n "$anchor" ] && [ -z "${headings[$target#$anchor]:-}" ]; then
        echo "$document: there is no heading for $link"
    fi
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
