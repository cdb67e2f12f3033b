/*
 * The shop's pages with goods in the shop, as a shopper goes through them: what carts, checkouts
 * and orders say, and what only they themselves may see.
 */
#include "common/base/secret.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "merchant/store/www/guard.h"
#include "merchant/store/www/texts.h"
#include "merchant/store/www/www.h"
#include "tests/support/test_store_api.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CUP                                                                                        \
    "{\"slug\":\"cup\",\"name\":\"Cup\",\"status\":\"published\",\"variants\":["                   \
    "{\"sku\":\"CUP\",\"prices\":{\"EUR\":900},\"stock\":{\"on_hand\":20}}]}"
#define PARCEL                                                                                     \
    "{\"slug\":\"parcel\",\"name\":\"Parcel\",\"zones\":[{\"countries\":[\"AT\",\"DE\"],"          \
    "\"currency\":\"EUR\",\"by\":\"weight\",\"steps\":[{\"amount\":490}]}]}"
#define VAT "{\"class\":\"standard\",\"country\":\"DE\",\"name\":\"VAT\",\"rate_ppm\":190000}"
#define ADDRESS                                                                                    \
    "name=Ada&street=Weg+1&postal_code=10115&city=Berlin&country=DE&shipping_method=parcel"

static struct test_api test;
static struct test_api_reply reply;
static struct setpay_www *www;
static uint16_t www_port;
static sem_t done;
static struct setpay_www_options options;
static struct setpay_guard *guard;

/* ------------------------------------------------------------------ the shop */

static void start(void *arg)
{
    struct setpay_address address;
    struct setpay_problem problem;
    struct setpay_listeners listeners = {0};
    (void)arg;
    options.loop = test.loop;
    options.store = test.store;
    options.port = &test_api_port;
    options.shop = "Cups";
    options.public_host = "localhost:7443";
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

static void make(const char *path, const char *body)
{
    static int key;
    char text[16];
    (void)snprintf(text, sizeof text, "key-%d", key++);
    if (test_api_post(&test, path, text, body, &reply) != 201)
        fail_msg("%s: %d %s", path, reply.status, reply.body);
}

static void change(const char *path, const char *body)
{
    if (test_api_edit(&test, "PATCH", path, "*", body, &reply) != 200)
        fail_msg("%s: %d %s", path, reply.status, reply.body);
}

/* A shop that sells cups and sends them to Austria and Germany. */
/* currencies: "EUR, USD"; NULL: one. */
static void open_shop_in(const char *country, const char *currencies)
{
    memset(&options, 0, sizeof options);
    options.settings.country = country;
    options.settings.currency = "EUR";
    struct setpay_guard_options limits = setpay_guard_defaults;
    struct setpay_problem problem;
    assert_int_equal(
        setpay_shop_currencies_parse(currencies, "EUR", &options.settings.sold, &problem),
        SETPAY_OK);
    assert_int_equal(setpay_networks_parse("127.0.0.0/8", &limits.proxies, &problem), SETPAY_OK);
    assert_int_equal(setpay_guard_new(&limits, &guard), SETPAY_OK);
    options.guard = guard;
    test_api_open(&test, 0);
    make("/products", CUP);
    make("/shipping-methods", PARCEL);
    make("/tax-rates", VAT);
    assert_int_equal(setpay_loop_post(test.loop, start, NULL), SETPAY_OK);
    sem_wait(&done);
}

static void open_shop(const char *country)
{
    open_shop_in(country, NULL);
}

static void close_shop(void)
{
    assert_int_equal(setpay_loop_post(test.loop, stop, NULL), SETPAY_OK);
    sem_wait(&done);
    setpay_guard_free(guard);
    test_api_close(&test);
}

/* ------------------------------------------------------------------ a shopper */

struct shopper {
    char cookie[128]; /* "cart=…" */
    char form[128];
    char once[128];
    char goods[128];
    char seen[128];
    const char *headers; /* more of them; NULL: none */
};

static const char *header(const char *name)
{
    static char value[512];
    return test_api_header(&reply, name, value, sizeof value) ? value : "";
}

/* The value of a hidden field of the page; "" where there is none. */
static void read_value(const char *name, char *out, size_t size)
{
    char begin[64];
    (void)snprintf(begin, sizeof begin, "name=\"%s\" value=\"", name);
    const char *at = strstr(reply.body, begin);
    out[0] = '\0';
    if (at != NULL)
        (void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(begin), "\""),
                       at + strlen(begin));
}

static int visit(struct shopper *shopper, const char *method, const char *path, const char *body)
{
    struct test_api shop = test;
    char request[4096];
    shop.port = www_port;
    (void)snprintf(request, sizeof request,
                   "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s%s%s%s"
                   "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n"
                   "%s",
                   method, path, shopper->cookie[0] != '\0' ? "Cookie: " : "", shopper->cookie,
                   shopper->cookie[0] != '\0' ? "\r\n" : "",
                   shopper->headers != NULL ? shopper->headers : "", strlen(body), body);
    test_api_send(&shop, request, &reply);
    const char *set = header("Set-Cookie");
    if (set[0] != '\0')
        (void)snprintf(shopper->cookie, sizeof shopper->cookie, "%.*s", (int)strcspn(set, ";"),
                       set);
    return reply.status;
}

static int see(struct shopper *shopper, const char *path)
{
    int status = visit(shopper, "GET", path, "");
    read_value("form", shopper->form, sizeof shopper->form);
    read_value("once", shopper->once, sizeof shopper->once);
    read_value("goods", shopper->goods, sizeof shopper->goods);
    read_value("seen", shopper->seen, sizeof shopper->seen);
    return status;
}

