/*
 * The operator's look at the batches: how each stands, what is in it, and what was signed of it.
 */
#include "gateway/commands.h"

#include "common/base/clock.h"
#include "common/net/control_json.h"
#include "common/net/evidence_json.h"
#include "common/store/batch_evidence.h"
#include "gateway/clearing/batch.h"

#include <stdlib.h>
#include <string.h>

#define LISTED 50
#define LISTED_MAX 500
#define BATCH_NUMBER_MAX 999999999 /* of the wire */

static void set_money(json_t *object, const char *member, const char *text_member,
                      const char *currency, int64_t minor)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money amount = {.minor = minor};
    memcpy(amount.currency, currency, sizeof amount.currency);
    json_object_set_new(object, member, json_integer(minor));
    json_object_set_new(object, text_member, json_string(setpay_money_format(&amount, text)));
}

static enum setpay_error add_totals(struct setpay_db *db, const struct setpay_batch *batch,
                                    json_t *object)
{
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES];
    size_t count = 0;
    SETPAY_TRY(setpay_batch_totals(db, batch->id, totals, &count));
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_pack("{s:s, s:I, s:I}", "currency", totals[i].currency, "captures",
                                (json_int_t)totals[i].capture_count, "credits",
                                (json_int_t)totals[i].credit_count);
        set_money(one, "captured", "captured_text", totals[i].currency, totals[i].capture_minor);
        set_money(one, "credited", "credited_text", totals[i].currency, totals[i].credit_minor);
        json_array_append_new(list, one);
    }
    return json_object_set_new(object, "totals", list) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error describe(struct setpay_db *db, const struct setpay_batch *batch,
                                  json_t *object)
{
    char opened[SETPAY_TIME_TEXT_SIZE], closed[SETPAY_TIME_TEXT_SIZE];
    json_t *made = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:o}", "brand", batch->brand, "merchant_id", batch->merchant_id,
        "batch", (json_int_t)batch->number, "status", batch->open ? "open" : "closed", "opened",
        setpay_time_format(batch->opened_ms, opened), "closed",
        batch->open ? json_null() : json_string(setpay_time_format(batch->closed_ms, closed)));
    if (made == NULL || json_object_update(object, made) != 0) {
        json_decref(made);
        return SETPAY_E_NOMEM;
    }
    json_decref(made);
    return add_totals(db, batch, object);
}

/* ------------------------------------------------------------------ list */

struct wanted {
    const char *brand, *merchant_id; /* NULL: any */
    bool open_only;
    int64_t limit, before; /* by the row's id */
};

static enum setpay_error find(struct setpay_db *db, const struct wanted *wanted,
                              struct setpay_batch *batches, size_t *count)
{
    struct setpay_db_rows *rows;
    const char *brand = wanted->brand == NULL ? "" : wanted->brand;
    const char *merchant_id = wanted->merchant_id == NULL ? "" : wanted->merchant_id;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT id, brand, merchant_id, number, open, opened_ms, closed_ms FROM batch"
        " WHERE ($1 = '' OR brand = $1) AND ($2 = '' OR merchant_id = $2)"
        " AND ($3 = 0 OR open = 1) AND id < $4 ORDER BY id DESC LIMIT $5",
        SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(merchant_id), SETPAY_DB_BOOL(wanted->open_only),
        SETPAY_DB_INT(wanted->before), SETPAY_DB_INT(wanted->limit)));
    *count = 0;
    while (setpay_db_next(rows)) {
        struct setpay_batch *batch = &batches[(*count)++];
        batch->id = setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, batch->brand, sizeof batch->brand);
        setpay_db_get_text(rows, 2, batch->merchant_id, sizeof batch->merchant_id);
        batch->number = (uint32_t)setpay_db_get_int(rows, 3);
        batch->open = setpay_db_get_bool(rows, 4);
        batch->opened_ms = setpay_db_get_int(rows, 5);
        batch->closed_ms = setpay_db_get_int(rows, 6);
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_gateway_batch_list(struct setpay_db *db, const json_t *args,
                                            const struct setpay_vault *vault, json_t **result,
                                            struct setpay_problem *problem)
{
    static const char *const names[] = {"brand", "merchant_id", "open", "limit", "before", NULL};
    struct wanted wanted = {.limit = LISTED, .before = INT64_MAX};
    size_t count = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &wanted.brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", false, &wanted.merchant_id, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "open", false, &wanted.open_only, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &wanted.limit, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "before", false, 1, INT64_MAX, &wanted.before, problem));
    struct setpay_batch *batches = calloc((size_t)wanted.limit, sizeof *batches);
    if (batches == NULL)
        return SETPAY_E_NOMEM;
    json_t *list = json_array();
    enum setpay_error error = find(db, &wanted, batches, &count);
    for (size_t i = 0; i < count && error == SETPAY_OK; i++) {
        json_t *object = json_object();
        json_array_append_new(list, object);
        error = describe(db, &batches[i], object);
    }
    bool is_full = count == (size_t)wanted.limit;
    int64_t last = is_full ? batches[count - 1].id : 0;
    free(batches);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o, s:o}", "batches", list, "before",
                        is_full ? json_integer(last) : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ show */

