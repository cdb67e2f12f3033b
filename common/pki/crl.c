/*
 * Parsing and proving revocation lists.
 *
 * What always holds: a list that is held is the full list of one CA for all its certificates,
 * signed by that CA's key, with a number by which older ones are known, and with an end. Partial,
 * indirect and delta lists are valid elsewhere (RFC 5280) but never here: a list that says less
 * than all could hide a revocation.
 */
#include "common/pki/crl.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool time_ms(const ASN1_TIME *from, setpay_time_ms *to)
{
    struct tm parts;
    if (from == NULL || ASN1_TIME_to_tm(from, &parts) != 1)
        return false;
    *to = (setpay_time_ms)timegm(&parts) * 1000;
    return true;
}

/* Extensions: a number and an authority key id once each, none critical, nothing that narrows. */
static bool check_extensions(const X509_CRL *list, uint64_t *number)
{
    static const int once[] = {NID_crl_number, NID_authority_key_identifier};
    for (size_t i = 0; i < 2; i++) {
        int at = X509_CRL_get_ext_by_NID(list, once[i], -1);
        if (at < 0 || X509_CRL_get_ext_by_NID(list, once[i], at) >= 0)
            return false;
    }
    for (int i = 0; i < X509_CRL_get_ext_count(list); i++) {
        if (X509_EXTENSION_get_critical(X509_CRL_get_ext(list, i)) != 0)
            return false;
    }
    if (X509_CRL_get_ext_by_NID(list, NID_issuing_distribution_point, -1) >= 0 ||
        X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
        return false;
    ASN1_INTEGER *value = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
    bool fits =
        value != NULL && ASN1_INTEGER_get_uint64(number, value) == 1 && *number <= INT64_MAX;
    ASN1_INTEGER_free(value);
    return fits;
}

enum setpay_error setpay_crl_parse(struct setpay_view der, struct setpay_crl **crl)
{
    if (der.size > SETPAY_LIMIT_CRL_BYTES)
        return SETPAY_E_TOO_BIG;
    struct setpay_crl *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    atomic_init(&made->references, 1);
    setpay_buffer_init(&made->der, SETPAY_LIMIT_CRL_BYTES);
    enum setpay_error error = SETPAY_E_CRL_INVALID;
    const unsigned char *at = der.data;
    if (der.size == 0)
        goto out;
    made->list = d2i_X509_CRL(NULL, &at, (long)der.size);
    if (made->list == NULL || at != der.data + der.size ||
        X509_CRL_get_version(made->list) != X509_CRL_VERSION_2 ||
        X509_CRL_get_signature_nid(made->list) != NID_ecdsa_with_SHA256 ||
        !time_ms(X509_CRL_get0_lastUpdate(made->list), &made->info.this_update_ms) ||
        !time_ms(X509_CRL_get0_nextUpdate(made->list), &made->info.next_update_ms) ||
        !check_extensions(made->list, &made->info.number))
        goto out;
    error = setpay_sha256(der, &made->info.thumbprint);
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&made->der, der);
out:
    if (error != SETPAY_OK) {
        setpay_crl_unref(made);
        ERR_clear_error();
        return error;
    }
    *crl = made;
    return SETPAY_OK;
}

struct setpay_crl *setpay_crl_ref(struct setpay_crl *crl)
{
    atomic_fetch_add_explicit(&crl->references, 1, memory_order_relaxed);
    return crl;
}

void setpay_crl_unref(struct setpay_crl *crl)
{
    if (crl == NULL || atomic_fetch_sub_explicit(&crl->references, 1, memory_order_acq_rel) != 1)
        return;
    X509_CRL_free(crl->list);
    setpay_buffer_clear(&crl->der);
    free(crl);
}

bool setpay_crl_names(const struct setpay_crl *crl, const struct setpay_certificate *ca)
{
    X509 *x509 = setpay_certificate_x509(ca);
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl->list), X509_get_subject_name(x509)) != 0)
        return false;
    AUTHORITY_KEYID *akid =
        X509_CRL_get_ext_d2i(crl->list, NID_authority_key_identifier, NULL, NULL);
    const ASN1_OCTET_STRING *skid = X509_get0_subject_key_id(x509);
    bool same = akid != NULL && akid->keyid != NULL && skid != NULL &&
                ASN1_OCTET_STRING_cmp(akid->keyid, skid) == 0;
    AUTHORITY_KEYID_free(akid);
    return same;
}

/* rule A3: signature, and no longer life than the kind of CA may give */
enum setpay_error setpay_crl_prove(struct setpay_crl *crl, const struct setpay_certificate *ca,
                                   setpay_time_ms now_ms)
{
    struct setpay_crl_info *info = &crl->info;
    EVP_PKEY *key = setpay_public_key_pkey(setpay_certificate_key(ca));
    const struct setpay_ca_info *kind = setpay_ca_info(setpay_certificate_ca_kind(ca));
    if (X509_CRL_verify(crl->list, key) != 1) {
        ERR_clear_error();
        return SETPAY_E_CRL_INVALID;
    }
    if (info->this_update_ms > now_ms || info->next_update_ms <= info->this_update_ms ||
        info->next_update_ms - info->this_update_ms > kind->max_crl_ms)
        return SETPAY_E_CRL_INVALID;
    if (info->next_update_ms <= now_ms)
        return SETPAY_E_CRL_STALE;
    info->ca_kind = kind->kind;
    info->ca = *setpay_certificate_thumbprint(ca);
    memcpy(info->brand, setpay_certificate_brand(ca), strlen(setpay_certificate_brand(ca)) + 1);
    return SETPAY_OK;
}
