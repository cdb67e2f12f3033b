# TAP for integration tests in bash. Sourced: sets $bin (programs) and $tmp (removed at the end).
#
#   ok NAME COMMAND...     passes when the command succeeds; its output shows when it does not
#   is NAME GOT EXPECTED   compares two texts
#   wait_for SECONDS COMMAND...  until it succeeds
#   wait_gone PID          until that process has ended
#   free_port              a port that nobody listens on, and that no other test takes
#   flip FILE OFFSET       changes one bit of the byte there: whatever it is, it is another one after
#   is_long                are all cases to be gone through (SETPAY_LONG=1), or a few of each kind?
#   skip_all WHY           ends here; what was not run is counted as skipped
#   lacks NAME PROGRAM     what can't be tried without it: skipped, or with SETPAY_LONG=1 a failure
#   done_testing           the plan; exit status 1 when something failed
# shellcheck shell=bash
build=${BUILD:-build}
bin=$(cd "$build/bin" && pwd) || exit 1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/setpay-test.XXXXXX") || exit 1
n=0 failures=0
cleanup() { :; }
trap 'cleanup; rm -rf "$tmp"' EXIT

ok() {
    local name=$1
    shift
    n=$((n + 1))
    if "$@" >"$tmp/out" 2>&1; then
        echo "ok $n - $name"
    else
        local status=$?
        echo "not ok $n - $name"
        echo "# exit status $status of: $*"
        sed 's/^/# /' "$tmp/out"
        failures=$((failures + 1))
    fi
}

is() {
    n=$((n + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n - $1"
    else
        printf 'not ok %d - %s\n# got:      %s\n# expected: %s\n' "$n" "$1" "$2" "$3"
        failures=$((failures + 1))
    fi
}

flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1") || return 1
    # shellcheck disable=SC2059 # the byte is the format
    printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# skip_all WHY: ends here; what was not run is counted as such.
skip_all() {
    n=$((n + 1))
    echo "ok $n - the rest # SKIP $1"
    done_testing
}

is_long() { [ "${SETPAY_LONG:-}" = 1 ]; }

lacks() {
    n=$((n + 1))
    if is_long; then
        printf 'not ok %d - %s\n# there is no %s here: tests/deps.sh test brings it\n' "$n" "$1" "$2"
        failures=$((failures + 1))
    else
        echo "ok $n - $1 # SKIP there is no $2 here"
    fi
}

wait_for() {
    local deadline=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$deadline" ] || { echo "still not after the limit: $*"; return 1; }
        sleep 0.02
    done
}

# Of the ports that sandboxes choose from, below those of outgoing connections; written down where they
# write theirs (reserve_ports in tests/sandbox/setpay-sandbox).
free_port() {
    local port now taken list=${TMPDIR:-/tmp}/setpay-sandbox-ports.$(id -u).lock
    exec {list_fd}>>"$list"
    flock "$list_fd"
    now=$(date +%s)
    taken=" $(awk -v since=$((now - 600)) '$2 > since { print $1 }' "$list" | tr '\n' ' ')"
    while :; do
        port=$((12000 + (RANDOM * 32768 + RANDOM) % 20000))
        case $taken in *" $port "*) continue ;; esac
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port $now" >&"$list_fd"
    exec {list_fd}>&-
    echo "$port"
}

# wait_gone PID: until the process has ended; a zombie that init has not waited for yet has.
is_gone() { [ -z "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]; } 2>/dev/null
wait_gone() { wait_for 30 is_gone "$1"; }

done_testing() {
    echo "1..$n"
    [ "$failures" -eq 0 ]
    exit
}
