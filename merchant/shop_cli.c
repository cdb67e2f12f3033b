/*
 * The arguments of setpay-merchant's commands about the store.
 */
#include "merchant/shop_cli.h"

#include "common/base/money.h"
#include "merchant/catalogue_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct setpay_flag setpay_merchant_product_list_flags[] = {
    {"search", SETPAY_FLAG_TEXT, "q"},        {"status", SETPAY_FLAG_TEXT, "status"},
    {"category", SETPAY_FLAG_TEXT, "category"}, {"in-stock", SETPAY_FLAG_SWITCH, "in_stock"},
    {"sort", SETPAY_FLAG_TEXT, "sort"},       {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_TEXT, "cursor"},   {0},
};
const struct setpay_flag setpay_merchant_product_flags[] = {
    {"slug", SETPAY_FLAG_TEXT, "slug"},         {"name", SETPAY_FLAG_TEXT, "name"},
    {"description", SETPAY_FLAG_TEXT, "description"}, {"status", SETPAY_FLAG_TEXT, "status"},
    {"category", SETPAY_FLAG_TEXT, "category"}, {"tax-class", SETPAY_FLAG_TEXT, "tax_class"},
    {"sku", SETPAY_FLAG_TEXT, "sku"},           {"amount", SETPAY_FLAG_MONEY, NULL},
    {"price", SETPAY_FLAG_TEXTS, "price"},
    {"on-hand", SETPAY_FLAG_NUMBER, "on_hand"}, {"weight", SETPAY_FLAG_NUMBER, "weight_g"},
    {"file", SETPAY_FLAG_FILE, NULL},           {0},
};
const struct setpay_flag setpay_merchant_price_flags[] = {
    {"price", SETPAY_FLAG_TEXTS, "price"}, {"without", SETPAY_FLAG_TEXTS, "without"}, {0},
};
const struct setpay_flag setpay_merchant_picture_flags[] = {
    {"picture", SETPAY_FLAG_TEXT, "file"}, {"alt", SETPAY_FLAG_TEXT, "alt"}, {0},
};
const struct setpay_flag setpay_merchant_picture_set_flags[] = {
    {"picture", SETPAY_FLAG_TEXT, "sub"}, {"alt", SETPAY_FLAG_TEXT, "alt"},
    {"position", SETPAY_FLAG_NUMBER, "position"}, {0},
};
const struct setpay_flag setpay_merchant_picture_remove_flags[] = {
    {"picture", SETPAY_FLAG_TEXT, "sub"}, {0},
};
const struct setpay_flag setpay_merchant_category_flags[] = {
    {"slug", SETPAY_FLAG_TEXT, "slug"},     {"name", SETPAY_FLAG_TEXT, "name"},
    {"parent", SETPAY_FLAG_TEXT, "parent"}, {"position", SETPAY_FLAG_NUMBER, "position"},
    {0},
};
const struct setpay_flag setpay_merchant_stock_list_flags[] = {
    {"limit", SETPAY_FLAG_NUMBER, "limit"}, {"cursor", SETPAY_FLAG_TEXT, "cursor"}, {0},
};
const struct setpay_flag setpay_merchant_stock_flags[] = {
    {"on-hand", SETPAY_FLAG_NUMBER, "on_hand"}, {"change", SETPAY_FLAG_NUMBER, "change"},
    {"tracked", SETPAY_FLAG_TEXT, "tracked"},   {"reason", SETPAY_FLAG_TEXT, "reason"},
    {"low-at", SETPAY_FLAG_NUMBER, "low_at"},   {0},
};
const struct setpay_flag setpay_merchant_shipping_flags[] = {{"file", SETPAY_FLAG_FILE, NULL}, {0}};
const struct setpay_flag setpay_merchant_tax_flags[] = {
    {"class", SETPAY_FLAG_TEXT, "class"},       {"country", SETPAY_FLAG_TEXT, "country"},
    {"region", SETPAY_FLAG_TEXT, "region"},     {"name", SETPAY_FLAG_TEXT, "name"},
    {"percent", SETPAY_FLAG_TEXT, "percent"},   {"included", SETPAY_FLAG_TEXT, "included"},
    {0},
};
/* clang-format on */

