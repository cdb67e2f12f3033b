#!/usr/bin/env bash
# The explorer: the page of a real purchase, captured and refunded, shows in each party's column what
# that party holds and nothing else; no secret is on it, in whatever encoding; hostile words stay
# words; and what was edited in a database is told loudly, by the name of who holds it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
tools=$build/tests/integration/privacy
page=$sandbox/explorer.html

explore() { "$bin/setpay-sandbox" explore --dir "$sandbox" "$@" >"$tmp/said" 2>"$tmp/problem"; }
says() { # STATUS WORDS ORDER...: explore ends so, and says that
    local status=$1 words=$2
    shift 2
    explore "$@"
    is "explore $*: exit status" $? "$status"
    ok "and its words" grep -qF -- "$words" "$tmp/said" "$tmp/problem"
}
# What people see of some HTML.
words_of() {
    sed -e 's/<[^>]*>/ /g' | tr -s ' \n' ' ' |
        sed -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&quot;/"/g' -e "s/&#39;/'/g" -e 's/&amp;/\&/g'
}
# column PARTY: the cells of that party in all rows.
column() { awk -v start="<article class=\"party $1 " 'index($0, start) { on = 1 } on { print } /<\/article>/ { on = 0 }' "$page"; }
# cell PARTY NAME: its cell in the first row of that name; state PARTY NAME: how it stands there.
cell() { column "$1" | awk -v start="aria-label=\"${1^}: $2\"" 'index($0, start) && !n++ { on = 1 } on { print } /<\/article>/ { on = 0 }'; }
state() { cell "$1" "$2" | sed -n 's/.*<span class="state">\([^<]*\)<.*/\1/p'; }
field() { cell "$1" "$2" | tr -d '\n' | grep -oE "<code>$3</code></th><td>.*" | sed 's,</td>.*,,' | cut -d'>' -f4- | words_of | sed 's/^ //; s/ $//'; }
holds_words() { words_of | grep -qF -- "$1"; }
has() { column "$1" | holds_words "$2"; }
has_not() { ! has "$1" "$2"; }
# Each party's line in the table of who can read what.
known() { tr -d '\n' <"$page" | grep -oE "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">$1</th>.*" | sed 's,</tr>.*,,; s,</td>,\n,g' | sed -n "$2p" | sed 's,.*<bdi>\(.*\)</bdi>.*,\1,'; }

# ------------------------------------------------------------------ before there is anything
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
says 1 "nothing has been paid in this sandbox yet"
ok "and there is no page" test ! -e "$page"
says 1 "there is no order 'ord_nobody' in this sandbox" ord_nobody
says 1 "there is no order '../../etc/passwd' in this sandbox" ../../etc/passwd
says 1 "there is no order 'x' OR '1'='1' in this sandbox" "x' OR '1'='1"
says 2 "'two' is one word too many behind explore" one two

# ------------------------------------------------------------------ a purchase, captured and refunded
item='Blue <script>alert("zq81")</script> jug & {{story.order}}'
new_order 4321 EUR "$item"
says 1 "nobody has tried to pay the order '$order_id' yet" "$order_id"
ok "it is paid" wallet --json pay "$uri" --yes
ok "captured" merchant order capture "$order_id" --amount "43.21 EUR"
says 0 "$page" "$order_id"
is "before the wallet has asked, the receipt is not there" "$(cell wallet Receipt >/dev/null; column wallet | grep -c 'It has not come here yet')" 1
ok "given back in part" merchant order refund "$order_id" --amount "12.34 EUR"
xid=$(wallet --json list | jq -r '.purchases[0].xid')
wallet status "$xid" >/dev/null
new_order 500 EUR "Another thing"
other=$order_id
order_id=$(wallet --json status "$xid" | jq -r .order_id)
first=$order_id
approval=$(wallet --json status "$xid" | jq -r .approval_code)
says 0 "$page"
ok "by default it is the newest that was paid" grep -qF "Order $order_id as three" "$page"
is "which only its owner can read" "$(stat -c %a "$page")" 600

story=$(sed -n '/<p class="story">/,/<\/p>/p' "$page" | words_of)
is "the story" "$story" " 1 × $item , for 43.21 EUR from The Sandbox Shop (order $order_id ), with the card •••• 4242. The bank has approved 43.21 EUR, approval code $approval . The merchant has captured 43.21 EUR and given 12.34 EUR back. At the merchant the purchase is now captured . One signature covers both: the order, which the gateway never saw, and the payment, which the merchant never saw. "
is "the rows, in order of time" "$(sed -n 's/.*<h3><code>\([A-Za-z]*\)<.*/\1/p' "$page" | tr '\n' ' ')" \
    "PInitReq PInitRes PReq OI PI AuthReq AuthRes Receipt PRes CapReq CapRes Receipt CredReq CredRes Receipt $(
        sed -n 's/.*<h3><code>\(Inq[A-Za-z]*\)<.*/\1/p' "$page" | tr '\n' ' ')"

