/*
 * A settlement against what was captured and credited here: each kind of difference by itself, and
 * none where all agrees; then files into a database: what agrees is settled, what differs is kept,
 * what was read in stays, and nothing is there of a file that is refused.
 */
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/port.h"
#include "merchant/payment/settlement.h"
#include "merchant/payment/step.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/event.h"
#include "merchant/store/order.h"
#include "merchant/store/order_terms.h"
#include "merchant/store/part.h"
#include "merchant/store/settlement_json.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/webhook/delivery.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS TEST_DATE_MS
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define CAPTURE SETPAY_MERCHANT_STEP_CAPTURE
#define CREDIT SETPAY_MERCHANT_STEP_CREDIT

/* ------------------------------------------------------------------ comparing */

static struct setpay_settlement_row row_of(enum setpay_settlement_kind kind, int64_t amount_minor,
                                           const char *code)
{
    struct setpay_settlement_row row = {.kind = kind,
                                        .step = test_id(1),
                                        .xid = test_id(2),
                                        .amount_minor = amount_minor,
                                        .batch = setpay_settlement_kind_is_item(kind) ? 7 : 0};
    (void)snprintf(row.code, sizeof row.code, "%s", code);
    return row;
}

static const struct setpay_merchant_settled_step own = {
    .id = 5,
    .kind = CAPTURE,
    .xid = {{0}}, /* set below: test_id is no constant */
    .brand = "visa",
    .batch = 7,
    .amount = {1250, "EUR"},
};

struct comparing {
    struct setpay_settlement_report report;
    struct setpay_settlement_row row;
    struct setpay_merchant_settled_step step;
};

static struct comparing agreeing(void)
{
    struct comparing c = {.report = {.brand = "visa", .currency = "EUR"},
                          .row = row_of(SETPAY_SETTLEMENT_CAPTURE, 1250, "00"),
                          .step = own};
    c.step.xid = test_id(2);
    return c;
}

static uint32_t compare(const struct comparing *c)
{
    return setpay_merchant_settlement_compare(&c->report, &c->row, &c->step);
}

static void each_difference_has_its_name(void **state)
{
    struct comparing c = agreeing();
    (void)state;
    assert_int_equal(compare(&c), 0);
    c.row.kind = SETPAY_SETTLEMENT_SALE;
    assert_int_equal(compare(&c), 0);

    c = agreeing();
    c.step.id = 0;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_UNKNOWN);
    c = agreeing();
    c.row.xid = test_id(3);
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_PAYMENT);
    c = agreeing();
    memcpy(c.report.brand, "other", 6);
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_BRAND);
    c = agreeing();
    c.row.kind = SETPAY_SETTLEMENT_CREDIT;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_OF_KIND);
    c.step.kind = CREDIT;
    assert_int_equal(compare(&c), 0);
    c.row.kind = SETPAY_SETTLEMENT_CAPTURE;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_OF_KIND);
    c = agreeing();
    memcpy(c.report.currency, "USD", 4);
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_CURRENCY);
    c = agreeing();
    c.row.amount_minor = 1251;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_AMOUNT);
    c.row.amount_minor = 1249;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_AMOUNT);
    c = agreeing();
    c.row.batch = 8;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_OF_BATCH);
    c = agreeing();
    c.step.undone = true;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_UNDONE);
    c = agreeing();
    c.step.is_named = true;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_DUPLICATE);
    c = agreeing();
    memcpy(c.row.code, "25", 3);
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_REFUSED);
    /* Several of them; and what can be said of an unknown one. */
    c.row.amount_minor = 1;
    c.row.batch = 9;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_REFUSED | SETPAY_SETTLEMENT_AMOUNT |
                                      SETPAY_SETTLEMENT_OF_BATCH);
    c.step = (struct setpay_merchant_settled_step){.is_named = true};
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_REFUSED | SETPAY_SETTLEMENT_UNKNOWN |
                                      SETPAY_SETTLEMENT_DUPLICATE);
}

/* They may be of a part of the step, and are of no batch. */
static void disputes_and_clearings_are_of_a_part(void **state)
{
    struct comparing c = agreeing();
    (void)state;
    c.row = row_of(SETPAY_SETTLEMENT_DISPUTE, 400, "fraud");
    assert_int_equal(compare(&c), 0);
    c.row.kind = SETPAY_SETTLEMENT_RETURNED;
    assert_int_equal(compare(&c), 0);
    c.row.amount_minor = 1251;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_AMOUNT);
    c.row = row_of(SETPAY_SETTLEMENT_DISPUTE, 400, "fraud");
    c.step.kind = CREDIT;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_OF_KIND);
    c.row = row_of(SETPAY_SETTLEMENT_CLEARED, -1250, "");
    assert_int_equal(compare(&c), 0);
    c.row.amount_minor = -1251;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_AMOUNT);
    c.row.amount_minor = 1;
    assert_int_equal(compare(&c), SETPAY_SETTLEMENT_OF_KIND);
    c.row.amount_minor = 0; /* its fee has taken all */
    assert_int_equal(compare(&c), 0);
    c.step.kind = CAPTURE;
    assert_int_equal(compare(&c), 0);
    c.row.kind = SETPAY_SETTLEMENT_ENDED;
    c.row.amount_minor = 1230;
    assert_int_equal(compare(&c), 0);
}

