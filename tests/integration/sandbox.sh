#!/usr/bin/env bash
# The sandbox as promised: up, status, down, up again with everything there; two side by side; and
# after SIGKILL of every daemon in the middle of purchases, up brings each to its one outcome.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
fresh=yes
other=$tmp/other
cleanup() {
    local folder
    for folder in "$sandbox" "$other"; do
        [ ! -f "$folder/ports" ] || "$bin/setpay-sandbox" down --dir "$folder" >/dev/null 2>&1
    done
    [ ! -f "$tmp/user/sandbox/ports" ] || users down >/dev/null 2>&1
}

# ------------------------------------------------------------------ words for wrong input
refuses() { # STATUS WORDS ARGUMENTS...
    local status=$1 words=$2
    shift 2
    "$bin/setpay-sandbox" "$@" >"$tmp/refused" 2>&1
    [ $? -eq "$status" ] && grep -q -- "$words" "$tmp/refused" || { cat "$tmp/refused"; return 1; }
}
ok "an unknown command is named" refuses 2 "unknown command 'upp'" upp
ok "an unknown option is named" refuses 2 "unknown option '--dirr'" up --dirr x
ok "a value that is missing is named" refuses 2 "--dir needs a value" up --dir
ok "a store that is not there is named" refuses 2 "embedded store only" up --store postgres
ok "a port base that is no number" refuses 2 "not a number" up --port-base x
ok "status of nothing" refuses 1 "no sandbox in" status --dir "$tmp/nothing"
ok "which makes nothing" test ! -e "$tmp/nothing"
mkdir "$tmp/full" && echo mine >"$tmp/full/file"
ok "a folder that holds something else is left alone" refuses 1 "is not empty" up --dir "$tmp/full"
is "and untouched" "$(ls -A "$tmp/full" | grep -v '^.lock$')" file

# ------------------------------------------------------------------ up
mkdir "$sandbox"
ok "up, in an empty folder" up
ok "status says that all are ready" "$bin/setpay-sandbox" status --dir "$sandbox"
is "status as JSON" "$("$bin/setpay-sandbox" status --dir "$sandbox" --json | jq -r '[.daemons[].status] | unique | join(" ")')" ready
is "sandbox.json has what was promised" "$(jq -r '. as $o | ["merchant_api_url", "merchant_api_token", "merchant_url", "gateway_address",
    "ca_url", "ca_file", "issuer_address", "wallet_socket", "metrics", "configs", "databases", "logs", "pids"] | all(. as $k | $o | has($k))' "$state")" true
is "the passphrase is private" "$(stat -c %a "$sandbox/wallet.passphrase")" 600
ok "one enrolled card for each test card" test "$(wallet --json card list | jq '.cards | length')" = \
    "$("$bin/setpay-issuersim" cards --json | jq '.cards | length')"

# ------------------------------------------------------------------ two side by side
# The second one is a copy of one that is stopped (--like): its wallet remembers where its authority was.
new_card() { # SANDBOX
    local port
    port=$(sed -n 's/^ca_port=//p' "$1/ports")
    [ "$(sqlite3 -readonly "$1/db/wallet.db" 'SELECT DISTINCT port FROM authority')" = "$port" ] || return 1
    wallet card remove "$(card_id no-funds)" --yes && "$bin/setpay-sandbox" up --dir "$1" && card_id no-funds
}
ok "is no pattern while it runs" refuses 1 "wallet runs in $sandbox" up --dir "$other" --like "$sandbox"
ok "what is no sandbox is no pattern" refuses 2 "no sandbox in '$tmp/full'" up --dir "$other" --like "$tmp/full"
ok "only up takes a pattern" refuses 2 "goes with up" status --dir "$sandbox" --like "$sandbox"
ok "a second sandbox beside it" env BUILD="$build" "$support/sandbox_like.sh" "$other"
new_order 500 EUR
ok "the first one sells" wallet --json pay "$uri" --yes
first_xid=$(wallet --json list | jq -r '.purchases[0].xid')
state=$other/sandbox.json
is "the second one knows nothing of it" "$(wallet --json list | jq '.purchases | length')" 0
new_order 600 EUR
ok "and sells too" wallet --json pay "$uri" --yes
ok "and a card more comes from its own authority" new_card "$other"
state=$sandbox/sandbox.json
ok "the second one goes down" "$bin/setpay-sandbox" down --dir "$other"
ok "the first one stays" "$bin/setpay-sandbox" status --dir "$sandbox"

