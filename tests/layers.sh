#!/bin/bash
# layers.sh: includes go one way (base <- crypto <- pki <- wire <- store <- net <- the parties), no
# party includes another, protobuf-c stays inside the codec, every header compiles alone. Prints TAP.
set -uo pipefail
shopt -s lastpipe # result counts in this shell
cd "$(dirname "$0")/.." || exit 1
: "${BUILD:=build}" "${CC:=cc}"

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

# Included with a macro defined, and therefore not alone.
tables='^common/base/error_table\.h$'

mapfile -t sources < <(find common ca gateway merchant cardholder -name '*.[ch]' | sort)
mapfile -t headers < <(find common ca gateway merchant cardholder tests/support tests/sandbox \
    -name '*.h' 2>/dev/null | grep -v "$tables" | sort)

# FILE:LINE INCLUDED for every quoted include.
includes() {
    grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' "${sources[@]}" |
        sed -E 's/^([^:]*:[0-9]+):.*"([^"]*)".*/\1 \2/'
}

echo 1..5

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

compile_alone() {
    # shellcheck disable=SC2046,SC2086 # flags are words
    $CC -std=c11 -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -DSETPAY_VERSION='"0"' \
        -I. -I"$BUILD/gen" $(pkg-config --cflags libcrypto libevent_core libprotobuf-c jansson) \
        -include "$1" -x c /dev/null >"$2/out" 2>&1 || {
        echo "$1 does not compile alone:"
        head -n 3 "$2/out"
    }
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for header in "${headers[@]}"; do
    compile_alone "$header" "$folder"
done | result "every header compiles alone (${#headers[@]})"
