/*
 * Private keys in memory, as PEM, and in files; keys from passphrases.
 *
 * What always holds: a key that is written is on P-256, and so is one that is read; PEM in the
 * clear exists only in secret memory; a file with a key or passphrase is read only where nobody but
 * its owner can have read or changed it.
 *
 * Encrypted files use scrypt with N = 2^14: the most that OpenSSL opens without being told of a
 * larger memory limit, so `openssl pkey` reads them as they are.
 */
#include "common/crypto/keyfile.h"

#include "common/crypto/file.h"
#include "common/crypto/hash.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

#define FILE_SCRYPT_N (UINT64_C(1) << 14)
#define SCRYPT_MEMORY_MAX (UINT64_C(2) << 30)

static const char pem_clear[] = "-----BEGIN PRIVATE KEY-----";
static const char pem_encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

enum setpay_error setpay_key_generate(EVP_PKEY **key)
{
    EVP_PKEY *made = EVP_EC_gen("P-256");
    if (made == NULL) {
        ERR_clear_error();
        return SETPAY_E_CRYPTO;
    }
    *key = made;
    return SETPAY_OK;
}

bool setpay_key_is_p256(const EVP_PKEY *key)
{
    char group[32];
    size_t size = 0;
    int by_parameters = 0;
    if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
        return false;
    /* The same curve given by explicit parameters is not the named curve. */
    if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                               &by_parameters) == 1 &&
        by_parameters != 0)
        return false;
    bool same = EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
                (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
    if (!same)
        ERR_clear_error();
    return same;
}

enum setpay_error setpay_key_digest(EVP_PKEY *key, struct setpay_digest *digest)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    unsigned char *der = NULL;
    int size = 0;
    /* A copy, since others may be using the key at this moment. */
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    if (copy == NULL || EVP_PKEY_set_utf8_string_param(
                            copy, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") != 1)
        goto out;
    size = i2d_PUBKEY(copy, &der);
    if (size > 0)
        error = setpay_sha256(setpay_view_of(der, (size_t)size), digest);
out:
    OPENSSL_free(der);
    EVP_PKEY_free(copy);
    ERR_clear_error();
    return error;
}

/* ------------------------------------------------------------------ PEM */

/* The key as an encrypted PKCS#8 structure; NULL on failure. */
static X509_SIG *encrypt_key(EVP_PKEY *key, const struct setpay_secret *passphrase)
{
    uint8_t salt[16];
    X509_SIG *sealed = NULL;
    X509_ALGOR *scheme = NULL;
    PKCS8_PRIV_KEY_INFO *clear = EVP_PKEY2PKCS8(key);
    if (clear == NULL || passphrase->size > INT_MAX || RAND_bytes(salt, sizeof(salt)) != 1)
        goto out;
    scheme =
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof(salt), NULL, FILE_SCRYPT_N, 8, 1);
    if (scheme == NULL)
        goto out;
    sealed = PKCS8_set0_pbe((const char *)passphrase->data, (int)passphrase->size, clear, scheme);
    if (sealed != NULL)
        scheme = NULL; /* it is the structure's now */
out:
    X509_ALGOR_free(scheme);
    PKCS8_PRIV_KEY_INFO_free(clear); /* cleanses */
    return sealed;
}

enum setpay_error setpay_key_build_pem(EVP_PKEY *key, const struct setpay_secret *passphrase,
                                       struct setpay_secret *pem)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    X509_SIG *sealed = NULL;
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL || !setpay_key_is_p256(key))
        goto out;
    if (passphrase != NULL) {
        sealed = encrypt_key(key, passphrase);
        if (sealed == NULL || PEM_write_bio_PKCS8(bio, sealed) != 1)
            goto out;
    } else if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        goto out;
    }
    long size = BIO_get_mem_data(bio, &text);
    if (size <= 0)
        goto out;
    error = setpay_secret_copy(pem, setpay_view_of(text, (size_t)size));
out:
    X509_SIG_free(sealed);
    BIO_free(bio); /* cleanses */
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* OpenSSL asks for a passphrase through this. */
static int passphrase_cb(char *room, int size, int writing, void *arg)
{
    const struct setpay_secret *passphrase = arg;
    (void)writing;
    if (passphrase == NULL || passphrase->size == 0 || passphrase->size > (size_t)size)
        return -1;
    memcpy(room, passphrase->data, passphrase->size);
    return (int)passphrase->size;
}

