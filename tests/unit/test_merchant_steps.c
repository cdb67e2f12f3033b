/*
 * The steps after an authorisation without a gateway: what may be asked for, to the last unit and
 * not one more; which answer is believed, value by value; what became of purchase and steps; the
 * rows, and batches that are compared.
 */
#include "common/wire/signed.h"
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/port.h"
#include "merchant/payment/settlement.h"
#include "merchant/payment/step.h"
#include "merchant/payment/together.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/order.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/stock_level.h"
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
#include <stdio.h>

#define NOW_MS TEST_DATE_MS
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define CAPTURE SETPAY_MERCHANT_STEP_CAPTURE
#define CREDIT SETPAY_MERCHANT_STEP_CREDIT
#define UNCAPTURE SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL
#define UNCREDIT SETPAY_MERCHANT_STEP_CREDIT_REVERSAL
#define RELEASE SETPAY_MERCHANT_STEP_RELEASE

/* ------------------------------------------------------------------ the table */

/* Every cell about steps: what is not named here is refused, a wish as a wish, a word as a word. */
static void every_cell_is_thought_about(void **state)
{
    static const enum setpay_purchase_state
        follows[SETPAY_PURCHASE_STATES][SETPAY_PURCHASE_EVENTS] = {
            [SETPAY_PURCHASE_AUTHORISED] = {[SETPAY_PURCHASE_STEP] = SETPAY_PURCHASE_STEPPING},
            [SETPAY_PURCHASE_CAPTURED] = {[SETPAY_PURCHASE_STEP] = SETPAY_PURCHASE_STEPPING},
            [SETPAY_PURCHASE_STEPPING] =
                {
                    [SETPAY_PURCHASE_STEP] = SETPAY_PURCHASE_STEPPING,
                    [SETPAY_PURCHASE_STEP_NEXT] = SETPAY_PURCHASE_STEPPING,
                    [SETPAY_PURCHASE_STEPS_HELD] = SETPAY_PURCHASE_AUTHORISED,
                    [SETPAY_PURCHASE_STEPS_CAPTURED] = SETPAY_PURCHASE_CAPTURED,
                    [SETPAY_PURCHASE_STEPS_NOTHING] = SETPAY_PURCHASE_REVERSED,
                },
        };
    (void)state;
    for (int from = 0; from < SETPAY_PURCHASE_STATES; from++) {
        for (int event = 0; event < SETPAY_PURCHASE_EVENTS; event++) {
            bool of_steps = event >= SETPAY_PURCHASE_STEP || from == SETPAY_PURCHASE_CAPTURED ||
                            from == SETPAY_PURCHASE_STEPPING;
            enum setpay_purchase_state expected = follows[from][event];
            enum setpay_purchase_state next = SETPAY_PURCHASE_STATES;
            enum setpay_error error = setpay_purchase_state_next(
                (enum setpay_purchase_state)from, (enum setpay_purchase_event)event, &next);
            bool is_wish = event == SETPAY_PURCHASE_STEP || event == SETPAY_PURCHASE_GIVE_UP ||
                           event == SETPAY_PURCHASE_LAPSE || event == SETPAY_PURCHASE_REVERSE;
            if (!of_steps)
                continue;
            if (expected != SETPAY_PURCHASE_NONE) {
                assert_int_equal(error, SETPAY_OK);
                assert_int_equal(next, expected);
            } else {
                assert_int_equal(error, event == SETPAY_PURCHASE_PREQ ? SETPAY_E_ORDER_TAKEN
                                        : is_wish                     ? SETPAY_E_STATE
                                                                      : SETPAY_E_AUTH_MISMATCH);
                assert_int_equal(next, SETPAY_PURCHASE_STATES);
            }
        }
    }
    assert_true(setpay_purchase_state_is_waiting(SETPAY_PURCHASE_STEPPING));
    assert_false(setpay_purchase_state_is_waiting(SETPAY_PURCHASE_CAPTURED));
    assert_false(setpay_purchase_state_is_refused(SETPAY_PURCHASE_STEPPING));
    assert_false(setpay_purchase_state_is_refused(SETPAY_PURCHASE_CAPTURED));
}

/* ------------------------------------------------------------------ a purchase, and its steps */

struct world {
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_steps *steps;
};

static struct world authorised(int64_t minor)
{
    struct world w = {
        .purchase = {.id = 1,
                     .state = SETPAY_PURCHASE_AUTHORISED,
                     .xid = test_id(0x10),
                     .brand = "visa",
                     .amount = {minor, "EUR"},
                     .approved_minor = minor,
                     .pomd = test_digest(0x20),
                     .cardholder = test_digest(0x30),
                     .gateway_sign = test_digest(0x40),
                     .hold_expiry_ms = NOW_MS + SETPAY_DAY_MS,
                     .has_cap_token = true,
                     .cap_token = test_id(0x50)},
        .steps = setpay_merchant_steps_new(SETPAY_MERCHANT_STEPS_MAX),
    };
    assert_non_null(w.steps);
    return w;
}

static enum setpay_error may(struct world *w, enum setpay_merchant_step_kind kind,
                             struct setpay_merchant_step *of, int64_t minor)
{
    return setpay_merchant_step_check(&w->purchase, w->steps, kind, of, minor, NOW_MS);
}

/* Asks for what must be allowed. */
static struct setpay_merchant_step *asked(struct world *w, enum setpay_merchant_step_kind kind,
                                          struct setpay_merchant_step *of, int64_t minor)
{
    assert_int_equal(may(w, kind, of, minor), SETPAY_OK);
    struct setpay_merchant_step *step = &w->steps->list[w->steps->count++];
    *step = (struct setpay_merchant_step){
        .id = (int64_t)w->steps->count,
        .purchase_id = 1,
        .kind = kind,
        .state = SETPAY_MERCHANT_STEP_ASKING,
        .name = test_id((uint8_t)w->steps->count),
        .of_id = of != NULL ? of->id : 0,
        .amount_minor = minor,
    };
    assert_int_equal(
        setpay_purchase_state_next(w->purchase.state, SETPAY_PURCHASE_STEP, &w->purchase.state),
        SETPAY_OK);
    return step;
}