static int post(struct shopper *shopper, const char *path, const char *fields)
{
    char body[2048];
    (void)snprintf(body, sizeof body, "form=%s&%s", shopper->form, fields);
    return visit(shopper, "POST", path, body);
}

static bool says(const char *words)
{
    return strstr(reply.body, words) != NULL;
}

/* The reason for it stands beside the field of that id, which keeps this value. */
static void assert_wrong(const char *start, const char *id, bool has_focus, const char *words)
{
    char field[400], reason[300];
    const char *at = strstr(reply.body, start);
    if (at == NULL)
        fail_msg("no %s", start);
    (void)snprintf(field, sizeof field, "%.*s", (int)strcspn(at, ">"), at);
    (void)snprintf(reason, sizeof reason, " aria-invalid=\"true\" aria-describedby=\"%s\"", id);
    if (strstr(field, reason) == NULL || (strstr(field, " autofocus=\"\"") != NULL) != has_focus)
        fail_msg("%s: %s", id, field);
    (void)snprintf(reason, sizeof reason, "<p class=\"wrong\" id=\"%s\">%s</p>", id, words);
    if (!says(reason))
        fail_msg("no %s", reason);
}

static void put_cups(struct shopper *shopper, const char *quantity)
{
    char fields[64];
    assert_int_equal(see(shopper, "/products/cup"), 200);
    (void)snprintf(fields, sizeof fields, "sku=CUP&quantity=%s", quantity);
    assert_int_equal(post(shopper, "/cart/add", fields), 303);
    assert_string_equal(header("Location"), "/cart?said=added");
}

/* Sends the checkout's form, as it was seen. Where it leads; "" where nothing was ordered. */
static const char *order(struct shopper *shopper)
{
    char fields[1024];
    (void)snprintf(fields, sizeof fields, ADDRESS "&once=%s&goods=%s&seen=%s", shopper->once,
                   shopper->goods, shopper->seen);
    post(shopper, "/checkout", fields);
    return header("Location");
}

/* ------------------------------------------------------------------ whose order it is */

static void a_planted_cookie_does_not_lead_to_the_order(void **state)
{
    (void)state;
    char made[128];
    open_shop("DE");
    struct shopper eve = {.headers = NULL};
    struct shopper ada = {.headers = NULL};
    assert_int_equal(see(&eve, "/products/cup"), 200);
    memcpy(ada.cookie, eve.cookie, sizeof ada.cookie);
    put_cups(&ada, "2");
    /* Whoever has the cookie may see the checkout, which is nobody else's page. */
    assert_int_equal(see(&eve, "/checkout"), 200);
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_string_not_equal(ada.once, eve.once);
    assert_int_equal(strlen(ada.once), 22);
    (void)snprintf(made, sizeof made, "%s", order(&ada));
    assert_int_equal(strncmp(made, "/orders/", 8), 0);
    assert_string_equal(order(&eve), "/cart");
    eve.once[0] = '\0';
    assert_string_equal(order(&eve), "/cart");
    /* Who has pressed twice is led to it, also when something is in the cart again. */
    const struct shopper back = ada;
    assert_string_equal(order(&ada), made);
    put_cups(&ada, "1");
    ada = back;
    assert_string_equal(order(&ada), made);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 1);
    /* Only the digest of it is kept. */
    assert_int_equal(test_api_sql(&test, "SELECT LENGTH(order_form) FROM cart"), 32);
    close_shop();
}

/* Who has planted it sees what is in the cart; of an address that is typed, nothing. */
static void a_planted_cookie_shows_no_address(void **state)
{
    (void)state;
    static const char *const typed[] = {"\"Ada\"", "Weg 1", "\"10115\"", "Berlin", "\"BE\""};
    static const char *const pages[] = {"/cart", "/checkout", "/products/cup"};
    char fields[1024];
    open_shop("DE");
    struct shopper ada = {.headers = NULL};
    put_cups(&ada, "2");
    struct shopper eve = ada;
    assert_int_equal(see(&ada, "/checkout"), 200);
    for (int i = 0; i < 2; i++) { /* a total that is not the one; and the order */
        (void)snprintf(fields, sizeof fields, ADDRESS "&region=be&once=%s&goods=%s&seen=%s",
                       ada.once, ada.goods, i == 0 ? "1.00 EUR" : ada.seen);
        assert_int_equal(post(&ada, "/checkout", fields), i == 0 ? 409 : 303);
        for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) {
            (void)see(&eve, pages[k]);
            for (size_t n = 0; n < sizeof typed / sizeof *typed; n++) {
                if (says(typed[n]))
                    fail_msg("%s says %s", pages[k], typed[n]);
            }
        }
    }
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM order_ship_to WHERE region = 'BE'"),
                     1);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM cart WHERE region <> ''"), 0);
    close_shop();
}

static void what_was_not_seen_is_not_ordered(void **state)
{
    (void)state;
    open_shop("DE");
    struct shopper ada = {.headers = NULL};
    make("/products", "{\"slug\":\"mug\",\"name\":\"Mug\",\"status\":\"published\",\"variants\":["
                      "{\"sku\":\"MUG\",\"prices\":{\"EUR\":900}}]}");
    put_cups(&ada, "1");
    assert_int_equal(see(&ada, "/checkout"), 200);
    struct shopper eve = ada;
    assert_int_equal(post(&eve, "/cart/change", "remove=CUP"), 303);
    assert_int_equal(post(&eve, "/cart/add", "sku=MUG&quantity=1"), 303);
    assert_string_equal(order(&ada), "");
    assert_int_equal(reply.status, 409);
    assert_true(says("What is in the cart has changed."));
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 0);
    ada.goods[0] = '\0';
    assert_string_equal(order(&ada), "");
    assert_int_equal(reply.status, 409);
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_int_equal(strncmp(order(&ada), "/orders/", 8), 0);
    close_shop();
}

