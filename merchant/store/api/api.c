/*
 * The life of a request of the merchant API.
 *
 * A PATCH or DELETE changes something just as a POST does, without a key.
 *
 * Every POST is a call: token, key and body are checked on the loop; then one operation looks the
 * key up, makes the effect and keeps the answer, all or nothing. A call whose answer depends on the
 * gateway is marked as under way in that operation; it waits for the store's notes about its
 * purchase, up to a limit, and a second operation keeps its answer. What is replied with 500 or
 * more is kept nowhere.
 */
#include "merchant/store/api/api_internal.h"

#include "common/base/log.h"
#include "common/net/metrics.h"
#include "merchant/store/api/shop.h"
#include "merchant/store/picture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_DEFAULT_MS 5000
/* A mark outlives the wait by this much: for the operation that keeps the answer. */
#define MARK_SPARE_MS 30000
#define BODY_MAX (128 * 1024) /* as JSON */
#define RETRY_MS 200
#define FAILURES_MAX 25
#define BODY_DEPTH_MAX 8

static void on_openapi(struct setpay_http_request *request, void *arg);

#define SHOP_ROUTE(method, path, act)                                                              \
    {SETPAY_HTTP_##method, SETPAY_API_PREFIX path, setpay_api_on_##act},

static const struct setpay_http_route routes[] = {
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders", setpay_api_on_order_create},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/orders", setpay_api_on_order_list},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/orders/{id}", setpay_api_on_order_show},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/void", setpay_api_on_order_void},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/cancel", setpay_api_on_order_cancel},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/capture", setpay_api_on_order_capture},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/refund", setpay_api_on_order_refund},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/shipments", setpay_api_on_order_ship},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/undo", setpay_api_on_order_undo},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/authorise", setpay_api_on_order_authorise},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/orders/{id}/end-agreement", setpay_api_on_order_end},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/captures", setpay_api_on_captures},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/batches/close", setpay_api_on_batch_close},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/batches", setpay_api_on_batch_list},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/settlements", setpay_api_on_settlement_list},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/settlements/differences",
     setpay_api_on_settlement_differences},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/settlements/{id}", setpay_api_on_settlement_show},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/settlements/{id}/rows", setpay_api_on_settlement_rows},
    SETPAY_API_SHOP_ROUTES(SHOP_ROUTE){SETPAY_HTTP_GET,
                                       SETPAY_API_PREFIX "/products/{id}/pictures/{picture}",
                                       setpay_api_on_picture_show},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/events", setpay_api_on_event_list},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/events/{id}", setpay_api_on_event_show},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/webhooks", setpay_api_on_webhook_create},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/webhooks", setpay_api_on_webhook_list},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/webhooks/{id}", setpay_api_on_webhook_show},
    {SETPAY_HTTP_PATCH, SETPAY_API_PREFIX "/webhooks/{id}", setpay_api_on_webhook_change},
    {SETPAY_HTTP_DELETE, SETPAY_API_PREFIX "/webhooks/{id}", setpay_api_on_webhook_delete},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/webhooks/{id}/rotate", setpay_api_on_webhook_rotate},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/webhooks/{id}/test", setpay_api_on_webhook_test},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/webhooks/{id}/deliveries", setpay_api_on_delivery_list},
    {SETPAY_HTTP_POST, SETPAY_API_PREFIX "/webhooks/{id}/deliveries/{delivery}/redeliver",
     setpay_api_on_delivery_again},
    {SETPAY_HTTP_GET, SETPAY_API_PREFIX "/openapi.json", on_openapi},
    {0},
};

const struct setpay_http_route *setpay_api_routes(void)
{
    return routes;
}

static void on_openapi(struct setpay_http_request *request, void *arg)
{
    (void)arg;
    setpay_http_reply(request, 200, "application/json", NULL, setpay_api_openapi());
}

/* ------------------------------------------------------------------ bodies */

static bool is_deeper(const json_t *json, int depth)
{
    const char *key;
    json_t *value;
    size_t index;
    if (depth == 0)
        return true;
    if (json_is_object(json)) {
        json_object_foreach((json_t *)(uintptr_t)json, key, value)
        {
            if (is_deeper(value, depth - 1))
                return true;
        }
    } else if (json_is_array(json)) {
        json_array_foreach(json, index, value)
        {
            if (is_deeper(value, depth - 1))
                return true;
        }
    }
    return false;
}

/* The body as JSON; NULL after a reply. Clients that send JSON without saying so (as `curl -d`
 * does, which then says that it is a form) are understood; anything else that is not JSON by type
 * is refused by type. */
