/*
 * scrypt, and its text.
 */
#include "merchant/store/admin/password.h"

#include "common/base/ids.h"
#include "common/base/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define LOG_N 15
#define R 8
#define P 1
#define SALT_BYTES 16
#define KEY_BYTES 32
/* What a text from elsewhere may ask for at most: 128 * r * N bytes are taken. */
#define LOG_N_MAX 17
#define MEMORY_MAX ((uint64_t)256 * 1024 * 1024)

struct costs {
    unsigned log_n, r, p;
};

static enum setpay_error derive(struct setpay_view password, const struct costs *costs,
                                const uint8_t *salt, uint8_t *key)
{
    return EVP_PBE_scrypt((const char *)password.data, password.size, salt, SALT_BYTES,
                          UINT64_C(1) << costs->log_n, costs->r, costs->p, MEMORY_MAX, key,
                          KEY_BYTES) == 1
               ? SETPAY_OK
               : SETPAY_E_CRYPTO;
}

enum setpay_error setpay_password_make(struct setpay_view password, char *text)
{
    static const struct costs costs = {LOG_N, R, P};
    uint8_t salt[SALT_BYTES], key[KEY_BYTES];
    char salt_text[SETPAY_BASE64URL_SIZE(SALT_BYTES)], key_text[SETPAY_BASE64URL_SIZE(KEY_BYTES)];
    if (password.size < SETPAY_PASSWORD_BYTES_MIN || password.size > SETPAY_PASSWORD_BYTES_MAX)
        return SETPAY_E_INVALID;
    if (RAND_bytes(salt, sizeof salt) != 1)
        return SETPAY_E_RANDOM;
    SETPAY_TRY(derive(password, &costs, salt, key));
    setpay_base64url_encode(SETPAY_VIEW_ARRAY(salt), salt_text);
    setpay_base64url_encode(SETPAY_VIEW_ARRAY(key), key_text);
    setpay_cleanse(key, sizeof key);
    (void)snprintf(text, SETPAY_PASSWORD_TEXT_SIZE, "scrypt$%d$%d$%d$%s$%s", LOG_N, R, P, salt_text,
                   key_text);
    return SETPAY_OK;
}

static enum setpay_error parse(const char *text, struct costs *costs, uint8_t *salt, uint8_t *key)
{
    char salt_text[SETPAY_BASE64URL_SIZE(SALT_BYTES)], key_text[SETPAY_BASE64URL_SIZE(KEY_BYTES)];
    if (sscanf(text, "scrypt$%2u$%2u$%2u$%22[A-Za-z0-9_-]$%43[A-Za-z0-9_-]", &costs->log_n,
               &costs->r, &costs->p, salt_text, key_text) != 5 ||
        costs->log_n < 1 || costs->log_n > LOG_N_MAX || costs->r < 1 || costs->r > 16 ||
        costs->p < 1 || costs->p > 4)
        return SETPAY_E_STORE;
    return setpay_base64url_decode(salt_text, salt, SALT_BYTES) == SETPAY_OK &&
                   setpay_base64url_decode(key_text, key, KEY_BYTES) == SETPAY_OK
               ? SETPAY_OK
               : SETPAY_E_STORE;
}

enum setpay_error setpay_password_check(struct setpay_view password, const char *text)
{
    struct costs costs = {LOG_N, R, P};
    uint8_t salt[SALT_BYTES] = {0}, key[KEY_BYTES] = {0}, found[KEY_BYTES];
    if (text != NULL)
        SETPAY_TRY(parse(text, &costs, salt, key));
    SETPAY_TRY(derive(password, &costs, salt, found));
    bool same = CRYPTO_memcmp(key, found, sizeof key) == 0;
    setpay_cleanse(found, sizeof found);
    return same && text != NULL ? SETPAY_OK : SETPAY_E_PERMISSION;
}
