/*
 * Webhooks without a network: which addresses may be called, what is signed and how, when an
 * attempt follows another, which URLs are taken; and scopes.
 */
#include "common/base/secret.h"
#include "common/crypto/base64.h"
#include "merchant/store/event.h"
#include "merchant/store/scope.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/webhook/network.h"
#include "merchant/store/webhook/sign.h"
#include "merchant/store/webhook/webhook.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ addresses */

static const struct sockaddr *address_of(const char *text)
{
    static struct sockaddr_storage storage;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&storage, &v4, sizeof v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&storage, &v6, sizeof v6);
    }
    return (const struct sockaddr *)&storage;
}

static void test_only_addresses_of_the_public_internet_are_public(void **state)
{
    (void)state;
    static const char *const public[] = {
        "1.1.1.1",         "9.255.255.255", "11.0.0.0",       "100.63.255.255",  "100.128.0.0",
        "126.0.0.1",       "128.0.0.1",     "172.15.0.1",     "172.32.0.1",      "192.167.0.1",
        "192.169.0.1",     "198.17.0.1",    "198.20.0.1",     "223.255.255.255", "2606:4700::1111",
        "2a00:1450::2000", "2001:200::1",   "::ffff:1.1.1.1", "2003::1",         "2620:fe::fe"};
    static const char *const special[] = {"0.0.0.0",
                                          "0.1.2.3",
                                          "10.0.0.1",
                                          "10.255.255.255",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.255.254",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.1",
                                          "192.0.2.1",
                                          "192.88.99.1",
                                          "192.168.1.1",
                                          "198.18.0.1",
                                          "198.19.255.255",
                                          "198.51.100.7",
                                          "203.0.113.9",
                                          "224.0.0.1",
                                          "239.1.1.1",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::ffff:10.0.0.1",
                                          "::ffff:127.0.0.1",
                                          "::ffff:169.254.169.254",
                                          "::127.0.0.1",
                                          "64:ff9b::7f00:1",
                                          "64:ff9b:1::1",
                                          "100::1",
                                          "2001::1",
                                          "2001:db8::1",
                                          "2002:7f00:1::",
                                          "3fff::1",
                                          "fc00::1",
                                          "fd12::1",
                                          "fe80::1",
                                          "fec0::1",
                                          "ff02::1",
                                          "5f00::1"};
    for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
        if (!setpay_address_is_public(address_of(public[i])))
            fail_msg("%s is public", public[i]);
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (setpay_address_is_public(address_of(special[i])))
            fail_msg("%s is not public", special[i]);
    }
    const struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    assert_false(setpay_address_is_public(&unix_socket));
}

static void test_who_listens_off_private_networks_is_exposed(void **state)
{
    (void)state;
    static const char *const exposed[] = {
        "0.0.0.0",     "::",      "93.184.216.34", "172.32.0.1", "192.169.0.1",
        "100.128.0.1", "2600::1", "11.0.0.1",      "::2",        "::ffff:0.0.0.0"};
    static const char *const own[] = {
        "127.0.0.1", "127.9.9.9",     "::1",         "10.255.0.1", "172.31.0.1",     "fd00::1",
        "fe80::1",   "192.168.255.1", "169.254.1.1", "100.64.0.1", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < sizeof exposed / sizeof *exposed; i++) {
        if (!setpay_address_is_exposed(address_of(exposed[i])))
            fail_msg("%s is exposed", exposed[i]);
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (setpay_address_is_exposed(address_of(own[i])))
            fail_msg("%s is not exposed", own[i]);
    }
}

