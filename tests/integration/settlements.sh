#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# A merchant sees its settlements: what the gateway says that it has paid out, item by item, is what was captured and
# given back here; and where it is not, each difference has its name.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
. "$here/../support/settled.bash"

says() {
    local words=$1 line
    shift
    "$@" >"$tmp/said" 2>&1 || { echo "exit status $?:"; cat "$tmp/said"; return 1; }
    while IFS= read -r line; do
        grep -qE -- "$line" "$tmp/said" || { echo "no line '$line' in:"; cat "$tmp/said"; return 1; }
    done <<<"$words"
}
refuses() {
    local words=$1
    shift
    if "$@" >"$tmp/said" 2>&1; then
        echo "it was taken:"
    else
        grep -qE -- "$words" "$tmp/said" && return
        echo "not '$words', but:"
    fi
    cat "$tmp/said"
    return 1
}
# bought AMOUNT: an order that is paid and captured; sets order_id.
bought() {
    merchant --json order create --description 'A cup' --amount "$1" --capture manual >"$tmp/order" &&
        order_id=$(jq -r .order_id "$tmp/order") &&
        wallet pay "$(jq -r .pay_uri "$tmp/order")" --yes && merchant order capture "$order_id"
}
id_of_step() { sql merchant "SELECT lower(hex(s.token)) FROM step s JOIN purchase p ON p.id = s.purchase_id WHERE p.order_id = '$1' AND s.kind = 1"; }

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
shop=$(gateway --json merchant list | jq -r '.merchants[0].id')

# ------------------------------------------------------------------ all agrees
ok "nothing was read in yet" says '^No settlement was read in yet' merchant settlement list
ok "a purchase" bought '12.50 EUR'
first=$order_id
ok "another one" bought '40.00 EUR'
second=$order_id
ok "a part of it is given back" merchant order refund "$second" --amount '5.00 EUR'
ok "and one in yen" bought '1250 JPY'
ok "the batch is closed" says 'closed' merchant batch close
ok "what is not settled yet is not missed for a week" says '^Nothing differs, and nothing is missed' \
    merchant settlement differences
ok "then it is, since its batch was closed" says "^  unsettled: capture [0-9a-f]{32}, order $first, batch 1: 12\\.50 EUR here, not settled yet since 20
^  unsettled: refund [0-9a-f]{32}, order $second, batch 1: 5\\.00 EUR here, not settled yet since 20" \
    merchant settlement differences --days 0
ok "but nothing is missed from before a first day" says '^Nothing differs, and nothing is missed' \
    merchant settlement differences --days 0 --since "$(date -u -d '2 days' +%F)"
day=$(date -u +%F)
ok "the gateway settles a day later" settled_after 1
report() { gateway report settlement --date "$day" --merchant-id "$shop" --format items; }
report >"$tmp/day.csv"
is "one settlement for each currency" "$(grep -c '^header,setpay-settlement,1,' "$tmp/day.csv")" 2
eur=$(sed -n 's/^header,[^,]*,1,[^,]*,\([^,]*\),.*,EUR$/\1/p' "$tmp/day.csv")
jpy=$(sed -n 's/^header,[^,]*,1,[^,]*,\([^,]*\),.*,JPY$/\1/p' "$tmp/day.csv")
ok "the merchant reads both in, and all agree" says "^$eur of $day, visa: [0-9.]+ EUR paid out, 3 rows, all agree\$
^$jpy of $day, visa: [0-9]+ JPY paid out, 1 row, all agree\$" merchant settlement import "$tmp/day.csv"
ok "nothing is missed any more" says '^Nothing differs, and nothing is missed' merchant settlement differences --days 0
ok "sums, fees by kind, and what was paid out" says '^captured +52\.50 EUR  \(2\)$
^refunded +5\.00 EUR  \(1\)$
^gross +47\.50 EUR$
^fees of captures +[0-9.]+ EUR$
^fees +[0-9.]+ EUR$
^paid out +[0-9.]+ EUR$
^rows +all 3 agree$' merchant settlement show "$eur"
is "it is what the gateway paid" "$(merchant --json settlement show "$eur" | jq -c '[.net, .payout, .gross - .fees == .net]')" \
    "$(gateway --json payout list | jq -c '[.payouts[] | select(.currency == "EUR").amount][0] as $p | [$p, $p, true]')"
