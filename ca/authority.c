/*
 * The folder of a CA, and its authorities as they are loaded: the root, brands and their issuing
 * CAs. found.c makes them.
 *
 * Vocabulary: a kind is a row of the table in common/pki/role.h; an authority is one of a kind, in
 * a brand; its name is "root" or BRAND.KIND, and from the second of its kind on BRAND.KIND-NUMBER.
 * Of a kind in a brand the newest issues.
 */
#include "ca/state.h"

#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum setpay_error setpay_ca_path(const struct setpay_ca *ca, const char *subfolder,
                                 const char *name, const char *suffix, char *path)
{
    int size = snprintf(path, SETPAY_CA_PATH_MAX, "%s/%s%s%s%s", ca->folder, subfolder,
                        subfolder[0] == '\0' ? "" : "/", name, suffix);

    return size > 0 && size < SETPAY_CA_PATH_MAX ? SETPAY_OK : SETPAY_E_INVALID;
}

/* ---- open and close ---- */

void setpay_ca_close(struct setpay_ca *ca)
{
    if (ca == NULL)
        return;
    setpay_ca_registry_close(ca->registry);
    setpay_secret_clear(&ca->passphrase);
    for (size_t at = 0; at < SETPAY_CA_KEPT_KEYS; at++)
        EVP_PKEY_free(ca->kept[at].key);
    free(ca->folder);
    free(ca);
}

enum setpay_error setpay_ca_share(struct setpay_ca *ca, struct setpay_ca **shared)
{
    struct setpay_ca *made = calloc(1, sizeof *made);
    enum setpay_error error = SETPAY_E_NOMEM;

    if (made != NULL)
        made->folder = strdup(ca->folder);
    if (made != NULL && made->folder != NULL)
        error = setpay_ca_registry_share(ca->registry, &made->registry);
    if (error != SETPAY_OK) {
        setpay_ca_close(made);
        return error;
    }
    *shared = made;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_open_folder(const char *folder, bool retired, struct setpay_ca **ca,
                                        struct setpay_problem *problem)
{
    char path[SETPAY_CA_PATH_MAX];
    struct setpay_ca *opened = calloc(1, sizeof *opened);
    enum setpay_error error = SETPAY_OK;

    if (opened == NULL)
        return SETPAY_E_NOMEM;
    opened->folder = strdup(folder);
    if (opened->folder == NULL)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = setpay_ca_path(opened, "", "ca.db", "", path);
    if (error == SETPAY_OK)
        error = setpay_ca_registry_open(path, retired, &opened->registry, problem);
    if (error != SETPAY_OK) {
        setpay_ca_close(opened);
        return error;
    }
    *ca = opened;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_open(const char *folder, bool retired, struct setpay_ca **ca,
                                 struct setpay_problem *problem)
{
    const struct setpay_ca at = {.folder = strdup(folder)};
    char path[SETPAY_CA_PATH_MAX];
    enum setpay_error error =
        at.folder == NULL ? SETPAY_E_NOMEM : setpay_ca_path(&at, "", "ca.db", "", path);

    free(at.folder);
    SETPAY_TRY(error);
    if (access(path, F_OK) != 0)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "%s holds no CA (no ca.db there); setpay-ca --dir %s init makes "
                                  "one",
                                  folder, folder);
    return setpay_ca_open_folder(folder, retired, ca, problem);
}

enum setpay_error setpay_ca_unlock(struct setpay_ca *ca, const struct setpay_secret *passphrase,
                                   struct setpay_problem *problem)
{
    char path[SETPAY_CA_PATH_MAX];
    EVP_PKEY *key = NULL;

    SETPAY_TRY(setpay_ca_path(ca, "keys", "root", ".key", path));
    SETPAY_TRY(setpay_key_load(path, passphrase, &key, problem));
    EVP_PKEY_free(key);
    setpay_secret_clear(&ca->passphrase);
    ca->unlocked = false;
    SETPAY_TRY(setpay_secret_copy(&ca->passphrase, setpay_secret_view(passphrase)));
    ca->unlocked = true;
    return SETPAY_OK;
}

/* ---- loading an authority ---- */

void setpay_ca_authority_clear(struct setpay_ca_authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
    memset(authority, 0, sizeof *authority);
}

/* Takes the certificate out of a record. */
static void take_certificate(void *arg, const struct setpay_ca_record *record)
{
    struct setpay_ca_authority *authority = arg;
    const uint8_t *at = record->der.data;

    X509_free(authority->certificate);
    authority->certificate = d2i_X509(NULL, &at, (long)record->der.size);
    if (authority->certificate != NULL &&
        setpay_sha256(record->der, &authority->thumbprint) != SETPAY_OK) {
        X509_free(authority->certificate);
        authority->certificate = NULL;
    }
}

void setpay_ca_keep_keys(struct setpay_ca *ca)
{
    ca->keeps_keys = true;
}

static bool find_kept(struct setpay_ca *ca, struct setpay_ca_authority *authority)
{
    for (size_t at = 0; at < SETPAY_CA_KEPT_KEYS; at++) {
        EVP_PKEY *key = ca->kept[at].key;

        if (key != NULL && strcmp(ca->kept[at].name, authority->row.name) == 0 &&
            EVP_PKEY_eq(key, X509_get0_pubkey(authority->certificate)) == 1 &&
            EVP_PKEY_up_ref(key) == 1) {
            authority->key = key;
            return true;
        }
    }
    return false;
}

static void keep(struct setpay_ca *ca, const struct setpay_ca_authority *authority)
{
    struct setpay_ca_kept_key *place = &ca->kept[ca->kept_next];

    if (!ca->keeps_keys || strcmp(authority->row.kind, "root") == 0 ||
        strcmp(authority->row.kind, "brand") == 0 || EVP_PKEY_up_ref(authority->key) != 1)
        return;
    EVP_PKEY_free(place->key);
    place->key = authority->key;
    memcpy(place->name, authority->row.name, sizeof place->name);
    ca->kept_next = (ca->kept_next + 1) % SETPAY_CA_KEPT_KEYS;
}

static enum setpay_error load_key(struct setpay_ca *ca, struct setpay_ca_authority *authority,
                                  struct setpay_problem *problem)
{
    char path[SETPAY_CA_PATH_MAX];

