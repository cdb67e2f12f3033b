/*
 * What a gateway's books cost as they grow. An issuer's file is compared with the items of its
 * days, what is open, and what it names; that finds what a comparison with all that there ever was
 * finds, in books and files that are made at random. And no statement of reconciling, settling or
 * counting walks through a table that grows.
 */
#include "common/base/zone.h"
#include "common/store/db.h"
#include "common/store/store.h"
#include "gateway/clearing/clearing_compare.h"
#include "gateway/clearing/items.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing_fetch.h"
#include "gateway/clearing_figures.h"
#include "gateway/commands.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/step.h"
#include "tests/support/test_plans.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_ONE INT64_C(1795651200000) /* 2026-11-26T00:00:00Z */
#define DAYS 12
#define ITEMS 4000 /* more than a page of each part */
#define ROWS_MAX 3000
#define ROUNDS 60

static struct test_folder folder;
static struct setpay_store *store;
static struct setpay_reader *reader;

/* The same numbers each time. */
static uint64_t drawn = 1;
static int64_t below(int64_t end)
{
    drawn = drawn * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((drawn >> 33) % (uint64_t)end);
}

static bool one_of(int64_t n)
{
    return below(n) == 0;
}

/* ------------------------------------------------------------------ books */

enum sort { PRESENTED, CREDITED, SOLD, SOLD_PRESENTED, UNSOLD };

struct made {
    enum sort sort;
    struct setpay_id step, xid;
    const char *issuer;
    int64_t minor;
    setpay_time_ms presented_ms, answered_ms; /* answered_ms 0: not yet */
    const char *code;
    setpay_time_ms undone_ms;  /* 0: it was not */
    setpay_time_ms cleared_ms; /* refused, and to its merchant all the same; 0: it was not */
};
static struct made books[ITEMS];

static void make_books(void)
{
    static const char *const codes[] = {"00", "00", "00", "00", "00", "94", "25", "WO"};
    for (size_t i = 0; i < ITEMS; i++) {
        struct made *m = &books[i];
        int64_t sort = below(100);
        m->sort = sort < 60   ? PRESENTED
                  : sort < 72 ? CREDITED
                  : sort < 85 ? SOLD
                  : sort < 92 ? SOLD_PRESENTED
                              : UNSOLD;
        bool sale = m->sort > CREDITED;
        memset(&m->step, 0, sizeof m->step);
        m->step.bytes[0] = (uint8_t)below(256);
        m->step.bytes[14] = (uint8_t)(i >> 8);
        m->step.bytes[15] = (uint8_t)i;
        m->xid = m->step;
        m->xid.bytes[8] = 1;
        m->issuer = one_of(4) ? "other" : "sim";
        m->minor = 100 + below(5000);
        m->presented_ms = DAY_ONE + below(DAYS * SETPAY_DAY_MS);
        m->answered_ms = m->presented_ms + below(one_of(10) ? 3 * SETPAY_DAY_MS : SETPAY_HOUR_MS);
        m->code = sale ? "00" : codes[below(8)];
        m->undone_ms = 0;
        if (m->sort == SOLD && one_of(2))
            m->undone_ms = m->answered_ms + below(2 * SETPAY_DAY_MS);
        if (!sale && one_of(12))
            m->answered_ms = 0;
        bool cleared = m->answered_ms != 0 && strcmp(m->code, "25") == 0 && one_of(2);
        m->cleared_ms = cleared ? m->answered_ms + below(4 * SETPAY_DAY_MS) : 0;
    }
}

#define SETTLED 1 /* a settlement of long ago */

