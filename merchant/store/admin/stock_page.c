/*
 * Stock: what is there and what is low, one SKU with its log, and counting anew. Since a form may
 * be sent twice by one hand, one that changes what is there names the newest entry of the log that
 * its page has shown.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/shop_acts.h"
#include "merchant/store/stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 100

struct look {
    const struct setpay_admin *admin;
    const char *id;
    const char *after;
    bool low_only;
    json_t *rows; /* owned */
    char last[SETPAY_SHOP_ID_SIZE];
    bool more;
    int64_t newest; /* entry of the SKU's log; 0: there is none */
    struct setpay_shop_answer answer;
};

static enum setpay_error read_stock(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT v.sku, p.name, v.tracked, v.on_hand, v.reserved, v.low_at FROM variant v"
        " JOIN product p ON p.seq = v.product_seq"
        " WHERE v.sku > $1 AND ($2 = 0 OR (v.tracked = 1 AND v.on_hand - v.reserved <= v.low_at))"
        " ORDER BY v.sku LIMIT $3",
        SETPAY_DB_TEXT(look->after), SETPAY_DB_INT(look->low_only ? 1 : 0),
        SETPAY_DB_INT(SHOWN + 1)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char name[SETPAY_LIMIT_NAME_BYTES + 1];
        look->more = json_array_size(look->rows) == SHOWN;
        if (look->more)
            continue;
        setpay_db_get_text(rows, 0, look->last, sizeof look->last);
        setpay_db_get_text(rows, 1, name, sizeof name);
        bool tracked = setpay_db_get_bool(rows, 2);
        int64_t on_hand = setpay_db_get_int(rows, 3), reserved = setpay_db_get_int(rows, 4);
        int64_t left = on_hand - reserved, low_at = setpay_db_get_int(rows, 5);
        json_t *row = json_pack(
            "{s:s, s:s, s:o, s:o, s:o, s:b, s:b}", "sku", look->last, "name", name, "on_hand",
            tracked ? json_sprintf("%lld", (long long)on_hand) : json_string("not counted"),
            "reserved", json_sprintf("%lld", (long long)reserved), "left",
            tracked ? json_sprintf("%lld", (long long)left) : json_string("–"), "is_out",
            tracked && left <= 0, "is_low", tracked && left > 0 && left <= low_at);
        if (json_array_append_new(look->rows, row) != 0)
            error = SETPAY_E_NOMEM;
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

void setpay_admin_on_stock(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    const char *after = setpay_http_request_query(request, "after");
    struct look look = {.admin = admin,
                        .after = after != NULL ? after : "",
                        .low_only = setpay_http_request_query(request, "low") != NULL};
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return;
    look.rows = json_array();
    enum setpay_error error =
        look.rows == NULL ? SETPAY_E_NOMEM : setpay_store_read(admin->reader, read_stock, &look);
    if (error != SETPAY_OK) {
        json_decref(look.rows);
        setpay_admin_reply_failed(admin, request, error);
        return;
    }
    setpay_admin_reply(admin, request, &visit, 200, SETPAY_ADMIN_STOCK, "Stock", NULL,
                       json_pack("{s:o, s:b, s:s}", "stock", look.rows, "low", (int)look.low_only,
                                 "next", look.more ? look.last : ""));
}

/* ------------------------------------------------------------------ one SKU */

static enum setpay_error read_newest(struct setpay_db *db, const char *sku, int64_t *newest)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COALESCE(MAX(seq), 0) FROM stock_log WHERE sku = $1",
                             SETPAY_DB_TEXT(sku)));
    *newest = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error read_one(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    SETPAY_TRY(read_newest(db, look->id, &look->newest));
    const struct setpay_shop_ask ask = {.id = look->id,
                                        .version = SETPAY_SHOP_ANY_VERSION,
                                        .now_ms = setpay_clock_now_ms(),
                                        .settings = &look->admin->options.settings};
    return setpay_stock_show(db, &ask, &look->answer);
}

/* Times as people read them, and every member that the page names. */
static json_t *log_json(const json_t *log)
{
    json_t *list = json_array();
    size_t index;
    const json_t *entry;
    json_array_foreach(log, index, entry)
    {
        const char *at = json_string_value(json_object_get(entry, "at"));
        const char *order_id = json_string_value(json_object_get(entry, "order_id"));
        long long change = (long long)json_integer_value(json_object_get(entry, "change"));
        (void)json_array_append_new(list, json_pack("{s:o, s:o, s:O, s:O, s:s}", "at",
                                                    json_sprintf("%.10s %.5s UTC", at, at + 11),
                                                    "change", json_sprintf("%+lld", change),
                                                    "on_hand", json_object_get(entry, "on_hand"),
                                                    "reason", json_object_get(entry, "reason"),
                                                    "order_id", order_id != NULL ? order_id : ""));
    }
    return list;
}

