/*
 * The wallet's records as JSON, in the shapes that commands.h promises. Shows the last four digits
 * of a card and nothing more of it.
 */
#include "cardholder/agreement.h"
#include "cardholder/purchase_json.h"
#include "cardholder/rule.h"

#include "common/base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD_ID_SIZE 16
#define MASKED_SIZE 32

json_t *setpay_wallet_offer_json(const struct setpay_wallet *wallet,
                                 const struct setpay_wallet_link *link,
                                 const struct setpay_pinit_res *content, const char *gateway,
                                 const struct setpay_wallet_card *card)
{
    char uri[SETPAY_WALLET_LINK_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    char words[SETPAY_WALLET_TERMS_TEXT_SIZE];
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:s, s:o, s:s, s:s, s:I, s:o, s:s, s:o}",
        "xid", setpay_id_format(&content->xid, xid), "uri", setpay_wallet_link_format(link, uri),
        "host", link->host, "merchant", content->merchant_name, "merchant_id", content->merchant_id,
        "brand", content->brand, "order_id", content->lid_m, "items",
        setpay_wallet_items_json(content), "amount", (json_int_t)content->amount.minor, "currency",
        content->amount.currency, "amount_text",
        setpay_wallet_money_json(content->amount.minor, content->amount.currency), "terms",
        setpay_wallet_terms_name(content->terms.kind), "terms_text",
        setpay_wallet_terms_text(&content->terms, &content->amount, words), "total",
        (json_int_t)setpay_terms_total_max(&content->terms, &content->amount), "expires",
        setpay_wallet_time_json(content->expiry_ms), "gateway", gateway, "card",
        setpay_wallet_card_json(card, wallet->renew_before_ms, setpay_clock_now_ms()));
}

/* ------------------------------------------------------------------ purchases */

struct loaded {
    const struct setpay_id *xid;
    struct setpay_wallet_purchase purchase;
    int64_t rule; /* that agreed to it; 0: the person did */
    json_t *receipts;
    json_t *evidence;
};

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

static enum setpay_error read_purchase(struct setpay_db *db, void *arg)
{
    struct loaded *loaded = arg;
    SETPAY_TRY(setpay_wallet_rule_of(db, loaded->xid, &loaded->rule));
    return setpay_wallet_store_read_purchase(db, loaded->xid, &loaded->purchase);
}

/* The purchase with all that only this wallet knows of it. */
static json_t *own_json(const struct setpay_wallet *wallet, const struct loaded *loaded, bool items)
{
    const struct setpay_wallet_purchase *p = &loaded->purchase;
    json_t *json = setpay_wallet_one_purchase_json(p, masked_card(wallet, p), items);
    if (json != NULL)
        json_object_set_new(json, "rule",
                            loaded->rule != 0 ? json_integer(loaded->rule) : json_null());
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
        *json = own_json(wallet, &loaded, items);
        error = *json != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    setpay_wallet_purchase_clear(&loaded.purchase);
    return error;
}

/* ------------------------------------------------------------------ receipts */

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
    json_t *json = setpay_wallet_one_receipt_json(&receipt, bytes);
    return json != NULL && json_array_append_new(receipts->list, json) == 0 ? SETPAY_OK
                                                                            : SETPAY_E_NOMEM;
}

/* What the merchant sent and what spoke against it, to be shown to others. */
static enum setpay_error add_evidence(void *arg, const char *what, setpay_time_ms received_ms,
                                      struct setpay_view bytes)
{
    json_t *json =
        json_pack("{s:s, s:o, s:o}", "what", what, "received", setpay_wallet_time_json(received_ms),
                  "message", setpay_wallet_base64_json(bytes));
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

/* ------------------------------------------------------------------ certificates */

static void add_certificate(json_t *list, const struct setpay_certificate *certificate)
{
    json_t *text = setpay_wallet_base64_json(setpay_certificate_der(certificate));
    const json_t *one;
    size_t at;
    json_array_foreach(list, at, one)
    {
        if (json_equal(one, text)) {
            json_decref(text);
            return;
        }
    }
    json_array_append_new(list, text);
}

/* The CAs above a leaf, from the top down; none where they are not known any more. */
static void add_chain(json_t *list, struct setpay_trust *trust, struct setpay_view leaf_der)
{
    struct setpay_certificate *leaf = NULL, *cas[SETPAY_CHAIN_CAS];
    size_t count = 0;
    if (setpay_certificate_parse(leaf_der, &leaf) == SETPAY_OK &&
        setpay_trust_chain(trust, leaf, cas, &count) != SETPAY_OK)
        count = 0;
    while (count > 0) {
        add_certificate(list, cas[--count]);
        setpay_certificate_unref(cas[count]);
    }
    setpay_certificate_unref(leaf);
}

static void add_chain_beside(json_t *list, struct setpay_trust *trust,
                             const struct setpay_buffer *kept, const struct setpay_digest *leaf)
{
    struct setpay_message message;
    if (setpay_message_parse(setpay_buffer_view(kept), &message) != SETPAY_OK)
        return;
    add_chain(list, trust, setpay_message_certificate(&message, leaf));
    setpay_message_clear(&message);
}

/* All CAs that gateway, merchant and cardholder are believed by, the root first: so that the file
 * can be checked by who has nothing else (verify.h). */
static json_t *certificates_json(struct setpay_trust *trust, const struct setpay_wallet_purchase *p)
{
    json_t *list = json_array();
    add_certificate(list, setpay_trust_root(trust));
    add_chain(list, trust, setpay_buffer_view(&p->gateway_certificate));
    add_chain_beside(list, trust, &p->offer, &p->merchant);
    add_chain_beside(list, trust, &p->preq, &p->cardholder);
    return list;
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
        made = own_json(wallet, &loaded, true);
        error = made != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    if (error == SETPAY_OK) {
        json_object_set(made, "receipts", loaded.receipts);
        json_object_set(made, "evidence", loaded.evidence);
        json_object_set_new(made, "gateway_certificate",
                            setpay_wallet_base64_json(setpay_buffer_view(&p->gateway_certificate)));
        json_object_set_new(made, "offer",
                            setpay_wallet_base64_json(setpay_buffer_view(&p->offer)));
        json_object_set_new(made, "preq", setpay_wallet_base64_json(setpay_buffer_view(&p->preq)));
        json_object_set_new(made, "certificates", certificates_json(wallet->trust, p));
        *json = made;
    }
    json_decref(loaded.receipts);
    json_decref(loaded.evidence);
    setpay_wallet_purchase_clear(&loaded.purchase);
    return error;
}