# ------------------------------------------------------------------ an ordinary user's
# root may look into every process; other users may not look even into their own daemons.
if [ "$(id -u)" -eq 0 ]; then
    chmod go+x "$tmp"
    mkdir "$tmp/user"
    cp -r "$bin" "$tmp/user/bin"
    cp -a "$other" "$tmp/user/pattern"
    chown -R 65534:65534 "$tmp/user"
    users() {
        # Of a sanitised build: leaks can be searched for by root alone, and reports go to root's folder.
        setpriv --reuid=65534 --regid=65534 --clear-groups env "HOME=$tmp/user" "TMPDIR=$tmp/user" \
            ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS= TSAN_OPTIONS= "$tmp/user/bin/setpay-sandbox" "$@" --dir "$tmp/user/sandbox"
    }
    ok "a sandbox of a user who is not root" users up --like "$tmp/user/pattern"
    ok "is ready" users status
    pids=$(jq -r '.pids[]' "$tmp/user/sandbox/sandbox.json")
    ok "goes down" users down
    for pid in $pids; do ok "with process $pid" is_gone "$pid"; done
fi

# ------------------------------------------------------------------ down, and up again
ports=$(cat "$sandbox/ports")
before=$(wallet --json list)
ok "down" down
# What people add to a configuration, and what they change where it says that it is written anew.
printf '\n%s\n' '[fees visa.USD]' 'interchange = 1 %' >>"$sandbox/gateway.conf"
sed -i 's/^merchant = 0.9 %/merchant = 0.8 %/; s/^auth_timeout = .*/auth_timeout = 9s/' "$sandbox/gateway.conf"
cp "$sandbox/gateway.conf" "$tmp/gateway.mine"
stopped() { ! "$bin/setpay-sandbox" status --dir "$sandbox" >/dev/null; }
ok "nothing runs" stopped
ok "up again" up
is "on the same ports" "$(cat "$sandbox/ports")" "$ports"
sed -i 's/^auth_timeout = .*/auth_timeout = 3s/' "$tmp/gateway.mine"
ok "what was added to a configuration is kept, and all above is written anew" diff "$tmp/gateway.mine" "$sandbox/gateway.conf"
is "with everything still there" "$(wallet --json list)" "$before"
is "also at the gateway" "$(gateway --json payment show "$first_xid" | jq -r .status)" approved
is "and unlocked" "$(wallet --json status | jq -r .locked)" false

# ------------------------------------------------------------------ one daemon dead
pid=$(pid_of merchant)
wallet_pid=$(pid_of wallet)
kill -KILL "$pid"
wait_gone "$pid"
# As if an earlier up had been cut off while it enrolled, and a program had been built since.
wallet card remove "$(card_id no-funds)" --yes >/dev/null
printf '%s\n' 4000000000009995 3012 | wallet card request --brand visa --label no-funds -o "$tmp/csr" >/dev/null
cp -p "$bin/setpay-walletd" "$bin/.setpay-walletd.new" && mv "$bin/.setpay-walletd.new" "$bin/setpay-walletd"
ok "up starts the one that is dead" up
is "and no other" "$(pid_of wallet)" "$wallet_pid"
is "and ends the enrolment that was cut off" \
    "$(wallet --json card list | jq -r '[.cards[] | select(.label == "no-funds").status] | join(" ")')" active
ok "it sells again" new_order 800 EUR
ok "and is paid" wallet --json pay "$uri" --yes

