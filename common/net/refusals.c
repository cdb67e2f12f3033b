/*
 * Refusals by reason. What an operator acts upon in different ways is a reason of its own; all else
 * is told apart by the kind of its error.
 */
#include "common/net/refusals.h"

#include "common/net/metrics.h"

enum reason { FORM, SIGNATURE, CERTIFICATE, LIST, DATE, EXPIRED, RULE, DECLINED, BUSY, SYSTEM };

static const char *const reasons[] = {"form", "signature", "certificate", "revocation_list",
                                      "date", "expired",   "rule",        "declined",
                                      "busy", "system",    NULL};
static struct setpay_metric refusals_total = {
    .name = "setpay_refusals_total",
    .help = "Requests of other parties that were refused, by reason: form (A1), signature (A2), "
            "certificate and revocation_list (A3: missing or stale here), date (A5: a clock is "
            "off), expired (A5), rule (any other), declined (well-formed, not permitted now), busy "
            "(repeat later), system (disk, memory: ours to mend).",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"reason", reasons}},
};

static enum reason reason_of(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_SIGNATURE:
    case SETPAY_E_UNSIGNED:
        return SIGNATURE;
    case SETPAY_E_CERT_MISSING:
    case SETPAY_E_CERT_MALFORMED:
    case SETPAY_E_CERT_CHAIN:
    case SETPAY_E_CERT_TIME:
    case SETPAY_E_CERT_REVOKED:
    case SETPAY_E_CERT_ROLE:
    case SETPAY_E_CERT_USAGE:
    case SETPAY_E_CERT_NAME:
        return CERTIFICATE;
    case SETPAY_E_CRL_MISSING:
    case SETPAY_E_CRL_STALE:
        return LIST;
    case SETPAY_E_DATE:
        return DATE;
    case SETPAY_E_EXPIRED:
        return EXPIRED;
    default:
        break;
    }
    switch (setpay_error_kind(error)) {
    case SETPAY_KIND_PROTOCOL:
        return FORM;
    case SETPAY_KIND_SECURITY:
        return RULE;
    case SETPAY_KIND_DECLINED:
    case SETPAY_KIND_USAGE:
        return DECLINED;
    case SETPAY_KIND_AGAIN:
    case SETPAY_KIND_BUSY:
        return BUSY;
    case SETPAY_KIND_NONE:
    case SETPAY_KIND_SYSTEM:
        break;
    }
    return SYSTEM;
}

enum setpay_error setpay_refusals_register(void)
{
    return setpay_metric_register(&refusals_total);
}

void setpay_refusals_count(enum setpay_error error)
{
    setpay_metric_add(&refusals_total, reason_of(error), 0, 1);
}

const char *setpay_refusals_reason(enum setpay_error error)
{
    return reasons[reason_of(error)];
}
