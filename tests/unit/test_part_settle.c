/*
 * What follows from a part of an order, and when: the event of a shipment and pieces in stock
 * follow with the gateway's last answer, once, and from what was refused nothing does.
 */
#include "merchant/store/event.h"
#include "merchant/store/order_json.h"
#include "merchant/store/part.h"
#include "merchant/store/stock.h"
#include "tests/support/test_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHOP                                                                                       \
    "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["                   \
    "{\"sku\":\"CUP\",\"prices\":{\"EUR\":900},\"stock\":{\"on_hand\":10}}]}"
#define ORDER "{\"items\":[{\"sku\":\"CUP\",\"quantity\":5}]}"
#define STEPS_MAX 4

static struct test_acts test;

/* How the gateway has answered each step. */
enum answer { ASKING, DONE, REFUSED, UNDONE };

struct settling {
    char order_id[SETPAY_ORDER_ID_SIZE];
    struct setpay_part part;
    struct setpay_part_count counts[1];
    enum answer answers[STEPS_MAX];
    size_t steps;
    struct setpay_payment_view payment; /* of state 0: none stands */
    enum setpay_agreement_end agreement_end;
    bool has_agreement;
    int64_t offered; /* pieces that should be */
};

static void open_order(struct settling *s, enum setpay_part_kind kind, int64_t quantity,
                       int64_t unsent, size_t steps)
{
    struct test_ordering ordering;
    memset(s, 0, sizeof *s);
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, SHOP), SETPAY_OK);
    assert_int_equal(test_order(&test, ORDER, &ordering), SETPAY_OK);
    memcpy(s->order_id, ordering.order.order_id, sizeof s->order_id);
    setpay_order_clear(&ordering.order);
    s->counts[0] = (struct setpay_part_count){.quantity = quantity, .unsent = unsent};
    s->steps = steps;
    s->part = (struct setpay_part){.kind = kind,
                                   .first_step = steps > 0 ? 1 : 0,
                                   .last_step = (int64_t)steps,
                                   .restock = kind != SETPAY_PART_SHIPMENT,
                                   .counts = s->counts,
                                   .count = 1};
}

static enum setpay_error keep(struct setpay_db *db, void *arg)
{
    struct settling *s = arg;
    SETPAY_TRY(setpay_stock_sell(db, s->order_id, test.now_ms));
    return setpay_part_insert(db, s->order_id, &s->part);
}

static enum setpay_error insert(struct setpay_db *db, void *arg)
{
    struct settling *s = arg;
    return setpay_part_insert(db, s->order_id, &s->part);
}

/* The order as it stands, with the answers of the gateway. */
static enum setpay_error find(struct setpay_db *db, const struct settling *s,
                              struct setpay_order_view *view)
{
    SETPAY_TRY(setpay_order_find(db, s->order_id, &view->order));
    view->steps = calloc(STEPS_MAX, sizeof *view->steps);
    assert_non_null(view->steps);
    for (view->step_count = 0; view->step_count < s->steps; view->step_count++) {
        enum answer answer = s->answers[view->step_count];
        view->steps[view->step_count].step =
            (struct setpay_step_view){.number = (int64_t)view->step_count + 1,
                                      .kind = SETPAY_MERCHANT_STEP_CREDIT,
                                      .amount = {100, "EUR"},
                                      .asking = answer == ASKING,
                                      .code = answer == REFUSED ? 9 : 0,
                                      .undone = answer == UNDONE};
    }
    if (s->payment.state != SETPAY_PURCHASE_NONE) {
        view->payments = malloc(sizeof *view->payments);
        assert_non_null(view->payments);
        view->payments[0] = s->payment;
        view->payment_count = 1;
    }
    view->has_agreement = s->has_agreement;
    view->agreement.end = s->agreement_end;
    view->status = SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED;
    return setpay_parts_find(db, view, &view->parts);
}

static enum setpay_error settle(struct setpay_db *db, void *arg)
{
    const struct settling *s = arg;
    struct setpay_order_view view = {.payments = NULL};
    enum setpay_error error = find(db, s, &view);
    if (error == SETPAY_OK)
        error = setpay_parts_settle(db, &view, test.now_ms + 7);
    setpay_order_view_clear(&view);
    return error;
}

