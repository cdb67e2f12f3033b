#!/bin/bash
# install.sh: what `make install` does, which gives the variables and the programs and pages by name.
# Below DESTDIR; the configurations in SYSCONFDIR only where none is there yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${BUILD:=build}" "${PREFIX:=/usr/local}" "${DESTDIR:=}" "${PROGRAMS:?}" "${PAGES:?}" "${SYSCONFDIR:=/etc}"
: "${UNITDIR:=$PREFIX/lib/systemd/system}"
share=$DESTDIR$PREFIX/share

put() { # MODE SOURCE TARGET
    install -D -m "$1" "$2" "$DESTDIR$3"
}
# One that names programs, or files of the configuration: it names them where they now are.
put_naming() { # SOURCE TARGET
    put 644 "$1" "$2"
    sed -i -e "s|/usr/bin/setpay|$PREFIX/bin/setpay|g" -e "s|/etc/setpay|$SYSCONFDIR/setpay|g" "$DESTDIR$2"
}

for program in $PROGRAMS; do
    put 755 "$BUILD/bin/$program" "$PREFIX/bin/$program"
done
for page in $PAGES; do
    put 644 "$page" "$PREFIX/share/man/man${page##*.}/${page##*/}"
done
# What the sandbox sources for its demo is no program, and goes where nobody runs it.
put 644 tests/sandbox/setpay-sandbox-demo "$PREFIX/share/setpay/setpay-sandbox-demo"
for file in "$BUILD"/share/setpay/shop/*; do
    put 644 "$file" "$PREFIX/share/setpay/shop/${file##*/}"
done
put 644 cardholder/cli/setpay-wallet.desktop "$PREFIX/share/applications/setpay-wallet.desktop"

for party in ca merchant gateway; do
    put_naming "$party/setpay-${party}d.service" "$UNITDIR/setpay-${party}d.service"
    put 644 "$party/sysusers.conf" "$PREFIX/lib/sysusers.d/setpay-$party.conf"
    put_naming "$party/tmpfiles.conf" "$PREFIX/lib/tmpfiles.d/setpay-$party.conf"
    [ -e "$DESTDIR$SYSCONFDIR/setpay/$party.conf" ] ||
        put_naming "$party/$party.conf" "$SYSCONFDIR/setpay/$party.conf"
done
# %E there is a folder of the user's own.
put_naming cardholder/setpay-walletd.service "$PREFIX/lib/systemd/user/setpay-walletd.service"
put 644 cardholder/wallet.conf "$PREFIX/share/doc/setpay/examples/wallet.conf"

# The pages, in their folders, so that the links between them hold; without those about the tree.
find docs -type f ! -path 'docs/man/*' | while read -r file; do
    install -D -m 644 "$file" "$share/doc/setpay/${file#docs/}"
done