static void only_what_is_ours_settles(void **state)
{
    (void)state;
    assert_true(setpay_merchant_settlement_is_about(0));
    assert_true(setpay_merchant_settlement_is_about(
        SETPAY_SETTLEMENT_AMOUNT | SETPAY_SETTLEMENT_CURRENCY | SETPAY_SETTLEMENT_OF_BATCH |
        SETPAY_SETTLEMENT_UNDONE | SETPAY_SETTLEMENT_REFUSED));
    assert_false(setpay_merchant_settlement_is_about(SETPAY_SETTLEMENT_UNKNOWN));
    assert_false(setpay_merchant_settlement_is_about(SETPAY_SETTLEMENT_PAYMENT));
    assert_false(setpay_merchant_settlement_is_about(SETPAY_SETTLEMENT_BRAND));
    assert_false(setpay_merchant_settlement_is_about(SETPAY_SETTLEMENT_OF_KIND));
    for (unsigned n = 0; n < SETPAY_SETTLEMENT_DIFFERENCES; n++)
        assert_non_null(setpay_settlement_difference_name(n));
    assert_null(setpay_settlement_difference_name(SETPAY_SETTLEMENT_DIFFERENCES));
}

/* ------------------------------------------------------------------ in a database */

static const struct setpay_store_migration migrations[] = {
    {1, SETPAY_ORDER_SCHEMA SETPAY_SHIP_TO_SCHEMA SETPAY_CATALOGUE_SCHEMA SETPAY_PART_SCHEMA
            SETPAY_PART_SETTLED_SCHEMA SETPAY_PURCHASE_SCHEMA},
    {2, SETPAY_MERCHANT_STEP_SCHEMA SETPAY_MERCHANT_BATCH_SCHEMA SETPAY_MERCHANT_SALE_SCHEMA
            SETPAY_MERCHANT_PART_RELEASE_SCHEMA SETPAY_MERCHANT_AGREEMENT_SCHEMA
                SETPAY_ORDER_TERMS_SCHEMA},
    {3, SETPAY_EVENT_SCHEMA SETPAY_EVENT_TO_SEND_SCHEMA SETPAY_EVENT_HISTORY_SCHEMA
            SETPAY_WEBHOOK_SCHEMA SETPAY_DELIVERY_SCHEMA},
    {4, SETPAY_MERCHANT_SETTLEMENT_SCHEMA},
    {0, NULL},
};
static const struct setpay_store_schema schema = {.name = "merchant", .steps = migrations};

/* Steps 1, 2, …: each by itself in batch 7 of visa; names and tokens are test_id(0x10 + n) and
 * test_id(0x20 + n). */
static const struct {
    enum setpay_merchant_step_kind kind;
    int64_t minor;
    bool undone;
} steps[] = {
    {CAPTURE, 1250, false}, {CREDIT, 250, false},  {CAPTURE, 500, false},
    {CAPTURE, 300, true},   {CAPTURE, 900, false},
};
#define STEPS COUNT(steps)

struct books {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_settlement_file file;
    struct setpay_problem problem;
    char imported[200];
    size_t fresh, known;
    json_t *json; /* owned */
    struct setpay_settlement_differences wanted;
    struct setpay_id asked;
    int64_t cursor;
    size_t limit;
    /* Of the steps of the purchase. */
    size_t settled;
    char days[STEPS][SETPAY_SETTLEMENT_DATE_SIZE];
    int64_t parts[STEPS]; /* -1: not in part */
    struct setpay_merchant_settlement_accept accept;
    struct setpay_merchant_settlement_forgotten forgotten;
};

static enum setpay_error fill(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_purchase purchase = {
        .state = SETPAY_PURCHASE_CAPTURED,
        .xid = test_id(2),
        .brand = "visa",
        .order_id = "ord_1",
        .amount = {5000, "EUR"},
        .pomd = test_digest(0x20),
        .cardholder = test_digest(0x30),
        .gateway_sign = test_digest(0x40),
        .dual_signature = {.size = 70},
    };
    (void)arg;
    SETPAY_TRY(setpay_merchant_purchase_insert(db, setpay_view_string("certificate"), &purchase));
    SETPAY_TRY(setpay_merchant_batch_meet(db, "visa", 7, NOW_MS));
    for (size_t i = 0; i < STEPS; i++) {
        struct setpay_merchant_step step = {
            .purchase_id = purchase.id,
            .kind = steps[i].kind,
            .state = SETPAY_MERCHANT_STEP_DONE,
            .name = test_id((uint8_t)(0x10 + i + 1)),
            .amount_minor = steps[i].minor,
            .has_token = true,
            .token = test_id((uint8_t)(0x20 + i + 1)),
            .batch = 7,
            .undone = steps[i].undone,
        };
        SETPAY_TRY(setpay_merchant_step_insert(db, &step));
        SETPAY_TRY(setpay_merchant_step_update(db, &step));
    }
    return setpay_db_run(db, "UPDATE batch SET state = $1, closed_ms = $2",
                         SETPAY_DB_INT(SETPAY_BATCH_STATE_CLOSED), SETPAY_DB_INT(NOW_MS));
}

static int open_books(void **state)
{
    struct books *b = calloc(1, sizeof *b);
    assert_non_null(b);
    test_folder_make(&b->folder);
    const struct setpay_store_options options = {.url = b->folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &b->store, &b->problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(b->store, fill, b), SETPAY_OK);
    b->wanted =
        (struct setpay_settlement_differences){.limit = 100, .closed_before_ms = NOW_MS + 1};
    *state = b;
    return 0;
}

