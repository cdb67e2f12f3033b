/*
 * What of a settlement's row is not as we have it.
 */
#include "merchant/payment/settlement.h"

#include <stdlib.h>
#include <string.h>

/* Without these it is about another step, or about none. */
#define ELSEWHERE                                                                                  \
    ((uint32_t)SETPAY_SETTLEMENT_UNKNOWN | SETPAY_SETTLEMENT_PAYMENT | SETPAY_SETTLEMENT_BRAND |   \
     SETPAY_SETTLEMENT_OF_KIND)

bool setpay_merchant_settlement_is_about(uint32_t differs)
{
    return (differs & ELSEWHERE) == 0;
}

/* A dispute is of a capture; what was cleared is below 0 of a credit, and may be 0 of either. */
static bool is_kind(const struct setpay_settlement_row *row,
                    const struct setpay_merchant_settled_step *step)
{
    bool credits = step->kind == SETPAY_MERCHANT_STEP_CREDIT;
    switch (row->kind) {
    case SETPAY_SETTLEMENT_CREDIT:
        return credits;
    case SETPAY_SETTLEMENT_CLEARED:
    case SETPAY_SETTLEMENT_ENDED:
        return row->amount_minor == 0 || credits == (row->amount_minor < 0);
    default:
        return step->kind == SETPAY_MERCHANT_STEP_CAPTURE;
    }
}

/* An item is the whole step; a dispute or a clearing may be of a part. */
static bool is_amount(const struct setpay_settlement_row *row,
                      const struct setpay_merchant_settled_step *step)
{
    return setpay_settlement_kind_is_item(row->kind)
               ? row->amount_minor == step->amount.minor
               : llabs(row->amount_minor) <= step->amount.minor;
}

uint32_t setpay_merchant_settlement_compare(const struct setpay_settlement_report *report,
                                            const struct setpay_settlement_row *row,
                                            const struct setpay_merchant_settled_step *step)
{
    bool is_item = setpay_settlement_kind_is_item(row->kind);
    uint32_t differs = 0;
    if (step->is_named)
        differs |= SETPAY_SETTLEMENT_DUPLICATE;
    if (is_item && strcmp(row->code, "00") != 0)
        differs |= SETPAY_SETTLEMENT_REFUSED;
    if (step->id == 0)
        return differs | SETPAY_SETTLEMENT_UNKNOWN;
    if (!setpay_id_equal(&row->xid, &step->xid))
        differs |= SETPAY_SETTLEMENT_PAYMENT;
    if (strcmp(report->brand, step->brand) != 0)
        differs |= SETPAY_SETTLEMENT_BRAND;
    if (!is_kind(row, step))
        differs |= SETPAY_SETTLEMENT_OF_KIND;
    if (strcmp(report->currency, step->amount.currency) != 0)
        differs |= SETPAY_SETTLEMENT_CURRENCY;
    if (!is_amount(row, step))
        differs |= SETPAY_SETTLEMENT_AMOUNT;
    if (is_item && row->batch != step->batch)
        differs |= SETPAY_SETTLEMENT_OF_BATCH;
    if (step->undone)
        differs |= SETPAY_SETTLEMENT_UNDONE;
    return differs;
}

/* ------------------------------------------------------------------ what came of a refusal */

void setpay_merchant_settlement_came(struct setpay_merchant_settlement_outcome *outcome,
                                     const struct setpay_settlement_row *row, uint32_t differs,
                                     int64_t settlement_id)
{
    if ((differs & (ELSEWHERE | (uint32_t)SETPAY_SETTLEMENT_DUPLICATE)) != 0)
        return;
    outcome->row_count++;
    if (row->kind == SETPAY_SETTLEMENT_ENDED) {
        outcome->ended_minor += row->amount_minor;
        return;
    }
    outcome->cleared_minor += row->amount_minor;
    outcome->cleared_by = settlement_id;
}

bool setpay_merchant_settlement_is_over(const struct setpay_settlement_row *row,
                                        const struct setpay_merchant_settlement_outcome *outcome)
{
    int64_t net_minor = row->amount_minor - row->fee_minor;
    if (row->kind == SETPAY_SETTLEMENT_CREDIT)
        net_minor = -net_minor;
    return outcome->row_count > 0 && outcome->cleared_minor + outcome->ended_minor == net_minor;
}
