#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# The owner's pages of a real daemon: signing in and out, an order from its payment over two shipments to a return, goods
# and stock; and those who try to get in, or to make the owner's browser do something.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

jar=$tmp/jar
status() { curl -sS --path-as-is -o "$tmp/page" -D "$tmp/head" -w '%{http_code}' "$@"; }
has() { grep -qi -- "$1" "$tmp/head"; }
says() { grep -qF -- "$1" "$tmp/page"; }
see() { status -b "$jar" "$owner$1"; }                             # see PATH
field() { grep -o "name=\"$1\" value=\"[^\"]*" "$tmp/page" | head -1 | cut -d'"' -f4; } # of a form of the page
sign_in() { # sign_in PASSWORD [JAR]: its status; the page before gives cookie and token
    local jar=${2:-$jar}
    status -b "$jar" -c "$jar" "$owner/signin" >/dev/null
    status -b "$jar" -c "$jar" --data-urlencode "csrf=$(field csrf)" -d name=owner --data-urlencode "password=$1" \
        "$owner/signin"
}
send() { # send PAGE ACTION OPTION...: the form of that page, with these fields
    local action=$2 page=$1
    shift 2
    see "$page" >/dev/null
    status -b "$jar" --data-urlencode "csrf=$(field csrf)" --data-urlencode "seen=$(field seen)" "$@" "$owner$action"
}
order_is() { [ "$(api GET "/orders/$order_id" | jq -r .status)" = "$1" ]; }
cookie() { awk '$6 == "setpay_owner" { print $7 }' "${1:-$jar}"; }

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
owner=$(get .admin_url)
password=$(cat "$(get .admin_password_file)")
is "the password is the owner's alone" "$(stat -c %a "$(get .admin_password_file)")" 600

# ---------------------------------------------------------------- nobody is signed in
for path in / /products /products/teapot /stock /stock/CUP /shipments /settlements /settlements/0a /webhooks /webhooks/whk_a /pictures/00 /orders/ord_00000000000000000000; do
    is "$path is not shown to anybody" "$(status "$owner$path")" 303
done
ok "but where to sign in" has '^location: /signin'
for path in /orders/a/void /products /products/teapot/edit /products/teapot/pictures /webhooks/a/redeliver /stock/CUP /signout; do
    is "and $path does nothing" "$(status -d csrf=x "$owner$path")" 303
done
for path in /../etc/passwd /static/..%2f..%2fetc%2fpasswd /static/%2e%2e/owner.css /static/ /static/shop.css; do
    is "there is no $path" "$(status "$owner$path")" 404
done
is "the API is not here" "$(status "$owner/api/v1/orders")" 404
is "nor are these pages on the public side" "$(status "$(get .store_url)/signin")" 404

# ---------------------------------------------------------------- signing in
status -c "$jar" "$owner/signin" >/dev/null
before=$(cookie)
ok "the cookie is out of reach of scripts and other sites" grep -qi '^set-cookie: setpay_owner=.*HttpOnly; SameSite=Strict' \
    "$tmp/head"
ok "with a policy that runs no script" has "^content-security-policy: default-src 'none'; style-src 'self'"
is "a wrong password" "$(sign_in "not $password")" 403
ok "is told" says "There is no such account with this password."
is "without the page's token nobody signs in" "$(status -b "$jar" -d csrf=AAAA -d name=owner \
    --data-urlencode "password=$password" "$owner/signin")" 403
is "the right one" "$(sign_in "$password")" 303
ok "is another session than the browser had" [ "$before" != "$(cookie)" ]
is "the orders" "$(see /)" 200
is "the id that was there before is worth nothing" "$(status -H "Cookie: setpay_owner=$before" "$owner/")" 303
is "nothing of the session is in the database" "$(sql merchant "SELECT count(*) FROM owner_session
    WHERE CAST(digest AS TEXT) LIKE '%$(cookie)%'")" 0
ok "the password is kept as scrypt" [ "$(sql merchant "SELECT count(*) FROM owner WHERE password LIKE 'scrypt\$15\$8\$1\$%'")" = 1 ]

# ---------------------------------------------------------------- an order
sku=$(api GET '/stock?limit=1' | jq -r '.stock[0].sku')
api POST /orders "{\"items\":[{\"sku\":\"$sku\",\"quantity\":3}],\"country\":\"DE\",\"metadata\":{\"note\":\"<script>x</script>\"}}" >"$tmp/made"
order_id=$(jq -r .order_id "$tmp/made")
ok "an order is paid" wallet --json pay "$(jq -r .pay_uri "$tmp/made")" --yes
page=/orders/$order_id
is "it is found by its words" "$(see "/?q=$order_id&status=authorised")" 200
ok "in the list" says "/orders/$order_id"
see "/?q=%25" >/dev/null
is "and not by a sign of the database" "$(grep -c 'href="/orders/' "$tmp/page")" 0
see "/?q=%27%20OR%201%3D1--" >/dev/null
is "nor by a statement" "$(grep -c 'href="/orders/' "$tmp/page")" 0
is "its page" "$(see "$page")" 200
is "shows what others wrote as text" "$(grep -c '<script' "$tmp/page")" 0
ok "as it was written" says '&lt;script&gt;'
is "one piece is sent" "$(send "$page" "$page/ship" -d q1=1 --data-urlencode 'tracking=RR "1" <b>' \
    --data-urlencode 'carrier=Post <i>' --data-urlencode 'tracking_url=https://track.example/?a=1&b')" 303
