/*
 * Requests to the gateway. What is signed stays the same from the first try to the last; what
 * travels beside it is found anew for each try, and is always complete: the merchant's and the
 * cardholder's chains, so that a gateway that has just started lacks nothing.
 */
#include "merchant/payment/ask.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/crypto/sign.h"
#include "common/wire/signed.h"
#include "common/wire/thumbs.h"
#include "merchant/payment/rules.h"
#include "merchant/payment/together.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum setpay_message_type type_of(enum setpay_ask_kind kind)
{
    switch (kind) {
    case SETPAY_ASK_REVERSE:
        return SETPAY_MESSAGE_AUTH_REV_REQ;
    case SETPAY_ASK_CAPTURE:
        return SETPAY_MESSAGE_CAP_REQ;
    case SETPAY_ASK_CAPTURE_REVERSAL:
        return SETPAY_MESSAGE_CAP_REV_REQ;
    case SETPAY_ASK_CREDIT:
        return SETPAY_MESSAGE_CRED_REQ;
    case SETPAY_ASK_CREDIT_REVERSAL:
        return SETPAY_MESSAGE_CRED_REV_REQ;
    case SETPAY_ASK_CANCEL:
        return SETPAY_MESSAGE_AUTH_CAN_REQ;
    default:
        return SETPAY_MESSAGE_AUTH_REQ;
    }
}

static enum setpay_error build_auth_req(struct setpay_merchant *merchant,
                                        const struct setpay_merchant_purchase *purchase,
                                        enum setpay_auth_intent intent, setpay_time_ms now_ms,
                                        struct setpay_merchant_ask *ask)
{
    struct setpay_auth_req *request = calloc(1, sizeof *request);
    if (request == NULL)
        return SETPAY_E_NOMEM;
    /* No thumbs: the answer is kept as it is made, and must be whole for a merchant that has lost
     * what it knew, too. */
    setpay_merchant_auth_req_fill(purchase, merchant->id, intent, &ask->rrpid, now_ms, request);
    enum setpay_error error = setpay_auth_req_build(request, &ask->content);
    free(request);
    return error;
}

/* By AuthToken: all of the first one but header, intent and amount, and no envelope beside. */
static enum setpay_error build_further_req(struct setpay_merchant *merchant,
                                           const struct setpay_merchant_purchase *purchase,
                                           const struct setpay_merchant_asking *asking,
                                           setpay_time_ms now_ms, struct setpay_merchant_ask *ask)
{
    if (asking->step == NULL || asking->agreement == NULL || !asking->agreement->has_auth_token)
        return SETPAY_E_INTERNAL;
    struct setpay_auth_req *request = calloc(1, sizeof *request);
    if (request == NULL)
        return SETPAY_E_NOMEM;
    setpay_merchant_auth_req_fill(purchase, merchant->id,
                                  asking->step->sale ? SETPAY_INTENT_SALE : SETPAY_INTENT_AUTHORISE,
                                  &ask->rrpid, now_ms, request);
    request->header.sender = ask->signer;
    request->amount.minor = asking->step->amount_minor;
    request->has_auth_token = true;
    request->auth_token = asking->agreement->auth_token;
    enum setpay_error error = setpay_auth_req_build(request, &ask->content);
    free(request);
    return error;
}

static enum setpay_error build_auth_can_req(const struct setpay_merchant *merchant,
                                            const struct setpay_merchant_purchase *purchase,
                                            const struct setpay_merchant_asking *asking,
                                            setpay_time_ms now_ms, struct setpay_merchant_ask *ask)
{
    struct setpay_auth_can_req request = {
        .header =
            {
                .rrpid = ask->rrpid,
                .date_ms = now_ms,
                .has_sender = true,
                .sender = ask->signer,
                .has_receiver = true,
                .receiver = purchase->gateway_sign,
            },
        .xid = purchase->xid,
    };
    if (asking->agreement == NULL || asking->agreement->cancellation.size == 0)
        return SETPAY_E_INTERNAL;
    memcpy(request.brand, purchase->brand, sizeof request.brand);
    (void)snprintf(request.merchant_id, sizeof request.merchant_id, "%s", merchant->id);
    request.cancellation = asking->agreement->cancellation;
    return setpay_auth_can_req_build(&request, &ask->content);
}

