/*
 * The keys of a party with their certificates, as its threads use them.
 *
 * A *keyring* holds, for each brand and use, the pair in use and those before it that may still be
 * needed (common/net/party.h). It never changes once it is in use: a renewal or a reload makes a
 * new one beside it, which takes its place in struct setpay_keys by one exchange of a pointer. Who
 * works with keys takes a reference to the whole ring, works without any lock, and gives it back;
 * so a request under way ends with the keys with which it began, and a key that was dropped is
 * freed, and cleansed, when the last one that used it has ended.
 */
#ifndef SETPAY_NET_KEYRING_H
#define SETPAY_NET_KEYRING_H

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/crypto/envelope.h"
#include "common/net/identity.h"
#include "common/net/party.h"
#include "common/pki/chain.h"

#include <stdbool.h>
#include <stddef.h>

/* Pairs in one ring, and how many of them may be earlier ones of one use. */
#define SETPAY_LIMIT_KEYRING 256
#define SETPAY_LIMIT_KEYRING_EARLIER 12

/* One pair. */
struct setpay_held {
    enum setpay_profile profile;
    char brand[SETPAY_BRAND_MAX + 1]; /* "": of the configuration's top */
    bool in_use;                      /* else an earlier one */
    struct setpay_identity identity;
    struct setpay_envelope_key *envelope_key; /* where it is for envelopes */
};

struct setpay_keyring;

/* An empty ring, with one reference. SETPAY_E_NOMEM. */
enum setpay_error setpay_keyring_new(struct setpay_keyring **ring) SETPAY_MUST_CHECK;
/* Adds a pair; only while nobody else has the ring. Takes what is in *identity, also on an error.
 * brand NULL: of the top. SETPAY_E_TOO_BIG, SETPAY_E_INVALID. */
enum setpay_error setpay_keyring_add(struct setpay_keyring *ring, enum setpay_profile profile,
                                     const char *brand, bool in_use,
                                     struct setpay_identity *identity) SETPAY_MUST_CHECK;
struct setpay_keyring *setpay_keyring_ref(struct setpay_keyring *ring);
void setpay_keyring_unref(struct setpay_keyring *ring); /* NULL-safe */

/* The pair in use; NULL where there is none. brand NULL: of the top. */
const struct setpay_held *setpay_keyring_in_use(const struct setpay_keyring *ring,
                                                enum setpay_profile profile, const char *brand);
/* The pair of that thumbprint, in use or earlier; NULL where it is not held. */
const struct setpay_held *setpay_keyring_find(const struct setpay_keyring *ring,
                                              enum setpay_profile profile, const char *brand,
                                              const struct setpay_digest *thumbprint);
/* All of it, by index; NULL behind the last. */
const struct setpay_held *setpay_keyring_at(const struct setpay_keyring *ring, size_t index);

/* Shorthands for a held pair. */
const struct setpay_digest *setpay_held_thumbprint(const struct setpay_held *held);

/* ------------------------------------------------------------------ where the ring in use is */

struct setpay_keys;

enum setpay_error setpay_keys_new(struct setpay_keys **keys) SETPAY_MUST_CHECK;
void setpay_keys_free(struct setpay_keys *keys); /* NULL-safe */
/* Any thread: a reference to the ring in use; NULL before the first put. */
struct setpay_keyring *setpay_keys_take(struct setpay_keys *keys);
/* Any thread: puts a ring in the place of the one in use. Takes the reference. */
void setpay_keys_put(struct setpay_keys *keys, struct setpay_keyring *ring);

/* ------------------------------------------------------------------ from files */

struct setpay_keyring_wish {
    const struct setpay_party *party;
    const struct setpay_config *config;
    struct setpay_trust *trust;
    setpay_time_ms now_ms;
    int64_t keep_ms; /* how long an earlier key is kept for instructions */
    /* Revocation lists that are missing or stale are not held against our own certificates: they
     * are on their way. What a list that is held names is refused all the same. */
    bool unlisted;
};

/* Ends exchanges of files that were cut off, and loads and verifies (rule A3) all pairs: those in
 * use must be good, and of the party that the configuration names; of the earlier ones those that
 * are. Words of every refusal go to problem; nothing is half loaded. */
enum setpay_error setpay_keyring_load(const struct setpay_keyring_wish *wish,
                                      struct setpay_keyring **ring,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Destroys the files of earlier pairs whose time is over; *destroyed: how many. What can't be
 * destroyed is logged, and tried again the next time. */
void setpay_keyring_sweep(const struct setpay_keyring_wish *wish, size_t *destroyed);
/* Has the pairs that were in use in former, and are not in next, kept as earlier ones from now on.
 */
enum setpay_error setpay_keyring_keep(const struct setpay_keyring_wish *wish,
                                      const struct setpay_keyring *former,
                                      const struct setpay_keyring *next,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
