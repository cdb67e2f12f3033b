/*
 * The trust store: what is held under the root, and how it changes.
 *
 * What always holds: a CA is held only when its signatures lead to the root and its kind has its
 * place under its issuer's; a CRL only when its CA is held, and only the newest. A change is made
 * by one thread at a time, as a new snapshot beside the current one (trust.h), so that whoever
 * verifies at that moment sees the whole of the old state or the whole of the new.
 */
#include "common/pki/trust.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/crypto/hash.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define LEARN_ROUNDS 4 /* as many as a chain has places */

/* ------------------------------------------------------------------ snapshots */

void setpay_snapshot_unref(struct setpay_snapshot *snapshot)
{
    if (snapshot == NULL ||
        atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    /* First what OpenSSL counts, so that whoever counts down our own last reference frees the
     * object: ThreadSanitizer does not see OpenSSL's counting, and took the other order for a race.
     */
    X509_STORE_free(snapshot->store);
    sk_X509_free(snapshot->intermediates);
    for (size_t i = 0; i < snapshot->count; i++) {
        setpay_certificate_unref(snapshot->cas[i].certificate);
        setpay_crl_unref(snapshot->cas[i].crl);
    }
    free(snapshot);
}

struct setpay_snapshot *setpay_snapshot_take(struct setpay_trust *trust)
{
    (void)pthread_rwlock_rdlock(&trust->lock);
    struct setpay_snapshot *snapshot = trust->current;
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    (void)pthread_rwlock_unlock(&trust->lock);
    return snapshot;
}

/* A copy of from (NULL: empty) that can still be changed, until snapshot_install. */
static struct setpay_snapshot *snapshot_copy(const struct setpay_snapshot *from)
{
    struct setpay_snapshot *made = calloc(1, sizeof(*made));
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

static void mark_revoked(struct setpay_snapshot *made)
{
    for (size_t i = 1; i < made->count; i++) { /* who is above stands before */
        X509 *x509 = setpay_certificate_x509(made->cas[i].certificate);
        const struct setpay_known_ca *issuer = NULL;
        X509_REVOKED *entry = NULL;
        made->cas[i].revoked =
            setpay_snapshot_issuer(made, x509, &issuer) == SETPAY_OK &&
            (issuer->revoked ||
             (issuer->crl != NULL && X509_CRL_get0_by_serial(issuer->crl->list, &entry,
                                                             X509_get0_serialNumber(x509)) != 0));
    }
}

/* Makes OpenSSL's side of the snapshot and puts it in the place of the current one. Takes it. */
static enum setpay_error snapshot_install(struct setpay_trust *trust, struct setpay_snapshot *made)
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
    mark_revoked(made);
    complete = true;
out:
    if (!complete) {
        ERR_clear_error();
        setpay_snapshot_unref(made);
        return SETPAY_E_NOMEM;
    }
    (void)pthread_rwlock_wrlock(&trust->lock);
    struct setpay_snapshot *old = trust->current;
    trust->current = made;
    (void)pthread_rwlock_unlock(&trust->lock);
    setpay_snapshot_unref(old);
    return SETPAY_OK;
}

static const struct setpay_known_ca *find_ca(const struct setpay_snapshot *snapshot,
                                             const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (setpay_digest_equal(setpay_certificate_thumbprint(snapshot->cas[i].certificate),
                                thumbprint))
            return &snapshot->cas[i];
    }
    return NULL;
}

enum setpay_error setpay_snapshot_issuer(const struct setpay_snapshot *snapshot, X509 *x509,
                                         const struct setpay_known_ca **issuer)
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
    struct setpay_snapshot *first = NULL;
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
    setpay_snapshot_unref(trust->current);
    setpay_cache_free(trust->cache);
    setpay_certificate_unref(trust->root);
    (void)pthread_rwlock_destroy(&trust->lock);
    (void)pthread_mutex_destroy(&trust->change);
    free(trust);
}

