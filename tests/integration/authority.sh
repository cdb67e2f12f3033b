#!/usr/bin/env bash
# Authorities that are replaced while all daemons work: what the one before has issued pays on, what
# the next one issues pays too, and when the one before is revoked its cards are refused by that
# reason. And an authority whose list can't be made is seen, and keeps no other's from being made.
# Rules A3, C3.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }
umask 077
mkdir "$sandbox"
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
url=$(get .ca_url)

# ------------------------------------------------------------------ small helpers
enrol() { # LABEL PAN
    local made
    rm -f "$tmp/line"
    made=$(printf '%s\n3012\n' "$2" | ca --json enrolment make --brand visa -o "$tmp/line") && ca enrolment import "$tmp/line" >/dev/null
    printf '%s\n' "$(jq -r .secret <<<"$made")" "$2" 3012 |
        wallet --json card enrol --url "$url" --brand visa --label "$1" --id "$(jq -r .id <<<"$made")"
}
issuer_of() { # LABEL: the CN of who has issued the card's certificate
    sql wallet "SELECT hex(certificate) FROM signing_key k JOIN card c ON c.id = k.card WHERE c.label = '$1' AND role = 1" |
        sed 's/../\\x&/g' | xargs -0 printf '%b' | openssl x509 -inform DER -noout -issuer -nameopt RFC2253 | sed 's/.*CN=\([^,]*\).*/\1/'
}
status_of() { wallet --json list | jq -r --arg x "$1" '.purchases[] | select(.xid == $x).status'; }
is_authorised() { [ "$(status_of "$1")" = authorised ]; }
# A merchant or a gateway that has not the list of a new authority yet fetches it, and repeats.
pays() { # LABEL
    new_order 1100 EUR
    wallet --json pay "$uri" --yes --card "$1" >"$tmp/paid" 2>"$tmp/words"
    xid=$(jq -r .xid "$tmp/paid")
    cat "$tmp/paid" "$tmp/words"
    wait_for 60 is_authorised "$xid"
}
admin_of() { sed -n 's,^admin_address = ,http://,p' "$sandbox/$1.conf"; }
ready() { curl -fsS "$(admin_of "$1")/readyz"; }
not_ready() { curl -sS "$(admin_of "$1")/readyz" | grep -q -- "$2" && ! ready "$1"; }
figure() { curl -fsS "$(admin_of ca)/metrics" | sed -n "s/^$1 //p"; }
logged() { grep -q "$2" "$(get ".logs.$1")"; }
reloads() { grep -c 'event=daemon.reload' "$(get ".logs.$1")"; }
hup() { # DAEMON
    local before
    before=$(reloads "$1")
    kill -HUP "$(pid_of "$1")"
    reloaded() { [ "$(reloads "$1")" -gt "$before" ]; }
    wait_for 20 reloaded "$1"
}
renews() { "$bin/setpay-$1" --config "$sandbox/$1.conf" enrol --url "$url" --brand visa --renew; }
renewed_by() { # PARTY: its operator renews all certificates of the brand, once its daemon does not do so
    wait_for 20 renews "$1" && hup "$1"
}
cn_of() { openssl x509 -in "$1" -noout -issuer -nameopt RFC2253 | sed 's/.*CN=\([^,]*\).*/\1/'; }

# ------------------------------------------------------------------ who issues cards
ok "a card is enrolled" enrol old 4242424242424242
is "by the first CCA" "$(issuer_of old)" cca-1
ok "and pays" pays old
ok "another card is enrolled" enrol renewed 4000005700009781
first=$(ca --json list --brand visa | jq -r '.certificates[] | select(.profile == "cca").serial')
ok "an authority that there is not" eval '! ca authority renew visa.xca'
ok "a brand that there is not" eval '! ca authority renew amex.cca'
ok "the root has none after it, and it is said what to do" eval '! ca authority renew root 2>"$tmp/words"; grep -q "another CA" "$tmp/words"'
ok "another CCA takes its place, while all work" eval 'ca --json authority renew visa.cca >"$tmp/made"'
is "it has a name and a number" "$(jq -r '"\(.authority) \(.former) \(.former_serial)"' "$tmp/made")" "visa.cca-2 visa.cca $first"
ok "its chain holds" openssl verify -CAfile "$sandbox/ca/root.pem" -untrusted "$sandbox/ca/certificates/visa.cca-2.pem" "$sandbox/ca/certificates/visa.cca-2.pem"
ok "its key is private and encrypted" eval '[ "$(stat -c %a "$sandbox/ca/keys/visa.cca-2.key")" = 600 ] && grep -q ENCRYPTED "$sandbox/ca/keys/visa.cca-2.key"'
ok "it is in the log" eval 'ca --json log show | jq -e ".entries[] | select(.action == \"successor\" and (.subject | contains(\"CN=cca-2\")))"'
ok "which holds" ca log verify
is "its list is served with the others" "$(curl -sS --cacert "$sandbox/ca/root.pem" "$url/crls" | grep -c 'BEGIN X509 CRL')" 10
for party in cca cca-2; do
    is "and $party's by its name" "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$sandbox/ca/root.pem" "$url/crls/visa.$party.crl")" 200
