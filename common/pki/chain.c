/*
 * Which chains are believed (rule A3).
 *
 * What always holds: OpenSSL builds and checks the chain (signatures, validity, path lengths, name
 * constraints, CRLs of every CA in it), strictly; then this file checks what OpenSSL can't know:
 * that the chain is leaf, issuing CA of the leaf's kind, brand CA, our root, and all of one brand.
 * A kept verdict stands only while every part of that still does.
 *
 * A whole verification has seven signatures, of which six are not the leaf's. So what it shows of
 * the chain above a leaf is kept with the snapshot (the kept part), and for the next leaf of the
 * same issuing CA only what is the leaf's own is checked (the short way). The short way can only
 * believe: whatever it does not believe, for whatever reason, is verified whole, and refused by
 * that.
 */
#include "common/pki/trust.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CHAIN_LENGTH 4 /* leaf, issuing CA, brand CA, root */

/* What is held against a leaf. */
enum strictness {
    STRICT,
    LAPSED,   /* not its time, nor its CAs' */
    ISSUED,   /* nor its revocation: only that it was issued so, once */
    UNLISTED, /* its time, but only the revocation lists that happen to be held */
};

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

static struct setpay_known_ca *find_known(struct setpay_snapshot *snapshot, const X509 *x509)
{
    for (size_t k = 0; k < snapshot->count; k++) {
        if (setpay_certificate_x509(snapshot->cas[k].certificate) == x509)
            return &snapshot->cas[k];
    }
    return NULL;
}

/* rule A3: root, brand, the right issuing CA, one brand; and until when all above the leaf holds.
 * found: the CAs, issuing CA first. */
static enum setpay_error
check_places(struct setpay_snapshot *snapshot, const STACK_OF(X509) * chain,
             const struct setpay_certificate *leaf, enum strictness strictness,
             struct setpay_known_ca *found[CHAIN_LENGTH - 1], struct setpay_verdict *verdict)
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
    verdict->from_ms = INT64_MIN;
    verdict->until_ms = INT64_MAX;
    for (int i = 1; i < CHAIN_LENGTH; i++) {
        struct setpay_known_ca *known = find_known(snapshot, sk_X509_value(chain, i));
        if (known == NULL)
            return SETPAY_E_CERT_CHAIN;
        if (known->crl == NULL && strictness != ISSUED && strictness != UNLISTED)
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
        if (known->crl != NULL)
            narrow(verdict, known->crl->info.this_update_ms, known->crl->info.next_update_ms);
        found[i - 1] = known;
    }
    return SETPAY_OK;
}

/* What OpenSSL is to check with; false where it has no memory. */
static bool set_parameters(X509_STORE_CTX *context, unsigned long flags, setpay_time_ms now_ms)
{
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    if (X509_VERIFY_PARAM_set_flags(parameters, flags | X509_V_FLAG_X509_STRICT) != 1)
        return false;
    if ((flags & X509_V_FLAG_NO_CHECK_TIME) == 0) /* a time that is set wins over the flag */
        X509_VERIFY_PARAM_set_time(parameters, (time_t)(now_ms / 1000));
    X509_VERIFY_PARAM_set_depth(parameters, CHAIN_LENGTH - 2);
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    return true;
}

/* ------------------------------------------------------------------ the short way */

/* Keeps what was shown of the chain above a leaf. The first one to come writes; whoever comes would
 * write the same. */
static void keep_part(struct setpay_known_ca *const cas[CHAIN_LENGTH - 1],
                      const struct setpay_verdict *verdict)
{
    struct setpay_kept_part *part = &cas[0]->part;
    int none = SETPAY_KEPT_NONE;
    if (!atomic_compare_exchange_strong(&part->state, &none, SETPAY_KEPT_BEING_WRITTEN))
        return;
    part->from_ms = verdict->from_ms;
    part->until_ms = verdict->until_ms;
    part->above[0] = cas[1];
    part->above[1] = cas[2];
    atomic_store_explicit(&part->state, SETPAY_KEPT, memory_order_release);
}

