#!/usr/bin/env bash
# A browser visits the owner's pages of a sandbox's shop, as browser.sh does the shop's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/node.bash"

ok "a browser is there" chromium --version
ok "npm brings the libraries" npm_libraries "$build/browser"
has_libraries || done_testing
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
script owner "$sandbox" "$(cd "$bin" && pwd)" "$scripts/pictures"
done_testing
