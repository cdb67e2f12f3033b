#!/bin/bash
# package.sh: the packages of `make deb` in a Debian of their own, booted with its systemd: nothing
# starts by itself; the how-to page leads from installation to a purchase; the services are confined
# as their units say, reload, and survive an upgrade; removal and purge leave what the page says.
# Needs root, debootstrap, systemd-nspawn and a network; some minutes. Prints TAP.
# BUILD: the build folder.  BASE: a root made by debootstrap before (default: one in BUILD, kept).
# The other half, tests/package-inside.sh, runs in that Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BUILD:=build}" "${MIRROR:=http://deb.debian.org/debian}"
debs=$BUILD/deb
root=$debs/root
base=${BASE:-$debs/base}

if [ "$(id -u)" -ne 0 ]; then
    echo "1..0 # skip needs root"
    exit 0
fi
for tool in debootstrap systemd-nspawn; do
    command -v "$tool" >/dev/null || { echo "package.sh: $tool is missing: tests/deps.sh deb-test" >&2; exit 1; }
done
compgen -G "$debs/*.deb" >/dev/null || { echo "package.sh: there are no packages in $debs: make deb" >&2; exit 1; }

nspawn() { # [OPTION...]: in $root, with the network of this machine
    systemd-nspawn -q -D "$root" --register=no --keep-unit --resolv-conf=copy-host \
        --capability=CAP_IPC_LOCK "$@"
}
# Where /run is a disk, systemd-nspawn refuses to work in it.
[ "$(stat -f -c %T /run)" = tmpfs ] || [ -n "${SETPAY_UNSHARED:-}" ] ||
    SETPAY_UNSHARED=1 exec unshare -m sh -c \
        'mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn && exec "$0" "$@"' "$0" "$@"

[ -f "$base/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$base" "$MIRROR" >"$debs/debootstrap.log"
rm -rf "$root"
cp -a --reflink=auto "$base" "$root"
nspawn sh -c 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    systemd systemd-sysv dbus libpam-systemd curl jq openssl ca-certificates sqlite3' </dev/null >"$debs/root.log" 2>&1 || {
    tail -n 20 "$debs/root.log" >&2
    exit 1
}
mkdir "$root/test"
find "$debs" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' -exec cp {} "$root/test/" \;
cp tests/package-inside.sh docs/how-to/install.md "$root/test/"
cat >"$root/etc/systemd/system/package-test.service" <<'UNIT'
[Unit]
After=multi-user.target systemd-user-sessions.service
[Service]
Type=oneshot
WorkingDirectory=/test
Environment=DEBIAN_FRONTEND=noninteractive HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/bash -c 'bash /test/package-inside.sh >/test/result 2>/test/errors'
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../package-test.service "$root/etc/systemd/system/multi-user.target.wants/package-test.service"
timeout "${TIMEOUT:-600}" systemd-nspawn -q -D "$root" --register=no --keep-unit --resolv-conf=copy-host \
    --capability=CAP_IPC_LOCK --boot --console=pipe </dev/null >"$debs/boot.log" 2>&1 || true
cat "$root/test/result" 2>/dev/null || echo "not ok 1 - the Debian boots and runs the test: see $debs/boot.log"
grep -q '^1\.\.' "$root/test/result" || { sed 's/^/# /' "$root/test/errors" 2>/dev/null; exit 1; }
! grep -q '^not ok' "$root/test/result"
