# Settlements, as the gateway makes and reports them. Sourced after sandbox.bash.
# shellcheck shell=bash disable=SC2154

# settled_after DAYS: the gateway settles so many days later by its own clock, and by nobody else's.
clock() { control "$(admin_socket gateway)" "{\"id\":1,\"command\":\"testing.clock\",\"args\":{\"offset_ms\":$1}}" | jq -e .ok; }
settled_after() {
    clock $(($1 * 86400000)) || return 1
    gateway settle
    local status=$?
    clock 0 && return $status
}
# sealed: a file whose rows or header were edited, with totals, payout and end made anew.
sealed() {
    awk -F, -v OFS=, '
        $1 == "header" || $1 == "row" { print }
        $1 == "row" { rows++ }
        $1 == "row" && $2 != "credit" && $8 == "00" { c++; cm += $6; cf += $7 }
        $1 == "row" && $2 == "credit" && $8 == "00" { d++; dm += $6; df += $7 }
        END {
            print "items", c + 0, cm + 0, cf + 0, d + 0, dm + 0, df + 0, 0, 0
            print "others", 0, 0, 0, 0, 0, 0
            net = cm - cf - dm + df
            print "payout", 0, 0, 0, 0, 0, (net > 0 ? net : 0), (net < 0 ? net : 0)
            print rows + 0 >"/dev/stderr"
        }' 2>"$tmp/rows" >"$tmp/body"
    cat "$tmp/body"
    printf 'end,%s,%s\n' "$(cat "$tmp/rows")" "$(sha256sum <"$tmp/body" | cut -d ' ' -f 1)"
}
other_id() { sed "s/^\(header,[^,]*,1,[^,]*,\)[^,]*/\1$1/"; } # other_id ID: another settlement's
# read_in DAY: the merchant reads in what the gateway has settled of that day; it stands in $tmp/day.csv.
read_in() {
    gateway report settlement --date "$1" --merchant-id "$(gateway --json merchant list | jq -r '.merchants[0].id')" \
        --format items >"$tmp/day.csv" && merchant settlement import "$tmp/day.csv"
}
