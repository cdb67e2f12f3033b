/*
 * The books of a running gateway, end to end: purchases in currencies with two, no and three digits
 * are captured, credited, undone, cleared and presented, one is refused by its issuer; then settled
 * with SIGKILLs in between, once; reported, and what is reported is valid; reconciled with the
 * issuer's file, and audited. Then the issuer's books and the gateway's are edited, and each edit
 * is named.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/zone.h"
#include "common/net/control_client.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_store.h"
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APPROVES "4242424242424242"
#define AHEAD_MS (10 * SETPAY_MINUTE_MS)

static struct test_till till;
static char day[16];                       /* that is settled */
static char booked[SETPAY_DATE_TEXT_SIZE]; /* the day on which all is captured */
static char cut_off[8];                    /* of the shop */
static char *printed;                      /* by the last program */

/* ------------------------------------------------------------------ programs */

/* setpay-gateway with these words; its exit status, with what it printed in printed. */
static int run(const char *const *words)
{
    char path[TEST_PATH_SIZE];
    const char *all[20] = {"--config", test_path(till.gateway->folder, "gateway.conf", path)};
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

static void save(const char *name)
{
    test_write_file(till.gateway->folder, name, setpay_view_string(printed));
}

/* The issuer's clearing file. */
static void save_clearing(const char *name)
{
    char path[TEST_PATH_SIZE];
    const char *words[] = {"--config", test_path(till.gateway->folder, "issuer.conf", path),
                           "clearing", NULL};
    json_decref(test_gateway_issuer(till.gateway, "status", NULL)); /* it may be starting */
    free(printed);
    printed = NULL;
    test_run_program("setpay-issuersim", words, &printed);
    save(name);
}

static int reconcile(const char *name)
{
    char path[TEST_PATH_SIZE];
    return RUN("reconcile", test_path(till.gateway->folder, name, path));
}

/* Runs SQL on a daemon's database. */
static void edit(const char *database, const char *sql)
{
    char path[TEST_PATH_SIZE];
    char *words = NULL;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(test_path(till.gateway->folder, database, path), &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, TEST_WAIT_MS), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, TEST_LEDGER_UNGUARD, NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
        fail_msg("%s: %s", sql, words);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ------------------------------------------------------------------ the day */

/* The shop's day ends in some minutes, which the gateway's clock is moved past later. */
static void choose_cut_off(void)
{
    struct tm parts;
    time_t end = (time_t)(setpay_clock_now_ms() / SETPAY_SECOND_MS) + 300;
    (void)gmtime_r(&end, &parts);
    (void)strftime(day, sizeof day, "%Y-%m-%d", &parts);
    (void)strftime(cut_off, sizeof cut_off, "%H:%M", &parts);
    assert_int_equal(RUN("merchant", "set", "--brand", "visa", "--id", TEST_GATEWAY_MERCHANT,
                         "--cut-off", cut_off),
                     0);
    expect_printed(cut_off);
}

static void capture_and_credit(void)
{
    struct test_paid paid[6];
    static const struct {
        int64_t minor;
        const char *currency;
    } wanted[] = {{10000, "EUR"}, {1, "EUR"},   {1250, "JPY"},
                  {1250, "KWD"},  {700, "USD"}, {50, "EUR"}};
    struct setpay_id step[6];
    struct setpay_date today = setpay_date_of_ms(setpay_clock_now_ms());
    (void)setpay_date_format(&today, booked);
    for (size_t i = 0; i < 6; i++) {
        test_till_pay(&till, wanted[i].minor, wanted[i].currency, &paid[i]);
        step[i] = test_till_step(&till, SETPAY_MESSAGE_CAP_REQ, &paid[i], &paid[i].auth.cap_token,
                                 i == 3 ? 1001 : wanted[i].minor);
    }
    test_till_step(&till, SETPAY_MESSAGE_CRED_REQ, &paid[0], &step[0], 2500);
    test_till_step(&till, SETPAY_MESSAGE_CRED_REQ, &paid[2], &step[2], 1250);
    test_till_step(&till, SETPAY_MESSAGE_CAP_REV_REQ, &paid[5], &step[5], 50);
    /* The issuer forgets the one in USD, and will refuse its presentment. */
    test_gateway_stop_issuer(till.gateway);
    edit("issuer.db", "UPDATE card_authorisation SET approved_minor = 0 WHERE currency = 'USD'");
    test_gateway_start_issuer(till.gateway);
    test_till_close(&till, &paid[0]);
    test_till_wait_presented(&till);
    for (size_t i = 0; i < 6; i++)
        test_paid_free(&paid[i]);
}

/* ------------------------------------------------------------------ settled once */

/* The gateway may die before it answers: what it writes by itself comes to the same points. */
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

/* Asks the gateway to settle, which kills itself at that point. */
static void dies_settling(const char *point)
{
    (void)ask("testing.crash", json_pack("{s:s, s:i}", "point", point, "count", 1));
    assert_int_not_equal(ask("settle", NULL), SETPAY_OK);
    test_gateway_wait_killed(till.gateway);
}

static void settles_once_through_kills(void **state)
{
    static const char *const points[] = {"store.write", "store.commit", "store.committed"};
    char clock[24];
    (void)state;
    choose_cut_off();
    capture_and_credit();
    assert_int_equal(RUN("settle", "--date", day), 0);
    expect_printed("Nothing was left to settle.");
    expect_printed("3 merchants' days have not ended yet.");

    test_line_free(till.line);
    till.line = NULL;
    (void)snprintf(clock, sizeof clock, "%lld", (long long)AHEAD_MS);
    assert_int_equal(setenv("SETPAY_CLOCK", clock, 1), 0);
    test_gateway_stop(till.gateway);
    test_gateway_start(till.gateway, NULL);
    for (size_t i = 0; i < 3; i++) {
        int64_t made;
        do { /* what the gateway saves after its start may come to the last point first */
            dies_settling(points[i]);
            test_gateway_start(till.gateway, NULL);
            made = test_gateway_number(till.gateway, "SELECT COUNT(*) FROM settlement");
        } while (i == 2 && made == 0);
        assert_int_equal(made, i < 2 ? 0 : 4);
    }
    assert_int_equal(RUN("settle"), 0);
    expect_printed("Nothing was left to settle.");
    assert_int_equal(RUN("settle", "--date", day), 0);
    expect_printed("Nothing was left to settle.");
    assert_int_equal(RUN("--json", "settle", "--date", day), 0);
    expect_printed("\"settlements\": []");
    assert_int_equal(test_gateway_number(till.gateway, "SELECT COUNT(*) FROM settlement"), 4);
    /* 1.4 % + 0.25 of 100.00 is 1.65; the fee of 0.01 is all of it. */
    assert_int_equal(
        test_gateway_number(till.gateway,
                            "SELECT payout_minor FROM settlement WHERE currency = 'EUR'"),
        10001 - 2500 - 165 - 1);
    assert_int_equal(
        test_gateway_number(till.gateway,
                            "SELECT payout_minor FROM settlement WHERE currency = 'JPY'"),
        0);
    assert_int_equal(
        test_gateway_number(till.gateway,
                            "SELECT payout_minor FROM settlement WHERE currency = 'KWD'"),
        1001);
    assert_int_equal(
        test_gateway_number(till.gateway,
                            "SELECT refused_minor FROM settlement WHERE currency = 'USD'"),
        700);
    assert_int_equal(RUN("ledger", "verify"), 0);
    expect_printed(" 0 findings;");
    assert_int_equal(RUN("ledger", "balances"), 0);
    expect_printed("cash ");
    expect_printed("suspense ");
}

/* ------------------------------------------------------------------ reports */

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

static void reports_are_valid(void **state)
{
    (void)state;
    assert_int_equal(RUN("report", "settlement", "--date", day), 0);
    expect_printed(
        ",2,100.01,1,25.00,1.66,73.35,0,0.00,0.00,73.35,0.00,0,0.00,0,0.00,0,0.00,0.00,0.00,"
        "0,0.00\r\n");
    expect_printed(",1,1250,1,1250,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\r\n");
    expect_printed(",1,1.001,0,0.000,0.000,1.001,0,0.000,0.000,1.001,0.000,0,0.000,0,0.000,0,0.000,"
                   "0.000,0.000,0,0.000\r\n");
    expect_printed(
        ",0,0.00,0,0.00,0.00,0.00,1,7.00,0.00,0.00,0.00,0,0.00,0,0.00,0,0.00,0.00,0.00,0,0.00\r\n");
    assert_int_equal(
        RUN("report", "settlement", "--date", day, "--merchant-id", TEST_GATEWAY_OTHER), 0);
    assert_null(strstr(printed, "EUR"));

    assert_int_equal(RUN("report", "settlement", "--date", day, "--format", "camt.053"), 0);
    expect_printed("<Amt Ccy=\"EUR\">73.35</Amt>");
    save("report.053");
    validate("report.053", "tests/schemas/camt.053.xsd");
    assert_int_equal(RUN("report", "settlement", "--date", day, "--format", "camt.054"), 0);
    expect_printed("<Amt Ccy=\"JPY\">1250</Amt>");
    expect_printed("<Amt Ccy=\"KWD\">1.001</Amt>");
    save("report.054");
    validate("report.054", "tests/schemas/camt.054.xsd");
    assert_null(strstr(printed, "4242"));

    assert_int_equal(RUN("report", "settlement", "--date", day, "--format", "items"), 2);
    assert_null(strstr(printed, "header,")); /* of all merchants in one file: of nobody's */
    assert_int_equal(RUN("report", "settlement", "--date", day, "--merchant-id",
                         TEST_GATEWAY_MERCHANT, "--format", "items"),
                     0);
    expect_printed("header,setpay-settlement,1,gateway-1,");
    expect_printed("\nitems,2,10001,");

    assert_int_equal(RUN("report", "clearing", "--date", day), 0);
    expect_printed("header,setpay-clearing,1,gateway-1,");
    expect_printed("total,EUR,2,10001,1,2500\ntotal,JPY,1,1250,1,1250\ntotal,KWD,1,1001,0,0\n"
                   "end,7,");
    save("own.csv");
    assert_int_equal(reconcile("own.csv"), 0); /* it agrees with itself */

    assert_int_equal(RUN("report", "settlement", "--date", "2020-01-01", "--format", "camt.053"),
                     1);
    assert_int_equal(RUN("report", "settlement", "--date", "2020-01-01"), 0);
    assert_int_equal(RUN("report", "settlement", "--date", "yesterday"), 2);
    assert_int_equal(RUN("report", "settlement"), 2);
    assert_int_equal(RUN("report", "settlement", "--date", day, "--format", "pdf"), 2);
}

/* ------------------------------------------------------------------ reconciled */

/* Of a file of four days, of which the one that was charged twice is of the first. */
static void compares_the_last_day(void)
{
    char path[TEST_PATH_SIZE];
    test_gateway_stop_issuer(till.gateway);
    edit("issuer.db", "UPDATE card_presentment SET first_ms = first_ms - 3 * 86400000"
                      " WHERE amount_minor = 10000");
    test_gateway_start_issuer(till.gateway);
    save_clearing("days.csv");
    (void)test_path(till.gateway->folder, "days.csv", path);
    assert_int_equal(RUN("--json", "reconcile", path), 1);
    json_t *whole = json_loads(printed, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(whole, "outside")), 0);
    bool ends = strcmp(json_string_value(json_object_get(whole, "to")), booked) == 0;
    json_decref(whole);
    assert_int_equal(RUN("reconcile", path, "--from", booked), 1);
    expect_printed("Not compared: 2 rows of other days; the file is of ");
    expect_printed("issuersim, ");
    assert_null(strstr(printed, "the issuer has 100.00 EUR again"));
    assert_int_equal(RUN("reconcile", path, "--to", booked), 1);
    expect_printed("the issuer has 100.00 EUR again");
    if (ends) /* otherwise midnight came, and something was repeated after it */
        assert_null(strstr(printed, "Not compared"));
}

/* The issuer has charged after all what it had refused: once that is cleared to the merchant, both
 * agree. */
static void what_was_cleared_to_the_merchant_agrees(void)
{
    char item[SETPAY_ID_TEXT_SIZE];
    test_gateway_stop_issuer(till.gateway);
    edit("issuer.db", "UPDATE card_presentment SET result = '00' WHERE currency = 'USD'");
    test_gateway_start_issuer(till.gateway);
    save_clearing("charged.csv");
    assert_int_equal(reconcile("charged.csv"), 1);
    expect_printed("and has charged 7.00 USD all the same");
    assert_int_equal(RUN("--json", "suspense", "list"), 0);
    json_t *list = json_loads(printed, 0, NULL);
    (void)snprintf(item, sizeof item, "%s",
                   json_string_value(
                       json_object_get(json_array_get(json_object_get(list, "items"), 0), "id")));
    json_decref(list);
    assert_int_equal(
        RUN("suspense", "clear", item, "--to", "merchant", "--reason", "charged after all"), 0);
    assert_int_equal(reconcile("charged.csv"), 0);
    expect_printed(": 7 agree with the ledger, 0 differences");
    test_gateway_stop_issuer(till.gateway);
    edit("issuer.db", "UPDATE card_presentment SET result = '13' WHERE currency = 'USD'");
    test_gateway_start_issuer(till.gateway);
    json_decref(test_gateway_issuer(till.gateway, "status", NULL)); /* it has started */
    /* Where it says that it has refused it, as before, it is claimed from it: by the gateway's
     * clock, which is ahead, on a day of the file unless midnight comes in between. */
    save_clearing("refused.csv");
    assert_int_equal(reconcile("refused.csv"), 0);
    expect_printed(": 7 agree with the ledger, 0 differences");
    int64_t now_ms = setpay_clock_now_ms();
    if (now_ms / SETPAY_DAY_MS == (now_ms + AHEAD_MS) / SETPAY_DAY_MS)
        expect_printed("7.00 USD of visa shop, refused with response code 25, and cleared to the "
                       "merchant on ");
}

static void reconciles_with_the_issuer(void **state)
{
    char path[TEST_PATH_SIZE];
    (void)state;
    save_clearing("good.csv");
    assert_int_equal(reconcile("good.csv"), 0);
    expect_printed("7 rows of issuersim, ");
    expect_printed(": 7 agree with the ledger, 0 differences");
    assert_int_equal(RUN("--json", "reconcile", "-"), 2); /* nothing on standard input */
    (void)test_path(till.gateway->folder, "good.csv", path);
    assert_int_equal(RUN("reconcile", path, "--to", "2000-01-01"), 2);
    assert_int_equal(RUN("reconcile", path, "--from", "yesterday"), 2);
    assert_int_equal(RUN("reconcile", path, "--from", "2000-01-01", "--to", "9999-12-31"), 0);
    assert_null(strstr(printed, "Not compared"));
    assert_int_equal(reconcile("no-such-file"), 2);
    assert_int_equal(RUN("reconcile"), 2);
    what_was_cleared_to_the_merchant_agrees();
    test_gateway_stop_issuer(till.gateway);
    edit("issuer.db",
         "UPDATE card_presentment SET amount_minor = 2499 WHERE currency = 'EUR'"
         " AND kind = 'credit';"
         "UPDATE card_presentment SET currency = 'BHD' WHERE currency = 'KWD';"
         "DELETE FROM card_presentment WHERE currency = 'JPY' AND kind = 'credit';"
         "INSERT INTO card_presentment SELECT 998, acquirer, 'ffffffffffffffffffffffffffffffff',"
         " authorisation, kind, 'EUR', 999, result, 1, first_ms FROM card_presentment"
         " WHERE amount_minor = 1;"
         "INSERT INTO card_presentment SELECT 999, acquirer, id, authorisation, kind, currency,"
         " amount_minor, result, 1, first_ms FROM card_presentment WHERE amount_minor = 10000");
    test_gateway_start_issuer(till.gateway);
    edit("gateway.db", "UPDATE presentment SET created_ms = created_ms - 3 * 86400000 WHERE step_id"
                       " = (SELECT step.id FROM step JOIN payment ON payment.id = payment_id"
                       " WHERE currency = 'JPY' AND kind = 1)");
    save_clearing("edited.csv");
    assert_int_equal(reconcile("edited.csv"), 1);
    expect_printed(
        "the issuer has credited 24.99 EUR (credit), by the ledger 25.00 EUR are credited");
    expect_printed("the issuer has charged 1.001 BHD, the ledger 1.001 KWD");
    expect_printed("missing   ");
    expect_printed("1250 JPY of visa shop are not in the file");
    expect_printed("hours or more after it was presented first");
    expect_printed("the issuer has 100.00 EUR again: line ");
    expect_printed("extra     ffffffffffffffffffffffffffffffff (line ");
    expect_printed(": 3 agree with the ledger, 6 differences");
    assert_int_equal(RUN("--json", "reconcile", test_path(till.gateway->folder, "edited.csv", path),
                         "--late-hours", "99"),
                     1);
    expect_printed("\"late\": 0");
    expect_printed("\"found\": 5");
    assert_int_equal(RUN("reconcile", path, "--issuer", "sim"), 1);
    assert_int_equal(RUN("reconcile", path, "--issuer", "another"), 2);
    compares_the_last_day();
}

/* ------------------------------------------------------------------ audited */

/* Changes four bytes in the midst of a column. */
#define FLIP(column) column " = substr(" column ", 1, 40) || x'5aa55aa5' || substr(" column ", 45)"

/* On the gateway's database, and what audit says of it. */
static const struct {
    const char *sql, *words;
} edits[] = {
    {"UPDATE receipt SET " FLIP("signed") " WHERE payment_id = 1 AND number = 2",
     "receipt 2 is not signed by the gateway's key as it is"},
    {"UPDATE receipt SET signed = x'' WHERE payment_id = 1 AND number = 2", "receipt 2 is empty"},
    {"UPDATE receipt SET signed = (SELECT signed FROM receipt WHERE payment_id = 2 AND number = 2)"
     " WHERE payment_id = 1 AND number = 2",
     "receipt 2 does not fit: "},
    {"DELETE FROM receipt WHERE payment_id = 1 AND number = 3", "of its steps has no receipt"},
    {"DELETE FROM receipt WHERE payment_id = 1 AND number = 1", "receipt 2 does not fit"},
    {"DELETE FROM receipt WHERE payment_id = 1", "its newest receipt is not the last one"},
    {"UPDATE receipt SET number = 9 WHERE payment_id = 1 AND number = 2", "receipt 3 does not fit"},
    {"UPDATE receipt SET kind = 7 WHERE payment_id = 1 AND number = 2",
     "of another kind than the one under which it is kept"},
    {"UPDATE payment SET last_receipt = zeroblob(32) WHERE id = 1",
     "its newest receipt is not the last one"},
    {"UPDATE payment SET captured_minor = captured_minor + 1 WHERE id = 1",
     "by its receipts 10000 were captured and 2500 credited, it says 10001 and 2500"},
    {"UPDATE payment SET credited_minor = 0 WHERE id = 1", "it says 10000 and 0"},
    {"UPDATE payment SET approved_minor = 10001 WHERE id = 1",
     "by its receipts 10000 were authorised and 0 reversed, it says 10001 and 0"},
    {"UPDATE payment SET reversed_minor = 1 WHERE id = 1", "it says 10000 and 1"},
    {"UPDATE payment SET amount_minor = 10001 WHERE id = 1", "is of another amount"},
    {"UPDATE payment SET currency = 'USD' WHERE id = 1", "is of another amount"},
    {"UPDATE payment SET xid = zeroblob(16) WHERE id = 1", "of another xid"},
    {"UPDATE payment SET merchant_id = 'other' WHERE id = 1", "of another merchant"},
    {"UPDATE payment SET pimd = zeroblob(32) WHERE id = 1", "of another instruction (PIMD)"},
    {"UPDATE payment SET pomd = zeroblob(32) WHERE id = 1", "its POMD is not the one"},
    {"UPDATE payment SET cardholder = merchant WHERE id = 1", "the certificate of the cardholder"},
    {"UPDATE payment SET merchant = cardholder WHERE id = 1", "receipt 1 does not fit: merchant"},
    {"UPDATE payment SET asked_by = cardholder WHERE id = 1", "the certificate of the merchant"},
    {"UPDATE payment SET signed_minor = 10001 WHERE id = 1", "another amount than was signed"},
    {"UPDATE payment SET terms_kind = 2 WHERE id = 1", "is of another terms"},
    {"UPDATE payment SET number = 2 WHERE id = 1", "are not numbered from 1 without a gap"},
    {"UPDATE payment SET rrpid = zeroblob(16) WHERE id = 1",
     "the merchant's request 1 is not kept"},
    {"UPDATE payment SET first_id = 2 WHERE id = 1",
     "a further authorisation of another instruction, or of none"},
    {"UPDATE payment SET gateway_sign = cardholder WHERE id = 1",
     "the certificate of the gateway is not good"},
    {"UPDATE evidence SET " FLIP("content") " WHERE owner = 1", "the merchant"},
    {"UPDATE evidence SET content = (SELECT content FROM evidence WHERE owner = 2) WHERE owner = 1",
     "the merchant's request 1 is not kept"},
    {"UPDATE evidence SET " FLIP("signature") " WHERE owner = 1",
     "the merchant has not signed the request 1 as it is"},
    {"UPDATE evidence SET content = (SELECT content FROM evidence WHERE owner = 2),"
     " signature = (SELECT signature FROM evidence WHERE owner = 2) WHERE owner = 1",
     "the merchant's request 1 is not kept"},
    {"DELETE FROM evidence WHERE owner = 1", "the merchant's request 1 is not kept"},
    {"DELETE FROM evidence WHERE type <> 'AuthReq'", "no request of the merchant's for it is kept"},
    {"DELETE FROM evidence WHERE owner = 1 AND type = 'CapReq'",
     "no request of the merchant's for it is kept"},
    {"DELETE FROM evidence WHERE owner = 1 AND type = 'CredReq'",
     "no request of the merchant's for it is kept"},
    {"DELETE FROM evidence WHERE type = 'CapRevReq'",
     "no request of the merchant's for it is kept"},
    {"UPDATE evidence SET signature = (SELECT signature FROM evidence WHERE owner = 2 AND"
     " type = 'CapReq') WHERE owner = 1 AND type = 'CapReq'",
     ") is not signed by the merchant as it is"},
    {"UPDATE evidence SET signer = (SELECT cardholder FROM payment WHERE id = 1)"
     " WHERE owner = 1 AND type = 'CredReq'",
     "the certificate of the merchant is not good"},
    {"UPDATE evidence SET " FLIP("content") " WHERE owner = 1 AND type = 'CredReq'",
     "a request that is kept (CredReq "},
    {"UPDATE evidence SET owner = 2, number = 9 WHERE owner = 1 AND type = 'CapReq'",
     ") is of another payment"},
    {"UPDATE evidence SET type = 'CredReq' WHERE owner = 1 AND type = 'CapReq'",
     ") is not signed by the merchant as it is"},
    {"UPDATE evidence SET type = 'PReq' WHERE owner = 1 AND type = 'CapReq'",
     "a request of no type is kept: PReq"},
    {"INSERT INTO evidence SELECT owner, 9, type, content, signature, signer, created_ms"
     " FROM evidence WHERE owner = 1 AND type = 'CapReq'",
     ") is kept twice"},
    {"INSERT INTO evidence SELECT 1, 9, type, content, signature, signer, created_ms"
     " FROM evidence WHERE owner = 2 AND type = 'AuthReq'",
     "more requests for authorisations are kept (2) than there were"},
    {"UPDATE payment SET sale_id = zeroblob(16) WHERE id = 1", "is of another intent"},
    {"UPDATE step SET of_id = 2 WHERE kind = 2 AND payment_id = 1",
     "no request of the merchant's for it is kept"},
    {"DELETE FROM evidence_certificate WHERE thumbprint = (SELECT cardholder FROM payment)",
     "the certificate of the cardholder is not kept"},
    {"UPDATE evidence_certificate SET " FLIP(
         "der") " WHERE thumbprint = (SELECT cardholder FROM payment)",
     "the certificate of the cardholder is not good"},
    {"UPDATE step SET amount_minor = 9999 WHERE id = 1", "is of another kind or amount than"},
    {"UPDATE step SET kind = 2 WHERE id = 1", "is of another kind or amount than"},
    {"DELETE FROM step WHERE id = 1", "of a step (credit) that is not there"},
    {"DELETE FROM step WHERE id = 1", "there is no step"},
    {"UPDATE ledger_posting SET amount_minor = amount_minor + 1 WHERE entry = 1 AND line = 0",
     "entry 1: its hash is not that of its content"},
    {"UPDATE settlement SET payout_minor = payout_minor + 1 WHERE currency = 'EUR'", "pays out"},
    {"UPDATE presentment SET settlement_id = 0 WHERE id = 1", "its items come to"},
    {"DELETE FROM presentment WHERE id = 1", "cleared and not presented"},
    {"UPDATE ledger_balance SET amount_minor = amount_minor + 5 WHERE account = 6",
     "steps and settlements leave something else: account 6"},
};

static void copy_database(const char *from, const char *to)
{
    size_t size = 0;
    char *bytes = test_read_file(till.gateway->folder, from, &size);
    assert_non_null(bytes);
    test_write_file(till.gateway->folder, to, setpay_view_of(bytes, size));
    free(bytes);
}

static void take_back_edit(void)
{
    char path[TEST_PATH_SIZE];
    copy_database("kept.db", "gateway.db");
    (void)unlink(test_path(till.gateway->folder, "gateway.db-wal", path));
    (void)unlink(test_path(till.gateway->folder, "gateway.db-shm", path));
}

static void audits_and_names_every_edit(void **state)
{
    char path[TEST_PATH_SIZE];
    (void)state;
    /* What the test before has dated otherwise. */
    edit("gateway.db", "UPDATE presentment SET created_ms ="
                       " (SELECT closed_ms FROM batch WHERE batch.id = batch_id)");
    assert_int_equal(RUN("audit"), 0);
    expect_printed("6 payments, 15 receipts, 9 steps, ");
    expect_printed(": 0 findings; the last entry is ");
    test_gateway_stop(till.gateway);
    /* Of no use to an audit, and so not needed. */
    assert_int_equal(unlink(test_path(till.gateway->folder, "vault.key", path)), 0);
    edit("gateway.db", "DELETE FROM kept_card");
    assert_int_equal(RUN("audit"), 0);
    copy_database("gateway.db", "kept.db");
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        edit("gateway.db", edits[i].sql);
        int status = RUN("audit");
        if (status != 1 || strstr(printed, edits[i].words) == NULL)
            fail_msg("%s: exit status %d, expected '%s' in:\n%s", edits[i].sql, status,
                     edits[i].words, printed);
        take_back_edit();
    }
    assert_int_equal(RUN("audit"), 0);
    /* Steps of before requests for them were kept need none. */
    edit("gateway.db", "UPDATE schema_version SET applied_ms = 4102444800000 WHERE number = 12;"
                       "DELETE FROM evidence WHERE type <> 'AuthReq'");
    assert_int_equal(RUN("audit"), 0);
    take_back_edit();
    edit("gateway.db", "UPDATE ledger_head SET number = 1");
    assert_int_equal(RUN("ledger", "verify"), 1);
    expect_printed("the head says 1 entry, found ");
    assert_int_equal(RUN("--json", "ledger", "verify"), 1);
    expect_printed("\"ok\": false");
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
        cmocka_unit_test(settles_once_through_kills),
        cmocka_unit_test(reports_are_valid),
        cmocka_unit_test(reconciles_with_the_issuer),
        cmocka_unit_test(audits_and_names_every_edit),
    };
    test_alarm(240);
    /* Nothing is on standard input, from which a file may be read. */
    if (setpay_secret_system_init() != SETPAY_OK || freopen("/dev/null", "r", stdin) == NULL)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
