/*
 * TLS contexts and the judging of peers.
 *
 * A struct setpay_tls holds the SSL_CTX that new connections get, behind a mutex, so that a reload
 * is one swap. All that a connection needs later hangs on that SSL_CTX (struct context) or on its
 * SSL (struct session), and lives as long as they do.
 *
 * Sessions are resumed from memory only: a server keeps them in its SSL_CTX and gives out their
 * names (no session leaves the process inside a ticket), a client's caller keeps the newest one.
 * The ticket is also the server's word that it has taken the client's certificate; therefore the
 * peer is judged again right before one leaves.
 */
#include "common/net/tls.h"

#include "common/base/clock.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_KEPT 4096
#define SESSION_LIFE_S 3600
#define NAME_MAX_BYTES 255

struct identity {
    char *brand; /* NULL: shown to whoever names none of the others */
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

/* Immutable; hangs on the SSL_CTX. */
struct context {
    struct identity *identities;
    size_t identity_count;
    struct setpay_trust *trust;
    uint32_t peer_profiles;
    bool peer_optional;
    bool unlisted;
    bool is_server;
};

/* Hangs on the SSL. */
struct session {
    char brand[NAME_MAX_BYTES + 1]; /* expected; "" for any */
    char id[NAME_MAX_BYTES + 1];
    char host[NAME_MAX_BYTES + 1];
    char sni[NAME_MAX_BYTES + 1];
    enum setpay_error error; /* why the peer was refused */
    bool is_accepted;
    void (*on_accepted_cb)(void *arg);
    void *accepted_arg;
    SSL_SESSION *newest;
};

struct setpay_tls {
    pthread_mutex_t mutex;
    SSL_CTX *ctx; /* guarded by mutex */
    atomic_uint generation;
    bool is_server;
};

/* ----------------------------------------------------------------------------- what hangs where */

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int context_index = -1, session_index = -1;

static void context_free(struct context *context)
{
    if (context == NULL)
        return;
    for (size_t i = 0; i < context->identity_count; i++) {
        struct identity *identity = &context->identities[i];
        free(identity->brand);
        X509_free(identity->certificate);
        EVP_PKEY_free(identity->key);
        sk_X509_pop_free(identity->chain, X509_free);
    }
    free(context->identities);
    free(context);
}

static void on_context_free(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long argl,
                            void *argp)
{
    (void)parent, (void)all, (void)index, (void)argl, (void)argp;
    context_free(data);
}

static void on_session_free(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long argl,
                            void *argp)
{
    (void)parent, (void)all, (void)index, (void)argl, (void)argp;
    struct session *session = data;
    if (session == NULL)
        return;
    SSL_SESSION_free(session->newest);
    free(session);
}

static void make_indices(void)
{
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_free);
    session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_session_free);
}

static const struct context *context_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
}

static struct session *session_of(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, session_index);
}

/* ------------------------------------------------------------------------------- judging peers */

/* The one profile among the permitted ones that the leaf may have. */
static enum setpay_error choose_profile(uint32_t permitted, X509 *leaf,
                                        enum setpay_profile *profile)
{
    if ((permitted & (permitted - 1)) == 0) {
        *profile = (enum setpay_profile)__builtin_ctz(permitted);
        return SETPAY_OK;
    }
    enum setpay_error error;
    struct setpay_certificate *parsed = NULL;
    uint8_t *der = NULL;
    int size = i2d_X509(leaf, &der);
    if (size <= 0)
        return SETPAY_E_CERT_MALFORMED;
    error = setpay_certificate_parse(setpay_view_of(der, (size_t)size), &parsed);
    if (error != SETPAY_OK)
        goto out;
    *profile = setpay_certificate_profile(parsed);
    if ((permitted & SETPAY_TLS_PROFILE(*profile)) == 0)
        error = SETPAY_E_CERT_ROLE;
out:
    setpay_certificate_unref(parsed);
    OPENSSL_free(der);
    return error;
}

static enum setpay_error check_expected(const struct session *session,
                                        const struct setpay_certificate *certificate)
{
    if (session->brand[0] != '\0' &&
        strcmp(session->brand, setpay_certificate_brand(certificate)) != 0)
        return SETPAY_E_BRANDS_MIXED;
    if (session->id[0] != '\0' && strcmp(session->id, setpay_certificate_id(certificate)) != 0)
        return SETPAY_E_CERT_NAME;
    if (session->host[0] != '\0' && !setpay_certificate_names_host(certificate, session->host))
        return SETPAY_E_HOST; /* rule W1, for the channel */
    return SETPAY_OK;
}

