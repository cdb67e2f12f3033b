/*
 * Products, variants, categories, pictures: what is taken, every refusal by its member, what is
 * found by words, filters and pages, and an import that is whole or not at all.
 */
#include "common/store/search.h"
#include "merchant/store/picture.h"
#include "merchant/store/product.h"
#include "tests/support/test_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_acts test;

#define CUP                                                                                        \
    "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["                   \
    "{\"sku\":\"CUP-S\",\"options\":{\"size\":\"S\"},\"prices\":{\"EUR\":900,\"JPY\":1500},"       \
    "\"stock\":{\"on_hand\":2}},"                                                                  \
    "{\"sku\":\"CUP-L\",\"options\":{\"size\":\"L\"},\"prices\":{\"EUR\":1200}}]}"
#define ONE(sku) "[{\"sku\":\"" sku "\",\"prices\":{\"EUR\":1}}]"

static const char *text_at(const char *list, size_t index, const char *member)
{
    const char *text = json_string_value(
        json_object_get(json_array_get(json_object_get(test.answer.json, list), index), member));
    return text != NULL ? text : "";
}

static size_t count_of(const char *list)
{
    return json_array_size(json_object_get(test.answer.json, list));
}

/* ------------------------------------------------------------------ products */

static void a_product_is_made_shown_changed_and_deleted(void **state)
{
    (void)state;
    char id[SETPAY_SHOP_MADE_SIZE];
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, CUP), SETPAY_OK);
    memcpy(id, test.answer.made, sizeof id);
    assert_int_equal(strncmp(id, "prd_", 4), 0);
    assert_int_equal(test_act(&test, "product.show", id, NULL, NULL), SETPAY_OK);
    assert_int_equal(test.answer.version, 1);
    assert_string_equal(text_at("variants", 0, "sku"), "CUP-S");
    assert_int_equal(test_act(&test, "product.show", "cup", NULL, NULL), SETPAY_OK);
    /* A change names what it changes, and nothing else does. */
    assert_int_equal(test_act_at(&test, 1, "product.set", "cup", NULL, "{\"name\":\"Beaker\"}"),
                     SETPAY_OK);
    assert_int_equal(test.answer.version, 2);
    assert_int_equal(count_of("variants"), 2);
    /* Another one, meant for what it was before, is not made. */
    assert_int_equal(test_act_at(&test, 1, "product.set", "cup", NULL, "{\"name\":\"Mug\"}"),
                     SETPAY_E_CONFLICT);
    assert_int_equal(test_act_at(&test, 1, "product.remove", "cup", NULL, NULL), SETPAY_E_CONFLICT);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM product WHERE name = 'Beaker'"), 1);
    assert_int_equal(test_act(&test, "product.remove", "cup", NULL, NULL), SETPAY_OK);
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "id", "product.show", "cup", NULL, NULL);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM variant"), 0);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM price"), 0);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM search"), 0);
    test_acts_close(&test);
}

