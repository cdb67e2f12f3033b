/*
 * The pure parts of setpay-wallet: its command line, its tables, its words and exit statuses, and
 * what it makes of typed card data.
 */
#include "cardholder/cli/card_input.h"
#include "cardholder/cli/cli.h"
#include "cardholder/cli/options.h"
#include "cardholder/cli/terminal.h"
#include "cardholder/cli/text.h"
#include "cardholder/cli/words.h"
#include "common/base/secret.h"

#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#define LINK "setpay://shop.example:8443/pay/abc-DEF_123"
#define WORDS_MAX 12

/* A command line, words separated by '|'. */
struct line {
    char text[256];
    char *words[WORDS_MAX];
    int count;
};

static enum setpay_error parse(const char *text, struct line *line,
                               struct setpay_cli_options *options, struct setpay_problem *problem)
{
    char *rest = NULL;

    memset(line, 0, sizeof *line);
    memset(problem, 0, sizeof *problem);
    (void)snprintf(line->text, sizeof line->text, "setpay-wallet|%s", text);
    for (char *word = strtok_r(line->text, "|", &rest); word != NULL && line->count < WORDS_MAX - 1;
         word = strtok_r(NULL, "|", &rest))
        line->words[line->count++] = word;
    return setpay_cli_parse(line->count, line->words, options, problem);
}

/* Commands and options, in whatever order they stand. */
static void test_parse(void **state)
{
    static const struct {
        const char *line;
        enum setpay_cli_command command;
        const char *argument;
    } rows[] = {
        {"init", SETPAY_CLI_INIT, NULL},
        {"unlock|--passphrase-file|p", SETPAY_CLI_UNLOCK, NULL},
        {"lock", SETPAY_CLI_LOCK, NULL},
        {"status", SETPAY_CLI_STATUS, NULL},
        {"status|00ff", SETPAY_CLI_STATUS, "00ff"},
        {"card|request|--brand|visa|-o|f", SETPAY_CLI_CARD_REQUEST, NULL},
        {"card|request|--brand=visa|-of|--label|mine", SETPAY_CLI_CARD_REQUEST, NULL},
        {"card|import|f.pem", SETPAY_CLI_CARD_IMPORT, "f.pem"},
        {"--json|card|list", SETPAY_CLI_CARD_LIST, NULL},
        {"card|--json|list", SETPAY_CLI_CARD_LIST, NULL},
        {"card|remove|approve|--yes", SETPAY_CLI_CARD_REMOVE, "approve"},
        {"card|default|approve", SETPAY_CLI_CARD_DEFAULT, "approve"},
        {"show|" LINK, SETPAY_CLI_SHOW, LINK},
        {"--socket|s|pay|" LINK "|--yes|--max|20.00", SETPAY_CLI_PAY, LINK},
        {"pay|-y|--|" LINK, SETPAY_CLI_PAY, LINK},
        {"list", SETPAY_CLI_LIST, NULL},
        {"receipt|00ff|--export=r.json", SETPAY_CLI_RECEIPT, "00ff"},
        {"doctor", SETPAY_CLI_DOCTOR, NULL},
    };
    struct setpay_cli_options options;
    struct setpay_problem problem;
    struct line line;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(parse(rows[i].line, &line, &options, &problem), SETPAY_OK);
        assert_int_equal(options.command, rows[i].command);
        if (rows[i].argument == NULL)
            assert_null(options.argument);
        else
            assert_string_equal(options.argument, rows[i].argument);
    }
    assert_int_equal(parse("--json|pay|" LINK "|--card|c|--max|20.00|--security-code", &line,
                           &options, &problem),
                     SETPAY_OK);
    assert_true(options.json && options.security_code && !options.yes && !options.help);
    assert_string_equal(options.card, "c");
    assert_string_equal(options.max, "20.00");
    assert_null(options.socket);
}