static int close_books(void **state)
{
    struct books *b = *state;
    setpay_store_close(b->store);
    test_folder_remove(&b->folder);
    json_decref(b->json);
    free(b);
    return 0;
}

/* A settlement of these items: step n (0: one that is not ours), and its kind, amount, fee, code.
 */
struct item {
    unsigned n;
    enum setpay_settlement_kind kind;
    int64_t minor, fee;
    const char *code;
};

static void add_report(struct books *b, uint8_t id, const char *day, const struct item *items,
                       size_t count)
{
    struct setpay_settlement_report report = {.gateway = "gw-1",
                                              .settlement = test_id(id),
                                              .brand = "visa",
                                              .merchant_id = "shop",
                                              .currency = "EUR"};
    struct setpay_settlement_totals *t = &report.totals;
    struct setpay_buffer bytes;
    struct setpay_settlement_file file;
    (void)snprintf(report.day, sizeof report.day, "%s", day);
    for (size_t i = 0; i < count; i++) {
        bool is_item = setpay_settlement_kind_is_item(items[i].kind);
        struct setpay_settlement_row row = row_of(items[i].kind, items[i].minor, items[i].code);
        row.step = test_id((uint8_t)(0x20 + items[i].n));
        row.fee_minor = items[i].fee;
        bool is_cleared =
            row.kind == SETPAY_SETTLEMENT_CLEARED || row.kind == SETPAY_SETTLEMENT_ENDED;
        if (!is_item)
            row.event = test_id((uint8_t)(0x60 + items[i].n));
        (void)snprintf(row.date, sizeof row.date, "%s", is_cleared ? "" : day);
        assert_int_equal(setpay_settlement_report_add(&report, &row), SETPAY_OK);
    }
    assert_int_equal(setpay_settlement_report_total(&report), SETPAY_OK);
    int64_t due_minor =
        setpay_settlement_totals_net(t) - t->disputed_minor + t->returned_minor + t->cleared_minor;
    t->payout_minor = due_minor > 0 ? due_minor : 0;
    t->carried_out_minor = due_minor < 0 ? due_minor : 0;
    setpay_buffer_init(&bytes, SETPAY_SETTLEMENT_FILE_MAX);
    assert_int_equal(setpay_settlement_report_build(&report, &bytes), SETPAY_OK);
    assert_int_equal(setpay_settlement_file_parse(setpay_buffer_view(&bytes), &file, &b->problem),
                     SETPAY_OK);
    b->file.reports = realloc(b->file.reports, (b->file.count + 1) * sizeof(*b->file.reports));
    assert_non_null(b->file.reports);
    b->file.reports[b->file.count++] = file.reports[0];
    free(file.reports);
    setpay_buffer_clear(&bytes);
    setpay_settlement_report_clear(&report);
}

static enum setpay_error on_imported(void *arg, const struct setpay_settlement_view *settlement,
                                     bool fresh)
{
    struct books *b = arg;
    b->fresh += fresh ? 1 : 0;
    b->known += fresh ? 0 : 1;
    assert_string_equal(settlement->gateway, "gw-1");
    return SETPAY_OK;
}

static enum setpay_error import_file(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    static const char *const brands[] = {"mastercard", "other"};
    const struct setpay_merchant_settlement_import import = {.file = &b->file,
                                                             .merchant_id = "shop",
                                                             .gateway_id = "gw-1",
                                                             .brands = brands,
                                                             .brand_count = COUNT(brands),
                                                             .now_ms = NOW_MS,
                                                             .visit = on_imported,
                                                             .arg = b};
    return setpay_merchant_settlement_import(db, &import, &b->problem);
}

/* Of all that was added since the last one. */
static void import_all(struct books *b, enum setpay_error expected, size_t fresh, size_t known)
{
    b->fresh = b->known = 0;
    assert_int_equal(setpay_store_submit_wait(b->store, import_file, b), expected);
    assert_int_equal(b->fresh, fresh);
    assert_int_equal(b->known, known);
    setpay_settlement_file_clear(&b->file);
}

static enum setpay_error read_differences(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    return setpay_settlement_differences_read(db, &setpay_merchant_payment_port, &b->wanted,
                                              &b->json);
}
static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    return setpay_settlement_page_read(db, &setpay_merchant_payment_port, b->cursor, b->limit,
                                       &b->json);
}
static enum setpay_error read_one(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    return setpay_settlement_find_read(db, &setpay_merchant_payment_port, &b->asked, &b->json);
}
static enum setpay_error read_rows(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    return setpay_settlement_rows_read(db, &setpay_merchant_payment_port, &b->asked, b->cursor,
                                       b->limit, &b->json);
}

static void look(struct books *b, enum setpay_error (*read)(struct setpay_db *db, void *arg),
                 enum setpay_error expected)
{
    json_decref(b->json);
    b->json = NULL;
    assert_int_equal(setpay_store_submit_wait(b->store, read, b), expected);
}

