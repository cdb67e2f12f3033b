/*
 * Webhooks made, changed, tried and removed.
 */
#include "merchant/store/webhook/webhook_action.h"

#include "merchant/store/event.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/webhook/sign.h"
#include "merchant/store/webhook/webhook.h"

#include <stdlib.h>

static enum setpay_error whole(json_t *json, json_t **result)
{
    if (json == NULL)
        return SETPAY_E_NOMEM;
    *result = json;
    return SETPAY_OK;
}

static enum setpay_error with_secret(const struct setpay_webhook *webhook,
                                     const struct setpay_secret *secret, json_t **result)
{
    char text[SETPAY_WEBHOOK_SECRET_TEXT_SIZE];
    json_t *json = setpay_webhook_json(webhook);
    enum setpay_error error = setpay_webhook_secret_format(secret, text);
    if (json == NULL ||
        (error == SETPAY_OK && json_object_set_new(json, "secret", json_string(text)) != 0))
        error = SETPAY_E_NOMEM;
    setpay_cleanse(text, sizeof text);
    if (error == SETPAY_OK)
        *result = json;
    else
        json_decref(json);
    return error;
}

enum setpay_error setpay_webhook_do_add(struct setpay_db *db, const json_t *body,
                                        const struct setpay_secret *secret, setpay_time_ms now_ms,
                                        json_t **result, struct setpay_json_fault *fault)
{
    struct setpay_webhook webhook = {.created_ms = now_ms};
    SETPAY_TRY(setpay_webhook_request_parse(body, true, &webhook, fault));
    SETPAY_TRY(setpay_webhook_insert(db, &webhook, secret));
    return with_secret(&webhook, secret, result);
}

enum setpay_error setpay_webhook_do_change(struct setpay_db *db, const char *webhook_id,
                                           const json_t *body, json_t **result,
                                           struct setpay_json_fault *fault)
{
    struct setpay_webhook webhook;
    SETPAY_TRY(setpay_webhook_find(db, webhook_id, &webhook));
    SETPAY_TRY(setpay_webhook_request_parse(body, false, &webhook, fault));
    SETPAY_TRY(setpay_webhook_update(db, &webhook));
    SETPAY_TRY(setpay_delivery_tell(db)); /* what waited may be due */
    return whole(setpay_webhook_json(&webhook), result);
}

enum setpay_error setpay_webhook_do_remove(struct setpay_db *db, const char *webhook_id,
                                           json_t **result)
{
    struct setpay_webhook webhook;
    SETPAY_TRY(setpay_webhook_find(db, webhook_id, &webhook));
    SETPAY_TRY(setpay_webhook_delete(db, webhook.seq));
    return whole(json_pack("{s:s, s:b}", "webhook_id", webhook.webhook_id, "removed", 1), result);
}

enum setpay_error setpay_webhook_do_rotate(struct setpay_db *db, const char *webhook_id,
                                           const struct setpay_secret *secret,
                                           setpay_time_ms now_ms, json_t **result)
{
    struct setpay_webhook webhook;
    SETPAY_TRY(setpay_webhook_find(db, webhook_id, &webhook));
    SETPAY_TRY(setpay_webhook_rotate(db, webhook.seq, secret, now_ms));
    return with_secret(&webhook, secret, result);
}

enum setpay_error setpay_webhook_do_test(struct setpay_db *db, const char *webhook_id,
                                         setpay_time_ms now_ms, json_t **result)
{
    struct setpay_webhook webhook;
    char event_id[SETPAY_EVENT_ID_SIZE];
    SETPAY_TRY(setpay_webhook_find(db, webhook_id, &webhook));
    if (webhook.status != SETPAY_WEBHOOK_ENABLED)
        return SETPAY_E_STATE;
    json_t *data = json_pack("{s:s}", "webhook_id", webhook.webhook_id);
    enum setpay_error error = data == NULL ? SETPAY_E_NOMEM
                                           : setpay_event_add_for(db, "webhook.test", webhook.seq,
                                                                  data, now_ms, event_id);
    json_decref(data);
    SETPAY_TRY(error);
    return whole(json_pack("{s:s}", "event_id", event_id), result);
}

enum setpay_error setpay_webhook_do_redeliver(struct setpay_db *db, const char *webhook_id,
                                              const char *delivery_id, setpay_time_ms now_ms,
                                              json_t **result)
{
    struct setpay_webhook webhook;
    SETPAY_TRY(setpay_webhook_find(db, webhook_id, &webhook));
    if (webhook.status != SETPAY_WEBHOOK_ENABLED)
        return SETPAY_E_STATE;
    SETPAY_TRY(setpay_delivery_again(db, webhook.seq, delivery_id, now_ms));
    return whole(json_pack("{s:s, s:s}", "delivery_id", delivery_id, "status", "pending"), result);
}

/* ------------------------------------------------------------------ reading */

enum setpay_error setpay_webhook_do_list(struct setpay_db *db, json_t **result)
{
    struct setpay_webhook *list = calloc(SETPAY_WEBHOOKS_MAX, sizeof *list);
    json_t *array = json_array();
    size_t count = 0;
    enum setpay_error error =
        list == NULL || array == NULL ? SETPAY_E_NOMEM : setpay_webhook_all(db, list, &count);
    for (size_t i = 0; i < count && error == SETPAY_OK; i++) {
        if (json_array_append_new(array, setpay_webhook_json(&list[i])) != 0)
            error = SETPAY_E_NOMEM;
    }
    if (error == SETPAY_OK)
        error = whole(json_pack("{s:O}", "webhooks", array), result);
    json_decref(array);
    free(list);
    return error;
}

enum setpay_error setpay_webhook_do_show(struct setpay_db *db, const char *webhook_id,
                                         json_t **result)
{
    struct setpay_webhook webhook;
    SETPAY_TRY(setpay_webhook_find(db, webhook_id, &webhook));
    return whole(setpay_webhook_json(&webhook), result);
}

enum setpay_error setpay_webhook_do_deliveries(struct setpay_db *db, const char *webhook_id,
                                               const char *cursor, size_t limit, json_t **result)
{
    struct setpay_webhook webhook;
    struct setpay_delivery_list wanted = {.before_seq = INT64_MAX, .limit = limit};
    if (cursor != NULL && setpay_event_cursor_parse(cursor, &wanted.before_seq) != SETPAY_OK)
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_webhook_find(db, webhook_id, &webhook));
    wanted.webhook_seq = webhook.seq;
    return setpay_delivery_list_read(db, &wanted, result);
}
