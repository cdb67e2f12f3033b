/*
 * report settlement and report clearing: the settlements of a day, with their items where the
 * report shows these, out of the database in pages, and into one text.
 */
#include "gateway/books_cli.h"

#include "common/net/control_json.h"
#include "gateway/clearing/report.h"
#include "gateway/settlement_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum setpay_error report_fn(const struct setpay_report *report,
                                    struct setpay_buffer *bytes);

struct format {
    const char *name;
    report_fn *build;
    bool shows_items;
    bool is_of_one; /* handed to a merchant, who must not see what others sold */
};

static const struct format formats[] = {
    {"csv", setpay_report_csv, .shows_items = false},
    {"items", setpay_report_items, .shows_items = true, .is_of_one = true},
    {"camt.053", setpay_report_camt_053, .shows_items = false},
    {"camt.054", setpay_report_camt_054, .shows_items = true},
};
static const struct format clearing = {"clearing", setpay_report_clearing, .shows_items = true};

struct fetched {
    struct setpay_settlement *settlements;
    size_t settlement_count;
    struct setpay_clearing_item *items;
    size_t item_count;
    struct setpay_gateway_dispute *disputes;
    size_t dispute_count;
    struct setpay_suspense_told *cleared;
    size_t cleared_count;
};

/* ------------------------------------------------------------------ fetching */

static enum setpay_error take_settlements(const json_t *list, struct fetched *fetched)
{
    size_t index;
    const json_t *one;
    fetched->settlements = calloc(json_array_size(list) + 1, sizeof *fetched->settlements);
    if (fetched->settlements == NULL)
        return SETPAY_E_NOMEM;
    json_array_foreach(list, index, one)
    {
        SETPAY_TRY(setpay_settlement_from_json(one, &fetched->settlements[index]));
        fetched->settlement_count++;
    }
    return SETPAY_OK;
}

static enum setpay_error take_items(const json_t *list, struct fetched *fetched)
{
    size_t index;
    const json_t *one;
    size_t room = fetched->item_count + json_array_size(list) + 1;
    struct setpay_clearing_item *items = realloc(fetched->items, room * sizeof *items);
    if (items == NULL)
        return SETPAY_E_NOMEM;
    fetched->items = items;
    json_array_foreach(list, index, one)
    {
        SETPAY_TRY(setpay_clearing_item_from_json(one, &items[fetched->item_count]));
        fetched->item_count++;
    }
    return SETPAY_OK;
}

static enum setpay_error fetch_items(struct setpay_operator_asker *asker, int64_t settlement,
                                     struct fetched *fetched, struct setpay_problem *problem)
{
    json_t *list = json_array();
    json_t *asked = json_pack("{s:I}", "settlement", (json_int_t)settlement);
    enum setpay_error error =
        setpay_books_pages(asker, "clearing.items", asked, "items", list, problem);
    if (error == SETPAY_OK)
        error = take_items(list, fetched);
    json_decref(asked);
    json_decref(list);
    return error;
}

static enum setpay_error take_disputes(const json_t *list, struct fetched *fetched)
{
    size_t index;
    const json_t *one;
    size_t room = fetched->dispute_count + json_array_size(list) + 1;
    struct setpay_gateway_dispute *disputes = realloc(fetched->disputes, room * sizeof *disputes);
    if (disputes == NULL)
        return SETPAY_E_NOMEM;
    fetched->disputes = disputes;
    json_array_foreach(list, index, one)
    {
        SETPAY_TRY(setpay_dispute_from_json(one, &disputes[fetched->dispute_count]));
        fetched->dispute_count++;
    }
    return SETPAY_OK;
}

static enum setpay_error fetch_disputes(struct setpay_operator_asker *asker,
                                        const struct setpay_settlement *settlement,
                                        struct fetched *fetched, struct setpay_problem *problem)
{
    if (settlement->adjusted.disputed_count + settlement->adjusted.returned_count == 0)
        return SETPAY_OK;
    json_t *list = json_array();
    json_t *asked = json_pack("{s:I}", "settlement", (json_int_t)settlement->id);
    enum setpay_error error =
        setpay_books_pages(asker, "dispute.list", asked, "disputes", list, problem);
    if (error == SETPAY_OK)
        error = take_disputes(list, fetched);
    json_decref(asked);
    json_decref(list);
    return error;
}

static enum setpay_error take_cleared(const json_t *list, struct fetched *fetched)
{
    size_t index;
    const json_t *one;
    size_t room = fetched->cleared_count + json_array_size(list) + 1;
    struct setpay_suspense_told *cleared = realloc(fetched->cleared, room * sizeof *cleared);
    if (cleared == NULL)
        return SETPAY_E_NOMEM;
    fetched->cleared = cleared;
    json_array_foreach(list, index, one)
    {
        SETPAY_TRY(setpay_suspense_told_from_json(one, &fetched->cleared[fetched->cleared_count]));
        fetched->cleared_count++;
    }
    return SETPAY_OK;
}

