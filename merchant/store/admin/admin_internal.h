/*
 * Inside of the owner's pages, shared by their files; nobody else includes it.
 *
 * A page is a template (a row of pages.c) and a handler (a row of the routes in admin.c). A GET
 * begins a visit, reads, and replies. A POST begins a task, whose run is done in one operation, and
 * whose done replies: with a page that says what is wrong, or by going to the page that shows what
 * has changed.
 */
#ifndef SETPAY_MERCHANT_ADMIN_INTERNAL_H
#define SETPAY_MERCHANT_ADMIN_INTERNAL_H

#include "merchant/store/admin/admin.h"
#include "merchant/store/admin/kdf.h"
#include "merchant/store/admin/owner.h"
#include "merchant/store/order.h"
#include "merchant/store/order_request.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/www/form.h"
#include "merchant/store/www/guard.h"
#include "merchant/store/www/template.h"

#include <jansson.h>
#include <stdbool.h>

enum setpay_admin_page {
    SETPAY_ADMIN_SIGNIN,
    SETPAY_ADMIN_ORDERS,
    SETPAY_ADMIN_ORDER,
    SETPAY_ADMIN_PRODUCTS,
    SETPAY_ADMIN_PRODUCT,
    SETPAY_ADMIN_STOCK,
    SETPAY_ADMIN_STOCK_ONE,
    SETPAY_ADMIN_SHIPMENTS,
    SETPAY_ADMIN_WEBHOOKS,
    SETPAY_ADMIN_WEBHOOK,
    SETPAY_ADMIN_SETTLEMENTS,
    SETPAY_ADMIN_SETTLEMENT,
    SETPAY_ADMIN_ERROR,
    SETPAY_ADMIN_PAGES
};

struct setpay_admin {
    struct setpay_admin_options options;
    struct setpay_executor executor;
    struct setpay_reader *reader;
    struct setpay_http_server *server;
    struct setpay_kdf *kdf;
    struct setpay_template *templates[SETPAY_ADMIN_PAGES];
    size_t pending; /* operations and passwords under way */
    bool draining;
    bool server_drained;
    void (*drained_cb)(void *arg);
    void *drained_arg;
};

/* One more, one fewer thing under way; the last lets a drain end. */
void setpay_admin_begin_pending(struct setpay_admin *admin);
void setpay_admin_end_pending(struct setpay_admin *admin);

#define SETPAY_ADMIN_ID_SIZE SETPAY_BASE64URL_SIZE(32)

/* ---- visit.c: who asks */

struct setpay_admin_visit {
    char id[SETPAY_ADMIN_ID_SIZE]; /* secret: of the cookie */
    struct setpay_digest session;  /* by which the database knows it */
    char csrf[SETPAY_ADMIN_ID_SIZE];
    char name[SETPAY_OWNER_NAME_BYTES + 1]; /* who is signed in; "": nobody */
    bool stale;
    bool secure; /* the browser has come over TLS: to us, or to a proxy before us */
    char address[SETPAY_GUARD_ADDRESS_SIZE]; /* from where, also behind a proxy */
};

/* Whether the browser has come over TLS: to us, or to a proxy that is believed. */
bool setpay_admin_is_secure(const struct setpay_admin *admin,
                            const struct setpay_http_request *request);

/* Reads the cookie; without one that is well-formed the visit has a fresh id, and *is_new. */
enum setpay_error setpay_admin_visit_read(const struct setpay_http_request *request,
                                          const struct setpay_admin *admin,
                                          struct setpay_admin_visit *visit,
                                          bool *is_new) SETPAY_MUST_CHECK;
/* A fresh id. */
enum setpay_error setpay_admin_visit_renew(struct setpay_admin_visit *visit) SETPAY_MUST_CHECK;
/* Set-Cookie for it, into out (SETPAY_ADMIN_COOKIE_SIZE). end: the browser is to forget it. */
#define SETPAY_ADMIN_COOKIE_SIZE 192
const char *setpay_admin_cookie(const struct setpay_admin_visit *visit, bool end, char *out);
/* Who is signed in; otherwise the request has been answered: false. */
bool setpay_admin_visit_begin(struct setpay_admin *admin, struct setpay_http_request *request,
                              struct setpay_admin_visit *visit);
/* The form of a POST that has come from a page of ours; false: answered. Clear it after true. file:
 * where a form with a file is expected, what it has of one; NULL: a form without. */
bool setpay_admin_form_read(struct setpay_admin *admin, struct setpay_http_request *request,
                            const struct setpay_admin_visit *visit, struct setpay_form *form,
                            struct setpay_buffer *file);

/* ---- pages.c and reply.c */

/* What a browser is told that has come over TLS: not to come in the clear again. */
#define SETPAY_ADMIN_STAY_SECURE "Strict-Transport-Security", "max-age=63072000"

extern const struct setpay_template_source setpay_admin_sources[];
const char *setpay_admin_page_name(enum setpay_admin_page page);
/* Ends the request. values is taken (NULL: no memory). visit NULL: nobody is signed in. cookie:
 * Set-Cookie, NULL: none. */
void setpay_admin_reply(struct setpay_admin *admin, struct setpay_http_request *request,
                        const struct setpay_admin_visit *visit, int status,
                        enum setpay_admin_page page, const char *title, const char *cookie,
                        json_t *values);