/* "NAME,NAME:GATEWAY ID's last digits" of each row of the list, with blanks between. */
static const char *rows_text(const struct books *b, const char *list)
{
    static char text[1024];
    size_t used = 0, i, k;
    const json_t *row, *name;
    text[0] = '\0';
    json_array_foreach(json_object_get(b->json, list), i, row)
    {
        json_array_foreach(json_object_get(row, "differences"), k, name) used += (size_t)snprintf(
            text + used, sizeof text - used, "%s%s", k > 0 ? "," : "", json_string_value(name));
        used += (size_t)snprintf(text + used, sizeof text - used, ":%.2s ",
                                 json_string_value(json_object_get(row, "gateway_id")));
    }
    return text;
}

static void expect_differences(struct books *b, const char *expected)
{
    look(b, read_differences, SETPAY_OK);
    assert_string_equal(rows_text(b, "differences"), expected);
}

static enum setpay_error on_step(void *arg, const struct setpay_step_view *step)
{
    struct books *b = arg;
    size_t i = (size_t)step->number - 1;
    assert_true(i < STEPS);
    b->settled += step->is_settled ? 1 : 0;
    memcpy(b->days[i], step->settled_day, sizeof b->days[i]);
    b->parts[i] = step->is_paid_in_part ? step->paid_minor : -1;
    return SETPAY_OK;
}
static enum setpay_error look_at_steps(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    struct setpay_id xid = test_id(2);
    b->settled = 0;
    return setpay_merchant_payment_port.list_steps(db, &xid, on_step, b);
}

static const struct item agreed[] = {
    {1, SETPAY_SETTLEMENT_CAPTURE, 1250, 20, "00"},
    {2, SETPAY_SETTLEMENT_CREDIT, 250, 4, "00"},
    {3, SETPAY_SETTLEMENT_SALE, 500, 8, "00"},
    {5, SETPAY_SETTLEMENT_CAPTURE, 900, 0, "00"},
};

/* Nothing is missed that is not in a closed batch, or not for so long, or was undone. */
static void all_agrees_and_nothing_is_missed(void **state)
{
    struct books *b = *state;
    expect_differences(b, "unsettled:21 unsettled:22 unsettled:23 unsettled:25 ");
    b->wanted.closed_before_ms = NOW_MS;
    expect_differences(b, "");
    b->wanted.closed_before_ms = NOW_MS + 1;
    add_report(b, 0x90, "2026-11-25", agreed, COUNT(agreed));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_int_equal(b->settled, 4);
    assert_string_equal(b->days[0], "2026-11-25");
    assert_string_equal(b->days[3], "");
    b->asked = test_id(0x90);
    look(b, read_one, SETPAY_OK);
    static const struct {
        const char *name;
        int64_t value;
    } sums[] = {
        {"capture_count", 3},   {"capture_amount", 2650}, {"capture_fees", 28}, {"refund_count", 1},
        {"refund_amount", 250}, {"refund_fees", 4},       {"gross", 2400},      {"fees", 24},
        {"net", 2376},          {"payout", 2376},         {"rows", 4},          {"differing", 0},
    };
    for (size_t i = 0; i < COUNT(sums); i++)
        assert_int_equal(json_integer_value(json_object_get(b->json, sums[i].name)), sums[i].value);
}

static enum setpay_error count_all(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT (SELECT COUNT(*) FROM settlement) * 100 +"
                             " (SELECT COUNT(*) FROM settlement_row) +"
                             " (SELECT COUNT(*) FROM step WHERE settlement_row <> 0) * 1000000"));
    b->cursor = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}
static int64_t all_rows(struct books *b)
{
    assert_int_equal(setpay_store_submit_wait(b->store, count_all, b), SETPAY_OK);
    return b->cursor;
}

static void once_more_changes_nothing(void **state)
{
    struct books *b = *state;
    add_report(b, 0x90, "2026-11-25", agreed, COUNT(agreed));
    add_report(b, 0x90, "2026-11-25", agreed, COUNT(agreed));
    import_all(b, SETPAY_OK, 1, 1);
    int64_t before = all_rows(b);
    assert_int_equal(before, 4000104);
    add_report(b, 0x90, "2026-11-25", agreed, COUNT(agreed));
    import_all(b, SETPAY_OK, 0, 1);
    assert_int_equal(all_rows(b), before);
    expect_differences(b, "");
}

