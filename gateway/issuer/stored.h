/*
 * Cards that merchants keep for later payments, as the simulated issuer knows of them: a payment
 * that a merchant has begun is taken only where its cardholder has begun one like it before.
 */
#ifndef SETPAY_GATEWAY_ISSUER_STORED_H
#define SETPAY_GATEWAY_ISSUER_STORED_H

#include "common/base/error.h"
#include "common/store/db.h"
#include "gateway/network/iso8583.h"

#include <stdbool.h>

#define SETPAY_STORED_SCHEMA                                                                       \
    "CREATE TABLE stored_card ("                                                                   \
    " account TEXT NOT NULL, rrn TEXT NOT NULL, acceptor TEXT NOT NULL, agreed TEXT NOT NULL,"     \
    " PRIMARY KEY (account, rrn, acceptor));"

/* Elements 43 and 44 of field 48. */
struct setpay_issuer_stored {
    char agreed[2]; /* "S", "I", "R"; "": nothing is kept */
    bool by_merchant;
    char first[13]; /* where the merchant has begun it: field 37 of the cardholder's */
};

/* SETPAY_E_FIELD where a value has no meaning, the two don't go together, or field 22 or 25 says
 * something else. */
enum setpay_error setpay_issuer_read_stored(const struct setpay_iso_message *request,
                                            struct setpay_issuer_stored *stored) SETPAY_MUST_CHECK;
/* Whether this account's holder has begun, at this acceptor, what the merchant now goes on with. */
enum setpay_error setpay_issuer_stored_is_known(struct setpay_db *db, const char *account,
                                                const char *acceptor,
                                                const struct setpay_issuer_stored *stored,
                                                bool *known) SETPAY_MUST_CHECK;
/* An approved one that the cardholder has begun, of that field 37. */
enum setpay_error
setpay_issuer_stored_begin(struct setpay_db *db, const char *account, const char *acceptor,
                           const char *rrn,
                           const struct setpay_issuer_stored *stored) SETPAY_MUST_CHECK;

#endif
