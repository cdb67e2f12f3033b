#!/bin/bash
# headers.sh: every header compiles alone, with the build's warnings as errors. So who includes one needs
# to know nothing of what it needs itself, which is the same for all compilers. Prints TAP.
# BUILD: the build folder, which has the generated headers.  WARNINGS: the build's.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
: "${BUILD:=build}" "${WARNINGS:=-Wall -Wextra}" "${JOBS:=$(nproc)}"

# Included with a macro defined, and therefore not alone.
tables='^common/base/error_table\.h$'
mapfile -t headers < <(find common ca gateway merchant cardholder tests -name '*.h' | grep -v "$tables" | sort)
packages='libcrypto libssl libevent_core libprotobuf-c sqlite3 jansson inih'
# shellcheck disable=SC2086 # words
flags="-std=c11 -fsyntax-only $WARNINGS -Werror -D_GNU_SOURCE -DSETPAY_VERSION=0 -I. -I$BUILD/gen
    -pthread $(pkg-config --cflags $packages)"
export flags

echo 1..1
[ ${#headers[@]} -gt 0 ] || { echo 'Bail out! no header was found'; exit 1; }
# shellcheck disable=SC2016 # expanded by the inner shell, whose flags are words
wrong=$(printf '%s\0' "${headers[@]}" | xargs -0 -n 1 -P "$JOBS" sh -c '
    said=$($0 $flags -include "$1" -x c /dev/null 2>&1) ||
        printf "%s does not compile alone:\n%s\n" "$1" "$(printf "%s\n" "$said" | head -n 3)"' "${CC:-cc}")
if [ -z "$wrong" ]; then
    echo "ok 1 - every header compiles alone (${#headers[@]})"
    exit 0
fi
echo "not ok 1 - every header compiles alone (${#headers[@]})"
# shellcheck disable=SC2001 # each line
sed 's/^/# /' <<<"$wrong"
exit 1