# ------------------------------------------------------------------ all killed, in the middle
# Each round starts a few purchases and kills everything a little later each time; what is looked
# for is the same whatever had been reached.
for round in $(is_long && echo 1 2 3 4 5 6 || echo 2 5); do
    orders=() payers=()
    for i in 1 2 3; do
        new_order $((1000 + round * 10 + i)) EUR
        orders+=("$order_id")
        "$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes >"$tmp/kill.$round.$i" 2>&1 &
        payers+=($!)
    done
    sent=$(wc -l <"$sandbox/log/merchant.log")
    moved() { [ $(($(wc -l <"$sandbox/log/merchant.log") - sent)) -ge $((round * 2 - 2)) ]; }
    wait_for 5 moved >/dev/null
    pids=$(jq -r '.pids[]' "$state")
    # shellcheck disable=SC2086
    kill -KILL $pids
    for pid in $pids; do wait_gone "$pid"; done
    wait "${payers[@]}"
    ok "round $round: up after SIGKILL of all daemons" up
    ok "round $round: no purchase stays pending" wait_for 10 nothing_pending
    for id in "${orders[@]}"; do
        settled() { case $(order_status "$id") in paying) false ;; *) true ;; esac; }
        ok "round $round: order $id has one outcome" wait_for 10 settled
        authorised=$(api GET "/orders/$id" | jq '[.payments[] | select(.status == "authorised")] | length')
        ok "round $round: it was authorised at most once" test "$authorised" -le 1
    done
done
agree() {
    local at_gateway at_issuer at_wallet
    at_gateway=$(authorisations)
    at_issuer=$(open_holds)
    at_wallet=$(wallet --json list | jq '[.purchases[] | select(.status == "authorised")] | length')
    echo "gateway $at_gateway, issuer $at_issuer, wallet $at_wallet"
    [ "$at_gateway" = "$at_issuer" ] && [ "$at_gateway" = "$at_wallet" ]
}
ok "wallet, gateway and issuer agree on what was authorised" wait_for 15 agree
agree | sed 's/^/# /'
ok "down at the end" down

# ------------------------------------------------------------------ the demonstration
TMPDIR=$tmp "$bin/setpay-sandbox" demo >"$tmp/demo" 2>&1
is "the demonstration runs to its end" "$?" 0
demo_row() { LC_ALL=C.UTF-8 grep -Eq "^  $1$" "$tmp/demo" || { cat "$tmp/demo"; return 1; }; }
ok "the gateway does not have the order" demo_row 'order +One moss green teapot +One moss green teapot +not there'
ok "nor the note, which the wallet was not sent either" demo_row 'note +not there +for Wilhelmina +not there'
ok "the merchant does not have the card" demo_row 'card +[^ ].*[0-9]{4} +not there +[^ ].*[0-9]{4}'
ok "all three have what was signed" demo_row 'signed digest +([0-9a-f]{12}…) +\1 +\1'
ok "what was shipped in two parts is captured, and a part given back" \
    grep -q '^Captured 49.90 EUR, refunded 7.50 EUR' "$tmp/demo"
ok "the batch is closed by both" grep -q '^visa batch 1: closed' "$tmp/demo"
ok "the gateway shows what is in it" grep -Eq '^  [0-9TZ:.-]+  credit +7\.50 EUR ' "$tmp/demo"
# Of 34.90 and 15.00 the fee is 0.31 and 0.14, and 0.10 each; the interchange 0.07 and 0.03, and 0.02 of
# it come back with 7.50.
ok "the shop is paid what is left, less its fees" \
    grep -Eq '^[0-9-]+ visa +sandbox-shop .* 0\.65 EUR +41\.75 EUR +0\.00 EUR$' "$tmp/demo"
ok "and what they are is said" grep -q 'The shop pays 0.9 % + 0.10 EUR of each capture, issuers keep 0.2 %' "$tmp/demo"
ok "the ledger has the fees" grep -Eq '^fees .* 0\.65 EUR credit$' "$tmp/demo"
ok "and the interchange" grep -Eq '^interchange .* 0\.08 EUR debit$' "$tmp/demo"
ok "the issuer's file and the ledger are one" grep -q ': 3 agree with the ledger, 0 differences' "$tmp/demo"
ok "the audit finds nothing" grep -q ': 0 findings' "$tmp/demo"
page=$(grep -x "$tmp/setpay-demo\.......\.html" "$tmp/demo")
ok "its page stays, and says that all holds" grep -q 'Everything was computed again, and holds' "$page"
is "and nothing else of it" "$(cd "$tmp" && echo setpay-demo.*)" "${page##*/}"
ok "the second payment is the first" grep -q 'This link is paid already; nothing was sent' "$tmp/demo"

done_testing
