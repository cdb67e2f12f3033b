/*
 * The operator's commands that settle, and that show settlements and their items. What can be many
 * comes in pages: an answer of the administration socket is one line of a limited size.
 */
#include "gateway/commands.h"

#include "common/base/log.h"
#include "common/net/control_json.h"
#include "gateway/clearing/ahead.h"
#include "gateway/clearing/items.h"
#include "gateway/clearing/settlement.h"
#include "gateway/settlement_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLEMENTS_PAGE 500
#define ITEMS_PAGE 1000

/* ------------------------------------------------------------------ settling */

static enum setpay_error read_date(const json_t *args, const char *name, bool required,
                                   const char **text, struct setpay_date *date,
                                   struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_json_arg_text(args, name, required, text, problem));
    if (*text != NULL && setpay_date_parse(*text, date) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "date '%.40s': expected a day, YYYY-MM-DD", *text);
    return SETPAY_OK;
}

void setpay_gateway_log_settled(const json_t *result)
{
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "settlements"), index, one)
    {
        struct setpay_settlement s;
        struct setpay_money payout = {0}, carried = {0};
        if (setpay_settlement_from_json(one, &s) != SETPAY_OK)
            continue;
        payout.minor = s.payout_minor;
        carried.minor = s.carried_out_minor;
        memcpy(payout.currency, s.currency, sizeof payout.currency);
        memcpy(carried.currency, s.currency, sizeof carried.currency);
        setpay_log(SETPAY_LOG_INFO, "settlement.made", setpay_field_text("brand", s.brand),
                   setpay_field_text("merchant", s.merchant_id), setpay_field_text("day", s.day),
                   setpay_field_id("settlement", &s.token), setpay_field_money("payout", &payout),
                   setpay_field_money("carried", &carried),
                   setpay_field_int("refused", s.sums.refused_count));
    }
}

static json_t *stopped_json(const struct setpay_settling_stopped *stopped)
{
    bool is_ahead = stopped->why == SETPAY_SETTLING_AHEAD;
    json_t *object = json_pack("{s:s, s:s, s:s}", "brand", stopped->brand, "merchant_id",
                               stopped->merchant_id, "why", is_ahead ? "ahead" : "zone");
    if (object != NULL && !is_ahead)
        json_object_set_new(object, "zone", json_string(stopped->zone));
    if (object == NULL || !is_ahead)
        return object;
    json_object_set_new(object, "currency", json_string(stopped->currency));
    json_object_set_new(object, "day", json_string(stopped->day));
    json_object_set_new(object, "items", json_integer(stopped->items));
    return object;
}

static json_t *settled_json(const struct setpay_settling *settling)
{
    json_t *list = json_array(), *stopped = json_array();
    for (size_t i = 0; i < settling->made_count; i++)
        json_array_append_new(list, setpay_settlement_json(&settling->made[i]));
    for (size_t i = 0; i < settling->stopped_count; i++)
        json_array_append_new(stopped, stopped_json(&settling->stopped[i]));
    return json_pack(
        "{s:o, s:o, s:b, s:s, s:s, s:I, s:I, s:I}", "settlements", list, "stopped", stopped, "more",
        (int)settling->more, "after_brand", settling->brand, "after_merchant_id",
        settling->merchant_id, "waiting", (json_int_t)settling->waiting_count, "later",
        (json_int_t)settling->later_count, "not_ended", (json_int_t)settling->not_ended_count);
}

/* Behind it: where something would be settled, by a clock that can't be believed. */
static enum setpay_error check_clock(const struct setpay_settling *settling, setpay_time_ms last_ms,
                                     bool force, struct setpay_problem *problem)
{
    char last[SETPAY_TIME_TEXT_SIZE], now[SETPAY_TIME_TEXT_SIZE];
    if (force || settling->made_count == 0 ||
        setpay_settlement_check_clock(last_ms, settling->now_ms) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_STATE,
        "nothing was settled: by this machine's clock it is %s, and the newest that is known here "
        "is of %s, more than %d days before; where the clock is right, settle --force",
        setpay_time_format(settling->now_ms, now), setpay_time_format(last_ms, last),
        SETPAY_SETTLEMENT_QUIET_DAYS);
}

/* Behind whom to go on: both, or neither. */
static enum setpay_error read_after(const json_t *args, struct setpay_settling *settling,
                                    struct setpay_problem *problem)
{
    const char *brand = NULL, *merchant_id = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "after_brand", false, &brand, problem));
    SETPAY_TRY(
        setpay_json_arg_text(args, "after_merchant_id", brand != NULL, &merchant_id, problem));
    if (brand == NULL || merchant_id == NULL)
        return SETPAY_OK;
    if (strlen(brand) >= sizeof settling->brand ||
        strlen(merchant_id) >= sizeof settling->merchant_id)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "after_brand, after_merchant_id: expected those that the answer "
                                  "before has");
    (void)snprintf(settling->brand, sizeof settling->brand, "%s", brand);
    (void)snprintf(settling->merchant_id, sizeof settling->merchant_id, "%s", merchant_id);
    return SETPAY_OK;
}

