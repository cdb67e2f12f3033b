#!/bin/bash
# shellcheck disable=SC2154
# units.sh: what `make install` puts beside the programs fits together: systemd takes the units, they
# confine as much as they say, name programs, users and folders that exist; the example
# configurations have only keys that the daemons know, and start nothing before they are filled in.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/tap.bash
. tests/support/tap.bash
root=$tmp/root
etc=$root/etc/setpay
units=$root/usr/lib/systemd

install_all() { env -u MAKEFLAGS -u MAKELEVEL make -s --no-print-directory install BUILD="$build" DESTDIR="$root" PREFIX=/usr; }
ok 'make install' install_all
for party in ca merchant gateway; do
    daemon=setpay-${party}d
    unit=$units/system/$daemon.service
    is "$daemon: the program is where its unit says" \
        "$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' "$unit" | while read -r program; do [ -x "$root$program" ] && "$root$program" --version; done)" \
        "$("$bin/$daemon" --version)"
    is "$daemon: so is the configuration" "$(sed -n 's/^ExecStart=.*--config //p' "$unit")" "/etc/setpay/$party.conf"
    user=$(sed -n 's/^User=//p' "$unit")
    ok "$daemon: its user is made" grep -q "^u $user " "$root/usr/lib/sysusers.d/setpay-$party.conf"
    ok "$daemon: and its folders, for it alone" bash -c "[ \"\$(grep -c '^d /[a-z/]*setpay[-/]$party 0700 $user $user\$' '$root/usr/lib/tmpfiles.d/setpay-$party.conf')\" = 2 ]"
    stop=$(sed -n 's/^TimeoutStopSec=\([0-9]*\)s/\1/p' "$unit")
    drain=$("$bin/$daemon" --help | sed -n '/drain_timeout/,/default/s/.*default[: ]*\([0-9]*\)s.*/\1/p' | head -n 1)
    ok "$daemon: systemd waits longer than it drains" test "${stop:-0}" -gt $((${drain:-30} + 10))
    # systemd gives up on what has died five times within ten seconds, and never tries again, unless told.
    is "$daemon: it is started again, however often it has died" \
        "$(sed -n '/^\[Unit\]/,/^\[Service\]/s/^StartLimitIntervalSec=//p' "$unit") $(sed -n 's/^RestartSec=//p' "$unit")" '0 5s'
    # Unconfigured: the first missing key, by file and name, exit status 2.
    "$bin/$daemon" --config "$etc/$party.conf" >"$tmp/said" 2>&1
    is "$daemon: unconfigured, it does not start" $? 2
    ok "$daemon: and says which key it needs" grep -q "$etc/$party.conf: key \"[a-z_]*\": found nothing, expected" "$tmp/said"
    # With every example taken for true, only files are missing: each key and section is known.
    sed -E 's/^#([a-z_]+ = |\[)/\1/' "$etc/$party.conf" >"$tmp/$party.conf"
    "$bin/$daemon" --config "$tmp/$party.conf" --check-config >"$tmp/said" 2>&1
    ok "$daemon: every key of the example is known" grep -qE 'well-formed$|: key "[a-z_]*".*: (/etc|/var/lib)/setpay[^:]*: No such file' "$tmp/said"
done
for key in $("$bin/setpay-merchantd" --help | grep -oE '^ *--(shop|owner)_[a-z_]+' | tr -d ' -'); do
    ok "the merchant's example shows $key" grep -q "^#$key = " "$etc/merchant.conf"
done
is 'the configurations of an operator are left alone' "$(echo kept >"$etc/ca.conf"; install_all >/dev/null; cat "$etc/ca.conf")" kept
"$bin/setpay-walletd" --config "$root/usr/share/doc/setpay/examples/wallet.conf" --check-config --socket s --admin_socket a >"$tmp/said" 2>&1
ok 'the wallet'\''s example needs only the root' grep -q 'key "root".*No such file' "$tmp/said"

