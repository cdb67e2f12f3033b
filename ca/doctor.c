/*
 * Looking after a CA: what an operator should know before it hurts. Reads only. Runs where the CA
 * is open: in setpay-ca, or in setpay-cad on its registrar's thread.
 */
#include "ca/doctor.h"

#include "ca/state.h"
#include "common/crypto/file.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A CA that ends within this time should have its successor by now. */
#define SOON_MS (60 * SETPAY_DAY_MS)
#define KEYS "keys"
#define LOG "log"
#define TODO_SIZE (SETPAY_CA_PATH_MAX + 128)

struct visit {
    struct setpay_ca *ca;
    struct setpay_doctor *doctor;
};

/* ---- keys ---- */

static void check_key(const struct visit *visit, const char *name, const char *path)
{
    struct setpay_ca_authority authority = {0};
    struct setpay_problem problem = {""};
    enum setpay_error error = setpay_ca_authority_load(visit->ca, name, true, &authority, &problem);

    setpay_ca_authority_clear(&authority);
    setpay_doctor_say(visit->doctor, error == SETPAY_OK ? SETPAY_FINDING_OK : SETPAY_FINDING_FAIL,
                      KEYS, path, "restore the key from the backup", "%s: %s", path,
                      error == SETPAY_OK ? "opens, and belongs to its certificate" : problem.text);
}

static enum setpay_error visit_key(void *arg, const struct setpay_ca_authority_row *row)
{
    const struct visit *visit = arg;
    char path[SETPAY_CA_PATH_MAX], todo[TODO_SIZE];
    struct stat state;

    SETPAY_TRY(setpay_ca_path(visit->ca, "keys", row->name, ".key", path));
    if (lstat(path, &state) != 0 && row->revoked) { /* destroyed, as may well be */
        setpay_doctor_say(visit->doctor, SETPAY_FINDING_OK, KEYS, path, "",
                          "%s: not there; %s is revoked", path, row->name);
    } else if (lstat(path, &state) != 0) {
        setpay_doctor_say(visit->doctor, SETPAY_FINDING_FAIL, KEYS, path,
                          "restore it from the backup", "%s: the key is not there", path);
    } else if (!S_ISREG(state.st_mode) || (state.st_mode & 077) != 0) {
        (void)snprintf(todo, sizeof todo, "chmod 600 '%s', and take the key for known", path);
        setpay_doctor_say(visit->doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PERMISSIONS, path, todo,
                          "%s has the mode %04o: others can read it", path,
                          (unsigned)(state.st_mode & 07777));
    } else if (!visit->ca->unlocked) {
        setpay_doctor_say(visit->doctor, SETPAY_FINDING_OK, KEYS, path, "",
                          "%s: there, mode 0600 (not decrypted: no passphrase was given)", path);
    } else {
        check_key(visit, row->name, path);
    }
    return SETPAY_OK;
}

static enum setpay_error check_folder(const struct visit *visit)
{
    char path[SETPAY_CA_PATH_MAX], todo[TODO_SIZE];
    struct stat state;

    SETPAY_TRY(setpay_ca_path(visit->ca, "", "keys", "", path));
    if (stat(path, &state) != 0) {
        setpay_doctor_say(visit->doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_FILES, path,
                          "restore it from the backup", "%s: the folder of the keys is not there",
                          path);
    } else if ((state.st_mode & 077) != 0) {
        (void)snprintf(todo, sizeof todo, "chmod 700 '%s'", path);
        setpay_doctor_say(visit->doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PERMISSIONS, path, todo,
                          "%s has the mode %04o: others can enter it", path,
                          (unsigned)(state.st_mode & 07777));
    } else {
        setpay_doctor_say(visit->doctor, SETPAY_FINDING_OK, SETPAY_CHECK_PERMISSIONS, path, "",
                          "%s: mode 0700", path);
    }
    SETPAY_TRY(setpay_ca_path(visit->ca, "", "ca.db", "", path));
    setpay_doctor_mode(visit->doctor, path);
    setpay_doctor_room(visit->doctor, path, "the CA");
    return SETPAY_OK;
}