# ------------------------------------------------------------------ who saw what
for row in "PInitRes|Received|Sent|Not seen" "PReq|Sent|Received|Not seen" "OI|Made|Received|Not seen" \
    "PI|Made and sealed|Passed on, sealed|Received and opened" "AuthReq|Not seen|Sent|Received" \
    "AuthRes|Not seen|Received|Sent" "Receipt|Received and opened|Passed on, sealed|Made and sealed" \
    "CapReq|Not seen|Sent|Received" "CredRes|Not seen|Received|Sent"; do
    name=${row%%|*}
    is "$name at the three" "$name|$(state wallet "$name")|$(state merchant "$name")|$(state gateway "$name")" "$row"
done
is "the wallet reads what was bought" "$(known "What was bought" 1)" "1 × Blue &lt;script&gt;alert(&quot;zq81&quot;)&lt;/script&gt; jug &amp; {{story.order}}"
is "so does the merchant" "$(known "What was bought" 2)" "$(known "What was bought" 1)"
is "the gateway does not" "$(known "What was bought" 3)" "not there"
is "nor the order's number" "$(known "Order number" 3)" "not there"
is "the wallet shows the card's last digits" "$(known "Card number" 1)" "•••• 4242"
ok "the merchant has a sealed box" grep -qxE 'in a sealed box of [0-9]+ bytes' <<<"$(known "Card number" 2)"
is "the gateway has read it" "$(known "Card number" 3)" "•••• 4242"
is "and shows its last digits, out of the instruction" "$(field gateway PI 'card\.pan')" "•••• 4242"
ok "its expiry and secrets are not shown even there" test "$(cell gateway PI | words_of | grep -oF 'read here, not shown on this page' | wc -l)" -ge 4
is "all three have the approval code" "$(known "Approval code" 1) $(known "Approval code" 2) $(known "Approval code" 3)" "$approval $approval $approval"
ok "the merchant's column has the order" has merchant "$item"
ok "and its number" has merchant "$order_id"
ok "and not the card" has_not merchant "•••• 4242"
ok "and no field of the instruction" has_not merchant card.
ok "but a box that only the gateway can open" has merchant \
    "A sealed box , $(known "Card number" 2 | tr -cd 0-9) bytes; only the gateway can open it"
ok "the gateway's column has the amount" has gateway "43.21 EUR"
ok "and not the order" has_not gateway zq81
ok "nor its number" has_not gateway "$order_id"
ok "nor what the merchant is called in the offer" has_not gateway "The Sandbox Shop"
ok "but a digest for it" test -n "$(field gateway OI oimd)"
oimd=$(sql merchant "SELECT lower(hex(oimd)) FROM purchase WHERE order_id = '$order_id'")
pomd=$(sql gateway "SELECT lower(hex(pomd)) FROM payment WHERE hex(xid) = upper('$xid')")
pimd=$(sql gateway "SELECT lower(hex(pimd)) FROM payment WHERE hex(xid) = upper('$xid')")
for digest in "OIMD $oimd" "PIMD $pimd" "POMD $pomd"; do
    ok "${digest% *} is that of the books, equal at all three" eval \
        'tr -d "\n" <"$page" | grep -oE "${digest% *} <small[^/]*/small></th><td role=\"cell\"><code class=\"hex\">${digest#* }</code></td><td role=\"cell\"><span class=\"mark good\">✓ equal at all three"'
