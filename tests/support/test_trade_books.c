/*
 * Sale by sale first: the store's order, the gateway's and the issuer's rows, and what the wallet
 * has added up from signed receipts, all against the plan. Then the whole: the operators' tools
 * over ledger, files and accounts.
 */
#include "tests/support/test_trade_books.h"

#include "tests/support/test_sandbox_internal.h"
#include "tests/support/test_trade_disputes.h"
#include "tests/support/test_trade_money.h"
#include "tests/support/test_trade_trouble.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 120000 /* never reached unless something is lost */
#define BAD_SHOWN 10
#define SETTLE_KILLED_MS 150 /* the program takes less on an idle machine */

/* An end of a hold is not put off; what was not answered is asked for again soon. */
static const char gateway_lines[] = "clock_settle = 0s\n";
static const char *const settle_words[] = {"settle", NULL};
const char *const test_trade_lines[TEST_DAEMONS] = {NULL, NULL, gateway_lines, NULL};

/* ------------------------------------------------------------------ batches */

static bool are_closed(const struct test_townsman *merchant, char *words, size_t size)
{
    json_t *answer = NULL;
    size_t i, open = 0;
    const json_t *batch;
    int status = test_store_get(&merchant->store, "/batches", &answer);
    words[0] = '\0';
    json_array_foreach(json_object_get(answer, "batches"), i, batch)
    {
        const char *how = json_string_value(json_object_get(batch, "status"));
        if (how == NULL || strcmp(how, "closed") == 0)
            continue;
        open++;
        (void)snprintf(words, size, "%s: batch %" JSON_INTEGER_FORMAT " is %s", merchant->name,
                       json_integer_value(json_object_get(batch, "batch")), how);
    }
    json_decref(answer);
    return status == 200 && open == 0;
}

void test_trade_all_presented(const struct test_town *town, test_town_report_fn *report)
{
    char what[96], words[64];
    int64_t until_ms = test_now_ms() + WAIT_MS, open;
    for (;;) {
        sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
        open = test_database_number(
            gateway, "SELECT count(*) FROM presentment WHERE acknowledged = 0", NULL);
        sqlite3_close(gateway);
        if (open == 0 || test_now_ms() > until_ms)
            break;
        test_pause_ms(50);
    }
    (void)snprintf(what, sizeof what, "day %d: the issuer has decided on all presentments",
                   town->hour / 24);
    (void)snprintf(words, sizeof words, "%" PRId64 " are open", open);
    report(open == 0, what, words);
}

void test_trade_close_batches(const struct test_town *town, test_town_report_fn *report)
{
    static unsigned closings; /* each is asked for anew */
    char key[64], what[128], words[256];
    closings++;
    for (size_t i = 0; i < TEST_TOWN_MERCHANTS; i++) {
        const struct test_townsman *merchant = town->merchants[i];
        int64_t until_ms = test_now_ms() + WAIT_MS;
        (void)snprintf(key, sizeof key, "close-%u", closings);
        int status = test_store_post(&merchant->store, "/batches/close", "{}", key, WAIT_MS, NULL);
        (void)snprintf(words, sizeof words, "status %d", status);
        bool good = status == 200 || status == 202;
        while (good && !are_closed(merchant, words, sizeof words) && test_now_ms() < until_ms)
            test_pause_ms(50);
        (void)snprintf(what, sizeof what, "day %d: %s closes its batches, and both totals agree",
                       town->hour / 24, merchant->name);
        report(good && words[0] == '\0', what, words);
    }
}

/* ------------------------------------------------------------------ sale by sale */

struct sums {
    int64_t captured, credited, held;
    int64_t interchange, fee, refused; /* where these are known */
    int64_t stood_in;                  /* how many advices, where it is known */
};

struct books {
    const struct test_town *town;
    sqlite3 *gateway, *issuer;
};

