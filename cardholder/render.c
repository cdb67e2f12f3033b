/*
 * The wallet's records as JSON, in the shapes that commands.h promises. Shows the last four digits
 * of a card and nothing more of it.
 */
#include "cardholder/wallet.h"

#include "common/base/limits.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD_ID_SIZE 16
#define MASKED_SIZE 32

/* ------------------------------------------------------------------ small ones */

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return json_string(setpay_time_format(time_ms, text));
}

static json_t *digest_json(const struct setpay_digest *digest)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];
    return json_string(setpay_digest_format(digest, text));
}

static json_t *money_text(int64_t minor, const char *currency)
{
    struct setpay_money money = {.minor = minor};
    char text[SETPAY_MONEY_TEXT_SIZE];
    snprintf(money.currency, sizeof money.currency, "%s", currency);
    return json_string(setpay_money_format(&money, text));
}

static json_t *base64_json(struct setpay_view bytes)
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

/* ------------------------------------------------------------------ offers */

static json_t *items_json(const struct setpay_pinit_res *content)
{
    const char *currency = content->amount.currency;
    json_t *items = json_array();
    for (size_t i = 0; i < content->item_count; i++) {
        const struct setpay_item *item = &content->items[i];
        json_t *json = json_pack(
            "{s:s, s:I, s:I, s:o, s:I, s:o}", "name", item->name, "quantity",
            (json_int_t)item->quantity, "unit_amount", (json_int_t)item->unit_minor,
            "unit_amount_text", money_text(item->unit_minor, currency), "amount",
            (json_int_t)item->total_minor, "amount_text", money_text(item->total_minor, currency));
        if (item->sku[0] != '\0')
            json_object_set_new(json, "sku", json_string(item->sku));
        json_array_append_new(items, json);
    }
    return items;
}

json_t *setpay_wallet_offer_json(const struct setpay_wallet *wallet,
                                 const struct setpay_wallet_link *link,
                                 const struct setpay_pinit_res *content, const char *gateway,
                                 const struct setpay_wallet_card *card)
{
    char uri[SETPAY_WALLET_LINK_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:s, s:o, s:s, s:o, s:s, s:o}", "xid",
        setpay_id_format(&content->xid, xid), "uri", setpay_wallet_link_format(link, uri), "host",
        link->host, "merchant", content->merchant_name, "merchant_id", content->merchant_id,
        "brand", content->brand, "order_id", content->lid_m, "items", items_json(content), "amount",
        (json_int_t)content->amount.minor, "currency", content->amount.currency, "amount_text",
        money_text(content->amount.minor, content->amount.currency), "terms",
        content->terms.kind == SETPAY_TERMS_SPLIT ? "split" : "single", "expires",
        time_json(content->expiry_ms), "gateway", gateway, "card",
        setpay_wallet_card_json(card, wallet->renew_before_ms, setpay_clock_now_ms()));
}

/* ------------------------------------------------------------------ purchases */

struct loaded {
    const struct setpay_id *xid;
    struct setpay_wallet_purchase purchase;
    json_t *receipts;
    json_t *evidence;
};

static enum setpay_error read_purchase(struct setpay_db *db, void *arg)
{
    struct loaded *loaded = arg;
    return setpay_wallet_store_read_purchase(db, loaded->xid, &loaded->purchase);
}

/* "•••• 4242", or null while the wallet is locked. */
static json_t *masked_card(const struct setpay_wallet *wallet,
                           const struct setpay_wallet_purchase *purchase)
{
    struct setpay_secret reference = {0};
    char text[MASKED_SIZE] = "\u2022\u2022\u2022\u2022 ";
    json_t *json = NULL;
    if (setpay_wallet_box_open(&wallet->master, "purchase card", &purchase->xid,
                               setpay_buffer_view(&purchase->card_box), &reference) == SETPAY_OK &&
        reference.size == CARD_ID_SIZE + 4) {
        size_t used = strlen(text);
        memcpy(text + used, reference.data + CARD_ID_SIZE, 4);
        text[used + 4] = '\0';
        json = json_string(text);
    }
    setpay_secret_clear(&reference);
    return json != NULL ? json : json_null();
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
        items = items_json(&content);
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
                        money_text(sums->authorised_minor, currency));
    json_object_set_new(json, "reversed_amount", json_integer(sums->reversed_minor));
    json_object_set_new(json, "captured_amount", json_integer(sums->captured_minor));
    json_object_set_new(json, "credited_amount", json_integer(sums->credited_minor));
    json_object_set_new(
        json, "partial",
        json_boolean(sums->authorised_minor > 0 && sums->authorised_minor < p->amount.minor));
    json_object_set_new(json, "receipt", json_boolean(p->receipt_count > 0));
    json_object_set_new(json, "receipts", json_integer((json_int_t)p->receipt_count));
    json_object_set_new(json, "merchant_said", text_or_null(setpay_wallet_said_name(p->said)));
    json_object_set_new(json, "disagreement", text_or_null(p->disagreement));
    json_object_set_new(json, "breach", json_boolean(p->breach));
}

