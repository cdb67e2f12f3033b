/*
 * One payment of 10.00 EUR, step by step.
 */
#include "tests/support/test_life.h"

#include "gateway/clearing/presentment.h"
#include "gateway/payment/auth.h"
#include "gateway/payment/holds.h"
#include "gateway/payment/sale.h"

#include <stdio.h>
#include <string.h>

#define CAPTURE SETPAY_STEP_CAPTURE
#define CREDIT SETPAY_STEP_CREDIT
#define HOLD_MS (7 * SETPAY_DAY_MS)
#define KEEP_CARD_MS (180 * SETPAY_DAY_MS)
#define BEGIN_MS (20000 * SETPAY_DAY_MS)
#define BEGIN_DAY "2024-10-04"

static const struct setpay_fees no_fees = {.count = 0};

/* ------------------------------------------------------------------ names */

const char *test_life_op_name(enum test_life_op op)
{
    static const char *const names[TEST_LIFE_OPS] = {
        [TEST_LIFE_AUTHORISE] = "authorisation",
        [TEST_LIFE_DECLINE] = "authorisation that the issuer declines",
        [TEST_LIFE_SELL] = "sale",
        [TEST_LIFE_SPLIT] = "authorisation of a first part",
        [TEST_LIFE_VOID] = "void",
        [TEST_LIFE_FURTHER] = "further authorisation, of all that is left",
        [TEST_LIFE_FURTHER_MORE] = "further authorisation, of a unit more",
        [TEST_LIFE_CANCEL] = "cancellation",
        [TEST_LIFE_CAPTURE_PART] = "capture of a part",
        [TEST_LIFE_CAPTURE_LAST] = "capture of all that is held",
        [TEST_LIFE_CAPTURE_MORE] = "capture of a unit more",
        [TEST_LIFE_UNCAPTURE] = "capture reversal, or the undoing of a sale",
        [TEST_LIFE_CREDIT_PART] = "credit of a part",
        [TEST_LIFE_CREDIT_LAST] = "credit of all that is left of the capture",
        [TEST_LIFE_CREDIT_MORE] = "credit of a unit more",
        [TEST_LIFE_UNCREDIT] = "credit reversal",
        [TEST_LIFE_REVERSE_PART] = "authorisation reversal of a part",
        [TEST_LIFE_REVERSE_WHOLE] = "authorisation reversal of all that is held",
        [TEST_LIFE_REVERSE_MORE] = "authorisation reversal of a unit more",
        [TEST_LIFE_HOLD_END] = "the hold's end",
        [TEST_LIFE_CLOSE] = "batch close",
        [TEST_LIFE_PRESENT] = "presentment",
        [TEST_LIFE_REFUSE] = "presentment that the issuer refuses",
        [TEST_LIFE_LOSE_CARD] = "the card is lost",
        [TEST_LIFE_WRITE_OFF] = "write-off",
        [TEST_LIFE_SETTLE] = "settlement",
        [TEST_LIFE_PAY_ALL_THE_SAME] = "clearing of suspense to the merchant",
        [TEST_LIFE_DISPUTE] = "dispute of a part",
        [TEST_LIFE_DISPUTE_LOST] = "dispute closed for the cardholder",
        [TEST_LIFE_DISPUTE_WON] = "dispute closed for the merchant",
    };
    return names[op];
}

const char *test_life_batch_name(enum test_life_batch batch)
{
    static const char *const names[] = {
        [TEST_LIFE_NO_BATCH] = "no batch",
        [TEST_LIFE_OPEN] = "open",
        [TEST_LIFE_CLOSED] = "closed",
        [TEST_LIFE_UNSENDABLE] = "closed, can't be presented",
        [TEST_LIFE_PRESENTED] = "presented",
        [TEST_LIFE_REFUSED] = "refused",
        [TEST_LIFE_WRITTEN_OFF] = "written off",
        [TEST_LIFE_SETTLED] = "settled",
        [TEST_LIFE_IN_SUSPENSE] = "in suspense",
        [TEST_LIFE_PAID] = "refused, and paid all the same",
    };
    return names[batch];
}

/* ------------------------------------------------------------------ the newest step */

static struct setpay_gateway_step *newest_capture(struct test_life *life)
{
    return life->capture_count > 0 ? &life->captures[life->capture_count - 1] : NULL;
}

