#!/usr/bin/env bash
# Purchases through the real daemons, as a shopper and a store make them: every published test card
# has its documented outcome at wallet, merchant and gateway; nobody pays twice; what an issuer
# never answered is reversed; evidence opens with openssl alone.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

ok "the sandbox comes up" up
[ -f "$state" ] || { tail -n 30 "$sandbox"/log/*; done_testing; }

# ------------------------------------------------------------------ one purchase
new_order 1250 EUR "Two candles"
is "a new order is open" "$(order_status "$order_id")" open
wallet --json show "$uri" >"$tmp/offer"
is "the wallet shows the signed offer" "$(jq -r '"\(.amount) \(.currency)"' "$tmp/offer")" "1250 EUR"
is "and signs nothing for it" "$(wallet --json list | jq '.purchases | length')" 0
wallet --json pay "$uri" --yes >"$tmp/paid" 2>"$tmp/paid.err"
is "it pays, exit status" $? 0
is "one JSON object and nothing else" "$(jq -s length "$tmp/paid")" 1
is "it is authorised" "$(jq -r '"\(.status) \(.amount) \(.currency)"' "$tmp/paid")" "authorised 1250 EUR"
is "the order's id is the merchant's" "$(jq -r .order_id "$tmp/paid")" "$order_id"
is "all members are there" "$(jq -r '. as $o | ["xid", "status", "amount", "currency", "merchant", "order_id",
    "approval_code", "action_code", "receipt"] | all(. as $k | $o | has($k))' "$tmp/paid")" true
xid=$(jq -r .xid "$tmp/paid")
is "the order is authorised" "$(order_status "$order_id")" authorised
is "the gateway has it approved" "$(gateway --json payment show "$xid" | jq -r .status)" approved
is "the same approval code everywhere" \
    "$(gateway --json payment show "$xid" | jq -r .approval_code) $(merchant --json purchase show "$xid" | jq -r .approval_code)" \
    "$(jq -r .approval_code "$tmp/paid") $(jq -r .approval_code "$tmp/paid")"
pomd=$(wallet --json receipt "$xid" | jq -r .pomd)
is "the same signed digest everywhere" \
    "$(gateway --json payment show "$xid" | jq -r .pomd) $(merchant --json purchase show "$xid" | jq -r .pomd)" "$pomd $pomd"
ok "and in words" wallet status "$xid"
ok "list in words" wallet list
ok "receipt in words" wallet receipt "$xid"
ok "words and no JSON" bash -c "'$bin/setpay-wallet' --socket '$(get .wallet_socket)' status '$xid' | grep -q '^Amount *12.50 EUR'"

# ------------------------------------------------------------------ again
wallet --json pay "$uri" --yes >"$tmp/again"
is "paying the link again, exit status" $? 0
is "shows the same purchase" "$(jq -r .xid "$tmp/again")" "$xid"
is "and authorises nothing" "$(authorisations)" 1
new_order 700 EUR
for i in 1 2 3 4; do wallet --json pay "$uri" --yes >"$tmp/race.$i" 2>&1 & done
wait
is "four commands at once for one link: one authorisation" "$(authorisations)" 2
is "all four show the same purchase" "$(cat "$tmp"/race.? | jq -r '.xid // empty' | sort -u | wc -l)" 1

# ------------------------------------------------------------------ the person's no
new_order 900 EUR
wallet pay "$uri" </dev/null >"$tmp/noask" 2>&1
is "without a terminal and --yes nothing is paid, exit status" $? 2
wallet --json pay "$uri" --yes --max "8.99 EUR" >"$tmp/max"
is "above --max nothing is signed, exit status" $? 6
is "the order is still open" "$(order_status "$order_id")" open

# ------------------------------------------------------------------ every test card
# card label: currency, exit status, wallet status, action code, order status, open holds added. Without
# SETPAY_LONG=1 one of each kind.
kinds='^(approve +USD|yen-only +EUR|avs-mismatch|late-answer|drop-after) '
while read -r label currency status word action order holds; do
    before=$(open_holds)
    new_order 1000 "$currency"
    wallet --json pay "$uri" --yes --card "$(card_id "$label")" >"$tmp/card" 2>"$tmp/card.err"
    is "$label: exit status" $? "$status"
    is "$label: wallet" "$(jq -r '"\(.status) \(.action_code)"' "$tmp/card")" "$word $action"
    is "$label: order" "$(order_status "$order_id")" "$order"
    is "$label: gateway" "$(gateway --json payment show "$(jq -r .xid "$tmp/card")" | jq -r '"\(.action_code)"')" "$action"
    holds_now() { [ "$(open_holds)" = "$1" ]; }
    ok "$label: holds at the issuer" wait_for 20 holds_now $((before + holds))
done < <(if is_long; then cat; else grep -E "$kinds"; fi <<'CARDS'
approve             USD 0 authorised 00 authorised 1
approve             JPY 0 authorised 00 authorised 1
approve             KWD 0 authorised 00 authorised 1
approve-mastercard  EUR 0 authorised 00 authorised 1
euro-only           EUR 0 authorised 00 authorised 1
euro-only           USD 3 declined   57 declined   0
yen-only            JPY 0 authorised 00 authorised 1
yen-only            EUR 3 declined   57 declined   0
do-not-honour       EUR 3 declined   05 declined   0
invalid-number      EUR 3 declined   14 declined   0
no-funds            EUR 3 declined   51 declined   0
expired             EUR 3 declined   54 declined   0
over-limit          EUR 3 declined   61 declined   0
issuer-down         EUR 3 declined   91 declined   0
referral            EUR 3 declined   01 declined   0
partial             EUR 3 declined   13 declined   0
avs-mismatch        EUR 0 authorised 00 authorised 1
code-mismatch       EUR 3 declined   82 declined   0
duplicate-answer    EUR 0 authorised 00 authorised 1
no-answer           EUR 3 declined   91 declined   0
late-answer         EUR 3 declined   91 declined   0
drop-before         EUR 3 declined   91 declined   0
drop-after          EUR 3 declined   91 declined   0
CARDS
)

# A declined link may be paid with another card.
new_order 1100 EUR
wallet --json pay "$uri" --yes --card "$(card_id do-not-honour)" >/dev/null
wallet --json pay "$uri" --yes --card "$(card_id approve)" >"$tmp/second"
is "a declined order is paid with another card" "$(jq -r .status "$tmp/second") $(order_status "$order_id")" "authorised authorised"

# ------------------------------------------------------------------ void and cancel
api POST "/orders/$order_id/void" '{}' >/dev/null
is_voided() { [ "$(order_status "$order_id")" = voided ]; }
ok "an authorised order is voided" wait_for 10 is_voided
xid=$(jq -r .xid "$tmp/second")
reversed_at_wallet() { [ "$(purchase_status "$xid")" = failed ]; }
ok "and the wallet learns it from the gateway's receipt" wait_for 10 reversed_at_wallet
# What others have signed stays, for a stranger to check (docs/explanation/what-each-party-can-prove.md does).
types() { jq -r '[.messages[].type] | join(" ")'; }
is "the merchant keeps what cardholder and gateway have signed" \
    "$(merchant --json purchase evidence "$xid" | types)" "PInitRes PReq AuthRes AuthRevRes"
is "the gateway what merchant and cardholder have" \
    "$(gateway --json payment evidence "$xid" | types)" "AuthReq AuthRevReq"
is "and its two receipts are those that the wallet has" \
    "$(gateway --json payment evidence "$xid" | jq -c '[.receipts[].signed]')" \
    "$(wallet --json receipt "$xid" | jq -c '[.receipts[].signed]')"
ok "in words too" bash -c "'$bin/setpay-merchant' --config '$sandbox/merchant.conf' purchase evidence $xid |
    grep -q 'AuthRevRes *signed by its sender'"
is "of an unknown purchase there is none, exit status" \
    "$(merchant --json purchase evidence "$(printf '%032d' 0)" >/dev/null 2>&1; echo $?)" 1
new_order 300 EUR
api POST "/orders/$order_id/cancel" '{}' >/dev/null
is "an open order is cancelled" "$(order_status "$order_id")" cancelled
wallet --json pay "$uri" --yes >"$tmp/cancelled" 2>/dev/null
is "and can't be paid, exit status" $? 1
is "why, and not that another card would do" "$(jq -r .error.text "$tmp/cancelled")" \
    "the merchant says that this order was ended: nothing can be paid by this link any more"
wallet show "$uri" >/dev/null 2>"$tmp/error"
ok "nor is it shown" grep -q 'this order was ended' "$tmp/error"

# ------------------------------------------------------------------ evidence for openssl
# A person waits for 40 s, a merchant for 25; nothing here needs that.
ok "the merchant does not wait long for an outcome" restart_with merchant "answer_wait = 2s"
ok "nor does the wallet" restart_with wallet "answer_wait = 5s"
pid=$(pid_of gateway)
kill -KILL "$pid"
wait_gone "$pid"
new_order 450 EUR
timeout 60 "$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes >"$tmp/pending"
is "with the gateway down the payment is pending, exit status" $? 4
is "and says so" "$(jq -r .status "$tmp/pending")" pending
xid=$(jq -r .xid "$tmp/pending")
sqlite3 -readonly "$(get .databases.merchant)" "SELECT writefile('$tmp/envelope.der', envelope) FROM instruction" >/dev/null
openssl cms -decrypt -inform DER -in "$tmp/envelope.der" -inkey "$sandbox/gateway/visa/encrypt.key" \
    -recip "$sandbox/gateway/visa/encrypt.pem" -out "$tmp/instruction" 2>"$tmp/cms.err"
is "openssl opens the sealed instruction with the gateway's key" $? 0
ok "and it holds the card" grep -qa 4242424242424242 "$tmp/instruction"
not_found() { ! grep -qaF "$1" "$sandbox"/db/merchant.db* "$sandbox"/log/merchant.*; }
ok "which the merchant's files do not" not_found 4242424242424242
for pem in "$sandbox"/gateway/*/*.pem "$sandbox"/merchant/*/*.pem; do
    case $pem in */chain.pem | */root.pem) continue ;; esac
    ok "openssl verifies ${pem#"$sandbox"/}" openssl verify -CAfile "$sandbox/ca/root.pem" -untrusted "$pem" "$pem"