static void describe(const struct setpay_certificate *certificate, struct setpay_peer *peer)
{
    memset(peer, 0, sizeof *peer);
    peer->is_certified = true;
    peer->profile = setpay_certificate_profile(certificate);
    strncpy(peer->brand, setpay_certificate_brand(certificate), sizeof peer->brand - 1);
    strncpy(peer->id, setpay_certificate_id(certificate), sizeof peer->id - 1);
    peer->thumbprint = *setpay_certificate_thumbprint(certificate);
}

/* Rule A3, profile and expectation. leaf may be NULL. */
static enum setpay_error judge(const SSL *ssl, X509 *leaf, const STACK_OF(X509) * chain,
                               struct setpay_peer *peer)
{
    const struct context *context = context_of(ssl);
    const struct session *session = session_of(ssl);
    if (leaf == NULL) {
        if (!context->is_server || (context->peer_profiles != 0 && !context->peer_optional))
            return SETPAY_E_CERT_MISSING;
        memset(peer, 0, sizeof *peer);
        return SETPAY_OK;
    }
    enum setpay_profile profile = SETPAY_PROFILE_NONE;
    struct setpay_certificate *certificate = NULL;
    SETPAY_TRY(choose_profile(context->peer_profiles, leaf, &profile));
    /* rule A3 */
    SETPAY_TRY((context->unlisted ? setpay_trust_verify_peer_unlisted : setpay_trust_verify_peer)(
        context->trust, leaf, chain, profile, NULL, setpay_clock_now_ms(), &certificate));
    enum setpay_error error = check_expected(session, certificate);
    if (error == SETPAY_OK)
        describe(certificate, peer);
    setpay_certificate_unref(certificate);
    return error;
}

/* Chooses the alert that the peer gets. */
static int verify_result(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_CERT_REVOKED:
        return X509_V_ERR_CERT_REVOKED;
    case SETPAY_E_CERT_TIME:
        return X509_V_ERR_CERT_HAS_EXPIRED;
    case SETPAY_E_CERT_CHAIN:
    case SETPAY_E_CERT_MISSING:
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    default:
        return X509_V_ERR_INVALID_PURPOSE;
    }
}

static int on_verify(X509_STORE_CTX *store_context, void *arg)
{
    (void)arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct setpay_peer peer;
    enum setpay_error error = judge(ssl, X509_STORE_CTX_get0_cert(store_context),
                                    X509_STORE_CTX_get0_untrusted(store_context), &peer);
    if (error == SETPAY_OK) {
        X509_STORE_CTX_set_error(store_context, X509_V_OK);
        return 1;
    }
    session_of(ssl)->error = error;
    X509_STORE_CTX_set_error(store_context, verify_result(error));
    return 0;
}

enum setpay_error setpay_tls_check_peer(SSL *ssl, struct setpay_peer *peer)
{
    enum setpay_error error =
        judge(ssl, SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl), peer);
    if (error != SETPAY_OK)
        session_of(ssl)->error = error;
    return error;
}

/* ---------------------------------------------------------------------------------- callbacks */

/* Server: a ticket is about to leave, after a full handshake or a resumed one. */
static int on_ticket(SSL *ssl, void *arg)
{
    (void)arg;
    struct setpay_peer peer;
    return setpay_tls_check_peer(ssl, &peer) == SETPAY_OK; /* rule A3, resumed sessions too */
}

/* Client: a ticket has come. */
static int on_new_session(SSL *ssl, SSL_SESSION *newest)
{
    struct session *session = session_of(ssl);
    session->is_accepted = true;
    if (session->on_accepted_cb != NULL)
        session->on_accepted_cb(session->accepted_arg);
    session->on_accepted_cb = NULL;
    if (SSL_SESSION_is_resumable(newest) != 1)
        return 0;
    SSL_SESSION_free(session->newest);
    session->newest = newest;
    return 1; /* the reference is ours */
}

/* Server: shows the certificate of the brand that the client names (SNI). */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)arg;
    const struct context *context = context_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct identity *chosen = NULL;
    for (size_t i = 0; i < context->identity_count; i++) {
        const struct identity *identity = &context->identities[i];
        if (identity->brand != NULL && name != NULL && strcmp(identity->brand, name) == 0) {
            chosen = identity;
            break;
        }
        if (identity->brand == NULL && chosen == NULL)
            chosen = identity;
    }
    if (chosen == NULL) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (SSL_use_cert_and_key(ssl, chosen->certificate, chosen->key, chosen->chain, 1) != 1) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_OK;
}

/* ----------------------------------------------------------------------------------- contexts */

static enum setpay_error say(struct setpay_problem *problem, enum setpay_error error,
                             const char *text)
{
    ERR_clear_error();
    if (problem != NULL)
        (void)setpay_problem_set(problem, error, "%s", text);
    return error;
}

