/*
 * The framed hash H and the keyed digests, over OpenSSL's EVP.
 *
 * What always holds: the bytes that SHA-256 sees begin with "setpay/1 ", the tag and a zero byte,
 * and every part behind it is led by its length in 8 bytes; a tag holds no zero byte, since it is a
 * C string. So one list of parts under one tag has one form, and no other list has the same.
 *
 * SHA-256 and HMAC are fetched once for the process: a fetch for every call costs more than hashing
 * a short message. They are immutable and shared by all threads.
 */
#include "common/crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

#define PREFIX "setpay/1 "

static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MAC *hmac;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static void update(struct setpay_hash *hash, const void *data, size_t size)
{
    if (hash->error != SETPAY_OK || size == 0)
        return;
    if (EVP_DigestUpdate(hash->context, data, size) != 1)
        hash->error = SETPAY_E_CRYPTO;
}

void setpay_hash_init(struct setpay_hash *hash, const char *tag)
{
    (void)pthread_once(&fetched, fetch);
    hash->error = SETPAY_OK;
    hash->context = EVP_MD_CTX_new();
    if (hash->context == NULL || sha256 == NULL ||
        EVP_DigestInit_ex2(hash->context, sha256, NULL) != 1)
        hash->error = SETPAY_E_CRYPTO;
    update(hash, PREFIX, sizeof(PREFIX) - 1);
    update(hash, tag, strlen(tag) + 1);
}

void setpay_hash_add(struct setpay_hash *hash, struct setpay_view part)
{
    uint8_t length[8];
    setpay_write_u64be(length, part.size);
    update(hash, length, sizeof(length));
    update(hash, part.data, part.size);
}

void setpay_hash_add_u64(struct setpay_hash *hash, uint64_t value)
{
    uint8_t bytes[8];
    setpay_write_u64be(bytes, value);
    setpay_hash_add(hash, SETPAY_VIEW_ARRAY(bytes));
}

enum setpay_error setpay_hash_final(struct setpay_hash *hash, struct setpay_digest *digest)
{
    struct setpay_digest result;
    unsigned size = 0;
    if (hash->error == SETPAY_OK && (EVP_DigestFinal_ex(hash->context, result.bytes, &size) != 1 ||
                                     size != sizeof(result.bytes)))
        hash->error = SETPAY_E_CRYPTO;
    enum setpay_error error = hash->error;
    setpay_hash_clear(hash);
    if (error == SETPAY_OK)
        *digest = result;
    else
        ERR_clear_error();
    return error;
}

void setpay_hash_clear(struct setpay_hash *hash)
{
    EVP_MD_CTX_free(hash->context); /* cleanses its state */
    hash->context = NULL;
    hash->error = SETPAY_E_CRYPTO;
}

enum setpay_error setpay_hash_parts(const char *tag, const struct setpay_view *parts, size_t count,
                                    struct setpay_digest *digest)
{
    struct setpay_hash hash;
    setpay_hash_init(&hash, tag);
    for (size_t i = 0; i < count; i++)
        setpay_hash_add(&hash, parts[i]);
    return setpay_hash_final(&hash, digest);
}

enum setpay_error setpay_hash_one(const char *tag, struct setpay_view part,
                                  struct setpay_digest *digest)
{
    return setpay_hash_parts(tag, &part, 1, digest);
}

enum setpay_error setpay_hash_request(const char *type, uint64_t suite,
                                      const struct setpay_digest *sender,
                                      struct setpay_view content, struct setpay_digest *digest)
{
    struct setpay_hash hash;
    setpay_hash_init(&hash, "req");
    setpay_hash_add(&hash, setpay_view_string(type));
    setpay_hash_add_u64(&hash, suite);
    setpay_hash_add(&hash, sender != NULL ? setpay_digest_view(sender) : SETPAY_VIEW_EMPTY);
    setpay_hash_add(&hash, content);
    return setpay_hash_final(&hash, digest);
}

enum setpay_error setpay_sha256(struct setpay_view bytes, struct setpay_digest *digest)
{
    (void)pthread_once(&fetched, fetch);
    struct setpay_digest result;
    unsigned size = 0;
    if (sha256 == NULL ||
        EVP_Digest(bytes.size != 0 ? bytes.data : (const uint8_t *)"", bytes.size, result.bytes,
                   &size, sha256, NULL) != 1 ||
        size != sizeof(result.bytes)) {
        ERR_clear_error();
        return SETPAY_E_CRYPTO;
    }
    *digest = result;
    return SETPAY_OK;
}

enum setpay_error setpay_hmac(const struct setpay_secret *key, const struct setpay_view *parts,
                              size_t count, struct setpay_digest *digest)
{
    (void)pthread_once(&fetched, fetch);
    enum setpay_error error = SETPAY_E_CRYPTO;
    struct setpay_digest result;
    size_t size = 0;
    char name[] = "SHA2-256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    if (context == NULL || key->size == 0 ||
        EVP_MAC_init(context, key->data, key->size, parameters) != 1)
        goto out;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size != 0 && EVP_MAC_update(context, parts[i].data, parts[i].size) != 1)
            goto out;
    }
    if (EVP_MAC_final(context, result.bytes, &size, sizeof(result.bytes)) != 1 ||
        size != sizeof(result.bytes))
        goto out;
    *digest = result;
    error = SETPAY_OK;
out:
    EVP_MAC_CTX_free(context);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* rule G5: what the certificate's blinded account id is made of */
enum setpay_error setpay_account_id(const struct setpay_secret *pan_secret,
                                    const struct setpay_secret *pan,
                                    const struct setpay_secret *expiry,
                                    struct setpay_digest *account_id)
{
    uint8_t pan_length[8], expiry_length[8];
    setpay_write_u64be(pan_length, pan->size);
    setpay_write_u64be(expiry_length, expiry->size);
    const struct setpay_view parts[] = {
        SETPAY_VIEW_ARRAY(pan_length),
        setpay_secret_view(pan),
        SETPAY_VIEW_ARRAY(expiry_length),
        setpay_secret_view(expiry),
    };
    return setpay_hmac(pan_secret, parts, sizeof(parts) / sizeof(parts[0]), account_id);
}

enum setpay_error setpay_keyed_digest(const struct setpay_secret *key, const char *tag,
                                      struct setpay_view value, struct setpay_digest *digest)
{
    uint8_t length[8];
    setpay_write_u64be(length, value.size);
    const struct setpay_view parts[] = {
        setpay_view_string(PREFIX),
        setpay_view_of(tag, strlen(tag) + 1),
        SETPAY_VIEW_ARRAY(length),
        value,
    };
    return setpay_hmac(key, parts, sizeof(parts) / sizeof(parts[0]), digest);
}
