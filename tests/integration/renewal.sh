#!/usr/bin/env bash
# Keys and certificates of a gateway and a merchant that change while payments go on: renewed by an
# operator and taken over on SIGHUP; renewed by the daemons themselves when their time comes (the
# clock moves), with the authority away, and with a daemon killed in the middle; what was offered,
# signed and authorised under the ones before is still good, and the key that opens instructions is
# destroyed when the last of them has expired. Revocation lists come, stay over a restart, and are
# missed. Rules A3, C2, G2, G4, M3, M6.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
stop_stream() { [ -z "${stream:-}" ] || { touch "$tmp/stop"; wait "$stream"; stream=''; }; }
cleanup() {
    stop_stream
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}
mkdir "$sandbox"
ok "a sandbox comes up" up
[ -f "$state" ] || done_testing
url=$(get .ca_url)

# ------------------------------------------------------------------ small helpers
log() { get ".logs.$1"; }
logged() { grep -q "$2" "$(log "$1")"; } # DAEMON PATTERN
count() { grep -c "$2" "$(log "$1")"; }
admin_url() { sed -n 's,^admin_address = ,http://,p' "$sandbox/$1.conf"; }
figure() { curl -fsS "$(admin_url "$1")/metrics" | sed -n "s/^$2 //p"; } # DAEMON METRIC{LABELS}
is_ready() { curl -fsS "$(admin_url "$1")/readyz"; }
thumb() { openssl x509 -in "$1" -outform DER | sha256sum | cut -c1-64; }
pays() { # the order is new; its xid is in $xid
    new_order "$1" EUR && wallet --json pay "$uri" --yes >"$tmp/paid" && xid=$(jq -r .xid "$tmp/paid") &&
        [ "$(jq -r .status "$tmp/paid")" = authorised ]
}
settled() { [ "$(order_status "$1")" = "$2" ]; }
voids() { api POST "/orders/$1/void" '{}' >/dev/null; wait_for 20 settled "$1" voided; }
hup() { # DAEMON: until it has loaded its files again
    local before
    before=$(count "$1" 'event=daemon.reload')
    kill -HUP "$(pid_of "$1")"
    reloaded() { [ "$(count "$1" 'event=daemon.reload')" -gt "$before" ]; }
    wait_for 20 reloaded "$1"
}
clock=0
move_one() { # DAEMON
    control "$(if [ "$1" = ca ]; then echo "$sandbox/ca/cad.sock"; else admin_socket "$1"; fi)" \
        "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$((clock * 1000))}}" | jq -e .ok
}
move_to() { # SECONDS since the epoch: the clock of all
    local name
    clock=$(($1 - $(date +%s)))
    for name in ca issuer gateway merchant wallet; do move_one "$name" || return 1; done
}
up_now() { SETPAY_CLOCK=$((clock * 1000)) up; } # what starts has the time of all
now() { echo $(($(date +%s) + clock)); }
lists_are_current() { is_ready gateway && is_ready merchant && is_ready wallet; }
end_of() { date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s; }
knows() { # FIELD PEM: the merchant names this certificate of the gateway in its offers
    [ "$(merchant --json status | jq -r ".gateway.brands[] | select(.brand == \"visa\").$1")" = "$(thumb "$2")" ]
}
# The merchant asks for the gateway's certificates every five minutes.
sed -i '/^ca_url/a refresh_interval = 500ms' "$sandbox/merchant.conf"
visa=$sandbox/gateway/visa shop=$sandbox/merchant/visa

# A stream of purchases, one after the other, until it is told to stop; what failed is in $tmp/failed.
start_stream() {
    rm -f "$tmp/stop" "$tmp/failed" "$tmp/bought"
    (
        trap - EXIT
        tmp=$tmp/stream
        mkdir -p "$tmp"
        while [ ! -e "$tmp/../stop" ]; do
            if pays 300; then echo "$order_id" >>"$tmp/../bought"; else cat "$tmp/paid" >>"$tmp/../failed"; fi
        done
    ) &
    stream=$!
}
bought() { [ -f "$tmp/bought" ] && [ "$(wc -l <"$tmp/bought")" -ge "$1" ]; }
more() { # N: so many more purchases go through
    local have
    have=$(cat "$tmp/bought" 2>/dev/null | wc -l)
    wait_for 30 bought $((have + $1))
}

# ------------------------------------------------------------------ by an operator, and SIGHUP
ok "the merchant looks often for the gateway's certificates" restart_with merchant 'refresh_interval = 500ms'
ok "a payment under the first certificates" pays 1000
old_order=$order_id old_xid=$xid
new_order 1100 EUR
offered_order=$order_id offered=$uri
first_sign=$(thumb "$visa/sign.pem") first_encrypt=$(thumb "$visa/encrypt.pem") first_shop=$(thumb "$shop/sign.pem")
# The wallet has an offer, and pays it only later.
ok "an offer is made, and not taken up yet" wallet --json show "$offered"
start_stream
ok "purchases go on" more 2
for party in gateway merchant; do
    ok "$party: an operator renews all of a brand's" "$bin/setpay-$party" --config "$sandbox/$party.conf" enrol --url "$url" --brand visa --renew
    ok "$party: SIGHUP takes them over" hup "$party"
    ok "$party: it was not refused" eval '! logged "$party" event=daemon.reload_failed'
done
ok "the certificates are others" eval '[ "$(thumb "$visa/sign.pem")" != "$first_sign" ] && [ "$(thumb "$shop/sign.pem")" != "$first_shop" ]'
ok "the merchant learns of the gateway's" wait_for 10 knows encrypt_certificate "$visa/encrypt.pem"
ok "purchases go on" more 3
for round in 1 2 3 4 5 6; do
    hup gateway && hup merchant || break
done
is "SIGHUP again and again" "$round" 6
ok "purchases go on" more 2
stop_stream
is "of the stream not one purchase failed" "$(cat "$tmp/failed" 2>/dev/null)" ''
is "not one line between merchant and gateway was lost" "$(count merchant 'event=net.peer_lost') $(count gateway 'event=auth.recovered')" '0 0'
shows() { # the gateway's TLS server shows this certificate
    openssl s_client -connect "$(get .gateway_address)" -servername visa -showcerts </dev/null 2>/dev/null |
        openssl x509 -outform DER | sha256sum | cut -c1-64
}
is "the gateway's server shows its new certificate" "$(shows)" "$(thumb "$visa/tls-server.pem")"
is "earlier pairs stand beside those in use" "$(ls "$visa" "$shop" | grep -cE '^(sign|encrypt)\.(key|pem)\.[0-9a-f]{16}$')" 6
is "keys are their owner's alone" "$(stat -c %a "$visa"/*.key* "$shop"/*.key* | sort -u)" 600
ok "an offer of before is paid after" wallet --json pay "$offered" --yes
is "the order is paid" "$(order_status "$offered_order")" authorised
ok "a payment of before is given back" voids "$old_order"
is "its wallet has the gateway's word for it" "$(wallet --json status "$old_xid" | jq -r .state)" reversed
is "of it all that the wallet believes agrees" "$(wallet --json list | jq '[.purchases[] | select(.disagreement != null and .disagreement != "")] | length')" 0

# What does not load is refused whole, and what is in use stays.
in_use=$(shows)
cp "$visa/tls-server.key" "$tmp/kept.key"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null >"$visa/tls-server.key"
ok "SIGHUP with another's key" hup gateway
ok "is refused, with words" logged gateway 'event=daemon.reload_failed.*tls-server.key is not the key of'
cp "$tmp/kept.key" "$visa/tls-server.key"
cp "$visa/sign.pem" "$tmp/kept.pem"
cp "$shop/sign.pem" "$visa/sign.pem"
ok "SIGHUP with another party's certificate" hup gateway
ok "is refused, with words" logged gateway 'event=daemon.reload_failed.*gateway-sign'
cp "$tmp/kept.pem" "$visa/sign.pem"
is "what is in use stayed in use" "$(shows)" "$in_use"
ok "and pays" pays 700
ok "SIGHUP with all in order" hup gateway
ok "and pays" pays 800
# A pair that is put in place by hand: the daemon keeps the one that it held.
replaced=$(thumb "$visa/encrypt.pem")
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }
new_order 900 EUR
ok "an offer" wallet --json show "$uri"
by_hand() { # PROFILE ID DAYS FOLDER/NAME
    rm -f "$tmp/hand".*
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null >"$tmp/hand.key"
    openssl req -new -key "$tmp/hand.key" -subj "/CN=x" -out "$tmp/hand.csr" &&
        ca issue "$1" --csr "$tmp/hand.csr" --brand visa --id "$2" --days "$3" -o "$tmp/hand.pem" &&
        cp "$tmp/hand.key" "$4.key" && cp "$tmp/hand.pem" "$4.pem"
}
ok "an encryption pair made by hand" by_hand gateway-encrypt sandbox-gateway 90 "$visa/encrypt"
ok "a signing pair, for less than a year" by_hand gateway-sign sandbox-gateway 320 "$visa/sign"
ok "and the merchant's" by_hand merchant-sign sandbox-shop 320 "$shop/sign"
ok "are taken over" eval 'hup gateway && hup merchant'
is "those before are kept" "$(thumb "$visa/encrypt.pem.${replaced:0:16}")" "$replaced"
ok "and are good for what names them" wallet --json pay "$uri" --yes
hand_sign=$(thumb "$visa/sign.pem") hand_shop=$(thumb "$shop/sign.pem")