/* Twice: the second time nothing follows. */
static void expect(struct settling *s, enum setpay_part_settled settled, int64_t on_hand,
                   int64_t shipped)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setpay_store_submit_wait(test.store, settle, s), SETPAY_OK);
        assert_int_equal(test_acts_sql(&test, "SELECT settled FROM order_part"), settled);
        assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant"), on_hand);
        assert_int_equal(
            test_acts_sql(&test, "SELECT COUNT(*) FROM event WHERE type = 'order.shipped'"),
            shipped);
        assert_int_equal(test_acts_sql(&test, "SELECT settled_ms FROM order_part"),
                         settled == SETPAY_PART_OPEN ? 0 : test.now_ms + 7);
    }
}

static void begin(struct settling *s)
{
    assert_int_equal(setpay_store_submit_wait(test.store, keep, s), SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant"), 5);
}

static void pieces_are_back_with_the_last_answer(void **state)
{
    (void)state;
    struct settling s;
    open_order(&s, SETPAY_PART_REFUND, 3, 1, 2);
    begin(&s);
    expect(&s, SETPAY_PART_OPEN, 5, 0);
    s.answers[0] = DONE;
    expect(&s, SETPAY_PART_OPEN, 5, 0);
    s.answers[1] = DONE;
    expect(&s, SETPAY_PART_DONE, 8, 0);
    assert_int_equal(test_acts_sql(&test, "SELECT change FROM stock_log WHERE reason = 'not sent'"),
                     1);
    assert_int_equal(test_acts_sql(&test, "SELECT change FROM stock_log WHERE reason = 'returned'"),
                     2);
    test_acts_close(&test);
}

static void what_is_undone_is_out_of_stock_again(void **state)
{
    (void)state;
    struct settling s;
    open_order(&s, SETPAY_PART_REFUND, 3, 1, 2);
    begin(&s);
    s.answers[0] = s.answers[1] = DONE;
    expect(&s, SETPAY_PART_DONE, 8, 0);
    s.answers[0] = UNDONE; /* not all of it: it stands */
    expect(&s, SETPAY_PART_DONE, 8, 0);
    s.answers[1] = UNDONE;
    expect(&s, SETPAY_PART_UNDONE, 5, 0);
    assert_int_equal(
        test_acts_sql(&test, "SELECT change FROM stock_log WHERE reason = 'refund undone'"), -3);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 5);
    test_acts_close(&test);
    /* All but one of the others are somebody else's by now. */
    open_order(&s, SETPAY_PART_REFUND, 3, 1, 2);
    begin(&s);
    s.answers[0] = s.answers[1] = DONE;
    expect(&s, SETPAY_PART_DONE, 8, 0);
    assert_int_equal(test_acts_sql(&test, "UPDATE variant SET reserved = 7 RETURNING reserved"), 7);
    s.answers[0] = s.answers[1] = UNDONE;
    expect(&s, SETPAY_PART_UNDONE, 7, 0);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 3);
    test_acts_close(&test);
}

/* Sold while nobody counted: the refund put nothing on the shelf, so undoing it takes nothing. */
static void what_was_not_put_back_is_not_taken(void **state)
{
    (void)state;
    struct settling s;
    open_order(&s, SETPAY_PART_REFUND, 3, 0, 1);
    assert_int_equal(test_acts_sql(&test, "UPDATE variant SET tracked = 0 RETURNING tracked"), 0);
    assert_int_equal(setpay_store_submit_wait(test.store, keep, &s), SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 0);
    assert_int_equal(
        test_acts_sql(&test, "UPDATE variant SET tracked = 1, on_hand = 50 RETURNING on_hand"), 50);
    s.answers[0] = DONE;
    expect(&s, SETPAY_PART_DONE, 50, 0);
    s.answers[0] = UNDONE;
    expect(&s, SETPAY_PART_UNDONE, 50, 0);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 0);
    test_acts_close(&test);
}

