/*
 * Steps without I/O (rules M6, G8, G9 as far as the merchant can see them).
 *
 * What waits is counted as if it came to pass: so two clients of a store never ask together for
 * more than there is. What is done is counted when the gateway has said so: with one step at a time
 * at the gateway, its count and ours are the same, and its answer must say ours.
 */
#include "merchant/payment/step.h"

#include "common/wire/signed.h"
#include "merchant/payment/authorisation.h"
#include "merchant/payment/purchase_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setpay_merchant_steps *setpay_merchant_steps_new(size_t room)
{
    struct setpay_merchant_steps *steps = malloc(sizeof *steps + room * sizeof steps->list[0]);
    if (steps != NULL) {
        steps->count = 0;
        steps->room = room;
    }
    return steps;
}

/* ------------------------------------------------------------------ counting */

int64_t setpay_merchant_held(const struct setpay_merchant_purchase *purchase)
{
    return purchase->approved_minor - purchase->released_minor - purchase->captured_minor;
}

static bool is_asking(const struct setpay_merchant_step *step)
{
    return step->state == SETPAY_MERCHANT_STEP_ASKING;
}

int64_t setpay_merchant_step_capturable(const struct setpay_merchant_purchase *purchase,
                                        const struct setpay_merchant_steps *steps)
{
    struct setpay_merchant_authorisation one;
    int64_t left = 0;
    for (size_t at = 0; setpay_merchant_authorisation_next(purchase, steps, &at, &one);)
        left += setpay_merchant_authorisation_capturable(&one);
    return left;
}

int64_t setpay_merchant_step_creditable(const struct setpay_merchant_steps *steps,
                                        const struct setpay_merchant_step *capture)
{
    if (capture->kind != SETPAY_MERCHANT_STEP_CAPTURE ||
        capture->state != SETPAY_MERCHANT_STEP_DONE || capture->undone)
        return 0;
    int64_t left = capture->amount_minor - capture->credited_minor;
    for (size_t i = 0; i < steps->count; i++) {
        const struct setpay_merchant_step *step = &steps->list[i];
        if (!is_asking(step) || step->of_id != capture->id)
            continue;
        if (step->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL)
            return 0;
        left -= step->amount_minor;
    }
    return left > 0 ? left : 0;
}

struct setpay_merchant_step *setpay_merchant_step_of(struct setpay_merchant_steps *steps,
                                                     int64_t id)
{
    for (size_t i = 0; i < steps->count && id != 0; i++) {
        if (steps->list[i].id == id)
            return &steps->list[i];
    }
    return NULL;
}

const struct setpay_merchant_step *
setpay_merchant_step_named(const struct setpay_merchant_steps *steps, const struct setpay_id *name)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (setpay_id_equal(&steps->list[i].name, name))
            return &steps->list[i];
    }
    return NULL;
}

struct setpay_merchant_step *setpay_merchant_step_first(struct setpay_merchant_steps *steps)
{
    struct setpay_merchant_step *oldest = NULL;
    for (size_t i = 0; i < steps->count; i++) {
        struct setpay_merchant_step *step = &steps->list[i];
        if (is_asking(step) && step->urgent)
            return step;
        if (is_asking(step) && oldest == NULL)
            oldest = step;
    }
    return oldest;
}

/* ------------------------------------------------------------------ what may be asked for */

/* Whether another step that waits would undo it too. */
static bool is_being_undone(const struct setpay_merchant_steps *steps,
                            const struct setpay_merchant_step *of)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct setpay_merchant_step *step = &steps->list[i];
        if (is_asking(step) && step->of_id == of->id &&
            (step->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL ||
             step->kind == SETPAY_MERCHANT_STEP_CREDIT_REVERSAL))
            return true;
    }
    return false;
}

/* The authorisation that a capture or release is of. SETPAY_E_STATE. */
static enum setpay_error find_authorisation(const struct setpay_merchant_purchase *purchase,
                                            const struct setpay_merchant_steps *steps,
                                            const struct setpay_merchant_step *of,
                                            struct setpay_merchant_authorisation *one)
{
    bool found = setpay_merchant_authorisation_find(purchase, steps, of != NULL ? of->id : 0, one);
    return found && one->has_cap_token ? SETPAY_OK : SETPAY_E_STATE;
}

static enum setpay_error check_capture(const struct setpay_merchant_authorisation *one,
                                       int64_t amount_minor, setpay_time_ms now_ms)
{
    if (now_ms >= one->hold_expiry_ms)
        return SETPAY_E_HOLD_OVER; /* rule G8 */
    return amount_minor > 0 && amount_minor <= setpay_merchant_authorisation_capturable(one)
               ? SETPAY_OK
               : SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
}

static enum setpay_error check_credit(const struct setpay_merchant_steps *steps,
                                      const struct setpay_merchant_step *of, int64_t amount_minor)
{
    if (of == NULL || of->kind != SETPAY_MERCHANT_STEP_CAPTURE ||
        of->state != SETPAY_MERCHANT_STEP_DONE || of->undone || is_being_undone(steps, of))
        return SETPAY_E_STATE;
    return amount_minor > 0 && amount_minor <= setpay_merchant_step_creditable(steps, of)
               ? SETPAY_OK
               : SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
}

