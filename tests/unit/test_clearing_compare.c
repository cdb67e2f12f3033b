/*
 * An issuer's clearing file against what was presented: each kind of difference by itself, at its
 * edges, and all together; refusals, and sales with what became of them.
 */
#include "gateway/clearing/clearing_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FROM INT64_C(1795651200000) /* 2026-11-26T00:00:00Z */
#define TO (FROM + SETPAY_DAY_MS)

static struct setpay_clearing_row row_of(uint8_t id, enum setpay_clearing_kind kind, int64_t minor)
{
    struct setpay_clearing_row row = {.acquirer = "4242",
                                      .kind = kind,
                                      .amount = {.minor = minor, .currency = "EUR"},
                                      .date = "2026-11-26",
                                      .result = "00"};
    for (size_t i = 0; i < 16; i++) {
        (void)snprintf(row.presentment + 2 * i, 3, "%02x", id);
        (void)snprintf(row.xid + 2 * i, 3, "%02x", 0x80 | id);
    }
    return row;
}

static struct setpay_clearing_row rows[16];
static struct setpay_clearing_item items[16];
static size_t row_count, item_count;
static char words_of[16][400];
static enum setpay_difference kinds[16];
static size_t lines_of[16], found_count, matched, looked_at, outside;
static char elsewhere[64]; /* the days of the last one */
static size_t elsewhere_count;
static long long claimed_id; /* of the last one */
static size_t claimed_count;
static const char *file_to = "2026-11-26", *days_from, *days_to; /* NULL: all */

/* On both sides alike; the edits follow. */
static void both(uint8_t id, enum setpay_clearing_kind kind, int64_t minor)
{
    struct setpay_clearing_item *item = &items[item_count++];
    struct setpay_clearing_row row = row_of(id, kind, minor);
    rows[row_count++] = row;
    memset(item, 0, sizeof *item);
    item->id = id;
    memset(item->step.bytes, id, sizeof item->step.bytes);
    memset(item->xid.bytes, 0x80 | id, sizeof item->xid.bytes);
    item->credits = kind == SETPAY_CLEARING_CREDIT;
    item->sale = kind == SETPAY_CLEARING_SALE;
    item->amount = row.amount;
    item->acknowledged = true;
    strcpy(item->response_code, "00");
    strcpy(item->issuer, "sim");
    strcpy(item->brand, "visa");
    strcpy(item->merchant_id, "shop");
    item->presented_ms = FROM + id * SETPAY_MINUTE_MS;
    item->acknowledged_ms = item->presented_ms + 10;
}

static void on_difference(void *arg, enum setpay_difference difference, const char *id, size_t line,
                          const char *words)
{
    (void)arg;
    (void)id;
    kinds[found_count] = difference;
    lines_of[found_count] = line;
    (void)snprintf(words_of[found_count], sizeof words_of[0], "%s", words);
    found_count++;
}

static void on_elsewhere(void *arg, const struct setpay_clearing_item *item, const char *first,
                         const char *last)
{
    (void)arg;
    (void)snprintf(elsewhere, sizeof elsewhere, "%lld: %s to %s", (long long)item->id, first, last);
}

static void on_claimed(void *arg, const struct setpay_clearing_item *item)
{
    (void)arg;
    claimed_id = (long long)item->id;
}

static size_t reconcile_for(const char *issuer)
{
    struct setpay_clearing_file file = {
        .issuer = "bank", .from = "2026-11-26", .rows = rows, .row_count = row_count};
    struct setpay_clearing_compare c = {.file = &file,
                                        .acquirer = "4242",
                                        .items = items,
                                        .item_count = item_count,
                                        .issuer = issuer,
                                        .late_ms = SETPAY_HOUR_MS,
                                        .from = days_from,
                                        .to = days_to,
                                        .elsewhere_cb = on_elsewhere,
                                        .claimed_cb = on_claimed};
    size_t differences = 0;
    (void)snprintf(file.to, sizeof file.to, "%s", file_to);
    found_count = 0;
    elsewhere[0] = '\0';
    claimed_id = 0;
    assert_int_equal(setpay_clearing_compare_run(&c, on_difference, NULL, &differences), SETPAY_OK);
    assert_int_equal(differences, found_count);
    matched = c.matched;
    looked_at = c.looked_at;
    outside = c.outside;
    elsewhere_count = c.elsewhere;
    claimed_count = c.claimed;
    assert_int_equal(elsewhere_count != 0, elsewhere[0] != '\0');
    return differences;
}

