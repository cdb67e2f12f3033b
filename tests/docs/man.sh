#!/bin/bash
# man.sh: the manual pages are well-formed; every program has one, and what is in section 5 is referred
# to by a program's; page and --help name the same options and commands; a page's keys of the
# configuration exist; references lead to pages; make install puts each into its section. Prints TAP.
set -uo pipefail
shopt -s lastpipe # result counts in this shell
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}"
bin=$BUILD/bin
tmp=$(mktemp -d "${TMPDIR:-/tmp}/setpay-man.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

number=0 failures=0
result() { # NAME, and on standard input what is wrong
    local wrong
    number=$((number + 1))
    wrong=$(cat)
    if [ -z "$wrong" ]; then
        echo "ok $number - $1"
    else
        failures=$((failures + 1))
        echo "not ok $number - $1"
        sed 's/^/# /' <<<"$wrong"
    fi
}

# Programs and scripts as the Makefile lists them; what the sandbox sources is no program.
programs=$(make -s --no-print-directory -f - list <<'MAKE'
include Makefile
.PHONY: list
list:
	@printf '%s\n' $(PROGRAMS) $(notdir $(filter-out %-demo,$(SCRIPTS)))
MAKE
)
pages=$(printf '%s\n' docs/man/*.[1-8])
[ "$(wc -l <<<"$programs")" -ge 9 ] || echo "only these were found: $programs" | result 'the Makefile lists programs'

# shellcheck disable=SC2086 # one word for each page
mandoc -Tlint -W warning $pages 2>&1 | result 'mandoc finds nothing wrong in any page'

page_of() { compgen -G "docs/man/$1.[18]"; }
for program in $programs; do
    [ "$(page_of "$program" | wc -l)" -eq 1 ] || echo "$program: expected one page docs/man/$program.1 or .8"
done | result 'every program has a page'

for page in $pages; do
    name=${page##*/}
    # A page of section 5 is of a file, to which a program's page refers.
    case $name in
    *.5) grep -qE "^\.?Xr ${name%.*} 5" docs/man/*.[18] || echo "$page: no program's page refers to it" ;;
    *) grep -qxF "${name%.*}" <<<"$programs" || echo "$page: there is no such program" ;;
    esac
    grep -qix "\.Dt ${name%.*} ${name##*.}" "$page" || echo "$page: .Dt names another page"
    grep -oE '^\.Xr setpay[a-z-]* [0-9]|Xr setpay[a-z-]* [0-9]' "$page" | sed -E 's/^\.?Xr //' | sort -u |
        while read -r other section; do
            [ -f "docs/man/$other.$section" ] || echo "$page: there is no $other($section)"
        done
done | result 'pages are of programs, and refer to pages that exist'

# shellcheck disable=SC2086 # one word for each page
grep -noE '\bdocs/[a-z0-9/-]+\.md' $pages | while IFS=: read -r page line path; do
    [ -f "$path" ] || echo "$page:$line: there is no $path"
done | result 'every page of docs/ that a manual page names is there'

# What a daemon says of its keys is no option of its own: setpay(5) and the tables have these.
help_of() { "$bin/$1" --help | sed '/^Every key of the configuration/,$d'; }
options_of_help() {
    help_of "$1" | grep -oE -- '(^|[][ |,])(--[a-z][a-z-]*[a-z]|-[a-z])\b' | grep -oE -- '-.*' | sort -u
}
# "Fl -name" is --name, "Fl o" is -o. Examples, and what .Sh FILES says, are of other programs too.
options_of_page() {
    sed '/^\.Bd/,/^\.Ed/d; /^\.Sh FILES/,/^\.Sh/d' "$1" | grep -E '^\.' |
        grep -oP 'Fl (-[a-z][a-z-]*[a-z]|[a-z])(?= |$)' | sed -E 's/^Fl /-/' | sort -u
}
for program in $programs; do
    page=$(page_of "$program")
    diff <(options_of_help "$program") <(options_of_page "$page") |
        sed -nE "s|^< (.*)|$program --help has \1, and $page has not|p; s|^> (.*)|$page has \1, and $program --help has not|p"
done | result 'page and --help name the same options'

# A command: a line of --help that begins with two blanks and lower-case words.
for program in $programs; do
    page=$(page_of "$program")
    help_of "$program" | grep -oE '^  [a-z]+( [a-z]+)?( |$)' | sed -E 's/^ +//; s/ +$//' |
        while read -r words; do
            case $words in *_*) continue ;; esac
            # The second word may be the first of the explanation.
            grep -qE "^\.It Cm (${words% *}|$words)( |$)" "$page" || echo "$page: the command '$words' is missing"
        done
done | result 'every command of --help is in the page'

for program in $programs; do
    page=$(page_of "$program")
    help=$("$bin/$program" --help)
    sed -n '/^\.Ss Keys/,/^\.S[sh] /p' "$page" | grep -E '^\.(It )?Cm ' | sed -E 's/^\.It //; s/\bCm\b//g' |
        tr -c 'a-z_\n' ' ' | tr -s ' ' '\n' | grep . | while read -r key; do
        grep -qE "^  --([a-z]+\.NAME\.)?$key " <<<"$help" || echo "$page: $program has no key $key"
    done
done | result "every key of a page is one of its program's"

env -u MAKEFLAGS -u MAKELEVEL make -s --no-print-directory install BUILD="$BUILD" DESTDIR="$tmp" PREFIX=/usr >"$tmp/log" 2>&1 ||
    result 'make install ends well' <"$tmp/log"
{
    for page in $pages; do
        cmp "$page" "$tmp/usr/share/man/man${page##*.}/${page##*/}" 2>&1
    done
    for program in $programs; do
        [ "$("$tmp/usr/bin/$program" --version)" = "$("$bin/$program" --version)" ] || echo "$program is not installed"
    done
    [ "$(find "$tmp/usr/bin" -type f | wc -l)" -eq "$(wc -l <<<"$programs")" ] || ls "$tmp/usr/bin"
    bash -n "$tmp/usr/share/setpay/setpay-sandbox-demo" 2>&1
} | result 'make install puts programs and pages where they belong, and nothing else into bin'

echo "1..$number"
exit $((failures > 0))
