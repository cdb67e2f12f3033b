#!/usr/bin/env bash
# Enrolment by setpay's own client: a wallet that has nothing but the root certificate, a URL, an id
# and a secret gets a card and pays with it (rules C1, C2); what it does with wrong secrets, wrong
# servers, lost answers, crashes on either side, and lists that are past their time (rule A3). Then a
# merchant and a gateway, by their operators' programs and a one-time token, and their renewal.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

# ------------------------------------------------------------------ a sandbox, and a wallet of nobody
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }
other_wallet() { "$bin/setpay-wallet" --socket "$tmp/wallet.sock" "$@"; }
other_control() { control "$tmp/admin.sock" "$1" | jq -e .ok; }
cleanup() {
    [ -z "${other:-}" ] || kill -KILL "$other" 2>/dev/null
    [ -z "${server:-}" ] || kill -KILL "$server" 2>/dev/null
    [ -z "${shop_pid:-}" ] || kill -KILL "$shop_pid" 2>/dev/null
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}
mkdir "$sandbox"
ok "the sandbox comes up, with an authority that runs" up
[ -f "$state" ] || done_testing
url=$(get .ca_url)
root=$(get .ca_file)
write_config() { # ROOT
    cat >"$tmp/wallet.conf" <<CONF
testing = yes
workers = 1
socket = $tmp/wallet.sock
database = sqlite:$tmp/wallet.db
root = $1
log = $tmp/wallet.log
admin_socket = $tmp/admin.sock
connect_timeout = 20s
CONF
}
start() { # [CRASH]
    env ${1:+"SETPAY_CRASH=$1"} "$bin/setpay-walletd" --config "$tmp/wallet.conf" </dev/null >>"$tmp/wallet.out" 2>&1 &
    other=$!
    wait_for 20 other_wallet --json status
}
stop() { kill -TERM "$other"; wait "$other"; }
umask 077
echo 'a long passphrase' >"$tmp/passphrase"
write_config "$root"
ok "a wallet that has nothing but the root" start
ok "is initialised" other_wallet init --passphrase-file "$tmp/passphrase"
unlock() { other_wallet unlock --passphrase-file "$tmp/passphrase"; }

enrolment() { # BRAND PAN EXPIRY: sets id and secret
    local made
    rm -f "$tmp/line"
    made=$(printf '%s\n%s\n' "$2" "$3" | ca --json enrolment make --brand "$1" -o "$tmp/line") && ca enrolment import "$tmp/line" >/dev/null
    id=$(jq -r .id <<<"$made")
    secret=$(jq -r .secret <<<"$made")
    secrets+=("$secret" "${secret//-/}")
}
secrets=()
# enrol LABEL SECRET PAN EXPIRY [URL]: the exit status; the answer is in $tmp/answer
enrol() {
    printf '%s\n' "$2" "$3" "$4" | other_wallet --json card enrol --url "${5:-$url}" --brand visa --label "$1" \
        --id "$id" >"$tmp/answer" 2>"$tmp/words"
}
fails() { # STATUS ERROR COMMAND...
    local status=$1 error=$2 got
    shift 2
    "$@"
    got=$?
    cat "$tmp/answer" "$tmp/words"
    [ "$got" -eq "$status" ] && [ "$(jq -r .error.name "$tmp/answer")" = "$error" ]
}
card_field() { other_wallet --json card list | jq -r --arg l "$1" ".cards[] | select(.label == \$l) | .$2"; }
tries() { ca --json enrolment list | jq -r --arg id "$id" '.enrolments[] | select(.id == $id).wrong_tries'; }
uses() { ca --json enrolment list | jq -r --arg id "$id" '.enrolments[] | select(.id == $id).uses'; }

