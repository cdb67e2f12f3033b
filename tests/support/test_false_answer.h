/*
 * Answers that a lying gateway (test_false_gateway.h) makes: signed by whomever, about whatever.
 * For its threads, where no test can fail: everything aborts.
 */
#ifndef SETPAY_TEST_FALSE_ANSWER_H
#define SETPAY_TEST_FALSE_ANSWER_H

#include "tests/support/test_false_gateway.h"

/* Any content, signed; replaces what answer holds. */
void test_false_answer_sign(enum setpay_message_type type, const struct test_party *signer,
                            struct setpay_view content, struct setpay_buffer *answer);
/* Bytes that are no message. */
void test_false_answer_noise(struct setpay_buffer *answer);

/* Whether an AuthReq asks for a void. */
bool test_question_is_void(const struct test_question *question);
/* What the real gateway answered to an AuthReq or AuthRevReq. */
struct setpay_auth_res test_question_auth_res(const struct test_question *question);
struct setpay_auth_rev_res test_question_auth_rev_res(const struct test_question *question);

/* An AuthRes of that outcome to an AuthReq, made up from it alone, that fits it in everything;
 * with that receipt, relabelled for the outcome. */
void test_false_auth_res(const struct test_question *question, enum setpay_auth_outcome outcome,
                         const struct setpay_sealed_receipt *receipt, struct setpay_auth_res *res);
/* Signed by the gateway for visa. */
void test_false_auth_res_say(const struct test_question *question,
                             const struct setpay_auth_res *res, struct setpay_buffer *answer);
void test_false_auth_rev_res_say(const struct test_question *question,
                                 const struct setpay_auth_rev_res *res,
                                 struct setpay_buffer *answer);

/* An Error to the question, or to another one. A test_lie_fn whose arg is such a struct. */
struct test_false_error {
    const char *what;
    const char *expected; /* of the merchant's log */
    uint32_t code;
    const struct test_party *const *signer; /* NULL: unsigned */
    const struct test_party *const *named;  /* as sender; NULL: the signer */
    const struct test_party *const *key;    /* whose key signs; NULL: the signer's */
    bool other_request, other_rrpid;
};
void test_false_error_say(const struct test_question *question, const void *error,
                          struct setpay_buffer *answer);

#endif
