/*
 * What an operator tells the issuer simulator, and what its lines then do: faults of every kind for
 * every kind of message, outages, accounts, disputes and files. One daemon, spoken to frame by
 * frame and by its own client. The alarm of main ends a test that hangs.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/listen.h"
#include "gateway/issuer/clearing_file.h"
#include "gateway/issuer/script.h"
#include "gateway/network/iso8583.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOW_MS 250

static char program[512];
static char folder[64];
static struct setpay_address address;
static pid_t pid;
static int line = -1;  /* to the issuer */
static unsigned stan;  /* of the newest message */
static unsigned first; /* of the authorisation that the others are of */

/* ------------------------------------------------------------------ the program */

static void start(void)
{
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char config[96];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(config, sizeof(config), "%s/issuer.conf", folder);
        execl(program, program, "--config", config, (char *)NULL);
        _exit(127);
    }
}

static void stop(void)
{
    int status;
    kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Runs a command of the client; gives its exit status, and all that it prints, errors too. */
static int run(char *out, size_t size, const char *format, ...) SETPAY_PRINTF(3, 4);

static int run(char *out, size_t size, const char *format, ...)
{
    char words[400];
    char command[1100];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    snprintf(command, sizeof(command), "'%s' --config '%s/issuer.conf' %s 2>&1", program, folder,
             words);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(out, 1, size - 1, pipe);
    out[got] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void told(const char *words)
{
    char out[4096];
    if (run(out, sizeof(out), "%s", words) != 0)
        fail_msg("%s: %s", words, out);
}

/* The exit status and a part of what is printed. */
static void refused(const char *words, int status, const char *said)
{
    char out[4096];
    int got = run(out, sizeof(out), "%s", words);
    if (got != status || strstr(out, said) == NULL)
        fail_msg("%s: exit status %d, %s", words, got, out);
}

/* ------------------------------------------------------------------ the line */

static int dial(void)
{
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)&address.storage, address.size) == 0)
            return fd;
        assert_int_equal(errno, ECONNREFUSED);
        close(fd);
        usleep(10000); /* the daemon is still starting */
    }
}

static void set(struct setpay_iso_message *message, unsigned field, const char *text)
{
    assert_int_equal(setpay_iso_set_text(message, field, text), SETPAY_OK);
}

static void set_number(struct setpay_iso_message *message, unsigned field, uint64_t number)
{
    assert_int_equal(setpay_iso_set_number(message, field, number), SETPAY_OK);
}

static bool give(struct setpay_iso_message *message)
{
    struct setpay_secret frame = {0};
    assert_int_equal(setpay_iso_build(message, &frame), SETPAY_OK);
    bool sent = send(line, frame.data, frame.size, MSG_NOSIGNAL) == (ssize_t)frame.size;
    setpay_secret_clear(&frame);
    setpay_iso_clear(message);
    return sent;
}

/* False where the line was closed. */
static bool take(char mti[5], char code[3])
{
    uint8_t bytes[SETPAY_ISO_MESSAGE_MAX];
    size_t size;
    struct setpay_iso_message message = {0};
    if (recv(line, bytes, 2, MSG_WAITALL) != 2)
        return false;
    assert_int_equal(setpay_iso_frame_size(bytes, &size), SETPAY_OK);
    assert_int_equal(recv(line, bytes, size, MSG_WAITALL), size);
    assert_int_equal(setpay_iso_parse(setpay_view_of(bytes, size), &message, NULL), SETPAY_OK);
    memcpy(mti, message.mti, 5);
    assert_int_equal(setpay_iso_get_text(&message, SETPAY_ISO_RESPONSE_CODE, code, 3), SETPAY_OK);
    setpay_iso_clear(&message);
    return true;
}

