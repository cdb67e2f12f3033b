#!/bin/bash
# shellcheck disable=SC2016,SC2317 # what "holds" gets is evaluated there
# help.sh: what every program owes to somebody who does not know it: --help and --version on standard
# output, and for a slip the word that is wrong and what to do, on standard error, with exit status 2.
# For the daemons also what --check-config says of a good file and of bad ones.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/tap.bash
. tests/support/tap.bash

# run ARGUMENT...: sets $status, $out and $err. Nothing is typed, and no wallet is found by chance.
run() {
    env -u SETPAY_WALLET_SOCKET -u XDG_RUNTIME_DIR timeout 20 "$@" </dev/null >"$tmp/stdout" 2>"$tmp/stderr"
    status=$?
    out=$(<"$tmp/stdout") err=$(<"$tmp/stderr")
}

# holds TEST...: is each of the tests true? Says which is not.
holds() {
    local check
    for check in "$@"; do
        eval "$check" && continue
        printf 'not so: %s\nexit status %s\nstandard output: %s\nstandard error: %s\n' \
            "$check" "$status" "$out" "$err"
        return 1
    done
}

# refused PROGRAM WORD ARGUMENT...: a slip, told on standard error by a line that holds WORD, and
# that says what is expected or where help is.
refused() {
    local program=$1 word=$2
    shift 2
    run "$bin/$program" "$@"
    ok "$program $*: exit status 2, and says what is wrong" holds '[ "$status" -eq 2 ]' '[ -z "$out" ]' \
        "[[ \$err == '$program: '*$(printf %q "$word")* ]]" '[[ $err == *--help* || $err == *expected* ]]' '[ "$(wc -l <<<"$err")" -eq 1 ]'
}

version=$(make -s --no-print-directory help | awk 'NR == 1 { print $2 }')
daemons='setpay-cad setpay-gatewayd setpay-issuersim setpay-merchantd setpay-walletd'
programs=$(cd "$bin" && for file in setpay-*; do [ "${file%-demo}" = "$file" ] && echo "$file"; done)
for program in $programs; do
    run "$bin/$program" --help
    ok "$program --help: on standard output, says how it is used" holds '[ "$status" -eq 0 ]' '[ -z "$err" ]' \
        "[[ \$out == *'usage: $program '* ]]" '[[ $out == *--help*--version* ]]'
    run "$bin/$program" --version
    ok "$program --version" holds '[ "$status" -eq 0 ]' '[ -z "$err" ]' "[ \"\$out\" = '$program $version' ]"
    refused "$program" "'--frobnicate'" --frobnicate
    refused "$program" "'frobnicate'" frobnicate
    case " $daemons " in
    *" $program "*) refused "$program" '--config FILE is missing' ;;
    *) refused "$program" 'a command is needed' ;;
    esac
done

run "$bin/setpay-merchant" stock --help
ok "the help of a first word is of its commands alone" holds '[ "$status" -eq 0 ]' '[ -z "$err" ]' \
    '[[ $out == *"stock set SKU"* && $out == *"stock list"* && $out != *"order list"* ]]'
run "$bin/setpay-wallet" card --help
ok "of the wallet's too, with the options that they take" holds '[ "$status" -eq 0 ]' '[ -z "$err" ]' \
    '[[ $out == *"card enrol --url"* && $out == *"card list"* && $out != *"rule add"* && $out != *"pay PAY_URI"* ]]' \
    '[[ $out == *"--label L"* && $out == *"--socket S"* && $out != *"--insist"* ]]'
run "$bin/setpay-wallet" --json rule --help
ok "as JSON" holds '[ "$status" -eq 0 ]' '[[ $out == *"rule add"* && $out != *"card list"* ]]' 'jq -e .help <<<"$out"'
run "$bin/setpay-ca" enrolment --help
ok "and of the authority's" holds '[ "$status" -eq 0 ]' '[ -z "$err" ]' \
    '[[ $out == "usage: setpay-ca "* && $out == *"enrolment make"* && $out == *"enrolment remove ID"* && $out != *"brand add"* ]]'
