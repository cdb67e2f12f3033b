/*
 * The operator's commands about what issuers paid, and about suspense.
 */
#include "gateway/commands.h"

#include "common/base/log.h"
#include "common/net/control_json.h"
#include "gateway/clearing/incoming.h"
#include "gateway/settlement_json.h"

#include <stdlib.h>
#include <string.h>

#define LISTED 50
#define LISTED_MAX 500

/* ------------------------------------------------------------------ what issuers paid */

static json_t *incoming_json(const struct setpay_incoming *p)
{
    char token[SETPAY_ID_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE];
    char undone[SETPAY_TIME_TEXT_SIZE];
    int64_t suspense = p->amount.minor - p->matched_minor;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:b}", "payment",
        setpay_id_format(&p->token, token), "issuer", p->issuer, "reference", p->reference,
        "amount", (json_int_t)p->amount.minor, "currency", p->amount.currency, "amount_text",
        setpay_money_format(&p->amount, amount), "date", p->day, "matched",
        (json_int_t)p->matched_minor, "suspense", (json_int_t)suspense, "known", (int)p->known);
    if (object != NULL && p->undone_ms != 0) {
        json_object_set_new(object, "undone",
                            json_string(setpay_time_format(p->undone_ms, undone)));
        json_object_set_new(object, "reason", json_string(p->undone_reason));
    }
    return object;
}

/* What issuers are told to have paid, or to have been paid. Clear the list behind SETPAY_OK. */
static enum setpay_error read_content(const json_t *args, struct setpay_incoming_list *list,
                                      struct setpay_problem *problem)
{
    static const char *const names[] = {"content", NULL};
    const char *content = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "content", true, &content, problem));
    return setpay_incoming_parse(setpay_view_string(content), list, problem);
}

enum setpay_error setpay_gateway_issuer_paid(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    struct setpay_incoming_list list;
    (void)vault;
    SETPAY_TRY(read_content(args, &list, problem));
    json_t *payments = json_array();
    enum setpay_error error = setpay_incoming_keep(db, &list, setpay_clock_now_ms(), problem);
    for (size_t i = 0; error == SETPAY_OK && i < list.count; i++)
        if (json_array_append_new(payments, incoming_json(&list.rows[i])) != 0)
            error = SETPAY_E_NOMEM;
    setpay_incoming_list_clear(&list);
    if (error != SETPAY_OK) {
        json_decref(payments);
        return error;
    }
    *result = json_pack("{s:o}", "payments", payments);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* Issuer and reference, of a payment of its own. */
static enum setpay_error read_name(const json_t *args, struct setpay_incoming *payment,
                                   struct setpay_problem *problem)
{
    const char *issuer = NULL, *reference = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "issuer", true, &issuer, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "reference", true, &reference, problem));
    if (issuer[0] == '\0' || strlen(issuer) >= sizeof payment->issuer || reference[0] == '\0' ||
        strlen(reference) >= sizeof payment->reference)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "expected an issuer of 1 to %zu characters and a reference of 1 "
                                  "to %zu",
                                  sizeof payment->issuer - 1, sizeof payment->reference - 1);
    memcpy(payment->issuer, issuer, strlen(issuer) + 1);
    memcpy(payment->reference, reference, strlen(reference) + 1);
    return SETPAY_OK;
}

/* One payment in the form in which issuers' are told, the other way. */
enum setpay_error setpay_gateway_issuer_paid_to(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    struct setpay_incoming_list list;
    (void)vault;
    SETPAY_TRY(read_content(args, &list, problem));
    enum setpay_error error = SETPAY_OK;
    if (list.count != 1)
        error = setpay_problem_set(problem, SETPAY_E_INVALID, "content: expected one payment");
    if (error == SETPAY_OK)
        error = setpay_incoming_pay(db, &list.rows[0], setpay_clock_now_ms(), problem);
    if (error == SETPAY_OK) {
        *result = json_pack("{s:[o]}", "payments", incoming_json(&list.rows[0]));
        error = *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    setpay_incoming_list_clear(&list);
    return error;
}

static enum setpay_error read_reason(const json_t *args, char out[SETPAY_SUSPENSE_REASON_SIZE],
                                     struct setpay_problem *problem)
{
    const char *reason = NULL;
    SETPAY_TRY(
        setpay_json_arg_words(args, "reason", SETPAY_SUSPENSE_REASON_SIZE, &reason, problem));
    memcpy(out, reason, strlen(reason) + 1);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_issuer_undo(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"issuer", "reference", "reason", NULL};
    struct setpay_incoming payment = {.id = 0};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_name(args, &payment, problem));
    SETPAY_TRY(read_reason(args, payment.undone_reason, problem));
    SETPAY_TRY(setpay_incoming_undo(db, &payment, setpay_clock_now_ms(), problem));
    *result = json_pack("{s:[o]}", "payments", incoming_json(&payment));
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_payment(void *arg, const struct setpay_incoming *payment)
{
    return json_array_append_new(arg, incoming_json(payment)) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_issuer_payments(struct setpay_db *db, const json_t *args,
                                                 const struct setpay_vault *vault, json_t **result,
                                                 struct setpay_problem *problem)
{
    static const char *const names[] = {"issuer", "limit", NULL};
    const char *issuer = NULL;
    int64_t limit = LISTED;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "issuer", false, &issuer, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &limit, problem));
    json_t *list = json_array();
    enum setpay_error error = setpay_incoming_each(db, issuer, limit, add_payment, list);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o}", "payments", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static struct setpay_money money_of(const json_t *object, const char *member)
{
    struct setpay_money money = {.minor = json_integer_value(json_object_get(object, member))};
    const char *currency = json_string_value(json_object_get(object, "currency"));
    if (currency != NULL && strlen(currency) < sizeof money.currency)
        memcpy(money.currency, currency, strlen(currency) + 1);
    return money;
}

