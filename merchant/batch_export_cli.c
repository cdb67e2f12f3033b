/*
 * batch export: batches page by page into one file. Items stand in the order of their ids, so that
 * who compares sees by looking once whether one stands twice, or was moved.
 */
#include "merchant/batch_export.h"

#include "common/base/clock.h"
#include "common/net/batch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_PAGE 100

/* The file as it grows. */
struct export
{
    struct setpay_operator_asker *asker;
    struct setpay_problem *problem;
    json_t *batches;
    json_t *certificates; /* a set: base64 to true */
    json_t *kept_since;   /* a text; NULL until a batch was asked for */
};

/* ------------------------------------------------------------------ one batch */

static int by_id(const void *a, const void *b)
{
    const json_t *const *one = a, *const *other = b;
    return strcmp(json_string_value(json_object_get(*one, "id")),
                  json_string_value(json_object_get(*other, "id")));
}

static json_t *sorted(const json_t *items)
{
    size_t count = json_array_size(items);
    json_t *made = json_array();
    json_t **list = calloc(count + 1, sizeof(json_t *));
    if (list == NULL || made == NULL) {
        free(list);
        json_decref(made);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        list[i] = json_array_get(items, i);
    qsort(list, count, sizeof(json_t *), by_id);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append(made, list[i]);
    free(list);
    return made;
}

static enum setpay_error fetch(struct export *export, const json_t *batch, json_t *items,
                               json_t **totals)
{
    json_int_t after = 0;
    do {
        json_t *page = NULL;
        size_t index;
        const json_t *certificate;
        SETPAY_TRY(setpay_operator_ask(
            export->asker, "batch.items",
            json_pack("{s:I, s:s, s:I}", "batch",
                      json_integer_value(json_object_get(batch, "batch")), "brand",
                      json_string_value(json_object_get(batch, "brand")), "after", after),
            &page, export->problem));
        int failed = json_array_extend(items, json_object_get(page, "items"));
        json_array_foreach(json_object_get(page, "certificates"), index, certificate)
        {
            failed |= json_object_set_new(export->certificates, json_string_value(certificate),
                                          json_true());
        }
        after = json_integer_value(json_object_get(page, "next_after"));
        if (after == 0)
            *totals = json_incref(json_object_get(page, "totals"));
        json_decref(page);
        if (failed != 0)
            return SETPAY_E_NOMEM;
    } while (after != 0);
    return SETPAY_OK;
}

/* What the gateway has signed when it was to be closed: the answer that closes it becomes its
 * proof, those of before, which differed, are put into a list. A batch that was still being closed
 * when it was read stays so. */
static enum setpay_error add_answers(struct export *export, json_t *batch)
{
    json_int_t after = 0;
    bool closed = strcmp(json_string_value(json_object_get(batch, "status")), "closed") == 0;
    do {
        json_t *page = NULL, *answer;
        size_t index;
        int failed = 0;
        SETPAY_TRY(setpay_operator_ask(export->asker, "batch.evidence",
                                       json_pack("{s:O, s:O, s:I}", "batch",
                                                 json_object_get(batch, "batch"), "brand",
                                                 json_object_get(batch, "brand"), "after", after),
                                       &page, export->problem));
        json_array_foreach(json_object_get(page, "answers"), index, answer)
        {
            bool agreed = json_is_true(json_object_get(answer, "agreed"));
            failed |= json_object_del(answer, "agreed");
            if (!agreed && json_object_get(batch, "differed") == NULL)
                failed |= json_object_set_new(batch, "differed", json_array());
            if (!agreed)
                failed |= json_array_append(json_object_get(batch, "differed"), answer);
            else if (closed)
                failed |= json_object_set(batch, "proof", answer);
        }
        json_decref(export->kept_since);
        export->kept_since = json_incref(json_object_get(page, "kept_since"));
        after = json_integer_value(json_object_get(page, "next_after"));
        json_decref(page);
        if (failed != 0)
            return SETPAY_E_NOMEM;
    } while (after != 0);
    return SETPAY_OK;
}

/* batch, as batch.list has it, goes into the file. */
static enum setpay_error add_batch(struct export *export, const json_t *batch)
{
    struct setpay_digest hash;
    char text[SETPAY_DIGEST_TEXT_SIZE];
    json_t *items = json_array(), *totals = NULL, *in_order = NULL, *made = NULL;
    enum setpay_error error = items == NULL ? SETPAY_E_NOMEM : fetch(export, batch, items, &totals);
    if (error == SETPAY_OK && (in_order = sorted(items)) == NULL)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = setpay_batch_json_hash(in_order, &hash);
    if (error == SETPAY_OK) {
        made = json_pack("{s:O, s:O, s:O, s:O, s:O, s:s}", "brand", json_object_get(batch, "brand"),
                         "batch", json_object_get(batch, "batch"), "status",
                         json_object_get(batch, "status"), "totals", totals, "items", in_order,
                         "hash", setpay_digest_format(&hash, text));
        error = made == NULL ? SETPAY_E_NOMEM : add_answers(export, made);
    }
    if (error == SETPAY_OK && json_array_append(export->batches, made) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(made);
    json_decref(items);
    json_decref(totals);
    json_decref(in_order);
    return error;
}

/* ------------------------------------------------------------------ which */

static enum setpay_error add_named(struct export *export, const json_t *args)
{
    json_t *batch = NULL;
    SETPAY_TRY(setpay_operator_ask(export->asker, "batch.show", json_deep_copy(args), &batch,
                                   export->problem));
    enum setpay_error error = add_batch(export, batch);
    json_decref(batch);
    return error;
}

static bool is_wanted(const json_t *batch, const json_t *brand)
{
    return brand == NULL || json_equal(json_object_get(batch, "brand"), brand);
}

static enum setpay_error add_all(struct export *export, const json_t *brand)
{
    json_t *cursor = NULL;
    enum setpay_error error;
    do {
        json_t *page = NULL;
        size_t index;
        const json_t *batch;
        json_t *asked = json_pack("{s:i}", "limit", LIST_PAGE);
        if (json_is_string(cursor))
            json_object_set(asked, "cursor", cursor);
        json_decref(cursor);
        cursor = NULL;
        error = setpay_operator_ask(export->asker, "batch.list", asked, &page, export->problem);
        if (error != SETPAY_OK)
            return error;
        json_array_foreach(json_object_get(page, "batches"), index, batch)
        {
            if (error == SETPAY_OK && is_wanted(batch, brand))
                error = add_batch(export, batch);
        }
        cursor = json_incref(json_object_get(page, "next_cursor"));
        json_decref(page);
    } while (error == SETPAY_OK && json_is_string(cursor));
    json_decref(cursor);
    return error;
}

static json_t *certificate_list(const json_t *set)
{
    json_t *list = json_array();
    const char *text;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)set, text, value)
    {
        (void)value;
        (void)json_array_append_new(list, json_string(text));
    }
    return list;
}

