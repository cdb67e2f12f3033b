/*
 * Between the files of the books: the authorisation that something is of, and rows of presentments.
 */
#ifndef SETPAY_GATEWAY_ISSUER_PRESENTMENTS_H
#define SETPAY_GATEWAY_ISSUER_PRESENTMENTS_H

#include "common/base/error.h"
#include "common/store/store.h"
#include "gateway/issuer/accounts.h"

#include <stdbool.h>
#include <stdint.h>

/* What was approved, what stays so after reversals, what is held of it, what was charged by it and
 * given back: by credits (and the reversals of a sale), by disputes. */
struct setpay_presentment_of {
    int64_t id; /* 0: there is none */
    bool sale;
    char account[64];
    char currency[4];
    int64_t approved_minor, authorised_minor, held_minor;
    int64_t presented_minor, credited_minor, disputed_minor;
};
/* SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_presentment_find_original(struct setpay_db *db, const struct setpay_account_key *key,
                                 struct setpay_presentment_of *of) SETPAY_MUST_CHECK;

struct setpay_presentment_row {
    const char *acquirer;
    const char *id;
    int64_t authorisation;
    const char *account;
    const char *kind; /* as in setpay-clearing(5) */
    const char *currency;
    int64_t amount_minor;
    const char *result; /* "00": booked */
    setpay_time_ms now;
};
/* Writes the row; where it is booked also its entry, and changes what is held by held_minor. */
enum setpay_error setpay_presentment_book(struct setpay_db *db,
                                          const struct setpay_presentment_row *row,
                                          int64_t held_minor) SETPAY_MUST_CHECK;
/* The id under which a sale was booked. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_presentment_sale_id(struct setpay_db *db, int64_t authorisation,
                                             char id[33]) SETPAY_MUST_CHECK;

#endif
