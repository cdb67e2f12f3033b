/*
 * GET /events and /events/{id}.
 */
#include "merchant/store/api/api_internal.h"
#include "merchant/store/event.h"

#include <string.h>

struct list {
    struct setpay_event_list wanted;
    json_t *page;
};

static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct list *list = arg;
    return setpay_event_list_read(db, &list->wanted, &list->page);
}

void setpay_api_on_event_list(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    struct list list = {.wanted = {.limit = SETPAY_EVENT_LIST_DEFAULT}};
    const char *cursor = NULL;
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK ||
        !setpay_api_read_list_query(request, SETPAY_EVENT_LIST_MAX, &list.wanted.limit, &cursor,
                                    "type", &list.wanted.type))
        return;
    if (cursor != NULL && setpay_event_cursor_parse(cursor, &list.wanted.after_seq) != SETPAY_OK) {
        setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, "cursor",
                                 "cursor: expected the next_cursor of an answer, unchanged");
        return;
    }
    if (list.wanted.type != NULL && !setpay_event_type_is_known(list.wanted.type)) {
        setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, "type",
                                 "type: expected a type of events as order.authorised");
        return;
    }
    enum setpay_error error = setpay_store_read(api->reader, read_list, &list);
    setpay_api_reply_read(request, error, list.page, "");
}

struct show {
    const char *event_id;
    json_t *event;
};

static enum setpay_error read_show(struct setpay_db *db, void *arg)
{
    struct show *show = arg;
    return setpay_event_find(db, show->event_id, &show->event);
}

void setpay_api_on_event_show(struct setpay_http_request *request, void *arg)
{
    struct setpay_api *api = arg;
    struct setpay_digest token;
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return;
    struct show show = {.event_id = setpay_http_request_param(request, "id")};
    enum setpay_error error = setpay_store_read(api->reader, read_show, &show);
    setpay_api_reply_read(request, error, show.event,
                          "there is no such event; those older than 30 days are gone");
}
