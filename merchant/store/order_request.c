/*
 * Reading a new order. Every refusal names the member, says what was found there and what is
 * expected. Nothing is guessed: unknown members are refused, numbers are whole, texts are never
 * numbers, totals are added with checks.
 */
#include "merchant/store/order_request.h"

#include "common/base/bytes.h"
#include "common/base/noun.h"
#include "merchant/store/order_terms.h"
#include "merchant/store/quote.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_TEXT 40 /* bytes of a text that are shown */

/* ------------------------------------------------------------------ faults */

enum setpay_error setpay_json_fault_set(struct setpay_json_fault *fault, const char *field,
                                        const char *format, ...)
{
    va_list arguments;
    (void)snprintf(fault->field, sizeof fault->field, "%s", field);
    va_start(arguments, format);
    (void)vsnprintf(fault->words, sizeof fault->words, format, arguments);
    va_end(arguments);
    return SETPAY_E_INVALID;
}

/* The text's first bytes, cut between characters, control characters shown as '?'. */
static void show_text(const char *text, char *out, size_t size)
{
    size_t length = strlen(text);
    bool cut = length > FOUND_TEXT;
    if (cut) {
        length = FOUND_TEXT;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    (void)snprintf(out, size, "\"%.*s%s\"", (int)length, text, cut ? "..." : "");
    for (char *c = out; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

/* What stands there, in words. */
const char *setpay_json_found(const json_t *value, char *out)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING:
        show_text(json_string_value(value), out, SETPAY_JSON_FOUND_SIZE);
        break;
    case JSON_INTEGER:
        (void)snprintf(out, SETPAY_JSON_FOUND_SIZE, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        (void)snprintf(out, SETPAY_JSON_FOUND_SIZE, "%.10g (not written as a whole number)",
                       json_real_value(value));
        break;
    case JSON_OBJECT:
        (void)snprintf(out, SETPAY_JSON_FOUND_SIZE, "an object");
        break;
    case JSON_ARRAY:
        (void)snprintf(out, SETPAY_JSON_FOUND_SIZE, "an array of %zu", json_array_size(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        (void)snprintf(out, SETPAY_JSON_FOUND_SIZE, json_is_true(value) ? "true" : "false");
        break;
    default:
        (void)snprintf(out, SETPAY_JSON_FOUND_SIZE, value == NULL ? "nothing" : "null");
    }
    return out;
}

enum setpay_error setpay_json_members_check(const json_t *object, const char *const *names,
                                            const char *prefix, struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const char *key;
    json_t *value;
    if (!json_is_object(object)) {
        char whole[sizeof fault->field];
        size_t size = strlen(prefix);
        (void)snprintf(whole, sizeof whole, "%.*s", (int)(size > 0 ? size - 1 : 0), prefix);
        return setpay_json_fault_set(fault, whole, "found %s; expected an object",
                                     setpay_json_found(object, words));
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], key) != 0)
            i++;
        if (names[i] != NULL)
            continue;
        char list[256] = "";
        for (i = 0; names[i] != NULL; i++)
            (void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
                           i == 0 ? "" : ", ", names[i]);
        char field[sizeof fault->field];
        show_text(key, words, sizeof words);
        words[strlen(words) - 1] = '\0'; /* without the quotes */
        (void)snprintf(field, sizeof field, "%s%s", prefix, words + 1);
        return setpay_json_fault_set(fault, field, "unknown member; expected %s%s",
                                     names[0] == NULL ? "none" : "only ", list);
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ single members */

enum setpay_error setpay_json_read_int(const json_t *value, const char *field, int64_t minimum,
                                       int64_t maximum, const char *what, int64_t *number,
                                       struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    if (!json_is_integer(value) || json_integer_value(value) < minimum ||
        json_integer_value(value) > maximum)
        return setpay_json_fault_set(fault, field, "found %s; expected %s from %lld to %lld",
                                     setpay_json_found(value, words), what, (long long)minimum,
                                     (long long)maximum);
    *number = json_integer_value(value);
    return SETPAY_OK;
}

/* One line of text for people, 1 to maximum bytes. */
enum setpay_error setpay_json_read_text(const json_t *value, const char *field, size_t maximum,
                                        char *text, struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    size_t size = json_is_string(value) ? json_string_length(value) : 0;
    if (size < 1)
        return setpay_json_fault_set(fault, field, "found %s; expected a text of 1 to %zu bytes",
                                     setpay_json_found(value, words), maximum);
    if (size > maximum)
        return setpay_json_fault_set(fault, field,
                                     "found a text of %zu bytes; expected 1 to %zu bytes of UTF-8",
                                     size, maximum);
    const char *bytes = json_string_value(value);
    if (!setpay_order_text_is_plain(setpay_view_of(bytes, size)))
        return setpay_json_fault_set(
            fault, field,
            "found %s, with a control character; expected one line without control characters or"
            " marks that change the direction of writing",
            setpay_json_found(value, words));
    memcpy(text, bytes, size + 1);
    return SETPAY_OK;
}

static enum setpay_error read_currency(const json_t *value, char *currency,
                                       struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    if (!json_is_string(value) || json_string_length(value) != 3 ||
        setpay_currency_by_code(json_string_value(value)) == NULL)
        return setpay_json_fault_set(
            fault, "currency",
            "found %s; expected a currency of ISO 4217 in three capital letters, like EUR",
            setpay_json_found(value, words));
    memcpy(currency, json_string_value(value), 4);
    return SETPAY_OK;
}

static enum setpay_error read_capture(const json_t *value, enum setpay_order_capture *capture,
                                      struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    *capture = SETPAY_CAPTURE_ON_SHIPMENT;
    if (value == NULL)
        return SETPAY_OK;
    if (!json_is_string(value) ||
        setpay_order_capture_parse(json_string_value(value), capture) != SETPAY_OK)
        return setpay_json_fault_set(fault, "capture",
                                     "found %s; expected on_shipment, immediate or manual",
                                     setpay_json_found(value, words));
    return SETPAY_OK;
}

/* Whether the order names something of the catalogue, and so holds stock. */
static bool is_of_catalogue(const struct setpay_order *order)
{
    for (size_t i = 0; i < order->item_count; i++) {
        if (order->items[i].name[0] == '\0')
            return true;
    }
    return false;
}

static enum setpay_error read_expires_in(const json_t *value, setpay_time_ms now_ms,
                                         struct setpay_order *order,
                                         struct setpay_json_fault *fault)
{
    int64_t seconds =
        (is_of_catalogue(order) ? SETPAY_ORDER_LIFE_RESERVED_MS : SETPAY_ORDER_LIFE_DEFAULT_MS) /
        SETPAY_SECOND_MS;
    if (value != NULL)
        SETPAY_TRY(setpay_json_read_int(value, "expires_in",
                                        SETPAY_ORDER_LIFE_MIN_MS / SETPAY_SECOND_MS,
                                        SETPAY_ORDER_LIFE_MAX_MS / SETPAY_SECOND_MS,
                                        "a whole number of seconds", &seconds, fault));
    order->created_ms = now_ms;
    order->expires_ms = now_ms + seconds * SETPAY_SECOND_MS;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ metadata */

static enum setpay_error check_metadata_entry(const char *key, const json_t *value,
                                              struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    char field[sizeof fault->field];
    size_t size = strlen(key);
    if (size < 1 || size > SETPAY_ORDER_METADATA_KEY_BYTES ||
        !setpay_order_text_is_plain(setpay_view_of(key, size)))
        return setpay_json_fault_set(
            fault, "metadata",
            "found a key of %zu %s; expected keys of 1 to %d bytes without control characters",
            size, setpay_noun((int64_t)size, "byte", "bytes"), SETPAY_ORDER_METADATA_KEY_BYTES);
    (void)snprintf(field, sizeof field, "metadata.%s", key);
    if (!json_is_string(value))
        return setpay_json_fault_set(fault, field, "found %s; expected a text",
                                     setpay_json_found(value, words));
    if (json_string_length(value) > SETPAY_ORDER_METADATA_VALUE_BYTES)
        return setpay_json_fault_set(fault, field, "found a text of %zu bytes; expected at most %d",
                                     json_string_length(value), SETPAY_ORDER_METADATA_VALUE_BYTES);
    return SETPAY_OK;
}

static enum setpay_error read_metadata(const json_t *value, char **metadata,
                                       struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const char *key;
    json_t *entry;
    if (value == NULL) {
        *metadata = strdup("{}");
        return *metadata == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    if (!json_is_object(value))
        return setpay_json_fault_set(fault, "metadata", "found %s; expected an object of texts",
                                     setpay_json_found(value, words));
    if (json_object_size(value) > SETPAY_ORDER_METADATA_MAX)
        return setpay_json_fault_set(fault, "metadata", "found %zu entries; expected at most %d",
                                     json_object_size(value), SETPAY_ORDER_METADATA_MAX);
    json_object_foreach((json_t *)(uintptr_t)value, key, entry)
        SETPAY_TRY(check_metadata_entry(key, entry, fault));
    char *text = json_dumps(value, JSON_COMPACT);
    if (text == NULL)
        return SETPAY_E_NOMEM;
    if (strlen(text) > SETPAY_ORDER_METADATA_BYTES) {
        size_t size = strlen(text);
        free(text);
        return setpay_json_fault_set(fault, "metadata",
                                     "found %zu bytes as JSON; expected at most %d", size,
                                     SETPAY_ORDER_METADATA_BYTES);
    }
    *metadata = text;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what is sold */

static enum setpay_error read_item(const json_t *value, const char *currency, size_t index,
                                   struct setpay_item *item, struct setpay_json_fault *fault)
{
    static const char *const names[] = {"name", "quantity", "unit_amount", "sku", NULL};
    char prefix[32];
    char field[64];
    int64_t number = 0;
    (void)snprintf(prefix, sizeof prefix, "items[%zu].", index);
    SETPAY_TRY(setpay_json_members_check(value, names, prefix, fault));
    if (json_object_get(value, "sku") != NULL) {
        (void)snprintf(field, sizeof field, "%ssku", prefix);
        SETPAY_TRY(setpay_json_read_text(json_object_get(value, "sku"), field, SETPAY_WIRE_SKU_MAX,
                                         item->sku, fault));
    }
    (void)snprintf(field, sizeof field, "%squantity", prefix);
    SETPAY_TRY(setpay_json_read_int(json_object_get(value, "quantity"), field, 1,
                                    SETPAY_ORDER_QUANTITY_MAX, "a whole number", &number, fault));
    item->quantity = (uint32_t)number;
    if (item->sku[0] != '\0' && json_object_get(value, "name") == NULL &&
        json_object_get(value, "unit_amount") == NULL)
        return SETPAY_OK; /* the catalogue says what it costs: quote.c */
    (void)snprintf(field, sizeof field, "%sname", prefix);
    SETPAY_TRY(setpay_json_read_text(json_object_get(value, "name"), field, SETPAY_LIMIT_NAME_BYTES,
                                     item->name, fault));
    (void)snprintf(field, sizeof field, "%sunit_amount", prefix);
    SETPAY_TRY(setpay_json_read_int(json_object_get(value, "unit_amount"), field, 0,
                                    SETPAY_MONEY_MAX_MINOR, "a whole number of minor units",
                                    &item->unit_minor, fault));
    struct setpay_money unit;
    struct setpay_money total;
    SETPAY_TRY(setpay_money_make(item->unit_minor, currency, &unit));
    if (setpay_money_multiply(&unit, item->quantity, &total) != SETPAY_OK)
        return setpay_json_fault_set(
            fault, field, "%lld times the quantity %u is above the largest amount, %lld",
            (long long)item->unit_minor, item->quantity, (long long)SETPAY_MONEY_MAX_MINOR);
    item->total_minor = total.minor;
    return SETPAY_OK;
}

static enum setpay_error read_items(const json_t *items, struct setpay_order *order,
                                    struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    size_t count = json_array_size(items);
    if (!json_is_array(items) || count < 1 || count > SETPAY_LIMIT_OFFER_ITEMS)
        return setpay_json_fault_set(fault, "items", "found %s; expected an array of 1 to %d items",
                                     setpay_json_found(items, words), SETPAY_LIMIT_OFFER_ITEMS);
    /* Room for what pricing adds. */
    order->items = calloc(SETPAY_LIMIT_OFFER_ITEMS, sizeof *order->items);
    if (order->items == NULL)
        return SETPAY_E_NOMEM;
    /* Without a currency all is of the catalogue, or will be refused below. */
    struct setpay_money sum;
    SETPAY_TRY(setpay_money_make(
        0, order->amount.currency[0] != '\0' ? order->amount.currency : "EUR", &sum));
    for (size_t i = 0; i < count; i++) {
        struct setpay_money total;
        SETPAY_TRY(read_item(json_array_get(items, i), sum.currency, i, &order->items[i], fault));
        order->item_count = i + 1;
        SETPAY_TRY(setpay_money_make(order->items[i].total_minor, sum.currency, &total));
        if (setpay_money_add(&sum, &total, &sum) != SETPAY_OK)
            return setpay_json_fault_set(fault, "items",
                                         "the items add up to more than the largest amount, %lld",
                                         (long long)SETPAY_MONEY_MAX_MINOR);
    }
    if (is_of_catalogue(order))
        return SETPAY_OK; /* the total is not known yet */
    if (sum.minor < 1)
        return setpay_json_fault_set(fault, "items",
                                     "the items add up to 0; expected a total of at least 1");
    order->amount = sum;
    return SETPAY_OK;
}

/* The short form: one item of that name and price. */
static enum setpay_error read_description(const json_t *body, struct setpay_order *order,
                                          struct setpay_json_fault *fault)
{
    SETPAY_TRY(setpay_json_read_text(json_object_get(body, "description"), "description",
                                     SETPAY_LIMIT_NAME_BYTES, order->description, fault));
    SETPAY_TRY(setpay_json_read_int(json_object_get(body, "amount"), "amount", 1,
                                    SETPAY_MONEY_MAX_MINOR, "a whole number of minor units",
                                    &order->amount.minor, fault));
    order->items = calloc(1, sizeof *order->items);
    if (order->items == NULL)
        return SETPAY_E_NOMEM;
    order->item_count = 1;
    memcpy(order->items[0].name, order->description, sizeof order->items[0].name);
    order->items[0].quantity = 1;
    order->items[0].unit_minor = order->amount.minor;
    order->items[0].total_minor = order->amount.minor;
    return SETPAY_OK;
}

static bool names_catalogue_alone(const struct setpay_order *order)
{
    for (size_t i = 0; i < order->item_count; i++) {
        if (order->items[i].name[0] != '\0')
            return false;
    }
    return true;
}

/* Where it goes, and how; kept in a quote, which an order of the catalogue always has. */
static enum setpay_error read_destination(const json_t *body, struct setpay_order *order,
                                          struct setpay_json_fault *fault)
{
    bool given = json_object_get(body, "country") != NULL ||
                 json_object_get(body, "region") != NULL ||
                 json_object_get(body, "shipping_method") != NULL;
    if (!given && !is_of_catalogue(order))
        return SETPAY_OK;
    struct setpay_quote *quote = order->quote = calloc(1, sizeof *quote);
    if (quote == NULL)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(setpay_shop_get_text(body, "country", "", false, sizeof quote->country - 1,
                                    quote->country, fault));
    if (quote->country[0] != '\0' && !setpay_shop_is_country(quote->country))
        return setpay_json_fault_set(fault, "country",
                                     "found \"%s\"; expected two capital letters (ISO 3166), like"
                                     " DE",
                                     quote->country);
    SETPAY_TRY(setpay_shop_get_text(body, "region", "", false, sizeof quote->region - 1,
                                    quote->region, fault));
    if (order->description[0] != '\0')
        return setpay_json_fault_set(fault, "country",
                                     "found beside description; expected it with items alone");
    return setpay_shop_get_slug(body, "shipping_method", false, quote->shipping_method, fault);
}

static enum setpay_error read_order(const json_t *body, setpay_time_ms now_ms,
                                    struct setpay_order *order, struct setpay_json_fault *fault)
{
    static const char *const names[] = {"description", "amount",          "items",      "currency",
                                        "capture",     "metadata",        "expires_in", "country",
                                        "region",      "shipping_method", "terms",      NULL};
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    const json_t *items = json_object_get(body, "items");
    if (items != NULL && json_object_get(body, "description") != NULL)
        return setpay_json_fault_set(fault, "description",
                                     "found beside items; expected either items, or description"
                                     " and amount");
    if (items != NULL && json_object_get(body, "amount") != NULL)
        return setpay_json_fault_set(fault, "amount",
                                     "found beside items; expected none: the items are added up");
    if (items == NULL && json_object_get(body, "description") == NULL)
        return setpay_json_fault_set(fault, "description",
                                     "found nothing; expected either items, or description and"
                                     " amount");
    if (items == NULL || json_object_get(body, "currency") != NULL)
        SETPAY_TRY(read_currency(json_object_get(body, "currency"), order->amount.currency, fault));
    SETPAY_TRY(items != NULL ? read_items(items, order, fault)
                             : read_description(body, order, fault));
    /* Of the catalogue's items the store says which currency where the client does not. */
    if (order->amount.currency[0] == '\0' && !names_catalogue_alone(order))
        SETPAY_TRY(read_currency(NULL, order->amount.currency, fault));
    SETPAY_TRY(read_destination(body, order, fault));
    SETPAY_TRY(read_capture(json_object_get(body, "capture"), &order->capture, fault));
    SETPAY_TRY(read_expires_in(json_object_get(body, "expires_in"), now_ms, order, fault));
    SETPAY_TRY(setpay_order_terms_parse(json_object_get(body, "terms"), &order->agreed, fault));
    return read_metadata(json_object_get(body, "metadata"), &order->metadata, fault);
}

enum setpay_error setpay_order_request_parse(const json_t *body, setpay_time_ms now_ms,
                                             struct setpay_order *order,
                                             struct setpay_json_fault *fault)
{
    struct setpay_order made = {.seq = 0};
    enum setpay_error error = read_order(body, now_ms, &made, fault);
    if (error == SETPAY_OK)
        *order = made;
    else
        setpay_order_clear(&made);
    return error;
}

/* ------------------------------------------------------------------ steps and batches */

static enum setpay_error read_id(const json_t *value, const char *field, struct setpay_id *id,
                                 struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    if (!json_is_string(value) || setpay_id_parse(json_string_value(value), id) != SETPAY_OK)
        return setpay_json_fault_set(
            fault, field,
            "found %s; expected an id of 32 hexadecimal digits, as the order shows it",
            setpay_json_found(value, words));
    return SETPAY_OK;
}

enum setpay_error setpay_step_request_parse(const json_t *body, bool amount_allowed,
                                            const char *of_name, bool of_needed,
                                            struct setpay_step_request *request,
                                            struct setpay_json_fault *fault)
{
    const char *names[4] = {NULL};
    size_t count = 0;
    struct setpay_step_request read = {.has_amount = false};
    if (amount_allowed) {
        names[count++] = "amount";
        names[count++] = "currency";
    }
    if (of_name != NULL)
        names[count++] = of_name;
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    const json_t *amount = json_object_get(body, "amount");
    const json_t *currency = json_object_get(body, "currency");
    const json_t *of = of_name != NULL ? json_object_get(body, of_name) : NULL;
    if (amount != NULL)
        SETPAY_TRY(setpay_json_read_int(amount, "amount", 1, SETPAY_MONEY_MAX_MINOR,
                                        "a whole number of minor units", &read.amount_minor,
                                        fault));
    if (currency != NULL)
        SETPAY_TRY(read_currency(currency, read.currency, fault));
    if (of != NULL || of_needed)
        SETPAY_TRY(read_id(of, of_name, &read.of, fault));
    read.has_amount = amount != NULL;
    read.has_of = of != NULL;
    *request = read;
    return SETPAY_OK;
}

enum setpay_error setpay_brand_request_parse(const json_t *body, const char **brand,
                                             struct setpay_json_fault *fault)
{
    static const char *const names[] = {"brand", NULL};
    char words[SETPAY_JSON_FOUND_SIZE];
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    const json_t *value = json_object_get(body, "brand");
    if (value != NULL && (!json_is_string(value) || json_string_length(value) < 1 ||
                          json_string_length(value) > SETPAY_WIRE_BRAND_MAX))
        return setpay_json_fault_set(fault, "brand", "found %s; expected the name of a brand",
                                     setpay_json_found(value, words));
    *brand = json_string_value(value);
    return SETPAY_OK;
}
