/*
 * What an order of the catalogue costs: taxes and their rounding, shipping by zone and step, sums
 * at the largest amount, currencies without and with three decimals; and that no client can say.
 */
#include "common/base/money.h"
#include "merchant/store/shipping.h"
#include "merchant/store/tax.h"
#include "tests/support/test_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct test_acts test;

static void tax_is_rounded_half_up_and_holds_at_the_largest_amount(void **state)
{
    (void)state;
    static const struct {
        int64_t ppm;
        bool included;
        int64_t amount;
        int64_t tax;
    } rows[] = {
        {190000, true, 0, 0},
        {190000, true, 119, 19},
        {190000, true, 1, 0}, /* 0.16 */
        {190000, true, 3, 0}, /* 0.479 */
        {190000, true, 4, 1}, /* 0.639 */
        {70000, true, 1070, 70},
        {200000, true, 3, 1}, /* 0.5, up */
        {190000, false, 100, 19},
        {72500, false, 1690, 123}, /* 122.525 */
        {50000, false, 10, 1},     /* 0.5, up */
        {50000, false, 9, 0},      /* 0.45 */
        {1, false, 499999, 0},
        {1, false, 500000, 1},
        {1000000, true, 999999999999, 500000000000}, /* half, up */
        {1000000, false, 999999999999, 999999999999},
        {190000, true, 999999999999, 159663865546},
        {0, true, 999999999999, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct setpay_tax_rate rate = {.rate_ppm = rows[i].ppm, .included = rows[i].included};
        if (setpay_tax_of(&rate, rows[i].amount) != rows[i].tax)
            fail_msg("row %zu: %lld", i, (long long)setpay_tax_of(&rate, rows[i].amount));
    }
}

static void a_tax_rate_is_of_a_class_and_a_country_or_region(void **state)
{
    (void)state;
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "tax.add", NULL, NULL,
                              "{\"country\":\"DE\",\"name\":\"VAT\",\"rate_ppm\":190000}"),
                     SETPAY_OK);
    assert_string_equal(test.answer.made, "standard.DE");
    assert_int_equal(test_act(&test, "tax.add", NULL, NULL,
                              "{\"class\":\"food\",\"country\":\"US\",\"region\":\"CA\",\"name\":"
                              "\"Sales tax\",\"rate_ppm\":0,\"included\":false}"),
                     SETPAY_OK);
    assert_string_equal(test.answer.made, "food.US.CA");
    test_act_refuses(&test, SETPAY_E_EXISTS, "class", "tax.add", NULL, NULL,
                     "{\"country\":\"DE\",\"name\":\"VAT\",\"rate_ppm\":1}");
    test_act_refuses(&test, SETPAY_E_INVALID, "country", "tax.add", NULL, NULL,
                     "{\"country\":\"de\",\"name\":\"VAT\",\"rate_ppm\":1}");
    test_act_refuses(&test, SETPAY_E_INVALID, "region", "tax.add", NULL, NULL,
                     "{\"country\":\"DE\",\"region\":\"b-\",\"name\":\"VAT\",\"rate_ppm\":1}");
    test_act_refuses(&test, SETPAY_E_INVALID, "rate_ppm", "tax.add", NULL, NULL,
                     "{\"country\":\"FR\",\"name\":\"VAT\",\"rate_ppm\":1000001}");
    test_act_refuses(&test, SETPAY_E_INVALID, "rate_ppm", "tax.add", NULL, NULL,
                     "{\"country\":\"FR\",\"name\":\"VAT\",\"rate_ppm\":19.5}");
    assert_int_equal(test_act_at(&test, 1, "tax.set", "standard.DE", NULL, "{\"rate_ppm\":160000}"),
                     SETPAY_OK);
    assert_int_equal(test_act_at(&test, 1, "tax.set", "standard.DE", NULL, "{\"rate_ppm\":190000}"),
                     SETPAY_E_CONFLICT);
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "id", "tax.show", "standard", NULL, NULL);
    test_act_refuses(&test, SETPAY_E_NOT_FOUND, "id", "tax.show", "standard.DE.BY", NULL, NULL);
    assert_int_equal(test_act(&test, "tax.remove", "food.US.CA", NULL, NULL), SETPAY_OK);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM tax_rate"), 1);
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ shipping */

