/*
 * POST /captures: what is held of several orders is captured together.
 *
 * Each order is asked for in one operation, goes to the gateway in one request with the others as
 * far as it may, and has an answer of its own: the order as it is then, or the problem that POST
 * /orders/{id}/capture would have answered. One that can't be captured keeps none of the others
 * from it.
 */
#include "merchant/store/api/api_internal.h"
#include "merchant/store/order_captures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE SETPAY_CAPTURES_AT_ONCE
/* As many answers as there are orders, each as long as one may be alone: it can always be kept. */
#define ANSWER_MAX (AT_ONCE * (size_t)(SETPAY_IDEMPOTENCY_BODY_MAX + 1024))
_Static_assert(AT_ONCE <= SETPAY_API_BATCHES_AT_ONCE, "a call waits for no more");

/* ------------------------------------------------------------------ the answer */

/* What an answer says, as a member of the whole one. */
static json_t *item_json(const struct setpay_captures_item *item,
                         const struct setpay_api_answer *answer, bool under_way)
{
    json_t *said = json_loadb((const char *)answer->body.data, answer->body.size, 0, NULL);
    bool done = answer->status == 200 || answer->status == 202;
    return json_pack("{s:s, s:s, s:o}", "order_id", item->order_id, "status",
                     !done       ? "refused"
                     : under_way ? "asking"
                                 : "done",
                     done ? "order" : "problem", said);
}

/* What was refused at once is said of the order as it is now. */
static enum setpay_error say_refused(struct setpay_db *db, const struct setpay_api_call *call,
                                     const struct setpay_captures_item *item,
                                     struct setpay_api_answer *answer)
{
    struct setpay_order_result result = {.under_way = false};
    int64_t left_minor = 0;
    enum setpay_error error =
        setpay_captures_look(db, call->api->options.port, item, call->now_ms, &result, &left_minor);
    if (error == SETPAY_OK)
        error = setpay_api_answer_step_error(answer, SETPAY_ORDER_CAPTURE, item->order_id,
                                             &item->step, item->error, &result, left_minor);
    setpay_order_view_clear(&result.view);
    return error;
}

static enum setpay_error say_asked(struct setpay_db *db, const struct setpay_api_call *call,
                                   const struct setpay_captures_item *item,
                                   struct setpay_api_answer *answer, bool *under_way)
{
    struct setpay_order_view view = {.payments = NULL};
    const struct setpay_api_options *options = &call->api->options;
    enum setpay_error error =
        setpay_order_view_find(db, options->port, item->order_id, setpay_clock_now_ms(), &view);
    if (error == SETPAY_OK) {
        *under_way = setpay_order_is_under_way(&view, &item->xid, item->last_step);
        error = setpay_api_answer_steps(answer, &view, item->first_step, item->last_step,
                                        *under_way, &options->links);
    }
    setpay_order_view_clear(&view);
    return error;
}

/* Each of them, into list. */
static enum setpay_error say_all(struct setpay_db *db, const struct setpay_api_call *call,
                                 json_t *list, bool *any_under_way)
{
    const struct setpay_captures *items = call->data;
    for (size_t i = 0; i < items->count; i++) {
        const struct setpay_captures_item *item = &items->list[i];
        struct setpay_api_answer answer;
        bool under_way = false;
        setpay_api_answer_init(&answer);
        enum setpay_error error = item->last_step == 0
                                      ? say_refused(db, call, item, &answer)
                                      : say_asked(db, call, item, &answer, &under_way);
        if (error == SETPAY_OK &&
            json_array_append_new(list, item_json(item, &answer, under_way)) != 0)
            error = SETPAY_E_NOMEM;
        setpay_api_answer_clear(&answer);
        SETPAY_TRY(error);
        *any_under_way = *any_under_way || under_way;
    }
    return SETPAY_OK;
}

static enum setpay_error answer_list(struct setpay_api_call *call, json_t *list, bool under_way)
{
    json_t *whole = json_pack("{s:O}", "captures", list);
    char *text = whole == NULL ? NULL : json_dumps(whole, JSON_COMPACT);
    enum setpay_error error = text == NULL
                                  ? SETPAY_E_NOMEM
                                  : setpay_buffer_set(&call->answer.body, setpay_view_string(text));
    if (error == SETPAY_OK)
        call->answer.status = under_way ? 202 : 200;
    free(text);
    json_decref(whole);
    return error;
}

