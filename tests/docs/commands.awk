# commands.awk: what pages name in passing of the programs' commands, held against what --help says.
#
#   awk -f commands.awk HELP SPANS
#
# HELP: a line "PROGRAM<TAB>a line of its --help" for each. SPANS: "PLACE<TAB>setpay-x words". Prints a line for
# each span that names a program, command or option that is not there; nothing where all are.
BEGIN { FS = "\t" }

# "--name", "-o", in the form that both sides have; "" where the text begins with none.
function option_at(text) {
    if (match(text, /^--[a-z][a-z_]*(-[a-z_]+)*/) || match(text, /^-[a-zA-Z]/)) return substr(text, 1, RLENGTH)
    return ""
}

# Takes the options of a text of --help into those of a command ("": of all of the program's).
function learn_options(program, command, text,    name, before) {
    gsub(/"[^"]*"/, "Q", text)
    before = " "
    while (text != "") {
        name = before ~ /[ ,|\[]/ ? option_at(text) : ""
        if (name != "") {
            takes[program, command, name] = 1
            text = substr(text, length(name) + 1)
            if (text ~ /^[ =][^ \[|-]/) has_value[program, name] = 1
            before = "-"
        } else {
            before = substr(text, 1, 1)
            text = substr(text, 2)
        }
    }
}

# The one or two words that a text begins with.
function command_at(text,    words, count) {
    count = split(text, words, " ")
    if (count == 0 || words[1] !~ /^[a-z][a-z-]*$/) return ""
    return count > 1 && words[2] ~ /^[a-z][a-z-]*$/ ? words[1] " " words[2] : words[1]
}

# "name USAGE", or "name  what it does", where some programs say the usage too.
function learn_command(program, text,    command, first, head) {
    head = text
    sub(/  .*/, "", head)
    command = command_at(head)
    if (command == "") return
    first = command
    sub(/ .*/, "", first)
    topic[program, first] = 1
    is_command[program, command] = 1
    if (text != command) has_more[program, command] = 1
    learn_options(program, command, text)
    learn_options(program, first " *", text)
}

# ------------------------------------------------------------------ what there is
NR == FNR {
    program = $1
    line = $2
    known[program] = 1
    if (line ~ /^(usage: |       )setpay-[a-z]+ /) {
        sub(/^ *(usage: *)?setpay-[a-z]+ /, "", line)
        learn_options(program, "", line)
        learn_command(program, line)
    } else if (line ~ /^  [a-z]/) {
        learn_command(program, substr(line, 3))
    } else if (line ~ /^  -/) {
        line = substr(line, 3)
        sub(/  .*/, "", line)
        learn_options(program, "", line)
    }
    next
}

# ------------------------------------------------------------------ what is named
function wrong(words) { printf "%s: `%s`: %s\n", place, span, words }

function check(program, count, words,    at, name, list, options, asked, command, i) {
    asked = options = 0
    for (at = 2; at <= count; at++) {
        if (words[at] ~ /^[|<>;&]/) break
        sub(/^\[+/, "", words[at])
        name = option_at(words[at])
        if (name != "") {
            list[++options] = name
            if (words[at] == name && (program, name) in has_value) at++
        } else {
            gsub(/[\],.]+$/, "", words[at])
            if (words[at] != "" && words[at] != "…") asked_words[++asked] = words[at]
        }
    }
    command = ""
    if (asked > 0 && asked_words[1] ~ /^[a-z][a-z-]*$/) {
        command = asked_words[1]
        if (asked > 1 && (program, command " " asked_words[2]) in is_command) {
            command = command " " asked_words[2]
        } else if ((program, command) in is_command) {
            if (asked > 1 && !((program, command) in has_more)) return wrong("'" command "' takes no word")
        } else if (asked > 1 || !((program, command) in topic)) {
            return wrong("there is no such command")
        } else {
            command = command " *"
        }
    }
    for (i = 1; i <= options; i++)
        if (!((program, "", list[i]) in takes) && !((program, command, list[i]) in takes))
            wrong(list[i] " is not one of its options")
}

{
    place = $1
    span = line = $2
    gsub(/"[^"]*"/, "Q", line)
    while (line ~ /^[A-Z][A-Z_]*=[^ ]* /) sub(/^[^ ]* /, "", line)
    count = split(line, words, " ")
    sub(/^build\/bin\//, "", words[1])
    if (words[1] in known) check(words[1], count, words)
    else wrong("there is no such program")
}
