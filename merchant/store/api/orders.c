/*
 * The requests about orders: make, list, show, void, cancel.
 *
 * Refusals that depend on the state (no such order, a status that forbids it) are decided inside
 * the operation and kept like any other answer. Refusals of the form of a request are not: they
 * come out the same each time, and a corrected request may use the same key. Nor is what the
 * catalogue refuses: nothing was made, and there may be more of it later.
 */
#include "merchant/store/api/api_internal.h"

#include "merchant/store/order_json.h"
#include "merchant/store/order_list.h"
#include "merchant/store/order_request.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/order_terms.h"
#include "merchant/store/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BODY_MAX (64 * 1024 * 1024) /* 100 orders of 200 items */

enum setpay_error setpay_api_answer_order(struct setpay_api_answer *answer, int status,
                                          const struct setpay_order_view *view,
                                          const struct setpay_order_links *links)
{
    json_t *json = setpay_order_view_json(view, links, true);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    enum setpay_error error =
        text == NULL ? SETPAY_E_NOMEM : setpay_buffer_set(&answer->body, setpay_view_string(text));
    if (error == SETPAY_OK)
        answer->status = status;
    free(text);
    json_decref(json);
    return error;
}

/* ------------------------------------------------------------------ POST /orders */

/* Ends a request for an order that was not made. */
static void refuse_order(struct setpay_api_call *call, enum setpay_error error)
{
    const struct setpay_json_fault *fault = &call->fault;
    char words[sizeof fault->field + sizeof fault->words + 2];
    struct setpay_api_answer answer;
    if (fault->words[0] == '\0') {
        setpay_api_reply_error(call->request, error);
        return;
    }
    (void)snprintf(words, sizeof words, "%s: %s", fault->field, fault->words);
    setpay_api_answer_init(&answer);
    if (error == SETPAY_E_STATE)
        error =
            setpay_api_answer_problem_with(&answer, SETPAY_API_OUT_OF_STOCK, fault->field, words,
                                           json_pack("{s:s, s:I}", "sku", call->shortage.sku,
                                                     "available", (json_int_t)call->shortage.left));
    else
        error = setpay_api_answer_problem(&answer,
                                          error == SETPAY_E_NOT_FOUND ? SETPAY_API_UNKNOWN_SKU
                                                                      : SETPAY_API_INVALID_FIELD,
                                          fault->field, words);
    if (error == SETPAY_OK)
        setpay_api_reply(call->request, &answer, false);
    else
        setpay_api_reply_error(call->request, error);
    setpay_api_answer_clear(&answer);
}

static enum setpay_error create(struct setpay_db *db, struct setpay_api_call *call)
{
    SETPAY_TRY(setpay_quote_make(db, &call->api->options.shop, &call->order, call->now_ms,
                                 &call->fault, &call->shortage));
    SETPAY_TRY(setpay_order_terms_complete(&call->order, &call->fault));
    struct setpay_order_view view = {.order = call->order, .status = SETPAY_ORDER_STATUS_OPEN};
    SETPAY_TRY(setpay_order_insert(db, &call->order));
    SETPAY_TRY(setpay_order_tell(db, call->api->options.port, call->order.order_id, call->now_ms));
    (void)snprintf(call->answer.location, sizeof call->answer.location,
                   SETPAY_API_PREFIX "/orders/%s", call->order.order_id);
    SETPAY_TRY(setpay_parts_find(db, &view, &view.parts));
    enum setpay_error error =
        setpay_api_answer_order(&call->answer, 201, &view, &call->api->options.links);
    setpay_parts_free(view.parts);
    return error;
}

void setpay_api_on_order_create(struct setpay_http_request *request, void *arg)
{
    json_t *body = NULL;
    struct setpay_api_call *call = setpay_api_call_new(arg, request, false, &body);
    if (call == NULL)
        return;
    call->effect = create;
    call->refuse = refuse_order;
    enum setpay_error error =
        setpay_order_request_parse(body, call->now_ms, &call->order, &call->fault);
    json_decref(body);
    if (error == SETPAY_OK)
        error = setpay_order_name(&call->order);
    if (error == SETPAY_OK) {
        setpay_api_call_submit(call);
        return;
    }
    refuse_order(call, error);
    setpay_api_call_free(call);
}

/* ------------------------------------------------------------------ POST …/void and …/cancel */

enum setpay_error setpay_api_call_keep(struct setpay_db *db, struct setpay_api_call *call)
{
    SETPAY_TRY(setpay_idempotency_keep(db, &call->idempotency, &call->api->owner,
                                       setpay_clock_now_ms(), &call->answer));
    call->waiting = false;
    return SETPAY_OK;
}