ok "and captured" wait_for 10 order_is partially_captured
is "the page" "$(see "$page?done=ship")" 200
ok "says so" says "The part is noted as sent."
ok "with its tracking as text" says 'Post &lt;i&gt;, tracking RR &quot;1&quot; &lt;b&gt;, https://track.example/?a=1&amp;b'
is "an address to follow it that would run" "$(send "$page" "$page/ship" -d q1=1 --data-urlencode 'tracking_url=javascript:x')" 409
ok "which is told beside its field" says 'value="javascript:x" aria-invalid="true" aria-describedby="wrong-tracking-url" autofocus="">'
ok "is refused in words" says "expected one that begins with https:// or http://"
is "more than there is" "$(send "$page" "$page/ship" -d q1=3 --data-urlencode 'carrier=Boten & Co')" 409
ok "what was typed stays" eval "says 'name=\"q1\" type=\"number\" min=\"0\" max=\"2\" value=\"3\"' && says 'maxlength=\"64\" value=\"Boten &amp; Co\">'"
ok "is refused in words" says "3 of the line 1 are wanted, and 2 left to be shipped"
is "no number" "$(send "$page" "$page/ship" -d q1=-1)" 409
ok "and why beside it" says 'value="-1" aria-invalid="true" aria-describedby="wrong-send1" autofocus="">'
is "a form that was sent before" "$(send "$page" "$page/ship" -d seen=0.0.0 -d q1=1)" 400
is "or whose order has changed" "$(see "$page" >/dev/null; status -b "$jar" --data-urlencode "csrf=$(field csrf)" \
    -d seen=0.0.0 -d q1=1 "$owner$page/ship")" 409
see /shipments >/dev/null
ok "what is to be sent is listed" says "/orders/$order_id"
ok "with how much" says "2 × "
see '/shipments?sent=1' >/dev/null
ok "and what was sent" says "/orders/$order_id"
ok "with a link that tells the carrier nothing" says 'href="https://track.example/?a=1&amp;b" rel="noreferrer noopener nofollow"'
is "the rest is sent" "$(send "$page" "$page/ship" -d q1=2)" 303
ok "and captured whole" wait_for 10 order_is captured
see /shipments >/dev/null
is "nothing of it is to be sent any more" "$(grep -c "/orders/$order_id" "$tmp/page")" 0
is "what was not sent can't come back" "$(send "$page" "$page/refund" -d by_line=1 -d q1=1 -d of=unsent)" 409
is "nor other pieces than there are" "$(send "$page" "$page/refund" -d by_line=1 -d q1=1 -d of=lost)" 409
ok "what was typed stays there" says 'name="q1" type="number" min="0" max="3" value="1"> of 3'
is "one comes back" "$(send "$page" "$page/refund" -d by_line=1 -d q1=1 -d of=sent -d restock=1)" 303
ok "and is given back" wait_for 10 order_is partially_refunded
is "an amount too" "$(send "$page" "$page/refund" -d amount=0.01 -d currency=EUR)" 303
is "but not one that is none" "$(send "$page" "$page/refund" -d amount=1e3 -d currency=EUR)" 409
ok "which stays, with the reason" says 'value="1e3" required="" aria-invalid="true" aria-describedby="wrong-back-amount" autofocus="">'
is "nor one that can be read in two ways" "$(send "$page" "$page/refund" -d amount=1,250 -d currency=EUR)" 409
ok "which is said" says 'amount: &#39;1,250&#39; can be read in two ways'
is "as a comma before two digits can't" "$(send "$page" "$page/refund" -d amount=0,01 -d currency=EUR)" 303
is "nor more than there is" "$(send "$page" "$page/refund" -d amount=99999.00 -d currency=EUR)" 409
is "nor is a captured order voided" "$(send "$page" "$page/void")" 409
sqlite3 -cmd '.timeout 5000' "$(get .databases.merchant)" "DELETE FROM event WHERE order_id = '$order_id'"
see "$page" >/dev/null
ok "what has happened stays when its events have gone" says "The order is created"
ok "all of it" says "The order is partially refunded"
is "an act that there is none of" "$(send "$page" "$page/steal")" 404
api POST /orders "{\"items\":[{\"sku\":\"$sku\",\"quantity\":2}],\"country\":\"DE\"}" >"$tmp/made"
order_id=$(jq -r .order_id "$tmp/made")
ok "another order is paid" wallet --json pay "$(jq -r .pay_uri "$tmp/made")" --yes
part=/orders/$order_id
is "a piece of it is sent" "$(send "$part" "$part/ship" -d q1=1)" 303
ok "and captured, too" wait_for 10 order_is partially_captured
see "$part" >/dev/null
ok "the other can be sent" says "action=\"$part/ship\""
is "but is given up" "$(send "$part" "$part/void")" 303
ok "so that all is captured" wait_for 10 order_is captured
# Where nobody has given it up, and the hold has ended by itself, the order is not ended by the store.
is "as where its hold has ended" "$(sqlite3 -cmd '.timeout 5000' "$(get .databases.merchant)" \
    "UPDATE orders SET ended = 0 WHERE order_id = '$order_id' RETURNING ended")" 0
