/*
 * The trust store: which chains are believed (rule A3).
 *
 * Vocabulary. A *snapshot* is all that verification needs at one moment: the known CA certificates,
 * the newest CRL of each, and OpenSSL's X509_STORE made of them. It never changes; a new CA or CRL
 * makes a new snapshot that takes the old one's place. Readers take a reference and then work
 * without any lock. The *generation* counts the CRLs that came: a verdict of an older generation is
 * worth nothing, and its leaf is verified anew.
 *
 * What always holds: OpenSSL builds and checks the chain (signatures, validity, path lengths, name
 * constraints, CRLs of every CA in it), strictly; then this file checks what OpenSSL can't know:
 * that the chain is leaf, issuing CA of the leaf's kind, brand CA, our root, and all of one brand.
 */
#include "common/pki/chain.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/pki/cache.h"
#include "common/pki/crl.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_LENGTH 4 /* leaf, issuing CA, brand CA, root */

struct known_ca {
    struct setpay_certificate *certificate;
    struct setpay_crl *crl; /* NULL until one came */
};

struct snapshot {
    atomic_uint references;
    uint64_t generation;
    size_t count;
    struct known_ca cas[SETPAY_LIMIT_TRUST_CAS]; /* the root is the first */
    X509_STORE *store;                           /* the root and all CRLs */
    STACK_OF(X509) * intermediates;              /* the other CAs; borrowed certificates */
};

struct setpay_trust {
    struct setpay_certificate *root;
    struct setpay_cache *cache;
    pthread_rwlock_t lock;  /* over the pointer to the current snapshot */
    pthread_mutex_t change; /* one change at a time */
    struct snapshot *current;
    _Atomic uint64_t cache_hits, verifications, refusals;
};

/* ------------------------------------------------------------------ snapshots */

static void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot == NULL ||
        atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < snapshot->count; i++) {
        setpay_certificate_unref(snapshot->cas[i].certificate);
        setpay_crl_unref(snapshot->cas[i].crl);
    }
    X509_STORE_free(snapshot->store);
    sk_X509_free(snapshot->intermediates);
    free(snapshot);
}

static struct snapshot *snapshot_take(struct setpay_trust *trust)
{
    (void)pthread_rwlock_rdlock(&trust->lock);
    struct snapshot *snapshot = trust->current;
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    (void)pthread_rwlock_unlock(&trust->lock);
    return snapshot;
}

/* A copy of from (NULL: empty) that can still be changed, until snapshot_install. */
static struct snapshot *snapshot_copy(const struct snapshot *from)
{
    struct snapshot *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return NULL;
    atomic_init(&made->references, 1);
    if (from == NULL)
        return made;
    made->generation = from->generation;
    made->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        made->cas[i].certificate = setpay_certificate_ref(from->cas[i].certificate);
        if (from->cas[i].crl != NULL)
            made->cas[i].crl = setpay_crl_ref(from->cas[i].crl);
    }
    return made;
}

/* Makes OpenSSL's side of the snapshot and puts it in the place of the current one. Takes it. */
static enum setpay_error snapshot_install(struct setpay_trust *trust, struct snapshot *made)
{
    bool complete = false;
    made->store = X509_STORE_new();
    made->intermediates = sk_X509_new_null();
    if (made->store == NULL || made->intermediates == NULL)
        goto out;
    for (size_t i = 0; i < made->count; i++) {
        X509 *x509 = setpay_certificate_x509(made->cas[i].certificate);
        if (i == 0 ? X509_STORE_add_cert(made->store, x509) != 1
                   : sk_X509_push(made->intermediates, x509) <= 0)
            goto out;
        if (made->cas[i].crl != NULL &&
            X509_STORE_add_crl(made->store, made->cas[i].crl->list) != 1)
            goto out;
    }
    complete = true;
out:
    if (!complete) {
        ERR_clear_error();
        snapshot_unref(made);
        return SETPAY_E_NOMEM;
    }
    (void)pthread_rwlock_wrlock(&trust->lock);
    struct snapshot *old = trust->current;
    trust->current = made;
    (void)pthread_rwlock_unlock(&trust->lock);
    snapshot_unref(old);
    return SETPAY_OK;
}

