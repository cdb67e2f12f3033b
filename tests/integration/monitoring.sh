#!/bin/bash
# shellcheck disable=SC2154
# monitoring.sh: every metric, label and value of a label that an alert or the dashboard names is
# what a sandbox's daemons serve; what is served is in the page of figures; the alerts that tell of
# refusals and of a daemon that is not ready rise when that happens. Promtool's own checks of
# the rules. And the logs have only events and fields that the page of the log has.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/tap.bash
. tests/support/tap.bash
# shellcheck source=tests/support/sandbox.bash
. tests/support/sandbox.bash
folder=docs/monitoring

ok 'the sandbox comes up' up
[ -f "$state" ] || done_testing
new_order 1200 EUR
ok 'a purchase' wallet --json pay "$uri" --yes
ok 'what was sold' merchant order capture "$order_id"
metrics_of() { # DAEMON
    local admin
    admin=$(sed -n 's/^admin_address = //p' "$sandbox/$1.conf")
    curl -fsS "http://$admin/metrics"
}
# The figures of clearing are read every five seconds.
figure() { metrics_of "$1" | sed -n "s/^$2 //p"; }
owed() { [ "$(figure gateway 'setpay_gateway_balance_minor{account="merchant_payable",currency="EUR"}')" -gt 0 ]; }
ok 'the gateway owes the merchant' wait_for 15 owed
for daemon in wallet merchant gateway ca issuer; do
    metrics_of "$daemon" | tee "$tmp/$daemon.metrics"
done >"$tmp/served"
# Histograms are asked for by the series that they are made of.
grep -oE '^[a-z_]+' "$tmp/served" | sort -u >"$tmp/names"

expressions() { # FILE: its expressions, one a line
    case $1 in
    *.json) jq -r '.. | .expr? // empty' "$1" ;;
    *) awk '/^ *expr: >-$/ { inside = 1; next } inside && /^        [a-z]+:/ { inside = 0 }
            inside || sub(/^ *expr: /, "")' "$1" ;;
    esac
}
for file in "$folder"/*.rules.yml "$folder"/*.json; do
    expressions "$file" >"$tmp/expressions"
    [ "$(wc -l <"$tmp/expressions")" -ge 15 ]
    is "$file has expressions" $? 0
    unknown=$(grep -oE '\b(setpay|process)_[a-z_]+' "$tmp/expressions" | sort -u | grep -vxF -f "$tmp/names")
    is "every metric that $file names is served" "$unknown" ''
    # name{label="value"…}, each matcher on its own. job and instance are Prometheus's.
    unknown=$(grep -oE '\bsetpay_[a-z_]+\{[^}]*\}' "$tmp/expressions" | sort -u | while IFS='{' read -r name matchers; do
        grep -oE '[a-z_]+=~?"[^"$]*"' <<<"$matchers" | while IFS='=' read -r label values; do
            case $label in job | instance) continue ;; esac
            tr -d '~"' <<<"$values" | tr '|' '\n' | while read -r value; do
                grep -q "^$name{.*\b$label=\"$value\"" "$tmp/served" || echo "$name{$label=\"$value\"}"
            done
        done
    done)
    is "and every value of a label" "$unknown" ''
    unknown=$(grep -oE 'by \([a-z_, ]*\)|\{\{[a-z_]+\}\}' "$file" | grep -oE '[a-z_]+' | sort -u |
        grep -vxE 'by|instance|le|alertname' | while read -r label; do
        grep -q "[{,]$label=\"" "$tmp/served" || echo "$label"
    done)
    is "and every label that it groups by" "$unknown" ''
done
is 'every panel has a title, a place and an expression' "$(jq '[.panels[] | select(.type != "row") |
    select((.title | length) == 0 or (.targets | length) == 0 or .gridPos.w == null)] | length' "$folder/setpay-dashboard.json")" 0

# What is served is explained; type and meaning are there.
unknown=$(sed -n 's/^# TYPE \([a-z_]*\) \([a-z]*\)$/\1 \2/p' "$tmp/served" | sort -u | while read -r name type; do
    grep -qE "^\| \`$name\` \| $type \| .* \| [A-Z0-9].*\.? \|$" docs/reference/metrics.md || echo "$name $type"
done)
is 'every metric that is served is in docs/reference/metrics.md' "$unknown" ''
# name label value, of what is served and of the page: a label's values stand behind it, up to ";".
sed -nE 's/^(setpay_[a-z_]+)\{([^}]*)\} .*/\1 \2/p' "$tmp/served" | awk '
    { sub(/_(bucket|sum|count)$/, "", $1); count = split($2, labels, ",")
      for (i = 1; i <= count; i++) { split(labels[i], pair, "="); gsub(/"/, "", pair[2])
          if (pair[1] != "le") print $1, pair[1], pair[2] } }' | sort -u >"$tmp/served.labels"
awk -F ' [|] ' '/^[|] `setpay_/ {
    name = $1; gsub(/[|` ]/, "", name); count = split($3, labels, "; ")
    for (i = 1; i <= count; i++) { label = labels[i]; sub(/:.*/, "", label); gsub(/`/, "", label)
        values = labels[i]; sub(/^[^:]*: /, "", values); many = split(values, each, ", ")
        for (k = 1; k <= many; k++) print name, label, each[k] } }' docs/reference/metrics.md | sort -u >"$tmp/page.labels"