for program in setpay-merchant setpay-gateway setpay-wallet setpay-ca; do
    refused "$program" "'frobnicate'" frobnicate --help
done
refused setpay-ca "'brand frobnicate'" brand frobnicate --help
refused setpay-ca "'brand' needs one more word" brand
refused setpay-wallet "'card frobnicate'" card frobnicate --help
refused setpay-merchant "'stock' needs one more word (see setpay-merchant stock --help)" stock

# Half a command, options of other commands, options without what they need.
refused setpay-ca "'brand frobnicate'" brand frobnicate
refused setpay-gateway "'merchant frobnicate'" merchant frobnicate
refused setpay-merchant "'order frobnicate'" order frobnicate
refused setpay-wallet "frobnicate" card frobnicate
refused setpay-sandbox --dir up --dir
refused setpay-gatewayd '--workers' --worker 2
refused setpay-merchantd '--brand.visa.sign_key' --brand.visa.sign_kee=x
refused setpay-issuersim 'the nearest known is --late' --lat 5s

# ------------------------------------------------------------------ configurations
# A file that is as it should be, for each daemon, and the files that it names.
touch "$tmp/root.pem" "$tmp/a" "$tmp/v"
chmod 600 "$tmp/a" "$tmp/v"
common="root = root.pem
database = sqlite:$tmp/a.db
admin_socket = a.sock"
brand='
[brand visa]
sign_key = a
sign_cert = a
tls_key = a
tls_cert = a'
good() {
    case $1 in
    setpay-gatewayd)
        echo "$common
id = gw
listen = 127.0.0.1:0
vault_key = v$brand
encrypt_key = a
encrypt_cert = a
pan_prefixes = 4
[issuer bank]
address = 127.0.0.1:1" ;;
    setpay-issuersim)
        sed 1d <<<"$common" ;;
    setpay-cad)
        echo "admin_socket = a.sock
folder = .
passphrase_file = a
listen = 127.0.0.1:0
tls_key = a
tls_cert = a" ;;
    setpay-merchantd)
        echo "$common
id = shop
name = A shop
listen = 127.0.0.1:0
public_host = localhost
tls_key = a
tls_cert = a
gateway = 127.0.0.1:1
gateway_id = gw$brand" ;;
    setpay-walletd)
        echo "$common
socket = w.sock" ;;
    esac
}

# bad PROGRAM NAME LINE WORD...: the file $tmp/bad is refused, by line (0: without one) and words.
bad() {
    local program=$1 name=$2 where=$tmp/bad: word checks
    [ "$3" -eq 0 ] || where=$tmp/bad:$3:
    checks=('[ "$status" -eq 2 ]' '[ -z "$out" ]' "[[ \$err == '$program: $where '* ]]")
    shift 3
    for word in "$@"; do checks+=("[[ \$err == *$(printf %q "$word")* ]]"); done
    run "$bin/$program" --config "$tmp/bad" --check-config
    ok "$program --check-config: $name" holds "${checks[@]}"
}