static void a_proxy_says_that_it_speaks_https(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        bool secure;
    } rows[] = {
        {"", false},
        {"X-Forwarded-Proto: http\r\n", false},
        {"X-Forwarded-Proto: https\r\n", true},
        {"X-Forwarded-Proto: HTTPS\r\n", true},
        {"X-Forwarded-Proto: http, https\r\n", true},
        {"X-Forwarded-Proto: https, http\r\n", false},
        {"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", false},
        {"X-Forwarded-Proto: httpsx\r\n", false},
    };
    open_shop("DE");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shopper ada = {.headers = rows[i].headers};
        assert_int_equal(see(&ada, "/products/cup"), 200);
        bool named = strncmp(ada.cookie, "__Host-cart=", 12) == 0;
        if (named != rows[i].secure || (strstr(header("Set-Cookie"), "; Secure") != NULL) != named)
            fail_msg("%s: %s", rows[i].headers, header("Set-Cookie"));
        assert_string_equal(header("Strict-Transport-Security"), named ? "max-age=63072000" : "");
        put_cups(&ada, "1");
    }
    /* What somebody has planted in the clear is not the cart of who comes over TLS. */
    struct shopper ada = {.headers = ""};
    put_cups(&ada, "1");
    ada.headers = "X-Forwarded-Proto: https\r\n";
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("It is empty"));
    close_shop();
}

static void search_engines_see_what_is_sold_and_no_more(void **state)
{
    (void)state;
    open_shop("DE");
    struct shopper ada = {.headers = NULL};
    char made[128];
    make("/categories", "{\"slug\":\"kitchen\",\"name\":\"Kitchen\"}");
    put_cups(&ada, "1");
    static const char *const shown[] = {"/", "/search", "/search?q=&sort=newest",
                                        "/categories/kitchen", "/products/cup"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        assert_int_equal(see(&ada, shown[i]), 200);
        if (says("noindex"))
            fail_msg("%s is hidden", shown[i]);
    }
    /* Whoever makes a link says what is asked for. */
    static const char *const asked[] = {"/search?q=spam", "/search?min=1", "/search?max=spam",
                                        "/search?option=colour:spam", "/search?cursor=spam"};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        (void)see(&ada, asked[i]);
        if (!says("<meta name=\"robots\" content=\"noindex\">"))
            fail_msg("%s is shown", asked[i]);
    }
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<meta name=\"robots\" content=\"noindex\">"));
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("<meta name=\"robots\" content=\"noindex\">"));
    (void)snprintf(made, sizeof made, "%s", order(&ada));
    assert_int_equal(see(&ada, made), 200);
    assert_true(says("<meta name=\"robots\" content=\"noindex\">"));
    assert_int_equal(see(&ada, "/nowhere"), 404);
    assert_true(says("<meta name=\"robots\" content=\"noindex\">"));
    assert_int_equal(see(&ada, "/robots.txt"), 200);
    assert_string_equal(header("Content-Type"), "text/plain; charset=utf-8");
    assert_string_equal(
        reply.body, "User-agent: *\nDisallow: /cart\nDisallow: /checkout\nDisallow: /orders/\n");
    close_shop();
}

static void categories_below_lead_down_and_up(void **state)
{
    (void)state;
    open_shop("DE");
    struct shopper ada = {.headers = NULL};
    make("/categories", "{\"slug\":\"home\",\"name\":\"Home & garden\"}");
    make("/categories", "{\"slug\":\"kitchen\",\"name\":\"Kitchen\",\"parent\":\"home\"}");
    make("/categories", "{\"slug\":\"mugs\",\"name\":\"Mugs\",\"parent\":\"kitchen\"}");
    make("/categories", "{\"slug\":\"paper\",\"name\":\"Paper\"}");
    make("/products", "{\"slug\":\"mug\",\"name\":\"Mug\",\"status\":\"published\","
                      "\"categories\":[\"mugs\"],\"variants\":[{\"sku\":\"MUG\",\"prices\":"
                      "{\"EUR\":900},\"options\":{\"colour\":\"slate\"}}]}");
    assert_int_equal(see(&ada, "/categories/home"), 200);
    assert_true(says("<a href=\"/categories/home\" aria-current=\"true\">"));
    assert_true(says("<li><a href=\"/categories/kitchen\">Kitchen</a></li>"));
    assert_false(says("/categories/mugs")); /* two steps down */
    /* The list holds what is two steps below, and so does the choice of kinds. */
    assert_true(says("href=\"/products/mug\""));
    assert_true(says("<option value=\"colour:slate\">colour: slate</option>"));
    assert_int_equal(see(&ada, "/categories/home?option=colour:slate"), 200);
    assert_true(says("href=\"/products/mug\""));
    assert_int_equal(see(&ada, "/categories/mugs"), 200);
    assert_true(
        says("<a href=\"/\">Cups</a> / <a href=\"/categories/home\">Home &amp; garden</a> / "
             "<a href=\"/categories/kitchen\">Kitchen</a> / Mugs</nav>"));
    assert_true(says("<a href=\"/categories/home\" aria-current=\"true\">"));
    assert_false(says("class=\"below\""));
    assert_int_equal(see(&ada, "/products/mug"), 200);
    assert_true(says("<a href=\"/categories/kitchen\">Kitchen</a> / "
                     "<a href=\"/categories/mugs\">Mugs</a> / Mug</nav>"));
    assert_int_equal(see(&ada, "/categories/paper"), 200);
    assert_false(says("colour: slate"));
    assert_false(says("/products/mug"));
    close_shop();
}

