#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# What somebody who is no shopper tries on the shop's pages: code in every field, forms from elsewhere, paths that lead
# out, prices and quantities of one's own, other people's carts and orders, too much and too slow.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
shop=$(get .store_url)
. "$here/../support/shopper.bash"
ok "there is enough of what is tried with" merchant stock set JG-STRAW --on-hand 500 --reason "for the test"

sql_code="x'); DROP TABLE orders; --"
html_code='"><script src=//evil.example></script><img src=x onerror=alert(1)>'\''{{form}}'
tables() { sql merchant "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'"; }
rows() { sql merchant "SELECT (SELECT COUNT(*) FROM orders) || ' ' || (SELECT COUNT(*) FROM product)"; }
tables=$(tables)
encoded() { jq -rn --arg s "$1" '$s | @uri'; }
clean() { # what was sent stands nowhere in the page as code
    ! grep -qi '<script src=//evil' "$tmp/page" && ! grep -qi '<img src=x' "$tmp/page" &&
        [ "$(grep -ci '<script' "$tmp/page")" -le 1 ]
}

# ------------------------------------------------------------------ code in every field
bad=()
for code in "$sql_code" "$html_code" "' OR 1=1 --" '%00' "*" '"a" NEAR b' "$(head -c 300 /dev/zero | tr '\0' a)"; do
    word=$(encoded "$code")
    for path in "/search?q=$word" "/search?sort=$word" "/search?option=$word" "/search?option=a:$word" \
        "/search?min=$word&max=$word" "/search?cursor=$word" "/search?stock=$word" "/categories/$word" \
        "/products/$word" "/products/jug?sku=$word" "/pictures/$word" "/cart?said=$word" "/orders/$word" \
        "/orders/$word/events" "/static/$word"; do
        status=$(visit "$path")
        case $status in 200 | 400 | 404) clean || status="$status with code" ;; esac
        case $status in 200 | 400 | 404) ;; *) bad+=("$path: $status") ;; esac
    done
