#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# setpay-merchant as its operator uses it: orders, purchases and tokens in words and as JSON, with a
# daemon that runs and without one.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

# says WORDS COMMAND...: succeeds, and its output has each line of WORDS, a regular expression.
says() {
    local words=$1 line
    shift
    "$@" >"$tmp/said" 2>&1 || { echo "exit status $?:"; cat "$tmp/said"; return 1; }
    while IFS= read -r line; do
        grep -qE -- "$line" "$tmp/said" || { echo "no line '$line' in:"; cat "$tmp/said"; return 1; }
    done <<<"$words"
}
# refuses STATUS WORDS COMMAND...: fails so, with these words on standard error, and none elsewhere.
refuses() {
    local status=$1 words=$2 got
    shift 2
    "$@" >"$tmp/said" 2>"$tmp/error"
    got=$?
    [ "$got" -eq "$status" ] && [ ! -s "$tmp/said" ] && grep -qE -- "$words" "$tmp/error" && return
    echo "exit status $got instead of $status, or other words:"
    cat "$tmp/said" "$tmp/error"
    return 1
}

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing

# ------------------------------------------------------------------ orders and purchases
ok "no order yet" says '^There is no such order\.$' merchant order list
ok "no purchase yet" says '^There is no such purchase yet\.$' merchant purchase list
ok "an order is made" says '^status +open$
^amount +12\.50 EUR$
^to be paid at +setpay://localhost:[0-9]+/pay/.+
^capture +manual$
^items +1 x +12\.50 EUR +12\.50 EUR  Two candles$
^metadata +table = 7$' \
    merchant order create --description 'Two candles' --amount '12.50 EUR' --capture manual --metadata table=7
order=$(awk '$1 == "order" { print $2 }' "$tmp/said")
uri=$(sed -n 's/^to be paid at *//p' "$tmp/said")
ok "it is paid" wallet --json pay "$uri" --yes
xid=$(merchant --json purchase list | jq -r '.purchases[0].xid')
ok "and shown with its payment" says "^status +authorised\$
^payments +$xid  authorised +12\\.50 EUR  action [0-9]+, approval .+" merchant order show "$order"
ok "the purchase is listed" says "^XID +STATUS +AMOUNT +ORDER +APPROVAL\$
^$xid  authorised +12\\.50 EUR  $order +.+" merchant purchase list
ok "and shown, with what was signed" says "^purchase +$xid\$
^status +authorised\$
^order +$order\$
^brand +visa\$
^signed digest +[0-9a-f]{64}\$
^hold until +20" merchant purchase show "$xid"
merchant --json order create --description 'A lamp' --amount '3 EUR' >"$tmp/lamp"
lamp=$(jq -r .order_id "$tmp/lamp")
ok "the newest first, a page at a time" says "^$lamp +open +3\\.00 EUR .* A lamp\$
^There are more: --cursor " merchant order list --limit 1
cursor=$(sed -n 's/.*--cursor //p' "$tmp/said")
ok "and the next page" says "^$order +authorised +12\\.50 EUR .* Two candles\$" merchant order list --limit 1 --cursor "$cursor"
ok "by status" says "^$order +authorised" merchant order list --status authorised
is "and no other" "$(grep -c "$lamp" "$tmp/said")" 0
ok "the hold is given back" says '^status +voided$' merchant order void "$order"
ok "an open order is ended" says '^status +cancelled$' merchant order cancel "$lamp"
ok "once more: still" says '^status +cancelled$' merchant order cancel "$lamp"

# ------------------------------------------------------------------ voids of a part
order_to_void() {
    merchant --json order create --description "Two cups" --amount "10.00 EUR" --capture manual >"$tmp/cups" &&
        order_id=$(jq -r .order_id "$tmp/cups") && wallet pay "$(jq -r .pay_uri "$tmp/cups")" --yes
}
ok "an order is paid" order_to_void
ok "a part of its hold is given back" says '^status +authorised$' merchant order void "$order_id" --amount '4.00 EUR'
ok "no more than is left" refuses 1 "found 6.01 EUR; .* no more than 6.00 EUR is left to be given up" \
    merchant order void "$order_id" --amount '6.01 EUR'