static const struct known_ca *find_ca(const struct snapshot *snapshot,
                                      const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (setpay_digest_equal(setpay_certificate_thumbprint(snapshot->cas[i].certificate),
                                thumbprint))
            return &snapshot->cas[i];
    }
    return NULL;
}

/* The known CA that issued x509, by name and key id. SETPAY_E_CERT_MISSING where none has the name,
 * SETPAY_E_CERT_CHAIN where one has it but another key. */
static enum setpay_error find_issuer(const struct snapshot *snapshot, X509 *x509,
                                     const struct known_ca **issuer)
{
    enum setpay_error error = SETPAY_E_CERT_MISSING;
    for (size_t i = 0; i < snapshot->count; i++) {
        X509 *candidate = setpay_certificate_x509(snapshot->cas[i].certificate);
        if (X509_NAME_cmp(X509_get_subject_name(candidate), X509_get_issuer_name(x509)) != 0)
            continue;
        if (X509_check_issued(candidate, x509) == X509_V_OK) {
            *issuer = &snapshot->cas[i];
            return SETPAY_OK;
        }
        error = SETPAY_E_CERT_CHAIN;
    }
    return error;
}

/* ------------------------------------------------------------------ CAs and CRLs */

enum setpay_error setpay_trust_new(struct setpay_view root_der, struct setpay_trust **trust)
{
    struct setpay_trust *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    if (pthread_rwlock_init(&made->lock, NULL) != 0) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    if (pthread_mutex_init(&made->change, NULL) != 0) {
        (void)pthread_rwlock_destroy(&made->lock);
        free(made);
        return SETPAY_E_NOMEM;
    }
    struct snapshot *first = NULL;
    X509 *x509;
    enum setpay_error error = setpay_certificate_parse(root_der, &made->root);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_CERT_ROLE;
    if (setpay_certificate_ca_kind(made->root) != SETPAY_CA_ROOT)
        goto out;
    error = SETPAY_E_CERT_CHAIN;
    x509 = setpay_certificate_x509(made->root);
    if (X509_self_signed(x509, 1) != 1)
        goto out;
    error = setpay_cache_new(&made->cache);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_NOMEM;
    first = snapshot_copy(NULL);
    if (first == NULL)
        goto out;
    first->cas[0].certificate = setpay_certificate_ref(made->root);
    first->count = 1;
    error = snapshot_install(made, first);
    if (error != SETPAY_OK)
        goto out;
    *trust = made;
    made = NULL;
out:
    setpay_trust_free(made);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

void setpay_trust_free(struct setpay_trust *trust)
{
    if (trust == NULL)
        return;
    snapshot_unref(trust->current);
    setpay_cache_free(trust->cache);
    setpay_certificate_unref(trust->root);
    (void)pthread_rwlock_destroy(&trust->lock);
    (void)pthread_mutex_destroy(&trust->change);
    free(trust);
}

/* rule A3: a CA's place under its issuer, its brand, and the issuer's signature */
static enum setpay_error check_ca(const struct snapshot *snapshot,
                                  const struct setpay_certificate *ca)
{
    const struct known_ca *issuer = NULL;
    const struct setpay_ca_info *info = setpay_ca_info(setpay_certificate_ca_kind(ca));
    X509 *x509 = setpay_certificate_x509(ca);
    if (info == NULL) /* a leaf */
        return SETPAY_E_CERT_ROLE;
    SETPAY_TRY(find_issuer(snapshot, x509, &issuer));
    const struct setpay_certificate *above = issuer->certificate;
    if (info->kind == SETPAY_CA_ROOT || setpay_certificate_ca_kind(above) != info->issuer)
        return SETPAY_E_CERT_CHAIN;
    if (info->kind != SETPAY_CA_BRAND &&
        strcmp(setpay_certificate_brand(above), setpay_certificate_brand(ca)) != 0)
        return SETPAY_E_CERT_NAME;
    if (X509_verify(x509, setpay_public_key_pkey(setpay_certificate_key(above))) != 1) {
        ERR_clear_error();
        return SETPAY_E_CERT_CHAIN;
    }
    return SETPAY_OK;
}

/* With the lock on changes held. Sets *added where it was not known before. */
static enum setpay_error add_ca(struct setpay_trust *trust, struct setpay_view der, bool *added)
{
    struct setpay_certificate *ca = NULL;
    struct snapshot *next = NULL;
    struct setpay_digest thumbprint;
    SETPAY_TRY(setpay_sha256(der, &thumbprint));
    if (find_ca(trust->current, &thumbprint) != NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_certificate_parse(der, &ca));
    enum setpay_error error = check_ca(trust->current, ca);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_TOO_BIG;
    if (trust->current->count == SETPAY_LIMIT_TRUST_CAS)
        goto out;
    error = SETPAY_E_NOMEM;
    next = snapshot_copy(trust->current);
    if (next == NULL)
        goto out;
    next->cas[next->count++].certificate = ca;
    ca = NULL;
    error = snapshot_install(trust, next);
    *added = error == SETPAY_OK;
out:
    setpay_certificate_unref(ca);
    return error;
}

enum setpay_error setpay_trust_add_ca(struct setpay_trust *trust, struct setpay_view der)
{
    bool added = false;
    (void)pthread_mutex_lock(&trust->change);
    enum setpay_error error = add_ca(trust, der, &added);
    (void)pthread_mutex_unlock(&trust->change);
    return error;
}

/* Compares with the list that is held (rule A3: a number never goes back). SETPAY_E_EXISTS: the
 * very same one. */
static enum setpay_error check_newer(const struct setpay_crl *held, const struct setpay_crl *crl)
{
    if (held == NULL || crl->info.number > held->info.number)
        return SETPAY_OK;
    if (setpay_digest_equal(&crl->info.thumbprint, &held->info.thumbprint))
        return SETPAY_E_EXISTS;
    return SETPAY_E_CRL_OLDER;
}

/* With the lock on changes held. */
static enum setpay_error add_crl(struct setpay_trust *trust, struct setpay_view der,
                                 setpay_time_ms now_ms, bool *added)
{
    struct setpay_crl *crl = NULL;
    struct snapshot *next = NULL;
    size_t at = 0;
    SETPAY_TRY(setpay_crl_parse(der, &crl));
    enum setpay_error error = SETPAY_E_CERT_MISSING;
    while (at < trust->current->count &&
           !setpay_crl_names(crl, trust->current->cas[at].certificate))
        at++;
    if (at == trust->current->count)
        goto out;
    error = check_newer(trust->current->cas[at].crl, crl);
    if (error == SETPAY_E_EXISTS) {
        error = SETPAY_OK;
        goto out;
    }
    if (error != SETPAY_OK)
        goto out;
    error = setpay_crl_prove(crl, trust->current->cas[at].certificate, now_ms);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_NOMEM;
    next = snapshot_copy(trust->current);
    if (next == NULL)
        goto out;
    setpay_crl_unref(next->cas[at].crl);
    next->cas[at].crl = crl;
    crl = NULL;
    next->generation++;
    error = snapshot_install(trust, next);
    *added = error == SETPAY_OK;
out:
    setpay_crl_unref(crl);
    return error;
}

enum setpay_error setpay_trust_add_crl(struct setpay_trust *trust, struct setpay_view der,
                                       setpay_time_ms now_ms)
{
    bool added = false;
    (void)pthread_mutex_lock(&trust->change);
    enum setpay_error error = add_crl(trust, der, now_ms, &added);
    (void)pthread_mutex_unlock(&trust->change);
    return error;
}

size_t setpay_trust_learn(struct setpay_trust *trust, const struct setpay_view *certificates,
                          size_t certificate_count, const struct setpay_view *crls,
                          size_t crl_count, setpay_time_ms now_ms)
{
    size_t news = 0;
    (void)pthread_mutex_lock(&trust->change);
    /* A CA below may stand before the one above it: as many rounds as a chain has places. */
    for (size_t round = 0, before = SIZE_MAX; round < CHAIN_LENGTH && news != before; round++) {
        before = news;
        for (size_t i = 0; i < certificate_count && i < SETPAY_LIMIT_CERTIFICATES; i++) {
            bool added = false;
            if (add_ca(trust, certificates[i], &added) == SETPAY_OK && added)
                news++;
        }
    }
    for (size_t i = 0; i < crl_count && i < SETPAY_LIMIT_CRLS; i++) {
        bool added = false;
        if (add_crl(trust, crls[i], now_ms, &added) == SETPAY_OK && added)
            news++;
    }
    (void)pthread_mutex_unlock(&trust->change);
    return news;
}

/* ------------------------------------------------------------------ verification */

/* What an OpenSSL verdict is called here. */
static enum setpay_error error_from_openssl(int verdict)
{
    switch (verdict) {
    case X509_V_OK:
        return SETPAY_OK;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
        return SETPAY_E_CERT_TIME;
    case X509_V_ERR_CERT_REVOKED:
        return SETPAY_E_CERT_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
        return SETPAY_E_CRL_MISSING;
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return SETPAY_E_CRL_STALE;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
        return SETPAY_E_CERT_NAME;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
        return SETPAY_E_CERT_USAGE;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return SETPAY_E_CERT_MISSING;
    case X509_V_ERR_OUT_OF_MEM:
        return SETPAY_E_NOMEM;
    default:
        return SETPAY_E_CERT_CHAIN;
    }
}

static void narrow(struct setpay_verdict *verdict, setpay_time_ms from_ms, setpay_time_ms until_ms)
{
    if (from_ms > verdict->from_ms)
        verdict->from_ms = from_ms;
    if (until_ms < verdict->until_ms)
        verdict->until_ms = until_ms;
}

/* rule A3: root, brand, the right issuing CA, one brand; and until when all of it holds. */
static enum setpay_error check_places(const struct snapshot *snapshot, const STACK_OF(X509) * chain,
                                      const struct setpay_certificate *leaf,
                                      struct setpay_verdict *verdict)
{
    const struct setpay_profile_info *profile =
        setpay_profile_info(setpay_certificate_profile(leaf));
    const enum setpay_ca_kind places[CHAIN_LENGTH] = {
        SETPAY_CA_NONE,
        profile == NULL ? SETPAY_CA_NONE : profile->issuer,
        SETPAY_CA_BRAND,
        SETPAY_CA_ROOT,
    };
    if (profile == NULL)
        return SETPAY_E_CERT_ROLE;
    if (sk_X509_num(chain) != CHAIN_LENGTH)
        return SETPAY_E_CERT_CHAIN;
    verdict->generation = snapshot->generation;
    verdict->from_ms = setpay_certificate_not_before_ms(leaf);
    verdict->until_ms = setpay_certificate_not_after_ms(leaf);
    for (int i = 1; i < CHAIN_LENGTH; i++) {
        const struct known_ca *known = NULL;
        for (size_t k = 0; k < snapshot->count && known == NULL; k++) {
            if (setpay_certificate_x509(snapshot->cas[k].certificate) == sk_X509_value(chain, i))
                known = &snapshot->cas[k];
        }
        if (known == NULL)
            return SETPAY_E_CERT_CHAIN;
        if (known->crl == NULL)
            return SETPAY_E_CRL_MISSING;
        enum setpay_ca_kind kind = setpay_certificate_ca_kind(known->certificate);
        if (kind != places[i])
            return i == 1 && kind != SETPAY_CA_BRAND && kind != SETPAY_CA_ROOT
                       ? SETPAY_E_CERT_ROLE
                       : SETPAY_E_CERT_CHAIN;
        if (kind != SETPAY_CA_ROOT && strcmp(setpay_certificate_brand(known->certificate),
                                             setpay_certificate_brand(leaf)) != 0)
            return SETPAY_E_CERT_NAME;
        narrow(verdict, setpay_certificate_not_before_ms(known->certificate),
               setpay_certificate_not_after_ms(known->certificate));
        narrow(verdict, known->crl->info.this_update_ms, known->crl->info.next_update_ms);
    }
    return SETPAY_OK;
}

/* The whole verification of a parsed leaf. */
static enum setpay_error verify_whole(const struct snapshot *snapshot,
                                      const struct setpay_certificate *leaf, setpay_time_ms now_ms,
                                      struct setpay_verdict *verdict)
{
    enum setpay_error error = SETPAY_E_NOMEM;
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == NULL ||
        X509_STORE_CTX_init(context, snapshot->store, setpay_certificate_x509(leaf),
                            snapshot->intermediates) != 1)
        goto out;
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    if (X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
                                                    X509_V_FLAG_X509_STRICT) != 1)
        goto out;
    X509_VERIFY_PARAM_set_time(parameters, (time_t)(now_ms / 1000));
    X509_VERIFY_PARAM_set_depth(parameters, CHAIN_LENGTH - 2);
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    if (X509_verify_cert(context) != 1) {
        error = error_from_openssl(X509_STORE_CTX_get_error(context));
        if (error == SETPAY_OK)
            error = SETPAY_E_CERT_CHAIN;
        goto out;
    }
    error = check_places(snapshot, X509_STORE_CTX_get0_chain(context), leaf, verdict);
