/*
 * The payouts of a running gateway, end to end: what a settlement has to pay waits until its
 * merchant has an account in the configuration; it is sent with SIGKILLs in between, in one file,
 * which is valid and can be had again; the bank pays one and returns the other, which the next
 * settlement pays again. And an issuer's payment is undone, and one goes to an issuer.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/zone.h"
#include "common/net/control_client.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_store.h"
#include "tests/support/test_till.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APPROVES "4242424242424242"
#define AHEAD_MS (10 * SETPAY_MINUTE_MS)
#define SHOP_IBAN "NL91ABNA0417164300"

static struct test_till till;
static char *printed;   /* by the last program */
static char payout[40]; /* the one in EUR */
static char today[SETPAY_DATE_TEXT_SIZE];

/* ------------------------------------------------------------------ programs */

static int run(const char *const *words)
{
    char path[TEST_PATH_SIZE];
    const char *all[24] = {"--config", test_path(till.gateway->folder, "gateway.conf", path)};
    size_t count = 2;
    for (; *words != NULL; words++)
        all[count++] = *words;
    free(printed);
    printed = NULL;
    return test_run_to_end("setpay-gateway", all, &printed);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void expect_printed(const char *words)
{
    if (strstr(printed, words) == NULL)
        fail_msg("expected '%s' in:\n%s", words, printed);
}

/* With --json, what it says of why not. */
static void expect_refused(const char *says, int status, const char *const *words)
{
    int found = run(words);
    if (found != status || strstr(printed, says) == NULL)
        fail_msg("exit status %d, expected %d and '%s' in:\n%s", found, status, says, printed);
}
#define EXPECT_REFUSED(says, status, ...)                                                          \
    expect_refused(says, status, (const char *const[]){"--json", __VA_ARGS__, NULL})

static int64_t number(const char *sql)
{
    return test_gateway_number(till.gateway, sql);
}

/* A member of the JSON that the last program printed, or of its first row. */
static void take(const char *list, const char *member, char *out, size_t size)
{
    json_t *all = json_loads(printed, 0, NULL);
    const json_t *from = list == NULL ? all : json_array_get(json_object_get(all, list), 0);
    const char *text = json_string_value(json_object_get(from, member));
    if (text == NULL)
        fail_msg("no %s in:\n%s", member, printed);
    (void)snprintf(out, size, "%s", text);
    json_decref(all);
}

static void configure(const char *lines)
{
    char path[TEST_PATH_SIZE];
    FILE *file = fopen(test_path(till.gateway->folder, "gateway.conf", path), "a");
    assert_non_null(file);
    assert_true(fputs(lines, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void edit(const char *sql)
{
    char path[TEST_PATH_SIZE];
    char *words = NULL;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(test_path(till.gateway->folder, "gateway.db", path), &db),
                     SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, TEST_WAIT_MS), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
        fail_msg("%s: %s", sql, words);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static enum setpay_error ask(const char *command, json_t *args)
{
    char path[TEST_PATH_SIZE];
    struct setpay_problem problem;
    struct setpay_control_client *client = NULL;
    json_t *result = NULL;
    enum setpay_error error =
        setpay_control_client_open(test_path(till.gateway->folder, "gateway.sock", path),
                                   "setpay-gatewayd", NULL, &client, &problem);
    if (error == SETPAY_OK)
        error = setpay_control_client_call(client, command, args, TEST_WAIT_MS, NULL, NULL, &result,
                                           &problem);
    else
        json_decref(args);
    json_decref(result);
    setpay_control_client_close(client);
    return error;
}

/* The gateway starts again, so many days later, with revocation lists of that day. */
static void wait_days(int days)
{
    static const char *const brands[] = {"visa", "mastercard"};
    int64_t ahead_ms = AHEAD_MS + days * SETPAY_DAY_MS;
    char clock[24];
    (void)snprintf(clock, sizeof clock, "%lld", (long long)ahead_ms);
    assert_int_equal(setenv("SETPAY_CLOCK", clock, 1), 0);
    test_gateway_stop(till.gateway);
    till.gateway->pki->now_ms = setpay_clock_now_ms() + ahead_ms;
    test_gateway_publish_crl(till.gateway, NULL, SETPAY_CA_ROOT);
    for (size_t i = 0; i < 2; i++)
        for (int kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++)
            test_gateway_publish_crl(till.gateway, brands[i], (enum setpay_ca_kind)kind);
    test_gateway_start(till.gateway, NULL);
}

/* ------------------------------------------------------------------ a day */

/* 1.4 % + 0.25 of 100.00 are 1.65. */
static void a_day_is_settled(void **state)
{
    struct test_paid paid[2];
    struct setpay_date date;
    char cut_off[8];
    struct tm parts;
    time_t end = (time_t)(setpay_clock_now_ms() / SETPAY_SECOND_MS) + 300;
    (void)state;
    (void)gmtime_r(&end, &parts);
    (void)strftime(cut_off, sizeof cut_off, "%H:%M", &parts);
    assert_int_equal(RUN("merchant", "set", "--brand", "visa", "--id", TEST_GATEWAY_MERCHANT,
                         "--cut-off", cut_off),
                     0);
    test_till_pay(&till, 10000, "EUR", &paid[0]);
    test_till_pay(&till, 1250, "JPY", &paid[1]);
    for (size_t i = 0; i < 2; i++)
        (void)test_till_step(&till, SETPAY_MESSAGE_CAP_REQ, &paid[i], &paid[i].auth.cap_token,
                             i == 0 ? 10000 : 1250);
    test_till_close(&till, &paid[0]);
    test_till_wait_presented(&till);
    for (size_t i = 0; i < 2; i++)
        test_paid_free(&paid[i]);
    test_line_free(till.line);
    till.line = NULL;
    wait_days(0);
    date = setpay_date_of_ms(setpay_clock_now_ms() + AHEAD_MS);
    (void)setpay_date_format(&date, today);
    assert_int_equal(RUN("settle"), 0);
    assert_int_equal(RUN("--json", "payout", "list", "--currency", "EUR"), 0);
    take("payouts", "payout", payout, sizeof payout);
    assert_int_equal(RUN("payout", "show", payout), 0);
    expect_printed("98.35 EUR");
    expect_printed("made");
    assert_int_equal(RUN("payout", "list", "--state", "sent"), 0);
    expect_printed("There is no such payout.");
    EXPECT_REFUSED("expected made, sent, paid, returned or set-aside", 2, "payout", "list",
                   "--state", "lost");
}

/* ------------------------------------------------------------------ accounts */

static void who_has_no_account_waits(void **state)
{
    char path[TEST_PATH_SIZE];
    (void)state;
    (void)test_path(till.gateway->folder, "first.xml", path);
    EXPECT_REFUSED("--currency is missing", 2, "payout", "send");
    EXPECT_REFUSED("payer missing: the configuration has no section [payer EUR]", 1, "payout",
                   "send", "--currency", "EUR");
    (void)RUN("--json", "doctor");
    expect_printed("payer missing: there is no section [payer EUR]");
    expect_printed("payee missing: there is no section [payee visa.shop]");
    /* A mistyped account is named, and nothing of it taken: by the daemon too. */
    char *kept;
    size_t size;
    kept = test_read_file(till.gateway->folder, "gateway.conf", &size);
    configure("[payer EUR]\nholder = Acquirer Ltd.\niban = DE89370400440532013001\n");
    EXPECT_REFUSED("[payer EUR] iban: expected an IBAN", 2, "payout", "send", "--currency", "EUR");
    (void)RUN("--json", "doctor");
    expect_printed("[payer EUR] iban: expected an IBAN");
    test_write_file(till.gateway->folder, "gateway.conf", setpay_view_of(kept, size));
    free(kept);
    configure("[payer EUR]\nholder = Acquirer Ltd.\niban = DE89 3704 0044 0532 0130 00\n"
              "bic = COBADEFFXXX\n");
    EXPECT_REFUSED("payee missing: the configuration has no section [payee visa.shop]", 1, "payout",
                   "send", "--currency", "EUR", "-o", path);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM payout WHERE state = 1"), 2);
    configure("[payee visa.shop]\nholder = Shop\niban = " SHOP_IBAN "\n");
    /* Of a database that was restored, what was sent since its backup is forgotten. */
    edit("INSERT INTO restoration (number, backup_ms, restored_ms, moved)"
         " VALUES (1, 1, 4102444800000, 0)");
    EXPECT_REFUSED("and 1 of the payouts that wait hold something of before", 1, "payout", "send",
                   "--currency", "EUR", "-o", path);
    EXPECT_REFUSED("expected the id of a payout in EUR that is made; nothing was sent", 2, "payout",
                   "send", "--currency", "EUR", "--force", "--leave",
                   "00112233445566778899aabbccddeeff");
    EXPECT_REFUSED("every payout in EUR that waits is left out by --leave", 1, "payout", "send",
                   "--currency", "EUR", "--force", "--leave", payout);
    assert_int_equal(RUN("payout", "list", "--currency", "EUR"), 0);
    expect_printed("(may have been sent: paid, set-aside or send --force)");
    EXPECT_REFUSED("reason: expected words", 2, "payout", "set-aside", payout, "--reason", "");
    assert_int_equal(RUN("payout", "set-aside", payout, "--reason", "paid 90.00 by hand"), 0);
    expect_printed(" set-aside ");
    EXPECT_REFUSED("no payout in EUR waits to be sent", 1, "payout", "send", "--currency", "EUR",
                   "--force");
    assert_int_equal(RUN("payout", "list", "--state", "set-aside"), 0);
    expect_printed(payout);
    assert_int_equal(RUN("payout", "show", payout), 0);
    expect_printed("reason     paid 90.00 by hand");
    assert_int_equal(test_gateway_log_count(till.gateway, "event=payout.set_aside"), 1);
    assert_int_equal(RUN("ledger", "verify"), 0);
    assert_int_equal(RUN("audit"), 0);
    test_daemon_wait_figure(&till.gateway->daemon, "setpay_gateway_payouts{state=\"made\"}", 1);
    assert_int_equal(RUN("payout", "undo", payout, "--reason", "the bank has not"), 0);
    expect_printed(" made ");
    assert_int_equal(RUN("payout", "show", payout), 0);
    expect_printed("set-aside, was told by mistake: the bank has not");
    assert_int_equal(RUN("payout", "paid", payout, "--reference", "B0", "--date", today), 0);
    expect_printed(" paid ");
    assert_int_equal(
        RUN("payout", "undo", payout, "--reference", "B0", "--reason", "it was another"), 0);
    expect_printed(" made ");
    assert_int_equal(RUN("payout", "show", payout), 0);
    expect_printed("in doubt ");
    edit("DELETE FROM restoration");
    assert_int_equal(number("SELECT COUNT(*) FROM payout WHERE state = 1"), 2);
    EXPECT_REFUSED("date '2020-01-01': expected a day from ", 2, "payout", "send", "--currency",
                   "EUR", "--date", "2020-01-01");
}

/* All that is kept, as if it was of so many days later: the clock is behind that, or ahead. */
static void move_kept(int days)
{
    static const char *const tables[] = {"payment", "step", "presentment", "settlement"};
    char sql[128];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        (void)snprintf(sql, sizeof sql, "UPDATE %s SET created_ms = created_ms + %lld", tables[i],
                       (long long)days * SETPAY_DAY_MS);
        edit(sql);
    }
}

static void a_wrong_clock_sends_nothing(void **state)
{
    static const struct {
        int days;
        const char *says;
    } cases[] = {{-9, "more than seven days before; where the clock is right"},
                 {3, "more than a day behind; where the clock is right"}};
    char path[TEST_PATH_SIZE];
    (void)state;
    (void)test_path(till.gateway->folder, "first.xml", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        move_kept(cases[i].days);
        EXPECT_REFUSED(cases[i].says, 1, "payout", "send", "--currency", "EUR", "-o", path);
        EXPECT_REFUSED(cases[i].says, 1, "payout", "send", "--currency", "EUR", "--force", "-o",
                       path);
        EXPECT_REFUSED("every payout in EUR that waits is left out", 1, "payout", "send",
                       "--currency", "EUR", "--clock-is-right", "--leave", payout);
        assert_int_not_equal(access(path, F_OK), 0);
        assert_int_equal(number("SELECT COUNT(*) FROM payout_file"), 0);
        assert_int_equal(number("SELECT COUNT(*) FROM payout WHERE state = 1"), 2);
        move_kept(-cases[i].days);
    }
}

/* ------------------------------------------------------------------ one file */

static json_t *send_args(void)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:[{s:s, s:s, s:s, s:s}]}", "currency", "EUR",
                     "date", today, "payer", "holder", "Acquirer Ltd.", "iban",
                     "DE89370400440532013000", "payees", "brand", "visa", "merchant_id", "shop",
                     "holder", "Shop", "iban", SHOP_IBAN);
}

