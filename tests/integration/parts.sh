#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# Parts of an order while the gateway is away, and over deaths of the merchant: pieces are back in stock, and a shipment
# is told of, when the gateway has answered, once; and what the shopper's page says of it then.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"
cleanup() {
    [ -z "${stopped:-}" ] || kill -CONT "$stopped" 2>/dev/null
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}

ok "the sandbox comes up" up
[ -f "$state" ] || { tail -n 30 "$sandbox"/log/*; done_testing; }

# ------------------------------------------------------------------ small helpers
stop_gateway() {
    stopped=$(pid_of gateway)
    kill -STOP "$stopped"
}
gateway_goes_on() {
    kill -CONT "$stopped"
    stopped=''
}
# A product of which ten are there; its name would run if it were not escaped.
api POST /products '{"slug":"parts-jug","name":"Jug <b>","status":"published","variants":[{"sku":"P-JUG","prices":{"EUR":500},
    "stock":{"on_hand":10}}]}' >"$tmp/made"
is "a product is added" "$(cat "$tmp/status")" 201
order() { # CAPTURE: three jugs, paid
    api POST /orders "{\"items\":[{\"sku\":\"P-JUG\",\"quantity\":3}],\"country\":\"DE\",\"capture\":\"$1\"}" >"$tmp/order"
    order_id=$(jq -r .order_id "$tmp/order") uri=$(jq -r .pay_uri "$tmp/order")
    wallet --json pay "$uri" --yes
}
post() { api POST "/orders/$order_id/$1" "$2"; }
in_background() { # WHAT BODY: asks and does not wait
    curl -sS -m 60 -o "$tmp/answer" -X POST -H "Authorization: Bearer $(get .merchant_api_token)" \
        -H 'Content-Type: application/json' -H "Idempotency-Key: parts-$RANDOM-$(date +%s%N)" -d "$2" \
        "$(get .merchant_api_url)/orders/$order_id/$1" 2>/dev/null &
}
# What there is of it, as the database knows it: in stock, how often told, how the parts are settled.
stock() { sql merchant "SELECT on_hand FROM variant WHERE sku = 'P-JUG'"; }
told() { sql merchant "SELECT COUNT(*) FROM event WHERE type = 'order.shipped' AND order_id = '$order_id'"; }
parts() { sql merchant "SELECT group_concat(settled, '') FROM (SELECT settled FROM order_part WHERE order_id = '$order_id' ORDER BY seq)"; }
parts_are() { [ "$(parts)" = "$1" ]; }
page() { curl -sS "$(get .store_url)/orders/${uri##*/}" >"$tmp/page"; }
says() { grep -qF -- "$1" "$tmp/page"; }
problem() { [ "$(cat "$tmp/status")" = "$1" ] && [ "$(jq -r .type "$tmp/body")" = "urn:setpay:problem:$2" ]; }
line() { api GET "/orders/$order_id" | jq -c '.items[0] | [.shipped, .refunded]'; }

# ------------------------------------------------------------------ while the gateway is away
ok "an order is paid" order immediate
is "three are sold" "$(stock)" 7
stop_gateway
in_background refund '{"lines":[{"sku":"P-JUG","quantity":1}],"restock":true}'
asker=$!
ok "a refund is asked for" wait_for 10 parts_are 0
is "nothing is back in stock while the gateway is silent" "$(stock)" 7
is "and what is given back is not sent meanwhile" "$(post shipments '{"lines":[{"line":1,"quantity":3}]}' | jq -r .field)" 'lines[0].quantity'
pid=$(pid_of merchant)
kill -KILL "$pid"
wait_gone "$pid"
wait "$asker"
is "nor over a kill" "$(stock)" 7
gateway_goes_on
ok "the merchant comes back" up
ok "and is answered" wait_for 20 parts_are 1
is "one is back" "$(stock)" 8
is "as not sent" "$(sql merchant "SELECT reason || ' ' || change FROM stock_log WHERE order_id = '$order_id' AND change > 0")" "not sent 1"
ok "the answer to it says so" jq -ne --argjson o "$(api GET "/orders/$order_id")" \
    '$o.returns[0].restocked and $o.returns[0].lines[0].unsent == 1 and $o.returns[0].status == "done"'