# names PROGRAM NAME KEY FILE WORD: with FILE as the value of KEY, all three are told.
touch "$tmp/open" && chmod 644 "$tmp/open" && ln -s a "$tmp/link"
names() {
    local key=${3//\"/}
    { sed "s,^$key = .*,$key = $4," "$tmp/good"; grep -q "^$key = " "$tmp/good" || echo "$key = $4"; } >"$tmp/bad"
    [ "$key" != crls ] || { echo "crls = $4"; cat "$tmp/good"; } >"$tmp/bad"
    run "$bin/$1" --config "$tmp/bad" --check-config
    ok "$1 --check-config: $2" holds '[ "$status" -eq 2 ]' '[ -z "$out" ]' \
        "[[ \$err == *$(printf %q "$3")* ]]" "[[ \$err == *$(printf %q "$4")* ]]" "[[ \$err == *$(printf %q "$5")* ]]"
}

# unfit PROGRAM LINE WORD...: with this line in place of that of its key, or above all others, --check-config and the
# start refuse the configuration alike.
unfit() {
    local program=$1 line=$2 key=${2%% =*} word checks
    shift 2
    { grep -q "^$key = " "$tmp/good" || echo "$line"; sed "s;^$key = .*;$line;" "$tmp/good"; } >"$tmp/bad"
    checks=('[ "$status" -eq 2 ]' '[ -z "$out" ]' '[ ! -e "$tmp/a.db" ]')
    for word in "$program: " "$@"; do checks+=("[[ \$err == *$(printf %q "$word")* ]]"); done
    run "$bin/$program" --config "$tmp/bad" --check-config
    ok "$program --check-config: ${line:0:60}" holds "${checks[@]}"
    local said=$err
    run "$bin/$program" --config "$tmp/bad"
    ok "and the start says the same" holds "${checks[@]}" "[ \"\$err\" = $(printf %q "$said") ]"
}

for program in $daemons; do
    good "$program" >"$tmp/good"
    run "$bin/$program" --config "$tmp/good" --check-config
    ok "$program --check-config: nothing is wrong, nothing is started" holds '[ "$status" -eq 0 ]' \
        '[ -z "$err" ]' "[[ \$out == '$tmp/good: '* ]]" '[ ! -e "$tmp/a.db" ]' '[ ! -e "$tmp/a.sock" ]'

    { echo 'log_levle = info'; cat "$tmp/good"; } >"$tmp/bad"
    bad "$program" 'a key that is not known' 1 '"log_levle"' 'nearest known key is "log_level"'
    { echo '# a comment'; echo 'log_level = loud'; cat "$tmp/good"; } >"$tmp/bad"
    bad "$program" 'a value that is none of the choices' 2 '"log_level"' '"loud"' 'debug|info|warn|error'
    if [ "$program" = setpay-issuersim ]; then
        { echo 'late = 11m'; cat "$tmp/good"; } >"$tmp/bad"
        bad "$program" 'a value above its limit' 1 '"late"' '"11m"' 'from 1ms to 10m'
    else
        { echo 'workers = 65'; cat "$tmp/good"; } >"$tmp/bad"
        bad "$program" 'a value above its limit' 1 '"workers"' '"65"' 'from 0 to 64'
    fi
    { cat "$tmp/good"; echo '[bramd visa]'; } >"$tmp/bad"
    case $program in
    setpay-gatewayd | setpay-merchantd) words=('[bramd visa]' '[brand NAME]') ;;
    *) words=('[bramd visa]' 'not known') ;;
    esac
    bad "$program" 'a section that is not known' "$(wc -l <"$tmp/bad")" "${words[@]}"
    grep -v '^admin_socket' "$tmp/good" >"$tmp/bad"
    bad "$program" 'a key that is needed and missing' 0 '"admin_socket"' 'expected a path'
    { echo 'admin_socket = b.sock'; cat "$tmp/good"; } >"$tmp/bad"
    bad "$program" 'a key given twice' "$(sed -n '/^admin_socket = a/=' "$tmp/bad")" '"admin_socket"' 'line 1 too'
    case $program in setpay-gatewayd | setpay-merchantd | setpay-cad)
        names "$program" 'a key that others may read' '"tls_key"' "$tmp/open" 'expected 0600'
        names "$program" 'a key that is a link' '"tls_key"' "$tmp/link" 'symbolic link'
        names "$program" 'a certificate that is not there' '"tls_cert"' "$tmp/none" 'No such file'
        ;;
    esac
    case $program in
    setpay-issuersim) ;;
    setpay-cad) names "$program" 'a file instead of a folder' '"folder"' "$tmp/a" 'Not a directory' ;;
    *)
        names "$program" 'a root that is not there' '"root"' "$tmp/none" 'No such file'
        names "$program" 'a file instead of a folder' '"crls"' "$tmp/a" 'Not a directory'
        ;;
    esac
    long=$(printf 'x%.0s' {1..120})
    unfit "$program" "admin_socket = $long" 'admin_socket: ' ' 1 to 107'
    [ "$program" = setpay-cad ] || unfit "$program" 'database = mysql:x' 'database: ' 'expected sqlite:PATH'
    case $program in
    setpay-merchantd)
        for line in 'currency = euro' 'country = germany' 'shop_proxies = nonsense' 'webhook_networks = nonsense' \
            'owner_listen = 0.0.0.0:0' 'shop_tls_key = a' 'ca_url = nonsense' 'public_host = :1' "id = $long" "name = $long$long$long" \
            'shop_url = https://shop.example/kiosk' 'gateway_id = '; do
            unfit "$program" "$line" "${line%% =*}"
        done
        unfit "$program" 'shop_url = https://shop.example' 'but no shop_listen'
        unfit "$program" 'currencies = EUR, euro' "currencies: found 'euro'"
        unfit "$program" 'currencies = USD, JPY' 'currencies: ' 'without EUR'
        ;;
    setpay-gatewayd)
        for line in 'pan_prefixes = abc' 'cutoff_time = noon' 'keep_card_days = 1' "id = $long" 'ca_url = nonsense' \
            'tls_ca = a' 'address = 192.0.2.1:1'; do
            unfit "$program" "$line" "${line%% =*}"
        done
        unfit "$program" 'acquirer_id = bank' "acquirer's id"
        unfit "$program" 'pan_prefixes = none' '[brand visa] pan_prefixes: '
        { cat "$tmp/good"; printf '[fees vsia.EUR]\nmerchant = 1 %%\n'; } >"$tmp/bad"
        run "$bin/$program" --config "$tmp/bad" --check-config
        ok "$program --check-config: fees of a brand that there is not" holds '[ "$status" -eq 2 ]' '[ -z "$out" ]' \
            '[[ $err == *"[fees vsia.EUR]: there is no section [brand vsia]"* ]]'
        for name in visa visa. visa.XXY visa.EURO .EUR visa.EUR. visa.EUR.a.b; do
            { cat "$tmp/good"; printf '[fees %s]\nmerchant = 1 %%\n' "$name"; } >"$tmp/bad"
            run "$bin/$program" --config "$tmp/bad" --check-config
            ok "$program --check-config: [fees $name]" holds '[ "$status" -eq 2 ]' \
                '[[ $err == *": expected a brand and a currency, or these and a merchant: [fees visa.EUR], [fees visa.EUR.acme]"* ]]'
        done
        { cat "$tmp/good"; printf '[fees visa.EUR.acme]\nmerchant = 1 %%\n'; } >"$tmp/bad"
        run "$bin/$program" --config "$tmp/bad" --check-config
        ok "$program --check-config: a merchant's price and none of all" holds '[ "$status" -eq 2 ]' \
            '[[ $err == *"[fees visa.EUR.acme]: there is no section [fees visa.EUR] for all other merchants"* ]]'
        printf '[fees visa.EUR]\ninterchange = 0.2 %%\n' >>"$tmp/bad"
        run "$bin/$program" --config "$tmp/bad" --check-config
        ok "$program --check-config: a merchant's price" holds '[ "$status" -eq 0 ]'
        sed -i 's/^merchant = 1 %$/&\ninterchange = 0.1 %/' "$tmp/bad"
        run "$bin/$program" --config "$tmp/bad" --check-config
        ok "$program --check-config: a merchant's interchange" holds '[ "$status" -eq 2 ]' \
            '[[ $err == *"[fees visa.EUR.acme] interchange: issuers keep the same of every"* ]]'
        ;;
    setpay-issuersim)
        unfit "$program" 'name = a bank' 'name: '
        unfit "$program" 'listen = 0.0.0.0:0' 'listen: '
        unfit "$program" 'tls_cert = a' 'tls_key'
        ;;
    setpay-walletd) unfit "$program" "socket = $long" 'socket: ' ' 1 to 107' ;;
    esac
    case $program in
    setpay-issuersim | setpay-walletd) ;;
    *)
        { echo 'testing = yes'; good "$program"; } >"$tmp/good"
        unfit "$program" 'listen = 0.0.0.0:0' 'testing = yes is refused'
        ;;
    esac
    rm "$tmp/bad"
    bad "$program" 'no such file' 0 'No such file'
done
done_testing
