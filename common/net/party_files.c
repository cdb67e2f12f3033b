/*
 * Files of keys, certificates and lists.
 *
 * An exchange goes in this order: CERTIFICATE.new is whole; the pair in use gets second names, as
 * links, so that no copy of a key is made; the key is renamed; the certificate is. Whatever stands
 * there after a crash says how far it came.
 */
#include "common/net/party_files.h"

#include "common/base/limits.h"
#include "common/base/testing.h"
#include "common/crypto/file.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "common/net/identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
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
                                          const char *certificate, enum setpay_party_keep keep,
                                          struct setpay_problem *problem)
{
    files->key = key;
    files->certificate = certificate;
    files->keep = keep;
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

/* ------------------------------------------------------------------ one at a time */

static void folder_of(const char *path, char *folder, size_t size)
{
    char copy[SETPAY_PARTY_PATH_SIZE];
    (void)snprintf(copy, sizeof copy, "%s", path);
    (void)snprintf(folder, size, "%s", dirname(copy));
}

enum setpay_error setpay_party_files_lock(const struct setpay_party_files *files, int *lock,
                                          struct setpay_problem *problem)
{
    char folder[SETPAY_PARTY_PATH_SIZE];
    folder_of(files->key, folder, sizeof folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "the folder %s can't be opened: %s", folder,
                                  strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return setpay_problem_set(problem, SETPAY_E_BUSY,
                                  "keys in the folder %s are being renewed by another process; try "
                                  "again later",
                                  folder);
    }
    *lock = fd;
    return SETPAY_OK;
}

void setpay_party_files_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* ------------------------------------------------------------------ pairs that were replaced */

static enum setpay_error name_earlier(const struct setpay_party_files *files,
                                      const struct setpay_digest *thumbprint,
                                      struct setpay_party_earlier *earlier,
                                      struct setpay_problem *problem)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];
    setpay_digest_format(thumbprint, text);
    if (snprintf(earlier->key, sizeof earlier->key, "%s.%.*s", files->key, SETPAY_PARTY_DIGITS,
                 text) < (int)sizeof earlier->key &&
        snprintf(earlier->certificate, sizeof earlier->certificate, "%s.%.*s", files->certificate,
                 SETPAY_PARTY_DIGITS, text) < (int)sizeof earlier->certificate)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_INVALID, "%.100s…: the path is too long",
                              files->key);
}

static enum setpay_error set_replaced(const char *path, setpay_time_ms now_ms,
                                      struct setpay_problem *problem)
{
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)(now_ms / 1000), .tv_nsec = (long)(now_ms % 1000) * 1000000}};
    if (utimensat(AT_FDCWD, path, times, 0) == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_IO, "%s: its time can't be set: %s", path,
                              strerror(errno));
}

/* A second name; one that is there from an exchange that was cut off is as good. */
static enum setpay_error link_to(const char *from, const char *to, struct setpay_problem *problem)
{
    if (link(from, to) == 0 || errno == EEXIST)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_IO, "%s can't be kept as %s: %s", from, to,
                              strerror(errno));
}

/* Gives the pair in use second names, before another takes its place. */
static enum setpay_error keep_earlier(const struct setpay_party_files *files,
                                      struct setpay_problem *problem)
{
    struct setpay_party_earlier earlier;
    struct setpay_certificate *certificate = NULL;
    if (files->keep == SETPAY_KEEP_NOT || !is_there(files->key) || !is_there(files->certificate))
        return SETPAY_OK;
    SETPAY_TRY(setpay_identity_read_certificate(files->certificate, &certificate, problem));
    enum setpay_error error =
        name_earlier(files, setpay_certificate_thumbprint(certificate), &earlier, problem);
    setpay_certificate_unref(certificate);
    SETPAY_TRY(error);
    SETPAY_TRY(link_to(files->key, earlier.key, problem));
    SETPAY_TRY(link_to(files->certificate, earlier.certificate, problem));
    SETPAY_TRY(set_replaced(earlier.certificate, setpay_clock_now_ms(), problem));
    return setpay_file_sync_folder(earlier.key) && setpay_file_sync_folder(earlier.certificate)
               ? SETPAY_OK
               : setpay_problem_set(problem, SETPAY_E_IO, "the folder of %s can't be synced",
                                    files->key);
}

