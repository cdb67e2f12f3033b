/*
 * Disputes, reserve and incoming money at a running gateway, end to end, with its issuer: charges
 * are disputed at the issuer, whose file is read in with SIGKILLs in between, once; the merchant's
 * settlement is less by it; one is closed for the cardholder, one for the merchant; a share is held
 * back and given back days later; what the issuer paid is booked, and what was too much cleared.
 * In the end ledger verify and audit find nothing.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/control_client.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_till.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APPROVES "4242424242424242"
#define AHEAD_MS (10 * SETPAY_MINUTE_MS)

static struct test_till till;
static char day[16]; /* that is settled first */
static char *printed;
static struct setpay_id step[4]; /* captures of 100.00, 50.00, 20.00 and 0.01 EUR */
static struct setpay_id xid;     /* of the first */

/* ------------------------------------------------------------------ programs */

/* setpay-gateway with these words; its exit status, with what it printed in printed. */
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

/* What it says on standard error; then the words of the command. */
static void expect_refused(const char *says, const char *const *words)
{
    char text[1000];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(file != NULL && saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    int status = run(words);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_int_not_equal(status, 0);
    if (strstr(text, says) == NULL)
        fail_msg("expected '%s' in:\n%s", says, text);
}
#define EXPECT_REFUSED(says, ...) expect_refused(says, (const char *const[]){__VA_ARGS__, NULL})

static void expect_printed(const char *words)
{
    if (strstr(printed, words) == NULL)
        fail_msg("expected '%s' in:\n%s", words, printed);
}

static int64_t number(const char *sql)
{
    return test_gateway_number(till.gateway, sql);
}

static int64_t figure(const char *series)
{
    return test_daemon_figure(&till.gateway->daemon, series);
}
#define BALANCE(account) "setpay_gateway_balance_minor{account=\"" account "\",currency=\"EUR\"}"

/* The issuer's file of disputes, as it is now. */
static void save_disputes(const char *name)
{
    char path[TEST_PATH_SIZE];
    const char *words[] = {"--config", test_path(till.gateway->folder, "issuer.conf", path),
                           "disputes", NULL};
    free(printed);
    printed = NULL;
    test_run_program("setpay-issuersim", words, &printed);
    test_write_file(till.gateway->folder, name, setpay_view_string(printed));
}

static int import(const char *name)
{
    char path[TEST_PATH_SIZE];
    return RUN("dispute", "import", test_path(till.gateway->folder, name, path), "--issuer", "sim");
}

static void dispute_open(const struct setpay_id *charge, const char *reason, const char *amount)
{
    char id[SETPAY_ID_TEXT_SIZE];
    char path[TEST_PATH_SIZE];
    const char *words[] = {"--config",
                           test_path(till.gateway->folder, "issuer.conf", path),
                           "dispute",
                           "open",
                           setpay_id_format(charge, id),
                           "--reason",
                           reason,
                           "--amount",
                           amount,
                           NULL};
    test_run_program("setpay-issuersim", words, NULL);
}

static void dispute_close(const char *dispute, const char *outcome)
{
    json_decref(test_gateway_issuer(
        till.gateway, "dispute",
        json_pack("{s:s, s:s, s:s}", "action", "close", "of", dispute, "outcome", outcome)));
}

/* The gateway starts again, so many days after the first that is settled, with revocation lists of
 * that day. */
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

/* ------------------------------------------------------------------ a file, through kills */

/* The shop's day ends in some minutes, which the gateway's clock is moved past later. */
static void choose_cut_off(void)
{
    struct tm parts;
    char cut_off[8];
    time_t end = (time_t)(setpay_clock_now_ms() / SETPAY_SECOND_MS) + 300;
    (void)gmtime_r(&end, &parts);
    (void)strftime(day, sizeof day, "%Y-%m-%d", &parts);
    (void)strftime(cut_off, sizeof cut_off, "%H:%M", &parts);
    assert_int_equal(RUN("merchant", "set", "--brand", "visa", "--id", TEST_GATEWAY_MERCHANT,
                         "--cut-off", cut_off, "--reserve-percent", "10", "--reserve-days", "2"),
                     0);
    expect_printed("10% 2d");
    assert_int_equal(RUN("merchant", "set", "--brand", "visa", "--id", TEST_GATEWAY_MERCHANT,
                         "--reserve-percent", "100.00001"),
                     2);
    assert_int_equal(RUN("merchant", "set", "--brand", "visa", "--id", TEST_GATEWAY_MERCHANT,
                         "--reserve-days", "0"),
                     2);
}

static void charge(void)
{
    static const int64_t amounts[] = {10000, 5000, 2000, 1};
    struct test_paid paid[4];
    for (size_t i = 0; i < 4; i++) {
        test_till_pay(&till, amounts[i], "EUR", &paid[i]);
        step[i] = test_till_step(&till, SETPAY_MESSAGE_CAP_REQ, &paid[i], &paid[i].auth.cap_token,
                                 amounts[i]);
    }
    xid = paid[0].purchase->auth.xid;
    test_till_close(&till, &paid[0]);
    test_till_wait_presented(&till);
    for (size_t i = 0; i < 4; i++)
        test_paid_free(&paid[i]);
}

/* One command of a gateway that may die of it; takes args. */
static enum setpay_error call(const char *command, json_t *args)
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

/* Asks the gateway to read the file in, which kills itself at that point. What it saves by itself
 * may come to the point first. */
static void dies_importing(const char *name, const char *point)
{
    size_t size;
    char *bytes = test_read_file(till.gateway->folder, name, &size);
    (void)call("testing.crash", json_pack("{s:s, s:i}", "point", point, "count", 1));
    assert_int_not_equal(call("dispute.import", json_pack("{s:s%, s:s}", "content", bytes, size,
                                                          "acquirer", "100001")),
                         SETPAY_OK);
    test_gateway_wait_killed(till.gateway);
    free(bytes);
}

static void a_file_is_imported_once_through_kills(void **state)
{
    static const char *const points[] = {"store.write", "store.commit"};
    char path[TEST_PATH_SIZE];
    (void)state;
    choose_cut_off();
    charge();
    dispute_open(&step[0], "fraud", "40.00 EUR");
    dispute_open(&step[1], "not-received", "50.00 EUR");
    save_disputes("opened.csv");
    expect_printed("total,EUR,2,9000\n");
    test_line_free(till.line);
    till.line = NULL;
    for (size_t i = 0; i < 2; i++) {
        dies_importing("opened.csv", points[i]);
        test_gateway_start(till.gateway, NULL);
        assert_int_equal(number("SELECT COUNT(*) FROM dispute"), 0);
        assert_int_equal(number("SELECT SUM(disputed_minor) FROM step"), 0);
    }
    /* A row that nobody has is no row to leave out. */
    (void)test_path(till.gateway->folder, "opened.csv", path);
    assert_int_equal(RUN("dispute", "import", path, "--skip", "2", "--skip", "99"), 2);
    assert_int_equal(RUN("dispute", "import", path, "--skip", "x"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM dispute"), 0);
    assert_int_equal(RUN("dispute", "import", path, "--skip", "2"), 0);
    expect_printed(": 1 opened, 0 lost, 0 won, 0 known before");
    expect_printed("skipped: dispute 2 (line 3), 50.00 EUR of ");
    assert_int_equal(test_gateway_log_count(till.gateway, "event=dispute.skipped"), 1);
    assert_int_equal(import("opened.csv"), 0);
    expect_printed("disputes of issuersim, ");
    expect_printed(": 1 opened, 0 lost, 0 won, 1 known before");
    assert_int_equal(import("opened.csv"), 0);
    expect_printed(": 0 opened, 0 lost, 0 won, 2 known before");
    assert_int_equal(number("SELECT COUNT(*) FROM ledger_entry WHERE kind = 7"), 2);
    assert_int_equal(test_gateway_log_count(till.gateway, "event=dispute.opened"), 2);
    assert_int_equal(RUN("dispute", "list"), 0);
    expect_printed("not-received");
    assert_int_equal(RUN("dispute", "list", "--outcome", "merchant"), 0);
    expect_printed("There is no such dispute.");
    assert_int_equal(RUN("dispute", "list", "--outcome", "draw"), 2);
    assert_int_equal(RUN("dispute", "show", "1"), 0);
    expect_printed("40.00 EUR");
    assert_int_equal(RUN("dispute", "show", "9"), 1);
    assert_int_equal(RUN("dispute", "show", "x"), 1);
    assert_int_equal(RUN("ledger", "verify"), 0);
}

/* A file that was changed, or is of something else, is refused, and nothing of it stays. */
static void a_file_that_does_not_hold_is_refused(void **state)
{
    char path[TEST_PATH_SIZE];
    size_t size;
    char *bytes = test_read_file(till.gateway->folder, "opened.csv", &size);
    (void)state;
    bytes[size / 2] ^= 1;
    test_write_file(till.gateway->folder, "bad.csv", setpay_view_of(bytes, size));
    free(bytes);
    assert_int_equal(import("bad.csv"), 2);
    assert_int_equal(import("no-such-file"), 2);
    test_write_file(till.gateway->folder, "bad.csv", setpay_view_of("\xff\xfe\n", 3));
    assert_int_equal(import("bad.csv"), 2);
    assert_int_equal(RUN("dispute", "import"), 2);
    assert_int_equal(RUN("dispute", "import", test_path(till.gateway->folder, "opened.csv", path),
                         "--issuer", "another"),
                     2);
    assert_int_equal(number("SELECT COUNT(*) FROM dispute"), 2);
}

static void evidence_goes_into_a_file(void **state)
{
    char path[TEST_PATH_SIZE], id[SETPAY_ID_TEXT_SIZE];
    size_t size;
    (void)state;
    (void)test_path(till.gateway->folder, "evidence.json", path);
    assert_int_equal(RUN("dispute", "evidence", "1", "-o", path), 0);
    expect_printed("2 messages and 2 receipts of payment "); /* AuthReq and CapReq */
    /* The same that is shown of the payment, which openssl alone checks. */
    char *bytes = test_read_file(till.gateway->folder, "evidence.json", &size);
    json_t *file = json_loadb(bytes, size, 0, NULL);
    free(bytes);
    assert_int_equal(
        RUN("--json", "payment", "evidence", setpay_id_format(&xid, id), "--brand", "visa"), 0);
    json_t *shown = json_loads(printed, 0, NULL);
    assert_non_null(file);
    assert_true(json_equal(file, shown));
    assert_string_equal(json_string_value(json_object_get(file, "xid")), id);
    json_decref(file);
    json_decref(shown);
    assert_int_equal(RUN("dispute", "evidence", "1", "-o", path), 2); /* it is there */
    assert_int_equal(RUN("dispute", "evidence", "1", "-o"), 2);
    assert_int_equal(RUN("dispute", "evidence", "9", "-o", "/nowhere/at/all"), 1);
    assert_int_equal(RUN("--json", "dispute", "evidence", "2"), 0);
    expect_printed("\"setpay_evidence\": 1");
}

/* ------------------------------------------------------------------ settled, day by day */

static void validate(const char *name, const char *schema)
{
    char path[TEST_PATH_SIZE];
    pid_t pid = fork();
    int status = 0;
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("xmllint", "xmllint", "--noout", "--nonet", "--schema", schema,
               test_path(till.gateway->folder, name, path), (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void report(const char *of, const char *format)
{
    assert_int_equal(RUN("report", "settlement", "--date", of, "--format", format), 0);
}

/* 1.4 % + 0.25 of 100.00, 50.00 and 20.00 are 1.65, 0.95 and 0.53; the fee of 0.01 is all of it. */
#define FEES (165 + 95 + 53 + 1)

static void a_settlement_is_less_by_disputes_and_reserve(void **state)
{
    (void)state;
    wait_days(0);
    assert_int_equal(figure("setpay_gateway_disputes_open"), 2);
    assert_int_equal(figure(BALANCE("disputes")), 9000);
    assert_int_equal(RUN("settle"), 0);
    expect_printed("90.00 EUR in dispute");
    expect_printed("17.00 EUR into the reserve");
    assert_int_equal(number("SELECT payout_minor FROM settlement"), 17001 - FEES - 9000 - 1700);
    assert_int_equal(number("SELECT COUNT(*) FROM reserve"), 1);
    report(day, "csv");
    expect_printed(",0.00,59.87,0.00,2,90.00,0,0.00,0,0.00,17.00,0.00,0,0.00\r\n");
    report(day, "camt.053");
    expect_printed("<Cd>DISPUTES</Cd>");
    expect_printed("<Cd>RESERVE</Cd>");
    test_write_file(till.gateway->folder, "report.053", setpay_view_string(printed));
    validate("report.053", "tests/schemas/camt.053.xsd");
    report(day, "camt.054");
    expect_printed("<Cd>DISPUTE</Cd>");
    expect_printed("<Prtry>not-received</Prtry>");
    test_write_file(till.gateway->folder, "report.054", setpay_view_string(printed));
    validate("report.054", "tests/schemas/camt.054.xsd");
    assert_int_equal(RUN("report", "settlement", "--date", day, "--merchant-id",
                         TEST_GATEWAY_MERCHANT, "--format", "items"),
                     0);
    expect_printed(",not-received,");
    expect_printed("\nothers,2,9000,0,0,0,0\npayout,0,1700,0,0,0,5987,0\n");
    assert_int_equal(RUN("settle"), 0);
    expect_printed("Nothing was left to settle.");
    assert_int_equal(RUN("ledger", "verify"), 0);
    assert_int_equal(RUN("audit"), 0);
}

static void disputes_are_closed_both_ways(void **state)
{
    (void)state;
    dispute_close("1", "cardholder");
    dispute_close("2", "merchant");
    save_disputes("closed.csv");
    assert_int_equal(import("closed.csv"), 0);
    expect_printed(": 0 opened, 1 lost, 1 won, 0 known before");
    assert_int_equal(import("closed.csv"), 0);
    expect_printed(": 0 opened, 0 lost, 0 won, 2 known before");
    /* Both were opened before, and are closed that day: the earlier file contradicts it. */
    assert_int_equal(import("opened.csv"), 1);
    assert_int_equal(test_gateway_log_count(till.gateway, "event=dispute.closed"), 2);
    assert_int_equal(number("SELECT SUM(disputed_minor) FROM step"), 4000);
    assert_int_equal(number("SELECT COALESCE(SUM(amount_minor), 0) FROM ledger_balance"
                            " WHERE account = 7"),
                     0);
    wait_days(1);
    assert_int_equal(figure("setpay_gateway_disputes_open"), 0);
    assert_int_equal(figure(BALANCE("disputes")), 0);
    assert_int_equal(figure(BALANCE("reserve")), 1700);
    assert_int_equal(RUN("settle"), 0);
    expect_printed("50.00 EUR back from disputes");
    assert_int_equal(number("SELECT payout_minor FROM settlement WHERE id = 2"), 5000);
    assert_int_equal(number("SELECT released_minor FROM settlement WHERE id = 2"), 0);
    assert_int_equal(RUN("ledger", "verify"), 0);
}

static void the_reserve_comes_back_on_its_day(void **state)
{
    (void)state;
    wait_days(2);
    assert_int_equal(RUN("settle"), 0);
    expect_printed("17.00 EUR out of the reserve");
    assert_int_equal(number("SELECT payout_minor FROM settlement WHERE id = 3"), 1700);
    assert_int_equal(RUN("settle"), 0);
    expect_printed("Nothing was left to settle.");
    wait_days(3);
    assert_int_equal(RUN("settle"), 0);
    expect_printed("Nothing was left to settle.");
    assert_int_equal(number("SELECT COALESCE(SUM(amount_minor), 0) FROM ledger_balance"
                            " WHERE account = 8"),
                     0);
    assert_int_equal(RUN("ledger", "verify"), 0);
}

/* ------------------------------------------------------------------ what the issuer paid */

/* 0.25 % + 0.10 of the four are 0.35, 0.22, 0.15 and 0.01; 40.00 were lost. */
#define OWED (17001 - 35 - 22 - 15 - 1 - 4000)

static void incoming_money_is_booked_once(void **state)
{
    char path[TEST_PATH_SIZE];
    (void)state;
    assert_int_equal(RUN("issuer", "paid", "--issuer", "sim", "--amount", "100.00", "--currency",
                         "EUR", "--date", "2024-11-26", "--reference", "MT940/1"),
                     0);
    expect_printed("sim, MT940/1: 100.00 EUR\n");
    assert_int_equal(RUN("issuer", "paid", "--issuer", "sim", "--amount", "100.00", "--currency",
                         "EUR", "--date", "2024-11-26", "--reference", "MT940/1"),
                     0);
    expect_printed(", booked before");
    assert_int_equal(RUN("issuer", "paid", "--issuer", "sim", "--amount", "100.01", "--currency",
                         "EUR", "--date", "2024-11-26", "--reference", "MT940/1"),
                     1);
    assert_int_equal(RUN("issuer", "paid", "--issuer", "another", "--amount", "1", "--currency",
                         "EUR", "--date", "2024-11-26", "--reference", "x"),
                     2);
    assert_int_equal(RUN("issuer", "paid", "--issuer", "sim"), 2);
    /* Said of the flag, and not of a line that nobody has written. */
    EXPECT_REFUSED("setpay-gateway: --issuer: found \"another\"", "issuer", "paid", "--issuer",
                   "another", "--amount", "1", "--currency", "EUR", "--date", "2024-11-26",
                   "--reference", "x");
    EXPECT_REFUSED("setpay-gateway: --date: found \"2062-11-28\", expected a day up to ", "issuer",
                   "paid", "--issuer", "sim", "--amount", "1", "--currency", "EUR", "--date",
                   "2062-11-28", "--reference", "x");
    EXPECT_REFUSED("setpay-gateway: --reference: sim has paid with MT940/1 before", "issuer",
                   "paid", "--issuer", "sim", "--amount", "1", "--currency", "EUR", "--date",
                   "2024-11-26", "--reference", "MT940/1");
    /* All of a list or none: its second line contradicts what is booked. */
    test_write_file(till.gateway->folder, "paid.csv",
                    setpay_view_string("issuer,amount,currency,date,reference\n"
                                       "sim,1.00,EUR,2024-11-27,MT940/2\n"
                                       "sim,2.00,EUR,2024-11-27,MT940/1\n"));
    (void)test_path(till.gateway->folder, "paid.csv", path);
    assert_int_equal(RUN("issuer", "paid", "--file", path), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM issuer_payment"), 1);
    test_write_file(till.gateway->folder, "paid.csv",
                    setpay_view_string("issuer,amount,currency,date,reference\n"
                                       "sim,29.28,EUR,2024-11-27,MT940/2\n"
                                       "sim,5.00,EUR,2024-11-27,MT940/3\n"));
    assert_int_equal(RUN("issuer", "paid", "--file", path), 0);
    expect_printed("MT940/3: 5.00 EUR; of it 5.00 EUR in suspense");
    assert_int_equal(number("SELECT SUM(matched_minor) FROM issuer_payment"), OWED);
    assert_int_equal(OWED, 12928);
    test_daemon_wait_figure(&till.gateway->daemon, "setpay_gateway_suspense_items", 1);
    assert_int_equal(figure(BALANCE("suspense")), 500);
    assert_int_equal(figure(BALANCE("issuer_receivable")), 0);
    assert_int_equal(test_gateway_log_count(till.gateway, "event=issuer.paid"), 3);
}

static void suspense_is_cleared(void **state)
{
    char *id;
    (void)state;
    assert_int_equal(RUN("--json", "suspense", "list"), 0);
    json_t *list = json_loads(printed, 0, NULL);
    json_t *item = json_array_get(json_object_get(list, "items"), 0);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 1);
    assert_int_equal(json_integer_value(json_object_get(item, "left")), 500);
    id = strdup(json_string_value(json_object_get(item, "id")));
    json_decref(list);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "cash", "--reason", "sent back",
                         "--amount", "5.01 EUR"),
                     1);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "issuer", "--reason", "it owes it"), 1);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "merchant", "--reason", "x"), 2);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "moon", "--reason", "x"), 2);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "cash", "--reason", "a\nb"), 2);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "cash"), 2);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "cash", "--reason", "sent back",
                         "--amount", "2.00 EUR"),
                     0);
    expect_printed("2.00 EUR moved from suspense to cash: sent back");
    assert_int_equal(RUN("suspense", "clear", id, "--to", "cash", "--reason", "the rest"), 0);
    assert_int_equal(RUN("suspense", "clear", id, "--to", "cash", "--reason", "again"), 1);
    free(id);
    assert_int_equal(RUN("suspense", "list"), 0);
    expect_printed("Nothing is in suspense.");
    assert_int_equal(number("SELECT COALESCE(SUM(amount_minor), 0) FROM ledger_balance"
                            " WHERE account IN (1, 6)"),
                     0); /* the issuer has paid what it owes */
}