    if (!ca->unlocked)
        return setpay_problem_set(problem, SETPAY_E_PASSPHRASE,
                                  "the CA's passphrase is needed for this");
    if (find_kept(ca, authority))
        return SETPAY_OK;
    SETPAY_TRY(setpay_ca_path(ca, "keys", authority->row.name, ".key", path));
    SETPAY_TRY(setpay_key_load(path, &ca->passphrase, &authority->key, problem));
    if (EVP_PKEY_eq(authority->key, X509_get0_pubkey(authority->certificate)) != 1)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "%s is not the key of the certificate of %s", path,
                                  authority->row.name);
    keep(ca, authority);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_authority_load(struct setpay_ca *ca, const char *name, bool with_key,
                                           struct setpay_ca_authority *authority,
                                           struct setpay_problem *problem)
{
    enum setpay_error error = setpay_ca_registry_authority(ca->registry, name, &authority->row);

    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "this CA has no authority %s", name);
    if (error == SETPAY_OK)
        error = setpay_ca_registry_by_serial(ca->registry, authority->row.serial, take_certificate,
                                             authority);
    if (error == SETPAY_E_NOT_FOUND || (error == SETPAY_OK && authority->certificate == NULL))
        error = setpay_problem_set(problem, SETPAY_E_CA_LOG,
                                   "the certificate of %s is not in the database as it was put "
                                   "there",
                                   name);
    if (error == SETPAY_OK && with_key)
        error = load_key(ca, authority, problem);
    if (error != SETPAY_OK)
        setpay_ca_authority_clear(authority);
    return error;
}

static enum setpay_error copy_brand(void *arg, const struct setpay_ca_authority_row *row)
{
    struct setpay_buffer *list = arg;
    char first[SETPAY_CA_AUTHORITY_SIZE];

    setpay_ca_name(row->brand, SETPAY_CA_BRAND, 1, first);
    if (strcmp(row->name, first) != 0)
        return SETPAY_OK;
    return setpay_buffer_append_format(list, "%s%s", list->size == 0 ? "" : ", ", row->brand);
}

enum setpay_error setpay_ca_authority_of(struct setpay_ca *ca, const char *brand, const char *role,
                                         bool with_key, struct setpay_ca_authority *authority,
                                         struct setpay_problem *problem)
{
    struct setpay_ca_authority_row newest;
    struct setpay_buffer known = {0};
    enum setpay_error error;

    SETPAY_TRY(setpay_ca_check_brand(brand, problem));
    error = setpay_ca_registry_newest(ca->registry, brand, role, &newest);
    if (error == SETPAY_OK)
        return setpay_ca_authority_load(ca, newest.name, with_key, authority, problem);
    if (error == SETPAY_E_NOT_FOUND) {
        setpay_buffer_init(&known, 200);
        if (setpay_ca_registry_authorities(ca->registry, NULL, copy_brand, &known) != SETPAY_OK)
            setpay_buffer_clear(&known);
        error = setpay_problem_set(
            problem, error, "there is no brand '%s' here (known: %.*s); brand add %s makes it",
            brand, known.size == 0 ? 4 : (int)known.size,
            known.size == 0 ? "none" : (const char *)known.data, brand);
        setpay_buffer_clear(&known);
    }
    return error;
}

enum setpay_error setpay_ca_check_brand(const char *brand, struct setpay_problem *problem)
{
    if (brand != NULL && setpay_brand_is_valid(brand))
        return SETPAY_OK;
    if (brand == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "a brand is needed (--brand)");
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "the brand '%.64s' is not 1 to 32 of a-z, 0-9 and -", brand);
}

/* A chain has at most three authorities: issuing CA, brand, root. */
#define CHAIN_MAX 3

static void take_revoked(void *arg, const struct setpay_ca_record *record)
{
    *(setpay_time_ms *)arg = record->revoked;
}

enum setpay_error setpay_ca_check_standing(struct setpay_ca *ca,
                                           const struct setpay_ca_authority *authority,
                                           struct setpay_problem *problem)
{
    struct setpay_ca_authority_row row = authority->row;