/* ---- certificates and lists ---- */

static void visit_date(void *arg, const struct setpay_ca_record *record)
{
    const struct visit *visit = arg;

    setpay_doctor_add_date(visit->doctor, "the newest certificate", record->not_before);
}

/* What to do about an authority that ends, or is revoked, while nobody has come after it. */
static void say_successor(const struct setpay_ca_authority_row *row, bool over,
                          char todo[TODO_SIZE])
{
    if (strcmp(row->kind, "root") == 0)
        (void)snprintf(todo, TODO_SIZE,
                       "%s make another CA (setpay-ca init), and give its root.pem to every party",
                       over ? "see the clock;" : "in time");
    else
        (void)snprintf(todo, TODO_SIZE, "%ssetpay-ca authority renew %s.%s",
                       over ? "see the clock; " : "", row->brand, row->kind);
}

static enum setpay_error visit_end(void *arg, const struct setpay_ca_authority_row *row)
{
    const struct visit *visit = arg;
    struct setpay_ca_authority_row newest;
    setpay_time_ms now = visit->doctor->now_ms;
    char until[SETPAY_TIME_TEXT_SIZE];
    char what[SETPAY_CA_AUTHORITY_SIZE + SETPAY_CA_SERIAL_SIZE + 32];
    char todo[TODO_SIZE];
    bool over = row->not_after < now;

    SETPAY_TRY(setpay_ca_registry_newest(visit->ca->registry, row->brand, row->kind, &newest));
    bool succeeded = strcmp(newest.name, row->name) != 0;
    bool fine = succeeded || (!row->revoked && row->not_after > now + SOON_MS);
    /* A brand that is given up is no fault. */
    enum setpay_finding level = fine           ? SETPAY_FINDING_OK
                                : row->revoked ? SETPAY_FINDING_WARN
                                               : SETPAY_FINDING_FAIL;
    say_successor(row, over, todo);
    (void)snprintf(what, sizeof what, "%s certificate %s", row->kind, row->serial);
    (void)setpay_time_format(row->not_after, until);
    setpay_doctor_say(visit->doctor, level, SETPAY_CHECK_CERTIFICATES, what, todo, "%s: %s%s%s%s%s",
                      what,
                      row->revoked ? "revoked"
                      : over       ? "has expired at "
                                   : "until ",
                      row->revoked ? "" : until,
                      succeeded      ? ", and "
                      : row->revoked ? ", and nobody issues in its place"
                                     : "",
                      succeeded ? newest.name : "", succeeded ? " issues in its place" : "");
    return SETPAY_OK;
}

/* A list has a size that it can't grow above. */
static void check_room(const struct visit *visit, const char *what, const char *authority,
                       size_t size)
{
    char todo[TODO_SIZE];
    const char *dash =
        strchr(strchr(authority, '.') == NULL ? authority : strchr(authority, '.'), '-');
    int length = (int)(dash == NULL ? strlen(authority) : (size_t)(dash - authority));

    if (size < SETPAY_CA_LIST_WARN_BYTES)
        return;
    (void)snprintf(todo, sizeof todo,
                   "setpay-ca authority renew %.*s: what is revoked of the next one stands on a "
                   "list of its own",
                   length, authority);
    setpay_doctor_say(visit->doctor, SETPAY_FINDING_WARN, SETPAY_CHECK_CRLS, what, todo,
                      "%s: %zu of the %d bytes that a list may have", what, size,
                      SETPAY_LIMIT_CRL_BYTES);
}

