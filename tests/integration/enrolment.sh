#!/usr/bin/env bash
# Enrolment over the network with nothing but curl and openssl: rules C1, C2 and C3 at a running
# setpay-cad. A certificate is had, renewed, and refused for each reason; what a refusal says, what
# it costs in tries, and what is kept of a card are looked at.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"

# ------------------------------------------------------------------ an authority
folder=$tmp/ca
umask 077
printf 'a long passphrase' >"$tmp/passphrase"
ca() { "$bin/setpay-ca" --dir "$folder" --passphrase-file "$tmp/passphrase" "$@"; }
cleanup() { [ -z "${cad:-}" ] || kill -KILL "$cad" 2>/dev/null; }

port=$(free_port)
admin=$(free_port)
est=https://localhost:$port/.well-known/est

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$tmp/$1.key" 2>/dev/null; }
# request NAME SUBJECT EXTENSION [ATTRIBUTE...]: $tmp/NAME.csr (DER), by $tmp/NAME.key. Subject and
# extension are lines of openssl's configuration; "" for none.
request() {
    local name=$1 subject=$2 extension=$3
    shift 3
    {
        printf '[req]\nprompt = no\nstring_mask = utf8only\ndistinguished_name = subject\nattributes = attributes\n'
        [ -z "$extension" ] || echo 'req_extensions = extensions'
        printf '[subject]\n%s\n[attributes]\n' "$subject"
        [ $# -eq 0 ] || printf '%s\n' "$@"
        printf '[extensions]\n%s\n' "$extension"
    } >"$tmp/$name.cnf"
    openssl req -new -key "$tmp/$name.key" -config "$tmp/$name.cnf" -outform DER -out "$tmp/$name.csr"
}
pan_oid=2.25.292021134882307325024840491501456023928.2
expiry_oid=2.25.292021134882307325024840491501456023928.3
secret_oid=2.25.292021134882307325024840491501456023928.4

nonce() {
    curl -sS --cacert "$folder/root.pem" "$est/$1/csrattrs" | openssl base64 -d |
        openssl asn1parse -inform DER | sed -n 's/.*UTF8STRING *:\(.*\)$/\1/p'
}
# ask WHAT LABEL NAME [CURL OPTION...]: sends $tmp/NAME.csr; the status goes to standard output, the
# body to $tmp/answer, the headers to $tmp/headers, certificates to $tmp/NAME.pem.
ask() {
    local what=$1 label=$2 name=$3
    shift 3
    openssl base64 -in "$tmp/$name.csr" |
        curl -sS --cacert "$folder/root.pem" -o "$tmp/answer" -D "$tmp/headers" -w '%{http_code}' \
            -H 'Content-Type: application/pkcs10' --data-binary @- "$@" "$est/$label/$what" 2>"$tmp/curl"
    [ "$(head -n 1 "$tmp/headers" | tr -d '\r')" != 'HTTP/1.1 200 OK' ] ||
        openssl base64 -d -in "$tmp/answer" | openssl pkcs7 -inform DER -print_certs -out "$tmp/$name.pem"
}
enrol() { ask simpleenroll "$@"; }
renew() { ask simplereenroll "$@"; }
leaf() { openssl x509 -in "$tmp/$1.pem" -noout "${@:2}"; }
refused() { grep "event=est.refused" "$tmp/log" | tail -n 1 | sed 's/.* error=\([A-Z_]*\) rule=\([A-Z0-9]*\).*/\1 \2/'; }
count() { sqlite3 -readonly "$folder/ca.db" "SELECT count(*) FROM $1"; }

control() { printf '%s\n' "$1" | timeout 10 socat -t 5 - "UNIX-CONNECT:$folder/cad.sock" | head -n 1; }
move_clock() { control "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$1}}" | jq -e .ok >/dev/null; }
ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$admin/readyz")" = 200 ]; }
start() { # [CRASH]
    env ${1:+"SETPAY_CRASH=$1"} "$bin/setpay-cad" --config "$tmp/cad.conf" >>"$tmp/cad.out" 2>&1 &
    cad=$!
    wait_for 20 ready
}

ca init --name 'Test root' >"$tmp/init" && ca brand add visa --loopback >>"$tmp/init" &&
    ca brand add mastercard --loopback >>"$tmp/init"
new_key tls
request tls 'O = visa' ''
ok "the authority's own server gets its certificate" \
    ca issue ca-tls-server --csr "$tmp/tls.csr" --brand visa --id authority --dns localhost -o "$tmp/tls.pem"

# enrolment BRAND PAN EXPIRY: sets id and secret; the issuer's line is appended to $tmp/issuer
enrolment() {
    local made
    made=$(printf '%s\n%s\n' "$2" "$3" | ca --json enrolment make --brand "$1" -o "$tmp/issuer")
    echo "$made" >>"$tmp/made"
    id=$(jq -r .id <<<"$made")
    secret=$(jq -r .secret <<<"$made")
}
token() {
    local made
    made=$(ca --json token add "$@")
    id=$(jq -r .id <<<"$made")
    secret=$(jq -r .secret <<<"$made")
}

