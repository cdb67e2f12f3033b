/*
 * What the merchant's daemon does by itself, row by row: a hold that is over is given up, before
 * all else where it is certain how much that is and behind what may change it; and a request for a
 * further payment is kept while the agreement goes on, and never after.
 */
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/ask.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/due.h"
#include "merchant/payment/port.h"
#include "merchant/payment/settlement.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/order.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/webhook/delivery.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS TEST_DATE_MS
#define OVER_MS (NOW_MS + 2 * SETPAY_DAY_MS) /* the first hold is over, the second is not */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define CAPTURE SETPAY_MERCHANT_STEP_CAPTURE
#define CREDIT SETPAY_MERCHANT_STEP_CREDIT
#define UNCAPTURE SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL
#define RELEASE SETPAY_MERCHANT_STEP_RELEASE
#define AUTHORISE SETPAY_MERCHANT_STEP_AUTHORISE

static const struct setpay_store_migration migrations[] = {
    {1, SETPAY_ORDER_SCHEMA SETPAY_SHIP_TO_SCHEMA SETPAY_CATALOGUE_SCHEMA SETPAY_PART_SCHEMA
            SETPAY_PART_SETTLED_SCHEMA SETPAY_PURCHASE_SCHEMA},
    {2, SETPAY_MERCHANT_STEP_SCHEMA SETPAY_MERCHANT_BATCH_SCHEMA SETPAY_MERCHANT_SALE_SCHEMA
            SETPAY_MERCHANT_PART_RELEASE_SCHEMA SETPAY_MERCHANT_AGREEMENT_SCHEMA
                SETPAY_ORDER_TERMS_SCHEMA SETPAY_MERCHANT_SETTLEMENT_SCHEMA},
    {3, SETPAY_EVENT_SCHEMA SETPAY_EVENT_TO_SEND_SCHEMA SETPAY_EVENT_HISTORY_SCHEMA
            SETPAY_WEBHOOK_SCHEMA SETPAY_DELIVERY_SCHEMA},
    {0, NULL},
};
static const struct setpay_store_schema schema = {.name = "merchant", .steps = migrations};

struct rows {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_steps *steps;
    const struct setpay_merchant_step *given; /* to be there */
    size_t given_count;
    int64_t found;
};

/* 600 of 1000 are authorised first, and held for a day. */
static int open_rows(void **state)
{
    struct rows *r = calloc(1, sizeof *r);
    struct setpay_problem problem;
    assert_non_null(r);
    test_folder_make(&r->folder);
    const struct setpay_store_options options = {.url = r->folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &r->store, &problem), SETPAY_OK);
    r->purchase = (struct setpay_merchant_purchase){
        .state = SETPAY_PURCHASE_AUTHORISED,
        .xid = test_id(0x10),
        .brand = "visa",
        .order_id = "ord_1",
        .amount = {1000, "EUR"},
        .approved_minor = 600,
        .first_minor = 600,
        .pomd = test_digest(0x20),
        .cardholder = test_digest(0x30),
        .gateway_sign = test_digest(0x40),
        .hold_expiry_ms = NOW_MS + SETPAY_DAY_MS,
        .has_cap_token = true,
        .cap_token = test_id(0x50),
        .terms = {.kind = SETPAY_TERMS_SPLIT},
        .dual_signature = {.size = 70},
    };
    *state = r;
    return 0;
}

static int close_rows(void **state)
{
    struct rows *r = *state;
    setpay_store_close(r->store);
    test_folder_remove(&r->folder);
    free(r->steps);
    free(r);
    return 0;
}