# ------------------------------------------------------------------ by themselves
seconds() { figure gateway "setpay_certificate_seconds_left{brand=\"visa\",certificate=\"gateway-$1\"}"; }
ok "figures say when each certificate ends" eval '[ "$(seconds encrypt)" -gt 7000000 ] && [ "$(seconds sign)" -gt 27000000 ]'
before=$(thumb "$visa/encrypt.pem")
due=$(($(end_of "$visa/encrypt.pem") - 30 * 86400))
ok "the clock is just before its time" move_to $((due - 30))
ok "all have new lists by themselves" wait_for 30 lists_are_current
ok "a payment" pays 1200
old_order=$order_id
new_order 1300 EUR
offered=$uri
ok "an offer" wallet --json show "$offered"
ok "the authority is away" kill_daemon ca
start_stream
ok "the time has come" eval 'clock=$((clock + 60)); for d in issuer gateway merchant wallet; do move_one $d || exit 1; done'
failed() { [ "$(figure gateway 'setpay_certificate_renewals_total{certificate="gateway-encrypt",result="failed"}')" -ge 2 ]; }
ok "it tries, and tries again" wait_for 30 failed
ok "says so" logged gateway 'event=keys.not_renewed.*certificate=gateway-encrypt'
ok "and purchases go on" more 2
is "by the key that is there" "$(thumb "$visa/encrypt.pem")" "$before"
ok "the authority is back" up_now
renewed() { [ "$(thumb "$visa/encrypt.pem")" != "$before" ]; }
ok "the encryption key is renewed" wait_for 60 renewed
ok "and taken over" wait_for 10 logged gateway 'event=keys.taken_over certificate=gateway-encrypt'
ok "the merchant learns of it" wait_for 10 knows encrypt_certificate "$visa/encrypt.pem"
ok "purchases go on" more 2
stop_stream
is "of the stream not one purchase failed" "$(cat "$tmp/failed" 2>/dev/null)" ''
ok "the offer of before is paid after" wallet --json pay "$offered" --yes
ok "the payment of before is given back" voids "$old_order"
is "its time is the figure's" "$(($(seconds encrypt) > 89 * 86400 - 600))" 1