static void expect_one(enum setpay_difference difference, const char *words)
{
    size_t count = reconcile_for(NULL);
    if (count != 1 || kinds[0] != difference || strstr(words_of[0], words) == NULL)
        fail_msg("%zu differences, the first %s: %s; expected %s: %s", count,
                 count == 0 ? "-" : setpay_difference_name(kinds[0]), words_of[0],
                 setpay_difference_name(difference), words);
}

static int begin(void **state)
{
    (void)state;
    row_count = item_count = 0;
    file_to = "2026-11-26";
    days_from = days_to = NULL;
    for (uint8_t id = 1; id <= 5; id++)
        both(id, id == 3 ? SETPAY_CLEARING_CREDIT : SETPAY_CLEARING_CAPTURE, 100 + id);
    return 0;
}

static void what_agrees_has_no_difference(void **state)
{
    (void)state;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(matched, 5);
    row_count = item_count = 0;
    assert_int_equal(reconcile_for(NULL), 0);
}

static void names_what_is_missing(void **state)
{
    (void)state;
    row_count--;
    expect_one(SETPAY_DIFFERENCE_MISSING, "1.05 EUR of visa shop are not in the file");
    assert_int_equal(lines_of[0], 0);
    /* What may stand in the file before or behind is not missed. */
    items[4].presented_ms = FROM;
    items[4].acknowledged_ms = TO - 1;
    assert_int_equal(reconcile_for(NULL), 1);
    assert_int_equal(elsewhere_count, 0);
    items[4].presented_ms = FROM - 1;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_string_equal(elsewhere, "5: 2026-11-25 to 2026-11-25");
    items[4].presented_ms = FROM;
    items[4].acknowledged_ms = TO;
    assert_int_equal(reconcile_for(NULL), 0);
    /* Nor what the issuer has refused. */
    items[4].acknowledged_ms = TO - 1;
    strcpy(items[4].response_code, "25");
    assert_int_equal(reconcile_for(NULL), 0);
    strcpy(items[4].response_code, "94");
    assert_int_equal(reconcile_for(NULL), 1);
}

static void looks_at_one_issuers(void **state)
{
    (void)state;
    row_count--;
    assert_int_equal(reconcile_for("sim"), 1);
    assert_int_equal(kinds[0], SETPAY_DIFFERENCE_MISSING);
    assert_int_equal(reconcile_for("another"), 4); /* none of which it was given, and none misses */
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(kinds[i], SETPAY_DIFFERENCE_EXTRA);
}

/* What was presented to another is booked by this one: of nothing of ours. It is missing where it
 * should be, and no sale of another is undone. */
