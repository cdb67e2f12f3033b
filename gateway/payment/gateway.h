/*
 * What the gateway's workers share: who it is for each brand, and where its things are. Filled at
 * the start, read-only while workers run.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_GATEWAY_H
#define SETPAY_GATEWAY_PAYMENT_GATEWAY_H

#include "common/base/clock.h"
#include "common/crypto/envelope.h"
#include "common/net/identity.h"
#include "common/pki/chain.h"
#include "common/store/store.h"
#include "common/wire/messages.h"
#include "gateway/network/network.h"
#include "gateway/payment/vault.h"

#include <stddef.h>

#define SETPAY_GATEWAY_BRANDS_MAX 16
#define SETPAY_GATEWAY_PREFIXES_MAX 32

/* PANs that begin with a number from first to last, both of that many digits. */
struct setpay_pan_range {
    uint32_t first;
    uint32_t last;
    unsigned digits; /* 1 .. 8 */
};

struct setpay_gateway_brand {
    char name[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_identity sign;
    struct setpay_identity encrypt;
    struct setpay_identity tls;
    struct setpay_envelope_key *envelope_key;
    struct setpay_pan_range ranges[SETPAY_GATEWAY_PREFIXES_MAX];
    size_t range_count;
};

struct setpay_gateway {
    char id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_gateway_brand brands[SETPAY_GATEWAY_BRANDS_MAX];
    size_t brand_count;
    struct setpay_trust *trust;
    struct setpay_store *store;
    struct setpay_vault *vault;
    struct setpay_network *network;
    int64_t hold_ms;        /* how long an authorisation is good */
    int64_t keep_card_ms;   /* how long PAN and back key are kept */
    int64_t answer_wait_ms; /* how long a repeat waits for the request that is under way */
};

/* NULL where this gateway does not serve the brand. */
const struct setpay_gateway_brand *setpay_gateway_find_brand(const struct setpay_gateway *gateway,
                                                             const char *name);

/* "4" or "51-55,2221-2720" into ranges. SETPAY_E_CONFIG with words. */
enum setpay_error setpay_pan_ranges_parse(const char *text, struct setpay_pan_range *ranges,
                                          size_t room, size_t *count,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Rule G5: 12 to 19 digits, Luhn, and inside one of the ranges. SETPAY_E_ACCOUNT. */
enum setpay_error setpay_pan_check(const struct setpay_secret *pan,
                                   const struct setpay_pan_range *ranges,
                                   size_t count) SETPAY_MUST_CHECK;

#endif