/* *waits: something is under way, and there is no answer yet. */
static enum setpay_error answer(struct setpay_db *db, struct setpay_api_call *call, bool *waits)
{
    json_t *list = json_array();
    bool under_way = false;
    enum setpay_error error = list == NULL ? SETPAY_E_NOMEM : say_all(db, call, list, &under_way);
    *waits = under_way && !call->is_last;
    if (error == SETPAY_OK && !*waits)
        error = answer_list(call, list, under_way);
    json_decref(list);
    return error;
}

static enum setpay_error finish(struct setpay_db *db, struct setpay_api_call *call)
{
    bool waits = false;
    SETPAY_TRY(answer(db, call, &waits));
    return waits ? SETPAY_OK : setpay_api_call_keep(db, call);
}

/* ------------------------------------------------------------------ asking */

/* In the mark: xid, the first step, the last; where there is none, the error instead of it. */
static void note_item(const struct setpay_captures_item *item, uint8_t *asked)
{
    memcpy(asked, item->xid.bytes, sizeof item->xid.bytes);
    setpay_write_u64be(asked + 16, (uint64_t)item->first_step);
    setpay_write_u64be(asked + 24,
                       (uint64_t)(item->first_step != 0 ? item->last_step : (int64_t)item->error));
}

static void wait_for(struct setpay_api_call *call, const struct setpay_captures_item *item)
{
    if (item->last_step != 0)
        call->names[call->name_count++] = item->xid;
}

static enum setpay_error resume(struct setpay_api_call *call, struct setpay_view asked)
{
    struct setpay_captures *items = call->data;
    if (asked.size != items->count * SETPAY_API_ASKED_SIZE)
        return SETPAY_E_STORE;
    call->name_count = 0;
    for (size_t i = 0; i < items->count; i++) {
        const uint8_t *from = asked.data + i * SETPAY_API_ASKED_SIZE;
        struct setpay_captures_item *item = &items->list[i];
        memcpy(item->xid.bytes, from, sizeof item->xid.bytes);
        item->first_step = (int64_t)setpay_read_u64be(from + 16);
        int64_t last = (int64_t)setpay_read_u64be(from + 24);
        item->last_step = item->first_step != 0 ? last : 0;
        item->error = item->first_step != 0 ? SETPAY_OK : (enum setpay_error)last;
        wait_for(call, item);
    }
    return SETPAY_OK;
}

static enum setpay_error effect(struct setpay_db *db, struct setpay_api_call *call)
{
    struct setpay_captures *items = call->data;
    bool waits = false;
    SETPAY_TRY(setpay_captures_ask(db, call->api->options.port, items, true, call->now_ms));
    call->name_count = 0;
    for (size_t i = 0; i < items->count; i++) {
        const struct setpay_captures_item *item = &items->list[i];
        note_item(item, call->asked + i * SETPAY_API_ASKED_SIZE);
        wait_for(call, item);
    }
    if (call->name_count == 0)
        return answer(db, call, &waits); /* the gateway is not asked */
    call->asked_size = items->count * SETPAY_API_ASKED_SIZE;
    call->waiting = true;
    return SETPAY_OK;
}

void setpay_api_on_captures(struct setpay_http_request *request, void *arg)
{
    struct setpay_json_fault fault = {.field = ""};
    json_t *body = NULL;
    struct setpay_api_call *call = setpay_api_call_new(arg, request, false, &body);
    if (call == NULL)
        return;
    struct setpay_captures *items = calloc(1, sizeof *items);
    call->answer.body.max = ANSWER_MAX;
    call->data = items;
    call->free_cb = free;
    enum setpay_error error =
        items == NULL ? SETPAY_E_NOMEM : setpay_captures_parse(body, items, &fault);
    json_decref(body);
    if (error == SETPAY_E_INVALID) {
        setpay_api_refuse_field(call, &fault);
    } else if (error != SETPAY_OK) {
        setpay_api_reply_error(request, error);
        setpay_api_call_free(call);
    } else {
        call->effect = effect;
        call->resume = resume;
        call->finish = finish;
        setpay_api_call_submit(call);
    }
}
