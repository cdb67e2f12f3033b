/*
 * What comes next, and when.
 *
 * An interval runs from the newest approval by the gateway's own date, as the receipt has it, so
 * that all three parties count alike. What is declined is asked for again as card networks allow:
 * not before a day has gone by, not more than 15 times in 30 days, and never where the issuer has
 * said so for good.
 */
#include "merchant/payment/agreement.h"

#include "common/base/limits.h"
#include "common/wire/signed.h"

#include <string.h>

struct setpay_agreement_taken
setpay_merchant_agreement_taken(const struct setpay_merchant_purchase *purchase,
                                const struct setpay_merchant_agreement *agreement)
{
    return (struct setpay_agreement_taken){
        .count = agreement->taken_count,
        .minor = purchase->approved_minor - purchase->released_minor,
        .last_ms = agreement->last_ms,
        .cancelled = agreement->cancellation.size != 0,
    };
}

int64_t setpay_merchant_agreement_next_minor(const struct setpay_merchant_purchase *purchase,
                                             const struct setpay_merchant_agreement *agreement)
{
    const struct setpay_terms *terms = &purchase->terms;
    const struct setpay_agreement_taken taken =
        setpay_merchant_agreement_taken(purchase, agreement);
    if (terms->kind != SETPAY_TERMS_INSTALMENT && terms->kind != SETPAY_TERMS_RECURRING)
        return 0;
    int64_t each = setpay_terms_each_max(terms, &purchase->amount);
    int64_t left = setpay_terms_total_max(terms, &purchase->amount) - taken.minor;
    return left < each ? left : each;
}

static bool is_waiting(const struct setpay_merchant_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (steps->list[i].kind == SETPAY_MERCHANT_STEP_AUTHORISE &&
            steps->list[i].state == SETPAY_MERCHANT_STEP_ASKING)
            return true;
    }
    return false;
}

static bool goes_on(const struct setpay_merchant_agreement *agreement)
{
    return agreement->purchase_id != 0 && agreement->ended == SETPAY_ENDED_NOT;
}

/* When the next may be, whoever asks; INT64_MAX where none may. */
static setpay_time_ms earliest_ms(const struct setpay_merchant_purchase *purchase,
                                  const struct setpay_merchant_agreement *agreement,
                                  setpay_time_ms now_ms)
{
    const struct setpay_agreement_taken taken =
        setpay_merchant_agreement_taken(purchase, agreement);
    if (!agreement->has_auth_token)
        return INT64_MAX;
    setpay_time_ms next =
        setpay_agreement_next_ms(&purchase->terms, &purchase->amount, &taken, now_ms);
    return next < agreement->retry_ms ? agreement->retry_ms : next;
}

/* Whether nothing can follow any more. Where all has been taken, and there is one left to take it
 * by, what is held may be given up and taken again. */
static bool is_over(const struct setpay_merchant_purchase *purchase,
                    const struct setpay_merchant_agreement *agreement, setpay_time_ms now_ms)
{
    const struct setpay_terms *terms = &purchase->terms;
    struct setpay_agreement_taken taken = setpay_merchant_agreement_taken(purchase, agreement);
    if (earliest_ms(purchase, agreement, now_ms) != INT64_MAX)
        return false;
    taken.minor -= setpay_merchant_held(purchase);
    bool may_be_again =
        agreement->has_auth_token && taken.minor > 0 &&
        setpay_agreement_next_ms(terms, &purchase->amount, &taken, now_ms) != INT64_MAX;
    bool all_held = agreement->has_auth_token && !taken.cancelled && taken.minor == 0 &&
                    terms->kind == SETPAY_TERMS_SPLIT && taken.count < SETPAY_AGREEMENT_SPLITS_MAX;
    return !may_be_again && !all_held;
}

