#!/usr/bin/env bash
# setpay-bench in its quick form, with tiny counts: every row is there, in the table, the JSON and the
# plots, and every purchase was authorised exactly once at the issuer. No time is judged: a machine
# may be as slow as it likes.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
bench=$build/tests/setpay-bench
json=$tmp/bench/bench.json

quick() { "$bench" --quick --out "$tmp/bench" >"$tmp/table" 2>"$tmp/errors" || { cat "$tmp/table" "$tmp/errors"; false; }; }
get() { jq -r "$1" "$json"; }

ok "the quick form runs to its end" quick
is "it has nothing to complain about" "$(cat "$tmp/errors")" ""
is "it says on what, with what and when it was measured" \
    "$(get '[.machine | .date, .processor, .processors, .kernel, .setpay, .openssl, .sqlite, .libevent,
             .load_before, .load_after | select(. == null or . == "")] | length')" 0

# ------------------------------------------------------------------ rows
cat >"$tmp/rows" <<'ROWS'
P-256 sign
P-256 verify
P-256 ECDH, peer checked
CMS seal, 300 bytes
CMS open, 300 bytes
certificate parsed
SHA-256, 1 KiB
AES-256-GCM, 1 KiB
append 4 KiB and fsync
SQLite commits, one by one
SQLite commits, groups of 10
SQLite commits, groups of 50
  CPU of one in a group of 50
TLS 1.3 echo, 64 bytes, mutual
TLS 1.3 new connections, mutual
dual signature made
dual signature verified
instruction sealed
instruction opened
chain, nothing known yet
chain, verified before
chain, a cardholder not seen before
message packed
message unpacked and checked
order packed and digested
merchantd: memory of two connections
merchantd: orders
merchantd: CPU of an order
merchantd: orders with an offer
merchantd: CPU of order and offer
nginx: a file of a product page's size
nginx: CPU of it
nginx: p99 of it, wall
merchantd: product pages
merchantd: CPU of a product page
merchantd: p99 of a product page, wall
merchantd: orders of the catalogue
merchantd: CPU of an order of the catalogue
merchantd: p99 of an order of the catalogue, wall
gatewayd: memory of a merchant's connection
gatewayd: authorisations
gatewayd: CPU of an authorisation
issuersim: authorisations
issuersim: CPU of an authorisation
cad: cards enrolled
cad: CPU of an enrolment
cad: memory of a connection
walletd: memory of a local connection
walletd: purchases, one after another
walletd: CPU of a purchase
ROWS
is "the JSON has exactly the rows that there are" "$(get '.rows[].name' | sort)" "$(sort "$tmp/rows")"
missing=
while IFS= read -r row; do
    grep -qF -- "$row" "$tmp/table" || missing="$missing$row; "
done <"$tmp/rows"
is "so has the table" "$missing" ""
is "each was measured, and its spread holds its median" \
    "$(get '[.rows[] | select(.name | contains(": memory") | not)
             | select((.median > 0 and .low <= .median and .median <= .high) | not)] | length')" 0
is "what stands on a floor says on which, and how near it is" \
    "$(get '[.rows[] | select((.floor == "") != (.ratio == null))] | length')" 0

# ------------------------------------------------------------------ whole purchases
is "whole purchases, of cardholders known and unknown" "$(get '[.loads[].name] | join(", ")')" \
    "1 returning, 4 returning, 1 never seen, 4 never seen"
is "each with rate, latency, CPU of every process, and stages" \
    "$(get '[.loads[] | select((.per_second > 0 and .p50_ms > 0 and .p50_ms <= .p99_ms and
             .cpu_us.merchantd > 0 and .cpu_us.gatewayd > 0 and .cpu_us.issuersim > 0 and
             .cpu_us.shoppers > 0 and .stage_p50_ms.order > 0 and .stage_p50_ms.offer > 0 and
             .stage_p50_ms.payment > 0) | not)] | length')" 0
is "where the CPU of each daemon goes" "$(get '[.where[].daemon] | join(", ")')" \
    "merchantd, gatewayd, issuersim"
# perf is no part of what is needed: where it can't look, that is said.
ok "by samples too, in libraries and functions, or why there are none" \
    jq -e 'if .samples == [] then .samples_missing | length > 0 else all(.samples[]; (.libraries | length) > 0 and
        .samples > 0 and ([.libraries[].percent] | add | . > 99 and . < 101)) end' "$json"
ok "the table says so" grep -qE '^(where samples find them|no samples of the daemons)' "$tmp/table"
ok "what columns don't know is called so" grep -q 'not attributed' "$tmp/table"
is "and of each stage" "$(get '.stages_us | keys_unsorted | join(", ")')" "order, offer, payment"
ok "every purchase was authorised exactly once, and nothing else was" \
    jq -e '.audit | .authorised > 400 and .once == .authorised and .otherwise == 0' "$json"
ok "the table says so too" grep -q "exactly once in the issuer's books" "$tmp/table"
ok "plots are drawings" \
    sh -c 'for plot in purchases cpu where; do grep -q "<rect" "$1/$plot.svg" && tail -n 1 "$1/$plot.svg" |
        grep -q "</svg>" || exit 1; done' sh "$tmp/bench"

# ------------------------------------------------------------------ arguments
refused() { # WORDS ARGUMENT...: exit status 2 and these words
    local words=$1
    shift
    "$bench" "$@" >"$tmp/refused" 2>&1
    [ $? -eq 2 ] && grep -qF -- "$words" "$tmp/refused"
}
ok "an unknown part is refused, and the parts are named" refused "--only: expected blocks, merchantd" --only disk
ok "so is a number of shoppers that is none" refused "--shoppers: expected a number from 1 to 1024" --shoppers 0
ok "and what is no option" refused "there are no other arguments" more
ok "--help says what there is" sh -c '"$1" --help | grep -q -- "--quick"' sh "$bench"
is "--version" "$("$bench" --version)" "setpay-bench $("$bin/setpay-ca" --version | awk '{ print $2 }')"
done_testing