static void what_is_refused_puts_nothing_back(void **state)
{
    (void)state;
    struct settling s;
    open_order(&s, SETPAY_PART_REFUND, 3, 3, 2);
    begin(&s);
    s.answers[0] = REFUSED;
    expect(&s, SETPAY_PART_OPEN, 5, 0);
    s.answers[1] = REFUSED;
    expect(&s, SETPAY_PART_REFUSED, 5, 0);
    test_acts_close(&test);
    /* Refused in part, it stands: its pieces are given back. */
    open_order(&s, SETPAY_PART_REFUND, 3, 0, 2);
    begin(&s);
    s.answers[0] = REFUSED;
    s.answers[1] = DONE;
    expect(&s, SETPAY_PART_DONE, 8, 0);
    test_acts_close(&test);
    open_order(&s, SETPAY_PART_GIVEN_UP, 2, 0, 1);
    begin(&s);
    s.answers[0] = REFUSED;
    expect(&s, SETPAY_PART_REFUSED, 5, 0);
    test_acts_close(&test);
}

static void what_is_given_up_is_back_when_it_is_released(void **state)
{
    (void)state;
    struct settling s;
    open_order(&s, SETPAY_PART_GIVEN_UP, 2, 0, 1);
    begin(&s);
    expect(&s, SETPAY_PART_OPEN, 5, 0);
    s.answers[0] = DONE;
    expect(&s, SETPAY_PART_DONE, 7, 0);
    assert_int_equal(test_acts_sql(&test, "SELECT change FROM stock_log WHERE reason = 'not sent'"),
                     2);
    test_acts_close(&test);
}

static void insert_of(struct settling *s, enum setpay_part_kind kind, int64_t quantity,
                      int64_t unsent, bool restock)
{
    s->counts[0] = (struct setpay_part_count){.quantity = quantity, .unsent = unsent};
    s->part.kind = kind;
    s->part.restock = restock;
    assert_int_equal(setpay_store_submit_wait(test.store, insert, s), SETPAY_OK);
}

static void settles_at(struct settling *s, int64_t on_hand)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setpay_store_submit_wait(test.store, settle, s), SETPAY_OK);
        assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant"), on_hand);
    }
}

/* Pieces that were paid and not sent, of an order whose rest is voided: they come back with the
 * void, and not once more when they are paid back; what was sent stays with the shopper. */
static void what_is_given_up_and_paid_back_is_back_once(void **state)
{
    (void)state;
    struct settling s;
    open_order(&s, SETPAY_PART_SHIPMENT, 2, 0, 0);
    begin(&s);
    settles_at(&s, 5);
    insert_of(&s, SETPAY_PART_GIVEN_UP, 3, 0, true);
    settles_at(&s, 8);
    insert_of(&s, SETPAY_PART_REFUND, 1, 1, true);
    settles_at(&s, 8);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 2);
    insert_of(&s, SETPAY_PART_REFUND, 3, 2, true); /* one of them was sent */
    settles_at(&s, 9);
    test_acts_close(&test);
    /* What was given back before the void is none of it. */
    open_order(&s, SETPAY_PART_SHIPMENT, 2, 0, 0);
    begin(&s);
    insert_of(&s, SETPAY_PART_REFUND, 1, 1, true);
    settles_at(&s, 6);
    insert_of(&s, SETPAY_PART_GIVEN_UP, 2, 0, true);
    settles_at(&s, 8);
    test_acts_close(&test);
    /* Broken, and so not put back by the refund: the void doesn't, either. */
    open_order(&s, SETPAY_PART_SHIPMENT, 2, 0, 0);
    begin(&s);
    insert_of(&s, SETPAY_PART_REFUND, 1, 1, false);
    settles_at(&s, 5);
    insert_of(&s, SETPAY_PART_GIVEN_UP, 3, 0, true);
    settles_at(&s, 7);
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ a hold that has ended */

/* Two of the five were sent, the second of them for step 1; nothing has ended yet. */
static void open_shipped(struct settling *s)
{
    open_order(s, SETPAY_PART_SHIPMENT, 1, 0, 0);
    begin(s);
    s->part.first_step = s->part.last_step = 1;
    s->steps = 1;
    s->answers[0] = DONE;
    insert_of(s, SETPAY_PART_SHIPMENT, 1, 0, false);
    s->payment = (struct setpay_payment_view){
        .state = SETPAY_PURCHASE_CAPTURED, .approved = {4500, "EUR"}, .captured_minor = 1800};
    settles_at(s, 5);
}

