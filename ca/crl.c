/*
 * The lists that tell of revocations (revoke.c).
 *
 * What always holds: numbers of an authority's CRLs only grow; a CRL's life is at most what its
 * kind permits (24 hours for an issuing CA, rule A3), counted from a thisUpdate that lies a few
 * minutes back; a revocation and the CRL that lists it are committed together (rule C3). A revoked
 * certificate stays listed for SETPAY_CA_LISTED_AFTER_END_MS after its end (rule M8).
 */
#include "ca/state.h"

#include "common/crypto/keyfile.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* RFC 5280 section 5.3.1, but for those that undo or defer (certificateHold, removeFromCRL). */
static const struct {
    const char *name;
    int code;
} reasons[] = {
    {"unspecified", CRL_REASON_UNSPECIFIED},
    {"keyCompromise", CRL_REASON_KEY_COMPROMISE},
    {"cACompromise", CRL_REASON_CA_COMPROMISE},
    {"affiliationChanged", CRL_REASON_AFFILIATION_CHANGED},
    {"superseded", CRL_REASON_SUPERSEDED},
    {"cessationOfOperation", CRL_REASON_CESSATION_OF_OPERATION},
    {"privilegeWithdrawn", CRL_REASON_PRIVILEGE_WITHDRAWN},
    {"aACompromise", CRL_REASON_AA_COMPROMISE},
};

const char *setpay_ca_reasons(void)
{
    return "unspecified keyCompromise cACompromise affiliationChanged superseded "
           "cessationOfOperation privilegeWithdrawn aACompromise";
}

int setpay_ca_reason_code(const char *name)
{
    for (size_t at = 0; at < sizeof reasons / sizeof *reasons; at++)
        if (strcmp(reasons[at].name, name) == 0)
            return reasons[at].code;
    return -1;
}

const char *setpay_ca_reason_name(int code)
{
    for (size_t at = 0; at < sizeof reasons / sizeof *reasons; at++)
        if (reasons[at].code == code)
            return reasons[at].name;
    return "unspecified";
}

enum setpay_error setpay_ca_revoked_serial(const X509_REVOKED *entry,
                                           char serial[SETPAY_CA_SERIAL_SIZE])
{
    uint8_t bytes[(SETPAY_CA_SERIAL_SIZE - 1) / 2];
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_REVOKED_get0_serialNumber(entry), NULL);
    int size = number == NULL ? -1 : BN_bn2binpad(number, bytes, sizeof bytes);

    BN_free(number);
    if (size < 0)
        return SETPAY_E_CRL_INVALID;
    setpay_hex_encode(setpay_view_of(bytes, sizeof bytes), serial);
    return SETPAY_OK;
}

/* ---- after a restore (rule C4) ---- */

static enum setpay_error read_restore(struct setpay_db *db, void *arg)
{
    return setpay_store_last_restore(db, arg);
}

static enum setpay_error last_restore(struct setpay_ca *ca, struct setpay_store_restore *restore)
{
    return setpay_store_read(setpay_ca_registry_reader(ca->registry), read_restore, restore);
}

/* The list that an authority made, or took over, last. */
struct held {
    const char *authority;
    X509_CRL *crl;
};

static void take_held(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                      setpay_time_ms next_update, struct setpay_view der)
{
    struct held *held = arg;
    const uint8_t *at = der.data;

    (void)number;
    (void)this_update;
    (void)next_update;
    if (strcmp(authority, held->authority) == 0)
        held->crl = d2i_X509_CRL(NULL, &at, (long)der.size);
}

static void ignore_record(void *arg, const struct setpay_ca_record *record)
{
    (void)arg;
    (void)record;
}

/* What was issued after the backup and is revoked stands on the list before this one and nowhere
 * else: it stays, for ever, since its end is not known. */
