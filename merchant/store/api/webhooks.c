/*
 * The routes of webhooks. Each is a thin shell around merchant/store/webhook/webhook_action.h.
 */
#include "merchant/store/api/api_internal.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/webhook/sign.h"
#include "merchant/store/webhook/webhook_action.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_WEBHOOK "there is no such webhook"

enum what { CREATE, CHANGE, DELETE, ROTATE, TEST, REDELIVER };

/* What a request that writes carries into its operation. */
struct wish {
    enum what what;
    char webhook_id[SETPAY_WEBHOOK_ID_SIZE];
    char delivery_id[SETPAY_DELIVERY_ID_SIZE];
    json_t *body;
    struct setpay_secret secret; /* CREATE and ROTATE */
};

static void wish_free(void *data)
{
    struct wish *wish = data;
    if (wish == NULL)
        return;
    json_decref(wish->body);
    setpay_secret_clear(&wish->secret);
    free(wish);
}

/* ------------------------------------------------------------------ the operation */

static enum setpay_error do_wish(struct setpay_db *db, const struct wish *wish,
                                 setpay_time_ms now_ms, json_t **result,
                                 struct setpay_json_fault *fault)
{
    switch (wish->what) {
    case CREATE:
        return setpay_webhook_do_add(db, wish->body, &wish->secret, now_ms, result, fault);
    case CHANGE:
        return setpay_webhook_do_change(db, wish->webhook_id, wish->body, result, fault);
    case DELETE:
        return setpay_webhook_do_remove(db, wish->webhook_id, result);
    case ROTATE:
        return setpay_webhook_do_rotate(db, wish->webhook_id, &wish->secret, now_ms, result);
    case TEST:
        return setpay_webhook_do_test(db, wish->webhook_id, now_ms, result);
    case REDELIVER:
        return setpay_webhook_do_redeliver(db, wish->webhook_id, wish->delivery_id, now_ms, result);
    }
    return SETPAY_E_INTERNAL;
}

static enum setpay_error answer_refusal(struct setpay_api_answer *answer, enum setpay_error error,
                                        const struct setpay_json_fault *fault)
{
    char words[sizeof fault->field + sizeof fault->words + 2];
    switch (error) {
    case SETPAY_E_INVALID:
        (void)snprintf(words, sizeof words, "%s: %s", fault->field, fault->words);
        return setpay_api_answer_problem(answer, SETPAY_API_INVALID_FIELD, fault->field, words);
    case SETPAY_E_NOT_FOUND:
        return setpay_api_answer_problem(answer, SETPAY_API_NOT_FOUND, NULL,
                                         "there is no such webhook, or it has no such delivery");
    case SETPAY_E_STATE:
        return setpay_api_answer_problem(answer, SETPAY_API_WEBHOOK_STATE, NULL,
                                         "the webhook is not enabled; expected one that is (PATCH"
                                         " it with {\"enabled\":true})");
    case SETPAY_E_TOO_BIG:
        (void)snprintf(words, sizeof words, "there are %d webhooks; delete one first",
                       SETPAY_WEBHOOKS_MAX);
        return setpay_api_answer_problem(answer, SETPAY_API_TOO_MANY, NULL, words);
    default:
        return error;
    }
}

