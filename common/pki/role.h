/*
 * Who a certificate may be: one table of leaf profiles and one of CA kinds. The CA issues by it and
 * everybody verifies by it, so that what is issued and what is accepted can't drift apart.
 *
 * Subjects are exactly O, OU, CN in this order, each once, UTF8String or PrintableString:
 *
 *     leaf          O=<brand id>  OU=<role of the profile>  CN=<id>
 *     brand's CAs   O=<brand id>  OU=<role of the kind>     CN=<id>
 *     root          O=<any text>  OU=root-ca                CN=<any text>
 *
 * A cardholder's id is the blinded account id, 64 lower-case hex digits; other ids are
 * [A-Za-z0-9_-]{1,32}, so that no CN can be taken for a host name.
 */
#ifndef SETPAY_PKI_ROLE_H
#define SETPAY_PKI_ROLE_H

#include "common/base/error.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SET's certificateType extension (id-set 2.23.42.7.1): a BIT STRING, of which we set exactly one
 * bit. Required on every certificate of this PKI, never critical. */
#define SETPAY_OID_CERTIFICATE_TYPE "2.23.42.7.1"
enum setpay_type_bit {
    SETPAY_TYPE_CARD = 0,
    SETPAY_TYPE_MERCHANT = 1,
    SETPAY_TYPE_GATEWAY = 2,
    SETPAY_TYPE_CCA = 3,
    SETPAY_TYPE_MCA = 4,
    SETPAY_TYPE_PCA = 5,
    SETPAY_TYPE_GCA = 6, /* geopolitical CA: not used here */
    SETPAY_TYPE_BCA = 7,
    SETPAY_TYPE_RCA = 8,
    SETPAY_TYPE_ACQUIRER = 9, /* not used here */
};

/* Our own arc: a UUID under 2.25 (ITU-T X.667). */
#define SETPAY_OID_ARC "2.25.292021134882307325024840491501456023928"
/* extendedKeyUsage of a gateway's encryption certificate: no TLS or mail stack takes it for its own
 */
#define SETPAY_OID_EKU_ENVELOPE SETPAY_OID_ARC ".1"
/* PKCS#10 attributes of a cardholder's enrolment, each one OCTET STRING (csr.h) */
#define SETPAY_OID_ATTRIBUTE_PAN SETPAY_OID_ARC ".2"
#define SETPAY_OID_ATTRIBUTE_EXPIRY SETPAY_OID_ARC ".3"
#define SETPAY_OID_ATTRIBUTE_PAN_SECRET SETPAY_OID_ARC ".4"
/* extendedKeyUsages of others */
#define SETPAY_OID_EKU_DOCUMENT_SIGNING "1.3.6.1.5.5.7.3.36" /* RFC 9336 */
#define SETPAY_OID_EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define SETPAY_OID_EKU_SERVER_AUTH "1.3.6.1.5.5.7.3.1"

enum setpay_ca_kind {
    SETPAY_CA_NONE = 0, /* a leaf */
    SETPAY_CA_ROOT,
    SETPAY_CA_BRAND,
    SETPAY_CA_CARDHOLDER, /* CCA */
    SETPAY_CA_MERCHANT,   /* MCA */
    SETPAY_CA_GATEWAY,    /* PCA */
    SETPAY_CA_KINDS
};

enum setpay_profile {
    SETPAY_PROFILE_NONE = 0, /* a CA */
    SETPAY_PROFILE_CARDHOLDER_SIGN,
    SETPAY_PROFILE_MERCHANT_SIGN,
    SETPAY_PROFILE_MERCHANT_TLS_CLIENT, /* to the gateway */
    SETPAY_PROFILE_MERCHANT_TLS_SERVER, /* to wallets; with dNSNames */
    SETPAY_PROFILE_GATEWAY_SIGN,
    SETPAY_PROFILE_GATEWAY_ENCRYPT,
    SETPAY_PROFILE_GATEWAY_TLS_SERVER, /* to merchants, who know it by its subject */
    SETPAY_PROFILE_CA_TLS_SERVER,      /* to everybody who enrols; with dNSNames */
    SETPAY_PROFILES
};

