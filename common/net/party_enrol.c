/*
 * One certificate after the other, each by a task of est_client.c on a loop of the command's own.
 */
#include "common/net/party_enrol.h"

#include "common/base/clock.h"
#include "common/base/noun.h"
#include "common/base/terminal.h"
#include "common/crypto/file.h"
#include "common/net/est_client.h"
#include "common/net/identity.h"
#include "common/net/party_files.h"
#include "common/net/party_issue.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECRET_LINE_MAX 64

const struct setpay_flag setpay_party_enrol_flags[] = {
    {"url", SETPAY_FLAG_TEXT, "url"},   {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"id", SETPAY_FLAG_TEXT, "id"},     {"renew", SETPAY_FLAG_SWITCH, "renew"},
    {"only", SETPAY_FLAG_TEXT, "only"}, {0},
};

struct enrolling {
    const struct setpay_party *party;
    const struct setpay_config *config;
    struct setpay_loop *loop;
    struct setpay_trust *trust;
    struct setpay_est_place place;
    const char *id; /* the party's */
    const char *brand;
    const char *token;
    const char *only; /* a profile's name; NULL: all */
    bool renew;
    char section[SETPAY_BRAND_MAX + 8];
    struct setpay_secret secret;
    struct setpay_secret passphrase_bytes;
    const struct setpay_secret *passphrase;
    json_t *done;
    struct setpay_problem *problem;
    /* The one under way. */
    const struct setpay_party_certificate *certificate;
    struct setpay_party_files files;
    enum setpay_error error;
};

static const char *path_of(const struct enrolling *enrolling,
                           const struct setpay_party_certificate *certificate, const char *name)
{
    return setpay_config_text(enrolling->config, certificate->top ? "" : enrolling->section, name);
}

/* ------------------------------------------------------------------ one certificate */

static void note(struct enrolling *enrolling, const char *status, setpay_time_ms expires_ms)
{
    char expires[SETPAY_TIME_TEXT_SIZE] = "";
    if (expires_ms != 0)
        setpay_time_format(expires_ms, expires);
    json_array_append_new(enrolling->done,
                          json_pack("{s:s, s:s, s:s, s:s?}", "profile",
                                    setpay_profile_info(enrolling->certificate->profile)->name,
                                    "file", enrolling->files.certificate, "status", status,
                                    "expires", expires_ms != 0 ? expires : NULL));
}

static void on_issued(void *arg, const struct setpay_issue_result *result)
{
    struct enrolling *enrolling = arg;
    enrolling->error = result->error;
    if (result->error == SETPAY_OK)
        note(enrolling, enrolling->renew ? "renewed" : "issued", result->expires_ms);
    else if (result->words[0] != '\0')
        setpay_problem_write(enrolling->problem, "%s", result->words);
    setpay_loop_stop(enrolling->loop);
}

/* The certificate that authorises a renewal: the one that is renewed, or its owner's. */
static enum setpay_error load_renewer(const struct enrolling *enrolling,
                                      struct setpay_identity *identity)
{
    const struct setpay_party_certificate *by = enrolling->certificate;
    if (by->renewed_by != SETPAY_PROFILE_NONE) {
        by = enrolling->party->certificates;
        while (by->profile != enrolling->certificate->renewed_by)
            by++;
    }
    return setpay_identity_load(enrolling->trust, path_of(enrolling, by, by->key_name),
                                path_of(enrolling, by, by->certificate_name), enrolling->passphrase,
                                by->profile, enrolling->brand, setpay_clock_now_ms(), identity,
                                enrolling->problem);
}

/* One certificate, to its end. renewer NULL: by the token. */
static enum setpay_error run(struct enrolling *enrolling, const struct setpay_tls_identity *renewer)
{
    struct setpay_issue *issue = NULL;
    SETPAY_TRY(setpay_loop_new(64, &enrolling->loop));
    const struct setpay_issue_wish wish = {.loop = enrolling->loop,
                                           .trust = enrolling->trust,
                                           .place = enrolling->place,
                                           .label = enrolling->party->label,
                                           .certificate = enrolling->certificate,
                                           .id = enrolling->id,
                                           .brand = enrolling->brand,
                                           .files = enrolling->files,
                                           .passphrase = enrolling->passphrase,
                                           .token = enrolling->token,
                                           .secret = &enrolling->secret,
                                           .renewer = renewer,
                                           .done_cb = on_issued,
                                           .arg = enrolling};
    enum setpay_error error = setpay_issue_start(&wish, &issue, enrolling->problem);
    if (error == SETPAY_OK)
        error = setpay_loop_run(enrolling->loop);
    if (error == SETPAY_OK)
        error = enrolling->error;
    setpay_loop_free(enrolling->loop);
    return error;
}

