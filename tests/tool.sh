#!/bin/bash
# tool.sh find PROGRAM      prints where it is: the machine's own, or the one that was fetched
# tool.sh fetch PROGRAM...  brings those that the machine lacks out of Debian's packages
#
# For programs whose packages would start a service when installed (nginx on port 80, prometheus on 9090):
# the package is unpacked into build/tools, and not installed. Fetching needs a network, and root only where
# the lists of packages are too old or not there; deps.sh does it, so that tests need neither.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/build/tools

usage() {
    echo "usage: tool.sh find PROGRAM | fetch PROGRAM... (nginx, promtool)" >&2
    exit 2
}
# Sets package, and where the program is in it.
know() {
    case $1 in
    nginx) package=nginx inside=usr/sbin/nginx ;;
    promtool) package=prometheus inside=usr/bin/promtool ;;
    *) usage ;;
    esac
}

find_one() { # PROGRAM
    local candidate
    know "$1"
    for candidate in "$(command -v "$1" || true)" "/$inside" "$folder/$1"; do
        [ -n "$candidate" ] && [ -x "$candidate" ] || continue
        realpath "$candidate"
        return 0
    done
    return 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "tool.sh: you are not root and there is no sudo; have root run: $*" >&2
        return 1
    fi
}

fetch_one() { # PROGRAM
    local room log
    know "$1"
    command -v apt-get >/dev/null || {
        echo "tool.sh: this is not Debian: install $1" >&2
        return 1
    }
    echo "fetching $1 (Debian's package $package, unpacked into ${folder#"$PWD"/})"
    mkdir -p "$folder"
    room=$(mktemp -d "$folder/$1.XXXXXX")
    log=$room/log
    # The name is taken by a whole file alone.
    if (
        cd "$room"
        download() { apt-get -qq download "$package"; }
        { download || { as_root apt-get -qq update && download; }; } >"$log" 2>&1 </dev/null &&
            dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x "./$inside" && mv "$inside" "$folder/$1"
    ); then
        rm -rf "$room"
        return 0
    fi
    cat "$log" >&2
    rm -rf "$room"
    echo "tool.sh: $1 can't be fetched (above): install it, or give the machine a way to Debian's packages" >&2
    return 1
}

[ $# -ge 2 ] || usage
verb=$1
shift
case $verb in
find)
    [ $# -eq 1 ] || usage
    find_one "$1" || {
        echo "tool.sh: there is no $1: tests/deps.sh test brings it" >&2
        exit 1
    }
    ;;
fetch)
    for program in "$@"; do
        find_one "$program" >/dev/null || fetch_one "$program"
    done
    ;;
*) usage ;;
esac
