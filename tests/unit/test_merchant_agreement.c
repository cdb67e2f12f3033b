/*
 * Agreements at the merchant without a gateway: what comes next and when, to the last instalment
 * and the last day; what each answer and each Error does; how authorisations are counted apart; and
 * what follows by itself from a sale that is undone or a hold that has ended.
 */
#include "common/wire/signed.h"
#include "merchant/payment/agreement.h"
#include "merchant/payment/authorisation.h"
#include "merchant/payment/due.h"
#include "merchant/payment/rules.h"
#include "merchant/store/order_terms.h"
#include "tests/support/test_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS TEST_DATE_MS
#define DAYS(n) ((n)*SETPAY_DAY_MS)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define AUTHORISE SETPAY_MERCHANT_STEP_AUTHORISE
#define CAPTURE SETPAY_MERCHANT_STEP_CAPTURE

struct world {
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_agreement agreement;
    struct setpay_merchant_steps *steps;
    int64_t asked; /* the steps that were appended here */
};

/* Authorised at NOW_MS for the first payment, which is held. */
static struct world agreed(enum setpay_terms_kind kind, uint32_t count, int64_t amount,
                           int64_t each)
{
    bool repeats = kind != SETPAY_TERMS_SPLIT;
    struct world w = {
        .purchase = {.id = 1,
                     .state = SETPAY_PURCHASE_ASKING,
                     .xid = test_id(0x10),
                     .brand = "visa",
                     .amount = {amount, "EUR"},
                     .first_minor = repeats && each < amount ? each : amount,
                     .terms = {.kind = kind,
                               .count = repeats ? count : 0,
                               .interval_days = repeats ? 28 : 0,
                               .each_minor = repeats ? each : 0,
                               .end_ms = repeats ? NOW_MS + DAYS(400) : 0}},
        .steps = setpay_merchant_steps_new(SETPAY_MERCHANT_STEPS_MAX),
    };
    struct setpay_auth_res answer = {.outcome = SETPAY_AUTH_APPROVED,
                                     .header.date_ms = NOW_MS,
                                     .amount = {w.purchase.first_minor, "EUR"},
                                     .hold_expiry_ms = NOW_MS + DAYS(7),
                                     .has_cap_token = true,
                                     .cap_token = test_id(0x50),
                                     .has_auth_token = true,
                                     .auth_token = test_id(0x60)};
    assert_non_null(w.steps);
    assert_int_equal(setpay_merchant_auth_res_apply(&answer, NOW_MS, &w.purchase), SETPAY_OK);
    w.purchase.answered = true;
    setpay_merchant_agreement_begin(&w.purchase, SETPAY_SCHEDULE_AUTOMATIC, &answer, NOW_MS,
                                    &w.agreement);
    return w;
}

static void forget(struct world *w)
{
    free(w->steps);
}

static struct setpay_merchant_step *append(struct world *w, enum setpay_merchant_step_kind kind,
                                           int64_t of_id, int64_t minor, bool sale)
{
    struct setpay_merchant_step *step = &w->steps->list[w->steps->count++];
    *step = (struct setpay_merchant_step){.id = (int64_t)w->steps->count,
                                          .kind = kind,
                                          .state = SETPAY_MERCHANT_STEP_ASKING,
                                          .name = test_id((uint8_t)w->steps->count),
                                          .of_id = of_id,
                                          .amount_minor = minor,
                                          .sale = sale};
    assert_int_equal(
        setpay_purchase_state_next(w->purchase.state, SETPAY_PURCHASE_STEP, &w->purchase.state),
        SETPAY_OK);
    return step;
}

static struct setpay_auth_res approval(int64_t minor, setpay_time_ms at_ms, bool sale)
{
    struct setpay_auth_res answer = {.outcome = SETPAY_AUTH_APPROVED,
                                     .header.date_ms = at_ms,
                                     .amount = {minor, "EUR"},
                                     .action_code = "00",
                                     .hold_expiry_ms = at_ms + DAYS(7),
                                     .has_cap_token = true,
                                     .cap_token = test_id((uint8_t)(minor & 0xff)),
                                     .has_auth_token = true,
                                     .auth_token = test_id(0x60),
                                     .has_capture = sale};
    answer.capture = (struct setpay_step_done){
        .amount = {minor, "EUR"}, .id = test_id((uint8_t)(0x80 + minor % 16)), .batch = 3};
    return answer;
}

