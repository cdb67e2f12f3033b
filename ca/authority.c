/*
 * The folder of a CA, and its authorities: the root, brands and their issuing CAs.
 *
 * What always holds: an authority's key is on the disk, encrypted, before the registry knows the
 * authority, and the registry knows it before its certificate is written anywhere. A key file whose
 * authority the registry does not know is the rest of an attempt that failed, and is replaced.
 *
 * Vocabulary: a kind is a row of the table in common/pki/role.h; an authority is one of a kind, in
 * a brand; its name is "root" or BRAND.KIND.
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

static const char *const subfolders[] = {"keys", "certificates", "crl"};

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

static enum setpay_error open_folder(const char *folder, bool retired, struct setpay_ca **ca,
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
    return open_folder(folder, retired, ca, problem);
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

    if (strcmp(row->kind, "brand") != 0)
        return SETPAY_OK;
    return setpay_buffer_append_format(list, "%s%s", list->size == 0 ? "" : ", ", row->brand);
}

enum setpay_error setpay_ca_authority_of(struct setpay_ca *ca, const char *brand, const char *role,
                                         bool with_key, struct setpay_ca_authority *authority,
                                         struct setpay_problem *problem)
{
    char name[SETPAY_CA_AUTHORITY_SIZE];
    struct setpay_buffer known = {0};
    enum setpay_error error;

    SETPAY_TRY(setpay_ca_check_brand(brand, problem));
    (void)snprintf(name, sizeof name, "%s.%s", brand, role);
    error = setpay_ca_authority_load(ca, name, with_key, authority, problem);
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

/* ---- making authorities ---- */

static enum setpay_ca_names names_of(enum setpay_ca_kind kind, bool loopback)
{
    switch (kind) {
    case SETPAY_CA_ROOT:
        return SETPAY_CA_NAMES_FREE;
    case SETPAY_CA_BRAND:
        return SETPAY_CA_NAMES_BRAND;
    case SETPAY_CA_MERCHANT:
        return loopback ? SETPAY_CA_NAMES_LOOPBACK : SETPAY_CA_NAMES_HOSTS;
    default:
        return SETPAY_CA_NAMES_NONE;
    }
}

/*
 * Makes an authority of a kind, with a key of its own in keys/, its certificate and a first CRL in
 * the change. authority->row is filled by the caller (name, issuer, kind, brand, loopback). issuer
 * NULL: it is the root.
 */
static enum setpay_error make_authority(struct setpay_ca *ca, struct setpay_ca_change *change,
                                        struct setpay_ca_authority *authority,
                                        const struct setpay_ca_authority *issuer,
                                        const char *organisation, setpay_time_ms now,
                                        struct setpay_problem *problem)
{
    const struct setpay_ca_info *info = setpay_ca_info(setpay_ca_kind_by_name(authority->row.kind));
    const struct setpay_ca_authority *signer = issuer == NULL ? authority : issuer;
    char id[SETPAY_PARTY_ID_MAX + 1];
    char path[SETPAY_CA_PATH_MAX];
    struct setpay_ca_issued issued = {0};
    struct setpay_ca_template template = {
        .organisation = organisation,
        .role = info->role,
        .id = id,
        .not_before = now - SETPAY_CA_BACKDATE_MS,
        .type = info->type,
        .key_usage = SETPAY_CA_KEY_USAGE,
        .is_ca = true,
        .path_length = info->path_length,
        .names = names_of(info->kind, authority->row.loopback),
    };
    enum setpay_error error;