#define ZONES(steps)                                                                               \
    "{\"slug\":\"a\",\"name\":\"A\",\"zones\":[{\"countries\":[\"DE\"],\"currency\":\"EUR\","      \
    "\"by\":\"weight\",\"steps\":" steps "}]}"

static void zones_are_checked_step_by_step(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *body;
    } rows[] = {
        {"zones", "{\"slug\":\"a\",\"name\":\"A\"}"},
        {"zones", "{\"slug\":\"a\",\"name\":\"A\",\"zones\":[]}"},
        {"zones[0].countries", "{\"slug\":\"a\",\"name\":\"A\",\"zones\":[{}]}"},
        {"zones[0].countries[0]",
         "{\"slug\":\"a\",\"name\":\"A\",\"zones\":[{\"countries\":[\"Germany\"]}]}"},
        {"zones[0].by", "{\"slug\":\"a\",\"name\":\"A\",\"zones\":[{\"countries\":[\"*\"],"
                        "\"currency\":\"EUR\",\"by\":\"size\"}]}"},
        {"zones[0].steps", ZONES("[]")},
        {"zones[0].steps[0].amount", ZONES("[{\"up_to\":1}]")},
        {"zones[0].steps[0].up_to", ZONES("[{\"amount\":1},{\"amount\":2}]")},
        {"zones[0].steps[1].up_to",
         ZONES("[{\"up_to\":5,\"amount\":1},{\"up_to\":5,\"amount\":2}]")},
        {"zones[0].steps[0].free", ZONES("[{\"amount\":1,\"free\":true}]")},
    };
    test_acts_open(&test);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        test_act_refuses(&test, SETPAY_E_INVALID, rows[i].field, "shipping.add", NULL, NULL,
                         rows[i].body);
    assert_int_equal(test_act(&test, "shipping.add", NULL, NULL, ZONES("[{\"amount\":1}]")),
                     SETPAY_OK);
    test_act_refuses(&test, SETPAY_E_EXISTS, "slug", "shipping.add", NULL, NULL,
                     ZONES("[{\"amount\":1}]"));
    assert_int_equal(test_act_at(&test, 1, "shipping.set", "a", NULL, "{\"name\":\"B\"}"),
                     SETPAY_OK);
    assert_int_equal(test.answer.version, 2);
    assert_int_equal(test_act_at(&test, 1, "shipping.remove", "a", NULL, NULL), SETPAY_E_CONFLICT);
    assert_int_equal(test_act(&test, "shipping.remove", "a", NULL, NULL), SETPAY_OK);
    test_acts_close(&test);
}

/* ------------------------------------------------------------------ orders */

static void open_shop(void)
{
    static const char catalogue[] =
        "{\"tax_rates\":[{\"country\":\"DE\",\"name\":\"VAT\",\"rate_ppm\":190000},"
        "{\"class\":\"reduced\",\"country\":\"DE\",\"name\":\"VAT\",\"rate_ppm\":70000},"
        "{\"country\":\"US\",\"region\":\"CA\",\"name\":\"Sales tax\",\"rate_ppm\":72500,"
        "\"included\":false},"
        "{\"country\":\"BR\",\"region\":\"SP\",\"name\":\"ICMS\",\"rate_ppm\":180000}],"
        "\"shipping_methods\":[{\"slug\":\"parcel\",\"name\":\"Parcel\",\"zones\":["
        "{\"countries\":[\"DE\",\"AT\"],\"currency\":\"EUR\",\"by\":\"weight\",\"steps\":["
        "{\"up_to\":1000,\"amount\":490},{\"up_to\":2000,\"amount\":690}]},"
        "{\"countries\":[\"*\"],\"currency\":\"EUR\",\"by\":\"value\",\"steps\":["
        "{\"up_to\":9999,\"amount\":1490},{\"amount\":0}]}]}],"
        "\"products\":[{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["
        "{\"sku\":\"CUP\",\"options\":{\"colour\":\"gr\\u00fcn\",\"size\":\"M\"},\"weight_g\":500,"
        "\"prices\":{\"EUR\":1190,\"JPY\":1900,\"KWD\":12345}}]},"
        "{\"slug\":\"tea\",\"name\":\"Tea\",\"status\":\"published\",\"tax_class\":\"reduced\","
        "\"variants\":[{\"sku\":\"TEA\",\"prices\":{\"EUR\":107}}]},"
        "{\"slug\":\"gem\",\"name\":\"Gem\",\"status\":\"published\",\"variants\":["
        "{\"sku\":\"GEM\",\"prices\":{\"EUR\":999999999999}},"
        "{\"sku\":\"FREE\",\"prices\":{\"EUR\":0}}]},"
        "{\"slug\":\"new\",\"name\":\"New\",\"variants\":["
        "{\"sku\":\"NEW\",\"prices\":{\"EUR\":1}}]}]}";
    test_acts_open(&test);
    assert_int_equal(test_act(&test, "product.import", NULL, NULL, catalogue), SETPAY_OK);
}

