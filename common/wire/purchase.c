/*
 * The dual-signed purchase, in its three views.
 *
 * The wallet packs OI and PI once; those bytes are hashed, signed and sent, and are never packed
 * again by anyone. The merchant sees OI and a digest of PI, the gateway PI and a digest of OI; what
 * both need to agree on stands in both, and the wallet's builder refuses to sign two halves that
 * differ. Plaintexts of PI exist in secret memory only.
 */
#include "common/wire/purchase.h"

#include "common/base/limits.h"
#include "common/crypto/dual.h"
#include "common/crypto/hash.h"
#include "common/pki/role.h"
#include "common/wire/sealed_instruction.h"

#include <string.h>

/* ------------------------------------------------------------------ wallet */

void setpay_purchase_clear(struct setpay_purchase *purchase)
{
    setpay_buffer_clear(&purchase->content);
    setpay_buffer_clear(&purchase->envelope);
    memset(purchase, 0, sizeof(*purchase));
}

static bool halves_agree(const struct setpay_oi *oi, const struct setpay_pi *pi)
{
    return setpay_id_equal(&oi->xid, &pi->xid) && strcmp(oi->brand, pi->brand) == 0 &&
           setpay_money_equal(&oi->amount, &pi->amount) &&
           setpay_digest_equal(&oi->merchant, &pi->merchant) &&
           setpay_digest_equal(&oi->gateway_sign, &pi->gateway_sign) &&
           setpay_digest_equal(&oi->gateway_encrypt, &pi->gateway_encrypt) &&
           setpay_digest_equal(&oi->cardholder, &pi->cardholder) &&
           oi->expiry_ms == pi->expiry_ms && setpay_terms_equal(&oi->terms, &pi->terms);
}

static enum setpay_error seal(const struct setpay_secret *pi_bytes,
                              const struct setpay_digest *pi_salt,
                              const struct setpay_certificate *recipient,
                              struct setpay_buffer *envelope)
{
    /* Borrows PI's bytes: not cleared as an owner. */
    struct setpay_sealed_instruction instruction = {.pi = *pi_bytes, .pi_salt = *pi_salt};
    struct setpay_secret plaintext = {0};
    enum setpay_error error = setpay_sealed_instruction_build(&instruction, &plaintext);
    if (error == SETPAY_OK)
        error = setpay_envelope_seal(setpay_certificate_x509(recipient),
                                     setpay_secret_view(&plaintext), envelope);
    setpay_secret_clear(&plaintext);
    setpay_cleanse(&instruction, sizeof(instruction));
    return error;
}

static enum setpay_error sign_order(const struct setpay_digest *cardholder,
                                    const struct setpay_digest *pomd,
                                    const struct setpay_signing_key *key,
                                    struct setpay_signature *dual_signature)
{
    struct setpay_buffer bytes = {0};
    setpay_buffer_init(&bytes, SETPAY_SIGNATURE_MAX);
    enum setpay_error error = setpay_dual_sign(key, SETPAY_SUITE, cardholder, pomd, &bytes);
    if (error == SETPAY_OK)
        error = setpay_signature_from_view(setpay_buffer_view(&bytes), dual_signature);
    setpay_buffer_clear(&bytes);
    return error;
}

