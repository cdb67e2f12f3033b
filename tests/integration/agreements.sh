#!/usr/bin/env bash
# What a shopper has agreed to beyond one payment, with the real wallet, merchant, gateway and issuer:
# a subscription that the merchant takes by itself as the clock moves on, also where it is killed in
# the middle; instalments to the last cent; shipments as the store asks; an agreement that the shopper
# cancels, the store ends, or whose card is gone; and holds that end by themselves. Rules M5, M6, G6.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
mkdir "$sandbox"
ok "a sandbox comes up" up
[ -f "$state" ] || done_testing

# ------------------------------------------------------------------ small helpers
nothing='{}'
clock=0 # hours
clocks() { # HOURS: the clock of all, and current lists everywhere
    local name socket
    clock=$1
    for name in ca issuer gateway merchant wallet; do
        socket=$(admin_socket "$name")
        [ "$name" != ca ] || socket=$sandbox/ca/cad.sock
        control "$socket" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$((clock * 3600000))}}" | jq -e .ok || return 1
    done
    wait_for 20 all_ready
}
all_ready() {
    local name
    for name in gateway merchant wallet; do
        curl -fsS "$(sed -n 's,^admin_address = ,http://,p' "$sandbox/$name.conf")/readyz" || return 1
    done
}
up_now() { SETPAY_CLOCK=$((clock * 3600000)) up; }
today() { date -u -d "+$((clock + $1 * 24)) hours" +%F; } # DAYS from the clock's day
# order BODY: sets order_id, uri; pays: sets xid.
order() {
    api POST /orders "$1" >"$tmp/order"
    order_id=$(jq -r .order_id "$tmp/order") uri=$(jq -r .pay_uri "$tmp/order")
    [ "$(cat "$tmp/status")" = 201 ]
}
pays() {
    wallet --json pay "$uri" --yes --agree-terms >"$tmp/paid" && xid=$(jq -r .xid "$tmp/paid") &&
        jq -e '.status == "authorised" or .status == "captured"' "$tmp/paid"
}
repeated() { # KIND AMOUNT COUNT EACH [MORE]
    jq -nc --arg k "$1" --argjson a "$2" --argjson c "$3" --argjson e "$4" --arg until "$(today 40)" \
        '{description: "A test", amount: $a, currency: "EUR",
          terms: {kind: $k, count: $c, interval_days: 1, each: $e, "end": $until}}'
}
look() { api GET "/orders/$order_id"; }
is() { look | tee "$tmp/seen" | jq -e "$1"; } # JQ: true of the order
comes() { wait_for 20 is "$1"; }
problem() { # CODE TYPE: the newest answer
    [ "$(cat "$tmp/status")" = "$1" ] && [ "$(jq -r .type "$tmp/body")" = "urn:setpay:problem:$2" ]
}
post() { # WHAT [BODY]
    local body=${2:-}
    api POST "/orders/$order_id/$1" "${body:-$nothing}"
}
taken() { sql gateway "SELECT count(*) || ' ' || total(approved_minor - reversed_minor) || ' ' || total(captured_minor) FROM payment WHERE hex(xid) = upper('$xid') AND approved_minor > 0"; }
agreed() { wallet --json agreement show "$xid" | tee "$tmp/agreed" | jq -e "$1"; }

# ------------------------------------------------------------------ what a store may not ask for
refused_terms() { order "$1"; problem 422 invalid-field && [ "$(jq -r .field "$tmp/body")" = "$2" ]; } # BODY FIELD
ok "instalments that can't come to the amount are refused" refused_terms "$(repeated instalment 1000 3 333)" terms.each
ok "an instalment above the whole is refused" refused_terms "$(repeated instalment 1000 3 1001)" terms.each
ok "a first payment above each is refused" refused_terms "$(repeated recurring 1000 3 999)" terms.each
ok "an end that has passed is refused" refused_terms "$(repeated recurring 999 3 999 | jq -c '.terms["end"] = "2020-01-01"')" terms.end
ok "a day that there is not is refused" refused_terms "$(repeated recurring 999 3 999 | jq -c '.terms["end"] = "2027-02-30"')" terms.end
ok "a count of one is refused" refused_terms "$(repeated recurring 999 1 999)" terms.count
ok "another kind is refused" refused_terms "$(repeated forever 999 3 999)" terms.kind
ok "a member that terms of a split don't have is refused" refused_terms \
    '{"description":"A","amount":9,"currency":"EUR","terms":{"kind":"split","count":3}}' terms.count

# ------------------------------------------------------------------ a subscription
ok "a subscription of three payments is ordered" order "$(repeated recurring 999 3 999 | jq -c '.capture = "immediate"')"
ok "and paid once" pays
ok "the order says what was agreed to and taken" is '.status == "captured" and .terms.kind == "recurring" and .agreement.status == "active"
    and .agreement.payments == 1 and .agreement.taken_amount == 999 and .agreement.next_amount == 999'
post authorise >/dev/null
ok "no payment comes before its day" problem 409 too-soon
clocks 25 >/dev/null
ok "a day later the second one is taken, and captured" comes '.agreement.payments == 2 and .payments[0].captured_amount == 1998'
ok "the wallet has seen it, and agrees" wait_for 20 agreed '.payments == 2 and .taken == 1998'
crash_at merchant gateway.answered 1 >/dev/null
merchant_pid=$(pid_of merchant)
clocks 50 >/dev/null
ok "the merchant dies with the third one in its hands" wait_for 20 eval '! kill -0 "$merchant_pid" 2>/dev/null'
ok "it comes back" up_now
ok "the third one was taken once, and the agreement is complete" comes '.agreement.status == "ended" and .agreement.ended_because == "completed"
    and .agreement.payments == 3 and .payments[0].captured_amount == 2997'
