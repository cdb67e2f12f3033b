/*
 * The secrets and signatures of webhooks, as Standard Webhooks 1.0 says (standardwebhooks.com):
 *
 *     webhook-id         of the event, the same whenever it is sent again
 *     webhook-timestamp  of this attempt, in seconds since the Unix epoch
 *     webhook-signature  "v1," and HMAC-SHA-256 over id.timestamp.body in base64; while a secret is
 *                        being replaced, one by each, with a blank between
 */
#ifndef SETPAY_MERCHANT_WEBHOOK_SIGN_H
#define SETPAY_MERCHANT_WEBHOOK_SIGN_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/secret.h"

#define SETPAY_WEBHOOK_SECRET_BYTES 32
/* "whsec_", 44 of base64, NUL */
#define SETPAY_WEBHOOK_SECRET_TEXT_SIZE (6 + 44 + 1)
/* "v1,", 44 of base64, twice, a blank, NUL */
#define SETPAY_WEBHOOK_SIGNATURE_SIZE (2 * (3 + 44) + 1 + 1)

/* *secret must be empty. SETPAY_E_RANDOM, SETPAY_E_NOMEM. */
enum setpay_error setpay_webhook_secret_make(struct setpay_secret *secret) SETPAY_MUST_CHECK;
/* As it is shown to its owner, once; into out, which the caller cleanses. */
enum setpay_error setpay_webhook_secret_format(const struct setpay_secret *secret,
                                               char *out) SETPAY_MUST_CHECK;
/* The header's value into out (SETPAY_WEBHOOK_SIGNATURE_SIZE). old may be empty. */
enum setpay_error setpay_webhook_sign(const struct setpay_secret *secret,
                                      const struct setpay_secret *old, const char *event_id,
                                      int64_t timestamp_s, struct setpay_view body,
                                      char *out) SETPAY_MUST_CHECK;

#endif