done
is "DS is verified three times" "$(grep -c 'DS verified' "$page") $(grep -c 'DS does NOT hold' "$page")" "3 0"
ok "and all holds" grep -qF 'Everything was computed again, and holds' "$page"
# No field of a message's definition is left out: MESSAGE of the .proto file, and PARTY NAME of a cell.
left_out() {
    local field shown
    shown=$(cell "$2" "$3")
    awk -v start="message $1 {" '$0 == start { on = 1; next } /^}/ { on = 0 } on && /^ *(required|optional|repeated)/ { print $3 }' \
        proto/setpay/v1/payment.proto | while read -r field; do
        grep -qE "<code>(oi\.)?$field[].[<]" <<<"$shown" || echo "$field"
    done
    grep -q '<code>' <<<"$shown" || echo "all of them"
}
for message in "PInitRes wallet PInitRes" "OrderInformation merchant OI" "PaymentInstruction gateway PI" "AuthReq gateway AuthReq" \
    "AuthRes merchant AuthRes" "PRes merchant PRes" "StepReq merchant CapReq" "StepRes gateway CapRes" "Receipt wallet Receipt"; do
    # shellcheck disable=SC2086 # three words
    is "no field of $message is left out" "$(left_out $message)" ""
done
# What is not of one purchase: certificates, batches; and what stands inside of others.
unknown() {
    sed -n '/^enum MessageType/,/^}/s/^ *\([A-Z_]*\) = .*/\1/p' proto/setpay/v1/message.proto |
        grep -vE '^(PCERT|BATCH_ADMIN)_RE[QS]$|^(RECEIPT|ERROR)$' | while read -r type; do
        grep -q "{SETPAY_MESSAGE_$type," tests/sandbox/explorer/fields.c || echo "$type"
    done
}
is "no type of message is left out" "$(unknown)" ""
is "nor of what is in an instruction's card" "$(cell gateway PI | grep -oE '<code>card\.[a-z_]+' | sort -u | wc -l)" 6

# ------------------------------------------------------------------ what is not on it
ok "no script, not even of the order" eval '! grep -qi "<script" "$page"'
ok "no address that is not this page's" eval '! grep -qiE "(src|href|action)=\"[^#]|url\(|@import|https?://" "$page"'
style=$(sed -n '/<style>/,/<\/style>/p' "$page" | sed -e '1s/.*<style>//' -e '$s/<\/style>.*//' | head -c -1 | openssl dgst -sha256 -binary | base64)
is "its policy is the style's digest and nothing else" \
    "$(sed -n 's/.*Content-Security-Policy" content="\([^"]*\)".*/\1/p' "$page")" \
    "default-src 'none'; style-src 'sha256-$style'; base-uri 'none'; form-action 'none'"
key_marks() {
    local key
    for key in merchant/visa/{sign,tls-server,tls-client} gateway/visa/{sign,encrypt,tls-server}; do
        "$tools/open" --key "$sandbox/$key.key" key || return
    done
    printf 'key bytes %s\n' "$(cat "$sandbox/gateway/vault.key")"
}
all_marks() { "$tools/open" "$sandbox" "$order_id" && "$tools/open" --vault "$sandbox" approve && key_marks; }
ok "the marks of all secrets" eval 'all_marks >"$tmp/marks.all"'
# Postcode and house number are so short that digests have them by chance; their fields are looked at.
grep -v '^address ' "$tmp/marks.all" >"$tmp/marks"
for name in expiry pan_secret postcode house_digits; do
    is "card.$name is not shown" "$(field gateway PI "card\\.$name")" "•••• read here, not shown on this page"
done
is "nor a code that was not given" "$(field gateway PI 'card\.security_code')" "–"
seek() { "$tools/seek" "$tmp/marks" "place=file:$1" | cut -f 2 | sort -u | tr '\n' ' '; }
is "of all marks the page has the masked card, the order's number and xid" "$(seek "$page")" "cut order xid "
{ cat "$page"; printf '<p>4242 4242 4242 4242</p>'; } >"$tmp/canary"
is "a canary with the number is found" "$(seek "$tmp/canary")" "cut order pan xid "
column merchant >"$tmp/column.merchant"
column gateway >"$tmp/column.gateway"
is "in the merchant's column nothing of the card" "$(seek "$tmp/column.merchant")" "order xid "
is "in the gateway's nothing of the order" "$(seek "$tmp/column.gateway")" "cut xid "

