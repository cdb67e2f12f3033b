/*
 * Two tables say everything about the command line: commands with the options that they take, and
 * options with where their value goes. Help is printed from the same tables.
 *
 * Options may stand before or behind the command, as --name VALUE or --name=VALUE; "--" ends them.
 * An option that a command does not take is refused, and never silently ignored: who writes --max
 * believes that it limits something.
 */
#include "cardholder/cli/options.h"

#include <string.h>

enum option_code {
    OPTION_SOCKET,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_PASSPHRASE_FILE,
    OPTION_SECURITY_CODE,
    OPTION_SECURITY_CODE_FILE,
    OPTION_CARD,
    OPTION_BRAND,
    OPTION_LABEL,
    OPTION_OUTPUT,
    OPTION_URL,
    OPTION_ID,
    OPTION_YES,
    OPTION_MAX,
    OPTION_MERCHANT,
    OPTION_AMOUNT,
    OPTION_PER_DAY,
    OPTION_UNTIL,
    OPTION_INSIST,
    OPTION_AGREE_TERMS,
    OPTION_EXPORT,
    OPTION_CONFIG,
    OPTION_FINAL,
    OPTION_VERIFY,
    OPTION_FORCE,
    OPTION_MOVED,
    OPTION_ROOT,
    OPTION_COUNT,
};

#define BIT(code) (1U << (code))
#define EVERYWHERE (BIT(OPTION_SOCKET) | BIT(OPTION_JSON) | BIT(OPTION_HELP) | BIT(OPTION_VERSION))

struct command_row {
    const char *first;
    const char *second;   /* NULL: the command is one word */
    const char *argument; /* what its argument is called; NULL: it takes none */
    bool needs_argument;
    unsigned options;
    unsigned required; /* options without which it can't be done */
    const char *usage;
    const char *help;
};

