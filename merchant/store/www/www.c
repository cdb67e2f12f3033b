/*
 * The server of the shop's pages: routes, limits, and the headers that every answer has.
 *
 * An order's address holds its token, so no page says where it was left from (Referrer-Policy), no
 * page is put into another's frame, and nothing is loaded but the shop's own style sheet,
 * script and pictures.
 */
#include "merchant/store/www/www_internal.h"

#include "common/base/log.h"
#include "merchant/store/www/stream.h"

#include <pthread.h>
#include <stdlib.h>

#define CONNECTIONS 1024
#define HEADER_BYTES 8192
#define BODY_BYTES 65536
#define REQUEST_DEADLINE_MS 10000
#define IDLE_TIMEOUT_MS 15000
#define SEND_DEADLINE_MS 20000

static const struct setpay_http_route routes[] = {
    {SETPAY_HTTP_GET, "/", setpay_www_on_front},
    {SETPAY_HTTP_GET, "/categories/{slug}", setpay_www_on_category},
    {SETPAY_HTTP_GET, "/search", setpay_www_on_search},
    {SETPAY_HTTP_GET, "/products/{slug}", setpay_www_on_product},
    {SETPAY_HTTP_GET, "/pictures/{picture}", setpay_www_on_picture},
    {SETPAY_HTTP_GET, "/cart", setpay_www_on_cart},
    {SETPAY_HTTP_POST, "/cart/add", setpay_www_on_cart_add},
    {SETPAY_HTTP_POST, "/cart/change", setpay_www_on_cart_change},
    {SETPAY_HTTP_POST, "/currency", setpay_www_on_currency},
    {SETPAY_HTTP_GET, "/checkout", setpay_www_on_checkout},
    {SETPAY_HTTP_POST, "/checkout", setpay_www_on_order_make},
    {SETPAY_HTTP_GET, "/orders/{token}", setpay_www_on_order},
    {SETPAY_HTTP_GET, "/orders/{token}/events", setpay_www_on_order_events},
    {SETPAY_HTTP_GET, "/about/{name}", setpay_www_on_about},
    {SETPAY_HTTP_GET, "/static/{file...}", setpay_www_on_static},
    {SETPAY_HTTP_GET, "/robots.txt", setpay_www_on_robots},
    {0},
};

const struct setpay_http_route *setpay_www_routes(void)
{
    return routes;
}

#define ALWAYS                                                                                     \
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "        \
                                "img-src 'self'; connect-src 'self';"                              \
                                " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},   \
        {"X-Content-Type-Options", "nosniff"}, {"X-Frame-Options", "DENY"},                        \
        {"Referrer-Policy", "no-referrer"},                                                        \
        {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},    \
        {"Cross-Origin-Opener-Policy", "same-origin"},                                             \
    {                                                                                              \
        "Cross-Origin-Resource-Policy", "same-origin"                                              \
    }

static const struct setpay_http_header plain_headers[] = {ALWAYS, {NULL, NULL}};
static const struct setpay_http_header tls_headers[] = {
    ALWAYS, {SETPAY_WWW_STAY_SECURE}, {NULL, NULL}};

static pthread_once_t static_once = PTHREAD_ONCE_INIT;
static enum setpay_error static_error;

static void init_static(void)
{
    static_error = setpay_www_static_init();
}

static enum setpay_error read_templates(struct setpay_www *www)
{
    for (size_t i = 0; i < SETPAY_WWW_PAGES; i++) {
        struct setpay_problem problem = {{0}};
        enum setpay_error error =
            setpay_template_new(setpay_www_sources, setpay_www_page_name((enum setpay_www_page)i),
                                &www->templates[i], &problem);
        if (error != SETPAY_OK) {
            setpay_log_error(error, "www.template", setpay_field_text("reason", problem.text));
            return error;
        }
    }
    return SETPAY_OK;
}

static bool is_proxy(const struct sockaddr *address, void *arg)
{
    const struct setpay_www *www = arg;
    return setpay_guard_is_proxy(www->guard, address);
}

enum setpay_error setpay_www_new(const struct setpay_www_options *options, struct setpay_www **www)
{
    struct setpay_www *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    made->executor = setpay_loop_executor(options->loop);
    struct setpay_http_server_options server = {
        .name = "web",
        .loop = options->loop,
        .routes = routes,
        .arg = made,
        .tls = options->tls,
        .max_connections = options->max_connections != 0 ? options->max_connections : CONNECTIONS,
        .max_header_bytes = HEADER_BYTES,
        .max_body_bytes = BODY_BYTES,
        .request_deadline_ms =
            options->request_deadline_ms != 0 ? options->request_deadline_ms : REQUEST_DEADLINE_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .send_deadline_ms = SEND_DEADLINE_MS,
        .exempt_cb = is_proxy,
        .drops_idle = true,
        .headers = options->tls != NULL ? tls_headers : plain_headers,
        .error_page_cb = setpay_www_error_page,
    };
    (void)pthread_once(&static_once, init_static);
    enum setpay_error error = static_error;
    if (error == SETPAY_OK)
        error = read_templates(made);
    if (error == SETPAY_OK)
        error = setpay_reader_new(options->store, &made->reader);
    if (error == SETPAY_OK && options->guard == NULL)
        error = setpay_guard_new(&setpay_guard_defaults, &made->own_guard);
    made->guard = options->guard != NULL ? options->guard : made->own_guard;
    if (error == SETPAY_OK)
        server.max_of_address = setpay_guard_connections(made->guard);
    if (error == SETPAY_OK)
        error = setpay_streams_new(made, &made->streams);
    if (error == SETPAY_OK)
        error = setpay_http_server_new(&server, &made->server);
    if (error == SETPAY_OK)
        *www = made;
    else
        setpay_www_free(made);
    return error;
}

enum setpay_error setpay_www_listen(struct setpay_www *www, int listener_fd)
{
    return setpay_http_server_listen(www->server, listener_fd);
}

static void check_drained(struct setpay_www *www)
{
    void (*drained_cb)(void *arg) = www->drained_cb;
    if (drained_cb == NULL || !www->server_drained || www->writes > 0)
        return;
    www->drained_cb = NULL;
    drained_cb(www->drained_arg);
}

void setpay_www_wrote(struct setpay_www *www)
{
    www->writes--;
    check_drained(www);
}

static void on_server_drained(void *arg)
{
    struct setpay_www *www = arg;
    www->server_drained = true;
    check_drained(www);
}

void setpay_www_drain(struct setpay_www *www, void (*drained_cb)(void *arg), void *arg)
{
    www->drained_cb = drained_cb;
    www->drained_arg = arg;
    setpay_http_server_drain(www->server, on_server_drained, www);
    setpay_streams_end(www->streams);
}

void setpay_www_free(struct setpay_www *www)
{
    if (www == NULL)
        return;
    www->drained_cb = NULL;
    setpay_streams_free(www->streams);
    setpay_http_server_free(www->server);
    setpay_reader_free(www->reader);
    for (size_t i = 0; i < SETPAY_WWW_PAGES; i++)
        setpay_template_free(www->templates[i]);
    setpay_guard_free(www->own_guard);
    free(www);
}