static enum setpay_error identity_copy(const struct setpay_tls_identity *from, struct identity *to,
                                       struct setpay_problem *problem)
{
    if (from->certificate == NULL || from->key == NULL ||
        X509_check_private_key(from->certificate, from->key) != 1)
        return say(problem, SETPAY_E_CONFIG,
                   "the TLS certificate and its private key do not belong together");
    to->chain = from->chain == NULL ? NULL : X509_chain_up_ref(from->chain);
    to->brand = from->brand == NULL ? NULL : strdup(from->brand);
    X509_up_ref(from->certificate);
    to->certificate = from->certificate;
    EVP_PKEY_up_ref(from->key);
    to->key = from->key;
    if ((from->brand != NULL && to->brand == NULL) || (from->chain != NULL && to->chain == NULL))
        return SETPAY_E_NOMEM; /* what was taken is freed with the context */
    return SETPAY_OK;
}

static enum setpay_error context_new(const struct setpay_tls_config *config, bool is_server,
                                     struct context **context, struct setpay_problem *problem)
{
    if (is_server ? config->identity_count == 0 : config->identity_count > 1)
        return say(problem, SETPAY_E_CONFIG,
                   "a TLS server needs a certificate, and a TLS client at most one");
    if (config->peer_profiles != 0 ? config->trust == NULL : !is_server)
        return say(problem, SETPAY_E_CONFIG,
                   "a TLS peer's certificate can't be judged without a root and a profile");
    enum setpay_error error = SETPAY_E_NOMEM;
    struct context *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->identities = calloc(config->identity_count + 1, sizeof *made->identities);
    if (made->identities == NULL)
        goto out;
    for (size_t i = 0; i < config->identity_count; i++) {
        made->identity_count = i + 1;
        error = identity_copy(&config->identities[i], &made->identities[i], problem);
        if (error != SETPAY_OK)
            goto out;
    }
    made->trust = config->trust;
    made->peer_profiles = config->peer_profiles;
    made->peer_optional = config->peer_optional;
    made->unlisted = config->unlisted && !is_server;
    made->is_server = is_server;
    *context = made;
    made = NULL;
    error = SETPAY_OK;
out:
    context_free(made);
    return error;
}

/* What holds for servers and clients alike. */
static bool set_common(SSL_CTX *ctx)
{
    /* OpenSSL's macros take them without const. */
    static char groups[] = "X25519:P-256", signatures[] = "ECDSA+SHA256";
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_cert_verify_callback(ctx, on_verify, NULL);
    SSL_CTX_set_timeout(ctx, SESSION_LIFE_S);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1 &&
           SSL_CTX_set_max_early_data(ctx, 0) == 1 && SSL_CTX_set_recv_max_early_data(ctx, 0) == 1;
}

static bool set_server(SSL_CTX *ctx, const struct context *context)
{
    static const unsigned char id_context[] = "setpay/1";
    int verify = SSL_VERIFY_NONE;
    if (context->peer_profiles != 0)
        verify = SSL_VERIFY_PEER | (context->peer_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    SSL_CTX_set_verify(ctx, verify, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET); /* TLS 1.3: tickets are names, not sessions */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(ctx, SESSIONS_KEPT);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    return SSL_CTX_set_session_id_context(ctx, id_context, sizeof id_context - 1) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_session_ticket_cb(ctx, on_ticket, NULL, NULL) == 1;
}

static bool set_client(SSL_CTX *ctx, const struct context *context)
{
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    if (context->identity_count == 0)
        return true;
    const struct identity *own = &context->identities[0];
    return SSL_CTX_use_cert_and_key(ctx, own->certificate, own->key, own->chain, 1) == 1;
}

static enum setpay_error ctx_new(const struct setpay_tls_config *config, bool is_server,
                                 SSL_CTX **ctx, struct setpay_problem *problem)
{
    pthread_once(&index_once, make_indices);
    struct context *context = NULL;
    SETPAY_TRY(context_new(config, is_server, &context, problem));
    SSL_CTX *made = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (made == NULL || SSL_CTX_set_ex_data(made, context_index, context) != 1) {
        context_free(context);
        SSL_CTX_free(made);
        return say(problem, SETPAY_E_CRYPTO, "OpenSSL could not make a TLS context");
    }
    /* From here on the context goes with made. */
    if (!set_common(made) || !(is_server ? set_server(made, context) : set_client(made, context))) {
        SSL_CTX_free(made);
        return say(problem, SETPAY_E_CRYPTO, "OpenSSL refused a setting of a TLS context");
    }
    *ctx = made;
    return SETPAY_OK;
}

static enum setpay_error tls_new(const struct setpay_tls_config *config, bool is_server,
                                 struct setpay_tls **tls, struct setpay_problem *problem)
{
    struct setpay_tls *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->is_server = is_server;
    enum setpay_error error = ctx_new(config, is_server, &made->ctx, problem);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    pthread_mutex_init(&made->mutex, NULL);
    *tls = made;
    return SETPAY_OK;
}

enum setpay_error setpay_tls_new_server(const struct setpay_tls_config *config,
                                        struct setpay_tls **tls, struct setpay_problem *problem)
{
    return tls_new(config, true, tls, problem);
}

enum setpay_error setpay_tls_new_client(const struct setpay_tls_config *config,
                                        struct setpay_tls **tls, struct setpay_problem *problem)
{
    return tls_new(config, false, tls, problem);
}

enum setpay_error setpay_tls_reload(struct setpay_tls *tls, const struct setpay_tls_config *config,
                                    struct setpay_problem *problem)
{
    SSL_CTX *fresh = NULL;
    SETPAY_TRY(ctx_new(config, tls->is_server, &fresh, problem));
    pthread_mutex_lock(&tls->mutex);
    SSL_CTX *former = tls->ctx;
    tls->ctx = fresh;
    pthread_mutex_unlock(&tls->mutex);
    atomic_fetch_add(&tls->generation, 1);
    SSL_CTX_free(former);
    return SETPAY_OK;
}

unsigned setpay_tls_generation(const struct setpay_tls *tls)
{
    return atomic_load(&tls->generation);
}

void setpay_tls_free(struct setpay_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->ctx);
    pthread_mutex_destroy(&tls->mutex);
    free(tls);
}

