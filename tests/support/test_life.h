/*
 * The life of a payment after it was presented, at all three parties, as the functions decide that
 * the daemons themselves call: gateway/payment for what is legal, the state tables of merchant and
 * wallet for what they make of it. Pure: no database, no messages.
 *
 * tests/docs/reference_life.c makes the page of all steps of it, and tests/unit/test_gateway_life.c
 * walks the same lives at a running gateway, and holds every answer against it.
 */
#ifndef SETPAY_TEST_LIFE_H
#define SETPAY_TEST_LIFE_H

#include "cardholder/purchase_state.h"
#include "gateway/clearing/dispute.h"
#include "gateway/payment/agreement.h"
#include "gateway/payment/step.h"
#include "merchant/store/order_status.h"

#include <stdbool.h>
#include <stddef.h>

/* What can be asked for, or happens. */
enum test_life_op {
    TEST_LIFE_AUTHORISE, /* the instruction, in a request of its own; approved where it is legal */
    TEST_LIFE_DECLINE,   /* the same, and the issuer declines */
    TEST_LIFE_SELL,      /* the same as a sale */
    TEST_LIFE_SPLIT,     /* the same, of terms that permit further ones: the first part */
    TEST_LIFE_VOID,
    TEST_LIFE_FURTHER,      /* what is left of a split */
    TEST_LIFE_FURTHER_MORE, /* a unit more */
    TEST_LIFE_CANCEL,       /* the cardholder's cancellation */
    TEST_LIFE_CAPTURE_PART,
    TEST_LIFE_CAPTURE_LAST, /* all that is held */
    TEST_LIFE_CAPTURE_MORE, /* a unit more */
    TEST_LIFE_UNCAPTURE,    /* of the newest capture; so the credits, and the dispute */
    TEST_LIFE_CREDIT_PART,
    TEST_LIFE_CREDIT_LAST, /* all that is left of it */
    TEST_LIFE_CREDIT_MORE, /* a unit more */
    TEST_LIFE_UNCREDIT,    /* of the newest credit */
    TEST_LIFE_REVERSE_PART,
    TEST_LIFE_REVERSE_WHOLE,    /* all that is held; or what the gateway has given up */
    TEST_LIFE_REVERSE_MORE,     /* a unit more */
    TEST_LIFE_HOLD_END,         /* the gateway's */
    TEST_LIFE_CLOSE,            /* the merchant's batch, both sides counting the same */
    TEST_LIFE_PRESENT,          /* the issuer takes what was closed */
    TEST_LIFE_REFUSE,           /* or it refuses that */
    TEST_LIFE_LOSE_CARD,        /* the vault: what was closed can't be presented any more */
    TEST_LIFE_WRITE_OFF,        /* the operator's, of what was closed */
    TEST_LIFE_SETTLE,           /* the operator's */
    TEST_LIFE_PAY_ALL_THE_SAME, /* the operator's, of what was refused: to the merchant */
    TEST_LIFE_DISPUTE,          /* a part, in the issuer's file */
    TEST_LIFE_DISPUTE_LOST,
    TEST_LIFE_DISPUTE_WON,
    TEST_LIFE_OPS
};

/* "capture of a part". */
const char *test_life_op_name(enum test_life_op op);

/* How far the newest capture's batch has come. */
enum test_life_batch {
    TEST_LIFE_NO_BATCH,
    TEST_LIFE_OPEN,
    TEST_LIFE_CLOSED,
    TEST_LIFE_UNSENDABLE, /* and its card is gone */
    TEST_LIFE_PRESENTED,
    TEST_LIFE_REFUSED,
    TEST_LIFE_WRITTEN_OFF,
    TEST_LIFE_SETTLED,
    TEST_LIFE_IN_SUSPENSE, /* settled, and nobody was charged */
    TEST_LIFE_PAID,        /* refused, and cleared to the merchant */
};
const char *test_life_batch_name(enum test_life_batch batch);

#define TEST_LIFE_STEPS 4
#define TEST_LIFE_PRICE 1000
#define TEST_LIFE_FIRST 400  /* of a split */
#define TEST_LIFE_PART 100   /* of any other part */
#define TEST_LIFE_TOKEN 0x71 /* every byte of the CapToken; the AuthToken's are one above */

struct test_life {
    struct setpay_payment payment;
    struct setpay_gateway_agreement agreement;
    struct setpay_gateway_step captures[TEST_LIFE_STEPS], credits[TEST_LIFE_STEPS];
    size_t capture_count, credit_count;
    enum test_life_batch batch;
    bool disputes; /* a part of the newest capture */
    struct setpay_gateway_dispute dispute;
    bool card_gone;
    setpay_time_ms now_ms;
    /* the other two */
    enum setpay_purchase_state merchant;
    enum setpay_order_end end;
    enum setpay_wallet_state wallet;
    int64_t further_minor;    /* of another authorisation, which nothing is done to */
    int64_t authorised_minor; /* by all receipts */
    int64_t reversed_minor;   /* of which merchant and wallet have a receipt */
};

/* Nothing was presented. */
void test_life_begin(struct test_life *life);
/* SETPAY_OK, and it is done; else the exact error, and nothing has changed. SETPAY_E_INTERNAL: that
 * can't be asked for, or can't happen, here. */
enum setpay_error test_life_do(struct test_life *life, enum test_life_op op);
/* So much is asked for by an op of an amount. */
int64_t test_life_minor(const struct test_life *life, enum test_life_op op);

/* In the words of the party's own programs. */
enum setpay_order_status test_life_order(const struct test_life *life);
const char *test_life_wallet(const struct test_life *life);

/* Where it may stand: what has happened until then. */
struct test_life_situation {
    const char *name;
    enum test_life_op script[8]; /* count of them */
    size_t count;
};
extern const struct test_life_situation test_life_situations[];
extern const size_t test_life_situation_count;

#endif