/* What an honest gateway answers to the oldest step. */
static struct setpay_step_done done_of(const struct world *w,
                                       const struct setpay_merchant_step *step, int64_t remaining)
{
    static const enum setpay_receipt_kind receipts[] = {
        [CAPTURE] = SETPAY_RECEIPT_CAPTURE,
        [CREDIT] = SETPAY_RECEIPT_CREDIT,
        [UNCAPTURE] = SETPAY_RECEIPT_CAPTURE_REVERSAL,
        [UNCREDIT] = SETPAY_RECEIPT_CREDIT_REVERSAL,
    };
    struct setpay_merchant_step *of = setpay_merchant_step_of(w->steps, step->of_id);
    return (struct setpay_step_done){
        .xid = w->purchase.xid,
        .of = of != NULL ? of->token : w->purchase.cap_token,
        .amount = {step->amount_minor, "EUR"},
        .id = test_id((uint8_t)(0x80 + step->id)),
        .batch = 7,
        .remaining = {remaining, "EUR"},
        .cardholder = w->purchase.cardholder,
        .pomd = w->purchase.pomd,
        .receipt = {.kind = receipts[step->kind], .size = 400},
    };
}

/* The oldest step is done: checked as an answer, and applied. */
static void goes(struct world *w, int64_t remaining, enum setpay_purchase_state state)
{
    struct setpay_merchant_step *step = setpay_merchant_step_first(w->steps);
    assert_non_null(step);
    struct setpay_step_done done = done_of(w, step, remaining);
    struct setpay_step_res answer = {
        .brand = "visa", .merchant_id = "shop-1", .done = &done, .done_count = 1};
    assert_int_equal(
        setpay_merchant_step_res_check(&w->purchase, w->steps, "shop-1", step, &done.of, &answer),
        SETPAY_OK);
    const struct setpay_merchant_step_outcome outcome = {.done = &done};
    bool again = true;
    assert_int_equal(setpay_merchant_step_apply(&outcome, NOW_MS, &w->purchase, w->steps, &again),
                     SETPAY_OK);
    assert_int_equal(w->purchase.state, state);
}

static void is_refused(struct world *w, uint32_t code, enum setpay_purchase_state state)
{
    const struct setpay_merchant_step_outcome outcome = {.code = code};
    bool again = true;
    struct setpay_merchant_step *step = setpay_merchant_step_first(w->steps);
    assert_int_equal(setpay_merchant_step_apply(&outcome, NOW_MS, &w->purchase, w->steps, &again),
                     SETPAY_OK);
    assert_int_equal(step->state, SETPAY_MERCHANT_STEP_REFUSED);
    assert_int_equal(step->code, code);
    assert_int_equal(w->purchase.state, state);
}

/* ------------------------------------------------------------------ what may be asked for */

/* rule G8: split shipment, with what waits counted as if it came to pass */
static void captures_to_the_last_unit(void **state)
{
    struct world w = authorised(1000);
    (void)state;
    assert_int_equal(may(&w, CAPTURE, NULL, 0), SETPAY_E_AMOUNT_LIMIT);
    assert_int_equal(may(&w, CAPTURE, NULL, 1001), SETPAY_E_AMOUNT_LIMIT);
    asked(&w, CAPTURE, NULL, 600);
    assert_int_equal(may(&w, CAPTURE, NULL, 401), SETPAY_E_AMOUNT_LIMIT);
    asked(&w, CAPTURE, NULL, 399);
    asked(&w, CAPTURE, NULL, 1);
    assert_int_equal(may(&w, CAPTURE, NULL, 1), SETPAY_E_AMOUNT_LIMIT);
    goes(&w, 400, SETPAY_PURCHASE_STEPPING);
    is_refused(&w, SETPAY_WIRE_EXPIRED, SETPAY_PURCHASE_STEPPING);
    assert_int_equal(setpay_merchant_step_capturable(&w.purchase, w.steps), 399); /* free again */
    goes(&w, 399, SETPAY_PURCHASE_CAPTURED);
    assert_int_equal(w.purchase.captured_minor, 601);
    assert_int_equal(setpay_merchant_held(&w.purchase), 399);
    w.purchase.hold_expiry_ms = NOW_MS;
    assert_int_equal(may(&w, CAPTURE, NULL, 1), SETPAY_E_HOLD_OVER);
    free(w.steps);
}