out:
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return error;
}

/* Why no issuer was found: the error of the offered certificate that should be it, or of the one
 * above; SETPAY_E_CERT_MISSING where none was offered. */
static enum setpay_error explain_missing(struct setpay_trust *trust, X509 *leaf,
                                         const struct setpay_view *offered, size_t count)
{
    X509 *below = leaf, *held = NULL;
    enum setpay_error error = SETPAY_E_CERT_MISSING;
    for (size_t step = 0; step < CHAIN_LENGTH && error == SETPAY_E_CERT_MISSING; step++) {
        struct snapshot *snapshot = snapshot_take(trust);
        const struct known_ca *issuer = NULL;
        error = find_issuer(snapshot, below, &issuer);
        snapshot_unref(snapshot);
        if (error == SETPAY_OK) /* the issuer is known and yet OpenSSL would not have it */
            error = SETPAY_E_CERT_CHAIN;
        if (error != SETPAY_E_CERT_MISSING)
            break;
        X509 *found = NULL;
        for (size_t i = 0; i < count && found == NULL; i++) {
            const unsigned char *at = offered[i].data;
            found = d2i_X509(NULL, &at, (long)offered[i].size);
            if (found == NULL ||
                X509_NAME_cmp(X509_get_subject_name(found), X509_get_issuer_name(below)) != 0) {
                X509_free(found);
                found = NULL;
                continue;
            }
            error = setpay_trust_add_ca(trust, offered[i]);
        }
        if (found == NULL)
            break;
        X509_free(held);
        held = below = found;
        if (error == SETPAY_OK)
            error = SETPAY_E_CERT_CHAIN;
    }
    X509_free(held);
    ERR_clear_error();
    return error;
}