static json_t *read_body(struct setpay_http_request *request, bool empty_allowed)
{
    struct setpay_view body = setpay_http_request_body(request);
    const char *type = setpay_http_request_header(request, "Content-Type");
    bool json_type = setpay_http_request_has_type(request, "application/json");
    bool guessed =
        type == NULL || setpay_http_request_has_type(request, "application/x-www-form-urlencoded");
    json_error_t where;
    char words[256];
    if (body.size == 0 && empty_allowed)
        return json_object();
    if (setpay_api_is_picture(request))
        return setpay_api_read_picture(request);
    if (body.size > BODY_MAX) {
        setpay_http_reply_problem(request, 413, NULL, NULL,
                                  "the body is too large; expected at most 128 KiB of JSON");
        return NULL;
    }
    if (!json_type && !guessed) {
        (void)snprintf(words, sizeof words, "Content-Type: found %.64s; expected application/json",
                       type);
        setpay_api_reply_problem(request, SETPAY_API_CONTENT_TYPE, "Content-Type", words);
        return NULL;
    }
    json_t *json = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(json) && !is_deeper(json, BODY_DEPTH_MAX))
        return json;
    if (!json_type) {
        setpay_api_reply_problem(request, SETPAY_API_CONTENT_TYPE, "Content-Type",
                                 "the body is not a JSON object, and its Content-Type is not"
                                 " application/json");
    } else if (json != NULL) {
        setpay_api_reply_problem(request, SETPAY_API_NOT_JSON, NULL,
                                 json_is_object(json)
                                     ? "the body is nested too deep; expected at most 8 levels"
                                     : "found another JSON value; expected one object");
    } else {
        char *near = strstr(where.text, " near ");
        if (near != NULL)
            *near = '\0'; /* what follows quotes the body */
        (void)snprintf(words, sizeof words, "line %d, column %d: %s; expected one JSON object",
                       where.line, where.column, where.text);
        setpay_api_reply_problem(request, SETPAY_API_NOT_JSON, NULL, words);
    }
    json_decref(json);
    return NULL;
}

/* ------------------------------------------------------------------ calls */

static bool make_idempotency(struct setpay_api_call *call, const struct setpay_digest *token,
                             const json_t *body)
{
    struct setpay_http_request *request = call->request;
    char *canonical = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    enum setpay_error error =
        canonical == NULL
            ? SETPAY_E_NOMEM
            : setpay_idempotency_make(token, setpay_http_request_method(request),
                                      setpay_http_request_path(request),
                                      setpay_http_request_header(request, "Idempotency-Key"),
                                      setpay_view_string(canonical), &call->idempotency);
    free(canonical);
    if (error != SETPAY_OK)
        setpay_api_reply_error(request, error);
    return error == SETPAY_OK;
}

/* True for a request that may go on; otherwise it has been answered. */
static bool check_key(struct setpay_http_request *request)
{
    const char *key = setpay_http_request_header(request, "Idempotency-Key");
    if (key != NULL && setpay_idempotency_key_is_valid(key))
        return true;
    setpay_api_reply_problem(request, SETPAY_API_NO_KEY, "Idempotency-Key",
                             key == NULL ? "Idempotency-Key: found none; expected one of 1 to"
                                           " 255 visible characters, new for each intent"
                                         : "Idempotency-Key: expected 1 to 255 visible ASCII"
                                           " characters");
    return false;
}

struct setpay_api_call *setpay_api_call_new(struct setpay_api *api,
                                            struct setpay_http_request *request, bool empty_allowed,
                                            json_t **body)
{
    return setpay_api_call_begin(api, request, true, empty_allowed, body);
}

struct setpay_api_call *setpay_api_call_begin(struct setpay_api *api,
                                              struct setpay_http_request *request, bool keyed,
                                              bool empty_allowed, json_t **body)
{
    struct setpay_digest token;
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return NULL;
    if (keyed && !check_key(request))
        return NULL;
    json_t *json = read_body(request, empty_allowed);
    if (json == NULL)
        return NULL;
    struct setpay_api_call *call = calloc(1, sizeof *call);
    if (call != NULL) {
        call->api = api;
        call->request = request;
        call->now_ms = setpay_clock_now_ms();
        setpay_api_answer_init(&call->answer);
        call->next = api->calls;
        if (call->next != NULL)
            call->next->previous = call;
        api->calls = call;
        call->keyed = keyed;
        if (!keyed || make_idempotency(call, &token, json)) {
            *body = json;
            return call;
        }
        setpay_api_call_free(call);
    } else {
        setpay_api_reply_error(request, SETPAY_E_NOMEM);
    }
    json_decref(json);
    return NULL;
}

