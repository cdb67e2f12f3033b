#!/usr/bin/env bash
# setpay-ca as its operator uses it, checked by the openssl command line: every chain and CRL holds
# without an extra flag, bad input changes nothing, and a log that was tampered with is found out.
set -u
build=${BUILD:-build}
bin=$(cd "$build/bin" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/setpay-ca-test.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0 failures=0
ok() { # NAME COMMAND...
    n=$((n + 1))
    local name=$1
    shift
    if "$@" >out 2>&1; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        sed 's/^/# /' out
        failures=$((failures + 1))
    fi
}
ca() { "$bin/setpay-ca" --dir ca --passphrase-file pass "$@"; }
# A command must fail with this status and these words, and leave the log as long as it was.
refused() { # STATUS WORDS COMMAND...
    local status=$1 words=$2 before after got
    shift 2
    before=$(ca --json log verify | jq -r .head)
    "$@" >refused.out 2>refused.err
    got=$?
    after=$(ca --json log verify | jq -r .head)
    cat refused.err
    [ "$got" -eq "$status" ] || { echo "exit status $got instead of $status"; return 1; }
    grep -qi -- "$words" refused.err || { echo "no '$words'"; return 1; }
    [ "$before" = "$after" ] || { echo "the log went from $before to $after"; return 1; }
}
key() { openssl ecparam -name "${2:-prime256v1}" -genkey -noout -out "$1.key"; }
request() { key "$1" "${2:-prime256v1}" && openssl req -new -key "$1.key" -subj /CN=whoever -out "$1.csr"; }
chain_holds() { openssl verify -CAfile ca/root.pem -untrusted "$1" "$1"; }
crls_hold() { openssl verify -crl_check_all -CRLfile "ca/crl/$2.crls.pem" -CAfile ca/root.pem -untrusted "$1" "$1"; }
fails() { ! "$@"; }

(umask 077; echo "a long passphrase" >pass; echo "another passphrase" >wrong)

ok "help names every command" bash -c "'$bin/setpay-ca' --help | grep -q 'log verify'"
ok "a folder that is no CA is refused" bash -c "! '$bin/setpay-ca' --dir none list"
ok "init" ca init --name "test root"
ok "init does not touch a folder that holds something" bash -c "! '$bin/setpay-ca' --dir ca --passphrase-file pass init --name again"
ok "a brand of the world" ca brand add visa
ok "a brand of a sandbox" ca brand add maestro --loopback
ok "keys are private" bash -c '[ -z "$(find ca/keys -perm /077)" ]'
ok "keys are encrypted" bash -c 'head -n 1 ca/keys/visa.cca.key | grep -q "BEGIN ENCRYPTED PRIVATE KEY"'
ok "the root's key opens with the passphrase only" bash -c \
    'openssl pkey -in ca/keys/root.key -passin file:pass -noout && ! openssl pkey -in ca/keys/root.key -passin file:wrong -noout'

for brand in visa maestro; do
    for kind in brand cca mca pca; do
        ok "the chain of $brand.$kind" chain_holds "ca/certificates/$brand.$kind.pem"
    done
    ok "a merchant of $brand" ca bundle merchant --brand "$brand" --id shop_1 --dns localhost --dns shop.example --out "$brand-shop"
    ok "a gateway of $brand" ca bundle gateway --brand "$brand" --id gw-1 --out "$brand-gateway"
    for leaf in shop/sign shop/tls-client shop/tls-server gateway/sign gateway/encrypt gateway/tls-server; do
        ok "$brand-$leaf.pem by its chain" chain_holds "$brand-$leaf.pem"
        ok "$brand-$leaf.pem with all CRLs" crls_hold "$brand-$leaf.pem" "$brand"
    done
done
ok "a TLS server's certificate names its hosts" openssl verify -verify_hostname shop.example -CAfile ca/root.pem -untrusted visa-shop/chain.pem visa-shop/tls-server.pem
ok "and no other" fails openssl verify -verify_hostname other.example -CAfile ca/root.pem -untrusted visa-shop/chain.pem visa-shop/tls-server.pem
ok "a TLS server's certificate is good for that" openssl verify -purpose sslserver -CAfile ca/root.pem -untrusted visa-shop/chain.pem visa-shop/tls-server.pem
ok "a signing certificate is not" fails openssl verify -purpose sslserver -CAfile ca/root.pem -untrusted visa-shop/chain.pem visa-shop/sign.pem
ok "an encryption certificate ends within 90 days" bash -c \
    '[ "$(date -d "$(openssl x509 -in visa-gateway/encrypt.pem -noout -enddate | cut -d= -f2)" +%s)" -le "$(($(date +%s) + 90 * 86400))" ]'
ok "the subject is brand, role, id" bash -c \
    '[ "$(openssl x509 -in visa-gateway/sign.pem -noout -subject -nameopt RFC2253)" = "subject=CN=gw-1,OU=gateway,O=visa" ]'
ok "a bundle does not overwrite keys" refused 1 exists ca bundle gateway --brand visa --id gw-1 --out visa-gateway

# Bad input
request good
request other
request p384 secp384r1
request late
ok "issue" ca issue merchant-sign --brand visa --id acme --csr good.csr -o acme.pem
ok "its chain" crls_hold acme.pem visa
ok "rule C2: a key certified before" refused 1 "certified before" ca issue merchant-sign --brand visa --id acme --csr good.csr -o x.pem
openssl req -new -key good.key -subj /CN=else -out again.csr
ok "rule C2: also in another request and brand" refused 1 "certified before" ca issue gateway-sign --brand maestro --id acme --csr again.csr -o x.pem
openssl req -in other.csr -outform DER -out other.der
size=$(stat -c %s other.der)
printf '\x00\x00' | dd of=other.der bs=1 seek=$((size - 2)) conv=notrunc 2>/dev/null
ok "a request with a bad signature" refused 5 "PKCS#10" ca issue merchant-sign --brand visa --id acme --csr other.der -o x.pem
ok "a key on another curve" refused 5 "P-256" ca issue merchant-sign --brand visa --id acme --csr p384.csr -o x.pem
ok "an id with a dot" refused 2 "no dots" ca issue merchant-sign --brand visa --id a.b --csr other.csr -o x.pem
ok "an unknown brand" refused 1 "no brand 'amex'" ca issue merchant-sign --brand amex --id acme --csr other.csr -o x.pem
ok "an unknown profile" refused 1 "no certificate profile" ca issue merchant-fly --brand visa --id acme --csr other.csr -o x.pem
ok "a wildcard" refused 2 "not a host name" ca issue merchant-tls-server --brand visa --id acme --dns '*.example' --csr other.csr -o x.pem
ok "an address" refused 2 "not a host name" ca issue merchant-tls-server --brand visa --id acme --dns 127.0.0.1 --csr other.csr -o x.pem
ok "host names where there are none" refused 2 "takes no host names" ca issue gateway-sign --brand visa --id acme --dns a.example --csr other.csr -o x.pem
ok "too many days" refused 2 "days" ca issue gateway-encrypt --brand visa --id acme --days 91 --csr other.csr -o x.pem
chmod 600 other.csr
ok "a cardholder without a card" refused 5 "PANSecret" ca issue cardholder --brand visa --csr other.csr -o x.pem
ok "a wrong passphrase" refused 1 "passphrase" "$bin/setpay-ca" --dir ca --passphrase-file wrong crl
ok "an unknown reason" refused 2 "reason" ca revoke --certificate acme.pem --reason boredom
ok "a serial that is none" refused 2 "not a serial" ca revoke 12 --reason superseded
ok "an unknown serial" refused 1 "issued no certificate" ca revoke "$(printf '4%.0s' {1..40})" --reason superseded
ok "an unknown command" refused 2 "unknown command" ca frobnicate
ok "a folder for the output that is not there: issued, and the message says how to get it" bash -c "
    '$bin/setpay-ca' --dir ca --passphrase-file pass issue merchant-sign --brand visa --id late --csr late.csr -o none/x.pem 2>late.err
    [ \$? -eq 1 ] && serial=\$(sed -n 's/.*chain \([0-9a-f]*\) writes.*/\1/p' late.err) && '$bin/setpay-ca' --dir ca chain \$serial -o late.pem"
ok "and it holds" crls_hold late.pem visa
ok "nothing was written" bash -c '[ ! -e x.pem ]'

# Renewal
ok "renew" ca renew --certificate acme.pem --csr other.csr -o acme2.pem
ok "the renewed chain" crls_hold acme2.pem visa
ok "the subject stays" bash -c '[ "$(openssl x509 -in acme.pem -noout -subject)" = "$(openssl x509 -in acme2.pem -noout -subject)" ]'
ok "rule C2: renewal needs a new key" refused 1 "certified before" ca renew --certificate acme.pem --csr good.csr -o x.pem

# Revocation
cp ca/crl/visa.mca.crl before.crl
serial() { ca --json show --certificate "$1" | jq -r .serial; }
request grandchild
ok "the renewed one is renewed" ca renew --certificate acme2.pem --csr grandchild.csr -o acme3.pem
ok "show: what a certificate was renewed from, and what came of it" bash -c "
    [ \"\$('$bin/setpay-ca' --dir ca --json show --certificate acme2.pem | jq -r '.renews, .renewals[].serial' | tr '\n' ' ')\" = '$(serial acme.pem) $(serial acme3.pem) ' ]"
ok "revoke" bash -c "'$bin/setpay-ca' --dir ca --passphrase-file pass revoke --certificate acme.pem --reason keyCompromise --alone >words"
ok "the CRL lists it at once" bash -c 'openssl crl -in ca/crl/visa.mca.crl -noout -text | grep -q "Key Compromise"'
ok "and openssl refuses it" fails crls_hold acme.pem visa
ok "alone: and nobody else" crls_hold acme2.pem visa
ok "what came of it is named, and how to revoke it" bash -c "grep -q $(serial acme2.pem) words && grep -q $(serial acme3.pem) words && grep -q -- --descendants words"
ok "a revoked one is not revoked again" refused 1 "revoked already" ca revoke --certificate acme.pem --reason superseded
ok "what came of it can be revoked later" ca revoke --certificate acme.pem --reason keyCompromise --descendants
ok "the child falls" fails crls_hold acme2.pem visa
ok "and the grandchild" fails crls_hold acme3.pem visa
ok "there is nothing left of it" refused 1 "revoked already" ca revoke --certificate acme.pem --reason keyCompromise
line() { # NAME: NAME.pem, renewed as NAME-2.pem
    request "$1" && request "$1-2" && ca issue merchant-sign --brand visa --id "$1" --csr "$1.csr" -o "$1.pem" &&
        ca renew --certificate "$1.pem" --csr "$1-2.csr" -o "$1-2.pem"
}
ok "a merchant, renewed" line stolen
ok "who has a key has renewed it: keyCompromise takes all that came of it" bash -c \
    "[ \"\$('$bin/setpay-ca' --dir ca --passphrase-file pass --json revoke --certificate stolen.pem --reason keyCompromise | jq -c '[.revoked, (.descendants_revoked | length), (.descendants_left | length)]')\" = '[2,1,0]' ]"
ok "neither is good" bash -c "! openssl verify -crl_check_all -CRLfile ca/crl/visa.crls.pem -CAfile ca/root.pem -untrusted stolen-2.pem stolen-2.pem"
ok "another one, renewed" line replaced
ok "for another reason what came of it stays" ca revoke --certificate replaced.pem --reason superseded
ok "it is good" crls_hold replaced-2.pem visa
ok "a time to come is none of a compromise" refused 2 "a time that is past" ca revoke --certificate replaced-2.pem --reason keyCompromise --since 2999-01-01
ok "a time that is none" refused 2 "YYYY-MM-DD" ca revoke --certificate replaced-2.pem --reason keyCompromise --since yesterday
ok "alone with others" refused 2 "without" ca revoke --certificate replaced-2.pem --reason keyCompromise --alone --descendants
request third
ok "a revoked one is not renewed" refused 5 "revoked" ca renew --certificate acme.pem --csr third.csr -o x.pem
number() { openssl crl -in "$1" -noout -crlnumber | sed 's/.*0x//'; }
ok "rule A3: CRL numbers grow" test $((16#$(number ca/crl/visa.mca.crl))) -gt $((16#$(number before.crl)))
rm ca/certificates/visa.brand.pem # as a crash between commit and copy would leave it
ok "new CRLs of all" ca crl -o crls
ok "missing copies are written again" chain_holds ca/certificates/visa.brand.pem
ok "one file each" bash -c '[ "$(ls crls | wc -l)" -eq 9 ]'
ok "rule A3: an issuing CA's CRL lives at most 24 hours" bash -c '
    last=$(date -d "$(openssl crl -in crls/visa.cca.crl -noout -lastupdate | cut -d= -f2)" +%s)
    next=$(date -d "$(openssl crl -in crls/visa.cca.crl -noout -nextupdate | cut -d= -f2)" +%s)
    [ $((next - last)) -le 86400 ] && [ "$next" -gt "$(date +%s)" ]'
ok "a brand's CA can be revoked" ca revoke "$(ca --json list --brand maestro | jq -r '.certificates[] | select(.profile == "pca") | .serial')" --reason cACompromise
ok "its leaves fall with it" fails crls_hold maestro-gateway/sign.pem maestro
ok "and it issues no more" refused 5 "revoked" ca issue gateway-sign --brand maestro --id gw-2 --csr third.csr -o x.pem

# The log (rule C3)
ok "the log holds" ca log verify
ok "list, show and chain" bash -c "
    serial=\$('$bin/setpay-ca' --dir ca --json show --certificate acme2.pem | jq -r .serial) &&
    '$bin/setpay-ca' --dir ca chain \$serial -o chain.pem && cmp chain.pem acme2.pem"
ok "doctor is content" ca doctor
head=$(ca --json log verify | jq -r .head)
cp -a ca earlier
ok "one more entry" ca crl --brand visa
tampered() { # WHAT SQL
    rm -rf kept && cp -a ca kept
    sqlite3 ca/ca.db "$2"
    ok "rule C3: $1 is found" bash -c "'$bin/setpay-ca' --dir ca log verify; [ \$? -eq 5 ]"
    rm -rf ca && mv kept ca
}
tampered "a changed entry" "UPDATE log SET subject = 'O=visa, OU=merchant, CN=evil' WHERE place = 20"
tampered "a changed time" "UPDATE log SET at = at + 1 WHERE place = 3"
tampered "a removed entry" "DELETE FROM log WHERE place = 5"
tampered "a removed entry with the rest moved up" "DELETE FROM log WHERE place = 5; UPDATE log SET place = place - 1 WHERE place > 5"
tampered "reordering" "UPDATE log SET place = -1 WHERE place = 5; UPDATE log SET place = 5 WHERE place = 6; UPDATE log SET place = 6 WHERE place = -1"
tampered "a cut end" "DELETE FROM log WHERE place = (SELECT max(place) FROM log)"
tampered "a cut end with its head" "DELETE FROM log WHERE place = (SELECT max(place) FROM log); UPDATE head SET entries = entries - 1, hash = (SELECT hash FROM log ORDER BY place DESC LIMIT 1)"
tampered "a head that is gone" "DELETE FROM head"
tampered "a certificate taken out of the database" "DELETE FROM certificates WHERE serial = (SELECT serial FROM certificates ORDER BY place DESC LIMIT 1)"
tampered "a revocation taken back" "DELETE FROM revocations WHERE place = (SELECT min(place) FROM revocations)"
tampered "a CRL set back" "UPDATE crls SET crl_number = 1 WHERE authority = 'visa.mca'"
tampered "a renewal that is cut off from what it renews" "UPDATE certificates SET parent = '' WHERE parent <> ''"
tampered "one that is hung on another" "UPDATE certificates SET parent = (SELECT serial FROM certificates ORDER BY place DESC LIMIT 1) WHERE place = (SELECT max(place) FROM certificates WHERE parent <> '')"
tampered "a parent where there was none" "UPDATE certificates SET parent = (SELECT serial FROM certificates ORDER BY place LIMIT 1) WHERE place = (SELECT max(place) FROM certificates WHERE parent = '' AND profile = 'merchant-sign')"
tampered "a certificate whose end was put off" "UPDATE certificates SET not_after = not_after + 86400000 WHERE place = (SELECT max(place) FROM certificates)"
tampered "a revoked one that ended so long ago that no list names it" "UPDATE certificates SET not_after = 1000 WHERE serial = (SELECT serial FROM revocations ORDER BY place LIMIT 1)"
tampered "one that begins later" "UPDATE certificates SET not_before = not_before + 1000 WHERE place = (SELECT max(place) FROM certificates)"
tampered "one that may be renewed for longer" "UPDATE certificates SET latest = not_after + 1000 WHERE place = (SELECT max(place) FROM certificates)"
tampered "another profile" "UPDATE certificates SET profile = 'root' WHERE place = (SELECT max(place) FROM certificates)"
tampered "another brand" "UPDATE certificates SET brand = 'maestro' WHERE brand = 'visa'"
tampered "a certificate that another entry tells of" "UPDATE certificates SET place = 1000000 WHERE place = (SELECT max(place) FROM certificates)"
tampered "another reason of a revocation" "UPDATE revocations SET reason = 'superseded' WHERE reason = 'keyCompromise'"
tampered "a list that seems to be good for longer" "UPDATE crls SET next_update = next_update + 86400000 WHERE authority = 'visa.cca'"
tampered "an authority of another kind" "UPDATE authorities SET kind = 'mca' WHERE name = 'visa.cca'"
tampered "an authority that seems to be newer" "UPDATE authorities SET place = 1000000 WHERE name = 'visa.cca'"
tampered "another entry's signature" "UPDATE log SET signature = (SELECT signature FROM log WHERE place = 4) WHERE place = 3"
# Two logs that went on from the same place, both signed by the same keys: the end of one does not
# fit behind the middle of the other, though each entry and the head hold by themselves.
rm -rf kept fork && cp -a ca kept && cp -a ca fork
"$bin/setpay-ca" --dir fork --passphrase-file pass crl --brand visa >out 2>&1
ca crl --brand visa >out 2>&1
middle=$(sqlite3 ca/ca.db 'SELECT max(place) FROM log')
"$bin/setpay-ca" --dir fork --passphrase-file pass crl --brand visa >out 2>&1
ok "a log that goes on by itself holds" bash -c "'$bin/setpay-ca' --dir fork log verify"
sqlite3 ca/ca.db "ATTACH 'fork/ca.db' AS fork;
    INSERT INTO log SELECT * FROM fork.log WHERE place > $middle;
    DELETE FROM crls; INSERT INTO crls SELECT * FROM fork.crls;
    DELETE FROM head; INSERT INTO head SELECT * FROM fork.head"
ok "rule C3: the end of another log is found" bash -c "'$bin/setpay-ca' --dir ca log verify; [ \$? -eq 5 ]"
rm -rf ca && mv kept ca
ok "the log holds again" ca log verify --witness "$head"
newer=$(ca --json log verify | jq -r .head)
rm -rf ca && mv earlier ca
ok "a log set back with its head holds by itself" ca log verify
ok "and a witness finds it" bash -c "'$bin/setpay-ca' --dir ca log verify --witness $newer; [ \$? -eq 5 ]"

echo "1..$n"
[ "$failures" -eq 0 ]
