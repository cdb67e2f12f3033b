/*
 * The JSON body by which a store makes an order: what is taken adds up, lies within all limits and
 * can be shown in one line; what is not is explained in words that are text themselves.
 */
#include "common/net/control_json.h"
#include "merchant/store/order_request.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

/* Goes into a JSON text of ours, and perhaps onto a terminal. */
static bool is_line(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return setpay_text_is_utf8(setpay_view_string(text));
}

static bool is_plain(const char *text)
{
    return setpay_order_text_is_plain(setpay_view_string(text));
}

/* Where the catalogue has to say what an item costs, there is no total yet. */
static bool waits_for_catalogue(const struct setpay_order *order)
{
    bool waits = false;
    for (size_t i = 0; i < order->item_count; i++) {
        const struct setpay_item *item = &order->items[i];
        if (item->name[0] != '\0')
            continue;
        FUZZ_CHECK(item->sku[0] != '\0' && item->unit_minor == 0 && item->quantity >= 1);
        FUZZ_CHECK(order->quote != NULL && order->amount.minor == 0);
        waits = true;
    }
    return waits;
}

static void check_order(const struct setpay_order *order)
{
    struct setpay_money sum, item;
    if (waits_for_catalogue(order))
        return;
    FUZZ_CHECK(setpay_money_make(0, order->amount.currency, &sum) == SETPAY_OK);
    FUZZ_CHECK(order->item_count >= 1 && order->item_count <= SETPAY_LIMIT_OFFER_ITEMS);
    for (size_t i = 0; i < order->item_count; i++) {
        struct setpay_money unit;
        FUZZ_CHECK(setpay_money_make(order->items[i].unit_minor, sum.currency, &unit) == SETPAY_OK);
        FUZZ_CHECK(setpay_money_multiply(&unit, order->items[i].quantity, &item) == SETPAY_OK);
        FUZZ_CHECK(item.minor == order->items[i].total_minor);
        FUZZ_CHECK(setpay_money_add(&sum, &item, &sum) == SETPAY_OK);
        FUZZ_CHECK(order->items[i].name[0] != '\0' && is_plain(order->items[i].name));
        FUZZ_CHECK(order->items[i].sku[0] == '\0' || is_plain(order->items[i].sku));
    }
    FUZZ_CHECK(setpay_money_equal(&sum, &order->amount) && sum.minor > 0);
    FUZZ_CHECK(order->description[0] == '\0' || is_plain(order->description));
    FUZZ_CHECK(setpay_order_capture_name(order->capture) != NULL);
    FUZZ_CHECK(order->expires_ms - order->created_ms >= SETPAY_ORDER_LIFE_MIN_MS &&
               order->expires_ms - order->created_ms <= SETPAY_ORDER_LIFE_MAX_MS);
    FUZZ_CHECK(strlen(order->metadata) <= SETPAY_ORDER_METADATA_BYTES);
    json_t *metadata = json_loads(order->metadata, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json_is_object(metadata));
    json_decref(metadata);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_order order = {0};
    struct setpay_json_fault fault = {{0}, {0}};
    json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (body == NULL)
        return 0;
    enum setpay_error error = setpay_order_request_parse(body, FUZZ_NOW_MS, &order, &fault);
    if (error == SETPAY_OK) {
        check_order(&order);
        setpay_order_clear(&order);
    } else {
        FUZZ_CHECK(error == SETPAY_E_INVALID);
        FUZZ_CHECK(fuzz_is_blank(&order, sizeof(order)));
        FUZZ_CHECK(fault.words[0] != '\0' && is_line(fault.words) && is_line(fault.field));
    }
    json_decref(body);
    return 0;
}