/* What was asked for, by what the certificate says of itself: cheap, so first. */
static enum setpay_error check_wish(const struct setpay_certificate *leaf,
                                    enum setpay_profile profile, const char *brand)
{
    const struct setpay_profile_info *wanted = setpay_profile_info(profile);
    const struct setpay_profile_info *found = setpay_profile_info(setpay_certificate_profile(leaf));
    if (wanted == NULL || found == NULL || wanted->type != found->type)
        return SETPAY_E_CERT_ROLE;
    if (wanted->profile != found->profile)
        return SETPAY_E_CERT_USAGE;
    if (brand != NULL && strcmp(brand, setpay_certificate_brand(leaf)) != 0)
        return SETPAY_E_BRANDS_MIXED;
    return SETPAY_OK;
}

/* Verifies a parsed leaf. Takes the reference to leaf: hands it to the caller or drops it. */
static enum setpay_error verify_leaf(struct setpay_trust *trust, struct setpay_certificate *leaf,
                                     const struct setpay_view *offered, size_t offered_count,
                                     enum setpay_profile profile, const char *brand,
                                     setpay_time_ms now_ms, struct setpay_certificate **certificate)
{
    struct setpay_verdict verdict = {0};
    enum setpay_error error = check_wish(leaf, profile, brand);
    if (error != SETPAY_OK)
        goto out;
    if (offered_count > SETPAY_LIMIT_CERTIFICATES)
        offered_count = SETPAY_LIMIT_CERTIFICATES;
    if (offered_count > 0)
        (void)setpay_trust_learn(trust, offered, offered_count, NULL, 0, now_ms);
    atomic_fetch_add_explicit(&trust->verifications, 1, memory_order_relaxed);
    struct snapshot *snapshot = snapshot_take(trust);
    error = verify_whole(snapshot, leaf, now_ms, &verdict);
    snapshot_unref(snapshot);
    if (error == SETPAY_E_CERT_MISSING)
        error = explain_missing(trust, setpay_certificate_x509(leaf), offered, offered_count);
    if (error != SETPAY_OK)
        goto out;
    setpay_cache_keep(trust->cache, leaf, &verdict);
    *certificate = leaf;
    leaf = NULL;
out:
    setpay_certificate_unref(leaf);
    if (error != SETPAY_OK)
        atomic_fetch_add_explicit(&trust->refusals, 1, memory_order_relaxed);
    return error;
}

