/*
 * Keys, certificates, root and revocation lists from files.
 *
 * An identity is verified when it is loaded, with the same rule (A3) by which others will judge it:
 * a daemon with an expired or mismatched certificate says so at its start, not at its first
 * payment.
 */
#include "common/net/identity.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 4
#define PEM_FILE_MAX (256 * 1024)
#define LIST_FILE_MAX (2 * SETPAY_LIMIT_CRL_BYTES) /* PEM is a third longer than DER */

void setpay_identity_clear(struct setpay_identity *identity)
{
    EVP_PKEY_free(identity->pkey);
    setpay_signing_key_free(identity->key);
    setpay_certificate_unref(identity->certificate);
    sk_X509_pop_free(identity->chain, X509_free);
    memset(identity, 0, sizeof *identity);
}

/* One object of a PEM text: its label decides who takes it. */
typedef enum setpay_error pem_object_fn(void *arg, const char *label, struct setpay_view der);

static enum setpay_error each_pem_object(struct setpay_view pem, pem_object_fn *each, void *arg)
{
    if (pem.size > INT_MAX)
        return SETPAY_E_TOO_BIG;
    if (pem.size == 0) /* of nothing OpenSSL makes no BIO, as if memory had run out */
        return SETPAY_E_CERT_MALFORMED;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = SETPAY_OK;
    char *label = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long size = 0;
    while (error == SETPAY_OK && PEM_read_bio(bio, &label, &header, &der, &size) == 1) {
        error = each(arg, label, setpay_view_of(der, (size_t)size));
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    if (error == SETPAY_OK && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        error = SETPAY_E_CERT_MALFORMED;
    ERR_clear_error();
    BIO_free(bio);
    return error;
}

struct certificates {
    struct setpay_buffer *list;
    size_t room;
    size_t count;
};

static enum setpay_error take_certificate(void *arg, const char *label, struct setpay_view der)
{
    struct certificates *taken = arg;
    if (strcmp(label, PEM_STRING_X509) != 0)
        return SETPAY_E_CERT_MALFORMED;
    if (taken->count == taken->room)
        return SETPAY_E_TOO_BIG;
    struct setpay_buffer *next = &taken->list[taken->count];
    setpay_buffer_init(next, SETPAY_LIMIT_CERTIFICATE_BYTES);
    SETPAY_TRY(setpay_buffer_set(next, der));
    taken->count++;
    return SETPAY_OK;
}

enum setpay_error setpay_pem_certificates(struct setpay_view pem,
                                          struct setpay_buffer *certificates, size_t room,
                                          size_t *count)
{
    struct certificates taken = {.list = certificates, .room = room};
    enum setpay_error error = each_pem_object(pem, take_certificate, &taken);
    if (error == SETPAY_OK && taken.count == 0)
        error = SETPAY_E_CERT_MALFORMED;
    if (error != SETPAY_OK) {
        for (size_t i = 0; i < taken.count; i++)
            setpay_buffer_clear(&certificates[i]);
        return error;
    }
    *count = taken.count;
    return SETPAY_OK;
}

static enum setpay_error stack_chain(const struct setpay_buffer *certificates, size_t count,
                                     STACK_OF(X509) * *chain)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    if (stack == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = 1; i < count; i++) {
        const unsigned char *at = certificates[i].data;
        X509 *ca = d2i_X509(NULL, &at, (long)certificates[i].size);
        if (ca == NULL || sk_X509_push(stack, ca) == 0) {
            X509_free(ca);
            sk_X509_pop_free(stack, X509_free);
            return SETPAY_E_CERT_MALFORMED;
        }
    }
    *chain = stack;
    return SETPAY_OK;
}

/* Rule A3. unlisted: lists that are missing or stale are on their way, and not held against it. */
static enum setpay_error verify(struct setpay_trust *trust, const struct setpay_view *offered,
                                size_t count, enum setpay_profile profile, const char *brand,
                                setpay_time_ms now_ms, bool unlisted,
                                struct setpay_certificate **certificate)
{
    enum setpay_error error = setpay_trust_verify(trust, offered[0], offered + 1, count - 1,
                                                  profile, brand, now_ms, certificate);
    if (!unlisted || (error != SETPAY_E_CRL_MISSING && error != SETPAY_E_CRL_STALE))
        return error;
    return setpay_trust_verify_unlisted(trust, offered[0], offered + 1, count - 1, profile, brand,
                                        now_ms, certificate);
}

static enum setpay_error load(struct setpay_trust *trust, const char *key_path,
                              const char *certificate_path, const struct setpay_secret *passphrase,
                              enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                              bool unlisted, struct setpay_identity *identity,
                              struct setpay_problem *problem)
{
    struct setpay_identity loaded = {0};
    struct setpay_buffer pem;
    struct setpay_buffer ders[CHAIN_MAX];
    struct setpay_view offered[CHAIN_MAX];
    size_t count = 0;
    setpay_buffer_init(&pem, PEM_FILE_MAX);

