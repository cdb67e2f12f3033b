#!/usr/bin/env bash
# setpay-wallet as people and scripts use it, against the real setpay-walletd: exit statuses, one
# JSON object whatever happens, secrets only where they belong. No merchant is needed here.
set -u
build=${BUILD:-build}
bin=$(cd "$build/bin" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/setpay-wallet-test.XXXXXX")
daemon=''
finish() {
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null; }
    rm -rf "$dir"
}
trap finish EXIT
cd "$dir" || exit 1
umask 077
unset SETPAY_WALLET_SOCKET XDG_RUNTIME_DIR
n=0 failures=0
ok() { # NAME COMMAND...
    n=$((n + 1))
    local name=$1
    shift
    if "$@" >out 2>&1; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        sed 's/^/# /' out
        failures=$((failures + 1))
    fi
}
wallet() { "$bin/setpay-wallet" --socket "$dir/wallet.sock" "$@"; }
# The command ends with this status; its words go to standard error, name the matter, and standard
# output stays empty.
ends() { # STATUS WORDS COMMAND...
    local status=$1 words=$2 got
    shift 2
    "$@" >ends.out 2>ends.err </dev/null
    got=$?
    cat ends.out ends.err
    [ "$got" -eq "$status" ] || { echo "exit status $got instead of $status"; return 1; }
    [ "$status" -eq 0 ] || [ ! -s ends.out ] || { echo "words on standard output"; return 1; }
    cat ends.out ends.err | grep -qi -- "$words" || { echo "no '$words'"; return 1; }
}
# With --json: exactly one object, of which the filter is true, and this status.
json() { # STATUS FILTER ARGUMENTS...
    local status=$1 filter=$2 got
    shift 2
    wallet --json "$@" >json.out 2>json.err </dev/null
    got=$?
    cat json.out json.err
    [ "$got" -eq "$status" ] || { echo "exit status $got instead of $status"; return 1; }
    [ "$(jq -s 'length == 1 and (.[0] | type == "object")' json.out)" = true ] || { echo "not one object"; return 1; }
    jq -e "$filter" json.out >/dev/null || { echo "not $filter"; return 1; }
}
fails() { ! "$@"; }
link=setpay://localhost:1/pay/abcdefghijklmnopqrstuv
xid=00112233445566778899aabbccddeeff
pan=4242424242424242

# The command line alone: nobody is called.
ok "help names every command" bash -c "'$bin/setpay-wallet' --help | grep -q 'receipt XID'"
ok "help of one command" bash -c "'$bin/setpay-wallet' pay --help | grep -q -- '--max AMOUNT'"
ok "version" bash -c "'$bin/setpay-wallet' --version | grep -qx 'setpay-wallet [0-9.]*'"
ok "version as JSON" json 0 '.version | test("^[0-9.]+$")' --version
ok "no command" ends 2 "a command is needed" wallet
ok "an unknown one" ends 2 "unknown command 'buy'" wallet buy
ok "usage errors as JSON" json 2 '.error | .name == "USAGE" and .exit == 2 and .rule == ""' pay
ok "an option of another command" ends 2 "not for list" wallet list --max 1.00
ok "nothing says where the socket is" ends 2 "SETPAY_WALLET_SOCKET" "$bin/setpay-wallet" status
ok "no terminal and no --yes" ends 2 "give --yes" wallet pay "$link"
ok "a link that is none" ends 2 "expected setpay://" wallet show https://shop.example/pay/abc
ok "a link with parameters" ends 2 "no parameters" wallet pay "$link?insecure=1" --yes
ok "a limit that is no amount" ends 2 "found '1,50'" wallet pay "$link" --yes --max 1,50
ok "a security code without a terminal" ends 2 "security-code-file" wallet pay "$link" --yes --security-code
echo 12 >code
ok "a security code that is none" ends 2 "3 or 4 digits" wallet pay "$link" --yes --security-code-file code
chmod 644 code
ok "a file that others may read" ends 1 "0644" wallet pay "$link" --yes --security-code-file code
ok "an XID that is none" ends 2 "32 hexadecimal" wallet receipt 12
ok "no passphrase" ends 2 "no passphrase" wallet unlock
ok "a card number with a mistyped digit" bash -c \
    "printf '4242424242424243\n2912\n' | '$bin/setpay-wallet' --socket x card request --brand visa -o csr 2>&1 | grep -q 'does not fit'"
ok "no card data in the words" bash -c \
    "! printf '4242424242424243\n2912\n' | '$bin/setpay-wallet' --socket x card request --brand visa -o csr 2>&1 | grep -q 4243"
ok "a certificate that is none" ends 2 "no certificate in PEM" wallet card import code
ok "a certificate that is not there" ends 1 "no such file" wallet card import none
ok "removing a card needs agreement" ends 2 "give --yes" wallet card remove approve

# Nobody listens.
ok "no daemon: 4" ends 4 "setpay-walletd is not running" wallet status
ok "no daemon, as JSON" json 4 '.error.name == "UNREACHABLE"' status
ok "no daemon: nothing is paid" json 4 '.error.name == "UNREACHABLE" and (has("xid") | not)' pay "$link" --yes
ok "the socket from the environment" ends 4 "$dir/e.sock" env SETPAY_WALLET_SOCKET="$dir/e.sock" "$bin/setpay-wallet" list
ok "the socket in the runtime folder" ends 4 "$dir/setpay-wallet.sock" env XDG_RUNTIME_DIR="$dir" "$bin/setpay-wallet" list