static void a_price_that_is_none_is_said(void **state)
{
    (void)state;
    static const char *const none[] = {"min=abc",
                                       "max=abc",
                                       "min=1&max=-1",
                                       "min=9.001",
                                       "min=1,250",
                                       "max=1.000,00",
                                       "min=99999999999999999999999999999"};
    static const char *const some[] = {"min=8", "min=8.99&max=9,01", "min=&max=", "max=9.0"};
    char path[96];
    struct shopper ada = {.headers = NULL};
    open_shop("DE");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        (void)snprintf(path, sizeof path, "/search?%s", none[i]);
        assert_int_equal(see(&ada, path), 200);
        if (!says("A price can&#39;t be read: see there.") || !says("like 12.50</p>") ||
            says("/products/cup"))
            fail_msg("%s is taken", none[i]);
    }
    /* What was typed stays, the reason is its field's, and the first has the focus. */
    assert_int_equal(see(&ada, "/search?min=1,250&max=ten"), 200);
    assert_wrong("<input class=\"number\" id=\"min\"", "wrong-min", true,
                 "From: &#39;1,250&#39; can be read in two ways: write 1250, or a fraction behind a"
                 " point, like 12.50");
    assert_wrong("<input class=\"number\" id=\"max\"", "wrong-max", false,
                 "To: &#39;ten&#39; is no amount in EUR: write one like 12.50");
    assert_true(says("value=\"1,250\""));
    assert_true(says("value=\"ten\""));
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        (void)snprintf(path, sizeof path, "/search?%s", some[i]);
        assert_int_equal(see(&ada, path), 200);
        if (says("be read") || says("aria-invalid") || !says("/products/cup"))
            fail_msg("%s is not taken", some[i]);
    }
    close_shop();
}

static void the_receipt_says_which_tax_is_in_it(void **state)
{
    (void)state;
    open_shop("DE");
    struct shopper ada = {.headers = NULL};
    char made[128];
    put_cups(&ada, "2");
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("<th scope=\"row\">of which VAT 19 %</th><td>3.65 EUR</td>"));
    (void)snprintf(made, sizeof made, "%s", order(&ada));
    /* That of the order, whatever the rate is later. */
    test_api_sql(&test, "UPDATE tax_rate SET rate_ppm = 200000");
    assert_int_equal(see(&ada, made), 200);
    assert_true(says("<strong>22.90 EUR</strong>"));
    assert_true(says("<th scope=\"row\" colspan=\"3\">of which VAT 19 %</th><td>3.65 EUR</td>"));
    /* An order that names no tax has none. */
    make("/orders", "{\"description\":\"A cup\",\"amount\":900,\"currency\":\"EUR\"}");
    (void)snprintf(made, sizeof made, "/orders%s", strrchr(test_api_text(&test, "pay_uri"), '/'));
    assert_int_equal(see(&ada, made), 200);
    assert_false(says("of which"));
    close_shop();
}

/* ------------------------------------------------------------------ what can't be ordered */

static void what_is_not_sold_any_more_is_named(void **state)
{
    (void)state;
    static const char *const away[] = {"archived", "draft"};
    for (size_t i = 0; i < 2; i++) {
        char body[64];
        struct shopper ada = {.headers = NULL};
        open_shop("DE");
        put_cups(&ada, "2");
        (void)snprintf(body, sizeof body, "{\"status\":\"%s\"}", away[i]);
        change("/products/cup", body);
        assert_int_equal(see(&ada, "/cart"), 200);
        assert_true(says("Not sold any more: please take it out."));
        assert_true(says("\nCup\n")); /* without a link: it has no page */
        assert_false(says("/products/cup"));
        assert_false(says("0.00 EUR"));
        assert_false(says("Sold out"));
        assert_true(says("Something in the cart is not sold any more."));
        assert_false(says("name=\"checkout\""));
        assert_int_equal(see(&ada, "/checkout"), 200);
        assert_true(says("Something in the cart is not sold any more."));
        assert_false(says("Order, and go to the payment"));
        assert_true(says("Reckon the total again"));
        assert_int_equal(post(&ada, "/cart/add", "sku=CUP&quantity=1"), 303);
        assert_string_equal(header("Location"), "/cart?said=unknown");
        close_shop();
    }
}

/* Where there is no other currency to choose, what has no price is not sold any more. */
static void what_has_no_price_is_not_sold_any_more(void **state)
{
    (void)state;
    struct shopper ada = {.headers = NULL};
    open_shop("DE");
    put_cups(&ada, "2");
    test_api_sql(&test, "UPDATE price SET currency = 'USD'");
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("Not sold any more: please take it out."));
    assert_true(says("Something in the cart is not sold any more."));
    assert_false(says("currency"));
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("Something in the cart is not sold any more."));
    assert_false(says("currency"));
    assert_int_equal(post(&ada, "/cart/add", "sku=CUP&quantity=1"), 303);
    assert_string_equal(header("Location"), "/cart?said=unknown");
    close_shop();
}

/* The cart says these words, and the checkout them and no button that orders. */
static void assert_no_order(struct shopper *shopper, const char *words)
{
    assert_int_equal(see(shopper, "/cart"), 200);
    if (!says(words))
        fail_msg("expected %s", words);
    assert_false(says("not sold any more"));
    assert_false(says("name=\"checkout\""));
    assert_int_equal(see(shopper, "/checkout"), 200);
    assert_true(says(words));
    assert_false(says("Order, and go to the payment"));
}

static void what_costs_nothing_or_too_much_is_said(void **state)
{
    (void)state;
    struct shopper ada = {.headers = NULL};
    open_shop("DE");
    change("/shipping-methods/parcel", "{\"zones\":[{\"countries\":[\"DE\"],\"currency\":\"EUR\","
                                       "\"by\":\"weight\",\"steps\":[{\"amount\":0}]}]}");
    put_cups(&ada, "2");
    test_api_sql(&test, "UPDATE price SET amount_minor = 0");
    assert_no_order(&ada, "What is in the cart costs nothing");
    test_api_sql(&test, "UPDATE price SET amount_minor = 999999999999");
    assert_no_order(&ada, "That is too much for one order.");
    test_api_sql(&test, "UPDATE price SET amount_minor = 499999999999");
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("9999999999.98 EUR"));
    assert_true(says("Order, and go to the payment"));
    close_shop();
}

