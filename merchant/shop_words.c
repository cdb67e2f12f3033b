/*
 * The store in tables and words. Texts lose their control characters, so that none can steer the
 * terminal.
 */
#include "common/base/money.h"
#include "common/base/noun.h"
#include "merchant/shop_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long long int_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void print_safely(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

/* "19 %" */
static void print_percent(long long ppm)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld.%04lld", ppm / 10000, ppm % 10000);
    size_t size = strlen(text);
    while (text[size - 1] == '0')
        size--;
    if (text[size - 1] == '.')
        size--;
    printf("%.*s %%", (int)size, text);
}

static void print_more(const json_t *result)
{
    if (json_is_string(json_object_get(result, "next_cursor")))
        printf("There are more: --cursor %s\n", setpay_operator_text(result, "next_cursor"));
}

void setpay_merchant_words_removed(const json_t *result)
{
    printf("'%s' is deleted.\n", setpay_operator_text(result, "id"));
}

/* ------------------------------------------------------------------ products */

static void print_prices(const json_t *prices)
{
    const char *currency;
    json_t *value;
    const char *between = "";
    json_object_foreach((json_t *)(uintptr_t)prices, currency, value)
    {
        struct setpay_money money;
        char text[SETPAY_MONEY_TEXT_SIZE];
        if (setpay_money_make(json_integer_value(value), currency, &money) == SETPAY_OK)
            printf("%s%s", between, setpay_money_format(&money, text));
        between = ", ";
    }
}

static void print_left(const json_t *stock)
{
    if (json_is_true(json_object_get(stock, "tracked")))
        printf("%8lld left", int_of(stock, "available"));
    else
        printf("%13s", "not counted");
}

void setpay_merchant_words_products(const json_t *result)
{
    size_t index;
    const json_t *product;
    const json_t *products = json_object_get(result, "products");
    if (json_array_size(products) == 0)
        puts("There is no such product.");
    else
        printf("%-28s  %-10s %8s  %-32s  %s\n", "SLUG", "STATUS", "VARIANTS", "NAME", "PRICE");
    json_array_foreach(products, index, product)
    {
        const json_t *variants = json_object_get(product, "variants");
        printf("%-28s  %-10s %8zu  ", setpay_operator_text(product, "slug"),
               setpay_operator_text(product, "status"), json_array_size(variants));
        const char *name = setpay_operator_text(product, "name");
        print_safely(name);
        printf("%*s  ", strlen(name) < 32 ? 32 - (int)strlen(name) : 0, "");
        print_prices(json_object_get(json_array_get(variants, 0), "prices"));
        putchar('\n');
    }
    print_more(result);
}

static void print_variant(const json_t *variant)
{
    const char *name;
    json_t *value;
    printf("%-14s %-20s ", "variant", setpay_operator_text(variant, "sku"));
    print_left(json_object_get(variant, "stock"));
    printf("  ");
    print_prices(json_object_get(variant, "prices"));
    json_object_foreach(json_object_get(variant, "options"), name, value)
    {
        printf("  %s ", name);
        print_safely(json_string_value(value));
    }
    putchar('\n');
}

void setpay_merchant_words_product(const json_t *product)
{
    static const char *const rows[] = {"id",        "slug",        "name",    "status",
                                       "tax_class", "description", "created", "updated"};
    size_t index;
    const json_t *part;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("%-14s ", rows[i]);
        print_safely(setpay_operator_text(product, rows[i]));
        putchar('\n');
    }
    json_array_foreach(json_object_get(product, "categories"), index, part)
    {
        printf("%-14s %s\n", "category", json_string_value(part));
    }
    json_array_foreach(json_object_get(product, "variants"), index, part)
    {
        print_variant(part);
    }
    json_array_foreach(json_object_get(product, "pictures"), index, part)
    {
        printf("%-14s %s  %-13s %6lld %-5s  ", "picture", setpay_operator_text(part, "id"),
               setpay_operator_text(part, "type"), int_of(part, "bytes"),
               setpay_noun(int_of(part, "bytes"), "byte", "bytes"));
        print_safely(setpay_operator_text(part, "alt"));
        putchar('\n');
    }
}

void setpay_merchant_words_imported(const json_t *result)
{
    printf("Imported: %lld %s, %lld %s, %lld shipping %s, %lld tax %s.\n",
           int_of(result, "products"),
           setpay_noun(int_of(result, "products"), "product", "products"),
           int_of(result, "categories"),
           setpay_noun(int_of(result, "categories"), "category", "categories"),
           int_of(result, "shipping_methods"),
           setpay_noun(int_of(result, "shipping_methods"), "method", "methods"),
           int_of(result, "tax_rates"), setpay_noun(int_of(result, "tax_rates"), "rate", "rates"));
}

/* ------------------------------------------------------------------ categories */

void setpay_merchant_words_category(const json_t *category)
{
    printf("%-14s %s\n%-14s ", "slug", setpay_operator_text(category, "slug"), "name");
    print_safely(setpay_operator_text(category, "name"));
    printf("\n%-14s %s\n%-14s %lld\n", "parent", setpay_operator_text(category, "parent"),
           "position", int_of(category, "position"));
}

