#!/bin/bash
# shellcheck disable=SC2154
# drain.sh: SIGTERM under load. What is under way gets its answer, what comes now is refused at once
# and in words, the daemon exits with 0 well within drain_timeout, and the service manager hears of
# all of it; afterwards all parties agree, and nothing is left over. For merchant, gateway, wallet.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/tap.bash
. tests/support/tap.bash
# shellcheck source=tests/support/sandbox.bash
. tests/support/sandbox.bash
many=4 limit=30 # purchases under way; seconds of drain_timeout

ok 'the sandbox comes up' up
[ -f "$state" ] || done_testing
# An issuer that takes its time: what is asked for stays under way for a second.
ok 'with a slow issuer' restart_with issuer 'late = 4s'
ok 'which the gateway waits for' restart_with gateway 'auth_timeout = 20s'
slow=$(card_id late-answer)

# as_child DAEMON: in the place of the sandbox's own, so that its exit status is seen, with a socket
# where the notices to a service manager are kept.
child='' orders=()
as_child() {
    local admin pid
    # What the sandbox's next start would take back.
    sed -i -e '/^auth_timeout = /s/=.*/= 20s/' -e '/^drain_timeout = /s/=.*/= 30s/' "$sandbox/$1.conf"
    pid=$(pid_of "$1")
    kill -TERM "$pid" && wait_gone "$pid"
    rm -f "$tmp/notices.sock"
    socat -u "UNIX-RECV:$tmp/notices.sock" "OPEN:$tmp/notices,creat,trunc" &
    listener=$!
    wait_for 5 test -S "$tmp/notices.sock" || return 1
    NOTIFY_SOCKET=$tmp/notices.sock "$bin/setpay-${1}d" --config "$sandbox/$1.conf" \
        </dev/null >>"$sandbox/log/$1.out" 2>&1 &
    child=$!
    echo "$child" >"$sandbox/run/$1.pid"
    admin=$(sed -n 's/^admin_address = //p' "$sandbox/$1.conf")
    wait_for 10 curl -fsS -o /dev/null "http://$admin/healthz" && up
}
notices() { tr '\n' ' ' <"$tmp/notices"; }

# start_purchases: as many as there shall be, of the slow card, and two shoppers who go on with fast
# ones until they are refused. All of them are processes of ours.
start_purchases() {
    local i uris=()
    payers=()
    for i in $(seq "$many"); do
        new_order $((1000 + i)) EUR
        orders+=("$order_id")
        uris+=("$uri")
    done
    for i in $(seq "$many"); do
        wallet --json pay "${uris[i - 1]}" --yes --card "$slow" >"$tmp/slow.$i" 2>&1 &
        payers+=($!)
    done
    : >"$tmp/fast"
    for i in 1 2; do
        fast_shopper & # the first refusal ends it
        payers+=($!)
    done
    wait_for 10 all_are_asked
}
fast_shopper() {
    local link id
    while id=$(curl -sS -f -X POST -H "Authorization: Bearer $(get .merchant_api_token)" -H 'Content-Type: application/json' \
        -H "Idempotency-Key: fast-$BASHPID-$RANDOM$RANDOM" -d '{"description": "Fast", "amount": 700, "currency": "EUR"}' \
        "$(get .merchant_api_url)/orders" 2>/dev/null); do
        link=$(jq -r .pay_uri <<<"$id")
        wallet --json pay "$link" --yes 2>/dev/null | jq -r --arg o "$(jq -r .order_id <<<"$id")" '"\($o) \(.status // "refused")"' >>"$tmp/fast"
        [ ! -f "$tmp/enough" ] || break
    done
}
all_are_asked() { [ "$(gateway --json payment list --state asking | jq '[.payments[] | select(.amount > 1000)] | length')" -ge "$many" ]; }
wait_for_payers() { for payer in "${payers[@]}"; do wait "$payer"; done; }
slow_statuses() { cat "$tmp"/slow.* | jq -r .status | sort | uniq -c | tr -s ' '; }

