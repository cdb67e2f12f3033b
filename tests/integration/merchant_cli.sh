#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# setpay-merchant as its operator uses it: orders, purchases and tokens in words and as JSON, with a
# daemon that runs and without one.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

# says WORDS COMMAND...: succeeds, and its output has each line of WORDS, a regular expression.
says() {
    local words=$1 line
    shift
    "$@" >"$tmp/said" 2>&1 || { echo "exit status $?:"; cat "$tmp/said"; return 1; }
    while IFS= read -r line; do
        grep -qE -- "$line" "$tmp/said" || { echo "no line '$line' in:"; cat "$tmp/said"; return 1; }
    done <<<"$words"
}
# refuses STATUS WORDS COMMAND...: fails so, with these words on standard error, and none elsewhere.
refuses() {
    local status=$1 words=$2 got
    shift 2
    "$@" >"$tmp/said" 2>"$tmp/error"
    got=$?
    [ "$got" -eq "$status" ] && [ ! -s "$tmp/said" ] && grep -qE -- "$words" "$tmp/error" && return
    echo "exit status $got instead of $status, or other words:"
    cat "$tmp/said" "$tmp/error"
    return 1
}

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing

# ------------------------------------------------------------------ orders and purchases
ok "no order yet" says '^There is no such order\.$' merchant order list
ok "no purchase yet" says '^There is no such purchase yet\.$' merchant purchase list
ok "an order is made" says '^status +open$
^amount +12\.50 EUR$
^to be paid at +setpay://localhost:[0-9]+/pay/.+
^capture +manual$
^items +1 x +12\.50 EUR +12\.50 EUR  Two candles$
^metadata +table = 7$' \
    merchant order create --description 'Two candles' --amount '12.50 EUR' --capture manual --metadata table=7
order=$(awk '$1 == "order" { print $2 }' "$tmp/said")
uri=$(sed -n 's/^to be paid at *//p' "$tmp/said")
ok "it is paid" wallet --json pay "$uri" --yes
xid=$(merchant --json purchase list | jq -r '.purchases[0].xid')
ok "and shown with its payment" says "^status +authorised\$
^payments +$xid  authorised +12\\.50 EUR  action [0-9]+, approval .+" merchant order show "$order"
ok "the purchase is listed" says "^XID +STATUS +AMOUNT +ORDER +APPROVAL\$
^$xid  authorised +12\\.50 EUR  $order +.+" merchant purchase list
ok "and shown, with what was signed" says "^purchase +$xid\$
^status +authorised\$
^order +$order\$
^brand +visa\$
^signed digest +[0-9a-f]{64}\$
^hold until +20" merchant purchase show "$xid"
merchant --json order create --description 'A lamp' --amount '3 EUR' >"$tmp/lamp"
lamp=$(jq -r .order_id "$tmp/lamp")
ok "the newest first, a page at a time" says "^$lamp +open +3\\.00 EUR .* A lamp\$
^There are more: --cursor " merchant order list --limit 1
cursor=$(sed -n 's/.*--cursor //p' "$tmp/said")
ok "and the next page" says "^$order +authorised +12\\.50 EUR .* Two candles\$" merchant order list --limit 1 --cursor "$cursor"
ok "by status" says "^$order +authorised" merchant order list --status authorised
is "and no other" "$(grep -c "$lamp" "$tmp/said")" 0
ok "the hold is given back" says '^status +voided$' merchant order void "$order"
ok "an open order is ended" says '^status +cancelled$' merchant order cancel "$lamp"
ok "once more: still" says '^status +cancelled$' merchant order cancel "$lamp"