/* Whether a kept verdict still stands (rule A3: a stale CRL fails closed for kept chains too). */
static bool still_holds(struct setpay_trust *trust, const struct setpay_verdict *verdict,
                        setpay_time_ms now_ms)
{
    (void)pthread_rwlock_rdlock(&trust->lock);
    uint64_t generation = trust->current->generation;
    (void)pthread_rwlock_unlock(&trust->lock);
    return verdict->generation == generation && verdict->from_ms <= now_ms &&
           now_ms < verdict->until_ms;
}

enum setpay_error setpay_trust_verify_known(struct setpay_trust *trust,
                                            const struct setpay_digest *thumbprint,
                                            enum setpay_profile profile, const char *brand,
                                            setpay_time_ms now_ms,
                                            struct setpay_certificate **certificate)
{
    struct setpay_verdict verdict;
    struct setpay_certificate *leaf = setpay_cache_find(trust->cache, thumbprint, &verdict);
    if (leaf == NULL)
        return SETPAY_E_CERT_MISSING;
    if (!still_holds(trust, &verdict, now_ms))
        return verify_leaf(trust, leaf, NULL, 0, profile, brand, now_ms, certificate);
    enum setpay_error error = check_wish(leaf, profile, brand);
    if (error != SETPAY_OK) {
        setpay_certificate_unref(leaf);
        return error;
    }
    atomic_fetch_add_explicit(&trust->cache_hits, 1, memory_order_relaxed);
    *certificate = leaf;
    return SETPAY_OK;
}

