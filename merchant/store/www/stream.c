/*
 * GET /orders/{token}/events
 */
#include "merchant/store/www/stream.h"

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/part.h"
#include "merchant/store/www/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define LIFE_MS 25000    /* proxies cut what is silent for a minute or less */
#define LOOK_DELAY_MS 50 /* changes within it are looked at together */
#define SWEEP_MS 1000
#define AGAIN_MS 500    /* after which a browser comes back */
#define RETRY_AFTER "5" /* seconds, for who finds no room */

struct stream {
    LIST_ENTRY(stream) link;
    struct setpay_http_request *request;
    char token[SETPAY_ORDER_TOKEN_SIZE];
    char seen[SETPAY_STREAM_SEEN_SIZE];
    struct setpay_id note; /* by which changes of its order are named */
    bool due;              /* there was one */
    bool has_who;
    struct setpay_digest who;  /* whom it counts for */
    int64_t until_ms;          /* monotonic */
    setpay_time_ms expires_ms; /* when the order changes by itself */
};
LIST_HEAD(stream_list, stream);

struct setpay_streams {
    struct setpay_www *www;
    struct setpay_watcher *watcher;
    struct setpay_timer *look_timer;
    struct setpay_timer *sweep_timer;
    struct stream_list list;
    bool ending;
};

/* What is found when an order is looked at. */
struct sight {
    char seen[SETPAY_STREAM_SEEN_SIZE];
    struct setpay_id note;
    setpay_time_ms expires_ms;
};

/* ------------------------------------------------------------------ an order as it is seen */

enum setpay_error setpay_stream_seen(const struct setpay_order_view *view, char *seen)
{
    struct setpay_hash hash;
    struct setpay_digest digest;
    char text[SETPAY_DIGEST_TEXT_SIZE];
    setpay_hash_init(&hash, "shop.seen");
    setpay_hash_add_u64(&hash, (uint64_t)view->status);
    for (size_t i = 0; i < view->payment_count; i++) {
        setpay_hash_add_u64(&hash, (uint64_t)view->payments[i].state);
        setpay_hash_add_u64(&hash, (uint64_t)view->payments[i].captured_minor);
        setpay_hash_add_u64(&hash, (uint64_t)view->payments[i].credited_minor);
        setpay_hash_add_u64(&hash, (uint64_t)view->payments[i].released_minor);
    }
    for (size_t i = 0; view->parts != NULL && i < view->parts->count; i++) {
        const struct setpay_part *part = &view->parts->list[i];
        setpay_hash_add_u64(&hash, (uint64_t)part->kind);
        setpay_hash_add_u64(&hash, (uint64_t)part->settled);
        setpay_hash_add_u64(&hash, setpay_part_stands(view, part) ? 1 : 0);
    }
    SETPAY_TRY(setpay_hash_final(&hash, &digest));
    (void)snprintf(seen, SETPAY_STREAM_SEEN_SIZE, "%.16s", setpay_digest_format(&digest, text));
    return SETPAY_OK;
}

enum setpay_error setpay_www_find_order(struct setpay_db *db, const struct setpay_www *www,
                                        const char *token, struct setpay_order_view *view)
{
    char order_id[SETPAY_ORDER_ID_SIZE];
    SETPAY_TRY(setpay_order_find_by_token(db, token, &view->order));
    memcpy(order_id, view->order.order_id, sizeof order_id);
    setpay_order_view_clear(view);
    return setpay_order_view_find(db, www->options.port, order_id, setpay_clock_now_ms(), view);
}

struct look {
    const struct setpay_www *www;
    const char *token;
    struct setpay_order_view view;
};

static enum setpay_error read_look(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    return setpay_www_find_order(db, look->www, look->token, &look->view);
}

