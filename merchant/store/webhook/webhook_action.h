/*
 * What is done to webhooks, for the API and for the operator alike. Each runs inside an operation
 * and gives the result as JSON, owned.
 */
#ifndef SETPAY_MERCHANT_WEBHOOK_WEBHOOK_ACTION_H
#define SETPAY_MERCHANT_WEBHOOK_WEBHOOK_ACTION_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/store/db.h"

#include <jansson.h>

struct setpay_json_fault;

/* The webhook with its secret, which is shown here and never again. secret: fresh, made outside the
 * operation. SETPAY_E_INVALID with the fault, SETPAY_E_TOO_BIG. */
enum setpay_error setpay_webhook_do_add(struct setpay_db *db, const json_t *body,
                                        const struct setpay_secret *secret, setpay_time_ms now_ms,
                                        json_t **result,
                                        struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* The others: SETPAY_E_NOT_FOUND where there is no such webhook (or delivery). */
enum setpay_error setpay_webhook_do_change(struct setpay_db *db, const char *webhook_id,
                                           const json_t *body, json_t **result,
                                           struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* *result is {"webhook_id","removed"}. */
enum setpay_error setpay_webhook_do_remove(struct setpay_db *db, const char *webhook_id,
                                           json_t **result) SETPAY_MUST_CHECK;
enum setpay_error setpay_webhook_do_rotate(struct setpay_db *db, const char *webhook_id,
                                           const struct setpay_secret *secret,
                                           setpay_time_ms now_ms,
                                           json_t **result) SETPAY_MUST_CHECK;
/* *result is {"event_id"}. SETPAY_E_STATE where the webhook is not enabled. */
enum setpay_error setpay_webhook_do_test(struct setpay_db *db, const char *webhook_id,
                                         setpay_time_ms now_ms, json_t **result) SETPAY_MUST_CHECK;
/* *result is {"delivery_id","status"}. SETPAY_E_STATE where the webhook is not enabled. */
enum setpay_error setpay_webhook_do_redeliver(struct setpay_db *db, const char *webhook_id,
                                              const char *delivery_id, setpay_time_ms now_ms,
                                              json_t **result) SETPAY_MUST_CHECK;
/* {"webhooks":[…]}. Inside a read. */
enum setpay_error setpay_webhook_do_list(struct setpay_db *db, json_t **result) SETPAY_MUST_CHECK;
enum setpay_error setpay_webhook_do_show(struct setpay_db *db, const char *webhook_id,
                                         json_t **result) SETPAY_MUST_CHECK;
#define SETPAY_DELIVERY_LIST_DEFAULT 20
#define SETPAY_DELIVERY_LIST_MAX 100
/* cursor NULL: from the youngest on. SETPAY_E_INVALID for one that no page gave. */
enum setpay_error setpay_webhook_do_deliveries(struct setpay_db *db, const char *webhook_id,
                                               const char *cursor, size_t limit,
                                               json_t **result) SETPAY_MUST_CHECK;

#endif