static enum setpay_error finish(struct setpay_db *db, struct setpay_api_call *call)
{
    struct setpay_order_view view = {.payments = NULL};
    const struct setpay_api_options *options = &call->api->options;
    SETPAY_TRY(
        setpay_order_view_find(db, options->port, call->order_id, setpay_clock_now_ms(), &view));
    bool under_way = setpay_order_is_under_way(&view, &call->xid, 0);
    enum setpay_error error = SETPAY_OK;
    if (!under_way || call->is_last) {
        error =
            setpay_api_answer_order(&call->answer, under_way ? 202 : 200, &view, &options->links);
        if (error == SETPAY_OK)
            error = setpay_api_call_keep(db, call);
    }
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error act(struct setpay_db *db, struct setpay_api_call *call)
{
    struct setpay_order_result result = {.under_way = false};
    const struct setpay_api_options *options = &call->api->options;
    char words[256];
    enum setpay_error error = setpay_order_act(db, options->port, call->action, call->order_id,
                                               true, call->now_ms, &result);
    if (error == SETPAY_E_NOT_FOUND) {
        (void)snprintf(words, sizeof words, "there is no order %s", call->order_id);
        error = setpay_api_answer_problem(&call->answer, SETPAY_API_NO_ORDER, NULL, words);
    } else if (error == SETPAY_E_STATE) {
        setpay_order_act_explain(call->action, &result.view, words, sizeof words);
        error = setpay_api_answer_problem(&call->answer, SETPAY_API_ORDER_STATE, NULL, words);
    } else if (error == SETPAY_OK && result.under_way && call->action == SETPAY_ORDER_VOID) {
        call->waiting = true;
        call->finish = finish;
        call->xid = result.view.order.xid;
    } else if (error == SETPAY_OK) {
        error = setpay_api_answer_order(&call->answer, result.under_way ? 202 : 200, &result.view,
                                        &options->links);
    }
    setpay_order_view_clear(&result.view);
    return error;
}

bool setpay_api_is_order_id(const char *text)
{
    return strlen(text) < SETPAY_ORDER_ID_SIZE;
}

void setpay_api_refuse_field(struct setpay_api_call *call, const struct setpay_json_fault *fault)
{
    char words[sizeof fault->field + sizeof fault->words + 2];
    (void)snprintf(words, sizeof words, "%s: %s", fault->field, fault->words);
    setpay_api_reply_problem(call->request, SETPAY_API_INVALID_FIELD, fault->field, words);
    setpay_api_call_free(call);
}

static void begin_action(struct setpay_http_request *request, struct setpay_api_call *call,
                         enum setpay_order_action action, json_t *body)
{
    static const char *const none[] = {NULL};
    struct setpay_json_fault fault = {.field = ""};
    const char *order_id = setpay_http_request_param(request, "id");
    enum setpay_error error = setpay_json_members_check(body, none, "", &fault);
    json_decref(body);
    if (error != SETPAY_OK) {
        setpay_api_refuse_field(call, &fault);
    } else if (!setpay_api_is_order_id(order_id)) {
        setpay_api_reply_problem(request, SETPAY_API_NO_ORDER, NULL, "there is no such order");
        setpay_api_call_free(call);
    } else {
        call->effect = act;
        call->action = action;
        memcpy(call->order_id, order_id, strlen(order_id) + 1);
        setpay_api_call_submit(call);
    }
}

static void on_action(struct setpay_http_request *request, struct setpay_api *api,
                      enum setpay_order_action action)
{
    json_t *body = NULL;
    struct setpay_api_call *call = setpay_api_call_new(api, request, true, &body);
    if (call != NULL)
        begin_action(request, call, action, body);
}

/* Of a part it is a step of the order's money, like a capture. */
void setpay_api_on_order_void(struct setpay_http_request *request, void *arg)
{
    json_t *body = NULL;
    struct setpay_api_call *call = setpay_api_call_new(arg, request, true, &body);
    if (call == NULL)
        return;
    if (json_object_get(body, "amount") != NULL)
        setpay_api_begin_step(request, call, SETPAY_ORDER_GIVE_UP, body);
    else
        begin_action(request, call, SETPAY_ORDER_VOID, body);
}

void setpay_api_on_order_end(struct setpay_http_request *request, void *arg)
{
    on_action(request, arg, SETPAY_ORDER_END_AGREEMENT);
}

void setpay_api_on_order_cancel(struct setpay_http_request *request, void *arg)
{
    on_action(request, arg, SETPAY_ORDER_CANCEL);
}

/* ------------------------------------------------------------------ GET /orders/{id} */

struct show {
    const struct setpay_api *api;
    const char *order_id;
    struct setpay_order_view view;
};

static enum setpay_error read_show(struct setpay_db *db, void *arg)
{
    struct show *show = arg;
    return setpay_order_view_find(db, show->api->options.port, show->order_id,
                                  setpay_clock_now_ms(), &show->view);
}

void setpay_api_on_order_show(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    struct setpay_api_answer answer;
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return;
    struct show show = {.api = api, .order_id = setpay_http_request_param(request, "id")};
    enum setpay_error error = setpay_api_is_order_id(show.order_id)
                                  ? setpay_store_read(api->reader, read_show, &show)
                                  : SETPAY_E_NOT_FOUND;
    setpay_api_answer_init(&answer);
    if (error == SETPAY_OK)
        error = setpay_api_answer_order(&answer, 200, &show.view, &api->options.links);
    if (error == SETPAY_OK)
        setpay_api_reply(request, &answer, false);
    else if (error == SETPAY_E_NOT_FOUND)
        setpay_api_reply_problem(request, SETPAY_API_NO_ORDER, NULL, "there is no such order");
    else
        setpay_api_reply_error(request, error);
    setpay_api_answer_clear(&answer);
    setpay_order_view_clear(&show.view);
}

/* ------------------------------------------------------------------ GET /orders */

struct list {
    struct setpay_order_list wanted;
    json_t *page;
};

static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct list *list = arg;
    return setpay_order_list_read(db, &list->wanted, &list->page);
}

