/*
 * What the four kinds of terms permit.
 *
 *     SINGLE      one authorisation, of the whole amount
 *     SPLIT       any number (to SETPAY_AGREEMENT_SPLITS_MAX), together at most the amount
 *     INSTALMENT  count of at most each, together at most the amount, interval apart, until end
 *     RECURRING   count of at most each, interval apart, until end; the amount is the first one's
 *
 * An approval counts, and the interval runs from it, also where it was reversed since; its money
 * does not. Where all that was ever approved is reversed, the agreement is over, as a single
 * purchase is (rule G6: a reversal is final).
 */
#include "common/wire/agreement.h"

#include "common/base/limits.h"

static bool repeats(const struct setpay_terms *terms)
{
    return terms->kind == SETPAY_TERMS_INSTALMENT || terms->kind == SETPAY_TERMS_RECURRING;
}

bool setpay_terms_are_sound(const struct setpay_terms *terms, const struct setpay_money *amount,
                            setpay_time_ms from_ms)
{
    switch (terms->kind) {
    case SETPAY_TERMS_SINGLE:
    case SETPAY_TERMS_SPLIT:
        return true;
    case SETPAY_TERMS_INSTALMENT:
        return terms->each_minor <= amount->minor && terms->end_ms >= from_ms;
    case SETPAY_TERMS_RECURRING:
        return amount->minor <= terms->each_minor && terms->end_ms >= from_ms;
    }
    return false;
}

bool setpay_terms_go_on(const struct setpay_terms *terms)
{
    return terms->kind == SETPAY_TERMS_SPLIT || (repeats(terms) && terms->count > 1);
}

int64_t setpay_terms_each_max(const struct setpay_terms *terms, const struct setpay_money *amount)
{
    if (terms->kind == SETPAY_TERMS_RECURRING)
        return terms->each_minor;
    if (terms->kind == SETPAY_TERMS_INSTALMENT && terms->each_minor < amount->minor)
        return terms->each_minor;
    return amount->minor;
}

int64_t setpay_terms_total_max(const struct setpay_terms *terms, const struct setpay_money *amount)
{
    /* The codec has seen that the product is an amount. */
    return terms->kind == SETPAY_TERMS_RECURRING ? terms->each_minor * (int64_t)terms->count
                                                 : amount->minor;
}

static uint32_t count_max(const struct setpay_terms *terms)
{
    if (repeats(terms))
        return terms->count;
    return terms->kind == SETPAY_TERMS_SPLIT ? SETPAY_AGREEMENT_SPLITS_MAX : 1;
}

/* When the interval after the newest is over. */
static setpay_time_ms due_ms(const struct setpay_terms *terms,
                             const struct setpay_agreement_taken *taken)
{
    return repeats(terms) && taken->count > 0
               ? taken->last_ms + (int64_t)terms->interval_days * SETPAY_DAY_MS
               : 0;
}

/* rule G6 */
static enum setpay_error find_breach(const struct setpay_terms *terms,
                                     const struct setpay_money *amount,
                                     const struct setpay_agreement_taken *taken, int64_t minor,
                                     setpay_time_ms at_ms, int64_t slack_ms, const char **breaks)
{
    *breaks = SETPAY_AGREEMENT_CANCELLED;
    if (taken->cancelled)
        return SETPAY_E_CANCELLED;
    *breaks = SETPAY_AGREEMENT_COUNT;
    if (taken->count >= count_max(terms))
        return SETPAY_E_AGREEMENT_OVER;
    *breaks = SETPAY_AGREEMENT_REVERSED;
    if (taken->count > 0 && taken->minor <= 0)
        return SETPAY_E_AGREEMENT_OVER;
    *breaks = SETPAY_AGREEMENT_END;
    if (repeats(terms) && at_ms > terms->end_ms + slack_ms)
        return SETPAY_E_AGREEMENT_OVER;
    *breaks = SETPAY_AGREEMENT_AMOUNT;
    if (minor <= 0 || minor > setpay_terms_each_max(terms, amount))
        return SETPAY_E_AMOUNT_LIMIT;
    *breaks = SETPAY_AGREEMENT_TOTAL;
    if (minor > setpay_terms_total_max(terms, amount) - taken->minor)
        return SETPAY_E_AMOUNT_LIMIT;
    *breaks = SETPAY_AGREEMENT_INTERVAL;
    if (at_ms < due_ms(terms, taken))
        return SETPAY_E_TOO_SOON;
    return SETPAY_OK;
}

enum setpay_error setpay_agreement_check(const struct setpay_terms *terms,
                                         const struct setpay_money *amount,
                                         const struct setpay_agreement_taken *taken, int64_t minor,
                                         setpay_time_ms at_ms, int64_t slack_ms,
                                         const char **breaks)
{
    const char *what = NULL;
    enum setpay_error error = find_breach(terms, amount, taken, minor, at_ms, slack_ms, &what);
    if (error != SETPAY_OK && breaks != NULL)
        *breaks = what;
    return error;
}

setpay_time_ms setpay_agreement_next_ms(const struct setpay_terms *terms,
                                        const struct setpay_money *amount,
                                        const struct setpay_agreement_taken *taken,
                                        setpay_time_ms now_ms)
{
    const char *breaks = NULL;
    setpay_time_ms due = due_ms(terms, taken);
    setpay_time_ms at_ms = due > now_ms ? due : now_ms;
    return find_breach(terms, amount, taken, 1, at_ms, 0, &breaks) == SETPAY_OK ? at_ms : INT64_MAX;
}