/* ----------------------------------------------------------------------------------- sessions */

static enum setpay_error session_new(struct setpay_tls *tls, SSL **ssl)
{
    pthread_mutex_lock(&tls->mutex);
    SSL *made = SSL_new(tls->ctx);
    pthread_mutex_unlock(&tls->mutex);
    struct session *session = calloc(1, sizeof *session);
    if (made == NULL || session == NULL || SSL_set_ex_data(made, session_index, session) != 1) {
        free(session);
        SSL_free(made);
        ERR_clear_error();
        return SETPAY_E_NOMEM;
    }
    *ssl = made;
    return SETPAY_OK;
}

enum setpay_error setpay_tls_session_server(struct setpay_tls *tls, SSL **ssl)
{
    return session_new(tls, ssl);
}

static bool copy_name(const char *from, char *to)
{
    if (from == NULL)
        return true;
    size_t size = strlen(from);
    if (size > NAME_MAX_BYTES)
        return false;
    memcpy(to, from, size + 1);
    return true;
}

enum setpay_error setpay_tls_session_client(struct setpay_tls *tls,
                                            const struct setpay_tls_expect *expect, SSL **ssl)
{
    SSL *made = NULL;
    SETPAY_TRY(session_new(tls, &made));
    struct session *session = session_of(made);
    if (!copy_name(expect->sni, session->sni) || !copy_name(expect->brand, session->brand) ||
        !copy_name(expect->id, session->id) || !copy_name(expect->host, session->host) ||
        (expect->sni != NULL && SSL_set_tlsext_host_name(made, session->sni) != 1)) {
        SSL_free(made);
        ERR_clear_error();
        return SETPAY_E_INVALID;
    }
    *ssl = made;
    return SETPAY_OK;
}

enum setpay_error setpay_tls_handshake_error(SSL *ssl)
{
    enum setpay_error error = session_of(ssl)->error;
    return error == SETPAY_OK ? SETPAY_E_TLS : error;
}

bool setpay_tls_is_accepted(const SSL *ssl)
{
    return session_of(ssl)->is_accepted;
}

void setpay_tls_watch_accepted(SSL *ssl, void (*on_accepted_cb)(void *arg), void *arg)
{
    struct session *session = session_of(ssl);
    session->on_accepted_cb = on_accepted_cb;
    session->accepted_arg = arg;
}

SSL_SESSION *setpay_tls_take_session(SSL *ssl)
{
    struct session *session = session_of(ssl);
    SSL_SESSION *newest = session->newest;
    session->newest = NULL;
    return newest;
}

void setpay_tls_shutdown(SSL *ssl)
{
    ERR_clear_error();
    /* One attempt, never waited for. What could not be said is marked as said: an SSL that is freed
     * without it takes its session out of the cache. */
    if (SSL_is_init_finished(ssl) && (SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN) == 0)
        (void)SSL_shutdown(ssl);
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_SENT_SHUTDOWN);
    ERR_clear_error();
}