static void the_last_refusal_leaves_the_hold(void **state)
{
    struct world w = authorised(1000);
    (void)state;
    asked(&w, CAPTURE, NULL, 1000);
    is_refused(&w, SETPAY_WIRE_NOT_PERMITTED, SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(w.purchase.captured_minor, 0);
    free(w.steps);
}

static void only_what_is_authorised_is_stepped(void **state)
{
    (void)state;
    for (int from = 0; from < SETPAY_PURCHASE_STATES; from++) {
        struct world w = authorised(1000);
        bool allowed = from == SETPAY_PURCHASE_AUTHORISED || from == SETPAY_PURCHASE_CAPTURED ||
                       from == SETPAY_PURCHASE_STEPPING;
        w.purchase.state = (enum setpay_purchase_state)from;
        assert_int_equal(may(&w, CAPTURE, NULL, 1), allowed ? SETPAY_OK : SETPAY_E_STATE);
        assert_int_equal(may(&w, RELEASE, NULL, 0), allowed ? SETPAY_OK : SETPAY_E_STATE);
        free(w.steps);
    }
}

/* rule G8: of one capture, less what waits, and never of what is not done or was undone */
static void credits_what_was_captured(void **state)
{
    struct world w = authorised(900);
    (void)state;
    struct setpay_merchant_step *first = asked(&w, CAPTURE, NULL, 500);
    assert_int_equal(may(&w, CREDIT, first, 1), SETPAY_E_STATE); /* not done yet */
    assert_int_equal(may(&w, CREDIT, NULL, 1), SETPAY_E_STATE);
    goes(&w, 400, SETPAY_PURCHASE_CAPTURED);
    struct setpay_merchant_step *second = asked(&w, CAPTURE, NULL, 400);
    goes(&w, 0, SETPAY_PURCHASE_CAPTURED);
    assert_int_equal(may(&w, CREDIT, first, 501), SETPAY_E_AMOUNT_LIMIT);
    struct setpay_merchant_step *credit = asked(&w, CREDIT, first, 499);
    assert_int_equal(may(&w, CREDIT, first, 2), SETPAY_E_AMOUNT_LIMIT);
    assert_int_equal(may(&w, UNCAPTURE, first, 500), SETPAY_E_STATE); /* some of it goes back */
    asked(&w, CREDIT, first, 1);
    assert_int_equal(may(&w, UNCREDIT, credit, 499), SETPAY_E_STATE); /* not done yet */
    goes(&w, 401, SETPAY_PURCHASE_STEPPING);
    goes(&w, 400, SETPAY_PURCHASE_CAPTURED);
    assert_int_equal(first->credited_minor, 500);
    assert_int_equal(may(&w, UNCREDIT, first, 500), SETPAY_E_STATE);
    assert_int_equal(may(&w, UNCREDIT, credit, 498), SETPAY_E_AMOUNT_LIMIT);
    asked(&w, UNCREDIT, credit, 499);
    assert_int_equal(may(&w, UNCREDIT, credit, 499), SETPAY_E_STATE); /* twice */
    goes(&w, 899, SETPAY_PURCHASE_CAPTURED);
    assert_true(credit->undone);
    assert_int_equal(first->credited_minor, 1);
    assert_int_equal(w.purchase.credited_minor, 1);
    assert_int_equal(may(&w, UNCAPTURE, second, 399), SETPAY_E_AMOUNT_LIMIT); /* all, or nothing */
    asked(&w, UNCAPTURE, second, 400);
    assert_int_equal(may(&w, CREDIT, second, 1), SETPAY_E_STATE);
    goes(&w, 400, SETPAY_PURCHASE_CAPTURED);
    assert_int_equal(may(&w, CREDIT, second, 1), SETPAY_E_STATE);
    assert_int_equal(may(&w, UNCAPTURE, second, 400), SETPAY_E_STATE);
    assert_int_equal(setpay_merchant_held(&w.purchase), 400);
    free(w.steps);
}

/* What is released is what is held when its turn comes, whatever it was when it was asked for. */
static void releases_what_is_left(void **state)
{
    struct world w = authorised(1000);
    struct setpay_merchant_step_outcome outcome = {.released_minor = 1000};
    bool again = true;
    (void)state;
    asked(&w, CAPTURE, NULL, 700);
    asked(&w, RELEASE, NULL, 300);
    assert_int_equal(may(&w, RELEASE, NULL, 0), SETPAY_E_AMOUNT_LIMIT);
    assert_int_equal(may(&w, CAPTURE, NULL, 1), SETPAY_E_AMOUNT_LIMIT);
    is_refused(&w, SETPAY_WIRE_AMOUNT, SETPAY_PURCHASE_STEPPING);
    assert_int_equal(setpay_merchant_step_apply(&outcome, NOW_MS, &w.purchase, w.steps, &again),
                     SETPAY_OK);
    assert_int_equal(w.purchase.state, SETPAY_PURCHASE_REVERSED); /* nothing is left */
    assert_int_equal(w.purchase.released_minor, 1000);
    assert_int_equal(setpay_merchant_step_apply(&outcome, NOW_MS, &w.purchase, w.steps, &again),
                     SETPAY_E_STATE);
    free(w.steps);
    w = authorised(1000);
    struct setpay_merchant_step *capture = asked(&w, CAPTURE, NULL, 700);
    goes(&w, 300, SETPAY_PURCHASE_CAPTURED);
    asked(&w, RELEASE, NULL, 300);
    outcome.released_minor = 300;
    assert_int_equal(setpay_merchant_step_apply(&outcome, NOW_MS, &w.purchase, w.steps, &again),
                     SETPAY_OK);
    assert_int_equal(w.purchase.state, SETPAY_PURCHASE_CAPTURED);
    asked(&w, UNCAPTURE, capture, 700);
    goes(&w, 700, SETPAY_PURCHASE_AUTHORISED); /* held again, but for what was released */
    free(w.steps);
}

/* The hold ends before the gateway has heard of the part that is to be given up: that is refused,
 * and the release of all that is held, which waited behind it, goes before what waits else. */
static void a_part_of_what_is_over_is_refused(void **state)
{
    struct world w = authorised(1000);
    (void)state;
    struct setpay_merchant_step *capture = asked(&w, CAPTURE, NULL, 200);
    goes(&w, 800, SETPAY_PURCHASE_CAPTURED);
    struct setpay_merchant_step *part = asked(&w, RELEASE, NULL, 300);
    part->part = true;
    asked(&w, CREDIT, capture, 100);
    struct setpay_merchant_step *rest = asked(&w, RELEASE, NULL, 500);
    setpay_time_ms over_ms = w.purchase.hold_expiry_ms;
    setpay_time_ms near_ms = over_ms - SETPAY_LIMIT_DATE_TOLERANCE_MS;
    const struct {
        const struct setpay_merchant_step *step;
        uint32_t code;
        bool by_gateway;
        setpay_time_ms now_ms;
        bool ends;
    } rows[] = {
        {part, SETPAY_WIRE_EXPIRED, true, over_ms, true},
        {part, SETPAY_WIRE_EXPIRED, true, near_ms, true},
        {part, SETPAY_WIRE_EXPIRED, true, near_ms - 1, false},
        {part, SETPAY_WIRE_EXPIRED, false, over_ms, false},
        {part, SETPAY_WIRE_BUSY, true, over_ms, false},
        {part, SETPAY_WIRE_AMOUNT, true, over_ms, false},
        {rest, SETPAY_WIRE_EXPIRED, true, over_ms, false},
        {capture, SETPAY_WIRE_EXPIRED, true, over_ms, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (setpay_merchant_part_is_over(&w.purchase, w.steps, rows[i].step, rows[i].code,
                                         rows[i].by_gateway, rows[i].now_ms) != rows[i].ends)
            fail_msg("row %zu", i);
    }
    const struct setpay_merchant_step_outcome refused = {.step_id = part->id,
                                                         .code = SETPAY_WIRE_EXPIRED};
    bool again = true;
    assert_int_equal(setpay_merchant_step_apply(&refused, over_ms, &w.purchase, w.steps, &again),
                     SETPAY_OK);
    assert_false(again);
    assert_int_equal(part->state, SETPAY_MERCHANT_STEP_REFUSED);
    assert_int_equal(part->code, SETPAY_WIRE_EXPIRED);
    assert_int_equal(w.purchase.released_minor, 0);
    assert_int_equal(w.purchase.state, SETPAY_PURCHASE_STEPPING);
    assert_ptr_equal(setpay_merchant_step_first(w.steps), rest);
    free(w.steps);
}

/* What takes stops before what gives back, and that before what undoes: so that all can be. */
static void steps_have_room(void **state)
{
    struct world w = authorised(1000);
    (void)state;
    struct setpay_merchant_step *capture = asked(&w, CAPTURE, NULL, 1);
    goes(&w, 999, SETPAY_PURCHASE_CAPTURED);
    w.steps->count = SETPAY_MERCHANT_STEPS_TAKING - 1;
    assert_int_equal(may(&w, CAPTURE, NULL, 1), SETPAY_OK);
    w.steps->count = SETPAY_MERCHANT_STEPS_TAKING;
    assert_int_equal(may(&w, CAPTURE, NULL, 1), SETPAY_E_TOO_BIG);
    assert_int_equal(may(&w, CREDIT, capture, 1), SETPAY_OK);
    w.steps->count = SETPAY_MERCHANT_STEPS_GIVING;
    assert_int_equal(may(&w, CREDIT, capture, 1), SETPAY_E_TOO_BIG);
    assert_int_equal(may(&w, UNCAPTURE, capture, 1), SETPAY_OK);
    assert_int_equal(may(&w, RELEASE, NULL, 0), SETPAY_OK);
    w.steps->count = SETPAY_MERCHANT_STEPS_MAX;
    assert_int_equal(may(&w, RELEASE, NULL, 0), SETPAY_E_TOO_BIG);
    free(w.steps);
}

/* ------------------------------------------------------------------ rule M6 */

struct defect {
    const char *what;
    size_t offset;
};

/* rule M6: what is said to be done is what was asked for, by our own record, value by value. */
static void another_answer_is_no_answer(void **state)
{
    static const struct defect defects[] = {
        {"xid", offsetof(struct setpay_step_done, xid)},
        {"of", offsetof(struct setpay_step_done, of)},
        {"more, or less", offsetof(struct setpay_step_done, amount.minor)},
        {"currency", offsetof(struct setpay_step_done, amount.currency)},
        {"remaining", offsetof(struct setpay_step_done, remaining.minor)},
        {"cardholder", offsetof(struct setpay_step_done, cardholder)},
        {"POMD", offsetof(struct setpay_step_done, pomd)},
        {"kind of receipt", offsetof(struct setpay_step_done, receipt.kind)},
    };
    struct world w = authorised(1000);
    (void)state;
    struct setpay_merchant_step *step = asked(&w, CAPTURE, NULL, 600);
    const struct setpay_step_done right = done_of(&w, step, 400);
    struct setpay_step_done two[2] = {right, right};
    struct setpay_step_res answer = {
        .brand = "visa", .merchant_id = "shop-1", .done = two, .done_count = 1};
    assert_int_equal(
        setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-1", step, &right.of, &answer),
        SETPAY_OK);
    for (size_t i = 0; i < COUNT(defects); i++) {
        two[0] = right;
        *((uint8_t *)&two[0] + defects[i].offset) ^= 3;
        assert_int_equal(setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-1", step,
                                                        &right.of, &answer),
                         SETPAY_E_AUTH_MISMATCH);
    }
    two[0] = right;
    answer.done_count = 2; /* more done than asked */
    assert_int_equal(
        setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-1", step, &right.of, &answer),
        SETPAY_E_AUTH_MISMATCH);
    answer.done_count = 1;
    answer.brand[0] = 'w';
    assert_int_equal(
        setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-1", step, &right.of, &answer),
        SETPAY_E_AUTH_MISMATCH);
    answer.brand[0] = 'v';
    assert_int_equal(
        setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-2", step, &right.of, &answer),
        SETPAY_E_AUTH_MISMATCH);
    free(w.steps);
}

/* rule M6: a refusal is of what was asked for, too; and done and refused is neither. */
static void another_refusal_is_no_answer(void **state)
{
    struct world w = authorised(1000);
    (void)state;
    struct setpay_merchant_step *step = asked(&w, CAPTURE, NULL, 600);
    struct setpay_step_done done = done_of(&w, step, 400);
    const struct setpay_step_refused right = {
        .xid = done.xid, .of = done.of, .amount = done.amount, .code = SETPAY_WIRE_EXPIRED};
    struct setpay_step_refused refused = right;
    struct setpay_step_res answer = {
        .brand = "visa", .merchant_id = "shop-1", .refused = &refused, .refused_count = 1};
    assert_int_equal(
        setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-1", step, &right.of, &answer),
        SETPAY_OK);
    uint8_t *const bytes[] = {&refused.xid.bytes[0], &refused.of.bytes[0],
                              (uint8_t *)&refused.amount.minor, (uint8_t *)refused.amount.currency};
    for (size_t i = 0; i < COUNT(bytes); i++) {
        *bytes[i] ^= 1;
        assert_int_equal(setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-1", step,
                                                        &right.of, &answer),
                         SETPAY_E_AUTH_MISMATCH);
        *bytes[i] ^= 1;
    }
    answer.done = &done;
    answer.done_count = 1;
    assert_int_equal(
        setpay_merchant_step_res_check(&w.purchase, w.steps, "shop-1", step, &right.of, &answer),
        SETPAY_E_AUTH_MISMATCH);
    free(w.steps);
}

