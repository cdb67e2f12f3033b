/*
 * Base64 over OpenSSL, which encodes well but decodes too much.
 */
#include "common/crypto/base64.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define PLAIN_MAX ((size_t)32 * 1024)

enum setpay_error setpay_base64_encode(struct setpay_view bytes, struct setpay_secret *text)
{
    struct setpay_secret room = {0};

    if (bytes.size == 0 || bytes.size > PLAIN_MAX)
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_secret_alloc(&room, (bytes.size + 2) / 3 * 4 + 1)); /* it ends with a NUL */
    int size = EVP_EncodeBlock(room.data, bytes.data, (int)bytes.size);
    enum setpay_error error =
        size > 0 ? setpay_secret_copy(text, setpay_view_of(room.data, (size_t)size))
                 : SETPAY_E_CRYPTO;
    setpay_secret_clear(&room);
    return error;
}

enum setpay_error setpay_base64_decode(struct setpay_view text, size_t max,
                                       struct setpay_secret *bytes)
{
    struct setpay_secret packed = {0};
    struct setpay_secret decoded = {0};
    size_t count = 0;
    size_t padding = 0;
    enum setpay_error error = SETPAY_E_INVALID;

    if (text.size == 0 || text.size > 2 * max)
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_secret_alloc(&packed, text.size));
    for (size_t at = 0; at < text.size; at++) {
        if (strchr(" \t\r\n", text.data[at]) != NULL && text.data[at] != '\0')
            continue;
        packed.data[count++] = text.data[at];
    }
    while (padding < count && packed.data[count - 1 - padding] == '=')
        padding++;
    if (count == 0 || count % 4 != 0 || padding > 2 ||
        memchr(packed.data, '=', count - padding) != NULL) /* OpenSSL takes one anywhere */
        goto out;
    error = setpay_secret_alloc(&decoded, count / 4 * 3);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_INVALID;
    int size = EVP_DecodeBlock(decoded.data, packed.data, (int)count);
    if (size > 0 && (size_t)size > padding && (size_t)size - padding <= max)
        error = setpay_secret_copy(bytes, setpay_view_of(decoded.data, (size_t)size - padding));
out:
    setpay_secret_clear(&packed);
    setpay_secret_clear(&decoded);
    ERR_clear_error();
    return error;
}