/* The one CA that can have issued the leaf, where its part is kept and holds now; or NULL. */
static const struct setpay_known_ca *find_kept(const struct setpay_snapshot *snapshot,
                                               const struct setpay_certificate *leaf,
                                               setpay_time_ms now_ms)
{
    X509 *x509 = setpay_certificate_x509(leaf);
    const struct setpay_known_ca *issuer = NULL;
    for (size_t i = 0; i < snapshot->count; i++) {
        X509 *candidate = setpay_certificate_x509(snapshot->cas[i].certificate);
        if (X509_NAME_cmp(X509_get_subject_name(candidate), X509_get_issuer_name(x509)) != 0)
            continue;
        if (issuer != NULL) /* which of them is OpenSSL's to choose */
            return NULL;
        issuer = &snapshot->cas[i];
    }
    if (issuer == NULL ||
        atomic_load_explicit(&issuer->part.state, memory_order_acquire) != SETPAY_KEPT ||
        now_ms < issuer->part.from_ms || now_ms >= issuer->part.until_ms)
        return NULL;
    return issuer;
}

static bool is_inside_constraints(const struct setpay_certificate *leaf,
                                  const struct setpay_known_ca *ca)
{
    X509 *x509 = setpay_certificate_x509(leaf);
    int critical = -1;
    NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(setpay_certificate_x509(ca->certificate),
                                                     NID_name_constraints, &critical, NULL);
    if (constraints == NULL)
        return critical == -1; /* there are none, and not: one that can't be read, or two */
    bool inside = NAME_CONSTRAINTS_check(x509, constraints) == X509_V_OK &&
                  NAME_CONSTRAINTS_check_CN(x509, constraints) == X509_V_OK;
    NAME_CONSTRAINTS_free(constraints);
    return inside;
}

/* The leaf's signature by that CA, its time, its form: the CA is where OpenSSL's chain ends. */
static bool is_issued_by(const struct setpay_certificate *leaf, const struct setpay_known_ca *ca,
                         setpay_time_ms now_ms)
{
    bool issued = false;
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *anchor = sk_X509_new_null();
    if (context == NULL || anchor == NULL ||
        sk_X509_push(anchor, setpay_certificate_x509(ca->certificate)) <= 0 ||
        X509_STORE_CTX_init(context, NULL, setpay_certificate_x509(leaf), NULL) != 1)
        goto out;
    X509_STORE_CTX_set0_trusted_stack(context, anchor);
    issued = set_parameters(context, X509_V_FLAG_PARTIAL_CHAIN, now_ms) &&
             X509_verify_cert(context) == 1 && sk_X509_num(X509_STORE_CTX_get0_chain(context)) == 2;
out:
    X509_STORE_CTX_free(context);
    sk_X509_free(anchor);
    ERR_clear_error();
    return issued;
}

/* rule A3, for a leaf whose issuing CA is proven: true where it is believed. */
static bool verify_short(const struct setpay_snapshot *snapshot,
                         const struct setpay_certificate *leaf, setpay_time_ms now_ms,
                         struct setpay_verdict *verdict)
{
    const struct setpay_known_ca *issuer = find_kept(snapshot, leaf, now_ms);
    const struct setpay_profile_info *profile =
        setpay_profile_info(setpay_certificate_profile(leaf));
    X509 *x509 = setpay_certificate_x509(leaf);
    X509_REVOKED *revoked = NULL;
    if (issuer == NULL || profile == NULL ||
        setpay_certificate_ca_kind(issuer->certificate) != profile->issuer ||
        strcmp(setpay_certificate_brand(issuer->certificate), setpay_certificate_brand(leaf)) != 0)
        return false;
    /* Distribution points could ask for a list of other reasons. */
    if (X509_get_ext_by_NID(x509, NID_crl_distribution_points, -1) >= 0 ||
        X509_CRL_get0_by_serial(issuer->crl->list, &revoked, X509_get0_serialNumber(x509)) != 0)
        return false;
    if (!is_inside_constraints(leaf, issuer) ||
        !is_inside_constraints(leaf, issuer->part.above[0]) ||
        !is_inside_constraints(leaf, issuer->part.above[1]) || !is_issued_by(leaf, issuer, now_ms))
        return false;
    verdict->generation = snapshot->generation;
    verdict->from_ms = issuer->part.from_ms;
    verdict->until_ms = issuer->part.until_ms;
    return true;
}