setpay_time_ms setpay_merchant_agreement_due_ms(const struct setpay_merchant_purchase *purchase,
                                                const struct setpay_merchant_steps *steps,
                                                const struct setpay_merchant_agreement *agreement,
                                                setpay_time_ms now_ms)
{
    if (!goes_on(agreement) || is_waiting(steps))
        return INT64_MAX;
    setpay_time_ms next = earliest_ms(purchase, agreement, now_ms);
    if (is_over(purchase, agreement, now_ms))
        return now_ms; /* to be ended */
    bool by_itself = next != INT64_MAX && agreement->schedule == SETPAY_SCHEDULE_AUTOMATIC &&
                     setpay_merchant_agreement_next_minor(purchase, agreement) > 0;
    if (by_itself)
        return next;
    return purchase->terms.end_ms > 0 ? purchase->terms.end_ms + 1 : INT64_MAX;
}

setpay_time_ms setpay_merchant_agreement_next_ms(const struct setpay_merchant_purchase *purchase,
                                                 const struct setpay_merchant_agreement *agreement,
                                                 setpay_time_ms now_ms)
{
    setpay_time_ms next = goes_on(agreement) ? earliest_ms(purchase, agreement, now_ms) : INT64_MAX;
    return next == INT64_MAX || purchase->terms.kind == SETPAY_TERMS_SPLIT ? 0 : next;
}

enum setpay_error setpay_merchant_agreement_check(const struct setpay_merchant_purchase *purchase,
                                                  const struct setpay_merchant_steps *steps,
                                                  const struct setpay_merchant_agreement *agreement,
                                                  int64_t minor, setpay_time_ms now_ms)
{
    if (!goes_on(agreement) || !agreement->has_auth_token || is_waiting(steps))
        return SETPAY_E_STATE;
    if (now_ms < agreement->retry_ms)
        return SETPAY_E_TOO_SOON;
    const struct setpay_agreement_taken taken =
        setpay_merchant_agreement_taken(purchase, agreement);
    enum setpay_error error = setpay_agreement_check(&purchase->terms, &purchase->amount, &taken,
                                                     minor, now_ms, 0, NULL); /* rule G6 */
    return error == SETPAY_E_AGREEMENT_OVER || error == SETPAY_E_CANCELLED ? SETPAY_E_STATE : error;
}

bool setpay_merchant_agreement_permits(const struct setpay_merchant_purchase *purchase,
                                       const struct setpay_merchant_agreement *agreement,
                                       const struct setpay_merchant_step *step,
                                       const struct setpay_auth_res *answer)
{
    struct setpay_agreement_taken taken = setpay_merchant_agreement_taken(purchase, agreement);
    taken.cancelled = agreement->confirmed; /* until then the gateway may take one that it has */
    return answer->amount.minor == step->amount_minor &&
           setpay_agreement_check(&purchase->terms, &purchase->amount, &taken, answer->amount.minor,
                                  answer->header.date_ms, SETPAY_LIMIT_DATE_TOLERANCE_MS,
                                  NULL) == SETPAY_OK; /* rule M6 */
}

/* ------------------------------------------------------------------ what became of it */

void setpay_merchant_agreement_finish(enum setpay_agreement_end end, setpay_time_ms now_ms,
                                      struct setpay_merchant_agreement *agreement)
{
    if (!goes_on(agreement))
        return;
    agreement->ended = end;
    agreement->ended_ms = now_ms;
}

void setpay_merchant_agreement_settle(const struct setpay_merchant_purchase *purchase,
                                      setpay_time_ms now_ms,
                                      struct setpay_merchant_agreement *agreement)
{
    const struct setpay_agreement_taken taken =
        setpay_merchant_agreement_taken(purchase, agreement);
    if (!goes_on(agreement) || !is_over(purchase, agreement, now_ms))
        return;
    if (taken.count > 0 && taken.minor <= 0) {
        setpay_merchant_agreement_finish(SETPAY_ENDED_GIVEN_BACK, now_ms, agreement);
        return;
    }
    bool all = !agreement->has_auth_token ||
               taken.minor >= setpay_terms_total_max(&purchase->terms, &purchase->amount) ||
               (purchase->terms.count > 0 && taken.count >= purchase->terms.count);
    setpay_merchant_agreement_finish(all ? SETPAY_ENDED_COMPLETED : SETPAY_ENDED_EXPIRED, now_ms,
                                     agreement);
}

