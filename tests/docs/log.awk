# log.awk: rows "EVENT<TAB>LEVELS<TAB>FIELDS" of the log lines that C files write, given one after
# the other (gawk is not needed). A line is written by setpay_log(level, "area.event", fields…),
# setpay_log_error(error, "area.event", fields…), or by a static function log_NAME(…, "area.event")
# of the same file, which hands its event on. An event that is no literal can't be documented: error.

FNR == 1 { flush_file(); file = FILENAME }
{ text = text " " $0 }
END {
    flush_file()
    if (failed)
        exit 1
    for (event in levels)
        printf "%s\t%s\t%s\n", event, levels[event], fields[event]
}

# The call that begins at the start of piece, up to its closing parenthesis.
function call_of(piece,    i, depth, c, quoted) {
    for (i = 1; i <= length(piece); i++) {
        c = substr(piece, i, 1)
        if (quoted) {
            if (c == "\\")
                i++
            else if (c == "\"")
                quoted = 0
        } else if (c == "\"")
            quoted = 1
        else if (c == "(")
            depth++
        else if (c == ")" && --depth == 0)
            return substr(piece, 1, i)
    }
    return piece
}

# The list with a value added, unless it has it.
function with(list, value) {
    return index(", " list ", ", ", " value ", ") ? list : (list == "" ? "" : list ", ") value
}

# Level names in a piece of C; those of a condition are two.
function levels_in(piece,    out, name) {
    while (match(piece, /SETPAY_LOG_[A-Z]+/)) {
        name = tolower(substr(piece, RSTART + 11, RLENGTH - 11))
        out = with(out, name)
        piece = substr(piece, RSTART + RLENGTH)
    }
    return out == "" ? "by a condition" : out
}

function fields_in(piece,    out, name) {
    while (match(piece, /setpay_field_(error\(|[a-z]+\( *"[a-z_0-9]+")/)) {
        name = substr(piece, RSTART, RLENGTH)
        piece = substr(piece, RSTART + RLENGTH)
        if (name ~ /^setpay_field_error/)
            name = "error\"rule\""
        else
            sub(/^[^"]*"/, "", name)
        while (match(name, /^[^"]+/)) {
            out = with(out, substr(name, 1, RLENGTH))
            name = substr(name, RLENGTH + 2)
        }
    }
    return out
}

function add(event, level, of_fields,    list, count, i) {
    count = split(level, list, ", ")
    for (i = 1; i <= count; i++)
        levels[event] = with(levels[event], list[i])
    count = split(of_fields, list, ", ")
    for (i = 1; i <= count; i++)
        fields[event] = with(fields[event], list[i])
}

function take_call(call,    head, level, of_fields, found) {
    head = call
    sub(/setpay_field_.*/, "", head)
    if (call ~ /^setpay_log_error/) {
        level = "the error's"
        of_fields = "error, rule, " fields_in(call)
        sub(/, $/, "", of_fields)
    } else if (call ~ /^setpay_log/) {
        level = levels_in(head)
        of_fields = fields_in(call)
    } else {
        level = handed_level
        of_fields = handed_fields
    }
    found = 0
    while (match(head, /"[a-z0-9_]+\.[a-z0-9_]+"/)) {
        add(substr(head, RSTART + 1, RLENGTH - 2), level, of_fields)
        head = substr(head, RSTART + RLENGTH)
        found++
    }
    if (found)
        return
    if (call ~ /^setpay_log/ && head ~ /[ ,(]event[ ,]/) {
        handed_level = level
        handed_fields = of_fields
    } else if (call ~ /^setpay_log/) {
        print "log.awk: " file ": the event is no literal: " substr(call, 1, 100) > "/dev/stderr"
        failed = 1
    }
}

function flush_file(    piece, call, before) {
    piece = text
    text = handed_level = handed_fields = ""
    while (match(piece, /\/\*/)) {
        before = substr(piece, 1, RSTART - 1)
        piece = substr(piece, RSTART + 2)
        text = text before " "
        piece = match(piece, /\*\//) ? substr(piece, RSTART + 2) : ""
    }
    piece = text piece
    text = ""
    while (match(piece, /(setpay_log|setpay_log_error|[^a-z_]log_[a-z]+)\(/)) {
        piece = substr(piece, substr(piece, RSTART, 1) ~ /[a-z]/ ? RSTART : RSTART + 1)
        call = call_of(piece)
        # A definition has types.
        if (call !~ /const struct |enum setpay_[a-z_]+ [a-z]/)
            take_call(call)
        piece = substr(piece, index(piece, "(") + 1)
    }
}
