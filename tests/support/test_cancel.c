/*
 * CanReq and AuthCanReq, by the hands of a test.
 */
#include "tests/support/test_cancel.h"

#include "common/crypto/hash.h"
#include "common/crypto/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK(expression)                                                                             \
    do {                                                                                           \
        if ((expression) != SETPAY_OK) {                                                           \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #expression);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

void test_cancel_fill(const struct test_purchase *p, setpay_time_ms now_ms,
                      struct test_cancel *cancel)
{
    memset(cancel, 0, sizeof *cancel);
    cancel->signer = cancel->key = cancel->word_key = p->cardholder->party;
    cancel->word = (struct setpay_cancellation){
        .xid = p->oi.xid,
        .cardholder = p->cardholder->party->thumbprint,
        .gateway_sign = p->oi.gateway_sign,
        .pomd = p->pomd,
        .date_ms = now_ms,
    };
    memcpy(cancel->word.brand, p->oi.brand, sizeof cancel->word.brand);
    (void)snprintf(cancel->word.merchant_id, sizeof cancel->word.merchant_id, "%s",
                   p->parties.merchant_id);
    cancel->request.header = (struct setpay_request_header){
        .date_ms = now_ms,
        .has_sender = true,
        .sender = p->cardholder->party->thumbprint,
        .has_receiver = true,
        .receiver = p->parties.merchant->thumbprint,
    };
    cancel->request.xid = p->oi.xid;
    cancel->request.lid_c = p->oi.lid_c;
    OK(setpay_digest_random(&cancel->request.challenge));
    test_cancel_sign(cancel);
}

void test_cancel_sign(struct test_cancel *cancel)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_WIRE_CANCELLATION_MAX);
    OK(setpay_cancellation_build(&cancel->word, &content));
    test_cancel_sign_bytes(cancel, setpay_buffer_view(&content));
    setpay_buffer_clear(&content);
}

void test_cancel_sign_bytes(struct test_cancel *cancel, struct setpay_view bytes)
{
    struct setpay_signed_cancellation *made = &cancel->request.cancellation;
    struct setpay_buffer signature;
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    if (bytes.size > sizeof made->bytes)
        abort();
    OK(setpay_sign(cancel->word_key->signing_key, "Cancellation", SETPAY_SUITE,
                   &cancel->word.cardholder, bytes, &signature));
    OK(setpay_signature_from_view(setpay_buffer_view(&signature), &made->signature));
    memset(made->bytes, 0, sizeof made->bytes);
    if (bytes.size > 0)
        memcpy(made->bytes, bytes.data, bytes.size);
    made->size = bytes.size;
    setpay_buffer_clear(&signature);
}

void test_can_req_of(const struct test_cancel *cancel, enum setpay_message_type type,
                     struct setpay_view content, struct setpay_buffer *message)
{
    const struct setpay_view certificates[] = {
        setpay_buffer_view(&cancel->signer->der),
        cancel->signer->chain[0],
        cancel->signer->chain[1],
    };
    const struct setpay_message_parts parts = {
        .type = type,
        .content = content,
        .key = cancel->key->signing_key,
        .signer = &cancel->signer->thumbprint,
        .certificates = certificates,
        .certificate_count = 3,
    };
    setpay_buffer_init(message, SETPAY_LIMIT_MESSAGE_BYTES);
    OK(setpay_message_build(&parts, message));
}

void test_can_req_message(struct test_cancel *cancel, struct setpay_buffer *message)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_id_random(&cancel->request.header.rrpid));
    OK(setpay_can_req_build(&cancel->request, &content));
    test_can_req_of(cancel, SETPAY_MESSAGE_CAN_REQ, setpay_buffer_view(&content), message);
    setpay_buffer_clear(&content);
}

void test_auth_can_req_message(const struct test_cancel *cancel, const struct test_purchase *p,
                               setpay_time_ms now_ms, struct setpay_buffer *message)
{
    struct setpay_auth_can_req request = {.header = p->auth.header, .xid = p->oi.xid};
    struct setpay_buffer content;
    request.header.date_ms = now_ms;
    OK(setpay_id_random(&request.header.rrpid));
    memcpy(request.brand, p->auth.brand, sizeof request.brand);
    memcpy(request.merchant_id, p->auth.merchant_id, sizeof request.merchant_id);
    request.cancellation = cancel->request.cancellation;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_auth_can_req_build(&request, &content));
    test_merchant_message(SETPAY_MESSAGE_AUTH_CAN_REQ, p->parties.merchant,
                          setpay_buffer_view(&content), message);
    setpay_buffer_clear(&content);
}