done
# A merchant that answers for another order is not believed, and its bytes are kept (rule W6).
merchant_sql() { sqlite3 -cmd '.timeout 5000' "$(get .databases.merchant)" "$1"; }
oimd=$(merchant_sql "SELECT hex(oimd) FROM purchase WHERE xid = x'$xid'")
merchant_sql "UPDATE purchase SET oimd = zeroblob(32) WHERE xid = x'$xid'"
evidence() { sqlite3 -readonly "$(get .databases.wallet)" "SELECT $1 FROM evidence WHERE xid = x'$xid'"; }
evidence_kept() { purchase_status "$xid" >/dev/null; [ "$(evidence 'count(*)')" = 1 ]; }
ok "an answer that fails a check is kept as evidence" wait_for 10 evidence_kept
is "with the check that it failed" "$(evidence what)" "failed W6: the answer is not about the purchase that was signed"
is "which can be shown" "$(wallet --json receipt "$xid" | jq -r '.evidence[0].what')" "failed W6: the answer is not about the purchase that was signed"
ok "and with its bytes" test "$(evidence 'length(bytes)')" -gt 100
is "and changes nothing" "$(purchase_status "$xid")" pending
is "once" "$(evidence 'count(*)')" 1
merchant_sql "UPDATE purchase SET oimd = x'$oimd' WHERE xid = x'$xid'"
ok "the gateway comes back" up
authorised_at_last() { [ "$(purchase_status "$xid")" = authorised ]; }
ok "and the pending purchase ends by itself" wait_for 10 authorised_at_last
instruction_gone() { [ "$(sqlite3 -readonly "$(get .databases.merchant)" 'SELECT count(*) FROM instruction')" = 0 ]; }
ok "the sealed instruction is gone within five seconds (rule M7)" wait_for 5 instruction_gone
piece=$(tail -c 64 "$tmp/envelope.der" | head -c 32 | od -An -v -tx1 | tr -d ' \n' | sed 's/../\\x&/g')
envelope_gone() { ! LC_ALL=C grep -qaP "$piece" "$sandbox"/db/merchant.db*; }
ok "also from the files" wait_for 5 envelope_gone

