# A sandbox for integration tests, on top of tap.bash. Everything goes through the programs that a
# user has: the API, the wallet's command line, the operators' command lines.
# shellcheck shell=bash disable=SC2154
sandbox=$tmp/sandbox
state=$sandbox/sandbox.json

up() { "$bin/setpay-sandbox" up --dir "$sandbox"; }
down() { "$bin/setpay-sandbox" down --dir "$sandbox"; }
cleanup() { [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1; }
get() { jq -er "$1" "$state"; }
pid_of() { get ".pids.$1"; }
wallet() { "$bin/setpay-wallet" --socket "$(get .wallet_socket)" "$@"; }
gateway() { "$bin/setpay-gateway" --config "$sandbox/gateway.conf" "$@"; }
merchant() { "$bin/setpay-merchant" --config "$sandbox/merchant.conf" "$@"; }
issuer() { "$bin/setpay-issuersim" --config "$sandbox/issuer.conf" "$@"; }

# api METHOD PATH [BODY [KEY]]: the answer's body; the status goes to $tmp/status.
api() {
    local args=(-sS -X "$1" -H "Authorization: Bearer $(get .merchant_api_token)" -o "$tmp/body" -w '%{http_code}')
    if [ $# -ge 3 ]; then
        args+=(-H 'Content-Type: application/json' -H "Idempotency-Key: ${4:-key-$RANDOM-$RANDOM-$(date +%s%N)}" -d "$3")
    fi
    curl "${args[@]}" "$(get .merchant_api_url)$2" >"$tmp/status"
    cat "$tmp/body"
}

# new_order AMOUNT CURRENCY [DESCRIPTION]: sets order_id and uri.
new_order() {
    local order
    order=$(api POST /orders "$(jq -n --argjson a "$1" --arg c "$2" --arg d "${3:-A test order}" \
        '{description: $d, amount: $a, currency: $c}')")
    order_id=$(jq -r .order_id <<<"$order")
    uri=$(jq -r .pay_uri <<<"$order")
}

order_status() { api GET "/orders/$1" | jq -r .status; }
card_id() { wallet --json card list | jq -er --arg l "$1" '.cards[] | select(.label == $l).id'; }
purchase_status() { wallet --json status "$1" | jq -r .status; }
authorisations() { gateway --json payment list | jq '[.payments[] | select(.status == "approved")] | length'; }
open_holds() { issuer holds --json | jq '[.holds[] | select(.state == "open" or .state == "held")] | length'; }
nothing_pending() { [ "$(wallet --json list | jq '[.purchases[] | select(.status == "pending")] | length')" = 0 ]; }