static void each_wrong_member_is_named_and_nothing_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *body;
    } rows[] = {
        {"slug", "{\"name\":\"a\",\"variants\":" ONE("A") "}"},
        {"slug", "{\"slug\":\"A b\",\"name\":\"a\",\"variants\":" ONE("A") "}"},
        {"slug", "{\"slug\":\"a--b\",\"name\":\"a\",\"variants\":" ONE("A") "}"},
        {"name", "{\"slug\":\"a\",\"name\":\"\",\"variants\":" ONE("A") "}"},
        {"name", "{\"slug\":\"a\",\"name\":\"a\\nb\",\"variants\":" ONE("A") "}"},
        {"colour", "{\"slug\":\"a\",\"name\":\"a\",\"colour\":1,\"variants\":" ONE("A") "}"},
        {"status", "{\"slug\":\"a\",\"name\":\"a\",\"status\":\"new\",\"variants\":" ONE("A") "}"},
        {"description",
         "{\"slug\":\"a\",\"name\":\"a\",\"description\":\"\\u0007\",\"variants\":" ONE("A") "}"},
        {"categories[0]",
         "{\"slug\":\"a\",\"name\":\"a\",\"categories\":[\"x\"],\"variants\":" ONE("A") "}"},
        {"variants", "{\"slug\":\"a\",\"name\":\"a\"}"},
        {"variants", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[]}"},
        {"variants[0].sku", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":" ONE("A B") "}"},
        {"variants[0].sku", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":" ONE("..") "}"},
        {"variants[0].prices", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\"}]}"},
        {"variants[0].prices.XX",
         "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\",\"prices\":{\"XX\":1}}]}"},
        {"variants[0].prices.EUR",
         "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\",\"prices\":{\"EUR\":-1}}]}"},
        {"variants[0].prices.EUR", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\","
                                   "\"prices\":{\"EUR\":1000000000000}}]}"},
        {"variants[0].prices.EUR",
         "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\",\"prices\":{\"EUR\":1.0}}]}"},
        {"variants[0].options.size", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\","
                                     "\"options\":{\"size\":1},\"prices\":{\"EUR\":1}}]}"},
        {"variants[0].stock.on_hand", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\","
                                      "\"prices\":{\"EUR\":1},\"stock\":{\"on_hand\":-1}}]}"},
        {"variants[0].weight_g", "{\"slug\":\"a\",\"name\":\"a\",\"variants\":[{\"sku\":\"A\","
                                 "\"prices\":{\"EUR\":1},\"weight_g\":1000001}]}"},
    };
    test_acts_open(&test);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        test_act_refuses(&test, SETPAY_E_INVALID, rows[i].field, "product.add", NULL, NULL,
                         rows[i].body);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM product"), 0);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, CUP), SETPAY_OK);
    test_act_refuses(&test, SETPAY_E_EXISTS, "slug", "product.add", NULL, NULL,
                     "{\"slug\":\"cup\",\"name\":\"a\",\"variants\":" ONE("A") "}");
    test_act_refuses(&test, SETPAY_E_EXISTS, "variants[0].sku", "product.add", NULL, NULL,
                     "{\"slug\":\"a\",\"name\":\"a\",\"variants\":" ONE("CUP-S") "}");
    test_act_refuses(&test, SETPAY_E_EXISTS, "variants[1].sku", "product.add", NULL, NULL,
                     "{\"slug\":\"a\",\"name\":\"a\",\"variants\":["
                     "{\"sku\":\"A\",\"prices\":{\"EUR\":1}},"
                     "{\"sku\":\"A\",\"prices\":{\"EUR\":1}}]}");
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM product"), 1);
    test_acts_close(&test);
}

static void variants_come_and_go_but_never_the_last_nor_what_is_reserved(void **state)
{
    (void)state;
    struct test_ordering ordering;
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, CUP), SETPAY_OK);
    assert_int_equal(test_act(&test, "variant.add", "cup", NULL,
                              "{\"sku\":\"CUP-M\",\"prices\":{\"EUR\":1000}}"),
                     SETPAY_OK);
    assert_int_equal(test_act(&test, "variant.set", "cup", "CUP-M", "{\"prices\":{\"USD\":1100}}"),
                     SETPAY_OK);
    test_act_refuses(&test, SETPAY_E_INVALID, "stock", "variant.set", "cup", "CUP-M",
                     "{\"stock\":{\"on_hand\":9}}");
    test_act_refuses(&test, SETPAY_E_EXISTS, "sku", "variant.add", "cup", NULL,
                     "{\"sku\":\"CUP-L\",\"prices\":{\"EUR\":1}}");
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "sku", "variant.set", "cup", "NONE", "{}");
    assert_int_equal(
        test_order(&test, "{\"items\":[{\"sku\":\"CUP-S\",\"quantity\":1}]}", &ordering),
        SETPAY_OK);
    setpay_order_clear(&ordering.order);
    test_act_refuses(&test, SETPAY_E_STATE, "sku", "variant.remove", "cup", "CUP-S", NULL);
    test_act_refuses(&test, SETPAY_E_STATE, "sku", "product.remove", "cup", NULL, NULL);
    test_act_refuses(&test, SETPAY_E_STATE, "sku", "product.set", "cup", NULL,
                     "{\"variants\":" ONE("CUP-M") "}");
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM variant"), 3);
    /* A replacement leaves the stock of those that stay alone. */
    assert_int_equal(test_act(&test, "product.set", "cup", NULL,
                              "{\"variants\":[{\"sku\":\"CUP-S\",\"prices\":{\"EUR\":950},"
                              "\"stock\":{\"on_hand\":77}}]}"),
                     SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT on_hand * 10 + reserved FROM variant"), 21);
    test_act_refuses(&test, SETPAY_E_STATE, "sku", "variant.remove", "cup", "CUP-S", NULL);
    test_acts_close(&test);
}

#define PRICES                                                                                     \
    "SELECT group_concat(currency || amount_minor, ' ') = '%s' FROM (SELECT * FROM price"          \
    " r JOIN variant v ON v.seq = r.variant_seq WHERE v.sku = '%s' ORDER BY currency)"

static void assert_prices(const char *sku, const char *prices)
{
    char sql[400];
    (void)snprintf(sql, sizeof sql, PRICES, prices, sku);
    if (test_acts_sql(&test, sql) != 1)
        fail_msg("%s has other prices than %s", sku, prices);
}