static bool differ(const char *who, const struct sums *got, const struct sums *want, char *words,
                   size_t size)
{
    if (got->captured == want->captured && got->credited == want->credited &&
        got->held == want->held && got->interchange == want->interchange && got->fee == want->fee &&
        got->refused == want->refused && got->stood_in >= want->stood_in)
        return false;
    (void)snprintf(words, size,
                   "%s: captured %" PRId64 ", given back %" PRId64 ", held %" PRId64
                   ", interchange %" PRId64 ", fee %" PRId64 ", refused %" PRId64
                   ", stood in %" PRId64 ", and not %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
                   ", %" PRId64 ", %" PRId64 ", %" PRId64,
                   who, got->captured, got->credited, got->held, got->interchange, got->fee,
                   got->refused, got->stood_in, want->captured, want->credited, want->held,
                   want->interchange, want->fee, want->refused, want->stood_in);
    return true;
}

static int64_t sum_of(sqlite3 *database, const char *column, const char *table, const char *xid)
{
    char query[160];
    (void)snprintf(query, sizeof query, "SELECT coalesce(sum(%s), 0) FROM %s WHERE xid = %s",
                   column, table, strcmp(table, "payment") == 0 ? "unhex_xid(?1)" : "?1");
    return test_database_number(database, query, xid);
}

static int64_t sum_of_steps(sqlite3 *gateway, const char *which, const char *column,
                            const char *xid)
{
    char query[256];
    (void)snprintf(query, sizeof query,
                   "SELECT coalesce(sum(%s), 0) FROM step JOIN payment ON payment.id = payment_id"
                   " WHERE xid = unhex_xid(?1) AND undone = 0 AND %s",
                   column, which);
    return test_database_number(gateway, query, xid);
}

static void add_gateway(const struct books *books, const char *xid, struct sums *sums)
{
    sums->captured += sum_of(books->gateway, "captured_minor", "payment", xid);
    sums->credited += sum_of(books->gateway, "credited_minor", "payment", xid);
    sums->held +=
        sum_of(books->gateway, "approved_minor - reversed_minor - captured_minor", "payment", xid);
    /* Of the captures (1) and credits (2) that stand. */
    sums->fee += sum_of_steps(books->gateway, "step.kind = 1", "step.fee_minor", xid);
    sums->interchange += sum_of_steps(books->gateway, "step.kind = 1", "interchange_minor", xid) -
                         sum_of_steps(books->gateway, "step.kind = 2", "interchange_minor", xid);
    sums->refused += test_database_number(
        books->gateway,
        "SELECT coalesce(sum(CASE step.kind WHEN 1 THEN step.amount_minor"
        " ELSE -step.amount_minor END), 0) FROM presentment JOIN step ON step.id = step_id"
        " JOIN payment ON payment.id = payment_id WHERE xid = unhex_xid(?1)"
        " AND response_code NOT IN ('', '00', '94')",
        xid);
    sums->stood_in +=
        test_database_number(books->gateway,
                             "SELECT count(*) FROM stand_in JOIN payment ON payment.id = payment_id"
                             " WHERE xid = unhex_xid(?1)",
                             xid);
}

/* What is charged in the end: a sale without an answer is booked and reversed, a thing of which
 * nobody else has heard. */
static void add_issuer(const struct books *books, const char *xid, struct sums *sums)
{
    sums->captured +=
        sum_of(books->issuer, "presented_minor - credited_minor", "card_authorisation", xid);
    sums->held += sum_of(books->issuer, "held_minor", "card_authorisation", xid);
}

