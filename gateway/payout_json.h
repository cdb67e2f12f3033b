/*
 * Payouts, and files for the bank, as the administration socket has them.
 */
#ifndef SETPAY_GATEWAY_PAYOUT_JSON_H
#define SETPAY_GATEWAY_PAYOUT_JSON_H

#include "common/base/error.h"
#include "gateway/clearing/payout.h"

#include <jansson.h>

/* Owned; NULL: no memory. */
json_t *setpay_payout_json(const struct setpay_payout *payout);
json_t *setpay_payout_file_json(const struct setpay_payout_file *file);
/* A word that was undone. */
json_t *setpay_payout_undone_json(const struct setpay_payout_undone *undone);
/* The member id of args. SETPAY_E_INVALID with words. */
enum setpay_error setpay_payout_read_id(const json_t *args, struct setpay_id *id,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
