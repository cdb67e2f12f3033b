/*
 * Batches for those outside.
 */
#ifndef SETPAY_MERCHANT_STORE_BATCH_JSON_H
#define SETPAY_MERCHANT_STORE_BATCH_JSON_H

#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/payment_port.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_BATCH_LIST_DEFAULT 20
#define SETPAY_BATCH_LIST_MAX 100

/* "open", "closing", "closed", "differs". */
const char *setpay_batch_state_name(enum setpay_batch_state state);
/* A new object, or NULL. */
json_t *setpay_batch_total_json(const struct setpay_batch_total *total);

/* Inside an operation or a read: {"batches":[…],"has_more","next_cursor"}, the youngest first;
 * before: a cursor, or INT64_MAX. *page is owned. SETPAY_E_NOMEM, errors of the database. */
enum setpay_error setpay_batch_page_read(struct setpay_db *db,
                                         const struct setpay_payment_port *port, int64_t before,
                                         size_t limit, json_t **page) SETPAY_MUST_CHECK;
/* {"batches":[…]} of these names, in the order of the list; *under_way: one of them is being
 * closed. */
enum setpay_error setpay_batch_named_read(struct setpay_db *db,
                                          const struct setpay_payment_port *port,
                                          const struct setpay_id *names, size_t name_count,
                                          json_t **json, bool *under_way) SETPAY_MUST_CHECK;

#endif
