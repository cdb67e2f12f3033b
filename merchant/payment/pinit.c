/*
 * PInitReq and PInitRes: from the token of a payment link to a signed offer.
 *
 *     read content -> receiver (A2) -> snapshot: kept answer (A6), order, open offers
 *       -> date (A5) -> order may be paid -> gateway's certificates known
 *       -> offer and its signature -> one operation: offer and answer -> reply
 *
 * Every offer has an xid and a challenge of its own, and names both of the gateway's certificates.
 */
#include "common/base/log.h"
#include "common/store/answers.h"
#include "common/wire/checks.h"
#include "common/wire/thumbs.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/rules.h"
#include "merchant/store/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void look_and_offer(struct setpay_merchant_work *work);

/* ------------------------------------------------------------------ the snapshot */

struct snapshot {
    struct setpay_merchant_work *work;
    const struct setpay_pinit_req *request;
    enum setpay_error kept;
    enum setpay_error found;
    struct setpay_order order;
    int64_t offers;
};

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    struct setpay_merchant_work *work = s->work;
    s->kept = setpay_answers_find(db, &work->token_sender, &work->rrpid, &work->request_hash,
                                  &work->answer);
    if (s->kept != SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    s->found = setpay_order_find_by_token(db, s->request->order_token, &s->order);
    if (s->found != SETPAY_OK)
        return SETPAY_OK;
    return setpay_merchant_offer_count(db, s->order.order_id, work->now_ms, &s->offers);
}

/* ------------------------------------------------------------------ keeping */

static enum setpay_error write_offer(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_work *work = arg;
    SETPAY_TRY(setpay_merchant_offer_insert(db, &work->offer));
    return setpay_answers_keep_until(db, &work->token_sender, &work->rrpid, &work->request_hash,
                                     setpay_buffer_view(&work->answer),
                                     setpay_merchant_offer_answer_until(&work->offer));
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct setpay_merchant_work *work = arg;
    if (error == SETPAY_E_CONFLICT && work->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        look_and_offer(work); /* a twin of this request was faster: its answer is kept */
        return;
    }
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "offer.made", setpay_field_id("xid", &work->xid),
               setpay_field_id("rrpid", &work->rrpid),
               setpay_field_text("order", work->offer.order_id),
               setpay_field_text("brand", work->offer.brand));
    setpay_merchant_reply(work, setpay_buffer_view(&work->answer));
}

/* ------------------------------------------------------------------ the offer */

struct certificates {
    struct setpay_certificate *sign;
    struct setpay_certificate *encrypt;
};

static enum setpay_error build_offer(struct setpay_merchant_work *work,
                                     const struct setpay_pinit_req *request,
                                     const struct setpay_order *order,
                                     const struct setpay_held *sign,
                                     const struct certificates *gateway)
{
    const struct setpay_merchant *merchant = work->worker->merchant;
    setpay_time_ms expiry_ms = work->now_ms + merchant->offer_life_ms;
    struct setpay_pinit_res offer = {
        .header =
            {
                .rrpid = work->rrpid,
                .request_hash = work->request_hash,
                .date_ms = work->now_ms,
                .sender = *setpay_held_thumbprint(sign),
            },
        .lid_c = request->lid_c,
        .chall_c = request->chall_c,
        .items = order->items, /* borrowed */
        .item_count = order->item_count,
        .amount = order->amount,
        .terms = order->agreed.terms,
        .expiry_ms = expiry_ms < order->expires_ms ? expiry_ms : order->expires_ms,
        .gateway_sign = *setpay_certificate_thumbprint(gateway->sign),
        .gateway_encrypt = *setpay_certificate_thumbprint(gateway->encrypt),
    };
    SETPAY_TRY(setpay_id_random(&offer.xid));
    SETPAY_TRY(setpay_digest_random(&offer.chall_m));
    snprintf(offer.lid_m, sizeof offer.lid_m, "%s", order->order_id);
    memcpy(offer.brand, work->brand->name, sizeof offer.brand);
    memcpy(offer.merchant_id, merchant->id, sizeof offer.merchant_id);
    memcpy(offer.merchant_name, merchant->name, sizeof offer.merchant_name);
    SETPAY_TRY(setpay_pinit_res_build(&offer, &work->offer.content));
    work->xid = offer.xid;
    work->offer.xid = offer.xid;
    memcpy(work->offer.order_id, offer.lid_m, sizeof work->offer.order_id);
    memcpy(work->offer.brand, offer.brand, sizeof work->offer.brand);
    work->offer.expiry_ms = offer.expiry_ms;
    work->offer.created_ms = work->now_ms;
    return SETPAY_OK;
}