    (void)snprintf(id, sizeof id, "%s-1", info->name);
    template.not_after = template.not_before + info->max_days *SETPAY_DAY_MS - SETPAY_SECOND_MS;
    SETPAY_TRY(setpay_ca_path(ca, "keys", authority->row.name, ".key", path));
    SETPAY_TRY(setpay_key_generate(&authority->key));
    template.key = authority->key;
    SETPAY_TRY(setpay_ca_certificate_make(&template, issuer == NULL ? NULL : issuer->certificate,
                                          signer->key, &authority->certificate));
    setpay_ca_issued_init(&issued);
    error = setpay_ca_serial_text(authority->certificate, authority->row.serial);
    if (error == SETPAY_OK)
        error = setpay_key_save(path, authority->key, &ca->passphrase, true, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_change_issue(change, signer, issuer == NULL ? "init" : "authority",
                                       info->name, authority->row.brand, authority->certificate,
                                       &(struct setpay_ca_lineage){.parent = ""}, SETPAY_VIEW_EMPTY,
                                       now, &issued);
    if (error == SETPAY_OK)
        error = setpay_ca_change_add_authority(change, &authority->row);
    if (error == SETPAY_OK)
        error = setpay_ca_crl_decide(ca, change, authority, NULL, 0, now);
    setpay_ca_issued_clear(&issued);
    return error;
}

static void name_authority(struct setpay_ca_authority_row *row, const char *brand, const char *kind,
                           const char *issuer, bool loopback)
{
    memset(row, 0, sizeof *row);
    if (brand[0] == '\0')
        (void)snprintf(row->name, sizeof row->name, "%s", kind);
    else
        (void)snprintf(row->name, sizeof row->name, "%s.%s", brand, kind);
    (void)snprintf(row->issuer, sizeof row->issuer, "%s", issuer);
    (void)snprintf(row->kind, sizeof row->kind, "%s", kind);
    (void)snprintf(row->brand, sizeof row->brand, "%s", brand);
    row->loopback = loopback;
}

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

/* ---- init ---- */

static enum setpay_error make_folders(const char *folder, struct setpay_problem *problem)
{
    const struct setpay_ca at = {.folder = strdup(folder)};
    char path[SETPAY_CA_PATH_MAX];
    enum setpay_error error = at.folder == NULL ? SETPAY_E_NOMEM : SETPAY_OK;

    for (size_t n = 0; n < sizeof subfolders / sizeof *subfolders && error == SETPAY_OK; n++) {
        error = setpay_ca_path(&at, "", subfolders[n], "", path);
        if (error == SETPAY_OK && mkdir(path, n == 0 ? 0700 : 0755) != 0)
            error = setpay_problem_set(problem, SETPAY_E_IO, "%s can't be made: %s", path,
                                       strerror(errno));
    }
    free(at.folder);
    return error;
}

/* Takes away what init made in a folder that will be no CA. */
static void remove_folder(const char *folder)
{
    static const char *const files[] = {
        "ca.db",         "ca.db-wal",    "ca.db-shm",    "ca.db.lock",
        "keys/root.key", "root.pem",     "crl/root.crl", "certificates/root.pem",
        "keys",          "certificates", "crl"};
    char path[SETPAY_CA_PATH_MAX];

    for (size_t n = 0; n < sizeof files / sizeof *files; n++)
        if (snprintf(path, sizeof path, "%s/%s", folder, files[n]) < (int)sizeof path)
            (void)remove(path);
    (void)rmdir(folder);
}

static enum setpay_error check_init(const char *name, const struct setpay_secret *passphrase,
                                    struct setpay_problem *problem)
{
    size_t length = strlen(name);

    if (length == 0 || length > 64 || !setpay_text_is_utf8(setpay_view_string(name)) ||
        strpbrk(name, "\n\r\t\x1b") != NULL)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the root's name must be 1 to 64 bytes of plain text");
    if (passphrase->size < SETPAY_CA_PASSPHRASE_MIN)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the passphrase is too short (at least %d bytes)",
                                  SETPAY_CA_PASSPHRASE_MIN);
    return SETPAY_OK;
}

