#!/bin/bash
# run.sh [--check | --quick | --all] [NAME...]: applies single edits to the code, one at a time, and sees which
# test notices. Each must be noticed; what is not is listed.
#
#   run.sh            every mutant of list/*.txt, or those that are named (make mutants [ONLY=name])
#   run.sh --all ...  where the listed tests notice nothing, every other unit test too
#   run.sh --quick ... only what stands under `tests`, which is quick
#   run.sh --check    builds and runs nothing: each edit still finds its place. TAP, for make test
#
# A mutant in a list:
#
#   mutant NAME
#   why    what the edit breaks, with the rule
#   file   PATH
#   tests  TEST...             at least one of these must fail
#   also   TEST...             or one of these; tried after them, since they take longer
#   with   NAME=VALUE...       the environment that these tests run in
#   equal  reason              nobody can notice it, and why; not run unless it is named
#   why not  reason            known not to be noticed, and why; run all the same
#   -
#   lines that stand in the file exactly once
#   +
#   lines in their place
#   .
#
# TEST is the name of a unit test, that of a program of tests/integration without its .c (races,
# hostile/gatewayd_form), or the path of a script. Programs whose effort can be chosen make less of it
# than in make test, and the same each time: see `effort` below, and `with`.
#
# All work is done in a copy of the tree (BUILD/mutants/tree), which is built once; then only what an
# edit touches, and of that only what the test needs. A test must pass there without an edit before
# its failure counts.
set -uo pipefail
shopt -s lastpipe
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}" "${CC:=cc}" "${MUTANT_TIMEOUT:=900}"
unset MAKEFLAGS MFLAGS MAKELEVEL
here=$PWD
mkdir -p "$BUILD/mutants"
work=$(cd "$BUILD/mutants" && pwd)
tree=$work/tree
jobs=$(nproc)
mode=run
# What races, crash_points and faults go through here: their schedules are fixed.
effort=(SETPAY_LONG=1 SEED=1 TRIES=200 PAIRS=0 SANDBOXES=2 COUNT=20)
case ${1:-} in --check | --all | --quick) mode=${1#--} && shift ;; esac
only=("$@")

# ------------------------------------------------------------------ the lists

names=()
declare -A why file tests also with equal why_not olds news
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
        'with   '*) with[$name]=${line#with   } ;;
        'why not  '*) why_not[$name]=${line#why not  } ;;
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

# kind_of TEST: unit, program or script; failure where there is none of that name.
kind_of() {
    case $1 in
    *.sh) [ -x "$1" ] && echo script ;;
    *) if [ -f "tests/unit/$1.c" ]; then echo unit; else [ -f "tests/integration/$1.c" ] && echo program; fi ;;
    esac
}

# Words on what is wrong with an entry.
examine() {
    local name=$1 test
    [ -n "${why[$name]:-}" ] && [ -n "${file[$name]:-}" ] && [ -n "${tests[$name]:-}" ] ||
        echo "why, file or tests is missing"
    for test in ${tests[$name]:-} ${also[$name]:-}; do
        kind_of "$test" >/dev/null || echo "there is no test $test"
    done
    for test in ${with[$name]:-}; do
        [[ $test =~ ^[A-Z_]+=. ]] || echo "no NAME=VALUE: $test"
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

# command_of TEST: what runs it, in the tree.
command_of() {
    case $(kind_of "$1") in
    unit) echo "build/tests/$1" ;;
    program) echo "build/tests/integration/$1" ;;
    *) echo "$1" ;;
    esac
}

# passes TEST NAME: the test passes, in the environment that the mutant NAME asks for. Its temporary
# files are its own, since a test that fails keeps them.
passes() {
    local scratch command
    command=$(command_of "$1")
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/mutant.XXXXXX") || exit 1
    # The outer pair of braces hides what bash says about a program that died of a signal.
    # shellcheck disable=SC2086 # words
    { (cd "$tree" && exec env "${effort[@]}" ${with[$2]:-} TMPDIR="$scratch" BUILD=build \
        CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 "$MUTANT_TIMEOUT" "$command" \
        >"$work/test.log" 2>&1 </dev/null); } 2>/dev/null
    status=$? # kept for notices
    rm -rf "$scratch"
    [ "$status" -eq 0 ] && ! grep -q '^not ok ' "$work/test.log" && grep -q '^ok ' "$work/test.log"
}

# Whether a test starts the programs: all do but most unit tests.
starts_programs() { # TEST
    [ "$(kind_of "$1")" != unit ] || grep -qE 'test_gateway\.h|/bin/' "tests/unit/$1.c"
}

