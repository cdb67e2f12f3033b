/*
 * What a captured amount costs: the issuer's interchange, and the merchant's fee to the acquirer.
 *
 * A fee is a share of the amount and a fixed part. The share is rounded to a whole minor unit, a
 * half to the even one, before the fixed part is added; a fee is never above the amount itself.
 */
#ifndef SETPAY_GATEWAY_CLEARING_FEES_H
#define SETPAY_GATEWAY_CLEARING_FEES_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "common/base/money.h"
#include "common/wire/messages.h"

#include <stddef.h>
#include <stdint.h>

#define SETPAY_FEE_SHARE_WHOLE 1000000 /* parts per million: 0.25 % is 2,500 */
#define SETPAY_FEE_ROWS_MAX 1024

struct setpay_fee {
    int64_t share_ppm;   /* 0 to SETPAY_FEE_SHARE_WHOLE */
    int64_t fixed_minor; /* 0 to SETPAY_MONEY_MAX_MINOR */
};

struct setpay_fee_row {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char currency[4];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1]; /* "": of all that have no row of their own */
    struct setpay_fee interchange;               /* of the row of all alone */
    struct setpay_fee merchant;
};

/* Of every brand and currency for which something is charged. A row of one merchant's has one of
 * all merchants beside it. */
struct setpay_fees {
    struct setpay_fee_row rows[SETPAY_FEE_ROWS_MAX];
    size_t count;
};

/* What one amount costs. */
struct setpay_charges {
    int64_t interchange_minor;
    int64_t fee_minor;
};

/* Pure. A share of an amount that may be many payments', from 0 on, rounded. */
int64_t setpay_share_of(int64_t share_ppm, int64_t amount_minor);
/* Pure. What falls on the part of a whole that costs cost_minor, rounded; all of it on the whole.
 * Each 0 or above, and part_minor at most whole_minor, which is above 0. */
int64_t setpay_cost_of_part(int64_t cost_minor, int64_t part_minor, int64_t whole_minor);
/* Pure. amount_minor: 0 to SETPAY_MONEY_MAX_MINOR. */
int64_t setpay_fee_of(const struct setpay_fee *fee, int64_t amount_minor);
/* Zeros where no row names brand and currency. */
struct setpay_charges setpay_fees_of(const struct setpay_fees *fees, const char *brand,
                                     const char *merchant_id, const struct setpay_money *amount);

/* "2.5": a percentage with up to four digits behind the point, 0 to 100, in parts per million.
 * SETPAY_E_INVALID. And back, without zeros at its end. */
enum setpay_error setpay_share_parse(const char *text, int64_t *share_ppm) SETPAY_MUST_CHECK;
#define SETPAY_SHARE_TEXT_SIZE 24
const char *setpay_share_format(int64_t share_ppm, char out[SETPAY_SHARE_TEXT_SIZE]);

/* "0.25 % + 0.10": a share with up to four digits behind the point, a fixed amount in the currency,
 * or both. SETPAY_E_INVALID. */
enum setpay_error setpay_fee_parse(const char *text, const char *currency,
                                   struct setpay_fee *fee) SETPAY_MUST_CHECK;
/* The [fees BRAND.CURRENCY] and [fees BRAND.CURRENCY.MERCHANT] sections. SETPAY_E_CONFIG, with what
 * is wrong and where in problem. */
enum setpay_error setpay_fees_load(const struct setpay_config *config, struct setpay_fees *fees,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
