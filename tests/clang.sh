#!/bin/bash
# clang.sh: everything compiles and links with clang too, without a warning. Runs nothing of it.
# Prints TAP.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
: "${BUILD:=build}"
# The outer make's flags and variables are for the outer build.
unset MAKEFLAGS MFLAGS MAKELEVEL

echo 1..1
clang=clang
[ -z "${CCACHE:-}" ] || clang="$CCACHE clang"
# -O0: nobody runs it, and the warnings are the same; without -D_FORTIFY_SOURCE, which asks for more. Casts
# inside OpenSSL's macros: gcc does not count them as ours, clang does. gcc checks for them.
if make -k -j"$(nproc)" CC="$clang" OPT=-O0 HARDEN='-fstack-protector-strong -fPIE -fno-common' \
    CFLAGS="${CFLAGS:-} -Wno-cast-qual" BUILD="$BUILD/clang" build tests; then
    echo 'ok 1 - everything builds with clang'
else
    echo 'not ok 1 - everything builds with clang'
fi