static void hold_ends(struct settling *s)
{
    s->payment.released_minor = s->payment.approved.minor - s->payment.captured_minor;
}

static void what_was_not_sent_when_the_hold_ended_is_back_once(void **state)
{
    (void)state;
    struct settling s;
    open_shipped(&s);
    hold_ends(&s);
    settles_at(&s, 8);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 2);
    assert_int_equal(test_acts_sql(&test, "SELECT change FROM stock_log WHERE reason = 'not sent'"),
                     3);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM order_part WHERE kind = 3"), 1);
    insert_of(&s, SETPAY_PART_GIVEN_UP, 3, 0, true); /* a void that was asked for meanwhile */
    settles_at(&s, 8);
    test_acts_close(&test);
    /* The other way round. */
    open_shipped(&s);
    s.part.first_step = s.part.last_step = 0;
    insert_of(&s, SETPAY_PART_GIVEN_UP, 3, 0, true);
    settles_at(&s, 8);
    hold_ends(&s);
    settles_at(&s, 8);
    test_acts_close(&test);
}

/* More was captured than was sent: what it still pays for stays the order's until it is sent, and
 * all else is back with the hold's end, once. */
static void what_was_captured_ahead_may_still_be_sent(void **state)
{
    (void)state;
    struct settling s;
    open_shipped(&s);
    s.payment.captured_minor = 1800 + 1500; /* one more, and not two */
    hold_ends(&s);
    settles_at(&s, 7);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 3);
    s.part.first_step = s.part.last_step = 0;
    insert_of(&s, SETPAY_PART_SHIPMENT, 1, 0, false);
    settles_at(&s, 7); /* that one is sent, and 600 pay for nothing */
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 3);
    test_acts_close(&test);
    /* Nothing to spare: as if nothing was captured ahead. */
    open_shipped(&s);
    s.payment.captured_minor = 1800 + 899;
    hold_ends(&s);
    settles_at(&s, 8);
    test_acts_close(&test);
    /* All of it was captured ahead. */
    open_shipped(&s);
    s.payment.captured_minor = 4500;
    hold_ends(&s);
    settles_at(&s, 5);
    test_acts_close(&test);
}

static enum setpay_error sell(struct setpay_db *db, void *arg)
{
    const struct settling *s = arg;
    return setpay_stock_sell(db, s->order_id, test.now_ms);
}

/* Whether so many pieces are offered to be sent, and can be, and one more cannot. */
static enum setpay_error offer(struct setpay_db *db, void *arg)
{
    const struct settling *s = arg;
    struct setpay_order_view view = {.payments = NULL};
    struct setpay_part_request request = {.count = 1, .wants = {{.quantity = s->offered + 1}}};
    struct setpay_part_count counts[1];
    struct setpay_json_fault fault = {.field = ""};
    int64_t minor;
    size_t count;
    assert_int_equal(find(db, s, &view), SETPAY_OK);
    assert_int_equal(setpay_order_sendable(&view, 0), s->offered);
    assert_int_equal(setpay_order_to_send(&view), s->offered);
    assert_int_equal(
        setpay_parts_take(&view, SETPAY_PART_SHIPMENT, &request, counts, &count, &minor, &fault),
        SETPAY_E_AMOUNT_LIMIT);
    request.wants[0].quantity = s->offered;
    if (s->offered > 0)
        assert_int_equal(setpay_parts_take(&view, SETPAY_PART_SHIPMENT, &request, counts, &count,
                                           &minor, &fault),
                         SETPAY_OK);
    setpay_order_view_clear(&view);
    return SETPAY_OK;
}

static void offers(struct settling *s, int64_t pieces)
{
    s->offered = pieces;
    assert_int_equal(setpay_store_submit_wait(test.store, offer, s), SETPAY_OK);
}

