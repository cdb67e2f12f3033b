/*
 * Answers of the merchant API, and what the queries of its lists have in common.
 */
#include "merchant/store/api/api_internal.h"

#include "common/base/log.h"
#include "common/base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BODY_MAX (32 * 1024 * 1024) /* a page of 100 events with their orders */

void setpay_api_reply(struct setpay_http_request *request, struct setpay_api_answer *answer,
                      bool replayed)
{
    struct setpay_http_header headers[7] = {{"Cache-Control", "no-store"}};
    char etag[32];
    size_t count = 1;
    if (answer->version != 0) {
        (void)snprintf(etag, sizeof etag, "\"%lld\"", (long long)answer->version);
        headers[count++] = (struct setpay_http_header){"ETag", etag};
    }
    if (answer->location[0] != '\0')
        headers[count++] = (struct setpay_http_header){"Location", answer->location};
    if (replayed)
        headers[count++] = (struct setpay_http_header){"Idempotent-Replayed", "true"};
    if (answer->status == 401)
        headers[count++] =
            (struct setpay_http_header){"WWW-Authenticate", "Bearer realm=\"setpay\""};
    if (answer->status == 503 || answer->status == 202)
        headers[count++] = (struct setpay_http_header){"Retry-After", "1"};
    setpay_http_reply(request, answer->status,
                      answer->status == 204  ? NULL
                      : answer->status < 400 ? "application/json"
                                             : "application/problem+json",
                      headers, setpay_buffer_view(&answer->body));
    setpay_api_answer_clear(answer);
}

void setpay_api_reply_problem(struct setpay_http_request *request, enum setpay_api_problem problem,
                              const char *field, const char *detail)
{
    struct setpay_api_answer answer;
    const struct setpay_api_problem_info *info = setpay_api_problem_info(problem);
    setpay_api_answer_init(&answer);
    if (problem == SETPAY_API_UNDER_WAY) {
        static const struct setpay_http_header headers[] = {
            {"Cache-Control", "no-store"}, {"Retry-After", "1"}, {NULL, NULL}};
        if (setpay_api_answer_problem(&answer, problem, field, detail) == SETPAY_OK)
            setpay_http_reply(request, info->status, "application/problem+json", headers,
                              setpay_buffer_view(&answer.body));
        else
            setpay_http_reply_problem(request, info->status, info->type, info->title, NULL);
        setpay_api_answer_clear(&answer);
    } else if (setpay_api_answer_problem(&answer, problem, field, detail) == SETPAY_OK) {
        setpay_api_reply(request, &answer, false);
    } else {
        setpay_http_reply_problem(request, info->status, info->type, info->title, NULL);
    }
}

void setpay_api_reply_error(struct setpay_http_request *request, enum setpay_error error)
{
    enum setpay_error_kind kind = setpay_error_kind(error);
    setpay_log_error(error, "api.failed",
                     setpay_field_text("path", setpay_http_request_path(request)));
    setpay_api_reply_problem(request,
                             kind == SETPAY_KIND_BUSY || kind == SETPAY_KIND_AGAIN
                                 ? SETPAY_API_BUSY
                                 : SETPAY_API_INTERNAL,
                             NULL, setpay_error_text(error));
}

enum setpay_error setpay_api_answer_json(struct setpay_api_answer *answer, int status, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    enum setpay_error error =
        text == NULL ? SETPAY_E_NOMEM : setpay_buffer_set(&answer->body, setpay_view_string(text));
    if (error == SETPAY_OK)
        answer->status = status;
    if (text != NULL)
        setpay_cleanse(text, strlen(text)); /* it may hold a secret that is shown once */
    free(text);
    json_decref(json);
    return error;
}

void setpay_api_reply_read(struct setpay_http_request *request, enum setpay_error error,
                           json_t *json, const char *what)
{
    struct setpay_api_answer answer;
    setpay_api_answer_init(&answer);
    answer.body.max = READ_BODY_MAX;
    if (error == SETPAY_OK)
        error = setpay_api_answer_json(&answer, 200, json);
    if (error == SETPAY_OK)
        setpay_api_reply(request, &answer, false);
    else if (error == SETPAY_E_NOT_FOUND)
        setpay_api_reply_problem(request, SETPAY_API_NOT_FOUND, NULL, what);
    else
        setpay_api_reply_error(request, error);
    setpay_api_answer_clear(&answer);
}

void setpay_api_reply_fault(struct setpay_http_request *request,
                            const struct setpay_json_fault *fault)
{
    char words[sizeof fault->field + sizeof fault->words + 2];
    (void)snprintf(words, sizeof words, "%s: %s", fault->field, fault->words);
    setpay_api_reply_problem(request, SETPAY_API_INVALID_FIELD, fault->field, words);
}

static bool read_limit(const char *value, size_t max, size_t *limit)
{
    char *end = NULL;
    unsigned long read = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || read < 1 || read > max)
        return false;
    *limit = read;
    return true;
}

bool setpay_api_read_list_query(struct setpay_http_request *request, size_t max, size_t *limit,
                                const char **cursor, const char *other, const char **value)
{
    char words[160];
    for (size_t i = 0; i < setpay_http_request_query_count(request); i++) {
        const char *name = setpay_http_request_query_name(request, i);
        const char *found = setpay_http_request_query(request, name);
        if (strcmp(name, "cursor") == 0) {
            *cursor = found;
        } else if (other != NULL && strcmp(name, other) == 0) {
            *value = found;
        } else if (strcmp(name, "limit") != 0) {
            (void)snprintf(words, sizeof words,
                           "%.32s: unknown parameter; expected only limit, cursor%s%s", name,
                           other != NULL ? ", " : "", other != NULL ? other : "");
            setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, name, words);
            return false;
        } else if (!read_limit(found, max, limit)) {
            (void)snprintf(words, sizeof words,
                           "limit: found %.24s; expected a whole number from 1 to %zu", found, max);
            setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, name, words);
            return false;
        }
    }
    return true;
}
