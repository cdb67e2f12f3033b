#!/bin/bash
# newcomer.sh: the README and nothing else, in a Debian that holds git, make and ca-certificates: clone,
# `make demo`, the tutorial, the first sale of the ten-line store, a backup that is restored. What the
# pages say is done there as it stands (tests/integration/docs.sh), with what `make demo` has installed
# and built; what is cloned is what is committed here.
# Needs root, debootstrap, git and a network; ten minutes, most of them compiling. Prints TAP.
# BUILD: the build folder.  BASE: a root made by debootstrap before (default: one in BUILD, kept).
# JOBS: of make, there.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BUILD:=build}" "${MIRROR:=http://deb.debian.org/debian}" "${JOBS:=$(nproc)}"
base=${BASE:-$BUILD/deb/base}
work=$BUILD/newcomer
root=$work/root
pages='docs/tutorial.md docs/how-to/sell-from-your-own-store.md docs/how-to/move-to-another-machine.md'

if [ "$(id -u)" -ne 0 ]; then
    echo "1..0 # skip needs root"
    exit 0
fi
for tool in debootstrap unshare chroot git; do
    command -v "$tool" >/dev/null || { echo "newcomer.sh: $tool is missing: tests/deps.sh newcomer" >&2; exit 1; }
done

# A line of TAP for what a program says it has done; where it has not, the end of its log.
number=0 failures=0
did() { # NAME LOG COMMAND...
    local name=$1 log=$work/$2.log
    shift 2
    number=$((number + 1))
    if "$@" >"$log" 2>&1 </dev/null; then
        echo "ok $number - $name"
        return
    fi
    failures=$((failures + 1))
    echo "not ok $number - $name"
    echo "# the end of $log:"
    tail -n 30 "$log" | sed 's/^/# /'
    false
}
finish() {
    echo "1..$number"
    [ "$failures" -eq 0 ]
    exit
}

# Everything there ends with the shell that began it, and sees no process and no mount of this machine.
# shellcheck disable=SC2016 # expanded by the inner shell
inside() { # FOLDER COMMAND
    unshare --mount --pid --fork --kill-child sh -c '
        mount --make-rprivate / && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
        exec chroot "$1" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin JOBS="$2" \
            DEBIAN_FRONTEND=noninteractive sh -c "cd \"\$1\" && $4" sh "$3"' sh "$root" "$JOBS" "$1" "$2"
}

mkdir -p "$work" "$(dirname "$base")"
[ -f "$base/etc/debian_version" ] ||
    did "a Debian is made" debootstrap debootstrap --variant=minbase bookworm "$base" "$MIRROR" || finish
rm -rf "$root"
cp -a --reflink=auto "$base" "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
did "it has git, make and ca-certificates" install inside / \
    'apt-get -qq update && apt-get -qq install -y --no-install-recommends git make ca-certificates' || finish
git clone -q --bare --no-local --single-branch . "$root/srv/setpay.git"
did "the project is cloned" clone inside /root 'git clone -q /srv/setpay.git setpay' || finish
did "make demo" demo inside /root/setpay 'make demo' || finish
did "which ends with a purchase, settled" demo-says grep -q '^From the first daemon to here: ' "$work/demo.log" || finish
did "the pages: tutorial, the store of ten lines, backup and restore" pages inside /root/setpay \
    "ONLY='$pages' tests/integration/docs.sh" || true
grep -E '^(not )?ok ' "$work/pages.log" | sed 's/^/# /'
for words in 'the wallet stores what was bought' 'and has sold, with the money taken' 'what was backed up is there again'; do
    did "$words" pages-say grep -qE "^ok [0-9]+ - $words\$" "$work/pages.log" || true
done
rm -rf "$root"
finish