void setpay_admin_reply_error(struct setpay_admin *admin, struct setpay_http_request *request,
                              int status, const char *words);
/* For an error of store or memory, logged. */
void setpay_admin_reply_failed(struct setpay_admin *admin, struct setpay_http_request *request,
                               enum setpay_error error);
/* 303 to a path of ours. */
void setpay_admin_go_to(struct setpay_http_request *request, const char *path, const char *cookie);
char *setpay_admin_error_page(int status, void *arg);
enum setpay_error setpay_admin_static_init(void) SETPAY_MUST_CHECK;
setpay_http_handler_fn setpay_admin_on_static;
/* "12.50 EUR"; "2026-11-26 15:00 UTC". NULL without memory. */
json_t *setpay_admin_money(int64_t minor, const char *currency);
json_t *setpay_admin_time(setpay_time_ms time_ms);
/* The lines of the label, a list; without an address an empty one. NULL without memory. */
json_t *setpay_admin_where(const struct setpay_ship_to *address);
/* "partially captured"; and how a badge of it looks: "good", "bad", "wait" or "". */
json_t *setpay_admin_status(const char *status);
const char *setpay_admin_status_look(const char *status);

/* ---- task.c: what changes something */

struct setpay_admin_task {
    struct setpay_admin *admin;
    struct setpay_http_request *request;
    struct setpay_admin_visit visit;
    struct setpay_form form;
    struct setpay_buffer file; /* of a form that has one */
    setpay_time_ms now_ms;
    char id[SETPAY_SHOP_MADE_SIZE]; /* an order's, a product's, a SKU */
    const char *act;                /* static: how the page is told what was done */
    char made[SETPAY_SHOP_MADE_SIZE];
    struct setpay_json_fault fault; /* what is wrong, for people */
    json_t *body;                   /* owned; of an act on the shop */
    void *data;                     /* owned */
    /* Inside the operation; on the loop, to reply. */
    enum setpay_error (*run)(struct setpay_db *db, struct setpay_admin_task *task);
    void (*done)(struct setpay_admin_task *task, enum setpay_error error);
};

/* Of who is signed in, with a form of ours. NULL: the request has been answered. */
struct setpay_admin_task *setpay_admin_task_new(struct setpay_admin *admin,
                                                struct setpay_http_request *request);
/* The same with a form that has a file of up to max bytes. */
struct setpay_admin_task *setpay_admin_task_new_upload(struct setpay_admin *admin,
                                                       struct setpay_http_request *request,
                                                       size_t max);
/* Runs it; done is called in any case, and the task is freed behind it. */
void setpay_admin_task_submit(struct setpay_admin_task *task);
/* Calls done with this error without an operation. */
void setpay_admin_task_refuse(struct setpay_admin_task *task, enum setpay_error error);
/* Whether the error has words for the person who sent the form. */
bool setpay_admin_is_refusal(enum setpay_error error);

/* ---- the handlers */

setpay_http_handler_fn setpay_admin_on_signin_page;
setpay_http_handler_fn setpay_admin_on_signin;
setpay_http_handler_fn setpay_admin_on_signout;
setpay_http_handler_fn setpay_admin_on_signout_everywhere;
setpay_http_handler_fn setpay_admin_on_orders;
setpay_http_handler_fn setpay_admin_on_order;
setpay_http_handler_fn setpay_admin_on_order_act;
setpay_http_handler_fn setpay_admin_on_products;
setpay_http_handler_fn setpay_admin_on_product;
setpay_http_handler_fn setpay_admin_on_product_add;
setpay_http_handler_fn setpay_admin_on_product_act;
setpay_http_handler_fn setpay_admin_on_picture;
setpay_http_handler_fn setpay_admin_on_picture_add;
setpay_http_handler_fn setpay_admin_on_picture_edit;
setpay_http_handler_fn setpay_admin_on_picture_remove;
setpay_http_handler_fn setpay_admin_on_shipments;
setpay_http_handler_fn setpay_admin_on_webhooks;
setpay_http_handler_fn setpay_admin_on_webhook;
setpay_http_handler_fn setpay_admin_on_redeliver;
setpay_http_handler_fn setpay_admin_on_settlements;
setpay_http_handler_fn setpay_admin_on_settlement;
setpay_http_handler_fn setpay_admin_on_stock;
setpay_http_handler_fn setpay_admin_on_stock_one;
setpay_http_handler_fn setpay_admin_on_stock_adjust;

/* The page of a product, likewise. */
void setpay_admin_reply_product(struct setpay_admin *admin, struct setpay_http_request *request,
                                const struct setpay_admin_visit *visit, const char *id, int status,
                                const char *wrong);
/* A form of a page that was refused: what was typed stands there again, with the reason beside its
 * field. */
struct setpay_admin_refused {
    const char *act; /* the last part of the address that it was sent to */
    const struct setpay_form *form;
    const struct setpay_json_fault *fault;
};
/* The page of an order, with what was wrong with what was asked for it (NULL: nothing), and with
 * the form that asked (NULL: its fields are as if nobody had typed). */
void setpay_admin_reply_order(struct setpay_admin *admin, struct setpay_http_request *request,
                              const struct setpay_admin_visit *visit, const char *order_id,
                              int status, const char *wrong,
                              const struct setpay_admin_refused *refused);

#endif
