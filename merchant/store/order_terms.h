/*
 * How often a shopper is charged for an order, as JSON that a store sends and sees.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_TERMS_H
#define SETPAY_MERCHANT_STORE_ORDER_TERMS_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "merchant/store/order.h"
#include "merchant/store/order_request.h"

#include <jansson.h>
#include <stdbool.h>

/* Of one agreement; a purchase has room for so many payments and what follows from them. */
#define SETPAY_ORDER_TERMS_COUNT_MAX 366

/*
 * Reads {"kind":"split"|"instalment"|"recurring","count","interval_days","each","end","first",
 * "schedule"} (NULL: charged once) into *agreed. What depends on the order's amount is checked by
 * setpay_order_terms_complete, once that is known. SETPAY_E_INVALID with the fault.
 */
enum setpay_error setpay_order_terms_parse(const json_t *value, struct setpay_order_terms *agreed,
                                           struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* Completes order->agreed by the order's amount. SETPAY_E_INVALID with the fault for terms that no
 * wallet or gateway would take, or that can never come to the amount. */
enum setpay_error setpay_order_terms_complete(struct setpay_order *order,
                                              struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* The terms of a command line, "recurring,count=12,interval_days=28,each=999,end=2027-11-30", as
 * the JSON that parse reads; owned, NULL where memory is out. What is no such member, parse says.
 */
json_t *setpay_order_terms_of_text(const char *text);

/* Owned; NULL where memory is out. */
json_t *setpay_order_terms_json(const struct setpay_order_terms *agreed);
json_t *setpay_order_agreement_json(const struct setpay_agreement_view *view);
/* "completed"; NULL for a number that is none. */
const char *setpay_agreement_end_name(enum setpay_agreement_end end);
/* "automatic", "manual". */
const char *setpay_agreement_schedule_name(enum setpay_agreement_schedule schedule);

#endif
