/*
 * Requests of the HTTP server: copied out of evhttp when they have come whole, routed, answered.
 *
 * A request owns its texts (one arena) and its body, so nothing that a handler holds depends on the
 * connection. What two readers of a message could understand differently is refused before a
 * handler sees it: two lengths, a length beside chunks, a body where the method has none, a query
 * parameter given twice, bytes that are not UTF-8.
 */
#include "common/net/http_internal.h"

#include "common/base/clock.h"
#include "common/base/testing.h"

#include <sys/queue.h> /* before evhttp's structs, which use it where it is there */

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HEADERS_MAX 100
#define QUERY_MAX 32
#define PARAMS_MAX 8

struct pair {
    const char *name;
    const char *value;
};

struct setpay_http_request {
    struct setpay_http_server *server;         /* NULL once gone */
    struct setpay_http_connection *connection; /* NULL once gone */
    struct evhttp_request *ev;                 /* NULL once gone */
    enum evhttp_cmd_type type;
    const char *path;
    const char *remote;
    struct pair headers[HEADERS_MAX];
    size_t header_count;
    struct pair query[QUERY_MAX];
    size_t query_count;
    struct pair params[PARAMS_MAX]; /* names with the braces' content, not NUL-terminated */
    size_t param_count;
    struct evbuffer *body;
    size_t body_size;
    bool must_close;
    char *arena;
    size_t arena_used, arena_size;
};

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *setpay_http_status_phrase(int status)
{
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Status";
}

char *setpay_http_problem_text(int status, const char *type, const char *title, const char *detail)
{
    json_t *problem =
        json_pack("{s:s, s:s, s:i}", "type", type == NULL ? "about:blank" : type, "title",
                  title == NULL ? setpay_http_status_phrase(status) : title, "status", status);
    char *text = NULL;

    if (problem == NULL)
        return NULL;
    if (detail == NULL || json_object_set_new(problem, "detail", json_string(detail)) == 0)
        text = json_dumps(problem, JSON_COMPACT);
    json_decref(problem);
    return text;
}

char *setpay_http_error_body(const struct setpay_http_server *server, int status,
                             const char *detail, const char **content_type)
{
    const struct setpay_http_server_options *options =
        server == NULL ? NULL : setpay_http_server_options(server);

    if (options == NULL || options->error_page_cb == NULL) {
        *content_type = SETPAY_HTTP_PROBLEM_TYPE;
        return setpay_http_problem_text(status, NULL, NULL, detail);
    }
    *content_type = "text/html; charset=utf-8";
    return options->error_page_cb(status, options->arg);
}

/* ------------------------------------------------------------------ copying */

/* Copies into the arena, whose size was reckoned before. */
static const char *keep(struct setpay_http_request *request, const char *text, size_t size)
{
    char *at = request->arena + request->arena_used;

    if (size >= request->arena_size - request->arena_used)
        abort();
    memcpy(at, text, size);
    at[size] = '\0';
    request->arena_used += size + 1;
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes percent signs (and, in a query, plus signs) into the arena; NULL unless every percent
 * sign has two digits and the result is UTF-8 without NUL. */
static const char *keep_decoded(struct setpay_http_request *request, const char *text, size_t size,
                                bool is_query)
{
    char *at = request->arena + request->arena_used;
    size_t used = 0;

    if (size >= request->arena_size - request->arena_used)
        abort();
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '%') {
            if (size - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
                return NULL;
            at[used++] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            at[used] = text[i];
            if (is_query && text[i] == '+')
                at[used] = ' ';
            used++;
        }
    }
    at[used] = '\0';
    if (!setpay_text_is_utf8(setpay_view_of(at, used)))
        return NULL;
    request->arena_used += used + 1;
    return at;
}

static const char *keep_query(struct setpay_http_request *request, const char *query)
{
    while (query != NULL && *query != '\0') {
        size_t size = strcspn(query, "&");
        const char *equals = memchr(query, '=', size);
        size_t name_size = equals == NULL ? size : (size_t)(equals - query);
        size_t value_at = equals == NULL ? size : name_size + 1;
        struct pair *pair = &request->query[request->query_count];

        if (request->query_count == QUERY_MAX)
            return "too many query parameters";
        pair->name = keep_decoded(request, query, name_size, true);
        pair->value = keep_decoded(request, query + value_at, size - value_at, true);
        if (pair->name == NULL || pair->value == NULL)
            return "a query parameter is not percent-encoded UTF-8";
        if (pair->name[0] == '\0')
            return "a query parameter has no name";
        if (setpay_http_request_query(request, pair->name) != NULL)
            return "a query parameter is given twice";
        request->query_count++;
        query += size + (query[size] == '&');
    }
    return NULL;
}

