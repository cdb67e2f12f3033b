#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# A store in another language: store.mjs knows the API, its OpenAPI document and the webhooks' library alone; a real
# wallet pays it, and the gateway's books have what it took and gave back.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/node.bash"
. "$here/../support/settled.bash"

ok "node is there" node --version
ok "npm brings the libraries" npm_libraries "$build/peers"
has_libraries || done_testing
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing

scopes=orders:read,orders:write,payments:write,refunds:write,products:read,events:read,webhooks:read,webhooks:write
token=$(merchant --json token add --name store --scope $scopes | jq -r .token)
script selling "$sandbox" "$(cd "$bin" && pwd)" "$token" "$tmp/store"

# One settlement, of what was sold.
day=$(date -u +%F)
ok "the batch is closed" merchant batch close
ok "the gateway settles" settled_after 1
ok "what was paid out is read in" read_in "$day"

# Every operation, asked rightly and in each wrong way.
narrow() { merchant --json token add --name "$1" --scope "$2" | jq -r .token; }
script operations "$sandbox" "$(narrow reads orders:read)" "$(narrow events events:read)"

# Of each payment what the gateway took and gave back, and what the store was told of it last.
of() { # BASKET JQ
    grep '}$' "$tmp/store/events.jsonl" |
        jq -rs --arg of "$1" "[.[].data | select(.metadata.basket == \$of).payment | values] | last | $2"
}
books() { sql gateway "SELECT captured_minor || ' ' || credited_minor FROM payment WHERE xid = x'$(of "$1" .xid)'"; }
is "the gateway's books have what was taken and given back" "$(books basket-1)" "9980 1500"
told=$(of basket-2 '"\(.captured_amount) \(.refunded_amount)"')
is "of the other order too, as the store was told" "$(books basket-2)" "$told"
is "nothing of the token is in a log" "$(grep -lF -- "$token" "$sandbox"/log/*)" ""
done_testing