static void check_drained(struct setpay_api *api)
{
    if (api->draining && api->server_drained && api->calls == NULL && api->drained_cb != NULL) {
        void (*drained_cb)(void *) = api->drained_cb;
        api->drained_cb = NULL;
        drained_cb(api->drained_arg);
    }
}

void setpay_api_call_free(struct setpay_api_call *call)
{
    struct setpay_api *api = call->api;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        api->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    setpay_timer_free(call->timer);
    setpay_order_clear(&call->order);
    setpay_api_shop_call_free(call->shop);
    if (call->free_cb != NULL)
        call->free_cb(call->data);
    setpay_api_answer_clear(&call->answer);
    free(call);
    check_drained(api);
}

/* What it stands for was asked for before: it waits for that, and is under way again. */
static enum setpay_error resume_call(struct setpay_db *db, struct setpay_api_call *call,
                                     int64_t limit_ms)
{
    struct setpay_view asked = setpay_buffer_view(&call->answer.body);
    if (call->resume == NULL)
        return SETPAY_E_INTERNAL;
    SETPAY_TRY(call->resume(call, asked));
    call->waiting = true;
    return setpay_idempotency_mark(db, &call->idempotency, &call->api->owner, call->now_ms,
                                   limit_ms, asked);
}

/* One operation: the key, and what it stands for. */
static enum setpay_error run_call(struct setpay_db *db, void *arg)
{
    struct setpay_api_call *call = arg;
    struct setpay_api *api = call->api;
    if (call->waiting)
        return call->finish(db, call);
    if (!call->keyed)
        return call->effect(db, call);
    int64_t limit_ms = api->options.wait_ms + MARK_SPARE_MS;
    enum setpay_error error = setpay_idempotency_find(db, &call->idempotency, &api->owner,
                                                      call->now_ms, limit_ms, &call->answer);
    switch (error) {
    case SETPAY_OK:
        call->replayed = true;
        return SETPAY_OK;
    case SETPAY_E_NOT_FOUND:
        break;
    case SETPAY_E_EXISTS:
        return resume_call(db, call, limit_ms);
    case SETPAY_E_RRPID_REUSED:
        return setpay_api_answer_problem(&call->answer, SETPAY_API_KEY_REUSED, "Idempotency-Key",
                                         "Idempotency-Key: it was used with another body; expected"
                                         " the same body, or a new key for a new intent");
    default:
        return error; /* SETPAY_E_UNDER_WAY too */
    }
    SETPAY_TRY(call->effect(db, call));
    if (call->waiting)
        return setpay_idempotency_mark(db, &call->idempotency, &api->owner, call->now_ms, limit_ms,
                                       setpay_view_of(call->asked, call->asked_size));
    return setpay_idempotency_keep(db, &call->idempotency, &api->owner, call->now_ms,
                                   &call->answer);
}

static void finish_later(struct setpay_api_call *call);

/* Ends the call with an error of the store. */
static void end_with_error(struct setpay_api_call *call, enum setpay_error error)
{
    if (error == SETPAY_E_UNDER_WAY)
        setpay_api_reply_problem(call->request, SETPAY_API_UNDER_WAY, "Idempotency-Key",
                                 "the request with this key is under way; expected the same request"
                                 " again after a while");
    else if (error == SETPAY_E_TOO_BIG) /* found in the middle of it: all of it was undone */
        setpay_api_reply_problem(call->request, SETPAY_API_TOO_MANY, NULL,
                                 "the order has as many captures and refunds as there may be;"
                                 " nothing was changed");
    else if (call->refuse != NULL)
        call->refuse(call, error);
    else
        setpay_api_reply_error(call->request, error);
    setpay_api_call_free(call);
}

static void on_call_done(void *arg, enum setpay_error error)
{
    struct setpay_api_call *call = arg;
    bool was_waiting = call->timer != NULL;
    call->running = false;
    if (error != SETPAY_OK && was_waiting)
        call->waiting = true; /* what the operation said has not happened */
    if (error != SETPAY_OK && !was_waiting) {
        end_with_error(call, error);
    } else if (error != SETPAY_OK || call->waiting) {
        if (!was_waiting && call->api->options.port->wake != NULL)
            call->api->options.port->wake(call->api->options.port->arg, &call->xid);
        if (error != SETPAY_OK)
            call->failures++;
        finish_later(call);
    } else {
        setpay_api_reply(call->request, &call->answer, call->replayed);
        setpay_api_call_free(call);
    }
}

void setpay_api_call_submit(struct setpay_api_call *call)
{
    call->running = true;
    call->is_last = call->forced;
    enum setpay_error error = setpay_store_submit(call->api->options.store, run_call, on_call_done,
                                                  call, &call->api->executor);
    if (error != SETPAY_OK)
        on_call_done(call, error);
}