enum setpay_error setpay_merchant_batch_export(struct setpay_operator_asker *asker,
                                               const struct setpay_config *config,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    const json_t *brand = json_object_get(args, "brand");
    bool all = json_is_true(json_object_get(args, "all"));
    char exported[SETPAY_TIME_TEXT_SIZE];
    struct export export = {
        .asker = asker, .problem = problem, .batches = json_array(), .certificates = json_object()};
    if (all && json_object_get(args, "batch") != NULL) {
        json_decref(export.batches);
        json_decref(export.certificates);
        return setpay_problem_set(
            problem, SETPAY_E_USAGE,
            "batch export: expected the number of a batch or --all, not both");
    }
    (void)setpay_time_format(setpay_clock_now_ms(), exported); /* before anything is read */
    enum setpay_error error = all ? add_all(&export, brand) : add_named(&export, args);
    if (error == SETPAY_OK) {
        *result =
            json_pack("{s:i, s:s, s:s, s:b, s:O, s:o}", "setpay_batch", SETPAY_BATCH_FILE_VERSION,
                      "merchant_id", setpay_config_text(config, "", "id"), "exported", exported,
                      "complete", (int)(all && brand == NULL), "batches", export.batches,
                      "certificates", certificate_list(export.certificates));
        error = *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    if (error == SETPAY_OK && export.kept_since != NULL)
        error = json_object_set(*result, "answers_kept_since", export.kept_since) == 0
                    ? SETPAY_OK
                    : SETPAY_E_NOMEM;
    json_decref(export.kept_since);
    json_decref(export.batches);
    json_decref(export.certificates);
    return error;
}

void setpay_merchant_batch_print_export(const json_t *result)
{
    (void)json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
}
