#!/usr/bin/env bash
# Who can learn what: the table of docs/privacy.md, cell by cell. Purchases are made with a marked
# card and a marked order; the memory of each daemon is copied while the wallet signs, while the
# gateway asks the issuer, while everybody waits, and after; cores are made of them; and all of it is
# searched with databases, journals, logs, metrics and the bytes on the wires, for every mark in
# every encoding (privacy/seek.c): rule G10 of docs/protocol.md among them. Where a cell says that a
# party has something, it must be seen there: so the search is proven on the real thing, and by
# canaries planted in each kind of place.
#
# The words of a cell are looked up below (`expected`): a row or words that this test does not know
# fail it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/shopper.bash"
fresh=yes
echo "# failures count as: leaked"
tools=$(cd "$build/tests/integration/privacy" && pwd)
page=$here/../../docs/privacy.md
children=()
cleanup() {
    local pid
    [ -z "${stopped:-}" ] || kill -CONT "$stopped" 2>/dev/null
    for pid in "${children[@]}"; do kill -TERM "$pid" 2>/dev/null; done
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}
skipped() { # NAME WHY
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
umask 077
mkdir "$tmp/places"
card=4000005700009781 # the issuer's card that approves euros
item="One-moss-green-teapot-zq71" note="for-Wilhelmina-zq72" amount=48271963
street="Lindenweg-zq73-Nr-118"
postcode=QX73KV9ZT41MW house=73915826 code=8361

# Reading another process's memory, and stopping it with a debugger, is for root: setpay's daemons
# forbid it to everybody else (prctl PR_SET_DUMPABLE), and nothing here weakens that.
as_root=() why_not=''
if ! ((0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status) >> 19 & 1)); then
    if sudo -n true 2>/dev/null; then as_root=(sudo -n); else
        why_not="only root may read the memory of setpay's daemons: run as root, or with sudo"
    fi
fi
! grep -qE "__[at]san_init" "$bin/setpay-gatewayd" || why_not="a sanitiser keeps memory of its own that is never given back"
[ -n "$why_not" ] || command -v gdb >/dev/null || why_not="gdb is not installed"

# ------------------------------------------------------------------ places
# copy MOMENT DAEMON PID: its memory, as it is now.
copy() {
    "${as_root[@]}" "$tools/seek" --copy "$3" "$tmp/places/$1.$2.memory"
}
copy_all() { # MOMENT
    local daemon
    for daemon in wallet merchant gateway issuer; do copy "$1" "$daemon" "$(pid_of "$daemon")" || return 1; done
}
# files MOMENT: databases, journals, logs and metrics of all, as they are now.
files() {
    local daemon
    for daemon in wallet merchant gateway issuer; do
        # One after the other, as they are: a reader with a torn page loses nothing that is in it.
        cat "$sandbox/db/$daemon".db* >"$tmp/places/$1.$daemon.files"
        cat "$sandbox/log/$daemon".* >"$tmp/places/$1.$daemon.log"
    done
    for daemon in wallet merchant gateway; do
        for path in metrics healthz readyz; do
            curl -sS "$(get ".metrics.$daemon" | sed "s,metrics\$,$path,")"
        done >"$tmp/places/$1.$daemon.metrics"
    done
}
# catch MOMENT DAEMON FUNCTION: when the daemon gets there it is stopped, its memory copied, a core
# made of it as gdb does (which leaves out what a process has forbidden to dump), and let go.
catch() {
    local log=$tmp/gdb.$2
    : >"$log" # what an earlier catch has said there would be taken for this one's
    "${as_root[@]}" gdb -nx -batch -p "$(pid_of "$2")" -ex 'set pagination off' -ex 'set confirm off' \
        -ex "break $3" -ex 'echo catching\n' -ex continue \
        -ex "shell $tools/seek --copy $(pid_of "$2") $tmp/places/$1.$2.memory" \
        -ex "generate-core-file $tmp/places/$1.$2.core" -ex detach >"$log" 2>&1 </dev/null &
    catcher=$!
    wait_for 60 grep -q '^catching' "$log"
}
core() { # MOMENT DAEMON
    "${as_root[@]}" gdb -nx -batch -p "$(pid_of "$2")" -ex "generate-core-file $tmp/places/$1.$2.core" \
        -ex detach >"$tmp/gdb.$2" 2>&1 </dev/null
    [ -s "$tmp/places/$1.$2.core" ] || { cat "$tmp/gdb.$2"; return 1; }
}
# relay NAME FROM-PORT TO-PORT: records what passes, both ways.
relay() {
    socat -r "$tmp/places/$1.there.wire" -R "$tmp/places/$1.back.wire" \
        "TCP-LISTEN:$2,bind=127.0.0.1,reuseaddr,fork" "TCP:127.0.0.1:$3" 2>"$tmp/$1.socat" &
    children+=("$!")
    # shellcheck disable=SC2317
    listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
    wait_for 10 listens "$2"
}
size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# ------------------------------------------------------------------ the marked card
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
enrol() {
    printf '%s\n' "$card" 3012 "$postcode" "$house" |
        wallet card request --brand visa --label marked -o "$tmp/places/enrol.ca.csr" &&
        "$bin/setpay-ca" --dir "$sandbox/ca" --passphrase-file "$sandbox/ca.passphrase" \
            issue cardholder --csr "$tmp/places/enrol.ca.csr" --brand visa -o "$tmp/card.pem" >>"$sandbox/log/ca.out" 2>&1 &&
        wallet card import "$tmp/card.pem"
}
ok "a marked card" enrol
card_id=$(card_id marked)
# Another one over the network. The authority is caught with the card in its hands, and looked at
# when it has given the certificate.
online=4000005700009849
made=$(printf '%s\n3012\n' "$online" | "$bin/setpay-ca" --dir "$sandbox/ca" --json enrolment make --brand visa -o "$tmp/line")
enrolment=$(jq -r .id <<<"$made")
issuer_secret=$(jq -r .secret <<<"$made")
ok "the authority knows of it" "$bin/setpay-ca" --dir "$sandbox/ca" enrolment import "$tmp/line"
[ -n "$why_not" ] || ok "the authority will be caught as it makes the account's id" catch enrolling ca setpay_account_id
enrol_online() {
    printf '%s\n' "$issuer_secret" "$online" 3012 |
        wallet card enrol --url "$(get .ca_url)" --brand visa --label online --id "$enrolment"
}
ok "a card over the network" enrol_online
if [ -z "$why_not" ]; then
    ok "the authority was caught" wait "$catcher"
    ok "its memory is copied" copy issued ca "$(pid_of ca)"
    ok "a core of it" core issued ca
