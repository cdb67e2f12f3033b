/*
 * The operator's commands. Each is a function of database, context and arguments; the rest of this
 * file carries it to the store and its result back to the socket.
 */
#include "merchant/commands.h"

#include "common/base/secret.h"
#include "common/net/control_json.h"
#include "common/net/daemon.h"
#include "common/net/evidence_json.h"
#include "merchant/agreement_commands.h"
#include "merchant/batch_export.h"
#include "merchant/forget_commands.h"
#include "merchant/owner_commands.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/port.h"
#include "merchant/settlement_commands.h"
#include "merchant/setup.h"
#include "merchant/shop_commands.h"
#include "merchant/step_commands.h"
#include "merchant/store/order_action.h"
#include "merchant/store/order_list.h"
#include "merchant/store/order_request.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/order_terms.h"
#include "merchant/store/part.h"
#include "merchant/store/quote.h"
#include "merchant/store/token.h"
#include "merchant/webhook_commands.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ orders */

static enum setpay_error order_json(const struct setpay_order_view *view,
                                    const struct setpay_merchant_context *context, json_t **result)
{
    *result = setpay_order_view_json(view, &context->links, true);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* The order as the API takes it: on a command line terms are a text. */
static enum setpay_error read_terms_text(const json_t *args, json_t **body)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)args);
    const json_t *terms = json_object_get(args, "terms");
    bool whole = copy != NULL;
    if (whole && json_is_string(terms))
        whole = json_object_set_new(copy, "terms",
                                    setpay_order_terms_of_text(json_string_value(terms))) == 0;
    if (!whole) {
        json_decref(copy);
        return SETPAY_E_NOMEM;
    }
    *body = copy;
    return SETPAY_OK;
}

static enum setpay_error order_create(struct setpay_db *db,
                                      const struct setpay_merchant_context *context,
                                      const json_t *args, json_t **result,
                                      struct setpay_problem *problem)
{
    struct setpay_order_view view = {.status = SETPAY_ORDER_STATUS_OPEN};
    struct setpay_json_fault fault = {.field = ""};
    struct setpay_quote_short shortage;
    json_t *body = NULL;
    enum setpay_error error = read_terms_text(args, &body);
    if (error == SETPAY_OK)
        error = setpay_order_request_parse(body, context->now_ms, &view.order, &fault);
    json_decref(body);
    if (error == SETPAY_OK)
        error = setpay_order_name(&view.order);
    if (error == SETPAY_OK)
        error =
            setpay_quote_make(db, &context->shop, &view.order, context->now_ms, &fault, &shortage);
    if (error == SETPAY_OK)
        error = setpay_order_terms_complete(&view.order, &fault);
    if (error != SETPAY_OK && fault.words[0] != '\0')
        error = setpay_problem_set(problem, error == SETPAY_E_STATE ? error : SETPAY_E_USAGE,
                                   "%s: %s", fault.field, fault.words);
    if (error == SETPAY_OK)
        error = setpay_order_insert(db, &view.order);
    if (error == SETPAY_OK)
        error = setpay_order_tell(db, context->port, view.order.order_id, context->now_ms);
    if (error == SETPAY_OK)
        error = setpay_parts_find(db, &view, &view.parts);
    if (error == SETPAY_OK)
        error = order_json(&view, context, result);
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error order_list(struct setpay_db *db,
                                    const struct setpay_merchant_context *context,
                                    const json_t *args, json_t **result,
                                    struct setpay_problem *problem)
{
    static const char *const names[] = {"limit", "cursor", "status", NULL};
    struct setpay_order_list wanted = {.port = context->port,
                                       .links = &context->links,
                                       .now_ms = context->now_ms,
                                       .before_seq = INT64_MAX};
    const char *cursor = NULL;
    const char *status = NULL;
    int64_t limit = SETPAY_ORDER_LIST_DEFAULT;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "limit", false, 1, SETPAY_ORDER_LIST_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "cursor", false, &cursor, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "status", false, &status, problem));
    wanted.limit = (size_t)limit;
    if (cursor != NULL && setpay_order_cursor_parse(cursor, &wanted.before_seq) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "cursor: expected the next_cursor of a list, unchanged");
    wanted.has_status = status != NULL;
    if (status != NULL && setpay_order_status_parse(status, &wanted.status) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "status: found '%.32s'; expected open, paying, authorised,"
                                  " partially_captured, captured, partially_refunded, refunded,"
                                  " declined, voided, cancelled or expired",
                                  status);
    return setpay_order_list_read(db, &wanted, result);
}