post shipments '{"lines":[{"line":1,"quantity":2}]}' >/dev/null
is "the others are sent" "$(cat "$tmp/status")" 200
is "it is told of at once where nothing is captured" "$(told)" 1
post shipments '{}' >/dev/null
ok "what was given back never is" problem 409 order-state
post refund '{"lines":[{"line":1,"quantity":1}],"of":"unsent"}' >/dev/null
ok "all the others are sent" problem 409 amount
post refund '{"lines":[{"line":1,"quantity":2}],"of":"sent"}' >/dev/null
is "and are given back without being in stock" "$(stock) $(line)" "8 [2,3]"

# ------------------------------------------------------------------ killed at each point
points=(gateway.answered part.settled step.decided)
for point in "${points[@]}"; do
    ok "$point: an order is paid" order on_shipment
    before=$(stock)
    pid=$(pid_of merchant)
    crash_at merchant "$point" 1 >/dev/null
    in_background shipments '{"lines":[{"line":1,"quantity":2}],"carrier":"Post","tracking":"RR 1"}'
    ok "$point: a shipment is asked for, and the merchant dies" wait_for 10 is_gone "$pid"
    wait $!
    is "$point: it is told of where the answer is kept, and not before" "$(parts) $(told)" \
        "$([ "$point" = step.decided ] && echo "1 1" || echo "0 0")"
    ok "$point: it comes back" up
    ok "$point: and the part is settled" wait_for 20 parts_are 1
    is "$point: and told of once" "$(told)" 1
    pid=$(pid_of merchant)
    crash_at merchant "$point" 1 >/dev/null
    in_background refund '{"lines":[{"line":1,"quantity":1}],"restock":true}'
    ok "$point: a refund is asked for, and the merchant dies" wait_for 10 is_gone "$pid"
    wait $!
    ok "$point: it comes back" up
    ok "$point: and the part is settled" wait_for 20 parts_are 11
    is "$point: one is back in stock, once" "$(stock)" $((before + 1))
    pid=$(pid_of merchant)
    crash_at merchant "$point" 1 >/dev/null
    in_background void '{}'
    ok "$point: the rest is voided, and the merchant dies" wait_for 10 is_gone "$pid"
    wait $!
    ok "$point: it comes back" up
    ok "$point: and the part is settled" wait_for 20 parts_are 111
    is "$point: what was not sent is back, once" "$(stock)" $((before + 2))
    is "$point: and told of is what was" "$(told)" 1
done