static void an_order_is_priced_taxed_and_shipped_by_the_catalogue(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t amount;
        const char *currency;
        size_t items;
        int64_t tax; /* of all rates */
    } rows[] = {
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}]}", 1190, "EUR", 1, 190},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1},{\"sku\":\"TEA\",\"quantity\":2}]}", 1404,
         "EUR", 2, 190 + 14},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"country\":\"AT\"}", 1190, "EUR", 1, 0},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":3}],\"currency\":\"JPY\"}", 5700, "JPY", 1,
         910},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"currency\":\"KWD\"}", 12345, "KWD", 1,
         1971},
        /* Shipping at a step's edge, behind it, and by value elsewhere. */
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":2}],\"shipping_method\":\"parcel\"}",
         2380 + 490, "EUR", 2, 380 + 78},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":3}],\"shipping_method\":\"parcel\"}",
         3570 + 690, "EUR", 2, 570 + 110},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"shipping_method\":\"parcel\","
         "\"country\":\"CH\"}",
         1190 + 1490, "EUR", 2, 0},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":9}],\"shipping_method\":\"parcel\","
         "\"country\":\"CH\"}",
         10710, "EUR", 2, 0},
        /* A tax that is no part of prices is an item of its own, also on shipping. */
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"shipping_method\":\"parcel\","
         "\"country\":\"US\",\"region\":\"CA\"}",
         1190 + 1490 + 86 + 108, "EUR", 3, 86 + 108},
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"country\":\"US\",\"region\":\"NY\"}",
         1190, "EUR", 1, 0},
        /* Beside what the store itself prices; the largest amount. */
        {"{\"items\":[{\"sku\":\"CUP\",\"quantity\":1},{\"name\":\"Card\",\"quantity\":1,"
         "\"unit_amount\":300,\"sku\":\"own\"}],\"currency\":\"EUR\"}",
         1490, "EUR", 2, 190},
        {"{\"items\":[{\"sku\":\"GEM\",\"quantity\":1}],\"country\":\"AT\"}", 999999999999, "EUR",
         1, 0},
    };
    open_shop();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_ordering ordering;
        enum setpay_error error = test_order(&test, rows[i].body, &ordering);
        const struct setpay_order *order = &ordering.order;
        int64_t tax = 0;
        if (error != SETPAY_OK)
            fail_msg("row %zu: %s: %s", i, ordering.fault.field, ordering.fault.words);
        for (size_t k = 0; order->quote != NULL && k < order->quote->tax_count; k++)
            tax += order->quote->taxes[k].tax_minor;
        if (order->amount.minor != rows[i].amount || order->item_count != rows[i].items ||
            tax != rows[i].tax)
            fail_msg("row %zu: %lld, %zu items, tax %lld", i, (long long)order->amount.minor,
                     order->item_count, (long long)tax);
        assert_string_equal(order->amount.currency, rows[i].currency);
        if (i == 0)
            assert_string_equal(order->items[0].name, "Cup, gr\u00fcn, M");
        setpay_order_clear(&ordering.order);
    }
    test_acts_close(&test);
}

