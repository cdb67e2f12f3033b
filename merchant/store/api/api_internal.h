/*
 * Inside of the merchant API, shared by its files; nobody else includes it.
 */
#ifndef SETPAY_MERCHANT_API_INTERNAL_H
#define SETPAY_MERCHANT_API_INTERNAL_H

#include "merchant/store/api/api.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/api/problem.h"
#include "merchant/store/order.h"
#include "merchant/store/order_action.h"
#include "merchant/store/order_request.h"
#include "merchant/store/order_step.h"
#include "merchant/store/quote.h"

#include <jansson.h>
#include <stdbool.h>

#define SETPAY_API_PREFIX "/api/v1"

/* Each is a note of one operation (SETPAY_LIMIT_STORE_NOTES). */
#define SETPAY_API_BATCHES_AT_ONCE 16
#define SETPAY_API_ASKED_SIZE 32 /* of each, in the mark of a call */

struct setpay_api_call;

struct setpay_api {
    struct setpay_api_options options;
    struct setpay_executor executor;
    struct setpay_reader *reader;
    struct setpay_http_server *server;
    struct setpay_watcher *watcher;
    struct setpay_id owner;        /* of this run, for marks */
    struct setpay_api_call *calls; /* list: every POST under way */
    bool draining;
    bool server_drained;
    void (*drained_cb)(void *arg);
    void *drained_arg;
};

struct setpay_api_shop_call; /* shop.c */

/* One request that changes something, from its body to its reply. */
struct setpay_api_call {
    struct setpay_api *api;
    struct setpay_api_call *previous, *next;
    struct setpay_http_request *request;
    bool keyed; /* a POST */
    struct setpay_idempotency idempotency;
    setpay_time_ms now_ms;
    struct setpay_api_answer answer;
    bool replayed;
    bool running; /* an operation is queued */

    /* Makes the effect and the answer, once the key was found to be new. */
    enum setpay_error (*effect)(struct setpay_db *db, struct setpay_api_call *call);
    /* Replies for an error of the effect, which has undone it; NULL: in general words. */
    void (*refuse)(struct setpay_api_call *call, enum setpay_error error);
    struct setpay_api_shop_call *shop; /* owned; of shop.c's calls */
    struct setpay_json_fault fault;    /* of an order that can't be made */
    struct setpay_quote_short shortage;
    struct setpay_order order; /* POST /orders */
    enum setpay_order_action action;
    char order_id[SETPAY_ORDER_ID_SIZE];
    enum setpay_order_step_action step_action; /* capture, refund, undo */
    struct setpay_step_request step;
    int64_t first_step, last_step;         /* that were asked for; 0: none */
    char brand[SETPAY_WIRE_BRAND_MAX + 1]; /* POST /batches/close; "": all */
    void *data;                            /* of another effect; freed by free_cb with the call */
    void (*free_cb)(void *data);

    /* Where the answer waits for the gateway. What an operation writes, the loop reads only when it
     * is done: so it is the timer, and not waiting, that says to the loop that the call waits, and
     * xid is written before there is one. */
    bool waiting; /* the operation's, once the call has been submitted */
    bool is_last; /* for the operation: it answers whatever it finds */
    /* Inside an operation, for a call that waits: makes and keeps the answer once there is one,
     * clears waiting then. */
    enum setpay_error (*finish)(struct setpay_db *db, struct setpay_api_call *call);
    /* What a mark keeps of a call that moves money, so that the same request again asks for
     * nothing: the effect writes it, resume reads it into the call, which then waits. */
    uint8_t asked[SETPAY_API_BATCHES_AT_ONCE * SETPAY_API_ASKED_SIZE];
    size_t asked_size;
    enum setpay_error (*resume)(struct setpay_api_call *call, struct setpay_view asked);
    struct setpay_id xid;                               /* of the purchase */
    struct setpay_id names[SETPAY_API_BATCHES_AT_ONCE]; /* or of batches */
    size_t name_count;
    bool again;  /* something was told while the operation ran */
    bool forced; /* the wait is over */
    unsigned failures;
    struct setpay_timer *timer; /* NULL until the first operation has said that it waits */
};

/* ---- authorise.c */

/* The token that the request shows, whose scopes cover it. Otherwise the request has been answered:
 * SETPAY_E_PERMISSION. */
enum setpay_error setpay_api_authorise(struct setpay_api *api, struct setpay_http_request *request,
                                       struct setpay_digest *token) SETPAY_MUST_CHECK;
/* ---- reply.c */

/* Ends the request with the answer, which is cleared. */
void setpay_api_reply(struct setpay_http_request *request, struct setpay_api_answer *answer,
                      bool replayed);
void setpay_api_reply_problem(struct setpay_http_request *request, enum setpay_api_problem problem,
                              const char *field, const char *detail);
/* For an error of store or memory. */
void setpay_api_reply_error(struct setpay_http_request *request, enum setpay_error error);
/* Makes the answer of this status, from json, which is taken and may be NULL: no memory. */
enum setpay_error setpay_api_answer_json(struct setpay_api_answer *answer, int status,
                                         json_t *json) SETPAY_MUST_CHECK;
/* A GET's, whose read ended with error; json is taken. what: "there is no such webhook". */
void setpay_api_reply_read(struct setpay_http_request *request, enum setpay_error error,
                           json_t *json, const char *what);
