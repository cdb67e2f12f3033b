/*
 * The requests that move an order's money: capture, refund, undo.
 *
 * Each asks in one operation, waits for the gateway's word up to a limit, and answers with the
 * order as it is then: 200 where all of it is done, 202 while it is under way, a problem where the
 * gateway has refused any of it. All of these are kept.
 */
#include "merchant/store/api/api_internal.h"

#include "merchant/store/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum setpay_error setpay_api_answer_steps(struct setpay_api_answer *answer,
                                          const struct setpay_order_view *view, int64_t first_step,
                                          int64_t last_step, bool under_way,
                                          const struct setpay_order_links *links)
{
    const struct setpay_step_view *refused = setpay_order_refused_step(view, first_step, last_step);
    char words[256];
    if (refused == NULL || under_way)
        return setpay_api_answer_order(answer, under_way ? 202 : 200, view, links);
    setpay_order_refused_explain(view, refused, words, sizeof words);
    return setpay_api_answer_problem(
        answer, refused->declined ? SETPAY_API_DECLINED : SETPAY_API_STEP_REFUSED, NULL, words);
}

static enum setpay_error answer_view(struct setpay_api_call *call,
                                     const struct setpay_order_view *view, bool under_way)
{
    return setpay_api_answer_steps(&call->answer, view, call->first_step, call->last_step,
                                   under_way, &call->api->options.links);
}

static enum setpay_error finish(struct setpay_db *db, struct setpay_api_call *call)
{
    struct setpay_order_view view = {.payments = NULL};
    SETPAY_TRY(setpay_order_view_find(db, call->api->options.port, call->order_id,
                                      setpay_clock_now_ms(), &view));
    bool under_way = setpay_order_is_under_way(&view, &call->xid, call->last_step);
    enum setpay_error error = SETPAY_OK;
    if (!under_way || call->is_last) {
        error = answer_view(call, &view, under_way);
        if (error == SETPAY_OK)
            error = setpay_api_call_keep(db, call);
    }
    setpay_order_view_clear(&view);
    return error;
}

/* The problem that an error of setpay_order_step is; SETPAY_API_PROBLEMS: none, it failed. */
static enum setpay_api_problem problem_of(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_NOT_FOUND:
        return SETPAY_API_NO_ORDER;
    case SETPAY_E_DUPLICATE:
        return SETPAY_API_NO_STEP;
    case SETPAY_E_STATE:
    case SETPAY_E_HOLD_OVER:
        return SETPAY_API_ORDER_STATE;
    case SETPAY_E_AMOUNT_LIMIT:
    case SETPAY_E_MONEY_CURRENCY:
        return SETPAY_API_AMOUNT;
    case SETPAY_E_TOO_SOON:
        return SETPAY_API_TOO_SOON;
    case SETPAY_E_INVALID:
        return SETPAY_API_INVALID_FIELD;
    case SETPAY_E_TOO_BIG:
        return SETPAY_API_TOO_MANY;
    default:
        return SETPAY_API_PROBLEMS;
    }
}

enum setpay_error
setpay_api_answer_step_error(struct setpay_api_answer *answer, enum setpay_order_step_action action,
                             const char *order_id, const struct setpay_step_request *step,
                             enum setpay_error error, const struct setpay_order_result *result,
                             int64_t left_minor)
{
    const struct setpay_order_view *view = &result->view;
    const struct setpay_json_fault *fault = &result->fault;
    enum setpay_api_problem problem = problem_of(error);
    const char *field = error == SETPAY_E_AMOUNT_LIMIT     ? "amount"
                        : error == SETPAY_E_MONEY_CURRENCY ? "currency"
                                                           : NULL;
    char words[320];
    if (problem == SETPAY_API_PROBLEMS || !setpay_order_step_is_refused(error, result))
        return error;
    if (fault->field[0] != '\0') {
        char both[sizeof fault->field + sizeof fault->words + 2];
        (void)snprintf(both, sizeof both, "%s: %s", fault->field, fault->words);
        return setpay_api_answer_problem(answer, problem, fault->field, both);
    }
    if (problem == SETPAY_API_NO_ORDER)
        (void)snprintf(words, sizeof words, "there is no order %s", order_id);
    else
        setpay_order_step_explain(action, step, error, view, left_minor, words, sizeof words);
    return setpay_api_answer_problem(answer, problem, field, words);
}

#define ASKED_SIZE 32

/* xid, the first step, the last. */
static void note_asked(struct setpay_api_call *call)
{
    memcpy(call->asked, call->xid.bytes, sizeof call->xid.bytes);
    setpay_write_u64be(call->asked + 16, (uint64_t)call->first_step);
    setpay_write_u64be(call->asked + 24, (uint64_t)call->last_step);
    call->asked_size = ASKED_SIZE;
}