/* What there is to see now. */
static enum setpay_error look_at(const struct setpay_streams *streams, const char *token,
                                 struct sight *sight)
{
    struct look look = {.www = streams->www, .token = token};
    enum setpay_error error = setpay_store_read(streams->www->reader, read_look, &look);
    if (error == SETPAY_OK)
        error = setpay_stream_seen(&look.view, sight->seen);
    if (error == SETPAY_OK)
        error = setpay_order_note(look.view.order.order_id, &sight->note);
    if (error == SETPAY_OK)
        sight->expires_ms = look.view.order.expires_ms > setpay_clock_now_ms()
                                ? look.view.order.expires_ms
                                : INT64_MAX;
    setpay_order_view_clear(&look.view);
    return error;
}

/* ------------------------------------------------------------------ answers */

/* seen NULL: nothing has changed. */
static void reply(struct setpay_http_request *request, const char *seen)
{
    static const struct setpay_http_header headers[] = {{"Cache-Control", "no-store"},
                                                        {NULL, NULL}};
    char text[128];
    if (seen != NULL)
        (void)snprintf(text, sizeof text, "retry: %d\nid: %s\nevent: change\ndata: %s\n\n",
                       AGAIN_MS, seen, seen);
    else
        (void)snprintf(text, sizeof text, "retry: %d\n: nothing has changed\n\n", AGAIN_MS);
    setpay_http_reply(request, 200, "text/event-stream", headers, setpay_view_string(text));
}

static void end_stream(struct setpay_streams *streams, struct stream *stream, const char *seen)
{
    LIST_REMOVE(stream, link);
    setpay_guard_stream_end(streams->www->guard, stream->has_who ? &stream->who : NULL);
    reply(stream->request, seen);
    free(stream);
}

static void look_again(struct setpay_streams *streams, struct stream *stream)
{
    struct sight sight = {.seen = ""};
    enum setpay_error error = look_at(streams, stream->token, &sight);
    stream->due = false;
    stream->expires_ms = sight.expires_ms;
    if (error != SETPAY_OK || strcmp(sight.seen, stream->seen) != 0)
        end_stream(streams, stream, error == SETPAY_OK ? sight.seen : NULL);
}

static void on_look_time(void *arg)
{
    struct setpay_streams *streams = arg;
    struct stream *next;
    for (struct stream *stream = LIST_FIRST(&streams->list); stream != NULL; stream = next) {
        next = LIST_NEXT(stream, link);
        if (stream->due)
            look_again(streams, stream);
    }
}

static bool is_named(const struct stream *stream, const struct setpay_store_note *notes,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (setpay_id_equal(&notes[i].id, &stream->note))
            return true;
    }
    return false;
}

/* Only orders that are named are looked at, a few times a second at most; all of them only where
 * notes were lost. */
static void on_notes(void *arg, const struct setpay_store_note *notes, size_t count, bool reread)
{
    struct setpay_streams *streams = arg;
    bool any = false;
    for (struct stream *stream = LIST_FIRST(&streams->list); stream != NULL;
         stream = LIST_NEXT(stream, link)) {
        stream->due = stream->due || reread || is_named(stream, notes, count);
        any = any || stream->due;
    }
    if (any && !setpay_timer_is_started(streams->look_timer))
        setpay_timer_start(streams->look_timer, LOOK_DELAY_MS);
}

/* Those whose time is over, whose browser has gone, or whose order has expired. */
static void on_sweep_time(void *arg)
{
    struct setpay_streams *streams = arg;
    struct stream *next;
    int64_t now_ms = setpay_clock_monotonic_ms();
    for (struct stream *stream = LIST_FIRST(&streams->list); stream != NULL; stream = next) {
        next = LIST_NEXT(stream, link);
        if (now_ms >= stream->until_ms || setpay_http_request_is_gone(stream->request))
            end_stream(streams, stream, NULL);
        else if (setpay_clock_now_ms() >= stream->expires_ms)
            look_again(streams, stream);
    }
}

/* ------------------------------------------------------------------ the request */

/* By its address, and where that is unknown by its cookie. */
static bool find_who(const struct setpay_www *www, const struct setpay_http_request *request,
                     struct setpay_digest *who)
{
    struct setpay_visit visit;
    if (setpay_visit_begin(www, request, &visit) != SETPAY_OK)
        return false;
    *who = visit.has_client ? visit.client : visit.cart_id;
    return visit.has_client || !visit.is_new;
}