ok "nor in another currency" refuses 1 "currency: found USD" merchant order void "$order_id" --amount '1 USD'
ok "the last of it voids the order" says '^status +voided$' merchant order void "$order_id" --amount '6.00 EUR'

# ------------------------------------------------------------------ captures, refunds, batches
new_order 1000 EUR
ok "a third order is paid" wallet --json pay "$uri" --yes
ok "a part is captured" says '^status +partially_captured$
^captures +[0-9a-f]{32} +done +4\.00 EUR +batch 1$' merchant order capture "$order_id" --amount '4.00 EUR'
ok "not more than is held" refuses 1 "found 6.01 EUR; .* no more than 6.00 EUR" merchant order capture "$order_id" --amount '6.01 EUR'
ok "not in another currency" refuses 1 "currency: found USD" merchant order capture "$order_id" --amount '1 USD'
ok "the rest is captured" says '^status +captured$' merchant order capture "$order_id"
ok "what was captured can't be voided" refuses 1 "refunded" merchant order void "$order_id"
ok "it is given back, the oldest capture first" says '^status +partially_refunded$
^refunds +[0-9a-f]{32} +done +4\.00 EUR +batch 1$
^ +[0-9a-f]{32} +done +1\.00 EUR +batch 1$' merchant order refund "$order_id" --amount '5.00 EUR'
refund=$(merchant --json order show "$order_id" | jq -r '.refunds[1].id')
ok "a refund is undone" says '^reversals +[0-9a-f]{32} +done +1\.00 EUR +refund reversal, batch 1$' \
    merchant order undo "$order_id" --id "$refund"
ok "once" refuses 1 "not undone yet" merchant order undo "$order_id" --id "$refund"
ok "an id that is none" refuses 2 "32 hexadecimal digits" merchant order undo "$order_id" --id 7
ok "the batch counts it" says '^visa batch 1: open since 20
^ +2 captures +10\.00 EUR, +1 refund +4\.00 EUR$' merchant batch list
ok "it is closed" says '^visa batch 1: closed 20' merchant batch close
ok "and shown" says '^visa batch 1: closed 20' merchant batch show 1
ok "nothing more is open" says 'nothing was captured since' merchant batch close
ok "a batch that is not there" refuses 1 "no batch 7" merchant batch show 7
capture=$(merchant --json order show "$order_id" | jq -r '.captures[1].id')
merchant order undo "$order_id" --id "$capture" >"$tmp/said" 2>"$tmp/error"
is "the gateway undoes nothing that is cleared" $? 1
ok "with what code it was refused" grep -q "refused it, with code 14" "$tmp/error"
ok "and what became of it" grep -q "capture reversal, refused with code 14" "$tmp/said"

# ------------------------------------------------------------------ several orders at once
paid=()
for amount in 100 200 300 400; do
    new_order "$amount" EUR && wallet pay "$uri" --yes >/dev/null
    paid+=("$order_id")