is "its page then" "$(see "$part")" 200
is "has nothing to send" "$(grep -c "action=\"$part/ship\"" "$tmp/page")" 0
ok "but what may come back" says "action=\"$part/refund\""

# ---------------------------------------------------------------- where it goes
# A shopper's own order, to another country than the shop's.
shopper=$tmp/shopper shop=$(get .store_url)
page_of() { status -b "$shopper" -c "$shopper" "$shop$1" >/dev/null; }
hidden() { grep -o "name=\"$1\" value=\"[^\"]*" "$tmp/page" | head -1 | cut -d'"' -f4; }
page_of /products/teapot
is "a shopper fills a cart" "$(status -b "$shopper" -c "$shopper" -d "form=$(hidden form)" \
    -d "sku=$(grep -o 'name="sku" value="[^"]*' "$tmp/page" | head -1 | cut -d'"' -f4)" -d quantity=1 "$shop/cart/add")" 303
order_it() { # order_it OPTION...: the checkout's form, as the page has it now
    status -b "$shopper" -c "$shopper" -d "form=$(hidden form)" -d "once=$(hidden once)" -d "goods=$(hidden goods)" \
        --data-urlencode "seen=$(hidden seen)" -d 'name=Zoë Quill' -d 'street=Gasse 2' --data-urlencode 'extra=Stiege 3 <b>' \
        -d postal_code=1010 -d city=Wien -d country=AT -d region= "$@" "$shop/checkout"
}
page_of /checkout
order_it -d look=1 >/dev/null
way=$(grep -o 'name="shipping_method" value="[^"]*' "$tmp/page" | head -1 | cut -d'"' -f4)
order_it -d look=1 -d "shipping_method=$way" >/dev/null
is "and orders" "$(order_it -d "shipping_method=$way")" 303
order_id=$(sql merchant "SELECT order_id FROM order_ship_to WHERE name = 'Zoë Quill'")
ok "the order is there" [ -n "$order_id" ]
label='<span>Zoë Quill</span><span>Gasse 2</span><span>Stiege 3 &lt;b&gt;</span><span>1010 Wien</span><span>Austria</span>'
see "/orders/$order_id" >/dev/null
ok "its page has the whole address" says "$label"
see "/?q=zo%C3%AB%20qu" >/dev/null
ok "it is found by the name" says "/orders/$order_id"
merchant order show "$order_id" >"$tmp/words"
is "the order's words have it, line by line" "$(grep -A4 '^sent to' "$tmp/words" | cut -c16- | paste -sd/)" \
    "Zoë Quill/Gasse 2/Stiege 3 <b>/1010 Wien/Austria"
uri=$(api GET "/orders/$order_id" | jq -r .pay_uri)
ok "it is paid" wallet --json pay "$uri" --yes
see /shipments >/dev/null
ok "what is to be sent says where to" says "$label"
is "it is sent" "$(send "/orders/$order_id" "/orders/$order_id/ship" -d q1=1)" 303
see '/shipments?sent=1' >/dev/null
ok "and what was sent, where it went" says "$label"
new_order 500 EUR "Nobody pays it"
is "an open order is ended" "$(send "/orders/$order_id" "/orders/$order_id/cancel")" 303
ok "and is" order_is cancelled

