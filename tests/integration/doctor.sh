#!/usr/bin/env bash
# Eight faults are planted, each at wallet, merchant, gateway and authority: a clock that is off, a
# wrong root, an expired certificate, a stale revocation list, a full disk, a wrong mode, a taken
# port, a peer that is down. The doctor of each names the fault and what to do, with exit status 1,
# and is content again once the fault is taken away; whether the daemon runs or not.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
# shellcheck disable=SC1091
. "$sandbox/ports"
url=$(get .ca_url)
parties="wallet merchant gateway ca"

# doctor PARTY: its JSON to $tmp/findings. What stands in $lens runs it (a clock that is moved), the
# configuration is $confs/PARTY.conf, and $stopped says that no daemon is to be asked.
lens='' confs=$sandbox stopped='' ca_folder=$sandbox/ca
doctor() {
    local name=$1 more=()
    [ -z "$stopped" ] || more=(--config "$confs/$name.conf")
    case $name in
    merchant | gateway) set -- "$bin/setpay-$name" --config "$confs/$name.conf" --json doctor --url "$url" ;;
    wallet) set -- "$bin/setpay-wallet" --socket "$sandbox/run/wallet.sock" --json doctor "${more[@]}" ;;
    ca) set -- "$bin/setpay-ca" --dir "$ca_folder" --json doctor "${more[@]}" ;;
    esac
    # shellcheck disable=SC2086 # words
    timeout 20 $lens "$@" >"$tmp/findings" 2>"$tmp/err"
    local status=$?
    cat "$tmp/findings"
    return $status
}

# finds PARTY CHECK WORDS: it fails, and that check says so and what to do.
finds() {
    doctor "$1"
    [ $? -eq 1 ] && jq -e --arg name "$2" --arg words "$3" '(.ok | not) and any(.checks[];
        .name == $name and .ok == false and .level == "fail" and .what_to_do != "" and (.words | test($words)))' "$tmp/findings"
}
# Not a line but "ok", and exit status 0; or, stopped, nothing fails but that the daemon is.
content() {
    doctor "$1"
    local status=$? allowed=
    [ -z "$stopped" ] || allowed=daemon
    [ $status -eq $([ -n "$stopped" ] && echo 1 || echo 0) ] &&
        jq -e --arg allowed "$allowed" 'all(.checks[]; .level == "ok" or .name == $allowed) and (.checks | length) > 8' "$tmp/findings"
}
# A merchant knows its gateway's clock by what that said last, and asks again each time that it is looked at.
all_content() { for party in $parties; do ok "$party: content$1" wait_for 10 content "$party"; done; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
move_clock() { # PARTY MILLISECONDS
    local socket
    socket=$([ "$1" = ca ] && echo "$sandbox/ca/cad.sock" || admin_socket "$1")
    control "$socket" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$2}}" | jq -e .ok >/dev/null
}

# ------------------------------------------------------------------ while the daemons run
all_content ""
ok "in words: a line for each finding, aligned" bash -c "'$bin/setpay-merchant' --config '$sandbox/merchant.conf' doctor |
    tee /dev/stderr | grep -q '^  ok    clock          '"

# Files of the party's, each opened to all.
files=([0]="$sandbox/db/wallet.db" [1]="$sandbox/merchant/visa/sign.key" [2]="$sandbox/gateway/vault.key" [3]="$sandbox/ca/keys/root.key")
at=0
for party in $parties; do
    chmod 644 "${files[at]}"
    ok "$party: wrong permissions" finds "$party" permissions "${files[at]}"
    ok "$party: and how to mend them" grep -q "chmod 600 '${files[at]}'" "$tmp/findings"
    chmod 600 "${files[at]}"
    at=$((at + 1))
done

# The root that all of them have been given becomes another's.
printf 'another authority' >"$tmp/passphrase"
chmod 600 "$tmp/passphrase"
"$bin/setpay-ca" --dir "$tmp/other" --passphrase-file "$tmp/passphrase" init --name other >"$tmp/init" 2>&1
cp -p "$sandbox/ca/root.pem" "$tmp/root.pem"
cat "$tmp/other/root.pem" >"$sandbox/ca/root.pem"
for party in $parties; do ok "$party: wrong root" finds "$party" root "wrong root"; done
cat "$tmp/root.pem" >"$sandbox/ca/root.pem"

# Ten minutes: more than rule A5 forgives.
for party in $parties; do move_clock "$party" 600000; done
for party in $parties; do ok "$party: clock off" finds "$party" clock "clock off.*(9|10) minutes ahead"; done
for party in $parties; do move_clock "$party" 0; done
move_clock gateway 600000
ok "merchant: its gateway's clock off" wait_for 10 finds merchant clock "clock off.*(9|10) minutes behind that of the gateway"
move_clock gateway 0
all_content " with permissions, root and clock mended"