enrolment visa 4242424242424242 3012
ok "an issuer's file is taken" ca enrolment import "$tmp/issuer"
printf 'FBJM2E7ST76QB visa 00 32768:8:1 00 00 1798285028\n' >"$tmp/broken"
ok "a file that is wrong names file, line and field" \
    sh -c "! '$bin/setpay-ca' --dir '$folder' enrolment import '$tmp/broken' 2>&1 | tee '$tmp/words' |
        grep -q nothing; grep -q 'broken, line 1: the field CARD' '$tmp/words'"
is "and nothing of it is taken" "$(ca --json enrolment list | jq '.enrolments | length')" 1

cat >"$tmp/cad.conf" <<CONF
testing = yes
workers = 2
folder = $folder
passphrase_file = $tmp/passphrase
listen = 127.0.0.1:$port
tls_key = $tmp/tls.key
tls_cert = $tmp/tls.pem
admin_socket = $folder/cad.sock
admin_address = 127.0.0.1:$admin
log = $tmp/log
card_key = $folder/cards.key
CONF
ok "the configuration is well-formed" "$bin/setpay-cad" --config "$tmp/cad.conf" --check-config
ok "the daemon comes up" start
[ -S "$folder/cad.sock" ] || { cat "$tmp/cad.out"; done_testing; }

# ------------------------------------------------------------------ what everybody may have
curl -sS --cacert "$folder/root.pem" "$est/merchant/cacerts" | openssl base64 -d |
    openssl pkcs7 -inform DER -print_certs -noout >"$tmp/cacerts"
curl -sS --cacert "$folder/root.pem" "$est/merchant/cacerts" | openssl base64 -d |
    openssl pkcs7 -inform DER -print_certs -out "$tmp/cacerts.pem"
is "cacerts: the root and every authority" "$(grep -c '^subject' "$tmp/cacerts")" 9
is "the root comes first" "$(head -n 1 "$tmp/cacerts")" 'subject=O = Test root, OU = root-ca, CN = root-1'
for label in cardholder merchant gateway; do
    is "$label: what an authority of EST has for everybody" \
        "$(for what in cacerts csrattrs; do curl -s -o /dev/null -w '%{http_code} ' --cacert "$folder/root.pem" "$est/$label/$what"; done)" '200 200 '
    is "$label: and what needs more" "$(for what in simpleenroll simplereenroll; do curl -s -o /dev/null -w '%{http_code} ' \
        -H 'Content-Type: application/pkcs10' -d x --cacert "$folder/root.pem" "$est/$label/$what"; done)" '400 403 '
done
is "another label is none" "$(curl -s -o "$tmp/answer" -w '%{http_code}' --cacert "$folder/root.pem" "$est/issuer/cacerts")" 404
curl -sS --cacert "$folder/root.pem" "https://localhost:$port/crls/visa.mca.crl" -o "$tmp/mca.crl"
number=$(openssl crl -inform DER -in "$tmp/mca.crl" -noout -crlnumber)
curl -sS --cacert "$folder/root.pem" "https://localhost:$port/crls" -o "$tmp/crls.pem"
is "all revocation lists in one" "$(grep -c BEGIN "$tmp/crls.pem")" 9
is "a list of nobody" "$(curl -s -o "$tmp/answer" -w '%{http_code}' --cacert "$folder/root.pem" "https://localhost:$port/crls/nobody.crl")" 404
by_tls() { curl -s -o /dev/null -w '%{http_code} ' --tls-max "$1" --cacert "$folder/root.pem" "$est/merchant/cacerts"; echo $?; }
is "TLS 1.3 is spoken" "$(by_tls 1.3)" '200 0'
is "TLS 1.2 is refused: its handshake fails (curl's status 35)" "$(by_tls 1.2)" '000 35'
is "two nonces differ" "$([ "$(nonce merchant)" != "$(nonce merchant)" ] && echo yes)" yes
verify() { # NAME [OPTION...]: by openssl alone, with all revocation lists
    curl -sS --cacert "$folder/root.pem" "https://localhost:$port/crls" -o "$tmp/crls.pem"
    openssl verify -x509_strict -crl_check_all -CAfile "$folder/root.pem" -CRLfile "$tmp/crls.pem" \
        -untrusted "$tmp/cacerts.pem" "${@:2}" "$tmp/$1.pem"
}

