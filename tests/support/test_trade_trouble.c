/*
 * Commands to the simulator's and the gateway's own sockets, and waiting for what comes of them in
 * the gateway's database.
 */
#include "tests/support/test_trade_trouble.h"

#include "tests/support/test_trade_books.h"
#include "tests/support/test_trade_seen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 120000 /* never reached unless something is lost */
#define ALL 1000000    /* more messages than there will be */
#define NOT_NOW 96

#define STRING(number) #number
#define MINOR(number) STRING(number)
/* As many minor units in each currency (test_trade_plan.h); the total is never reached. */
const char test_trade_issuer_lines[] = "stand_in = 3.00 EUR, " MINOR(
    TEST_TRADE_STAND_IN) " JPY, 0.300 KWD\n"
                         "stand_in_total = 90000.00 EUR, 9000000 JPY, 9000.000 KWD\n"
                         "stand_in_after = 0s\n";

/* What does not arrive, since the issuer was killed, does not matter. */
static void script(const struct test_town *town, json_t *args)
{
    enum setpay_error error = test_sandbox_admin(&town->sandbox, TEST_ISSUER, "script", args, NULL);
    (void)error;
}

static void must_script(const struct test_town *town, json_t *args)
{
    if (test_sandbox_admin(&town->sandbox, TEST_ISSUER, "script", args, NULL) != SETPAY_OK)
        test_bail_out("the issuer takes no script");
}

static int64_t count_of(const struct test_town *town, const char *query)
{
    sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
    int64_t count = test_database_number(gateway, query, NULL);
    sqlite3_close(gateway);
    return count;
}

static bool wait_none(const struct test_town *town, const char *query)
{
    int64_t until_ms = test_now_ms() + WAIT_MS;
    while (count_of(town, query) != 0) {
        if (test_now_ms() > until_ms)
            return false;
        test_pause_ms(20);
    }
    return true;
}

/* ------------------------------------------------------------------ by chance */

void test_trade_trouble(struct test_town *town, uint64_t chance)
{
    static const char *const ways[] = {"silent",       "late",        "duplicate",
                                       "close_before", "close_after", "refuse"};
    static const char *const of[] = {
        "", "_sales", "_stand_ins", "_presentments", "_presentments", "_reversals", "_advices"};
    size_t way = chance % 6, which = chance / 6 % 7;
    char key[32];
    if (which < 2 && way == 5) /* what is asked for is never asked again once it is refused */
        way = 2;
    (void)snprintf(key, sizeof key, "%s%s", ways[way], of[which]);
    if (chance / 42 % 4 == 0)
        script(town, json_pack("{s:i}", "down_ms", 20 + (int)(chance / 168 % 300)));
    else
        script(town, json_pack("{s:i, s:i}", "refuse_code", NOT_NOW, key, which < 2 ? 1 : 3));
}

void test_trade_trouble_ends(const struct test_town *town)
{
    must_script(town, json_pack("{s:b}", "reset", 1));
}

/* ------------------------------------------------------------------ in the issuer's stead */

void test_trade_outage_begins(struct test_town *town)
{
    town->is_issuer_away = true;
    must_script(town, json_pack("{s:i}", "down", 1));
}

void test_trade_outage_ends(struct test_town *town, bool refuses, test_town_report_fn *report)
{
    static const char open[] = "SELECT count(*) FROM stand_in WHERE acknowledged = 0";
    char words[64];
    (void)snprintf(words, sizeof words, "of %" PRId64 " some are open", count_of(town, open));
    must_script(town, json_pack("{s:i, s:i, s:i}", "down", 0, "refuse_code", 5, "refuse_stand_ins",
                                refuses ? ALL : 0));
    bool good = wait_none(town, open);
    test_trade_trouble_ends(town);
    town->is_issuer_away = false;
    report(good,
           refuses ? "the issuer refuses what was approved in its stead"
                   : "the issuer takes what was approved in its stead",
           words);
}

/* ------------------------------------------------------------------ what can't be presented */