# A day and an hour: the issuing CAs' lists live a day. The authority would make new ones.
for party in wallet merchant gateway; do move_clock "$party" 90000000; done
for party in wallet merchant gateway; do
    ok "$party: stale revocation lists" finds "$party" crls "stale: .*visa.mca.* due .* ago"
done
# 399 days: longer than servers' and merchants' certificates live.
for party in merchant gateway; do
    move_clock "$party" 34473600000
    ok "$party: expired certificates" finds "$party" certificates "$sandbox/$party/visa/tls-.*has expired"
done
for party in wallet merchant gateway; do move_clock "$party" 0; done

# ------------------------------------------------------------------ backups
tells() { # PARTY LEVEL WORDS: of its backup
    doctor "$1"
    jq -e --arg level "$2" --arg words "$3" '[.checks[] | select(.name == "backup")] | length == 1 and
        (.[0] | .level == $level and .ok == ($level != "fail") and (.words | test($words)) and
            ($level == "ok" or (.what_to_do | test("setpay-[a-z]+ backup FILE"))))' "$tmp/findings"
}
for party in $parties; do ok "$party: a new database without a backup is no fault" tells "$party" ok "no backup was ever made"; done
for party in wallet merchant gateway; do
    move_clock "$party" 259200000
    ok "$party: one of three days is" tells "$party" warn "no backup was ever made of the database, which is 3 days old"
    move_clock "$party" 0
done
ok "a backup" "$bin/setpay-gateway" --config "$sandbox/gateway.conf" backup "$tmp/gateway.backup"
ok "gateway: it is told, with its age" tells gateway ok "the newest backup was made at 2[-0-9T:.]+Z, [0-9]+ (seconds?|minutes?) ago"
move_clock gateway 259200000
ok "gateway: one that is too old" tells gateway warn "the newest backup was made at .*, 3 days ago"
move_clock gateway 0

# ------------------------------------------------------------------ peers
kill "$(pid_of issuer)" && wait_gone "$(pid_of issuer)"
ok "gateway: its issuer is down" finds gateway peers "peer down: the issuer sim at .*refused"
kill -STOP "$(pid_of gateway)"
ok "merchant: its gateway does not answer" finds merchant peers "peer down: the gateway .*no answer in time"
kill -CONT "$(pid_of gateway)"
kill -STOP "$(pid_of ca)"
ok "wallet: the authority does not answer" finds wallet peers "peer down: the authority at .*no answer in time"
stopped=yes
ok "ca: setpay-cad does not answer" finds ca peers "peer down: setpay-cad at .*no answer in time"
stopped=
kill -CONT "$(pid_of ca)"
ok "all are back" up
all_content " with lists, certificates and peers mended"

# ------------------------------------------------------------------ while they are stopped
down >/dev/null
stopped=yes
ls -lR --time-style=full-iso "$sandbox/db" "$sandbox/merchant" "$sandbox/gateway" "$sandbox/run" >"$tmp/before"
ok "merchant: that it does not run, and how it is started" finds merchant daemon "setpay-merchantd is not running"
ok "wallet: the same without its configuration" bash -c "'$bin/setpay-wallet' --socket '$sandbox/run/wallet.sock' doctor |
    grep -q 'doctor --config FILE'"
ok "gateway: its backup, where it is stopped" tells gateway ok "the newest backup was made at"
ok "ca: that it has none, where it is stopped" tells ca ok "no backup was ever made"
ok "ca: a folder alone needs no daemon" "$bin/setpay-ca" --dir "$sandbox/ca" doctor

# Whom they would ask is stopped too; only the authority is started, for its clock.
setsid --fork "$bin/setpay-cad" --config "$sandbox/ca.conf" </dev/null >>"$sandbox/log/ca.out" 2>&1
answers() { curl -sS -o /dev/null "http://127.0.0.1:$ca_admin/healthz"; }
ok "the authority alone" wait_for 10 answers
cad=$(control "$sandbox/ca/cad.sock" '{"id":1,"command":"status"}' | jq .result.pid)
cleanup() { kill "$cad" 2>/dev/null; down >/dev/null 2>&1; umount "$tmp/small" 2>/dev/null; }
if command -v faketime >/dev/null; then
    for lens in "faketime -f -2d" "faketime -f +2d"; do
        for party in wallet merchant gateway; do
            ok "$party: clock off, ${lens##* }" finds "$party" clock "clock off: this computer's clock is .*(behind|ahead)"
        done
    done
    ok "ca: clock off, -2d" eval 'lens="faketime -f -2d"; finds ca clock "clock off"'
fi
lens=
kill "$cad"
wait_gone "$cad"
if command -v faketime >/dev/null; then
    lens="faketime -f +25h"
    ok "ca: stale revocation lists" finds ca crls "visa.mca.crl: .*stale"
    lens="faketime -f +399d"
    ok "ca: an expired certificate" finds ca certificates "ca-tls-server.*has expired"
    lens="faketime -f +3000d"
    ok "wallet: expired certificates" finds wallet certificates "the certificate of the card '.*has expired"
    lens=
