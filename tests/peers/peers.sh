#!/usr/bin/env bash
# Outside eyes: other people's libraries, in JavaScript, look at what setpay makes. A verifier written from
# docs/protocol.md is held to the vectors, our codec of ISO 8583 to another one; a wallet written from that page buys
# from a sandbox; the bytes of real purchases are recorded on all three links, and then read by protobufjs, asn1js,
# @peculiar/x509 and iso_8583; the store's API is held to its OpenAPI document, its webhooks to the library of their
# specification. Needs node (18 or later), npm and, the first time, its registry. Everything that npm brings goes to
# $BUILD/peers.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/node.bash"
SETPAY_TREE=$(cd "$here/../.." && pwd)
export SETPAY_TREE

cleanup() {
    [ -z "${recorder:-}" ] || kill -TERM "$recorder" 2>/dev/null
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}

ok "node is there" node --version
ok "npm brings the libraries" npm_libraries "$build/peers"
has_libraries || done_testing

script vectors
# Messages of ISO 8583 by a seed; SEED has those of another run again.
script codec "$(cd "$build" && pwd)/tests/integration/codec_corpus" "${SEED:-$RANDOM}"
# The rest with SETPAY_LONG=1 only.
is_long || done_testing

# ------------------------------------------------------------------ purchases, recorded
capture=$tmp/capture
api_record=$tmp/api # sandbox.bash
ok "the sandbox comes up" up
[ -f "$state" ] || { tail -n 30 "$sandbox"/log/*; done_testing; }

# Another wallet, before anything stands between the parties: for it an issuer makes enrolments of two test cards.
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }
enrolment_of() {
    local card letter
    card=$("$bin/setpay-issuersim" cards --json | jq -c --arg n "$1" '.cards[] | select(.name == $n)')
    letter=$(jq -r '.pan, .expiry' <<<"$card" |
        ca enrolment make --brand "$(jq -r .brand <<<"$card")" -o "$tmp/$1.enrolment") &&
        ca enrolment import "$tmp/$1.enrolment" >&2 &&
        awk '$1 == "enrolment" || $1 == "secret" { print $2 }' <<<"$letter" |
        jq -cnR --argjson card "$card" '$card | {(.name): {brand, pan, expiry, id: input, secret: input}}'
}
enrolments() {
    { enrolment_of approve && enrolment_of do-not-honour && enrolment_of approve-mastercard; } |
        jq -cs add >"$tmp/enrolments"
}
ok "an issuer tells three cardholders their secrets" enrolments
script purchase "$sandbox" "$tmp/enrolments"

(cd "$scripts" && exec node record.mjs "$sandbox" "$capture" "$tmp/record.ports") >"$tmp/record.log" 2>&1 &
recorder=$!
ok "the recorder listens" wait_for 20 test -f "$tmp/record.ports"
port() { jq -er ".$1" "$tmp/record.ports"; }
sed -i "s/^address = .*/address = 127.0.0.1:$(port issuer)/" "$sandbox/gateway.conf"
ok "the gateway reaches the issuer through it" restart_with gateway "echo_interval = 500ms"
ok "the merchant is reached, and reaches the gateway, through it" \
    restart_with merchant "gateway = 127.0.0.1:$(port gateway)" "public_host = localhost:$(port merchant)"

# seen LINK JQ: a line of that link has been recorded for which the filter holds.
seen() { jq -e -s "any(.[]; .link == \"$1\" and ($2))" "$capture" >/dev/null; }
states() { api GET "/orders/$order_id" | jq -r '[.payments[].status] | join(" ")'; }
is_now() { [ "$(states)" = "$1" ]; }
# pays WORD CARD AMOUNT CURRENCY: one purchase and its outcome.
pays() {
    new_order "$3" "$4"
    wallet --json pay "$uri" --yes --card "$(card_id "$2")" >"$tmp/paid" 2>&1
    ok "$2, $3 $4: $1" wait_for 20 is_now "$1"
}
new_order 1250 EUR "Two candles"
ok "an offer is shown" wallet show "$uri"
wallet --json pay "$uri" --yes >"$tmp/paid" 2>&1
ok "and paid" wait_for 20 is_now authorised
pays authorised approve-mastercard 5000 JPY
pays authorised avs-mismatch 1000 KWD
pays declined do-not-honour 700 EUR
pays declined partial 1000 USD

new_order 900 EUR
printf 123 >"$tmp/code" && chmod 600 "$tmp/code"
wallet --json pay "$uri" --yes --security-code-file "$tmp/code" >"$tmp/paid" 2>&1
ok "a purchase with a security code" wait_for 20 is_now authorised
api POST "/orders/$order_id/void" '{}' >/dev/null
ok "is voided: reversed whole" wait_for 20 is_now reversed
ok "the wallet inquires" wallet status "$(jq -r .xid "$tmp/paid")"

# A merchant that can't reach the gateway gives the order up: a void under the merchant's signature.
kill -USR1 "$recorder"
new_order 1600 EUR
timeout 60 "$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes >"$tmp/paid" 2>&1 &
payer=$!
stored() { [ -n "$(states)" ]; }
ok "the merchant has a purchase, and no way to the gateway" wait_for 20 stored
api POST "/orders/$order_id/cancel" '{}' >/dev/null
kill -USR2 "$recorder"
ok "a cancelled order's purchase is voided" wait_for 30 is_now voided
wait "$payer"

# An issuer that does not answer, and not to the first reversal either: 0400, then 0401.
issuer script silent=1 silent_reversals=1 >/dev/null
pays declined approve 800 EUR
repeated() { seen gateway-issuer '.mti == "0401"' && nothing_left_over; }
ok "an authorisation without an answer is reversed, twice" wait_for 30 repeated

# A link that names no order.
ok "a link to nothing is refused" bash -c "! '$bin/setpay-wallet' --socket '$(get .wallet_socket)' show \
    'setpay://localhost:$(port merchant)/pay/AAAAAAAAAAAAAAAAAAAAAA'"
echoes() { [ "$(jq -r 'select(.mti == "0810") | .bytes' "$capture" | wc -l)" -ge 3 ]; }
ok "the line is tried by echoes" wait_for 30 echoes

# ------------------------------------------------------------------ what others make of it
export_all() {
    local xid
    for xid in $(wallet --json list | jq -r '.purchases[] | select(.receipt).xid'); do
        wallet receipt "$xid" --export "$tmp/export-$xid" >/dev/null &&
            wallet verify "$tmp/export-$xid" --root "$(get .ca_file)" >/dev/null || return 1
    done
}
ok "the wallet exports its receipts, and proves each" export_all
script export "$(get .ca_file)" "$tmp"/export-*
from_ca() { sqlite3 -readonly -cmd '.timeout 5000' "$sandbox/ca/ca.db" "$1"; }
REVOKED=$(from_ca "SELECT serial FROM certificates WHERE profile = 'cardholder-sign' AND brand = 'visa' LIMIT 1")
export REVOKED
revoke() { ca revoke "$REVOKED" --reason keyCompromise && ca crl -o "$sandbox/crls"; }
ok "a card is revoked" revoke
from_ca "SELECT json_object('profile', profile, 'brand', brand, 'der', lower(hex(der))) FROM certificates" >"$tmp/certificates"
script captured "$sandbox" "$capture"
script chains "$sandbox" "$tmp/certificates" "$capture"
script iso8583 "$capture" "$(get .issuer_address)"
token_with() { merchant --json token add --name "$1" --scope "$2" | jq -r .token; }
script webhooks "$sandbox" "$(token_with hooks webhooks:write,webhooks:read,orders:write)"
script api "$sandbox" "$api_record" "$(token_with reader orders:read)"
ok "what the library held at the issuer, it gave back" nothing_left_over
done_testing
