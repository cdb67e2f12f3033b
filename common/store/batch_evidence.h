/*
 * What the other side has signed when a batch was closed, kept for a stranger to check as the
 * evidence of purchases is (evidence.h): a gateway keeps the merchant's requests with their totals,
 * a merchant the gateway's answers. Certificates stand in the one table of all evidence.
 */
#ifndef SETPAY_STORE_BATCH_EVIDENCE_H
#define SETPAY_STORE_BATCH_EVIDENCE_H

#include "common/store/evidence.h"

#include <stdbool.h>

/* SQL for one migration of a daemon that keeps evidence (SETPAY_EVIDENCE_SCHEMA) and batches. */
#define SETPAY_BATCH_EVIDENCE_SCHEMA                                                               \
    "CREATE TABLE batch_evidence ("                                                                \
    " batch_id INTEGER NOT NULL, number INTEGER NOT NULL, agreed INTEGER NOT NULL,"                \
    " type TEXT NOT NULL, content BLOB NOT NULL, signature BLOB NOT NULL,"                         \
    " signer BLOB NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (batch_id, number));"

/* Keeps a message in the operation that books what follows from it. batch_id: of the party's own
 * row. agreed: both sides counted the same, and it is closed by it; else they differed. Errors of
 * the database. */
enum setpay_error setpay_batch_evidence_keep(struct setpay_db *db, int64_t batch_id, bool agreed,
                                             const struct setpay_message *message,
                                             const struct setpay_certificate *certificate,
                                             setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* How many are kept of one kind. */
enum setpay_error setpay_batch_evidence_count(struct setpay_db *db, int64_t batch_id, bool agreed,
                                              int64_t *count) SETPAY_MUST_CHECK;

struct setpay_batch_evidence {
    int64_t number; /* from 1, in the order in which they were kept */
    bool agreed;
    struct setpay_evidence message; /* its views are borrowed for the call */
};

typedef enum setpay_error
setpay_batch_evidence_each_fn(void *arg, const struct setpay_batch_evidence *evidence);
/* Up to room of them, in order, behind the number after (0: from the first). Errors of the
 * database, or each's. */
enum setpay_error setpay_batch_evidence_each(struct setpay_db *db, int64_t batch_id, int64_t after,
                                             int64_t room, setpay_batch_evidence_each_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

#endif