static int64_t member(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* What its holder's receipts add up to. */
static bool add_wallet(const struct books *books, const struct test_trade_sale *sale,
                       const char *xid, struct sums *sums)
{
    json_t *shown = NULL;
    enum setpay_error error =
        test_sandbox_call(books->town->wallets[sale->plan.wallet]->socket, "purchase.show",
                          json_pack("{s:s}", "xid", xid), &shown);
    const json_t *purchase = json_object_get(shown, "purchase");
    if (purchase == NULL)
        purchase = shown;
    sums->captured += member(purchase, "captured_amount");
    sums->credited += member(purchase, "credited_amount");
    json_decref(shown);
    return error == SETPAY_OK;
}

static bool sale_agrees(const struct books *books, const struct test_trade_sale *sale, char *words,
                        size_t size)
{
    const struct sums want = {.captured = sale->plan.captured, .credited = sale->plan.credited};
    enum test_trade_fate fate = sale->plan.fate;
    bool stays_held = fate == TEST_TRADE_REFUSED || fate == TEST_TRADE_LOST;
    const struct sums booked = {.captured = want.captured,
                                .credited = want.credited,
                                .interchange = sale->plan.interchange,
                                .fee = sale->plan.fee,
                                .refused = sale->plan.refused,
                                .stood_in =
                                    fate == TEST_TRADE_UNTAKEN || fate == TEST_TRADE_STOOD_IN};
    /* What it has authorised, and is not presented, it holds until that ends by itself. */
    const struct sums charged = {.captured = want.captured - want.credited - sale->plan.refused,
                                 .held = stays_held ? sale->plan.refused : 0};
    struct sums store = {0}, gateway = {0}, issuer = {0}, wallet = {0};
    char path[128];
    json_t *order = NULL;
    size_t i;
    const json_t *payment;
    bool good = true;
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order_id);
    int status = test_store_get(&books->town->merchants[sale->plan.merchant]->store, path, &order);
    json_array_foreach(json_object_get(order, "payments"), i, payment)
    {
        const char *xid = json_string_value(json_object_get(payment, "xid"));
        store.captured += member(payment, "captured_amount");
        store.credited += member(payment, "refunded_amount");
        add_gateway(books, xid, &gateway);
        add_issuer(books, xid, &issuer);
        good = add_wallet(books, sale, xid, &wallet) && good;
    }
    json_decref(order);
    (void)snprintf(words, size, "store: status %d, or the wallet does not answer", status);
    return status == 200 && good && !differ("store", &store, &want, words, size) &&
           !differ("gateway", &gateway, &booked, words, size) &&
           !differ("issuer", &issuer, &charged, words, size) &&
           !differ("wallet", &wallet, &want, words, size);
}

static bool books_open(struct books *books, const struct test_town *town)
{
    *books = (struct books){.town = town,
                            .gateway = test_sandbox_database(&town->sandbox, "gateway"),
                            .issuer = test_sandbox_database(&town->sandbox, "issuer")};
    return books->gateway != NULL && books->issuer != NULL;
}

static void books_close(struct books *books)
{
    sqlite3_close(books->gateway);
    sqlite3_close(books->issuer);
}

/* Again and again while they do not: what is under way comes to its end by itself. */
static bool agrees_at_last(const struct test_town *town, const struct test_trade_sale *sale,
                           int64_t until_ms, char *words, size_t size)
{
    for (;;) {
        struct books books;
        (void)snprintf(words, size, "the databases can't be read");
        bool good = books_open(&books, town) && sale_agrees(&books, sale, words, size);
        books_close(&books);
        if (good || test_now_ms() > until_ms)
            return good;
        test_pause_ms(50);
    }
}

static void sales_agree(const struct test_town *town, const struct test_trade_sale *sales,
                        uint64_t count, test_town_report_fn *report)
{
    char words[512], plan[512], all[64];
    uint64_t bad = 0;
    int64_t until_ms = test_now_ms() + WAIT_MS; /* of all */
    for (uint64_t i = 0; i < count; i++) {
        if (agrees_at_last(town, &sales[i], until_ms, words, sizeof words))
            continue;
        if (bad++ < BAD_SHOWN) {
            test_trade_describe(&sales[i].plan, plan, sizeof plan);
            printf("# %s (%s): %s\n", plan, sales[i].order_id, words);
        }
    }
    (void)snprintf(all, sizeof all, "%" PRIu64 " of %" PRIu64 " do not", bad, count);
    report(bad == 0, "store, gateway, issuer and wallet agree on each sale with the plan", all);
}

/* ------------------------------------------------------------------ days that are settled */

void test_trade_settle(const struct test_town *town, const atomic_bool *goes_on,
                       test_town_report_fn *report)
{
    char words[64];
    unsigned tries = 0, failed = 0;
    do {
        failed += test_town_program(town, "setpay-gateway", town->gateway, settle_words, NULL) != 0;
        tries++;
        test_pause_ms(20);
    } while (*goes_on);
    (void)snprintf(words, sizeof words, "%u of %u failed", failed, tries);
    report(failed == 0, "setpay-gateway settle, again and again while trade goes on", words);
}

