/*
 * A purchase of a sandbox, opened with everybody's secrets: what its wallet sent is read out of the
 * wallet's database, its envelope opened with the gateway's key. For tests that look for what each
 * party must not hold. Everything fails hard.
 */
#ifndef SETPAY_TEST_OPENED_H
#define SETPAY_TEST_OPENED_H

#include "common/wire/messages.h"
#include "common/wire/purchase.h"
#include "common/wire/signed.h"

/* Zeroed memory is empty. */
struct test_opened {
    struct setpay_message message; /* PReq, with what travelled beside it */
    struct setpay_preq preq;
    struct setpay_oi oi;
    struct setpay_instruction instruction; /* PI, its bytes, pi_salt, PIMD */
    struct setpay_digest account;          /* the blinded account id of the certificate */
    struct setpay_message offer_message;
    struct setpay_pinit_res offer;
};

/* Once, before anything else: secret memory. */
void test_opened_init(void);
/* The newest purchase of that order (its id), in the sandbox in this folder. */
void test_opened_load(const char *sandbox, const char *order_id, struct test_opened *opened);
void test_opened_clear(struct test_opened *opened);

#endif
