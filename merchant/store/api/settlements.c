/*
 * GET /settlements, /settlements/{id}, /settlements/{id}/rows and /settlements/differences: what
 * the gateway has paid out, as its files said that were read in (setpay-merchant settlement
 * import).
 */
#include "merchant/store/api/api_internal.h"

#include "common/base/zone.h"
#include "merchant/store/settlement_json.h"

#include <string.h>

#define NO_SUCH "there is no settlement of that id here: was its file read in?"

static bool refuse_cursor(struct setpay_http_request *request)
{
    setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, "cursor",
                             "cursor: expected the next_cursor of an answer, unchanged");
    return false;
}

/* A list's limit, and its cursor as a number. False: the request has been answered. */
static bool read_page(struct setpay_http_request *request, size_t *limit, int64_t *number)
{
    const char *cursor = NULL;
    *limit = SETPAY_SETTLEMENT_LIST_DEFAULT;
    if (!setpay_api_read_list_query(request, SETPAY_SETTLEMENT_LIST_MAX, limit, &cursor, NULL,
                                    NULL))
        return false;
    if (cursor != NULL && setpay_settlement_cursor_parse(cursor, number) != SETPAY_OK)
        return refuse_cursor(request);
    return true;
}

/* ------------------------------------------------------------------ the list */

struct list {
    const struct setpay_payment_port *port;
    int64_t before;
    size_t limit;
    json_t *page;
};

static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct list *list = arg;
    return setpay_settlement_page_read(db, list->port, list->before, list->limit, &list->page);
}

void setpay_api_on_settlement_list(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    struct list list = {.port = api->options.port, .before = INT64_MAX};
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK ||
        !read_page(request, &list.limit, &list.before))
        return;
    enum setpay_error error = setpay_store_read(api->reader, read_list, &list);
    setpay_api_reply_read(request, error, list.page, NO_SUCH);
}

/* ------------------------------------------------------------------ one */

struct one {
    const struct setpay_payment_port *port;
    struct setpay_id id;
    int64_t after;
    size_t limit;
    json_t *json;
};

static enum setpay_error read_one(struct setpay_db *db, void *arg)
{
    struct one *one = arg;
    return setpay_settlement_find_read(db, one->port, &one->id, &one->json);
}

static enum setpay_error read_rows(struct setpay_db *db, void *arg)
{
    struct one *one = arg;
    return setpay_settlement_rows_read(db, one->port, &one->id, one->after, one->limit, &one->json);
}

/* What is no id names nothing. */
static enum setpay_error read_if_id(struct setpay_api *api, struct setpay_http_request *request,
                                    enum setpay_error (*read)(struct setpay_db *db, void *arg),
                                    struct one *one)
{
    if (setpay_id_parse(setpay_http_request_param(request, "id"), &one->id) != SETPAY_OK)
        return SETPAY_E_NOT_FOUND;
    return setpay_store_read(api->reader, read, one);
}

void setpay_api_on_settlement_show(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    struct one one = {.port = api->options.port};
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return;
    enum setpay_error error = read_if_id(api, request, read_one, &one);
    setpay_api_reply_read(request, error, one.json, NO_SUCH);
}

void setpay_api_on_settlement_rows(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    struct one one = {.port = api->options.port};
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK ||
        !read_page(request, &one.limit, &one.after))
        return;
    enum setpay_error error = read_if_id(api, request, read_rows, &one);
    setpay_api_reply_read(request, error, one.json, NO_SUCH);
}

/* ------------------------------------------------------------------ what differs */

struct differences {
    const struct setpay_payment_port *port;
    struct setpay_settlement_differences wanted;
    json_t *page;
};

static enum setpay_error read_differences(struct setpay_db *db, void *arg)
{
    struct differences *d = arg;
    return setpay_settlement_differences_read(db, d->port, &d->wanted, &d->page);
}

/* A day, from its begin in UTC on. False: the request has been answered. */
static bool read_since(struct setpay_http_request *request, const char *since,
                       setpay_time_ms *since_ms)
{
    struct setpay_date date;
    if (since == NULL)
        return true;
    if (setpay_date_parse(since, &date) == SETPAY_OK) {
        *since_ms = setpay_date_start_ms(&date);
        return true;
    }
    setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, "since",
                             "since: expected a date YYYY-MM-DD");
    return false;
}

void setpay_api_on_settlement_differences(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    const char *since = NULL;
    struct differences d = {
        .port = api->options.port,
        .wanted = {.limit = SETPAY_SETTLEMENT_LIST_DEFAULT,
                   .closed_before_ms =
                       setpay_clock_now_ms() - SETPAY_UNSETTLED_DAYS * SETPAY_DAY_MS},
    };
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK ||
        !setpay_api_read_list_query(request, SETPAY_SETTLEMENT_LIST_MAX, &d.wanted.limit,
                                    &d.wanted.cursor, "since", &since) ||
        !read_since(request, since, &d.wanted.closed_since_ms))
        return;
    enum setpay_error error = setpay_store_read(api->reader, read_differences, &d);
    if (error == SETPAY_E_INVALID)
        (void)refuse_cursor(request);
    else
        setpay_api_reply_read(request, error, d.page, "");
}
