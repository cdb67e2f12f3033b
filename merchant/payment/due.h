/*
 * What a purchase has to do by itself once its time has come: give up what is held when the hold
 * is over, ask for the next payment of an agreement, end an agreement. Each purchase keeps when
 * that is (due_ms); every worker looks for those that it drives.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_DUE_H
#define SETPAY_MERCHANT_PAYMENT_DUE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/step.h"

struct setpay_merchant_worker;
struct setpay_merchant_dues;

/* Pure: when; 0: never, as things are. */
setpay_time_ms setpay_merchant_due_ms(const struct setpay_merchant_purchase *purchase,
                                      const struct setpay_merchant_steps *steps,
                                      const struct setpay_merchant_agreement *agreement,
                                      setpay_time_ms now_ms);
/* Inside an operation that has changed purchase, steps or agreement, at its end. */
enum setpay_error setpay_merchant_due_keep(struct setpay_db *db,
                                           const struct setpay_merchant_purchase *purchase,
                                           setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Inside an operation: asks for whatever is due of the purchase now. Nothing is due: SETPAY_OK. */
enum setpay_error setpay_merchant_due_act(struct setpay_db *db, const struct setpay_id *xid,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* One for each worker. */
enum setpay_error setpay_merchant_dues_new(struct setpay_merchant_worker *worker,
                                           struct setpay_merchant_dues **dues) SETPAY_MUST_CHECK;
void setpay_merchant_dues_free(struct setpay_merchant_dues *dues);

#endif