static void assert_options(const char *sku, const char *options)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql, "SELECT options = '%s' FROM variant WHERE sku = '%s'", options,
                   sku);
    if (test_acts_sql(&test, sql) != 1)
        fail_msg("%s has other options than %s", sku, options);
    (void)snprintf(sql, sizeof sql,
                   "SELECT COUNT(*) FROM variant_option o JOIN variant v ON v.seq = o.variant_seq"
                   " WHERE v.sku = '%s'",
                   sku);
    int64_t count = 0;
    for (const char *at = options; (at = strchr(at, ':')) != NULL; at++)
        count++;
    assert_int_equal(test_acts_sql(&test, sql), count);
}

/* A change of a variant is one of what is there: RFC 7396. */
static void what_a_variants_change_does_not_name_stays(void **state)
{
    (void)state;
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, CUP), SETPAY_OK);
    static const struct {
        const char *body, *prices, *options;
    } rows[] = {
        {"{\"prices\":{\"USD\":1100}}", "EUR900 JPY1500 USD1100", "{\"size\":\"S\"}"},
        {"{\"prices\":{\"EUR\":950,\"JPY\":null,\"GBP\":null}}", "EUR950 USD1100",
         "{\"size\":\"S\"}"},
        {"{\"options\":{\"colour\":\"moss\"}}", "EUR950 USD1100",
         "{\"size\":\"S\",\"colour\":\"moss\"}"},
        {"{\"options\":{\"size\":null},\"weight_g\":7}", "EUR950 USD1100", "{\"colour\":\"moss\"}"},
        {"{\"options\":{}}", "EUR950 USD1100", "{\"colour\":\"moss\"}"},
        {"{\"options\":null}", "EUR950 USD1100", "{}"},
        {"{}", "EUR950 USD1100", "{}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(test_act(&test, "variant.set", "cup", "CUP-S", rows[i].body), SETPAY_OK);
        assert_prices("CUP-S", rows[i].prices);
        assert_options("CUP-S", rows[i].options);
    }
    assert_int_equal(test_acts_sql(&test, "SELECT weight_g FROM variant WHERE sku = 'CUP-S'"), 7);
    static const struct {
        const char *field, *body;
    } wrong[] = {
        {"prices", "{\"prices\":{\"EUR\":null,\"USD\":null}}"},
        {"prices", "{\"prices\":null}"},
        {"prices", "{\"prices\":{}}"},
        {"prices", "{\"prices\":[]}"},
        {"prices.XX", "{\"prices\":{\"XX\":1}}"},
        {"prices.EUR", "{\"prices\":{\"EUR\":\"1\"}}"},
        {"options", "{\"prices\":{\"EUR\":1},\"options\":\"moss\"}"},
        {"options.size", "{\"prices\":{\"EUR\":1},\"options\":{\"size\":1}}"},
        {"weight_g", "{\"prices\":{\"EUR\":1},\"weight_g\":null}"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        test_act_refuses(&test, SETPAY_E_INVALID, wrong[i].field, "variant.set", "cup", "CUP-S",
                         wrong[i].body);
    assert_prices("CUP-S", "EUR950 USD1100");
    assert_prices("CUP-L", "EUR1200");
    assert_options("CUP-L", "{\"size\":\"L\"}");
    test_acts_close(&test);
}

static void a_price_is_set_and_the_others_stay(void **state)
{
    (void)state;
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, CUP), SETPAY_OK);
    assert_int_equal(
        test_act_at(&test, 1, "price.set", "CUP-S", NULL, "{\"prices\":{\"USD\":1100}}"),
        SETPAY_OK);
    assert_prices("CUP-S", "EUR900 JPY1500 USD1100");
    assert_prices("CUP-L", "EUR1200");
    /* It is a change of the product. */
    assert_int_equal(test_act_at(&test, 1, "price.set", "CUP-S", NULL, "{\"prices\":{\"USD\":1}}"),
                     SETPAY_E_CONFLICT);
    assert_int_equal(test_act_at(&test, 2, "price.set", "CUP-S", NULL,
                                 "{\"prices\":{\"EUR\":null,\"JPY\":1600,\"KWD\":0,\"GBP\":null}}"),
                     SETPAY_OK);
    assert_prices("CUP-S", "JPY1600 KWD0 USD1100");
    static const struct {
        const char *field;
        const char *body;
    } wrong[] = {
        {"prices", "{}"},
        {"prices", "{\"prices\":{}}"},
        {"prices", "{\"prices\":1200}"},
        {"prices", "{\"prices\":{\"JPY\":null,\"KWD\":null,\"USD\":null}}"},
        {"prices.XX", "{\"prices\":{\"XX\":1}}"},
        {"prices.EUR", "{\"prices\":{\"EUR\":-1}}"},
        {"prices.EUR", "{\"prices\":{\"EUR\":\"1\"}}"},
        {"price", "{\"prices\":{\"EUR\":1},\"price\":1}"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        test_act_refuses(&test, SETPAY_E_INVALID, wrong[i].field, "price.set", "CUP-S", NULL,
                         wrong[i].body);
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "id", "price.set", "NONE", NULL,
                     "{\"prices\":{\"EUR\":1}}");
    assert_prices("CUP-S", "JPY1600 KWD0 USD1100");
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ categories */

static void categories_are_a_tree(void **state)
{
    (void)state;
    test_acts_open(&test);
    static const char *const made[] = {
        "{\"slug\":\"home\",\"name\":\"Home\",\"position\":2}",
        "{\"slug\":\"paper\",\"name\":\"Paper\",\"position\":1}",
        "{\"slug\":\"kitchen\",\"name\":\"Kitchen\",\"parent\":\"home\"}",
        "{\"slug\":\"tea\",\"name\":\"Tea\",\"parent\":\"kitchen\"}"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(test_act(&test, "category.add", NULL, NULL, made[i]), SETPAY_OK);
    assert_int_equal(test_act(&test, "category.list", NULL, NULL, NULL), SETPAY_OK);
    static const char *const order[] = {"paper", "home", "kitchen", "tea"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(text_at("categories", i, "slug"), order[i]);
    test_act_refuses(&test, SETPAY_E_EXISTS, "slug", "category.add", NULL, NULL, made[0]);
    test_act_refuses(&test, SETPAY_E_INVALID, "parent", "category.set", "home", NULL,
                     "{\"parent\":\"tea\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "parent", "category.set", "home", NULL,
                     "{\"parent\":\"home\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "parent", "category.set", "home", NULL,
                     "{\"parent\":\"none\"}");
    test_act_refuses(&test, SETPAY_E_STATE, "id", "category.remove", "kitchen", NULL, NULL);
    assert_int_equal(test_act(&test, "category.set", "tea", NULL, "{\"parent\":null}"), SETPAY_OK);
    assert_int_equal(test_act(&test, "category.remove", "kitchen", NULL, NULL), SETPAY_OK);
    /* No deeper than eight levels, by adding or by moving a branch. */
    char body[128];
    for (int i = 0; i < 8; i++) {
        if (i == 0)
            (void)snprintf(body, sizeof body, "{\"slug\":\"d0\",\"name\":\"d\"}");
        else
            (void)snprintf(body, sizeof body,
                           "{\"slug\":\"d%d\",\"name\":\"d\",\"parent\":\"d%d\"}", i, i - 1);
        assert_int_equal(test_act(&test, "category.add", NULL, NULL, body), SETPAY_OK);
    }
    test_act_refuses(&test, SETPAY_E_INVALID, "parent", "category.add", NULL, NULL,
                     "{\"slug\":\"d8\",\"name\":\"d\",\"parent\":\"d7\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "parent", "category.set", "d0", NULL,
                     "{\"parent\":\"paper\"}");
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ lists */

static void make_shop(void)
{
    static const char *const rows[][4] = {
        {"teapot", "Teapot", "Moss green \\u201cbig\\u201d stoneware", "3900"},
        {"kanne", "K\\u00e4nnchen", "Klein", "2500"},
        {"linen-bag", "Linen bag", "For bread and tea", "1400"},
        {"notebook", "notebook", "Dotted paper", "900"},
        {"zebra", "Zebra print", "NOT a pot OR cup", "900"},
    };
    char body[512];
    test_acts_open(&test);
    assert_int_equal(
        test_act(&test, "category.add", NULL, NULL, "{\"slug\":\"top\",\"name\":\"Top\"}"),
        SETPAY_OK);
    assert_int_equal(test_act(&test, "category.add", NULL, NULL,
                              "{\"slug\":\"sub\",\"name\":\"Below\",\"parent\":\"top\"}"),
                     SETPAY_OK);
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(body, sizeof body,
                       "{\"slug\":\"%s\",\"name\":\"%s\",\"description\":\"%s\",\"status\":\"%s\","
                       "\"categories\":[%s],\"variants\":[{\"sku\":\"SKU-%zu\",\"options\":"
                       "{\"size\":\"%s\"},\"prices\":{\"EUR\":%s},\"stock\":{\"on_hand\":%zu}}]}",
                       rows[i][0], rows[i][1], rows[i][2], i == 4 ? "draft" : "published",
                       i == 0 ? "\"sub\"" : "", i, i < 2 ? "M" : "L", rows[i][3], i);
        assert_int_equal(test_act(&test, "product.add", NULL, NULL, body), SETPAY_OK);
    }
}

/* The slugs of a list, with spaces between. */
static const char *listed(const char *body)
{
    static char slugs[512];
    slugs[0] = '\0';
    if (test_act(&test, "product.list", NULL, NULL, body) != SETPAY_OK)
        return "refused";
    for (size_t i = 0; i < count_of("products"); i++)
        (void)snprintf(slugs + strlen(slugs), sizeof slugs - strlen(slugs), "%s%s",
                       i == 0 ? "" : " ", text_at("products", i, "slug"));
    return slugs;
}

static void products_are_found_by_words_filters_and_sorted(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *slugs;
    } rows[] = {
        {"{}", "zebra notebook linen-bag kanne teapot"},
        {"{\"status\":\"draft\"}", "zebra"},
        {"{\"sort\":\"name\"}", "kanne linen-bag notebook teapot zebra"},
        {"{\"sort\":\"price\"}", "notebook zebra linen-bag kanne teapot"},
        {"{\"sort\":\"-price\"}", "teapot kanne linen-bag notebook zebra"},
        {"{\"sort\":\"price\",\"currency\":\"USD\"}", "teapot kanne linen-bag notebook zebra"},
        {"{\"category\":\"sub\"}", "teapot"},
        {"{\"category\":\"top\"}", "teapot"},
        {"{\"in_stock\":true,\"sort\":\"name\"}", "kanne linen-bag notebook zebra"},
        {"{\"option\":\"size:M\",\"sort\":\"name\"}", "kanne teapot"},
        {"{\"option\":\"size:XL\"}", ""},
        {"{\"price_min\":900,\"price_max\":1400,\"sort\":\"name\"}", "linen-bag notebook zebra"},
        {"{\"price_min\":901,\"price_max\":1399}", ""},
        {"{\"price_max\":5000,\"currency\":\"USD\"}", ""},
        /* Words: title before text; case and accents do not count; the last may be unfinished. */
        {"{\"q\":\"tea\"}", "teapot linen-bag"},
        {"{\"q\":\"TEAP\"}", "teapot"},
        {"{\"q\":\"kannchen\"}", "kanne"},
        {"{\"q\":\"moss stone\"}", "teapot"},
        {"{\"q\":\"SKU-3\"}", "notebook"},
        {"{\"q\":\"below\"}", "teapot"},
        {"{\"q\":\"tea\",\"sort\":\"name\"}", "linen-bag teapot"},
        {"{\"q\":\"tea\",\"category\":\"top\"}", "teapot"},
        /* Nothing is an operator: these are words, or part none. */
        {"{\"q\":\"\\\"big\\\"\"}", "teapot"},
        {"{\"q\":\"NOT pot\"}", "zebra"},
        {"{\"q\":\"cup OR notebook\"}", ""},
        {"{\"q\":\"title:teapot\"}", ""},
        {"{\"q\":\"tea* NEAR(bread\"}", ""},
        {"{\"q\":\"';--\\\" tea\"}", "teapot linen-bag"},
        {"{\"q\":\"^tea\"}", "teapot linen-bag"},
        {"{\"q\":\"\\ud83e\\uded6\"}", ""},
        {"{\"q\":\"\\u30c6\\u30a3\\u30fc\"}", ""},
    };
    make_shop();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *slugs = listed(rows[i].body);
        if (strcmp(slugs, rows[i].slugs) != 0)
            fail_msg("%s: %s, expected %s", rows[i].body, slugs, rows[i].slugs);
    }
    /* What has changed is found by its new words alone. */
    assert_int_equal(test_act(&test, "product.set", "teapot", NULL,
                              "{\"name\":\"Kettle\",\"description\":\"\"}"),
                     SETPAY_OK);
    assert_string_equal(listed("{\"q\":\"moss\"}"), "");
    assert_string_equal(listed("{\"q\":\"kettle\"}"), "teapot");
    test_acts_close(&test);
}

static void questions_that_are_none_are_refused(void **state)
{
    (void)state;
    char longest[SETPAY_SEARCH_TEXT_BYTES + 32];
    char text[SETPAY_SEARCH_TEXT_BYTES + 2];
    make_shop();
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)snprintf(longest, sizeof longest, "{\"q\":\"%s\"}", text);
    test_act_refuses(&test, SETPAY_E_INVALID, "q", "product.list", NULL, NULL, longest);
    text[sizeof text - 2] = '\0';
    (void)snprintf(longest, sizeof longest, "{\"q\":\"%s\"}", text);
    assert_string_equal(listed(longest), "");
    for (size_t i = 1; i < sizeof text - 2; i += 2)
        text[i] = ' ';
    (void)snprintf(longest, sizeof longest, "{\"q\":\"%s\"}", text);
    assert_string_not_equal(listed(longest), "refused"); /* many words: only the first count */
    test_act_refuses(&test, SETPAY_E_INVALID, "q", "product.list", NULL, NULL, "{\"q\":\"-*!\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "sort", "product.list", NULL, NULL,
                     "{\"sort\":\"relevance\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "sort", "product.list", NULL, NULL,
                     "{\"sort\":\"-name\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "category", "product.list", NULL, NULL,
                     "{\"category\":\"none\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "option", "product.list", NULL, NULL,
                     "{\"option\":\"size\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "limit", "product.list", NULL, NULL, "{\"limit\":0}");
    test_act_refuses(&test, SETPAY_E_INVALID, "in_stock", "product.list", NULL, NULL,
                     "{\"in_stock\":\"yes\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "page", "product.list", NULL, NULL, "{\"page\":2}");
    test_acts_close(&test);
}

static void pages_hold_each_product_once_and_forged_cursors_are_refused(void **state)
{
    (void)state;
    static const char *const sorts[] = {"newest", "name", "price", "-price"};
    char body[512];
    char cursor[300] = "";
    make_shop();
    for (size_t s = 0; s < 4; s++) {
        char all[512];
        char seen[512] = "";
        (void)snprintf(body, sizeof body, "{\"sort\":\"%s\"}", sorts[s]);
        (void)snprintf(all, sizeof all, "%s", listed(body));
        (void)snprintf(body, sizeof body, "{\"sort\":\"%s\",\"limit\":2}", sorts[s]);
        for (int page = 0; page < 3; page++) {
            (void)snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s%s",
                           page == 0 ? "" : " ", listed(body));
            assert_int_equal(json_is_true(json_object_get(test.answer.json, "has_more")), page < 2);
            const json_t *next = json_object_get(test.answer.json, "next_cursor");
            if (page < 2)
                (void)snprintf(cursor, sizeof cursor, "%s", json_string_value(next));
            (void)snprintf(body, sizeof body, "{\"sort\":\"%s\",\"limit\":2,\"cursor\":\"%s\"}",
                           sorts[s], cursor);
        }
        assert_string_equal(seen, all);
    }
    /* A cursor of another question, one that was changed, and what is none. */
    (void)snprintf(body, sizeof body, "{\"sort\":\"name\",\"cursor\":\"%s\"}", cursor);
    test_act_refuses(&test, SETPAY_E_INVALID, "cursor", "product.list", NULL, NULL, body);
    static const char *const forged[] = {"", "A", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "===="};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        (void)snprintf(body, sizeof body, "{\"cursor\":\"%s\"}", forged[i]);
        test_act_refuses(&test, SETPAY_E_INVALID, "cursor", "product.list", NULL, NULL, body);
    }
    for (size_t i = 0; i < strlen(cursor); i++) {
        char other[300];
        memcpy(other, cursor, sizeof other);
        other[i] = other[i] == 'A' ? 'B' : 'A';
        (void)snprintf(body, sizeof body, "{\"sort\":\"-price\",\"cursor\":\"%s\"}", other);
        enum setpay_error error =
            test_act_at(&test, SETPAY_SHOP_ANY_VERSION, "product.list", NULL, NULL, body);
        assert_true(error == SETPAY_OK || error == SETPAY_E_INVALID); /* another place, or none */
    }
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ pictures */

static enum setpay_error check_svg(const char *text)
{
    const char *expected = "";
    return setpay_picture_check(SETPAY_PICTURE_SVG, setpay_view_string(text), &expected);
}

static void only_what_is_a_still_picture_is_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>",
        "\n<?xml version=\"1.0\"?>\n<!-- a <cup> -->\n<svg><text>on = off</text></svg>"};
    static const char *const bad[] = {"",
                                      "<sv",
                                      "<html><svg/></html>",
                                      "<!DOCTYPE svg><svg></svg>",
                                      "<svg><script>alert(1)</script></svg>",
                                      "<svg><SCRIPT/></svg>",
                                      "<svg onload=\"a()\"/>",
                                      "<svg\nonload\n=\"a()\"/>",
                                      "<svg><a href=\"JavaScript:a()\"/></svg>",
                                      "<svg><image xlink:href=\"http://a/b\"/></svg>",
                                      "<svg><style>@import 'a'</style></svg>",
                                      "<svg><x:script xmlns:x='http://www.w3.org/2000/svg'/></svg>",
                                      "<svg><foreignObject><p/></foreignObject></svg>",
                                      "<svg>\xff</svg>",
                                      "<!-- <svg></svg>"};
    const char *expected = "";
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(check_svg(good[i]), SETPAY_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (check_svg(bad[i]) != SETPAY_E_INVALID)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(setpay_picture_check(SETPAY_PICTURE_PNG,
                                          setpay_view_of("\x89PNG\r\n\x1a\n...", 11), &expected),
                     SETPAY_OK);
    assert_int_equal(
        setpay_picture_check(SETPAY_PICTURE_JPEG, setpay_view_of("\x89PNG\r\n", 6), &expected),
        SETPAY_E_INVALID);
    assert_int_equal(setpay_picture_check(SETPAY_PICTURE_WEBP,
                                          setpay_view_of("RIFF\0\0\0\0WEBP", 12), &expected),
                     SETPAY_OK);
}

static void pictures_are_kept_once_and_go_with_their_last_product(void **state)
{
    (void)state;
    static char big[SETPAY_PICTURE_BYTES_MAX + 1];
    static const char svg[] = "<svg></svg>";
    char id[SETPAY_SHOP_MADE_SIZE];
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, CUP), SETPAY_OK);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL,
                              "{\"slug\":\"b\",\"name\":\"b\",\"variants\":" ONE("B") "}"),
                     SETPAY_OK);
    json_t *body = setpay_picture_body("image/svg+xml", "A cup", setpay_view_string(svg));
    char *text = json_dumps(body, 0);
    assert_int_equal(test_act(&test, "picture.add", "cup", NULL, text), SETPAY_OK);
    memcpy(id, test.answer.made, sizeof id);
    assert_int_equal(test_act(&test, "picture.add", "cup", NULL, text), SETPAY_OK);
    assert_int_equal(count_of("pictures"), 1);
    assert_int_equal(test_act(&test, "picture.add", "b", NULL, text), SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM picture"), 1);
    assert_int_equal(test_act(&test, "picture.remove", "cup", id, NULL), SETPAY_OK);
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "picture", "picture.remove", "cup", id, NULL);
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "picture", "picture.remove", "cup", "zz", NULL);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM picture"), 1);
    assert_int_equal(test_act(&test, "product.remove", "b", NULL, NULL), SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM picture"), 0);
    free(text);
    json_decref(body);
    body = setpay_picture_body("image/svg+xml", "A cup", setpay_view_of(big, sizeof big));
    text = json_dumps(body, 0);
    test_act_refuses(&test, SETPAY_E_INVALID, "data", "picture.add", "cup", NULL, text);
    free(text);
    json_decref(body);
    test_act_refuses(&test, SETPAY_E_INVALID, "type", "picture.add", "cup", NULL,
                     "{\"type\":\"image/gif\",\"alt\":\"a\",\"data\":\"AAAA\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "data", "picture.add", "cup", NULL,
                     "{\"type\":\"image/png\",\"alt\":\"a\",\"data\":\"A=A=\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "alt", "picture.add", "cup", NULL,
                     "{\"type\":\"image/png\",\"data\":\"AAAA\"}");
    test_acts_close(&test);
}

