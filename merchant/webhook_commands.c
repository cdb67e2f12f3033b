/*
 * Webhooks and events for the operator: the same functions as behind the API.
 */
#include "merchant/webhook_commands.h"

#include "common/net/control_json.h"
#include "merchant/store/event.h"
#include "merchant/store/webhook/sign.h"
#include "merchant/store/webhook/webhook.h"
#include "merchant/store/webhook/webhook_action.h"

#include <string.h>

static enum setpay_error explain(enum setpay_error error, const char *webhook_id,
                                 const struct setpay_json_fault *fault,
                                 struct setpay_problem *problem)
{
    switch (error) {
    case SETPAY_E_NOT_FOUND:
        return setpay_problem_set(problem, error,
                                  "there is no webhook '%.40s', or it has no such delivery (see"
                                  " `setpay-merchant webhook list`)",
                                  webhook_id);
    case SETPAY_E_STATE:
        return setpay_problem_set(
            problem, error,
            "the webhook %.40s is not enabled (`setpay-merchant webhook enable"
            " %.40s`)",
            webhook_id, webhook_id);
    case SETPAY_E_INVALID:
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: %s", fault->field, fault->words);
    case SETPAY_E_TOO_BIG:
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "there are %d webhooks, as many as are kept; remove one first",
                                  SETPAY_WEBHOOKS_MAX);
    default:
        return error;
    }
}

static enum setpay_error only_id(const json_t *args, const char **webhook_id,
                                 struct setpay_problem *problem)
{
    static const char *const names[] = {"webhook_id", NULL};
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    return setpay_json_arg_text(args, "webhook_id", true, webhook_id, problem);
}

/* "order.paying,order.captured" as the list that the API takes. */
static json_t *list_of_words(const char *text)
{
    json_t *list = json_array();
    while (list != NULL && *(text += strspn(text, ", ")) != '\0') {
        size_t size = strcspn(text, ", ");
        if (json_array_append_new(list, json_stringn(text, size)) != 0) {
            json_decref(list);
            list = NULL;
        }
        text += size;
    }
    return list;
}

enum setpay_error setpay_merchant_webhook_add(struct setpay_db *db,
                                              const struct setpay_merchant_context *context,
                                              const json_t *args, json_t **result,
                                              struct setpay_problem *problem)
{
    struct setpay_json_fault fault = {.field = ""};
    struct setpay_secret secret = {0};
    const char *events = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "events", false, &events, problem));
    json_t *body = json_copy((json_t *)(uintptr_t)args);
    if (body == NULL ||
        (events != NULL && json_object_set_new(body, "events", list_of_words(events)) != 0)) {
        json_decref(body);
        return SETPAY_E_NOMEM;
    }
    enum setpay_error error = setpay_webhook_secret_make(&secret);
    if (error == SETPAY_OK)
        error = setpay_webhook_do_add(db, body, &secret, context->now_ms, result, &fault);
    setpay_secret_clear(&secret);
    json_decref(body);
    return explain(error, "", &fault, problem);
}

enum setpay_error setpay_merchant_webhook_list(struct setpay_db *db,
                                               const struct setpay_merchant_context *context,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const none[] = {NULL};
    (void)context;
    SETPAY_TRY(setpay_json_args_check(args, none, problem));
    return setpay_webhook_do_list(db, result);
}

static enum setpay_error set_enabled(struct setpay_db *db, const json_t *args, bool enabled,
                                     json_t **result, struct setpay_problem *problem)
{
    struct setpay_json_fault fault = {.field = ""};
    const char *webhook_id = NULL;
    SETPAY_TRY(only_id(args, &webhook_id, problem));
    json_t *body = json_pack("{s:b}", "enabled", (int)enabled);
    enum setpay_error error = body == NULL
                                  ? SETPAY_E_NOMEM
                                  : setpay_webhook_do_change(db, webhook_id, body, result, &fault);
    json_decref(body);
    return explain(error, webhook_id, &fault, problem);
}

enum setpay_error setpay_merchant_webhook_enable(struct setpay_db *db,
                                                 const struct setpay_merchant_context *context,
                                                 const json_t *args, json_t **result,
                                                 struct setpay_problem *problem)
{
    (void)context;
    return set_enabled(db, args, true, result, problem);
}