# stop NAME: SIGTERM to the child, and how it ended.
stop() {
    started=$(date +%s)
    kill -TERM "$child"
    wait_for 5 grep -q 'STOPPING=1' "$tmp/notices"
}
ended() { # NAME
    wait "$child"
    is "$1: exit status" $? 0
    ok "$1: well within drain_timeout" test $(($(date +%s) - started)) -lt "$limit"
    ok "$1: not cut short" bash -c "! grep -q drain_cut_short '$sandbox/log/$1.log'"
    kill "$listener" 2>/dev/null
    wait "$listener" 2>/dev/null
}
settled() { wait_for 20 nothing_pending && wait_for 20 nothing_left_over; }
agree() { for order in "${orders[@]}"; do one_outcome "$order" || return 1; done; }

# ------------------------------------------------------------------ the merchant
ok 'the merchant, with a service manager' as_child merchant
ok 'which hears that it serves' grep -q '^READY=1' "$tmp/notices"
ok "$many purchases are under way at the issuer, and more come" start_purchases
ok 'SIGTERM: the service manager hears it' stop
ok 'and how long it may take' bash -c "grep -qE '^EXTEND_TIMEOUT_USEC=[3-9][0-9]{7}$' '$tmp/notices'"
api_address=$(sed -n 's/^api_listen = //p' "$sandbox/merchant.conf")
curl -sS -o /dev/null "http://$api_address/api/v1/orders" 2>"$tmp/curl"
is 'a store that comes now is refused' $? 7
merchant_gone() { wallet --json pay "setpay://localhost:${merchant_address##*:}/pay/AAAAAAAAAAAAAAAAAAAAAA" --yes >"$tmp/late" 2>&1; [ $? -eq 4 ]; }
merchant_address=$(sed -n 's/^listen = //p' "$sandbox/merchant.conf")
ok "a shopper too: exit status 4, it can't be reached" merchant_gone
ended merchant
touch "$tmp/enough"
wait_for_payers
rm "$tmp/enough"
is 'what was under way was answered: all are authorised' "$(slow_statuses)" " $many authorised"
ok 'and the others had been, or wait for the merchant' bash -c "! cut -d ' ' -f 2 '$tmp/fast' | grep -vxE 'authorised|pending|failed|refused'"
ok 'it starts again' up
ok 'and nothing is pending or left over' settled

# ------------------------------------------------------------------ the gateway
ok 'the gateway, with a service manager' as_child gateway
ok "$many purchases are under way at the issuer, and more come" start_purchases
ok 'SIGTERM: the service manager hears it' stop
gateway_address=$(sed -n 's/^listen = //p' "$sandbox/gateway.conf")
ok 'a merchant that comes now is refused' bash -c "! exec 3<>'/dev/tcp/${gateway_address%:*}/${gateway_address##*:}'"
ended gateway
touch "$tmp/enough"
ok 'it starts again' up
wait_for_payers
rm "$tmp/enough"
is 'what was under way was answered: all are authorised' "$(slow_statuses)" " $many authorised"
ok 'and nothing is pending or left over' settled

# ------------------------------------------------------------------ the wallet
ok 'the wallet, with a service manager' as_child wallet
ok "$many purchases are under way at the issuer" start_purchases
ok 'SIGTERM: the service manager hears it' stop
ended wallet
touch "$tmp/enough"
wait_for_payers
is 'each payer hears that its purchase is stored and goes on' \
    "$(for i in $(seq "$many"); do jq -r '.status // .error.name // .error // "no words"' "$tmp/slow.$i" 2>/dev/null || cat "$tmp/slow.$i"; done | sort | uniq -c | tr -s ' ')" " $many pending"
ok 'it starts again, and is unlocked' up
ok 'and nothing is pending or left over' settled
ok 'all agree on each order' agree
done_testing