/* "b a c": what the pictures of the cup show, in order. */
static const char *shown(void)
{
    static char text[256];
    size_t used = 0, index;
    const json_t *picture;
    text[0] = '\0';
    json_array_foreach(json_object_get(test.answer.json, "pictures"), index, picture)
    {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", index > 0 ? " " : "",
                                 json_string_value(json_object_get(picture, "alt")));
    }
    return text;
}

static void a_picture_is_described_anew_and_put_elsewhere(void **state)
{
    (void)state;
    static const struct {
        int which;
        const char *change;
        const char *shown;
    } steps[] = {
        {2, "{\"position\":1}", "c a b"},
        {2, "{\"position\":2}", "a c b"},
        {0, "{\"position\":3,\"alt\":\"A\"}", "c b A"},
        {0, "{\"position\":3}", "c b A"},
        {1, "{\"alt\":\"<b>\"}", "c <b> A"},
    };
    char ids[3][SETPAY_SHOP_MADE_SIZE];
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.add", NULL, NULL, CUP), SETPAY_OK);
    for (int i = 0; i < 3; i++) {
        char svg[32], alt[2] = {(char)('a' + i), '\0'};
        (void)snprintf(svg, sizeof svg, "<svg>%d</svg>", i);
        json_t *body = setpay_picture_body("image/svg+xml", alt, setpay_view_string(svg));
        char *text = json_dumps(body, 0);
        assert_int_equal(test_act(&test, "picture.add", "cup", NULL, text), SETPAY_OK);
        memcpy(ids[i], test.answer.made, sizeof *ids);
        free(text);
        json_decref(body);
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int64_t version = test.answer.version;
        assert_int_equal(
            test_act(&test, "picture.set", "cup", ids[steps[i].which], steps[i].change), SETPAY_OK);
        assert_string_equal(shown(), steps[i].shown);
        assert_true(test.answer.version > version);
    }
    assert_int_equal(test_act_at(&test, 1, "picture.set", "cup", ids[0], "{\"position\":1}"),
                     SETPAY_E_CONFLICT);
    test_act_refuses(&test, SETPAY_E_INVALID, "alt", "picture.set", "cup", ids[0], "{}");
    test_act_refuses(&test, SETPAY_E_INVALID, "alt", "picture.set", "cup", ids[0],
                     "{\"alt\":\"\"}");
    test_act_refuses(&test, SETPAY_E_INVALID, "position", "picture.set", "cup", ids[0],
                     "{\"position\":0}");
    test_act_refuses(&test, SETPAY_E_INVALID, "position", "picture.set", "cup", ids[0],
                     "{\"position\":4}");
    test_act_refuses(&test, SETPAY_E_INVALID, "type", "picture.set", "cup", ids[0],
                     "{\"type\":\"image/png\"}");
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "picture", "picture.set", "cup", "zz",
                     "{\"position\":1}");
    ids[0][0] = ids[0][0] == '0' ? '1' : '0';
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "picture", "picture.set", "cup", ids[0],
                     "{\"position\":1}");
    /* One that goes leaves no gap that the next change would stumble over. */
    assert_int_equal(test_act(&test, "picture.remove", "cup", ids[1], NULL), SETPAY_OK);
    assert_int_equal(test_act(&test, "picture.set", "cup", ids[2], "{\"position\":2}"), SETPAY_OK);
    assert_string_equal(shown(), "A c");
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ import */