static void names_what_is_anothers(void **state)
{
    (void)state;
    both(6, SETPAY_CLEARING_SALE, 600);
    strcpy(items[1].issuer, "other");
    strcpy(items[5].issuer, "other");
    assert_int_equal(reconcile_for("sim"), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(kinds[i], SETPAY_DIFFERENCE_EXTRA);
        assert_non_null(strstr(words_of[i], "it was presented to the issuer other"));
    }
    assert_int_equal(lines_of[0], 3);
    assert_int_equal(matched, 4);
    row_count = 0;
    assert_int_equal(reconcile_for("other"), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(kinds[i], SETPAY_DIFFERENCE_MISSING);
    rows[row_count++] = row_of(6, SETPAY_CLEARING_SALE_REVERSAL, 600);
    assert_int_equal(reconcile_for("sim"), 5 - 1 + 1);
    assert_int_equal(kinds[0], SETPAY_DIFFERENCE_EXTRA);
    assert_non_null(strstr(words_of[0], "of a sale that the ledger does not know"));
    /* It has refused what nobody has presented to it: on neither side. */
    rows[0] = row_of(2, SETPAY_CLEARING_CAPTURE, 102);
    strcpy(rows[0].result, "25");
    assert_int_equal(reconcile_for("sim"), 5 - 1);
    assert_int_equal(matched, 1);
}

/* Presented before issuers were kept: whoever books it. */
static void what_is_of_no_known_issuer_agrees(void **state)
{
    (void)state;
    items[1].issuer[0] = '\0';
    assert_int_equal(reconcile_for("sim"), 0);
    assert_int_equal(matched, 5);
}

static void its_rows_tell_whose_file_it_is(void **state)
{
    char issuer[SETPAY_NETWORK_NAME_SIZE] = "";
    struct setpay_clearing_file file = {.issuer = "bank", .rows = rows, .row_count = row_count};
    struct setpay_clearing_compare c = {
        .file = &file, .acquirer = "4242", .items = items, .item_count = item_count};
    (void)state;
    strcpy(items[0].issuer, "other"); /* also where the first is another's */
    assert_true(setpay_clearing_compare_find_issuer(&c, issuer));
    assert_string_equal(issuer, "sim");
    file.row_count = 2;
    assert_true(setpay_clearing_compare_find_issuer(&c, issuer));
    assert_string_equal(issuer, "other");
    strcpy(rows[0].acquirer, "1");
    assert_true(setpay_clearing_compare_find_issuer(&c, issuer));
    assert_string_equal(issuer, "sim");
    file.row_count = 1;
    assert_false(setpay_clearing_compare_find_issuer(&c, issuer));
}

static void names_what_is_extra(void **state)
{
    (void)state;
    item_count--;
    expect_one(SETPAY_DIFFERENCE_EXTRA, "the issuer has charged 1.05 EUR, and the ledger has no");
    assert_int_equal(lines_of[0], 6);
    item_count++;
    strcpy(items[4].response_code, "13");
    expect_one(SETPAY_DIFFERENCE_EXTRA, "refused it with response code 13");
}

/* What both say was refused is no difference; what only the issuer says was refused, is. */
static void compares_refusals(void **state)
{
    (void)state;
    strcpy(rows[4].result, "13");
    expect_one(SETPAY_DIFFERENCE_MISSING,
               "has refused 1.05 EUR with response code 13, and answered");
    assert_int_equal(lines_of[0], 6);
    strcpy(items[4].response_code, "13");
    assert_int_equal(reconcile_for(NULL), 0);
    items[4].acknowledged = false;
    assert_int_equal(reconcile_for(NULL), 0);
    item_count--; /* refused, and not ours: nothing has moved */
    assert_int_equal(reconcile_for(NULL), 0);
}

/* What was refused, and was cleared to the merchant since it was charged all the same: so much is
 * in the file, whenever that was. */
static void what_was_refused_and_cleared_agrees(void **state)
{
    (void)state;
    strcpy(items[4].response_code, "13");
    items[4].charged_minor = 105;
    items[4].presented_ms = FROM - 2 * SETPAY_HOUR_MS;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(matched, 5);
    items[4].charged_minor = 40;
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "charged 1.05 EUR (capture), by the ledger 0.40 EUR are");
    rows[4].amount.minor = 40;
    assert_int_equal(reconcile_for(NULL), 0);
    items[4].charged_minor = 0;
    assert_int_equal(reconcile_for(NULL), 2);
    strcpy(items[2].response_code, "13"); /* a credit */
    items[2].charged_minor = 103;
    assert_int_equal(reconcile_for(NULL), 2);
    row_count = 3; /* nor is it missed: the issuer says when it charges it */
    items[3].acknowledged_ms = TO;
    assert_int_equal(reconcile_for(NULL), 0);
}

/* It is claimed from the issuer from then on, and told with the file of the days on which it was
 * cleared, as long as that has not booked it. */
