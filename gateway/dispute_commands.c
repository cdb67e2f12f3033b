/*
 * The operator's commands about disputes.
 */
#include "gateway/commands.h"

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/net/control_json.h"
#include "common/net/metrics.h"
#include "gateway/clearing/dispute.h"
#include "gateway/payment/payment.h"
#include "gateway/settlement_json.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 500

static const char *const events[] = {"opened", "lost", "won", NULL};
static struct setpay_metric disputes_total = {
    .name = "setpay_gateway_disputes_total",
    .help = "Disputes that issuers' files have opened and closed.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"event", events}},
};

enum setpay_error setpay_gateway_register_dispute_metrics(void)
{
    return setpay_metric_register(&disputes_total);
}

/* ------------------------------------------------------------------ reading a file in */

/* Of an import: two lists. */
struct lists {
    json_t *told, *skipped;
};

static void on_told(void *arg, const struct setpay_gateway_dispute *dispute,
                    enum setpay_dispute_action action)
{
    const struct lists *lists = arg;
    json_t *one = setpay_dispute_json(dispute);
    json_object_set_new(one, "opens", json_boolean(action != SETPAY_DISPUTE_CLOSES));
    json_array_append_new(lists->told, one);
}

static void on_skipped(void *arg, const struct setpay_dispute_row *row)
{
    const struct lists *lists = arg;
    char amount[SETPAY_MONEY_TEXT_SIZE];
    json_array_append_new(
        lists->skipped,
        json_pack("{s:I, s:I, s:s, s:I, s:s, s:s, s:s, s:s}", "number", (json_int_t)row->number,
                  "line", (json_int_t)row->line, "step", row->presentment, "amount",
                  (json_int_t)row->amount.minor, "currency", row->amount.currency, "amount_text",
                  setpay_money_format(&row->amount, amount), "reason", row->reason, "outcome",
                  setpay_dispute_outcome_name(row->outcome)));
}

static enum setpay_error import(struct setpay_db *db, const struct setpay_dispute_file *file,
                                struct setpay_gateway_dispute_import *asked, json_t **result,
                                struct setpay_problem *problem)
{
    const struct lists *lists = asked->arg;
    asked->file = file;
    asked->now_ms = setpay_clock_now_ms();
    asked->told_cb = on_told;
    asked->skipped_cb = on_skipped;
    SETPAY_TRY(setpay_gateway_dispute_import(db, asked, problem));
    *result =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "issuer", file->issuer,
                  "from", file->from, "to", file->to, "opened", (json_int_t)asked->opened, "lost",
                  (json_int_t)asked->lost, "won", (json_int_t)asked->won, "known",
                  (json_int_t)asked->known, "others", (json_int_t)asked->passed_over, "skipped",
                  lists->skipped, "disputes", lists->told);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* Numbers of disputes, each as a text: bare words of the command line. */
static enum setpay_error read_skip(const json_t *args, int64_t skip[SETPAY_DISPUTE_SKIP_MAX],
                                   size_t *count, struct setpay_problem *problem)
{
    const json_t *list = json_object_get(args, "skip");
    size_t index;
    const json_t *one;
    *count = 0;
    if (list != NULL && (!json_is_array(list) || json_array_size(list) > SETPAY_DISPUTE_SKIP_MAX))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "skip: expected the numbers of up to %d disputes",
                                  SETPAY_DISPUTE_SKIP_MAX);
    json_array_foreach(list, index, one)
    {
        const char *text = json_is_string(one) ? json_string_value(one) : "";
        size_t size = strlen(text);
        if (size == 0 || size > 18 || strspn(text, "0123456789") != size)
            return setpay_problem_set(problem, SETPAY_E_INVALID,
                                      "skip '%.40s': expected the number of a dispute", text);
        skip[(*count)++] = strtoll(text, NULL, 10);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_import_disputes(struct setpay_db *db, const json_t *args,
                                                 const struct setpay_vault *vault, json_t **result,
                                                 struct setpay_problem *problem)
{
    static const char *const names[] = {"content", "acquirer", "issuer", "skip", NULL};
    struct lists lists = {NULL, NULL};
    struct setpay_gateway_dispute_import asked = {.arg = &lists};
    struct setpay_dispute_file file;
    int64_t skip[SETPAY_DISPUTE_SKIP_MAX];
    const char *content = NULL;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "content", true, &content, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "acquirer", true, &asked.acquirer, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "issuer", false, &asked.by, problem));
    SETPAY_TRY(read_skip(args, skip, &asked.skip_count, problem));
    asked.skip = skip;
    struct setpay_view bytes = setpay_view_string(content);
    SETPAY_TRY(setpay_dispute_file_parse(bytes, &file, problem));
    lists.told = json_array();
    lists.skipped = json_array();
    enum setpay_error error = setpay_sha256(bytes, &asked.digest);
    if (error == SETPAY_OK)
        error = import(db, &file, &asked, result, problem);
    json_decref(lists.told);
    json_decref(lists.skipped);
    setpay_dispute_file_clear(&file);
    return error;
}

/* Another program's file is read in without it: that must be seen later. */
static void log_skipped(const json_t *result)
{
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "skipped"), index, one)
    {
        struct setpay_money amount = {.minor = json_integer_value(json_object_get(one, "amount"))};
        struct setpay_id step = {{0}};
        const char *currency = json_string_value(json_object_get(one, "currency"));
        memcpy(amount.currency, currency, sizeof amount.currency);
        (void)!setpay_id_parse(json_string_value(json_object_get(one, "step")), &step);
        setpay_log(
            SETPAY_LOG_WARN, "dispute.skipped",
            setpay_field_text("issuer", json_string_value(json_object_get(result, "issuer"))),
            setpay_field_int("number", json_integer_value(json_object_get(one, "number"))),
            setpay_field_id("step", &step), setpay_field_money("amount", &amount));
    }
}

