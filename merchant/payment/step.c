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
#include <string.h>

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
        if (error == SETPAY_OK && setpay_merchant_authorisation_capturable(&one) == 0)
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

/* What a step that is done does to the sums. */
static void add_up(enum setpay_merchant_step_kind kind, int64_t minor,
                   struct setpay_merchant_purchase *purchase)
{
    switch (kind) {
    case SETPAY_MERCHANT_STEP_CAPTURE:
        purchase->captured_minor += minor;
        break;
    case SETPAY_MERCHANT_STEP_CREDIT:
        purchase->credited_minor += minor;
        break;
    case SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL:
        purchase->captured_minor -= minor;
        break;
    case SETPAY_MERCHANT_STEP_CREDIT_REVERSAL:
        purchase->credited_minor -= minor;
        break;
    case SETPAY_MERCHANT_STEP_RELEASE:
        purchase->released_minor += minor;
        break;
    case SETPAY_MERCHANT_STEP_AUTHORISE: /* by its answer */
    case SETPAY_MERCHANT_STEP_CANCEL:
        break;
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

/* ------------------------------------------------------------------ what became of it */

static enum setpay_purchase_event event_after(const struct setpay_merchant_purchase *purchase,
                                              struct setpay_merchant_steps *steps)
{
    if (setpay_merchant_step_first(steps) != NULL)
        return SETPAY_PURCHASE_STEP_NEXT;
    if (purchase->captured_minor > 0)
        return SETPAY_PURCHASE_STEPS_CAPTURED;
    return setpay_merchant_held(purchase) > 0 ? SETPAY_PURCHASE_STEPS_HELD
                                              : SETPAY_PURCHASE_STEPS_NOTHING;
}

/* Appends one that follows. */
static enum setpay_error follow(struct setpay_merchant_steps *steps,
                                const struct setpay_merchant_step *what, setpay_time_ms now_ms)
{
    if (steps->count == SETPAY_MERCHANT_STEPS_MAX)
        return SETPAY_E_TOO_BIG;
    struct setpay_merchant_step *step = &steps->list[steps->count++];
    *step = *what;
    step->created_ms = now_ms;
    if (step->state == 0)
        step->state = SETPAY_MERCHANT_STEP_ASKING;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_step_sold(const struct setpay_step_done *done, int64_t of_id,
                                            bool unwanted, setpay_time_ms now_ms,
                                            struct setpay_merchant_steps *steps)
{
    const struct setpay_merchant_step capture = {
        .kind = SETPAY_MERCHANT_STEP_CAPTURE,
        .state = SETPAY_MERCHANT_STEP_DONE,
        .of_id = of_id,
        .amount_minor = done->amount.minor,
        .has_token = true,
        .token = done->id,
        .batch = done->batch,
        .decided_ms = now_ms,
    };
    const struct setpay_merchant_step undoing = {
        .kind = SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL,
        .of_id = SETPAY_MERCHANT_STEP_BEFORE,
        .amount_minor = done->amount.minor,
        .urgent = true,
    };
    SETPAY_TRY(follow(steps, &capture, now_ms));
    return unwanted ? follow(steps, &undoing, now_ms) : SETPAY_OK;
}

/* A release of what the gateway has given up, before all that waits. */
static enum setpay_error release_first(const struct setpay_merchant_authorisation *one,
                                       setpay_time_ms now_ms, struct setpay_merchant_steps *steps)
{
    const struct setpay_merchant_step release = {
        .kind = SETPAY_MERCHANT_STEP_RELEASE,
        .of_id = one->step_id,
        .amount_minor = setpay_merchant_authorisation_held(one),
        .urgent = true,
    };
    for (size_t i = 0; i < steps->count; i++) {
        struct setpay_merchant_step *step = &steps->list[i];
        if (is_asking(step) && step->kind == SETPAY_MERCHANT_STEP_RELEASE &&
            step->of_id == one->step_id) {
            step->urgent = true;
            step->changed = true;
            return SETPAY_OK;
        }
    }
    return follow(steps, &release, now_ms);
}

/* An authorisation that the issuer has approved. */
static enum setpay_error apply_approved(const struct setpay_merchant_step_outcome *outcome,
                                        size_t at, setpay_time_ms now_ms,
                                        struct setpay_merchant_purchase *purchase,
                                        struct setpay_merchant_steps *steps)
{
    const struct setpay_auth_res *answer = outcome->answer;
    struct setpay_merchant_step *step = &steps->list[at];
    struct setpay_merchant_authorisation one;
    step->state = SETPAY_MERCHANT_STEP_DONE;
    step->amount_minor = answer->amount.minor;
    step->has_token = true;
    step->token = answer->cap_token;
    step->hold_expiry_ms = answer->hold_expiry_ms;
    purchase->approved_minor += answer->amount.minor;
    if (answer->has_capture) {
        purchase->captured_minor += answer->amount.minor;
        return setpay_merchant_step_sold(&answer->capture, step->id, outcome->unwanted, now_ms,
                                         steps);
    }
    if (!outcome->unwanted || !setpay_merchant_authorisation_find(purchase, steps, step->id, &one))
        return SETPAY_OK;
    return release_first(&one, now_ms, steps);
}

static enum setpay_error apply_answer(const struct setpay_merchant_step_outcome *outcome, size_t at,
                                      setpay_time_ms now_ms,
                                      struct setpay_merchant_purchase *purchase,
                                      struct setpay_merchant_steps *steps)
{
    struct setpay_merchant_step *step = &steps->list[at];
    memcpy(step->action_code, outcome->answer->action_code, sizeof step->action_code);
    memcpy(step->approval_code, outcome->answer->approval_code, sizeof step->approval_code);
    if (outcome->answer->outcome != SETPAY_AUTH_DECLINED)
        return apply_approved(outcome, at, now_ms, purchase, steps);
    step->state = SETPAY_MERCHANT_STEP_DECLINED;
    return SETPAY_OK;
}

static void apply_done(const struct setpay_merchant_step_outcome *outcome,
                       struct setpay_merchant_step *step, struct setpay_merchant_steps *steps)
{
    struct setpay_merchant_step *of = setpay_merchant_step_of(steps, step->of_id);
    bool undoes = step->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL ||
                  step->kind == SETPAY_MERCHANT_STEP_CREDIT_REVERSAL;
    step->state = SETPAY_MERCHANT_STEP_DONE;
    if (step->kind == SETPAY_MERCHANT_STEP_RELEASE)
        step->amount_minor = outcome->released_minor;
    if (outcome->done == NULL || step->kind == SETPAY_MERCHANT_STEP_RELEASE)
        return;
    step->has_token = true;
    step->token = outcome->done->id;
    step->batch = outcome->done->batch;
    if (of == NULL)
        return;
    of->changed = true;
    if (undoes)
        of->undone = true;
    if (step->kind == SETPAY_MERCHANT_STEP_CREDIT)
        of->credited_minor += step->amount_minor;
    struct setpay_merchant_step *capture = setpay_merchant_step_of(steps, of->of_id);
    if (step->kind == SETPAY_MERCHANT_STEP_CREDIT_REVERSAL && capture != NULL) {
        capture->credited_minor -= step->amount_minor;
        capture->changed = true;
    }
}

/* With a sale that is undone the gateway gives up its authorisation, too. */
static enum setpay_error after_done(const struct setpay_merchant_step *step, setpay_time_ms now_ms,
                                    const struct setpay_merchant_purchase *purchase,
                                    struct setpay_merchant_steps *steps)
{
    struct setpay_merchant_authorisation one;
    if (step->kind != SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL ||
        !setpay_merchant_authorisation_find(purchase, steps,
                                            setpay_merchant_authorisation_of(steps, step), &one) ||
        !one.sale || one.releasing)
        return SETPAY_OK;
    return release_first(&one, now_ms, steps);
}

/* Whether the gateway refuses a step because a receipt of what it gave up was not asked for. */
static bool wants_release(const struct setpay_merchant_step *step, uint32_t code,
                          setpay_time_ms now_ms, const struct setpay_merchant_purchase *purchase,
                          const struct setpay_merchant_steps *steps,
                          struct setpay_merchant_authorisation *one)
{
    bool kept_waiting = step->kind == SETPAY_MERCHANT_STEP_CREDIT ||
                        step->kind == SETPAY_MERCHANT_STEP_CREDIT_REVERSAL ||
                        step->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL;
    return code == SETPAY_WIRE_EXPIRED && kept_waiting &&
           setpay_merchant_authorisation_find(purchase, steps,
                                              setpay_merchant_authorisation_of(steps, step), one) &&
           setpay_merchant_authorisation_is_over(one, now_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS);
}

static enum setpay_error apply_refused(uint32_t code, size_t at, setpay_time_ms now_ms,
                                       const struct setpay_merchant_purchase *purchase,
                                       struct setpay_merchant_steps *steps, bool *again)
{
    struct setpay_merchant_step *step = &steps->list[at];
    struct setpay_merchant_authorisation one;
    if (wants_release(step, code, now_ms, purchase, steps, &one)) {
        *again = true;
        return release_first(&one, now_ms, steps);
    }
    step->state = SETPAY_MERCHANT_STEP_REFUSED;
    step->code = code;
    /* A sale that nobody wants, and that can't be undone any more, is given back. */
    if (step->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL && step->urgent)
        return follow(steps,
                      &(struct setpay_merchant_step){.kind = SETPAY_MERCHANT_STEP_CREDIT,
                                                     .of_id = step->of_id,
                                                     .amount_minor = step->amount_minor},
                      now_ms);
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_step_apply(const struct setpay_merchant_step_outcome *outcome,
                                             setpay_time_ms now_ms,
                                             struct setpay_merchant_purchase *purchase,
                                             struct setpay_merchant_steps *steps, bool *again)
{
    struct setpay_merchant_step *step = setpay_merchant_step_first(steps);
    enum setpay_error error = SETPAY_OK;
    *again = false;
    if (step == NULL)
        return SETPAY_E_STATE;
    size_t at = (size_t)(step - steps->list);
    step->changed = true;
    if (outcome->answer != NULL) {
        error = apply_answer(outcome, at, now_ms, purchase, steps);
    } else if (outcome->code == 0) {
        apply_done(outcome, step, steps);
        add_up(step->kind, step->amount_minor, purchase);
        error = after_done(step, now_ms, purchase, steps);
    } else {
        error = apply_refused(outcome->code, at, now_ms, purchase, steps, again);
    }
    SETPAY_TRY(error);
    if (!*again)
        step->decided_ms = now_ms;
    purchase->updated_ms = now_ms;
    return setpay_purchase_state_next(purchase->state, event_after(purchase, steps),
                                      &purchase->state);
}