ok "row by row" says "^capture +$(id_of_step "$first")  $first +12\\.50 EUR +[0-9.]+ EUR  00" merchant settlement rows "$eur"
ok "once more: nothing is changed, and it says so" says "^$eur of $day, visa: it was read in before, and nothing was changed\$" \
    merchant settlement import "$tmp/day.csv"
is "the order says with which settlement" "$(api GET "/orders/$first" | jq -c '[.captures[0].settled.settlement_id, .captures[0].settled.day]')" \
    "[\"$eur\",\"$day\"]"
is "and so does the refund" "$(api GET "/orders/$second" | jq -r '.refunds[0].settled.settlement_id')" "$eur"

"$bin/setpay-issuersim" cards --json | jq -r '.cards[].pan' >"$tmp/pans"
is "neither a card nor an order stands in the file" "$(grep -cF -f "$tmp/pans" "$tmp/day.csv") $(grep -cF "$first" "$tmp/day.csv")" "0 0"

# ------------------------------------------------------------------ by the API
is "the API has the same" "$(api GET /settlements | jq -c '.settlements | map(.currency) | sort')" '["EUR","JPY"]'
is "one by its id" "$(api GET "/settlements/$eur" | jq -c '[.day, .capture_count, .refund_count, .differences]')" "[\"$day\",2,1,[]]"
is "a page of them" "$(api GET "/settlements?limit=1" | jq -c '[(.settlements | length), .has_more]')" '[1,true]'
is "and the next" "$(api GET "/settlements?limit=1&cursor=$(jq -r .next_cursor "$tmp/body")" | jq -c '[(.settlements | length), .has_more]')" \
    '[1,false]'
is "its rows" "$(api GET "/settlements/$eur/rows?limit=2" | jq -c '[(.rows | length), .has_more, .rows[0].order_id]')" "[2,true,\"$first\"]"
is "nothing differs" "$(api GET /settlements/differences | jq -c .differences)" '[]'
api GET "/settlements/77777777777777777777777777777777" >"$tmp/none"
is "none by that id" "$(cat "$tmp/status")" 404
api GET "/settlements/eur" >"$tmp/none"
is "nor by what is no id" "$(cat "$tmp/status")" 404
api GET "/settlements?cursor=x" >"$tmp/none"
is "no such cursor" "$(cat "$tmp/status"), $(jq -r .type "$tmp/none")" "400, urn:setpay:problem:invalid-query"
api GET "/settlements/differences?cursor=7" >"$tmp/none"
is "nor such" "$(cat "$tmp/status")" 400
token=$(merchant token add --name narrow --scope batches:read 2>/dev/null)
is "whoever may read batches may not see what was paid" "$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" \
    "$(get .merchant_api_url)/settlements")" 403

# ------------------------------------------------------------------ files that are refused
before=$(sql merchant 'SELECT COUNT(*), (SELECT COUNT(*) FROM settlement_row) FROM settlement')
sed "0,/,1250,/s//,1251,/" "$tmp/day.csv" >"$tmp/wrong.csv"
ok "a changed one, with the line" refuses 'line [0-9]+: ' merchant settlement import "$tmp/wrong.csv"
head -n 3 "$tmp/day.csv" >"$tmp/wrong.csv"
ok "one that is not whole" refuses 'line 4: the file ends without a line "end"' merchant settlement import "$tmp/wrong.csv"
sed "s/,visa,$shop,/,visa,neighbour,/" "$tmp/day.csv" | sed -n '1,/^end/p' | sealed >"$tmp/wrong.csv"
ok "another merchant's" refuses "line 1: a settlement of the merchant \"neighbour\"" merchant settlement import "$tmp/wrong.csv"
sed 's/^\(header,[^,]*,1,\)[^,]*/\1gateway.example/' "$tmp/day.csv" | sed -n '1,/^end/p' | sealed >"$tmp/wrong.csv"
ok "another gateway's" refuses 'line 1: a settlement by the gateway "gateway.example", expected one by "sandbox-gateway"' \
    merchant settlement import "$tmp/wrong.csv"