# The key before opens what was sealed to it, and then is no more: neither on disk nor in memory.
held=$visa/encrypt.key.${before:0:16}
tools=$build/tests/integration/privacy
in_memory() { "$tools/seek" "$1" "gateway=mem:$(pid_of gateway)" | grep -q .; } # MARKS
if [ "$(id -u)" = 0 ] && ! grep -qE "__[at]san_init" "$bin/setpay-gatewayd"; then
    "$tools/open" --key "$held" before >"$tmp/before.marks"
    ok "the key before is in the daemon's memory" in_memory "$tmp/before.marks"
fi
inode=$(stat -c %i "$held")
ln "$held" "$tmp/held.link"
ok "26 hours later" move_to $(($(now) + 26 * 3600 + 60))
gone() { [ ! -e "$held" ] && [ ! -e "$visa/encrypt.pem.${before:0:16}" ]; }
ok "it is destroyed" wait_for 30 gone
ok "which is told" logged gateway "event=keys.destroyed certificate=gateway-encrypt brand=visa thumbprint=$before"
is "not only its name" "$(stat -c %i "$tmp/held.link") $(tr -d '\0' <"$tmp/held.link" | wc -c)" "$inode 0"
if [ -f "$tmp/before.marks" ]; then
    not_in_memory() { ! in_memory "$tmp/before.marks"; }
    ok "and gone from memory" wait_for 20 not_in_memory
    "$tools/open" --key "$visa/encrypt.key" now >"$tmp/now.marks"
    ok "the key in use is not" in_memory "$tmp/now.marks"
