/*
 * Captures, refunds, undoing and batches for the operator: the same operations as the API's.
 */
#include "merchant/step_commands.h"

#include "common/net/control_json.h"
#include "merchant/store/batch_json.h"
#include "merchant/store/order_json.h"
#include "merchant/store/order_step.h"
#include "merchant/store/part.h"

#include <stdlib.h>
#include <string.h>

#define BATCHES_AT_ONCE 16 /* each is a note of one operation (SETPAY_LIMIT_STORE_NOTES) */

/* ------------------------------------------------------------------ steps of an order */

/* The arguments without order_id, as the API's body. */
static enum setpay_error read_request(const json_t *args, enum setpay_order_step_action action,
                                      const char **order_id, struct setpay_step_request *request,
                                      struct setpay_part_request *part,
                                      struct setpay_problem *problem)
{
    bool ships = action == SETPAY_ORDER_SHIP;
    struct setpay_json_fault fault = {.field = ""};
    SETPAY_TRY(setpay_json_arg_text(args, "order_id", true, order_id, problem));
    json_t *body = json_copy((json_t *)(uintptr_t)args);
    if (body == NULL)
        return SETPAY_E_NOMEM;
    (void)json_object_del(body, "order_id");
    enum setpay_error error;
    memset(request, 0, sizeof *request);
    if (ships || (action == SETPAY_ORDER_REFUND && setpay_part_is_meant(body))) {
        error = setpay_part_request_parse(body, ships ? SETPAY_PART_SHIPMENT : SETPAY_PART_REFUND,
                                          part, &fault);
        request->part = part;
    } else {
        error = setpay_step_request_parse(body, action != SETPAY_ORDER_UNDO,
                                          action == SETPAY_ORDER_REFUND ? "capture_id"
                                          : action == SETPAY_ORDER_UNDO ? "id"
                                                                        : NULL,
                                          action == SETPAY_ORDER_UNDO, request, &fault);
    }
    json_decref(body);
    if (error == SETPAY_E_INVALID)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: %s", fault.field, fault.words);
    return error;
}

enum setpay_error setpay_merchant_step_explain(enum setpay_order_step_action action,
                                               const char *order_id,
                                               const struct setpay_step_request *request,
                                               enum setpay_error error,
                                               const struct setpay_order_result *done,
                                               int64_t left_minor, struct setpay_problem *problem)
{
    char words[320];
    if (done->fault.field[0] != '\0')
        return setpay_problem_set(problem, error == SETPAY_E_INVALID ? SETPAY_E_USAGE : error,
                                  "%s: %s", done->fault.field, done->fault.words);
    switch (error) {
    case SETPAY_E_NOT_FOUND:
        return setpay_problem_set(problem, error,
                                  "there is no order '%.40s' (see `setpay-merchant order list`)",
                                  order_id);
    case SETPAY_E_DRAINING:
        return setpay_problem_set(problem, SETPAY_E_UNREACHABLE,
                                  "the gateway has to be asked, and setpay-merchantd is stopped;"
                                  " nothing was changed: start it and repeat");
    case SETPAY_E_DUPLICATE:
    case SETPAY_E_STATE:
    case SETPAY_E_HOLD_OVER:
    case SETPAY_E_AMOUNT_LIMIT:
    case SETPAY_E_MONEY_CURRENCY:
    case SETPAY_E_TOO_BIG:
    case SETPAY_E_TOO_SOON:
        setpay_order_step_explain(action, request, error, &done->view, left_minor, words,
                                  sizeof words);
        return setpay_problem_set(problem, error == SETPAY_E_DUPLICATE ? SETPAY_E_NOT_FOUND : error,
                                  "%s", words);
    default:
        return error;
    }
}

json_t *setpay_merchant_steps_asked(const struct setpay_order_view *view, int64_t first_step,
                                    int64_t last_step)
{
    json_t *asked = json_array();
    for (size_t i = 0; i < view->step_count; i++) {
        const struct setpay_step_view *step = &view->steps[i].step;
        char id[SETPAY_ID_TEXT_SIZE];
        if (step->number >= first_step && step->number <= last_step)
            (void)json_array_append_new(asked, json_string(setpay_id_format(&step->id, id)));
    }
    return asked;
}

