#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# The merchant's clock jumps ahead by a day, and is set right again. Meanwhile a store repeats a refund with the key of
# the first one, and somebody wants what an unpaid order holds: neither is money given twice, nor is a piece sold twice.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
clock() { control "$(admin_socket merchant)" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$1}}" | jq -e .ok; }
day=86400000
order_is() { [ "$(order_status "$1")" = "$2" ]; }
refunded() { api GET "/orders/$paid" | jq -r ".payments[0].refunded_amount"; }
credited() { sql gateway "SELECT SUM(credited_minor) FROM payment"; }
stock() { sql merchant "SELECT on_hand || ' ' || reserved FROM variant WHERE sku = 'JG-STRAW'"; }
keys() { sql merchant "SELECT COUNT(*) FROM idempotency"; }
jug='{"items":[{"sku":"JG-STRAW","quantity":1}],"currency":"EUR"}'
wants_jug() { api POST /orders "$jug"; }

new_order 1000 EUR "One candle"
paid=$order_id
ok "an order is paid" wallet --json pay "$uri" --yes
api POST "/orders/$paid/capture" '{}' >/dev/null
ok "and captured" wait_for 10 order_is "$paid" captured
refund() { api POST "/orders/$paid/refund" '{"amount":100}' refund-once; }
first=$(refund)
is "so much is given back" "$(cat "$tmp/status")" 200
is "of it" "$(refunded) $(credited)" "100 100"

ok "there is one jug" merchant stock set JG-STRAW --on-hand 1 --reason counted
held=$(wants_jug)
is "which an order holds" "$(jq -r .status <<<"$held") $(stock)" "open 1 1"
keys_before=$(keys)

ok "the clock jumps ahead by more than a day" clock $((day + 3600000))
is "the same refund again has the same answer" "$(refund | jq -cS .)" "$(jq -cS . <<<"$first")"
is "and gives nothing more" "$(refunded) $(credited)" "100 100"
is "with another body its key is refused" "$(api POST "/orders/$paid/refund" '{"amount":200}' refund-once | jq -r .type)" \
    urn:setpay:problem:idempotency-key-reused
is "the jug is not to be had" "$(wants_jug | jq -r .type)" urn:setpay:problem:out-of-stock
ok "a look at the shelf frees nothing" merchant stock set JG-STRAW --low-at 1
is "it is held" "$(stock)" "1 1"
is "no key has gone" "$(($(keys) - keys_before))" 0
is "nobody is told that the order has expired" \
    "$(api GET '/events?type=order.expired&limit=100' | jq '.events | length')" 0

ok "the clock is set right" clock 0
is "the order can be paid" "$(order_status "$(jq -r .order_id <<<"$held")")" open
ok "and is" wallet --json pay "$(jq -r .pay_uri <<<"$held")" --yes
is "the jug is sold once" "$(stock)" "0 0"
is "and to nobody else" "$(wants_jug | jq -r .type)" urn:setpay:problem:out-of-stock
done_testing
