#!/bin/bash
# shellcheck disable=SC2154
# docs.sh: every page as a reader would do it: each fenced sh block of README and docs/, and the examples of
# each manual page, in order, one shell and one fresh folder for each page, with the programs of $BUILD
# in PATH. A block is left out only where the line before it says "not run by the test" and why:
# "<!-- not run by the test: WHY -->" in Markdown, '.\" not run by the test: WHY' in a manual page.
# A block of commands that is marked as no shell's, or not at all, fails.
# ONLY='PAGE PAGE': of the pages behind the tutorial these alone (tests/newcomer.sh).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/tap.bash
. tests/support/tap.bash

# A clone in which only build/ matters, a home and a place for temporary files of its own.
mkdir "$tmp/clone" "$tmp/home" "$tmp/t" "$tmp/pages"
ln -s "$(dirname "$bin")" "$tmp/clone/build"

cleanup() {
    local ports
    for ports in "$tmp"/t/*/ports; do
        [ ! -f "$ports" ] || "$bin/setpay-sandbox" down --dir "$(dirname "$ports")" >/dev/null 2>&1
    done
}

# ------------------------------------------------------------------ a page as a script
# Blocks as they stand; behind each a line that tells descriptor 3 where it began.
markdown_script() { # PAGE
    awk -v page="$1" '
        /^<!-- not run by the test: ..*-->$/ { skip = 1; next }
        /^```sh$/ && !fence { fence = 1; if (!skip) line = FNR; next }
        /^```/ && !fence { fence = 2; next }
        /^```/ {
            if (line) printf "echo \"%s:%d\" >&3\n", page, line
            fence = line = skip = 0
            next
        }
        line { print; next }
        /./ && !fence { skip = 0 }' "$1"
}

manual_script() { # PAGE
    awk -v page="$1" '
        function told() { printf "echo \"%s:%d\" >&3\n", page, line }
        function plain(text) {
            gsub(/\\\(dq/, "\"", text); gsub(/\\\(aq/, "\x27", text); gsub(/\\&/, "", text); gsub(/\\e/, "\\", text)
            return text
        }
        /^\.Sh/ { inside = $2 == "EXAMPLES"; next }
        !inside { next }
        /^\.\\" not run by the test: ./ { skip = 1; next }
        /^\.Bd/ { block = 1; line = FNR; next }
        /^\.Ed/ { if (!skip) told(); block = skip = 0; next }
        /^\.Dl / { line = FNR; if (!skip) { print plain(substr($0, 5)); told() } next }
        block { if (!skip) print plain($0); next }
        { skip = 0 }' "$1"
}

# Ten ports side by side that nobody listens on: the text to put before their last digit.
free_ports() {
    local base port tries
    for tries in $(seq 100); do
        base=$((1200 + RANDOM % 2000))
        for port in $(seq 0 9); do
            (exec 4<>"/dev/tcp/127.0.0.1/$base$port") 2>/dev/null && continue 2
        done
        echo "$base"
        return
    done
    echo "no free ports after $tries tries" >&2
    return 1
}

# run_page PAGE FOLDER [FIRST]: one result for each of its blocks. FIRST: a line before all of them.
run_page() {
    local page=$1 block blocks status=0 kind=markdown
    case $page in *.[1-8]) kind=manual ;; esac
    ${kind}_script "$page" | sed "s/127\.0\.0\.1:700/127.0.0.1:$(free_ports)/g" >"$tmp/blocks"
    blocks=$(sed -n 's/^echo "\(.*\)" >&3$/\1/p' "$tmp/blocks")
    [ -n "$blocks" ] || return 0
    printf '%s\n' 'set -euo pipefail' "${3:-:}" | cat - "$tmp/blocks" >"$tmp/script"
    : >"$tmp/done"
    (
        cd "$2" &&
            env -u SETPAY_SANDBOX_DIR HOME="$tmp/home" TMPDIR="$tmp/t" timeout 200 bash "$tmp/script" \
                3>>"$tmp/done" >"$tmp/output" 2>&1 </dev/null
    ) || status=$?
    for block in $blocks; do
        ok "$block does what it says" grep -qxF "$block" "$tmp/done"
    done
    [ "$status" -eq 0 ] || { echo "# exit status $status; the end of its output:"; tail -n 25 "$tmp/output" | sed 's/^/# /'; }
}

# ------------------------------------------------------------------ nothing is left out unseen
mapfile -t pages < <({ git ls-files -co --exclude-standard README.md 'docs/*.md' 2>/dev/null | grep . ||
    find README.md docs -name '*.md'; } | sort -u)
manuals=(docs/man/*.[1-8])

# What begins like a command, also behind variables that are set for it, in a block that is no sh block,
# nor has a reason.
hidden_commands() {
    local page
    for page in "${pages[@]}"; do
        awk -v page="$page" '
            /^<!-- not run by the test/ && !/^<!-- not run by the test: ..*-->$/ { print page ":" FNR ": no reason" }
            /^<!-- not run by the test: / { reason = 1; next }
            /^ +```/ { print page ":" FNR ": an indented block is not run: begin it at the line'"'"'s start" }
            /^```/ { if (fence) fence = reason = 0; else fence = /^```sh$/ ? 1 : 2; next }
            fence == 2 && !reason &&
                /^(\$ |([A-Z][A-Z_]*=[^ ]* +)*(sudo|apt|apt-get|git|make|cd|export|curl|openssl|jq|sqlite3|systemctl|sh|bash|node|(\.\/|build\/bin\/|tests\/)[^ ]+|setpay-[a-z]+)( |$))/ {
                print page ":" FNR ": a command in a block that is not run: " $0
            }
            /./ && !fence { reason = 0 }' "$page"
    done
    for page in "${manuals[@]}"; do
        grep -nE '^\.\\" not run by the test(:? *)?$' "$page" | sed "s|^|$page:|; s|\$| no reason|"
    done
}
is 'every block of commands is run, or says why it is not' "$(hidden_commands)" ""

make help >"$tmp/help"
targets() {
    sed -n '/^```/,/^```/p' "${pages[@]}" | sed -nE 's/^([A-Z_]+=[^ ]* +)*make ([a-z-]+).*/\2/p'
    grep -ohE '`([A-Z_]+=[^ `]* +)*make [a-z-]+' "${pages[@]}" | sed 's/.* //'
}
for target in $(targets | sort -u); do
    grep -qE "^ *make $target( |$)" "$tmp/help" || grep -qE "^($target|check-%?)[^=]*:" Makefile tests/rules.mk ||
        echo "$target"