/* rule A3: a CA's place under its issuer, its brand, and the issuer's signature */
static enum setpay_error check_ca(const struct setpay_snapshot *snapshot,
                                  const struct setpay_certificate *ca)
{
    const struct setpay_known_ca *issuer = NULL;
    const struct setpay_ca_info *info = setpay_ca_info(setpay_certificate_ca_kind(ca));
    X509 *x509 = setpay_certificate_x509(ca);
    if (info == NULL) /* a leaf */
        return SETPAY_E_CERT_ROLE;
    SETPAY_TRY(setpay_snapshot_issuer(snapshot, x509, &issuer));
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

/* Known for a leaf: the one beside which it came (may be NULL), or one that was verified. Parsing
 * it to find that out would cost more than verifying it. */
static bool is_leaf(struct setpay_trust *trust, const struct setpay_digest *beside,
                    const struct setpay_digest *thumbprint)
{
    struct setpay_verdict verdict;
    if (beside != NULL && setpay_digest_equal(beside, thumbprint))
        return true;
    struct setpay_certificate *found = setpay_cache_find(trust->cache, thumbprint, &verdict);
    bool is_known = found != NULL;
    setpay_certificate_unref(found);
    return is_known;
}

/* The same certificate, whatever its bytes: an ECDSA signature (r, s) has a twin (r, -s), so that
 * anybody can give a certificate a second thumbprint. A twin would be a CA without a CRL. */
static bool is_twin(const struct setpay_snapshot *snapshot, const struct setpay_certificate *ca)
{
    X509 *x509 = setpay_certificate_x509(ca);
    for (size_t i = 0; i < snapshot->count; i++) {
        if (X509_issuer_and_serial_cmp(setpay_certificate_x509(snapshot->cas[i].certificate),
                                       x509) == 0)
            return true;
    }
    return false;
}

/* With the lock on changes held. Sets *added where it was not known before. */
static enum setpay_error add_ca(struct setpay_trust *trust, const struct setpay_digest *leaf,
                                struct setpay_view der, bool *added)
{
    struct setpay_certificate *ca = NULL;
    struct setpay_snapshot *next = NULL;
    struct setpay_digest thumbprint;
    enum setpay_error error = setpay_sha256(der, &thumbprint);
    if (error != SETPAY_OK || find_ca(trust->current, &thumbprint) != NULL)
        goto out;
    error = SETPAY_E_CERT_ROLE;
    if (is_leaf(trust, leaf, &thumbprint))
        goto out;
    error = setpay_certificate_parse(der, &ca);
    if (error != SETPAY_OK)
        goto out;
    error = check_ca(trust->current, ca);
    if (error != SETPAY_OK || is_twin(trust->current, ca))
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
    enum setpay_error error = add_ca(trust, NULL, der, &added);
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
    struct setpay_snapshot *next = NULL;
    size_t at = 0;
    enum setpay_error error = setpay_crl_parse(der, &crl);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_CERT_MISSING;
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

bool setpay_trust_tell_once(struct setpay_trust *trust, const struct setpay_digest *what)
{
    bool first = true;
    (void)pthread_mutex_lock(&trust->change);
    size_t held =
        trust->told_count < SETPAY_LIMIT_TRUST_TOLD ? trust->told_count : SETPAY_LIMIT_TRUST_TOLD;
    for (size_t i = 0; i < held && first; i++)
        first = !setpay_digest_equal(&trust->told[i], what);
    if (first)
        trust->told[trust->told_count++ % SETPAY_LIMIT_TRUST_TOLD] = *what;
    (void)pthread_mutex_unlock(&trust->change);
    return first;
}

static void log_refused(struct setpay_view der, enum setpay_error error)
{
    struct setpay_digest thumbprint = {{0}};
    if (setpay_sha256(der, &thumbprint) == SETPAY_OK)
        setpay_log(SETPAY_LOG_WARN, "crl.refused", setpay_field_error(error),
                   setpay_field_digest("crl", &thumbprint));
}

/* With the change's lock. */
static size_t learn_cas(struct setpay_trust *trust, const struct setpay_digest *leaf,
                        const struct setpay_view *certificates, size_t count)
{
    size_t news = 0;
    /* A CA below may stand before the one above it. */
    for (size_t round = 0, before = SIZE_MAX; round < LEARN_ROUNDS && news != before; round++) {
        before = news;
        for (size_t i = 0; i < count; i++) {
            bool added = false;
            if (add_ca(trust, leaf, certificates[i], &added) == SETPAY_OK && added)
                news++;
        }
    }
    return news;
}

void setpay_trust_learn_beside(struct setpay_trust *trust, const struct setpay_digest *leaf,
                               const struct setpay_view *certificates, size_t count)
{
    (void)pthread_mutex_lock(&trust->change);
    (void)learn_cas(trust, leaf, certificates, count);
    (void)pthread_mutex_unlock(&trust->change);
}

size_t setpay_trust_learn(struct setpay_trust *trust, const struct setpay_view *certificates,
                          size_t certificate_count, const struct setpay_view *crls,
                          size_t crl_count, setpay_time_ms now_ms)
{
    (void)pthread_mutex_lock(&trust->change);
    size_t news = learn_cas(trust, NULL, certificates, certificate_count);
    for (size_t i = 0; i < crl_count; i++) {
        bool added = false;
        enum setpay_error error = add_crl(trust, crls[i], now_ms, &added);
        if (error != SETPAY_OK) /* rule A3: passed over, whoever offers it; what is held stays */
            log_refused(crls[i], error);
        else if (added)
            news++;
    }
    (void)pthread_mutex_unlock(&trust->change);
    return news;
}

/* ------------------------------------------------------------------ what is held */

enum setpay_error setpay_trust_chain(struct setpay_trust *trust,
                                     const struct setpay_certificate *leaf,
                                     struct setpay_certificate *cas[SETPAY_CHAIN_CAS],
                                     size_t *count)
{
    const struct setpay_known_ca *issuing = NULL, *brand = NULL;
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    enum setpay_error error =
        setpay_snapshot_issuer(snapshot, setpay_certificate_x509(leaf), &issuing);
    if (error == SETPAY_OK)
        error =
            setpay_snapshot_issuer(snapshot, setpay_certificate_x509(issuing->certificate), &brand);
    if (error == SETPAY_OK) {
        cas[0] = setpay_certificate_ref(issuing->certificate);
        cas[1] = setpay_certificate_ref(brand->certificate);
        *count = SETPAY_CHAIN_CAS;
    }
    setpay_snapshot_unref(snapshot);
    return error == SETPAY_OK ? SETPAY_OK : SETPAY_E_CERT_MISSING;
}

size_t setpay_trust_thumbs(struct setpay_trust *trust, bool leaves, struct setpay_digest *thumbs,
                           size_t room)
{
    size_t count = 0;
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    for (size_t i = 0; i < snapshot->count && count < room; i++)
        thumbs[count++] = *setpay_certificate_thumbprint(snapshot->cas[i].certificate);
    setpay_snapshot_unref(snapshot);
    if (leaves)
        count += setpay_cache_thumbs(trust->cache, thumbs + count, room - count);
    return count;
}

size_t setpay_trust_crls(struct setpay_trust *trust, struct setpay_crl_info *infos, size_t room)
{
    size_t count = 0;
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->cas[i].crl == NULL)
            continue;
        if (count < room) {
            const struct setpay_certificate *ca = snapshot->cas[i].certificate;
            infos[count] = snapshot->cas[i].crl->info;
            infos[count].ca_number = setpay_certificate_ca_number(ca);
            infos[count].ca_not_after_ms = setpay_certificate_not_after_ms(ca);
            infos[count].ca_revoked = snapshot->cas[i].revoked;
        }
        count++;
    }
    setpay_snapshot_unref(snapshot);
    return count;
}

