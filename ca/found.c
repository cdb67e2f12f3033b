/*
 * Making authorities: the root with its folder, a brand with its issuing CAs, and who comes after
 * one of them.
 *
 * What always holds: an authority's key is on the disk, encrypted, before the registry knows the
 * authority, and the registry knows it before its certificate is written anywhere. A key file whose
 * authority the registry does not know is the rest of an attempt that failed, and is replaced.
 *
 * Who comes after another has a key and a name of its own, and a number one higher. From the commit
 * on it issues; the one before goes on making its own revocation list, and what it has issued stays
 * good until its end or revocation.
 */
#include "ca/state.h"

#include "common/crypto/keyfile.h"
#include "common/pki/certificate.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const subfolders[] = {"keys", "certificates", "crl"};

/* ---- one authority ---- */

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

static setpay_time_ms end_of(const struct setpay_ca_authority *authority)
{
    struct tm parts = {0};

    return ASN1_TIME_to_tm(X509_get0_notAfter(authority->certificate), &parts) == 1
               ? (setpay_time_ms)timegm(&parts) * SETPAY_SECOND_MS
               : 0;
}

/*
 * Makes an authority of a kind, with a key of its own in keys/, its certificate and a first CRL in
 * the change. authority->row is filled by the caller (name_authority). issuer NULL: it is the root.
 */
static enum setpay_error make_authority(struct setpay_ca *ca, struct setpay_ca_change *change,
                                        struct setpay_ca_authority *authority, unsigned number,
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

    (void)snprintf(id, sizeof id, "%s-%u", info->name, number);
    template.not_after = template.not_before + info->max_days *SETPAY_DAY_MS - SETPAY_SECOND_MS;
    if (issuer != NULL && template.not_after > end_of(issuer))
        template.not_after = end_of(issuer);
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
        error = setpay_ca_change_issue(change, signer,
                                       issuer == NULL ? "init"
                                       : number == 1  ? "authority"
                                                      : "successor",
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

static void name_authority(struct setpay_ca_authority_row *row, const char *brand,
                           enum setpay_ca_kind kind, unsigned number, const char *issuer,
                           bool loopback)
{
    memset(row, 0, sizeof *row);
    setpay_ca_name(brand, kind, number, row->name);
    (void)snprintf(row->issuer, sizeof row->issuer, "%s", issuer);
    (void)snprintf(row->kind, sizeof row->kind, "%s", setpay_ca_info(kind)->name);
    (void)snprintf(row->brand, sizeof row->brand, "%s", brand);
    row->loopback = loopback;
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

    name_authority(&root.row, "", SETPAY_CA_ROOT, 1, "root", false);
    if (error == SETPAY_OK)
        error = make_authority(ca, &change, &root, 1, NULL, name, now, problem);
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
        error = setpay_ca_open_folder(fresh, false, &ca, problem);
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

        name_authority(&made[n].row, brand, kinds[n], 1, issuer->row.name, loopback);
        SETPAY_TRY(make_authority(ca, change, &made[n], 1, issuer, brand, now, problem));
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

/* ---- who comes after ---- */

/* BRAND.KIND; a brand has no dots. */
static enum setpay_error read_name(const char *text, char brand[SETPAY_BRAND_MAX + 1],
                                   enum setpay_ca_kind *kind, struct setpay_problem *problem)
{
    const char *dot = strchr(text, '.');
    size_t length = dot == NULL ? 0 : (size_t)(dot - text);

    *kind = dot == NULL ? SETPAY_CA_NONE : setpay_ca_kind_by_name(dot + 1);
    if (strcmp(text, "root") == 0)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "the root has nobody above it that could name another: make "
                                  "another CA (init), and give its root.pem to every party");
    if (*kind == SETPAY_CA_NONE || *kind == SETPAY_CA_ROOT || length > SETPAY_BRAND_MAX)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "'%.64s' is none of BRAND.brand, BRAND.cca, BRAND.mca and "
                                  "BRAND.pca",
                                  text);
    memcpy(brand, text, length);
    brand[length] = '\0';
    return SETPAY_OK;
}

static enum setpay_error count_row(void *arg, const struct setpay_ca_authority_row *row)
{
    (void)row;
    (*(size_t *)arg)++;
    return SETPAY_OK;
}

static enum setpay_error check_room(struct setpay_ca *ca, struct setpay_problem *problem)
{
    size_t count = 0;

    SETPAY_TRY(setpay_ca_registry_authorities(ca->registry, NULL, count_row, &count));
    if (count < SETPAY_CA_AUTHORITIES_MAX)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_TOO_BIG,
                              "this CA has %zu authorities, as many as there may be", count);
}

