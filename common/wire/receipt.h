/*
 * Receipts: the gateway's signed word to the cardholder, sealed under the back key that the payment
 * instruction brought, and chained by their hashes.
 *
 * Signed once, a receipt is these bytes for ever: a packed Signed of type RECEIPT. Sealing hides
 * them from the merchant who carries them. Both parts stand alone, so that a receipt that was
 * exported to a file can be verified without merchant and gateway.
 */
#ifndef SETPAY_WIRE_RECEIPT_H
#define SETPAY_WIRE_RECEIPT_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/secret.h"
#include "common/crypto/sign.h"
#include "common/pki/certificate.h"
#include "common/wire/messages.h"

#include <stdbool.h>

/* Gateway: packs and signs; receipt->gateway_sign is the signer. Replaces what bytes holds. */
enum setpay_error setpay_receipt_sign(const struct setpay_receipt *receipt,
                                      const struct setpay_signing_key *key,
                                      struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
/* Rules A1, A2: parses signed bytes and verifies them under the gateway's signing certificate,
 * which the caller has verified. Errors of messages.h; SETPAY_E_RECEIPT where signature, signer or
 * the gateway that the receipt names are not that certificate's. */
enum setpay_error setpay_receipt_verify(struct setpay_view bytes,
                                        const struct setpay_certificate *gateway,
                                        struct setpay_receipt *receipt) SETPAY_MUST_CHECK;
/* The signer that signed bytes claim, to find the certificate by. Errors of messages.h. */
enum setpay_error setpay_receipt_signer(struct setpay_view bytes,
                                        struct setpay_digest *signer) SETPAY_MUST_CHECK;
/* What it says, whoever signed it: for who compares rows, and verifies elsewhere. SETPAY_E_RECEIPT
 * and errors of parsing. */
enum setpay_error setpay_receipt_read(struct setpay_view bytes,
                                      struct setpay_receipt *receipt) SETPAY_MUST_CHECK;
/* H("rcpt", signed bytes): what the next receipt names as previous. */
enum setpay_error setpay_receipt_hash(struct setpay_view bytes,
                                      struct setpay_digest *hash) SETPAY_MUST_CHECK;

/* Gateway: seals signed bytes for the cardholder. receipt_id is fresh and random for each. */
enum setpay_error
setpay_sealed_receipt_make(const struct setpay_secret *back_key, const struct setpay_id *receipt_id,
                           const struct setpay_id *xid, enum setpay_receipt_kind kind,
                           struct setpay_view signed_bytes,
                           struct setpay_sealed_receipt *sealed) SETPAY_MUST_CHECK;
/* Wallet, rule W6: opens, verifies as setpay_receipt_verify does, and checks that kind and xid
 * inside are those under which it was sealed. signed_bytes (replaced) are the evidence to keep.
 * SETPAY_E_RECEIPT for all that does not fit. receipt and signed_bytes untouched on error. */
enum setpay_error setpay_sealed_receipt_open(const struct setpay_sealed_receipt *sealed,
                                             const struct setpay_secret *back_key,
                                             const struct setpay_id *xid,
                                             const struct setpay_certificate *gateway,
                                             struct setpay_receipt *receipt,
                                             struct setpay_buffer *signed_bytes) SETPAY_MUST_CHECK;

/* What a chain of receipts has come to. Zeroed memory is the beginning of one. */
struct setpay_receipt_sums {
    int64_t authorised_minor;
    int64_t reversed_minor;
    int64_t captured_minor; /* less what was undone; so credited */
    int64_t credited_minor;
    uint32_t authorisations; /* how many */
    setpay_time_ms last_authorised_ms;
    setpay_time_ms cancelled_ms; /* 0: no cancellation */
};

/* What the wallet knows by itself about the purchase that a receipt should be of. */
struct setpay_receipt_expected {
    struct setpay_id xid;
    struct setpay_digest pomd;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_digest merchant;
    struct setpay_digest cardholder;
    struct setpay_digest gateway_sign;
    struct setpay_money amount;      /* of the purchase */
    struct setpay_digest previous;   /* hash of the receipt before; zeros for the first */
    struct setpay_terms terms;       /* of the purchase; of no kind: SINGLE */
    struct setpay_receipt_sums sums; /* of the receipts before */
};

/* Rules W6 and G6, pure. A chain starts with an authorisation, decline or void, and nothing follows
 * a void, or a decline that is its first (the caller knows the kind before: previous_kind, 0 for
 * the first). Each authorisation is within the terms, and so is what was declined; a cancellation
 * is of the amount, of terms that go on, and no authorisation or decline follows it. A decline or
 * void of SINGLE terms is of exactly the amount.
 * SETPAY_E_RECEIPT; *disagrees (may be NULL) then names the field for the person, a static string,
 * or what of the terms it breaks (agreement.h).
 */
enum setpay_error setpay_receipt_check(const struct setpay_receipt *receipt,
                                       const struct setpay_receipt_expected *expected,
                                       enum setpay_receipt_kind previous_kind,
                                       const char **disagrees) SETPAY_MUST_CHECK;

/* Rules W6 and G8, pure: adds the next receipt of the chain. SETPAY_E_RECEIPT, and nothing added,
 * for a reversal or capture of more than is held, a credit or capture reversal of more than was
 * captured and not credited, a credit reversal of more than was credited. */
enum setpay_error setpay_receipt_sums_add(struct setpay_receipt_sums *sums,
                                          const struct setpay_receipt *receipt) SETPAY_MUST_CHECK;

#endif