static struct setpay_gateway_step *newest_credit(struct test_life *life)
{
    return life->credit_count > 0 ? &life->credits[life->credit_count - 1] : NULL;
}

static int64_t creditable(const struct test_life *life)
{
    if (life->capture_count == 0)
        return 0;
    const struct setpay_gateway_step *capture = &life->captures[life->capture_count - 1];
    int64_t left = capture->amount_minor - capture->credited_minor - capture->disputed_minor -
                   capture->uncharged_minor;
    return capture->undone || left < 0 ? 0 : left;
}

/* What the merchant would ask for to have a receipt that is waiting. */
static int64_t reversible(const struct test_life *life)
{
    return setpay_payment_is_released(&life->payment) ? life->payment.released_minor
                                                      : setpay_payment_held(&life->payment);
}

int64_t test_life_minor(const struct test_life *life, enum test_life_op op)
{
    const struct setpay_payment *payment = &life->payment;
    int64_t held = setpay_payment_held(payment);
    int64_t left = payment->signed_minor - life->agreement.taken.minor;
    switch (op) {
    case TEST_LIFE_FURTHER:
        return left > 0 ? left : 1;
    case TEST_LIFE_FURTHER_MORE:
        return left + 1;
    case TEST_LIFE_CAPTURE_LAST:
        return held > 0 ? held : 1;
    case TEST_LIFE_CAPTURE_MORE:
        return held + 1;
    case TEST_LIFE_UNCAPTURE:
        return life->capture_count > 0 ? life->captures[life->capture_count - 1].amount_minor : 1;
    case TEST_LIFE_CREDIT_LAST:
        return creditable(life) > 0 ? creditable(life) : 1;
    case TEST_LIFE_CREDIT_MORE:
        return creditable(life) + 1;
    case TEST_LIFE_UNCREDIT:
        return life->credit_count > 0 ? life->credits[life->credit_count - 1].amount_minor : 1;
    case TEST_LIFE_REVERSE_WHOLE:
        return reversible(life) > 0 ? reversible(life) : 1;
    case TEST_LIFE_REVERSE_MORE:
        return reversible(life) + 1;
    default:
        return TEST_LIFE_PART;
    }
}

/* ------------------------------------------------------------------ the merchant and the wallet */

static enum setpay_error merchant_goes(struct test_life *life, enum setpay_purchase_event event)
{
    return setpay_purchase_state_next(life->merchant, event, &life->merchant);
}

/* A step was asked for, and is done. */
static enum setpay_error merchant_steps(struct test_life *life)
{
    const struct setpay_payment *payment = &life->payment;
    int64_t held = setpay_payment_held(payment) + life->further_minor;
    if (life->merchant != SETPAY_PURCHASE_STEPPING)
        SETPAY_TRY(merchant_goes(life, SETPAY_PURCHASE_STEP));
    SETPAY_TRY(merchant_goes(life, payment->captured_minor > 0 ? SETPAY_PURCHASE_STEPS_CAPTURED
                                   : held > 0                  ? SETPAY_PURCHASE_STEPS_HELD
                                                               : SETPAY_PURCHASE_STEPS_NOTHING));
    if (life->merchant == SETPAY_PURCHASE_REVERSED && life->end == SETPAY_ORDER_GOES_ON)
        life->end = payment->is_sale ? SETPAY_ORDER_VOIDED : SETPAY_ORDER_HOLD_OVER;
    return SETPAY_OK;
}

static enum setpay_error wallet_hears(struct test_life *life, enum setpay_wallet_event event)
{
    bool breach;
    return setpay_wallet_state_next(life->wallet, event, &life->wallet, &breach);
}

static enum setpay_error wallet_hears_reversal(struct test_life *life, int64_t minor)
{
    life->reversed_minor += minor;
    return wallet_hears(life, life->reversed_minor < life->authorised_minor
                                  ? SETPAY_WALLET_RECEIPT_REVERSAL_PART
                                  : SETPAY_WALLET_RECEIPT_REVERSAL);
}

enum setpay_order_status test_life_order(const struct test_life *life)
{
    const struct setpay_payment *payment = &life->payment;
    const struct setpay_payment_view view = {
        .state = life->merchant,
        .amount = payment->amount,
        .approved = {.minor = life->authorised_minor, .currency = "EUR"},
        .captured_minor = payment->captured_minor,
        .credited_minor = payment->credited_minor,
        .released_minor = life->reversed_minor,
        .hold_expiry_ms = payment->hold_expiry_ms,
    };
    return setpay_order_status_of(life->end, BEGIN_MS + SETPAY_DAY_MS, &view,
                                  life->merchant == SETPAY_PURCHASE_NONE ? 0 : 1, BEGIN_MS);
}

