/*
 * The dual signature.
 *
 * What always holds: the two salts are 32 bytes each, so neither side can search for the other's
 * half by its digest; POMD is framed over PIMD and then OIMD, which can't change places; and DS is
 * a signature of type "DS", which no message has.
 */
#include "common/crypto/dual.h"

#include "common/crypto/hash.h"

#define DS_TYPE "DS"

static enum setpay_error salted(const char *tag, struct setpay_view salt, struct setpay_view half,
                                struct setpay_digest *digest)
{
    if (salt.size != sizeof(struct setpay_digest))
        return SETPAY_E_FIELD;
    const struct setpay_view parts[] = {salt, half};
    return setpay_hash_parts(tag, parts, 2, digest);
}

enum setpay_error setpay_dual_oimd(struct setpay_view oi_salt, struct setpay_view oi,
                                   struct setpay_digest *oimd)
{
    return salted("oi", oi_salt, oi, oimd);
}

enum setpay_error setpay_dual_pimd(struct setpay_view pi_salt, struct setpay_view pi,
                                   struct setpay_digest *pimd)
{
    return salted("pi", pi_salt, pi, pimd);
}

enum setpay_error setpay_dual_pomd(uint64_t suite, const struct setpay_digest *pimd,
                                   const struct setpay_digest *oimd, struct setpay_digest *pomd)
{
    struct setpay_hash hash;
    setpay_hash_init(&hash, "po");
    setpay_hash_add_u64(&hash, suite);
    setpay_hash_add(&hash, setpay_digest_view(pimd));
    setpay_hash_add(&hash, setpay_digest_view(oimd));
    return setpay_hash_final(&hash, pomd);
}

enum setpay_error setpay_dual_sign(const struct setpay_signing_key *key, uint64_t suite,
                                   const struct setpay_digest *signer,
                                   const struct setpay_digest *pomd, struct setpay_buffer *ds)
{
    return setpay_sign(key, DS_TYPE, suite, signer, setpay_digest_view(pomd), ds);
}

enum setpay_error setpay_dual_verify(const struct setpay_public_key *key, uint64_t suite,
                                     const struct setpay_digest *signer,
                                     const struct setpay_digest *pomd, struct setpay_view ds)
{
    return setpay_verify(key, DS_TYPE, suite, signer, setpay_digest_view(pomd), ds);
}

/* rule M2 */
enum setpay_error setpay_dual_check_order(const struct setpay_public_key *cardholder,
                                          uint64_t suite, const struct setpay_digest *signer,
                                          struct setpay_view oi_salt, struct setpay_view oi,
                                          const struct setpay_digest *pimd, struct setpay_view ds,
                                          struct setpay_digest *oimd, struct setpay_digest *pomd)
{
    struct setpay_digest order, both;
    SETPAY_TRY(setpay_dual_oimd(oi_salt, oi, &order));
    SETPAY_TRY(setpay_dual_pomd(suite, pimd, &order, &both));
    enum setpay_error error = setpay_dual_verify(cardholder, suite, signer, &both, ds);
    if (error == SETPAY_E_SIGNATURE)
        return SETPAY_E_DS_ORDER;
    SETPAY_TRY(error);
    *oimd = order;
    *pomd = both;
    return SETPAY_OK;
}

/* rule G3. PIMD is a digest over secrets, so it is compared in constant time, and DS is verified
 * also where PIMD differs: nothing tells one failure from the other. */
enum setpay_error setpay_dual_check_payment(const struct setpay_public_key *cardholder,
                                            uint64_t suite, const struct setpay_digest *signer,
                                            struct setpay_view pi_salt, struct setpay_view pi,
                                            const struct setpay_digest *named_pimd,
                                            const struct setpay_digest *oimd, struct setpay_view ds,
                                            struct setpay_digest *pomd)
{
    struct setpay_digest payment, both;
    if (pi_salt.size != sizeof(struct setpay_digest))
        return SETPAY_E_DS_PAYMENT;
    SETPAY_TRY(setpay_dual_pimd(pi_salt, pi, &payment));
    bool same =
        setpay_view_equal_secret(setpay_digest_view(&payment), setpay_digest_view(named_pimd));
    SETPAY_TRY(setpay_dual_pomd(suite, &payment, oimd, &both));
    enum setpay_error error = setpay_dual_verify(cardholder, suite, signer, &both, ds);
    if (error == SETPAY_E_SIGNATURE || (error == SETPAY_OK && !same))
        return SETPAY_E_DS_PAYMENT;
    SETPAY_TRY(error);
    *pomd = both;
    return SETPAY_OK;
}