void setpay_merchant_agreement_begin(const struct setpay_merchant_purchase *purchase,
                                     enum setpay_agreement_schedule schedule,
                                     const struct setpay_auth_res *answer, setpay_time_ms now_ms,
                                     struct setpay_merchant_agreement *agreement)
{
    *agreement = (struct setpay_merchant_agreement){
        .purchase_id = purchase->id,
        .has_auth_token = answer->has_auth_token,
        .auth_token = answer->auth_token,
        .schedule = schedule,
        .taken_count = 1,
        .last_ms = answer->header.date_ms,
        .created_ms = now_ms,
    };
    setpay_merchant_agreement_settle(purchase, now_ms, agreement);
}

/* The issuer's word that it will never be otherwise. */
static bool is_for_good(const char *action_code)
{
    static const char *const codes[] = {"04", "07", "14", "41", "43", "46", "R0", "R1", "R3"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(action_code, codes[i]) == 0)
            return true;
    }
    return false;
}

/* Not before the fifteenth newest of the last 30 days is older than that. */
static setpay_time_ms after_tries_ms(const struct setpay_merchant_steps *steps,
                                     setpay_time_ms now_ms)
{
    unsigned declined = 0;
    for (size_t i = steps->count; i-- > 0;) {
        const struct setpay_merchant_step *step = &steps->list[i];
        if (step->state != SETPAY_MERCHANT_STEP_DECLINED ||
            step->decided_ms + SETPAY_MERCHANT_DECLINES_MS <= now_ms)
            continue;
        if (++declined == SETPAY_MERCHANT_DECLINES_MAX)
            return step->decided_ms + SETPAY_MERCHANT_DECLINES_MS + SETPAY_MERCHANT_CLOCKS_MS;
    }
    return 0;
}

static void declined(const struct setpay_merchant_steps *steps,
                     const struct setpay_auth_res *answer, setpay_time_ms now_ms,
                     struct setpay_merchant_agreement *agreement)
{
    bool unheard = strcmp(answer->action_code, "91") == 0 || strcmp(answer->action_code, "96") == 0;
    setpay_time_ms from_ms = answer->header.date_ms > now_ms ? answer->header.date_ms : now_ms;
    if (is_for_good(answer->action_code)) {
        setpay_merchant_agreement_finish(SETPAY_ENDED_DECLINED, now_ms, agreement);
        return;
    }
    agreement->retry_ms =
        from_ms + (unheard ? SETPAY_MERCHANT_UNHEARD_WAIT_MS
                           : SETPAY_MERCHANT_DECLINED_WAIT_MS + SETPAY_MERCHANT_CLOCKS_MS);
    setpay_time_ms after_ms = after_tries_ms(steps, now_ms);
    if (agreement->retry_ms < after_ms)
        agreement->retry_ms = after_ms;
}

void setpay_merchant_agreement_answered(const struct setpay_merchant_steps *steps,
                                        const struct setpay_auth_res *answer, bool permitted,
                                        setpay_time_ms now_ms,
                                        struct setpay_merchant_agreement *agreement)
{
    if (answer->outcome == SETPAY_AUTH_DECLINED) {
        declined(steps, answer, now_ms, agreement);
        return;
    }
    agreement->taken_count++;
    agreement->last_ms = answer->header.date_ms;
    agreement->retry_ms = 0;
    if (!permitted)
        setpay_merchant_agreement_finish(SETPAY_ENDED_BREACH, now_ms, agreement);
    if (!answer->has_auth_token)
        setpay_merchant_agreement_finish(SETPAY_ENDED_COMPLETED, now_ms, agreement);
}

/* Whether the issuer has said no less than a day ago. */
static bool was_declined(const struct setpay_merchant_steps *steps, setpay_time_ms now_ms)
{
    for (size_t i = steps->count; i-- > 0;) {
        const struct setpay_merchant_step *step = &steps->list[i];
        if (step->state == SETPAY_MERCHANT_STEP_DECLINED)
            return step->decided_ms + SETPAY_MERCHANT_DECLINED_WAIT_MS > now_ms;
    }
    return false;
}