/* A pair of another brand, at the top of the configuration, is another enrolment's. */
static bool is_of_brand(const struct enrolling *enrolling)
{
    struct setpay_identity identity = {0};
    struct setpay_problem ignored;
    enum setpay_error error =
        setpay_identity_load(enrolling->trust, enrolling->files.key, enrolling->files.certificate,
                             enrolling->passphrase, enrolling->certificate->profile,
                             enrolling->brand, setpay_clock_now_ms(), &identity, &ignored);
    setpay_identity_clear(&identity);
    return error != SETPAY_E_BRANDS_MIXED;
}

static enum setpay_error renew_one(struct enrolling *enrolling)
{
    struct setpay_identity renewer = {0};
    enum setpay_error error = load_renewer(enrolling, &renewer);
    if (error == SETPAY_OK) {
        const struct setpay_tls_identity tls = setpay_identity_tls(&renewer, NULL);
        error = run(enrolling, &tls);
    }
    setpay_identity_clear(&renewer);
    return error;
}

/* An exchange that was cut off is ended, and what there is is looked at. */
static enum setpay_error settle(struct enrolling *enrolling, bool *present)
{
    int lock = -1;
    SETPAY_TRY(setpay_party_files_lock(&enrolling->files, &lock, enrolling->problem));
    enum setpay_error error =
        setpay_party_files_settle(&enrolling->files, present, enrolling->problem);
    setpay_party_files_unlock(lock);
    return error;
}

static enum setpay_error enrol_one(struct enrolling *enrolling)
{
    const struct setpay_party_certificate *certificate = enrolling->certificate;
    bool present = false;
    SETPAY_TRY(setpay_party_files_init(
        &enrolling->files, path_of(enrolling, certificate, certificate->key_name),
        path_of(enrolling, certificate, certificate->certificate_name), certificate->keep,
        enrolling->problem));
    SETPAY_TRY(settle(enrolling, &present));
    if (present && (!enrolling->renew || (certificate->top && !is_of_brand(enrolling)))) {
        note(enrolling, "kept", 0);
        return SETPAY_OK;
    }
    if (!present && enrolling->renew)
        return setpay_problem_set(enrolling->problem, SETPAY_E_NOT_FOUND,
                                  "%s: there is nothing to be renewed; enrol with --id TOKEN",
                                  enrolling->files.certificate);
    return enrolling->renew ? renew_one(enrolling) : run(enrolling, NULL);
}

/* ------------------------------------------------------------------ the whole command */

static enum setpay_error read_secret(struct enrolling *enrolling)
{
    bool end = false;
    enum setpay_error error =
        setpay_terminal_there()
            ? setpay_terminal_ask_secret("Secret of the token: ", SECRET_LINE_MAX,
                                         &enrolling->secret, enrolling->problem)
            : setpay_terminal_read_secret(SECRET_LINE_MAX, &enrolling->secret, &end,
                                          enrolling->problem);
    if (error == SETPAY_OK && enrolling->secret.size == 0)
        error = setpay_problem_set(enrolling->problem, SETPAY_E_USAGE,
                                   "no secret: expected it typed on a terminal, or as the first "
                                   "line of standard input");
    return error;
}

static enum setpay_error check_brand(struct enrolling *enrolling)
{
    size_t count = setpay_config_instance_count(enrolling->config, "brand *");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(setpay_config_instance(enrolling->config, "brand *", i), enrolling->brand) ==
                0 &&
            snprintf(enrolling->section, sizeof enrolling->section, "brand %s", enrolling->brand) <
                (int)sizeof enrolling->section)
            return SETPAY_OK;
    }
    return setpay_problem_set(enrolling->problem, SETPAY_E_CONFIG,
                              "the configuration has no section [brand %.40s]", enrolling->brand);
}

static bool is_wished(const struct enrolling *enrolling,
                      const struct setpay_party_certificate *certificate)
{
    return enrolling->only == NULL ||
           strcmp(enrolling->only, setpay_profile_info(certificate->profile)->name) == 0;
}

static enum setpay_error check_only(const struct enrolling *enrolling)
{
    const struct setpay_party_certificate *at = enrolling->party->certificates;
    while (at->profile != SETPAY_PROFILE_NONE && !is_wished(enrolling, at))
        at++;
    if (at->profile != SETPAY_PROFILE_NONE)
        return SETPAY_OK;
    return setpay_problem_set(enrolling->problem, SETPAY_E_USAGE,
                              "--only: '%.40s' is none of a %s's certificates; such as %s",
                              enrolling->only, enrolling->party->label,
                              setpay_profile_info(enrolling->party->certificates->profile)->name);
}

static enum setpay_error read_words(struct enrolling *enrolling, const json_t *args)
{
    const char *url = json_string_value(json_object_get(args, "url"));
    enrolling->brand = json_string_value(json_object_get(args, "brand"));
    enrolling->token = json_string_value(json_object_get(args, "id"));
    enrolling->only = json_string_value(json_object_get(args, "only"));
    enrolling->renew = json_is_true(json_object_get(args, "renew"));
    if (url == NULL || enrolling->brand == NULL || (enrolling->token != NULL) == enrolling->renew)
        return setpay_problem_set(enrolling->problem, SETPAY_E_USAGE,
                                  "expected " SETPAY_PARTY_ENROL_USAGE);
    SETPAY_TRY(setpay_est_place_parse(url, &enrolling->place, enrolling->problem));
    SETPAY_TRY(check_brand(enrolling));
    SETPAY_TRY(check_only(enrolling));
    return enrolling->renew ? SETPAY_OK : read_secret(enrolling);
}

