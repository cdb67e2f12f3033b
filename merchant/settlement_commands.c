/*
 * Settlements for the operator: reading the gateway's files in, and what came of it.
 */
#include "merchant/settlement_commands.h"

#include "common/base/log.h"
#include "common/base/zone.h"
#include "common/net/control_json.h"
#include "common/wire/settlement_file.h"
#include "merchant/payment/settlement.h"
#include "merchant/store/settlement_json.h"

#include <string.h>

#define DAYS_MAX 3650

/* ------------------------------------------------------------------ import */

static enum setpay_error add_imported(void *arg, const struct setpay_settlement_view *settlement,
                                      bool fresh)
{
    json_t *list = arg;
    json_t *json = setpay_settlement_view_json(settlement);
    if (json == NULL || json_object_set_new(json, "fresh", json_boolean(fresh)) != 0) {
        json_decref(json);
        return SETPAY_E_NOMEM;
    }
    return json_array_append_new(list, json) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error import(struct setpay_db *db, const struct setpay_merchant_context *context,
                                const struct setpay_settlement_file *file, json_t **result,
                                struct setpay_problem *problem)
{
    json_t *list = json_array();
    const struct setpay_merchant_settlement_import asked = {.file = file,
                                                            .merchant_id = context->merchant_id,
                                                            .gateway_id = context->gateway_id,
                                                            .brands = context->brands,
                                                            .brand_count = context->brand_count,
                                                            .now_ms = context->now_ms,
                                                            .visit = add_imported,
                                                            .arg = list};
    enum setpay_error error =
        list == NULL ? SETPAY_E_NOMEM : setpay_merchant_settlement_import(db, &asked, problem);
    if (error == SETPAY_OK) {
        *result = json_pack("{s:O}", "settlements", list);
        error = *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(list);
    return error;
}

enum setpay_error setpay_merchant_command_settlement_import(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    static const char *const names[] = {"content", NULL};
    struct setpay_settlement_file file;
    const char *content = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "content", true, &content, problem));
    SETPAY_TRY(setpay_settlement_file_parse(setpay_view_string(content), &file, problem));
    enum setpay_error error = import(db, context, &file, result, problem);
    setpay_settlement_file_clear(&file);
    return error;
}

/* ------------------------------------------------------------------ accepting */

static enum setpay_error read_id(const json_t *args, struct setpay_id *id,
                                 struct setpay_problem *problem)
{
    const char *text = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "settlement_id", true, &text, problem));
    if (setpay_id_parse(text, id) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "settlement_id: found '%.40s'; expected 32 hexadecimal digits",
                                  text);
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_command_settlement_accept(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    static const char *const names[] = {"settlement_id", "line", "reason", NULL};
    struct setpay_merchant_settlement_accept accept = {.now_ms = context->now_ms};
    char id[SETPAY_ID_TEXT_SIZE];
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_id(args, &accept.settlement, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "line", true, 1, INT32_MAX, &accept.line, problem));
    SETPAY_TRY(setpay_json_arg_words(args, "reason", SETPAY_SETTLEMENT_REASON_SIZE, &accept.reason,
                                     problem));
    SETPAY_TRY(setpay_merchant_settlement_accept(db, &accept, problem));
    *result =
        json_pack("{s:s, s:I, s:s}", "settlement_id", setpay_id_format(&accept.settlement, id),
                  "line", (json_int_t)accept.line, "accepted_reason", accept.reason);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* ------------------------------------------------------------------ taking back */

static enum setpay_error explain(enum setpay_error error, const json_t *args,
                                 struct setpay_problem *problem)
{
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    return setpay_problem_set(
        problem, error, "there is no settlement %.40s here (see `setpay-merchant settlement list`)",
        json_string_value(json_object_get(args, "settlement_id")));
}

enum setpay_error setpay_merchant_command_settlement_forget(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    static const char *const names[] = {"settlement_id", "reason", NULL};
    struct setpay_merchant_settlement_forgotten forgotten;
    struct setpay_id settlement;
    const char *reason = NULL;
    char id[SETPAY_ID_TEXT_SIZE];
    (void)context;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_id(args, &settlement, problem));
    SETPAY_TRY(
        setpay_json_arg_words(args, "reason", SETPAY_SETTLEMENT_REASON_SIZE, &reason, problem));
    SETPAY_TRY(
        explain(setpay_merchant_settlement_forget(db, &settlement, &forgotten), args, problem));
    *result = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "settlement_id",
                        setpay_id_format(&settlement, id), "day", forgotten.day, "brand",
                        forgotten.brand, "rows", (json_int_t)forgotten.row_count, "judged_again",
                        (json_int_t)forgotten.judged_count, "reason", reason);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