/* It dies before what it settles is kept, and behind that, before it says so. */
void test_trade_settle_killed(struct test_town *town, test_town_report_fn *report)
{
    static const char *const points[] = {"store.write", "store.commit", "store.committed"};
    unsigned killed = 0;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        enum setpay_error armed =
            test_sandbox_admin(&town->sandbox, TEST_GATEWAY, "testing.crash",
                               json_pack("{s:s, s:i}", "point", points[i], "count", 1), NULL);
        /* Not by the program, which would do it in the database where it finds no gateway. */
        enum setpay_error settled =
            test_sandbox_admin(&town->sandbox, TEST_GATEWAY, "settle", NULL, NULL);
        killed += armed == SETPAY_OK && settled != SETPAY_OK;
        test_town_kill(town, town->gateway); /* what is left of it */
    }
    char words[64];
    (void)snprintf(words, sizeof words, "%u times", killed);
    report(killed == sizeof points / sizeof points[0],
           "the gateway is killed while it settles, at each point", words);
    test_town_tool(town, "setpay-gateway settle, after the gateway was killed in it",
                   "setpay-gateway", town->gateway, settle_words, report);
}

/* With the gateway stopped the program settles in the database itself, and is killed; each time a
 * little later. */
static void settle_and_kill(struct test_town *town)
{
    char program[600], config[192], output[192], after[16];
    unsigned killed = 0;
    (void)snprintf(program, sizeof program, "%s/setpay-gateway", town->sandbox.bin);
    (void)snprintf(config, sizeof config, "%s/gateway.conf", town->sandbox.dir);
    (void)snprintf(output, sizeof output, "%s/settle.out", town->sandbox.dir);
    test_town_stop(town->gateway);
    for (int ms = 5; ms < SETTLE_KILLED_MS; ms += ms / 3 + 1) {
        (void)snprintf(after, sizeof after, "0.%03d", ms);
        const char *words[] = {"timeout",  "--signal=KILL", after,    program,
                               "--config", config,          "settle", NULL};
        killed += test_sandbox_run_program(output, words) != 0;
    }
    test_town_start(town, town->gateway);
    printf("# tally: settlements killed = %u\n", killed);
}

static void settle(struct test_town *town, const struct test_trade_sale *sales, uint64_t count,
                   test_town_report_fn *report)
{
    char words[256] = "the database can't be read";
    settle_and_kill(town);
    test_town_tool(town, "setpay-gateway settle", "setpay-gateway", town->gateway, settle_words,
                   report);
    bool good = test_trade_is_settled(town, sales, count, words, sizeof words);
    report(good, "each merchant is paid, in each currency, what the plan says, less fees", words);
    test_town_tool(town, "settle again", "setpay-gateway", town->gateway, settle_words, report);
    good = test_trade_is_settled(town, sales, count, words, sizeof words);
    report(good, "which pays nobody twice", words);
    good = test_trade_ledger_agrees(town, sales, count, false, words, sizeof words);
    report(good,
           "the ledger's fees, interchange, suspense and what issuers owe are those of the plan",
           words);
}

/* A person decides on what was refused or written off, which the day after is settled. */
static void clear_and_dispute(struct test_town *town, const struct test_trade_sale *sales,
                              uint64_t count, test_town_report_fn *report)
{
    char words[256];
    bool good = test_trade_clear_suspense(town, words, sizeof words);
    report(good, "what is in suspense is cleared", words);
    good = test_trade_ledger_agrees(town, sales, count, true, words, sizeof words);
    report(good, "of which fees, interchange, losses and what issuers owe are left as planned",
           words);
    test_trade_dispute(town, report);
    good = test_trade_cleared_is_settled(town, sales, count, words, sizeof words);
    report(good, "merchants are paid what was cleared to them", words);
}

/* The reports of every day that was settled, in the eyes of a program that gets their path behind
 * its other words; *status is the last one's. */
