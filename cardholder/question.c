/*
 * Asking for an offer, and believing the one that comes: the PInitReq of a link, what an answer is
 * as a message, and all rules that an offer passes before a person sees it. Nothing here asks,
 * stores or reads a clock; what is learnt from a message goes into the trust.
 */
#include "cardholder/wallet.h"

#include "common/wire/thumbs.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ asking */

enum setpay_error setpay_wallet_question_build(struct setpay_wallet_question *question,
                                               struct setpay_trust *trust, setpay_time_ms now_ms,
                                               struct setpay_buffer *bytes)
{
    struct setpay_pinit_req *request = calloc(1, sizeof *request);
    struct setpay_buffer content = {0};
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = request == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_id_random(&question->asked.rrpid);
    if (error == SETPAY_OK)
        error = setpay_id_random(&question->lid_c);
    if (error == SETPAY_OK)
        error = setpay_digest_random(&question->chall_c);
    if (error != SETPAY_OK)
        goto out;
    request->header.rrpid = question->asked.rrpid;
    request->header.date_ms = now_ms;
    memcpy(request->header.receiver_name, question->link.host, sizeof question->link.host);
    memcpy(request->order_token, question->link.token, sizeof question->link.token);
    memcpy(request->brand, question->brand, sizeof question->brand);
    request->chall_c = question->chall_c;
    request->lid_c = question->lid_c;
    setpay_thumbs_add_trust(&request->thumbs, trust, false);
    error = setpay_pinit_req_build(request, &content);
    if (error == SETPAY_OK)
        error = setpay_request_hash(SETPAY_MESSAGE_PINIT_REQ, NULL, setpay_buffer_view(&content),
                                    &question->asked.request_hash);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {.type = SETPAY_MESSAGE_PINIT_REQ,
                                                   .content = setpay_buffer_view(&content)};
        error = setpay_message_build(&parts, bytes);
    }
out:
    setpay_buffer_clear(&content);
    free(request);
    return error;
}

enum setpay_error setpay_wallet_receive(const struct setpay_http_answer *answer,
                                        struct setpay_message *message)
{
    if (answer->error == SETPAY_E_TLS && answer->detail != SETPAY_OK)
        return answer->detail; /* rules A3, W1: which check the connection failed */
    if (answer->error != SETPAY_OK)
        return answer->error;
    if (answer->status != 200 || strcmp(answer->content_type, SETPAY_WALLET_MESSAGE_TYPE) != 0)
        return answer->status >= 500 ? SETPAY_E_PEER_BUSY : SETPAY_E_PEER_REFUSED;
    return setpay_message_parse(answer->body, message);
}

/* ------------------------------------------------------------------ the offer that comes */

void setpay_wallet_prepared_free(struct setpay_wallet_prepared *prepared)
{
    if (prepared == NULL)
        return;
    setpay_buffer_clear(&prepared->bytes);
    setpay_pinit_res_clear(&prepared->content);
    setpay_certificate_unref(prepared->merchant);
    setpay_certificate_unref(prepared->gateway_sign);
    setpay_certificate_unref(prepared->gateway_encrypt);
    free(prepared);
}

enum setpay_error setpay_wallet_offer_verify(struct setpay_trust *trust,
                                             const struct setpay_message *message,
                                             const struct setpay_peer *peer, setpay_time_ms now_ms,
                                             struct setpay_wallet_prepared *offer)
{
    struct setpay_certificate *channel = NULL;
    const char *brand = offer->question.brand;
    SETPAY_TRY(setpay_message_authenticate(message, trust, SETPAY_PROFILE_MERCHANT_SIGN, brand,
                                           now_ms, &offer->merchant));
    SETPAY_TRY(setpay_pinit_res_parse(message->content, &offer->content));
    SETPAY_TRY(setpay_message_find(message, trust, &offer->content.gateway_sign,
                                   SETPAY_PROFILE_GATEWAY_SIGN, brand, now_ms,
                                   &offer->gateway_sign));
    SETPAY_TRY(setpay_message_find(message, trust, &offer->content.gateway_encrypt,
                                   SETPAY_PROFILE_GATEWAY_ENCRYPT, brand, now_ms,
                                   &offer->gateway_encrypt));
    SETPAY_TRY(setpay_offer_digest(message->content, &offer->digest));
    if (peer == NULL)
        return SETPAY_E_HOST; /* rule W1 */
    SETPAY_TRY(setpay_trust_verify_known(
        trust, &peer->thumbprint, SETPAY_PROFILE_MERCHANT_TLS_SERVER, NULL, now_ms, &channel));
    const struct setpay_wallet_offer checked = {
        .message = message,
        .content = &offer->content,
        .channel = channel,
        .merchant = offer->merchant,
        .gateway_sign = offer->gateway_sign,
        .gateway_encrypt = offer->gateway_encrypt,
    };
    enum setpay_error error = setpay_wallet_offer_check(&offer->question, &checked, now_ms);
    setpay_certificate_unref(channel);
    return error;
}