/* What is wrong is named, and --json is known even then. */
static void test_parse_refuses(void **state)
{
    static const struct {
        const char *line;
        const char *words;
    } rows[] = {
        {"--json", "a command is needed"},
        {"buy", "unknown command 'buy'"},
        {"enrol", "unknown command"},
        {"card", "expected card with one of: request, import, enrol, renew, list, remove, default"},
        {"rule|make", "'rule make': expected rule with one of: add, list, remove"},
        {"rule|add|--merchant|m|--amount|1", "rule add needs --per-day"},
        {"rule|remove", "needs NUMBER"},
        {"pay|" LINK "|--merchant|m", "--merchant is not for pay"},
        {"card|frobnicate", "'card frobnicate'"},
        {"card|import", "needs FILE"},
        {"card|request|--brand|visa", "needs --output"},
        {"card|request|-o|f", "needs --brand"},
        {"pay", "needs PAY_URI"},
        {"pay|" LINK "|extra", "'extra' is one word too many"},
        {"a|b|c|d", "one word too many"},
        {"pay|" LINK "|--max", "--max needs a value"},
        {"pay|" LINK "|--max=", "--max needs a value"},
        {"pay|" LINK "|--max|1|--max|2", "given twice"},
        {"pay|" LINK "|--yes=no", "takes no value"},
        {"pay|" LINK "|--maxi|2", "unknown option '--maxi'"},
        {"pay|" LINK "|-z", "unknown option '-z'"},
        {"show|" LINK "|--max|2", "--max is not for show"},
        {"list|--yes", "--yes is not for list"},
        {"lock|now", "'now' is one word too many"},
    };
    struct setpay_cli_options options;
    struct setpay_problem problem;
    struct line line;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(parse(rows[i].line, &line, &options, &problem), SETPAY_E_USAGE);
        if (strstr(problem.text, rows[i].words) == NULL)
            fail_msg("'%s': no '%s' in '%s'", rows[i].line, rows[i].words, problem.text);
    }
    assert_int_equal(parse("pay|--what|--json", &line, &options, &problem), SETPAY_E_USAGE);
    assert_true(options.json);
    assert_int_equal(parse("pay|--|--json", &line, &options, &problem), SETPAY_OK);
    assert_false(options.json);
}

/* Help of the program and of one command, which names all of its options. */
static void test_help(void **state)
{
    struct setpay_cli_options options;
    struct setpay_problem problem;
    struct line line;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    (void)state;
    assert_non_null(memory);
    assert_int_equal(parse("--help", &line, &options, &problem), SETPAY_OK);
    assert_int_equal(options.command, SETPAY_CLI_COMMANDS);
    assert_int_equal(parse("help|pay", &line, &options, &problem), SETPAY_OK);
    assert_true(options.help && options.command == SETPAY_CLI_PAY);
    assert_int_equal(parse("card|--help", &line, &options, &problem), SETPAY_OK);
    assert_string_equal(options.topic, "card");
    assert_int_equal(parse("help|nothing", &line, &options, &problem), SETPAY_E_USAGE);
    setpay_cli_print_help(memory, &(struct setpay_cli_options){.command = SETPAY_CLI_COMMANDS});
    (void)fflush(memory);
    assert_non_null(strstr(text, "card default CARD"));
    assert_non_null(strstr(text, "card renew CARD [--url URL]"));
    assert_null(strstr(text, "--max AMOUNT  "));
    setpay_cli_print_help(memory, &(struct setpay_cli_options){.command = SETPAY_CLI_PAY});
    (void)fclose(memory);
    assert_non_null(strstr(text, "--max AMOUNT  "));
    free(text);
}

/* The option before the environment, that before the runtime folder. */
static void test_socket_path(void **state)
{
    struct setpay_problem problem;
    char path[32];

    (void)state;
    assert_int_equal(setpay_cli_socket_path("s", "e", "/r", path, sizeof path, &problem),
                     SETPAY_OK);
    assert_string_equal(path, "s");
    assert_int_equal(setpay_cli_socket_path(NULL, "e", "/r", path, sizeof path, &problem),
                     SETPAY_OK);
    assert_string_equal(path, "e");
    assert_int_equal(setpay_cli_socket_path(NULL, "", "/r", path, sizeof path, &problem),
                     SETPAY_OK);
    assert_string_equal(path, "/r/setpay-wallet.sock");
    assert_int_equal(setpay_cli_socket_path(NULL, NULL, "", path, sizeof path, &problem),
                     SETPAY_E_USAGE);
    assert_int_equal(
        setpay_cli_socket_path(NULL, NULL, "/a/rather/long/folder", path, sizeof path, &problem),
        SETPAY_E_USAGE);
}