static enum setpay_error read_settling(const json_t *args, struct setpay_settling *settling,
                                       bool *force, struct setpay_problem *problem)
{
    static const char *const names[] = {"date", "force", "after_brand", "after_merchant_id", NULL};
    const char *text = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_date(args, "date", false, &text, &settling->date, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "force", false, force, problem));
    settling->has_date = text != NULL;
    return read_after(args, settling, problem);
}

enum setpay_error setpay_gateway_settle(struct setpay_db *db, const json_t *args,
                                        const struct setpay_vault *vault, json_t **result,
                                        struct setpay_problem *problem)
{
    setpay_time_ms last_ms = 0;
    bool force = false;
    (void)vault;
    struct setpay_settling *settling = calloc(1, sizeof *settling);
    if (settling == NULL)
        return SETPAY_E_NOMEM;
    settling->now_ms = setpay_clock_now_ms();
    enum setpay_error error = read_settling(args, settling, &force, problem);
    if (error == SETPAY_OK)
        error = setpay_settlement_last_kept(db, &last_ms);
    if (error == SETPAY_OK)
        error = setpay_settle(db, settling);
    if (error == SETPAY_OK)
        error = check_clock(settling, last_ms, force, problem);
    if (error == SETPAY_OK) {
        *result = settled_json(settling);
        error = *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    free(settling);
    return error;
}

/* ------------------------------------------------------------------ a day to come */

enum setpay_error setpay_gateway_settlement_step_over(struct setpay_db *db, const json_t *args,
                                                      const struct setpay_vault *vault,
                                                      json_t **result,
                                                      struct setpay_problem *problem)
{
    static const char *const names[] = {"day", "reason", NULL};
    const char *day = NULL, *reason = NULL;
    char now[SETPAY_TIME_TEXT_SIZE];
    struct setpay_date date = {0};
    setpay_time_ms now_ms = setpay_clock_now_ms();
    int64_t count = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_date(args, "day", true, &day, &date, problem));
    SETPAY_TRY(setpay_json_arg_words(args, "reason", SETPAY_AHEAD_REASON_SIZE, &reason, problem));
    enum setpay_error error = setpay_settlement_step_over(db, day, now_ms, reason, &count);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "nothing is settled for %s that has not ended: by this machine's "
                                  "clock it is %s",
                                  day, setpay_time_format(now_ms, now));
    SETPAY_TRY(error);
    *result = json_pack("{s:s, s:I, s:s}", "day", day, "stepped_over", (json_int_t)count, "reason",
                        reason);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

void setpay_gateway_log_stepped_over(const json_t *result)
{
    setpay_log(
        SETPAY_LOG_WARN, "settlement.stepped_over",
        setpay_field_text("day", json_string_value(json_object_get(result, "day"))),
        setpay_field_int("count", json_integer_value(json_object_get(result, "stepped_over"))));
}

/* ------------------------------------------------------------------ looking */

struct page {
    json_t *list;
    int64_t last;
};

static json_t *end_page(const char *name, const struct page *page, size_t full)
{
    return json_pack("{s:o, s:o}", name, page->list, "next_after",
                     json_array_size(page->list) == full ? json_integer(page->last) : json_null());
}