/* ------------------------------------------------------------------ the whole of it */

/* The whole verification of a parsed leaf. */
static enum setpay_error verify_whole(struct setpay_snapshot *snapshot,
                                      const struct setpay_certificate *leaf, setpay_time_ms now_ms,
                                      enum strictness strictness, struct setpay_verdict *verdict)
{
    static const unsigned long flags[] = {
        [STRICT] = X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL,
        [LAPSED] = X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_NO_CHECK_TIME,
        [ISSUED] = X509_V_FLAG_NO_CHECK_TIME,
        [UNLISTED] = 0,
    };
    enum setpay_error error = SETPAY_E_NOMEM;
    struct setpay_known_ca *cas[CHAIN_LENGTH - 1] = {NULL};
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == NULL ||
        X509_STORE_CTX_init(context, snapshot->store, setpay_certificate_x509(leaf),
                            snapshot->intermediates) != 1 ||
        !set_parameters(context, flags[strictness], now_ms))
        goto out;
    if (X509_verify_cert(context) != 1) {
        error = error_from_openssl(X509_STORE_CTX_get_error(context));
        if (error == SETPAY_OK)
            error = SETPAY_E_CERT_CHAIN;
        goto out;
    }
    error =
        check_places(snapshot, X509_STORE_CTX_get0_chain(context), leaf, strictness, cas, verdict);
    if (error == SETPAY_OK && strictness == STRICT)
        keep_part(cas, verdict);
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
        struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
        const struct setpay_known_ca *issuer = NULL;
        error = setpay_snapshot_issuer(snapshot, below, &issuer);
        setpay_snapshot_unref(snapshot);
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

/* Nobody makes lists of an authority that is revoked for long: that it is revoked is what counts,
 * and not that its list is missing. */