enum setpay_error setpay_merchant_webhook_disable(struct setpay_db *db,
                                                  const struct setpay_merchant_context *context,
                                                  const json_t *args, json_t **result,
                                                  struct setpay_problem *problem)
{
    (void)context;
    return set_enabled(db, args, false, result, problem);
}

enum setpay_error setpay_merchant_webhook_rotate(struct setpay_db *db,
                                                 const struct setpay_merchant_context *context,
                                                 const json_t *args, json_t **result,
                                                 struct setpay_problem *problem)
{
    struct setpay_secret secret = {0};
    const char *webhook_id = NULL;
    SETPAY_TRY(only_id(args, &webhook_id, problem));
    enum setpay_error error = setpay_webhook_secret_make(&secret);
    if (error == SETPAY_OK)
        error = setpay_webhook_do_rotate(db, webhook_id, &secret, context->now_ms, result);
    setpay_secret_clear(&secret);
    return explain(error, webhook_id, NULL, problem);
}

enum setpay_error setpay_merchant_webhook_remove(struct setpay_db *db,
                                                 const struct setpay_merchant_context *context,
                                                 const json_t *args, json_t **result,
                                                 struct setpay_problem *problem)
{
    const char *webhook_id = NULL;
    (void)context;
    SETPAY_TRY(only_id(args, &webhook_id, problem));
    return explain(setpay_webhook_do_remove(db, webhook_id, result), webhook_id, NULL, problem);
}

enum setpay_error setpay_merchant_webhook_test(struct setpay_db *db,
                                               const struct setpay_merchant_context *context,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    const char *webhook_id = NULL;
    SETPAY_TRY(only_id(args, &webhook_id, problem));
    return explain(setpay_webhook_do_test(db, webhook_id, context->now_ms, result), webhook_id,
                   NULL, problem);
}

enum setpay_error setpay_merchant_webhook_deliveries(struct setpay_db *db,
                                                     const struct setpay_merchant_context *context,
                                                     const json_t *args, json_t **result,
                                                     struct setpay_problem *problem)
{
    static const char *const names[] = {"webhook_id", "limit", "cursor", NULL};
    const char *webhook_id = NULL;
    const char *cursor = NULL;
    int64_t limit = SETPAY_DELIVERY_LIST_DEFAULT;
    (void)context;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "webhook_id", true, &webhook_id, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "cursor", false, &cursor, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "limit", false, 1, SETPAY_DELIVERY_LIST_MAX, &limit, problem));
    enum setpay_error error =
        setpay_webhook_do_deliveries(db, webhook_id, cursor, (size_t)limit, result);
    if (error == SETPAY_E_INVALID)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "cursor: expected the next_cursor of a list, unchanged");
    return explain(error, webhook_id, NULL, problem);
}

enum setpay_error setpay_merchant_webhook_redeliver(struct setpay_db *db,
                                                    const struct setpay_merchant_context *context,
                                                    const json_t *args, json_t **result,
                                                    struct setpay_problem *problem)
{
    static const char *const names[] = {"webhook_id", "delivery_id", NULL};
    const char *webhook_id = NULL;
    const char *delivery_id = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "webhook_id", true, &webhook_id, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "delivery_id", true, &delivery_id, problem));
    return explain(
        setpay_webhook_do_redeliver(db, webhook_id, delivery_id, context->now_ms, result),
        webhook_id, NULL, problem);
}

enum setpay_error setpay_merchant_event_list(struct setpay_db *db,
                                             const struct setpay_merchant_context *context,
                                             const json_t *args, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"limit", "cursor", "type", NULL};
    struct setpay_event_list wanted = {.after_seq = 0};
    const char *cursor = NULL;
    int64_t limit = SETPAY_EVENT_LIST_DEFAULT;
    (void)context;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "limit", false, 1, SETPAY_EVENT_LIST_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "cursor", false, &cursor, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "type", false, &wanted.type, problem));
    if (cursor != NULL && setpay_event_cursor_parse(cursor, &wanted.after_seq) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "cursor: expected the next_cursor of a list, unchanged");
    if (wanted.type != NULL && !setpay_event_type_is_known(wanted.type))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "type: found '%.32s'; expected a type as order.authorised",
                                  wanted.type);
    wanted.limit = (size_t)limit;
    return setpay_event_list_read(db, &wanted, result);
}
