/*
 * Signing and verifying, ECDSA P-256 with SHA-256.
 *
 * What always holds: what is signed for a message is never the content itself but H of type, suite,
 * signer and content, so a signature can't be moved to another type, suite or certificate. Keys
 * that are not on P-256, or give the curve by explicit parameters, never become keys here.
 *
 * A key keeps an EVP_MD_CTX that is set up for it once. Every call works on a copy of that
 * template: this costs half of setting one up anew, and leaves the key itself unchanged, so that
 * threads can share it without a lock.
 *
 * OpenSSL refuses ECDSA signatures that are not in DER, and those with bytes behind them.
 */
#include "common/crypto/sign.h"

#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct setpay_signing_key {
    const struct setpay_signing_key_methods *methods;
    void *self;
};

struct setpay_public_key {
    EVP_PKEY *pkey;
    EVP_MD_CTX *template;
};

enum setpay_error setpay_signing_key_new(const struct setpay_signing_key_methods *methods,
                                         void *self, struct setpay_signing_key **key)
{
    struct setpay_signing_key *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->methods = methods;
    made->self = self;
    *key = made;
    return SETPAY_OK;
}

/* Signs message with a copy of template. */
static enum setpay_error sign_with(const EVP_MD_CTX *template, struct setpay_view message,
                                   struct setpay_buffer *signature)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    uint8_t made[SETPAY_SIGNATURE_MAX];
    size_t size = sizeof(made);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_MD_CTX_copy_ex(context, template) != 1 ||
        EVP_DigestSign(context, made, &size, message.data, message.size) != 1)
        goto out;
    error = setpay_buffer_set(signature, setpay_view_of(made, size));
out:
    EVP_MD_CTX_free(context);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

static enum setpay_error local_sign(void *self, struct setpay_view message,
                                    struct setpay_buffer *signature)
{
    return sign_with(self, message, signature);
}

static void local_free(void *self)
{
    EVP_MD_CTX_free(self);
}

static const struct setpay_signing_key_methods local_methods = {
    .sign = local_sign,
    .free = local_free,
};

enum setpay_error setpay_signing_key_from_pkey(EVP_PKEY *pkey, struct setpay_signing_key **key)
{
    enum setpay_error error = SETPAY_E_INVALID;
    struct setpay_buffer trial;
    setpay_buffer_init(&trial, SETPAY_SIGNATURE_MAX);
    EVP_MD_CTX *template = NULL;
    if (!setpay_key_is_p256(pkey))
        goto out;
    template = EVP_MD_CTX_new();
    if (template == NULL) {
        error = SETPAY_E_NOMEM;
        goto out;
    }
    /* A public key alone gets as far as here; signing shows it, for keys in tokens too. */
    if (EVP_DigestSignInit(template, NULL, EVP_sha256(), NULL, pkey) != 1 ||
        sign_with(template, setpay_view_string("trial"), &trial) != SETPAY_OK)
        goto out;
    error = setpay_signing_key_new(&local_methods, template, key);
    if (error == SETPAY_OK)
        template = NULL;
out:
    EVP_MD_CTX_free(template);
    setpay_buffer_clear(&trial);
    ERR_clear_error();
    return error;
}

void setpay_signing_key_free(struct setpay_signing_key *key)
{
    if (key == NULL)
        return;
    key->methods->free(key->self);
    free(key);
}

enum setpay_error setpay_public_key_from_pkey(EVP_PKEY *pkey, struct setpay_public_key **key)
{
    if (!setpay_key_is_p256(pkey))
        return SETPAY_E_CERT_MALFORMED;
    struct setpay_public_key *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->template = EVP_MD_CTX_new();
    if (made->template == NULL ||
        EVP_DigestVerifyInit(made->template, NULL, EVP_sha256(), NULL, pkey) != 1 ||
        EVP_PKEY_up_ref(pkey) != 1) {
        setpay_public_key_free(made);
        ERR_clear_error();
        return SETPAY_E_CRYPTO;
    }
    made->pkey = pkey;
    *key = made;
    return SETPAY_OK;
}

void setpay_public_key_free(struct setpay_public_key *key)
{
    if (key == NULL)
        return;
    EVP_MD_CTX_free(key->template);
    EVP_PKEY_free(key->pkey);
    free(key);
}

EVP_PKEY *setpay_public_key_pkey(const struct setpay_public_key *key)
{
    return key->pkey;
}

enum setpay_error setpay_sign_bytes(const struct setpay_signing_key *key,
                                    struct setpay_view message, struct setpay_buffer *signature)
{
    return key->methods->sign(key->self, message, signature);
}

enum setpay_error setpay_verify_bytes(const struct setpay_public_key *key,
                                      struct setpay_view message, struct setpay_view signature)
{
    enum setpay_error error = SETPAY_E_SIGNATURE;
    if (signature.size == 0 || signature.size > SETPAY_SIGNATURE_MAX)
        return SETPAY_E_SIGNATURE;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_MD_CTX_copy_ex(context, key->template) == 1 &&
        EVP_DigestVerify(context, signature.data, signature.size, message.data, message.size) == 1)
        error = SETPAY_OK;
    EVP_MD_CTX_free(context);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* The 32 bytes that a message's signature is over. */
static enum setpay_error signed_digest(const char *type, uint64_t suite,
                                       const struct setpay_digest *signer,
                                       struct setpay_view content, struct setpay_digest *digest)
{
    if (suite != SETPAY_SUITE) /* rule A1 */
        return SETPAY_E_SUITE;
    struct setpay_hash hash;
    char tag[64] = "sig:";
    size_t length = 4;
    for (const char *from = type; *from != '\0'; from++) {
        if (length + 1 >= sizeof(tag))
            return SETPAY_E_MESSAGE_TYPE;
        tag[length++] = *from;
    }
    setpay_hash_init(&hash, tag);
    setpay_hash_add_u64(&hash, suite);
    setpay_hash_add(&hash, setpay_digest_view(signer));
    setpay_hash_add(&hash, content);
    return setpay_hash_final(&hash, digest);
}

enum setpay_error setpay_sign(const struct setpay_signing_key *key, const char *type,
                              uint64_t suite, const struct setpay_digest *signer,
                              struct setpay_view content, struct setpay_buffer *signature)
{
    struct setpay_digest digest;
    SETPAY_TRY(signed_digest(type, suite, signer, content, &digest));
    return setpay_sign_bytes(key, setpay_digest_view(&digest), signature);
}

/* rule A2: over the received bytes, for exactly this type, suite and signer */
enum setpay_error setpay_verify(const struct setpay_public_key *key, const char *type,
                                uint64_t suite, const struct setpay_digest *signer,
                                struct setpay_view content, struct setpay_view signature)
{
    struct setpay_digest digest;
    SETPAY_TRY(signed_digest(type, suite, signer, content, &digest));
    return setpay_verify_bytes(key, setpay_digest_view(&digest), signature);
}
