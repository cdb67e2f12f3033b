/*
 * A throw-away PKI in memory for tests: one root; per brand a brand CA and its CCA, MCA and PCA;
 * leaves of every profile; CRLs; and a knob for every defect. Built straight on OpenSSL, apart from
 * the code under test. Everything fails hard (abort with a message): tests need no error paths.
 */
#ifndef SETPAY_TESTS_TEST_PKI_H
#define SETPAY_TESTS_TEST_PKI_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/crypto/envelope.h"
#include "common/crypto/sign.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"
#include "common/pki/role.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

/* "Now" of tests that need no true clock: 2026-11-23T12:00:00Z. */
#define TEST_PKI_NOW_MS INT64_C(1795435200000)
#define TEST_PKI_BRANDS 4
#define TEST_PKI_REVOKED 64

/* What is wrong with a certificate. */
enum test_pki_defect {
    TEST_PKI_GOOD = 0,
    TEST_PKI_EXPIRED,
    TEST_PKI_NOT_YET_VALID,
    TEST_PKI_TOO_LONG_LIFE,
    TEST_PKI_NO_TYPE,    /* certificateType left out */
    TEST_PKI_OTHER_TYPE, /* another party's bit */
    TEST_PKI_TWO_TYPES,  /* the right bit and another one */
    TEST_PKI_NO_KEY_USAGE,
    TEST_PKI_OTHER_KEY_USAGE,
    TEST_PKI_NO_EKU, /* leaves only */
    TEST_PKI_OTHER_EKU,
    TEST_PKI_EXTRA_EKU,            /* the right ones and emailProtection */
    TEST_PKI_NO_BASIC_CONSTRAINTS, /* CAs only */
    TEST_PKI_LEAF_IS_CA,           /* a leaf with CA:TRUE */
    TEST_PKI_OTHER_BRAND,          /* O of another brand, by the same CA: outside its constraints */
    TEST_PKI_DOT_IN_CN,
    TEST_PKI_BAD_ID,           /* a blank in CN */
    TEST_PKI_EXTRA_RDN,        /* a second CN */
    TEST_PKI_DNS_NAME,         /* a dNSName where the profile has none */
    TEST_PKI_IP_NAME,          /* an iPAddress 192.0.2.1 */
    TEST_PKI_WILDCARD,         /* dNSName *.example.com */
    TEST_PKI_OTHER_CURVE,      /* P-384 key */
    TEST_PKI_RSA,              /* RSA key */
    TEST_PKI_FORGED,           /* signed by a stranger's key under the issuer's name */
    TEST_PKI_UNKNOWN_CRITICAL, /* an unknown critical extension */
    TEST_PKI_WRONG_ISSUER,     /* issued by the brand CA instead of the issuing CA */
    TEST_PKI_OTHER_ISSUER,     /* issued by another role's CA of the brand (issuer_of) */
};

/* One CA with its key. */
struct test_pki_ca {
    EVP_PKEY *key;
    X509 *x509;
    struct setpay_buffer der;
    uint64_t crl_number;
    uint64_t revoked[TEST_PKI_REVOKED]; /* serials */
    size_t revoked_count;
};

struct test_pki_brand {
    char name[SETPAY_BRAND_MAX + 1];
    /* by enum setpay_ca_kind: SETPAY_CA_BRAND and the three issuing CAs */
    struct test_pki_ca ca[SETPAY_CA_KINDS];
};

struct test_pki {
    setpay_time_ms now_ms; /* what certificates and CRLs are dated around */
    struct test_pki_ca root;
    struct test_pki_brand brands[TEST_PKI_BRANDS];
    size_t brand_count;
    uint64_t next_serial;
};

/* A key, its certificate and the CAs that go beside it: all that a party needs. */
struct test_party {
    EVP_PKEY *key;
    X509 *x509;
    uint64_t serial;
    struct setpay_signing_key *signing_key; /* NULL where the key is not on P-256 */
    struct setpay_certificate *certificate; /* parsed; NULL where a defect forbids it */
    struct setpay_buffer der;
    struct setpay_digest thumbprint;
    struct setpay_view chain[SETPAY_CHAIN_CAS]; /* issuing CA, brand CA; borrowed from the PKI */
};