# ------------------------------------------------------------------ captures, refunds, batches
new_order 1000 EUR
ok "a third order is paid" wallet --json pay "$uri" --yes
ok "a part is captured" says '^status +partially_captured$
^captures +[0-9a-f]{32} +done +4\.00 EUR +batch 1$' merchant order capture "$order_id" --amount '4.00 EUR'
ok "not more than is held" refuses 1 "found 6.01 EUR; .* no more than 6.00 EUR" merchant order capture "$order_id" --amount '6.01 EUR'
ok "not in another currency" refuses 1 "currency: found USD" merchant order capture "$order_id" --amount '1 USD'
ok "the rest is captured" says '^status +captured$' merchant order capture "$order_id"
ok "what was captured can't be voided" refuses 1 "refunded" merchant order void "$order_id"
ok "it is given back, the oldest capture first" says '^status +partially_refunded$
^refunds +[0-9a-f]{32} +done +4\.00 EUR +batch 1$
^ +[0-9a-f]{32} +done +1\.00 EUR +batch 1$' merchant order refund "$order_id" --amount '5.00 EUR'
refund=$(merchant --json order show "$order_id" | jq -r '.refunds[1].id')
ok "a refund is undone" says '^reversals +[0-9a-f]{32} +done +1\.00 EUR +refund reversal, batch 1$' \
    merchant order undo "$order_id" --id "$refund"
ok "once" refuses 1 "not undone yet" merchant order undo "$order_id" --id "$refund"
ok "an id that is none" refuses 2 "32 hexadecimal digits" merchant order undo "$order_id" --id 7
ok "the batch counts it" says '^visa batch 1: open since 20
^ +2 captures +10\.00 EUR, +1 refunds +4\.00 EUR$' merchant batch list
ok "it is closed" says '^visa batch 1: closed 20' merchant batch close
ok "and shown" says '^visa batch 1: closed 20' merchant batch show 1
ok "nothing more is open" says 'nothing was captured since' merchant batch close
ok "a batch that is not there" refuses 1 "no batch 7" merchant batch show 7
capture=$(merchant --json order show "$order_id" | jq -r '.captures[1].id')
merchant order undo "$order_id" --id "$capture" >"$tmp/said" 2>"$tmp/error"
is "the gateway undoes nothing that is cleared" $? 1
ok "with what code it was refused" grep -q "refused it, with code 14" "$tmp/error"
ok "and what became of it" grep -q "capture reversal, refused with code 14" "$tmp/said"

# ------------------------------------------------------------------ tokens
is "one token is there" "$(merchant --json token list | jq -r '[.tokens[].name] | join(" ")')" sandbox
ok "a token is made, and shown once" says "^spm_[A-Za-z0-9_-]+\$
'second'.*only once" merchant token add --name second
token=$(grep '^spm_' "$tmp/said")
with_token() { curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" "$(get .merchant_api_url)/orders"; }
is "it is good" "$(with_token)" 200
ok "it is listed by its name" says '^NAME +CREATED$
^second  +20' merchant token list
ok "it is taken back" says "The token 'second' is no longer accepted" merchant token remove --name second
is "and is no good any more" "$(with_token)" 401
ok "what is not there can't be taken back" refuses 1 "second" merchant token remove --name second

# ------------------------------------------------------------------ slips
ok "an order that is not there" refuses 1 "there is no order '0000'" merchant order show 0000
ok "a purchase that is not there" refuses 1 "." merchant purchase show 00000000000000000000000000000000
ok "an amount that is none" refuses 2 "amount" merchant order create --description x --amount 'twelve EUR'
ok "a status that is none" refuses 2 "status" merchant order list --status sold
ok "a paid order can't be cancelled" refuses 1 "voided" merchant order cancel "$order"
ok "how the daemon is" says '^merchant_id +sandbox-shop$
^gateway .*"brand": "visa", "up": true' merchant status

# ------------------------------------------------------------------ without the daemon
new_order 700 EUR
ok "another order is paid" wallet --json pay "$uri" --yes
pid=$(pid_of merchant)
kill -TERM "$pid"
wait_gone "$pid"
ok "orders are shown without the daemon" says '^status +voided$' merchant order show "$order"
ok "a token is made without it" says '^spm_' merchant token add --name third
token=$(grep '^spm_' "$tmp/said")
ok "a void needs it" refuses 4 "." merchant order void "$order_id"
ok "so does a capture" refuses 4 "stopped" merchant order capture "$order_id"
ok "and a batch" refuses 4 "stopped" merchant batch close
ok "it comes back" up
is "and knows the token" "$(with_token)" 200
done_testing