static bool sign_on(void)
{
    struct setpay_iso_message message = {0};
    char mti[5], code[3];
    if (line >= 0)
        close(line);
    line = dial();
    assert_int_equal(setpay_iso_set_mti(&message, "0800"), SETPAY_OK);
    set(&message, SETPAY_ISO_TRANSMISSION_TIME, "0228120000");
    set_number(&message, SETPAY_ISO_STAN, ++stan);
    set(&message, SETPAY_ISO_MANAGEMENT_CODE, "001");
    return give(&message) && take(mti, code) && strcmp(code, "00") == 0;
}

/* Sends a message of this type: a new authorisation, or one that is of the first; of a presentment
 * the id is its number. */
static bool ask(const char *mti, uint64_t minor, unsigned id)
{
    struct setpay_iso_message message = {0};
    char text[64];
    bool opens = strcmp(mti, "0100") == 0;
    stan++;
    assert_int_equal(setpay_iso_set_mti(&message, mti), SETPAY_OK);
    set(&message, SETPAY_ISO_PAN, "4242424242424242");
    set(&message, SETPAY_ISO_PROCESSING_CODE, "000000");
    set_number(&message, SETPAY_ISO_AMOUNT, minor);
    set(&message, SETPAY_ISO_TRANSMISSION_TIME, "0228120000");
    set_number(&message, SETPAY_ISO_STAN, stan);
    set(&message, SETPAY_ISO_LOCAL_TIME, "120000");
    set(&message, SETPAY_ISO_LOCAL_DATE, "0228");
    set(&message, SETPAY_ISO_EXPIRY, "3012");
    set(&message, SETPAY_ISO_ACQUIRER, "4242");
    set(&message, SETPAY_ISO_RRN, "605912000001");
    set(&message, SETPAY_ISO_TERMINAL, "SETPAY01");
    set(&message, SETPAY_ISO_ACCEPTOR, "shop-1         ");
    if (strcmp(mti, "0220") == 0 || strcmp(mti, "0221") == 0) {
        snprintf(text, sizeof(text), "9332%032x", id);
        set(&message, SETPAY_ISO_ADDITIONAL, text);
    }
    set(&message, SETPAY_ISO_CURRENCY, "978");
    if (!opens) {
        snprintf(text, sizeof(text), "0100%06u0228120000%011u%011u", first, 4242U, 0U);
        set(&message, SETPAY_ISO_ORIGINAL, text);
    }
    snprintf(text, sizeof(text), "%032x", first);
    set(&message, SETPAY_ISO_XID, text);
    return give(&message);
}

/* The answer's type and code, as "0230 00"; "closed". Of the newest message, or a further one. */
static const char *heard(void)
{
    static char words[16];
    char mti[5], code[3];
    if (!take(mti, code))
        return "closed";
    snprintf(words, sizeof(words), "%s %s", mti, code);
    return words;
}

static const char *answer(const char *mti, uint64_t minor, unsigned id)
{
    return ask(mti, minor, id) ? heard() : "closed";
}

/* An authorisation that the next messages are of. */
static void open_first(uint64_t minor)
{
    first = stan + 1;
    assert_string_equal(answer("0100", minor, 0), "0110 00");
}

/* ------------------------------------------------------------------ faults of messages */

static void presentments_go_wrong_as_told(void **state)
{
    (void)state;
    open_first(10000);
    told("script silent_presentments=1"); /* booked, and not answered: the repeat is the first word
                                           */
    assert_true(ask("0220", 100, 1));
    assert_string_equal(answer("0221", 100, 1), "0230 94");
    told("script duplicate_presentments=1");
    assert_string_equal(answer("0220", 100, 2), "0230 00");
    assert_string_equal(heard(), "0230 00");
    told("script refuse_presentments=1 refuse_code=5"); /* not booked */
    assert_string_equal(answer("0220", 100, 3), "0230 05");
    assert_string_equal(answer("0221", 100, 3), "0230 00");
    told("script close_before_presentments=1");
    assert_string_equal(answer("0220", 100, 4), "closed");
    assert_true(sign_on());
    assert_string_equal(answer("0221", 100, 4), "0230 00"); /* it had not been booked */
    told("script close_after_presentments=1");
    assert_string_equal(answer("0220", 100, 5), "closed");
    assert_true(sign_on());
    assert_string_equal(answer("0221", 100, 5), "0230 94"); /* it had */
}

