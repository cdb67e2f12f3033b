/*
 * Interchange that comes back with credits.
 *
 * The issuer kept a share of the capture and a fixed part; a credit gives back its share of what
 * was kept, in the proportion of what is credited to what was captured. It is counted over all
 * credits that stand: so the parts add up to what was kept once all is credited, and are never
 * above it before, however many they are, and in whatever order some of them were undone.
 */
#ifndef SETPAY_GATEWAY_CLEARING_GIVEN_BACK_H
#define SETPAY_GATEWAY_CLEARING_GIVEN_BACK_H

#include "common/base/error.h"
#include "gateway/clearing/look.h"

#include <stdint.h>

/* From which step on the rule holds: a credit of before gave back what its own amount would have
 * cost, and is not posted again. */
#define SETPAY_GIVEN_BACK_SCHEMA                                                                   \
    "CREATE TABLE given_back_rule (id INTEGER PRIMARY KEY, last_before INTEGER NOT NULL);"         \
    "INSERT INTO given_back_rule SELECT 1, COALESCE(MAX(id), 0) FROM step;"

/* A capture, and the credits of it that stand. All in minor units of one currency. */
struct setpay_kept_interchange {
    int64_t captured_minor; /* 1 to SETPAY_MONEY_MAX_MINOR */
    int64_t kept_minor;     /* the capture's interchange: 0 to captured_minor */
    int64_t credited_minor; /* 0 to captured_minor */
    int64_t given_minor;    /* what came back with them: 0 to kept_minor, and to credited_minor */
};

/* Pure: what comes back with a credit of credit_minor more, 0 to credit_minor. At most what is
 * left of the capture may be credited. */
int64_t setpay_given_back(const struct setpay_kept_interchange *of, int64_t credit_minor);

/* Each credit, and each reversal of one, computed again from those before it. */
enum setpay_error setpay_given_back_verify(struct setpay_look *look) SETPAY_MUST_CHECK;

#endif