/* A token of RFC 9110: two readers may take any other name for different ones ("Length :"). */
static bool is_token(const char *text)
{
    static const char signs[] = "!#$%&'*+-.^_`|~";
    const char *c = text;

    while ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
           (*c != '\0' && strchr(signs, *c) != NULL))
        c++;
    return c != text && *c == '\0';
}

static const char *keep_headers(struct setpay_http_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request->ev);
    struct evkeyval *header;

    TAILQ_FOREACH(header, headers, next)
    {
        if (request->header_count == HEADERS_MAX)
            return "too many header fields";
        if (!is_token(header->key))
            return "a header field has no valid name";
        if (!setpay_text_is_utf8(setpay_view_string(header->value)))
            return "a header field is not UTF-8";
        request->headers[request->header_count++] =
            (struct pair){keep(request, header->key, strlen(header->key)),
                          keep(request, header->value, strlen(header->value))};
    }
    return NULL;
}

/* An upper bound of what keep_… need; each text and its NUL. */
static size_t arena_bound(struct evhttp_request *ev, const char *remote)
{
    size_t size = 64 + 4 * (strlen(evhttp_request_get_uri(ev)) + 2) + strlen(remote);
    struct evkeyval *header;

    TAILQ_FOREACH(header, evhttp_request_get_input_headers(ev), next)
    size += strlen(header->key) + strlen(header->value) + 2;
    return size + QUERY_MAX * 2 + PARAMS_MAX;
}

/* ------------------------------------------------------------------ what is refused */

static size_t header_count_of(const struct setpay_http_request *request, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++)
        count += strcasecmp(request->headers[i].name, name) == 0;
    return count;
}

static bool method_has_body(enum evhttp_cmd_type type)
{
    return type == EVHTTP_REQ_POST || type == EVHTTP_REQ_PUT || type == EVHTTP_REQ_PATCH;
}

/* First of all, since the answer to whatever else is wrong has the request's version by evhttp. */
static const char *version_problem(struct setpay_http_request *request)
{
    if (request->ev->major == 1 && (request->ev->minor == 0 || request->ev->minor == 1))
        return NULL;
    request->ev->major = request->ev->minor = 1;
    return "the version is not HTTP/1.0 or HTTP/1.1";
}

/* Words where the message's framing could be read in two ways; the connection is then closed, since
 * nobody knows where the next request starts. */
static const char *framing_problem(const struct setpay_http_request *request)
{
    const char *length = setpay_http_request_header(request, "Content-Length");
    const char *coding = setpay_http_request_header(request, "Transfer-Encoding");

    if (header_count_of(request, "Content-Length") > 1 ||
        header_count_of(request, "Transfer-Encoding") > 1 || (length != NULL && coding != NULL))
        return "the body's length is given more than once";
    if (length != NULL && (length[0] == '\0' || strspn(length, "0123456789") != strlen(length)))
        return "Content-Length is not a number";
    if (coding != NULL && strcasecmp(coding, "chunked") != 0)
        return "the transfer coding is not chunked";
    if (!method_has_body(request->type) &&
        (coding != NULL || (length != NULL && strspn(length, "0") != strlen(length))))
        return "this method takes no body";
    if (header_count_of(request, "Host") > 1 ||
        (request->ev->major == 1 && request->ev->minor >= 1 &&
         header_count_of(request, "Host") == 0))
        return "exactly one Host field is needed";
    return NULL;
}

/* ------------------------------------------------------------------ routes */

static const char *const method_names[] = {
    [SETPAY_HTTP_GET] = "GET",     [SETPAY_HTTP_POST] = "POST",     [SETPAY_HTTP_PUT] = "PUT",
    [SETPAY_HTTP_PATCH] = "PATCH", [SETPAY_HTTP_DELETE] = "DELETE",
};

