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

visit() { # WHAT SCRIPT ARGUMENT...: its results are ours
    local what=$1 ran
    shift
    (cd "$browser" && exec node "$@") >"$tmp/visit.tap"
    sed -e 's/^\(not \)\{0,1\}ok [0-9]* -/\1ok -/' "$tmp/visit.tap" | grep -v '^1\.\.'
    ran=$(grep -c '^\(not \)\{0,1\}ok ' "$tmp/visit.tap")
    n=$((n + ran))
    failures=$((failures + $(grep -c '^not ok ' "$tmp/visit.tap")))
    is "$what came to its end" "$(sed -n 's/^1\.\.//p' "$tmp/visit.tap")" "$ran"
}
visit "the visit" visit.mjs "$sandbox" "$(cd "$bin" && pwd)" "$browser/pictures"

# The explorer's page of what was bought; and as it is when something in a database was edited.
explore() { "$bin/setpay-sandbox" explore --dir "$sandbox"; }
ok "the explorer's page" explore
visit "a look at it" explorer.mjs "$sandbox/explorer.html" "$browser/pictures" explorer
ok "the merchant's evidence is edited" sqlite3 -cmd '.timeout 5000' "$sandbox/db/merchant.db" \
    "UPDATE evidence SET signature = x'3006020101020101' WHERE type = 'AuthRes'"
is "the page is made all the same" "$(explore >/dev/null 2>&1; echo $?)" 5
visit "a look at that one" explorer.mjs "$sandbox/explorer.html" "$browser/pictures" explorer-edited
done_testing
