/*
 * What others have signed towards this party, kept for a stranger to check: the exact bytes of
 * their messages with the certificates that the signatures verify under. What travels beside a
 * message, an envelope above all, is not kept (rules M7, G10).
 *
 * Rows belong to something of the party's own, an owner: the number of a purchase or a payment.
 */
#ifndef SETPAY_STORE_EVIDENCE_H
#define SETPAY_STORE_EVIDENCE_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/pki/certificate.h"
#include "common/store/db.h"
#include "common/wire/signed.h"

#include <stdint.h>

/* SQL for one migration of a daemon that keeps evidence. */
#define SETPAY_EVIDENCE_SCHEMA                                                                     \
    "CREATE TABLE evidence ("                                                                      \
    " owner INTEGER NOT NULL, number INTEGER NOT NULL, type TEXT NOT NULL,"                        \
    " content BLOB NOT NULL, signature BLOB NOT NULL, signer BLOB NOT NULL,"                       \
    " created_ms INTEGER NOT NULL, PRIMARY KEY (owner, number));"                                  \
    "CREATE TABLE evidence_certificate (thumbprint BLOB PRIMARY KEY, der BLOB NOT NULL);"

/* Keeps a message in the operation that books what follows from it. certificate: the signer's, or
 * for a PReq the cardholder's; once for all messages under it. Errors of the database. */
enum setpay_error setpay_evidence_keep(struct setpay_db *db, int64_t owner,
                                       const struct setpay_message *message,
                                       const struct setpay_certificate *certificate,
                                       setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Keeps a certificate that a kept message names, beside its signer's. */
enum setpay_error
setpay_evidence_keep_certificate(struct setpay_db *db,
                                 const struct setpay_certificate *certificate) SETPAY_MUST_CHECK;

/* One kept message; the views are borrowed for the call. */
struct setpay_evidence {
    const char *type; /* the message's name */
    struct setpay_view content;
    struct setpay_view signature;   /* empty: PReq, whose signature stands in the content */
    struct setpay_view certificate; /* DER */
    struct setpay_digest signer;    /* its thumbprint */
    setpay_time_ms created_ms;
};

typedef enum setpay_error setpay_evidence_each_fn(void *arg,
                                                  const struct setpay_evidence *evidence);
/* In the order in which they were kept. Errors of the database, or each's. */
enum setpay_error setpay_evidence_each(struct setpay_db *db, int64_t owner,
                                       setpay_evidence_each_fn *each, void *arg) SETPAY_MUST_CHECK;
/* *der (replaced) is a kept certificate. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_evidence_certificate(struct setpay_db *db,
                                              const struct setpay_digest *thumbprint,
                                              struct setpay_buffer *der) SETPAY_MUST_CHECK;

#endif
