/*
 * Counting by authorisation.
 *
 * The purchase holds the sums over all. Those of a further authorisation are told from the steps;
 * the first one's are what is left, so that of a purchase with only one they are the purchase's.
 */
#include "merchant/payment/authorisation.h"

static const struct setpay_merchant_step *step_by_id(const struct setpay_merchant_steps *steps,
                                                     int64_t id)
{
    for (size_t i = 0; i < steps->count && id != 0; i++) {
        if (steps->list[i].id == id)
            return &steps->list[i];
    }
    return NULL;
}

int64_t setpay_merchant_authorisation_of(const struct setpay_merchant_steps *steps,
                                         const struct setpay_merchant_step *step)
{
    const struct setpay_merchant_step *at = step;
    while (at != NULL && at->kind != SETPAY_MERCHANT_STEP_CAPTURE &&
           at->kind != SETPAY_MERCHANT_STEP_RELEASE)
        at = step_by_id(steps, at->of_id);
    return at == NULL ? 0 : at->of_id;
}

/* What one step adds to the authorisation it is of. */
static void count_step(const struct setpay_merchant_step *step,
                       struct setpay_merchant_authorisation *one)
{
    bool asking = step->state == SETPAY_MERCHANT_STEP_ASKING;
    bool done = step->state == SETPAY_MERCHANT_STEP_DONE;
    if (step->kind == SETPAY_MERCHANT_STEP_CAPTURE && asking)
        one->capturing_minor += step->amount_minor;
    if (step->kind == SETPAY_MERCHANT_STEP_RELEASE && asking && step->part)
        one->releasing_minor += step->amount_minor;
    else if (step->kind == SETPAY_MERCHANT_STEP_RELEASE && asking)
        one->releasing = true;
    if (step->kind == SETPAY_MERCHANT_STEP_RELEASE && done)
        one->released_minor += step->amount_minor;
    if (step->kind == SETPAY_MERCHANT_STEP_CAPTURE && done && !step->undone) {
        one->captured_minor += step->amount_minor;
        one->credited_minor += step->credited_minor;
    }
}

static bool is_approved(const struct setpay_merchant_step *step)
{
    return step->kind == SETPAY_MERCHANT_STEP_AUTHORISE && step->state == SETPAY_MERCHANT_STEP_DONE;
}

static struct setpay_merchant_authorisation further(const struct setpay_merchant_steps *steps,
                                                    const struct setpay_merchant_step *step)
{
    struct setpay_merchant_authorisation one = {
        .step_id = step->id,
        .sale = step->sale,
        .has_cap_token = step->has_token,
        .cap_token = step->token,
        .approved_minor = step->amount_minor,
        .hold_expiry_ms = step->hold_expiry_ms,
    };
    for (size_t i = 0; i < steps->count; i++) {
        if (steps->list[i].of_id == step->id)
            count_step(&steps->list[i], &one);
    }
    return one;
}

static struct setpay_merchant_authorisation first(const struct setpay_merchant_purchase *purchase,
                                                  const struct setpay_merchant_steps *steps)
{
    struct setpay_merchant_authorisation one = {
        .sale = purchase->sale,
        .has_cap_token = purchase->has_cap_token,
        .cap_token = purchase->cap_token,
        .hold_expiry_ms = purchase->hold_expiry_ms,
    };
    for (size_t i = 0; i < steps->count; i++) {
        if (steps->list[i].of_id == 0)
            count_step(&steps->list[i], &one);
    }
    one.approved_minor = purchase->approved_minor;
    one.captured_minor = purchase->captured_minor;
    one.credited_minor = purchase->credited_minor;
    one.released_minor = purchase->released_minor;
    for (size_t i = 0; i < steps->count; i++) {
        if (!is_approved(&steps->list[i]))
            continue;
        const struct setpay_merchant_authorisation other = further(steps, &steps->list[i]);
        one.approved_minor -= other.approved_minor;
        one.captured_minor -= other.captured_minor;
        one.credited_minor -= other.credited_minor;
        one.released_minor -= other.released_minor;
    }
    return one;
}

bool setpay_merchant_authorisation_find(const struct setpay_merchant_purchase *purchase,
                                        const struct setpay_merchant_steps *steps, int64_t step_id,
                                        struct setpay_merchant_authorisation *one)
{
    const struct setpay_merchant_step *step = step_by_id(steps, step_id);
    if (step_id != 0 && (step == NULL || !is_approved(step)))
        return false;
    *one = step_id == 0 ? first(purchase, steps) : further(steps, step);
    return true;
}

bool setpay_merchant_authorisation_next(const struct setpay_merchant_purchase *purchase,
                                        const struct setpay_merchant_steps *steps, size_t *at,
                                        struct setpay_merchant_authorisation *one)
{
    if (*at == 0) {
        *at = 1;
        *one = first(purchase, steps);
        return true;
    }
    for (size_t i = *at - 1; i < steps->count; i++) {
        if (!is_approved(&steps->list[i]))
            continue;
        *at = i + 2;
        *one = further(steps, &steps->list[i]);
        return true;
    }
    return false;
}

int64_t setpay_merchant_authorisation_held(const struct setpay_merchant_authorisation *one)
{
    return one->approved_minor - one->released_minor - one->captured_minor;
}

int64_t setpay_merchant_authorisation_capturable(const struct setpay_merchant_authorisation *one)
{
    int64_t left =
        setpay_merchant_authorisation_held(one) - one->capturing_minor - one->releasing_minor;
    return one->releasing || left < 0 ? 0 : left;
}

bool setpay_merchant_authorisation_is_over(const struct setpay_merchant_authorisation *one,
                                           setpay_time_ms now_ms)
{
    return setpay_merchant_authorisation_held(one) > 0 &&
           (one->sale || now_ms >= one->hold_expiry_ms);
}