sed "s/,visa,$shop,/,amex,$shop,/" "$tmp/day.csv" | sed -n '1,/^end/p' | sealed >"$tmp/wrong.csv"
ok "and of a brand that was never had" refuses 'line 1: a settlement of the brand "amex", expected one that the configuration names' \
    merchant settlement import "$tmp/wrong.csv"
sed -n '1,/^end/p' "$tmp/day.csv" | sed '/^row,credit/d' | sealed >"$tmp/wrong.csv"
ok "one with other content under the same id" refuses "line 1: settlement .* was read in at 20.* with other content" \
    merchant settlement import "$tmp/wrong.csv"
gateway report settlement --date "$day" >"$tmp/wrong.csv"
ok "another report of the gateway's" refuses "line 1: .*is it what setpay-gateway report settlement --format items" merchant settlement import "$tmp/wrong.csv"
ok "one that is not there" refuses 'No such file' merchant settlement import "$tmp/none.csv"
is "of none of them anything was kept" "$(sql merchant 'SELECT COUNT(*), (SELECT COUNT(*) FROM settlement_row) FROM settlement')" "$before"

# ------------------------------------------------------------------ differences, each planted
ok "a fourth purchase" bought '9.00 EUR'
third=$order_id
ok "and a fifth" bought '7.00 EUR'
fourth=$order_id
ok "another batch" says 'closed' merchant batch close
one=11111111111111111111111111111111
head=$(head -n 1 "$tmp/day.csv" | other_id "$one" | sed 's/,JPY$/,EUR/')
xid_of() { sql merchant "SELECT lower(hex(xid)) FROM purchase WHERE order_id = '$1' ORDER BY id DESC LIMIT 1"; }
row() { echo "row,capture,$1,$2,$3,$4,0,00,$day,"; } # row STEP XID BATCH AMOUNT
{
    echo "$head"
    row "$(id_of_step "$third")" "$(xid_of "$third")" 2 901 # another amount
    row "$(id_of_step "$third")" "$(xid_of "$third")" 2 901 # twice
    row "$(id_of_step "$first")" "$(xid_of "$first")" 1 1250 # settled already
    row 22222222222222222222222222222222 "$(xid_of "$first")" 1 300 # unknown
    row "$(id_of_step "$fourth")" "$(xid_of "$third")" 1 700 # of another payment and batch
} | sealed >"$tmp/planted.csv"
ok "a settlement that differs is kept all the same" says "^$one of $day, visa: .* paid out, 5 rows, 5 differ: settlement show $one\$" \
    merchant settlement import - <"$tmp/planted.csv"
ok "and each difference is named, with its line" says "amount: capture [0-9a-f]{32}, order $third, batch 2: 9\\.01 EUR, 9\\.00 EUR here \(line 2\)
amount, duplicate: capture [0-9a-f]{32}, order $third, batch 2: 9\\.01 EUR, 9\\.00 EUR here, first in settlement $one \(line 3\)
duplicate: capture [0-9a-f]{32}, order $first, batch 1: 12\\.50 EUR, 12\\.50 EUR here, first in settlement $eur \(line 4\)
unknown: capture 22222222222222222222222222222222, order -, batch 1: 3\\.00 EUR \(line 5\)
payment, batch: capture [0-9a-f]{32}, order $fourth, batch 1: 7\\.00 EUR, 7\\.00 EUR here \(line 6\)" \
    merchant settlement show "$one"
ok "what was of another payment is missed still" says "^  unsettled: capture [0-9a-f]{32}, order $fourth, batch 2: 7\\.00 EUR here" \
    merchant settlement differences --days 0
two=33333333333333333333333333333333
{ echo "$head" | other_id "$two" | sed 's/,EUR$/,USD/'; row "$(id_of_step "$fourth")" "$(xid_of "$fourth")" 2 700; } |
    sealed >"$tmp/dollars.csv"