static json_t *purchase_json(const struct setpay_wallet *wallet,
                             const struct setpay_wallet_purchase *p, bool items)
{
    char xid[SETPAY_ID_TEXT_SIZE], uri[SETPAY_WALLET_LINK_TEXT_SIZE];
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
        "xid", setpay_id_format(&p->xid, xid), "status",
        setpay_wallet_state_status(p->state, p->sums.captured_minor > 0), "state",
        setpay_wallet_state_name(p->state), "amount", (json_int_t)p->amount.minor, "currency",
        p->amount.currency, "amount_text", money_text(p->amount.minor, p->amount.currency),
        "merchant", p->merchant_name, "merchant_id", p->merchant_id, "host", p->link.host, "uri",
        setpay_wallet_link_format(&p->link, uri), "order_id", p->lid_m, "brand", p->brand, "card",
        masked_card(wallet, p), "pomd", digest_json(&p->pomd), "created", time_json(p->created_ms),
        "updated", time_json(p->updated_ms), "expires", time_json(p->expiry_ms));
    if (json == NULL)
        return NULL;
    set_outcome(json, p);
    if (items)
        json_object_set_new(json, "items", kept_items(p));
    return json;
}

enum setpay_error setpay_wallet_purchase_json(struct setpay_wallet *wallet,
                                              const struct setpay_id *xid, bool items,
                                              json_t **json)
{
    struct loaded loaded = {.xid = xid};
    setpay_wallet_purchase_init(&loaded.purchase);
    enum setpay_error error = setpay_store_read(wallet->reader, read_purchase, &loaded);
    if (error == SETPAY_OK) {
        *json = purchase_json(wallet, &loaded.purchase, items);
        error = *json != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    setpay_wallet_purchase_clear(&loaded.purchase);
    return error;
}

/* ------------------------------------------------------------------ receipts */

static json_t *one_receipt(const struct setpay_receipt *receipt, struct setpay_view bytes)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    struct setpay_digest hash;
    if (setpay_receipt_hash(bytes, &hash) != SETPAY_OK)
        return NULL;
    return json_pack(
        "{s:s, s:I, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o}",
        "kind", setpay_receipt_kind_name(receipt->kind), "amount",
        (json_int_t)receipt->amount.minor, "currency", receipt->amount.currency, "amount_text",
        money_text(receipt->amount.minor, receipt->amount.currency), "brand", receipt->brand,
        "merchant_id", receipt->merchant_id, "merchant", digest_json(&receipt->merchant),
        "cardholder", digest_json(&receipt->cardholder), "gateway_sign",
        digest_json(&receipt->gateway_sign), "xid", setpay_id_format(&receipt->xid, xid), "pomd",
        digest_json(&receipt->pomd), "date", time_json(receipt->date_ms), "previous",
        digest_json(&receipt->previous), "hash", digest_json(&hash), "action_code",
        receipt->action_code, "approval_code", text_or_null(receipt->approval_code), "signed",
        base64_json(bytes));
}

struct receipts {
    const struct setpay_certificate *gateway;
    json_t *list;
};

static enum setpay_error add_receipt(void *arg, struct setpay_view bytes)
{
    struct receipts *receipts = arg;
    struct setpay_receipt receipt;
    /* Once more under the gateway's certificate: what is shown is what is proven. */
    SETPAY_TRY(setpay_receipt_verify(bytes, receipts->gateway, &receipt));
    json_t *json = one_receipt(&receipt, bytes);
    return json != NULL && json_array_append_new(receipts->list, json) == 0 ? SETPAY_OK
                                                                            : SETPAY_E_NOMEM;
}

/* What the merchant sent and what spoke against it, to be shown to others. */
static enum setpay_error add_evidence(void *arg, const char *what, setpay_time_ms received_ms,
                                      struct setpay_view bytes)
{
    json_t *json = json_pack("{s:s, s:o, s:o}", "what", what, "received", time_json(received_ms),
                             "message", base64_json(bytes));
    return json != NULL && json_array_append_new(arg, json) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_receipts(struct setpay_db *db, void *arg)
{
    struct loaded *loaded = arg;
    struct setpay_certificate *gateway = NULL;
    SETPAY_TRY(read_purchase(db, arg));
    SETPAY_TRY(setpay_wallet_parse_certificate(&loaded->purchase.gateway_certificate, &gateway));
    struct receipts receipts = {.gateway = gateway, .list = loaded->receipts};
    enum setpay_error error =
        setpay_wallet_store_each_receipt(db, loaded->xid, add_receipt, &receipts);
    setpay_certificate_unref(gateway);
    if (error == SETPAY_OK)
        error = setpay_wallet_store_each_evidence(db, loaded->xid, add_evidence, loaded->evidence);
    return error;
}

enum setpay_error setpay_wallet_receipt_json(struct setpay_wallet *wallet,
                                             const struct setpay_id *xid, json_t **json)
{
    struct loaded loaded = {.xid = xid, .receipts = json_array(), .evidence = json_array()};
    const struct setpay_wallet_purchase *p = &loaded.purchase;
    json_t *made = NULL;
    setpay_wallet_purchase_init(&loaded.purchase);
    enum setpay_error error = setpay_store_read(wallet->reader, read_receipts, &loaded);
    if (error == SETPAY_OK && json_array_size(loaded.receipts) == 0 &&
        json_array_size(loaded.evidence) == 0)
        error = SETPAY_E_NOT_FOUND;
    if (error == SETPAY_OK) {
        made = purchase_json(wallet, p, true);
        error = made != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    if (error == SETPAY_OK) {
        json_object_set(made, "receipts", loaded.receipts);
        json_object_set(made, "evidence", loaded.evidence);
        json_object_set_new(made, "gateway_certificate",
                            base64_json(setpay_buffer_view(&p->gateway_certificate)));
        json_object_set_new(made, "offer", base64_json(setpay_buffer_view(&p->offer)));
        json_object_set_new(made, "preq", base64_json(setpay_buffer_view(&p->preq)));
        *json = made;
    }
    json_decref(loaded.receipts);
    json_decref(loaded.evidence);
    setpay_wallet_purchase_clear(&loaded.purchase);
    return error;
}