static enum setpay_error number_of(const struct setpay_ca_authority *authority, unsigned *number,
                                   struct setpay_problem *problem)
{
    struct setpay_buffer der = {0};
    struct setpay_certificate *certificate = NULL;

    setpay_buffer_init(&der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = setpay_ca_certificate_der(authority->certificate, &der);
    if (error == SETPAY_OK)
        error = setpay_certificate_parse(setpay_buffer_view(&der), &certificate);
    if (error == SETPAY_OK)
        *number = setpay_certificate_ca_number(certificate);
    setpay_certificate_unref(certificate);
    setpay_buffer_clear(&der);
    if (error == SETPAY_OK && (*number == 0 || *number >= SETPAY_CA_NUMBER_MAX))
        error =
            setpay_problem_set(problem, SETPAY_E_TOO_BIG,
                               "%s has no number that another could follow", authority->row.name);
    return error;
}

/* Who names the next one: it must be good itself. */
static enum setpay_error load_issuer(struct setpay_ca *ca, const char *brand,
                                     enum setpay_ca_kind kind, setpay_time_ms now,
                                     struct setpay_ca_authority *issuer,
                                     struct setpay_problem *problem)
{
    if (kind == SETPAY_CA_BRAND)
        SETPAY_TRY(setpay_ca_authority_load(ca, "root", true, issuer, problem));
    else
        SETPAY_TRY(setpay_ca_authority_of(ca, brand, "brand", true, issuer, problem));
    if (setpay_ca_check_standing(ca, issuer, NULL) == SETPAY_E_CERT_REVOKED)
        return setpay_problem_set(problem, SETPAY_E_CERT_REVOKED,
                                  "%s is revoked: first authority renew %s.brand", issuer->row.name,
                                  brand);
    SETPAY_TRY(setpay_ca_check_standing(ca, issuer, problem));
    if (now < end_of(issuer))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CERT_TIME,
                              "the certificate of %s has ended: it can name nobody any more",
                              issuer->row.name);
}

static enum setpay_error succeed(struct setpay_ca *ca, const struct setpay_ca_authority *former,
                                 const struct setpay_ca_authority *issuer, enum setpay_ca_kind kind,
                                 setpay_time_ms now, struct setpay_ca_successor *made,
                                 struct setpay_problem *problem)
{
    const char *brand = former->row.brand;
    struct setpay_ca_authority next = {0};
    struct setpay_ca_change change = {0};
    unsigned number = 0;
    enum setpay_error error = number_of(former, &number, problem);

    if (error == SETPAY_OK)
        error = setpay_ca_change_begin(ca->registry, &change);
    name_authority(&next.row, brand, kind, number + 1, issuer->row.name, former->row.loopback);
    if (error == SETPAY_OK)
        error = make_authority(ca, &change, &next, number + 1, issuer, brand, now, problem);
    if (error == SETPAY_OK) /* rule C3 */
        error = setpay_ca_log_commit(ca, &change, issuer);
    if (error == SETPAY_OK) {
        memcpy(made->name, next.row.name, sizeof made->name);
        memcpy(made->serial, next.row.serial, sizeof made->serial);
        memcpy(made->former, former->row.name, sizeof made->former);
        memcpy(made->former_serial, former->row.serial, sizeof made->former_serial);
        made->not_after = end_of(&next);
    }
    setpay_ca_change_clear(&change);
    setpay_ca_authority_clear(&next);
    return error;
}

enum setpay_error setpay_ca_authority_renew(struct setpay_ca *ca, const char *name,
                                            setpay_time_ms now, struct setpay_ca_successor *made,
                                            struct setpay_problem *problem)
{
    struct setpay_ca_authority former = {0};
    struct setpay_ca_authority issuer = {0};
    char brand[SETPAY_BRAND_MAX + 1];
    enum setpay_ca_kind kind;

    SETPAY_TRY(read_name(name, brand, &kind, problem));
    SETPAY_TRY(check_room(ca, problem));
    enum setpay_error error =
        setpay_ca_authority_of(ca, brand, setpay_ca_info(kind)->name, false, &former, problem);
    if (error == SETPAY_OK)
        error = load_issuer(ca, brand, kind, now, &issuer, problem);
    if (error == SETPAY_OK)
        error = succeed(ca, &former, &issuer, kind, now, made, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_publish(ca, problem);
    setpay_ca_authority_clear(&issuer);
    setpay_ca_authority_clear(&former);
    return error;
}