/* ------------------------------------------------------------------ what the shop says of itself
 */

static void the_owners_texts_are_pages_that_others_lead_to(void **state)
{
    (void)state;
    struct setpay_texts *texts = NULL;
    struct shopper ada = {.headers = NULL};
    char made[128];
    assert_int_equal(setpay_texts_new(&texts), SETPAY_OK);
    char *const words[SETPAY_TEXTS] = {
        [SETPAY_TEXT_CONTACT] = strdup("Cups & <Co>\nA Street 1\n\n\n<script>1</script>{{shop}}"),
        [SETPAY_TEXT_TERMS] = strdup("None.")};
    setpay_texts_set(texts, words);
    open_shop("DE");
    assert_int_equal(see(&ada, "/"), 200);
    assert_false(says("/about/"));
    assert_int_equal(see(&ada, "/about/contact"), 404);
    assert_int_equal(setpay_loop_post(test.loop, stop, NULL), SETPAY_OK);
    sem_wait(&done);
    options.texts = texts;
    assert_int_equal(setpay_loop_post(test.loop, start, NULL), SETPAY_OK);
    sem_wait(&done);
    assert_int_equal(see(&ada, "/about/contact"), 200);
    assert_true(says("<h1>Contact</h1>"));
    assert_true(says("<p>Cups &amp; &lt;Co&gt;\nA Street 1</p>"));
    assert_true(says("<p>&lt;script&gt;1&lt;/script&gt;{{shop}}</p>"));
    assert_false(says("noindex"));
    assert_string_equal(header("Set-Cookie"), "");
    assert_int_equal(see(&ada, "/about/terms"), 200);
    static const char *const none[] = {"/about/privacy", "/about/returns",   "/about/",
                                       "/about/Terms",   "/about/contact/x", "/about/..%2fcontact"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        if (see(&ada, none[i]) != 404)
            fail_msg("%s: %d", none[i], reply.status);
        assert_true(says("<a href=\"/about/contact\">Contact</a>")); /* the foot of every page */
        assert_false(says("/about/privacy"));
    }
    put_cups(&ada, "1");
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("Before you order: <a href=\"/about/contact\">Contact</a>"
                     " <a href=\"/about/terms\">Terms</a>"));
    (void)snprintf(made, sizeof made, "%s", order(&ada));
    assert_int_equal(see(&ada, made), 200);
    assert_true(says("Questions, or something to send back? <a href=\"/about/contact\">"));
    /* The owner takes one away, and writes another. */
    char *const later[SETPAY_TEXTS] = {[SETPAY_TEXT_RETURNS] = strdup("Within a month.")};
    setpay_texts_set(texts, later);
    assert_int_equal(see(&ada, "/about/contact"), 404);
    assert_int_equal(see(&ada, "/about/returns"), 200);
    assert_true(says("<p>Within a month.</p>"));
    close_shop();
    setpay_texts_free(texts);
}

/* ------------------------------------------------------------------ where it goes */

/* country: of the configuration; chosen: what the page has chosen at first, "" for nothing. */
static void assert_asks_where(const char *country)
{
    struct shopper ada = {.headers = NULL};
    open_shop(country);
    put_cups(&ada, "2");
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<option value=\"\" selected=\"\">Choose…</option>"));
    assert_false(says("<option value=\"AT\" selected=\"\">"));
    assert_true(says("Choose where it goes."));
    assert_false(says("There is no way of shipping"));
    assert_false(says("name=\"checkout\""));
    /* The first of the list can be chosen like any other. */
    assert_int_equal(post(&ada, "/cart/change", "country=AT"), 303);
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<option value=\"AT\" selected=\"\">"));
    assert_false(says("Choose"));
    assert_true(says("22.90 EUR"));
    assert_true(says("name=\"checkout\""));
    /* A country that the shop does not send to is as none. */
    assert_int_equal(post(&ada, "/cart/change", "country=FR"), 303);
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("Choose where it goes."));
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("<option value=\"\" selected=\"\">Choose…</option>"));
    close_shop();
}

static void the_cart_asks_where_it_goes_where_that_is_unknown(void **state)
{
    (void)state;
    assert_asks_where("");
    assert_asks_where("US");
}

/* Sends the checkout's form with this address, as it was seen. Its status. */
static int order_to(struct shopper *shopper, const char *address)
{
    char fields[1024];
    (void)snprintf(fields, sizeof fields,
                   "name=Ada&street=Weg+1&postal_code=1&city=Ort&shipping_method=ship&%s"
                   "&once=%s&goods=%s&seen=%s",
                   address, shopper->once, shopper->goods, shopper->seen);
    return post(shopper, "/checkout", fields);
}

#define CHOOSE_STATE "Please choose the state: taxes there depend on it."

