/*
 * Adding up and comparing by currency. Pure.
 */
#include "gateway/audit_totals.h"

#include "common/base/noun.h"

#include <stdio.h>
#include <string.h>

static const struct setpay_batch_total *find(const struct setpay_batch_total *list, size_t count,
                                             const char *currency)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].currency, currency) == 0)
            return &list[i];
    return NULL;
}

bool setpay_audit_totals_add(struct setpay_audit_totals *totals, enum setpay_batch_item_kind kind,
                             const struct setpay_money *amount)
{
    size_t at = 0;
    while (at < totals->count && strcmp(totals->list[at].currency, amount->currency) != 0)
        at++;
    if (at == SETPAY_LIMIT_CURRENCIES)
        return false;
    struct setpay_batch_total *total = &totals->list[at];
    if (at == totals->count) {
        memset(total, 0, sizeof *total);
        memcpy(total->currency, amount->currency, sizeof total->currency);
        totals->count++;
    }
    bool credits = kind == SETPAY_BATCH_CREDIT;
    *(credits ? &total->credit_count : &total->capture_count) += 1;
    *(credits ? &total->credit_minor : &total->capture_minor) += amount->minor;
    return true;
}

bool setpay_audit_totals_read(const json_t *list, struct setpay_audit_totals *totals)
{
    size_t index;
    const json_t *one;
    totals->count = 0;
    json_array_foreach(list, index, one)
    {
        const char *currency = json_string_value(json_object_get(one, "currency"));
        if (currency == NULL || totals->count == SETPAY_LIMIT_CURRENCIES)
            return false;
        struct setpay_batch_total *total = &totals->list[totals->count++];
        (void)snprintf(total->currency, sizeof total->currency, "%s", currency);
        total->capture_count = (uint32_t)json_integer_value(json_object_get(one, "capture_count"));
        total->capture_minor = json_integer_value(json_object_get(one, "capture_amount"));
        total->credit_count = (uint32_t)json_integer_value(json_object_get(one, "credit_count"));
        total->credit_minor = json_integer_value(json_object_get(one, "credit_amount"));
    }
    return json_is_array(list);
}

static bool is_same(const struct setpay_batch_total *one, const struct setpay_batch_total *other)
{
    return one->capture_count == other->capture_count &&
           one->capture_minor == other->capture_minor && one->credit_count == other->credit_count &&
           one->credit_minor == other->credit_minor;
}

/* The same currency, nothing of it. */
static struct setpay_batch_total nothing_of(const struct setpay_batch_total *total)
{
    struct setpay_batch_total nothing = {.capture_count = 0};
    memcpy(nothing.currency, total->currency, sizeof nothing.currency);
    return nothing;
}

void setpay_audit_totals_compare(const struct setpay_batch_total *one, size_t one_count,
                                 const struct setpay_batch_total *other, size_t other_count,
                                 setpay_audit_differ_fn *differ, void *arg)
{
    for (size_t i = 0; i < one_count; i++) {
        const struct setpay_batch_total nothing = nothing_of(&one[i]);
        const struct setpay_batch_total *same = find(other, other_count, one[i].currency);
        if (!is_same(&one[i], same != NULL ? same : &nothing))
            differ(arg, &one[i], same != NULL ? same : &nothing);
    }
    for (size_t i = 0; i < other_count; i++) {
        const struct setpay_batch_total nothing = nothing_of(&other[i]);
        if (find(one, one_count, other[i].currency) == NULL && !is_same(&nothing, &other[i]))
            differ(arg, &nothing, &other[i]);
    }
}

const char *setpay_audit_total_words(const struct setpay_batch_total *total, char *out)
{
    (void)snprintf(out, SETPAY_AUDIT_TOTAL_SIZE, "%lu %s of %lld and %lu %s of %lld",
                   (unsigned long)total->capture_count,
                   setpay_noun(total->capture_count, "capture", "captures"),
                   (long long)total->capture_minor, (unsigned long)total->credit_count,
                   setpay_noun(total->credit_count, "credit", "credits"),
                   (long long)total->credit_minor);
    return out;
}
