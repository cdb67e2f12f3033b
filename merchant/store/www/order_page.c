/*
 * GET /orders/{token}: what is paid. Whoever has the token has the pay link, and sees what a wallet
 * would be offered: never metadata, payments, or whose order it is.
 */
#include "merchant/store/www/www_internal.h"

#include "common/base/log.h"
#include "merchant/store/order_json.h"

#include <string.h>

struct look {
    const struct setpay_www *www;
    const char *token;
    struct setpay_order_view view;
};

static enum setpay_error read_order(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    SETPAY_TRY(setpay_order_find_by_token(db, look->token, &look->view.order));
    return setpay_order_view_complete(db, look->www->options.port, setpay_clock_now_ms(),
                                      &look->view);
}

static const char *words_of(enum setpay_order_status status)
{
    switch (status) {
    case SETPAY_ORDER_STATUS_OPEN:
        return "Not paid yet.";
    case SETPAY_ORDER_STATUS_PAYING:
        return "The payment is being decided. Look again in a moment.";
    case SETPAY_ORDER_STATUS_AUTHORISED:
        return "Paid: the amount is held on your card for the shop.";
    case SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED:
        return "Paid: a part of the amount has been taken, as a part of the order was sent.";
    case SETPAY_ORDER_STATUS_CAPTURED:
        return "Paid.";
    case SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED:
        return "Paid, and given back in part.";
    case SETPAY_ORDER_STATUS_REFUNDED:
        return "Given back.";
    case SETPAY_ORDER_STATUS_DECLINED:
        return "Your bank has refused. You may try again, with another card too.";
    case SETPAY_ORDER_STATUS_VOIDED:
        return "The shop has given the amount free again.";
    case SETPAY_ORDER_STATUS_CANCELLED:
        return "Cancelled by the shop. Nothing was taken.";
    default:
        return "No longer to be paid: its time is over.";
    }
}

static json_t *money_json(int64_t minor, const char *currency)
{
    struct setpay_money money;
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (setpay_money_make(minor, currency, &money) != SETPAY_OK)
        return NULL;
    return json_string(setpay_money_format(&money, text));
}

static json_t *items_json(const struct setpay_order *order)
{
    json_t *items = json_array();
    for (size_t i = 0; i < order->item_count && items != NULL; i++) {
        const struct setpay_item *item = &order->items[i];
        json_t *row = json_pack("{s:s, s:I, s:o, s:o}", "name", item->name, "quantity",
                                (json_int_t)item->quantity, "unit",
                                money_json(item->unit_minor, order->amount.currency), "total",
                                money_json(item->total_minor, order->amount.currency));
        if (json_array_append_new(items, row) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    return items;
}

/* "2026-11-26 15:00 UTC" */
static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return json_sprintf("%.10s %.5s UTC", setpay_time_format(time_ms, text), text + 11);
}

static json_t *values_of(const struct look *look)
{
    const struct setpay_order *order = &look->view.order;
    /* An order of one line has it as its item. */
    bool repeats = order->item_count == 1 && strcmp(order->items[0].name, order->description) == 0;
    bool payable = look->view.status == SETPAY_ORDER_STATUS_OPEN ||
                   look->view.status == SETPAY_ORDER_STATUS_DECLINED;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "order_id", order->order_id, "status",
        setpay_order_status_name(look->view.status), "status_words", words_of(look->view.status),
        "description", repeats ? "" : order->description, "items", items_json(order), "total",
        money_json(order->amount.minor, order->amount.currency), "created",
        time_json(order->created_ms), "expires", time_json(order->expires_ms), "pay_uri",
        payable ? json_sprintf("setpay://%s/pay/%s", look->www->options.public_host, order->token)
                : json_null());
}

void setpay_www_on_order(struct setpay_http_request *request, void *arg)
{
    struct setpay_www *www = arg;
    struct look look = {.www = www, .token = setpay_http_request_param(request, "token")};
    enum setpay_error error = strlen(look.token) < SETPAY_ORDER_TOKEN_SIZE
                                  ? setpay_store_read(www->reader, read_order, &look)
                                  : SETPAY_E_NOT_FOUND;
    if (error == SETPAY_OK) {
        setpay_www_reply_page(www, request, 200, SETPAY_WWW_ORDER, "Your order", true,
                              values_of(&look));
    } else if (error == SETPAY_E_NOT_FOUND) {
        setpay_www_reply_error(www, request, 404, NULL);
    } else {
        setpay_log_error(error, "www.order", setpay_field_text("area", "store"));
        setpay_www_reply_error(www, request, 503, NULL);
    }
    setpay_order_view_clear(&look.view);
}