fi
wallet --json card list >"$tmp/places/shown.wallet.output"
printf '%s\n' "$code" >"$tmp/code"
marked_order() { # [JSON: members more]
    local order more='{}'
    [ $# -eq 0 ] || more=$1
    order=$(api POST /orders "$(jq -n --arg d "$item" --arg n "$note" --argjson a "$amount" --argjson more "$more" \
        '{description: $d, amount: $a, currency: "EUR", metadata: {note: $n}} + $more')")
    order_id=$(jq -r .order_id <<<"$order")
    uri=$(jq -r .pay_uri <<<"$order")
}
reaches() { [ "$(order_status "$order_id")" = "$1" ]; }
pay() { wallet --json pay "$uri" --yes --card "$card_id" "$@"; }

# ------------------------------------------------------------------ every wire is recorded
# The line to the issuer is plain at first, as loopback allows: on it the card must be seen.
config_of() { sed -n "s/^$2 = .*:\([0-9]*\)\$/\1/p" "$sandbox/$1.conf" | head -n 1; }
issuer_line=$(free_port) gateway_line=$(free_port) shop_line=$(free_port)
ok "relay: gateway to issuer, plain" relay plain "$issuer_line" "$(config_of issuer listen)"
ok "relay: merchant to gateway" relay merchant-gateway "$gateway_line" "$(config_of gateway listen)"
ok "relay: wallet to merchant" relay wallet-merchant "$shop_line" "$(config_of merchant listen)"
sed -i "s/^address = .*/address = 127.0.0.1:$issuer_line\nstand_in = 900000.00 EUR\nstand_in_total = 900000.00 EUR\nstand_in_after = 0s/" \
    "$sandbox/gateway.conf"
ok "the gateway asks through it" restart_with gateway "auth_timeout = 2s"
ok "the merchant asks and is asked through them" restart_with merchant \
    "gateway = 127.0.0.1:$gateway_line" "public_host = localhost:$shop_line"
marked_order
unanswered=4000000000090201 # holds and never answers: a reversal is made from what the gateway kept
ok "one that nobody answers" bash -c "'$bin/setpay-wallet' --socket '$(get .wallet_socket)' --json pay '$uri' --yes \
    --card '$(card_id no-answer)' >'$tmp/unanswered'; [ \$? -eq 3 ]"
no_reversals() { [ "$(sql gateway 'SELECT count(*) FROM reversal WHERE acknowledged = 0')" = 0 ]; }
ok "is reversed" wait_for 20 no_reversals
# The owner signs in, and is caught at it.
owner=$(get .admin_url)
signs_in() {
    local token
    token=$(curl -sS -c "$tmp/owner.jar" "$owner/signin" | grep -o 'name="csrf" value="[^"]*' | cut -d'"' -f4)
    [ "$(curl -sS -b "$tmp/owner.jar" -c "$tmp/owner.jar" -o "$tmp/owner.page" -w '%{http_code}' --data-urlencode "csrf=$token" \
        -d name="$(get .admin_account)" --data-urlencode "password=$(cat "$(get .admin_password_file)")" "$owner/signin")" = 303 ]
}
[ -n "$why_not" ] || ok "the merchant will be caught as it looks at a password" catch work merchant setpay_password_check
ok "the owner signs in" signs_in
[ -n "$why_not" ] || ok "it was caught" wait "$catcher"
shop=$(get .store_url)
shop_order() { # by the shop's pages, to a marked address
    [ "$(put JG-STRAW 1)" = "/cart?said=added" ] && uri=$(order "street=$street") && [ -n "$uri" ] &&
        uri=setpay://localhost:$shop_line/pay/${uri##*/}
}
ok "an order to a marked address" shop_order
ok "is paid" pay
marked_order
ok "a marked purchase over a plain line" pay
ok "which is authorised" wait_for 20 reaches authorised
ok "a part of it captured" api POST "/orders/$order_id/capture" '{"amount": 1000}'
ok "and given back" api POST "/orders/$order_id/refund" '{}'
capture_id=$(api GET "/orders/$order_id" | jq -r '.captures[0].id')
refund_id=$(api GET "/orders/$order_id" | jq -r '.refunds[0].id')
ok "the refund undone" api POST "/orders/$order_id/undo" "{\"id\": \"$refund_id\"}"
ok "and the capture" api POST "/orders/$order_id/undo" "{\"id\": \"$capture_id\"}"
ok "and voided, for which the gateway opens what it kept" api POST "/orders/$order_id/void" '{}'
ok "until that is done" wait_for 20 reaches voided
voided_order=$order_id
# While the issuer is away the gateway decides in its stead, and tells it later by what it kept: not the security code.
issuer_is() { "$bin/setpay-issuersim" --config "$sandbox/issuer.conf" script "down=$1"; }
line_is() { [ "$(gateway --json issuer list | jq -r '.issuers[0].line')" = "$1" ]; }
is_stood_in() { reaches authorised && [ "$(sql gateway 'SELECT count(*) FROM stand_in')" = 1 ]; }
advised() { [ "$(sql gateway "SELECT count(*) FROM stand_in WHERE response_code = '00'")" = 1 ]; }
ok "the issuer goes away" issuer_is 1
ok "which the gateway sees" wait_for 20 line_is down
marked_order
ok "a marked purchase meanwhile" pay
ok "is approved in its stead" is_stood_in
ok "the issuer is back" issuer_is 0
ok "and is advised of it" wait_for 30 advised
# What is agreed to beyond one payment: the second is asked for without the wallet, by what the gateway kept; and the
# shopper's word that it is over goes from hand to hand.
marked_order '{"terms": {"kind": "split", "first": 1000}}'
agreed_order=$order_id
ok "a marked order that is paid in parts" pay --agree-terms
ok "of which the first is authorised" wait_for 20 reaches authorised
ok "the second is asked for" api POST "/orders/$order_id/authorise" '{"amount": 2000}'
parts_of() { sql gateway "SELECT count(*) || ' ' || total(approved_minor) FROM payment WHERE id = (SELECT max(id) FROM payment WHERE first_id IS NULL) OR first_id IS NOT NULL"; }
is "and authorised, by the card that the gateway opens for it" "$(parts_of)" "2 3000.0"
agreed_xid=$(api GET "/orders/$agreed_order" | jq -r '.payments[0].xid')
ends() { # confirmed, or not yet
    wallet agreement cancel "$agreed_xid" --yes || [ $? -eq 4 ]
}
ok "the shopper ends it" ends
is_ended() { wallet --json agreement show "$agreed_xid" | jq -e '.status == "cancelled"'; }
ok "for which the gateway opens what it kept" wait_for 20 is_ended
no_instruction() { [ "$(sql merchant 'SELECT count(*) FROM instruction')" = 0 ]; }
ok "no sealed instruction is left at the merchant (rule M7)" wait_for 6 no_instruction
[ -n "$why_not" ] || ok "memory is copied after it" copy_all voided
files voided
# What the gateway's operator is given by the merchant.
export_batches() {
    "$bin/setpay-merchant" --config "$(get .configs.merchant)" batch export --all >"$tmp/places/given.batches" &&
        [ "$(jq '[.batches[].items[] | select(.status == "undone" and .proof and .undone_proof)] | length' \
            "$tmp/places/given.batches")" = 2 ]
}
ok "the merchant's batches, exported with proofs" export_batches

# ------------------------------------------------------------------ and one over TLS throughout
make_network_keys() {
    cd "$tmp" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=network \
        -keyout network.key -out network.pem &&
        openssl req -newkey rsa:2048 -nodes -subj /CN=issuer -keyout issuer.key -out issuer.csr &&
        openssl x509 -req -in issuer.csr -CA network.pem -CAkey network.key -days 30 -out issuer.pem \
            -extfile <(printf 'subjectAltName=DNS:issuer.test\n')
}
ok "keys for the issuer's line" make_network_keys
tls_line=$(free_port)
ok "relay: gateway to issuer, over TLS" relay gateway-issuer "$tls_line" "$(config_of issuer listen)"
ok "the issuer speaks TLS" start_again_with issuer "tls_cert = $tmp/issuer.pem" "tls_key = $tmp/issuer.key"
sed -i "s/^address = .*/address = 127.0.0.1:$tls_line\ntls = yes\ntls_ca = ${tmp//\//\\/}\/network.pem\ntls_name = issuer.test/" \
    "$sandbox/gateway.conf"
ok "so does the gateway" restart_with gateway "auth_timeout = 90s"
marked_order
stopped=$(pid_of issuer)
kill -STOP "$stopped"
if [ -z "$why_not" ]; then
    ok "the gateway will be caught as it asks" catch work gateway setpay_network_authorise
    gateway_catcher=$catcher
    ok "the wallet will be caught as it signs" catch work wallet setpay_purchase_build
fi
asked_before=$(size_of "$tmp/places/gateway-issuer.there.wire")
timeout 120 "$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes --card "$card_id" \
    --security-code-file "$tmp/code" >"$tmp/paid" 2>&1 &
payer=$!
if [ -z "$why_not" ]; then
    ok "both were caught" wait "$catcher" "$gateway_catcher"
fi
was_asked() { [ "$(size_of "$tmp/places/gateway-issuer.there.wire")" -gt $((asked_before + 200)) ]; }
ok "the issuer has been asked, and is silent" wait_for 90 was_asked
if [ -z "$why_not" ]; then
    ok "memory is copied while all wait" copy_all wait
    for daemon in wallet merchant gateway; do ok "a core of the $daemon" core wait "$daemon"; done
fi
files wait
kill -CONT "$stopped"
stopped=''
wait "$payer"
xid=$(api GET "/orders/$order_id" | jq -r '.payments[0].xid')
is_declined() { [ "$(wallet --json status "$xid" | jq -r '"\(.status) \(.action_code)"')" = "declined 82" ]; }
ok "it is declined, since the code is not the card's" wait_for 60 is_declined
# Rule M7, and what else is only needed until the outcome is known.
"$tools/open" "$sandbox" "$order_id" | grep '^envelope ' >"$tmp/envelope"
envelope_gone() { ! "$tools/seek" "$tmp/envelope" $(printf 'x=file:%s ' "$sandbox/db/merchant.db"*) | grep -q .; }
# Five seconds are the rule; on a loaded machine the looking itself may take longer.
ok "the envelope is gone from the merchant's database and journal" wait_for 20 envelope_gone
[ -n "$why_not" ] || ok "memory is copied after it" copy_all after
files after
if [ -z "$why_not" ]; then
    ok "the wallet will be caught as it signs an inquiry" catch inquiry wallet setpay_message_build
    ok "which needs its key alone" wallet status "$xid"
    ok "it was caught" wait "$catcher"
fi
ok "the wallet is locked" wallet lock
[ -n "$why_not" ] || ok "its memory is copied then" copy locked wallet "$(pid_of wallet)"
find "$sandbox/ca" -type f -exec cat {} + >"$tmp/places/after.ca.files"
cat "$sandbox"/log/ca.* >"$tmp/places/after.ca.log"

# ------------------------------------------------------------------ the marks
mark() { printf '%s %s %s\n' "$1" "$2" "$(printf '%s' "$3" | od -An -v -tx1 | tr -d ' \n')"; }
receipt_marks() { # the signature of each receipt
    sql gateway 'SELECT hex(signed) FROM receipt' | grep -oE '304[4-7]022[01][0-9A-F]{64}' | sed 's/^.\{12\}/receipt bytes /'
}
all_marks() {
    mark item text "$item" && mark note text "$note" && mark ship_to text "$street" && mark amount text "$amount" && mark amount text 482719.63 &&
        mark pan text "$unanswered" && mark owner_password text "$(cat "$(get .admin_password_file)")" &&
        "$tools/open" "$sandbox" "$order_id" && "$tools/open" "$sandbox" "$voided_order" &&
        "$tools/open" "$sandbox" "$agreed_order" &&
        printf 'cancellation bytes %s\n' "$(sql wallet 'SELECT hex(signature) FROM agreement WHERE word IS NOT NULL')" &&
        "$tools/open" --vault "$sandbox" marked && "$tools/open" --card "$sandbox" online && receipt_marks &&
        mark issuer_secret text "$issuer_secret" && mark issuer_secret text "${issuer_secret//-/}" || return
    local key
    for key in sign tls-server tls-client; do
        "$tools/open" --key "$sandbox/merchant/visa/$key.key" key_merchant || return
    done
    for key in sign encrypt tls-server; do
        "$tools/open" --key "$sandbox/gateway/visa/$key.key" key_gateway || return
    done
    printf 'key_gateway bytes %s\n' "$(cat "$sandbox/gateway/vault.key")"
    for key in root visa.cca visa.mca visa.pca; do
        "$tools/open" --key "$sandbox/ca/keys/$key.key" key_ca "$sandbox/ca.passphrase" || return
    done
}
all_marks >"$tmp/marks.all" 2>"$tmp/marks.said"
is "every mark is known" "$? $(cat "$tmp/marks.said")" "0 "
sort -u "$tmp/marks.all" >"$tmp/marks"

# ------------------------------------------------------------------ one search through everything
cd "$tmp/places" || exit 1
"${as_root[@]}" chown -R "$(id -u)" .
places=()
for file in *; do
    case $file in *.core) places+=("$file=core:$file") ;; *) places+=("$file=file:$file") ;; esac