const char *test_life_wallet(const struct test_life *life)
{
    return life->wallet == SETPAY_WALLET_NONE
               ? "–"
               : setpay_wallet_state_status(life->wallet, life->payment.captured_minor > 0);
}

/* ------------------------------------------------------------------ presenting the instruction */

void test_life_begin(struct test_life *life)
{
    memset(life, 0, sizeof *life);
    life->now_ms = BEGIN_MS;
    life->payment.id = 1;
    memcpy(life->payment.amount.currency, "EUR", 4);
    life->payment.amount.minor = life->payment.signed_minor = TEST_LIFE_PRICE;
    life->payment.created_ms = BEGIN_MS;
}

static enum setpay_error keep_capture(struct test_life *life,
                                      const struct setpay_step_decision *decision)
{
    if (life->capture_count == TEST_LIFE_STEPS)
        return SETPAY_E_TOO_BIG;
    life->payment = decision->payment;
    life->captures[life->capture_count] = decision->step;
    life->captures[life->capture_count].id = (int64_t)(10 + life->capture_count);
    life->captures[life->capture_count].batch_open = true;
    life->capture_count++;
    life->batch = TEST_LIFE_OPEN;
    return SETPAY_OK;
}

static enum setpay_error sell(struct test_life *life)
{
    struct setpay_step_decision decision;
    life->payment.is_sale = true;
    SETPAY_TRY(setpay_sale_decide(&life->payment, &no_fees, life->now_ms, &decision));
    SETPAY_TRY(keep_capture(life, &decision));
    return merchant_goes(life, SETPAY_PURCHASE_SOLD);
}

static enum setpay_error approve(struct test_life *life, enum test_life_op op)
{
    struct setpay_payment *payment = &life->payment;
    struct setpay_auth_decision decision = {.event = SETPAY_PAYMENT_APPROVE, .action_code = "00"};
    struct setpay_id token;
    memset(token.bytes, TEST_LIFE_TOKEN, sizeof token.bytes);
    decision.approved_minor = op == TEST_LIFE_SPLIT ? TEST_LIFE_FIRST : TEST_LIFE_PRICE;
    payment->amount.minor = decision.approved_minor;
    payment->decided_ms = life->now_ms;
    payment->terms.kind = op == TEST_LIFE_SPLIT ? SETPAY_TERMS_SPLIT : SETPAY_TERMS_SINGLE;
    payment->has_auth_token = op == TEST_LIFE_SPLIT;
    memset(payment->auth_token.bytes, TEST_LIFE_TOKEN + 1, sizeof payment->auth_token.bytes);
    SETPAY_TRY(setpay_auth_apply(payment, &decision, life->now_ms, &token, HOLD_MS));
    payment->hold_expiry_ms = life->now_ms + HOLD_MS;
    life->agreement.taken = setpay_gateway_agreement_taken_with(&life->agreement.taken, payment);
    life->authorised_minor = payment->approved_minor;
    SETPAY_TRY(wallet_hears(life, SETPAY_WALLET_RECEIPT_AUTHORISATION));
    return op == TEST_LIFE_SELL ? sell(life) : merchant_goes(life, SETPAY_PURCHASE_APPROVED);
}

static enum setpay_error decline(struct test_life *life)
{
    const struct setpay_auth_decision decision = {.event = SETPAY_PAYMENT_DECLINE,
                                                  .action_code = "51"};
    const struct setpay_id none = {{0}};
    SETPAY_TRY(setpay_auth_apply(&life->payment, &decision, life->now_ms, &none, HOLD_MS));
    SETPAY_TRY(wallet_hears(life, SETPAY_WALLET_RECEIPT_DECLINE));
    return merchant_goes(life, SETPAY_PURCHASE_REFUSED);
}

static enum setpay_error voids(struct test_life *life)
{
    SETPAY_TRY(wallet_hears(life, SETPAY_WALLET_RECEIPT_VOID));
    SETPAY_TRY(merchant_goes(life, SETPAY_PURCHASE_GIVE_UP));
    life->end = SETPAY_ORDER_CANCELLED;
    return merchant_goes(life, SETPAY_PURCHASE_VOID_DONE);
}

