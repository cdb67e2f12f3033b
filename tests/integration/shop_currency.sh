#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# The shop's pages sell in the currencies that the owner names: each price is the catalogue's own, in units as large as
# the currency's, and what is charged is that; what has no price in a currency is not sold in it, and says so.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
shop=$(get .store_url)
. "$here/../support/shopper.bash"

says() { grep -q -- "$1" "$tmp/page"; }
words() { sed 's/<[^>]*>/ /g' "$tmp/page" | tr -s ' \n' ' '; }
choose() { # choose CURRENCY [BACK]: as the form at the top of a page does
    local form
    form=$(form_of /cart)
    visit /currency -d "form=$form" -d "currency=$1" --data-urlencode "back=${2:-/cart}"
}
currencies() { visit "$1" >/dev/null && sed -n 's/^<option value="\([A-Z]*\)"\( selected\)\{0,1\}.*>[A-Z]*<.*/\1\2/p' "$tmp/page" | paste -sd ' '; }
order_in() { sql merchant "SELECT amount_minor || ' ' || currency FROM orders WHERE token = '${1##*/}'"; }

# ------------------------------------------------------------------ what the owner says
is "the sandbox sells in three" "$(sed -n 's/^currencies = //p' "$sandbox/merchant.conf")" "EUR, USD, JPY"
refused() { # refused CURRENCIES WORDS: the daemon does not start
    "$bin/setpay-merchantd" --config "$sandbox/merchant.conf" --listen 127.0.0.1:0 --api_listen 127.0.0.1:0 \
        --shop_listen 127.0.0.1:0 --owner_listen 127.0.0.1:0 --admin_address 127.0.0.1:0 --admin_socket "$tmp/x.sock" \
        --database "sqlite:$tmp/x.db" --log "$tmp/x.log" --currencies "$1" >"$tmp/said" 2>&1 && return 1
    grep -q "currencies: $2" "$tmp/said" || { cat "$tmp/said"; return 1; }
}
ok "one that is none is refused" refused "EUR, XYZ" "found 'XYZ'; expected codes of ISO 4217"
ok "and one in small letters" refused "EUR, usd" "found 'usd'"
ok "and an empty one" refused "EUR,,USD" "found ''"
ok "and one twice" refused "EUR, USD, EUR" "EUR stands there twice"
ok "and a list without the shop's own" refused "USD,JPY" "found 'USD,JPY', without EUR"
# With one whose unit has a thousand parts, for which no way of shipping has a price yet.
ok "a fourth is named" restart_with merchant "currencies = EUR, USD, JPY,KWD"
shop=$(get .store_url)

# ------------------------------------------------------------------ what a shopper sees
is "the first is the shop's own" "$(currencies /)" "EUR selected USD JPY KWD"
is "a choice leads back" "$(choose JPY '/search?q=jug&sort=price') $(leads_to)" "303 /search?q=jug&sort=price"
is "and is kept" "$(currencies /)" "EUR USD JPY selected KWD"
ok "lists show it" says '<span class="price">5200 JPY</span>'
is "and no other" "$(grep -c 'class="price">[^<]* EUR' "$tmp/page")" 0
visit /products/jug >/dev/null
ok "so does the product" says '<p class="price" id="price">5200 JPY</p>'
visit '/search?q=jug&min=5100&max=5300' >/dev/null
ok "prices are sought in it" says 'href="/products/jug"'
ok "which the form says" says 'From (JPY)'
ok "what is asked for stays where the currency changes, but for the prices" says 'name="back" value="/search?q=jug"'
visit '/search?q=a%26b%22&sort=price&stock=1' >/dev/null
ok "also what has signs in it" says 'name="back" value="/search?q=a%26b%22&amp;sort=price&amp;stock=1"'
for i in 1 2; do
    merchant product add --slug "more-$i" --name "More $i" --sku "MORE-$i" --status published --amount "1 EUR" \
        --price "99000 JPY" >/dev/null
done
is "a product is made with prices in two" "$(api GET /products/more-1 | jq -c '.variants[0].prices')" '{"EUR":100,"JPY":99000}'
visit '/search?sort=price' >/dev/null
next=$(sed -n 's/.*rel="next" href="\([^"]*\)".*/\1/p' "$tmp/page" | sed 's/&amp;/\&/g')
is "a second page" "$(visit "$next")" 200
choose EUR >/dev/null
is "of which the first is shown in another currency" "$(visit "$next") $(words | grep -c ' EUR ')" "200 1"
ok "with the cheapest first" eval 'visit "$next" >/dev/null; [ "$(sed -n "s/.*class=\"price\">\(from \)*\([0-9.]* EUR\).*/\2/p" "$tmp/page" | head -n 1)" = "1.00 EUR" ]'
jar=$tmp/jar-other
is "another shopper has the shop's own" "$(currencies /products/jug)" "EUR selected USD JPY KWD"
jar=$tmp/jar

