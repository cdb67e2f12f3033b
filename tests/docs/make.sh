#!/bin/bash
# make.sh FOLDER: writes the generated pages of docs/ below FOLDER, from the programs and the code.
# BUILD: the build folder, whose programs are asked.  CC: the compiler whose preprocessor is used.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."
: "${BUILD:=build}" "${CC:=cc}"
out=${1:?usage: make.sh FOLDER}
mkdir -p "$out/reference"

# Program and page of each configuration.
daemons="
setpay-gatewayd gateway The payment gateway
setpay-merchantd merchant The merchant
setpay-issuersim issuer The issuer simulator
setpay-walletd wallet The wallet
setpay-cad ca The certification authority
"

configuration() { # PROGRAM TITLE
    local table
    table=$("$BUILD/bin/$1" --print-reference)
    cat <<TEXT
# $2: configuration

Made by \`$1 --print-reference\`.

\`$1 --config FILE\` reads \`key = value\` lines; with \`--check-config\` it only
says what is wrong in them, and where, and which files that they name are missing or open to others.
Every key is a flag too, \`--KEY VALUE\`, which wins over the file; a key of a
section is \`--SECTION.KEY\`, one of a section that may stand several times \`--SECTION.NAME.KEY\`. Paths are relative
to the file's folder. Some keys are taken over on SIGHUP, without a restart.

$table
TEXT
}

metrics_of() { # FOLDER...: rows of all metrics defined there
    local file
    { grep -lE '^static struct setpay_metric ' -r "$@" --include='*.c' || true; } | LC_ALL=C sort |
        while read -r file; do
            # shellcheck disable=SC2046,SC2086 # flags are words
            $CC -E -P -std=c11 -D_GNU_SOURCE -DSETPAY_VERSION='"0"' -I. -I"$BUILD/gen" \
                $(pkg-config --cflags libcrypto libevent_core libprotobuf-c jansson) "$file" |
                awk -f tests/docs/metrics.awk
        done | LC_ALL=C sort
}

metrics() {
    local title folders rows
    cat <<'TEXT'
# Figures

Made from the code by `make reference`.

Every daemon with an `admin_address` serves `/metrics` there in Prometheus's text format. A label has only the values
that are listed: there is no way to put an identifier, a name or an amount into one. Histograms are of times, in
seconds.
TEXT
    while read -r title folders; do
        # shellcheck disable=SC2086 # folders are words
        rows=$(metrics_of $folders)
        [ -n "$rows" ] || continue
        printf '\n## %s\n\n| name | type | labels | meaning |\n| --- | --- | --- | --- |\n%s\n' \
            "${title//_/ }" "$rows"
        [ "$title" != Every_daemon ] ||
            cat <<'TEXT'
| `process_cpu_seconds_total` | counter | – | CPU time used, user and system. |
| `process_open_fds` | gauge | – | Open file descriptors. |
| `process_resident_memory_bytes` | gauge | – | Memory that is resident. |
TEXT
    done <<'TABLE'
Every_daemon common
Wallet cardholder
Merchant merchant
Gateway gateway/payment gateway/network gateway/gatewayd.c
Issuer_simulator gateway/issuer
Certification_authority ca
TABLE
}

# Paragraphs broken into lines, JSON laid out; tables as they are.
lay_out() {
    awk 'function through(program) { fflush(); print | program; close(program) }
        /^```/ { code = !code }
        code && /^{/ { through("jq ."); next }
        !code && !/^[|#]/ && length($0) > 120 { through("fold -s -w 120"); next }
        { print }' | sed 's/ *$//'
}

"$BUILD/tests/reference" errors >"$out/reference/errors.md"
"$BUILD/tests/reference" states >"$out/reference/states.md"
"$BUILD/tests/reference" messages >"$out/reference/messages.md"
metrics >"$out/reference/metrics.md"
jq -rf tests/docs/api.jq merchant/store/api/openapi.json | lay_out >"$out/reference/api.md"
tests/docs/conformance.sh >"$out/conformance.md"
while read -r program page title; do
    [ -n "$program" ] || continue
    configuration "$program" "$title" >"$out/reference/$page-configuration.md"
done <<<"$daemons"