static enum setpay_error resume(struct setpay_api_call *call, struct setpay_view asked)
{
    if (asked.size != ASKED_SIZE)
        return SETPAY_E_STORE;
    memcpy(call->xid.bytes, asked.data, sizeof call->xid.bytes);
    call->first_step = (int64_t)setpay_read_u64be(asked.data + 16);
    call->last_step = (int64_t)setpay_read_u64be(asked.data + 24);
    return SETPAY_OK;
}

/* What was refused has asked for nothing: only the first step of several could fail, since all is
 * checked before. */
static enum setpay_error effect(struct setpay_db *db, struct setpay_api_call *call)
{
    struct setpay_order_result result = {.under_way = false};
    int64_t left_minor = 0;
    call->step.part = call->data;
    enum setpay_error error =
        setpay_order_step(db, call->api->options.port, call->step_action, call->order_id,
                          &call->step, true, call->now_ms, &result, &left_minor);
    if (error == SETPAY_OK && result.last_step == 0) {
        error = answer_view(call, &result.view, false); /* the gateway is not asked */
    } else if (error == SETPAY_OK) {
        call->first_step = result.first_step;
        call->last_step = result.last_step;
        call->xid = result.view.order.xid;
        call->waiting = true;
        note_asked(call);
    } else if (result.first_step == 0) {
        error = setpay_api_answer_step_error(&call->answer, call->step_action, call->order_id,
                                             &call->step, error, &result, left_minor);
    }
    setpay_order_view_clear(&result.view);
    return error;
}

/* The lines of a part, which the call owns. */
static enum setpay_error read_part(struct setpay_api_call *call, const json_t *body,
                                   enum setpay_part_kind kind, struct setpay_json_fault *fault)
{
    struct setpay_part_request *part = calloc(1, sizeof *part);
    if (part == NULL)
        return SETPAY_E_NOMEM;
    call->data = part;
    call->free_cb = free;
    return setpay_part_request_parse(body, kind, part, fault);
}

static enum setpay_error read_body(struct setpay_api_call *call,
                                   enum setpay_order_step_action action, const json_t *body,
                                   struct setpay_json_fault *fault)
{
    if (action == SETPAY_ORDER_SHIP)
        return read_part(call, body, SETPAY_PART_SHIPMENT, fault);
    if (action == SETPAY_ORDER_REFUND && setpay_part_is_meant(body))
        return read_part(call, body, SETPAY_PART_REFUND, fault);
    return setpay_step_request_parse(body, action != SETPAY_ORDER_UNDO,
                                     action == SETPAY_ORDER_REFUND ? "capture_id"
                                     : action == SETPAY_ORDER_UNDO ? "id"
                                                                   : NULL,
                                     action == SETPAY_ORDER_UNDO, &call->step, fault);
}

void setpay_api_begin_step(struct setpay_http_request *request, struct setpay_api_call *call,
                           enum setpay_order_step_action action, json_t *body)
{
    struct setpay_json_fault fault = {.field = ""};
    const char *order_id = setpay_http_request_param(request, "id");
    enum setpay_error error = read_body(call, action, body, &fault);
    json_decref(body);
    if (error != SETPAY_OK) {
        setpay_api_refuse_field(call, &fault);
    } else if (!setpay_api_is_order_id(order_id)) {
        setpay_api_reply_problem(request, SETPAY_API_NO_ORDER, NULL, "there is no such order");
        setpay_api_call_free(call);
    } else {
        call->effect = effect;
        call->resume = resume;
        call->finish = finish;
        call->step_action = action;
        memcpy(call->order_id, order_id, strlen(order_id) + 1);
        setpay_api_call_submit(call);
    }
}

static void on_step(struct setpay_http_request *request, struct setpay_api *api,
                    enum setpay_order_step_action action)
{
    json_t *body = NULL;
    struct setpay_api_call *call =
        setpay_api_call_new(api, request, action != SETPAY_ORDER_UNDO, &body);
    if (call != NULL)
        setpay_api_begin_step(request, call, action, body);
}

void setpay_api_on_order_capture(struct setpay_http_request *request, void *arg)
{
    on_step(request, arg, SETPAY_ORDER_CAPTURE);
}

void setpay_api_on_order_refund(struct setpay_http_request *request, void *arg)
{
    on_step(request, arg, SETPAY_ORDER_REFUND);
}

void setpay_api_on_order_ship(struct setpay_http_request *request, void *arg)
{
    on_step(request, arg, SETPAY_ORDER_SHIP);
}

void setpay_api_on_order_undo(struct setpay_http_request *request, void *arg)
{
    on_step(request, arg, SETPAY_ORDER_UNDO);
}

void setpay_api_on_order_authorise(struct setpay_http_request *request, void *arg)
{
    on_step(request, arg, SETPAY_ORDER_AUTHORISE);
}