# ------------------------------------------------------------------ edited after the fact
# edit PARTY TABLE COLUMN WHERE FROM TO: in the bytes of one row, the old ones of which stay in $before; without
# FROM the first byte is another.
edit() {
    local from to after
    before=$(sql "$1" "SELECT hex($3) FROM $2 WHERE $4")
    from=$(printf %s "$5" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F)
    to=$(printf %s "$6" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F)
    after=${before/$from/$to}
    [ -n "$5" ] || after=$(printf '%02X' $((0x${before:0:2} ^ 1)))${before:2}
    [ "$before" != "$after" ] || { echo "there is no $5 in it"; return 1; }
    put_back "$1" "$2" "$3" "$4" "$after"
}
put_back() { sqlite3 -cmd '.timeout 5000' "$sandbox/db/$1.db" "UPDATE $2 SET $3 = X'$5' WHERE $4"; }
failed() { sed -n '/class="verdict bad" role="alert"/,/<\/section>/p' "$page" | words_of; }
tampered() { # WHAT IS-SAID PARTY TABLE COLUMN WHERE FROM TO
    local what=$1 said=$2
    shift 2
    ok "$what" edit "$@"
    says 5 "NOT hold" "$order_id"
    ok "which stands at its top" eval 'failed | grep -qF "Something here does not hold"'
    ok "and says: $said" eval 'failed | grep -qF -- "$said" || { failed; false; }'
    ok "and not that all holds" eval '! grep -qF "Everything was computed again, and holds" "$page"'
    marked=$(grep -c 'This copy does not hold' "$page") offers=$(grep -c '<h3><code>PInitRes' "$page")
    put_back "$1" "$2" "$3" "$4" "$before"
    explore "$order_id"
    is "put back, all holds" $? 0
}
purchase="owner = (SELECT id FROM purchase WHERE order_id = '$order_id')"
payment="owner = (SELECT id FROM payment WHERE hex(xid) = upper('$xid'))"
tampered "the merchant's AuthRes is of another currency" "Merchant : this does not hold: AuthRes is signed by the gateway" \
    merchant evidence content "$purchase AND type = 'AuthRes'" EUR USD
is "and at its cell" "$marked" 1
tampered "the merchant's PReq is of another order" "Merchant : this does not hold: the dual signature verifies at the merchant" \
    merchant evidence content "$purchase AND type = 'PReq'" "$order_id" "${order_id%?}$([ "${order_id: -1}" = 0 ] && echo 1 || echo 0)"
tampered "the gateway's AuthReq is of another amount" "Gateway : this does not hold: AuthReq is signed by the merchant" \
    gateway evidence content "$payment AND type = 'AuthReq'" EUR USD
tampered "and DS is not over it" "Gateway : this does not hold: the dual signature verifies at the gateway" \
    gateway evidence content "$payment AND type = 'AuthReq'" EUR USD
tampered "the wallet's receipt is of another currency" "Wallet : this does not hold: receipt 2 is the gateway's" \
    wallet receipt bytes "hex(xid) = upper('$xid') AND number = 1" EUR USD
tampered "the wallet's offer has another name in it" "Wallet : this does not hold: the order names exactly the offer that was made" \
    wallet purchase offer "hex(xid) = upper('$xid')" "The Sandbox Shop" "The Sandbox Ship"
tampered "the wallet's envelope is another one" "Wallet : this does not hold: the envelope that it keeps is the one that it has signed" \
    wallet purchase preq "hex(xid) = upper('$xid')" $'\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17' $'\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x18'
tampered "the gateway's answer can't be read" "Gateway : this does not hold: each message in its table answer can be read" \
    gateway answer response "instr(hex(response), '${pomd^^}') > 0 AND instr(hex(response), hex('$approval')) > 0" "" ""
