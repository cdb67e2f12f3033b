#!/usr/bin/env bash
# Backups of all four parties while they take payments, and what comes of them: a gateway that forgot
# authorisations gives none twice, and all four on a new machine have everything up to the backup, and
# refuse what they may have done after it (rules G12, M10, W8, C4). And every way in which a backup or
# a restore can't be made: a clear word, and nothing is changed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
echo "# failures count as: lost or made twice"
cleanup() {
    [ -z "${stream:-}" ] || kill -TERM "$stream" 2>/dev/null
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
    [ -z "${mounted:-}" ] || umount "$mounted" 2>/dev/null
}
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }
passphrase=(--passphrase-file "$sandbox/wallet.passphrase")
stopped_wallet() { "$bin/setpay-wallet" "$@" --config "$sandbox/wallet.conf" "${passphrase[@]}"; }

# says WORDS COMMAND...: it fails, and these words are in what it says.
says() {
    local words=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "it did not fail: $said"
        return 1
    fi
    echo "$said"
    grep -qF -- "$words" <<<"$said"
}
term() { # term DAEMON: and wait
    local pid
    pid=$(pid_of "$1")
    kill -TERM "$pid"
    wait_gone "$pid"
}
hup() { # DAEMON: until it has loaded its files again
    local log=$sandbox/log/$1.log before
    before=$(grep -c 'event=daemon.reloaded' "$log")
    kill -HUP "$(pid_of "$1")"
    reloaded() { [ "$(grep -c 'event=daemon.reloaded' "$log")" -gt "$before" ]; }
    wait_for 20 reloaded
}
renewed() { "$1" enrol --url "$(get .ca_url)" --brand visa --renew; }
renews() { wait_for 20 renewed "$1" && hup "$1"; } # PARTY; its daemon may be at it just then
earlier() { (cd "$1" && ls */visa/*.*.* 2>/dev/null | grep -E '\.[0-9a-f]{16}$' | tr '\n' ' '); } # FOLDER
settled() { [ "$(order_status "$1")" = "$2" ]; }
voids() { api POST "/orders/$1/void" '{}' >/dev/null; wait_for 20 settled "$1" voided; }
xids() { wallet --json list | jq -r '.purchases[] | select(.status == "authorised").xid' | sort; }
pay() { wallet --json pay "$uri" --yes "$@"; }

ok "the sandbox comes up" up
[ -f "$state" ] || { tail -n 30 "$sandbox"/log/*; done_testing; }
b=$tmp/backups
mkdir "$b"
# A bundle of a system's, which is as long as it is.
for _ in $(seq 2000); do cat "$sandbox/ca/root.pem"; done >"$tmp/bundle.pem"
ok "a bundle of authorities for webhooks, longer than what a backup takes" \
    test "$(stat -c %s "$tmp/bundle.pem")" -gt $((1024 * 1024))
ok "the merchant goes on with it" restart_with merchant "webhook_ca_file = $tmp/bundle.pem"

# ------------------------------------------------------------------ while they take payments
orders=()
for amount in 1001 1002 1003; do
    new_order $amount EUR
    orders+=("$order_id")
    pay >/dev/null || break
done
before=$(xids)
is "three purchases stand" "$(wc -w <<<"$before")" 3
for party in gateway merchant; do
    ok "the $party renews what they were signed with" renews "$party"
done
kept=$(earlier "$sandbox")
# The merchant hears of the gateway's new certificates within five minutes, or when it starts. Offers
# until then name those of before; below, one of them is refused to a merchant that has started since,
# which believes it by the chain beside the refusal.
is "the pairs before stand beside those in use" "$(wc -w <<<"$kept")" 6
signing=$(tr ' ' '\n' <<<"$kept" | grep /sign | tr '\n' ' ')
new_order 1004 EUR
open_uri=$uri open_order=$order_id
(
    trap 'exit 0' TERM
    for amount in $(seq 2000 2100); do
        new_order "$amount" EUR
        pay >/dev/null
        echo $? >>"$tmp/stream"
    done
) &
stream=$!
ok "a stream of purchases has begun" wait_for 10 grep -q . "$tmp/stream"
wallet rule add --merchant any-shop --amount "1.00 EUR" --per-day "1.00 EUR" >/dev/null
ok "the wallet's backup" wallet backup "$b/wallet"
ok "the merchant's backup" merchant backup "$b/merchant"
ok "the gateway's backup" gateway backup "$b/gateway"
ok "the authority's backup" ca backup "$b/ca"
kill -TERM "$stream"
wait "$stream" 2>/dev/null
stream=''
is "no purchase failed meanwhile" "$(sort -u "$tmp/stream")" 0
is "their modes" "$(stat -c %a "$b"/* | sort -u)" 600
is "nothing else was left there" "$(ls "$b" | tr '\n' ' ')" "ca gateway merchant wallet "
ok "the wallet's is whole" wallet backup --verify "$b/wallet" "${passphrase[@]}"
ok "the merchant's is whole" merchant backup --verify "$b/merchant"
ok "the gateway's is whole" gateway backup --verify "$b/gateway"
ok "the authority's is whole" ca backup --verify "$b/ca"
mkdir "$tmp/tar"
ok "tar opens the gateway's" tar -xf "$b/gateway" -C "$tmp/tar"
(cd "$tmp/tar" && sha256sum --quiet -c SHA256SUMS) >"$tmp/sums" 2>&1
is "and sha256sum finds it whole" "$(cat "$tmp/sums")" ""
vault=$(cat "$sandbox/gateway/vault.key")
ok "the vault's key is not in it" says "" grep -rqF "$vault" "$tmp/tar"
mkdir "$tmp/tar.merchant"
tar -xf "$b/merchant" -C "$tmp/tar.merchant"
is "no sealed instruction is in the merchant's (rule M7)" \
    "$(sqlite3 "$tmp/tar.merchant/database" 'SELECT count(*) FROM instruction')" 0
is "nor are the authorities that a machine has of its own" "$(tar -tf "$b/merchant" | grep -c webhook_ca)" 0
is "which is said" "$(merchant --json backup --verify "$b/merchant" | jq -r '.apart[] | "\(.key) \(.path) \(.machine)"')" \
    "webhook_ca_file $tmp/bundle.pem true"
ok "in plain words" says "Not in it: $tmp/bundle.pem (webhook_ca_file; every machine has its own)" \
    sh -c '"$@"; exit 1' sh "$bin/setpay-merchant" --config "$sandbox/merchant.conf" backup --verify "$b/merchant"
in_tar() { tar -tf "$1" | grep -E '\.[0-9a-f]{16}$' | sed 's,.*/,,' | sort | tr '\n' ' '; }
digits() { tr ' ' '\n' <<<"$signing" | sed -n "s,^$1/.*\.key\.,,p"; } # PARTY: of its earlier pair
for party in gateway merchant; do
    is "the earlier pair for signing is in that of the $party, and none for envelopes" "$(in_tar "$b/$party")" \
        "sign_cert.$(digits "$party") sign_key.$(digits "$party") "
done
counted() { "$1" --json backup --verify "$b/$1" | jq -r '[.files[] | select(.earlier) | .name] | length'; }
is "which is counted" "$(counted gateway) $(counted merchant)" "2 2"
ok "nothing of a purchase can be read in the wallet's" says "" grep -qa "The Sandbox Shop" "$b/wallet"

new_order 2500 EUR
forgotten=$(pay | jq -r .xid)
is "one more purchase, after the backups" "$(order_status "$order_id")" authorised

# ------------------------------------------------------------------ what can't be made
kept=$(sha256sum <"$b/gateway")
mkfifo "$tmp/fifo"
ln -s nowhere "$tmp/link"
ok "a file that is there: refused" says "exists already (a file)" gateway backup "$b/gateway"
is "and left as it is" "$(sha256sum <"$b/gateway")" "$kept"
ok "a FIFO: refused, and not waited for" says "exists already (a FIFO)" timeout 5 "$bin/setpay-gateway" \
    --config "$sandbox/gateway.conf" backup "$tmp/fifo"
ok "a link that leads nowhere: refused" says "exists already (a symbolic link)" merchant backup "$tmp/link"
ok "a folder: refused" says "exists already (a folder)" wallet backup "$tmp"
ok "a folder that is not there: refused" says "its folder is not there" ca backup "$tmp/none/file"
ok "final, of a daemon that runs: refused" says "stop it before its final one" gateway backup --final "$tmp/final"
ok "final, of an authority that runs: refused" says "stop it before its final one" ca backup --final "$tmp/final"
wallet lock >/dev/null
ok "of a locked wallet: refused" says "unlock" wallet backup "$tmp/locked"
wallet unlock "${passphrase[@]}" >/dev/null
mkdir "$tmp/small"
if mount -t tmpfs -o size=64k tmpfs "$tmp/small" 2>/dev/null; then
    mounted=$tmp/small
    ok "a full disk: a clear word" says "the disk is full" gateway backup "$tmp/small/backup"
    is "and nothing is left on it" "$(ls -A "$tmp/small")" ""
    umount "$tmp/small" && mounted=''
else
    ok "a full disk (not tried # SKIP this user may not mount)" true
fi
pid=$(pid_of gateway)
crash_at gateway store.copied 1 >/dev/null
ok "the daemon dies in the middle" says "" gateway backup "$b/half"
wait_gone "$pid"
ok "there is no backup then" test ! -e "$b/half"
rm -f "$b"/half.*
ok "and it comes back" up
ok "and a backup is made" gateway backup "$tmp/again"

# ------------------------------------------------------------------ what can't be restored
db=$(sha256sum "$sandbox"/db/gateway.db | cut -d ' ' -f 1)
ok "over a daemon that runs: refused" says "in use by process" gateway restore "$b/gateway"
ok "over an authority that runs: refused" says "in use by process" ca restore "$b/ca" --crls "$sandbox/crls" --force
term gateway
db=$(sha256sum <"$sandbox/db/gateway.db")
ok "over a database that is there: refused" says "is kept aside as" gateway restore "$b/gateway"
ok "another party's: refused" says "is the backup of a merchant; expected one of a gateway" gateway restore "$b/merchant" --force
ok "a wallet's: refused" says "is the backup of a wallet" gateway restore "$b/wallet" --force
ok "a gateway's for a wallet: refused" says "is the backup of a gateway" stopped_wallet restore "$b/gateway"
ok "no backup at all: refused" says "is no backup of setpay" gateway restore "$sandbox/gateway.conf" --force
ok "a FIFO: refused, and not waited for" says "is no regular file" timeout 5 "$bin/setpay-gateway" \
    --config "$sandbox/gateway.conf" restore "$tmp/fifo" --force
size=$(stat -c %s "$b/gateway")
for part in 3 50 90; do
    head -c $((size * part / 100)) "$b/gateway" >"$tmp/cut"
    ok "cut off after $part %: refused" says "$tmp/cut: is " gateway restore "$tmp/cut" --force
done
cp "$b/gateway" "$tmp/changed"
flip "$tmp/changed" $((size / 2))
ok "a byte changed: refused, and it says of what" says "database in it is not what it was" gateway restore "$tmp/changed" --force
cp "$b/wallet" "$tmp/changed"
flip "$tmp/changed" $(($(stat -c %s "$b/wallet") / 2))
ok "a sealed one's: refused" says "was changed or cut off" wallet backup --verify "$tmp/changed" "${passphrase[@]}"
echo another passphrase >"$tmp/wrong" && chmod 600 "$tmp/wrong"
ok "another passphrase: refused" says "the passphrase does not open this backup" \
    wallet backup --verify "$b/wallet" --passphrase-file "$tmp/wrong"
(cd "$tmp/tar" && jq '.schema = 99' manifest.json >m && mv m manifest.json &&
    sed -i "1s/.*/$(sha256sum manifest.json)/" SHA256SUMS &&
    tar -cf "$tmp/newer" $(jq -r '"manifest.json", "configuration", .files[].name' manifest.json) database SHA256SUMS)
ok "a newer version's: refused" says "newer than this program" gateway restore "$tmp/newer" --force
# An archive of a version that kept no earlier pairs.
(cd "$tmp/tar.merchant" && jq 'del(.files[] | select(.earlier))' manifest.json >m && mv m manifest.json &&
    sha256sum $(jq -r '"manifest.json", "configuration", .files[].name' manifest.json) database >SHA256SUMS &&
    tar -cf "$tmp/older" $(sed 's/^[^ ]*  //' SHA256SUMS) SHA256SUMS)
mkdir "$tmp/elsewhere"
sed -e "s,$sandbox,$tmp/elsewhere,g" -e "1a webhook_ca_file = $tmp/none.pem" "$sandbox/merchant.conf" \
    >"$tmp/elsewhere/merchant.conf"
ok "one of before there were earlier pairs in backups: is whole" merchant backup --verify "$tmp/older"
"$bin/setpay-merchant" --config "$tmp/elsewhere/merchant.conf" --json restore "$tmp/older" >"$tmp/restored"
is "and restored; it says what of its own this machine lacks" "$(jq -r '.bring[]' "$tmp/restored")" "$tmp/none.pem"
is "without them" "$(earlier "$tmp/elsewhere") $(stat -c %a "$tmp/elsewhere/merchant/visa/sign.key")" " 600"
ok "as moved, though it stayed in use: refused" says "--moved is for a final backup" gateway restore "$b/gateway" --force --moved
is "the database is what it was" "$(sha256sum <"$sandbox/db/gateway.db")" "$db"
is "and nothing lies beside it" "$(ls "$sandbox/db" | grep -c restor)" 0
ok "the gateway comes back" up

# ------------------------------------------------------------------ a gateway that forgot (rule G12)
# It has authorised, and is put back to before; the merchant has not heard, and asks with the very
# same bytes.
new_order 3000 EUR
holds=$(open_holds)
pid=$(pid_of merchant)
crash_at merchant gateway.answered 1 >/dev/null
timeout 60 "$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes >"$tmp/paid" 2>&1 &
payer=$!
wait_gone "$pid"
is "the issuer holds the amount" "$(open_holds)" $((holds + 1))
asked=$(sqlite3 "$sandbox/db/merchant.db" 'SELECT hex(rrpid) FROM gateway_request ORDER BY id DESC LIMIT 1')
term gateway
ok "the gateway is restored" gateway restore "$b/gateway" --force
is "what was there is kept" "$(ls "$sandbox"/db/gateway.db.before-* | wc -l)" 1
ok "all come up" up
wait "$payer"
refused() { grep "request.refused" "$sandbox/log/gateway.log" | grep -i "rrpid=$asked" | grep -q "rule=G12"; }
ok "the same request is refused (rule G12)" wait_for 10 refused
voided() { [ "$(api GET "/orders/$order_id" | jq -r '.payments[0].status')" = voided ]; }
ok "the merchant voids the purchase" wait_for 10 voided
is "nothing was authorised twice" "$(open_holds)" $((holds + 1))
ok "the wallet has the gateway's word for it" wait_for 10 nothing_pending
new_order 3001 EUR
pay >/dev/null 2>&1
is "an instruction that ends within the hour is refused too" "$(api GET "/orders/$order_id" | jq -r '.payments[0].status')" voided
is "and not brought to the issuer" "$(open_holds)" $((holds + 1))

# ------------------------------------------------------------------ all of them, on a new machine
revoked=$(ca --json list --brand visa | jq -r '[.certificates[] | select(.profile == "cardholder-sign")][-1].serial')
ok "a certificate is revoked after the backup" ca revoke "$revoked" --reason keyCompromise
ca bundle gateway --brand visa --id lost --dns localhost --out "$tmp/lost" >/dev/null
unknown=$(ca --json show --certificate "$tmp/lost/sign.pem" | jq -r .serial)
ok "and one that the backup does not know" ca revoke "$unknown" --reason superseded
ok "the parties have the lists" ca crl -o "$sandbox/crls"
new_order 3002 EUR
lost_uri=$uri
holds=$(open_holds)
down >/dev/null 2>&1
mv "$sandbox" "$sandbox.old"
mkdir -p "$sandbox/gateway" "$sandbox/merchant" "$sandbox/db"
(cd "$sandbox.old" && cp -rp ports ./*.passphrase crls ca.server "$sandbox" && cp -p db/issuer.db "$sandbox/db" &&
    cp -p merchant/api.token "$sandbox/merchant")

ok "an authority without the lists: refused" says "--crls DIR is needed" ca restore "$b/ca"
mkdir "$tmp/none"
ok "with a folder that lacks one: refused" says "root.crl: no such file" ca restore "$b/ca" --crls "$tmp/none"
ok "with another passphrase: refused" says "passphrase" "$bin/setpay-ca" --dir "$sandbox/ca" \
    --passphrase-file "$tmp/wrong" restore "$b/ca" --crls "$sandbox/crls"
is "and nothing is there" "$(ls "$sandbox" | grep -c '^ca\.rest\|^ca$')" 0
ok "the authority" ca restore "$b/ca" --crls "$sandbox/crls"
"$bin/setpay-gateway" --config "$sandbox/gateway.conf" --json restore "$b/gateway" >"$tmp/restored"
is "the gateway: it says what to bring" "$(jq -r '.bring[]' "$tmp/restored" | sort | sed "s,$sandbox/gateway/,," | tr '\n' ' ')" \
    "mastercard/encrypt.key mastercard/encrypt.pem vault.key visa/encrypt.key visa/encrypt.pem "
ok "the merchant" merchant restore "$b/merchant"
ok "the wallet" stopped_wallet restore "$b/wallet"
is "earlier pairs for signing stand beside those in use again, and none for envelopes" "$(earlier "$sandbox")" "$signing"
same() { for file in $signing; do cmp "$sandbox.old/$file" "$sandbox/$file" || return 1; done; }
ok "as they were" same
is "their keys are their owner's alone" "$(stat -c %a "$sandbox"/*/visa/sign.key.* | sort -u)" 600
(cd "$sandbox.old" && cp -p --parents gateway/vault.key gateway/*/encrypt.key gateway/*/encrypt.pem "$sandbox")
cp -p "$sandbox.old/ca/cards.key" "$sandbox/ca"
is "keys have their modes" "$(find "$sandbox" -name '*.key' -printf '%m\n' | sort -u)" 600
for name in gateway merchant wallet; do
    ok "the configuration of the $name is the one that was" cmp "$sandbox.old/$name.conf" "$sandbox/$name.conf"
done
ok "all come up" up
ok "the authority's log holds" ca log verify
ok "and it finds nothing wrong" ca doctor
only_the_revoked() {
    wallet doctor >"$tmp/doctor"
    cat "$tmp/doctor"
    [ "$(grep '^ *FAIL' "$tmp/doctor" | grep -vc 'certificate of the chain is revoked')" = 0 ] && grep -q 'is revoked' "$tmp/doctor"
}
ok "the wallet finds the card that was revoked, and nothing else" only_the_revoked

rules() { wallet --json rule list | jq -r '.rules[].status'; }
is "a spending rule came back, and agrees to nothing (rule W4)" "$(rules)" from_backup
is "every purchase of before is in the wallet" "$(comm -23 <(echo "$before") <(xids))" ""
shown() { for xid in $before; do "$1" --json "$2" show "$xid" | jq -r .status; done | sort -u; }
is "at the gateway" "$(shown gateway payment)" approved
is "and at the merchant" "$(shown merchant purchase)" authorised
receipts() { for xid in $before; do wallet --json receipt "$xid" | jq -e '.receipts | length >= 1' >/dev/null || return 1; done; }
ok "with their receipts" receipts
is "what came after is forgotten" "$(xids | grep -c "$forgotten")$(sql merchant "SELECT count(*) FROM purchase WHERE hex(xid) = upper('$forgotten')")$(
    sql gateway "SELECT count(*) FROM payment WHERE hex(xid) = upper('$forgotten')")" 000

crl() { openssl crl -in "$sandbox/crls/visa.$1.crl" -noout -text; }
number() { openssl crl -in "$1" -noout -crlnumber | sed 's/.*=0x//'; }
for of in cca pca; do
    ok "numbers of lists have not gone back: visa.$of (rule C4)" \
        test $((16#$(number "$sandbox/crls/visa.$of.crl"))) -gt $((16#$(number "$sandbox.old/crls/visa.$of.crl")))
done
ok "what was revoked is revoked" grep -qi "$revoked" <(crl cca)
ok "also what the authority does not know" grep -qi "$unknown" <(crl pca)
is "no secret of an enrolment is good" "$(ca --json enrolment list | jq '.enrolments | length')" 0

is "an order that was open has expired (rule M10)" "$(order_status "$open_order")" expired
ok "its link is refused" says "" wallet --json show "$open_uri"
uri=$lost_uri
ok "a link that nobody knows: the wallet does not pay it (rule W8)" says "may be among it" pay
new_order 4000 EUR
is "nor a new one" "$(pay 2>/dev/null | jq -r '.error | "\(.name) \(.rule) \(.exit)"')" "FORGOTTEN W8 1"
pay --insist >"$tmp/out" 2>&1
is "with the person's word the gateway refuses it (rule G12)" "$(api GET "/orders/$order_id" | jq -r '.payments[0].status')" voided
is "nothing more is held" "$(open_holds)" "$holds"
clocks() {
    local daemon
    for daemon in issuer gateway merchant wallet; do
        control "$(admin_socket "$daemon")" '{"id":1,"command":"testing.clock","args":{"offset_ms":4020000}}' | jq -e .ok || return 1
    done
}
ok "67 minutes pass" clocks
new_order 4001 EUR
ok "and it pays, with the person's word" pay --insist
is "which is authorised" "$(order_status "$order_id")" authorised

ok "a payment under the certificates of before is given back" voids "${orders[0]}"

# ------------------------------------------------------------------ a move
ok "the gateway stops" term gateway
ok "its final backup" gateway backup --final "$b/gateway.final"
mv "$sandbox/gateway" "$tmp/moved"
ok "it is restored where its files are not" gateway restore "$b/gateway.final" --force --moved
is "with the earlier pairs" "$(earlier "$sandbox")" "$signing"
is "and their modes" "$(find "$sandbox/gateway" -name '*.key*' -printf '%m\n' | sort -u)" 600
(cd "$tmp/moved" && cp -p --parents vault.key */encrypt.* "$sandbox/gateway")
ok "the wallet stops" term wallet
ok "its final backup" stopped_wallet backup --final "$b/final"
ok "it does not start there any more" says "put out of service by the final backup" \
    timeout 20 "$bin/setpay-walletd" --config "$sandbox/wallet.conf"
ok "once more, should the first be lost" stopped_wallet backup --final "$b/final2"
ok "it goes on where that is restored" stopped_wallet restore "$b/final" --force --moved
ok "all come up once more" up
ok "67 minutes have passed" clocks
new_order 4002 EUR
ok "the gateway gives back a payment under the certificates of before" voids "${orders[1]}"
ok "and the wallet forgot nothing: the rule of before still holds" says "may be among it" pay
done_testing
