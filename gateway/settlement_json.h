/*
 * Settlements, items and disputes as the administration socket carries them, there and back.
 */
#ifndef SETPAY_GATEWAY_SETTLEMENT_JSON_H
#define SETPAY_GATEWAY_SETTLEMENT_JSON_H

#include "common/base/error.h"
#include "gateway/clearing/dispute.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/items.h"
#include "gateway/clearing/settlement.h"

#include <jansson.h>

/* A new object, or NULL. */
json_t *setpay_settlement_json(const struct setpay_settlement *settlement);
json_t *setpay_clearing_item_json(const struct setpay_clearing_item *item);
json_t *setpay_dispute_json(const struct setpay_gateway_dispute *dispute);
json_t *setpay_suspense_told_json(const struct setpay_suspense_told *told);
/* SETPAY_E_MALFORMED where a member is missing or of another kind. */
enum setpay_error
setpay_settlement_from_json(const json_t *json,
                            struct setpay_settlement *settlement) SETPAY_MUST_CHECK;
enum setpay_error
setpay_clearing_item_from_json(const json_t *json,
                               struct setpay_clearing_item *item) SETPAY_MUST_CHECK;
enum setpay_error
setpay_dispute_from_json(const json_t *json,
                         struct setpay_gateway_dispute *dispute) SETPAY_MUST_CHECK;
enum setpay_error
setpay_suspense_told_from_json(const json_t *json,
                               struct setpay_suspense_told *told) SETPAY_MUST_CHECK;

/* "-12.50 EUR": an amount that may be below 0, with its currency's digits. */
const char *setpay_amount_text(int64_t minor, const char *currency, char *out);

#endif