static bool are_valid(const struct test_town *town, const char *format, const char *const *program,
                      int *status, char *words, size_t size)
{
    char path[192], output[192], day[16];
    const char *check[8] = {NULL};
    size_t used = 0;
    while (used < 6 && program[used] != NULL) {
        check[used] = program[used];
        used++;
    }
    check[used] = path;
    (void)snprintf(output, sizeof output, "%s/xmllint.out", town->sandbox.dir);
    *status = 0;
    sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
    sqlite3_stmt *days = NULL;
    size_t seen = 0;
    bool good = sqlite3_prepare_v2(gateway, "SELECT DISTINCT day FROM settlement", -1, &days,
                                   NULL) == SQLITE_OK;
    while (good && sqlite3_step(days) == SQLITE_ROW) {
        (void)snprintf(day, sizeof day, "%s", (const char *)sqlite3_column_text(days, 0));
        const char *print[] = {"report", "settlement", "--date", day, "--format", format, NULL};
        good = test_town_print(town, "setpay-gateway", town->gateway, print, format, path);
        *status = good ? test_sandbox_run_program(output, check) : 1;
        good = *status == 0;
        (void)snprintf(words, size, "%s of %s: see %s", format, day, output);
        seen++;
    }
    sqlite3_finalize(days);
    sqlite3_close(gateway);
    return good && seen > 0;
}

static void reports_are_valid(const struct test_town *town, test_town_report_fn *report)
{
    static const char *const formats[] = {"camt.053", "camt.054"};
    static const char official[] = "ISO's own schema accepts the camt.054 of each day";
    char what[160], schema[96], words[256] = "nothing was settled";
    int status;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        (void)snprintf(schema, sizeof schema, "tests/schemas/%s.xsd", formats[i]);
        (void)snprintf(what, sizeof what, "xmllint accepts each day's report as %s", formats[i]);
        const char *const lint[] = {"xmllint", "--noout", "--nonet", "--schema", schema, NULL};
        bool good = are_valid(town, formats[i], lint, &status, words, sizeof words);
        report(good, what, words);
    }
    bool good = are_valid(town, "camt.054", (const char *[]){"tests/schemas/official.sh", NULL},
                          &status, words, sizeof words);
    (void)snprintf(what, sizeof what, "%s%s", official,
                   status == 77 ? " # SKIP it can't be fetched" : "");
    report(good || status == 77, what, words);
}

static void reconcile(const struct test_town *town, test_town_report_fn *report)
{
    char path[192];
    report(test_town_print(town, "setpay-issuersim", town->issuer,
                           (const char *[]){"clearing", NULL}, "clearing.csv", path),
           "the issuer writes its clearing file", path);
    test_town_tool(town, "setpay-gateway reconcile: the issuer's file and the ledger are one",
                   "setpay-gateway", town->gateway, (const char *[]){"reconcile", path, NULL},
                   report);
}

/* The issuer's clearing file is that of reconcile. */
static void audit_merchants(const struct test_town *town, test_town_report_fn *report)
{
    char clearing[192], batches[192], name[32], what[160];
    (void)snprintf(clearing, sizeof clearing, "%s/clearing.csv", town->sandbox.dir);
    for (size_t i = 0; i < TEST_TOWN_MERCHANTS; i++) {
        const struct test_townsman *merchant = town->merchants[i];
        (void)snprintf(name, sizeof name, "%s.json", merchant->name);
        (void)snprintf(what, sizeof what, "%s exports its batches", merchant->id);
        report(test_town_print(town, "setpay-merchant", merchant,
                               (const char *[]){"batch", "export", "--all", NULL}, name, batches),
               what, batches);
        (void)snprintf(what, sizeof what,
                       "setpay-gateway audit: gateway, issuer's file and batches of %s are one",
                       merchant->id);
        test_town_tool(
            town, what, "setpay-gateway", town->gateway,
            (const char *[]){"audit", "--merchant", batches, "--clearing", clearing, NULL}, report);
    }
}

/* ------------------------------------------------------------------ what merchants are told */