/* The same instruction: rule G6 lets it be presented once. */
static enum setpay_error present_instruction(struct test_life *life, enum test_life_op op)
{
    enum setpay_payment_state next;
    SETPAY_TRY(setpay_payment_state_next(
        life->payment.state, op == TEST_LIFE_VOID ? SETPAY_PAYMENT_VOID : SETPAY_PAYMENT_AUTHORISE,
        &next));
    life->payment.state = next;
    life->agreement.numbers = 1;
    SETPAY_TRY(wallet_hears(life, SETPAY_WALLET_SIGN));
    SETPAY_TRY(merchant_goes(life, SETPAY_PURCHASE_PREQ));
    return op == TEST_LIFE_VOID      ? voids(life)
           : op == TEST_LIFE_DECLINE ? decline(life)
                                     : approve(life, op);
}

/* ------------------------------------------------------------------ agreements */

static enum setpay_error further(struct test_life *life, enum test_life_op op)
{
    struct setpay_gateway_agreement agreement = life->agreement;
    struct setpay_payment *payment = &life->payment;
    struct setpay_auth_req request = {.terms = payment->terms};
    struct setpay_payment approved = {.decided_ms = life->now_ms};
    if (payment->state == SETPAY_PAYMENT_NONE)
        return SETPAY_E_TOKEN; /* auth_further.c: there is no such payment */
    agreement.first = *payment;
    agreement.owes = payment->release_open;
    memset(request.auth_token.bytes, TEST_LIFE_TOKEN + 1, sizeof request.auth_token.bytes);
    request.amount = payment->amount;
    request.amount.minor = test_life_minor(life, op);
    SETPAY_TRY(setpay_gateway_agreement_check_token(&agreement, &request.auth_token));
    SETPAY_TRY(
        setpay_gateway_agreement_decide(&agreement, &request, 0, KEEP_CARD_MS, life->now_ms));
    if (agreement.owes) /* rule G9, in auth_further.c */
        return SETPAY_E_RELEASE_OWED;
    approved.approved_minor = request.amount.minor;
    life->agreement.taken = setpay_gateway_agreement_taken_with(&life->agreement.taken, &approved);
    life->agreement.numbers++;
    life->further_minor += request.amount.minor;
    life->authorised_minor += request.amount.minor;
    return merchant_steps(life);
}

static enum setpay_error cancel(struct test_life *life)
{
    struct setpay_gateway_agreement agreement = life->agreement;
    if (life->payment.state == SETPAY_PAYMENT_NONE)
        return SETPAY_E_TOKEN; /* auth_can.c: there is no such payment */
    agreement.first = life->payment;
    agreement.owes = life->payment.release_open;
    SETPAY_TRY(setpay_gateway_agreement_check_cancel(&agreement));
    life->payment.cancelled_ms = life->now_ms;
    life->agreement.taken.cancelled = true;
    return life->merchant == SETPAY_PURCHASE_REVERSED ? SETPAY_OK : merchant_steps(life);
}

/* ------------------------------------------------------------------ steps */

static enum setpay_step_kind kind_of(enum test_life_op op)
{
    switch (op) {
    case TEST_LIFE_UNCAPTURE:
        return SETPAY_STEP_CAPTURE_REVERSAL;
    case TEST_LIFE_CREDIT_PART:
    case TEST_LIFE_CREDIT_LAST:
    case TEST_LIFE_CREDIT_MORE:
        return CREDIT;
    case TEST_LIFE_UNCREDIT:
        return SETPAY_STEP_CREDIT_REVERSAL;
    default:
        return CAPTURE;
    }
}

static enum setpay_error keep_step(struct test_life *life, enum setpay_step_kind kind,
                                   struct setpay_gateway_step *of,
                                   const struct setpay_step_decision *decision)
{
    if (kind == CAPTURE)
        return keep_capture(life, decision);
    if (kind == CREDIT && life->credit_count == TEST_LIFE_STEPS)
        return SETPAY_E_TOO_BIG;
    life->payment = decision->payment;
    *of = decision->of;
    if (kind == CREDIT) {
        life->credits[life->credit_count] = decision->step;
        life->credits[life->credit_count].id = (int64_t)(20 + life->credit_count);
        life->credits[life->credit_count++].batch_open = true;
    } else if (kind == SETPAY_STEP_CREDIT_REVERSAL) {
        newest_capture(life)->credited_minor -= decision->step.amount_minor;
    }
    return SETPAY_OK;
}

