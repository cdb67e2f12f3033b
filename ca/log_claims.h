/*
 * What the log says of the tables beside it, and whether they say the same.
 */
#ifndef SETPAY_CA_LOG_CLAIMS_H
#define SETPAY_CA_LOG_CLAIMS_H

#include "ca/ca.h"

struct setpay_ca_claims;

enum setpay_error setpay_ca_claims_new(struct setpay_ca_claims **claims) SETPAY_MUST_CHECK;
void setpay_ca_claims_free(struct setpay_ca_claims *claims); /* NULL-safe */

/* Takes in what an entry says: of an authority's lists the newest alone. The entry is proven.
 * SETPAY_E_NOMEM, SETPAY_E_TOO_BIG. */
enum setpay_error setpay_ca_claims_add(struct setpay_ca_claims *claims,
                                       const struct setpay_ca_log_entry *entry) SETPAY_MUST_CHECK;

/* Of the certificates that entries from one number to another tell of: that every column of their
 * rows is what the certificate itself says. SETPAY_E_CA_LOG, with words. */
enum setpay_error setpay_ca_claims_check_part(struct setpay_ca *ca, int64_t from, int64_t to,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* After all entries: that certificates, revocations, authorities and lists are those of which the
 * log tells, none more and none less. SETPAY_E_CA_LOG, with words. */
enum setpay_error setpay_ca_claims_compare(struct setpay_ca_claims *claims, struct setpay_ca *ca,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
