#!/bin/bash
# valgrind.sh: no daemon leaks, and none touches memory that is not its own. All five run under
# valgrind's memcheck, serve a day of work in minutes (cards enrolled; purchases authorised, declined,
# voided and cancelled; sales, captures, refunds and shipments; the shop's pages; webhooks; inquiries,
# receipts, reloads, revocation lists; batches closed, cleared and settled), and drain. At the end not
# one block may be lost, definitely, indirectly or possibly, and memcheck has nothing else to say.
# Blocks in OpenSSL's secure heap are not malloc's: what is left there the daemons count themselves
# (process_secret_bytes, in their metrics), and it must not grow with the purchases.
# Prints TAP. About ten minutes on two cores with nothing else to do.
#   PURCHASES=N  how many (default 1000)
#   LANES=N      how many at a time (default 4)
# shellcheck disable=SC2154
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/support/tap.bash
. tests/support/tap.bash
# shellcheck source=tests/support/sandbox.bash
. tests/support/sandbox.bash
: "${PURCHASES:=1000}" "${LANES:=4}"
case $PURCHASES$LANES in *[!0-9]*)
    echo "valgrind.sh: PURCHASES=$PURCHASES LANES=$LANES: numbers are expected" >&2
    exit 2
    ;;
esac
reports=$build/valgrind
rm -rf "$reports"
mkdir -p "$reports"
daemons='ca issuer gateway merchant wallet'
declare -A pids

program_of() {
    case $1 in ca) echo setpay-cad ;; issuer) echo setpay-issuersim ;; *) echo "setpay-${1}d" ;; esac
}
cleanup() {
    local name
    for name in "${!pids[@]}"; do kill -KILL "${pids[$name]}" 2>/dev/null; done
    [ -z "${receiver:-}" ] || kill "$receiver" 2>/dev/null
}

# ------------------------------------------------------------------ all of them, under valgrind
# What is slow under valgrind is no fault: whoever waits for another waits longer.
slowly() {
    sed -i -e '/^auth_timeout = /d' -e '2a auth_timeout = 60s' "$sandbox/gateway.conf"
    sed -i -e '2a gateway_timeout = 60s' -e '2a answer_wait = 120s' "$sandbox/merchant.conf"
    sed -i -e '2a answer_timeout = 120s' -e '2a answer_wait = 150s' -e '2a connect_timeout = 60s' "$sandbox/wallet.conf"
}
memcheck() { # memcheck LOG COMMAND...: becomes it
    local log=$1
    shift
    exec valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=99 --num-callers=30 \
        --log-file="$log" "$@"
}
start() { # start NAME
    memcheck "$reports/$1.log" "$bin/$(program_of "$1")" --config "$sandbox/$1.conf" \
        </dev/null >>"$sandbox/log/$1.out" 2>&1 &
    pids[$1]=$!
}
# What memcheck has found: its remarks on itself (a system call that it does not know) are lines of
# another form.
found() { grep '^==' "$1"; }
metrics() { curl -fsS --max-time 20 "http://$(sed -n 's/^admin_address = //p' "$sandbox/$1.conf")/$2"; }
is_ready() { metrics "$1" readyz; }

# Had memcheck nothing to say here, its silence would mean nothing.
a_lost_block_is_found() {
    printf '#include <stdlib.h>\nint main(void) { return malloc(7) == NULL; }\n' >"$tmp/lost.c"
    cc -O0 -o "$tmp/lost" "$tmp/lost.c" || return 1
    (memcheck "$tmp/lost.log" "$tmp/lost")
    [ $? -eq 99 ] && found "$tmp/lost.log"
}
ok "a block that is lost is found" a_lost_block_is_found

ok "a sandbox, whose daemons are stopped again" up
[ -f "$state" ] || done_testing
down >/dev/null
slowly
for name in $daemons; do
    start "$name"
    [ "$name" = wallet ] || ok "$name is ready" wait_for 120 is_ready "$name"
done
ok "wallet answers" wait_for 120 wallet --json status
ok "and is unlocked" wallet unlock --passphrase-file "$sandbox/wallet.passphrase"
ok "wallet is ready" wait_for 120 is_ready wallet

# ------------------------------------------------------------------ what they do all day
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }

# A card more, and one that a stranger tries to enrol.
another_card() {
    local id secret
    printf '4242424242424242\n3012\n' |
        ca enrolment make --brand visa --card-key "$sandbox/ca/cards.key" -o "$tmp/line" >"$tmp/made" &&
        ca enrolment import "$tmp/line" &&
        id=$(awk '$1 == "enrolment" { print $2 }' "$tmp/made") &&
        secret=$(awk '$1 == "secret" { print $2 }' "$tmp/made") || return 1
    ! printf '%s\n' AAAA-BBBB-CCCC-DDDD 4242424242424242 3012 '' '' |
        wallet card enrol --url "$(get .ca_url)" --brand visa --label stranger --id "$id" || return 1
    printf '%s\n' "$secret" 4242424242424242 3012 '' '' |
        wallet card enrol --url "$(get .ca_url)" --brand visa --label another --id "$id"
}
ok "a card is enrolled over the network, after a wrong secret" another_card