ok "the gateway counts the same" eval '[ "$(taken)" = "3 2997.0 2997.0" ]'
ok "and the wallet" wait_for 20 agreed '.payments == 3 and .status == "ended"'
post authorise >/dev/null
ok "nothing more is to be had" problem 409 order-state

# ------------------------------------------------------------------ instalments
ok "instalments are ordered" order "$(repeated instalment 1000 3 400)"
ok "and the first one paid" pays
ok "of it no more than was agreed to is held" is '.status == "authorised" and .payments[0].approved_amount == 400 and .agreement.next_amount == 400'
post capture >/dev/null
ok "which the store captures" is '.status == "captured" and .payments[0].captured_amount == 400'
clocks 75 >/dev/null
ok "the second one comes by itself" comes '.agreement.payments == 2 and .agreement.next_amount == 200'
clocks 100 >/dev/null
ok "the last one is the rest" comes '.agreement.ended_because == "completed" and .payments[0].captured_amount == 1000'
ok "the gateway counts the same" eval '[ "$(taken)" = "3 1000.0 1000.0" ]'
post refund >/dev/null
ok "all of it can be given back" is '.status == "refunded" and .payments[0].refunded_amount == 1000 and (.refunds | length) == 3'

# ------------------------------------------------------------------ what ships, when it does
ok "an order to be shipped in parts" order '{"description":"A, B and C","amount":900,"currency":"EUR","terms":{"kind":"split","first":300}}'
ok "is paid" pays
ok "for what ships first" is '.payments[0].approved_amount == 300 and .agreement.status == "active"'
post authorise '{"amount":601}' >/dev/null
ok "no more than the whole is to be had" problem 409 amount
post authorise '{"amount":500}' >/dev/null
ok "the next part is authorised" is '.payments[0].approved_amount == 800 and .authorisations[0].amount == 500'
post capture '{"amount":700}' >/dev/null
ok "a capture may be of both" is '.payments[0].captured_amount == 700 and (.captures | length) == 2'
post void >/dev/null
ok "what is held of either is given up" is '.payments[0].released_amount == 100 and .status == "captured"'
post authorise '{"amount":200}' >/dev/null
ok "and may be had again" is '.payments[0].approved_amount == 1000 and .agreement.taken_amount == 900'
ok "of that the wallet knows each receipt" wait_for 20 agreed '.payments == 3 and .taken == 900'
ok "the merchant lists what goes on" eval 'merchant --json agreement list | jq -e ".agreements | length == 0 or .[0].order_id == \"$order_id\""'

# ------------------------------------------------------------------ ends
ok "a subscription that will be cancelled" order "$(repeated recurring 500 5 500)"
ok "is paid" pays
cancels() { # the gateway's receipt may be here at once, or in a moment
    wallet --json agreement cancel "$xid" --yes >"$tmp/cancelled"
    [ $? = 0 ] || [ $? = 4 ] || jq -e '.status == "cancelling"' "$tmp/cancelled"
}
ok "the shopper cancels it" cancels
ok "and the gateway has confirmed it" wait_for 20 agreed '.status == "cancelled"'
ok "the merchant knows" comes '.agreement.ended_because == "cancelled" and .agreement.cancelled and .agreement.cancellation_confirmed'
cancelled_order=$order_id cancelled_xid=$xid
ok "one that the store ends" order "$(repeated recurring 500 5 500)"
ok "is paid" pays
post end-agreement >/dev/null
ok "it asks for no more" is '.agreement.ended_because == "ended_by_store"'
ok "one that is cancelled over a kill" order "$(repeated recurring 500 5 500)"
ok "is paid" pays
crash_at merchant cancellation.stored 1 >/dev/null
wallet agreement cancel "$xid" --yes >/dev/null 2>&1
ok "the merchant comes back" up_now
ok "and hands the cancellation on" comes '.agreement.ended_because == "cancelled" and .agreement.cancellation_confirmed'
ok "the wallet has its receipt" wait_for 20 agreed '.status == "cancelled"'

# ------------------------------------------------------------------ holds that end
ok "an order that is never shipped" order '{"description":"Forgotten","amount":1250,"currency":"EUR","expires_in":2592000}'
ok "is paid" pays
forgotten=$order_id
clocks $((clock + 169)) >/dev/null
ok "a week later its hold has ended, and it is over" comes '.status == "expired" and .payments[0].status == "reversed" and .payments[0].released_amount == 1250'
told() { wallet --json status "$xid" | tee "$tmp/told" | jq -e '.state == "reversed"'; }
ok "the wallet is told by receipt" wait_for 5 told
ok "and it is not paid again" eval '! wallet pay "$uri" --yes >"$tmp/again" 2>&1'
order_id=$cancelled_order xid=$cancelled_xid
ok "of what was cancelled nothing more was taken" is '.agreement.payments == 1'
ok "nor at the gateway" eval '[ "$(sql gateway "SELECT count(*) FROM payment WHERE hex(xid) = upper(\"$xid\")")" = 1 ]'
ok "the gateway's books are sound" gateway audit
done_testing
