/*
 * Where an order was sent to: when it is needed no longer, that it goes then and not before, and
 * that the order stays as it is.
 */
#include "merchant/store/forget.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "tests/support/test_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEPT_MS (30 * SETPAY_DAY_MS)
#define PRODUCT                                                                                    \
    "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["                   \
    "{\"sku\":\"CUP\",\"prices\":{\"EUR\":900},\"stock\":{\"on_hand\":100}}]}"
#define ORDER "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}]}"

static struct test_acts test;

/* ------------------------------------------------------------------ pure */

static struct setpay_payment_view payment;
static struct setpay_order_step step;
static struct setpay_parts parts;

/* A captured order of one piece that is sent: made at 1000, paid at 3000, captured at 4000. */
static struct setpay_order_view captured(void)
{
    payment = (struct setpay_payment_view){.state = SETPAY_PURCHASE_CAPTURED,
                                           .amount = {.minor = 900, .currency = "EUR"},
                                           .approved = {.minor = 900, .currency = "EUR"},
                                           .captured_minor = 900,
                                           .created_ms = 2500,
                                           .decided_ms = 3000};
    step = (struct setpay_order_step){
        .step = {.kind = SETPAY_MERCHANT_STEP_CAPTURE, .created_ms = 3500, .decided_ms = 4000}};
    parts = (struct setpay_parts){.lines = {{.quantity = 1, .unit_minor = 900, .shipped = 1}},
                                  .line_count = 1};
    return (struct setpay_order_view){.order = {.created_ms = 1000, .expires_ms = 2000},
                                      .payments = &payment,
                                      .payment_count = 1,
                                      .steps = &step,
                                      .step_count = 1,
                                      .parts = &parts,
                                      .status = SETPAY_ORDER_STATUS_CAPTURED};
}

static void it_is_over_when_nothing_follows(void **state)
{
    (void)state;
    struct setpay_order_view view = captured();
    assert_int_equal(setpay_order_over_ms(&view), 4000);
    /* A refund is asked for; then it was made. */
    step.step.asking = true;
    assert_int_equal(setpay_order_over_ms(&view), 0);
    step.step.asking = false;
    step.step.decided_ms = 9000;
    view.status = SETPAY_ORDER_STATUS_REFUNDED;
    assert_int_equal(setpay_order_over_ms(&view), 9000);
    /* Nobody has paid. */
    view.payment_count = view.step_count = 0;
    view.status = SETPAY_ORDER_STATUS_EXPIRED;
    assert_int_equal(setpay_order_over_ms(&view), 2000);
}

static void it_goes_on_while_something_may_be_sent_or_paid(void **state)
{
    static const enum setpay_order_status going_on[] = {
        SETPAY_ORDER_STATUS_OPEN,       SETPAY_ORDER_STATUS_PAYING,
        SETPAY_ORDER_STATUS_AUTHORISED, SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED,
        SETPAY_ORDER_STATUS_DECLINED,
    };
    (void)state;
    struct setpay_order_view view = captured();
    for (size_t i = 0; i < sizeof going_on / sizeof *going_on; i++) {
        view.status = going_on[i];
        assert_int_equal(setpay_order_over_ms(&view), 0);
    }
    /* It is paid, and not sent. */
    view = captured();
    parts.lines[0].shipped = 0;
    assert_int_equal(setpay_order_over_ms(&view), 0);
    /* More payments follow, and what they pay for. */
    view = captured();
    view.has_agreement = true;
    assert_int_equal(setpay_order_over_ms(&view), 0);
    view.agreement.end = SETPAY_ENDED_BY_STORE;
    view.agreement.ended_ms = 7000;
    assert_int_equal(setpay_order_over_ms(&view), 7000);
}

/* ------------------------------------------------------------------ the row */

static enum setpay_error list_none(struct setpay_db *db, const char *order_id,
                                   setpay_payment_visit_fn *visit, void *arg)
{
    (void)db, (void)order_id, (void)visit, (void)arg;
    return SETPAY_OK;
}

static const struct setpay_payment_port port = {.list = list_none};

static const struct setpay_ship_to address = {
    .name = "Ada", .street = "Weg 1", .postal_code = "10115", .city = "Berlin", .country = "DE"};