# ------------------------------------------------------------------ a cardholder (rule C1)
pan=4242424242424242
pan_secret=$(openssl rand -hex 32)
card_request() { # NAME [PAN [EXPIRY [NONCE]]]
    request "$1" 'O = visa' '' "challengePassword = ${4:-$(nonce cardholder)}" \
        "$pan_oid = ${2:-$pan}" "$expiry_oid = ${3:-3012}" "$secret_oid = $pan_secret"
}
new_key card
card_request card
is "a card is enrolled" "$(enrol cardholder card -u "$id:$secret")" 200
is "the answer holds that certificate and no other (RFC 7030, 4.2.3)" "$(grep -c BEGIN "$tmp/card.pem")" 1
ok "openssl verifies its chain, with what cacerts has" verify card
is "it names nobody: brand, role and the blinded account" "$(leaf card -subject | sed 's/CN = [0-9a-f]\{64\}$/CN = HMAC/')" \
    'subject=O = visa, OU = cardholder, CN = HMAC'
expected=$(printf '\0\0\0\0\0\0\0\020%s\0\0\0\0\0\0\0\0043012' "$pan" |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$pan_secret" -r | cut -d' ' -f1)
is "which is HMAC(PANSecret, number and expiry)" "$(leaf card -subject | sed 's/.*CN = //')" "$expected"
is "it ends with the card" "$(leaf card -enddate)" 'notAfter=Dec 31 23:59:59 2030 GMT'
cp "$tmp/answer" "$tmp/first"
is "the same request again, as after a lost answer" "$(enrol cardholder card -u "$id:$secret")" 200
ok "gets the same certificate" cmp "$tmp/first" "$tmp/answer"
new_key thief
card_request thief
is "the secret is good once: not for another key" "$(enrol cardholder thief -u "$id:$secret") $(refused)" '401 ENROLMENT C1'
cp "$tmp/answer" "$tmp/refusal"
sed '/^Date:/d' "$tmp/headers" >"$tmp/refusal.headers"

# ------------------------------------------------------------------ refusals that look alike
enrolment visa 4000000000000002 3012
printf '%s\n' "$(tail -n 1 "$tmp/issuer")" >"$tmp/next"
ok "the operator's program speaks to the running daemon" ca enrolment import "$tmp/next"
new_key other
before=$(count certificates)
alike() { # WHAT CURL-OPTION...: $tmp/other.csr is refused like every other
    local what=$1
    shift
    is "$what" "$(enrol cardholder other "$@") $(refused)" '401 ENROLMENT C1'
    ok "$what: in the same words" cmp "$tmp/refusal" "$tmp/answer"
    ok "$what: under the same headers" sh -c "sed '/^Date:/d' '$tmp/headers' | cmp - '$tmp/refusal.headers'"
    attacked=$((${attacked:-0} + 1))
}
wrong=AAAA-BBBB-CCCC-DDDD
pan=4000000000000002
card_request other
alike "no name and no secret"
alike "a name that nobody has" -u "NOBODYNOBODYN:$wrong"
alike "a wrong secret" -u "$id:$wrong"
alike "a secret of other characters" -u "$id:ÄÖÜ"
# The time of a refusal does not say who is known either. The fastest of five of each, in turns, since
# the machine may have other things to do; without scrypt one would be faster by a factor of twenty.
openssl base64 -in "$tmp/other.csr" >"$tmp/other.b64"
took() { # WHO CURL-OPTION...
    local who=$1
    shift
    curl -sS --cacert "$folder/root.pem" -o /dev/null -w "$who %{time_starttransfer} %{time_appconnect}\n" \
        -H 'Content-Type: application/pkcs10' --data-binary "@$tmp/other.b64" "$@" "$est/cardholder/simpleenroll" >>"$tmp/times"
}
timed=$id
enrolment visa 4000000000009987 3012 # its five tries are for the clock
first_id=$id
enrolment visa 4000000000009979 3012
tail -n 2 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
for _ in 1 2 3 4 5; do took early -u "$first_id:$wrong"; done # spent from now on
for _ in 1 2 3 4 5; do
    took known -u "$id:$wrong"
    took unknown -u "NOBODYNOBODYN:$wrong"
    took spent -u "$first_id:$wrong"
done
fastest() { awk -v who="$1" '$1 == who { t = $2 - $3; if (n++ == 0 || t < least) least = t } END { print int(least * 1000000) }' "$tmp/times"; }
similar() {
    local one other
    one=$(fastest "$1") other=$(fastest "$2")
    echo "$1 $one us, $2 $other us"
    [ $((4 * one)) -gt "$other" ] && [ $((4 * other)) -gt "$one" ]
}
ok "rule C1: an unknown name takes as long as a wrong secret" similar unknown known
ok "rule C1: so does one that is spent" similar spent known
id=$timed secret=$(jq -r --arg id "$timed" 'select(.id == $id).secret' "$tmp/made")
card_request other 4242424242424242
alike "another card's number" -u "$id:$secret"
card_request other 4000000000000002 3011
alike "another expiry" -u "$id:$secret"
is "the tries are counted" "$(ca --json enrolment list | jq -r --arg id "$id" '.enrolments[] | select(.id == $id).wrong_tries')" 4
alike "the fifth wrong one" -u "$id:$wrong"
before_restart=$(nonce cardholder)
kill -KILL "$cad"; wait "$cad" 2>/dev/null
ok "the daemon is killed and started again" start
card_request other "$pan" 3012 "$before_restart"
is "rule C2: a nonce of an earlier start is none" "$(enrol cardholder other -u "$id:$secret") $(refused)" '400 NONCE C2'
card_request other
alike "after five wrong tries, before a restart or after: the right secret" -u "$id:$secret"
is "it is spent" "$(ca --json enrolment list | jq -r --arg id "$id" '.enrolments[] | select(.id == $id).wrong_tries')" 5
ca enrolment import "$tmp/issuer" >/dev/null
is "an issuer's file that is imported again gives no try back" \
    "$(ca --json enrolment list | jq -r --arg id "$id" '.enrolments[] | select(.id == $id).wrong_tries')" 5
spent=$id
enrolment visa 4000000000000002 3012
tail -n 1 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
ca enrolment import "$tmp/issuer" >/dev/null
is "nor brings back what the issuer's new secret has ended" \
    "$(ca --json enrolment list | jq -r '[.enrolments[].id] | map(select(. == "'"$spent"'" or . == "'"$id"'")) | join(" ")')" "$id"
request other 'O = mastercard' '' "challengePassword = $(nonce cardholder)" "$pan_oid = $pan" "$expiry_oid = 3012" \
    "$secret_oid = $pan_secret"
alike "another brand's name in the request" -u "$id:$secret"
card_request other
is "a cardholder's secret under the merchants' label" "$(enrol merchant other -u "$id:$secret") $(refused)" '400 CSR C2'
is "nothing was issued" "$(count certificates)" "$before"
is "the issuer's new secret for that card is good" "$(enrol cardholder other -u "$id:$secret")" 200
# Twelve at once, each from an address of its own: five are judged.
enrolment visa 4000000000000127 3012
tail -n 1 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
pan=4000000000000127
new_key many
card_request many
openssl base64 -in "$tmp/many.csr" >"$tmp/many.b64"
crowd=()
for last in 1 2 3 4 5 6 7 8 9 10 11 12; do
    curl -sS -4 --interface "127.0.1.$last" --cacert "$folder/root.pem" -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/pkcs10' \
        --data-binary "@$tmp/many.b64" -u "$id:$wrong" "$est/cardholder/simpleenroll" >>"$tmp/crowd" &
    crowd+=("$!")
done
wait "${crowd[@]}"
is "rule C1: twelve wrong tries at once are all refused" "$(sort "$tmp/crowd" | uniq -c | tr -d ' \n')" 12401
is "rule C1: five of them were tries" "$(ca --json enrolment list | jq -r --arg id "$id" '.enrolments[] | select(.id == $id).wrong_tries')" 5
card_request many
is "rule C1: the right secret comes too late" "$(enrol cardholder many -u "$id:$secret") $(refused)" '401 ENROLMENT C1'
pan=4000000000000002
enrolment visa 4000000000009995 2601
tail -n 1 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
new_key old
card_request old 4000000000009995 2601
is "a card that has expired" "$(enrol cardholder old -u "$id:$secret") $(refused)" '400 EXPIRED A5'

# ------------------------------------------------------------------ parties, by one token each
token merchant --brand visa --id shop --dns localhost
shop_id=$id shop_secret=$secret
for kind in sign:documentSigning tls-client:clientAuth tls-server:serverAuth; do
    name=shop-${kind%%:*} usage=${kind#*:}
    [ "$usage" != documentSigning ] || usage=1.3.6.1.5.5.7.3.36
    new_key "$name"
    request "$name" $'O = visa\nCN = shop' "extendedKeyUsage = $usage" "challengePassword = $(nonce merchant)"
    is "$name is enrolled by the token" "$(enrol merchant "$name" -u "$shop_id:$shop_secret")" 200
    ok "$name: openssl verifies its chain" verify "$name"
done
is "the server's certificate names the token's host, though the request did not" \
    "$(leaf shop-tls-server -ext subjectAltName | tail -n 1 | tr -d ' ')" 'DNS:localhost'
token gateway --brand visa --id gate
new_key gate-sign
request gate-sign 'O = visa' 'extendedKeyUsage = 1.3.6.1.5.5.7.3.36' "challengePassword = $(nonce gateway)"
is "a gateway's signing certificate" "$(enrol gateway gate-sign -u "$id:$secret")" 200

# ------------------------------------------------------------------ rule C2: requests
bad() { # WHAT STATUS ERROR LABEL NAME [CURL-OPTION...]
    local what=$1 status=$2 error=$3 label=$4 name=$5
    shift 5
    is "$what" "$(enrol "$label" "$name" "$@") $(refused)" "$status $error C2"
    attacked=$((attacked + 1))
}
before=$(count certificates)
token merchant --brand visa --id shop --dns shop.example
new_key bad
usage='extendedKeyUsage = clientAuth'
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)"
cp "$tmp/bad.csr" "$tmp/good.csr"
printf 'no request' >"$tmp/bad.csr"
bad "no request at all" 400 CSR merchant bad -u "$id:$secret"
head -c 100 "$tmp/good.csr" >"$tmp/bad.csr"
bad "a cut request" 400 CSR merchant bad -u "$id:$secret"
{ head -c -4 "$tmp/good.csr"; printf 'abcd'; } >"$tmp/bad.csr"
bad "a request whose signature is wrong" 400 CSR merchant bad -u "$id:$secret"
openssl genrsa -out "$tmp/bad.key" 2048 2>/dev/null
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)"
bad "a key of another kind" 400 CSR merchant bad -u "$id:$secret"
openssl ecparam -name secp384r1 -genkey -noout -out "$tmp/bad.key"
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)"
bad "a key on another curve" 400 CSR merchant bad -u "$id:$secret"
new_key bad
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)" 'unstructuredName = more'
bad "an attribute that is not permitted" 400 CSR merchant bad -u "$id:$secret"
request bad 'O = visa' $'extendedKeyUsage = clientAuth\nbasicConstraints = CA:TRUE' "challengePassword = $(nonce merchant)"
bad "a wish to be a CA" 400 CSR merchant bad -u "$id:$secret"
request bad 'O = visa' 'extendedKeyUsage = clientAuth, serverAuth' "challengePassword = $(nonce merchant)"
bad "two usages in one" 400 CSR merchant bad -u "$id:$secret"
request bad 'O = visa' '' "challengePassword = $(nonce merchant)"
bad "no usage: which of the merchant's certificates?" 400 CSR merchant bad -u "$id:$secret"
request bad 'O = visa' 'extendedKeyUsage = 2.25.292021134882307325024840491501456023928.1' "challengePassword = $(nonce merchant)"
bad "a gateway's usage under the merchants' label" 400 CSR merchant bad -u "$id:$secret"
request bad 'O = visa' "$usage"
bad "no nonce" 400 NONCE merchant bad -u "$id:$secret"
request bad 'O = visa' "$usage" 'challengePassword = AAABoheulytFyUwmkvJDT'
bad "a nonce that was not given out" 400 NONCE merchant bad -u "$id:$secret"
used=$(nonce merchant)
request bad 'O = visa' "$usage" "challengePassword = $used"
is "a wrong secret" "$(enrol merchant bad -u "$id:$wrong")" 401
new_key bad
request bad 'O = visa' "$usage" "challengePassword = $used"
bad "a nonce that another key has used" 400 NONCE merchant bad -u "$id:$secret"
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)"
move_clock 660000
bad "a nonce that is over" 400 NONCE merchant bad -u "$id:$secret"
move_clock 0
cp "$tmp/shop-sign.key" "$tmp/bad.key"
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)"
bad "a key that was certified before" 400 KEY_CERTIFIED merchant bad -u "$id:$secret"
cp "$tmp/card.key" "$tmp/bad.key"
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)"
bad "a key that was certified before, for somebody else under another label" 400 KEY_CERTIFIED merchant bad -u "$id:$secret"
cp "$tmp/tls.key" "$tmp/bad.key"
request bad 'O = visa' "$usage" "challengePassword = $(nonce merchant)"
bad "the authority's own" 400 KEY_CERTIFIED merchant bad -u "$id:$secret"
new_key other
for what in 'CN = another' 'OU = gateway
O = mastercard'; do
    request other "$what" "$usage" "challengePassword = $(nonce merchant)"
    is "another party than the token's: $what" "$(enrol merchant other -u "$id:$secret") $(refused)" '401 ENROLMENT C1'