else
    echo "# memory was not looked into: that is for root, without a sanitiser"
fi
ok "earlier signing keys stay until their certificates end" eval 'ls "$visa"/sign.key.* >/dev/null'
ok "lists are current" wait_for 30 lists_are_current
ok "and it pays" pays 1400

# ------------------------------------------------------------------ killed in the middle
for point in renewal.key renewal.issued renewal.kept renewal.exchange; do
    before=$(thumb "$visa/encrypt.pem")
    crash_at gateway "$point" 1 >/dev/null
    # Its whole life passes in a third of it: by then it is due again.
    clock=$(($(end_of "$visa/encrypt.pem") - 30 * 86400 + 60 - $(date +%s)))
    ok "$point: its time has come" eval 'for d in ca issuer gateway merchant wallet; do move_one $d >/dev/null || [ $d = gateway ] || exit 1; done'
    ok "$point: the gateway dies" wait_gone "$(pid_of gateway)"
    # What it left is a pair that works, or one that the start mends.
    ok "$point: it comes up" up_now
    whole() { renewed && [ -z "$(ls "$visa" | grep new)" ] && lists_are_current; }
    ok "$point: and ends what was cut off" wait_for 60 whole
    ok "$point: a payment" pays 1500
done

# ------------------------------------------------------------------ every certificate in its time
tls=$(thumb "$visa/tls-server.pem") client=$(thumb "$shop/tls-client.pem") server=$(thumb "$sandbox/merchant/visa/tls-server.pem")
authority=$(thumb "$sandbox/ca.server/tls-server.pem")
ok "it is time for TLS" move_to $(($(end_of "$shop/tls-client.pem") - 35 * 86400 + 60))
all_tls() {
    [ "$(thumb "$visa/tls-server.pem")" != "$tls" ] && [ "$(thumb "$shop/tls-client.pem")" != "$client" ] &&
        [ "$(thumb "$shop/tls-server.pem")" != "$server" ] && [ "$(thumb "$sandbox/ca.server/tls-server.pem")" != "$authority" ]
}
ok "gateway, merchant and authority renew theirs" wait_for 60 all_tls
ok "lists are current" wait_for 30 lists_are_current
ok "and they pay" pays 1600
all_sign() { [ "$(thumb "$visa/sign.pem")" != "$hand_sign" ] && [ "$(thumb "$shop/sign.pem")" != "$hand_shop" ]; }
ok "the signing certificates went the same way" wait_for 30 all_sign
ok "the merchant names the gateway's new one" wait_for 20 knows sign_certificate "$visa/sign.pem"

# ------------------------------------------------------------------ lists
saved() { [ "$(sql "$1" 'SELECT count(*) FROM trust WHERE is_crl = 1')" -ge 9 ]; }
for party in gateway merchant; do
    ok "$party: keeps the lists that it has" wait_for 10 saved "$party"
done
start_gateway() { # AHEAD: at so many seconds after the time of all
    SETPAY_CLOCK=$(((clock + $1) * 1000)) "$bin/setpay-gatewayd" --config "$sandbox/gateway.conf" </dev/null >>"$tmp/gateway.out" 2>&1 &
    gateway_pid=$!
    answers() { curl -sS -o /dev/null "$(admin_url gateway)/readyz"; }
    wait_for 20 answers
}
stop_gateway() { kill -KILL "$gateway_pid"; wait "$gateway_pid" 2>/dev/null; }
kill_daemon ca
kill_daemon gateway
rm -rf "$sandbox/crls"
mkdir "$sandbox/crls"
ok "a gateway starts without an authority and without a folder's lists" start_gateway 0
ok "is ready, by those that it kept" wait_for 20 is_ready gateway
stop_gateway
ok "it starts two days later, when they have ended" start_gateway 172800
not_ready() { curl -sS "$(admin_url gateway)/readyz" | tee /dev/stderr | grep -q 'revocation list of .* \(is missing\|was due\)'; }
ok "and says what is missing" not_ready
stop_gateway
clock=$((clock + 172800))
ok "the authority is back" up_now
ok "and it is ready" wait_for 30 is_ready gateway
printf '# tally: keys renewed in time = %d\n' "$(($(count gateway event=keys.renewed) + $(count merchant event=keys.renewed) + $(count ca event=keys.renewed)))"
done_testing
