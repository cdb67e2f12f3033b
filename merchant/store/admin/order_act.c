/*
 * POST /orders/{id}/{act}: what the owner does to an order. The same operations as the API's; and
 * since a form may be sent twice by one hand, each names how the order was when its page was made.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/order_json.h"
#include "merchant/store/order_step.h"
#include "merchant/store/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool is_step;
    enum setpay_order_step_action step;
    enum setpay_order_action action;
} acts[] = {
    {"ship", true, SETPAY_ORDER_SHIP, 0},      {"capture", true, SETPAY_ORDER_CAPTURE, 0},
    {"refund", true, SETPAY_ORDER_REFUND, 0},  {"void", false, 0, SETPAY_ORDER_VOID},
    {"cancel", false, 0, SETPAY_ORDER_CANCEL},
};
#define ACTS (sizeof acts / sizeof *acts)

/* The task's data. */
struct order_task {
    size_t act;
    struct setpay_step_request request;
    struct setpay_part_request part;
};

static enum setpay_error check_seen(struct setpay_db *db, struct setpay_admin_task *task)
{
    struct setpay_order_view view = {.payments = NULL};
    char seen[64];
    SETPAY_TRY(
        setpay_order_view_find(db, task->admin->options.port, task->id, task->now_ms, &view));
    (void)snprintf(seen, sizeof seen, "%zu.%zu.%d", view.step_count, view.parts->count,
                   (int)view.order.end);
    setpay_order_view_clear(&view);
    if (strcmp(seen, setpay_form_get(&task->form, "seen")) == 0)
        return SETPAY_OK;
    (void)setpay_json_fault_set(&task->fault, "",
                                "The order has changed since you looked at it; nothing was done."
                                " See how it is now, and do it again where it is still needed.");
    return SETPAY_E_CONFLICT;
}

static enum setpay_error run_step(struct setpay_db *db, struct setpay_admin_task *task,
                                  const struct order_task *wanted)
{
    enum setpay_order_step_action action = acts[wanted->act].step;
    struct setpay_order_result result = {.under_way = false};
    int64_t left_minor = 0;
    char words[320];
    enum setpay_error error =
        setpay_order_step(db, task->admin->options.port, action, task->id, &wanted->request, true,
                          task->now_ms, &result, &left_minor);
    if (result.fault.words[0] != '\0') {
        task->fault = result.fault;
    } else if (error != SETPAY_OK && setpay_admin_is_refusal(error) &&
               error != SETPAY_E_NOT_FOUND) {
        setpay_order_step_explain(action, &wanted->request, error, &result.view, left_minor, words,
                                  sizeof words);
        (void)setpay_json_fault_set(&task->fault, "", "%s", words);
    }
    setpay_order_view_clear(&result.view);
    return error;
}

static enum setpay_error run_action(struct setpay_db *db, struct setpay_admin_task *task,
                                    const struct order_task *wanted)
{
    enum setpay_order_action action = acts[wanted->act].action;
    struct setpay_order_result result = {.under_way = false};
    char words[320];
    enum setpay_error error = setpay_order_act(db, task->admin->options.port, action, task->id,
                                               true, task->now_ms, &result);
    if (error == SETPAY_E_STATE) {
        setpay_order_act_explain(action, &result.view, words, sizeof words);
        (void)setpay_json_fault_set(&task->fault, "", "%s", words);
    }
    setpay_order_view_clear(&result.view);
    return error;
}

static enum setpay_error run(struct setpay_db *db, struct setpay_admin_task *task)
{
    const struct order_task *wanted = task->data;
    SETPAY_TRY(check_seen(db, task));
    return acts[wanted->act].is_step ? run_step(db, task, wanted) : run_action(db, task, wanted);
}

static void done(struct setpay_admin_task *task, enum setpay_error error)
{
    char path[SETPAY_SHOP_MADE_SIZE + 40];
    if (error == SETPAY_OK) {
        (void)snprintf(path, sizeof path, "/orders/%s?done=%s", task->id, task->act);
        setpay_admin_go_to(task->request, path, NULL);
    } else if (setpay_admin_is_refusal(error)) {
        const struct setpay_admin_refused refused = {
            .act = task->act, .form = &task->form, .fault = &task->fault};
        /* Of an order that has changed meanwhile nobody knows whether it is still wanted. */
        setpay_admin_reply_order(task->admin, task->request, &task->visit, task->id, 409,
                                 task->fault.words[0] != '\0' ? task->fault.words
                                                              : "There is no such order.",
                                 error != SETPAY_E_CONFLICT && task->act != NULL ? &refused : NULL);
    } else {
        setpay_admin_reply_failed(task->admin, task->request, error);
    }
}

/* ------------------------------------------------------------------ the form */