static void what_was_refused_and_cleared_is_claimed(void **state)
{
    struct setpay_clearing_item *item = &items[4];
    (void)state;
    strcpy(item->response_code, "13");
    item->charged_minor = 105;
    item->charged_ms = FROM;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 0); /* the file has booked it */
    strcpy(rows[4].result, "13");
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 1);
    assert_int_equal(claimed_id, 5);
    assert_int_equal(matched, 5);
    row_count--;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 1);
    item->presented_ms = item->acknowledged_ms = FROM - 9 * SETPAY_DAY_MS; /* whenever it was */
    assert_int_equal(reconcile_for("sim"), 0);
    assert_int_equal(claimed_count, 1);
    item->charged_ms = FROM - 1;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 0);
    item->charged_ms = TO - 1;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 1);
    item->charged_ms = TO;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 0);
    item->charged_ms = FROM;
    strcpy(item->issuer, "other"); /* in that one's file */
    assert_int_equal(reconcile_for("sim"), 0);
    assert_int_equal(claimed_count, 0);
    strcpy(item->issuer, "sim");
    item->charged_minor = 0; /* written off: nobody claims it */
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 0);
    item->charged_minor = 105;
    strcpy(item->response_code, "00");
    item->acknowledged_ms = FROM - 1;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(claimed_count, 0);
}

static void passes_over_other_acquirers(void **state)
{
    (void)state;
    rows[row_count] = row_of(9, SETPAY_CLEARING_CAPTURE, 5);
    strcpy(rows[row_count++].acquirer, "777");
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(matched, 5);
}

static void names_other_amounts(void **state)
{
    (void)state;
    rows[2].amount.minor++;
    expect_one(SETPAY_DIFFERENCE_AMOUNT,
               "credited 1.04 EUR (credit), by the ledger 1.03 EUR are credited (credit)");
    rows[2].amount.minor--;
    rows[2].kind = SETPAY_CLEARING_CAPTURE;
    expect_one(SETPAY_DIFFERENCE_AMOUNT,
               "charged 1.03 EUR (capture), by the ledger 1.03 EUR are credited (credit)");
    rows[2].kind = SETPAY_CLEARING_CREDIT;
    rows[2].xid[0] = 'f';
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "another payment");
    rows[2].xid[0] = '\0'; /* the issuer was not told */
    assert_int_equal(reconcile_for(NULL), 0);
}

static void names_other_currencies(void **state)
{
    (void)state;
    strcpy(rows[0].amount.currency, "USD");
    expect_one(SETPAY_DIFFERENCE_CURRENCY, "charged 1.01 USD, the ledger 1.01 EUR");
}

static void names_duplicates(void **state)
{
    (void)state;
    rows[row_count++] = rows[1];
    expect_one(SETPAY_DIFFERENCE_DUPLICATE, "has 1.02 EUR again: line 3 is of the same");
    assert_int_equal(lines_of[0], 7);
    rows[row_count - 1].amount.minor = 7; /* also where the second says something else */
    expect_one(SETPAY_DIFFERENCE_DUPLICATE, "has 0.07 EUR again");
}

static void names_what_is_late(void **state)
{
    (void)state;
    items[0].presented_ms = FROM - SETPAY_HOUR_MS; /* the day's beginning counts */
    assert_int_equal(reconcile_for(NULL), 0);
    items[0].presented_ms--;
    expect_one(SETPAY_DIFFERENCE_LATE, "booked on 2026-11-26, 1 hour or more after");
    items[0].presented_ms++;
    row_count--; /* not booked, and not answered */
    items[4].acknowledged = false;
    items[4].presented_ms = TO - SETPAY_HOUR_MS;
    assert_int_equal(reconcile_for(NULL), 0);
    items[4].presented_ms--;
    expect_one(SETPAY_DIFFERENCE_LATE, "neither in the file nor answered");
}

/* ------------------------------------------------------------------ sales */

