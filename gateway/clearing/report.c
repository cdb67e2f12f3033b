/*
 * Settlements as CSV (RFC 4180), and their items as a clearing file.
 */
#include "gateway/clearing/report.h"
#include "common/base/zone.h"

#include "gateway/issuer/clearing_file.h"

#include <stdio.h>
#include <string.h>

const char *setpay_report_amount(int64_t minor, const char *currency,
                                 char out[SETPAY_REPORT_AMOUNT_SIZE])
{
    struct setpay_money money = {.minor = minor};
    (void)snprintf(money.currency, sizeof money.currency, "%s", currency);
    (void)setpay_money_format(&money, out);
    out[strcspn(out, " ")] = '\0';
    return out;
}

/* ------------------------------------------------------------------ settlements */

static enum setpay_error add_amount(struct setpay_buffer *bytes, int64_t minor,
                                    const char *currency)
{
    char text[SETPAY_REPORT_AMOUNT_SIZE];
    return setpay_buffer_append_format(bytes, ",%s", setpay_report_amount(minor, currency, text));
}

/* An amount behind how many there are. */
static enum setpay_error add_counted(struct setpay_buffer *bytes, int64_t count, int64_t minor,
                                     const char *currency)
{
    SETPAY_TRY(setpay_buffer_append_format(bytes, ",%lld", (long long)count));
    return add_amount(bytes, minor, currency);
}

/* Brands, ids and currencies are of letters, digits, _ and -: nothing in a line needs quotes. */
static enum setpay_error add_line(const struct setpay_settlement *s, struct setpay_buffer *bytes)
{
    char cut_off[SETPAY_TIME_TEXT_SIZE], token[SETPAY_ID_TEXT_SIZE];
    SETPAY_TRY(setpay_buffer_append_format(
        bytes, "%s,%s,%s,%s,%s,%s", s->day, s->brand, s->merchant_id, s->currency,
        setpay_time_format(s->cut_off_ms, cut_off), setpay_id_format(&s->token, token)));
    SETPAY_TRY(add_counted(bytes, s->sums.capture_count, s->sums.capture_minor, s->currency));
    SETPAY_TRY(add_counted(bytes, s->sums.credit_count, s->sums.credit_minor, s->currency));
    SETPAY_TRY(add_amount(bytes, s->sums.fee_minor, s->currency));
    SETPAY_TRY(add_amount(bytes, setpay_settlement_net(&s->sums), s->currency));
    SETPAY_TRY(add_counted(bytes, s->sums.refused_count, s->sums.refused_minor, s->currency));
    SETPAY_TRY(add_amount(bytes, s->carried_in_minor, s->currency));
    SETPAY_TRY(add_amount(bytes, s->payout_minor, s->currency));
    SETPAY_TRY(add_amount(bytes, s->carried_out_minor, s->currency));
    const struct setpay_adjustment_sums *a = &s->adjusted;
    SETPAY_TRY(add_counted(bytes, a->disputed_count, a->disputed_minor, s->currency));
    SETPAY_TRY(add_counted(bytes, a->returned_count, a->returned_minor, s->currency));
    SETPAY_TRY(add_counted(bytes, a->cleared_count, a->cleared_minor, s->currency));
    SETPAY_TRY(add_amount(bytes, s->held_minor, s->currency));
    SETPAY_TRY(add_amount(bytes, s->released_minor, s->currency));
    SETPAY_TRY(add_counted(bytes, a->repaid_count, a->repaid_minor, s->currency));
    return setpay_buffer_append_format(bytes, "\r\n");
}

enum setpay_error setpay_report_csv(const struct setpay_report *report, struct setpay_buffer *bytes)
{
    setpay_buffer_reset(bytes);
    SETPAY_TRY(setpay_buffer_append_format(
        bytes, "day,brand,merchant_id,currency,cut_off,settlement,captures,captured,credits,"
               "credited,fees,net,refused,refused_amount,carried_in,payout,carried_out,disputes,"
               "disputed,returns,returned,clearings,cleared,held,released,"
               "repayments,repaid\r\n"));
    for (size_t i = 0; i < report->settlement_count; i++)
        SETPAY_TRY(add_line(&report->settlements[i], bytes));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ items */

static enum setpay_error add_item(const struct setpay_report *report,
                                  const struct setpay_clearing_item *item,
                                  struct setpay_clearing_file *file)
{
    const struct setpay_date date = setpay_date_of_ms(item->presented_ms);
    struct setpay_clearing_row row = {
        .kind = item->credits ? SETPAY_CLEARING_CREDIT
                : item->sale  ? SETPAY_CLEARING_SALE
                              : SETPAY_CLEARING_CAPTURE,
        .amount = item->amount,
    };
    char day[SETPAY_DATE_TEXT_SIZE];
    bool taken = setpay_presentment_is_taken(item->response_code);
    (void)snprintf(row.acquirer, sizeof row.acquirer, "%s", report->acquirer_id);
    (void)setpay_id_format(&item->step, row.presentment);
    (void)setpay_id_format(&item->xid, row.xid);
    (void)snprintf(row.date, sizeof row.date, "%s", setpay_date_format(&date, day));
    (void)snprintf(row.result, sizeof row.result, "%s", taken ? "00" : item->response_code);
    if (strcmp(row.date, file->from) < 0)
        memcpy(file->from, row.date, sizeof row.date);
    if (strcmp(row.date, file->to) > 0)
        memcpy(file->to, row.date, sizeof row.date);
    return setpay_clearing_file_add(file, &row);
}

enum setpay_error setpay_report_clearing(const struct setpay_report *report,
                                         struct setpay_buffer *bytes)
{
    struct setpay_clearing_file file = {.rows = NULL};
    enum setpay_error error = SETPAY_OK;
    (void)snprintf(file.issuer, sizeof file.issuer, "%s", report->gateway_id);
    (void)snprintf(file.from, sizeof file.from, "%s", report->day);
    memcpy(file.to, file.from, sizeof file.to);
    for (size_t i = 0; error == SETPAY_OK && i < report->item_count; i++)
        error = add_item(report, &report->items[i], &file);
    setpay_buffer_reset(bytes);
    if (error == SETPAY_OK)
        error = setpay_clearing_file_build(&file, bytes);
    setpay_clearing_file_clear(&file);
    return error;
}
