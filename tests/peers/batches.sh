#!/usr/bin/env bash
# Outside eyes on a batch: another reader, written from docs/protocol.md, proves what a merchant exports of its batches
# and what the gateway hands out of them; whatever is changed in either it refuses. Needs node and npm, as peers.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/node.bash"
SETPAY_TREE=$(cd "$here/../.." && pwd)
export SETPAY_TREE

is_long || skip_all "with SETPAY_LONG=1 only"
ok "npm brings the libraries" npm_libraries "$build/peers"
has_libraries || done_testing
ok "the sandbox comes up" up
[ -f "$state" ] || { tail -n 30 "$sandbox"/log/*; done_testing; }

is_taken() { [ "$(cat "$tmp/status")" = 200 ]; }
sells() { # CAPTURE
    new_order 1250 EUR "Two candles"
    wallet --json pay "$uri" --yes >"$tmp/paid" 2>&1 && api POST "/orders/$order_id/capture" "$1" >/dev/null && is_taken
}
gives_back() { api POST "/orders/$order_id/refund" '{"amount":250}' >/dev/null && is_taken; }
undoes() {
    local id
    id=$(api GET "/orders/$order_id" | jq -r '.captures[0].id')
    api POST "/orders/$order_id/undo" "{\"id\":\"$id\"}" >/dev/null && is_taken
}
hands_out() {
    merchant --json batch close >"$tmp/closed" && merchant batch export --all >"$tmp/batches" || return 1
    local brand number id
    id=$(jq -r .merchant_id "$tmp/batches")
    while read -r brand number; do
        gateway batch evidence --brand "$brand" --merchant-id "$id" --batch "$number" -o "$tmp/asked-$brand-$number" ||
            return 1
    done < <(jq -r '.batches[] | select(.status == "closed") | "\(.brand) \(.batch)"' "$tmp/batches")
}
ok "a purchase is captured in part" sells '{"amount":1000}'
ok "another whole" sells '{}'
ok "and some of it given back" gives_back
ok "a third is captured" sells '{}'
ok "and undone" undoes
ok "merchant and gateway hand out how the batch was closed" hands_out
AUTHORITIES=$(sql gateway "SELECT lower(hex(der)) FROM trust WHERE is_crl = 0")
export AUTHORITIES
script batches "$(get .ca_file)" "$tmp/batches" "$tmp"/asked-*
done_testing
