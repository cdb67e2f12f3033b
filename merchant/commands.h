/*
 * The operator's commands: one implementation, called by the daemon for its administration socket,
 * and by setpay-merchant on the opened store when the daemon is stopped.
 */
#ifndef SETPAY_MERCHANT_COMMANDS_H
#define SETPAY_MERCHANT_COMMANDS_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/control_server.h"
#include "common/net/service.h"
#include "common/store/db.h"
#include "merchant/store/order_json.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/shop.h"

#include <jansson.h>
#include <stdbool.h>

#define SETPAY_MERCHANT_COMMAND_BRANDS_MAX 16 /* as many as a merchant may have */

/* What a command works with besides the database. */
struct setpay_merchant_context {
    const struct setpay_payment_port *port;
    struct setpay_order_links links;
    const char *merchant_id, *gateway_id;
    const char *brands[SETPAY_MERCHANT_COMMAND_BRANDS_MAX]; /* of the configuration */
    size_t brand_count;
    struct setpay_shop_settings shop;
    bool daemon_runs; /* the gateway can be asked */
    setpay_time_ms now_ms;
};

/* Inside an operation where the command writes, otherwise inside a read. args is an object. *result
 * is owned by the caller after SETPAY_OK; otherwise problem says what is wrong. */
typedef enum setpay_error setpay_merchant_command_fn(struct setpay_db *db,
                                                     const struct setpay_merchant_context *context,
                                                     const json_t *args, json_t **result,
                                                     struct setpay_problem *problem);

struct setpay_merchant_command {
    const char *name; /* "order.create" */
    bool writes;
    setpay_merchant_command_fn *run;
};

/* NULL where there is none by that name. */
const struct setpay_merchant_command *setpay_merchant_command_find(const char *name);
/* After its commit, with what it has answered: the log is told what it is to know of it. */
void setpay_merchant_command_log(const struct setpay_merchant_command *command,
                                 const json_t *result);
/* What pay links and pages of orders begin with: texts of the configuration. */
struct setpay_order_links setpay_merchant_order_links(const struct setpay_config *config);
/* The context of a service (its configuration has public_host and id). */
struct setpay_merchant_context setpay_merchant_context_of(const struct setpay_service *service,
                                                          bool daemon_runs);

/* Carries a command to the store, and its result back to the socket. */
void setpay_merchant_command_start(struct setpay_control_call *call, const json_t *args,
                                   struct setpay_service *service, const char *name);

/* Handlers for the daemon's table of commands; their arg is the service. */
setpay_control_handler_fn setpay_merchant_on_order_create;
setpay_control_handler_fn setpay_merchant_on_order_list;
setpay_control_handler_fn setpay_merchant_on_order_show;
setpay_control_handler_fn setpay_merchant_on_order_void;
setpay_control_handler_fn setpay_merchant_on_order_cancel;
setpay_control_handler_fn setpay_merchant_on_order_forget;
setpay_control_handler_fn setpay_merchant_on_order_capture;
setpay_control_handler_fn setpay_merchant_on_order_authorise;
setpay_control_handler_fn setpay_merchant_on_order_end;
setpay_control_handler_fn setpay_merchant_on_agreement_list;
setpay_control_handler_fn setpay_merchant_on_order_refund;
setpay_control_handler_fn setpay_merchant_on_order_ship;
setpay_control_handler_fn setpay_merchant_on_order_undo;
setpay_control_handler_fn setpay_merchant_on_batch_list;
setpay_control_handler_fn setpay_merchant_on_batch_show;
setpay_control_handler_fn setpay_merchant_on_batch_close;
setpay_control_handler_fn setpay_merchant_on_batch_items;
setpay_control_handler_fn setpay_merchant_on_batch_evidence;
setpay_control_handler_fn setpay_merchant_on_settlement_import;
setpay_control_handler_fn setpay_merchant_on_settlement_accept;
setpay_control_handler_fn setpay_merchant_on_settlement_forget;
setpay_control_handler_fn setpay_merchant_on_settlement_list;
setpay_control_handler_fn setpay_merchant_on_settlement_show;
setpay_control_handler_fn setpay_merchant_on_settlement_rows;
setpay_control_handler_fn setpay_merchant_on_settlement_differences;
setpay_control_handler_fn setpay_merchant_on_token_add;
setpay_control_handler_fn setpay_merchant_on_token_list;
setpay_control_handler_fn setpay_merchant_on_token_remove;
setpay_control_handler_fn setpay_merchant_on_owner_add;
setpay_control_handler_fn setpay_merchant_on_owner_passwd;
setpay_control_handler_fn setpay_merchant_on_owner_list;
setpay_control_handler_fn setpay_merchant_on_owner_remove;
setpay_control_handler_fn setpay_merchant_on_webhook_add;
setpay_control_handler_fn setpay_merchant_on_webhook_list;
setpay_control_handler_fn setpay_merchant_on_webhook_enable;
setpay_control_handler_fn setpay_merchant_on_webhook_disable;
setpay_control_handler_fn setpay_merchant_on_webhook_rotate;
setpay_control_handler_fn setpay_merchant_on_webhook_remove;
setpay_control_handler_fn setpay_merchant_on_webhook_test;
setpay_control_handler_fn setpay_merchant_on_webhook_deliveries;
setpay_control_handler_fn setpay_merchant_on_webhook_redeliver;
setpay_control_handler_fn setpay_merchant_on_event_list;
setpay_control_handler_fn setpay_merchant_on_purchase_list;
setpay_control_handler_fn setpay_merchant_on_purchase_show;
setpay_control_handler_fn setpay_merchant_on_purchase_evidence;

