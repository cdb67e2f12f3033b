#!/usr/bin/env bash
# A browser visits the owner's pages of a sandbox's shop, as browser.sh does the shop's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/node.bash"
. "$here/../support/settled.bash"

ok "a browser is there" chromium --version
ok "npm brings the libraries" npm_libraries "$build/browser"
has_libraries || done_testing
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
# Two settlements: of one all is as it was, and the other has a row of an order that the shop has not.
sells() {
    new_order "$@" && wallet pay "$uri" --yes && api POST "/orders/$order_id/capture" '{}'
}
ok "something is sold" sells 1250 EUR "A candle"
ok "and something in yen" sells 900 JPY "A wick"
ok "the batch is closed" merchant batch close
day=$(date -u +%F)
ok "the gateway settles" settled_after 1
ok "the shop reads in what was paid out" read_in "$day"
planted() {
    { head -n 1 "$tmp/day.csv" | other_id 11111111111111111111111111111111
      echo "row,capture,22222222222222222222222222222222,33333333333333333333333333333333,1,700,14,00,$day,"
    } | sealed | merchant settlement import -
}
ok "and what it knows nothing of" planted
script owner "$sandbox" "$(cd "$bin" && pwd)" "$scripts/pictures"
done_testing