merchant settlement import "$tmp/dollars.csv" >/dev/null
ok "another currency" says "currency: capture [0-9a-f]{32}, order $fourth, batch 2: 7\\.00 USD, 7\\.00 EUR here" merchant settlement show "$two"
is "what differs, by the API" "$(api GET /settlements/differences | jq -r '.differences[] | .differences | join("+")' | tr '\n' ' ')" \
    "amount amount+duplicate duplicate unknown payment+batch currency "
is "as JSON, a page at a time" "$(
    cursor=
    while :; do
        merchant --json settlement differences --days 0 --limit 2 ${cursor:+--cursor "$cursor"} >"$tmp/page"
        jq -r '.differences[] | .differences | join("+")' "$tmp/page"
        cursor=$(jq -r '.next_cursor // empty' "$tmp/page")
        [ -n "$cursor" ] || break
    done | tr '\n' ' ')" "amount amount+duplicate duplicate unknown payment+batch currency "

# ------------------------------------------------------------------ what somebody has looked at
line_of() { grep -nF -- "$1" "$tmp/planted.csv" | cut -d: -f1; }
unknown=$(line_of 22222222222222222222222222222222)
ok "a difference is accepted, with a reason" says "^$one, line $unknown: accepted, and not listed any more\$" \
    merchant settlement accept "$one" --line "$unknown" --reason 'from before the restore'
is "it is listed no more" "$(merchant --json settlement differences --days 0 | jq '[.differences[] | select(.differences == ["unknown"])] | length')" 0
ok "its settlement has it, with the reason" says "^rows +5, of which 4 differ:\$
unknown: capture 2{32}, .* \(line $unknown\), accepted at 20.*Z: from before the restore\$" merchant settlement show "$one"
ok "and so have its rows" says 'unknown, accepted at 20.*Z: from before the restore$' merchant settlement rows "$one"
is "and the API" "$(api GET "/settlements/$one" | jq -c '[.differing, .accepted[0].accepted_reason, .accepted[0].stands]')" \
    '[4,"from before the restore",false]'
ok "not twice with two reasons" refuses "line $unknown was accepted at 20.* with another reason" \
    merchant settlement accept "$one" --line "$unknown" --reason 'another one'
ok "nor what agrees" refuses 'line 2: nothing differs there that stands' merchant settlement accept "$eur" --line 2 --reason no
ok "nor without a reason" refuses 'reason' merchant settlement accept "$one" --line 2
is "the API takes a first day" "$(api GET "/settlements/differences?since=$day" | jq '.differences | length')" 5
ok "what is no day" refuses "since: found 'x'; expected a date" merchant settlement differences --since x
api GET "/settlements/differences?since=x" >"$tmp/none"
is "nor for the API" "$(cat "$tmp/status")" 400

# ------------------------------------------------------------------ the owner's pages
owner=$(get .admin_url)
page() { curl -sS -o "$tmp/page" -w '%{http_code}' -b "$tmp/jar" -c "$tmp/jar" "$@"; }
shows() { local words; for words; do grep -qF -- "$words" "$tmp/page" || { echo "no '$words' in:"; cat "$tmp/page"; return 1; }; done; }
is "nobody sees what was paid who has not signed in" "$(page "$owner/settlements"), $(page "$owner/settlements/$eur")" "303, 303"
page "$owner/signin" >/dev/null
is "the owner signs in" "$(page --data-urlencode "csrf=$(grep -o 'name="csrf" value="[^"]*' "$tmp/page" | head -1 | cut -d'"' -f4)" \
    -d "name=$(get .admin_account)" --data-urlencode "password@$(get .admin_password_file)" "$owner/signin")" 303
is "and sees the settlements" "$(page "$owner/settlements")" 200
ok "with their sums, and how many rows differ" shows "<a href=\"/settlements/$eur\">" '47.50 EUR' 'all agree' \
    '<span class="badge bad">4</span>' 'aria-current="page">Settlements</a>'