static int route_method(enum evhttp_cmd_type type)
{
    switch ((unsigned)type) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        return SETPAY_HTTP_GET;
    case EVHTTP_REQ_POST:
        return SETPAY_HTTP_POST;
    case EVHTTP_REQ_PUT:
        return SETPAY_HTTP_PUT;
    case EVHTTP_REQ_PATCH:
        return SETPAY_HTTP_PATCH;
    case EVHTTP_REQ_DELETE:
        return SETPAY_HTTP_DELETE;
    default:
        return -1;
    }
}

enum match { MATCH_NO, MATCH_YES, MATCH_BAD_TEXT };

/* Walks pattern and path segment by segment. With take, the parameters are decoded and kept. */
static enum match match_path(struct setpay_http_request *request, const char *pattern, bool take)
{
    const char *path = request->path;

    while (*pattern == '/' && *path == '/') {
        size_t pattern_size = strcspn(++pattern, "/");
        size_t path_size = strcspn(++path, "/");

        if (pattern_size >= 2 && pattern[0] == '{') {
            bool is_rest = pattern_size > 5 && memcmp(pattern + pattern_size - 4, "...}", 4) == 0;

            if (is_rest)
                path_size = strlen(path);
            if (path_size == 0 && !is_rest)
                return MATCH_NO;
            if (take) {
                struct pair *param = &request->params[request->param_count++];

                if (request->param_count > PARAMS_MAX)
                    abort(); /* a route of our own */
                param->name = pattern + 1;
                param->value = keep_decoded(request, path, path_size, false);
                if (param->value == NULL)
                    return MATCH_BAD_TEXT;
            }
        } else if (pattern_size != path_size || memcmp(pattern, path, path_size) != 0) {
            return MATCH_NO;
        }
        pattern += pattern_size;
        path += path_size;
    }
    return *pattern == '\0' && *path == '\0' ? MATCH_YES : MATCH_NO;
}

/* "GET, HEAD, POST, OPTIONS"; empty where no route has this path. */
static void allowed_methods(struct setpay_http_request *request,
                            const struct setpay_http_route *routes, char *out, size_t size)
{
    unsigned seen = 0;
    size_t used = 0;

    out[0] = '\0';
    for (; routes->handler_cb != NULL; routes++) {
        if ((seen & (1U << routes->method)) == 0 &&
            match_path(request, routes->pattern, false) == MATCH_YES) {
            seen |= 1U << routes->method;
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s, ", method_names[routes->method],
                                 routes->method == SETPAY_HTTP_GET ? ", HEAD" : "");
        }
    }
    if (used > 0)
        snprintf(out + used, size - used, "OPTIONS");
}

/* What no handler has a word in. */
static void reply_error(struct setpay_http_request *request, int status, const char *detail)
{
    const char *type;
    char *body = setpay_http_error_body(request->server, status, detail, &type);

    setpay_http_reply(request, status, type, NULL, setpay_view_string(body));
    free(body);
}

static void route(struct setpay_http_request *request)
{
    const struct setpay_http_server_options *options = setpay_http_server_options(request->server);
    const struct setpay_http_route *row = options->routes;
    char allow[80];
    const struct setpay_http_header headers[] = {{"Allow", allow}, {NULL, NULL}};
    const int method = route_method(request->type);

    for (; row->handler_cb != NULL; row++) {
        if (method >= 0 && (int)row->method == method &&
            match_path(request, row->pattern, false) == MATCH_YES) {
            if (match_path(request, row->pattern, true) != MATCH_YES) {
                reply_error(request, 400, "the path is not percent-encoded UTF-8");
                return;
            }
            setpay_testing_point("net.receive");
            row->handler_cb(request, options->arg);
            return;
        }
    }
    allowed_methods(request, options->routes, allow, sizeof(allow));
    if (request->type == EVHTTP_REQ_OPTIONS && allow[0] != '\0') {
        setpay_http_reply(request, 204, NULL, headers, SETPAY_VIEW_EMPTY);
    } else if (allow[0] != '\0') {
        const char *type;
        char *body = setpay_http_error_body(request->server, 405, allow, &type);

        setpay_http_reply(request, 405, type, headers, setpay_view_string(body));
        free(body);
    } else {
        reply_error(request, 404, NULL);
    }
}

/* ------------------------------------------------------------------ from evhttp to the handler */

