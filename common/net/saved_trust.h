/*
 * CA certificates and revocation lists in a daemon's database, so that what was fetched, or came
 * beside a message, is there after a restart. What is kept proves itself again under the root when
 * it is loaded.
 */
#ifndef SETPAY_NET_SAVED_TRUST_H
#define SETPAY_NET_SAVED_TRUST_H

#include "common/base/error.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/pki/chain.h"
#include "common/store/db.h"
#include "common/store/store.h"

/* The table; part of the daemon's schema. */
#define SETPAY_SAVED_TRUST_SCHEMA                                                                  \
    "CREATE TABLE trust ("                                                                         \
    " thumbprint BLOB PRIMARY KEY, is_crl INTEGER NOT NULL, der BLOB NOT NULL);"

/* Who saves, on the executor's thread. */
struct setpay_saved_trust {
    struct setpay_store *store;
    struct setpay_trust *trust;
    struct setpay_executor *executor;
    struct setpay_digest saved; /* over what was submitted last; zeros: nothing yet */
};

/* Stores all that is held, where it is not what was stored last. Errors are logged; the next call
 * tries again. */
void setpay_saved_trust_save(struct setpay_saved_trust *saved);

/* Learns what was saved; what does not hold any more (a list that is past its time) is passed over.
 */
enum setpay_error setpay_saved_trust_read(struct setpay_db *db, struct setpay_trust *trust,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The same with a reader of its own: for the start. */
enum setpay_error setpay_saved_trust_load(struct setpay_store *store, struct setpay_trust *trust,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
