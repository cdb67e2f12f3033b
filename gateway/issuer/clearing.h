/*
 * The files of setpay-clearing(5), and the statement of an account, out of the books.
 */
#ifndef SETPAY_GATEWAY_ISSUER_CLEARING_H
#define SETPAY_GATEWAY_ISSUER_CLEARING_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/store.h"

#include <jansson.h>

struct setpay_clearing_ask {
    const char *issuer;
    const char *date; /* one day, or NULL: from the first there is to the day of now */
    setpay_time_ms now;
};
/* Appends the clearing file. SETPAY_E_TOO_BIG above out's max. */
enum setpay_error setpay_clearing_write(struct setpay_db *db, const struct setpay_clearing_ask *ask,
                                        struct setpay_buffer *out) SETPAY_MUST_CHECK;
/* Appends the file of disputes. */
enum setpay_error setpay_clearing_write_disputes(struct setpay_db *db,
                                                 const struct setpay_clearing_ask *ask,
                                                 struct setpay_buffer *out) SETPAY_MUST_CHECK;

/* *list: for each account of these last digits and each currency, its entries with the balance
 * after each, and its holds. Owned by the caller. */
enum setpay_error setpay_statement_list(struct setpay_db *db, const char *last4,
                                        json_t **list) SETPAY_MUST_CHECK;

#endif