tampered "the signer of the merchant's AuthRes is nobody" "Merchant : this does not hold: each message in its table evidence has its signer's certificate" \
    merchant evidence signer "$purchase AND type = 'AuthRes'" "" ""
tampered "the merchant's record has another digest" "Merchant : this does not hold: the merchant's record has the digests" \
    merchant purchase pomd "order_id = '$order_id'" "" ""
tampered "the merchant's own record of its offer is another one" "Merchant : this does not hold: there is one PInitRes of this rrpid at the merchant" \
    merchant offer content "order_id = '$order_id'" "The Sandbox Shop" "The Sandbox Ship"
is "which is a row of its own" "$offers" 2
tampered "the gateway's record has another digest" "Gateway : this does not hold: the gateway's record has the digests" \
    gateway payment pimd "hex(xid) = upper('$xid')" "" ""
tampered "the merchant carries another sealed receipt" "Merchant : this does not hold: receipt 1 is carried sealed, as the gateway sealed it" \
    merchant sealed_receipt sealed "number = 0 AND purchase_id = (SELECT id FROM purchase WHERE order_id = '$order_id')" "" ""
metadata() { sqlite3 -cmd '.timeout 5000' "$sandbox/db/merchant.db" "UPDATE orders SET metadata = '$1' WHERE order_id = '$order_id'"; }
ok "the card's number is in the merchant's database" metadata '{"n":"4242424242424242"}'
says 5 "NOT hold" "$order_id"
ok "which is told" eval 'failed | grep -qF "card'"'"'s number was looked for in the merchant'"'"'s database: not there: it is there"'
metadata '{}'
sqlite3 -cmd '.timeout 5000' -cmd 'PRAGMA secure_delete = ON' "$sandbox/db/merchant.db" 'VACUUM; PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
says 0 "$page" "$order_id"
shop_name() { sqlite3 -cmd '.timeout 5000' "$sandbox/db/gateway.db" "UPDATE merchant SET name = '$1' WHERE brand = 'visa'"; }
ok "a shop is called as the goods are" shop_name "$item"
says 0 "$page" "$order_id"
ok "which is said, and no fault" grep -qF 'though the same words stand in its database' "$page"
shop_name "The Sandbox Shop"
ok "the wallet's first receipt is gone" sqlite3 -cmd '.timeout 5000' "$sandbox/db/wallet.db" \
    "UPDATE receipt SET number = 70 WHERE hex(xid) = upper('$xid') AND number = 0"
says 5 "NOT hold" "$order_id"
ok "and those behind it are no chain" eval 'failed | grep -q "Wallet : this does not hold: receipt 2 is .* and follows the one before: the one before is missing"'
sqlite3 -cmd '.timeout 5000' "$sandbox/db/wallet.db" "UPDATE receipt SET number = 0 WHERE number = 70"
ok "the merchant's PReq is gone" sqlite3 -cmd '.timeout 5000' "$sandbox/db/merchant.db" \
    "UPDATE evidence SET type = 'Gone' WHERE $purchase AND type = 'PReq'"
says 5 "NOT hold" "$order_id"
ok "is no proof" eval 'failed | grep -qF "it holds no copy of what was signed"'
sqlite3 -cmd '.timeout 5000' "$sandbox/db/merchant.db" "UPDATE evidence SET type = 'PReq' WHERE type = 'Gone'"