static void answers_take_the_time_that_they_are_told(void **state)
{
    static const struct {
        const char *script;
        const char *mti;
        unsigned id;
        const char *answer;
    } cases[] = {
        {"late_ms=250 late_presentments=1", "0220", 11, "0230 00"},
        {"latency_presentments_ms=250", "0220", 12, "0230 00"},
        {"late=1", "0100", 0, "0110 00"},
        {"late_advices=1", "0420", 0, "0430 00"},
        {"latency_reversals_ms=250", "0400", 0, "0410 00"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char words[100];
        open_first(10000);
        snprintf(words, sizeof(words), "script %s", cases[i].script);
        told(words);
        int64_t before = setpay_clock_monotonic_ms();
        assert_string_equal(answer(cases[i].mti, 100, cases[i].id), cases[i].answer);
        assert_true(setpay_clock_monotonic_ms() - before >= SLOW_MS);
        told("script reset");
    }
}

/* What is told of advices is for those alone, and comes first. */
static void advices_are_reversals_too(void **state)
{
    (void)state;
    open_first(10000);
    told("script refuse_advices=1 refuse_reversals=2 refuse_code=91");
    assert_string_equal(answer("0400", 10000, 0), "0410 91");
    assert_string_equal(answer("0420", 10000, 0), "0430 91"); /* of its own */
    assert_string_equal(answer("0421", 10000, 0), "0430 91"); /* of all reversals */
    assert_string_equal(answer("0421", 10000, 0), "0430 00");
    told("script close_after_advices=1");
    assert_string_equal(answer("0420", 10000, 0), "closed");
    assert_true(sign_on());
}

static void authorisations_are_refused_with_the_code_that_is_told(void **state)
{
    (void)state;
    told("script refuse=1 refuse_code=61");
    assert_string_equal(answer("0100", 100, 0), "0110 61");
    stan--; /* the same again: what was said stands */
    assert_string_equal(answer("0100", 100, 0), "0110 61");
    assert_string_equal(answer("0100", 100, 0), "0110 00");
    refused("script refuse=1 refuse_code=0", 2, "refuse_code 0 approves");
    refused("script refuse_code=100", 2, "refuse_code: found 100, expected 0 to 99");
    refused("script silent_everything=1", 2, "silent_everything");
    told("script refuse_code=96");
}

/* A false word: it says that it has booked what it has not. Its books and its file don't. */
static void what_is_refused_with_00_is_not_booked(void **state)
{
    char out[65536];
    (void)state;
    open_first(10000);
    told("script refuse_presentments=1 refuse_code=0");
    assert_string_equal(answer("0220", 100, 77), "0230 00");
    assert_int_equal(run(out, sizeof(out), "clearing"), 0);
    assert_null(strstr(out, "0000000000000000000000000000004d"));
    told("script reset");
}

static void each_kind_has_faults_of_its_own(void **state)
{
    static const struct {
        const char *mti;
        enum setpay_card_rule behaviour;
    } cases[] = {
        {"0100", SETPAY_CARD_LATE},       {"0200", SETPAY_CARD_SILENT},
        {"0200", SETPAY_CARD_LATE},       {"0100", SETPAY_CARD_APPROVE},
        {"0220", SETPAY_CARD_DUPLICATE},  {"0221", SETPAY_CARD_APPROVE},
        {"0421", SETPAY_CARD_DROP_AFTER}, {"0420", SETPAY_CARD_DROP_BEFORE},
        {"0400", SETPAY_CARD_APPROVE},    {"0120", SETPAY_CARD_SILENT},
        {"0121", SETPAY_CARD_DROP_AFTER}, {"0120", SETPAY_CARD_APPROVE},
    };
    struct setpay_script script;
    (void)state;
    setpay_script_init(&script, 1);
    script.silent_sales = 1;
    script.silent_stand_ins = 1;
    script.close_after_stand_ins = 1;
    script.late = 2;
    script.duplicate_presentments = 1;
    script.close_after_advices = 1;
    script.close_before_reversals = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setpay_script_fault fault;
        setpay_script_next(&script, cases[i].mti, NULL, &fault);
        assert_int_equal(fault.behaviour, cases[i].behaviour);
        assert_string_equal(fault.refuse_code, "");
    }
}

