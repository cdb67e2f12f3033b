/*
 * What has become of an order, in words for who has ordered.
 */
#ifndef SETPAY_MERCHANT_WWW_ORDER_WORDS_H
#define SETPAY_MERCHANT_WWW_ORDER_WORDS_H

#include "merchant/store/order_json.h"

#include <stdbool.h>

/* "Not paid yet." */
const char *setpay_order_words(enum setpay_order_status status);
/* Of the page's colours: "good", "bad", "wait". */
const char *setpay_order_tone(enum setpay_order_status status);
/* Whether it changes by itself, soon: the page is loaded again without being asked. */
bool setpay_order_is_moving(enum setpay_order_status status);
/* Why a bank has refused, by its action code (ISO 8583 field 39); never NULL. */
const char *setpay_decline_words(const char *action_code);
/* [{"when","what","amount","note"}]: what was paid, taken, given back. Owned; NULL without memory.
 */
json_t *setpay_order_receipt(const struct setpay_order_view *view);

/* Whether nothing more will happen to it. */
bool setpay_order_is_over(enum setpay_order_status status);

#endif
