#!/bin/bash
# package-inside.sh: the part of tests/package.sh that runs as root in the Debian of the test, where
# systemd is process 1. The packages and the how-to page are in the current folder. Prints TAP.
set -uo pipefail
n=0
ok() { # NAME COMMAND...
    local name=$1
    shift
    n=$((n + 1))
    if "$@" >out 2>&1; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        tail -n 30 out | sed 's/^/# /'
    fi
}
is() { ok "$1" test "$2" = "$3" || true; [ "$2" = "$3" ] || printf '# got:      %s\n# expected: %s\n' "$2" "$3"; }
wait_for() { # SECONDS COMMAND...
    local deadline=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}
# The page's blocks below one heading, as a script.
section() {
    awk -v heading="## $1" '
        /^## / { inside = $0 == heading }
        inside && /^```sh$/ { code = 1; next }
        /^```/ { code = 0 }
        inside && code' install.md
}
files() { find /etc /usr /var/lib /var/log /lib /run/setpay* -xdev 2>/dev/null |
    grep -vE '^/var/lib/(apt|dpkg|systemd)|^/var/log/(apt|dpkg|journal|alternatives)|^/usr/share/info|^/etc/(passwd|group|g?shadow|subuid|subgid|resolv|\.pwd|mtab|ld\.so\.cache)|/setpay-users' |
    LC_ALL=C sort; }
daemons='setpay-cad setpay-gatewayd setpay-merchantd'
packages='setpay-common setpay-ca setpay-gateway setpay-merchant setpay-wallet setpay-sandbox'

# What the packages need, first: their files are not what is looked at.
needs=$(for package in ./setpay-*.deb; do dpkg-deb -f "$package" Depends; done | tr ',' '\n' |
    sed -E 's/[(|].*//; s/ //g' | grep -v '^setpay' | sort -u)
# shellcheck disable=SC2086 # words
{ apt-get -qq update && apt-get -qq install -y --no-install-recommends $needs; } >out 2>&1 || cat out >&2
useradd -m shopper
files >before

# ------------------------------------------------------------------ never configured
ok 'the packages install' apt-get -qq install -y ./setpay-*.deb
for daemon in $daemons; do
    is "$daemon is not running" "$(systemctl is-active "$daemon")" inactive
    is "$daemon is not enabled" "$(systemctl is-enabled "$daemon")" disabled
done
is 'secrets and data belong to the daemon alone' \
    "$(stat -c '%a %U' /etc/setpay/gateway /var/lib/setpay-gateway /etc/setpay/merchant /var/lib/setpay-merchant /etc/setpay/ca /var/lib/setpay-ca | tr '\n' ' ')" \
    '700 setpay-gateway 700 setpay-gateway 700 setpay-merchant 700 setpay-merchant 700 setpay-ca 700 setpay-ca '
for daemon in $daemons; do
    ok "$daemon does not start unconfigured" bash -c "! systemctl start $daemon"
    is "$daemon is not tried again" "$(systemctl show -p NRestarts --value "$daemon")" 0
    ok "$daemon says which key is missing" bash -c "journalctl -q -u $daemon | grep -q 'setpay/.*.conf: key .*: found nothing, expected'"
done
systemctl reset-failed 2>/dev/null
# shellcheck disable=SC2086
ok 'purged, they leave nothing behind' dpkg --purge $packages
files >after
is 'nothing at all' "$(diff before after)" ''

# ------------------------------------------------------------------ the how-to page
ok 'Install the programs' bash -c "set -e; $(section 'Install the programs')"
head=$(section 'Install the programs' | sed -n '/^as()/,$p')
for heading in 'The authority' 'The gateway' 'The merchant'; do
    head="$head
$(section 'The authority' | grep '^ca()')"
    ok "$heading" bash -c "set -euo pipefail; $head
$(section "$heading")"
done
for daemon in $daemons; do
    is "$daemon runs" "$(systemctl is-active "$daemon")" active
    is "$daemon has told that it serves" "$(systemctl show -p StatusText --value "$daemon")" serving
done
cp /var/lib/setpay-ca/ca/root.pem /usr/local/share/setpay-root.pem
loginctl enable-linger shopper
uid=$(id -u shopper)
wait_for 20 test -S "/run/user/$uid/bus"
shopper() { runuser -u shopper -- env HOME=/home/shopper XDG_RUNTIME_DIR="/run/user/$uid" "$@"; }
ok 'The wallet' shopper bash -c "cd; set -euo pipefail; $(section 'The wallet')"