static enum setpay_error carry_over(struct setpay_ca *ca, const char *authority, X509_CRL *crl)
{
    struct held held = {.authority = authority};
    char serial[SETPAY_CA_SERIAL_SIZE];
    enum setpay_error error = setpay_ca_registry_crls(ca->registry, NULL, take_held, &held);
    STACK_OF(X509_REVOKED) *entries = held.crl == NULL ? NULL : X509_CRL_get_REVOKED(held.crl);

    for (int i = 0; i < sk_X509_REVOKED_num(entries) && error == SETPAY_OK; i++) {
        X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);

        error = setpay_ca_revoked_serial(entry, serial);
        if (error == SETPAY_OK)
            error = setpay_ca_registry_by_serial(ca->registry, serial, ignore_record, NULL);
        if (error != SETPAY_E_NOT_FOUND)
            continue; /* known: the registry says whether it is revoked */
        X509_REVOKED *copy = X509_REVOKED_dup(entry);
        error = copy != NULL && X509_CRL_add0_revoked(crl, copy) == 1 ? SETPAY_OK : SETPAY_E_CRYPTO;
        if (error != SETPAY_OK)
            X509_REVOKED_free(copy);
    }
    X509_CRL_free(held.crl);
    return error;
}

/* ---- building a CRL ---- */

struct listing {
    X509_CRL *crl;
    setpay_time_ms now;
    enum setpay_error error;
};

static enum setpay_error add_revoked(X509_CRL *crl, const char *serial, setpay_time_ms time,
                                     const char *reason)
{
    int code = setpay_ca_reason_code(reason);
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)(time / SETPAY_SECOND_MS));
    ASN1_ENUMERATED *why = ASN1_ENUMERATED_new();
    BIGNUM *number = NULL;
    ASN1_INTEGER *integer = NULL;
    enum setpay_error error = SETPAY_E_CRYPTO;

    if (BN_hex2bn(&number, serial) > 0)
        integer = BN_to_ASN1_INTEGER(number, NULL);
    if (revoked != NULL && at != NULL && why != NULL && integer != NULL &&
        X509_REVOKED_set_serialNumber(revoked, integer) == 1 &&
        X509_REVOKED_set_revocationDate(revoked, at) == 1 &&
        /* RFC 5280 5.3.1: "unspecified" is left out */
        (code <= 0 || (ASN1_ENUMERATED_set(why, code) == 1 &&
                       X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, why, 0, 0) == 1)) &&
        X509_CRL_add0_revoked(crl, revoked) == 1) {
        revoked = NULL;
        error = SETPAY_OK;
    }
    X509_REVOKED_free(revoked);
    ASN1_TIME_free(at);
    ASN1_ENUMERATED_free(why);
    ASN1_INTEGER_free(integer);
    BN_free(number);
    return error;
}

static void list_record(void *arg, const struct setpay_ca_record *record)
{
    struct listing *listing = arg;

    if (listing->error == SETPAY_OK &&
        record->not_after + SETPAY_CA_LISTED_AFTER_END_MS > listing->now)
        listing->error = add_revoked(listing->crl, record->serial, record->revoked, record->reason);
}

static enum setpay_error set_crl_fields(X509_CRL *crl, X509 *issuer, uint64_t number,
                                        setpay_time_ms this_update, setpay_time_ms next_update)
{
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)(this_update / SETPAY_SECOND_MS));
    ASN1_TIME *until = ASN1_TIME_set(NULL, (time_t)(next_update / SETPAY_SECOND_MS));
    ASN1_INTEGER *count = ASN1_INTEGER_new();
    X509_EXTENSION *key_id = NULL;
    X509V3_CTX context;
    enum setpay_error error = SETPAY_E_CRYPTO;

    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    key_id = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    if (from != NULL && until != NULL && count != NULL && key_id != NULL &&
        X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
        X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1 &&
        ASN1_INTEGER_set_uint64(count, number) == 1 &&
        X509_CRL_add1_ext_i2d(crl, NID_crl_number, count, 0, 0) == 1 &&
        X509_CRL_add_ext(crl, key_id, -1) == 1)
        error = SETPAY_OK;
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_INTEGER_free(count);
    X509_EXTENSION_free(key_id);
    return error;
}