static const struct command_row commands[SETPAY_CLI_COMMANDS] = {
    [SETPAY_CLI_INIT] = {"init", NULL, NULL, false, BIT(OPTION_PASSPHRASE_FILE), 0,
                         "[--passphrase-file F]", "make the wallet's keys, under a passphrase"},
    [SETPAY_CLI_UNLOCK] = {"unlock", NULL, NULL, false, BIT(OPTION_PASSPHRASE_FILE), 0,
                           "[--passphrase-file F]", "let the wallet pay until it is locked"},
    [SETPAY_CLI_LOCK] = {"lock", NULL, NULL, false, 0, 0, "",
                         "forget the passphrase and all opened keys"},
    [SETPAY_CLI_STATUS] = {"status", NULL, "XID", false, 0, 0, "[XID]",
                           "how the wallet is, or how a purchase stands"},
    [SETPAY_CLI_CARD_REQUEST] = {"card", "request", NULL, false,
                                 BIT(OPTION_BRAND) | BIT(OPTION_LABEL) | BIT(OPTION_OUTPUT),
                                 BIT(OPTION_BRAND) | BIT(OPTION_OUTPUT),
                                 "--brand B [--label L] -o FILE",
                                 "make a card's key, and the request for its certificate"},
    [SETPAY_CLI_CARD_IMPORT] = {"card", "import", "FILE", true, 0, 0, "FILE",
                                "take the certificate that answers a request"},
    [SETPAY_CLI_CARD_ENROL] = {"card", "enrol", NULL, false,
                               BIT(OPTION_URL) | BIT(OPTION_BRAND) | BIT(OPTION_LABEL) |
                                   BIT(OPTION_ID),
                               BIT(OPTION_URL) | BIT(OPTION_BRAND) | BIT(OPTION_ID),
                               "--url URL --brand B [--label L] --id ENROLMENT",
                               "get a card's certificate from its certification authority"},
    [SETPAY_CLI_CARD_RENEW] = {"card", "renew", "CARD", true, BIT(OPTION_URL), 0,
                               "CARD [--url URL]",
                               "get a new key and certificate for a card from its authority"},
    [SETPAY_CLI_CARD_LIST] = {"card", "list", NULL, false, 0, 0, "", "list the cards"},
    [SETPAY_CLI_CARD_REMOVE] = {"card", "remove", "CARD", true, BIT(OPTION_YES), 0, "CARD [--yes]",
                                "destroy a card's key and data; its purchases stay listed"},
    [SETPAY_CLI_CARD_DEFAULT] = {"card", "default", "CARD", true, 0, 0, "CARD",
                                 "pay with this card where no other is named"},
    [SETPAY_CLI_SHOW] = {"show", NULL, "PAY_URI", true, BIT(OPTION_CARD), 0, "PAY_URI [--card C]",
                         "show what a link asks for; nothing is signed or kept"},
    [SETPAY_CLI_PAY] = {"pay", NULL, "PAY_URI", true,
                        BIT(OPTION_CARD) | BIT(OPTION_YES) | BIT(OPTION_MAX) | BIT(OPTION_INSIST) |
                            BIT(OPTION_AGREE_TERMS) | BIT(OPTION_SECURITY_CODE) |
                            BIT(OPTION_SECURITY_CODE_FILE),
                        0,
                        "PAY_URI [--card C] [--yes [--agree-terms]] [--max AMOUNT]"
                        " [--security-code | --security-code-file F] [--insist]",
                        "pay what a link asks for"},
    [SETPAY_CLI_LIST] = {"list", NULL, NULL, false, 0, 0, "", "list the purchases, newest first"},
    [SETPAY_CLI_RECEIPT] = {"receipt", NULL, "XID", true, BIT(OPTION_EXPORT), 0,
                            "XID [--export FILE]",
                            "show a purchase's receipt, or write it with all evidence to FILE"},
    [SETPAY_CLI_VERIFY] =
        {"verify", NULL, "FILE", true, BIT(OPTION_ROOT), 0, "FILE [--root F]",
         "check an exported receipt, or a merchant's batches, by itself, without any wallet"},
    [SETPAY_CLI_AGREEMENT_LIST] = {"agreement", "list", NULL, false, 0, 0, "",
                                   "list what more than one payment was agreed to"},
    [SETPAY_CLI_AGREEMENT_SHOW] = {"agreement", "show", "XID", true, 0, 0, "XID",
                                   "show an agreement, and what was taken of it"},
    [SETPAY_CLI_AGREEMENT_CANCEL] = {"agreement", "cancel", "XID", true, BIT(OPTION_YES), 0,
                                     "XID [--yes]", "let nothing more be taken by an agreement"},
    [SETPAY_CLI_RULE_ADD] =
        {"rule", "add", NULL, false,
         BIT(OPTION_MERCHANT) | BIT(OPTION_AMOUNT) | BIT(OPTION_PER_DAY) |
             BIT(OPTION_CARD) | BIT(OPTION_BRAND) | BIT(OPTION_UNTIL),
         BIT(OPTION_MERCHANT) | BIT(OPTION_AMOUNT) | BIT(OPTION_PER_DAY),
         "--merchant M --amount AMOUNT --per-day AMOUNT [--card C | --brand B] [--until DATE]",
         "let pay sign single payments to a merchant without asking, up to amounts"},
    [SETPAY_CLI_RULE_LIST] = {"rule", "list", NULL, false, 0, 0, "", "list the spending rules"},
    [SETPAY_CLI_RULE_REMOVE] = {"rule", "remove", "NUMBER", true, 0, 0, "NUMBER",
                                "end a spending rule"},
    [SETPAY_CLI_DOCTOR] = {"doctor", NULL, NULL, false, BIT(OPTION_CONFIG), 0, "[--config FILE]",
                           "look for what needs attention, and say what to do"},
    [SETPAY_CLI_BACKUP] = {"backup", NULL, "FILE", true,
                           BIT(OPTION_CONFIG) | BIT(OPTION_FINAL) | BIT(OPTION_VERIFY) |
                               BIT(OPTION_PASSPHRASE_FILE),
                           0, "FILE [--config F [--final]] [--verify] [--passphrase-file F]",
                           "all of the wallet into one sealed file, also while it pays"},
    [SETPAY_CLI_RESTORE] =
        {"restore", NULL, "FILE", true,
         BIT(OPTION_CONFIG) | BIT(OPTION_FORCE) | BIT(OPTION_MOVED) | BIT(OPTION_PASSPHRASE_FILE),
         BIT(OPTION_CONFIG), "FILE --config F [--force] [--moved] [--passphrase-file F]",
         "put a backup in place of a stopped wallet"},
};

struct option_row {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what its value is called; NULL: a flag */
    size_t place;      /* in struct setpay_cli_options */
    const char *help;
};

#define PLACE(field) offsetof(struct setpay_cli_options, field)