/* ------------------------------------------------------------------ waiting */

static void look_again(struct setpay_api_call *call)
{
    if (call->running) {
        call->again = true;
        return;
    }
    call->again = false;
    setpay_api_call_submit(call);
}

static void on_wait_over(void *arg)
{
    struct setpay_api_call *call = arg;
    call->forced = true;
    look_again(call);
}

/* The call goes on waiting, or tries again to keep its answer. */
static void finish_later(struct setpay_api_call *call)
{
    struct setpay_api *api = call->api;
    if (call->timer == NULL) {
        enum setpay_error error =
            setpay_timer_new(api->options.loop, on_wait_over, call, &call->timer);
        if (error != SETPAY_OK) {
            end_with_error(call, error);
            return;
        }
        setpay_timer_start(call->timer, api->options.wait_ms);
        call->forced = api->draining;
        call->again = true; /* it may have been over before the wait began */
    } else if (call->failures > 0) {
        if (call->failures > FAILURES_MAX || api->draining) {
            end_with_error(call, SETPAY_E_BUSY);
            return;
        }
        setpay_timer_start(call->timer, RETRY_MS);
        call->forced = true;
        return;
    }
    if (call->again)
        look_again(call);
}

static bool waits_for(const struct setpay_api_call *call, const struct setpay_id *id)
{
    for (size_t i = 0; i < call->name_count; i++) {
        if (setpay_id_equal(&call->names[i], id))
            return true;
    }
    return setpay_id_equal(&call->xid, id);
}

static void on_notes(void *arg, const struct setpay_store_note *notes, size_t count, bool reread)
{
    struct setpay_api *api = arg;
    struct setpay_api_call *next;
    for (struct setpay_api_call *call = api->calls; call != NULL; call = next) {
        next = call->next;
        if (call->timer == NULL)
            continue; /* where it comes to wait, it looks once more by itself */
        bool told = reread;
        for (size_t i = 0; i < count && !told; i++)
            told = waits_for(call, &notes[i].id);
        if (told)
            look_again(call);
    }
}

/* ------------------------------------------------------------------ the API itself */

/* Of this run of the program, for all its workers: whose marks are under way. */
static pthread_once_t owner_once = PTHREAD_ONCE_INIT;
static struct setpay_id owner;

static void make_owner(void)
{
    struct setpay_id made;
    if (setpay_id_random(&made) == SETPAY_OK)
        owner = made;
}

enum setpay_error setpay_api_new(const struct setpay_api_options *options, struct setpay_api **api)
{
    struct setpay_api *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    if (made->options.wait_ms == 0)
        made->options.wait_ms = WAIT_DEFAULT_MS;
    made->executor = setpay_loop_executor(options->loop);
    const struct setpay_http_server_options server = {
        .name = "api",
        .loop = options->loop,
        .routes = routes,
        .arg = made,
        .max_body_bytes = SETPAY_PICTURE_BYTES_MAX,
    };
    (void)pthread_once(&owner_once, make_owner);
    made->owner = owner;
    enum setpay_error error = setpay_id_is_zero(&owner) ? SETPAY_E_RANDOM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_reader_new(options->store, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_store_watch(options->store, &made->executor, on_notes, made, &made->watcher);
    if (error == SETPAY_OK)
        error = setpay_http_server_new(&server, &made->server);
    if (error == SETPAY_OK)
        *api = made;
    else
        setpay_api_free(made);
    return error;
}

enum setpay_error setpay_api_listen(struct setpay_api *api, int listener_fd)
{
    return setpay_http_server_listen(api->server, listener_fd);
}

static void on_server_drained(void *arg)
{
    struct setpay_api *api = arg;
    api->server_drained = true;
    check_drained(api);
}

void setpay_api_drain(struct setpay_api *api, void (*drained_cb)(void *arg), void *arg)
{
    struct setpay_api_call *next;
    api->draining = true;
    api->drained_cb = drained_cb;
    api->drained_arg = arg;
    setpay_http_server_drain(api->server, on_server_drained, api);
    for (struct setpay_api_call *call = api->calls; call != NULL; call = next) {
        next = call->next;
        if (call->timer != NULL && !call->forced) {
            call->forced = true;
            look_again(call);
        }
    }
}

void setpay_api_free(struct setpay_api *api)
{
    if (api == NULL)
        return;
    api->drained_cb = NULL;
    for (struct setpay_api_call *call = api->calls, *next; call != NULL; call = next) {
        next = call->next;
        end_with_error(call, SETPAY_E_DRAINING);
    }
    if (api->watcher != NULL)
        setpay_store_unwatch(api->watcher);
    setpay_http_server_free(api->server);
    setpay_reader_free(api->reader);
    free(api);
}