done
is "addresses with code are looked up, or are not there" "${bad[*]:-}" ""
# alone PATH FIELD=ANSWER...: $code in one field after the other; the status, and where it leads, is that, and neither
# that page nor the cart has it as code.
alone() {
    local path=$1 field expected answer data
    for expected in "${@:2}"; do
        field=${expected%%=*} expected=${expected#*=} data=()
        for good in "form=$form" sku=JG-STRAW quantity=1 currency=EUR back=/cart; do
            [ "${good%%=*}" = "$field" ] || data+=(--data-urlencode "$good")
        done
        answer="$(visit "$path" "${data[@]}" --data-urlencode "$field=$code") $(leads_to)"
        [ "${answer% }" = "$expected" ] || bad+=("$path $field: $answer")
        clean || bad+=("$path $field")
        grep -qi 'evil\|DROP' "$tmp/head" && bad+=("$path $field: header")
        visit /cart >/dev/null
        clean || bad+=("$path $field: cart")
    done
}
put JG-STRAW 1 >/dev/null
bad=()
for code in "$sql_code" "$html_code"; do
    for field in name street extra postal_code city region country shipping_method seen look form; do
        where=$(order "$field=$code")
        clean || bad+=("$field")
        case $where in /orders/*) put JG-STRAW 1 >/dev/null ;; esac
    done
    for field in sku quantity remove country shipping_method quantity_JG-STRAW; do
        form=$(form_of /cart)
        visit /cart/change -d "form=$form" --data-urlencode "$field=$code" >/dev/null
        clean || bad+=("$field")
        visit /cart >/dev/null
        clean || bad+=("cart $field")
    done
    # Each field that is read, alone; all others are right.
    alone /cart/add form=403 sku="303 /cart?said=unknown" quantity="303 /cart?said=quantity"
    alone /currency form=403 currency=400 back="303 /"
done
is "fields with code are text" "${bad[*]:-}" ""
is "and nothing of the database has gone" "$(tables)" "$tables"
where=$(order "name=$html_code" "city=$sql_code")
ok "an order may have such a name" test "${where#/orders/}" != "$where"
visit "$where" >/dev/null
ok "which its page does not show" bash -c "! grep -q 'evil' '$tmp/page' && ! grep -q 'DROP' '$tmp/page'"
order_id=$(sed -n 's/.*Order \(ord_[a-z0-9]*\).*/\1/p' "$tmp/page")
is "and the owner sees as it is" "$(api GET "/orders/$order_id" | jq -r .ship_to.name)" "$html_code"
is "while it may be paid its address is not forgotten" "$(merchant --json order forget "$order_id" | jq -r .error.name)" STATE
ok "it is cancelled" merchant order cancel "$order_id"
ok "then it is" merchant order forget "$order_id"
is "the owner has the order, and no address" "$(api GET "/orders/$order_id" | jq -c '[.status, .ship_to]')" '["cancelled",null]'
is "in the database neither" "$(sql merchant "SELECT COUNT(*) FROM order_ship_to WHERE order_id = '$order_id'")" 0
is "there is none to forget again" "$(merchant --json order forget "$order_id" | jq -r .forgotten)" false
is "nor of an order that is none" "$(merchant --json order forget ord_00000000000000000000 | jq -r .error.name)" NOT_FOUND

# ------------------------------------------------------------------ forms from elsewhere
form=$(form_of /products/jug)
pieces() { visit /cart >/dev/null && sed -n 's/.*<span class="count">\([0-9]*\).*/\1/p' "$tmp/page"; }
add=(-d sku=JG-STRAW -d quantity=1)
is "the cart is empty" "$(pieces)" ""
is "no form without its token" "$(visit /cart/add "${add[@]}")" 403
is "nor with another's" "$(visit /cart/add "${add[@]}" -d "form=$(echo "$form" | tr 'a-zA-Z' 'b-zaB-ZA')")" 403
is "nor with an empty one" "$(visit /cart/add "${add[@]}" -d form=)" 403
is "nor from another site" "$(visit /cart/add "${add[@]}" -d "form=$form" -H 'Sec-Fetch-Site: cross-site')" 403
is "nor from a neighbour" "$(visit /cart/add "${add[@]}" -d "form=$form" -H 'Sec-Fetch-Site: same-site')" 403
is "nor with another origin" "$(visit /cart/add "${add[@]}" -d "form=$form" -H 'Origin: https://evil.example')" 403
is "nor with none of our cookies" "$(curl -sS -o /dev/null -w '%{http_code}' "$shop/cart/add" "${add[@]}" -d "form=$form")" 403
is "nor as something else than a form" "$(visit /cart/add -H 'Content-Type: text/plain' "${add[@]}" -d "form=$form")" 415
is "an address alone changes nothing" "$(visit "/cart/add?sku=JG-STRAW&quantity=1&form=$form")" 405
is "a field given twice is refused" "$(visit /cart/add "${add[@]}" -d sku=BW-GREYB -d "form=$form")" 400
is "so is what is no UTF-8" "$(visit /cart/add "${add[@]}" -d "form=$form" -d 'a=%ff')" 400
is "and the cart is still empty" "$(pieces)" ""
is "our own form is taken" "$(visit /cart/add "${add[@]}" -d "form=$form" -H "Origin: $shop")" 303
is "once" "$(pieces)" 1
rm -f "$tmp/jar2"
curl -sS -c "$tmp/jar2" -o /dev/null -D "$tmp/head" "$shop/products/jug"
ok "the cookie is not for scripts, nor for other sites" grep -qi '^set-cookie: cart=.*HttpOnly; SameSite=Lax' "$tmp/head"
is "a cart's id that one makes up is empty" "$(curl -sS -b cart=AAAAAAAAAAAAAAAAAAAAAA "$shop/cart" | grep -c 'class="count"')" 0

# ------------------------------------------------------------------ a currency of one's own
# Of equal figures: 90.00 EUR and 9000 JPY.
ok "two totals have the same figures" merchant price set JG-STRAW --price "85.10 EUR" --price "5200 JPY"
currency() { # currency CODE [BACK]: the status, and where it leads
    echo "$(visit /currency -d "form=$form" --data-urlencode "currency=$1" --data-urlencode "back=${2-/cart}") $(leads_to)"
}
before=$(rows)
form=$(form_of /cart)
visit /checkout >/dev/null
is "a total was seen" "$(value_of seen)" "90.00 EUR"
is "another currency is chosen elsewhere" "$(currency JPY)" "303 /cart"
is "a cart in JPY is not paid for what was seen in EUR" "$(order "seen=90.00 EUR")" ""
ok "but said" grep -q "The total has changed" "$tmp/page"
is "nor for figures alone" "$(order seen=9000)$(order seen=90.00)$(order "seen=9000 EUR")$(order "seen=9000.00 JPY")" ""
is "nor in a currency that the form names" "$(order "seen=90.00 EUR" currency=EUR)$(order "seen=90.00 EUR" seen_currency=EUR)" ""
is "and no order was made of it" "$(rows)" "$before"
seen() { visit /checkout >/dev/null; value_of seen; }
is "the currency of a form that adds is nobody's" "$(visit /cart/add -d "form=$form" -d sku=JG-STRAW -d quantity=1 -d currency=EUR) \
$(seen)" "303 14200 JPY"
is "that of the cart's own form is a choice, and its prices are the catalogue's" \
    "$(visit /cart/change -d "form=$form" -d currency=EUR) $(seen)" "303 175.10 EUR"
is "among those that the shop sells in, or nothing is changed" \
    "$(visit /cart/change -d "form=$form" -d currency=GBP -d quantity_JG-STRAW=9) $(seen)" "400 175.10 EUR"
is "the other one is chosen again" "$(currency JPY)" "303 /cart"
where=$(order currency=EUR)
is "what is charged is the catalogue's" "$(sql merchant "SELECT amount_minor || currency FROM orders WHERE token = '${where##*/}'")" 14200JPY
form=$(form_of /cart)
bad=()
for code in GBP KWD XYZ eur "EUR " "" "EUR,USD" EURO; do
    [ "$(currency "$code")" = "400 " ] || bad+=("$code")
done
is "a currency that the shop does not sell in is refused" "${bad[*]:-}" ""
visit /cart >/dev/null
is "and the old one stays" "$(sed -n 's/.*value="\([A-Z]*\)" selected="">[A-Z]*<.*/\1/p' "$tmp/page" | head -n 1)" JPY
is "no choice without the token" "$(visit /currency -d currency=EUR)" 403
is "nor from another site" "$(visit /currency -d "form=$form" -d currency=EUR -H 'Sec-Fetch-Site: cross-site')" 403
is "nor by an address" "$(visit '/currency?currency=EUR')" 405
bad=()
for back in //evil.example https://evil.example/ 'javascript:alert(1)' '/\evil.example' $'/a\r\nSet-Cookie: cart=x' $'/\t/evil.example' \
    evil.example '' "/$(head -c 5000 /dev/zero | tr '\0' a)"; do
    [ "$(currency EUR "$back")" = "303 /" ] || bad+=("$back")
    grep -qi '^set-cookie: cart=x' "$tmp/head" && bad+=("header of $back")
done
is "it leads to pages of the shop, and nowhere else" "${bad[*]:-}" ""
ok "the price is as it was" merchant price set JG-STRAW --price "32.90 EUR"
put JG-STRAW 1 >/dev/null

# ------------------------------------------------------------------ prices and quantities of one's own
price=$(sql merchant "SELECT amount_minor FROM price p JOIN variant v ON v.seq = p.variant_seq WHERE v.sku = 'JG-STRAW'
    AND currency = 'EUR'")
before=$(rows)
visit /checkout >/dev/null
form=$(value_of form) right=$(value_of seen)
where=$(order seen=1)
is "another total is not taken" "$where" ""
ok "but said" grep -q "The total has changed" "$tmp/page"
is "nor one that is none" "$(order seen=-1)$(order seen=99999999999999999999)$(order "seen=$right.0")" ""
is "nor a way of shipping that does not go there" "$(order country=AT shipping_method=express)" ""
is "nor none" "$(order shipping_method=)" ""
is "nor a country that is none" "$(order country=ZZ)$(order country=de)$(order country=)" ""
is "and no order was made" "$(rows)" "$before"
is "nothing is reserved by them" "$(sql merchant "SELECT SUM(reserved) FROM variant WHERE sku = 'JG-STRAW'")" \
    "$(sql merchant "SELECT COALESCE(SUM(quantity), 0) FROM reservation WHERE sku = 'JG-STRAW' AND state = 1")"
form=$(form_of /cart)
for quantity in -1 0 1.5 1e3 1000 99999999999999999999 "1 " "" 0x1 １; do
    visit /cart/add -d "form=$form" -d sku=JG-STRAW --data-urlencode "quantity=$quantity" >/dev/null
    [ "$(leads_to)" = "/cart?said=quantity" ] || bad+=("$quantity")
done
is "quantities that are none" "${bad[*]:-}" ""
is "change nothing" "$(pieces)" 1
where=$(order amount=1 price=1 unit_amount=1 total=1 currency=JPY)
visit "$where" >/dev/null
token=${where##*/}
is "a price of one's own is nobody's" "$(sql merchant "SELECT amount_minor || currency FROM orders WHERE token = '$token'")" \
    "$((price + 490))EUR"

# ------------------------------------------------------------------ other people's orders
# shellcheck disable=SC2034 # of shopper.bash
jar=$tmp/jar3
is "who is not told an order's link has none" "$(visit /orders/AAAAAAAAAAAAAAAAAAAAAA)" 404
is "nor by its name" "$(visit "/orders/$order_id")" 404
is "nor by a part of its link" "$(visit "/orders/${token%?}")" 404
is "nor by the case of its letters" "$(visit "/orders/$(echo "$token" | tr 'a-zA-Z' 'A-Za-z')")" 404
is "who comes to the checkout with nothing is led to the cart" "$(visit /checkout) $(leads_to)" "303 /cart"
visit "/orders/$token" >/dev/null
ok "a link shows no address" bash -c "! grep -q 'Weg 1' '$tmp/page'"
ok "and is kept nowhere" grep -qi '^cache-control: no-store' "$tmp/head"

# ------------------------------------------------------------------ paths, sizes, patience
bad=()
for path in /../../etc/passwd /static/../../../etc/passwd /static/..%2f..%2fetc%2fpasswd /pictures/..%2f..%2fetc%2fpasswd \
    /categories/..%2f /products/%2e%2e%2f /.git/config /merchant.conf /api/v1/orders /owner /admin; do
    [ "$(visit "$path")" = 404 ] || bad+=("$path")
done
is "paths that lead out lead nowhere" "${bad[*]:-}" ""
picture=$(sql merchant "SELECT lower(hex(i.digest)) FROM product_picture i JOIN product p ON p.seq = i.product_seq
    WHERE p.slug = 'bowl'")
is "a picture is shown" "$(visit "/pictures/$picture")" 200
ok "as one in which nothing runs" grep -qi "^content-security-policy: default-src 'none'; style-src 'unsafe-inline'.*sandbox" \
    "$tmp/head"
ok "a product is taken back" merchant product set bowl --status draft
is "and its page" "$(visit /products/bowl)" 404
is "and its picture" "$(visit "/pictures/$picture")" 404
ok "one that was sold is kept for who has it in the cart" merchant product set bowl --status archived
is "without a page" "$(visit /products/bowl)" 404
is "but with a picture" "$(visit "/pictures/$picture")" 200
head -c 70000 /dev/zero | tr '\0' a >"$tmp/big"
is "a form that is too long" "$(visit /cart/add --data-binary "@$tmp/big")" 413
head -c 20000 "$tmp/big" >"$tmp/long"
is "and one that is only long" "$(visit /cart/add --data-binary "@$tmp/long")" 413
is "and too many fields" "$(visit /cart/add -d "$(seq -f 'f%g=1' 200 | paste -sd '&')")" 413
case $(visit / -H "X: $(head -c 9000 "$tmp/big")") in 400 | 413 | 431) cut=yes ;; *) cut=no ;; esac
is "and a header" "$cut" yes
address=${shop#http://}
exec {slow}<>"/dev/tcp/${address%:*}/${address#*:}"
printf 'POST /cart/add HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\na=' >&"$slow"
began=$(date +%s)
timeout 30 cat <&"$slow" >"$tmp/slow"
took=$(($(date +%s) - began))
[ "$took" -le 15 ] && in_time=yes || in_time="after $took s"
is "who sends slowly is cut" "$in_time" yes
exec {slow}<&-
# A page that follows its payment waits for as long as nothing changes, and no longer.
seen=$(visit "/orders/$token" >/dev/null && sed -n 's/.*data-seen="\([0-9a-f]*\)".*/\1/p' "$tmp/page")
(visit "/orders/$token/events?seen=$seen" >"$tmp/waited") &
waiting=$!
sleep 0.5
ok "who follows an order waits" kill -0 "$waiting"
merchant order cancel "$(api GET /orders | jq -r '.orders[0].order_id')" >/dev/null
ok "until it has changed" wait_gone "$waiting"
ok "and is told" grep -q '^event: change' "$tmp/page"
# ------------------------------------------------------------------ a cookie that somebody has planted
# shellcheck disable=SC2034 # of shopper.bash
jar=$tmp/jar-planted
planted() { curl -sS -m 20 -o "$tmp/$1" -D "$tmp/head" -w '%{http_code}' -b "cart=$planted" "${@:2}"; }
put JG-STRAW 1 >/dev/null
planted=$(awk '$6 == "cart" { print $7 }' "$jar")
planted seen "$shop/checkout" >/dev/null
from_page() { sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" "$tmp/seen" | head -n 1; }
fields=()
for field in form once goods seen; do fields+=(-d "$field=$(from_page "$field")"); done
where=$(order)
ok "who was planted a cookie orders" test "${where#/orders/}" != "$where"
address=(-d name=Ada -d 'street=Weg 1' -d postal_code=10115 -d city=Berlin -d country=DE -d shipping_method=parcel)
is "who has planted it sends the checkout" "$(planted page "${fields[@]}" "${address[@]}" "$shop/checkout")" 303
is "and is not led to the order" "$(leads_to)" /cart
is "nor without the form's own value" "$(planted page "${fields[0]}" "${fields[1]}" "${address[@]}" "$shop/checkout") $(leads_to)" \
    "303 /cart"

# ------------------------------------------------------------------ too much of it
ok "limits are small" restart_with merchant "shop_orders_visitor = 2" "shop_orders_address = 3" "shop_carts_address = 4" \
    "shop_streams = 4" "shop_streams_address = 2"
shop=$(get .store_url)
# shopper NAME ADDRESS: a fresh jar, from that address
shopper() { jar=$tmp/jar-$1 from=$2; }
visit() {
    local path=$1
    shift
    curl -sS --path-as-is -m 20 -b "$jar" -c "$jar" -o "$tmp/page" -D "$tmp/head" -w '%{http_code}' \
        -H "X-Forwarded-For: 203.0.113.1, $from" "$@" "$shop$path"
}
buys() { # whether there is an order then
    put JG-STRAW 1 >/dev/null
    case $(order) in /orders/*) return 0 ;; *) return 1 ;; esac
}
orders() { sql merchant "SELECT COUNT(*) FROM orders"; }
crowded() { # that is refused, in words, with the cart as it was
    local before
    before=$(orders)
    ! buys && grep -q '^HTTP/1.1 429' "$tmp/head" && grep -q 'too many unpaid orders' "$tmp/page" &&
        [ "$(orders)" = "$before" ] && [ "$(pieces)" = 1 ]
}
shopper ada 198.51.100.1
ok "one order is not paid" buys
first=$(leads_to)
ok "nor another" buys
ok "a third of this visitor is too many" crowded
is "nothing is reserved for it" "$(sql merchant "SELECT SUM(reserved) FROM variant WHERE sku = 'JG-STRAW'")" \
    "$(sql merchant "SELECT COALESCE(SUM(quantity), 0) FROM reservation WHERE sku = 'JG-STRAW' AND state = 1")"
shopper ben 198.51.100.1
ok "a neighbour has one" buys
ok "and no more: the address has three" crowded
shopper cem 198.51.100.2
ok "somebody from elsewhere is not kept out" buys
shopper dot 198.51.100.1
ok "without a cookie it is no better" crowded
ok "one is paid" wallet pay "setpay://$(sed -n 's/^public_host = //p' "$sandbox/merchant.conf")/pay/${first#/orders/}" --yes
shopper ada 198.51.100.1
ok "and there is room for one" buys
ok "and no more" crowded
made=$(orders)
for _ in 1 2 3 4 5; do new_order 100 EUR "By a store's own program" && [ -n "$order_id" ]; done
is "a store's own program is not limited" "$(($(orders) - made))" 5
is "nobody's address is written down" "$(sql merchant "SELECT COUNT(*) FROM order_visitor WHERE CAST(client AS TEXT) LIKE '%198%'
    OR LENGTH(client) <> 32")" 0
carts() { sql merchant "SELECT COUNT(*) || ' ' || (SELECT carts FROM cart_total) FROM cart WHERE client =
    (SELECT client FROM cart ORDER BY seq DESC LIMIT 1)"; }
for name in e f g h i j; do
    shopper "$name" 192.0.2.77
    put JG-STRAW 1 >/dev/null
done
is "one address has four carts" "$(carts | cut -d' ' -f1)" 4
is "and the count of all is right" "$(carts | cut -d' ' -f2)" "$(sql merchant "SELECT COUNT(*) FROM cart")"
shopper e 192.0.2.77
is "of which the oldest went" "$(pieces)" ""
shopper j 192.0.2.77
is "and the youngest is there" "$(pieces)" 1

seen_of() { visit "$first" >/dev/null && sed -n 's/.*data-seen="\([0-9a-f]*\)".*/\1/p' "$tmp/page"; }
seen=$(seen_of)
follow() { # ADDRESS: in the background
    curl -sS -m 20 -o /dev/null -H "X-Forwarded-For: $1" "$shop$first/events?seen=$seen" &
    followers+=($!)
}
no_room() { # ADDRESS
    [ "$(curl -sS -m 1 -o /dev/null -D "$tmp/head" -w '%{http_code}' -H "X-Forwarded-For: $1" "$shop$first/events?seen=$seen")" = 503 ]
} 2>/dev/null
followers=()
follow 192.0.2.1
follow 192.0.2.1
ok "two pages of one address follow an order, and a third does not" wait_for 10 no_room 192.0.2.1
ok "it is told when to come back" grep -qi '^retry-after: 5' "$tmp/head"
ok "another address has room" eval '! no_room 192.0.2.2'
follow 192.0.2.2
follow 192.0.2.3
ok "until there is none for anybody" wait_for 10 no_room 192.0.2.4
api POST "/orders/$(api GET '/orders?limit=100' | jq -r --arg t "${first#/orders/}" '.orders[] | select(.pay_uri | endswith($t)).order_id')/capture" '{}' >/dev/null
for follower in "${followers[@]}"; do wait_gone "$follower"; done
ok "when it has changed they have gone, and there is room again" eval '! no_room 192.0.2.4'

# ------------------------------------------------------------------ all connections for one
ok "this address is no proxy, and may have three" restart_with merchant "shop_proxies = 192.0.2.1/32" \
    "shop_connections_address = 3" "workers = 1"
shop=$(get .store_url)
address=${shop#http://}
fds=()
for _ in 1 2 3 4 5 6; do
    exec {one}<>"/dev/tcp/${address%:*}/${address#*:}"
    fds+=("$one")
done
closed=0
for one in "${fds[@]:3}"; do timeout 5 cat <&"$one" >/dev/null && closed=$((closed + 1)); done
is "of six that are opened and silent three are closed at once" "$closed" 3
served() { printf 'GET /static/none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' >&"$1" && timeout 5 cat <&"$1" | grep -q '^HTTP/1.1 404'; }
ok "the others are served" served "${fds[0]}"
for one in "${fds[@]}"; do exec {one}<&-; done
ok "and when they have gone, there is room" wait_for 5 eval '[ "$(visit /)" = 200 ]'
is "the daemon has had no fault" "$(grep -c 'level=error' "$sandbox/log/merchant.log")" 0
done_testing
