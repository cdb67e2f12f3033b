/*
 * TLS 1.3 between parties: what a context permits, and who the other end is.
 *
 * The peer is judged by rule A3 (struct setpay_trust) and by what is expected of it, in this order:
 * in OpenSSL's verify callback during a full handshake; on a server before a session ticket leaves,
 * so that a resumed session is judged too; and once more after every handshake by
 * setpay_tls_check_peer, which is also how a long-lived connection is judged again later.
 *
 * TLS 1.3 only; no 0-RTT, no renegotiation, no compression; P-256 certificates.
 */
#ifndef SETPAY_NET_TLS_H
#define SETPAY_NET_TLS_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/pki/role.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_trust;

/* Who is at the other end, from its certificate. */
struct setpay_peer {
    bool is_certified; /* false: no certificate was shown (only where none is required) */
    enum setpay_profile profile;
    char brand[64]; /* O */
    char id[128];   /* CN: merchant id, gateway id */
    struct setpay_digest thumbprint;
};

/* Sets of enum setpay_profile. */
#define SETPAY_TLS_PROFILE(profile) (UINT32_C(1) << (unsigned)(profile))

/* A certificate of our own with its key. All are borrowed for the call; contexts take references.
 */
struct setpay_tls_identity {
    const char
        *brand; /* a server shows it to clients whose SNI is this text; NULL: to all others */
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* issuing CA and brand CA; without leaf and root */
};

struct setpay_tls_config {
    const struct setpay_tls_identity *identities; /* a client has none or one */
    size_t identity_count;
    struct setpay_trust *trust; /* borrowed; outlives every connection */
    /* What the peer's certificate must be: one of these profiles (SETPAY_TLS_PROFILE bits). A
     * server with 0 asks for no certificate. */
    uint32_t peer_profiles;
    bool peer_optional; /* a server also takes clients without a certificate */
    /* A client's very first contact, or one after long: takes a server although revocation lists
     * are missing or stale. Only for fetching these (setpay_trust_verify_peer_unlisted). */
    bool unlisted;
};

struct setpay_tls;

/* A context for any number of connections and threads. SETPAY_E_CONFIG (no identity, key and
 * certificate don't match), SETPAY_E_CRYPTO, with words in problem (may be NULL). */
enum setpay_error setpay_tls_new_server(const struct setpay_tls_config *config,
                                        struct setpay_tls **tls,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_tls_new_client(const struct setpay_tls_config *config,
                                        struct setpay_tls **tls,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Any thread: swaps certificates for connections that are made from now on; living ones keep what
 * they have. On an error nothing has changed. */
enum setpay_error setpay_tls_reload(struct setpay_tls *tls, const struct setpay_tls_config *config,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Any thread: how often it was reloaded. A client whose connections are of an earlier one than this
 * shows certificates that were replaced. */
unsigned setpay_tls_generation(const struct setpay_tls *tls);
/* NULL-safe. Connections that are still alive keep what they need. */
void setpay_tls_free(struct setpay_tls *tls);

/* What a client expects of the one server that it calls; texts may be NULL: any. */
struct setpay_tls_expect {
    const char *sni;   /* sent: a brand id, or a host name */
    const char *brand; /* O of the certificate */
    const char *id;    /* CN */
    const char *host;  /* a dNSName of the certificate */
};

/* New SSL objects, owned by the caller until given to a bufferevent; free with setpay_tls_close or
 * SSL_free. The expectation's texts are copied. SETPAY_E_NOMEM, SETPAY_E_CRYPTO. */
enum setpay_error setpay_tls_session_server(struct setpay_tls *tls, SSL **ssl) SETPAY_MUST_CHECK;
enum setpay_error setpay_tls_session_client(struct setpay_tls *tls,
                                            const struct setpay_tls_expect *expect,
                                            SSL **ssl) SETPAY_MUST_CHECK;

/* After the handshake, full or resumed, and whenever the connection is to be judged again: rule A3,
 * the profile and the expectation. *peer is untouched on error. SETPAY_E_CERT_*, SETPAY_E_CRL_*,
 * SETPAY_E_CERT_MISSING, SETPAY_E_BRANDS_MIXED, SETPAY_E_HOST. */
enum setpay_error setpay_tls_check_peer(SSL *ssl, struct setpay_peer *peer) SETPAY_MUST_CHECK;
/* Why a handshake failed: the error of the peer's certificate where that was it, else
 * SETPAY_E_TLS. */
enum setpay_error setpay_tls_handshake_error(SSL *ssl);
/* True on a client once the server has sent a session ticket: with TLS 1.3 that is the first sign
 * that it has accepted our certificate. */
bool setpay_tls_is_accepted(const SSL *ssl);
/* Client: has on_accepted_cb called from within the SSL_read that meets the first ticket (which
 * gives no data). It must only make a note; NULL forgets it. */
void setpay_tls_watch_accepted(SSL *ssl, void (*on_accepted_cb)(void *arg), void *arg);
/* Client: the newest session that may be resumed, owned (SSL_SESSION_free), or NULL. */
SSL_SESSION *setpay_tls_take_session(SSL *ssl);

/* Says goodbye (close_notify, once the handshake is done) and marks the session as properly ended,
 * so that it stays resumable; whoever owns ssl frees it. */
void setpay_tls_shutdown(SSL *ssl);

#endif