done
request other 'O = visa' $'extendedKeyUsage = serverAuth\nsubjectAltName = DNS:bank.example' "challengePassword = $(nonce merchant)"
is "a host that is not the token's" "$(enrol merchant other -u "$id:$secret") $(refused)" '401 ENROLMENT C1'
is "and the token of another party" "$(enrol merchant other -u "$shop_id:$shop_secret") $(refused)" '401 ENROLMENT C1'
is "nothing was issued for any of them" "$(count certificates)" "$before"
status() { curl -s -o "$tmp/answer" -w '%{http_code}' --cacert "$folder/root.pem" "$@"; }
is "another content type" "$(status -H 'Content-Type: text/plain' -d x "$est/merchant/simpleenroll")" 415
is "another method" "$(status "$est/merchant/simpleenroll")" 405
head -c 100000 /dev/zero | base64 -w0 >"$tmp/huge"
is "a body that is too long" "$(status -H 'Content-Type: application/pkcs10' --data-binary "@$tmp/huge" "$est/merchant/simpleenroll")" 413

# ------------------------------------------------------------------ renewal
by() { echo --cert "$tmp/$1.pem" --key "$tmp/$1.key"; }
# renewal LABEL OLD NEW EXTENSION SUBJECT: NEW's key, under OLD's certificate
renewal() {
    new_key "$3"
    request "$3" "${5:-O = visa}" "$4" "challengePassword = $(nonce "$1")"
    # shellcheck disable=SC2046
    renew "$1" "$3" $(by "$2")
}
is "a cardholder renews" "$(renewal cardholder card card2 '')" 200
is "the answer to a renewal, too, is that certificate alone" "$(grep -c BEGIN "$tmp/card2.pem")" 1
ok "its chain is good" verify card2
is "the blinded account stays" "$(leaf card2 -subject)" "$(leaf card -subject)"
is "and so does its end" "$(leaf card2 -enddate)" "$(leaf card -enddate)"
cp "$tmp/answer" "$tmp/first"
# shellcheck disable=SC2046
is "the same renewal again" "$(renew cardholder card2 $(by card))" 200
ok "gets the same certificate" cmp "$tmp/first" "$tmp/answer"
# Wrong secrets from sixty addresses, until one has found no room; each takes its fifth of a second.
new_key crowd
request crowd 'O = visa' '' "challengePassword = $(nonce cardholder)" "$pan_oid = $pan" "$expiry_oid = 3012" "$secret_oid = $pan_secret"
openssl base64 -in "$tmp/crowd.csr" >"$tmp/crowd.b64"
strangers() { # NETWORK FROM TO: from these addresses at once; pids are added to crowd
    local n
    for n in $(seq "$2" "$3"); do
        curl -sS -4 --interface "$1.$n" --cacert "$folder/root.pem" -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/pkcs10' \
            --data-binary "@$tmp/crowd.b64" -u "NOBODYNOBODYN:$wrong" "$est/cardholder/simpleenroll" >>"$tmp/strangers" &
        crowd+=("$!")
    done
}
crowd=()
: >"$tmp/strangers"
strangers 127.0.2 1 60
ok "strangers from many addresses have filled their places: one is told to come again" wait_for 20 grep -qx 503 "$tmp/strangers"
# shellcheck disable=SC2046
is "a renewal goes through meanwhile, and again, and again" "$(for _ in 1 2 3; do renew cardholder card2 $(by card); echo; done | tr '\n' ' ')" '200 200 200 '
wait "${crowd[@]}"
is "what was judged of them was refused" "$(sort -u "$tmp/strangers" | tr '\n' ' ')" '401 503 '
crowd=()
: >"$tmp/strangers"
for _ in $(seq 16); do strangers 127.0.3 1 1; done
ok "one address alone has a few places" wait_for 20 grep -qx 503 "$tmp/strangers"
is "and leaves the others'" "$(enrol cardholder crowd -u "NOBODYNOBODYN:$wrong")" 401
wait "${crowd[@]}"
is "a merchant's signing certificate renews itself" "$(renewal merchant shop-sign shop-sign2 '')" 200
is "a TLS certificate renews itself" "$(renewal merchant shop-tls-server shop-tls-server2 '')" 200
is "with its host" "$(leaf shop-tls-server2 -ext subjectAltName | tail -n 1 | tr -d ' ')" 'DNS:localhost'
is "an envelope key, under its owner's signing certificate" \
    "$(renewal gateway gate-sign gate-encrypt 'extendedKeyUsage = 2.25.292021134882307325024840491501456023928.1')" 200