/* ------------------------------------------------------------------ shaping */

/* "yes" and "no" become what they mean. */
static enum setpay_error shape_bool(json_t *args, const char *name, struct setpay_problem *problem)
{
    const char *text = json_string_value(json_object_get(args, name));
    if (text == NULL)
        return SETPAY_OK;
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--%s: found '%.40s'; expected yes or no", name, text);
    return json_object_set_new(args, name, json_boolean(text[0] == 'y')) == 0 ? SETPAY_OK
                                                                              : SETPAY_E_NOMEM;
}

/* "7.25" as parts per million; no float comes near it. */
static enum setpay_error shape_percent(json_t *args, struct setpay_problem *problem)
{
    const char *text = json_string_value(json_object_get(args, "percent"));
    static const char digits[] = "0123456789";
    if (text == NULL)
        return SETPAY_OK;
    size_t whole = strspn(text, digits);
    const char *rest = text + whole + (text[whole] == '.' ? 1 : 0);
    size_t part = strspn(rest, digits);
    if (whole < 1 || whole > 3 || part > 4 || rest[part] != '\0' ||
        (text[whole] == '.' && part == 0))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--percent: found '%.40s'; expected a number like 19 or 7.25, of"
                                  " at most four decimals",
                                  text);
    long long ppm = strtoll(text, NULL, 10) * 10000;
    static const long long scale[] = {0, 1000, 100, 10, 1};
    ppm += part > 0 ? strtoll(rest, NULL, 10) * scale[part] : 0;
    (void)json_object_del(args, "percent");
    return json_object_set_new(args, "rate_ppm", json_integer(ppm)) == 0 ? SETPAY_OK
                                                                         : SETPAY_E_NOMEM;
}

/* Takes a member out of args; NULL where there is none. */
static json_t *take(json_t *args, const char *name)
{
    json_t *value = json_incref(json_object_get(args, name));
    (void)json_object_del(args, name);
    return value;
}

/* One of prices; value NULL: no memory. */
static enum setpay_error put_price(json_t *prices, const char *flag, const char *currency,
                                   json_t *value, struct setpay_problem *problem)
{
    if (json_object_get(prices, currency) != NULL) {
        json_decref(value);
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: %s is given twice", flag,
                                  currency);
    }
    return json_object_set_new(prices, currency, value) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* Each --price is an amount with its currency, each --without a currency that has none from now on:
 * out of args, into prices. */
static enum setpay_error take_prices(json_t *args, json_t *prices, struct setpay_problem *problem)
{
    json_t *given = take(args, "price");
    json_t *without = take(args, "without");
    size_t index;
    const json_t *text;
    enum setpay_error error = SETPAY_OK;
    json_array_foreach(given, index, text)
    {
        struct setpay_money money;
        const char *words = json_string_value(text);
        if (error != SETPAY_OK)
            break;
        error =
            setpay_money_parse(words, &money) != SETPAY_OK
                ? setpay_problem_set(problem, SETPAY_E_USAGE,
                                     "--price: found '%.40s'; expected an amount with its"
                                     " currency, like \"12.50 EUR\" or \"1250 JPY\"",
                                     words)
                : put_price(prices, "price", money.currency, json_integer(money.minor), problem);
    }
    json_array_foreach(without, index, text)
    {
        const char *code = json_string_value(text);
        if (error != SETPAY_OK)
            break;
        error = setpay_currency_by_code(code) == NULL
                    ? setpay_problem_set(problem, SETPAY_E_USAGE,
                                         "--without: found '%.40s'; expected a currency of ISO"
                                         " 4217, like EUR",
                                         code)
                    : put_price(prices, "without", code, json_null(), problem);
    }
    json_decref(given);
    json_decref(without);
    return error;
}

