/*
 * The authority's own TLS certificate: loaded, loaded again, and renewed in time by the authority
 * itself, on the registrar's thread.
 *
 * What always holds: a crash at any moment leaves a pair that works (common/net/party_files.h); a
 * pair that does not load is refused, and the one in use stays.
 */
#include "ca/cad.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/file.h"
#include "common/net/metrics.h"
#include "common/net/party_files.h"
#include "common/pki/csr.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 4

static int64_t read_seconds(void *arg)
{
    struct setpay_cad *cad = arg;
    (void)pthread_mutex_lock(&cad->lock);
    int64_t left_ms =
        setpay_certificate_not_after_ms(cad->server.certificate) - setpay_clock_now_ms();
    (void)pthread_mutex_unlock(&cad->lock);
    return left_ms / 1000;
}

static struct setpay_metric seconds_left = {
    .name = "setpay_ca_certificate_seconds_left",
    .help = "Time until the authority's own TLS certificate ends; below 0: it has ended.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_seconds,
};
static const char *const results[] = {"renewed", "failed", NULL};
static struct setpay_metric renewals_total = {
    .name = "setpay_ca_certificate_renewals_total",
    .help = "Times that the authority's own TLS certificate was to be renewed, by how it ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"result", results}},
};

/* ---- loading ---- */

static enum setpay_error init_files(const struct setpay_cad *cad, struct setpay_party_files *files,
                                    struct setpay_problem *problem)
{
    const struct setpay_config *config = cad->service->config;

    return setpay_party_files_init(files, setpay_config_text(config, "", "tls_key"),
                                   setpay_config_text(config, "", "tls_cert"), SETPAY_KEEP_NOT,
                                   problem);
}

/* *given: the configuration names one. */
static enum setpay_error read_passphrase(const struct setpay_cad *cad,
                                         struct setpay_secret *passphrase, bool *given,
                                         struct setpay_problem *problem)
{
    const char *path = setpay_config_text(cad->service->config, "", "key_passphrase_file");

    *given = path != NULL;
    return path == NULL ? SETPAY_OK : setpay_file_read_secret(path, passphrase, problem);
}

/* Any party may renew, by whichever of its certificates can sign. */
static enum setpay_error make_tls(struct setpay_cad *cad, const struct setpay_identity *server,
                                  struct setpay_problem *problem)
{
    const struct setpay_tls_identity identity = setpay_identity_tls(server, NULL);
    const struct setpay_tls_config config = {
        .identities = &identity,
        .identity_count = 1,
        .trust = cad->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_CARDHOLDER_SIGN) |
                         SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_SIGN) |
                         SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_CLIENT) |
                         SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_SERVER) |
                         SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_SIGN) |
                         SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_TLS_SERVER),
        .peer_optional = true,
    };

    return cad->tls == NULL ? setpay_tls_new_server(&config, &cad->tls, problem)
                            : setpay_tls_reload(cad->tls, &config, problem);
}

/* With the lock held. */
static enum setpay_error take_over(struct setpay_cad *cad, struct setpay_problem *problem)
{
    struct setpay_party_files files;
    struct setpay_identity server = {0};
    struct setpay_secret passphrase = {0};
    bool given = false;

    SETPAY_TRY(init_files(cad, &files, problem));
    SETPAY_TRY(setpay_party_files_mend(&files, problem));
    SETPAY_TRY(read_passphrase(cad, &passphrase, &given, problem));
    enum setpay_error error = setpay_identity_load(
        cad->trust, files.key, files.certificate, given ? &passphrase : NULL,
        SETPAY_PROFILE_CA_TLS_SERVER, NULL, setpay_clock_now_ms(), &server, problem);
    setpay_secret_clear(&passphrase);
    if (error == SETPAY_OK)
        error = make_tls(cad, &server, problem);
    if (error != SETPAY_OK) {
        setpay_identity_clear(&server);
        return error;
    }
    setpay_identity_clear(&cad->server);
    cad->server = server;
    return SETPAY_OK;
}

enum setpay_error setpay_cad_keys_load(struct setpay_cad *cad, struct setpay_problem *problem)
{
    (void)pthread_mutex_lock(&cad->lock);
    enum setpay_error error = take_over(cad, problem);
    (void)pthread_mutex_unlock(&cad->lock);
    return error;
}

enum setpay_error setpay_cad_keys_measure(struct setpay_cad *cad)
{
    seconds_left.read_arg = cad;
    SETPAY_TRY(setpay_metric_register(&seconds_left));
    return setpay_metric_register(&renewals_total);
}

/* ---- renewing ---- */

static enum setpay_error put(const struct setpay_party_files *files, struct setpay_view pem,
                             struct setpay_problem *problem)
{
    struct setpay_buffer ders[CHAIN_MAX];
    struct setpay_view views[CHAIN_MAX];
    size_t count = 0;
    enum setpay_error error = setpay_pem_certificates(pem, ders, CHAIN_MAX, &count);