build_for() { # TEST...
    local test targets=() tool
    for test in "$@"; do
        ! starts_programs "$test" || targets+=(build)
        case $(kind_of "$test") in
        unit) targets+=("build/tests/$test") ;;
        program) targets+=("build/tests/integration/$test") ;;
        script)
            # Its own tools stand in a folder of its name; where it uses another's, it names that.
            # shellcheck disable=SC2046 # a pattern
            for tool in "${test%.sh}"/*.c $(sed -n 's|^tools=\$build/\(tests/integration/[a-z_]*\)$|\1/*.c|p' "$test"); do
                [ ! -f "$tool" ] || targets+=("build/${tool%.c}")
            done
            ;;
        esac
    done
    make_in_tree "${targets[@]}"
}

chosen=()
for name in "${names[@]}"; do
    if [ ${#only[@]} -gt 0 ]; then
        [[ " ${only[*]} " != *" $name "* ]] || chosen+=("$name")
    else
        chosen+=("$name")
    fi
done
for name in "${only[@]}"; do
    [[ " ${names[*]} " == *" $name "* ]] || { echo "there is no mutant $name" >&2; exit 2; }
done

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
is_sound() { # TEST NAME
    local path=${file[$2]} key="$1 ${with[$2]:-}"
    if [ -z "${sound[$key]:-}" ]; then
        cp "$tree/$path" "$work/mutant" && cp "$here/$path" "$tree/$path"
        sound[$key]=no
        build_for "$1" && { passes "$1" "$2" || passes "$1" "$2"; } && sound[$key]=yes
        [ "${sound[$key]}" = yes ] || say "$1 fails without an edit: its failures do not count"
        cp "$work/mutant" "$tree/$path"
    fi
    [ "${sound[$key]}" = yes ]
}

# notices TEST NAME: the test fails with the edit, and without it passes. What starts daemons must fail
# twice, since a machine under load can make it fail once.
notices() {
    build_for "$1" || { say "$1 does not build with $2: $(grep -m1 'rror' "$work/build.log")"; return 1; }
    passes "$1" "$2" && return 1
    noticed=$(sed -n 's/^not ok [0-9]* - //p' "$work/test.log" | head -n 1)
    [ -n "$noticed" ] || noticed="status $status: $(tail -n 1 "$work/test.log")"
    if starts_programs "$1" && passes "$1" "$2"; then
        say "$1 fails with $2 ($noticed), and then not: that does not count"
        return 1
    fi
    is_sound "$1" "$2"
}

caught=0 same=() missed=() wrong=()
row() { say "$(printf '%-32s %s' "$1" "$2")"; }
for name in "${chosen[@]}"; do
    if [ -n "${equal[$name]:-}" ] && [ ${#only[@]} -eq 0 ]; then
        row "$name" "equivalent: ${equal[$name]}"
        same+=("$name")
        continue
    fi
    path=${file[$name]}
    if ! edit "$name" >"$work/edited" 2>"$work/edit.log"; then
        row "$name" "$(cat "$work/edit.log")"
        wrong+=("$name")
        continue
    fi
    cp "$work/edited" "$tree/$path"
    by=''
    if ! build_for "${tests[$name]%% *}"; then
        row "$name" "does not build: $(grep -m1 'error' "$work/build.log")"
        wrong+=("$name")
    else
        slow=${also[$name]:-}
        [ "$mode" != quick ] || slow=''
        for test in ${tests[$name]} $slow "${everything[@]}"; do
            notices "$test" "$name" && by=$test && break
        done
        if [ -n "$by" ]; then
            caught=$((caught + 1))
            row "$name" "caught by $by: $noticed"
            [ -z "${why_not[$name]:-}" ] || say "  its entry says that nobody notices it"
        elif [ -n "${equal[$name]:-}" ]; then
            row "$name" "equivalent: ${equal[$name]}"
            same+=("$name")
        else
            missed+=("$name")
            row "$name" "NOT CAUGHT: ${why[$name]}"
        fi
    fi
    cp "$here/$path" "$tree/$path"
done

say ''
say "${#chosen[@]} mutants: $caught caught, ${#same[@]} equivalent, ${#missed[@]} not caught, ${#wrong[@]} that do not apply or build"
for name in "${same[@]}"; do
    say "  equivalent: $name: ${equal[$name]}"
done
for name in "${missed[@]}"; do
    say "  not caught: $name: ${why[$name]}${why_not[$name]:+; ${why_not[$name]}}"
done
for name in "${wrong[@]}"; do
    say "  does not apply or build: $name"
done
[ ${#missed[@]} -eq 0 ] && [ ${#wrong[@]} -eq 0 ]
