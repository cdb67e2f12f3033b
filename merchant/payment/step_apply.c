/*
 * What became of a step, without I/O: states, sums, what it did to other steps, and those that
 * follow from it.
 */
#include "merchant/payment/step.h"

#include "merchant/payment/authorisation.h"

#include <string.h>

static bool is_asking(const struct setpay_merchant_step *step)
{
    return step->state == SETPAY_MERCHANT_STEP_ASKING;
}

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

enum setpay_error setpay_merchant_step_state_after(const struct setpay_merchant_purchase *purchase,
                                                   struct setpay_merchant_steps *steps,
                                                   enum setpay_purchase_state *state)
{
    return setpay_purchase_state_next(purchase->state, event_after(purchase, steps), state);
}

/* Appends one that follows. */
static enum setpay_error follow(struct setpay_merchant_steps *steps,
                                const struct setpay_merchant_step *what, setpay_time_ms now_ms)
{
    if (steps->count == SETPAY_MERCHANT_STEPS_MAX)
        return SETPAY_E_TOO_BIG;
    if (steps->count == steps->room)
        return SETPAY_E_INTERNAL; /* no answer adds so many */
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
        if (is_asking(step) && step->kind == SETPAY_MERCHANT_STEP_RELEASE && !step->part &&
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

/* Whether the gateway refuses a step because the receipt of what it gave up, of whichever
 * authorisation, was not asked for. A capture after the end of its own hold is refused for good. */
static bool wants_release(const struct setpay_merchant_step *step, uint32_t code,
                          setpay_time_ms now_ms, const struct setpay_merchant_purchase *purchase,
                          const struct setpay_merchant_steps *steps,
                          struct setpay_merchant_authorisation *one)
{
    setpay_time_ms over_ms = now_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS;
    bool captures = step->kind == SETPAY_MERCHANT_STEP_CAPTURE;
    bool kept_waiting = captures || step->kind == SETPAY_MERCHANT_STEP_CREDIT ||
                        step->kind == SETPAY_MERCHANT_STEP_CREDIT_REVERSAL ||
                        step->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL;
    if (code != SETPAY_WIRE_EXPIRED || !kept_waiting)
        return false;
    if (captures &&
        setpay_merchant_authorisation_find(purchase, steps,
                                           setpay_merchant_authorisation_of(steps, step), one) &&
        setpay_merchant_authorisation_is_over(one, over_ms))
        return false;
    for (size_t at = 0; setpay_merchant_authorisation_next(purchase, steps, &at, one);) {
        if (setpay_merchant_authorisation_is_over(one, over_ms))
            return true;
    }
    return false;
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

bool setpay_merchant_part_is_over(const struct setpay_merchant_purchase *purchase,
                                  const struct setpay_merchant_steps *steps,
                                  const struct setpay_merchant_step *step, uint32_t wire_code,
                                  bool signed_by_gateway, setpay_time_ms now_ms)
{
    struct setpay_merchant_authorisation one;
    setpay_time_ms over_ms = now_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS;
    return step->kind == SETPAY_MERCHANT_STEP_RELEASE && step->part && signed_by_gateway &&
           wire_code == SETPAY_WIRE_EXPIRED &&
           setpay_merchant_authorisation_find(purchase, steps, step->of_id, &one) &&
           setpay_merchant_authorisation_is_over(&one, over_ms);
}

/* Nothing is at the gateway now: what it has given up goes first, since all else is refused. */
static void put_releases_first(const struct setpay_merchant_purchase *purchase,
                               setpay_time_ms now_ms, struct setpay_merchant_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        struct setpay_merchant_step *step = &steps->list[i];
        struct setpay_merchant_authorisation one;
        if (!is_asking(step) || step->urgent || step->part ||
            step->kind != SETPAY_MERCHANT_STEP_RELEASE ||
            !setpay_merchant_authorisation_find(purchase, steps, step->of_id, &one) ||
            !setpay_merchant_authorisation_is_over(&one, now_ms))
            continue;
        step->urgent = true;
        step->changed = true;
    }
}

enum setpay_error setpay_merchant_step_apply(const struct setpay_merchant_step_outcome *outcome,
                                             setpay_time_ms now_ms,
                                             struct setpay_merchant_purchase *purchase,
                                             struct setpay_merchant_steps *steps, bool *again)
{
    struct setpay_merchant_step *step = outcome->step_id != 0
                                            ? setpay_merchant_step_of(steps, outcome->step_id)
                                            : setpay_merchant_step_first(steps);
    enum setpay_error error = SETPAY_OK;
    *again = false;
    if (step == NULL || !is_asking(step))
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
    put_releases_first(purchase, now_ms, steps);
    purchase->updated_ms = now_ms;
    return setpay_purchase_state_next(purchase->state, event_after(purchase, steps),
                                      &purchase->state);
}