# ---------------------------------------------------------------- goods and stock
is "a product is added" "$(send /products /products -d slug=odd -d 'name=<i>Odd' -d sku=ODD-1 -d price_EUR=12.50 -d price_USD= -d price_JPY=2000 -d on_hand=4)" 303
is "and published" "$(send /products/odd /products/odd/edit -d version=1 -d status=published -d name=Odd -d 'description=a%0D%0Ab')" 303
is "by whom has seen how it is now" "$(send /products/odd /products/odd/edit -d version=1 -d name=Late)" 409
is "a price that is none" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price_EUR=free)" 409
is "one of smaller units than there are" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price_JPY=12.50)" 409
ok "says how one is written" says "&#39;12.50&#39; is no amount in JPY: write one like 1250"
# a_field CURRENCY VALUE REST: of the row of ODD-1
a_field() { says "name=\"price_$1\" value=\"$2\" aria-label=\"Price of ODD-1 in $1\" inputmode=\"decimal\" maxlength=\"24\"$3></label>"; }
is "several at once" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price_EUR=1 -d price_USD=2,5x -d price_JPY=12.50)" 409
ok "what was typed stays in the row" a_field EUR 1 ''
ok "the first wrong one has the focus" a_field USD 2,5x ' aria-invalid="true" aria-describedby="wrong-ODD-1-USD" autofocus=""'
ok "with the reason beside it" says '<p class="wrong" id="wrong-ODD-1-USD">&#39;2,5x&#39; is no amount in USD: write one like 12.50</p>'
ok "so has the next" a_field JPY 12.50 ' aria-invalid="true" aria-describedby="wrong-ODD-1-JPY"'
is "a comma that may stand for thousands" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price_KWD=1,250)" 409
ok "says how one is written, too" says "&#39;1,250&#39; can be read in two ways: write 1250, or a fraction behind a point, like 12.500"
is "one in a currency that is none" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price_XYZ=1)" 409
is "none at all" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price_EUR= -d price_JPY=)" 409
prices() { api GET /products/odd | jq -c '.variants[0].prices'; }
is "other prices" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price_EUR=13,00 -d price_USD=15)" 303
is "are what it costs, and the third stays" "$(prices)" '{"EUR":1300,"JPY":2000,"USD":1500}'
see /products/odd >/dev/null
ok "the page has a field for each" says 'name="price_JPY" value="2000" aria-label="Price of ODD-1 in JPY"'
version=$(field version)
is "one is taken away" "$(send /products/odd /products/odd/price -d "version=$version" -d sku=ODD-1 -d price_EUR=13 -d price_USD= -d price_JPY=2000)" 303
is "and gone" "$(prices)" '{"EUR":1300,"JPY":2000}'
is "by whom has seen what there is now" "$(send /products/odd /products/odd/price -d "version=$version" -d sku=ODD-1 -d price_EUR=99 -d price_USD=7)" 409
ok "keeps what was typed" a_field USD 7 ''
is "otherwise nothing is changed" "$(prices)" '{"EUR":1300,"JPY":2000}'
is "the same short name again" "$(send /products /products -d slug=odd -d name=Odd -d sku=ODD-2 -d price_EUR=1)" 409
see /products/odd >/dev/null
is "a status that there is not" "$(send /products/odd /products/odd/edit -d name=Odd%20%26%20even -d "version=$(field version)" -d status=gone -d 'description=long text' -d tax_class=)" 409
ok "the product's form keeps what was typed" eval "says 'value=\"Odd &amp; even\" required=\"\">' && says '>long text</textarea>'"
is "of one that somebody else has changed" "$(send /products/odd /products/odd/edit -d name=Mine -d version=1 -d status=draft -d description= -d tax_class=)" 409
is "theirs is shown" "$(grep -c 'value="Mine"' "$tmp/page")" 0
is "a variant without a price" "$(send /products/odd /products/odd/variant -d sku=ODD-2 -d 'options=size: <M>' -d on_hand=7 -d price_EUR= -d price_USD= -d price_JPY=)" 409
ok "says what it wants" says "price: found none; expected one in at least one currency"
ok "what was typed stays" says 'name="sku" maxlength="64" value="ODD-2" required'
ok "as text" says 'value="size: &lt;M&gt;"'
is "a product without a price" "$(send /products /products -d slug=odder -d name=Odder -d sku=ODDER-1 -d price_EUR= -d price_USD= -d price_JPY=)" 409
ok "says the same" says "price: found none; expected one in at least one currency"
is "with a price that is none" "$(send /products /products -d slug=odder -d name=Odder -d sku=ODDER-1 -d price_EUR=12,5x -d price_JPY=20)" 409
ok "what was typed stays there" says 'value="Odder" required'
ok "with the prices" eval 'says "value=\"12,5x\"" && says "value=\"20\""'
ok "and the reason beside it" says 'aria-invalid="true" aria-describedby="wrong-price-EUR" autofocus=""><span class="wrong" id="wrong-price-EUR">&#39;12,5x&#39; is no'
is "the page itself has nothing in it" "$(see /products) $(grep -c 'Odder\|<details class="card" open' "$tmp/page")" "200 0"
is "stock is adjusted" "$(send /stock/ODD-1 /stock/ODD-1 -d how=change -d number=-3 --data-urlencode "reason=broken'; DROP TABLE owner")" 303
is "so" "$(api GET /stock/ODD-1 | jq .on_hand)" 1
see /stock/ODD-1 >/dev/null
twice=(-b "$jar" -d how=change -d number=2 -d reason=found --data-urlencode "csrf=$(field csrf)" "$owner/stock/ODD-1")
seen=$(field seen)
is "a change is sent" "$(status "${twice[@]}" --data-urlencode "seen=$seen")" 303
is "and once more by the same hand" "$(status "${twice[@]}" --data-urlencode "seen=$seen")" 409
ok "which is refused in words" says '"alert">The stock has changed since you looked at it; nothing was done.'
is "as is one that does not say what it has seen" "$(status "${twice[@]}")" 409
is "and counts once" "$(api GET /stock/ODD-1 | jq -c '[.on_hand, ([.log[] | select(.reason == "found")] | length)]')" '[3,1]'
is "it is as before" "$(send /stock/ODD-1 /stock/ODD-1 -d how=change -d number=-2 -d reason=lost)" 303
is "not below nothing" "$(send /stock/ODD-1 /stock/ODD-1 -d how=change -d number=-3 -d reason=x)" 409
is "not without a reason" "$(send /stock/ODD-1 /stock/ODD-1 -d how=count -d number=9)" 409
ok "which is told beside its field" says 'aria-describedby="wrong-reason" autofocus=""><span class="wrong" id="wrong-reason">found nothing; expected why<'
ok "what was typed stays" eval "says 'maxlength=\"12\" value=\"9\">' && says 'value=\"count\" checked=\"\">' && ! says 'value=\"change\" checked'"
is "nor by what is no number" "$(send /stock/ODD-1 /stock/ODD-1 -d how=change -d number=few -d 'reason=a <b>')" 409
ok "which stays too" eval "says 'value=\"few\" aria-invalid=\"true\" aria-describedby=\"wrong-number\"' && says 'value=\"a &lt;b&gt;\" required=\"\">'"
see '/stock?low=1' >/dev/null
ok "what is low is listed" says /stock/ODD-1
few() { api GET /stock/ODD-1 | jq -c '[.tracked, .on_hand, .low_at]'; }
is "none is few" "$(send /stock/ODD-1 /stock/ODD-1 -d how=low -d number=0)" 303
see '/stock?low=1' >/dev/null
is "it is low no longer" "$(grep -c /stock/ODD-1 "$tmp/page")" 0
is "fewer than none is not" "$(send /stock/ODD-1 /stock/ODD-1 -d how=low -d number=-1)" 409
ok "which is told there" eval "says 'value=\"-1\" required=\"\" aria-invalid=\"true\" aria-describedby=\"wrong-low\"' && says 'maxlength=\"12\" value=\"\">'"
is "it is counted no longer" "$(send /stock/ODD-1 /stock/ODD-1 -d how=uncounted -d number= -d reason=enough)" 303
is "nor" "$(few)" '[false,1,0]'
is "it is counted again" "$(send /stock/ODD-1 /stock/ODD-1 -d how=count -d number=1 -d reason=counted)" 303
is "with what is there" "$(few)" '[true,1,0]'
is "in a way that there is none of" "$(send /stock/ODD-1 /stock/ODD-1 -d how=steal -d number=1 -d reason=x)" 409
is "whoever wants to know was told" "$(api GET '/events?type=stock.changed&limit=100' |
    jq -r '[.events[].data | select(.sku == "ODD-1") | .reason] | join("|")')" "broken'; DROP TABLE owner|found|lost|enough|counted"
