/* Kept evidence as JSON, for operators to hand to a stranger: setpay-evidence(5). */
#ifndef SETPAY_NET_EVIDENCE_JSON_H
#define SETPAY_NET_EVIDENCE_JSON_H

#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/evidence.h"

#include <jansson.h>

/* Of the form of evidence and of a wallet's exported receipt. */
#define SETPAY_EVIDENCE_VERSION 1

/* An empty file of that party ("merchant", "gateway"): {"setpay_evidence":1,"party",
 * "xid","pomd","messages":[]}. NULL without memory. */
json_t *setpay_evidence_json_new(const char *party, const struct setpay_id *xid,
                                 const struct setpay_digest *pomd);
/* Adds one message. certificate may be empty. SETPAY_E_NOMEM. */
enum setpay_error setpay_evidence_json_add(json_t *file, const char *type,
                                           struct setpay_view content, struct setpay_view signature,
                                           struct setpay_view certificate) SETPAY_MUST_CHECK;
/* Adds all that is kept of that owner. */
enum setpay_error setpay_evidence_json_add_kept(json_t *file, struct setpay_db *db,
                                                int64_t owner) SETPAY_MUST_CHECK;
/* Sets a member to bytes, in base64. SETPAY_E_NOMEM. */
enum setpay_error setpay_evidence_json_set(json_t *file, const char *member,
                                           struct setpay_view bytes) SETPAY_MUST_CHECK;
/* The words for people: which messages there are, and how to get them. */
void setpay_evidence_print(const json_t *file);

#endif
