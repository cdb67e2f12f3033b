#!/usr/bin/env bash
# The salts of the dual signature: after a real purchase, every card number of a range is tried
# against all that the merchant holds, and every order of a catalogue against all that the gateway
# holds (privacy/guess.c). Nothing is found, whichever of the secrets are missing; with all of them
# both are found, so the guessing is done right.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
echo "# failures count as: leaked"
tools=$(cd "$build/tests/integration/privacy" && pwd)
umask 077

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
new_order 4990 EUR "One-moss-green-teapot-zq71"
ok "a purchase" wallet --json pay "$uri" --yes
is "is authorised" "$(order_status "$order_id")" authorised

# All that each holds: its database and journal, its log; and what came to the gateway in AuthReq,
# which the merchant keeps as it sent it.
cat "$sandbox"/db/merchant.db* "$sandbox"/log/merchant.* >"$sandbox/merchant.held"
cat "$sandbox"/db/gateway.db* "$sandbox"/log/gateway.* >"$sandbox/gateway.held"
sql merchant "SELECT hex(content) || ' ' || hex(signature) FROM gateway_request" >>"$sandbox/gateway.held"
ok "cards and orders are guessed" bash -c "'$tools/guess' '$sandbox' '$order_id' >'$tmp/guesses'"

tried=0
while read -r who first a second b third c _ count _ found; do
    tried=$((tried + count))
    expected=''
    case $who in
    merchant)
        [ "$a$b$c" != 111 ] || expected=pimd
        # By design: the card's certificate bears HMAC(PANSecret, card). Its salt is PANSecret.
        [ "$c" = 0 ] || expected+=${expected:+ }account
        ;;
    gateway) [ "$a$b$c" != 111 ] || expected=oimd ;;
    esac
    given=''
    [ "$a" = 0 ] || given+=" $first"
    [ "$b" = 0 ] || given+=" $second"
    [ "$c" = 0 ] || given+=" $third"
    is "$who, given${given:- nothing}: $count guesses find ${expected:-nothing}" "$(tr ' ' '\n' <<<"$found" | sort | xargs)" \
        "$(tr ' ' '\n' <<<"$expected" | sort | xargs)"
done <"$tmp/guesses"
is "all sixteen choices were tried" "$(wc -l <"$tmp/guesses")" 16
echo "# tally: guesses tried = $tried"
done_testing