static void where_taxes_are_by_region_it_is_asked_for(void **state)
{
    (void)state;
    struct shopper ada = {.headers = NULL};
    open_shop("DE");
    make("/shipping-methods",
         "{\"slug\":\"ship\",\"name\":\"Ship\",\"zones\":[{\"countries\":[\"US\",\"IT\"],"
         "\"currency\":\"EUR\",\"by\":\"weight\",\"steps\":[{\"amount\":1000}]}]}");
    make("/tax-rates", "{\"country\":\"US\",\"region\":\"CA\",\"name\":\"Sales tax\","
                       "\"rate_ppm\":100000,\"included\":false}");
    put_cups(&ada, "1");
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_false(says("id=\"region\""));
    assert_int_equal(post(&ada, "/cart/change", "country=US"), 303);
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says(CHOOSE_STATE));
    assert_true(says("<option value=\"CA\">California</option>"));
    assert_false(says("name=\"checkout\""));
    assert_false(says("9.00 EUR</td>")); /* no sum that is none */
    /* What is no state of it is not taken. */
    assert_int_equal(post(&ada, "/cart/change", "country=US&region=ZZ"), 303);
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says(CHOOSE_STATE));
    assert_int_equal(post(&ada, "/cart/change", "country=US&region=ca"), 303);
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<option value=\"CA\" selected=\"\">California</option>"));
    assert_true(says("Sales tax 10 %"));
    assert_true(says("20.90 EUR"));
    assert_true(says("name=\"checkout\""));
    /* The checkout has it from the cart, and orders nothing without. */
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("<option value=\"CA\" selected=\"\">California</option>"));
    assert_int_equal(order_to(&ada, "country=US&region="), 422);
    assert_true(says("id=\"wrong-region\">" CHOOSE_STATE));
    assert_int_equal(order_to(&ada, "country=US&region=ZZ"), 422);
    assert_true(says("id=\"wrong-region\">" CHOOSE_STATE));
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 0);
    /* Another country asks for none, and keeps nothing of the one before. */
    assert_int_equal(order_to(&ada, "country=IT&region=CA&look=1"), 200);
    assert_true(says("name=\"region\" autocomplete=\"address-level1\" maxlength=\"3\" value=\"\""));
    /* A state without a rate has no tax. */
    assert_int_equal(order_to(&ada, "country=US&region=OR&look=1"), 200);
    assert_true(says("19.00 EUR"));
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("20.90 EUR"));
    close_shop();
}

static void the_shops_own_country_is_chosen_at_first(void **state)
{
    (void)state;
    struct shopper ada = {.headers = NULL};
    open_shop("DE");
    put_cups(&ada, "2");
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<option value=\"DE\" selected=\"\">"));
    assert_false(says("Choose"));
    assert_true(says("name=\"checkout\""));
    close_shop();
}

static void choose(struct shopper *shopper, const char *currency)
{
    char fields[64];
    (void)snprintf(fields, sizeof fields, "currency=%s&back=/cart", currency);
    assert_int_equal(post(shopper, "/currency", fields), 303);
    assert_int_equal(see(shopper, "/cart"), 200);
}

/* A country to which nothing is sent in this currency alone stays chosen: another currency helps.
 */
static void where_it_goes_depends_on_the_currency(void **state)
{
    (void)state;
    struct shopper ada = {.headers = NULL};
    open_shop_in("FR", "EUR, USD, JPY");
    make("/shipping-methods",
         "{\"slug\":\"air\",\"name\":\"Air\",\"zones\":[{\"countries\":[\"FR\",\"AT\"],"
         "\"currency\":\"USD\",\"by\":\"weight\",\"steps\":[{\"amount\":700}]}]}");
    make("/products", "{\"slug\":\"mug\",\"name\":\"Mug\",\"status\":\"published\",\"variants\":["
                      "{\"sku\":\"MUG\",\"prices\":{\"EUR\":900,\"USD\":1000,\"JPY\":1500}}]}");
    assert_int_equal(see(&ada, "/products/mug"), 200);
    assert_int_equal(post(&ada, "/cart/add", "sku=MUG&quantity=1"), 303);
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<option value=\"FR\" selected=\"\">"));
    assert_true(
        says("Nothing is sent to this country for prices in EUR, but for those in USD. Please"
             " choose another country or currency."));
    assert_false(says("Choose"));
    assert_false(says("name=\"checkout\""));
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("Nothing is sent to this country for prices in EUR, but for those in USD."));
    assert_false(says("Order, and go to the payment"));
    choose(&ada, "USD");
    assert_true(says("17.00 USD"));
    assert_true(says("name=\"checkout\""));
    /* Where nothing is sent at all for prices in it, there is no country to choose. */
    assert_int_equal(post(&ada, "/cart/change", "country=IT"), 303);
    choose(&ada, "JPY");
    assert_true(says("<option value=\"\" selected=\"\">Choose…</option>"));
    assert_true(says("Nothing is sent anywhere for prices in JPY, but for those in EUR, USD. Please"
                     " choose another currency."));
    assert_false(says("name=\"checkout\""));
    choose(&ada, "EUR");
    assert_true(says("Choose where it goes."));
    assert_false(says("Nothing is sent"));
    close_shop();
}

/* ------------------------------------------------------------------ one form */

