#!/usr/bin/env bash
# Who can learn what (docs/privacy.md): purchases with marked card numbers and marked order texts,
# and then a search of every party's database, journal and log for what it must never hold, in every
# encoding in which it could hide. The search proves itself on a planted mark first.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/sandbox.bash"

# ------------------------------------------------------------------ the search
hex_of() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
# bytes HEX: a pattern for grep -P that matches exactly these bytes.
bytes() { sed 's/../\\x&/g' <<<"$1"; }

# encodings TEXT: one pattern a line for each way in which TEXT could be written.
encodings() {
    local text=$1 hex pad base
    hex=$(hex_of "$text")
    bytes "$hex"                                            # as it is
    bytes "$(hex_of "$hex")"                                # hexadecimal
    bytes "$(hex_of "${hex^^}")"
    bytes "$(hex_of "$(rev <<<"$text")")"                   # reversed
    bytes "$(sed 's/../&00/g' <<<"$hex" | sed 's/00$//')"   # UTF-16, little-endian
    for pad in '' x xx; do                                  # base64 at each offset, whole quanta only
        base=$(printf '%s%s' "$pad" "$text" | base64 -w0)
        base=${base:4}
        base=${base:0:$(((${#base} - 4) / 4 * 4))}
        bytes "$(hex_of "$base")"
        bytes "$(hex_of "$(tr '+/' '-_' <<<"$base")")"
    done
    case $text in *[!0-9]*) return ;; esac
    bytes "$(hex_of "$(sed 's/..../& /g; s/ $//' <<<"$text")")" # grouped
    bytes "$(hex_of "$(sed 's/..../&-/g; s/-$//' <<<"$text")")"
    [ $((${#text} % 2)) -ne 0 ] || bytes "$text"            # BCD
    [ ${#text} -lt 12 ] || { bytes "$(hex_of "${text:0:12}")"; }
}

# found_in TEXT FILE...: prints where, fails when nowhere.
found_in() {
    local text=$1 pattern status=1
    shift
    while read -r pattern; do
        [ -n "$pattern" ] || continue
        LC_ALL=C grep -laP -- "$pattern" "$@" 2>/dev/null && { echo "as $pattern"; status=0; }
    done < <(encodings "$text")
    return "$status"
}
never() { ! found_in "$@"; }

mark=4242424242424242
printf '%s' "a $mark b" >"$tmp/planted.plain"
printf '%s' "$(hex_of $mark)" >"$tmp/planted.hex"
printf '%s' "$(rev <<<"$mark-x")" >"$tmp/planted.reversed"
printf 'xy%s' "$mark" | base64 >"$tmp/planted.base64"
printf '4242 4242 4242 4242' >"$tmp/planted.grouped"
printf '\x42\x42\x42\x42\x42\x42\x42\x42' >"$tmp/planted.bcd"
printf '%s' "$mark" | sed 's/./&\x00/g' >"$tmp/planted.utf16"
for planted in "$tmp"/planted.*; do
    ok "the search finds a planted mark: ${planted##*.}" found_in "$mark" "$planted"
done
ok "and nothing where nothing is" never 4000000000000002 "$tmp"/planted.*

# ------------------------------------------------------------------ purchases
ok "the sandbox comes up" up
[ -f "$state" ] || done_testing
teapot="One-moss-green-teapot-zq71"
note="for-Wilhelmina-zq72"
order=$(api POST /orders "$(jq -n --arg d "$teapot" --arg n "$note" \
    '{description: $d, amount: 4990, currency: "EUR", metadata: {note: $n}}')")
order_id=$(jq -r .order_id <<<"$order")
uri=$(jq -r .pay_uri <<<"$order")
printf '987\n' >"$tmp/code"
chmod 600 "$tmp/code"
ok "a marked purchase" wallet --json pay "$uri" --yes
new_order 1000 EUR "$teapot"
ok "one that is declined for its security code" bash -c \
    "'$bin/setpay-wallet' --socket '$(get .wallet_socket)' --json pay '$uri' --yes --security-code-file '$tmp/code' >/dev/null; [ \$? -eq 3 ]"
new_order 1100 EUR "$teapot"
ok "one that nobody answers" bash -c \
    "'$bin/setpay-wallet' --socket '$(get .wallet_socket)' --json pay '$uri' --yes --card '$(card_id no-answer)' >/dev/null; [ \$? -eq 3 ]"
new_order 1200 EUR "$teapot"
wallet --json pay "$uri" --yes >/dev/null
api POST "/orders/$order_id/void" '{}' >/dev/null
voided() { [ "$(order_status "$order_id")" = voided ]; }
ok "one that is voided" wait_for 10 voided
no_instruction() { [ "$(sqlite3 -readonly "$(get .databases.merchant)" 'SELECT count(*) FROM instruction')" = 0 ]; }
ok "no sealed instruction is left at the merchant" wait_for 6 no_instruction

files() { ls "$sandbox"/db/"$1".db* "$sandbox"/log/"$1".*; }
pans=$("$bin/setpay-issuersim" cards --json | jq -r '.cards[].pan')
search() { # PARTY TEXT: never in any file of that party
    # shellcheck disable=SC2046
    never "$2" $(files "$1")
}

# ------------------------------------------------------------------ the table, row by row
ok "the order is where it belongs: wallet" found_in "$teapot" $(files wallet)
ok "the order is where it belongs: merchant" found_in "$teapot" $(files merchant)
for party in gateway issuer; do
    ok "item names: never at the $party" search "$party" "$teapot"
    ok "order metadata: never at the $party" search "$party" "$note"
    ok "the order's id: never at the $party" search "$party" "$order_id"
done
for log in wallet merchant gateway issuer ca; do
    ok "item names: never in the log of the $log" never "$teapot" "$sandbox"/log/$log.*
done
for pan in $pans; do
    ok "card number ${pan:0:6}...${pan: -4}: never at the merchant" search merchant "$pan"
done
for party in wallet gateway; do
    ok "card number: only encrypted at the $party" search "$party" "$mark"
done
ok "card number: never kept by the CA" never "$mark" $(find "$sandbox/ca" "$sandbox/log" -type f)
ok "security code: not at the gateway" bash -c "! LC_ALL=C grep -qaE '(^|[^0-9])987([^0-9]|\$)' $(files gateway | grep '\.log$\|\.out$' | tr '\n' ' ')"
is "security code: no column for it in any database" "$(for db in wallet merchant gateway; do
    sqlite3 -readonly "$(get ".databases.$db")" .schema; done | grep -ci 'cvv\|cvc\|security_code[^_]\|pan_secret TEXT')" 0

done_testing
