/*
 * AES-256-GCM under shared keys, and HKDF-SHA-256 to make them.
 *
 * What always holds: a (key, nonce) pair seals once. A receipt's key and nonce both come from its
 * fresh receipt id; a box's nonce is 12 random bytes. The tag is always 16 bytes and stands last.
 * Nothing that failed authentication leaves this file.
 */
#include "common/crypto/seal.h"

#include "common/crypto/hash.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define NONCE_SIZE 12
#define TAG_SIZE SETPAY_SEAL_TAG_SIZE

/* Seals plaintext into out, which has room for plaintext.size + TAG_SIZE. */
static enum setpay_error gcm_seal(const uint8_t *key, const uint8_t *nonce, struct setpay_view aad,
                                  struct setpay_view plaintext, uint8_t *out)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    int size = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL || aad.size > INT_MAX || plaintext.size > INT_MAX ||
        EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, NULL) != 1)
        goto out;
    if (aad.size != 0 && EVP_EncryptUpdate(context, NULL, &size, aad.data, (int)aad.size) != 1)
        goto out;
    if (plaintext.size != 0 &&
        EVP_EncryptUpdate(context, out, &size, plaintext.data, (int)plaintext.size) != 1)
        goto out;
    if (EVP_EncryptFinal_ex(context, out + plaintext.size, &size) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + plaintext.size) != 1)
        goto out;
    error = SETPAY_OK;
out:
    EVP_CIPHER_CTX_free(context);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* Opens sealed (ciphertext and tag) into out, which has room for sealed.size - TAG_SIZE. On error
 * out holds nothing. */
static enum setpay_error gcm_open(const uint8_t *key, const uint8_t *nonce, struct setpay_view aad,
                                  struct setpay_view sealed, uint8_t *out)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    int size = 0;
    size_t length = sealed.size - TAG_SIZE;
    uint8_t tag[TAG_SIZE];
    for (size_t i = 0; i < TAG_SIZE; i++)
        tag[i] = sealed.data[length + i];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL || aad.size > INT_MAX || length > INT_MAX ||
        EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, NULL) != 1)
        goto out;
    if (aad.size != 0 && EVP_DecryptUpdate(context, NULL, &size, aad.data, (int)aad.size) != 1)
        goto out;
    if (length != 0 && EVP_DecryptUpdate(context, out, &size, sealed.data, (int)length) != 1)
        goto out;
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) != 1 ||
        EVP_DecryptFinal_ex(context, out + length, &size) != 1)
        goto out;
    error = SETPAY_OK;
out:
    EVP_CIPHER_CTX_free(context);
    if (error != SETPAY_OK) {
        setpay_cleanse(out, length);
        ERR_clear_error();
    }
    return error;
}

/* HKDF-SHA-256 from ikm into out. */
static enum setpay_error hkdf(struct setpay_view ikm, struct setpay_view salt,
                              struct setpay_view info, uint8_t *out, size_t size)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    EVP_KDF_CTX *context = NULL;
    char digest[] = "SHA2-256";
    /* OSSL_PARAM has no const; the values are only read. */
    union {
        const uint8_t *in;
        void *out;
    } key = {ikm.data}, extra = {salt.data}, label = {info.data};
    OSSL_PARAM parameters[5], *next = parameters;
    *next++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.out, ikm.size);
    if (salt.size != 0)
        *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, extra.out, salt.size);
    if (info.size != 0)
        *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label.out, info.size);
    *next = OSSL_PARAM_construct_end();
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    if (kdf == NULL)
        goto out;
    context = EVP_KDF_CTX_new(kdf);
    if (context == NULL || EVP_KDF_derive(context, out, size, parameters) != 1)
        goto out;
    error = SETPAY_OK;
out:
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* Key, nonce and AAD of one receipt. keys must be empty. */
static enum setpay_error receipt_keys(const struct setpay_secret *back_key,
                                      const struct setpay_id *receipt_id,
                                      const struct setpay_id *xid, const char *kind,
                                      struct setpay_secret *keys, struct setpay_digest *info)
{
    if (back_key->size != SETPAY_SEAL_KEY_SIZE)
        return SETPAY_E_INVALID;
    const struct setpay_view parts[] = {setpay_id_view(xid), setpay_view_string(kind)};
    SETPAY_TRY(setpay_hash_parts("receipt", parts, 2, info));
    return setpay_derive(back_key, setpay_id_view(receipt_id), setpay_digest_view(info),
                         SETPAY_SEAL_KEY_SIZE + NONCE_SIZE, keys);
}