# Events come here, each into a line of $tmp/events.
cat >"$tmp/receive" <<'RECEIVER'
#!/bin/bash
size=0
while IFS= read -r line && line=${line%$'\r'} && [ -n "$line" ]; do
    case ${line,,} in content-length:*) size=${line#*: } ;; esac
done
head -c "$size" | jq -r .type >>"$1"
printf 'HTTP/1.1 204 Taken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
RECEIVER
chmod +x "$tmp/receive"
events=$tmp/events
: >"$events"
port=$(free_port)
socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "EXEC:$tmp/receive $events" 2>/dev/null &
receiver=$!
ok "events are sent" merchant webhook add --url "http://127.0.0.1:$port/" \
    --events order.partially_captured,order.captured,order.partially_refunded,order.refunded,order.shipped
shop=$(get .store_url)
# shellcheck source=tests/support/shopper.bash
. tests/support/shopper.bash
goods=JG-STRAW
ok "there is enough to sell" merchant stock set "$goods" --on-hand 100000 --reason counted

order_is() { [ "$(order_status "$order_id")" = "$1" ]; }
# step NAME BODY STATUS: what a store asks for, until the order is so.
step() {
    api POST "/orders/$order_id/$1" "$2" >/dev/null
    case $(cat "$tmp/status") in 20[012]) wait_for 120 order_is "$3" ;; *) cat "$tmp/body" && return 1 ;; esac
}
parts_taken() {
    step capture '{"amount": 400}' partially_captured && step capture '{}' captured &&
        step refund '{"amount": 150}' partially_refunded
}
# A sale is captured as it is paid.
sold() {
    order_id=$(api POST /orders '{"description": "A sale", "amount": 990, "currency": "EUR", "capture": "immediate"}' |
        tee "$tmp/sale" | jq -er .order_id) &&
        wallet --json pay "$(jq -r .pay_uri "$tmp/sale")" --yes --card "$approve" >/dev/null &&
        wait_for 60 order_is captured && step refund '{}' refunded
}
# Through the shop's pages: looked at, found, put into the cart, ordered, paid, sent, followed.
shopped() {
    local path page
    for path in / /categories/kitchen '/search?q=jug&sort=price' /products/jug /about/returns /nothing; do
        visit "$path" >/dev/null || return 1
    done
    [ "$(put "$goods" 2)" = '/cart?said=added' ] && page=$(order) && [ -n "$page" ] || return 1
    order_id=$(sql merchant "SELECT order_id FROM orders WHERE token = '${page##*/}'")
    visit "$page" >/dev/null
    curl -sS -m 60 -o "$tmp/told" "$shop$page/events?seen=$(sed -n 's/.*data-seen="\([^"]*\)".*/\1/p' "$tmp/page")" &
    wallet --json pay "$(sed -n 's/.*href="\(setpay:[^"]*\)".*/\1/p' "$tmp/page")" --yes --card "$approve" >/dev/null &&
        wait $! && grep -q '^event: change' "$tmp/told" &&
        step shipments '{"carrier": "Post", "tracking": "1"}' captured &&
        visit "$page" >/dev/null && grep -q 'What was sent' "$tmp/page"
}

# buy N: an order and its purchase by the wallet's command line; what comes after depends on N.
buy() {
    local card expected=authorised got
    new_order $((1000 + $1)) EUR "Purchase $1"
    [ -n "$uri" ] && [ "$uri" != null ] || { echo "$1: no order: $(cat "$tmp/body")"; return 1; }
    case $(($1 % 20)) in
    3) card=$decline expected=declined ;;
    7) api POST "/orders/$order_id/cancel" '{}' >/dev/null ;;
    13) card=$other ;;
    *) card=$approve ;;
    esac
    if [ $(($1 % 20)) -eq 7 ]; then # a cancelled order can't be paid
        ! wallet --json pay "$uri" --yes >"$tmp/paid" 2>&1 || { echo "$1: a cancelled order was paid"; return 1; }
        return 0
    fi
    got=$(wallet --json pay "$uri" --yes --card "$card" 2>"$tmp/said" | jq -r .status)
    [ "$got" = "$expected" ] || { echo "$1: $got instead of $expected: $(cat "$tmp/said")"; return 1; }
    case $(($1 % 20)) in
    1) parts_taken || { echo "$1: not captured and refunded in parts"; return 1; } ;;
    9) sold || { echo "$1: not sold at once and refunded"; return 1; } ;;
    19) shopped || { echo "$1: not bought on the shop's pages"; return 1; } ;;
    5) api POST "/orders/$order_id/void" '{}' >/dev/null ;;
    11) wallet --json pay "$uri" --yes >/dev/null ;; # once more: nothing is sent
    15) wallet --json list >/dev/null && api GET '/orders?limit=10' >/dev/null && metrics merchant metrics >/dev/null ;;
    17) wallet --json status "$(wallet --json list | jq -r '.purchases[0].xid')" >/dev/null ;;
    esac
    return 0
}
lane() { # lane K FROM TO: every LANES-th purchase
    local number wrong=0
    tmp=$tmp/lane.$1
    jar=$tmp/jar
    mkdir -p "$tmp"
    for ((number = $2 + $1; number < $3; number += LANES)); do
        buy "$number" || wrong=$((wrong + 1))
    done
    [ "$wrong" -eq 0 ]
}
approve=$(card_id approve) decline=$(card_id do-not-honour) other=$(card_id approve-mastercard)
purchases() { # purchases FROM TO
    local lanes=() k status=0
    for ((k = 0; k < LANES; k++)); do
        lane "$k" "$1" "$2" &
        lanes+=($!)
    done
    for k in "${lanes[@]}"; do wait "$k" || status=1; done
    return "$status"
}
# What daemons hold at all times is there after the first tenth.
declare -A secret
secret_bytes() { metrics "$1" metrics | awk '$1 == "process_secret_memory_bytes" { print $2 }'; }
started=$(date +%s)
first=$(((PURCHASES + 9) / 10))
ok "$first purchases: authorised, declined, voided, cancelled, captured, refunded" purchases 0 "$first"
ok "nothing stays pending" wait_for 60 nothing_pending
for name in $daemons; do secret[$name]=$(secret_bytes "$name"); done
ok "$PURCHASES purchases" purchases "$first" "$PURCHASES"
ok "nothing stays pending at the end" wait_for 60 nothing_pending
echo "# $(($(date +%s) - started)) s, $LANES at a time"
for name in $daemons; do
    more=$(($(secret_bytes "$name") - ${secret[$name]:?}))
    # The smallest block of the secure heap has 64 bytes: one lost in two purchases would show.
    ok "$name: no secret memory is lost (${secret[$name]} and $more bytes)" test "$more" -lt $((4096 + (PURCHASES - first) * 32))