enum setpay_error setpay_trust_verify(struct setpay_trust *trust, struct setpay_view leaf_der,
                                      const struct setpay_view *offered, size_t offered_count,
                                      enum setpay_profile profile, const char *brand,
                                      setpay_time_ms now_ms,
                                      struct setpay_certificate **certificate)
{
    struct setpay_digest thumbprint;
    struct setpay_certificate *leaf = NULL;
    SETPAY_TRY(setpay_sha256(leaf_der, &thumbprint));
    enum setpay_error error =
        setpay_trust_verify_known(trust, &thumbprint, profile, brand, now_ms, certificate);
    if (error != SETPAY_E_CERT_MISSING)
        return error;
    SETPAY_TRY(setpay_certificate_parse(leaf_der, &leaf));
    return verify_leaf(trust, leaf, offered, offered_count, profile, brand, now_ms, certificate);
}

/* ------------------------------------------------------------------ what is held */

enum setpay_error setpay_trust_chain(struct setpay_trust *trust,
                                     const struct setpay_certificate *leaf,
                                     struct setpay_certificate *cas[SETPAY_CHAIN_CAS],
                                     size_t *count)
{
    const struct known_ca *issuing = NULL, *brand = NULL;
    struct snapshot *snapshot = snapshot_take(trust);
    enum setpay_error error = find_issuer(snapshot, setpay_certificate_x509(leaf), &issuing);
    if (error == SETPAY_OK)
        error = find_issuer(snapshot, setpay_certificate_x509(issuing->certificate), &brand);
    if (error == SETPAY_OK) {
        cas[0] = setpay_certificate_ref(issuing->certificate);
        cas[1] = setpay_certificate_ref(brand->certificate);
        *count = SETPAY_CHAIN_CAS;
    }
    snapshot_unref(snapshot);
    return error == SETPAY_OK ? SETPAY_OK : SETPAY_E_CERT_MISSING;
}

