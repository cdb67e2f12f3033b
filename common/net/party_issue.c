/*
 * The key is on disk before the request leaves; the certificate is verified before it takes the
 * other's place.
 */
#include "common/net/party_issue.h"

#include "common/base/testing.h"
#include "common/crypto/keyfile.h"
#include "common/net/est_client.h"
#include "common/pki/csr.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setpay_issue {
    struct setpay_trust *trust;
    const struct setpay_party_certificate *certificate;
    struct setpay_party_files files;
    char id[SETPAY_PARTY_ID_MAX + 1];
    char brand[SETPAY_BRAND_MAX + 1];
    bool renews;
    EVP_PKEY *key;
    int lock;
    struct setpay_est_task *task;
    setpay_issue_done_cb *done_cb;
    void *arg;
    struct setpay_problem problem;
};

static void issue_free(struct setpay_issue *issue)
{
    EVP_PKEY_free(issue->key);
    setpay_party_files_unlock(issue->lock);
    free(issue);
}

void setpay_issue_cancel(struct setpay_issue *issue)
{
    if (issue == NULL)
        return;
    setpay_est_cancel(issue->task);
    issue_free(issue);
}

static enum setpay_error build(void *arg, const char *nonce, struct setpay_secret *der)
{
    const struct setpay_issue *issue = arg;
    const struct setpay_profile_info *profile = setpay_profile_info(issue->certificate->profile);
    const struct setpay_csr_wish wish = {.brand = issue->brand,
                                         .role = profile->role,
                                         .id = issue->id,
                                         .challenge = nonce,
                                         .eku = profile->ekus[0]};
    return setpay_csr_build(issue->key, &wish, der);
}

/* Rule A3, and that it is what was asked for: this key's, this party's. */
static enum setpay_error check(struct setpay_issue *issue, const struct setpay_est_result *result,
                               setpay_time_ms *expires_ms)
{
    struct setpay_certificate *leaf = NULL;
    struct setpay_digest asked, got;
    SETPAY_TRY(setpay_trust_verify(issue->trust, result->certificates[0], result->certificates + 1,
                                   result->certificate_count - 1, issue->certificate->profile,
                                   issue->brand, setpay_clock_now_ms(), &leaf));
    enum setpay_error error = setpay_key_digest(issue->key, &asked);
    if (error == SETPAY_OK)
        error = setpay_key_digest(setpay_public_key_pkey(setpay_certificate_key(leaf)), &got);
    if (error == SETPAY_OK &&
        (!setpay_digest_equal(&asked, &got) || strcmp(setpay_certificate_id(leaf), issue->id) != 0))
        error = setpay_problem_set(&issue->problem, SETPAY_E_CERT_NAME,
                                   "the authority's certificate is for another key or party");
    *expires_ms = setpay_certificate_not_after_ms(leaf);
    setpay_certificate_unref(leaf);
    return error;
}

static enum setpay_error take(struct setpay_issue *issue, const struct setpay_est_result *result,
                              setpay_time_ms *expires_ms)
{
    if (result->error == SETPAY_E_ENROLMENT)
        return setpay_problem_set(&issue->problem, result->error,
                                  "the authority refuses it: id or secret is wrong or spent, or "
                                  "for another brand or party than the configuration's; it does "
                                  "not say which. Five wrong tries spend a token");
    if (result->error != SETPAY_OK) {
        setpay_problem_write(&issue->problem, "%s", result->words);
        return result->error;
    }
    setpay_testing_point("renewal.issued");
    SETPAY_TRY(check(issue, result, expires_ms));
    return setpay_party_files_put(&issue->files, issue->renews, result->certificates,
                                  result->certificate_count, &issue->problem);
}

static void on_result(void *arg, const struct setpay_est_result *result)
{
    struct setpay_issue *issue = arg;
    struct setpay_issue_result end = {.words = issue->problem.text};
    issue->task = NULL; /* it goes by itself */
    end.error = take(issue, result, &end.expires_ms);
    setpay_party_files_unlock(issue->lock);
    issue->lock = -1;
    issue->done_cb(issue->arg, &end);
    issue_free(issue);
}

static enum setpay_error start(struct setpay_issue *issue, const struct setpay_issue_wish *wish,
                               struct setpay_problem *problem)
{
    bool present = false;
    if (snprintf(issue->id, sizeof issue->id, "%s", wish->id) >= (int)sizeof issue->id ||
        snprintf(issue->brand, sizeof issue->brand, "%s", wish->brand) >= (int)sizeof issue->brand)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "id or brand is too long");
    SETPAY_TRY(setpay_party_files_lock(&issue->files, &issue->lock, problem));
    SETPAY_TRY(setpay_party_files_settle(&issue->files, &present, problem));
    SETPAY_TRY(setpay_party_files_key(&issue->files, issue->renews, wish->passphrase, &issue->key,
                                      problem));
    const struct setpay_est_wish est = {.loop = wish->loop,
                                        .trust = wish->trust,
                                        .place = wish->place,
                                        .label = wish->label,
                                        .user = wish->token,
                                        .password = wish->secret,
                                        .identity = wish->renewer,
                                        .build_cb = build,
                                        .done_cb = on_result,
                                        .arg = issue};
    return setpay_est_start(&est, &issue->task, problem);
}

enum setpay_error setpay_issue_start(const struct setpay_issue_wish *wish,
                                     struct setpay_issue **issue, struct setpay_problem *problem)
{
    struct setpay_issue *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->trust = wish->trust;
    made->certificate = wish->certificate;
    made->files = wish->files;
    made->renews = wish->renewer != NULL;
    made->lock = -1;
    made->done_cb = wish->done_cb;
    made->arg = wish->arg;
    enum setpay_error error = start(made, wish, problem);
    if (error != SETPAY_OK) {
        issue_free(made);
        return error;
    }
    *issue = made;
    return SETPAY_OK;
}