static enum setpay_error shape_prices(json_t *args, struct setpay_problem *problem)
{
    json_t *prices = json_object();
    enum setpay_error error = take_prices(args, prices, problem);
    if (error == SETPAY_OK && json_object_size(prices) == 0)
        error =
            setpay_problem_set(problem, SETPAY_E_USAGE,
                               "found no price; expected --price \"12.50 EUR\" or --without EUR,"
                               " or several of them");
    if (error == SETPAY_OK && json_object_set(args, "prices", prices) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(prices);
    return error;
}

/* --sku, --amount, --price, --on-hand and --weight are the one variant of a simple product. */
static enum setpay_error shape_variant(json_t *args, struct setpay_problem *problem)
{
    json_t *sku = take(args, "sku");
    json_t *amount = take(args, "amount");
    json_t *currency = take(args, "currency");
    json_t *on_hand = take(args, "on_hand");
    json_t *weight = take(args, "weight_g");
    json_t *variant = json_object();
    json_t *prices = json_object();
    bool whole = variant != NULL && prices != NULL;
    if (amount != NULL && json_object_set(prices, json_string_value(currency), amount) != 0)
        whole = false;
    if (sku != NULL && json_object_set(variant, "sku", sku) != 0)
        whole = false;
    if (weight != NULL && json_object_set(variant, "weight_g", weight) != 0)
        whole = false;
    if (on_hand != NULL &&
        json_object_set_new(variant, "stock", json_pack("{s:O}", "on_hand", on_hand)) != 0)
        whole = false;
    if (json_object_set(variant, "prices", prices) != 0 ||
        json_object_set_new(args, "variants", json_pack("[O]", variant)) != 0)
        whole = false;
    enum setpay_error error = whole ? take_prices(args, prices, problem) : SETPAY_E_NOMEM;
    json_decref(sku);
    json_decref(amount);
    json_decref(currency);
    json_decref(on_hand);
    json_decref(weight);
    json_decref(variant);
    json_decref(prices);
    return error;
}

static enum setpay_error shape_product(json_t *args, struct setpay_problem *problem)
{
    json_t *category = take(args, "category");
    if (category != NULL &&
        json_object_set_new(args, "categories", json_pack("[o]", category)) != 0)
        return SETPAY_E_NOMEM;
    if (json_object_get(args, "sku") == NULL && json_object_get(args, "amount") == NULL &&
        json_object_get(args, "price") == NULL)
        return SETPAY_OK;
    return shape_variant(args, problem);
}

/* The file's content in place of its name. */
static enum setpay_error shape_import(json_t *args, struct setpay_problem *problem)
{
    json_t *body = NULL;
    json_t *file = take(args, "file");
    enum setpay_error error = setpay_catalogue_file_read(json_string_value(file), &body, problem);
    if (error == SETPAY_OK && json_object_update(args, body) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(file);
    json_decref(body);
    return error;
}

enum setpay_error setpay_merchant_shop_shape(const char *name, json_t *args,
                                             struct setpay_problem *problem)
{
    if (strcmp(name, "product.import") == 0)
        return shape_import(args, problem);
    if (strcmp(name, "product.add") == 0 || strcmp(name, "product.set") == 0)
        return shape_product(args, problem);
    if (strcmp(name, "price.set") == 0)
        return shape_prices(args, problem);
    if (strcmp(name, "picture.add") == 0)
        return setpay_catalogue_picture_load("", args, problem);
    if (strcmp(name, "stock.adjust") == 0)
        return shape_bool(args, "tracked", problem);
    if (strncmp(name, "tax.", 4) == 0) {
        SETPAY_TRY(shape_bool(args, "included", problem));
        return shape_percent(args, problem);
    }
    const char *parent = json_string_value(json_object_get(args, "parent"));
    if (strncmp(name, "category.", 9) == 0 && parent != NULL && strcmp(parent, "none") == 0)
        return json_object_set_new(args, "parent", json_null()) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
    return SETPAY_OK;
}
