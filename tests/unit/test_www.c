/*
 * The shop's public side as a browser, or somebody who is none, sees it: pages of orders in each
 * status, errors as pages, the headers that every answer has, files under their hash, nothing of
 * the API, and what is done with slow clients and too many of them.
 */
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "merchant/store/www/www.h"
#include "merchant/store/www/www_internal.h"
#include "tests/support/test_store_api.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 300
#define CONNECTIONS 4

static struct test_api test;
static struct test_api_reply reply;
static struct setpay_www *www;
static struct setpay_shop_currencies sold; /* of the next shop that is opened */
static uint16_t www_port;
static sem_t done;

static void start(void *arg)
{
    struct setpay_address address;
    struct setpay_problem problem;
    struct setpay_listeners listeners = {0};
    const struct setpay_www_options options = {
        .loop = test.loop,
        .store = test.store,
        .port = &test_api_port,
        .shop = "Kerzen & <Co>",
        .public_host = "localhost:7443",
        .settings = {.country = "DE", .currency = "EUR", .sold = sold},
        .request_deadline_ms = DEADLINE_MS,
        .max_connections = CONNECTIONS};
    (void)arg;
    assert_int_equal(setpay_www_new(&options, &www), SETPAY_OK);
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &address, &problem), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&address, 1, &listeners, &problem), SETPAY_OK);
    www_port = setpay_address_port(&listeners.address);
    assert_int_equal(setpay_www_listen(www, setpay_listeners_take(&listeners, 0)), SETPAY_OK);
    setpay_listeners_close(&listeners);
    sem_post(&done);
}

static void stop(void *arg)
{
    (void)arg;
    setpay_www_free(www);
    sem_post(&done);
}

static void open_shop(void)
{
    test_api_open(&test, 0);
    assert_int_equal(setpay_loop_post(test.loop, start, NULL), SETPAY_OK);
    sem_wait(&done);
}

static void close_shop(void)
{
    assert_int_equal(setpay_loop_post(test.loop, stop, NULL), SETPAY_OK);
    sem_wait(&done);
    test_api_close(&test);
}

/* To the shop instead of the API. */
static int ask(const char *method, const char *path, const char *headers)
{
    struct test_api shop = test;
    char request[1024];
    shop.port = www_port;
    (void)snprintf(request, sizeof request,
                   "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", method, path,
                   headers);
    test_api_send(&shop, request, &reply);
    return reply.status;
}

static const char *header(const char *name)
{
    static char value[512];
    return test_api_header(&reply, name, value, sizeof value) ? value : "";
}

static void assert_page(void)
{
    assert_string_equal(header("Content-Type"), "text/html; charset=utf-8");
    assert_non_null(strstr(reply.body, "Kerzen &amp; &lt;Co&gt;"));
    assert_null(strstr(reply.body, "<Co>"));
    /* One script, of ours, and nothing that a page itself runs. */
    const char *script = strcasestr(reply.body, "<script");
    assert_non_null(script);
    assert_ptr_equal(script, strstr(reply.body, "<script type=\"module\" src=\"/static/shop."));
    assert_null(strcasestr(script + 1, "<script"));
    assert_null(strstr(reply.body, "style="));
}

static void assert_headers(void)
{
    const char *policy = header("Content-Security-Policy");
    assert_int_equal(strncmp(policy, "default-src 'none';", 19), 0);
    assert_non_null(strstr(policy, "frame-ancestors 'none'"));
    assert_null(strstr(policy, "unsafe"));
    assert_non_null(strstr(policy, "script-src 'self';"));
    assert_non_null(strstr(policy, "connect-src 'self';"));
    assert_null(strstr(policy, "http"));
    assert_string_equal(header("X-Content-Type-Options"), "nosniff");
    assert_string_equal(header("Referrer-Policy"), "no-referrer");
    assert_non_null(strstr(header("Permissions-Policy"), "payment=()"));
    assert_string_equal(header("Strict-Transport-Security"), ""); /* it is plain */
    assert_string_equal(header("Server"), "");
}