/* Whichever button of the cart's page is pressed, what was typed into it is kept. */
static void the_cart_keeps_what_was_typed(void **state)
{
    (void)state;
    struct shopper ada = {.headers = NULL};
    open_shop_in("DE", "EUR, USD");
    make("/products", "{\"slug\":\"mug\",\"name\":\"Mug\",\"status\":\"published\",\"variants\":["
                      "{\"sku\":\"MUG\",\"prices\":{\"EUR\":900,\"USD\":1000}}]}");
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_false(says("form=\"cart\"")); /* nothing is in it */
    put_cups(&ada, "1");
    assert_int_equal(see(&ada, "/"), 200);
    assert_true(says(">1<span class=\"unseen\"> piece</span>"));
    assert_int_equal(post(&ada, "/cart/add", "sku=MUG&quantity=1"), 303);
    assert_int_equal(see(&ada, "/"), 200);
    assert_true(says(">2<span class=\"unseen\"> pieces</span>"));
    assert_false(says("form=\"cart\""));
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<form id=\"cart\" method=\"post\" action=\"/cart/change\""));
    assert_true(says("<select id=\"money\" name=\"currency\" form=\"cart\">"));
    assert_true(says("<button class=\"quiet\" form=\"cart\">Show</button>"));
    /* Another currency, though one of them is not sold in it. */
    assert_int_equal(post(&ada, "/cart/change", "currency=USD&quantity_CUP=3&quantity_MUG=4"), 303);
    assert_string_equal(header("Location"), "/cart?said=changed");
    assert_int_equal(see(&ada, "/cart"), 200);
    assert_true(says("<option value=\"USD\" selected=\"\">"));
    assert_true(says("name=\"quantity_CUP\" value=\"3\""));
    assert_true(says("name=\"quantity_MUG\" value=\"4\""));
    assert_true(says("Not sold in USD"));
    assert_int_equal(post(&ada, "/cart/change", "currency=CHF&quantity_CUP=5"), 400);
    assert_int_equal(test_api_sql(&test, "SELECT SUM(quantity) FROM cart_line"), 7);
    /* On the way to the checkout. */
    assert_int_equal(
        post(&ada, "/cart/change", "currency=EUR&quantity_CUP=2&quantity_MUG=0&checkout=1"), 303);
    assert_string_equal(header("Location"), "/checkout");
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_true(says("<th scope=\"row\">2 × Cup</th><td>18.00 EUR</td>"));
    /* But not past what has to be said. */
    assert_int_equal(post(&ada, "/cart/change", "quantity_CUP=21&checkout=1"), 303);
    assert_string_equal(header("Location"), "/cart?said=short");
    close_shop();
}

static void a_quantity_that_is_none_is_told_beside_its_field(void **state)
{
    (void)state;
    static const char *const none[] = {"-1", "1.5", "1000", "two"};
    struct shopper ada = {.headers = NULL};
    open_shop_in("DE", "EUR, USD");
    make("/products", "{\"slug\":\"mug\",\"name\":\"Mug\",\"status\":\"published\",\"variants\":["
                      "{\"sku\":\"MUG\",\"prices\":{\"EUR\":900}}]}");
    put_cups(&ada, "1");
    assert_int_equal(post(&ada, "/cart/add", "sku=MUG&quantity=1"), 303);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char fields[128], shown[256];
        (void)snprintf(fields, sizeof fields,
                       "country=AT&currency=USD&quantity_CUP=7&quantity_MUG=%s", none[i]);
        assert_int_equal(post(&ada, "/cart/change", fields), 422);
        (void)snprintf(shown, sizeof shown,
                       "name=\"quantity_MUG\" value=\"%s\" min=\"0\" max=\"999\""
                       " aria-invalid=\"true\" aria-describedby=\"wrong-MUG\" autofocus=\"\">",
                       none[i]);
        if (!says(shown))
            fail_msg("%s: not %s", none[i], shown);
        assert_true(says("<p class=\"wrong\" id=\"wrong-MUG\">A whole number from 0 to 999"));
        assert_true(says("name=\"quantity_CUP\" value=\"7\" min=\"0\" max=\"999\">"));
        assert_true(says("<option value=\"AT\" selected=\"\">"));
        assert_true(says("role=\"alert\">A quantity is a whole number from 0 to 999."));
        /* Nothing of it is kept. */
        assert_int_equal(test_api_sql(&test, "SELECT SUM(quantity) FROM cart_line"), 2);
        assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM cart WHERE currency = 'USD'"),
                         0);
    }
    assert_int_equal(post(&ada, "/cart/change", "remove=MUG&quantity_MUG=x"), 303);
    close_shop();
}