static void a_refused_file_leaves_nothing(void **state)
{
    struct books *b = *state;
    int64_t before = all_rows(b);
    add_report(b, 0x90, "2026-11-25", agreed, 1);
    add_report(b, 0x91, "2026-11-25", agreed + 1, 1);
    (void)snprintf(b->file.reports[1].merchant_id, sizeof b->file.reports[1].merchant_id,
                   "neighbour");
    import_all(b, SETPAY_E_INVALID, 1, 0);
    assert_string_equal(b->problem.text,
                        "line 1: a settlement of the merchant \"neighbour\", expected one of"
                        " \"shop\"");
    assert_int_equal(all_rows(b), before);
    /* Another gateway's; and of a brand that was never had here. */
    add_report(b, 0x90, "2026-11-25", agreed, 1);
    (void)snprintf(b->file.reports[0].gateway, sizeof b->file.reports[0].gateway, "gw-2");
    import_all(b, SETPAY_E_INVALID, 0, 0);
    assert_string_equal(b->problem.text,
                        "line 1: a settlement by the gateway \"gw-2\", expected one by \"gw-1\","
                        " the configuration's gateway_id");
    add_report(b, 0x90, "2026-11-25", agreed, 1);
    (void)snprintf(b->file.reports[0].brand, sizeof b->file.reports[0].brand, "amex");
    import_all(b, SETPAY_E_INVALID, 0, 0);
    assert_string_equal(b->problem.text,
                        "line 1: a settlement of the brand \"amex\", expected one that the"
                        " configuration names");
    assert_int_equal(all_rows(b), before);
    add_report(b, 0x97, "2026-11-25", NULL, 0); /* of a brand that has no batch yet */
    (void)snprintf(b->file.reports[0].brand, sizeof b->file.reports[0].brand, "other");
    import_all(b, SETPAY_OK, 1, 0);
    /* Another content under the same id, behind one that is fine. */
    add_report(b, 0x90, "2026-11-25", agreed, 1);
    import_all(b, SETPAY_OK, 1, 0);
    before = all_rows(b);
    add_report(b, 0x91, "2026-11-26", agreed + 1, 1);
    add_report(b, 0x90, "2026-11-25", agreed, 2);
    import_all(b, SETPAY_E_EXISTS, 1, 0);
    assert_non_null(strstr(b->problem.text, "was read in at "));
    assert_non_null(strstr(b->problem.text, " with other content"));
    assert_int_equal(all_rows(b), before);
}

static void differences_are_kept_and_told(void **state)
{
    static const struct item wrong[] = {
        {1, SETPAY_SETTLEMENT_CAPTURE, 1240, 20, "00"}, /* too little */
        {1, SETPAY_SETTLEMENT_CAPTURE, 1240, 20, "00"}, /* twice */
        {2, SETPAY_SETTLEMENT_CAPTURE, 250, 4, "00"},   /* it was a credit */
        {4, SETPAY_SETTLEMENT_CAPTURE, 300, 4, "00"},   /* it was undone */
        {9, SETPAY_SETTLEMENT_CAPTURE, 77, 1, "00"},    /* nobody knows it */
        {5, SETPAY_SETTLEMENT_DISPUTE, 901, 0, "fraud"},
    };
    struct books *b = *state;
    add_report(b, 0x90, "2026-11-25", wrong, COUNT(wrong));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "amount:21 amount,duplicate:21 kind:22 undone:24 unknown:29 amount:25 "
                          "unsettled:22 unsettled:23 unsettled:25 ");
    const json_t *first = json_array_get(json_object_get(b->json, "differences"), 0);
    assert_int_equal(json_integer_value(json_object_get(first, "amount")), 1250);
    assert_int_equal(json_integer_value(json_object_get(first, "settled_amount")), 1240);
    assert_string_equal(json_string_value(json_object_get(first, "order_id")), "ord_1");
    assert_true(json_is_null(json_object_get(first, "first_settlement_id")));
    const json_t *second = json_array_get(json_object_get(b->json, "differences"), 1);
    assert_true(json_is_string(json_object_get(second, "first_settlement_id")));
    const json_t *last = json_array_get(json_object_get(b->json, "differences"), 8);
    assert_true(json_is_string(json_object_get(last, "since")));
    assert_true(json_is_null(json_object_get(last, "settlement_id")));

    /* Again in another settlement. */
    add_report(b, 0x91, "2026-11-26", agreed, 1);
    import_all(b, SETPAY_OK, 1, 0);
    b->asked = test_id(0x91);
    look(b, read_one, SETPAY_OK);
    assert_string_equal(rows_text(b, "differences"), "duplicate:21 ");
    assert_int_equal(json_integer_value(json_object_get(b->json, "differing")), 1);
    const json_t *again = json_array_get(json_object_get(b->json, "differences"), 0);
    char id[SETPAY_ID_TEXT_SIZE];
    struct setpay_id other = test_id(0x90);
    assert_string_equal(json_string_value(json_object_get(again, "first_settlement_id")),
                        setpay_id_format(&other, id));
}

/* Nothing was paid for it until all of it was. */
static void what_was_refused_stands_until_it_is_paid(void **state)
{
    static const struct item refused[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1250, 20, "25"},
                                          {2, SETPAY_SETTLEMENT_CREDIT, 250, 4, "25"}};
    static const struct item part[] = {{1, SETPAY_SETTLEMENT_CLEARED, 1000, 0, ""}};
    static const struct item rest[] = {{1, SETPAY_SETTLEMENT_CLEARED, 230, 0, ""},
                                       {2, SETPAY_SETTLEMENT_CLEARED, -246, 0, ""}};
    struct books *b = *state;
    b->wanted.closed_before_ms = 0;
    add_report(b, 0x90, "2026-11-25", refused, COUNT(refused));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "refused:21 refused:22 ");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_int_equal(b->settled, 0);
    add_report(b, 0x91, "2026-11-26", part, COUNT(part));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "refused:21 refused:22 ");
    /* In part is not settled: more of it may come. */
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_int_equal(b->settled, 0);
    add_report(b, 0x92, "2026-11-27", rest, COUNT(rest));
    b->file.reports[0].rows[0].event = test_id(0x70);
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_int_equal(b->settled, 2);
    assert_string_equal(b->days[0], "2026-11-27");
    assert_int_equal(b->parts[0], -1);
    /* The same clearing again pays nothing. */
    add_report(b, 0x93, "2026-11-28", rest, 1);
    b->file.reports[0].rows[0].event = test_id(0x70);
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "duplicate:21 ");
}