/* The one argument of a command that is about one thing. */
static enum setpay_error only_text(const json_t *args, const char *name, const char **value,
                                   struct setpay_problem *problem)
{
    const char *const names[] = {name, NULL};
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    return setpay_json_arg_text(args, name, true, value, problem);
}

static enum setpay_error no_order(const char *order_id, struct setpay_problem *problem)
{
    return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                              "there is no order '%.40s' (see `setpay-merchant order list`)",
                              order_id);
}

static enum setpay_error order_show(struct setpay_db *db,
                                    const struct setpay_merchant_context *context,
                                    const json_t *args, json_t **result,
                                    struct setpay_problem *problem)
{
    struct setpay_order_view view = {.payments = NULL};
    const char *order_id = NULL;
    SETPAY_TRY(only_text(args, "order_id", &order_id, problem));
    enum setpay_error error =
        setpay_order_view_find(db, context->port, order_id, context->now_ms, &view);
    if (error == SETPAY_E_NOT_FOUND)
        return no_order(order_id, problem);
    if (error == SETPAY_OK)
        error = order_json(&view, context, result);
    setpay_order_view_clear(&view);
    return error;
}

/* {"order":{…},"under_way":bool} */
static enum setpay_error order_act(struct setpay_db *db,
                                   const struct setpay_merchant_context *context,
                                   enum setpay_order_action action, const json_t *args,
                                   json_t **result, struct setpay_problem *problem)
{
    struct setpay_order_result done = {.under_way = false};
    const char *order_id = NULL;
    json_t *order = NULL;
    char words[256];
    SETPAY_TRY(only_text(args, "order_id", &order_id, problem));
    enum setpay_error error = setpay_order_act(db, context->port, action, order_id,
                                               context->daemon_runs, context->now_ms, &done);
    if (error == SETPAY_E_NOT_FOUND) {
        error = no_order(order_id, problem);
    } else if (error == SETPAY_E_STATE) {
        setpay_order_act_explain(action, &done.view, words, sizeof words);
        error = setpay_problem_set(problem, error, "%s", words);
    } else if (error == SETPAY_E_DRAINING) {
        error = setpay_problem_set(problem, SETPAY_E_UNREACHABLE,
                                   "the gateway has to be asked, and setpay-merchantd is stopped;"
                                   " nothing was changed: start it and repeat");
    }
    if (error == SETPAY_OK)
        error = order_json(&done.view, context, &order);
    if (error == SETPAY_OK) {
        *result = json_pack("{s:o, s:b}", "order", order, "under_way", done.under_way);
        error = *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    setpay_order_view_clear(&done.view);
    return error;
}

static enum setpay_error order_void(struct setpay_db *db,
                                    const struct setpay_merchant_context *context,
                                    const json_t *args, json_t **result,
                                    struct setpay_problem *problem)
{
    if (json_object_get(args, "amount") != NULL)
        return setpay_merchant_command_give_up(db, context, args, result, problem);
    return order_act(db, context, SETPAY_ORDER_VOID, args, result, problem);
}

static enum setpay_error order_end(struct setpay_db *db,
                                   const struct setpay_merchant_context *context,
                                   const json_t *args, json_t **result,
                                   struct setpay_problem *problem)
{
    return order_act(db, context, SETPAY_ORDER_END_AGREEMENT, args, result, problem);
}

static enum setpay_error order_cancel(struct setpay_db *db,
                                      const struct setpay_merchant_context *context,
                                      const json_t *args, json_t **result,
                                      struct setpay_problem *problem)
{
    return order_act(db, context, SETPAY_ORDER_CANCEL, args, result, problem);
}

/* ------------------------------------------------------------------ tokens */

/* What the arguments say of a new token. */
static enum setpay_error read_token(const json_t *args, setpay_time_ms now_ms,
                                    struct setpay_token *token, struct setpay_problem *problem)
{
    static const char *const names[] = {"name", "scopes", "expires_in", NULL};
    const char *name = NULL;
    const char *scopes = "all";
    int64_t expires_in_s = 0;
    char wrong[32];
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "name", true, &name, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "scopes", false, &scopes, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "expires_in", false, SETPAY_TOKEN_LIFE_MIN_MS / SETPAY_SECOND_MS,
                            SETPAY_TOKEN_LIFE_MAX_MS / SETPAY_SECOND_MS, &expires_in_s, problem));
    if (setpay_scopes_parse(scopes, &token->scopes, wrong) != SETPAY_OK)
        return setpay_problem_set(
            problem, SETPAY_E_USAGE,
            "scope: found '%s'; expected all, or of orders:read, orders:write,"
            " payments:write, refunds:write, batches:read, batches:write, products:read,"
            " products:write, events:read, webhooks:read, webhooks:write, settlements:read those"
            " that are needed, with commas between",
            wrong);
    if (strlen(name) > SETPAY_TOKEN_NAME_BYTES)
        name = ""; /* is none */
    memcpy(token->name, name, strlen(name) + 1);
    token->created_ms = now_ms;
    token->expires_ms = expires_in_s == 0 ? 0 : now_ms + expires_in_s * SETPAY_SECOND_MS;
    return SETPAY_OK;
}