/* "q1", "q2", …: how many of each line. */
static enum setpay_error read_lines(struct setpay_admin_task *task,
                                    struct setpay_part_request *part)
{
    for (size_t i = 0; i < SETPAY_LIMIT_OFFER_ITEMS; i++) {
        char name[8];
        char *end = NULL;
        (void)snprintf(name, sizeof name, "q%zu", i + 1);
        const char *text = setpay_form_get(&task->form, name);
        if (text[0] == '\0')
            continue;
        long long quantity = strtoll(text, &end, 10);
        if (*end != '\0' || quantity < 0 || quantity > SETPAY_ORDER_QUANTITY_MAX)
            return setpay_json_fault_set(&task->fault, name,
                                         "line %zu: found '%.20s'; expected a whole number of"
                                         " pieces, or 0",
                                         i + 1, text);
        if (quantity == 0)
            continue;
        part->wants[part->count].position = i;
        part->wants[part->count++].quantity = quantity;
    }
    return part->count > 0
               ? SETPAY_OK
               : setpay_json_fault_set(&task->fault, "", "no line has a number of pieces above 0");
}

static enum setpay_error read_amount(struct setpay_admin_task *task,
                                     struct setpay_step_request *request)
{
    const char *amount = setpay_form_get(&task->form, "amount");
    const char *currency = setpay_form_get(&task->form, "currency");
    char words[SETPAY_MONEY_WORDS_SIZE];
    struct setpay_money money;
    if (setpay_money_parse_typed(amount, currency, &money) != SETPAY_OK || money.minor < 1)
        return setpay_json_fault_set(
            &task->fault, "amount", "amount: %s",
            setpay_money_typed_explain(amount, currency, words, sizeof words));
    request->has_amount = true;
    request->amount_minor = money.minor;
    memcpy(request->currency, money.currency, sizeof request->currency);
    return SETPAY_OK;
}

static enum setpay_error read_tracking(struct setpay_admin_task *task,
                                       struct setpay_part_request *part)
{
    const struct {
        const char *name;
        char *out;
        size_t size;
    } texts[] = {
        {"carrier", part->carrier, sizeof part->carrier},
        {"tracking", part->tracking, sizeof part->tracking},
        {"tracking_url", part->tracking_url, sizeof part->tracking_url},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (setpay_form_copy(&task->form, texts[i].name, texts[i].out, texts[i].size) !=
                SETPAY_OK ||
            !setpay_order_text_is_plain(setpay_view_string(texts[i].out)))
            return setpay_json_fault_set(&task->fault, texts[i].name,
                                         "%s: expected one line of at most %zu characters",
                                         texts[i].name, texts[i].size - 1);
    }
    return part->tracking_url[0] == '\0' || setpay_part_url_is(part->tracking_url)
               ? SETPAY_OK
               : setpay_json_fault_set(&task->fault, "tracking_url",
                                       "the address to follow it: found '%.64s'; expected one that"
                                       " begins with https:// or http://",
                                       part->tracking_url);
}

static enum setpay_error read_of(struct setpay_admin_task *task, struct setpay_part_request *part)
{
    const char *of = setpay_form_get(&task->form, "of");
    part->of = strcmp(of, "unsent") == 0 ? SETPAY_PART_OF_UNSENT
               : strcmp(of, "sent") == 0 ? SETPAY_PART_OF_SENT
                                         : SETPAY_PART_OF_ANY;
    return of[0] == '\0' || part->of != SETPAY_PART_OF_ANY
               ? SETPAY_OK
               : setpay_json_fault_set(&task->fault, "of",
                                       "which pieces: found '%.20s'; expected 'unsent' or 'sent'",
                                       of);
}

static enum setpay_error read_form(struct setpay_admin_task *task, struct order_task *wanted)
{
    if (!acts[wanted->act].is_step)
        return SETPAY_OK;
    bool ships = acts[wanted->act].step == SETPAY_ORDER_SHIP;
    bool by_line = ships || setpay_form_get(&task->form, "by_line")[0] != '\0';
    if (!by_line)
        return read_amount(task, &wanted->request);
    wanted->request.part = &wanted->part;
    wanted->part.restock = !ships && setpay_form_get(&task->form, "restock")[0] != '\0';
    if (ships)
        SETPAY_TRY(read_tracking(task, &wanted->part));
    else
        SETPAY_TRY(read_of(task, &wanted->part));
    return read_lines(task, &wanted->part);
}

void setpay_admin_on_order_act(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    const char *name = setpay_http_request_param(request, "act");
    const char *id = setpay_http_request_param(request, "id");
    size_t act = 0;
    while (act < ACTS && strcmp(acts[act].name, name) != 0)
        act++;
    struct setpay_admin_task *task = setpay_admin_task_new(admin, request);
    if (task == NULL)
        return;
    task->run = run;
    task->done = done;
    struct order_task *wanted = calloc(1, sizeof *wanted);
    task->data = wanted;
    if (wanted == NULL) {
        setpay_admin_task_refuse(task, SETPAY_E_NOMEM);
    } else if (act == ACTS || strlen(id) >= SETPAY_ORDER_ID_SIZE) {
        setpay_admin_task_refuse(task, SETPAY_E_NOT_FOUND);
    } else {
        (void)snprintf(task->id, sizeof task->id, "%s", id);
        wanted->act = act;
        task->act = acts[act].name;
        enum setpay_error error = read_form(task, wanted);
        if (error != SETPAY_OK)
            setpay_admin_task_refuse(task, error);
        else
            setpay_admin_task_submit(task);
    }
}