/* Files come in any order: what was paid of it may be read in before its refusal. */
static void what_was_paid_before_its_refusal_was_read_in_counts(void **state)
{
    static const struct item refused[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1250, 20, "25"},
                                          {2, SETPAY_SETTLEMENT_CREDIT, 250, 4, "25"}};
    static const struct item cleared[] = {{1, SETPAY_SETTLEMENT_CLEARED, 1230, 0, ""},
                                          {2, SETPAY_SETTLEMENT_CLEARED, -200, 0, ""}};
    static const struct item rest[] = {{2, SETPAY_SETTLEMENT_CLEARED, -46, 0, ""}};
    struct books *b = *state;
    b->wanted.closed_before_ms = 0;
    add_report(b, 0x92, "2026-11-27", rest, COUNT(rest));
    b->file.reports[0].rows[0].event = test_id(0x70);
    add_report(b, 0x91, "2026-11-26", cleared, COUNT(cleared));
    add_report(b, 0x93, "2026-11-28", cleared, 1); /* the same once more */
    import_all(b, SETPAY_OK, 3, 0);
    expect_differences(b, "duplicate:21 ");
    add_report(b, 0x90, "2026-11-25", refused, COUNT(refused));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "duplicate:21 ");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_int_equal(b->settled, 2);
    assert_string_equal(b->days[0], "2026-11-26");
    assert_string_equal(b->days[1], "2026-11-27"); /* the last that paid some of it */
}

/* Paid in part, and for the rest nobody was charged: nothing more comes. */
static void what_was_refused_is_over_where_its_rest_was_ended(void **state)
{
    static const struct item refused[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1250, 20, "25"},
                                          {3, SETPAY_SETTLEMENT_SALE, 500, 8, "25"},
                                          {5, SETPAY_SETTLEMENT_CAPTURE, 900, 900, "25"}};
    static const struct item part[] = {{1, SETPAY_SETTLEMENT_CLEARED, 1000, 0, ""}};
    static const struct item rest[] = {{1, SETPAY_SETTLEMENT_ENDED, 230, 0, ""},
                                       {3, SETPAY_SETTLEMENT_ENDED, 492, 0, ""},
                                       {5, SETPAY_SETTLEMENT_CLEARED, 0, 0, ""}};
    struct books *b = *state;
    b->wanted.closed_before_ms = 0;
    add_report(b, 0x90, "2026-11-25", refused, COUNT(refused));
    add_report(b, 0x91, "2026-11-26", part, COUNT(part));
    import_all(b, SETPAY_OK, 2, 0);
    expect_differences(b, "refused:21 refused:23 refused:25 ");
    add_report(b, 0x92, "2026-11-27", rest, COUNT(rest));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_int_equal(b->settled, 2); /* not the one of which nothing was paid */
    assert_string_equal(b->days[0], "2026-11-26");
    assert_int_equal(b->parts[0], 1000);
    assert_string_equal(b->days[2], "");
    assert_string_equal(b->days[4], "2026-11-27"); /* its fee is all of it */
    assert_int_equal(b->parts[4], -1);
}

static enum setpay_error accept_row(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    return setpay_merchant_settlement_accept(db, &b->accept, &b->problem);
}
static void accept_line(struct books *b, uint8_t settlement, int64_t line, const char *reason,
                        enum setpay_error expected)
{
    b->accept = (struct setpay_merchant_settlement_accept){
        .settlement = test_id(settlement), .line = line, .reason = reason, .now_ms = NOW_MS + 5};
    assert_int_equal(setpay_store_submit_wait(b->store, accept_row, b), expected);
}

/* A person has looked: it is listed no more, with the reason, whatever comes later. */
static void what_was_accepted_stands_no_longer(void **state)
{
    static const struct item wrong[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1240, 20, "25"},
                                        {9, SETPAY_SETTLEMENT_CAPTURE, 77, 1, "00"},
                                        {3, SETPAY_SETTLEMENT_SALE, 500, 8, "00"}};
    static const struct item paid[] = {{1, SETPAY_SETTLEMENT_CLEARED, 100, 0, ""}};
    struct books *b = *state;
    b->wanted.closed_before_ms = 0;
    add_report(b, 0x90, "2026-11-25", wrong, COUNT(wrong));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "amount,refused:21 unknown:29 ");
    accept_line(b, 0x90, 2, "the gateway has written it off", SETPAY_OK);
    expect_differences(b, "unknown:29 ");
    accept_line(b, 0x90, 2, "the gateway has written it off", SETPAY_OK);
    accept_line(b, 0x90, 2, "another one", SETPAY_E_EXISTS);
    accept_line(b, 0x90, 4, "it agrees", SETPAY_E_STATE);
    accept_line(b, 0x90, 5, "no such row", SETPAY_E_NOT_FOUND);
    accept_line(b, 0x91, 2, "no such settlement", SETPAY_E_NOT_FOUND);
    add_report(b, 0x92, "2026-11-26", paid, COUNT(paid));
    import_all(b, SETPAY_OK, 1, 0);
    expect_differences(b, "unknown:29 ");
    b->asked = test_id(0x90);
    look(b, read_one, SETPAY_OK);
    assert_int_equal(json_integer_value(json_object_get(b->json, "differing")), 1);
    assert_string_equal(rows_text(b, "differences"), "unknown:29 ");
    assert_string_equal(rows_text(b, "accepted"), "amount,refused:21 ");
    const json_t *row = json_array_get(json_object_get(b->json, "accepted"), 0);
    char at[SETPAY_TIME_TEXT_SIZE];
    assert_string_equal(json_string_value(json_object_get(row, "accepted")),
                        setpay_time_format(NOW_MS + 5, at));
    assert_string_equal(json_string_value(json_object_get(row, "accepted_reason")),
                        "the gateway has written it off");
    assert_true(json_is_false(json_object_get(row, "stands")));
}

