/*
 * Holds end by themselves: looked for at regular times, in portions. (Who is asked for an amount
 * looks for ended holds of that account first, so that no decision depends on this one's pace.)
 */
#ifndef SETPAY_GATEWAY_ISSUER_HOLDS_H
#define SETPAY_GATEWAY_ISSUER_HOLDS_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/store/store.h"

struct setpay_issuer_holds;

/* Begins at once. loop and store outlive it. */
enum setpay_error setpay_issuer_holds_new(struct setpay_loop *loop, struct setpay_store *store,
                                          struct setpay_issuer_holds **holds) SETPAY_MUST_CHECK;
/* Looks no more. On the loop's thread. */
void setpay_issuer_holds_stop(struct setpay_issuer_holds *holds);
/* NULL-safe; once the store is drained. */
void setpay_issuer_holds_free(struct setpay_issuer_holds *holds);

#endif
