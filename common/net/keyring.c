/*
 * The ring, and the place where the one in use stands. The lock is over that pointer alone.
 */
#include "common/net/keyring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setpay_keyring {
    atomic_uint references;
    size_t count;
    struct setpay_held *held;
};

enum setpay_error setpay_keyring_new(struct setpay_keyring **ring)
{
    struct setpay_keyring *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    atomic_init(&made->references, 1);
    *ring = made;
    return SETPAY_OK;
}

static enum setpay_error fill(struct setpay_held *held, enum setpay_profile profile,
                              const char *brand, bool in_use)
{
    held->profile = profile;
    held->in_use = in_use;
    if (brand != NULL &&
        snprintf(held->brand, sizeof held->brand, "%s", brand) >= (int)sizeof held->brand)
        return SETPAY_E_INVALID;
    if (profile != SETPAY_PROFILE_GATEWAY_ENCRYPT)
        return SETPAY_OK;
    return setpay_envelope_key_new(held->identity.pkey,
                                   setpay_certificate_x509(held->identity.certificate),
                                   &held->envelope_key);
}

static void clear(struct setpay_held *held)
{
    setpay_envelope_key_free(held->envelope_key);
    setpay_identity_clear(&held->identity);
}

enum setpay_error setpay_keyring_add(struct setpay_keyring *ring, enum setpay_profile profile,
                                     const char *brand, bool in_use,
                                     struct setpay_identity *identity)
{
    struct setpay_held held = {.identity = *identity};
    struct setpay_held *grown = NULL;
    memset(identity, 0, sizeof *identity);
    enum setpay_error error = ring->count == SETPAY_LIMIT_KEYRING ? SETPAY_E_TOO_BIG : SETPAY_OK;
    if (error == SETPAY_OK)
        error = fill(&held, profile, brand, in_use);
    if (error == SETPAY_OK) {
        grown = realloc(ring->held, (ring->count + 1) * sizeof *grown);
        error = grown == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    if (error != SETPAY_OK) {
        clear(&held);
        return error;
    }
    ring->held = grown;
    ring->held[ring->count++] = held;
    return SETPAY_OK;
}

struct setpay_keyring *setpay_keyring_ref(struct setpay_keyring *ring)
{
    atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed);
    return ring;
}

void setpay_keyring_unref(struct setpay_keyring *ring)
{
    if (ring == NULL || atomic_fetch_sub_explicit(&ring->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < ring->count; i++)
        clear(&ring->held[i]);
    free(ring->held);
    free(ring);
}

static bool is_of(const struct setpay_held *held, enum setpay_profile profile, const char *brand)
{
    return held->profile == profile && strcmp(held->brand, brand == NULL ? "" : brand) == 0;
}

const struct setpay_held *setpay_keyring_in_use(const struct setpay_keyring *ring,
                                                enum setpay_profile profile, const char *brand)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->held[i].in_use && is_of(&ring->held[i], profile, brand))
            return &ring->held[i];
    }
    return NULL;
}

const struct setpay_held *setpay_keyring_find(const struct setpay_keyring *ring,
                                              enum setpay_profile profile, const char *brand,
                                              const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (is_of(&ring->held[i], profile, brand) &&
            setpay_digest_equal(setpay_held_thumbprint(&ring->held[i]), thumbprint))
            return &ring->held[i];
    }
    return NULL;
}

const struct setpay_held *setpay_keyring_at(const struct setpay_keyring *ring, size_t index)
{
    return index < ring->count ? &ring->held[index] : NULL;
}

const struct setpay_digest *setpay_held_thumbprint(const struct setpay_held *held)
{
    return setpay_certificate_thumbprint(held->identity.certificate);
}

/* ------------------------------------------------------------------ the one in use */

struct setpay_keys {
    pthread_mutex_t lock;
    struct setpay_keyring *ring;
};

enum setpay_error setpay_keys_new(struct setpay_keys **keys)
{
    struct setpay_keys *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    if (pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    *keys = made;
    return SETPAY_OK;
}

void setpay_keys_free(struct setpay_keys *keys)
{
    if (keys == NULL)
        return;
    setpay_keyring_unref(keys->ring);
    (void)pthread_mutex_destroy(&keys->lock);
    free(keys);
}

struct setpay_keyring *setpay_keys_take(struct setpay_keys *keys)
{
    (void)pthread_mutex_lock(&keys->lock);
    struct setpay_keyring *ring = keys->ring == NULL ? NULL : setpay_keyring_ref(keys->ring);
    (void)pthread_mutex_unlock(&keys->lock);
    return ring;
}

void setpay_keys_put(struct setpay_keys *keys, struct setpay_keyring *ring)
{
    (void)pthread_mutex_lock(&keys->lock);
    struct setpay_keyring *former = keys->ring;
    keys->ring = ring;
    (void)pthread_mutex_unlock(&keys->lock);
    setpay_keyring_unref(former);
}
