#!/bin/bash
# nginx.sh FOLDER: prints where an nginx to measure beside is: the machine's own, or else the one of Debian's
# package, unpacked below FOLDER. It is not installed, since that would start a web server on port 80.
set -euo pipefail
folder=${1:?usage: nginx.sh FOLDER}

for candidate in "$(command -v nginx || true)" /usr/sbin/nginx "$folder/usr/sbin/nginx"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
        realpath "$candidate"
        exit 0
    fi
done

command -v apt-get >/dev/null || {
    echo "nginx.sh: there is no nginx, and no apt-get to bring one: install it" >&2
    exit 1
}
mkdir -p "$folder"
cd "$folder"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fetch() { apt-get -qq download nginx >"$log" 2>&1; }
refresh() {
    if [ "$(id -u)" -eq 0 ]; then apt-get -qq update; else sudo -n apt-get -qq update; fi >>"$log" 2>&1
}
fetch || { refresh && fetch; } || {
    cat "$log" >&2
    echo "nginx.sh: nginx can't be fetched (above): install it, or give the machine a way to Debian's packages" >&2
    exit 1
}
dpkg -x nginx_*.deb .
rm -f nginx_*.deb
realpath usr/sbin/nginx
