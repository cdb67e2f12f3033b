/*
 * What the gateway's workers share: who it is for each brand, and where its things are. Filled at
 * the start, read-only while workers run, but for the ring of its keys and the limits of standing
 * in: these are others after a renewal or a reload. Each request works with the ring that it has
 * taken, and decides by the limits of that moment.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_GATEWAY_H
#define SETPAY_GATEWAY_PAYMENT_GATEWAY_H

#include "common/base/clock.h"
#include "common/net/keyring.h"
#include "common/pki/chain.h"
#include "common/store/store.h"
#include "common/wire/messages.h"
#include "gateway/clearing/fees.h"
#include "gateway/network/network.h"
#include "gateway/network/prefixes.h"
#include "gateway/payment/stand_in.h"
#include "gateway/payment/vault.h"

#include <stddef.h>

#define SETPAY_GATEWAY_BRANDS_MAX 16

struct setpay_gateway_brand {
    char name[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_prefixes prefixes; /* of its PANs */
};

struct setpay_gateway {
    char id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_gateway_brand brands[SETPAY_GATEWAY_BRANDS_MAX];
    size_t brand_count;
    struct setpay_keys *keys;
    struct setpay_trust *trust;
    struct setpay_store *store;
    struct setpay_vault *vault;
    struct setpay_network *network;
    struct setpay_fees fees;
    struct setpay_stand_ins *stand_ins; /* what may be approved in the stead of issuers */
    int64_t hold_ms;                    /* how long an authorisation is good */
    int64_t keep_card_ms;               /* how long PAN and back key are kept */
    int64_t agreement_ms;               /* how far ahead the end of an agreement may lie */
    int64_t answer_wait_ms;     /* how long a repeat waits for the request that is under way */
    setpay_time_ms restored_ms; /* rule G12: what came before may be forgotten; 0: nothing is */
};

/* NULL where this gateway does not serve the brand. */
const struct setpay_gateway_brand *setpay_gateway_find_brand(const struct setpay_gateway *gateway,
                                                             const char *name);

/* Rule G5: 12 to 19 digits, Luhn, and one of the brand's. SETPAY_E_ACCOUNT. */
enum setpay_error setpay_pan_check(const struct setpay_secret *pan,
                                   const struct setpay_prefixes *prefixes) SETPAY_MUST_CHECK;

#endif