static json_t *item_json(const struct setpay_batch_item *item)
{
    char xid[SETPAY_ID_TEXT_SIZE], id[SETPAY_ID_TEXT_SIZE], date[SETPAY_TIME_TEXT_SIZE];
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind",
                               item->kind == SETPAY_BATCH_CAPTURE ? "capture" : "credit", "id",
                               setpay_id_format(&item->id, id), "xid",
                               setpay_id_format(&item->xid, xid), "currency", item->amount.currency,
                               "date", setpay_time_format(item->date_ms, date));
    set_money(object, "amount", "amount_text", item->amount.currency, item->amount.minor);
    return object;
}

static enum setpay_error add_items(struct setpay_db *db, const struct setpay_batch *batch,
                                   json_t *list)
{
    struct setpay_batch_item items[SETPAY_LIMIT_BATCH_ITEMS];
    struct setpay_id after;
    bool more = true, first = true;
    while (more) {
        size_t count = 0;
        SETPAY_TRY(setpay_batch_items(db, batch->id, first ? NULL : &after, items, &count, &more));
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, item_json(&items[i]));
        if (count == 0)
            return SETPAY_OK;
        after = items[count - 1].id;
        first = false;
    }
    return SETPAY_OK;
}

/* One with its items, as the commands give it. */
static enum setpay_error give(struct setpay_db *db, const struct setpay_batch *batch,
                              json_t **result)
{
    json_t *object = json_object();
    json_t *list = json_array();
    enum setpay_error error = describe(db, batch, object);
    if (error == SETPAY_OK)
        error = add_items(db, batch, list);
    json_object_set_new(object, "items", list);
    if (error != SETPAY_OK) {
        json_decref(object);
        return error;
    }
    *result = object;
    return SETPAY_OK;
}

static enum setpay_error find_named(struct setpay_db *db, const json_t *args,
                                    struct setpay_batch *batch, struct setpay_problem *problem)
{
    static const char *const names[] = {"brand", "merchant_id", "batch", NULL};
    const char *brand = NULL, *merchant_id = NULL;
    int64_t number = 0;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", true, &brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", true, &merchant_id, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "batch", true, 1, BATCH_NUMBER_MAX, &number, problem));
    enum setpay_error error = setpay_batch_find(db, brand, merchant_id, (uint32_t)number, batch);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "%.64s of %.32s has no batch %lld: see batch list", merchant_id,
                                  brand, (long long)number);
    return error;
}

enum setpay_error setpay_gateway_batch_show(struct setpay_db *db, const json_t *args,
                                            const struct setpay_vault *vault, json_t **result,
                                            struct setpay_problem *problem)
{
    struct setpay_batch batch;
    (void)vault;
    SETPAY_TRY(find_named(db, args, &batch, problem));
    return give(db, &batch, result);
}

/* ------------------------------------------------------------------ evidence */

/* More than are ever kept of one batch (payment/batch_admin.c). */
#define EVIDENCE_MAX 64

static enum setpay_error add_message(void *arg, const struct setpay_batch_evidence *evidence)
{
    json_t *file = arg;
    const struct setpay_evidence *message = &evidence->message;
    SETPAY_TRY(setpay_evidence_json_add(file, message->type, message->content, message->signature,
                                        message->certificate));
    const json_t *list = json_object_get(file, "messages");
    return json_object_set_new(json_array_get(list, json_array_size(list) - 1), "agreed",
                               json_boolean(evidence->agreed)) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_batch_evidence(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    struct setpay_batch batch;
    (void)vault;
    SETPAY_TRY(find_named(db, args, &batch, problem));
    json_t *file = json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:[]}", "setpay_evidence",
                             SETPAY_EVIDENCE_VERSION, "party", "gateway", "brand", batch.brand,
                             "merchant_id", batch.merchant_id, "batch", (json_int_t)batch.number,
                             "status", batch.open ? "open" : "closed", "messages");
    enum setpay_error error =
        file == NULL ? SETPAY_E_NOMEM
                     : setpay_batch_evidence_each(db, batch.id, 0, EVIDENCE_MAX, add_message, file);
    if (error != SETPAY_OK) {
        json_decref(file);
        return error;
    }
    *result = file;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ close */

enum setpay_error setpay_gateway_batch_close(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    struct setpay_batch batch;
    (void)vault;
    SETPAY_TRY(find_named(db, args, &batch, problem));
    if (!batch.open)
        return setpay_problem_set(problem, SETPAY_E_STATE, "batch %u of %s is closed since %s",
                                  (unsigned)batch.number, batch.merchant_id,
                                  setpay_time_format(batch.closed_ms, text));
    SETPAY_TRY(setpay_batch_close(db, &batch, false, setpay_clock_now_ms()));
    SETPAY_TRY(setpay_batch_find(db, batch.brand, batch.merchant_id, batch.number, &batch));
    return give(db, &batch, result);
}
