/*
 * What setpay-merchant prints for people: words and aligned tables out of a command's JSON.
 */
#ifndef SETPAY_MERCHANT_MERCHANT_WORDS_H
#define SETPAY_MERCHANT_MERCHANT_WORDS_H

#include <jansson.h>

typedef void setpay_merchant_words_fn(const json_t *result);

setpay_merchant_words_fn setpay_merchant_words_order;
setpay_merchant_words_fn setpay_merchant_words_orders;
setpay_merchant_words_fn setpay_merchant_words_batch;
setpay_merchant_words_fn setpay_merchant_words_batches;
setpay_merchant_words_fn setpay_merchant_words_token;
setpay_merchant_words_fn setpay_merchant_words_tokens;
setpay_merchant_words_fn setpay_merchant_words_token_removed;
setpay_merchant_words_fn setpay_merchant_words_purchase;
setpay_merchant_words_fn setpay_merchant_words_purchases;

#endif
