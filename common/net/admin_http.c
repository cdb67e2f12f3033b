/*
 * The administration address: three GET routes on an HTTP server of its own, so that its deadlines
 * and limits are those of every other. Few connections are enough for probes and one scraper.
 */
#include "common/net/admin_http.h"

#include "common/base/clock.h"
#include "common/net/http_server.h"
#include "common/net/metrics.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define BODY_BYTES_MAX 1024

struct setpay_admin_http {
    struct setpay_http_server *server;
    struct setpay_ready_check checks[SETPAY_READY_CHECKS_MAX];
    size_t check_count;
    bool is_draining;
};

static const struct setpay_http_header no_store[] = {{"Cache-Control", "no-store"}, {NULL, NULL}};

/* Takes json (may be NULL). */
static void reply_json(struct setpay_http_request *request, int status, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    json_decref(json);
    if (text == NULL)
        setpay_http_reply_problem(request, 500, NULL, NULL, NULL);
    else
        setpay_http_reply(request, status, "application/json", no_store, setpay_view_string(text));
    free(text);
}

static void on_healthz(struct setpay_http_request *request, void *arg)
{
    (void)arg;
    reply_json(request, 200, json_pack("{s:s}", "status", "ok"));
}

/* One member of "checks"; *ok is false after a check that fails. */
static json_t *run_check(const struct setpay_ready_check *check, bool *ok)
{
    struct setpay_problem why = {.text = ""};
    enum setpay_error error = check->check_cb(check->arg, &why);

    if (error == SETPAY_OK)
        return json_pack("{s:s, s:b}", "name", check->name, "ok", 1);
    *ok = false;
    return json_pack("{s:s, s:b, s:s, s:s}", "name", check->name, "ok", 0, "error",
                     setpay_error_name(error), "why",
                     why.text[0] == '\0' ? setpay_error_text(error) : why.text);
}

static void on_readyz(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_http *admin = arg;
    json_t *list = json_array();
    bool ok = true;

    for (size_t i = 0; i < admin->check_count; i++) {
        if (json_array_append_new(list, run_check(&admin->checks[i], &ok)) != 0)
            ok = false;
    }
    reply_json(request, ok && !admin->is_draining ? 200 : 503,
               json_pack("{s:s, s:o}", "status",
                         admin->is_draining ? "draining"
                         : ok               ? "ready"
                                            : "failing",
                         "checks", list));
}

static void on_metrics(struct setpay_http_request *request, void *arg)
{
    struct setpay_buffer text;

    (void)arg;
    setpay_buffer_init(&text, SETPAY_METRICS_BYTES_MAX);
    if (setpay_metrics_write(&text) == SETPAY_OK)
        setpay_http_reply(request, 200, SETPAY_METRICS_CONTENT_TYPE, no_store,
                          setpay_buffer_view(&text));
    else
        setpay_http_reply_problem(request, 500, NULL, NULL, NULL);
    setpay_buffer_clear(&text);
}

static const struct setpay_http_route routes[] = {
    {SETPAY_HTTP_GET, "/healthz", on_healthz},
    {SETPAY_HTTP_GET, "/readyz", on_readyz},
    {SETPAY_HTTP_GET, "/metrics", on_metrics},
    {0, NULL, NULL},
};

enum setpay_error setpay_admin_http_new(struct setpay_loop *loop, int listener_fd,
                                        const struct setpay_ready_check *checks, size_t check_count,
                                        struct setpay_admin_http **admin)
{
    struct setpay_admin_http *made = NULL;
    enum setpay_error error = SETPAY_E_INVALID;

    if (check_count > SETPAY_READY_CHECKS_MAX)
        goto out;
    error = SETPAY_E_NOMEM;
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        goto out;
    if (check_count > 0)
        memcpy(made->checks, checks, check_count * sizeof(*checks));
    made->check_count = check_count;
    error = setpay_http_server_new(
        &(struct setpay_http_server_options){.name = "admin",
                                             .loop = loop,
                                             .routes = routes,
                                             .arg = made,
                                             .max_connections = CONNECTIONS_MAX,
                                             .max_body_bytes = BODY_BYTES_MAX,
                                             .request_deadline_ms = 5 * SETPAY_SECOND_MS,
                                             .idle_timeout_ms = 30 * SETPAY_SECOND_MS,
                                             .send_deadline_ms = 10 * SETPAY_SECOND_MS},
        &made->server);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_http_server_listen(made->server, listener_fd);
    listener_fd = -1;
    if (error != SETPAY_OK)
        goto out;
    *admin = made;
    made = NULL;
out:
    if (listener_fd >= 0)
        close(listener_fd);
    setpay_admin_http_free(made);
    return error;
}

void setpay_admin_http_set_draining(struct setpay_admin_http *admin)
{
    admin->is_draining = true;
}

void setpay_admin_http_free(struct setpay_admin_http *admin)
{
    if (admin == NULL)
        return;
    setpay_http_server_free(admin->server);
    free(admin);
}