static enum setpay_error result_json(const struct setpay_order_result *done,
                                     const struct setpay_merchant_context *context, json_t **result)
{
    json_t *asked = setpay_merchant_steps_asked(&done->view, done->first_step, done->last_step);
    json_t *order = setpay_order_view_json(&done->view, &context->links, true);
    *result =
        json_pack("{s:o, s:b, s:o}", "order", order, "under_way", done->under_way, "asked", asked);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error do_step(struct setpay_db *db,
                                 const struct setpay_merchant_context *context,
                                 enum setpay_order_step_action action, const json_t *args,
                                 struct setpay_part_request *part, json_t **result,
                                 struct setpay_problem *problem)
{
    struct setpay_order_result done = {.under_way = false};
    struct setpay_step_request request;
    const char *order_id = NULL;
    int64_t left_minor = 0;
    SETPAY_TRY(read_request(args, action, &order_id, &request, part, problem));
    enum setpay_error error =
        setpay_order_step(db, context->port, action, order_id, &request, context->daemon_runs,
                          context->now_ms, &done, &left_minor);
    error = error == SETPAY_OK ? result_json(&done, context, result)
                               : setpay_merchant_step_explain(action, order_id, &request, error,
                                                              &done, left_minor, problem);
    setpay_order_view_clear(&done.view);
    return error;
}

static enum setpay_error step(struct setpay_db *db, const struct setpay_merchant_context *context,
                              enum setpay_order_step_action action, const json_t *args,
                              json_t **result, struct setpay_problem *problem)
{
    struct setpay_part_request *part = calloc(1, sizeof *part);
    if (part == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = do_step(db, context, action, args, part, result, problem);
    free(part);
    return error;
}

enum setpay_error setpay_merchant_command_capture(struct setpay_db *db,
                                                  const struct setpay_merchant_context *context,
                                                  const json_t *args, json_t **result,
                                                  struct setpay_problem *problem)
{
    if (json_object_get(args, "captures") != NULL)
        return setpay_merchant_command_captures(db, context, args, result, problem);
    return step(db, context, SETPAY_ORDER_CAPTURE, args, result, problem);
}

enum setpay_error setpay_merchant_command_give_up(struct setpay_db *db,
                                                  const struct setpay_merchant_context *context,
                                                  const json_t *args, json_t **result,
                                                  struct setpay_problem *problem)
{
    return step(db, context, SETPAY_ORDER_GIVE_UP, args, result, problem);
}

enum setpay_error setpay_merchant_command_refund(struct setpay_db *db,
                                                 const struct setpay_merchant_context *context,
                                                 const json_t *args, json_t **result,
                                                 struct setpay_problem *problem)
{
    return step(db, context, SETPAY_ORDER_REFUND, args, result, problem);
}

enum setpay_error setpay_merchant_command_authorise(struct setpay_db *db,
                                                    const struct setpay_merchant_context *context,
                                                    const json_t *args, json_t **result,
                                                    struct setpay_problem *problem)
{
    return step(db, context, SETPAY_ORDER_AUTHORISE, args, result, problem);
}

enum setpay_error setpay_merchant_command_ship(struct setpay_db *db,
                                               const struct setpay_merchant_context *context,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    return step(db, context, SETPAY_ORDER_SHIP, args, result, problem);
}

enum setpay_error setpay_merchant_command_undo(struct setpay_db *db,
                                               const struct setpay_merchant_context *context,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    return step(db, context, SETPAY_ORDER_UNDO, args, result, problem);
}

/* ------------------------------------------------------------------ batches */

/* A whole number from 1. */
static bool read_number(const char *text, int64_t *number)
{
    char *end = NULL;
    long long read = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || read < 1)
        return false;
    *number = read;
    return true;
}

enum setpay_error setpay_merchant_command_batch_list(struct setpay_db *db,
                                                     const struct setpay_merchant_context *context,
                                                     const json_t *args, json_t **result,
                                                     struct setpay_problem *problem)
{
    static const char *const names[] = {"limit", "cursor", NULL};
    int64_t limit = SETPAY_BATCH_LIST_DEFAULT;
    int64_t before = INT64_MAX;
    const char *cursor = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "limit", false, 1, SETPAY_BATCH_LIST_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "cursor", false, &cursor, problem));
    if (cursor != NULL && !read_number(cursor, &before))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "cursor: expected the next_cursor of a list, unchanged");
    return setpay_batch_page_read(db, context->port, before, (size_t)limit, result);
}

struct wanted {
    const char *brand; /* NULL: any */
    int64_t number;
    struct setpay_id names[2];
    size_t found;
};

static enum setpay_error look_at(void *arg, const struct setpay_batch_view *batch)
{
    struct wanted *wanted = arg;
    bool is = batch->number == wanted->number &&
              (wanted->brand == NULL || strcmp(wanted->brand, batch->brand) == 0);
    if (is && wanted->found < 2)
        wanted->names[wanted->found++] = batch->name;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_command_batch_show(struct setpay_db *db,
                                                     const struct setpay_merchant_context *context,
                                                     const json_t *args, json_t **result,
                                                     struct setpay_problem *problem)
{
    static const char *const names[] = {"batch", "brand", NULL};
    struct wanted wanted = {.brand = NULL};
    const char *text = NULL;
    json_t *list = NULL;
    bool under_way = false;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "batch", true, &text, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &wanted.brand, problem));
    if (!read_number(text, &wanted.number))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "batch: found '%.24s'; expected the number of a batch", text);
    SETPAY_TRY(context->port->list_batches(db, INT64_MAX, INT64_MAX, look_at, &wanted));
    if (wanted.found == 0)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "there is no batch %s here (see `setpay-merchant batch list`)",
                                  text);
    if (wanted.found > 1)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "several brands have a batch %s; expected --brand BRAND", text);
    SETPAY_TRY(setpay_batch_named_read(db, context->port, wanted.names, 1, &list, &under_way));
    *result = json_incref(json_array_get(json_object_get(list, "batches"), 0));
    json_decref(list);
    return *result == NULL ? SETPAY_E_NOT_FOUND : SETPAY_OK;
}

enum setpay_error setpay_merchant_command_batch_close(struct setpay_db *db,
                                                      const struct setpay_merchant_context *context,
                                                      const json_t *args, json_t **result,
                                                      struct setpay_problem *problem)
{
    static const char *const members[] = {"brand", NULL};
    struct setpay_id names[BATCHES_AT_ONCE];
    const char *brand = NULL;
    json_t *list = NULL;
    size_t count = 0;
    bool under_way = false;
    SETPAY_TRY(setpay_json_args_check(args, members, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &brand, problem));
    if (!context->daemon_runs)
        return setpay_problem_set(problem, SETPAY_E_UNREACHABLE,
                                  "the gateway has to be asked, and setpay-merchantd is stopped;"
                                  " nothing was changed: start it and repeat");
    SETPAY_TRY(context->port->close_batches(db, brand, names, BATCHES_AT_ONCE, &count));
    SETPAY_TRY(setpay_batch_named_read(db, context->port, names, count, &list, &under_way));
    *result = list;
    return json_object_set_new(list, "under_way", json_boolean(under_way)) == 0 ? SETPAY_OK
                                                                                : SETPAY_E_NOMEM;
}
