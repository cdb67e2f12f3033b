/*
 * Settlements and items as JSON. Amounts are minor units beside their currency, and once more in
 * words; what reads them back uses the numbers.
 */
#include "gateway/settlement_json.h"

#include "gateway/clearing/fees.h"

#include <stdio.h>
#include <string.h>

const char *setpay_amount_text(int64_t minor, const char *currency, char *out)
{
    struct setpay_money money = {.minor = minor};
    (void)snprintf(money.currency, sizeof money.currency, "%s", currency);
    return setpay_money_format(&money, out);
}

json_t *setpay_settlement_json(const struct setpay_settlement *s)
{
    char token[SETPAY_ID_TEXT_SIZE], payout[SETPAY_MONEY_TEXT_SIZE], net[SETPAY_MONEY_TEXT_SIZE];
    char cut_off[SETPAY_TIME_TEXT_SIZE];
    char percent[SETPAY_SHARE_TEXT_SIZE];
    int64_t net_minor = setpay_settlement_net(&s->sums);
    json_t *object = json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
        " s:I, s:I, s:s, s:s}",
        "id", (json_int_t)s->id, "settlement", setpay_id_format(&s->token, token), "brand",
        s->brand, "merchant_id", s->merchant_id, "currency", s->currency, "day", s->day,
        "cut_off_ms", (json_int_t)s->cut_off_ms, "cut_off",
        setpay_time_format(s->cut_off_ms, cut_off), "captures", (json_int_t)s->sums.capture_count,
        "captured", (json_int_t)s->sums.capture_minor, "credits", (json_int_t)s->sums.credit_count,
        "credited", (json_int_t)s->sums.credit_minor, "fees", (json_int_t)s->sums.fee_minor,
        "refused", (json_int_t)s->sums.refused_count, "refused_amount",
        (json_int_t)s->sums.refused_minor, "net", (json_int_t)net_minor, "carried_in",
        (json_int_t)s->carried_in_minor, "payout", (json_int_t)s->payout_minor, "carried_out",
        (json_int_t)s->carried_out_minor, "created_ms", (json_int_t)s->created_ms, "net_text",
        setpay_amount_text(net_minor, s->currency, net), "payout_text",
        setpay_amount_text(s->payout_minor, s->currency, payout));
    const struct setpay_adjustment_sums *a = &s->adjusted;
    json_t *more = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I}", "disputes",
        (json_int_t)a->disputed_count, "disputed", (json_int_t)a->disputed_minor, "returns",
        (json_int_t)a->returned_count, "returned", (json_int_t)a->returned_minor, "clearings",
        (json_int_t)a->cleared_count, "cleared", (json_int_t)a->cleared_minor, "repayments",
        (json_int_t)a->repaid_count, "repaid", (json_int_t)a->repaid_minor, "reserve_percent",
        setpay_share_format(s->reserve_ppm, percent), "reserve_ppm", (json_int_t)s->reserve_ppm,
        "reserve_days", (json_int_t)s->reserve_days, "held", (json_int_t)s->held_minor, "released",
        (json_int_t)s->released_minor);
    if (more == NULL || json_object_update(object, more) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return object;
}

json_t *setpay_clearing_item_json(const struct setpay_clearing_item *i)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:I, s:s, s:I, s:i, s:I, s:b, s:s, "
                     "s:I, s:I, s:s, s:I, s:I, s:I}",
                     "id", (json_int_t)i->id, "step", setpay_id_format(&i->step, step), "xid",
                     setpay_id_format(&i->xid, xid), "brand", i->brand, "merchant_id",
                     i->merchant_id, "credits", (int)i->credits, "sale", (int)i->sale, "unsold",
                     (int)i->unsold, "amount", (json_int_t)i->amount.minor, "currency",
                     i->amount.currency, "fee", (json_int_t)i->fee_minor, "batch", (int)i->batch,
                     "settlement", (json_int_t)i->settlement, "acknowledged", (int)i->acknowledged,
                     "response_code", i->response_code, "charged", (json_int_t)i->charged_minor,
                     "charged_ms", (json_int_t)i->charged_ms, "issuer", i->issuer, "presented_ms",
                     (json_int_t)i->presented_ms, "acknowledged_ms", (json_int_t)i->acknowledged_ms,
                     "undone_ms", (json_int_t)i->undone_ms);
}