done
# Of twenty one is cancelled before it is paid.
least=$((PURCHASES - (PURCHASES + 19) / 20))
ok "the wallet has a purchase for each order that was not cancelled" test "$(sql wallet 'SELECT count(*) FROM purchase')" -ge "$least"

reload_all() {
    local name
    ca crl -o "$sandbox/crls" || return 1
    for name in $daemons; do kill -HUP "${pids[$name]}" || return 1; done
    for name in $daemons; do wait_for 60 is_ready "$name" || return 1; done
}
ok "new revocation lists, and all take them over" reload_all
ok "one more purchase" buy 1
ok "the wallet is locked and unlocked" wallet lock
ok "and opens again" wallet unlock --passphrase-file "$sandbox/wallet.passphrase"

# ------------------------------------------------------------------ the end of the day
# The gateway's clock alone goes on by a day: what was cleared today is settled then.
day=$(date -u +%F)
gateway_clock() { control "$(admin_socket gateway)" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$1}}" | jq -e .ok; }
presented() { [ "$(sql gateway 'SELECT count(*) FROM presentment WHERE acknowledged = 0')" = 0 ]; }
settled() {
    gateway_clock 86400000 && gateway settle && gateway report settlement --date "$day" --format camt.053 >"$tmp/camt" &&
        gateway report settlement --date "$day" --format csv >"$tmp/csv" && [ "$(wc -l <"$tmp/csv")" -gt 1 ] &&
        gateway ledger verify
    local status=$?
    gateway_clock 0
    return "$status"
}
handed_out() { issuer clearing >"$tmp/clearing.csv" && merchant batch export --all >"$tmp/batches.json"; }
# Of the stopped gateway's database: to verify as many signatures under valgrind takes longer than an operator waits.
proved() {
    gateway reconcile "$tmp/clearing.csv" && gateway audit --merchant "$tmp/batches.json" --clearing "$tmp/clearing.csv"
}
told() {
    local type
    for type in order.partially_captured order.captured order.partially_refunded order.refunded order.shipped; do
        grep -qxF "$type" "$events" || return 1
    done
}
ok "the merchant closes its batches" merchant batch close
ok "what they hold is presented" wait_for 120 presented
ok "and settled, a day later" settled
ok "issuer and merchant hand out what they hold" handed_out
[ "$PURCHASES" -lt 20 ] || ok "the shop was told of each kind of step" wait_for 60 told

# ------------------------------------------------------------------ the end
# drained NAME: ends by itself, and memcheck has said nothing.
drained() {
    local status
    kill -TERM "${pids[$1]}"
    wait "${pids[$1]}"
    status=$?
    unset "pids[$1]"
    cat "$reports/$1.log"
    echo "exit status $status"
    [ "$status" -eq 0 ] && ! found "$reports/$1.log"
}
for name in wallet merchant gateway issuer ca; do
    ok "$(program_of "$name") drains, and has lost nothing" drained "$name"
done
ok "issuer, merchant and gateway prove the same" proved
done_testing