/* Their rows. */
/* clang-format off */
#define SETPAY_MERCHANT_CONTROL_COMMANDS                                                           \
    {"order.create", setpay_merchant_on_order_create, "make an order (members as POST /orders)"},  \
    {"order.list", setpay_merchant_on_order_list, "orders: limit, cursor, status"},                \
    {"order.show", setpay_merchant_on_order_show, "an order with its payments: order_id"},         \
    {"order.void", setpay_merchant_on_order_void, "give what is held of an order back: order_id, amount, currency"},     \
    {"order.cancel", setpay_merchant_on_order_cancel, "end an order without a hold: order_id"},    \
    {"order.forget", setpay_merchant_on_order_forget, "delete where it was sent to: order_id"},    \
    {"order.authorise", setpay_merchant_on_order_authorise,                                        \
     "another payment under an agreement: order_id, amount, currency"},                            \
    {"order.end", setpay_merchant_on_order_end, "ask for no more under it: order_id"},             \
    {"agreement.list", setpay_merchant_on_agreement_list, "agreements that go on: limit, cursor"}, \
    {"order.capture", setpay_merchant_on_order_capture,                                            \
     "take what is held: order_id, amount, currency; or captures, of several orders"},             \
    {"order.refund", setpay_merchant_on_order_refund,                                              \
     "give back what was captured: order_id; amount, currency, capture_id, or lines, of, restock"},    \
    {"order.ship", setpay_merchant_on_order_ship, "a part is sent: order_id, lines, carrier, tracking, tracking_url"},    \
    {"order.undo", setpay_merchant_on_order_undo, "undo a capture or refund: order_id, id"},       \
    {"batch.list", setpay_merchant_on_batch_list, "batches: limit, cursor"},                       \
    {"batch.show", setpay_merchant_on_batch_show, "a batch: batch, brand"},                        \
    {"batch.close", setpay_merchant_on_batch_close, "close what is open: brand"},                  \
    {"batch.items", setpay_merchant_on_batch_items,                                                \
     "what was captured and credited in it, with proofs: batch, brand, after"},                    \
    {"batch.evidence", setpay_merchant_on_batch_evidence,                                          \
     "what the gateway signed when it was closed: batch, brand, after"},                           \
    {"settlement.import", setpay_merchant_on_settlement_import,                                    \
     "read the gateway's file of settlements in: content"},                                        \
    {"settlement.accept", setpay_merchant_on_settlement_accept,                                    \
     "what differs in a row is looked at, and accepted: settlement_id, line, reason"},             \
    {"settlement.forget", setpay_merchant_on_settlement_forget,                                    \
     "take one back, as if it had never been read in: settlement_id, reason"},                     \
    {"settlement.list", setpay_merchant_on_settlement_list, "settlements: limit, cursor"},         \
    {"settlement.show", setpay_merchant_on_settlement_show, "a settlement: settlement_id"},        \
    {"settlement.rows", setpay_merchant_on_settlement_rows,                                        \
     "its rows: settlement_id, limit, cursor"},                                                    \
    {"settlement.differences", setpay_merchant_on_settlement_differences,                          \
     "what is not as it is known here: days, since, limit, cursor"},                                     \
    {"token.add", setpay_merchant_on_token_add, "a new token of the API: name, scopes"},           \
    {"token.list", setpay_merchant_on_token_list, "the names of the API's tokens"},                \
    {"token.remove", setpay_merchant_on_token_remove, "take a token of the API away: name"},       \
    {"owner.add", setpay_merchant_on_owner_add, "an account: name, password"},                     \
    {"owner.passwd", setpay_merchant_on_owner_passwd, "its password: name, password"},             \
    {"owner.list", setpay_merchant_on_owner_list, "who may sign in"},                              \
    {"owner.remove", setpay_merchant_on_owner_remove, "an account goes: name"},                    \
    {"webhook.add", setpay_merchant_on_webhook_add,                                                \
     "send events to an address: url, events, description"},                                       \
    {"webhook.list", setpay_merchant_on_webhook_list, "the webhooks"},                             \
    {"webhook.enable", setpay_merchant_on_webhook_enable, "send to it (again): webhook_id"},       \
    {"webhook.disable", setpay_merchant_on_webhook_disable, "send to it no longer: webhook_id"},   \
    {"webhook.rotate", setpay_merchant_on_webhook_rotate,                                          \
     "another secret; the old one is good for a day: webhook_id"},                                 \
    {"webhook.remove", setpay_merchant_on_webhook_remove, "forget it: webhook_id"},                \
    {"webhook.test", setpay_merchant_on_webhook_test,                                              \
     "send it an event of the type webhook.test: webhook_id"},                                     \
    {"webhook.deliveries", setpay_merchant_on_webhook_deliveries,                                  \
     "what was sent, and what came of it: webhook_id, limit, cursor"},                             \
    {"webhook.redeliver", setpay_merchant_on_webhook_redeliver,                                    \
     "send it once more: webhook_id, delivery_id"},                                                \
    {"event.list", setpay_merchant_on_event_list, "what happened: limit, cursor, type"},           \
    {"purchase.list", setpay_merchant_on_purchase_list, "purchases: limit, cursor"},               \
    {"purchase.show", setpay_merchant_on_purchase_show, "a purchase: xid"},                        \
    {"purchase.evidence", setpay_merchant_on_purchase_evidence, "what was signed for it: xid"}
/* clang-format on */

#endif