static enum setpay_error check_empty(const char *folder, struct setpay_problem *problem)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;

    if (entries == NULL && errno == ENOENT)
        return SETPAY_OK;
    if (entries == NULL)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", folder, strerror(errno));
    while ((entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            count++;
    (void)closedir(entries);
    if (count > 0)
        return setpay_problem_set(problem, SETPAY_E_EXISTS,
                                  "%s is not empty; a CA is made in a folder of its own", folder);
    return SETPAY_OK;
}

static enum setpay_error init_root(struct setpay_ca *ca, const char *name, setpay_time_ms now,
                                   struct setpay_problem *problem)
{
    struct setpay_ca_authority root = {0};
    struct setpay_ca_change change = {0};
    enum setpay_error error = setpay_ca_change_begin(ca->registry, &change);

    name_authority(&root.row, "", "root", "root", false);
    if (error == SETPAY_OK)
        error = make_authority(ca, &change, &root, NULL, name, now, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_log_commit(ca, &change, &root);
    setpay_ca_change_clear(&change);
    setpay_ca_authority_clear(&root);
    return error;
}

enum setpay_error setpay_ca_init(const char *folder, const char *name,
                                 const struct setpay_secret *passphrase, setpay_time_ms now,
                                 struct setpay_problem *problem)
{
    char fresh[SETPAY_CA_PATH_MAX];
    size_t length = strnlen(folder, SETPAY_CA_PATH_MAX);
    struct setpay_ca *ca = NULL;
    enum setpay_error error;

    SETPAY_TRY(check_init(name, passphrase, problem));
    while (length > 1 && folder[length - 1] == '/')
        length--;
    if (snprintf(fresh, sizeof fresh, "%.*s.new-XXXXXX", (int)length, folder) >= (int)sizeof fresh)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "the folder's path is too long");
    SETPAY_TRY(check_empty(folder, problem));
    /* Made beside, and renamed when it is whole: init leaves a CA or nothing. */
    if (mkdtemp(fresh) == NULL)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s can't be made: %s", folder,
                                  strerror(errno));
    error = make_folders(fresh, problem);
    if (error == SETPAY_OK)
        error = open_folder(fresh, false, &ca, problem);
    if (error == SETPAY_OK)
        error = setpay_secret_copy(&ca->passphrase, setpay_secret_view(passphrase));
    if (error == SETPAY_OK)
        error = init_root(ca, name, now, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_publish(ca, problem);
    setpay_ca_close(ca);
    if (error == SETPAY_OK && rename(fresh, folder) != 0)
        error = setpay_problem_set(problem, SETPAY_E_IO, "%s can't be made: %s", folder,
                                   strerror(errno));
    if (error != SETPAY_OK)
        remove_folder(fresh);
    return error;
}

/* ---- brands ---- */

static enum setpay_error decide_brand(struct setpay_ca *ca, struct setpay_ca_change *change,
                                      const struct setpay_ca_authority *root,
                                      struct setpay_ca_authority *made, const char *brand,
                                      bool loopback, setpay_time_ms now,
                                      struct setpay_problem *problem)
{
    static const enum setpay_ca_kind kinds[] = {SETPAY_CA_BRAND, SETPAY_CA_CARDHOLDER,
                                                SETPAY_CA_MERCHANT, SETPAY_CA_GATEWAY};

    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        const struct setpay_ca_authority *issuer = n == 0 ? root : &made[0];

        name_authority(&made[n].row, brand, setpay_ca_info(kinds[n])->name, issuer->row.name,
                       loopback);
        SETPAY_TRY(make_authority(ca, change, &made[n], issuer, brand, now, problem));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_ca_brand_add(struct setpay_ca *ca, const char *brand, bool loopback,
                                      setpay_time_ms now, struct setpay_problem *problem)
{
    char name[SETPAY_CA_AUTHORITY_SIZE];
    struct setpay_ca_authority_row known;
    struct setpay_ca_authority root = {0};
    struct setpay_ca_authority made[4];
    struct setpay_ca_change change = {0};
    enum setpay_error error;

    memset(made, 0, sizeof made);
    SETPAY_TRY(setpay_ca_check_brand(brand, problem));
    (void)snprintf(name, sizeof name, "%s.brand", brand);
    error = setpay_ca_registry_authority(ca->registry, name, &known);
    if (error == SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_EXISTS, "the brand '%s' exists", brand);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    error = setpay_ca_authority_load(ca, "root", true, &root, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_change_begin(ca->registry, &change);
    if (error == SETPAY_OK)
        error = decide_brand(ca, &change, &root, made, brand, loopback, now, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_log_commit(ca, &change, &root);
    if (error == SETPAY_OK)
        error = setpay_ca_publish(ca, problem);
    for (size_t n = 0; n < sizeof made / sizeof *made; n++)
        setpay_ca_authority_clear(&made[n]);
    setpay_ca_change_clear(&change);
    setpay_ca_authority_clear(&root);
    return error;
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