static setpay_time_ms too_soon_ms(const struct setpay_merchant_purchase *purchase,
                                  const struct setpay_merchant_steps *steps,
                                  const struct setpay_merchant_agreement *agreement,
                                  setpay_time_ms now_ms)
{
    struct setpay_agreement_taken taken = setpay_merchant_agreement_taken(purchase, agreement);
    setpay_time_ms next =
        setpay_agreement_next_ms(&purchase->terms, &purchase->amount, &taken, now_ms);
    /* By our count it was not too soon: it was tried often enough. Close to the interval's end it
     * may be the clocks. */
    bool is_tried =
        next <= now_ms && (was_declined(steps, now_ms) || after_tries_ms(steps, now_ms) != 0);
    setpay_time_ms least_ms = now_ms + (is_tried ? SETPAY_DAY_MS : SETPAY_HOUR_MS);
    return next == INT64_MAX || next < least_ms ? least_ms : next;
}

void setpay_merchant_agreement_refused(const struct setpay_merchant_purchase *purchase,
                                       const struct setpay_merchant_steps *steps,
                                       uint32_t wire_code, setpay_time_ms now_ms,
                                       struct setpay_merchant_agreement *agreement)
{
    enum setpay_agreement_end end = SETPAY_ENDED_NOT;
    switch (wire_code) {
    case SETPAY_WIRE_TOO_SOON:
        agreement->retry_ms = too_soon_ms(purchase, steps, agreement, now_ms);
        return;
    case SETPAY_WIRE_AGREEMENT:
    case SETPAY_WIRE_EXPIRED:
        end = SETPAY_ENDED_BY_GATEWAY;
        break;
    case SETPAY_WIRE_CERTIFICATE:
    case SETPAY_WIRE_REVOKED:
        end = SETPAY_ENDED_CARD_ENDED;
        break;
    case SETPAY_WIRE_UNKNOWN_TRANSACTION:
        end = SETPAY_ENDED_UNKNOWN;
        break;
    case SETPAY_WIRE_AMOUNT:
        /* The store may ask for another amount; the daemon would ask for this one for ever. */
        if (agreement->schedule == SETPAY_SCHEDULE_AUTOMATIC)
            end = SETPAY_ENDED_AMOUNT;
        break;
    default:
        agreement->retry_ms = now_ms + SETPAY_DAY_MS;
        return;
    }
    if (end != SETPAY_ENDED_NOT)
        setpay_merchant_agreement_finish(end, now_ms, agreement);
}

/* ------------------------------------------------------------------ Errors */

static enum setpay_further_word word_on_cancellation(uint32_t wire_code, bool by_gateway)
{
    switch (wire_code) {
    case SETPAY_WIRE_DATE:
        return SETPAY_FURTHER_RENEW;
    case SETPAY_WIRE_CRYPTOGRAPHIC:
    case SETPAY_WIRE_NOT_PERMITTED:
    case SETPAY_WIRE_UNKNOWN_TRANSACTION:
    case SETPAY_WIRE_EXPIRED:
        return by_gateway ? SETPAY_FURTHER_REFUSED : SETPAY_FURTHER_LATER;
    default:
        return SETPAY_FURTHER_LATER;
    }
}

enum setpay_further_word setpay_merchant_further_word(enum setpay_ask_kind kind, uint32_t wire_code,
                                                      bool by_gateway, bool cardholder_ended,
                                                      bool ours_good)
{
    if (kind == SETPAY_ASK_CANCEL)
        return word_on_cancellation(wire_code, by_gateway);
    switch (wire_code) {
    case SETPAY_WIRE_DATE:
        return SETPAY_FURTHER_RENEW;
    case SETPAY_WIRE_UNSPECIFIED:
    case SETPAY_WIRE_CERTIFICATE_MISSING:
    case SETPAY_WIRE_BUSY:
        return SETPAY_FURTHER_LATER;
    case SETPAY_WIRE_CERTIFICATE: /* a list may be missing */
        return by_gateway && cardholder_ended ? SETPAY_FURTHER_REFUSED : SETPAY_FURTHER_LATER;
    case SETPAY_WIRE_REVOKED: /* it may be ours, which people mend */
        return by_gateway && (cardholder_ended || ours_good) ? SETPAY_FURTHER_REFUSED
                                                             : SETPAY_FURTHER_LATER;
    default: /* an unsigned one ends nothing */
        return by_gateway ? SETPAY_FURTHER_REFUSED : SETPAY_FURTHER_LATER;
    }
}