is "is for key agreement" "$(leaf gate-encrypt -ext keyUsage | tail -n 1 | tr -d ' ')" KeyAgreement
not_renewed() { # WHAT STATUS ERROR
    is "$1" "$4 $(refused)" "$2 $3"
    attacked=$((attacked + 1))
}
before=$(count certificates)
not_renewed "a TLS key renews TLS certificates only" 403 'CERT_ROLE A3' \
    "$(renewal merchant shop-tls-client x 'extendedKeyUsage = 1.3.6.1.5.5.7.3.36')"
not_renewed "a merchant's certificate under the gateways' label" 403 'CERT_ROLE A3' "$(renewal gateway shop-sign x '')"
not_renewed "another name than the certificate's" 400 'CSR C2' "$(renewal merchant shop-sign x '' 'CN = another')"
new_key x
request x 'O = visa' '' "challengePassword = $(nonce merchant)"
not_renewed "no certificate" 403 'CERT_MISSING A3' "$(renew merchant x)"
openssl req -x509 -new -key "$tmp/shop-sign.key" -subj '/O=visa/OU=merchant/CN=shop' -days 9 -out "$tmp/forged.pem" 2>/dev/null
cp "$tmp/shop-sign.key" "$tmp/forged.key"
new_key x
request x 'O = visa' '' "challengePassword = $(nonce cardholder)" "$pan_oid = 4242424242424242" "$expiry_oid = 3112" "$secret_oid = $pan_secret"
# shellcheck disable=SC2046
not_renewed "rule C1: a renewal with a card's data" 400 'CSR C2' "$(renew cardholder x $(by card))"
cp "$tmp/gate-sign.key" "$tmp/x.key"
request x 'O = visa' '' "challengePassword = $(nonce cardholder)"
# shellcheck disable=SC2046
not_renewed "rule C2: a renewal by a key that was certified before" 400 'KEY_CERTIFIED C2' "$(renew cardholder x $(by card))"
is "a certificate that the key has made itself: no connection" "$(renewal merchant forged x '')" 000
is "nothing was issued" "$(count certificates)" "$before"

