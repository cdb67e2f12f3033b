/*
 * order.capture of several orders for the operator: what POST /captures does.
 */
#include "merchant/step_commands.h"
#include "merchant/store/order_captures.h"

#include <stdlib.h>

/* The words that order.capture of this one would have been refused with. */
static enum setpay_error refused_json(const struct setpay_captures_item *item,
                                      const struct setpay_order_result *found, int64_t left_minor,
                                      json_t **one)
{
    struct setpay_problem problem = {{0}};
    enum setpay_error error =
        setpay_merchant_step_explain(SETPAY_ORDER_CAPTURE, item->order_id, &item->step, item->error,
                                     found, left_minor, &problem);
    *one =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "order_id", item->order_id, "status", "refused",
                  "error", "name", setpay_error_name(error), "rule", setpay_error_rule(error),
                  "text", problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
    return *one == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error asked_json(const struct setpay_captures_item *item,
                                    const struct setpay_order_view *view,
                                    const struct setpay_order_links *links, bool under_way,
                                    json_t **one)
{
    *one = json_pack("{s:s, s:s, s:o, s:o}", "order_id", item->order_id, "status",
                     under_way ? "asking" : "done", "asked",
                     setpay_merchant_steps_asked(view, item->first_step, item->last_step), "order",
                     setpay_order_view_json(view, links, true));
    return *one == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error item_json(struct setpay_db *db,
                                   const struct setpay_merchant_context *context,
                                   const struct setpay_captures_item *item, json_t **one,
                                   bool *under_way)
{
    struct setpay_order_result found = {.under_way = false};
    int64_t left_minor = 0;
    enum setpay_error error =
        setpay_captures_look(db, context->port, item, context->now_ms, &found, &left_minor);
    *under_way = error == SETPAY_OK && item->last_step != 0 &&
                 setpay_order_is_under_way(&found.view, &item->xid, item->last_step);
    if (error == SETPAY_OK)
        error = item->last_step == 0
                    ? refused_json(item, &found, left_minor, one)
                    : asked_json(item, &found.view, &context->links, *under_way, one);
    setpay_order_view_clear(&found.view);
    return error;
}

static enum setpay_error list_json(struct setpay_db *db,
                                   const struct setpay_merchant_context *context,
                                   const struct setpay_captures *captures, json_t *list,
                                   bool *any_under_way)
{
    for (size_t i = 0; i < captures->count; i++) {
        json_t *one = NULL;
        bool under_way = false;
        SETPAY_TRY(item_json(db, context, &captures->list[i], &one, &under_way));
        *any_under_way = *any_under_way || under_way;
        if (json_array_append_new(list, one) != 0)
            return SETPAY_E_NOMEM;
    }
    return SETPAY_OK;
}

static enum setpay_error capture_all(struct setpay_db *db,
                                     const struct setpay_merchant_context *context,
                                     const json_t *args, struct setpay_captures *captures,
                                     json_t *list, bool *under_way, struct setpay_problem *problem)
{
    static const struct setpay_order_result nothing = {.under_way = false};
    struct setpay_json_fault fault = {.field = ""};
    enum setpay_error error = setpay_captures_parse(args, captures, &fault);
    if (error == SETPAY_E_INVALID)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: %s", fault.field, fault.words);
    if (error == SETPAY_OK)
        error =
            setpay_captures_ask(db, context->port, captures, context->daemon_runs, context->now_ms);
    if (error == SETPAY_E_DRAINING) /* of the first that could be captured */
        return setpay_merchant_step_explain(SETPAY_ORDER_CAPTURE, "", &captures->list[0].step,
                                            error, &nothing, 0, problem);
    SETPAY_TRY(error);
    return list_json(db, context, captures, list, under_way);
}

enum setpay_error setpay_merchant_command_captures(struct setpay_db *db,
                                                   const struct setpay_merchant_context *context,
                                                   const json_t *args, json_t **result,
                                                   struct setpay_problem *problem)
{
    struct setpay_captures *captures = calloc(1, sizeof *captures);
    json_t *list = json_array();
    bool under_way = false;
    enum setpay_error error =
        captures == NULL || list == NULL
            ? SETPAY_E_NOMEM
            : capture_all(db, context, args, captures, list, &under_way, problem);
    if (error == SETPAY_OK) {
        *result = json_pack("{s:O, s:b}", "captures", list, "under_way", under_way);
        error = *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(list);
    free(captures);
    return error;
}