/* One request of several purchases: as many answers as steps, and this purchase's among them, once.
 */
static void an_answer_to_many_has_each_once(void **state)
{
    enum { ASKED = 3 };
    static const struct {
        uint8_t done[ASKED + 1], refused[ASKED + 1]; /* xids; 0: the end */
        enum setpay_error error;
        bool is_done;
    } rows[] = {
        {{1, 2, 3}, {0}, SETPAY_OK, true},
        {{1}, {3, 2}, SETPAY_OK, false},
        {{3}, {1, 2}, SETPAY_OK, false},
        {{1, 3}, {0}, SETPAY_E_AUTH_MISMATCH, false},       /* one is missing */
        {{1, 3}, {4}, SETPAY_E_AUTH_MISMATCH, false},       /* it is another's */
        {{2, 2}, {3}, SETPAY_E_AUTH_MISMATCH, false},       /* twice */
        {{2, 1}, {2}, SETPAY_E_AUTH_MISMATCH, false},       /* both done and refused */
        {{1, 2, 3, 4}, {0}, SETPAY_E_AUTH_MISMATCH, false}, /* more than was asked */
        {{0}, {0}, SETPAY_E_AUTH_MISMATCH, false},
    };
    const struct setpay_id own = test_id(2);
    struct setpay_merchant_ask ask;
    struct setpay_step steps[ASKED];
    (void)state;
    for (size_t i = 0; i < ASKED; i++)
        steps[i] = (struct setpay_step){
            .xid = test_id((uint8_t)(i + 1)), .of = test_id(9), .amount = {100, "EUR"}};
    const struct setpay_step_req many = {
        .header = {.rrpid = test_id(7),
                   .date_ms = NOW_MS,
                   .has_sender = true,
                   .sender = test_digest(1),
                   .has_receiver = true,
                   .receiver = test_digest(2)},
        .brand = "visa",
        .merchant_id = "shop-1",
        .steps = steps,
        .step_count = ASKED,
    };
    setpay_merchant_ask_init(&ask);
    assert_int_equal(setpay_step_req_build(&many, &ask.content), SETPAY_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct setpay_step_done done[ASKED + 1] = {{.amount = {0}}};
        struct setpay_step_refused refused[ASKED + 1] = {{.code = 0}};
        struct setpay_step_res answer = {.done = done, .refused = refused};
        while (answer.done_count <= ASKED && rows[i].done[answer.done_count] != 0) {
            done[answer.done_count].xid = test_id(rows[i].done[answer.done_count]);
            answer.done_count++;
        }
        while (answer.refused_count <= ASKED && rows[i].refused[answer.refused_count] != 0) {
            refused[answer.refused_count].xid = test_id(rows[i].refused[answer.refused_count]);
            answer.refused_count++;
        }
        assert_int_equal(setpay_merchant_together_pick(&ask, &own, &answer), rows[i].error);
        if (rows[i].error != SETPAY_OK)
            continue;
        assert_int_equal(answer.done_count, rows[i].is_done ? 1 : 0);
        assert_int_equal(answer.refused_count, rows[i].is_done ? 0 : 1);
        assert_true(setpay_id_equal(rows[i].is_done ? &done[0].xid : &refused[0].xid, &own));
    }
    setpay_merchant_ask_clear(&ask);
}

