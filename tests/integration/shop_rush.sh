#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# Two hundred shoppers stand at the checkout with one of the last fifty pieces each, and press the button together:
# fifty orders, and the others are told before they pay. All fifty pay, and the daemon is killed meanwhile: fifty pieces
# are sold, none of them twice. Then it is killed while they order; and what was not paid is free again when its time is
# over.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
shoppers=200 pieces=50

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
ok "all shoppers come from here, and none is too many" restart_with merchant "shop_orders_address = 0"
shop=$(get .store_url)
faster='Somebody was faster: not everything in your cart is left. Nothing was ordered, and nothing is to be paid.'
export shop here faster

# Up to the button: a cart of one piece, and in FOLDER/N/request what the button sends.
stand_at_checkout() { # N FOLDER SKU
    tmp=$2/$1
    mkdir "$tmp"
    . "$here/../support/shopper.bash"
    [ "$(put "$3" 1)" = "/cart?said=added" ] || return 1
    checkout_form
    local body
    body=$(printf '%s\n' "${fields[@]}" | jq -rR 'capture("^(?<n>[^=]*)=(?<v>.*)$") | "\(.n)=\(.v | @uri)"' | paste -sd '&')
    printf '%s\r\n' "POST /checkout HTTP/1.1" "Host: ${shop#http://}" "Cookie: cart=$(awk '$6 == "cart" { print $7 }' "$jar")" \
        "Content-Type: application/x-www-form-urlencoded" "Content-Length: ${#body}" "Connection: close" "" >"$tmp/request"
    printf '%s' "$body" >>"$tmp/request"
}
export -f stand_at_checkout
# All have a connection, on which their whole request is but for its last byte; when everybody is there, these follow.
together() { # FOLDER
    local who one request=() fds=()
    for ((who = 1; who <= shoppers; who++)); do
        request[who]=$(cat "$1/$who/request" && echo .) && request[who]=${request[who]%.}
        exec {one}<>"/dev/tcp/127.0.0.1/${shop##*:}" || return 1
        fds[who]=$one
        printf '%s' "${request[who]%?}" >&"$one"
    done
    for ((who = 1; who <= shoppers; who++)); do printf '%s' "${request[who]: -1}" >&"${fds[who]}"; done
    for ((who = 1; who <= shoppers; who++)); do
        one=${fds[who]}
        cat <&"$one" >"$1/$who/answer"
        exec {one}<&-
    done
}
leads() { tr -d '\r' <"$1" | sed -n 's/^[Ll]ocation: //p'; }
# Where each was led to that has no order: what the page says there.
look_where_led() { # N FOLDER
    local where
    where=$(leads "$2/$1/answer")
    case $where in
    /orders/*) ;;
    *) curl -sS -m 60 -b "$2/$1/jar" -o "$2/$1/page" "$shop${where:-/nowhere}" ;;
    esac
}
export -f leads look_where_led
pages_that_say() { grep -l "$2" "$1"/*/page | wc -l; }

# One shopper, from the product to the order; what came of it is one word in $tmp/said.
one_shopper() {
    tmp=$(mktemp -d "$1/shopper.XXXXXX")
    . "$here/../support/shopper.bash"
    case $(put "$2" 1) in
    "/cart?said=added") ;;
    "/cart?said=gone") visit "/cart?said=gone" >/dev/null && grep -q "just been sold out" "$tmp/page" && echo told || echo lost
        return ;;
    *) echo lost; return ;;
    esac
    case $(order) in
    /orders/*) echo ordered ;;
    "/cart?said=taken") visit "/cart?said=taken" >/dev/null && grep -q "$faster" "$tmp/page" && echo told || echo lost ;;
    *) echo lost ;;
    esac
} 2>/dev/null
export -f one_shopper
rush() { seq "$shoppers" | xargs -P 24 -I{} bash -c "one_shopper '$tmp' '$1'" >"$tmp/said"; }
count() { grep -cx "$1" "$tmp/said"; }
stock() { sql merchant "SELECT on_hand || ' ' || reserved FROM variant WHERE sku = '$1'"; }
held() { sql merchant "SELECT COALESCE(SUM(quantity), 0) FROM reservation WHERE sku = '$1' AND state = 1"; }
orders() { sql merchant "SELECT COUNT(*) FROM order_item WHERE sku = '$1'"; }
stocked() { merchant stock set "$1" --on-hand "$pieces" --reason "counted" >/dev/null; }

ok "there are $pieces jugs" stocked JG-STRAW
crowd=$tmp/crowd
mkdir "$crowd"
everybody_comes() { seq "$shoppers" | xargs -P 4 -I{} bash -c "stand_at_checkout {} '$crowd' JG-STRAW"; }
ok "$shoppers shoppers come to the checkout with one each" everybody_comes
is "and nothing is reserved yet" "$(stock JG-STRAW)" "$pieces 0"
ok "they press the button together" together "$crowd"
is "each has an answer" "$(cat "$crowd"/*/answer | grep -c '^HTTP/1.1 303')" "$shoppers"
is "fifty of them have an order" "$(for one in "$crowd"/*/answer; do leads "$one"; done | grep -c '^/orders/')" "$pieces"
everybody_looks() { seq "$shoppers" | xargs -P 4 -I{} bash -c "look_where_led {} '$crowd'"; }
ok "the others look where they are led" everybody_looks
is "which says in words that somebody was faster, and nothing is to be paid" "$(pages_that_say "$crowd" "$faster")" \
    "$((shoppers - pieces))"
