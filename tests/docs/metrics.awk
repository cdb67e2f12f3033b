# metrics.awk: rows of docs/reference/metrics.md from one preprocessed C file on standard input.
# A metric is a `struct setpay_metric NAME = {...};` with designated initialisers
# (common/net/metrics.h); the values of its labels are a table of strings in the same file, or one
# that is filled from the configuration, or with all currencies.

{ text = text " " $0 }

# The strings of a piece of C, joined by a separator: "a" "b" -> a SEP b.
function strings(piece, separator,    out, found) {
    out = ""
    while (match(piece, /"[^"]*"/)) {
        found = substr(piece, RSTART + 1, RLENGTH - 2)
        out = out (out == "" ? "" : separator) found
        piece = substr(piece, RSTART + RLENGTH)
    }
    return out
}

# What follows the last occurrence of a mark in a piece; "" where there is none.
function after_last(piece, mark,    at, found) {
    found = ""
    while ((at = index(piece, mark)) > 0) {
        piece = substr(piece, at + length(mark))
        found = piece
    }
    return found
}

# The value of a designated member, up to the next one.
function member(piece, name,    at, rest) {
    at = index(piece, "." name " =")
    if (at == 0)
        return ""
    rest = substr(piece, at + length(name) + 3)
    if (match(rest, /, *\.[a-z_]+ =/))
        rest = substr(rest, 1, RSTART - 1)
    return rest
}

function label_cell(piece,    out, pair, name, table) {
    out = ""
    while (match(piece, /\{ *"[^"]*" *, *[a-z_]+ *\}/)) {
        pair = substr(piece, RSTART, RLENGTH)
        piece = substr(piece, RSTART + RLENGTH)
        name = strings(pair, "")
        table = pair
        sub(/^[^,]*, */, "", table)
        sub(/ *\}$/, "", table)
        if (!(table in values)) {
            print "metrics.awk: there is no table " table > "/dev/stderr"
            exit 1
        }
        out = out (out == "" ? "" : "; ") "`" name "`: " values[table]
    }
    return out == "" ? "–" : out
}

END {
    count = split(text, parts, /\};/)
    for (i = 1; i <= count; i++) {
        piece = after_last(parts[i], "const char *const ")
        if (piece ~ /^[a-z_]+\[[^]]*\] *= *\{/) {
            name = piece
            sub(/\[.*/, "", name)
            values[name] = strings(piece, ", ")
        }
    }
    # One that is filled at the start, from the configuration: static const char *NAME[SIZE];
    rest = text
    while (match(rest, /static const char \*[a-z_]+\[[^]]*\];/)) {
        name = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        sub(/^static const char \*/, "", name)
        sub(/\[.*/, "", name)
        values[name] = name == "currencies" ? "those that were met" : "those of the configuration"
    }
    for (i = 1; i <= count; i++) {
        piece = after_last(parts[i], "struct setpay_metric ")
        if (piece !~ /^[a-z_]+ *= *\{/)
            continue
        type = tolower(member(piece, "type"))
        sub(/.*setpay_metric_/, "", type)
        sub(/[^a-z].*/, "", type)
        printf "| `%s` | %s | %s | %s |\n", strings(member(piece, "name"), ""), type,
               label_cell(member(piece, "labels")), strings(member(piece, "help"), "")
    }
}
