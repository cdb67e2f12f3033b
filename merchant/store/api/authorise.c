/*
 * Who asks, by the bearer token, and whether its scopes cover what is asked for. The table of
 * scopes decides by method and path (scope.h), so that no route can be forgotten: what no scope
 * covers needs a token that has all.
 */
#include "merchant/store/api/api_internal.h"

#include "common/base/log.h"
#include "merchant/store/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct authorisation {
    struct setpay_view text;
    setpay_time_ms now_ms;
    struct setpay_token token;
};

static enum setpay_error read_token(struct setpay_db *db, void *arg)
{
    struct authorisation *authorisation = arg;
    return setpay_token_check(db, authorisation->text, authorisation->now_ms,
                              &authorisation->token);
}

/* That a token was used, on its way to the database. */
struct touch {
    struct setpay_digest hash;
    setpay_time_ms now_ms;
};

static enum setpay_error touch_token(struct setpay_db *db, void *arg)
{
    const struct touch *touch = arg;
    return setpay_token_touch(db, &touch->hash, touch->now_ms);
}

static void on_touched(void *arg, enum setpay_error error)
{
    (void)error; /* the next request tries again */
    free(arg);
}

static void note_use(struct setpay_api *api, const struct authorisation *authorisation)
{
    if (authorisation->now_ms - authorisation->token.last_used_ms < SETPAY_TOKEN_USED_STEP_MS)
        return;
    struct touch *touch = calloc(1, sizeof *touch);
    if (touch == NULL)
        return;
    touch->hash = authorisation->token.hash;
    touch->now_ms = authorisation->now_ms;
    if (setpay_store_submit(api->options.store, touch_token, on_touched, touch, &api->executor) !=
        SETPAY_OK)
        free(touch);
}

/* False, and the request has been answered, where the token's scopes do not cover it. */
static bool check_scope(struct setpay_http_request *request, const struct setpay_token *token)
{
    const char *path = setpay_http_request_path(request) + strlen(SETPAY_API_PREFIX);
    enum setpay_scope scope = SETPAY_SCOPES;
    enum setpay_error error =
        setpay_scope_of_request(setpay_http_request_method(request), path, &scope);
    if (token->scopes == SETPAY_SCOPES_ALL ||
        (error == SETPAY_OK && setpay_scopes_have(token->scopes, scope)))
        return true;
    char has[SETPAY_SCOPES_TEXT_SIZE];
    char words[SETPAY_SCOPES_TEXT_SIZE + 128];
    char challenge[96];
    const char *needed = error == SETPAY_OK ? setpay_scope_name(scope) : "all";
    struct setpay_api_answer answer;
    const struct setpay_http_header headers[] = {
        {"Cache-Control", "no-store"}, {"WWW-Authenticate", challenge}, {NULL, NULL}};
    (void)snprintf(words, sizeof words, "the scope %s is needed; the token's: %s", needed,
                   setpay_scopes_format(token->scopes, has));
    /* RFC 6750, section 3.1 */
    (void)snprintf(challenge, sizeof challenge, "Bearer error=\"insufficient_scope\", scope=\"%s\"",
                   needed);
    setpay_log(SETPAY_LOG_WARN, "api.scope", setpay_field_text("token_name", token->name),
               setpay_field_text("scope", needed),
               setpay_field_text("path", setpay_http_request_path(request)));
    setpay_api_answer_init(&answer);
    if (setpay_api_answer_problem(&answer, SETPAY_API_SCOPE, "Authorization", words) == SETPAY_OK)
        setpay_http_reply(request, answer.status, "application/problem+json", headers,
                          setpay_buffer_view(&answer.body));
    else
        setpay_api_reply_error(request, SETPAY_E_NOMEM);
    setpay_api_answer_clear(&answer);
    return false;
}

/* The token behind "Bearer"; empty where there is none. */
static struct setpay_view bearer_of(const struct setpay_http_request *request)
{
    const char *header = setpay_http_request_header(request, "Authorization");
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
        return SETPAY_VIEW_EMPTY;
    header += 7;
    return setpay_view_string(header + strspn(header, " "));
}

static void refuse_token(struct setpay_http_request *request, enum setpay_error error)
{
    if (error != SETPAY_E_NOT_FOUND && error != SETPAY_E_EXPIRED) {
        setpay_api_reply_error(request, error);
        return;
    }
    setpay_log(SETPAY_LOG_WARN, "api.unauthorised",
               setpay_field_text("remote", setpay_http_request_remote(request)),
               setpay_field_text("path", setpay_http_request_path(request)));
    setpay_api_reply_problem(request, SETPAY_API_UNAUTHORISED, "Authorization",
                             error == SETPAY_E_EXPIRED
                                 ? "Authorization: the token has expired; expected one that is"
                                   " still good (`setpay-merchant token add`)"
                                 : "Authorization: the token is not known here; it may have been"
                                   " removed (`setpay-merchant token list`)");
}

enum setpay_error setpay_api_authorise(struct setpay_api *api, struct setpay_http_request *request,
                                       struct setpay_digest *token)
{
    struct authorisation authorisation = {.text = bearer_of(request),
                                          .now_ms = setpay_clock_now_ms()};
    if (authorisation.text.size == 0) {
        setpay_api_reply_problem(request, SETPAY_API_UNAUTHORISED, "Authorization",
                                 "Authorization: found no bearer token; expected Bearer and a token"
                                 " that `setpay-merchant token add` has shown");
        return SETPAY_E_PERMISSION;
    }
    enum setpay_error error = setpay_store_read(api->reader, read_token, &authorisation);
    if (error != SETPAY_OK) {
        refuse_token(request, error);
        return SETPAY_E_PERMISSION;
    }
    note_use(api, &authorisation);
    if (!check_scope(request, &authorisation.token))
        return SETPAY_E_PERMISSION;
    *token = authorisation.token.hash;
    return SETPAY_OK;
}