bool setpay_crl_is_needed(const struct setpay_crl_info *info, setpay_time_ms now_ms)
{
    return !info->ca_revoked && now_ms <= info->ca_not_after_ms;
}

bool setpay_trust_lacks_crl(struct setpay_trust *trust, const char *brand, setpay_time_ms now_ms)
{
    bool lacks = false;
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    for (size_t i = 0; i < snapshot->count && !lacks; i++) {
        const struct setpay_known_ca *ca = &snapshot->cas[i];
        lacks = ca->crl == NULL && !ca->revoked &&
                now_ms <= setpay_certificate_not_after_ms(ca->certificate) &&
                strcmp(setpay_certificate_brand(ca->certificate), brand) == 0;
    }
    setpay_snapshot_unref(snapshot);
    return lacks;
}

enum setpay_error setpay_trust_crl_der(struct setpay_trust *trust,
                                       const struct setpay_digest *thumbprint,
                                       struct setpay_buffer *der)
{
    enum setpay_error error = SETPAY_E_NOT_FOUND;
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    for (size_t i = 0; i < snapshot->count && error == SETPAY_E_NOT_FOUND; i++) {
        const struct setpay_crl *crl = snapshot->cas[i].crl;
        if (crl != NULL && setpay_digest_equal(&crl->info.thumbprint, thumbprint))
            error = setpay_buffer_append(der, setpay_buffer_view(&crl->der));
    }
    setpay_snapshot_unref(snapshot);
    return error;
}

enum setpay_error setpay_trust_find_ca(struct setpay_trust *trust,
                                       const struct setpay_digest *thumbprint,
                                       struct setpay_certificate **certificate)
{
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    const struct setpay_known_ca *known = find_ca(snapshot, thumbprint);
    if (known != NULL)
        *certificate = setpay_certificate_ref(known->certificate);
    setpay_snapshot_unref(snapshot);
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
    figures->leaf_verifications = atomic_load(&trust->leaf_verifications);
    figures->refusals = atomic_load(&trust->refusals);
}
