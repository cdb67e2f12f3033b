/*
 * What the merchant's workers share: who it is for each brand, where its things are, and which
 * certificates of the gateway are in use. Filled at the start and read-only while workers run, but
 * for the gateway's certificates, which have a lock, the ring of our own keys, which is another one
 * after a renewal, and a few flags.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_MERCHANT_H
#define SETPAY_MERCHANT_PAYMENT_MERCHANT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/limits.h"
#include "common/base/zone.h"
#include "common/net/keyring.h"
#include "common/net/listen.h"
#include "common/net/tls.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"
#include "common/store/store.h"
#include "common/wire/messages.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define SETPAY_MERCHANT_BRANDS_MAX 16

struct setpay_merchant_brand {
    char name[SETPAY_WIRE_BRAND_MAX + 1];
    struct setpay_tls *client_tls; /* to the gateway */
    /* The gateway's current ones (under merchant->lock): NULL until its first PCertRes. */
    struct setpay_certificate *gateway_sign;
    struct setpay_certificate *gateway_encrypt;
    atomic_bool gateway_wanted; /* they are to be asked for again, now */
    atomic_bool gateway_up;     /* a line to the gateway stands */
    /* What the gateway's clock was less this machine's boot clock, by its newest answer or Error;
     * INT64_MIN: not known. For who compares clocks, never for a rule. */
    _Atomic int64_t gateway_since_boot_ms;
};

/* When batches are closed without being asked: each day at so many minutes of the zone's. */
struct setpay_merchant_batch_hour {
    char zone[SETPAY_ZONE_MAX + 1];
    int64_t minutes; /* below 0: only when somebody asks */
};

struct setpay_merchant {
    char id[SETPAY_WIRE_PARTY_MAX + 1];
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    char public_host[SETPAY_WIRE_HOST_MAX + 8]; /* HOST[:PORT] of pay links */
    char host[SETPAY_WIRE_HOST_MAX + 1];        /* of it, without the port */
    char gateway_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_address gateway;
    struct setpay_merchant_brand brands[SETPAY_MERCHANT_BRANDS_MAX];
    size_t brand_count;
    struct setpay_keys *keys;
    struct setpay_tls *server_tls; /* to wallets */
    struct setpay_trust *trust;
    struct setpay_store *store;
    unsigned worker_count;
    int64_t offer_life_ms;
    int64_t drain_wait_ms;   /* and how long it still does once the daemon drains */
    int64_t answer_wait_ms;  /* how long a PReq waits for its outcome */
    int64_t gateway_wait_ms; /* how long one try at the gateway may take */
    int64_t repeat_min_ms;   /* between tries, doubling */
    int64_t repeat_max_ms;
    int64_t refresh_ms; /* between PCertReqs */
    struct setpay_merchant_batch_hour batch_hour;
    pthread_mutex_t lock;  /* over the gateway's certificates */
    atomic_bool erase_due; /* rule M7: an instruction was deleted since the last checkpoint */
};

/* NULL where this merchant does not take the brand. */
struct setpay_merchant_brand *setpay_merchant_find_brand(struct setpay_merchant *merchant,
                                                         const char *name);

/* References to the gateway's two certificates, for the caller. SETPAY_E_BUSY where there are none
 * that are good until until_ms: new ones are then asked for. */
enum setpay_error
setpay_merchant_gateway_get(struct setpay_merchant *merchant, struct setpay_merchant_brand *brand,
                            setpay_time_ms until_ms, struct setpay_certificate **sign,
                            struct setpay_certificate **encrypt) SETPAY_MUST_CHECK;
/* Takes references of its own. */
void setpay_merchant_gateway_set(struct setpay_merchant *merchant,
                                 struct setpay_merchant_brand *brand,
                                 struct setpay_certificate *sign,
                                 struct setpay_certificate *encrypt);
/* True where these are the two that are held. */
bool setpay_merchant_gateway_has(struct setpay_merchant *merchant,
                                 struct setpay_merchant_brand *brand,
                                 const struct setpay_certificate *sign,
                                 const struct setpay_certificate *encrypt);
/* True where both certificates are known, and good at now_ms. */
bool setpay_merchant_gateway_is_known(struct setpay_merchant *merchant,
                                      struct setpay_merchant_brand *brand, setpay_time_ms now_ms);

#endif
