/*
 * Parts of an order: what pieces are worth, that all parts add up to the order whatever they are,
 * and what a request for lines means.
 */
#include "merchant/store/order_json.h"
#include "merchant/store/part.h"
#include "tests/support/test_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct setpay_parts parts;
static struct setpay_item items[SETPAY_LIMIT_OFFER_ITEMS];
static struct setpay_order order;
static struct setpay_part_request request;
static struct setpay_part_count counts[SETPAY_LIMIT_OFFER_ITEMS];
static struct setpay_json_fault fault;
static size_t count;
static int64_t minor;

static void no_lines(enum setpay_order_capture capture)
{
    memset(&parts, 0, sizeof parts);
    memset(items, 0, sizeof items);
    memset(&order, 0, sizeof order);
    (void)snprintf(order.order_id, sizeof order.order_id, "ord_1");
    order.items = items;
    order.capture = capture;
}

static void add_line(enum setpay_line_kind kind, const char *sku, int64_t quantity,
                     int64_t unit_minor, int64_t tax_minor)
{
    size_t i = parts.line_count++;
    parts.lines[i] = (struct setpay_part_line){
        .kind = kind, .quantity = quantity, .unit_minor = unit_minor, .tax_minor = tax_minor};
    (void)snprintf(items[i].sku, sizeof items[i].sku, "%s", sku);
    items[i].quantity = (uint32_t)quantity;
    order.item_count = parts.line_count;
}

static enum setpay_error take(enum setpay_part_kind kind, const char *body)
{
    json_t *json = json_loads(body, 0, NULL);
    assert_non_null(json);
    memset(&fault, 0, sizeof fault);
    const struct setpay_order_view view = {.order = order, .parts = &parts};
    enum setpay_error error = setpay_part_request_parse(json, kind, &request, &fault);
    json_decref(json);
    if (error == SETPAY_OK)
        error = setpay_parts_take(&view, kind, &request, counts, &count, &minor, &fault);
    return error;
}

static void refused(enum setpay_part_kind kind, const char *body, enum setpay_error error,
                    const char *field)
{
    struct setpay_parts before = parts;
    enum setpay_error found = take(kind, body);
    if (found != error || strcmp(fault.field, field) != 0 ||
        (field[0] != '\0' && strlen(fault.words) < 10))
        fail_msg("%s: %s %s: %s", body, setpay_error_name(found), fault.field, fault.words);
    assert_memory_equal(&before, &parts, sizeof parts);
}

/* ------------------------------------------------------------------ worth */

static void pieces_of_a_line_add_up_to_it_wherever_it_is_cut(void **state)
{
    (void)state;
    static const struct {
        int64_t quantity, unit, tax;
    } rows[] = {
        {1, 1, 0},
        {1, 0, 1},
        {2, 1, 1},
        {3, 333, 100},
        {3, 333, 1},
        {7, 1, 3},
        {10, 99, 9},
        {1000, 1, 7},
        {999, 12, 13},
        {1000000, 1, 999},
        {2, 499999999999, 999999999999},
        {1000000, 0, 999999999999},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct setpay_part_line line = {
            .quantity = rows[i].quantity, .unit_minor = rows[i].unit, .tax_minor = rows[i].tax};
        int64_t whole = rows[i].unit * rows[i].quantity + rows[i].tax;
        assert_int_equal(setpay_part_share(&line, 0, line.quantity), whole);
        for (int64_t cut = 0; cut <= line.quantity; cut += 1 + line.quantity / 50) {
            int64_t first = setpay_part_share(&line, 0, cut);
            int64_t second = setpay_part_share(&line, cut, line.quantity);
            assert_int_equal(first + second, whole);
            assert_true(first >= rows[i].unit * cut && second >= 0);
        }
        int64_t sum = 0;
        for (int64_t at = 0; at < line.quantity && line.quantity <= 1000; at++) {
            int64_t one = setpay_part_share(&line, at, at + 1);
            /* No piece carries more than its share, rounded up. */
            assert_true(one - rows[i].unit <= rows[i].tax / rows[i].quantity + 1);
            sum += one;
        }
        assert_true(sum == whole || line.quantity > 1000);
    }
    /* 1 on 2 pieces: half up, so on the first; 100 on 3: 33, 34, 33. */
    const struct setpay_part_line half = {.quantity = 2, .tax_minor = 1};
    assert_int_equal(setpay_part_share(&half, 0, 1), 1);
    assert_int_equal(setpay_part_share(&half, 1, 2), 0);
    const struct setpay_part_line thirds = {.quantity = 3, .unit_minor = 5, .tax_minor = 100};
    assert_int_equal(setpay_part_share(&thirds, 0, 1), 38);
    assert_int_equal(setpay_part_share(&thirds, 1, 2), 39);
    assert_int_equal(setpay_part_share(&thirds, 2, 3), 38);
}