json_t *setpay_dispute_json(const struct setpay_gateway_dispute *d)
{
    char token[SETPAY_ID_TEXT_SIZE], step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    char amount[SETPAY_MONEY_TEXT_SIZE];
    return json_pack(
        "{s:I, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I,"
        " s:I}",
        "id", (json_int_t)d->id, "dispute", setpay_id_format(&d->token, token), "issuer", d->issuer,
        "number", (json_int_t)d->number, "step", setpay_id_format(&d->step, step), "xid",
        setpay_id_format(&d->xid, xid), "brand", d->brand, "merchant_id", d->merchant_id, "amount",
        (json_int_t)d->amount.minor, "currency", d->amount.currency, "amount_text",
        setpay_money_format(&d->amount, amount), "reason", d->reason, "opened", d->opened, "closed",
        d->closed, "outcome", setpay_dispute_outcome_name(d->outcome), "opened_ms",
        (json_int_t)d->opened_ms, "closed_ms", (json_int_t)d->closed_ms, "settlement",
        (json_int_t)d->opened_settlement, "returned_settlement", (json_int_t)d->closed_settlement);
}

json_t *setpay_suspense_told_json(const struct setpay_suspense_told *t)
{
    char token[SETPAY_ID_TEXT_SIZE], step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    return json_pack("{s:I, s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:s, s:I}", "id", (json_int_t)t->id,
                     "clearing", setpay_id_format(&t->token, token), "step",
                     setpay_id_format(&t->step, step), "xid", setpay_id_format(&t->xid, xid),
                     "paid", (int)t->is_paid, "written_off", (int)t->is_written_off, "amount",
                     (json_int_t)t->amount.minor, "currency", t->amount.currency, "reason",
                     t->reason, "settlement", (json_int_t)t->settlement);
}

/* ------------------------------------------------------------------ and back */

/* The text of a member into out; false where it is none, or does not fit. */
static bool take_text(const json_t *json, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(json, name));
    if (text == NULL || strlen(text) >= size)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool take_int(const json_t *json, const char *name, int64_t *value)
{
    const json_t *member = json_object_get(json, name);
    if (!json_is_integer(member))
        return false;
    *value = json_integer_value(member);
    return true;
}

static bool take_id(const json_t *json, const char *name, struct setpay_id *id)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL && setpay_id_parse(text, id) == SETPAY_OK;
}

/* What is not of items. */
static bool take_rest(const json_t *json, struct setpay_settlement *s)
{
    return take_int(json, "disputes", &s->adjusted.disputed_count) &&
           take_int(json, "disputed", &s->adjusted.disputed_minor) &&
           take_int(json, "returns", &s->adjusted.returned_count) &&
           take_int(json, "returned", &s->adjusted.returned_minor) &&
           take_int(json, "clearings", &s->adjusted.cleared_count) &&
           take_int(json, "cleared", &s->adjusted.cleared_minor) &&
           take_int(json, "reserve_ppm", &s->reserve_ppm) &&
           take_int(json, "reserve_days", &s->reserve_days) &&
           take_int(json, "held", &s->held_minor) &&
           take_int(json, "released", &s->released_minor) &&
           take_int(json, "repayments", &s->adjusted.repaid_count) &&
           take_int(json, "repaid", &s->adjusted.repaid_minor);
}

enum setpay_error setpay_settlement_from_json(const json_t *json,
                                              struct setpay_settlement *settlement)
{
    struct setpay_settlement s = {0};
    if (!take_int(json, "id", &s.id) || !take_id(json, "settlement", &s.token) ||
        !take_text(json, "brand", s.brand, sizeof s.brand) ||
        !take_text(json, "merchant_id", s.merchant_id, sizeof s.merchant_id) ||
        !take_text(json, "currency", s.currency, sizeof s.currency) ||
        !take_text(json, "day", s.day, sizeof s.day) ||
        !take_int(json, "cut_off_ms", &s.cut_off_ms) ||
        !take_int(json, "captures", &s.sums.capture_count) ||
        !take_int(json, "captured", &s.sums.capture_minor) ||
        !take_int(json, "credits", &s.sums.credit_count) ||
        !take_int(json, "credited", &s.sums.credit_minor) ||
        !take_int(json, "fees", &s.sums.fee_minor) ||
        !take_int(json, "refused", &s.sums.refused_count) ||
        !take_int(json, "refused_amount", &s.sums.refused_minor) ||
        !take_int(json, "carried_in", &s.carried_in_minor) ||
        !take_int(json, "payout", &s.payout_minor) ||
        !take_int(json, "carried_out", &s.carried_out_minor) ||
        !take_int(json, "created_ms", &s.created_ms) || !take_rest(json, &s))
        return SETPAY_E_MALFORMED;
    *settlement = s;
    return SETPAY_OK;
}