static const struct option_row rows[OPTION_COUNT] = {
    [OPTION_SOCKET] = {"socket", 0, "S", PLACE(socket),
                       "setpay-walletd's socket (default: $SETPAY_WALLET_SOCKET, else\n"
                       "                            $XDG_RUNTIME_DIR/setpay-wallet.sock)"},
    [OPTION_JSON] = {"json", 0, NULL, PLACE(json), "one JSON object instead of words"},
    [OPTION_HELP] = {"help", 'h', NULL, PLACE(help),
                     "this; behind a command, or its first word, what there is of it"},
    [OPTION_VERSION] = {"version", 0, NULL, PLACE(version), "the version"},
    [OPTION_PASSPHRASE_FILE] = {"passphrase-file", 0, "F", PLACE(passphrase_file),
                                "a file of mode 0600 instead of the terminal"},
    [OPTION_SECURITY_CODE] = {"security-code", 0, NULL, PLACE(security_code),
                              "ask on the terminal for the card's security code"},
    [OPTION_SECURITY_CODE_FILE] = {"security-code-file", 0, "F", PLACE(security_code_file),
                                   "a file of mode 0600 that holds it"},
    [OPTION_CARD] = {"card", 0, "C", PLACE(card),
                     "the card's id or label (to pay: else the default)"},
    [OPTION_BRAND] = {"brand", 0, "B", PLACE(brand), "the card's brand, such as visa"},
    [OPTION_LABEL] = {"label", 0, "L", PLACE(label), "what you call the card"},
    [OPTION_OUTPUT] = {"output", 'o', "FILE", PLACE(output), "where the request is written"},
    [OPTION_URL] = {"url", 0, "URL", PLACE(url), "the authority's: https://HOST[:PORT]"},
    [OPTION_ID] = {"id", 0, "ENROLMENT", PLACE(id), "the enrolment's id, as the issuer gave it"},
    [OPTION_YES] = {"yes", 'y', NULL, PLACE(yes), "agree without being asked"},
    [OPTION_MAX] = {"max", 0, "AMOUNT", PLACE(max),
                    "refuse more than this: 20.00, or \"20.00 EUR\""},
    [OPTION_AGREE_TERMS] = {"agree-terms", 0, NULL, PLACE(agree_terms),
                            "with --yes: also to instalments and recurring payments"},
    [OPTION_MERCHANT] = {"merchant", 0, "M", PLACE(merchant),
                         "the merchant's id, as show prints it behind \"Certified as\""},
    [OPTION_AMOUNT] = {"amount", 0, "AMOUNT", PLACE(amount),
                       "the most that one payment may be: \"20.00 EUR\""},
    [OPTION_PER_DAY] = {"per-day", 0, "AMOUNT", PLACE(per_day),
                        "the most that all may be in any 24 hours: \"50.00 EUR\""},
    [OPTION_UNTIL] = {"until", 0, "DATE", PLACE(until),
                      "the last day, such as 2026-12-31 (default: until it is removed)"},
    [OPTION_INSIST] = {"insist", 0, NULL, PLACE(insist),
                       "pay again what the merchant has refused, not confirmed:\n"
                       "                            you may be charged twice"},
    [OPTION_CONFIG] = {"config", 0, "F", PLACE(config),
                       "the configuration of a setpay-walletd that is stopped"},
    [OPTION_FINAL] = {"final", 0, NULL, PLACE(final),
                      "the wallet goes on elsewhere: here it is out of service then"},
    [OPTION_VERIFY] = {"verify", 0, NULL, PLACE(verify), "whether FILE is a whole backup"},
    [OPTION_FORCE] = {"force", 0, NULL, PLACE(force), "keep aside what is there"},
    [OPTION_MOVED] = {"moved", 0, NULL, PLACE(moved),
                      "FILE is a final backup, and is restored only here"},
    [OPTION_ROOT] =
        {"root", 0, "F", PLACE(root),
         "the root certificate that you trust, PEM; otherwise the\n"
         "                            one in FILE is used, and named for you to compare"},
    [OPTION_EXPORT] = {"export", 0, "FILE", PLACE(export), "a new file, of mode 0600"},
};

static enum option_code find_long(const char *name, size_t length)
{
    for (unsigned at = 0; at < OPTION_COUNT; at++) {
        if (strlen(rows[at].name) == length && strncmp(rows[at].name, name, length) == 0)
            return (enum option_code)at;
    }
    return OPTION_COUNT;
}

