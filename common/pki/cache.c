/*
 * A set-associative table: the first bytes of a thumbprint choose a set, a set has a few places,
 * and of a full set the place that was not used for longest is taken over, a cardholder's before a
 * merchant's or gateway's (of those there are few, and their peers leave them out of messages since
 * they are known here).
 *
 * What always holds: memory is bounded from the start; a lookup takes the lock for reading only.
 */
#include "common/pki/cache.h"

#include "common/base/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS 8
#define SETS (SETPAY_LIMIT_CHAIN_CACHE / WAYS)

struct place {
    struct setpay_certificate *certificate;
    struct setpay_verdict verdict;
    _Atomic uint64_t used; /* counts up with every use of the table */
};

struct setpay_cache {
    pthread_rwlock_t lock;
    _Atomic uint64_t uses;
    struct place places[SETS][WAYS];
};

enum setpay_error setpay_cache_new(struct setpay_cache **cache)
{
    struct setpay_cache *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    if (pthread_rwlock_init(&made->lock, NULL) != 0) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    *cache = made;
    return SETPAY_OK;
}

void setpay_cache_free(struct setpay_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t s = 0; s < SETS; s++) {
        for (size_t w = 0; w < WAYS; w++)
            setpay_certificate_unref(cache->places[s][w].certificate);
    }
    (void)pthread_rwlock_destroy(&cache->lock);
    free(cache);
}

static struct place *set_of(struct setpay_cache *cache, const struct setpay_digest *thumbprint)
{
    return cache->places[setpay_read_u32be(thumbprint->bytes) % SETS];
}

static bool is_of(const struct place *place, const struct setpay_digest *thumbprint)
{
    return place->certificate != NULL &&
           setpay_digest_equal(setpay_certificate_thumbprint(place->certificate), thumbprint);
}

static void touch(struct setpay_cache *cache, struct place *place)
{
    uint64_t now = atomic_fetch_add_explicit(&cache->uses, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&place->used, now, memory_order_relaxed);
}

struct setpay_certificate *setpay_cache_find(struct setpay_cache *cache,
                                             const struct setpay_digest *thumbprint,
                                             struct setpay_verdict *verdict)
{
    struct setpay_certificate *found = NULL;
    struct place *set = set_of(cache, thumbprint);
    (void)pthread_rwlock_rdlock(&cache->lock);
    for (size_t w = 0; w < WAYS && found == NULL; w++) {
        if (is_of(&set[w], thumbprint)) {
            found = setpay_certificate_ref(set[w].certificate);
            *verdict = set[w].verdict;
            touch(cache, &set[w]);
        }
    }
    (void)pthread_rwlock_unlock(&cache->lock);
    return found;
}

static bool is_cardholder(const struct place *place)
{
    return setpay_certificate_profile(place->certificate) == SETPAY_PROFILE_CARDHOLDER_SIGN;
}

/* True where a should be given up rather than b. */
static bool goes_before(const struct place *a, const struct place *b)
{
    if (a->certificate == NULL || b->certificate == NULL)
        return a->certificate == NULL && b->certificate != NULL;
    if (is_cardholder(a) != is_cardholder(b))
        return is_cardholder(a);
    return atomic_load_explicit(&a->used, memory_order_relaxed) <
           atomic_load_explicit(&b->used, memory_order_relaxed);
}

void setpay_cache_keep(struct setpay_cache *cache, struct setpay_certificate *certificate,
                       const struct setpay_verdict *verdict)
{
    const struct setpay_digest *thumbprint = setpay_certificate_thumbprint(certificate);
    struct place *set = set_of(cache, thumbprint);
    struct place *chosen = &set[0];
    (void)pthread_rwlock_wrlock(&cache->lock);
    for (size_t w = 0; w < WAYS; w++) {
        if (is_of(&set[w], thumbprint)) {
            chosen = &set[w];
            break;
        }
        if (goes_before(&set[w], chosen))
            chosen = &set[w];
    }
    struct setpay_certificate *old = chosen->certificate;
    chosen->certificate = setpay_certificate_ref(certificate);
    chosen->verdict = *verdict;
    touch(cache, chosen);
    (void)pthread_rwlock_unlock(&cache->lock);
    setpay_certificate_unref(old);
}

size_t setpay_cache_thumbs(struct setpay_cache *cache, struct setpay_digest *thumbs, size_t room)
{
    size_t count = 0;
    (void)pthread_rwlock_rdlock(&cache->lock);
    for (size_t s = 0; s < SETS; s++) {
        for (size_t w = 0; w < WAYS && count < room; w++) {
            const struct place *place = &cache->places[s][w];
            if (place->certificate != NULL && !is_cardholder(place))
                thumbs[count++] = *setpay_certificate_thumbprint(place->certificate);
        }
    }
    (void)pthread_rwlock_unlock(&cache->lock);
    return count;
}