static enum setpay_error forget_one(struct setpay_db *db, void *arg)
{
    struct books *b = arg;
    return setpay_merchant_settlement_forget(db, &b->asked, &b->forgotten);
}
static void forget(struct books *b, uint8_t settlement, enum setpay_error expected)
{
    b->asked = test_id(settlement);
    assert_int_equal(setpay_store_submit_wait(b->store, forget_one, b), expected);
}

/* As if a wrong file had never been read in: the right one's rows settle, and what it had paid of a
 * refusal is to come again. */
static void what_is_forgotten_was_never_there(void **state)
{
    static const struct item refused[] = {{5, SETPAY_SETTLEMENT_CAPTURE, 900, 0, "25"}};
    static const struct item wrong[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1240, 20, "00"},
                                        {2, SETPAY_SETTLEMENT_CREDIT, 250, 4, "00"},
                                        {3, SETPAY_SETTLEMENT_SALE, 500, 8, "25"},
                                        {3, SETPAY_SETTLEMENT_CLEARED, 492, 0, ""},
                                        {5, SETPAY_SETTLEMENT_CLEARED, 900, 0, ""}};
    static const struct item right[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1250, 20, "00"},
                                        {3, SETPAY_SETTLEMENT_SALE, 500, 8, "00"},
                                        {5, SETPAY_SETTLEMENT_CLEARED, 900, 0, ""}};
    static const struct item twice[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1250, 20, "00"}};
    struct books *b = *state;
    int64_t before = all_rows(b);
    add_report(b, 0x90, "2026-11-25", wrong, 3);
    import_all(b, SETPAY_OK, 1, 0);
    forget(b, 0x90, SETPAY_OK);
    assert_int_equal(b->forgotten.row_count, 3);
    assert_int_equal(b->forgotten.judged_count, 0);
    assert_int_equal(all_rows(b), before);
    forget(b, 0x90, SETPAY_E_NOT_FOUND);

    b->wanted.closed_before_ms = 0;
    add_report(b, 0x91, "2026-11-24", refused, COUNT(refused));
    add_report(b, 0x90, "2026-11-25", wrong, COUNT(wrong));
    import_all(b, SETPAY_OK, 2, 0);
    expect_differences(b, "amount:21 ");
    add_report(b, 0x92, "2026-11-26", right, 2);
    add_report(b, 0x93, "2026-11-27", twice, COUNT(twice));
    import_all(b, SETPAY_OK, 2, 0);
    expect_differences(b, "amount:21 duplicate:21 duplicate:23 duplicate:21 ");
    accept_line(b, 0x93, 2, "it is paid back", SETPAY_OK);
    forget(b, 0x90, SETPAY_OK);
    assert_string_equal(b->forgotten.day, "2026-11-25");
    assert_string_equal(b->forgotten.brand, "visa");
    assert_int_equal(b->forgotten.judged_count, 3);
    expect_differences(b, "refused:25 ");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_int_equal(b->settled, 2);
    assert_string_equal(b->days[0], "2026-11-26");
    assert_string_equal(b->days[1], "");
    assert_string_equal(b->days[2], "2026-11-26");
    /* What came of a refusal, as the next file says it again. */
    add_report(b, 0x90, "2026-11-25", wrong + 4, 1);
    add_report(b, 0x94, "2026-11-28", right + 2, 1);
    import_all(b, SETPAY_OK, 2, 0);
    expect_differences(b, "duplicate:25 ");
    forget(b, 0x90, SETPAY_OK);
    expect_differences(b, "");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_string_equal(b->days[4], "2026-11-28");
    /* A duplicate of another than that one stays one, and what was accepted of it. */
    forget(b, 0x92, SETPAY_OK);
    expect_differences(b, "");
    assert_int_equal(setpay_store_submit_wait(b->store, look_at_steps, b), SETPAY_OK);
    assert_string_equal(b->days[0], "2026-11-27");
}

/* What was captured before files were read in need not be missed. */
static void nothing_is_missed_from_before_a_day(void **state)
{
    struct books *b = *state;
    b->wanted.closed_since_ms = NOW_MS;
    expect_differences(b, "unsettled:21 unsettled:22 unsettled:23 unsettled:25 ");
    b->wanted.closed_since_ms = NOW_MS + 1;
    expect_differences(b, "");
}