static void give_back(uint8_t id, int64_t minor)
{
    rows[row_count++] = row_of(id, SETPAY_CLEARING_SALE_REVERSAL, minor);
}

static void compares_sales(void **state)
{
    (void)state;
    both(6, SETPAY_CLEARING_SALE, 900);
    assert_int_equal(reconcile_for(NULL), 0);
    rows[5].kind = SETPAY_CLEARING_CAPTURE;
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "(capture), by the ledger 9.00 EUR are charged (sale)");
    rows[5].kind = SETPAY_CLEARING_SALE;
    give_back(6, 300);
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "given back 3.00 EUR of a sale, more than was undone");
    items[5].undone_ms = TO - SETPAY_HOUR_MS; /* the rest may come with the next file */
    assert_int_equal(reconcile_for(NULL), 0);
    items[5].undone_ms--;
    expect_one(SETPAY_DIFFERENCE_LATE, "undone: the issuer has given back 3.00 EUR of it so far");
    give_back(6, 600);
    assert_int_equal(reconcile_for(NULL), 0);
    give_back(6, 1);
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "given back 9.01 EUR of a sale, more than was undone");
}

/* One of which no answer came was reversed, and is no step here. */
static void sales_that_came_to_nothing_are_none(void **state)
{
    (void)state;
    rows[row_count++] = row_of(7, SETPAY_CLEARING_SALE, 900);
    expect_one(SETPAY_DIFFERENCE_EXTRA, "charged 9.00 EUR in a sale, and the ledger has no such");
    give_back(7, 400);
    expect_one(SETPAY_DIFFERENCE_EXTRA, "charged 5.00 EUR in a sale");
    give_back(7, 500);
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(matched, 8);
}

/* A sale that was asked for, reversed, and is no step. */
static struct setpay_clearing_item *unsold(uint8_t id, int64_t minor)
{
    both(id, SETPAY_CLEARING_SALE, minor);
    row_count--;
    items[item_count - 1].unsold = true;
    return &items[item_count - 1];
}

/* A reversal alone is of a sale in the file of the day before, if there was one. */
static void what_is_given_back_was_sold(void **state)
{
    (void)state;
    give_back(8, 500);
    expect_one(SETPAY_DIFFERENCE_EXTRA,
               "has given back 5.00 EUR of a sale that the ledger does not know");
    assert_int_equal(lines_of[0], 7);
    assert_int_equal(matched, 5);
    struct setpay_clearing_item *item = unsold(8, 500);
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(matched, 6);
    assert_int_equal(reconcile_for("sim"), 0);
    assert_int_equal(reconcile_for("another"), 6); /* all of it was another's */
    assert_non_null(strstr(words_of[5], "of a sale that the ledger does not know"));
    row_count--; /* nothing is owed of it */
    assert_int_equal(reconcile_for(NULL), 0);
    row_count++;
    rows[5].amount.minor = 501;
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "given back 5.01 EUR of a sale, of which 5.00 EUR were");
    rows[5].amount.minor = 500;
    strcpy(rows[5].amount.currency, "USD");
    expect_one(SETPAY_DIFFERENCE_CURRENCY, "given back 5.00 USD of a sale, of which 5.00 EUR");
    strcpy(rows[5].amount.currency, "EUR");
    rows[5].xid[0] = 'f';
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "a sale of another payment (xid) than was asked for");
    assert_int_equal(matched, 5);
    rows[5].xid[0] = '\0'; /* the issuer was not told */
    assert_int_equal(reconcile_for(NULL), 0);
    strcpy(rows[5].result, "25"); /* nothing was given back */
    item->amount.minor = 1;
    assert_int_equal(reconcile_for(NULL), 0);
    strcpy(rows[5].result, "00");
    file_to = "2026-11-28"; /* and on a day that is not compared it is not judged */
    strcpy(rows[5].date, "2026-11-28");
    days_to = "2026-11-26";
    assert_int_equal(reconcile_for(NULL), 0);
}