/* What is back in stock is not the order's to send, though nobody has sent it. */
static void what_was_given_up_is_not_offered(void **state)
{
    (void)state;
    static const int64_t captured[] = {1800, 2250}; /* two, and nothing or half a one more */
    for (size_t i = 0; i < sizeof captured / sizeof *captured; i++) {
        struct settling s;
        open_order(&s, SETPAY_PART_SHIPMENT, 2, 0, 0);
        assert_int_equal(setpay_store_submit_wait(test.store, sell, &s), SETPAY_OK);
        offers(&s, 5);
        s.payment = (struct setpay_payment_view){.state = SETPAY_PURCHASE_CAPTURED,
                                                 .approved = {4500, "EUR"},
                                                 .captured_minor = captured[i]};
        offers(&s, 5);
        hold_ends(&s);
        settles_at(&s, 8);
        offers(&s, 2);
        insert_of(&s, SETPAY_PART_SHIPMENT, 2, 0, false);
        settles_at(&s, 8);
        offers(&s, 0);
        test_acts_close(&test);
    }
}

/* Of a split the first part was captured whole, so that nothing was released when it ended. */
static void what_no_further_part_pays_for_is_back_once(void **state)
{
    (void)state;
    struct settling s;
    open_shipped(&s);
    s.payment.approved.minor = s.payment.captured_minor;
    s.has_agreement = true;
    s.agreement_end = SETPAY_ENDED_NOT;
    settles_at(&s, 5);
    s.agreement_end = SETPAY_ENDED_BY_STORE;
    settles_at(&s, 8);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM order_part WHERE kind = 3"), 1);
    test_acts_close(&test);
}

/* A shipment is at the gateway when the hold ends: its pieces are back once it is refused. */
static void what_is_refused_after_the_end_is_back_too(void **state)
{
    (void)state;
    struct settling s;
    open_shipped(&s);
    s.answers[0] = ASKING;
    s.payment.captured_minor = 900;
    hold_ends(&s);
    settles_at(&s, 8);
    s.answers[0] = REFUSED;
    settles_at(&s, 9);
    assert_int_equal(test_acts_sql(&test, "SELECT taken FROM reservation"), 1);
    test_acts_close(&test);
}

/* What may still be paid for, or was paid ahead, or is another order's business, stays. */
static void what_may_still_be_sent_stays(void **state)
{
    (void)state;
    struct settling s;
    open_shipped(&s);
    s.payment.released_minor = 2600; /* a part alone */
    settles_at(&s, 5);
    hold_ends(&s);
    s.has_agreement = true;
    settles_at(&s, 5);
    s.agreement_end = SETPAY_ENDED_BY_STORE;
    settles_at(&s, 8);
    test_acts_close(&test);
    open_shipped(&s);
    char sql[96];
    (void)snprintf(sql, sizeof sql, "UPDATE orders SET capture = %d RETURNING capture",
                   SETPAY_CAPTURE_MANUAL);
    assert_int_equal(test_acts_sql(&test, sql), SETPAY_CAPTURE_MANUAL);
    hold_ends(&s);
    settles_at(&s, 5);
    test_acts_close(&test);
}

static enum setpay_error release(struct setpay_db *db, void *arg)
{
    const struct settling *s = arg;
    return setpay_stock_release(db, s->order_id, test.now_ms);
}

static void released_leaves(struct settling *s, int64_t on_hand)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setpay_store_submit_wait(test.store, release, s), SETPAY_OK);
        assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant"), on_hand);
    }
    test_acts_close(&test);
}

/* An order all of whose hold is given back: what was marked as sent is with the shopper. */
static void what_was_sent_is_not_back_with_the_order(void **state)
{
    (void)state;
    struct settling s;
    open_shipped(&s);
    released_leaves(&s, 8);
    open_shipped(&s); /* its capture undone, it counts as not sent */
    s.answers[0] = UNDONE;
    settles_at(&s, 5);
    released_leaves(&s, 9);
    open_shipped(&s); /* not settled yet */
    assert_int_equal(
        test_acts_sql(&test, "UPDATE order_part SET settled = 0 WHERE seq = 2 RETURNING settled"),
        0);
    released_leaves(&s, 8);
    open_shipped(&s); /* what was given up is back already */
    s.part.first_step = s.part.last_step = 0;
    insert_of(&s, SETPAY_PART_GIVEN_UP, 2, 0, true);
    settles_at(&s, 7);
    released_leaves(&s, 8);
    open_shipped(&s); /* broken, and so not put back */
    s.part.first_step = s.part.last_step = 0;
    insert_of(&s, SETPAY_PART_REFUND, 2, 1, false);
    settles_at(&s, 5);
    released_leaves(&s, 7);
}