/* What the gateway's present trouble is, is no word about the step; all else ends it. */
static void which_refusals_are_for_now(void **state)
{
    static const uint32_t later[] = {
        SETPAY_WIRE_UNSPECIFIED, SETPAY_WIRE_CERTIFICATE, SETPAY_WIRE_CERTIFICATE_MISSING,
        SETPAY_WIRE_REVOKED,     SETPAY_WIRE_DATE,        SETPAY_WIRE_BUSY};
    (void)state;
    for (uint32_t code = 1; code <= 999; code++) {
        bool is_later = false;
        for (size_t i = 0; i < COUNT(later); i++)
            is_later = is_later || later[i] == code;
        assert_int_equal(setpay_merchant_step_is_later(code), is_later);
    }
}

/* ------------------------------------------------------------------ the rows */

static const struct setpay_store_migration migrations[] = {
    {1, SETPAY_ORDER_SCHEMA SETPAY_SHIP_TO_SCHEMA SETPAY_CATALOGUE_SCHEMA SETPAY_STOCK_LEVEL_SCHEMA
            SETPAY_PART_SCHEMA SETPAY_PART_SETTLED_SCHEMA SETPAY_PURCHASE_SCHEMA},
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
    struct world w;
};

static int open_rows(void **state)
{
    struct rows *r = calloc(1, sizeof *r);
    struct setpay_problem problem;
    test_folder_make(&r->folder);
    const struct setpay_store_options options = {.url = r->folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &r->store, &problem), SETPAY_OK);
    r->w = authorised(1000);
    r->w.purchase.dual_signature.size = 70;
    r->w.purchase.terms.kind = SETPAY_TERMS_SINGLE;
    memcpy(r->w.purchase.order_id, "ord_1", 6);
    *state = r;
    return 0;
}

static int close_rows(void **state)
{
    struct rows *r = *state;
    setpay_store_close(r->store);
    test_folder_remove(&r->folder);
    free(r->w.steps);
    free(r);
    return 0;
}

static enum setpay_error insert_purchase(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    return setpay_merchant_purchase_insert(db, setpay_view_string("certificate"), &r->w.purchase);
}

static enum setpay_error read_rows(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    SETPAY_TRY(setpay_merchant_purchase_find(db, &r->w.purchase.xid, &r->w.purchase));
    return setpay_merchant_step_list(db, r->w.purchase.id, &r->w.steps);
}

