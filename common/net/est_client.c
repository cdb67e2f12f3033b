/*
 * The steps of a task, one request after the other. Its two HTTPS clients, one for the lists and
 * one for all else, are its own: so are their connections, which end with it.
 */
#include "common/net/est_client.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/crypto/base64.h"
#include "common/net/http_client.h"
#include "common/net/identity.h"
#include "common/pki/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTS_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define CERTIFICATES_MAX SETPAY_LIMIT_TRUST_CAS
#define WORDS_SIZE 200
#define PATH_SIZE 96

enum step { STEP_CACERTS, STEP_CRLS, STEP_NONCE, STEP_ENROL, STEP_DONE };

struct setpay_est_task {
    struct setpay_loop *loop;
    struct setpay_trust *trust;
    struct setpay_est_place place;
    const char *label;
    bool renews;
    struct setpay_secret authorization;
    setpay_est_build_cb *build_cb;
    setpay_est_done_cb *done_cb;
    void *arg;
    struct setpay_tls *first_tls, *tls;
    struct setpay_http_client *first, *http;
    enum step step;
    struct setpay_timer *timer; /* the end, outside the HTTP client's callback */
    enum setpay_error error;
    struct setpay_problem problem;
    struct setpay_buffer certificates[CERTIFICATES_MAX];
    size_t certificate_count;
};

static enum setpay_error ask(struct setpay_est_task *task);

/* ------------------------------------------------------------------ ends */

void setpay_est_cancel(struct setpay_est_task *task)
{
    if (task == NULL)
        return;
    setpay_timer_free(task->timer);
    setpay_http_client_free(task->first);
    setpay_http_client_free(task->http);
    setpay_tls_free(task->first_tls);
    setpay_tls_free(task->tls);
    setpay_secret_clear(&task->authorization);
    for (size_t i = 0; i < task->certificate_count; i++)
        setpay_buffer_clear(&task->certificates[i]);
    free(task);
}

static void on_end(void *arg)
{
    struct setpay_est_task *task = arg;
    struct setpay_view views[CERTIFICATES_MAX];
    for (size_t i = 0; i < task->certificate_count; i++)
        views[i] = setpay_buffer_view(&task->certificates[i]);
    const struct setpay_est_result result = {.error = task->error,
                                             .words = task->problem.text,
                                             .certificates = views,
                                             .certificate_count = task->certificate_count};
    task->done_cb(task->arg, &result);
    setpay_est_cancel(task);
}

static void end(struct setpay_est_task *task, enum setpay_error error)
{
    task->step = STEP_DONE;
    task->error = error;
    setpay_timer_start(task->timer, 0);
}

/* ------------------------------------------------------------------ answers */

static enum setpay_error say(struct setpay_est_task *task, enum setpay_error error,
                             const char *words)
{
    return setpay_problem_set(&task->problem, error, "%s, port %u: %s", task->place.host,
                              task->place.port, words);
}

/* Why there is no answer. */
static enum setpay_error no_answer(struct setpay_est_task *task,
                                   const struct setpay_http_answer *answer)
{
    enum setpay_error error = answer->error;
    if (error == SETPAY_E_TLS && answer->detail != SETPAY_OK)
        error = answer->detail; /* rule A3, or another host */
    if (error == SETPAY_E_HOST)
        return say(task, error, "the authority's certificate is for another host");
    return say(task, error, setpay_error_text(error));
}

/* What a status means. */
static enum setpay_error judge_status(struct setpay_est_task *task,
                                      const struct setpay_http_answer *answer)
{
    char words[WORDS_SIZE];
    setpay_est_read_words(answer->body, words, sizeof words);
    if (words[0] == '\0')
        (void)snprintf(words, sizeof words, "it answered with the status %d", answer->status);
    switch (answer->status) {
    case 200:
        return SETPAY_OK;
    case 401:
        return SETPAY_E_ENROLMENT; /* rule C1: there is nothing more to be said */
    case 400:
        return say(task, SETPAY_E_PEER_REFUSED, words);
    case 403:
        return say(task, SETPAY_E_PERMISSION, words);
    case 404:
        return say(task, SETPAY_E_PEER_REFUSED, "there is no certification authority");
    default:
        return say(task, answer->status >= 500 ? SETPAY_E_PEER_BUSY : SETPAY_E_PEER_REFUSED, words);
    }
}

