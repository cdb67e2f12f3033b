/*
 * Secrets and signatures of webhooks.
 */
#include "merchant/store/webhook/sign.h"

#include "common/crypto/base64.h"
#include "common/crypto/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BASE64_SIZE 44 /* of 32 bytes */

enum setpay_error setpay_webhook_secret_make(struct setpay_secret *secret)
{
    return setpay_secret_random(secret, SETPAY_WEBHOOK_SECRET_BYTES);
}

/* Exactly 32 bytes, as 44 characters at out, without a NUL. */
static enum setpay_error encode(struct setpay_view bytes, char *out)
{
    struct setpay_secret text = {0};
    enum setpay_error error = setpay_base64_encode(bytes, &text);
    if (error == SETPAY_OK && text.size != BASE64_SIZE)
        error = SETPAY_E_INTERNAL;
    if (error == SETPAY_OK)
        memcpy(out, text.data, BASE64_SIZE);
    setpay_secret_clear(&text);
    return error;
}

enum setpay_error setpay_webhook_secret_format(const struct setpay_secret *secret, char *out)
{
    memcpy(out, "whsec_", 6);
    out[6 + BASE64_SIZE] = '\0';
    return encode(setpay_secret_view(secret), out + 6);
}

static enum setpay_error sign_one(const struct setpay_secret *secret,
                                  const struct setpay_view *parts, size_t count, char *out)
{
    struct setpay_digest digest;
    SETPAY_TRY(setpay_hmac(secret, parts, count, &digest));
    memcpy(out, "v1,", 3);
    return encode(setpay_digest_view(&digest), out + 3);
}

enum setpay_error setpay_webhook_sign(const struct setpay_secret *secret,
                                      const struct setpay_secret *old, const char *event_id,
                                      int64_t timestamp_s, struct setpay_view body, char *out)
{
    char time[24];
    size_t size = 3 + BASE64_SIZE;
    (void)snprintf(time, sizeof time, ".%" PRId64 ".", timestamp_s);
    const struct setpay_view parts[] = {setpay_view_string(event_id), setpay_view_string(time),
                                        body};
    SETPAY_TRY(sign_one(secret, parts, 3, out));
    if (old->size > 0) {
        out[size++] = ' ';
        SETPAY_TRY(sign_one(old, parts, 3, out + size));
        size += 3 + BASE64_SIZE;
    }
    out[size] = '\0';
    return SETPAY_OK;
}