# Elsewhere than below /usr and /etc: what names files names them there.
other=$tmp/other
install_other() {
    env -u MAKEFLAGS -u MAKELEVEL make -s --no-print-directory install BUILD="$build" DESTDIR="$other" PREFIX=/opt/pay SYSCONFDIR=/opt/conf
}
ok 'make install with a PREFIX and a SYSCONFDIR of its own' install_other
elsewhere=$(find "$other" -type f \( -name '*.service' -o -name '*.conf' \) -exec grep -HE '/etc/setpay|/usr/bin/setpay' {} +)
is 'no unit, folder or configuration names a place where nothing was put' "$elsewhere" ''
ok 'the rules of alerts are where their page says' test -f "$other/opt/pay/share/doc/setpay/monitoring/setpay.rules.yml"
for party in ca merchant gateway; do
    read -r program _ config <<<"$(sed -n 's/^ExecStart=//p' "$other/opt/pay/lib/systemd/system/setpay-${party}d.service")"
    ok "setpay-${party}d: what its unit starts is there" test -x "$other$program"
    ok "setpay-${party}d: and its configuration, at $config" test -f "$other$config"
    ok "setpay-${party}d: and the folder for its secrets is made beside that" \
        grep -q "^d ${config%.conf} 0700 " "$other/opt/pay/lib/tmpfiles.d/setpay-$party.conf"
done

# What is installed is in one of Debian's packages, under the folders that theirs have.
unpacked=$(find "$root" -type f -printf '%P\n' | sed -e 's|^usr/lib/systemd/system|lib/systemd/system|' \
    -e 's|^usr/share/doc/setpay/examples|usr/share/doc/setpay-wallet/examples|' \
    -e 's|^usr/share/doc/setpay/|usr/share/doc/setpay-common/|' | while read -r file; do
    count=0
    while read -r part; do
        [[ $file != "$part" && $file != "$part"/* ]] || count=$((count + 1))
    done < <(cat common/packaging/debian/*.install)
    [ "$count" -eq 1 ] || echo "$file is in $count packages (common/packaging/debian)"
done)
is 'each file that is installed is in one package' "$unpacked" ''

check() { # NAME COMMAND...: where systemd is installed
    if command -v systemd-analyze >/dev/null; then
        ok "$@"
    else
        lacks "$1" systemd-analyze
    fi
}
# In a place where the programs are found: the check follows ExecStart.
mkdir "$tmp/units"
for unit in "$units"/system/*.service "$units"/user/*.service; do
    sed "s|/usr/bin/setpay|$root/usr/bin/setpay|" "$unit" >"$tmp/units/${unit##*/}"
done
takes() {
    local said
    said=$(systemd-analyze verify --man=no --recursive-errors=no "$1" 2>&1 | grep -F "${1##*/}")
    [ -z "$said" ] || { echo "$said"; return 1; }
}
# The example of a timer for backups, as its page has it.
mkdir "$tmp/example"
awk -v folder="$tmp/example" '/^```/ { inside = $0 == "```ini"; name = ""; next }
    inside && sub(/^# \/etc\/systemd\/system\//, "") { name = folder "/" $0; next }
    inside && name != "" { print >name }' docs/how-to/move-to-another-machine.md
is 'the page of backups has a timer and its service' "$(ls "$tmp/example" | tr '\n' ' ')" \
    'setpay-gateway-backup.service setpay-gateway-backup.timer '
for unit in "$tmp"/example/*; do
    check "systemd takes ${unit##*/}" takes "$unit"
done
for unit in "$tmp"/units/*.service; do
    check "systemd takes ${unit##*/}" takes "$unit"
    case $unit in *wallet*) continue ;; esac
    check "${unit##*/} is confined to 1.5 of 10" systemd-analyze security --offline=true --threshold=15 --no-pager "$unit"
done
done_testing
