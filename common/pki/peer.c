/*
 * The trust store's rules for the certificates of a TLS peer.
 *
 * TLS libraries hand over parsed X509 structures; here they become bytes again, so that a TLS peer
 * goes the same way as a certificate beside a message, through the same cache, with the same
 * errors.
 */
#include "common/base/limits.h"
#include "common/pki/chain.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

/* DER of one certificate appended to all; view is set once all stands still. */
static enum setpay_error append_der(X509 *x509, struct setpay_buffer *all, size_t *size)
{
    unsigned char *der = NULL;
    int length = i2d_X509(x509, &der);
    if (length <= 0) {
        ERR_clear_error();
        return SETPAY_E_CERT_MALFORMED;
    }
    enum setpay_error error = setpay_buffer_append(all, setpay_view_of(der, (size_t)length));
    OPENSSL_free(der);
    *size = (size_t)length;
    return error;
}

typedef enum setpay_error verify_fn(struct setpay_trust *trust, struct setpay_view leaf_der,
                                    const struct setpay_view *offered, size_t offered_count,
                                    enum setpay_profile profile, const char *brand,
                                    setpay_time_ms now_ms, struct setpay_certificate **certificate);

static enum setpay_error verify_peer(struct setpay_trust *trust, X509 *leaf,
                                     const STACK_OF(X509) * chain, enum setpay_profile profile,
                                     const char *brand, setpay_time_ms now_ms, verify_fn *verify,
                                     struct setpay_certificate **certificate)
{
    if (leaf == NULL)
        return SETPAY_E_CERT_MISSING;
    struct setpay_buffer all;
    size_t sizes[SETPAY_LIMIT_CERTIFICATES + 1], count = 1, at;
    struct setpay_view views[SETPAY_LIMIT_CERTIFICATES + 1];
    setpay_buffer_init(&all, (SETPAY_LIMIT_CERTIFICATES + 1) * SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = append_der(leaf, &all, &sizes[0]);
    int offered = chain == NULL ? 0 : sk_X509_num(chain);
    for (int i = 0; error == SETPAY_OK && i < offered && count <= SETPAY_LIMIT_CERTIFICATES; i++) {
        /* A client's chain has the leaf in it as well. */
        X509 *x509 = sk_X509_value(chain, i);
        if (X509_cmp(x509, leaf) == 0)
            continue;
        error = append_der(x509, &all, &sizes[count++]);
    }
    if (error != SETPAY_OK)
        goto out;
    at = 0;
    for (size_t i = 0; i < count; i++) {
        views[i] = setpay_view_of(all.data + at, sizes[i]);
        at += sizes[i];
    }
    error = verify(trust, views[0], views + 1, count - 1, profile, brand, now_ms, certificate);
out:
    setpay_buffer_clear(&all);
    return error;
}

enum setpay_error setpay_trust_verify_peer(struct setpay_trust *trust, X509 *leaf,
                                           const STACK_OF(X509) * chain,
                                           enum setpay_profile profile, const char *brand,
                                           setpay_time_ms now_ms,
                                           struct setpay_certificate **certificate)
{
    return verify_peer(trust, leaf, chain, profile, brand, now_ms, setpay_trust_verify,
                       certificate);
}

enum setpay_error setpay_trust_verify_peer_unlisted(struct setpay_trust *trust, X509 *leaf,
                                                    const STACK_OF(X509) * chain,
                                                    enum setpay_profile profile, const char *brand,
                                                    setpay_time_ms now_ms,
                                                    struct setpay_certificate **certificate)
{
    return verify_peer(trust, leaf, chain, profile, brand, now_ms, setpay_trust_verify_unlisted,
                       certificate);
}

/* What the alert will say; TLS has few words for it. */
static int openssl_verdict(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_CERT_TIME:
        return X509_V_ERR_CERT_HAS_EXPIRED;
    case SETPAY_E_CERT_REVOKED:
        return X509_V_ERR_CERT_REVOKED;
    case SETPAY_E_CERT_MISSING:
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    case SETPAY_E_CRL_MISSING:
        return X509_V_ERR_UNABLE_TO_GET_CRL;
    case SETPAY_E_CRL_STALE:
        return X509_V_ERR_CRL_HAS_EXPIRED;
    case SETPAY_E_CERT_ROLE:
    case SETPAY_E_CERT_USAGE:
        return X509_V_ERR_INVALID_PURPOSE;
    case SETPAY_E_NOMEM:
        return X509_V_ERR_OUT_OF_MEM;
    default:
        return X509_V_ERR_CERT_REJECTED;
    }
}

int setpay_trust_verify_cb(X509_STORE_CTX *context, void *expectation)
{
    const struct setpay_peer_expectation *expected = expectation;
    struct setpay_certificate *certificate = NULL;
    enum setpay_error error = setpay_trust_verify_peer(
        expected->trust, X509_STORE_CTX_get0_cert(context), X509_STORE_CTX_get0_untrusted(context),
        expected->profile, expected->brand, setpay_clock_now_ms(), &certificate);
    if (error != SETPAY_OK) {
        X509_STORE_CTX_set_error(context, openssl_verdict(error));
        return 0;
    }
    setpay_certificate_unref(certificate);
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}
