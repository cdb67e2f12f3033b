/*
 * What an authority does that was restored from a backup, before it signs anything else (rule C4).
 *
 * What always holds: nothing that a list of before has revoked is ever taken off a later one. What
 * the authority knows it revokes anew; what it does not know any more, since it was issued after
 * the backup, stays on its lists because it stood on the one before (crl.c).
 */
#include "ca/backup.h"
#include "ca/state.h"

#include "common/crypto/file.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

struct setting_back {
    struct setpay_ca *ca;
    const char *lists;
    struct setpay_ca_change change;
    const struct setpay_store_restore *restore;
    size_t revoked;
    struct setpay_problem *problem;
};

/* ---- a list ---- */

static enum setpay_error read_list(const struct setting_back *setting,
                                   const struct setpay_ca_authority *authority, X509_CRL **crl)
{
    char path[SETPAY_CA_PATH_MAX];
    struct setpay_buffer pem;
    (void)snprintf(path, sizeof path, "%s/%s.crl", setting->lists, authority->row.name);
    setpay_buffer_init(&pem, 4 * SETPAY_LIMIT_CRL_BYTES);
    enum setpay_error error = setpay_file_read(path, &pem, setting->problem);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(setting->problem, error,
                                  "%s: no such file; --crls names a folder with the newest "
                                  "revocation list of each authority, as any party holds them",
                                  path);
    SETPAY_TRY(error);
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509_CRL *read = bio == NULL ? NULL : PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    BIO_free(bio);
    setpay_buffer_clear(&pem);
    if (read != NULL &&
        X509_NAME_cmp(X509_CRL_get_issuer(read), X509_get_subject_name(authority->certificate)) ==
            0 &&
        X509_CRL_verify(read, X509_get0_pubkey(authority->certificate)) == 1) {
        *crl = read;
        return SETPAY_OK;
    }
    X509_CRL_free(read);
    return setpay_problem_set(setting->problem, SETPAY_E_INVALID,
                              "%s: is no revocation list that %s has signed", path,
                              authority->row.name);
}

static enum setpay_error number_of(X509_CRL *crl, uint64_t *number)
{
    ASN1_INTEGER *found = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
    int good = found != NULL && ASN1_INTEGER_get_uint64(number, found) == 1;
    ASN1_INTEGER_free(found);
    return good ? SETPAY_OK : SETPAY_E_CRL_INVALID;
}

static setpay_time_ms time_of(const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (setpay_time_ms)timegm(&parts) * SETPAY_SECOND_MS
                                              : 0;
}

/* ---- what it revokes ---- */

struct known {
    bool found;
    bool revoked;
    char authority[SETPAY_CA_AUTHORITY_SIZE];
    char subject[192];
    struct setpay_buffer der;
    enum setpay_error error;
};

static void take_known(void *arg, const struct setpay_ca_record *record)
{
    struct known *known = arg;
    known->found = true;
    known->revoked = record->revoked != 0;
    (void)snprintf(known->authority, sizeof known->authority, "%s", record->authority);
    (void)snprintf(known->subject, sizeof known->subject, "%s", record->subject);
    known->error = setpay_buffer_set(&known->der, record->der);
}

static const char *reason_of(X509_REVOKED *entry)
{
    ASN1_ENUMERATED *found = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    const char *name = setpay_ca_reason_name(found == NULL ? 0 : (int)ASN1_ENUMERATED_get(found));
    ASN1_ENUMERATED_free(found);
    return name;
}