static enum setpay_error effect(struct setpay_db *db, struct setpay_api_call *call)
{
    static const int statuses[] = {[CREATE] = 201, [CHANGE] = 200, [DELETE] = 204,
                                   [ROTATE] = 200, [TEST] = 202,   [REDELIVER] = 202};
    const struct wish *wish = call->data;
    struct setpay_json_fault fault = {.field = ""};
    json_t *result = NULL;
    enum setpay_error error = do_wish(db, wish, call->now_ms, &result, &fault);
    if (error != SETPAY_OK)
        return answer_refusal(&call->answer, error, &fault);
    if (wish->what == CREATE)
        (void)snprintf(call->answer.location, sizeof call->answer.location,
                       SETPAY_API_PREFIX "/webhooks/%s",
                       json_string_value(json_object_get(result, "webhook_id")));
    if (wish->what != DELETE)
        return setpay_api_answer_json(&call->answer, statuses[wish->what], result);
    call->answer.status = statuses[DELETE];
    json_decref(result);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ from request to operation */

/* Copies a name of the path, "" for what can't be one. */
static void copy_name(const char *text, char *out)
{
    out[0] = '\0';
    if (strlen(text) < SETPAY_NAME_SIZE)
        memcpy(out, text, strlen(text) + 1);
}

static enum setpay_error fill(struct wish *wish, struct setpay_http_request *request,
                              struct setpay_json_fault *fault)
{
    static const char *const none[] = {NULL};
    struct setpay_webhook looked_at = {.seq = 0};
    if (wish->what != CREATE)
        copy_name(setpay_http_request_param(request, "id"), wish->webhook_id);
    if (wish->what == REDELIVER)
        copy_name(setpay_http_request_param(request, "delivery"), wish->delivery_id);
    if (wish->what == CREATE || wish->what == ROTATE)
        SETPAY_TRY(setpay_webhook_secret_make(&wish->secret));
    /* A refusal of the form leaves the key unused, so it is looked at before the operation too. */
    return wish->what == CREATE || wish->what == CHANGE
               ? setpay_webhook_request_parse(wish->body, wish->what == CREATE, &looked_at, fault)
               : setpay_json_members_check(wish->body, none, "", fault);
}

static void start(struct setpay_http_request *request, struct setpay_api *api, enum what what)
{
    struct setpay_json_fault fault = {.field = ""};
    json_t *body = NULL;
    bool keyed = what != CHANGE && what != DELETE; /* those may be repeated as they are */
    bool empty_allowed = what != CREATE && what != CHANGE;
    struct setpay_api_call *call = setpay_api_call_begin(api, request, keyed, empty_allowed, &body);
    if (call == NULL)
        return;
    struct wish *wish = calloc(1, sizeof *wish);
    if (wish == NULL) {
        json_decref(body);
        setpay_api_reply_error(request, SETPAY_E_NOMEM);
        setpay_api_call_free(call);
        return;
    }
    wish->what = what;
    wish->body = body;
    call->data = wish;
    call->free_cb = wish_free;
    call->effect = effect;
    enum setpay_error error = fill(wish, request, &fault);
    if (error == SETPAY_OK) {
        setpay_api_call_submit(call);
        return;
    }
    if (error == SETPAY_E_INVALID)
        setpay_api_reply_fault(request, &fault);
    else
        setpay_api_reply_error(request, error);
    setpay_api_call_free(call);
}

void setpay_api_on_webhook_create(struct setpay_http_request *request, void *arg)
{
    start(request, arg, CREATE);
}

void setpay_api_on_webhook_change(struct setpay_http_request *request, void *arg)
{
    start(request, arg, CHANGE);
}

void setpay_api_on_webhook_delete(struct setpay_http_request *request, void *arg)
{
    start(request, arg, DELETE);
}

void setpay_api_on_webhook_rotate(struct setpay_http_request *request, void *arg)
{
    start(request, arg, ROTATE);
}

void setpay_api_on_webhook_test(struct setpay_http_request *request, void *arg)
{
    start(request, arg, TEST);
}

void setpay_api_on_delivery_again(struct setpay_http_request *request, void *arg)
{
    start(request, arg, REDELIVER);
}

/* ------------------------------------------------------------------ reading */

struct look {
    const char *webhook_id; /* NULL: all */
    const char *cursor;
    size_t limit; /* 0: the webhook itself */
    json_t *result;
};

static enum setpay_error read_look(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    if (look->webhook_id == NULL)
        return setpay_webhook_do_list(db, &look->result);
    if (look->limit == 0)
        return setpay_webhook_do_show(db, look->webhook_id, &look->result);
    return setpay_webhook_do_deliveries(db, look->webhook_id, look->cursor, look->limit,
                                        &look->result);
}

static void reply_look(struct setpay_http_request *request, struct setpay_api *api,
                       struct look *look)
{
    enum setpay_error error = setpay_store_read(api->reader, read_look, look);
    if (error == SETPAY_E_INVALID)
        setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, "cursor",
                                 "cursor: expected the next_cursor of an answer, unchanged");
    else
        setpay_api_reply_read(request, error, look->result, NO_WEBHOOK);
}

void setpay_api_on_webhook_list(struct setpay_http_request *request, void *arg)
{
    struct setpay_digest token;
    struct look look = {.webhook_id = NULL};
    if (setpay_api_authorise(arg, request, &token) == SETPAY_OK)
        reply_look(request, arg, &look);
}

void setpay_api_on_webhook_show(struct setpay_http_request *request, void *arg)
{
    struct setpay_digest token;
    struct look look = {.webhook_id = setpay_http_request_param(request, "id")};
    if (setpay_api_authorise(arg, request, &token) == SETPAY_OK)
        reply_look(request, arg, &look);
}

void setpay_api_on_delivery_list(struct setpay_http_request *request, void *arg)
{
    struct setpay_digest token;
    struct look look = {.webhook_id = setpay_http_request_param(request, "id"),
                        .limit = SETPAY_DELIVERY_LIST_DEFAULT};
    if (setpay_api_authorise(arg, request, &token) == SETPAY_OK &&
        setpay_api_read_list_query(request, SETPAY_DELIVERY_LIST_MAX, &look.limit, &look.cursor,
                                   NULL, NULL))
        reply_look(request, arg, &look);
}
