#!/bin/bash
# valgrind.sh: no daemon leaks, and none touches memory that is not its own. All five run under
# valgrind's memcheck, serve a day of work in minutes (cards enrolled; purchases authorised, declined,
# voided and cancelled; inquiries, receipts, reloads, revocation lists), and drain. At the end not one
# block may be lost, definitely, indirectly or possibly, and memcheck has nothing else to say.
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
ok "$first purchases: authorised, declined, voided, cancelled" purchases 0 "$first"
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
done_testing