static enum setpay_error explain_listless(const struct setpay_snapshot *snapshot,
                                          const struct setpay_certificate *leaf,
                                          enum setpay_error error)
{
    const struct setpay_known_ca *issuer = NULL;
    if (setpay_snapshot_issuer(snapshot, setpay_certificate_x509(leaf), &issuer) != SETPAY_OK)
        return error;
    return issuer->revoked ? SETPAY_E_CERT_REVOKED : error;
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
        setpay_trust_learn_beside(trust, setpay_certificate_thumbprint(leaf), offered,
                                  offered_count);
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    if (verify_short(snapshot, leaf, now_ms, &verdict)) {
        atomic_fetch_add_explicit(&trust->leaf_verifications, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&trust->verifications, 1, memory_order_relaxed);
        error = verify_whole(snapshot, leaf, now_ms, STRICT, &verdict);
    }
    if (error == SETPAY_OK)
        narrow(&verdict, setpay_certificate_not_before_ms(leaf),
               setpay_certificate_not_after_ms(leaf));
    if (error == SETPAY_E_CRL_MISSING || error == SETPAY_E_CRL_STALE)
        error = explain_listless(snapshot, leaf, error);
    setpay_snapshot_unref(snapshot);
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

enum setpay_error setpay_trust_find_leaf(struct setpay_trust *trust,
                                         const struct setpay_digest *thumbprint,
                                         struct setpay_certificate **certificate)
{
    struct setpay_verdict verdict; /* of when it was kept: not asked here */
    struct setpay_certificate *leaf = setpay_cache_find(trust->cache, thumbprint, &verdict);
    if (leaf == NULL)
        return SETPAY_E_NOT_FOUND;
    *certificate = leaf;
    return SETPAY_OK;
}

/* Rule A3 without the times of certificates: the lists of the chain must still be fresh. */
static enum setpay_error check_lists(const struct setpay_snapshot *snapshot,
                                     const struct setpay_certificate *leaf, setpay_time_ms now_ms)
{
    X509 *below = setpay_certificate_x509(leaf);
    for (int i = 1; i < CHAIN_LENGTH; i++) {
        const struct setpay_known_ca *issuer = NULL;
        SETPAY_TRY(setpay_snapshot_issuer(snapshot, below, &issuer));
        if (issuer->crl == NULL)
            return SETPAY_E_CRL_MISSING;
        if (issuer->crl->info.next_update_ms <= now_ms)
            return SETPAY_E_CRL_STALE;
        below = setpay_certificate_x509(issuer->certificate);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_trust_verify_lapsed(struct setpay_trust *trust,
                                             struct setpay_view leaf_der,
                                             enum setpay_profile profile, const char *brand,
                                             setpay_time_ms now_ms,
                                             struct setpay_certificate **certificate)
{
    struct setpay_certificate *leaf = NULL;
    struct setpay_verdict verdict = {0}; /* not kept: it says nothing about time */
    SETPAY_TRY(setpay_certificate_parse(leaf_der, &leaf));
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    enum setpay_error error = check_wish(leaf, profile, brand);
    if (error == SETPAY_OK)
        error = verify_whole(snapshot, leaf, now_ms, LAPSED, &verdict);
    if (error == SETPAY_OK)
        error = check_lists(snapshot, leaf, now_ms);
    setpay_snapshot_unref(snapshot);
    if (error == SETPAY_OK) {
        *certificate = leaf;
        leaf = NULL;
    }
    setpay_certificate_unref(leaf);
    return error;
}

/* Whatever is revoked by a list that is held, current or not, is refused. */
static enum setpay_error check_held_lists(const struct setpay_snapshot *snapshot,
                                          const struct setpay_certificate *leaf)
{
    X509 *below = setpay_certificate_x509(leaf);
    for (int i = 1; i < CHAIN_LENGTH; i++) {
        const struct setpay_known_ca *issuer = NULL;
        X509_REVOKED *revoked = NULL;
        SETPAY_TRY(setpay_snapshot_issuer(snapshot, below, &issuer));
        if (issuer->crl != NULL && X509_CRL_get0_by_serial(issuer->crl->list, &revoked,
                                                           X509_get0_serialNumber(below)) != 0)
            return SETPAY_E_CERT_REVOKED;
        below = setpay_certificate_x509(issuer->certificate);
    }
    return SETPAY_OK;
}

/* Without a verdict that is kept: what was passed over must not be believed later. */
static enum setpay_error verify_loosely(struct setpay_trust *trust, struct setpay_view leaf_der,
                                        const struct setpay_view *offered, size_t offered_count,
                                        enum setpay_profile profile, const char *brand,
                                        setpay_time_ms now_ms, enum strictness strictness,
                                        struct setpay_certificate **certificate)
{
    struct setpay_certificate *leaf = NULL;
    struct setpay_verdict verdict = {0};
    SETPAY_TRY(setpay_certificate_parse(leaf_der, &leaf));
    (void)setpay_trust_learn(trust, offered, offered_count, NULL, 0, now_ms);
    struct setpay_snapshot *snapshot = setpay_snapshot_take(trust);
    enum setpay_error error = check_wish(leaf, profile, brand);
    if (error == SETPAY_OK)
        error = verify_whole(snapshot, leaf, now_ms, strictness, &verdict);
    if (error == SETPAY_OK && strictness == UNLISTED)
        error = check_held_lists(snapshot, leaf);
    setpay_snapshot_unref(snapshot);
    if (error == SETPAY_OK) {
        *certificate = leaf;
        leaf = NULL;
    }
    setpay_certificate_unref(leaf);
    return error;
}

enum setpay_error setpay_trust_verify_issued(struct setpay_trust *trust,
                                             struct setpay_view leaf_der,
                                             const struct setpay_view *offered,
                                             size_t offered_count, enum setpay_profile profile,
                                             const char *brand, setpay_time_ms now_ms,
                                             struct setpay_certificate **certificate)
{
    return verify_loosely(trust, leaf_der, offered, offered_count, profile, brand, now_ms, ISSUED,
                          certificate);
}

enum setpay_error setpay_trust_verify_unlisted(struct setpay_trust *trust,
                                               struct setpay_view leaf_der,
                                               const struct setpay_view *offered,
                                               size_t offered_count, enum setpay_profile profile,
                                               const char *brand, setpay_time_ms now_ms,
                                               struct setpay_certificate **certificate)
{
    return verify_loosely(trust, leaf_der, offered, offered_count, profile, brand, now_ms, UNLISTED,
                          certificate);
}
