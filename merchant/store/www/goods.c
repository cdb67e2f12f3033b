/*
 * Products for pages.
 */
#include "merchant/store/www/goods.h"

#include "merchant/store/cart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEW 5 /* fewer than this: the page says how many */

json_t *setpay_goods_picture(const char *digest)
{
    return json_sprintf("/pictures/%s", digest);
}

json_t *setpay_goods_options(const json_t *options)
{
    char text[SETPAY_LIMIT_NAME_BYTES + 1] = "";
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        size_t used = strlen(text);
        if (used + 2 + json_string_length(value) < sizeof text)
            (void)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? ", " : "",
                           json_string_value(value));
    }
    return json_string(text);
}

json_t *setpay_goods_stock(int64_t available, bool tracked)
{
    if (!tracked || available >= FEW)
        return json_string("In stock");
    return available > 0 ? json_sprintf("Only %lld left", (long long)available)
                         : json_string("Sold out");
}

int64_t setpay_goods_quantity(const char *text)
{
    size_t length = strlen(text);
    if (length < 1 || length > 3 || strspn(text, "0123456789") != length)
        return -1;
    return strtol(text, NULL, 10);
}

void setpay_goods_available(const json_t *variant, bool *tracked, int64_t *available)
{
    const json_t *stock = json_object_get(variant, "stock");
    *tracked = json_is_true(json_object_get(stock, "tracked"));
    *available = *tracked ? json_integer_value(json_object_get(stock, "available"))
                          : SETPAY_CART_QUANTITY_MAX;
}

static bool has_price_in(const json_t *product, const char *currency)
{
    size_t index;
    const json_t *variant;
    json_array_foreach(json_object_get(product, "variants"), index, variant)
    {
        if (json_object_get(json_object_get(variant, "prices"), currency) != NULL)
            return true;
    }
    return false;
}

void setpay_goods_sold_in(const json_t *product, const struct setpay_shop_currencies *currencies,
                          char *words, size_t size)
{
    size_t used = 0;
    words[0] = '\0';
    for (size_t i = 0; i < currencies->count; i++) {
        const char *code = currencies->codes[i];
        if (has_price_in(product, code) && used + 2 + strlen(code) < size)
            used += (size_t)snprintf(words + used, size - used, "%s%s", used > 0 ? ", " : "", code);
    }
}

bool setpay_goods_elsewhere(const struct setpay_shop_settings *settings)
{
    return settings->sold.count > 1;
}

/* The lowest price of its variants, whether others cost more, and whether any is there. */
static void look_over(const json_t *product, const char *currency, int64_t *lowest, bool *differs,
                      bool *gone)
{
    size_t index;
    const json_t *variant;
    *lowest = -1;
    *differs = false;
    *gone = true;
    json_array_foreach(json_object_get(product, "variants"), index, variant)
    {
        const json_t *price = json_object_get(json_object_get(variant, "prices"), currency);
        int64_t minor = json_integer_value(price);
        int64_t available;
        bool tracked;
        if (price == NULL)
            continue;
        setpay_goods_available(variant, &tracked, &available);
        *gone = *gone && available < 1;
        *differs = *differs || (*lowest >= 0 && minor != *lowest);
        if (*lowest < 0 || minor < *lowest)
            *lowest = minor;
    }
}

json_t *setpay_goods_row(const json_t *product, const char *currency)
{
    int64_t lowest;
    bool differs;
    bool gone;
    const json_t *picture = json_array_get(json_object_get(product, "pictures"), 0);
    look_over(product, currency, &lowest, &differs, &gone);
    return json_pack(
        "{s:O, s:O, s:o, s:b, s:o, s:s, s:b}", "slug", json_object_get(product, "slug"), "name",
        json_object_get(product, "name"), "price",
        lowest >= 0 ? setpay_www_money_json(lowest, currency) : json_null(), "from", (int)differs,
        "picture",
        picture != NULL ? setpay_goods_picture(json_string_value(json_object_get(picture, "id")))
                        : json_null(),
        "alt", picture != NULL ? json_string_value(json_object_get(picture, "alt")) : "", "gone",
        (int)(lowest >= 0 && gone));
}