static enum setpay_error token_add(struct setpay_db *db,
                                   const struct setpay_merchant_context *context,
                                   const json_t *args, json_t **result,
                                   struct setpay_problem *problem)
{
    char text[SETPAY_TOKEN_SIZE];
    char scopes[SETPAY_SCOPES_TEXT_SIZE];
    char expires[SETPAY_TIME_TEXT_SIZE];
    struct setpay_token token = {.name = ""};
    SETPAY_TRY(read_token(args, context->now_ms, &token, problem));
    const char *name = json_string_value(json_object_get(args, "name"));
    enum setpay_error error = setpay_token_make(text, &token.hash);
    if (error == SETPAY_OK)
        error = setpay_token_add(db, &token);
    if (error == SETPAY_E_INVALID)
        error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                   "name: found '%.70s'; expected 1 to %d of letters, digits, '.',"
                                   " '_' and '-'",
                                   name, SETPAY_TOKEN_NAME_BYTES);
    else if (error == SETPAY_E_EXISTS)
        error = setpay_problem_set(problem, error,
                                   "there is a token named '%s'; take another name, or remove that"
                                   " one first",
                                   name);
    else if (error == SETPAY_E_TOO_BIG)
        error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                   "there are %d tokens, as many as are kept; remove one first",
                                   SETPAY_TOKENS_MAX);
    if (error == SETPAY_OK) {
        *result =
            json_pack("{s:s, s:s, s:s, s:s?}", "name", name, "token", text, "scopes",
                      setpay_scopes_format(token.scopes, scopes), "expires",
                      token.expires_ms == 0 ? NULL : setpay_time_format(token.expires_ms, expires));
        error = *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    setpay_cleanse(text, sizeof text);
    return error;
}