is "also that it was low, and is not" "$(api GET '/events?limit=100' |
    jq -r '[.events[] | select(.data.sku == "ODD-1" and .type != "stock.changed") | .type] | join(" ")')" "stock.enough"

# ---------------------------------------------------------------- pictures
# upload FILE OPTION...: the form of the product's page, with this file
upload() {
    local file=$1
    shift
    see /products/odd >/dev/null
    status -b "$jar" -F "csrf=$(field csrf)" -F "picture=@$file" "$@" "$owner/products/odd/pictures"
}
pictures() { api GET /products/odd/pictures | jq -c '[.pictures[] | [.type, .alt]]'; }
printf '\x89PNG\r\n\x1a\n\0\0--x\r\n' >"$tmp/a.png"
printf '\xff\xd8\xff\xe0 a photograph' >"$tmp/b.jpg"
printf 'RIFF\4\0\0\0WEBPVP8 ' >"$tmp/c.webp"
printf '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>' >"$tmp/d.svg"
printf '<svg xmlns="http://www.w3.org/2000/svg"/>' >"$tmp/e.png"
printf 'GIF89a' >"$tmp/f.png"
{ cat "$tmp/a.png"; head -c $((512 * 1024)) /dev/zero; } >"$tmp/g.png"
{ cat "$tmp/a.png"; head -c $((512 * 1024 - $(stat -c %s "$tmp/a.png"))) /dev/zero; } >"$tmp/h.png"
is "a PNG is added" "$(upload "$tmp/a.png" --form-string 'alt=An "odd" <b> thing')" 303
is "a JPEG too, whatever it is called" "$(upload "$tmp/b.jpg;type=text/html;filename=x.html" -F alt=B)" 303
is "a WebP too" "$(upload "$tmp/c.webp" -F alt=C)" 303
is "as what they are" "$(pictures)" '[["image/png","An \"odd\" <b> thing"],["image/jpeg","B"],["image/webp","C"]]'
is "the largest there may be" "$(upload "$tmp/h.png" -F alt=H)" 303
is "an SVG is not" "$(upload "$tmp/d.svg" -F alt=D)" 409
ok "and is told why" says 'expected a PNG, a JPEG or a WebP'
is "by no other name either" "$(upload "$tmp/e.png;type=image/png" -F alt=E)" 409
is "nor what is no picture" "$(upload "$tmp/f.png" -F alt=F)" 409
is "nor what is too large" "$(upload "$tmp/g.png" -F alt=G)" 413
is "nor nothing" "$(upload /dev/null -F alt=N)" 409
is "nor one without words" "$(upload "$tmp/a.png" -F 'alt= ')" 409
is "nor two at once" "$(upload "$tmp/a.png" -F "other=@$tmp/b.jpg" -F alt=A)" 400
is "nor without the page's token" "$(status -b "$jar" -F "picture=@$tmp/a.png" -F alt=A "$owner/products/odd/pictures")" 403
see /products/odd >/dev/null
is "nor as a form without a file" "$(status -b "$jar" --data-urlencode "csrf=$(field csrf)" -d alt=A "$owner/products/odd/pictures")" 415
is "nor to a product that there is none of" "$(see /products/odd >/dev/null; status -b "$jar" -F "csrf=$(field csrf)" \
    -F "picture=@$tmp/a.png" -F alt=A "$owner/products/none/pictures")" 404