/* Each day's file of a merchant is read in. Without one all of its captures would be missed. */
static bool import_days(const struct test_town *town, const struct test_townsman *merchant,
                        char *words, size_t size)
{
    char path[192], name[48];
    sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
    sqlite3_stmt *days = NULL;
    bool good =
        sqlite3_prepare_v2(gateway, "SELECT DISTINCT day FROM settlement WHERE merchant_id = ?1",
                           -1, &days, NULL) == SQLITE_OK &&
        sqlite3_bind_text(days, 1, merchant->id, -1, SQLITE_STATIC) == SQLITE_OK;
    while (good && sqlite3_step(days) == SQLITE_ROW) {
        char *output = NULL;
        const char *day = (const char *)sqlite3_column_text(days, 0);
        const char *print[] = {"report",     "settlement", "--date", day, "--merchant-id",
                               merchant->id, "--format",   "items",  NULL};
        (void)snprintf(name, sizeof name, "%s.%s.items", merchant->name, day);
        const char *import[] = {"settlement", "import", path, NULL};
        good = test_town_print(town, "setpay-gateway", town->gateway, print, name, path) &&
               test_town_program(town, "setpay-merchant", merchant, import, &output) == 0;
        (void)snprintf(words, size, "%s: %.160s", name, output != NULL ? output : "no report");
        free(output);
    }
    sqlite3_finalize(days);
    sqlite3_close(gateway);
    return good;
}

/* What an issuer has refused, and was not paid in full later, is the one thing that may differ. */
static bool only_refused_differ(const json_t *page, char *words, size_t size)
{
    size_t index;
    const json_t *row;
    json_array_foreach(json_object_get(page, "differences"), index, row)
    {
        const json_t *names = json_object_get(row, "differences");
        const char *name = json_string_value(json_array_get(names, 0));
        if (json_array_size(names) == 1 && strcmp(name, "refused") == 0)
            continue;
        char *text = json_dumps(row, JSON_COMPACT);
        (void)snprintf(words, size, "%.230s", text != NULL ? text : "no memory");
        free(text);
        return false;
    }
    return true;
}

static bool settlements_agree(const struct test_town *town, const struct test_townsman *merchant,
                              char *words, size_t size)
{
    char cursor[40] = "";
    bool good = true;
    do {
        char *output = NULL;
        const char *ask[] = {"--json", "settlement", "differences",
                             "--days", "0",          cursor[0] != '\0' ? "--cursor" : NULL,
                             cursor,   NULL};
        int status = test_town_program(town, "setpay-merchant", merchant, ask, &output);
        json_t *page = json_loads(output != NULL ? output : "", 0, NULL);
        const char *next = json_string_value(json_object_get(page, "next_cursor"));
        good = status == 0 && json_is_array(json_object_get(page, "differences")) &&
               only_refused_differ(page, words, size);
        (void)snprintf(cursor, sizeof cursor, "%s", next != NULL ? next : "");
        json_decref(page);
        free(output);
    } while (good && cursor[0] != '\0');
    return good;
}

static void merchants_see_settlements(const struct test_town *town, test_town_report_fn *report)
{
    char what[160], words[256];
    for (size_t i = 0; i < TEST_TOWN_MERCHANTS; i++) {
        const struct test_townsman *merchant = town->merchants[i];
        (void)snprintf(what, sizeof what, "%s reads in what was settled", merchant->id);
        (void)snprintf(words, sizeof words, "nothing was");
        report(import_days(town, merchant, words, sizeof words), what, words);
        (void)snprintf(what, sizeof what,
                       "setpay-merchant settlement differences: %s is paid all that it has taken,"
                       " and nothing else",
                       merchant->id);
        report(settlements_agree(town, merchant, words, sizeof words), what, words);
    }
}

/* ------------------------------------------------------------------ all of it */

void test_trade_books_agree(struct test_town *town, const struct test_trade_sale *sales,
                            uint64_t count, test_town_report_fn *report)
{
    sales_agree(town, sales, count, report);
    test_town_hour(town, town->hour + 24); /* a day is settled once it has ended */
    test_trade_right_totals(town, report);
    settle(town, sales, count, report);
    clear_and_dispute(town, sales, count, report);
    reports_are_valid(town, report);
    reconcile(town, report);
    test_town_tool(town, "setpay-issuersim check: the accounts are those of their rows",
                   "setpay-issuersim", town->issuer, (const char *[]){"check", NULL}, report);
    test_town_tool(town, "setpay-gateway ledger verify: every entry is that of its event",
                   "setpay-gateway", town->gateway, (const char *[]){"ledger", "verify", NULL},
                   report);
    test_town_tool(town, "setpay-gateway audit: signatures, receipts and books prove each other",
                   "setpay-gateway", town->gateway, (const char *[]){"audit", NULL}, report);
    audit_merchants(town, report);
    merchants_see_settlements(town, report);
}
