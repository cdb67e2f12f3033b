/*
 * The refusals of the merchant API: application/problem+json (RFC 9457) with a stable type for each
 * kind, and words that name the field, what was found and what is expected.
 */
#ifndef SETPAY_MERCHANT_API_PROBLEM_H
#define SETPAY_MERCHANT_API_PROBLEM_H

#include "common/base/error.h"
#include "merchant/store/api/idempotency.h"

#include <jansson.h>
#include <stddef.h>

enum setpay_api_problem {
    SETPAY_API_UNAUTHORISED,  /* 401 */
    SETPAY_API_SCOPE,         /* 403: the token may not do that */
    SETPAY_API_NO_ORDER,      /* 404 */
    SETPAY_API_NO_KEY,        /* 400: Idempotency-Key is missing or not valid */
    SETPAY_API_KEY_REUSED,    /* 422 */
    SETPAY_API_UNDER_WAY,     /* 409 */
    SETPAY_API_CONTENT_TYPE,  /* 415 */
    SETPAY_API_NOT_JSON,      /* 400 */
    SETPAY_API_INVALID_FIELD, /* 422 */
    SETPAY_API_UNKNOWN_SKU,   /* 422 */
    SETPAY_API_INVALID_QUERY, /* 400 */
    SETPAY_API_ORDER_STATE,   /* 409 */
    SETPAY_API_NO_STEP,       /* 404 */
    SETPAY_API_AMOUNT,        /* 409 */
    SETPAY_API_STEP_REFUSED,  /* 409 */
    SETPAY_API_DECLINED,
    SETPAY_API_TOO_SOON,
    SETPAY_API_TOO_MANY,      /* 409 */
    SETPAY_API_OUT_OF_STOCK,  /* 409 */
    SETPAY_API_NOT_FOUND,     /* 404: of the store; an order is SETPAY_API_NO_ORDER */
    SETPAY_API_EXISTS,        /* 409 */
    SETPAY_API_IN_USE,        /* 409 */
    SETPAY_API_VERSION,       /* 412 */
    SETPAY_API_NO_VERSION,    /* 428 */
    SETPAY_API_WEBHOOK_STATE, /* 409 */
    SETPAY_API_BUSY,          /* 503: repeat the same request */
    SETPAY_API_INTERNAL,      /* 500 */
    SETPAY_API_PROBLEMS
};

struct setpay_api_problem_info {
    int status;
    const char *type; /* "urn:setpay:problem:order-state" */
    const char *title;
};
/* Never NULL. */
const struct setpay_api_problem_info *setpay_api_problem_info(enum setpay_api_problem problem);

/* Replaces the answer. field: the member, parameter or header that is meant; "" or NULL: none.
 * SETPAY_E_NOMEM. */
/* With members of its own, which are taken (NULL: none). */
enum setpay_error setpay_api_answer_problem_with(struct setpay_api_answer *answer,
                                                 enum setpay_api_problem problem, const char *field,
                                                 const char *detail,
                                                 json_t *members) SETPAY_MUST_CHECK;
enum setpay_error setpay_api_answer_problem(struct setpay_api_answer *answer,
                                            enum setpay_api_problem problem, const char *field,
                                            const char *detail) SETPAY_MUST_CHECK;

#endif