# ------------------------------------------------------------------ a card, and a purchase with it
enrolment visa 4242424242424242 3012
ok "a locked wallet enrols nothing" fails 1 LOCKED eval 'other_wallet lock >/dev/null; enrol first "$secret" 4242424242424242 3012'
ok "it is unlocked" unlock
ok "an address that is none is named" fails 2 INVALID enrol first "$secret" 4242424242424242 3012 http://localhost
ok "rule C1: a card from root, URL, id and secret alone" enrol first "$secret" 4242424242424242 3012
is "it is active, and the default" "$(jq -r '"\(.status) \(.default)"' "$tmp/answer")" 'active true'
new_order 1250 EUR
ok "it pays" other_wallet --json pay "$uri" --yes
is "and the order is paid" "$(order_status "$order_id")" authorised
ok "its label is taken" fails 1 EXISTS enrol first "$secret" 4242424242424242 3012
ok "the secret is good once" fails 5 ENROLMENT enrol again "$secret" 4242424242424242 3012
is "what failed stays, as pending" "$(card_field again status)" pending
ok "and can be removed" other_wallet card remove again --yes

# ------------------------------------------------------------------ mistyped
enrolment visa 4000000000000002 3012
ok "a wrong secret" fails 5 ENROLMENT enrol typed AAAA-BBBB-CCCC-DDDD 4000000000000002 3012
said=$(jq -r .error.text "$tmp/answer")
ok "another card's number" fails 5 ENROLMENT enrol typed "$secret" 4242424242424242 3012
is "nothing says which it was" "$(jq -r .error.text "$tmp/answer")" "$said"
ok "another expiry" fails 5 ENROLMENT enrol typed "$secret" 4000000000000002 3011
is "each was a try" "$(tries)" 3
ok "no digit of a card goes out that can't be one" fails 2 USAGE enrol typed "$secret" 4000000000000003 3012
is "which was none" "$(tries)" 3
ok "typed right, small letters and blanks apart" enrol typed "$(tr 'A-Z-' 'a-z ' <<<"$secret" | tr -d ' ')" '4000 0000 0000 0002' 12/30
is "it is the card that was begun" "$(other_wallet --json card list | jq '[.cards[] | select(.label == "typed")] | length')" 1
is "with the number that was typed last" "$(card_field typed last4)" 0002
enrolment visa 4000000000009995 3012
for try in 1 2 3 4 5; do
    ok "a wrong secret, $try" fails 5 ENROLMENT enrol spent AAAA-BBBB-CCCC-DDDD 4000000000009995 3012
done
ok "rule C1: after five the right one is refused" fails 5 ENROLMENT enrol spent "$secret" 4000000000009995 3012
enrolment visa 4000000000009995 3012
ok "the issuer's new secret is good for the card that was begun" enrol spent "$secret" 4000000000009995 3012

# ------------------------------------------------------------------ an answer that is lost
# The authority dies once it has committed; the wallet does not know, and asks again by the same key.
enrolment visa 4000000000000069 3012
ok "the authority will die with its answer" eval 'control "$sandbox/ca/cad.sock" \
    "{\"id\":1,\"command\":\"testing.crash\",\"args\":{\"point\":\"store.committed\",\"count\":2}}" | jq -e .ok'
ok "the answer is lost" fails 4 UNREACHABLE enrol lost "$secret" 4000000000000069 3012
ok "with the authority" wait_gone "$(pid_of ca)"
ok "while there is none: no answer" fails 4 UNREACHABLE enrol lost "$secret" 4000000000000069 3012
ok "it comes up again" up
is "the certificate was issued" "$(uses)" 1
ok "rule C1: the same key gets it, though the secret was good once" enrol lost "$secret" 4000000000000069 3012
is "it was issued once" "$(uses)" 1