static enum setpay_error build_auth_rev_req(struct setpay_merchant *merchant,
                                            const struct setpay_merchant_purchase *purchase,
                                            const struct setpay_merchant_asking *asking,
                                            setpay_time_ms now_ms, struct setpay_merchant_ask *ask)
{
    struct setpay_auth_rev_req request;
    setpay_merchant_auth_rev_req_fill(purchase, merchant->id, &ask->rrpid, now_ms, &request);
    request.header.sender = ask->signer;
    if (asking->step != NULL && asking->of_token == NULL)
        return SETPAY_E_INTERNAL;
    if (asking->step != NULL) {
        request.cap_token = *asking->of_token;
        request.amount.minor = asking->held_minor;
    }
    return setpay_auth_rev_req_build(&request, &ask->content);
}

static enum setpay_error build_step_req(const struct setpay_merchant *merchant,
                                        const struct setpay_merchant_purchase *purchase,
                                        const struct setpay_merchant_asking *asking,
                                        struct setpay_merchant_ask *ask)
{
    struct setpay_step_req request;
    struct setpay_step list[SETPAY_LIMIT_STEPS];
    const struct setpay_merchant_together *together = asking->together;
    if (asking->step == NULL || asking->of_token == NULL)
        return SETPAY_E_INTERNAL;
    setpay_merchant_step_req_fill(purchase, merchant->id, asking->step, asking->of_token, ask, list,
                                  &request);
    for (size_t i = 0; together != NULL && i < together->count; i++)
        list[i] = together->list[i].step;
    if (together != NULL)
        request.step_count = together->count;
    return setpay_step_req_build(&request, &ask->content);
}

static enum setpay_error sign_ask(const struct setpay_held *sign, struct setpay_merchant_ask *ask)
{
    struct setpay_buffer signature;
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    enum setpay_error error =
        setpay_sign(sign->identity.key, setpay_message_type_name(type_of(ask->kind)), SETPAY_SUITE,
                    setpay_held_thumbprint(sign), setpay_buffer_view(&ask->content), &signature);
    if (error == SETPAY_OK)
        error = setpay_signature_from_view(setpay_buffer_view(&signature), &ask->signature);
    setpay_buffer_clear(&signature);
    return error;
}

