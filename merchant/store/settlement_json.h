/*
 * Settlements for those outside.
 */
#ifndef SETPAY_MERCHANT_STORE_SETTLEMENT_JSON_H
#define SETPAY_MERCHANT_STORE_SETTLEMENT_JSON_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/settlement_view.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_SETTLEMENT_LIST_DEFAULT 20
#define SETPAY_SETTLEMENT_LIST_MAX 100
/* So many differences stand with a settlement itself. */
#define SETPAY_SETTLEMENT_SHOWN 100

/* New objects, or NULL. */
json_t *setpay_settlement_view_json(const struct setpay_settlement_view *settlement);
json_t *setpay_settlement_row_json(const struct setpay_settlement_row_view *row);

/* A cursor of these pages as clients have it, back to a number. SETPAY_E_INVALID. */
enum setpay_error setpay_settlement_cursor_parse(const char *cursor,
                                                 int64_t *number) SETPAY_MUST_CHECK;

/*
 * Inside an operation or a read; *page is owned. SETPAY_E_NOMEM, errors of the database.
 */
/* {"settlements":[…],"has_more","next_cursor"}, the youngest day first; before: a cursor's number,
 * or INT64_MAX. */
enum setpay_error setpay_settlement_page_read(struct setpay_db *db,
                                              const struct setpay_payment_port *port,
                                              int64_t before, size_t limit,
                                              json_t **page) SETPAY_MUST_CHECK;
/* One, with its first differences that stand, and those that were accepted. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_settlement_find_read(struct setpay_db *db,
                                              const struct setpay_payment_port *port,
                                              const struct setpay_id *id,
                                              json_t **settlement) SETPAY_MUST_CHECK;
/* {"rows":[…],"has_more","next_cursor"} of one, in the order of its file; after: a cursor's number,
 * or 0. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_settlement_rows_read(struct setpay_db *db,
                                              const struct setpay_payment_port *port,
                                              const struct setpay_id *id, int64_t after,
                                              size_t limit, json_t **page) SETPAY_MUST_CHECK;

struct setpay_settlement_differences {
    const char *cursor; /* NULL: from the first on */
    size_t limit;
    setpay_time_ms closed_before_ms; /* what is of younger batches is not missed yet, */
    setpay_time_ms closed_since_ms;  /* and of older ones never; 0: of none is it so */
};
/* {"differences":[…],"has_more","next_cursor"}: of all settlements the rows with a difference that
 * stands, and behind these what no settlement has brought. SETPAY_E_INVALID for another cursor than
 * one of these pages. */
enum setpay_error
setpay_settlement_differences_read(struct setpay_db *db, const struct setpay_payment_port *port,
                                   const struct setpay_settlement_differences *wanted,
                                   json_t **page) SETPAY_MUST_CHECK;

#endif
