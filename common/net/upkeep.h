/*
 * What keeps a merchant's or a gateway's keys, certificates and revocation lists current, on a
 * thread of its own: payments never wait for it.
 *
 * It renews certificates in time over EST, by those in use (rule C2), and takes the new ones over;
 * takes over what an operator has put in place (SIGHUP); destroys replaced keys whose time is over;
 * fetches revocation lists in time; and saves what is held of CAs and lists, wherever it came from.
 *
 * What always holds: a set of keys is taken over whole or not at all, and what is in use stays in
 * use until then.
 */
#ifndef SETPAY_NET_UPKEEP_H
#define SETPAY_NET_UPKEEP_H

#include "common/base/error.h"
#include "common/net/keyring.h"
#include "common/net/party.h"
#include "common/net/service.h"

#include <stdint.h>

struct setpay_upkeep;

struct setpay_upkeep_options {
    struct setpay_service *service; /* configuration, trust, store */
    const struct setpay_party *party;
    struct setpay_keys *keys; /* where rings are put */
    int64_t keep_ms;          /* how long a replaced key is kept for instructions */
    /* Judges a ring that was loaded, and makes anew what is made of its keys (TLS contexts). Any
     * thread, one at a time. An error: the ring is not taken, and nothing has changed. */
    enum setpay_error (*take_cb)(void *arg, const struct setpay_keyring *ring,
                                 struct setpay_problem *problem);
    void *arg;
};

/* The values of SETPAY_UPKEEP_OPTIONS, without looking at any file. SETPAY_E_CONFIG with words. */
enum setpay_error setpay_upkeep_check(const struct setpay_config *config,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Loads the keys for the first time. SETPAY_E_CONFIG and those of setpay_keyring_load and take_cb,
 * with words. */
enum setpay_error setpay_upkeep_new(const struct setpay_upkeep_options *options,
                                    struct setpay_upkeep **upkeep,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Starts the thread. */
enum setpay_error setpay_upkeep_start(struct setpay_upkeep *upkeep) SETPAY_MUST_CHECK;
/* Any thread: loads the keys again and takes them over. On an error, with words, those in use stay.
 */
enum setpay_error setpay_upkeep_reload(struct setpay_upkeep *upkeep,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Ends the thread; what is under way is cut off, and goes on at the next start. NULL-safe. */
void setpay_upkeep_free(struct setpay_upkeep *upkeep);

#endif