done
ok "a new card is enrolled" enrol new 4000000000090409
is "by the second" "$(issuer_of new)" cca-2
ok "it pays: who judges it fetches the list" pays new
ok "the old one pays" pays old
ok "the wallet renews a card" wallet card renew renewed
is "by the second" "$(issuer_of renewed)" cca-2
ok "which pays" pays renewed
for party in wallet merchant gateway ca; do
    ok "$party: is ready" wait_for 20 ready "$party"
done

# ------------------------------------------------------------------ who issues to merchants and gateways
ok "another MCA takes the place of the first" ca authority renew visa.mca
served() { openssl s_client -connect "${url#https://}" -showcerts </dev/null 2>/dev/null | openssl x509 -noout -issuer -nameopt RFC2253 | grep -q CN=mca-2; }
ok "the authority's own server is certified by it, by itself" wait_for 20 served
ok "the merchant renews its certificates" renewed_by merchant
is "by the second" "$(cn_of "$sandbox/merchant/visa/sign.pem")" mca-2
ok "the old card pays there" pays old
ok "another PCA takes the place of the first" ca authority renew visa.pca
ok "the gateway renews its certificates" renewed_by gateway
is "by the second" "$(cn_of "$sandbox/gateway/visa/encrypt.pem")" pca-2
ok "the new card pays there" pays new
ok "another CA of the brand takes the place of the first" ca authority renew visa.brand
ok "and a CCA under it" ca authority renew visa.cca
is "it has both above it" "$(openssl x509 -in "$sandbox/ca/certificates/visa.cca-3.pem" -noout -subject -issuer -nameopt RFC2253 | sed 's/.*CN=\([^,]*\).*/\1/' | tr '\n' ' ')" 'cca-3 brand-2 '
ok "a third card is enrolled" enrol third 4242424242424242
ok "it pays" pays third
ok "and so does the old one" pays old

# ------------------------------------------------------------------ the first is revoked
ok "the first CCA is revoked" ca revoke "$first" --reason cACompromise
is "the registry knows" "$(ca --json show "$first" | jq -r .revoked)" true
ok "the lists go to the parties" ca crl -o "$sandbox/crls"
for party in gateway merchant wallet; do ok "$party: has read them" hup "$party"; done
refused() {
    new_order 1200 EUR
    wallet --json pay "$uri" --yes --card old >"$tmp/paid" 2>"$tmp/words"
    cat "$tmp/paid" "$tmp/words"
    [ "$(order_status "$order_id")" != authorised ] && ! is_authorised "$(jq -r .xid "$tmp/paid")"
}
lines=$(wc -l <"$(get .logs.merchant)")
since() { tail -n "+$((lines + 1))" "$(get .logs.merchant)" | grep -q "$1"; }
ok "the old card pays no more" refused
ok "rule A3: since it is revoked" wait_for 20 since 'error=CERT_REVOKED rule=A3'
ok "and not for want of a list" eval '! since "error=CRL_"'
ok "the new one does" pays new
ok "and the third" pays third
ok "another card is enrolled" enrol fourth 4000005700009781
is "by the newest" "$(issuer_of fourth)" cca-3
ok "doctor is content" ca doctor
for party in wallet merchant gateway ca; do
    ok "$party: is ready" wait_for 20 ready "$party"
done

# ------------------------------------------------------------------ a list that can't be made
kept=$sandbox/ca/keys/visa.brand-2.key
mv "$kept" "$tmp/kept.key"
number() { sqlite3 -readonly "$sandbox/ca/ca.db" "SELECT crl_number FROM crls WHERE authority = '$1'"; }
before=$(number visa.pca-2)
sqlite3 -cmd '.timeout 5000' "$sandbox/ca/ca.db" "UPDATE crls SET this_update = 1000, next_update = 2000 WHERE authority IN ('visa.brand-2', 'visa.pca-2')"
made() { [ "$(number visa.pca-2)" -gt "$before" ]; }
ok "of two lists that are due the one is made" wait_for 20 made
ok "the other is not, and the log names it" wait_for 20 logged ca 'event=crl.failed .*authority=visa.brand-2'
ok "the authority is not ready, and says which" wait_for 20 not_ready ca 'lists.*visa.brand-2'
ok "a figure says how late it is" eval '[ "$(figure "setpay_ca_lists_seconds_left{kind=\"brand\"}")" -lt 0 ]'
ok "and of the others how long they last" eval '[ "$(figure "setpay_ca_lists_seconds_left{kind=\"pca\"}")" -gt 3600 ]'
ok "a figure counts the failures" eval '[ "$(figure "setpay_ca_lists_total{result=\"failed\"}")" -gt 0 ]'
mv "$tmp/kept.key" "$kept"
ok "the key is back: so is the list" wait_for 20 ready ca
ok "and the log holds" ca log verify
done_testing