is "one of them" "$(page "$owner/settlements/$eur")" 200
ok "how it comes about, and its rows" shows '<dt>Gross</dt><dd>47.50 EUR</dd>' '<dt>Fees of captures</dt>' \
    "<a href=\"/orders/$first\">" 'all agree'
is "one that differs" "$(page "$owner/settlements/$one")" 200
ok "what, and where it was first" shows '<span class="badge bad">amount, duplicate</span>' "<a href=\"/settlements/$eur\">another one</a>" \
    '9.01 EUR' '9.00 EUR' 'accepted: from before the restore' "<a href=\"/orders/$third\">"
is "what differs in all of them" "$(page "$owner/settlements?differs=1")" 200
ok "is on one page" shows '<span class="badge bad">amount, duplicate</span>' '<span class="badge bad">currency</span>' "<a href=\"/settlements/$two\">"
is "there is no other settlement" "$(page "$owner/settlements/77777777777777777777777777777777"), $(page "$owner/settlements/x")" "404, 404"
is "nor page" "$(page "$owner/settlements?cursor=x"), $(page "$owner/settlements?differs=1&cursor=7"), $(page "$owner/settlements/$eur?cursor=-1")" \
    "404, 404, 404"
is "the order's page" "$(page "$owner/orders/$first")" 200
ok "leads to the settlement that paid it" shows "<a class=\"small\" href=\"/settlements/$eur\">settled on $day</a>"

# ------------------------------------------------------------------ a wrong one is taken back
ok "the settlements that were planted are forgotten, with a reason" says "^$one of $day, visa: forgotten, with 5 rows\$" \
    merchant settlement forget "$one" --reason 'it was planted'
ok "both" says "^$two of $day, visa: forgotten, with 1 row\$" merchant settlement forget "$two" --reason 'this one too'
ok "the log says which, and why" grep -q "settlement.forgotten.*$one.*it was planted" "$sandbox/log/merchant.log"
ok "not without a reason" refuses 'reason' merchant settlement forget "$eur"
ok "nor twice" refuses "there is no settlement $one here" merchant settlement forget "$one" --reason 'once more'
is "nothing is left of them" "$(sql merchant 'SELECT COUNT(*), (SELECT COUNT(*) FROM settlement_row) FROM settlement')" "$before"
ok "what they had settled is missed again" says "^  unsettled: capture [0-9a-f]{32}, order $third, batch 2: 9\\.00 EUR here
^  unsettled: capture [0-9a-f]{32}, order $fourth, batch 2: 7\\.00 EUR here" merchant settlement differences --days 0

# ------------------------------------------------------------------ disputes, and a daemon that is stopped
ok "a cardholder disputes a charge" issuer dispute open "$(id_of_step "$first")" --reason fraud --amount '2.00 EUR'
issuer disputes >"$tmp/disputes.csv"
ok "the gateway hears of it" gateway dispute import "$tmp/disputes.csv"
ok "the gateway settles the next day" settled_after 2
day=$(date -u -d "$day + 1 day" +%F)
ok "the merchant's daemon is stopped" kill_daemon merchant
report >"$tmp/next.csv"
next=$(sed -n 's/^header,[^,]*,1,[^,]*,\([^,]*\),.*,EUR$/\1/p' "$tmp/next.csv")
ok "and the file read in all the same: all agree" says "^$next of $day, visa: .* paid out, 3 rows, all agree" \
    merchant settlement import "$tmp/next.csv"
ok "what is in dispute is held back" says '^in dispute +2\.00 EUR  \(1\)$' merchant settlement show "$next"
ok "for that reason" says "^dispute +[0-9a-f]{32}  $first +2\\.00 EUR +-  fraud" merchant settlement rows "$next"
ok "the newest day is first" says "^SETTLEMENT .*
^$next  visa +$day" merchant settlement list --limit 1
ok "there are more" says '^There are more: --cursor [0-9]+$' merchant settlement list --limit 1
ok "the daemon comes back" up
is "and knows them all" "$(merchant --json settlement list | jq '.settlements | length')" 3

done_testing
