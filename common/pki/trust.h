/*
 * The inside of the trust store, shared by trust.c (what is held) and chain.c (what is believed).
 * Nothing else includes this.
 *
 * A *snapshot* is all that verification needs at one moment: the known CA certificates, the newest
 * CRL of each, and OpenSSL's X509_STORE made of them. It never changes; a new CA or CRL makes a new
 * snapshot that takes the old one's place. Readers take a reference and then work without any lock.
 * The *generation* counts the CRLs that came: a verdict of an older generation is worth nothing,
 * and its leaf is verified anew.
 */
#ifndef SETPAY_PKI_TRUST_H
#define SETPAY_PKI_TRUST_H

#include "common/pki/cache.h"
#include "common/pki/chain.h"
#include "common/pki/crl.h"

#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a whole verification of a leaf has shown of everything above that leaf: the chain from its
 * issuing CA to the root, and the CRLs of these three, hold from from_ms until before until_ms. It
 * belongs to the snapshot, whose CAs and CRLs never change, and ends with it.
 */
struct setpay_kept_part {
    atomic_int state; /* enum setpay_kept_state */
    setpay_time_ms from_ms;
    setpay_time_ms until_ms;
    const struct setpay_known_ca *above[2]; /* brand CA, root */
};

enum setpay_kept_state { SETPAY_KEPT_NONE, SETPAY_KEPT_BEING_WRITTEN, SETPAY_KEPT };

struct setpay_known_ca {
    struct setpay_certificate *certificate;
    struct setpay_crl *crl; /* NULL until one came */
    bool revoked;           /* by a list that is held, of its issuer, or an authority above it is */
    struct setpay_kept_part
        part; /* of an issuing CA; the one thing in a snapshot that is set late */
};

struct setpay_snapshot {
    atomic_uint references;
    uint64_t generation;
    size_t count;
    struct setpay_known_ca cas[SETPAY_LIMIT_TRUST_CAS]; /* the root is the first */
    X509_STORE *store;                                  /* the root and all CRLs */
    STACK_OF(X509) * intermediates;                     /* the other CAs; borrowed certificates */
};

struct setpay_trust {
    struct setpay_certificate *root;
    struct setpay_cache *cache;
    pthread_rwlock_t lock;  /* over the pointer to the current snapshot */
    pthread_mutex_t change; /* one change at a time */
    struct setpay_snapshot *current;
    /* What was refused, so that it is told once; guarded by change. */
    struct setpay_digest told[SETPAY_LIMIT_TRUST_TOLD];
    size_t told_count;
    _Atomic uint64_t cache_hits, verifications, leaf_verifications, refusals;
};

/* The current snapshot; give it back with unref. */
struct setpay_snapshot *setpay_snapshot_take(struct setpay_trust *trust);
void setpay_snapshot_unref(struct setpay_snapshot *snapshot);
/* Keeps the CAs among certificates that came beside this leaf. */
void setpay_trust_learn_beside(struct setpay_trust *trust, const struct setpay_digest *leaf,
                               const struct setpay_view *certificates, size_t count);
/* The known CA that issued x509, by name and key id. SETPAY_E_CERT_MISSING where none has the name,
 * SETPAY_E_CERT_CHAIN where one has it but another key. */
enum setpay_error setpay_snapshot_issuer(const struct setpay_snapshot *snapshot, X509 *x509,
                                         const struct setpay_known_ca **issuer) SETPAY_MUST_CHECK;

#endif