done
absent() {
    local place
    for place in {voided,wait,after}.{wallet,merchant,gateway,issuer}.{files,log} after.ca.{files,log} enrol.ca.csr \
        {voided,wait,after}.{wallet,merchant,gateway}.metrics \
        {plain,wallet-merchant,merchant-gateway,gateway-issuer}.{there,back}.wire given.batches; do
        [ -s "$place" ] || echo "$place"
    done
    [ -z "$why_not" ] || return
    for place in enrolling.ca.memory issued.ca.{memory,core} \
        {voided,wait,after}.{wallet,merchant,gateway,issuer}.memory {inquiry,locked}.wallet.memory \
        work.{wallet,merchant,gateway}.{memory,core} wait.{wallet,merchant,gateway}.core; do
        [ -s "$place" ] || echo "$place"
    done
}
is "every place was visited" "$(absent)" ""
"$tools/seek" "$tmp/marks" "${places[@]}" >"$tmp/found"
is "everything could be searched" $? 0
"$tools/seek" --encodings "$tmp/marks" >"$tmp/encodings"
declare -A found=() where=() encodings=()
while IFS=$'\t' read -r place name encoding at; do
    found[$place/$name]+="$encoding "
    where[$place/$name]+="$encoding at ${at##*@} of $place; "
done <"$tmp/found"
while IFS=$'\t' read -r name encoding; do
    encodings[$name]=$((${encodings[$name]:-0} + 1))