static void an_import_is_whole_or_not_at_all_and_may_be_repeated(void **state)
{
    (void)state;
    static const char good[] =
        "{\"categories\":[{\"slug\":\"a\",\"name\":\"A\"}],"
        "\"tax_rates\":[{\"country\":\"DE\",\"name\":\"VAT\",\"rate_ppm\":190000}],"
        "\"shipping_methods\":[{\"slug\":\"post\",\"name\":\"Post\",\"zones\":[{\"countries\":"
        "[\"*\"],\"currency\":\"EUR\",\"by\":\"value\",\"steps\":[{\"amount\":500}]}]}],"
        "\"products\":[{\"slug\":\"p\",\"name\":\"P\",\"categories\":[\"a\"],\"variants\":[{"
        "\"sku\":\"P\",\"prices\":{\"EUR\":100},\"stock\":{\"on_hand\":5}}],\"pictures\":[{"
        "\"type\":\"image/svg+xml\",\"alt\":\"P\",\"data\":\"PHN2Zz48L3N2Zz4=\"}]}]}";
    test_acts_open(&test);
    test_act_refuses(
        &test, SETPAY_E_INVALID, "products[0].variants[0].prices.EUR", "product.import", NULL, NULL,
        "{\"categories\":[{\"slug\":\"a\",\"name\":\"A\"}],\"products\":[{\"slug\":"
        "\"p\",\"name\":\"P\",\"variants\":[{\"sku\":\"P\",\"prices\":{\"EUR\":-1}}]}]}");
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM category"), 0);
    test_act_refuses(&test, SETPAY_E_INVALID, "goods", "product.import", NULL, NULL,
                     "{\"goods\":[]}");
    for (int i = 0; i < 2; i++)
        assert_int_equal(test_act(&test, "product.import", NULL, NULL, good), SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM product"), 1);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM product_picture"), 1);
    assert_int_equal(test_acts_sql(&test, "SELECT on_hand FROM variant"), 5);
    test_acts_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_is_made_shown_changed_and_deleted),
        cmocka_unit_test(each_wrong_member_is_named_and_nothing_is_kept),
        cmocka_unit_test(variants_come_and_go_but_never_the_last_nor_what_is_reserved),
        cmocka_unit_test(what_a_variants_change_does_not_name_stays),
        cmocka_unit_test(a_price_is_set_and_the_others_stay),
        cmocka_unit_test(categories_are_a_tree),
        cmocka_unit_test(products_are_found_by_words_filters_and_sorted),
        cmocka_unit_test(questions_that_are_none_are_refused),
        cmocka_unit_test(pages_hold_each_product_once_and_forged_cursors_are_refused),
        cmocka_unit_test(only_what_is_a_still_picture_is_taken),
        cmocka_unit_test(pictures_are_kept_once_and_go_with_their_last_product),
        cmocka_unit_test(a_picture_is_described_anew_and_put_elsewhere),
        cmocka_unit_test(an_import_is_whole_or_not_at_all_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