is "nor by nobody" "$(status -F "picture=@$tmp/a.png" "$owner/products/odd/pictures")" 303
is "four there are" "$(api GET /products/odd/pictures | jq '.pictures | length')" 4
see /products/odd >/dev/null
ok "its words are text" says 'alt="An &quot;odd&quot; &lt;b&gt; thing"'
picture=$(api GET /products/odd/pictures | jq -r '.pictures[0].id')
edit() { send /products/odd /products/odd/pictures/edit -d "picture=$picture" "$@"; }
alts() { api GET /products/odd/pictures | jq -r '[.pictures[].alt] | join(" ")'; }
is "it is described anew" "$(edit --data-urlencode 'alt= A "fine" <i> ')" 303
see /products/odd >/dev/null
ok "as text again" says 'value="A &quot;fine&quot; &lt;i&gt;"'
is "and stands second" "$(edit -d alt=A -d position=2)" 303
is "behind the other" "$(alts)" "B A C H"
is "and last" "$(edit -d alt=A -d position=4)" 303
is "behind all" "$(alts)" "B C H A"
is "but not behind that" "$(edit -d alt=A -d position=5)" 409
is "nor anywhere else" "$(edit -d alt=A -d position=1x)" 409
is "nor without words" "$(edit -d alt=)" 409
ok "which is said" says "what the picture shows: expected 1 to 256 bytes"
is "nor without the page's token" "$(status -b "$jar" -d "picture=$picture" -d alt=X "$owner/products/odd/pictures/edit")" 403
is "nor by nobody" "$(status -d "picture=$picture" -d alt=X "$owner/products/odd/pictures/edit")" 303
is "nor one that there is none of" "$(send /products/odd /products/odd/pictures/edit -d picture=00 -d alt=X)" 409
is "and again first" "$(edit -d alt=A -d position=1)" 303
is "before all" "$(alts)" "A B C H"
is "the owner sees it" "$(see "/pictures/$picture")" 200
ok "as a picture in which nothing runs" has "^content-security-policy: default-src 'none'.*sandbox"
ok "and which is nothing else" has '^content-type: image/png'
ok "byte by byte" cmp "$tmp/page" "$tmp/a.png"
is "nobody else does" "$(status "$owner/pictures/$picture")" 303
is "there is no other" "$(see /pictures/00)" 404
is "it is taken away" "$(send /products/odd /products/odd/pictures/remove -d "picture=$picture")" 303
is "once" "$(send /products/odd /products/odd/pictures/remove -d "picture=$picture")" 409
is "and gone" "$(see "/pictures/$picture")" 404

