/*
 * The lies that a merchant (or the cardholder, or another gateway, in league with it) can tell in
 * one AuthReq, each as a row: what, how, and the error that it must end in. A row may be told alone
 * or, where two touch different things, two at once; then the check that comes first in the gateway
 * (gateway/payment/auth_flow.c says in which order) refuses.
 */
#ifndef SETPAY_TEST_LIES_H
#define SETPAY_TEST_LIES_H

#include "tests/support/test_gateway.h"
#include "tests/support/test_purchase.h"

#include <stddef.h>

/* The parties that a liar has at hand. */
struct test_liar {
    struct test_gateway *gateway;
    struct test_line *line;             /* of visa's shop */
    struct test_cardholder *holder;     /* who pays */
    struct test_cardholder *accomplice; /* another cardholder of the brand */
    struct test_cardholder *stranger;   /* one of mastercard's */
    struct test_purchase *spare;        /* of the same holder at the same shop, never sent */
    struct test_purchase *accomplices;  /* of the accomplice at the same shop, never sent */
    struct test_purchase *elsewhere;    /* of the same holder at the shop "other", never sent */
    struct test_party *far_sign;        /* a gateway of the brand that is not ours, but good */
    struct test_party *far_encrypt;
    struct test_party *renewed; /* another signing certificate of the shop */
};

struct test_liar *test_liar_new(struct test_gateway *gateway);
void test_liar_free(struct test_liar *liar);
/* A good purchase of 12.50 EUR at visa's shop, not signed yet. */
struct test_purchase *test_liar_purchase(struct test_liar *liar);

/* Which check comes first. Those of one stage have no order among them. */
enum test_stage {
    TEST_STAGE_SIGNER,   /* A3, A2: certificate, signature */
    TEST_STAGE_PARTIES,  /* A2: sender, receiver */
    TEST_STAGE_CHANNEL,  /* G1 */
    TEST_STAGE_INTENT,   /* G9: token */
    TEST_STAGE_DATE,     /* A5: of the request */
    TEST_STAGE_HOLDER,   /* A3: the cardholder's certificate */
    TEST_STAGE_ENVELOPE, /* G2 */
    TEST_STAGE_DUAL,     /* G3 */
    TEST_STAGE_REQUEST,  /* G4 */
    TEST_STAGE_ACCOUNT,  /* G5 */
    TEST_STAGE_EXPIRY,   /* A5: of the instruction */
};

/* What a lie touches: two that share a bit could undo each other. */
enum {
    TEST_TOUCHES_XID = 1 << 0,
    TEST_TOUCHES_AMOUNT = 1 << 1,
    TEST_TOUCHES_MERCHANT = 1 << 2,
    TEST_TOUCHES_GATEWAY = 1 << 3,
    TEST_TOUCHES_HOLDER = 1 << 4,
    TEST_TOUCHES_EXPIRY = 1 << 5,
    TEST_TOUCHES_TERMS = 1 << 6,
    TEST_TOUCHES_CARD = 1 << 7,
    TEST_TOUCHES_ENVELOPE = 1 << 8,
    TEST_TOUCHES_DIGESTS = 1 << 9, /* OIMD, PIMD, DS */
    TEST_TOUCHES_SIGNER = 1 << 10,
    TEST_TOUCHES_DATE = 1 << 11,
    TEST_TOUCHES_INTENT = 1 << 12,
    TEST_TOUCHES_BRAND = 1 << 13,
};

typedef void test_lie_fn(struct test_liar *liar, struct test_purchase *purchase);

struct test_lie {
    const char *what;
    const char *expected; /* "PI_MISMATCH G4" */
    enum test_stage stage;
    unsigned touches;
    test_lie_fn *sign; /* changes what the cardholder signs, before that; may be NULL */
    test_lie_fn *ask;  /* changes what the merchant says of it, after that; may be NULL */
};

extern const struct test_lie test_lies[];
extern const size_t test_lie_count;

/* A purchase with one lie, or two (NULL: none), signed and ready for test_purchase_auth_req. */
struct test_purchase *test_lie_tell(struct test_liar *liar, const struct test_lie *lie,
                                    const struct test_lie *another);

#endif