void setpay_gateway_log_paid(const json_t *result)
{
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "payments"), index, one)
    {
        const struct setpay_money amount = money_of(one, "amount");
        const struct setpay_money suspense = money_of(one, "suspense");
        if (json_is_true(json_object_get(one, "known")))
            continue;
        setpay_log(
            SETPAY_LOG_INFO, "issuer.paid",
            setpay_field_text("issuer", json_string_value(json_object_get(one, "issuer"))),
            setpay_field_text("reference", json_string_value(json_object_get(one, "reference"))),
            setpay_field_money("amount", &amount), setpay_field_money("suspense", &suspense));
    }
}

void setpay_gateway_log_payment_undone(const json_t *result)
{
    const json_t *one = json_array_get(json_object_get(result, "payments"), 0);
    struct setpay_money amount = money_of(one, "amount");
    amount.minor = llabs(amount.minor);
    setpay_log(SETPAY_LOG_INFO, "issuer.payment_undone",
               setpay_field_text("issuer", json_string_value(json_object_get(one, "issuer"))),
               setpay_field_text("reference", json_string_value(json_object_get(one, "reference"))),
               setpay_field_money("amount", &amount));
}

void setpay_gateway_log_paid_to(const json_t *result)
{
    const json_t *one = json_array_get(json_object_get(result, "payments"), 0);
    struct setpay_money amount = money_of(one, "amount");
    amount.minor = llabs(amount.minor);
    if (!json_is_true(json_object_get(one, "known")))
        setpay_log(
            SETPAY_LOG_INFO, "issuer.paid_to",
            setpay_field_text("issuer", json_string_value(json_object_get(one, "issuer"))),
            setpay_field_text("reference", json_string_value(json_object_get(one, "reference"))),
            setpay_field_money("amount", &amount));
}

/* ------------------------------------------------------------------ suspense */

static json_t *item_json(const struct setpay_suspense_item *item)
{
    char id[SETPAY_ID_TEXT_SIZE], since[SETPAY_TIME_TEXT_SIZE], text[SETPAY_MONEY_TEXT_SIZE];
    int64_t left = item->amount_minor - item->cleared_minor;
    return json_pack(
        "{s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "id",
        setpay_id_format(&item->event, id), "kind", item->is_payment ? "paid" : "refused",
        "written_off", (int)item->is_written_off, item->is_payment ? "issuer" : "merchant_id",
        item->merchant_id, "brand", item->brand, "currency", item->currency, "amount",
        (json_int_t)item->amount_minor, "cleared", (json_int_t)item->cleared_minor, "interchange",
        (json_int_t)item->interchange_minor, "fee", (json_int_t)item->fee_minor, "left",
        (json_int_t)left, "left_text", setpay_amount_text(left, item->currency, text),
        item->is_payment ? "reference" : "step", item->what, "since",
        setpay_time_format(item->since_ms, since));
}

struct page {
    json_t *list;
    int64_t limit;
};