static struct setpay_auth_res decline(const char *code, setpay_time_ms at_ms)
{
    struct setpay_auth_res answer = {.outcome = SETPAY_AUTH_DECLINED, .header.date_ms = at_ms};
    memcpy(answer.action_code, code, 3);
    return answer;
}

/* The step at hand is answered, as step_outcome.c does it. */
static void answered(struct world *w, const struct setpay_auth_res *answer)
{
    bool again = true;
    const struct setpay_merchant_step *step = setpay_merchant_step_first(w->steps);
    bool permitted = answer->outcome == SETPAY_AUTH_DECLINED ||
                     setpay_merchant_agreement_permits(&w->purchase, &w->agreement, step, answer);
    const struct setpay_merchant_step_outcome outcome = {.answer = answer, .unwanted = !permitted};
    assert_int_equal(setpay_merchant_step_apply(&outcome, answer->header.date_ms, &w->purchase,
                                                w->steps, &again),
                     SETPAY_OK);
    assert_false(again);
    for (size_t i = 0; i < w->steps->count; i++) {
        struct setpay_merchant_step *stored = &w->steps->list[i];
        stored->id = (int64_t)i + 1;
        if (stored->of_id == SETPAY_MERCHANT_STEP_BEFORE)
            stored->of_id = (int64_t)i;
    }
    setpay_merchant_agreement_answered(w->steps, answer, permitted, answer->header.date_ms,
                                       &w->agreement);
    setpay_merchant_agreement_settle(&w->purchase, answer->header.date_ms, &w->agreement);
}

static setpay_time_ms due(const struct world *w, setpay_time_ms now_ms)
{
    return setpay_merchant_agreement_due_ms(&w->purchase, w->steps, &w->agreement, now_ms);
}

/* ------------------------------------------------------------------ the schedule */

/* Each interval runs from the approval before, by the gateway's date, and not from when it was due.
 */
static void a_subscription_is_taken_to_its_end(void **state)
{
    struct world w = agreed(SETPAY_TERMS_RECURRING, 3, 999, 999);
    struct setpay_auth_res answer;
    (void)state;
    assert_int_equal(due(&w, NOW_MS), NOW_MS + DAYS(28));
    assert_int_equal(setpay_merchant_agreement_next_minor(&w.purchase, &w.agreement), 999);
    assert_int_equal(setpay_merchant_agreement_check(&w.purchase, w.steps, &w.agreement, 999,
                                                     NOW_MS + DAYS(28) - 1),
                     SETPAY_E_TOO_SOON);
    assert_int_equal(setpay_merchant_agreement_check(&w.purchase, w.steps, &w.agreement, 1000,
                                                     NOW_MS + DAYS(28)),
                     SETPAY_E_AMOUNT_LIMIT);
    assert_int_equal(
        setpay_merchant_agreement_check(&w.purchase, w.steps, &w.agreement, 999, NOW_MS + DAYS(28)),
        SETPAY_OK);
    append(&w, AUTHORISE, 0, 999, true);
    assert_int_equal(due(&w, NOW_MS + DAYS(28)), INT64_MAX); /* one at a time */
    assert_int_equal(
        setpay_merchant_agreement_check(&w.purchase, w.steps, &w.agreement, 999, NOW_MS + DAYS(28)),
        SETPAY_E_STATE);
    answer = approval(999, NOW_MS + DAYS(30), true); /* two days late */
    answered(&w, &answer);
    assert_int_equal(w.purchase.state, SETPAY_PURCHASE_CAPTURED);
    assert_int_equal(w.purchase.approved_minor, 1998);
    assert_int_equal(w.purchase.captured_minor, 999);
    assert_int_equal(due(&w, NOW_MS + DAYS(30)), NOW_MS + DAYS(58));
    append(&w, AUTHORISE, 0, 999, true);
    answer = approval(999, NOW_MS + DAYS(58), true);
    answer.has_auth_token = false; /* nothing can follow */
    answered(&w, &answer);
    assert_int_equal(w.agreement.ended, SETPAY_ENDED_COMPLETED);
    assert_int_equal(due(&w, NOW_MS + DAYS(100)), INT64_MAX);
    forget(&w);
}

static void the_last_instalment_is_the_rest(void **state)
{
    struct world w = agreed(SETPAY_TERMS_INSTALMENT, 4, 1000, 300);
    (void)state;
    static const int64_t expected[] = {300, 300, 100};
    for (size_t i = 0; i < COUNT(expected); i++) {
        setpay_time_ms at_ms = NOW_MS + DAYS(28) * (int64_t)(i + 1);
        assert_int_equal(setpay_merchant_agreement_next_minor(&w.purchase, &w.agreement),
                         expected[i]);
        append(&w, AUTHORISE, 0, expected[i], true);
        const struct setpay_auth_res answer = approval(expected[i], at_ms, true);
        answered(&w, &answer);
    }
    assert_int_equal(w.purchase.approved_minor, 1000);
    assert_int_equal(w.agreement.ended, SETPAY_ENDED_COMPLETED);
    forget(&w);
}