/* What the forms of the page change, by their "how". */
enum how { BY_CHANGE, BY_COUNT, NOT_COUNTED, LOW_AT, HOWS };
static const struct {
    const char *name;
    const char *member; /* that takes the number; NULL: there is none */
    bool is_logged;     /* for a reason, then */
} hows[HOWS] = {
    [BY_CHANGE] = {"change", "change", true},
    [BY_COUNT] = {"count", "on_hand", true},
    [NOT_COUNTED] = {"uncounted", NULL, true},
    [LOW_AT] = {"low", "low_at", false},
};

static size_t how_of(const struct setpay_form *form)
{
    size_t how = 0;
    while (how < HOWS && strcmp(setpay_form_get(form, "how"), hows[how].name) != 0)
        how++;
    return how;
}

/* A form that was refused, and why. */
struct refused {
    const struct setpay_form *form;
    const struct setpay_json_fault *fault;
};

/* What stands in the forms: what is so, or what was typed into one that was refused (NULL: none),
 * with the reason beside its field. */
static void add_forms(json_t *values, const json_t *low_at, const struct refused *refused,
                      bool *whole)
{
    const size_t how = refused != NULL ? how_of(refused->form) : BY_CHANGE;
    const char *number = refused != NULL ? setpay_form_get(refused->form, "number") : "";
    const char *reason = refused != NULL ? setpay_form_get(refused->form, "reason") : "";
    const char *field = refused != NULL ? refused->fault->field : "";
    const char *words = refused != NULL ? refused->fault->words : "";
    const bool of_reason = strcmp(field, "reason") == 0;
    const bool of_number = field[0] != '\0' && !of_reason && strcmp(field, "how") != 0;
    const bool low = how == LOW_AT;
    setpay_shop_set(values, "to", json_boolean(how == BY_COUNT), whole);
    setpay_shop_set(values, "free", json_boolean(how == NOT_COUNTED), whole);
    setpay_shop_set(values, "by", json_boolean(how != BY_COUNT && how != NOT_COUNTED), whole);
    setpay_shop_set(values, "number", json_string(low ? "" : number), whole);
    setpay_shop_set(values, "reason_typed", json_string(reason), whole);
    setpay_shop_set(values, "low_at",
                    low ? json_string(number) : json_incref((json_t *)(uintptr_t)low_at), whole);
    setpay_shop_set(values, "wrong_number", json_string(of_number && !low ? words : ""), whole);
    setpay_shop_set(values, "wrong_low", json_string(of_number && low ? words : ""), whole);
    setpay_shop_set(values, "wrong_reason", json_string(of_reason ? words : ""), whole);
}

/* NULL without memory. */
static json_t *one_json(const struct look *look, const char *wrong, const char *done,
                        const struct refused *refused)
{
    const json_t *stock = look->answer.json;
    bool whole = true;
    json_t *values = json_pack(
        "{s:s, s:O, s:O, s:O, s:b, s:o, s:o, s:s, s:s}", "sku", look->id, "name",
        json_object_get(stock, "name"), "on_hand", json_object_get(stock, "on_hand"), "reserved",
        json_object_get(stock, "reserved"), "tracked",
        (int)json_is_true(json_object_get(stock, "tracked")), "log",
        log_json(json_object_get(stock, "log")), "seen",
        json_sprintf("%lld", (long long)look->newest), "wrong", wrong != NULL ? wrong : "", "done",
        done != NULL && wrong == NULL ? "The stock is changed." : "");
    add_forms(values, json_object_get(stock, "low_at"), refused, &whole);
    if (whole)
        return values;
    json_decref(values);
    return NULL;
}

/* refused: a form of the page; NULL: none. */
static void reply_one(struct setpay_admin *admin, struct setpay_http_request *request,
                      const struct setpay_admin_visit *visit, const char *sku, int status,
                      const char *wrong, const struct refused *refused)
{
    struct look look = {.admin = admin, .id = sku};
    enum setpay_error error = setpay_store_read(admin->reader, read_one, &look);
    const char *done = setpay_http_request_query(request, "done");
    if (error == SETPAY_OK)
        setpay_admin_reply(admin, request, visit, status, SETPAY_ADMIN_STOCK_ONE, sku, NULL,
                           one_json(&look, wrong, done, refused));
    else if (error == SETPAY_E_NOT_FOUND)
        setpay_admin_reply_error(admin, request, 404, look.answer.fault.words);
    else
        setpay_admin_reply_failed(admin, request, error);
    setpay_shop_answer_clear(&look.answer);
}

