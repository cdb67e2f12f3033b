/*
 * The dual signature: one signature of the cardholder over order and payment instruction, of which
 * merchant and gateway each see one half and a digest of the other.
 *
 *     OIMD = H("oi", oi_salt, OI)    PIMD = H("pi", pi_salt, PI)
 *     POMD = H("po", u64be(suite), PIMD, OIMD)
 *     DS   = the signature of sign.h with type "DS" over POMD
 */
#ifndef SETPAY_CRYPTO_DUAL_H
#define SETPAY_CRYPTO_DUAL_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/crypto/sign.h"

#include <stdint.h>

/* All: SETPAY_E_CRYPTO. A salt is 32 bytes; SETPAY_E_FIELD for any other size. */
enum setpay_error setpay_dual_oimd(struct setpay_view oi_salt, struct setpay_view oi,
                                   struct setpay_digest *oimd) SETPAY_MUST_CHECK;
enum setpay_error setpay_dual_pimd(struct setpay_view pi_salt, struct setpay_view pi,
                                   struct setpay_digest *pimd) SETPAY_MUST_CHECK;
enum setpay_error setpay_dual_pomd(uint64_t suite, const struct setpay_digest *pimd,
                                   const struct setpay_digest *oimd,
                                   struct setpay_digest *pomd) SETPAY_MUST_CHECK;

/* The cardholder's DS over POMD; signer is his certificate's thumbprint. Errors of setpay_sign. */
enum setpay_error setpay_dual_sign(const struct setpay_signing_key *key, uint64_t suite,
                                   const struct setpay_digest *signer,
                                   const struct setpay_digest *pomd,
                                   struct setpay_buffer *ds) SETPAY_MUST_CHECK;
/* SETPAY_E_SUITE, SETPAY_E_SIGNATURE. */
enum setpay_error setpay_dual_verify(const struct setpay_public_key *key, uint64_t suite,
                                     const struct setpay_digest *signer,
                                     const struct setpay_digest *pomd,
                                     struct setpay_view ds) SETPAY_MUST_CHECK;

/* The merchant's check (rule M2): computes OIMD from OI and salt, POMD with the PIMD it was given,
 * and verifies DS. Gives both digests. SETPAY_E_SUITE, SETPAY_E_FIELD (salt), SETPAY_E_DS_ORDER. */
enum setpay_error setpay_dual_check_order(const struct setpay_public_key *cardholder,
                                          uint64_t suite, const struct setpay_digest *signer,
                                          struct setpay_view oi_salt, struct setpay_view oi,
                                          const struct setpay_digest *pimd, struct setpay_view ds,
                                          struct setpay_digest *oimd,
                                          struct setpay_digest *pomd) SETPAY_MUST_CHECK;
/* The gateway's check (rule G3): computes PIMD from PI and salt, compares it with the one that the
 * merchant named in AuthReq, computes POMD with the merchant's OIMD, and verifies DS. Gives POMD.
 * SETPAY_E_SUITE, SETPAY_E_DS_PAYMENT (everything else alike). */
enum setpay_error setpay_dual_check_payment(const struct setpay_public_key *cardholder,
                                            uint64_t suite, const struct setpay_digest *signer,
                                            struct setpay_view pi_salt, struct setpay_view pi,
                                            const struct setpay_digest *named_pimd,
                                            const struct setpay_digest *oimd, struct setpay_view ds,
                                            struct setpay_digest *pomd) SETPAY_MUST_CHECK;

#endif