static enum setpay_error crl_der(X509_CRL *crl, struct setpay_buffer *der)
{
    int size = i2d_X509_CRL(crl, NULL);
    uint8_t *room;

    if (size <= 0)
        return SETPAY_E_CRYPTO;
    SETPAY_TRY(setpay_buffer_extend(der, (size_t)size, &room));
    return i2d_X509_CRL(crl, &room) == size ? SETPAY_OK : SETPAY_E_CRYPTO;
}

static enum setpay_error make_crl(struct setpay_ca *ca, const struct setpay_ca_authority *authority,
                                  const struct setpay_ca_revocation *also, size_t also_count,
                                  bool was_restored, uint64_t number, setpay_time_ms this_update,
                                  setpay_time_ms next_update, struct setpay_buffer *der)
{
    struct listing listing = {.crl = X509_CRL_new(), .now = this_update};

    if (listing.crl == NULL)
        return SETPAY_E_NOMEM;
    listing.error =
        set_crl_fields(listing.crl, authority->certificate, number, this_update, next_update);
    if (listing.error == SETPAY_OK) {
        enum setpay_error error =
            setpay_ca_registry_revoked(ca->registry, authority->row.name, list_record, &listing);
        if (error != SETPAY_OK)
            listing.error = error;
    }
    if (listing.error == SETPAY_OK && was_restored)
        listing.error = carry_over(ca, authority->row.name, listing.crl); /* rule C4 */
    for (size_t at = 0; at < also_count && listing.error == SETPAY_OK; at++)
        listing.error = add_revoked(listing.crl, also[at].serial, also[at].time, also[at].reason);
    if (listing.error == SETPAY_OK &&
        (X509_CRL_sort(listing.crl) != 1 ||
         X509_CRL_sign(listing.crl, authority->key, EVP_sha256()) <= 0))
        listing.error = SETPAY_E_CRYPTO;
    if (listing.error == SETPAY_OK)
        listing.error = crl_der(listing.crl, der);
    X509_CRL_free(listing.crl);
    return listing.error;
}

enum setpay_error setpay_ca_crl_decide(struct setpay_ca *ca, struct setpay_ca_change *change,
                                       const struct setpay_ca_authority *authority,
                                       const struct setpay_ca_revocation *also, size_t also_count,
                                       setpay_time_ms now)
{
    const struct setpay_ca_info *info = setpay_ca_info(setpay_ca_kind_by_name(authority->row.kind));
    struct setpay_store_restore restore = {0, 0};
    uint64_t number = authority->row.crl_number + 1;
    setpay_time_ms this_update = now - SETPAY_CA_BACKDATE_MS;
    setpay_time_ms next_update = this_update + info->max_crl_ms; /* rule A3 */
    char text[SETPAY_CA_SERIAL_SIZE];
    struct setpay_buffer der = {0};
    enum setpay_error error;

    SETPAY_TRY(last_restore(ca, &restore));
    /* Rule C4: above every number that an authority can have given which makes less than a list a
     * second, whether we know of it or not. */
    if (number < (uint64_t)(restore.restored_ms / SETPAY_SECOND_MS))
        number = (uint64_t)(restore.restored_ms / SETPAY_SECOND_MS);
    setpay_buffer_init(&der, SETPAY_LIMIT_CRL_BYTES);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    error = make_crl(ca, authority, also, also_count, restore.restored_ms != 0, number, this_update,
                     next_update, &der);
    if (error == SETPAY_OK)
        error = setpay_ca_log_append(change, authority, "crl", text, authority->row.name,
                                     setpay_buffer_view(&der), now);
    if (error == SETPAY_OK)
        error = setpay_ca_change_set_crl(change, authority->row.name, number, this_update,
                                         next_update, setpay_buffer_view(&der));
    setpay_buffer_clear(&der);
    return error;
}
