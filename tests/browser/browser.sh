#!/usr/bin/env bash
# A browser (Chromium, driven by playwright-core) visits a sandbox's shop as shoppers do: with a desk's and a phone's
# width, in light and dark, without JavaScript, by keyboard; and the explorer's page of what was bought. Pictures of the
# pages are kept in $BUILD/browser/pictures. The owner's pages: browser_owner.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/node.bash"

ok "node is there" node --version
ok "a browser is there" chromium --version
ok "npm brings the libraries" npm_libraries "$build/browser"
has_libraries || done_testing
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
ok "some things have no price in dollars" eval '
    for sku in WB-OLIVE WB-NATUR PL-27; do merchant price set "$sku" --without USD || exit 1; done'
script visit "$sandbox" "$(cd "$bin" && pwd)" "$scripts/pictures"

# The explorer's page of what was bought; and as it is when something in a database was edited.
explore() { "$bin/setpay-sandbox" explore --dir "$sandbox"; }
ok "the explorer's page" explore
script explorer "$sandbox/explorer.html" "$scripts/pictures" explorer
ok "the merchant's evidence is edited" sqlite3 -cmd '.timeout 5000' "$sandbox/db/merchant.db" \
    "UPDATE evidence SET signature = x'3006020101020101' WHERE type = 'AuthRes'"
is "the page is made all the same" "$(explore >/dev/null 2>&1; echo $?)" 5
script explorer "$sandbox/explorer.html" "$scripts/pictures" explorer-edited
done_testing