# The wallet dies: before the request leaves, and with the certificate in its hands.
for point in est.send:1 net.receive:4 store.write:2; do
    enrolment visa 4000000000000069 3012
    stop
    start
    unlock >/dev/null
    other_control "{\"id\":1,\"command\":\"testing.crash\",\"args\":{\"point\":\"${point%:*}\",\"count\":${point#*:}}}" >"$tmp/out"
    enrol "died-${point%%.*}" "$secret" 4000000000000069 3012
    died() { ! kill -0 "$other" 2>/dev/null; }
    ok "the wallet dies at $point" wait_for 20 died
    wait "$other" 2>/dev/null
    start
    unlock >/dev/null
    is "$point: its card is there, and waits" "$(card_field "died-${point%%.*}" status)" pending
    ok "$point: the same command ends it" enrol "died-${point%%.*}" "$secret" 4000000000000069 3012
    is "$point: its key is certified once" "$(uses)" 1
done

# ------------------------------------------------------------------ a merchant, by its operator's token
shop=$tmp/shop
mkdir "$shop"
sed -e 's/^id = .*/id = late-shop/' -e "s,$sandbox/merchant/,$shop/,; s,$sandbox/crls,$shop/crls," \
    -e "s,^database = .*,database = sqlite:$shop/shop.db,; s,^log = .*,log = $shop/shop.log," \
    -e "s,^admin_socket = .*,admin_socket = $shop/shop.sock," -e '/^shop_\(contact\|returns\|terms\|privacy\) = /d' \
    -e '/^\[brand mastercard\]/,$d' \
    "$sandbox/merchant.conf" >"$shop/shop.conf"
for key in listen api_listen shop_listen owner_listen admin_address public_host; do
    free=$(free_port)
    case $key in
    public_host) free=$(sed -n 's/^listen = .*://p' "$shop/shop.conf"); sed -i "s/^$key = .*/$key = localhost:$free/" "$shop/shop.conf" ;;
    *) sed -i "s/^$key = .*/$key = 127.0.0.1:$free/" "$shop/shop.conf" ;;
    esac