static enum setpay_error add_settlement(void *arg, const struct setpay_settlement *settlement)
{
    struct page *page = arg;
    page->last = settlement->id;
    return json_array_append_new(page->list, setpay_settlement_json(settlement)) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_settlement_list(struct setpay_db *db, const json_t *args,
                                                 const struct setpay_vault *vault, json_t **result,
                                                 struct setpay_problem *problem)
{
    static const char *const names[] = {"day", "brand", "merchant_id", "after", NULL};
    struct setpay_settlement_filter filter = {.limit = SETTLEMENTS_PAGE};
    struct setpay_date date;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_date(args, "day", true, &filter.day, &date, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &filter.brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", false, &filter.merchant_id, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &filter.after, problem));
    struct page page = {.list = json_array()};
    enum setpay_error error = setpay_settlement_each(db, &filter, add_settlement, &page);
    if (error != SETPAY_OK) {
        json_decref(page.list);
        return error;
    }
    *result = end_page("settlements", &page, SETTLEMENTS_PAGE);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_item(void *arg, const struct setpay_clearing_item *item)
{
    struct page *page = arg;
    page->last = item->id;
    return json_array_append_new(page->list, setpay_clearing_item_json(item)) == 0 ? SETPAY_OK
                                                                                   : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_clearing_items(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    static const char *const names[] = {"settlement", "after", NULL};
    int64_t settlement = 0, after = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "settlement", true, 1, INT64_MAX, &settlement, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &after, problem));
    struct page page = {.list = json_array()};
    enum setpay_error error =
        setpay_clearing_items_each(db, settlement, after, ITEMS_PAGE, add_item, &page);
    if (error != SETPAY_OK) {
        json_decref(page.list);
        return error;
    }
    *result = end_page("items", &page, ITEMS_PAGE);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_part(const json_t *args, enum setpay_clearing_part *part,
                                   struct setpay_problem *problem)
{
    static const struct {
        const char *name;
        enum setpay_clearing_part part;
    } parts[] = {{"open", SETPAY_CLEARING_OPEN},
                 {"sales", SETPAY_CLEARING_SALES},
                 {"answered", SETPAY_CLEARING_ANSWERED},
                 {"claimed", SETPAY_CLEARING_CLAIMED}};
    const char *name = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "part", true, &name, problem));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *part = parts[i].part;
        if (strcmp(name, parts[i].name) == 0)
            return SETPAY_OK;
    }
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "part: found '%.20s', expected open, sales, answered or claimed",
                              name);
}

enum setpay_error setpay_gateway_clearing_window(struct setpay_db *db, const json_t *args,
                                                 const struct setpay_vault *vault, json_t **result,
                                                 struct setpay_problem *problem)
{
    static const char *const names[] = {"part", "from_ms", "to_ms", "after_ms", "after", NULL};
    struct setpay_clearing_window window = {.limit = ITEMS_PAGE};
    struct setpay_clearing_at next = {0, 0};
    bool more = false;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_part(args, &window.part, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "from_ms", true, 0, INT64_MAX, &window.from_ms, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "to_ms", true, 0, INT64_MAX, &window.to_ms, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "after_ms", false, 0, INT64_MAX, &window.after.ms, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &window.after.id, problem));
    struct page page = {.list = json_array()};
    enum setpay_error error =
        setpay_clearing_window_each(db, &window, add_item, &page, &next, &more);
    if (error != SETPAY_OK) {
        json_decref(page.list);
        return error;
    }
    *result = json_pack("{s:o, s:b, s:I, s:I}", "items", page.list, "more", (int)more,
                        "next_after_ms", (json_int_t)next.ms, "next_after", (json_int_t)next.id);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_clearing_named(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    static const char *const names[] = {"names", NULL};
    const json_t *list = json_object_get(args, "names"), *one;
    size_t index;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    if (!json_is_array(list) || json_array_size(list) > SETPAY_CLEARING_NAMES_MAX)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "names: expected an array of up to %d ids of 32 hex digits",
                                  SETPAY_CLEARING_NAMES_MAX);
    struct page page = {.list = json_array()};
    enum setpay_error error = SETPAY_OK;
    json_array_foreach(list, index, one)
    {
        struct setpay_id name;
        if (error == SETPAY_OK &&
            (!json_is_string(one) || setpay_id_parse(json_string_value(one), &name) != SETPAY_OK))
            error = setpay_problem_set(problem, SETPAY_E_INVALID,
                                       "names: entry %zu is no id of 32 hex digits", index + 1);
        if (error == SETPAY_OK)
            error = setpay_clearing_item_named(db, &name, add_item, &page);
    }
    if (error != SETPAY_OK) {
        json_decref(page.list);
        return error;
    }
    *result = json_pack("{s:o}", "items", page.list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_told(void *arg, const struct setpay_suspense_told *told)
{
    struct page *page = arg;
    page->last = told->id;
    return json_array_append_new(page->list, setpay_suspense_told_json(told)) == 0 ? SETPAY_OK
                                                                                   : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_suspense_cleared(struct setpay_db *db, const json_t *args,
                                                  const struct setpay_vault *vault, json_t **result,
                                                  struct setpay_problem *problem)
{
    static const char *const names[] = {"settlement", "after", NULL};
    int64_t settlement = 0, after = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "settlement", true, 1, INT64_MAX, &settlement, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &after, problem));
    struct page page = {.list = json_array()};
    enum setpay_error error =
        setpay_suspense_told_each(db, settlement, after, ITEMS_PAGE, add_told, &page);
    if (error != SETPAY_OK) {
        json_decref(page.list);
        return error;
    }
    *result = end_page("cleared", &page, ITEMS_PAGE);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}