enum setpay_error setpay_clearing_item_from_json(const json_t *json,
                                                 struct setpay_clearing_item *item)
{
    struct setpay_clearing_item i = {0};
    int64_t batch = 0;
    if (!take_int(json, "id", &i.id) || !take_id(json, "step", &i.step) ||
        !take_id(json, "xid", &i.xid) || !take_text(json, "brand", i.brand, sizeof i.brand) ||
        !take_text(json, "merchant_id", i.merchant_id, sizeof i.merchant_id) ||
        !take_int(json, "amount", &i.amount.minor) ||
        !take_text(json, "currency", i.amount.currency, sizeof i.amount.currency) ||
        !take_int(json, "fee", &i.fee_minor) || !take_int(json, "batch", &batch) ||
        !take_int(json, "settlement", &i.settlement) ||
        !take_text(json, "response_code", i.response_code, sizeof i.response_code) ||
        !take_int(json, "charged", &i.charged_minor) ||
        !take_int(json, "charged_ms", &i.charged_ms) ||
        !take_text(json, "issuer", i.issuer, sizeof i.issuer) ||
        !take_int(json, "presented_ms", &i.presented_ms) ||
        !take_int(json, "undone_ms", &i.undone_ms) ||
        !take_int(json, "acknowledged_ms", &i.acknowledged_ms))
        return SETPAY_E_MALFORMED;
    i.batch = (uint32_t)batch;
    i.credits = json_is_true(json_object_get(json, "credits"));
    i.sale = json_is_true(json_object_get(json, "sale"));
    i.unsold = json_is_true(json_object_get(json, "unsold"));
    i.acknowledged = json_is_true(json_object_get(json, "acknowledged"));
    *item = i;
    return SETPAY_OK;
}

static bool take_outcome(const json_t *json, enum setpay_dispute_outcome *outcome)
{
    char text[16];
    if (!take_text(json, "outcome", text, sizeof text))
        return false;
    for (int i = SETPAY_DISPUTE_OPEN; i <= SETPAY_DISPUTE_MERCHANT; i++) {
        *outcome = (enum setpay_dispute_outcome)i;
        if (strcmp(text, setpay_dispute_outcome_name(*outcome)) == 0)
            return true;
    }
    return false;
}

enum setpay_error setpay_dispute_from_json(const json_t *json,
                                           struct setpay_gateway_dispute *dispute)
{
    struct setpay_gateway_dispute d = {.id = 0};
    if (!take_int(json, "id", &d.id) || !take_id(json, "dispute", &d.token) ||
        !take_text(json, "issuer", d.issuer, sizeof d.issuer) ||
        !take_int(json, "number", &d.number) || !take_id(json, "step", &d.step) ||
        !take_id(json, "xid", &d.xid) || !take_text(json, "brand", d.brand, sizeof d.brand) ||
        !take_text(json, "merchant_id", d.merchant_id, sizeof d.merchant_id) ||
        !take_int(json, "amount", &d.amount.minor) ||
        !take_text(json, "currency", d.amount.currency, sizeof d.amount.currency) ||
        !take_text(json, "reason", d.reason, sizeof d.reason) ||
        !take_text(json, "opened", d.opened, sizeof d.opened) ||
        !take_text(json, "closed", d.closed, sizeof d.closed) || !take_outcome(json, &d.outcome) ||
        !take_int(json, "opened_ms", &d.opened_ms) || !take_int(json, "closed_ms", &d.closed_ms) ||
        !take_int(json, "settlement", &d.opened_settlement) ||
        !take_int(json, "returned_settlement", &d.closed_settlement))
        return SETPAY_E_MALFORMED;
    *dispute = d;
    return SETPAY_OK;
}

enum setpay_error setpay_suspense_told_from_json(const json_t *json,
                                                 struct setpay_suspense_told *told)
{
    struct setpay_suspense_told t = {.id = 0};
    if (!take_int(json, "id", &t.id) || !take_id(json, "clearing", &t.token) ||
        !take_id(json, "step", &t.step) || !take_id(json, "xid", &t.xid) ||
        !take_int(json, "amount", &t.amount.minor) ||
        !take_text(json, "currency", t.amount.currency, sizeof t.amount.currency) ||
        !take_text(json, "reason", t.reason, sizeof t.reason) ||
        !take_int(json, "settlement", &t.settlement))
        return SETPAY_E_MALFORMED;
    t.is_paid = json_is_true(json_object_get(json, "paid"));
    t.is_written_off = json_is_true(json_object_get(json, "written_off"));
    *told = t;
    return SETPAY_OK;
}