enum setpay_error setpay_purchase_build(const struct setpay_oi *oi, const struct setpay_pi *pi,
                                        const struct setpay_digest *oi_salt,
                                        const struct setpay_digest *pi_salt,
                                        const struct setpay_signing_key *key,
                                        const struct setpay_certificate *gateway_encrypt,
                                        struct setpay_purchase *purchase)
{
    struct setpay_purchase made = {0};
    struct setpay_secret pi_bytes = {0};
    struct setpay_preq preq = {.oi_salt = *oi_salt};
    if (!halves_agree(oi, pi) ||
        setpay_certificate_profile(gateway_encrypt) != SETPAY_PROFILE_GATEWAY_ENCRYPT ||
        !setpay_digest_equal(&pi->gateway_encrypt, setpay_certificate_thumbprint(gateway_encrypt)))
        return SETPAY_E_INVALID;
    setpay_buffer_init(&made.content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&made.envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
    setpay_buffer_init(&preq.oi, SETPAY_WIRE_ORDER_MAX);
    enum setpay_error error = setpay_oi_build(oi, &preq.oi);
    if (error == SETPAY_OK)
        error = setpay_pi_build(pi, &pi_bytes);
    if (error == SETPAY_OK)
        error =
            setpay_dual_oimd(setpay_digest_view(oi_salt), setpay_buffer_view(&preq.oi), &made.oimd);
    if (error == SETPAY_OK)
        error = setpay_dual_pimd(setpay_digest_view(pi_salt), setpay_secret_view(&pi_bytes),
                                 &made.pimd);
    if (error == SETPAY_OK)
        error = setpay_dual_pomd(SETPAY_SUITE, &made.pimd, &made.oimd, &made.pomd);
    if (error == SETPAY_OK)
        error = seal(&pi_bytes, pi_salt, gateway_encrypt, &made.envelope);
    if (error == SETPAY_OK)
        error = setpay_envelope_digest(setpay_buffer_view(&made.envelope), &preq.envelope);
    if (error == SETPAY_OK)
        error = sign_order(&oi->cardholder, &made.pomd, key, &preq.dual_signature);
    preq.pimd = made.pimd;
    if (error == SETPAY_OK)
        error = setpay_preq_build(&preq, &made.content);
    if (error == SETPAY_OK) {
        setpay_purchase_clear(purchase);
        *purchase = made;
    } else {
        setpay_purchase_clear(&made);
    }
    setpay_secret_clear(&pi_bytes);
    setpay_preq_clear(&preq);
    return error;
}

/* ------------------------------------------------------------------ merchant */

/* Whether an envelope is the one that something signed names. */
static enum setpay_error check_envelope(struct setpay_view envelope,
                                        const struct setpay_digest *named)
{
    struct setpay_digest digest;
    SETPAY_TRY(setpay_envelope_digest(envelope, &digest));
    return setpay_digest_equal(&digest, named) ? SETPAY_OK : SETPAY_E_ENVELOPE;
}

enum setpay_error setpay_preq_read(struct setpay_view content, struct setpay_view envelope,
                                   struct setpay_preq *preq, struct setpay_oi *oi)
{
    struct setpay_preq read;
    struct setpay_oi order;
    enum setpay_error error = setpay_preq_parse(content, &read);
    if (error != SETPAY_OK)
        return error;
    error = setpay_oi_parse(setpay_buffer_view(&read.oi), &order);
    if (error == SETPAY_OK)
        error = check_envelope(envelope, &read.envelope);
    if (error == SETPAY_OK)
        error = setpay_envelope_check_form(envelope); /* rule G2, as far as a merchant can see */
    if (error == SETPAY_OK) {
        *preq = read;
        *oi = order;
    } else {
        setpay_preq_clear(&read);
    }
    return error;
}

enum setpay_error setpay_preq_check_order(const struct setpay_preq *preq,
                                          const struct setpay_oi *oi,
                                          const struct setpay_certificate *cardholder,
                                          struct setpay_digest *oimd, struct setpay_digest *pomd)
{
    const struct setpay_digest *signer = setpay_certificate_thumbprint(cardholder);
    if (!setpay_digest_equal(&oi->cardholder, signer))
        return SETPAY_E_SENDER; /* rule A2 */
    /* rule M2 */
    return setpay_dual_check_order(setpay_certificate_key(cardholder), SETPAY_SUITE, signer,
                                   setpay_digest_view(&preq->oi_salt),
                                   setpay_buffer_view(&preq->oi), &preq->pimd,
                                   setpay_signature_view(&preq->dual_signature), oimd, pomd);
}

/* ------------------------------------------------------------------ gateway */

void setpay_instruction_clear(struct setpay_instruction *instruction)
{
    setpay_pi_clear(&instruction->pi);
    setpay_secret_clear(&instruction->bytes);
    setpay_cleanse(instruction, sizeof(*instruction));
    memset(instruction, 0, sizeof(*instruction));
}

enum setpay_error setpay_instruction_open(const struct setpay_envelope_key *key,
                                          struct setpay_view envelope,
                                          const struct setpay_digest *digest,
                                          struct setpay_instruction *instruction)
{
    struct setpay_secret plaintext = {0};
    struct setpay_sealed_instruction sealed = {.pi_salt = {{0}}};
    struct setpay_instruction opened = {.pi_salt = {{0}}};
    enum setpay_error error = check_envelope(envelope, digest);
    if (error == SETPAY_OK)
        error = setpay_envelope_open(key, envelope, &plaintext);
    if (error == SETPAY_OK)
        error = setpay_sealed_instruction_parse(setpay_secret_view(&plaintext), &sealed);
    if (error == SETPAY_OK)
        error = setpay_pi_parse(setpay_secret_view(&sealed.pi), &opened.pi);
    if (error == SETPAY_OK)
        error = setpay_dual_pimd(setpay_digest_view(&sealed.pi_salt),
                                 setpay_secret_view(&sealed.pi), &opened.pimd);
    if (error == SETPAY_OK) {
        opened.pi_salt = sealed.pi_salt;
        setpay_secret_move(&opened.bytes, &sealed.pi);
        *instruction = opened;
        setpay_cleanse(&opened,
                       sizeof(opened)); /* the address and the salt are in it as they are */
    } else {
        setpay_instruction_clear(&opened);
        /* rule G2: one refusal for whatever is wrong with what came; our own troubles stay ours */
        if (setpay_error_kind(error) != SETPAY_KIND_SYSTEM)
            error = SETPAY_E_ENVELOPE;
    }
    setpay_sealed_instruction_clear(&sealed);
    setpay_secret_clear(&plaintext);
    return error;
}

enum setpay_error setpay_instruction_check_signature(const struct setpay_instruction *instruction,
                                                     const struct setpay_auth_req *request,
                                                     const struct setpay_certificate *cardholder,
                                                     struct setpay_digest *pomd)
{
    const struct setpay_digest *signer = setpay_certificate_thumbprint(cardholder);
    if (!setpay_digest_equal(&instruction->pi.cardholder, signer) ||
        !setpay_digest_equal(&request->cardholder, signer))
        return SETPAY_E_DS_PAYMENT;
    /* rule G3 */
    return setpay_dual_check_payment(
        setpay_certificate_key(cardholder), SETPAY_SUITE, signer,
        setpay_digest_view(&instruction->pi_salt), setpay_secret_view(&instruction->bytes),
        &request->pimd, &request->oimd, setpay_signature_view(&request->dual_signature), pomd);
}

enum setpay_error setpay_instruction_check_request(const struct setpay_instruction *instruction,
                                                   const struct setpay_auth_req *request,
                                                   const struct setpay_digest *merchant,
                                                   const struct setpay_digest *gateway_sign,
                                                   const struct setpay_digest *gateway_encrypt)
{
    const struct setpay_pi *pi = &instruction->pi;
    /* rule G4: what was bought, and until when */
    bool same =
        setpay_id_equal(&pi->xid, &request->xid) && strcmp(pi->brand, request->brand) == 0 &&
        strcmp(pi->merchant_id, request->merchant_id) == 0 &&
        setpay_money_same_currency(&pi->amount, &request->amount) &&
        pi->expiry_ms == request->expiry_ms && setpay_terms_equal(&pi->terms, &request->terms);
    /* rule G4: who signed, who asks, and who we are */
    bool parties = setpay_digest_equal(&pi->merchant, merchant) &&
                   setpay_digest_equal(&pi->cardholder, &request->cardholder) &&
                   setpay_digest_equal(&pi->gateway_sign, gateway_sign) &&
                   setpay_digest_equal(&pi->gateway_encrypt, gateway_encrypt) &&
                   setpay_digest_equal(&request->gateway_encrypt, gateway_encrypt);
    bool may_be_less = pi->terms.kind != SETPAY_TERMS_SINGLE;
    bool amount = request->amount.minor == pi->amount.minor ||
                  (may_be_less && request->amount.minor < pi->amount.minor);
    if (pi->terms.each_minor != 0 && request->amount.minor > pi->terms.each_minor)
        amount = false; /* instalments and recurrences: each has its own limit */
    return same && parties && amount ? SETPAY_OK : SETPAY_E_PI_MISMATCH;
}