static enum option_code find_letter(char letter)
{
    for (unsigned at = 0; at < OPTION_COUNT; at++) {
        if (rows[at].letter != 0 && rows[at].letter == letter)
            return (enum option_code)at;
    }
    return OPTION_COUNT;
}

/* What the parser has met so far. */
struct parse {
    struct setpay_cli_options *options;
    struct setpay_problem *problem;
    unsigned given;       /* bits of options */
    const char *words[3]; /* command and argument */
    size_t word_count;
};

static enum setpay_error set_option(struct parse *parse, enum option_code code, const char *value)
{
    char *place = (char *)parse->options + rows[code].place;

    if ((parse->given & BIT(code)) != 0 && rows[code].value != NULL)
        return setpay_problem_set(parse->problem, SETPAY_E_USAGE, "--%s is given twice",
                                  rows[code].name);
    parse->given |= BIT(code);
    if (rows[code].value == NULL) {
        bool yes = true;
        memcpy(place, &yes, sizeof yes);
    } else {
        memcpy(place, &value, sizeof value);
    }
    return SETPAY_OK;
}

/* Takes the option in argv[*at], and the next word where that is its value. */
static enum setpay_error take_option(struct parse *parse, int argc, char *const *argv, int *at)
{
    const char *word = argv[*at];
    const char *value = NULL;
    enum option_code code;

    if (word[1] == '-') {
        const char *equals = strchr(word, '=');
        code = find_long(word + 2, equals == NULL ? strlen(word + 2) : (size_t)(equals - word - 2));
        value = equals == NULL ? NULL : equals + 1;
    } else {
        code = find_letter(word[1]);
        value = word[2] == '\0' ? NULL : word + 2;
    }
    if (code == OPTION_COUNT)
        return setpay_problem_set(parse->problem, SETPAY_E_USAGE,
                                  "unknown option '%.60s'; --help lists them", word);
    if (rows[code].value == NULL) {
        if (value != NULL)
            return setpay_problem_set(parse->problem, SETPAY_E_USAGE,
                                      "--%s takes no value (found '%.60s')", rows[code].name, word);
        return set_option(parse, code, NULL);
    }
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL || *value == '\0')
        return setpay_problem_set(parse->problem, SETPAY_E_USAGE, "--%s needs a value: --%s %s",
                                  rows[code].name, rows[code].name, rows[code].value);
    return set_option(parse, code, value);
}

static bool is_first_word(const char *word)
{
    for (unsigned at = 0; at < SETPAY_CLI_COMMANDS; at++) {
        if (commands[at].second != NULL && strcmp(commands[at].first, word) == 0)
            return true;
    }
    return false;
}

/* The command that the words name, and how many of them do. */
static enum setpay_cli_command find_command(const struct parse *parse, size_t *used)
{
    *used = 0;
    if (parse->word_count == 0)
        return SETPAY_CLI_COMMANDS;
    for (unsigned at = 0; at < SETPAY_CLI_COMMANDS; at++) {
        const struct command_row *row = &commands[at];

        if (strcmp(row->first, parse->words[0]) != 0)
            continue;
        if (row->second != NULL &&
            (parse->word_count < 2 || strcmp(row->second, parse->words[1]) != 0))
            continue;
        *used = row->second == NULL ? 1 : 2;
        return (enum setpay_cli_command)at;
    }
    return SETPAY_CLI_COMMANDS;
}

static enum setpay_error no_command(const struct parse *parse)
{
    if (parse->word_count == 0)
        return setpay_problem_set(parse->problem, SETPAY_E_USAGE,
                                  "a command is needed; setpay-wallet --help lists them");
    if (!is_first_word(parse->words[0]))
        return setpay_problem_set(parse->problem, SETPAY_E_USAGE,
                                  "unknown command '%.60s'; setpay-wallet --help lists them",
                                  parse->words[0]);
    char expected[120] = "";
    for (unsigned at = 0; at < SETPAY_CLI_COMMANDS; at++) {
        size_t used = strlen(expected);

        if (strcmp(commands[at].first, parse->words[0]) == 0)
            (void)snprintf(expected + used, sizeof expected - used, "%s%s", used > 0 ? ", " : "",
                           commands[at].second);
    }
    return setpay_problem_set(
        parse->problem, SETPAY_E_USAGE, "'%.60s%s%.60s': expected %.60s with one of: %s",
        parse->words[0], parse->word_count > 1 ? " " : "",
        parse->word_count > 1 ? parse->words[1] : "", parse->words[0], expected);
}

