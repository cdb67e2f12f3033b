/*
 * All keys and certificates of one merchant or gateway, or of the authority's own server, into one
 * folder.
 *
 * What always holds: either every certificate of the party is issued and every file is there, or no
 * certificate was issued. Keys are written before the commit, certificates after it; a file that
 * exists already is never touched, and the keys of an attempt that failed are taken away.
 */
#include "ca/state.h"

#include "common/crypto/keyfile.h"
#include "common/pki/csr.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBERS_MAX 4

/* One key with its certificate; suffix is the file's name: "sign", "tls-client". */
struct member {
    const struct setpay_profile_info *profile;
    const char *suffix;
    bool key_written;
    struct setpay_ca_issued issued;
};

struct bundle {
    struct setpay_ca *ca;
    const struct setpay_ca_request *names;
    const char *out;
    const struct setpay_secret *key_passphrase;
    setpay_time_ms now;
    struct member members[MEMBERS_MAX];
    size_t count;
    struct setpay_ca_change change;
    struct setpay_ca_authority issuer;
    struct setpay_problem *problem;
};

static enum setpay_error file_name(const struct bundle *bundle, const char *name,
                                   const char *suffix, char *path)
{
    int size = snprintf(path, SETPAY_CA_PATH_MAX, "%s/%s%s", bundle->out, name, suffix);

    if (size > 0 && size < SETPAY_CA_PATH_MAX)
        return SETPAY_OK;
    return setpay_problem_set(bundle->problem, SETPAY_E_INVALID, "the folder's path is too long");
}

static enum setpay_error find_members(struct bundle *bundle, const char *party)
{
    size_t length = strlen(party);

    if (strcmp(party, "merchant") != 0 && strcmp(party, "gateway") != 0 && strcmp(party, "ca") != 0)
        return setpay_problem_set(bundle->problem, SETPAY_E_USAGE,
                                  "'%.32s' is none of merchant, gateway and ca", party);
    for (int each = SETPAY_PROFILE_NONE + 1; each < SETPAY_PROFILES; each++) {
        const struct setpay_profile_info *info = setpay_profile_info((enum setpay_profile)each);

        if (strcmp(info->role, party) != 0)
            continue;
        /* A merchant without a host name serves no wallets itself. */
        if (info->dns_names && bundle->names->dns_count == 0)
            continue;
        if (bundle->count == MEMBERS_MAX)
            return SETPAY_E_INTERNAL;
        bundle->members[bundle->count].profile = info;
        bundle->members[bundle->count].suffix = info->name + length + 1;
        setpay_ca_issued_init(&bundle->members[bundle->count].issued);
        bundle->count++;
    }
    if (bundle->count == 0) /* a server without a name */
        return setpay_problem_set(bundle->problem, SETPAY_E_USAGE,
                                  "the authority's server needs a host name (--dns)");
    return SETPAY_OK;
}

static enum setpay_error check_absent(const struct bundle *bundle, const char *name,
                                      const char *suffix)
{
    char path[SETPAY_CA_PATH_MAX];

    SETPAY_TRY(file_name(bundle, name, suffix, path));
    if (access(path, F_OK) == 0)
        return setpay_problem_set(bundle->problem, SETPAY_E_EXISTS,
                                  "%s exists; a bundle goes into a folder without one", path);
    return SETPAY_OK;
}

static enum setpay_error prepare_folder(const struct bundle *bundle)
{
    for (size_t at = 0; at < bundle->count; at++) {
        SETPAY_TRY(check_absent(bundle, bundle->members[at].suffix, ".key"));
        SETPAY_TRY(check_absent(bundle, bundle->members[at].suffix, ".pem"));
    }
    SETPAY_TRY(check_absent(bundle, "chain", ".pem"));
    if (mkdir(bundle->out, 0700) != 0 && errno != EEXIST)
        return setpay_problem_set(bundle->problem, SETPAY_E_IO, "%s can't be made: %s", bundle->out,
                                  strerror(errno));
    return SETPAY_OK;
}

static enum setpay_error decide_member(struct bundle *bundle, struct member *member)
{
    struct setpay_ca_request request = *bundle->names;
    const struct setpay_csr_wish wish = {0};
    struct setpay_secret csr = {0};
    char path[SETPAY_CA_PATH_MAX];
    EVP_PKEY *key = NULL;
    enum setpay_error error = setpay_key_generate(&key);