static enum setpay_error revoke_known(struct setting_back *setting,
                                      const struct setpay_ca_authority *authority,
                                      X509_REVOKED *entry)
{
    struct known known = {.found = false};
    char serial[SETPAY_CA_SERIAL_SIZE];
    char subject[256];
    setpay_time_ms at = time_of(X509_REVOKED_get0_revocationDate(entry));
    const char *reason = reason_of(entry);
    SETPAY_TRY(setpay_ca_revoked_serial(entry, serial));
    setpay_buffer_init(&known.der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error =
        setpay_ca_registry_by_serial(setting->ca->registry, serial, take_known, &known);
    if (error == SETPAY_E_NOT_FOUND)
        error = SETPAY_OK; /* issued after the backup: crl.c keeps it on the list */
    if (error == SETPAY_OK)
        error = known.error;
    if (error == SETPAY_OK && known.found && !known.revoked &&
        strcmp(known.authority, authority->row.name) == 0) {
        (void)snprintf(subject, sizeof subject, "%s" SETPAY_CA_LOG_REASON "%s", known.subject,
                       reason);
        error = setpay_ca_log_append(&setting->change, authority, "revoke", serial, subject,
                                     setpay_buffer_view(&known.der), at);
        if (error == SETPAY_OK)
            error = setpay_ca_change_add_revocation(&setting->change, serial, at, reason);
        setting->revoked++;
    }
    setpay_buffer_clear(&known.der);
    return error;
}

/* ---- taking it over ---- */

/* Held from now on as the list that came last. */
static enum setpay_error hold_list(struct setting_back *setting,
                                   const struct setpay_ca_authority *authority, X509_CRL *crl,
                                   uint64_t number)
{
    char text[SETPAY_CA_SERIAL_SIZE];
    uint8_t *der = NULL;
    int size = i2d_X509_CRL(crl, &der);
    if (size <= 0)
        return SETPAY_E_CRYPTO;
    struct setpay_view bytes = setpay_view_of(der, (size_t)size);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    enum setpay_error error =
        setpay_ca_log_append(&setting->change, authority, "crl", text, authority->row.name, bytes,
                             setting->restore->restored_ms);
    if (error == SETPAY_OK)
        error = setpay_ca_change_set_crl(&setting->change, authority->row.name, number,
                                         time_of(X509_CRL_get0_lastUpdate(crl)),
                                         time_of(X509_CRL_get0_nextUpdate(crl)), bytes);
    OPENSSL_free(der);
    return error;
}

static enum setpay_error take_list(struct setting_back *setting,
                                   const struct setpay_ca_authority *authority, X509_CRL *crl)
{
    uint64_t number = 0;
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
    SETPAY_TRY(number_of(crl, &number));
    if (number < authority->row.crl_number)
        return setpay_problem_set(
            setting->problem, SETPAY_E_INVALID,
            "the revocation list of %s in %s has the number %llu, the backup's "
            "own %llu: it is not the newest one",
            authority->row.name, setting->lists, (unsigned long long)number,
            (unsigned long long)authority->row.crl_number);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++)
        SETPAY_TRY(revoke_known(setting, authority, sk_X509_REVOKED_value(entries, i)));
    return number == authority->row.crl_number ? SETPAY_OK
                                               : hold_list(setting, authority, crl, number);
}

static enum setpay_error take_authority(void *arg, const struct setpay_ca_authority_row *row)
{
    struct setting_back *setting = arg;
    struct setpay_ca_authority authority = {0};
    X509_CRL *crl = NULL;
    if (setpay_ca_is_given_up(setting->ca, row, setting->restore->restored_ms))
        return SETPAY_OK;
    enum setpay_error error =
        setpay_ca_authority_load(setting->ca, row->name, true, &authority, setting->problem);
    if (error == SETPAY_OK)
        error = read_list(setting, &authority, &crl);
    if (error == SETPAY_OK)
        error = take_list(setting, &authority, crl);
    X509_CRL_free(crl);
    setpay_ca_authority_clear(&authority);
    return error;
}

/* The log says for ever that it was set back, and from when on it knows nothing. */
static enum setpay_error log_restore(struct setting_back *setting,
                                     const struct setpay_ca_authority *root)
{
    char serial[SETPAY_CA_SERIAL_SIZE];
    char subject[64];
    char text[SETPAY_TIME_TEXT_SIZE];
    (void)snprintf(serial, sizeof serial, "%lld", (long long)setting->restore->backup_ms);
    (void)snprintf(subject, sizeof subject, "as of %s",
                   setpay_time_format(setting->restore->backup_ms, text));
    return setpay_ca_log_append(&setting->change, root, "restore", serial, subject,
                                SETPAY_VIEW_EMPTY, setting->restore->restored_ms);
}

enum setpay_error setpay_ca_set_back(struct setpay_ca *ca, const char *lists,
                                     const struct setpay_store_restore *restore, size_t *revoked,
                                     struct setpay_problem *problem)
{
    struct setting_back setting = {
        .ca = ca, .lists = lists, .restore = restore, .problem = problem};
    struct setpay_ca_authority root = {0};
    enum setpay_error error = setpay_ca_authority_load(ca, "root", true, &root, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_change_begin(ca->registry, &setting.change);
    if (error == SETPAY_OK)
        error = log_restore(&setting, &root);
    if (error == SETPAY_OK)
        error = setpay_ca_registry_authorities(ca->registry, NULL, take_authority, &setting);
    if (error == SETPAY_OK) /* rule C4 */
        error = setpay_ca_log_commit(ca, &setting.change, &root);
    if (error == SETPAY_OK)
        error = setpay_ca_make_crls(ca, &(struct setpay_ca_lists_wish){.now = restore->restored_ms},
                                    NULL, problem);
    setpay_ca_change_clear(&setting.change);
    setpay_ca_authority_clear(&root);
    *revoked = setting.revoked;
    return error;
}