static enum setpay_error token_list(struct setpay_db *db,
                                    const struct setpay_merchant_context *context,
                                    const json_t *args, json_t **result,
                                    struct setpay_problem *problem)
{
    static const char *const none[] = {NULL};
    json_t *list = NULL;
    (void)context;
    SETPAY_TRY(setpay_json_args_check(args, none, problem));
    SETPAY_TRY(setpay_token_list(db, &list));
    *result = json_pack("{s:o}", "tokens", list);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error token_remove(struct setpay_db *db,
                                      const struct setpay_merchant_context *context,
                                      const json_t *args, json_t **result,
                                      struct setpay_problem *problem)
{
    const char *name = NULL;
    (void)context;
    SETPAY_TRY(only_text(args, "name", &name, problem));
    enum setpay_error error = setpay_token_remove(db, name);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "there is no token named '%.70s' (see `setpay-merchant token"
                                  " list`)",
                                  name);
    SETPAY_TRY(error);
    *result = json_pack("{s:s, s:b}", "name", name, "removed", 1);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* ------------------------------------------------------------------ purchases */

#define PURCHASES_DEFAULT 20
#define PURCHASES_MAX 100

static json_t *purchase_json(const struct setpay_merchant_purchase *purchase,
                             const char *merchant_id)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    char pomd[SETPAY_DIGEST_TEXT_SIZE];
    char oimd[SETPAY_DIGEST_TEXT_SIZE];
    char text[SETPAY_MONEY_TEXT_SIZE];
    char created[SETPAY_TIME_TEXT_SIZE];
    char decided[SETPAY_TIME_TEXT_SIZE];
    char hold[SETPAY_TIME_TEXT_SIZE];
    bool is_decided = purchase->decided_ms != 0;
    bool has_hold = purchase->hold_expiry_ms != 0;
    return json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?}", "xid",
        setpay_id_format(&purchase->xid, xid), "status",
        setpay_purchase_state_name(purchase->state), "amount", (json_int_t)purchase->amount.minor,
        "currency", purchase->amount.currency, "amount_text",
        setpay_money_format(&purchase->amount, text), "approved_amount",
        (json_int_t)purchase->approved_minor, "order_id", purchase->order_id, "brand",
        purchase->brand, "merchant_id", merchant_id, "approval_code", purchase->approval_code,
        "action_code", purchase->action_code, "pomd", setpay_digest_format(&purchase->pomd, pomd),
        "oimd", setpay_digest_format(&purchase->oimd, oimd), "created",
        setpay_time_format(purchase->created_ms, created), "decided",
        is_decided ? setpay_time_format(purchase->decided_ms, decided) : NULL, "hold_expires",
        has_hold ? setpay_time_format(purchase->hold_expiry_ms, hold) : NULL);
}

struct purchase_page {
    const char *merchant_id;
    json_t *list;
    int64_t last_id;
};

static enum setpay_error add_purchase(void *arg, const struct setpay_merchant_purchase *purchase)
{
    struct purchase_page *page = arg;
    page->last_id = purchase->id;
    return json_array_append_new(page->list, purchase_json(purchase, page->merchant_id)) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

/* {"purchases":[…],"next_cursor"}: the cursor is null where a page was not full. */
static enum setpay_error purchase_list(struct setpay_db *db,
                                       const struct setpay_merchant_context *context,
                                       const json_t *args, json_t **result,
                                       struct setpay_problem *problem)
{
    static const char *const names[] = {"limit", "cursor", NULL};
    int64_t limit = PURCHASES_DEFAULT;
    int64_t before = INT64_MAX;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, PURCHASES_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "cursor", false, 1, INT64_MAX, &before, problem));
    struct purchase_page page = {.merchant_id = context->merchant_id, .list = json_array()};
    enum setpay_error error =
        page.list == NULL
            ? SETPAY_E_NOMEM
            : setpay_merchant_purchase_each_before(db, before, limit, add_purchase, &page);
    if (error == SETPAY_OK) {
        bool full = json_array_size(page.list) == (size_t)limit;
        *result = json_pack("{s:O, s:o}", "purchases", page.list, "next_cursor",
                            full ? json_integer(page.last_id) : json_null());
        error = *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(page.list);
    return error;
}