# ---------------------------------------------------------------- webhooks
hook=$(api POST /webhooks '{"url":"https://127.0.0.1:1/<b>?x=1","description":"<i>"}' | jq -r .webhook_id)
delivery_of() { sql merchant "SELECT delivery_id FROM webhook_delivery ORDER BY seq DESC LIMIT 1"; }
tried() { [ "$(sql merchant "SELECT attempts FROM webhook_delivery WHERE delivery_id = '$delivery'")" -ge "$1" ]; }
new_order 100 EUR "Tells a webhook"
delivery=$(delivery_of)
ok "an event is tried" wait_for 20 tried 1
is "the webhooks" "$(see /webhooks)" 200
ok "are listed" says "/webhooks/$hook"
is "with no tag of their own" "$(grep -c '<i>' "$tmp/page")" 0
is "what was sent to it" "$(see "/webhooks/$hook")" 200
ok "is listed" says 'order.created'
ok "with what came of it" says unreachable
is "nothing of its secret" "$(grep -c whsec_ "$tmp/page")" 0
begun() { sql merchant "SELECT since_ms FROM webhook_delivery WHERE delivery_id = '$delivery'"; }
before=$(begun) attempts=$(sql merchant "SELECT attempts FROM webhook_delivery WHERE delivery_id = '$delivery'")
is "it is sent again by hand" "$(send "/webhooks/$hook" "/webhooks/$hook/redeliver" -d "delivery=$delivery")" 303
ok "from then on" [ "$(begun)" -gt "$before" ]
ok "and is tried anew" wait_for 20 tried $((attempts + 1))
is "one that there is none of is not" "$(send "/webhooks/$hook" "/webhooks/$hook/redeliver" -d delivery=dlv_none)" 409
is "nor to another webhook" "$(send "/webhooks/$hook" "/webhooks/whk_none/redeliver" -d "delivery=$delivery")" 404
is "nor without the token" "$(status -b "$jar" -d "delivery=$delivery" "$owner/webhooks/$hook/redeliver")" 403
is "nor by nobody" "$(status -d "delivery=$delivery" "$owner/webhooks/$hook/redeliver")" 303
api PATCH "/webhooks/$hook" '{"enabled":false}' >/dev/null
see "/webhooks/$hook" >/dev/null
is "one that is switched off has no button" "$(grep -c redeliver "$tmp/page")" 0
is "and takes nothing" "$(send / "/webhooks/$hook/redeliver" -d "delivery=$delivery")" 409
ok "which is said" says "The webhook is switched off"
is "there is no other" "$(see /webhooks/whk_none)" 404
is "nor another page of it" "$(see "/webhooks/$hook?cursor=x")" 404

# ---------------------------------------------------------------- what another site would do
see "$page" >/dev/null
token=$(field csrf)
is "a form of another site" "$(status -b "$jar" -H 'Origin: http://evil.example' -d "csrf=$token" -d q1=1 "$owner$page/refund")" 403
is "or which the browser says is" "$(status -b "$jar" -H 'Sec-Fetch-Site: cross-site' -d "csrf=$token" "$owner$page/refund")" 403
is "without the token" "$(status -b "$jar" -d q1=1 "$owner$page/refund")" 403
is "as another type" "$(status -b "$jar" -H 'Content-Type: text/plain' -d "csrf=$token" "$owner$page/refund")" 415
is "by GET" "$(status -b "$jar" "$owner$page/refund")" 405
sign_in "$password" "$tmp/other" >/dev/null
is "with the token of another session" "$(status -b "$tmp/other" -d "csrf=$token" -d number=1 -d reason=x "$owner/stock/ODD-1")" 403
head -c 70000 /dev/zero | tr '\0' a >"$tmp/large"
is "too large a form" "$(status -b "$jar" --data-binary "@$tmp/large" "$owner/stock/ODD-1")" 413
is "a NUL in it" "$(status -b "$jar" -d 'csrf=%00' "$owner/stock/ODD-1")" 400
is "nothing of all that happened" "$(api GET /stock/ODD-1 | jq .on_hand)" 1

# ---------------------------------------------------------------- out
see / >/dev/null
is "signing out" "$(status -b "$tmp/other" --data-urlencode "csrf=$(status -b "$tmp/other" "$owner/" >/dev/null; field csrf)" "$owner/signout")" 303
is "ends that session" "$(status -b "$tmp/other" "$owner/")" 303
is "and no other" "$(see /)" 200
sign_in "$password" "$tmp/other" >/dev/null
is "signing out everywhere" "$(send / /signout-everywhere)" 303
is "ends this one" "$(see /)" 303
is "and the others" "$(status -b "$tmp/other" "$owner/")" 303
sign_in "$password" >/dev/null
printf 'another long password\n' >"$tmp/new"
printf 'short\n' >"$tmp/short"
merchant() { "$bin/setpay-merchant" --config "$sandbox/merchant.conf" "$@"; }
ok "another password" merchant owner passwd owner --password-file "$tmp/new"
is "puts who was in out" "$(see /)" 303
is "the old one is none any more" "$(sign_in "$password")" 403
is "the new one is" "$(sign_in "another long password")" 303
too_short() { ! merchant owner add other --password-file "$tmp/short" 2>"$tmp/said" && grep -q 'found 5 bytes.*of 12 to 256' "$tmp/said"; }
ok "a short one is refused in words" too_short
ok "an account goes" merchant owner remove owner
is "with its sessions" "$(see /)" 303
ok "and comes again" merchant owner add owner --password-file "$tmp/new"
is "with nothing of the password in the log" "$(grep -c "another long password\|$password" "$sandbox/log/merchant.log")" 0