/* What is behind the presentment's suspense, which is known by the xid. */
static enum setpay_error write_cleared(struct setpay_db *db, const struct made *m)
{
    return setpay_db_run(
        db,
        "INSERT INTO suspense_clearing (token, item, number, brand, merchant_id, currency,"
        " amount_minor, account, reason, created_ms, interchange_minor, fee_minor, loss_minor)"
        " VALUES ($1, $1, 1, 'visa', 'shop', 'EUR', $2, $3, 'x', $4, 0, 0, 0)",
        SETPAY_DB_ID(&m->xid), SETPAY_DB_INT(m->sort == CREDITED ? -m->minor : m->minor),
        SETPAY_DB_INT(SETPAY_ACCOUNT_MERCHANT_PAYABLE), SETPAY_DB_INT(m->cleared_ms));
}

static enum setpay_error write_step(struct setpay_db *db, const struct made *m, int64_t payment_id)
{
    int64_t step_id = 0;
    bool sale = m->sort > CREDITED;
    struct setpay_id back = m->step;
    back.bytes[7] = 1;
    SETPAY_TRY(setpay_db_insert(
        db, &step_id,
        "INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
        " fee_minor, batch_id, undone, credited_minor, created_ms)"
        " VALUES ($1, $2, $3, 0, $4, 0, 0, 1, $5, 0, $6) RETURNING id",
        SETPAY_DB_ID(&m->step), SETPAY_DB_INT(payment_id),
        SETPAY_DB_INT(m->sort == CREDITED ? SETPAY_STEP_CREDIT : SETPAY_STEP_CAPTURE),
        SETPAY_DB_INT(m->minor), SETPAY_DB_BOOL(m->undone_ms != 0),
        SETPAY_DB_INT(sale ? m->answered_ms : m->presented_ms - 1000)));
    if (m->undone_ms != 0)
        SETPAY_TRY(setpay_db_run(
            db,
            "INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
            " fee_minor, batch_id, undone, credited_minor, created_ms)"
            " VALUES ($1, $2, $3, $4, $5, 0, 0, 1, 0, 0, $6)",
            SETPAY_DB_ID(&back), SETPAY_DB_INT(payment_id),
            SETPAY_DB_INT(SETPAY_STEP_CAPTURE_REVERSAL), SETPAY_DB_INT(step_id),
            SETPAY_DB_INT(m->minor), SETPAY_DB_INT(m->undone_ms)));
    if (m->sort == SOLD)
        return SETPAY_OK;
    if (m->cleared_ms != 0)
        SETPAY_TRY(write_cleared(db, m));
    return setpay_db_run(
        db,
        "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code, sent_count,"
        " created_ms, acknowledged_ms, settlement_id, suspense)"
        " VALUES ($1, 1, $2, $3, 0, $4, $5, $6, $7)",
        SETPAY_DB_INT(step_id), SETPAY_DB_BOOL(m->answered_ms != 0),
        SETPAY_DB_TEXT(m->answered_ms != 0 ? m->code : ""),
        SETPAY_DB_INT(sale ? m->answered_ms + SETPAY_HOUR_MS : m->presented_ms),
        SETPAY_DB_INT(m->answered_ms), SETPAY_DB_INT(m->cleared_ms != 0 ? SETTLED : 0),
        SETPAY_DB_ID(m->cleared_ms != 0 ? &m->xid : NULL));
}

static enum setpay_error write_item(struct setpay_db *db, const struct made *m)
{
    struct setpay_payment payment = {.state = SETPAY_PAYMENT_CAPTURED, .has_cap_token = true};
    bool sale = m->sort > CREDITED;
    strcpy(payment.brand, "visa");
    strcpy(payment.merchant_id, "shop");
    strcpy(payment.amount.currency, "EUR");
    (void)snprintf(payment.issuer, sizeof payment.issuer, "%s", m->issuer);
    payment.amount.minor = payment.signed_minor = payment.approved_minor = m->minor;
    payment.terms.kind = SETPAY_TERMS_SINGLE;
    payment.cap_token = payment.xid = payment.rrpid = m->xid;
    memcpy(payment.pimd.bytes, m->xid.bytes, sizeof m->xid.bytes);
    payment.is_sale = sale;
    payment.sale_id = m->step;
    payment.period = sale ? 1 : 0;
    payment.created_ms = m->presented_ms;
    payment.updated_ms = m->answered_ms;
    SETPAY_TRY(setpay_payment_insert(db, &payment));
    if (m->sort != UNSOLD)
        return write_step(db, m, payment.id);
    return setpay_db_run(
        db,
        "INSERT INTO reversal (payment_id, partial, amount_minor, remaining_minor, acknowledged,"
        " response_code, sent_count, created_ms, acknowledged_ms)"
        " VALUES ($1, 0, $2, 0, 1, '00', 1, 1, 1)",
        SETPAY_DB_INT(payment.id), SETPAY_DB_INT(m->minor));
}