/* The offer and all that the wallet needs to believe it, but for what it says it has. */
static enum setpay_error build_answer(struct setpay_merchant_work *work,
                                      const struct setpay_pinit_req *request,
                                      const struct setpay_held *sign,
                                      const struct certificates *gateway)
{
    struct setpay_trust *trust = work->worker->merchant->trust;
    const struct setpay_thumbs *known = &request->thumbs;
    struct setpay_beside beside;
    setpay_beside_init(&beside);
    enum setpay_error error =
        setpay_beside_add_chain(&beside, known, trust, sign->identity.certificate);
    if (error == SETPAY_OK)
        error = setpay_beside_add_chain(&beside, known, trust, gateway->sign);
    if (error == SETPAY_OK)
        error = setpay_beside_add_chain(&beside, known, trust, gateway->encrypt);
    if (error == SETPAY_OK)
        error = setpay_beside_add_crls(&beside, known, trust, work->brand->name, work->now_ms,
                                       work->offer.content.size);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = SETPAY_MESSAGE_PINIT_RES,
            .content = setpay_buffer_view(&work->offer.content),
            .key = sign->identity.key,
            .signer = setpay_held_thumbprint(sign),
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
            .crls = beside.crls,
            .crl_count = beside.crl_count,
        };
        error = setpay_message_build(&parts, &work->answer);
    }
    setpay_beside_clear(&beside);
    return error;
}

static enum setpay_error offer_order(struct setpay_merchant_work *work,
                                     const struct setpay_pinit_req *request,
                                     const struct setpay_order *order)
{
    struct setpay_merchant *merchant = work->worker->merchant;
    struct certificates gateway = {0};
    /* The envelope must be openable until the last instruction of this offer has expired. */
    setpay_time_ms until_ms =
        work->now_ms + merchant->offer_life_ms + SETPAY_LIMIT_INSTRUCTION_LIFE_MS;
    SETPAY_TRY(setpay_merchant_gateway_get(merchant, work->brand, until_ms, &gateway.sign,
                                           &gateway.encrypt));
    struct setpay_keyring *keys = setpay_keys_take(merchant->keys);
    const struct setpay_held *sign =
        setpay_keyring_in_use(keys, SETPAY_PROFILE_MERCHANT_SIGN, work->brand->name);
    enum setpay_error error = build_offer(work, request, order, sign, &gateway);
    if (error == SETPAY_OK)
        error = build_answer(work, request, sign, &gateway);
    setpay_keyring_unref(keys);
    setpay_certificate_unref(gateway.sign);
    setpay_certificate_unref(gateway.encrypt);
    return error == SETPAY_OK ? setpay_store_submit(merchant->store, write_offer, on_kept, work,
                                                    &work->worker->executor)
                              : error;
}

static enum setpay_error decide(struct setpay_merchant_work *work,
                                const struct setpay_pinit_req *request,
                                const struct snapshot *snapshot)
{
    SETPAY_TRY(setpay_date_check(request->header.date_ms, work->now_ms)); /* rule A5 */
    SETPAY_TRY(snapshot->found);
    if (work->brand == NULL)
        return SETPAY_E_BRAND_UNKNOWN;
    SETPAY_TRY(setpay_order_check_payable(&snapshot->order, work->now_ms)); /* rules M4, A5 */
    if (snapshot->offers >= SETPAY_MERCHANT_ORDER_OFFERS)
        return SETPAY_E_BUSY; /* found out before a signature is made; the insert decides */
    return offer_order(work, request, &snapshot->order);
}

/* *sent: the answer that was kept has been sent, and the work has ended. */
static enum setpay_error offer_or_repeat(struct setpay_merchant_work *work,
                                         const struct setpay_pinit_req *request, bool *sent)
{
    struct snapshot snapshot = {.work = work, .request = request};
    enum setpay_error error = setpay_store_read(work->worker->reader, read_snapshot, &snapshot);
    if (error == SETPAY_OK && snapshot.kept == SETPAY_OK) {
        *sent = true;
        setpay_merchant_reply(work, setpay_buffer_view(&work->answer)); /* rule A6 */
    } else if (error == SETPAY_OK && snapshot.kept != SETPAY_E_NOT_FOUND) {
        error = snapshot.kept; /* rule A6 */
    } else if (error == SETPAY_OK) {
        error = decide(work, request, &snapshot);
    }
    setpay_order_clear(&snapshot.order);
    return error;
}

static void look_and_offer(struct setpay_merchant_work *work)
{
    struct setpay_pinit_req *request = calloc(1, sizeof *request);
    bool sent = false;
    enum setpay_error error = request == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_pinit_req_parse(work->message.content, request);
    if (error == SETPAY_OK) {
        work->rrpid = request->header.rrpid;
        work->has_ids = true;
        work->brand = setpay_merchant_find_brand(work->worker->merchant, request->brand);
        error = setpay_request_check(&work->message, &request->header, NULL,
                                     work->worker->merchant->host); /* rule A2 */
    }
    if (error == SETPAY_OK)
        error = setpay_token_sender(request->order_token, &work->token_sender);
    if (error == SETPAY_OK)
        error = offer_or_repeat(work, request, &sent);
    free(request);
    if (error != SETPAY_OK && !sent)
        setpay_merchant_refuse(work, error);
}

void setpay_merchant_on_pinit_req(struct setpay_merchant_work *work)
{
    look_and_offer(work);
}
