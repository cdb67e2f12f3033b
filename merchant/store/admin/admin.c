/*
 * The server of the owner's pages: routes, limits, headers, draining.
 */
#include "merchant/store/admin/admin_internal.h"

#include "common/base/log.h"
#include "merchant/store/picture.h"

#include <pthread.h>
#include <stdlib.h>

#define CONNECTIONS 64
#define HEADER_BYTES 8192
#define BODY_BYTES (SETPAY_PICTURE_BYTES_MAX + 16384) /* a picture, and the form around it */
#define REQUEST_DEADLINE_MS 15000
#define IDLE_TIMEOUT_MS 30000
#define SEND_DEADLINE_MS 20000

static const struct setpay_http_route routes[] = {
    {SETPAY_HTTP_GET, "/", setpay_admin_on_orders},
    {SETPAY_HTTP_GET, "/signin", setpay_admin_on_signin_page},
    {SETPAY_HTTP_POST, "/signin", setpay_admin_on_signin},
    {SETPAY_HTTP_POST, "/signout", setpay_admin_on_signout},
    {SETPAY_HTTP_POST, "/signout-everywhere", setpay_admin_on_signout_everywhere},
    {SETPAY_HTTP_GET, "/orders/{id}", setpay_admin_on_order},
    {SETPAY_HTTP_POST, "/orders/{id}/{act}", setpay_admin_on_order_act},
    {SETPAY_HTTP_GET, "/products", setpay_admin_on_products},
    {SETPAY_HTTP_POST, "/products", setpay_admin_on_product_add},
    {SETPAY_HTTP_GET, "/products/{id}", setpay_admin_on_product},
    {SETPAY_HTTP_POST, "/products/{id}/pictures", setpay_admin_on_picture_add},
    {SETPAY_HTTP_POST, "/products/{id}/pictures/edit", setpay_admin_on_picture_edit},
    {SETPAY_HTTP_POST, "/products/{id}/pictures/remove", setpay_admin_on_picture_remove},
    {SETPAY_HTTP_POST, "/products/{id}/{act}", setpay_admin_on_product_act},
    {SETPAY_HTTP_GET, "/pictures/{picture}", setpay_admin_on_picture},
    {SETPAY_HTTP_GET, "/shipments", setpay_admin_on_shipments},
    {SETPAY_HTTP_GET, "/settlements", setpay_admin_on_settlements},
    {SETPAY_HTTP_GET, "/settlements/{id}", setpay_admin_on_settlement},
    {SETPAY_HTTP_GET, "/webhooks", setpay_admin_on_webhooks},
    {SETPAY_HTTP_GET, "/webhooks/{id}", setpay_admin_on_webhook},
    {SETPAY_HTTP_POST, "/webhooks/{id}/redeliver", setpay_admin_on_redeliver},
    {SETPAY_HTTP_GET, "/stock", setpay_admin_on_stock},
    {SETPAY_HTTP_GET, "/stock/{sku}", setpay_admin_on_stock_one},
    {SETPAY_HTTP_POST, "/stock/{sku}", setpay_admin_on_stock_adjust},
    {SETPAY_HTTP_GET, "/static/{file...}", setpay_admin_on_static},
    {0},
};

const struct setpay_http_route *setpay_admin_routes(void)
{
    return routes;
}

#define ALWAYS                                                                                     \
    {"Content-Security-Policy",                                                                    \
     "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"  \
     " frame-ancestors 'none'"},                                                                   \
        {"X-Content-Type-Options", "nosniff"}, {"X-Frame-Options", "DENY"},                        \
        {"Referrer-Policy", "same-origin"},                                                        \
        {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},    \
        {"Cross-Origin-Opener-Policy", "same-origin"},                                             \
    {                                                                                              \
        "Cross-Origin-Resource-Policy", "same-origin"                                              \
    }

static const struct setpay_http_header plain_headers[] = {ALWAYS, {NULL, NULL}};
static const struct setpay_http_header tls_headers[] = {
    ALWAYS, {SETPAY_ADMIN_STAY_SECURE}, {NULL, NULL}};

static pthread_once_t static_once = PTHREAD_ONCE_INIT;
static enum setpay_error static_error;

static void init_static(void)
{
    static_error = setpay_admin_static_init();
}

/* ------------------------------------------------------------------ what is under way */

static void end_drain(struct setpay_admin *admin)
{
    if (!admin->draining || !admin->server_drained || admin->pending > 0)
        return;
    admin->draining = false;
    admin->drained_cb(admin->drained_arg);
}

void setpay_admin_begin_pending(struct setpay_admin *admin)
{
    admin->pending++;
}

void setpay_admin_end_pending(struct setpay_admin *admin)
{
    admin->pending--;
    end_drain(admin);
}

static void on_server_drained(void *arg)
{
    struct setpay_admin *admin = arg;
    admin->server_drained = true;
    end_drain(admin);
}

void setpay_admin_drain(struct setpay_admin *admin, void (*drained_cb)(void *arg), void *arg)
{
    admin->draining = true;
    admin->drained_cb = drained_cb;
    admin->drained_arg = arg;
    setpay_http_server_drain(admin->server, on_server_drained, admin);
}

/* ------------------------------------------------------------------ making and ending */

static enum setpay_error read_templates(struct setpay_admin *admin)
{
    for (size_t i = 0; i < SETPAY_ADMIN_PAGES; i++) {
        struct setpay_problem problem = {{0}};
        enum setpay_error error = setpay_template_new(
            setpay_admin_sources, setpay_admin_page_name((enum setpay_admin_page)i),
            &admin->templates[i], &problem);
        if (error != SETPAY_OK) {
            setpay_log_error(error, "owner.template", setpay_field_text("reason", problem.text));
            return error;
        }
    }
    return SETPAY_OK;
}

enum setpay_error setpay_admin_new(const struct setpay_admin_options *options,
                                   struct setpay_admin **admin)
{
    struct setpay_admin *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    made->executor = setpay_loop_executor(options->loop);
    const struct setpay_http_server_options server = {
        .name = "owner",
        .loop = options->loop,
        .routes = routes,
        .arg = made,
        .tls = options->tls,
        .max_connections = CONNECTIONS,
        .max_header_bytes = HEADER_BYTES,
        .max_body_bytes = BODY_BYTES,
        .request_deadline_ms = REQUEST_DEADLINE_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .send_deadline_ms = SEND_DEADLINE_MS,
        .headers = options->tls != NULL ? tls_headers : plain_headers,
        .error_page_cb = setpay_admin_error_page,
    };
    (void)pthread_once(&static_once, init_static);
    enum setpay_error error = static_error;
    if (error == SETPAY_OK)
        error = read_templates(made);
    if (error == SETPAY_OK)
        error = setpay_reader_new(options->store, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_kdf_new(made->executor, &made->kdf);
    if (error == SETPAY_OK)
        error = setpay_http_server_new(&server, &made->server);
    if (error == SETPAY_OK)
        *admin = made;
    else
        setpay_admin_free(made);
    return error;
}

enum setpay_error setpay_admin_listen(struct setpay_admin *admin, int listener_fd)
{
    return setpay_http_server_listen(admin->server, listener_fd);
}

void setpay_admin_free(struct setpay_admin *admin)
{
    if (admin == NULL)
        return;
    setpay_http_server_free(admin->server);
    setpay_kdf_free(admin->kdf);
    setpay_reader_free(admin->reader);
    for (size_t i = 0; i < SETPAY_ADMIN_PAGES; i++)
        setpay_template_free(admin->templates[i]);
    free(admin);
}