/* CAs prove themselves under the root, in whatever order they come. */
static enum setpay_error take_authorities(struct setpay_est_task *task, struct setpay_view body)
{
    struct setpay_buffer *cas = task->certificates;
    size_t count = 0;
    enum setpay_error error = setpay_est_read_certificates(body, cas, CERTIFICATES_MAX, &count);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < count; i++) {
            if (setpay_trust_add_ca(task->trust, setpay_buffer_view(&cas[i])) == SETPAY_E_NOMEM)
                error = SETPAY_E_NOMEM;
        }
    }
    for (size_t i = 0; i < count; i++)
        setpay_buffer_clear(&cas[i]);
    return error == SETPAY_E_MALFORMED ? say(task, error, "its CA certificates can't be read")
                                       : error;
}

/* Behind a leaf that came alone. What is not known, or can't be read, is for the caller to judge.
 */
static enum setpay_error add_above(struct setpay_est_task *task)
{
    struct setpay_certificate *leaf = NULL;
    struct setpay_certificate *cas[SETPAY_CHAIN_CAS] = {NULL};
    size_t count = 0;
    enum setpay_error error = SETPAY_OK;
    if (task->certificate_count != 1 ||
        setpay_certificate_parse(setpay_buffer_view(&task->certificates[0]), &leaf) != SETPAY_OK)
        return SETPAY_OK;
    if (setpay_trust_chain(task->trust, leaf, cas, &count) != SETPAY_OK)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        struct setpay_buffer *next = &task->certificates[task->certificate_count];
        if (error == SETPAY_OK) {
            setpay_buffer_init(next, SETPAY_LIMIT_CERTIFICATE_BYTES);
            error = setpay_buffer_set(next, setpay_certificate_der(cas[i]));
            task->certificate_count++;
        }
        setpay_certificate_unref(cas[i]);
    }
    setpay_certificate_unref(leaf);
    return error;
}

static enum setpay_error take_answer(struct setpay_est_task *task, struct setpay_view body)
{
    switch (task->step) {
    case STEP_CACERTS:
        SETPAY_TRY(take_authorities(task, body));
        task->step = STEP_CRLS;
        return SETPAY_OK;
    case STEP_CRLS:
        if (setpay_trust_learn_pem(task->trust, body, setpay_clock_now_ms()) == 0)
            return say(task, SETPAY_E_CRL_INVALID,
                       "none of its revocation lists is current and of a CA under the root");
        task->step = task->label == NULL ? STEP_DONE : STEP_NONCE;
        return SETPAY_OK;
    case STEP_NONCE:
        task->step = STEP_ENROL; /* the nonce is used right away */
        return SETPAY_OK;
    case STEP_ENROL:
        task->step = STEP_DONE;
        if (setpay_est_read_certificates(body, task->certificates, CERTIFICATES_MAX,
                                         &task->certificate_count) != SETPAY_OK)
            return say(task, SETPAY_E_MALFORMED, "its answer holds no certificates");
        return add_above(task);
    case STEP_DONE:
        break;
    }
    return SETPAY_E_INTERNAL;
}

static void on_answer(void *arg, const struct setpay_http_answer *answer);

/* ------------------------------------------------------------------ requests */

static enum setpay_error ask_for(struct setpay_est_task *task, struct setpay_http_client *client,
                                 const char *operation)
{
    char path[PATH_SIZE];
    const struct setpay_http_ask request = {
        .host = task->place.host, .port = task->place.port, .path = path};
    if (operation == NULL)
        (void)snprintf(path, sizeof path, "/crls");
    else
        (void)snprintf(path, sizeof path, "/.well-known/est/%s/%s",
                       task->label == NULL ? SETPAY_EST_CARDHOLDER : task->label, operation);
    return setpay_http_client_ask(client, &request, on_answer, task, NULL);
}