else
    for what in "ca: stale revocation lists" "ca: an expired certificate" "wallet: expired certificates"; do
        skip "$what" "faketime is not installed"
    done
fi

for pair in wallet:$wallet_admin merchant:$merchant_port gateway:$gateway_port ca:$ca_port; do
    party=${pair%:*}
    socat "TCP-LISTEN:${pair#*:},bind=127.0.0.1,reuseaddr" /dev/null &
    taker=$!
    taken() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
    held() { grep -qi ":$(printf %04x "${pair#*:}") 00000000:0000 0A" /proc/net/tcp; }
    ok "a process takes the port of $party" wait_for 5 held
    ok "$party: port taken, and by whom" finds "$party" ports "port taken: 127.0.0.1:${pair#*:} .*$taker \(socat\)"
    kill "$taker"
    wait "$taker" 2>/dev/null
done

# ------------------------------------------------------------------ a full disk
small=$tmp/small
mkdir "$small"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=96m,mode=700 tmpfs "$small" 2>"$tmp/mount"; then
    cp -a "$sandbox/db" "$sandbox/ca" "$small/"
    confs=$small/conf ca_folder=$small/ca
    mkdir "$confs"
    for party in $parties; do
        sed -e "s,$sandbox/db/,$small/db/,; s,$sandbox/log/,$small/,; s,$sandbox/ca\$,$small/ca,; s,$sandbox/ca/cad.sock,$small/ca/cad.sock," \
            "$sandbox/$party.conf" >"$confs/$party.conf"
    done
    ok "ca: content on a small disk" eval 'doctor ca; jq -e "all(.checks[]; .ok or .name == \"daemon\")" "$tmp/findings"'
    head -c 200M /dev/zero >"$small/filling" 2>/dev/null
    for party in $parties; do ok "$party: full disk" finds "$party" disk "the disk is full: 0 MB .*$small"; done
    rm "$small/filling"
    for party in $parties; do
        ok "$party: room again" eval 'doctor $party; jq -e "all(.checks[]; .ok or .name == \"daemon\" or .name == \"peers\")" "$tmp/findings"'
    done
    umount "$small"
    confs=$sandbox ca_folder=$sandbox/ca
else
    for party in $parties; do skip "$party: full disk" "a small disk needs root and mount(2): $(head -c 80 "$tmp/mount" 2>/dev/null)"; done
fi

# ------------------------------------------------------------------ a database that goes on elsewhere
mkdir "$tmp/moved"
cp -p "$sandbox/db/merchant.db" "$tmp/moved/"
sed "s,$sandbox/db/,$tmp/moved/,; s,^admin_socket = .*,admin_socket = $tmp/moved/admin.sock," "$sandbox/merchant.conf" >"$tmp/moved/merchant.conf"
ok "a merchant's final backup" "$bin/setpay-merchant" --config "$tmp/moved/merchant.conf" backup "$tmp/moved/final" --final
ok "merchant: out of service here" eval 'confs=$tmp/moved; finds merchant database "a final backup was made"'
confs=$sandbox

# ------------------------------------------------------------------ nothing was changed
ls -lR --time-style=full-iso "$sandbox/db" "$sandbox/merchant" "$sandbox/gateway" "$sandbox/run" >"$tmp/after"
ok "the doctor has changed no file of a stopped daemon" diff "$tmp/before" "$tmp/after"
sed "s/^listen = /listne = /" "$sandbox/gateway.conf" >"$tmp/wrong.conf"
ok "a configuration that is wrong: file, line and key" bash -c "! '$bin/setpay-gateway' --config '$tmp/wrong.conf' doctor |
    tee /dev/stderr | grep -q 'FAIL  configuration  $tmp/wrong.conf:[0-9]*: .*listne' || exit 0; exit 1"
{ sed '/^\[fees mastercard/,/^$/d' "$sandbox/gateway.conf"; printf '\n[fees visa.USD]\nmerchant = 1 %%\n'; } >"$sandbox/fees.conf"
free_of() { "$bin/setpay-gateway" --config "$sandbox/fees.conf" --json doctor >"$tmp/fees"
    jq -r '[.checks[] | select(.name == "configuration" and .level == "warn") | .about] | join(" ")' "$tmp/fees"; }
is "gateway: a brand without any fees is named" "$(free_of)" "fees mastercard.CURRENCY"
printf '\n[fees mastercard.EUR]\nmerchant = 1 %%\n' >>"$sandbox/fees.conf"
is "and a currency without" "$(free_of)" "fees mastercard.USD"
stopped=
ok "it comes up again" up
all_content " in the end"
done_testing
