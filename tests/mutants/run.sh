#!/bin/bash
# run.sh [--check | --quick | --all] [NAME...]: applies single edits to the code, one at a time, and sees which
# test notices. Each must be noticed; what is not is listed.
#
#   run.sh            every mutant of list/*.txt, or those that are named (make mutants [ONLY=name])
#   run.sh --all ...  where the listed tests notice nothing, every other unit test too
#   run.sh --quick ... the listed unit tests alone, without the scripts
#   run.sh --check    builds and runs nothing: each edit still finds its place. TAP, for make test
#
# A mutant in a list:
#
#   mutant NAME
#   why    what the edit breaks, with the rule
#   file   PATH
#   tests  UNIT_TEST...        at least one of these must fail
#   also   SCRIPT...           or one of these; tried after them, since they take longer
#   equal  reason              nobody can notice it, and why; not run unless it is named
#   -
#   lines that stand in the file exactly once
#   +
#   lines in their place
#   .
#
# All work is done in a copy of the tree (BUILD/mutants/tree), which is built once; then only what an
# edit touches. A test must pass there without an edit before its failure counts.
set -uo pipefail
shopt -s lastpipe
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}" "${CC:=cc}" "${MUTANT_TIMEOUT:=300}"
unset MAKEFLAGS MFLAGS MAKELEVEL
here=$PWD
mkdir -p "$BUILD/mutants"
work=$(cd "$BUILD/mutants" && pwd)
tree=$work/tree
jobs=$(nproc)
mode=run
case ${1:-} in --check | --all | --quick) mode=${1#--} && shift ;; esac
only=("$@")

# ------------------------------------------------------------------ the lists

names=()
declare -A why file tests also equal olds news
# Several replacements of one mutant are kept one behind the other, with this between them.
separator=$'\x1e'

read_lists() {
    local line part='' name='' text=''
    while IFS= read -r line; do
        case $part$line in
        -+) olds[$name]+=${text%$'\n'}$separator part=+ text='' && continue ;;
        +- | +.) news[$name]+=${text%$'\n'}$separator part='' text='' ;;&
        +.) continue ;;
        +-) part=- && continue ;;
        esac
        if [ -n "$part" ]; then
            text+=$line$'\n'
            continue
        fi
        case $line in
        'mutant '*) name=${line#mutant } && names+=("$name") ;;
        'why    '*) why[$name]=${line#why    } ;;
        'file   '*) file[$name]=${line#file   } ;;
        'tests  '*) tests[$name]=${line#tests  } ;;
        'also   '*) also[$name]=${line#also   } ;;
        'equal  '*) equal[$name]=${line#equal  } ;;
        -) part=- text='' ;;
        '' | '#'*) ;;
        *) echo "not understood, in mutant $name: $line" >&2 && exit 1 ;;
        esac
    done < <(cat tests/mutants/list/*.txt)
}

# edit NAME: the file with its edits on standard output; words on standard error and failure where a
# text does not stand there exactly once.
edit() {
    local name=$1
    [ -f "${file[$name]}" ] || { echo "there is no ${file[$name]}" >&2; return 1; }
    OLD=${olds[$name]} NEW=${news[$name]} awk '
        function fail(word, text) {
            sub(/\n.*/, "", text)
            printf "%s: %s: \"%s\"\n", word, FILENAME, text >"/dev/stderr"
            failed = 1
            exit 1
        }
        BEGIN { RS = "\001" }
        { content = content $0 }
        END {
            if (failed) exit 1
            count = split(ENVIRON["OLD"], old, "\036") - 1
            split(ENVIRON["NEW"], new, "\036")
            for (i = 1; i <= count; i++) {
                at = index(content, old[i])
                if (old[i] == "" || at == 0) fail("stale", old[i])
                rest = substr(content, at + length(old[i]))
                if (index(rest, old[i]) != 0) fail("there twice", old[i])
                if (old[i] == new[i]) fail("no change", old[i])
                content = substr(content, 1, at - 1) new[i] rest
            }
            printf "%s", content
        }' "${file[$name]}"
}

# Words on what is wrong with an entry.
examine() {
    local name=$1 test
    [ -n "${why[$name]:-}" ] && [ -n "${file[$name]:-}" ] && [ -n "${tests[$name]:-}" ] ||
        echo "why, file or tests is missing"
    for test in ${tests[$name]:-}; do
        [ -f "tests/unit/$test.c" ] || echo "there is no tests/unit/$test.c"
    done
    for test in ${also[$name]:-}; do
        [ -x "$test" ] || echo "there is no $test"
    done
    # shellcheck disable=SC2069 # the words, not the file
    [ -z "${file[$name]:-}" ] || edit "$name" 2>&1 >/dev/null
}

read_lists
if [ "$mode" = check ]; then
    number=0
    result() { # NAME, and on standard input what is wrong
        local wrong
        number=$((number + 1))
        wrong=$(cat)
        if [ -z "$wrong" ]; then
            echo "ok $number - $1"
        else
            printf 'not ok %d - %s\n' "$number" "$1"
            sed 's/^/# /' <<<"$wrong"
        fi
    }
    for name in "${names[@]}"; do
        examine "$name" | sed "s/^/$name: /"
    done | result "every mutant finds its place in the code, once (${#names[@]})"
    printf '%s\n' "${names[@]}" | sort | uniq -d | result 'every mutant has a name of its own'
    echo "1..$number"
    exit 0
