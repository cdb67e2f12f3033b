/*
 * Page by page, so that what is asked for is in memory once and not twice. An item may come twice:
 * as open and, answered in between, among the answered; or because two rows name it. What was told
 * last counts.
 */
#include "gateway/clearing_fetch.h"

#include "common/base/limits.h"
#include "gateway/settlement_json.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_AT_ONCE SETPAY_CLEARING_NAMES_MAX

struct fetch {
    setpay_clearing_ask_fn *ask;
    void *arg;
    struct setpay_clearing_compare *compare;
    struct setpay_problem *problem;
};

/* ------------------------------------------------------------------ asking */

static enum setpay_error add_items(struct setpay_clearing_compare *c, const json_t *list)
{
    size_t index;
    const json_t *one;
    struct setpay_clearing_item *items =
        realloc(c->items, (c->item_count + json_array_size(list) + 1) * sizeof *items);
    if (items == NULL)
        return SETPAY_E_NOMEM;
    c->items = items;
    json_array_foreach(list, index, one)
    {
        SETPAY_TRY(setpay_clearing_item_from_json(one, &items[c->item_count]));
        c->item_count++;
    }
    return SETPAY_OK;
}

/* args is taken; the rest of the answer is the caller's. */
static enum setpay_error ask(const struct fetch *fetch, const char *command, json_t *args,
                             json_t **answer)
{
    if (args == NULL)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(fetch->ask(fetch->arg, command, args, answer, fetch->problem));
    return add_items(fetch->compare, json_object_get(*answer, "items"));
}

static enum setpay_error fetch_part(const struct fetch *fetch, const char *part,
                                    setpay_time_ms from_ms, setpay_time_ms to_ms)
{
    json_int_t after_ms = 0, after = 0;
    bool more = true;
    while (more) {
        json_t *page = NULL;
        enum setpay_error error =
            ask(fetch, "clearing.window",
                json_pack("{s:s, s:I, s:I, s:I, s:I}", "part", part, "from_ms", (json_int_t)from_ms,
                          "to_ms", (json_int_t)to_ms, "after_ms", after_ms, "after", after),
                &page);
        more = json_is_true(json_object_get(page, "more"));
        after_ms = json_integer_value(json_object_get(page, "next_after_ms"));
        after = json_integer_value(json_object_get(page, "next_after"));
        json_decref(page);
        SETPAY_TRY(error);
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ each once */

/* Of two that are one, the one that is told last first: answered, then settled. */
static int by_step(const void *a, const void *b)
{
    const struct setpay_clearing_item *one = a, *other = b;
    int order = memcmp(one->step.bytes, other->step.bytes, sizeof one->step.bytes);
    if (order == 0)
        order = (int)other->acknowledged - (int)one->acknowledged;
    if (order == 0)
        order = one->settlement == other->settlement  ? 0
                : one->settlement > other->settlement ? -1
                                                      : 1;
    return order;
}

static void merge(struct setpay_clearing_compare *c)
{
    size_t kept = 0;
    if (c->item_count == 0)
        return;
    qsort(c->items, c->item_count, sizeof *c->items, by_step);
    for (size_t i = 1; i < c->item_count; i++)
        if (!setpay_id_equal(&c->items[i].step, &c->items[kept].step))
            c->items[++kept] = c->items[i];
    c->item_count = kept + 1;
}

/* Among the first count, which are sorted. */
static bool is_known(const struct setpay_clearing_compare *c, size_t count,
                     const struct setpay_id *step)
{
    size_t from = 0;
    while (from < count) {
        size_t middle = from + (count - from) / 2;
        int order = memcmp(step->bytes, c->items[middle].step.bytes, sizeof step->bytes);
        if (order == 0)
            return true;
        if (order < 0)
            count = middle;
        else
            from = middle + 1;
    }
    return false;
}

/* ------------------------------------------------------------------ by name */

static enum setpay_error ask_names(const struct fetch *fetch, json_t *names)
{
    json_t *answer = NULL;
    enum setpay_error error =
        ask(fetch, "clearing.named", json_pack("{s:O}", "names", names), &answer);
    json_decref(answer);
    json_array_clear(names);
    return error;
}

/* What rows of the file name and nothing else has brought. */
static enum setpay_error fetch_named(const struct fetch *fetch)
{
    const struct setpay_clearing_compare *c = fetch->compare;
    size_t count = c->item_count;
    enum setpay_error error = SETPAY_OK;
    json_t *names = json_array();
    for (size_t i = 0; i < c->file->row_count && error == SETPAY_OK; i++) {
        const struct setpay_clearing_row *row = &c->file->rows[i];
        struct setpay_id step;
        if (strcmp(row->acquirer, c->acquirer) != 0 ||
            setpay_id_parse(row->presentment, &step) != SETPAY_OK || is_known(c, count, &step))
            continue;
        if (json_array_append_new(names, json_string(row->presentment)) != 0)
            error = SETPAY_E_NOMEM;
        else if (json_array_size(names) == NAMES_AT_ONCE)
            error = ask_names(fetch, names);
    }
    if (error == SETPAY_OK && json_array_size(names) > 0)
        error = ask_names(fetch, names);
    json_decref(names);
    return error;
}

enum setpay_error setpay_clearing_fetch(setpay_clearing_ask_fn *ask_fn, void *arg,
                                        struct setpay_clearing_compare *compare,
                                        struct setpay_problem *problem)
{
    /* In this order: what is answered in between is in a later part. */
    static const char *const parts[] = {"open", "sales", "answered", "claimed"};
    const struct fetch fetch = {ask_fn, arg, compare, problem};
    setpay_time_ms from_ms, to_ms;
    setpay_clearing_compare_window(compare, &from_ms, &to_ms);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        SETPAY_TRY(fetch_part(&fetch, parts[i], from_ms, to_ms));
    merge(compare);
    SETPAY_TRY(fetch_named(&fetch));
    merge(compare);
    return SETPAY_OK;
}
