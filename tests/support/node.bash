# Tests in JavaScript, on top of tap.bash: the libraries that npm brings, and scripts whose TAP is ours. Needs node,
# npm and, the first time, its registry.
# shellcheck shell=bash disable=SC2154
scripts=$build # where they and their libraries are: npm_libraries

# npm_libraries FOLDER: the scripts beside the test, and what package-lock.json names there, in FOLDER. Several tests
# may share it: one installs, and the others wait.
npm_libraries() {
    mkdir -p "$1" && scripts=$(cd "$1" && pwd) && (
        flock 9
        for file in "$here"/*.mjs; do
            cmp -s "$file" "$scripts/${file##*/}" || cp "$file" "$scripts"/ || exit 1
        done
        cmp -s "$here/package-lock.json" "$scripts/installed.json" && exit
        rm -f "$scripts/installed.json"
        cp "$here/package.json" "$here/package-lock.json" "$scripts"/ && cd "$scripts" &&
            npm ci --ignore-scripts --no-audit --no-fund --loglevel=error &&
            cp package-lock.json installed.json
    ) 9>>"$1.lock"
}
has_libraries() { [ -f "$scripts/installed.json" ]; }

# script NAME ARGUMENT...: NAME.mjs, whose lines are printed as ours.
script() {
    local name=$1 status ran
    shift
    (cd "$scripts" && exec node "$name.mjs" "$@") >"$tmp/$name.tap"
    status=$?
    sed -e "s/^\(not \)\{0,1\}ok [0-9]* -/\1ok - $name:/" "$tmp/$name.tap" | grep -v '^1\.\.'
    ran=$(grep -c '^\(not \)\{0,1\}ok ' "$tmp/$name.tap")
    n=$((n + ran))
    failures=$((failures + $(grep -c '^not ok ' "$tmp/$name.tap")))
    is "$name.mjs ran to its end" "$status $(sed -n 's/^1\.\.//p' "$tmp/$name.tap")" "0 $ran"
}