# ------------------------------------------------------------------ the operator, and rule C3
ok "a revocation through the running daemon" ca revoke --certificate "$tmp/shop-sign2.pem" --reason keyCompromise
ok "is on the list that is served at once" sh -c "curl -sS --cacert '$folder/root.pem' \
    'https://localhost:$port/crls/visa.mca.crl' | openssl crl -inform DER -noout -text |
    grep -qi '$(leaf shop-sign2 -serial | cut -d= -f2)'"
is "and its holder renews no more" "$(renewal merchant shop-sign2 x '')" 000
ok "the log holds, certificates that were enrolled included" ca log verify
is "each is in the log" "$(ca --json log show | jq '[.entries[] | select(.action == "issue" or .action == "renew")] | length')" \
    "$(sqlite3 -readonly "$folder/ca.db" "SELECT count(*) FROM certificates WHERE profile IN ('cardholder-sign','merchant-sign','merchant-tls-client','merchant-tls-server','gateway-sign','gateway-encrypt','gateway-tls-server','ca-tls-server')")"
later() { [ "$(curl -sS --cacert "$folder/root.pem" "https://localhost:$port/crls/visa.mca.crl" | openssl crl -inform DER -noout -crlnumber)" != "$number" ]; }
number=$(curl -sS --cacert "$folder/root.pem" "https://localhost:$port/crls/visa.mca.crl" | openssl crl -inform DER -noout -crlnumber)
move_clock 46800000
ok "half a day on, the lists are made anew by themselves" wait_for 20 later
move_clock 0

is "rule C3: serials are 20 bytes, and no two begin alike" "$(sqlite3 -readonly "$folder/ca.db" \
    'SELECT min(length(serial)), count(*) - count(DISTINCT substr(serial, 1, 8)) FROM certificates')" '40|0'

# ------------------------------------------------------------------ an issuer's long file, and who enrols meanwhile
openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00 -in /dev/zero 2>/dev/null | head -c $((40000 * 80)) |
    od -An -v -tx1 -w80 | tr -d ' ' |
    awk '{ printf "%013d visa %s 32768:8:1 %s %s 1893456000\n", NR, substr($0, 1, 64), substr($0, 65, 32), substr($0, 97, 64) }' >"$tmp/long"
enrolment visa 4000000000000259 3012
tail -n 1 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
new_key meanwhile
card_request meanwhile 4000000000000259
ca --json enrolment import "$tmp/long" >"$tmp/imported" 2>&1 &
importer=$!
has_begun() { [ "$(count enrolments)" -gt 1000 ]; }
ok "forty thousand enrolments are being taken" wait_for 60 has_begun
is "who enrols meanwhile is answered" "$(enrol cardholder meanwhile -u "$id:$secret")" 200
ok "while there are more of them to come" test "$(count enrolments)" -lt 40000
wait "$importer"
is "they are all taken" "$(jq -c '[.read, .added]' "$tmp/imported")" '[40000,40000]'
sqlite3 "$folder/ca.db" 'DELETE FROM enrolments WHERE expires = 1893456000000' # what follows lists them all

# ------------------------------------------------------------------ what is kept of a card (rule C1)
bytes=$(sed 's/../\\x&/g' <<<"$pan_secret")
base64_secret=$(printf '%b' "$bytes" | base64 -w0 | head -c 40)
for kept in "$folder/ca.db" "$folder/ca.db-wal" "$tmp/log" "$tmp/issuer"; do
    [ -f "$kept" ] || continue
    ok "no card number, no PANSecret in ${kept##*/}" sh -c "! LC_ALL=C grep -aq -e 4242424242424242 -e 4000000000000002 \
        -e $pan_secret -e '$base64_secret' '$kept'"
done
ok "no secret either" sh -c "! LC_ALL=C grep -aq -e '$secret' -e '$(tr -d - <<<"$secret")' '$folder/ca.db' '$tmp/log'"
is "secrets and cards rest as digests" "$(sqlite3 -readonly "$folder/ca.db" "SELECT min(length(card)), min(length(verifier)) FROM enrolments")" '32|32'

# ------------------------------------------------------------------ dead in the middle
enrolment visa 4000000000000069 3012
tail -n 1 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
kill -TERM "$cad"
wait "$cad"
is "SIGTERM: an orderly end" "$?" 0
start # the lists of half a day on are from the future now: none are made in what follows
kill -TERM "$cad"
wait "$cad"
for point in store.write store.commit store.committed; do
    for nth in 1 2; do # the try, the certificate
        start "$point:$nth"
        new_key crash
        card_request crash 4000000000000069
        enrol cardholder crash -u "$id:$secret" >/dev/null
        died() { ! kill -0 "$cad" 2>/dev/null; }
        ok "dies at $point ($nth)" wait_for 20 died
        wait "$cad" 2>/dev/null
        start
        card_request crash 4000000000000069 # by the same key, with a nonce of this start
        is "$point ($nth): the request gets its certificate" "$(enrol cardholder crash -u "$id:$secret")" 200
        is "$point ($nth): the key is certified once" "$(sqlite3 -readonly "$folder/ca.db" \
            "SELECT count(*) FROM enrolment_uses WHERE id = '$id'")" 1
        ok "$point ($nth): the log holds" ca log verify
        kill -TERM "$cad"
        wait "$cad"
        start
        enrolment visa 4000000000000069 3012 # a new secret for the next round
        tail -n 1 "$tmp/issuer" >"$tmp/next"
        ca enrolment import "$tmp/next" >/dev/null
        kill -TERM "$cad"
        wait "$cad"
    done
done
ok "the operator's program works on the stopped daemon's folder" ca enrolment list

# ------------------------------------------------------------------ certificates that are shorter than their card
echo 'card_days = 40' >>"$tmp/cad.conf"
start
day=86400000
end_of() { date -u -d "$(leaf "$1" -enddate | cut -d= -f2)" +%s; }
in_days() { echo $((($(end_of "$1") - $(date -u +%s)) / 86400)); }
enrolment visa 4000000000000341 3012
tail -n 1 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
short=$id
new_key short
card_request short 4000000000000341
is "a card of 2030" "$(enrol cardholder short -u "$id:$secret")" 200
is "has a certificate for forty days" "$(in_days short)" 39
soon=$(date -u -d "$(date -u +%Y-%m-15) +1 month" +%y%m) # the month after this one
enrolment visa 4000000000000358 "$soon"
tail -n 1 "$tmp/issuer" >"$tmp/next"
ca enrolment import "$tmp/next" >/dev/null
new_key ends
card_request ends 4000000000000358 "$soon"
is "a card that ends in a month or two" "$(enrol cardholder ends -u "$id:$secret")" 200
# Once its lists of that day are made and learned, the authority speaks with who shows a certificate.
# shellcheck disable=SC2046
speaks() { [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$folder/root.pem" $(by gate-sign) "$est/gateway/cacerts")" = 200 ]; }
on_day() {
    local number
    number=$(count "log WHERE action = 'crl'")
    more() { [ "$(count "log WHERE action = 'crl'")" -gt "$number" ]; }
    move_clock $(($1 * day)) && wait_for 30 more && wait_for 30 speaks
}
ok "twenty days on" on_day 20
is "it is renewed" "$(renewal cardholder short short2 '')" 200
is "for forty days more" "$(in_days short2)" 59
is "the account stays" "$(leaf short2 -subject)" "$(leaf short -subject)"
is "rule C1: one whose card ends before that" "$(renewal cardholder ends ends2 '')" 200
is "rule C1: ends with the card" "$(leaf ends2 -enddate)" \
    "notAfter=$(LC_ALL=C date -u -d "20$(cut -c 1-2 <<<"$soon")-$(cut -c 3-4 <<<"$soon")-01 +1 month -1 second" '+%b %e %T %Y GMT')"
serial_of() { leaf "$1" -serial | cut -d= -f2 | tr A-F a-f; }
ok "thirty days on" on_day 30
is "the first certificate renews again" "$(renewal cardholder short short3 '')" 200
is "so does the second one" "$(renewal cardholder short2 short4 '')" 200
is "an enrolment tells its certificates, and what came of them" \
    "$(ca --json enrolment show "$short" | jq -r '[.certificates[] | "\(.serial) \(.renews)"] | join("\n")')" \
    "$(printf '%s %s\n' "$(serial_of short)" null "$(serial_of short2)" "$(serial_of short)" "$(serial_of short3)" "$(serial_of short)" \
        "$(serial_of short4)" "$(serial_of short2)")"
is "and how many" "$(ca --json enrolment list | jq -c --arg id "$short" '.enrolments[] | select(.id == $id) | [.uses, .renewals]')" '[1,3]'
# The first key was stolen between the two renewals by it.
since=$(date -u -d "@$(($(date -u +%s) + 25 * 86400))" +%Y-%m-%dT%H:%M:%SZ)
is "a key that was stolen a while ago" \
    "$(ca --json revoke --certificate "$tmp/short.pem" --reason keyCompromise --since "$since" | jq -c '[.descendants_revoked, .descendants_left]')" \
    "[[\"$(serial_of short3)\"],[\"$(serial_of short2)\",\"$(serial_of short4)\"]]"
is "what was renewed with it since then renews no more" "$(renewal cardholder short3 x '')" 000
is "what was renewed before does" "$(renewal cardholder short2 short5 '')" 200
ok "fifty days on" on_day 50
is "a certificate that has ended is not renewed" "$(renewal cardholder short x '')" 000
ok "the log holds" ca log verify
kill -TERM "$cad"
wait "$cad"
echo "# tally: rules attacked = $attacked"
done_testing