bool setpay_party_files_are_digits(const char *digits)
{
    return strspn(digits, "0123456789abcdef") == SETPAY_PARTY_DIGITS &&
           digits[SETPAY_PARTY_DIGITS] == '\0';
}

/* The digits behind "NAME.", where entry is such a name; else NULL. */
static const char *digits_behind(const char *entry, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(entry, name, length) != 0 || entry[length] != '.')
        return NULL;
    const char *digits = entry + length + 1;
    return setpay_party_files_are_digits(digits) ? digits : NULL;
}

static bool fill_earlier(const struct setpay_party_files *files, const char *digits,
                         struct setpay_party_earlier *earlier)
{
    struct stat status;
    if (snprintf(earlier->key, sizeof earlier->key, "%s.%s", files->key, digits) >=
            (int)sizeof earlier->key ||
        snprintf(earlier->certificate, sizeof earlier->certificate, "%s.%s", files->certificate,
                 digits) >= (int)sizeof earlier->certificate ||
        stat(earlier->certificate, &status) != 0)
        return false;
    earlier->replaced_ms =
        (setpay_time_ms)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
    return true;
}

size_t setpay_party_files_earlier(const struct setpay_party_files *files,
                                  struct setpay_party_earlier *earlier, size_t room)
{
    char folder[SETPAY_PARTY_PATH_SIZE];
    const char *slash = strrchr(files->certificate, '/');
    const char *name = slash == NULL ? files->certificate : slash + 1;
    size_t count = 0;
    folder_of(files->certificate, folder, sizeof folder);
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return 0;
    const struct dirent *entry;
    while (count < room && (entry = readdir(entries)) != NULL) {
        const char *digits = digits_behind(entry->d_name, name);
        if (digits != NULL && fill_earlier(files, digits, &earlier[count]))
            count++;
    }
    closedir(entries);
    return count;
}

static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

enum setpay_error setpay_party_files_destroy(const struct setpay_party_files *files,
                                             const struct setpay_party_earlier *earlier,
                                             struct setpay_problem *problem)
{
    if (!is_same_file(files->key, earlier->key))
        SETPAY_TRY(setpay_file_destroy(earlier->key, problem));
    else if (unlink(earlier->key) != 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s: can't be removed: %s", earlier->key,
                                  strerror(errno));
    if (unlink(earlier->certificate) == 0 && setpay_file_sync_folder(earlier->certificate))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_IO, "%s: can't be removed: %s",
                              earlier->certificate, strerror(errno));
}

/* ------------------------------------------------------------------ exchange */

/* Key first: settle can tell how far it came, since a certificate.new is written only when its pair
 * is whole. */