void setpay_merchant_log_settlement_forgotten(const json_t *result)
{
    struct setpay_id id = {{0}};
    if (setpay_id_parse(text_of(result, "settlement_id"), &id) == SETPAY_OK)
        setpay_log(SETPAY_LOG_WARN, "settlement.forgotten", setpay_field_id("settlement", &id),
                   setpay_field_text("brand", text_of(result, "brand")),
                   setpay_field_text("day", text_of(result, "day")),
                   setpay_field_int("rows", json_integer_value(json_object_get(result, "rows"))),
                   setpay_field_text("reason", text_of(result, "reason")));
}

/* ------------------------------------------------------------------ looking */

static enum setpay_error read_page(const json_t *args, int64_t *limit, const char **cursor,
                                   struct setpay_problem *problem)
{
    *limit = SETPAY_SETTLEMENT_LIST_DEFAULT;
    SETPAY_TRY(
        setpay_json_arg_int(args, "limit", false, 1, SETPAY_SETTLEMENT_LIST_MAX, limit, problem));
    return setpay_json_arg_text(args, "cursor", false, cursor, problem);
}

/* limit and cursor; and a settlement's id, where id is not NULL. */
static enum setpay_error read_args(const json_t *args, int64_t *limit, const char **cursor,
                                   struct setpay_id *id, struct setpay_problem *problem)
{
    const char *const names[] = {"limit", "cursor", id != NULL ? "settlement_id" : NULL, NULL};
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_page(args, limit, cursor, problem));
    return id == NULL ? SETPAY_OK : read_id(args, id, problem);
}

static enum setpay_error refuse_cursor(struct setpay_problem *problem)
{
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "cursor: expected the next_cursor of a list, unchanged");
}

enum setpay_error setpay_merchant_command_settlement_list(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    const char *cursor = NULL;
    int64_t limit = 0, before = INT64_MAX;
    SETPAY_TRY(read_args(args, &limit, &cursor, NULL, problem));
    if (cursor != NULL && setpay_settlement_cursor_parse(cursor, &before) != SETPAY_OK)
        return refuse_cursor(problem);
    return setpay_settlement_page_read(db, context->port, before, (size_t)limit, result);
}

enum setpay_error setpay_merchant_command_settlement_show(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    const char *cursor = NULL;
    struct setpay_id id;
    int64_t limit = 0;
    SETPAY_TRY(read_args(args, &limit, &cursor, &id, problem));
    return explain(setpay_settlement_find_read(db, context->port, &id, result), args, problem);
}

enum setpay_error setpay_merchant_command_settlement_rows(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    const char *cursor = NULL;
    struct setpay_id id;
    int64_t limit = 0, after = 0;
    SETPAY_TRY(read_args(args, &limit, &cursor, &id, problem));
    if (cursor != NULL && setpay_settlement_cursor_parse(cursor, &after) != SETPAY_OK)
        return refuse_cursor(problem);
    return explain(
        setpay_settlement_rows_read(db, context->port, &id, after, (size_t)limit, result), args,
        problem);
}

/* A day, from its begin in UTC on. */
static enum setpay_error read_since(const json_t *args, setpay_time_ms *since_ms,
                                    struct setpay_problem *problem)
{
    const char *text = NULL;
    struct setpay_date date;
    SETPAY_TRY(setpay_json_arg_text(args, "since", false, &text, problem));
    if (text == NULL)
        return SETPAY_OK;
    if (setpay_date_parse(text, &date) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "since: found '%.40s'; expected a date YYYY-MM-DD", text);
    *since_ms = setpay_date_start_ms(&date);
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_command_settlement_differences(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    static const char *const names[] = {"days", "since", "limit", "cursor", NULL};
    struct setpay_settlement_differences wanted = {.cursor = NULL};
    int64_t limit = 0, days = SETPAY_UNSETTLED_DAYS;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_page(args, &limit, &wanted.cursor, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "days", false, 0, DAYS_MAX, &days, problem));
    SETPAY_TRY(read_since(args, &wanted.closed_since_ms, problem));
    wanted.limit = (size_t)limit;
    wanted.closed_before_ms = context->now_ms - days * SETPAY_DAY_MS;
    enum setpay_error error =
        setpay_settlement_differences_read(db, context->port, &wanted, result);
    return error == SETPAY_E_INVALID ? refuse_cursor(problem) : error;
}
