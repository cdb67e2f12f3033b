/*
 * Answers made up.
 */
#include "tests/support/test_false_answer.h"

#include "common/base/clock.h"
#include "common/crypto/dual.h"
#include "common/crypto/hash.h"

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

void test_false_answer_sign(enum setpay_message_type type, const struct test_party *signer,
                            struct setpay_view content, struct setpay_buffer *answer)
{
    setpay_buffer_clear(answer);
    test_merchant_message(type, signer, content, answer);
}

void test_false_answer_noise(struct setpay_buffer *answer)
{
    OK(setpay_buffer_set(answer, setpay_view_string("\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5")));
}

/* ------------------------------------------------------------------ reading */

bool test_question_is_void(const struct test_question *question)
{
    struct setpay_auth_req req;
    return question->message.type == SETPAY_MESSAGE_AUTH_REQ &&
           setpay_auth_req_parse(question->message.content, &req) == SETPAY_OK &&
           req.intent == SETPAY_INTENT_VOID;
}

struct setpay_auth_res test_question_auth_res(const struct test_question *question)
{
    struct setpay_message truth;
    struct setpay_auth_res res;
    OK(setpay_message_parse(question->truth, &truth));
    OK(setpay_auth_res_parse(truth.content, &res));
    setpay_message_clear(&truth);
    return res;
}

struct setpay_auth_rev_res test_question_auth_rev_res(const struct test_question *question)
{
    struct setpay_message truth;
    struct setpay_auth_rev_res res;
    OK(setpay_message_parse(question->truth, &truth));
    OK(setpay_auth_rev_res_parse(truth.content, &res));
    setpay_message_clear(&truth);
    return res;
}

/* ------------------------------------------------------------------ making up */

static struct setpay_response_header answer_header(const struct test_question *question,
                                                   const struct setpay_request_header *asked)
{
    struct setpay_response_header header = {
        .rrpid = asked->rrpid,
        .date_ms = asked->date_ms,
        .sender = question->gateway->sign[question->brand]->thumbprint,
        .has_receiver = true,
        .receiver = asked->sender};
    OK(setpay_message_request_hash(&question->message, &header.request_hash));
    return header;
}

void test_false_auth_res(const struct test_question *question, enum setpay_auth_outcome outcome,
                         const struct setpay_sealed_receipt *receipt, struct setpay_auth_res *res)
{
    struct setpay_auth_req req;
    bool approves = outcome == SETPAY_AUTH_APPROVED || outcome == SETPAY_AUTH_PARTIAL;
    OK(setpay_auth_req_parse(question->message.content, &req));
    memset(res, 0, sizeof *res);
    res->header = answer_header(question, &req.header);
    res->xid = req.xid;
    res->outcome = outcome;
    res->amount = req.amount;
    memcpy(res->brand, req.brand, sizeof res->brand);
    memcpy(res->merchant_id, req.merchant_id, sizeof res->merchant_id);
    res->cardholder = req.cardholder;
    res->gateway_encrypt = req.gateway_encrypt;
    OK(setpay_dual_pomd(SETPAY_SUITE, &req.pimd, &req.oimd, &res->pomd));
    res->receipt = *receipt;
    res->receipt.kind = approves                        ? SETPAY_RECEIPT_AUTHORISATION
                        : outcome == SETPAY_AUTH_VOIDED ? SETPAY_RECEIPT_VOID
                                                        : SETPAY_RECEIPT_DECLINE;
    (void)snprintf(res->action_code, sizeof res->action_code, approves ? "00" : "05");
    if (approves) {
        res->has_cap_token = true;
        OK(setpay_id_random(&res->cap_token));
        res->hold_expiry_ms = req.header.date_ms + SETPAY_DAY_MS;
    } else {
        res->amount.minor = 0;
    }
}

void test_false_auth_res_say(const struct test_question *question,
                             const struct setpay_auth_res *res, struct setpay_buffer *answer)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_auth_res_build(res, &content));
    test_false_answer_sign(SETPAY_MESSAGE_AUTH_RES, question->gateway->sign[question->brand],
                           setpay_buffer_view(&content), answer);
    setpay_buffer_clear(&content);
}

void test_false_auth_rev_res_say(const struct test_question *question,
                                 const struct setpay_auth_rev_res *res,
                                 struct setpay_buffer *answer)
{
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_auth_rev_res_build(res, &content));
    test_false_answer_sign(SETPAY_MESSAGE_AUTH_REV_RES, question->gateway->sign[question->brand],
                           setpay_buffer_view(&content), answer);
    setpay_buffer_clear(&content);
}

void test_false_error_say(const struct test_question *question, const void *error,
                          struct setpay_buffer *answer)
{
    const struct test_false_error *lie = error;
    struct setpay_buffer content;
    struct setpay_error_report report = {.code = lie->code,
                                         .date_ms = setpay_clock_now_ms(),
                                         .has_rrpid = true,
                                         .rrpid = question->rrpid,
                                         .has_sender = lie->signer != NULL};
    OK(setpay_message_request_hash(&question->message, &report.received));
    report.received.bytes[0] ^= (uint8_t)lie->other_request;
    report.rrpid.bytes[0] ^= (uint8_t)lie->other_rrpid;
    if (lie->signer != NULL)
        report.sender = (lie->named == NULL ? *lie->signer : *lie->named)->thumbprint;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_error_report_build(&report, &content));
    if (lie->signer == NULL) {
        const struct setpay_message_parts parts = {.type = SETPAY_MESSAGE_ERROR,
                                                   .content = setpay_buffer_view(&content)};
        OK(setpay_message_build(&parts, answer));
    } else {
        struct test_party signer = **lie->signer;
        if (lie->key != NULL)
            signer.signing_key = (*lie->key)->signing_key;
        test_false_answer_sign(SETPAY_MESSAGE_ERROR, &signer, setpay_buffer_view(&content), answer);
    }
    setpay_buffer_clear(&content);
}