/* ------------------------------------------------------------------ outages */

static void nobody_is_served_until_told(void **state)
{
    char mti[5], code[3];
    (void)state;
    told("script down=1");
    assert_false(take(mti, code)); /* the line was closed */
    assert_false(sign_on());
    assert_false(sign_on());
    told("script down=0");
    assert_true(sign_on());
}

static void nobody_is_served_for_a_time(void **state)
{
    (void)state;
    int64_t before = setpay_clock_monotonic_ms();
    told("script down_ms=250");
    while (!sign_on())
        usleep(10000);
    assert_true(setpay_clock_monotonic_ms() - before >= SLOW_MS);
    told("script down_ms=600000");
    assert_false(sign_on());
    told("script reset");
    assert_true(sign_on());
}

/* ------------------------------------------------------------------ accounts, disputes, files */

static void accounts_are_emptied_and_closed(void **state)
{
    char out[65536];
    (void)state;
    told("account approve --available '10 EUR' --limit '8 EUR' daily-limit='1000 EUR'");
    assert_string_equal(answer("0100", 801, 0), "0110 61");
    open_first(800);
    assert_string_equal(answer("0100", 201, 0), "0110 51");
    told("account approve state=closed");
    assert_string_equal(answer("0100", 1, 0), "0110 42");
    assert_string_equal(answer("0220", 800, 21), "0230 00"); /* what it owes */
    assert_int_equal(run(out, sizeof(out), "statement 4242"), 0);
    assert_non_null(strstr(out, "approve, visa ending in 4242, EUR, closed\n"));
    assert_non_null(strstr(out, "available 2.00\n"));
    told("account approve state=open limited=no limit='0 EUR' daily-limit='0 EUR'");
    assert_string_equal(answer("0100", 99999, 0), "0110 00");
    refused("account nobody state=open", 1, "name: there is no such account");
    refused("account approve state=shut", 2, "state: found 'shut', expected open or closed");
    refused("account approve available=10", 2, "as '12.50 EUR'");
    refused("account", 2, "argument name is missing");
    refused("statement 42", 2, "last4: expected the last four digits");
}

static void disputes_are_opened_and_closed(void **state)
{
    char out[65536];
    (void)state;
    open_first(1000);
    assert_string_equal(answer("0220", 1000, 31), "0230 00");
    const char *id = "0000000000000000000000000000001f";
    refused("dispute open 00 --reason fraud", 1, "no charge with the id '00' is booked");
    assert_int_equal(run(out, sizeof(out), "dispute open %s --reason lost", id), 2);
    assert_non_null(strstr(out, "expected one of fraud|not-received|"));
    assert_int_equal(
        run(out, sizeof(out), "dispute open %s --reason fraud --amount '10.01 EUR'", id), 2);
    assert_non_null(strstr(out, "at most 10.00 EUR"));
    assert_int_equal(run(out, sizeof(out), "dispute open %s --reason fraud --amount '9 EUR'", id),
                     0);
    assert_string_equal(out, "dispute=1\n");
    refused("dispute close 1 --outcome gateway", 2, "expected cardholder or merchant");
    refused("dispute close 9 --outcome merchant", 1, "there is no dispute 9");
    refused("dispute shut 1", 2, "expected open or close");
    told("dispute close 1 --outcome cardholder");
    assert_int_equal(run(out, sizeof(out), "disputes"), 0);
    assert_non_null(strstr(out, ",900,EUR,fraud,"));
    assert_non_null(strstr(out, ",cardholder\nend,1,"));
    refused("disputes --date tomorrow", 2, "date: found 'tomorrow', expected a day YYYY-MM-DD");
}