# ------------------------------------------------------------------ the same key, while it is under way
ok "there is stock" merchant stock set P-JUG --on-hand 30 --reason "counted"
token2=$(merchant --json token add --name second | jq -r .token)
keyed() { # FILE TOKEN PATH KEY BODY: POST; its head and body go to FILE.head and FILE, its status is printed
    curl -sS -m 60 -D "$1.head" -o "$1" -w '%{http_code}' -X POST -H "Authorization: Bearer $2" \
        -H 'Content-Type: application/json' -H "Idempotency-Key: $4" -d "$5" "$(get .merchant_api_url)$3"
}
asking() { [ "$(sql merchant 'SELECT (SELECT COUNT(*) FROM step WHERE state = 1) + (SELECT COUNT(*) FROM batch WHERE state = 2)')" -gt 0 ]; }
quiet() { ! asking; }
type_of() { jq -r .type "$1" | sed 's/urn:setpay:problem://'; }
under_way() { # NAME PATH BODY OTHER-BODY: and what counts how often it was done
    local name=$1 path=$2 key="way-$1-$RANDOM" token first
    token=$(get .merchant_api_token)
    stop_gateway
    keyed "$tmp/first" "$token" "$path" "$key" "$3" >"$tmp/first.status" &
    first=$!
    ok "$name: it is asked for" wait_for 10 asking
    is "$name: the same again is under way" "$(keyed "$tmp/again" "$token" "$path" "$key" "$3") $(type_of "$tmp/again")" \
        "409 request-under-way"
    ok "$name: which says when to come back" grep -qi '^retry-after:' "$tmp/again.head"
    is "$name: another body is another intent" "$(keyed "$tmp/again" "$token" "$path" "$key" "$4") $(type_of "$tmp/again")" \
        "422 idempotency-key-reused"
    gateway_goes_on
    wait "$first"
    is "$name: the first is answered" "$(cat "$tmp/first.status")" 200
    ok "$name: as new" eval '! grep -qi "^idempotent-replayed" "$tmp/first.head"'
    is "$name: the same again has its answer" "$(keyed "$tmp/again" "$token" "$path" "$key" "$3")" 200
    ok "$name: word by word" cmp "$tmp/first" "$tmp/again"
    ok "$name: and is told so" grep -qi '^idempotent-replayed: true' "$tmp/again.head"
    is "$name: another body is still none" "$(keyed "$tmp/again" "$token" "$path" "$key" "$4") $(type_of "$tmp/again")" \
        "422 idempotency-key-reused"
    last_key=$key
}
step_count() { sql merchant "SELECT COUNT(*) FROM step WHERE kind = $1"; }
order manual >/dev/null
before=$(step_count 1)
under_way capture "/orders/$order_id/capture" '{"amount":500}' '{"amount":501}'
is "capture: it was done once" "$(step_count 1)" $((before + 1))
is "capture: another token's key is another key" "$(keyed "$tmp/again" "$token2" "/orders/$order_id/capture" "$last_key" '{"amount":500}')" 200
ok "capture: which is not told what it is not" eval '! grep -qi "^idempotent-replayed" "$tmp/again.head"'
is "capture: so it is done again" "$(step_count 1)" $((before + 2))
before=$(step_count 2)
under_way refund "/orders/$order_id/refund" '{"amount":300}' '{"amount":200}'
is "refund: it was done once" "$(step_count 2)" $((before + 1))
order on_shipment >/dev/null
before=$(step_count 1)
under_way shipment "/orders/$order_id/shipments" '{"lines":[{"line":1,"quantity":1}]}' '{}'
is "shipment: it was done once" "$(step_count 1) $(line)" "$((before + 1)) [1,0]"
under_way batches /batches/close '{}' '{"brand":"visa"}'
ok "nothing is under way any more" wait_for 10 quiet

# ------------------------------------------------------------------ what the shopper sees
order on_shipment >/dev/null
page
ok "nothing is shown as sent" eval '! says "What was sent"'
stop_gateway
in_background shipments '{"lines":[{"line":1,"quantity":1}],"carrier":"Post & Co","tracking":"\"><script>x</script>","tracking_url":"https://track.example/?a=1&b='"'"'"}'
wait $!
gateway_goes_on
is "an address with a quote is none" "$(jq -r .field "$tmp/answer")" tracking_url
stop_gateway
in_background shipments '{"lines":[{"line":1,"quantity":1}],"carrier":"Post & Co","tracking":"\"><script>x</script>","tracking_url":"https://track.example/?a=1&b=2"}'
asker=$!
ok "a shipment waits for the gateway" wait_for 10 parts_are 0
page
ok "the page does not show it yet" eval '! says "What was sent"'
gateway_goes_on
wait "$asker"
page
ok "it does when its capture is done" says '<strong>1 × Jug &lt;b&gt;</strong>'
ok "with the carrier" says 'Post &amp; Co'
ok "with the number as text" says '&quot;&gt;&lt;script&gt;x&lt;/script&gt;'
ok "with the link, which tells the carrier nothing" says \
    ' href="https://track.example/?a=1&amp;b=2" rel="noreferrer noopener nofollow">'
ok "and how much of the line is sent" says '1 of 3 sent'
ok "the capture is for these pieces" says 'For 1 × Jug &lt;b&gt;'
post capture '{"amount":100}' >/dev/null
page
is "a capture by amount is no shipment" "$(grep -c '<li><strong>' "$tmp/page")" 1
ok "nor on its way" eval '! says "on its way"'
post refund '{"lines":[{"line":1,"quantity":1}]}' >/dev/null
page
ok "a refund says of what" says '1 of 3 paid back'
for url in 'javascript:alert(1)' 'data:text/html,x' '//evil.example/' ' https://a.example/' 'https://u@a.example/'; do
    post shipments "$(jq -nc --arg u "$url" '{lines: [{line: 1, quantity: 1}], tracking_url: $u}')" >/dev/null
    is "'$url' is no address to follow a parcel" "$(cat "$tmp/status") $(jq -r .field "$tmp/body")" "422 tracking_url"
done
done_testing