struct wish {
    struct rows *r;
    struct setpay_step_wish wish;
    int64_t number;
};

static enum setpay_error make_wish(struct setpay_db *db, void *arg)
{
    struct wish *wish = arg;
    return setpay_merchant_payment_port.step(db, &wish->wish, NOW_MS, &wish->number);
}

/* Each on its own transaction: what the first has taken the second has not. */
static void two_clients_get_no_more_than_there_is(void **state)
{
    struct rows *r = *state;
    struct wish wishes[2];
    assert_int_equal(setpay_store_submit_wait(r->store, insert_purchase, r), SETPAY_OK);
    for (size_t i = 0; i < 2; i++) {
        wishes[i] = (struct wish){
            .r = r,
            .wish = {.xid = r->w.purchase.xid, .kind = CAPTURE, .amount_minor = 600},
        };
        assert_int_equal(setpay_store_submit_wait(r->store, make_wish, &wishes[i]),
                         i == 0 ? SETPAY_OK : SETPAY_E_AMOUNT_LIMIT);
    }
    wishes[1].wish.amount_minor = 400;
    assert_int_equal(setpay_store_submit_wait(r->store, make_wish, &wishes[1]), SETPAY_OK);
    assert_true(wishes[1].number > wishes[0].number);
    int64_t version = r->w.purchase.version;
    assert_int_equal(setpay_store_submit_wait(r->store, read_rows, r), SETPAY_OK);
    assert_int_equal(r->w.purchase.state, SETPAY_PURCHASE_STEPPING);
    assert_int_equal(r->w.purchase.version, version + 2); /* who decided before decides anew */
    assert_int_equal(r->w.steps->count, 2);
    assert_int_equal(setpay_merchant_step_first(r->w.steps)->amount_minor, 600); /* in order */
    const struct setpay_id nobody = test_id(0x99);
    wishes[1].wish.of = &nobody;
    wishes[1].wish.kind = CREDIT;
    assert_int_equal(setpay_store_submit_wait(r->store, make_wish, &wishes[1]), SETPAY_E_NOT_FOUND);
}

static enum setpay_error wish_for_void(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    return setpay_merchant_payment_port.reverse(db, &r->w.purchase.xid, NOW_MS);
}

/* A void beside a capture is a step behind it, once; without one it is the whole reversal. */
static void a_void_waits_its_turn(void **state)
{
    struct rows *r = *state;
    struct wish wish = {.r = r};
    assert_int_equal(setpay_store_submit_wait(r->store, insert_purchase, r), SETPAY_OK);
    wish.wish =
        (struct setpay_step_wish){.xid = r->w.purchase.xid, .kind = CAPTURE, .amount_minor = 600};
    assert_int_equal(setpay_store_submit_wait(r->store, make_wish, &wish), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(r->store, wish_for_void, r), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(r->store, wish_for_void, r), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(r->store, read_rows, r), SETPAY_OK);
    assert_int_equal(r->w.steps->count, 2);
    assert_int_equal(r->w.steps->list[1].kind, RELEASE);
    assert_int_equal(r->w.steps->list[1].amount_minor, 400);
    assert_false(r->w.steps->list[1].part);
    assert_int_equal(r->w.purchase.state, SETPAY_PURCHASE_STEPPING);
}

/* What waits to be given up is not captured, nor given up again, and the rest is still to be had.
 */
static void a_part_is_given_up_once(void **state)
{
    static const struct {
        enum setpay_merchant_step_kind kind;
        int64_t minor;
        enum setpay_error error;
    } wishes[] = {
        {RELEASE, 1001, SETPAY_E_AMOUNT_LIMIT},
        {RELEASE, -1, SETPAY_E_AMOUNT_LIMIT},
        {RELEASE, 300, SETPAY_OK},
        {CAPTURE, 701, SETPAY_E_AMOUNT_LIMIT},
        {CAPTURE, 600, SETPAY_OK},
        {RELEASE, 101, SETPAY_E_AMOUNT_LIMIT},
        {RELEASE, 100, SETPAY_OK},
        {RELEASE, 1, SETPAY_E_AMOUNT_LIMIT},
        {RELEASE, 0, SETPAY_E_AMOUNT_LIMIT},
        {CAPTURE, 1, SETPAY_E_AMOUNT_LIMIT},
    };
    struct rows *r = *state;
    assert_int_equal(setpay_store_submit_wait(r->store, insert_purchase, r), SETPAY_OK);
    for (size_t i = 0; i < COUNT(wishes); i++) {
        struct wish wish = {.r = r,
                            .wish = {.xid = r->w.purchase.xid,
                                     .kind = wishes[i].kind,
                                     .amount_minor = wishes[i].minor}};
        assert_int_equal(setpay_store_submit_wait(r->store, make_wish, &wish), wishes[i].error);
    }
    assert_int_equal(setpay_store_submit_wait(r->store, read_rows, r), SETPAY_OK);
    assert_int_equal(r->w.steps->count, 3);
    assert_true(r->w.steps->list[0].part);
    assert_int_equal(r->w.steps->list[0].amount_minor, 300);
    assert_int_equal(r->w.steps->list[2].amount_minor, 100);
}

/* Of 1000, 300 are of a second authorisation. */
static enum setpay_error insert_second(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    SETPAY_TRY(insert_purchase(db, r));
    struct setpay_merchant_step second = {.purchase_id = r->w.purchase.id,
                                          .name = test_id(0x70),
                                          .kind = SETPAY_MERCHANT_STEP_AUTHORISE,
                                          .state = SETPAY_MERCHANT_STEP_DONE,
                                          .amount_minor = 300,
                                          .has_token = true,
                                          .token = test_id(0x71),
                                          .hold_expiry_ms = NOW_MS};
    SETPAY_TRY(setpay_merchant_step_insert(db, &second));
    return setpay_merchant_step_update(db, &second); /* what an answer brings */
}