done <"$tmp/encodings"
checked=0

# ------------------------------------------------------------------ what the table's words mean
# Rows: which marks are looked for.
declare -A marks_of=(
    ["item names, descriptions"]=item
    ["order metadata of the store"]=note
    ["name and address that an order is sent to"]=ship_to
    ["order id at the merchant (lid_m)"]=order
    ["amount, currency, merchant, date"]=amount
    ["xid, POMD"]=xid
    ["PAN"]=pan
    ["first six and last four digits"]=cut
    ["card expiry"]=expiry
    ["security code"]=code
    ["PANSecret"]=pan_secret
    ["the issuer's one-time secret"]=issuer_secret
    ["billing postcode and house digits"]=address
    ["back key"]=back_key
    ["salt of the payment instruction"]=pi_salt
    ["salt of the order information"]=oi_salt
    ["the sealed payment instruction"]=envelope
    ["the gateway's receipt"]=receipt
    ["the cardholder's cancellation of an agreement"]=cancellation
    ["cardholder's certificate (blinded account id)"]=account
    ["the owner's password"]=owner_password
    ["private keys"]="key_wallet key_master key_merchant key_gateway key_ca"
)
# A party's cells: what must (y), must not (n) or may (.) be found
#   at work (memory, core), while all wait (memory, core, files), after (memory, files);
# or "any": in its memory or its files at some moment.
declare -A expected=(
    ["reads"]=any
    ["reads (its evidence)"]=any
    ["keeps it"]=any
    ["makes it"]=any
    ["never"]="n n n n n n n"
    ["carries it sealed"]="n n n n n n n"
    ["shows the last four to its owner"]=". n n n n n n" # beside the whole number, where that is
    ["as the PAN"]=". n n n n n n"
    ["while it signs; sealed at rest"]="y n n n n n n"
    ["while it signs"]="y n n n n n n"
    ["while it enrols"]="n n n n n n n"
    ["until the issuer is asked; encrypted at rest for a stated time"]="y n n n n n n"
    ["until the issuer is asked"]="y n n n n n n"
    ["during one check"]="y n n n n n n"
    ["while it is checked; its scrypt is kept"]="y . n n n n n"
    ["until the outcome is known"]=". . y . n n n"
    ["until the outcome is known; encrypted at rest for a stated time"]="y n y n n n n"
    ["until the outcome is known, 5 seconds longer at most"]=". . y y . n n"
    ["its own; sealed under a passphrase, gone when locked"]="y n . n n n n"
    ["its own, in files of their own"]=". n y n n y n"
)
declare -A own_key=([wallet]="key_wallet key_master" [merchant]=key_merchant [gateway]=key_gateway [issuer]=none)

