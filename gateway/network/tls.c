/*
 * TLS on a line to an issuer: who is believed, and who we say we are.
 *
 * What always holds: only TLS 1.3, and only CAs of the configured file, never the system's; the
 * line itself asks for the issuer's name (line.c). The private key is read like all others: from a
 * file that nobody else can read, through secret memory.
 */
#include "gateway/network/tls.h"

#include "common/crypto/file.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

/* Never asks at a terminal. */
static int give_passphrase(char *buffer, int size, int writing, void *arg)
{
    const struct setpay_secret *passphrase = arg;
    (void)writing;
    if (passphrase == NULL || size < 0 || passphrase->size > (size_t)size)
        return -1;
    memcpy(buffer, passphrase->data, passphrase->size);
    return (int)passphrase->size;
}

static enum setpay_error use_key(SSL_CTX *made, const struct setpay_network_tls *options,
                                 struct setpay_problem *problem)
{
    struct setpay_secret pem = {0};
    BIO *bio = NULL;
    EVP_PKEY *key = NULL;
    enum setpay_error error = setpay_file_read_secret(options->key, &pem, problem);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_NOMEM;
    bio = pem.size > INT_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.size); /* no copy */
    if (bio == NULL)
        goto out;
    /* What it is told is not changed. */
    key =
        PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, (void *)(uintptr_t)options->passphrase);
    error = SETPAY_OK;
    if (key == NULL)
        error =
            setpay_problem_set(problem, SETPAY_E_CONFIG,
                               "[issuer %s] tls_key: %s has no private key in PEM, or one under "
                               "another passphrase",
                               options->name, options->key);
    else if (SSL_CTX_use_PrivateKey(made, key) != 1)
        error = setpay_problem_set(problem, SETPAY_E_CONFIG,
                                   "[issuer %s] tls_key: %s has not the key of the certificate",
                                   options->name, options->key);
out:
    EVP_PKEY_free(key);
    BIO_free(bio);
    setpay_secret_clear(&pem);
    return error;
}

static enum setpay_error use_identity(SSL_CTX *made, const struct setpay_network_tls *options,
                                      struct setpay_problem *problem)
{
    if (options->cert == NULL && options->key == NULL)
        return SETPAY_OK;
    if (options->cert == NULL || options->key == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[issuer %s] tls_cert and tls_key: both are needed, or neither",
                                  options->name);
    if (SSL_CTX_use_certificate_chain_file(made, options->cert) != 1)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[issuer %s] tls_cert: %s has no certificate in PEM",
                                  options->name, options->cert);
    return use_key(made, options, problem);
}

enum setpay_error setpay_network_tls_new(const struct setpay_network_tls *options, SSL_CTX **tls,
                                         struct setpay_problem *problem)
{
    enum setpay_error error = SETPAY_E_NOMEM;
    SSL_CTX *made = SSL_CTX_new(TLS_client_method());
    if (made == NULL || SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION) != 1)
        goto out;
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    if (options->ca == NULL)
        error = setpay_problem_set(problem, SETPAY_E_CONFIG,
                                   "[issuer %s] tls_ca is missing: with tls = yes the CAs that may "
                                   "have issued the issuer's certificate must be named",
                                   options->name);
    else if (SSL_CTX_load_verify_file(made, options->ca) != 1)
        error = setpay_problem_set(problem, SETPAY_E_CONFIG,
                                   "[issuer %s] tls_ca: %s has no certificate in PEM",
                                   options->name, options->ca);
    else
        error = use_identity(made, options, problem);
out:
    ERR_clear_error();
    if (error == SETPAY_OK)
        *tls = made;
    else
        SSL_CTX_free(made);
    return error;
}