static void request_free(struct setpay_http_request *request)
{
    if (request == NULL)
        return;
    if (request->body != NULL)
        evbuffer_free(request->body);
    free(request->arena);
    free(request);
}

static struct setpay_http_request *request_new(struct evhttp_request *ev, const char *remote)
{
    struct setpay_http_request *request = calloc(1, sizeof(*request));

    if (request == NULL)
        return NULL;
    request->ev = ev;
    request->type = evhttp_request_get_command(ev);
    request->arena_size = arena_bound(ev, remote);
    request->arena = malloc(request->arena_size);
    request->body = evbuffer_new();
    request->body_size = evbuffer_get_length(evhttp_request_get_input_buffer(ev));
    if (request->arena == NULL || request->body == NULL ||
        evbuffer_add_buffer(request->body, evhttp_request_get_input_buffer(ev)) != 0 ||
        (request->body_size > 0 && evbuffer_pullup(request->body, -1) == NULL)) {
        request_free(request);
        return NULL;
    }
    request->remote = keep(request, remote, strlen(remote));
    return request;
}

void setpay_http_on_request(struct evhttp_request *ev, void *arg)
{
    struct setpay_http_server *server = arg;
    struct setpay_http_connection *connection = setpay_http_connection_of(server, ev);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(ev);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    struct setpay_http_request *request = NULL;
    const char *words;
    char *remote = NULL;
    uint16_t port;

    if (connection != NULL) {
        evhttp_connection_get_peer(evhttp_request_get_connection(ev), &remote, &port);
        request = request_new(ev, remote == NULL ? "" : remote);
    }
    if (request == NULL) { /* no memory, then or now */
        evhttp_connection_free(evhttp_request_get_connection(ev));
        return;
    }
    request->server = server;
    request->connection = connection;
    request->path = keep(request, path == NULL || path[0] == '\0' ? "/" : path,
                         path == NULL || path[0] == '\0' ? 1 : strlen(path));
    setpay_http_connection_begin(connection, request);

    words = version_problem(request);
    if (words == NULL)
        words = keep_headers(request);
    if (words == NULL)
        words = framing_problem(request);
    if (words != NULL) {
        request->must_close = true;
        reply_error(request, 400, words);
        return;
    }
    words = keep_query(request, uri == NULL ? NULL : evhttp_uri_get_query(uri));
    if (words != NULL) {
        reply_error(request, 400, words);
        return;
    }
    route(request);
}

void setpay_http_request_set_gone(struct setpay_http_request *request)
{
    /* evhttp frees its request with the connection, unless it has let go of it before. */
    if (evhttp_request_get_connection(request->ev) == NULL)
        evhttp_request_free(request->ev);
    request->ev = NULL;
    request->connection = NULL;
    request->server = NULL;
}

/* ------------------------------------------------------------------ asking */

const char *setpay_http_request_method(const struct setpay_http_request *request)
{
    int method = route_method(request->type);

    return request->type == EVHTTP_REQ_HEAD ? "HEAD" : method < 0 ? "" : method_names[method];
}

const char *setpay_http_request_path(const struct setpay_http_request *request)
{
    return request->path;
}

const char *setpay_http_request_param(const struct setpay_http_request *request, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < request->param_count; i++) {
        const char *own = request->params[i].name;

        if (strncmp(own, name, size) == 0 && (own[size] == '}' || own[size] == '.'))
            return request->params[i].value;
    }
    abort();
}

const char *setpay_http_request_query(const struct setpay_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    }
    return NULL;
}

size_t setpay_http_request_query_count(const struct setpay_http_request *request)
{
    return request->query_count;
}

const char *setpay_http_request_query_name(const struct setpay_http_request *request, size_t index)
{
    return index < request->query_count ? request->query[index].name : NULL;
}

const char *setpay_http_request_header_last(const struct setpay_http_request *request,
                                            const char *name)
{
    for (size_t i = request->header_count; i-- > 0;) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return NULL;
}

const char *setpay_http_request_header(const struct setpay_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return NULL;
}

bool setpay_http_request_has_type(const struct setpay_http_request *request, const char *type)
{
    const char *own = setpay_http_request_header(request, "Content-Type");
    size_t size = strlen(type);

    if (own == NULL || strncasecmp(own, type, size) != 0)
        return false;
    own += size;
    own += strspn(own, " \t");
    return *own == '\0' || *own == ';';
}

