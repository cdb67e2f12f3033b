/*
 * How an agreement to more than one payment stands, one row for a purchase whose terms go on: from
 * its first approval until nothing can follow, and after.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_AGREEMENT_STORE_H
#define SETPAY_MERCHANT_PAYMENT_AGREEMENT_STORE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "merchant/store/payment_port.h"

#include <stdbool.h>
#include <stdint.h>

/* SQL for the migration that brings agreements. */
#define SETPAY_MERCHANT_AGREEMENT_SCHEMA                                                           \
    "CREATE TABLE agreement ("                                                                     \
    " purchase_id INTEGER PRIMARY KEY, auth_token BLOB, schedule INTEGER NOT NULL,"                \
    " taken_count INTEGER NOT NULL, last_ms INTEGER NOT NULL, retry_ms INTEGER NOT NULL,"          \
    " ended INTEGER NOT NULL, ended_ms INTEGER NOT NULL, cancellation BLOB,"                       \
    " cancellation_signature BLOB, confirmed INTEGER NOT NULL, created_ms INTEGER NOT NULL);"

struct setpay_merchant_agreement {
    int64_t purchase_id; /* 0: there is none */
    bool has_auth_token;
    struct setpay_id auth_token;
    enum setpay_agreement_schedule schedule;
    uint32_t taken_count;    /* approvals, also if reversed since */
    setpay_time_ms last_ms;  /* of the newest, by the gateway's clock */
    setpay_time_ms retry_ms; /* not before, after a refusal; 0: none */
    enum setpay_agreement_end ended;
    setpay_time_ms ended_ms;
    struct setpay_signed_cancellation cancellation; /* size 0: none */
    bool confirmed;                                 /* the gateway's receipt of it is kept */
    setpay_time_ms created_ms;
};

/* SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_merchant_agreement_find(struct setpay_db *db, int64_t purchase_id,
                               struct setpay_merchant_agreement *agreement) SETPAY_MUST_CHECK;
/* The same, zeroed memory where there is none. */
enum setpay_error
setpay_merchant_agreement_read(struct setpay_db *db, int64_t purchase_id,
                               struct setpay_merchant_agreement *agreement) SETPAY_MUST_CHECK;
enum setpay_error setpay_merchant_agreement_insert(
    struct setpay_db *db, const struct setpay_merchant_agreement *agreement) SETPAY_MUST_CHECK;
/* Writes what may change; the purchase's version, which the same operation checks, stands for its
 * own. */
enum setpay_error setpay_merchant_agreement_update(
    struct setpay_db *db, const struct setpay_merchant_agreement *agreement) SETPAY_MUST_CHECK;

#endif