static enum setpay_error exchange(const struct setpay_party_files *files,
                                  struct setpay_problem *problem)
{
    if (is_there(files->new_key)) {
        SETPAY_TRY(keep_earlier(files, problem));
        setpay_testing_point("renewal.kept");
        SETPAY_TRY(move(files->new_key, files->key, problem));
    }
    setpay_testing_point("renewal.exchange");
    SETPAY_TRY(move(files->new_certificate, files->certificate, problem));
    return setpay_file_sync_folder(files->key) && setpay_file_sync_folder(files->certificate)
               ? SETPAY_OK
               : setpay_problem_set(problem, SETPAY_E_IO, "the folder of %s can't be synced",
                                    files->key);
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

enum setpay_error setpay_party_files_mend(const struct setpay_party_files *files,
                                          struct setpay_problem *problem)
{
    bool present = false;
    int lock = -1;
    if (!is_there(files->new_certificate))
        return SETPAY_OK;
    enum setpay_error error = setpay_party_files_lock(files, &lock, problem);
    if (error == SETPAY_OK)
        error = setpay_party_files_settle(files, &present, problem);
    setpay_party_files_unlock(lock);
    return error == SETPAY_E_BUSY ? SETPAY_OK : error;
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
    setpay_testing_point("renewal.key");
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

static enum setpay_error write_chain(const char *path, const struct setpay_view *certificates,
                                     size_t count, bool replace, struct setpay_problem *problem)
{
    struct setpay_buffer text;
    enum setpay_error error = SETPAY_OK;

    setpay_buffer_init(&text, CHAIN_BYTES_MAX);
    for (size_t i = 0; i < count && error == SETPAY_OK; i++)
        error = append_pem(&text, PEM_STRING_X509, certificates[i]);
    if (error == SETPAY_OK)
        error = setpay_file_write(path, setpay_buffer_view(&text), 0644, replace, problem);
    setpay_buffer_clear(&text);
    return error;
}

enum setpay_error setpay_party_files_put(const struct setpay_party_files *files, bool replaces,
                                         const struct setpay_view *certificates, size_t count,
                                         struct setpay_problem *problem)
{
    SETPAY_TRY(write_chain(replaces ? files->new_certificate : files->certificate, certificates,
                           count, replaces, problem));
    setpay_testing_point("renewal.written");
    return replaces ? exchange(files, problem) : SETPAY_OK;
}

enum setpay_error setpay_party_files_replaced(const struct setpay_party_files *files, EVP_PKEY *key,
                                              const struct setpay_secret *passphrase,
                                              const struct setpay_view *certificates, size_t count,
                                              setpay_time_ms now_ms, struct setpay_problem *problem)
{
    struct setpay_party_earlier earlier;
    struct setpay_digest thumbprint;
    if (files->keep == SETPAY_KEEP_NOT)
        return SETPAY_OK;
    SETPAY_TRY(setpay_sha256(certificates[0], &thumbprint));
    SETPAY_TRY(name_earlier(files, &thumbprint, &earlier, problem));
    if (!is_there(earlier.key))
        SETPAY_TRY(setpay_key_save(earlier.key, key, passphrase, false, problem));
    if (!is_there(earlier.certificate))
        SETPAY_TRY(write_chain(earlier.certificate, certificates, count, false, problem));
    return set_replaced(earlier.certificate, now_ms, problem);
}

/* ------------------------------------------------------------------ lists */

static enum setpay_error write_one(const char *folder, const char *name, const char *suffix,
                                   struct setpay_view content, struct setpay_problem *problem)
{
    char path[SETPAY_PARTY_PATH_SIZE];

    if (snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix) >= (int)sizeof path)
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
        char name[SETPAY_AUTHORITY_NAME_SIZE];
        struct setpay_buffer text;

        setpay_buffer_init(&text, CHAIN_BYTES_MAX);
        error = setpay_trust_find_ca(trust, &thumbs[i], &ca);
        if (error == SETPAY_OK)
            error = append_pem(&text, PEM_STRING_X509, setpay_certificate_der(ca));
        if (error == SETPAY_OK) {
            setpay_certificate_ca_name(ca, name);
            error = write_one(folder, name, ".pem", setpay_buffer_view(&text), problem);
        }
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
        char name[SETPAY_AUTHORITY_NAME_SIZE];

        setpay_buffer_reset(&der);
        error = setpay_trust_crl_der(trust, &infos[i].thumbprint, &der);
        setpay_ca_name(infos[i].brand, infos[i].ca_kind, infos[i].ca_number, name);
        if (error == SETPAY_OK)
            error = write_one(folder, name, ".crl", setpay_buffer_view(&der), problem);
        if (error == SETPAY_OK)
            (*count)++;
    }
    setpay_buffer_clear(&der);
    return error;
}
