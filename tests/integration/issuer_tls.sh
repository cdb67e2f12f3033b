#!/usr/bin/env bash
# The line to an issuer over TLS 1.3: the gateway signs on where the issuer's certificate is the one
# that the configuration asks for, and nowhere else; it shows a certificate of its own where it has
# one; and what is missing in the configuration is said by name.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
cd "$tmp" || exit 1
umask 077
pids=()
cleanup() { for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done; }

# ------------------------------------------------------------------ a gateway, and an issuer's PKI
head -c 18 /dev/urandom | base64 >passphrase
ca() { "$bin/setpay-ca" --dir ca --passphrase-file passphrase "$@"; }
make_gateway() {
    ca init --name "Test root" && ca brand add visa &&
        ca bundle gateway --brand visa --id gateway-1 --out visa &&
        ca crl -o crls && cp ca/certificates/*.pem crls
}
ok "an authority, and keys of a gateway" make_gateway
openssl rand -hex 32 | tr -d '\n' >vault.key
make_ca() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.pem"
}
make_leaf() { # NAME CA KEY-TYPE: for the host NAME.test
    openssl req -newkey "$3" -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" &&
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 30 -out "$1.pem" \
            -extfile <(printf 'subjectAltName=DNS:%s.test\n' "$1")
}
make_all() {
    make_ca network && make_ca stranger && make_leaf issuer network rsa:2048 &&
        make_leaf acquirer network rsa:2048 && chmod 600 ./*.key
}
ok "an authority of the card network's" make_all

iso=$(free_port) frames=$(free_port) admin=$(free_port)
write_gateway() { # ADDRESS, then the lines of [issuer network]
    local address=$1
    shift
    cat >gateway.conf <<CONF
id = gateway-1
listen = 127.0.0.1:$frames
database = sqlite:gateway.db
log = gateway.log
admin_socket = gateway.sock
admin_address = 127.0.0.1:$admin
root = ca/root.pem
crls = crls
vault_key = vault.key
reconnect_min = 10ms
reconnect_max = 100ms
[brand visa]
sign_key = visa/sign.key
sign_cert = visa/sign.pem
encrypt_key = visa/encrypt.key
encrypt_cert = visa/encrypt.pem
tls_key = visa/tls-server.key
tls_cert = visa/tls-server.pem
pan_prefixes = 4
[issuer network]
address = $address
CONF
    printf '%s\n' "$@" >>gateway.conf
}
cat >issuer.conf <<CONF
listen = 127.0.0.1:$iso
database = sqlite:issuer.db
log = issuer.log
admin_socket = issuer.sock
tls_cert = issuer.pem
tls_key = issuer.key
CONF
"$bin/setpay-issuersim" --config issuer.conf &
issuer=$!
pids+=("$issuer")
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
ok "an issuer that speaks TLS" wait_for 10 listens "$iso"

start() { : >gateway.log; "$bin/setpay-gatewayd" --config gateway.conf & gateway=$!; pids+=("$gateway"); }
stop() { kill -TERM "$gateway"; wait "$gateway"; }
is_ready() { [ "$(curl -s -o ready -w '%{http_code}' "http://127.0.0.1:$admin/readyz")" = "$1" ]; }
log_has() { grep -q "$1" gateway.log; }

# ------------------------------------------------------------------ who is believed
write_gateway "127.0.0.1:$iso" "tls = yes" "tls_ca = network.pem" "tls_name = issuer.test"
start
ok "the gateway signs on" wait_for 10 is_ready 200
stop
refused() { # NAME LINES...
    local name=$1
    shift
    write_gateway "127.0.0.1:$iso" "$@"
    start
    ok "$name: the line is refused" wait_for 10 log_has 'event=line.closed.*error=TLS'
    ok "$name: and the gateway is not ready" wait_for 10 is_ready 503
    stop
}
refused "another authority" "tls = yes" "tls_ca = stranger.pem" "tls_name = issuer.test"
refused "another name" "tls = yes" "tls_ca = network.pem" "tls_name = other.test"

# ------------------------------------------------------------------ TLS 1.3 alone
mkfifo silence
exec 8<>silence # s_server ends where its input does
serve() { # FLAGS...: an issuer that is nothing but OpenSSL
    port=$(free_port)
    openssl s_server -accept "127.0.0.1:$port" -cert issuer.pem -key issuer.key "$@" >served 2>&1 <&8 &
    server=$!
    pids+=("$server")
    wait_for 10 listens "$port"
}
unserve() { kill -KILL "$server"; wait "$server" 2>/dev/null; }
served() { grep -q "$1" served; }
serve -tls1_2
write_gateway "127.0.0.1:$port" "tls = yes" "tls_ca = network.pem" "tls_name = issuer.test"
start
ok "TLS 1.2 is refused" wait_for 10 log_has 'event=line.closed.*error=TLS'
stop
unserve

# ------------------------------------------------------------------ our own certificate
serve -Verify 2 -CAfile network.pem -verify_return_error
write_gateway "127.0.0.1:$port" "tls = yes" "tls_ca = network.pem" "tls_name = issuer.test" \
    "tls_cert = acquirer.pem" "tls_key = acquirer.key"
start
ok "the gateway shows its certificate" wait_for 10 served 'CN *= *acquirer'

# ------------------------------------------------------------------ files that are replaced
accept_again() { # the same address, and nothing that was served before
    openssl s_server -accept "127.0.0.1:$port" -cert issuer.pem -key issuer.key -Verify 2 \
        -CAfile network.pem -verify_return_error >served 2>&1 <&8 &
    server=$!
    pids+=("$server")
}
reloads() { grep -c "$1" gateway.log; }
has_reloaded() { [ "$(reloads 'event=daemon.reload')" -gt "$before" ]; }
reload() {
    before=$(reloads 'event=daemon.reload')
    kill -HUP "$gateway"
    wait_for 10 has_reloaded
}
cp acquirer.pem first.pem
ok "a certificate by another name" make_leaf renewed network rsa:2048
chmod 600 renewed.key
cp renewed.pem acquirer.pem # and the key is still the other one's
ok "SIGHUP with half of a pair" reload
ok "is refused, and says why" log_has 'event=daemon.reload_failed.*tls_key: .* has not the key'
unserve
accept_again
ok "the next connection shows what was in use" wait_for 10 served 'CN *= *acquirer'
cp renewed.key acquirer.key
closed=$(reloads 'event=line.closed')
ok "SIGHUP with the whole pair" reload
is "no line is closed for it" "$(reloads 'event=line.closed')" "$closed"
unserve
accept_again
ok "the next connection shows the new certificate" wait_for 10 served 'CN *= *renewed'
cp first.pem acquirer.pem # as the rest of this test knows it
stop
unserve
cp network.pem few.pem
yes '# of the network' | head -c 100000 >>network.pem
ok "a backup takes the network's CAs, however many they are" \
    "$bin/setpay-gateway" --config gateway.conf backup "$PWD/gateway.backup"
is "and has them" "$(tar -xOf gateway.backup files/issuer.network/tls_ca | cmp - network.pem && echo yes)" yes
mv few.pem network.pem

# ------------------------------------------------------------------ what is wrong is named
wrong() { # NAME WORDS ADDRESS LINES...
    local name=$1 words=$2
    shift 2
    write_gateway "$@"
    "$bin/setpay-gatewayd" --config gateway.conf >said 2>&1
    is "$name, exit status" $? 2
    ok "$name: says so" grep -q -- "$words" said
}
wrong "no TLS away from loopback" "needs TLS" 192.0.2.1:7002
wrong "no tls_ca" "\[issuer network\] tls_ca is missing" "127.0.0.1:$iso" "tls = yes" "tls_name = issuer.test"
wrong "no tls_name" "\[issuer network\] tls_name is missing" "127.0.0.1:$iso" "tls = yes" "tls_ca = network.pem"
wrong "a file without certificates" "tls_ca: .*vault.key has no certificate" "127.0.0.1:$iso" "tls = yes" "tls_ca = vault.key" "tls_name = issuer.test"
wrong "a certificate without its key" "tls_cert and tls_key: both" "127.0.0.1:$iso" "tls = yes" "tls_ca = network.pem" "tls_name = issuer.test" "tls_cert = acquirer.pem"
wrong "another certificate's key" "tls_key: .* has not the key" "127.0.0.1:$iso" "tls = yes" "tls_ca = network.pem" "tls_name = issuer.test" "tls_cert = acquirer.pem" "tls_key = issuer.key"
wrong "keys without tls = yes" "tls_name is given, but tls is not yes" "127.0.0.1:$iso" "tls_name = issuer.test"

kill -TERM "$issuer"
wait "$issuer"
done_testing