static enum setpay_error send_request(struct setpay_est_task *task, struct setpay_view csrattrs)
{
    char nonce[SETPAY_EST_NONCE_SIZE];
    char path[PATH_SIZE];
    struct setpay_secret der = {0};
    struct setpay_secret coded = {0};
    if (setpay_est_read_nonce(csrattrs, nonce) != SETPAY_OK)
        return say(task, SETPAY_E_MALFORMED, "it gave no nonce for the request");
    (void)snprintf(path, sizeof path, "/.well-known/est/%s/%s", task->label,
                   task->renews ? "simplereenroll" : "simpleenroll");
    enum setpay_error error = task->build_cb(task->arg, nonce, &der);
    if (error == SETPAY_OK)
        error = setpay_base64_encode(setpay_secret_view(&der), &coded);
    if (error == SETPAY_OK) {
        const struct setpay_http_ask request = {.host = task->place.host,
                                                .port = task->place.port,
                                                .path = path,
                                                .content_type = "application/pkcs10",
                                                .body = setpay_secret_view(&coded),
                                                .authorization =
                                                    task->renews ? NULL : &task->authorization};
        setpay_testing_point("est.send");
        error = setpay_http_client_ask(task->http, &request, on_answer, task, NULL);
    }
    setpay_secret_clear(&der);
    setpay_secret_clear(&coded);
    return error;
}

static enum setpay_error ask(struct setpay_est_task *task)
{
    switch (task->step) {
    case STEP_CACERTS:
        return ask_for(task, task->first, "cacerts");
    case STEP_CRLS:
        return ask_for(task, task->first, NULL);
    case STEP_NONCE:
        return ask_for(task, task->http, "csrattrs");
    case STEP_ENROL: /* send_request, which needs the answer's bytes */
    case STEP_DONE:
        break;
    }
    return SETPAY_E_INTERNAL;
}

static void on_answer(void *arg, const struct setpay_http_answer *answer)
{
    struct setpay_est_task *task = arg;
    enum setpay_error error =
        answer->error != SETPAY_OK ? no_answer(task, answer) : judge_status(task, answer);
    if (error == SETPAY_OK)
        error = take_answer(task, answer->body);
    if (error == SETPAY_OK && task->step == STEP_ENROL)
        error = send_request(task, answer->body);
    else if (error == SETPAY_OK && task->step != STEP_DONE)
        error = ask(task);
    if (error != SETPAY_OK || task->step == STEP_DONE)
        end(task, error);
}

/* ------------------------------------------------------------------ begin */

static enum setpay_error make_client(struct setpay_est_task *task,
                                     const struct setpay_est_wish *wish, bool first,
                                     struct setpay_problem *problem)
{
    struct setpay_tls **tls = first ? &task->first_tls : &task->tls;
    const struct setpay_tls_config config = {
        .identities = first ? NULL : wish->identity,
        .identity_count = !first && wish->identity != NULL ? 1 : 0,
        .trust = wish->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_CA_TLS_SERVER),
        .unlisted = first,
    };
    SETPAY_TRY(setpay_tls_new_client(&config, tls, problem));
    const struct setpay_http_client_options options = {
        .loop = wish->loop,
        .tls = *tls,
        .connect_timeout_ms = wish->connect_timeout_ms,
        .deadline_ms = wish->deadline_ms,
        .max_answer_bytes = first ? LISTS_BYTES_MAX : 0,
        .max_connections = 2,
    };
    return setpay_http_client_new(&options, first ? &task->first : &task->http);
}

static enum setpay_error prepare(struct setpay_est_task *task, const struct setpay_est_wish *wish,
                                 struct setpay_problem *problem)
{
    task->loop = wish->loop;
    task->trust = wish->trust;
    task->place = wish->place;
    task->label = wish->label;
    task->renews = wish->identity != NULL;
    task->build_cb = wish->build_cb;
    task->done_cb = wish->done_cb;
    task->arg = wish->arg;
    if (wish->label != NULL && !task->renews)
        SETPAY_TRY(setpay_est_authorization(wish->user, wish->password, &task->authorization));
    SETPAY_TRY(setpay_timer_new(wish->loop, on_end, task, &task->timer));
    SETPAY_TRY(make_client(task, wish, true, problem));
    SETPAY_TRY(make_client(task, wish, false, problem));
    return ask(task);
}

enum setpay_error setpay_est_start(const struct setpay_est_wish *wish,
                                   struct setpay_est_task **task, struct setpay_problem *problem)
{
    struct setpay_est_task *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = prepare(made, wish, problem);
    if (error != SETPAY_OK) {
        setpay_est_cancel(made);
        return error;
    }
    *task = made;
    return SETPAY_OK;
}
