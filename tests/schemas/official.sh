#!/bin/sh
# official.sh REPORT: is a camt.054 of setpay's valid by ISO's own schema? Exit status 0 yes, 1 no
# (with xmllint's words), 77 where the schema can't be had.
#
# ISO's schemas may not stand in this tree, but Debian packages that of camt.054.001.04 among the tests
# of a bookkeeping program. setpay writes 001.08, whose entries differ in one place: a status became a
# choice. That is undone in a copy; all else has to be as the schema has it. Fetched once for each build.
# BUILD: the build folder.
set -eu
: "${BUILD:=build}"
package=tryton-modules-account-payment-sepa
sum=5f4ea2962f95c93bcd0c1b609f9c49dcc9e5d30928051b546b4f17eb35cd7880
folder=$BUILD/schemas
schema=$folder/camt.054.001.04.xsd
fetch() {
    fresh=$(mktemp -d "$folder/fetch.XXXXXX")
    (cd "$fresh" && { apt-get -qq download "$package" || { apt-get -qq update && apt-get -qq download "$package"; }; } &&
        dpkg-deb -x "$package"*.deb .) >/dev/null 2>&1 || { rm -rf "$fresh"; return 1; }
    find "$fresh" -name camt.054.001.04.xsd -exec mv {} "$schema" \;
    rm -rf "$fresh"
}
mkdir -p "$folder"
[ -f "$schema" ] || fetch || { echo "official.sh: $package can't be fetched" >&2; exit 77; }
echo "$sum  $schema" | sha256sum --status -c || { echo "official.sh: $schema is not the file that is meant" >&2; exit 77; }
copy=$(mktemp "$folder/report.XXXXXX")
trap 'rm -f "$copy"' EXIT
perl -0pe 's/camt\.054\.001\.08/camt.054.001.04/; s#<Sts>\s*<Cd>(\w+)</Cd>\s*</Sts>#<Sts>$1</Sts>#g' "$1" >"$copy"
xmllint --noout --nonet --schema "$schema" "$copy" 2>&1 || exit 1
