/*
 * A purchase, its items and its receipts as JSON. Pure: what commands.h calls PURCHASE and what
 * stands in "receipts", made of a record that is given.
 */
#ifndef SETPAY_CARDHOLDER_PURCHASE_JSON_H
#define SETPAY_CARDHOLDER_PURCHASE_JSON_H

#include "cardholder/wallet.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* All: NULL without memory. */
json_t *setpay_wallet_time_json(setpay_time_ms time_ms);
json_t *setpay_wallet_money_json(int64_t minor, const char *currency);
json_t *setpay_wallet_base64_json(struct setpay_view bytes);
json_t *setpay_wallet_items_json(const struct setpay_pinit_res *content);
/* PURCHASE; takes card. items: with those of the kept offer. */
json_t *setpay_wallet_one_purchase_json(const struct setpay_wallet_purchase *purchase, json_t *card,
                                        bool items);
/* bytes: the receipt as it was signed. */
json_t *setpay_wallet_one_receipt_json(const struct setpay_receipt *receipt,
                                       struct setpay_view bytes);

#endif
