/*
 * Key and chain of the shop's pages, out of their files. Nobody is judged by setpay's root here:
 * browsers judge by theirs.
 */
#include "merchant/shop_tls.h"

#include "common/crypto/file.h"
#include "common/crypto/keyfile.h"
#include "common/net/identity.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define CHAIN_MAX 6
#define FILE_MAX (64 * 1024)

struct loaded {
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * chain;
};

static void loaded_clear(struct loaded *loaded)
{
    EVP_PKEY_free(loaded->key);
    X509_free(loaded->leaf);
    sk_X509_pop_free(loaded->chain, X509_free);
}

/* The first is the leaf, the others stand above it. */
static enum setpay_error take_certificates(const struct setpay_buffer *certificates, size_t count,
                                           struct loaded *loaded)
{
    loaded->chain = sk_X509_new_null();
    if (loaded->chain == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *at = certificates[i].data;
        X509 *one = d2i_X509(NULL, &at, (long)certificates[i].size);
        if (one == NULL)
            return SETPAY_E_CERT_MALFORMED;
        if (i == 0) {
            loaded->leaf = one;
        } else if (sk_X509_push(loaded->chain, one) == 0) {
            X509_free(one);
            return SETPAY_E_NOMEM;
        }
    }
    return SETPAY_OK;
}

static enum setpay_error read_chain(const char *path, struct loaded *loaded,
                                    struct setpay_problem *problem)
{
    struct setpay_buffer pem;
    struct setpay_buffer certificates[CHAIN_MAX] = {{0}};
    size_t count = 0;
    setpay_buffer_init(&pem, FILE_MAX);
    enum setpay_error error = setpay_file_read(path, &pem, problem);
    if (error == SETPAY_OK) {
        error = setpay_pem_certificates(setpay_buffer_view(&pem), certificates, CHAIN_MAX, &count);
        if (error == SETPAY_OK)
            error = take_certificates(certificates, count, loaded);
        if (error != SETPAY_OK)
            error =
                setpay_problem_set(problem, SETPAY_E_CONFIG,
                                   "shop_tls_cert: %s: expected 1 to %d certificates in PEM, the"
                                   " shop's first",
                                   path, CHAIN_MAX);
    }
    for (size_t i = 0; i < count; i++)
        setpay_buffer_clear(&certificates[i]);
    setpay_buffer_clear(&pem);
    return error;
}

static enum setpay_error make(const struct loaded *loaded, struct setpay_tls **tls,
                              struct setpay_problem *problem)
{
    const struct setpay_tls_identity identity = {
        .certificate = loaded->leaf, .key = loaded->key, .chain = loaded->chain};
    const struct setpay_tls_config config = {.identities = &identity, .identity_count = 1};
    return *tls == NULL ? setpay_tls_new_server(&config, tls, problem)
                        : setpay_tls_reload(*tls, &config, problem);
}

enum setpay_error setpay_shop_tls_check(const struct setpay_config *config,
                                        struct setpay_problem *problem)
{
    bool has_key = setpay_config_text(config, "", "shop_tls_key") != NULL;
    bool has_cert = setpay_config_text(config, "", "shop_tls_cert") != NULL;
    if (has_key == has_cert)
        return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_CONFIG, "%s: found none; expected it beside %s, or neither",
        has_cert ? "shop_tls_key" : "shop_tls_cert", has_cert ? "shop_tls_cert" : "shop_tls_key");
}

enum setpay_error setpay_shop_tls_load(const struct setpay_config *config, struct setpay_tls **tls,
                                       struct setpay_problem *problem)
{
    struct loaded loaded = {.key = NULL};
    const char *key_path = setpay_config_text(config, "", "shop_tls_key");
    const char *cert_path = setpay_config_text(config, "", "shop_tls_cert");
    SETPAY_TRY(setpay_shop_tls_check(config, problem));
    if (key_path == NULL)
        return SETPAY_OK;
    enum setpay_error error = setpay_key_load(key_path, NULL, &loaded.key, problem);
    if (error == SETPAY_OK)
        error = read_chain(cert_path, &loaded, problem);
    if (error == SETPAY_OK)
        error = make(&loaded, tls, problem);
    loaded_clear(&loaded);
    return error;
}