/* What is known of authorities and lists already, so that older ones do not overwrite it. */
static enum setpay_error load_trust(struct enrolling *enrolling)
{
    const char *folder = setpay_config_text(enrolling->config, "", "crls");
    const char *path = setpay_config_text(enrolling->config, "", "key_passphrase_file");
    struct setpay_crl_load load;
    SETPAY_TRY(setpay_trust_load(setpay_config_text(enrolling->config, "", "root"),
                                 &enrolling->trust, enrolling->problem));
    if (folder != NULL && access(folder, F_OK) == 0 && /* absent: it is made */
        setpay_trust_load_folder(enrolling->trust, folder, setpay_clock_now_ms(), &load) !=
            SETPAY_OK)
        return setpay_problem_set(enrolling->problem, SETPAY_E_IO, "%s can't be read", folder);
    if (path == NULL)
        return SETPAY_OK;
    enrolling->passphrase = &enrolling->passphrase_bytes;
    return setpay_file_read_secret(path, &enrolling->passphrase_bytes, enrolling->problem);
}

static void on_lists(void *arg, const struct setpay_est_result *result)
{
    struct enrolling *enrolling = arg;
    enrolling->error = result->error;
    if (result->error != SETPAY_OK && result->words[0] != '\0')
        setpay_problem_write(enrolling->problem, "%s", result->words);
    setpay_loop_stop(enrolling->loop);
}

/* The lists come first: a renewal judges its own old certificate by them. */
static enum setpay_error fetch_lists(struct enrolling *enrolling)
{
    struct setpay_est_task *task = NULL;
    SETPAY_TRY(setpay_loop_new(64, &enrolling->loop));
    const struct setpay_est_wish wish = {.loop = enrolling->loop,
                                         .trust = enrolling->trust,
                                         .place = enrolling->place,
                                         .done_cb = on_lists,
                                         .arg = enrolling};
    enum setpay_error error = setpay_est_start(&wish, &task, enrolling->problem);
    if (error == SETPAY_OK)
        error = setpay_loop_run(enrolling->loop);
    setpay_loop_free(enrolling->loop);
    return error == SETPAY_OK ? enrolling->error : error;
}

static enum setpay_error enrol_all(struct enrolling *enrolling, size_t *lists)
{
    const char *folder = setpay_config_text(enrolling->config, "", "crls");
    SETPAY_TRY(load_trust(enrolling));
    SETPAY_TRY(fetch_lists(enrolling));
    for (enrolling->certificate = enrolling->party->certificates;
         enrolling->certificate->profile != SETPAY_PROFILE_NONE; enrolling->certificate++) {
        if (is_wished(enrolling, enrolling->certificate))
            SETPAY_TRY(enrol_one(enrolling));
    }
    return folder == NULL
               ? SETPAY_OK
               : setpay_party_write_lists(enrolling->trust, folder, lists, enrolling->problem);
}

enum setpay_error setpay_party_enrol(const struct setpay_party *party,
                                     const struct setpay_config *config, const json_t *args,
                                     json_t **result, struct setpay_problem *problem)
{
    struct enrolling enrolling = {.party = party,
                                  .config = config,
                                  .id = setpay_config_text(config, "", "id"),
                                  .problem = problem};
    size_t lists = 0;
    enum setpay_error error = read_words(&enrolling, args);
    enrolling.done = json_array();
    if (error == SETPAY_OK)
        error = enrol_all(&enrolling, &lists);
    if (error == SETPAY_OK)
        *result = json_pack("{s:s, s:s, s:O, s:I}", "brand", enrolling.brand, "id", enrolling.id,
                            "certificates", enrolling.done, "lists", (json_int_t)lists);
    json_decref(enrolling.done);
    setpay_secret_clear(&enrolling.secret);
    setpay_secret_clear(&enrolling.passphrase_bytes);
    setpay_trust_free(enrolling.trust);
    return error;
}

void setpay_party_print_enrolled(const json_t *result)
{
    const json_t *list = json_object_get(result, "certificates");
    const json_t *entry;
    size_t index;
    json_array_foreach(list, index, entry)
    {
        printf("%-20s %-8s %s\n", setpay_operator_text(entry, "profile"),
               setpay_operator_text(entry, "status"), setpay_operator_text(entry, "file"));
    }
    json_int_t lists = json_integer_value(json_object_get(result, "lists"));
    printf("%lld %s in the folder of the key crls.\n", (long long)lists,
           setpay_noun(lists, "revocation list is", "revocation lists are"));
}