static void an_agreement_ends_with_its_day(void **state)
{
    struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
    (void)state;
    w.purchase.terms.end_ms = NOW_MS + DAYS(27);
    assert_int_equal(due(&w, NOW_MS), NOW_MS); /* to be ended: the next would be too late */
    setpay_merchant_agreement_settle(&w.purchase, NOW_MS, &w.agreement);
    assert_int_equal(w.agreement.ended, SETPAY_ENDED_EXPIRED);
    forget(&w);
    w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
    w.agreement.schedule = SETPAY_SCHEDULE_MANUAL; /* the store asks; the end is watched */
    assert_int_equal(due(&w, NOW_MS), w.purchase.terms.end_ms + 1);
    forget(&w);
    w = agreed(SETPAY_TERMS_SPLIT, 0, 1000, 0); /* all is held: given up, it may be taken again */
    assert_int_equal(w.agreement.ended, SETPAY_ENDED_NOT);
    assert_int_equal(due(&w, NOW_MS), INT64_MAX);
    w.purchase.captured_minor = 1000;
    assert_int_equal(due(&w, NOW_MS), NOW_MS);
    setpay_merchant_agreement_settle(&w.purchase, NOW_MS, &w.agreement);
    assert_int_equal(w.agreement.ended, SETPAY_ENDED_COMPLETED);
    forget(&w);
}

/* ------------------------------------------------------------------ declines */