static enum setpay_error find_purchase(struct setpay_db *db, const json_t *args,
                                       struct setpay_merchant_purchase *purchase,
                                       struct setpay_problem *problem)
{
    struct setpay_id xid;
    const char *text = NULL;
    SETPAY_TRY(only_text(args, "xid", &text, problem));
    if (setpay_id_parse(text, &xid) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "xid: found '%.40s'; expected 32 hexadecimal digits", text);
    enum setpay_error error = setpay_merchant_purchase_find(db, &xid, purchase);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(
            problem, error, "there is no purchase %s (see `setpay-merchant purchase list`)", text);
    return error;
}

static enum setpay_error purchase_show(struct setpay_db *db,
                                       const struct setpay_merchant_context *context,
                                       const json_t *args, json_t **result,
                                       struct setpay_problem *problem)
{
    struct setpay_merchant_purchase purchase;
    SETPAY_TRY(find_purchase(db, args, &purchase, problem));
    *result = purchase_json(&purchase, context->merchant_id);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* The offer, which is ours, and what cardholder and gateway have signed for it. */
static enum setpay_error add_evidence(struct setpay_db *db,
                                      const struct setpay_merchant_purchase *purchase, json_t *file)
{
    struct setpay_merchant_offer offer = {0};
    setpay_merchant_offer_init(&offer);
    enum setpay_error error = setpay_merchant_offer_find(db, &purchase->xid, &offer);
    if (error == SETPAY_OK)
        error = setpay_evidence_json_add(file, "PInitRes", setpay_buffer_view(&offer.content),
                                         SETPAY_VIEW_EMPTY, SETPAY_VIEW_EMPTY);
    setpay_merchant_offer_clear(&offer);
    return error == SETPAY_OK ? setpay_evidence_json_add_kept(file, db, purchase->id) : error;
}

static enum setpay_error purchase_evidence(struct setpay_db *db,
                                           const struct setpay_merchant_context *context,
                                           const json_t *args, json_t **result,
                                           struct setpay_problem *problem)
{
    struct setpay_merchant_purchase purchase;
    (void)context;
    SETPAY_TRY(find_purchase(db, args, &purchase, problem));
    json_t *file = setpay_evidence_json_new("merchant", &purchase.xid, &purchase.pomd);
    enum setpay_error error = file == NULL ? SETPAY_E_NOMEM : add_evidence(db, &purchase, file);
    if (error != SETPAY_OK) {
        json_decref(file);
        return error;
    }
    *result = file;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ from and to the socket */

static const struct setpay_merchant_command commands[] = {
    {"order.create", true, order_create},
    {"order.list", false, order_list},
    {"order.show", false, order_show},
    {"order.authorise", true, setpay_merchant_command_authorise},
    {"order.end", true, order_end},
    {"agreement.list", false, setpay_merchant_command_agreement_list},
    {"order.void", true, order_void},
    {"order.cancel", true, order_cancel},
    {"order.forget", true, setpay_merchant_command_forget},
    {"order.capture", true, setpay_merchant_command_capture},
    {"order.refund", true, setpay_merchant_command_refund},
    {"order.ship", true, setpay_merchant_command_ship},
    {"order.undo", true, setpay_merchant_command_undo},
    {"batch.list", false, setpay_merchant_command_batch_list},
    {"batch.show", false, setpay_merchant_command_batch_show},
    {"batch.close", true, setpay_merchant_command_batch_close},
    {"batch.items", false, setpay_merchant_command_batch_items},
    {"batch.evidence", false, setpay_merchant_command_batch_evidence},
    {"settlement.import", true, setpay_merchant_command_settlement_import},
    {"settlement.accept", true, setpay_merchant_command_settlement_accept},
    {"settlement.forget", true, setpay_merchant_command_settlement_forget},
    {"settlement.list", false, setpay_merchant_command_settlement_list},
    {"settlement.show", false, setpay_merchant_command_settlement_show},
    {"settlement.rows", false, setpay_merchant_command_settlement_rows},
    {"settlement.differences", false, setpay_merchant_command_settlement_differences},
    {"token.add", true, token_add},
    {"token.list", false, token_list},
    {"token.remove", true, token_remove},
    {"owner.add", true, setpay_merchant_owner_add},
    {"owner.passwd", true, setpay_merchant_owner_passwd},
    {"owner.list", false, setpay_merchant_owner_list},
    {"owner.remove", true, setpay_merchant_owner_remove},
    {"webhook.add", true, setpay_merchant_webhook_add},
    {"webhook.list", false, setpay_merchant_webhook_list},
    {"webhook.enable", true, setpay_merchant_webhook_enable},
    {"webhook.disable", true, setpay_merchant_webhook_disable},
    {"webhook.rotate", true, setpay_merchant_webhook_rotate},
    {"webhook.remove", true, setpay_merchant_webhook_remove},
    {"webhook.test", true, setpay_merchant_webhook_test},
    {"webhook.deliveries", false, setpay_merchant_webhook_deliveries},
    {"webhook.redeliver", true, setpay_merchant_webhook_redeliver},
    {"event.list", false, setpay_merchant_event_list},
    {"purchase.list", false, purchase_list},
    {"purchase.show", false, purchase_show},
    {"purchase.evidence", false, purchase_evidence},
};

const struct setpay_merchant_command *setpay_merchant_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return setpay_merchant_shop_command_find(name);
}

void setpay_merchant_command_log(const struct setpay_merchant_command *command,
                                 const json_t *result)
{
    if (command->run == setpay_merchant_command_settlement_forget)
        setpay_merchant_log_settlement_forgotten(result);
}

struct setpay_order_links setpay_merchant_order_links(const struct setpay_config *config)
{
    return (struct setpay_order_links){.public_host = setpay_config_text(config, "", "public_host"),
                                       .shop_url = setpay_config_text(config, "", "shop_url")};
}

struct setpay_merchant_context setpay_merchant_context_of(const struct setpay_service *service,
                                                          bool daemon_runs)
{
    struct setpay_merchant_context context = {
        .port = &setpay_merchant_payment_port,
        .links = setpay_merchant_order_links(service->config),
        .merchant_id = setpay_config_text(service->config, "", "id"),
        .gateway_id = setpay_config_text(service->config, "", "gateway_id"),
        .shop = setpay_merchant_shop_settings(service->config),
        .daemon_runs = daemon_runs,
        .now_ms = setpay_clock_now_ms(),
    };
    size_t found = setpay_config_instance_count(service->config, "brand *");
    for (; context.brand_count < found && context.brand_count < SETPAY_MERCHANT_COMMAND_BRANDS_MAX;
         context.brand_count++)
        context.brands[context.brand_count] =
            setpay_config_instance(service->config, "brand *", context.brand_count);
    return context;
}

/* One command on its way through the store. Reads go that way too: the main thread has no reader of
 * its own, and operators ask seldom. */
struct running {
    struct setpay_control_call *call;
    const struct setpay_merchant_command *command;
    struct setpay_merchant_context context;
    struct setpay_executor executor;
    json_t *args;
    json_t *result;
    struct setpay_problem problem;
};

static enum setpay_error run_command(struct setpay_db *db, void *arg)
{
    struct running *running = arg;
    return running->command->run(db, &running->context, running->args, &running->result,
                                 &running->problem);
}

static void on_command_done(void *arg, enum setpay_error error)
{
    struct running *running = arg;
    if (error == SETPAY_OK) {
        setpay_merchant_command_log(running->command, running->result);
        setpay_control_reply(running->call, running->result);
    } else {
        json_decref(running->result);
        setpay_control_fail(running->call, error,
                            running->problem.text[0] != '\0' ? running->problem.text : NULL);
    }
    json_decref(running->args);
    free(running);
}

void setpay_merchant_command_start(struct setpay_control_call *call, const json_t *args,
                                   struct setpay_service *service, const char *name)
{
    struct running *running = calloc(1, sizeof *running);
    if (running == NULL) {
        setpay_control_fail(call, SETPAY_E_NOMEM, NULL);
        return;
    }
    running->call = call;
    running->command = setpay_merchant_command_find(name);
    running->context = setpay_merchant_context_of(service, true);
    running->executor = setpay_loop_executor(setpay_daemon_loop(service->daemon));
    running->args = json_deep_copy(args); /* the committer's thread counts its own references */
    enum setpay_error error =
        running->args == NULL ? SETPAY_E_NOMEM
                              : setpay_store_submit(service->store, run_command, on_command_done,
                                                    running, &running->executor);
    if (error != SETPAY_OK)
        on_command_done(running, error);
}

#define HANDLER(function, name)                                                                    \
    void function(struct setpay_control_call *call, const json_t *args, void *arg)                 \
    {                                                                                              \
        setpay_merchant_command_start(call, args, arg, name);                                      \
    }

HANDLER(setpay_merchant_on_order_create, "order.create")
HANDLER(setpay_merchant_on_order_list, "order.list")
HANDLER(setpay_merchant_on_order_show, "order.show")
HANDLER(setpay_merchant_on_order_void, "order.void")
HANDLER(setpay_merchant_on_order_cancel, "order.cancel")
HANDLER(setpay_merchant_on_order_forget, "order.forget")
HANDLER(setpay_merchant_on_order_authorise, "order.authorise")
HANDLER(setpay_merchant_on_order_end, "order.end")
HANDLER(setpay_merchant_on_agreement_list, "agreement.list")
HANDLER(setpay_merchant_on_order_capture, "order.capture")
HANDLER(setpay_merchant_on_order_refund, "order.refund")
HANDLER(setpay_merchant_on_order_ship, "order.ship")
HANDLER(setpay_merchant_on_order_undo, "order.undo")
HANDLER(setpay_merchant_on_batch_list, "batch.list")
HANDLER(setpay_merchant_on_batch_show, "batch.show")
HANDLER(setpay_merchant_on_batch_close, "batch.close")
HANDLER(setpay_merchant_on_batch_items, "batch.items")
HANDLER(setpay_merchant_on_batch_evidence, "batch.evidence")
HANDLER(setpay_merchant_on_settlement_import, "settlement.import")
HANDLER(setpay_merchant_on_settlement_accept, "settlement.accept")
HANDLER(setpay_merchant_on_settlement_forget, "settlement.forget")
HANDLER(setpay_merchant_on_settlement_list, "settlement.list")
HANDLER(setpay_merchant_on_settlement_show, "settlement.show")
HANDLER(setpay_merchant_on_settlement_rows, "settlement.rows")
HANDLER(setpay_merchant_on_settlement_differences, "settlement.differences")
HANDLER(setpay_merchant_on_token_add, "token.add")
HANDLER(setpay_merchant_on_token_list, "token.list")
HANDLER(setpay_merchant_on_token_remove, "token.remove")
HANDLER(setpay_merchant_on_owner_add, "owner.add")
HANDLER(setpay_merchant_on_owner_passwd, "owner.passwd")
HANDLER(setpay_merchant_on_owner_list, "owner.list")
HANDLER(setpay_merchant_on_owner_remove, "owner.remove")
HANDLER(setpay_merchant_on_webhook_add, "webhook.add")
HANDLER(setpay_merchant_on_webhook_list, "webhook.list")
HANDLER(setpay_merchant_on_webhook_enable, "webhook.enable")
HANDLER(setpay_merchant_on_webhook_disable, "webhook.disable")
HANDLER(setpay_merchant_on_webhook_rotate, "webhook.rotate")
HANDLER(setpay_merchant_on_webhook_remove, "webhook.remove")
HANDLER(setpay_merchant_on_webhook_test, "webhook.test")
HANDLER(setpay_merchant_on_webhook_deliveries, "webhook.deliveries")
HANDLER(setpay_merchant_on_webhook_redeliver, "webhook.redeliver")
HANDLER(setpay_merchant_on_event_list, "event.list")
HANDLER(setpay_merchant_on_purchase_list, "purchase.list")
HANDLER(setpay_merchant_on_purchase_show, "purchase.show")
HANDLER(setpay_merchant_on_purchase_evidence, "purchase.evidence")