/* One line for what was opened, and one for what was closed; and they are counted. */
void setpay_gateway_log_disputes(const json_t *result)
{
    size_t index;
    const json_t *one;
    for (size_t i = 0; events[i] != NULL; i++)
        setpay_metric_add(&disputes_total, i, 0,
                          json_integer_value(json_object_get(result, events[i])));
    log_skipped(result);
    json_array_foreach(json_object_get(result, "disputes"), index, one)
    {
        struct setpay_gateway_dispute d;
        if (setpay_dispute_from_json(one, &d) != SETPAY_OK)
            continue;
        if (json_is_true(json_object_get(one, "opens")))
            setpay_log(SETPAY_LOG_INFO, "dispute.opened", setpay_field_int("dispute", d.id),
                       setpay_field_id("xid", &d.xid), setpay_field_id("step", &d.step),
                       setpay_field_text("merchant", d.merchant_id),
                       setpay_field_text("reason", d.reason),
                       setpay_field_money("amount", &d.amount));
        if (d.outcome != SETPAY_DISPUTE_OPEN)
            setpay_log(SETPAY_LOG_INFO, "dispute.closed", setpay_field_int("dispute", d.id),
                       setpay_field_id("xid", &d.xid), setpay_field_id("step", &d.step),
                       setpay_field_text("merchant", d.merchant_id),
                       setpay_field_text("outcome", setpay_dispute_outcome_name(d.outcome)),
                       setpay_field_money("amount", &d.amount));
    }
}

/* ------------------------------------------------------------------ looking */

struct page {
    json_t *list;
    int64_t last;
};

static enum setpay_error add_dispute(void *arg, const struct setpay_gateway_dispute *dispute)
{
    struct page *page = arg;
    page->last = dispute->id;
    return json_array_append_new(page->list, setpay_dispute_json(dispute)) == 0 ? SETPAY_OK
                                                                                : SETPAY_E_NOMEM;
}

static enum setpay_error read_outcome(const json_t *args, int *outcome,
                                      struct setpay_problem *problem)
{
    const char *text = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "outcome", false, &text, problem));
    if (text == NULL)
        return SETPAY_OK;
    for (int i = SETPAY_DISPUTE_OPEN; i <= SETPAY_DISPUTE_MERCHANT; i++) {
        if (strcmp(text, setpay_dispute_outcome_name((enum setpay_dispute_outcome)i)) == 0) {
            *outcome = i;
            return SETPAY_OK;
        }
    }
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "outcome '%.40s': expected open, cardholder or merchant", text);
}

enum setpay_error setpay_gateway_dispute_list(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    static const char *const names[] = {"outcome",    "brand", "merchant_id",
                                        "settlement", "after", NULL};
    struct setpay_gateway_dispute_filter filter = {.outcome = -1, .limit = PAGE};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_outcome(args, &filter.outcome, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &filter.brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", false, &filter.merchant_id, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "settlement", false, 1, INT64_MAX, &filter.settlement, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &filter.after, problem));
    struct page page = {.list = json_array()};
    enum setpay_error error = setpay_gateway_dispute_each(db, &filter, add_dispute, &page);
    if (error != SETPAY_OK) {
        json_decref(page.list);
        return error;
    }
    bool full = json_array_size(page.list) == PAGE;
    *result = json_pack("{s:o, s:o}", "disputes", page.list, "next_after",
                        full ? json_integer(page.last) : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* The dispute that the argument id names, by its text: a bare word of the command line is one. */
static enum setpay_error find(struct setpay_db *db, const json_t *args,
                              struct setpay_gateway_dispute *dispute,
                              struct setpay_problem *problem)
{
    static const char *const names[] = {"id", NULL};
    const char *text = NULL;
    int64_t id = 0;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "id", true, &text, problem));
    if (strlen(text) > 0 && strlen(text) < 19 && strspn(text, "0123456789") == strlen(text))
        id = strtoll(text, NULL, 10);
    enum setpay_error error = setpay_gateway_dispute_find(db, id, dispute);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no dispute '%.40s': see dispute list",
                                  text);
    return error;
}

enum setpay_error setpay_gateway_dispute_show(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    struct setpay_gateway_dispute dispute;
    (void)vault;
    SETPAY_TRY(find(db, args, &dispute, problem));
    *result = setpay_dispute_json(&dispute);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* What was signed for the payment in dispute: of an agreement, also all of its other steps. */
enum setpay_error setpay_gateway_dispute_evidence(struct setpay_db *db, const json_t *args,
                                                  const struct setpay_vault *vault, json_t **result,
                                                  struct setpay_problem *problem)
{
    struct setpay_gateway_dispute dispute;
    struct setpay_payment payment;
    (void)vault;
    SETPAY_TRY(find(db, args, &dispute, problem));
    SETPAY_TRY(setpay_payment_load(db, dispute.payment_id, &payment));
    if (payment.first_id != 0)
        SETPAY_TRY(setpay_payment_load(db, payment.first_id, &payment));
    return setpay_gateway_evidence_of(db, &payment, result);
}