/* Amounts of two currencies are not added up. */
static void another_currency_undoes_no_sale(void **state)
{
    (void)state;
    rows[row_count++] = row_of(7, SETPAY_CLEARING_SALE, 90000);
    give_back(7, 90000);
    strcpy(rows[6].amount.currency, "JPY");
    assert_int_equal(reconcile_for(NULL), 2);
    assert_string_equal(words_of[0], "the issuer has charged 900.00 EUR in a sale, and the ledger "
                                     "has no such step");
    assert_int_equal(lines_of[0], 7);
    assert_string_equal(words_of[1], "the issuer has given back 90000 JPY of a sale that the "
                                     "ledger does not know");
    assert_int_equal(lines_of[1], 8);
    row_count = 5;
    both(6, SETPAY_CLEARING_SALE, 900);
    items[5].undone_ms = TO - 1;
    give_back(6, 900);
    strcpy(rows[6].amount.currency, "JPY");
    expect_one(SETPAY_DIFFERENCE_CURRENCY, "given back 900 JPY of a sale, the ledger charged 9.00");
    items[5].undone_ms = FROM; /* so that it is still owed */
    assert_int_equal(reconcile_for(NULL), 2);
    assert_int_equal(kinds[1], SETPAY_DIFFERENCE_LATE);
}

static void what_is_undone_is_a_sale(void **state)
{
    (void)state;
    give_back(1, 101);
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "given back 1.01 EUR as of a sale (sale-reversal), by the "
                                         "ledger 1.01 EUR are charged (capture)");
    assert_int_equal(lines_of[0], 7);
    assert_int_equal(matched, 5);
    strcpy(rows[5].result, "25"); /* nothing was given back */
    assert_int_equal(reconcile_for(NULL), 0);
    row_count = 5;
    both(6, SETPAY_CLEARING_SALE, 900);
    items[5].undone_ms = TO - 1;
    give_back(6, 900);
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(matched, 7);
    rows[6].xid[0] = 'f';
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "given back 9.00 EUR of another payment (xid)");
    assert_int_equal(matched, 6);
}

/* A file of three days, a presentment of each: 1 and 2 of the first, 3 of the second, 4 and 5 of
 * the third. Day by day nothing differs; and each day names its own. */
static void three_days(void)
{
    static const char *const days[] = {"2026-11-26", "2026-11-27", "2026-11-28"};
    static const size_t day_of[] = {0, 0, 0, 1, 2, 2};
    file_to = "2026-11-28";
    for (size_t i = 0; i < row_count; i++) {
        size_t day = day_of[items[i].id];
        (void)snprintf(rows[i].date, sizeof rows[i].date, "%s", days[day]);
        items[i].presented_ms += (int64_t)day * SETPAY_DAY_MS;
        items[i].acknowledged_ms += (int64_t)day * SETPAY_DAY_MS;
    }
}

static void looks_at_some_days(void **state)
{
    (void)state;
    three_days();
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(looked_at, 5);
    assert_int_equal(outside, 0);
    days_from = days_to = "2026-11-27";
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(looked_at, 1);
    assert_int_equal(outside, 4);
    assert_int_equal(matched, 1);
    /* What is wrong on another day is not said; what is on this one is. */
    rows[0].amount.minor++;
    rows[4].amount.minor++;
    assert_int_equal(reconcile_for(NULL), 0);
    rows[2].amount.minor++;
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "the issuer has credited 1.04 EUR");
    rows[2].amount.minor--;
    days_from = "2026-11-28";
    days_to = NULL;
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "charged 1.06 EUR");
    days_from = NULL;
    days_to = "2026-11-27";
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "charged 1.02 EUR");
    assert_int_equal(looked_at, 3);
    /* Days beyond the file's are its own. */
    days_from = "2026-01-01";
    days_to = "2027-01-01";
    assert_int_equal(reconcile_for(NULL), 2);
    assert_int_equal(outside, 0);
}