static void a_shipment_is_told_when_it_is_captured(void **state)
{
    (void)state;
    struct settling s;
    open_order(&s, SETPAY_PART_SHIPMENT, 2, 0, 1);
    begin(&s);
    expect(&s, SETPAY_PART_OPEN, 5, 0);
    s.answers[0] = DONE;
    expect(&s, SETPAY_PART_DONE, 5, 1);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM event WHERE body LIKE"
                                          " '%\"shipment\":{%\"status\":\"done\"%'"),
                     1);
    test_acts_close(&test);
    open_order(&s, SETPAY_PART_SHIPMENT, 2, 0, 1);
    begin(&s);
    s.answers[0] = REFUSED;
    expect(&s, SETPAY_PART_REFUSED, 5, 0);
    test_acts_close(&test);
    /* It moves no money: told at once. */
    open_order(&s, SETPAY_PART_SHIPMENT, 2, 0, 0);
    begin(&s);
    expect(&s, SETPAY_PART_DONE, 5, 1);
    test_acts_close(&test);
}

/* What of an order is to be sent, by how it stands. */
static void what_is_to_be_sent_is_paid_or_held(void **state)
{
    (void)state;
    static const struct {
        enum setpay_order_capture capture;
        enum setpay_order_end end;
        enum setpay_order_status status;
        int64_t captured, released, to_send;
    } rows[] = {
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_OPEN, 0, 0, 0},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_PAYING, 0, 0, 0},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_AUTHORISED, 0, 0, 3},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED, 400, 0, 3},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED, 400, 100, 3},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_CAPTURED, 400, 600, 0},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_CAPTURED, 500, 500, 0},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_CAPTURED, 800, 200, 1},
        {SETPAY_CAPTURE_ON_SHIPMENT, 0, SETPAY_ORDER_STATUS_CAPTURED, 1000, 0, 3},
        {SETPAY_CAPTURE_IMMEDIATE, 0, SETPAY_ORDER_STATUS_CAPTURED, 1000, 0, 3},
        {SETPAY_CAPTURE_MANUAL, 0, SETPAY_ORDER_STATUS_CAPTURED, 400, 600, 3},
        {SETPAY_CAPTURE_MANUAL, 0, SETPAY_ORDER_STATUS_REFUNDED, 1000, 0, 0},
        {SETPAY_CAPTURE_MANUAL, SETPAY_ORDER_VOIDED, SETPAY_ORDER_STATUS_CAPTURED, 400, 600, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_parts parts = {.line_count = 1};
        struct setpay_payment_view payment = {.state = SETPAY_PURCHASE_CAPTURED,
                                              .approved = {1000, "EUR"},
                                              .captured_minor = rows[i].captured,
                                              .released_minor = rows[i].released};
        const struct setpay_order_view view = {
            .order = {.amount = {1000, "EUR"}, .capture = rows[i].capture, .end = rows[i].end},
            .payments = &payment,
            .payment_count = 1,
            .parts = &parts,
            .status = rows[i].status};
        parts.lines[0] = (struct setpay_part_line){
            .quantity = 5, .unit_minor = 400, .shipped = 1, .unsent = 1, .refunded = 1};
        if (setpay_order_to_send(&view) != rows[i].to_send)
            fail_msg("row %zu: %lld", i, (long long)setpay_order_to_send(&view));
    }
}

/* What was captured ahead pays for either of two lines and not for both: what is offered together
 * is taken, and what nobody paid for is not. */