void test_trade_refuse_now(const struct test_town *town)
{
    must_script(town, json_pack("{s:i, s:i}", "refuse_code", NOT_NOW, "refuse_presentments", ALL));
}

void test_trade_refuse(const struct test_town *town, uint64_t seed, bool is_any)
{
    static const int codes[] = {13, 5, 14, 51};
    int64_t until_ms = test_now_ms() + WAIT_MS;
    while (is_any && test_trade_not_now(town) == 0 && test_now_ms() < until_ms)
        test_pause_ms(20);
    must_script(town, json_pack("{s:i}", "refuse_code", codes[seed % 4]));
}

static void lose_card(sqlite3 *gateway, const char *xid)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(gateway,
                           "DELETE FROM kept_card WHERE payment_id ="
                           " (SELECT id FROM payment WHERE lower(hex(xid)) = ?1)",
                           -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_bind_text(statement, 1, xid, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_DONE || sqlite3_changes(gateway) != 1)
        test_bail_out("there is no card of %s", xid);
    sqlite3_finalize(statement);
}

void test_trade_lose_cards(struct test_town *town, const struct test_trade_sale *sales,
                           uint64_t count)
{
    char path[192], (*xids)[40] = calloc(count, sizeof *xids);
    sqlite3 *gateway = NULL;
    size_t lost = 0;
    if (xids == NULL)
        test_bail_out("no memory");
    for (uint64_t i = 0; i < count; i++) {
        bool is_lost = sales[i].plan.fate == TEST_TRADE_LOST && sales[i].words[0] == '\0';
        if (is_lost && !test_trade_find_xid(&sales[i], xids[lost++]))
            test_bail_out("sale %" PRIu64 " has no payment", sales[i].plan.number);
    }
    test_town_stop(town->gateway);
    (void)snprintf(path, sizeof path, "%s/db/gateway.db", town->sandbox.dir);
    if (sqlite3_open_v2(path, &gateway, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        test_bail_out("%s can't be opened", path);
    for (size_t i = 0; i < lost; i++)
        lose_card(gateway, xids[i]);
    sqlite3_close(gateway);
    free(xids);
    test_town_start(town, town->gateway);
}

/* The first page of them; how many, or -1. */
static int write_off_page(const struct test_town *town)
{
    json_t *answer = NULL;
    size_t i;
    const json_t *one;
    int count = 0;
    if (test_sandbox_admin(&town->sandbox, TEST_GATEWAY, "presentment.list",
                           json_pack("{s:b, s:i}", "stuck", 1, "limit", 100), &answer) != SETPAY_OK)
        return -1;
    json_array_foreach(json_object_get(answer, "presentments"), i, one)
    {
        json_int_t number = json_integer_value(json_object_get(one, "presentment"));
        bool good = test_sandbox_admin(&town->sandbox, TEST_GATEWAY, "presentment.write_off",
                                       json_pack("{s:I, s:s}", "presentment", number, "reason",
                                                 "the card was lost"),
                                       NULL) == SETPAY_OK;
        count = good && count >= 0 ? count + 1 : -1;
    }
    json_decref(answer);
    return count;
}

void test_trade_write_off(const struct test_town *town, const struct test_trade_sale *sales,
                          uint64_t count, test_town_report_fn *report)
{
    char words[96];
    int page, written_off = 0, lost = 0;
    for (uint64_t i = 0; i < count; i++)
        lost += sales[i].plan.fate == TEST_TRADE_LOST && sales[i].words[0] == '\0';
    while ((page = write_off_page(town)) > 0)
        written_off += page;
    (void)snprintf(words, sizeof words, "%d of %d were, or one could not be", written_off, lost);
    report(page == 0 && written_off == lost, "what can't be presented is written off", words);
}

/* ------------------------------------------------------------------ too late, or twice */

void test_trade_silence(const struct test_town *town)
{
    must_script(town, json_pack("{s:i}", "silent_reversals", 1));
}

/* Longer than the sandbox's auth_timeout. */
#define HOLD_MS 4500

void test_trade_hold(const struct test_town *town)
{
    must_script(town, json_pack("{s:i}", "hold_ms", HOLD_MS));
}

void test_trade_overtaken(const struct test_town *town, const struct test_trade_sale *sales,
                          uint64_t count, test_town_report_fn *report)
{
    char words[96];
    int64_t until_ms = test_now_ms() + WAIT_MS, all = 0, seen;
    for (uint64_t i = 0; i < count; i++)
        all += sales[i].plan.fate == TEST_TRADE_OVERTAKEN;
    while ((seen = test_trade_overtakings(town)) < all && test_now_ms() < until_ms)
        test_pause_ms(50);
    (void)snprintf(words, sizeof words, "%" PRId64 " of %" PRId64 " were", seen, all);
    report(seen == all, "reversals overtake what they undo", words);
}

static void wait_unmatched(const struct test_town *town, const char *account, int64_t all,
                           const char *what, test_town_report_fn *report)
{
    char words[96];
    int64_t until_ms = test_now_ms() + WAIT_MS, seen;
    while ((seen = test_trade_unmatched(town, account)) < all && test_now_ms() < until_ms)
        test_pause_ms(50);
    (void)snprintf(words, sizeof words, "%" PRId64 " of %" PRId64 " came", seen, all);
    report(seen >= all, what, words);
}

void test_trade_odd_answers(const struct test_town *town, const struct test_trade_sale *sales,
                            uint64_t count, test_town_report_fn *report)
{
    static const char late_account[] = "late-answer", twice_account[] = "duplicate-answer";
    int64_t late = 0, twice = 0;
    for (uint64_t i = 0; i < count; i++) {
        const char *card = sales[i].plan.card;
        late += card != NULL && strcmp(card, late_account) == 0;
        twice += sales[i].plan.fate == TEST_TRADE_TWICE;
    }
    wait_unmatched(town, late_account, late, "answers that come too late belong to nothing",
                   report);
    wait_unmatched(town, twice_account, twice, "the second of two answers belongs to nothing",
                   report);
}

/* ------------------------------------------------------------------ totals */

static int64_t wrong_told; /* so often */

static bool compare_totals(const struct test_town *town)
{
    return test_town_program(town, "setpay-gateway", town->gateway,
                             (const char *[]){"issuer", "cutoff", NULL}, NULL) == 0 &&
           wait_none(town, "SELECT count(*) FROM reconciliation_cut WHERE totalled = 0") &&
           wait_none(town, "SELECT count(*) FROM reconciliation WHERE result = 0");
}

/* Results: 1 in balance, 2 out of balance (gateway/clearing/reconciliation.h). */
void test_trade_wrong_totals(const struct test_town *town, test_town_report_fn *report)
{
    char words[64], query[128];
    int64_t before = count_of(town, "SELECT coalesce(max(id), 0) FROM reconciliation");
    /* The first that it does not answer is one of the two. */
    must_script(town, json_pack("{s:i, s:i}", "silent_reconciliations", 1, "wrong_totals", 2));
    bool good = compare_totals(town);
    test_trade_trouble_ends(town);
    (void)snprintf(query, sizeof query, "SELECT count(*) FROM reconciliation WHERE id > %" PRId64,
                   before);
    bool is_asked = count_of(town, query) > 0; /* of one sale alone there may be nothing */
    wrong_told = count_of(town, "SELECT count(*) FROM reconciliation WHERE result = 2");
    (void)snprintf(words, sizeof words, "%" PRId64 " times", wrong_told);
    report(good && wrong_told == (is_asked ? 1 : 0),
           "the issuer's totals are wrong, and the gateway sees it", words);
}

void test_trade_right_totals(const struct test_town *town, test_town_report_fn *report)
{
    char words[96];
    bool good = compare_totals(town);
    int64_t differ = count_of(town, "SELECT count(*) FROM reconciliation WHERE result <> 1");
    (void)snprintf(words, sizeof words, "%" PRId64 " are not, or one is not compared", differ);
    report(good && differ == wrong_told,
           "setpay-gateway issuer cutoff: of each period both sides' totals are in balance, but "
           "for those",
           words);
}