struct setpay_view setpay_http_request_body(const struct setpay_http_request *request)
{
    if (request->body_size == 0)
        return SETPAY_VIEW_EMPTY;
    return setpay_view_of(evbuffer_pullup(request->body, -1), request->body_size);
}

const char *setpay_http_request_remote(const struct setpay_http_request *request)
{
    return request->remote;
}

enum setpay_error setpay_http_request_peer(const struct setpay_http_request *request,
                                           struct setpay_peer *peer)
{
    if (request->connection == NULL)
        return SETPAY_E_CLOSED;
    return setpay_http_connection_peer(request->connection, peer);
}

bool setpay_http_request_is_gone(const struct setpay_http_request *request)
{
    return request->ev == NULL;
}

/* ------------------------------------------------------------------ answering */

/* IMF-fixdate (RFC 9110 section 5.6.7); the names are those of the C locale, which daemons have. */
static bool format_date(setpay_time_ms now_ms, char *out, size_t size)
{
    time_t seconds = (time_t)(now_ms / SETPAY_SECOND_MS);
    struct tm utc;

    return gmtime_r(&seconds, &utc) != NULL &&
           strftime(out, size, "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0;
}

static bool is_named(const struct setpay_http_header *headers, const char *name)
{
    for (; headers != NULL && headers->name != NULL; headers++) {
        if (strcasecmp(headers->name, name) == 0)
            return true;
    }
    return false;
}

/* False without memory: an answer must not leave with a header missing. */
static bool add_headers(struct setpay_http_request *request, int status, const char *content_type,
                        const struct setpay_http_header *headers, size_t body_size)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(request->ev);
    const struct setpay_http_header *always = setpay_http_server_options(request->server)->headers;
    char length[24], date[32];

    for (; always != NULL && always->name != NULL; always++) {
        if (!is_named(headers, always->name) &&
            evhttp_add_header(out, always->name, always->value) != 0)
            return false;
    }
    for (; headers != NULL && headers->name != NULL; headers++) {
        if (evhttp_add_header(out, headers->name, headers->value) != 0)
            return false;
    }
    if (content_type != NULL && evhttp_add_header(out, "Content-Type", content_type) != 0)
        return false;
    /* The clock that this daemon lives by, which a test may have moved; libevent would give the
     * system's. */
    if (format_date(setpay_clock_now_ms(), date, sizeof(date)) &&
        evhttp_add_header(out, "Date", date) != 0)
        return false;
    snprintf(length, sizeof(length), "%zu", body_size);
    if (status != 204 && status != 304 && evhttp_add_header(out, "Content-Length", length) != 0)
        return false;
    if ((request->must_close || setpay_http_server_is_draining(request->server)) &&
        evhttp_add_header(out, "Connection", "close") != 0)
        return false;
    return true;
}

void setpay_http_reply(struct setpay_http_request *request, int status, const char *content_type,
                       const struct setpay_http_header *headers, struct setpay_view body)
{
    struct evhttp_request *ev = request->ev;
    struct evbuffer *out = NULL;
    /* HEAD is told the length of what it does not get. */
    bool has_body =
        body.size > 0 && request->type != EVHTTP_REQ_HEAD && status != 204 && status != 304;

    if (ev == NULL)
        goto out;
    if (has_body)
        out = evbuffer_new();
    if ((has_body && (out == NULL || evbuffer_add(out, body.data, body.size) != 0)) ||
        !add_headers(request, status, content_type, headers, body.size)) {
        evhttp_connection_free(evhttp_request_get_connection(ev));
        goto out;
    }
    setpay_testing_point("net.send");
    setpay_http_connection_reply(request->connection, ev, status);
    evhttp_send_reply(ev, status, setpay_http_status_phrase(status), out);
out:
    if (out != NULL)
        evbuffer_free(out);
    request_free(request);
}

void setpay_http_reply_problem(struct setpay_http_request *request, int status, const char *type,
                               const char *title, const char *detail)
{
    char *body = setpay_http_problem_text(status, type, title, detail);

    setpay_http_reply(request, status, SETPAY_HTTP_PROBLEM_TYPE, NULL, setpay_view_string(body));
    free(body);
}