/* A link has one form, and no parameters that could weaken anything. */
static void test_links(void **state)
{
    static const char *const bad[] = {
        "",
        "https://shop.example/pay/abc",
        "SETPAY://shop.example/pay/abc",
        "setpay://",
        "setpay:///pay/abc",
        "setpay://shop.example",
        "setpay://shop.example/buy/abc",
        "setpay://shop.example/pay/",
        "setpay://shop.example/pay/abc/",
        "setpay://shop.example/pay/abc?insecure=1",
        "setpay://shop.example/pay/abc#x",
        "setpay://user@shop.example/pay/abc",
        "setpay://shop.example/pay/a%62c",
        "setpay://shop .example/pay/abc",
    };
    struct setpay_problem problem;

    (void)state;
    assert_int_equal(setpay_cli_check_link(LINK, &problem), SETPAY_OK);
    assert_int_equal(setpay_cli_check_link("setpay://localhost/pay/a", &problem), SETPAY_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(setpay_cli_check_link(bad[i], &problem), SETPAY_E_USAGE);
}

/* Wide characters take two columns, combining ones none, broken bytes one. */
static void test_width(void **state)
{
    static const struct {
        const char *text;
        size_t width;
    } rows[] = {
        {"", 0},     {"plain", 5},      {"Zoë", 3},      {"•••• 4242", 9},
        {"日本", 4}, {"e\xcc\x81t", 2}, {"\xff\xfe", 2}, {"\xc3", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(setpay_cli_text_width(rows[i].text), rows[i].width);
}

/* Nothing that a merchant writes acts on the terminal. */
static void test_clean(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *clean;
    } rows[] = {
        {"One book", 0, "One book"},
        {"a\033[2Jb", 0, "a\xef\xbf\xbd[2Jb"},
        {"a\nb\r\tc\x7f", 0,
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd\xef\xbf\xbd"
         "c\xef\xbf\xbd"},
        {"\xc2\x9b", 0, "\xef\xbf\xbd"},                             /* CSI in one character */
        {"\xe2\x80\x8b", 0, "\xef\xbf\xbd"},                         /* zero width */
        {"a\xff\xc3", 0, "a\xef\xbf\xbd\xef\xbf\xbd"},               /* no UTF-8 */
        {"\xc0\xaf", 0, "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xed\xa0\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
        {"日本", 0, "日本"},
        {"abcdef", 6, "abcdef"},
        {"abcdefg", 6, "abcde…"},
        {"日本語", 4, "日…"},
        {"日本", 1, "…"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *clean = setpay_cli_text_clean(rows[i].text, rows[i].max);
        assert_non_null(clean);
        assert_string_equal(clean, rows[i].clean);
        free(clean);
    }
    assert_null(setpay_cli_text_clean(NULL, 0));
}

/* Marks, overrides and isolates that turn the direction of what follows. */
static void test_clean_direction(void **state)
{
    static const struct {
        unsigned char first;
        unsigned char last;
    } ranges[] = {{0x8e, 0x8f}, {0xaa, 0xae}}; /* U+200E, U+200F, U+202A to U+202E */

    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        for (unsigned last = ranges[i].first; last <= ranges[i].last; last++) {
            const char text[] = {(char)0xe2, (char)0x80, (char)last, 0};
            char *clean = setpay_cli_text_clean(text, 0);
            assert_string_equal(clean, "\xef\xbf\xbd");
            free(clean);
        }
    }
    for (unsigned last = 0xa6; last <= 0xa9; last++) { /* U+2066 to U+2069 */
        const char text[] = {(char)0xe2, (char)0x81, (char)last, 0};
        char *clean = setpay_cli_text_clean(text, 0);
        assert_string_equal(clean, "\xef\xbf\xbd");
        free(clean);
    }
}

/* Columns line up by display width, amounts to the right, no blanks at the end of a line. */
static void test_table(void **state)
{
    static const struct setpay_cli_column columns[] = {
        {"Item", false, 8}, {"Amount", true, 0}, {"Note", false, 0}};
    static const char *const cells[] = {
        "茶", "1.00 EUR", "x", "A very long one", "125.00 EUR", NULL, "", "-", "y"};
    struct setpay_cli_table table = {.columns = columns, .column_count = 3};
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    (void)state;
    assert_non_null(memory);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        assert_int_equal(setpay_cli_table_add(&table, cells[i]), SETPAY_OK);
    setpay_cli_table_print(&table, memory, 2, false);
    (void)fclose(memory);
    assert_string_equal(text, "  Item          Amount  Note\n"
                              "  茶          1.00 EUR  x\n"
                              "  A very …  125.00 EUR  -\n"
                              "  -                  -  y\n");
    free(text);
    setpay_cli_table_clear(&table);
    setpay_cli_table_clear(&table);
}

/* Each code that issuers use has its own words; others have general ones. */
static void test_reasons(void **state)
{
    static const char *const known[] = {"01", "05", "10", "13", "14", "51",
                                        "54", "57", "61", "82", "91", "96"};

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct setpay_cli_reason *reason = setpay_cli_reason(known[i]);
        assert_string_equal(reason->code, known[i]);
        assert_true(strlen(reason->words) > 0 && strlen(reason->advice) > 0);
    }
    assert_string_equal(setpay_cli_reason("zz")->code, "");
    assert_string_equal(setpay_cli_reason(NULL)->code, "");
    /* Whoever holds a stolen card does not learn that it is known to be. */
    assert_string_equal(setpay_cli_reason("43")->words, setpay_cli_reason("04")->words);
}

/* 0 done, 1 failed, 2 usage, 3 the issuer, 4 again, 5 security, 6 the person. */
static void test_exit_statuses(void **state)
{
    static const struct {
        enum setpay_error error;
        int exit;
    } rows[] = {
        {SETPAY_OK, 0},
        {SETPAY_E_NOT_FOUND, 1},
        {SETPAY_E_LOCKED, 1},
        {SETPAY_E_PASSPHRASE, 1},
        {SETPAY_E_EXISTS, 1},
        {SETPAY_E_IO, 1},
        {SETPAY_E_STATE, 1},
        {SETPAY_E_PEER_REFUSED, 1},
        {SETPAY_E_USAGE, 2},
        {SETPAY_E_INVALID, 2},
        {SETPAY_E_UNREACHABLE, 4},
        {SETPAY_E_TIMEOUT, 4},
        {SETPAY_E_PEER_BUSY, 4},
        {SETPAY_E_PAYMENT_OPEN, 4},
        {SETPAY_E_HOST, 5},
        {SETPAY_E_OFFER_SUM, 5},
        {SETPAY_E_RECEIPT, 5},
        {SETPAY_E_SIGNATURE, 5},
        {SETPAY_E_CERT_REVOKED, 5},
        {SETPAY_E_NOT_AGREED, 6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(setpay_error_exit_status(rows[i].error), rows[i].exit);
    assert_int_equal(setpay_cli_purchase_exit("authorised"), 0);
    assert_int_equal(setpay_cli_purchase_exit("captured"), 0);
    assert_int_equal(setpay_cli_purchase_exit("declined"), 3);
    assert_int_equal(setpay_cli_purchase_exit("pending"), 4);
    assert_int_equal(setpay_cli_purchase_exit("failed"), 1);
    assert_int_equal(setpay_cli_purchase_exit(NULL), 1);
}

/* Rule W4: --max refuses what is above it, and what it can't be compared with. */
static void test_limit(void **state)
{
    static const char *const bad[] = {"",       "x",        "-1",        "1,50",
                                      "1.",     "1.50EUR",  "1.50 EURO", "1.50  EUR",
                                      "1.2345", "1.50 eur", "1.50 XXX"};
    static const struct {
        const char *limit;
        enum setpay_error error;
    } rows[] = {
        {"20.00", SETPAY_OK},
        {"20", SETPAY_OK},
        {"12.50 EUR", SETPAY_OK},
        {"12.5", SETPAY_OK},
        {"12.49", SETPAY_E_NOT_AGREED},
        {"0", SETPAY_E_NOT_AGREED},
        {"20.00 USD", SETPAY_E_NOT_AGREED},
        {"20000 JPY", SETPAY_E_NOT_AGREED},
        {"12.505", SETPAY_E_USAGE},
    };
    const struct setpay_money total = {1250, "EUR"};
    struct setpay_problem problem;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(setpay_cli_limit_check(bad[i], &problem), SETPAY_E_USAGE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(setpay_cli_limit_check(rows[i].limit, &problem), SETPAY_OK);
        assert_int_equal(setpay_cli_limit_allows(rows[i].limit, &total, &problem), rows[i].error);
    }
    assert_int_equal(setpay_cli_limit_check("999999999999", &problem), SETPAY_OK);
    assert_int_equal(setpay_cli_limit_check("1.250", &problem), SETPAY_OK);
}

/* UTC becomes local time; what is no time stays as it is. */
static void test_local_time(void **state)
{
    char out[SETPAY_CLI_TIME_SIZE];

    (void)state;
    assert_int_equal(setenv("TZ", "CET-1", 1), 0);
    tzset();
    assert_string_equal(setpay_cli_local_time("2026-11-23T23:41:11.042Z", false, out),
                        "2026-11-24 00:41");
    assert_string_equal(setpay_cli_local_time("2026-11-23T23:41:11Z", true, out),
                        "2026-11-24 00:41:11 CET");
    assert_string_equal(setpay_cli_local_time("yesterday", false, out), "yesterday");
    assert_string_equal(setpay_cli_local_time("", false, out), "");
    assert_string_equal(setpay_cli_local_time(NULL, false, out), "-");
}

typedef enum setpay_error normalise_fn(struct setpay_secret *line, struct setpay_problem *problem);

/* The typed line becomes its form (NULL: is refused, and stays). No words quote a digit of it. */
static void check_typed(normalise_fn *normalise, const char *typed, const char *form)
{
    struct setpay_secret line = {0};
    struct setpay_problem problem = {""};
    const char *left = form == NULL ? typed : form;
    struct setpay_view view;
    enum setpay_error error;

    if (*typed != '\0')
        assert_int_equal(setpay_secret_copy(&line, setpay_view_string(typed)), SETPAY_OK);
    error = normalise(&line, &problem);
    assert_int_equal(error, form == NULL ? SETPAY_E_USAGE : SETPAY_OK);
    view = setpay_secret_view(&line);
    assert_int_equal(view.size, strlen(left));
    assert_true(setpay_view_equal(view, setpay_view_string(left)));
    if (form == NULL && strlen(typed) > 3)
        assert_null(strstr(problem.text, typed));
    setpay_secret_clear(&line);
}

static enum setpay_error postcode(struct setpay_secret *line, struct setpay_problem *problem)
{
    return setpay_cli_card_postcode(line, problem);
}

static enum setpay_error house(struct setpay_secret *line, struct setpay_problem *problem)
{
    return setpay_cli_card_house(line, problem);
}

static void test_card_input(void **state)
{
    static const struct {
        normalise_fn *normalise;
        const char *typed;
        const char *form;
    } rows[] = {
        {setpay_cli_card_number, "4242424242424242", "4242424242424242"},
        {setpay_cli_card_number, "4242 4242 4242 4242", "4242424242424242"},
        {setpay_cli_card_number, "4242-4242-4242-4242 ", "4242424242424242"},
        {setpay_cli_card_number, "4242424242424243", NULL},
        {setpay_cli_card_number, "42424242424", NULL},
        {setpay_cli_card_number, "42424242424242424242", NULL},
        {setpay_cli_card_number, "4242x42424242424242", NULL},
        {setpay_cli_card_number, "", NULL},
        {setpay_cli_card_expiry, "2912", "2912"},
        {setpay_cli_card_expiry, "12/29", "2912"},
        {setpay_cli_card_expiry, "2913", NULL},
        {setpay_cli_card_expiry, "2900", NULL},
        {setpay_cli_card_expiry, "1/29", NULL},
        {setpay_cli_card_expiry, "12/2029", NULL},
        {setpay_cli_card_expiry, "12-29", NULL},
        {setpay_cli_card_expiry, "", NULL},
        {setpay_cli_card_security_code, "123", "123"},
        {setpay_cli_card_security_code, "1234", "1234"},
        {setpay_cli_card_security_code, "12", NULL},
        {setpay_cli_card_security_code, "12345", NULL},
        {setpay_cli_card_security_code, "12a", NULL},
        {postcode, "", ""},
        {postcode, "SW1A 1AA", "SW1A 1AA"},
        {postcode, "12345678901234567", NULL},
        {postcode, "123\xc3\xa9", NULL},
        {house, "", ""},
        {house, "221", "221"},
        {house, "221b", NULL},
        {house, "123456789", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_typed(rows[i].normalise, rows[i].typed, rows[i].form);
}

/* What setpay_cli_view_outcome says of a purchase. */
static char *outcome(const char *json)
{
    json_t *purchase = json_loads(json, 0, NULL);
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    assert_non_null(purchase);
    assert_non_null(memory);
    setpay_cli_view_outcome(memory, purchase, false);
    (void)fclose(memory);
    json_decref(purchase);
    return text;
}

/* A partial approval is shown as such, a decline with the issuer's reason, an open purchase as
 * open, a broken word of the merchant always (rules W6, W7). */
static void test_outcomes(void **state)
{
    static const struct {
        const char *json;
        const char *words[3];
    } rows[] = {
        {"{\"status\":\"authorised\",\"amount_text\":\"12.50 EUR\",\"merchant\":\"Sh\\u001bop\","
         "\"approval_code\":\"A1B2C3\",\"partial\":false}",
         {"Authorised: 12.50 EUR to Sh\xef\xbf\xbdop", "A1B2C3", NULL}},
        {"{\"status\":\"authorised\",\"amount_text\":\"12.50 EUR\",\"merchant\":\"Shop\","
         "\"authorised_amount_text\":\"10.00 EUR\",\"partial\":true,\"breach\":true}",
         {"in part: 10.00 EUR of 12.50 EUR", "broke its word", NULL}},
        {"{\"status\":\"declined\",\"action_code\":\"51\"}",
         {"Declined by the issuer: there is not enough money", "(code 51)", "Nothing was taken"}},
        {"{\"status\":\"pending\",\"xid\":\"00ff\",\"state\":\"refused by the merchant, not "
         "confirmed\"}",
         {"Not known yet", "not confirmed", "status 00ff"}},
        {"{\"status\":\"failed\",\"state\":\"voided\",\"disagreement\":\"other amount\"}",
         {"Not paid: the purchase was voided", "Disagreement: other amount", NULL}},
        {"{\"status\":\"captured\",\"amount_text\":\"10.00 EUR\",\"merchant\":\"Shop\","
         "\"captured_amount\":700,\"captured_amount_text\":\"7.00 EUR\",\"credited_amount\":100,"
         "\"credited_amount_text\":\"1.00 EUR\"}",
         {"Captured 7.00 of 10.00 EUR, refunded 1.00 EUR: Shop.", NULL, NULL}},
        {"{\"status\":\"captured\",\"amount_text\":\"10.00 EUR\",\"merchant\":\"Shop\","
         "\"captured_amount\":1000,\"captured_amount_text\":\"10.00 EUR\"}",
         {"Captured 10.00 EUR: Shop.", NULL, NULL}},
        {"{}", {"Not paid", NULL, NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = outcome(rows[i].json);

        for (size_t word = 0; word < 3 && rows[i].words[word] != NULL; word++) {
            if (strstr(text, rows[i].words[word]) == NULL)
                fail_msg("no '%s' in '%s'", rows[i].words[word], text);
        }
        assert_null(strchr(text, '\033'));
        free(text);
    }
}

/* What the program at the other end of the terminal does; its exit status. */
static int at_terminal(const char *expected)
{
    struct setpay_problem problem = {""};
    struct setpay_secret line = {0};

    if (expected == NULL)
        return setpay_cli_ask_yes("Well? ", &problem) == SETPAY_OK ? 0 : 1;
    if (setpay_cli_ask_secret("Well? ", 16, &line, &problem) != SETPAY_OK)
        return 1;
    return setpay_view_equal(setpay_secret_view(&line), setpay_view_string(expected)) ? 0 : 2;
}

/* Reads what is shown until the words were, at most 10 s for each piece. */
static void wait_for_words(int terminal, const char *words, char *seen, size_t size)
{
    struct pollfd ready = {.fd = terminal, .events = POLLIN};

    while (strstr(seen, words) == NULL) {
        size_t used = strlen(seen);
        ssize_t got;

        assert_true(used + 1 < size);
        assert_int_equal(poll(&ready, 1, 10000), 1);
        got = read(terminal, seen + used, size - used - 1);
        assert_true(got > 0);
        seen[used + (size_t)got] = '\0';
    }
}

static bool echoes(int terminal)
{
    struct termios settings;

    assert_int_equal(tcgetattr(terminal, &settings), 0);
    return (settings.c_lflag & ECHO) != 0;
}

/* Types into a question on a new terminal; the waited-for status of the program. The test holds the
 * terminal's other end open, to see how it was left. */
static int type(const char *expected, const char *typed, bool secret)
{
    char seen[512] = "";
    int terminal = -1;
    int held = -1;
    int status = 0;
    char name[64];
    struct termios settings;
    pid_t child;

    assert_int_equal(openpty(&terminal, &held, name, NULL, NULL), 0);
    assert_int_equal(tcgetattr(terminal, &settings), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(terminal);
        _exit(login_tty(held) == 0 ? at_terminal(expected) : 3);
    }
    wait_for_words(terminal, "Well? ", seen, sizeof seen);
    assert_int_equal(echoes(terminal), !secret);
    assert_int_equal(write(terminal, typed, strlen(typed)), (ssize_t)strlen(typed));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(echoes(terminal));
    (void)close(held);
    (void)close(terminal);
    return status;
}

/* Secrets are typed unseen, and the terminal is as before whatever ends the question. */
static void test_terminal(void **state)
{
    int status;

    (void)state;
    assert_int_equal(type("hunter2", "hunter2\n", true), 0);
    assert_int_equal(type("", "\n", true), 0);
    assert_int_equal(WEXITSTATUS(type("hunter2", "hunter3\n", true)), 2);
    assert_int_equal(WEXITSTATUS(type("", "more than sixteen bytes\n", true)), 1);
    assert_int_equal(WEXITSTATUS(type("", "\004", true)), 1); /* end of input */
    status = type("", "hun\003", true);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    status = type("", "\034", true);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
}

/* Rule W4: only yes is yes. */
static void test_ask_yes(void **state)
{
    static const char *const no[] = {"n\n", "\n", "yep\n", "y y\n", "yyyyyyyyyyyyyyyyyyyy\n",
                                     "\004"};

    (void)state;
    assert_int_equal(type(NULL, "y\n", false), 0);
    assert_int_equal(type(NULL, "YES\n", false), 0);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_int_equal(WEXITSTATUS(type(NULL, no[i], false)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),         cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_help),          cmocka_unit_test(test_socket_path),
        cmocka_unit_test(test_links),         cmocka_unit_test(test_width),
        cmocka_unit_test(test_clean),         cmocka_unit_test(test_clean_direction),
        cmocka_unit_test(test_table),         cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_exit_statuses), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_local_time),    cmocka_unit_test(test_card_input),
        cmocka_unit_test(test_outcomes),      cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_ask_yes),
    };

    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_cli_text_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