void setpay_admin_on_stock_one(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_visit visit;
    if (setpay_admin_visit_begin(arg, request, &visit))
        reply_one(arg, request, &visit, setpay_http_request_param(request, "sku"), 200, NULL, NULL);
}

static enum setpay_error check_seen(struct setpay_db *db, struct setpay_admin_task *task)
{
    char seen[24];
    int64_t newest = 0;
    SETPAY_TRY(read_newest(db, task->id, &newest));
    (void)snprintf(seen, sizeof seen, "%lld", (long long)newest);
    if (strcmp(seen, setpay_form_get(&task->form, "seen")) == 0)
        return SETPAY_OK;
    (void)setpay_json_fault_set(&task->fault, "",
                                "The stock has changed since you looked at it; nothing was done."
                                " See how it is now, and do it again where it is still needed.");
    return SETPAY_E_CONFLICT;
}

static enum setpay_error run(struct setpay_db *db, struct setpay_admin_task *task)
{
    struct setpay_shop_answer answer = {.json = NULL};
    const struct setpay_shop_ask ask = {.id = task->id,
                                        .body = task->body,
                                        .version = SETPAY_SHOP_ANY_VERSION,
                                        .now_ms = task->now_ms,
                                        .settings = &task->admin->options.settings};
    if (hows[how_of(&task->form)].is_logged)
        SETPAY_TRY(check_seen(db, task));
    enum setpay_error error = setpay_stock_adjust(db, &ask, &answer);
    task->fault = answer.fault;
    setpay_shop_answer_clear(&answer);
    return error;
}

static void adjusted(struct setpay_admin_task *task, enum setpay_error error)
{
    char path[SETPAY_SHOP_MADE_SIZE + 40];
    char words[512];
    (void)snprintf(words, sizeof words, "%s%s%s", task->fault.field,
                   task->fault.field[0] != '\0' ? ": " : "", task->fault.words);
    if (error == SETPAY_OK) {
        (void)snprintf(path, sizeof path, "/stock/%s?done=1", task->id);
        setpay_admin_go_to(task->request, path, NULL);
    } else if (setpay_admin_is_refusal(error)) {
        const struct refused refused = {.form = &task->form, .fault = &task->fault};
        reply_one(task->admin, task->request, &task->visit, task->id, 409, words, &refused);
    } else {
        setpay_admin_reply_failed(task->admin, task->request, error);
    }
}

static enum setpay_error read_number(struct setpay_admin_task *task, const char *member)
{
    const char *text = setpay_form_get(&task->form, "number");
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0')
        return setpay_json_fault_set(&task->fault, "number",
                                     "found '%.20s'; expected a whole number of pieces", text);
    return json_object_set_new(task->body, member, json_integer(number)) == 0 ? SETPAY_OK
                                                                              : SETPAY_E_NOMEM;
}

static enum setpay_error read_form(struct setpay_admin_task *task)
{
    size_t how = how_of(&task->form);
    const char *reason = setpay_form_get(&task->form, "reason");
    if (how == HOWS)
        return setpay_json_fault_set(&task->fault, "how", "found '%.20s'; expected one of the page",
                                     setpay_form_get(&task->form, "how"));
    task->body = json_object();
    if (hows[how].member != NULL)
        SETPAY_TRY(read_number(task, hows[how].member));
    if (hows[how].is_logged && reason[0] == '\0')
        return setpay_json_fault_set(&task->fault, "reason", "found nothing; expected why");
    bool whole = task->body != NULL;
    if (hows[how].is_logged)
        setpay_shop_set(task->body, "reason", json_string(reason), &whole);
    if (how == BY_COUNT || how == NOT_COUNTED) /* who counts it wants it counted from now on */
        setpay_shop_set(task->body, "tracked", json_boolean(how == BY_COUNT), &whole);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

void setpay_admin_on_stock_adjust(struct setpay_http_request *request, void *arg)
{
    const char *sku = setpay_http_request_param(request, "sku");
    struct setpay_admin_task *task = setpay_admin_task_new(arg, request);
    if (task == NULL)
        return;
    task->run = run;
    task->done = adjusted;
    (void)snprintf(task->id, sizeof task->id, "%.*s", (int)sizeof task->id - 1,
                   setpay_shop_is_sku(sku) ? sku : "none");
    enum setpay_error error = read_form(task);
    if (error != SETPAY_OK)
        setpay_admin_task_refuse(task, error);
    else
        setpay_admin_task_submit(task);
}