done >"$tmp/unknown"
is 'every target of make that a page names is there' "$(cat "$tmp/unknown")" ""
grep -ohE '(^|`)([A-Z_]+=[^ `]* +)*make [^`#]*' "${pages[@]}" | grep -oE '[A-Z_]+=' | sort -u | tr -d = |
    while read -r name; do grep -qwE "$name" Makefile tests/rules.mk || echo "$name"; done >"$tmp/unset"
is 'and every variable that it takes' "$(cat "$tmp/unset")" ""

# ------------------------------------------------------------------ the tutorial, and what is true after it
run_page docs/tutorial.md "$tmp/clone"
cp "$tmp/output" "$tmp/tutorial"
says() { grep -qF "$1" "$tmp/tutorial"; }
ok 'the wallet stores what was bought' says 'wallet    stores "The Book of Tea": yes'
ok 'the shop stores what was sold' says 'merchant  stores "The Book of Tea": yes'
ok 'the shop does not store the card' says 'merchant  stores "4242424242424242": no'
ok 'the gateway does not store what was sold' says 'gateway   stores "The Book of Tea": no'
ledger_says() { grep -Eq "^$1 .* $2 EUR (debit|credit)\$" "$tmp/tutorial"; }
ok 'the issuer owes what was captured, less interchange' ledger_says 'issuer receivable' 12.48
ok 'which it keeps' ledger_says interchange 0.02
ok 'the shop has its amount coming, less its fee' ledger_says 'merchant payable' 12.29
ok 'which the gateway has' ledger_says fees 0.21
ok 'the card without funds is declined' says 'exit status 3: declined by the issuer'

# ------------------------------------------------------------------ all others, with its sandbox
sandbox=$(dirname "$(ls "$tmp"/t/*/ports)")
ok 'the sandbox comes up again' "$bin/setpay-sandbox" up --dir "$sandbox"
first="export PATH='$bin':\"\$PATH\" SETPAY_SANDBOX_DIR='$sandbox' SETPAY_WALLET_SOCKET='$sandbox/run/wallet.sock'"
is_wanted() { # PAGE: the tutorial was there before
    [ "$1" != docs/tutorial.md ] && case " ${ONLY:-$1} " in *" $1 "*) ;; *) false ;; esac
}
for page in "${pages[@]}" "${manuals[@]}"; do
    is_wanted "$page" || continue
    folder=$tmp/pages/${page//\//-}
    mkdir "$folder"
    # A manual page is about a program with its configuration in the folder where it is called.
    case $page in docs/man/*) cp "$sandbox"/*.conf "$folder"/ ;; esac
    # A page may leave its sandbox stopped (a move to another machine does).
    "$bin/setpay-sandbox" status --dir "$sandbox" >/dev/null 2>&1 ||
        "$bin/setpay-sandbox" up --dir "$sandbox" >"$tmp/up" 2>&1 || cat "$tmp/up"
    run_page "$page" "$folder" "$first"
    case $page in */sell-from-your-own-store.md | */move-to-another-machine.md) cp "$tmp/output" "$tmp/${page##*/}" ;; esac
done
ok 'the store has ten lines' test "$(wc -l <"$tmp/pages/docs-how-to-sell-from-your-own-store.md/store.sh")" -eq 10
ok 'and has sold, with the money taken' grep -qE '^ord_[0-9a-z]+ is paid: send it$' "$tmp/sell-from-your-own-store.md"
ok 'what was backed up is there again' grep -qE '^restored: [1-9][0-9]* payments, and before [1-9][0-9]*$' "$tmp/move-to-another-machine.md"
done_testing