static enum setpay_error insert(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    SETPAY_TRY(
        setpay_merchant_purchase_insert(db, setpay_view_string("certificate"), &r->purchase));
    const struct setpay_merchant_agreement agreement = {
        .purchase_id = r->purchase.id,
        .has_auth_token = true,
        .auth_token = test_id(0x61),
        .schedule = SETPAY_SCHEDULE_MANUAL,
        .taken_count = 1,
        .last_ms = NOW_MS,
        .created_ms = NOW_MS,
    };
    SETPAY_TRY(setpay_merchant_agreement_insert(db, &agreement));
    for (size_t i = 0; i < r->given_count; i++) {
        struct setpay_merchant_step step = r->given[i];
        step.purchase_id = r->purchase.id;
        step.name = test_id((uint8_t)(0x70 + i));
        SETPAY_TRY(setpay_merchant_step_insert(db, &step));
        SETPAY_TRY(setpay_merchant_step_update(db, &step)); /* what an answer brings */
    }
    return SETPAY_OK;
}

static enum setpay_error act(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    return setpay_merchant_due_act(db, &r->purchase.xid, OVER_MS);
}

static enum setpay_error look(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    SETPAY_TRY(setpay_merchant_purchase_find(db, &r->purchase.xid, &r->purchase));
    return setpay_merchant_step_list(db, r->purchase.id, &r->steps);
}

static void run(struct rows *r, enum setpay_error (*operation)(struct setpay_db *db, void *arg),
                enum setpay_error expected)
{
    assert_int_equal(setpay_store_submit_wait(r->store, operation, r), expected);
    assert_int_equal(setpay_store_submit_wait(r->store, look, r), SETPAY_OK);
}

/* ------------------------------------------------------------------ holds that are over */

#define DONE .state = SETPAY_MERCHANT_STEP_DONE
#define ASKS .state = SETPAY_MERCHANT_STEP_ASKING
/* Another 300, held for longer; always the first of the steps. */
#define SECOND                                                                                     \
    {                                                                                              \
        .kind = AUTHORISE, DONE, .amount_minor = 300, .has_token = true, .token = {{9}},           \
        .hold_expiry_ms = OVER_MS + SETPAY_DAY_MS                                                  \
    }

