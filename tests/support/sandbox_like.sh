#!/bin/bash
# sandbox_like.sh FOLDER: a sandbox that is up, in a second: a copy of one that all tests of this build
# share. To make that one, with all its keys and cards, takes ten, of both cores; it is made when it
# is first wanted, and again when the programs have changed or its revocation lists grow old.
# BUILD: the build folder.
set -euo pipefail
: "${BUILD:=build}"
build=$(cd "$BUILD" && pwd)
pattern=$build/test-sandbox

is_good() {
    [ -n "$(find "$pattern/made" -mmin -30 2>/dev/null)" ] &&
        [ -z "$(find "$build/bin" -type f -newer "$pattern/made" -print -quit)" ]
}

# Whoever copies holds the lock with others, whoever makes it alone.
exec 9>>"$pattern.lock"
flock -s 9
if ! is_good; then
    flock 9
    is_good || {
        [ ! -f "$pattern/it/ports" ] || "$build/bin/setpay-sandbox" down --dir "$pattern/it" 9>&-
        rm -rf "$pattern"
        mkdir -p "$pattern/it"
        "$build/bin/setpay-sandbox" up --dir "$pattern/it" 9>&-
        "$build/bin/setpay-sandbox" down --dir "$pattern/it" 9>&-
        touch "$pattern/made"
    }
    flock -s 9
fi
"$build/bin/setpay-sandbox" up --dir "$1" --like "$pattern/it" 9>&-