# ------------------------------------------------------------------ other purchases
many() { jq -n '{currency: "EUR", items: [range(200) | {name: ("<b>" + ("&" * 118) + "\(. + 100)"), quantity: 1, unit_amount: 1}]}'; }
ok "an order of two hundred things" eval 'many | api POST /orders "$(cat)" >"$tmp/many"'
ok "is paid" wallet --json pay "$(jq -r .pay_uri "$tmp/many")" --yes
says 0 "$page" "$(jq -r .order_id "$tmp/many")"
is "and all of them are shown" "$(cell wallet PInitRes | grep -cE '<code>items\[[0-9]+\]\.total_minor<')" 200
ok "the next order is declined" eval '! wallet --json pay "$uri" --yes --card "$(card_id no-funds)"'
says 0 "$page" "$other"
ok "and its page says so" eval 'sed -n "/<p class=\"story\">/,/<\/p>/p" "$page" | words_of | grep -qF "Nothing is approved. At the merchant the purchase is now declined"'
is "by a receipt" "$(field wallet Receipt kind)" decline
ok "a wallet of somebody else" second_wallet friend approve
new_order 700 EUR "From another wallet"
ok "pays too" other_wallet --json pay "$uri" --yes
says 0 "$page" "$order_id"
is "of which this wallet holds nothing" "$(known "What was bought" 1) $(known "What was bought" 2)" "not there 1 × From another wallet"
is "and of which none is claimed for it" "$(column wallet | sed -n 's/.*<span class="state">\([^<]*\)<.*/\1/p' | sort -u | tr '\n' '|')" "No copy|Not seen|"
kill -TERM "$other_pid"
wait "$other_pid"

kill_daemon gateway
new_order 800 EUR "Under way"
"$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes >"$tmp/pending" 2>&1 &
paying=$!
is_asking() { [ "$(sql merchant "SELECT count(*) FROM purchase WHERE order_id = '$order_id'")" = 1 ]; }
ok "a purchase whose gateway is gone" wait_for 20 is_asking
says 0 "$page" "$order_id"
is "the payment stays sealed where it is" "$(state wallet PI)|$(state merchant PI)|$(state gateway PI)" "Made and sealed|Holds it, sealed|Not seen"
is "and nobody says that a request has come which has not" "$(state merchant AuthReq)|$(state gateway AuthReq)" "Sent|No copy"
is "nor that the gateway holds anything" "$(known "Card number" 3)|$(known "Amount" 3)|$(known "The gateway&#39;s receipts" 3)" "not there|not there|not there"
kill -TERM "$paying"
wait "$paying"

# ------------------------------------------------------------------ revocation
ca() { "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" "$@"; }
serial_of() { openssl x509 -in "$sandbox/$1.pem" -noout -serial | cut -d= -f2; }
# listed PARTY SERIAL: a list in its database names it.
listed() { [ "$(sql "$1" "SELECT count(*) FROM trust WHERE is_crl = 1 AND instr(hex(der), '$2') > 0")" -gt 0 ]; }
# verdicts WHAT: of its row in the table of certificates, for wallet, merchant and gateway.
verdicts() { local n; for n in 1 2 3; do printf '%s|' "$(known "$1 \([0-9a-f]{8}…\)" "$n")"; done; }
says 0 "$page" "$first"
for what in "The card&#39;s certificate" "The merchant&#39;s certificate" "The gateway&#39;s certificate" "The gateway&#39;s sealing certificate" \
    "The brand&#39;s authority" "The cardholders&#39; authority" "The merchants&#39; authority" "The gateways&#39; authority"; do
    is "no list of anybody revokes $what" "$(verdicts "$what")" "not revoked|not revoked|not revoked|"
done
ok "the gateway is back" up
serial=$(serial_of merchant/visa/sign)
ok "the merchant's certificate is revoked" ca revoke --certificate "$sandbox/merchant/visa/sign.pem" --reason superseded --alone
ok "in a new list" ca crl -o "$sandbox/crls"
for party in merchant gateway; do
    kill -HUP "$(pid_of "$party")"
    ok "of which the $party hears" wait_for 20 listed "$party" "$serial"
done
says 0 "$page" "$first"
is "their lists say so; the wallet has asked nobody since" "$(verdicts "The merchant&#39;s certificate" | sed -E 's/20[0-9-]+ [0-9:]+ UTC/DATE/g')" "not revoked|revoked DATE|revoked DATE|"
ok "which is no fault of what it had signed before" grep -qE 'Merchant</b>: the merchant&#39;s certificate \([0-9a-f]{8}…\) was revoked after all that it has signed here' "$page"
is "and nobody else is revoked" "$(verdicts "The gateway&#39;s certificate")" "not revoked|not revoked|not revoked|"

