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
for path in / /products /products/teapot /stock /stock/CUP /orders/ord_00000000000000000000; do
    is "$path is not shown to anybody" "$(status "$owner$path")" 303
done
ok "but where to sign in" has '^location: /signin'
for path in /orders/a/void /products /products/teapot/edit /stock/CUP /signout; do
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
is "one piece is sent" "$(send "$page" "$page/ship" -d q1=1 --data-urlencode 'tracking=RR "1" <b>')" 303
ok "and captured" wait_for 10 order_is partially_captured
is "the page" "$(see "$page?done=ship")" 200
ok "says so" says "The part is noted as sent."
ok "with its tracking as text" says 'tracking RR &quot;1&quot; &lt;b&gt;'
is "more than there is" "$(send "$page" "$page/ship" -d q1=3)" 409
ok "is refused in words" says "3 of the line 1 are wanted, and 2 left to be shipped"
is "no number" "$(send "$page" "$page/ship" -d q1=-1)" 409
is "a form that was sent before" "$(send "$page" "$page/ship" -d seen=0.0.0 -d q1=1)" 400
is "or whose order has changed" "$(see "$page" >/dev/null; status -b "$jar" --data-urlencode "csrf=$(field csrf)" \
    -d seen=0.0.0 -d q1=1 "$owner$page/ship")" 409
is "the rest is sent" "$(send "$page" "$page/ship" -d q1=2)" 303
ok "and captured whole" wait_for 10 order_is captured
is "one comes back" "$(send "$page" "$page/refund" -d by_line=1 -d q1=1 -d restock=1)" 303
ok "and is given back" wait_for 10 order_is partially_refunded
is "an amount too" "$(send "$page" "$page/refund" -d amount=0.01 -d currency=EUR)" 303
is "but not one that is none" "$(send "$page" "$page/refund" -d amount=1e3 -d currency=EUR)" 409
is "nor more than there is" "$(send "$page" "$page/refund" -d amount=99999.00 -d currency=EUR)" 409
is "nor is a captured order voided" "$(send "$page" "$page/void")" 409
is "an act that there is none of" "$(send "$page" "$page/steal")" 404
new_order 500 EUR "Nobody pays it"
is "an open order is ended" "$(send "/orders/$order_id" "/orders/$order_id/cancel")" 303
ok "and is" order_is cancelled

# ---------------------------------------------------------------- goods and stock
is "a product is added" "$(send /products /products -d slug=odd -d 'name=<i>Odd' -d sku=ODD-1 -d price=12.50 -d currency=EUR -d on_hand=4)" 303
is "and published" "$(send /products/odd /products/odd/edit -d version=1 -d status=published -d name=Odd -d 'description=a%0D%0Ab')" 303
is "by whom has seen how it is now" "$(send /products/odd /products/odd/edit -d version=1 -d name=Late)" 409
is "a price that is none" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price=free -d currency=EUR)" 409
is "another price" "$(send /products/odd /products/odd/price -d sku=ODD-1 -d price=13.00 -d currency=EUR)" 303
is "is what it costs" "$(api GET /products/odd | jq -r '.variants[0].prices.EUR')" 1300
is "the same short name again" "$(send /products /products -d slug=odd -d name=Odd -d sku=ODD-2 -d price=1 -d currency=EUR)" 409
is "stock is adjusted" "$(send /stock/ODD-1 /stock/ODD-1 -d how=change -d number=-3 --data-urlencode "reason=broken'; DROP TABLE owner")" 303
is "so" "$(api GET /stock/ODD-1 | jq .on_hand)" 1
is "not below nothing" "$(send /stock/ODD-1 /stock/ODD-1 -d how=change -d number=-3 -d reason=x)" 409
is "not without a reason" "$(send /stock/ODD-1 /stock/ODD-1 -d how=count -d number=9)" 409
see '/stock?low=1' >/dev/null
ok "what is low is listed" says /stock/ODD-1

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

# ---------------------------------------------------------------- guessing
for _ in 1 2 3 4 5 6 7 8 9 10; do last=$(sign_in "guess"); done
is "ten wrong guesses are answered" "$last" 403
is "the eleventh is not looked at" "$(sign_in "guess")" 429
is "nor the right one" "$(sign_in "another long password")" 429
is "nor another account from there" "$(status -b "$jar" -c "$jar" --data-urlencode "csrf=$(field csrf)" -d name=somebody \
    -d password=guess "$owner/signin")" 429

refused() { # not on a network in the clear
    "$bin/setpay-merchantd" --config "$sandbox/merchant.conf" --listen 127.0.0.1:0 --api_listen 127.0.0.1:0 \
        --shop_listen 127.0.0.1:0 --owner_listen 0.0.0.0:0 --testing no --admin_address 127.0.0.1:0 --admin_socket "$tmp/x.sock" \
        --database "sqlite:$tmp/x.db" --log "$tmp/x.log" >"$tmp/said" 2>&1 && return 1
    grep -q 'owner_listen: found 0.0.0.0:0, which is not on loopback' "$tmp/said" || { cat "$tmp/said"; return 1; }
}
ok "passwords cross no network in the clear" refused
done_testing
