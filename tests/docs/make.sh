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

The column "On SIGHUP" is about the value of a key, which for a file is its path. Which files are read again then
(keys, certificates, revocation lists), though their path stays, is said under SIGNALS in \`$1\`(8).

$table
TEXT
}

metrics_of() { # PATH...: rows of all metrics defined there, but in the files of $skipped
    local file
    { grep -lE '^static struct setpay_metric ' -r "$@" --include='*.c' || true; } |
        { grep -vxF -f <(tr , '\n' <<<"$skipped") || true; } | LC_ALL=C sort |
        while read -r file; do
            # Of the file's own lines alone: those of its headers are a hundred times as many.
            # shellcheck disable=SC2046,SC2086 # flags are words
            $CC -E -std=c11 -D_GNU_SOURCE -DSETPAY_VERSION='"0"' -I. -I"$BUILD/gen" \
                $(pkg-config --cflags libcrypto libevent_core libprotobuf-c jansson) "$file" |
                awk -v own="\"$file\"" '/^# [0-9]+ "/ { is_own = $3 == own; next } is_own' |
                awk -f tests/docs/metrics.awk
        done | LC_ALL=C sort
}

metrics() {
    local title skip folders skipped rows
    cat <<'TEXT'
# Figures

Made from the code by `make reference`.

Every daemon with an `admin_address` serves `/metrics` there in Prometheus's text format. A label has only the values
that are listed: there is no way to put an identifier, a name or an amount into one. Histograms are of times, in
seconds.
TEXT
    while read -r title skip folders; do
        skipped=${skip#-}
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
| `process_secret_memory_bytes` | gauge | – | Locked memory that keys and card data take now. |
| `process_start_time_seconds` | gauge | – | When the process was started, in seconds since 1970. |
TEXT
    done <<'TABLE'
Every_daemon -common/net/upkeep.c,common/net/refusals.c,common/net/lists.c common
Merchant_and_gateway - common/net/upkeep.c common/net/refusals.c
Wallet,_merchant_and_gateway - common/net/lists.c
Wallet - cardholder
Merchant - merchant
Gateway - gateway/clearing gateway/payment gateway/network gateway/clearing_figures.c gateway/dispute_commands.c gateway/gatewayd.c
Issuer_simulator - gateway/issuer
Certification_authority - ca
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

# Rows of the events that the files of these folders log, with their meanings.
events_of() { # PATH...
    find "$@" -name '*.c' ! -path common/base/log.c ${skipped:+! -path "$skipped"} | LC_ALL=C sort |
        xargs awk -f tests/docs/log.awk | LC_ALL=C sort
}
with_meanings() {
    awk -F '\t' '
        NR == FNR { if (match($0, / = /)) meaning[substr($0, 1, RSTART - 1)] = substr($0, RSTART + 3); next }
        !($1 in meaning) { print "log-meanings.txt: the event " $1 " is logged and has no line" >"/dev/stderr"; failed = 1 }
        { count = split($3, names, ", "); fields = ""
          for (i = 1; i <= count; i++) {
              if (!(("field " names[i]) in meaning)) { print "log-meanings.txt: the field " names[i] " of " $1 " has no line" >"/dev/stderr"; failed = 1 }
              fields = fields (i > 1 ? ", " : "") "`" names[i] "`"
          }
          printf "| `%s` | %s | %s | %s |\n", $1, $2, fields, meaning[$1] }
        END { exit failed }' tests/docs/log-meanings.txt -
}
log_page() {
    local title skip folders skipped='' unused
    cat <<'TEXT'
# Log

Made from the code and `tests/docs/log-meanings.txt` by `make reference`.

Every daemon writes one line an event, to the file of `log` or, without one, to standard error, which is the journal
under systemd. With `log_format = logfmt`:

```text
ts=2026-11-23T18:41:11.042Z level=info event=auth.decided state=approved xid=8f… amount="12.50 EUR" brand=visa
```

and with `log_format = json` the same as an object:

```text
{"ts":"2026-11-23T18:41:11.042Z","level":"info","event":"auth.decided","state":"approved","xid":"8f…", …}
```

- `ts` (UTC), `level` and `event` come first, in every line. Of the fields below a line has those that apply.
- `log_level` is the least level that is written: debug, info, warn, error. *The error's* level stands in the table of
  [errors](errors.md).
- A value with a blank, a quote or anything that could end it stands in quotes, escaped as in JSON; a line never holds a
  second one, whatever a peer sent. A line has 8 KiB at most: what does not fit is left out as a whole field, and
  `truncated=1` says so.
- After a rotation, SIGHUP opens the file again.

**What can't be there**: card numbers, expiry dates, security codes, keys, passphrases, secrets of an enrolment. These
are kept in a type (`struct setpay_secret`) from which no field can be made: there is no function for it. In texts that
others have sent, digits that could be a card number are masked, whole or grouped. Goods, addresses and names of
shoppers are logged by nobody. [Privacy](../privacy.md) has who learns what; a test reads all logs after purchases with
marked numbers.
TEXT
    while read -r title skip folders; do
        skipped=${skip#-}
        # shellcheck disable=SC2086 # folders are words
        printf '\n## %s\n\n| event | level | fields | meaning |\n| --- | --- | --- | --- |\n' "${title//_/ }"
        # shellcheck disable=SC2086
        events_of $folders | with_meanings
    done <<'TABLE'
Every_daemon - common
Wallet - cardholder
Merchant - merchant
Gateway -gateway/issuer/* gateway
Certification_authority - ca
Issuer_simulator - gateway/issuer
TABLE
    printf '\n## Fields\n\n| field | meaning |\n| --- | --- |\n'
    sed -nE 's/^field ([a-z_]+) = (.*)$/| `\1` | \2 |/p' tests/docs/log-meanings.txt
    # A meaning of what nobody logs any more.
    events_of common cardholder merchant gateway ca >"$out/events"
    {
        cut -f 1 "$out/events"
        cut -f 3 "$out/events" | sed 's/, /\n/g' | sed 's/^/field /'
    } | LC_ALL=C sort -u >"$out/logged"
    unused=$(sed -nE 's/^(field [a-z_]+|[a-z_]+\.[a-z_0-9]+) = .*/\1/p' tests/docs/log-meanings.txt |
        LC_ALL=C sort | LC_ALL=C comm -23 - "$out/logged")
    [ -z "$unused" ] || { echo "log-meanings.txt: nobody logs ${unused//$'\n'/, }" >&2; return 1; }
    rm -f "$out/logged"
    rm -f "$out/events"
}

"$BUILD/tests/reference" errors >"$out/reference/errors.md"
"$BUILD/tests/reference" states >"$out/reference/states.md"
"$BUILD/tests/reference" messages >"$out/reference/messages.md"
metrics >"$out/reference/metrics.md"
jq -rf tests/docs/api.jq merchant/store/api/openapi.json | lay_out >"$out/reference/api.md"
# Whole or not at all: a page that ends where a meaning is missing would look like a shorter log.
page=$(log_page)
printf '%s\n' "$page" >"$out/reference/log.md"
tests/docs/conformance.sh >"$out/conformance.md"
while read -r program page title; do
    [ -n "$program" ] || continue
    configuration "$program" "$title" >"$out/reference/$page-configuration.md"
done <<<"$daemons"