/* What the hold that has ended would pay for is refused, and not asked for in some part. */
static void what_one_hold_is_too_small_for_is_refused(void **state)
{
    static const struct {
        enum setpay_merchant_step_kind kind;
        int64_t minor;
        enum setpay_error error;
    } wishes[] = {
        {CAPTURE, 701, SETPAY_E_HOLD_OVER},  {CAPTURE, 1000, SETPAY_E_HOLD_OVER},
        {RELEASE, 701, SETPAY_E_HOLD_OVER},  {CAPTURE, 1001, SETPAY_E_AMOUNT_LIMIT},
        {CAPTURE, 0, SETPAY_E_AMOUNT_LIMIT}, {CAPTURE, 700, SETPAY_OK},
        {CAPTURE, 1, SETPAY_E_HOLD_OVER},
    };
    struct rows *r = *state;
    assert_int_equal(setpay_store_submit_wait(r->store, insert_second, r), SETPAY_OK);
    for (size_t i = 0; i < COUNT(wishes); i++) {
        struct wish wish = {.r = r,
                            .wish = {.xid = r->w.purchase.xid,
                                     .kind = wishes[i].kind,
                                     .amount_minor = wishes[i].minor}};
        assert_int_equal(setpay_store_submit_wait(r->store, make_wish, &wish), wishes[i].error);
    }
    assert_int_equal(setpay_store_submit_wait(r->store, read_rows, r), SETPAY_OK);
    assert_int_equal(r->w.steps->count, 2);
    assert_int_equal(r->w.steps->list[1].amount_minor, 700);
}

/* ------------------------------------------------------------------ an agreement that is ended */

/* A purchase of a split, authorised for 600 of 1000, with an agreement. */
static enum setpay_error insert_agreed(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    struct setpay_merchant_purchase *purchase = &r->w.purchase;
    purchase->terms.kind = SETPAY_TERMS_SPLIT;
    purchase->approved_minor = 600;
    purchase->first_minor = 600;
    SETPAY_TRY(insert_purchase(db, r));
    const struct setpay_merchant_agreement agreement = {
        .purchase_id = purchase->id,
        .has_auth_token = true,
        .auth_token = test_id(0x61),
        .schedule = SETPAY_SCHEDULE_MANUAL,
        .taken_count = 1,
        .last_ms = NOW_MS,
        .created_ms = NOW_MS,
    };
    return setpay_merchant_agreement_insert(db, &agreement);
}

static enum setpay_error wish_for_another(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    int64_t number;
    return setpay_merchant_payment_port.authorise(db, &r->w.purchase.xid, 300, false, NOW_MS,
                                                  &number);
}

static enum setpay_error end_agreement(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    return setpay_merchant_payment_port.end_agreement(db, &r->w.purchase.xid, NOW_MS + 5);
}

/* Its request is kept: it may have left. */
static enum setpay_error keep_request(struct setpay_db *db, void *arg)
{
    struct rows *r = arg;
    struct setpay_merchant_ask ask;
    setpay_merchant_ask_init(&ask);
    ask.kind = SETPAY_ASK_FURTHER;
    ask.rrpid = test_id(0x71);
    ask.created_ms = NOW_MS;
    ask.step_id = r->w.steps->list[r->w.steps->count - 1].id;
    ask.signature.size = 8;
    enum setpay_error error = setpay_buffer_append(&ask.content, setpay_view_string("content"));
    if (error == SETPAY_OK)
        error = setpay_merchant_ask_insert(db, r->w.purchase.id, &ask);
    setpay_merchant_ask_clear(&ask);
    return error;
}

static void run(struct rows *r, enum setpay_error (*operation)(struct setpay_db *db, void *arg),
                enum setpay_error expected)
{
    assert_int_equal(setpay_store_submit_wait(r->store, operation, r), expected);
    assert_int_equal(setpay_store_submit_wait(r->store, read_rows, r), SETPAY_OK);
}

/* A payment that waits does not come after the store has ended what it is of. */
static void what_waits_is_withdrawn(void **state)
{
    struct rows *r = *state;
    run(r, insert_agreed, SETPAY_OK);
    run(r, wish_for_another, SETPAY_OK);
    assert_int_equal(r->w.purchase.state, SETPAY_PURCHASE_STEPPING);
    int64_t version = r->w.purchase.version;
    run(r, end_agreement, SETPAY_OK);
    assert_int_equal(r->w.steps->count, 1);
    assert_int_equal(r->w.steps->list[0].state, SETPAY_MERCHANT_STEP_REFUSED);
    assert_int_equal(r->w.steps->list[0].code, SETPAY_WIRE_AGREEMENT);
    assert_int_equal(r->w.steps->list[0].decided_ms, NOW_MS + 5);
    assert_int_equal(r->w.purchase.state, SETPAY_PURCHASE_AUTHORISED);
    assert_true(r->w.purchase.version > version);
    run(r, end_agreement, SETPAY_OK); /* again */
    run(r, wish_for_another, SETPAY_E_STATE);
    assert_int_equal(r->w.steps->count, 1);
}

/* Behind a capture that goes on. */
static void what_waits_behind_others_is_withdrawn(void **state)
{
    struct rows *r = *state;
    struct wish wish = {.r = r};
    run(r, insert_agreed, SETPAY_OK);
    wish.wish =
        (struct setpay_step_wish){.xid = r->w.purchase.xid, .kind = CAPTURE, .amount_minor = 100};
    assert_int_equal(setpay_store_submit_wait(r->store, make_wish, &wish), SETPAY_OK);
    run(r, wish_for_another, SETPAY_OK);
    run(r, end_agreement, SETPAY_OK);
    assert_int_equal(r->w.steps->list[0].state, SETPAY_MERCHANT_STEP_ASKING);
    assert_int_equal(r->w.steps->list[1].state, SETPAY_MERCHANT_STEP_REFUSED);
    assert_int_equal(r->w.purchase.state, SETPAY_PURCHASE_STEPPING);
}