static void validate(const char *path)
{
    pid_t pid = fork();
    int status = 0;
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("xmllint", "xmllint", "--noout", "--nonet", "--schema", "tests/schemas/pain.001.xsd",
               path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int64_t age(const char *state)
{
    char name[80];
    (void)snprintf(name, sizeof name, "setpay_gateway_payouts_age_seconds{state=\"%s\"}", state);
    return test_daemon_figure(&till.gateway->daemon, name);
}

/* The one in JPY was made, and the one in EUR sent, since the daemon's clock was set: long ago,
 * once the database says so. Read anew by the next start. */
static void expect_aged(void)
{
    assert_true(age("made") < 3600);
    assert_true(age("sent") < 3600);
    edit("UPDATE settlement SET created_ms = created_ms - 864000000 WHERE currency = 'JPY';"
         "UPDATE payout SET sent_ms = sent_ms - 1728000000 WHERE state = 2");
    test_gateway_stop(till.gateway);
    test_gateway_start(till.gateway, NULL);
    assert_true(age("made") >= 864000 && age("made") < 864000 + 3600);
    assert_true(age("sent") >= 1728000 && age("sent") < 1728000 + 3600);
    edit("UPDATE settlement SET created_ms = created_ms + 864000000 WHERE currency = 'JPY';"
         "UPDATE payout SET sent_ms = sent_ms + 1728000000 WHERE state = 2");
}

/* Killed before its commit nothing is sent, and behind it all is, though nobody had the answer. */
static void is_sent_once_through_kills(void **state)
{
    static const char *const points[] = {"store.write", "store.commit", "store.committed"};
    char path[TEST_PATH_SIZE], id[40];
    char *first, *again;
    size_t size, second;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int64_t files;
        do { /* what the gateway saves after its start may come to the last point first */
            (void)ask("testing.crash", json_pack("{s:s, s:i}", "point", points[i], "count", 1));
            assert_int_not_equal(ask("payout.send", send_args()), SETPAY_OK);
            test_gateway_wait_killed(till.gateway);
            test_gateway_start(till.gateway, NULL);
            files = number("SELECT COUNT(*) FROM payout_file");
        } while (i == 2 && files == 0);
        assert_int_equal(files, i < 2 ? 0 : 1);
        assert_int_equal(number("SELECT COUNT(*) FROM payout WHERE state = 2"), files);
    }
    EXPECT_REFUSED("no payout in EUR waits", 1, "payout", "send", "--currency", "EUR", "--date",
                   today);
    assert_int_equal(RUN("--json", "payout", "files"), 0);
    take("files", "file", id, sizeof id);
    /* Where it can't be written, it can be later; a file that is there is not touched. */
    EXPECT_REFUSED("which payout file ", 1, "payout", "file", id, "-o", "/nowhere/there.xml");
    (void)test_path(till.gateway->folder, "first.xml", path);
    assert_int_equal(RUN("payout", "file", id, "-o", path), 0);
    expect_printed("1 payout, 98.35 EUR, to be paid on ");
    validate(path);
    EXPECT_REFUSED("expected a new file", 2, "payout", "file", id, "-o", path);
    assert_int_equal(RUN("payout", "file", id), 0);
    first = test_read_file(till.gateway->folder, "first.xml", &size);
    assert_string_equal(printed, first);
    test_gateway_stop(till.gateway); /* also from a database that nobody serves */
    (void)test_path(till.gateway->folder, "again.xml", path);
    assert_int_equal(RUN("payout", "file", id, "-o", path), 0);
    again = test_read_file(till.gateway->folder, "again.xml", &second);
    assert_int_equal(size, second);
    assert_memory_equal(first, again, size);
    free(first);
    free(again);
    test_gateway_start(till.gateway, NULL);
    test_daemon_wait_figure(&till.gateway->daemon, "setpay_gateway_payouts{state=\"sent\"}", 1);
    expect_aged();
    assert_int_equal(RUN("ledger", "verify"), 0);
}

/* ------------------------------------------------------------------ the bank's word */

static void the_bank_pays_and_returns(void **state)
{
    char path[TEST_PATH_SIZE], id[40], first_file[40];
    (void)state;
    assert_int_equal(RUN("--json", "payout", "show", payout), 0);
    take(NULL, "file", first_file, sizeof first_file);
    EXPECT_REFUSED("reference", 2, "payout", "paid", payout, "--date", today);
    EXPECT_REFUSED("there is neither a payout nor a file", 1, "payout", "paid",
                   "00112233445566778899aabbccddeeff", "--reference", "B1", "--date", today);
    EXPECT_REFUSED("code 'ac04'", 2, "payout", "returned", payout, "--code", "ac04", "--reference",
                   "B1", "--date", today);
    assert_int_equal(RUN("payout", "paid", payout, "--reference", "B1", "--date", today), 0);
    expect_printed(" paid ");
    assert_int_equal(RUN("payout", "paid", payout, "--reference", "B1", "--date", today), 0);
    expect_printed("(told before)");
    EXPECT_REFUSED("was told as paid before, by B1", 1, "payout", "paid", payout, "--reference",
                   "B2", "--date", today);
    assert_int_equal(test_gateway_log_count(till.gateway, "event=payout.paid"), 2);
    test_daemon_wait_figure(&till.gateway->daemon, "setpay_gateway_payouts{state=\"made\"}", 1);
    test_daemon_wait_figure(&till.gateway->daemon, "setpay_gateway_payouts{state=\"sent\"}", 0);
    /* The wrong one was named: as a payout, and as a file; in the wrong words, and once too often.
     */
    EXPECT_REFUSED("and not by B2; nothing was undone", 1, "payout", "undo", payout, "--reference",
                   "B2", "--reason", "the wrong id");
    EXPECT_REFUSED("reason: expected words", 2, "payout", "undo", payout, "--reference", "B1",
                   "--reason", "");
    EXPECT_REFUSED("the last word was told by B2", 1, "payout", "undo", first_file, "--whole-file",
                   "--reference", "B2", "--reason", "the wrong file");
    assert_int_equal(RUN("payout", "undo", first_file, "--whole-file", "--reference", "B1",
                         "--reason", "the wrong file"),
                     0);
    expect_printed(" sent ");
    assert_int_equal(RUN("payout", "undo", first_file, "--whole-file", "--reference", "B1",
                         "--reason", "the wrong file"),
                     0);
    expect_printed("(told before)");
    EXPECT_REFUSED("is sent: there is no word of the bank to undo", 1, "payout", "undo", payout,
                   "--reference", "B1", "--reason", "another reason");
    EXPECT_REFUSED("word: expected paid or returned", 2, "payout", "undo", payout, "--reference",
                   "B1", "--word", "sent", "--reason", "the wrong file");
    assert_int_equal(
        RUN("payout", "returned", payout, "--code", "AC04", "--reference", "B1", "--date", today),
        0);
    assert_int_equal(
        RUN("payout", "undo", payout, "--reference", "B1", "--reason", "another came back"), 0);
    assert_int_equal(test_gateway_log_count(till.gateway, "event=payout.undone"), 4);
    assert_int_equal(RUN("payout", "paid", payout, "--reference", "B1", "--date", today), 0);
    assert_int_equal(RUN("payout", "show", payout), 0);
    expect_printed("paid, by B1 of ");
    expect_printed("was told by mistake: another came back");
    assert_int_equal(RUN("payout", "returned", payout, "--code", "AC04", "--reference", "B3",
                         "--date", today, "--reason", "the account is closed"),
                     0);
    expect_printed("returned");
    assert_int_equal(test_gateway_log_count(till.gateway, "event=payout.returned"), 2);
    assert_int_equal(test_gateway_log_count(till.gateway, SHOP_IBAN), 0); /* in no line */
    assert_int_equal(RUN("payout", "show", payout), 0);
    expect_printed("the account is closed");
    expect_printed(SHOP_IBAN);
    EXPECT_REFUSED("were returned, and are paid by other files", 1, "payout", "file", first_file);
    wait_days(1);
    assert_int_equal(RUN("settle"), 0);
    expect_printed("98.35 EUR of payouts that were returned");
    EXPECT_REFUSED("can't be undone: the settlement ", 1, "payout", "undo", payout, "--reference",
                   "B3", "--reason", "too late");
    assert_int_equal(number("SELECT payout_minor FROM settlement ORDER BY id DESC LIMIT 1"), 9835);
    (void)test_path(till.gateway->folder, "second.xml", path);
    move_kept(-9);
    assert_int_equal(
        RUN("--json", "payout", "send", "--currency", "EUR", "--clock-is-right", "-o", path), 0);
    move_kept(9);
    take(NULL, "file", id, sizeof id);
    validate(path);
    assert_null(strstr(printed, "<Document"));
    struct setpay_date date = setpay_date_of_ms(setpay_clock_now_ms() + AHEAD_MS + SETPAY_DAY_MS);
    (void)setpay_date_format(&date, today);
    /* All of a file, where that is what is meant. */
    EXPECT_REFUSED("that is a file of 1 payouts: --whole-file", 1, "payout", "paid", id,
                   "--reference", "B4", "--date", today);
    assert_int_equal(
        RUN("payout", "paid", id, "--whole-file", "--reference", "B4", "--date", today), 0);
    EXPECT_REFUSED("it was told what became of it", 1, "payout", "paid", id, "--whole-file",
                   "--reference", "B5", "--date", today);
    assert_int_equal(RUN("payout", "file", id), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM payout WHERE state = 3"), 1);
    assert_int_equal(RUN("ledger", "verify"), 0);
    assert_int_equal(RUN("audit"), 0);
}

/* ------------------------------------------------------------------ ISO's own schema */

static void the_file_is_as_iso_has_it(void **state)
{
    char path[TEST_PATH_SIZE];
    int status = 0;
    pid_t pid = fork();
    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("sh", "sh", "tests/schemas/official.sh",
               test_path(till.gateway->folder, "second.xml", path), (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* it can't be fetched */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ------------------------------------------------------------------ issuers */

static void issuers_payments_go_both_ways(void **state)
{
    (void)state;
    assert_int_equal(RUN("issuer", "paid", "--issuer", "sim", "--amount", "1000.00", "--currency",
                         "EUR", "--date", "2024-11-26", "--reference", "MT/1"),
                     0);
    assert_int_equal(RUN("issuer", "undo", "--issuer", "sim", "--reference", "MT/1", "--reason",
                         "it was 100.00"),
                     0);
    expect_printed("sim, MT/1: 1000.00 EUR; undone ");
    EXPECT_REFUSED("no payment of sim with the reference MT/1", 1, "issuer", "undo", "--issuer",
                   "sim", "--reference", "MT/1", "--reason", "again");
    EXPECT_REFUSED("the issuer sim is owed only 0.00 EUR", 1, "issuer", "paid-to", "--issuer",
                   "sim", "--amount", "1.00", "--currency", "EUR", "--date", "2024-11-26",
                   "--reference", "OUT/1");
    EXPECT_REFUSED("--issuer: found", 2, "issuer", "paid-to", "--issuer", "nobody", "--amount",
                   "1.00", "--currency", "EUR", "--date", "2024-11-26", "--reference", "OUT/1");
    assert_int_equal(RUN("issuer", "payments", "--issuer", "sim"), 0);
    expect_printed("1000.00 EUR; undone ");
    expect_printed("it was 100.00");
    assert_int_equal(test_gateway_log_count(till.gateway, "event=issuer.payment_undone"), 1);
    assert_int_equal(RUN("ledger", "verify"), 0);
}

/* ------------------------------------------------------------------ all of it */

static int open_all(void **state)
{
    (void)state;
    till.gateway = test_gateway_new();
    till.holder = test_cardholder_new(till.gateway->pki, "visa", APPROVES, "3012", "123");
    till.line = test_line_new(till.gateway, till.gateway->shop[0].tls, "visa");
    return till.line == NULL ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(till.line);
    test_cardholder_free(till.holder);
    test_gateway_free(till.gateway);
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_is_settled),
        cmocka_unit_test(who_has_no_account_waits),
        cmocka_unit_test(a_wrong_clock_sends_nothing),
        cmocka_unit_test(is_sent_once_through_kills),
        cmocka_unit_test(the_bank_pays_and_returns),
        cmocka_unit_test(issuers_payments_go_both_ways),
        cmocka_unit_test(the_file_is_as_iso_has_it),
    };
    alarm(240);
    /* Nothing is on standard input, from which a file may be read. */
    if (setpay_secret_system_init() != SETPAY_OK || freopen("/dev/null", "r", stdin) == NULL)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