# ---------------------------------------------------------------- behind a proxy that speaks TLS
# through PATH OPTION...: as a proxy hands on what a browser asks for; the cookie is told by hand, since curl keeps a
# Secure one from plain HTTP.
proxied='' from=203.0.113.9 proto=https
through() {
    local path=$1
    shift
    status -H 'Host: owner.example' -H "X-Forwarded-For: 198.51.100.1, $from" -H "X-Forwarded-Proto: $proto" \
        -H "Cookie: $proxied" "$@" "$owner$path"
}
given() { sed -n 's/^set-cookie: \([^;]*\).*/\1/ip' "$tmp/head"; } # the cookie that was set
through_signin() { # through_signin NAME PASSWORD [OPTION...]
    local name=$1 password=$2
    shift 2
    proxied='' && through /signin >/dev/null && proxied=$(given)
    through /signin -H 'Origin: https://owner.example' --data-urlencode "csrf=$(field csrf)" -d "name=$name" \
        --data-urlencode "password=$password" "$@"
}
is "the sign-in page" "$(through /signin)" 200
ok "gives a cookie for TLS and this host alone" has '^set-cookie: __Host-setpay_owner=.*; Secure'
ok "and tells the browser to stay with TLS" has '^strict-transport-security: max-age='
is "its form is taken" "$(through_signin owner "another long password")" 303
proxied=$(given)
is "and lets in" "$(through /)" 200
token=$(field csrf)
is "a form of a page in the clear is not" "$(through /signout -H 'Origin: http://owner.example' -d "csrf=$token")" 403
is "nor one of a neighbour" "$(through /signout -H 'Origin: https://shop.example' -d "csrf=$token")" 403
is "one of its own is" "$(through /signout -H 'Origin: https://owner.example' -d "csrf=$token")" 303
for i in 1 2 3 4 5 6 7 8 9 10; do last=$(through_signin "nobody-$i" guess); done
is "ten wrong guesses from one address" "$last" 403
is "are the last" "$(through_signin nobody-11 guess)" 429
from=203.0.113.10
is "of that one, not of all behind the proxy" "$(through_signin owner "another long password")" 303
proto=http
is "a proxy that does not say how it was asked" "$(through_signin owner "another long password")" 303
is "gets a plain cookie" "$(given | cut -d= -f1)" setpay_owner

# ---------------------------------------------------------------- guessing
for _ in 1 2 3 4 5 6 7 8 9 10; do last=$(sign_in "guess"); done
is "ten wrong guesses are answered" "$last" 403
is "the eleventh is not looked at" "$(sign_in "guess")" 429
is "nor the right one" "$(sign_in "another long password")" 429
is "nor another account from there" "$(status -b "$jar" -c "$jar" --data-urlencode "csrf=$(field csrf)" -d name=somebody \
    -d password=guess "$owner/signin")" 429
ok "says what helps" says "setpay-merchant owner passwd"
printf 'a third long password\n' >"$tmp/third"
ok "another password" merchant owner passwd owner --password-file "$tmp/third"
is "helps at once" "$(sign_in "a third long password")" 303

ok "a proxy is one that is named" restart_with merchant 'shop_proxies = 192.0.2.0/24'
owner=$(get .admin_url)
proto=https
is "what another says" "$(through /signin)" 200
ok "is not believed" has '^set-cookie: setpay_owner=.*SameSite=Strict.$'

refused() { # not on a network in the clear
    "$bin/setpay-merchantd" --config "$sandbox/merchant.conf" --listen 127.0.0.1:0 --api_listen 127.0.0.1:0 \
        --shop_listen 127.0.0.1:0 --owner_listen 0.0.0.0:0 --testing no --admin_address 127.0.0.1:0 --admin_socket "$tmp/x.sock" \
        --database "sqlite:$tmp/x.db" --log "$tmp/x.log" >"$tmp/said" 2>&1 && return 1
    grep -q 'owner_listen: found 0.0.0.0:0, which is not on loopback' "$tmp/said" || { cat "$tmp/said"; return 1; }
}
ok "passwords cross no network in the clear" refused
done_testing
