/*
 * A dual-signed purchase made as a wallet and a merchant would make it, for tests of either side,
 * with a way to get each part of it wrong. It does not use the wallet's builder, which would refuse
 * to. Everything fails hard: tests need no error paths.
 *
 *     struct test_purchase *p = test_purchase_new(&parties, cardholder, 1250, "EUR", now_ms);
 *     p->pi.amount.minor++;            what the cardholder signs, before test_purchase_sign
 *     test_purchase_sign(p);
 *     p->auth.amount.minor++;          what the merchant says, before test_purchase_auth_req
 *     test_purchase_auth_req(p, &message);
 */
#ifndef SETPAY_TEST_PURCHASE_H
#define SETPAY_TEST_PURCHASE_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"
#include "tests/support/test_pki.h"

/* A card and the certificate that was issued for it. */
struct test_cardholder {
    struct test_party *party;
    char pan[20];
    char expiry[5];        /* YYMM */
    char security_code[5]; /* "" for none */
    struct setpay_digest pan_secret;
};
struct test_cardholder *test_cardholder_new(struct test_pki *pki, const char *brand,
                                            const char *pan, const char *expiry,
                                            const char *security_code);
/* The same with a defective certificate. */
struct test_cardholder *test_cardholder_new_defective(struct test_pki *pki, const char *brand,
                                                      const char *pan, const char *expiry,
                                                      enum test_pki_defect defect);
void test_cardholder_free(struct test_cardholder *cardholder);

/* Who takes part. All borrowed. */
struct test_purchase_parties {
    const char *brand;
    const struct test_party *merchant; /* its signing certificate */
    const char *merchant_id;
    const struct test_party *gateway_sign;
    const struct test_party *gateway_encrypt;
};

struct test_purchase {
    struct test_purchase_parties parties;
    const struct test_cardholder *cardholder;
    struct setpay_oi oi;
    struct setpay_pi pi;
    struct setpay_digest oi_salt;
    struct setpay_digest pi_salt;
    const struct test_party *ds_signer;    /* whose key makes DS; the cardholder */
    const struct test_party *sealed_to;    /* the gateway's encryption certificate */
    struct setpay_buffer oi_signed;        /* not empty: signed and sent in place of OI's bytes */
    struct setpay_buffer pi_signed;        /* not empty: signed and sealed in place of PI's bytes */
    struct setpay_buffer pi_instead;       /* not empty: sealed in place of them, not signed */
    struct setpay_digest salt_in_envelope; /* pi_salt, unless changed after signing */

    /* Made by test_purchase_sign. */
    struct setpay_buffer oi_bytes;
    struct setpay_digest oimd;
    struct setpay_digest pimd;
    struct setpay_digest pomd;
    struct setpay_signature dual_signature;
    struct setpay_buffer envelope;
    struct setpay_preq preq;
    struct setpay_auth_req auth;
    setpay_time_ms now_ms;

    /* Of the message around AuthReq. */
    const struct test_party *auth_signer; /* whom it names, and whose certificate is beside */
    const struct test_party *auth_key;    /* whose key signs it; the same */
    bool without_cardholder;              /* its certificate is not beside */
    struct setpay_buffer content_instead; /* not empty: signed in place of AuthReq's content */

    /* Of the message around PReq. */
    struct setpay_buffer preq_instead; /* not empty: sent in place of PReq's content */
    const struct setpay_buffer *crl;   /* beside either; NULL for none */
};

/* Valid values throughout, fresh random ids; not signed yet. */
struct test_purchase *test_purchase_new(const struct test_purchase_parties *parties,
                                        const struct test_cardholder *cardholder, int64_t minor,
                                        const char *currency, setpay_time_ms now_ms);
void test_purchase_free(struct test_purchase *purchase);
/* As the wallet does that was made this offer: all that OI and PI repeat of it. digest is that of
 * its content. Not signed yet. */
void test_purchase_take_offer(struct test_purchase *purchase, const struct setpay_pinit_res *offer,
                              const struct setpay_digest *digest);
/* Packs OI and PI, computes the digests, signs and seals; fills preq and auth with what fits. Again
 * after a change: as if the cardholder had signed that. */
void test_purchase_sign(struct test_purchase *purchase);
/* Seals anew what is to be in the envelope, and names its digest in auth and preq. */
void test_purchase_seal(struct test_purchase *purchase);
/* What goes into the envelope, to be sealed in some other way (plaintext must be empty). */
void test_purchase_plaintext(const struct test_purchase *purchase, struct setpay_secret *plaintext);
/* Names the digest of whatever is in envelope now. */
void test_purchase_name_envelope(struct test_purchase *purchase);
/* The whole AuthReq as it travels, with the certificates of merchant and cardholder beside. */
void test_purchase_auth_req(const struct test_purchase *purchase, struct setpay_buffer *message);
/* The whole PReq, with the cardholder's certificate beside (unless without_cardholder). */
void test_purchase_preq(const struct test_purchase *purchase, struct setpay_buffer *message);
/* The same wish as a new request: a fresh rrpid, the date now. */
void test_purchase_renew(struct test_purchase *purchase, setpay_time_ms now_ms);

/* Any content as a message of the merchant's (or of signer): certificates of it beside. */
void test_merchant_message(enum setpay_message_type type, const struct test_party *signer,
                           struct setpay_view content, struct setpay_buffer *message);

#endif