/* The whole of a step of that kind which stands, and of which nothing was given back. */
static enum setpay_error check_undo(const struct setpay_merchant_steps *steps,
                                    const struct setpay_merchant_step *of,
                                    enum setpay_merchant_step_kind kind, int64_t amount_minor)
{
    if (of == NULL || of->kind != kind || of->state != SETPAY_MERCHANT_STEP_DONE || of->undone ||
        is_being_undone(steps, of))
        return SETPAY_E_STATE;
    if (kind == SETPAY_MERCHANT_STEP_CAPTURE &&
        setpay_merchant_step_creditable(steps, of) != of->amount_minor)
        return SETPAY_E_STATE;
    return amount_minor == of->amount_minor ? SETPAY_OK : SETPAY_E_AMOUNT_LIMIT; /* rule G8 */
}

/* What takes stops first, so that all of it can be given back; then what gives. */
static bool has_room(const struct setpay_merchant_steps *steps, enum setpay_merchant_step_kind kind)
{
    switch (kind) {
    case SETPAY_MERCHANT_STEP_CAPTURE:
    case SETPAY_MERCHANT_STEP_AUTHORISE:
        return steps->count < SETPAY_MERCHANT_STEPS_TAKING;
    case SETPAY_MERCHANT_STEP_CREDIT:
        return steps->count < SETPAY_MERCHANT_STEPS_GIVING;
    default:
        return steps->count < SETPAY_MERCHANT_STEPS_MAX;
    }
}

enum setpay_error setpay_merchant_step_check(const struct setpay_merchant_purchase *purchase,
                                             const struct setpay_merchant_steps *steps,
                                             enum setpay_merchant_step_kind kind,
                                             const struct setpay_merchant_step *of,
                                             int64_t amount_minor, setpay_time_ms now_ms)
{
    enum setpay_purchase_state next;
    struct setpay_merchant_authorisation one;
    SETPAY_TRY(setpay_purchase_state_next(purchase->state, SETPAY_PURCHASE_STEP, &next));
    enum setpay_error error = SETPAY_E_STATE;
    switch (kind) {
    case SETPAY_MERCHANT_STEP_CAPTURE:
        error = find_authorisation(purchase, steps, of, &one);
        if (error == SETPAY_OK)
            error = check_capture(&one, amount_minor, now_ms);
        break;
    case SETPAY_MERCHANT_STEP_CREDIT:
        error = check_credit(steps, of, amount_minor);
        break;
    case SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL:
        error = check_undo(steps, of, SETPAY_MERCHANT_STEP_CAPTURE, amount_minor);
        break;
    case SETPAY_MERCHANT_STEP_CREDIT_REVERSAL:
        error = check_undo(steps, of, SETPAY_MERCHANT_STEP_CREDIT, amount_minor);
        break;
    case SETPAY_MERCHANT_STEP_RELEASE:
        error = find_authorisation(purchase, steps, of, &one);
        if (error == SETPAY_OK && amount_minor != 0) /* of a part, as a capture */
            error = check_capture(&one, amount_minor, now_ms);
        else if (error == SETPAY_OK && setpay_merchant_authorisation_capturable(&one) == 0)
            error = SETPAY_E_AMOUNT_LIMIT;
        break;
    case SETPAY_MERCHANT_STEP_AUTHORISE: /* what the terms permit, agreement.c knows */
    case SETPAY_MERCHANT_STEP_CANCEL:
        error = SETPAY_OK;
        break;
    }
    SETPAY_TRY(error);
    return has_room(steps, kind) ? SETPAY_OK : SETPAY_E_TOO_BIG;
}

/* ------------------------------------------------------------------ the request */

enum setpay_ask_kind setpay_merchant_step_ask_kind(enum setpay_merchant_step_kind kind)
{
    switch (kind) {
    case SETPAY_MERCHANT_STEP_CAPTURE:
        return SETPAY_ASK_CAPTURE;
    case SETPAY_MERCHANT_STEP_CREDIT:
        return SETPAY_ASK_CREDIT;
    case SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL:
        return SETPAY_ASK_CAPTURE_REVERSAL;
    case SETPAY_MERCHANT_STEP_CREDIT_REVERSAL:
        return SETPAY_ASK_CREDIT_REVERSAL;
    case SETPAY_MERCHANT_STEP_AUTHORISE:
        return SETPAY_ASK_FURTHER;
    case SETPAY_MERCHANT_STEP_CANCEL:
        return SETPAY_ASK_CANCEL;
    default:
        return SETPAY_ASK_REVERSE;
    }
}