done
requests() { sql merchant 'SELECT COUNT(DISTINCT rrpid) FROM gateway_request WHERE kind = 4'; }
before=$(requests)
ok "two orders are captured" says "^ORDER +STATUS +AMOUNT\$
^${paid[0]} +done +1\\.00 EUR +the order is captured\$
^${paid[1]} +done +2\\.00 EUR +the order is captured\$" merchant order capture "${paid[0]}" "${paid[1]}"
is "in one request that was signed once" "$(requests)" $((before + 1))
# What can't be captured keeps none of the others from it, and is told for each.
merchant --json order capture "${paid[0]}" nobody "${paid[2]}" >"$tmp/captures" 2>"$tmp/error"
is "one of three is captured: exit status" $? 1
ok "how many were not" grep -q "^setpay-merchant: of 3 orders 2 could not be captured$" "$tmp/error"
is "one that was captured already" "$(jq -r '.captures[0] | [.status, .error.name] | join(" ")' "$tmp/captures")" "refused STATE"
ok "in the words of a capture of it alone" eval 'merchant order capture "${paid[0]}" 2>&1 | grep -qF "$(jq -r ".captures[0].error.text" "$tmp/captures")"'
is "one that is not there" "$(jq -r '.captures[1] | [.order_id, .status, .error.name] | join(" ")' "$tmp/captures")" "nobody refused NOT_FOUND"
is "the third" "$(jq -r '.captures[2] | [.status, .order.status, (.order.captures | length), .order.captures[0].amount] | join(" ")' "$tmp/captures")" "done captured 1 300"
is "no word of how it was waited for" "$(jq 'has("under_way")' "$tmp/captures")" false
ok "none of it is said to people otherwise" eval 'merchant order capture nobody nobody2 2>/dev/null | grep -qE "^nobody2 +refused +- +there is no order .nobody2."'
ok "no order twice" refuses 2 "order_id: ${paid[3]} stands in it twice" merchant order capture "${paid[3]}" "${paid[3]}"
ok "no part of several" refuses 2 "--amount: found 2 orders; expected one" merchant order capture "${paid[3]}" "${paid[0]}" --amount '1 EUR'
# shellcheck disable=SC2046 # as many words
ok "more than 16" refuses 2 "found 17 orders; expected at most 16 at once" merchant order capture $(seq 17)
# shellcheck disable=SC2046
ok "16 are taken" eval 'merchant --json order capture $(seq 15) "${paid[3]}" 2>/dev/null | jq -e ".captures | length == 16 and .[15].status == \"done\""'