/* The command's own conditions: its options and its argument. */
static enum setpay_error check_command(const struct parse *parse, size_t used)
{
    const struct command_row *row = &commands[parse->options->command];
    const char *blank = row->second == NULL ? "" : " ";
    const char *second = row->second == NULL ? "" : row->second;

    for (unsigned code = 0; code < OPTION_COUNT; code++) {
        if ((parse->given & BIT(code) & ~(row->options | EVERYWHERE)) != 0)
            return setpay_problem_set(
                parse->problem, SETPAY_E_USAGE, "--%s is not for %s%s%s: setpay-wallet %s%s%s %s",
                rows[code].name, row->first, blank, second, row->first, blank, second, row->usage);
        if ((row->required & BIT(code) & ~parse->given) != 0)
            return setpay_problem_set(parse->problem, SETPAY_E_USAGE, "%s%s%s needs --%s %s (%s)",
                                      row->first, blank, second, rows[code].name, rows[code].value,
                                      rows[code].help);
    }
    if (row->needs_argument && parse->word_count == used)
        return setpay_problem_set(parse->problem, SETPAY_E_USAGE,
                                  "%s%s%s needs %s: setpay-wallet %s%s%s %s", row->first, blank,
                                  second, row->argument, row->first, blank, second, row->usage);
    if (parse->word_count > used + (row->argument == NULL ? 0 : 1))
        return setpay_problem_set(parse->problem, SETPAY_E_USAGE,
                                  "'%.100s' is one word too many: setpay-wallet %s%s%s %s",
                                  parse->words[parse->word_count - 1], row->first, blank, second,
                                  row->usage);
    return SETPAY_OK;
}

/* json, help and version hold whatever else is wrong with the line. */
static void look_ahead(int argc, char *const *argv, struct setpay_cli_options *options)
{
    for (int at = 1; at < argc && strcmp(argv[at], "--") != 0; at++) {
        options->json = options->json || strcmp(argv[at], "--json") == 0;
        options->help =
            options->help || strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0;
        options->version = options->version || strcmp(argv[at], "--version") == 0;
    }
}

enum setpay_error setpay_cli_parse(int argc, char *const *argv, struct setpay_cli_options *options,
                                   struct setpay_problem *problem)
{
    struct parse parse = {.options = options, .problem = problem};
    bool ended = false;
    size_t used = 0;

    memset(options, 0, sizeof *options);
    options->command = SETPAY_CLI_COMMANDS;
    look_ahead(argc, argv, options);
    for (int at = 1; at < argc; at++) {
        if (!ended && strcmp(argv[at], "--") == 0) {
            ended = true;
        } else if (!ended && argv[at][0] == '-' && argv[at][1] != '\0') {
            SETPAY_TRY(take_option(&parse, argc, argv, &at));
        } else if (parse.word_count == 0 && strcmp(argv[at], "help") == 0) {
            options->help = true;
        } else if (parse.word_count == sizeof parse.words / sizeof *parse.words) {
            return setpay_problem_set(problem, SETPAY_E_USAGE, "'%.100s' is one word too many",
                                      argv[at]);
        } else {
            parse.words[parse.word_count++] = argv[at];
        }
    }
    options->command = find_command(&parse, &used);
    if (options->version || (options->help && parse.word_count <= used))
        return SETPAY_OK;
    if (options->command == SETPAY_CLI_COMMANDS) {
        if (!options->help || parse.word_count != 1 || !is_first_word(parse.words[0]))
            return no_command(&parse);
        options->topic = parse.words[0];
    }
    if (options->help)
        return SETPAY_OK;
    SETPAY_TRY(check_command(&parse, used));
    if (parse.word_count > used)
        options->argument = parse.words[used];
    return SETPAY_OK;
}

static void print_option(FILE *out, const struct option_row *row)
{
    char name[40];

    (void)snprintf(name, sizeof name, "%s%.1s%s--%s%s%s", row->letter == 0 ? "" : "-",
                   row->letter == 0 ? "" : &row->letter, row->letter == 0 ? "" : ", ", row->name,
                   row->value == NULL ? "" : " ", row->value == NULL ? "" : row->value);
    (void)fprintf(out, "  %-24s  %s\n", name, row->help);
}

static void print_options(FILE *out, unsigned codes)
{
    for (unsigned code = 0; code < OPTION_COUNT; code++) {
        if ((codes & BIT(code)) != 0)
            print_option(out, &rows[code]);
    }
}