static void test_the_operators_networks_hold_what_they_say(void **state)
{
    (void)state;
    struct setpay_networks networks;
    struct setpay_problem problem = {{0}};
    assert_int_equal(
        setpay_networks_parse("10.1.2.0/24, 127.0.0.1/32 fd00::/8", &networks, &problem),
        SETPAY_OK);
    assert_int_equal(networks.count, 3);
    assert_true(setpay_networks_have(&networks, address_of("10.1.2.255")));
    assert_false(setpay_networks_have(&networks, address_of("10.1.3.0")));
    assert_true(setpay_networks_have(&networks, address_of("127.0.0.1")));
    assert_true(setpay_networks_have(&networks, address_of("::ffff:127.0.0.1")));
    assert_false(setpay_networks_have(&networks, address_of("127.0.0.2")));
    assert_true(setpay_networks_have(&networks, address_of("fdff::1")));
    assert_false(setpay_networks_have(&networks, address_of("fe00::1")));
    static const char *const wrong[] = {"10.1.2.0",     "10.1.2.0/33", "10.1.2/24", "fd00::/129",
                                        "10.0.0.0/-1",  "10.0.0.0/8x", "/8",        "10.0.0.0/",
                                        "localhost/32", "10.0.0.0/ 8"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (setpay_networks_parse(wrong[i], &networks, &problem) != SETPAY_E_CONFIG)
            fail_msg("%s was taken", wrong[i]);
        assert_non_null(strstr(problem.text, "ADDRESS/BITS"));
    }
    assert_int_equal(setpay_networks_parse(NULL, &networks, &problem), SETPAY_OK);
    assert_false(setpay_networks_have(&networks, address_of("127.0.0.1")));
}

/* ------------------------------------------------------------------ signatures */

/* The example of the Standard Webhooks specification. */
static void test_only_what_is_ours_is_called_without_tls(void **state)
{
    (void)state;
    struct setpay_networks own = {.count = 0};
    struct setpay_problem problem;
    assert_false(setpay_address_is_permitted(&own, false, address_of("93.184.216.34")));
    assert_true(setpay_address_is_permitted(&own, true, address_of("93.184.216.34")));
    assert_false(setpay_address_is_permitted(&own, true, address_of("127.0.0.1")));
    assert_false(setpay_address_is_permitted(&own, true, address_of("10.1.2.3")));
    assert_false(setpay_address_is_permitted(&own, false, address_of("10.1.2.3")));
    assert_int_equal(setpay_networks_parse("10.1.0.0/16", &own, &problem), SETPAY_OK);
    assert_true(setpay_address_is_permitted(&own, true, address_of("10.1.2.3")));
    assert_true(setpay_address_is_permitted(&own, false, address_of("10.1.2.3")));
    assert_false(setpay_address_is_permitted(&own, true, address_of("10.2.2.3")));
    assert_false(setpay_address_is_permitted(&own, false, address_of("93.184.216.34")));
}