static enum setpay_error fetch_cleared(struct setpay_operator_asker *asker, int64_t settlement,
                                       struct fetched *fetched, struct setpay_problem *problem)
{
    json_t *list = json_array();
    json_t *asked = json_pack("{s:I}", "settlement", (json_int_t)settlement);
    enum setpay_error error =
        setpay_books_pages(asker, "suspense.cleared", asked, "cleared", list, problem);
    if (error == SETPAY_OK)
        error = take_cleared(list, fetched);
    json_decref(asked);
    json_decref(list);
    return error;
}

static enum setpay_error fetch(struct setpay_operator_asker *asker, const json_t *asked,
                               bool with_items, struct fetched *fetched,
                               struct setpay_problem *problem)
{
    json_t *list = json_array();
    enum setpay_error error =
        setpay_books_pages(asker, "settlement.list", asked, "settlements", list, problem);
    if (error == SETPAY_OK)
        error = take_settlements(list, fetched);
    json_decref(list);
    for (size_t i = 0; error == SETPAY_OK && with_items && i < fetched->settlement_count; i++) {
        error = fetch_items(asker, fetched->settlements[i].id, fetched, problem);
        if (error == SETPAY_OK)
            error = fetch_disputes(asker, &fetched->settlements[i], fetched, problem);
        if (error == SETPAY_OK)
            error = fetch_cleared(asker, fetched->settlements[i].id, fetched, problem);
    }
    return error;
}

/* ------------------------------------------------------------------ the report */

static enum setpay_error build(const struct setpay_config *config, const struct format *format,
                               const char *day, const struct fetched *fetched, json_t **result,
                               struct setpay_problem *problem)
{
    const struct setpay_report report = {
        .gateway_id = setpay_config_text(config, "", "id"),
        .acquirer_id = setpay_books_acquirer(config),
        .day = day,
        .created_ms = setpay_clock_now_ms(),
        .settlements = fetched->settlements,
        .settlement_count = fetched->settlement_count,
        .items = fetched->items,
        .item_count = fetched->item_count,
        .disputes = fetched->disputes,
        .dispute_count = fetched->dispute_count,
        .cleared = fetched->cleared,
        .cleared_count = fetched->cleared_count,
    };
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_REPORT_MAX);
    enum setpay_error error = format->build(&report, &bytes);
    if (error == SETPAY_E_NOT_FOUND)
        error = setpay_problem_set(problem, error,
                                   "nothing was settled for %s, and a report in %s can't be empty; "
                                   "see settle --date %s",
                                   day, format->name, day);
    if (error == SETPAY_E_INTERNAL)
        error = setpay_problem_set(
            problem, error, "a settlement for %s is not what its items come to; see audit", day);
    if (error == SETPAY_OK) {
        *result = json_pack("{s:s, s:s, s:I, s:s%}", "format", format->name, "day", day,
                            "settlements", (json_int_t)fetched->settlement_count, "content",
                            (const char *)bytes.data, bytes.size);
        error = *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    setpay_buffer_clear(&bytes);
    return error;
}

static enum setpay_error report(struct setpay_operator_asker *asker,
                                const struct setpay_config *config, const struct format *format,
                                const json_t *args, json_t **result, struct setpay_problem *problem)
{
    struct fetched fetched = {.settlements = NULL};
    const char *day = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "day", false, &day, problem));
    if (day == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--date is missing: expected the day of the report, YYYY-MM-DD");
    if (format->is_of_one && json_object_get(args, "merchant_id") == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--merchant-id is missing: --format %s is of one merchant, whom "
                                  "it is for",
                                  format->name);
    json_t *asked = json_deep_copy(args);
    json_object_del(asked, "format");
    enum setpay_error error = fetch(asker, asked, format->shows_items, &fetched, problem);
    json_decref(asked);
    if (error == SETPAY_OK)
        error = build(config, format, day, &fetched, result, problem);
    free(fetched.settlements);
    free(fetched.items);
    free(fetched.disputes);
    free(fetched.cleared);
    return error;
}

enum setpay_error setpay_books_report_settlement(struct setpay_operator_asker *asker,
                                                 const struct setpay_config *config,
                                                 const json_t *args, json_t **result,
                                                 struct setpay_problem *problem)
{
    const char *name = "csv";
    SETPAY_TRY(setpay_json_arg_text(args, "format", false, &name, problem));
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0)
            return report(asker, config, &formats[i], args, result, problem);
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "--format: found '%.40s', expected csv, items, camt.053 or camt.054",
                              name);
}

enum setpay_error setpay_books_report_clearing(struct setpay_operator_asker *asker,
                                               const struct setpay_config *config,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    return report(asker, config, &clearing, args, result, problem);
}

void setpay_books_print_report(const json_t *result)
{
    const json_t *content = json_object_get(result, "content");
    (void)fwrite(json_string_value(content), 1, json_string_length(content), stdout);
}