enum setpay_error setpay_receipt_seal(const struct setpay_secret *back_key,
                                      const struct setpay_id *receipt_id,
                                      const struct setpay_id *xid, const char *kind,
                                      struct setpay_view receipt, struct setpay_buffer *sealed)
{
    struct setpay_secret keys = {0};
    struct setpay_digest info;
    struct setpay_buffer made;
    uint8_t *room = NULL;
    setpay_buffer_init(&made, sealed->max);
    enum setpay_error error = receipt_keys(back_key, receipt_id, xid, kind, &keys, &info);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_buffer_extend(&made, receipt.size + TAG_SIZE, &room);
    if (error != SETPAY_OK)
        goto out;
    error = gcm_seal(keys.data, keys.data + SETPAY_SEAL_KEY_SIZE, setpay_digest_view(&info),
                     receipt, room);
    if (error == SETPAY_OK)
        setpay_buffer_move(sealed, &made);
out:
    setpay_secret_clear(&keys);
    setpay_buffer_clear(&made);
    return error;
}

/* rule W6: the receipt opens */
enum setpay_error setpay_receipt_open(const struct setpay_secret *back_key,
                                      const struct setpay_id *receipt_id,
                                      const struct setpay_id *xid, const char *kind,
                                      struct setpay_view sealed, struct setpay_buffer *receipt)
{
    if (sealed.size < TAG_SIZE)
        return SETPAY_E_RECEIPT;
    struct setpay_secret keys = {0};
    struct setpay_digest info;
    struct setpay_buffer made;
    uint8_t *room = NULL;
    setpay_buffer_init(&made, receipt->max);
    enum setpay_error error = receipt_keys(back_key, receipt_id, xid, kind, &keys, &info);
    if (error != SETPAY_OK)
        goto out;
    /* One byte more, so that an empty receipt has an address too. */
    error = setpay_buffer_extend(&made, sealed.size - TAG_SIZE + 1, &room);
    if (error != SETPAY_OK)
        goto out;
    error = gcm_open(keys.data, keys.data + SETPAY_SEAL_KEY_SIZE, setpay_digest_view(&info), sealed,
                     room);
    if (error != SETPAY_OK) {
        error = SETPAY_E_RECEIPT;
        goto out;
    }
    made.size -= 1;
    setpay_buffer_move(receipt, &made);
out:
    setpay_secret_clear(&keys);
    setpay_buffer_clear(&made);
    return error;
}

enum setpay_error setpay_box_seal(const struct setpay_secret *key, struct setpay_view aad,
                                  struct setpay_view plaintext, struct setpay_buffer *box)
{
    if (key->size != SETPAY_SEAL_KEY_SIZE)
        return SETPAY_E_INVALID;
    struct setpay_buffer made;
    uint8_t *room = NULL;
    setpay_buffer_init(&made, box->max);
    enum setpay_error error =
        setpay_buffer_extend(&made, plaintext.size + SETPAY_BOX_OVERHEAD, &room);
    if (error != SETPAY_OK)
        goto out;
    if (RAND_bytes(room, NONCE_SIZE) != 1) {
        ERR_clear_error();
        error = SETPAY_E_RANDOM;
        goto out;
    }
    error = gcm_seal(key->data, room, aad, plaintext, room + NONCE_SIZE);
    if (error == SETPAY_OK)
        setpay_buffer_move(box, &made);
out:
    setpay_buffer_clear(&made);
    return error;
}

enum setpay_error setpay_box_open(const struct setpay_secret *key, struct setpay_view aad,
                                  struct setpay_view box, struct setpay_secret *plaintext)
{
    if (key->size != SETPAY_SEAL_KEY_SIZE)
        return SETPAY_E_INVALID;
    if (box.size <= SETPAY_BOX_OVERHEAD)
        return SETPAY_E_CRYPTO;
    struct setpay_secret made = {0};
    enum setpay_error error = setpay_secret_alloc(&made, box.size - SETPAY_BOX_OVERHEAD);
    if (error != SETPAY_OK)
        goto out;
    error = gcm_open(key->data, box.data, aad,
                     setpay_view_of(box.data + NONCE_SIZE, box.size - NONCE_SIZE), made.data);
    if (error == SETPAY_OK)
        setpay_secret_move(plaintext, &made);
out:
    setpay_secret_clear(&made);
    return error;
}

enum setpay_error setpay_derive(const struct setpay_secret *master, struct setpay_view salt,
                                struct setpay_view label, size_t size,
                                struct setpay_secret *derived)
{
    struct setpay_secret made = {0};
    enum setpay_error error = setpay_secret_alloc(&made, size);
    if (error != SETPAY_OK)
        goto out;
    error = hkdf(setpay_secret_view(master), salt, label, made.data, made.size);
    if (error == SETPAY_OK)
        setpay_secret_move(derived, &made);
out:
    setpay_secret_clear(&made);
    return error;
}