#define SETPAY_PROFILE_EKUS 2

struct setpay_profile_info {
    enum setpay_profile profile;
    const char *name; /* "cardholder-sign": in configurations and commands */
    const char *role; /* "cardholder": the OU, and the EST label */
    enum setpay_type_bit type;
    uint32_t key_usage;                    /* exactly these, critical; KU_* of <openssl/x509v3.h> */
    const char *ekus[SETPAY_PROFILE_EKUS]; /* exactly these OIDs; NULL fills the rest */
    bool eku_critical;
    enum setpay_ca_kind issuer;
    int max_days;   /* the longest life that is issued and accepted */
    bool dns_names; /* one to eight dNSNames and no other names; otherwise no subjectAltName */
};

struct setpay_ca_info {
    enum setpay_ca_kind kind;
    const char *name; /* "cca": in commands */
    const char *role; /* "cardholder-ca": the OU */
    enum setpay_type_bit type;
    enum setpay_ca_kind issuer; /* a root issues itself */
    int path_length;            /* basicConstraints pathLenConstraint, exactly */
    int max_days;
    int64_t max_crl_ms; /* the longest nextUpdate - thisUpdate of its CRLs (rule A3) */
};

/* CAs: keyUsage exactly keyCertSign and cRLSign, critical; no extendedKeyUsage. */
#define SETPAY_CA_KEY_USAGE (0x0004u | 0x0002u)

/* NULL for NONE or a value outside. */
const struct setpay_profile_info *setpay_profile_info(enum setpay_profile profile);
const struct setpay_ca_info *setpay_ca_info(enum setpay_ca_kind kind);
/* By name ("merchant-tls-client", "cca"); NONE where unknown. */
enum setpay_profile setpay_profile_by_name(const char *name);
enum setpay_ca_kind setpay_ca_kind_by_name(const char *name);

#define SETPAY_BRAND_MAX 32
#define SETPAY_CA_NUMBER_MAX 9999 /* of one kind in one brand, one after the other */
#define SETPAY_PARTY_ID_MAX                                                                        \
    64 /* 32 for merchants, gateways and CAs, 64 for a blinded account id                          \
        */

/* An authority's name, in files and in words: "root", BRAND.KIND, and from the second of its kind
 * in the brand on BRAND.KIND-NUMBER. number 0: not known, as 1. */
#define SETPAY_AUTHORITY_NAME_SIZE 48
void setpay_ca_name(const char *brand, enum setpay_ca_kind kind, unsigned number,
                    char name[SETPAY_AUTHORITY_NAME_SIZE]);

/* [a-z0-9-]{1,32} */
bool setpay_brand_is_valid(const char *brand);
/* [A-Za-z0-9_-]{1,32} */
bool setpay_party_id_is_valid(const char *id);
/* 64 lower-case hex digits */
bool setpay_account_text_is_valid(const char *id);
/* A host name fit for a dNSName: letters, digits, '-' and '.' in labels of 1 to 63, at most 253, no
 * wildcard, no address, no dot at the end. */
bool setpay_host_is_valid(const char *host);

/* The certificateType extension with that one bit, to be freed with X509_EXTENSION_free.
 * SETPAY_E_CRYPTO. */
enum setpay_error setpay_type_extension_new(enum setpay_type_bit type,
                                            X509_EXTENSION **extension) SETPAY_MUST_CHECK;
/* Reads it: present once, not critical, DER, exactly one bit. SETPAY_E_CERT_ROLE. */
enum setpay_error setpay_type_extension_read(const X509 *certificate,
                                             enum setpay_type_bit *type) SETPAY_MUST_CHECK;

#endif
