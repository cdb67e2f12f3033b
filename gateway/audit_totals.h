/*
 * Totals of a batch under audit: what one says and another has, currency by currency.
 */
#ifndef SETPAY_GATEWAY_AUDIT_TOTALS_H
#define SETPAY_GATEWAY_AUDIT_TOTALS_H

#include "common/wire/messages.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct setpay_audit_totals {
    struct setpay_batch_total list[SETPAY_LIMIT_CURRENCIES];
    size_t count;
};

/* One item more. false: there are more currencies than a batch may have. */
bool setpay_audit_totals_add(struct setpay_audit_totals *totals, enum setpay_batch_item_kind kind,
                             const struct setpay_money *amount);
/* As audit.batches has them; false where they are of no such form. */
bool setpay_audit_totals_read(const json_t *list, struct setpay_audit_totals *totals);

/* Both of one currency; a side that has none of it has zeros. */
typedef void setpay_audit_differ_fn(void *arg, const struct setpay_batch_total *one,
                                    const struct setpay_batch_total *other);
/* Calls differ for each currency in which the two are not the same. */
void setpay_audit_totals_compare(const struct setpay_batch_total *one, size_t one_count,
                                 const struct setpay_batch_total *other, size_t other_count,
                                 setpay_audit_differ_fn *differ, void *arg);

/* "4 captures of 4007 and 1 credit of 300": sums in minor units. */
#define SETPAY_AUDIT_TOTAL_SIZE 112
const char *setpay_audit_total_words(const struct setpay_batch_total *total, char *out);

#endif