static void refuse(struct setpay_http_request *request)
{
    static const struct setpay_http_header headers[] = {
        {"Cache-Control", "no-store"}, {"Retry-After", RETRY_AFTER}, {NULL, NULL}};
    setpay_http_reply(request, 503, NULL, headers, SETPAY_VIEW_EMPTY);
}

/* Where there is no room, the page looks for itself now and then. */
static void park(struct setpay_streams *streams, struct setpay_http_request *request,
                 const char *token, const struct sight *sight)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        reply(request, NULL);
        return;
    }
    stream->has_who = find_who(streams->www, request, &stream->who);
    if (!setpay_guard_stream_begin(streams->www->guard, stream->has_who ? &stream->who : NULL)) {
        free(stream);
        refuse(request);
        return;
    }
    stream->request = request;
    stream->until_ms = setpay_clock_monotonic_ms() + LIFE_MS;
    stream->expires_ms = sight->expires_ms;
    stream->note = sight->note;
    (void)snprintf(stream->token, sizeof stream->token, "%s", token);
    (void)snprintf(stream->seen, sizeof stream->seen, "%s", sight->seen);
    LIST_INSERT_HEAD(&streams->list, stream, link);
}

void setpay_www_on_order_events(struct setpay_http_request *request, void *arg)
{
    struct setpay_www *www = arg;
    struct setpay_streams *streams = www->streams;
    const char *token = setpay_http_request_param(request, "token");
    const char *known = setpay_http_request_query(request, "seen");
    struct sight sight = {.seen = ""};
    enum setpay_error error = strlen(token) < SETPAY_ORDER_TOKEN_SIZE
                                  ? look_at(streams, token, &sight)
                                  : SETPAY_E_NOT_FOUND;
    if (error == SETPAY_E_NOT_FOUND) {
        setpay_www_reply_error(www, request, 404, NULL);
    } else if (error != SETPAY_OK) {
        setpay_log_error(error, "www.order", setpay_field_text("area", "store"));
        setpay_www_reply_error(www, request, 503, NULL);
    } else if (known == NULL || strcmp(known, sight.seen) != 0) {
        reply(request, sight.seen);
    } else if (streams->ending) {
        reply(request, NULL);
    } else {
        park(streams, request, token, &sight);
    }
}

/* ------------------------------------------------------------------ all of them */

enum setpay_error setpay_streams_new(struct setpay_www *www, struct setpay_streams **streams)
{
    struct setpay_streams *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->www = www;
    LIST_INIT(&made->list);
    enum setpay_error error =
        setpay_timer_new(www->options.loop, on_look_time, made, &made->look_timer);
    if (error == SETPAY_OK)
        error = setpay_timer_new(www->options.loop, on_sweep_time, made, &made->sweep_timer);
    if (error == SETPAY_OK)
        error =
            setpay_store_watch(www->options.store, &www->executor, on_notes, made, &made->watcher);
    if (error != SETPAY_OK) {
        setpay_streams_free(made);
        return error;
    }
    setpay_timer_start_periodic(made->sweep_timer, SWEEP_MS);
    *streams = made;
    return SETPAY_OK;
}

void setpay_streams_end(struct setpay_streams *streams)
{
    streams->ending = true;
    struct stream *next;
    for (struct stream *stream = LIST_FIRST(&streams->list); stream != NULL; stream = next) {
        next = LIST_NEXT(stream, link);
        end_stream(streams, stream, NULL);
    }
}

void setpay_streams_free(struct setpay_streams *streams)
{
    if (streams == NULL)
        return;
    setpay_streams_end(streams);
    if (streams->watcher != NULL)
        setpay_store_unwatch(streams->watcher);
    setpay_timer_free(streams->look_timer);
    setpay_timer_free(streams->sweep_timer);
    free(streams);
}