static void misses_what_is_of_those_days(void **state)
{
    (void)state;
    three_days();
    rows[2] = rows[--row_count]; /* 3 is not there; 5 stands in its place */
    days_from = days_to = "2026-11-26";
    assert_int_equal(reconcile_for(NULL), 0);
    days_from = days_to = "2026-11-27";
    expect_one(SETPAY_DIFFERENCE_MISSING, "1.03 EUR of visa shop are not in the file");
    /* Booked a day later than asked for: it is not missing. */
    strcpy(rows[0].date, "2026-11-28");
    days_from = days_to = "2026-11-26";
    assert_int_equal(reconcile_for(NULL), 0);
    /* Twice, of which one is of another day. */
    strcpy(rows[0].date, "2026-11-26");
    rows[row_count++] = rows[0];
    strcpy(rows[row_count - 1].date, "2026-11-28");
    assert_int_equal(reconcile_for(NULL), 0);
    days_from = days_to = "2026-11-28";
    expect_one(SETPAY_DIFFERENCE_DUPLICATE, "line 2 is of the same presentment");
    row_count--;
    /* What waits for its answer, by the day on which it was presented. */
    items[0].acknowledged = false;
    rows[0] = rows[--row_count];
    days_from = days_to = "2026-11-26";
    expect_one(SETPAY_DIFFERENCE_LATE, "neither in the file nor answered");
    days_from = days_to = "2026-11-28";
    assert_int_equal(reconcile_for(NULL), 0);
}

/* Presented on the 26th, answered on the 27th, and in neither file: that of the 27th says that
 * another must have it, and one of both days misses it, whichever of them are compared. */
static void misses_what_was_answered_a_day_later(void **state)
{
    struct setpay_clearing_item *item = &items[4];
    (void)state;
    row_count--;
    item->acknowledged_ms = TO;
    assert_int_equal(reconcile_for(NULL), 0); /* of the 26th */
    assert_int_equal(elsewhere_count, 0);
    item->presented_ms -= SETPAY_DAY_MS; /* and so is the file of the 27th to it */
    item->acknowledged_ms -= SETPAY_DAY_MS;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(elsewhere_count, 1);
    assert_string_equal(elsewhere, "5: 2026-11-25 to 2026-11-25");
    item->presented_ms -= 2 * SETPAY_DAY_MS;
    assert_int_equal(reconcile_for(NULL), 0);
    assert_string_equal(elsewhere, "5: 2026-11-23 to 2026-11-25");
    strcpy(item->response_code, "13"); /* refused: in no file */
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(elsewhere_count, 0);
    strcpy(item->response_code, "00");
    item->acknowledged_ms = FROM - 1; /* asked for by the file of that day */
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(elsewhere_count, 0);
    item->presented_ms = FROM;
    item->acknowledged_ms = TO;
    file_to = "2026-11-27";
    expect_one(SETPAY_DIFFERENCE_MISSING, "1.05 EUR of visa shop are not in the file");
    days_from = "2026-11-27";
    expect_one(SETPAY_DIFFERENCE_MISSING, "1.05 EUR of visa shop are not in the file");
    days_from = NULL;
    days_to = "2026-11-26"; /* it may be of the day that is not compared */
    assert_int_equal(reconcile_for(NULL), 0);
}

/* A sale that is given back on a day that is not compared is not owed, and not given back twice. */
static void sales_may_end_on_another_day(void **state)
{
    (void)state;
    row_count = item_count = 0;
    file_to = "2026-11-28";
    both(6, SETPAY_CLEARING_SALE, 100);
    items[0].undone_ms = FROM + SETPAY_HOUR_MS;
    give_back(6, 100);
    strcpy(rows[1].date, "2026-11-28");
    days_from = days_to = "2026-11-26";
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(looked_at, 1);
    rows[1].amount.minor = 99;
    expect_one(SETPAY_DIFFERENCE_LATE, "the issuer has given back 0.99 EUR");
    rows[1].amount.minor = 101;
    expect_one(SETPAY_DIFFERENCE_AMOUNT, "the issuer has given back 1.01 EUR of a sale");
    days_from = days_to = "2026-11-27"; /* no row of it */
    assert_int_equal(reconcile_for(NULL), 0);
    /* One that is no step of ours: what is left of it in the whole file. */
    item_count = 0;
    rows[1].amount.minor = 100;
    days_from = days_to = "2026-11-26";
    assert_int_equal(reconcile_for(NULL), 0);
    assert_int_equal(matched, 1);
    rows[1].amount.minor = 99;
    expect_one(SETPAY_DIFFERENCE_EXTRA, "charged 0.01 EUR in a sale");
    days_from = days_to = "2026-11-28";
    assert_int_equal(reconcile_for(NULL), 0);
}