is "and has what they wanted still in it, sold out" "$(pages_that_say "$crowd" 'class="wrong"[^>]*>Sold out')" "$((shoppers - pieces))"
is "fifty orders are there" "$(orders JG-STRAW)" "$pieces"
is "and hold all of it" "$(stock JG-STRAW)" "$pieces $pieces"

# All of them pay, several at a time, and the daemon dies on the way. Who got no answer pays again.
host=$(sed -n 's/^public_host = //p' "$sandbox/merchant.conf")
sql merchant "SELECT 'setpay://$host/pay/' || o.token FROM orders o JOIN order_item i ON i.order_id = o.order_id
    WHERE i.sku = 'JG-STRAW'" >"$tmp/links"
touch "$tmp/paid"
pay_one() { "$bin/setpay-wallet" --socket "$socket" --json pay "$1" --yes && echo "$1" >>"$paid"; } >/dev/null 2>&1
export -f pay_one
export bin socket paid=$tmp/paid
socket=$(get .wallet_socket)
pay_all() { grep -vxFf "$tmp/paid" "$tmp/links" | xargs -P 8 -I{} bash -c "pay_one '{}'"; }
paid() { wc -l <"$tmp/paid"; }
some_paid() { [ "$(paid)" -ge 10 ]; }
all_paid() { pay_all; [ "$(paid)" -eq "$pieces" ]; }
sold() { api GET "/orders?limit=100&status=authorised" | jq '[.orders[] | select(.items[0].sku == "JG-STRAW")] | length'; }
holds_before=$(open_holds)
pay_all &
payer=$!
ok "some have paid" wait_for 60 some_paid
ok "the daemon is killed" kill_daemon merchant
[ "$(paid)" -lt "$pieces" ] && midway=yes || midway=no
is "while others pay" "$midway" yes
echo "# $(paid) had paid"
ok "and started again" up
wait "$payer"
ok "all fifty have paid, some at another try" wait_for 60 all_paid
is "fifty orders are authorised" "$(sold)" "$pieces"
is "the issuer holds the money of fifty" "$(($(open_holds) - holds_before))" "$pieces"
is "nothing is on the shelf, and nothing is reserved" "$(stock JG-STRAW) $(held JG-STRAW)" "0 0 0"
is "and whoever comes now is told before there is anything to pay" "$(one_shopper "$tmp" JG-STRAW)" told

# Killed in the middle: whoever got no answer may have an order or not, but no piece is counted twice.
ok "there are $pieces bowls" stocked BW-GREYB
(rush BW-GREYB) &
rusher=$!
some_orders() { [ "$(orders BW-GREYB)" -ge 10 ]; }
ok "some have ordered" wait_for 60 some_orders
ok "the daemon is killed" kill_daemon merchant
ok "and started again" up
wait "$rusher"
[ "$(orders BW-GREYB)" -gt "$pieces" ] && more=yes || more=no
is "no more orders than pieces" "$more" no
is "what is reserved is what the orders hold" "$(stock BW-GREYB)" "$pieces $(held BW-GREYB)"
is "each order holds one" "$(held BW-GREYB)" "$(orders BW-GREYB)"
[ "$(orders BW-GREYB)" -ge "$(count ordered)" ] && kept=yes || kept=no
is "who was told of an order has one" "$kept" yes

# Shoppers who came while it was dead left some on the shelf: those go.
left=$(held BW-GREYB)
ok "the shelf is empty" merchant stock set BW-GREYB --on-hand "$left" --reason "the rest is broken"
# Whoever comes first after that hour gets what those have left who did not pay, and holds one of it himself. It has to be
# over by the gateway's clock too: by ours alone nothing is given up.
an_hour_later() { control "$(admin_socket "$1")" '{"id":1,"command":"testing.clock","args":{"offset_ms":3700000}}' | jq -e .ok; }
one_more() { merchant stock set BW-GREYB --on-hand "$((left + 1))" --reason "one more" >/dev/null; }
ok "our own clock is an hour ahead" an_hour_later merchant
is "a bowl is still not to be had" "$(one_shopper "$tmp" BW-GREYB)" told
ok "though there is another look at the shelf" one_more
is "they hold what they have ordered" "$(stock BW-GREYB)" "$((left + 1)) $left"
ok "the gateway's clock says so too" an_hour_later gateway
free() { one_more && [ "$(stock BW-GREYB)" = "$((left + 1)) 0" ]; }
ok "after an hour the bowls are free" wait_for 20 free
is "and somebody else has one" "$(one_shopper "$tmp" BW-GREYB)" ordered
is "and nothing else of it is reserved" "$(stock BW-GREYB)" "$((left + 1)) 1"
done_testing
