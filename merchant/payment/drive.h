/*
 * A purchase that waits for the gateway, in the hands of the one worker that drives it. Inside
 * merchant/payment only: authorise.c asks, heard.c takes what came back, outcome.c and
 * step_outcome.c book it.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_DRIVE_H
#define SETPAY_MERCHANT_PAYMENT_DRIVE_H

#include "common/wire/checks.h"
#include "common/wire/signed.h"
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/step.h"
#include "merchant/payment/together.h"

/* At any time exactly one thing is under way: a try at the gateway, an operation of the store, or
 * the wait before the next try. */
struct setpay_merchant_drive {
    struct setpay_merchant_worker *worker;
    struct setpay_merchant_drive *next;
    struct setpay_id xid;
    struct setpay_merchant_brand *brand;
    struct setpay_timer *timer; /* the wait */
    bool asks;                  /* a try is under way */
    bool stores;                /* an operation is under way */
    bool follows;               /* another drive has sent the request that is this one's, too */
    uint64_t ticket;            /* of the try */
    int64_t asked_us;           /* when it began */
    unsigned tries;             /* without an answer, since the last progress */
    bool renew;                 /* the newest request is void for its date */
    uint64_t learn_index;       /* which request is repeated in order to learn */
    unsigned again;             /* times that an answer was decided anew */

    /* As read for the present step. */
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_steps *steps;      /* owned; these in state STEPPING */
    struct setpay_merchant_step step;         /* whose turn it is */
    struct setpay_id of_token;                /* what it is of, at the gateway */
    struct setpay_merchant_together together; /* of a capture: in whose request it goes */
    int64_t held_minor;                       /* of a release: what is given up */
    int64_t left_minor;                       /* likewise: what is held of its authorisation then */
    struct setpay_merchant_agreement agreement;
    struct setpay_merchant_ask ask;
    struct setpay_buffer envelope;
    struct setpay_buffer certificate;
    struct setpay_digest raw; /* H("raw", …) of what was sent */

    /* The newest answer, while it is being booked: as it came, who signed it, and what it says. */
    struct setpay_message answer;
    struct setpay_certificate *signer;
    struct setpay_auth_res auth_res;
    struct setpay_auth_rev_res auth_rev_res;
    struct setpay_auth_can_res auth_can_res;
    struct setpay_step_res step_res;
    uint32_t refused_code; /* an Error has ended the step; 0: it is the answer that counts */
    struct setpay_merchant_purchase booked;  /* the purchase after it */
    struct setpay_merchant_step booked_step; /* and the step */
    struct setpay_pres receipts;             /* only these of it, while a step is booked */
    struct setpay_buffer pres;               /* empty: none to be kept */
};

/* "authorise", "capture", … */
const char *setpay_merchant_ask_name(enum setpay_ask_kind kind);

/* Books the answer in auth_res or auth_rev_res, which was checked. The drive goes on by itself. */
void setpay_merchant_book(struct setpay_merchant_drive *drive);
/* The same for an answer to a step, in step_res, for a release in auth_rev_res, a further
 * authorisation in auth_res, a cancellation in auth_can_res; or for the code by which an Error has
 * ended one of the last two, or the release of a part. A release of nothing needs none. */
void setpay_merchant_book_step(struct setpay_merchant_drive *drive);
/* PRes for the purchase in booked, where the shopper's request is to be answered now; to be kept by
 * setpay_merchant_keep_pres in the operation that books. */
enum setpay_error setpay_merchant_make_pres(struct setpay_merchant_drive *drive,
                                            const struct setpay_pres *receipts,
                                            setpay_time_ms now_ms) SETPAY_MUST_CHECK;
enum setpay_error
setpay_merchant_keep_pres(struct setpay_db *db,
                          const struct setpay_merchant_drive *drive) SETPAY_MUST_CHECK;
/* So that what has not happened yet shows as 0. */
enum setpay_error setpay_merchant_register_book_metrics(void) SETPAY_MUST_CHECK;
enum setpay_error setpay_merchant_register_step_metrics(void) SETPAY_MUST_CHECK;
/* Checks what came back, in answer, and books it or asks again later. An error: it was no answer.
 */
enum setpay_error
setpay_merchant_take_answer(struct setpay_merchant_drive *drive) SETPAY_MUST_CHECK;
/* Applies an event that needs nothing else. */
void setpay_merchant_book_event(struct setpay_merchant_drive *drive,
                                enum setpay_purchase_event event);

/* Reads the purchase and does what is next; may end the drive. */
void setpay_merchant_drive_step(struct setpay_merchant_drive *drive);
/* The same after a while. */
void setpay_merchant_drive_later(struct setpay_merchant_drive *drive);

#endif