/* Makes the root and the named brands' CAs; names ends with NULL. now_ms: TEST_PKI_NOW_MS, or
 * setpay_clock_now_ms() where real daemons or the openssl program take part. CAs
 * are valid from a year before that; leaves from a day, CRLs from an hour before. */
struct test_pki *test_pki_new(setpay_time_ms now_ms, const char *const *brand_names);
void test_pki_free(struct test_pki *pki);
struct test_pki_brand *test_pki_brand(struct test_pki *pki, const char *brand);
struct test_pki_ca *test_pki_ca(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind);
/* A brand whose CA of that kind (SETPAY_CA_BRAND or an issuing one) has a defect. */
void test_pki_add_brand(struct test_pki *pki, const char *brand, enum setpay_ca_kind defective,
                        enum test_pki_defect defect);

/* Makes a party. id: CN; for a cardholder 64 hex digits, or NULL for some. host: the dNSName of
 * merchant-tls-server (NULL: "localhost"), ignored otherwise. */
struct test_party *test_party_new(struct test_pki *pki, const char *brand,
                                  enum setpay_profile profile, const char *id, const char *host);
/* The same with a defect. */
struct test_party *test_party_new_defective(struct test_pki *pki, const char *brand,
                                            enum setpay_profile profile, const char *id,
                                            enum test_pki_defect defect);
/* A certificate for a key of which only the public half is known here: no signing key. */
struct test_party *test_party_new_for(struct test_pki *pki, const char *brand,
                                      enum setpay_profile profile, const char *id, EVP_PKEY *key);
void test_party_free(struct test_party *party);
/* Lists the party's certificate (or a CA's) in its issuer's next CRL. */
void test_pki_revoke(struct test_pki *pki, const struct test_party *party);
void test_pki_revoke_ca(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind);

/* What is wrong with a CRL. */
enum test_crl_defect {
    TEST_CRL_GOOD = 0,
    TEST_CRL_STALE,     /* nextUpdate before now */
    TEST_CRL_FUTURE,    /* thisUpdate after now */
    TEST_CRL_LONG_LIFE, /* two years */
    TEST_CRL_FORGED,    /* signed by a stranger */
    TEST_CRL_NO_NUMBER,
    TEST_CRL_NO_AKI,
    TEST_CRL_DELTA,        /* with a delta indicator */
    TEST_CRL_PARTIAL,      /* with an issuing distribution point: only user certificates */
    TEST_CRL_SAME_NUMBER,  /* the number of the last one again */
    TEST_CRL_OLDER_NUMBER, /* a number below the last one */
};

/* A CRL of that CA (kind SETPAY_CA_ROOT: brand is ignored) dated around now_ms, with the next
 * number unless the defect says otherwise. Replaces what der holds (init it with enough max). */
void test_pki_crl(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind,
                  setpay_time_ms now_ms, enum test_crl_defect defect, struct setpay_buffer *der);

/* A trust store with the root, all CAs, and fresh CRLs of all of them. */
struct setpay_trust *test_pki_trust(struct test_pki *pki);
/* Fresh CRLs of all CAs into a trust store, dated around now_ms. */
void test_pki_refresh_crls(struct test_pki *pki, struct setpay_trust *trust, setpay_time_ms now_ms);

/* Writes PEM files into dir: root.pem; BRAND-ca.pem (all CA certificates of each brand, also all in
 * cas.pem); crls.pem. Directory must exist. */
void test_pki_write(struct test_pki *pki, const char *dir);
/* Writes PATH.pem (certificate, then issuing CA and brand CA) and PATH.key (PKCS#8, clear, 0600).
 */
void test_party_write(const struct test_party *party, const char *path);

#endif