/* All but the signature. */
static enum setpay_error make_content(struct setpay_merchant *merchant,
                                      const struct setpay_merchant_purchase *purchase,
                                      const struct setpay_merchant_asking *asking,
                                      const struct setpay_digest *signer, setpay_time_ms now_ms,
                                      struct setpay_merchant_ask *ask)
{
    ask->id = 0;
    ask->kind = asking->kind;
    ask->step_id = asking->step != NULL ? asking->step->id : 0;
    ask->signer = *signer;
    ask->created_ms = now_ms;
    SETPAY_TRY(setpay_id_random(&ask->rrpid));
    switch (asking->kind) {
    case SETPAY_ASK_AUTHORISE:
        SETPAY_TRY(build_auth_req(merchant, purchase,
                                  purchase->sale ? SETPAY_INTENT_SALE : SETPAY_INTENT_AUTHORISE,
                                  now_ms, ask));
        break;
    case SETPAY_ASK_VOID:
        SETPAY_TRY(build_auth_req(merchant, purchase, SETPAY_INTENT_VOID, now_ms, ask));
        break;
    case SETPAY_ASK_REVERSE:
        SETPAY_TRY(build_auth_rev_req(merchant, purchase, asking, now_ms, ask));
        break;
    case SETPAY_ASK_FURTHER:
        SETPAY_TRY(build_further_req(merchant, purchase, asking, now_ms, ask));
        break;
    case SETPAY_ASK_CANCEL:
        SETPAY_TRY(build_auth_can_req(merchant, purchase, asking, now_ms, ask));
        break;
    default:
        SETPAY_TRY(build_step_req(merchant, purchase, asking, ask));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_ask_make(struct setpay_merchant *merchant,
                                           const struct setpay_merchant_brand *brand,
                                           const struct setpay_merchant_purchase *purchase,
                                           const struct setpay_merchant_asking *asking,
                                           setpay_time_ms now_ms, struct setpay_merchant_ask *ask)
{
    struct setpay_keyring *keys = setpay_keys_take(merchant->keys);
    const struct setpay_held *sign =
        setpay_keyring_find(keys, SETPAY_PROFILE_MERCHANT_SIGN, brand->name, &purchase->merchant);
    if (sign == NULL && asking->step != NULL)
        sign = setpay_keyring_in_use(keys, SETPAY_PROFILE_MERCHANT_SIGN, brand->name);
    enum setpay_error error =
        sign == NULL
            ? SETPAY_E_SENDER
            : make_content(merchant, purchase, asking, setpay_held_thumbprint(sign), now_ms, ask);
    if (error == SETPAY_OK)
        error = sign_ask(sign, ask);
    setpay_keyring_unref(keys);
    return error;
}

/* The cardholder's chain as far as it is known (after a restart perhaps the leaf alone): the
 * gateway judges it. */
static enum setpay_error add_cardholder(struct setpay_merchant *merchant,
                                        const struct setpay_digest *thumbprint,
                                        struct setpay_view der, struct setpay_beside *beside)
{
    struct setpay_certificate *cardholder = NULL;
    /* Parsing costs more than a verification, and it was parsed when PReq came. */
    enum setpay_error error = setpay_trust_find_leaf(merchant->trust, thumbprint, &cardholder);
    if (error == SETPAY_E_NOT_FOUND)
        error = setpay_certificate_parse(der, &cardholder);
    if (error != SETPAY_OK)
        return error;
    error = setpay_beside_add_chain(beside, NULL, merchant->trust, cardholder);
    if (error == SETPAY_E_CERT_MISSING)
        error = setpay_beside_add(beside, NULL, cardholder);
    setpay_certificate_unref(cardholder);
    return error;
}

enum setpay_error setpay_merchant_ask_keep(struct setpay_db *db, int64_t purchase_id,
                                           const struct setpay_merchant_ask *ask)
{
    struct setpay_merchant_agreement agreement;
    if (ask->kind == SETPAY_ASK_FURTHER) {
        SETPAY_TRY(setpay_merchant_agreement_read(db, purchase_id, &agreement));
        if (agreement.ended != SETPAY_ENDED_NOT)
            return SETPAY_E_CONFLICT;
    }
    return setpay_merchant_ask_insert(db, purchase_id, ask);
}

enum setpay_error setpay_merchant_ask_pack(
    struct setpay_merchant *merchant, const struct setpay_merchant_brand *brand,
    const struct setpay_merchant_purchase *purchase, const struct setpay_merchant_ask *ask,
    struct setpay_view envelope, struct setpay_view certificate, struct setpay_buffer *bytes)
{
    struct setpay_beside beside;
    struct setpay_keyring *keys = setpay_keys_take(merchant->keys);
    const struct setpay_held *sign =
        setpay_keyring_find(keys, SETPAY_PROFILE_MERCHANT_SIGN, brand->name, &ask->signer);
    setpay_beside_init(&beside);
    enum setpay_error error = sign == NULL ? SETPAY_E_SENDER
                                           : setpay_beside_add_chain(&beside, NULL, merchant->trust,
                                                                     sign->identity.certificate);
    if (error == SETPAY_OK && certificate.size > 0)
        error = add_cardholder(merchant, &purchase->cardholder, certificate, &beside);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = type_of(ask->kind),
            .content = setpay_buffer_view(&ask->content),
            .signature = &ask->signature,
            .signer = &ask->signer,
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
            .envelope = envelope,
        };
        error = setpay_message_build(&parts, bytes);
    }
    setpay_beside_clear(&beside);
    setpay_keyring_unref(keys);
    return error;
}

enum setpay_error setpay_merchant_ask_expect(const struct setpay_merchant_purchase *purchase,
                                             const struct setpay_merchant_ask *ask,
                                             struct setpay_asked *asked)
{
    *asked = (struct setpay_asked){
        .rrpid = ask->rrpid,
        .has_answerer = true,
        .answerer = purchase->gateway_sign, /* rule M6: the gateway of the offer */
        .has_asker = true,
        .asker = ask->signer,
    };
    return setpay_request_hash(type_of(ask->kind), &ask->signer, setpay_buffer_view(&ask->content),
                               &asked->request_hash);
}