    if (error == SETPAY_OK)
        error = setpay_csr_build(key, &wish, &csr);
    request.profile = member->profile->name;
    request.csr = setpay_secret_view(&csr);
    if (!member->profile->dns_names)
        request.dns_count = 0;
    if (request.days > member->profile->max_days)
        request.days = 0;
    if (error == SETPAY_OK)
        error = setpay_ca_issue_decide(bundle->ca, &bundle->change, &request, bundle->now,
                                       &bundle->issuer, &member->issued, bundle->problem);
    if (error == SETPAY_OK)
        error = file_name(bundle, member->suffix, ".key", path);
    if (error == SETPAY_OK)
        error = setpay_key_save(path, key, bundle->key_passphrase, false, bundle->problem);
    member->key_written = error == SETPAY_OK;
    EVP_PKEY_free(key);
    setpay_secret_clear(&csr);
    return error;
}

static enum setpay_error write_chain(const struct bundle *bundle)
{
    struct setpay_buffer pem = {0};
    char path[SETPAY_CA_PATH_MAX];
    enum setpay_error error;

    setpay_buffer_init(&pem, SETPAY_CA_PEM_MAX);
    error = setpay_ca_chain(bundle->ca, bundle->issuer.row.serial, &pem, bundle->problem);
    if (error == SETPAY_OK)
        error = file_name(bundle, "chain", ".pem", path);
    if (error == SETPAY_OK)
        error = setpay_file_write(path, setpay_buffer_view(&pem), 0644, false, bundle->problem);
    setpay_buffer_reset(&pem);
    if (error == SETPAY_OK)
        error = setpay_ca_path(bundle->ca, "", "root", ".pem", path);
    if (error == SETPAY_OK)
        error = setpay_file_read(path, &pem, bundle->problem);
    if (error == SETPAY_OK)
        error = file_name(bundle, "root", ".pem", path);
    if (error == SETPAY_OK)
        error = setpay_file_write(path, setpay_buffer_view(&pem), 0644, true, bundle->problem);
    setpay_buffer_clear(&pem);
    return error;
}

static enum setpay_error write_certificates(const struct bundle *bundle)
{
    char path[SETPAY_CA_PATH_MAX];

    for (size_t at = 0; at < bundle->count; at++) {
        SETPAY_TRY(file_name(bundle, bundle->members[at].suffix, ".pem", path));
        SETPAY_TRY(setpay_file_write(path, setpay_buffer_view(&bundle->members[at].issued.chain),
                                     0644, false, bundle->problem));
    }
    return write_chain(bundle);
}

enum setpay_error setpay_ca_bundle(struct setpay_ca *ca, const char *party,
                                   const struct setpay_ca_request *names, const char *out,
                                   const struct setpay_secret *key_passphrase, setpay_time_ms now,
                                   struct setpay_problem *problem)
{
    struct bundle bundle = {.ca = ca,
                            .names = names,
                            .out = out,
                            .key_passphrase = key_passphrase,
                            .now = now,
                            .problem = problem};
    bool committed = false;
    enum setpay_error error = find_members(&bundle, party);

    if (error == SETPAY_OK)
        error = prepare_folder(&bundle);
    if (error == SETPAY_OK)
        error = setpay_ca_change_begin(ca->registry, &bundle.change);
    for (size_t at = 0; at < bundle.count && error == SETPAY_OK; at++)
        error = decide_member(&bundle, &bundle.members[at]);
    if (error == SETPAY_OK) /* rule C3 */
        error = setpay_ca_log_commit(ca, &bundle.change, &bundle.issuer);
    committed = error == SETPAY_OK;
    if (error == SETPAY_OK)
        error = write_certificates(&bundle);
    for (size_t at = 0; at < bundle.count; at++) {
        char path[SETPAY_CA_PATH_MAX];

        if (!committed && bundle.members[at].key_written &&
            file_name(&bundle, bundle.members[at].suffix, ".key", path) == SETPAY_OK)
            (void)unlink(path);
        setpay_ca_issued_clear(&bundle.members[at].issued);
    }
    setpay_ca_change_clear(&bundle.change);
    setpay_ca_authority_clear(&bundle.issuer);
    return error;
}