# look WANTED MARK PLACE...: adds to $wrong what is not as it should be.
look() {
    local wanted=$1 name=$2 place seen=''
    shift 2
    for place; do
        place=${place#./}
        [ -f "$place" ] || continue
        checked=$((checked + encodings[$name]))
        seen+=${found[$place/$name]:-}
        [ "$wanted" != n ] || [ -z "${where[$place/$name]:-}" ] || wrong+="$name: ${where[$place/$name]}"$'\n'
    done
    [ "$wanted" != y ] || [ -n "$seen" ] || wrong+="$name is not seen in $*"$'\n'
}
# party_cell PARTY WORDS MARK
party_cell() {
    local party=$1 name=$3 letters files=(voided."$1".files wait."$1".files after."$1".files)
    local at_rest=({voided,after,inquiry,locked}."$1".memory)
    letters=${expected[$2]:-}
    [ -n "$letters" ] || { wrong+="no test knows the words \"$2\""$'\n'; return; }
    if [ "$letters" = any ]; then
        # Without a look into memory, what is not in the files either can't be told.
        [ -z "$why_not" ] || letters=.
        look "${letters/any/y}" "$name" ./*."$party".memory ./*."$party".core "${files[@]}"
        return
    fi
    # shellcheck disable=SC2086
    set -- $letters
    # The keys that the wallet signs with are there until it is locked.
    case $name in key_wallet | key_master) [ "$party" != wallet ] || at_rest=(locked.wallet.memory) ;; esac
    # A dump leaves out secret memory, and only that: these are elsewhere while they are needed.
    case $name.$party in address.* | pi_salt.* | code.wallet) set -- "$1" . "$3" . "$5" "$6" "$7" ;; esac
    if [ -n "$why_not" ]; then set -- . . . . "$5" . "$7"; fi
    look "$1" "$name" work."$party".memory
    look "$2" "$name" work."$party".core
    look "$3" "$name" wait."$party".memory
    look "$4" "$name" wait."$party".core
    look "$5" "$name" wait."$party".files
    look "$6" "$name" "${at_rest[@]}"
    look "$7" "$name" voided."$party".files after."$party".files
}
ca_cell() { # WORDS MARK
    case $1 in
    never) look n "$2" after.ca.files issued.ca.{memory,core} ;;
    "its own, encrypted") look n "$2" after.ca.files issued.ca.core ;;
    "at enrolment, not kept") look n "$2" after.ca.files issued.ca.{memory,core}; look y "$2" enrol.ca.csr ;;
    "at enrolment, not kept; ends the certificate, and those that renew it, with it") look n "$2" after.ca.files issued.ca.{memory,core} ;;
    "at enrolment; its scrypt is kept") look n "$2" after.ca.files issued.ca.{memory,core}; [ -n "$why_not" ] || look y "$2" enrolling.ca.memory ;;
    "issues it") look y "$2" after.ca.files ;;
    *) wrong+="no test knows the words \"$1\""$'\n' ;;
    esac
}
log_cell() { # WORDS MARK
    case $1 in
    never) look n "$2" ./*.log ./*.metrics ;;
    "its thumbprint; the CA's, what it issues") look n "$2" ./*.{wallet,merchant,gateway,issuer}.log ./*.metrics ;;
    yes) look y "$2" ./*.log; look n "$2" ./*.metrics ;;
    "the merchant's alone") look y "$2" ./*.merchant.log; look n "$2" ./*.{wallet,gateway,issuer,ca}.log ./*.metrics ;;
    *) wrong+="no test knows the words \"$1\""$'\n' ;;
    esac
}
wire_cell() { # WORDS MARK
    case $1 in
    never) look n "$2" {wallet-merchant,merchant-gateway,gateway-issuer}.{there,back}.wire ;;
    *) wrong+="no test knows the words \"$1\""$'\n' ;;
    esac
}
cell() { # ROW COLUMN WORDS
    local name
    wrong=''
    for name in ${marks_of[$1]:-}; do
        [ -n "${encodings[$name]:-}" ] || wrong+="there is no mark $name"$'\n'
        case $2 in
        wallet | merchant | gateway | issuer)
            # Everybody else's private keys are nobody's.
            case "$1/ ${own_key[$2]} " in
            "private keys/"*" $name "*) party_cell "$2" "$3" "$name" ;;
            "private keys/"*) party_cell "$2" never "$name" ;;
            *) party_cell "$2" "$3" "$name" ;;
            esac
            ;;
        CA) ca_cell "$3" "$name" ;;
        "logs, metrics") log_cell "$3" "$name" ;;
        "the wires") wire_cell "$3" "$name" ;;
        *) wrong+="no test knows the column $2"$'\n' ;;
        esac
    done
    [ -n "${marks_of[$1]:-}" ] || wrong+="no test knows the row"$'\n'
    is "$1 | $2: $3" "$wrong" ""
}

# ------------------------------------------------------------------ the table, cell by cell
columns=() rows=0
while IFS='|' read -r -a cells; do
    for i in "${!cells[@]}"; do cells[i]=$(sed 's/^ *//; s/ *$//' <<<"${cells[i]}"); done
    if [ ${#columns[@]} -eq 0 ]; then
        columns=("${cells[@]:2}")
    elif [[ ${cells[1]} != ---* ]]; then
        rows=$((rows + 1))
        is "${cells[1]}: as many cells as columns" ${#cells[@]} $((${#columns[@]} + 2))
        for i in "${!columns[@]}"; do cell "${cells[1]}" "${columns[i]}" "${cells[i + 2]:-}"; done
    fi
done < <(sed -n '/^| | wallet/,/^$/p' "$page" | grep '^|')
is "the table has a row for everything that is marked" "$rows" ${#marks_of[@]}
for name in online_pan online_pan_secret; do
    wrong=''
    [ -n "$why_not" ] || look y "$name" enrolling.ca.memory
    look n "$name" after.ca.{files,log} issued.ca.{memory,core} ./*.{wallet,merchant,gateway,issuer}.{files,log,memory,core}
    is "a card over the network: $name is the authority's while it issues, and then nobody's" "$wrong" ""
done
shows() {
    grep -q '"last4": *"9781"' shown.wallet.output && ! grep -q "$card" shown.wallet.output
}
ok "the wallet shows its owner the last four digits, and no more" shows
wrong=''
for row in "${!marks_of[@]}"; do
    case $row in "xid, POMD" | "amount, currency, merchant, date") continue ;; esac
    for name in ${marks_of[$row]}; do look n "$name" given.batches; done
done
look y xid given.batches
is "batches for the gateway's operator: no order, no card, no key" "$wrong" ""
# On the one wire that was plain, the search finds the card.
for name in pan address expiry; do
    wrong=''
    look y "$name" plain.there.wire
    is "on the plain line to the issuer: $name" "$wrong" ""
done

# ------------------------------------------------------------------ canaries
# Planted in each kind of place, in each encoding, written by other programs than the one that looks.
cd "$tmp" || exit 1
mkdir canaries dumps
unhex() { sed 's/../\\x&/g' <<<"$1" | xargs -0 printf '%b' | head -c $((${#1} / 2)); }
pairs_turned() { sed 's/../&\n/g' <<<"$1" | tac | tr -d '\n'; }
# encode ENCODING HEX: the bytes, as od, base64, iconv, sed and tr write them.
encode() {
    local encoding=$1 hex=$2
    case $encoding in reversed-*) encoding=${encoding#reversed-} hex=$(pairs_turned "$hex") ;; esac
    case $encoding in
    plain) unhex "$hex" ;;
    hex) printf '%s' "$hex" ;;
    HEX) printf '%s' "${hex^^}" ;;
    base64-?) { head -c "${encoding#*-}" /dev/urandom; unhex "$hex"; echo more; } | base64 -w 20 ;;
    base64url-?) { head -c "${encoding#*-}" /dev/urandom; unhex "$hex"; echo more; } | base64 -w 0 | tr '+/' '-_' ;;
    utf16le) unhex "$hex" | iconv -f ASCII -t UTF-16LE ;;
    utf16be) unhex "$hex" | iconv -f ASCII -t UTF-16BE ;;
    blanks) unhex "$hex" | sed 's/..../& /g' ;;
    dashes) unhex "$hex" | sed 's/..../&-/g' ;;
    bcd) unhex "$(unhex "$hex")" ;;
    bcd-shifted) unhex "f$(unhex "$hex")f" ;;
    bcd-turned) unhex "$(pairs_turned "$(unhex "$hex")")" ;;
    bcd-shifted-turned) unhex "$(pairs_turned "f$(unhex "$hex")f")" ;;
    esac
}
{
    mark canary_pan digits 5200005700000397
    mark canary_text text "Two-blue-milk-jugs-zq73+?"
    printf 'canary_bytes bytes fbff%s\n' "$(openssl rand -hex 30)"
} >canaries/marks
"$tools/seek" --encodings canaries/marks | sort >canaries/encodings
number=0
while read -r name encoding; do
    number=$((number + 1))
    encode "$encoding" "$(sed -n "s/^$name [a-z]* //p" canaries/marks)" >"canaries/piece.$number"
done <canaries/encodings
planted=$(wc -l <canaries/encodings)
# As lines of a log: each piece has its own.
for piece in canaries/piece.*; do printf 'event=planted text='; cat "$piece"; echo ' end'; done >canaries/log
statements() {
    echo 'CREATE TABLE canary (piece BLOB);'
    for piece in canaries/piece.*; do echo "INSERT INTO canary VALUES (readfile('$piece'));"; done
}
{ statements; echo 'SELECT count(*) FROM canary;'; } | sqlite3 canaries/row.db >/dev/null
{ echo 'PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;'; statements
    echo '.shell cp canaries/journal.db-wal canaries/journal'; } | sqlite3 canaries/journal.db >/dev/null
serve_once() { # PORT FILE
    { printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n'; cat "$2"; } |
        socat - "TCP-LISTEN:$1,bind=127.0.0.1,reuseaddr" >/dev/null 2>&1 &
    children+=("$!")
}
metrics_port=$(free_port) metrics_relay=$(free_port)
serve_once "$metrics_port" canaries/log
socat -r "$tmp/canaries/asked" -R "$tmp/canaries/wire" "TCP-LISTEN:$metrics_relay,bind=127.0.0.1,reuseaddr" \
    "TCP:127.0.0.1:$metrics_port" 2>/dev/null &
children+=("$!")
wait_for 10 curl -sS -o canaries/metrics "http://127.0.0.1:$metrics_relay/metrics"
# Under a sanitiser not even this process can be copied: its memory is the sanitiser's.
if ! grep -qE "__[at]san_init" "$tools/seek"; then
    coproc holder { exec "$tools/seek" --hold canaries/log; }
    read -r -u "${holder[0]}" _
    children+=("$holder_PID")
    ok "a live process holds them" "${as_root[@]}" "$tools/seek" --copy "$holder_PID" canaries/memory
    if command -v gdb >/dev/null; then
        "${as_root[@]}" gdb -nx -batch -p "$holder_PID" -ex "generate-core-file $tmp/canaries/core" -ex detach >gdb.holder 2>&1 </dev/null
    fi
fi
"${as_root[@]}" chown -R "$(id -u)" canaries
for place in row=file:row.db journal=file:journal log=file:log metrics=file:metrics wire=file:wire memory=file:memory core=core:core; do
    file=canaries/${place##*:}
    [ -f "$file" ] || { skipped "canaries in a ${place%%=*}" "there is no $file: ${why_not:-gdb is not installed}"; continue; }
    "$tools/seek" canaries/marks "${place%%:*}:$file" | cut -f 2,3 | sort >canaries/found
    is "each of $planted canaries is found: ${place%%=*}" "$(diff canaries/encodings canaries/found)" ""
    checked=$((checked + planted))
done
mark nobody digits 5193847261047385 >canaries/nobody
is "and nothing where nothing is" "$(for file in canaries/{row.db,journal,log,metrics,wire,memory}; do
    [ ! -f "$file" ] || "$tools/seek" canaries/nobody "x=file:$file"; done)" ""

# ------------------------------------------------------------------ and no daemon leaves a core
ok "the daemons end" down
# dies NAME PROGRAM...: "dumped" or "not dumped", by a signal that means a core, with cores allowed.
dies() {
    local name=$1 said=$tmp/dumps/$1.said pid
    shift
    (cd dumps && exec "$tools/seek" --dumps "$@" >"$said" 2>"$said.err") &
    local parent=$!
    children+=("$parent")
    is_up() { pid=$(pgrep -P "$parent") && grep -q 'event=daemon.ready\|ready to die' "$tmp/dumps/$name.log"; }
    wait_for 15 is_up && kill -ABRT "$pid"
    wait "$parent"
    cat "$said"
}
is_dumping=$(dies control bash -c "echo ready to die >'$tmp/dumps/control.log'; exec sleep 60")
if [ "$is_dumping" = dumped ]; then
    for daemon in issuer gateway merchant wallet; do
        program=$bin/setpay-${daemon}d
        [ "$daemon" != issuer ] || program=$bin/setpay-issuersim
        sed -i -e "s,^log = .*,log = $tmp/dumps/$daemon.log," "$sandbox/$daemon.conf"
        is "$daemon: no core, though it was allowed one" "$(dies "$daemon" "$program" --config "$sandbox/$daemon.conf")" "not dumped"
    done
    is "none is in the folder either" "$(find dumps -name 'core*' -size +0 | wc -l)" 1 # the control's
else
    skipped "no daemon leaves a core" "this machine makes none of any process ($is_dumping)"
fi

[ -z "$why_not" ] || skipped "memory and cores of the daemons" "$why_not"
echo "# tally: canary cells checked = $checked"
done_testing
