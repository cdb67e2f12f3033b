/*
 * Totals of a reconciliation in fields 74 to 77, 86 to 89 and 97. Pure; both sides use it.
 */
#include "gateway/network/totals.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

/* Fields 74 to 77 and 86 to 89. */
static const struct {
    unsigned count_field, amount_field;
    size_t count_at, minor_at;
} totals_fields[] = {
#define SETPAY_ROW(kind, name)                                                                     \
    {                                                                                              \
        SETPAY_ISO_##kind##_COUNT, SETPAY_ISO_##kind##_AMOUNT,                                     \
            offsetof(struct setpay_network_totals, name##_count),                                  \
            offsetof(struct setpay_network_totals, name##_minor)                                   \
    }
    SETPAY_ROW(CREDIT, credit),
    SETPAY_ROW(CREDIT_REVERSAL, credit_reversal),
    SETPAY_ROW(DEBIT, debit),
    SETPAY_ROW(DEBIT_REVERSAL, debit_reversal),
#undef SETPAY_ROW
};
#define TOTALS_COUNT (sizeof(totals_fields) / sizeof(totals_fields[0]))

static int64_t *total_at(const struct setpay_network_totals *totals, size_t at)
{
    return (int64_t *)(uintptr_t)((const char *)totals + at);
}

bool setpay_network_totals_equal(const struct setpay_network_totals *a,
                                 const struct setpay_network_totals *b)
{
    bool same = true;
    for (size_t i = 0; i < TOTALS_COUNT; i++)
        same = same &&
               *total_at(a, totals_fields[i].count_at) == *total_at(b, totals_fields[i].count_at) &&
               *total_at(a, totals_fields[i].minor_at) == *total_at(b, totals_fields[i].minor_at);
    return same;
}

int64_t setpay_network_totals_net(const struct setpay_network_totals *totals)
{
    return totals->debit_minor - totals->debit_reversal_minor - totals->credit_minor +
           totals->credit_reversal_minor;
}

enum setpay_error setpay_totals_set(struct setpay_iso_message *message,
                                    const struct setpay_network_totals *totals)
{
    char net[32];
    int64_t owed = setpay_network_totals_net(totals);
    for (size_t i = 0; i < TOTALS_COUNT; i++) {
        int64_t count = *total_at(totals, totals_fields[i].count_at);
        int64_t minor = *total_at(totals, totals_fields[i].minor_at);
        if (count < 0 || minor < 0)
            return SETPAY_E_FIELD;
        SETPAY_TRY(setpay_iso_set_number(message, totals_fields[i].count_field, (uint64_t)count));
        SETPAY_TRY(setpay_iso_set_number(message, totals_fields[i].amount_field, (uint64_t)minor));
    }
    snprintf(net, sizeof(net), "%c%016" PRId64, owed < 0 ? 'D' : 'C', owed < 0 ? -owed : owed);
    return setpay_iso_set_text(message, SETPAY_ISO_NET_AMOUNT, net);
}

enum setpay_error setpay_totals_get(const struct setpay_iso_message *message,
                                    struct setpay_network_totals *totals)
{
    struct setpay_network_totals got = {0};
    for (size_t i = 0; i < TOTALS_COUNT; i++) {
        uint64_t count, minor;
        SETPAY_TRY(setpay_iso_get_number(message, totals_fields[i].count_field, &count));
        SETPAY_TRY(setpay_iso_get_number(message, totals_fields[i].amount_field, &minor));
        *total_at(&got, totals_fields[i].count_at) = (int64_t)count;
        *total_at(&got, totals_fields[i].minor_at) = (int64_t)minor;
    }
    *totals = got;
    return SETPAY_OK;
}
