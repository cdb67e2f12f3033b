/*
 * The leaves that were verified lately, by thumbprint: bounded, and safe for any number of threads.
 * Only the trust store works with it.
 */
#ifndef SETPAY_PKI_CACHE_H
#define SETPAY_PKI_CACHE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/pki/certificate.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a verdict holds: while now lies in [from, until) and no CRL has come since. */
struct setpay_verdict {
    uint64_t generation;
    setpay_time_ms from_ms;
    setpay_time_ms until_ms;
};

struct setpay_cache;

enum setpay_error setpay_cache_new(struct setpay_cache **cache) SETPAY_MUST_CHECK;
void setpay_cache_free(struct setpay_cache *cache);
/* A reference for the caller, and the verdict as it was kept, or NULL. */
struct setpay_certificate *setpay_cache_find(struct setpay_cache *cache,
                                             const struct setpay_digest *thumbprint,
                                             struct setpay_verdict *verdict);
/* Keeps the certificate (a reference of its own) with that verdict; another one may have to go. */
void setpay_cache_keep(struct setpay_cache *cache, struct setpay_certificate *certificate,
                       const struct setpay_verdict *verdict);
/* Thumbprints of the leaves that are no cardholder's; returns how many were written. */
size_t setpay_cache_thumbs(struct setpay_cache *cache, struct setpay_digest *thumbs, size_t room);

#endif