fi

# ------------------------------------------------------------------ building and running

say() { printf '%s\n' "$*" | tee -a "$work/report"; }

make_in_tree() {
    make -C "$tree" -j"$jobs" --no-print-directory BUILD=build CC="$CC" WERROR= CFLAGS=-w "$@" \
        >"$work/build.log" 2>&1
}

# passes TEST: a unit test by name, or a script.
passes() {
    local command=("build/tests/$1")
    case $1 in */*) command=("$1") ;; esac
    # The outer pair of braces hides what bash says about a program that died of a signal.
    { (cd "$tree" && BUILD=build CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 "$MUTANT_TIMEOUT" \
        "${command[@]}" >"$work/test.log" 2>&1 </dev/null); } 2>/dev/null &&
        ! grep -q '^not ok ' "$work/test.log" && grep -q '^ok ' "$work/test.log"
}

build_for() { # TEST...
    local test targets=()
    for test in "$@"; do
        case $test in
        */*) targets+=(build) ;;
        *)
            targets+=("build/tests/$test")
            # Some start the programs themselves.
            ! grep -qE 'test_gateway\.h|/bin/' "tests/unit/$test.c" || targets+=(build)
            ;;
        esac
    done
    make_in_tree "${targets[@]}"
}

chosen=()
for name in "${names[@]}"; do
    if [ ${#only[@]} -gt 0 ]; then
        [[ " ${only[*]} " == *" $name "* ]] && chosen+=("$name")
    else
        chosen+=("$name")
    fi
done
[ ${#chosen[@]} -gt 0 ] || { echo "there is no mutant ${only[*]}" >&2; exit 2; }

: >"$work/report"
mkdir -p "$tree"
# Only what differs, so that what was built for it stays.
git ls-files -z -co --exclude-standard | while IFS= read -r -d '' path; do
    [ -f "$path" ] || continue
    cmp -s "$path" "$tree/$path" || { mkdir -p "$tree/$(dirname "$path")" && cp "$path" "$tree/$path"; }
done

everything=()
if [ "$mode" = all ]; then
    for path in tests/unit/*.c; do
        test=$(basename "$path" .c)
        grep -qE "^	$test( |\$)" Makefile && everything+=("$test")
    done
fi

# Whether a test passes in the tree without an edit: looked at once, when it is first needed.
declare -A sound
is_sound() { # TEST PATH-OF-THE-EDITED-FILE
    if [ -z "${sound[$1]:-}" ]; then
        cp "$tree/$2" "$work/mutant" && cp "$here/$2" "$tree/$2"
        sound[$1]=no
        build_for "$1" && { passes "$1" || passes "$1"; } && sound[$1]=yes
        [ "${sound[$1]}" = yes ] || say "$1 fails without an edit: its failures do not count"
        cp "$work/mutant" "$tree/$2"
    fi
    [ "${sound[$1]}" = yes ]
}

# notices TEST PATH: the test fails with the edit, and without it passes.
notices() {
    build_for "$1" || return 1
    passes "$1" && return 1
    is_sound "$1" "$2"
}

caught=0 missed=() wrong=()
for name in "${chosen[@]}"; do
    if [ -n "${equal[$name]:-}" ] && [ ${#only[@]} -eq 0 ]; then
        say "$(printf '%-38s %s' "$name" "same: ${equal[$name]}")"
        continue
    fi
    path=${file[$name]}
    if ! edit "$name" >"$work/edited" 2>"$work/edit.log"; then
        say "$(printf '%-38s %s' "$name" "$(cat "$work/edit.log")")"
        wrong+=("$name")
        continue
    fi
    cp "$work/edited" "$tree/$path"
    by=''
    if ! build_for "${tests[$name]%% *}"; then
        say "$(printf '%-38s %s' "$name" "does not build: $(grep -m1 'error' "$work/build.log")")"
        wrong+=("$name")
    else
        slow=${also[$name]:-}
        [ "$mode" != quick ] || slow=''
        for test in ${tests[$name]} $slow "${everything[@]}"; do
            notices "$test" "$path" && by=$test && break
        done
        if [ -n "$by" ]; then
            caught=$((caught + 1))
            say "$(printf '%-38s caught by %s' "$name" "$by")"
        else
            missed+=("$name")
            say "$(printf '%-38s NOT CAUGHT: %s' "$name" "${why[$name]}")"
        fi
    fi
    cp "$here/$path" "$tree/$path"
done

say ''
say "${#chosen[@]} mutants: $caught caught, ${#missed[@]} not caught, ${#wrong[@]} that do not apply or build"
for name in "${missed[@]}"; do
    say "  not caught: $name: ${why[$name]}"
done
[ ${#missed[@]} -eq 0 ] && [ ${#wrong[@]} -eq 0 ]