# ------------------------------------------------------------------ tokens
is "one token is there" "$(merchant --json token list | jq -r '[.tokens[].name] | join(" ")')" sandbox
ok "a token is made, and shown once" says "^spm_[A-Za-z0-9_-]+\$
'second'.*only once" merchant token add --name second
token=$(grep '^spm_' "$tmp/said")
with_token() { curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" "$(get .merchant_api_url)/orders"; }
is "it is good" "$(with_token)" 200
ok "it is listed by its name" says '^NAME +CREATED +LAST USED +EXPIRES +SCOPES$
^second  +20.* all$' merchant token list
ok "it is taken back" says "The token 'second' is no longer accepted" merchant token remove --name second
is "and is no good any more" "$(with_token)" 401
ok "what is not there can't be taken back" refuses 1 "second" merchant token remove --name second

# ------------------------------------------------------------------ the store
stock_of() { merchant --json stock show "$1" | jq -c '[.on_hand, .reserved]'; }
is "the sandbox has a shop" "$(merchant --json product list --limit 100 | jq '.products | length')" 24
ok "which is shown" says '^SLUG +STATUS +VARIANTS +NAME +PRICE$
^teapot +published +2  Teapot +49\.90 EUR' merchant product list --search tea --in-stock --limit 50
ok "with a product and its variants" says '^slug +cup$
^category +tableware$
^variant +CP-CHALK +0 left .*colour chalk$
^picture +[0-9a-f]{64}  image/svg' merchant product show cup
ok "a product is made" says '^status +draft$
^variant +HAT-1 +3 left  5\.00 EUR' merchant product add --slug hat --name Hat --sku HAT-1 --amount '5 EUR' --on-hand 3
ok "and put on sale" says '^status +published$' merchant product set hat --status published
ok "it gets prices in other currencies" says '^variant +HAT-1 +3 left  5\.00 EUR, 800 JPY, 6\.00 USD' \
    merchant price set HAT-1 --price '800 JPY' --price '6 USD'
ok "which are changed, and taken away" says '^variant +HAT-1 +3 left  5\.00 EUR, 850 JPY' \
    merchant price set HAT-1 --price '850 JPY' --without USD
ok "but not all of them" refuses 2 "no price at all" merchant price set HAT-1 --without EUR --without JPY
ok "nor twice" refuses 2 "--price: JPY is given twice" merchant price set HAT-1 --price '1 JPY' --price '2 JPY'
ok "nor to what is no amount" refuses 2 "--price: found '8.5 JPY'" merchant price set HAT-1 --price '8.5 JPY'
ok "nor of a currency that is none" refuses 2 "--without: found 'XYZ'" merchant price set HAT-1 --without XYZ
ok "nor to nothing" refuses 2 "found no price" merchant price set HAT-1
ok "nor of what is not there" refuses 1 "there is no SKU 'HAT-9'" merchant price set HAT-9 --price '1 EUR'
ok "its stock is told with the log" says '^HAT-1 +2 +0 +2  Hat$
^low +5 or fewer$
^log .* -1  then 2 +lost$
\+3  then 3 +first stock$' merchant stock adjust HAT-1 --change -1 --reason lost
ok "how many are few is said" says '^low +1 or fewer$' merchant stock set HAT-1 --low-at 1
ok "which is told as an event" says '^EVENT +TIME +TYPE +ABOUT$
^evt_.* stock\.enough +HAT-1$' merchant event list --type stock.enough
ok "but not as less than none" refuses 2 "low_at" merchant stock set HAT-1 --low-at -1
ok "a tax rate is made" says '^standard\.NL +BTW 21 %, in the prices$' \
    merchant tax add --country NL --name BTW --percent 21
ok "and deleted" says "^'standard\.NL' is deleted" merchant tax remove standard.NL
cat >"$tmp/good.csv" <<'CSV'
slug,name,status,categories,sku,option:size,price:EUR,price:JPY,on_hand,low_at,picture,picture_alt
scarf,"A ""long"" scarf, red",published,textiles,SC-S,S,"19.90",3000,5,2,dot.svg,A dot
scarf,,,,SC-L,L,21.90,3300,,,,
scarf,,,,SC-M,M,20.90,3200,4,,,
CSV
printf '<svg xmlns="http://www.w3.org/2000/svg"></svg>' >"$tmp/dot.svg"
ok "a file is imported" says '^Imported: 1 product, 0 categories' merchant product import "$tmp/good.csv"
ok "once more too" says '^Imported: 1 product' merchant product import "$tmp/good.csv"
ok "and is what it says" says '^name +A "long" scarf, red$
^variant +SC-S +5 left  19\.90 EUR, 3000 JPY  size S$
^variant +SC-L +not counted  21\.90 EUR, 3300 JPY  size L$
^variant +SC-M +4 left  20\.90 EUR, 3200 JPY  size M$
^picture .* A dot$' merchant product show scarf
ok "also how many are few" says '^low +2 or fewer$' merchant stock show SC-S
ok "or else as for any" says '^low +5 or fewer$' merchant stock show SC-M
ok "a picture is added" says '^picture .* Another dot$' merchant picture add hat --picture "$tmp/dot.svg" --alt 'Another dot'
dot=$(awk '$1 == "picture" { print $2 }' "$tmp/said")
ok "and described anew" says '^picture .* A third dot$' merchant picture set hat --picture "$dot" --alt 'A third dot'
ok "but it can't be the second of one" refuses 2 "position" merchant picture set hat --picture "$dot" --position 2
ok "and taken away" says '^slug +hat$' merchant picture remove hat --picture "$dot"
is "and gone" "$(grep -c '^picture' "$tmp/said")" 0
printf 'GIF89a' >"$tmp/dot.gif"
ok "a picture of another kind" refuses 2 "dot.gif'; expected a name" merchant picture add hat --picture "$tmp/dot.gif" --alt a
csv() { printf '%b' "$1" >"$tmp/bad.csv"; merchant product import "$tmp/bad.csv"; }
ok "a column that is none" refuses 2 "bad.csv, line 1: unknown column 'skuu'" csv 'slug,skuu\n'
ok "a row that is too short" refuses 2 "bad.csv, line 3: found 1 field; expected 2" csv 'slug,sku\n\na\n'
ok "a price with too many decimals" refuses 2 "line 2: price:EUR: found '1.234'" csv 'slug,price:EUR\na,1.234\n'
ok "how many are few that is no number" refuses 2 "line 2: low_at: found 'few'" csv 'slug,on_hand,low_at\na,5,few\n'
ok "or of what is not counted" refuses 2 "line 2: low_at: found '3' without on_hand" csv 'slug,on_hand,low_at\na,,3\n'
ok "or fewer than none" refuses 2 "products\[0\].variants\[0\].stock.low_at" \
    csv 'slug,name,sku,price:EUR,on_hand,low_at\na,A,A-1,1,5,-1\n'
ok "a quote that stays open" refuses 2 "line 2: a quote is opened" csv 'slug,sku\na,"b\n'
ok "a file that is not there" refuses 2 "none.json: No such file" merchant product import "$tmp/none.json"
printf '{"products":[{"slug":"a","name":"A","variants":[]}]}' >"$tmp/bad.json"
ok "a product without variants" refuses 2 "products\[0\].variants" merchant product import "$tmp/bad.json"
ok "a picture that is none" refuses 2 "type" merchant product import <(printf '{"products":[{"slug":"a","name":"A",
    "variants":[{"sku":"A","prices":{"EUR":1}}],"pictures":[{"type":"text/html","alt":"a","data":"AAAA"}]}]}')