void setpay_merchant_step_req_fill(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id, const struct setpay_merchant_step *step,
                                   const struct setpay_id *of_token,
                                   const struct setpay_merchant_ask *ask, struct setpay_step *one,
                                   struct setpay_step_req *request)
{
    *one = (struct setpay_step){.xid = purchase->xid, .of = *of_token, .amount = purchase->amount};
    one->amount.minor = step->amount_minor;
    *request = (struct setpay_step_req){
        .header =
            {
                .rrpid = ask->rrpid,
                .date_ms = ask->created_ms,
                .has_sender = true,
                .sender = ask->signer,
                .has_receiver = true,
                .receiver = purchase->gateway_sign,
            },
        .steps = one,
        .step_count = 1,
    };
    memcpy(request->brand, purchase->brand, sizeof request->brand);
    (void)snprintf(request->merchant_id, sizeof request->merchant_id, "%s", merchant_id);
}

/* ------------------------------------------------------------------ the answer */

static enum setpay_receipt_kind receipt_of(enum setpay_merchant_step_kind kind)
{
    switch (kind) {
    case SETPAY_MERCHANT_STEP_CAPTURE:
        return SETPAY_RECEIPT_CAPTURE;
    case SETPAY_MERCHANT_STEP_CREDIT:
        return SETPAY_RECEIPT_CREDIT;
    case SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL:
        return SETPAY_RECEIPT_CAPTURE_REVERSAL;
    case SETPAY_MERCHANT_STEP_CREDIT_REVERSAL:
        return SETPAY_RECEIPT_CREDIT_REVERSAL;
    default:
        return SETPAY_RECEIPT_REVERSAL;
    }
}

/* What of its authorisation may still be captured, or credited, once it is done: as we count it. Of
 * a sale the issuer holds nothing once it is undone. */
static int64_t remaining_after(const struct setpay_merchant_purchase *purchase,
                               const struct setpay_merchant_steps *steps,
                               const struct setpay_merchant_step *step)
{
    struct setpay_merchant_authorisation one;
    if (!setpay_merchant_authorisation_find(purchase, steps,
                                            setpay_merchant_authorisation_of(steps, step), &one))
        return -1;
    switch (step->kind) {
    case SETPAY_MERCHANT_STEP_CAPTURE:
        return setpay_merchant_authorisation_held(&one) - step->amount_minor;
    case SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL:
        return one.sale ? 0 : setpay_merchant_authorisation_held(&one) + step->amount_minor;
    case SETPAY_MERCHANT_STEP_CREDIT:
        return one.captured_minor - one.credited_minor - step->amount_minor;
    default:
        return one.captured_minor - one.credited_minor + step->amount_minor;
    }
}

static bool done_fits(const struct setpay_merchant_purchase *purchase,
                      const struct setpay_merchant_steps *steps,
                      const struct setpay_merchant_step *step, const struct setpay_step *asked,
                      const struct setpay_step_done *done)
{
    struct setpay_money remaining = asked->amount;
    remaining.minor = remaining_after(purchase, steps, step);
    return setpay_id_equal(&done->xid, &asked->xid) && setpay_id_equal(&done->of, &asked->of) &&
           setpay_money_equal(&done->amount, &asked->amount) &&
           setpay_money_equal(&done->remaining, &remaining) &&
           setpay_digest_equal(&done->cardholder, &purchase->cardholder) &&
           setpay_digest_equal(&done->pomd, &purchase->pomd) &&
           done->receipt.kind == receipt_of(step->kind);
}

enum setpay_error setpay_merchant_step_res_check(const struct setpay_merchant_purchase *purchase,
                                                 const struct setpay_merchant_steps *steps,
                                                 const char *merchant_id,
                                                 const struct setpay_merchant_step *step,
                                                 const struct setpay_id *of_token,
                                                 const struct setpay_step_res *answer)
{
    struct setpay_step asked = {.xid = purchase->xid, .of = *of_token, .amount = purchase->amount};
    asked.amount.minor = step->amount_minor;
    if (strcmp(answer->brand, purchase->brand) != 0 ||
        strcmp(answer->merchant_id, merchant_id) != 0 ||
        answer->done_count + answer->refused_count != 1)
        return SETPAY_E_AUTH_MISMATCH; /* rule M6 */
    if (answer->done_count == 1)
        return done_fits(purchase, steps, step, &asked, &answer->done[0]) ? SETPAY_OK
                                                                          : SETPAY_E_AUTH_MISMATCH;
    const struct setpay_step_refused *refused = &answer->refused[0];
    bool same = setpay_id_equal(&refused->xid, &asked.xid) &&
                setpay_id_equal(&refused->of, &asked.of) &&
                setpay_money_equal(&refused->amount, &asked.amount);
    return same ? SETPAY_OK : SETPAY_E_AUTH_MISMATCH; /* rule M6 */
}

bool setpay_merchant_step_is_later(uint32_t wire_code)
{
    switch (wire_code) {
    case SETPAY_WIRE_UNSPECIFIED:
    case SETPAY_WIRE_CERTIFICATE:
    case SETPAY_WIRE_CERTIFICATE_MISSING:
    case SETPAY_WIRE_REVOKED:
    case SETPAY_WIRE_DATE:
    case SETPAY_WIRE_BUSY:
        return true;
    default:
        return false;
    }
}