/* ------------------------------------------------------------------ pages */

static void test_the_front_page_says_the_shops_name(void **state)
{
    (void)state;
    open_shop();
    assert_int_equal(ask("GET", "/", ""), 200);
    assert_page();
    assert_headers();
    assert_int_equal(ask("HEAD", "/", ""), 200);
    assert_string_equal(reply.body, "");
    close_shop();
}

static void test_an_orders_page_says_what_is_paid_and_no_more(void **state)
{
    (void)state;
    static const char body[] =
        "{\"items\":[{\"name\":\"Lamp <b>\\\"x\\\"</b>\",\"quantity\":2,\"unit_amount\":1250},"
        "{\"name\":\"Parcel\",\"quantity\":1,\"unit_amount\":490}],\"currency\":\"EUR\","
        "\"metadata\":{\"basket\":\"secret-4711\"}}";
    char path[128];
    char order_id[64];
    open_shop();
    assert_int_equal(test_api_post(&test, "/orders", "k1", body, &reply), 201);
    (void)snprintf(order_id, sizeof order_id, "%s", test_api_text(&test, "order_id"));
    (void)snprintf(path, sizeof path, "/orders%s", strrchr(test_api_text(&test, "pay_uri"), '/'));
    assert_int_equal(ask("GET", path, ""), 200);
    assert_page();
    assert_headers();
    assert_string_equal(header("Cache-Control"), "no-store");
    assert_non_null(strstr(reply.body, "<td>Lamp &lt;b&gt;&quot;x&quot;&lt;/b&gt;</td><td>2</td>"
                                       "<td>12.50 EUR</td><td>25.00 EUR</td>"));
    assert_non_null(strstr(reply.body, "29.90 EUR"));
    assert_non_null(strstr(reply.body, "href=\"setpay://localhost:7443/pay/"));
    assert_non_null(strstr(reply.body, "Not paid yet"));
    assert_null(strstr(reply.body, "secret-4711"));
    static const struct {
        enum setpay_purchase_state to;
        const char *words;
        bool payable;
    } rows[] = {
        {SETPAY_PURCHASE_DECLINED, "Your bank has refused", true},
        {SETPAY_PURCHASE_ASKING, "being decided", false},
        {SETPAY_PURCHASE_AUTHORISED, "is held on your card", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i == 0 || i == 1)
            test_api_purchase(&test, order_id, (uint8_t)(i + 1), SETPAY_PURCHASE_ASKING);
        test_api_purchase_goes(&test, i == 0 ? 1 : 2, rows[i].to);
        assert_int_equal(ask("GET", path, ""), 200);
        assert_non_null(strstr(reply.body, rows[i].words));
        assert_int_equal(strstr(reply.body, "setpay://") != NULL, rows[i].payable);
    }
    /* By its token alone, not by its name. */
    (void)snprintf(path, sizeof path, "/orders/%s", order_id);
    assert_int_equal(ask("GET", path, ""), 404);
    close_shop();
}

static void test_what_is_not_there_is_a_page_of_the_shop(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/orders/",
        "/orders/AAAAAAAAAAAAAAAAAAAAAA",
        "/orders/AAAAAAAAAAAAAAAAAAAAAAA/x",
        "/orders/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/../../etc/passwd",
        "/static/../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2fetc%2fpasswd",
        "/static/..\\..\\etc\\passwd",
        "/static//etc/passwd",
        "/static/",
        "/static/shop.css",
        "/static/shop.0000000000000000.css",
        "/static/.",
        "/api/v1/orders",
        "/api/v1/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
        "/pay/AAAAAAAAAAAAAAAAAAAAAA",
        "/index.html",
    };
    open_shop();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (ask("GET", paths[i], "") != 404)
            fail_msg("%s: %d", paths[i], reply.status);
        assert_page();
        assert_headers();
    }
    static const char *const wrong[] = {"/static/%00", "/orders/%ff", "/?a=%zz", "/?a=1&a=2",
                                        "/orders/%c0%ae"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (ask("GET", wrong[i], "") != 400)
            fail_msg("%s: %d", wrong[i], reply.status);
        assert_page();
        assert_headers();
    }
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        assert_int_equal(ask(methods[i], "/", "Content-Length: 0\r\n"), 405);
        assert_page();
        assert_headers();
        assert_non_null(strstr(header("Allow"), "GET"));
    }
    /* What libevent's parser refuses by itself, too. */
    assert_int_equal(ask("NONE", "/", ""), 501);
    assert_page();
    assert_headers();
    close_shop();
}