# The daemon.
echo "the CA's passphrase" >ca.pass
echo "correct horse" >pass
echo "battery staple" >wrong
echo "short" >short
mkdir crls
ca() { "$bin/setpay-ca" --dir ca --passphrase-file ca.pass "$@"; }
ok "a CA" bash -c "'$bin/setpay-ca' --dir ca --passphrase-file ca.pass init --name test &&
    '$bin/setpay-ca' --dir ca --passphrase-file ca.pass brand add visa --loopback &&
    '$bin/setpay-ca' --dir ca --passphrase-file ca.pass crl -o crls && cp ca/certificates/*.pem crls/"
cat >wallet.conf <<CONF
testing = yes
root = $dir/ca/root.pem
crls = $dir/crls
socket = $dir/wallet.sock
database = sqlite:$dir/wallet.db
log = $dir/wallet.log
admin_socket = $dir/admin.sock
CONF
"$bin/setpay-walletd" --config wallet.conf >daemon.out 2>&1 </dev/null &
daemon=$!
answers() { # within 20 s, while the daemon lives
    local deadline=$((SECONDS + 20))
    until wallet status; do
        if ! kill -0 "$daemon" || [ "$SECONDS" -ge "$deadline" ]; then
            cat daemon.out wallet.log
            return 1
        fi
        read -rt 0.05 <> <(:) || true
    done
}
ok "the daemon answers" answers
ok "before init" json 0 '.initialised == false' status
ok "words for it" ends 0 "setpay-wallet init" wallet status
ok "nothing to unlock before" json 1 '.error.name == "NOT_FOUND"' unlock --passphrase-file pass
ok "no link is paid before" json 1 '.error' pay "$link" --yes
ok "a short passphrase" ends 2 "" wallet init --passphrase-file short
chmod 644 wrong
ok "a passphrase that others may read" ends 1 "0644" wallet init --passphrase-file wrong
chmod 600 wrong
ok "init" json 0 '.initialised and .locked == false' init --passphrase-file pass
ok "init again" json 1 '.error.name == "EXISTS"' init --passphrase-file pass
ok "status" json 0 '.initialised and .locked == false and .cards == 0 and .open_purchases == 0' status
ok "no cards" json 0 '.cards == []' card list
ok "words for it" ends 0 "no card yet" wallet card list
ok "no purchases" json 0 '.purchases == []' list
ok "lock" json 0 '.locked' lock
ok "locked" ends 0 "locked" wallet status
ok "a wrong passphrase" json 1 '.error.name == "PASSPHRASE"' unlock --passphrase-file wrong
ok "still locked" json 0 '.locked' status
ok "locked: no card is asked for" bash -c "printf '$pan\n2912\n' | '$bin/setpay-wallet' --socket wallet.sock card request --brand visa -o csr 2>err; [ \$? -eq 1 ] && grep -q 'setpay-wallet unlock' err && [ ! -e csr ]"
ok "unlock, from standard input" bash -c "'$bin/setpay-wallet' --socket wallet.sock unlock <pass"

# Cards
ok "card request" bash -c "printf '4242 4242 4242 4242\n12/29\n' | '$bin/setpay-wallet' --socket wallet.sock --json card request --brand visa --label daily -o csr >request.json"
ok "the request is private, and not in the answer" bash -c \
    "[ \"\$(stat -c %a csr)\" = 600 ] && grep -q 'CERTIFICATE REQUEST' csr && jq -e '(keys == [\"card_id\",\"file\"])' request.json"
ok "a request is not written over a file" ends 1 "exists" wallet card request --brand visa -o csr
ok "a request that can't be written leaves no card" bash -c "
    printf '$pan\n2912\n' | '$bin/setpay-wallet' --socket wallet.sock card request --brand visa --label other -o none/csr; [ \$? -eq 1 ] &&
    '$bin/setpay-wallet' --socket wallet.sock --json card list | jq -e '.cards | length == 1'"
ok "pending" json 0 '.cards[0] | .label == "daily" and .status == "pending" and .brand == "visa"' card list
ok "the CA issues" ca issue cardholder --csr csr --brand visa -o card.pem
ok "card import" json 0 '.status == "active" and .last4 == "4242"' card import card.pem
ok "card import again" json 1 '.error.name == "EXISTS"' card import card.pem
ok "card list, for people" ends 0 "daily.*visa.*•••• 4242.*active.*yes" wallet card list
ok "card default" ends 0 "daily" wallet card default daily
ok "a default that is not there" json 1 '.error.name == "NOT_FOUND"' card default nobody
ok "one card" json 0 '.cards == 1' status

# Purchases, without a merchant
ok "the merchant can't be reached: 4" json 4 '.error.name == "UNREACHABLE" and (.error.text | test("^[a-z0-9.]+, port [0-9]+, can.t be reached"))' show "$link"
ok "paying neither, and nothing is open" json 4 '.error and (has("xid") | not)' pay "$link" --yes --max 1.00
ok "nothing was stored" json 0 '.purchases == []' list
ok "an unknown XID" json 1 '.error.name == "NOT_FOUND"' status "$xid"
ok "a receipt of it" json 1 '.error.name == "NOT_FOUND"' receipt "$xid" --export r.json
ok "and no file" test ! -e r.json
ok "doctor" bash -c "'$bin/setpay-wallet' --socket wallet.sock --json doctor | jq -e '.checks | length > 3'"

# Removing, and the end
ok "card remove" json 0 '.removed' card remove daily --yes
ok "no cards any more" json 0 '.cards == []' card list
ok "the card's number is in no file" fails grep -rqaF "$pan" wallet.db wallet.db-wal wallet.log daemon.out
kill "$daemon" && wait "$daemon"
status=$?
daemon=''
ok "the daemon ends well" test "$status" -eq 0
ok "and is missed" json 4 '.error.name == "UNREACHABLE"' status

echo "1..$n"
[ "$failures" -eq 0 ]