static void what_can_not_be_sold_so_is_refused_and_reserves_nothing(void **state)
{
    (void)state;
    static const struct {
        enum setpay_error error;
        const char *field;
        const char *body;
    } rows[] = {
        {SETPAY_E_NOT_FOUND, "items[0].sku", "{\"items\":[{\"sku\":\"NONE\",\"quantity\":1}]}"},
        {SETPAY_E_NOT_FOUND, "items[0].sku", "{\"items\":[{\"sku\":\"NEW\",\"quantity\":1}]}"},
        /* A price beside a SKU of the catalogue, lower or not, is not for the client to say. */
        {SETPAY_E_INVALID, "items[0].sku",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1,\"name\":\"Cup\",\"unit_amount\":1}],"
         "\"currency\":\"EUR\"}"},
        {SETPAY_E_INVALID, "items[0].name",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1,\"unit_amount\":1}],\"currency\":\"EUR\"}"},
        {SETPAY_E_INVALID, "items[0].sku",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"currency\":\"USD\"}"},
        {SETPAY_E_INVALID, "items[0].quantity", "{\"items\":[{\"sku\":\"CUP\",\"quantity\":0}]}"},
        {SETPAY_E_INVALID, "items", "{\"items\":[{\"sku\":\"GEM\",\"quantity\":2}]}"},
        {SETPAY_E_INVALID, "items",
         "{\"items\":[{\"sku\":\"GEM\",\"quantity\":1},{\"sku\":\"TEA\",\"quantity\":1}]}"},
        {SETPAY_E_INVALID, "items", "{\"items\":[{\"sku\":\"FREE\",\"quantity\":1}]}"},
        {SETPAY_E_INVALID, "items",
         "{\"items\":[{\"sku\":\"GEM\",\"quantity\":1}],\"country\":\"US\",\"region\":\"CA\"}"},
        /* Where taxes are by region, nobody gets around them by naming none, or one that is none.
         */
        {SETPAY_E_INVALID, "region",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"country\":\"US\"}"},
        {SETPAY_E_INVALID, "region",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"country\":\"US\",\"region\":\"ZZ\"}"},
        {SETPAY_E_INVALID, "region", /* one whose regions are not known */
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"country\":\"BR\"}"},
        {SETPAY_E_INVALID, "region",
         "{\"items\":[{\"name\":\"Own\",\"quantity\":1,\"unit_amount\":300}],\"currency\":\"EUR\","
         "\"country\":\"US\",\"shipping_method\":\"parcel\"}"},
        {SETPAY_E_INVALID, "shipping_method",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":5}],\"shipping_method\":\"parcel\"}"},
        {SETPAY_E_INVALID, "shipping_method",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"shipping_method\":\"pigeon\"}"},
        {SETPAY_E_INVALID, "shipping_method",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"currency\":\"JPY\","
         "\"shipping_method\":\"parcel\"}"},
        {SETPAY_E_INVALID, "country",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1}],\"country\":\"de\"}"},
        {SETPAY_E_INVALID, "currency",
         "{\"items\":[{\"sku\":\"CUP\",\"quantity\":1},{\"name\":\"a\",\"quantity\":1,"
         "\"unit_amount\":1}]}"},
        {SETPAY_E_INVALID, "country",
         "{\"description\":\"a\",\"amount\":1,\"currency\":\"EUR\",\"country\":\"DE\"}"},
    };
    open_shop();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_ordering ordering;
        enum setpay_error error = test_order(&test, rows[i].body, &ordering);
        if (error != rows[i].error || strcmp(ordering.fault.field, rows[i].field) != 0)
            fail_msg("row %zu: %s at %s: %s", i, setpay_error_name(error), ordering.fault.field,
                     ordering.fault.words);
        setpay_order_clear(&ordering.order);
    }
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM orders"), 0);
    assert_int_equal(test_acts_sql(&test, "SELECT COUNT(*) FROM order_quote"), 0);
    assert_int_equal(test_acts_sql(&test, "SELECT SUM(reserved) FROM variant"), 0);
    test_acts_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tax_is_rounded_half_up_and_holds_at_the_largest_amount),
        cmocka_unit_test(a_tax_rate_is_of_a_class_and_a_country_or_region),
        cmocka_unit_test(zones_are_checked_step_by_step),
        cmocka_unit_test(an_order_is_priced_taxed_and_shipped_by_the_catalogue),
        cmocka_unit_test(what_can_not_be_sold_so_is_refused_and_reserves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