/* What the query says; otherwise false, with words. */
static bool read_query(struct setpay_http_request *request, struct setpay_order_list *list,
                       const char **field, char *words, size_t size)
{
    for (size_t i = 0; i < setpay_http_request_query_count(request); i++) {
        const char *name = setpay_http_request_query_name(request, i);
        const char *value = setpay_http_request_query(request, name);
        *field = name;
        if (strcmp(name, "limit") == 0) {
            char *end = NULL;
            long limit = strtol(value, &end, 10);
            if (value[0] < '0' || value[0] > '9' || *end != '\0' || limit < 1 ||
                limit > SETPAY_ORDER_LIST_MAX) {
                (void)snprintf(words, size,
                               "limit: found %.24s; expected a whole number from 1 to %d", value,
                               SETPAY_ORDER_LIST_MAX);
                return false;
            }
            list->limit = (size_t)limit;
        } else if (strcmp(name, "cursor") == 0) {
            if (setpay_order_cursor_parse(value, &list->before_seq) != SETPAY_OK) {
                (void)snprintf(words, size,
                               "cursor: expected the next_cursor of an answer, unchanged");
                return false;
            }
        } else if (strcmp(name, "status") == 0) {
            list->has_status = true;
            if (setpay_order_status_parse(value, &list->status) != SETPAY_OK) {
                (void)snprintf(words, size,
                               "status: found %.24s; expected open, paying, authorised,"
                               " partially_captured, captured, partially_refunded, refunded,"
                               " declined, voided, cancelled or expired",
                               value);
                return false;
            }
        } else {
            (void)snprintf(words, size,
                           "%.32s: unknown parameter; expected only limit, cursor, status", name);
            return false;
        }
    }
    return true;
}

static enum setpay_error answer_list(const json_t *page, struct setpay_api_answer *answer)
{
    char *text = json_dumps(page, JSON_COMPACT);
    setpay_buffer_init(&answer->body, LIST_BODY_MAX);
    enum setpay_error error =
        text == NULL ? SETPAY_E_NOMEM : setpay_buffer_set(&answer->body, setpay_view_string(text));
    answer->status = 200;
    free(text);
    return error;
}

void setpay_api_on_order_list(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    struct setpay_api_answer answer;
    const char *field = NULL;
    char words[256];
    struct list list = {.wanted = {.port = api->options.port,
                                   .links = &api->options.links,
                                   .now_ms = setpay_clock_now_ms(),
                                   .before_seq = INT64_MAX,
                                   .limit = SETPAY_ORDER_LIST_DEFAULT}};
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return;
    if (!read_query(request, &list.wanted, &field, words, sizeof words)) {
        setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, field, words);
        return;
    }
    setpay_api_answer_init(&answer);
    enum setpay_error error = setpay_store_read(api->reader, read_list, &list);
    if (error == SETPAY_OK)
        error = answer_list(list.page, &answer);
    if (error == SETPAY_OK)
        setpay_api_reply(request, &answer, false);
    else
        setpay_api_reply_error(request, error);
    json_decref(list.page);
    setpay_api_answer_clear(&answer);
}
