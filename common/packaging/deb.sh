#!/bin/bash
# deb.sh: Debian packages of this tree into OUT, from a copy there, so that nothing is written
# elsewhere. What git tracks is packaged, as it stands in the working tree; without git, all but the
# build folder. The same tree and SOURCE_DATE_EPOCH (default: the last commit's time) give the same
# bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${VERSION:?}" "${OUT:=build/deb}"
case $(uname -m) in *64*) ;; *) echo "deb.sh: this is not tried on $(uname -m)" >&2 ;; esac
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -r Makefile +%s)}
export SOURCE_DATE_EPOCH
# Whoever builds packages for others says who they are, as for any Debian package.
maintainer="${DEBFULLNAME:-setpay developers} <${DEBEMAIL:-setpay@packages.invalid}>"

rm -rf "$OUT"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
tree=$OUT/setpay-$VERSION
mkdir "$tree"
# The list is read whole before anything is written, OUT being inside the tree.
{ git ls-files -z 2>/dev/null | grep -z . || find . -path ./build -prune -o -type f -print0; } >"$OUT/files"
tar -c --null --verbatim-files-from --ignore-failed-read -T "$OUT/files" | tar -x -C "$tree"
rm "$OUT/files"
cp -R common/packaging/debian "$tree/debian"
sed -i "s/@MAINTAINER@/$maintainer/" "$tree/debian/control"
cat >"$tree/debian/changelog" <<TEXT
setpay ($VERSION-1) unstable; urgency=medium

  * See /usr/share/doc/setpay-common/changes.md.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
# No time of a checkout is in a package.
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(
    cd "$tree"
    unset MAKEFLAGS MAKELEVEL MFLAGS CFLAGS CPPFLAGS LDFLAGS CC BUILD
    DEB_BUILD_OPTIONS="parallel=${JOBS:-$(nproc)} ${DEB_BUILD_OPTIONS:-}" \
        dpkg-buildpackage -us -uc -b >"$OUT/log" 2>&1
) || {
    tail -n 40 "$OUT/log" >&2
    echo "deb.sh: dpkg-buildpackage failed; all of it is in $OUT/log" >&2
    exit 1
}
rm -rf "$tree"
(cd "$OUT" && ls -- *.deb)
