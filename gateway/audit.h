/*
 * An audit of the gateway's own books, as its operator's program does it: every signature that was
 * kept is verified again, every sum is added up again. Findings are words that name what is wrong.
 */
#ifndef SETPAY_GATEWAY_AUDIT_H
#define SETPAY_GATEWAY_AUDIT_H

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"
#include "common/pki/role.h"

#include <jansson.h>
#include <stddef.h>

/* Certificates that were believed lately: a merchant's and our own are those of many payments. */
#define SETPAY_AUDIT_BELIEVED 64
struct setpay_audit_believed {
    enum setpay_profile profile;
    char brand[SETPAY_BRAND_MAX + 1];
    struct setpay_certificate *certificate; /* owned; NULL: none */
};

struct setpay_audit {
    const struct setpay_config *config;
    struct setpay_trust *trust;
    setpay_time_ms now_ms;
    json_t *findings; /* words */
    size_t found;
    size_t payments, receipts, steps; /* looked at */
    size_t closed, signed_closes;     /* batches; of those, closed by a request that is kept */
    struct setpay_audit_believed believed[SETPAY_AUDIT_BELIEVED];
    size_t believed_count; /* ever; the oldest make room */
};

/* One finding: "payment 3f…: …". about may be NULL. */
void setpay_audit_find(struct setpay_audit *audit, const char *about, const char *format, ...)
    SETPAY_PRINTF(3, 4);
/* audit_payment.c: one payment as the command audit.payments gives it: every request that merchant
 * and cardholder signed, and the chain of receipts with the steps that they are of. SETPAY_E_NOMEM.
 */
enum setpay_error setpay_audit_payment(struct setpay_audit *audit,
                                       const json_t *payment) SETPAY_MUST_CHECK;
void setpay_audit_forget_believed(struct setpay_audit *audit);
/* audit_batch.c: one batch as the command audit.batches gives it: what its merchant signed to close
 * it, against the totals of the books. SETPAY_E_NOMEM. */
enum setpay_error setpay_audit_batch(struct setpay_audit *audit,
                                     const json_t *batch) SETPAY_MUST_CHECK;

#endif