static void test_the_signature_is_that_of_standard_webhooks(void **state)
{
    (void)state;
    struct setpay_secret secret = {0};
    struct setpay_secret none = {0};
    char signature[SETPAY_WEBHOOK_SIGNATURE_SIZE];
    assert_int_equal(
        setpay_base64_decode(setpay_view_string("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 64, &secret),
        SETPAY_OK);
    assert_int_equal(setpay_webhook_sign(&secret, &none, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                                         setpay_view_string("{\"test\": 2432232314}"), signature),
                     SETPAY_OK);
    assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    /* Two secrets, two signatures. */
    assert_int_equal(setpay_webhook_sign(&secret, &secret, "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                         1614265330, setpay_view_string("{\"test\": 2432232314}"),
                                         signature),
                     SETPAY_OK);
    assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
                                   " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    /* Another id, time or body has another one. */
    char other[SETPAY_WEBHOOK_SIGNATURE_SIZE];
    assert_int_equal(setpay_webhook_sign(&secret, &none, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265331,
                                         setpay_view_string("{\"test\": 2432232314}"), other),
                     SETPAY_OK);
    assert_memory_not_equal(signature, other, 47);
    setpay_secret_clear(&secret);
}

static void test_a_secret_is_32_bytes_and_shown_as_whsec(void **state)
{
    (void)state;
    struct setpay_secret secret = {0};
    struct setpay_secret read = {0};
    char text[SETPAY_WEBHOOK_SECRET_TEXT_SIZE];
    assert_int_equal(setpay_webhook_secret_make(&secret), SETPAY_OK);
    assert_int_equal(setpay_webhook_secret_format(&secret, text), SETPAY_OK);
    assert_int_equal(strncmp(text, "whsec_", 6), 0);
    assert_int_equal(setpay_base64_decode(setpay_view_string(text + 6), 64, &read), SETPAY_OK);
    assert_true(setpay_secret_equal(&secret, &read));
    setpay_secret_clear(&secret);
    setpay_secret_clear(&read);
}

/* ------------------------------------------------------------------ repeats */

static void test_repeats_grow_apart_and_end(void **state)
{
    (void)state;
    static const struct setpay_delivery_rules rules = {5000, SETPAY_DAY_MS, 5 * SETPAY_DAY_MS};
    setpay_time_ms now_ms = 1000000;
    setpay_time_ms next_ms = 0;
    int64_t attempts = 1;
    int64_t waits[32] = {0};
    while (setpay_delivery_next(&rules, attempts, 1000000, now_ms, 0, 0, &next_ms)) {
        assert_true(attempts < 32);
        waits[attempts - 1] = next_ms - now_ms;
        now_ms = next_ms;
        attempts++;
    }
    assert_int_equal(waits[0], 5000);
    assert_int_equal(waits[1], 15000);
    assert_int_equal(waits[2], 45000);
    for (int64_t i = 1; i < attempts - 2; i++)
        assert_true(waits[i] >= waits[i - 1] && waits[i] <= 8 * SETPAY_HOUR_MS);
    /* The last one is made when a day is over, and not behind it. */
    assert_int_equal(now_ms, 1000000 + SETPAY_DAY_MS);
    assert_in_range(attempts, 9, 14);
    /* Chance makes a wait shorter by a tenth at most. */
    assert_true(setpay_delivery_next(&rules, 1, 0, 0, 0, 255, &next_ms));
    assert_int_equal(next_ms, 4500);
    /* The receiver may ask for more time, not for less, nor for all of it. */
    assert_true(setpay_delivery_next(&rules, 1, 0, 0, 60000, 0, &next_ms));
    assert_int_equal(next_ms, 60000);
    assert_true(setpay_delivery_next(&rules, 3, 0, 20000, 1000, 0, &next_ms));
    assert_int_equal(next_ms, 20000 + 45000);
    assert_true(setpay_delivery_next(&rules, 1, 0, 0, INT64_MAX, 0, &next_ms));
    assert_int_equal(next_ms, 8 * SETPAY_HOUR_MS);
}

static void test_what_is_sent_again_by_hand_begins_anew(void **state)
{
    (void)state;
    static const struct setpay_delivery_rules rules = {5000, SETPAY_DAY_MS, 5 * SETPAY_DAY_MS};
    static const uint8_t jitters[] = {0, 255};
    /* Twelve attempts were made before; of those that follow, the third waits as a third one. */
    for (size_t i = 0; i < sizeof jitters; i++) {
        setpay_time_ms now_ms = 1000000;
        setpay_time_ms next_ms = 0;
        int64_t wait_ms = 5000;
        for (int64_t attempts = 13; attempts < 18; attempts++) {
            assert_true(
                setpay_delivery_next(&rules, attempts, 1000000, now_ms, 0, jitters[i], &next_ms));
            assert_int_equal(next_ms - now_ms, wait_ms - (jitters[i] == 0 ? 0 : wait_ms / 10));
            now_ms = next_ms;
            wait_ms *= 3;
        }
    }
}

/* ------------------------------------------------------------------ what a request says */

static void test_urls_are_http_with_a_host_and_no_more(void **state)
{
    (void)state;
    static const char *const good[] = {"https://shop.example/hook",
                                       "https://shop.example:8443/a?b=c", "http://127.0.0.1:8080/",
                                       "https://[::1]/hook", "https://shop.example"};
    static const char *const wrong[] = {"",
                                        "shop.example/hook",
                                        "ftp://shop.example/",
                                        "file:///etc/passwd",
                                        "gopher://127.0.0.1:25/x",
                                        "https://",
                                        "https://user@shop.example/",
                                        "https://user:password@shop.example/",
                                        "https://shop.example/#part",
                                        "https://shop.example/a b",
                                        "https://shop.example/a\r\nX-Header: b",
                                        "https://shop.example/\xc3\xa4",
                                        "https://shop.example:99999/",
                                        "https://sh\topp.example/",
                                        "javascript:alert(1)",
                                        "//shop.example/"};
    struct setpay_json_fault fault;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (setpay_webhook_url_check(good[i], &fault) != SETPAY_OK)
            fail_msg("%s: %s", good[i], fault.words);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (setpay_webhook_url_check(wrong[i], &fault) != SETPAY_E_INVALID)
            fail_msg("%s was taken", wrong[i]);
        assert_string_equal(fault.field, "url");
        /* It may hold a password: it is not repeated. */
        assert_null(strstr(fault.words, "password@"));
    }
}

static void test_what_a_request_says_is_taken_member_by_member(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool is_new;
        const char *field; /* NULL: it is fine */
    } rows[] = {
        {"{\"url\":\"https://a.example/\"}", true, NULL},
        {"{}", false, NULL},
        {"{}", true, "url"},
        {"{\"url\":1}", true, "url"},
        {"{\"url\":\"https://a.example/\",\"secret\":\"x\"}", true, "secret"},
        {"{\"events\":[\"order.created\",\"order.captured\"]}", false, NULL},
        {"{\"events\":[]}", false, NULL},
        {"{\"events\":\"order.created\"}", false, "events"},
        {"{\"events\":[\"order.created\",\"order.paid\"]}", false, "events[1]"},
        {"{\"events\":[\"order.created\",\"order.created\"]}", false, "events[1]"},
        {"{\"events\":[1]}", false, "events[0]"},
        {"{\"enabled\":1}", false, "enabled"},
        {"{\"description\":\"a\\nb\"}", false, "description"},
        {"{\"description\":\"stock room\",\"enabled\":false}", false, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_webhook webhook = {.seq = 0};
        struct setpay_json_fault fault = {.field = ""};
        json_t *body = json_loads(rows[i].body, 0, NULL);
        enum setpay_error error =
            setpay_webhook_request_parse(body, rows[i].is_new, &webhook, &fault);
        if (error != (rows[i].field == NULL ? SETPAY_OK : SETPAY_E_INVALID))
            fail_msg("row %zu: %s: %s", i, fault.field, fault.words);
        if (rows[i].field != NULL)
            assert_string_equal(fault.field, rows[i].field);
        json_decref(body);
    }
    assert_true(setpay_webhook_wants("", "order.created"));
    assert_true(setpay_webhook_wants(" order.created order.open ", "order.open"));
    assert_false(setpay_webhook_wants(" order.created ", "order.create"));
    assert_false(setpay_webhook_wants(" order.partially_captured ", "captured"));
}

static void test_all_types_at_once_have_room(void **state)
{
    (void)state;
    struct setpay_webhook webhook = {.seq = 0};
    struct setpay_json_fault fault = {.field = ""};
    json_t *types = json_array();
    for (const struct setpay_event_type *type = setpay_event_types; type->name != NULL; type++) {
        assert_true(strlen(type->name) < SETPAY_EVENT_TYPE_SIZE);
        assert_int_equal(json_array_append_new(types, json_string(type->name)), 0);
    }
    json_t *body = json_pack("{s:o}", "events", types);
    assert_int_equal(setpay_webhook_request_parse(body, false, &webhook, &fault), SETPAY_OK);
    json_decref(body);
}

/* ------------------------------------------------------------------ scopes */

static void test_scopes_are_read_written_and_needed(void **state)
{
    (void)state;
    setpay_scopes scopes = 0;
    char text[SETPAY_SCOPES_TEXT_SIZE];
    char wrong[32];
    assert_int_equal(setpay_scopes_parse("orders:read,refunds:write", &scopes, wrong), SETPAY_OK);
    assert_string_equal(setpay_scopes_format(scopes, text), "orders:read refunds:write");
    assert_true(setpay_scopes_have(scopes, SETPAY_SCOPE_REFUNDS_WRITE));
    assert_false(setpay_scopes_have(scopes, SETPAY_SCOPE_ORDERS_WRITE));
    assert_int_equal(setpay_scopes_parse("orders:read,everything", &scopes, wrong),
                     SETPAY_E_INVALID);
    assert_string_equal(wrong, "everything");
    assert_int_equal(setpay_scopes_parse("", &scopes, wrong), SETPAY_E_INVALID);
    assert_int_equal(setpay_scopes_parse("orders:read,all", &scopes, wrong), SETPAY_E_INVALID);
    assert_int_equal(setpay_scopes_parse("all", &scopes, wrong), SETPAY_OK);
    for (unsigned i = 0; i < SETPAY_SCOPES; i++)
        assert_true(setpay_scopes_have(scopes, (enum setpay_scope)i));
    static const struct {
        const char *method;
        const char *path;
        enum setpay_scope scope;
    } rows[] = {
        {"GET", "/orders", SETPAY_SCOPE_ORDERS_READ},
        {"HEAD", "/orders/ord_1", SETPAY_SCOPE_ORDERS_READ},
        {"POST", "/orders", SETPAY_SCOPE_ORDERS_WRITE},
        {"POST", "/orders/ord_1/void", SETPAY_SCOPE_ORDERS_WRITE},
        {"POST", "/orders/ord_1/cancel", SETPAY_SCOPE_ORDERS_WRITE},
        {"POST", "/orders/ord_1/end-agreement", SETPAY_SCOPE_ORDERS_WRITE},
        {"POST", "/orders/ord_1/capture", SETPAY_SCOPE_PAYMENTS_WRITE},
        {"POST", "/orders/ord_1/shipments", SETPAY_SCOPE_PAYMENTS_WRITE},
        {"POST", "/orders/ord_1/authorise", SETPAY_SCOPE_PAYMENTS_WRITE},
        {"POST", "/captures", SETPAY_SCOPE_PAYMENTS_WRITE},
        {"POST", "/orders/ord_1/undo", SETPAY_SCOPE_REFUNDS_WRITE},
        {"POST", "/orders/ord_1/refund", SETPAY_SCOPE_REFUNDS_WRITE},
        {"POST", "/batches/close", SETPAY_SCOPE_BATCHES_WRITE},
        {"GET", "/stock", SETPAY_SCOPE_PRODUCTS_READ},
        {"PATCH", "/products/p", SETPAY_SCOPE_PRODUCTS_WRITE},
        {"DELETE", "/webhooks/whk_1", SETPAY_SCOPE_WEBHOOKS_WRITE},
        {"GET", "/events", SETPAY_SCOPE_EVENTS_READ},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum setpay_scope scope = SETPAY_SCOPES;
        assert_int_equal(setpay_scope_of_request(rows[i].method, rows[i].path, &scope), SETPAY_OK);
        assert_int_equal(scope, rows[i].scope);
    }
    enum setpay_scope scope;
    static const char *const none[] = {"",        "/",      "/order",  "/ordersx",
                                       "/tokens", "orders", "//orders"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(setpay_scope_of_request("GET", none[i], &scope), SETPAY_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_addresses_of_the_public_internet_are_public),
        cmocka_unit_test(test_who_listens_off_private_networks_is_exposed),
        cmocka_unit_test(test_the_operators_networks_hold_what_they_say),
        cmocka_unit_test(test_only_what_is_ours_is_called_without_tls),
        cmocka_unit_test(test_the_signature_is_that_of_standard_webhooks),
        cmocka_unit_test(test_a_secret_is_32_bytes_and_shown_as_whsec),
        cmocka_unit_test(test_repeats_grow_apart_and_end),
        cmocka_unit_test(test_what_is_sent_again_by_hand_begins_anew),
        cmocka_unit_test(test_urls_are_http_with_a_host_and_no_more),
        cmocka_unit_test(test_what_a_request_says_is_taken_member_by_member),
        cmocka_unit_test(test_all_types_at_once_have_room),
        cmocka_unit_test(test_scopes_are_read_written_and_needed),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