# ------------------------------------------------------------------ a purchase
wallet() { shopper setpay-wallet "$@"; }
ca() { runuser -u setpay-ca -- setpay-ca --dir /var/lib/setpay-ca/ca --passphrase-file /etc/setpay/ca/ca.passphrase "$@"; }
openssl rand -base64 24 >/home/shopper/passphrase
chown shopper /home/shopper/passphrase && chmod 600 /home/shopper/passphrase
ok 'the wallet gets its keys' wallet init --passphrase-file /home/shopper/passphrase
enrol() {
    local letter
    letter=$(printf '4242424242424242\n3012\n' | ca enrolment make --brand visa --card-key /etc/setpay/ca/cards.key -o /var/lib/setpay-ca/enrolments) &&
        ca enrolment import /var/lib/setpay-ca/enrolments &&
        printf '%s\n4242424242424242\n3012\n' "$(awk '$1 == "secret" { print $2 }' <<<"$letter")" |
        wallet card enrol --url https://localhost:7443 --brand visa --label card --id "$(awk '$1 == "enrolment" { print $2 }' <<<"$letter")"
}
ok 'a card is enrolled' enrol
token=$(runuser -u setpay-merchant -- setpay-merchant --config /etc/setpay/merchant.conf --json token add --name test | jq -r .token)
purchase() { # KEY
    local uri
    uri=$(curl -sS --fail-with-body http://127.0.0.1:7080/api/v1/orders -H "Authorization: Bearer $token" \
        -H "Idempotency-Key: $1" -H 'Content-Type: application/json' \
        -d '{"description": "A teapot", "amount": 4990, "currency": "EUR"}' | jq -er .pay_uri) &&
        wallet --json pay "$uri" --yes | tee /dev/stderr | jq -e '.status == "authorised"'
}
ok 'and pays' purchase one

# ------------------------------------------------------------------ as the units say
for daemon in $daemons; do
    pid=$(systemctl show -p MainPID --value "$daemon")
    is "$daemon has no capability, no new privileges and a filter of system calls" \
        "$(awk '/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ { printf "%s ", $2 }' "/proc/$pid/status")" \
        '0000000000000000 0000000000000000 1 2 '
    is "$daemon leaves no core" "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$pid/limits")" '0 0'
    ok "$daemon is confined to systemd-analyze's 1.5" bash -c \
        "systemd-analyze security $daemon --threshold=15 --no-pager"
    ok "$daemon: systemd-analyze verify has nothing to say" bash -c \
        "! systemd-analyze verify --man=no $daemon.service 2>&1 | grep $daemon"
    is "$daemon has warned of nothing" "$(journalctl -q -u "$daemon" | grep -E 'level=(warn|error) event=(secret|store|daemon)')" ''
    ok "$daemon has its watchdog" test "$(systemctl show -p WatchdogUSec --value "$daemon")" = 1min
done

# ------------------------------------------------------------------ reload, upgrade
pid=$(systemctl show -p MainPID --value setpay-gatewayd)
ok 'a reload' systemctl reload setpay-gatewayd
sed -i 's/^listen = /lisssten = /' /etc/setpay/gateway.conf
ok 'a reload of a wrong configuration fails' bash -c '! systemctl reload setpay-gatewayd'
sed -i 's/^lisssten = /listen = /' /etc/setpay/gateway.conf
is 'and the daemon goes on' "$(systemctl show -p MainPID --value setpay-gatewayd)" "$pid"
kill -KILL "$pid"
ok 'a daemon that dies is started again' wait_for 20 bash -c '[ "$(systemctl is-active setpay-gatewayd)" = active ]'
hang=$(systemctl show -p MainPID --value setpay-merchantd)
mkdir -p /run/systemd/system/setpay-merchantd.service.d
printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/setpay-merchantd.service.d/watchdog.conf
systemctl daemon-reload && systemctl restart setpay-merchantd
hang=$(systemctl show -p MainPID --value setpay-merchantd)
kill -STOP "$hang"
ok 'a daemon that hangs is started again' wait_for 60 bash -c \
    "[ \"\$(systemctl show -p MainPID --value setpay-merchantd)\" != $hang ] && [ \"\$(systemctl is-active setpay-merchantd)\" = active ]"
rm -r /run/systemd/system/setpay-merchantd.service.d
systemctl daemon-reload && systemctl restart setpay-merchantd
sha256sum /etc/setpay/*.conf >configured
ok 'an upgrade' apt-get -qq install -y --reinstall ./setpay-*.deb
ok 'keeps the configurations' sha256sum -c configured
for daemon in $daemons; do
    is "$daemon runs after it" "$(systemctl is-active "$daemon")" active
done
ok 'is ready' curl -s --retry 20 --retry-delay 1 --retry-all-errors --fail http://127.0.0.1:7081/readyz
ok 'and takes a purchase' purchase two

# ------------------------------------------------------------------ remove, purge
# shellcheck disable=SC2086
ok 'removal' bash -c "apt-get -qq remove -y $packages"
for daemon in $daemons; do
    is "$daemon is stopped" "$(pgrep -x "${daemon:0:15}")" ''
done
ok 'keeps configurations and data' test -s /etc/setpay/gateway.conf -a -s /var/lib/setpay-gateway/gateway.db
# shellcheck disable=SC2086
ok 'purge' bash -c "dpkg --purge $packages 2>&1 | tee purged"
ok 'says what it keeps' grep -q '/var/lib/setpay-gateway holds keys or records and is kept' purged
systemctl stop setpay-issuersim 2>/dev/null
is 'keeps keys and records, and the secrets without which they are noise' \
    "$(ls -d /etc/setpay/* /var/lib/setpay-* | grep -v issuer | tr '\n' ' ')" \
    '/etc/setpay/ca /etc/setpay/gateway /etc/setpay/merchant /var/lib/setpay-ca /var/lib/setpay-gateway /var/lib/setpay-merchant '
# And what the page had the reader make.
rm -rf /etc/setpay /var/lib/setpay-* /var/lib/private/setpay-issuer /usr/local/share/setpay-root.pem /home/shopper/.config /etc/systemd/system/*.wants/setpay*
files >after
is 'and nothing else' "$(diff before after)" ''
echo "1..$n"