done
mkdir "$shop/visa"
made=$(ca --json token add merchant --brand visa --id late-shop --dns localhost)
id=$(jq -r .id <<<"$made")
secret=$(jq -r .secret <<<"$made")
secrets+=("$secret" "${secret//-/}")
party() { # SECRET PROGRAM CONFIG OPTION...
    local secret=$1 program=$2 config=$3
    shift 3
    printf '%s\n' "$secret" | "$bin/$program" --config "$config" --json enrol --url "$url" --brand visa "$@" >"$tmp/answer" 2>"$tmp/words"
}
merchant_enrols() { party "$1" setpay-merchant "$shop/shop.conf" "${@:2}"; }
statuses() { jq -r '[.certificates[].status] | join(" ")' "$tmp/answer"; }
sums() { (cd "$1" && sha256sum -- visa/*.key visa/*.pem); }
ok "a wrong secret gets no certificate" fails 5 ENROLMENT merchant_enrols AAAA-BBBB-CCCC-DDDD --id "$id"
is "the key is there, and nobody else's" "$(stat -c '%a' "$shop/visa/sign.key") $(find "$shop" -name '*.pem' | wc -l)" '600 0'
asked=$(openssl pkey -in "$shop/visa/sign.key" -pubout)
ok "a merchant's operator enrols it" merchant_enrols "$secret" --id "$id"
is "with three certificates" "$(statuses)" 'issued issued issued'
is "for the key that was there" "$(openssl x509 -in "$shop/visa/sign.pem" -noout -pubkey)" "$asked"
is "keys are its own" "$(stat -c '%a' "$shop"/visa/*.key | sort -u)" 600
for crl in "$shop"/crls/*.crl; do openssl crl -inform DER -in "$crl"; done >"$tmp/crls.pem"
for name in sign tls-client tls-server; do
    ok "openssl verifies its $name" openssl verify -x509_strict -crl_check_all -CRLfile "$tmp/crls.pem" -CAfile "$root" \
        -untrusted "$shop/visa/$name.pem" "$shop/visa/$name.pem"
done
first=$(sums "$shop")
ok "the same command again" merchant_enrols "$secret" --id "$id"
is "keeps what is there" "$(statuses) $(sums "$shop")" "kept kept kept $first"
rm "$shop/visa/tls-client.pem" # as if the answer had been lost
ok "a lost answer" merchant_enrols "$secret" --id "$id"
is "is had again" "$(statuses) $(sums "$shop")" "kept issued kept $first"
shop_start() {
    "$bin/setpay-merchantd" --config "$shop/shop.conf" </dev/null >>"$shop/out" 2>&1 &
    shop_pid=$!
    wait_for 30 curl -fsS "http://$(sed -n 's/^admin_address = //p' "$shop/shop.conf")/readyz"
}
sells() {
    local order
    order=$("$bin/setpay-merchant" --config "$shop/shop.conf" --json order create --description Tea --amount '3.00 EUR') &&
        other_wallet --json pay "$(jq -r .pay_uri <<<"$order")" --yes
}
ok "the gateway is told of it" gateway merchant add --brand visa --id late-shop --name 'A late shop'
ok "it opens" shop_start
ok "and sells" sells
ok "rule C2: its keys and certificates are renewed, by themselves" merchant_enrols '' --renew
is "all three" "$(statuses)" 'renewed renewed renewed'
is "not one file is as it was" "$(comm -12 <(sort <<<"$first") <(sums "$shop" | sort))" ''
kill -TERM "$shop_pid"; wait "$shop_pid"
ok "it opens with them" shop_start
ok "and sells again" sells
kill -TERM "$shop_pid"; wait "$shop_pid"; shop_pid=''
# Cut off: with a new key alone; and between the two files.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$shop/visa/sign.key.new" 2>/dev/null
asked=$(openssl pkey -in "$shop/visa/sign.key.new" -pubout)
ok "a renewal that had only made its key" merchant_enrols '' --renew --only merchant-sign
is "goes on with it" "$(openssl x509 -in "$shop/visa/sign.pem" -noout -pubkey) $(ls "$shop/visa" | grep -c new)" "$asked 0"
mv "$shop/visa/sign.pem" "$shop/visa/sign.pem.new"
ok "one that was cut off between its two files" merchant_enrols "$secret" --id "$id"
is "is whole again" "$(statuses) $(openssl x509 -in "$shop/visa/sign.pem" -noout -pubkey)" "kept kept kept $asked"
ok "a certificate that is none of its own is named" fails 2 USAGE merchant_enrols '' --renew --only gateway-sign
ok "so is a brand that the configuration lacks" fails 2 CONFIG eval \
    '"$bin/setpay-merchant" --config "$shop/shop.conf" --json enrol --url "$url" --brand amex --renew >"$tmp/answer" 2>"$tmp/words"'

# ------------------------------------------------------------------ a gateway
mkdir -p "$tmp/gate/visa" "$tmp/gate/crls"
sed -e 's/^id = .*/id = late-gate/' -e "s,$sandbox/gateway/visa,$tmp/gate/visa,; s,$sandbox/crls,$tmp/gate/crls," \
    -e '/^\[brand mastercard\]/,$d' "$sandbox/gateway.conf" >"$tmp/gate/gate.conf"
made=$(ca --json token add gateway --brand visa --id late-gate)
id=$(jq -r .id <<<"$made")
secret=$(jq -r .secret <<<"$made")
secrets+=("$secret" "${secret//-/}")
gate_enrols() { party "$1" setpay-gateway "$tmp/gate/gate.conf" "${@:2}"; }
ok "a gateway's operator enrols it" gate_enrols "$secret" --id "$id"
is "with three certificates, too" "$(statuses)" 'issued issued issued'
first=$(sums "$tmp/gate")
ok "rule C2: the key for envelopes is renewed under the signing certificate" gate_enrols '' --renew --only gateway-encrypt
is "that pair alone is new" "$(comm -13 <(sort <<<"$first") <(sums "$tmp/gate" | sort) | sed 's/.* //' | sort | tr '\n' ' ')" \
    'visa/encrypt.key visa/encrypt.pem '
ok "openssl verifies it" openssl verify -x509_strict -crl_check_all -CRLfile "$tmp/crls.pem" -CAfile "$root" \
    -untrusted "$tmp/gate/visa/encrypt.pem" "$tmp/gate/visa/encrypt.pem"

# ------------------------------------------------------------------ lists that are past their time
stop
sqlite3 "$tmp/wallet.db" 'DELETE FROM trust'
ok "a wallet that holds no list any more" start
ok "is unlocked" unlock
crls_are() { other_wallet --json doctor | jq -e --argjson want "$1" '.checks[] | select(.name == "crls").ok == $want'; }
ok "rule A3: it fetches them by itself" wait_for 30 crls_are true
stop
ok "it ends, and starts again" start
is "with the lists that it had" "$(sqlite3 -readonly "$tmp/wallet.db" 'SELECT count(*) FROM trust WHERE is_crl = 1')" 9
unlock >/dev/null
move() { # BY, of the wallet's and the authority's clocks
    other_control "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$1}}" >"$tmp/out" &&
        control "$sandbox/ca/cad.sock" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$1}}" | jq -e .ok
}
before=$(grep -c 'event=lists.fetched' "$tmp/wallet.log")
ok "two days pass" move 172800000
renewed() { [ "$(grep -c 'event=lists.fetched' "$tmp/wallet.log")" -gt "$before" ] && crls_are true; }
ok "it works again by itself" wait_for 60 renewed
# The clocks stay: lists that were made meanwhile are from the future of those before.

