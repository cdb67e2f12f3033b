/*
 * Looking after a CA: what an operator should know before it hurts. Reads only.
 */
#include "ca/state.h"

#include "common/crypto/keyfile.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A CA that ends within this time should have its successor by now. */
#define SOON_MS (60 * SETPAY_DAY_MS)

struct visit {
    struct setpay_ca *ca;
    setpay_time_ms now;
    setpay_ca_finding_cb *each;
    void *arg;
};

static void say(const struct visit *visit, bool good, const char *what, const char *text)
{
    visit->each(visit->arg, good, what, text);
}

static enum setpay_error visit_key(void *arg, const struct setpay_ca_authority_row *row)
{
    const struct visit *visit = arg;
    struct setpay_ca_authority authority = {0};
    struct setpay_problem problem = {""};
    char path[SETPAY_CA_PATH_MAX];
    struct stat state;

    SETPAY_TRY(setpay_ca_path(visit->ca, "keys", row->name, ".key", path));
    if (lstat(path, &state) != 0) {
        say(visit, false, path, "the key is not there: restore it from the backup");
        return SETPAY_OK;
    }
    if (!S_ISREG(state.st_mode) || (state.st_mode & 077) != 0) {
        say(visit, false, path, "others can read it: chmod 600, and take the key for known");
        return SETPAY_OK;
    }
    if (!visit->ca->unlocked) {
        say(visit, true, path, "there, mode 0600 (not decrypted: no passphrase was given)");
        return SETPAY_OK;
    }
    if (setpay_ca_authority_load(visit->ca, row->name, true, &authority, &problem) == SETPAY_OK)
        say(visit, true, path, "opens, and belongs to its certificate");
    else
        say(visit, false, path, problem.text);
    setpay_ca_authority_clear(&authority);
    return SETPAY_OK;
}

static void visit_end(void *arg, const struct setpay_ca_record *record)
{
    const struct visit *visit = arg;
    char until[SETPAY_TIME_TEXT_SIZE];
    char what[SETPAY_CA_AUTHORITY_SIZE + 96];
    char text[160];

    if (setpay_ca_kind_by_name(record->profile) == SETPAY_CA_NONE)
        return;
    (void)snprintf(what, sizeof what, "%s certificate %s", record->profile, record->serial);
    (void)setpay_time_format(record->not_after, until);
    if (record->revoked != 0) {
        say(visit, true, what, "revoked");
        return;
    }
    (void)snprintf(text, sizeof text, "%s %s", record->not_after < visit->now ? "ended" : "until",
                   until);
    say(visit, record->not_after > visit->now + SOON_MS, what, text);
}

static void visit_crl(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                      setpay_time_ms next_update, struct setpay_view der)
{
    const struct visit *visit = arg;
    char until[SETPAY_TIME_TEXT_SIZE];
    char what[SETPAY_CA_AUTHORITY_SIZE + 8];
    char text[160];

    (void)this_update;
    (void)snprintf(what, sizeof what, "%s.crl", authority);
    (void)setpay_time_format(next_update, until);
    (void)snprintf(text, sizeof text, "number %llu, %zu bytes, %s %s%s", (unsigned long long)number,
                   der.size, next_update <= visit->now ? "past its next update" : "good until",
                   until, next_update <= visit->now ? ": setpay-ca crl makes new ones" : "");
    say(visit, next_update > visit->now, what, text);
}

enum setpay_error setpay_ca_doctor(struct setpay_ca *ca, setpay_time_ms now,
                                   setpay_ca_finding_cb *each, void *arg)
{
    struct visit visit = {.ca = ca, .now = now, .each = each, .arg = arg};
    struct setpay_ca_log_head head = {0};
    struct setpay_problem problem = {""};
    char path[SETPAY_CA_PATH_MAX];
    struct stat state;
    enum setpay_error error;

    SETPAY_TRY(setpay_ca_path(ca, "", "keys", "", path));
    if (stat(path, &state) != 0)
        say(&visit, false, path, "the folder of the keys is not there");
    else if ((state.st_mode & 077) != 0)
        say(&visit, false, path, "others can enter it: chmod 700");
    else
        say(&visit, true, path, "mode 0700");
    SETPAY_TRY(setpay_ca_registry_authorities(ca->registry, NULL, visit_key, &visit));
    SETPAY_TRY(setpay_ca_registry_certificates(ca->registry, NULL, visit_end, &visit));
    SETPAY_TRY(setpay_ca_registry_crls(ca->registry, NULL, visit_crl, &visit));
    error = setpay_ca_log_verify(ca, NULL, &head, &problem);
    if (error == SETPAY_OK)
        say(&visit, true, "log", "every entry, link and signature, and the head, hold");
    else
        say(&visit, false, "log",
            problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
    return SETPAY_OK;
}
