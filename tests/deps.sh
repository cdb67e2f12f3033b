#!/bin/bash
# deps.sh build|test|lint|deb|deb-test|newcomer|coverage|valgrind...: installs what is missing on Debian
# to build, test, lint or package setpay, to make a Debian to try it in, to count the lines that tests
# run, or to look for leaks.
#
# Asks the package manager only when something is missing, so that a machine that has everything
# needs neither a network nor root. On other systems it says what is needed and lets the build go on.
set -euo pipefail

build=(gcc libc6-dev pkg-config protobuf-c-compiler libprotobuf-c-dev libssl-dev libevent-dev
    libsqlite3-dev libjansson-dev libcurl4-openssl-dev libinih-dev libarchive-dev libqrencode-dev libgmime-3.0-dev jq curl openssl
    sqlite3 procps util-linux ca-certificates tzdata)
test=(libcmocka-dev clang libclang-rt-14-dev faketime gdb libxml2-utils mandoc socat systemd chromium)
# Of packages that would start a service: unpacked, and not installed (tool.sh).
test_tools=(nginx promtool)
lint=(clang clang-tidy clang-format cppcheck)
deb=(dpkg-dev debhelper fakeroot lintian)
deb_test=(debootstrap systemd-container)
newcomer=(debootstrap util-linux git)
coverage=(gcovr)
valgrind=(valgrind libc6-dbg socat)

usage() {
    echo "usage: deps.sh build|test|lint|deb|deb-test|newcomer|coverage|valgrind..." >&2
    exit 2
}

[ $# -gt 0 ] || usage
wanted=()
tools=()
for set in "$@"; do
    case $set in
    build) wanted+=("${build[@]}") ;;
    test)
        wanted+=("${test[@]}")
        tools+=("${test_tools[@]}")
        # A machine may have a node of its own, from elsewhere and newer than Debian's, which brings npm.
        command -v node >/dev/null || wanted+=(nodejs)
        command -v npm >/dev/null || wanted+=(npm)
        ;;
    lint) wanted+=("${lint[@]}") ;;
    deb) wanted+=("${deb[@]}") ;;
    deb-test) wanted+=("${deb_test[@]}") ;;
    newcomer) wanted+=("${newcomer[@]}") ;;
    coverage) wanted+=("${coverage[@]}") ;;
    valgrind) wanted+=("${valgrind[@]}") ;;
    *) usage ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps.sh: this is not Debian; what its packages hold is needed: ${wanted[*]} ${tools[*]}" >&2
    exit 0
fi

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in $(printf '%s\n' "${wanted[@]}" | sort -u); do
    installed "$package" || missing+=("$package")
done
fetch_tools() { [ ${#tools[@]} -eq 0 ] || "$(dirname "$0")/tool.sh" fetch "${tools[@]}"; }
[ ${#missing[@]} -gt 0 ] || {
    fetch_tools
    exit
}

if [ "$(id -u)" -eq 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null; then
    as_root=(sudo env)
else
    {
        echo "deps.sh: missing: ${missing[*]}"
        echo "deps.sh: you are not root and there is no sudo; have root run:"
        echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    } >&2
    exit 1
fi

echo "installing ${missing[*]}"
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
# What it says at length is of interest only when it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! "${apt[@]}" update >"$log" 2>&1 ||
    ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1; then
    cat "$log" >&2
    echo "deps.sh: apt-get failed (above); needed and missing: ${missing[*]}" >&2
    exit 1
fi
fetch_tools
