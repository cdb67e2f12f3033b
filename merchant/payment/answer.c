/*
 * PRes, InqRes and CanRes.
 */
#include "merchant/payment/answer.h"

#include "common/wire/thumbs.h"
#include "merchant/payment/rules.h"

#include <stdlib.h>

/* The gateway's signing certificate, so that the wallet can read the receipts; it has it from the
 * offer, so that it does no harm where we have it no longer. */
static enum setpay_error add_gateway(struct setpay_merchant *merchant,
                                     const struct setpay_merchant_brand *brand,
                                     const struct setpay_merchant_purchase *purchase,
                                     setpay_time_ms now_ms, struct setpay_beside *beside)
{
    struct setpay_certificate *gateway = NULL;
    enum setpay_error error =
        setpay_trust_verify_known(merchant->trust, &purchase->gateway_sign,
                                  SETPAY_PROFILE_GATEWAY_SIGN, brand->name, now_ms, &gateway);
    if (error != SETPAY_OK)
        return SETPAY_OK;
    error = setpay_beside_add_chain(beside, NULL, merchant->trust, gateway);
    setpay_certificate_unref(gateway);
    return error;
}

/* What a content holds beside its receipts, at the most, and a receipt beside its ciphertext. */
#define REST_BYTES 1024
#define RECEIPT_BESIDE_BYTES 32

/* As many of the oldest as have room: the wallet asks for the rest, which it is told of. */
static size_t count_that_fit(const struct setpay_merchant_told *told)
{
    size_t room = SETPAY_LIMIT_CONTENT_BYTES - REST_BYTES;
    size_t count = 0;
    while (count < told->receipt_count && count < SETPAY_LIMIT_RECEIPTS) {
        size_t size = told->receipts[count].size + RECEIPT_BESIDE_BYTES;
        if (size > room)
            break;
        room -= size;
        count++;
    }
    return count;
}

static enum setpay_error build_content(const struct setpay_merchant *merchant,
                                       const struct setpay_merchant_purchase *purchase,
                                       const struct setpay_merchant_told *told,
                                       const struct setpay_digest *signer, setpay_time_ms now_ms,
                                       struct setpay_buffer *content)
{
    struct setpay_pres message;
    setpay_merchant_pres_fill(purchase, merchant->id, told->rrpid, told->request_hash,
                              told->challenge, now_ms, &message);
    message.header.sender = *signer;
    size_t count = count_that_fit(told);
    if (setpay_merchant_shows_receipts(purchase) && count > 0) {
        message.receipts = calloc(count, sizeof *message.receipts);
        if (message.receipts == NULL)
            return SETPAY_E_NOMEM;
        message.receipt_count = count;
        for (size_t i = 0; i < count; i++)
            message.receipts[i] = told->receipts[i];
    }
    if (setpay_merchant_shows_receipts(purchase) && told->type != SETPAY_MESSAGE_P_RES) {
        message.skipped = told->skipped;
        message.left = told->left + (uint32_t)(told->receipt_count - count);
    }
    enum setpay_error error = setpay_pres_build(&message, content);
    setpay_pres_clear(&message);
    return error;
}

/* Signed and packed, under the pair that is given. */
static enum setpay_error build_answer(struct setpay_merchant *merchant,
                                      const struct setpay_merchant_brand *brand,
                                      const struct setpay_merchant_purchase *purchase,
                                      const struct setpay_merchant_told *told,
                                      const struct setpay_held *sign, setpay_time_ms now_ms,
                                      struct setpay_buffer *bytes)
{
    struct setpay_buffer content;
    struct setpay_beside beside;
    const struct setpay_digest *signer = setpay_held_thumbprint(sign);
    setpay_beside_init(&beside);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = build_content(merchant, purchase, told, signer, now_ms, &content);
    if (error == SETPAY_OK)
        error = setpay_beside_add_chain(&beside, NULL, merchant->trust, sign->identity.certificate);
    if (error == SETPAY_OK)
        error = add_gateway(merchant, brand, purchase, now_ms, &beside);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = told->type,
            .content = setpay_buffer_view(&content),
            .key = sign->identity.key,
            .signer = signer,
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
        };
        error = setpay_message_build(&parts, bytes);
    }
    setpay_beside_clear(&beside);
    setpay_buffer_clear(&content);
    return error;
}

enum setpay_error setpay_merchant_answer_build(struct setpay_merchant *merchant,
                                               const struct setpay_merchant_brand *brand,
                                               const struct setpay_merchant_purchase *purchase,
                                               const struct setpay_merchant_told *told,
                                               setpay_time_ms now_ms, struct setpay_buffer *bytes)
{
    struct setpay_keyring *keys = setpay_keys_take(merchant->keys);
    /* A purchase lives longer than a certificate: an inquiry is answered under the one in use.
     * PReq was for the one that OI names, which also signed AuthReq. */
    const struct setpay_held *sign =
        told->type != SETPAY_MESSAGE_P_RES
            ? setpay_keyring_in_use(keys, SETPAY_PROFILE_MERCHANT_SIGN, brand->name)
            : setpay_keyring_find(keys, SETPAY_PROFILE_MERCHANT_SIGN, brand->name,
                                  &purchase->merchant);
    enum setpay_error error =
        sign == NULL ? SETPAY_E_SENDER
                     : build_answer(merchant, brand, purchase, told, sign, now_ms, bytes);
    setpay_keyring_unref(keys);
    return error;
}
