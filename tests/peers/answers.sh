#!/usr/bin/env bash
# What the store's API has answered in all tests of this run is as its OpenAPI document says. The last test of a suite:
# tests/run.sh keeps the answers.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/tap.bash"
. "$here/../support/node.bash"
SETPAY_TREE=$(cd "$here/../.." && pwd)
export SETPAY_TREE

ok "npm brings the libraries" npm_libraries "$build/peers"
has_libraries || done_testing
ok "the answers were kept" test -d "${SETPAY_API_ANSWERS:-}"
script answers "$SETPAY_API_ANSWERS"
done_testing
