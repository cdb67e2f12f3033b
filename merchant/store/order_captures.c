/*
 * Which captures are asked for together, and what is decided of each.
 */
#include "merchant/store/order_captures.h"

#include "common/base/bytes.h"

#include <stdio.h>
#include <string.h>

static bool is_order_id(const char *text)
{
    return strlen(text) < SETPAY_ORDER_ID_SIZE;
}

static enum setpay_error read_item(const json_t *value, const struct setpay_captures *captures,
                                   struct setpay_captures_item *item,
                                   struct setpay_json_fault *fault)
{
    char found[SETPAY_JSON_FOUND_SIZE];
    const json_t *id = json_object_get(value, "order_id");
    if (!json_is_object(value))
        return setpay_json_fault_set(fault, "captures", "found %s; expected an object",
                                     setpay_json_found(value, found));
    if (!json_is_string(id) || json_string_length(id) == 0 || !is_order_id(json_string_value(id)))
        return setpay_json_fault_set(fault, "order_id", "found %s; expected the id of an order",
                                     setpay_json_found(id, found));
    (void)snprintf(item->order_id, sizeof item->order_id, "%s", json_string_value(id));
    for (size_t i = 0; i < captures->count; i++) {
        if (strcmp(captures->list[i].order_id, item->order_id) == 0)
            return setpay_json_fault_set(fault, "order_id", "%s stands in it twice",
                                         item->order_id);
    }
    json_t *rest = json_copy((json_t *)(uintptr_t)value);
    if (rest == NULL)
        return SETPAY_E_NOMEM;
    (void)json_object_del(rest, "order_id");
    enum setpay_error error =
        setpay_step_request_parse(rest, true, NULL, false, &item->step, fault);
    json_decref(rest);
    return error;
}

enum setpay_error setpay_captures_parse(const json_t *body, struct setpay_captures *captures,
                                        struct setpay_json_fault *fault)
{
    static const char *const names[] = {"captures", NULL};
    char found[SETPAY_JSON_FOUND_SIZE];
    size_t index;
    json_t *value;
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    const json_t *list = json_object_get(body, "captures");
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > SETPAY_CAPTURES_AT_ONCE)
        return setpay_json_fault_set(fault, "captures", "found %s; expected a list of 1 to %d",
                                     setpay_json_found(list, found), SETPAY_CAPTURES_AT_ONCE);
    json_array_foreach(list, index, value)
    {
        SETPAY_TRY(read_item(value, captures, &captures->list[captures->count], fault));
        captures->count++;
    }
    return SETPAY_OK;
}

static enum setpay_error ask_item(struct setpay_db *db, const struct setpay_payment_port *port,
                                  struct setpay_captures_item *item, bool gateway_allowed,
                                  setpay_time_ms now_ms)
{
    struct setpay_order_result result = {.under_way = false};
    int64_t left_minor = 0;
    item->first_step = item->last_step = 0; /* it may be tried a second time */
    item->error = setpay_order_step(db, port, SETPAY_ORDER_CAPTURE, item->order_id, &item->step,
                                    gateway_allowed, now_ms, &result, &left_minor);
    enum setpay_error error = item->error;
    if (error == SETPAY_OK) {
        item->first_step = result.first_step;
        item->last_step = result.last_step;
        item->xid = result.view.order.xid;
    } else if (setpay_order_step_is_refused(error, &result)) {
        error = SETPAY_OK;
    }
    setpay_order_view_clear(&result.view);
    return error;
}

enum setpay_error setpay_captures_ask(struct setpay_db *db, const struct setpay_payment_port *port,
                                      struct setpay_captures *captures, bool gateway_allowed,
                                      setpay_time_ms now_ms)
{
    struct setpay_id random;
    SETPAY_TRY(setpay_id_random(&random));
    /* A positive number that no other call has. */
    int64_t together = (int64_t)(setpay_read_u64be(random.bytes) >> 1) | 1;
    for (size_t i = 0; i < captures->count; i++) {
        captures->list[i].step.together = together;
        SETPAY_TRY(ask_item(db, port, &captures->list[i], gateway_allowed, now_ms));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_captures_look(struct setpay_db *db, const struct setpay_payment_port *port,
                                       const struct setpay_captures_item *item,
                                       setpay_time_ms now_ms, struct setpay_order_result *result,
                                       int64_t *left_minor)
{
    *left_minor = 0;
    enum setpay_error error =
        setpay_order_view_find(db, port, item->order_id, now_ms, &result->view);
    if (error == SETPAY_OK && result->view.order.taken)
        error = port->capturable(db, &result->view.order.xid, left_minor);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}