/* Youngest day first, whenever it was read in; pages end where they say. */
static void pages_follow_each_other(void **state)
{
    static const char *const days[] = {"2026-11-26", "2026-11-24", "2026-11-25"};
    static const char *const order[] = {"2026-11-26", "2026-11-25", "2026-11-24"};
    struct books *b = *state;
    for (size_t i = 0; i < 3; i++) {
        add_report(b, (uint8_t)(0x90 + i), days[i], agreed, i == 0 ? COUNT(agreed) : 0);
        import_all(b, SETPAY_OK, 1, 0);
    }
    b->cursor = INT64_MAX;
    b->limit = 1;
    for (size_t i = 0; i < 3; i++) {
        look(b, read_list, SETPAY_OK);
        const json_t *list = json_object_get(b->json, "settlements");
        const json_t *next = json_object_get(b->json, "next_cursor");
        assert_int_equal(json_array_size(list), 1);
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "day")),
                            order[i]);
        assert_int_equal(json_is_true(json_object_get(b->json, "has_more")), i < 2);
        assert_int_equal(json_is_string(next), i < 2);
        if (i < 2)
            assert_int_equal(setpay_settlement_cursor_parse(json_string_value(next), &b->cursor),
                             SETPAY_OK);
    }
    b->asked = test_id(0x90);
    b->cursor = 0;
    b->limit = 3;
    look(b, read_rows, SETPAY_OK);
    assert_string_equal(rows_text(b, "rows"), ":21 :22 :23 ");
    assert_int_equal(setpay_settlement_cursor_parse(
                         json_string_value(json_object_get(b->json, "next_cursor")), &b->cursor),
                     SETPAY_OK);
    look(b, read_rows, SETPAY_OK);
    assert_string_equal(rows_text(b, "rows"), ":25 ");
    assert_true(json_is_null(json_object_get(b->json, "next_cursor")));
    b->asked = test_id(0x99);
    look(b, read_rows, SETPAY_E_NOT_FOUND);
    look(b, read_one, SETPAY_E_NOT_FOUND);
}

/* First the rows, then what is missed; whatever the size of a page, each once. */
static void differences_come_in_pages(void **state)
{
    static const struct item wrong[] = {{1, SETPAY_SETTLEMENT_CAPTURE, 1240, 20, "00"},
                                        {9, SETPAY_SETTLEMENT_CAPTURE, 77, 1, "00"}};
    struct books *b = *state;
    add_report(b, 0x90, "2026-11-25", wrong, COUNT(wrong));
    import_all(b, SETPAY_OK, 1, 0);
    for (size_t limit = 1; limit <= 6; limit++) {
        char all[256] = "", cursor[32];
        b->wanted.limit = limit;
        b->wanted.cursor = NULL;
        do {
            look(b, read_differences, SETPAY_OK);
            const json_t *next = json_object_get(b->json, "next_cursor");
            const char *text = rows_text(b, "differences");
            assert_true(json_array_size(json_object_get(b->json, "differences")) <= limit);
            (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s", text);
            (void)snprintf(cursor, sizeof cursor, "%s",
                           json_is_string(next) ? json_string_value(next) : "");
            b->wanted.cursor = cursor;
        } while (cursor[0] != '\0');
        assert_string_equal(all, "amount:21 unknown:29 unsettled:22 unsettled:23 unsettled:25 ");
    }
    static const char *const wrong_cursors[] = {
        "", "r", "r-1", "x7", "7", "u1x", "r9999999999999999999"};
    for (size_t i = 0; i < COUNT(wrong_cursors); i++) {
        b->wanted.cursor = wrong_cursors[i];
        look(b, read_differences, SETPAY_E_INVALID);
    }
}

/* What is said of the most that a file may have fits into one line of the administration socket. */
static void an_answer_has_room_for_all_of_a_file(void **state)
{
    struct setpay_settlement_view view;
    (void)state;
    memset(&view, 0x7f, sizeof view); /* numbers are as long as they may be */
    memset(view.gateway, 'g', sizeof view.gateway - 1);
    memset(view.brand, 'b', sizeof view.brand - 1);
    view.gateway[sizeof view.gateway - 1] = view.brand[sizeof view.brand - 1] = '\0';
    memcpy(view.day, "2026-11-25", 11);
    memcpy(view.currency, "EUR", 4);
    view.imported_ms = NOW_MS;
    json_t *json = setpay_settlement_view_json(&view);
    assert_non_null(json);
    assert_int_equal(json_object_set_new(json, "fresh", json_false()), 0);
    size_t size = json_dumpb(json, NULL, 0, JSON_COMPACT) + 1;
    assert_true(size * SETPAY_SETTLEMENT_REPORTS_MAX < (size_t)7 * 1024 * 1024);
    json_decref(json);
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, open_books, close_books)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_difference_has_its_name),
        cmocka_unit_test(disputes_and_clearings_are_of_a_part),
        cmocka_unit_test(only_what_is_ours_settles),
        cmocka_unit_test(an_answer_has_room_for_all_of_a_file),
        BOOKS(all_agrees_and_nothing_is_missed),
        BOOKS(once_more_changes_nothing),
        BOOKS(a_refused_file_leaves_nothing),
        BOOKS(differences_are_kept_and_told),
        BOOKS(what_was_refused_stands_until_it_is_paid),
        BOOKS(what_was_paid_before_its_refusal_was_read_in_counts),
        BOOKS(what_was_refused_is_over_where_its_rest_was_ended),
        BOOKS(what_was_accepted_stands_no_longer),
        BOOKS(what_is_forgotten_was_never_there),
        BOOKS(nothing_is_missed_from_before_a_day),
        BOOKS(pages_follow_each_other),
        BOOKS(differences_come_in_pages),
    };
    return cmocka_run_group_tests_name("merchant_settlement", tests, NULL, NULL);
}