/* For a member of a body that is not valid. */
void setpay_api_reply_fault(struct setpay_http_request *request,
                            const struct setpay_json_fault *fault);
/* The query of a list: limit (1 to max) and cursor into *cursor (borrowed; NULL: none), and where
 * other is not NULL one more parameter of that name. False: the request has been answered. */
bool setpay_api_read_list_query(struct setpay_http_request *request, size_t max, size_t *limit,
                                const char **cursor, const char *other, const char **value);
/* ---- api.c */

/* Authorises, checks the key, reads the body (empty where empty_allowed counts as {}): owned *body
 * and a call, which the caller fills and submits. Otherwise the request has been answered: NULL. */
struct setpay_api_call *setpay_api_call_new(struct setpay_api *api,
                                            struct setpay_http_request *request, bool empty_allowed,
                                            json_t **body);
/* The same; where not keyed, without an Idempotency-Key, which only a POST has. */
struct setpay_api_call *setpay_api_call_begin(struct setpay_api *api,
                                              struct setpay_http_request *request, bool keyed,
                                              bool empty_allowed, json_t **body);
/* Runs the effect behind the key's look-up, and replies. */
void setpay_api_call_submit(struct setpay_api_call *call);
void setpay_api_call_free(struct setpay_api_call *call);

/* ---- shop.c */

/* Whether the body is a picture for a product; as JSON, NULL after a reply. */
bool setpay_api_is_picture(struct setpay_http_request *request);
json_t *setpay_api_read_picture(struct setpay_http_request *request);
/* NULL-safe. */
void setpay_api_shop_call_free(struct setpay_api_shop_call *shop);
/* ---- events.c */

setpay_http_handler_fn setpay_api_on_event_list;
setpay_http_handler_fn setpay_api_on_event_show;

/* ---- webhooks.c */

setpay_http_handler_fn setpay_api_on_webhook_create;
setpay_http_handler_fn setpay_api_on_webhook_list;
setpay_http_handler_fn setpay_api_on_webhook_show;
setpay_http_handler_fn setpay_api_on_webhook_change;
setpay_http_handler_fn setpay_api_on_webhook_delete;
setpay_http_handler_fn setpay_api_on_webhook_rotate;
setpay_http_handler_fn setpay_api_on_webhook_test;
setpay_http_handler_fn setpay_api_on_delivery_list;
setpay_http_handler_fn setpay_api_on_delivery_again;

/* ---- orders.c */

setpay_http_handler_fn setpay_api_on_order_create;
setpay_http_handler_fn setpay_api_on_order_list;
setpay_http_handler_fn setpay_api_on_order_show;
setpay_http_handler_fn setpay_api_on_order_void;
setpay_http_handler_fn setpay_api_on_order_cancel;
/* The answer from an order; takes nothing. */
enum setpay_error setpay_api_answer_order(struct setpay_api_answer *answer, int status,
                                          const struct setpay_order_view *view,
                                          const struct setpay_order_links *links) SETPAY_MUST_CHECK;
/* Inside an operation: keeps the answer of a call that waited; it waits no longer. */
enum setpay_error setpay_api_call_keep(struct setpay_db *db,
                                       struct setpay_api_call *call) SETPAY_MUST_CHECK;
/* True for what could be an order's name; others are not asked for. */
bool setpay_api_is_order_id(const char *text);
/* Refuses a member of the body, and ends the call. */
void setpay_api_refuse_field(struct setpay_api_call *call, const struct setpay_json_fault *fault);

/* ---- steps.c */

setpay_http_handler_fn setpay_api_on_order_capture;
setpay_http_handler_fn setpay_api_on_order_authorise;
setpay_http_handler_fn setpay_api_on_order_end;
setpay_http_handler_fn setpay_api_on_order_refund;
setpay_http_handler_fn setpay_api_on_order_ship;
setpay_http_handler_fn setpay_api_on_order_undo;
/* A step of the order's money, asked for by a body of which it takes ownership; the call
 * goes on by itself, or is refused and freed. */
void setpay_api_begin_step(struct setpay_http_request *request, struct setpay_api_call *call,
                           enum setpay_order_step_action action, json_t *body);

/* What came of steps, in an answer: the order, or the problem of the first that was refused. */
enum setpay_error setpay_api_answer_steps(struct setpay_api_answer *answer,
                                          const struct setpay_order_view *view, int64_t first_step,
                                          int64_t last_step, bool under_way,
                                          const struct setpay_order_links *links) SETPAY_MUST_CHECK;
/* The problem that an error of setpay_order_step is; returns the error where it is none. */
enum setpay_error
setpay_api_answer_step_error(struct setpay_api_answer *answer, enum setpay_order_step_action action,
                             const char *order_id, const struct setpay_step_request *step,
                             enum setpay_error error, const struct setpay_order_result *result,
                             int64_t left_minor) SETPAY_MUST_CHECK;

/* ---- captures.c */

setpay_http_handler_fn setpay_api_on_captures;

/* ---- batches.c */

setpay_http_handler_fn setpay_api_on_batch_close;
setpay_http_handler_fn setpay_api_on_batch_list;

/* ---- settlements.c */

setpay_http_handler_fn setpay_api_on_settlement_list;
setpay_http_handler_fn setpay_api_on_settlement_show;
setpay_http_handler_fn setpay_api_on_settlement_rows;
setpay_http_handler_fn setpay_api_on_settlement_differences;

#endif
