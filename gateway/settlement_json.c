/*
 * Settlements and items as JSON. Amounts are minor units beside their currency, and once more in
 * words; what reads them back uses the numbers.
 */
#include "gateway/settlement_json.h"

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
    int64_t net_minor = setpay_settlement_net(&s->sums);
    return json_pack(
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
}

json_t *setpay_clearing_item_json(const struct setpay_clearing_item *i)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:I, s:i, s:I, s:b, s:s, s:s, s:I, s:I, "
        "s:I}",
        "id", (json_int_t)i->id, "step", setpay_id_format(&i->step, step), "xid",
        setpay_id_format(&i->xid, xid), "brand", i->brand, "merchant_id", i->merchant_id, "credits",
        (int)i->credits, "sale", (int)i->sale, "amount", (json_int_t)i->amount.minor, "currency",
        i->amount.currency, "fee", (json_int_t)i->fee_minor, "batch", (int)i->batch, "settlement",
        (json_int_t)i->settlement, "acknowledged", (int)i->acknowledged, "response_code",
        i->response_code, "issuer", i->issuer, "presented_ms", (json_int_t)i->presented_ms,
        "acknowledged_ms", (json_int_t)i->acknowledged_ms, "undone_ms", (json_int_t)i->undone_ms);
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
        !take_int(json, "created_ms", &s.created_ms))
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
        !take_text(json, "issuer", i.issuer, sizeof i.issuer) ||
        !take_int(json, "presented_ms", &i.presented_ms) ||
        !take_int(json, "undone_ms", &i.undone_ms) ||
        !take_int(json, "acknowledged_ms", &i.acknowledged_ms))
        return SETPAY_E_MALFORMED;
    i.batch = (uint32_t)batch;
    i.credits = json_is_true(json_object_get(json, "credits"));
    i.sale = json_is_true(json_object_get(json, "sale"));
    i.acknowledged = json_is_true(json_object_get(json, "acknowledged"));
    *item = i;
    return SETPAY_OK;
}