static void what_is_offered_together_can_be_sent_together(void **state)
{
    (void)state;
    struct setpay_parts parts = {.line_count = 3};
    struct setpay_payment_view payment = {.state = SETPAY_PURCHASE_CAPTURED,
                                          .approved = {2100, "EUR"},
                                          .captured_minor = 1000,
                                          .released_minor = 1100};
    const struct setpay_order_view view = {
        .order = {.amount = {2100, "EUR"}, .capture = SETPAY_CAPTURE_ON_SHIPMENT},
        .payments = &payment,
        .payment_count = 1,
        .parts = &parts,
        .status = SETPAY_ORDER_STATUS_CAPTURED};
    static const struct setpay_part_line lines[] = {{.quantity = 3, .unit_minor = 400},
                                                    {.quantity = 1}, /* a present */
                                                    {.quantity = 3, .unit_minor = 300}};
    static const struct {
        int64_t wanted[3];
        int64_t unpaid_minor; /* 0: can be sent */
    } rows[] = {
        {{2, 1, 0}, 0}, {{0, 1, 3}, 0}, {{1, 0, 2}, 0}, {{2, 1, 1}, 100}, {{2, 0, 3}, 700},
    };
    int64_t pieces[3], minor;
    struct setpay_part_count counts[3];
    size_t count;
    struct setpay_json_fault fault = {.field = ""};
    memcpy(parts.lines, lines, sizeof lines);
    assert_int_equal(setpay_order_sendable(&view, 0), 2);
    assert_int_equal(setpay_order_sendable(&view, 1), 1);
    assert_int_equal(setpay_order_sendable(&view, 2), 3);
    assert_int_equal(setpay_order_sendable_together(&view, pieces), 3);
    assert_memory_equal(pieces, rows[0].wanted, sizeof pieces);
    assert_int_equal(setpay_order_to_send(&view), 3);
    assert_memory_equal(parts.lines, lines, sizeof lines);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_part_request request = {.count = 0};
        for (size_t k = 0; k < 3; k++) {
            request.wants[request.count].position = k;
            request.wants[request.count].quantity = rows[i].wanted[k];
            request.count += rows[i].wanted[k] > 0 ? 1 : 0;
        }
        memcpy(parts.lines, lines, sizeof lines);
        enum setpay_error error = setpay_parts_take(&view, SETPAY_PART_SHIPMENT, &request, counts,
                                                    &count, &minor, &fault);
        if (error != (rows[i].unpaid_minor == 0 ? SETPAY_OK : SETPAY_E_AMOUNT_LIMIT))
            fail_msg("row %zu: %d", i, (int)error);
        if (error != SETPAY_OK) {
            assert_string_equal(fault.field, "lines");
            assert_memory_equal(parts.lines, lines, sizeof lines);
        }
        memcpy(parts.lines, lines, sizeof lines);
        assert_int_equal(setpay_order_unpaid_minor(&view, rows[i].wanted), rows[i].unpaid_minor);
    }
    assert_string_equal(fault.words, "together these pieces cost 7.00 EUR more than was captured"
                                     " for them, and nothing more is held; expected fewer");
    /* Who names no lines means so many as can be. */
    const struct setpay_part_request all = {.count = 0};
    assert_int_equal(
        setpay_parts_take(&view, SETPAY_PART_SHIPMENT, &all, counts, &count, &minor, &fault),
        SETPAY_OK);
    assert_int_equal(count, 2);
    assert_int_equal(counts[0].quantity, 2);
    assert_int_equal(counts[1].position, 1);
    /* Where something is held, nothing is limited. */
    payment.released_minor = 0;
    memcpy(parts.lines, lines, sizeof lines);
    assert_int_equal(setpay_order_sendable_together(&view, pieces), 7);
    assert_int_equal(setpay_order_unpaid_minor(&view, pieces), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_back_with_the_last_answer),
        cmocka_unit_test(what_is_undone_is_out_of_stock_again),
        cmocka_unit_test(what_was_not_put_back_is_not_taken),
        cmocka_unit_test(what_is_refused_puts_nothing_back),
        cmocka_unit_test(what_is_given_up_is_back_when_it_is_released),
        cmocka_unit_test(what_is_given_up_and_paid_back_is_back_once),
        cmocka_unit_test(what_was_not_sent_when_the_hold_ended_is_back_once),
        cmocka_unit_test(what_was_captured_ahead_may_still_be_sent),
        cmocka_unit_test(what_was_given_up_is_not_offered),
        cmocka_unit_test(what_is_offered_together_can_be_sent_together),
        cmocka_unit_test(what_no_further_part_pays_for_is_back_once),
        cmocka_unit_test(what_is_refused_after_the_end_is_back_too),
        cmocka_unit_test(what_may_still_be_sent_stays),
        cmocka_unit_test(what_was_sent_is_not_back_with_the_order),
        cmocka_unit_test(what_is_to_be_sent_is_paid_or_held),
        cmocka_unit_test(a_shipment_is_told_when_it_is_captured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
