# A sandbox for integration tests, on top of tap.bash. Everything goes through the programs that a
# user has: the API, the wallet's command line, the operators' command lines.
# shellcheck shell=bash disable=SC2154
support=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sandbox=$tmp/sandbox
state=$sandbox/sandbox.json

# The first time a copy of the pattern that tests share, unless the test sets fresh=yes: then one that
# nothing has happened in before.
fresh=no
up() {
    if [ -f "$sandbox/ports" ] || [ "$fresh" = yes ]; then
        "$bin/setpay-sandbox" up --dir "$sandbox"
    else
        BUILD=$build "$support/sandbox_like.sh" "$sandbox"
    fi
}
down() { "$bin/setpay-sandbox" down --dir "$sandbox"; }
cleanup() { [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1; }
get() { jq -er "$1" "$state"; }
pid_of() { get ".pids.$1"; }
wallet() { "$bin/setpay-wallet" --socket "$(get .wallet_socket)" "$@"; }
gateway() { "$bin/setpay-gateway" --config "$sandbox/gateway.conf" "$@"; }
merchant() { "$bin/setpay-merchant" --config "$sandbox/merchant.conf" "$@"; }
issuer() { "$bin/setpay-issuersim" --config "$sandbox/issuer.conf" "$@"; }

# api METHOD PATH [BODY [KEY]]: the answer's body; the status goes to $tmp/status. A line of JSON on each goes into the
# file api_record, or one of the folder SETPAY_API_ANSWERS (test_answered.h).
api_record=${SETPAY_API_ANSWERS:+$SETPAY_API_ANSWERS/$$.jsonl}
api() {
    local status type body=$tmp/body.$BASHPID # several may ask at once
    local args=(-sS -X "$1" -H "Authorization: Bearer $(get .merchant_api_token)" -o "$body")
    args+=(-w '%{http_code} %{content_type}')
    if [ $# -ge 3 ]; then
        args+=(-H 'Content-Type: application/json' -H "Idempotency-Key: ${4:-key-$RANDOM-$RANDOM-$(date +%s%N)}" -d "$3")
    fi
    : >"$body"
    read -r status type <<<"$(curl "${args[@]}" "$(get .merchant_api_url)$2")"
    [ -z "$api_record" ] || [ "$status" = 000 ] ||
        jq -cn --arg method "$1" --arg path "$2" --argjson status "$status" --arg type "$type" \
            --slurpfile body "$body" '{$method, $path, $status, $type, body: $body[0]}' >>"$api_record"
    mv "$body" "$tmp/body"
    echo "$status" >"$tmp/status"
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

# sql NAME QUERY: a read of the database of wallet, merchant or gateway.
sql() { sqlite3 -readonly -cmd '.timeout 5000' "$(get ".databases.$1")" "$2"; }

# control SOCKET JSON: one request line to an administration socket, one answer line.
control() { printf '%s\n' "$2" | timeout 10 socat -t 5 - "UNIX-CONNECT:$1" | head -n 1; }
admin_socket() { case $1 in wallet) echo "$sandbox/run/wallet-admin.sock" ;; *) echo "$sandbox/run/$1.sock" ;; esac; }

# crash_at DAEMON POINT COUNT: it will die by SIGKILL when it passes POINT the COUNT-th time from now.
crash_at() {
    control "$(admin_socket "$1")" "$(jq -nc --arg p "$2" --argjson c "$3" \
        '{id: 1, command: "testing.crash", args: {point: $p, count: $c}}')" | jq -e .ok
}
kill_daemon() {
    local pid
    pid=$(pid_of "$1")
    kill -KILL "$pid"
    wait_gone "$pid"
}

# start_again_with DAEMON "KEY = VALUE"...: the same daemon with other options.
start_again_with() {
    local name=$1 program=$bin/setpay-${1}d pid option admin
    shift
    [ "$name" != issuer ] || program=$bin/setpay-issuersim
    pid=$(pid_of "$name")
    for option in "$@"; do
        sed -i -e "/^${option%% =*} = /d" -e "1a $option" "$sandbox/$name.conf"
    done
    admin=$(sed -n 's/^admin_address = //p' "$sandbox/$name.conf")
    kill -TERM "$pid"
    wait_gone "$pid"
    setsid --fork sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$sandbox/run/$name.pid" \
        "$program" --config "$sandbox/$name.conf" </dev/null >>"$sandbox/log/$name.out" 2>&1
    is_running() { tr '\0' '\n' <"/proc/$(cat "$sandbox/run/$name.pid")/cmdline" | grep -qx "$program"; }
    wait_for 5 is_running && wait_for 10 curl -sS -o /dev/null "http://$admin/healthz"
}
# And until all are ready; up takes it for its own until it has ended.
restart_with() { start_again_with "$@" && up; }

# second_wallet NAME CARD: another wallet daemon, with keys of its own and the test card of that
# name; other_wallet speaks to it, other_pid is its process.
other_wallet() { "$bin/setpay-wallet" --socket "$sandbox/run/$other_name.sock" "$@"; }
second_wallet() {
    other_name=$1
    local card brand
    sed -e "s,^socket = .*,socket = $sandbox/run/$1.sock," -e "s,^database = .*,database = sqlite:$sandbox/db/$1.db," \
        -e "s,^log = .*,log = $sandbox/log/$1.log," -e "s,^admin_socket = .*,admin_socket = $sandbox/run/$1-admin.sock," \
        -e "s,^admin_address = .*,admin_address = 127.0.0.1:0," "$sandbox/wallet.conf" >"$sandbox/$1.conf"
    "$bin/setpay-walletd" --config "$sandbox/$1.conf" </dev/null >>"$sandbox/log/$1.out" 2>&1 &
    other_pid=$!
    head -c 24 /dev/urandom | base64 >"$sandbox/$1.passphrase"
    chmod 600 "$sandbox/$1.passphrase"
    wait_for 10 other_wallet --json status && other_wallet init --passphrase-file "$sandbox/$1.passphrase" || return 1
    card=$("$bin/setpay-issuersim" cards --json | jq -c --arg n "$2" '.cards[] | select(.name == $n)')
    brand=$(jq -r .brand <<<"$card")
    jq -r '.pan, .expiry, .postcode // "", .house_digits // ""' <<<"$card" |
        other_wallet card request --brand "$brand" --label "$2" -o "$tmp/$1.csr" &&
        "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" \
            issue cardholder --csr "$tmp/$1.csr" --brand "$brand" -o "$tmp/$1.pem" &&
        other_wallet card import "$tmp/$1.pem"
}

# one_outcome ORDER: wallet (every one there is), merchant, gateway and issuer agree on each attempt
# at this order, at most one of which is authorised; and nothing is under way.
one_outcome() {
    local order lists shown holds xids xid
    order=$(api GET "/orders/$1")
    xids=$(jq -r '.payments[].xid' <<<"$order")
    # A wallet that is asked for a purchase asks the merchant: so it learns what was given back.
    for xid in $xids; do
        wallet status "$xid" >/dev/null 2>&1
        [ -z "${other_name:-}" ] || other_wallet status "$xid" >/dev/null 2>&1
    done
    lists=$(wallet --json list; [ -z "${other_name:-}" ] || other_wallet --json list)
    shown=$(for xid in $xids; do gateway --json payment show "$xid"; done)
    holds=$(issuer holds --json)
    jq -ne --arg id "$1" --argjson order "$order" --argjson holds "$holds" \
        --slurpfile lists <(printf '%s' "$lists") --slurpfile shown <(printf '%s' "$shown") '
        def words: if . == "approved" then "authorised" else . end;
        ([$lists[].purchases[] | select(.order_id == $id) | "\(.xid) \(.state)"] | sort) as $wallet |
        ([$order.payments[] | "\(.xid) \(.status)"] | sort) as $merchant |
        ([$shown[] | "\(.xid) \(.status | words)"] | sort) as $gateway |
        ([$order.payments[] | select(.status == "authorised") | "\(.xid) \(.amount)"] | sort) as $authorised |
        ([$holds.holds[] | select(.xid as $x | any($order.payments[]; .xid == $x)) | "\(.xid) \(.held)"] | sort) as $held |
        {$wallet, $merchant, $gateway, $authorised, $held, status: $order.status}
        | stderr | ($wallet == $merchant and $merchant == $gateway and $authorised == $held and
             ($authorised | length) <= 1 and
             (($authorised | length) == 1) == ($order.status == "authorised") and
             all($merchant[]; test(" (authorised|declined|voided|reversed)$")))'
}

# Nothing is left over anywhere: what the gateway has approved and not reversed is what the issuer
# holds, each reversal is acknowledged, and the merchant keeps no sealed instruction (rule M7).
nothing_left_over() {
    local approved holds open kept
    approved=$(sql gateway 'SELECT count(*) FROM payment WHERE state = 2 AND approved_minor > reversed_minor')
    holds=$(open_holds)
    open=$(sql gateway 'SELECT count(*) FROM reversal WHERE acknowledged = 0')
    kept=$(sql merchant 'SELECT count(*) FROM instruction')
    echo "approved $approved, holds $holds, open reversals $open, instructions $kept"
    [ "$approved" = "$holds" ] && [ "$open" = 0 ] && [ "$kept" = 0 ]
}