static void a_basket(enum setpay_order_capture capture)
{
    no_lines(capture);
    add_line(SETPAY_LINE_GOODS, "CUP", 3, 333, 72);
    add_line(SETPAY_LINE_GOODS, "TEA", 2, 1000, 151);
    add_line(SETPAY_LINE_GOODS, "CUP", 1, 333, 24);
    add_line(SETPAY_LINE_SHIPPING, "", 1, 590, 43);
    add_line(SETPAY_LINE_TAX, "", 1, 290, 0);
}
#define BASKET (999 + 72 + 2000 + 151 + 333 + 24 + 590 + 43)

static void shipments_in_any_order_capture_the_whole_order(void **state)
{
    (void)state;
    static const char *const one[] = {"{\"lines\":[{\"line\":1,\"quantity\":1}]}",
                                      "{\"lines\":[{\"line\":2,\"quantity\":1}]}",
                                      "{\"lines\":[{\"line\":3,\"quantity\":1}]}"};
    unsigned seed = 1;
    for (int round = 0; round < 500; round++) {
        int64_t before = 0, sum = 0;
        int shipments = 0;
        a_basket(SETPAY_CAPTURE_ON_SHIPMENT);
        assert_int_equal(setpay_parts_shipped_minor(&parts), 0);
        while (!setpay_parts_are_sent(&parts)) {
            seed = seed * 1103515245 + 12345;
            enum setpay_error error = take(SETPAY_PART_SHIPMENT, one[seed / 65536 % 3]);
            if (error == SETPAY_E_AMOUNT_LIMIT)
                continue;
            assert_int_equal(error, SETPAY_OK);
            int64_t now = setpay_parts_shipped_minor(&parts);
            if (shipments++ == 0)
                assert_true(now > 590 + 43); /* shipping goes with the first */
            assert_true(now > before);
            sum += now - before;
            before = now;
        }
        assert_int_equal(shipments, 6);
        assert_int_equal(sum, BASKET);
        refused(SETPAY_PART_SHIPMENT, "{}", SETPAY_E_STATE, "");
    }
    a_basket(SETPAY_CAPTURE_ON_SHIPMENT);
    assert_int_equal(take(SETPAY_PART_SHIPMENT, "{}"), SETPAY_OK);
    assert_int_equal(count, 3);
    assert_int_equal(setpay_parts_shipped_minor(&parts), BASKET);
}

static void refunds_of_lines_give_back_what_they_cost(void **state)
{
    (void)state;
    a_basket(SETPAY_CAPTURE_IMMEDIATE);
    int64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":1,\"quantity\":1}]}"),
                         SETPAY_OK);
        sum += minor;
    }
    assert_int_equal(sum, 999 + 72);
    refused(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":1,\"quantity\":1}]}", SETPAY_E_AMOUNT_LIMIT,
            "lines[0].quantity");
    /* Shipping is a line that can be given back, and all that is left another. */
    assert_int_equal(take(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":4,\"quantity\":1}]}"),
                     SETPAY_OK);
    assert_int_equal(minor, 590 + 43);
    sum += minor;
    assert_int_equal(take(SETPAY_PART_REFUND, "{\"restock\":true}"), SETPAY_OK);
    assert_true(request.restock);
    assert_int_equal(sum + minor, BASKET);
    refused(SETPAY_PART_REFUND, "{\"restock\":true}", SETPAY_E_STATE, "");
}

/* Of three cups some are sent, and some given back; rows in which more is wanted than is left are
 * refused, and what was given back unsent is never sent. */
