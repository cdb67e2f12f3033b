/*
 * Agreements to more than one payment, as the merchant keeps them: what comes next and when, what
 * an answer or an Error to a further authorisation means, and when nothing follows any more. What
 * the terms permit, common/wire/agreement.h knows. Pure.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_AGREEMENT_H
#define SETPAY_MERCHANT_PAYMENT_AGREEMENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/wire/agreement.h"
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/step.h"

#include <stdbool.h>
#include <stdint.h>

/* As card networks allow it, and gateways see to it. */
#define SETPAY_MERCHANT_DECLINED_WAIT_MS SETPAY_DAY_MS
#define SETPAY_MERCHANT_DECLINES_MAX 15
#define SETPAY_MERCHANT_DECLINES_MS (30 * SETPAY_DAY_MS)
/* Where no issuer has said anything. */
#define SETPAY_MERCHANT_UNHEARD_WAIT_MS SETPAY_HOUR_MS
/* Clocks differ: so much later than what was computed. */
#define SETPAY_MERCHANT_CLOCKS_MS SETPAY_MINUTE_MS

struct setpay_agreement_taken
setpay_merchant_agreement_taken(const struct setpay_merchant_purchase *purchase,
                                const struct setpay_merchant_agreement *agreement);
/* How much the next scheduled payment is: each, or the rest; 0 where none is (SPLIT). */
int64_t setpay_merchant_agreement_next_minor(const struct setpay_merchant_purchase *purchase,
                                             const struct setpay_merchant_agreement *agreement);
/* When the daemon has to do something about it: ask for the next payment, or see that its end has
 * passed. INT64_MAX: never, as things are. */
setpay_time_ms setpay_merchant_agreement_due_ms(const struct setpay_merchant_purchase *purchase,
                                                const struct setpay_merchant_steps *steps,
                                                const struct setpay_merchant_agreement *agreement,
                                                setpay_time_ms now_ms);
/* When the store may expect the next payment, 0 where none is or the store itself asks. */
setpay_time_ms setpay_merchant_agreement_next_ms(const struct setpay_merchant_purchase *purchase,
                                                 const struct setpay_merchant_agreement *agreement,
                                                 setpay_time_ms now_ms);

/* Whether a payment may be asked for. SETPAY_E_STATE (no agreement, or nothing follows any more, or
 * one is asked for), SETPAY_E_AMOUNT_LIMIT, SETPAY_E_TOO_SOON. */
enum setpay_error setpay_merchant_agreement_check(const struct setpay_merchant_purchase *purchase,
                                                  const struct setpay_merchant_steps *steps,
                                                  const struct setpay_merchant_agreement *agreement,
                                                  int64_t minor,
                                                  setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* Rule M6: whether an approval is what was asked for, and within the terms. */
bool setpay_merchant_agreement_permits(const struct setpay_merchant_purchase *purchase,
                                       const struct setpay_merchant_agreement *agreement,
                                       const struct setpay_merchant_step *step,
                                       const struct setpay_auth_res *answer);

/* The first one: the agreement that its approval begins. schedule: the order's. */
void setpay_merchant_agreement_begin(const struct setpay_merchant_purchase *purchase,
                                     enum setpay_agreement_schedule schedule,
                                     const struct setpay_auth_res *answer, setpay_time_ms now_ms,
                                     struct setpay_merchant_agreement *agreement);
/* After a further one was approved or declined; steps hold what became of it. */
void setpay_merchant_agreement_answered(const struct setpay_merchant_steps *steps,
                                        const struct setpay_auth_res *answer, bool permitted,
                                        setpay_time_ms now_ms,
                                        struct setpay_merchant_agreement *agreement);
/* After one was refused by that code. */
void setpay_merchant_agreement_refused(const struct setpay_merchant_purchase *purchase,
                                       const struct setpay_merchant_steps *steps,
                                       uint32_t wire_code, setpay_time_ms now_ms,
                                       struct setpay_merchant_agreement *agreement);
/* Ends it where nothing can follow by what was taken and the time. */
void setpay_merchant_agreement_settle(const struct setpay_merchant_purchase *purchase,
                                      setpay_time_ms now_ms,
                                      struct setpay_merchant_agreement *agreement);
/* Ends it, unless it has ended. */
void setpay_merchant_agreement_finish(enum setpay_agreement_end end, setpay_time_ms now_ms,
                                      struct setpay_merchant_agreement *agreement);

/* What an Error to a further authorisation, or to a cancellation, means. */
enum setpay_further_word {
    SETPAY_FURTHER_LATER,  /* the same request again, after a while */
    SETPAY_FURTHER_RENEW,  /* the same wish under a new rrpid */
    SETPAY_FURTHER_REFUSED /* that step has ended */
};
/* by_gateway: its certificate has signed it; cardholder_ended, ours_good: what we see ourselves of
 * the two certificates. */
enum setpay_further_word setpay_merchant_further_word(enum setpay_ask_kind kind, uint32_t wire_code,
                                                      bool by_gateway, bool cardholder_ended,
                                                      bool ours_good);

#endif
