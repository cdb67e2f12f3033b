#!/usr/bin/env bash
# A shopper's browser (Chromium, driven by playwright-core) visits the shop of a sandbox: with a desk's and a phone's
# width, in light and dark, without JavaScript, by keyboard. Pictures of the pages are kept in $BUILD/browser. Needs
# node, npm and, the first time, its registry.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
browser=$(mkdir -p "$build/browser" && cd "$build/browser" && pwd)

install_libraries() {
    cp "$here"/*.mjs "$browser"/ || return 1
    cmp -s "$here/package-lock.json" "$browser/installed.json" && return
    rm -f "$browser/installed.json"
    cp "$here/package.json" "$here/package-lock.json" "$browser"/ &&
        (cd "$browser" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) &&
        cp "$here/package-lock.json" "$browser/installed.json"
}
ok "node is there" node --version
ok "a browser is there" chromium --version
ok "npm brings the libraries" install_libraries
[ -f "$browser/installed.json" ] || done_testing
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing

(cd "$browser" && exec node visit.mjs "$sandbox" "$(cd "$bin" && pwd)" "$browser/pictures") >"$tmp/visit.tap"
sed -e 's/^\(not \)\{0,1\}ok [0-9]* -/\1ok -/' "$tmp/visit.tap" | grep -v '^1\.\.'
ran=$(grep -c '^\(not \)\{0,1\}ok ' "$tmp/visit.tap")
n=$((n + ran))
failures=$((failures + $(grep -c '^not ok ' "$tmp/visit.tap")))
is "the visit came to its end" "$(sed -n 's/^1\.\.//p' "$tmp/visit.tap")" "$ran"
done_testing