static void the_clearing_file_names_what_was_decided(void **state)
{
    static char out[65536];
    struct setpay_clearing_file file;
    struct setpay_problem problem = {{0}};
    (void)state;
    assert_string_equal(answer("0220", 1, 32), "0230 13"); /* nothing is left of the first */
    assert_int_equal(run(out, sizeof(out), "clearing"), 0);
    assert_int_equal(setpay_clearing_file_parse(setpay_view_string(out), &file, &problem),
                     SETPAY_OK);
    assert_string_equal(file.issuer, "bank-7");
    const struct setpay_clearing_row *last = &file.rows[file.row_count - 1];
    assert_string_equal(last->presentment, "00000000000000000000000000000020");
    assert_string_equal(last->result, "13");
    assert_string_equal(last->acquirer, "4242");
    setpay_clearing_file_clear(&file);
    assert_null(strstr(out, "424242424242"));
    assert_int_equal(run(out, sizeof(out), "clearing --date 1999-12-31"), 0);
    assert_non_null(strstr(out, "1999-12-31,1999-12-31\nend,0,"));
    refused("clearing --day 1999-12-31", 2, "--day");
}

/* Says by its exit status whether the books agree, also on what was written past the program. */
static void the_check_tells(void **state)
{
    char command[200];
    (void)state;
    refused("check", 0, "0 differences");
    stop();
    snprintf(command, sizeof(command),
             "sqlite3 %s/issuer.db \"UPDATE account_entry SET amount_minor = amount_minor - 5"
             " WHERE number = (SELECT MAX(number) FROM account_entry)\"",
             folder);
    assert_int_equal(system(command), 0);
    start();
    assert_true(sign_on());
    refused("check", 1, "account approve, EUR: ");
    refused("--json check", 1, "\"ok\": false");
}

/* ------------------------------------------------------------------ all of it */

static int set_up(void **state)
{
    struct setpay_listeners listeners;
    char text[SETPAY_ADDRESS_TEXT_SIZE];
    char config[96];
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/setpay-script-XXXXXX");
    assert_non_null(mkdtemp(folder));
    /* The kernel's choice of a port, given back for the daemon to take. */
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &address, NULL), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&address, 1, &listeners, NULL), SETPAY_OK);
    address = listeners.address;
    setpay_listeners_close(&listeners);
    snprintf(config, sizeof(config), "%s/issuer.conf", folder);
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file,
            "listen = %s\nname = bank-7\ndatabase = sqlite:%s/issuer.db\n"
            "admin_socket = %s/issuer.sock\nlog = %s/issuer.log\n",
            setpay_address_format(&address, text), folder, folder, folder);
    assert_int_equal(fclose(file), 0);
    start();
    assert_true(sign_on());
    return 0;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    close(line);
    stop();
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presentments_go_wrong_as_told),
        cmocka_unit_test(answers_take_the_time_that_they_are_told),
        cmocka_unit_test(advices_are_reversals_too),
        cmocka_unit_test(authorisations_are_refused_with_the_code_that_is_told),
        cmocka_unit_test(what_is_refused_with_00_is_not_booked),
        cmocka_unit_test(each_kind_has_faults_of_its_own),
        cmocka_unit_test(nobody_is_served_until_told),
        cmocka_unit_test(nobody_is_served_for_a_time),
        cmocka_unit_test(accounts_are_emptied_and_closed),
        cmocka_unit_test(disputes_are_opened_and_closed),
        cmocka_unit_test(the_clearing_file_names_what_was_decided),
        cmocka_unit_test(the_check_tells),
    };
    const char *build = getenv("BUILD");
    snprintf(program, sizeof(program), "%s/bin/setpay-issuersim", build == NULL ? "build" : build);
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