static void each_choice_of_pieces_leaves_exactly_the_others(void **state)
{
    (void)state;
    static const struct {
        int sent;         /* before */
        const char *of;   /* "": not said */
        int64_t back;     /* wanted */
        int64_t unsent;   /* -1: refused */
        int64_t sendable; /* after */
        int64_t left_any, left_unsent, left_sent;
    } rows[] = {
        {0, "", 1, 1, 2, 2, 2, 0},        {0, "", 3, 3, 0, 0, 0, 0},
        {0, "", 4, -1, 3, 3, 3, 0},       {0, "unsent", 1, 1, 2, 2, 2, 0},
        {0, "unsent", 3, 3, 0, 0, 0, 0},  {0, "unsent", 4, -1, 3, 3, 3, 0},
        {0, "sent", 1, -1, 3, 3, 3, 0},   {1, "", 1, 1, 1, 2, 1, 1},
        {1, "", 2, 2, 0, 1, 0, 1},        {1, "", 3, 2, 0, 0, 0, 0},
        {1, "unsent", 1, 1, 1, 2, 1, 1},  {1, "unsent", 2, 2, 0, 1, 0, 1},
        {1, "unsent", 3, -1, 2, 3, 2, 1}, {1, "sent", 1, 0, 2, 2, 2, 0},
        {1, "sent", 2, -1, 2, 3, 2, 1},   {2, "", 1, 1, 0, 2, 0, 2},
        {2, "", 2, 1, 0, 1, 0, 1},        {2, "unsent", 2, -1, 1, 3, 1, 2},
        {2, "sent", 2, 0, 1, 1, 1, 0},    {2, "sent", 3, -1, 1, 3, 1, 2},
        {3, "", 1, 0, 0, 2, 0, 2},        {3, "", 3, 0, 0, 0, 0, 0},
        {3, "unsent", 1, -1, 0, 3, 0, 3}, {3, "sent", 3, 0, 0, 0, 0, 0},
        {3, "sent", 4, -1, 0, 3, 0, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[160], of[32] = "";
        a_basket(SETPAY_CAPTURE_IMMEDIATE);
        (void)snprintf(body, sizeof body, "{\"lines\":[{\"line\":1,\"quantity\":%d}]}",
                       rows[i].sent);
        if (rows[i].sent > 0)
            assert_int_equal(take(SETPAY_PART_SHIPMENT, body), SETPAY_OK);
        if (rows[i].of[0] != '\0')
            (void)snprintf(of, sizeof of, ",\"of\":\"%s\"", rows[i].of);
        (void)snprintf(body, sizeof body, "{\"lines\":[{\"line\":1,\"quantity\":%lld}]%s}",
                       (long long)rows[i].back, of);
        if (rows[i].unsent < 0) {
            refused(SETPAY_PART_REFUND, body, SETPAY_E_AMOUNT_LIMIT, "lines[0].quantity");
        } else {
            assert_int_equal(take(SETPAY_PART_REFUND, body), SETPAY_OK);
            assert_int_equal(counts[0].quantity, rows[i].back);
            assert_int_equal(counts[0].unsent, rows[i].unsent);
            assert_int_equal(minor, setpay_part_share(&parts.lines[0], 0, rows[i].back));
        }
        const struct setpay_part_line *line = &parts.lines[0];
        if (setpay_part_sendable(line) != rows[i].sendable ||
            setpay_part_refundable(&parts, 0, false, SETPAY_PART_OF_ANY) != rows[i].left_any ||
            setpay_part_refundable(&parts, 0, false, SETPAY_PART_OF_UNSENT) !=
                rows[i].left_unsent ||
            setpay_part_refundable(&parts, 0, false, SETPAY_PART_OF_SENT) != rows[i].left_sent)
            fail_msg("row %zu: %d sent, %lld of '%s': %lld can be sent", i, rows[i].sent,
                     (long long)rows[i].back, rows[i].of, (long long)setpay_part_sendable(line));
        (void)snprintf(body, sizeof body, "{\"lines\":[{\"line\":1,\"quantity\":%lld}]}",
                       (long long)rows[i].sendable + 1);
        refused(SETPAY_PART_SHIPMENT, body, SETPAY_E_AMOUNT_LIMIT, "lines[0].quantity");
    }
}

/* What is paid as it is sent can't be given back before, and all of it was sent. */
static void of_what_is_paid_as_it_is_sent_only_that_is_given_back(void **state)
{
    (void)state;
    a_basket(SETPAY_CAPTURE_ON_SHIPMENT);
    refused(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":1,\"quantity\":1}]}", SETPAY_E_AMOUNT_LIMIT,
            "lines[0].quantity");
    refused(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":4,\"quantity\":1}]}", SETPAY_E_AMOUNT_LIMIT,
            "lines[0].quantity");
    assert_int_equal(take(SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":1,\"quantity\":2}]}"),
                     SETPAY_OK);
    refused(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":1,\"quantity\":3}]}", SETPAY_E_AMOUNT_LIMIT,
            "lines[0].quantity");
    refused(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":1,\"quantity\":1}],\"of\":\"unsent\"}",
            SETPAY_E_AMOUNT_LIMIT, "lines[0].quantity");
    assert_int_equal(take(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":1,\"quantity\":2}]}"),
                     SETPAY_OK);
    assert_int_equal(counts[0].unsent, 0);
    assert_int_equal(setpay_part_sendable(&parts.lines[0]), 1);
    /* The shipment falls away, as its capture is undone: what was paid back is not sent again. */
    parts.lines[0].shipped = 0;
    assert_int_equal(setpay_part_sendable(&parts.lines[0]), 1);
    assert_int_equal(setpay_part_refundable(&parts, 0, true, SETPAY_PART_OF_ANY), 0);
}

/* Without lines, of means all of that kind, and the shipping with what was sent. */
static void all_of_a_kind_is_given_back(void **state)
{
    (void)state;
    a_basket(SETPAY_CAPTURE_MANUAL);
    assert_int_equal(take(SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":1,\"quantity\":1}]}"),
                     SETPAY_OK);
    assert_int_equal(take(SETPAY_PART_REFUND, "{\"of\":\"unsent\"}"), SETPAY_OK);
    assert_int_equal(count, 3); /* two cups, two teas, the other cup; not the shipping */
    assert_int_equal(counts[0].quantity, 2);
    assert_int_equal(counts[0].unsent, 2);
    assert_int_equal(counts[1].quantity, 2);
    assert_int_equal(counts[2].quantity, 1);
    int64_t sum = minor;
    assert_true(setpay_parts_are_sent(&parts));
    refused(SETPAY_PART_SHIPMENT, "{}", SETPAY_E_STATE, "");
    refused(SETPAY_PART_REFUND, "{\"of\":\"unsent\"}", SETPAY_E_STATE, "");
    assert_int_equal(take(SETPAY_PART_REFUND, "{\"of\":\"sent\"}"), SETPAY_OK);
    assert_int_equal(count, 2);
    assert_int_equal(counts[1].position, 3);
    assert_int_equal(sum + minor, BASKET);
    /* Nothing is sent: the shipping is not either. */
    a_basket(SETPAY_CAPTURE_MANUAL);
    refused(SETPAY_PART_REFUND, "{\"lines\":[{\"line\":4,\"quantity\":1}],\"of\":\"sent\"}",
            SETPAY_E_AMOUNT_LIMIT, "lines[0].quantity");
    assert_int_equal(take(SETPAY_PART_REFUND, "{\"of\":\"unsent\"}"), SETPAY_OK);
    assert_int_equal(minor, BASKET);
}

static void a_link_to_follow_a_parcel_is_one_of_the_web(void **state)
{
    (void)state;
    static const char *const good[] = {
        "https://a.example",       "http://a.example/t?id=1&x=%20#y",
        "HTTPS://A.EXAMPLE/",      "https://[2001:db8::1]:8443/t",
        "https://a.example/@name",
    };
    static const char *const bad[] = {
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//a.example/",
        "/t",
        "https://",
        "https:///t",
        "https://u@a.example/",
        "https://:",
        "https://u:p@a.example/",
        "https://a b/",
        "https://a.example/\"x",
        "ftp://a/",
        " https://a.example/",
        "https://a\tb/",
        "https://a.example/<b>",
        "https:/a",
        "https://a.example/'",
        "https://\xc3\xa9",
        "https://a.example\\@b/",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(setpay_part_url_is(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (setpay_part_url_is(bad[i]))
            fail_msg("'%s' is taken", bad[i]);
    }
}

/* ------------------------------------------------------------------ the request */

static void a_sku_means_its_lines_in_their_order(void **state)
{
    (void)state;
    a_basket(SETPAY_CAPTURE_ON_SHIPMENT);
    assert_int_equal(take(SETPAY_PART_SHIPMENT, "{\"lines\":[{\"sku\":\"CUP\",\"quantity\":4}]}"),
                     SETPAY_OK);
    assert_int_equal(count, 2);
    assert_int_equal(counts[0].quantity, 3);
    assert_int_equal(counts[1].position, 2);
    assert_int_equal(counts[1].quantity, 1);
    a_basket(SETPAY_CAPTURE_ON_SHIPMENT);
    refused(SETPAY_PART_SHIPMENT, "{\"lines\":[{\"sku\":\"CUP\",\"quantity\":5}]}",
            SETPAY_E_AMOUNT_LIMIT, "lines[0].quantity");
    /* Named twice, a line is not there twice. */
    refused(SETPAY_PART_SHIPMENT,
            "{\"lines\":[{\"sku\":\"TEA\",\"quantity\":1},{\"line\":2,\"quantity\":2}]}",
            SETPAY_E_AMOUNT_LIMIT, "lines[1].quantity");
}

static void a_request_that_means_nothing_is_refused_by_its_member(void **state)
{
    (void)state;
    static const struct {
        enum setpay_part_kind kind;
        const char *body;
        const char *field;
    } rows[] = {
        {SETPAY_PART_SHIPMENT, "{\"lines\":[]}", "lines"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":1}", "lines"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[1]}", "lines[0]"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"quantity\":1}]}", "lines[0].line"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":1,\"sku\":\"A\",\"quantity\":1}]}",
         "lines[0].sku"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":0,\"quantity\":1}]}", "lines[0].line"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":6,\"quantity\":1}]}", "lines[0].line"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":4,\"quantity\":1}]}", "lines[0].line"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":5,\"quantity\":1}]}", "lines[0].line"},
        {SETPAY_PART_REFUND, "{\"lines\":[{\"line\":5,\"quantity\":1}]}", "lines[0].line"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":1}]}", "lines[0].quantity"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":1,\"quantity\":0}]}", "lines[0].quantity"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"line\":1,\"quantity\":1.5}]}", "lines[0].quantity"},
        {SETPAY_PART_SHIPMENT, "{\"lines\":[{\"sku\":\"NONE\",\"quantity\":1}]}", "lines[0].sku"},
        {SETPAY_PART_SHIPMENT, "{\"restock\":true}", "restock"},
        {SETPAY_PART_SHIPMENT, "{\"tracking\":\"\"}", "tracking"},
        {SETPAY_PART_SHIPMENT, "{\"tracking\":\"a\\u0007\"}", "tracking"},
        {SETPAY_PART_REFUND, "{\"lines\":[{\"line\":1,\"quantity\":1}],\"amount\":1}", "amount"},
        {SETPAY_PART_REFUND, "{\"restock\":1}", "restock"},
        {SETPAY_PART_REFUND, "{\"of\":1}", "of"},
        {SETPAY_PART_REFUND, "{\"of\":\"any\"}", "of"},
        {SETPAY_PART_SHIPMENT, "{\"of\":\"sent\"}", "of"},
        {SETPAY_PART_SHIPMENT, "{\"carrier\":\"\"}", "carrier"},
        {SETPAY_PART_SHIPMENT, "{\"tracking_url\":\"javascript:alert(1)\"}", "tracking_url"},
        {SETPAY_PART_REFUND, "{\"of\":\"sent\",\"tracking\":\"1\"}", "tracking"},
    };
    a_basket(SETPAY_CAPTURE_IMMEDIATE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused(rows[i].kind, rows[i].body, SETPAY_E_INVALID, rows[i].field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_a_line_add_up_to_it_wherever_it_is_cut),
        cmocka_unit_test(shipments_in_any_order_capture_the_whole_order),
        cmocka_unit_test(refunds_of_lines_give_back_what_they_cost),
        cmocka_unit_test(each_choice_of_pieces_leaves_exactly_the_others),
        cmocka_unit_test(of_what_is_paid_as_it_is_sent_only_that_is_given_back),
        cmocka_unit_test(all_of_a_kind_is_given_back),
        cmocka_unit_test(a_link_to_follow_a_parcel_is_one_of_the_web),
        cmocka_unit_test(a_sku_means_its_lines_in_their_order),
        cmocka_unit_test(a_request_that_means_nothing_is_refused_by_its_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