static enum setpay_error step(struct test_life *life, enum test_life_op op)
{
    enum setpay_step_kind kind = kind_of(op);
    struct setpay_gateway_step *of = kind == CAPTURE                       ? NULL
                                     : kind == SETPAY_STEP_CREDIT_REVERSAL ? newest_credit(life)
                                                                           : newest_capture(life);
    struct setpay_step asked = {.amount = life->payment.amount};
    struct setpay_step_decision decision;
    if (life->payment.state == SETPAY_PAYMENT_NONE)
        return SETPAY_E_TOKEN; /* steps.c: there is no such payment */
    memset(asked.of.bytes, TEST_LIFE_TOKEN, sizeof asked.of.bytes);
    asked.amount.minor = test_life_minor(life, op);
    SETPAY_TRY(
        setpay_step_decide(kind, &asked, &life->payment, of, &no_fees, life->now_ms, &decision));
    if (life->card_gone) /* steps.c: without it there is no receipt, and no presentment */
        return SETPAY_E_CARD_GONE;
    SETPAY_TRY(keep_step(life, kind, of, &decision));
    if (kind != SETPAY_STEP_CAPTURE_REVERSAL || !life->payment.is_sale)
        return merchant_steps(life);
    /* A sale that is undone is given up with it: the merchant still has to ask for that receipt. */
    SETPAY_TRY(merchant_goes(life, SETPAY_PURCHASE_STEP));
    return merchant_goes(life, SETPAY_PURCHASE_STEP_NEXT);
}

/* ------------------------------------------------------------------ giving up */

static enum setpay_error reverse(struct test_life *life, enum test_life_op op)
{
    struct setpay_auth_rev_req request = {.amount = life->payment.amount};
    enum setpay_payment_state next;
    if (life->payment.state == SETPAY_PAYMENT_NONE)
        return SETPAY_E_TOKEN; /* auth_rev.c: there is no such payment */
    memset(request.cap_token.bytes, TEST_LIFE_TOKEN, sizeof request.cap_token.bytes);
    request.amount.minor = test_life_minor(life, op);
    SETPAY_TRY(
        setpay_auth_reverse_check(&request, &life->payment, &life->payment.gateway_sign, &next));
    bool released = setpay_payment_is_released(&life->payment);
    bool heard = released && !life->payment.release_open;
    if (life->card_gone && !released)
        return SETPAY_E_CARD_GONE;
    setpay_auth_reverse_apply(&life->payment, next, request.amount.minor, life->now_ms);
    if (heard) /* the same receipt once more */
        return SETPAY_OK;
    life->agreement.taken.minor -= released ? 0 : request.amount.minor;
    if (life->merchant == SETPAY_PURCHASE_AUTHORISED && op == TEST_LIFE_REVERSE_WHOLE &&
        !released && life->further_minor == 0) {
        SETPAY_TRY(merchant_goes(life, SETPAY_PURCHASE_REVERSE));
        SETPAY_TRY(merchant_goes(life, SETPAY_PURCHASE_REVERSE_DONE));
        life->end = SETPAY_ORDER_VOIDED;
    } else {
        SETPAY_TRY(merchant_steps(life));
    }
    return wallet_hears_reversal(life, request.amount.minor);
}