enum setpay_error setpay_key_parse_pem(struct setpay_view pem,
                                       const struct setpay_secret *passphrase, EVP_PKEY **key)
{
    bool encrypted = false;
    union {
        const struct setpay_secret *in;
        void *arg;
    } given = {passphrase}; /* OpenSSL's argument has no const; the callback only reads */
    if (pem.size == 0 || pem.size > INT_MAX)
        return SETPAY_E_INVALID;
    if (memmem(pem.data, pem.size, pem_encrypted, sizeof(pem_encrypted) - 1) != NULL)
        encrypted = true;
    else if (memmem(pem.data, pem.size, pem_clear, sizeof(pem_clear) - 1) == NULL)
        return SETPAY_E_INVALID;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio == NULL)
        return SETPAY_E_NOMEM;
    EVP_PKEY *made = PEM_read_bio_PrivateKey(bio, NULL, passphrase_cb, given.arg);
    BIO_free(bio);
    ERR_clear_error();
    if (made == NULL)
        return encrypted ? SETPAY_E_PASSPHRASE : SETPAY_E_INVALID;
    if (!setpay_key_is_p256(made)) {
        EVP_PKEY_free(made);
        return SETPAY_E_INVALID;
    }
    *key = made;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ files */

enum setpay_error setpay_key_save(const char *path, EVP_PKEY *key,
                                  const struct setpay_secret *passphrase, bool replace,
                                  struct setpay_problem *problem)
{
    struct setpay_secret pem = {0};
    enum setpay_error error = setpay_key_build_pem(key, passphrase, &pem);
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error, "%s: the key could not be encoded", path);
    error = setpay_file_write(path, setpay_secret_view(&pem), 0600, replace, problem);
    setpay_secret_clear(&pem);
    return error;
}

enum setpay_error setpay_key_load(const char *path, const struct setpay_secret *passphrase,
                                  EVP_PKEY **key, struct setpay_problem *problem)
{
    struct setpay_secret pem = {0};
    enum setpay_error error = setpay_file_read_secret(path, &pem, problem);
    if (error != SETPAY_OK)
        return error;
    error = setpay_key_parse_pem(setpay_secret_view(&pem), passphrase, key);
    setpay_secret_clear(&pem);
    if (error == SETPAY_E_PASSPHRASE && passphrase == NULL)
        return setpay_problem_set(problem, error,
                                  "%s: the key is encrypted and no passphrase was given", path);
    if (error == SETPAY_E_PASSPHRASE)
        return setpay_problem_set(problem, error, "%s: the passphrase does not open the key", path);
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error,
                                  "%s: expected one P-256 private key as PKCS#8 PEM", path);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ keys from passphrases */

enum setpay_error setpay_scrypt_init(struct setpay_scrypt *parameters)
{
    struct setpay_scrypt made = {.n = UINT64_C(1) << 15, .r = 8, .p = 1};
    if (RAND_bytes(made.salt, sizeof(made.salt)) != 1) {
        ERR_clear_error();
        return SETPAY_E_RANDOM;
    }
    *parameters = made;
    return SETPAY_OK;
}

enum setpay_error setpay_scrypt_derive(const struct setpay_scrypt *parameters,
                                       const struct setpay_secret *passphrase,
                                       struct setpay_secret *key)
{
    uint64_t n = parameters->n;
    if (n < (UINT64_C(1) << 14) || n > (UINT64_C(1) << 20) || (n & (n - 1)) != 0 ||
        parameters->r < 8 || parameters->r > 32 || parameters->p < 1 || parameters->p > 16 ||
        128 * n * parameters->r > SCRYPT_MEMORY_MAX / 2)
        return SETPAY_E_INVALID;
    struct setpay_secret made = {0};
    enum setpay_error error = setpay_secret_alloc(&made, 32);
    if (error != SETPAY_OK)
        goto out;
    if (EVP_PBE_scrypt((const char *)passphrase->data, passphrase->size, parameters->salt,
                       sizeof(parameters->salt), n, parameters->r, parameters->p, SCRYPT_MEMORY_MAX,
                       made.data, made.size) != 1) {
        ERR_clear_error();
        error = SETPAY_E_CRYPTO;
        goto out;
    }
    setpay_secret_move(key, &made);
out:
    setpay_secret_clear(&made);
    return error;
}
