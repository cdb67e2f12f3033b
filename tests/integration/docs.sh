#!/bin/bash
# shellcheck disable=SC2154
# docs.sh: the tutorial and the how-to pages as a reader would do them: every fenced sh block that
# is not marked "not run by the test", in order, in one shell. A page's programs are those of $BUILD.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/tap.bash
. tests/support/tap.bash
top=$PWD

# A clone in which only build/ matters, a home and a place for temporary files of its own.
mkdir "$tmp/clone" "$tmp/home" "$tmp/t"
ln -s "$(dirname "$bin")" "$tmp/clone/build"

cleanup() {
    local ports
    for ports in "$tmp"/t/*/ports; do
        [ ! -f "$ports" ] || "$bin/setpay-sandbox" down --dir "$(dirname "$ports")" >/dev/null 2>&1
    done
}

# page_script PAGE: its blocks as one script, each followed by a line that tells descriptor 3.
page_script() {
    awk -v page="$1" '
        /^<!-- not run by the test/ { skip = 1; next }
        /^```sh$/ && !skip { inside = 1; line = FNR; next }
        /^```/ {
            if (inside) {
                printf "echo \"%s:%d\" >&3\n", page, line
                inside = 0
            } else if (skip == 2) {
                skip = 0
            } else if (skip == 1) {
                skip = 2
            }
            next
        }
        inside { print }' "$top/docs/$1"
}

# Ten ports side by side that nobody listens on: the text to put before their last digit.
free_ports() {
    local base port tries
    for tries in $(seq 100); do
        base=$((1200 + RANDOM % 2000))
        for port in 0 1 2; do
            (exec 4<>"/dev/tcp/127.0.0.1/$base$port") 2>/dev/null && continue 2
        done
        echo "$base"
        return
    done
    echo "no free ports after $tries tries" >&2
    return 1
}

# run_page PAGE [FIRST]: one result for each of its blocks. FIRST: a line before all of them.
run_page() {
    local page=$1 block status=0
    {
        printf '%s\n' 'set -euo pipefail' "${2:-:}"
        page_script "$page" | sed "s/127\.0\.0\.1:700/127.0.0.1:$(free_ports)/g"
    } >"$tmp/script"
    : >"$tmp/done"
    (
        cd "$tmp/clone" &&
            env -u SETPAY_SANDBOX_DIR HOME="$tmp/home" TMPDIR="$tmp/t" timeout 200 bash "$tmp/script" \
                3>>"$tmp/done" >"$tmp/output" 2>&1 </dev/null
    ) || status=$?
    for block in $(sed -n 's/^echo "\(.*\)" >&3$/\1/p' "$tmp/script"); do
        ok "$block does what it says" grep -qxF "$block" "$tmp/done"
    done
    [ "$status" -eq 0 ] || { echo "# exit status $status; the end of its output:"; tail -n 25 "$tmp/output" | sed 's/^/# /'; }
}

run_page tutorial.md
cp "$tmp/output" "$tmp/tutorial"
says() { grep -qF "$1" "$tmp/tutorial"; }
ok 'the wallet stores what was bought' says 'wallet    stores "The Book of Tea": yes'
ok 'the shop stores what was sold' says 'merchant  stores "The Book of Tea": yes'
ok 'the shop does not store the card' says 'merchant  stores "4242424242424242": no'
ok 'the gateway does not store what was sold' says 'gateway   stores "The Book of Tea": no'
ok 'the card without funds is declined' says 'exit status 3: declined by the issuer'

# The other pages begin where the tutorial ends, with its sandbox.
sandbox=$(dirname "$(ls "$tmp"/t/*/ports)")
ok 'the sandbox comes up again' "$bin/setpay-sandbox" up --dir "$sandbox"
for page in how-to/sell-from-your-own-store.md how-to/enrol-a-card.md how-to/run-a-gateway.md how-to/move-to-another-machine.md; do
    run_page "$page" "export PATH='$bin':\"\$PATH\" SETPAY_SANDBOX_DIR='$sandbox'"
done

# The README's commands take minutes, and this test is part of one of them: that they exist is enough.
for target in $(awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside && $1 == "make" { print $2 }' README.md); do
    ok "make lists $target, which the README names" grep -qE "^ *make $target " <(make help)
done
done_testing