static void a_decline_waits_as_card_networks_say(void **state)
{
    static const struct {
        const char *code;
        int64_t wait_ms; /* 0: never again */
    } rows[] = {
        {"51", SETPAY_DAY_MS + SETPAY_MERCHANT_CLOCKS_MS},
        {"05", SETPAY_DAY_MS + SETPAY_MERCHANT_CLOCKS_MS},
        {"91", SETPAY_HOUR_MS},
        {"96", SETPAY_HOUR_MS},
        {"04", 0},
        {"07", 0},
        {"14", 0},
        {"41", 0},
        {"43", 0},
        {"46", 0},
        {"R0", 0},
        {"R1", 0},
        {"R3", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
        setpay_time_ms at_ms = NOW_MS + DAYS(28);
        const struct setpay_auth_res answer = decline(rows[i].code, at_ms);
        struct setpay_merchant_step *step = append(&w, AUTHORISE, 0, 999, true);
        answered(&w, &answer);
        assert_int_equal(step->state, SETPAY_MERCHANT_STEP_DECLINED);
        assert_int_equal(w.purchase.state, SETPAY_PURCHASE_AUTHORISED); /* it ends nothing */
        assert_int_equal(w.purchase.approved_minor, 999);
        assert_int_equal(w.agreement.taken_count, 1);
        if (rows[i].wait_ms == 0) {
            assert_int_equal(w.agreement.ended, SETPAY_ENDED_DECLINED);
        } else {
            assert_int_equal(w.agreement.ended, SETPAY_ENDED_NOT);
            assert_int_equal(due(&w, at_ms), at_ms + rows[i].wait_ms);
            assert_int_equal(setpay_merchant_agreement_check(&w.purchase, w.steps, &w.agreement,
                                                             999, at_ms + rows[i].wait_ms - 1),
                             SETPAY_E_TOO_SOON);
        }
        forget(&w);
    }
}

/* Fifteen in thirty days, and not one more until the first of them is older. */
static void no_more_tries_than_allowed(void **state)
{
    struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
    setpay_time_ms first_ms = NOW_MS + DAYS(28), at_ms = first_ms;
    (void)state;
    for (int i = 0; i < SETPAY_MERCHANT_DECLINES_MAX; i++) {
        const struct setpay_auth_res answer = decline("51", at_ms);
        append(&w, AUTHORISE, 0, 999, true);
        answered(&w, &answer);
        if (i < SETPAY_MERCHANT_DECLINES_MAX - 1) {
            assert_true(due(&w, at_ms) < at_ms + DAYS(2));
            at_ms = due(&w, at_ms);
        }
    }
    assert_int_equal(due(&w, at_ms),
                     first_ms + SETPAY_MERCHANT_DECLINES_MS + SETPAY_MERCHANT_CLOCKS_MS);
    forget(&w);
}

/* ------------------------------------------------------------------ Errors */

static void each_error_has_its_meaning(void **state)
{
    static const struct {
        uint32_t code;
        bool cardholder_ended, ours_good;
        enum setpay_further_word word, of_cancellation;
        enum setpay_agreement_end end;
        int64_t retry_ms;
    } rows[] = {
        {SETPAY_WIRE_UNSPECIFIED, false, true, SETPAY_FURTHER_LATER, SETPAY_FURTHER_LATER, 0, 0},
        {SETPAY_WIRE_CERTIFICATE_MISSING, false, true, SETPAY_FURTHER_LATER, SETPAY_FURTHER_LATER,
         0, 0},
        {SETPAY_WIRE_BUSY, false, true, SETPAY_FURTHER_LATER, SETPAY_FURTHER_LATER, 0, 0},
        {SETPAY_WIRE_CERTIFICATE, false, true, SETPAY_FURTHER_LATER, SETPAY_FURTHER_LATER, 0, 0},
        {SETPAY_WIRE_CERTIFICATE, true, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_LATER,
         SETPAY_ENDED_CARD_ENDED, 0},
        {SETPAY_WIRE_REVOKED, false, false, SETPAY_FURTHER_LATER, SETPAY_FURTHER_LATER, 0, 0},
        {SETPAY_WIRE_REVOKED, false, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_LATER,
         SETPAY_ENDED_CARD_ENDED, 0},
        {SETPAY_WIRE_DATE, false, true, SETPAY_FURTHER_RENEW, SETPAY_FURTHER_RENEW, 0, 0},
        {SETPAY_WIRE_TOO_SOON, false, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_LATER, 0,
         SETPAY_HOUR_MS},
        {SETPAY_WIRE_AGREEMENT, false, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_LATER,
         SETPAY_ENDED_BY_GATEWAY, 0},
        {SETPAY_WIRE_EXPIRED, false, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_REFUSED,
         SETPAY_ENDED_BY_GATEWAY, 0},
        {SETPAY_WIRE_UNKNOWN_TRANSACTION, false, true, SETPAY_FURTHER_REFUSED,
         SETPAY_FURTHER_REFUSED, SETPAY_ENDED_UNKNOWN, 0},
        {SETPAY_WIRE_AMOUNT, false, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_LATER,
         SETPAY_ENDED_AMOUNT, 0},
        {SETPAY_WIRE_CRYPTOGRAPHIC, false, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_REFUSED, 0,
         SETPAY_DAY_MS},
        {SETPAY_WIRE_NOT_PERMITTED, false, true, SETPAY_FURTHER_REFUSED, SETPAY_FURTHER_REFUSED, 0,
         SETPAY_DAY_MS},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
        setpay_time_ms at_ms = NOW_MS + DAYS(28);
        assert_int_equal(setpay_merchant_further_word(SETPAY_ASK_FURTHER, rows[i].code, true,
                                                      rows[i].cardholder_ended, rows[i].ours_good),
                         rows[i].word);
        assert_int_equal(setpay_merchant_further_word(SETPAY_ASK_CANCEL, rows[i].code, true,
                                                      rows[i].cardholder_ended, rows[i].ours_good),
                         rows[i].of_cancellation);
        /* Nobody's word ends anything. */
        assert_int_not_equal(
            setpay_merchant_further_word(SETPAY_ASK_FURTHER, rows[i].code, false, true, true),
            SETPAY_FURTHER_REFUSED);
        assert_int_not_equal(
            setpay_merchant_further_word(SETPAY_ASK_CANCEL, rows[i].code, false, true, true),
            SETPAY_FURTHER_REFUSED);
        if (rows[i].word == SETPAY_FURTHER_REFUSED) {
            setpay_merchant_agreement_refused(&w.purchase, w.steps, rows[i].code, at_ms,
                                              &w.agreement);
            assert_int_equal(w.agreement.ended, rows[i].end);
            assert_int_equal(w.agreement.retry_ms,
                             rows[i].retry_ms == 0 ? 0 : at_ms + rows[i].retry_ms);
        }
        forget(&w);
    }
}

/* Too soon: not before the interval is over by our own count, and an hour at least; where the
 * issuer has said no within a day, a day. */
static void too_soon_is_tried_later(void **state)
{
    struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
    (void)state;
    setpay_merchant_agreement_refused(&w.purchase, w.steps, SETPAY_WIRE_TOO_SOON, NOW_MS,
                                      &w.agreement);
    assert_int_equal(w.agreement.retry_ms, NOW_MS + DAYS(28));
    setpay_time_ms at_ms = NOW_MS + DAYS(28);
    const struct setpay_auth_res answer = decline("51", at_ms);
    append(&w, AUTHORISE, 0, 999, true);
    answered(&w, &answer);
    setpay_merchant_agreement_refused(&w.purchase, w.steps, SETPAY_WIRE_TOO_SOON, at_ms + 1,
                                      &w.agreement);
    assert_int_equal(w.agreement.retry_ms, at_ms + 1 + SETPAY_DAY_MS);
    forget(&w);
}

/* A store that asks itself may ask for another amount. */
static void an_amount_that_is_refused_ends_the_schedule_alone(void **state)
{
    struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
    (void)state;
    w.agreement.schedule = SETPAY_SCHEDULE_MANUAL;
    setpay_merchant_agreement_refused(&w.purchase, w.steps, SETPAY_WIRE_AMOUNT, NOW_MS,
                                      &w.agreement);
    assert_int_equal(w.agreement.ended, SETPAY_ENDED_NOT);
    forget(&w);
}

/* ------------------------------------------------------------------ rule M6 */

/* rule M6: an approval of more, of less, too early or too late is taken back, and the last one. */
static void what_breaks_the_terms_is_taken_back(void **state)
{
    static const struct {
        int64_t minor;
        setpay_time_ms at_ms;
        bool sale;
    } rows[] = {
        {1000, NOW_MS + DAYS(28), true},  {998, NOW_MS + DAYS(28), true},
        {1000, NOW_MS + DAYS(28), false}, {999, NOW_MS + DAYS(28) - 1, true},
        {999, NOW_MS + DAYS(401), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
        const struct setpay_auth_res answer = approval(rows[i].minor, rows[i].at_ms, rows[i].sale);
        append(&w, AUTHORISE, 0, 999, rows[i].sale);
        answered(&w, &answer);
        assert_int_equal(w.agreement.ended, SETPAY_ENDED_BREACH);
        assert_int_equal(w.purchase.state, SETPAY_PURCHASE_STEPPING);
        const struct setpay_merchant_step *next = setpay_merchant_step_first(w.steps);
        assert_int_equal(next->kind, rows[i].sale ? SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL
                                                  : SETPAY_MERCHANT_STEP_RELEASE);
        assert_int_equal(next->amount_minor, rows[i].minor);
        assert_true(next->urgent);
        forget(&w);
    }
}

/* One that the gateway took before the cancellation reached it is none of a breach; after its
 * receipt of the cancellation it is. */
static void a_payment_may_cross_a_cancellation(void **state)
{
    struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
    const struct setpay_auth_res answer = approval(999, NOW_MS + DAYS(28), true);
    const struct setpay_merchant_step *step = append(&w, AUTHORISE, 0, 999, true);
    (void)state;
    w.agreement.cancellation.size = 1;
    setpay_merchant_agreement_finish(SETPAY_ENDED_BY_SHOPPER, NOW_MS, &w.agreement);
    assert_true(setpay_merchant_agreement_permits(&w.purchase, &w.agreement, step, &answer));
    w.agreement.confirmed = true;
    assert_false(setpay_merchant_agreement_permits(&w.purchase, &w.agreement, step, &answer));
    assert_int_equal(due(&w, NOW_MS + DAYS(28)), INT64_MAX);
    setpay_merchant_agreement_finish(SETPAY_ENDED_EXPIRED, NOW_MS + 1, &w.agreement);
    assert_int_equal(w.agreement.ended, SETPAY_ENDED_BY_SHOPPER); /* the first reason stays */
    forget(&w);
}

/* ------------------------------------------------------------------ counted apart */

static void each_authorisation_is_counted_by_itself(void **state)
{
    struct world w = agreed(SETPAY_TERMS_SPLIT, 0, 1000, 0);
    struct setpay_merchant_authorisation first, second;
    bool again;
    (void)state;
    w.purchase.approved_minor = 300;
    append(&w, AUTHORISE, 0, 500, false);
    const struct setpay_auth_res answer = approval(500, NOW_MS + 1, false);
    answered(&w, &answer);
    append(&w, CAPTURE, 1, 400, false);
    assert_true(setpay_merchant_authorisation_find(&w.purchase, w.steps, 0, &first));
    assert_true(setpay_merchant_authorisation_find(&w.purchase, w.steps, 1, &second));
    assert_int_equal(setpay_merchant_authorisation_capturable(&first), 300);
    assert_int_equal(setpay_merchant_authorisation_capturable(&second), 100);
    assert_int_equal(setpay_merchant_step_capturable(&w.purchase, w.steps), 400);
    assert_int_equal(setpay_merchant_step_check(&w.purchase, w.steps, CAPTURE, &w.steps->list[0],
                                                101, NOW_MS + 1),
                     SETPAY_E_AMOUNT_LIMIT);
    assert_int_equal(
        setpay_merchant_step_check(&w.purchase, w.steps, CAPTURE, NULL, 301, NOW_MS + 1),
        SETPAY_E_AMOUNT_LIMIT);
    const struct setpay_step_done done = {.amount = {400, "EUR"}, .id = test_id(0x99)};
    const struct setpay_merchant_step_outcome outcome = {.done = &done};
    assert_int_equal(setpay_merchant_step_apply(&outcome, NOW_MS + 2, &w.purchase, w.steps, &again),
                     SETPAY_OK);
    assert_true(setpay_merchant_authorisation_find(&w.purchase, w.steps, 0, &first));
    assert_true(setpay_merchant_authorisation_find(&w.purchase, w.steps, 1, &second));
    assert_int_equal(setpay_merchant_authorisation_held(&first), 300);
    assert_int_equal(setpay_merchant_authorisation_held(&second), 100);
    assert_false(setpay_merchant_authorisation_find(&w.purchase, w.steps, 2, &second));
    /* Both holds end; the first one's is the earlier. */
    assert_int_equal(setpay_merchant_due_ms(&w.purchase, w.steps, &w.agreement, NOW_MS + 2),
                     w.purchase.hold_expiry_ms);
    forget(&w);
}

/* ------------------------------------------------------------------ what follows by itself */

/* A sale that is undone: the gateway has given up its authorisation, and nothing else is taken by
 * it until the receipt of that was asked for. */
static void an_undone_sale_is_released_first(void **state)
{
    struct world w = agreed(SETPAY_TERMS_RECURRING, 12, 999, 999);
    const struct setpay_auth_res answer = approval(999, NOW_MS + DAYS(28), true);
    bool again;
    (void)state;
    append(&w, AUTHORISE, 0, 999, true);
    answered(&w, &answer);
    append(&w, SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL, 2, 999, false);
    append(&w, AUTHORISE, 0, 999, true); /* asked for meanwhile */
    const struct setpay_step_done done = {.amount = {999, "EUR"}, .id = test_id(0x99)};
    const struct setpay_merchant_step_outcome undone = {.done = &done};
    assert_int_equal(
        setpay_merchant_step_apply(&undone, NOW_MS + DAYS(28), &w.purchase, w.steps, &again),
        SETPAY_OK);
    const struct setpay_merchant_step *next = setpay_merchant_step_first(w.steps);
    assert_int_equal(next->kind, SETPAY_MERCHANT_STEP_RELEASE);
    assert_int_equal(next->of_id, 1);
    assert_int_equal(next->amount_minor, 999);
    forget(&w);
}

/* A step that the gateway refuses for want of a receipt goes behind the release, and is asked for
 * again; a capture is refused, and whatever no hold stands in the way of. */
static void a_step_waits_for_the_end_of_a_hold(void **state)
{
    static const struct {
        enum setpay_merchant_step_kind kind;
        uint32_t code;
        setpay_time_ms at_ms;
        bool waits;
    } rows[] = {
        {SETPAY_MERCHANT_STEP_CREDIT, SETPAY_WIRE_EXPIRED, NOW_MS + DAYS(7), true},
        {SETPAY_MERCHANT_STEP_CREDIT, SETPAY_WIRE_EXPIRED, NOW_MS + DAYS(7) - 1, true}, /* clocks */
        {SETPAY_MERCHANT_STEP_CREDIT, SETPAY_WIRE_EXPIRED, NOW_MS + DAYS(6), false},
        {SETPAY_MERCHANT_STEP_CREDIT, SETPAY_WIRE_NOT_PERMITTED, NOW_MS + DAYS(7), false},
        {SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL, SETPAY_WIRE_EXPIRED, NOW_MS + DAYS(7), true},
        {CAPTURE, SETPAY_WIRE_EXPIRED, NOW_MS + DAYS(7), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w = agreed(SETPAY_TERMS_SPLIT, 0, 1000, 0);
        const struct setpay_step_done done = {.amount = {400, "EUR"}, .id = test_id(0x99)};
        const struct setpay_merchant_step_outcome captured = {.done = &done};
        const struct setpay_merchant_step_outcome refused = {.code = rows[i].code};
        bool again;
        append(&w, CAPTURE, 0, 400, false);
        assert_int_equal(
            setpay_merchant_step_apply(&captured, NOW_MS, &w.purchase, w.steps, &again), SETPAY_OK);
        struct setpay_merchant_step *step =
            append(&w, rows[i].kind, rows[i].kind == CAPTURE ? 0 : 1, 400, false);
        assert_int_equal(
            setpay_merchant_step_apply(&refused, rows[i].at_ms, &w.purchase, w.steps, &again),
            SETPAY_OK);
        assert_int_equal(again, rows[i].waits);
        assert_int_equal(step->state, rows[i].waits ? SETPAY_MERCHANT_STEP_ASKING
                                                    : SETPAY_MERCHANT_STEP_REFUSED);
        if (rows[i].waits) {
            assert_int_equal(setpay_merchant_step_first(w.steps)->kind,
                             SETPAY_MERCHANT_STEP_RELEASE);
            assert_int_equal(setpay_merchant_step_first(w.steps)->amount_minor, 600);
        }
        forget(&w);
    }
}

/* So it is where another authorisation's hold has ended: a capture, too, waits for that. */
static void a_step_waits_for_the_end_of_another_hold(void **state)
{
    static const enum setpay_merchant_step_kind kinds[] = {CAPTURE, SETPAY_MERCHANT_STEP_CREDIT};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct world w = agreed(SETPAY_TERMS_SPLIT, 0, 1000, 0);
        const struct setpay_merchant_step_outcome refused = {.code = SETPAY_WIRE_EXPIRED};
        struct setpay_auth_res later = approval(300, NOW_MS + DAYS(6), false);
        bool again;
        w.purchase.approved_minor = w.purchase.first_minor = 600;
        struct setpay_merchant_step *second = append(&w, AUTHORISE, 0, 300, false);
        answered(&w, &later);
        const struct setpay_step_done done = {.amount = {200, "EUR"}, .id = test_id(0x99)};
        const struct setpay_merchant_step_outcome captured = {.done = &done};
        append(&w, CAPTURE, second->id, 200, false);
        assert_int_equal(
            setpay_merchant_step_apply(&captured, NOW_MS + DAYS(6), &w.purchase, w.steps, &again),
            SETPAY_OK);
        struct setpay_merchant_step *step =
            append(&w, kinds[i], kinds[i] == CAPTURE ? second->id : 2, 50, false);
        assert_int_equal(
            setpay_merchant_step_apply(&refused, NOW_MS + DAYS(7), &w.purchase, w.steps, &again),
            SETPAY_OK);
        assert_true(again);
        assert_int_equal(step->state, SETPAY_MERCHANT_STEP_ASKING);
        const struct setpay_merchant_step *first = setpay_merchant_step_first(w.steps);
        assert_int_equal(first->kind, SETPAY_MERCHANT_STEP_RELEASE);
        assert_int_equal(first->of_id, 0);
        assert_int_equal(first->amount_minor, 600);
        forget(&w);
    }
}

/* What goes first may have been asked for while another step was at the gateway. */
static void an_answer_is_of_the_step_that_was_asked(void **state)
{
    struct world w = agreed(SETPAY_TERMS_SPLIT, 0, 1000, 0);
    const struct setpay_step_done done = {.amount = {400, "EUR"}, .id = test_id(0x99)};
    struct setpay_merchant_step_outcome captured = {.done = &done};
    bool again;
    (void)state;
    struct setpay_merchant_step *step = append(&w, CAPTURE, 0, 400, false);
    append(&w, SETPAY_MERCHANT_STEP_RELEASE, 0, 600, false)->urgent = true;
    captured.step_id = step->id;
    assert_int_equal(setpay_merchant_step_apply(&captured, NOW_MS, &w.purchase, w.steps, &again),
                     SETPAY_OK);
    assert_int_equal(step->state, SETPAY_MERCHANT_STEP_DONE);
    assert_int_equal(w.purchase.captured_minor, 400);
    assert_int_equal(setpay_merchant_step_first(w.steps)->kind, SETPAY_MERCHANT_STEP_RELEASE);
    assert_int_equal(setpay_merchant_step_apply(&captured, NOW_MS, &w.purchase, w.steps, &again),
                     SETPAY_E_STATE); /* it is done */
    forget(&w);
}

/* A release of a hold that has ended goes before what else waits, once nothing is at the gateway
 * that could change how much it is of. */
static void an_ended_hold_goes_first_once_it_is_certain(void **state)
{
    struct world w = agreed(SETPAY_TERMS_SPLIT, 0, 1000, 0);
    const struct setpay_merchant_step_outcome refused = {.code = SETPAY_WIRE_EXPIRED};
    bool again;
    (void)state;
    append(&w, CAPTURE, 0, 400, false);
    append(&w, AUTHORISE, 0, 100, false);
    struct setpay_merchant_step *release = append(&w, SETPAY_MERCHANT_STEP_RELEASE, 0, 1000, false);
    assert_int_equal(setpay_merchant_step_first(w.steps)->kind, CAPTURE);
    assert_int_equal(
        setpay_merchant_step_apply(&refused, NOW_MS + DAYS(7), &w.purchase, w.steps, &again),
        SETPAY_OK);
    assert_true(release->urgent);
    assert_ptr_equal(setpay_merchant_step_first(w.steps), release);
    forget(&w);
    w = agreed(SETPAY_TERMS_SPLIT, 0, 1000, 0); /* one that the store wished for waits its turn */
    append(&w, CAPTURE, 0, 400, false);
    append(&w, AUTHORISE, 0, 100, false);
    release = append(&w, SETPAY_MERCHANT_STEP_RELEASE, 0, 1000, false);
    assert_int_equal(
        setpay_merchant_step_apply(&refused, NOW_MS + DAYS(1), &w.purchase, w.steps, &again),
        SETPAY_OK);
    assert_false(release->urgent);
    forget(&w);
}

/* ------------------------------------------------------------------ words of a command line */

static void terms_are_read_from_a_text(void **state)
{
    struct setpay_order_terms read;
    struct setpay_json_fault fault;
    (void)state;
    json_t *terms =
        setpay_order_terms_of_text("recurring,count=12,interval_days=28,each=999,end=2027-02-28");
    assert_int_equal(setpay_order_terms_parse(terms, &read, &fault), SETPAY_OK);
    json_decref(terms);
    assert_int_equal(read.terms.kind, SETPAY_TERMS_RECURRING);
    assert_int_equal(read.terms.count, 12);
    assert_int_equal(read.terms.each_minor, 999);
    assert_int_equal(read.terms.end_ms, 1803859199999); /* 2027-02-28T23:59:59.999Z */
    static const struct {
        const char *text, *field;
    } bad[] = {
        {"", "terms.kind"},
        {"monthly", "terms.kind"},
        {"split,count=3", "terms.count"},
        {"recurring,count=12,each=999,end=2027-02-28", "terms.interval_days"},
        {"recurring,count=12,interval_days=28,each=9.99,end=2027-02-28", "terms.each"},
        {"recurring,count=12,interval_days=28,each=999,end=28.2.2027", "terms.end"},
        {"recurring,count=12,interval_days=28,each=999,end=2027-02-28,every=1", "terms.every"},
        {"recurring,count=12,interval_days=28,each=999,end=2027-02-28,schedule=now",
         "terms.schedule"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        terms = setpay_order_terms_of_text(bad[i].text);
        assert_int_equal(setpay_order_terms_parse(terms, &read, &fault), SETPAY_E_INVALID);
        assert_string_equal(fault.field, bad[i].field);
        json_decref(terms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_is_taken_to_its_end),
        cmocka_unit_test(the_last_instalment_is_the_rest),
        cmocka_unit_test(an_agreement_ends_with_its_day),
        cmocka_unit_test(a_decline_waits_as_card_networks_say),
        cmocka_unit_test(no_more_tries_than_allowed),
        cmocka_unit_test(each_error_has_its_meaning),
        cmocka_unit_test(too_soon_is_tried_later),
        cmocka_unit_test(an_amount_that_is_refused_ends_the_schedule_alone),
        cmocka_unit_test(what_breaks_the_terms_is_taken_back),
        cmocka_unit_test(a_payment_may_cross_a_cancellation),
        cmocka_unit_test(each_authorisation_is_counted_by_itself),
        cmocka_unit_test(an_undone_sale_is_released_first),
        cmocka_unit_test(a_step_waits_for_the_end_of_a_hold),
        cmocka_unit_test(a_step_waits_for_the_end_of_another_hold),
        cmocka_unit_test(an_answer_is_of_the_step_that_was_asked),
        cmocka_unit_test(an_ended_hold_goes_first_once_it_is_certain),
        cmocka_unit_test(terms_are_read_from_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
