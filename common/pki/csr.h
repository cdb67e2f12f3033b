/*
 * Certificate requests (PKCS#10, RFC 2986), as wallets and operators make them and CAs take them
 * (rules C1, C2).
 *
 * The request's attributes: challengePassword (the one-use nonce that /csrattrs gave); the
 * extension request with dNSNames for a TLS server, and with one extended key usage, which says
 * which of a party's certificates is wished for; and for a cardholder PAN, card expiry and
 * PANSecret, each one OCTET STRING under our own arc (role.h). Tools that can only write texts
 * there may give digits as text, and PANSecret as 64 hexadecimal digits. Because of those three the
 * whole request is a secret. Its subject only asks: the role is the profile's, the rest is checked
 * by the CA.
 */
#ifndef SETPAY_PKI_CSR_H
#define SETPAY_PKI_CSR_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/pki/role.h"

#include <openssl/types.h>
#include <stddef.h>

#define SETPAY_LIMIT_CSR_BYTES (8 * 1024)
#define SETPAY_LIMIT_CSR_HOSTS 8
#define SETPAY_CSR_CHALLENGE_MAX 128
#define SETPAY_CSR_OID_SIZE 96

/* What a request asks for. All borrowed. */
struct setpay_csr_wish {
    const char *brand;        /* O; NULL leaves it out */
    const char *role;         /* OU; NULL leaves it out */
    const char *id;           /* CN; NULL leaves it out (a cardholder's is made by the CA) */
    const char *challenge;    /* challengePassword; NULL leaves it out */
    const char *const *hosts; /* dNSNames */
    size_t host_count;
    const char *eku; /* OID of one extended key usage; NULL leaves it out */
    /* All three or none (NULL). */
    const struct setpay_secret *pan;
    const struct setpay_secret *expiry;
    const struct setpay_secret *pan_secret;
};

/* Makes and signs a request in DER; *der must be empty. SETPAY_E_INVALID (a field not of its form),
 * SETPAY_E_CRYPTO. */
enum setpay_error setpay_csr_build(EVP_PKEY *key, const struct setpay_csr_wish *wish,
                                   struct setpay_secret *der) SETPAY_MUST_CHECK;

/* What was asked. Zeroed memory is empty. */
struct setpay_csr {
    EVP_PKEY *key;                    /* P-256, proven by the request's signature */
    struct setpay_digest key_digest;  /* of setpay_key_digest: "certified before?" (rule C2) */
    char brand[SETPAY_BRAND_MAX + 1]; /* "" where absent, like the next two */
    char role[SETPAY_PARTY_ID_MAX + 1];
    char id[SETPAY_PARTY_ID_MAX + 1];
    char challenge[SETPAY_CSR_CHALLENGE_MAX + 1];
    char hosts[SETPAY_LIMIT_CSR_HOSTS][254];
    size_t host_count;
    char eku[SETPAY_CSR_OID_SIZE]; /* "" where absent */
    struct setpay_secret pan;      /* digits; empty (size 0) where absent, like the next two */
    struct setpay_secret expiry;
    struct setpay_secret pan_secret; /* 32 bytes */
};

/* Parses DER and verifies its signature by the key inside. csr must be empty; on error it stays so.
 * SETPAY_E_CSR for whatever is wrong: other attributes, attributes given twice, names not of their
 * form, only some of the three secrets, another curve. */
enum setpay_error setpay_csr_parse(struct setpay_view der,
                                   struct setpay_csr *csr) SETPAY_MUST_CHECK;
/* Cleanses and frees; safe twice. */
void setpay_csr_clear(struct setpay_csr *csr);

#endif
