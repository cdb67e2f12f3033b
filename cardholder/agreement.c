/*
 * What a person has agreed to, in words, and how it stands. Nothing here asks, stores or reads a
 * clock; all that is said of payments comes from the gateway's receipts.
 */
#include "cardholder/agreement.h"
#include "common/base/noun.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *setpay_wallet_terms_name(enum setpay_terms_kind kind)
{
    switch (kind) {
    case SETPAY_TERMS_SPLIT:
        return "split";
    case SETPAY_TERMS_INSTALMENT:
        return "instalment";
    case SETPAY_TERMS_RECURRING:
        return "recurring";
    default:
        return "single";
    }
}

bool setpay_wallet_terms_repeat(const struct setpay_terms *terms)
{
    return terms->kind == SETPAY_TERMS_INSTALMENT || terms->kind == SETPAY_TERMS_RECURRING;
}

static const char *money(int64_t minor, const struct setpay_money *amount,
                         char text[SETPAY_MONEY_TEXT_SIZE])
{
    struct setpay_money shown = *amount;
    shown.minor = minor;
    return setpay_money_format(&shown, text);
}

const char *setpay_wallet_terms_text(const struct setpay_terms *terms,
                                     const struct setpay_money *amount,
                                     char out[SETPAY_WALLET_TERMS_TEXT_SIZE])
{
    char each[SETPAY_MONEY_TEXT_SIZE], total[SETPAY_MONEY_TEXT_SIZE], until[16] = "?";
    time_t end = (time_t)(terms->end_ms / SETPAY_SECOND_MS);
    struct tm utc;
    if (gmtime_r(&end, &utc) != NULL)
        strftime(until, sizeof until, "%Y-%m-%d", &utc);
    if (terms->kind == SETPAY_TERMS_SPLIT)
        snprintf(out, SETPAY_WALLET_TERMS_TEXT_SIZE, "in parts, together at most %s",
                 money(amount->minor, amount, total));
    else if (!setpay_wallet_terms_repeat(terms))
        snprintf(out, SETPAY_WALLET_TERMS_TEXT_SIZE, "one payment of %s",
                 money(amount->minor, amount, total));
    else
        snprintf(out, SETPAY_WALLET_TERMS_TEXT_SIZE,
                 "%s%u payment%s of at most %s, at least %u day%s apart, until %s; "
                 "together at most %s",
                 terms->kind == SETPAY_TERMS_RECURRING ? "up to " : "", terms->count,
                 setpay_noun(terms->count, "", "s"),
                 money(setpay_terms_each_max(terms, amount), amount, each), terms->interval_days,
                 setpay_noun(terms->interval_days, "", "s"), until,
                 money(setpay_terms_total_max(terms, amount), amount, total));
    return out;
}

enum setpay_error setpay_wallet_terms_check_agreed(const struct setpay_terms *terms,
                                                   const struct setpay_money *amount,
                                                   const char *said)
{
    char text[SETPAY_WALLET_TERMS_TEXT_SIZE];
    if (said == NULL)
        return setpay_wallet_terms_repeat(terms) ? SETPAY_E_NOT_AGREED : SETPAY_OK; /* rule W4 */
    return strcmp(said, setpay_wallet_terms_text(terms, amount, text)) == 0 ? SETPAY_OK
                                                                            : SETPAY_E_NOT_AGREED;
}

bool setpay_wallet_is_cancelling(const struct setpay_wallet_purchase *purchase)
{
    return purchase->cancellation.size != 0 && purchase->sums.cancelled_ms == 0;
}

const char *setpay_wallet_breach_words(const char *disagrees)
{
    static const struct {
        const char *breaks;
        const char *words;
    } table[] = {
        {SETPAY_AGREEMENT_AMOUNT, "it is of more than one payment may be"},
        {SETPAY_AGREEMENT_TOTAL, "all payments together are more than you agreed to"},
        {SETPAY_AGREEMENT_COUNT, "there are more payments than you agreed to"},
        {SETPAY_AGREEMENT_INTERVAL, "it comes too soon after the payment before"},
        {SETPAY_AGREEMENT_END, "it comes after the end of the agreement"},
        {SETPAY_AGREEMENT_CANCELLED, "you had cancelled the agreement"},
        {SETPAY_AGREEMENT_REVERSED, "all that was authorised had been given back"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].breaks, disagrees) == 0)
            return table[i].words;
    }
    return NULL;
}

