/*
 * Who waits for a purchase that is being seen through (inquiry.c): calls that want its outcome, and
 * looks that want one answer of its merchant. Each is told once, at the latest when its time is
 * over.
 */
#ifndef SETPAY_CARDHOLDER_WAITER_H
#define SETPAY_CARDHOLDER_WAITER_H

#include "cardholder/wallet.h"

struct setpay_wallet_waiter;

/* A list of them; zeroed memory is empty. It must not move while anybody waits. */
struct setpay_wallet_waiters {
    struct setpay_wallet_waiter *first;
};

/* A call that is replied to with PURCHASE. SETPAY_E_NOMEM: the call is not taken. */
enum setpay_error setpay_wallet_waiters_add_call(struct setpay_wallet_waiters *waiters,
                                                 struct setpay_wallet *wallet,
                                                 const struct setpay_id *xid,
                                                 struct setpay_control_call *call,
                                                 int64_t wait_ms) SETPAY_MUST_CHECK;
/* A look: heard_cb runs once. SETPAY_E_NOMEM: it will not. */
enum setpay_error setpay_wallet_waiters_add_look(struct setpay_wallet_waiters *waiters,
                                                 struct setpay_wallet *wallet,
                                                 setpay_wallet_heard_fn *heard_cb, void *arg,
                                                 int64_t wait_ms) SETPAY_MUST_CHECK;
bool setpay_wallet_waiters_have_look(const struct setpay_wallet_waiters *waiters);
/* Looks hear error (SETPAY_OK: the merchant has answered); calls are replied to with PURCHASE as it
 * is now. */
void setpay_wallet_waiters_tell_looks(struct setpay_wallet_waiters *waiters,
                                      enum setpay_error error);
void setpay_wallet_waiters_tell_calls(struct setpay_wallet_waiters *waiters);
/* A check failed: calls hear which, and that the purchase stays as it is. */
void setpay_wallet_waiters_fail_calls(struct setpay_wallet_waiters *waiters,
                                      enum setpay_error error);
/* {"stage","xid"} to all calls. */
void setpay_wallet_waiters_progress(const struct setpay_wallet_waiters *waiters, const char *stage);
/* Ends a call with PURCHASE as it is now. */
void setpay_wallet_reply_purchase(struct setpay_wallet *wallet, const struct setpay_id *xid,
                                  struct setpay_control_call *call);

#endif