void setpay_merchant_words_categories(const json_t *result)
{
    size_t index;
    const json_t *category;
    const json_t *categories = json_object_get(result, "categories");
    if (json_array_size(categories) == 0)
        puts("There is no category yet.");
    json_array_foreach(categories, index, category)
    {
        printf("%*s", (int)(2 * int_of(category, "depth")), "");
        print_safely(setpay_operator_text(category, "name"));
        printf(" (%s)\n", setpay_operator_text(category, "slug"));
    }
}

/* ------------------------------------------------------------------ stock */

static void print_stock(const json_t *stock)
{
    printf("%-24s  %7lld %9lld ", setpay_operator_text(stock, "sku"), int_of(stock, "on_hand"),
           int_of(stock, "reserved"));
    if (json_is_integer(json_object_get(stock, "available")))
        printf("%9lld  ", int_of(stock, "available"));
    else
        printf("%9s  ", "always");
    print_safely(setpay_operator_text(stock, "name"));
    putchar('\n');
}

static void print_stock_head(void)
{
    printf("%-24s  %7s %9s %9s  %s\n", "SKU", "ON HAND", "RESERVED", "AVAILABLE", "NAME");
}

void setpay_merchant_words_stocks(const json_t *result)
{
    size_t index;
    const json_t *stock;
    if (json_array_size(json_object_get(result, "stock")) == 0)
        puts("There is no variant yet.");
    else
        print_stock_head();
    json_array_foreach(json_object_get(result, "stock"), index, stock)
    {
        print_stock(stock);
    }
    print_more(result);
}

void setpay_merchant_words_stock(const json_t *stock)
{
    size_t index;
    const json_t *entry;
    print_stock_head();
    print_stock(stock);
    printf("%-14s %lld or fewer\n", "low", int_of(stock, "low_at"));
    json_array_foreach(json_object_get(stock, "log"), index, entry)
    {
        printf("%-14s %s  %+8lld  then %-8lld ", index == 0 ? "log" : "",
               setpay_operator_text(entry, "at"), int_of(entry, "change"),
               int_of(entry, "on_hand"));
        print_safely(setpay_operator_text(entry, "reason"));
        if (json_object_get(entry, "order_id") != NULL)
            printf(" (%s)", setpay_operator_text(entry, "order_id"));
        putchar('\n');
    }
}

/* ------------------------------------------------------------------ shipping and taxes */

static void print_money(const json_t *object, const char *member, const char *currency)
{
    struct setpay_money money;
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (setpay_money_make(int_of(object, member), currency, &money) == SETPAY_OK)
        printf("%s", setpay_money_format(&money, text));
}

static void print_zone(const json_t *zone)
{
    size_t index;
    const json_t *part;
    const char *currency = setpay_operator_text(zone, "currency");
    bool by_weight = strcmp(setpay_operator_text(zone, "by"), "weight") == 0;
    printf("%-14s", "  to");
    json_array_foreach(json_object_get(zone, "countries"), index, part)
    {
        const char *country = json_string_value(part);
        printf(" %s", strcmp(country, "*") == 0 ? "everywhere" : country);
    }
    putchar('\n');
    json_array_foreach(json_object_get(zone, "steps"), index, part)
    {
        printf("%-14s ", "");
        print_money(part, "amount", currency);
        if (json_object_get(part, "up_to") != NULL && by_weight)
            printf("  up to %lld g", int_of(part, "up_to"));
        else if (json_object_get(part, "up_to") != NULL) {
            printf("  up to a value of ");
            print_money(part, "up_to", currency);
        }
        putchar('\n');
    }
}

void setpay_merchant_words_shipping(const json_t *method)
{
    size_t index;
    const json_t *zone;
    printf("%-14s ", setpay_operator_text(method, "slug"));
    print_safely(setpay_operator_text(method, "name"));
    printf(" (tax class %s)\n", setpay_operator_text(method, "tax_class"));
    json_array_foreach(json_object_get(method, "zones"), index, zone)
    {
        print_zone(zone);
    }
}

void setpay_merchant_words_shippings(const json_t *result)
{
    size_t index;
    const json_t *method;
    if (json_array_size(json_object_get(result, "shipping_methods")) == 0)
        puts("There is no way of shipping yet.");
    json_array_foreach(json_object_get(result, "shipping_methods"), index, method)
    {
        setpay_merchant_words_shipping(method);
    }
}

void setpay_merchant_words_tax(const json_t *rate)
{
    printf("%-24s  ", setpay_operator_text(rate, "id"));
    print_safely(setpay_operator_text(rate, "name"));
    putchar(' ');
    print_percent(int_of(rate, "rate_ppm"));
    puts(json_is_true(json_object_get(rate, "included")) ? ", in the prices" : ", added to prices");
}

void setpay_merchant_words_taxes(const json_t *result)
{
    size_t index;
    const json_t *rate;
    if (json_array_size(json_object_get(result, "tax_rates")) == 0)
        puts("There is no tax rate yet.");
    json_array_foreach(json_object_get(result, "tax_rates"), index, rate)
    {
        setpay_merchant_words_tax(rate);
    }
}