    for (size_t at = 0; at < count; at++)
        views[at] = setpay_buffer_view(&ders[at]);
    if (error == SETPAY_OK)
        error = setpay_party_files_put(files, true, views, count, problem);
    for (size_t at = 0; at < count; at++)
        setpay_buffer_clear(&ders[at]);
    return error;
}

/* rule C2: a key never certified before. One that was certified just before a crash is given up for
 * another: the next look makes it. */
static enum setpay_error certify(struct setpay_ca *ca, struct setpay_view old,
                                 const struct setpay_party_files *files, EVP_PKEY *key,
                                 struct setpay_problem *problem)
{
    const struct setpay_csr_wish wish = {0};
    struct setpay_ca_issued issued;
    struct setpay_secret csr = {0};

    setpay_ca_issued_init(&issued);
    enum setpay_error error = setpay_csr_build(key, &wish, &csr);
    if (error == SETPAY_OK)
        error = setpay_ca_renew(ca, old, setpay_secret_view(&csr), 0, setpay_clock_now_ms(),
                                &issued, problem);
    if (error == SETPAY_OK)
        error = put(files, setpay_buffer_view(&issued.chain), problem);
    else if (error == SETPAY_E_KEY_CERTIFIED) {
        enum setpay_error destroyed = setpay_file_destroy(files->new_key, problem);
        error = destroyed == SETPAY_OK ? error : destroyed;
    }
    setpay_secret_clear(&csr);
    setpay_ca_issued_clear(&issued);
    return error;
}

static enum setpay_error renew(struct setpay_ca *ca, struct setpay_cad *cad, struct setpay_view old,
                               struct setpay_problem *problem)
{
    struct setpay_party_files files;
    struct setpay_secret passphrase = {0};
    EVP_PKEY *key = NULL;
    bool given = false;
    int lock = -1;

    SETPAY_TRY(init_files(cad, &files, problem));
    SETPAY_TRY(read_passphrase(cad, &passphrase, &given, problem));
    enum setpay_error error = setpay_party_files_lock(&files, &lock, problem);
    if (error == SETPAY_OK)
        error = setpay_party_files_key(&files, true, given ? &passphrase : NULL, &key, problem);
    if (error == SETPAY_OK)
        error = certify(ca, old, &files, key, problem);
    setpay_party_files_unlock(lock);
    setpay_secret_clear(&passphrase);
    EVP_PKEY_free(key);
    return error == SETPAY_OK ? setpay_cad_keys_load(cad, problem) : error;
}

/* After a failure: the first wait, and the longest one. */
#define WAIT_MS SETPAY_MINUTE_MS
#define WAIT_MAX_MS SETPAY_HOUR_MS

static void wait_on(struct setpay_cad *cad)
{
    cad->renew_wait_ms = cad->renew_wait_ms == 0                ? WAIT_MS
                         : cad->renew_wait_ms < WAIT_MAX_MS / 2 ? cad->renew_wait_ms * 2
                                                                : WAIT_MAX_MS;
    cad->renew_not_before_ms = setpay_clock_monotonic_ms() + cad->renew_wait_ms;
}

/* Its time has come, or that of who issued it: whoever fetches lists must believe this server when
 * that one is revoked. */
static bool is_due(struct setpay_ca *ca, const struct setpay_cad *cad,
                   const struct setpay_certificate *held)
{
    bool succeeded = false;

    if (setpay_identity_is_due(held, setpay_config_int(cad->service->config, "", "renew_before"),
                               setpay_clock_now_ms()))
        return true;
    return setpay_ca_is_succeeded(ca, setpay_certificate_thumbprint(held), &succeeded) ==
               SETPAY_OK &&
           succeeded;
}

void setpay_cad_keys_look(struct setpay_ca *ca, void *arg)
{
    struct setpay_cad *cad = arg;
    struct setpay_problem problem = {{0}};

    (void)pthread_mutex_lock(&cad->lock);
    struct setpay_certificate *held = setpay_certificate_ref(cad->server.certificate);
    (void)pthread_mutex_unlock(&cad->lock);
    if (setpay_clock_monotonic_ms() >= cad->renew_not_before_ms && is_due(ca, cad, held)) {
        enum setpay_error error = renew(ca, cad, setpay_certificate_der(held), &problem);
        setpay_metric_add(&renewals_total, error == SETPAY_OK ? 0 : 1, 0, 1);
        if (error == SETPAY_OK) {
            cad->renew_wait_ms = 0;
            setpay_log(SETPAY_LOG_INFO, "keys.renewed",
                       setpay_field_text("certificate", "ca-tls-server"));
        } else {
            wait_on(cad);
            setpay_log_error(error, "keys.not_renewed",
                             setpay_field_text("certificate", "ca-tls-server"),
                             setpay_field_int("again_in_ms", cad->renew_wait_ms),
                             setpay_field_text("text", problem.text));
        }
    }
    setpay_certificate_unref(held);
}