unknown=$(comm -23 "$tmp/served.labels" "$tmp/page.labels" | while read -r name label value; do
    grep -qxE "$name $label those (of the configuration|that were met)" "$tmp/page.labels" || echo "$name $label $value"
done)
is 'with all values of its labels' "$unknown" ''

# An alert's figure moves when that happens: a clock that is off, and a daemon that is not ready.
move_clock() { control "$(admin_socket "$1")" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$2}}" | jq -e .ok; }
before=$(figure merchant 'setpay_refusals_total{reason="date"}')
new_order 1300 EUR
move_clock wallet 600000 >/dev/null
wallet --json pay "$uri" --yes >"$tmp/refused" 2>&1
move_clock wallet 0 >/dev/null
refused_for_date() { [ "$(figure merchant 'setpay_refusals_total{reason="date"}')" -gt "$before" ]; }
ok "a wallet's clock that is off counts as a refusal for its date" wait_for 5 refused_for_date
# A daemon that has committed nothing has no counter that falls when it dies; its start moves.
started=$(figure ca process_start_time_seconds)
for daemon in wallet merchant gateway ca; do
    is "no backup was made of the $daemon's database" "$(figure "$daemon" setpay_backup_time_seconds)" 0
done
is 'a simulator has none' "$(figure issuer setpay_backup_time_seconds)" ''
ok 'a backup of the authority, while it works' "$bin/setpay-ca" --dir "$sandbox/ca" backup "$tmp/ca.backup"
backup=$(figure ca setpay_backup_time_seconds)
ok 'counts from now' jq -ne --argjson at "${backup:-0}" 'now - $at > -1 and now - $at < 600'
ok 'a daemon says when it was started, within the last hour' \
    jq -ne --argjson at "${started:-0}" 'now - $at > 0 and now - $at < 3600'
is 'and says the same again' "$(figure ca process_start_time_seconds)" "$started"
kill_daemon ca
ok 'it is started again' up
ok 'and says another time then' jq -ne --argjson at "$(figure ca process_start_time_seconds)" --argjson before "$started" '$at > $before'
is 'it knows its backup still' "$(figure ca setpay_backup_time_seconds)" "$backup"
is 'the merchant is ready' "$(figure merchant setpay_ready)" 1
kill_daemon issuer
not_ready() { [ "$(figure gateway setpay_ready)" = 0 ] && [ "$(figure gateway setpay_network_lines_up)" = 0 ]; }
ok 'without its issuer the gateway is not, and its line is down' wait_for 10 not_ready
is 'of one that there should be' "$(figure gateway setpay_network_lines)" 1

# The log, too, is what its page says, in both forms.
grep -hoE '^ts=[^ ]+ level=[a-z]+ event=[a-z0-9_.]+' "$sandbox"/log/*.log | sed 's/.* event=//' | sort -u >"$tmp/events"
[ "$(wc -l <"$tmp/events")" -ge 15 ]
is 'the logs have events' $? 0
odd=$(grep -hvE '^ts=[0-9T:.-]+Z level=(debug|info|warn|error) event=[a-z0-9_]+\.[a-z0-9_]+( [a-z_]+=("([^"\\]|\\.)*"|[^" ]+))*$' "$sandbox"/log/*.log)
is 'every line has time, level and event, and then fields' "$odd" ''
unknown=$(while read -r event; do
    grep -qF "| \`$event\` |" docs/reference/log.md || echo "$event"
done <"$tmp/events")
is 'and events that docs/reference/log.md has' "$unknown" ''
up >"$tmp/up" 2>&1
mv "$sandbox/log/gateway.log" "$tmp/gateway.log"
ok 'a gateway that logs in JSON' restart_with gateway 'log_format = json' 'log_level = debug'
new_order 1400 EUR
ok 'a purchase at it' wallet --json pay "$uri" --yes
unknown=$(jq -r '[.event, (del(.ts, .level, .event, .truncated) | keys_unsorted[])] | @tsv' "$sandbox/log/gateway.log" |
    tr '\t' '\n' | sort -u | while read -r word; do
    grep -qE "^\| \`$word\` \|" docs/reference/log.md || echo "$word"
done)
is 'writes objects whose events and fields the page has' "$?$unknown" 0
ok 'among them the decision' jq -ne 'first(inputs | select(.event == "auth.decided" and .level == "info")) | .xid and .amount' "$sandbox/log/gateway.log"

if promtool=$(tests/tool.sh find promtool 2>/dev/null); then
    ok 'promtool check rules' "$promtool" check rules "$folder/setpay.rules.yml"
    ok 'promtool test rules' "$promtool" test rules "$folder/setpay.rules.test.yml"
    for daemon in wallet merchant gateway ca issuer; do
        ok "promtool finds the metrics of the $daemon well-formed" bash -c '"$1" check metrics <"$2"' sh "$promtool" "$tmp/$daemon.metrics"
    done
else
    for name in 'promtool check rules' 'promtool test rules' 'promtool finds the metrics well-formed'; do
        lacks "$name" promtool
    done
fi
untested=$(sed -n 's/^ *- alert: //p' "$folder/setpay.rules.yml" | while read -r alert; do
    grep -q "$alert" "$folder/setpay.rules.test.yml" || echo "$alert"
done)
is 'each alert has been made to fire' "$untested" ''
done_testing
