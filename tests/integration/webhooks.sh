#!/usr/bin/env bash
# shellcheck disable=SC2154 # of sandbox.bash
# Webhooks, with a receiver here: what comes is signed, comes again until it is taken, whatever is killed, and goes
# only where it may; secrets stay out of the logs.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

# ------------------------------------------------------------------ the receiver: a program for each connection
# Each request becomes a folder of $tmp/got, with head and body; it is answered with the status in $tmp/answer after
# the pause in $tmp/pause.
mkdir "$tmp/got"
echo 204 >"$tmp/answer"
echo 0 >"$tmp/pause"
cat >"$tmp/receive" <<'RECEIVER'
#!/usr/bin/env bash
tmp=$1
it=$(mktemp -d "$tmp/got/$(date +%s%N).XXXX")
size=0
while IFS= read -r line; do
    line=${line%$'\r'}
    [ -n "$line" ] || break
    printf '%s\n' "$line" >>"$it/head.new"
    case ${line,,} in content-length:*) size=${line#*: } ;; esac
done
head -c "$size" >"$it/body"
mv "$it/head.new" "$it/head"
sleep "$(cat "$tmp/pause")"
printf 'HTTP/1.1 %s Status\r\nContent-Length: 0\r\nConnection: close\r\n%s\r\n' "$(cat "$tmp/answer")" \
    "$(cat "$tmp/more" 2>/dev/null)"
RECEIVER
chmod +x "$tmp/receive"
port=$(free_port)
tls_port=$(free_port)
socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "EXEC:$tmp/receive $tmp" 2>/dev/null &
receiver=$!
cleanup() {
    kill "$receiver" ${tls_receiver:+"$tls_receiver"} 2>/dev/null
    [ ! -f "$sandbox/ports" ] || down >/dev/null 2>&1
}

count() { find "$tmp/got" -name head | wc -l; }
has() { [ "$(count)" -ge "$1" ]; }
forget() { rm -rf "$tmp"/got/*; }
newest() { find "$tmp/got" -name head | sort | tail -n 1 | xargs dirname; }
field() { sed -n "s/^$2: //p" "$1/head"; } # field FOLDER NAME
types() { for it in $(find "$tmp/got" -name head | sort | xargs -r -n 1 dirname); do jq -r .type "$it/body"; done; }
has_types() { [ "$(types | sort -u | tr '\n' ' ')" = "$1 " ]; }

# signature SECRET FOLDER: as Standard Webhooks says, by openssl.
signature() {
    local key
    key=$(printf %s "${1#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
    { printf '%s.%s.' "$(field "$2" webhook-id)" "$(field "$2" webhook-timestamp)"; cat "$2/body"; } |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 | sed 's/^/v1,/'
}

# hook URL [EVENTS]: makes a webhook; sets hook_id and secret.
hook() {
    merchant --json webhook add --url "$1" ${2:+--events "$2"} >"$tmp/hook" || return 1
    hook_id=$(jq -r .webhook_id "$tmp/hook")
    secret=$(jq -r .secret "$tmp/hook")
    secrets+=("${secret#whsec_}")
}
secrets=()
# last MEMBER: of the youngest delivery of the webhook.
last() { merchant --json webhook deliveries "$hook_id" --limit 1 | jq -r ".deliveries[0].$1"; }
last_is() { [ "$(last "$1")" = "$2" ]; }
tries() { merchant webhook test "$hook_id"; }

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing

# ------------------------------------------------------------------ what comes
ok "a webhook is made" hook "http://127.0.0.1:$port/hook"
merchant order create --description 'Two candles' --amount '12.50 EUR' --metadata $'note=a\r\nX-Evil: b' >"$tmp/order"
uri=$(sed -n 's/^to be paid at *//p' "$tmp/order")
ok "an order is paid" wallet --json pay "$uri" --yes
ok "all that happened to it comes" wait_for 10 has_types "order.authorised order.created order.paying"
is "each once" "$(count)" 3
it=$(newest)
is "with the right signature" "$(field "$it" webhook-signature)" "$(signature "$secret" "$it")"
is "by the event's id" "$(field "$it" webhook-id)" "$(jq -r .id "$it/body")"
is "of now" "$(($(date +%s) - $(field "$it" webhook-timestamp) < 60))" 1
is "as JSON" "$(field "$it" Content-Type)" application/json
is "and the same as GET /events has" "$(jq -cS . "$it/body")" \
    "$(api GET /events | jq -cS --arg id "$(jq -r .id "$it/body")" '.events[] | select(.id == $id)')"
is "metadata made no header" "$(cat "$tmp"/got/*/head | grep -ci '^x-evil')" 0
is "but is in the body" "$(jq -r .data.metadata.note "$it/body")" $'a\r\nX-Evil: b'
is "no link that pays" "$(cat "$tmp"/got/*/body | grep -c 'setpay://')" 0
is "as delivered in the log of deliveries" \
    "$(merchant --json webhook deliveries "$hook_id" | jq -r '[.deliveries[] | .status] | unique | join(" ")')" delivered

# While a slow receiver thinks, others are told; what is on its way is not begun again by that.
forget
echo 1 >"$tmp/pause"
for _ in 1 2 3 4; do tries >/dev/null; done
all_taken() { merchant --json webhook deliveries "$hook_id" --limit 4 | jq -e 'all(.deliveries[]; .status == "delivered")'; }
ok "four events on their way at once are taken" wait_for 20 all_taken
is "each once" "$(count) $(cat "$tmp"/got/*/head | grep '^webhook-id' | sort -u | wc -l)" "4 4"
echo 0 >"$tmp/pause"

# What is switched off is not called, also for what was to be sent to it before.
ok "another webhook is made" hook "http://127.0.0.1:$port/off"
off_id=$hook_id
echo 500 >"$tmp/answer"
forget
ok "what it refuses" tries
ok "is to be sent again" wait_for 10 has 1
ok "it is switched off" api PATCH "/webhooks/$off_id" '{"enabled":false}'
forget
is_due() { [ "$(sql merchant "SELECT d.state = 0 AND d.next_ms <= $(date +%s%3N) FROM webhook_delivery d
    JOIN webhook w ON w.seq = d.webhook_seq WHERE w.webhook_id = '$off_id' ORDER BY d.seq DESC LIMIT 1")" = 1 ]; }
ok "its time comes" wait_for 20 is_due
echo 204 >"$tmp/answer"
ok "a webhook is made" hook "http://127.0.0.1:$port/on" webhook.test
ok "another event is sent elsewhere" tries
ok "and comes there" wait_for 10 last_is status delivered
is "and nothing where it is switched off" "$(cat "$tmp"/got/*/head | grep -c '^POST /off')" 0
merchant webhook remove "$off_id" >/dev/null
merchant webhook remove "$hook_id" >/dev/null
ok "a webhook is made" hook "http://127.0.0.1:$port/hook"

# ------------------------------------------------------------------ again, until it is taken
forget
echo 500 >"$tmp/answer"
ok "a try is asked for" tries
ok "what is refused comes again" wait_for 10 has 2
echo 204 >"$tmp/answer"
ok "until it is taken" wait_for 10 last_is status delivered
is "always the same id" "$(cat "$tmp"/got/*/head | grep '^webhook-id' | sort -u | wc -l)" 1
is "and the same bytes" "$(sha256sum "$tmp"/got/*/body | cut -c1-64 | sort -u | wc -l)" 1
is "each with its own signature" "$(for it in "$tmp"/got/*; do
    [ "$(field "$it" webhook-signature)" = "$(signature "$secret" "$it")" ] || echo wrong
done)" ""
forget
ok "by hand, too" merchant webhook redeliver "$hook_id" --delivery "$(last delivery_id)"
ok "it comes once more" wait_for 10 has 1

# A receiver that answers late: the daemon is killed while it waits for the answer, and sends again.
ok "that one is booked" wait_for 10 last_is status delivered
forget
echo 3 >"$tmp/pause"
ok "a try that takes long" tries
ok "it is under way" wait_for 10 has 1
kill_daemon merchant
echo 0 >"$tmp/pause"
is "nothing of it is lost" "$(sql merchant "SELECT state FROM webhook_delivery ORDER BY seq DESC LIMIT 1")" 0
ok "the daemon comes back" up
ok "and sends it again" wait_for 10 has 2
is "under the same id" "$(cat "$tmp"/got/*/head | grep '^webhook-id' | sort -u | wc -l)" 1
ok "it is taken" wait_for 10 last_is status delivered

# Killed with an event that nobody has taken yet.
forget
echo 503 >"$tmp/answer"
new_order 700 EUR
ok "an event waits" wait_for 10 has 1
kill_daemon merchant
forget
echo 200 >"$tmp/answer"
ok "the daemon comes back again" up
ok "the event comes" wait_for 10 has_types order.created
is "about that order" "$(jq -r .data.order_id "$(newest)/body")" "$order_id"

# ------------------------------------------------------------------ another secret
forget
old=$secret
secret=$(merchant --json webhook rotate "$hook_id" | jq -r .secret)
secrets+=("${secret#whsec_}")
ok "a try with two secrets" tries
ok "it comes" wait_for 10 has 1
it=$(newest)
is "signed by both" "$(field "$it" webhook-signature)" "$(signature "$secret" "$it") $(signature "$old" "$it")"

# ------------------------------------------------------------------ what else a receiver may answer
forget
ok "the rest is booked" wait_for 10 last_is status delivered
echo 302 >"$tmp/answer"
printf 'Location: http://127.0.0.1:%s/elsewhere\r\n' "$port" >"$tmp/more"
ok "a try that is sent elsewhere" tries
ok "is refused" wait_for 10 last_is last_result refused
is "with its status" "$(last response_status)" 302
is "and not followed" "$(cat "$tmp"/got/*/head | grep -c elsewhere)" 0
rm "$tmp/more"
echo 410 >"$tmp/answer"
switched_off() { [ "$(merchant --json webhook list | jq -r --arg id "$hook_id" '.webhooks[] | select(.webhook_id == $id).status')" = failed ]; }
ok "one that is gone is switched off" wait_for 10 switched_off
logged() { grep -q "event=webhook.disabled webhook=$hook_id" "$sandbox/log/merchant.log"; }
ok "which is logged" wait_for 5 logged
is "and counted" "$(curl -s "$(get .metrics.merchant)" | sed -n 's/^setpay_merchant_webhooks_disabled_total //p')" 1
ok "nothing is tried on it" bash -c "! '$bin/setpay-merchant' --config '$sandbox/merchant.conf' webhook test $hook_id"
echo 204 >"$tmp/answer"
ok "it is switched on again" merchant webhook enable "$hook_id"
ok "and tried" tries
ok "it takes" wait_for 10 last_is status delivered

# ------------------------------------------------------------------ time
forget
merchant --json order create --description 'A lamp' --amount '3 EUR' --expires-in 60 >/dev/null
ok "an order that nobody pays" wait_for 10 has 1
for daemon in merchant gateway; do # it has to be over by the gateway's clock too
    control "$(admin_socket "$daemon")" '{"id":1,"command":"testing.clock","args":{"offset_ms":120000}}' >/dev/null
done
expires() { types | grep -qx order.expired; }
ok "expires, and that comes too" wait_for 40 expires

# ------------------------------------------------------------------ where it may go
ok "the daemon is told of no network" restart_with merchant "webhook_networks = "
forget
for host in localhost '[::1]' '[::ffff:127.0.0.1]' 0.0.0.0 2130706433 0x7f.1; do
    merchant webhook remove "$hook_id" >/dev/null
    ok "a webhook to $host" hook "http://$host:$port/hook"
    ok "is made, and tried" tries
    ok "and goes nowhere" wait_for 10 last_is last_result forbidden_address
done
merchant webhook remove "$hook_id" >/dev/null
hook "https://169.254.169.254/latest/meta-data" && tries >/dev/null
ok "nor to an address of the machine's own network" wait_for 10 last_is last_result forbidden_address
is "the receiver has seen nothing" "$(count)" 0
merchant webhook remove "$hook_id" >/dev/null

# ------------------------------------------------------------------ over TLS
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/tls.key" -out "$tmp/tls.pem" \
    -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
socat "OPENSSL-LISTEN:$tls_port,bind=127.0.0.1,fork,reuseaddr,cert=$tmp/tls.pem,key=$tmp/tls.key,verify=0" \
    "EXEC:$tmp/receive $tmp" 2>/dev/null &
tls_receiver=$!
ok "networks are named again" restart_with merchant "log_level = debug"
hook "https://localhost:$tls_port/hook" && tries >/dev/null
ok "a receiver that no authority knows gets nothing" wait_for 10 last_is last_result tls
ok "an authority is named" restart_with merchant "webhook_ca_file = $tmp/tls.pem"
ok "and the event is taken" wait_for 15 last_is status delivered
merchant webhook remove "$hook_id" >/dev/null
forget
hook "https://127.0.0.1:$tls_port/hook" && tries >/dev/null
ok "under another name it is not believed" wait_for 10 last_is last_result tls
is "and has seen nothing" "$(count)" 0
merchant webhook remove "$hook_id" >/dev/null

# ------------------------------------------------------------------ one that is dead for long
ok "patience is short" restart_with merchant "webhook_disable_after = 400ms"
echo 500 >"$tmp/answer"
hook "http://127.0.0.1:$port/hook" && tries >/dev/null
ok "a webhook that takes nothing is switched off" wait_for 15 switched_off

# ------------------------------------------------------------------ secrets
is "no secret is in a log" "$(for one in "${secrets[@]}"; do grep -lF -- "$one" "$sandbox"/log/*; done)" ""
is "nor in what is shown" "$(merchant --json webhook list | grep -c whsec_)" 0
is "a wrong network is refused before the start" \
    "$("$bin/setpay-merchantd" --config "$sandbox/merchant.conf" --listen 127.0.0.1:0 --api_listen 127.0.0.1:0 --shop_listen 127.0.0.1:0 --owner_listen 127.0.0.1:0 \
        --admin_address 127.0.0.1:0 --admin_socket "$tmp/x.sock" --database "sqlite:$tmp/x.db" --log "$tmp/x.log" \
        --webhook_networks 10.0.0.0 2>&1 | grep -c 'webhook_networks: found')" 1
done_testing
