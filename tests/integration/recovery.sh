#!/usr/bin/env bash
# A party answers too late, or dies while others wait, or the store changes its mind in the middle:
# each time there is one outcome, on which wallet, merchant, gateway and issuer agree, at most one
# authorisation, and nothing left over at anyone's. Death at each single step of a purchase is
# crash_points.c's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
echo "# failures count as: lost or made twice"
cleanup() {
    [ -z "${stopped:-}" ] || kill -CONT "$stopped" 2>/dev/null
    [ -z "${other_pid:-}" ] || kill -TERM "$other_pid" 2>/dev/null
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}

ok "the sandbox comes up" up
[ -f "$state" ] || { tail -n 30 "$sandbox"/log/*; done_testing; }

# pay_in_background [OPTION...]: the link in $uri; sets payer.
pay_in_background() {
    timeout 60 "$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes "$@" >"$tmp/paid" 2>&1 &
    payer=$!
}
settled() { nothing_pending && one_outcome "$order_id" 2>/dev/null && nothing_left_over; }
# within SECONDS COMMAND: as wait_for, and says what there is when it fails.
within() {
    wait_for "$@" && return
    one_outcome "$order_id"
    nothing_left_over
    wallet --json list | jq -c '.purchases[] | select(.status == "pending")'
    return 1
}
settles() { ok "$1: within ten seconds nothing is pending, all agree, nothing is left over" within 10 settled; }
# stop DAEMON, go_on: as a process that gets no time.
stop() {
    stopped=$(pid_of "$1")
    kill -STOP "$stopped"
}
go_on() {
    kill -CONT "$stopped"
    stopped=''
}
states() { api GET "/orders/$order_id" | jq -r '[.payments[].status] | join(" ")'; }

# ------------------------------------------------------------------ the same bytes after a restart
# The merchant dies with the answer in its hand, unread; then others die too. It asks again with the
# bytes it has stored, and gets the bytes that the gateway has stored.
asked() { sql merchant "SELECT hex(rrpid), hex(content), hex(signature) FROM gateway_request ORDER BY id DESC LIMIT 1"; }
answer() { sql gateway "SELECT hex(sender), hex(request_hash), hex(response) FROM answer WHERE hex(rrpid) = '${1%%|*}'"; }
others=("" "gateway issuer wallet")
! is_long || others+=(gateway issuer)
for also in "${others[@]}"; do
    what="merchant${also:+ $also} restarted"
    new_order 1300 EUR
    pid=$(pid_of merchant)
    crash_at merchant gateway.answered 1 >/dev/null
    pay_in_background
    ok "$what: the answer is on its way" wait_for 10 is_gone "$pid"
    asked=$(asked)
    answered=$(answer "$asked")
    ok "$what: and kept" test -n "$answered"
    before=$(authorisations)
    for daemon in $also; do kill_daemon "$daemon"; done
    ok "$what: up" up
    wait "$payer"
    settles "$what"
    is "$what: the same request" "$(asked)" "$asked"
    is "$what: the same answer, to the last byte" "$(answer "$asked")" "$answered"
    is "$what: authorised, once" "$(order_status "$order_id") $(authorisations)" "authorised $before"
done

# ------------------------------------------------------------------ answers that come too late
ok "the merchant asks the gateway again after a second" restart_with merchant "gateway_timeout = 1s" "answer_wait = 2s"
asking() { [ "$(sql gateway 'SELECT count(*) FROM payment WHERE state = 1')" = 1 ]; }
at_merchant() { [ -n "$(states)" ]; }
repeats() { curl -fsS "$(get .metrics.merchant)" | awk '/^setpay_merchant_gateway_repeats_total/ { n += $2 } END { print n + 0 }'; }
more_repeats() { [ "$(repeats)" -ge $(($1 + 2)) ]; }

new_order 1400 EUR
before=$(repeats)
stop gateway
pay_in_background
ok "a gateway that gets no time is asked again" wait_for 15 more_repeats "$before"
go_on
wait "$payer"
settles "and goes on"
is "authorised once" "$(states)" authorised

new_order 1410 EUR
issuer script latency_ms=1500 >/dev/null
before=$(repeats)
pay_in_background
ok "the gateway waits for the issuer" wait_for 5 asking
stop gateway
ok "and gets no time" wait_for 15 more_repeats "$before"
go_on
issuer script reset >/dev/null
wait "$payer"
settles "and goes on after the issuer has answered"
ok "one attempt, with one outcome" test "$(states | wc -w)" = 1

ok "the wallet gives up waiting after a second" restart_with wallet "answer_timeout = 1s" "connect_timeout = 1s" "answer_wait = 1500ms"
for moment in before while; do
    new_order 1420 EUR
    if [ "$moment" = while ]; then
        issuer script latency_ms=1500 >/dev/null
        pay_in_background
        ok "$moment: the purchase is under way" wait_for 5 asking
        stop merchant
    else
        stop merchant
        pay_in_background
    fi
    wait "$payer"
    ok "$moment: no payment without the merchant, exit status" test $? -ne 0
    go_on
    issuer script reset >/dev/null
    settles "$moment: the merchant goes on"
    wallet --json pay "$uri" --yes >/dev/null 2>&1
    is "$moment: authorised once" "$(states)" authorised
done

# ------------------------------------------------------------------ an issuer that says nothing
new_order 1500 EUR
issuer script silent=1 silent_reversals=100 >/dev/null
pay_in_background
open_reversals() { [ "$(sql gateway 'SELECT count(*) FROM reversal WHERE acknowledged = 0')" = "$1" ]; }
ok "an authorisation without an answer is reversed" wait_for 10 open_reversals 1
wait "$payer"
is "and declined" "$(states)" declined
for life in 1 $(! is_long || echo 2); do
    repeats_now() { issuer reversals --json | jq '[.reversals[].messages] | add'; }
    sent=$(repeats_now)
    more_sent() { [ "$(repeats_now)" -ge $((sent + 2)) ]; }
    ok "life $life: it is sent until it is acknowledged" wait_for 10 more_sent
    kill_daemon gateway
    ok "life $life: the gateway is killed, and comes back" up
    is "life $life: the reversal is still open" "$(sql gateway 'SELECT count(*) FROM reversal WHERE acknowledged = 0')" 1
done
sent=$(repeats_now)
ok "the next life: it is sent again" wait_for 10 more_sent
issuer script reset >/dev/null
settles "the issuer answers at last"
is "the order is declined still" "$(states)" declined

# ------------------------------------------------------------------ cancelled while it is paid
cancel() { api POST "/orders/$order_id/cancel" '{}' >/dev/null; }
not_taken() { case $(states) in voided | reversed | declined) [ "$(order_status "$order_id")" = cancelled ] && settled ;; *) false ;; esac; }
wallet_knows() { wallet --json list | jq -e --arg id "$order_id" '.purchases[] | select(.order_id == $id) | .receipts >= 1'; }
cancelled() { # WORDS
    ok "cancelled, $1: no payment, all agree" within 12 not_taken
    ok "cancelled, $1: the wallet has the gateway's receipt" wallet_knows
    echo "# $(states)"
}
kill_daemon gateway
new_order 1600 EUR
pay_in_background
ok "the merchant has a purchase, and no gateway" wait_for 5 at_merchant
cancel
ok "the gateway comes back" up
wait "$payer"
cancelled "with the gateway dead"
is "by a void" "$(states)" voided

new_order 1610 EUR
stop gateway
pay_in_background
ok "the merchant has a purchase, and a gateway that gets no time" wait_for 5 at_merchant
cancel
go_on
wait "$payer"
cancelled "with the gateway stopped"

new_order 1620 EUR
issuer script latency_ms=2200 >/dev/null
pay_in_background
ok "the issuer is being asked" wait_for 5 asking
cancel
wait "$payer"
cancelled "with the issuer asked"
is "what came of it is given back" "$(states)" reversed

new_order 1630 EUR
pay_in_background
ok "the issuer is being asked again" wait_for 5 asking
kill_daemon gateway
cancel
ok "the gateway was killed meanwhile, and comes back" up
issuer script reset >/dev/null
wait "$payer"
cancelled "with the gateway killed in the middle"

new_order 1640 EUR
pid=$(pid_of merchant)
issuer script latency_ms=1500 >/dev/null
pay_in_background
ok "the issuer is being asked once more" wait_for 5 asking
cancel
kill_daemon merchant
issuer script reset >/dev/null
ok "the merchant was killed after the cancellation, and comes back" up
wait "$payer"
cancelled "with the merchant killed"

# ------------------------------------------------------------------ a signed purchase comes too late
# signed_but_not_sent: the wallet has the person's word in its store, and is dead.
signed_but_not_sent() {
    local pid
    pid=$(pid_of wallet)
    new_order "$1" EUR
    crash_at wallet wallet.stored 1 >/dev/null
    pay_in_background
    wait_for 10 is_gone "$pid"
}
ok "the shopper has signed, nothing was sent" signed_but_not_sent 1650
cancel
is "the order is cancelled meanwhile" "$(order_status "$order_id")" cancelled
ok "the wallet comes back" up
wait "$payer"
purchase_voided() { [ "$(states)" = voided ] && not_taken; }
ok "what was signed is voided at the gateway (rule M9), all agree" within 10 purchase_voided
ok "and the wallet has the receipt" wallet_knows

# ------------------------------------------------------------------ void twice
new_order 1700 EUR
wallet --json pay "$uri" --yes >/dev/null
for i in 1 2 3; do api POST "/orders/$order_id/void" '{}' >"$tmp/void.$i" & done
wait %% 2>/dev/null
wait
voided() { [ "$(order_status "$order_id")" = voided ] && settled; }
ok "voided by three requests at once" within 10 voided
api POST "/orders/$order_id/void" '{}' >"$tmp/void"
is "voided again: nothing to do" "$(cat "$tmp/status") $(jq -r .status "$tmp/void")" "200 voided"
xid=$(api GET "/orders/$order_id" | jq -r '.payments[0].xid')
is "one reversal" "$(sql gateway "SELECT count(*) FROM reversal r JOIN payment p ON p.id = r.payment_id WHERE hex(p.xid) = upper('$xid')")" 1

# ------------------------------------------------------------------ two wallets
ok "a second wallet, with a card of its own" second_wallet other euro-only
ok "the first wallet has signed, and is dead" signed_but_not_sent 1799
ok "the second one pays" other_wallet --json pay "$uri" --yes
ok "the first one comes back" up
wait "$payer"
both_known() { [ "$(states | tr ' ' '\n' | sort | tr '\n' ' ')" = "authorised voided " ] && settled; }
ok "its purchase came too late and is voided (rules M4, M9), the other stands" within 10 both_known
is "the order is authorised" "$(order_status "$order_id")" authorised
for round in 1 $(! is_long || echo 2 3); do
    new_order $((1800 + round)) EUR
    before=$(open_holds)
    pay_in_background
    timeout 60 "$bin/setpay-wallet" --socket "$sandbox/run/other.sock" --json pay "$uri" --yes >"$tmp/other" 2>&1
    other_status=$?
    wait "$payer"
    first_status=$?
    case "$first_status $other_status" in
    "0 0" | *4*) good=false ;;
    "0 "* | *" 0") good=true ;;
    *) good=false ;;
    esac
    ok "two wallets for one order, round $round: one pays, the other is refused ($first_status, $other_status)" "$good"
    is "round $round: one hold" "$(($(open_holds) - before))" 1
    settles "two wallets, round $round"
    was=$(api GET "/orders/$order_id")
    wallet --json pay "$uri" --yes >"$tmp/later.1" 2>&1
    other_wallet --json pay "$uri" --yes >"$tmp/later.2" 2>&1
    is "round $round: the same link again, by both: nothing changes" "$(api GET "/orders/$order_id")" "$was"
    is "round $round: and no hold more" "$(($(open_holds) - before))" 1
done

# ------------------------------------------------------------------ a signed purchase comes much too late
# Its date is too old (rule A5), or its offer has expired too: it is voided all the same, since only
# the gateway's receipt ends it for the shopper (rules M9, W7).
clocks() { # MINUTES DAEMON...: their clocks are that much ahead
    local daemon ms=$(($1 * 60000))
    shift
    for daemon; do
        control "$(admin_socket "$daemon")" "$(jq -nc --argjson ms "$ms" '{id: 1, command: "testing.clock", args: {offset_ms: $ms}}')" |
            jq -e .ok || return 1
    done
}
for ahead in 6 30; do
    ok "$ahead minutes: the shopper has signed, nothing was sent" signed_but_not_sent "19$ahead"
    ok "$ahead minutes: pass" clocks "$ahead" merchant gateway issuer
    ok "$ahead minutes: the wallet comes back" up
    ok "$ahead minutes: pass for the wallet" clocks "$ahead" wallet
    wait "$payer"
    late_voided() { [ "$(states)" = voided ] && settled; }
    ok "$ahead minutes: what was signed is voided, all agree" within 10 late_voided
    ok "$ahead minutes: and the wallet has the receipt" wallet_knows
done

done_testing