/* Edits to a copy of the stopped gateway's database, and what audit says. */
static const struct {
    const char *sql, *words;
} edits[] = {
    {"UPDATE dispute SET outcome = 2 WHERE id = 1", "there is no dispute that was lost"},
    {"UPDATE dispute SET amount_minor = 3999 WHERE id = 1", "is of another merchant, currency or"},
    {"UPDATE step SET disputed_minor = 0", "what is disputed of it is not what"},
    {"DELETE FROM adjustment WHERE id = 1", "nothing was adjusted for it"},
    {"UPDATE reserve SET due_day = '2099-01-01'", "is due 2099-01-01, expected "},
    {"UPDATE settlement SET held_minor = 0 WHERE id = 1", "holds 0 back, expected 1700"},
    {"UPDATE issuer_payment SET matched_minor = 1 WHERE id = 1", "posted with other amounts"},
    {"DELETE FROM suspense_clearing WHERE id = 2", "there is no clearing of suspense"},
};

static void edit(const char *sql)
{
    char path[TEST_PATH_SIZE];
    char *words = NULL;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(test_path(till.gateway->folder, "gateway.db", path), &db),
                     SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
        fail_msg("%s: %s", sql, words);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void everything_adds_up_and_edits_do_not(void **state)
{
    (void)state;
    assert_int_equal(RUN("ledger", "verify"), 0);
    expect_printed(" 0 findings;");
    assert_int_equal(RUN("audit"), 0);
    test_gateway_stop(till.gateway);
    size_t size;
    char *kept = test_read_file(till.gateway->folder, "gateway.db", &size);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char path[TEST_PATH_SIZE];
        edit(edits[i].sql);
        int status = RUN("audit");
        if (status != 1 || strstr(printed, edits[i].words) == NULL)
            fail_msg("%s: exit status %d, expected '%s' in:\n%s", edits[i].sql, status,
                     edits[i].words, printed);
        test_write_file(till.gateway->folder, "gateway.db", setpay_view_of(kept, size));
        (void)unlink(test_path(till.gateway->folder, "gateway.db-wal", path));
        (void)unlink(test_path(till.gateway->folder, "gateway.db-shm", path));
    }
    free(kept);
    assert_int_equal(RUN("audit"), 0);
    print_message("# tally: edits to a gateway's database that its audit found = %zu\n",
                  sizeof edits / sizeof *edits);
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
        cmocka_unit_test(a_file_is_imported_once_through_kills),
        cmocka_unit_test(a_file_that_does_not_hold_is_refused),
        cmocka_unit_test(evidence_goes_into_a_file),
        cmocka_unit_test(a_settlement_is_less_by_disputes_and_reserve),
        cmocka_unit_test(disputes_are_closed_both_ways),
        cmocka_unit_test(the_reserve_comes_back_on_its_day),
        cmocka_unit_test(incoming_money_is_booked_once),
        cmocka_unit_test(suspense_is_cleared),
        cmocka_unit_test(everything_adds_up_and_edits_do_not),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK || freopen("/dev/null", "r", stdin) == NULL)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