/* What has left is awaited: nobody knows what became of it. */
static void what_has_left_is_awaited(void **state)
{
    struct rows *r = *state;
    run(r, insert_agreed, SETPAY_OK);
    run(r, wish_for_another, SETPAY_OK);
    run(r, keep_request, SETPAY_OK);
    run(r, end_agreement, SETPAY_OK);
    assert_int_equal(r->w.steps->list[0].state, SETPAY_MERCHANT_STEP_ASKING);
    assert_int_equal(r->w.purchase.state, SETPAY_PURCHASE_STEPPING);
    run(r, wish_for_another, SETPAY_E_STATE);
}

/* ------------------------------------------------------------------ batches */

struct batch_test {
    struct setpay_merchant_batch batch;
    struct setpay_id names[16];
    size_t count;
    enum setpay_error again;
};

static enum setpay_error meet_and_close(struct setpay_db *db, void *arg)
{
    struct batch_test *t = arg;
    SETPAY_TRY(setpay_merchant_batch_meet(db, "visa", 1, NOW_MS));
    SETPAY_TRY(setpay_merchant_batch_meet(db, "visa", 1, NOW_MS));
    SETPAY_TRY(setpay_merchant_batch_meet(db, "mastercard", 1, NOW_MS));
    t->again = setpay_merchant_batch_find_closing(db, "visa", &t->batch);
    SETPAY_TRY(setpay_merchant_batch_close(db, "visa", t->names, 16, &t->count));
    SETPAY_TRY(setpay_merchant_batch_close(db, "visa", t->names, 16, &t->count));
    return setpay_merchant_batch_find_closing(db, "visa", &t->batch);
}

static enum setpay_error closed(struct setpay_db *db, void *arg)
{
    struct batch_test *t = arg;
    SETPAY_TRY(setpay_merchant_batch_closed(db, &t->batch, NOW_MS));
    t->again = setpay_merchant_batch_closed(db, &t->batch, NOW_MS);
    return setpay_merchant_batch_close(db, NULL, t->names, 16, &t->count);
}

static void a_batch_is_closed_once(void **state)
{
    struct rows *r = *state;
    struct batch_test t = {.count = 0};
    assert_int_equal(setpay_store_submit_wait(r->store, meet_and_close, &t), SETPAY_OK);
    assert_int_equal(t.again, SETPAY_E_NOT_FOUND); /* nobody had wished for it */
    assert_int_equal(t.count, 1);
    assert_int_equal(t.batch.number, 1);
    assert_int_equal(setpay_store_submit_wait(r->store, closed, &t), SETPAY_OK);
    assert_int_equal(t.again, SETPAY_E_CONFLICT);
    assert_int_equal(t.count, 1); /* the other brand's alone */
}

static struct setpay_batch_item item(uint8_t token, int64_t minor)
{
    return (struct setpay_batch_item){.kind = SETPAY_BATCH_CAPTURE,
                                      .xid = test_id(1),
                                      .id = test_id(token),
                                      .amount = {minor, "EUR"}};
}

/* Each item that one side has alone, or otherwise, is named; and nothing else. */
static void items_that_differ_are_named(void **state)
{
    struct setpay_batch_item ours[] = {item(9, 500), item(1, 100), item(3, 300), item(5, 50)};
    struct setpay_batch_item theirs[] = {item(1, 100), item(3, 301), item(4, 400), item(5, 50)};
    struct setpay_merchant_difference found[8];
    size_t count = 0;
    (void)state;
    theirs[3].kind = SETPAY_BATCH_CREDIT;
    setpay_merchant_batch_compare(ours, 4, theirs, 4, found, 8, &count);
    assert_int_equal(count, 5);
    static const struct {
        uint8_t token;
        int64_t ours, theirs;
    } expected[] = {{3, 300, 301}, {4, 0, 400}, {5, 50, 0}, {5, 0, 50}, {9, 500, 0}};
    for (size_t i = 0; i < 5; i++) {
        const struct setpay_id token = test_id(expected[i].token);
        assert_true(setpay_id_equal(&found[i].token, &token));
        assert_int_equal(found[i].ours_minor, expected[i].ours);
        assert_int_equal(found[i].theirs_minor, expected[i].theirs);
    }
    setpay_merchant_batch_compare(ours, 4, theirs, 4, found, 2, &count);
    assert_int_equal(count, 2);
    setpay_merchant_batch_compare(ours, 4, ours, 4, found, 8, &count);
    assert_int_equal(count, 0);
    setpay_merchant_batch_compare(NULL, 0, NULL, 0, found, 8, &count);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_thought_about),
        cmocka_unit_test(captures_to_the_last_unit),
        cmocka_unit_test(the_last_refusal_leaves_the_hold),
        cmocka_unit_test(only_what_is_authorised_is_stepped),
        cmocka_unit_test(credits_what_was_captured),
        cmocka_unit_test(releases_what_is_left),
        cmocka_unit_test(a_part_of_what_is_over_is_refused),
        cmocka_unit_test(steps_have_room),
        cmocka_unit_test(another_answer_is_no_answer),
        cmocka_unit_test(another_refusal_is_no_answer),
        cmocka_unit_test(an_answer_to_many_has_each_once),
        cmocka_unit_test(which_refusals_are_for_now),
        cmocka_unit_test_setup_teardown(two_clients_get_no_more_than_there_is, open_rows,
                                        close_rows),
        cmocka_unit_test_setup_teardown(a_void_waits_its_turn, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(a_part_is_given_up_once, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(what_one_hold_is_too_small_for_is_refused, open_rows,
                                        close_rows),
        cmocka_unit_test_setup_teardown(what_waits_is_withdrawn, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(what_waits_behind_others_is_withdrawn, open_rows,
                                        close_rows),
        cmocka_unit_test_setup_teardown(what_has_left_is_awaited, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(a_batch_is_closed_once, open_rows, close_rows),
        cmocka_unit_test(items_that_differ_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
