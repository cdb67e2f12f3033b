/*
 * The cardholder's cancellation of an agreement: one signed thing, that the wallet makes, the
 * merchant hands on, and the gateway books. The same bytes reach both.
 */
#ifndef SETPAY_WIRE_CANCELLATION_H
#define SETPAY_WIRE_CANCELLATION_H

#include "common/base/error.h"
#include "common/crypto/sign.h"
#include "common/pki/certificate.h"
#include "common/wire/messages.h"

/* Wallet: packs and signs; cancellation->cardholder is the signer. */
enum setpay_error
setpay_cancellation_sign(const struct setpay_cancellation *cancellation,
                         const struct setpay_signing_key *key,
                         struct setpay_signed_cancellation *made) SETPAY_MUST_CHECK;

/* Merchant and gateway, rule G9: reads it, and verifies it under the certificate that signed the
 * purchase (proven by the caller to be its brand's). expected says what must stand in it; its
 * date_ms is the time now, and what is signed is no more than the tolerance ahead of it.
 * SETPAY_E_CANCELLATION whatever is wrong. */
enum setpay_error
setpay_cancellation_check(const struct setpay_signed_cancellation *came,
                          const struct setpay_certificate *cardholder,
                          const struct setpay_cancellation *expected) SETPAY_MUST_CHECK;

#endif
