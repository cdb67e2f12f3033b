#!/bin/bash
# lint.sh: formatting, clang-tidy, cppcheck, layers and headers over all of our C; exit status 1 when one of
# them finds something. LINT_FILES: only these files.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
: "${BUILD:=build}" "${JOBS:=$(nproc)}"
export BUILD

mapfile -t all < <(find common ca gateway merchant cardholder tests -name '*.[ch]' | sort)
[ -z "${LINT_FILES:-}" ] || read -ra all <<<"$LINT_FILES"
mapfile -t units < <(printf '%s\n' "${all[@]}" | grep '\.c$')
packages='libcrypto libssl libevent_core libevent_extra libevent_openssl libevent_pthreads
    libprotobuf-c sqlite3 jansson inih libarchive gmime-3.0'
# shellcheck disable=SC2086 # words
read -ra flags < <(pkg-config --cflags $packages)
flags+=(-std=c11 -D_GNU_SOURCE -DSETPAY_VERSION='"0"' -I. -I"$BUILD/gen" -pthread -Wall -Wextra)
status=0

echo 'clang-format'
clang-format --dry-run -Werror "${all[@]}" || status=1

echo 'clang-tidy'
# One process a file, since it is slow; the flags hold no blanks.
export TIDY_FLAGS="${flags[*]}"
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\0' "${units[@]}" |
    xargs -0 -n 1 -P "$JOBS" sh -c 'exec clang-tidy --quiet "$1" -- $TIDY_FLAGS 2>/dev/null' tidy \
        >"$BUILD/tidy.log" || status=1
cat "$BUILD/tidy.log"

echo 'cppcheck'
# missingIncludeSystem: the libraries' headers are not looked for, which is quicker and finds the same.
# unusedFunction can't be judged per file, and knownConditionTrueFalse misreads checks that guard
# against a table's future rows.
# varFuncNullUB: POSIX's NULL is a pointer, and so ends a list of arguments.
# Jansson's loops are told to it as what they expand to.
cat >"$BUILD/cppcheck.h" <<'EOF'
#define json_array_foreach(a, i, v) for (i = 0; i < json_array_size(a) && (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v) for (k = 0; (v = json_object_get(o, k));)
EOF
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
    --error-exitcode=1 --suppress=missingIncludeSystem --suppress=missingInclude \
    --suppress=varFuncNullUB \
    --include="$BUILD/cppcheck.h" \
    -D_GNU_SOURCE -I. -j "$JOBS" "${units[@]}" || status=1

for rule in layers headers; do
    echo "$rule"
    "tests/$rule.sh" | tee "$BUILD/$rule.log"
    ! grep -q '^not ok' "$BUILD/$rule.log" || status=1
done
exit $status