/* Nobody asks for it, and nobody else hears of it yet. */
static enum setpay_error hold_end(struct test_life *life)
{
    struct setpay_gateway_reversal reversal;
    if (life->card_gone)
        return SETPAY_E_INTERNAL; /* holds.c: it is tried again and again, without a receipt */
    if (setpay_hold_end_decide(&life->payment, life->payment.hold_expiry_ms, &reversal) !=
        SETPAY_OK)
        return SETPAY_E_INTERNAL; /* there is nothing to end */
    life->agreement.taken.minor -= reversal.amount_minor;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ clearing */

static bool is_in_batch(const struct test_life *life)
{
    return life->capture_count > 0 && !life->captures[life->capture_count - 1].undone;
}

/* Its issuer has charged nothing of it. */
static void set_uncharged(struct test_life *life)
{
    struct setpay_gateway_step *capture = newest_capture(life);
    capture->uncharged_minor = capture->amount_minor;
}

static enum setpay_error clear_batch(struct test_life *life, enum test_life_op op)
{
    enum test_life_batch at = life->batch;
    bool sendable = at == TEST_LIFE_CLOSED && !life->payment.is_sale;
    bool answered = at > TEST_LIFE_UNSENDABLE || (at == TEST_LIFE_CLOSED && life->payment.is_sale);
    if (!is_in_batch(life))
        return SETPAY_E_INTERNAL;
    switch (op) {
    case TEST_LIFE_CLOSE:
        if (at != TEST_LIFE_OPEN)
            return SETPAY_E_INTERNAL;
        for (size_t i = 0; i < TEST_LIFE_STEPS; i++)
            life->captures[i].batch_open = life->credits[i].batch_open = false;
        life->batch = TEST_LIFE_CLOSED;
        return SETPAY_OK;
    case TEST_LIFE_PRESENT:
        if (at != TEST_LIFE_CLOSED)
            return SETPAY_E_INTERNAL;
        life->batch = TEST_LIFE_PRESENTED;
        return SETPAY_OK;
    case TEST_LIFE_REFUSE: /* a sale was taken when it was made */
        if (!sendable)
            return SETPAY_E_INTERNAL;
        life->batch = TEST_LIFE_REFUSED;
        set_uncharged(life);
        return SETPAY_OK;
    case TEST_LIFE_LOSE_CARD:
        if (at != TEST_LIFE_CLOSED || answered)
            return SETPAY_E_INTERNAL;
        life->batch = TEST_LIFE_UNSENDABLE;
        life->card_gone = true;
        return SETPAY_OK;
    case TEST_LIFE_WRITE_OFF:
        if (at < TEST_LIFE_CLOSED) /* there is no presentment of that number */
            return SETPAY_E_NOT_FOUND;
        SETPAY_TRY(setpay_presentment_check_write_off(answered, sendable));
        life->batch = TEST_LIFE_WRITTEN_OFF;
        set_uncharged(life);
        return SETPAY_OK;
    case TEST_LIFE_PAY_ALL_THE_SAME:
        if (at != TEST_LIFE_IN_SUSPENSE || life->card_gone) /* that one was written off */
            return SETPAY_E_INTERNAL;
        life->batch = TEST_LIFE_PAID;
        newest_capture(life)->uncharged_minor = 0;
        return SETPAY_OK;
    default: /* settlement.c: of closed batches what is answered and not settled */
        if (!answered || at >= TEST_LIFE_SETTLED)
            return SETPAY_E_INTERNAL;
        life->batch =
            newest_capture(life)->uncharged_minor > 0 ? TEST_LIFE_IN_SUSPENSE : TEST_LIFE_SETTLED;
        return SETPAY_OK;
    }
}

/* ------------------------------------------------------------------ disputes */

/* A row of the issuer's file, about the newest capture. */
static struct setpay_dispute_row row_of(const struct test_life *life, enum test_life_op op)
{
    struct setpay_dispute_row row = {.number = 1, .amount = life->payment.amount, .line = 2};
    row.amount.minor = TEST_LIFE_PART;
    (void)snprintf(row.presentment, sizeof row.presentment, "%032d", 1);
    (void)snprintf(row.reason, sizeof row.reason, "fraud");
    (void)snprintf(row.opened, sizeof row.opened, BEGIN_DAY);
    if (op == TEST_LIFE_DISPUTE)
        return row;
    row.outcome =
        op == TEST_LIFE_DISPUTE_LOST ? SETPAY_DISPUTE_CARDHOLDER : SETPAY_DISPUTE_MERCHANT;
    (void)snprintf(row.closed, sizeof row.closed, BEGIN_DAY);
    return row;
}

static enum setpay_error dispute(struct test_life *life, enum test_life_op op)
{
    const struct setpay_dispute_row row = row_of(life, op);
    struct setpay_gateway_step *capture = newest_capture(life);
    struct setpay_gateway_charge charge = {.amount = life->payment.amount};
    enum setpay_dispute_action action;
    struct setpay_problem problem = {{0}};
    if ((op == TEST_LIFE_DISPUTE) == life->disputes)
        return SETPAY_E_INTERNAL; /* one at a time; and none that is closed was not opened */
    charge.amount.minor = capture != NULL ? capture->amount_minor : 0;
    charge.left_minor = creditable(life);
    charge.is_taken = life->payment.is_sale || life->batch == TEST_LIFE_PRESENTED ||
                      life->batch == TEST_LIFE_SETTLED || life->batch == TEST_LIFE_PAID;
    SETPAY_TRY(
        setpay_gateway_dispute_decide(&row, BEGIN_DAY, NULL, capture != NULL ? &charge : NULL,
                                      life->disputes ? &life->dispute : NULL, &action, &problem));
    if (action == SETPAY_DISPUTE_OPENS) {
        life->dispute = (struct setpay_gateway_dispute){.id = 1, .number = 1, .amount = row.amount};
        memcpy(life->dispute.reason, row.reason, sizeof life->dispute.reason);
        memcpy(life->dispute.opened, row.opened, sizeof life->dispute.opened);
        SETPAY_TRY(setpay_id_parse(row.presentment, &life->dispute.step));
        capture->disputed_minor += TEST_LIFE_PART;
    } else if (op == TEST_LIFE_DISPUTE_WON) {
        capture->disputed_minor -= TEST_LIFE_PART;
    }
    life->disputes = action == SETPAY_DISPUTE_OPENS;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ all of them */

static enum setpay_error act(struct test_life *life, enum test_life_op op)
{
    switch (op) {
    case TEST_LIFE_AUTHORISE:
    case TEST_LIFE_DECLINE:
    case TEST_LIFE_SELL:
    case TEST_LIFE_SPLIT:
    case TEST_LIFE_VOID:
        return present_instruction(life, op);
    case TEST_LIFE_FURTHER:
    case TEST_LIFE_FURTHER_MORE:
        return further(life, op);
    case TEST_LIFE_CANCEL:
        return cancel(life);
    case TEST_LIFE_REVERSE_PART:
    case TEST_LIFE_REVERSE_WHOLE:
    case TEST_LIFE_REVERSE_MORE:
        return reverse(life, op);
    case TEST_LIFE_HOLD_END:
        return hold_end(life);
    case TEST_LIFE_CLOSE:
    case TEST_LIFE_PRESENT:
    case TEST_LIFE_REFUSE:
    case TEST_LIFE_LOSE_CARD:
    case TEST_LIFE_WRITE_OFF:
    case TEST_LIFE_SETTLE:
    case TEST_LIFE_PAY_ALL_THE_SAME:
        return clear_batch(life, op);
    case TEST_LIFE_DISPUTE:
    case TEST_LIFE_DISPUTE_LOST:
    case TEST_LIFE_DISPUTE_WON:
        return dispute(life, op);
    default:
        return step(life, op);
    }
}

enum setpay_error test_life_do(struct test_life *life, enum test_life_op op)
{
    struct test_life made = *life;
    SETPAY_TRY(act(&made, op));
    *life = made;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ where it may stand */

#define SITUATION(name, ...)                                                                       \
    {                                                                                              \
        name, {__VA_ARGS__},                                                                       \
            sizeof((enum test_life_op[]){__VA_ARGS__}) / sizeof(enum test_life_op)                 \
    }

const struct test_life_situation test_life_situations[] = {
    {"not presented", {0}, 0},
    SITUATION("declined", TEST_LIFE_DECLINE),
    SITUATION("voided", TEST_LIFE_VOID),
    SITUATION("approved", TEST_LIFE_AUTHORISE),
    SITUATION("approved, a part given up", TEST_LIFE_AUTHORISE, TEST_LIFE_REVERSE_PART),
    SITUATION("given up", TEST_LIFE_AUTHORISE, TEST_LIFE_REVERSE_WHOLE),
    SITUATION("captured in part", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_PART),
    SITUATION("captured in part, the rest given up", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_PART,
              TEST_LIFE_REVERSE_WHOLE),
    SITUATION("captured", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST),
    SITUATION("captured in two parts", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_PART,
              TEST_LIFE_CAPTURE_LAST),
    SITUATION("captured, and that undone", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_UNCAPTURE),
    SITUATION("captured, credited in part", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CREDIT_PART),
    SITUATION("captured, all of it credited", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CREDIT_LAST),
    SITUATION("captured, credited, and that undone", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CREDIT_PART, TEST_LIFE_UNCREDIT),
    SITUATION("sold", TEST_LIFE_SELL),
    SITUATION("sold, credited in part", TEST_LIFE_SELL, TEST_LIFE_CREDIT_PART),
    SITUATION("sold, and that undone", TEST_LIFE_SELL, TEST_LIFE_UNCAPTURE),
    SITUATION("sold, that undone, and the merchant has both receipts", TEST_LIFE_SELL,
              TEST_LIFE_UNCAPTURE, TEST_LIFE_REVERSE_WHOLE),
    SITUATION("agreed to in parts, the first approved", TEST_LIFE_SPLIT),
    SITUATION("agreed to in parts, the first captured", TEST_LIFE_SPLIT, TEST_LIFE_CAPTURE_LAST),
    SITUATION("agreed to in parts, all approved", TEST_LIFE_SPLIT, TEST_LIFE_FURTHER),
    SITUATION("agreed to in parts, cancelled", TEST_LIFE_SPLIT, TEST_LIFE_CANCEL),
    SITUATION("agreed to in parts, the first given up", TEST_LIFE_SPLIT, TEST_LIFE_REVERSE_WHOLE),
    SITUATION("its hold has ended", TEST_LIFE_AUTHORISE, TEST_LIFE_HOLD_END),
    SITUATION("its hold has ended, and the merchant knows", TEST_LIFE_AUTHORISE, TEST_LIFE_HOLD_END,
              TEST_LIFE_REVERSE_WHOLE),
    SITUATION("captured in part, the rest's hold has ended", TEST_LIFE_AUTHORISE,
              TEST_LIFE_CAPTURE_PART, TEST_LIFE_HOLD_END),
    SITUATION("captured in part, the rest's hold has ended, and the merchant knows",
              TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_PART, TEST_LIFE_HOLD_END,
              TEST_LIFE_REVERSE_WHOLE),
    SITUATION("agreed to in parts, the first's hold has ended", TEST_LIFE_SPLIT,
              TEST_LIFE_HOLD_END),
    SITUATION("captured in part, closed", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_PART,
              TEST_LIFE_CLOSE),
    SITUATION("captured, closed", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST, TEST_LIFE_CLOSE),
    SITUATION("captured, credited in part, closed", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CREDIT_PART, TEST_LIFE_CLOSE),
    SITUATION("sold, closed", TEST_LIFE_SELL, TEST_LIFE_CLOSE),
    SITUATION("captured, closed, its card lost", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_LOSE_CARD),
    SITUATION("captured in part, closed, its card lost", TEST_LIFE_AUTHORISE,
              TEST_LIFE_CAPTURE_PART, TEST_LIFE_CLOSE, TEST_LIFE_LOSE_CARD),
    SITUATION("captured, written off", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST, TEST_LIFE_CLOSE,
              TEST_LIFE_LOSE_CARD, TEST_LIFE_WRITE_OFF),
    SITUATION("captured, presented", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST, TEST_LIFE_CLOSE,
              TEST_LIFE_PRESENT),
    SITUATION("captured, presented, in dispute", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_PRESENT, TEST_LIFE_DISPUTE),
    SITUATION("captured, presented, a dispute lost", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_PRESENT, TEST_LIFE_DISPUTE, TEST_LIFE_DISPUTE_LOST),
    SITUATION("captured, presented, a dispute won", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_PRESENT, TEST_LIFE_DISPUTE, TEST_LIFE_DISPUTE_WON),
    SITUATION("captured, settled", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST, TEST_LIFE_CLOSE,
              TEST_LIFE_PRESENT, TEST_LIFE_SETTLE),
    SITUATION("captured, settled, in dispute", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_PRESENT, TEST_LIFE_SETTLE, TEST_LIFE_DISPUTE),
    SITUATION("captured, refused by its issuer", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_REFUSE),
    SITUATION("captured, credited in part, refused by its issuer", TEST_LIFE_AUTHORISE,
              TEST_LIFE_CAPTURE_LAST, TEST_LIFE_CREDIT_PART, TEST_LIFE_CLOSE, TEST_LIFE_REFUSE),
    SITUATION("captured, refused, in suspense", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_REFUSE, TEST_LIFE_SETTLE),
    SITUATION("captured, refused, paid all the same", TEST_LIFE_AUTHORISE, TEST_LIFE_CAPTURE_LAST,
              TEST_LIFE_CLOSE, TEST_LIFE_REFUSE, TEST_LIFE_SETTLE, TEST_LIFE_PAY_ALL_THE_SAME),
};
const size_t test_life_situation_count = sizeof test_life_situations / sizeof *test_life_situations;