/* SETPAY_E_EXISTS: there is one that the page has no room for. */
static enum setpay_error add_item(void *arg, const struct setpay_suspense_item *item)
{
    struct page *page = arg;
    if (json_array_size(page->list) == (size_t)page->limit)
        return SETPAY_E_EXISTS;
    return json_array_append_new(page->list, item_json(item)) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_after(const json_t *args, struct setpay_id *id, bool *is_set,
                                    struct setpay_problem *problem)
{
    const char *text = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "after", false, &text, problem));
    *is_set = text != NULL;
    if (text != NULL && setpay_id_parse(text, id) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "after '%.60s': expected 32 hex digits", text);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_suspense_list(struct setpay_db *db, const json_t *args,
                                               const struct setpay_vault *vault, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const names[] = {"limit", "after", NULL};
    struct page page = {.limit = LISTED};
    struct setpay_id after;
    bool is_behind = false;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &page.limit, problem));
    SETPAY_TRY(read_after(args, &after, &is_behind, problem));
    page.list = json_array();
    enum setpay_error error = setpay_suspense_each(db, is_behind ? &after : NULL, add_item, &page);
    bool more = error == SETPAY_E_EXISTS;
    if (error != SETPAY_OK && !more) {
        json_decref(page.list);
        return error != SETPAY_E_NOT_FOUND
                   ? error
                   : setpay_problem_set(problem, error, "after: nothing went to suspense as that");
    }
    const json_t *last = json_array_get(page.list, json_array_size(page.list) - 1);
    *result = json_pack("{s:o, s:O}", "items", page.list, "after",
                        more ? json_object_get(last, "id") : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static const struct {
    const char *name;
    enum setpay_account account;
} places[] = {
    {"merchant", SETPAY_ACCOUNT_MERCHANT_PAYABLE},
    {"issuer", SETPAY_ACCOUNT_ISSUER_RECEIVABLE},
    {"cash", SETPAY_ACCOUNT_CASH},
};

static enum setpay_error read_clearing(const json_t *args,
                                       struct setpay_suspense_clearing *clearing,
                                       struct setpay_money *asked, struct setpay_problem *problem)
{
    const char *id = NULL, *to = NULL, *currency = "";
    SETPAY_TRY(setpay_json_arg_text(args, "id", true, &id, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "to", true, &to, problem));
    SETPAY_TRY(read_reason(args, clearing->reason, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "amount", false, 1, SETPAY_MONEY_MAX_MINOR, &asked->minor,
                                   problem));
    SETPAY_TRY(setpay_json_arg_text(args, "currency", asked->minor != 0, &currency, problem));
    if (setpay_id_parse(id, &clearing->item) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "id '%.60s': expected 32 hex digits",
                                  id);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(to, places[i].name) == 0)
            clearing->account = places[i].account;
    if ((int)clearing->account == 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "to '%.40s': expected merchant, issuer or cash", to);
    if (strlen(currency) >= sizeof asked->currency)
        return setpay_problem_set(problem, SETPAY_E_MONEY_CURRENCY,
                                  "currency '%.40s': expected three letters", currency);
    memcpy(asked->currency, currency, strlen(currency) + 1);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_suspense_clear(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    static const char *const names[] = {"id", "to", "reason", "amount", "currency", NULL};
    struct setpay_suspense_clearing clearing = {.created_ms = setpay_clock_now_ms()};
    struct setpay_money asked = {.minor = 0};
    char item[SETPAY_ID_TEXT_SIZE], token[SETPAY_ID_TEXT_SIZE], text[SETPAY_MONEY_TEXT_SIZE];
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_clearing(args, &clearing, &asked, problem));
    SETPAY_TRY(setpay_suspense_clear(db, &clearing, &asked, problem));
    *result = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "clearing",
        setpay_id_format(&clearing.token, token), "item", setpay_id_format(&clearing.item, item),
        "account", setpay_account_name(clearing.account), "brand", clearing.brand,
        clearing.brand[0] == '\0' ? "issuer" : "merchant_id", clearing.merchant_id, "amount",
        (json_int_t)clearing.amount_minor, "interchange", (json_int_t)clearing.interchange_minor,
        "fee", (json_int_t)clearing.fee_minor, "loss", (json_int_t)clearing.loss_minor, "currency",
        clearing.currency, "amount_text",
        setpay_amount_text(clearing.amount_minor, clearing.currency, text), "reason",
        clearing.reason);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

void setpay_gateway_log_cleared(const json_t *result)
{
    struct setpay_money amount = money_of(result, "amount");
    struct setpay_id item = {{0}};
    amount.minor = llabs(amount.minor);
    if (setpay_id_parse(json_string_value(json_object_get(result, "item")), &item) != SETPAY_OK)
        return;
    setpay_log(SETPAY_LOG_INFO, "suspense.cleared", setpay_field_id("item", &item),
               setpay_field_text("to", json_string_value(json_object_get(result, "account"))),
               setpay_field_money("amount", &amount));
}