/* ------------------------------------------------------------------ as JSON */

static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    if (time_ms <= 0 || time_ms == INT64_MAX)
        return json_null();
    return json_string(setpay_time_format(time_ms, text));
}

static json_t *money_json(int64_t minor, const struct setpay_money *amount)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    return json_string(money(minor, amount, text));
}

static struct setpay_agreement_taken taken_of(const struct setpay_wallet_purchase *purchase)
{
    const struct setpay_receipt_sums *sums = &purchase->sums;
    return (struct setpay_agreement_taken){
        .count = sums->authorisations,
        .minor = sums->authorised_minor - sums->reversed_minor,
        .last_ms = sums->last_authorised_ms,
        .cancelled = sums->cancelled_ms != 0,
    };
}

static const char *status_of(const struct setpay_wallet_purchase *purchase, bool may_go_on)
{
    if (purchase->sums.cancelled_ms != 0)
        return "cancelled";
    if (purchase->state == SETPAY_WALLET_PENDING || purchase->state == SETPAY_WALLET_REFUSED)
        return "pending";
    if (purchase->state != SETPAY_WALLET_AUTHORISED)
        return "failed";
    if (setpay_wallet_is_cancelling(purchase))
        return "cancelling";
    return may_go_on ? "active" : "ended";
}

json_t *setpay_wallet_agreement_json(const struct setpay_wallet_purchase *p, setpay_time_ms now_ms)
{
    char xid[SETPAY_ID_TEXT_SIZE], words[SETPAY_WALLET_TERMS_TEXT_SIZE];
    const struct setpay_terms *terms = &p->terms;
    const struct setpay_agreement_taken taken = taken_of(p);
    int64_t each = setpay_terms_each_max(terms, &p->amount);
    int64_t total = setpay_terms_total_max(terms, &p->amount);
    setpay_time_ms next_ms = setpay_agreement_next_ms(terms, &p->amount, &taken, now_ms);
    bool repeats = setpay_wallet_terms_repeat(terms);
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:I, s:o, s:I, s:I, s:o}", "xid",
        setpay_id_format(&p->xid, xid), "status", status_of(p, next_ms != INT64_MAX), "merchant",
        p->merchant_name, "merchant_id", p->merchant_id, "host", p->link.host, "kind",
        setpay_wallet_terms_name(terms->kind), "terms_text",
        setpay_wallet_terms_text(terms, &p->amount, words), "currency", p->amount.currency, "each",
        (json_int_t)each, "each_text", money_json(each, &p->amount), "total", (json_int_t)total,
        "total_text", money_json(total, &p->amount), "payments", (json_int_t)taken.count, "taken",
        (json_int_t)taken.minor, "taken_text", money_json(taken.minor, &p->amount));
    if (json == NULL)
        return NULL;
    int failed =
        json_object_set_new(json, "count", repeats ? json_integer(terms->count) : json_null());
    failed |= json_object_set_new(json, "interval_days",
                                  repeats ? json_integer(terms->interval_days) : json_null());
    failed |= json_object_set_new(json, "end", time_json(terms->end_ms));
    failed |= json_object_set_new(json, "last", time_json(taken.last_ms));
    failed |=
        json_object_set_new(json, "next", taken.count == 0 ? json_null() : time_json(next_ms));
    failed |= json_object_set_new(json, "cancel_asked", time_json(p->cancel_asked_ms));
    failed |= json_object_set_new(json, "cancelled", time_json(p->sums.cancelled_ms));
    failed |= json_object_set_new(json, "disagreement",
                                  p->disagreement[0] == '\0' ? json_null()
                                                             : json_string(p->disagreement));
    if (failed != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}