# ------------------------------------------------------------------ cart, order, receipt
choose JPY >/dev/null
is "the jug goes into the cart" "$(put JG-STRAW 1)" "/cart?said=added"
visit /cart >/dev/null
ok "each of its prices is in it" eval 'words | grep -q "5200 JPY each .* Parcel 3800 JPY .* Goods 5200 JPY Parcel 3800 JPY Total 9000 JPY"'
is "a way of shipping without a price in it is not offered" "$(grep -c 'value="express"' "$tmp/page")" 0
choose USD >/dev/null
visit /cart >/dev/null
ok "another currency has other prices" eval 'words | grep -q "Goods 35.90 USD Parcel 24.90 USD Total 60.80 USD"'
choose EUR >/dev/null
visit /cart >/dev/null
is "and other ways of shipping" "$(grep -c 'value="express"' "$tmp/page")" 1
choose JPY >/dev/null
where=$(order)
is "what is ordered is priced in it" "$(order_in "$where")" "9000 JPY"
visit "$where" >/dev/null
ok "its page says so" says '<h2 id="pay">Pay 9000 JPY</h2>'
is "and has no other to choose" "$(grep -c 'action="/currency"' "$tmp/page")" 0
uri=$(sed -n 's/.*href="\(setpay:[^"]*\)".*/\1/p' "$tmp/page")
ok "a wallet pays it" eval 'wallet --json pay "$uri" --yes | jq -e ".status == \"authorised\" and .amount == 9000 and .currency == \"JPY\""'
visit "$where" >/dev/null
ok "the receipt has it" eval 'words | grep -q "Paid by card visa, approval [0-9A-Z]* 9000 JPY"'
is "the next order is in the same" "$(put JG-STRAW 2) $(order_in "$(order)")" "/cart?said=added 14200 JPY"

# ------------------------------------------------------------------ what is not sold in it
put JG-STRAW 2 >/dev/null
put BT-100 1 >/dev/null
ok "a price is taken away" merchant price set JG-STRAW --without USD
ok "and that of one variant of two" merchant price set TP-SAND --without USD --price "59.90 EUR"
choose USD >/dev/null
visit /cart >/dev/null
ok "the cart names what is not sold in it" eval 'words | grep -q "Jug straw Not sold in USD: take it out, or choose another currency."'
ok "and says that it can't be ordered so" says 'Not everything in the cart is sold in USD'
is "with no way to the payment" "$(grep -c 'name="checkout"' "$tmp/page")" 0
orders=$(sql merchant 'SELECT COUNT(*) FROM orders')
is "nor by the form itself" "$(order)$(order 'seen=60.80 USD')" ""
is "nothing is ordered" "$(sql merchant 'SELECT COUNT(*) FROM orders')" "$orders"
visit /products/jug >/dev/null
ok "the product says where it is sold" says 'Not sold in USD, but in EUR, JPY:'
is "and has no button" "$(grep -c 'action="/cart/add"' "$tmp/page")" 0
is "nor is it put into the cart without" "$(put JG-STRAW 1)" "/cart?said=unsold"
visit "$(leads_to)" >/dev/null
ok "which is said" says 'That is not sold in the currency that you have chosen'
visit '/search?q=jug' >/dev/null
ok "lists say so" says 'Not sold in USD'
visit /products/teapot >/dev/null
ok "of a variant, too" eval 'words | grep -q "sand Not sold in USD"'
ok "which can't be chosen" says 'value="TP-SAND" data-price="" required="" disabled=""'
choose EUR >/dev/null
visit /cart >/dev/null
ok "nothing was lost" eval 'words | grep -q "Goods 73.70 EUR"'
form=$(form_of /cart)
choose USD >/dev/null
visit /cart/change -d "form=$form" -d remove=JG-STRAW >/dev/null
visit /cart >/dev/null
ok "and what is taken out is out" eval 'words | grep -q "Goods 8.90 USD"'
ok "a price in it makes it sold again" eval 'merchant price set JG-STRAW --price "35.90 USD" && [ "$(put JG-STRAW 1)" = "/cart?said=added" ]'

# ------------------------------------------------------------------ a thousand parts, and no shipping
jar=$tmp/jar-kuwait
ok "prices with three decimals" merchant price set PL-22 --price "5.250 KWD"
choose KWD >/dev/null
visit /products/plate >/dev/null
ok "are shown with them" says 'id="price">5.250 KWD<'
is "and sold" "$(put PL-22 2)" "/cart?said=added"
visit /cart >/dev/null
ok "without a way of shipping, the cart says so" \
    says 'Nothing is sent to this country for prices in KWD, but for those in EUR, USD, JPY. Please choose another country or currency.'
is "before there is a payment" "$(grep -c 'name="checkout"' "$tmp/page")" 0
is "or an order" "$(order)" ""
jq -n '{slug: "air", name: "Air mail", zones: [{countries: ["*"], currency: "KWD", by: "weight",
    steps: [{amount: 1250}]}]}' >"$tmp/air.json"
ok "a way is made" merchant shipping add --file "$tmp/air.json"
visit /cart >/dev/null
ok "and added up" eval 'words | grep -q "Goods 10.500 KWD Air mail 1.250 KWD Total 11.750 KWD"'
where=$(order shipping_method=air)
is "what is ordered" "$(order_in "$where")" "11750 KWD"
visit "$where" >/dev/null
uri=$(sed -n 's/.*href="\(setpay:[^"]*\)".*/\1/p' "$tmp/page")
ok "can be paid" eval 'wallet --json pay "$uri" --yes | jq -e ".status == \"authorised\" and .amount == 11750 and .currency == \"KWD\""'

# ------------------------------------------------------------------ what is sold no longer
jar=$tmp/jar
choose JPY >/dev/null
ok "the owner sells in two" restart_with merchant "currencies = EUR, USD"
shop=$(get .store_url)
is "who had chosen a third sees the shop's own" "$(currencies /cart)" "EUR selected USD"
ok "and is charged in it" eval 'words | grep -q "Total .* EUR"'
ok "the owner sells in one" restart_with merchant "currencies = EUR"
shop=$(get .store_url) jar=$tmp/jar-new
is "and there is nothing to choose" "$(visit /) $(grep -c 'action="/currency"' "$tmp/page")" "200 0"
is "nor a cookie for it" "$(grep -ci '^set-cookie' "$tmp/head")" 0
done_testing
