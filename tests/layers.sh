#!/bin/bash
# layers.sh: includes go one way (base <- crypto <- pki <- wire <- store <- net <- the parties), no
# party includes another, protobuf-c stays inside the codec, every include is by path from the top.
# Prints TAP.
set -uo pipefail
shopt -s lastpipe # result counts in this shell
cd "$(dirname "$0")/.." || exit 1
: "${BUILD:=build}"

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

mapfile -t sources < <(find common ca gateway merchant cardholder -name '*.[ch]' | sort)
# FILE:LINE INCLUDED for every quoted include.
includes() {
    grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' "${sources[@]}" |
        sed -E 's/^([^:]*:[0-9]+):.*"([^"]*)".*/\1 \2/'
}

echo 1..7

includes | awk '
    BEGIN { n = split("base crypto pki wire store net", order, " ")
            for (i = 1; i <= n; i++) layer[order[i]] = i }
    function rank(path, part) {
        split(path, part, "/")
        return part[1] != "common" ? n + 1 : layer[part[2]]
    }
    { split($1, at, ":")
      if ($2 ~ /\.pb-c\.h$/) next
      if (rank($2) == "") print $1 ": " $2 " is in no layer"
      else if (rank($2) > rank(at[1])) print $1 ": " $2 " is in a layer above" }' |
    result 'includes go down the layers'

includes | awk '
    { split($1, at, ":"); split(at[1], from, "/"); split($2, to, "/")
      if ($2 !~ /\.pb-c\.h$/ && to[1] != "common" && to[1] != from[1])
          print $1 ": " $2 " belongs to another party" }' |
    result 'no party includes another'

includes | awk '$2 ~ /\.pb-c\.h$/ && $1 !~ /^common\/wire\// { print $1 ": " $2 }' |
    result 'generated structs stay in common/wire'

includes | while read -r at included; do
    [ -f "$included" ] || [ -f "$BUILD/gen/$included" ] || echo "$at: there is no $included"
done | result 'includes are by path from the top'

# A test that no list names is never run, and nobody would miss it.
for source in tests/unit/*.c; do
    grep -qw "$(basename "$source" .c)" Makefile || echo "$source: the Makefile does not name it"
done | result 'every unit test is built and run'

# A number of a stored enumeration says nothing to who reads it, and nothing finds it when another is
# meant (gateway/clearing/sql_names.h). The simulator has numbers of its own.
grep -rnE '"[^"]*\b(state|kind|account|outcome|result)( (=|<>|IN|NOT IN|>|<)| WHEN) \(?[0-9]' gateway --include='*.[ch]' |
    grep -v '^gateway/issuer/' | sed 's/$/: name that number/' |
    result "no statement of the gateway has a stored enumeration's bare number"

# HTML that is put into a page unescaped: each use is looked at by a person, and listed here.
grep -rln 'setpay_page_add_trusted_html' merchant --include='*.[ch]' | sort |
    diff - <(printf 'merchant/store/www/%s\n' reply.c template.c template.h) |
    sed -n 's/^[<>]/a use of setpay_page_add_trusted_html that is not listed, or is gone:/p' |
    result 'no page has HTML that is not escaped, but where it is listed'