static void test_a_file_is_kept_for_long_under_its_hash(void **state)
{
    (void)state;
    char path[96];
    char match[600];
    open_shop();
    (void)snprintf(path, sizeof path, "/static/%s", setpay_www_static_name("shop.css"));
    assert_null(setpay_www_static_name("other.css"));
    assert_int_equal(ask("GET", path, ""), 200);
    assert_string_equal(header("Content-Type"), "text/css; charset=utf-8");
    assert_headers();
    assert_non_null(strstr(header("Cache-Control"), "immutable"));
    (void)snprintf(match, sizeof match, "If-None-Match: %s\r\n", header("ETag"));
    assert_int_equal(strlen(header("ETag")), 18);
    assert_int_equal(ask("GET", path, match), 304);
    assert_string_equal(reply.body, "");
    assert_int_equal(ask("GET", path, "If-None-Match: \"0000000000000000\"\r\n"), 200);
    close_shop();
}

/* ------------------------------------------------------------------ currencies */

/* A form of the page that was seen last, with its cookie and token; the status. */
static int choose(const char *cookie, const char *fields)
{
    struct test_api shop = test;
    char body[256], request[1024], token[64] = "";
    const char *at = strstr(reply.body, "name=\"form\" value=\"");
    if (at != NULL)
        (void)sscanf(at, "name=\"form\" value=\"%63[A-Za-z0-9_-]", token);
    shop.port = www_port;
    (void)snprintf(body, sizeof body, "form=%s&%s", token, fields);
    (void)snprintf(request, sizeof request,
                   "POST /currency HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s"
                   "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n"
                   "\r\n%s",
                   cookie, strlen(body), body);
    test_api_send(&shop, request, &reply);
    return reply.status;
}

static void add_product(const char *key, const char *slug, const char *prices)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"slug\":\"%s\",\"name\":\"%s\",\"status\":\"published\",\"variants\":[{"
                   "\"sku\":\"%s\",\"prices\":%s}]}",
                   slug, slug, slug, prices);
    assert_int_equal(test_api_post(&test, "/products", key, body, &reply), 201);
}

static void assert_shows(const char *path, const char *cookie, const char *words, bool shows)
{
    assert_int_equal(ask("GET", path, cookie), 200);
    assert_page();
    if ((strstr(reply.body, words) != NULL) != shows)
        fail_msg("%s %s: %s", path, shows ? "lacks" : "has", words);
}