static enum setpay_error write_batch(struct setpay_db *db, void *arg)
{
    (void)arg;
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO batch (brand, merchant_id, number, open, opened_ms,"
                                 " closed_ms) VALUES ('visa', 'shop', 1, 1, 1, 0)"));
    return setpay_db_run(
        db,
        "INSERT INTO settlement (id, token, brand, merchant_id, currency, day, cut_off_ms,"
        " capture_count, capture_minor, credit_count, credit_minor, fee_minor, refused_count,"
        " refused_minor, carried_in_minor, payout_minor, carried_out_minor, created_ms) VALUES"
        " ($1, zeroblob(16), 'visa', 'gone', 'EUR', '2020-01-01', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
        " 1)",
        SETPAY_DB_INT(SETTLED));
}

#define AT_ONCE 50 /* watchers are told of no more by one operation */

static enum setpay_error write_items(struct setpay_db *db, void *arg)
{
    const struct made *first = arg;
    for (size_t i = 0; i < AT_ONCE; i++)
        SETPAY_TRY(write_item(db, &first[i]));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ files */

static struct setpay_clearing_row rows[ROWS_MAX];

static void date_of(setpay_time_ms ms, char date[SETPAY_CLEARING_DATE_SIZE])
{
    char text[SETPAY_DATE_TEXT_SIZE];
    const struct setpay_date day = setpay_date_of_ms(ms);
    memcpy(date, setpay_date_format(&day, text), SETPAY_CLEARING_DATE_SIZE);
}

/* A row of an item as its issuer may have it: mostly right. */
static void make_row(const struct made *m, setpay_time_ms booked_ms,
                     struct setpay_clearing_row *row)
{
    *row = (struct setpay_clearing_row){.amount = {.minor = m->minor}};
    strcpy(row->acquirer, one_of(40) ? "77" : "4242");
    strcpy(row->amount.currency, one_of(50) ? "USD" : "EUR");
    row->amount.minor += one_of(40) ? 1 : 0;
    row->kind = m->sort == CREDITED  ? SETPAY_CLEARING_CREDIT
                : m->sort > CREDITED ? SETPAY_CLEARING_SALE
                                     : SETPAY_CLEARING_CAPTURE;
    if (m->sort > CREDITED && one_of(3))
        row->kind = SETPAY_CLEARING_SALE_REVERSAL;
    if (one_of(60))
        row->kind = (enum setpay_clearing_kind)below(4);
    strcpy(row->result, one_of(30) ? "25" : "00");
    (void)setpay_id_format(&m->step, row->presentment);
    if (one_of(30))
        row->presentment[4] = row->presentment[4] == 'a' ? 'b' : 'a'; /* of nothing of ours */
    if (!one_of(4))
        (void)setpay_id_format(one_of(40) ? &m->step : &m->xid, row->xid);
    date_of(booked_ms, row->date);
}

/* Days of a file; of its days most of what was answered, and some of before or after it. */
static void make_file(struct setpay_clearing_file *file)
{
    int64_t first = below(DAYS), last = first + below(3);
    setpay_time_ms from_ms = DAY_ONE + first * SETPAY_DAY_MS;
    setpay_time_ms to_ms = DAY_ONE + (last + 1) * SETPAY_DAY_MS;
    *file = (struct setpay_clearing_file){.issuer = "bank", .rows = rows};
    date_of(from_ms, file->from);
    date_of(to_ms - 1, file->to);
    for (size_t i = 0; i < ITEMS && file->row_count < ROWS_MAX - 2; i++) {
        const struct made *m = &books[i];
        setpay_time_ms booked_ms = m->answered_ms != 0 ? m->answered_ms : m->presented_ms;
        bool inside = booked_ms >= from_ms && booked_ms < to_ms;
        if (inside ? one_of(15) || (strcmp(m->issuer, "sim") != 0 && !one_of(20)) : !one_of(60))
            continue;
        make_row(m, inside ? booked_ms : from_ms + below(to_ms - from_ms),
                 &rows[file->row_count++]);
        if (one_of(40))
            make_row(m, from_ms + below(to_ms - from_ms), &rows[file->row_count++]);
    }
}

/* ------------------------------------------------------------------ both ways */

static enum setpay_error add(void *arg, const struct setpay_clearing_item *item)
{
    struct setpay_clearing_compare *c = arg;
    for (size_t i = 0; i < c->item_count && item->sale; i++)
        if (setpay_id_equal(&c->items[i].step, &item->step))
            return SETPAY_OK; /* a sale that was undone */
    c->items[c->item_count++] = *item;
    return SETPAY_OK;
}

/* All that there ever was, which no program asks for. */
static enum setpay_error read_all(struct setpay_db *db, void *arg)
{
    struct setpay_clearing_at next;
    bool more;
    for (int part = SETPAY_CLEARING_OPEN; part <= SETPAY_CLEARING_ANSWERED; part++) {
        const struct setpay_clearing_window window = {
            .part = (enum setpay_clearing_part)part, .to_ms = INT64_MAX, .limit = 10 * ITEMS};
        SETPAY_TRY(setpay_clearing_window_each(db, &window, add, arg, &next, &more));
        assert_false(more);
    }
    for (size_t i = 0; i < ITEMS; i++)
        if (books[i].sort == UNSOLD)
            SETPAY_TRY(setpay_clearing_item_named(db, &books[i].step, add, arg));
    return SETPAY_OK;
}

struct asked {
    const char *command;
    json_t *args, *result;
    struct setpay_problem *problem;
};

static enum setpay_error run_asked(struct setpay_db *db, void *arg)
{
    struct asked *asked = arg;
    return setpay_gateway_command_find(asked->command)
        ->run(db, asked->args, NULL, &asked->result, asked->problem);
}

static size_t questions;

static enum setpay_error ask(void *arg, const char *command, json_t *args, json_t **result,
                             struct setpay_problem *problem)
{
    struct asked asked = {command, args, NULL, problem};
    (void)arg;
    questions++;
    enum setpay_error error = setpay_store_read(reader, run_asked, &asked);
    json_decref(args);
    *result = asked.result;
    return error;
}

/* All that a comparison says. */
struct said {
    char *text;
    size_t size, differences;
};

__attribute__((format(printf, 2, 3))) static void say(struct said *said, const char *format, ...)
{
    char line[600];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    assert_true(size >= 0 && size < (int)sizeof line);
    said->text = realloc(said->text, said->size + (size_t)size + 1);
    assert_non_null(said->text);
    memcpy(said->text + said->size, line, (size_t)size + 1);
    said->size += (size_t)size;
}

static void on_difference(void *arg, enum setpay_difference difference, const char *id, size_t line,
                          const char *words)
{
    say(arg, "%s %s %zu: %s\n", setpay_difference_name(difference), id, line, words);
}

static void on_claimed(void *arg, const struct setpay_clearing_item *item)
{
    char id[SETPAY_ID_TEXT_SIZE];
    say(arg, "claimed %s %lld\n", setpay_id_format(&item->step, id), (long long)item->charged_ms);
}

static void on_elsewhere(void *arg, const struct setpay_clearing_item *item, const char *first,
                         const char *last)
{
    char id[SETPAY_ID_TEXT_SIZE];
    say(arg, "elsewhere %s %s %s\n", setpay_id_format(&item->step, id), first, last);
}

static void compare(struct setpay_clearing_compare *c, struct said *said)
{
    char issuer[SETPAY_NETWORK_NAME_SIZE] = "";
    *said = (struct said){.text = NULL};
    c->elsewhere_cb = on_elsewhere;
    c->claimed_cb = on_claimed;
    if (c->issuer == NULL && setpay_clearing_compare_find_issuer(c, issuer))
        c->issuer = issuer;
    say(said, "%s\n", c->issuer == NULL ? "of all" : c->issuer);
    assert_int_equal(setpay_clearing_compare_run(c, on_difference, said, &said->differences),
                     SETPAY_OK);
    say(said, "%zu %zu %zu %zu %zu\n", c->outside, c->elsewhere, c->looked_at, c->matched,
        said->differences);
    for (int d = 1; d < SETPAY_DIFFERENCES; d++)
        say(said, "%s %zu\n", setpay_difference_name((enum setpay_difference)d), c->found[d]);
}

static void says_what_a_comparison_with_all_says(void **state)
{
    struct setpay_problem problem;
    struct setpay_clearing_compare of_all = {.items = calloc(2 * ITEMS, sizeof *of_all.items)};
    size_t found[SETPAY_DIFFERENCES] = {0}, elsewhere = 0, claimed = 0, most = 0;
    (void)state;
    assert_non_null(of_all.items);
    assert_int_equal(setpay_store_read(reader, read_all, &of_all), SETPAY_OK);
    assert_int_equal(of_all.item_count, ITEMS);
    for (int round = 0; round < ROUNDS; round++) {
        struct setpay_clearing_file file;
        struct said one, other;
        char from[SETPAY_DATE_TEXT_SIZE], to[SETPAY_DATE_TEXT_SIZE];
        make_file(&file);
        struct setpay_clearing_compare c = {.file = &file,
                                            .acquirer = "4242",
                                            .issuer = one_of(3) ? NULL : "sim",
                                            .late_ms = one_of(2) ? SETPAY_DAY_MS : SETPAY_HOUR_MS};
        (void)snprintf(from, sizeof from, "%s", file.to);
        (void)snprintf(to, sizeof to, "%s", file.from);
        c.from = one_of(3) ? from : NULL;
        c.to = c.from == NULL && one_of(3) ? to : NULL;
        struct setpay_clearing_compare a = c;
        a.items = of_all.items;
        a.item_count = of_all.item_count;
        compare(&a, &one);
        assert_int_equal(setpay_clearing_fetch(ask, NULL, &c, &problem), SETPAY_OK);
        most = c.item_count > most ? c.item_count : most;
        compare(&c, &other);
        assert_string_equal(one.text, other.text);
        for (int d = 1; d < SETPAY_DIFFERENCES; d++)
            found[d] += c.found[d];
        elsewhere += c.elsewhere;
        claimed += c.claimed;
        free(c.items);
        free(one.text);
        free(other.text);
    }
    for (int d = 1; d < SETPAY_DIFFERENCES; d++)
        assert_true(found[d] > 0); /* else the files are too good */
    assert_true(elsewhere > 0);
    assert_true(claimed > 0);
    assert_true(most < ITEMS / 2); /* of three days of twelve, what is open, and what is named */
    free(of_all.items);
}

/* ------------------------------------------------------------------ nothing is walked through */

static void reconciling_scans_nothing(void **state)
{
    /* A page is found where it begins, and its rows are in order. */
    static const char *const never[] = {"presentment_open (acknowledged=?)", "TEMP B-TREE", NULL};
    struct setpay_problem problem;
    struct setpay_clearing_file file;
    (void)state;
    make_file(&file);
    struct setpay_clearing_compare c = {.file = &file, .acquirer = "4242"};
    test_plans_begin();
    assert_int_equal(setpay_clearing_fetch(ask, NULL, &c, &problem), SETPAY_OK);
    /* four parts, three names */
    assert_true(test_plans_expect_no_scan(folder.file, NULL, never) >= 7);
    free(c.items);
}

static enum setpay_error add_merchant(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_merchant merchant = {.brand = "visa",
                                               .id = "shop",
                                               .name = "x",
                                               .zone = "UTC",
                                               .cut_off_minutes = 1440,
                                               .reserve_ppm = 1000,
                                               .reserve_days = 2};
    (void)arg;
    SETPAY_TRY(setpay_gateway_merchant_insert(db, &merchant));
    return setpay_db_run(db, "UPDATE batch SET open = 0, closed_ms = $1",
                         SETPAY_DB_INT(DAY_ONE + SETPAY_DAY_MS));
}

static enum setpay_error settle(struct setpay_db *db, void *arg)
{
    return setpay_settle(db, arg);
}

/* Of two days: the second releases what the first has held. */
static void settling_scans_nothing(void **state)
{
    /* of all merchants */
    static const char *const never[] = {"presentment_settlement (settlement_id=?)", NULL};
    struct setpay_settling *settling = calloc(1, sizeof *settling);
    size_t made = 0;
    (void)state;
    assert_non_null(settling);
    assert_int_equal(setpay_store_submit_wait(store, add_merchant, NULL), SETPAY_OK);
    test_plans_begin();
    for (int day = 2; day < 8; day += 3) {
        memset(settling, 0, sizeof *settling);
        settling->now_ms = DAY_ONE + day * SETPAY_DAY_MS;
        do {
            assert_int_equal(setpay_store_submit_wait(store, settle, settling), SETPAY_OK);
            made += settling->made_count;
        } while (settling->more);
    }
    assert_int_equal(made, 2);
    assert_true(test_plans_expect_no_scan(folder.file, NULL, never) > 15);
    free(settling);
}

static enum setpay_error read_figures(struct setpay_db *db, void *arg)
{
    return setpay_clearing_figures_read(db, NULL, arg);
}

/* Every five seconds. */
static void counting_scans_nothing(void **state)
{
    static const char *const but[] = {
        "FROM settlement ORDER BY day DESC, id DESC LIMIT 1", /* the first of an index */
        "FROM stand_in LEFT JOIN kept_card", /* its index has the open ones alone */
        NULL};
    struct setpay_clearing_figures figures;
    (void)state;
    test_plans_begin();
    assert_int_equal(setpay_store_read(reader, read_figures, &figures), SETPAY_OK);
    test_plans_expect_no_scan(folder.file, but, NULL);
}

static int open_books(void **state)
{
    struct setpay_problem problem;
    (void)state;
    test_folder_make(&folder);
    test_plans_listen();
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(setpay_reader_new(store, &reader), SETPAY_OK);
    make_books();
    assert_int_equal(setpay_store_submit_wait(store, write_batch, NULL), SETPAY_OK);
    for (size_t i = 0; i < ITEMS; i += AT_ONCE)
        assert_int_equal(setpay_store_submit_wait(store, write_items, &books[i]), SETPAY_OK);
    return 0;
}

static int close_books(void **state)
{
    (void)state;
    setpay_reader_free(reader);
    setpay_store_close(store);
    test_folder_remove(&folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_a_comparison_with_all_says),
        cmocka_unit_test(reconciling_scans_nothing),
        cmocka_unit_test(settling_scans_nothing),
        cmocka_unit_test(counting_scans_nothing),
    };
    return cmocka_run_group_tests(tests, open_books, close_books);
}