    for (int level = 0; level < CHAIN_MAX; level++) {
        struct setpay_ca_authority_row above;
        setpay_time_ms revoked = 0;

        SETPAY_TRY(setpay_ca_registry_by_serial(ca->registry, row.serial, take_revoked, &revoked));
        if (revoked != 0)
            return setpay_problem_set(problem, SETPAY_E_CERT_REVOKED,
                                      "the certificate of %s is revoked: nothing can be issued "
                                      "under it",
                                      row.name);
        if (strcmp(row.issuer, row.name) == 0)
            return SETPAY_OK;
        SETPAY_TRY(setpay_ca_registry_authority(ca->registry, row.issuer, &above));
        row = above;
    }
    return SETPAY_OK;
}

enum setpay_error setpay_ca_append_chain(struct setpay_ca *ca, struct setpay_view der,
                                         const char *authority, struct setpay_buffer *pem)
{
    struct setpay_buffer above_der = {0};
    char name[SETPAY_CA_AUTHORITY_SIZE];
    enum setpay_error error = setpay_ca_append_pem(pem, "CERTIFICATE", der);

    setpay_buffer_init(&above_der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    (void)snprintf(name, sizeof name, "%s", authority);
    for (int level = 0; level < CHAIN_MAX && error == SETPAY_OK && strcmp(name, "root") != 0;
         level++) {
        struct setpay_ca_authority above = {0};

        error = setpay_ca_authority_load(ca, name, false, &above, NULL);
        if (error == SETPAY_OK)
            error = setpay_ca_certificate_der(above.certificate, &above_der);
        if (error == SETPAY_OK)
            error = setpay_ca_append_pem(pem, "CERTIFICATE", setpay_buffer_view(&above_der));
        memcpy(name, above.row.issuer, sizeof name);
        setpay_ca_authority_clear(&above);
    }
    setpay_buffer_clear(&above_der);
    return error;
}

/* ---- copies ---- */

/* Copies of what the registry holds. */
struct publishing {
    struct setpay_ca *ca;
    enum setpay_error error; /* the first; what follows is written all the same */
};

/* certificates/NAME.pem, and root.pem. */
static enum setpay_error write_authority(struct setpay_ca *ca,
                                         const struct setpay_ca_authority_row *row,
                                         struct setpay_buffer *pem)
{
    char path[SETPAY_CA_PATH_MAX];

    SETPAY_TRY(setpay_ca_chain(ca, row->serial, pem, NULL));
    SETPAY_TRY(setpay_ca_path(ca, "certificates", row->name, ".pem", path));
    SETPAY_TRY(setpay_file_write(path, setpay_buffer_view(pem), 0644, true, NULL));
    if (strcmp(row->kind, "root") != 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_ca_path(ca, "", "root.pem", "", path));
    return setpay_file_write(path, setpay_buffer_view(pem), 0644, true, NULL);
}

static enum setpay_error publish_authority(void *arg, const struct setpay_ca_authority_row *row)
{
    struct publishing *publishing = arg;
    struct setpay_buffer pem = {0};

    setpay_buffer_init(&pem, SETPAY_CA_PEM_MAX);
    enum setpay_error error = write_authority(publishing->ca, row, &pem);
    if (publishing->error == SETPAY_OK)
        publishing->error = error;
    setpay_buffer_clear(&pem);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_publish(struct setpay_ca *ca, struct setpay_problem *problem)
{
    struct publishing publishing = {.ca = ca, .error = SETPAY_OK};
    enum setpay_error error =
        setpay_ca_registry_authorities(ca->registry, NULL, publish_authority, &publishing);

    if (error == SETPAY_OK)
        error = publishing.error;
    if (error == SETPAY_OK)
        return setpay_ca_crl_publish(ca, problem);
    /* A certificate that can't be written keeps no list from being. */
    if (setpay_ca_crl_publish(ca, NULL) != SETPAY_OK)
        return setpay_problem_set(
            problem, error, "certificates and revocation lists can't be written to %s", ca->folder);
    return setpay_problem_set(problem, error, "the certificates can't be written to %s",
                              ca->folder);
}

/* ---- all of them ---- */

struct appending {
    struct setpay_ca *ca;
    struct setpay_buffer *pem;
    enum setpay_error error;
};

static void append_record(void *arg, const struct setpay_ca_record *record)
{
    struct appending *appending = arg;

    appending->error = setpay_ca_append_pem(appending->pem, "CERTIFICATE", record->der);
}

static enum setpay_error append_authority(void *arg, const struct setpay_ca_authority_row *row)
{
    struct appending *appending = arg;

    SETPAY_TRY(setpay_ca_registry_by_serial(appending->ca->registry, row->serial, append_record,
                                            appending));
    return appending->error;
}

enum setpay_error setpay_ca_append_authorities(struct setpay_ca *ca, struct setpay_buffer *pem)
{
    struct appending appending = {.ca = ca, .pem = pem, .error = SETPAY_E_NOT_FOUND};

    return setpay_ca_registry_authorities(ca->registry, NULL, append_authority, &appending);
}