static void test_a_shopper_chooses_among_the_shops_currencies(void **state)
{
    (void)state;
    static const char chooser[] = "<select id=\"money\"";
    char cookie[128];
    sold = (struct setpay_shop_currencies){.codes = {"EUR", "JPY", "KWD"}, .count = 3};
    open_shop();
    assert_shows("/", "", chooser, false); /* nothing is sold yet */
    add_product("k1", "cup", "{\"EUR\":1250,\"JPY\":1900,\"KWD\":4250}");
    add_product("k2", "tin", "{\"EUR\":990}");
    assert_shows("/", "", "12.50 EUR", true);
    assert_non_null(strstr(reply.body, chooser));
    (void)snprintf(cookie, sizeof cookie, "Cookie: %.*s\r\n",
                   (int)strcspn(header("Set-Cookie"), ";"), header("Set-Cookie"));
    assert_string_equal(header("Cache-Control"), "no-store");
    assert_int_equal(choose(cookie, "currency=JPY&back=%2Fproducts%2Fcup"), 303);
    assert_string_equal(header("Location"), "/products/cup");
    assert_shows("/products/cup", cookie, "1900 JPY", true);
    assert_shows("/", cookie, "EUR</span>", false);
    assert_shows("/", cookie, "Not sold in JPY", true);
    assert_shows("/products/tin", cookie, "Not sold in JPY, but in EUR:", true);
    assert_shows("/search?min=1900&max=1900", cookie, "/products/cup", true);
    /* It is his alone; and what the shop does not sell in is nobody's. */
    assert_shows("/", "", "12.50 EUR", true);
    assert_int_equal(choose("", "currency=JPY&back=%2F"), 403);
    assert_shows("/", cookie, "1900 JPY", true);
    assert_int_equal(choose(cookie, "currency=USD&back=%2F"), 400);
    assert_shows("/cart", cookie, "option value=\"JPY\" selected", true);
    assert_int_equal(choose(cookie, "currency=KWD&back=%2F%2Fevil.example"), 303);
    assert_string_equal(header("Location"), "/");
    assert_shows("/products/cup", cookie, "4.250 KWD", true);
    close_shop();
    memset(&sold, 0, sizeof sold);
    open_shop();
    add_product("k1", "cup", "{\"EUR\":1250,\"JPY\":1900}");
    add_product("k2", "tin", "{\"JPY\":990}");
    assert_shows("/", cookie, "12.50 EUR", true);
    assert_null(strstr(reply.body, chooser));
    assert_null(strstr(reply.body, "Not sold"));
    assert_string_equal(header("Set-Cookie"), "");
    close_shop();
}

/* ------------------------------------------------------------------ limits */

static int connected(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(www_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void test_a_slow_client_is_cut_and_too_many_wait(void **state)
{
    (void)state;
    int slow[CONNECTIONS];
    char byte;
    open_shop();
    int64_t began_ms = setpay_clock_monotonic_ms();
    for (size_t i = 0; i < CONNECTIONS; i++) {
        slow[i] = connected();
        assert_true(send(slow[i], "GET / HTTP/1.1\r\nHost: a\r\nX-A: ", 31, MSG_NOSIGNAL) > 0);
    }
    /* The next one is served once a slow one has been cut. */
    assert_int_equal(ask("GET", "/", ""), 200);
    assert_true(setpay_clock_monotonic_ms() - began_ms >= DEADLINE_MS - 50);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_true(recv(slow[i], &byte, 1, 0) <= 0);
        close(slow[i]);
    }
    close_shop();
}

static void test_what_is_too_long_is_refused(void **state)
{
    (void)state;
    static char path[10000];
    open_shop();
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    struct test_api shop = test;
    static char request[12000];
    shop.port = www_port;
    (void)snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\nX-A: %s\r\n\r\n", path);
    test_api_send(&shop, request, &reply);
    assert_true(reply.status == 400 || reply.status == 431 || reply.status == 413);
    assert_headers();
    close_shop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_front_page_says_the_shops_name),
        cmocka_unit_test(test_an_orders_page_says_what_is_paid_and_no_more),
        cmocka_unit_test(test_what_is_not_there_is_a_page_of_the_shop),
        cmocka_unit_test(test_a_file_is_kept_for_long_under_its_hash),
        cmocka_unit_test(test_a_shopper_chooses_among_the_shops_currencies),
        cmocka_unit_test(test_a_slow_client_is_cut_and_too_many_wait),
        cmocka_unit_test(test_what_is_too_long_is_refused),
    };
    sem_init(&done, 0, 0);
    if (setpay_secret_system_init() != SETPAY_OK)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
