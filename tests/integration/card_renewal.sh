#!/usr/bin/env bash
# Renewal of a card's certificate by the wallet, with the real authority, merchant and gateway: by
# command and by itself; what was signed or shown before goes on (rules M8, W5); wallet and authority
# die at every step, and there is never a second certificate, nor a card that is lost (rules C1, C2).
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }
cleanup() {
    [ -z "${stopped:-}" ] || kill -CONT "$stopped" 2>/dev/null
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}
umask 077
mkdir "$sandbox"
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
url=$(get .ca_url)
ok "its authority gives a card a certificate for a day" restart_with ca "card_days = 1"
ok "its wallet is quick to try again" restart_with wallet "renew_retry_min = 200ms" "renew_retry_max = 1s" "answer_wait = 3s"
hour=3600000
moved=0
clocks() { # HOURS DAEMON...: ahead of the true time
    local daemon socket
    moved=$1
    shift
    for daemon in "$@"; do
        socket=$(admin_socket "$daemon")
        [ "$daemon" != ca ] || socket=$sandbox/ca/cad.sock
        control "$socket" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$((moved * hour))}}" | jq -e .ok >/dev/null || return 1
    done
}
enrol() { # LABEL PAN: sets id, the enrolment's
    local made
    rm -f "$tmp/line"
    made=$(printf '%s\n3012\n' "$2" | ca --json enrolment make --brand visa -o "$tmp/line") && ca enrolment import "$tmp/line" >/dev/null
    id=$(jq -r .id <<<"$made")
    printf '%s\n' "$(jq -r .secret <<<"$made")" "$2" 3012 | wallet --json card enrol --url "$url" --brand visa --label "$1" --id "$id"
}
field() { wallet --json card list | jq -r --arg l "$1" ".cards[] | select(.label == \$l) | .$2"; }
# What the database holds of a card's keys: "ROLE THUMBPRINT", 1 for current, 2 next, 3 earlier.
keys() { sql wallet "SELECT role || ' ' || coalesce(lower(hex(thumbprint)), '-') FROM signing_key k JOIN card c ON c.id = k.card
    WHERE c.label = '$1' ORDER BY role, number"; }
current() { keys "$1" | sed -n 's/^1 //p'; }
roles() { keys "$1" | cut -d' ' -f1 | tr -d '\n'; }
issued() { ca --json enrolment show "$1" | jq '.certificates | length'; }
subject() { sql wallet "SELECT hex(certificate) FROM signing_key WHERE lower(hex(thumbprint)) = '$1'" | sed 's/../\\x&/g' |
    xargs -0 printf '%b' | openssl x509 -inform DER -noout -subject; }
renew() { wallet --json card renew "$@" >"$tmp/answer" 2>"$tmp/words"; }
fails() { # STATUS ERROR WORDS COMMAND...
    local status=$1 error=$2 words=$3 got
    shift 3
    "$@"
    got=$?
    cat "$tmp/answer" "$tmp/words"
    [ "$got" -eq "$status" ] && [ "$(jq -r .error.name "$tmp/answer")" = "$error" ] && grep -q -- "$words" "$tmp/words"
}
unlock() { wallet unlock --passphrase-file "$sandbox/wallet.passphrase"; }
pay() { wallet --json pay "$uri" --yes --card daily; }

# ------------------------------------------------------------------ by command
ok "a card is enrolled" enrol daily 4242424242424242
daily=$id
is "the wallet knows by whom" "$(field daily authority)" "$url"
is "its certificate ends before the card" "$(sql wallet "SELECT ends_with_card FROM signing_key k JOIN card c ON c.id = k.card WHERE label = 'daily'")" 0
first=$(current daily)
new_order 1250 EUR
kill -STOP "$(pid_of gateway)"
stopped=$(pid_of gateway)
ok "a purchase has no outcome yet" bash -c "'$bin/setpay-wallet' --socket '$(get .wallet_socket)' --json pay '$uri' --yes --card daily >'$tmp/paid'; [ \$? -eq 4 ]"
xid=$(jq -r .xid "$tmp/paid")
new_order 2000 EUR
# The lines before the last are about its progress.
wallet_call() { printf '%s\n' "$1" | timeout 30 socat -t 25 - "UNIX-CONNECT:$(get .wallet_socket)" | jq -c 'select(has("ok"))' | head -n 1; }
offer=$(wallet_call "$(jq -nc --arg uri "$uri" '{id: 1, command: "pay.prepare", args: {uri: $uri, card: "daily"}}')" | jq -c .result.offer)
is "another offer is shown, and waits for the person's word" "$(jq -r .order_id <<<"$offer")" "$order_id"
shown_order=$order_id
ok "rule C1: the card is renewed" renew daily
is "and says so" "$(jq -r '"\(.status) \(.renewal) \(.authority)"' "$tmp/answer")" "active none $url"
second=$(current daily)
is "rule C2: by another key, under another certificate" "$(roles daily) $([ "$first" != "$second" ] && echo other)" '13 other'
is "rule C1: of the same account" "$(subject "$second")" "$(subject "$first")"
is "the authority knows what was renewed" \
    "$(ca --json enrolment show "$daily" | jq -r '.certificates | (.[1].renews == .[0].serial)')" true
signer() { sql wallet "SELECT lower(hex(cardholder)) FROM purchase WHERE lower(hex(xid)) = '$1'"; }
kill -CONT "$stopped"
stopped=''
is_authorised() { [ "$(wallet --json list | jq -r --arg x "$1" '.purchases[] | select(.xid == $x).status')" = authorised ]; }
ok "rule M8: the key that signed it asks after the purchase that was under way" wait_for 30 is_authorised "$xid"
is "it was signed by the first" "$(signer "$xid")" "$first"
confirmed=$(wallet_call "$(jq -nc --argjson o "$offer" '{id: 1, command: "pay.confirm", args: {xid: $o.xid, amount: $o.amount, currency: $o.currency, merchant_id: $o.merchant_id}}')")
is "the offer that was shown before is paid" "$(jq -r .result.status <<<"$confirmed")" authorised
is "by the new key" "$(signer "$(jq -r .result.xid <<<"$confirmed")")" "$second"
is "the order is paid" "$(order_status "$shown_order")" authorised
refreshed() { [ "$(wallet --json status "$1" | jq -r .refreshed)" = true ]; }
ok "the first purchase can still be asked after, should it be given back" refreshed "$xid"
is "since its key is kept" "$(roles daily)" 13
box=$(sql wallet "SELECT hex(box) FROM signing_key WHERE lower(hex(thumbprint)) = '$first'")
# The longest of its stretches without a newline, which ends what grep looks at.
stretch=$(sed 's/../& /g; s/0A /\n/g' <<<"$box" | awk '{ if (length($0) > length(best)) best = $0 } END { print best }')
holds() { LC_ALL=C grep -aqP "$(tr -d ' ' <<<"$stretch" | head -c 64 | sed 's/../\\x&/g')" "$sandbox"/db/wallet.db*; }
ok "in the database" holds
ok "a wallet that keeps no key longer than it must" restart_with wallet "keep_keys = 0s"
destroyed() { [ "$(roles daily)" = 1 ] && ! holds; }
ok "destroys it: nothing is left in the files" wait_for 20 destroyed
is "who asks is told so" "$(wallet --json status "$xid" | jq -r '"\(.status) \(.refresh_error)"')" \
    "authorised the key that signed it is destroyed: its card was renewed or removed"

# ------------------------------------------------------------------ what is refused, and said
ok "a card that there is not" fails 1 NOT_FOUND 'card list' renew nobody
ok "an address that is none" fails 2 INVALID 'https://HOST' renew daily --url http://localhost
ok "a locked wallet renews nothing" fails 1 LOCKED unlock eval 'wallet lock >/dev/null; renew daily'
ok "it is unlocked" unlock
printf '%s\n' 4000000000000002 3012 | wallet card request --brand visa --label files -o "$tmp/csr" >/dev/null
ca issue cardholder --csr "$tmp/csr" --brand visa --days 100 -o "$tmp/files.pem" >/dev/null
ok "a card that came by files" wallet card import "$tmp/files.pem"
ok "is renewed only where it is said by whom" fails 2 USAGE '--url' renew files
ok "with an address it is" renew files --url "$url"
is "which is kept" "$(field files authority)" "$url"
ok "a certificate that is revoked" ca revoke --certificate "$tmp/files.pem" --reason keyCompromise --descendants
renew files
is "is renewed no more" "$? $(jq -r .error.name "$tmp/answer")" '5 CERT_REVOKED'
ok "the card can be removed" wallet card remove files --yes

# ------------------------------------------------------------------ dead at every step
issued_before=$(issued "$daily")
rounds=0
# The dead wallet's place is taken by a new one, which the sandbox takes for its own.
revive() {
    setsid --fork sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$sandbox/run/wallet.pid" \
        "$bin/setpay-walletd" --config "$sandbox/wallet.conf" </dev/null >>"$sandbox/log/wallet.out" 2>&1
    wait_for 20 unlock
}
for point in renew.key:1 est.send:1 renew.received:1 store.write:2 store.committed:2; do
    before=$(current daily)
    crash_at wallet "${point%:*}" "${point#*:}" >/dev/null
    renew daily
    ok "the wallet dies at $point" wait_gone "$(cat "$sandbox/run/wallet.pid")"
    ok "$point: it comes up again" revive
    after=$(current daily)
    is "$point: the card is there, and pays" "$(field daily status) $([ -n "$after" ] && echo whole)" 'active whole'
    [ "$after" != "$before" ] || ok "$point: the same command ends it" renew daily
    rounds=$((rounds + 1))
    is "$point: there is one certificate more" "$(issued "$daily")" $((issued_before + rounds))
    is "$point: and no key is left over" "$([ "$(current daily)" != "$before" ] && roles daily | tr -d 3)" 1
done
before=$(current daily)
control "$sandbox/ca/cad.sock" '{"id":1,"command":"testing.crash","args":{"point":"store.committed","count":2}}' >/dev/null
ok "the authority dies with its answer" fails 4 UNREACHABLE 'same command' renew daily
ok "the card has its certificate still" test "$(current daily)" = "$before"
ok "the authority comes up again" eval 'wait_gone "$(pid_of ca)" && up && restart_with ca "card_days = 1"'
ok "and gives the same key its certificate" renew daily
is "there is one certificate more" "$(issued "$daily")" $((issued_before + rounds + 1))
new_order 700 EUR
ok "the card pays after all that" pay
ok "and what is under way is settled" wait_for 20 nothing_pending

# ------------------------------------------------------------------ by itself
ok "a wallet that is quick to try again" restart_with wallet "renew_retry_min = 200ms" "renew_retry_max = 1s"
before=$(current daily)
count=$(issued "$daily")
wallet lock >/dev/null
ok "seventeen hours on" clocks 17 ca wallet merchant gateway issuer
is "a locked wallet tells that the certificate ends soon" "$(field daily renewal)" due
wallet --json status | jq -r '.notices[] | select(.card == "daily").notice' >"$tmp/notice"
ok "in words" grep -q 'ends on .*unlocked' "$tmp/notice"
is "and has renewed nothing" "$(current daily)" "$before"
ok "it is unlocked" unlock
renewed() { [ "$(current daily)" != "$before" ] && [ "$(field daily renewal)" = none ]; }
ok "and renews it by itself" wait_for 30 renewed
is "once" "$(issued "$daily")" $((count + 1))
new_order 800 EUR
ok "it pays" pay
is "by the new certificate" "$(signer "$(wallet --json list | jq -r '.purchases[0].xid')")" "$(current daily)"

# ------------------------------------------------------------------ and when nobody answers
before=$(current daily)
ok "the authority dies" kill_daemon ca
ok "seventeen hours more" clocks 34 wallet
failed() { [ "$(field daily renewal)" = failed ]; }
ok "the wallet can't renew" wait_for 30 failed
wallet card list >"$tmp/list"
ok "the list of cards tells" grep -q 'daily: its certificate ends on .*could not be renewed.*reached' "$tmp/list"
wallet status >"$tmp/status"
ok "so does the status" grep -q 'daily: its certificate ends on .*could not be renewed' "$tmp/status"
wallet --json doctor | jq -r '.checks[] | select(.name == "renewal") | "\(.level) \(.words)"' >"$tmp/doctor"
ok "and the doctor" grep -q '^warn daily: .*could not be renewed' "$tmp/doctor"
again() { [ "$(sql wallet 'SELECT max(failures) FROM renewal')" -ge 2 ]; }
ok "it goes on trying" wait_for 30 again
ok "the authority is there again" eval 'up && restart_with ca "card_days = 1"'
ok "at that time" clocks 34 ca wallet
ok "it is renewed by itself" wait_for 40 renewed
is "once" "$(issued "$daily")" $((count + 2))
is "nothing is left to say" "$(field daily notice)" null

# ------------------------------------------------------------------ too late
ok "the wallet is locked for two days" eval 'wallet lock >/dev/null && clocks 90 ca wallet'
is "its certificate has ended" "$(field daily status) $(field daily renewal)" 'expired ended'
ok "it is unlocked" unlock
ok "what to do is said" fails 5 CERT_TIME 'enrol the card anew' renew daily
ok "the authority's log holds" ca log verify
done_testing