/* What is at the gateway when the first hold is seen to be over, and whether its end is certain. */
static void an_ended_hold_goes_first_where_it_is_certain(void **state)
{
    static const struct {
        const char *what;
        struct setpay_merchant_step steps[3];
        size_t count;
        bool urgent;
    } rows[] = {
        {"nothing", {SECOND}, 1, true},
        {"a capture of it", {SECOND, {.kind = CAPTURE, ASKS, .amount_minor = 100}}, 2, false},
        {"a capture of the other",
         {SECOND, {.kind = CAPTURE, ASKS, .of_id = 1, .amount_minor = 100}},
         2,
         true},
        {"a part of it that is given up",
         {SECOND, {.kind = RELEASE, ASKS, .amount_minor = 100, .part = true}},
         2,
         false},
        {"a part of the other",
         {SECOND, {.kind = RELEASE, ASKS, .of_id = 1, .amount_minor = 100, .part = true}},
         2,
         true},
        {"the undoing of a capture of it",
         {SECOND,
          {.kind = CAPTURE, DONE, .amount_minor = 100, .has_token = true, .token = {{2}}},
          {.kind = UNCAPTURE, ASKS, .of_id = 2, .amount_minor = 100}},
         3,
         false},
        {"a refund of a capture of it",
         {SECOND,
          {.kind = CAPTURE, DONE, .amount_minor = 100, .has_token = true, .token = {{2}}},
          {.kind = CREDIT, ASKS, .of_id = 2, .amount_minor = 100}},
         3,
         true},
        {"another payment", {SECOND, {.kind = AUTHORISE, ASKS, .amount_minor = 100}}, 2, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *opened = NULL;
        print_message("# %s\n", rows[i].what);
        (void)open_rows(&opened);
        struct rows *r = opened;
        r->given = rows[i].steps;
        r->given_count = rows[i].count;
        r->purchase.approved_minor = 900;
        bool asks = false;
        for (size_t k = 0; k < rows[i].count; k++) {
            const struct setpay_merchant_step *step = &rows[i].steps[k];
            asks = asks || step->state == SETPAY_MERCHANT_STEP_ASKING;
            if (step->kind == CAPTURE && step->state == SETPAY_MERCHANT_STEP_DONE)
                r->purchase.captured_minor += step->amount_minor;
        }
        if (asks)
            r->purchase.state = SETPAY_PURCHASE_STEPPING;
        run(r, insert, SETPAY_OK);
        run(r, act, SETPAY_OK);
        run(r, act, SETPAY_OK); /* once */
        assert_int_equal(r->steps->count, rows[i].count + 1);
        const struct setpay_merchant_step *release = &r->steps->list[rows[i].count];
        assert_int_equal(release->kind, RELEASE);
        assert_int_equal(release->of_id, 0);
        assert_false(release->part);
        assert_int_equal(release->urgent, rows[i].urgent);
        assert_ptr_equal(setpay_merchant_step_first(r->steps),
                         rows[i].urgent ? release : &r->steps->list[rows[i].count - 1]);
        (void)close_rows(&opened);
    }
}

/* ------------------------------------------------------------------ further payments */

static enum setpay_error ask_for_another(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    int64_t number;
    return setpay_merchant_payment_port.authorise(db, &r->purchase.xid, 300, false, NOW_MS,
                                                  &number);
}

static enum setpay_error end_agreement(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    return setpay_merchant_payment_port.end_agreement(db, &r->purchase.xid, NOW_MS + 5);
}

static enum setpay_error keep(struct setpay_db *db, struct rows *r, enum setpay_ask_kind kind)
{
    struct setpay_merchant_ask ask;
    setpay_merchant_ask_init(&ask);
    ask.kind = kind;
    ask.rrpid = test_id((uint8_t)(0x80 + kind));
    ask.created_ms = NOW_MS;
    ask.step_id = r->steps->list[r->steps->count - 1].id;
    ask.signature.size = 8;
    enum setpay_error error = setpay_buffer_append(&ask.content, setpay_view_string("content"));
    if (error == SETPAY_OK)
        error = setpay_merchant_ask_keep(db, r->purchase.id, &ask);
    setpay_merchant_ask_clear(&ask);
    return error;
}

static enum setpay_error keep_further(struct setpay_db *db, void *arg)
{
    return keep(db, arg, SETPAY_ASK_FURTHER);
}

static enum setpay_error keep_cancellation(struct setpay_db *db, void *arg)
{
    return keep(db, arg, SETPAY_ASK_CANCEL);
}

static enum setpay_error count_asks(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM gateway_request"));
    r->found = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static void asks_are(struct rows *r, int64_t count)
{
    assert_int_equal(setpay_store_submit_wait(r->store, count_asks, r), SETPAY_OK);
    assert_int_equal(r->found, count);
}

/* The driver has looked, signs, and keeps what it will send; the store has ended the agreement in
 * between: what was withdrawn does not leave. */
static void no_request_is_kept_once_it_has_ended(void **state)
{
    struct rows *r = *state;
    run(r, insert, SETPAY_OK);
    run(r, ask_for_another, SETPAY_OK);
    run(r, end_agreement, SETPAY_OK);
    assert_int_equal(r->steps->list[0].state, SETPAY_MERCHANT_STEP_REFUSED);
    run(r, keep_further, SETPAY_E_CONFLICT);
    asks_are(r, 0);
    run(r, keep_cancellation, SETPAY_OK); /* what ends it has to leave */
    asks_are(r, 1);
}

static void a_request_is_kept_while_it_goes_on(void **state)
{
    struct rows *r = *state;
    run(r, insert, SETPAY_OK);
    run(r, ask_for_another, SETPAY_OK);
    run(r, keep_further, SETPAY_OK);
    asks_are(r, 1);
    run(r, end_agreement, SETPAY_OK); /* it may have left: it is awaited */
    assert_int_equal(r->steps->list[0].state, SETPAY_MERCHANT_STEP_ASKING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ended_hold_goes_first_where_it_is_certain),
        cmocka_unit_test_setup_teardown(no_request_is_kept_once_it_has_ended, open_rows,
                                        close_rows),
        cmocka_unit_test_setup_teardown(a_request_is_kept_while_it_goes_on, open_rows, close_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