static void visit_crl(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                      setpay_time_ms next_update, struct setpay_view der)
{
    const struct visit *visit = arg;
    bool stale = next_update <= visit->doctor->now_ms;
    char until[SETPAY_TIME_TEXT_SIZE];
    char what[SETPAY_CA_AUTHORITY_SIZE + 8];

    setpay_doctor_add_date(visit->doctor, "a revocation list", this_update);
    (void)snprintf(what, sizeof what, "%s.crl", authority);
    (void)setpay_time_format(next_update, until);
    setpay_doctor_say(
        visit->doctor, stale ? SETPAY_FINDING_FAIL : SETPAY_FINDING_OK, SETPAY_CHECK_CRLS, what,
        "setpay-ca crl makes new ones, as setpay-cad does by itself while it runs; "
        "and see the clock",
        "%s: number %llu, %zu bytes, %s %s", what, (unsigned long long)number, der.size,
        stale ? "stale: past its next update, which was due at" : "good until", until);
    check_room(visit, what, authority, der.size);
}

/* ---- root and log ---- */

/* root.pem is what every party is given. */
static enum setpay_error check_root(const struct visit *visit)
{
    struct setpay_ca_authority root = {0};
    struct setpay_problem problem = {""};
    struct setpay_buffer file;
    X509 *given = NULL;
    char path[SETPAY_CA_PATH_MAX], todo[TODO_SIZE + SETPAY_CA_PATH_MAX];

    SETPAY_TRY(setpay_ca_path(visit->ca, "", "root.pem", "", path));
    (void)snprintf(todo, sizeof todo,
                   "put back this CA's own (%.*s/certificates/root.pem holds it too), and look "
                   "where the other one was given to",
                   (int)(strlen(path) - strlen("/root.pem")), path);
    setpay_buffer_init(&file, SETPAY_CA_PEM_MAX);
    enum setpay_error error = setpay_file_read(path, &file, &problem);
    if (error == SETPAY_OK)
        error = setpay_ca_certificate_parse(setpay_buffer_view(&file), &given, &problem);
    if (error == SETPAY_OK)
        error = setpay_ca_authority_load(visit->ca, "root", false, &root, &problem);
    bool same = error == SETPAY_OK && X509_cmp(given, root.certificate) == 0;
    setpay_doctor_say(visit->doctor, same ? SETPAY_FINDING_OK : SETPAY_FINDING_FAIL,
                      SETPAY_CHECK_ROOT, path, todo, "%s%s",
                      error != SETPAY_OK ? problem.text
                      : same             ? path
                                         : "wrong root: ",
                      error != SETPAY_OK ? ""
                      : same             ? ": this CA's root certificate"
                                         : path);
    X509_free(given);
    setpay_ca_authority_clear(&root);
    setpay_buffer_clear(&file);
    return SETPAY_OK;
}

bool setpay_ca_doctor_log(struct setpay_ca_log_check *check, struct setpay_doctor *doctor)
{
    struct setpay_ca_log_head head = {0};
    struct setpay_problem problem = {""};
    bool unfinished = false;
    enum setpay_error error = setpay_ca_log_check_step(check, &unfinished, &head, &problem);

    if (error == SETPAY_OK && unfinished)
        return true;
    setpay_doctor_say(doctor, error == SETPAY_OK ? SETPAY_FINDING_OK : SETPAY_FINDING_FAIL, LOG,
                      LOG,
                      "issue nothing more; compare with the newest backup and the witnesses that "
                      "were written down",
                      "%s",
                      error == SETPAY_OK ? "every entry, link and signature, and the head, hold"
                      : problem.text[0] != '\0' ? problem.text
                                                : setpay_error_text(error));
    return false;
}

enum setpay_error setpay_ca_doctor(struct setpay_ca *ca, struct setpay_doctor *doctor)
{
    struct visit visit = {.ca = ca, .doctor = doctor};

    SETPAY_TRY(check_folder(&visit));
    SETPAY_TRY(setpay_ca_registry_authorities(ca->registry, NULL, visit_key, &visit));
    SETPAY_TRY(check_root(&visit));
    SETPAY_TRY(setpay_ca_registry_certificates(ca->registry, NULL, visit_date, &visit));
    SETPAY_TRY(setpay_ca_registry_authorities(ca->registry, NULL, visit_end, &visit));
    return setpay_ca_registry_crls(ca->registry, NULL, visit_crl, &visit);
}
