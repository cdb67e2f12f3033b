/*
 * Files of keys, certificates and lists.
 */
#include "common/net/party_files.h"

#include "common/base/limits.h"
#include "common/crypto/file.h"
#include "common/crypto/keyfile.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW ".new"
#define CHAIN_BYTES_MAX ((size_t)64 * 1024)
#define LISTS_MAX 256

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

enum setpay_error setpay_party_files_init(struct setpay_party_files *files, const char *key,
                                          const char *certificate, struct setpay_problem *problem)
{
    files->key = key;
    files->certificate = certificate;
    if (snprintf(files->new_key, sizeof files->new_key, "%s" NEW, key) <
            (int)sizeof files->new_key &&
        snprintf(files->new_certificate, sizeof files->new_certificate, "%s" NEW, certificate) <
            (int)sizeof files->new_certificate)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_INVALID, "%.100s…: the path is too long", key);
}

static enum setpay_error move(const char *from, const char *to, struct setpay_problem *problem)
{
    if (rename(from, to) == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_IO, "%s can't take the place of %s: %s", from, to,
                              strerror(errno));
}

/* Key first: settle can tell how far it came, since a certificate.new is written only when its pair
 * is whole. */
static enum setpay_error exchange(const struct setpay_party_files *files,
                                  struct setpay_problem *problem)
{
    if (is_there(files->new_key))
        SETPAY_TRY(move(files->new_key, files->key, problem));
    return move(files->new_certificate, files->certificate, problem);
}

enum setpay_error setpay_party_files_settle(const struct setpay_party_files *files, bool *present,
                                            struct setpay_problem *problem)
{
    if (is_there(files->new_certificate))
        SETPAY_TRY(exchange(files, problem));
    *present = is_there(files->certificate);
    if (*present && !is_there(files->key))
        return setpay_problem_set(problem, SETPAY_E_EXISTS,
                                  "%s exists, and its key %s does not: move it away",
                                  files->certificate, files->key);
    return SETPAY_OK;
}

enum setpay_error setpay_party_files_key(const struct setpay_party_files *files, bool replaces,
                                         const struct setpay_secret *passphrase, EVP_PKEY **key,
                                         struct setpay_problem *problem)
{
    const char *path = replaces ? files->new_key : files->key;
    EVP_PKEY *made = NULL;

    if (is_there(path))
        return setpay_key_load(path, passphrase, key, problem);
    SETPAY_TRY(setpay_key_generate(&made));
    enum setpay_error error = setpay_key_save(path, made, passphrase, false, problem);
    if (error != SETPAY_OK) {
        EVP_PKEY_free(made);
        return error;
    }
    *key = made;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ PEM */

/* One object behind what text holds. */
static enum setpay_error append_pem(struct setpay_buffer *text, const char *label,
                                    struct setpay_view der)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    enum setpay_error error = SETPAY_E_NOMEM;

    if (bio != NULL && PEM_write_bio(bio, label, "", der.data, (long)der.size) > 0) {
        long size = BIO_get_mem_data(bio, &data);
        error = setpay_buffer_append(text, setpay_view_of(data, (size_t)size));
    }
    BIO_free(bio);
    ERR_clear_error();
    return error;
}

enum setpay_error setpay_party_files_put(const struct setpay_party_files *files, bool replaces,
                                         const struct setpay_view *certificates, size_t count,
                                         struct setpay_problem *problem)
{
    struct setpay_buffer text;
    enum setpay_error error = SETPAY_OK;

    setpay_buffer_init(&text, CHAIN_BYTES_MAX);
    for (size_t i = 0; i < count && error == SETPAY_OK; i++)
        error = append_pem(&text, PEM_STRING_X509, certificates[i]);
    if (error == SETPAY_OK)
        error = setpay_file_write(replaces ? files->new_certificate : files->certificate,
                                  setpay_buffer_view(&text), 0644, replaces, problem);
    setpay_buffer_clear(&text);
    if (error == SETPAY_OK && replaces)
        error = exchange(files, problem);
    return error;
}

/* ------------------------------------------------------------------ lists */

static enum setpay_error write_one(const char *folder, const char *brand, enum setpay_ca_kind kind,
                                   const char *suffix, struct setpay_view content,
                                   struct setpay_problem *problem)
{
    char path[SETPAY_PARTY_PATH_SIZE];

    if (snprintf(path, sizeof path, "%s/%s%s%s%s", folder, brand, brand[0] == '\0' ? "" : ".",
                 setpay_ca_info(kind)->name, suffix) >= (int)sizeof path)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "the folder's path is too long");
    return setpay_file_write(path, content, 0644, true, problem);
}

static enum setpay_error write_cas(struct setpay_trust *trust, const char *folder,
                                   struct setpay_problem *problem)
{
    struct setpay_digest thumbs[LISTS_MAX];
    size_t count = setpay_trust_thumbs(trust, false, thumbs, LISTS_MAX);
    enum setpay_error error = SETPAY_OK;

    for (size_t i = 0; i < count && error == SETPAY_OK; i++) {
        struct setpay_certificate *ca = NULL;
        struct setpay_buffer text;

        setpay_buffer_init(&text, CHAIN_BYTES_MAX);
        error = setpay_trust_find_ca(trust, &thumbs[i], &ca);
        if (error == SETPAY_OK)
            error = append_pem(&text, PEM_STRING_X509, setpay_certificate_der(ca));
        if (error == SETPAY_OK)
            error = write_one(folder, setpay_certificate_brand(ca), setpay_certificate_ca_kind(ca),
                              ".pem", setpay_buffer_view(&text), problem);
        setpay_certificate_unref(ca);
        setpay_buffer_clear(&text);
    }
    return error;
}

enum setpay_error setpay_party_write_lists(struct setpay_trust *trust, const char *folder,
                                           size_t *count, struct setpay_problem *problem)
{
    struct setpay_crl_info infos[LISTS_MAX];
    size_t held = setpay_trust_crls(trust, infos, LISTS_MAX);
    struct setpay_buffer der;

    *count = 0;
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s can't be made: %s", folder,
                                  strerror(errno));
    SETPAY_TRY(write_cas(trust, folder, problem));
    setpay_buffer_init(&der, SETPAY_LIMIT_CRL_BYTES);
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < held && i < LISTS_MAX && error == SETPAY_OK; i++) {
        setpay_buffer_reset(&der);
        error = setpay_trust_crl_der(trust, &infos[i].thumbprint, &der);
        if (error == SETPAY_OK)
            error = write_one(folder, infos[i].brand, infos[i].ca_kind, ".crl",
                              setpay_buffer_view(&der), problem);
        if (error == SETPAY_OK)
            (*count)++;
    }
    setpay_buffer_clear(&der);
    return error;
}
