/*
 * The requests about batches: close, list.
 *
 * A close wishes for the end of every batch that is open, waits for the gateway's word up to a
 * limit, and answers with how each stands then: also one whose totals differ is an answer, which
 * names the items.
 */
#include "merchant/store/api/api_internal.h"

#include "merchant/store/batch_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BODY_MAX (16 * 1024 * 1024) /* 100 batches of 100 differences */

static enum setpay_error answer_json(struct setpay_api_answer *answer, int status, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    enum setpay_error error =
        text == NULL ? SETPAY_E_NOMEM : setpay_buffer_set(&answer->body, setpay_view_string(text));
    if (error == SETPAY_OK)
        answer->status = status;
    free(text);
    return error;
}

/* ------------------------------------------------------------------ POST /batches/close */

static enum setpay_error finish(struct setpay_db *db, struct setpay_api_call *call)
{
    json_t *json = NULL;
    bool under_way = false;
    enum setpay_error error = setpay_batch_named_read(db, call->api->options.port, call->names,
                                                      call->name_count, &json, &under_way);
    if (error == SETPAY_OK && (!under_way || call->is_last)) {
        error = answer_json(&call->answer, under_way ? 202 : 200, json);
        if (error == SETPAY_OK)
            error = setpay_api_call_keep(db, call);
    }
    json_decref(json);
    return error;
}

static enum setpay_error resume(struct setpay_api_call *call, struct setpay_view asked)
{
    size_t size = sizeof call->names[0].bytes;
    if (asked.size == 0 || asked.size % size != 0 || asked.size > sizeof call->asked)
        return SETPAY_E_STORE;
    call->name_count = asked.size / size;
    for (size_t i = 0; i < call->name_count; i++)
        memcpy(call->names[i].bytes, asked.data + i * size, size);
    return SETPAY_OK;
}

/* Nothing is open: there is nothing to wait for. */
static enum setpay_error answer_none(struct setpay_api_call *call)
{
    json_t *json = json_pack("{s:[]}", "batches");
    enum setpay_error error = json == NULL ? SETPAY_E_NOMEM : answer_json(&call->answer, 200, json);
    json_decref(json);
    return error;
}

static enum setpay_error close_batches(struct setpay_db *db, struct setpay_api_call *call)
{
    const char *brand = call->brand[0] != '\0' ? call->brand : NULL;
    SETPAY_TRY(call->api->options.port->close_batches(
        db, brand, call->names, SETPAY_API_BATCHES_AT_ONCE, &call->name_count));
    if (call->name_count == 0)
        return answer_none(call);
    for (size_t i = 0; i < call->name_count; i++)
        memcpy(call->asked + i * sizeof call->names[i].bytes, call->names[i].bytes,
               sizeof call->names[i].bytes);
    call->asked_size = call->name_count * sizeof call->names[0].bytes;
    call->waiting = true;
    return SETPAY_OK;
}

void setpay_api_on_batch_close(struct setpay_http_request *request, void *arg)
{
    struct setpay_json_fault fault = {.field = ""};
    const char *brand = NULL;
    json_t *body = NULL;
    struct setpay_api_call *call = setpay_api_call_new(arg, request, true, &body);
    if (call == NULL)
        return;
    enum setpay_error error = setpay_brand_request_parse(body, &brand, &fault);
    if (brand != NULL)
        (void)snprintf(call->brand, sizeof call->brand, "%s", brand);
    json_decref(body);
    if (error != SETPAY_OK) {
        setpay_api_refuse_field(call, &fault);
        return;
    }
    call->effect = close_batches;
    call->resume = resume;
    call->finish = finish;
    setpay_api_call_submit(call);
}

/* ------------------------------------------------------------------ GET /batches */

struct list {
    const struct setpay_payment_port *port;
    int64_t before;
    size_t limit;
    json_t *page;
};

static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct list *list = arg;
    return setpay_batch_page_read(db, list->port, list->before, list->limit, &list->page);
}

/* A whole number from 1 to maximum; otherwise false. */
static bool read_number(const char *value, int64_t maximum, int64_t *number)
{
    char *end = NULL;
    long long read = strtoll(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || read < 1 || read > maximum)
        return false;
    *number = read;
    return true;
}

static bool read_query(struct setpay_http_request *request, struct list *list, const char **field,
                       char *words, size_t size)
{
    for (size_t i = 0; i < setpay_http_request_query_count(request); i++) {
        const char *name = setpay_http_request_query_name(request, i);
        const char *value = setpay_http_request_query(request, name);
        int64_t number = 0;
        *field = name;
        if (strcmp(name, "limit") == 0) {
            if (!read_number(value, SETPAY_BATCH_LIST_MAX, &number)) {
                (void)snprintf(words, size,
                               "limit: found %.24s; expected a whole number from 1 to %d", value,
                               SETPAY_BATCH_LIST_MAX);
                return false;
            }
            list->limit = (size_t)number;
        } else if (strcmp(name, "cursor") == 0) {
            if (!read_number(value, INT64_MAX, &list->before)) {
                (void)snprintf(words, size,
                               "cursor: expected the next_cursor of an answer, unchanged");
                return false;
            }
        } else {
            (void)snprintf(words, size, "%.32s: unknown parameter; expected only limit, cursor",
                           name);
            return false;
        }
    }
    return true;
}

void setpay_api_on_batch_list(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    struct setpay_api_answer answer;
    const char *field = NULL;
    char words[256];
    struct list list = {
        .port = api->options.port, .before = INT64_MAX, .limit = SETPAY_BATCH_LIST_DEFAULT};
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return;
    if (!read_query(request, &list, &field, words, sizeof words)) {
        setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, field, words);
        return;
    }
    setpay_api_answer_init(&answer);
    setpay_buffer_init(&answer.body, LIST_BODY_MAX);
    enum setpay_error error = setpay_store_read(api->reader, read_list, &list);
    if (error == SETPAY_OK)
        error = answer_json(&answer, 200, list.page);
    if (error == SETPAY_OK)
        setpay_api_reply(request, &answer, false);
    else
        setpay_api_reply_error(request, error);
    json_decref(list.page);
    setpay_api_answer_clear(&answer);
}
