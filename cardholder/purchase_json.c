/*
 * A purchase and its receipts as JSON, in the shapes that commands.h promises, out of what is given
 * and nothing else. The daemon shows its records by it; who checks an exported file makes the same
 * out of the signed bytes and compares (verify.h).
 */
#include "cardholder/purchase_json.h"

#include "common/base/limits.h"
#include "common/wire/signed.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ small ones */

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

json_t *setpay_wallet_time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return json_string(setpay_time_format(time_ms, text));
}

static json_t *digest_json(const struct setpay_digest *digest)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];
    return json_string(setpay_digest_format(digest, text));
}

json_t *setpay_wallet_money_json(int64_t minor, const char *currency)
{
    struct setpay_money money = {.minor = minor};
    char text[SETPAY_MONEY_TEXT_SIZE];
    snprintf(money.currency, sizeof money.currency, "%s", currency);
    return json_string(setpay_money_format(&money, text));
}

json_t *setpay_wallet_base64_json(struct setpay_view bytes)
{
    char *text = malloc(bytes.size / 3 * 4 + 8);
    if (text == NULL || bytes.size > INT32_MAX) {
        free(text);
        return NULL;
    }
    EVP_EncodeBlock((unsigned char *)text, bytes.data, (int)bytes.size);
    json_t *json = json_string(text);
    free(text);
    return json;
}

/* ------------------------------------------------------------------ items */

json_t *setpay_wallet_items_json(const struct setpay_pinit_res *content)
{
    const char *currency = content->amount.currency;
    json_t *items = json_array();
    for (size_t i = 0; i < content->item_count; i++) {
        const struct setpay_item *item = &content->items[i];
        json_t *json =
            json_pack("{s:s, s:I, s:I, s:o, s:I, s:o}", "name", item->name, "quantity",
                      (json_int_t)item->quantity, "unit_amount", (json_int_t)item->unit_minor,
                      "unit_amount_text", setpay_wallet_money_json(item->unit_minor, currency),
                      "amount", (json_int_t)item->total_minor, "amount_text",
                      setpay_wallet_money_json(item->total_minor, currency));
        if (item->sku[0] != '\0')
            json_object_set_new(json, "sku", json_string(item->sku));
        json_array_append_new(items, json);
    }
    return items;
}

/* The items out of the merchant's signed offer as it was kept. */
static json_t *kept_items(const struct setpay_wallet_purchase *purchase)
{
    struct setpay_message message;
    struct setpay_pinit_res content;
    json_t *items = json_array();
    if (setpay_message_parse(setpay_buffer_view(&purchase->offer), &message) != SETPAY_OK)
        return items;
    if (setpay_pinit_res_parse(message.content, &content) == SETPAY_OK) {
        json_decref(items);
        items = setpay_wallet_items_json(&content);
        setpay_pinit_res_clear(&content);
    }
    setpay_message_clear(&message);
    return items;
}

static void set_outcome(json_t *json, const struct setpay_wallet_purchase *p)
{
    const char *currency = p->amount.currency;
    json_object_set_new(json, "approval_code", text_or_null(p->approval_code));
    json_object_set_new(json, "action_code", text_or_null(p->action_code));
    const struct setpay_receipt_sums *sums = &p->sums;
    json_object_set_new(json, "authorised_amount", json_integer(sums->authorised_minor));
    json_object_set_new(json, "authorised_amount_text",
                        setpay_wallet_money_json(sums->authorised_minor, currency));
    json_object_set_new(json, "reversed_amount", json_integer(sums->reversed_minor));
    json_object_set_new(json, "captured_amount", json_integer(sums->captured_minor));
    json_object_set_new(json, "captured_amount_text",
                        setpay_wallet_money_json(sums->captured_minor, currency));
    json_object_set_new(json, "credited_amount", json_integer(sums->credited_minor));
    json_object_set_new(json, "credited_amount_text",
                        setpay_wallet_money_json(sums->credited_minor, currency));
    json_object_set_new(
        json, "partial",
        json_boolean(sums->authorised_minor > 0 && sums->authorised_minor < p->amount.minor));
    json_object_set_new(json, "receipt", json_boolean(p->receipt_count > 0));
    json_object_set_new(json, "receipts", json_integer((json_int_t)p->receipt_count));
    json_object_set_new(json, "merchant_said", text_or_null(setpay_wallet_said_name(p->said)));
    json_object_set_new(json, "disagreement", text_or_null(p->disagreement));
    json_object_set_new(json, "breach", json_boolean(p->breach));
}

json_t *setpay_wallet_one_purchase_json(const struct setpay_wallet_purchase *p, json_t *card,
                                        bool items)
{
    char xid[SETPAY_ID_TEXT_SIZE], uri[SETPAY_WALLET_LINK_TEXT_SIZE];
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
        "xid", setpay_id_format(&p->xid, xid), "status",
        setpay_wallet_state_status(p->state, p->sums.captured_minor > 0), "state",
        setpay_wallet_state_name(p->state), "amount", (json_int_t)p->amount.minor, "currency",
        p->amount.currency, "amount_text",
        setpay_wallet_money_json(p->amount.minor, p->amount.currency), "merchant", p->merchant_name,
        "merchant_id", p->merchant_id, "host", p->link.host, "uri",
        setpay_wallet_link_format(&p->link, uri), "order_id", p->lid_m, "brand", p->brand, "card",
        card, "pomd", digest_json(&p->pomd), "created", setpay_wallet_time_json(p->created_ms),
        "updated", setpay_wallet_time_json(p->updated_ms), "expires",
        setpay_wallet_time_json(p->expiry_ms));
    if (json == NULL)
        return NULL;
    set_outcome(json, p);
    if (items)
        json_object_set_new(json, "items", kept_items(p));
    return json;
}

/* ------------------------------------------------------------------ receipts */

json_t *setpay_wallet_one_receipt_json(const struct setpay_receipt *receipt,
                                       struct setpay_view bytes)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    struct setpay_digest hash;
    if (setpay_receipt_hash(bytes, &hash) != SETPAY_OK)
        return NULL;
    return json_pack(
        "{s:s, s:I, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o}",
        "kind", setpay_receipt_kind_name(receipt->kind), "amount",
        (json_int_t)receipt->amount.minor, "currency", receipt->amount.currency, "amount_text",
        setpay_wallet_money_json(receipt->amount.minor, receipt->amount.currency), "brand",
        receipt->brand, "merchant_id", receipt->merchant_id, "merchant",
        digest_json(&receipt->merchant), "cardholder", digest_json(&receipt->cardholder),
        "gateway_sign", digest_json(&receipt->gateway_sign), "xid",
        setpay_id_format(&receipt->xid, xid), "pomd", digest_json(&receipt->pomd), "date",
        setpay_wallet_time_json(receipt->date_ms), "previous", digest_json(&receipt->previous),
        "hash", digest_json(&hash), "action_code", receipt->action_code, "approval_code",
        text_or_null(receipt->approval_code), "signed", setpay_wallet_base64_json(bytes));
}