# ------------------------------------------------------------------ readiness
admin_of() { get ".metrics.$1" | sed 's,/metrics$,/readyz,'; }
ready_is() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$(admin_of "$1")")" = "$2" ]; }
ok "the gateway is ready" wait_for 5 ready_is gateway 200
pid=$(pid_of issuer)
kill -STOP "$pid"
kill -KILL "$pid"
ok "/readyz is 503 while the issuer's line is down" wait_for 10 ready_is gateway 503
ok "the issuer comes back" up
ok "and 200 again" wait_for 10 ready_is gateway 200

# ------------------------------------------------------------------ silence, across a kill
before=$(open_holds)
new_order 1600 EUR
"$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes --card "$(card_id no-answer)" >"$tmp/silent" &
payer=$!
hold_there() { [ "$(open_holds)" = "$1" ]; }
ok "the issuer holds the amount and says nothing" wait_for 10 hold_there $((before + 1))
pid=$(pid_of gateway)
kill -KILL "$pid"
wait_gone "$pid"
ok "the gateway is killed while it waits, and comes back" up
wait "$payer"
ok "the hold is reversed by the gateway's next life" wait_for 15 hold_there "$before"
ok "and nothing stays pending" wait_for 20 nothing_pending
is "no reversal stays open" "$(sqlite3 -readonly "$(get .databases.gateway)" 'SELECT count(*) FROM reversal WHERE acknowledged = 0')" 0

done_testing