# ------------------------------------------------------------------ servers that are not the authority
enrolment visa 4000000000006108 3012
merchant_url=$(get .merchant_url)
ok "rule A3: a merchant's server is no authority" fails 5 CERT_ROLE enrol wrong "$secret" 4000000000006108 3012 "$merchant_url"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/O=visa/OU=ca/CN=authority' -days 9 \
    -addext 'subjectAltName = DNS:localhost' -keyout "$tmp/false.key" -out "$tmp/false.pem" 2>/dev/null
false_port=$(free_port)
mkfifo "$tmp/nothing"
exec 9<>"$tmp/nothing" # at the end of its input it would end too
openssl s_server -accept "127.0.0.1:$false_port" -key "$tmp/false.key" -cert "$tmp/false.pem" -tls1_3 -quiet \
    <&9 >"$tmp/heard" 2>"$tmp/server" &
server=$!
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$false_port") 2>/dev/null; }
ok "somebody pretends to be it" wait_for 20 listens
enrol wrong "$secret" 4000000000006108 3012 "https://localhost:$false_port"
is "rule A3: a certificate that it made itself" "$? $(jq -r .error.name "$tmp/answer" | sed 's/CERT_[A-Z]*/CERT/')" '5 CERT'
is "it has heard nothing" "$(wc -c <"$tmp/heard")" 0
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
server=''
is "none of them was a try" "$(tries)" 0
ok "rule A3: the authority's certificate is revoked" ca revoke --certificate "$sandbox/ca.server/tls-server.pem" --reason keyCompromise
ok "it is told nothing more" fails 5 CERT_REVOKED enrol wrong "$secret" 4000000000006108 3012
is "and no try was made" "$(tries)" 0

# ------------------------------------------------------------------ what is kept of it
for kept in "$tmp/wallet.db" "$tmp/wallet.db-wal" "$tmp/wallet.log" "$tmp/wallet.out" "$sandbox/log/ca.log" "$sandbox/ca/ca.db" \
    "$sandbox/ca/ca.db-wal" "$shop/shop.log" "$shop/out" "$shop/shop.db" "$sandbox"/log/*.out; do
    [ -f "$kept" ] || continue
    printf '%s\n' 4242424242424242 4000000000000002 4000000000009995 4000000000000069 4000000000006108 "${secrets[@]}" >"$tmp/marks"
    ok "no card number and no secret in ${kept#"$tmp/"}" eval '! LC_ALL=C grep -aqF -f "$tmp/marks" "$kept"'
done
stop
done_testing