ok "the sandbox goes down" down
files=$(cd "$sandbox/db" && echo *)
says 0 "$page" "$order_id"
is "and leaves nothing beside the databases of a sandbox that is down" "$(cd "$sandbox/db" && echo *)" "$files"
order_id=$first
says 0 "$page" "$order_id"
signed=$(grep -c '✓ signed by the' "$page")
later() { faketime -f "$1" "$bin/setpay-explorer" page "$order_id" --dir "$sandbox" --output "$page" 2>&1; }
if command -v faketime >/dev/null; then
    is "a year later, when every list is stale, all that was signed still holds" "$(later +400d; echo $?)" 0
fi
# give PARTY FILE: a list into its database, in the place of none.
give() {
    sqlite3 "$sandbox/db/$1.db" "INSERT OR REPLACE INTO trust VALUES (X'$(sha256sum <"$2" | cut -d' ' -f1)', 1, X'$(od -An -v -tx1 <"$2" | tr -d ' \n')')"
}
if command -v faketime >/dev/null; then
    mkdir "$tmp/lists"
    ok "an authority says that the gateway's certificate was revoked before" faketime -f -2d "$bin/setpay-ca" --dir "$sandbox/ca" \
        --passphrase-file "$sandbox/ca.passphrase" revoke --certificate "$sandbox/gateway/visa/sign.pem" --reason keyCompromise --alone
    ok "on its newest list" ca crl -o "$tmp/lists"
    openssl crl -in "$tmp/lists/visa.pca.crl" -outform DER -out "$tmp/newest.crl"
    ok "which the merchant gets" give merchant "$tmp/newest.crl"
    says 5 "NOT hold" "$order_id"
    ok "what it signed after that does not hold, at who holds the list" eval 'failed | grep -qE "Merchant : this does not hold: the gateway.s certificate \([0-9a-f]{8}…\) was revoked after all that it has signed here: the list that it holds says that it was revoked before" || { failed; false; }'
    is "and nobody else knows" "$(verdicts "The gateway&#39;s certificate" | sed -E 's/20[0-9-]+ [0-9:]+ UTC/DATE/g')" "not revoked|revoked DATE|not revoked|"
    sqlite3 "$sandbox/db/merchant.db" "DELETE FROM trust WHERE instr(hex(der), '$(serial_of gateway/visa/sign)') > 0"
    says 0 "$page" "$order_id"
fi
openssl crl -in "$sandbox/crls/visa.pca.crl" -outform DER -out "$tmp/forged.crl"
flip "$tmp/forged.crl" $(($(stat -c %s "$tmp/forged.crl") - 5))
ok "a list that its authority has not signed" give gateway "$tmp/forged.crl"
says 5 "NOT hold" "$order_id"
ok "is told" eval 'failed | grep -qE "Gateway : this does not hold: revocation list [0-9]+ in its table trust is its authority.s: its signature is not"'
sqlite3 "$sandbox/db/gateway.db" "DELETE FROM trust WHERE thumbprint = X'$(sha256sum <"$tmp/forged.crl" | cut -d' ' -f1)'"
ok "something that is no list" give wallet /etc/hostname
says 5 "NOT hold" "$order_id"
ok "is told too" eval 'failed | grep -qF "Wallet : this does not hold: each revocation list in its table trust can be read"'
sqlite3 "$sandbox/db/wallet.db" "DELETE FROM trust WHERE is_crl = 1"
says 0 "$page" "$order_id"
is "who holds no list knows nothing" "$(known "The card&#39;s certificate \([0-9a-f]{8}…\)" 1)" "not known"
printf 'another authority' >"$tmp/passphrase" && chmod 600 "$tmp/passphrase"
ok "another root of the same name" "$bin/setpay-ca" --dir "$tmp/ca" --passphrase-file "$tmp/passphrase" init --name "setpay sandbox"
cp "$tmp/ca/root.pem" "$sandbox/ca/root.pem"
says 5 "NOT hold" "$order_id"
is "under it no signature of anybody leads anywhere" "$(grep -c '✓ signed by the' "$page") $(grep -c 'This copy does not hold' "$page")" "0 $signed"
ok "and so does no dual signature" test "$(grep -c 'DS does NOT hold' "$page")" = 3
done_testing
