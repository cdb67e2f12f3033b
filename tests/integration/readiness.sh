#!/usr/bin/env bash
# /readyz says 503, and why, while a revocation list is stale, the committer is stuck or the gateway
# is away, and recovers by itself; the clock of a daemon under test can be moved, and of no other.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
readyz() { get ".metrics.$1" | sed 's,/metrics$,/readyz,'; }
ready_is() { [ "$(curl -s -o "$tmp/ready" -w '%{http_code}' "$(readyz "$1")")" = "$2" ]; }
names() { jq -e --arg c "$1" '.checks[] | select(.name == $c) | .ok == false' "$tmp/ready"; }
control() { # SOCKET JSON: one request line, one answer line
    printf '%s\n' "$2" | timeout 10 socat -t 5 - "UNIX-CONNECT:$1" | head -n 1
}

# ------------------------------------------------------------------ health and figures
for daemon in wallet merchant gateway; do
    ok "$daemon is ready" wait_for 10 ready_is "$daemon" 200
    ok "$daemon is alive" curl -fsS "$(get ".metrics.$daemon" | sed 's,metrics$,healthz,')"
    ok "$daemon has figures" bash -c "curl -fsS '$(get ".metrics.$daemon")' | grep -q '^# TYPE setpay_'"
done

# ------------------------------------------------------------------ a stale revocation list
day=$((25 * 3600 * 1000))
for daemon in gateway merchant; do
    socket=$sandbox/run/$daemon.sock
    control "$socket" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$day}}" >"$tmp/clock"
    is "$daemon: the clock is moved" "$(jq -r .ok "$tmp/clock")" true
    ok "$daemon: 503 with a stale list" wait_for 5 ready_is "$daemon" 503
    ready_is "$daemon" 503
    ok "$daemon: and says that it is the list" names crls
    control "$socket" '{"id":1,"command":"testing.clock","args":{"offset_ms":0}}' >/dev/null
    ok "$daemon: recovers" wait_for 10 ready_is "$daemon" 200
done

# ------------------------------------------------------------------ the committer, stuck
mkfifo "$tmp/hold"
sqlite3 "$(get .databases.gateway)" <"$tmp/hold" >"$tmp/held" 2>&1 &
holder=$!
exec 9>"$tmp/hold"
printf 'BEGIN IMMEDIATE;\nSELECT 1;\n' >&9
held() { [ -s "$tmp/held" ]; }
ok "another process holds the gateway's database" wait_for 5 held
new_order 500 EUR
"$bin/setpay-wallet" --socket "$(get .wallet_socket)" --json pay "$uri" --yes >"$tmp/stuck" 2>&1 &
payer=$!
ok "503 while the committer is stuck" wait_for 20 ready_is gateway 503
ready_is gateway 503
ok "and says that it is the store" names store
printf 'ROLLBACK;\n' >&9
exec 9>&-
wait "$holder"
ok "it recovers" wait_for 20 ready_is gateway 200
wait "$payer"
ok "nothing stays pending" wait_for 20 nothing_pending

# ------------------------------------------------------------------ the gateway away
pid=$(pid_of gateway)
kill -KILL "$pid"
ok "the merchant is not ready without its gateway" wait_for 10 ready_is merchant 503
ok "the gateway comes back" up
ok "and the merchant is ready" wait_for 10 ready_is merchant 200

# ------------------------------------------------------------------ SIGHUP
conf=$(get .configs.merchant) log=$(get .logs.merchant)
logged() { grep -qF -- "$1" "$log"; }
sed -i 's/^log_level = info/log_level = imfo/' "$conf"
kill -HUP "$(pid_of merchant)"
ok "SIGHUP with a file that is wrong now: file, line and key are logged" \
    wait_for 10 logged "$conf:$(sed -n '/^log_level/=' "$conf"): key"
sed -i 's/^log_level = imfo/log_level = info/' "$conf"
control "$sandbox/run/merchant.sock" '{"id":1,"command":"log.level","args":{"level":"error"}}' >/dev/null
kill -HUP "$(pid_of merchant)"
ok "with one that is right its log_level is taken over" wait_for 10 logged event=daemon.reloaded

# ------------------------------------------------------------------ not under test
sed 's/^testing = yes/testing = no/' "$sandbox/wallet.conf" >"$tmp/wallet.conf"
down >/dev/null
"$bin/setpay-walletd" --config "$tmp/wallet.conf" &
plain=$!
there() { [ -S "$sandbox/run/wallet-admin.sock" ] && control "$sandbox/run/wallet-admin.sock" '{"id":1,"command":"status"}' | jq -e .ok; }
ok "a wallet that is not under test" wait_for 10 there
is "does not let its clock be moved" \
    "$(control "$sandbox/run/wallet-admin.sock" '{"id":1,"command":"testing.clock","args":{"offset_ms":1}}' | jq -r .error.name)" PERMISSION
kill -TERM "$plain"
wait "$plain"
is "and stops when told, exit status" $? 0
sed -i "s/^admin_address = .*/admin_address = 0.0.0.0:0/" "$sandbox/wallet.conf"
"$bin/setpay-walletd" --config "$sandbox/wallet.conf" >"$tmp/open" 2>&1
is "testing = yes beside a listener for the world is refused, exit status" $? 2
ok "with words" grep -qi loopback "$tmp/open"

done_testing