    enum setpay_error error = setpay_key_load(key_path, passphrase, &loaded.pkey, problem);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_signing_key_from_pkey(loaded.pkey, &loaded.key);
    if (error != SETPAY_OK) {
        (void)setpay_problem_set(problem, error, "%s: %s: expected a P-256 key", key_path,
                                 setpay_error_text(error));
        goto out;
    }
    error = setpay_file_read(certificate_path, &pem, problem);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_pem_certificates(setpay_buffer_view(&pem), ders, CHAIN_MAX, &count);
    if (error == SETPAY_OK)
        error = count == 0 ? SETPAY_E_CERT_MALFORMED : stack_chain(ders, count, &loaded.chain);
    if (error != SETPAY_OK) {
        (void)setpay_problem_set(problem, error,
                                 "%s: expected a certificate and the CAs above it, in PEM, the "
                                 "certificate first, without the root",
                                 certificate_path);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        offered[i] = setpay_buffer_view(&ders[i]);
    error = verify(trust, offered, count, profile, brand, now_ms, unlisted, &loaded.certificate);
    if (error != SETPAY_OK) {
        (void)setpay_problem_set(problem, error, "%s: expected a %s certificate%s%s: %s",
                                 certificate_path, setpay_profile_info(profile)->name,
                                 brand != NULL ? " of the brand " : "", brand != NULL ? brand : "",
                                 setpay_error_text(error));
        goto out;
    }
    if (X509_check_private_key(setpay_certificate_x509(loaded.certificate), loaded.pkey) != 1) {
        ERR_clear_error();
        error = setpay_problem_set(problem, SETPAY_E_CONFIG, "%s is not the key of %s", key_path,
                                   certificate_path);
        goto out;
    }
    *identity = loaded;
    memset(&loaded, 0, sizeof loaded);
out:
    for (size_t i = 0; i < count; i++)
        setpay_buffer_clear(&ders[i]);
    setpay_buffer_clear(&pem);
    setpay_identity_clear(&loaded);
    return error;
}

enum setpay_error setpay_identity_load(struct setpay_trust *trust, const char *key_path,
                                       const char *certificate_path,
                                       const struct setpay_secret *passphrase,
                                       enum setpay_profile profile, const char *brand,
                                       setpay_time_ms now_ms, struct setpay_identity *identity,
                                       struct setpay_problem *problem)
{
    return load(trust, key_path, certificate_path, passphrase, profile, brand, now_ms, false,
                identity, problem);
}

enum setpay_error
setpay_identity_load_unlisted(struct setpay_trust *trust, const char *key_path,
                              const char *certificate_path, const struct setpay_secret *passphrase,
                              enum setpay_profile profile, const char *brand, setpay_time_ms now_ms,
                              struct setpay_identity *identity, struct setpay_problem *problem)
{
    return load(trust, key_path, certificate_path, passphrase, profile, brand, now_ms, true,
                identity, problem);
}

bool setpay_identity_is_due(const struct setpay_certificate *certificate, int64_t before_ms,
                            setpay_time_ms now_ms)
{
    setpay_time_ms end_ms = setpay_certificate_not_after_ms(certificate);
    int64_t third_ms = (end_ms - setpay_certificate_not_before_ms(certificate)) / 3;
    return now_ms >= end_ms - (before_ms < third_ms ? before_ms : third_ms);
}

struct setpay_tls_identity setpay_identity_tls(const struct setpay_identity *identity,
                                               const char *brand)
{
    return (struct setpay_tls_identity){
        .brand = brand,
        .certificate = setpay_certificate_x509(identity->certificate),
        .key = identity->pkey,
        .chain = identity->chain,
    };
}

enum setpay_error setpay_identity_read_certificate(const char *path,
                                                   struct setpay_certificate **certificate,
                                                   struct setpay_problem *problem)
{
    struct setpay_buffer pem;
    struct setpay_buffer ders[CHAIN_MAX];
    size_t count = 0;
    setpay_buffer_init(&pem, PEM_FILE_MAX);
    enum setpay_error error = setpay_file_read(path, &pem, problem);
    if (error == SETPAY_OK) {
        error = setpay_pem_certificates(setpay_buffer_view(&pem), ders, CHAIN_MAX, &count);
        if (error == SETPAY_OK)
            error = setpay_certificate_parse(setpay_buffer_view(&ders[0]), certificate);
        if (error != SETPAY_OK)
            (void)setpay_problem_set(problem, error, "%s: expected 1 to %d certificates in PEM: %s",
                                     path, CHAIN_MAX, setpay_error_text(error));
    }
    for (size_t i = 0; i < count; i++)
        setpay_buffer_clear(&ders[i]);
    setpay_buffer_clear(&pem);
    return error;
}

enum setpay_error setpay_trust_load(const char *root_path, struct setpay_trust **trust,
                                    struct setpay_problem *problem)
{
    struct setpay_buffer pem;
    struct setpay_buffer der;
    size_t count = 0;
    setpay_buffer_init(&pem, PEM_FILE_MAX);
    enum setpay_error error = setpay_file_read(root_path, &pem, problem);
    if (error != SETPAY_OK)
        goto out;
    if (pem.size == 0) {
        error =
            setpay_problem_set(problem, SETPAY_E_CERT_MALFORMED,
                               "%s: is empty, expected the one root certificate in PEM", root_path);
        goto out;
    }
    error = setpay_pem_certificates(setpay_buffer_view(&pem), &der, 1, &count);
    if (error == SETPAY_OK)
        error = setpay_trust_new(setpay_buffer_view(&der), trust);
    if (error != SETPAY_OK)
        (void)setpay_problem_set(problem, error, "%s: expected the one root certificate in PEM: %s",
                                 root_path, setpay_error_text(error));
out:
    if (count > 0)
        setpay_buffer_clear(&der);
    setpay_buffer_clear(&pem);
    return error;
}

/* ------------------------------------------------------------------ a folder of lists */

struct folder_file {
    struct setpay_trust *trust;
    setpay_time_ms now_ms;
    bool certificates; /* this turn takes CAs, the other one lists */
    bool quiet;        /* what is refused now may be taken in the next turn */
    size_t taken;
    enum setpay_error worst;
};

static enum setpay_error take_object(void *arg, const char *label, struct setpay_view der)
{
    struct folder_file *file = arg;
    enum setpay_error error = SETPAY_OK;
    if (strcmp(label, PEM_STRING_X509_CRL) == 0 && !file->certificates)
        error = setpay_trust_add_crl(file->trust, der, file->now_ms);
    else if (strcmp(label, PEM_STRING_X509) == 0 && file->certificates)
        error = setpay_trust_add_ca(file->trust, der);
    else
        return SETPAY_OK;
    if (error == SETPAY_OK)
        file->taken++;
    else
        file->worst = error;
    return SETPAY_OK; /* the next object may be good */
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

/* A file that is refused is told once, and again when it, or the reason, is another. */
static bool is_news(struct setpay_trust *trust, const char *path,
                    const struct setpay_buffer *content, enum setpay_error error)
{
    char name[PATH_MAX + 16];
    struct setpay_digest parts[2];
    struct setpay_digest what;
    int length = snprintf(name, sizeof name, "%08x %s", (unsigned)error, path);
    return length <= 0 || setpay_sha256(setpay_view_string(name), &parts[0]) != SETPAY_OK ||
           setpay_sha256(setpay_buffer_view(content), &parts[1]) != SETPAY_OK ||
           setpay_sha256(setpay_view_of(parts, sizeof parts), &what) != SETPAY_OK ||
           setpay_trust_tell_once(trust, &what);
}

static void load_one(const char *folder, const char *name, struct folder_file *file,
                     struct setpay_crl_load *load)
{
    char path[PATH_MAX];
    struct setpay_problem problem;
    struct setpay_buffer content;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return;
    setpay_buffer_init(&content, LIST_FILE_MAX);
    file->taken = 0;
    file->worst = SETPAY_OK;
    enum setpay_error error = setpay_file_read(path, &content, &problem);
    if (error == SETPAY_OK) {
        struct setpay_view view = setpay_buffer_view(&content);
        if (view.size > 0 && view.data[0] == 0x30) /* DER: a SEQUENCE */
            error = take_object(
                file, ends_with(name, ".crl") ? PEM_STRING_X509_CRL : PEM_STRING_X509, view);
        else
            error = each_pem_object(view, take_object, file);
    }
    if (error == SETPAY_OK)
        error = file->worst;
    load->files++;
    load->taken += file->taken;
    if (error != SETPAY_OK && !file->quiet)
        load->refused++;
    if (error != SETPAY_OK && !file->quiet && is_news(file->trust, path, &content, error))
        setpay_log_error(error, "trust.file_refused", setpay_field_text("path", path));
    setpay_buffer_clear(&content);
}

enum setpay_error setpay_trust_load_folder(struct setpay_trust *trust, const char *folder,
                                           setpay_time_ms now_ms, struct setpay_crl_load *load)
{
    memset(load, 0, sizeof *load);
    /* A list is taken only from a CA that is known, so certificates come first; and a CA only under
     * one that is known, so they come twice: brands, then issuing CAs, in whatever order. */
    for (int turn = 0; turn < 3; turn++) {
        DIR *entries = opendir(folder);
        if (entries == NULL)
            return SETPAY_E_IO;
        struct folder_file file = {
            .trust = trust, .now_ms = now_ms, .certificates = turn < 2, .quiet = turn == 0};
        struct setpay_crl_load round = {0};
        const struct dirent *entry;
        while ((entry = readdir(entries)) != NULL) {
            if (ends_with(entry->d_name, file.certificates ? ".pem" : ".crl"))
                load_one(folder, entry->d_name, &file, turn == 0 ? &round : load);
        }
        closedir(entries);
    }
    return SETPAY_OK;
}

size_t setpay_trust_learn_pem(struct setpay_trust *trust, struct setpay_view pem,
                              setpay_time_ms now_ms)
{
    struct folder_file file = {.trust = trust, .now_ms = now_ms, .certificates = true};
    for (int turn = 0; turn < 2; turn++) {
        file.taken = 0;
        (void)each_pem_object(pem, take_object, &file);
    }
    file.certificates = false;
    (void)each_pem_object(pem, take_object, &file);
    return file.taken;
}
