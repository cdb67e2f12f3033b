/*
 * Settlements for their merchants, item by item (setpay-settlement(5)). What a settlement was made
 * of is added up again here, and held against what was paid out: a merchant is given no file that
 * does not add up.
 */
#include "gateway/clearing/report.h"

#include "common/base/zone.h"
#include "common/wire/settlement_file.h"

#include <stdio.h>
#include <string.h>

static enum setpay_error add_item(const struct setpay_clearing_item *item,
                                  struct setpay_settlement_report *made)
{
    const struct setpay_date date = setpay_date_of_ms(item->presented_ms);
    bool taken = setpay_presentment_is_taken(item->response_code);
    char day[SETPAY_DATE_TEXT_SIZE];
    struct setpay_settlement_row row = {
        .kind = item->credits ? SETPAY_SETTLEMENT_CREDIT
                : item->sale  ? SETPAY_SETTLEMENT_SALE
                              : SETPAY_SETTLEMENT_CAPTURE,
        .step = item->step,
        .xid = item->xid,
        .batch = item->batch,
        .amount_minor = item->amount.minor,
        .fee_minor = item->fee_minor,
    };
    (void)snprintf(row.code, sizeof row.code, "%s", taken ? "00" : item->response_code);
    (void)snprintf(row.date, sizeof row.date, "%s", setpay_date_format(&date, day));
    return setpay_settlement_report_add(made, &row);
}

static enum setpay_error add_dispute(const struct setpay_gateway_dispute *dispute, bool returns,
                                     struct setpay_settlement_report *made)
{
    struct setpay_settlement_row row = {
        .kind = returns ? SETPAY_SETTLEMENT_RETURNED : SETPAY_SETTLEMENT_DISPUTE,
        .step = dispute->step,
        .xid = dispute->xid,
        .amount_minor = dispute->amount.minor,
        .event = dispute->token,
    };
    (void)snprintf(row.code, sizeof row.code, "%s", dispute->reason);
    (void)snprintf(row.date, sizeof row.date, "%s", returns ? dispute->closed : dispute->opened);
    return setpay_settlement_report_add(made, &row);
}

static enum setpay_error add_cleared(const struct setpay_suspense_told *told,
                                     struct setpay_settlement_report *made)
{
    const struct setpay_settlement_row row = {
        .kind = told->is_paid ? SETPAY_SETTLEMENT_CLEARED : SETPAY_SETTLEMENT_ENDED,
        .step = told->step,
        .xid = told->xid,
        .amount_minor = told->amount.minor,
        .event = told->token,
    };
    return setpay_settlement_report_add(made, &row);
}

/* How far the lists have been walked: what is of one settlement stands together. */
struct walk {
    size_t item, dispute, cleared;
};

static bool is_of(const struct setpay_gateway_dispute *dispute, const struct setpay_settlement *s)
{
    return dispute->opened_settlement == s->id || dispute->closed_settlement == s->id;
}

static enum setpay_error add_rows(const struct setpay_report *report,
                                  const struct setpay_settlement *s, struct walk *at,
                                  struct setpay_settlement_report *made)
{
    for (; at->item < report->item_count && report->items[at->item].settlement == s->id; at->item++)
        SETPAY_TRY(add_item(&report->items[at->item], made));
    for (; at->dispute < report->dispute_count && is_of(&report->disputes[at->dispute], s);
         at->dispute++) {
        const struct setpay_gateway_dispute *dispute = &report->disputes[at->dispute];
        if (dispute->opened_settlement == s->id)
            SETPAY_TRY(add_dispute(dispute, false, made));
        if (dispute->closed_settlement == s->id)
            SETPAY_TRY(add_dispute(dispute, true, made));
    }
    for (; at->cleared < report->cleared_count && report->cleared[at->cleared].settlement == s->id;
         at->cleared++)
        SETPAY_TRY(add_cleared(&report->cleared[at->cleared], made));
    return SETPAY_OK;
}

static bool is_same(const struct setpay_settlement *s, const struct setpay_settlement_totals *t)
{
    const struct setpay_settlement_sums *sums = &s->sums;
    const struct setpay_adjustment_sums *a = &s->adjusted;
    return t->capture_count == sums->capture_count && t->capture_minor == sums->capture_minor &&
           t->credit_count == sums->credit_count && t->credit_minor == sums->credit_minor &&
           t->capture_fee_minor - t->credit_fee_minor == sums->fee_minor &&
           t->refused_count == sums->refused_count && t->refused_minor == sums->refused_minor &&
           t->disputed_count == a->disputed_count && t->disputed_minor == a->disputed_minor &&
           t->returned_count == a->returned_count && t->returned_minor == a->returned_minor &&
           t->cleared_count == a->cleared_count && t->cleared_minor == a->cleared_minor;
}

static void make_head(const struct setpay_report *report, const struct setpay_settlement *s,
                      struct setpay_settlement_report *made)
{
    made->settlement = s->token;
    (void)snprintf(made->gateway, sizeof made->gateway, "%s", report->gateway_id);
    (void)snprintf(made->brand, sizeof made->brand, "%s", s->brand);
    (void)snprintf(made->merchant_id, sizeof made->merchant_id, "%s", s->merchant_id);
    (void)snprintf(made->day, sizeof made->day, "%.10s", s->day);
    (void)snprintf(made->currency, sizeof made->currency, "%s", s->currency);
    made->totals = (struct setpay_settlement_totals){
        .carried_in_minor = s->carried_in_minor,
        .held_minor = s->held_minor,
        .released_minor = s->released_minor,
        .repaid_count = s->adjusted.repaid_count,
        .repaid_minor = s->adjusted.repaid_minor,
        .payout_minor = s->payout_minor,
        .carried_out_minor = s->carried_out_minor,
    };
}

static enum setpay_error add_settlement(const struct setpay_report *report,
                                        const struct setpay_settlement *s, struct walk *at,
                                        struct setpay_buffer *bytes)
{
    struct setpay_settlement_report made = {.rows = NULL};
    make_head(report, s, &made);
    enum setpay_error error = add_rows(report, s, at, &made);
    if (error == SETPAY_OK)
        error = setpay_settlement_report_build(&made, bytes);
    if (error == SETPAY_E_INVALID || (error == SETPAY_OK && !is_same(s, &made.totals)))
        error = SETPAY_E_INTERNAL;
    setpay_settlement_report_clear(&made);
    return error;
}

enum setpay_error setpay_report_items(const struct setpay_report *report,
                                      struct setpay_buffer *bytes)
{
    struct walk at = {0};
    setpay_buffer_reset(bytes);
    if (report->settlement_count == 0)
        return SETPAY_E_NOT_FOUND;
    for (size_t i = 0; i < report->settlement_count; i++)
        SETPAY_TRY(add_settlement(report, &report->settlements[i], &at, bytes));
    return SETPAY_OK;
}