ok "what is not there can't be deleted" refuses 1 "there is no product 'none'" merchant product remove none

# An order of it holds the stock, through a crash; paid, it is sold; voided, it is back.
printf '{"items":[{"sku":"HAT-1","quantity":2}]}' >"$tmp/hats"
merchant --json order create --file "$tmp/hats" >"$tmp/hat.json"
hats=$(jq -r .order_id "$tmp/hat.json")
is "an order of the catalogue has its price" "$(jq -c '[.amount, .taxes[0].tax]' "$tmp/hat.json")" '[1000,160]'
is "and holds the stock" "$(stock_of HAT-1)" '[2,2]'
ok "of which no more is there" refuses 1 "2 of HAT-1 are wanted, and 0 left" merchant order create --file "$tmp/hats"
pid=$(pid_of merchant)
kill -KILL "$pid"
wait_gone "$pid"
ok "the merchant comes back from a crash" up
is "and holds what it held" "$(stock_of HAT-1)" '[2,2]'
ok "the hats are paid" wallet --json pay "$(jq -r .pay_uri "$tmp/hat.json")" --yes
is "and sold" "$(stock_of HAT-1)" '[0,0]'
ok "voided" says '^status +voided$' merchant order void "$hats"
is "they are back" "$(stock_of HAT-1)" '[2,0]'
merchant --json order create --file "$tmp/hats" >"$tmp/hat.json"
ok "another order is cancelled" says '^status +cancelled$' merchant order cancel "$(jq -r .order_id "$tmp/hat.json")"
is "and holds nothing" "$(stock_of HAT-1)" '[2,0]'

# ------------------------------------------------------------------ slips
ok "an order that is not there" refuses 1 "there is no order '0000'" merchant order show 0000
ok "a purchase that is not there" refuses 1 "." merchant purchase show 00000000000000000000000000000000
ok "an amount that is none" refuses 2 "amount" merchant order create --description x --amount 'twelve EUR'
ok "a status that is none" refuses 2 "status" merchant order list --status sold
ok "a paid order can't be cancelled" refuses 1 "voided" merchant order cancel "$order"
ok "how the daemon is" says '^merchant_id +sandbox-shop$
^gateway .*"brand": "visa", "up": true' merchant status

# ------------------------------------------------------------------ without the daemon
new_order 700 EUR
ok "another order is paid" wallet --json pay "$uri" --yes
pid=$(pid_of merchant)
kill -TERM "$pid"
wait_gone "$pid"
ok "orders are shown without the daemon" says '^status +voided$' merchant order show "$order"
ok "a token is made without it" says '^spm_' merchant token add --name third
token=$(grep '^spm_' "$tmp/said")
ok "a void needs it" refuses 4 "." merchant order void "$order_id"
ok "so does a capture" refuses 4 "stopped" merchant order capture "$order_id"
ok "and one of several" refuses 4 "stopped" merchant order capture "${paid[0]}" "$order_id"
ok "and a batch" refuses 4 "stopped" merchant batch close
ok "it comes back" up
is "and knows the token" "$(with_token)" 200
done_testing