static void days_of_no_file_are_none(void **state)
{
    const struct setpay_clearing_file file = {.from = "2026-11-26", .to = "2026-11-28"};
    struct setpay_clearing_compare c = {.file = &file};
    const char *first, *last;
    (void)state;
    assert_true(setpay_clearing_compare_days(&c, &first, &last));
    assert_string_equal(first, "2026-11-26");
    assert_string_equal(last, "2026-11-28");
    c.from = "2026-11-28";
    assert_true(setpay_clearing_compare_days(&c, &first, &last));
    assert_string_equal(first, "2026-11-28");
    c.from = "2026-11-29";
    assert_false(setpay_clearing_compare_days(&c, &first, &last));
    c.from = NULL;
    c.to = "2026-11-25";
    assert_false(setpay_clearing_compare_days(&c, &first, &last));
    c.from = "2026-11-28";
    c.to = "2026-11-27";
    assert_false(setpay_clearing_compare_days(&c, &first, &last));
}

static void names_all_of_them(void **state)
{
    (void)state;
    rows[0].amount.minor++;
    strcpy(rows[1].amount.currency, "JPY");
    rows[row_count++] = rows[3];
    rows[row_count++] = row_of(9, SETPAY_CLEARING_CAPTURE, 5);
    items[4].presented_ms = FROM - 2 * SETPAY_HOUR_MS;
    both(7, SETPAY_CLEARING_CAPTURE, 3);
    row_count--;
    assert_int_equal(reconcile_for(NULL), 6);
    bool seen[SETPAY_DIFFERENCES] = {false};
    for (size_t i = 0; i < found_count; i++)
        seen[kinds[i]] = true;
    for (int d = 1; d < SETPAY_DIFFERENCES; d++)
        assert_true(seen[d]);
    assert_int_equal(matched, 2);
}

#define WITH_ITEMS(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ITEMS(what_agrees_has_no_difference),
        WITH_ITEMS(names_what_is_missing),
        WITH_ITEMS(looks_at_one_issuers),
        WITH_ITEMS(names_what_is_anothers),
        WITH_ITEMS(what_is_of_no_known_issuer_agrees),
        WITH_ITEMS(its_rows_tell_whose_file_it_is),
        WITH_ITEMS(names_what_is_extra),
        WITH_ITEMS(compares_refusals),
        WITH_ITEMS(what_was_refused_and_cleared_agrees),
        WITH_ITEMS(what_was_refused_and_cleared_is_claimed),
        WITH_ITEMS(passes_over_other_acquirers),
        WITH_ITEMS(names_other_amounts),
        WITH_ITEMS(names_other_currencies),
        WITH_ITEMS(names_duplicates),
        WITH_ITEMS(names_what_is_late),
        WITH_ITEMS(compares_sales),
        WITH_ITEMS(sales_that_came_to_nothing_are_none),
        WITH_ITEMS(what_is_given_back_was_sold),
        WITH_ITEMS(another_currency_undoes_no_sale),
        WITH_ITEMS(what_is_undone_is_a_sale),
        WITH_ITEMS(looks_at_some_days),
        WITH_ITEMS(misses_what_is_of_those_days),
        WITH_ITEMS(misses_what_was_answered_a_day_later),
        WITH_ITEMS(sales_may_end_on_another_day),
        WITH_ITEMS(days_of_no_file_are_none),
        WITH_ITEMS(names_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