size_t setpay_trust_thumbs(struct setpay_trust *trust, bool leaves, struct setpay_digest *thumbs,
                           size_t room)
{
    size_t count = 0;
    struct snapshot *snapshot = snapshot_take(trust);
    for (size_t i = 0; i < snapshot->count && count < room; i++)
        thumbs[count++] = *setpay_certificate_thumbprint(snapshot->cas[i].certificate);
    snapshot_unref(snapshot);
    if (leaves)
        count += setpay_cache_thumbs(trust->cache, thumbs + count, room - count);
    return count;
}

size_t setpay_trust_crls(struct setpay_trust *trust, struct setpay_crl_info *infos, size_t room)
{
    size_t count = 0;
    struct snapshot *snapshot = snapshot_take(trust);
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->cas[i].crl == NULL)
            continue;
        if (count < room)
            infos[count] = snapshot->cas[i].crl->info;
        count++;
    }
    snapshot_unref(snapshot);
    return count;
}

enum setpay_error setpay_trust_crl_der(struct setpay_trust *trust,
                                       const struct setpay_digest *thumbprint,
                                       struct setpay_buffer *der)
{
    enum setpay_error error = SETPAY_E_NOT_FOUND;
    struct snapshot *snapshot = snapshot_take(trust);
    for (size_t i = 0; i < snapshot->count && error == SETPAY_E_NOT_FOUND; i++) {
        const struct setpay_crl *crl = snapshot->cas[i].crl;
        if (crl != NULL && setpay_digest_equal(&crl->info.thumbprint, thumbprint))
            error = setpay_buffer_append(der, setpay_buffer_view(&crl->der));
    }
    snapshot_unref(snapshot);
    return error;
}

enum setpay_error setpay_trust_find_ca(struct setpay_trust *trust,
                                       const struct setpay_digest *thumbprint,
                                       struct setpay_certificate **certificate)
{
    struct snapshot *snapshot = snapshot_take(trust);
    const struct known_ca *known = find_ca(snapshot, thumbprint);
    if (known != NULL)
        *certificate = setpay_certificate_ref(known->certificate);
    snapshot_unref(snapshot);
    return known != NULL ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

const struct setpay_certificate *setpay_trust_root(const struct setpay_trust *trust)
{
    return trust->root;
}

void setpay_trust_read_figures(struct setpay_trust *trust, struct setpay_trust_figures *figures)
{
    figures->cache_hits = atomic_load(&trust->cache_hits);
    figures->verifications = atomic_load(&trust->verifications);
    figures->refusals = atomic_load(&trust->refusals);
}