static size_t count_in_page(const char *text)
{
    size_t count = 0;
    for (const char *at = reply.body; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* All that is wrong with it at once, each beside its field, and the first has the focus. */
static void a_wrong_address_is_told_beside_its_fields(void **state)
{
    (void)state;
    char fields[1024];
    struct shopper ada = {.headers = NULL};
    open_shop("DE");
    put_cups(&ada, "1");
    assert_int_equal(see(&ada, "/checkout"), 200);
    assert_false(says("autofocus"));
    (void)snprintf(fields, sizeof fields,
                   "name=Ada+%%3CL%%3E&street=+&extra=c/o+Eve&postal_code=&city=Linz&country=AT"
                   "&region=a-b&shipping_method=parcel&once=%s&goods=%s&seen=%s",
                   ada.once, ada.goods, ada.seen);
    assert_int_equal(post(&ada, "/checkout", fields), 422);
    assert_true(says("role=\"alert\">Something is missing or not right: see below."));
    assert_wrong("<input id=\"street\"", "wrong-street", true,
                 "Please give the street and the number of the house.");
    assert_wrong("<input id=\"postal_code\"", "wrong-postal", false,
                 "Please give the postal code.");
    assert_wrong("<input id=\"region\"", "wrong-region", false,
                 "Please give it as a code of letters, like CA.");
    assert_int_equal(count_in_page("aria-invalid"), 3);
    assert_int_equal(count_in_page("autofocus"), 1);
    assert_true(says("value=\"Ada &lt;L&gt;\""));
    assert_true(says("value=\"c/o Eve\""));
    assert_true(says("value=\"Linz\""));
    assert_true(says("value=\"A-B\""));
    assert_true(says("<option value=\"AT\" selected=\"\">"));
    /* No country at all. */
    (void)snprintf(fields, sizeof fields,
                   "name=Ada&street=Weg+1&postal_code=10115&city=Berlin&country="
                   "&shipping_method=parcel&once=%s&goods=%s&seen=%s",
                   ada.once, ada.goods, ada.seen);
    assert_int_equal(post(&ada, "/checkout", fields), 422);
    assert_wrong("<select id=\"country\"", "wrong-country", true, "Please choose a country.");
    /* A way that there is none of. */
    (void)snprintf(fields, sizeof fields,
                   "name=Ada&street=Weg+1&postal_code=10115&city=Berlin&country=DE"
                   "&shipping_method=pigeon&once=%s&goods=%s&seen=%s",
                   ada.once, ada.goods, ada.seen);
    assert_int_equal(post(&ada, "/checkout", fields), 422);
    assert_true(says("<fieldset id=\"choices\" aria-describedby=\"wrong-way\">"));
    assert_true(says("id=\"wrong-way\">Please choose how it is to be sent.</p>"));
    assert_int_equal(count_in_page("autofocus"), 1);
    /* One that is too long. */
    char longest[140];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    (void)snprintf(fields, sizeof fields,
                   "name=%s&street=&postal_code=10115&city=Berlin&country=DE"
                   "&shipping_method=parcel&once=%s&goods=%s&seen=%s",
                   longest, ada.once, ada.goods, ada.seen);
    assert_int_equal(post(&ada, "/checkout", fields), 422);
    assert_wrong("<input id=\"name\"", "wrong-name", true,
                 "Please make it shorter: at most 120 characters.");
    assert_wrong("<input id=\"street\"", "wrong-street", false,
                 "Please give the street and the number of the house.");
    /* Who only looks is told nothing. */
    assert_int_equal(post(&ada, "/checkout", "name=&country=AT&look=1"), 200);
    assert_false(says("aria-invalid"));
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders"), 0);
    close_shop();
}

static void what_can_not_go_into_the_cart_is_told_on_the_products_page(void **state)
{
    (void)state;
    struct shopper ada = {.headers = NULL};
    open_shop("DE");
    make("/products",
         "{\"slug\":\"mug\",\"name\":\"Mug\",\"status\":\"published\",\"variants\":["
         "{\"sku\":\"MUG-0\",\"prices\":{\"EUR\":900},\"options\":{\"size\":\"S\"},"
         "\"stock\":{\"on_hand\":0}},"
         "{\"sku\":\"MUG-1\",\"prices\":{\"EUR\":900},\"options\":{\"size\":\"M\"}},"
         "{\"sku\":\"MUG-2\",\"prices\":{\"EUR\":900},\"options\":{\"size\":\"L\"}}]}");
    assert_int_equal(see(&ada, "/products/mug"), 200);
    assert_true(says("name=\"product\" value=\"mug\""));
    assert_false(says("autofocus"));
    assert_int_equal(post(&ada, "/cart/add", "product=mug&sku=MUG-2&quantity=0"), 422);
    assert_wrong("<input class=\"number\" id=\"quantity\"", "wrong-quantity", true,
                 "A whole number from 1 to 999, please.");
    assert_true(says("name=\"quantity\" value=\"0\""));
    assert_true(says("value=\"MUG-2\" data-price=\"9.00 EUR\" required=\"\" checked=\"\">"));
    assert_int_equal(post(&ada, "/cart/add", "product=mug&quantity=3"), 422);
    assert_true(says("<fieldset id=\"choices\" aria-describedby=\"wrong-choice\">"));
    assert_true(says("<p class=\"wrong\" id=\"wrong-choice\">Please choose one.</p>"));
    assert_true(says("value=\"MUG-1\" data-price=\"9.00 EUR\" required=\"\" autofocus=\"\">"));
    assert_int_equal(count_in_page("autofocus"), 1);
    assert_true(says("name=\"quantity\" value=\"3\""));
    assert_int_equal(post(&ada, "/cart/add", "product=none&sku=MUG-1&quantity=x"), 404);
    assert_int_equal(post(&ada, "/cart/add", "product=mug&sku=MUG-1&quantity=3"), 303);
    assert_int_equal(test_api_sql(&test, "SELECT SUM(quantity) FROM cart_line"), 3);
    /* A search that has no word. */
    assert_int_equal(see(&ada, "/search?q=%21"), 200);
    assert_true(says("value=\"!\" placeholder=\"Search\" aria-invalid=\"true\""
                     " aria-describedby=\"fault\" autofocus=\"\">"));
    assert_true(says("id=\"fault\" role=\"alert\">There is no word in it to search for."));
    close_shop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_planted_cookie_does_not_lead_to_the_order),
        cmocka_unit_test(a_planted_cookie_shows_no_address),
        cmocka_unit_test(what_was_not_seen_is_not_ordered),
        cmocka_unit_test(a_proxy_says_that_it_speaks_https),
        cmocka_unit_test(search_engines_see_what_is_sold_and_no_more),
        cmocka_unit_test(categories_below_lead_down_and_up),
        cmocka_unit_test(a_price_that_is_none_is_said),
        cmocka_unit_test(the_receipt_says_which_tax_is_in_it),
        cmocka_unit_test(what_is_not_sold_any_more_is_named),
        cmocka_unit_test(what_has_no_price_is_not_sold_any_more),
        cmocka_unit_test(what_costs_nothing_or_too_much_is_said),
        cmocka_unit_test(the_owners_texts_are_pages_that_others_lead_to),
        cmocka_unit_test(the_cart_asks_where_it_goes_where_that_is_unknown),
        cmocka_unit_test(where_taxes_are_by_region_it_is_asked_for),
        cmocka_unit_test(the_shops_own_country_is_chosen_at_first),
        cmocka_unit_test(where_it_goes_depends_on_the_currency),
        cmocka_unit_test(the_cart_keeps_what_was_typed),
        cmocka_unit_test(a_quantity_that_is_none_is_told_beside_its_field),
        cmocka_unit_test(a_wrong_address_is_told_beside_its_fields),
        cmocka_unit_test(what_can_not_go_into_the_cart_is_told_on_the_products_page),
    };
    (void)sem_init(&done, 0, 0);
    if (setpay_secret_system_init() != SETPAY_OK)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