static void print_command(FILE *out, const struct command_row *row)
{
    (void)fprintf(out, "  %s%s%s%s%s\n      %s\n", row->first, row->second == NULL ? "" : " ",
                  row->second == NULL ? "" : row->second, *row->usage == '\0' ? "" : " ",
                  row->usage, row->help);
}

/* The commands that begin with that word, and all options that any of them takes. */
static void print_topic(FILE *out, const char *topic)
{
    unsigned codes = EVERYWHERE;

    (void)fprintf(out, "usage: setpay-wallet [--socket S] [--json] %s ...\n\n", topic);
    for (unsigned at = 0; at < SETPAY_CLI_COMMANDS; at++) {
        if (strcmp(commands[at].first, topic) != 0)
            continue;
        print_command(out, &commands[at]);
        codes |= commands[at].options;
    }
    (void)fprintf(out, "\n");
    print_options(out, codes);
}

void setpay_cli_print_help(FILE *out, const struct setpay_cli_options *options)
{
    if ((unsigned)options->command < SETPAY_CLI_COMMANDS) {
        const struct command_row *row = &commands[options->command];

        (void)fprintf(out, "usage: setpay-wallet [--socket S] [--json] %s%s%s%s%s\n\n  %s\n\n",
                      row->first, row->second == NULL ? "" : " ",
                      row->second == NULL ? "" : row->second, *row->usage == '\0' ? "" : " ",
                      row->usage, row->help);
        print_options(out, row->options | EVERYWHERE);
        return;
    }
    if (options->topic != NULL) {
        print_topic(out, options->topic);
        return;
    }
    (void)fprintf(out, "setpay-wallet " SETPAY_VERSION ": your cards, your purchases, "
                       "your receipts\n\n"
                       "usage: setpay-wallet [--socket S] [--json] COMMAND ...\n\n");
    for (unsigned at = 0; at < SETPAY_CLI_COMMANDS; at++)
        print_command(out, &commands[at]);
    (void)fprintf(out, "\n");
    print_options(out, EVERYWHERE);
    (void)fprintf(out, "\nExit status: 0 done, 1 failed, 2 usage, 3 declined by the issuer,\n"
                       "  4 no answer yet (safe to repeat), 5 a security check failed,\n"
                       "  6 you said no. Details: setpay-wallet(1)\n");
}

enum setpay_error setpay_cli_socket_path(const char *option, const char *environment,
                                         const char *runtime_dir, char *path, size_t size,
                                         struct setpay_problem *problem)
{
    const char *given = option;
    int length;

    if (given == NULL && environment != NULL && *environment != '\0')
        given = environment;
    if (given == NULL && (runtime_dir == NULL || *runtime_dir == '\0'))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "nothing says where setpay-walletd listens: give --socket S, or "
                                  "set SETPAY_WALLET_SOCKET (XDG_RUNTIME_DIR is not set either)");
    length = given != NULL ? snprintf(path, size, "%s", given)
                           : snprintf(path, size, "%s/setpay-wallet.sock", runtime_dir);
    if (length < 0 || (size_t)length >= size)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "the path of setpay-walletd's socket is too long: %.120s...",
                                  given != NULL ? given : runtime_dir);
    return SETPAY_OK;
}

static enum setpay_error bad_link(const char *link, const char *why, struct setpay_problem *problem)
{
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "'%.120s' is no payment link: %s; expected "
                              "setpay://HOST[:PORT]/pay/TOKEN",
                              link, why);
}

enum setpay_error setpay_cli_check_link(const char *link, struct setpay_problem *problem)
{
    static const char scheme[] = "setpay://";
    const char *host = link + strlen(scheme);
    const char *path;
    size_t token;

    if (strncmp(link, scheme, strlen(scheme)) != 0)
        return bad_link(link, "it does not begin with setpay://", problem);
    path = strchr(host, '/');
    if (path == NULL || path == host || strncmp(path, "/pay/", 5) != 0)
        return bad_link(link, path == host ? "it names no host" : "it has no /pay/TOKEN", problem);
    if (strpbrk(link, "?#@ ") != NULL)
        return bad_link(link, "a link has no parameters, fragments or user names", problem);
    token = strspn(path + 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    if (token == 0 || path[5 + token] != '\0')
        return bad_link(link, "its token is empty or holds other than letters, digits, - and _",
                        problem);
    return SETPAY_OK;
}
