#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# The shop's public side and its private side are two addresses of a real daemon; the public one over TLS with its own
# certificate, which is taken over on SIGHUP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

status() { curl -sS --path-as-is -o "$tmp/page" -D "$tmp/head" -w '%{http_code}' "$@"; }
has() { grep -qi -- "$1" "$tmp/head"; }

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
shop=$(get .store_url)

is "the front page" "$(status "$shop/")" 200
ok "says the shop's name" grep -q "The Sandbox Shop" "$tmp/page"
ok "with a policy" has '^content-security-policy: default-src .none'
is "a category" "$(status "$shop/categories/kitchen")" 200
ok "leads to the one below it" grep -q 'href="/categories/tableware"' "$tmp/page"
ok "and has what is below" grep -q 'href="/products/plate"' "$tmp/page"
is "the one below" "$(status "$shop/categories/tableware")" 200
ok "leads back" grep -q 'href="/categories/kitchen">Kitchen</a> / Tableware' "$tmp/page"
new_order 1250 EUR "Two candles"
page=$shop/orders/${uri##*/}
is "the API tells an order's page" "$(api GET "/orders/$order_id" | jq -r .checkout_url)" "$page"
is "which is there" "$(status "$page")" 200
ok "has the link that pays it" grep -qF "href=\"$uri\"" "$tmp/page"
ok "it is paid" wallet --json pay "$uri" --yes
is "and its page" "$(status "$page")" 200
ok "says so" grep -q "is held on your card" "$tmp/page"
is "without the link" "$(grep -c 'setpay://' "$tmp/page")" 0

# It follows the order for as long as anything may happen to it.
follows() { status "$page" >/dev/null; sed -n 's/.*data-seen="\([^"]*\)" data-follow="\([^"]*\)".*/\1 \2/p' "$tmp/page"; }
order_is() { [ "$(order_status "$order_id")" = "$1" ]; }
api POST "/orders/$order_id/capture" '{}' >/dev/null
ok "all is captured" wait_for 10 order_is captured
read -r seen following <<<"$(follows)"
is "its page goes on following" "$following" yes
curl -sS --max-time 20 "$page/events?seen=$seen" >"$tmp/told" &
waiting=$!
api POST "/orders/$order_id/refund" '{}' >/dev/null
ok "who waits there is told" wait "$waiting"
ok "that something was given back" grep -q '^event: change' "$tmp/told"
ok "which is all" wait_for 10 order_is refunded
is "and then no more" "$(follows | wc -w)" 1

# Nobody pays it: while somebody looks, its time ends.
new_order 1250 EUR "Two candles"
page=$shop/orders/${uri##*/}
read -r seen following <<<"$(follows)"
is "the page of another order follows it" "$following" yes
ok "and has the link that pays it" grep -qF "href=\"$uri\"" "$tmp/page"
curl -sS --max-time 20 "$page/events?seen=$seen" >"$tmp/told" &
waiting=$!
merchant_clock() { control "$(admin_socket merchant)" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$1}}" >/dev/null; }
in_an_hour=$(($(date -d "$(api GET "/orders/$order_id" | jq -r .expires)" +%s%3N) - $(date +%s%3N) + 1000))
ok "its time is over" merchant_clock "$in_an_hour"
ok "who waits there is told" wait "$waiting"
ok "that it looks different" grep -q '^event: change' "$tmp/told"
is "its page" "$(status "$page")" 200
ok "says that it has expired" grep -q "No longer to be paid: its time is over. Nothing was taken." "$tmp/page"
is "has no link that pays it, and no code" "$(grep -c 'setpay://\|<svg[^>]*class="qr"' "$tmp/page")" 0
is "and follows nothing any more" "$(follows | wc -w)" 1
merchant_clock 0

# What is private is not there, and what is public is not on the private side.
token=$(get .merchant_api_token)
for path in /api/v1/orders "/api/v1/orders/$order_id" /api/v1/openapi.json /healthz /metrics "/orders/$order_id"; do
    is "the public side has no $path" "$(status -H "Authorization: Bearer $token" "$shop$path")" 404
done
is "nor does it take orders" "$(status -X POST -H "Authorization: Bearer $token" -H 'Idempotency-Key: a' -d '{}' \
    "$shop/api/v1/orders")" 404
api_root=$(get .merchant_api_url)
is "and the private side has no pages" "$(status "${api_root%/api/v1}/")" 404

# What the shop says of itself, out of files that are read again on SIGHUP.
is "whom to ask" "$(status "$shop/about/contact")" 200
ok "is the sandbox's text" grep -q "Nobody stands behind it" "$tmp/page"
is "as are returns, terms and privacy" "$(status "$shop/about/returns") $(status "$shop/about/terms") $(status "$shop/about/privacy")" \
    "200 200 200"
texts=$sandbox/merchant/shop
printf 'Another text.  \r\n\r\nOf two <paragraphs>.\r\n' >"$texts/terms.txt"
kill -HUP "$(cat "$sandbox/run/merchant.pid")"
is_new() { [ "$(status "$shop/about/terms")" = 200 ] && grep -q '<p>Another text.</p>' "$tmp/page"; }
ok "an edited one is taken over" wait_for 5 is_new
ok "in paragraphs, as text" grep -q '^<p>Of two &lt;paragraphs&gt;.</p>' "$tmp/page"
head -c 70000 /dev/zero | tr '\0' a >"$texts/terms.txt"
kill -HUP "$(cat "$sandbox/run/merchant.pid")"
not_taken() { grep -q 'shop_terms: ' "$sandbox/log/merchant.log"; }
ok "one that is too long is not, and the log says so" wait_for 5 not_taken
ok "the one before stays" is_new
rm "$texts/terms.txt"

# Over TLS.
certificate() { # certificate NAME: a key and a certificate for localhost
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/$1.key" -out "$tmp/$1.pem" \
        -days 2 -subj "/CN=$1" -addext subjectAltName=DNS:localhost 2>/dev/null && chmod 600 "$tmp/$1.key"
}
printf 'Our terms.\n' >"$texts/terms.txt"
certificate first && certificate second
cp "$tmp/first.key" "$tmp/shop.key" && cp "$tmp/first.pem" "$tmp/shop.pem" && chmod 600 "$tmp/shop.key"
https=https://localhost:${shop##*:}
ok "a key and a certificate are named" start_again_with merchant "shop_tls_key = $tmp/shop.key" \
    "shop_tls_cert = $tmp/shop.pem"
is "the front page over TLS" "$(status --cacert "$tmp/first.pem" "$https/")" 200
ok "and browsers are told to stay with it" has '^strict-transport-security: max-age='
is "not over TLS 1.2" "$(status --tls-max 1.2 --cacert "$tmp/first.pem" "$https/" 2>/dev/null)" 000
is "nor in the clear" "$(status "http://${https#https://}/" 2>/dev/null)" 000
cp "$tmp/second.key" "$tmp/shop.key" && cp "$tmp/second.pem" "$tmp/shop.pem"
kill -HUP "$(cat "$sandbox/run/merchant.pid")"
renewed() { [ "$(status --cacert "$tmp/$1.pem" "$https/" 2>/dev/null)" = 200 ]; }
ok "a new certificate is taken over" wait_for 5 renewed second
rm "$texts/terms.txt"
certificate third
cp "$tmp/third.key" "$tmp/shop.key" && cp "$tmp/third.pem" "$tmp/shop.pem"
kill -HUP "$(cat "$sandbox/run/merchant.pid")"
ok "also where a text cannot be read" wait_for 5 renewed third
printf 'Our terms.\n' >"$texts/terms.txt"
sed -i 's/^country = DE/country = germany/' "$sandbox/merchant.conf"
kill -HUP "$(cat "$sandbox/run/merchant.pid")"
ok "a file that is wrong now is told, on SIGHUP too" wait_for 5 grep -q "event=daemon.reload_failed .*country: found" \
    "$sandbox/log/merchant.log"
sed -i 's/^country = germany/country = DE/' "$sandbox/merchant.conf"
refused() { # refused WORDS OPTION...: the daemon does not start
    local words=$1
    shift
    "$bin/setpay-merchantd" --config "$sandbox/merchant.conf" --listen 127.0.0.1:0 --api_listen 127.0.0.1:0 \
        --shop_listen 127.0.0.1:0 --owner_listen 127.0.0.1:0 --admin_address 127.0.0.1:0 --admin_socket "$tmp/x.sock" \
        --database "sqlite:$tmp/x.db" --log "$tmp/x.log" "$@" >"$tmp/said" 2>&1 && return 1
    grep -q -- "$words" "$tmp/said" || { cat "$tmp/said"; return 1; }
}
printf 'a\001b' >"$tmp/none.txt"
ok "a text that is none is refused" refused "shop_privacy: .*none.txt: expected words in plain text, in UTF-8" \
    --shop_privacy "$tmp/none.txt"
printf ' \n\n' >"$tmp/none.txt"
ok "so is an empty one" refused "shop_privacy: .*none.txt: expected words" --shop_privacy "$tmp/none.txt"
printf '\377\376' >"$tmp/none.txt"
ok "and what is no UTF-8" refused "shop_privacy: .*none.txt: expected words" --shop_privacy "$tmp/none.txt"
ok "and a file that is not there" refused "shop_privacy" --shop_privacy "$tmp/nowhere.txt"
ok "another key's certificate is refused" refused "do not belong together" --shop_tls_key "$tmp/first.key" \
    --shop_tls_cert "$tmp/second.pem"
printf 'no certificate\n' >"$tmp/none.pem"
ok "and what is none" refused "shop_tls_cert: .*none.pem: expected" --shop_tls_cert "$tmp/none.pem"
# The API in the clear where others may come by: it starts, and says so, and so does the doctor.
sed -e "s,^api_listen = .*,api_listen = 0.0.0.0:0,; s,^\(listen\|shop_listen\|owner_listen\|admin_address\) = .*,\1 = 127.0.0.1:0," \
    -e "s,^testing = .*,testing = no,; s,^admin_socket = .*,admin_socket = $tmp/y.sock,; s,^log = .*,log = $tmp/y.log," \
    -e "s,^database = .*,database = sqlite:$tmp/y.db," "$sandbox/merchant.conf" >"$sandbox/exposed.conf"
"$bin/setpay-merchantd" --config "$sandbox/exposed.conf" 2>"$tmp/said" &
exposed=$!
ok "an API on all addresses is warned of" wait_for 20 grep -q 'level=warn event=api.exposed address=0.0.0.0:0' "$tmp/y.log"
kill "$exposed"
wait "$exposed"
"$bin/setpay-merchant" --config "$sandbox/exposed.conf" --json doctor >"$tmp/findings"
ok "and the doctor finds it" jq -e 'any(.checks[]; .name == "ports" and .level == "warn" and .about == "0.0.0.0:0" and
    (.words | test("plain HTTP")) and (.what_to_do | test("TLS proxy")))' "$tmp/findings"
is "on loopback nobody says so" "$(grep -c api.exposed "$sandbox/log/merchant.log")" 0
for url in shop.example ftp://shop.example https:// https://shop.example/ https://shop.example/kiosk "https://a b" \
    https://shop.example:x 'https://shop.example?a' 'https://[::1' https://shop.example:; do
    ok "the pages are not at '$url'" refused "shop_url: found '.*expected https://HOST" --shop_url "$url"
done
sed -i '/^shop_tls_cert/d' "$sandbox/merchant.conf"
ok "and a key alone" refused "shop_tls_cert: found none"
done_testing