static enum setpay_error write_address(struct setpay_db *db, void *order_id)
{
    return setpay_ship_to_insert(db, order_id, &address);
}

static void order(char id[SETPAY_ORDER_ID_SIZE])
{
    struct test_ordering ordering;
    assert_int_equal(test_order(&test, ORDER, &ordering), SETPAY_OK);
    memcpy(id, ordering.order.order_id, SETPAY_ORDER_ID_SIZE);
    setpay_order_clear(&ordering.order);
    assert_int_equal(setpay_store_submit_wait(test.store, write_address, id), SETPAY_OK);
}

struct forgetting {
    const char *order_id; /* NULL: all that are due */
    int64_t kept_ms;
    int64_t room;
    setpay_time_ms now_ms;
    int64_t looked;
    bool had;
};

static enum setpay_error do_forget(struct setpay_db *db, void *arg)
{
    struct forgetting *f = arg;
    if (f->order_id != NULL)
        return setpay_order_forget(db, &port, f->order_id, f->now_ms, &f->had);
    return setpay_order_forget_due(db, &port, f->kept_ms, f->now_ms, f->room, &f->looked);
}

static int64_t addresses(void)
{
    return test_acts_sql(&test, "SELECT COUNT(*) FROM order_ship_to");
}

/* How many there are when it was looked for. */
static int64_t after(int64_t kept_ms, setpay_time_ms now_ms)
{
    struct forgetting all = {.kept_ms = kept_ms, .room = 1000, .now_ms = now_ms};
    assert_int_equal(setpay_store_submit_wait(test.store, do_forget, &all), SETPAY_OK);
    return addresses();
}

static void an_address_goes_when_its_days_are_over(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, PRODUCT), SETPAY_OK);
    for (int i = 0; i < 70; i++)
        order(id);
    setpay_time_ms end_ms = test.now_ms + SETPAY_ORDER_LIFE_RESERVED_MS + KEPT_MS;
    assert_int_equal(after(KEPT_MS, test.now_ms), 70);
    assert_int_equal(after(KEPT_MS, end_ms - 1), 70);
    /* Each is looked at once a day; for ever is for ever. */
    assert_int_equal(after(KEPT_MS, end_ms), 70);
    assert_int_equal(after(0, end_ms + 100 * SETPAY_DAY_MS), 70);
    struct forgetting some = {.kept_ms = KEPT_MS, .room = 32, .now_ms = end_ms + SETPAY_DAY_MS};
    assert_int_equal(setpay_store_submit_wait(test.store, do_forget, &some), SETPAY_OK);
    assert_int_equal(some.looked, 32);
    assert_int_equal(addresses(), 38);
    assert_int_equal(after(KEPT_MS, end_ms + SETPAY_DAY_MS), 0);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM orders"), 70);
    test_acts_close(&test);
}

static void an_address_can_be_forgotten_at_once(void **state)
{
    (void)state;
    char id[SETPAY_ORDER_ID_SIZE];
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, PRODUCT), SETPAY_OK);
    order(id);
    struct forgetting one = {.order_id = id, .now_ms = test.now_ms};
    assert_int_equal(setpay_store_submit_wait(test.store, do_forget, &one), SETPAY_E_STATE);
    assert_int_equal(addresses(), 1);
    one.now_ms += SETPAY_ORDER_LIFE_RESERVED_MS;
    assert_int_equal(setpay_store_submit_wait(test.store, do_forget, &one), SETPAY_OK);
    assert_true(one.had);
    assert_int_equal(addresses(), 0);
    assert_int_equal(setpay_store_submit_wait(test.store, do_forget, &one), SETPAY_OK);
    assert_false(one.had);
    one.order_id = "ord_00000000000000000000";
    assert_int_equal(setpay_store_submit_wait(test.store, do_forget, &one), SETPAY_E_NOT_FOUND);
    test_acts_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_over_when_nothing_follows),
        cmocka_unit_test(it_goes_on_while_something_may_be_sent_or_paid),
        cmocka_unit_test(an_address_goes_when_its_days_are_over),
        cmocka_unit_test(an_address_can_be_forgotten_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
