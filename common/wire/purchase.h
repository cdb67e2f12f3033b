/*
 * The dual-signed purchase: made by the wallet, checked in halves by merchant and gateway.
 */
#ifndef SETPAY_WIRE_PURCHASE_H
#define SETPAY_WIRE_PURCHASE_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/crypto/envelope.h"
#include "common/crypto/sign.h"
#include "common/pki/certificate.h"
#include "common/wire/messages.h"

/* ---- wallet ---- */

/* What the wallet keeps (rule W5) and sends. Zeroed memory is empty. */
struct setpay_purchase {
    struct setpay_buffer content;  /* of the PReq */
    struct setpay_buffer envelope; /* beside it */
    struct setpay_digest oimd;
    struct setpay_digest pimd;
    struct setpay_digest pomd;
};
void setpay_purchase_clear(struct setpay_purchase *purchase);

/* Packs OI and PI, computes the digests, signs, seals to the gateway's encryption certificate
 * (verified by the caller, profile gateway-encrypt). The salts are 32 fresh random bytes each.
 * Replaces what purchase holds. SETPAY_E_INVALID where OI and PI disagree about what both say, or
 * about that certificate or the back key; errors of building, setpay_sign, setpay_envelope_seal. */
enum setpay_error setpay_purchase_build(const struct setpay_oi *oi, const struct setpay_pi *pi,
                                        const struct setpay_digest *oi_salt,
                                        const struct setpay_digest *pi_salt,
                                        const struct setpay_signing_key *key,
                                        const struct setpay_certificate *gateway_encrypt,
                                        struct setpay_purchase *purchase) SETPAY_MUST_CHECK;

/* ---- merchant ---- */

/* Reads the content of a PReq and the OI in it, and compares the envelope beside with the digest
 * that the content names; nothing is verified yet, the caller then finds the certificate of
 * oi->cardholder. preq is for the caller to clear. Errors of messages.h; SETPAY_E_ENVELOPE (digest,
 * or form: rule G2). */
enum setpay_error setpay_preq_read(struct setpay_view content, struct setpay_view envelope,
                                   struct setpay_preq *preq,
                                   struct setpay_oi *oi) SETPAY_MUST_CHECK;
/* Rule M2: DS covers this order under the (verified) cardholder's certificate. Gives both digests.
 * SETPAY_E_SENDER where OI names another cardholder, SETPAY_E_DS_ORDER. */
enum setpay_error setpay_preq_check_order(const struct setpay_preq *preq,
                                          const struct setpay_oi *oi,
                                          const struct setpay_certificate *cardholder,
                                          struct setpay_digest *oimd,
                                          struct setpay_digest *pomd) SETPAY_MUST_CHECK;

/* ---- gateway ---- */

/* An opened instruction. Zeroed memory is empty; clear cleanses. */
struct setpay_instruction {
    struct setpay_pi pi;
    struct setpay_secret bytes; /* PI as it was hashed */
    struct setpay_digest pi_salt;
    struct setpay_digest pimd; /* computed from both */
};
void setpay_instruction_clear(struct setpay_instruction *instruction);

/* Rule G2: compares the envelope's digest with the one that AuthReq names, opens it, reads PI, and
 * computes PIMD. instruction must be empty. SETPAY_E_ENVELOPE whatever is wrong. */
enum setpay_error setpay_instruction_open(const struct setpay_envelope_key *key,
                                          struct setpay_view envelope,
                                          const struct setpay_digest *digest,
                                          struct setpay_instruction *instruction) SETPAY_MUST_CHECK;
/* Rule G3: PIMD is AuthReq's, and with its OIMD gives the POMD that DS signs under the (verified)
 * cardholder's certificate. SETPAY_E_DS_PAYMENT whatever is wrong. */
enum setpay_error setpay_instruction_check_signature(const struct setpay_instruction *instruction,
                                                     const struct setpay_auth_req *request,
                                                     const struct setpay_certificate *cardholder,
                                                     struct setpay_digest *pomd) SETPAY_MUST_CHECK;
/* Rule G4, pure, for the first authorisation or void of an instruction: PI and AuthReq say the same
 * (xid, brand, merchant id and thumbprint, cardholder, both gateway thumbprints, currency, amount,
 * expiry, terms). merchant: signer of AuthReq; gateway_sign, gateway_encrypt: our own. The
 * amount equals PI's, or is below where the terms are not SINGLE. Time is not looked at.
 * SETPAY_E_PI_MISMATCH. */
enum setpay_error setpay_instruction_check_request(
    const struct setpay_instruction *instruction, const struct setpay_auth_req *request,
    const struct setpay_digest *merchant, const struct setpay_digest *gateway_sign,
    const struct setpay_digest *gateway_encrypt) SETPAY_MUST_CHECK;

#endif
