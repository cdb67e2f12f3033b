/*
 * Webhooks as the owner sees them: which there are, what was sent to each and what came of it, and
 * sending it again. They are made and changed by the API and the command line, which can show a
 * secret once.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/webhook/webhook_action.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 50

struct look {
    const char *id; /* NULL: all */
    const char *cursor;
    json_t *webhook; /* owned; or the list of them */
    json_t *page;    /* owned */
};

static enum setpay_error read_webhooks(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    if (look->id == NULL)
        return setpay_webhook_do_list(db, &look->webhook);
    SETPAY_TRY(setpay_webhook_do_show(db, look->id, &look->webhook));
    return setpay_webhook_do_deliveries(db, look->id, look->cursor, SHOWN, &look->page);
}

static const char *text_of(const json_t *json, const char *member)
{
    const char *text = json_string_value(json_object_get(json, member));
    return text != NULL ? text : "";
}

/* "2026-11-26T15:00:45.451Z" as pages show it. */
static json_t *time_of(const json_t *json, const char *member)
{
    const char *text = text_of(json, member);
    return strlen(text) < 16 ? json_string("") : json_sprintf("%.10s %.5s UTC", text, text + 11);
}

static json_t *events_json(const json_t *webhook)
{
    json_t *words = json_string("");
    size_t index;
    const json_t *type;
    json_array_foreach(json_object_get(webhook, "events"), index, type)
    {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(words), index > 0 ? ", " : "",
                                      json_string_value(type));
        json_decref(words);
        words = longer;
    }
    if (json_string_length(words) == 0) {
        json_decref(words);
        words = json_string("all events");
    }
    return words;
}

static json_t *webhook_json(const json_t *webhook)
{
    const char *status = text_of(webhook, "status");
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:b}", "id", text_of(webhook, "webhook_id"), "url",
        text_of(webhook, "url"), "description", text_of(webhook, "description"), "status", status,
        "look", setpay_admin_status_look(status), "events", events_json(webhook), "failing",
        time_of(webhook, "failing_since"), "is_enabled", (int)(strcmp(status, "enabled") == 0));
}

/* What came of the last attempt: "taken, 200". */
static json_t *result_json(const json_t *delivery)
{
    long long status = (long long)json_integer_value(json_object_get(delivery, "response_status"));
    const char *result = text_of(delivery, "last_result");
    return status != 0 ? json_sprintf("%s, HTTP %lld", result, status) : json_string(result);
}

static json_t *deliveries_json(const json_t *page)
{
    json_t *list = json_array();
    size_t index;
    const json_t *delivery;
    json_array_foreach(json_object_get(page, "deliveries"), index, delivery)
    {
        const char *status = text_of(delivery, "status");
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "delivery",
                            text_of(delivery, "delivery_id"), "event",
                            text_of(delivery, "event_id"), "type", text_of(delivery, "type"),
                            "status", status, "look", setpay_admin_status_look(status), "attempts",
                            json_integer_value(json_object_get(delivery, "attempts")), "last",
                            time_of(delivery, "last_attempt"), "result", result_json(delivery),
                            "due", time_of(delivery, "next_attempt")));
    }
    return list;
}

static void look_clear(struct look *look)
{
    json_decref(look->webhook);
    json_decref(look->page);
}

static void reply_wrong(struct setpay_admin *admin, struct setpay_http_request *request,
                        enum setpay_error error)
{
    if (error == SETPAY_E_NOT_FOUND || error == SETPAY_E_INVALID)
        setpay_admin_reply_error(admin, request, 404, "There is no such webhook.");
    else
        setpay_admin_reply_failed(admin, request, error);
}

void setpay_admin_on_webhooks(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    struct look look = {.id = NULL};
    json_t *rows = json_array();
    size_t index;
    const json_t *webhook;
    if (!setpay_admin_visit_begin(admin, request, &visit)) {
        json_decref(rows);
        return;
    }
    enum setpay_error error = setpay_store_read(admin->reader, read_webhooks, &look);
    if (error != SETPAY_OK) {
        json_decref(rows);
        reply_wrong(admin, request, error);
    } else {
        json_array_foreach(json_object_get(look.webhook, "webhooks"), index, webhook)(void)
            json_array_append_new(rows, webhook_json(webhook));
        setpay_admin_reply(admin, request, &visit, 200, SETPAY_ADMIN_WEBHOOKS, "Webhooks", NULL,
                           json_pack("{s:o}", "webhooks", rows));
    }
    look_clear(&look);
}

static void reply_one(struct setpay_admin *admin, struct setpay_http_request *request,
                      const struct setpay_admin_visit *visit, const char *id, int status,
                      const char *wrong)
{
    struct look look = {.id = id, .cursor = setpay_http_request_query(request, "cursor")};
    enum setpay_error error = setpay_store_read(admin->reader, read_webhooks, &look);
    if (error == SETPAY_OK) {
        json_t *values = webhook_json(look.webhook);
        const char *done = setpay_http_request_query(request, "done");
        (void)json_object_set_new(values, "deliveries", deliveries_json(look.page));
        (void)json_object_set_new(values, "next", json_string(text_of(look.page, "next_cursor")));
        (void)json_object_set_new(values, "wrong", json_string(wrong != NULL ? wrong : ""));
        (void)json_object_set_new(
            values, "done",
            json_string(done != NULL && wrong == NULL ? "It is being sent again." : ""));
        setpay_admin_reply(admin, request, visit, status, SETPAY_ADMIN_WEBHOOK, "Webhook", NULL,
                           values);
    } else {
        reply_wrong(admin, request, error);
    }
    look_clear(&look);
}

void setpay_admin_on_webhook(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_visit visit;
    if (setpay_admin_visit_begin(arg, request, &visit))
        reply_one(arg, request, &visit, setpay_http_request_param(request, "id"), 200, NULL);
}

/* ------------------------------------------------------------------ sending again */

static enum setpay_error run(struct setpay_db *db, struct setpay_admin_task *task)
{
    json_t *result = NULL;
    enum setpay_error error = setpay_webhook_do_redeliver(
        db, task->id, setpay_form_get(&task->form, "delivery"), task->now_ms, &result);
    json_decref(result);
    return error;
}

static void sent(struct setpay_admin_task *task, enum setpay_error error)
{
    char path[SETPAY_SHOP_MADE_SIZE + 40];
    if (error == SETPAY_OK) {
        (void)snprintf(path, sizeof path, "/webhooks/%s?done=1", task->id);
        setpay_admin_go_to(task->request, path, NULL);
    } else if (setpay_admin_is_refusal(error)) {
        reply_one(task->admin, task->request, &task->visit, task->id, 409,
                  error == SETPAY_E_STATE
                      ? "The webhook is switched off, so nothing is sent to it: switch it on first."
                      : "There is no such delivery any more.");
    } else {
        setpay_admin_reply_failed(task->admin, task->request, error);
    }
}

void setpay_admin_on_redeliver(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_task *task = setpay_admin_task_new(arg, request);
    if (task == NULL)
        return;
    task->run = run;
    task->done = sent;
    (void)snprintf(task->id, sizeof task->id, "%.*s", (int)sizeof task->id - 1,
                   setpay_http_request_param(request, "id"));
    setpay_admin_task_submit(task);
}
